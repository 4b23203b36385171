/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A job and its program: what it reads, its environment, its start, and what is said of its end.
 */

#include "worker/internal.h"

#include "base/mem.h"
#include "worker/launch.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

enum { OUTPUT_LOGGED = 400, LINE_MAX_BYTES = 160 };

/* ---- the job --------------------------------------------------------------------------------- */

static void keep_none(struct hand *hand, const char *what)
{
    text_clear(&hand->why);
    text_printf(&hand->why, "%s: %s", what, strerror(errno));
    if (hand->body_fd >= 0)
        close(hand->body_fd);
    hand->body_fd = -1;
}

void hand_keep(struct hand *hand, struct slice part)
{
    if (hand->is_served) {
        text_append(&hand->body, part);
        return;
    }
    if (hand->why.len > 0)
        return;
    if (hand->body_fd < 0)
        hand->body_fd = memfd_create("job", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (hand->body_fd < 0) {
        keep_none(hand, "no memory for the job");
        return;
    }
    while (part.len > 0) {
        ssize_t n = write(hand->body_fd, part.ptr, part.len);
        if (n < 0 && errno != EINTR) {
            keep_none(hand, "no memory for the job");
            return;
        }
        part = slice_skip(part, n > 0 ? (size_t)n : 0);
    }
}

/* ---- its program ----------------------------------------------------------------------------- */

static void on_end(void *ctx, const struct program_result *result);

static void start(struct hand *hand)
{
    char id[32], attempt[32];
    const struct launch_var vars[] = {{"WEIR_JOB_ID", id}, {"WEIR_JOB_ATTEMPT", attempt}};
    const struct launch what = {
        .input_fd = hand->body_fd,
        .timeout_ns = (uint64_t)hand->crew->conf->timeout_ms * NS_PER_MS,
        .tail = &hand->tail,
        .vars = vars,
        .n_vars = ARRAY_LEN(vars),
        .tube = hand->tube,
    };
    snprintf(id, sizeof(id), "%" PRIu64, hand->id);
    snprintf(attempt, sizeof(attempt), "%" PRIu64, hand->attempt);
    hand->started_ns = loop_clock_ns();
    hand->run = launch(hand->crew, &what, on_end, hand);
}

/* There is no memory for the job, or nobody to do it any more. */
static bool is_hopeless(struct hand *hand)
{
    const struct crew *crew = hand->crew;
    if (hand->why.len > 0)
        crew_on_trouble(hand->crew, text_cstr(&hand->why));
    if (hand->why.len > 0 || crew->shop->is_draining)
        return true;
    return hand->is_served ? !hand->servant : !crew->conf->exec;
}

void hand_begin(struct hand *hand)
{
    if (hand->body_fd >= 0) {
        (void)fcntl(hand->body_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
        (void)lseek(hand->body_fd, 0, SEEK_SET);
    }
    if (is_hopeless(hand)) {
        hand->fate = JOB_BACK;
        hand_on_program_end(hand);
        return;
    }
    if (hand->is_served) {
        hand_begin_served(hand);
        return;
    }
    tail_init(&hand->tail, (size_t)hand->crew->conf->output_bytes);
    hand->state = HAND_WORKING;
    start(hand);
    close(hand->body_fd);
    hand->body_fd = -1;
}

/* ---- its end --------------------------------------------------------------------------------- */

/* The end of what it printed as one line. */
static void show_output(const struct tail *output, struct text *out)
{
    tail_append(output, OUTPUT_LOGGED, out);
    for (size_t i = 0; i < out->len; i++)
        if ((unsigned char)out->ptr[i] < ' ' || (unsigned char)out->ptr[i] > '~')
            out->ptr[i] = ' ';
}

void hand_log(const struct hand *hand, const struct tail *printed)
{
    struct text output = TEXT_NONE, id = TEXT_NONE, attempt = TEXT_NONE;
    struct log *log = process_log(hand->crew->shop->loop);
    bool is_fine = hand->fate == JOB_DONE || hand->fate == JOB_BACK;
    enum log_level level = is_fine ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
    if (!log_is_on(log, level))
        return;
    show_output(printed, &output);
    text_printf(&id, "%" PRIu64, hand->id);
    text_printf(&attempt, "%" PRIu64, hand->attempt);
    const struct log_field fields[] = {
        {"worker", hand->crew->name},      {"queue", hand->tube},          {"#job", text_cstr(&id)},
        {"#attempt", text_cstr(&attempt)}, {"output", text_cstr(&output)},
    };
    log_fields(log, level, fields, ARRAY_LEN(fields), "job %s of queue %s: %s: %s", text_cstr(&id),
               hand->tube, hand->is_given_up ? "lost" : job_fate_name(hand->fate),
               text_cstr(&hand->why));
    text_deinit(&output);
    text_deinit(&id);
    text_deinit(&attempt);
}

static void describe(struct hand *hand, const struct program_result *result)
{
    char line[LINE_MAX_BYTES];
    text_clear(&hand->why);
    program_describe(result, hand->crew->conf->timeout_ms, &hand->why);
    tail_last_line(&hand->tail, line, sizeof(line));
    if (line[0] && hand->fate != JOB_DONE)
        text_printf(&hand->why, ": %s", line);
}

static void count_end(const struct hand *hand, const struct program_result *result)
{
    if (result->outcome == PROGRAM_NOT_STARTED)
        crew_count(hand->crew, WORKER_NOT_STARTED);
    if (result->outcome == PROGRAM_LATE)
        crew_count(hand->crew, WORKER_LATE);
    if (run_was_killed(hand->run))
        crew_count(hand->crew, WORKER_KILLED);
    if (result->overrun_bytes > 0)
        crew_count(hand->crew, WORKER_OVERRUN);
    if (hand->fate == JOB_DONE && hand->tail.n_total > hand->tail.len)
        crew_count(hand->crew, WORKER_CUT);
}

static void on_end(void *ctx, const struct program_result *result)
{
    struct hand *hand = ctx;
    uint64_t quick_ns = (uint64_t)hand->crew->conf->crashes.within_ms * NS_PER_MS;
    uint64_t lived_ns = loop_clock_ns() - hand->started_ns;
    bool was_told = hand->was_told || hand->is_given_up;
    hand->fate = job_fate(result, was_told);
    describe(hand, result);
    count_end(hand, result);
    hand_log(hand, &hand->tail);
    hand->run = NULL;
    orphans_look(hand->crew->shop->orphans);
    crew_on_end(hand->crew, job_end_crash(result, was_told, lived_ns, quick_ns),
                text_cstr(&hand->why));
    hand_on_program_end(hand);
}
