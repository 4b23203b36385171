/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document is written as the input says, each byte a step. jansson must accept it whatever the
 * strings hold; and the whole input as one string must come back as it was where it is UTF-8.
 */
#include "base/json.h"
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOAD_FLAGS = JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL };

static void check_string(struct slice input)
{
    struct text text = TEXT_NONE;
    json_escape(&text, input);
    json_t *value = json_loadb(text.ptr, text.len, LOAD_FLAGS, NULL);
    assert(json_is_string(value));
    json_t *same = json_stringn(input.ptr ? input.ptr : "", input.len); /* NULL where not UTF-8 */
    if (same)
        assert(json_equal(value, same));
    json_decref(same);
    json_decref(value);
    text_deinit(&text);
}

/* At most n bytes off the input. */
static struct slice take(struct slice *input, size_t n)
{
    struct slice part = {input->ptr, n < input->len ? n : input->len};
    *input = slice_skip(*input, n);
    return part;
}

static uint64_t take_number(struct slice *input)
{
    uint64_t number = 0;
    struct slice part = take(input, sizeof(number));
    if (part.len)
        memcpy(&number, part.ptr, part.len);
    return number;
}

static double take_double(struct slice *input)
{
    uint64_t number = take_number(input);
    double value;
    memcpy(&value, &number, sizeof(value));
    return value;
}

/* Keys may come twice; jansson keeps the last. */
static void write_key(struct json *json, struct slice *input)
{
    char key[32];
    slice_copy(take(input, 5), key, sizeof(key));
    json_key(json, key);
}

static void write_value(struct json *json, unsigned step, struct slice *input)
{
    switch (step % 8) {
    case 0:
        json_slice(json, take(input, step / 8));
        break;
    case 1:
        json_int(json, (int64_t)take_number(input));
        break;
    case 2:
        json_uint(json, take_number(input));
        break;
    case 3:
        json_double(json, take_double(input));
        break;
    case 4:
        json_bool(json, step & 8);
        break;
    case 5:
        json_cstr(json, NULL);
        break;
    case 6:
        json_object_begin(json);
        break;
    default:
        json_array_begin(json);
        break;
    }
}

static void end_container(struct json *json)
{
    if (json->is_object[json->depth])
        json_object_end(json);
    else
        json_array_end(json);
}

static void check_document(struct slice input)
{
    struct text text = TEXT_NONE;
    struct json json;
    json_init(&json, &text);
    json_array_begin(&json);
    while (input.len) {
        unsigned step = (unsigned char)take(&input, 1).ptr[0];
        bool is_end = step >= 0xe0 || (step % 8 >= 6 && json.depth + 1 == JSON_DEPTH_MAX);
        if (is_end && json.depth > 1) {
            end_container(&json);
            continue;
        }
        if (json.is_object[json.depth])
            write_key(&json, &input);
        write_value(&json, is_end ? 5 : step, &input);
    }
    while (json.depth > 0)
        end_container(&json);
    json_finish(&json);
    json_t *value = json_loadb(text.ptr, text.len, LOAD_FLAGS, NULL);
    assert(json_is_array(value));
    json_decref(value);
    text_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    check_string(input);
    check_document(input);
    return 0;
}
