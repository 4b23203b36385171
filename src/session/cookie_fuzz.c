/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is read as a cookie is written again to the same characters; and a field without the
 * cookies of a name has none of them, and no byte more than it had. The MAC is one that a fuzzer
 * can learn: the length of the data.
 */
#include "base/mem.h"
#include "session/cookie.h"
#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mac(void *key, struct slice data, uint8_t ret_mac[COOKIE_HASH_BYTES])
{
    (void)key;
    memset(ret_mac, (int)(data.len & 0x3f), COOKIE_HASH_BYTES);
}

static void check_value(struct slice value)
{
    struct cookie_keys keys = {.n_items = 0};
    struct cookie cookie;
    char again[COOKIE_VALUE_MAX];
    cookie_keys_add(&keys, mac, NULL);
    if (cookie_read(&keys, SLICE("web"), value, &cookie) != COOKIE_OK)
        return;
    assert(cookie.member_len > 0 && cookie.member_len <= COOKIE_MEMBER_MAX);
    size_t n = cookie_write(&keys, SLICE("web"), &cookie, again);
    assert(slice_equal(slice_make(again, n), value));
}

static void check_field(struct slice field)
{
    char *out = mem_alloc(field.len + 1);
    struct slice rest = field, value;
    size_t n = cookie_strip(field, SLICE("W"), out);
    assert(n <= field.len);
    while (cookie_next(&rest, SLICE("W"), &value)) {
        assert(value.len < field.len);
        check_value(value);
    }
    rest = slice_make(out, n);
    assert(!cookie_next(&rest, SLICE("W"), &value));
    mem_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    check_value(input);
    check_field(input);
    return 0;
}
