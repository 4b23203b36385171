/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of put-opts, read and written: NAME=VALUE, separated by spaces, each name at most once
 * and at least one.
 */

#include "wire/jobproto.h"

#include <inttypes.h>
#include <string.h>

static int take_key(struct slice value, struct jobproto_options *options)
{
    if (value.len == 0 || value.len > JOBPROTO_KEY_MAX)
        return -1;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~')
            return -1;
    options->key = value;
    return 0;
}

static int take_u32(struct slice value, uint32_t min, uint32_t *ret)
{
    uint64_t number;
    if (slice_to_u64(value, &number) < 0 || number < min || number > UINT32_MAX)
        return -1;
    *ret = (uint32_t)number;
    return 0;
}

/* Seconds that nanoseconds of 64 bits can say, and then some centuries. */
static int take_time(struct slice value, uint64_t *ret)
{
    if (slice_to_u64(value, ret) < 0)
        return -1;
    return *ret <= UINT64_C(9000000000) ? 0 : -1;
}

static int take_state(struct slice value, enum jobproto_state *ret)
{
    *ret = slice_is(value, "done") ? JOBPROTO_STATE_DONE : JOBPROTO_STATE_BURIED;
    return *ret == JOBPROTO_STATE_DONE || slice_is(value, "buried") ? 0 : -1;
}

/* All of them, with commas between. */
static int take_counts(struct slice value, uint16_t *counts)
{
    struct slice rest = value;
    for (int i = 0; i < JOBPROTO_N_COUNTS; i++) {
        uint32_t count;
        if (!rest.ptr || take_u32(slice_cut(&rest, ','), 0, &count) < 0 || count > UINT16_MAX)
            return -1;
        counts[i] = (uint16_t)count;
    }
    return rest.ptr ? -1 : 0;
}

static int take_value(enum jobproto_option option, struct slice value,
                      struct jobproto_options *options)
{
    switch (option) {
    case JOBPROTO_HAS_KEY:
        return take_key(value, options);
    case JOBPROTO_HAS_TTL:
        return take_u32(value, 1, &options->ttl_s);
    case JOBPROTO_HAS_ATTEMPTS:
        return take_u32(value, 1, &options->attempts);
    case JOBPROTO_HAS_NOT_BEFORE:
        return take_time(value, &options->not_before_s);
    case JOBPROTO_HAS_RESULT:
        return take_u32(value, 1, &options->result_s);
    case JOBPROTO_HAS_TRIED:
        if (take_u32(value, 1, &options->tried) < 0)
            return -1;
        return options->tried <= UINT16_MAX ? 0 : -1;
    case JOBPROTO_HAS_EXPIRES:
        return take_time(value, &options->expires_s);
    case JOBPROTO_HAS_CREATED:
        return take_u32(value, 0, &options->created_s);
    case JOBPROTO_HAS_STATE:
        return take_state(value, &options->state);
    case JOBPROTO_HAS_COUNTS:
        return take_counts(value, options->counts);
    }
    return -1;
}

static int take_word(struct slice word, struct jobproto_options *options)
{
    static const struct {
        const char *name;
        enum jobproto_option option;
    } names[] = {
        {"key", JOBPROTO_HAS_KEY},           {"ttl", JOBPROTO_HAS_TTL},
        {"attempts", JOBPROTO_HAS_ATTEMPTS}, {"not-before", JOBPROTO_HAS_NOT_BEFORE},
        {"result", JOBPROTO_HAS_RESULT},     {"tried", JOBPROTO_HAS_TRIED},
        {"expires", JOBPROTO_HAS_EXPIRES},   {"created", JOBPROTO_HAS_CREATED},
        {"state", JOBPROTO_HAS_STATE},       {"counts", JOBPROTO_HAS_COUNTS},
    };
    struct slice value = word;
    struct slice name = slice_cut(&value, '=');
    for (size_t i = 0; value.ptr && i < sizeof(names) / sizeof(names[0]); i++) {
        if (!slice_is(name, names[i].name))
            continue;
        if (options->has & names[i].option)
            return -1;
        options->has |= names[i].option;
        return take_value(names[i].option, value, options);
    }
    return -1;
}

int jobproto_parse_options(struct slice words, struct jobproto_options *ret_options)
{
    *ret_options = (struct jobproto_options){.has = 0};
    struct slice rest = words;
    while (rest.ptr) {
        struct slice word = slice_cut(&rest, ' ');
        if (word.len > 0 && take_word(word, ret_options) < 0)
            return -1;
    }
    return ret_options->has ? 0 : -1;
}

/* ---- putting together ------------------------------------------------------------------------ */

void jobproto_add_options(struct jobproto_options *options, const struct jobproto_options *more)
{
    if (more->has & JOBPROTO_HAS_KEY)
        options->key = more->key;
    if (more->has & JOBPROTO_HAS_TTL)
        options->ttl_s = more->ttl_s;
    if (more->has & JOBPROTO_HAS_ATTEMPTS)
        options->attempts = more->attempts;
    if (more->has & JOBPROTO_HAS_NOT_BEFORE)
        options->not_before_s = more->not_before_s;
    if (more->has & JOBPROTO_HAS_RESULT)
        options->result_s = more->result_s;
    if (more->has & JOBPROTO_HAS_TRIED)
        options->tried = more->tried;
    if (more->has & JOBPROTO_HAS_EXPIRES)
        options->expires_s = more->expires_s;
    if (more->has & JOBPROTO_HAS_CREATED)
        options->created_s = more->created_s;
    if (more->has & JOBPROTO_HAS_STATE)
        options->state = more->state;
    if (more->has & JOBPROTO_HAS_COUNTS)
        memcpy(options->counts, more->counts, sizeof(options->counts));
    options->has |= more->has;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_counts(struct text *out, const uint16_t *counts)
{
    for (int i = 0; i < JOBPROTO_N_COUNTS; i++)
        text_printf(out, "%s%u", i > 0 ? "," : " counts=", (unsigned)counts[i]);
}

void jobproto_write_options(struct text *out, const struct jobproto_options *options)
{
    const struct {
        enum jobproto_option option;
        const char *name;
        uint64_t value;
    } numbers[] = {
        {JOBPROTO_HAS_TTL, "ttl", options->ttl_s},
        {JOBPROTO_HAS_ATTEMPTS, "attempts", options->attempts},
        {JOBPROTO_HAS_NOT_BEFORE, "not-before", options->not_before_s},
        {JOBPROTO_HAS_RESULT, "result", options->result_s},
        {JOBPROTO_HAS_TRIED, "tried", options->tried},
        {JOBPROTO_HAS_EXPIRES, "expires", options->expires_s},
        {JOBPROTO_HAS_CREATED, "created", options->created_s},
    };
    if (options->has & JOBPROTO_HAS_KEY)
        text_printf(out, " key=%.*s", SLICE_ARG(options->key));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (options->has & numbers[i].option)
            text_printf(out, " %s=%" PRIu64, numbers[i].name, numbers[i].value);
    if (options->has & JOBPROTO_HAS_STATE)
        text_printf(out, " state=%s", options->state == JOBPROTO_STATE_DONE ? "done" : "buried");
    if (options->has & JOBPROTO_HAS_COUNTS)
        write_counts(out, options->counts);
}
