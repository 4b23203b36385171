/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small HTTP/1 server: who is let in.
 */
#include "web/server.h"

#include "base/mem.h"
#include "web/server_part.h"
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- accepting ---- */

/* Nobody reads the request of a connection that is one too many, so this is all that it gets. */
static void refuse(int fd)
{
    static const char body[] = "{\"error\":\"there are too many connections now\"}\n";
    char answer[sizeof(body) + 200];
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n\r\n%s",
                       sizeof(body) - 1, body);
    (void)!send(fd, answer, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static bool make_room(struct web_server *server)
{
    if (server->counters.n_conns < server->config.limits.n_conns)
        return true;
    struct web_conn *oldest = LIST_FIRST(&server->idle, struct web_conn, idle);
    if (!oldest)
        return false;
    web_conn_close(oldest);
    return true;
}

int web_server_take(struct web_server *server, struct conn *conn, struct slice bytes,
                    const void *origin, const struct addr *peer, struct err *err)
{
    struct web_conn *web = web_conn_make(server, origin, peer);
    server->counters.n_accepted++;
    if (conn_move(conn, &web->conn, web_conn_on_event, err) < 0) {
        server->counters.n_refused++;
        conn_close(&web->conn);
        mem_free(web);
        return -1;
    }
    text_append(&web->kept, bytes);
    server->counters.n_bytes_in += bytes.len;
    web_conn_begin(web);
    web->is_readable = true; /* the transport may have what no event will tell of */
    web_conn_run(web);
    return 0;
}

static void web_on_accept(struct listener *listener, struct loop *loop, int fd,
                          const struct addr *peer)
{
    struct web_listener *from = CONTAINER_OF(listener, struct web_listener, listener);
    struct web_server *server = from->server;
    server->counters.n_accepted++;
    if (!make_room(server)) {
        server->counters.n_refused++;
        refuse(fd);
        return;
    }
    struct web_conn *web = web_conn_make(server, from->origin, peer);
    if (conn_open(&web->conn, loop, fd, web_conn_on_event, NULL) < 0) {
        server->counters.n_refused++;
        mem_free(web);
        refuse(fd);
        return;
    }
    web_conn_begin(web);
}

static void web_on_exhausted(struct listener *listener, struct loop *loop, int error)
{
    (void)loop;
    (void)error;
    struct web_listener *from = CONTAINER_OF(listener, struct web_listener, listener);
    from->server->counters.n_refused++;
}

int web_server_listen(struct web_server *server, int fd, const void *origin, struct err *err)
{
    for (size_t i = 0; i < WEB_LISTENERS_MAX; i++) {
        struct web_listener *at = &server->listeners[i];
        if (at->fd >= 0)
            continue;
        listener_init(&at->listener);
        at->listener.n_batch = 8;
        at->listener.on_accept = web_on_accept;
        at->listener.on_exhausted = web_on_exhausted;
        if (listener_start(&at->listener, server->loop, fd, err) < 0)
            return -1;
        at->origin = origin;
        at->fd = fd;
        return 0;
    }
    return err_set(err, "more than %d listening sockets", WEB_LISTENERS_MAX);
}

void web_server_unlisten(struct web_server *server, int fd)
{
    for (size_t i = 0; i < WEB_LISTENERS_MAX; i++) {
        struct web_listener *at = &server->listeners[i];
        if (at->fd < 0 || at->fd != fd)
            continue;
        listener_stop(&at->listener, server->loop);
        at->fd = -1;
    }
}

/* ---- the server ---- */

static void limits_default(struct web_limits *limits)
{
    static const struct h1_limits none;
    limits->n_conns = limits->n_conns ? limits->n_conns : 256;
    limits->body_bytes = limits->body_bytes ? limits->body_bytes : (size_t)64 * 1024;
    limits->head_ms = limits->head_ms ? limits->head_ms : 10000;
    limits->body_ms = limits->body_ms ? limits->body_ms : 30000;
    limits->idle_ms = limits->idle_ms ? limits->idle_ms : 60000;
    limits->answer_ms = limits->answer_ms ? limits->answer_ms : 60000;
    limits->send_ms = limits->send_ms ? limits->send_ms : 10000;
    if (memcmp(&limits->h1, &none, sizeof(none)) == 0)
        limits->h1 = h1_limits_default;
}

struct web_server *web_server_create(struct loop *loop, const struct web_config *config)
{
    struct web_server *server = MEM_NEW(struct web_server);
    server->loop = loop;
    server->config = *config;
    limits_default(&server->config.limits);
    list_init(&server->conns);
    list_init(&server->idle);
    for (size_t i = 0; i < WEB_LISTENERS_MAX; i++) {
        server->listeners[i].server = server;
        server->listeners[i].fd = -1;
    }
    return server;
}

static void unlisten_all(struct web_server *server)
{
    for (size_t i = 0; i < WEB_LISTENERS_MAX; i++) {
        if (server->listeners[i].fd >= 0)
            web_server_unlisten(server, server->listeners[i].fd);
    }
}

void web_server_limit(struct web_server *server, const struct web_limits *limits)
{
    server->config.limits = *limits;
    limits_default(&server->config.limits);
}

void web_server_drain(struct web_server *server)
{
    server->is_draining = true;
    unlisten_all(server);
    struct list *node = server->idle.next;
    while (node != &server->idle) {
        struct list *next = node->next;
        web_conn_drain(LIST_ENTRY(node, struct web_conn, idle));
        node = next;
    }
}

void web_server_destroy(struct web_server **server)
{
    if (!*server)
        return;
    unlisten_all(*server);
    struct web_conn *web;
    while ((web = LIST_FIRST(&(*server)->conns, struct web_conn, link)))
        web_conn_close(web);
    mem_free(*server);
    *server = NULL;
}

const struct web_counters *web_server_counters(const struct web_server *server)
{
    return &server->counters;
}

struct slice web_query_value(struct slice query, const char *name)
{
    struct slice rest = query;
    while (rest.ptr) {
        struct slice value = slice_cut(&rest, '&');
        struct slice key = slice_cut(&value, '=');
        if (key.len && slice_is(key, name))
            return value.ptr ? value : SLICE("");
    }
    return slice_make(NULL, 0);
}
