/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A job as a line, and the line of its answer. Keys are rows of a table: what kind of line each
 * belongs to, and how its value is read.
 */

#include "wire/jobline.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include <jansson.h>

/* ---- writing --------------------------------------------------------------------------------- */

void jobline_write(const struct jobline_job *job, struct text *out)
{
    struct json json;
    json_init(&json, out);
    json_object_begin(&json);
    json_key(&json, "id");
    json_uint(&json, job->id);
    json_key(&json, "attempt");
    json_uint(&json, job->attempt);
    json_key(&json, "queue");
    json_slice(&json, job->queue);
    json_key(&json, job->is_text ? "body" : "body_base64");
    if (job->is_text)
        json_slice(&json, job->body);
    else
        json_base64(&json, job->body);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(out, '\n');
}

/* ---- values ---------------------------------------------------------------------------------- */

enum key {
    KEY_READY,
    KEY_ID,
    KEY_PROGRESS,
    KEY_TEXT,
    KEY_OUTCOME,
    KEY_RESULT,
    KEY_RESULT_BASE64,
    KEY_REASON,
    N_KEYS
};

#define BIT(key) (1u << (key))

static int read_ready(const json_t *value, struct jobline *line)
{
    (void)line;
    return json_is_true(value) ? 0 : -1;
}

static int read_id(const json_t *value, struct jobline *line)
{
    json_int_t id = json_integer_value(value);
    line->id = (uint64_t)id;
    return json_is_integer(value) && id > 0 ? 0 : -1;
}

static int read_progress(const json_t *value, struct jobline *line)
{
    json_int_t percent = json_integer_value(value);
    if (!json_is_integer(value) || percent < 0 || percent > 100)
        return -1;
    line->percent = (uint32_t)percent;
    return 0;
}

static int read_outcome(const json_t *value, struct jobline *line)
{
    static const char *const names[JOBLINE_N_OUTCOMES] = {
        [JOBLINE_DONE] = "done", [JOBLINE_AGAIN] = "again", [JOBLINE_BURY] = "bury"};
    for (int i = 0; i < JOBLINE_N_OUTCOMES; i++) {
        if (!json_is_string(value) || !slice_is(slice_from(json_string_value(value)), names[i]))
            continue;
        line->outcome = (enum jobline_outcome)i;
        return 0;
    }
    return -1;
}

static int read_bytes(const json_t *value, struct jobline *line)
{
    if (!json_is_string(value))
        return -1;
    text_append(&line->bytes, slice_make(json_string_value(value), json_string_length(value)));
    return 0;
}

static int read_base64(const json_t *value, struct jobline *line)
{
    if (!json_is_string(value))
        return -1;
    struct slice chars = slice_make(json_string_value(value), json_string_length(value));
    size_t cap = BASE64_BYTES(chars.len);
    ssize_t n = base64_read_padded(chars, text_reserve(&line->bytes, cap + 1), cap);
    if (n < 0)
        return -1;
    line->bytes.len = (size_t)n;
    line->bytes.ptr[n] = '\0';
    return 0;
}

static const struct key_row {
    const char *name;
    int (*read)(const json_t *value, struct jobline *line);
    const char *wanted;
} keys[N_KEYS] = {
    [KEY_READY] = {"ready", read_ready, "true"},
    [KEY_ID] = {"id", read_id, "the number of the job"},
    [KEY_PROGRESS] = {"progress", read_progress, "a whole number from 0 to 100"},
    [KEY_TEXT] = {"text", read_bytes, "a string"},
    [KEY_OUTCOME] = {"outcome", read_outcome, "\"done\", \"again\" or \"bury\""},
    [KEY_RESULT] = {"result", read_bytes, "a string"},
    [KEY_RESULT_BASE64] = {"result_base64", read_base64, "a string of base64"},
    [KEY_REASON] = {"reason", read_bytes, "a string"},
};

/* ---- lines ----------------------------------------------------------------------------------- */

/* What stands on the line of a kind: some of its keys must, others may, one of those at most. */
static const struct form {
    unsigned needs, may;
    enum jobline_kind kind;
} forms[] = {
    {BIT(KEY_READY), 0, JOBLINE_READY},
    {BIT(KEY_ID) | BIT(KEY_PROGRESS), BIT(KEY_TEXT), JOBLINE_PROGRESS},
    {BIT(KEY_ID) | BIT(KEY_OUTCOME), BIT(KEY_RESULT) | BIT(KEY_RESULT_BASE64) | BIT(KEY_REASON),
     JOBLINE_ANSWER},
};

static int find_form(unsigned seen, struct jobline *line, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        unsigned more = seen & ~forms[i].needs;
        if ((seen & forms[i].needs) != forms[i].needs)
            continue;
        if ((more & ~forms[i].may) || (more & (more - 1)))
            return err_set(err, "keys that do not belong together");
        line->kind = forms[i].kind;
        if (line->kind == JOBLINE_ANSWER && more &&
            (line->outcome == JOBLINE_DONE) == (more == BIT(KEY_REASON)))
            return err_set(err, "\"result\" belongs to \"done\", \"reason\" to the others");
        return 0;
    }
    return err_set(err, "neither {\"ready\":true} nor an \"id\" and its \"outcome\"");
}

static int read_member(const char *name, const json_t *value, struct jobline *line, unsigned *seen,
                       struct err *err)
{
    for (int key = 0; key < N_KEYS; key++) {
        if (!slice_is(slice_from(name), keys[key].name))
            continue;
        *seen |= BIT(key);
        if (keys[key].read(value, line) < 0)
            return err_set(err, "\"%s\" wants %s", name, keys[key].wanted);
        return 0;
    }
    return err_set(err, "nobody knows a key \"%.40s\"", name);
}

static int read_object(json_t *root, struct jobline *line, struct err *err)
{
    const char *name;
    json_t *value;
    unsigned seen = 0;
    if (!json_is_object(root))
        return err_set(err, "a line is an object: {...}");
    json_object_foreach(root, name, value)
    {
        if (read_member(name, value, line, &seen, err) < 0)
            return -1;
    }
    return find_form(seen, line, err);
}

int jobline_read(struct slice bytes, struct jobline *ret_line, struct err *err)
{
    json_error_t error;
    struct jobline line = {.id = 0};
    json_t *root = json_loadb(bytes.len ? bytes.ptr : "", bytes.len,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!root)
        return err_set(err, "no JSON at byte %d: %s", error.position, error.text);
    int result = read_object(root, &line, err);
    json_decref(root);
    if (result < 0)
        jobline_deinit(&line);
    else
        *ret_line = line;
    return result;
}

void jobline_deinit(struct jobline *line)
{
    text_deinit(&line->bytes);
}
