/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

/*
 * TLS 1.2 (RFC 5246) and 1.3 (RFC 8446) over a struct conn, by OpenSSL 3. Nothing outside this
 * folder includes a header of OpenSSL.
 *
 *     words + bytes of files --> struct tls_server  (a listen of a snapshot; all loops share it)
 *                                struct tls_client  (a pool of a snapshot; likewise)
 *
 *     conn_open_lazily(); tls_accept(conn, server)       conn_connect(); tls_connect(conn, client)
 *                  \                                        /
 *                   conn->is_connecting until the handshake is done, then a conn like any other
 *
 * Made in prepare, where it may fail with a sentence; commit only swaps pointers. A connection
 * keeps what it was accepted or connected with for as long as it lives: destroying a tls_server
 * or a tls_client takes away nothing from those that are there.
 *
 * Servers. The first certificate is the one for clients that name nobody or somebody unknown; the
 * others are chosen by the names in the certificates themselves (subjectAltName), exact names
 * before wildcards, the first in the file before later ones. ALPN (RFC 7301): http/1.1; a client
 * that speaks none of ours is refused. No renegotiation, no compression, no session cache: sessions
 * are resumed by tickets (RFC 5077, RFC 8446 section 4.6.1) that any loop, any node and any later
 * life can read:
 *
 *     key of a ticket = HKDF(secret, "tls ticket N"), N the half day since 1970
 *     made with       the first secret and this half day
 *     accepted from   every secret, this half day, the one before and the one after (clocks differ)
 *
 * Clients. The member's certificate must be signed by an authority of `ca` (the system's where none
 * is given) and bear the member's name; `verify off` asks for neither. Sessions are kept in a
 * struct tls_resume, which whoever connects to one place again and again holds in its loop.
 *
 * Reading. SSL_read straight into the caller's buffer until the kernel is empty, so that a short
 * read means here what it means on a plain socket. The end without close_notify is -ECONNRESET,
 * never 0: a body that ends with the connection has then been cut (RFC 9112 section 9.8).
 *
 * Writing. What is handed over in one call becomes few records and one system call: small parts are
 * put together, and a long answer of a connection that was idle begins with records of 4 KB, which
 * a client can use before 16 KB are there. Records that the kernel does not take are held here and
 * count in conn_pending().
 *
 * Metrics. A connection counts in TLS_WORDS words of its owner's row, see tls_watch().
 */

#include "base/err.h"
#include "base/slice.h"
#include "core/metric.h"
#include "net/conn.h"
#include "tls/conf.h"
#include <stdbool.h>
#include <stdint.h>

/* Why a handshake failed. */
enum tls_failure {
    TLS_FINE,
    TLS_LATE,      /* given up before it was done: time-out, or a stop */
    TLS_CLOSED,    /* the peer went away */
    TLS_PLAIN,     /* a request in the clear */
    TLS_VERSION,   /* no version in common */
    TLS_CIPHER,    /* no cipher, group or signature algorithm in common */
    TLS_PROTOCOL,  /* no protocol in common (ALPN) */
    TLS_ALERT,     /* the peer refused, and said so */
    TLS_UNTRUSTED, /* the peer's certificate did not pass */
    TLS_MALFORMED, /* bytes that are no TLS, or wrong */
    TLS_N_FAILURES
};

enum tls_word {
    TLS_FULL,    /* handshakes done with a key exchange and certificate */
    TLS_RESUMED, /* handshakes done with a ticket */
    TLS_ACTIVE,  /* gauge: handshakes under way */
    TLS_FAILED,  /* TLS_FAILED_BY(reason) */
    TLS_WORDS = TLS_FAILED + TLS_N_FAILURES - 1
};
#define TLS_FAILED_BY(failure) ((uint32_t)TLS_FAILED + (uint32_t)(failure)-1)

/* Rows for a struct metric_table whose words from `first` on are these. */
#define TLS_METRIC_DEFS(first)                                \
    TLS_METRIC_DONE((first) + TLS_FULL, "full"),              \
        TLS_METRIC_DONE((first) + TLS_RESUMED, "resumed"),    \
        {.name = "tls_handshakes_active",                     \
         .type = METRIC_GAUGE,                                \
         .word = (first) + TLS_ACTIVE,                        \
         .help = "TLS handshakes under way."},                \
        TLS_METRIC_FAILED(first, TLS_LATE, "late"),           \
        TLS_METRIC_FAILED(first, TLS_CLOSED, "closed"),       \
        TLS_METRIC_FAILED(first, TLS_PLAIN, "plain"),         \
        TLS_METRIC_FAILED(first, TLS_VERSION, "version"),     \
        TLS_METRIC_FAILED(first, TLS_CIPHER, "cipher"),       \
        TLS_METRIC_FAILED(first, TLS_PROTOCOL, "protocol"),   \
        TLS_METRIC_FAILED(first, TLS_ALERT, "alert"),         \
        TLS_METRIC_FAILED(first, TLS_UNTRUSTED, "untrusted"), \
        TLS_METRIC_FAILED(first, TLS_MALFORMED, "malformed")
#define TLS_METRIC_DONE(at, how)                                                         \
    {                                                                                    \
        .name = "tls_handshakes", .type = METRIC_COUNTER, .word = (at), .label = "kind", \
        .label_value = (how), .help = "TLS handshakes done."                             \
    }
#define TLS_METRIC_FAILED(first, failure, why)                                             \
    {                                                                                      \
        .name = "tls_handshakes_failed", .type = METRIC_COUNTER,                           \
        .word = (first) + TLS_FAILED_BY(failure), .label = "reason", .label_value = (why), \
        .help = "TLS handshakes that failed."                                              \
    }

/* --- servers ---------------------------------------------------------------------------------- */

struct tls_server;

struct tls_server_options {
    const struct tls_server_conf *conf; /* needed during the call alone */
    const char *name;                   /* "listen:shop": sessions are good for this name alone */
    struct slice secret;                /* bytes of BLOB_SECRET, copied */
    /* The bytes of a file by the name of its blob; empty where there is none. */
    struct slice (*bytes)(void *bytes_ctx, const char *name);
    void *bytes_ctx;
    uint32_t n_loops; /* of the process */
};

/* NULL with err where a file is not what it should be, or nothing of `ciphers` is known. */
struct tls_server *tls_server_create(const struct tls_server_options *options, struct err *err);
void tls_server_destroy(struct tls_server **server);

/* Right behind conn_open() or conn_open_lazily(). 0, or -1 with err for want of memory. */
int tls_accept(struct conn *conn, const struct tls_server *server, struct err *err);

/* --- clients ---------------------------------------------------------------------------------- */

struct tls_client;

struct tls_client_options {
    const struct tls_client_conf *conf;                       /* needed during the call alone */
    struct slice (*bytes)(void *bytes_ctx, const char *name); /* as for servers */
    void *bytes_ctx;
};

struct tls_client *tls_client_create(const struct tls_client_options *options, struct err *err);
void tls_client_destroy(struct tls_client **client);
/* Do both ask the same of a member and show it the same? NULL is plain. Only then may a connection
 * of the one be used for the other. */
bool tls_client_is_same(const struct tls_client *a, const struct tls_client *b);

/* The last session with one place; one loop's. Connections hold references of their own. */
struct tls_resume;
struct tls_resume *tls_resume_create(void);
struct tls_resume *tls_resume_ref(struct tls_resume *resume);
void tls_resume_unref(struct tls_resume **resume);

/*
 * Right behind conn_connect(). server_name is a host name (sent as SNI, RFC 6066 section 3) or an
 * IP address (not sent), compared with the certificate unless verification is off; empty only
 * then. resume may be NULL. 0, or -1 with err for want of memory or for a name that is none.
 */
int tls_connect(struct conn *conn, const struct tls_client *client, struct slice server_name,
                struct tls_resume *resume, struct err *err);

/* Does the connection ask of its peer what `client` asks, and show it the same? NULL: plain. */
bool tls_is_of(const struct conn *conn, const struct tls_client *client);
/*
 * For an idle connection that goes from loop to loop (conn_leave(), conn_join()): what it holds of
 * the old one's, in that one's thread with NULL, or of the new one's. Nothing for a plain one.
 */
void tls_resume_use(struct conn *conn, struct tls_resume *resume);

/* --- both ------------------------------------------------------------------------------------- */

/* Counts this connection's handshake in words[0..TLS_WORDS): right behind tls_accept() or
 * tls_connect(). The words outlive the handshake; a connection that is closed lets go of them. */
void tls_watch(struct conn *conn, metric_word *words);
/* Why the handshake failed; TLS_FINE while it has not, and for a plain connection. conn_reason()
 * has the sentence. */
enum tls_failure tls_failure(const struct conn *conn);
/* Was the handshake done with a ticket? */
bool tls_is_resumed(const struct conn *conn);
/* "TLSv1.3", for the access log; NULL for a plain connection or before the handshake is done. */
const char *tls_version(const struct conn *conn);

extern const struct transport transport_tls;

#endif
