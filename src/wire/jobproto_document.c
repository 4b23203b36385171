/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replies that carry a YAML document. A document is a table: its keys in their order, what kind of
 * value, and where in the struct it lies. The line before it says its length, so it is put in front
 * when the document is there.
 */

#include "wire/jobproto_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum kind { NUMBER, WORD, QUOTED, SECONDS, TRUTH };

struct row {
    const char *key;
    enum kind kind;
    size_t offset;
};

enum { US_PER_S = 1000000 };

/* What would end the quotes is escaped; a line cannot end within them. */
static void append_quoted(struct text *out, struct slice value)
{
    text_append_char(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '"' || c == '\\')
            text_append_char(out, '\\');
        text_append_char(out, (unsigned char)c < ' ' ? ' ' : c);
    }
    text_append_char(out, '"');
}

static void append_value(struct text *out, enum kind kind, const void *value)
{
    uint64_t number;
    switch (kind) {
    case NUMBER:
        text_printf(out, "%" PRIu64, *(const uint64_t *)value);
        break;
    case WORD:
        text_append(out, *(const struct slice *)value);
        break;
    case QUOTED:
        append_quoted(out, *(const struct slice *)value);
        break;
    case SECONDS:
        number = *(const uint64_t *)value;
        text_printf(out, "%" PRIu64 ".%06u", number / US_PER_S, (unsigned)(number % US_PER_S));
        break;
    case TRUTH:
        text_append(out, *(const bool *)value ? SLICE("true") : SLICE("false"));
        break;
    }
}

/* Puts "OK N" before what was appended since `start`, and the end behind it. */
static void finish(struct text *out, size_t start)
{
    char line[JOBPROTO_OUT_MAX];
    size_t n_body = out->len - start;
    int n_line = snprintf(line, sizeof(line), "OK %zu\r\n", n_body);
    assert(n_line > 0 && (size_t)n_line < sizeof(line));
    text_pad(out, ' ', (size_t)n_line);
    memmove(out->ptr + start + n_line, out->ptr + start, n_body);
    memcpy(out->ptr + start, line, (size_t)n_line);
    text_append(out, SLICE("\r\n"));
}

static bool is_there(enum kind kind, const void *value)
{
    if (kind == NUMBER)
        return *(const uint64_t *)value > 0;
    return ((const struct slice *)value)->len > 0;
}

static void write_document(const struct row *rows, size_t n_rows, const void *stats,
                           struct text *out)
{
    size_t start = out->len;
    text_append(out, SLICE("---\n"));
    for (size_t i = 0; i < n_rows; i++) {
        text_printf(out, "%s: ", rows[i].key);
        append_value(out, rows[i].kind, (const char *)stats + rows[i].offset);
        text_append_char(out, '\n');
    }
    finish(out, start);
}

void jobproto_write_stats_job(const struct jobproto_stats_job *stats, struct text *out)
{
#define AT(member) offsetof(struct jobproto_stats_job, member)
    static const struct row rows[] = {
        {"id", NUMBER, AT(id)},
        {"tube", QUOTED, AT(tube)},
        {"state", WORD, AT(state)},
        {"pri", NUMBER, AT(priority)},
        {"age", NUMBER, AT(age_s)},
        {"delay", NUMBER, AT(delay_s)},
        {"ttr", NUMBER, AT(ttr_s)},
        {"time-left", NUMBER, AT(time_left_s)},
        {"file", NUMBER, AT(file)},
        {"reserves", NUMBER, AT(n_reserves)},
        {"timeouts", NUMBER, AT(n_timeouts)},
        {"releases", NUMBER, AT(n_releases)},
        {"buries", NUMBER, AT(n_buries)},
        {"kicks", NUMBER, AT(n_kicks)},
        {"attempts", NUMBER, AT(n_attempts)},
    };
#undef AT
    write_document(rows, sizeof(rows) / sizeof(rows[0]), stats, out);
}

void jobproto_write_stats_tube(const struct jobproto_stats_tube *stats, struct text *out)
{
#define AT(member) offsetof(struct jobproto_stats_tube, member)
    static const struct row rows[] = {
        {"name", QUOTED, AT(name)},
        {"current-jobs-urgent", NUMBER, AT(n_urgent)},
        {"current-jobs-ready", NUMBER, AT(n_ready)},
        {"current-jobs-reserved", NUMBER, AT(n_reserved)},
        {"current-jobs-delayed", NUMBER, AT(n_delayed)},
        {"current-jobs-buried", NUMBER, AT(n_buried)},
        {"total-jobs", NUMBER, AT(n_total_jobs)},
        {"current-using", NUMBER, AT(n_using)},
        {"current-watching", NUMBER, AT(n_watching)},
        {"current-waiting", NUMBER, AT(n_waiting)},
        {"cmd-delete", NUMBER, AT(n_deletes)},
        {"cmd-pause-tube", NUMBER, AT(n_pauses)},
        {"pause", NUMBER, AT(pause_s)},
        {"pause-time-left", NUMBER, AT(pause_left_s)},
        {"oldest-ready-ms", NUMBER, AT(oldest_ms)},
    };
#undef AT
    write_document(rows, sizeof(rows) / sizeof(rows[0]), stats, out);
}

void jobproto_write_stats(const struct jobproto_stats *stats, struct text *out)
{
#define AT(member)    offsetof(struct jobproto_stats, member)
#define COMMAND(verb) offsetof(struct jobproto_stats, n_commands[JOBPROTO_##verb])
    static const struct row rows[] = {
        {"current-jobs-urgent", NUMBER, AT(n_urgent)},
        {"current-jobs-ready", NUMBER, AT(n_ready)},
        {"current-jobs-reserved", NUMBER, AT(n_reserved)},
        {"current-jobs-delayed", NUMBER, AT(n_delayed)},
        {"current-jobs-buried", NUMBER, AT(n_buried)},
        {"cmd-put", NUMBER, COMMAND(PUT)},
        {"cmd-peek", NUMBER, COMMAND(PEEK)},
        {"cmd-peek-ready", NUMBER, COMMAND(PEEK_READY)},
        {"cmd-peek-delayed", NUMBER, COMMAND(PEEK_DELAYED)},
        {"cmd-peek-buried", NUMBER, COMMAND(PEEK_BURIED)},
        {"cmd-reserve", NUMBER, COMMAND(RESERVE)},
        {"cmd-reserve-with-timeout", NUMBER, COMMAND(RESERVE_TIMEOUT)},
        {"cmd-delete", NUMBER, COMMAND(DELETE)},
        {"cmd-release", NUMBER, COMMAND(RELEASE)},
        {"cmd-use", NUMBER, COMMAND(USE)},
        {"cmd-watch", NUMBER, COMMAND(WATCH)},
        {"cmd-ignore", NUMBER, COMMAND(IGNORE)},
        {"cmd-bury", NUMBER, COMMAND(BURY)},
        {"cmd-kick", NUMBER, COMMAND(KICK)},
        {"cmd-touch", NUMBER, COMMAND(TOUCH)},
        {"cmd-stats", NUMBER, COMMAND(STATS)},
        {"cmd-stats-job", NUMBER, COMMAND(STATS_JOB)},
        {"cmd-stats-tube", NUMBER, COMMAND(STATS_TUBE)},
        {"cmd-list-tubes", NUMBER, COMMAND(LIST_TUBES)},
        {"cmd-list-tube-used", NUMBER, COMMAND(LIST_TUBE_USED)},
        {"cmd-list-tubes-watched", NUMBER, COMMAND(LIST_TUBES_WATCHED)},
        {"cmd-pause-tube", NUMBER, COMMAND(PAUSE_TUBE)},
        {"job-timeouts", NUMBER, AT(n_timeouts)},
        {"total-jobs", NUMBER, AT(n_total_jobs)},
        {"max-job-size", NUMBER, AT(job_max_bytes)},
        {"current-tubes", NUMBER, AT(n_tubes)},
        {"current-connections", NUMBER, AT(n_conns)},
        {"current-producers", NUMBER, AT(n_producers)},
        {"current-workers", NUMBER, AT(n_workers)},
        {"current-waiting", NUMBER, AT(n_waiting)},
        {"total-connections", NUMBER, AT(n_total_conns)},
        {"pid", NUMBER, AT(pid)},
        {"version", QUOTED, AT(version)},
        {"rusage-utime", SECONDS, AT(user_us)},
        {"rusage-stime", SECONDS, AT(system_us)},
        {"uptime", NUMBER, AT(uptime_s)},
        {"binlog-oldest-index", NUMBER, AT(log_oldest)},
        {"binlog-current-index", NUMBER, AT(log_current)},
        {"binlog-records-migrated", NUMBER, AT(log_migrated)},
        {"binlog-records-written", NUMBER, AT(log_written)},
        {"binlog-max-size", NUMBER, AT(log_max_bytes)},
        {"draining", TRUTH, AT(is_draining)},
        {"id", WORD, AT(id)},
        {"hostname", QUOTED, AT(hostname)},
        {"os", QUOTED, AT(os)},
        {"platform", QUOTED, AT(platform)},
    };
#undef COMMAND
#undef AT
    write_document(rows, sizeof(rows) / sizeof(rows[0]), stats, out);
}

size_t jobproto_list_begin(struct text *out)
{
    size_t start = out->len;
    text_append(out, SLICE("---\n"));
    return start;
}

void jobproto_list_tube(struct text *out, struct slice tube)
{
    text_append(out, SLICE("- "));
    text_append(out, tube);
    text_append_char(out, '\n');
}

void jobproto_list_end(struct text *out, size_t start)
{
    finish(out, start);
}

size_t jobproto_jobs_begin(struct text *out, uint32_t next)
{
    size_t start = out->len;
    text_printf(out, "---\nnext: %" PRIu32 "\njobs:\n", next);
    return start;
}

void jobproto_jobs_add(struct text *out, const struct jobproto_listed_job *job)
{
#define AT(member) offsetof(struct jobproto_listed_job, member)
    /* What a worker says comes last, so that nothing in it is taken for another key. */
    static const struct row rows[] = {
        {"id", NUMBER, AT(id)},
        {"state", WORD, AT(state)},
        {"pri", NUMBER, AT(priority)},
        {"attempts", NUMBER, AT(n_attempts)},
        {"age", NUMBER, AT(age_s)},
        {"ttr", NUMBER, AT(ttr_s)},
        {"time-left", NUMBER, AT(time_left_s)},
        {"bytes", NUMBER, AT(body_bytes)},
        /* From here on only what there is. */
        {"created", NUMBER, AT(created_s)},
        {"not-before", NUMBER, AT(not_before_s)},
        {"expires", NUMBER, AT(expires_s)},
        {"attempts-max", NUMBER, AT(attempts_max)},
        {"keep", NUMBER, AT(result_s)},
        {"result-bytes", NUMBER, AT(result_bytes)},
        {"counts", WORD, AT(counts)},
        {"key", QUOTED, AT(key)},
        {"error", WORD, AT(error)},
        {"text", QUOTED, AT(error_text)},
    };
#undef AT
    enum { N_ROWS = sizeof(rows) / sizeof(rows[0]), N_ALWAYS = 8 };
    text_append(out, SLICE("- {"));
    for (size_t i = 0; i < N_ROWS; i++) {
        const void *value = (const char *)job + rows[i].offset;
        bool is_told =
            i < N_ALWAYS ||
            (&rows[i] == &rows[N_ROWS - 1] ? job->error.len > 0 : is_there(rows[i].kind, value));
        if (!is_told)
            continue;
        text_printf(out, "%s%s: ", i > 0 ? ", " : "", rows[i].key);
        append_value(out, rows[i].kind, value);
    }
    text_append(out, SLICE("}\n"));
}

void jobproto_write_show_job(const struct jobproto_shown_job *shown, struct text *out)
{
#define AT(member)     offsetof(struct jobproto_shown_job, member)
#define AT_JOB(member) AT(job.member)
    static const struct row rows[] = {
        {"id", NUMBER, AT_JOB(id)},
        {"tube", QUOTED, AT(tube)},
        {"state", WORD, AT_JOB(state)},
        {"pri", NUMBER, AT_JOB(priority)},
        {"attempts", NUMBER, AT_JOB(n_attempts)},
        {"age", NUMBER, AT_JOB(age_s)},
        {"ttr", NUMBER, AT_JOB(ttr_s)},
        {"time-left", NUMBER, AT_JOB(time_left_s)},
        {"bytes", NUMBER, AT_JOB(body_bytes)},
        /* From here on only what there is. */
        {"attempts-allowed", NUMBER, AT(attempts_allowed)},
        {"created", NUMBER, AT_JOB(created_s)},
        {"not-before", NUMBER, AT_JOB(not_before_s)},
        {"expires", NUMBER, AT_JOB(expires_s)},
        {"keep", NUMBER, AT_JOB(result_s)},
        {"result-bytes", NUMBER, AT_JOB(result_bytes)},
        {"counts", WORD, AT_JOB(counts)},
        {"key", QUOTED, AT_JOB(key)},
        {"percent", NUMBER, AT(percent)},
        {"progress", QUOTED, AT(progress)},
        {"error", WORD, AT_JOB(error)},
        {"text", QUOTED, AT_JOB(error_text)},
    };
#undef AT_JOB
#undef AT
    enum { N_ROWS = sizeof(rows) / sizeof(rows[0]), N_ALWAYS = 9 };
    size_t start = out->len;
    text_append(out, SLICE("---\n"));
    for (size_t i = 0; i < N_ROWS; i++) {
        const void *value = (const char *)shown + rows[i].offset;
        if (i >= N_ALWAYS && !is_there(rows[i].kind, value))
            continue;
        text_printf(out, "%s: ", rows[i].key);
        append_value(out, rows[i].kind, value);
        text_append_char(out, '\n');
    }
    finish(out, start);
}
