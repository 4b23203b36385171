/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Preferences: a list with commas, in which quoted strings may hold further ones.
 */

#include "wire/prefer.h"

/* Where the element at the front ends: at its comma, or at the end. */
static size_t element_len(struct slice list)
{
    bool is_quoted = false;
    for (size_t i = 0; i < list.len; i++) {
        char c = list.ptr[i];
        if (c == '"')
            is_quoted = !is_quoted;
        else if (c == '\\' && is_quoted)
            i++;
        else if (c == ',' && !is_quoted)
            return i;
    }
    return list.len;
}

/* The next element, which may be empty; false at the end. */
static bool next_element(struct slice *list, struct slice *ret_element)
{
    if (!list->ptr)
        return false;
    size_t len = element_len(*list);
    *ret_element = slice_trim(slice_make(list->ptr, len));
    *list = len < list->len ? slice_skip(*list, len + 1) : slice_make(NULL, 0);
    return true;
}

/* The name, and the value behind its equals sign: without parameters, without quotes. */
static struct slice split(struct slice element, struct slice *ret_value)
{
    struct slice rest = element;
    struct slice first = slice_cut(&rest, ';');
    struct slice value = first;
    struct slice name = slice_trim(slice_cut(&value, '='));
    value = value.ptr ? slice_trim(value) : SLICE("");
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = slice_make(value.ptr + 1, value.len - 2);
    *ret_value = value;
    return name;
}

static uint32_t seconds(struct slice value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return 0;
        number = number * 10 + (uint64_t)(value.ptr[i] - '0');
        if (number > PREFER_WAIT_MAX_S)
            number = PREFER_WAIT_MAX_S;
    }
    return (uint32_t)number;
}

static void read_value(struct slice list, struct prefer *prefer)
{
    struct slice element, value;
    while (next_element(&list, &element)) {
        struct slice name = split(element, &value);
        if (slice_equal_nocase(name, SLICE("respond-async")))
            prefer->is_async = true;
        if (slice_equal_nocase(name, SLICE("wait")) && !prefer->has_wait) {
            prefer->has_wait = true;
            prefer->wait_s = seconds(value);
        }
    }
}

void prefer_read(const struct h1_head *head, const char *buf, struct prefer *ret_prefer)
{
    *ret_prefer = (struct prefer){.is_async = false};
    for (unsigned i = 0; i < head->n_fields; i++)
        if (slice_equal_nocase(h1_field_name(buf, &head->fields[i]), SLICE("prefer")))
            read_value(h1_field_value(buf, &head->fields[i]), ret_prefer);
}

void prefer_write_others(struct slice list, struct text *out)
{
    size_t begin = out->len;
    struct slice element, value;
    while (next_element(&list, &element)) {
        struct slice name = split(element, &value);
        if (name.len == 0 || slice_equal_nocase(name, SLICE("respond-async")) ||
            slice_equal_nocase(name, SLICE("wait")))
            continue;
        if (out->len > begin)
            text_append(out, SLICE(", "));
        text_append(out, element);
    }
}
