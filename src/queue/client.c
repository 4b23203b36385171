/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections: bytes in, events to command.c, answers out.
 */

#include "queue/client.h"

#include "queue/api.h"

#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define NS_PER_MS UINT64_C(1000000)

enum {
    READ_BYTES = 64 * 1024, /* a round */
    KEEP_BYTES = 16 * 1024, /* memory of a text that is kept for the next command */
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_EVERY_S = 20,
    KEEPALIVE_TIMES = 3,
};

static void count(const struct client *client, uint32_t word, uint64_t n)
{
    metric_add(client->listener->row, word, n);
}

/* ---- answers --------------------------------------------------------------------------------- */

static struct client_gate *last_gate(struct client *client)
{
    return client->n_gates > 0 ? &client->gates[client->n_gates - 1] : NULL;
}

/* Who waits for the least comes first. */
static void hold(struct client *client)
{
    struct list *head = &client->hall->held, *at = head->prev;
    uint64_t lsn = client->gates[0].lsn;
    while (at != head && LIST_ENTRY(at, struct client, held)->gates[0].lsn > lsn)
        at = at->prev;
    list_add_after(at, &client->held);
}

/* What is answered from here on waits for lsn. */
static void close_gate(struct client *client, uint64_t lsn)
{
    uint64_t now_ns = loop_now_ns(client->hall->loop);
    struct client_gate *last = last_gate(client);
    if (lsn <= client->hall->engine.durable_lsn || (last && lsn <= last->lsn))
        return;
    if (last && (last->turn_ns == now_ns || client->n_gates == CLIENT_GATES)) {
        last->lsn = lsn;
        if (last == client->gates) { /* whose place may be further back now */
            list_remove(&client->held);
            hold(client);
        }
        return;
    }
    client->gates[client->n_gates++] =
        (struct client_gate){.at = client->out.len, .lsn = lsn, .turn_ns = now_ns};
    if (client->n_gates == 1)
        hold(client);
}

void jobs_client_answer(struct client *client, struct slice bytes, uint64_t lsn)
{
    close_gate(client, lsn);
    text_append(&client->out, bytes);
}

void jobs_client_reply(struct client *client, enum jobproto_reply reply, uint64_t lsn)
{
    static const uint32_t words[JOBPROTO_N_REPLIES] = {
        [JOBPROTO_OUT_OF_MEMORY] = JOBS_FULL,      [JOBPROTO_INTERNAL_ERROR] = JOBS_BROKEN,
        [JOBPROTO_BAD_FORMAT] = JOBS_BAD_FORMAT,   [JOBPROTO_EXPECTED_CRLF] = JOBS_BAD_FORMAT,
        [JOBPROTO_UNKNOWN_COMMAND] = JOBS_UNKNOWN, [JOBPROTO_JOB_TOO_BIG] = JOBS_TOO_BIG,
        [JOBPROTO_DRAINING] = JOBS_DRAINING,       [JOBPROTO_DENIED] = JOBS_DENIED,
    };
    if (words[reply])
        count(client, words[reply], 1);
    jobs_client_answer(client, jobproto_reply_line(reply), lsn);
}

/* Bytes that may leave. */
static struct slice open_part(const struct client *client)
{
    size_t end = client->n_gates > 0 ? client->gates[0].at : client->out.len;
    return slice_make(text_slice(&client->out).ptr + client->out_at, end - client->out_at);
}

static void drop_sent(struct client *client)
{
    size_t rest = client->out.len - client->out_at;
    if (rest == 0 && client->out.cap > KEEP_BYTES)
        text_deinit(&client->out);
    else if (rest == 0)
        text_clear(&client->out);
    else if (client->out_at < KEEP_BYTES)
        return;
    else
        memmove(client->out.ptr, client->out.ptr + client->out_at, rest);
    client->out.len = rest;
    for (uint32_t i = 0; i < client->n_gates; i++)
        client->gates[i].at -= client->out_at;
    client->out_at = 0;
}

/* 0 or -errno. */
static int flush(struct client *client)
{
    struct slice part = open_part(client);
    if (part.len == 0)
        return 0;
    int rc = conn_send(&client->conn, part.ptr, part.len, false);
    if (rc < 0)
        return rc;
    count(client, JOBS_BYTES_OUT, part.len);
    client->n_handed += part.len;
    client->out_at += part.len;
    drop_sent(client);
    return 0;
}

static size_t unsent_bytes(const struct client *client)
{
    return client->out.len - client->out_at + conn_pending(&client->conn);
}

/* ---- the life of a connection ---------------------------------------------------------------- */

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct client *client = CONTAINER_OF(timer, struct client, timer);
    count(client, client->phase == CLIENT_SENDING ? JOBS_LATE_SEND : JOBS_LATE_REQUEST, 1);
    jobs_client_close(client);
}

void jobs_client_wake(struct client *client)
{
    if (!list_is_linked(&client->ready))
        list_add_back(&client->hall->ready, &client->ready);
    engine_later(&client->hall->engine);
}

static void stop_waiting(struct client *client)
{
    if (!client->is_waiting)
        return;
    client->is_waiting = false;
    client->hall->n_waiting--;
    model_stop_waiting(client->hall->engine.model, client->model);
}

void jobs_client_close(struct client *client)
{
    if (client->is_closed)
        return;
    client->is_closed = true;
    stop_waiting(client);
    loop_timer_clear(client->hall->loop, &client->timer);
    conn_close(&client->conn);
    list_remove(&client->held);
    list_remove(&client->parked);
    wal_warm_cancel(&client->warm);
    client->n_gates = 0;
    jobs_client_wake(client);
}

void jobs_client_dismiss(struct client *client)
{
    if (client->is_closed)
        return;
    model_stop_waiting(client->hall->engine.model, client->model);
    engine_give_back(&client->hall->engine, client->model);
    jobs_client_close(client);
}

/* Its leases end, and others may get them: nobody else is on the stack. */
static void destroy(struct client *client)
{
    struct hall *hall = client->hall;
    struct model_now now = engine_now(&hall->engine);
    model_conn_close(hall->engine.model, &client->model, now);
    (void)engine_settle(&hall->engine);
    metric_sub(client->listener->row, JOBS_CONNECTIONS_ACTIVE, 1);
    client->listener->n_clients--;
    hall->n_conns--;
    hall->n_producers -= client->is_producer;
    hall->n_workers -= client->is_worker;
    list_remove(&client->node);
    text_deinit(&client->in);
    text_deinit(&client->out);
    text_deinit(&client->body);
    command_forget_options(client);
    mem_free(client->batch);
    mem_free(client);
}

bool jobs_client_is_idle(const struct client *client)
{
    return client->n_gates == 0 && client->parked_as == CLIENT_NOT_PARKED && !client->warm &&
           client->reader.phase == JOBPROTO_IN_LINE && client->model->leases.n_slots == 0;
}

/* What says that a phase goes on: requests that are whole, bytes that the client's kernel took. */
static uint64_t progress_of(const struct client *client, enum client_phase phase)
{
    return phase == CLIENT_SENDING ? client->n_handed - conn_pending(&client->conn)
                                   : client->n_requests;
}

/*
 * Each phase has a time of its own, which begins when it does, and again with each request and each
 * piece of an answer: who streams is never late. A quiet client has all the time.
 */
static void set_phase(struct client *client, enum client_phase phase)
{
    uint64_t progress = progress_of(client, phase);
    if (phase == client->phase && progress == client->progress)
        return;
    client->phase = phase;
    client->progress = progress;
    const struct jobs_timeouts_conf *timeouts = &client->listener->conf->timeouts;
    uint64_t wait_ms =
        (uint64_t)(phase == CLIENT_SENDING ? timeouts->send_ms : timeouts->request_ms);
    if (phase == CLIENT_QUIET)
        loop_timer_clear(client->hall->loop, &client->timer);
    else
        loop_timer_set(client->hall->loop, &client->timer,
                       loop_now_ns(client->hall->loop) + wait_ms * NS_PER_MS);
}

/* ---- events of the protocol ------------------------------------------------------------------ */

static void park(struct client *client, enum client_parked parked_as)
{
    count(client, JOBS_PARKED, 1);
    client->parked_as = parked_as;
    list_add_back(&client->hall->parked, &client->parked);
}

static bool is_blocked(const struct client *client)
{
    return client->is_waiting || client->is_told || client->warm ||
           client->parked_as != CLIENT_NOT_PARKED || client->is_closed || client->is_quitting ||
           client->greeting == JOBPROTO_GREET_HTTP ||
           unsent_bytes(client) >= (size_t)client->listener->conf->limits.output_bytes;
}

/* All of the body is there: in one piece, or gathered. */
static void end_body(struct client *client, struct slice body)
{
    if (command_body(client, body) == 0) {
        if (client->body.cap > KEEP_BYTES)
            text_deinit(&client->body);
        else
            text_clear(&client->body);
        return;
    }
    if (client->body.len == 0)
        text_append(&client->body, body);
    park(client, CLIENT_PARKED_BODY);
}

static void on_body(struct client *client, const struct jobproto_event *event)
{
    bool is_whole = event->is_last && client->body.len == 0;
    if (!is_whole)
        text_append(&client->body, event->body);
    if (event->is_last)
        end_body(client, is_whole ? event->body : text_slice(&client->body));
}

/* 0; 1: the command is to come again. */
static int on_event(struct client *client, const struct jobproto_event *event)
{
    switch (event->kind) {
    case JOBPROTO_NOTHING:
        return 0;
    case JOBPROTO_COMMAND:
        return command_line(client, &event->command);
    case JOBPROTO_BODY:
        on_body(client, event);
        return 0;
    case JOBPROTO_REFUSED:
        text_clear(&client->body);
        /* What was asked for a put that came to nothing is not for the next one. */
        if (event->reply != JOBPROTO_BAD_FORMAT && event->reply != JOBPROTO_UNKNOWN_COMMAND)
            command_forget_options(client);
        jobs_client_reply(client, event->reply, 0);
        return 0;
    }
    return 0;
}

/* Takes what it can from the front of the bytes; returns how many. */
static size_t take(struct client *client, struct slice bytes)
{
    struct jobproto_event event;
    size_t done = 0, n;
    if (client->greeting == JOBPROTO_GREET_MORE)
        client->greeting = jobproto_greet(bytes);
    if (client->greeting == JOBPROTO_GREET_TLS && !client->is_quitting) {
        jobs_client_reply(client, JOBPROTO_BAD_FORMAT, 0);
        client->is_quitting = true;
        return bytes.len;
    }
    if (client->greeting != JOBPROTO_GREET_JOBS)
        return 0;
    while (!is_blocked(client) &&
           (n = jobproto_read(&client->reader, slice_skip(bytes, done), &event)) > 0) {
        if (on_event(client, &event) > 0) {
            if (!client->warm)
                park(client, CLIENT_PARKED_LINE);
            break;
        }
        client->n_requests += client->reader.phase == JOBPROTO_IN_LINE;
        done += n;
    }
    return done;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void drop_in(struct client *client, size_t n)
{
    memmove(client->in.ptr, client->in.ptr + n, client->in.len - n);
    client->in.len -= n;
    if (client->in.len == 0 && client->in.cap > KEEP_BYTES)
        text_deinit(&client->in);
}

/* What was read earlier. */
static void take_rest(struct client *client)
{
    if (client->in.len == 0 || is_blocked(client))
        return;
    size_t n = take(client, text_slice(&client->in));
    if (n > 0)
        drop_in(client, n);
}

/* One read, behind the rest. >0 go on, 0 the end, -errno. */
static ssize_t read_some(struct client *client)
{
    char *buf = loop_buf(client->hall->loop);
    ssize_t got = conn_recv(&client->conn, buf, READ_BYTES);
    if (got <= 0)
        return got;
    count(client, JOBS_BYTES_IN, (uint64_t)got);
    struct slice bytes = slice_make(buf, (size_t)got);
    if (client->in.len == 0) {
        bytes = slice_skip(bytes, take(client, bytes));
        if (bytes.len > 0)
            text_append(&client->in, bytes);
    } else {
        text_append(&client->in, bytes);
        take_rest(client);
    }
    return got;
}

/* Reads until the kernel has no more or something holds it up. 0; 1: another turn is due; -errno.
 */
static int read_all(struct client *client)
{
    for (int round = 0; round < LOOP_BUDGET; round++) {
        take_rest(client);
        if (is_blocked(client) || client->has_ended)
            return 0;
        ssize_t n = read_some(client);
        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        client->has_ended = n == 0;
        if (n > 0 && n < READ_BYTES && !client->conn.has_hangup)
            return 0; /* the kernel is empty: the loop says when there is more */
    }
    return 1;
}

/* A hang-up ends a wait: what was sent before it is done still. */
static void end_wait(struct client *client)
{
    if (!client->is_waiting || !client->conn.has_hangup)
        return;
    stop_waiting(client);
    jobs_client_reply(client, JOBPROTO_TIMED_OUT, 0);
}

/* With all that was read of it. */
static void give_over(struct client *client)
{
    api_take(client->listener, &client->conn, text_slice(&client->in));
    jobs_client_close(client);
}

/* Has it all that it will ever get? */
static bool is_over(const struct client *client)
{
    bool is_last = client->is_quitting || (client->has_ended && !is_blocked(client));
    return is_last && client->parked_as == CLIENT_NOT_PARKED && unsent_bytes(client) == 0;
}

static enum client_phase phase_of(const struct client *client)
{
    if (conn_pending(&client->conn) > 0)
        return CLIENT_SENDING;
    if (client->conn.is_connecting)
        return CLIENT_IN_REQUEST;
    bool is_begun = client->in.len > 0 || client->reader.phase != JOBPROTO_IN_LINE ||
                    client->put_result.len > 0; /* which has memory until the put is there */
    return is_begun && !is_blocked(client) ? CLIENT_IN_REQUEST : CLIENT_QUIET;
}

static void go_on(struct client *client)
{
    if (client->conn.is_connecting)
        return;
    bool was_blocked = is_blocked(client);
    if (client->is_told && !client->warm)
        command_reserved(client);
    end_wait(client);
    int rc = read_all(client);
    if (rc >= 0 && client->greeting == JOBPROTO_GREET_HTTP) {
        give_over(client);
        return;
    }
    bool is_held_up = is_blocked(client);
    if (rc >= 0 && flush(client) < 0)
        rc = -EPIPE;
    if (rc < 0) {
        jobs_client_close(client);
        return;
    }
    if (is_held_up && !is_blocked(client))
        rc = 1; /* the kernel took all that had filled the output: no event will say so */
    if (is_over(client)) {
        (void)conn_shutdown(&client->conn);
        jobs_client_close(client);
        return;
    }
    if (!was_blocked && is_blocked(client) && conn_pending(&client->conn) > 0)
        count(client, JOBS_WAITED, 1);
    set_phase(client, phase_of(client));
    if (rc > 0)
        conn_again(&client->conn, LOOP_READ);
}

static void on_conn(struct conn *conn, uint32_t events)
{
    struct client *client = CONTAINER_OF(conn, struct client, conn);
    if (!(events & LOOP_ERROR)) {
        go_on(client);
        return;
    }
    /* It has closed with an answer unread, perhaps, and said something of its jobs before. */
    if (!client->conn.is_connecting && !is_blocked(client))
        (void)read_all(client);
    jobs_client_close(client);
}

/* ---- from the rest of the hall --------------------------------------------------------------- */

/* Where a peer vanishes without a word, nobody but TCP itself ever says so. */
static void keep_alive(int fd)
{
    int one = 1, idle = KEEPALIVE_IDLE_S, every = KEEPALIVE_EVERY_S, times = KEEPALIVE_TIMES;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

/* What it waited for. */
static void on_told(struct waiter *waiter, const struct model_action *action)
{
    struct client *client = CONTAINER_OF(waiter, struct client, waiter);
    static const enum model_result results[] = {
        [MODEL_RESERVED] = MODEL_OK,
        [MODEL_TIMED_OUT_NOW] = MODEL_TIMED_OUT,
        [MODEL_DEADLINE_SOON_NOW] = MODEL_DEADLINE_SOON,
    };
    if (client->is_waiting)
        client->hall->n_waiting--;
    client->is_waiting = false;
    client->told = results[action->kind];
    client->told_id = action->id;
    client->is_told = command_told(client) > 0;
    jobs_client_wake(client);
}

/* TLS where the listener speaks it; the time of a request is that of the handshake, too. */
static int greet(struct client *client, struct err *err)
{
    if (!client->listener->tls)
        return 0;
    if (tls_accept(&client->conn, client->listener->tls, err) < 0)
        return -1;
    tls_watch(&client->conn, client->listener->row + JOBS_TLS);
    set_phase(client, CLIENT_IN_REQUEST);
    return 0;
}

void jobs_client_open(struct jobs_listener *listener, int fd)
{
    struct hall *hall = listener->hall;
    struct err err = ERR_NONE;
    struct client *client = MEM_NEW(struct client);
    client->hall = hall;
    client->listener = listener;
    list_init(&client->node);
    list_init(&client->ready);
    list_init(&client->held);
    list_init(&client->parked);
    loop_timer_init(&client->timer, on_timer);
    client->is_allowed = !listener->conf->token_blob;
    jobproto_reader_init(&client->reader, (uint32_t)listener->conf->limits.job_bytes);
    client->waiter.told = on_told;
    client->model = model_conn_open(hall->engine.model, &client->waiter);
    list_add_back(&listener->clients, &client->node);
    listener->n_clients++;
    hall->n_conns++;
    hall->n_total_conns++;
    metric_add(listener->row, JOBS_CONNECTIONS_ACTIVE, 1);
    keep_alive(fd);
    if (conn_open(&client->conn, hall->loop, fd, on_conn, &err) < 0 || greet(client, &err) < 0) {
        log_write(process_log(hall->loop), LOG_LEVEL_ERROR, "%s: %s", listener->conf->fact,
                  err.text);
        jobs_client_close(client);
    }
}

void clients_go_on(struct hall *hall)
{
    struct client *client;
    while ((client = LIST_FIRST(&hall->ready, struct client, ready))) {
        list_remove(&client->ready);
        if (client->is_closed)
            destroy(client);
        else
            go_on(client);
    }
}

static void open_gates(struct client *client, uint64_t lsn)
{
    uint32_t n = 0;
    while (n < client->n_gates && client->gates[n].lsn <= lsn)
        n++;
    client->n_gates -= n;
    memmove(client->gates, client->gates + n, client->n_gates * sizeof(struct client_gate));
    if (client->n_gates > 0)
        hold(client);
    jobs_client_wake(client);
}

static void unpark(struct client *client)
{
    enum client_parked parked_as = client->parked_as;
    client->parked_as = CLIENT_NOT_PARKED;
    list_remove(&client->parked);
    if (parked_as == CLIENT_PARKED_BODY)
        end_body(client, text_slice(&client->body));
    jobs_client_wake(client);
}

void clients_release(struct hall *hall, uint64_t lsn)
{
    struct client *client;
    while ((client = LIST_FIRST(&hall->held, struct client, held)) && client->gates[0].lsn <= lsn) {
        list_remove(&client->held);
        open_gates(client, lsn);
    }
    struct list parked;
    list_init(&parked);
    list_move_all(&parked, &hall->parked);
    while ((client = LIST_FIRST(&parked, struct client, parked)))
        unpark(client);
}

void clients_fail(struct hall *hall)
{
    struct client *client;
    while ((client = LIST_FIRST(&hall->held, struct client, held)))
        jobs_client_close(client);
    while ((client = LIST_FIRST(&hall->parked, struct client, parked)))
        unpark(client);
}
