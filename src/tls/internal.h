/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_INTERNAL_H
#define TLS_INTERNAL_H

/*
 * The parts of this folder among themselves, and the only header that knows OpenSSL:
 *
 *     transport.c  a connection: reading, writing, ending
 *     context.c    what servers and clients have in common
 *     bio.c        between OpenSSL and the socket, and what the kernel did not take
 *     failure.c    why a handshake failed
 *     server.c     contexts by certificate, chosen by name
 *     ticket.c     keys of tickets, turning with time
 *     client.c     contexts for members, sessions kept for the next connection
 *     pem.c        certificates and keys from bytes of a file
 *
 * OpenSSL's queue of errors belongs to the thread. It is empty whenever one of these functions
 * returns, so that nobody reads what another call left there.
 */

#include "core/secret.h"
#include "tls/tls.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_RECORD_MAX = 16384,     /* RFC 8446 section 5.1 */
    TLS_RECORD_FIRST = 4096,    /* while an answer of an idle connection begins, ... */
    TLS_FIRST_BYTES = 16384,    /* ... for so many bytes, ... */
    TLS_FIRST_FLIGHT = 14000,   /* ... unless all of it fits the first window of TCP */
    TLS_IDLE_MS = 1000,         /* a connection that sent nothing for so long begins anew */
    TLS_BATCH = 65536,          /* given to the kernel in one call */
    TLS_HELD_MAX = 1024 * 1024, /* bytes that the kernel did not take; more breaks the connection */
};

/* Bytes of records on their way to the kernel. */
struct tls_out {
    size_t off, end, cap;
    char bytes[];
};

/*
 * What a server or a client is to its connections: counted, as they may outlive it, in whatever
 * thread they end.
 */
struct tls_context {
    _Atomic uint32_t n_refs;
    SSL_CTX *ctx; /* for SSL_new() */
    BIO_METHOD *bio;
    void (*destroy)(struct tls_context *context); /* of the last reference */
};

struct tls_state {
    SSL *ssl;
    struct conn *conn;
    struct tls_context *context; /* a reference */
    struct tls_out *out;         /* what waits, or is being put together; NULL: nothing */
    struct tls_resume *resume;   /* clients; NULL: none */
    metric_word *words;          /* NULL: nobody counts */
    const char *reason;          /* of the failure */
    uint64_t sent_at_ns;         /* the last time */
    uint32_t n_begun;            /* bytes since it was idle, up to TLS_FIRST_BYTES */
    int end_error;   /* is_ended: what recv returns, 0 or -errno; of a handshake that failed */
    int bio_error;   /* errno of the socket, 0: none */
    uint8_t failure; /* enum tls_failure */
    bool is_server;
    bool is_done;      /* the handshake */
    bool is_broken;    /* nothing more is said on it, not even close_notify */
    bool is_corked;    /* records are put together in out */
    bool is_more;      /* further bytes follow at once */
    bool is_ended;     /* recv has seen the end, or an error */
    bool is_eof;       /* the kernel said so */
    bool has_notified; /* close_notify is out */
};

static inline struct tls_state *tls_state_of(const struct conn *conn)
{
    return conn->transport_state;
}

/* A connection's state, not yet on it: NULL for want of memory. */
struct tls_state *tls_state_create(struct conn *conn, struct tls_context *context, bool is_server);
void tls_state_destroy(struct tls_state *state);
/* Puts it, and with it the transport, on the connection. */
void tls_attach(struct tls_state *state);

/* Before the first call of OpenSSL in a process: nothing of the machine's openssl.cnf is in force,
 * so that who checks a file and who serves with it come to the same. Cheap when it was called. */
static inline void tls_begin(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

/* --- context.c -------------------------------------------------------------------------------- */

/* One reference, ctx as servers and clients have it alike. 0, or -1 with err. */
int tls_context_init(struct tls_context *context, const SSL_METHOD *method,
                     void (*destroy)(struct tls_context *context), struct err *err);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context);
/* Frees ctx and bio; for destroy(). */
void tls_context_deinit(struct tls_context *context);
SSL_CTX *tls_ctx_create(const SSL_METHOD *method);
/* `ciphers`: names of TLS 1.3 and of 1.2 in one list; empty: the default. 0, or -1 with err. */
int tls_ctx_ciphers(SSL_CTX *ctx, struct slice ciphers, struct err *err);
void tls_ctx_versions(SSL_CTX *ctx, enum tls_versions versions);

/* --- bio.c ------------------------------------------------------------------------------------ */

/* The kind of BIO, made once a context; each connection has one of it, whose data is its struct
 * tls_state. NULL for want of memory. */
BIO_METHOD *tls_bio_method(void);
/* Gives what waits to the kernel: 0 all gone, -EAGAIN, -errno. */
int tls_bio_flush(struct tls_state *state);

/* --- failure.c -------------------------------------------------------------------------------- */

/* After SSL_do_handshake() failed for good: fills state->failure and state->reason, empties the
 * queue of errors, and returns -errno. */
int tls_failed(struct tls_state *state);
/* The newest error of the queue as a sentence, which it empties. */
const char *tls_error_text(void);

/* --- pem.c ------------------------------------------------------------------------------------ */

struct tls_identity {
    X509 *leaf;
    STACK_OF(X509) * chain; /* the rest, in the file's order; NULL: none */
    EVP_PKEY *key;
};

/*
 * The first certificate of a PEM file, those behind it, and the key; other blocks mean nothing. 0,
 * or -1 with err: no certificate, no key, a key with a passphrase, one that is not the
 * certificate's.
 */
int tls_identity_read(struct slice cert, struct slice key, struct tls_identity *ret_identity,
                      struct err *err);
void tls_identity_deinit(struct tls_identity *identity);
/* Is there a first certificate that can be read? 0, or -1 with err, as there. */
int tls_chain_check(struct slice cert, struct err *err);
/* What is wrong with its dates today, as a sentence; "" where nothing is. */
enum { TLS_DATES_TEXT = 128 };
const char *tls_identity_dates(const struct tls_identity *identity, char text[TLS_DATES_TEXT]);
int tls_identity_use(const struct tls_identity *identity, SSL_CTX *ctx, struct err *err);
/* Calls fn with each DNS name of the certificate, as it stands there. */
void tls_identity_names(const struct tls_identity *identity,
                        void (*fn)(void *ctx, struct slice name), void *ctx);
/* Adds all certificates of a PEM file to the store. 0, or -1 with err: there is none. */
int tls_authorities_read(struct slice bytes, X509_STORE *store, struct err *err);

/* --- ticket.c --------------------------------------------------------------------------------- */

enum { TICKET_TURN_S = 12 * 3600, TICKET_NAME_BYTES = 16, TICKET_CIPHER_BYTES = 32 };

struct tls_tickets; /* of one server: a ring of keys a loop, each that loop's alone */

struct tls_tickets *tls_tickets_create(const struct secrets *secrets, uint32_t n_loops);
void tls_tickets_destroy(struct tls_tickets **tickets);
/* SSL_CTX_set_tlsext_ticket_key_evp_cb's, in a loop at a time. 1 fine, 2 fine and worth a newer
 * one, 0 unknown, -1 failed. */
int tls_tickets_use(struct tls_tickets *tickets, uint32_t loop_index, uint64_t wall_s,
                    unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, bool is_new);

/* --- client.c --------------------------------------------------------------------------------- */

/* A handshake is done: a ticket of TLS 1.2 that replaces another one is told by nothing else. */
void tls_resume_note(struct tls_resume *resume, SSL *ssl);

#endif
