/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keeping what is forced, and stating it.
 */

#include "admin/operate.h"

#include "admin/floating.h"
#include "admin/keep.h"
#include "base/mem.h"
#include "core/process.h"
#include "pool/pool.h"
#include <stdio.h>

enum { NS_PER_MS = 1000000 };

static struct log *log_of(const struct operate *operate)
{
    return process_log(operate->process->loops[0]);
}

uint64_t operate_now_ms(const struct operate *operate)
{
    return loop_wall_ns(operate->process->loops[0]) / NS_PER_MS;
}

/* ---- facts ---- */

static void state_force(struct operate *operate, const struct forced_entry *entry)
{
    struct board *board = operate->process->board;
    char name[FACT_NAME_MAX];
    snprintf(name, sizeof(name), "force:%s", entry->label);
    enum fact_state state = entry->state;
    const char *reason = state == FACT_DRAINING ? "by weir drain" : "by weir force";
    if (state == FACT_NONE) {
        board_remove(board, name, loop_wall_ns(operate->process->loops[0]));
        return;
    }
    if (entry->drained_ms) {
        state = FACT_DOWN;
        reason = "drained, by weir drain";
    }
    struct fact_ref ref = board_find(board, name);
    struct fact former;
    bool is_other_ttl = ref.is_set && board_read(board, ref, &former) && former.state == state &&
                        former.value != (double)entry->ttl_s;
    (void)board_state(board, name, state, (double)entry->ttl_s, reason,
                      entry->state_since_ms * NS_PER_MS);
    if (is_other_ttl)
        board_tell(board, name, loop_wall_ns(operate->process->loops[0]));
}

static void state_weight(struct operate *operate, const struct forced_entry *entry)
{
    struct board *board = operate->process->board;
    char name[FACT_NAME_MAX];
    snprintf(name, sizeof(name), "weight:%s", entry->label);
    if (!entry->has_weight)
        board_remove(board, name, loop_wall_ns(operate->process->loops[0]));
    else
        (void)board_state(board, name, FACT_UP, (double)entry->weight, "by weir weight",
                          entry->weight_since_ms * NS_PER_MS);
}

static bool is_member(const struct forced_entry *entry)
{
    return forced_kind_of(slice_from(entry->label), NULL) == FORCED_MEMBER;
}

static void state_all(struct operate *operate, const struct forced_entry *entry)
{
    if (!is_member(entry)) {
        drain_move_state(operate, entry);
        return;
    }
    state_force(operate, entry);
    state_weight(operate, entry);
    drain_state(operate, entry);
}

/* ---- the file ---- */

static int save(struct operate *operate, struct err *err)
{
    struct text bytes = TEXT_NONE;
    forced_encode(&operate->forced, &bytes);
    int result = keep_write(operate->process->state_fd, OPERATE_FILE, text_slice(&bytes), err);
    text_deinit(&bytes);
    return result;
}

static void read_file(struct operate *operate)
{
    struct text bytes = TEXT_NONE;
    struct err err = ERR_NONE;
    int result =
        keep_read(operate->process->state_fd, OPERATE_FILE, FORCED_BYTES_MAX, &bytes, &err);
    if (result == 0)
        result = forced_decode(&operate->forced, text_slice(&bytes), &err);
    text_deinit(&bytes);
    if (result >= 0)
        return;
    log_write(log_of(operate), LOG_LEVEL_ERROR,
              OPERATE_FILE " cannot be used: %s; what was forced before is forgotten, and the "
                           "file is set aside as " OPERATE_FILE ".bad",
              err.text);
    keep_set_aside(operate->process->state_fd, OPERATE_FILE);
}

/* ---- what is gone ---- */

static bool has_member(const struct snapshot *snap, struct slice label)
{
    struct slice name = label;
    const struct pool *pool = pool_find(snap, slice_cut(&name, '/'));
    for (uint32_t i = 0; pool && i < pool->n_members; i++) {
        if (slice_equal(pool->members[i]->name, name))
            return true;
    }
    return false;
}

static bool is_configured(const struct snapshot *snap, struct slice label)
{
    struct slice name;
    switch (forced_kind_of(label, &name)) {
    case FORCED_MEMBER:
        return has_member(snap, label);
    case FORCED_VIP:
        return floating_has(snap, name);
    case FORCED_NODE:
        return slice_is(name, snap->node);
    case FORCED_NOTHING:
        break;
    }
    return false;
}

/* Who is configured no more is forgotten: another one may get its name later. */
static size_t forget_gone(struct operate *operate, const struct snapshot *snap)
{
    size_t n_gone = 0;
    uint32_t cursor = 0;
    for (struct forced_entry *entry; (entry = forced_next(&operate->forced, &cursor)) != NULL;) {
        if (is_configured(snap, slice_from(entry->label)))
            continue;
        log_write(log_of(operate), LOG_LEVEL_WARN,
                  "%s%s is configured no more: what was forced upon it is forgotten",
                  is_member(entry) ? "member:" : "", entry->label);
        entry->state = FACT_NONE;
        entry->has_weight = false;
        state_all(operate, entry);
        n_gone++;
    }
    return n_gone;
}

/* The store is walked while entries are marked, and emptied of them only then. */
static void drop_empty(struct operate *operate)
{
    for (bool is_found = true; is_found;) {
        uint32_t cursor = 0;
        is_found = false;
        for (struct forced_entry *entry;
             !is_found && (entry = forced_next(&operate->forced, &cursor)) != NULL;) {
            if (!forced_is_empty(entry))
                continue;
            const struct forced_entry gone = *entry;
            (void)forced_set(&operate->forced, &gone, NULL);
            is_found = true;
        }
    }
}

void operate_configure(struct operate *operate, const struct snapshot *snap)
{
    struct err err = ERR_NONE;
    operate->snap = snap;
    if (forget_gone(operate, snap) == 0)
        return;
    drop_empty(operate);
    if (save(operate, &err) < 0)
        log_write(log_of(operate), LOG_LEVEL_ERROR, "%s", err.text);
}

/* ---- changes ---- */

struct forced_entry operate_entry(const struct operate *operate, const char *label)
{
    const struct forced_entry *known = forced_find(&operate->forced, slice_from(label));
    struct forced_entry entry = {.state = FACT_NONE};
    if (known)
        entry = *known;
    slice_copy(slice_from(label), entry.label, sizeof(entry.label));
    return entry;
}

int operate_change(struct operate *operate, const struct forced_entry *entry, struct err *err)
{
    const struct forced_entry wanted = *entry; /* which may lie in the store */
    const struct forced_entry *known = forced_find(&operate->forced, slice_from(wanted.label));
    struct forced_entry former = {.state = FACT_NONE};
    if (known)
        former = *known;
    slice_copy(slice_from(wanted.label), former.label, sizeof(former.label));
    if (forced_set(&operate->forced, &wanted, err) < 0)
        return -1;
    if (save(operate, err) < 0) {
        (void)forced_set(&operate->forced, &former, NULL);
        return -1;
    }
    state_all(operate, &wanted);
    return 0;
}

/* ---- life ---- */

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct operate *operate = CONTAINER_OF(timer, struct operate, timer);
    drain_look_all(operate);
    loop_timer_set(loop, timer, loop_now_ns(loop) + (uint64_t)OPERATE_LOOK_MS * NS_PER_MS);
}

void operate_start(struct operate *operate, struct process *process)
{
    *operate = (struct operate){.process = process};
    forced_init(&operate->forced);
    loop_timer_init(&operate->timer, on_timer);
}

/* An earlier life may have been killed between the file and the facts: the file is what counts. */
static const struct forced_entry *entry_of(const struct operate *operate, const char *fact)
{
    struct slice label = slice_from(fact);
    slice_cut(&label, ':');
    return forced_find(&operate->forced, label);
}

static bool keep_force(void *ctx, const char *name)
{
    const struct forced_entry *entry = entry_of(ctx, name);
    return entry && entry->state != FACT_NONE;
}

static bool keep_weight(void *ctx, const char *name)
{
    const struct forced_entry *entry = entry_of(ctx, name);
    return entry && entry->has_weight;
}

/* drain:member/web/app1 is of "web/app1", drain:vip/front of "vip:front". */
static bool keep_drain(void *ctx, const char *name)
{
    const struct operate *operate = ctx;
    struct slice rest = slice_from(name);
    slice_cut(&rest, ':');
    struct slice kind = slice_cut(&rest, '/');
    char label[FORCED_LABEL_MAX];
    bool is_label = slice_is(kind, "member");
    snprintf(label, sizeof(label), "%.*s%s%.*s", is_label ? 0 : (int)kind.len, kind.ptr,
             is_label ? "" : ":", SLICE_ARG(rest));
    const struct forced_entry *entry = forced_find(&operate->forced, slice_from(label));
    return entry && entry->state == FACT_DRAINING;
}

void operate_load(struct operate *operate)
{
    if (operate->is_loaded)
        return;
    operate->is_loaded = true;
    read_file(operate);
    uint64_t wall_ns = loop_wall_ns(operate->process->loops[0]);
    board_sweep(operate->process->board, "force:", keep_force, operate, wall_ns);
    board_sweep(operate->process->board, "weight:", keep_weight, operate, wall_ns);
    board_sweep(operate->process->board, "drain:", keep_drain, operate, wall_ns);
    uint32_t cursor = 0;
    for (const struct forced_entry *entry;
         (entry = forced_next(&operate->forced, &cursor)) != NULL;)
        state_all(operate, entry);
    struct loop *loop = operate->process->loops[0];
    loop_timer_set(loop, &operate->timer,
                   loop_now_ns(loop) + (uint64_t)OPERATE_LOOK_MS * NS_PER_MS);
}

void operate_stop(struct operate *operate)
{
    loop_timer_clear(operate->process->loops[0], &operate->timer);
    forced_deinit(&operate->forced);
}
