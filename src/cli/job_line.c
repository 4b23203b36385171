/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lines of jobs: written with base/json, read with jansson into the rows of a table of keys.
 */

#include "cli/job_line.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "conf/utf8.h"
#include "wire/jobproto.h"

#include <inttypes.h>
#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

static void write_number(struct json *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_uint(json, value);
}

static void write_text(struct json *json, const char *key, struct slice value)
{
    json_key(json, key);
    json_slice(json, value);
}

/* A number that not all jobs have. */
static void write_some(struct json *json, const char *key, uint64_t value)
{
    if (value > 0)
        write_number(json, key, value);
}

static void write_some_text(struct json *json, const char *key, struct slice value)
{
    if (value.len > 0)
        write_text(json, key, value);
}

static void write_bytes(struct json *json, const char *key, const char *key_base64,
                        struct slice bytes)
{
    if (conf_utf8_is_text(bytes)) {
        write_text(json, key, bytes);
        return;
    }
    json_key(json, key_base64);
    json_base64(json, bytes);
}

static const char *const count_keys[JOBPROTO_N_COUNTS] = {
    [JOBPROTO_RESERVES] = "reserves", [JOBPROTO_TIMEOUTS] = "timeouts",
    [JOBPROTO_RELEASES] = "releases", [JOBPROTO_BURIES] = "buries",
    [JOBPROTO_KICKS] = "kicks",
};

void job_line_write(const struct job_line *line, struct text *out)
{
    bool is_done = slice_is(line->state, "done");
    struct json json;
    json_init(&json, out);
    json_object_begin(&json);
    write_text(&json, "queue", line->queue);
    write_number(&json, "id", line->id);
    write_text(&json, "state", line->state);
    write_number(&json, "priority", line->priority);
    write_number(&json, "ttr", line->ttr_s);
    write_number(&json, "attempts", line->attempts);
    write_some(&json, "created", line->created_s);
    write_some(&json, "not_before", line->not_before_s);
    if (line->expires_s != JOB_LINE_NOT_SAID)
        write_number(&json, "expires", line->expires_s);
    write_some(&json, "attempts_max", line->attempts_max);
    write_some(&json, "keep", line->keep_s);
    for (int i = 0; i < JOBPROTO_N_COUNTS; i++)
        write_some(&json, count_keys[i], line->counts[i]);
    write_some_text(&json, "key", line->key);
    write_some_text(&json, "error", line->error);
    write_some_text(&json, "error_text", line->error_text);
    if (!is_done)
        write_bytes(&json, "body", "body_base64", line->body);
    if (is_done || line->result.len > 0)
        write_bytes(&json, "result", "result_base64", line->result);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(out, '\n');
}

/* ---- reading --------------------------------------------------------------------------------- */

enum kind { TEXT, NUMBER, NUMBER_64, BODY_BASE64, RESULT_BASE64 };

static const struct key {
    const char *name;
    enum kind kind;
    size_t offset;
} keys[] = {
    {"queue", TEXT, offsetof(struct job_line, queue)},
    {"id", NUMBER_64, offsetof(struct job_line, id)},
    {"state", TEXT, offsetof(struct job_line, state)},
    {"priority", NUMBER, offsetof(struct job_line, priority)},
    {"delay", NUMBER, offsetof(struct job_line, delay_s)},
    {"ttr", NUMBER, offsetof(struct job_line, ttr_s)},
    {"attempts", NUMBER, offsetof(struct job_line, attempts)},
    {"created", NUMBER_64, offsetof(struct job_line, created_s)},
    {"not_before", NUMBER_64, offsetof(struct job_line, not_before_s)},
    {"expires", NUMBER_64, offsetof(struct job_line, expires_s)},
    {"attempts_max", NUMBER, offsetof(struct job_line, attempts_max)},
    {"keep", NUMBER, offsetof(struct job_line, keep_s)},
    {"reserves", NUMBER, offsetof(struct job_line, counts[JOBPROTO_RESERVES])},
    {"timeouts", NUMBER, offsetof(struct job_line, counts[JOBPROTO_TIMEOUTS])},
    {"releases", NUMBER, offsetof(struct job_line, counts[JOBPROTO_RELEASES])},
    {"buries", NUMBER, offsetof(struct job_line, counts[JOBPROTO_BURIES])},
    {"kicks", NUMBER, offsetof(struct job_line, counts[JOBPROTO_KICKS])},
    {"key", TEXT, offsetof(struct job_line, key)},
    {"error", TEXT, offsetof(struct job_line, error)},
    {"error_text", TEXT, offsetof(struct job_line, error_text)},
    {"body", TEXT, offsetof(struct job_line, body)},
    {"body_base64", BODY_BASE64, 0},
    {"result", TEXT, offsetof(struct job_line, result)},
    {"result_base64", RESULT_BASE64, 0},
};

/* No value but one of mem_alloc() that *bytes has then. */
static int read_base64(struct slice text, char **bytes, struct slice *ret)
{
    if (!text.ptr)
        return -1;
    mem_free(*bytes);
    *bytes = mem_alloc(BASE64_BYTES(text.len) + 1);
    ssize_t n = base64_read_padded(text, *bytes, BASE64_BYTES(text.len));
    *ret = slice_make(*bytes, n < 0 ? 0 : (size_t)n);
    return n < 0 ? -1 : 0;
}

static int read_value(const struct key *key, const json_t *value, struct job_line *line)
{
    void *member = (char *)line + key->offset;
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    struct slice text = slice_make(json_string_value(value), json_string_length(value));
    switch (key->kind) {
    case TEXT:
        *(struct slice *)member = text;
        return text.ptr ? 0 : -1;
    case BODY_BASE64:
        return read_base64(text, &line->body_bytes, &line->body);
    case RESULT_BASE64:
        return read_base64(text, &line->result_bytes, &line->result);
    case NUMBER_64:
        *(uint64_t *)member = (uint64_t)number;
        return number < 0 ? -1 : 0;
    case NUMBER:
        *(uint32_t *)member = (uint32_t)number;
        return number < 0 || number > UINT32_MAX ? -1 : 0;
    }
    return -1;
}

static int read_member(const char *name, const json_t *value, struct job_line *line,
                       struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i].name, name) != 0)
            continue;
        if (read_value(&keys[i], value, line) < 0)
            return err_set(err, "no value for \"%s\"", name);
        return 0;
    }
    return err_set(err, "a job has no \"%s\"", name);
}

/* What goes into lines of the protocol. */
static int check_texts(const struct job_line *line, struct err *err)
{
    static const char *const errors[] = {"temporary", "permanent", "busy", "timeout", "lost"};
    bool is_error = line->error.len == 0;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        is_error |= slice_is(line->error, errors[i]);
    if (!is_error)
        return err_set(err, "\"error\" is temporary, permanent, busy, timeout or lost");
    for (size_t i = 0; i < line->key.len; i++)
        if (line->key.ptr[i] <= ' ' || line->key.ptr[i] > '~')
            return err_set(err, "\"key\" is visible ASCII");
    if (line->key.len > JOBPROTO_KEY_MAX)
        return err_set(err, "\"key\" has at most %d bytes", JOBPROTO_KEY_MAX);
    return 0;
}

static int check(const struct job_line *line, struct err *err)
{
    static const char *const states[] = {"ready", "delayed", "reserved", "buried", "done"};
    bool is_state = false, is_done = slice_is(line->state, "done");
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        is_state |= slice_is(line->state, states[i]);
    if (!jobproto_is_tube(line->queue))
        return err_set(err, "\"queue\" wants the name of one");
    if (!is_state)
        return err_set(err, "\"state\" is ready, delayed, reserved, buried or done");
    if (line->ttr_s == 0)
        return err_set(err, "\"ttr\" is at least 1");
    if (!line->body.ptr && !is_done)
        return err_set(err, "neither \"body\" nor \"body_base64\"");
    if (is_done && (line->expires_s == 0 || line->expires_s == JOB_LINE_NOT_SAID))
        return err_set(err, "what is done wants \"expires\": until when its result is kept");
    if (line->result.len > 0 && !is_done && !slice_is(line->state, "buried"))
        return err_set(err, "\"result\" is of a job that is done or buried");
    return check_texts(line, err);
}

int job_line_read(struct slice bytes, struct job_line *ret_line, struct err *err)
{
    json_error_t error;
    const char *name;
    json_t *value;
    int result = 0;
    *ret_line = (struct job_line){.state = SLICE("ready"),
                                  .priority = JOB_LINE_PRIORITY,
                                  .ttr_s = JOB_LINE_TTR_S,
                                  .expires_s = JOB_LINE_NOT_SAID};
    ret_line->root = json_loadb(bytes.ptr, bytes.len, JSON_REJECT_DUPLICATES, &error);
    if (!ret_line->root)
        return err_set(err, "no JSON at byte %d: %s", error.position, error.text);
    if (!json_is_object(ret_line->root))
        result = err_set(err, "a job is an object: {...}");
    if (json_object_get(ret_line->root, "body") && json_object_get(ret_line->root, "body_base64"))
        result = err_set(err, "\"body\" and \"body_base64\" are one too many");
    if (json_object_get(ret_line->root, "result") &&
        json_object_get(ret_line->root, "result_base64"))
        result = err_set(err, "\"result\" and \"result_base64\" are one too many");
    json_object_foreach(ret_line->root, name, value) if (result == 0) result =
        read_member(name, value, ret_line, err);
    if (result == 0)
        result = check(ret_line, err);
    if (result < 0)
        job_line_deinit(ret_line);
    return result;
}

void job_line_deinit(struct job_line *line)
{
    json_decref(line->root);
    mem_free(line->body_bytes);
    mem_free(line->result_bytes);
    *line = (struct job_line){.root = NULL};
}
