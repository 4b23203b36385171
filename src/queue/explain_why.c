/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each reason in the order in which a command meets it.
 */

#include "queue/explain_why.h"

#include "conf/unit.h"
#include "queue/api.h"
#include "queue/deliver.h"
#include <assert.h>
#include <inttypes.h>

#define NS_PER_MS UINT64_C(1000000)

/* " (shop.weir:5:10)", of a word that somebody may want to change. */
static void add_place(const struct hall *hall, const struct conf_object *object, const char *word,
                      struct text *why)
{
    text_append(why, SLICE(" ("));
    if (conf_is_set(object, word))
        conf_at_format(hall->snap->files, conf_where(object, word), why);
    else
        text_append(why, SLICE("the default"));
    text_append_char(why, ')');
}

/* Whole seconds, of what takes any. */
static void say_time(uint64_t ms, struct text *why)
{
    enum { MS_PER_S = 1000 };
    if (ms > MS_PER_S)
        ms = (ms + MS_PER_S - 1) / MS_PER_S * MS_PER_S;
    conf_unit_show_time(why, (int64_t)ms);
}

/* ---- puts ------------------------------------------------------------------------------------ */

/* Otherwise nothing is answered but errors. */
static bool has_log(const struct hall *hall, struct text *why)
{
    const struct engine *engine = &hall->engine;
    if (engine->trouble.text[0])
        text_printf(why, "the log has failed: %s", engine->trouble.text);
    else if (!engine->wal)
        text_append(why, SLICE("another process has the log"));
    return why->len == 0;
}

static void say_full(const struct hall *hall, struct text *why)
{
    const struct queues_limits_conf *limits = &queue_conf_of(hall->snap)->queues.limits;
    text_append(why, SLICE("there is no room for the log on the disk"));
    if (limits->log_bytes == 0)
        return;
    text_append(why, SLICE(", or in `queues { limits log }`"));
    add_place(hall, &limits->object, "log", why);
}

static void say_limit(const struct hall *hall, const struct tube *tube,
                      const struct queue_conf *conf, enum model_limit limit, struct text *why)
{
    const struct model *model = hall->engine.model;
    const struct queues_limits_conf *shared = &queue_conf_of(hall->snap)->queues.limits;
    switch (limit) {
    case MODEL_LIMIT_NONE:
        break;
    case MODEL_LIMIT_JOBS:
        text_printf(why,
                    "all queues together have %" PRIu64 " jobs, as many as `queues { limits "
                    "jobs }` allows",
                    (uint64_t)model->store.n_jobs);
        add_place(hall, &shared->object, "jobs", why);
        break;
    case MODEL_LIMIT_BYTES:
        text_printf(why,
                    "all queues together have %" PRIu64 " bytes, as many as `queues { limits "
                    "bytes }` allows",
                    model->n_bytes);
        add_place(hall, &shared->object, "bytes", why);
        break;
    case MODEL_LIMIT_TUBE_JOBS:
        assert(tube && conf); /* only the file limits one */
        text_printf(why, "it has %" PRIu64 " jobs, as many as its `limits jobs` allows",
                    tube_n_jobs(tube));
        add_place(hall, &conf->limits.object, "jobs", why);
        break;
    case MODEL_LIMIT_TUBE_BYTES:
        assert(tube && conf);
        text_printf(why, "it has %" PRIu64 " bytes, as many as its `limits bytes` allows",
                    tube->n_bytes);
        add_place(hall, &conf->limits.object, "bytes", why);
        break;
    }
}

/* As much of it as the log has room for. */
static uint64_t fit_log(const struct hall *hall, uint64_t n_bytes)
{
    uint64_t low = 0, high = n_bytes;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (engine_would(&hall->engine, WAL_NEW, middle + ENGINE_CHANGE_BYTES) == WAL_FULL)
            high = middle - 1;
        else
            low = middle;
    }
    return low;
}

/* The largest body that would be taken now. */
static uint64_t room_bytes(const struct hall *hall, const struct tube *tube)
{
    const struct model *model = hall->engine.model;
    uint64_t room = model->limits.bytes_max - model->n_bytes, listen = 0;
    if (tube && tube->policy.bytes_max > 0 && tube->policy.bytes_max - tube->n_bytes < room)
        room = tube->policy.bytes_max - tube->n_bytes;
    for (size_t i = 0; i < hall->n_listeners; i++) {
        uint64_t own = (uint64_t)hall->listeners[i]->conf->limits.job_bytes;
        listen = own > listen ? own : listen;
    }
    return fit_log(hall, listen < room ? listen : room);
}

bool explain_put(const struct hall *hall, const struct tube *tube, const struct queue_conf *conf,
                 struct text *why)
{
    if (!has_log(hall, why))
        return false;
    const struct model *model = hall->engine.model;
    enum model_limit limit = model_limit(model, tube, 1);
    int room = engine_would(&hall->engine, WAL_NEW, ENGINE_CHANGE_BYTES);
    if (model->is_draining || (tube && tube->is_draining)) {
        text_printf(why, "%s drains, and takes no new jobs",
                    model->is_draining ? "the queue's process" : "it");
    } else if (!tube && model->n_tubes >= model->limits.tubes_max) {
        text_printf(why, "there are %u queues, as many as `queues { limits tubes }` allows",
                    model->n_tubes);
        add_place(hall, &queue_conf_of(hall->snap)->queues.limits.object, "tubes", why);
    } else if (room == WAL_FULL) {
        say_full(hall, why);
    } else if (limit != MODEL_LIMIT_NONE) {
        say_limit(hall, tube, conf, limit, why);
    } else {
        text_printf(why, "a body of up to %" PRIu64 " bytes%s", room_bytes(hall, tube),
                    room == WAL_BUSY ? ", when the disk has what came before" : "");
        return true;
    }
    return false;
}

/* ---- deliveries ------------------------------------------------------------------------------ */

/* Has the log room for the end of one more, and its callback? */
static bool has_room_for_end(const struct hall *hall, const struct tube *tube)
{
    enum wal_class class = tube_has_callbacks(tube) ? WAL_MORE : WAL_CHANGE;
    return engine_would(&hall->engine, class, 0) == 0;
}

bool explain_deliver(const struct hall *hall, const struct deliverer *deliverer,
                     const struct tube *tube, struct text *why)
{
    const struct deliver_rule *rule = &deliverer->rule;
    uint32_t most = deliverer->window < rule->concurrency ? deliverer->window : rule->concurrency;
    const char *callbacks = deliver_full_callback(deliverer);
    if (!has_log(hall, why))
        return false;
    text_printf(why, "%u under way to pool %s", deliverer->n_flight, rule->pool);
    if (deliverer->is_held)
        text_printf(why, "; held, and no attempt is counted, as nobody there takes them: %s",
                    deliverer->held_why[0] ? deliverer->held_why
                                           : "`weir status` says what is wrong with its members");
    else if (callbacks)
        text_printf(why, "; held, as queue %s has no room for their callbacks", callbacks);
    else if (!has_room_for_end(hall, tube))
        text_append(why, SLICE("; held, as the log has no room for what becomes of them"));
    else if (deliverer->n_flight >= most && most < rule->concurrency)
        text_printf(why, ", as many as may be while it starts slowly, %u later", rule->concurrency);
    else if (deliverer->n_flight >= most)
        text_append(why, SLICE(", as many as `concurrency` allows"));
    else {
        text_printf(why, ", and %u may be", most);
        return true;
    }
    return false;
}

/* ---- asynchronous routes --------------------------------------------------------------------- */

/* As async_put() refuses. */
bool explain_async(const struct hall *hall, const struct tube *tube, const struct queue_conf *conf,
                   struct text *why)
{
    const struct queue_async_conf *async = &conf->async;
    uint64_t n = tube ? tube_n_unfinished(tube) : 0;
    uint64_t cap = (uint64_t)async->unfinished;
    struct text put = TEXT_NONE;
    bool is_taken = explain_put(hall, tube, conf, &put) && tube && n < cap;
    text_append(why, is_taken ? SLICE("202: ") : SLICE("503 with Retry-After: "));
    if (tube && n >= cap)
        text_printf(why,
                    "%" PRIu64 " of its jobs are not over, as many as its `async unfinished` "
                    "allows",
                    n);
    else if (is_taken)
        text_printf(why,
                    "%" PRIu64 " of its jobs are not over, and its `async unfinished` allows "
                    "%" PRIu64 ", beyond which clients get 503 with Retry-After",
                    n, cap);
    else if (put.len > 0 && tube)
        text_append(why, text_slice(&put));
    else
        text_append(why, SLICE("there was no room for it among the queues when the file came"));
    if (is_taken || (tube && n >= cap))
        add_place(hall, &async->object, "unfinished", why);
    text_deinit(&put);
    return is_taken;
}

uint32_t explain_async_conns(const struct hall *hall, struct text *why)
{
    const struct queues_async_conf *async = &queue_conf_of(hall->snap)->queues.async;
    uint32_t n = 0;
    for (size_t i = 0; i < hall->n_listeners; i++)
        if (hall->listeners[i]->conf->is_async)
            n += api_n_conns(hall->listeners[i]);
    text_printf(why,
                "connections from the edge: %u of %" PRId64 " that `queues { async connections }` "
                "allows",
                n, async->connections);
    add_place(hall, &async->object, "connections", why);
    text_append(why, SLICE(", one for each request that is under way or waits (Prefer: wait); "
                           "beyond that the edge tries for `timeout async`, then clients get 503"));
    return n;
}

/* ---- reserves -------------------------------------------------------------------------------- */

static void say_empty(const struct hall *hall, const struct tube *tube, struct text *why)
{
    struct model_now now = engine_clock(&hall->engine);
    text_append(why, SLICE("no job is ready"));
    if (tube && tube->delayed.n > 0) {
        const struct job *first = model_peek(hall->engine.model, tube, JOB_DELAYED);
        text_append(why, SLICE("; the first that is delayed is in "));
        say_time(model_left_ms(hall->engine.model, first, now), why);
    }
    if (tube && tube->n_buried > 0)
        text_printf(why, "; %" PRIu64 " buried: `weir kick` has them done", tube->n_buried);
}

static void say_pause(const struct tube *tube, struct model_now now, struct text *why)
{
    text_append(why, SLICE("it is paused"));
    if (tube->paused_until_ms != TUBE_FOR_EVER) {
        text_append(why, SLICE(" for another "));
        say_time(tube->paused_until_ms - now.wall_ms, why);
    }
}

static void say_rate(const struct tube *tube, struct model_now now, struct text *why)
{
    uint64_t now_ns = now.mono_ms * NS_PER_MS;
    uint64_t wait_ns = limit_rate_next_ns(&tube->rate, now_ns) - now_ns;
    text_append(why, SLICE("its `rate` allows the next in "));
    say_time((wait_ns + NS_PER_MS - 1) / NS_PER_MS, why);
}

bool explain_reserve(const struct hall *hall, const struct tube *tube,
                     const struct queue_conf *conf, struct text *why)
{
    struct model_now now = engine_clock(&hall->engine);
    if (!has_log(hall, why))
        return false;
    switch (tube ? model_hold(tube, now) : MODEL_HOLD_EMPTY) {
    case MODEL_HOLD_EMPTY:
        say_empty(hall, tube, why);
        return false;
    case MODEL_HOLD_PAUSE:
        say_pause(tube, now, why);
        return false;
    case MODEL_HOLD_CONCURRENCY:
        text_printf(why, "workers have %" PRIu64 " jobs, as many as its `concurrency` allows",
                    tube->n_reserved);
        add_place(hall, &conf->object, "concurrency", why);
        return false;
    case MODEL_HOLD_RATE:
        say_rate(tube, now, why);
        add_place(hall, &conf->rate.object, "rate", why);
        return false;
    case MODEL_HOLD_NONE:
        break;
    }
    const struct deliverer *deliverer = deliver_find(hall, tube_name(tube));
    if (deliverer && deliverer->is_held)
        text_printf(why,
                    "%" PRIu64 " ready; deliveries are held, as nobody of pool %s takes them%s%s",
                    (uint64_t)tube->ready.n, deliverer->rule.pool,
                    deliverer->held_why[0] ? ": " : "", deliverer->held_why);
    else if (deliverer && deliver_full_callback(deliverer))
        text_printf(why,
                    "%" PRIu64 " ready; deliveries are held, as queue %s has no room for their "
                    "callbacks",
                    (uint64_t)tube->ready.n, deliver_full_callback(deliverer));
    else if (tube->n_watching > 0)
        text_printf(why, "%" PRIu64 " ready; %u connection%s take%s from it, and none waits",
                    (uint64_t)tube->ready.n, tube->n_watching, tube->n_watching == 1 ? "" : "s",
                    tube->n_watching == 1 ? "s" : "");
    else
        text_printf(why, "%" PRIu64 " ready; nobody takes from it", (uint64_t)tube->ready.n);
    return true;
}
