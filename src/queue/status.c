/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the queue says of itself in /v1/status.
 */

#include "queue/internal.h"

/*
 * So many queues are told one by one, those of the file first; their names alone may have 20 kB,
 * and an answer has 48.
 */
enum { QUEUES_TOLD = 100 };

static void tell_count(struct json *json, const char *key, uint64_t n)
{
    json_key(json, key);
    json_uint(json, n);
}

static const char *state_of(const struct tube *tube, struct model_now now)
{
    if (tube->is_draining)
        return "draining";
    return tube->paused_until_ms > now.wall_ms ? "paused" : "serving";
}

static void tell_tube(const struct model *model, const struct tube *tube, struct model_now now,
                      struct json *json)
{
    json_object_begin(json);
    json_key(json, "name");
    json_slice(json, tube_name(tube));
    json_key(json, "state");
    json_cstr(json, state_of(tube, now));
    tell_count(json, "ready", tube->ready.n);
    tell_count(json, "reserved", tube->n_reserved);
    tell_count(json, "delayed", tube->delayed.n);
    tell_count(json, "buried", tube->n_buried);
    tell_count(json, "waiting", tube->n_waiting);
    if (tube->ready.n > 0)
        tell_count(json, "oldest_ms", model_oldest_ms(model, tube, now));
    json_object_end(json);
}

static uint32_t tell_tubes(const struct hall *hall, bool is_configured, uint32_t n_most,
                           struct json *json)
{
    const struct model *model = hall->engine.model;
    struct model_now now = engine_clock(&hall->engine);
    uint32_t n = 0;
    for (uint32_t i = 0; i < model->n_tube_slots && n < n_most; i++) {
        const struct tube *tube = model->tubes[i];
        if (!tube || tube->is_configured != is_configured)
            continue;
        tell_tube(model, tube, now, json);
        n++;
    }
    return n;
}

void status_tell(const struct hall *hall, struct json *json)
{
    tell_count(json, "connections", hall->n_conns);
    if (!hall->engine.wal || !hall->snap)
        return;
    const struct model *model = hall->engine.model;
    enum wal_sync sync = (enum wal_sync)queue_conf_of(hall->snap)->queues.sync.mode;
    tell_count(json, "jobs", model->store.n_jobs);
    tell_count(json, "bytes", model->n_bytes);
    json_key(json, "sync");
    json_cstr(json, wal_sync_name(sync));
    json_key(json, "is_durable");
    json_bool(json, wal_sync_is_durable(sync));
    tell_count(json, "queues_total", model->n_tubes);
    json_key(json, "queues");
    json_array_begin(json);
    uint32_t n = tell_tubes(hall, true, QUEUES_TOLD, json);
    (void)tell_tubes(hall, false, QUEUES_TOLD - n, json);
    json_array_end(json);
}
