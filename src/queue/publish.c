/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Facts and counters of listeners, of the file's queues and of the log.
 */

#include "queue/api.h"

#include "base/mem.h"
#include "queue/deliver.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

enum { DAY_S = 86400, FULL_TOLD_S = 60, FULL_SHOWN_S = 10 };

#define LOG_NAME "queue"

/* ---- files that come and go ------------------------------------------------------------------ */

int publish_prepare(struct hall *hall, struct err *err)
{
    const struct conf_list *list = &queue_conf_of(hall->next)->queue_list;
    if (!hall->log_slab)
        hall->log_slab = slabs_take(&hall->slabs, &queue_log_metrics, LOG_NAME);
    if (!hall->log_slab)
        return err_set(err, "no room on the board for the counters of the log");
    hall->coming_tallies = MEM_NEW_ARRAY(struct queue_tally, list->n_items);
    for (size_t i = 0; i < list->n_items; i++) {
        const struct queue_conf *conf = list->items[i];
        struct queue_tally *tally = &hall->coming_tallies[i];
        tally->conf = conf;
        tally->slab = slabs_take(&hall->slabs, &queue_metrics, conf->fact + strlen("queue:"));
        if (!tally->slab)
            return err_set(err, "no room on the board for the counters of queue %.*s",
                           SLICE_ARG(conf->name));
        hall->n_coming_tallies++;
    }
    return 0;
}

static void leave(struct hall *hall, struct queue_tally *tallies, size_t n)
{
    for (size_t i = 0; i < n; i++)
        slabs_leave(&hall->slabs, tallies[i].slab);
    mem_free(tallies);
}

void publish_abort(struct hall *hall)
{
    leave(hall, hall->coming_tallies, hall->n_coming_tallies);
    hall->coming_tallies = NULL;
    hall->n_coming_tallies = 0;
}

void publish_commit(struct hall *hall)
{
    for (size_t i = 0; i < hall->n_coming_tallies; i++)
        for (size_t k = 0; k < hall->n_tallies; k++)
            if (hall->coming_tallies[i].slab == hall->tallies[k].slab)
                hall->coming_tallies[i].told = hall->tallies[k].told;
    leave(hall, hall->tallies, hall->n_tallies);
    hall->tallies = hall->coming_tallies;
    hall->n_tallies = hall->n_coming_tallies;
    hall->coming_tallies = NULL;
    hall->n_coming_tallies = 0;
}

void publish_stop(struct hall *hall)
{
    leave(hall, hall->tallies, hall->n_tallies);
    hall->tallies = NULL;
    hall->n_tallies = 0;
    if (hall->log_slab)
        slabs_leave(&hall->slabs, hall->log_slab);
    hall->log_slab = NULL;
}

/* ---- counters -------------------------------------------------------------------------------- */

static void count_tube(struct hall *hall, struct queue_tally *tally, const struct tube *tube,
                       struct model_now now)
{
    metric_word *row = metric_row(tally->slab->slab, 0);
    const struct tube_counts *is = &tube->counts;
    struct tube_counts *told = &tally->told;
    metric_set(row, QUEUE_READY, tube->ready.n);
    metric_set(row, QUEUE_DELAYED, tube->delayed.n);
    metric_set(row, QUEUE_RESERVED, tube->n_reserved);
    metric_set(row, QUEUE_BURIED, tube->n_buried);
    metric_set(row, QUEUE_DONE, tube->n_done);
    metric_set(row, QUEUE_BYTES, tube->n_bytes);
    metric_set(row, QUEUE_WAITING, tube->n_waiting);
    metric_set(row, QUEUE_OLDEST_MS, model_oldest_ms(hall->engine.model, tube, now));
    metric_add(row, QUEUE_PUTS, is->n_puts - told->n_puts);
    metric_add(row, QUEUE_DELETES, is->n_deletes - told->n_deletes);
    metric_add(row, QUEUE_TIMEOUTS, is->n_timeouts - told->n_timeouts);
    metric_add(row, QUEUE_DEAD, is->n_dead - told->n_dead);
    metric_add(row, QUEUE_EXPIRED, is->n_expired - told->n_expired);
    metric_add(row, QUEUE_REFUSED, is->n_refused - told->n_refused);
    metric_add(row, QUEUE_SCHEDULED, is->n_scheduled - told->n_scheduled);
    metric_add(row, QUEUE_OVERLAPS, is->n_overlaps - told->n_overlaps);
    metric_add(row, QUEUE_LATE, is->n_late - told->n_late);
    metric_add(row, QUEUE_MISSED, is->n_missed - told->n_missed);
    for (unsigned end = 0; end < CALLBACK_N_ENDS; end++)
        metric_add(row, QUEUE_CALLBACKS + end, is->n_callbacks[end] - told->n_callbacks[end]);
    *told = *is;
}

static void count_deliveries(const struct hall *hall, const struct queue_tally *tally)
{
    metric_word *row = metric_row(tally->slab->slab, 0);
    struct deliverer *deliverer = deliver_find(hall, tally->conf->name);
    if (!deliverer)
        return;
    for (unsigned i = 0; i < DELIVER_N_ENDS; i++) {
        metric_add(row, QUEUE_DELIVERIES + i, deliverer->n_ends[i] - deliverer->n_told[i]);
        deliverer->n_told[i] = deliverer->n_ends[i];
    }
    metric_set(row, QUEUE_IN_FLIGHT, deliverer->n_flight);
    metric_set(row, QUEUE_WINDOW, deliverer->window);
    metric_set(row, QUEUE_HELD, deliverer->is_held || deliver_full_callback(deliverer));
}

/* Once a minute while there are new ones: whoever is refused may not be who can make room. */
static void note_full(struct hall *hall, uint64_t n_full)
{
    struct hall_full *full = &hall->full;
    uint64_t now_ns = loop_now_ns(hall->loop);
    if (n_full > full->n_seen)
        full->seen_ns = now_ns;
    full->n_seen = n_full;
    bool is_early = full->told_ns > 0 && now_ns - full->told_ns < FULL_TOLD_S * NS_PER_S;
    if (n_full == full->n_told || is_early)
        return;
    bool has_limit = queue_conf_of(hall->snap)->queues.limits.log_bytes > 0;
    log_write(process_log(hall->loop), LOG_LEVEL_ERROR,
              "queue: no room for the log on the disk%s: %" PRIu64 " refused; what waits is served",
              has_limit ? ", or in `queues { limits log }`" : "", n_full - full->n_told);
    full->told_ns = now_ns;
    full->n_told = n_full;
}

static bool is_full(const struct hall *hall)
{
    const struct hall_full *full = &hall->full;
    return full->seen_ns > 0 && loop_now_ns(hall->loop) - full->seen_ns < FULL_SHOWN_S * NS_PER_S;
}

static void count_log(struct hall *hall)
{
    struct wal_facts facts;
    metric_word *row = metric_row(hall->log_slab->slab, 0);
    wal_facts(hall->engine.wal, &facts);
    uint64_t sum_us = 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        metric_set(row, QLOG_SYNC + i, facts.sync_us[i]);
        sum_us += facts.sync_us[i] * hist_lower(i);
    }
    metric_set(row, QLOG_SYNC + HIST_BUCKETS, sum_us);
    metric_set(row, QLOG_FILE_BYTES, facts.file_bytes);
    metric_set(row, QLOG_LIVE_BYTES, facts.live_bytes);
    metric_set(row, QLOG_USED_BYTES, facts.used_bytes);
    metric_set(row, QLOG_PENDING_BYTES, facts.pending_bytes);
    metric_set(row, QLOG_IS_FULL, facts.is_full);
    metric_set(row, QLOG_APPENDS, facts.n_appends);
    metric_set(row, QLOG_SYNCS, facts.n_syncs);
    metric_set(row, QLOG_MOVED, facts.n_moved);
    metric_set(row, QLOG_BUSY, facts.n_busy);
    metric_set(row, QLOG_FULL, facts.n_full);
    metric_set(row, QLOG_DAMAGED, facts.n_damaged);
    metric_set(row, QLOG_LEFT_OUT, hall->engine.journal.n_left_out);
    metric_set(row, QLOG_COLD, hall->engine.n_cold);
    note_full(hall, facts.n_full);
}

/* ---- facts ----------------------------------------------------------------------------------- */

static bool is_told(void *ctx, const char *name)
{
    const struct hall *hall = ctx;
    for (size_t i = 0; i < hall->n_tallies; i++)
        if (strcmp(hall->tallies[i].conf->fact, name) == 0)
            return true;
    for (size_t i = 0; i < hall->n_listeners; i++)
        if (strcmp(hall->listeners[i]->conf->fact, name) == 0)
            return true;
    return false;
}

/* Where the queue has a schedule, and as far as there is room. */
static void add_next(const struct hall *hall, const struct queue_tally *tally, char *reason)
{
    char when[64];
    size_t len = strlen(reason);
    int64_t next_s = schedules_next_s(&hall->engine.schedules, tally->conf->name), year;
    int32_t month, day, in_day_s = (int32_t)(next_s % DAY_S);
    if (next_s == SCHEDULE_NEVER)
        return;
    tzif_date(next_s / DAY_S, &year, &month, &day);
    int n = snprintf(when, sizeof(when),
                     ", next at %" PRId64 "-%02" PRId32 "-%02" PRId32 "T%02d:%02d:%02dZ", year,
                     month, day, in_day_s / 3600, in_day_s / 60 % 60, in_day_s % 60);
    if (len + (size_t)n < FACT_REASON_MAX)
        memcpy(reason + len, when, (size_t)n + 1);
}

static void tell_tube(struct hall *hall, const struct queue_tally *tally, const struct tube *tube,
                      struct model_now now)
{
    char reason[FACT_REASON_MAX];
    enum fact_state state = hall->engine.trouble.text[0] ? FACT_FAILED : FACT_SERVING;
    bool is_paused = tube->paused_until_ms > now.wall_ms;
    const struct deliverer *deliverer = deliver_find(hall, tally->conf->name);
    bool is_held = deliverer && deliverer->is_held;
    if (state == FACT_SERVING && tube->is_draining)
        state = FACT_DRAINING;
    else if (state == FACT_SERVING && (is_paused || is_held))
        state = FACT_DEGRADED;
    snprintf(reason, sizeof(reason),
             "%s%" PRIu64 " ready, %" PRIu64 " delayed, %" PRIu64 " reserved, %" PRIu64 " buried",
             is_paused ? "paused: "
             : is_held ? "held, its pool has nobody: "
                       : "",
             (uint64_t)tube->ready.n, (uint64_t)tube->delayed.n, tube->n_reserved, tube->n_buried);
    add_next(hall, tally, reason);
    board_state(hall->process->board, tally->conf->fact, state, (double)tube_n_jobs(tube), reason,
                loop_wall_ns(hall->loop));
}

static void tell_listeners(struct hall *hall)
{
    const struct queues_conf *conf = &queue_conf_of(hall->snap)->queues;
    enum wal_sync sync = (enum wal_sync)conf->sync.mode;
    char reason[FACT_REASON_MAX];
    for (size_t i = 0; i < hall->n_listeners; i++) {
        const struct jobs_listener *listener = hall->listeners[i];
        enum fact_state state = listener->is_open ? FACT_SERVING : FACT_DOWN;
        snprintf(reason, sizeof(reason), "%.*s%s%s%s", SLICE_ARG(listener->conf->addr.text),
                 is_full(hall) ? ", refuses jobs: no room for the log" : "",
                 wal_sync_is_durable(sync) ? "" : ", not durable: sync ",
                 wal_sync_is_durable(sync) ? "" : wal_sync_name(sync));
        if (hall->engine.trouble.text[0]) {
            state = FACT_FAILED;
            snprintf(reason, sizeof(reason), "%.80s", hall->engine.trouble.text);
        } else if (hall->is_closing) {
            state = FACT_DRAINING;
        } else if (!hall->engine.wal) {
            snprintf(reason, sizeof(reason), "another process has the log");
        }
        board_state(hall->process->board, listener->conf->fact, state, 0, reason,
                    loop_wall_ns(hall->loop));
        api_publish(hall->listeners[i]);
    }
}

void publish_all(struct hall *hall)
{
    struct board *board = hall->process->board;
    uint64_t wall_ns = loop_wall_ns(hall->loop);
    struct model_now now = engine_clock(&hall->engine);
    if (!hall->snap || hall->is_closed)
        return;
    board_sweep(board, "jobs:", is_told, hall, wall_ns);
    board_sweep(board, "queue:", is_told, hall, wall_ns);
    tell_listeners(hall);
    if (!hall->engine.wal)
        return;
    count_log(hall);
    for (size_t i = 0; i < hall->n_tallies; i++) {
        struct queue_tally *tally = &hall->tallies[i];
        const struct tube *tube = model_tube(hall->engine.model, tally->conf->name);
        if (!tube)
            continue;
        count_tube(hall, tally, tube, now);
        count_deliveries(hall, tally);
        tell_tube(hall, tally, tube, now);
    }
}
