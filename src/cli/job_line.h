/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JOB_LINE_H
#define CLI_JOB_LINE_H

/*
 * A job as a line of JSON, which is what `weir queue export` writes and `weir queue import` reads:
 *
 *     {"queue":"mail","id":7,"state":"buried","priority":0,"ttr":60,"attempts":2,
 *      "created":1795795200,"expires":0,"reserves":2,"buries":1,"key":"mail-7",
 *      "error":"temporary","error_text":"no such user","body":"hello"}
 *
 * A body or a result that is not UTF-8, or has a NUL, is `body_base64`, `result_base64` instead
 * (RFC 4648 section 4). Only the queue is needed, and a body where the job is not done; the others
 * have the values that `weir put` has, and a key that is not among these is a mistake. Times are
 * seconds since 1970 UTC, so that what is left of them is the same wherever and whenever a line is
 * read; a line of earlier versions has `delay`, what was left in seconds, and no `expires`, which
 * is the time to live of the queue.
 */

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include "wire/jobproto.h"
#include <jansson.h>
#include <stdint.h>

enum { JOB_LINE_PRIORITY = 1024, JOB_LINE_TTR_S = 60 };

#define JOB_LINE_NOT_SAID UINT64_MAX

struct job_line {
    struct slice queue; /* a valid name */
    uint64_t id;        /* where it was; nothing depends on it */
    struct slice state; /* "ready", "delayed", "reserved", "buried", "done" */
    uint32_t priority;
    uint32_t delay_s; /* that is left; never written */
    uint32_t ttr_s;   /* 1.. */
    uint32_t attempts;
    uint64_t not_before_s; /* 0: now, or by delay_s */
    uint64_t expires_s;    /* of its time to live, or of the result of what is done; 0: never;
                              JOB_LINE_NOT_SAID: as its queue says */
    uint64_t created_s;    /* 0: now */
    uint32_t attempts_max; /* 0: as its queue says */
    uint32_t keep_s;       /* of its result; 0: as its queue says */
    uint32_t counts[JOBPROTO_N_COUNTS];
    struct slice key;               /* unique; empty: none */
    struct slice error, error_text; /* empty: none */
    struct slice body;
    struct slice result;
    json_t *root;                    /* what was read; the slices lie in it, or in the bytes */
    char *body_bytes, *result_bytes; /* mem_alloc() */
};

/* Appends the line and its end. */
void job_line_write(const struct job_line *line, struct text *out);
/* A line without its end. 0 and *ret_line, which is for job_line_deinit(); or -1 with err. */
int job_line_read(struct slice bytes, struct job_line *ret_line, struct err *err);
void job_line_deinit(struct job_line *line);

#endif
