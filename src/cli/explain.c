/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir explain: which route takes a request, which members may get it, and why the others do not;
 * what DNS answers; where a floating address is, and why; what a queue takes and gives.
 * With a running weir its facts count; with --file the configuration alone.
 */
#include "base/json.h"
#include "base/mem.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/explain_queue.h"
#include "cli/explain_vip.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "core/disk.h"
#include "core/inspect.h"
#include "core/settings.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 129, FIELDS_MAX = 64 };

struct asking {
    const char *kind; /* "http", "dns", "vip" or "queue" */
    const char *request;
    const char *from, *listen;
    const char *fields[FIELDS_MAX];
    size_t n_fields;
};

/* ---- what was answered, for a person ---- */

struct telling {
    struct table_style style;
    struct text out;
};

static void tell_routes(struct telling *telling, const json_t *routes)
{
    static const struct table_column columns[] = {
        {"ROUTE", false}, {"AT", false}, {"", false}, {"WHY", false}};
    struct table table;
    const json_t *route;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(routes, i, route)
    {
        bool matches = json_is_true(json_object_get(route, "matches"));
        table_printf(&table, matches ? TABLE_GOOD : TABLE_PLAIN, "%s", remote_text(route, "route"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(route, "at")));
        table_cell(&table, matches ? TABLE_GOOD : TABLE_PLAIN,
                   matches ? SLICE("takes it") : SLICE("passes"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(route, "why")));
    }
    table_print(&table, &telling->style, &telling->out);
    table_deinit(&table);
}

static void tell_members(struct telling *telling, const json_t *members)
{
    static const struct table_column columns[] = {{"MEMBER", false},     {"ADDRESS", false},
                                                  {"MAY GET IT", false}, {"STATE", false},
                                                  {"WEIGHT", true},      {"WHY", false}};
    struct table table;
    const json_t *member;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(members, i, member)
    {
        bool may = json_is_true(json_object_get(member, "may"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(member, "member")));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(member, "address")));
        table_cell(&table, may ? TABLE_GOOD : TABLE_BAD, may ? SLICE("yes") : SLICE("no"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(member, "state")));
        table_printf(&table, TABLE_PLAIN, "%g", remote_number(member, "weight"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(member, "why")));
    }
    table_print(&table, &telling->style, &telling->out);
    table_deinit(&table);
}

static void tell_pool(struct telling *telling, const json_t *pool)
{
    text_append(&telling->out, SLICE("\n  to pool "));
    table_paint(&telling->style, TABLE_HEAD, slice_from(remote_text(pool, "pool")), &telling->out);
    if (json_object_get(pool, "share"))
        text_printf(&telling->out, " for %" PRIu64 "%% of such requests",
                    remote_count(pool, "share"));
    text_printf(&telling->out, ": %s, %s\n", remote_text(pool, "state"),
                remote_text(pool, "reason"));
    tell_members(telling, json_object_get(pool, "members"));
}

/* It is done later. */
static void tell_async(struct telling *telling, const json_t *listen)
{
    if (remote_count(listen, "status") != 202)
        text_printf(&telling->out,
                    "\n  weir answers %" PRIu64 ": a WebSocket cannot be done later\n",
                    remote_count(listen, "status"));
    else
        text_printf(&telling->out,
                    "\n  to queue %s: the client gets 202, and the result below %s\n",
                    remote_text(listen, "queue"), remote_text(listen, "jobs_path"));
}

/* The queues of a route that asks members as well. */
static void tell_queues(struct telling *telling, const json_t *listen)
{
    bool is_preferred = strcmp(remote_text(listen, "async"), "prefer") == 0;
    if (is_preferred)
        text_printf(&telling->out, "  the client asks for a 202: it goes to queue %s instead\n",
                    remote_text(listen, "queue"));
    else if (json_object_get(listen, "queue"))
        text_printf(&telling->out, "  with `Prefer: respond-async` it goes to queue %s\n",
                    remote_text(listen, "queue"));
    if (json_object_get(listen, "overflow"))
        text_printf(&telling->out, "  where there is no room for it, it goes to queue %s\n",
                    remote_text(listen, "overflow"));
}

static void tell_action(struct telling *telling, const json_t *listen)
{
    const char *action = remote_text(listen, "action"), *priority = remote_text(listen, "priority");
    const json_t *pool;
    size_t i;
    json_array_foreach(json_object_get(listen, "pools"), i, pool) tell_pool(telling, pool);
    if (strcmp(action, "none") == 0)
        text_printf(&telling->out, "\n  no route takes it: weir answers %" PRIu64 "\n",
                    remote_count(listen, "status"));
    else if (strcmp(action, "job") == 0)
        text_append(&telling->out,
                    SLICE("\n  it asks for an asynchronous job: the queue answers\n"));
    else if (strcmp(action, "async") == 0)
        tell_async(telling, listen);
    else if (strcmp(action, "respond") == 0)
        text_printf(&telling->out, "\n  weir answers %" PRIu64 " itself\n",
                    remote_count(listen, "status"));
    else if (strcmp(action, "redirect") == 0)
        text_printf(&telling->out, "\n  weir answers %" PRIu64 ", Location: %s\n",
                    remote_count(listen, "status"), remote_text(listen, "location"));
    else
        text_printf(&telling->out, "\n  %s%s%s\n",
                    json_is_true(json_object_get(listen, "repeatable"))
                        ? "tried on another member where one fails before it answers"
                        : "not repeated once a member has seen it",
                    strcmp(priority, "normal") == 0 ? "" : "; its priority in the queue is ",
                    strcmp(priority, "normal") == 0 ? "" : priority);
    if (strcmp(action, "async") != 0)
        tell_queues(telling, listen);
}

static void tell_choice(struct telling *telling, const json_t *pool)
{
    static const struct table_column columns[] = {{"MEMBER", false}, {"ADDRESS", false},
                                                  {"", false},       {"STATE", false},
                                                  {"WEIGHT", true},  {"REASON", false}};
    struct table table;
    const json_t *member;
    size_t i;
    text_append(&telling->out, SLICE("\n  pool "));
    table_paint(&telling->style, TABLE_HEAD, slice_from(remote_text(pool, "pool")), &telling->out);
    text_printf(&telling->out, ", %s%s\n", remote_text(pool, "mode"),
                json_is_true(json_object_get(pool, "answers")) ? ": it answers" : "");
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(json_object_get(pool, "members"), i, member)
    {
        bool is_in = json_is_true(json_object_get(member, "in"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(member, "member")));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(member, "address")));
        table_cell(&table, is_in ? TABLE_GOOD : TABLE_BAD, slice_from(remote_text(member, "why")));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(member, "state")));
        table_printf(&table, TABLE_PLAIN, "%g", remote_number(member, "weight"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(member, "reason")));
    }
    table_print(&table, &telling->style, &telling->out);
    table_deinit(&table);
}

/* What a record from pools adds to its step. */
static void tell_pools(struct telling *telling, const json_t *step)
{
    uint64_t n = remote_count(step, "data"), at_most = remote_count(step, "at_most");
    const json_t *pool;
    size_t i;
    if (at_most < n)
        text_printf(&telling->out, "  %" PRIu64 " of %" PRIu64 " at a time, drawn anew for each\n",
                    at_most, n);
    if (json_is_true(json_object_get(step, "fails_open")))
        text_append(&telling->out, SLICE("  nobody is up: the record fails open\n"));
    json_array_foreach(json_object_get(step, "pools"), i, pool) tell_choice(telling, pool);
}

static void tell_step(struct telling *telling, const json_t *step)
{
    static const struct {
        const char *key, *before;
    } names[] = {{"cut", "cut"}, {"closest", "closest name"}, {"wildcard", "wildcard"}};
    text_printf(&telling->out, "  %s: %s\n", remote_text(step, "name"), remote_text(step, "why"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (json_object_get(step, names[i].key))
            text_printf(&telling->out, "    %s %s\n", names[i].before,
                        remote_text(step, names[i].key));
    }
    if (json_object_get(step, "at"))
        text_printf(&telling->out, "    %s at %s\n", remote_text(step, "type"),
                    remote_text(step, "at"));
    text_printf(&telling->out, "    for %" PRIu64 " s: %s\n", remote_count(step, "ttl"),
                remote_text(step, "ttl_why"));
    tell_pools(telling, step);
}

static void tell_section(struct telling *telling, const json_t *answer, const char *key)
{
    static const struct table_column columns[] = {
        {"NAME", false}, {"TTL", true}, {"TYPE", false}, {"DATA", false}};
    const json_t *records = json_object_get(answer, key), *record;
    struct table table;
    size_t i;
    if (json_array_size(records) == 0)
        return;
    text_printf(&telling->out, "\n  %s\n", key);
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(records, i, record)
    {
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(record, "name")));
        table_printf(&table, TABLE_PLAIN, "%" PRIu64, remote_count(record, "ttl"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(record, "type")));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(record, "data")));
    }
    table_print(&table, &telling->style, &telling->out);
    table_deinit(&table);
}

static void tell_dns(struct telling *telling, const json_t *answer)
{
    const json_t *step;
    size_t i;
    table_paint(&telling->style, TABLE_HEAD, slice_from(remote_text(answer, "name")),
                &telling->out);
    text_printf(&telling->out, " %s: %s", remote_text(answer, "type"),
                remote_text(answer, "rcode"));
    if (json_object_get(answer, "zone"))
        text_printf(&telling->out, " from zone %s", remote_text(answer, "zone"));
    text_printf(&telling->out, ", %" PRIu64 " bytes\n", remote_count(answer, "bytes"));
    json_array_foreach(json_object_get(answer, "steps"), i, step) tell_step(telling, step);
    tell_section(telling, answer, "answer");
    tell_section(telling, answer, "authority");
    tell_section(telling, answer, "additional");
}

static void tell(struct telling *telling, const json_t *answer)
{
    if (json_object_get(answer, "rcode")) {
        tell_dns(telling, answer);
        return;
    }
    if (json_object_get(answer, "vips")) {
        explain_vip_tell(answer, &telling->style, &telling->out);
        return;
    }
    if (json_object_get(answer, "queues")) {
        explain_queue_tell(answer, &telling->style, &telling->out);
        return;
    }
    const json_t *listen;
    size_t i;
    json_array_foreach(json_object_get(answer, "listens"), i, listen)
    {
        text_printf(&telling->out, "%slisten ", i ? "\n" : "");
        table_paint(&telling->style, TABLE_HEAD, slice_from(remote_text(listen, "listen")),
                    &telling->out);
        text_printf(&telling->out, " at %s\n", remote_text(listen, "address"));
        tell_routes(telling, json_object_get(listen, "routes"));
        tell_action(telling, listen);
    }
}

static int print_answer(const json_t *answer, bool is_json)
{
    struct telling telling = {.style = table_style_of_output()};
    if (is_json)
        remote_dump(answer, &telling.out);
    else
        tell(&telling, answer);
    fwrite(text_cstr(&telling.out), 1, telling.out.len, stdout);
    text_deinit(&telling.out);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- asking a running weir ---- */

/* Everything but letters, digits and a few marks as %XX. */
static void encode(struct text *out, const char *name, const char *value)
{
    text_printf(out, "%s=", name);
    for (const char *c = value; *c; c++) {
        bool is_plain = (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= 'a' && *c <= 'z') || strchr("-._~/:", *c);
        if (is_plain)
            text_append_char(out, *c);
        else
            text_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

static int ask_running(const struct asking *asking, const char *state_dir, json_t **ret_answer,
                       struct err *err)
{
    struct text target = TEXT_NONE;
    text_append(&target, SLICE("/v1/explain?"));
    encode(&target, strcmp(asking->kind, "http") == 0 ? "request" : asking->kind, asking->request);
    if (asking->from)
        encode(&target, "&from", asking->from);
    if (asking->listen)
        encode(&target, "&listen", asking->listen);
    for (size_t i = 0; i < asking->n_fields; i++)
        encode(&target, "&header", asking->fields[i]);
    int result = ask_json(state_dir, "GET", text_cstr(&target), ASK_STATUS_MS, ret_answer, err);
    text_deinit(&target);
    return result;
}

/* ---- asking a file ---- */

static int explain_snapshot(const struct asking *asking, const struct module *module,
                            const struct snapshot *snap, const struct board *board,
                            const struct conf_bundle *files, struct text *out, struct err *err)
{
    struct slice fields[FIELDS_MAX];
    struct json json;
    struct explain_ask ask = {.kind = asking->kind,
                              .text = slice_from(asking->request),
                              .listen = slice_from(asking->listen),
                              .fields = fields,
                              .n_fields = asking->n_fields,
                              .files = files};
    if (asking->from && addr_parse_ip(slice_from(asking->from), 0, &ask.from, err) < 0)
        return err_prefix(err, "from");
    for (size_t i = 0; i < asking->n_fields; i++)
        fields[i] = slice_from(asking->fields[i]);
    json_init(&json, out);
    json_object_begin(&json);
    if (module->explain(snap, board, &ask, &json, err) < 0)
        return -1;
    json_object_end(&json);
    json_finish(&json);
    return 0;
}

/* A board on which nothing is stated. */
static int explain_without_facts(const struct asking *asking, const struct module *module,
                                 const struct snapshot *snap, const struct conf_bundle *files,
                                 struct text *out, struct err *err)
{
    const char *names[BOARD_SEGMENTS_MAX];
    struct board_fds fds;
    struct board *board;
    size_t n = module_processes(snap->table, names, BOARD_SEGMENTS_MAX);
    if (board_make(names, n, &fds, err) < 0)
        return -1;
    int result = board_open(&fds, BOARD_NO_SEGMENT, &board, err);
    if (result == 0) {
        result = explain_snapshot(asking, module, snap, board, files, out, err);
        board_close(&board);
    }
    board_fds_close(&fds);
    return result;
}

/* With the bytes of its files where the module answers from what its process makes of them. */
static int explain_with_files(const struct asking *asking, const struct snapshot *snap,
                              struct conf_diag *diag, struct text *out, struct err *err)
{
    struct conf_bundle files;
    const struct module *module = module_explains(snap->table, asking->kind, err);
    if (!module)
        return -1;
    if (!module->explain_inside)
        return explain_without_facts(asking, module, snap, NULL, out, err);
    conf_bundle_init(&files);
    int result = inspect_files(snap, module->process, &files, diag);
    if (result == 0)
        result = explain_without_facts(asking, module, snap, &files, out, err);
    else
        err_set(err, "not all of its files can be read: weir check says more");
    conf_bundle_deinit(&files);
    return result;
}

static int ask_file(const struct command_env *env, const struct asking *asking, const char *file,
                    const char *node, json_t **ret_answer, struct err *err)
{
    struct conf_host disk = disk_host();
    struct snapshot *snap = NULL;
    struct conf_diag *diag;
    struct text text = TEXT_NONE;
    char *folder = disk_folder();
    const struct snapshot_options options = {.path = file,
                                             .host = &disk,
                                             .folder = folder,
                                             .node = node,
                                             .is_every_node = node == NULL,
                                             .generation = 1,
                                             .n_loops = 1};
    int result = snapshot_load(env->table, &options, &snap, &diag);
    if (result < 0) {
        conf_diag_print(diag, &text);
        fputs(text_cstr(&text), stderr);
        err_set(err, "%s has mistakes", file);
    } else {
        result = explain_with_files(asking, snap, diag, &text, err);
        json_error_t error;
        *ret_answer = result == 0 ? json_loadb(text_cstr(&text), text.len, 0, &error) : NULL;
    }
    text_deinit(&text);
    snapshot_unref(&snap);
    mem_free(folder);
    return result;
}

/* ---- the command ---- */

/* from ADDR, header 'NAME: VALUE', listen NAME, in any order. False: something else. */
static bool read_words(struct asking *asking, const char *const *values, int n)
{
    asking->kind = "http";
    asking->request = values[0];
    for (int i = 1; i + 1 < n; i += 2) {
        if (strcmp(values[i], "from") == 0)
            asking->from = values[i + 1];
        else if (strcmp(values[i], "listen") == 0)
            asking->listen = values[i + 1];
        else if (strcmp(values[i], "header") == 0 && asking->n_fields < FIELDS_MAX)
            asking->fields[asking->n_fields++] = values[i + 1];
        else
            return false;
    }
    return n % 2 == 1;
}

/* dns NAME TYPE [from ADDR]; the question is written to `text`. */
static bool read_dns_words(struct asking *asking, const char *const *values, int n,
                           struct text *text)
{
    if (n != 3 && (n != 5 || strcmp(values[3], "from") != 0))
        return false;
    text_printf(text, "%s %s", values[1], values[2]);
    asking->kind = "dns";
    asking->request = text_cstr(text);
    asking->from = n == 5 ? values[4] : NULL;
    return true;
}

/* vip [NAME], queue [NAME] */
static bool read_name(struct asking *asking, const char *const *values, int n)
{
    asking->kind = values[0];
    asking->request = n > 1 ? values[1] : "";
    return n <= 2;
}

static int run_explain(const struct command_env *env, int argc, char **argv)
{
    const char *values[VALUES_MAX], *file = NULL, *node = NULL, *state = NULL;
    bool is_json = false;
    int n = 0;
    const struct cli_option options[] = {{.name = "--file", .text = &file},
                                         {.name = "--node", .text = &node},
                                         {.name = "--json", .flag = &is_json},
                                         {.name = "--state", .text = &state},
                                         {.name = NULL}};
    int result = cli_arguments_some(env, argc, argv, options, values, 1, VALUES_MAX, &n);
    if (result != 0)
        return result;
    struct asking asking = {.request = NULL};
    struct text question = TEXT_NONE;
    if (strcmp(values[0], "dns") == 0) {
        if (!read_dns_words(&asking, values, n, &question))
            return cli_wrong(env, argv[0], "dns NAME TYPE [from ADDR] is what it takes", "");
    } else if (strcmp(values[0], "vip") == 0 || strcmp(values[0], "queue") == 0) {
        if (!read_name(&asking, values, n))
            return cli_wrong(env, argv[0], values[0], " [NAME] is what it takes");
    } else if (!read_words(&asking, values, n))
        return cli_wrong(env, argv[0],
                         "behind the request come from ADDR, header 'NAME: VALUE', listen NAME",
                         "");
    json_t *answer = NULL;
    struct err err = ERR_NONE;
    char *state_dir = cli_state_dir(state);
    if (file)
        result = ask_file(env, &asking, file, node, &answer, &err);
    else
        result =
            ask_running(&asking, state_dir ? state_dir : SETTINGS_STATE_DEFAULT, &answer, &err);
    mem_free(state_dir);
    if (result == 0)
        result = print_answer(answer, is_json);
    else
        fprintf(stderr, "weir explain: %s%s\n", err.text,
                result < 0 && !file ? "; --file FILE asks a file" : "");
    json_decref(answer);
    text_deinit(&question);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command command_explain = {
    .name = "explain",
    .usage = "explain 'METHOD URL'|dns NAME TYPE|vip [NAME]|queue [NAME] [from ADDR] "
             "[header 'NAME: VALUE' ...] [listen NAME] [--file FILE] [--node NAME] [--json] "
             "[--state DIR]",
    .doc = "says which route takes a request, who may get it, and why; what DNS "
           "answers; where a floating address is; or what a queue takes and gives",
    .run = run_explain,
};
