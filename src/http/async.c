/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which requests are done later, and what the queue is told of them.
 */

#include "http/async.h"

#include "base/ascii.h"
#include "wire/jobasync.h"
#include "wire/prefer.h"
#include <inttypes.h>
#include <stdio.h>

const char async_path_default[] = "/jobs";

const struct route async_job_route = {
    .at = "", .action = ROUTE_ASYNC, .priority = ROUTE_PRIORITY_NORMAL, .has_queue = true};

bool async_path_is_valid(struct slice path)
{
    if (path.len < 2 || path.len > ASYNC_PATH_MAX || path.ptr[0] != '/' ||
        path.ptr[path.len - 1] == '/')
        return false;
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= ' ' || path.ptr[i] > '~' || path.ptr[i] == '?' || path.ptr[i] == '#' ||
            path.ptr[i] == ';')
            return false;
    return true;
}

static enum jobasync_mode mode_told(enum async_mode mode)
{
    if (mode == ASYNC_OVERFLOW)
        return JOBASYNC_OVERFLOW;
    return mode == ASYNC_PREFER ? JOBASYNC_PREFER : JOBASYNC_ALWAYS;
}

const char *async_mode_name(enum async_mode mode)
{
    if (mode == ASYNC_NONE || mode == ASYNC_JOB)
        return mode == ASYNC_JOB ? "job" : "none";
    return jobasync_mode_name(mode_told(mode));
}

/* ---- which ones ---- */

/* Has its answer a use later? */
static bool is_work(const struct h1_head *head)
{
    return !head->is_websocket && head->method != H1_METHOD_HEAD &&
           head->method != H1_METHOD_OPTIONS && head->method != H1_METHOD_TRACE;
}

enum async_mode async_mode_of(const struct route *route, const struct h1_head *head,
                              const char *buf)
{
    struct prefer prefer;
    if (route == &async_job_route)
        return ASYNC_JOB;
    if (route->action == ROUTE_ASYNC)
        return ASYNC_ALWAYS;
    if (route->async_ref.name.len == 0 || !is_work(head))
        return ASYNC_NONE;
    prefer_read(head, buf, &prefer);
    return prefer.is_async ? ASYNC_PREFER : ASYNC_NONE;
}

uint32_t async_wait_s(const struct h1_head *head, const char *buf, uint32_t most)
{
    struct prefer prefer;
    prefer_read(head, buf, &prefer);
    return prefer.wait_s < most ? prefer.wait_s : most;
}

bool async_may_overflow(const struct route *route, const struct h1_head *head)
{
    bool is_long = head->body == H1_BODY_LENGTH && head->length > route->overflow_bytes;
    return route->overflow_ref.name.len > 0 && is_work(head) && !is_long;
}

static bool is_token_char(char c)
{
    return ascii_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
}

bool async_is_job(struct slice jobs_path, const struct h1_head *head, const char *buf)
{
    struct slice token;
    bool is_response;
    bool is_method = head->method == H1_METHOD_GET || head->method == H1_METHOD_HEAD ||
                     head->method == H1_METHOD_DELETE;
    if (!is_method ||
        jobasync_read_path(h1_slice(buf, head->path), jobs_path, &token, &is_response) < 0)
        return false;
    for (size_t i = 0; i < token.len; i++)
        if (!is_token_char(token.ptr[i]))
            return false;
    return true;
}

/* ---- what the queue is told ---- */

size_t async_line(const struct async_put *put, char out[ASYNC_LINE_MAX])
{
    char id[JOBASYNC_ID_CHARS + 1];
    snprintf(id, sizeof(id), "%016" PRIx64 "%016" PRIx64, put->id[0], put->id[1]);
    const struct jobasync async = {.kind = put->mode == ASYNC_JOB ? JOBASYNC_JOB : JOBASYNC_PUT,
                                   .path = put->jobs_path,
                                   .mode = mode_told(put->mode),
                                   .has_credentials = put->keeps_credentials,
                                   .queue = put->queue,
                                   .id = slice_from(id)};
    /* It fits: a name has 63 bytes at most, a path ASYNC_PATH_MAX. */
    return jobasync_write(&async, out, ASYNC_LINE_MAX);
}
