/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON writer. Strings are scanned for runs of bytes that need nothing done and copied a run at
 * a time; UTF-8 is checked as the table of well-formed sequences in the Unicode standard (3.9,
 * table 3-7) has it, and each ill-formed part becomes one U+FFFD.
 */
#include "base/json.h"

#include "base/base64.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_init(struct json *json, struct text *out)
{
    *json = (struct json){.out = out, .depth = 0};
}

/* What stands before a value: nothing after a key, a comma after another item of an array. */
static void value_begin(struct json *json)
{
    assert(json->has_key == json->is_object[json->depth]);
    if (!json->has_key) {
        assert(json->depth > 0 || !json->has_item[0]); /* a document is one value */
        if (json->has_item[json->depth])
            text_append_char(json->out, ',');
    }
    json->has_item[json->depth] = true;
    json->has_key = false;
}

static void container_begin(struct json *json, bool is_object)
{
    value_begin(json);
    assert(json->depth + 1 < JSON_DEPTH_MAX);
    json->depth++;
    json->has_item[json->depth] = false;
    json->is_object[json->depth] = is_object;
    text_append_char(json->out, is_object ? '{' : '[');
}

static void container_end(struct json *json, bool is_object)
{
    assert(json->depth > 0 && json->is_object[json->depth] == is_object && !json->has_key);
    json->depth--;
    text_append_char(json->out, is_object ? '}' : ']');
}

void json_object_begin(struct json *json)
{
    container_begin(json, true);
}

void json_object_end(struct json *json)
{
    container_end(json, true);
}

void json_array_begin(struct json *json)
{
    container_begin(json, false);
}

void json_array_end(struct json *json)
{
    container_end(json, false);
}

void json_finish(const struct json *json)
{
    assert(json->depth == 0 && json->has_item[0]);
}

void json_key(struct json *json, const char *key)
{
    assert(json->is_object[json->depth] && !json->has_key);
    if (json->has_item[json->depth])
        text_append_char(json->out, ',');
    json_escape(json->out, slice_from(key));
    text_append_char(json->out, ':');
    json->has_key = true;
}

void json_slice(struct json *json, struct slice value)
{
    value_begin(json);
    json_escape(json->out, value);
}

void json_base64(struct json *json, struct slice bytes)
{
    struct text out = TEXT_NONE;
    char *chars = text_reserve(&out, BASE64_PADDED_CHARS(bytes.len));
    out.len = base64_write_padded(bytes.ptr, bytes.len, chars);
    json_slice(json, text_slice(&out));
    text_deinit(&out);
}

void json_cstr(struct json *json, const char *value)
{
    if (value)
        json_slice(json, slice_from(value));
    else
        json_none(json);
}

void json_int(struct json *json, int64_t value)
{
    value_begin(json);
    text_printf(json->out, "%" PRId64, value);
}

void json_uint(struct json *json, uint64_t value)
{
    value_begin(json);
    text_printf(json->out, "%" PRIu64, value);
}

/*
 * 15 digits give back what a person wrote, 17 give back every double. Where the mantissa is cut
 * short near zero, fewer than 15 may do.
 */
void json_double(struct json *json, double value)
{
    if (!isfinite(value)) {
        json_none(json);
        return;
    }
    char text[32];
    int precision = fpclassify(value) == FP_SUBNORMAL ? 1 : 15;
    for (; precision <= 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    value_begin(json);
    text_append(json->out, slice_from(text));
}

void json_bool(struct json *json, bool value)
{
    value_begin(json);
    text_append(json->out, value ? SLICE("true") : SLICE("false"));
}

void json_none(struct json *json)
{
    value_begin(json);
    text_append(json->out, SLICE("null"));
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The range that the second byte of a sequence must lie in, by the first; n is its length. */
struct utf8_lead {
    unsigned n, second_min, second_max;
};

static struct utf8_lead utf8_lead_of(unsigned char c)
{
    if (c >= 0xc2 && c <= 0xdf)
        return (struct utf8_lead){2, 0x80, 0xbf};
    if (c >= 0xe0 && c <= 0xef) /* not overlong, no surrogates */
        return (struct utf8_lead){3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
    if (c >= 0xf0 && c <= 0xf4) /* not overlong, not above U+10FFFF */
        return (struct utf8_lead){4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
    return (struct utf8_lead){0, 0, 0};
}

/*
 * Looks at the sequence that starts with a byte from 0x80 up. Returns how many bytes belong
 * together: all of a well-formed sequence, or the longest beginning of one.
 */
static size_t utf8_sequence(struct slice bytes, bool *ret_is_valid)
{
    struct utf8_lead lead = utf8_lead_of((unsigned char)bytes.ptr[0]);
    size_t n = 1;
    while (n < lead.n && n < bytes.len) {
        unsigned char c = (unsigned char)bytes.ptr[n];
        if (n == 1 ? c < lead.second_min || c > lead.second_max : (c & 0xc0) != 0x80)
            break;
        n++;
    }
    *ret_is_valid = n == lead.n;
    return n;
}

/* A byte below 0x80 that may not stand for itself. */
static void append_escaped(struct text *out, char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *pair = letters; *pair; pair += 2)
        if (*pair == c) {
            text_append(out, (struct slice){(char[]){'\\', pair[1]}, 2});
            return;
        }
    text_printf(out, "\\u%04x", (unsigned)c);
}

void json_escape(struct text *out, struct slice value)
{
    text_append_char(out, '"');
    while (value.len) {
        size_t n = 0;
        while (n < value.len && is_plain((unsigned char)value.ptr[n]))
            n++;
        text_append(out, (struct slice){value.ptr, n});
        value = slice_skip(value, n);
        if (value.len == 0)
            break;
        n = 1;
        if ((unsigned char)value.ptr[0] < 0x80) {
            append_escaped(out, value.ptr[0]);
        } else {
            bool is_valid;
            n = utf8_sequence(value, &is_valid);
            text_append(out, is_valid ? (struct slice){value.ptr, n} : SLICE("\xef\xbf\xbd"));
        }
        value = slice_skip(value, n);
    }
    text_append_char(out, '"');
}
