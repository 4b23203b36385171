/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Between OpenSSL and the socket. A write always succeeds: what the kernel does not take is held
 * and counted, so that OpenSSL never has half a record of ours to remember. A read that came back
 * short has emptied the kernel; until the loop tells of more, it is not asked again.
 */

#include "base/mem.h"
#include "tls/internal.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static struct tls_state *state_of(BIO *bio)
{
    return BIO_get_data(bio);
}

/* ---- reading ---- */

static int bio_on_read(BIO *bio, char *buf, int len)
{
    struct tls_state *state = state_of(bio);
    struct conn *conn = state->conn;
    BIO_clear_retry_flags(bio);
    if (conn->is_drained && !conn->has_hangup && loop_io_is_armed(&conn->io)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t n = transport_plain.recv(conn, buf, (size_t)len);
    conn->is_drained = n == -EAGAIN || (n > 0 && n < len);
    if (n == -EAGAIN) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (n < 0)
        state->bio_error = (int)-n;
    state->is_eof = n == 0;
    return n < 0 ? -1 : (int)n;
}

/* ---- writing ---- */

static size_t out_len(const struct tls_state *state)
{
    return state->out ? state->out->end - state->out->off : 0;
}

static void out_free(struct tls_state *state)
{
    mem_free(state->out);
    state->out = NULL;
}

static void out_add(struct tls_state *state, const char *bytes, size_t len)
{
    enum { FIRST = 4096 };
    struct tls_out *out = state->out;
    if (!out || out->cap - out->end < len) {
        size_t old = out_len(state), cap = FIRST;
        while (cap < old + len)
            cap *= 2;
        struct tls_out *grown = mem_alloc(sizeof(*grown) + cap);
        grown->off = 0;
        grown->end = old;
        grown->cap = cap;
        if (old)
            memcpy(grown->bytes, out->bytes + out->off, old);
        out_free(state);
        state->out = out = grown;
    }
    memcpy(out->bytes + out->end, bytes, len);
    out->end += len;
}

/* A socket that still connects refuses bytes in one of these ways. */
static bool is_later(ssize_t error)
{
    return error == -EAGAIN || error == -ENOTCONN;
}

static ssize_t kernel_send(struct tls_state *state, const char *bytes, size_t len)
{
    struct iovec part = {.iov_len = len};
    memcpy(&part.iov_base, &bytes, sizeof(bytes)); /* never written to */
    ssize_t n = transport_plain.send(state->conn, &part, 1, state->is_more);
    if (n < 0 && !is_later(n))
        state->bio_error = (int)-n;
    return n;
}

int tls_bio_flush(struct tls_state *state)
{
    struct tls_out *out = state->out;
    while (out && out->off < out->end) {
        ssize_t n = kernel_send(state, out->bytes + out->off, out->end - out->off);
        if (n < 0) {
            state->conn->n_held = out->end - out->off;
            return is_later(n) ? -EAGAIN : (int)n;
        }
        out->off += (size_t)n;
    }
    out_free(state);
    state->conn->n_held = 0;
    return 0;
}

static int bio_on_write(BIO *bio, const char *bytes, int len)
{
    struct tls_state *state = state_of(bio);
    size_t sent = 0;
    BIO_clear_retry_flags(bio);
    if (state->bio_error || out_len(state) + (size_t)len > TLS_HELD_MAX)
        return -1;
    if (!state->out && !state->is_corked) {
        ssize_t n = kernel_send(state, bytes, (size_t)len);
        if (n < 0 && !is_later(n))
            return -1;
        sent = n > 0 ? (size_t)n : 0;
    }
    if (sent < (size_t)len)
        out_add(state, bytes + sent, (size_t)len - sent);
    if (!state->is_corked)
        state->conn->n_held = out_len(state);
    return len;
}

/* ---- the rest ---- */

static long bio_on_ctrl(BIO *bio, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (what) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return state_of(bio)->is_eof;
    default:
        return 0;
    }
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "weir");
    if (method && BIO_meth_set_read(method, bio_on_read) &&
        BIO_meth_set_write(method, bio_on_write) && BIO_meth_set_ctrl(method, bio_on_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}
