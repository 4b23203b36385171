/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The listen that no file names: its text is made, and read as that of a file is.
 */

#include "edge/deliver.h"

#include "edge/internal.h"
#include "queue/deliver_conf.h"
#include <assert.h>

/* Each delivery brings its own (Weir-Timeout); these see that none stays for ever. */
#define TIMEOUTS "timeout { response 24h; stream 24h; body 1h; age 24h }"

static int read_text(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                     struct err *err)
{
    (void)path;
    (void)arena;
    (void)err;
    *ret_bytes = *(const struct slice *)ctx;
    return 0;
}

/* The first queue that delivers to a pool speaks for all of them. */
static bool is_first(const struct snapshot *snap, size_t n, const struct pool *pool)
{
    for (size_t i = 0; i < n; i++)
        if (slice_equal(deliver_conf_at(snap, i)->pool_ref.name, pool->name))
            return false;
    return true;
}

static struct slice write_text(const struct snapshot *snap, struct arena *arena)
{
    struct text text = TEXT_NONE;
    const struct deliver_conf *deliver;
    text_append(&text, SLICE("listen " DELIVER_LISTEN " http unix:/" DELIVER_SOCKET " {\n"));
    for (size_t i = 0; (deliver = deliver_conf_at(snap, i)); i++) {
        const struct pool *pool = pool_find(snap, deliver->pool_ref.name);
        if (!pool || !is_first(snap, i, pool)) /* the queue's check() tells of the first */
            continue;
        text_printf(&text, "route header Weir-Pool %.*s pool %.*s retry idempotency-key\n",
                    SLICE_ARG(pool->name), SLICE_ARG(pool->name));
    }
    text_append(&text, SLICE(TIMEOUTS "\nlimits { connections 10000000 }\nforwarded off\n}\n"));
    struct slice copy = arena_dup(arena, text_slice(&text));
    text_deinit(&text);
    return copy;
}

/* The folder's name may hold what the language would not take for a part of it. */
static int set_address(struct listen_conf *listen, const struct snapshot *snap, struct arena *arena)
{
    const char *path = arena_printf(arena, "unix:%s/" DELIVER_SOCKET, snap->state_dir);
    listen->addr.text = SLICE(DELIVER_SOCKET);
    return addr_parse(slice_from(path), &listen->addr.addr, NULL);
}

static struct listen_conf *read_listen(const struct snapshot *snap, struct arena *arena)
{
    struct slice text = write_text(snap, arena);
    const struct conf_host host = {.ctx = &text, .read = read_text};
    struct conf_files *files = ARENA_NEW(arena, struct conf_files);
    struct conf_diag *diag = ARENA_NEW(arena, struct conf_diag);
    struct edge_conf *conf = ARENA_NEW(arena, struct edge_conf);
    struct conf_load load = {.arena = arena, .diag = diag, .files = files};
    const struct conf_section section = {.module = "edge", .words = edge_words, .self = conf};
    conf_diag_init(diag, arena, files);
    const struct conf_stmt *root = conf_tree_read(SLICE(DELIVER_SOCKET), &host, arena, files, diag);
    int result = conf_load(&load, root, &section, 1);
    assert(result == 0 && diag->n_errors == 0 && conf->listen_list.n_items == 1);
    return conf->listen_list.items[0];
}

/* Routes of the file alone say what a floating address waits for. */
static int check_routes(struct listen_conf *listen, const struct snapshot *snap,
                        struct conf_load *load)
{
    const struct pool_conf *pools = pool_conf_of(snap);
    bool *was_routed = ARENA_NEW_ARRAY(load->arena, bool, pools->n_pools);
    for (uint32_t i = 0; i < pools->n_pools; i++)
        was_routed[i] = pools->pools[i]->is_routed;
    int result = http_check(&listen->http, &listen->object, false, snap, load);
    for (uint32_t i = 0; i < pools->n_pools; i++)
        pools->pools[i]->is_routed = was_routed[i];
    return result;
}

static int check_name(const struct edge_conf *conf, struct conf_load *load)
{
    for (size_t i = 0; i < conf->listen_list.n_items; i++) {
        const struct listen_conf *listen = conf->listen_list.items[i];
        if (slice_is(listen->name, DELIVER_LISTEN))
            return conf_error(load->diag, listen->object.at, NULL,
                              "the listen that queues deliver by has this name");
    }
    return 0;
}

int deliver_listen(struct edge_conf *conf, const struct snapshot *snap, struct conf_load *load)
{
    const struct deliver_conf *first = deliver_conf_at(snap, 0);
    size_t n = conf->listen_list.n_items;
    conf->listens = conf->listen_list;
    if (!first)
        return 0;
    struct listen_conf *listen = read_listen(snap, load->arena);
    if (listen->http.routes.n_items == 0)
        return 0; /* no pool that they name is there, and the queue's check() tells each */
    if (set_address(listen, snap, load->arena) < 0)
        return conf_error(load->diag, first->object.at, NULL,
                          "the path %s/" DELIVER_SOCKET " is too long for a unix socket",
                          snap->state_dir);
    listen->addr.at = first->object.at;
    listen->fact = "listen:" DELIVER_LISTEN;
    listen->http.is_internal = true;
    conf->listens.items = ARENA_NEW_ARRAY(load->arena, void *, n + 1);
    for (size_t i = 0; i < n; i++)
        conf->listens.items[i] = conf->listen_list.items[i];
    conf->listens.items[n] = listen;
    conf->listens.n_items = n + 1;
    return check_name(conf, load) < 0 ? -1 : check_routes(listen, snap, load);
}
