/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plans: everything that a snapshot needs in every loop, made before anything changes.
 */

#include "base/mem.h"
#include "core/secret.h"
#include "edge/internal.h"
#include "pool/pool_tls.h"
#include "tls/tls.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int plan_pool_slabs(struct edge_plan *plan, const struct pool_conf *pools, struct err *err)
{
    plan->n_pools = pools->n_pools;
    plan->pool_slabs = MEM_NEW_ARRAY(struct shared_slab *, pools->n_pools);
    for (uint32_t p = 0; p < pools->n_pools; p++) {
        const char *name = pools->pools[p]->name.ptr;
        plan->pool_slabs[p] = slabs_take(&plan->edge->slabs, &pool_metrics, name);
        if (!plan->pool_slabs[p])
            return err_set(err, "no room on the board for the counters of pool %s", name);
    }
    return 0;
}

static int plan_slabs(struct edge_plan *plan, struct err *err)
{
    struct slabs *slabs = &plan->edge->slabs;
    const struct pool_conf *pools = pool_conf_of(plan->snap);
    for (uint32_t i = 0; i < plan->n_listens; i++) {
        const char *name = plan->listens[i]->name.ptr;
        plan->listen_slabs[i] = slabs_take(slabs, &listen_metrics, name);
        if (!plan->listen_slabs[i])
            return err_set(err, "no room on the board for the counters of listen %s", name);
    }
    if (plan_pool_slabs(plan, pools, err) < 0)
        return -1;
    for (uint32_t p = 0; p < pools->n_pools; p++)
        plan->n_members += pools->pools[p]->n_members;
    plan->member_slabs = MEM_NEW_ARRAY(struct shared_slab *, plan->n_members);
    plan->first_member = MEM_NEW_ARRAY(uint32_t, pools->n_pools);
    for (uint32_t p = 0, n = 0; p < pools->n_pools; p++) {
        plan->first_member[p] = n;
        for (uint32_t m = 0; m < pools->pools[p]->n_members; m++, n++) {
            const char *label = pools->pools[p]->members[m]->label;
            plan->member_slabs[n] = slabs_take(slabs, &member_metrics, label);
            if (!plan->member_slabs[n])
                return err_set(err, "no room on the board for the counters of member %s", label);
        }
    }
    return 0;
}

static int plan_sockets(struct edge_plan *plan, struct err *err)
{
    struct process *process = plan->edge->process;
    for (uint32_t i = 0; i < plan->n_listens; i++) {
        for (uint32_t l = 0; l < process->n_loops; l++) {
            int fd = process_socket(process, plan->listens[i]->fact, l);
            int own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
            if (own < 0)
                return err_set_errno(err, fd < 0 ? EBADF : errno, "no socket for %s",
                                     plan->listens[i]->fact);
            plan->sockets[i * process->n_loops + l] = own;
        }
    }
    return 0;
}

static struct slice plan_bytes(void *ctx, const char *name)
{
    const struct edge_plan *plan = ctx;
    return process_blob(plan->edge->process, name);
}

/* The bundle that is being prepared has the files and the secret. */
static int plan_tls(struct edge_plan *plan, struct err *err)
{
    struct process *process = plan->edge->process;
    plan->pool_tls = pool_tls_create(plan->snap, plan_bytes, plan, err);
    if (!plan->pool_tls)
        return -1;
    for (uint32_t i = 0; i < plan->n_listens; i++) {
        const struct listen_conf *listen = plan->listens[i];
        if (listen->kind != LISTEN_HTTPS)
            continue;
        const struct tls_server_options options = {
            .conf = &listen->tls,
            .name = listen->fact,
            .secret = process_blob(process, BLOB_SECRET),
            .bytes = plan_bytes,
            .bytes_ctx = plan,
            .n_loops = process->n_loops,
        };
        plan->servers[i] = tls_server_create(&options, err);
        if (!plan->servers[i])
            return err_prefix(err, "%s", listen->fact);
    }
    return 0;
}

/* The epoch is gone, in its loop's thread; loop 0 has the last word on the plan. */
static void plan_on_loop_gone(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    struct plan_loop *share = CONTAINER_OF(task, struct plan_loop, gone);
    struct edge_plan *plan = share->plan;
    assert(plan->n_epochs > 0);
    if (--plan->n_epochs == 0)
        plan_destroy(&plan);
}

static void plan_on_epoch_gone(struct http_epoch *epoch, void *ctx)
{
    struct plan_loop *share = ctx;
    assert(epoch == share->epoch);
    http_epoch_destroy(&share->epoch);
    loop_post(share->plan->edge->process->loops[0], &share->gone, plan_on_loop_gone);
}

struct row_ctx {
    const struct edge_plan *plan;
    uint32_t loop_index;
};

static metric_word *plan_member_row(void *ctx, const struct member *member, uint32_t loop_index)
{
    const struct row_ctx *row = ctx;
    if (member->pool == async_pool_of(row->plan->async))
        return async_member_row(row->plan->async, loop_index);
    uint32_t index = row->plan->first_member[member->pool->index] + member->index;
    return metric_row(row->plan->member_slabs[index]->slab, loop_index);
}

static metric_word *plan_pool_row(void *ctx, const struct pool *pool)
{
    const struct row_ctx *row = ctx;
    if (pool == async_pool_of(row->plan->async))
        return async_pool_row(row->plan->async, row->loop_index);
    return metric_row(row->plan->pool_slabs[pool->index]->slab, row->loop_index);
}

/* The listen's own address; a unix path is no host. */
static struct slice host_of(const struct listen_conf *listen)
{
    return addr_family(&listen->addr.addr) == AF_UNIX ? SLICE("localhost") : listen->addr.text;
}

static void plan_epoch(struct edge_plan *plan, uint32_t loop_index)
{
    struct edge *edge = plan->edge;
    struct http_service_want *wants = MEM_NEW_ARRAY(struct http_service_want, plan->n_listens);
    for (uint32_t i = 0; i < plan->n_listens; i++) {
        wants[i].name = plan->listens[i]->name.ptr;
        wants[i].host = host_of(plan->listens[i]);
        wants[i].port = addr_port(&plan->listens[i]->addr.addr);
        wants[i].conf = &plan->listens[i]->http;
        wants[i].tls = plan->servers[i];
        wants[i].row = metric_row(plan->listen_slabs[i]->slab, loop_index);
    }
    struct row_ctx row = {.plan = plan, .loop_index = loop_index};
    struct plan_loop *share = &plan->loops[loop_index];
    share->plan = plan;
    const struct http_epoch_options options = {
        .worker = edge->loops[loop_index].worker,
        .snap = plan->snap,
        .tls = plan->pool_tls,
        .async = async_pool_of(plan->async),
        .loop_index = loop_index,
        .commons = edge->commons,
        .seed = edge->process->seed,
        .secret = process_blob(edge->process, BLOB_SECRET),
        .wants = wants,
        .n_wants = plan->n_listens,
        .member_row = plan_member_row,
        .pool_row = plan_pool_row,
        .row_ctx = &row,
        .on_gone = plan_on_epoch_gone,
        .gone_ctx = share,
    };
    share->epoch = http_epoch_create(&options);
    plan->n_epochs++;
    mem_free(wants);
}

struct edge_plan *plan_create(struct edge *edge, struct snapshot *snap, struct err *err)
{
    const struct edge_conf *conf = edge_conf_of(snap);
    uint32_t n_loops = edge->process->n_loops;
    struct edge_plan *plan = MEM_NEW(struct edge_plan);
    plan->edge = edge;
    plan->snap = snapshot_ref(snap);
    plan->n_listens = (uint32_t)conf->listens.n_items;
    plan->listens = (struct listen_conf **)conf->listens.items;
    plan->listen_slabs = MEM_NEW_ARRAY(struct shared_slab *, plan->n_listens);
    plan->servers = MEM_NEW_ARRAY(struct tls_server *, plan->n_listens);
    plan->sockets = MEM_NEW_ARRAY(int, plan->n_listens *n_loops);
    for (uint32_t i = 0; i < plan->n_listens * n_loops; i++)
        plan->sockets[i] = -1;
    plan->loops = MEM_NEW_ARRAY(struct plan_loop, n_loops);
    if (conf->has_queues)
        plan->async = async_pool_create(edge->process, snap);
    edge->n_plans++;
    if (plan_slabs(plan, err) < 0 || plan_sockets(plan, err) < 0 || plan_tls(plan, err) < 0) {
        plan_destroy(&plan);
        return NULL;
    }
    for (uint32_t l = 0; l < n_loops; l++)
        plan_epoch(plan, l);
    return plan;
}

void plan_destroy(struct edge_plan **plan_ptr)
{
    struct edge_plan *plan = *plan_ptr;
    *plan_ptr = NULL;
    if (!plan)
        return;
    struct edge *edge = plan->edge;
    uint32_t n_loops = edge->process->n_loops;
    for (uint32_t l = 0; l < n_loops; l++)
        http_epoch_destroy(&plan->loops[l].epoch); /* only where it was never committed */
    for (uint32_t i = 0; i < plan->n_listens * n_loops; i++)
        if (plan->sockets[i] >= 0)
            close(plan->sockets[i]);
    for (uint32_t i = 0; i < plan->n_listens; i++)
        if (plan->listen_slabs[i])
            slabs_leave(&edge->slabs, plan->listen_slabs[i]);
    for (uint32_t i = 0; plan->member_slabs && i < plan->n_members; i++)
        if (plan->member_slabs[i])
            slabs_leave(&edge->slabs, plan->member_slabs[i]);
    for (uint32_t i = 0; plan->pool_slabs && i < plan->n_pools; i++)
        if (plan->pool_slabs[i])
            slabs_leave(&edge->slabs, plan->pool_slabs[i]);
    mem_free(plan->pool_slabs);
    for (uint32_t i = 0; i < plan->n_listens; i++)
        tls_server_destroy(&plan->servers[i]);
    mem_free(plan->servers);
    pool_tls_destroy(&plan->pool_tls);
    mem_free(plan->listen_slabs);
    mem_free(plan->member_slabs);
    mem_free(plan->first_member);
    mem_free(plan->sockets);
    mem_free(plan->loops);
    async_pool_destroy(&plan->async);
    snapshot_unref(&plan->snap);
    mem_free(plan);
    edge->n_plans--;
}
