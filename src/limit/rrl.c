/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of buckets: sets of four in a cache line, the one that was asked longest ago gives way.
 */

#include "limit/rrl.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

enum { WAYS = 4, SETS_MIN = 16, MILLI = 1000, COUNT_MAX = 4000000 };

struct bucket {
    uint32_t tag;      /* of the key; 0: never used */
    uint32_t stamp_ms; /* of the last response, low bits */
    uint32_t tokens;   /* thousandths */
    uint32_t n_over;   /* responses that found it empty since it last had a token */
};

struct rrl {
    struct hash_key key;
    uint32_t n_sets; /* a power of two */
    struct bucket (*sets)[WAYS];
};

struct rrl *rrl_create(uint32_t n_keys, uint64_t seed)
{
    struct rrl *rrl = MEM_NEW(struct rrl);
    rrl->key = (struct hash_key){hash_mix(seed), hash_mix(seed + 1)};
    rrl->n_sets = SETS_MIN;
    while (rrl->n_sets < n_keys / WAYS)
        rrl->n_sets *= 2;
    rrl->sets = mem_alloc_zero(rrl->n_sets, sizeof(*rrl->sets));
    return rrl;
}

void rrl_destroy(struct rrl **rrl)
{
    if (*rrl)
        mem_free((*rrl)->sets);
    mem_free(*rrl);
    *rrl = NULL;
}

struct rrl_rate rrl_share(int64_t count, int64_t per_ms, uint32_t n_loops)
{
    int64_t share = count / n_loops;
    if (share < 1)
        share = 1;
    if (share > COUNT_MAX)
        share = COUNT_MAX;
    return (struct rrl_rate){.count = (uint32_t)share, .per_ms = (uint32_t)per_ms};
}

/* The first n_bits of the bytes, the rest zero. */
static size_t mask(uint8_t *bytes, size_t len, unsigned n_bits)
{
    size_t whole = n_bits / 8;
    if (whole >= len)
        return len;
    bytes[whole] = (uint8_t)(bytes[whole] & ~(0xff >> n_bits % 8));
    memset(bytes + whole + 1, 0, len - whole - 1);
    return len;
}

uint64_t rrl_network(const struct rrl *rrl, const struct addr *addr, unsigned ipv4_bits,
                     unsigned ipv6_bits)
{
    uint8_t bytes[16];
    size_t len;
    if (addr_family(addr) == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr)) {
        memcpy(bytes, &addr->in6.sin6_addr, 16);
        len = mask(bytes, 16, ipv6_bits);
    } else {
        const uint8_t *in4 = addr_family(addr) == AF_INET6 ? addr->in6.sin6_addr.s6_addr + 12
                                                           : (const uint8_t *)&addr->in4.sin_addr;
        memcpy(bytes, in4, 4);
        len = mask(bytes, 4, ipv4_bits);
    }
    return hash_bytes(&rrl->key, slice_make((const char *)bytes, len));
}

uint64_t rrl_key(const struct rrl *rrl, uint64_t network, uint32_t kind, struct slice name)
{
    uint64_t what = name.len ? hash_bytes(&rrl->key, name) : 0;
    return hash_mix(network ^ hash_mix(what + kind));
}

/* The key's bucket, or the one that gives way to it. */
static struct bucket *find(struct rrl *rrl, uint64_t key, uint32_t tag, uint32_t now_ms)
{
    struct bucket *set = rrl->sets[key & (rrl->n_sets - 1)];
    struct bucket *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].tag == tag)
            return &set[i];
        if (set[i].tag == 0)
            return &set[i];
        if (now_ms - set[i].stamp_ms > now_ms - oldest->stamp_ms)
            oldest = &set[i];
    }
    return oldest;
}

/* Tokens that have come since the last response. */
static void fill(struct bucket *bucket, const struct rrl_rate *rate, uint32_t now_ms)
{
    uint64_t passed_ms = now_ms - bucket->stamp_ms;
    uint64_t full = (uint64_t)rate->count * MILLI;
    uint64_t more = passed_ms >= rate->per_ms ? full : full * passed_ms / rate->per_ms;
    uint64_t tokens = bucket->tokens + more;
    bucket->tokens = (uint32_t)(tokens < full ? tokens : full);
    /* What is less than a thousandth would be lost at each response, and with it a slow rate. */
    if (more > 0)
        bucket->stamp_ms = now_ms;
}

enum rrl_verdict rrl_take(struct rrl *rrl, uint64_t key, const struct rrl_rate *rate, uint32_t slip,
                          uint64_t now_ms)
{
    assert(rate->count > 0 && rate->per_ms > 0);
    uint32_t tag = (uint32_t)(key >> 32) | 1;
    uint32_t now = (uint32_t)now_ms;
    struct bucket *bucket = find(rrl, key, tag, now);
    if (bucket->tag != tag)
        *bucket =
            (struct bucket){.tag = tag, .stamp_ms = now, .tokens = rate->count * (uint32_t)MILLI};
    else
        fill(bucket, rate, now);
    if (bucket->tokens >= MILLI) {
        bucket->tokens -= MILLI;
        bucket->n_over = 0;
        return RRL_PASS;
    }
    bucket->n_over++;
    return slip && bucket->n_over % slip == 0 ? RRL_SLIP : RRL_DROP;
}
