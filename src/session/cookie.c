/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sticky cookies: written, read, and judged by their age.
 */

#include "session/cookie.h"

#include "base/base64.h"
#include <assert.h>
#include <string.h>

enum {
    VERSION_CHARS = 3, /* "v1." */
    ID_END = VERSION_CHARS + COOKIE_ID_CHARS,
    PAYLOAD_OFF = ID_END + 1,
    PAYLOAD_CHARS_MAX = BASE64_CHARS(COOKIE_PAYLOAD_MAX),
    MAC_CHARS = BASE64_CHARS(COOKIE_MAC_BYTES),
    POOL_MAX = 64, /* a name, and more than its 63 bytes are not signed by anybody */
    SIGNED_MAX = PAYLOAD_OFF + PAYLOAD_CHARS_MAX + 1 + POOL_MAX,
    SECONDS_BYTES = 5,
    IDLE_SHARE = 8, /* the part of idle that a cookie may be behind */
};

_Static_assert((int)COOKIE_VALUE_MAX == PAYLOAD_OFF + PAYLOAD_CHARS_MAX + 1 + MAC_CHARS,
               "COOKIE_VALUE_MAX is the longest value");

/* ---- keys ---- */

void cookie_keys_add(struct cookie_keys *keys, cookie_mac_fn *mac, void *key)
{
    uint8_t hash[COOKIE_HASH_BYTES];
    assert(keys->n_items < COOKIE_KEYS_MAX);
    struct cookie_key *item = &keys->items[keys->n_items++];
    item->mac = mac;
    item->key = key;
    mac(key, SLICE("key id"), hash); /* no cookie begins like this */
    base64_write(hash, BASE64_BYTES(COOKIE_ID_CHARS), item->id);
}

/* What is signed, of a value up to the end of its payload, with the pool's name behind it. */
static void sign(const struct cookie_key *key, struct slice pool, struct slice text,
                 uint8_t ret_mac[COOKIE_HASH_BYTES])
{
    char bytes[SIGNED_MAX];
    assert(text.len + 1 + pool.len <= sizeof(bytes));
    memcpy(bytes, text.ptr, text.len);
    bytes[text.len] = '\0';
    memcpy(bytes + text.len + 1, pool.ptr, pool.len);
    key->mac(key->key, slice_make(bytes, text.len + 1 + pool.len), ret_mac);
}

/* ---- writing ---- */

static void put_seconds(uint8_t *out, uint64_t seconds)
{
    for (int i = 0; i < SECONDS_BYTES; i++)
        out[i] = (uint8_t)(seconds >> 8 * (SECONDS_BYTES - 1 - i));
}

static uint64_t get_seconds(const uint8_t *in)
{
    uint64_t seconds = 0;
    for (int i = 0; i < SECONDS_BYTES; i++)
        seconds = seconds << 8 | in[i];
    return seconds;
}

size_t cookie_write(const struct cookie_keys *keys, struct slice pool, const struct cookie *cookie,
                    char ret_value[COOKIE_VALUE_MAX])
{
    uint8_t payload[COOKIE_PAYLOAD_MAX] = {0};
    uint8_t mac[COOKIE_HASH_BYTES];
    assert(keys->n_items > 0 && cookie->member_len > 0 && cookie->member_len <= COOKIE_MEMBER_MAX);
    const struct cookie_key *key = &keys->items[0];
    put_seconds(payload + 1, cookie->born_s);
    put_seconds(payload + 1 + SECONDS_BYTES, cookie->used_s);
    memcpy(payload + COOKIE_HEAD_BYTES, cookie->member, cookie->member_len);
    memcpy(ret_value, "v1.", VERSION_CHARS);
    memcpy(ret_value + VERSION_CHARS, key->id, COOKIE_ID_CHARS);
    ret_value[ID_END] = '.';
    size_t at = PAYLOAD_OFF;
    at += base64_write(payload, (size_t)COOKIE_HEAD_BYTES + cookie->member_len, ret_value + at);
    sign(key, pool, slice_make(ret_value, at), mac);
    ret_value[at++] = '.';
    return at + base64_write(mac, COOKIE_MAC_BYTES, ret_value + at);
}

/* ---- reading ---- */

static const struct cookie_key *find_key(const struct cookie_keys *keys, const char *id)
{
    for (size_t i = 0; i < keys->n_items; i++)
        if (memcmp(keys->items[i].id, id, COOKIE_ID_CHARS) == 0)
            return &keys->items[i];
    return NULL;
}

static bool payload_read(const uint8_t *payload, size_t len, struct cookie *ret_cookie)
{
    if (payload[0] != 0)
        return false;
    ret_cookie->born_s = get_seconds(payload + 1);
    ret_cookie->used_s = get_seconds(payload + 1 + SECONDS_BYTES);
    ret_cookie->member_len = (uint8_t)(len - COOKIE_HEAD_BYTES);
    memcpy(ret_cookie->member, payload + COOKIE_HEAD_BYTES, ret_cookie->member_len);
    return true;
}

enum cookie_result cookie_read(const struct cookie_keys *keys, struct slice pool,
                               struct slice value, struct cookie *ret_cookie)
{
    uint8_t payload[COOKIE_PAYLOAD_MAX];
    uint8_t mac[COOKIE_MAC_BYTES], own[COOKIE_HASH_BYTES];
    if (value.len > COOKIE_VALUE_MAX || value.len < PAYLOAD_OFF + 1 + MAC_CHARS ||
        !slice_starts(value, SLICE("v1.")) || value.ptr[ID_END] != '.')
        return COOKIE_FORGED;
    size_t payload_end = value.len - MAC_CHARS - 1;
    struct slice text = slice_make(value.ptr, payload_end);
    ssize_t n = base64_read(slice_skip(text, PAYLOAD_OFF), payload, sizeof(payload));
    ssize_t n_mac = base64_read(slice_skip(value, payload_end + 1), mac, sizeof(mac));
    if (n <= COOKIE_HEAD_BYTES || n_mac != COOKIE_MAC_BYTES || value.ptr[payload_end] != '.')
        return COOKIE_FORGED;
    const struct cookie_key *key = find_key(keys, value.ptr + VERSION_CHARS);
    if (!key)
        return COOKIE_NO_KEY;
    sign(key, pool, text, own);
    if (!slice_equal_secret(slice_make((const char *)mac, COOKIE_MAC_BYTES),
                            slice_make((const char *)own, COOKIE_MAC_BYTES)) ||
        !payload_read(payload, (size_t)n, ret_cookie))
        return COOKIE_FORGED;
    return COOKIE_OK;
}

/* ---- age ---- */

static uint64_t age_s(uint64_t since_s, uint64_t now_s)
{
    return now_s > since_s ? now_s - since_s : 0;
}

bool cookie_is_expired(const struct cookie *cookie, const struct cookie_policy *policy,
                       uint64_t now_s)
{
    if (policy->life_s && age_s(cookie->born_s, now_s) >= policy->life_s)
        return true;
    uint64_t idle_s = policy->idle_s + policy->idle_s / IDLE_SHARE;
    return policy->idle_s && age_s(cookie->used_s, now_s) >= idle_s;
}

bool cookie_is_worn(const struct cookie *cookie, const struct cookie_policy *policy, uint64_t now_s)
{
    return policy->idle_s && age_s(cookie->used_s, now_s) > policy->idle_s / IDLE_SHARE;
}

/* ---- the field ---- */

/* One pair off the front: its name, and its value without the quotes that it may have. */
static struct slice cut_pair(struct slice *rest, struct slice *ret_value)
{
    struct slice pair = slice_trim(slice_cut(rest, ';'));
    struct slice name = slice_cut(&pair, '=');
    struct slice value = pair.ptr ? slice_trim(pair) : SLICE("");
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = slice_make(value.ptr + 1, value.len - 2);
    *ret_value = value;
    return slice_trim(name);
}

bool cookie_next(struct slice *rest, struct slice name, struct slice *ret_value)
{
    while (rest->ptr) {
        struct slice value;
        if (slice_equal(cut_pair(rest, &value), name)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

size_t cookie_strip(struct slice value, struct slice name, char *out)
{
    size_t n = 0;
    struct slice rest = value;
    while (rest.ptr) {
        struct slice part = slice_cut(&rest, ';');
        struct slice looked = part, unused;
        if (slice_trim(part).len == 0 || slice_equal(cut_pair(&looked, &unused), name))
            continue;
        if (n > 0)
            out[n++] = ';';
        else
            part = slice_trim(part);
        memcpy(out + n, part.ptr, part.len);
        n += part.len;
    }
    return n;
}
