/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_SCHEDULE_WORLD_H
#define QUEUE_SCHEDULE_WORLD_H

/*
 * For tests: schedules and their model, one worker, a log in memory, and a clock of the test's own.
 * It may crash at any time, and begins again from what its log has.
 */

#include "base/text.h"
#include "queue/schedule.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORLD_LOG_MAX = 4000, WORLD_PLANS_MAX = 2, MS_PER_S = 1000, DAY_S = 86400 };

#define WORLD_QUEUE SLICE("night")

/* A record as it went to the log, and when. */
struct logged {
    char *bytes;
    size_t n_bytes;
    uint64_t wall_ms;
};

struct world {
    struct model *model;
    struct model_conn *worker;
    struct schedules schedules;
    struct model_now now;
    struct logged log[WORLD_LOG_MAX];
    size_t n_log;
    struct schedule_plan plans[WORLD_PLANS_MAX];
    size_t n_plans;
    struct text zone; /* of the first plan */
    uint64_t held;    /* job of the worker, 0: none */
    uint64_t n_overlaps, n_scheduled, n_late, n_missed;
    bool is_log_full;
};

/* A life, which begins at that time with a replay of the log; `world` is zeroed but for plans. */
void world_begin(struct world *world, int64_t wall_s);
/* As a start and a reload do, with the plans that there are. */
void world_configure(struct world *world);
/* The model's actions go to the log. */
void world_settle(void *ctx);
/* What is due now. */
void world_tick(struct world *world);
/* As kill -9 does: nothing is said to anybody. */
void world_crash(struct world *world);
/* And the log is forgotten. */
void world_end(struct world *world);

void world_add_plan(struct world *world, const char *when, bool may_overlap);
/* The zone of the first plan: a file of two empty blocks and that rule. */
void world_set_zone(struct world *world, const char *rule);

#endif
