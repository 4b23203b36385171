/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

/*
 * A JSON writer (RFC 8259): appends to a text, puts the commas, escapes, and asserts that what is
 * opened is closed. Bytes that are not UTF-8 come out as U+FFFD, so that a hostile header in a log
 * line cannot break the line. Reading JSON is jansson's work, not ours;
 * where jansson has a name already (json_string, json_null) the function here has another.
 */

#include "base/slice.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 16 }; /* the document itself, and 15 containers in each other */

struct json {
    struct text *out; /* borrowed */
    int depth;
    bool has_item[JSON_DEPTH_MAX]; /* a comma is due before the next */
    bool is_object[JSON_DEPTH_MAX];
    bool has_key;
};

void json_init(struct json *json, struct text *out);
/* The document is complete: asserts that there is a value and that nothing is open. */
void json_finish(const struct json *json);
/* In an object: the key of the value that follows. */
void json_key(struct json *json, const char *key);
void json_object_begin(struct json *json);
void json_object_end(struct json *json);
void json_array_begin(struct json *json);
void json_array_end(struct json *json);
void json_slice(struct json *json, struct slice value);
void json_base64(struct json *json, struct slice bytes); /* padded */
void json_cstr(struct json *json, const char *value);    /* NULL writes null */
void json_int(struct json *json, int64_t value);
void json_uint(struct json *json, uint64_t value);
/* As short as it reads back; NaN and infinities write null. */
void json_double(struct json *json, double value);
void json_bool(struct json *json, bool value);
void json_none(struct json *json); /* null */
/* Appends the value with quotes and escapes, outside any document (log lines). */
void json_escape(struct text *out, struct slice value);

#endif
