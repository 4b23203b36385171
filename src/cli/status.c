/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir status, weir facts: what a running weir says of itself, as tables or as the JSON that it
 * gave.
 */
#include "base/mem.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/remote.h"
#include "cli/status_nodes.h"
#include "cli/status_queues.h"
#include "cli/status_workers.h"
#include "cli/table.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct showing {
    const json_t *status;
    const char *now; /* the answer's own clock */
    struct table_style style;
    struct text out;
};

/* ---- cells ---- */

static enum table_look look_of(const char *state)
{
    static const struct {
        const char *state;
        enum table_look look;
    } rows[] = {{"up", TABLE_GOOD},
                {"serving", TABLE_GOOD},
                {"resolved", TABLE_GOOD},
                {"down", TABLE_BAD},
                {"failed", TABLE_BAD}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].state, state) == 0)
            return rows[i].look;
    }
    return TABLE_PART;
}

static void cell(struct table *table, const char *value)
{
    table_cell(table, TABLE_PLAIN, slice_from(value));
}

static void cell_state(const struct showing *showing, struct table *table, const json_t *object)
{
    char age[24];
    const char *state = remote_text(object, "state");
    remote_since(remote_text(object, "since"), showing->now, age);
    table_printf(table, look_of(state), "%s%s%s", state, age[0] ? " " : "", age);
}

/* An empty cell for what was not counted. */
static void cell_count(struct table *table, const json_t *object, const char *key)
{
    if (json_object_get(object, key))
        table_printf(table, TABLE_PLAIN, "%" PRIu64, remote_count(object, key));
    else
        cell(table, "");
}

static void cell_rate(struct table *table, const json_t *object)
{
    if (json_object_get(object, "requests_per_second"))
        table_printf(table, TABLE_PLAIN, "%.1f", remote_number(object, "requests_per_second"));
    else
        cell(table, "");
}

static void cell_failed(struct table *table, const json_t *object)
{
    uint64_t n = remote_count(object, "failed");
    if (json_object_get(object, "failed"))
        table_printf(table, n ? TABLE_BAD : TABLE_PLAIN, "%" PRIu64, n);
    else
        cell(table, "");
}

/* ---- parts ---- */

static void show_head(struct showing *showing)
{
    const json_t *status = showing->status;
    struct text title = TEXT_NONE;
    char age[24];
    text_printf(&title, "weir %s build %s", remote_text(status, "version"),
                remote_text(status, "build"));
    table_paint(&showing->style, TABLE_HEAD, text_slice(&title), &showing->out);
    text_deinit(&title);
    if (*remote_text(status, "node"))
        text_printf(&showing->out, ", node %s", remote_text(status, "node"));
    text_printf(&showing->out, ", up %s, configuration %" PRIu64 " of %s\n",
                remote_age(remote_number(status, "uptime_seconds"), age),
                remote_count(status, "generation"), remote_text(status, "file"));
}

static void show_processes(struct showing *showing)
{
    static const struct table_column columns[] = {{"PROCESS", false}, {"STATE", false},
                                                  {"RESTARTS", true}, {"MEMORY", true},
                                                  {"CPU", true},      {"REASON", false}};
    struct table table;
    const json_t *process;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(json_object_get(showing->status, "processes"), i, process)
    {
        bool is_silent = json_is_false(json_object_get(process, "answers"));
        const char *reason = remote_text(process, "reason");
        cell(&table, remote_text(process, "name"));
        if (is_silent)
            table_cell(&table, TABLE_BAD, SLICE("does not answer"));
        else
            cell_state(showing, &table, process);
        cell_count(&table, process, "restarts");
        if (json_object_get(process, "resident_bytes"))
            table_printf(&table, TABLE_PLAIN, "%.1f MB",
                         remote_number(process, "resident_bytes") / 1e6);
        else
            cell(&table, "");
        if (json_object_get(process, "cpu_seconds"))
            table_printf(&table, TABLE_PLAIN, "%.1f s", remote_number(process, "cpu_seconds"));
        else
            cell(&table, "");
        cell(&table, is_silent ? remote_text(process, "why") : reason);
    }
    table_print(&table, &showing->style, &showing->out);
    table_deinit(&table);
}

/* Why it is so, and what the operator did to it. */
static void cell_why(struct table *table, const json_t *object)
{
    const char *reason = remote_text(object, "reason"), *drain = remote_text(object, "drain");
    struct text why = TEXT_NONE;
    if (strcmp(reason, remote_text(object, "address")) != 0)
        text_append(&why, slice_from(reason));
    if (*drain)
        text_printf(&why, "%s%s: %s", why.len ? "; " : "", remote_text(object, "forced"), drain);
    else if (*remote_text(object, "forced"))
        text_printf(&why, "%sforced %s", why.len ? "; " : "", remote_text(object, "forced"));
    if (json_is_true(json_object_get(object, "weight_given")))
        text_printf(&why, "%sweight by weir weight", why.len ? "; " : "");
    if (json_is_true(json_object_get(object, "runtime")))
        text_printf(&why, "%sadded at run time", why.len ? "; " : "");
    table_cell(table, TABLE_PLAIN, text_slice(&why));
    text_deinit(&why);
}

static void cell_weight(struct table *table, const json_t *object)
{
    if (json_object_get(object, "weight"))
        table_printf(table, TABLE_PLAIN, "%g", remote_number(object, "weight"));
    else
        cell(table, "");
}

/* Listens and members: the same columns but for the first and for what is counted as under way. */
static void show_objects(struct showing *showing, const char *first, const char *in_flight_head,
                         const char *in_flight_key, const json_t *objects)
{
    const struct table_column columns[] = {
        {first, false},         {"ADDRESS", false}, {"STATE", false},
        {"WEIGHT", true},       {"REQUESTS", true}, {"/S", true},
        {in_flight_head, true}, {"FAILED", true},   {"REASON", false}};
    struct table table;
    const json_t *object;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(objects, i, object)
    {
        cell(&table, remote_text(object, "name"));
        cell(&table, remote_text(object, "address"));
        cell_state(showing, &table, object);
        cell_weight(&table, object);
        cell_count(&table, object, "requests");
        cell_rate(&table, object);
        cell_count(&table, object, in_flight_key);
        cell_failed(&table, object);
        cell_why(&table, object);
    }
    table_print(&table, &showing->style, &showing->out);
    table_deinit(&table);
}

static void show_pool(struct showing *showing, const json_t *pool)
{
    struct text title = TEXT_NONE;
    char age[24];
    const char *state = remote_text(pool, "state"), *reason = remote_text(pool, "reason");
    text_printf(&title, "pool %s", remote_text(pool, "name"));
    text_append(&showing->out, SLICE("\n"));
    table_paint(&showing->style, TABLE_HEAD, text_slice(&title), &showing->out);
    text_append(&showing->out, SLICE("  "));
    table_paint(&showing->style, look_of(state), slice_from(state), &showing->out);
    remote_since(remote_text(pool, "since"), showing->now, age);
    text_printf(&showing->out, "%s%s%s%s", age[0] ? " " : "", age, *reason ? ", " : "", reason);
    if (remote_count(pool, "waiting"))
        text_printf(&showing->out, ", %" PRIu64 " waiting", remote_count(pool, "waiting"));
    text_append(&showing->out, SLICE("\n"));
    text_deinit(&title);
    show_objects(showing, "MEMBER", "IN FLIGHT", "in_flight", json_object_get(pool, "members"));
}

/* What differs from the file, and what the file has won. */
static void show_changes(struct showing *showing)
{
    const json_t *runtime = json_object_get(showing->status, "runtime"), *row;
    bool is_first = true;
    size_t i;
    json_array_foreach(json_object_get(runtime, "changes"), i, row)
    {
        if (strcmp(remote_text(row, "change"), "removed") != 0)
            continue;
        text_printf(&showing->out, "%smember %s/%s is removed at run time (`weir runtime`)\n",
                    is_first ? "\n" : "", remote_text(row, "pool"), remote_text(row, "member"));
        is_first = false;
    }
    json_array_foreach(json_object_get(runtime, "dropped"), i, row)
    {
        const char *why = json_string_value(row);
        text_printf(&showing->out, "%s%s\n", is_first ? "\n" : "", why ? why : "");
        is_first = false;
    }
}

static void show_status(struct showing *showing)
{
    const json_t *pool;
    size_t i;
    show_head(showing);
    text_append(&showing->out, SLICE("\n"));
    show_processes(showing);
    text_append(&showing->out, SLICE("\n"));
    show_objects(showing, "LISTEN", "CLIENTS", "connections",
                 json_object_get(showing->status, "listens"));
    json_array_foreach(json_object_get(showing->status, "pools"), i, pool) show_pool(showing, pool);
    status_nodes_tell(showing->status, &showing->style, &showing->out);
    status_queues_tell(showing->status, &showing->style, &showing->out);
    status_workers_tell(showing->status, &showing->style, &showing->out);
    show_changes(showing);
}

void status_print(const json_t *status, const struct table_style *style, struct text *out)
{
    struct showing showing = {
        .status = status, .now = remote_text(status, "time"), .style = *style};
    show_status(&showing);
    text_append(out, text_slice(&showing.out));
    text_deinit(&showing.out);
}

static void show_facts(struct showing *showing)
{
    static const struct table_column columns[] = {
        {"FACT", false}, {"STATE", false}, {"VALUE", true}, {"WRITER", false}, {"REASON", false}};
    struct table table;
    const json_t *fact;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(json_object_get(showing->status, "facts"), i, fact)
    {
        cell(&table, remote_text(fact, "name"));
        cell_state(showing, &table, fact);
        table_printf(&table, TABLE_PLAIN, "%g", remote_number(fact, "value"));
        cell(&table, remote_text(fact, "writer"));
        cell(&table, remote_text(fact, "reason"));
    }
    table_print(&table, &showing->style, &showing->out);
    table_deinit(&table);
}

/* ---- commands ---- */

static int print(const struct command_env *env, int argc, char **argv, const char *target,
                 void (*show)(struct showing *showing))
{
    struct remote_options options;
    struct err err = ERR_NONE;
    json_t *status = NULL;
    int usage = remote_options(env, argc, argv, REMOTE_JSON, &options);
    if (usage != 0)
        return usage;
    int result = ask_json(options.state_dir, "GET", target, ASK_STATUS_MS, &status, &err);
    remote_options_deinit(&options);
    if (result != 0) {
        fprintf(stderr, "weir %s: %s\n", argv[0], err.text);
        json_decref(status);
        return EXIT_FAILURE;
    }
    struct showing showing = {.status = status, .now = remote_text(status, "time")};
    if (options.is_json) {
        remote_dump(status, &showing.out);
    } else {
        showing.style = table_style_of_output();
        show(&showing);
    }
    fwrite(text_cstr(&showing.out), 1, showing.out.len, stdout);
    text_deinit(&showing.out);
    json_decref(status);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_status(const struct command_env *env, int argc, char **argv)
{
    return print(env, argc, argv, "/v1/status", show_status);
}

static int run_facts(const struct command_env *env, int argc, char **argv)
{
    return print(env, argc, argv, "/v1/facts", show_facts);
}

const struct command command_status = {
    .name = "status",
    .usage = "status [--json] [--state DIR]",
    .doc = "shows what runs, what listens and who serves",
    .run = run_status,
};

const struct command command_facts = {
    .name = "facts",
    .usage = "facts [--json] [--state DIR]",
    .doc = "shows every fact with its state, reason and writer",
    .run = run_facts,
};
