/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The decisions around an answer. Parents decide; what a response is made of is written by small
 * functions below them, or by the zones.
 */

#include "dns/policy.h"

#include "dns/count.h"
#include "wire/dns.h"
#include "wire/dns_opt.h"
#include "wire/dns_query.h"
#include <assert.h>
#include <string.h>

/* How a client's cookie stands. */
enum cookie_state {
    COOKIE_NONE,
    COOKIE_NEW, /* the client's alone */
    COOKIE_GOOD,
    COOKIE_BAD,
};

/* A query on its way to its response. */
struct exchange {
    struct dns_desk *desk;
    const struct desk_ask *ask;
    struct dns_query query;
    struct answer_facts facts;
    enum cookie_state cookie;
    uint8_t server_cookie[DNS_SERVER_COOKIE_BYTES]; /* what the client is to bring next time */
    uint16_t rcode;
    uint8_t *out;
    size_t len;
    bool is_zone_asked;
    bool is_slipped; /* over a rate: nothing but its header, and what OPT must say */
};

static void count(const struct exchange *exchange, uint32_t word)
{
    metric_add(exchange->desk->row, word, 1);
}

/* ---- what a response is made of ---- */

/* The header and the question, without any record. */
static void write_bare(struct exchange *exchange, uint16_t rcode, uint16_t flags)
{
    const struct dns_query *query = &exchange->query;
    uint8_t *out = exchange->out;
    flags |= DNS_QR | (uint16_t)(query->opcode << DNS_OPCODE_SHIFT);
    if (query->is_recursion_wanted)
        flags |= DNS_RD;
    if (query->is_checking_disabled)
        flags |= DNS_CD;
    memset(out, 0, DNS_HEADER_BYTES);
    dns_put16(out, query->id);
    dns_put16(out + 2, flags | (rcode & DNS_RCODE_MASK));
    exchange->len = DNS_HEADER_BYTES;
    exchange->rcode = rcode;
    if (query->has_question) {
        dns_put16(out + 4, 1);
        memcpy(out + exchange->len, query->question.ptr, query->question.len);
        exchange->len += query->question.len;
    }
}

/* A record about the name in the question; its data are up to two character strings. */
static void write_strings(struct exchange *exchange, uint16_t type, uint32_t ttl_s,
                          const struct slice *strings, size_t n)
{
    uint8_t *at = exchange->out + exchange->len;
    size_t len = 0;
    dns_put16(at, 0xc000 | DNS_HEADER_BYTES);
    dns_put16(at + 2, type);
    dns_put16(at + 4, exchange->query.class);
    dns_put32(at + 6, ttl_s);
    for (size_t i = 0; i < n; i++) {
        at[12 + len] = (uint8_t)strings[i].len;
        memcpy(at + 12 + len + 1, strings[i].ptr, strings[i].len);
        len += strings[i].len + 1;
    }
    dns_put16(at + 10, (uint16_t)len);
    exchange->len += 12 + len;
    dns_put16(exchange->out + 6, 1);
}

/* ---- what is asked ---- */

static void refuse(struct exchange *exchange, enum dns_refusal why)
{
    count(exchange, (uint32_t)DNS_WORD_REFUSED + why);
    write_bare(exchange, DNS_REFUSED, 0);
}

/* RFC 4892, and the names that came before it. */
static void answer_chaos(struct exchange *exchange)
{
    static const struct {
        struct slice name; /* in wire form */
        bool is_version;
    } rows[] = {
        {SLICE_INIT("\2id\6server"), false},
        {SLICE_INIT("\10hostname\4bind"), false},
        {SLICE_INIT("\7version\6server"), true},
        {SLICE_INIT("\7version\4bind"), true},
    };
    const struct dns_query *query = &exchange->query;
    const struct dns_desk *desk = exchange->desk;
    struct slice text = slice_make(NULL, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* The NUL behind the literal is the root. */
        if (query->name_len == rows[i].name.len + 1 &&
            memcmp(query->name, rows[i].name.ptr, query->name_len) == 0)
            text = rows[i].is_version ? desk->version : desk->id;
    }
    if (text.len == 0 || (query->type != DNS_TXT && query->type != DNS_ANY)) {
        refuse(exchange, DNS_REFUSAL_CLASS);
        return;
    }
    write_bare(exchange, DNS_NOERROR, DNS_AA);
    write_strings(exchange, DNS_TXT, 0, &text, 1);
}

static void ask_zones(struct exchange *exchange, size_t limit_bytes)
{
    struct dns_desk *desk = exchange->desk;
    const struct answer_ask ask = {
        .query = &exchange->query,
        .from = exchange->query.has_subnet && exchange->query.subnet.addr.len
                    ? &exchange->query.subnet.addr
                    : exchange->ask->from,
        .random = (uint32_t)rng_next(&desk->rng),
    };
    exchange->len = answer_write(desk->view, &ask, exchange->out, limit_bytes, &exchange->facts);
    exchange->rcode = exchange->facts.rcode;
    exchange->is_zone_asked = true;
    if (!exchange->facts.zone)
        count(exchange, (uint32_t)DNS_WORD_REFUSED + DNS_REFUSAL_ZONE);
}

/*
 * Asked for HINFO, which hardly anybody has, a zone says all that ANY needs to know: that the name
 * is not there, is elsewhere, or is another name for something. Where it says that there is no such
 * data, the name has others, and they are not told.
 */
static void answer_any(struct exchange *exchange, size_t limit_bytes)
{
    static const struct slice strings[] = {SLICE_INIT("RFC8482"), SLICE_INIT("")};
    enum { TTL_S = 3600 };
    exchange->query.type = DNS_HINFO;
    ask_zones(exchange, limit_bytes);
    exchange->query.type = DNS_ANY;
    if (exchange->rcode != DNS_NOERROR || !exchange->facts.is_negative ||
        dns_get16(exchange->out + 6) != 0)
        return;
    write_bare(exchange, DNS_NOERROR, DNS_AA);
    write_strings(exchange, DNS_HINFO, TTL_S, strings, 2);
    exchange->facts.is_negative = false;
}

static void answer_question(struct exchange *exchange, size_t limit_bytes)
{
    const struct dns_query *query = &exchange->query;
    if (query->class == DNS_CLASS_CH) {
        answer_chaos(exchange);
    } else if (query->class != DNS_CLASS_IN) {
        refuse(exchange, DNS_REFUSAL_CLASS);
    } else if (!dns_type_is_meta(query->type)) {
        ask_zones(exchange, limit_bytes);
    } else if (query->type == DNS_ANY) {
        answer_any(exchange, limit_bytes);
    } else if (query->type == DNS_AXFR || query->type == DNS_IXFR) {
        refuse(exchange, DNS_REFUSAL_TRANSFER);
    } else {
        write_bare(exchange, query->type == DNS_OPT ? DNS_FORMERR : DNS_NOTIMP, 0);
    }
}

/* ---- rates ---- */

static bool is_loopback(const struct addr *addr)
{
    if (addr_family(addr) == AF_INET)
        return (ntohl(addr->in4.sin_addr.s_addr) >> 24) == 127;
    const struct in6_addr *in6 = &addr->in6.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

static bool is_exempt(const struct desk_rates *rates, const struct addr *addr)
{
    if (rates->n_exempt == 0)
        return is_loopback(addr);
    for (size_t i = 0; i < rates->n_exempt; i++)
        if (addr_net_has(rates->exempt[i], addr))
            return true;
    return false;
}

static bool is_error(const struct exchange *exchange)
{
    return exchange->rcode != DNS_NOERROR && exchange->rcode != DNS_NXDOMAIN;
}

enum { KIND_TOTAL = 1, KIND_ERROR, KIND_NEGATIVE, KIND_ANSWER };

/* What the response costs its client's network. */
static enum rrl_verdict take_rate(const struct exchange *exchange)
{
    const struct desk_rates *rates = &exchange->desk->rates;
    const struct answer_facts *facts = &exchange->facts;
    uint64_t now_ms = exchange->ask->now_ms;
    uint64_t network =
        rrl_network(rates->rrl, exchange->ask->from, rates->ipv4_bits, rates->ipv6_bits);
    const struct rrl_rate *rate = &rates->errors;
    uint64_t key;
    if (is_error(exchange)) {
        key = rrl_key(rates->rrl, network, KIND_ERROR, slice_make(NULL, 0));
    } else if (exchange->is_zone_asked && (facts->is_negative || facts->is_referral)) {
        rate = &rates->negatives;
        key = rrl_key(rates->rrl, network, KIND_NEGATIVE, zone_origin(facts->zone));
    } else {
        /* Names that a wildcard stands for are as many as who forges them likes. */
        rate = &rates->answers;
        key = rrl_key(rates->rrl, network, KIND_ANSWER,
                      facts->wildcard.len ? facts->wildcard : dns_query_name(&exchange->query));
    }
    enum rrl_verdict verdict = rrl_take(rates->rrl, key, rate, rates->slip, now_ms);
    if (verdict != RRL_PASS)
        return verdict;
    key = rrl_key(rates->rrl, network, KIND_TOTAL, slice_make(NULL, 0));
    return rrl_take(rates->rrl, key, &rates->total, rates->slip, now_ms);
}

/* What a response over a rate becomes: an error has no form that is cut, but for BADCOOKIE, which
 * is nothing but its header and OPT. */
static enum rrl_verdict weigh(const struct exchange *exchange)
{
    enum rrl_verdict verdict = take_rate(exchange);
    bool has_cut_form = !is_error(exchange) || exchange->rcode == DNS_BADCOOKIE;
    return verdict == RRL_SLIP && !has_cut_form ? RRL_DROP : verdict;
}

/* 0: the response may go out as it is, or as what has become of it; 1: it may not. */
static int limit_rate(struct exchange *exchange)
{
    const struct desk_rates *rates = &exchange->desk->rates;
    if (!rates->rrl || exchange->ask->is_tcp || exchange->cookie == COOKIE_GOOD ||
        is_exempt(rates, exchange->ask->from))
        return 0;
    switch (weigh(exchange)) {
    case RRL_PASS:
        return 0;
    case RRL_DROP:
        count(exchange, DNS_WORD_RATE_DROPPED);
        return 1;
    case RRL_SLIP:
        break;
    }
    count(exchange, DNS_WORD_RATE_SLIPPED);
    exchange->is_slipped = true;
    /* Who sent a cookie learns ours and comes back with it; the others come back over TCP. */
    if (exchange->cookie == COOKIE_NONE)
        write_bare(exchange, DNS_NOERROR, DNS_TC);
    else
        write_bare(exchange, DNS_BADCOOKIE, 0);
    return 0;
}

/* ---- cookies ---- */

static void look_at_cookie(struct exchange *exchange)
{
    const struct dns_desk *desk = exchange->desk;
    struct slice cookie = exchange->query.cookie;
    if (cookie.len == 0 || !desk->has_cookies || desk->n_keys == 0)
        return;
    const struct addr *from = exchange->ask->from;
    uint32_t now_s = exchange->ask->wall_s;
    exchange->cookie = cookie.len > DNS_CLIENT_COOKIE_BYTES ? COOKIE_BAD : COOKIE_NEW;
    for (size_t i = 0; i < desk->n_keys && exchange->cookie == COOKIE_BAD; i++)
        if (dns_cookie_check(desk->keys[i], cookie, from, now_s) >= 0)
            exchange->cookie = COOKIE_GOOD;
    dns_cookie_make(desk->keys[0], cookie, from, now_s, exchange->server_cookie);
    count(exchange, (uint32_t)DNS_WORD_COOKIE_NEW + (exchange->cookie - COOKIE_NEW));
}

/* ---- the records behind an answer ---- */

static struct dns_opt opt_of(struct exchange *exchange)
{
    const struct dns_query *query = &exchange->query;
    const struct dns_desk *desk = exchange->desk;
    struct dns_opt opt = {
        .udp_bytes = desk->edns_bytes,
        .rcode = exchange->rcode,
        .is_dnssec_ok = query->is_dnssec_ok,
        .has_keepalive = query->has_keepalive && exchange->ask->is_tcp,
        .keepalive_ticks = exchange->ask->is_closing ? 0 : desk->idle_ticks,
    };
    if (query->is_nsid_wanted && !exchange->is_slipped)
        opt.nsid = desk->nsid;
    if (exchange->cookie != COOKIE_NONE) {
        opt.client_cookie = slice_make(query->cookie.ptr, DNS_CLIENT_COOKIE_BYTES);
        opt.server_cookie =
            slice_make((const char *)exchange->server_cookie, sizeof(exchange->server_cookie));
    }
    if (query->has_subnet)
        opt.subnet = &query->subnet;
    return opt;
}

static void count_record(struct exchange *exchange, size_t len)
{
    uint8_t *n_additional = exchange->out + 10;
    if (len)
        dns_put16(n_additional, (uint16_t)(dns_get16(n_additional) + 1));
    exchange->len += len;
}

static void append_opt(struct exchange *exchange, size_t cap)
{
    exchange->query.subnet.scope_bits = exchange->facts.scope_bits;
    const struct dns_opt opt = opt_of(exchange);
    count_record(exchange, dns_opt_write(&opt, exchange->out + exchange->len, cap - exchange->len));
}

/* ---- the whole ---- */

/* What the client takes, and we are willing to send. */
static size_t limit_of(const struct exchange *exchange)
{
    const struct dns_query *query = &exchange->query;
    if (exchange->ask->is_tcp)
        return DNS_MESSAGE_MAX;
    if (!query->has_edns)
        return DNS_UDP_PLAIN;
    return query->udp_bytes < exchange->desk->edns_bytes ? query->udp_bytes
                                                         : exchange->desk->edns_bytes;
}

/* RFC 7873 section 5.4: a query without a question wants nothing but a cookie. */
static void answer_cookie(struct exchange *exchange)
{
    write_bare(exchange, exchange->cookie == COOKIE_BAD ? DNS_BADCOOKIE : DNS_NOERROR, 0);
}

static void decide(struct exchange *exchange, int verdict, size_t limit_bytes)
{
    if (verdict != DNS_OK) {
        write_bare(exchange, (uint16_t)verdict, 0);
        return;
    }
    count(exchange, dns_count_type(exchange->query.type));
    if (exchange->query.has_question)
        answer_question(exchange, limit_bytes);
    else
        answer_cookie(exchange);
}

/* What identifies a client or costs it room is looked at before the answer is made. */
static size_t room_for_records(struct exchange *exchange)
{
    if (!exchange->query.has_edns)
        return 0;
    count(exchange, DNS_WORD_EDNS);
    if (exchange->query.has_subnet)
        count(exchange, DNS_WORD_SUBNET);
    look_at_cookie(exchange);
    const struct dns_opt opt = opt_of(exchange);
    return dns_opt_bytes(&opt);
}

size_t desk_answer(struct dns_desk *desk, const struct desk_ask *ask, uint8_t *out)
{
    struct exchange exchange;
    exchange.desk = desk;
    exchange.ask = ask;
    exchange.out = out;
    exchange.cookie = COOKIE_NONE;
    exchange.rcode = DNS_NOERROR;
    exchange.is_zone_asked = exchange.is_slipped = false;
    exchange.facts = (struct answer_facts){.record_index = ANSWER_NO_RECORD};
    int verdict = dns_query_parse(ask->packet, &exchange.query);
    if (verdict == DNS_SILENCE) {
        count(&exchange, DNS_WORD_SILENCE);
        return 0;
    }
    size_t cap = limit_of(&exchange);
    size_t room = room_for_records(&exchange);
    decide(&exchange, verdict, cap - room);
    if (limit_rate(&exchange) > 0)
        return 0;
    if (exchange.query.has_edns)
        append_opt(&exchange, cap);
    if (verdict == DNS_NOTAUTH) /* which is the last of all (RFC 8945 section 5.1) */
        count_record(&exchange,
                     dns_tsig_write(exchange.query.tsig, out + exchange.len, cap - exchange.len));
    if (dns_get16(out + 2) & DNS_TC)
        count(&exchange, DNS_WORD_TRUNCATED);
    count(&exchange, dns_count_rcode(exchange.rcode));
    return exchange.len;
}
