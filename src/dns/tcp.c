/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections of DNS over TCP: bytes are taken, cut into queries, answered in order.
 */

#include "dns/tcp.h"

#include "base/mem.h"
#include "dns/count.h"
#include "net/conn.h"
#include <assert.h>
#include <string.h>
#include <unistd.h>

enum {
    LENGTH_BYTES = 2,
    READ_BYTES = 16 * 1024, /* a round */
    OUTPUT_BYTES = 2 * (LENGTH_BYTES + DNS_MESSAGE_MAX),
    REST_FIRST = 512,
};

#define CLOSING_IDLE_NS UINT64_C(500000000)

struct tcp_output {
    size_t len;
    uint8_t bytes[OUTPUT_BYTES];
};

/* Queries that were read and not answered yet: the last, or all of them, cut anywhere. */
struct rest {
    uint8_t *bytes;
    size_t len, cap;
};

enum tcp_state { TCP_IDLE, TCP_QUERY, TCP_SEND };

struct tcp_conn {
    struct list node; /* of dns_tcp.conns */
    struct dns_tcp *tcp;
    struct conn conn;
    struct loop_timer timer;
    struct addr peer;
    struct rest rest;
    uint64_t n_queries;
    enum tcp_state state;
    bool has_ended; /* the peer sends no more */
};

struct tcp_output *tcp_output_create(void)
{
    return MEM_NEW(struct tcp_output);
}

static void count(const struct dns_tcp *tcp, uint32_t word)
{
    metric_add(tcp->desk->row, word, 1);
}

/* ---- the life of a connection ---- */

static void tcp_conn_destroy(struct tcp_conn *self)
{
    struct dns_tcp *tcp = self->tcp;
    loop_timer_clear(tcp->loop, &self->timer);
    conn_close(&self->conn);
    list_remove(&self->node);
    metric_sub(tcp->desk->row, DNS_WORD_CONNECTIONS_ACTIVE, 1);
    mem_free(self->rest.bytes);
    mem_free(self);
}

/* Each state has a time of its own, which begins when it does; an idle one begins anew with each
 * query. */
static void set_state(struct tcp_conn *self, enum tcp_state state)
{
    const struct tcp_limits *limits = &self->tcp->limits;
    uint64_t now_ns = loop_now_ns(self->tcp->loop);
    if (state == self->state && state != TCP_IDLE)
        return;
    self->state = state;
    uint64_t wait_ns = limits->query_ns;
    if (state == TCP_SEND)
        wait_ns = limits->send_ns;
    else if (state == TCP_IDLE)
        wait_ns = self->tcp->is_closing && limits->idle_ns > CLOSING_IDLE_NS ? CLOSING_IDLE_NS
                                                                             : limits->idle_ns;
    loop_timer_set(self->tcp->loop, &self->timer, now_ns + wait_ns);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct tcp_conn *self = CONTAINER_OF(timer, struct tcp_conn, timer);
    static const uint32_t words[] = {
        [TCP_IDLE] = DNS_WORD_LATE_IDLE,
        [TCP_QUERY] = DNS_WORD_LATE_QUERY,
        [TCP_SEND] = DNS_WORD_LATE_SEND,
    };
    count(self->tcp, words[self->state]);
    tcp_conn_destroy(self);
}

/* ---- answering ---- */

/* The length of the query at the front of len bytes, its own two included; 0: it is not whole. */
static size_t whole_query(const uint8_t *bytes, size_t len)
{
    size_t need = len < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + (size_t)dns_get16(bytes);
    return len < LENGTH_BYTES || len < need ? 0 : need;
}

/* 0 or -errno. */
static int flush(struct tcp_conn *self)
{
    struct tcp_output *output = self->tcp->output;
    size_t len = output->len;
    output->len = 0;
    metric_add(self->tcp->desk->row, DNS_WORD_BYTES_OUT, len);
    return len ? conn_send(&self->conn, output->bytes, len, false) : 0;
}

/* One query into the output. 0 or -errno. */
static int answer(struct tcp_conn *self, struct slice packet)
{
    struct dns_tcp *tcp = self->tcp;
    struct tcp_output *output = tcp->output;
    const struct desk_ask ask = {
        .packet = packet,
        .from = &self->peer,
        .is_tcp = true,
        .is_closing = tcp->is_closing || self->n_queries + 1 >= tcp->limits.queries,
        .now_ms = loop_now_ns(tcp->loop) / 1000000,
        .wall_s = (uint32_t)(loop_wall_ns(tcp->loop) / 1000000000),
    };
    uint8_t *at = output->bytes + output->len;
    size_t len = desk_answer(tcp->desk, &ask, at + LENGTH_BYTES);
    self->n_queries++;
    count(tcp, DNS_WORD_TCP);
    metric_add(tcp->desk->row, DNS_WORD_BYTES_IN, packet.len);
    if (len == 0)
        return 0;
    dns_put16(at, (uint16_t)len);
    output->len += LENGTH_BYTES + len;
    return output->len > OUTPUT_BYTES / 2 ? flush(self) : 0;
}

static bool is_spent(const struct tcp_conn *self)
{
    return self->n_queries >= self->tcp->limits.queries;
}

/* May further answers wait for the peer? */
static bool has_room(const struct tcp_conn *self)
{
    const struct dns_tcp *tcp = self->tcp;
    return conn_pending(&self->conn) + tcp->output->len < tcp->limits.output_bytes;
}

/*
 * Answers whole queries at the front of the bytes, until the peer has enough to take or has had its
 * turn. Returns the bytes consumed, or -errno.
 */
static ssize_t answer_all(struct tcp_conn *self, const uint8_t *bytes, size_t len, uint32_t *budget)
{
    size_t done = 0, n;
    while (*budget > 0 && !is_spent(self) && has_room(self) &&
           (n = whole_query(bytes + done, len - done)) > 0) {
        int rc =
            answer(self, slice_make((const char *)bytes + done + LENGTH_BYTES, n - LENGTH_BYTES));
        if (rc < 0)
            return rc;
        done += n;
        --*budget;
    }
    int rc = flush(self);
    return rc < 0 ? rc : (ssize_t)done;
}

/* ---- reading ---- */

static void rest_append(struct rest *rest, const uint8_t *bytes, size_t len)
{
    size_t cap = rest->cap ? rest->cap : REST_FIRST;
    while (cap < rest->len + len)
        cap *= 2;
    if (cap != rest->cap) {
        rest->bytes = mem_realloc(rest->bytes, cap);
        rest->cap = cap;
    }
    memcpy(rest->bytes + rest->len, bytes, len);
    rest->len += len;
}

static void rest_drop(struct rest *rest, size_t len)
{
    assert(len <= rest->len);
    memmove(rest->bytes, rest->bytes + len, rest->len - len);
    rest->len -= len;
    if (rest->len == 0) {
        mem_free(rest->bytes);
        *rest = (struct rest){.bytes = NULL};
    }
}

/* Answers what was read earlier. 0 or -errno. */
static int answer_rest(struct tcp_conn *self, uint32_t *budget)
{
    ssize_t n = answer_all(self, self->rest.bytes, self->rest.len, budget);
    if (n > 0)
        rest_drop(&self->rest, (size_t)n);
    return n < 0 ? (int)n : 0;
}

/* One read, behind the rest where there is one. >0 go on, 0 the peer has ended, -errno. */
static ssize_t read_some(struct tcp_conn *self, uint32_t *budget)
{
    uint8_t *buf = (uint8_t *)loop_buf(self->tcp->loop);
    ssize_t got = conn_recv(&self->conn, buf, READ_BYTES);
    if (got <= 0)
        return got;
    ssize_t done = 0;
    if (self->rest.len == 0)
        done = answer_all(self, buf, (size_t)got, budget);
    if (done < 0)
        return done;
    if (done < got)
        rest_append(&self->rest, buf + done, (size_t)(got - done));
    return got;
}

/* 0: nothing more to do now; 1: another turn is due; -errno: broken, or over. */
static int work(struct tcp_conn *self)
{
    uint32_t budget = self->tcp->limits.pipelined;
    for (;;) {
        if (self->rest.len && answer_rest(self, &budget) < 0)
            return -EPIPE;
        if (conn_pending(&self->conn) > 0) {
            count(self->tcp, DNS_WORD_WAITED);
            return 0;
        }
        if (is_spent(self)) {
            count(self->tcp, DNS_WORD_SPENT);
            return -ECONNRESET;
        }
        if (budget == 0)
            return 1;
        if (self->has_ended)
            return -ECONNRESET;
        ssize_t n = read_some(self, &budget);
        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        self->has_ended = n == 0;
    }
}

static void go_on(struct tcp_conn *self)
{
    int rc = work(self);
    if (rc < 0) {
        /* What was answered last may still wait for the peer. */
        if (conn_is_open(&self->conn) && conn_pending(&self->conn) == 0)
            (void)conn_shutdown(&self->conn);
        tcp_conn_destroy(self);
        return;
    }
    if (conn_pending(&self->conn) > 0)
        set_state(self, TCP_SEND);
    else
        set_state(self, self->rest.len ? TCP_QUERY : TCP_IDLE);
    if (rc > 0)
        conn_again(&self->conn, LOOP_READ);
}

static void on_event(struct conn *conn, uint32_t events)
{
    struct tcp_conn *self = CONTAINER_OF(conn, struct tcp_conn, conn);
    if (events & LOOP_ERROR)
        tcp_conn_destroy(self);
    else if (conn_pending(conn) == 0)
        go_on(self);
}

/* ---- accepting ---- */

/*
 * One more, unless there are enough. Loops write their own row alone: each counts itself first and
 * looks at all rows then, so that of two at the same time the later one, or both, see the other.
 */
static bool take_place(const struct dns_tcp *tcp)
{
    const struct tcp_limits *limits = &tcp->limits;
    uint64_t n = 0;
    metric_add(tcp->desk->row, DNS_WORD_CONNECTIONS_ACTIVE, 1);
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t l = 0; l < limits->n_loops; l++)
        n += atomic_load_explicit(&metric_row(limits->slab, l)[DNS_WORD_CONNECTIONS_ACTIVE],
                                  memory_order_relaxed);
    if (n <= limits->connections)
        return true;
    metric_sub(tcp->desk->row, DNS_WORD_CONNECTIONS_ACTIVE, 1);
    return false;
}

static void on_accept(struct listener *listener, struct loop *loop, int fd, const struct addr *peer)
{
    struct dns_tcp *tcp = CONTAINER_OF(listener, struct dns_tcp, listener);
    count(tcp, DNS_WORD_CONNECTIONS);
    if (!take_place(tcp)) {
        count(tcp, DNS_WORD_CONNECTIONS_REFUSED);
        close(fd);
        return;
    }
    struct tcp_conn *self = MEM_NEW(struct tcp_conn);
    self->tcp = tcp;
    self->peer = *peer;
    list_init(&self->node);
    list_add_back(&tcp->conns, &self->node);
    loop_timer_init(&self->timer, on_timer);
    conn_open_lazily(&self->conn, loop, fd, on_event);
    go_on(self);
}

static void on_exhausted(struct listener *listener, struct loop *loop, int error)
{
    (void)loop;
    (void)error;
    count(CONTAINER_OF(listener, struct dns_tcp, listener), DNS_WORD_EXHAUSTED);
}

int dns_tcp_open(struct dns_tcp *tcp, struct loop *loop, int fd, struct tcp_output *output,
                 struct dns_desk *desk, const struct tcp_limits *limits, struct err *err)
{
    *tcp = (struct dns_tcp){.loop = loop, .output = output, .desk = desk, .limits = *limits};
    list_init(&tcp->conns);
    listener_init(&tcp->listener);
    tcp->listener.on_accept = on_accept;
    tcp->listener.on_exhausted = on_exhausted;
    return listener_start(&tcp->listener, loop, fd, err);
}

void dns_tcp_drain(struct dns_tcp *tcp)
{
    tcp->is_closing = true;
    listener_stop(&tcp->listener, tcp->loop);
    LIST_EACH (node, &tcp->conns) {
        struct tcp_conn *self = LIST_ENTRY(node, struct tcp_conn, node);
        if (self->state == TCP_IDLE)
            set_state(self, TCP_IDLE); /* with the shorter time */
    }
}

void dns_tcp_close(struct dns_tcp *tcp)
{
    tcp->is_closing = true;
    listener_sweep(&tcp->listener, tcp->loop);
    listener_stop(&tcp->listener, tcp->loop);
    LIST_EACH (node, &tcp->conns) {
        struct tcp_conn *self = LIST_ENTRY(node, struct tcp_conn, node);
        if (conn_pending(&self->conn) == 0)
            (void)work(self);
        tcp_conn_destroy(self);
    }
}
