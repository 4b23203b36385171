/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir queue export: the jobs of a queue as lines (cli/job_line.h), and what no line can carry on
 * standard error.
 */

#include "cli/asking.h"
#include "cli/cli.h"
#include "cli/job_line.h"
#include "cli/job_list.h"
#include "cli/queue_verbs.h"
#include "queue/job.h"

#include "base/mem.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of how many jobs something stays here. */
struct left_here {
    size_t n_scheduled, n_tokens, n_callbacks, n_reserved, n_tried;
};

static bool has_key_of(const struct job_row *row, const char *start)
{
    return row->key && strncmp(row->key, start, strlen(start)) == 0;
}

/* The clock's, which nobody had yet: the schedule of a file puts it, and that one's alone. */
static bool waits_for_schedule(const struct job_row *row)
{
    return has_key_of(row, JOB_SCHEDULE_KEY) && strcmp(row->state, "delayed") == 0 &&
           row->counts[JOBPROTO_RESERVES] == 0;
}

static void count_left(const struct job_row *row, struct left_here *left)
{
    left->n_tokens += has_key_of(row, JOB_ASYNC_KEY);
    left->n_callbacks += has_key_of(row, JOB_CALLBACK_KEY);
    left->n_reserved += strcmp(row->state, "reserved") == 0;
    left->n_tried += row->n_attempts > 0 && strcmp(row->state, "done") != 0;
}

static void tell_left(const struct left_here *left)
{
    const struct {
        size_t n;
        const char *what;
    } rows[] = {
        {left->n_scheduled, "jobs of schedules wait for their time and are left out: the file of "
                            "the other weir has its own schedules"},
        {left->n_tokens, "jobs are of asynchronous routes: the /jobs/TOKEN that their clients have "
                         "names this node, and is unknown elsewhere"},
        {left->n_callbacks,
         "callbacks go without their unique key, which names a job of this node"},
        {left->n_reserved, "jobs are with a worker now, and are written as if it gave them back: "
                           "without lease and progress, the attempt counted"},
        {left->n_tried, "jobs were tried before: elsewhere they have other ids, so that whoever "
                        "drops repeats by Weir-Job-Id, Idempotency-Key or webhook-id takes them "
                        "for new ones"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].n > 0)
            fprintf(stderr, "weir queue: %zu %s\n", rows[i].n, rows[i].what);
}

static struct job_line line_of(const char *queue, const struct job_row *row)
{
    struct job_line line = {
        .queue = slice_from(queue),
        .id = row->id,
        .state = slice_from(row->state),
        .priority = (uint32_t)row->priority,
        .ttr_s = (uint32_t)row->ttr_s,
        .attempts = (uint32_t)row->n_attempts,
        .not_before_s = row->not_before_s,
        .expires_s = row->expires_s,
        .created_s = row->created_s,
        .attempts_max = (uint32_t)row->attempts_max,
        .keep_s = (uint32_t)row->result_s,
        .key = has_key_of(row, JOB_CALLBACK_KEY) ? SLICE("") : slice_from(row->key),
        .error = slice_from(row->error),
        .error_text = slice_from(row->text),
        .body = SLICE(""),
        .result = SLICE(""),
    };
    for (int i = 0; i < JOBPROTO_N_COUNTS; i++)
        line.counts[i] = (uint32_t)row->counts[i];
    return line;
}

/* 0 and the bytes; 1: where it is not there any more, it is done; an exit status is < 0 here. */
static int fetch(struct asking *asking, const char *verb, uint64_t id, struct text *ret_bytes)
{
    struct text command = TEXT_NONE;
    text_printf(&command, "%s %" PRIu64, verb, id);
    int result = queue_link_ask(&asking->link, text_cstr(&command), ASKING_NO_BODY, &asking->err);
    text_deinit(&command);
    if (result < 0)
        return -asking_failed(asking);
    if (queue_link_is(&asking->link, "NOT_FOUND"))
        return 1;
    if (!queue_link_is(&asking->link, "FOUND"))
        return -asking_refused(asking);
    text_append(ret_bytes, text_slice(&asking->link.body));
    return 0;
}

static int write_job(struct asking *asking, const char *queue, const struct job_row *row,
                     struct left_here *left)
{
    struct job_line line = line_of(queue, row);
    struct text body = TEXT_NONE, result = TEXT_NONE, out = TEXT_NONE;
    bool is_done = strcmp(row->state, "done") == 0;
    int rc = is_done ? 0 : fetch(asking, "peek", row->id, &body);
    if (rc == 0 && (is_done || row->result_bytes > 0))
        rc = fetch(asking, "result", row->id, &result);
    if (rc == 1 && !is_done && body.len > 0)
        rc = 0; /* it was kicked meanwhile, and so its last answer is gone */
    line.body = body.len > 0 ? text_slice(&body) : line.body;
    line.result = result.len > 0 ? text_slice(&result) : line.result;
    if (rc == 0) {
        job_line_write(&line, &out);
        fwrite(text_cstr(&out), 1, out.len, stdout);
        count_left(row, left);
    }
    text_deinit(&body);
    text_deinit(&result);
    text_deinit(&out);
    return rc < 0 ? -rc : 0;
}

/*
 * Ready ones twice: what a worker gave back meanwhile was reserved when they were listed first, and
 * no longer when those were. Done ones last, for none of them becomes anything else.
 */
static int list_all(struct asking *asking, struct job_list *list)
{
    static const char *const states[] = {"ready", "delayed", "buried", "reserved", "ready", "done"};
    int result = 0;
    for (size_t i = 0; i < ARRAY_LEN(states) && result == 0; i++)
        result = job_list_read(&asking->link, states[i], SIZE_MAX / 2, list, &asking->err);
    job_list_sort(list);
    if (result < 0)
        return asking_failed(asking);
    return result > 0 ? asking_refused(asking) : 0;
}

static int write_jobs(struct asking *asking, const char *queue, const struct job_list *list)
{
    struct left_here left = {.n_scheduled = 0};
    int result = 0;
    for (size_t i = 0; i < list->n_rows && result == 0; i++) {
        if (waits_for_schedule(&list->rows[i]))
            left.n_scheduled++;
        else
            result = write_job(asking, queue, &list->rows[i], &left);
    }
    if (result == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
        err_set_errno(&asking->err, errno, "cannot write the jobs");
        result = asking_failed(asking);
    }
    if (result == 0)
        tell_left(&left);
    return result;
}

static int export(struct asking *asking)
{
    struct job_list list = {.rows = NULL};
    if (asking->options.n_values < 2)
        return cli_wrong(asking->env, asking->name, "QUEUE is missing", "");
    const char *queue = asking->options.values[1];
    int result = asking_check_queue(asking, queue);
    if (result == 0)
        result = asking_figures(asking, queue);
    if (result == 0)
        result = asking_use(asking, queue);
    if (result == 0)
        result = list_all(asking, &list);
    if (result == 0)
        result = write_jobs(asking, queue, &list);
    job_list_deinit(&list);
    return result;
}

int queue_export(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, 0, 1, 2, export);
}
