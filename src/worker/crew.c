/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How many jobs a worker does, and when it takes another.
 */

#include "worker/crew.h"

#include "base/mem.h"
#include "conf/unit.h"
#include "worker/internal.h"
#include <inttypes.h>
#include <stdio.h>

#define NS_PER_MS UINT64_C(1000000)

/* Before the deadline of a stop: the queue is to hear of what has been killed. */
enum { MARGIN_MS = 500 };

static uint64_t now_of(const struct crew *crew)
{
    return loop_now_ns(crew->shop->loop);
}

void crew_count(const struct crew *crew, enum worker_word word)
{
    metric_add(metric_row(crew->slab->slab, 0), word, 1);
}

/* Jobs that are being done; the others are over, and the queue is to know. */
static uint32_t count_working(const struct crew *crew)
{
    return crew->n_busy - crew->n_telling;
}

/* ---- how many -------------------------------------------------------------------------------- */

static struct scale_rule rule_of(const struct crew *crew)
{
    const struct worker_conf *conf = crew->conf;
    return (struct scale_rule){.min = (uint32_t)conf->concurrency.low,
                               .max = (uint32_t)conf->concurrency.high,
                               .age_ms = (uint64_t)conf->scale.age_ms,
                               .idle_ns = (uint64_t)conf->scale.idle_ms * NS_PER_MS};
}

static void on_seen(void *ctx, const struct scale_seen *seen)
{
    struct crew *crew = ctx;
    const struct scale_rule rule = rule_of(crew);
    uint32_t former = crew->scale.level;
    if (!scale_look(&crew->scale, &rule, seen, count_working(crew), now_of(crew)))
        return;
    log_write(process_log(crew->shop->loop), LOG_LEVEL_INFO,
              "worker %s does %" PRIu32 " jobs at a time, not %" PRIu32 ": %" PRIu64
              " wait, the oldest for %" PRIu64 " ms",
              crew->name, crew->scale.level, former, seen->n_ready, seen->oldest_ms);
    crew_look(crew);
}

/* The file says how many, or otherwise than before. */
static void set_scale(struct crew *crew)
{
    const struct worker_conf *conf = crew->conf;
    const struct scale_rule rule = rule_of(crew);
    scale_set(&crew->scale, &rule, now_of(crew));
    if (rule.min == rule.max) {
        scout_destroy(&crew->scout);
        return;
    }
    if (!crew->scout)
        crew->scout = scout_create(crew->shop->loop, &crew->shop->queue, on_seen, crew);
    scout_set(crew->scout, conf->queue, (uint64_t)conf->scale.every_ms * NS_PER_MS);
}

static bool may_ask(const struct crew *crew)
{
    const struct workshop *shop = crew->shop;
    if (shop->is_draining || shop->is_resting || crew->is_leaving || now_of(crew) < crew->until_ns)
        return false;
    if (crew->conf->serve && list_is_empty(&crew->idle))
        return false;
    uint32_t most = crash_allows(&crew->crash, crew->scale.level, now_of(crew));
    return count_working(crew) < most && crew->n_telling <= crew->scale.level;
}

/* ---- served programs ------------------------------------------------------------------------- */

/* How many there are that do not end. */
static uint32_t count_servants(const struct crew *crew)
{
    uint32_t n = 0;
    LIST_EACH (node, &crew->servants)
        n += !servant_is_leaving(LIST_ENTRY(node, struct servant, node));
    return n;
}

static void start_servants(struct crew *crew, uint32_t n)
{
    struct err err = ERR_NONE;
    while (n-- > 0) {
        if (servant_create(crew, &err))
            continue;
        crew_on_trouble(crew, err.text);
        return;
    }
}

/* Those that are idle, n of them; the one that was for the longest first. */
static void dismiss_idle(struct crew *crew, uint32_t n)
{
    while (n-- > 0 && !list_is_empty(&crew->idle))
        servant_dismiss(LIST_ENTRY(crew->idle.prev, struct servant, idle));
}

/* As many as there should be. */
static void look_at_servants(struct crew *crew)
{
    bool is_over = crew->shop->is_draining || crew->is_leaving || !crew->conf->serve;
    uint32_t n = count_servants(crew), level = is_over ? 0 : crew->scale.level;
    uint32_t wanted = crash_allows(&crew->crash, level, now_of(crew));
    if (n > level)
        dismiss_idle(crew, n - level);
    else if (n < wanted && now_of(crew) >= crew->until_ns)
        start_servants(crew, wanted - n);
}

void crew_on_ready(struct crew *crew)
{
    /* That it failed before was no matter of the jobs. */
    if (crew->is_not_ready && !crash_is_well(&crew->crash))
        crew_on_end(crew, CRASH_GOOD, "");
    crew->is_not_ready = false;
    crew_look(crew);
}

/* Another program is in the file. */
static void replace_servants(struct crew *crew)
{
    LIST_EACH (node, &crew->servants)
        servant_dismiss(LIST_ENTRY(node, struct servant, node));
}

/* The next look comes by itself when something changes, but for what waits. */
static void set_timer(struct crew *crew)
{
    uint64_t until_ns =
        crew->until_ns > crew->crash.until_ns ? crew->until_ns : crew->crash.until_ns;
    if (until_ns > now_of(crew))
        loop_timer_set(crew->shop->loop, &crew->timer, until_ns);
}

static void begin_to_ask(struct crew *crew)
{
    struct err err = ERR_NONE;
    struct hand *hand = hand_create(crew, &err);
    if (!hand)
        crew_on_trouble(crew, err.text);
    else if (hand->state == HAND_ASKING)
        crew->asking = hand;
}

void crew_look(struct crew *crew)
{
    look_at_servants(crew);
    bool may = may_ask(crew);
    if (may && !crew->asking)
        begin_to_ask(crew);
    if (!may && crew->asking)
        hand_dismiss(crew->asking);
    set_timer(crew);
    crew_publish(crew);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    crew_look(CONTAINER_OF(timer, struct crew, timer));
}

/* ---- what hands tell ------------------------------------------------------------------------- */

void crew_on_job(struct crew *crew, struct hand *hand)
{
    if (crew->asking == hand)
        crew->asking = NULL;
    if (hand->is_served && !list_is_empty(&crew->idle))
        servant_hold(LIST_FIRST(&crew->idle, struct servant, idle), hand);
    crew->n_busy++;
    scale_note(&crew->scale, count_working(crew));
    crew_look(crew);
}

void crew_on_done(struct crew *crew)
{
    crew->n_telling++;
    crew_look(crew);
}

void crew_on_free(struct crew *crew, struct hand *hand)
{
    bool is_right =
        slice_is(crew->conf->queue, hand->tube) && hand->is_served == (crew->conf->serve != NULL);
    crew->n_busy--;
    crew->n_telling--;
    hand->state = HAND_ASKING;
    if (!crew->asking && is_right && may_ask(crew)) {
        crew->asking = hand;
        hand_ask(hand);
    } else {
        hand_dismiss(hand);
    }
    crew_look(crew);
}

void crew_on_leave(struct crew *crew, const struct hand *hand)
{
    if (crew->asking == hand)
        crew->asking = NULL;
}

void crew_on_gone(struct crew *crew, const struct hand *hand, enum hand_state former)
{
    bool had_job = former != HAND_ASKING && former != HAND_LEAVING;
    crew_on_leave(crew, hand);
    crew->n_busy -= had_job;
    crew->n_telling -= former == HAND_TELLING;
    if (former != HAND_ASKING)
        loop_timer_set(crew->shop->loop, &crew->timer, now_of(crew));
}

void crew_on_trouble(struct crew *crew, const char *why)
{
    uint64_t now_ns = now_of(crew);
    bool is_new = crew->until_ns == 0 || now_ns > crew->until_ns + CREW_CALM_MS * NS_PER_MS;
    uint64_t wait_ms = is_new ? CREW_RETRY_MS : 2 * crew->wait_ms;
    text_clear(&crew->trouble);
    text_append(&crew->trouble, slice_from(why));
    crew->wait_ms = wait_ms < CREW_RETRY_MAX_MS ? wait_ms : CREW_RETRY_MAX_MS;
    crew->until_ns = now_ns + crew->wait_ms * NS_PER_MS;
    if (is_new && !crew->shop->is_draining)
        log_write(process_log(crew->shop->loop), LOG_LEVEL_INFO, "worker %s: %s", crew->name, why);
    loop_timer_set(crew->shop->loop, &crew->timer, crew->until_ns);
    crew_publish(crew);
}

bool crew_on_link(struct crew *crew)
{
    bool is_first = !crew->has_answered;
    crew->has_answered = true;
    if (is_first)
        crew->until_ns = now_of(crew) + CREW_FIRST_MS * NS_PER_MS;
    if (crew->trouble.len > 0)
        text_clear(&crew->trouble);
    crew_publish(crew);
    return is_first;
}

/* The first time is no row. */
static const char *in_a_row(uint32_t n, char *text, size_t cap)
{
    text[0] = '\0';
    if (n > 1)
        snprintf(text, cap, ", %" PRIu32 " times in a row", n);
    return text;
}

bool crew_on_end(struct crew *crew, enum crash_end end, const char *why)
{
    const struct worker_crashes_conf *conf = &crew->conf->crashes;
    const struct crash_rule rule = {
        .n_max = (uint32_t)conf->in_a_row,
        .first_ns = (uint64_t)conf->backoff.low * NS_PER_MS,
        .longest_ns = (uint64_t)conf->backoff.high * NS_PER_MS,
    };
    struct text wait = TEXT_NONE;
    char row[40];
    if (!crash_note(&crew->crash, end, &rule, now_of(crew)))
        return false;
    text_clear(&crew->crash_why);
    text_append(&crew->crash_why, slice_from(why));
    crew_count(crew, WORKER_BACKED_OFF);
    conf_unit_show_time(&wait, (int64_t)(crew->crash.wait_ns / NS_PER_MS));
    log_write(process_log(crew->shop->loop), LOG_LEVEL_ERROR,
              "worker %s takes no job for %s: %.*s fails at once%s: %s", crew->name,
              text_cstr(&wait), SLICE_ARG(worker_program(crew->conf)),
              in_a_row(crew->crash.n_bad, row, sizeof(row)), why);
    text_deinit(&wait);
    return true;
}

/* ---- facts ----------------------------------------------------------------------------------- */

static enum fact_state state_of(const struct crew *crew)
{
    if (crew->shop->is_draining || crew->shop->is_resting || crew->is_leaving)
        return FACT_DRAINING;
    if (!crash_is_well(&crew->crash))
        return FACT_FAILED;
    return crew->trouble.len > 0 ? FACT_DOWN : FACT_SERVING;
}

static void reason_of(const struct crew *crew, char *reason, size_t cap)
{
    enum fact_state state = state_of(crew);
    char row[40];
    if (state == FACT_FAILED)
        snprintf(reason, cap, "failed at once%s: %s", in_a_row(crew->crash.n_bad, row, sizeof(row)),
                 text_cstr(&crew->crash_why));
    else if (state == FACT_DOWN)
        snprintf(reason, cap, "%s", text_cstr(&crew->trouble));
    else
        snprintf(reason, cap, "%" PRIu32 " of %" PRIu32 " jobs of %.*s", count_working(crew),
                 crew->scale.level, SLICE_ARG(crew->conf->queue));
}

void crew_publish(struct crew *crew)
{
    char name[FACT_NAME_MAX], reason[FACT_REASON_MAX];
    reason_of(crew, reason, sizeof(reason));
    snprintf(name, sizeof(name), "worker:%s", crew->name);
    board_state(crew->shop->process->board, name, state_of(crew), count_working(crew), reason,
                loop_wall_ns(crew->shop->loop));
    metric_set(metric_row(crew->slab->slab, 0), WORKER_RUNNING, count_working(crew));
    metric_set(metric_row(crew->slab->slab, 0), WORKER_CONCURRENCY, crew->scale.level);
    metric_set(metric_row(crew->slab->slab, 0), WORKER_PROGRAMS, count_servants(crew));
}

static void tell_count(const struct crew *crew, struct json *json, const char *key,
                       enum worker_word word)
{
    metric_word *row = metric_row(crew->slab->slab, 0);
    json_key(json, key);
    json_uint(json, atomic_load_explicit(&row[word], memory_order_relaxed));
}

void crew_status(const struct crew *crew, struct json *json)
{
    char reason[FACT_REASON_MAX];
    bool is_well = state_of(crew) == FACT_SERVING;
    reason_of(crew, reason, sizeof(reason));
    json_object_begin(json);
    json_key(json, "name");
    json_cstr(json, crew->name);
    json_key(json, "queue");
    json_slice(json, crew->conf->queue);
    json_key(json, "concurrency");
    json_uint(json, crew->scale.level);
    json_key(json, "least");
    json_int(json, crew->conf->concurrency.low);
    json_key(json, "most");
    json_int(json, crew->conf->concurrency.high);
    tell_count(crew, json, "running", WORKER_RUNNING);
    tell_count(crew, json, "done", WORKER_DONE);
    tell_count(crew, json, "again", WORKER_AGAIN);
    tell_count(crew, json, "buried", WORKER_BURIED);
    json_key(json, "programs");
    json_uint(json, count_servants(crew));
    json_key(json, "state");
    json_cstr(json, fact_state_name(state_of(crew)));
    json_key(json, "why");
    json_cstr(json, is_well ? "" : reason);
    json_object_end(json);
}

/* ---- its life -------------------------------------------------------------------------------- */

struct crew *crew_create(struct workshop *shop, struct snapshot *snap,
                         const struct worker_conf *conf, struct shared_slab *slab)
{
    struct crew *crew = MEM_NEW(struct crew);
    crew->shop = shop;
    crew->name = slice_dup(conf->name);
    crew->snap = snapshot_ref(snap);
    crew->conf = conf;
    crew->slab = slab;
    list_init(&crew->hands);
    list_init(&crew->servants);
    list_init(&crew->idle);
    loop_timer_init(&crew->timer, on_timer);
    list_init(&crew->node);
    list_add_back(&shop->crews, &crew->node);
    set_scale(crew);
    return crew;
}

void crew_configure(struct crew *crew, struct snapshot *snap, const struct worker_conf *conf)
{
    struct snapshot *former = crew->snap;
    bool is_elsewhere = !slice_equal(crew->conf->queue, conf->queue) ||
                        (crew->conf->serve != NULL) != (conf->serve != NULL);
    if (crew->conf->serve && !worker_is_same_program(crew->conf, conf))
        replace_servants(crew);
    crew->snap = snapshot_ref(snap);
    crew->conf = conf;
    crew->is_leaving = false;
    snapshot_unref(&former);
    /* What was wrong with the former program need not be with this one. */
    crew->crash = (struct crash){.n_bad = 0};
    set_scale(crew);
    if (is_elsewhere && crew->asking)
        hand_dismiss(crew->asking);
}

void crew_set_user(struct crew *crew, struct run_user *take_user)
{
    run_user_destroy(&crew->user);
    crew->user = take_user;
}

void crew_leave(struct crew *crew)
{
    crew->is_leaving = true;
    crew_look(crew);
}

uint64_t crew_retire(struct crew *crew, uint64_t deadline_ns)
{
    uint64_t now_ns = now_of(crew);
    uint64_t last_ns = ((uint64_t)crew->conf->grace_ms + MARGIN_MS) * NS_PER_MS;
    if (crew->asking)
        hand_dismiss(crew->asking);
    LIST_EACH (node, &crew->servants)
        servant_dismiss(LIST_ENTRY(node, struct servant, node));
    crew_publish(crew);
    return deadline_ns > now_ns + last_ns ? deadline_ns - last_ns : now_ns;
}

void crew_stop(struct crew *crew, uint64_t deadline_ns)
{
    uint64_t now_ns = now_of(crew), margin_ns = MARGIN_MS * NS_PER_MS;
    uint64_t grace_ns = deadline_ns > now_ns + margin_ns ? deadline_ns - now_ns - margin_ns : 0;
    LIST_EACH (node, &crew->hands)
        hand_stop(LIST_ENTRY(node, struct hand, node), grace_ns);
    LIST_EACH (node, &crew->servants)
        servant_stop(LIST_ENTRY(node, struct servant, node), grace_ns);
    crew_publish(crew);
}

bool crew_has(const struct crew *crew, pid_t pid)
{
    LIST_EACH (node, &crew->hands) {
        const struct hand *hand = LIST_ENTRY(node, struct hand, node);
        if (hand->run && run_pid(hand->run) == pid)
            return true;
    }
    LIST_EACH (node, &crew->servants)
        if (run_pid(LIST_ENTRY(node, struct servant, node)->run) == pid)
            return true;
    return false;
}

void crew_destroy(struct crew *crew)
{
    char name[FACT_NAME_MAX];
    LIST_EACH (node, &crew->hands)
        hand_destroy(LIST_ENTRY(node, struct hand, node));
    LIST_EACH (node, &crew->servants)
        servant_destroy(LIST_ENTRY(node, struct servant, node));
    snprintf(name, sizeof(name), "worker:%s", crew->name);
    board_remove(crew->shop->process->board, name, loop_wall_ns(crew->shop->loop));
    loop_timer_clear(crew->shop->loop, &crew->timer);
    scout_destroy(&crew->scout);
    list_remove(&crew->node);
    slabs_leave(&crew->shop->slabs, crew->slab);
    snapshot_unref(&crew->snap);
    run_user_destroy(&crew->user);
    text_deinit(&crew->crash_why);
    text_deinit(&crew->trouble);
    mem_free(crew->name);
    mem_free(crew);
}
