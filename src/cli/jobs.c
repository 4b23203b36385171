/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir put, jobs, kick, bury, delete, pause.
 */

#include "cli/jobs.h"

#include "base/mem.h"
#include "cli/asking.h"
#include "cli/cli.h"
#include "cli/job_list.h"
#include "cli/job_show.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "conf/unit.h"
#include "wire/jobproto.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MS_PER_S = 1000, KICK_MAX = 1000, LIST_DEFAULT = 100, LIST_MAX = 1000000 };

static int check_id(struct asking *asking, const char *text, uint64_t *ret_id)
{
    if (slice_to_u64(slice_from(text), ret_id) == 0)
        return 0;
    return cli_wrong(asking->env, asking->name, "no id of a job: ", text);
}

/* Whole seconds of a time as 90s, 5m, 7d. */
static int check_time(struct asking *asking, const char *text, uint32_t *ret_s)
{
    int64_t ms;
    if (conf_unit_time(slice_from(text), &ms, &asking->err) == 0 && ms >= 0 &&
        ms / MS_PER_S <= UINT32_MAX) {
        *ret_s = (uint32_t)((ms + MS_PER_S - 1) / MS_PER_S);
        return 0;
    }
    if (asking->err.text[0])
        return cli_wrong(asking->env, asking->name, asking->err.text, "");
    return cli_wrong(asking->env, asking->name, "no time, as 90s, 5m or 7d: ", text);
}

/* ---- put ------------------------------------------------------------------------------------- */

struct put_words {
    uint32_t priority, delay_s, ttr_s;
    const char *body; /* NULL: standard input */
};

static int read_put(struct asking *asking, struct put_words *ret_words)
{
    const struct remote_options *options = &asking->options;
    int i = 1, result = 0;
    *ret_words = (struct put_words){.priority = 1024, .ttr_s = 60};
    if ((options->n_values - 1) % 2 == 1)
        ret_words->body = options->values[i++];
    for (; i + 1 < options->n_values && result == 0; i += 2) {
        const char *word = options->values[i], *value = options->values[i + 1];
        uint64_t number;
        if (strcmp(word, "priority") == 0) {
            if (slice_to_u64(slice_from(value), &number) < 0 || number > UINT32_MAX)
                return cli_wrong(asking->env, asking->name, "no priority: ", value);
            ret_words->priority = (uint32_t)number;
        } else if (strcmp(word, "delay") == 0) {
            result = check_time(asking, value, &ret_words->delay_s);
        } else if (strcmp(word, "lease") == 0) {
            result = check_time(asking, value, &ret_words->ttr_s);
        } else {
            return cli_wrong(
                asking->env, asking->name,
                "neither priority, delay nor lease (a body of several words stands in quotes): ",
                word);
        }
    }
    return result;
}

static int read_input(struct asking *asking, struct text *out)
{
    enum { CHUNK = 64 * 1024 };
    ssize_t n;
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "weir %s: the body comes from here, up to Ctrl-D\n", asking->name);
    while ((n = read(STDIN_FILENO, text_reserve(out, CHUNK), CHUNK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_set_errno(&asking->err, errno, "cannot read standard input");
            return asking_failed(asking);
        }
        out->len += (size_t)n;
        if (out->len > JOBPROTO_BODY_LIMIT) {
            err_set(&asking->err, "no queue takes a job of more than %d bytes",
                    JOBPROTO_BODY_LIMIT);
            return asking_failed(asking);
        }
    }
    return 0;
}

static int put_body(struct asking *asking, const struct put_words *words, struct slice body)
{
    int result = asking_use(asking, asking->options.values[0]);
    if (result == 0)
        result = asking_for(asking, "INSERTED", body, "put %u %u %u %zu", words->priority,
                            words->delay_s, words->ttr_s, body.len);
    if (result == 0)
        printf("%s\n", strchr(text_cstr(&asking->link.line), ' ') + 1);
    return result;
}

static int put(struct asking *asking)
{
    struct put_words words;
    struct text input = TEXT_NONE;
    int result = asking_check_queue(asking, asking->options.values[0]);
    if (result == 0)
        result = read_put(asking, &words);
    if (result == 0 && !words.body)
        result = read_input(asking, &input);
    if (result == 0)
        result = put_body(asking, &words, words.body ? slice_from(words.body) : text_slice(&input));
    text_deinit(&input);
    return result;
}

static int run_put(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, 0, 1, 8, put);
}

const struct command command_put = {
    .name = "put",
    .usage = "put QUEUE [BODY] [priority N] [delay TIME] [lease TIME] [--state DIR]",
    .doc = "puts a job, from standard input without BODY, and prints its id",
    .run = run_put,
};

/* ---- jobs ------------------------------------------------------------------------------------ */

static const struct {
    const char *head, *key;
} tube_columns[] = {
    {"QUEUE", "name"},
    {"READY", "current-jobs-ready"},
    {"DELAYED", "current-jobs-delayed"},
    {"RESERVED", "current-jobs-reserved"},
    {"BURIED", "current-jobs-buried"},
    {"PUT", "total-jobs"},
    {"DELETED", "cmd-delete"},
    {"WORKERS WAITING", "current-waiting"},
    {"OLDEST READY", "oldest-ready-ms"},
    {"PAUSED FOR", "pause-time-left"},
};

/* Times for people, and nothing where there is none. */
static void add_figure(struct table *table, const char *key, struct slice value)
{
    bool is_ms = strcmp(key, "oldest-ready-ms") == 0;
    bool is_time = is_ms || strcmp(key, "pause-time-left") == 0;
    uint64_t number = 0;
    char age[24];
    (void)slice_to_u64(value, &number);
    if (!is_time)
        table_cell(table, TABLE_PLAIN, value);
    else if (number == 0)
        table_cell(table, TABLE_PLAIN, SLICE(""));
    else
        table_cell(table, TABLE_PLAIN,
                   slice_from(remote_age((double)number / (is_ms ? MS_PER_S : 1), age)));
}

static int add_tube(struct asking *asking, struct table *table, struct slice name)
{
    char text[JOBPROTO_TUBE_MAX + 1];
    slice_copy(name, text, sizeof(text));
    int result = asking_figures(asking, text);
    for (size_t i = 0; result == 0 && i < ARRAY_LEN(tube_columns); i++) {
        add_figure(table, tube_columns[i].key, asking_value(asking, tube_columns[i].key));
    }
    return result;
}

static void begin_tubes(struct table *table, struct table_column *columns)
{
    for (size_t i = 0; i < ARRAY_LEN(tube_columns); i++)
        columns[i] = (struct table_column){.head = tube_columns[i].head, .is_number = i > 0};
    table_init(table, columns, ARRAY_LEN(tube_columns));
}

static void print_table(struct table *table)
{
    struct table_style style = table_style_of_output();
    struct text out = TEXT_NONE;
    table_print(table, &style, &out);
    fwrite(text_cstr(&out), 1, out.len, stdout);
    text_deinit(&out);
    table_deinit(table);
}

/* All of them, in the order of the list. */
static int list_queues(struct asking *asking)
{
    struct table_column columns[ARRAY_LEN(tube_columns)];
    struct table table;
    int result = asking_for(asking, "OK", ASKING_NO_BODY, "list-tubes");
    if (result != 0)
        return result;
    struct text list = TEXT_NONE;
    text_append(&list, text_slice(&asking->link.body));
    struct slice rest = text_slice(&list), name;
    begin_tubes(&table, columns);
    while (rest.ptr && result == 0) {
        name = slice_cut(&rest, '\n');
        if (slice_starts(name, SLICE("- ")))
            result = add_tube(asking, &table, slice_skip(name, 2));
    }
    text_deinit(&list);
    print_table(&table);
    return result;
}

/* The job that is the next of a state. */
static int show_next(struct asking *asking, struct table *table, const char *state)
{
    struct text line = TEXT_NONE;
    text_printf(&line, "peek-%s", state);
    int result = queue_link_ask(&asking->link, text_cstr(&line), ASKING_NO_BODY, &asking->err);
    text_deinit(&line);
    if (result < 0)
        return asking_failed(asking);
    if (!queue_link_is(&asking->link, "FOUND"))
        return 0;
    const char *id = strchr(text_cstr(&asking->link.line), ' ') + 1;
    table_cell(table, TABLE_PLAIN, slice_from(state));
    table_cell(table, TABLE_PLAIN, slice_make(id, strcspn(id, " ")));
    table_printf(table, TABLE_PLAIN, "%zu", asking->link.body.len);
    table_cell(table, TABLE_PLAIN, text_slice(&asking->link.body));
    return 0;
}

static int show_queue(struct asking *asking, const char *name)
{
    static const struct table_column next_columns[] = {
        {"NEXT", false}, {"ID", true}, {"BYTES", true}, {"BODY", false}};
    static const char *const states[] = {"ready", "delayed", "buried"};
    struct table_column columns[ARRAY_LEN(tube_columns)];
    struct table table;
    int result = asking_check_queue(asking, name);
    if (result != 0)
        return result;
    begin_tubes(&table, columns);
    result = add_tube(asking, &table, slice_from(name));
    print_table(&table);
    if (result == 0)
        result = asking_use(asking, name);
    table_init(&table, next_columns, ARRAY_LEN(next_columns));
    for (size_t i = 0; i < ARRAY_LEN(states) && result == 0; i++)
        result = show_next(asking, &table, states[i]);
    if (table.n_cells > 0)
        printf("\n");
    print_table(&table);
    return result;
}

static void add_row(struct table *table, const struct job_row *row)
{
    char age[24], left[24];
    table_printf(table, TABLE_PLAIN, "%" PRIu64, row->id);
    table_printf(table, TABLE_PLAIN, "%" PRIu64, row->priority);
    table_printf(table, TABLE_PLAIN, "%" PRIu64, row->n_attempts);
    table_cell(table, TABLE_PLAIN, slice_from(remote_age((double)row->age_s, age)));
    if (row->time_left_s > 0)
        (void)remote_age((double)row->time_left_s, left);
    table_cell(table, TABLE_PLAIN, row->time_left_s > 0 ? slice_from(left) : SLICE(""));
    table_printf(table, TABLE_PLAIN, "%" PRIu64, row->body_bytes);
    if (row->text)
        table_printf(table, TABLE_PLAIN, "%s: %s", row->error ? row->error : "", row->text);
    else
        table_cell(table, TABLE_PLAIN, slice_from(row->error));
}

static void print_jobs(const struct job_list *list)
{
    static const struct table_column columns[] = {
        {"ID", true},        {"PRIORITY", true}, {"ATTEMPTS", true},   {"AGE", true},
        {"TIME LEFT", true}, {"BYTES", true},    {"LAST ERROR", false}};
    struct table table;
    table_init(&table, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < list->n_rows; i++)
        add_row(&table, &list->rows[i]);
    print_table(&table);
}

/* The jobs of a queue in a state; the figures are asked for first, because `use` makes a queue. */
static int list_jobs(struct asking *asking, const char *name, const char *state, uint64_t limit)
{
    struct job_list list = {.rows = NULL};
    int result = asking_figures(asking, name);
    if (result == 0)
        result = asking_use(asking, name);
    if (result != 0)
        return result;
    result = job_list_read(&asking->link, state, (size_t)limit, &list, &asking->err);
    job_list_sort(&list);
    if (result == 0)
        print_jobs(&list);
    if (result == 0 && list.is_cut)
        fprintf(stderr, "weir jobs: there are more than these %zu: `limit N` shows more\n",
                list.n_rows);
    job_list_deinit(&list);
    if (result < 0)
        return asking_failed(asking);
    return result > 0 ? asking_refused(asking) : 0;
}

/* QUEUE STATE [limit N] */
static int show_state(struct asking *asking)
{
    static const char *const states[] = {"ready", "delayed", "reserved", "buried", "done"};
    const struct remote_options *options = &asking->options;
    uint64_t limit = LIST_DEFAULT;
    bool is_state = false;
    int result = asking_check_queue(asking, options->values[0]);
    if (result != 0)
        return result;
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        is_state |= strcmp(options->values[1], states[i]) == 0;
    if (!is_state)
        return cli_wrong(asking->env, asking->name, "no state of a job: ", options->values[1]);
    if (options->n_values > 2 && strcmp(options->values[2], "limit") != 0)
        return cli_wrong(asking->env, asking->name, "unknown word: ", options->values[2]);
    if (options->n_values == 3)
        return cli_wrong(asking->env, asking->name, "this word wants a number: ", "limit");
    if (options->n_values == 4 && (slice_to_u64(slice_from(options->values[3]), &limit) < 0 ||
                                   limit == 0 || limit > LIST_MAX))
        return cli_wrong(asking->env, asking->name,
                         "no number from 1 to 1000000: ", options->values[3]);
    return list_jobs(asking, options->values[0], options->values[1], limit);
}

/* ID [body|result] */
static int show_job(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    uint64_t id = 0;
    int result = check_id(asking, options->values[1], &id);
    if (result != 0)
        return result;
    return job_show(asking, id, options->n_values > 2 ? options->values[2] : NULL);
}

static int jobs(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    bool is_show = options->n_values > 0 && strcmp(options->values[0], "show") == 0;
    if (is_show && (options->n_values == 2 || options->n_values == 3))
        return show_job(asking);
    if (options->n_values >= 2)
        return show_state(asking);
    return options->n_values == 1 ? show_queue(asking, options->values[0]) : list_queues(asking);
}

static int run_jobs(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, 0, 0, 4, jobs);
}

const struct command command_jobs = {
    .name = "jobs",
    .usage = "jobs [QUEUE [ready|delayed|reserved|buried|done] [limit N] | show ID [body|result]] "
             "[--state DIR]",
    .doc = "shows the queues, one of them with its next jobs or those of a state, or a job",
    .run = run_jobs,
};

/* ---- kick, bury, delete, pause --------------------------------------------------------------- */

static int kick_some(struct asking *asking, uint64_t n, uint64_t *ret_n)
{
    uint64_t kicked = 0;
    int result = asking_for(asking, "KICKED", ASKING_NO_BODY, "kick %" PRIu64,
                            n < KICK_MAX ? n : (uint64_t)KICK_MAX);
    if (result == 0)
        (void)slice_to_u64(slice_from(strchr(text_cstr(&asking->link.line), ' ') + 1), &kicked);
    *ret_n = kicked;
    return result;
}

/*
 * The buried ones; a queue without any gives delayed ones, so that the number is taken from the
 * figures first.
 */
static int kick_queue(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    uint64_t left = 0, done = 0, n = 0, most = UINT64_MAX;
    int result = asking_check_queue(asking, options->values[0]);
    if (result == 0 && options->n_values == 2)
        result = check_id(asking, options->values[1], &most);
    if (result == 0)
        result = asking_figures(asking, options->values[0]);
    if (result == 0)
        (void)slice_to_u64(asking_value(asking, "current-jobs-buried"), &left);
    if (result == 0)
        result = asking_use(asking, options->values[0]);
    left = left < most ? left : most;
    while (result == 0 && left > 0) {
        result = kick_some(asking, left, &n);
        done += n;
        left = n > 0 && n < left ? left - n : 0;
    }
    if (result == 0)
        printf("%" PRIu64 " of %s ready again%s\n", done, options->values[0],
               done == 0 && most > 0 ? ": none is buried" : "");
    return result;
}

static int kick_job(struct asking *asking, uint64_t id)
{
    int result = asking_job(asking, id);
    asking_expect(asking, "job %" PRIu64 " is neither buried nor delayed", id);
    if (result == 0)
        result = asking_for(asking, "KICKED", ASKING_NO_BODY, "kick-job %" PRIu64, id);
    return result;
}

/* A number is a job, unless another says how many of a queue. */
static int kick(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    uint64_t id = 0;
    if (options->n_values == 1 && slice_to_u64(slice_from(options->values[0]), &id) == 0)
        return kick_job(asking, id);
    return kick_queue(asking);
}

static int run_kick(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, 0, 1, 2, kick);
}

const struct command command_kick = {
    .name = "kick",
    .usage = "kick QUEUE|ID [N] [--state DIR]",
    .doc = "has the buried jobs of a queue done after all, or the first N, or one job",
    .run = run_kick,
};

static int bury(struct asking *asking)
{
    uint64_t id = 0;
    int result = check_id(asking, asking->options.values[0], &id);
    if (result == 0)
        result = asking_job(asking, id);
    asking_expect(asking, "a worker has job %" PRIu64 ", or it is buried or done", id);
    if (result == 0)
        result = asking_for(asking, "BURIED", ASKING_NO_BODY, "bury-job %" PRIu64, id);
    return result;
}

static int run_bury(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, 0, 1, 1, bury);
}

const struct command command_bury = {
    .name = "bury",
    .usage = "bury ID [--state DIR]",
    .doc = "sets a job aside that waits, until it is kicked",
    .run = run_bury,
};

static int delete_job(struct asking *asking)
{
    uint64_t id = 0;
    int result = check_id(asking, asking->options.values[0], &id);
    if (result != 0)
        return result;
    struct text line = TEXT_NONE;
    text_printf(&line, "%s %" PRIu64, asking->options.is_now ? "cancel" : "delete", id);
    result = queue_link_ask(&asking->link, text_cstr(&line), ASKING_NO_BODY, &asking->err);
    text_deinit(&line);
    if (result < 0)
        return asking_failed(asking);
    if (queue_link_is(&asking->link, "DELETED"))
        return 0;
    if (!queue_link_is(&asking->link, "NOT_FOUND"))
        return asking_refused(asking);
    result = asking_job(asking, id);
    if (result == 0) {
        err_set(&asking->err, "a worker has job %" PRIu64 ": --now takes it away", id);
        result = asking_failed(asking);
    }
    return result;
}

static int run_delete(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, REMOTE_NOW, 1, 1, delete_job);
}

const struct command command_delete = {
    .name = "delete",
    .usage = "delete ID [--now] [--state DIR]",
    .doc = "deletes a job that no worker has, or --now whoever has it",
    .run = run_delete,
};

static int pause_queue(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    uint32_t seconds = UINT32_MAX;
    int result = asking_check_queue(asking, options->values[0]);
    if (result == 0 && strcmp(options->values[1], "off") == 0)
        seconds = 0;
    else if (result == 0)
        result = check_time(asking, options->values[1], &seconds);
    asking_expect_queue(asking, options->values[0]);
    if (result == 0)
        result = asking_for(asking, "PAUSED", ASKING_NO_BODY, "pause-tube %s %u",
                            options->values[0], seconds);
    return result;
}

static int run_pause(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, 0, 2, 2, pause_queue);
}

const struct command command_pause = {
    .name = "pause",
    .usage = "pause QUEUE TIME|off [--state DIR]",
    .doc = "gives no job of a queue to workers for a time, or does so again",
    .run = run_pause,
};
