/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands that talk to a running weir share: their options, and reading what it answers.
 */
#include "cli/remote.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "core/settings.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int remote_arguments(const struct command_env *env, int argc, char **argv, unsigned known,
                     int n_min, int n_max, struct remote_options *ret_options)
{
    const char *state_dir = NULL;
    *ret_options = (struct remote_options){.state_dir = NULL};
    const struct cli_option all[] = {{.name = "--json", .flag = &ret_options->is_json},
                                     {.name = "--now", .flag = &ret_options->is_now},
                                     {.name = "--no-wait", .flag = &ret_options->is_no_wait}};
    struct cli_option options[ARRAY_LEN(all) + 2] = {{.name = "--state", .text = &state_dir}};
    size_t n = 1;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (known & (1u << i))
            options[n++] = all[i];
    }
    int result = cli_arguments_some(env, argc, argv, options, ret_options->values, n_min, n_max,
                                    &ret_options->n_values);
    if (result != 0)
        return result;
    ret_options->state_dir = cli_state_dir(state_dir);
    if (!ret_options->state_dir)
        ret_options->state_dir = mem_strdup(SETTINGS_STATE_DEFAULT);
    return 0;
}

int remote_options(const struct command_env *env, int argc, char **argv, unsigned known,
                   struct remote_options *ret_options)
{
    return remote_arguments(env, argc, argv, known, 0, 0, ret_options);
}

void remote_options_deinit(struct remote_options *options)
{
    mem_free(options->state_dir);
    options->state_dir = NULL;
}

void remote_print_answer(const char *command, int result, const json_t *answer,
                         const struct err *err)
{
    if (result == 0) {
        const char *text = remote_text(answer, "text");
        size_t n = strlen(text);
        printf("%s%s", text, n && text[n - 1] == '\n' ? "" : "\n");
        fflush(stdout);
        if (*remote_text(answer, "warning"))
            fprintf(stderr, "weir %s: warning: %s\n", command, remote_text(answer, "warning"));
        return;
    }
    const char *diagnostics = remote_text(answer, "diagnostics");
    size_t len = strlen(diagnostics);
    bool has_end = len == 0 || diagnostics[len - 1] == '\n';
    fprintf(stderr, "%s%sweir %s: %s\n", diagnostics, has_end ? "" : "\n", command, err->text);
}

void remote_dump(const json_t *document, struct text *out)
{
    char *text =
        json_dumps(document, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    text_append(out, slice_from(text));
    text_append_char(out, '\n');
    free(text);
}

const char *remote_text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

double remote_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

uint64_t remote_count(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

void remote_cell_count(struct table *table, const json_t *object, const char *key,
                       enum table_look look)
{
    uint64_t n = remote_count(object, key);
    table_printf(table, n > 0 ? look : TABLE_PLAIN, "%" PRIu64, n);
}

const json_t *remote_module(const json_t *status, const char *module)
{
    const json_t *process;
    size_t i;
    json_array_foreach(json_object_get(status, "processes"), i, process)
    {
        if (strcmp(remote_text(process, "name"), module) != 0)
            continue;
        const json_t *modules = json_object_get(json_object_get(process, "detail"), "modules");
        return json_object_get(modules, module);
    }
    return NULL;
}

const char *remote_age(double seconds, char buf[24])
{
    static const struct {
        double below_s, unit_s;
        const char *unit;
    } rows[] = {{120, 1, "s"}, {7200, 60, "m"}, {172800, 3600, "h"}, {1e12, 86400, "d"}};
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(rows) && seconds >= rows[i].below_s)
        i++;
    snprintf(buf, 24, "%.0f %s", seconds > 0 ? (double)(int64_t)(seconds / rows[i].unit_s) : 0.0,
             rows[i].unit);
    return buf;
}

/* A run of digits at a place of the text; *ret_ok becomes false where they are none. */
static int digits(struct slice text, size_t at, size_t len, bool *ret_ok)
{
    uint64_t value = 0;
    if (text.len < at + len || slice_to_u64(slice_make(text.ptr + at, len), &value) < 0)
        *ret_ok = false;
    return (int)value;
}

/* Seconds since 1970 of 2026-11-24T03:02:11.123Z, or -1. */
static double time_of(const char *from)
{
    struct slice text = slice_from(from);
    bool is_ok = true;
    struct tm tm = {
        .tm_year = digits(text, 0, 4, &is_ok) - 1900,
        .tm_mon = digits(text, 5, 2, &is_ok) - 1,
        .tm_mday = digits(text, 8, 2, &is_ok),
        .tm_hour = digits(text, 11, 2, &is_ok),
        .tm_min = digits(text, 14, 2, &is_ok),
        .tm_sec = digits(text, 17, 2, &is_ok),
    };
    int ms = digits(text, 20, 3, &is_ok);
    return is_ok ? (double)timegm(&tm) + ms / 1000.0 : -1;
}

const char *remote_since(const char *since, const char *now, char buf[24])
{
    double from = time_of(since), to = time_of(now);
    buf[0] = '\0';
    return from < 0 || to < 0 ? buf : remote_age(to > from ? to - from : 0, buf);
}
