/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The world of the tests of schedules: what the engine does, with a log in memory.
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

enum { MONO_START_MS = 5000 };

void world_settle(void *ctx)
{
    struct world *world = ctx;
    for (uint32_t i = 0; i < world->model->n_actions; i++) {
        const struct model_action *action = &world->model->actions[i];
        struct job_record record;
        struct text bytes = TEXT_NONE;
        if (action->kind > MODEL_LOG_MARK)
            continue;
        model_record(world->model, action, &record);
        job_record_write(&record, &bytes);
        assert_true(world->n_log < WORLD_LOG_MAX);
        struct logged *logged = &world->log[world->n_log++];
        *logged = (struct logged){
            .bytes = mem_alloc(bytes.len), .n_bytes = bytes.len, .wall_ms = world->now.wall_ms};
        memcpy(logged->bytes, bytes.ptr, bytes.len);
        text_deinit(&bytes);
    }
    model_forget_body(world->model);
}

static int may(void *ctx, size_t n_bytes)
{
    const struct world *world = ctx;
    assert_true(n_bytes > 0);
    return world->is_log_full ? WAL_FULL : 0;
}

void world_begin(struct world *world, int64_t wall_s)
{
    const struct model_limits limits = {
        .jobs_max = 1000, .bytes_max = 1000000, .tubes_max = 10, .watches_max = 10};
    const struct schedule_hooks hooks = {.may = may, .settle = world_settle, .ctx = world};
    world->now = (struct model_now){(uint64_t)wall_s * MS_PER_S, MONO_START_MS};
    world->model = model_create(&limits, 7);
    for (size_t i = 0; i < world->n_log; i++) {
        struct job_record record;
        struct slice bytes = slice_make(world->log[i].bytes, world->log[i].n_bytes);
        assert_int_equal(job_record_read(bytes, &record), 0);
        assert_int_equal(model_replay(world->model, &record, i + 1), 0);
    }
    schedules_init(&world->schedules, world->model, &hooks);
}

static void count(struct world *world)
{
    const struct tube_counts *counts = &model_tube(world->model, WORLD_QUEUE)->counts;
    world->n_overlaps += counts->n_overlaps;
    world->n_scheduled += counts->n_scheduled;
    world->n_late += counts->n_late;
    world->n_missed += counts->n_missed;
}

/* As the engine does. */
void world_tick(struct world *world)
{
    world_settle(world);
    for (int i = 0; i < 2; i++) {
        if (schedules_are_due(&world->schedules, world->now))
            schedules_run(&world->schedules, world->now);
        while (model_tick(world->model, world->now))
            world_settle(world);
        world_settle(world);
    }
}

void world_configure(struct world *world)
{
    struct tube_policy policy;
    tube_policy_init(&policy);
    model_configure(world->model, WORLD_QUEUE, &policy, world->now);
    world_settle(world);
    schedules_set(&world->schedules, world->plans, world->n_plans, world->now);
    if (!world->worker) {
        world->worker = model_conn_open(world->model, NULL);
        assert_int_equal(model_watch(world->model, world->worker, WORLD_QUEUE), MODEL_OK);
    }
    world_tick(world);
}

void world_crash(struct world *world)
{
    size_t n_log = world->n_log;
    count(world);
    schedules_deinit(&world->schedules);
    model_conn_close(world->model, &world->worker, world->now);
    world_settle(world);
    while (world->n_log > n_log)
        mem_free(world->log[--world->n_log].bytes);
    model_destroy(&world->model);
    world->held = 0;
}

void world_end(struct world *world)
{
    world_crash(world);
    while (world->n_log > 0)
        mem_free(world->log[--world->n_log].bytes);
    text_deinit(&world->zone);
}

void world_add_plan(struct world *world, const char *when, bool may_overlap)
{
    struct err err = ERR_NONE;
    struct schedule_plan *plan = &world->plans[world->n_plans];
    *plan = (struct schedule_plan){.queue = WORLD_QUEUE,
                                   .body = SLICE("body"),
                                   .priority = 10,
                                   .ttr_s = DAY_S,
                                   .may_overlap = may_overlap,
                                   .hash = 0xabc0 + world->n_plans};
    assert_int_equal(cron_parse(slice_from(when), &plan->cron, &err), 0);
    world->n_plans++;
}

void world_set_zone(struct world *world, const char *rule)
{
    static const unsigned char counts[2][24] = {{[19] = 1, [23] = 1}, {[19] = 1, [23] = 4}};
    for (size_t i = 0; i < 2; i++) {
        text_append(&world->zone, SLICE("TZif2"));
        text_pad(&world->zone, '\0', 15);
        text_append(&world->zone, slice_make((const char *)counts[i], 24));
        text_pad(&world->zone, '\0', 6);
        text_append(&world->zone, i == 0 ? slice_make("", 1) : slice_make("UTC", 4));
    }
    text_printf(&world->zone, "\n%s\n", rule);
    world->plans[0].zone = text_slice(&world->zone);
}
