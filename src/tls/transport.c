/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A connection under TLS: the handshake step by step, reading until the kernel is empty, writing in
 * few records and one system call, and its end.
 */

#include "base/mem.h"
#include "tls/internal.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* ---- counting ---- */

static void count(const struct tls_state *state, enum tls_word word)
{
    if (state->words)
        metric_add(state->words, word, 1);
}

static void count_failure(const struct tls_state *state)
{
    if (!state->words)
        return;
    metric_sub(state->words, TLS_ACTIVE, 1);
    metric_add(state->words, TLS_FAILED_BY(state->failure), 1);
}

void tls_watch(struct conn *conn, metric_word *words)
{
    struct tls_state *state = tls_state_of(conn);
    assert(!state->is_done && !state->failure && !state->words);
    state->words = words;
    count(state, TLS_ACTIVE);
}

/* ---- the handshake ---- */

/* One that speaks HTTP in the clear reads this and understands it. */
static void answer_plain(struct tls_state *state)
{
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 38\r\nConnection: close\r\n\r\nthis port speaks TLS: ask with https\r\n";
    struct iovec part = {.iov_len = sizeof(answer) - 1};
    const char *bytes = answer;
    memcpy(&part.iov_base, &bytes, sizeof(bytes)); /* never written to */
    (void)transport_plain.send(state->conn, &part, 1, false);
    (void)transport_plain.shutdown(state->conn);
}

static int handshake_failed(struct tls_state *state)
{
    int rc = tls_failed(state);
    state->is_broken = true;
    if (state->is_server && state->failure == TLS_PLAIN)
        answer_plain(state);
    count_failure(state);
    state->end_error = rc;
    return rc;
}

static void handshake_done(struct tls_state *state)
{
    state->is_done = true;
    count(state, SSL_session_reused(state->ssl) ? TLS_RESUMED : TLS_FULL);
    if (state->words)
        metric_sub(state->words, TLS_ACTIVE, 1);
    if (state->resume)
        tls_resume_note(state->resume, state->ssl);
}

static int tls_handshake(struct conn *conn)
{
    struct tls_state *state = tls_state_of(conn);
    if (state->is_broken)
        return state->end_error;
    if (conn->n_held) {
        int rc = tls_bio_flush(state);
        if (rc < 0 && rc != -EAGAIN)
            return handshake_failed(state);
    }
    int rc = SSL_do_handshake(state->ssl);
    if (rc == 1) {
        handshake_done(state);
        return 0;
    }
    if (SSL_get_error(state->ssl, rc) == SSL_ERROR_WANT_READ && !state->bio_error)
        return -EAGAIN;
    return handshake_failed(state);
}

/* ---- reading ---- */

/* What SSL_read() said instead of bytes: 0 the end, -EAGAIN, -errno. */
static int read_verdict(struct tls_state *state)
{
    int error = SSL_get_error(state->ssl, 0);
    if (error == SSL_ERROR_WANT_READ && !state->bio_error)
        return -EAGAIN;
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    int rc = state->bio_error ? -state->bio_error : state->is_eof ? -ECONNRESET : -EPROTO;
    if (!state->reason)
        state->reason = state->is_eof ? "closed without close_notify" : NULL;
    state->is_broken = true;
    ERR_clear_error();
    return rc;
}

static ssize_t tls_recv(struct conn *conn, void *buf, size_t len)
{
    struct tls_state *state = tls_state_of(conn);
    if (conn->is_connecting) {
        int rc = tls_handshake(conn);
        if (rc < 0)
            return rc;
        conn->is_connecting = false;
    }
    if (state->is_ended)
        return state->end_error;
    size_t total = 0;
    while (total < len) {
        size_t n = 0;
        if (SSL_read_ex(state->ssl, (char *)buf + total, len - total, &n) == 1) {
            total += n;
            if (conn->is_drained && !SSL_has_pending(state->ssl))
                break;
            continue;
        }
        int rc = read_verdict(state);
        if (rc == -EAGAIN)
            break;
        state->is_ended = true;
        state->end_error = rc;
        if (total == 0)
            return rc;
        conn_again(conn, LOOP_READ); /* the end is told by an event of its own */
        break;
    }
    return total ? (ssize_t)total : -EAGAIN;
}

static int tls_is_stale(struct conn *conn)
{
    struct tls_state *state = tls_state_of(conn);
    char byte;
    size_t n;
    if (conn->is_connecting || state->is_ended)
        return 1;
    conn->is_drained = false;
    if (SSL_peek_ex(state->ssl, &byte, 1, &n) == 1)
        return 1;
    return read_verdict(state) == -EAGAIN ? 0 : 1;
}

/* ---- writing ---- */

/* Where the next record begins: a part, and an offset in it. */
struct walk {
    const struct iovec *parts;
    int n_parts;
    size_t off;
    size_t left; /* bytes in all parts from here on */
};

static void walk_skip(struct walk *walk, size_t len)
{
    walk->left -= len;
    walk->off += len;
    while (walk->n_parts > 0 && walk->off >= walk->parts->iov_len) {
        walk->off -= walk->parts->iov_len;
        walk->parts++;
        walk->n_parts--;
    }
}

/* The next len bytes in one piece: where they lie, or put together in room. */
static const char *walk_piece(const struct walk *walk, size_t len, char *room)
{
    const struct iovec *part = walk->parts;
    const char *first = (const char *)part->iov_base + walk->off;
    size_t here = part->iov_len - walk->off;
    if (here >= len)
        return first;
    memcpy(room, first, here);
    for (size_t done = here; done < len;) {
        part++;
        size_t n = len - done < part->iov_len ? len - done : part->iov_len;
        memcpy(room + done, part->iov_base, n);
        done += n;
    }
    return room;
}

/* An answer that is short, or well under way, needs no small records. */
static size_t record_size(struct tls_state *state, size_t left)
{
    size_t max = TLS_RECORD_MAX;
    if (state->n_begun < TLS_FIRST_BYTES && state->n_begun + left > TLS_FIRST_FLIGHT)
        max = TLS_RECORD_FIRST;
    return left < max ? left : max;
}

static void note_begin(struct tls_state *state)
{
    uint64_t now_ns = loop_now_ns(state->conn->loop);
    if (now_ns - state->sent_at_ns > (uint64_t)TLS_IDLE_MS * 1000000u)
        state->n_begun = 0;
    state->sent_at_ns = now_ns;
}

static int write_record(struct tls_state *state, struct walk *walk)
{
    char room[TLS_RECORD_MAX];
    size_t len = record_size(state, walk->left), n = 0;
    const char *piece = walk_piece(walk, len, room);
    if (SSL_write_ex(state->ssl, piece, len, &n) != 1) {
        int rc = state->bio_error ? -state->bio_error : -EPROTO;
        state->is_broken = true;
        ERR_clear_error();
        return rc;
    }
    if (state->n_begun < TLS_FIRST_BYTES)
        state->n_begun += (uint32_t)n;
    walk_skip(walk, n);
    return 0;
}

/* Records for up to TLS_BATCH bytes, then one call of the kernel for all of them. */
static int write_batch(struct tls_state *state, struct walk *walk, bool has_more)
{
    size_t end = walk->left > TLS_BATCH ? walk->left - TLS_BATCH : 0;
    int rc = 0;
    state->is_corked = record_size(state, walk->left) < walk->left;
    state->is_more = has_more || end > 0;
    while (rc == 0 && walk->left > end)
        rc = write_record(state, walk);
    bool was_corked = state->is_corked;
    state->is_corked = false;
    if (was_corked && rc == 0)
        rc = tls_bio_flush(state);
    state->is_more = false;
    return rc;
}

static ssize_t tls_send(struct conn *conn, const struct iovec *parts, int n_parts, bool has_more)
{
    struct tls_state *state = tls_state_of(conn);
    if (conn->is_connecting || conn->n_held)
        return -EAGAIN;
    if (state->is_broken || state->has_notified)
        return -EPIPE;
    struct walk walk = {.parts = parts, .n_parts = n_parts};
    for (int i = 0; i < n_parts; i++)
        walk.left += parts[i].iov_len;
    size_t total = walk.left;
    walk_skip(&walk, 0);
    note_begin(state);
    while (walk.left && !conn->n_held) {
        int rc = write_batch(state, &walk, has_more);
        if (rc < 0 && rc != -EAGAIN)
            return rc;
    }
    return (ssize_t)(total - walk.left);
}

static int tls_flush(struct conn *conn)
{
    struct tls_state *state = tls_state_of(conn);
    int rc = tls_bio_flush(state);
    if (rc < 0 && rc != -EAGAIN)
        state->is_broken = true;
    return rc;
}

/* ---- the end ---- */

static void notify(struct tls_state *state)
{
    if (!state->is_done || state->is_broken || state->has_notified || state->out)
        return;
    state->has_notified = true;
    (void)SSL_shutdown(state->ssl);
    ERR_clear_error();
}

static int tls_shutdown(struct conn *conn)
{
    notify(tls_state_of(conn));
    return transport_plain.shutdown(conn);
}

static void tls_deinit(struct conn *conn)
{
    struct tls_state *state = tls_state_of(conn);
    if (!conn->is_aborted && !conn_pending(conn))
        notify(state);
    if (!state->is_done && !state->failure) {
        state->failure = TLS_LATE;
        count_failure(state);
    }
    tls_state_destroy(state);
    conn->transport_state = NULL;
}

static void tls_moved(struct conn *conn)
{
    tls_state_of(conn)->conn = conn;
}

static const char *tls_reason(const struct conn *conn)
{
    return tls_state_of(conn)->reason;
}

const struct transport transport_tls = {
    .name = "tls",
    .recv = tls_recv,
    .send = tls_send,
    .shutdown = tls_shutdown,
    .deinit = tls_deinit,
    .is_stale = tls_is_stale,
    .handshake = tls_handshake,
    .flush = tls_flush,
    .moved = tls_moved,
    .reason = tls_reason,
};

/* ---- a connection's state ---- */

struct tls_state *tls_state_create(struct conn *conn, struct tls_context *context, bool is_server)
{
    struct tls_state *state = MEM_NEW(struct tls_state);
    state->conn = conn;
    state->is_server = is_server;
    state->context = tls_context_ref(context);
    state->ssl = SSL_new(context->ctx);
    BIO *bio = state->ssl ? BIO_new(context->bio) : NULL;
    if (!bio) {
        ERR_clear_error();
        tls_state_destroy(state);
        return NULL;
    }
    BIO_set_data(bio, state);
    BIO_set_init(bio, 1);
    SSL_set_bio(state->ssl, bio, bio);
    SSL_set_app_data(state->ssl, state);
    if (is_server)
        SSL_set_accept_state(state->ssl);
    else
        SSL_set_connect_state(state->ssl);
    return state;
}

void tls_state_destroy(struct tls_state *state)
{
    if (state->ssl) {
        /* Otherwise OpenSSL would take the session for one that must not be used again. */
        SSL_set_shutdown(state->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(state->ssl);
    }
    tls_resume_unref(&state->resume);
    tls_context_unref(state->context);
    mem_free(state->out);
    mem_free(state);
}

void tls_attach(struct tls_state *state)
{
    struct conn *conn = state->conn;
    assert(conn->transport == &transport_plain && !conn->pending);
    conn->transport = &transport_tls;
    conn->transport_state = state;
    conn->is_connecting = true;
}

enum tls_failure tls_failure(const struct conn *conn)
{
    return conn->transport == &transport_tls ? (enum tls_failure)tls_state_of(conn)->failure
                                             : TLS_FINE;
}

bool tls_is_resumed(const struct conn *conn)
{
    return conn->transport == &transport_tls && SSL_session_reused(tls_state_of(conn)->ssl);
}

const char *tls_version(const struct conn *conn)
{
    if (conn->transport != &transport_tls || !tls_state_of(conn)->is_done)
        return NULL;
    return SSL_get_version(tls_state_of(conn)->ssl);
}
