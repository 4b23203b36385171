/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of TLS, the files that they name, and what can be said against both.
 */

#include "tls/conf.h"

#include "base/addr.h"
#include "base/mem.h"
#include "tls/internal.h"
#include <assert.h>

/* ---- rows ---- */

static const struct conf_word cert_args[] = {
    {.name = "file",
     .type = CONF_PATH,
     .offset = offsetof(struct tls_cert_conf, cert),
     .doc = "PEM: the certificate, those between it and the authority, and the key where `key` "
            "names no file of its own"},
    {0},
};

static const struct conf_word cert_words[] = {
    {.name = "key",
     .type = CONF_PATH,
     .offset = offsetof(struct tls_cert_conf, key),
     .doc = "PEM: the private key, without a passphrase"},
    {0},
};

static const struct conf_block cert_block = {
    .size = sizeof(struct tls_cert_conf), .args = cert_args, .words = cert_words};

static const struct conf_choice versions[] = {
    {.name = "1.2..1.3", .value = TLS_VERSIONS_BOTH, .doc = "TLS 1.2 and 1.3"},
    {.name = "1.2", .value = TLS_VERSIONS_12, .doc = "TLS 1.2 alone"},
    {.name = "1.3", .value = TLS_VERSIONS_13, .doc = "TLS 1.3 alone"},
    {0},
};

static const struct conf_word server_words[] = {
    {.name = "cert",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct tls_server_conf, certs),
     .block = &cert_block,
     .doc = "a certificate, chosen by the names in it; the first also for clients that ask for no "
            "name or for another one"},
    {.name = "versions",
     .type = CONF_CHOICE,
     .offset = offsetof(struct tls_server_conf, versions),
     .fallback = "1.2..1.3",
     .choices = versions,
     .doc = "which versions are spoken"},
    {.name = "ciphers",
     .type = CONF_STRING,
     .offset = offsetof(struct tls_server_conf, ciphers),
     .doc = "names as in openssl-ciphers(1), with colons between them, those of TLS 1.3 (TLS_...) "
            "among them, the first preferred; without it those with forward secrecy and "
            "authenticated encryption"},
    {0},
};

const struct conf_block tls_server_block = {.size = sizeof(struct tls_server_conf),
                                            .words = server_words};

static const struct conf_choice switches[] = {
    {.name = "on", .value = 1, .doc = "signed by an authority of `ca`, and bearing the name"},
    {.name = "off", .value = 0, .doc = "whoever answers is believed"},
    {0},
};

static const struct conf_word client_words[] = {
    {.name = "ca",
     .type = CONF_PATH,
     .offset = offsetof(struct tls_client_conf, ca),
     .doc = "PEM: the authorities that may sign a member's certificate; without it those of the "
            "system, " TLS_SYSTEM_CA},
    {.name = "verify",
     .type = CONF_CHOICE,
     .offset = offsetof(struct tls_client_conf, verify),
     .fallback = "on",
     .choices = switches,
     .doc = "whether a member's certificate is looked at"},
    {.name = "name",
     .type = CONF_STRING,
     .offset = offsetof(struct tls_client_conf, name),
     .doc = "the name that members' certificates bear, also said in SNI; without it a member's own "
            "host name"},
    {.name = "cert",
     .type = CONF_BLOCK,
     .offset = offsetof(struct tls_client_conf, cert),
     .block = &cert_block,
     .doc = "a certificate to show to members"},
    {0},
};

const struct conf_block tls_client_block = {.size = sizeof(struct tls_client_conf),
                                            .words = client_words};

/* ---- one certificate ---- */

static void cert_names(struct tls_cert_conf *cert, const char *owner, size_t index,
                       struct conf_load *load)
{
    cert->cert_blob = arena_printf(load->arena, "tls:%s:cert:%zu", owner, index);
    cert->key_blob = cert->key.len == 0 ? cert->cert_blob
                                        : arena_printf(load->arena, "tls:%s:key:%zu", owner, index);
}

static int cert_files(const struct tls_cert_conf *cert, file_want_fn *want, void *ctx)
{
    struct file_want file = {.name = cert->cert_blob,
                             .path = cert->cert,
                             .at = conf_where(&cert->object, "file"),
                             .max_bytes = TLS_FILE_BYTES,
                             .is_secret = cert->key.len == 0};
    if (want(ctx, &file) < 0 || cert->key.len == 0)
        return cert->key.len == 0 ? 0 : -1;
    file = (struct file_want){.name = cert->key_blob,
                              .path = cert->key,
                              .at = conf_where(&cert->object, "key"),
                              .max_bytes = TLS_FILE_BYTES,
                              .is_secret = true};
    return want(ctx, &file);
}

static void count_name(void *ctx, struct slice name)
{
    (void)name;
    ++*(size_t *)ctx;
}

static int cert_inspect(const struct tls_cert_conf *cert, bool needs_name,
                        const struct conf_bundle *files, struct conf_diag *diag)
{
    struct tls_identity identity;
    struct err err = ERR_NONE;
    const char *hint = cert->key.len ? NULL : "both in one file, or tls cert FILE key FILE";
    struct conf_at at = conf_where(&cert->object, "file");
    if (tls_chain_check(conf_bundle_blob(files, cert->cert_blob), &err) < 0)
        return conf_error(diag, at, NULL, "%.*s: %s", SLICE_ARG(cert->cert), err.text);
    at = conf_where(&cert->object, cert->key.len ? "key" : "file");
    if (tls_identity_read(conf_bundle_blob(files, cert->cert_blob),
                          conf_bundle_blob(files, cert->key_blob), &identity, &err) < 0)
        return conf_error(diag, at, hint, "%.*s: %s",
                          SLICE_ARG(cert->key.len ? cert->key : cert->cert), err.text);
    char text[TLS_DATES_TEXT];
    size_t n_names = 0;
    at = conf_where(&cert->object, "file");
    if (tls_identity_dates(&identity, text)[0])
        conf_warning(diag, at, NULL, "%.*s: %s", SLICE_ARG(cert->cert), text);
    tls_identity_names(&identity, count_name, &n_names);
    if (needs_name && n_names == 0)
        conf_warning(diag, at, "put it first, or into a listen of its own",
                     "%.*s: no DNS name in the certificate, so no client comes to it",
                     SLICE_ARG(cert->cert));
    tls_identity_deinit(&identity);
    return 0;
}

/* ---- servers ---- */

bool tls_server_is_set(const struct tls_server_conf *conf)
{
    return conf->object.stmt != NULL;
}

static int check_ciphers(const struct tls_server_conf *conf, struct conf_load *load)
{
    struct err err = ERR_NONE;
    SSL_CTX *ctx = tls_ctx_create(TLS_server_method());
    int result = ctx ? tls_ctx_ciphers(ctx, conf->ciphers, &err) : 0;
    SSL_CTX_free(ctx);
    if (result < 0)
        return conf_error(load->diag, conf_where(&conf->object, "ciphers"),
                          "`openssl ciphers -v` lists them", "%s", err.text);
    return 0;
}

int tls_server_check(struct tls_server_conf *conf, const char *owner, struct conf_load *load)
{
    if (conf->certs.n_items == 0)
        return conf_error(load->diag, conf->object.at, "tls cert FILE", "TLS needs a certificate");
    if (conf->certs.n_items > TLS_CERTS_MAX)
        return conf_error(load->diag, conf->object.at, NULL, "more than %d certificates",
                          TLS_CERTS_MAX);
    for (size_t i = 0; i < conf->certs.n_items; i++)
        cert_names(conf->certs.items[i], owner, i, load);
    return conf->ciphers.len ? check_ciphers(conf, load) : 0;
}

int tls_server_files(const struct tls_server_conf *conf, file_want_fn *want, void *ctx)
{
    for (size_t i = 0; i < conf->certs.n_items; i++) {
        if (cert_files(conf->certs.items[i], want, ctx) < 0)
            return -1;
    }
    return 0;
}

int tls_server_inspect(const struct tls_server_conf *conf, const struct conf_bundle *files,
                       struct conf_diag *diag)
{
    int result = 0;
    for (size_t i = 0; i < conf->certs.n_items; i++) {
        if (cert_inspect(conf->certs.items[i], i > 0, files, diag) < 0)
            result = -1;
    }
    return result;
}

/* ---- clients ---- */

int tls_client_check(struct tls_client_conf *conf, const char *owner, struct conf_load *load)
{
    conf->ca_blob = arena_printf(load->arena, "tls:%s:ca", owner);
    if (conf->cert)
        cert_names(conf->cert, owner, 0, load);
    if (!conf->verify && conf->ca.len)
        return conf_error(load->diag, conf_where(&conf->object, "ca"), "leave one of them out",
                          "nobody is verified by it where verify is off");
    if (conf->name.len > TLS_NAME_MAX)
        return conf_error(load->diag, conf_where(&conf->object, "name"), NULL,
                          "a name has at most %d characters", TLS_NAME_MAX);
    return 0;
}

int tls_client_files(const struct tls_client_conf *conf, file_want_fn *want, void *ctx)
{
    bool has_ca = conf->ca.len > 0;
    struct file_want ca = {.name = conf->ca_blob,
                           .path = has_ca ? conf->ca : SLICE(TLS_SYSTEM_CA),
                           .at = has_ca ? conf_where(&conf->object, "ca") : conf->object.at,
                           .max_bytes = TLS_FILE_BYTES};
    if (conf->verify && want(ctx, &ca) < 0)
        return -1;
    return conf->cert ? cert_files(conf->cert, want, ctx) : 0;
}

int tls_client_inspect(const struct tls_client_conf *conf, const struct conf_bundle *files,
                       struct conf_diag *diag)
{
    int result = 0;
    X509_STORE *store = X509_STORE_new();
    struct err err = ERR_NONE;
    if (conf->verify && store &&
        tls_authorities_read(conf_bundle_blob(files, conf->ca_blob), store, &err) < 0)
        result = conf_error(diag, conf->ca.len ? conf_where(&conf->object, "ca") : conf->object.at,
                            NULL, "%.*s: %s",
                            SLICE_ARG(conf->ca.len ? conf->ca : SLICE(TLS_SYSTEM_CA)), err.text);
    X509_STORE_free(store);
    if (conf->cert && cert_inspect(conf->cert, false, files, diag) < 0)
        result = -1;
    return result;
}
