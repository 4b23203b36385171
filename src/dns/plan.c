/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plans: all that a snapshot needs in every loop, made before anything changes.
 */

#include "dns/internal.h"

#include "base/mem.h"
#include "core/secret.h"
#include "dns/count.h"
#include "tls/key.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* ---- sockets and counters ---- */

static int take_socket(struct process *process, const char *name, uint32_t loop_index,
                       struct err *err)
{
    int fd = process_socket(process, name, loop_index);
    int own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        err_set_errno(err, fd < 0 ? EBADF : errno, "no socket for %s", name);
    return own;
}

static int plan_sockets(struct dns_plan *plan, struct err *err)
{
    struct process *process = plan->dns->process;
    for (uint32_t i = 0; i < plan->n_listens; i++) {
        for (uint32_t l = 0; l < process->n_loops; l++) {
            uint32_t place = i * process->n_loops + l;
            plan->udp_fds[place] = take_socket(process, plan->listens[i]->fact, l, err);
            plan->tcp_fds[place] = take_socket(process, plan->listens[i]->tcp, l, err);
            if (plan->udp_fds[place] < 0 || plan->tcp_fds[place] < 0)
                return -1;
        }
    }
    return 0;
}

static int plan_slabs(struct dns_plan *plan, struct err *err)
{
    for (uint32_t i = 0; i < plan->n_listens; i++) {
        const char *name = plan->listens[i]->fact + strlen("dns:");
        plan->slabs[i] = slabs_take(&plan->dns->slabs, &dns_metrics, name);
        if (!plan->slabs[i])
            return err_set(err, "no room on the board for the counters of dns %s", name);
    }
    return 0;
}

/* ---- desks ---- */

/* One purpose, one key: the first secret makes cookies, the others still know theirs. */
static int desk_keys(struct dns_desk *desk, struct slice secret, struct err *err)
{
    struct secrets secrets;
    if (secrets_parse(secret, &secrets, err) < 0)
        return err_prefix(err, "the keys of DNS cookies");
    for (size_t i = 0; i < secrets.n_items && i < DESK_KEYS_MAX; i++) {
        uint8_t key[TLS_KEY_BYTES];
        tls_derive_key(secrets.items[i], "dns cookie 1", key);
        memcpy(desk->keys[i], key, DNS_COOKIE_KEY_BYTES);
        tls_wipe(key, sizeof(key));
        desk->n_keys++;
    }
    return 0;
}

static void desk_rates(struct dns_desk *desk, const struct dns_rate_conf *conf, uint32_t n_loops,
                       uint64_t seed)
{
    struct desk_rates *rates = &desk->rates;
    if (!conf->is_on)
        return;
    rates->rrl = rrl_create((uint32_t)conf->n_networks, seed);
    rates->answers = rrl_share(conf->answers.count, conf->answers.per_ms, n_loops);
    rates->negatives = rrl_share(conf->negatives.count, conf->negatives.per_ms, n_loops);
    rates->errors = rrl_share(conf->errors.count, conf->errors.per_ms, n_loops);
    rates->total = rrl_share(conf->total.count, conf->total.per_ms, n_loops);
    rates->slip = (uint32_t)conf->slip;
    rates->ipv4_bits = (unsigned)conf->ipv4_bits;
    rates->ipv6_bits = (unsigned)conf->ipv6_bits;
    rates->exempt = (const struct addr_net *const *)conf->exempt_list.items;
    rates->n_exempt = conf->exempt_list.n_items;
}

static int desk_init(struct dns_desk *desk, const struct dns_plan *plan, uint32_t index,
                     uint32_t loop_index, struct err *err)
{
    const struct dns_listen_conf *conf = plan->listens[index];
    struct process *process = plan->dns->process;
    uint64_t seed = process->seed + plan->snap->generation * BOARD_LOOPS_MAX + loop_index;
    desk->view = &plan->dns->loops[loop_index].view;
    desk->row = metric_row(plan->slabs[index]->slab, loop_index);
    desk->id = conf->id.len ? conf->id : slice_from(plan->snap->node);
    desk->nsid = conf->nsid.len ? conf->nsid : desk->id;
    desk->version = conf->version;
    desk->edns_bytes = (uint16_t)conf->edns_bytes;
    int64_t ticks = conf->timeouts.idle_ms / 100;
    desk->idle_ticks = (uint16_t)(ticks < UINT16_MAX ? ticks : UINT16_MAX);
    desk->has_cookies = conf->has_cookies;
    rng_init(&desk->rng, seed);
    desk_rates(desk, &conf->rate, process->n_loops, seed + 1);
    return conf->has_cookies ? desk_keys(desk, process_blob(process, BLOB_SECRET), err) : 0;
}

static int plan_desks(struct dns_plan *plan, struct err *err)
{
    uint32_t n_loops = plan->dns->process->n_loops;
    for (uint32_t i = 0; i < plan->n_listens; i++) {
        const struct dns_listen_conf *conf = plan->listens[i];
        plan->limits[i] = (struct tcp_limits){
            .connections = (uint64_t)conf->limits.connections,
            .slab = plan->slabs[i]->slab,
            .n_loops = n_loops,
            .queries = (uint64_t)conf->limits.queries,
            .pipelined = (uint32_t)conf->limits.pipelined,
            .output_bytes = (size_t)conf->limits.output_bytes,
            .idle_ns = (uint64_t)conf->timeouts.idle_ms * NS_PER_MS,
            .query_ns = (uint64_t)conf->timeouts.query_ms * NS_PER_MS,
            .send_ns = (uint64_t)conf->timeouts.send_ms * NS_PER_MS,
        };
        for (uint32_t l = 0; l < n_loops; l++)
            if (desk_init(&plan->desks[i * n_loops + l], plan, i, l, err) < 0)
                return -1;
    }
    return 0;
}

/* ---- zones ---- */

/* What the helper thread works on; loop 0 leaves it alone until is_done. */
struct zones_job {
    struct zones_options options;
    struct zones *zones;
    struct err err;
    _Atomic bool is_done;
};

static struct slice plan_bytes(void *ctx, const char *name)
{
    return process_blob(ctx, name);
}

static void *make_zones(void *ctx)
{
    struct zones_job *job = ctx;
    job->zones = zones_make(&job->options, NULL, &job->err);
    atomic_store_explicit(&job->is_done, true, memory_order_release);
    return NULL;
}

/* A million names take seconds, in which loop 0 goes on answering and says that it lives. */
static int run_beside(struct dns *dns, struct zones_job *job, struct err *err)
{
    enum { TURN_MS = 5 };
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, make_zones, job);
    if (rc != 0)
        return err_set_errno(err, rc, "cannot start the thread that makes zones");
    _Atomic uint64_t *heartbeat = board_heartbeat(dns->process->board, 0);
    while (!atomic_load_explicit(&job->is_done, memory_order_acquire)) {
        dns_loop_serve(&dns->loops[0], TURN_MS);
        atomic_store_explicit(heartbeat, loop_clock_ns(), memory_order_relaxed);
    }
    pthread_join(thread, NULL);
    return 0;
}

static int plan_zones(struct dns_plan *plan, struct err *err)
{
    struct process *process = plan->dns->process;
    struct zones_job job = {
        .options =
            {
                .snap = plan->snap,
                .conf = plan->conf,
                .bytes = plan_bytes,
                .bytes_ctx = process,
                .board = process->board,
                .wall_s = loop_wall_ns(process->loops[0]) / NS_PER_S,
                .seed = process->seed,
            },
        .err = ERR_NONE,
    };
    if (run_beside(plan->dns, &job, err) < 0)
        return -1;
    plan->zones = job.zones;
    if (!plan->zones)
        return err_set(err, "%s", job.err.text);
    return 0;
}

static void plan_records(struct dns_plan *plan)
{
    struct process *process = plan->dns->process;
    plan->records = record_set_create(plan->snap, plan->conf, process->board);
    plan->view = record_view_ref(record_set_view(plan->records));
}

/* ---- the whole ---- */

struct dns_plan *dns_plan_create(struct dns *dns, struct snapshot *snap, struct err *err)
{
    const struct dns_conf *conf = dns_conf_of(snap);
    struct dns_plan *plan = MEM_NEW(struct dns_plan);
    plan->dns = dns;
    plan->snap = snapshot_ref(snap);
    plan->conf = conf;
    plan->n_listens = (uint32_t)conf->dns_list.n_items;
    plan->listens = (struct dns_listen_conf **)conf->dns_list.items;
    size_t n_places = (size_t)plan->n_listens * dns->process->n_loops;
    plan->slabs = MEM_NEW_ARRAY(struct shared_slab *, plan->n_listens);
    plan->limits = MEM_NEW_ARRAY(struct tcp_limits, plan->n_listens);
    plan->desks = MEM_NEW_ARRAY(struct dns_desk, n_places);
    plan->udp_fds = MEM_NEW_ARRAY(int, n_places);
    plan->tcp_fds = MEM_NEW_ARRAY(int, n_places);
    memset(plan->udp_fds, -1, n_places * sizeof(int));
    memset(plan->tcp_fds, -1, n_places * sizeof(int));
    if (plan_slabs(plan, err) < 0 || plan_sockets(plan, err) < 0 || plan_desks(plan, err) < 0 ||
        plan_zones(plan, err) < 0)
        dns_plan_destroy(&plan);
    else
        plan_records(plan);
    return plan;
}

void dns_plan_destroy(struct dns_plan **plan_ptr)
{
    struct dns_plan *plan = *plan_ptr;
    *plan_ptr = NULL;
    if (!plan)
        return;
    size_t n_places = (size_t)plan->n_listens * plan->dns->process->n_loops;
    for (size_t i = 0; i < n_places; i++) {
        if (plan->udp_fds[i] >= 0)
            close(plan->udp_fds[i]);
        if (plan->tcp_fds[i] >= 0)
            close(plan->tcp_fds[i]);
        rrl_destroy(&plan->desks[i].rates.rrl);
    }
    for (uint32_t i = 0; i < plan->n_listens; i++)
        if (plan->slabs[i])
            slabs_leave(&plan->dns->slabs, plan->slabs[i]);
    if (plan->view)
        record_view_unref(&plan->view);
    record_set_destroy(&plan->records);
    zones_destroy(&plan->zones);
    mem_free(plan->slabs);
    mem_free(plan->limits);
    mem_free(plan->desks);
    mem_free(plan->udp_fds);
    mem_free(plan->tcp_fds);
    snapshot_unref(&plan->snap);
    mem_free(plan);
}
