/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The field of asynchronous routes.
 */

#include "wire/jobasync.h"

#include "base/mem.h"
#include <assert.h>
#include <stdio.h>

enum part { PART_QUEUE, PART_MODE, PART_CREDENTIALS, PART_ID, PART_PATH, N_PARTS };

static const char *const part_names[N_PARTS] = {"queue", "mode", "credentials", "id", "path"};
static const char *const mode_names[] = {"always", "prefer", "overflow"};

static bool is_id(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') ||
              (text.ptr[i] >= 'a' && text.ptr[i] <= 'f')))
            return false;
    return text.len == JOBASYNC_ID_CHARS;
}

const char *jobasync_mode_name(enum jobasync_mode mode)
{
    return mode_names[mode];
}

size_t jobasync_write(const struct jobasync *async, char *out, size_t cap)
{
    int n;
    if (async->kind == JOBASYNC_JOB)
        n = snprintf(out, cap, JOBASYNC_FIELD ": job; path=%.*s\r\n", SLICE_ARG(async->path));
    else
        n = snprintf(
            out, cap,
            JOBASYNC_FIELD ": put; queue=%.*s; mode=%s; credentials=%s; id=%.*s; path=%.*s\r\n",
            SLICE_ARG(async->queue), mode_names[async->mode],
            async->has_credentials ? "keep" : "drop", SLICE_ARG(async->id), SLICE_ARG(async->path));
    assert(n > 0 && (size_t)n < cap);
    return (size_t)n;
}

/* Its place among n names, or -1. */
static int place(struct slice text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(text, names[i]))
            return (int)i;
    return -1;
}

static bool is_path(struct slice text)
{
    return text.len > 1 && text.ptr[0] == '/' && text.ptr[text.len - 1] != '/';
}

static int set_part(struct jobasync *async, enum part part, struct slice value)
{
    int mode;
    switch (part) {
    case PART_QUEUE:
        async->queue = value;
        return value.len > 0 ? 0 : -1;
    case PART_MODE:
        mode = place(value, mode_names, ARRAY_LEN(mode_names));
        async->mode = mode < 0 ? JOBASYNC_ALWAYS : (enum jobasync_mode)mode;
        return mode < 0 ? -1 : 0;
    case PART_CREDENTIALS:
        async->has_credentials = slice_is(value, "keep");
        return async->has_credentials || slice_is(value, "drop") ? 0 : -1;
    case PART_ID:
        async->id = value;
        return is_id(value) ? 0 : -1;
    case PART_PATH:
        async->path = value;
        return is_path(value) ? 0 : -1;
    case N_PARTS:
        break;
    }
    return -1;
}

static int read_part(struct jobasync *async, struct slice text, unsigned *seen)
{
    struct slice value = text;
    struct slice name = slice_cut(&value, '=');
    int part = place(name, part_names, N_PARTS);
    if (part < 0 || !value.ptr || *seen & 1u << part)
        return -1;
    *seen |= 1u << part;
    return set_part(async, (enum part)part, value);
}

int jobasync_read(struct slice value, struct jobasync *ret_async)
{
    struct slice rest = value;
    struct slice word = slice_trim(slice_cut(&rest, ';'));
    struct jobasync async = {.kind = JOBASYNC_PUT};
    unsigned seen = 0, wanted = (1u << N_PARTS) - 1;
    if (slice_is(word, "job")) {
        async.kind = JOBASYNC_JOB;
        wanted = 1u << PART_PATH;
    } else if (!slice_is(word, "put")) {
        return -1;
    }
    while (rest.ptr)
        if (read_part(&async, slice_trim(slice_cut(&rest, ';')), &seen) < 0)
            return -1;
    if (seen != wanted)
        return -1;
    *ret_async = async;
    return 0;
}

int jobasync_read_path(struct slice path, struct slice prefix, struct slice *ret_token,
                       bool *ret_is_response)
{
    if (!slice_starts(path, prefix))
        return -1;
    struct slice rest = slice_skip(path, prefix.len);
    if (rest.len <= JOBASYNC_TOKEN_CHARS || rest.ptr[0] != '/')
        return -1;
    struct slice behind = slice_skip(rest, 1 + JOBASYNC_TOKEN_CHARS);
    if (behind.len > 0 && !slice_is(behind, "/response"))
        return -1;
    *ret_token = slice_make(rest.ptr + 1, JOBASYNC_TOKEN_CHARS);
    *ret_is_response = behind.len > 0;
    return 0;
}
