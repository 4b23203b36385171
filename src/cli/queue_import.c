/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir queue import: lines (cli/job_line.h), or the binlog of a beanstalkd, as jobs.
 */

#include "cli/asking.h"
#include "cli/binlog_dir.h"
#include "cli/cli.h"
#include "cli/job_line.h"
#include "cli/queue_verbs.h"
#include "core/loop.h"

#include "base/ascii.h"
#include "base/mem.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    ERROR_TEXT_MAX = 160, /* bytes, which a line of the protocol has room for */
    TOLD_MAX = 10,        /* jobs that are told one by one */
    OPTIONS_MAX = JOBPROTO_LINE_MAX - sizeof("put-opts key=\r\n") - 1,
};

#define NS_PER_S INT64_C(1000000000)

struct import {
    struct asking *asking;
    const char *path;
    struct text used; /* the queue that the connection uses */
    size_t number;    /* of the line */
    size_t n_put, n_there;
};

/* ---- a job ----------------------------------------------------------------------------------- */

static uint32_t at_most(uint32_t value, uint32_t max)
{
    return value < max ? value : max;
}

/* All but the key. */
static void write_options(const struct job_line *line, struct text *out)
{
    uint32_t attempts = at_most(line->attempts, UINT16_MAX);
    bool is_done = slice_is(line->state, "done");
    if (is_done || slice_is(line->state, "buried"))
        text_printf(out, " state=%s", is_done ? "done" : "buried");
    if (line->not_before_s > 0)
        text_printf(out, " not-before=%" PRIu64, line->not_before_s);
    if (line->expires_s != JOB_LINE_NOT_SAID)
        text_printf(out, " expires=%" PRIu64, line->expires_s);
    if (line->created_s > 0)
        text_printf(out, " created=%" PRIu64, line->created_s);
    if (attempts > 0)
        text_printf(out, " tried=%u", attempts);
    if (line->attempts_max > 0)
        text_printf(out, " attempts=%u", line->attempts_max);
    if (line->keep_s > 0)
        text_printf(out, " result=%u", line->keep_s);
    for (int i = 0; i < JOBPROTO_N_COUNTS; i++)
        text_printf(out, "%s%u", i > 0 ? "," : " counts=", at_most(line->counts[i], UINT16_MAX));
}

static int put_error(struct asking *asking, const struct job_line *line)
{
    struct slice kind = line->error.len > 0 ? line->error : SLICE("permanent");
    struct text text = TEXT_NONE;
    text_append(&text, line->error_text);
    text.len = text.len < ERROR_TEXT_MAX ? text.len : ERROR_TEXT_MAX;
    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_control(text.ptr[i]))
            text.ptr[i] = ' ';
    int result = asking_for(asking, "OPTIONS", ASKING_NO_BODY, "put-error %.*s %.*s",
                            SLICE_ARG(kind), SLICE_ARG(text_slice(&text)));
    text_deinit(&text);
    return result;
}

/* What is said of it before the put. */
static int put_options(struct asking *asking, const struct job_line *line)
{
    struct text options = TEXT_NONE;
    int result = 0;
    write_options(line, &options);
    bool is_long = options.len + line->key.len > OPTIONS_MAX;
    if (line->key.len > 0 && !is_long)
        text_printf(&options, " key=%.*s", SLICE_ARG(line->key));
    if (line->key.len > 0 && is_long) /* the two have not room in one line */
        result = asking_for(asking, "OPTIONS", ASKING_NO_BODY, "put-opts key=%.*s",
                            SLICE_ARG(line->key));
    if (result == 0)
        result = asking_for(asking, "OPTIONS", ASKING_NO_BODY, "put-opts%s", text_cstr(&options));
    if (result == 0 && (line->error.len > 0 || line->error_text.len > 0))
        result = put_error(asking, line);
    if (result == 0 && line->result.len > 0)
        result = asking_for(asking, "OPTIONS", line->result, "put-result %zu", line->result.len);
    text_deinit(&options);
    return result;
}

/* A job there has the unique key of this one, which has to be known: it may be another. */
static void tell_there(struct import *import, const struct job_line *line)
{
    const char *id = strchr(text_cstr(&import->asking->link.line), ' ');
    if (import->n_there++ < TOLD_MAX)
        fprintf(stderr, "weir queue: %s:%zu: not put: job%s of %.*s has its key, %.*s\n",
                import->path, import->number, id ? id : "", SLICE_ARG(line->queue),
                SLICE_ARG(line->key));
}

static int put_line(struct import *import, const struct job_line *line)
{
    struct asking *asking = import->asking;
    struct slice body = slice_is(line->state, "done") ? SLICE("") : line->body;
    struct text put = TEXT_NONE;
    int result = 0;
    if (!slice_equal(text_slice(&import->used), line->queue)) {
        text_clear(&import->used);
        text_append(&import->used, line->queue);
        result = asking_use(asking, text_cstr(&import->used));
    }
    if (result == 0)
        result = put_options(asking, line);
    if (result != 0)
        return result;
    text_printf(&put, "put %u %u %u %zu", line->priority, line->delay_s, line->ttr_s, body.len);
    result = queue_link_ask(&asking->link, text_cstr(&put), body, &asking->err);
    text_deinit(&put);
    if (result < 0)
        return asking_failed(asking);
    if (queue_link_is(&asking->link, "EXISTS")) {
        tell_there(import, line);
        return 0;
    }
    if (!queue_link_is(&asking->link, "INSERTED"))
        return asking_refused(asking);
    import->n_put++;
    return 0;
}

static int end_import(const struct import *import)
{
    printf("%zu jobs\n", import->n_put);
    if (import->n_there == 0)
        return 0;
    fprintf(stderr, "weir queue: %zu jobs were not put, because jobs there have their keys\n",
            import->n_there);
    return EXIT_FAILURE;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static int put_bytes(struct import *import, struct slice bytes)
{
    struct job_line line;
    if (job_line_read(bytes, &line, &import->asking->err) < 0)
        return asking_failed(import->asking);
    int result = put_line(import, &line);
    job_line_deinit(&line);
    return result;
}

static int import_lines(struct import *import, FILE *file)
{
    char *bytes = NULL;
    size_t cap = 0;
    ssize_t n;
    int result = 0;
    while (result == 0 && (n = getline(&bytes, &cap, file)) > 0) {
        struct slice line = slice_make(bytes, (size_t)n - (bytes[n - 1] == '\n'));
        import->number++;
        if (line.len > 0)
            result = put_bytes(import, line);
    }
    if (result == 0 && ferror(file)) {
        err_set_errno(&import->asking->err, errno, "cannot read %s", import->path);
        result = asking_failed(import->asking);
    }
    free(bytes);
    if (result == 0)
        return end_import(import);
    fprintf(stderr, "weir queue: %s:%zu: the %zu jobs before this line are put, others are not\n",
            import->path, import->number, import->n_put);
    return result;
}

/* ---- a binlog -------------------------------------------------------------------------------- */

/* Whole seconds, at least `min`, as many as the protocol can say. */
static uint32_t seconds(int64_t ns, uint32_t min)
{
    int64_t s = ns > 0 ? ns / NS_PER_S + (ns % NS_PER_S > 0) : 0;
    s = s < UINT32_MAX ? s : UINT32_MAX;
    return s > min ? (uint32_t)s : min;
}

/* beanstalkd counts no attempts: all reservations are, until somebody kicked the job. */
static struct job_line line_of(const struct binlog_record *job, int64_t now_ns)
{
    bool is_delayed = job->state == BINLOG_DELAYED && job->deadline_ns > now_ns;
    return (struct job_line){
        .queue = job->tube,
        .id = job->id,
        .state = job->state == BINLOG_BURIED ? SLICE("buried") : SLICE("ready"),
        .priority = job->priority,
        .delay_s = is_delayed ? seconds(job->deadline_ns - now_ns, 0) : 0,
        .ttr_s = seconds(job->ttr_ns, 1),
        .attempts = job->n_kicks > 0 ? 0 : job->n_reserves,
        .expires_s = JOB_LINE_NOT_SAID,
        .created_s = seconds(job->created_ns, 0),
        .counts = {job->n_reserves, job->n_timeouts, job->n_releases, job->n_buries, job->n_kicks},
        .body = job->body,
    };
}

static int import_jobs(struct import *import, const struct binlog_dir *dir)
{
    int64_t now_ns = (int64_t)loop_clock_wall_ns();
    int result = 0;
    while (import->n_put < dir->n_jobs && result == 0) {
        struct job_line line = line_of(dir->jobs[import->n_put], now_ns);
        result = put_line(import, &line);
    }
    if (dir->n_torn > 0)
        fprintf(stderr, "weir queue: %s: a record that was never whole was left out\n",
                import->path);
    if (result == 0)
        return end_import(import);
    fprintf(stderr, "weir queue: %s: the %zu jobs below id %" PRIu64 " are put, others are not\n",
            import->path, import->n_put, dir->jobs[import->n_put]->id);
    return result;
}

static int import_binlog(struct import *import)
{
    struct binlog_dir dir;
    int result = 0;
    if (binlog_dir_open(import->path, &dir, &import->asking->err) < 0)
        result = asking_failed(import->asking);
    else
        result = import_jobs(import, &dir);
    binlog_dir_close(&dir);
    return result;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* path NULL: standard input. */
static int import_path(struct import *import, const char *path)
{
    struct stat found;
    if (path && stat(path, &found) == 0 && S_ISDIR(found.st_mode))
        return import_binlog(import);
    FILE *file = path ? fopen(path, "re") : stdin;
    if (!file) {
        err_set_errno(&import->asking->err, errno, "cannot open %s", path);
        return asking_failed(import->asking);
    }
    int result = import_lines(import, file);
    if (path)
        fclose(file);
    return result;
}

static int run(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    const char *path = options->n_values > 1 ? options->values[1] : NULL;
    struct import import = {.asking = asking, .path = path ? path : "standard input"};
    int result = import_path(&import, path);
    text_deinit(&import.used);
    return result;
}

int queue_import(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, 0, 1, 2, run);
}
