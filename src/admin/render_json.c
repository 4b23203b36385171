/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON of /v1/status and /v1/facts. What a process answered is read by jansson and written
 * anew, so that a process that talks nonsense spoils its own entry and nothing else.
 */
#include "admin/render.h"

#include "base/json.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ANSWER_DEPTH_MAX = 8 };

void text_time(struct text *out, uint64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    text_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1,
                tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(wall_ns / 1000000 % 1000));
}

/* ---- members of an object ---- */

static void put_text(struct json *json, const char *key, const char *value)
{
    json_key(json, key);
    json_cstr(json, value);
}

static void put_uint(struct json *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_uint(json, value);
}

/* Rounded to thousandths: no more is known. */
static void put_double(struct json *json, const char *key, double value)
{
    json_key(json, key);
    json_double(json, round(value * 1000) / 1000);
}

static void put_flag(struct json *json, const char *key)
{
    json_key(json, key);
    json_bool(json, true);
}

static void put_time(struct json *json, const char *key, uint64_t wall_ns)
{
    json_key(json, key);
    if (wall_ns == 0) {
        json_none(json);
        return;
    }
    struct text text = TEXT_NONE;
    text_time(&text, wall_ns);
    json_slice(json, text_slice(&text));
    text_deinit(&text);
}

/* ---- what a process answered ---- */

static void put_value(struct json *json, const json_t *value, int depth);

static void put_object(struct json *json, const json_t *object, int depth)
{
    json_t *whole =
        json_incref((json_t *)(uintptr_t)object); /* jansson's iterators want it mutable */
    const char *key;
    json_t *value;
    json_object_begin(json);
    json_object_foreach(whole, key, value)
    {
        json_key(json, key);
        put_value(json, value, depth + 1);
    }
    json_object_end(json);
    json_decref(whole);
}

static void put_value(struct json *json, const json_t *value, int depth)
{
    if (depth > ANSWER_DEPTH_MAX) {
        json_none(json);
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_object(json, value, depth);
        break;
    case JSON_ARRAY:
        json_array_begin(json);
        for (size_t i = 0; i < json_array_size(value); i++)
            put_value(json, json_array_get(value, i), depth + 1);
        json_array_end(json);
        break;
    case JSON_STRING:
        json_slice(json, slice_make(json_string_value(value), json_string_length(value)));
        break;
    case JSON_INTEGER:
        json_int(json, json_integer_value(value));
        break;
    case JSON_REAL:
        json_double(json, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_bool(json, json_is_true(value));
        break;
    case JSON_NULL:
        json_none(json);
        break;
    }
}

static void put_answer(struct json *json, const struct view_process *process)
{
    if (process->answer == VIEW_NOT_ASKED)
        return;
    json_key(json, "answers");
    json_bool(json, process->answer == VIEW_ANSWERED);
    if (process->answer == VIEW_SILENT) {
        json_key(json, "why");
        json_slice(json, process->answer_text);
        return;
    }
    json_error_t error;
    json_t *answer = json_loadb(process->answer_text.ptr, process->answer_text.len,
                                JSON_REJECT_DUPLICATES, &error);
    json_key(json, "detail");
    if (json_is_object(answer))
        put_value(json, answer, 0);
    else
        json_none(json);
    json_decref(answer);
}

/* ---- the parts ---- */

static void put_process(struct json *json, const struct view_process *process)
{
    json_object_begin(json);
    put_text(json, "name", process->name);
    put_text(json, "state", process->state);
    put_text(json, "reason", process->reason);
    put_time(json, "since", process->since_ns);
    put_uint(json, "restarts", process->n_restarts);
    if (process->pid)
        put_uint(json, "pid", (uint64_t)process->pid);
    if (process->has_heartbeat)
        put_double(json, "heartbeat_age_seconds", process->heartbeat_age_s);
    if (process->has_usage) {
        put_uint(json, "resident_bytes", process->usage.resident_bytes);
        put_double(json, "cpu_seconds", process->usage.cpu_s);
        put_uint(json, "threads", process->usage.n_threads);
    }
    put_answer(json, process);
    json_object_end(json);
}

static void put_object_of(struct json *json, const struct view_object *object,
                          const char *in_flight)
{
    json_object_begin(json);
    put_text(json, "name", object->name);
    put_text(json, "address", object->address);
    put_text(json, "state", object->state);
    put_text(json, "reason", object->reason);
    put_time(json, "since", object->since_ns);
    if (object->has_counters) {
        put_uint(json, "requests", object->n_requests);
        put_uint(json, "failed", object->n_failed);
        put_uint(json, in_flight, object->n_in_flight);
        put_double(json, "requests_per_second", object->rate);
    }
    if (object->has_weight)
        put_double(json, "weight", object->weight);
    if (object->is_weight_given)
        put_flag(json, "weight_given");
    if (object->forced)
        put_text(json, "forced", object->forced);
    if (object->drain)
        put_text(json, "drain", object->drain);
    if (object->is_runtime)
        put_flag(json, "runtime");
    json_object_end(json);
}

static void put_pool(struct json *json, const struct view_pool *pool)
{
    json_object_begin(json);
    put_text(json, "name", pool->name);
    put_text(json, "state", pool->state);
    put_text(json, "reason", pool->reason);
    put_time(json, "since", pool->since_ns);
    if (pool->has_queue)
        put_uint(json, "waiting", pool->n_waiting);
    json_key(json, "members");
    json_array_begin(json);
    for (size_t i = 0; i < pool->n_members; i++)
        put_object_of(json, &pool->members[i], "in_flight");
    json_array_end(json);
    json_object_end(json);
}

static void put_fact(struct json *json, const struct fact *fact, const char *writer)
{
    json_object_begin(json);
    put_text(json, "name", fact->name);
    put_text(json, "state", fact_state_name(fact->state));
    put_text(json, "reason", fact->reason);
    put_time(json, "since", fact->since_ns);
    put_double(json, "value", fact->value);
    put_text(json, "writer", writer);
    json_object_end(json);
}

static void put_facts(struct json *json, const struct board *board)
{
    json_key(json, "facts");
    json_array_begin(json);
    for (size_t segment = 0; segment < board_n_segments(board); segment++) {
        uint32_t cursor = 0;
        struct fact fact;
        while (board_next(board, segment, &cursor, &fact))
            put_fact(json, &fact, board_segment_name(board, segment));
    }
    json_array_end(json);
}

static void put_change(struct json *json, const struct conf_overlay_entry *entry)
{
    json_object_begin(json);
    json_key(json, "pool");
    json_slice(json, entry->block);
    json_key(json, "member");
    json_slice(json, entry->name);
    put_text(json, "change", entry->is_removal ? "removed" : "added");
    put_text(json, "statement", entry->line);
    json_object_end(json);
}

void render_changes(struct json *json, const struct conf_overlay *overlay, struct slice dropped)
{
    json_key(json, "changes");
    json_array_begin(json);
    for (size_t i = 0; overlay && i < overlay->n_entries; i++) {
        if (overlay->entries[i].is_in_force)
            put_change(json, &overlay->entries[i]);
    }
    json_array_end(json);
    json_key(json, "dropped");
    json_array_begin(json);
    while (dropped.ptr && dropped.len)
        json_slice(json, slice_cut(&dropped, '\n'));
    json_array_end(json);
}

void render_status(struct text *out, const struct view *view)
{
    struct json json;
    json_init(&json, out);
    json_object_begin(&json);
    put_text(&json, "version", view->version);
    put_text(&json, "build", view->build);
    put_text(&json, "node", view->node);
    put_text(&json, "file", view->file);
    put_text(&json, "state_dir", view->state_dir);
    put_uint(&json, "generation", view->generation);
    put_time(&json, "time", view->wall_ns);
    put_double(&json, "uptime_seconds", view->uptime_s);
    json_key(&json, "processes");
    json_array_begin(&json);
    for (size_t i = 0; i < view->n_processes; i++)
        put_process(&json, &view->processes[i]);
    json_array_end(&json);
    json_key(&json, "listens");
    json_array_begin(&json);
    for (size_t i = 0; i < view->n_listens; i++)
        put_object_of(&json, &view->listens[i], "connections");
    json_array_end(&json);
    json_key(&json, "pools");
    json_array_begin(&json);
    for (size_t i = 0; i < view->n_pools; i++)
        put_pool(&json, &view->pools[i]);
    json_array_end(&json);
    json_key(&json, "runtime");
    json_object_begin(&json);
    render_changes(&json, view->overlay, view->dropped);
    json_object_end(&json);
    put_facts(&json, view->board);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(out, '\n');
}

void render_facts(struct text *out, const struct view *view)
{
    struct json json;
    json_init(&json, out);
    json_object_begin(&json);
    put_time(&json, "time", view->wall_ns);
    put_facts(&json, view->board);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(out, '\n');
}
