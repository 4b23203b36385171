/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of put-opts: NAME=VALUE, separated by spaces, each name at most once and at least one.
 */

#include "wire/jobproto.h"

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
        /* Seconds that nanoseconds of 64 bits can say, and then some centuries. */
        if (slice_to_u64(value, &options->not_before_s) < 0)
            return -1;
        return options->not_before_s <= UINT64_C(9000000000) ? 0 : -1;
    case JOBPROTO_HAS_RESULT:
        return take_u32(value, 1, &options->result_s);
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
        {"result", JOBPROTO_HAS_RESULT},
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
