/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir member, weir runtime: members added and removed while weir runs, and what to write into the
 * file so that they are there for good.
 */
#include "base/mem.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/remote.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- member add, member remove ---- */

static json_t *add_request(const struct remote_options *options)
{
    json_t *words = json_array();
    for (int i = 3; i < options->n_values; i++)
        json_array_append_new(words, json_string(options->values[i]));
    if (json_array_size(words) != (size_t)options->n_values - 3) {
        json_decref(words);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o}", "pool", options->values[1], "name", options->values[2],
                     "words", words);
}

static int change(const struct remote_options *options, const char *target, json_t *take_request)
{
    struct err err = ERR_NONE;
    json_t *answer = NULL;
    if (!take_request) {
        fprintf(stderr, "weir member: what is asked for is not UTF-8\n");
        return EXIT_FAILURE;
    }
    int result = ask_json_with(options->state_dir, "POST", target, take_request, ASK_COMMAND_MS,
                               &answer, &err);
    remote_print_answer("member", result, answer, &err);
    json_decref(answer);
    json_decref(take_request);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_member(const struct command_env *env, int argc, char **argv)
{
    struct remote_options options;
    int result = remote_arguments(env, argc, argv, 0, 2, REMOTE_VALUES_MAX, &options);
    if (result != 0)
        return result;
    const char *verb = options.values[0];
    if (strcmp(verb, "add") == 0 && options.n_values >= 4)
        result = change(&options, "/v1/member/add", add_request(&options));
    else if (strcmp(verb, "remove") == 0 && options.n_values == 2)
        result =
            change(&options, "/v1/member/remove", json_pack("{s:s}", "target", options.values[1]));
    else
        result = cli_wrong(env, argv[0],
                           "a member is added by add POOL NAME ADDRESS, and removed "
                           "by remove MEMBER",
                           "");
    remote_options_deinit(&options);
    return result;
}

/* ---- runtime ---- */

static bool is_change(const json_t *row, const char *pool, const char *change)
{
    return strcmp(remote_text(row, "pool"), pool) == 0 &&
           strcmp(remote_text(row, "change"), change) == 0;
}

static void print_kind(const json_t *changes, const char *pool, const char *change,
                       const char *comment, struct text *out)
{
    const json_t *row;
    size_t i;
    bool is_first = true;
    json_array_foreach(changes, i, row)
    {
        if (!is_change(row, pool, change))
            continue;
        if (is_first)
            text_printf(out, "    # %s\n", comment);
        is_first = false;
        text_printf(out, "    %s%s\n", strcmp(change, "removed") == 0 ? "# " : "",
                    remote_text(row, "statement"));
    }
}

/* Was the pool of row i printed with an earlier one? */
static bool is_printed(const json_t *changes, size_t i)
{
    const char *pool = remote_text(json_array_get(changes, i), "pool");
    for (size_t j = 0; j < i; j++) {
        if (strcmp(remote_text(json_array_get(changes, j), "pool"), pool) == 0)
            return true;
    }
    return false;
}

static void print_runtime(const json_t *answer, struct text *out)
{
    const json_t *changes = json_object_get(answer, "changes"), *row;
    size_t i;
    if (json_array_size(changes) == 0)
        text_append(out, SLICE("# nothing was changed at run time\n"));
    json_array_foreach(changes, i, row)
    {
        const char *pool = remote_text(row, "pool");
        if (is_printed(changes, i))
            continue;
        text_printf(out, "pool %s {\n", pool);
        print_kind(changes, pool, "added", "added at run time: put into the file", out);
        print_kind(changes, pool, "removed", "removed at run time: take out of the file", out);
        text_append(out, SLICE("}\n"));
    }
    json_array_foreach(json_object_get(answer, "dropped"), i, row)
        text_printf(out, "# %s\n", json_string_value(row) ? json_string_value(row) : "");
}

static int run_runtime(const struct command_env *env, int argc, char **argv)
{
    struct remote_options options;
    struct err err = ERR_NONE;
    json_t *answer = NULL;
    int usage = remote_options(env, argc, argv, REMOTE_JSON, &options);
    if (usage != 0)
        return usage;
    int result = ask_json(options.state_dir, "GET", "/v1/runtime", ASK_STATUS_MS, &answer, &err);
    remote_options_deinit(&options);
    struct text out = TEXT_NONE;
    if (result != 0)
        fprintf(stderr, "weir runtime: %s\n", err.text);
    else if (options.is_json)
        remote_dump(answer, &out);
    else
        print_runtime(answer, &out);
    fwrite(text_cstr(&out), 1, out.len, stdout);
    text_deinit(&out);
    json_decref(answer);
    return result == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command command_member = {
    .name = "member",
    .usage = "member add POOL NAME ADDRESS [WORD ...] | remove MEMBER [--state DIR]",
    .doc = "adds and removes members while weir runs, and keeps it so",
    .run = run_member,
};

const struct command command_runtime = {
    .name = "runtime",
    .usage = "runtime [--json] [--state DIR]",
    .doc = "prints what was added and removed at run time, for the file",
    .run = run_runtime,
};
