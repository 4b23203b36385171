/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The client's side: accepting, reading heads, keeping what came too early, deadlines, closing.
 */

#include "base/mem.h"
#include "http/exchange.h"
#include "http/tunnel.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- bytes between reads ---- */

void held_keep(struct held **held, const char *bytes, size_t len)
{
    if (!*held || (*held)->cap < len) {
        mem_free(*held);
        *held = mem_alloc(sizeof(**held) + len);
        (*held)->cap = (uint32_t)len;
    }
    (*held)->len = (uint32_t)len;
    if (len)
        memcpy((*held)->bytes, bytes, len);
}

void held_free(struct held **held)
{
    mem_free(*held);
    *held = NULL;
}

/* Moves what is held to the front of the loop's buffer. */
static size_t held_take(struct loop *loop, struct held **held)
{
    size_t len = *held ? (*held)->len : 0;
    if (len)
        memcpy(loop_buf(loop), (*held)->bytes, len);
    held_free(held);
    return len;
}

ssize_t held_recv(struct conn *conn, struct held **held, char **ret_buf, bool *ret_is_drained)
{
    char *buf = loop_buf(conn->loop);
    size_t len = *held ? (*held)->len : 0;
    assert(len < LOOP_BUF_SIZE);
    size_t room = LOOP_BUF_SIZE - len;
    ssize_t n = conn_recv(conn, buf + len, room);
    if (n <= 0)
        return n;
    held_take(conn->loop, held);
    *ret_buf = buf;
    *ret_is_drained = (size_t)n < room;
    return (ssize_t)len + n;
}

/* ---- its line in the access log ---- */

/* The listen's name is that of its service, which a tunnel of a listen that is gone has not. */
static void client_access_begin(struct http_client *client)
{
    const struct http_service *service = client->listen->service;
    enum access_mode mode = (enum access_mode)service->conf->access_log;
    if (mode == ACCESS_OFF)
        return;
    bool was_in_parts = client->phase == CLIENT_HEAD;
    uint64_t since_ns = was_in_parts ? client->head_ns : loop_now_ns(client->conn.loop);
    client->access = access_create(mode, slice_from(service->name),
                                   slice_make(client->ip, client->ip_len), since_ns);
}

static void client_access_end(struct http_client *client)
{
    struct access *access = client->access;
    if (!access)
        return;
    if (access->status == 0 && !access->reason)
        access->reason = "aborted";
    access->end_ns = loop_now_ns(client->conn.loop);
    if (access_is_wanted(access)) {
        struct access_text text;
        struct log_field fields[ACCESS_FIELDS_MAX];
        size_t n = access_fields(access, &text, fields);
        log_access(process_log(client->conn.loop), fields, n);
    }
    access_destroy(&client->access);
}

/* ---- phases ---- */

static void client_move(struct http_client *client, enum client_phase phase)
{
    assert(client->phase != CLIENT_GONE);
    assert(phase != CLIENT_HEAD || client->phase == CLIENT_IDLE);
    bool was_asking = client->phase == CLIENT_BUSY || client->phase == CLIENT_TUNNEL;
    if (phase == CLIENT_HEAD)
        client->head_ns = loop_now_ns(client->conn.loop);
    if (phase == CLIENT_BUSY)
        client_access_begin(client);
    else if (was_asking && phase != CLIENT_TUNNEL)
        client_access_end(client);
    client->phase = (uint8_t)phase;
}

void client_deadline(struct http_client *client, int64_t ms)
{
    struct loop *loop = client->conn.loop;
    loop_timer_set(loop, &client->timer, loop_now_ns(loop) + (uint64_t)ms * 1000000u);
}

bool client_is_last(const struct http_client *client)
{
    const struct http_listen *listen = client->listen;
    const struct http_conf *conf = listen->service->conf;
    uint64_t age_ns = loop_now_ns(client->conn.loop) - client->born_ns;
    return listen->is_closing || client->n_requests >= conf->limits.requests ||
           age_ns / 1000000u >= (uint64_t)conf->timeouts.age_ms;
}

static void client_on_free(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    mem_free(CONTAINER_OF(task, struct http_client, free_task));
}

static struct http_worker *worker_of_client(const struct http_client *client)
{
    assert(client->tunnel || client->listen);
    return client->tunnel ? client->tunnel->worker : client->listen->worker;
}

void client_leave(struct http_client *client)
{
    struct http_listen *listen = client->listen;
    list_remove(&client->link);
    listen->n_clients--;
    metric_sub(listen->row, LISTEN_ACTIVE, 1);
    listen_leave(listen);
}

void client_tunnel(struct http_client *client, struct http_tunnel *tunnel)
{
    client_move(client, CLIENT_TUNNEL);
    client->tunnel = tunnel;
}

void client_close(struct http_client *client, bool is_abort)
{
    if (client->phase == CLIENT_GONE)
        return;
    struct loop *loop = client->conn.loop;
    worker_of_client(client)->n_clients--;
    if (client->exchange)
        exchange_abandon(client->exchange);
    if (client->tunnel)
        tunnel_end(client->tunnel, is_abort);
    client_move(client, CLIENT_GONE);
    loop_timer_clear(client->conn.loop, &client->timer);
    if (is_abort)
        conn_abort(&client->conn);
    else
        conn_close(&client->conn);
    held_free(&client->held);
    loop_defer(loop, &client->free_task, client_on_free);
    if (client->listen)
        client_leave(client);
}

/* Throws away what still comes, so that the kernel does not answer it with a reset that would
 * take the answer away from the client (RFC 9112 section 9.6). */
static void client_drain(struct http_client *client)
{
    if (client->must_close && conn_pending(&client->conn))
        return;
    if (client->is_stranded) {
        client_close(client, true);
        return;
    }
    if (client->must_close) {
        client->must_close = false; /* said once */
        client_deadline(client, HTTP_LINGER_MS);
        if (conn_shutdown(&client->conn) < 0) {
            client_close(client, false);
            return;
        }
    }
    for (int round = 0; round < LOOP_BUDGET; round++) {
        ssize_t n = conn_recv(&client->conn, loop_buf(client->conn.loop), LOOP_BUF_SIZE);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            client_close(client, false);
            return;
        }
    }
    conn_again(&client->conn, 0);
}

void client_linger(struct http_client *client)
{
    client_move(client, CLIENT_LINGER);
    client->must_close = true;
    held_free(&client->held);
    client_deadline(client, client->listen->service->conf->timeouts.stream_ms);
    client_drain(client);
}

void client_rest(struct http_client *client)
{
    const struct http_timeouts *timeouts = &client->listen->service->conf->timeouts;
    int64_t ms = client->listen->is_closing ? HTTP_LEAVE_MS : timeouts->idle_ms;
    client->is_flushing = conn_pending(&client->conn) > 0;
    client_deadline(client, client->is_flushing ? timeouts->stream_ms : ms);
}

/* The loop tells of this client from here on, if it did not yet. */
static void client_wait(struct http_client *client)
{
    if (conn_wait(&client->conn) < 0)
        client_close(client, true);
}

void client_done(struct http_client *client)
{
    assert(!client->exchange);
    if (client->phase == CLIENT_GONE)
        return;
    if (client->must_close) {
        /* Who said that it sends nothing more needs no lingering. */
        bool is_quiet = client->is_leaving && !client->held && !client->is_readable &&
                        !client->is_stranded && !conn_pending(&client->conn);
        if (is_quiet)
            client_close(client, false);
        else
            client_linger(client);
        return;
    }
    client_move(client, CLIENT_IDLE);
    client_rest(client);
    if (client->held || client->is_readable)
        conn_again(&client->conn, 0);
    else
        client_wait(client);
}

int client_send(struct http_client *client, const struct iovec *parts, int n_parts)
{
    size_t total = 0;
    for (int i = 0; i < n_parts; i++)
        total += parts[i].iov_len;
    metric_add(client->listen->row, LISTEN_BYTES_OUT, total);
    if (client->access)
        client->access->n_out += total;
    return conn_sendv(&client->conn, parts, n_parts, false);
}

/* ---- requests ---- */

/*
 * A request that weir answers by itself: its body is skipped where all of it is here, else the
 * answer closes the connection. Returns the bytes of body that were skipped.
 */
static size_t body_skip(struct http_client *client, const char *buf, size_t len)
{
    struct http_worker *worker = client->listen->worker;
    struct h1_body body;
    h1_body_init(&body, &worker->request, &client->listen->service->limits);
    size_t skipped = 0;
    for (;;) {
        struct h1_piece piece;
        size_t used;
        enum h1_event event = h1_body_next(&body, buf + skipped, len - skipped, &used, &piece);
        skipped += used;
        if (event == H1_END)
            return skipped;
        if (event == H1_MORE || event == H1_ERROR) {
            client->must_close = true;
            client->is_readable = true; /* the rest still comes: close only behind it */
            return len;
        }
    }
}

/* What becomes of the request; results of asynchronous ones come before the routes of the file. */
static const struct route *request_route(const struct http_client *client, const char *buf)
{
    const struct http_conf *conf = client->listen->service->conf;
    const struct h1_head *head = &client->listen->worker->request;
    if (conf->has_queues && async_is_job(conf->jobs_path, head, buf))
        return &async_job_route;
    return routes_match(&conf->routes, head, buf, &client->peer);
}

/* The head in worker->request is whole; returns the bytes of buf that belong to this request and
 * are used. */
static size_t request_begin(struct http_client *client, const char *buf, size_t head_len,
                            size_t len)
{
    struct http_service *service = client->listen->service;
    const struct h1_head *head = &client->listen->worker->request;
    bool is_head = head->method == H1_METHOD_HEAD;
    client->minor = head->minor;
    client->is_leaving = !head->is_keep_alive;
    client->must_close = client->is_leaving || client_is_last(client);
    enum h1_error error = h1_check_request(head);
    if (error == H1_ERR_EXPECTATION) {
        /* A whole request, if one that is not served: the next one is as good as any. */
        size_t used = head_len + body_skip(client, buf + head_len, len - head_len);
        answer_error(client, error, is_head);
        return used;
    }
    if (error != H1_OK) {
        answer_error(client, error, is_head);
        return len;
    }
    int64_t most = service->conf->limits.body_bytes;
    if (most && head->body == H1_BODY_LENGTH && head->length > (uint64_t)most) {
        answer_reason(client, HTTP_BODY_LARGE, is_head);
        return len;
    }
    const struct route *route = request_route(client, buf);
    if (client->access && route)
        slice_copy(slice_from(route->at), client->access->route, sizeof(client->access->route));
    bool is_relayed = route && route_is_relayed(route);
    bool is_stray = is_relayed && route->action == ROUTE_ASYNC && head->is_websocket;
    if (is_relayed && !is_stray)
        return exchange_start(client, route, buf, head_len, len);
    size_t used = head_len + body_skip(client, buf + head_len, len - head_len);
    if (is_stray)
        answer_reason(client, HTTP_ASYNC_UPGRADE, is_head);
    else if (route)
        answer_route(client, route, buf);
    else
        answer_reason(client, HTTP_NO_ROUTE, is_head);
    return used;
}

/* Bytes of a client that is between requests. */
static void client_feed(struct http_client *client, const char *buf, size_t len)
{
    struct http_service *service = client->listen->service;
    struct h1_head *head = &client->listen->worker->request;
    enum h1_error error;
    h1_head_reset(head);
    ssize_t head_len = h1_parse_request(buf, len, &service->limits, head, &error);
    if (head_len == 0) {
        held_keep(&client->held, buf, len);
        if (client->phase == CLIENT_IDLE) {
            client_move(client, CLIENT_HEAD);
            client_deadline(client, service->conf->timeouts.headers_ms);
        }
        return;
    }
    client_move(client, CLIENT_BUSY);
    client->n_requests++;
    metric_add(service->row, LISTEN_REQUESTS, 1);
    if (client->access)
        access_head(client->access, head, buf, loop_now_ns(client->conn.loop));
    if (head_len < 0) {
        answer_error(client, error, head->method == H1_METHOD_HEAD);
        return;
    }
    size_t used = request_begin(client, buf, (size_t)head_len, len);
    if (used < len && (client->phase == CLIENT_BUSY || client->phase == CLIENT_IDLE)) {
        held_keep(&client->held, buf + used, len - used);
        if (client->phase == CLIENT_IDLE)
            conn_again(&client->conn, 0);
    }
}

static bool client_is_between(const struct http_client *client)
{
    /* While an answer waits for a client that does not read, no further request is begun. */
    return (client->phase == CLIENT_IDLE || client->phase == CLIENT_HEAD) &&
           conn_pending(&client->conn) == 0;
}

/* The kernel may hold more of a body whose beginning came with the head: no event will say so. */
static void client_read_body(struct http_client *client)
{
    if (client->phase == CLIENT_BUSY && client->is_readable && client->exchange &&
        exchange_wants_body(client->exchange))
        conn_again(&client->conn, 0);
}

ssize_t client_recv(struct http_client *client, char **ret_buf)
{
    bool is_drained;
    uint32_t n_held = client->held ? client->held->len : 0;
    ssize_t n = held_recv(&client->conn, &client->held, ret_buf, &is_drained);
    if (n == -EAGAIN)
        client->is_readable = false;
    if (n > 0) {
        client->is_readable = !is_drained || client->is_hangup;
        metric_add(client->listen->row, LISTEN_BYTES_IN, (uint64_t)n - n_held);
    }
    return n;
}

static void client_read(struct http_client *client)
{
    for (int round = 0; round < LOOP_BUDGET; round++) {
        if (!client_is_between(client) || !client->is_readable) {
            client_read_body(client);
            return;
        }
        char *buf;
        ssize_t n = client_recv(client, &buf);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            client_close(client, false);
            return;
        }
        client_feed(client, buf, (size_t)n);
    }
    conn_again(&client->conn, 0);
}

/* A request that came behind another one, and now has its turn. */
static void client_feed_held(struct http_client *client)
{
    size_t len = held_take(client->conn.loop, &client->held);
    if (len)
        client_feed(client, loop_buf(client->conn.loop), len);
}

static void client_busy(struct http_client *client)
{
    struct http_exchange *exchange = client->exchange;
    if (exchange && !conn_pending(&client->conn))
        exchange_pull_response(exchange);
    /* The first may have ended the exchange. */
    if (client->phase == CLIENT_BUSY && client->exchange == exchange && exchange &&
        client->is_readable)
        exchange_pull_request(exchange);
}

static void client_on_event(struct conn *conn, uint32_t events)
{
    struct http_client *client = CONTAINER_OF(conn, struct http_client, conn);
    if (events & LOOP_ERROR) {
        if (client->phase == CLIENT_BUSY)
            metric_add(client->listen->row, LISTEN_ABORTED, 1);
        client_reason(client, "aborted");
        client_close(client, false);
        return;
    }
    if (events & LOOP_HANGUP)
        client->is_hangup = true;
    if (client->is_shaking && !conn->is_connecting) {
        client->is_shaking = false;
        client_deadline(client, client->listen->service->conf->timeouts.headers_ms);
    }
    /* The kernel's word alone: loop_again() asks for no LOOP_READ here, but may come with one. */
    if (events & (LOOP_READ | LOOP_HANGUP))
        client->is_readable = true;
    switch ((enum client_phase)client->phase) {
    case CLIENT_IDLE:
        if (client->is_flushing && !conn_pending(conn))
            client_rest(client);
        if (client->held && client_is_between(client))
            client_feed_held(client);
        client_read(client);
        break;
    case CLIENT_HEAD:
        client_read(client);
        break;
    case CLIENT_BUSY:
        client_busy(client);
        break;
    case CLIENT_LINGER:
        client_drain(client);
        break;
    case CLIENT_TUNNEL: /* has a callback of its own */
    case CLIENT_GONE:
        break;
    }
}

/* Nothing more comes from it. What it has not taken of its answer must not look whole. */
static void client_give_up(struct http_client *client)
{
    bool is_cut = conn_pending(&client->conn) > 0;
    if (is_cut)
        metric_add(client->listen->row, LISTEN_CUT, 1);
    client_reason(client, "cut");
    client_close(client, is_cut);
}

static void client_on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct http_client *client = CONTAINER_OF(timer, struct http_client, timer);
    switch ((enum client_phase)client->phase) {
    case CLIENT_IDLE:
    case CLIENT_LINGER:
        client_give_up(client);
        break;
    case CLIENT_GONE:
        break;
    case CLIENT_HEAD:
        client_move(client, CLIENT_BUSY);
        answer_reason(client, HTTP_HEAD_LATE, false);
        break;
    case CLIENT_TUNNEL:
        if (client->listen)
            metric_add(client->listen->row, LISTEN_TUNNELS_LATE, 1);
        client_close(client, false);
        break;
    case CLIENT_BUSY:
        if (client->exchange)
            exchange_on_timeout(client->exchange);
        else
            client_close(client, false);
        break;
    }
}

/* ---- accepting ---- */

static void client_describe(struct http_client *client)
{
    char ip[ADDR_TEXT_MAX];
    struct slice text = slice_from(addr_format_ip(&client->peer, ip));
    assert(text.len <= sizeof(client->ip));
    memcpy(client->ip, text.ptr, text.len);
    client->ip_len = (uint8_t)text.len;
}

/* Too many connections: said without keeping anything, in one short answer that fits any socket.
 * What the client has sent already is read, or closing would be a reset, which may take the
 * answer away. */
static void refuse(struct http_listen *listen, int fd)
{
    metric_add(listen->row, LISTEN_REFUSED, 1);
    if (listen->service->tls) {
        close(fd); /* a handshake would cost more than is left */
        return;
    }
    const struct http_reason_row *row = http_reason_row(HTTP_CROWDED);
    struct h1_answer answer = {.status = row->status,
                               .is_close = true,
                               .client_minor = 1,
                               .retry_after_s = row->retry_after_s,
                               .lines = worker_date(listen->worker),
                               .text = slice_from(row->sentence)};
    struct http_worker *worker = listen->worker;
    ssize_t n = h1_write_answer(worker->scratch, sizeof(worker->scratch), &answer);
    if (n > 0)
        (void)!write(fd, worker->scratch, (size_t)n);
    shutdown(fd, SHUT_WR);
    (void)!recv(fd, loop_buf(worker->loop), LOOP_BUF_SIZE, MSG_DONTWAIT);
    metric_add(listen->row, LISTEN_ANSWERS + HTTP_CROWDED, 1);
    close(fd);
}

/* Of the connections that the listen may have, as each loop counts its own. */
static int64_t loop_share(const struct http_service *service)
{
    int64_t n_loops = service->epoch->n_loops;
    return (service->conf->limits.connections + n_loops - 1) / n_loops;
}

/* The first deadline, and TLS where the listen speaks it. False: the client is gone. */
static bool client_greet(struct http_client *client, const struct http_service *service)
{
    client_deadline(client, service->conf->timeouts.headers_ms);
    if (!service->tls)
        return true;
    client_deadline(client, service->conf->timeouts.handshake_ms);
    if (tls_accept(&client->conn, service->tls, NULL) < 0) {
        client_close(client, true);
        return false;
    }
    tls_watch(&client->conn, client->listen->row + LISTEN_TLS);
    client->is_shaking = true;
    return true;
}

void client_accept(struct http_listen *listen, int fd, const struct addr *peer)
{
    const struct http_service *service = listen->service;
    struct http_worker *worker = listen->worker;
    metric_add(listen->row, LISTEN_CONNECTIONS, 1);
    if (listen->n_clients >= loop_share(service)) {
        refuse(listen, fd);
        return;
    }
    struct http_client *client = MEM_NEW(struct http_client);
    conn_open_lazily(&client->conn, worker->loop, fd, client_on_event);
    client->listen = listen;
    client->peer = *peer;
    client->born_ns = loop_now_ns(worker->loop);
    client_describe(client);
    loop_timer_init(&client->timer, client_on_timer);
    list_add_front(&listen->clients, &client->link);
    listen->n_clients++;
    worker->n_clients++;
    metric_add(listen->row, LISTEN_ACTIVE, 1);
    client->is_readable = true; /* most clients have sent before they are accepted */
    if (!client_greet(client, service))
        return;
    client_read(client);
    /* While a member has the whole request there is nothing to hear from the client: many a
     * connection is answered and closed without the loop ever learning of it. */
    bool is_with_member =
        client->exchange && client->exchange->member && client->exchange->is_request_done;
    if (client->phase != CLIENT_GONE && !is_with_member)
        client_wait(client);
}
