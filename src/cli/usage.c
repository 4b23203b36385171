/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a usage apart.
 */
#include "cli/usage.h"

#include <string.h>

static bool is_item_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* The run of item characters that comes next. */
static struct slice take_run(struct slice *rest)
{
    while (rest->len && !is_item_char(rest->ptr[0]))
        *rest = slice_skip(*rest, 1);
    size_t len = 0;
    while (len < rest->len && is_item_char(rest->ptr[len]))
        len++;
    struct slice run = slice_make(rest->ptr, len);
    *rest = slice_skip(*rest, len);
    return run;
}

static bool is_value(struct slice run)
{
    return run.ptr[0] >= 'A' && run.ptr[0] <= 'Z';
}

bool usage_next(struct slice *rest, struct usage_item *ret_item)
{
    struct slice run = take_run(rest);
    if (run.len == 0)
        return false;
    *ret_item = (struct usage_item){.kind = is_value(run) ? USAGE_VALUE : USAGE_WORD, .text = run};
    if (run.ptr[0] != '-')
        return true;
    ret_item->kind = USAGE_OPTION;
    /* Its value stands behind one space, with no bracket in between. */
    if (rest->len > 1 && rest->ptr[0] == ' ' && is_value(slice_skip(*rest, 1)))
        ret_item->value = take_run(rest);
    return true;
}

struct slice usage_argument(const char *usage, int n)
{
    struct slice rest = slice_from(usage);
    struct slice argument = slice_cut(&rest, ' '); /* the command */
    for (int i = 0; i <= n; i++)
        argument = rest.ptr ? slice_cut(&rest, ' ') : SLICE("");
    bool is_plain = argument.len > 0 && !memchr(argument.ptr, '\'', argument.len) &&
                    argument.ptr[0] != '[' && argument.ptr[0] != '-';
    return is_plain ? argument : SLICE("");
}

bool usage_has_option(const char *usage, const char *option)
{
    struct slice rest = slice_from(usage);
    struct usage_item item;
    while (usage_next(&rest, &item)) {
        if (item.kind == USAGE_OPTION && slice_is(item.text, option))
            return true;
    }
    return false;
}
