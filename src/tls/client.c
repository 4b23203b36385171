/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A pool's side of TLS: whom to trust, what to show, and the sessions to go on with.
 */

#include "base/addr.h"
#include "base/mem.h"
#include "tls/internal.h"
#include "tls/key.h"
#include <assert.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

struct tls_client {
    struct tls_context context;
    bool verify;
    uint8_t sameness[TLS_HASH_BYTES]; /* of everything that it was made of */
};

struct tls_resume {
    uint32_t n_refs;
    SSL_SESSION *session; /* NULL: none yet */
};

/* ---- sessions ---- */

struct tls_resume *tls_resume_create(void)
{
    struct tls_resume *resume = MEM_NEW(struct tls_resume);
    resume->n_refs = 1;
    return resume;
}

struct tls_resume *tls_resume_ref(struct tls_resume *resume)
{
    resume->n_refs++;
    return resume;
}

void tls_resume_unref(struct tls_resume **resume)
{
    struct tls_resume *old = *resume;
    *resume = NULL;
    if (!old || --old->n_refs > 0)
        return;
    SSL_SESSION_free(old->session);
    mem_free(old);
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_state *state = SSL_get_app_data(ssl);
    if (!state->resume)
        return 0;
    SSL_SESSION_free(state->resume->session);
    state->resume->session = session;
    return 1; /* taken */
}

void tls_resume_note(struct tls_resume *resume, SSL *ssl)
{
    if (SSL_version(ssl) != TLS1_2_VERSION || SSL_get0_session(ssl) == resume->session)
        return;
    SSL_SESSION_free(resume->session);
    resume->session = SSL_get1_session(ssl);
}

/* ---- making one ---- */

static void client_destroy(struct tls_context *context)
{
    struct tls_client *client = CONTAINER_OF(context, struct tls_client, context);
    tls_context_deinit(context);
    mem_free(client);
}

void tls_client_destroy(struct tls_client **client)
{
    struct tls_client *old = *client;
    *client = NULL;
    if (old)
        tls_context_unref(&old->context);
}

static int trust(struct tls_client *client, const struct tls_client_options *options,
                 struct err *err)
{
    const struct tls_client_conf *conf = options->conf;
    SSL_CTX *ctx = client->context.ctx;
    SSL_CTX_set_verify(ctx, conf->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!conf->verify)
        return 0;
    struct slice bytes = options->bytes(options->bytes_ctx, conf->ca_blob);
    if (tls_authorities_read(bytes, SSL_CTX_get_cert_store(ctx), err) < 0)
        return err_prefix(err, "%.*s", SLICE_ARG(conf->ca.len ? conf->ca : SLICE(TLS_SYSTEM_CA)));
    return 0;
}

static int show(struct tls_client *client, const struct tls_client_options *options,
                struct err *err)
{
    const struct tls_cert_conf *cert = options->conf->cert;
    struct tls_identity identity;
    if (!cert)
        return 0;
    if (tls_identity_read(options->bytes(options->bytes_ctx, cert->cert_blob),
                          options->bytes(options->bytes_ctx, cert->key_blob), &identity, err) < 0)
        return err_prefix(err, "%.*s", SLICE_ARG(cert->cert));
    int result = tls_identity_use(&identity, client->context.ctx, err);
    tls_identity_deinit(&identity);
    return result;
}

/* Bytes of files and words, each behind its length, so that no two lists look alike. */
static void note(struct text *all, struct slice bytes)
{
    text_printf(all, "%zu:", bytes.len);
    text_append(all, bytes);
}

static void make_sameness(struct tls_client *client, const struct tls_client_options *options)
{
    const struct tls_client_conf *conf = options->conf;
    struct text all = TEXT_NONE;
    note(&all, conf->name);
    if (conf->verify)
        note(&all, options->bytes(options->bytes_ctx, conf->ca_blob));
    if (conf->cert) {
        note(&all, options->bytes(options->bytes_ctx, conf->cert->cert_blob));
        note(&all, options->bytes(options->bytes_ctx, conf->cert->key_blob));
    }
    tls_hmac_sha256(SLICE("tls client"), text_slice(&all), client->sameness);
    client->sameness[0] = (uint8_t)((client->sameness[0] & 0x7f) | (conf->verify ? 0x80 : 0));
    if (all.len)
        tls_wipe(all.ptr, all.len);
    text_deinit(&all);
}

struct tls_client *tls_client_create(const struct tls_client_options *options, struct err *err)
{
    struct tls_client *client = MEM_NEW(struct tls_client);
    client->verify = options->conf->verify;
    int result = tls_context_init(&client->context, TLS_client_method(), client_destroy, err);
    if (result == 0) {
        SSL_CTX *ctx = client->context.ctx;
        tls_ctx_versions(ctx, TLS_VERSIONS_BOTH);
        SSL_CTX_set_session_cache_mode(ctx,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(ctx, on_session);
        result = tls_ctx_ciphers(ctx, SLICE(""), err);
    }
    if (result == 0)
        result = trust(client, options, err);
    if (result == 0)
        result = show(client, options, err);
    if (result < 0) {
        tls_client_destroy(&client);
        return NULL;
    }
    make_sameness(client, options);
    return client;
}

bool tls_client_is_same(const struct tls_client *a, const struct tls_client *b)
{
    if (!a || !b)
        return a == b;
    return tls_is_equal(a->sameness, b->sameness, sizeof(a->sameness));
}

bool tls_is_of(const struct conn *conn, const struct tls_client *client)
{
    if (conn->transport != &transport_tls)
        return client == NULL;
    const struct tls_state *state = tls_state_of(conn);
    return client &&
           tls_client_is_same(CONTAINER_OF(state->context, struct tls_client, context), client);
}

void tls_resume_use(struct conn *conn, struct tls_resume *resume)
{
    if (conn->transport != &transport_tls)
        return;
    struct tls_state *state = tls_state_of(conn);
    assert(state->is_done && !state->is_server);
    tls_resume_unref(&state->resume);
    state->words = NULL; /* all that is counted is the handshake */
    state->resume = resume ? tls_resume_ref(resume) : NULL;
}

/* ---- connecting ---- */

/* The name for SNI and for the certificate; an address is only compared. */
static int set_name(SSL *ssl, struct slice server_name, bool verify, struct err *err)
{
    char name[TLS_NAME_MAX + 1];
    struct addr addr;
    if (server_name.len == 0 && !verify)
        return 0;
    if (server_name.len == 0 || server_name.len > TLS_NAME_MAX)
        return err_set(err, "no name to compare the certificate with");
    slice_copy(server_name, name, sizeof(name));
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    bool is_address = addr_parse_ip(server_name, 0, &addr, NULL) == 0;
    int is_fine = 1;
    if (!is_address)
        is_fine = (int)SSL_set_tlsext_host_name(ssl, name);
    if (is_fine && verify) {
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        is_fine = is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, name)
                             : X509_VERIFY_PARAM_set1_host(param, name, 0);
    }
    if (is_fine)
        return 0;
    return err_set(err, "%s is no name for a certificate: %s", name, tls_error_text());
}

int tls_connect(struct conn *conn, const struct tls_client *client, struct slice server_name,
                struct tls_resume *resume, struct err *err)
{
    struct tls_client *shared;
    memcpy(&shared, &client, sizeof(shared)); /* its count alone changes */
    struct tls_state *state = tls_state_create(conn, &shared->context, false);
    if (!state)
        return err_set(err, "no memory for TLS");
    if (set_name(state->ssl, server_name, client->verify, err) < 0) {
        tls_state_destroy(state);
        return -1;
    }
    if (resume) {
        state->resume = tls_resume_ref(resume);
        if (resume->session && SSL_SESSION_is_resumable(resume->session))
            (void)SSL_set_session(state->ssl, resume->session);
    }
    tls_attach(state);
    return 0;
}
