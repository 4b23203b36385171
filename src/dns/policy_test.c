/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Queries to a desk over a small zone, and their responses as text: what is refused and how, what
 * OPT says, cookies of several ages and keys, rates, and that nothing is longer than it may be.
 */

#include "dns/policy.h"

#include "base/mem.h"
#include "base/text.h"
#include "dns/count.h"
#include "dns/listen_conf.h"
#include "dns/record.h"
#include "dns/zone_stage.h"
#include "wire/dns_name.h"
#include "wire/dns_read.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_S = 1000000, IN = DNS_CLASS_IN, CH = DNS_CLASS_CH };

static const char zone_text[] = "$TTL 60\n@ SOA ns h 7 2h 30m 2w 30\n@ NS ns\nns A 192.0.2.1\n"
                                "ns TXT x\nalias CNAME ns\ncut NS ns\n*.wild A 192.0.2.3\n";

#define NAME_63 "\77" NAME_31 NAME_31 "o"
#define NAME_31 "abcdefghijklmnopqrstuvwxyzabcde"
/* The longest name there is, under *.wild.t. */
#define LONGEST                                                     \
    NAME_63 NAME_63 NAME_63 "\66" NAME_31 "abcdefghijklmnopqrstuvw" \
                            "\4wild\1t"

/* A desk with the zone t. and a record of pools in it, pool.t., that looks at its clients. */
struct fixture {
    struct zone_set *zones;
    const struct record_answer *record;
    struct answer_view view;
    metric_word row[DNS_WORDS];
    struct dns_desk desk;
};

static const uint8_t near[] = {10, 0, 0, 1}, far[] = {10, 0, 0, 2};
static const struct record_variant variants[] = {
    {.net = {.base = {.len = sizeof(struct sockaddr_in), .in4 = {.sin_family = AF_INET}},
             .n_bits = 1}, /* 0.0.0.0/1 */
     .ttl_s = 5,
     .n = 1,
     .at_most = 1,
     .rdata_bytes = 4,
     .rdata = near},
    {.is_everybody = true, .ttl_s = 5, .n = 1, .at_most = 1, .rdata_bytes = 4, .rdata = far},
};
static const struct record_answer pool_answer = {
    .type = DNS_A, .n_variants = ARRAY_LEN(variants), .variants = variants};

static void setup(struct fixture *f)
{
    uint8_t name[DNS_NAME_MAX];
    const struct zone_at nowhere = {NULL, 0, 0};
    memset(f, 0, sizeof(*f));
    struct zone_build *build = zone_build_create(slice_make("\1t", 3), NULL, NULL);
    assert_int_equal(zone_build_file(build, "z", slice_from(zone_text)), 0);
    memcpy(name, "\4pool\1t", 8);
    assert_int_equal(zone_build_pool(build, slice_make((const char *)name, 8), DNS_A, 0, nowhere),
                     0);
    f->zones = stage_set(&build);
    f->record = &pool_answer;
    f->view = (struct answer_view){f->zones, &f->record};
    f->desk = (struct dns_desk){.view = &f->view,
                                .row = f->row,
                                .id = SLICE("east"),
                                .nsid = SLICE("e1"),
                                .version = SLICE("9"),
                                .edns_bytes = DNS_UDP_EDNS,
                                .idle_ticks = 100,
                                .has_cookies = true,
                                .n_keys = 2};
    memset(f->desk.keys[0], 'a', DNS_COOKIE_KEY_BYTES);
    memset(f->desk.keys[1], 'b', DNS_COOKIE_KEY_BYTES);
    rng_init(&f->desk.rng, 1);
}

static void teardown(struct fixture *f)
{
    rrl_destroy(&f->desk.rates.rrl);
    zone_set_destroy(&f->zones);
}

static uint64_t counted(const struct fixture *f, uint32_t word)
{
    return atomic_load(&f->row[word]);
}

/* ---- queries ---- */

struct ask {
    const char *name; /* in wire form; the NUL behind it is the root */
    uint16_t type, class;
    uint16_t flags;
    uint16_t udp_bytes; /* 0: without EDNS */
    uint32_t edns;      /* TTL of the OPT record: version and DO */
    struct slice options;
};

enum { EDNS_DO = 0x8000, EDNS_1 = 0x10000, OPCODE_1 = 1 << DNS_OPCODE_SHIFT };

static size_t put_query(const struct ask *ask, uint8_t *out)
{
    size_t name_len = strlen(ask->name) + 1, len = DNS_HEADER_BYTES;
    memset(out, 0, DNS_HEADER_BYTES);
    dns_put16(out, 0x1234);
    dns_put16(out + 2, ask->flags);
    dns_put16(out + 4, 1);
    memcpy(out + len, ask->name, name_len);
    dns_put16(out + len + name_len, ask->type);
    dns_put16(out + len + name_len + 2, ask->class);
    len += name_len + 4;
    if (ask->udp_bytes) {
        dns_put16(out + 10, 1);
        out[len] = 0;
        dns_put16(out + len + 1, DNS_OPT);
        dns_put16(out + len + 3, ask->udp_bytes);
        dns_put32(out + len + 5, ask->edns);
        dns_put16(out + len + 9, (uint16_t)ask->options.len);
        if (ask->options.len)
            memcpy(out + len + 11, ask->options.ptr, ask->options.len);
        len += 11 + ask->options.len;
    }
    return len;
}

static struct addr ip(const char *text)
{
    struct addr addr;
    struct err err;
    assert_int_equal(addr_parse_ip(slice_from(text), 5353, &addr, &err), 0);
    return addr;
}

static uint8_t answered[DNS_MESSAGE_MAX];

static struct slice send_from(struct fixture *f, const char *from, bool is_tcp,
                              const struct ask *ask)
{
    uint8_t packet[1024];
    struct addr client = ip(from);
    const struct desk_ask how = {.packet = slice_make((const char *)packet, put_query(ask, packet)),
                                 .from = &client,
                                 .is_tcp = is_tcp,
                                 .now_ms = 5000,
                                 .wall_s = NOW_S};
    /* What is not written must not be read as if it were. */
    memset(answered, 0xa5, DESK_UDP_BYTES);
    return slice_make((const char *)answered, desk_answer(&f->desk, &how, answered));
}

/* ---- responses as text ---- */

static void show_options(struct slice data, struct text *out)
{
    while (data.len >= 4) {
        size_t len = dns_get16(data.ptr + 2);
        text_printf(out, " %u:", dns_get16(data.ptr));
        for (size_t i = 0; i < len; i++)
            text_printf(out, "%02x", (unsigned char)data.ptr[4 + i]);
        data = slice_skip(data, 4 + len);
    }
    assert_int_equal(data.len, 0);
}

/* Its code, the OPT record's part in it, and flags; returns that code. */
static uint16_t show_head(struct slice message, struct text *out)
{
    char text[DNS_RCODE_TEXT_MAX];
    struct dns_reader reader;
    struct dns_record record;
    assert_int_equal(dns_reader_init(&reader, message), 0);
    assert_int_equal(reader.id, 0x1234);
    assert_true(reader.flags & DNS_QR);
    uint16_t rcode = reader.flags & DNS_RCODE_MASK;
    while (dns_read_record(&reader, &record) == 1)
        if (record.type == DNS_OPT && record.section == DNS_ADDITIONAL)
            rcode |= (uint16_t)(record.ttl_s >> 24 << 4);
    text_printf(out, "%s%s%s%s%s%s", dns_rcode_show(rcode, text),
                reader.flags & DNS_AA ? " aa" : "", reader.flags & DNS_TC ? " tc" : "",
                reader.flags & DNS_RD ? " rd" : "", reader.flags & DNS_RA ? " ra" : "",
                reader.flags & DNS_CD ? " cd" : "");
    return rcode;
}

static uint16_t show(struct slice message, struct text *out)
{
    static const char marks[DNS_N_SECTIONS] = "?+-!";
    struct dns_reader reader;
    struct dns_record record;
    int res;
    uint16_t rcode = show_head(message, out);
    assert_int_equal(dns_reader_init(&reader, message), 0);
    while ((res = dns_read_record(&reader, &record)) == 1) {
        if (record.section == DNS_QUESTION)
            continue;
        text_printf(out, "\n%c ", marks[record.section]);
        if (record.type != DNS_OPT) {
            dns_record_show(message, &record, out);
            continue;
        }
        text_printf(out, "opt %u v%u%s", record.class, record.ttl_s >> 16 & 0xff,
                    record.ttl_s & EDNS_DO ? " do" : "");
        show_options(record.rdata, out);
    }
    assert_int_equal(res, 0);
    return rcode;
}

static uint16_t expect(struct slice message, const char *want)
{
    struct text text = TEXT_NONE;
    uint16_t rcode = show(message, &text);
    assert_string_equal(text_cstr(&text), want);
    text_deinit(&text);
    return rcode;
}

/* ---- what is asked ---- */

#define NS_T  "\2ns\1t"
#define SOA   "\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"
#define OPT   "\n! opt 1232 v0"
#define NS_A  "NOERROR aa\n+ ns.t. 60 IN A 192.0.2.1"
#define HINFO " 3600 IN HINFO \"RFC8482\" \"\""

enum { NO_WORD = DNS_WORDS };

static const struct {
    struct ask ask;
    const char *want;
    uint32_t word; /* counted by it */
} rows[] = {
    {{NS_T, DNS_A, IN, 0, 0, 0, {0}}, NS_A, DNS_WORD_TYPE + DNS_COUNT_A},
    {{NS_T, DNS_A, IN, DNS_RD | DNS_CD, 0, 0, {0}},
     "NOERROR aa rd cd\n+ ns.t. 60 IN A 192.0.2.1",
     NO_WORD},
    {{"\2no\1t", DNS_A, IN, 0, 0, 0, {0}}, "NXDOMAIN aa" SOA, NO_WORD},
    /* Other operations: the header alone. */
    {{NS_T, DNS_A, IN, OPCODE_1, 1232, 0, {0}}, "NOTIMP", DNS_WORD_RCODE + DNS_NOTIMP},
    {{NS_T, DNS_SOA, IN, DNS_NOTIFY << DNS_OPCODE_SHIFT, 0, 0, {0}}, "NOTIMP", NO_WORD},
    {{NS_T, DNS_SOA, IN, DNS_UPDATE << DNS_OPCODE_SHIFT, 0, 0, {0}}, "NOTIMP", NO_WORD},
    /* Classes. */
    {{"\2id\6server", DNS_TXT, CH, 0, 0, 0, {0}},
     "NOERROR aa\n+ id.server. 0 CH TXT \"east\"",
     DNS_WORD_TYPE + DNS_COUNT_TXT},
    {{"\10HostName\4BIND", DNS_ANY, CH, 0, 1232, 0, {0}},
     "NOERROR aa\n+ HostName.BIND. 0 CH TXT \"east\"" OPT,
     NO_WORD},
    {{"\7version\4bind", DNS_TXT, CH, 0, 0, 0, {0}},
     "NOERROR aa\n+ version.bind. 0 CH TXT \"9\"",
     NO_WORD},
    {{"\7version\6server", DNS_TXT, CH, 0, 0, 0, {0}},
     "NOERROR aa\n+ version.server. 0 CH TXT \"9\"",
     NO_WORD},
    {{"\2id\6server", DNS_A, CH, 0, 0, 0, {0}}, "REFUSED", DNS_WORD_REFUSED + DNS_REFUSAL_CLASS},
    {{NS_T, DNS_TXT, CH, 0, 0, 0, {0}}, "REFUSED", DNS_WORD_REFUSED + DNS_REFUSAL_CLASS},
    {{NS_T, DNS_A, DNS_CLASS_ANY, 0, 0, 0, {0}}, "REFUSED", DNS_WORD_REFUSED + DNS_REFUSAL_CLASS},
    /* What is no zone's to answer. */
    {{"\2ns\1u", DNS_A, IN, 0, 0, 0, {0}}, "REFUSED", DNS_WORD_REFUSED + DNS_REFUSAL_ZONE},
    {{"", DNS_NS, IN, 0, 1232, 0, {0}}, "REFUSED" OPT, DNS_WORD_REFUSED + DNS_REFUSAL_ZONE},
    {{"\1t", DNS_AXFR, IN, 0, 0, 0, {0}}, "REFUSED", DNS_WORD_REFUSED + DNS_REFUSAL_TRANSFER},
    {{"\1t", DNS_IXFR, IN, 0, 0, 0, {0}}, "REFUSED", DNS_WORD_REFUSED + DNS_REFUSAL_TRANSFER},
    {{NS_T, DNS_TKEY, IN, 0, 0, 0, {0}}, "NOTIMP", NO_WORD},
    {{NS_T, DNS_OPT, IN, 0, 0, 0, {0}}, "FORMERR", DNS_WORD_RCODE + DNS_FORMERR},
    /* ANY: that there is something, and what the zone says where there is not. */
    {{NS_T, DNS_ANY, IN, 0, 1232, 0, {0}},
     "NOERROR aa\n+ ns.t." HINFO OPT,
     DNS_WORD_TYPE + DNS_COUNT_ANY},
    {{"\1x\4wild\1t", DNS_ANY, IN, 0, 0, 0, {0}}, "NOERROR aa\n+ x.wild.t." HINFO, NO_WORD},
    {{"\2no\1t", DNS_ANY, IN, 0, 0, 0, {0}}, "NXDOMAIN aa" SOA, NO_WORD},
    {{"\2ns\1u", DNS_ANY, IN, 0, 0, 0, {0}}, "REFUSED", DNS_WORD_REFUSED + DNS_REFUSAL_ZONE},
    {{"\3cut\1t", DNS_ANY, IN, 0, 0, 0, {0}},
     "NOERROR\n- cut.t. 60 IN NS ns.t.\n! ns.t. 60 IN A 192.0.2.1",
     NO_WORD},
    /* OPT. */
    {{NS_T, DNS_A, IN, 0, 4096, EDNS_DO, {0}}, NS_A OPT " do", DNS_WORD_EDNS},
    {{NS_T, DNS_A, IN, 0, 1232, EDNS_1, SLICE_INIT("\0\3\0\0")},
     "BADVERS" OPT,
     DNS_WORD_RCODE + DNS_BADVERS},
    {{NS_T, DNS_A, IN, 0, 1232, 0, SLICE_INIT("\0\3\0\0")}, NS_A OPT " 3:6531", NO_WORD},
    {{NS_T, DNS_A, IN, 0, 1232, 0, SLICE_INIT("\0\x0b\0\0")}, NS_A OPT, NO_WORD},
    {{NS_T, DNS_A, IN, 0, 1232, 0, SLICE_INIT("\0\3\0\1")},
     "FORMERR" OPT,
     DNS_WORD_RCODE + DNS_FORMERR},
    /* A client's network: no scope where nothing depends on it. */
    {{NS_T, DNS_A, IN, 0, 1232, 0, SLICE_INIT("\0\x08\0\7\0\1\x18\0\xc0\0\2")},
     NS_A OPT " 8:00011800c00002",
     DNS_WORD_SUBNET},
    {{"\4pool\1t", DNS_A, IN, 0, 1232, 0, SLICE_INIT("\0\x08\0\7\0\1\x18\0\xc0\0\2")},
     "NOERROR aa\n+ pool.t. 5 IN A 10.0.0.2" OPT " 8:00011801c00002",
     DNS_WORD_SUBNET},
    {{"\4pool\1t", DNS_A, IN, 0, 1232, 0, SLICE_INIT("\0\x08\0\5\0\1\x08\0\x0a")},
     "NOERROR aa\n+ pool.t. 5 IN A 10.0.0.1" OPT " 8:000108010a",
     NO_WORD},
    /* One that wants to say nothing is answered by its own address, 203.0.113.9. */
    {{"\4pool\1t", DNS_A, IN, 0, 1232, 0, SLICE_INIT("\0\x08\0\4\0\1\0\0")},
     "NOERROR aa\n+ pool.t. 5 IN A 10.0.0.1" OPT " 8:00010001",
     NO_WORD},
    {{NS_T, DNS_A, IN, 0, 1232, 0, SLICE_INIT("\0\x08\0\7\0\1\x18\1\xc0\0\2")},
     "FORMERR" OPT,
     DNS_WORD_RCODE + DNS_FORMERR},
};

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        setup(&f);
        uint16_t rcode = expect(send_from(&f, "203.0.113.9", false, &rows[i].ask), rows[i].want);
        assert_int_equal(counted(&f, dns_count_rcode(rcode)), 1);
        if (rows[i].word != NO_WORD)
            assert_int_equal(counted(&f, rows[i].word), 1);
        teardown(&f);
    }
}

/* What a listener has no words for is refused, or left out. */
static void test_untold(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.desk.id = f.desk.nsid = f.desk.version = slice_make(NULL, 0);
    f.desk.has_cookies = false;
    const struct ask id = {"\2id\6server", DNS_TXT, CH, 0, 0, 0, {0}};
    const struct ask version = {"\7version\4bind", DNS_TXT, CH, 0, 0, 0, {0}};
    const struct ask options = {
        NS_T, DNS_A, IN, 0, 1232, 0, SLICE("\0\3\0\0\0\x0a\0\x08\1\2\3\4\5\6\7\x08")};
    expect(send_from(&f, "203.0.113.9", false, &id), "REFUSED");
    expect(send_from(&f, "203.0.113.9", false, &version), "REFUSED");
    expect(send_from(&f, "203.0.113.9", false, &options), NS_A OPT);
    teardown(&f);
}

/* Over TCP who asks is told how long it may be idle. */
static void test_keepalive(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const struct ask ask = {NS_T, DNS_A, IN, 0, 1232, 0, SLICE("\0\x0b\0\0")};
    expect(send_from(&f, "203.0.113.9", true, &ask), NS_A OPT " 11:0064");
    teardown(&f);
}

static const char tsig[] = "\3key\0\0\xfa\0\xff\0\0\0\0\0\x1d\x0bhmac-sha256\0"
                           "\0\0\1\2\3\4\1\x2c\0\0\x12\x34\0\0\0\0";

/* Behind the packet, a query with `has_edns` more records; its length now. */
static size_t put_signature(uint8_t *packet, size_t len, int has_edns)
{
    memcpy(packet + len, tsig, sizeof(tsig) - 1);
    dns_put16(packet + 10, (uint16_t)(has_edns + 1));
    return len + sizeof(tsig) - 1;
}

/* Over a rate a bad signature has no answer at all: without its own, the client takes none. */
static void test_signed_over_rate(void **state)
{
    (void)state;
    const struct rrl_rate one = {1, 60000};
    const struct ask ask = {NS_T, DNS_A, IN, 0, 0, 0, {0}};
    struct addr client = ip("192.0.2.9");
    uint8_t packet[256];
    struct fixture f;
    setup(&f);
    f.desk.rates = (struct desk_rates){.rrl = rrl_create(1024, 7),
                                       .answers = one,
                                       .negatives = one,
                                       .errors = one,
                                       .total = {1000, 1000},
                                       .slip = 1,
                                       .ipv4_bits = 24,
                                       .ipv6_bits = 56};
    size_t len = put_signature(packet, put_query(&ask, packet), 0);
    const struct desk_ask how = {.packet = slice_make((const char *)packet, len), .from = &client};
    assert_int_equal(desk_answer(&f.desk, &how, answered), len);
    assert_int_equal(desk_answer(&f.desk, &how, answered), 0);
    assert_int_equal(counted(&f, DNS_WORD_RATE_DROPPED), 1);
    assert_int_equal(counted(&f, DNS_WORD_RATE_SLIPPED), 0);
    teardown(&f);
}

/* A signed query is refused by its signature; OPT stands before that, where it was asked for. */
static void test_signed(void **state)
{
    (void)state;
    static const size_t data_bytes = 29, error_at = 4;
    struct addr client = ip("203.0.113.9");
    struct fixture f;
    setup(&f);
    for (int has_edns = 0; has_edns < 2; has_edns++) {
        const struct ask ask = {NS_T, DNS_A, IN, 0, has_edns ? 1232 : 0, 0, {0}};
        uint8_t packet[256];
        size_t len = put_query(&ask, packet);
        size_t whole = put_signature(packet, len, has_edns);
        const struct desk_ask how = {.packet = slice_make((const char *)packet, whole),
                                     .from = &client};
        size_t n = desk_answer(&f.desk, &how, answered);
        assert_int_equal(n, how.packet.len);
        assert_int_equal(dns_get16(answered + 2), DNS_QR | DNS_NOTAUTH);
        assert_int_equal(dns_get16(answered + 10), has_edns + 1);
        assert_memory_equal(answered + len, tsig, sizeof(tsig) - 1 - data_bytes);
        assert_int_equal(dns_get16(answered + n - error_at), DNS_BADKEY);
    }
    teardown(&f);
}

static void test_silence(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const struct ask response = {NS_T, DNS_A, IN, DNS_QR, 0, 0, {0}};
    assert_int_equal(send_from(&f, "203.0.113.9", false, &response).len, 0);
    struct addr client = ip("203.0.113.9");
    struct desk_ask how = {.from = &client};
    for (size_t len = 0; len < DNS_HEADER_BYTES; len++) {
        how.packet = slice_make("\0\1\0\0\0\1\0\0\0\0\0\0", len);
        assert_int_equal(desk_answer(&f.desk, &how, answered), 0);
    }
    assert_int_equal(counted(&f, DNS_WORD_SILENCE), 1 + DNS_HEADER_BYTES);
    teardown(&f);
}

/* ---- cookies ---- */

#define CLIENT "\1\2\3\4\5\6\7\x08"

static const struct {
    uint8_t key; /* what it was made with; 0: the client's part alone */
    uint32_t age_s;
    const char *at; /* for whom it was made */
    uint32_t word;
} cookies[] = {
    {0, 0, "192.0.2.9", DNS_WORD_COOKIE_NEW},
    {'a', 0, "192.0.2.9", DNS_WORD_COOKIE_GOOD},
    {'a', DNS_COOKIE_RENEW_S + 1, "192.0.2.9", DNS_WORD_COOKIE_GOOD},
    {'b', 60, "192.0.2.9", DNS_WORD_COOKIE_GOOD}, /* a key from before the last change */
    {'c', 60, "192.0.2.9", DNS_WORD_COOKIE_BAD},
    {'a', DNS_COOKIE_LIFE_S + 1, "192.0.2.9", DNS_WORD_COOKIE_BAD},
    {'a', 0, "192.0.2.8", DNS_WORD_COOKIE_BAD},
    {'a', (uint32_t)-DNS_COOKIE_AHEAD_S - 1, "192.0.2.9", DNS_WORD_COOKIE_BAD},
};

/* The COOKIE option of a row; how many bytes. */
static size_t put_cookie(size_t i, char option[4 + 24])
{
    uint8_t key[DNS_COOKIE_KEY_BYTES], server[DNS_SERVER_COOKIE_BYTES];
    struct addr at = ip(cookies[i].at);
    size_t len = cookies[i].key ? 24 : 8;
    memset(key, cookies[i].key, sizeof(key));
    memcpy(option, "\0\x0a\0", 3);
    option[3] = (char)len;
    memcpy(option + 4, CLIENT, 8);
    dns_cookie_make(key, SLICE(CLIENT), &at, NOW_S - cookies[i].age_s, server);
    memcpy(option + 12, server, sizeof(server));
    return 4 + len;
}

/* The answer brings one that our first key knows, made just now. */
static void check_cookie(struct slice message)
{
    uint8_t key[DNS_COOKIE_KEY_BYTES];
    struct addr client = ip("192.0.2.9");
    memset(key, 'a', sizeof(key));
    assert_true(message.len > 28);
    const char *option = message.ptr + message.len - 28;
    assert_memory_equal(option, "\0\x0a\0\x18" CLIENT, 12);
    assert_int_equal(dns_cookie_check(key, slice_make(option + 4, 24), &client, NOW_S),
                     DNS_COOKIE_FRESH);
}

/* Without rates a bad one is as good as none; over a rate only a good one helps. */
static void test_cookies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cookies); i++) {
        struct fixture f;
        char option[28];
        setup(&f);
        const struct ask ask = {
            NS_T, DNS_A, IN, 0, 1232, 0, slice_make(option, put_cookie(i, option))};
        struct slice message = send_from(&f, "192.0.2.9", false, &ask);
        assert_int_equal(dns_get16(message.ptr + 6), 1);
        check_cookie(message);
        assert_int_equal(counted(&f, cookies[i].word), 1);

        const struct rrl_rate one = {1, 60000};
        f.desk.rates = (struct desk_rates){.rrl = rrl_create(1024, 7),
                                           .answers = one,
                                           .negatives = one,
                                           .errors = one,
                                           .total = {1000, 1000},
                                           .slip = 1,
                                           .ipv4_bits = 24,
                                           .ipv6_bits = 56};
        bool is_good = cookies[i].word == DNS_WORD_COOKIE_GOOD;
        send_from(&f, "192.0.2.9", false, &ask);
        message = send_from(&f, "192.0.2.9", false, &ask);
        assert_int_equal(dns_get16(message.ptr + 6), is_good);
        check_cookie(message);
        assert_int_equal(counted(&f, dns_count_rcode(DNS_BADCOOKIE)), !is_good);
        assert_int_equal(counted(&f, DNS_WORD_RATE_SLIPPED), !is_good);
        teardown(&f);
    }
}

/* RFC 7873 section 5.4: a query that has no question but a cookie. */
static void test_cookie_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cookies); i++) {
        struct fixture f;
        uint8_t packet[64] = {0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, DNS_OPT, 4, 208};
        struct addr client = ip("192.0.2.9");
        setup(&f);
        size_t len = put_cookie(i, (char *)packet + 23);
        packet[22] = (uint8_t)len;
        const struct desk_ask how = {
            .packet = slice_make((const char *)packet, 23 + len), .from = &client, .wall_s = NOW_S};
        struct slice message =
            slice_make((const char *)answered, desk_answer(&f.desk, &how, answered));
        assert_int_equal(dns_get16(message.ptr + 4), 0);
        check_cookie(message);
        bool is_bad = cookies[i].word == DNS_WORD_COOKIE_BAD;
        assert_int_equal(counted(&f, dns_count_rcode(is_bad ? DNS_BADCOOKIE : DNS_NOERROR)), 1);
        teardown(&f);
    }
}

/* ---- rates ---- */

enum limited { WHOLE, CUT, NONE };

/* Each is asked three times, in the order of the rows: what becomes of the third. */
static const struct {
    struct ask ask;
    const char *from;
    bool is_tcp;
    uint32_t slip;
    enum limited want;
} limited[] = {
    {{NS_T, DNS_A, IN, 0, 0, 0, {0}}, "192.0.2.9", false, 1, CUT},
    {{NS_T, DNS_A, IN, 0, 0, 0, {0}}, "192.0.2.77", false, 0, NONE}, /* of the same network */
    {{NS_T, DNS_A, IN, 0, 0, 0, {0}}, "192.0.2.9", true, 0, WHOLE},
    {{NS_T, DNS_A, IN, 0, 0, 0, {0}}, "127.0.0.1", false, 0, WHOLE},
    {{NS_T, DNS_A, IN, 0, 0, 0, {0}}, "::1", false, 0, WHOLE},
    {{NS_T, DNS_A, IN, 0, 0, 0, {0}}, "::ffff:127.0.0.1", false, 0, WHOLE},
    {{NS_T, DNS_A, IN, 0, 0, 0, {0}}, "2001:db8::1", false, 1, CUT},
    {{"\2no\1t", DNS_A, IN, 0, 0, 0, {0}}, "192.0.2.9", false, 1, CUT},
    {{"\1x\3cut\1t", DNS_A, IN, 0, 0, 0, {0}}, "192.0.2.9", false, 0, NONE},
    /* An error has no form that is cut. */
    {{"\2ns\1u", DNS_A, IN, 0, 0, 0, {0}}, "192.0.2.9", false, 1, NONE},
    {{"\2ns\1u", DNS_A, IN, 0, 0, 0, {0}}, "192.0.2.9", true, 1, WHOLE},
    {{NS_T, DNS_A, IN, OPCODE_1, 0, 0, {0}}, "192.0.2.9", false, 0, NONE},
    {{NS_T, DNS_A, IN, OPCODE_1, 0, 0, {0}}, "192.0.2.9", false, 1, NONE},
    {{NS_T, DNS_A, IN, 0, 1232, EDNS_1, {0}}, "192.0.2.9", false, 1, NONE},
    {{NS_T, DNS_AXFR, IN, 0, 0, 0, {0}}, "192.0.2.9", false, 1, NONE},
    {{NS_T, DNS_TKEY, IN, 0, 0, 0, {0}}, "192.0.2.9", false, 1, NONE},
    {{"\2ns\1u", DNS_A, IN, 0, 1232, 0, SLICE_INIT("\0\x0a\0\x08" CLIENT)},
     "192.0.2.9",
     false,
     1,
     NONE},
    {{"\1t", DNS_SOA, IN, 0, 0, 0, {0}}, "192.0.2.9", false, 1, CUT},
};

static void test_rates(void **state)
{
    (void)state;
    const struct rrl_rate one = {1, 60000};
    struct fixture f;
    setup(&f);
    f.desk.rates = (struct desk_rates){.rrl = rrl_create(1024, 7),
                                       .answers = one,
                                       .negatives = one,
                                       .errors = one,
                                       .total = {1000, 1000},
                                       .ipv4_bits = 24,
                                       .ipv6_bits = 56};
    for (size_t i = 0; i < ARRAY_LEN(limited); i++) {
        struct slice message = slice_make(NULL, 0);
        f.desk.rates.slip = limited[i].slip;
        for (int n = 0; n < 3; n++)
            message = send_from(&f, limited[i].from, limited[i].is_tcp, &limited[i].ask);
        enum limited got = WHOLE;
        if (message.len == 0)
            got = NONE;
        else if (dns_get16(message.ptr + 2) & DNS_TC)
            got = CUT;
        assert_int_equal(got, limited[i].want);
        /* A response that is cut is smaller than what it spares the victim: no larger than its
         * query. */
        if (got == CUT)
            assert_int_equal(message.len, DNS_HEADER_BYTES + strlen(limited[i].ask.name) + 1 + 4);
    }
    assert_true(counted(&f, DNS_WORD_RATE_SLIPPED) >= 4);
    assert_true(counted(&f, DNS_WORD_RATE_DROPPED) >= 8);
    teardown(&f);
}

/* The total stops what each rate would let pass; a network that is exempt has none. */
static void test_total_and_exempt(void **state)
{
    (void)state;
    static const struct addr_net all = {
        .base = {.len = sizeof(struct sockaddr_in), .in4 = {.sin_family = AF_INET}}};
    const struct addr_net *exempt[] = {&all};
    const struct ask a = {NS_T, DNS_A, IN, 0, 0, 0, {0}};
    const struct ask no = {"\2no\1t", DNS_A, IN, 0, 0, 0, {0}};
    const struct rrl_rate ten = {10, 60000}, one = {1, 60000};
    struct fixture f;
    setup(&f);
    f.desk.rates = (struct desk_rates){.rrl = rrl_create(1024, 7),
                                       .answers = ten,
                                       .negatives = ten,
                                       .errors = ten,
                                       .total = one,
                                       .ipv4_bits = 24,
                                       .ipv6_bits = 56};
    assert_int_not_equal(send_from(&f, "192.0.2.9", false, &a).len, 0);
    assert_int_equal(send_from(&f, "192.0.2.9", false, &no).len, 0);
    f.desk.rates.exempt = exempt;
    f.desk.rates.n_exempt = 1;
    assert_int_not_equal(send_from(&f, "192.0.2.9", false, &no).len, 0);
    /* Whoever says who is exempt has to name loopback too. */
    assert_int_not_equal(send_from(&f, "::1", false, &no).len, 0);
    assert_int_equal(send_from(&f, "::1", false, &no).len, 0);
    teardown(&f);
}

/* ---- sizes ---- */

#define EVERY_OPTION                                       \
    "\0\3\0\0\0\x0a\0\x08" CLIENT "\0\x08\0\x14\0\2\x80\0" \
    "\x20\1\x0d\xb8\1\2\3\4\5\6\7\x08\1\2\3\4"

/*
 * The longest name there is, with each option, and the longest texts that the words of a listener
 * may have: also in the least size there is room for the question and for all that OPT tells.
 */
static void test_sizes(void **state)
{
    (void)state;
    static const uint16_t types[] = {DNS_A, DNS_AAAA, DNS_ANY, DNS_TXT, DNS_AXFR, DNS_TKEY};
    static const uint16_t sizes[] = {0, 100, 512, 600, 1232, 4096};
    static const char identity[DNS_IDENTITY_MAX] = {'i'}, version[255] = {'v'};
    struct fixture f;
    setup(&f);
    assert_int_equal(sizeof(LONGEST), DNS_NAME_MAX);
    f.desk.id = f.desk.nsid = slice_make(identity, sizeof(identity));
    f.desk.version = slice_make(version, sizeof(version));
    for (size_t i = 0; i < ARRAY_LEN(types) * ARRAY_LEN(sizes); i++) {
        uint16_t size = sizes[i % ARRAY_LEN(sizes)];
        struct ask ask = {LONGEST,
                          types[i / ARRAY_LEN(sizes)],
                          types[i / ARRAY_LEN(sizes)] == DNS_TXT ? CH : IN,
                          0,
                          size,
                          EDNS_DO,
                          SLICE(EVERY_OPTION)};
        size_t limit = size < 512 ? 512 : size > DNS_UDP_EDNS ? DNS_UDP_EDNS : size;
        if (ask.class == CH)
            ask.name = "\7version\6server";
        struct slice message = send_from(&f, "192.0.2.9", false, &ask);
        struct text text = TEXT_NONE;
        show(message, &text);
        assert_in_range(message.len, DNS_HEADER_BYTES, limit);
        assert_int_equal(dns_get16(message.ptr + 10), size != 0);
        text_deinit(&text);
    }
    teardown(&f);
}

/* What the client takes, or what the listener is willing to send, whichever is less. */
static void test_truncation(void **state)
{
    (void)state;
    static const struct {
        uint16_t client, ours;
        bool is_tcp, is_cut;
    } cases[] = {
        {0, 1232, false, true},     {512, 1232, false, true}, {1232, 512, false, true},
        {1232, 1232, false, false}, {0, 512, true, false},
    };
    struct zone_build *build = zone_build_create(slice_make("\1t", 3), NULL, NULL);
    struct text text = TEXT_NONE;
    text_printf(&text, "$TTL 60\n@ SOA ns h 7 2h 30m 2w 30\n@ NS ns\nns A 192.0.2.1\n");
    for (int i = 0; i < 50; i++)
        text_printf(&text, "many A 192.0.2.%d\n", i);
    assert_int_equal(zone_build_file(build, "z", slice_from(text_cstr(&text))), 0);
    struct fixture f;
    setup(&f);
    zone_set_destroy(&f.zones);
    f.view.zones = f.zones = stage_set(&build);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct ask ask = {"\4many\1t", DNS_A, IN, 0, cases[i].client, 0, {0}};
        f.desk.edns_bytes = cases[i].ours;
        uint64_t before = counted(&f, DNS_WORD_TRUNCATED);
        struct slice message = send_from(&f, "192.0.2.9", cases[i].is_tcp, &ask);
        assert_int_equal((dns_get16(message.ptr + 2) & DNS_TC) != 0, cases[i].is_cut);
        assert_int_equal(dns_get16(message.ptr + 6), cases[i].is_cut ? 0 : 50);
        assert_int_equal(counted(&f, DNS_WORD_TRUNCATED) - before, cases[i].is_cut);
    }
    text_deinit(&text);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses), cmocka_unit_test(test_untold),
        cmocka_unit_test(test_keepalive), cmocka_unit_test(test_silence),
        cmocka_unit_test(test_signed),    cmocka_unit_test(test_signed_over_rate),
        cmocka_unit_test(test_cookies),   cmocka_unit_test(test_cookie_alone),
        cmocka_unit_test(test_rates),     cmocka_unit_test(test_total_and_exempt),
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
