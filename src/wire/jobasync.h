/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JOBASYNC_H
#define WIRE_JOBASYNC_H

/*
 * What the edge says to the queue of a request of an asynchronous route, in one field:
 *
 *     Weir-Async: put; queue=reports; mode=always; credentials=drop; id=0123...; path=/jobs
 *     Weir-Async: job; path=/jobs
 *
 * and what the path of a request for a job says:
 *
 *     /jobs/TOKEN              its state
 *     /jobs/TOKEN/response     what the member answered
 *
 * The word comes first, then each part once, in any order; a part that is not known is refused, for
 * both sides are of one build. No sockets, no clock.
 */

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>

#define JOBASYNC_FIELD "Weir-Async"

enum { JOBASYNC_ID_CHARS = 32, JOBASYNC_TOKEN_CHARS = 32 };

enum jobasync_kind { JOBASYNC_PUT, JOBASYNC_JOB };

/* Why the request came. */
enum jobasync_mode {
    JOBASYNC_ALWAYS,   /* the route answers nothing else */
    JOBASYNC_PREFER,   /* the client prefers it */
    JOBASYNC_OVERFLOW, /* no member had room */
};

/* Slices lie in the value. */
struct jobasync {
    enum jobasync_kind kind;
    struct slice path; /* "/jobs": begins with a slash and does not end with one */
    /* PUT */
    enum jobasync_mode mode;
    bool has_credentials; /* they are stored */
    struct slice queue;   /* not empty */
    struct slice id;      /* JOBASYNC_ID_CHARS hexadecimal digits, lower case */
};

/* "always". */
const char *jobasync_mode_name(enum jobasync_mode mode);
/* "Weir-Async: put; queue=reports; ...\r\n" into `cap` bytes, where it must fit: its length. */
size_t jobasync_write(const struct jobasync *async, char *out, size_t cap);
/* 0 and *ret_async; -1: it is no such value. */
int jobasync_read(struct slice value, struct jobasync *ret_async);

/* The token in the path of a request for a job. 0 and *ret_token, *ret_is_response; -1. */
int jobasync_read_path(struct slice path, struct slice prefix, struct slice *ret_token,
                       bool *ret_is_response);

#endif
