/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8, strictly by RFC 3629 section 4. The widths follow UAX #11 by its large blocks only: a mark
 * that stands one column off under a rare script harms nobody.
 */
#include "conf/utf8.h"
#include "base/mem.h"
#include <assert.h>
#include <stdbool.h>

/* The bytes that follow the lead byte, or -1; *ret_char takes the lead's own bits. */
static int lead_rest(unsigned char lead, uint32_t *ret_char)
{
    if (lead < 0x80) {
        *ret_char = lead;
        return 0;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        *ret_char = lead & 0x1f;
        return 1;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        *ret_char = lead & 0x0f;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *ret_char = lead & 0x07;
        return 3;
    }
    return -1;
}

size_t conf_utf8_next(struct slice text, uint32_t *ret_char)
{
    static const uint32_t lowest[] = {0, 0x80, 0x800, 0x10000};
    assert(text.len > 0);
    uint32_t character;
    int n_rest = lead_rest((unsigned char)text.ptr[0], &character);
    if (n_rest < 0 || text.len <= (size_t)n_rest)
        return 0;
    for (int i = 1; i <= n_rest; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if ((byte & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (byte & 0x3f);
    }
    if (character < lowest[n_rest] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return 0;
    *ret_char = character;
    return (size_t)n_rest + 1;
}

struct span {
    uint32_t first, last;
};

static bool is_within(uint32_t character, const struct span *spans, size_t n_spans)
{
    for (size_t i = 0; i < n_spans; i++)
        if (character >= spans[i].first && character <= spans[i].last)
            return true;
    return false;
}

unsigned conf_utf8_width(uint32_t character)
{
    static const struct span none[] = {
        {0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}};
    static const struct span two[] = {{0x1100, 0x115f},  {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},  {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                      {0xffe0, 0xffe6},  {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff},
                                      {0x20000, 0x3fffd}};
    if (is_within(character, none, ARRAY_LEN(none)))
        return 0;
    return is_within(character, two, ARRAY_LEN(two)) ? 2 : 1;
}

bool conf_utf8_is_text(struct slice bytes)
{
    while (bytes.len > 0) {
        uint32_t character = 0;
        size_t n = conf_utf8_next(bytes, &character);
        if (n == 0 || character == 0)
            return false;
        bytes = slice_skip(bytes, n);
    }
    return true;
}
