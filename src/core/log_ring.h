/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOG_RING_H
#define CORE_LOG_RING_H

/*
 * How a thread's log ring lies in memory, for log.c that writes and log_drain.c that reads. A
 * process has LOG_RINGS_MAX of them side by side in one memfd, each on pages of its own; pages come
 * when they are touched.
 *
 *     | head, n_dropped | tail | opened | LOG_RING_BYTES of records |
 *        the thread's     the drainer's
 *
 * A record is a header and its bytes, padded to 8, and never wraps: where the rest of the ring is
 * too short, a filler takes it. Head and tail count bytes from the start of time.
 *
 * Most processes have a thread or two. The first ring says which rings were ever opened, so that
 * the drainer touches no page of the others; where it says none, the process is of an age that did
 * not, and all are looked at.
 *
 *     | struct log_record | text | key NUL value NUL ... |
 *
 * A key that begins with # has a number for its value.
 */

#include "core/log.h"
#include <stdatomic.h>
#include <stdint.h>

enum {
    LOG_FILLER = 0xff,    /* instead of a level */
    LOG_BYTES_MAX = 8192, /* of a record, behind the header */
    LOG_OPENED_WORDS = (LOG_RINGS_MAX + 63) / 64,
};

struct log_record {
    uint32_t size; /* with this header and the padding */
    uint8_t level;
    uint8_t n_fields;
    uint16_t text_len;
    uint64_t wall_ns;
};

struct log_ring {
    _Alignas(4096) _Atomic uint64_t head;                   /* written by the thread */
    _Atomic uint64_t n_dropped;                             /* written by the thread */
    _Alignas(64) _Atomic uint64_t tail;                     /* written by the drainer */
    _Alignas(64) _Atomic uint64_t opened[LOG_OPENED_WORDS]; /* of the first ring; bit r: ring r */
    _Alignas(4096) char bytes[LOG_RING_BYTES];
};

/*
 * A whole line, with its newline, in the given format. `fields` are the pairs as they lie in a
 * record.
 */
void log_format_line(struct text *out, enum log_format format, const char *process,
                     const struct log_record *record, const char *text, const char *fields);

#endif
