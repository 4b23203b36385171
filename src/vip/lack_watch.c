/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Looking at the board for what a vip needs, and at what the operator wants of it.
 */

#include "vip/lack_watch.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

enum { NS_PER_MS = 1000000 };

/* What the operator may drain that this vip follows. */
struct drain_watch {
    char name[FACT_NAME_MAX]; /* "": there is nothing of that kind */
    struct fact_ref ref;
    const char *why;
};

struct lack_watch {
    struct process *process;
    lack_watch_fn *fn;
    void *ctx;
    struct lack_list list;
    struct fact_ref *refs; /* of list.items */
    struct drain_watch drains[2];
    const char *drained;
    struct lack_score score;
    struct text text;
    struct loop_timer timer;
    uint64_t awake_ns; /* since then no look was late */
    uint64_t looked_ns;
};

void lack_drain_fact(char *ret_name, const char *kind, const char *name)
{
    if (name[0])
        snprintf(ret_name, FACT_NAME_MAX, "drain:%s/%s", kind, name);
    else
        ret_name[0] = '\0';
}

/* ---- one look ---- */

static uint64_t slowest_loop(const struct board *board, size_t segment, uint64_t now_ns,
                             unsigned *ret_loop)
{
    uint64_t longest_ns = 0;
    for (unsigned i = 0; i < BOARD_LOOPS_MAX; i++) {
        uint64_t heard_ns = board_last_heartbeat(board, segment, i);
        /* 0: there is no such loop, or it has not begun. */
        if (heard_ns == 0 || heard_ns >= now_ns || now_ns - heard_ns <= longest_ns)
            continue;
        longest_ns = now_ns - heard_ns;
        *ret_loop = i;
    }
    return longest_ns;
}

static uint64_t silence_of(const struct board *board, const struct lack *lack, struct fact_ref ref,
                           uint64_t now_ns, unsigned *ret_loop)
{
    if (lack->kind == LACK_OF_FACT)
        return ref.is_set ? board_silence(board, ref.segment, now_ns) : 0;
    const char *process = strchr(lack->name, ':');
    int segment = process ? board_segment(board, process + 1) : -1;
    if (segment < 0)
        return 0;
    if (lack->kind == LACK_OF_LOOPS)
        return slowest_loop(board, (size_t)segment, now_ns, ret_loop);
    return board_silence(board, (size_t)segment, now_ns);
}

struct lack_look lack_see(const struct board *board, const struct module_table *table,
                          const struct lack *lack, struct fact_ref ref, uint64_t awake_ns,
                          uint64_t now_ns, struct fact *fact)
{
    struct lack_look look = {.state = FACT_NONE, .reason = "", .loop = 0};
    if (ref.is_set && board_read(board, ref, fact)) {
        look.state = fact->state;
        look.reason = fact->reason;
    }
    look.fact = module_fact_kind(table, lack->name);
    uint64_t silence_ns = silence_of(board, lack, ref, now_ns, &look.loop);
    look.silence_ns = lack_silence(silence_ns, awake_ns, now_ns);
    return look;
}

/* ---- all of them ---- */

static const char *look_at_drains(const struct lack_watch *watch)
{
    for (size_t i = 0; i < ARRAY_LEN(watch->drains); i++) {
        const struct drain_watch *drain = &watch->drains[i];
        if (drain->ref.is_set && board_peek(watch->process->board, drain->ref) != FACT_NONE)
            return drain->why;
    }
    return NULL;
}

/* Returns whether something is another than before. */
static bool look(struct lack_watch *watch)
{
    uint64_t now_ns = loop_now_ns(watch->process->loops[0]);
    bool is_news = false;
    if (now_ns - watch->looked_ns > (uint64_t)LACK_HELD_UP_MS * NS_PER_MS)
        watch->awake_ns = now_ns;
    watch->looked_ns = now_ns;
    for (size_t i = 0; i < watch->list.n_items; i++) {
        struct lack *lack = &watch->list.items[i];
        struct fact fact;
        const struct lack_look seen = lack_see(watch->process->board, watch->process->table, lack,
                                               watch->refs[i], watch->awake_ns, now_ns, &fact);
        is_news |= lack_take(lack, &seen, now_ns);
    }
    const char *drained = look_at_drains(watch);
    is_news |= drained != watch->drained;
    watch->drained = drained;
    watch->score = lack_list_score(&watch->list);
    text_clear(&watch->text);
    lack_list_show(&watch->list, &watch->text);
    return is_news;
}

static void look_and_tell(struct lack_watch *watch)
{
    if (look(watch))
        watch->fn(watch->ctx);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct lack_watch *watch = CONTAINER_OF(timer, struct lack_watch, timer);
    loop_timer_set(loop, timer, loop_now_ns(loop) + (uint64_t)LACK_LOOK_MS * NS_PER_MS);
    look_and_tell(watch);
}

/* ---- where the facts are ---- */

static void find_all(struct lack_watch *watch)
{
    const struct board *board = watch->process->board;
    for (size_t i = 0; i < watch->list.n_items; i++)
        watch->refs[i] = board_find(board, watch->list.items[i].fact);
    for (size_t i = 0; i < ARRAY_LEN(watch->drains); i++)
        watch->drains[i].ref = board_find(board, watch->drains[i].name);
}

static bool take_ref(struct fact_ref *ref, const char *name, const struct board_change *change)
{
    if (strcmp(name, change->name) != 0)
        return false;
    *ref = change->ref;
    return true;
}

void lack_watch_on_change(struct lack_watch *watch, const struct board_change *change)
{
    bool is_ours = false;
    for (size_t i = 0; i < watch->list.n_items; i++)
        is_ours |= take_ref(&watch->refs[i], watch->list.items[i].fact, change);
    for (size_t i = 0; i < ARRAY_LEN(watch->drains); i++)
        is_ours |= take_ref(&watch->drains[i].ref, watch->drains[i].name, change);
    if (is_ours)
        look_and_tell(watch);
}

void lack_watch_on_lost(struct lack_watch *watch)
{
    find_all(watch);
    look_and_tell(watch);
}

/* ---- life ---- */

static void configure(struct lack_watch *watch, const struct snapshot *snap,
                      const struct conf_list *needs)
{
    lack_list_init(&watch->list, snap, needs);
    watch->refs = MEM_NEW_ARRAY(struct fact_ref, watch->list.n_items + 1);
    lack_drain_fact(watch->drains[1].name, "node", snap->node);
}

struct lack_watch *lack_watch_create(struct process *process, const struct snapshot *snap,
                                     const char *vip, const struct conf_list *needs,
                                     lack_watch_fn *fn, void *ctx)
{
    struct loop *loop = process->loops[0];
    struct lack_watch *watch = MEM_NEW(struct lack_watch);
    *watch = (struct lack_watch){.process = process, .fn = fn, .ctx = ctx};
    watch->awake_ns = watch->looked_ns = loop_now_ns(loop);
    lack_drain_fact(watch->drains[0].name, "vip", vip);
    watch->drains[0].why = "drained by the operator";
    watch->drains[1].why = "its node is drained by the operator";
    configure(watch, snap, needs);
    find_all(watch);
    (void)look(watch);
    loop_timer_init(&watch->timer, on_timer);
    loop_timer_set(loop, &watch->timer, watch->looked_ns + (uint64_t)LACK_LOOK_MS * NS_PER_MS);
    return watch;
}

void lack_watch_configure(struct lack_watch *watch, const struct snapshot *snap,
                          const struct conf_list *needs)
{
    struct lack_list former = watch->list;
    struct fact_ref *former_refs = watch->refs;
    struct lack_score former_score = watch->score;
    configure(watch, snap, needs);
    lack_list_adopt(&watch->list, &former);
    lack_list_deinit(&former);
    mem_free(former_refs);
    find_all(watch);
    bool is_news = look(watch);
    if (is_news || watch->score.as_active != former_score.as_active ||
        watch->score.as_backup != former_score.as_backup)
        watch->fn(watch->ctx);
}

void lack_watch_destroy(struct lack_watch **watch_ptr)
{
    struct lack_watch *watch = *watch_ptr;
    *watch_ptr = NULL;
    if (!watch)
        return;
    loop_timer_clear(watch->process->loops[0], &watch->timer);
    lack_list_deinit(&watch->list);
    mem_free(watch->refs);
    text_deinit(&watch->text);
    mem_free(watch);
}

struct lack_score lack_watch_score(const struct lack_watch *watch)
{
    return watch->score;
}

const char *lack_watch_text(const struct lack_watch *watch)
{
    return text_cstr(&watch->text);
}

const char *lack_watch_drained(const struct lack_watch *watch)
{
    return watch->drained;
}
