/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where the queue listens: at the addresses of the file, and at sockets in the state directory that
 * no file names.
 */

#include "conf/loader.h"
#include "queue/conf.h"
#include "wire/jobproto.h"

enum { N_LOCALS = 2 };

/*
 * On a socket in the state directory. A path that is too long was told by admin, whose socket's is
 * longer still: NULL.
 */
static struct jobs_conf *add_local(struct queue_module_conf *conf, const struct snapshot *snap,
                                   const char *name, const char *socket, struct conf_load *load)
{
    struct jobs_conf *local = ARENA_NEW(load->arena, struct jobs_conf);
    const char *path = arena_printf(load->arena, "unix:%s/%s", snap->state_dir, socket);
    conf_block_init(load, &jobs_conf_block, local, (struct conf_at){0});
    local->name = slice_from(name);
    local->addr = (struct conf_addr){.text = slice_from(socket)};
    local->fact = arena_printf(load->arena, "jobs:%s", name);
    local->tls = (struct tls_server_conf){.versions = TLS_VERSIONS_BOTH};
    if (!snap->state_dir || addr_parse(slice_from(path), &local->addr.addr, NULL) < 0)
        return NULL;
    conf->listens.items[conf->listens.n_items++] = local;
    return local;
}

/* For the commands of whoever started weir, and for workers. */
static void add_commands(struct queue_module_conf *conf, const struct snapshot *snap,
                         struct conf_load *load)
{
    struct jobs_conf *local = add_local(conf, snap, "local-socket", JOBS_SOCKET, load);
    if (!local || conf->jobs_list.n_items == 0)
        return;
    const struct jobs_conf *first = conf->jobs_list.items[0];
    local->limits = first->limits;
    local->timeouts = first->timeouts;
}

/* Bodies are told apart by their queue; here the largest comes in. */
static int64_t body_max(const struct queue_module_conf *conf)
{
    int64_t max = 1;
    for (size_t i = 0; i < conf->queue_list.n_items; i++) {
        const struct queue_conf *queue = conf->queue_list.items[i];
        if (queue->is_async && queue->async.body_bytes > max)
            max = queue->async.body_bytes;
    }
    return max;
}

static void add_async(struct queue_module_conf *conf, const struct snapshot *snap,
                      struct conf_load *load)
{
    const struct queues_async_conf *async = &conf->queues.async;
    struct jobs_conf *local = add_local(conf, snap, ASYNC_LISTEN, ASYNC_SOCKET, load);
    if (!local)
        return;
    local->is_async = true;
    local->limits.connections = async->connections;
    local->limits.job_bytes = local->limits.batch_bytes = body_max(conf);
    local->timeouts.request_ms = async->request_ms;
    local->timeouts.send_ms = async->send_ms;
    local->timeouts.idle_ms = async->idle_ms;
    local->timeouts.wait_ms = async->wait_ms;
}

void listens_set(const struct snapshot *snap, struct queue_module_conf *conf,
                 struct conf_load *load)
{
    size_t n = conf->jobs_list.n_items;
    if (n == 0 && !conf->is_async)
        return;
    conf->listens.items = ARENA_NEW_ARRAY(load->arena, void *, n + N_LOCALS);
    for (size_t i = 0; i < n; i++)
        conf->listens.items[i] = conf->jobs_list.items[i];
    conf->listens.n_items = n;
    add_commands(conf, snap, load);
    if (conf->is_async)
        add_async(conf, snap, load);
}
