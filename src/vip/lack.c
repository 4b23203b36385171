/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is lacking: which things count, how each is judged, and what they come to.
 */

#include "vip/lack.h"

#include "base/mem.h"
#include "health/machine.h"
#include "pool/pool.h"
#include <stdio.h>
#include <string.h>

enum { NS_PER_MS = 1000000 };

#define LAG "lag:"

/* ---- one ---- */

/* What health says; until it has, requests go there as well. */
static bool is_of_health(const struct lack *lack)
{
    struct slice text = slice_from(lack->name);
    return slice_starts(text, SLICE("pool:")) || slice_starts(text, SLICE("member:"));
}

/* What somebody looks at, health or admin. */
static bool is_judged(const struct lack *lack)
{
    return is_of_health(lack) || slice_starts(slice_from(lack->name), SLICE("disk:"));
}

/* What the next life of its process states again. */
static bool is_stated_by_life(const struct lack *lack)
{
    struct slice text = slice_from(lack->name);
    return slice_starts(text, SLICE("listen:")) || slice_starts(text, SLICE("dns:")) ||
           slice_starts(text, SLICE("dns-tcp:"));
}

static bool is_fine(enum fact_state state)
{
    switch (state) {
    case FACT_UP:
    case FACT_DEGRADED:
    case FACT_SERVING:
    case FACT_RESOLVED:
    case FACT_ACTIVE:
        return true;
    case FACT_NONE:
    case FACT_UNKNOWN:
    case FACT_DOWN:
    case FACT_DRAINING:
    case FACT_FAILED:
    case FACT_DRAINED:
    case FACT_BACKUP:
    case FACT_N_STATES:
        break;
    }
    return false;
}

static bool is_silent(const struct lack *lack, const struct lack_look *look)
{
    if (lack->kind == LACK_OF_PROCESS)
        return look->silence_ns > (uint64_t)LACK_SILENT_MS * NS_PER_MS;
    return look->fact && look->fact->rule == FACT_DISTRUST &&
           look->silence_ns > (uint64_t)look->fact->patience_ms * NS_PER_MS;
}

static enum lack_verdict judge_loops(const struct lack *lack, const struct lack_look *look,
                                     char *ret_why)
{
    bool has_loops = look->state == FACT_UP || look->state == FACT_DEGRADED;
    if (!has_loops || look->silence_ns <= (uint64_t)LACK_LATE_MS * NS_PER_MS)
        return LACK_WELL;
    /* Without a number that would make other words of it at each look. */
    snprintf(ret_why, LACK_WHY_MAX, "loop %u of %s is late", look->loop, lack->name + strlen(LAG));
    return LACK_LACKING;
}

/* Of what is not fine: does it count now, or may it pass? */
static enum lack_verdict judge_state(const struct lack *lack, enum fact_state state)
{
    bool is_unsaid = state == FACT_NONE || state == FACT_UNKNOWN;
    if (is_unsaid && is_judged(lack))
        return LACK_UNJUDGED;
    if (lack->kind == LACK_OF_PROCESS)
        return is_unsaid || state == FACT_DOWN ? LACK_PASSING : LACK_LACKING;
    if (state == FACT_DOWN && is_of_health(lack))
        return LACK_COMMON;
    if ((is_unsaid || state == FACT_DOWN) && is_stated_by_life(lack))
        return LACK_PASSING;
    return LACK_LACKING;
}

enum lack_verdict lack_judge(const struct lack *lack, const struct lack_look *look, char *ret_why)
{
    ret_why[0] = '\0';
    if (lack->kind == LACK_OF_LOOPS)
        return judge_loops(lack, look, ret_why);
    if (look->state != FACT_NONE && is_silent(lack, look)) {
        snprintf(ret_why, LACK_WHY_MAX, "%s is silent", lack->name);
        return LACK_LACKING;
    }
    if (is_fine(look->state))
        return LACK_WELL;
    if (look->state == FACT_NONE)
        snprintf(ret_why, LACK_WHY_MAX, "%s is not there", lack->name);
    else
        snprintf(ret_why, LACK_WHY_MAX, "%s %s%s%s", lack->name, fact_state_name(look->state),
                 look->reason[0] ? ": " : "", look->reason);
    return judge_state(lack, look->state);
}

unsigned lack_patience_ms(const struct lack *lack, enum lack_verdict verdict, bool is_active)
{
    switch (verdict) {
    case LACK_UNJUDGED:
        return is_active ? LACK_PATIENCE_MS : 0;
    case LACK_PASSING:
        return LACK_GRACE_MS;
    case LACK_COMMON:
        return is_active ? lack->settle_ms : 0;
    case LACK_WELL:
    case LACK_LACKING:
        break;
    }
    return 0;
}

/* Before it was well for the first time nothing can come again, and nobody has the address. */
static bool may_pass(const struct lack *lack)
{
    return lack->verdict == LACK_UNJUDGED || lack->was_well;
}

/* Does the verdict count that has lasted for so long? What counted before goes on to. */
static bool counts(const struct lack *lack, bool did, bool is_active, uint64_t lasted_ms)
{
    if (lack->verdict == LACK_WELL)
        return did && lack->was_well && lasted_ms < (is_active ? LACK_SETTLE_MS : LACK_CALM_MS);
    return did || !may_pass(lack) || lasted_ms >= lack_patience_ms(lack, lack->verdict, is_active);
}

bool lack_take(struct lack *lack, const struct lack_look *look, uint64_t now_ns)
{
    char why[LACK_WHY_MAX];
    enum lack_verdict verdict = lack_judge(lack, look, why);
    if (!lack->is_judged || verdict != lack->verdict)
        lack->since_ns = now_ns;
    lack->is_judged = true;
    lack->verdict = verdict;
    uint64_t lasted_ms = (now_ns - lack->since_ns) / NS_PER_MS;
    const struct lack former = *lack;
    lack->is_lacking = counts(lack, lack->is_lacking, false, lasted_ms);
    lack->is_settled = counts(lack, lack->is_settled, true, lasted_ms);
    lack->was_well = lack->was_well || (verdict == LACK_WELL && !lack->is_lacking);
    if (!lack->is_lacking)
        lack->why[0] = '\0';
    else if (verdict != LACK_WELL)
        snprintf(lack->why, sizeof(lack->why), "%s", why);
    return lack->is_lacking != former.is_lacking || lack->is_settled != former.is_settled ||
           strcmp(lack->why, former.why) != 0;
}

/* ---- all ---- */

static void add(struct lack_list *list, enum lack_kind kind, unsigned points, const char *prefix,
                struct slice rest)
{
    if (list->n_items == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 8;
        list->items = mem_realloc(list->items, list->cap * sizeof(*list->items));
    }
    struct lack *lack = &list->items[list->n_items++];
    *lack = (struct lack){.kind = kind, .points = points, .settle_ms = LACK_SETTLE_MS};
    snprintf(lack->name, sizeof(lack->name), "%s%.*s", prefix, SLICE_ARG(rest));
    snprintf(lack->fact, sizeof(lack->fact), "%s%.*s",
             kind == LACK_OF_LOOPS ? LACK_PROCESS_PREFIX : prefix, SLICE_ARG(rest));
}

static int add_socket(void *ctx, const struct socket_want *want)
{
    struct slice name = slice_from(want->name);
    if (slice_starts(name, SLICE("listen:")) || slice_starts(name, SLICE("dns:")))
        add(ctx, LACK_OF_FACT, LACK_LISTEN, "", name);
    return 0;
}

static void add_what_is_served(struct lack_list *list, const struct snapshot *snap)
{
    static const char *const kinds[] = {"edge", "dns"};
    const struct pool_conf *pools = pool_conf_of(snap);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!snapshot_needs(snap, kinds[i]))
            continue;
        add(list, LACK_OF_PROCESS, LACK_PROCESS, LACK_PROCESS_PREFIX, slice_from(kinds[i]));
        (void)snapshot_sockets(snap, kinds[i], add_socket, list);
    }
    if (snapshot_needs(snap, "edge"))
        add(list, LACK_OF_LOOPS, LACK_LAG, LAG, SLICE("edge"));
    add(list, LACK_OF_FACT, LACK_DISK, "", SLICE("disk:state"));
    for (uint32_t i = 0; i < pools->n_pools; i++) {
        if (pools->pools[i]->is_routed)
            add(list, LACK_OF_FACT, LACK_POOL, "", slice_from(pools->pools[i]->fact));
    }
}

static const struct pool *pool_of(const struct snapshot *snap, const struct lack *lack)
{
    struct slice rest = slice_from(lack->name);
    slice_cut(&rest, ':');
    return pool_find(snap, slice_cut(&rest, '/'));
}

/* How long checks need that begin at once and stay bad, and what comes before they do. */
static unsigned settle_ms_of(const struct check_conf *check)
{
    const struct machine suspect = {.rules = {.every_ns = (uint64_t)check->every_ms * NS_PER_MS,
                                              .fall = (uint32_t)check->fall,
                                              .rise = (uint32_t)check->rise},
                                    .state = MACHINE_UP,
                                    .is_suspect = true};
    uint64_t settle_ms = LACK_HEARD_MS + machine_turn_ns(&suspect) / NS_PER_MS;
    if (settle_ms < LACK_SETTLE_MS)
        return LACK_SETTLE_MS;
    return settle_ms < LACK_SETTLE_MAX_MS ? (unsigned)settle_ms : LACK_SETTLE_MAX_MS;
}

static void add_settle(struct lack_list *list, const struct snapshot *snap)
{
    for (size_t i = 0; i < list->n_items; i++) {
        const struct pool *pool =
            is_of_health(&list->items[i]) ? pool_of(snap, &list->items[i]) : NULL;
        if (pool && pool->check)
            list->items[i].settle_ms = settle_ms_of(pool->check);
    }
}

void lack_list_init(struct lack_list *list, const struct snapshot *snap,
                    const struct conf_list *needs)
{
    *list = (struct lack_list){.n_items = 0};
    for (size_t i = 0; i < needs->n_items; i++) {
        const struct need_conf *need = needs->items[i];
        bool is_process = slice_starts(need->fact, SLICE(LACK_PROCESS_PREFIX));
        add(list, is_process ? LACK_OF_PROCESS : LACK_OF_FACT, (unsigned)need->lowers, "",
            need->fact);
    }
    if (needs->n_items == 0)
        add_what_is_served(list, snap);
    add_settle(list, snap);
}

void lack_list_deinit(struct lack_list *list)
{
    mem_free(list->items);
    *list = (struct lack_list){.n_items = 0};
}

struct lack *lack_list_find(const struct lack_list *list, const char *name)
{
    for (size_t i = 0; i < list->n_items; i++) {
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    }
    return NULL;
}

void lack_list_adopt(struct lack_list *list, const struct lack_list *former)
{
    for (size_t i = 0; i < list->n_items; i++) {
        const struct lack *known = lack_list_find(former, list->items[i].name);
        unsigned points = list->items[i].points, settle_ms = list->items[i].settle_ms;
        if (known)
            list->items[i] = *known;
        else
            list->items[i].was_well = true;
        list->items[i].points = points;
        list->items[i].settle_ms = settle_ms;
    }
}

static unsigned at_most(unsigned points)
{
    return points < LACK_MAX ? points : LACK_MAX;
}

struct lack_score lack_list_score(const struct lack_list *list)
{
    struct lack_score score = {.as_active = 0};
    for (size_t i = 0; i < list->n_items; i++) {
        const struct lack *lack = &list->items[i];
        score.as_active += lack->is_settled ? lack->points : 0;
        score.as_backup += lack->is_lacking ? lack->points : 0;
    }
    return (struct lack_score){at_most(score.as_active), at_most(score.as_backup)};
}

void lack_list_show(const struct lack_list *list, struct text *out)
{
    const char *between = "";
    for (size_t i = 0; i < list->n_items; i++) {
        const struct lack *lack = &list->items[i];
        if (!lack->is_lacking)
            continue;
        text_printf(out, "%s%s (%u)", between, lack->why, lack->points);
        between = ", ";
    }
}
