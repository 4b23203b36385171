/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir put, jobs, kick, bury, delete, pause.
 */

#include "cli/jobs.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/queue_link.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "conf/unit.h"
#include "wire/jobproto.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MS_PER_S = 1000, KICK_MAX = 1000 };

#define NO_BODY slice_make(NULL, 0)

/* What a command works with, from its arguments on. */
struct asking {
    const struct command_env *env;
    const char *name; /* of the command */
    struct remote_options options;
    struct queue_link link;
    struct err err;
};

static int failed(struct asking *asking)
{
    fprintf(stderr, "weir %s: %s\n", asking->name, asking->err.text);
    return EXIT_FAILURE;
}

/* An answer that is no success, as a sentence. */
static int refused(struct asking *asking)
{
    static const struct {
        const char *word, *sentence;
    } rows[] = {
        {"NOT_FOUND", "there is no such job or queue, or a worker has the job"},
        {"OUT_OF_MEMORY", "a limit of jobs or bytes, or the disk, has no room for it"},
        {"INTERNAL_ERROR", "the queue's log has failed: see the log of weir"},
        {"JOB_TOO_BIG", "it is larger than `limits job` of the first `jobs`"},
        {"DRAINING", "the queue takes no new jobs"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (queue_link_is(&asking->link, rows[i].word))
            err_set(&asking->err, "%s", rows[i].sentence);
    if (!asking->err.text[0])
        err_set(&asking->err, "the queue answers %s", text_cstr(&asking->link.line));
    return failed(asking);
}

/* Asks; 0 where the answer begins with `good`, otherwise the exit status. */
__attribute__((format(printf, 4, 5))) static int ask_for(struct asking *asking, const char *good,
                                                         struct slice body, const char *format, ...)
{
    struct text command = TEXT_NONE;
    va_list args;
    va_start(args, format);
    text_vprintf(&command, format, args);
    va_end(args);
    int result = queue_link_ask(&asking->link, text_cstr(&command), body, &asking->err);
    text_deinit(&command);
    if (result < 0)
        return failed(asking);
    return queue_link_is(&asking->link, good) ? 0 : refused(asking);
}

/* The arguments, a connection, the work. */
static int run(const struct command_env *env, int argc, char **argv, int n_min, int n_max,
               int (*work)(struct asking *asking))
{
    struct asking asking = {.env = env, .name = argv[0], .err = ERR_NONE};
    int result = remote_arguments(env, argc, argv, 0, n_min, n_max, &asking.options);
    if (result != 0)
        return result;
    if (queue_link_open(&asking.link, asking.options.state_dir, &asking.err) < 0) {
        result = failed(&asking);
    } else {
        result = work(&asking);
        queue_link_close(&asking.link);
    }
    remote_options_deinit(&asking.options);
    return result;
}

static int check_queue(struct asking *asking, const char *name)
{
    if (jobproto_is_tube(slice_from(name)))
        return 0;
    return cli_wrong(asking->env, asking->name, "no name of a queue: ", name);
}

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
            return cli_wrong(asking->env, asking->name, "unknown word: ", word);
        }
    }
    return result;
}

static int read_input(struct asking *asking, struct text *out)
{
    enum { CHUNK = 64 * 1024 };
    ssize_t n;
    while ((n = read(STDIN_FILENO, text_reserve(out, CHUNK), CHUNK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_set_errno(&asking->err, errno, "cannot read standard input");
            return failed(asking);
        }
        out->len += (size_t)n;
        if (out->len > JOBPROTO_BODY_LIMIT) {
            err_set(&asking->err, "no queue takes a job of more than %d bytes",
                    JOBPROTO_BODY_LIMIT);
            return failed(asking);
        }
    }
    return 0;
}

static int put_body(struct asking *asking, const struct put_words *words, struct slice body)
{
    int result = ask_for(asking, "USING", NO_BODY, "use %s", asking->options.values[0]);
    if (result == 0)
        result = ask_for(asking, "INSERTED", body, "put %u %u %u %zu", words->priority,
                         words->delay_s, words->ttr_s, body.len);
    if (result == 0)
        printf("%s\n", strchr(text_cstr(&asking->link.line), ' ') + 1);
    return result;
}

static int put(struct asking *asking)
{
    struct put_words words;
    struct text input = TEXT_NONE;
    int result = check_queue(asking, asking->options.values[0]);
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
    return run(env, argc, argv, 1, 8, put);
}

const struct command command_put = {
    .name = "put",
    .usage = "put QUEUE [BODY] [priority N] [delay TIME] [lease TIME] [--state DIR]",
    .doc = "puts a job, from standard input without BODY, and prints its id",
    .run = run_put,
};

/* ---- jobs ------------------------------------------------------------------------------------ */

/* The value of a name in a document of stats, "" where it is not there. */
static struct slice value_of(struct slice document, const char *name)
{
    struct text wanted = TEXT_NONE;
    text_printf(&wanted, "\n%s: ", name);
    const char *at = memmem(document.ptr, document.len, wanted.ptr, wanted.len);
    size_t len = wanted.len;
    text_deinit(&wanted);
    if (!at)
        return SLICE("");
    struct slice rest = slice_skip(document, (size_t)(at - document.ptr) + len);
    struct slice value = slice_cut(&rest, '\n');
    if (value.len >= 2 && value.ptr[0] == '"')
        value = slice_make(value.ptr + 1, value.len - 2);
    return value;
}

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
    {"PAUSED FOR", "pause-time-left"},
};

static int add_tube(struct asking *asking, struct table *table, struct slice name)
{
    int result = ask_for(asking, "OK", NO_BODY, "stats-tube %.*s", SLICE_ARG(name));
    for (size_t i = 0; result == 0 && i < ARRAY_LEN(tube_columns); i++) {
        struct slice value = value_of(text_slice(&asking->link.body), tube_columns[i].key);
        bool is_no_pause = i + 1 == ARRAY_LEN(tube_columns) && slice_is(value, "0");
        table_cell(table, TABLE_PLAIN, is_no_pause ? SLICE("") : value);
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
    int result = ask_for(asking, "OK", NO_BODY, "list-tubes");
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
    int result = queue_link_ask(&asking->link, text_cstr(&line), NO_BODY, &asking->err);
    text_deinit(&line);
    if (result < 0)
        return failed(asking);
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
    int result = check_queue(asking, name);
    if (result != 0)
        return result;
    begin_tubes(&table, columns);
    result = add_tube(asking, &table, slice_from(name));
    print_table(&table);
    if (result == 0)
        result = ask_for(asking, "USING", NO_BODY, "use %s", name);
    table_init(&table, next_columns, ARRAY_LEN(next_columns));
    for (size_t i = 0; i < ARRAY_LEN(states) && result == 0; i++)
        result = show_next(asking, &table, states[i]);
    if (table.n_cells > 0)
        printf("\n");
    print_table(&table);
    return result;
}

/* What is known of it goes to standard error, so that its body can be used. */
static int show_job(struct asking *asking, const char *text)
{
    uint64_t id = 0;
    int result = check_id(asking, text, &id);
    if (result == 0)
        result = ask_for(asking, "OK", NO_BODY, "stats-job %" PRIu64, id);
    if (result == 0) {
        fwrite(text_cstr(&asking->link.body), 1, asking->link.body.len, stderr);
        result = ask_for(asking, "FOUND", NO_BODY, "peek %" PRIu64, id);
    }
    if (result == 0)
        fwrite(text_cstr(&asking->link.body), 1, asking->link.body.len, stdout);
    return result;
}

static int jobs(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    if (options->n_values == 2 && strcmp(options->values[0], "show") == 0)
        return show_job(asking, options->values[1]);
    if (options->n_values == 2)
        return cli_wrong(asking->env, asking->name, "one queue, or show ID: ", options->values[1]);
    return options->n_values == 1 ? show_queue(asking, options->values[0]) : list_queues(asking);
}

static int run_jobs(const struct command_env *env, int argc, char **argv)
{
    return run(env, argc, argv, 0, 2, jobs);
}

const struct command command_jobs = {
    .name = "jobs",
    .usage = "jobs [QUEUE | show ID] [--state DIR]",
    .doc = "shows the queues, one of them with its next jobs, or a job with its body",
    .run = run_jobs,
};

/* ---- kick, bury, delete, pause --------------------------------------------------------------- */

static int kick_some(struct asking *asking, uint64_t n, uint64_t *ret_n)
{
    uint64_t kicked = 0;
    int result =
        ask_for(asking, "KICKED", NO_BODY, "kick %" PRIu64, n < KICK_MAX ? n : (uint64_t)KICK_MAX);
    if (result == 0)
        (void)slice_to_u64(slice_from(strchr(text_cstr(&asking->link.line), ' ') + 1), &kicked);
    *ret_n = kicked;
    return result;
}

/*
 * The buried ones; a queue without any gives delayed ones, so that the number is taken from the
 * figures first.
 */
static int kick(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    uint64_t left = 0, done = 0, n = 0, most = UINT64_MAX;
    int result = check_queue(asking, options->values[0]);
    if (result == 0 && options->n_values == 2)
        result = check_id(asking, options->values[1], &most);
    if (result == 0)
        result = ask_for(asking, "USING", NO_BODY, "use %s", options->values[0]);
    if (result == 0)
        result = ask_for(asking, "OK", NO_BODY, "stats-tube %s", options->values[0]);
    if (result == 0)
        (void)slice_to_u64(value_of(text_slice(&asking->link.body), "current-jobs-buried"), &left);
    left = left < most ? left : most;
    while (result == 0 && left > 0) {
        result = kick_some(asking, left, &n);
        done += n;
        left = n > 0 && n < left ? left - n : 0;
    }
    if (result == 0)
        printf("%" PRIu64 " of %s ready again\n", done, options->values[0]);
    return result;
}

static int run_kick(const struct command_env *env, int argc, char **argv)
{
    return run(env, argc, argv, 1, 2, kick);
}

const struct command command_kick = {
    .name = "kick",
    .usage = "kick QUEUE [N] [--state DIR]",
    .doc = "has buried jobs done after all, all of them or the N that were buried first",
    .run = run_kick,
};

static int bury(struct asking *asking)
{
    uint64_t id = 0, priority = 0;
    int result = check_id(asking, asking->options.values[0], &id);
    if (result == 0)
        result = ask_for(asking, "OK", NO_BODY, "stats-job %" PRIu64, id);
    if (result == 0)
        (void)slice_to_u64(value_of(text_slice(&asking->link.body), "pri"), &priority);
    if (result == 0)
        result = ask_for(asking, "RESERVED", NO_BODY, "reserve-job %" PRIu64, id);
    if (result == 0)
        result = ask_for(asking, "BURIED", NO_BODY, "bury %" PRIu64 " %" PRIu64, id, priority);
    return result;
}

static int run_bury(const struct command_env *env, int argc, char **argv)
{
    return run(env, argc, argv, 1, 1, bury);
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
    if (result == 0)
        result = ask_for(asking, "DELETED", NO_BODY, "delete %" PRIu64, id);
    return result;
}

static int run_delete(const struct command_env *env, int argc, char **argv)
{
    return run(env, argc, argv, 1, 1, delete_job);
}

const struct command command_delete = {
    .name = "delete",
    .usage = "delete ID [--state DIR]",
    .doc = "deletes a job that no worker has",
    .run = run_delete,
};

static int pause_queue(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    uint32_t seconds = UINT32_MAX;
    int result = check_queue(asking, options->values[0]);
    if (result == 0 && strcmp(options->values[1], "off") == 0)
        seconds = 0;
    else if (result == 0)
        result = check_time(asking, options->values[1], &seconds);
    if (result == 0)
        result =
            ask_for(asking, "PAUSED", NO_BODY, "pause-tube %s %u", options->values[0], seconds);
    return result;
}

static int run_pause(const struct command_env *env, int argc, char **argv)
{
    return run(env, argc, argv, 2, 2, pause_queue);
}

const struct command command_pause = {
    .name = "pause",
    .usage = "pause QUEUE TIME|off [--state DIR]",
    .doc = "gives no job of a queue to workers for a time, or does so again",
    .run = run_pause,
};
