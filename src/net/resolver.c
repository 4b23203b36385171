/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names, whose addresses are kept fresh, and look-ups. A look-up is an object of its own, because
 * c-ares cannot forget a single question: whoever loses interest in one leaves it behind as an
 * orphan.
 */

#include "net/resolver.h"

#include "base/mem.h"
#include "base/rng.h"
#include "net/ares_link.h"
#include <arpa/nameser.h>
#include <assert.h>

enum { NS_PER_MS = 1000000 };

struct resolver {
    struct loop *loop;
    struct ares_link ares;
    struct rng rng;
    uint64_t seed;
    struct hosts hosts;
    struct resolv_conf conf;
    char *hosts_bytes; /* as given, to see whether the next ones differ */
    char *conf_bytes;
    struct list names;   /* of struct resolver_name */
    struct list waiting; /* for their turn */
    uint32_t n_lookups;
    struct loop_timer turn_timer; /* somebody's turn has come */
};

/* The answers to A and AAAA for one candidate. */
struct resolver_lookup {
    struct resolver *resolver;
    struct resolver_name *name; /* NULL: an orphan */
    size_t candidate;
    unsigned n_pending;
    bool is_cancelled;
    enum resolver_status status;    /* of the last candidate */
    enum resolver_status v4_status; /* of its A question */
    enum resolver_status worst; /* of all candidates: what went wrong, not what does not exist */
    uint32_t ttl_s;
    size_t n_addrs;
    struct addr addrs[RESOLVER_ADDRS_MAX];
};

static void name_ask(struct resolver_name *name);
static void lookup_next(struct resolver_lookup *lookup);

const char *resolver_status_text(enum resolver_status status)
{
    static const char *const texts[RESOLVER_N_STATUSES] = {
        [RESOLVER_OK] = "resolved",
        [RESOLVER_NO_NAME] = "no such name",
        [RESOLVER_NO_ADDRESS] = "the name has no address",
        [RESOLVER_TIMEOUT] = "no answer from DNS",
        [RESOLVER_NO_SERVER] = "no DNS server could answer",
        [RESOLVER_GARBAGE] = "the DNS answer cannot be read",
        [RESOLVER_BAD_NAME] = "not a name that DNS can have",
        [RESOLVER_FAILED] = "the look-up failed",
    };
    assert(status < RESOLVER_N_STATUSES);
    return texts[status];
}

/* ---- answers ---- */

static enum resolver_status status_of(int code)
{
    switch (code) {
    case ARES_SUCCESS:
        return RESOLVER_OK;
    case ARES_ENOTFOUND:
        return RESOLVER_NO_NAME;
    case ARES_ENODATA:
        return RESOLVER_NO_ADDRESS;
    case ARES_ETIMEOUT:
        return RESOLVER_TIMEOUT;
    case ARES_ECONNREFUSED:
        return RESOLVER_NO_SERVER;
    case ARES_EBADRESP:
        return RESOLVER_GARBAGE;
    case ARES_EBADNAME:
    case ARES_EFORMERR:
        return RESOLVER_BAD_NAME;
    default:
        return RESOLVER_FAILED;
    }
}

/* Could another try, or another server, say something else? */
static bool is_transient(enum resolver_status status)
{
    return status != RESOLVER_OK && status != RESOLVER_NO_NAME && status != RESOLVER_NO_ADDRESS;
}

static void lookup_add(struct resolver_lookup *lookup, const struct addr *addr, int ttl)
{
    if (lookup->n_addrs == RESOLVER_ADDRS_MAX)
        return;
    lookup->addrs[lookup->n_addrs++] = *addr;
    uint32_t ttl_s = ttl > 0 ? (uint32_t)ttl : 0;
    if (ttl_s < lookup->ttl_s)
        lookup->ttl_s = ttl_s;
}

static int read_v4(struct resolver_lookup *lookup, const unsigned char *bytes, int len)
{
    struct ares_addrttl rows[RESOLVER_ADDRS_MAX / 2];
    int n_rows = ARRAY_LEN(rows);
    int code = ares_parse_a_reply(bytes, len, NULL, rows, &n_rows);
    for (int i = 0; code == ARES_SUCCESS && i < n_rows; i++) {
        struct addr addr = {.len = sizeof(addr.in4)};
        addr.in4.sin_family = AF_INET;
        addr.in4.sin_addr = rows[i].ipaddr;
        lookup_add(lookup, &addr, rows[i].ttl);
    }
    return code;
}

static int read_v6(struct resolver_lookup *lookup, const unsigned char *bytes, int len)
{
    struct ares_addr6ttl rows[RESOLVER_ADDRS_MAX / 2];
    int n_rows = ARRAY_LEN(rows);
    int code = ares_parse_aaaa_reply(bytes, len, NULL, rows, &n_rows);
    for (int i = 0; code == ARES_SUCCESS && i < n_rows; i++) {
        struct addr addr = {.len = sizeof(addr.in6)};
        addr.in6.sin6_family = AF_INET6;
        memcpy(&addr.in6.sin6_addr, &rows[i].ip6addr, sizeof(addr.in6.sin6_addr));
        lookup_add(lookup, &addr, rows[i].ttl);
    }
    return code;
}

/* One of the two questions has its answer. The graver of two failures is the candidate's. */
static enum resolver_status lookup_note(struct resolver_lookup *lookup, int code)
{
    enum resolver_status status = status_of(code);
    if (code == ARES_ECANCELLED || code == ARES_EDESTRUCTION)
        lookup->is_cancelled = true;
    if (is_transient(status) || !is_transient(lookup->status))
        lookup->status = status;
    return status;
}

static void on_answer_v4(void *arg, int code, int n_timeouts, unsigned char *bytes, int len)
{
    (void)n_timeouts;
    struct resolver_lookup *lookup = arg;
    if (code == ARES_SUCCESS)
        code = read_v4(lookup, bytes, len);
    lookup->v4_status = lookup_note(lookup, code);
    if (--lookup->n_pending == 0)
        lookup_next(lookup);
}

static void on_answer_v6(void *arg, int code, int n_timeouts, unsigned char *bytes, int len)
{
    (void)n_timeouts;
    struct resolver_lookup *lookup = arg;
    if (code == ARES_SUCCESS)
        code = read_v6(lookup, bytes, len);
    lookup_note(lookup, code);
    if (--lookup->n_pending == 0)
        lookup_next(lookup);
}

/* ---- which address ---- */

static bool is_among(const struct addr *addr, const struct addr *addrs, size_t n_addrs)
{
    for (size_t i = 0; i < n_addrs; i++) {
        if (addr_equal(addr, &addrs[i]))
            return true;
    }
    return false;
}

/* IPv4 before IPv6, then by bytes. */
static bool is_before(const struct addr *a, const struct addr *b)
{
    if (addr_family(a) != addr_family(b))
        return addr_family(a) == AF_INET;
    if (addr_family(a) == AF_INET)
        return memcmp(&a->in4.sin_addr, &b->in4.sin_addr, sizeof(a->in4.sin_addr)) < 0;
    return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) < 0;
}

static void name_choose(struct resolver_name *name, const struct addr *addrs, size_t n_addrs)
{
    if (name->addr.len && is_among(&name->addr, addrs, n_addrs))
        return;
    size_t best = 0;
    for (size_t i = 1; i < n_addrs; i++) {
        if (is_before(&addrs[i], &addrs[best]))
            best = i;
    }
    name->addr = addrs[best];
}

/* ---- a name's life ---- */

static void name_wait(struct resolver_name *name, uint64_t wait_ms)
{
    struct resolver *resolver = name->resolver;
    uint64_t wait_ns = wait_ms * NS_PER_MS;
    wait_ns += rng_below(&resolver->rng, wait_ns / 10 + 1);
    loop_timer_set(resolver->loop, &name->timer, loop_now_ns(resolver->loop) + wait_ns);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void name_answered(struct resolver_name *name, enum resolver_status status, uint32_t ttl_s)
{
    name->is_answered = true;
    name->status = status;
    if (status == RESOLVER_OK) {
        name->n_failed = 0;
        if (!name->is_static)
            name_wait(name,
                      clamp((uint64_t)ttl_s * 1000, RESOLVER_TTL_MIN_MS, RESOLVER_TTL_MAX_MS));
    } else {
        uint32_t shift = name->n_failed < 16 ? name->n_failed : 16;
        name->n_failed++;
        name_wait(name, clamp((uint64_t)RESOLVER_RETRY_MIN_MS << shift, RESOLVER_RETRY_MIN_MS,
                              RESOLVER_RETRY_MAX_MS));
    }
    name->on_answer(name);
}

static bool name_from_hosts(struct resolver_name *name)
{
    struct addr addrs[RESOLVER_ADDRS_MAX];
    size_t n_addrs = hosts_find(&name->resolver->hosts, name->host, addrs, ARRAY_LEN(addrs));
    name->is_static = n_addrs > 0;
    if (n_addrs == 0)
        return false;
    name_choose(name, addrs, n_addrs);
    name_answered(name, RESOLVER_OK, 0);
    return true;
}

static void name_on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    name_ask(CONTAINER_OF(timer, struct resolver_name, timer));
}

/* ---- look-ups ---- */

static void resolver_call_turn(struct resolver *resolver)
{
    if (!list_is_empty(&resolver->waiting) && !loop_timer_is_set(&resolver->turn_timer))
        loop_timer_set(resolver->loop, &resolver->turn_timer, loop_now_ns(resolver->loop));
}

static void lookup_end(struct resolver_lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    assert(resolver->n_lookups > 0);
    resolver->n_lookups--;
    if (lookup->name)
        lookup->name->lookup = NULL;
    mem_free(lookup);
    resolver_call_turn(resolver);
}

static void lookup_ask(struct resolver_lookup *lookup, const char *candidate)
{
    lookup->status = RESOLVER_NO_NAME;
    lookup->ttl_s = UINT32_MAX;
    lookup->n_addrs = 0;
    lookup->n_pending = 2;
    ares_channel channel = lookup->resolver->ares.channel;
    /* Either may be answered before it returns; the second one then goes on or ends. */
    ares_query(channel, candidate, ns_c_in, ns_t_a, on_answer_v4, lookup);
    ares_query(channel, candidate, ns_c_in, ns_t_aaaa, on_answer_v6, lookup);
}

/* Is there an answer to act on? An IPv4 address is not given up because only AAAA was answered. */
static bool lookup_is_good(const struct resolver_lookup *lookup)
{
    const struct addr *addr = &lookup->name->addr;
    if (lookup->n_addrs == 0)
        return false;
    return !(addr->len && addr_family(addr) == AF_INET && is_transient(lookup->v4_status));
}

/* Asks for the next candidate; without one the name has its answer. */
static void lookup_go_on(struct resolver_lookup *lookup)
{
    const struct resolv_conf *conf = &lookup->resolver->conf;
    struct resolver_name *name = lookup->name;
    char candidate[HOSTS_NAME_MAX + 1];
    while (resolv_conf_candidate(conf, name->host, lookup->candidate++, candidate)) {
        if (!candidate[0])
            continue;
        lookup_ask(lookup, candidate);
        return;
    }
    enum resolver_status status = lookup->worst;
    lookup_end(lookup);
    name_answered(name, status, 0);
}

/* Both questions of a candidate are answered: done, or the next candidate. */
static void lookup_next(struct resolver_lookup *lookup)
{
    struct resolver_name *name = lookup->name;
    if (!name || lookup->is_cancelled) {
        lookup_end(lookup);
        return;
    }
    if (lookup_is_good(lookup)) {
        uint32_t ttl_s = lookup->ttl_s;
        name_choose(name, lookup->addrs, lookup->n_addrs);
        lookup_end(lookup);
        name_answered(name, RESOLVER_OK, ttl_s);
        return;
    }
    if (is_transient(lookup->status) || !is_transient(lookup->worst))
        lookup->worst = lookup->status;
    lookup_go_on(lookup);
}

static void lookup_start(struct resolver *resolver, struct resolver_name *name)
{
    struct resolver_lookup *lookup = MEM_NEW(struct resolver_lookup);
    lookup->resolver = resolver;
    lookup->name = name;
    lookup->worst = RESOLVER_NO_NAME;
    name->lookup = lookup;
    resolver->n_lookups++;
    lookup_go_on(lookup);
    ares_link_rearm(&resolver->ares);
}

static void resolver_on_turn(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct resolver *resolver = CONTAINER_OF(timer, struct resolver, turn_timer);
    while (resolver->n_lookups < RESOLVER_LOOKUPS_MAX && !list_is_empty(&resolver->waiting)) {
        struct resolver_name *name = LIST_FIRST(&resolver->waiting, struct resolver_name, turn);
        list_remove(&name->turn);
        lookup_start(resolver, name);
    }
}

static void name_ask(struct resolver_name *name)
{
    if (name->lookup || list_is_linked(&name->turn) || name_from_hosts(name))
        return;
    list_add_back(&name->resolver->waiting, &name->turn);
    resolver_call_turn(name->resolver);
}

/* ---- for owners ---- */

void resolver_name_init(struct resolver_name *name)
{
    *name = (struct resolver_name){.status = RESOLVER_OK};
    list_init(&name->link);
    list_init(&name->turn);
    loop_timer_init(&name->timer, name_on_timer);
}

void resolver_watch(struct resolver *resolver, struct resolver_name *name, struct slice host,
                    void (*on_answer)(struct resolver_name *name))
{
    assert(!name->resolver);
    name->resolver = resolver;
    name->host = host;
    name->on_answer = on_answer;
    if (name->addr.len)
        addr_set_port(&name->addr, 0);
    list_add_back(&resolver->names, &name->link);
    loop_timer_set(resolver->loop, &name->timer, loop_now_ns(resolver->loop));
}

void resolver_unwatch(struct resolver_name *name)
{
    if (!name->resolver)
        return;
    if (name->lookup)
        name->lookup->name = NULL;
    name->lookup = NULL;
    list_remove(&name->link);
    list_remove(&name->turn);
    loop_timer_clear(name->resolver->loop, &name->timer);
    name->resolver = NULL;
}

/* ---- the resolver ---- */

static bool is_same_text(const char *old, struct slice bytes)
{
    return old && slice_equal(slice_from(old), bytes);
}

void resolver_configure(struct resolver *resolver, struct slice hosts, struct slice resolv_conf)
{
    if (is_same_text(resolver->hosts_bytes, hosts) &&
        is_same_text(resolver->conf_bytes, resolv_conf))
        return;
    mem_free(resolver->hosts_bytes);
    mem_free(resolver->conf_bytes);
    resolver->hosts_bytes = slice_dup(hosts);
    resolver->conf_bytes = slice_dup(resolv_conf);
    hosts_deinit(&resolver->hosts);
    hosts_init(&resolver->hosts, hosts, resolver->seed);
    resolv_conf_parse(resolv_conf, &resolver->conf);
    ares_cancel(resolver->ares.channel);
    ares_link_set_servers(&resolver->ares, resolver->conf.servers, resolver->conf.n_servers);
    ares_link_rearm(&resolver->ares);
    LIST_EACH (node, &resolver->names) {
        struct resolver_name *name = LIST_ENTRY(node, struct resolver_name, link);
        loop_timer_set(resolver->loop, &name->timer, loop_now_ns(resolver->loop));
    }
}

int resolver_create(struct loop *loop, uint64_t seed, struct resolver **ret_resolver,
                    struct err *err)
{
    struct resolver *resolver = MEM_NEW(struct resolver);
    resolver->loop = loop;
    resolver->seed = seed;
    rng_init(&resolver->rng, seed);
    list_init(&resolver->names);
    list_init(&resolver->waiting);
    loop_timer_init(&resolver->turn_timer, resolver_on_turn);
    if (ares_link_open(&resolver->ares, loop, err) < 0) {
        mem_free(resolver);
        return -1;
    }
    hosts_init(&resolver->hosts, SLICE(""), seed);
    resolv_conf_parse(SLICE(""), &resolver->conf);
    *ret_resolver = resolver;
    return 0;
}

void resolver_destroy(struct resolver **resolver_ptr)
{
    struct resolver *resolver = *resolver_ptr;
    *resolver_ptr = NULL;
    if (!resolver)
        return;
    assert(list_is_empty(&resolver->names));
    ares_link_close(&resolver->ares); /* ends the orphans */
    assert(resolver->n_lookups == 0);
    loop_timer_clear(resolver->loop, &resolver->turn_timer);
    hosts_deinit(&resolver->hosts);
    mem_free(resolver->hosts_bytes);
    mem_free(resolver->conf_bytes);
    mem_free(resolver);
}
