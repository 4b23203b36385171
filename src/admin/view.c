/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a view together: the configured things in the order of the file, each with its fact and
 * its counters.
 */
#include "admin/view.h"

#include "config.h"
#include "core/build.h"
#include "pool/pool.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Processes that run, and those of former builds. */
enum { CHILDREN_MAX = 4 * BOARD_SEGMENTS_MAX };

struct making {
    const struct view_source *source;
    struct arena *arena;
    const struct tallies *tallies;
    struct view *view;
    size_t cap_listens;
    struct usage_child children[CHILDREN_MAX];
    size_t n_children;
};

/* ---- one fact ---- */

static bool fact_get(const struct board *board, const char *name, struct fact *ret_fact)
{
    struct fact_ref ref = board_find(board, name);
    return ref.is_set && board_read(board, ref, ret_fact);
}

/* The state and reason that a missing fact stands for, too. */
static void object_fact(struct making *making, const char *name, struct view_object *object)
{
    struct fact fact;
    if (!name || !fact_get(making->source->board, name, &fact)) {
        object->state = fact_state_name(FACT_UNKNOWN);
        object->reason = "";
        return;
    }
    object->state = fact_state_name(fact.state);
    object->reason = arena_dup(making->arena, slice_from(fact.reason)).ptr;
    object->since_ns = fact.since_ns;
}

/* ---- processes ---- */

static void process_make(struct making *making, size_t segment, struct view_process *process)
{
    const struct board *board = making->source->board;
    uint32_t n_starts = board_starts(board, segment);
    process->name = board_segment_name(board, segment);
    process->n_restarts = n_starts ? n_starts - 1 : 0;
    uint64_t silence_ns = board_silence(board, segment, making->source->now_ns);
    process->has_heartbeat = silence_ns != UINT64_MAX;
    process->heartbeat_age_s = process->has_heartbeat ? (double)silence_ns / 1e9 : 0;
    process->state = fact_state_name(process->has_heartbeat ? FACT_UP : FACT_UNKNOWN);
    process->reason = "";
    struct fact fact;
    if (!fact_get(board, arena_printf(making->arena, "process:%s", process->name), &fact))
        return;
    process->state = fact_state_name(fact.state);
    process->reason = arena_dup(making->arena, slice_from(fact.reason)).ptr;
    process->since_ns = fact.since_ns;
}

/* What the kernel knows of it: processes are found by the names that they give themselves. */
static void process_usage(struct making *making, struct view_process *process)
{
    char name[32];
    snprintf(name, sizeof(name), "weir:%.10s", process->name);
    for (size_t i = 0; i < making->n_children; i++) {
        const struct usage_child *child = &making->children[i];
        /* Behind an upgrade there is an older one of the name. */
        if (strcmp(child->usage.name, name) != 0 ||
            (process->has_usage && child->usage.born_s < process->usage.born_s))
            continue;
        process->pid = child->pid;
        process->usage = child->usage;
        process->has_usage = true;
    }
    if (strcmp(process->name, "supervisor") != 0)
        return;
    process->pid = making->source->supervisor;
    process->has_usage = usage_read(process->pid, &process->usage) == 0;
    double age_s = usage_now_s() - process->usage.born_s;
    if (process->has_usage && age_s > 0)
        making->view->uptime_s = age_s;
}

bool view_has_process(const struct board *board, size_t segment)
{
    char name[FACT_NAME_MAX];
    const char *kind = board_segment_name(board, segment);
    snprintf(name, sizeof(name), "process:%s", kind);
    return strcmp(kind, "supervisor") == 0 || board_find(board, name).is_set;
}

/* A process of a former build: its fact is all that is known here, and what the kernel says. */
static void former_make(struct making *making, const struct fact *fact)
{
    struct view *view = making->view;
    struct view_process *process = &view->processes[view->n_processes++];
    process->name = arena_dup(making->arena, slice_from(fact->name)).ptr;
    process->state = fact_state_name(fact->state);
    process->reason = arena_dup(making->arena, slice_from(fact->reason)).ptr;
    process->since_ns = fact->since_ns;
    process->pid = (pid_t)fact->value;
    process->has_usage = usage_read(process->pid, &process->usage) == 0;
}

static void formers_make(struct making *making)
{
    const struct board *board = making->source->board;
    int segment = board_segment(board, "supervisor");
    uint32_t cursor = 0;
    struct fact fact;
    while (segment >= 0 && making->view->n_processes < CHILDREN_MAX &&
           board_next(board, (size_t)segment, &cursor, &fact)) {
        if (slice_starts(slice_from(fact.name), SLICE("former:")))
            former_make(making, &fact);
    }
}

static void processes_make(struct making *making)
{
    const struct board *board = making->source->board;
    struct view *view = making->view;
    view->processes = ARENA_NEW_ARRAY(making->arena, struct view_process, CHILDREN_MAX);
    making->n_children = usage_children(making->source->supervisor, making->children, CHILDREN_MAX);
    for (size_t segment = 0; segment < board_n_segments(board); segment++) {
        if (!view_has_process(board, segment))
            continue;
        struct view_process *process = &view->processes[view->n_processes++];
        process_make(making, segment, process);
        process_usage(making, process);
    }
    formers_make(making);
}

struct view_process *view_process_find(struct view *view, const char *name)
{
    for (size_t i = 0; i < view->n_processes; i++) {
        if (strcmp(view->processes[i].name, name) == 0)
            return &view->processes[i];
    }
    return NULL;
}

/* ---- listens ---- */

static const char *want_address(struct making *making, const struct socket_want *want)
{
    char text[ADDR_TEXT_MAX];
    return arena_dup(making->arena, slice_from(addr_format(&want->addr.addr, text))).ptr;
}

/* "listen:shop" is shown as shop, what else listens by its whole name. */
static int listen_make(void *ctx, const struct socket_want *want)
{
    struct making *making = ctx;
    struct view *view = making->view;
    if (view->n_listens == making->cap_listens) {
        size_t cap = making->cap_listens ? making->cap_listens * 2 : 16;
        struct view_object *grown = ARENA_NEW_ARRAY(making->arena, struct view_object, cap);
        if (view->n_listens)
            memcpy(grown, view->listens, view->n_listens * sizeof(*grown));
        view->listens = grown;
        making->cap_listens = cap;
    }
    struct view_object *listen = &view->listens[view->n_listens++];
    struct slice name = slice_from(want->name);
    bool is_listen = slice_starts(name, SLICE("listen:"));
    listen->name =
        arena_dup(making->arena, is_listen ? slice_skip(name, strlen("listen:")) : name).ptr;
    listen->address = want_address(making, want);
    object_fact(making, want->name, listen);
    const struct tally *tally = tallies_find(making->tallies, "listen", listen->name);
    if (!is_listen || !tally)
        return 0;
    listen->has_counters = true;
    listen->n_requests = tally_value(tally, "requests", NULL);
    listen->n_failed = tally_value(tally, "responses", "5xx");
    listen->n_in_flight = tally_value(tally, "connections_active", NULL);
    listen->rate = rates_get(making->source->rates, "listen", listen->name);
    return 0;
}

static void listens_make(struct making *making)
{
    const struct module_table *table = making->source->snap->table;
    for (size_t i = 0; i < table->n_items; i++) {
        if (table->items[i]->sockets)
            (void)table->items[i]->sockets(making->source->snap, listen_make, making);
    }
}

/* ---- pools ---- */

static const char *member_address(struct making *making, const struct member *member)
{
    const char *configured = arena_dup(making->arena, member->endpoint.text).ptr;
    struct fact fact;
    if (!member->address_fact || !fact_get(making->source->board, member->address_fact, &fact) ||
        fact.state != FACT_RESOLVED)
        return configured;
    return arena_printf(making->arena, "%s (%s)", configured, fact.reason);
}

/* What the operator forces, as admin states it. */
static void member_forced(struct making *making, const struct member *member,
                          struct view_object *object)
{
    const struct board *board = making->source->board;
    struct arena *arena = making->arena;
    struct fact fact;
    if (fact_get(board, arena_printf(arena, "force:%s", member->label), &fact))
        object->forced = fact_state_name(fact.state);
    if (fact_get(board, arena_printf(arena, "drain:member/%s", member->label), &fact)) {
        object->forced = fact_state_name(fact.state);
        object->drain = arena_dup(arena, slice_from(fact.reason)).ptr;
    }
    object->is_weight_given =
        board_find(board, arena_printf(arena, "weight:%s", member->label)).is_set;
    object->has_weight = fact_get(board, member->fact, &fact);
    object->weight = object->has_weight ? fact.value : 0;
}

static bool is_added(const struct snapshot *snap, const struct member *member)
{
    const struct conf_overlay *overlay = snap->overlay;
    for (size_t i = 0; overlay && i < overlay->n_entries; i++) {
        const struct conf_overlay_entry *entry = &overlay->entries[i];
        if (entry->is_in_force && !entry->is_removal &&
            slice_equal(entry->block, member->pool->name) && slice_equal(entry->name, member->name))
            return true;
    }
    return false;
}

static void member_make(struct making *making, const struct member *member,
                        struct view_object *object)
{
    object->name = arena_dup(making->arena, member->name).ptr;
    object->address = member_address(making, member);
    object_fact(making, member->fact, object);
    member_forced(making, member, object);
    object->is_runtime = is_added(making->source->snap, member);
    const struct tally *tally = tallies_find(making->tallies, "member", member->label);
    if (!tally)
        return;
    object->has_counters = true;
    object->n_requests = tally_value(tally, "requests", NULL);
    object->n_failed = tally_value(tally, "failures", NULL);
    object->n_in_flight = tally_value(tally, "in_flight", NULL);
    object->rate = rates_get(making->source->rates, "member", member->label);
}

static void pools_make(struct making *making)
{
    const struct pool_conf *conf = pool_conf_of(making->source->snap);
    struct view *view = making->view;
    view->pools = ARENA_NEW_ARRAY(making->arena, struct view_pool, conf->n_pools);
    for (; view->n_pools < conf->n_pools; view->n_pools++) {
        const struct pool *pool = conf->pools[view->n_pools];
        struct view_pool *made = &view->pools[view->n_pools];
        struct view_object fact = {0};
        object_fact(making, pool->fact, &fact);
        made->name = arena_dup(making->arena, pool->name).ptr;
        made->state = fact.state;
        made->reason = fact.reason;
        made->since_ns = fact.since_ns;
        const struct tally *tally = tallies_find(making->tallies, "pool", made->name);
        made->has_queue = tally != NULL;
        made->n_waiting = tally ? tally_value(tally, "queue_length", NULL) : 0;
        made->members = ARENA_NEW_ARRAY(making->arena, struct view_object, pool->n_members);
        for (; made->n_members < pool->n_members; made->n_members++)
            member_make(making, pool->members[made->n_members], &made->members[made->n_members]);
    }
}

/* ---- the whole ---- */

struct view *view_make(const struct view_source *source, struct arena *arena)
{
    const struct snapshot *snap = source->snap;
    struct making making = {.source = source, .arena = arena, .tallies = source->tallies};
    making.view = ARENA_NEW(arena, struct view);
    *making.view = (struct view){
        .version = WEIR_VERSION,
        .build = build_id(),
        .node = snap->node ? snap->node : "",
        .state_dir = snap->state_dir ? snap->state_dir : "",
        .file = snap->files && snap->files->n_items
                    ? arena_dup(arena, snap->files->items[0].path).ptr
                    : "",
        .generation = snap->generation,
        .wall_ns = source->wall_ns,
        .board = source->board,
        .overlay = snap->overlay,
        .dropped = source->dropped,
    };
    processes_make(&making);
    listens_make(&making);
    pools_make(&making);
    return making.view;
}

void view_sample(struct rates *rates, const struct board *board, const struct module_table *table,
                 uint64_t now_ns)
{
    struct arena arena;
    arena_init(&arena);
    struct tallies tallies;
    tallies_init(&tallies, board, table, &arena);
    rates_begin(rates, now_ns);
    for (size_t i = 0; i < tallies.n_items; i++) {
        const struct tally *tally = &tallies.items[i];
        rates_add(rates, tally->table->name, tally->object, tally_value(tally, "requests", NULL));
    }
    rates_end(rates);
    tallies_deinit(&tallies);
    arena_deinit(&arena);
}

void text_age(struct text *out, uint64_t wall_ns, uint64_t since_ns)
{
    static const struct {
        uint64_t below_s, unit_s;
        const char *unit;
    } rows[] = {{120, 1, "s"}, {7200, 60, "m"}, {172800, 3600, "h"}, {UINT64_MAX, 86400, "d"}};
    if (since_ns == 0 || since_ns > wall_ns)
        return;
    uint64_t age_s = (wall_ns - since_ns) / 1000000000;
    size_t i = 0;
    while (age_s >= rows[i].below_s)
        i++;
    text_printf(out, "%" PRIu64 " %s", age_s / rows[i].unit_s, rows[i].unit);
}
