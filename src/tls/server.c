/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A listen's side of TLS: a context a certificate, the one that the client's SNI asks for, the
 * protocol by ALPN, tickets.
 */

#include "base/ascii.h"
#include "base/map.h"
#include "base/mem.h"
#include "tls/internal.h"
#include "tls/key.h"
#include <assert.h>
#include <string.h>

struct tls_server {
    struct tls_context context; /* its ctx is that of the first certificate */
    SSL_CTX **ctxs;             /* of all; the first is context.ctx, and not counted again */
    size_t n_ctxs;
    struct map exact;    /* "shop.example.org" -> SSL_CTX */
    struct map wildcard; /* "example.org", of *.example.org */
    struct tls_tickets *tickets;
};

static struct tls_server *server_of(const SSL *ssl)
{
    const struct tls_state *state = SSL_get_app_data(ssl);
    return CONTAINER_OF(state->context, struct tls_server, context);
}

/* ---- which certificate ---- */

static SSL_CTX *server_find(const struct tls_server *server, struct slice name)
{
    SSL_CTX *ctx = map_get(&server->exact, name);
    if (ctx)
        return ctx;
    struct slice rest = name;
    slice_cut(&rest, '.');
    return rest.len ? map_get(&server->wildcard, rest) : NULL;
}

static int on_server_name(SSL *ssl, int *alert, void *ctx)
{
    (void)alert;
    (void)ctx;
    const struct tls_server *server = server_of(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name || server->n_ctxs == 1)
        return SSL_TLSEXT_ERR_OK;
    struct slice asked = slice_from(name);
    if (asked.len && asked.ptr[asked.len - 1] == '.')
        asked.len--;
    SSL_CTX *found = server_find(server, asked);
    if (found && found != server->context.ctx)
        SSL_set_SSL_CTX(ssl, found);
    return SSL_TLSEXT_ERR_OK;
}

struct naming {
    struct tls_server *server;
    SSL_CTX *ctx;
};

/* The first certificate of a name keeps it. */
static void on_name(void *ctx, struct slice name)
{
    const struct naming *naming = ctx;
    bool is_wildcard = slice_starts(name, SLICE("*."));
    struct map *map = is_wildcard ? &naming->server->wildcard : &naming->server->exact;
    struct slice key = is_wildcard ? slice_skip(name, 2) : name;
    if (key.len == 0 || key.len > TLS_NAME_MAX || map_get(map, key))
        return;
    char *own = slice_dup(key);
    map_put(map, slice_make(own, key.len), naming->ctx);
}

static void names_free(struct map *map)
{
    uint32_t cursor = 0;
    struct slice key;
    while (map_next(map, &cursor, &key)) {
        char *own;
        memcpy(&own, &key.ptr, sizeof(own)); /* made in on_name() */
        mem_free(own);
    }
    map_deinit(map);
}

/* ---- which protocol ---- */

/* In order of preference; HTTP/2 will stand before it. */
static const unsigned char protocols[] = "\x08http/1.1";

static int on_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
                       const unsigned char *offered, unsigned int len, void *ctx)
{
    (void)ssl;
    (void)ctx;
    unsigned char *found;
    int rc = SSL_select_next_proto(&found, ret_len, protocols, sizeof(protocols) - 1, offered, len);
    *ret_name = found;
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- tickets ---- */

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_new)
{
    const struct tls_state *state = SSL_get_app_data(ssl);
    struct loop *loop = state->conn->loop;
    uint64_t wall_s = loop_wall_ns(loop) / 1000000000u;
    int rc = tls_tickets_use(server_of(ssl)->tickets, loop_index(loop), wall_s, name, iv, cipher,
                             mac, is_new == 1);
    /* A client of TLS 1.3 shows each ticket once, RFC 8446 appendix C.4: it needs another one. */
    return rc == 1 && !is_new && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : rc;
}

/* ---- making one ---- */

static void server_destroy(struct tls_context *context)
{
    struct tls_server *server = CONTAINER_OF(context, struct tls_server, context);
    for (size_t i = 1; i < server->n_ctxs; i++)
        SSL_CTX_free(server->ctxs[i]);
    names_free(&server->exact);
    names_free(&server->wildcard);
    tls_tickets_destroy(&server->tickets);
    tls_context_deinit(context);
    mem_free(server->ctxs);
    mem_free(server);
}

void tls_server_destroy(struct tls_server **server)
{
    struct tls_server *old = *server;
    *server = NULL;
    if (old)
        tls_context_unref(&old->context);
}

static int setup(SSL_CTX *ctx, const struct tls_server_options *options, struct err *err)
{
    uint8_t id[TLS_HASH_BYTES];
    tls_hmac_sha256(SLICE("tls sessions of"), slice_from(options->name), id);
    SSL_CTX_set_session_id_context(ctx, id, sizeof(id));
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, TICKET_TURN_S);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_alpn_select_cb(ctx, on_protocol, NULL);
    tls_ctx_versions(ctx, (enum tls_versions)options->conf->versions);
    return tls_ctx_ciphers(ctx, options->conf->ciphers, err);
}

static int add_certificate(struct tls_server *server, size_t index,
                           const struct tls_server_options *options, struct err *err)
{
    const struct tls_cert_conf *cert = options->conf->certs.items[index];
    struct tls_identity identity;
    SSL_CTX *ctx = index == 0 ? server->context.ctx : tls_ctx_create(TLS_server_method());
    if (!ctx)
        return err_set(err, "cannot make a TLS context: %s", tls_error_text());
    server->ctxs[server->n_ctxs++] = ctx;
    if (tls_identity_read(options->bytes(options->bytes_ctx, cert->cert_blob),
                          options->bytes(options->bytes_ctx, cert->key_blob), &identity, err) < 0)
        return err_prefix(err, "%.*s", SLICE_ARG(cert->cert));
    int result = tls_identity_use(&identity, ctx, err);
    if (result < 0)
        err_prefix(err, "%.*s", SLICE_ARG(cert->cert));
    struct naming naming = {.server = server, .ctx = ctx};
    tls_identity_names(&identity, on_name, &naming);
    tls_identity_deinit(&identity);
    return result < 0 ? -1 : setup(ctx, options, err);
}

static int fill(struct tls_server *server, const struct tls_server_options *options,
                struct err *err)
{
    struct secrets secrets;
    if (secrets_parse(options->secret, &secrets, err) < 0)
        return err_prefix(err, "the secret");
    server->tickets = tls_tickets_create(&secrets, options->n_loops);
    for (size_t i = 0; i < options->conf->certs.n_items; i++) {
        if (add_certificate(server, i, options, err) < 0)
            return -1;
    }
    return 0;
}

struct tls_server *tls_server_create(const struct tls_server_options *options, struct err *err)
{
    uint64_t seed;
    struct tls_server *server = MEM_NEW(struct tls_server);
    tls_random(&seed, sizeof(seed));
    map_init(&server->exact, seed, true);
    map_init(&server->wildcard, seed, true);
    server->ctxs = MEM_NEW_ARRAY(SSL_CTX *, options->conf->certs.n_items);
    if (tls_context_init(&server->context, TLS_server_method(), server_destroy, err) < 0 ||
        fill(server, options, err) < 0)
        tls_server_destroy(&server);
    return server;
}

int tls_accept(struct conn *conn, const struct tls_server *server, struct err *err)
{
    struct tls_server *shared;
    memcpy(&shared, &server, sizeof(shared)); /* its count alone changes */
    struct tls_state *state = tls_state_create(conn, &shared->context, true);
    if (!state)
        return err_set(err, "no memory for TLS");
    tls_attach(state);
    return 0;
}
