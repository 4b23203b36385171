/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Words by the rows of a table, from a query and from JSON.
 */

#include "queue/api_word.h"

#include "conf/unit.h"
#include "wire/jobproto.h"
#include <string.h>

enum { MS_PER_S = 1000 };

const struct api_word api_put_words[] = {
    {"priority", API_NUMBER, offsetof(struct api_put, priority), 0, UINT32_MAX},
    {"delay", API_SECONDS, offsetof(struct api_put, delay_s), 0, UINT32_MAX},
    {"not-before", API_MOMENT, offsetof(struct api_put, not_before_ms), 0, UINT32_MAX},
    {"ttr", API_SECONDS, offsetof(struct api_put, ttr_s), 1, UINT32_MAX},
    {"key", API_KEY, offsetof(struct api_put, key), 1, JOBPROTO_KEY_MAX},
    {"ttl", API_SECONDS, offsetof(struct api_put, ttl_s), 1, UINT32_MAX},
    {"attempts", API_NUMBER, offsetof(struct api_put, attempts), 1, UINT16_MAX},
    {"keep", API_SECONDS, offsetof(struct api_put, keep_s), 1, UINT32_MAX},
    {0},
};

/* ---- values ---------------------------------------------------------------------------------- */

static int set_number(const struct api_word *word, uint64_t number, void *member, struct err *err)
{
    if (number < word->min || number > word->max)
        return err_set(err, "%s: from %llu to %llu", word->name, (unsigned long long)word->min,
                       (unsigned long long)word->max);
    if (word->kind == API_MOMENT)
        *(uint64_t *)member = number * MS_PER_S;
    else
        *(uint32_t *)member = (uint32_t)number;
    return 0;
}

static int read_number(const struct api_word *word, struct slice text, void *member,
                       struct err *err)
{
    uint64_t number;
    int64_t ms;
    if (slice_to_u64(text, &number) == 0)
        return set_number(word, number, member, err);
    if (word->kind != API_SECONDS)
        return err_set(err, "%s: a number of digits is wanted", word->name);
    if (conf_unit_time(text, &ms, err) < 0)
        return err_prefix(err, "%s", word->name);
    if (ms % MS_PER_S != 0)
        return err_set(err, "%s: whole seconds are counted", word->name);
    return set_number(word, (uint64_t)ms / MS_PER_S, member, err);
}

static int read_key(const struct api_word *word, struct slice text, struct slice *member,
                    struct err *err)
{
    if (text.len < word->min || text.len > word->max)
        return err_set(err, "%s: from %llu to %llu characters", word->name,
                       (unsigned long long)word->min, (unsigned long long)word->max);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return err_set(err, "%s: visible characters of ASCII are wanted", word->name);
    *member = text;
    return 0;
}

static int add_queue(const struct api_word *word, struct slice text, struct api_queues *queues,
                     struct err *err)
{
    struct conf_quote quote;
    if (!jobproto_is_tube(text))
        return err_set(err, "%s: \"%s\" is no name of a queue", word->name,
                       conf_quote(text, &quote));
    if (queues->n == API_QUEUES_MAX)
        return err_set(err, "%s: at most %d", word->name, API_QUEUES_MAX);
    queues->names[queues->n++] = text;
    return 0;
}

int api_value_read(const struct api_word *word, struct slice text, void *self, struct err *err)
{
    void *member = (char *)self + word->offset;
    switch (word->kind) {
    case API_NUMBER:
    case API_SECONDS:
    case API_MOMENT:
        return read_number(word, text, member, err);
    case API_KEY:
        return read_key(word, text, member, err);
    case API_TEXT:
        *(struct slice *)member = text;
        return 0;
    case API_QUEUES:
        return add_queue(word, text, member, err);
    }
    return -1;
}

/* ---- a query --------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of the two digits behind a %, or -1. */
static int escaped(struct slice text, size_t at)
{
    if (at + 2 >= text.len)
        return -1;
    int high = hex_value(text.ptr[at + 1]), low = hex_value(text.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

int api_decode(struct slice text, bool is_form, struct text *room)
{
    for (size_t i = 0; i < text.len; i++) {
        int c = (unsigned char)text.ptr[i];
        if (c == '%') {
            c = escaped(text, i);
            i += 2;
        } else if (c == '+' && is_form) {
            c = ' ';
        }
        if (c <= 0)
            return -1;
        text_append_char(room, (char)c);
    }
    return 0;
}

/* The row of that name, or NULL; *ret_index is its place, below 64. */
static const struct api_word *find(const struct api_word *words, struct slice name,
                                   uint32_t *ret_index)
{
    for (uint32_t i = 0; words[i].name; i++) {
        *ret_index = i;
        if (slice_is(name, words[i].name))
            return &words[i];
    }
    return NULL;
}

/* What follows behind, decoded; it lies in `room`, which has room for it. */
static int decode_part(struct slice text, struct text *room, struct slice *ret_part,
                       struct err *err)
{
    size_t at = room->len;
    struct conf_quote quote;
    if (api_decode(text, true, room) < 0)
        return err_set(err, "\"%s\" in the query is no text", conf_quote(text, &quote));
    *ret_part = slice_skip(text_slice(room), at);
    return 0;
}

static int read_part(struct slice part, const struct api_word *words, void *self, uint64_t *seen,
                     struct text *room, struct err *err)
{
    struct slice rest = part, name, value;
    struct conf_quote quote;
    uint32_t index = 0;
    struct slice raw_name = slice_cut(&rest, '=');
    if (decode_part(raw_name, room, &name, err) < 0 ||
        decode_part(rest.ptr ? rest : SLICE(""), room, &value, err) < 0)
        return -1;
    const struct api_word *word = find(words, name, &index);
    if (!word)
        return err_set(err, "nothing is known by the name \"%s\" in the query",
                       conf_quote(name, &quote));
    if (*seen & UINT64_C(1) << index && word->kind != API_QUEUES)
        return err_set(err, "%s: it is there twice", word->name);
    *seen |= UINT64_C(1) << index;
    return api_value_read(word, value, self, err);
}

int api_query_read(struct slice query, const struct api_word *words, void *self, struct text *room,
                   struct err *err)
{
    uint64_t seen = 0;
    struct slice rest = query;
    (void)text_reserve(room, query.len + 1); /* nothing moves any more */
    while (rest.ptr) {
        struct slice part = slice_cut(&rest, '&');
        if (part.len > 0 && read_part(part, words, self, &seen, room, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static bool is_member(const char *name, const char *word)
{
    while (*name && (*name == *word || (*name == '_' && *word == '-')))
        name++, word++;
    return *name == *word;
}

int api_member_read(const char *name, const json_t *value, const struct api_word *words, void *self,
                    struct err *err)
{
    const struct api_word *word = words;
    while (word->name && !is_member(name, word->name))
        word++;
    if (!word->name)
        return 1;
    if (json_is_string(value))
        return api_value_read(word, slice_make(json_string_value(value), json_string_length(value)),
                              self, err);
    bool is_number =
        word->kind == API_NUMBER || word->kind == API_SECONDS || word->kind == API_MOMENT;
    if (!is_number)
        return err_set(err, "%s: a string is wanted", word->name);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return err_set(err, "%s: a whole number is wanted", word->name);
    return set_number(word, (uint64_t)json_integer_value(value), (char *)self + word->offset, err);
}
