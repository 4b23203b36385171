/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JOBLINE_H
#define WIRE_JOBLINE_H

/*
 * Jobs as lines of JSON (RFC 8259), for a program that does one after the other
 * (docs/formats/serve-lines.md):
 *
 *     weir                                                                     the program
 *       | <----------------------------------------------------------- {"ready":true} |
 *       | {"id":7,"attempt":1,"queue":"mail","body":"hello"} -----------------------> |
 *       | <------------------------------------- {"id":7,"progress":50,"text":"half"} |
 *       | <------------------------------ {"id":7,"outcome":"done","result":"sent"}   |
 *
 * A line ends with LF; nothing in it but what is escaped can be one. What the program says is
 * judged strictly, so that a slip of the pen is told at once and by name: unknown keys, keys that
 * stand twice, values of another type and what does not belong together are refused.
 */

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

struct jobline_job {
    uint64_t id, attempt;
    struct slice queue;
    struct slice body;
    bool is_text; /* UTF-8 without NUL: it is written as `body`, else as `body_base64` */
};

enum jobline_kind { JOBLINE_READY, JOBLINE_PROGRESS, JOBLINE_ANSWER };

enum jobline_outcome { JOBLINE_DONE, JOBLINE_AGAIN, JOBLINE_BURY, JOBLINE_N_OUTCOMES };

struct jobline {
    enum jobline_kind kind;
    uint64_t id;                  /* of PROGRESS and ANSWER */
    uint32_t percent;             /* PROGRESS: 0..100 */
    enum jobline_outcome outcome; /* ANSWER */
    struct text bytes;            /* of DONE the result; else words for people; maybe empty */
};

/* Appends the line of a job, with its LF. */
void jobline_write(const struct jobline_job *job, struct text *out);
/* So many bytes has the line of an answer whose result has result_bytes, at the most. */
#define JOBLINE_MAX(result_bytes) ((size_t)(result_bytes)*6 + 4096)

/* Reads a line without its LF. 0 and *ret_line, for jobline_deinit(); or -1 with err. */
int jobline_read(struct slice bytes, struct jobline *ret_line, struct err *err);
void jobline_deinit(struct jobline *line);

#endif
