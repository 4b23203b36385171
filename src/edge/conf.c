/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The listen block: its words, its checks, the sockets that it wants.
 */

#include "edge/internal.h"

#include "base/mem.h"
#include "edge/async.h"
#include "edge/deliver.h"
#include "http/async.h"

static int read_route(struct conf_load *load, const struct conf_stmt *stmt, void *self)
{
    struct listen_conf *listen = self;
    return routes_parse(&listen->http.routes, load, stmt);
}

static const struct conf_choice kinds[] = {
    {.name = "http", .value = LISTEN_HTTP, .doc = "HTTP/1.1 in the clear"},
    {.name = "https", .value = LISTEN_HTTPS, .doc = "HTTP over TLS"},
    {.name = "tcp", .value = LISTEN_TCP, .doc = "bytes as they come", .is_planned = true},
    {.name = "udp", .value = LISTEN_UDP, .doc = "datagrams", .is_planned = true},
    {0},
};

static const struct conf_word listen_args[] = {
    {.name = "name",
     .type = CONF_NAME,
     .offset = offsetof(struct listen_conf, name),
     .doc = "the listen's own name, in facts, metrics and commands"},
    {.name = "kind",
     .type = CONF_CHOICE,
     .offset = offsetof(struct listen_conf, kind),
     .choices = kinds,
     .doc = "what is spoken there"},
    {.name = "address",
     .type = CONF_ADDR,
     .offset = offsetof(struct listen_conf, addr),
     .doc = "where clients connect"},
    {0},
};

static const struct conf_word listen_words[] = {
    {.name = "route",
     .type = CONF_CUSTOM,
     .flags = CONF_REPEAT,
     .custom = read_route,
     .usage = route_usage,
     .doc = "what happens to requests that match; the first route that matches wins"},
    {.name = "timeout",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct listen_conf, http.timeouts),
     .block = &http_timeouts_block,
     .doc = "how long each part of a request may take"},
    {.name = "limits",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct listen_conf, http.limits),
     .block = &http_limits_block,
     .doc = "how much of everything is accepted"},
    {.name = "retry",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct listen_conf, http.retry),
     .block = &http_retry_block,
     .doc = "when a request that failed at a member is sent once more"},
    {.name = "forwarded",
     .type = CONF_CHOICE,
     .offset = offsetof(struct listen_conf, http.forward.style),
     .fallback = "x-forwarded",
     .choices = forward_styles,
     .doc = "how a member is told who its client is; what clients say of that is dropped"},
    {.name = "trusted",
     .type = CONF_NET,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct listen_conf, http.forward.trusted_list),
     .doc = "a network of proxies: what they say of their clients is passed on"},
    {.name = "request-id",
     .type = CONF_FLAG,
     .offset = offsetof(struct listen_conf, http.forward.is_request_id),
     .doc = "X-Request-Id for requests that bring none"},
    {.name = "via",
     .type = CONF_CHOICE,
     .offset = offsetof(struct listen_conf, http.forward.is_via),
     .fallback = "on",
     .choices = forward_vias,
     .doc = "whether members are told that the request came through weir"},
    {.name = "tls",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct listen_conf, tls),
     .block = &tls_server_block,
     .doc = "certificates, versions and ciphers, where https is spoken"},
    {.name = "access-log",
     .type = CONF_CHOICE,
     .offset = offsetof(struct listen_conf, http.access_log),
     .fallback = "off",
     .choices = access_modes,
     .doc = "a line a request in the log, as text or JSON as `log` says"},
    {.name = "jobs-path",
     .type = CONF_STRING,
     .offset = offsetof(struct listen_conf, http.jobs_path),
     .fallback = async_path_default,
     .doc = "where clients find what became of their asynchronous requests: below it TOKEN and "
            "TOKEN/response, a TOKEN being 32 characters, are weir's, and no route sees them"},
    {.name = "sticky",
     .type = CONF_BLOCK,
     .offset = offsetof(struct listen_conf, http.sticky),
     .block = &sticky_block,
     .doc = "a client stays with the member that holds its session"},
    {0},
};

static bool listen_has_word(const void *self, const struct conf_word *word)
{
    const struct listen_conf *listen = self;
    return listen->kind == LISTEN_HTTPS || word->block != &tls_server_block;
}

static const struct conf_block listen_block = {
    .size = sizeof(struct listen_conf),
    .args = listen_args,
    .words = listen_words,
    .has_word = listen_has_word,
};

const struct conf_word edge_words[] = {
    {.name = "listen",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct edge_conf, listen_list),
     .block = &listen_block,
     .doc = "an address that clients connect to, and where their requests go"},
    {0},
};

const struct edge_conf *edge_conf_of(const struct snapshot *snap)
{
    return snapshot_conf(snap, &edge_module);
}

/* Two listens on one address would share its connections at random. */
static int check_addresses(const struct edge_conf *conf, size_t index, struct conf_load *load)
{
    const struct listen_conf *later = conf->listen_list.items[index];
    for (size_t i = 0; i < index; i++) {
        const struct listen_conf *earlier = conf->listen_list.items[i];
        if (addr_equal(&earlier->addr.addr, &later->addr.addr))
            return conf_error(load->diag, later->addr.at, NULL,
                              "listen %.*s (line %u) has this address already",
                              SLICE_ARG(earlier->name), earlier->addr.at.line);
    }
    return 0;
}

static int check_tls(struct listen_conf *listen, struct conf_load *load)
{
    struct conf_at kind = conf_where(&listen->object, "kind");
    bool is_https = listen->kind == LISTEN_HTTPS;
    if (!is_https && tls_server_is_set(&listen->tls))
        return conf_error(load->diag, listen->tls.object.at, "listen NAME https ADDRESS",
                          "http is spoken in the clear, without certificates");
    if (is_https && !tls_server_is_set(&listen->tls))
        return conf_error(load->diag, kind, "tls cert FILE", "https needs a certificate");
    return is_https ? tls_server_check(&listen->tls, listen->fact, load) : 0;
}

static bool has_listen(const struct edge_conf *conf, struct slice name)
{
    for (size_t i = 0; i < conf->listen_list.n_items; i++) {
        const struct listen_conf *listen = conf->listen_list.items[i];
        if (slice_equal(listen->name, name))
            return true;
    }
    return false;
}

/* Members that are listens of this node name one that there is. */
static int check_members(const struct edge_conf *conf, const struct snapshot *snap,
                         struct conf_load *load)
{
    const struct pool_conf *pools = pool_conf_of(snap);
    int rc = 0;
    for (uint32_t p = 0; p < pools->n_pools; p++) {
        for (uint32_t m = 0; m < pools->pools[p]->n_members; m++) {
            const struct conf_ref *listen = &pools->pools[p]->members[m]->listen;
            if (listen->name.len && !has_listen(conf, listen->name))
                rc = conf_error(load->diag, listen->at, NULL, "there is no listen \"%.*s\"",
                                SLICE_ARG(listen->name));
        }
    }
    return rc;
}

int edge_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    struct edge_conf *conf = self;
    int rc = 0;
    if (conf->listen_list.n_items >= LISTENS_MAX) {
        const struct listen_conf *first = conf->listen_list.items[LISTENS_MAX - 1];
        return conf_error(load->diag, conf_stmt_at(first->object.stmt), NULL,
                          "more than %d listens", LISTENS_MAX - 1);
    }
    for (size_t i = 0; i < conf->listen_list.n_items; i++) {
        struct listen_conf *listen = conf->listen_list.items[i];
        listen->fact = arena_printf(load->arena, "listen:%.*s", SLICE_ARG(listen->name));
        if (check_addresses(conf, i, load) < 0)
            rc = -1;
        if (check_tls(listen, load) < 0)
            rc = -1;
        bool is_tls = listen->kind == LISTEN_HTTPS;
        if (http_check(&listen->http, &listen->object, is_tls, snap, load) < 0)
            rc = -1;
    }
    if (deliver_listen(conf, snap, load) < 0)
        rc = -1;
    if (async_check(conf, snap, load) < 0)
        rc = -1;
    return check_members(conf, snap, load) < 0 ? -1 : rc;
}

int edge_sockets(const struct snapshot *snap, socket_want_fn *want, void *ctx)
{
    const struct edge_conf *conf = edge_conf_of(snap);
    for (size_t i = 0; i < conf->listens.n_items; i++) {
        const struct listen_conf *listen = conf->listens.items[i];
        bool is_ours = listen->http.is_internal;
        struct socket_want socket = {.name = listen->fact,
                                     .addr = listen->addr,
                                     .type = SOCK_STREAM,
                                     .backlog = LISTEN_BACKLOG,
                                     .is_per_loop = true,
                                     .unix_mode = is_ours ? 0600 : 0666};
        if (want(ctx, &socket) < 0)
            return -1;
    }
    return 0;
}

int edge_files(const struct snapshot *snap, file_want_fn *want, void *ctx)
{
    const struct edge_conf *conf = edge_conf_of(snap);
    for (size_t i = 0; i < conf->listen_list.n_items; i++) {
        const struct listen_conf *listen = conf->listen_list.items[i];
        if (listen->kind == LISTEN_HTTPS && tls_server_files(&listen->tls, want, ctx) < 0)
            return -1;
    }
    return 0;
}

int edge_check_files(const struct snapshot *snap, const struct conf_bundle *files,
                     struct conf_diag *diag)
{
    const struct edge_conf *conf = edge_conf_of(snap);
    int result = 0;
    for (size_t i = 0; i < conf->listen_list.n_items; i++) {
        const struct listen_conf *listen = conf->listen_list.items[i];
        if (listen->kind == LISTEN_HTTPS && tls_server_inspect(&listen->tls, files, diag) < 0)
            result = -1;
    }
    return result;
}
