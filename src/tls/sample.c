/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates for tests: keys on P-256, as those are made fast.
 */

#include "tls/sample.h"

#include <assert.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void take_pem(BIO *bio, struct text *out)
{
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    text_append(out, slice_make(bytes, (size_t)len));
    BIO_free(bio);
}

static void write_pem(struct sample *sample)
{
    BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
    int is_fine = PEM_write_bio_X509(cert, sample->cert) == 1 &&
                  PEM_write_bio_PrivateKey(key, sample->key, NULL, NULL, 0, NULL, NULL) == 1;
    assert(is_fine);
    take_pem(cert, &sample->cert_pem);
    take_pem(key, &sample->key_pem);
    text_append(&sample->both_pem, text_slice(&sample->cert_pem));
    text_append(&sample->both_pem, text_slice(&sample->key_pem));
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert(extension);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

void sample_make(struct sample *sample, const struct sample *authority, const char *names, int from,
                 int to)
{
    static const unsigned char subject[] = "weir's tests";
    *sample = (struct sample){.key = EVP_EC_gen("P-256"), .cert = X509_new()};
    X509 *cert = sample->cert;
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), authority ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), from * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(cert), to * 86400L);
    X509_set_pubkey(cert, sample->key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), authority ? "CN" : "O", MBSTRING_ASC,
                               subject, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(authority ? authority->cert : cert));
    if (!authority)
        add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    if (names)
        add_extension(cert, NID_subject_alt_name, names);
    int n = X509_sign(cert, authority ? authority->key : sample->key, EVP_sha256());
    assert(n > 0);
    write_pem(sample);
}

void sample_deinit(struct sample *sample)
{
    EVP_PKEY_free(sample->key);
    X509_free(sample->cert);
    text_deinit(&sample->cert_pem);
    text_deinit(&sample->key_pem);
    text_deinit(&sample->both_pem);
}
