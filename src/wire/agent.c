/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The line of an agent.
 */

#include "wire/agent.h"

#include <stdbool.h>
#include <stddef.h>

enum { WHOLE_SHARE = 100 };

static const struct word {
    const char *name;
    enum agent_state state;
} words[] = {
    {"up", AGENT_UP},       {"ready", AGENT_UP},     {"drain", AGENT_DRAIN}, {"down", AGENT_DOWN},
    {"failed", AGENT_DOWN}, {"stopped", AGENT_DOWN}, {"maint", AGENT_DOWN},
};

void agent_show(struct slice bytes, char ret_text[AGENT_TEXT_MAX])
{
    size_t n = bytes.len < AGENT_TEXT_MAX - 1 ? bytes.len : AGENT_TEXT_MAX - 1;
    for (size_t i = 0; i < n; i++)
        ret_text[i] = bytes.ptr[i] >= ' ' && bytes.ptr[i] <= '~' ? bytes.ptr[i] : '?';
    ret_text[n] = '\0';
}

/* "75%" as 75, or -1. */
static int32_t share_of(struct slice word)
{
    uint64_t share;
    if (word.len < 2 || word.len > 4 || word.ptr[word.len - 1] != '%')
        return -1;
    word.len--;
    return slice_to_u64(word, &share) == 0 && share <= WHOLE_SHARE ? (int32_t)share : -1;
}

static int take_word(struct slice word, struct agent_says *says)
{
    int32_t share = share_of(word);
    if (share >= 0) {
        says->share = share;
        return 0;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!slice_equal_nocase(word, slice_from(words[i].name)))
            continue;
        if (words[i].state > says->state)
            says->state = words[i].state;
        return 0;
    }
    agent_show(word, says->text);
    return -1;
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

static int take_line(struct slice line, struct agent_says *says)
{
    struct slice rest = line;
    struct slice spoken = slice_cut(&rest, '#');
    size_t n_words = 0;
    size_t at = 0;
    while (at < spoken.len) {
        size_t start = at;
        while (at < spoken.len && !is_separator(spoken.ptr[at]))
            at++;
        if (at > start && take_word(slice_make(spoken.ptr + start, at - start), says) < 0)
            return -1;
        n_words += at > start;
        at++;
    }
    if (n_words == 0)
        return -1;
    agent_show(slice_trim(line), says->text);
    return 0;
}

int agent_parse(struct slice bytes, bool is_end, struct agent_says *ret_says)
{
    size_t len = slice_find(bytes, '\n');
    bool is_whole = len < bytes.len;
    *ret_says = (struct agent_says){.state = AGENT_UP, .share = AGENT_NO_SHARE};
    if (len > AGENT_LINE_MAX) {
        agent_show(slice_make(bytes.ptr, AGENT_LINE_MAX), ret_says->text);
        return -1;
    }
    if (!is_whole && !is_end)
        return 0;
    bool has_cr = len > 0 && bytes.ptr[len - 1] == '\r';
    if (take_line(slice_make(bytes.ptr, len - has_cr), ret_says) < 0)
        return -1;
    return (int)(is_whole ? len + 1 : len);
}
