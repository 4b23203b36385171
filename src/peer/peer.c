/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The module peer: its life inside its process, and what it offers.
 */

#include "peer/peer.h"

#include "base/mem.h"
#include "core/node.h"
#include "core/urgent.h"
#include "peer/internal.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { NS_PER_MS = 1000000 };

static const char key_purpose[] = "beat between nodes";

/* ---- keys ---- */

static void sign(void *key, struct slice data, uint8_t ret_mac[BEAT_MAC_BYTES])
{
    tls_mac_sign(key, data, ret_mac);
}

static void keys_destroy(struct peer_keys **keys)
{
    for (size_t i = 0; *keys && i < (*keys)->n_macs; i++)
        tls_mac_destroy(&(*keys)->macs[i]);
    mem_free(*keys);
    *keys = NULL;
}

static struct peer_keys *keys_create(struct slice secret, struct err *err)
{
    struct secrets secrets;
    uint8_t key[TLS_KEY_BYTES];
    if (secrets_parse(secret, &secrets, err) < 0)
        return NULL;
    struct peer_keys *keys = MEM_NEW(struct peer_keys);
    for (size_t i = 0; i < secrets.n_items; i++) {
        tls_derive_key(secrets.items[i], key_purpose, key);
        keys->macs[keys->n_macs] = tls_mac_create(slice_make((const char *)key, sizeof(key)));
        beat_keys_add(&keys->keys, sign, keys->macs[keys->n_macs++]);
        tls_wipe(key, sizeof(key));
    }
    return keys;
}

/* ---- slabs ---- */

/* The row of a slab, which may be missing. */
static metric_word *row_of(const struct peer *peer, struct metric_slab *slab)
{
    return slab ? metric_row(slab, 0) : peer->sink;
}

static struct metric_slab *slab_open(const struct peer *peer, const struct metric_table *table,
                                     const char *object)
{
    return metric_open(peer->board, table, object, 1, !peer->is_started);
}

static void slab_close(const struct peer *peer, struct metric_slab **slab)
{
    if (*slab)
        metric_close(peer->board, *slab);
    *slab = NULL;
}

/* ---- this node's own facts ---- */

static void on_change(void *ctx, const struct board_change *change)
{
    struct peer *peer = ctx;
    enum outbox_want want = outbox_wants(change->name);
    if (want == OUTBOX_NO)
        return;
    if (change->to == FACT_NONE)
        outbox_forget(&peer->outbox, change->name);
    else
        outbox_note(&peer->outbox, change->name, change->ref);
    /* From a state to itself: it was told, which is how a vip asks. */
    if (want == OUTBOX_NOW && peer->n_paths > 0)
        channel_hurry(peer, change->from == change->to);
}

static void look_at_board(struct peer *peer)
{
    size_t own = (size_t)board_segment(peer->board, peer->process->kind);
    struct fact fact;
    for (size_t segment = 0; segment < board_n_segments(peer->board); segment++) {
        uint32_t cursor = 0;
        while (segment != own && board_next(peer->board, segment, &cursor, &fact))
            if (outbox_wants(fact.name) != OUTBOX_NO)
                outbox_note(&peer->outbox, fact.name, board_find(peer->board, fact.name));
    }
}

static void on_lost(void *ctx, size_t segment)
{
    struct peer *peer = ctx;
    (void)segment;
    outbox_clear(&peer->outbox);
    look_at_board(peer);
}

/* ---- paths ---- */

static const struct peer_path_conf *path_conf(const struct peer_conf *conf, uint32_t index)
{
    return conf->path_list.items[index];
}

static struct peer_path *path_find(const struct peer *peer, const char *name)
{
    for (uint32_t i = 0; i < peer->n_paths; i++)
        if (strcmp(peer->paths[i].name, name) == 0)
            return &peer->paths[i];
    return NULL;
}

/* The slab of a path that stays passes over; the others are closed. */
static void paths_destroy(struct peer *peer, struct peer_path *paths, uint32_t n_paths)
{
    for (uint32_t i = 0; i < n_paths; i++) {
        struct peer_path *heir = path_find(peer, paths[i].name);
        if (heir) {
            heir->slab = paths[i].slab;
            heir->strangers = paths[i].strangers;
            heir->unsent = paths[i].unsent;
        } else {
            slab_close(peer, &paths[i].slab);
        }
    }
    mem_free(paths);
}

static void path_init(struct peer *peer, uint32_t index, const struct peer_conf *conf)
{
    struct peer_path *path = &peer->paths[index];
    const struct peer_path_conf *from = path_conf(conf, index);
    path->peer = peer;
    path->index = index;
    path->name = from->name;
    path->fact = from->fact;
    path->fd = process_socket(peer->process, from->fact, 0);
    path->period_ns = (uint64_t)peer_path_every_ms(conf, from) * NS_PER_MS;
    loop_io_init(&path->io);
}

/* Over the sockets of the new snapshot; the former ones are disarmed. */
static void paths_take(struct peer *peer, const struct snapshot *snap)
{
    const struct peer_conf *conf = peer_conf_of(snap);
    struct peer_path *former = peer->paths;
    uint32_t n_former = peer->n_paths;
    for (uint32_t i = 0; i < n_former; i++)
        channel_close(&former[i]);
    peer->n_paths = peer_conf_is_needed(snap) ? (uint32_t)conf->path_list.n_items : 0;
    peer->paths = MEM_NEW_ARRAY(struct peer_path, peer->n_paths);
    peer->period_ns = (uint64_t)peer_conf_every_ms(snap) * NS_PER_MS;
    for (uint32_t i = 0; i < peer->n_paths; i++)
        path_init(peer, i, conf);
    paths_destroy(peer, former, n_former);
    for (uint32_t i = 0; i < peer->n_paths; i++) {
        struct peer_path *path = &peer->paths[i];
        struct err err = ERR_NONE;
        if (!path->slab)
            path->slab = slab_open(peer, &peer_path_metrics, path->name);
        path->row = row_of(peer, path->slab);
        if (channel_open(path, &err) < 0)
            log_write(process_log(peer->loop), LOG_LEVEL_ERROR, "peer %s: %s", path->name,
                      err.text);
    }
}

/* ---- mates ---- */

static struct peer_mate *mate_create(struct peer *peer, struct slice name, const char *own_name)
{
    struct peer_mate *self = MEM_NEW(struct peer_mate);
    const struct mate_config config = {.name = name,
                                       .own_name = slice_from(own_name),
                                       .own_life = peer->own_life,
                                       .seed = rng_next(&peer->rng)};
    self->peer = peer;
    mate_init(&self->mate, &config);
    self->slab = slab_open(peer, &peer_node_metrics, self->mate.name);
    self->row = row_of(peer, self->slab);
    return self;
}

static void mate_destroy(struct peer_mate **mate, bool is_gone)
{
    struct peer_mate *self = *mate;
    for (uint32_t i = 0; i < BEAT_PATHS_MAX; i++) {
        if (is_gone)
            slab_close(self->peer, &self->links[i].slab);
        else if (self->links[i].slab)
            metric_forget(self->links[i].slab);
    }
    if (is_gone)
        slab_close(self->peer, &self->slab);
    else if (self->slab)
        metric_forget(self->slab);
    mate_deinit(&self->mate);
    mem_free(self);
    *mate = NULL;
}

/* The mate's places on the new paths; what is counted on paths that stay goes on. */
static void links_take(struct peer_mate *self, const struct peer_conf *conf, size_t node)
{
    struct peer *peer = self->peer;
    struct peer_link former[BEAT_PATHS_MAX];
    struct mate_path paths[BEAT_PATHS_MAX] = {{0}};
    memcpy(former, self->links, sizeof(former));
    memset(self->links, 0, sizeof(self->links));
    for (uint32_t i = 0; i < peer->n_paths; i++) {
        struct peer_link *link = &self->links[i];
        char object[FACT_NAME_MAX];
        paths[i] =
            (struct mate_path){.name = peer->paths[i].name, .period_ns = peer->paths[i].period_ns};
        for (uint32_t k = 0; k < self->mate.n_paths; k++) {
            if (strcmp(self->mate.paths[k].name, paths[i].name) != 0)
                continue;
            *link = former[k];
            former[k].slab = NULL;
        }
        snprintf(object, sizeof(object), "%s/%s", self->mate.name, paths[i].name);
        if (!link->slab)
            link->slab = slab_open(peer, &peer_metrics, object);
        link->row = row_of(peer, link->slab);
        link->addr = path_conf(conf, i)->addrs[node];
    }
    for (uint32_t k = 0; k < BEAT_PATHS_MAX; k++)
        slab_close(peer, &former[k].slab);
    mate_configure(&self->mate, paths, peer->n_paths, peer->period_ns);
}

static struct peer_mate *mate_cut(struct peer_mate **mates, uint32_t n, struct slice name)
{
    for (uint32_t i = 0; i < n; i++) {
        struct peer_mate *found = mates[i];
        if (!found || !slice_is(name, found->mate.name))
            continue;
        mates[i] = NULL;
        return found;
    }
    return NULL;
}

static void mates_take(struct peer *peer, const struct snapshot *snap)
{
    const struct peer_conf *conf = peer_conf_of(snap);
    const struct nodes_conf *nodes = settings_of(snap)->nodes;
    struct peer_mate *former[PEER_MATES_MAX];
    uint32_t n_former = peer->n_mates;
    memcpy(former, peer->mates, sizeof(former));
    peer->n_mates = 0;
    for (size_t i = 0; peer->n_paths > 0 && i < nodes->list.n_items; i++) {
        const struct node_conf *node = nodes->list.items[i];
        if (slice_is(node->name, snap->node))
            continue;
        struct peer_mate *mate = mate_cut(former, n_former, node->name);
        bool is_new = mate == NULL;
        if (is_new)
            mate = mate_create(peer, node->name, snap->node);
        links_take(mate, conf, i);
        if (is_new)
            publish_adopt(mate);
        peer->mates[peer->n_mates++] = mate;
    }
    for (uint32_t i = 0; i < n_former; i++) {
        if (!former[i])
            continue;
        publish_gone(former[i]);
        mate_destroy(&former[i], true);
    }
}

/* Of facts that an earlier life has left, those of nodes that are gone. */
static bool is_of_a_mate(void *ctx, const char *name)
{
    const struct peer *peer = ctx;
    struct slice rest = slice_from(name);
    slice_cut(&rest, ':');
    struct slice node = slice_cut(&rest, '/');
    for (uint32_t i = 0; i < peer->n_mates; i++)
        if (slice_is(node, peer->mates[i]->mate.name))
            return true;
    return false;
}

static bool is_path(void *ctx, const char *name)
{
    const struct peer *peer = ctx;
    for (uint32_t i = 0; i < peer->n_paths; i++)
        if (strcmp(peer->paths[i].fact, name) == 0)
            return true;
    return false;
}

static void sweep(struct peer *peer)
{
    static const char *const prefixes[] = {"peer:", "file:", "at:"};
    uint64_t wall_ns = loop_wall_ns(peer->loop);
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        board_sweep(peer->board, prefixes[i], is_of_a_mate, peer, wall_ns);
    board_sweep(peer->board, "path:", is_path, peer, wall_ns);
}

/* ---- life ---- */

static int peer_start(struct process *process, void **ret_state, struct err *err)
{
    (void)err;
    struct peer *peer = MEM_NEW(struct peer);
    peer->process = process;
    peer->loop = process->loops[0];
    peer->board = process->board;
    rng_init(&peer->rng, process->seed);
    do
        tls_random(&peer->own_life, sizeof(peer->own_life));
    while (peer->own_life == 0);
    peer->sink = MEM_NEW_ARRAY(metric_word, PEER_WORDS);
    peer->round = MEM_NEW(struct outbox_round);
    peer->slab = slab_open(peer, &beats_metrics, "beats");
    peer->row = row_of(peer, peer->slab);
    outbox_init(&peer->outbox, rng_next(&peer->rng));
    channel_timer_init(peer);
    urgent_become(process, URGENT_WORDS);
    process_watch(process, on_change, on_lost, peer);
    look_at_board(peer);
    *ret_state = peer;
    return 0;
}

static int peer_prepare(void *state, struct snapshot *snap, struct err *err)
{
    struct peer *peer = state;
    const struct peer_conf *conf = peer_conf_of(snap);
    assert(!peer->next_keys);
    for (uint32_t i = 0; peer_conf_is_needed(snap) && i < conf->path_list.n_items; i++)
        if (process_socket(peer->process, path_conf(conf, i)->fact, 0) < 0)
            return err_set(err, "no socket for peer %s", path_conf(conf, i)->name);
    peer->next_keys = keys_create(process_blob(peer->process, BLOB_SECRET), err);
    return peer->next_keys ? 0 : err_prefix(err, "secret-file");
}

static void peer_abort(void *state, struct snapshot *snap)
{
    struct peer *peer = state;
    (void)snap;
    keys_destroy(&peer->next_keys);
}

static void peer_commit(void *state, struct snapshot *snap)
{
    struct peer *peer = state;
    keys_destroy(&peer->keys);
    peer->keys = peer->next_keys;
    peer->next_keys = NULL;
    peer->snap = snap;
    paths_take(peer, snap);
    mates_take(peer, snap);
    sweep(peer);
    peer->is_started = true;
    if (peer->n_paths > 0)
        channel_begin(peer);
    else
        loop_timer_clear(peer->loop, &peer->timer);
}

/* The former build sends nothing beside the new one; at any other end the beats go on while the
 * others drain. */
static void peer_drain(void *state, uint64_t deadline_ns)
{
    struct peer *peer = state;
    (void)deadline_ns;
    if (peer->process->is_former)
        channel_end(peer);
}

/* Nobody keeps these facts up to date any more; where weir goes on, without peers. */
static void peer_stop(void *state)
{
    struct peer *peer = state;
    channel_end(peer);
    for (uint32_t i = 0; i < peer->n_mates; i++) {
        publish_gone(peer->mates[i]);
        mate_destroy(&peer->mates[i], false);
    }
    board_sweep(peer->board, "path:", NULL, NULL, loop_wall_ns(peer->loop));
    for (uint32_t i = 0; i < peer->n_paths; i++)
        if (peer->paths[i].slab)
            metric_forget(peer->paths[i].slab);
    if (peer->slab)
        metric_forget(peer->slab);
    keys_destroy(&peer->keys);
    keys_destroy(&peer->next_keys);
    outbox_deinit(&peer->outbox);
    mem_free(peer->paths);
    mem_free(peer->round);
    mem_free(peer->sink);
    mem_free(peer);
}

/* ---- status ---- */

static void json_link(struct json *json, const struct peer_mate *self, uint32_t path)
{
    const struct mate_path *from = &self->mate.paths[path];
    const struct peer_link *link = &self->links[path];
    uint64_t now_ns = loop_clock_ns();
    char text[ADDR_TEXT_MAX];
    json_object_begin(json);
    json_key(json, "path");
    json_cstr(json, from->name);
    json_key(json, "address");
    json_cstr(json, addr_format(&link->addr, text));
    json_key(json, "is_heard");
    json_bool(json, mate_path_is_live(&self->mate, path, now_ns));
    if (from->heard_ns) {
        json_key(json, "heard_ms_ago");
        json_uint(json, (now_ns - from->heard_ns) / NS_PER_MS);
    }
    json_key(json, "sent");
    json_uint(json, atomic_load_explicit(&link->row[PEER_SENT], memory_order_relaxed));
    json_key(json, "received");
    json_object_begin(json);
    for (uint32_t i = 0; i < MATE_N_OUTCOMES; i++) {
        json_key(json, mate_outcome_name((enum mate_outcome)i));
        json_uint(json, atomic_load_explicit(&link->row[PEER_RECEIVED + i], memory_order_relaxed));
    }
    json_object_end(json);
    json_object_end(json);
}

static void json_mate(struct json *json, const struct peer_mate *self)
{
    const struct mate *mate = &self->mate;
    json_object_begin(json);
    json_key(json, "node");
    json_cstr(json, mate->name);
    json_key(json, "state");
    json_cstr(json, fact_state_name(mate->state));
    json_key(json, "reason");
    json_cstr(json, mate->reason);
    if (mate->state == FACT_UP) {
        json_key(json, "has_other_file");
        json_bool(json, mate->has_other_file);
        json_key(json, "round_trip_us");
        json_uint(json, mate->beats.round_trip_ns / 1000);
    }
    json_key(json, "facts");
    json_uint(json, mate->inbox.n_items);
    json_key(json, "paths");
    json_array_begin(json);
    for (uint32_t i = 0; i < mate->n_paths; i++)
        json_link(json, self, i);
    json_array_end(json);
    json_object_end(json);
}

static void peer_status(void *state, struct json *json)
{
    const struct peer *peer = state;
    json_key(json, "every_ms");
    json_uint(json, peer->period_ns / NS_PER_MS);
    json_key(json, "facts");
    json_uint(json, outbox_n_facts(&peer->outbox));
    json_key(json, "peers");
    json_array_begin(json);
    for (uint32_t i = 0; i < peer->n_mates; i++)
        json_mate(json, peer->mates[i]);
    json_array_end(json);
}

/* ---- from the outside ---- */

static int peer_sockets(const struct snapshot *snap, socket_want_fn *want, void *ctx)
{
    const struct peer_conf *conf = peer_conf_of(snap);
    for (uint32_t i = 0; i < conf->path_list.n_items; i++) {
        const struct peer_path_conf *path = path_conf(conf, i);
        const struct socket_want socket = {
            .name = path->fact, .addr = path->own, .type = SOCK_DGRAM};
        if (want(ctx, &socket) < 0)
            return -1;
    }
    return 0;
}

static const struct fact_kind fact_kinds[] = {
    {.name = "peer",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc =
         "another node: up, down (silent for three beats), unknown (never heard, or not proven), "
         "failed (the reason says what to do); the value is the round trip in seconds"},
    {.name = "file",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc = "the file of another node that is up: up (the same as here), degraded (another)"},
    {.name = "path",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc = "a net over which the nodes hear each other: up (all the others), degraded (some), "
            "down (none); the value is how many"},
    {.name = "at",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc = "at:NODE/FACT is what another node that is up says of itself, with state and value"},
    {0},
};

static const struct metric_table *const metrics[] = {&peer_metrics, &peer_node_metrics,
                                                     &peer_path_metrics, &beats_metrics, NULL};

const struct module peer_module = {
    .name = "peer",
    .doc = "beats between the nodes, and what the others say of themselves",
    .words = peer_words,
    .conf_size = sizeof(struct peer_conf),
    .check = peer_check,
    .fact_kinds = fact_kinds,
    .metrics = metrics,
    .process = "peer",
    .is_needed = peer_conf_is_needed,
    .sockets = peer_sockets,
    .start = peer_start,
    .prepare = peer_prepare,
    .commit = peer_commit,
    .abort = peer_abort,
    .drain = peer_drain,
    .stop = peer_stop,
    .status = peer_status,
};
