/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random commands and random times, by seeds: the model and the naive one say the same and are
 * the same after each; and a model that is made from the records is the model again, but for its
 * leases.
 *
 *     model_random_test [FIRST_SEED N_SEEDS]
 */

#include "queue/model_naive.h"

#include "base/mem.h"
#include "config.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef WEIR_IS_SANITIZED
enum { SEEDS_IN_TEST = 150 };
#else
enum { SEEDS_IN_TEST = 600 };
#endif
enum { N_OPS = 220, BODY_MAX = 300 };

static const char *const tube_names[NAIVE_TUBES] = {"default", "a", "b"};

static uint64_t first_seed = 1;
static uint64_t n_seeds = SEEDS_IN_TEST;
static uint64_t last_seed;

/* One run: both, what was logged, and the time. */
struct run {
    struct model *model;
    struct naive naive;
    struct model_conn *conns[NAIVE_CONNS];
    struct rng rng; /* of the test's choices */
    struct model_now now;
    struct text log; /* 4 bytes of length, a record, ... */
    bool may_step_back;
    char body[BODY_MAX];
};

static uint64_t below(struct run *run, uint64_t n)
{
    return rng_below(&run->rng, n);
}

static bool one_in(struct run *run, uint64_t n)
{
    return below(run, n) == 0;
}

/* ---- the log --------------------------------------------------------------------------------- */

static void log_record(struct run *run, const struct job_record *record)
{
    size_t start = run->log.len;
    text_pad(&run->log, '\0', 4);
    job_record_write(record, &run->log);
    uint32_t n = (uint32_t)(run->log.len - start - 4);
    memcpy(run->log.ptr + start, &n, 4);
}

static bool is_for_log(enum model_action_kind kind)
{
    return kind <= MODEL_LOG_MARK;
}

static struct model *replay(const struct run *run)
{
    struct model *again = model_create(&run->model->limits, 99);
    struct slice rest = text_slice(&run->log);
    uint64_t place = 1;
    while (rest.len > 0) {
        uint32_t n;
        struct job_record record;
        memcpy(&n, rest.ptr, 4);
        assert_int_equal(job_record_read(slice_make(rest.ptr + 4, n), &record), 0);
        assert_int_equal(model_replay(again, &record, place++), 0);
        rest = slice_skip(rest, 4 + n);
    }
    return again;
}

/* What the cleaner would leave of the log: every job once, as it is. */
static struct model *replay_snapshots(const struct run *run)
{
    struct model *again = model_create(&run->model->limits, 98);
    for (uint64_t id = 1; id < run->naive.next_id; id++) {
        const struct job *job = model_find_any(run->model, id);
        struct job_record record;
        if (!job)
            continue;
        model_snapshot(run->model, job, &record);
        /* Once more is as good as once. */
        assert_int_equal(model_replay(again, &record, id), 0);
        assert_int_equal(model_replay(again, &record, id), 0);
    }
    return again;
}

static void same_text(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a)
        assert_string_equal(a, b);
}

static void same_extra(const struct run *run, const struct model *again, const struct job *job,
                       const struct job *twin)
{
    static const struct job_extra none;
    const struct job_extra *a = job_extra(&run->model->store, job);
    const struct job_extra *b = job_extra(&again->store, twin);
    a = a ? a : &none;
    b = b ? b : &none;
    assert_int_equal(a->expire_ms, b->expire_ms);
    assert_int_equal(a->attempts_max, b->attempts_max);
    assert_int_equal(a->result_s, b->result_s);
    assert_int_equal(a->error, b->error);
    assert_int_equal(a->result_bytes, b->result_bytes);
    same_text(a->key, b->key);
    same_text(a->error_text, b->error_text);
    same_text(a->result, b->result);
}

static void same_job(const struct run *run, const struct model *again, const struct job *job,
                     const struct job *twin)
{
    const char *names[2] = {run->model->tubes[job->tube]->name, again->tubes[twin->tube]->name};
    assert_string_equal(names[0], names[1]);
    assert_int_equal(job->priority, twin->priority);
    assert_int_equal(job->ttr_s, twin->ttr_s);
    assert_int_equal(job->delay_s, twin->delay_s);
    assert_int_equal(job->created_s, twin->created_s);
    assert_int_equal(job->body_bytes, twin->body_bytes);
    assert_true(slice_equal(job_body(&run->model->store, job), job_body(&again->store, twin)));
    assert_int_equal(job->n_attempts, twin->n_attempts);
    assert_int_equal(job->n_reserves, twin->n_reserves);
    assert_int_equal(job->n_timeouts, twin->n_timeouts);
    assert_int_equal(job->n_releases, twin->n_releases);
    assert_int_equal(job->n_buries, twin->n_buries);
    assert_int_equal(job->n_kicks, twin->n_kicks);
    same_extra(run, again, job, twin);
    assert_int_not_equal(twin->state, JOB_RESERVED);
    if (job->state == JOB_RESERVED)
        return;
    assert_int_equal(job->state, twin->state);
    if (job->state == JOB_DELAYED)
        assert_int_equal(job->due_ms, twin->due_ms);
}

/* The order of those that are buried in both. */
static void same_burials(const struct run *run, const struct model *again, const struct tube *tube)
{
    const struct tube *other = model_tube(again, tube_name(tube));
    uint32_t b = other ? other->buried.next : JOB_NONE;
    for (uint32_t a = tube->buried.next; a != JOB_NONE;
         a = job_at(&run->model->store, a)->link.next) {
        uint64_t id = job_at(&run->model->store, a)->id;
        while (b != JOB_NONE && job_at(&again->store, b)->id != id)
            b = job_at(&again->store, b)->link.next;
        assert_int_not_equal(b, JOB_NONE);
    }
}

/* After a crash a job that was leased is dropped where it waits no longer. */
static bool may_be_gone(const struct run *run, const struct job *job)
{
    const struct job_extra *extra = job_extra(&run->model->store, job);
    return job->state == JOB_RESERVED && extra && extra->expire_ms > 0 &&
           extra->expire_ms <= run->now.wall_ms;
}

static void check_again(const struct run *run, struct model *again, bool has_order)
{
    model_tick(again, run->now);
    for (uint64_t id = 1; id < run->naive.next_id; id++) {
        const struct job *job = model_find_any(run->model, id);
        const struct job *twin = model_find_any(again, id);
        if (job && !twin && may_be_gone(run, job))
            continue;
        assert_int_equal(job == NULL, twin == NULL);
        if (job && twin)
            same_job(run, again, job, twin);
    }
    for (int i = 0; has_order && i < NAIVE_TUBES; i++) {
        const struct tube *tube = model_tube(run->model, slice_from(tube_names[i]));
        const struct tube *other = model_tube(again, slice_from(tube_names[i]));
        if (!tube)
            continue;
        same_burials(run, again, tube);
        assert_int_equal(tube->paused_until_ms, other ? other->paused_until_ms : 0);
        assert_int_equal(tube->is_draining, other ? other->is_draining : 0);
    }
    assert_true(!has_order || again->next_id >= run->model->next_id);
    model_destroy(&again);
}

/* ---- both are the same ----------------------------------------------------------------------- */

static void same_events(struct run *run)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < run->model->n_actions; i++) {
        const struct model_action *action = &run->model->actions[i];
        struct job_record record;
        if (is_for_log(action->kind)) {
            model_record(run->model, action, &record);
            log_record(run, &record);
            continue;
        }
        assert_true(n < run->naive.n_events);
        const struct naive_event *event = &run->naive.events[n++];
        assert_int_equal(action->kind, event->kind);
        assert_ptr_equal(action->conn, run->conns[event->conn]);
        assert_int_equal(action->id, event->id);
    }
    assert_int_equal(n, run->naive.n_events);
}

static void same_naive_job(const struct run *run, const struct job *job,
                           const struct naive_job *twin)
{
    const struct job_extra *extra = job_extra(&run->model->store, job);
    assert_string_equal(run->model->tubes[job->tube]->name, tube_names[twin->tube]);
    assert_int_equal(job->state, twin->state);
    assert_int_equal(job->priority, twin->priority);
    assert_int_equal(job->n_attempts, twin->n_attempts);
    assert_int_equal(job->n_reserves, twin->n_reserves);
    assert_int_equal(job->n_timeouts, twin->n_timeouts);
    assert_int_equal(job->n_releases, twin->n_releases);
    assert_int_equal(job->n_buries, twin->n_buries);
    assert_int_equal(job->n_kicks, twin->n_kicks);
    assert_int_equal(extra ? extra->expire_ms : 0, twin->expire_ms);
    assert_int_equal(extra ? extra->error : 0, twin->error);
    const char *key = extra && extra->key ? extra->key : "0";
    assert_int_equal(key[strlen(key) - 1] - '0', twin->key);
    if (twin->state == JOB_RESERVED)
        assert_int_equal(model_left_ms(run->model, job, (struct model_now){0, 0}), twin->end_ms);
    if (twin->state == JOB_DELAYED)
        assert_int_equal(job->due_ms, twin->due_ms);
}

static void same_tube(const struct run *run, int number)
{
    const struct tube *tube = model_tube(run->model, slice_from(tube_names[number]));
    assert_int_equal(tube && tube_is_needed(tube), naive_has_tube(&run->naive, number));
    if (!naive_has_tube(&run->naive, number))
        return;
    static const enum job_state peeked[] = {JOB_READY, JOB_DELAYED, JOB_BURIED};
    for (size_t i = 0; i < ARRAY_LEN(peeked); i++) {
        const struct job *job = model_peek(run->model, tube, peeked[i]);
        assert_int_equal(job ? job->id : 0, naive_peek(&run->naive, number, peeked[i]));
    }
    assert_int_equal(tube->ready.n, naive_count(&run->naive, number, JOB_READY));
    assert_int_equal(tube->delayed.n, naive_count(&run->naive, number, JOB_DELAYED));
    assert_int_equal(tube->n_reserved, naive_count(&run->naive, number, JOB_RESERVED));
    assert_int_equal(tube->n_buried, naive_count(&run->naive, number, JOB_BURIED));
    assert_int_equal(tube->n_done, naive_count(&run->naive, number, JOB_DONE));
    assert_int_equal(tube->n_bytes, naive_n_bytes(&run->naive, number));
}

/* Page by page, each that has the state is there, and once. */
static void check_list(const struct run *run, int number, enum job_state state, uint32_t n_page)
{
    const struct tube *tube = model_tube(run->model, slice_from(tube_names[number]));
    bool is_seen[NAIVE_JOBS] = {false};
    uint32_t n_seen = 0, cursor = 0, n;
    if (!tube)
        return;
    do {
        const struct job *jobs[NAIVE_JOBS];
        n = model_list(run->model, tube, state, &cursor, jobs, n_page);
        assert_true(n <= n_page);
        for (uint32_t i = 0; i < n; i++) {
            const struct naive_job *twin = &run->naive.jobs[jobs[i]->id % NAIVE_JOBS];
            assert_true(twin->is_there && twin->tube == number && twin->state == state);
            assert_false(is_seen[jobs[i]->id % NAIVE_JOBS]);
            is_seen[jobs[i]->id % NAIVE_JOBS] = true;
        }
        n_seen += n;
    } while (cursor != 0);
    assert_int_equal(n_seen, naive_count(&run->naive, number, state));
}

static void check_lists(const struct run *run, uint32_t n_page)
{
    for (int number = 0; number < NAIVE_TUBES; number++)
        for (int state = 0; state < JOB_N_STATES; state++)
            check_list(run, number, (enum job_state)state, n_page);
}

static void check_same(struct run *run)
{
    same_events(run);
    assert_int_equal(run->model->store.n_jobs, naive_count(&run->naive, -1, JOB_N_STATES));
    for (uint64_t id = 1; id < run->naive.next_id; id++) {
        const struct job *job = model_find_any(run->model, id);
        const struct naive_job *twin = &run->naive.jobs[id];
        assert_int_equal(job != NULL, twin->is_there);
        if (job)
            same_naive_job(run, job, twin);
    }
    for (int i = 0; i < NAIVE_TUBES; i++)
        same_tube(run, i);
    for (int i = 0; i < NAIVE_CONNS; i++)
        if (run->conns[i])
            assert_int_equal(run->conns[i]->is_waiting, run->naive.conns[i].is_waiting);
}

/* ---- commands -------------------------------------------------------------------------------- */

static struct slice name_of(int tube)
{
    return slice_from(tube_names[tube]);
}

/* Mostly one that there is. */
static uint64_t some_id(struct run *run)
{
    return below(run, run->naive.next_id + 1);
}

static void do_put(struct run *run, int conn)
{
    uint64_t ids[2] = {0, 0};
    uint32_t key = one_in(run, 4) ? 1 + (uint32_t)below(run, 3) : 0;
    char key_text[32];
    snprintf(key_text, sizeof(key_text), "%s%" PRIu32,
             key == NAIVE_SCHEDULE_KEY ? JOB_SCHEDULE_KEY : "", key);
    if (run->naive.next_id >= NAIVE_JOBS)
        return;
    struct model_put put = {
        .priority = one_in(run, 3) ? (uint32_t)below(run, 2000) : 1000,
        .delay_s = one_in(run, 4) ? (uint32_t)below(run, 5) : 0,
        .ttr_s = 1 + (uint32_t)below(run, 4),
        .body = slice_make(run->body, below(run, one_in(run, 4) ? BODY_MAX : 40)),
        .key = key > 0 ? slice_from(key_text) : SLICE(""),
        .ttl_s = one_in(run, 6) ? 1 + (uint32_t)below(run, 6) : 0,
        .attempts_max = one_in(run, 5) ? 1 + (uint32_t)below(run, 3) : 0,
        .result_s = one_in(run, 5) ? 1 + (uint32_t)below(run, 6) : 0,
        .n_attempts = one_in(run, 10) ? (uint16_t)below(run, 4) : 0,
        .not_before_ms = one_in(run, 8) ? run->now.wall_ms + below(run, 4000) : 0,
    };
    enum model_result wanted = naive_put(&run->naive, conn, &put, key, run->now, &ids[1]);
    assert_int_equal(model_put(run->model, run->conns[conn], &put, run->now, &ids[0]), wanted);
    assert_int_equal(ids[0], ids[1]);
}

static void do_reserve(struct run *run, int conn)
{
    uint64_t ids[2] = {0, 0};
    uint64_t timeout_ms = one_in(run, 3) ? MODEL_FOR_EVER : below(run, 4) * 700;
    enum model_result wanted = naive_reserve(&run->naive, conn, timeout_ms, run->now, &ids[1]);
    assert_int_equal(model_reserve(run->model, run->conns[conn], timeout_ms, run->now, &ids[0]),
                     wanted);
    assert_int_equal(ids[0], ids[1]);
}

static void do_names(struct run *run, int conn)
{
    int tube = (int)below(run, NAIVE_TUBES);
    struct model_conn *one = run->conns[conn];
    run->naive.n_events = 0;
    switch (below(run, 3)) {
    case 0:
        assert_int_equal(model_use(run->model, one, name_of(tube)), MODEL_OK);
        run->naive.conns[conn].used = tube;
        break;
    case 1:
        assert_int_equal(model_watch(run->model, one, name_of(tube)), MODEL_OK);
        run->naive.conns[conn].is_watching[tube] = true;
        break;
    default:
        assert_int_equal(model_ignore(run->model, one, name_of(tube)),
                         naive_ignore(&run->naive, conn, tube));
    }
}

static bool is_leased(const struct run *run, int conn, uint64_t id)
{
    const struct naive_job *job = &run->naive.jobs[id % NAIVE_JOBS];
    return job->is_there && job->state == JOB_RESERVED && job->conn == conn;
}

/* What a worker does with a job; half of the time with one of its own. */
static void do_work(struct run *run, int conn)
{
    struct model *model = run->model;
    struct naive *naive = &run->naive;
    struct model_conn *one = run->conns[conn];
    uint64_t id = some_id(run);
    uint32_t number = (uint32_t)below(run, 3);
    for (int i = 0; i < 6 && !is_leased(run, conn, id); i++)
        id = some_id(run);
    const struct model_failure failure = {.error =
                                              (enum job_error)(1 + below(run, JOB_N_ERRORS - 1)),
                                          .text = SLICE("no"),
                                          .least_ms = number * 700,
                                          .result = slice_make(run->body, number * 40)};
    switch (below(run, 8)) {
    case 0:
        assert_int_equal(model_release(model, one, id, number * 900, number, run->now),
                         naive_release(naive, conn, id, number * 900, number, run->now));
        break;
    case 1:
        assert_int_equal(model_bury(model, one, id, number, run->now),
                         naive_bury(naive, conn, id, number, run->now));
        break;
    case 2:
        assert_int_equal(model_touch(model, one, id, run->now),
                         naive_touch(naive, conn, id, run->now));
        break;
    case 3:
        assert_int_equal(model_progress(model, one, id, 50, SLICE("half"), run->now),
                         naive_touch(naive, conn, id, run->now));
        break;
    case 4:
        assert_int_equal(model_fail_with(model, one, id, &failure, run->now),
                         naive_fail(naive, conn, id, &failure, run->now));
        break;
    case 5:
        assert_int_equal(model_finish(model, one, id, slice_make(run->body, number * 50), run->now),
                         naive_finish(naive, conn, id, number * 50, run->now));
        break;
    case 6:
        assert_int_equal(model_give_back(model, one, id, run->now),
                         naive_give_back(naive, conn, id, run->now));
        break;
    default:
        assert_int_equal(model_delete(model, one, id, run->now),
                         naive_delete(naive, conn, id, run->now));
    }
}

static void do_kick(struct run *run)
{
    int number = (int)below(run, NAIVE_TUBES);
    struct tube *tube = model_tube(run->model, name_of(number));
    enum job_state state = one_in(run, 2) ? JOB_BURIED : JOB_DELAYED;
    uint32_t n = (uint32_t)below(run, 4);
    uint64_t id = some_id(run);
    if (one_in(run, 3))
        assert_int_equal(model_kick_job(run->model, id, run->now),
                         naive_kick_job(&run->naive, id, run->now));
    else if (tube)
        assert_int_equal(model_kick(run->model, tube, state, n, run->now),
                         naive_kick(&run->naive, number, state, n, run->now));
}

static void do_operate(struct run *run)
{
    int number = (int)below(run, NAIVE_TUBES);
    struct tube *tube = model_tube(run->model, name_of(number));
    uint64_t id = some_id(run);
    uint64_t pause_ms = one_in(run, 4) ? TUBE_FOR_EVER : below(run, 3) * 800;
    bool is_draining = one_in(run, 3);
    run->naive.n_events = 0;
    switch (below(run, 5)) {
    case 0:
        assert_int_equal(model_bury_job(run->model, id, run->now),
                         naive_bury_job(&run->naive, id, run->now));
        break;
    case 1:
        assert_int_equal(model_delete(run->model, NULL, id, run->now),
                         naive_delete(&run->naive, -1, id, run->now));
        break;
    case 2:
        if (!tube)
            break;
        model_pause(run->model, tube, pause_ms, run->now);
        naive_pause(&run->naive, number, pause_ms, run->now);
        break;
    case 3:
        if (!tube)
            break;
        model_drain_tube(run->model, tube, is_draining);
        run->naive.tubes[number].is_draining = is_draining;
        break;
    default:
        model_drain(run->model, is_draining);
        run->naive.is_draining = is_draining;
    }
}

static void do_configure(struct run *run)
{
    int tube = (int)below(run, NAIVE_TUBES);
    struct tube_policy policy;
    tube_policy_init(&policy);
    if (one_in(run, 2))
        policy.attempts_max = 1 + (uint32_t)below(run, 3);
    if (one_in(run, 3))
        policy.ttl_s = 1 + (uint32_t)below(run, 8);
    if (one_in(run, 3))
        policy.result_s = 1 + (uint32_t)below(run, 5);
    if (one_in(run, 2))
        policy.concurrency_max = 1 + (uint32_t)below(run, 2);
    if (one_in(run, 3)) {
        policy.rate_n = 1 + below(run, 3);
        policy.rate_per_ns = policy.rate_n * UINT64_C(500000000);
        policy.rate_burst = 1 + below(run, 2);
    }
    if (one_in(run, 3))
        policy.jobs_max = 1 + below(run, 8);
    if (one_in(run, 3))
        policy.bytes_max = 100 + below(run, 300);
    for (int i = 1; i < JOB_N_ERRORS; i++)
        policy.retry[i] = (struct retry_rule){(enum retry_action)below(run, 3),
                                              (uint32_t)below(run, 2) * 500, 3000};
    assert_int_equal(model_configure(run->model, name_of(tube), &policy, run->now), MODEL_OK);
    naive_configure(&run->naive, tube, &policy, run->now);
}

static void do_conn(struct run *run, int conn)
{
    if (!run->conns[conn]) {
        run->conns[conn] = model_conn_open(run->model, NULL);
        naive_open(&run->naive, conn);
    } else {
        model_conn_close(run->model, &run->conns[conn], run->now);
        naive_close(&run->naive, conn, run->now);
    }
}

static void do_something(struct run *run)
{
    int conn = (int)below(run, NAIVE_CONNS);
    bool is_open = run->conns[conn] != NULL;
    bool is_free = is_open && !run->conns[conn]->is_waiting;
    uint64_t choice = below(run, 100);
    uint64_t id = some_id(run);
    /* What asks nobody leaves no actions behind, also not those of the call before. */
    run->naive.n_events = run->model->n_actions = 0;
    if (!is_open || choice < 2)
        do_conn(run, conn);
    else if (choice < 6)
        do_operate(run);
    else if (choice < 8 && one_in(run, 3))
        do_configure(run);
    else if (choice < 14)
        do_kick(run);
    else if (!is_free)
        return; /* it waits, and says nothing meanwhile */
    else if (choice < 40)
        do_put(run, conn);
    else if (choice < 60)
        do_reserve(run, conn);
    else if (choice < 64)
        assert_int_equal(model_reserve_job(run->model, run->conns[conn], id, run->now),
                         naive_reserve_job(&run->naive, conn, id, run->now));
    else if (choice < 72)
        do_names(run, conn);
    else
        do_work(run, conn);
    check_same(run);
}

/* Mostly to the next thing that is due, or near it. */
static void pass_time(struct run *run)
{
    uint64_t step_ms = below(run, 3) * below(run, 300);
    uint64_t mono_ms = model_next_mono_ms(run->model);
    if (one_in(run, 3) && mono_ms != UINT64_MAX && mono_ms > run->now.mono_ms)
        step_ms = mono_ms - run->now.mono_ms - one_in(run, 2);
    run->now.mono_ms += step_ms;
    run->now.wall_ms += step_ms;
    if (one_in(run, 40))
        run->now.wall_ms += below(run, 3000);
    if (run->may_step_back && one_in(run, 40))
        run->now.wall_ms -= below(run, 3000);
    for (int i = 0; i < NAIVE_TUBES; i++) {
        const struct tube *tube = model_tube(run->model, name_of(i));
        run->naive.numbers[i] = tube ? tube->number : UINT32_MAX;
    }
    assert_false(model_tick(run->model, run->now));
    naive_tick(&run->naive, run->now);
    check_same(run);
    assert_true(model_next_wall_ms(run->model) > run->now.wall_ms);
    assert_true(model_next_mono_ms(run->model) > run->now.mono_ms);
}

static void end_run(struct run *run)
{
    for (int i = 0; i < NAIVE_CONNS; i++) {
        if (!run->conns[i])
            continue;
        do_conn(run, i);
        check_same(run);
    }
    model_destroy(&run->model);
    text_deinit(&run->log);
}

static void one_run(uint64_t seed)
{
    struct model_limits limits = {
        .jobs_max = 30, .bytes_max = 1500, .tubes_max = NAIVE_TUBES, .watches_max = NAIVE_TUBES};
    struct run run = {.now = {1700000000000, 5000}};
    rng_init(&run.rng, seed * 7919);
    run.model = model_create(&limits, seed);
    run.may_step_back = seed % 4 == 0;
    memset(run.body, 'x', sizeof(run.body));
    naive_init(&run.naive, &limits, seed);
    for (int i = 0; i < N_OPS; i++) {
        do_something(&run);
        if (one_in(&run, 2))
            pass_time(&run);
        if (i % 8 == 0)
            check_lists(&run, 1 + (uint32_t)i % 5);
        if (!run.may_step_back && one_in(&run, 60)) {
            check_again(&run, replay(&run), true);
            check_again(&run, replay_snapshots(&run), false);
        }
    }
    end_run(&run);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + n_seeds; seed++) {
        last_seed = seed;
        one_run(seed);
    }
}

static int say_seed(void **state)
{
    (void)state;
    print_message("the last seed was %" PRIu64 "\n", last_seed);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        first_seed = strtoull(argv[1], NULL, 10);
        n_seeds = strtoull(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_random, say_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
