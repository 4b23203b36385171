/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Callbacks as jobs: a head of a request and a document of JSON.
 */

#include "queue/callback.h"

#include "base/json.h"
#include "base/mem.h"
#include "conf/utf8.h"
#include "wire/jobhttp.h"
#include <assert.h>
#include <string.h>

enum { JSON_ESCAPE_BYTES = 6 }; /* that one byte becomes at most */

/* ---- what a member answered ------------------------------------------------------------------ */

/* Status 0: it is what a worker has said. */
static struct jobhttp_response read_result(struct slice result)
{
    struct jobhttp_response response;
    if (jobhttp_read_response(result, &response, NULL) > 0)
        return response;
    return (struct jobhttp_response){.type = SLICE(""), .body = result};
}

static void write_body(struct json *json, struct slice body)
{
    if (conf_utf8_is_text(body)) {
        json_key(json, "body");
        json_slice(json, body);
        return;
    }
    json_key(json, "body_base64");
    json_base64(json, body);
}

static void write_response(struct json *json, const struct callback_rule *rule, struct slice result)
{
    const struct jobhttp_response response = read_result(result);
    json_key(json, "response");
    json_object_begin(json);
    if (response.status > 0) {
        json_key(json, "status");
        json_uint(json, response.status);
    }
    if (response.type.len > 0 && response.type.len <= CALLBACK_PATH_MAX / 8) {
        json_key(json, "type");
        json_slice(json, response.type);
    }
    json_key(json, "body_bytes");
    json_uint(json, response.body.len);
    if (response.body.len <= rule->body_max)
        write_body(json, response.body);
    json_object_end(json);
}

/* ---- the job --------------------------------------------------------------------------------- */

static void number(struct json *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_uint(json, value);
}

static void write_document(const struct callback_rule *rule, const struct callback *what,
                           struct text *out)
{
    static const char *const states[CALLBACK_N_ENDS] = {"done", "dead"};
    struct json json;
    json_init(&json, out);
    json_object_begin(&json);
    json_key(&json, "queue");
    json_slice(&json, what->queue);
    number(&json, "id", what->id);
    json_key(&json, "state");
    json_cstr(&json, what->is_expired ? "expired" : states[what->end]);
    number(&json, "attempts", what->n_attempts);
    number(&json, "created", what->created_s);
    number(&json, "ended", what->ended_s);
    if (what->error) {
        json_key(&json, "error");
        json_cstr(&json, what->error);
        json_key(&json, "error_text");
        json_slice(&json, what->error_text);
    }
    if (what->result.len > 0)
        write_response(&json, rule, what->result);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(out, '\n');
}

void callback_write(const struct callback_rule *rule, const struct callback *what, struct text *out)
{
    struct slice path = what->path.len > 0 ? what->path : slice_from(rule->path);
    text_printf(out, JOBHTTP_REQUEST "POST %.*s HTTP/1.1\r\nHost: %s\r\n", SLICE_ARG(path),
                rule->host);
    text_append(out, SLICE("Content-Type: application/json\r\n\r\n"));
    write_document(rule, what, out);
}

size_t callback_bytes(const struct callback_rule *rule, size_t result_bytes)
{
    size_t told = result_bytes < rule->body_max ? result_bytes : rule->body_max;
    return CALLBACK_HEAD_BYTES + strlen(rule->path) + strlen(rule->host) + JSON_ESCAPE_BYTES * told;
}

/* ---- paths ----------------------------------------------------------------------------------- */

static bool is_visible(struct slice path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= ' ' || path.ptr[i] > '~' || path.ptr[i] == '#' || path.ptr[i] == '\\')
            return false;
    return true;
}

static struct slice before_query(struct slice path)
{
    size_t n = 0;
    while (n < path.len && path.ptr[n] != '?')
        n++;
    return slice_make(path.ptr, n);
}

static bool is_dots(struct slice segment)
{
    return slice_is(segment, "") || slice_is(segment, ".") || slice_is(segment, "..");
}

/* A segment that some receiver takes for another place: empty, dots, what a percent hides. */
static bool has_turns(struct slice path)
{
    size_t begin = 1;
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] == '%')
            return true;
        if (i < path.len && path.ptr[i] != '/')
            continue;
        bool is_last = i == path.len;
        struct slice segment = slice_make(path.ptr + begin, i - begin);
        if (is_dots(segment) && !(is_last && segment.len == 0))
            return true;
        begin = i + 1;
    }
    return false;
}

static bool is_below(struct slice path, struct slice top)
{
    while (top.len > 0 && top.ptr[top.len - 1] == '/')
        top.len--;
    return slice_starts(path, top) && (path.len == top.len || path.ptr[top.len] == '/');
}

const char *callback_refusal(struct slice path, struct slice below)
{
    if (path.len == 0 || path.ptr[0] != '/' || !is_visible(path))
        return "asks for a callback to what is no path";
    if (path.len > CALLBACK_PATH_MAX)
        return "asks for a callback to a path that is too long";
    struct slice place = before_query(path);
    if (has_turns(place) || !is_below(place, before_query(below)))
        return "asks for a callback to a path that is not below that of the callback's queue";
    return NULL;
}
