/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is the same for servers and clients: versions, ciphers, groups, modes.
 */

#include "base/mem.h"
#include "base/text.h"
#include "tls/internal.h"
#include <stdatomic.h>

#define GROUPS "X25519:P-256:P-384"
#define CIPHERS_12                                               \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* 112 bits: RSA from 2048 bits on, no SHA-1 in signatures. SSL_CTX_set_security_level(3). */
enum { SECURITY_LEVEL = 2 };

SSL_CTX *tls_ctx_create(const SSL_METHOD *method)
{
    tls_begin();
    char groups[] = GROUPS; /* not const, as the macro below casts it to a pointer that is not */
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx)
        return NULL;
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    /* Buffers only while bytes are in them; several records may be taken in a call, or fewer; what
     * is repeated may lie elsewhere; one read of the kernel for many records. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (SSL_CTX_set1_groups_list(ctx, groups) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

int tls_context_init(struct tls_context *context, const SSL_METHOD *method,
                     void (*destroy)(struct tls_context *context), struct err *err)
{
    atomic_init(&context->n_refs, 1);
    context->destroy = destroy;
    tls_begin();
    context->bio = tls_bio_method();
    context->ctx = tls_ctx_create(method);
    if (!context->bio || !context->ctx)
        return err_set(err, "cannot make a TLS context: %s", tls_error_text());
    return 0;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->n_refs, 1, memory_order_relaxed);
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (atomic_fetch_sub_explicit(&context->n_refs, 1, memory_order_acq_rel) == 1)
        context->destroy(context);
}

void tls_context_deinit(struct tls_context *context)
{
    SSL_CTX_free(context->ctx);
    BIO_meth_free(context->bio);
}

void tls_ctx_versions(SSL_CTX *ctx, enum tls_versions versions)
{
    SSL_CTX_set_min_proto_version(ctx,
                                  versions == TLS_VERSIONS_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(ctx,
                                  versions == TLS_VERSIONS_12 ? TLS1_2_VERSION : TLS1_3_VERSION);
}

static void list_add(struct text *list, struct slice name)
{
    if (list->len)
        text_append_char(list, ':');
    text_append(list, name);
}

int tls_ctx_ciphers(SSL_CTX *ctx, struct slice ciphers, struct err *err)
{
    struct text old = TEXT_NONE, new = TEXT_NONE;
    for (struct slice rest = ciphers; rest.len;) {
        struct slice name = slice_cut(&rest, ':');
        if (name.len)
            list_add(slice_starts(name, SLICE("TLS_")) ? &new : &old, name);
    }
    int result = 0;
    if (SSL_CTX_set_cipher_list(ctx, old.len ? text_cstr(&old) : CIPHERS_12) != 1)
        result = err_set(err, "no cipher of TLS 1.2 is called \"%s\"", text_cstr(&old));
    else if (SSL_CTX_set_ciphersuites(ctx, new.len ? text_cstr(&new) : CIPHERS_13) != 1)
        result = err_set(err, "no cipher of TLS 1.3 is called \"%s\"", text_cstr(&new));
    ERR_clear_error();
    text_deinit(&old);
    text_deinit(&new);
    return result;
}
