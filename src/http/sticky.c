/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sessions of requests: which member they ask for, and what the client is told about it.
 */

#include "http/sticky.h"

#include "base/mem.h"
#include "pool/pool.h"
#include "session/rendezvous.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- keys ---- */

static void mac(void *key, struct slice data, uint8_t ret_mac[COOKIE_HASH_BYTES])
{
    tls_mac_sign(key, data, ret_mac);
}

static void hash_key_init(struct hash_key *hash, struct slice secret)
{
    uint8_t bytes[TLS_KEY_BYTES];
    tls_derive_key(secret, "keys of requests", bytes);
    memcpy(hash, bytes, sizeof(*hash));
}

void sticky_keys_init(struct sticky_keys *keys, struct slice secret)
{
    struct secrets secrets;
    *keys = (struct sticky_keys){.cookie = {.n_items = 0}};
    int result = secrets_parse(secret, &secrets, NULL);
    assert(result == 0);
    _Static_assert((int)SECRETS_MAX <= (int)COOKIE_KEYS_MAX, "a key for each secret");
    for (size_t i = 0; i < secrets.n_items; i++) {
        uint8_t bytes[TLS_KEY_BYTES];
        tls_derive_key(secrets.items[i], "sticky cookie", bytes);
        keys->macs[i] = tls_mac_create(slice_make((const char *)bytes, sizeof(bytes)));
        cookie_keys_add(&keys->cookie, mac, keys->macs[i]);
        tls_wipe(bytes, sizeof(bytes));
    }
    hash_key_init(&keys->hash, secrets.items[0]);
}

void sticky_keys_deinit(struct sticky_keys *keys)
{
    for (size_t i = 0; i < ARRAY_LEN(keys->macs); i++)
        if (keys->macs[i])
            tls_mac_destroy(&keys->macs[i]);
}

/* ---- the beginning ---- */

static const char *const state_names[STICKY_N_STATES] = {
    [STICKY_OFF] = "off",       [STICKY_NEW] = "new",       [STICKY_HELD] = "held",
    [STICKY_MOVED] = "moved",   [STICKY_GONE] = "gone",     [STICKY_EXPIRED] = "expired",
    [STICKY_FORGED] = "forged", [STICKY_NO_KEY] = "no_key",
};

const char *sticky_state_name(enum sticky_state state)
{
    return state_names[state];
}

static struct cookie_policy policy_of(const struct sticky_conf *conf)
{
    return (struct cookie_policy){.idle_s = (uint64_t)conf->idle_ms / 1000,
                                  .life_s = (uint64_t)conf->life_ms / 1000};
}

static const struct member *find_member(const struct pool *pool, struct slice name)
{
    for (uint32_t i = 0; i < pool->n_members; i++)
        if (slice_equal(pool->members[i]->name, name))
            return pool->members[i];
    return NULL;
}

/* A cookie that was believed. */
static void take_cookie(struct sticky *sticky, const struct sticky_ask *ask,
                        const struct pool *pool, const struct cookie *cookie)
{
    struct cookie_policy policy = policy_of(ask->conf);
    sticky->is_due = true;
    if (cookie_is_expired(cookie, &policy, ask->now_s)) {
        sticky->state = STICKY_EXPIRED;
        return;
    }
    sticky->born_s = cookie->born_s;
    sticky->member = find_member(pool, cookie_member(cookie));
    sticky->state = sticky->member ? STICKY_HELD : STICKY_GONE;
    if (sticky->member)
        sticky->is_due = cookie_is_worn(cookie, &policy, ask->now_s);
}

/* Is this value good for one of the pools of the route? Then that is the client's. */
static struct pool *read_value(struct sticky *sticky, const struct sticky_ask *ask,
                               const struct route *route, struct slice value)
{
    uint32_t n = route_n_pools(route);
    for (uint32_t i = 0; i < n; i++) {
        struct pool *pool = route_pool(route, i);
        struct cookie cookie;
        enum cookie_result result = cookie_read(&ask->keys->cookie, pool->name, value, &cookie);
        if (result == COOKIE_OK) {
            take_cookie(sticky, ask, pool, &cookie);
            return pool;
        }
        sticky->state = result == COOKIE_FORGED ? STICKY_FORGED : STICKY_NO_KEY;
    }
    return NULL;
}

/* The first of the request's cookies that can be believed decides; there may be several, as a
 * browser keeps one a path, and as others may plant them. */
static struct pool *read_cookies(struct sticky *sticky, const struct sticky_ask *ask,
                                 const struct route *route)
{
    const struct h1_head *head = ask->head;
    uint32_t n_read = 0;
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (head->fields[i].id != H1_FIELD_COOKIE)
            continue;
        struct slice rest = h1_field_value(ask->buf, &head->fields[i]), value;
        while (n_read < STICKY_COOKIES_MAX && cookie_next(&rest, ask->conf->name, &value)) {
            struct pool *pool = read_value(sticky, ask, route, value);
            if (pool)
                return pool;
            n_read++;
        }
    }
    return NULL;
}

static struct pool *begin_cookie(struct sticky *sticky, const struct sticky_ask *ask,
                                 const struct route *route)
{
    sticky->state = STICKY_NEW;
    sticky->is_due = true;
    struct pool *pool = read_cookies(sticky, ask, route);
    return pool ? pool : route_choose(route, ask->draw);
}

static struct pool *begin_key(struct sticky *sticky, const struct sticky_ask *ask,
                              const struct route *route)
{
    enum pick_key_kind kind = ask->conf->kind == STICKY_SOURCE ? PICK_KEY_SOURCE : PICK_KEY_HEADER;
    sticky->has_key = pick_key(kind, ask->conf->name, &ask->keys->hash, ask->head, ask->buf,
                               ask->peer, &sticky->key);
    if (!sticky->has_key)
        return route_choose(route, ask->draw);
    sticky->state = STICKY_HELD;
    /* Mixed once more, so that the side says nothing about the place within the pool. */
    return route_choose(route, (uint32_t)(hash_mix(sticky->key) >> 32));
}

struct pool *sticky_begin(const struct sticky_ask *ask, const struct route *route,
                          struct sticky *ret_sticky)
{
    *ret_sticky = (struct sticky){.state = STICKY_OFF};
    if (!ask->conf)
        return route_choose(route, ask->draw);
    if (ask->conf->kind == STICKY_COOKIE)
        return begin_cookie(ret_sticky, ask, route);
    return begin_key(ret_sticky, ask, route);
}

/* ---- picks ---- */

static bool is_tried(const struct upstream_tried *tried, uint32_t index)
{
    return tried && (tried->bits[index / 64] >> (index % 64) & 1);
}

const struct upstream_member *sticky_member(const struct sticky *sticky,
                                            const struct sticky_keys *keys,
                                            const struct upstream_pool *pool,
                                            const struct upstream_tried *tried)
{
    if (sticky->member)
        return &pool->members[sticky->member->index];
    const struct upstream_member *best = NULL;
    double best_score = 0;
    for (uint32_t i = 0; sticky->has_key && i < pool->n_members; i++) {
        const struct upstream_member *own = &pool->members[i];
        const struct member *member = own->view.member;
        if (is_tried(tried, i) || !upstream_is_usable(own))
            continue;
        uint64_t hash = hash_bytes(&keys->hash, member->name);
        double score = rendezvous_score(sticky->key, hash, (uint32_t)member->weight);
        if (score > best_score) {
            best = own;
            best_score = score;
        }
    }
    return best;
}

bool sticky_picked(struct sticky *sticky, const struct member *member)
{
    if (sticky->state == STICKY_GONE)
        return true;
    if (!sticky->member || sticky->member == member)
        return false;
    sticky->state = STICKY_MOVED;
    sticky->is_due = true;
    return true;
}

/* ---- what the client is told ---- */

size_t sticky_lines(const struct sticky *sticky, const struct sticky_conf *conf,
                    const struct sticky_keys *keys, const struct member *member, uint64_t now_s,
                    bool is_tls, char out[STICKY_LINES_MAX])
{
    static const char *const same_sites[] = {"Lax", "Strict", "None"};
    char value[COOKIE_VALUE_MAX];
    if (!conf || conf->kind != STICKY_COOKIE || !sticky->is_due)
        return 0;
    struct cookie cookie = {.born_s = sticky->born_s ? sticky->born_s : now_s,
                            .used_s = now_s,
                            .member_len = (uint8_t)member->name.len};
    memcpy(cookie.member, member->name.ptr, member->name.len);
    size_t len = cookie_write(&keys->cookie, member->pool->name, &cookie, value);
    int n = snprintf(out, STICKY_LINES_MAX,
                     "Set-Cookie: %.*s=%.*s; Path=/; HttpOnly; SameSite=%s%s%s%.*s\r\n"
                     "Cache-Control: private\r\n",
                     SLICE_ARG(conf->name), (int)len, value, same_sites[conf->same_site],
                     is_tls ? "; Secure" : "", conf->domain.len ? "; Domain=" : "",
                     SLICE_ARG(conf->domain));
    assert(n > 0 && n < STICKY_LINES_MAX);
    return (size_t)n;
}

static bool has_own(const struct sticky_conf *conf, struct slice field)
{
    struct slice rest = field, value;
    return cookie_next(&rest, conf->name, &value);
}

static size_t put(char *out, struct slice bytes)
{
    memcpy(out, bytes.ptr, bytes.len);
    return bytes.len;
}

static size_t strip_field(const struct sticky_conf *conf, struct slice field, char *out)
{
    size_t n = put(out, SLICE("Cookie: "));
    size_t len = cookie_strip(field, conf->name, out + n);
    return len ? n + len + put(out + n + len, SLICE("\r\n")) : 0;
}

bool sticky_strip(const struct sticky_conf *conf, const struct h1_head *head, const char *buf,
                  char *out, size_t *ret_len)
{
    bool is_changed = false;
    *ret_len = 0;
    if (!conf || conf->kind != STICKY_COOKIE || !h1_has(head, H1_FIELD_COOKIE))
        return false;
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (head->fields[i].id != H1_FIELD_COOKIE)
            continue;
        struct slice field = h1_field_value(buf, &head->fields[i]);
        is_changed |= has_own(conf, field);
        *ret_len += strip_field(conf, field, out + *ret_len);
    }
    return is_changed;
}
