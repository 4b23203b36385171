/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a packet to a desk over a zone that has a bit of everything. The first byte says how
 * it comes and what the desk is told to do; each packet is asked twice, so that where rates are on
 * the second one is over them. What comes back is a sound message that repeats the question, no
 * longer than it may be, and cut only where the whole of it, as it goes over TCP, would be longer.
 *
 *     bit  0 over TCP   1 the connection is closing   2 rates, one of each   3, 4 edns-size
 *          5 cookies    6 texts that identify it      7 from an IPv6 address
 */

#include "dns/count.h"
#include "dns/policy.h"
#include "dns/record.h"
#include "wire/dns_read.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static const char zone_text[] =
    "$TTL 300\n@ SOA ns h 7 2h 30m 2w 60\n@ NS ns\n@ NS ns.other.\n@ MX 10 m\nns A 192.0.2.53\n"
    "m A 192.0.2.25\nm AAAA 2001:db8::25\na A 192.0.2.1\na A 192.0.2.2\nc CNAME a\nd CNAME c\n"
    "r CNAME s\ns CNAME r\no CNAME x.other.\nz CNAME not.there\n*.w A 192.0.2.9\n*.w MX 1 m\n"
    "e.e.w A 192.0.2.10\n*.v CNAME a\nb NS ns.b\nb NS ns.other.\nns.b A 192.0.2.54\nn DNAME y\n"
    "h.y A 192.0.2.77\n_s SRV 1 2 3 a\ny SVCB 1 a alpn=h2\nu TYPE65280 \\# 3 abcdef\n";

static const uint8_t addresses[] = {10, 0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 3};
static const uint8_t services[] = {0, 11, 0, 1, 0, 1, 0, 80, 1,  'a', 1,   't',
                                   0, 0,  9, 0, 2, 0, 1, 0,  80, 1,   'q', 0};
static const uint32_t offsets[] = {0, 13};
static const uint16_t weights[] = {1, 256, 3};
static const struct record_variant variants[] = {
    {.net = {.base = {.len = sizeof(struct sockaddr_in), .in4 = {.sin_family = AF_INET}},
             .n_bits = 1}, /* 0.0.0.0/1 */
     .ttl_s = 5,
     .n = 3,
     .at_most = 2,
     .rdata_bytes = 4,
     .is_shuffled = true,
     .weights = weights,
     .rdata = addresses},
    {.is_everybody = true, .ttl_s = 5, .n = 1, .at_most = 1, .rdata_bytes = 4, .rdata = addresses},
};
static const struct record_variant empty = {.is_everybody = true, .ttl_s = 3, .rdata_bytes = 16};
static const struct record_variant both = {.is_everybody = true,
                                           .ttl_s = 9,
                                           .n = 2,
                                           .at_most = 2,
                                           .is_shuffled = true,
                                           .rdata = services,
                                           .offsets = offsets};
static const struct record_answer pool_answers[] = {
    {.type = DNS_A, .n_variants = 2, .variants = variants},
    {.type = DNS_AAAA, .n_variants = 1, .variants = &empty},
    {.type = DNS_SRV, .n_variants = 1, .variants = &both},
};
static const struct {
    const char *owner; /* in wire form; the NUL behind it is the root */
    uint16_t type;
    uint32_t index;
} pools[] = {
    {"\1p\1t", DNS_A, 0}, {"\1p\1t", DNS_AAAA, 1}, {"\1p\1t", DNS_SRV, 2}, {"\1*\1q\1t", DNS_A, 0}};

/* Answers of every size up to some that no client takes over UDP. */
static void add_large(struct zone_build *build)
{
    static const char letters[] = "abcdefghijklmnop";
    const struct zone_at nowhere = {NULL, 0, 0};
    uint8_t owner[] = {1, 0, 1, 'l', 1, 't', 0}, rdata[201] = {200};
    for (unsigned i = 0; i < sizeof(letters) - 1; i++) {
        owner[1] = (uint8_t)letters[i];
        for (unsigned k = 0; k <= i; k++) {
            rdata[1] = (uint8_t)k;
            zone_build_add(build, slice_make((const char *)owner, sizeof(owner)), DNS_TXT, 60,
                           slice_make((const char *)rdata, sizeof(rdata)), nowhere);
        }
    }
}

static const struct answer_view *make_view(void)
{
    static struct answer_view view;
    static const struct record_answer *records[3];
    const struct zone_at nowhere = {NULL, 0, 0};
    if (view.zones)
        return &view;
    struct zone_build *build = zone_build_create(slice_make("\1t", 3), NULL, NULL);
    assert(zone_build_file(build, "z", slice_from(zone_text)) == 0);
    add_large(build);
    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        struct slice owner = slice_make(pools[i].owner, strlen(pools[i].owner) + 1);
        assert(zone_build_pool(build, owner, pools[i].type, pools[i].index, nowhere) == 0);
    }
    struct zone *zone = zone_build_finish(&build);
    assert(zone);
    for (size_t i = 0; i < 3; i++)
        records[i] = &pool_answers[i];
    view = (struct answer_view){zone_set_create(&zone, 1, 1), records};
    return &view;
}

static void desk_init(struct dns_desk *desk, metric_word *row, uint8_t how)
{
    static const uint16_t sizes[] = {1232, 512, 1000, 4096};
    static char text[128];
    const struct rrl_rate one = {1, 60000};
    memset(desk, 0, sizeof(*desk));
    desk->view = make_view();
    desk->row = row;
    desk->edns_bytes = sizes[how >> 3 & 3];
    desk->idle_ticks = 100;
    desk->has_cookies = how & 0x20;
    desk->n_keys = 1;
    if (how & 0x40) {
        memset(text, 'i', sizeof(text));
        desk->id = desk->nsid = desk->version = slice_make(text, sizeof(text));
    }
    if (how & 4)
        desk->rates = (struct desk_rates){.rrl = rrl_create(1024, 7),
                                          .answers = one,
                                          .negatives = one,
                                          .errors = one,
                                          .total = {1000, 1000},
                                          .slip = 1,
                                          .ipv4_bits = 24,
                                          .ipv6_bits = 56};
}

/* ---- what a response must be ---- */

static size_t limit_of(const struct dns_desk *desk, const struct dns_query *query, bool is_tcp)
{
    if (is_tcp)
        return DNS_MESSAGE_MAX;
    if (!query->has_edns)
        return DNS_UDP_PLAIN;
    return query->udp_bytes < desk->edns_bytes ? query->udp_bytes : desk->edns_bytes;
}

static void check_head(struct slice message, struct slice packet, const struct dns_query *query)
{
    uint16_t flags = dns_get16(message.ptr + 2), asked = dns_get16(packet.ptr + 2);
    const uint16_t kept = DNS_RD | DNS_CD | DNS_OPCODE_MASK << DNS_OPCODE_SHIFT;
    assert(dns_get16(message.ptr) == dns_get16(packet.ptr));
    assert(flags & DNS_QR && (flags & kept) == (asked & kept));
    assert(dns_get16(message.ptr + 4) == query->has_question);
    assert(message.len >= DNS_HEADER_BYTES + query->question.len);
    if (query->has_question)
        assert(memcmp(message.ptr + DNS_HEADER_BYTES, query->question.ptr, query->question.len) ==
               0);
}

struct counts {
    unsigned n_opt, n_tsig;
    uint16_t last; /* type of the last record */
};

static struct counts read_records(struct slice message)
{
    static uint8_t rdata[DNS_RDATA_MAX];
    struct counts counts = {0, 0, 0};
    struct dns_reader reader;
    struct dns_record record = {.type = 0};
    int res;
    assert(dns_reader_init(&reader, message) == 0);
    while ((res = dns_read_record(&reader, &record)) == 1) {
        counts.last = record.type;
        counts.n_opt += record.section == DNS_ADDITIONAL && record.type == DNS_OPT;
        counts.n_tsig += record.section == DNS_ADDITIONAL && record.type == DNS_TSIG;
        if (record.section != DNS_QUESTION && !dns_type_is_meta(record.type))
            assert(dns_read_rdata(message, &record, rdata) >= 0);
    }
    assert(res == 0);
    return counts;
}

/* Every record is sound, OPT stands once where it was asked for, TSIG behind all, if it fits. */
static void check_records(struct slice message, const struct dns_query *query, int verdict,
                          size_t limit)
{
    struct counts counts = read_records(message);
    bool has_room = limit - message.len >= query->tsig.len;
    assert(counts.n_opt == query->has_edns);
    if (verdict != DNS_NOTAUTH)
        assert(counts.n_tsig == 0);
    else if (counts.n_tsig)
        assert(counts.n_tsig == 1 && counts.last == DNS_TSIG);
    else
        assert(!has_room);
}

/* Over a rate: nothing, or no record but OPT; of an error nothing at all. No larger than what was
 * sent, but for a cookie of ours. */
static void check_limited(struct slice message, struct slice packet)
{
    unsigned rcode = dns_get16(message.ptr + 2) & DNS_RCODE_MASK;
    assert(dns_get16(message.ptr + 6) == 0 && dns_get16(message.ptr + 8) == 0);
    assert(dns_get16(message.ptr + 10) <= 1);
    assert(rcode == DNS_NOERROR || rcode == (DNS_BADCOOKIE & DNS_RCODE_MASK));
    assert(message.len <= packet.len + DNS_SERVER_COOKIE_BYTES);
}

/* ---- asking ---- */

/* The same draws each time, so that two answers to one packet are the same. */
static size_t ask_desk(struct dns_desk *desk, const struct desk_ask *ask, uint8_t *out)
{
    rng_init(&desk->rng, 1);
    return desk_answer(desk, ask, out);
}

/* What fits is there whole; TC says that answer or authority are not, and nothing else does. */
static void check_cut(const struct dns_desk *desk, const struct desk_ask *ask, struct slice message,
                      const struct dns_query *query)
{
    static uint8_t out[DNS_MESSAGE_MAX];
    static const size_t keepalive_bytes = 6; /* told over TCP alone */
    struct dns_desk open = *desk;
    struct desk_ask over_tcp = *ask;
    open.rates.rrl = NULL;
    over_tcp.is_tcp = true;
    size_t len = ask_desk(&open, &over_tcp, out);
    if (query->has_edns && query->has_keepalive)
        len -= keepalive_bytes;
    bool is_cut = dns_get16(message.ptr + 2) & DNS_TC;
    if (len <= limit_of(desk, query, false))
        assert(!is_cut && message.len == len);
    else if (!is_cut)
        assert(memcmp(message.ptr + 6, out + 6, 4) == 0);
}

static struct slice answer(struct dns_desk *desk, const struct desk_ask *ask, uint8_t *out,
                           bool is_limited)
{
    struct dns_query query;
    int verdict = dns_query_parse(ask->packet, &query);
    size_t len = ask_desk(desk, ask, out);
    struct slice message = slice_make((const char *)out, len);
    if (verdict == DNS_SILENCE)
        assert(len == 0);
    if (len == 0)
        return message;
    size_t limit = limit_of(desk, &query, ask->is_tcp);
    assert(len >= DNS_HEADER_BYTES && len <= limit);
    assert(!ask->is_tcp || !(dns_get16(out + 2) & DNS_TC));
    check_head(message, ask->packet, &query);
    check_records(message, &query, verdict, limit);
    if (is_limited)
        check_limited(message, ask->packet);
    else if (!ask->is_tcp)
        check_cut(desk, ask, message, &query);
    return message;
}

/* Twice, where rates are on the second time over them, unless the client brought our cookie. */
static void ask_twice(struct dns_desk *desk, const struct desk_ask *ask)
{
    /* Of the size that is promised to be enough, so that the sanitizer sees what is beyond. */
    uint8_t *out = malloc(ask->is_tcp ? DNS_MESSAGE_MAX : DESK_UDP_BYTES);
    uint64_t n_good = atomic_load(&desk->row[DNS_WORD_COOKIE_GOOD]);
    assert(out);
    struct slice first = answer(desk, ask, out, false);
    bool is_known = atomic_load(&desk->row[DNS_WORD_COOKIE_GOOD]) > n_good;
    struct slice second =
        answer(desk, ask, out, first.len && desk->rates.rrl && !ask->is_tcp && !is_known);
    assert(desk->rates.rrl || first.len == second.len);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static metric_word row[DNS_WORDS];
    struct dns_desk desk;
    struct addr client = {.len = 0};
    struct err err = ERR_NONE;
    if (size < 1 || size > DNS_MESSAGE_MAX)
        return 0;
    uint8_t how = data[0];
    assert(addr_parse_ip(how & 0x80 ? SLICE("2001:db8::9") : SLICE("192.0.2.9"), 0, &client,
                         &err) == 0);
    desk_init(&desk, row, how);
    const struct desk_ask ask = {
        .packet = slice_make((const char *)data + 1, size - 1),
        .from = &client,
        .is_tcp = how & 1,
        .is_closing = how & 2,
        .now_ms = 1000,
        .wall_s = 1000000,
    };
    ask_twice(&desk, &ask);
    rrl_destroy(&desk.rates.rrl);
    return 0;
}

/* ---- mutation -------------------------------------------------------------------------------- */

/* Where the question's type is, or 0: there is none. */
static size_t find_type(const uint8_t *data, size_t size)
{
    size_t at = 1 + DNS_HEADER_BYTES;
    while (at < size && data[at] != 0)
        at += (size_t)data[at] + 1;
    return at + 1 + 4 <= size ? at + 1 : 0;
}

/* One field of the query becomes another number; false: it has no such field. */
static bool change_field(uint8_t *data, size_t size, unsigned seed)
{
    size_t type_at = find_type(data, size), opt_at = type_at + 4;
    uint16_t value = (uint16_t)(seed >> 8);
    switch (seed % 6) {
    case 0: /* how it comes */
        data[0] = (uint8_t)value;
        return true;
    case 1: /* the header: id, flags, counts */
        if (size > DNS_HEADER_BYTES)
            dns_put16(data + 1 + 2 * (value % 6), (uint16_t)(seed >> 20));
        return true;
    case 2: /* a letter of the name */
        if (type_at)
            data[1 + DNS_HEADER_BYTES + value % (type_at - 1 - DNS_HEADER_BYTES)] =
                (uint8_t)('a' + (seed >> 20) % 26);
        return type_at;
    case 3:
        if (type_at)
            dns_put16(data + type_at, value % 70);
        return type_at;
    case 4:
        if (type_at)
            dns_put16(data + type_at + 2, value % 5);
        return type_at;
    default: /* the bytes that the client takes */
        if (type_at && opt_at + 5 <= size)
            dns_put16(data + opt_at + 3, (uint16_t)(400 + value % 1000));
        return type_at && opt_at + 5 <= size;
    }
}

/* Half of the time a field, which bytes changed at random seldom hit; else any bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    if (size > 0 && seed % 2 && change_field(data, size, seed / 2))
        return size;
    return LLVMFuzzerMutate(data, size, max_size);
}
