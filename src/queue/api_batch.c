/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading a batch: jansson makes the values, rows say what they mean.
 */

#include "queue/api_batch.h"

#include "base/base64.h"
#include "base/mem.h"
#include "conf/unit.h"
#include <stdlib.h>
#include <string.h>

/* A NUL in a body is a byte as any other; keys of objects have none all the same. */
enum { FLAGS = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, VALUE_FLAGS = FLAGS | JSON_DECODE_ANY };

/* ---- one job --------------------------------------------------------------------------------- */

static int read_text(const json_t *value, struct api_item *item, struct err *err)
{
    if (!json_is_string(value))
        return err_set(err, "body: a string is wanted; any other value is `json`");
    item->body = slice_make(json_string_value(value), json_string_length(value));
    return 0;
}

static int read_base64(const json_t *value, struct api_item *item, struct err *err)
{
    struct slice text = slice_make(json_string_value(value), json_string_length(value));
    size_t cap = BASE64_BYTES(text.len);
    item->bytes = mem_alloc(cap + 1);
    ssize_t n = text.ptr ? base64_read_padded(text, item->bytes, cap) : -1;
    if (n < 0)
        return err_set(err, "body_base64: base64 is wanted");
    item->body = slice_make(item->bytes, (size_t)n);
    return 0;
}

static int read_json(const json_t *value, struct api_item *item, struct err *err)
{
    item->text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_PRESERVE_ORDER);
    if (!item->text)
        return err_set(err, "json: it cannot be written again");
    item->body = slice_from(item->text);
    return 0;
}

static const struct {
    const char *name;
    int (*read)(const json_t *value, struct api_item *item, struct err *err);
} bodies[] = {{"body", read_text}, {"body_base64", read_base64}, {"json", read_json}};

static int read_body(const char *name, const json_t *value, struct api_item *item, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        if (strcmp(bodies[i].name, name) != 0)
            continue;
        if (item->body.ptr)
            return err_set(err, "%s: the job has a body already", name);
        return bodies[i].read(value, item, err);
    }
    struct conf_quote quote;
    return err_set(err, "a job has no \"%s\"", conf_quote(slice_from(name), &quote));
}

static int read_item(json_t *object, size_t job_max, struct api_item *item, struct err *err)
{
    const char *name;
    json_t *value;
    *item = (struct api_item){.put = API_PUT_NONE};
    if (!json_is_object(object))
        return err_set(err, "a job is an object, as {\"body\": \"...\"}");
    json_object_foreach(object, name, value)
    {
        int result = api_member_read(name, value, api_put_words, &item->put, err);
        if (result > 0)
            result = read_body(name, value, item, err);
        if (result < 0)
            return -1;
    }
    if (!item->body.ptr)
        return err_set(err, "none of \"body\", \"body_base64\" and \"json\"");
    if (item->body.len > job_max)
        return err_set(err, "a body of %zu bytes; %zu are taken", item->body.len, job_max);
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int read_items(struct api_batch *batch, const char *what, size_t job_max, struct err *err)
{
    size_t n = json_array_size(batch->root);
    batch->items = MEM_NEW_ARRAY(struct api_item, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct api_item *item = &batch->items[batch->n_items++];
        if (read_item(json_array_get(batch->root, i), job_max, item, err) < 0)
            return err_prefix(err, "%s %zu", what, i + 1);
    }
    return 0;
}

static int check_count(size_t n, uint32_t n_max, struct err *err)
{
    if (n > n_max)
        return err_set(err, "more than %u jobs", (unsigned)n_max);
    return n > 0 ? 0 : err_set(err, "there is no job in it");
}

static int read_array(struct slice bytes, uint32_t n_max, struct api_batch *batch, struct err *err)
{
    json_error_t error;
    batch->root = json_loadb(bytes.ptr, bytes.len, VALUE_FLAGS, &error);
    if (!batch->root)
        return err_set(err, "no JSON at line %d, column %d: %s", error.line, error.column,
                       error.text);
    return check_count(json_array_size(batch->root), n_max, err);
}

/* Empty lines do not count as jobs, but as lines. */
static int read_lines(struct slice bytes, uint32_t n_max, struct api_batch *batch, struct err *err)
{
    json_error_t error;
    struct slice rest = bytes;
    batch->root = json_array();
    for (size_t n_line = 1; rest.ptr; n_line++) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (slice_trim(line).len == 0)
            continue;
        json_t *value = json_loadb(line.ptr, line.len, VALUE_FLAGS, &error);
        if (!value)
            return err_set(err, "no JSON at line %zu, column %d: %s", n_line, error.column,
                           error.text);
        json_array_append_new(batch->root, value);
        if (json_array_size(batch->root) > n_max)
            break;
    }
    return check_count(json_array_size(batch->root), n_max, err);
}

/* The first byte that is no white space. */
static char first_of(struct slice bytes)
{
    size_t i = 0;
    while (i < bytes.len && strchr(" \t\r\n", bytes.ptr[i]) && bytes.ptr[i] != '\0')
        i++;
    return i < bytes.len ? bytes.ptr[i] : '\0';
}

int api_batch_read(struct slice bytes, uint32_t n_max, size_t job_max, struct api_batch *ret_batch,
                   struct err *err)
{
    bool is_array = first_of(bytes) == '[';
    *ret_batch = (struct api_batch){.items = NULL};
    int result = is_array ? read_array(bytes, n_max, ret_batch, err)
                          : read_lines(bytes, n_max, ret_batch, err);
    if (result == 0)
        result = read_items(ret_batch, "job", job_max, err);
    if (result < 0)
        api_batch_deinit(ret_batch);
    return result;
}

void api_batch_deinit(struct api_batch *batch)
{
    for (uint32_t i = 0; i < batch->n_items; i++) {
        mem_free(batch->items[i].bytes);
        free(batch->items[i].text); /* jansson's own, and it has no other door */
    }
    mem_free(batch->items);
    json_decref(batch->root);
    *batch = (struct api_batch){.items = NULL};
}
