/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Schedules on a clock of the test's own: stories as tables, and a crash behind every record.
 */

#include "queue/schedule_world.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- stories --------------------------------------------------------------------------------- */

enum op {
    END,
    AT,      /* the clock is stepped to n, and what is due then happens */
    AFTER,   /* n seconds go by, each with its tick */
    TAKE,    /* a worker takes a job and does it */
    HOLD,    /* a worker takes a job */
    DONE,    /* and does it */
    FAIL,    /* or says that it can never be done */
    NONE,    /* there is no job to take */
    NEXT,    /* the next time is n */
    WAITS,   /* so many jobs wait for their time */
    RESTART, /* kill -9, and a start at n */
    RELOAD,  /* the same file again */
    WITHOUT, /* a file without schedules */
    GONE,    /* kill -9, and a start with such a file at n */
    FULL,    /* the log takes nothing, */
    ROOM,    /* and takes again */
    DRAIN,
    KICK,     /* the operator kicks the first of those that wait, by its id, */
    KICK_ANY, /* or all that may be, of which there are n, */
    BURY,     /* or buries it, */
    DELETE,   /* or deletes it */
    OTHER,    /* a producer puts a job that waits until n */
    RULE,     /* the rule of the zone is Berlin's from now on */
    SCHEDULED,
    OVERLAPS,
    LATE,
    MISSED, /* counters, at the end */
};

struct step {
    enum op op;
    int64_t n;
};

struct story {
    const char *name, *when;
    bool may_overlap, may_miss;
    const char *zone;
    int64_t start_s;
    struct step steps[24];
};

/* 2026-03-29 00:00 UTC: an hour later the clocks of Berlin go from 2 to 3. */
#define SPRING 1774742400
/* 2026-10-25 00:00 UTC: they go from 3 back to 2 at 1 UTC. */
#define AUTUMN 1792886400
/* 2026-07-01 00:00 UTC. */
#define SUMMER 1782864000
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static const struct story stories[] = {
    {.name = "one after the other",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{NEXT, 660},
               {WAITS, 1},
               {NONE, 0},
               {AT, 659},
               {NONE, 0},
               {AT, 660},
               {TAKE, 0},
               {NONE, 0},
               {NEXT, 720},
               {AT, 721},
               {TAKE, 0},
               {NONE, 0},
               {WAITS, 1},
               {SCHEDULED, 2},
               {LATE, 0}}},
    {.name = "each second",
     .when = "every 1s",
     .may_overlap = true,
     .start_s = 1000,
     .steps = {{AFTER, 3}, {TAKE, 0}, {TAKE, 0}, {TAKE, 0}, {NONE, 0}, {SCHEDULED, 3}}},
    {.name = "a restart before the time",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{RESTART, 640}, {NEXT, 660}, {WAITS, 1}, {AT, 660}, {TAKE, 0}, {NONE, 0}}},
    {.name = "a restart behind the time, the job done",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 660}, {TAKE, 0}, {RESTART, 661}, {NONE, 0}, {NEXT, 720}, {WAITS, 1}}},
    {.name = "a restart behind the time, the job with a worker",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 660}, {HOLD, 0}, {RESTART, 661}, {TAKE, 0}, {NONE, 0}, {NEXT, 720}}},
    {.name = "many times missed, one made up for",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 660},
               {TAKE, 0},
               {RESTART, 1330},
               {TAKE, 0},
               {NONE, 0},
               {NEXT, 1380},
               {AT, 1380},
               {TAKE, 0},
               {NONE, 0},
               {SCHEDULED, 3},
               {LATE, 1}}},
    {.name = "missed while the one before was still to be done",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 660},
               {HOLD, 0},
               {RESTART, 1330},
               {TAKE, 0},
               {NONE, 0},
               {NEXT, 1380},
               {OVERLAPS, 1}}},
    {.name = "the guard",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 660},
               {HOLD, 0},
               {AT, 720},
               {NONE, 0},
               {AT, 780},
               {NONE, 0},
               {WAITS, 1},
               {DONE, 0},
               {NONE, 0},
               {AT, 840},
               {TAKE, 0},
               {NONE, 0},
               {SCHEDULED, 2},
               {OVERLAPS, 2}}},
    {.name = "the guard, of a job that nobody took",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 660}, {AT, 720}, {AT, 780}, {TAKE, 0}, {NONE, 0}, {OVERLAPS, 2}}},
    {.name = "no guard",
     .when = "* * * * *",
     .may_overlap = true,
     .start_s = 630,
     .steps = {{AT, 660},
               {HOLD, 0},
               {AT, 720},
               {AT, 780},
               {TAKE, 0},
               {TAKE, 0},
               {NONE, 0},
               {OVERLAPS, 0}}},
    {.name = "a dead job holds up nothing",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 660}, {HOLD, 0}, {FAIL, 0}, {AT, 720}, {TAKE, 0}, {NONE, 0}, {OVERLAPS, 0}}},
    {.name = "the clock goes forward",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 9999}, {TAKE, 0}, {NONE, 0}, {NEXT, 10020}, {LATE, 1}}},
    {.name = "the clock goes back a little",
     .when = "* * * * *",
     .start_s = 6300,
     .steps = {{AT, 6360},
               {TAKE, 0},
               {AT, 3000},
               {NONE, 0},
               {NEXT, 6420},
               {RESTART, 3001},
               {NEXT, 6420},
               {WAITS, 1},
               {AT, 6420},
               {TAKE, 0},
               {NONE, 0}}},
    {.name = "the clock was far ahead",
     .when = "* * * * *",
     .start_s = 630000,
     .steps = {{NEXT, 630060},
               {AT, 630},
               {NONE, 0},
               {NEXT, 660},
               {WAITS, 1},
               {AT, 660},
               {TAKE, 0},
               {NONE, 0}}},
    {.name = "the clock was far ahead in a former life",
     .when = "* * * * *",
     .start_s = 630000,
     .steps = {{RESTART, 630}, {NEXT, 660}, {WAITS, 1}, {AT, 660}, {TAKE, 0}, {NONE, 0}}},
    {.name = "a reload",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{RELOAD, 0},
               {WAITS, 1},
               {AT, 660},
               {HOLD, 0},
               {RELOAD, 0},
               {WAITS, 1},
               {AT, 720},
               {NONE, 0},
               {OVERLAPS, 1}}},
    {.name = "a file without it",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{WITHOUT, 0}, {WAITS, 0}, {AT, 660}, {NONE, 0}, {NEXT, SCHEDULE_NEVER}}},
    {.name = "a start without it",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{GONE, 640}, {WAITS, 0}, {AT, 660}, {NONE, 0}}},
    {.name = "a start without it behind its time",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{GONE, 700}, {NONE, 0}, {WAITS, 0}}},
    {.name = "a start without it, behind a time that was noticed and one that was not",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 660}, {GONE, 740}, {TAKE, 0}, {NONE, 0}, {WAITS, 0}}},
    {.name = "a start without it, the job with a worker",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{AT, 660}, {HOLD, 0}, {GONE, 740}, {TAKE, 0}, {NONE, 0}, {WAITS, 0}}},
    {.name = "missed, and left out",
     .when = "* * * * *",
     .may_miss = true,
     .start_s = 630,
     .steps = {{AT, 660},
               {TAKE, 0},
               {RESTART, 1330},
               {NONE, 0},
               {NEXT, 1380},
               {WAITS, 1},
               {AT, 1380},
               {TAKE, 0},
               {NONE, 0},
               {SCHEDULED, 2},
               {OVERLAPS, 0},
               {LATE, 0},
               {MISSED, 1}}},
    {.name = "not missed, but a little late",
     .when = "* * * * *",
     .may_miss = true,
     .start_s = 630,
     .steps = {{RESTART, 719}, {TAKE, 0}, {NONE, 0}, {NEXT, 720}, {MISSED, 0}}},
    {.name = "missed, behind one that waits",
     .when = "* * * * *",
     .may_miss = true,
     .start_s = 630,
     .steps = {{AT, 660}, {RESTART, 1330}, {TAKE, 0}, {NONE, 0}, {NEXT, 1380}, {MISSED, 1}}},
    {.name = "the clock goes forward, and what it passes is left out",
     .when = "* * * * *",
     .may_miss = true,
     .start_s = 630,
     .steps = {{AT, 9999}, {NONE, 0}, {NEXT, 10020}, {WAITS, 1}, {MISSED, 1}}},
    {.name = "a full log",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{FULL, 0},
               {AT, 660},
               {TAKE, 0},
               {AFTER, 200},
               {NONE, 0},
               {NEXT, 720},
               {ROOM, 0},
               {AFTER, 2},
               {TAKE, 0},
               {NONE, 0},
               {NEXT, 900},
               {WAITS, 1},
               {LATE, 1}}},
    {.name = "a drain refuses no next time",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{DRAIN, 0}, {AT, 660}, {TAKE, 0}, {WAITS, 1}, {RESTART, 730}, {TAKE, 0}, {NONE, 0}}},
    {.name = "done at once",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{KICK, 0},
               {NEXT, 720},
               {WAITS, 1},
               {TAKE, 0},
               {NONE, 0},
               {AT, 660},
               {NONE, 0},
               {NEXT, 720},
               {WAITS, 1},
               {AT, 720},
               {TAKE, 0},
               {NONE, 0}}},
    {.name = "done at once, and a restart",
     .when = "* * * * *",
     .start_s = 630,
     .steps =
         {{KICK, 0}, {TAKE, 0}, {RESTART, 640}, {NEXT, 720}, {WAITS, 1}, {AT, 660}, {NONE, 0}}},
    {.name = "done at once, and still at it when the next is due",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{KICK, 0},
               {HOLD, 0},
               {AT, 720},
               {NONE, 0},
               {OVERLAPS, 1},
               {RESTART, 725},
               {NEXT, 780},
               {TAKE, 0},
               {AT, 780},
               {TAKE, 0},
               {NONE, 0}}},
    {.name = "done at once, a day ahead",
     .when = "0 0 * * *",
     .start_s = 630,
     .steps = {{KICK, 0},
               {TAKE, 0},
               {NEXT, 2 * DAY_S},
               {AFTER, 2},
               {NEXT, 2 * DAY_S},
               {RESTART, 640},
               {NEXT, 2 * DAY_S},
               {WAITS, 1}}},
    {.name = "a kick of whatever waits",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{OTHER, 700},
               {WAITS, 2},
               {KICK_ANY, 1},
               {TAKE, 0},
               {NONE, 0},
               {NEXT, 660},
               {WAITS, 1},
               {KICK_ANY, 0},
               {AT, 660},
               {TAKE, 0},
               {NONE, 0}}},
    {.name = "buried, and kicked later",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{BURY, 0},
               {NEXT, 720},
               {WAITS, 1},
               {AT, 660},
               {NONE, 0},
               {RESTART, 661},
               {NEXT, 720},
               {WAITS, 1},
               {AT, 720},
               {TAKE, 0},
               {NONE, 0}}},
    {.name = "left out",
     .when = "* * * * *",
     .start_s = 630,
     .steps = {{DELETE, 0},
               {NEXT, 720},
               {RESTART, 640},
               {NEXT, 720},
               {AT, 660},
               {NONE, 0},
               {NEXT, 720},
               {WAITS, 1},
               {AT, 720},
               {TAKE, 0}}},
    {.name = "a zone with a new rule",
     .when = "30 2 * * *",
     .zone = "UTC0",
     .start_s = SUMMER,
     .steps = {{NEXT, SUMMER + 9000},
               {RULE, 0},
               {NEXT, SUMMER + 1800},
               {WAITS, 1},
               {RESTART, SUMMER + 60},
               {NEXT, SUMMER + 1800},
               {WAITS, 1},
               {AT, SUMMER + 1800},
               {TAKE, 0},
               {AT, SUMMER + 9000},
               {NONE, 0}}},
    {.name = "an hour that is left out",
     .when = "30 2 * * *",
     .zone = BERLIN,
     .start_s = SPRING,
     .steps = {{NEXT, SPRING + 3600},
               {AT, SPRING + 3600},
               {TAKE, 0},
               {NEXT, SPRING + DAY_S + 1800},
               {AT, SPRING + 7200},
               {NONE, 0}}},
    {.name = "an hour that comes twice",
     .when = "30 2 * * *",
     .zone = BERLIN,
     .start_s = AUTUMN,
     .steps = {{NEXT, AUTUMN + 1800},
               {AT, AUTUMN + 1800},
               {TAKE, 0},
               {AT, AUTUMN + 5400},
               {NONE, 0},
               {RESTART, AUTUMN + 5401},
               {NEXT, AUTUMN + DAY_S + 5400}}},
};

static void at(struct world *world, int64_t wall_s)
{
    world->now.wall_ms = (uint64_t)wall_s * MS_PER_S;
    world->now.mono_ms += MS_PER_S;
    world_tick(world);
}

static void take(struct world *world)
{
    enum model_result result =
        model_reserve(world->model, world->worker, 0, world->now, &world->held);
    world_settle(world);
    assert_int_equal(result, MODEL_OK);
}

static void done(struct world *world)
{
    assert_int_equal(model_delete(world->model, world->worker, world->held, world->now), MODEL_OK);
    world_settle(world);
    world->held = 0;
}

static void reload(struct world *world, enum op op)
{
    if (op == WITHOUT)
        world->n_plans = 0;
    if (op == RULE) {
        text_deinit(&world->zone);
        world_set_zone(world, BERLIN);
    }
    world_configure(world);
}

/* What an operator does with the first job that waits for its time. */
static enum model_result handle(struct world *world, enum op op)
{
    const struct tube *tube = model_tube(world->model, WORLD_QUEUE);
    uint64_t id = model_peek(world->model, tube, JOB_DELAYED)->id;
    if (op == KICK)
        return model_kick_job(world->model, id, world->now);
    if (op == BURY)
        return model_bury_job(world->model, id, world->now);
    return model_delete(world->model, NULL, id, world->now);
}

static void put_other(struct world *world, int64_t time_s)
{
    const struct model_put put = {
        .ttr_s = 1, .body = SLICE("x"), .not_before_ms = (uint64_t)time_s * MS_PER_S};
    uint64_t id;
    assert_int_equal(model_use(world->model, world->worker, WORLD_QUEUE), MODEL_OK);
    assert_int_equal(model_put(world->model, world->worker, &put, world->now, &id), MODEL_OK);
}

static void operate(struct world *world, const struct step *step)
{
    struct tube *tube = model_tube(world->model, WORLD_QUEUE);
    switch ((int)step->op) {
    case FULL:
    case ROOM:
        world->is_log_full = step->op == FULL;
        return;
    case DRAIN:
        model_drain(world->model, true);
        break;
    case OTHER:
        put_other(world, step->n);
        break;
    case KICK:
    case BURY:
    case DELETE:
        assert_int_equal(handle(world, step->op), MODEL_OK);
        break;
    case KICK_ANY:
        assert_int_equal(model_kick(world->model, tube, JOB_DELAYED, 9, world->now), step->n);
        break;
    case RELOAD:
    case WITHOUT:
    case RULE:
        reload(world, step->op);
        return;
    default:
        fail_msg("%d is no step", step->op);
    }
    world_tick(world);
}

static void restart(struct world *world, int64_t wall_s)
{
    world_crash(world);
    world_begin(world, wall_s);
    world_configure(world);
}

static void work(struct world *world, const struct step *step)
{
    uint64_t id;
    switch ((int)step->op) {
    case TAKE:
    case HOLD:
        take(world);
        if (step->op == TAKE)
            done(world);
        break;
    case DONE:
        done(world);
        break;
    case FAIL:
        assert_int_equal(model_fail(world->model, world->worker, world->held, JOB_ERROR_PERMANENT,
                                    SLICE("no"), world->now),
                         MODEL_BURIED);
        world_settle(world);
        break;
    case NONE:
        assert_int_equal(model_reserve(world->model, world->worker, 0, world->now, &id),
                         MODEL_TIMED_OUT);
        world_settle(world);
        break;
    default:
        operate(world, step);
    }
}

static void look(struct world *world, const struct step *step)
{
    const struct tube_counts *counts = &model_tube(world->model, WORLD_QUEUE)->counts;
    switch ((int)step->op) {
    case NEXT:
        assert_int_equal(schedules_next_s(&world->schedules, WORLD_QUEUE), step->n);
        break;
    case WAITS:
        assert_int_equal(model_tube(world->model, WORLD_QUEUE)->delayed.n, step->n);
        break;
    case SCHEDULED:
        assert_int_equal(world->n_scheduled + counts->n_scheduled, step->n);
        break;
    case OVERLAPS:
        assert_int_equal(world->n_overlaps + counts->n_overlaps, step->n);
        break;
    case LATE:
        assert_int_equal(world->n_late + counts->n_late, step->n);
        break;
    case MISSED:
        assert_int_equal(world->n_missed + counts->n_missed, step->n);
        break;
    default:
        work(world, step);
    }
}

static void do_step(struct world *world, const struct step *step)
{
    int64_t now_s = (int64_t)(world->now.wall_ms / MS_PER_S);
    switch ((int)step->op) {
    case AT:
        at(world, step->n);
        break;
    case AFTER:
        for (int64_t i = 1; i <= step->n; i++)
            at(world, now_s + i);
        break;
    case GONE:
        world->n_plans = 0;
        restart(world, step->n);
        break;
    case RESTART:
        restart(world, step->n);
        break;
    default:
        look(world, step);
    }
}

static void test_stories(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
        const struct story *story = &stories[i];
        struct world *world = MEM_NEW(struct world);
        world_add_plan(world, story->when, story->may_overlap);
        world->plans[0].may_miss = story->may_miss;
        if (story->zone)
            world_set_zone(world, story->zone);
        world_begin(world, story->start_s);
        world_configure(world);
        for (size_t k = 0; story->steps[k].op != END; k++) {
            print_message("%s, step %zu\n", story->name, k);
            do_step(world, &story->steps[k]);
        }
        world_end(world);
        mem_free(world);
    }
}

/* ---- a crash behind every record ------------------------------------------------------------- */

enum { CRASH_START_S = 630, CRASH_MINUTES = 12 };

/* A worker does what there is, each half minute. */
static void live(struct world *world, int64_t until_s)
{
    for (int64_t now_s = (int64_t)(world->now.wall_ms / MS_PER_S); now_s <= until_s; now_s += 30) {
        uint64_t id;
        at(world, now_s);
        while (model_reserve(world->model, world->worker, 0, world->now, &id) == MODEL_OK) {
            world_settle(world);
            world->held = id;
            done(world);
        }
        world_settle(world);
    }
}

/* How often the log has a job of that time put, and how often gone. */
static void count_log(const struct world *world, int64_t time_s, int *ret_puts, int *ret_gone)
{
    char ending[32];
    uint64_t ids[8];
    int n = 0, n_gone = 0;
    int len = snprintf(ending, sizeof(ending), ":%lld", (long long)time_s);
    for (size_t i = 0; i < world->n_log; i++) {
        struct job_record record;
        struct slice bytes = slice_make(world->log[i].bytes, world->log[i].n_bytes);
        assert_int_equal(job_record_read(bytes, &record), 0);
        bool is_it = record.kind == JOB_RECORD_PUT && record.key.len > (size_t)len &&
                     memcmp(record.key.ptr + record.key.len - len, ending, (size_t)len) == 0;
        if (is_it && n < (int)ARRAY_LEN(ids))
            ids[n++] = record.id;
        for (int k = 0; k < n && record.kind == JOB_RECORD_DEL; k++)
            n_gone += ids[k] == record.id;
    }
    *ret_puts = n;
    *ret_gone = n_gone;
}

static void check_log(const struct world *world)
{
    for (int64_t i = 1; i < CRASH_MINUTES; i++) {
        int n_puts, n_gone;
        count_log(world, (CRASH_START_S / 60 + i) * 60, &n_puts, &n_gone);
        assert_int_equal(n_puts, 1);
        assert_int_equal(n_gone, 1);
    }
}

static struct world *world_of_minutes(void)
{
    struct world *world = MEM_NEW(struct world);
    world_add_plan(world, "* * * * *", false);
    world_begin(world, CRASH_START_S);
    world_configure(world);
    return world;
}

static void test_crashes(void **state)
{
    (void)state;
    int64_t until_s = CRASH_START_S + CRASH_MINUTES * 60;
    struct world *whole = world_of_minutes();
    live(whole, until_s);
    check_log(whole);
    assert_true(whole->n_log > 2 * CRASH_MINUTES);
    for (size_t n = 0; n < whole->n_log; n++) {
        struct world *world = world_of_minutes();
        live(world, until_s);
        world_crash(world);
        /* What comes behind the crash was never written. */
        int64_t crash_s = (int64_t)(world->log[n].wall_ms / MS_PER_S);
        while (world->n_log > n)
            mem_free(world->log[--world->n_log].bytes);
        world_begin(world, crash_s);
        world_configure(world);
        live(world, until_s);
        check_log(world);
        world_end(world);
        mem_free(world);
    }
    world_end(whole);
    mem_free(whole);
}

/* Two schedules of one queue know their own jobs. */
static void test_two(void **state)
{
    (void)state;
    struct world *world = MEM_NEW(struct world);
    world_add_plan(world, "* * * * *", false);
    world_add_plan(world, "*/2 * * * *", true);
    world_begin(world, CRASH_START_S);
    world_configure(world);
    assert_int_equal(model_tube(world->model, WORLD_QUEUE)->delayed.n, 2);
    restart(world, 650);
    assert_int_equal(model_tube(world->model, WORLD_QUEUE)->delayed.n, 2);
    at(world, 720);
    take(world);
    done(world);
    take(world);
    done(world);
    work(world, &(struct step){NONE, 0});
    world->n_plans = 1;
    world_configure(world);
    assert_int_equal(model_tube(world->model, WORLD_QUEUE)->delayed.n, 1);
    assert_int_equal(schedules_next_s(&world->schedules, WORLD_QUEUE), 780);
    world_end(world);
    mem_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
