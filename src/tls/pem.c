/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates and keys from the bytes of PEM files (RFC 7468): which block is which, and whether
 * they belong together.
 */

#include "base/mem.h"
#include "tls/internal.h"
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { CHAIN_MAX = 32 };

static BIO *memory(struct slice bytes)
{
    tls_begin();
    return bytes.len <= INT_MAX ? BIO_new_mem_buf(bytes.len ? bytes.ptr : "", (int)bytes.len)
                                : NULL;
}

/* A key with a passphrase is refused: nobody is there to type it. */
static int on_passphrase(char *buf, int size, int is_writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    *(bool *)ctx = true;
    return -1;
}

/* The next certificate, NULL at the end and where one is wrong. */
static X509 *next_certificate(BIO *bio)
{
    X509 *cert = PEM_read_bio_X509(bio, NULL, on_passphrase, &(bool){false});
    return cert;
}

/* The queue holds "no start line" where the file simply ends. */
static bool is_end(void)
{
    unsigned long code = ERR_peek_last_error();
    bool is_so = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (is_so)
        ERR_clear_error();
    return is_so;
}

static int read_chain(struct slice bytes, struct tls_identity *identity, struct err *err)
{
    BIO *bio = memory(bytes);
    if (!bio)
        return err_set(err, "it is too large");
    identity->leaf = next_certificate(bio);
    int result = 0;
    if (!identity->leaf && is_end())
        result = err_set(err, "there is no certificate in it (-----BEGIN CERTIFICATE-----)");
    else if (!identity->leaf)
        result = err_set(err, "the certificate cannot be read: %s", tls_error_text());
    for (int n = 1; result == 0; n++) {
        X509 *cert = next_certificate(bio);
        if (!cert && is_end())
            break;
        if (!cert)
            result = err_set(err, "certificate %d cannot be read: %s", n + 1, tls_error_text());
        else if (n == CHAIN_MAX)
            result = err_set(err, "there are more than %d certificates in it", CHAIN_MAX);
        else if (!identity->chain)
            identity->chain = sk_X509_new_null();
        if (result == 0 && identity->chain && sk_X509_push(identity->chain, cert))
            continue;
        X509_free(cert);
        if (result == 0)
            result = err_set(err, "out of memory");
    }
    BIO_free(bio);
    return result;
}

static int read_key(struct slice bytes, struct tls_identity *identity, struct err *err)
{
    BIO *bio = memory(bytes);
    bool is_locked = false;
    identity->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &is_locked) : NULL;
    BIO_free(bio);
    if (identity->key) {
        ERR_clear_error();
        return 0;
    }
    if (is_locked) {
        ERR_clear_error();
        return err_set(err, "the key asks for a passphrase; `openssl pkey` writes it without one");
    }
    /* Decoders leave more than one error; the last says whether there was anything at all. */
    ERR_clear_error();
    return err_set(err, "there is no private key in it that can be read");
}

int tls_chain_check(struct slice cert, struct err *err)
{
    struct tls_identity identity = {.leaf = NULL};
    int result = read_chain(cert, &identity, err);
    tls_identity_deinit(&identity);
    return result;
}

int tls_identity_read(struct slice cert, struct slice key, struct tls_identity *ret_identity,
                      struct err *err)
{
    struct tls_identity identity = {.leaf = NULL};
    if (read_chain(cert, &identity, err) < 0 || read_key(key, &identity, err) < 0) {
        tls_identity_deinit(&identity);
        return -1;
    }
    if (X509_check_private_key(identity.leaf, identity.key) != 1) {
        ERR_clear_error();
        tls_identity_deinit(&identity);
        return err_set(err, "the key does not belong to the certificate");
    }
    *ret_identity = identity;
    return 0;
}

void tls_identity_deinit(struct tls_identity *identity)
{
    X509_free(identity->leaf);
    sk_X509_pop_free(identity->chain, X509_free);
    EVP_PKEY_free(identity->key);
    *identity = (struct tls_identity){.leaf = NULL};
}

static void date_write(const ASN1_TIME *time, char *text, size_t cap)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n = bio && ASN1_TIME_print(bio, time) ? BIO_read(bio, text, (int)cap - 1) : 0;
    text[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
}

const char *tls_identity_dates(const struct tls_identity *identity, char text[TLS_DATES_TEXT])
{
    const ASN1_TIME *before = X509_get0_notBefore(identity->leaf);
    const ASN1_TIME *after = X509_get0_notAfter(identity->leaf);
    char date[64];
    text[0] = '\0';
    if (X509_cmp_current_time(after) < 0) {
        date_write(after, date, sizeof(date));
        snprintf(text, TLS_DATES_TEXT, "the certificate has expired: %s", date);
    } else if (X509_cmp_current_time(before) > 0) {
        date_write(before, date, sizeof(date));
        snprintf(text, TLS_DATES_TEXT, "the certificate is not valid yet: from %s on", date);
    }
    return text;
}

int tls_identity_use(const struct tls_identity *identity, SSL_CTX *ctx, struct err *err)
{
    if (SSL_CTX_use_cert_and_key(ctx, identity->leaf, identity->key, identity->chain, 1) == 1)
        return 0;
    return err_set(err, "OpenSSL refuses the certificate: %s", tls_error_text());
}

void tls_identity_names(const struct tls_identity *identity,
                        void (*fn)(void *ctx, struct slice name), void *ctx)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(identity->leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        const ASN1_IA5STRING *text = name->d.dNSName;
        fn(ctx,
           slice_make((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)));
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}

int tls_authorities_read(struct slice bytes, X509_STORE *store, struct err *err)
{
    BIO *bio = memory(bytes);
    size_t n = 0;
    X509 *cert;
    while (bio && (cert = next_certificate(bio)) != NULL) {
        n += X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    bool is_whole = is_end();
    const char *why = is_whole ? NULL : tls_error_text();
    BIO_free(bio);
    if (n == 0 && is_whole)
        return err_set(err, "there is no certificate in it (-----BEGIN CERTIFICATE-----)");
    if (!is_whole)
        return err_set(err, "certificate %zu cannot be read: %s", n + 1, why);
    return 0;
}
