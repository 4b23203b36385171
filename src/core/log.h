/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

/*
 * Logging that never blocks a loop. A thread appends a record to its own ring in memory that it
 * shares with the supervisor; the supervisor's drainer thread makes text or JSON lines of it and
 * writes them to standard error. A full ring drops the record and counts it; the drainer says how
 * many were dropped as soon as there is room. What a process wrote before it died is still printed.
 *
 *     loop -> | record | record | free ...        one producer (head), one consumer (tail)
 *
 *     2026-11-24T03:02:11.123Z warn  health  member:web/app1 down: connection refused (shop.weir:9)
 *     {"time":"...","level":"warn","process":"health","text":"...","member":"web/app1"}
 *     2026-11-24T03:02:11.456Z access edge      listen=shop client=192.0.2.7 status=200 ...
 *
 * The head and the bytes are written by the thread alone; the tail by the drainer alone. A thread
 * that dies half way through a record has not moved the head, so the half is never read.
 *
 * Without a ring (the command line, tests, a process that has not got it yet) lines go straight to
 * standard error.
 */

#include "base/err.h"
#include "base/text.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_ACCESS, /* a line of an access log: written whatever `log level` says */
    LOG_LEVEL_N
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum {
    LOG_RING_BYTES = 256 * 1024, /* a thread; a power of two */
    LOG_RINGS_MAX = 65,          /* a process: its loops and one for its helper threads */
    LOG_TEXT_MAX = 1024,         /* a longer sentence is cut, and shows it by "..." */
    LOG_FIELDS_MAX = 32,
};

/* How rings and records lie in memory: goes up with every change, for another build cannot read
 * them then. */
#define LOG_LAYOUT "1"

struct log_field {
    const char *key; /* a literal; behind a # stands one whose value JSON shows as a number */
    const char *value;
};

struct log; /* one thread's writing end */

/* --- writing ---------------------------------------------------------------------------------- */

/*
 * `log` may be NULL: standard error, text. The sentence names what, where, why, what would be
 * right.
 */
void log_write(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with fields, which JSON shows as members and text as key=value behind the sentence. */
void log_fields(struct log *log, enum log_level level, const struct log_field *fields,
                size_t n_fields, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A line of fields alone, at LOG_LEVEL_ACCESS. */
void log_access(struct log *log, const struct log_field *fields, size_t n_fields);
bool log_is_on(const struct log *log, enum log_level level);

/* --- the shared memory ------------------------------------------------------------------------ */

/*
 * A process's rings: a memfd made by the supervisor, with a bell (eventfd) that wakes the drainer.
 */
int log_memory_make(int *ret_fd, struct err *err);
/* In the process: the writing end of ring `index`, kept until the process ends. */
int log_open(int fd, int bell_fd, uint32_t index, enum log_level level, struct log **ret_log,
             struct err *err);
void log_close(struct log **log);
void log_set_level(struct log *log, enum log_level level);

/* --- the drainer (supervisor) ----------------------------------------------------------------- */

struct log_drain; /* a thread that owns the reading ends */
/* bell_fd: a nonblocking eventfd that stays the caller's, or -1: the drain makes its own. */
int log_drain_start(int out_fd, int bell_fd, enum log_format format, struct log_drain **ret_drain,
                    struct err *err);
/*
 * Adds a process's rings; `name` is what lines show. The memory is kept open until the drain stops.
 * bell_fd: what the process rings, and nobody else reads; -1: the bell of the drain.
 */
int log_drain_add(struct log_drain *drain, const char *name, int memory_fd, int bell_fd,
                  struct err *err);
int log_drain_bell(const struct log_drain *drain);
void log_drain_set_format(struct log_drain *drain, enum log_format format);
/* Writes what is left, then ends the thread; gives up on a blocked output after max_wait_ms. */
void log_drain_stop(struct log_drain **drain, int max_wait_ms);
/* Records dropped since the start, all processes. */
uint64_t log_drain_dropped(const struct log_drain *drain);

#endif
