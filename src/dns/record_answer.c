/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a record answers, as data: those of the members that its branches choose.
 */

#include "dns/record.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/mem.h"
#include "wire/dns.h"
#include "wire/dns_name.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* RFC 9460 section 14.3.2, in the order in which they must stand. */
enum svc_param { SVC_ALPN = 1, SVC_PORT = 3, SVC_IPV4HINT = 4, SVC_IPV6HINT = 6 };

enum {
    PRIORITY_MEMBER = 1,
    PRIORITY_BACKUP = 2,
    HTTPS_PORT = 443,
    IPV4_BYTES = 4,
    IPV6_BYTES = 16,
};

struct made {
    struct arena arena;
    struct record_answer answer;
};

/* Members that the variants serve, as they are gathered. */
struct served_list {
    struct record_served *items;
    uint32_t n, cap;
};

/* What one branch is made of. */
struct maker {
    struct arena *arena;
    const struct record_conf *record;
    const struct zone_conf *zone;
    record_facts_fn *facts;
    void *ctx;
    struct served_list *served;
};

/* ---- names of members ---- */

int record_target(const struct record_conf *record, const struct zone_conf *zone,
                  const struct member *member, uint8_t ret_name[DNS_NAME_MAX], size_t *ret_len,
                  struct err *err)
{
    char text[2 * DNS_LABEL_MAX + 2];
    if (record->target_name.len) {
        memcpy(ret_name, record->target_name.ptr, record->target_name.len);
        *ret_len = record->target_name.len;
        return 0;
    }
    if (member->endpoint.host.len)
        return dns_name_read(member->endpoint.host, DNS_ROOT, ret_name, ret_len, err);
    size_t len = slice_copy(member->name, text, DNS_LABEL_MAX + 1);
    text[len++] = '.';
    len += slice_copy(member->pool->name, text + len, DNS_LABEL_MAX + 1);
    return dns_name_read(slice_make(text, len), zone->origin, ret_name, ret_len, err);
}

/* Of an IP address; its length. */
static size_t address_rdata(const struct addr *addr, uint8_t ret_rdata[IPV6_BYTES])
{
    if (addr_family(addr) == AF_INET) {
        memcpy(ret_rdata, &addr->in4.sin_addr, IPV4_BYTES);
        return IPV4_BYTES;
    }
    memcpy(ret_rdata, &addr->in6.sin6_addr, IPV6_BYTES);
    return IPV6_BYTES;
}

static bool is_named_here(const struct member *member)
{
    int family = addr_family(&member->endpoint.addr);
    return member->endpoint.host.len == 0 && (family == AF_INET || family == AF_INET6);
}

static int name_members(const struct record_conf *record, const struct zone_conf *zone,
                        const struct pool *pool, record_target_fn *fn, void *ctx)
{
    for (uint32_t i = 0; i < pool->n_members; i++) {
        const struct member *member = pool->members[i];
        uint8_t name[DNS_NAME_MAX], rdata[IPV6_BYTES];
        size_t len;
        if (!is_named_here(member) || record_target(record, zone, member, name, &len, NULL) < 0)
            continue;
        size_t n_bytes = address_rdata(&member->endpoint.addr, rdata);
        if (fn(ctx, slice_make((const char *)name, len), n_bytes == IPV4_BYTES ? DNS_A : DNS_AAAA,
               record->ttl_max_s, slice_make((const char *)rdata, n_bytes), record->at) < 0)
            return -1;
    }
    return 0;
}

static bool names_members(const struct record_conf *record)
{
    return record_is_from_pools(record) && record->type != DNS_A && record->type != DNS_AAAA &&
           record->target_name.len == 0;
}

int record_targets(const struct zone_conf *zone, record_target_fn *fn, void *ctx)
{
    uint8_t seen[POOLS_MAX] = {0};
    for (uint32_t r = 0; r < zone->n_records; r++) {
        const struct record_conf *record = zone->records[r];
        for (uint32_t b = 0; names_members(record) && b < record->n_branches; b++) {
            for (uint32_t i = 0; i < record->branches[b].n_choices; i++) {
                const struct pool *pool = record->branches[b].choices[i].pool;
                if (seen[pool->index]++ == 0 && name_members(record, zone, pool, fn, ctx) < 0)
                    return -1;
            }
        }
    }
    return 0;
}

/* ---- data ---- */

static void put_bytes(struct text *out, const void *bytes, size_t len)
{
    text_append(out, slice_make(bytes, len));
}

static void put16(struct text *out, uint32_t value)
{
    uint8_t bytes[2];
    dns_put16(bytes, (uint16_t)value);
    put_bytes(out, bytes, sizeof(bytes));
}

static uint32_t port_of(const struct record_conf *record, const struct record_member *member)
{
    return record->port ? (uint32_t)record->port : member->member->endpoint.port;
}

static uint32_t priority_of(const struct record_member *member)
{
    return member->member->is_backup ? PRIORITY_BACKUP : PRIORITY_MEMBER;
}

/* RFC 9460 section 7.1.1: each name behind its length. */
static void put_alpn(const struct record_conf *record, struct text *out)
{
    struct slice rest = record->alpn;
    if (rest.len == 0)
        return;
    put16(out, SVC_ALPN);
    put16(out, (uint32_t)rest.len + 1);
    do {
        struct slice one = slice_cut(&rest, ',');
        text_append_char(out, (char)one.len);
        text_append(out, one);
    } while (rest.ptr);
}

static void put_service(const struct maker *maker, const struct record_member *member,
                        struct slice target, struct text *out)
{
    const struct record_conf *record = maker->record;
    uint8_t address[IPV6_BYTES];
    uint32_t port = port_of(record, member);
    put16(out, priority_of(member));
    text_append(out, target);
    put_alpn(record, out);
    if (port && (record->type == DNS_SVCB || port != HTTPS_PORT)) {
        put16(out, SVC_PORT);
        put16(out, 2);
        put16(out, port);
    }
    size_t n_bytes = address_rdata(&member->addr, address);
    put16(out, n_bytes == IPV4_BYTES ? SVC_IPV4HINT : SVC_IPV6HINT);
    put16(out, (uint32_t)n_bytes);
    put_bytes(out, address, n_bytes);
}

/* RFC 2782. */
static void put_srv(const struct maker *maker, const struct record_choice *choice,
                    const struct record_member *member, struct slice target, struct text *out)
{
    put16(out, priority_of(member));
    put16(out, choice->is_weighted ? member->weight : 1);
    put16(out, port_of(maker->record, member));
    text_append(out, target);
}

/* A member without a name that fits is left out; check() has refused those of the file. */
static int put_rdata(const struct maker *maker, const struct record_choice *choice,
                     const struct record_member *member, struct text *out)
{
    uint8_t bytes[DNS_NAME_MAX];
    size_t len;
    if (maker->record->type == DNS_A || maker->record->type == DNS_AAAA) {
        len = address_rdata(&member->addr, bytes);
        put_bytes(out, bytes, len);
        return 0;
    }
    if (record_target(maker->record, maker->zone, member->member, bytes, &len, NULL) < 0)
        return -1;
    struct slice target = slice_make((const char *)bytes, len);
    if (maker->record->type == DNS_SRV)
        put_srv(maker, choice, member, target, out);
    else
        put_service(maker, member, target, out);
    return 0;
}

/* ---- a variant ---- */

/* What is gathered of the members that are in. */
struct gathering {
    struct text rdata; /* of a fixed size, or each behind its length */
    uint32_t offsets[POOL_MEMBERS_MAX];
    uint16_t weights[POOL_MEMBERS_MAX];
    uint16_t n;
};

/* Two members at one address, with ports of their own, are one A record. */
static bool is_there(const struct gathering *gathering, size_t from, uint8_t rdata_bytes)
{
    const char *last = gathering->rdata.ptr + from;
    size_t len = gathering->rdata.len - from;
    for (uint16_t i = 0; i < gathering->n; i++) {
        const char *other =
            gathering->rdata.ptr + (rdata_bytes ? (size_t)i * rdata_bytes : gathering->offsets[i]);
        if (memcmp(other, last, len) == 0)
            return true;
    }
    return false;
}

static void gather(const struct maker *maker, const struct record_choice *choice,
                   const struct record_member *member, uint8_t rdata_bytes,
                   struct gathering *gathering)
{
    size_t from = gathering->rdata.len;
    struct text one = TEXT_NONE;
    if (put_rdata(maker, choice, member, &one) == 0) {
        if (!rdata_bytes)
            put16(&gathering->rdata, (uint32_t)one.len);
        text_append(&gathering->rdata, text_slice(&one));
        if (is_there(gathering, from, rdata_bytes)) {
            gathering->rdata.len = from;
        } else {
            gathering->offsets[gathering->n] = (uint32_t)from;
            gathering->weights[gathering->n++] = (uint16_t)member->weight;
        }
    }
    text_deinit(&one);
}

static void note_served(const struct maker *maker, const struct member *member, uint32_t ttl_s)
{
    struct served_list *list = maker->served;
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 16;
        list->items = mem_realloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->n++] = (struct record_served){.member = member, .ttl_s = ttl_s};
}

static uint8_t fixed_size(uint16_t type)
{
    if (type == DNS_A)
        return IPV4_BYTES;
    return type == DNS_AAAA ? IPV6_BYTES : 0;
}

static const void *keep(const struct maker *maker, const void *bytes, size_t size)
{
    void *copy = arena_alloc(maker->arena, size ? size : 1);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

static void fill(const struct maker *maker, const struct record_choice *choice,
                 const struct gathering *gathering, struct record_variant *variant)
{
    uint16_t n = gathering->n;
    variant->n = variant->at_most = n;
    variant->rdata = keep(maker, gathering->rdata.ptr, gathering->rdata.len);
    if (!variant->rdata_bytes)
        variant->offsets = keep(maker, gathering->offsets, n * sizeof(gathering->offsets[0]));
    if (!choice)
        return;
    if (choice->at_most && choice->at_most < n)
        variant->at_most = (uint16_t)choice->at_most;
    if (choice->is_weighted)
        variant->weights = keep(maker, gathering->weights, n * sizeof(gathering->weights[0]));
    variant->is_shuffled = n > 1;
}

static void make_variant(const struct maker *maker, const struct record_branch *branch,
                         struct record_variant *variant)
{
    struct record_outcome *outcome = MEM_NEW(struct record_outcome);
    struct gathering *gathering = MEM_NEW(struct gathering);
    const struct record_choice *choice = NULL;
    record_outcome_make(maker->record, branch, maker->facts, maker->ctx, outcome);
    variant->is_everybody = branch->is_everybody;
    variant->net = branch->net;
    variant->ttl_s = outcome->ttl_s;
    variant->rdata_bytes = fixed_size(maker->record->type);
    if (outcome->choice != RECORD_NO_CHOICE) {
        choice = &branch->choices[outcome->choice];
        const struct record_member *members = maker->facts(maker->ctx, choice->pool);
        for (uint32_t i = 0; i < choice->pool->n_members; i++) {
            if (!record_is_in(outcome->whys[outcome->choice][i]))
                continue;
            gather(maker, choice, &members[i], variant->rdata_bytes, gathering);
            note_served(maker, members[i].member, outcome->ttl_s);
        }
    }
    fill(maker, choice, gathering, variant);
    text_deinit(&gathering->rdata);
    mem_free(gathering);
    mem_free(outcome);
}

/* Everybody's last, before it the longest prefix first. */
static int compare_variants(const void *a, const void *b)
{
    const struct record_variant *left = a;
    const struct record_variant *right = b;
    if (left->is_everybody != right->is_everybody)
        return left->is_everybody ? 1 : -1;
    return (int)right->net.n_bits - (int)left->net.n_bits;
}

struct record_answer *record_answer_make(const struct record_conf *record,
                                         const struct zone_conf *zone, record_facts_fn *facts,
                                         void *ctx)
{
    struct made *made = MEM_NEW(struct made);
    arena_init(&made->arena);
    struct served_list served = {NULL, 0, 0};
    const struct maker maker = {.arena = &made->arena,
                                .record = record,
                                .zone = zone,
                                .facts = facts,
                                .ctx = ctx,
                                .served = &served};
    struct record_variant *variants =
        ARENA_NEW_ARRAY(&made->arena, struct record_variant, record->n_branches);
    for (uint32_t i = 0; i < record->n_branches; i++)
        make_variant(&maker, &record->branches[i], &variants[i]);
    qsort(variants, record->n_branches, sizeof(*variants), compare_variants);
    made->answer = (struct record_answer){
        .type = record->type,
        .n_variants = (uint16_t)record->n_branches,
        .variants = variants,
        .served = keep(&maker, served.items, served.n * sizeof(*served.items)),
        .n_served = served.n,
        .n_refs = 1,
    };
    mem_free(served.items);
    return &made->answer;
}

struct record_answer *record_answer_ref(struct record_answer *answer)
{
    answer->n_refs++;
    return answer;
}

void record_answer_unref(struct record_answer **answer)
{
    struct made *made = CONTAINER_OF(*answer, struct made, answer);
    *answer = NULL;
    assert(made->answer.n_refs > 0);
    if (--made->answer.n_refs)
        return;
    arena_deinit(&made->arena);
    mem_free(made);
}

/* ---- reading ---- */

struct slice record_variant_rdata(const struct record_variant *variant, uint16_t i)
{
    assert(i < variant->n);
    if (variant->rdata_bytes)
        return slice_make((const char *)variant->rdata + (size_t)i * variant->rdata_bytes,
                          variant->rdata_bytes);
    const uint8_t *at = variant->rdata + variant->offsets[i];
    return slice_make((const char *)at + 2, dns_get16(at));
}

static bool is_same_order(const struct record_variant *a, const struct record_variant *b)
{
    if (!a->weights != !b->weights)
        return false;
    return !a->weights || memcmp(a->weights, b->weights, a->n * sizeof(*a->weights)) == 0;
}

static bool is_same_variant(const struct record_variant *a, const struct record_variant *b)
{
    if (a->ttl_s != b->ttl_s || a->n != b->n || a->at_most != b->at_most ||
        a->is_everybody != b->is_everybody || a->net.n_bits != b->net.n_bits ||
        !addr_equal(&a->net.base, &b->net.base) || !is_same_order(a, b))
        return false;
    for (uint16_t i = 0; i < a->n; i++) {
        if (!slice_equal(record_variant_rdata(a, i), record_variant_rdata(b, i)))
            return false;
    }
    return true;
}

bool record_answer_equal(const struct record_answer *a, const struct record_answer *b)
{
    if (a->type != b->type || a->n_variants != b->n_variants)
        return false;
    for (uint16_t i = 0; i < a->n_variants; i++) {
        if (!is_same_variant(&a->variants[i], &b->variants[i]))
            return false;
    }
    return true;
}

/* ---- networks ---- */

/* The bytes of an IP address, as a client has it: an IPv4-mapped one is an IPv4 address. */
static const uint8_t *address_bytes(const struct addr *addr, unsigned *ret_bits)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    *ret_bits = 0;
    if (addr->len == 0)
        return NULL;
    if (addr_family(addr) == AF_INET) {
        *ret_bits = 8 * IPV4_BYTES;
        return (const uint8_t *)&addr->in4.sin_addr;
    }
    if (addr_family(addr) != AF_INET6)
        return NULL;
    const uint8_t *bytes = (const uint8_t *)&addr->in6.sin6_addr;
    bool is_mapped = memcmp(bytes, mapped, sizeof(mapped)) == 0;
    *ret_bits = 8 * (is_mapped ? IPV4_BYTES : IPV6_BYTES);
    return is_mapped ? bytes + sizeof(mapped) : bytes;
}

/* How many of their first bits are the same; `max` at most. */
static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned max)
{
    unsigned n = 0;
    while (n < max && ((a[n / 8] ^ b[n / 8]) >> (7 - n % 8) & 1) == 0)
        n++;
    return n;
}

const struct record_variant *record_answer_match(const struct record_answer *answer,
                                                 const struct addr *from, uint8_t *ret_scope_bits)
{
    unsigned n_bits = 0, scope = 0;
    const uint8_t *bytes = answer->n_variants > 1 ? address_bytes(from, &n_bits) : NULL;
    const struct record_variant *variant = answer->variants;
    for (; !variant->is_everybody; variant++) {
        unsigned net_bits;
        const uint8_t *net = address_bytes(&variant->net.base, &net_bits);
        if (!bytes || !net || net_bits != n_bits)
            continue;
        unsigned n_common = common_bits(bytes, net, variant->net.n_bits);
        if (n_common == variant->net.n_bits) {
            scope = n_common > scope ? n_common : scope;
            break;
        }
        /* The bit that tells them apart belongs to what the answer depends on. */
        scope = n_common + 1 > scope ? n_common + 1 : scope;
    }
    *ret_scope_bits = (uint8_t)scope;
    return variant;
}
