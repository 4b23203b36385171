/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Floods with the address of a victim: what its network gets of each kind of query, as bytes of
 * answers for each hundred bytes of queries, with the rates that a listener has unless told. Time
 * goes by with the queries.
 */

#include "dns/policy.h"

#include "base/mem.h"
#include "base/text.h"
#include "dns/count.h"
#include "dns/zone_stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    QUERIES_PER_MS = 10,
    N_MS = 10000,
    IDENTITY_BYTES = 128,
    LARGE_STRINGS = 5, /* of 200 bytes: an answer that just fits 1232 */
};

static const char zone_head[] = "$TTL 60\n@ SOA ns h 7 2h 30m 2w 30\n@ NS ns\nns A 192.0.2.1\n"
                                "cut NS ns\n*.wild A 192.0.2.3\nd DNAME wild\n";

struct fixture {
    struct zone_set *zones;
    struct answer_view view;
    metric_word row[DNS_WORDS];
    struct dns_desk desk;
};

static struct zone_set *make_zones(void)
{
    struct text text = TEXT_NONE;
    struct zone_build *build = zone_build_create(slice_make("\1t", 3), NULL, NULL);
    text_printf(&text, "%s", zone_head);
    for (int i = 0; i < 2 * LARGE_STRINGS; i++)
        text_printf(&text, "%s TXT \"%0200d\"\n", i % 2 ? "large" : "*.large", i);
    assert_int_equal(zone_build_file(build, "z", text_slice(&text)), 0);
    text_deinit(&text);
    return stage_set(&build);
}

static void setup(struct fixture *f, uint32_t slip)
{
    static char identity[IDENTITY_BYTES];
    memset(identity, 'i', sizeof(identity));
    memset(f, 0, sizeof(*f));
    f->zones = make_zones();
    f->view = (struct answer_view){f->zones, NULL};
    f->desk = (struct dns_desk){.view = &f->view,
                                .row = f->row,
                                .id = slice_make(identity, sizeof(identity)),
                                .nsid = slice_make(identity, sizeof(identity)),
                                .version = slice_make(identity, sizeof(identity)),
                                .edns_bytes = DNS_UDP_EDNS,
                                .has_cookies = true,
                                .n_keys = 1};
    f->desk.rates = (struct desk_rates){.rrl = rrl_create(1024, 7),
                                        .answers = {200, 1000},
                                        .negatives = {200, 1000},
                                        .errors = {50, 1000},
                                        .total = {5000, 1000},
                                        .slip = slip,
                                        .ipv4_bits = 24,
                                        .ipv6_bits = 56};
    rng_init(&f->desk.rng, 1);
}

static void teardown(struct fixture *f)
{
    rrl_destroy(&f->desk.rates.rrl);
    zone_set_destroy(&f->zones);
}

/* ---- queries ---- */

#define COOKIE "\0\x0a\0\x08\1\2\3\4\5\6\7\x08"
#define NSID   "\0\3\0\0"
#define SUBNET "\0\x08\0\7\0\1\x18\0\xc0\0\2"

struct flood {
    const char *name;  /* in wire form; the NUL behind it is the root */
    bool is_each_anew; /* each query has a label of its own before that */
    uint16_t type, class;
    uint16_t opcode;
    uint16_t udp_bytes; /* 0: without EDNS */
    struct slice options;
    uint32_t slip;
    unsigned most; /* bytes of answers for a hundred of queries */
};

static size_t put_name(const struct flood *flood, uint32_t i, uint8_t *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0, len = strlen(flood->name) + 1;
    if (flood->is_each_anew) {
        out[at++] = 6;
        for (int bits = 20; bits >= 0; bits -= 4)
            out[at++] = (uint8_t)digits[i >> bits & 0xf];
    }
    memcpy(out + at, flood->name, len);
    return at + len;
}

static size_t put_query(const struct flood *flood, uint32_t i, uint8_t *out)
{
    size_t len = DNS_HEADER_BYTES;
    memset(out, 0, DNS_HEADER_BYTES);
    dns_put16(out + 2, (uint16_t)(flood->opcode << DNS_OPCODE_SHIFT));
    out[5] = 1;
    len += put_name(flood, i, out + len);
    dns_put16(out + len, flood->type);
    dns_put16(out + len + 2, flood->class);
    len += 4;
    if (flood->udp_bytes == 0)
        return len;
    out[11] = 1;
    memset(out + len, 0, 11);
    dns_put16(out + len + 1, DNS_OPT);
    dns_put16(out + len + 3, flood->udp_bytes);
    dns_put16(out + len + 9, (uint16_t)flood->options.len);
    if (flood->options.len)
        memcpy(out + len + 11, flood->options.ptr, flood->options.len);
    return len + 11 + flood->options.len;
}

enum { IN = DNS_CLASS_IN, CH = DNS_CLASS_CH, BIG = 4096 };

#define PLAIN   \
    {           \
        NULL, 0 \
    }
#define ALL SLICE_INIT(NSID COOKIE SUBNET)

static const struct flood floods[] = {
    {"\2ns\1t", false, DNS_A, IN, 0, 0, PLAIN, 2, 60},
    {"\2ns\1t", false, DNS_A, IN, 0, BIG, PLAIN, 2, 60},
    {"\5large\1t", false, DNS_TXT, IN, 0, 0, PLAIN, 2, 60},    /* cut */
    {"\5large\1t", false, DNS_TXT, IN, 0, BIG, PLAIN, 2, 120}, /* 30 times its query */
    {"\5large\1t", false, DNS_TXT, IN, 0, BIG, PLAIN, 1, 170},
    {"\5large\1t", false, DNS_TXT, IN, 0, BIG, PLAIN, 0, 75},
    {"\5large\1t", false, DNS_TXT, IN, 0, BIG, ALL, 2, 110},
    {"\5large\1t", false, DNS_ANY, IN, 0, BIG, PLAIN, 2, 60},
    /* Names that are each anew count together where a wildcard, or nothing, stands behind them. */
    {"\5large\1t", true, DNS_TXT, IN, 0, BIG, PLAIN, 2, 110},
    {"\1d\1t", true, DNS_A, IN, 0, BIG, PLAIN, 2, 60},
    {"\2ns\1t", true, DNS_A, IN, 0, BIG, PLAIN, 2, 60},
    {"\2ns\1t", true, DNS_A, IN, 0, BIG, ALL, 2, 70},
    {"\3cut\1t", true, DNS_A, IN, 0, BIG, PLAIN, 2, 60},
    {"\2no\1t", false, DNS_A, IN, 0, 0, PLAIN, 2, 60},
    /* Cookies of ours are made for whoever asks: the price of 16 bytes. */
    {"\2ns\1t", false, DNS_A, IN, 0, BIG, SLICE_INIT(COOKIE), 1, 140},
    {"\2ns\1t", false, DNS_A, IN, 0, BIG, SLICE_INIT(NSID), 2, 60},
    {"\2id\6server", false, DNS_TXT, CH, 0, BIG, PLAIN, 2, 60},
    {"\7version\4bind", false, DNS_TXT, CH, 0, 0, PLAIN, 2, 65},
    /* Errors. */
    {"\2ns\1u", true, DNS_A, IN, 0, 0, PLAIN, 1, 1},
    {"\2ns\1u", true, DNS_A, IN, 0, BIG, ALL, 1, 2},
    {"\1t", false, DNS_AXFR, IN, 0, 0, PLAIN, 1, 1},
    {"\2ns\1t", false, DNS_A, IN, 5, 0, PLAIN, 1, 1},
};

/* ---- the floods ---- */

struct sum {
    uint64_t in, out;
    size_t largest;
};

static struct sum run(struct fixture *f, const struct flood *flood)
{
    uint8_t packet[512], out[DESK_UDP_BYTES];
    struct sum sum = {0, 0, 0};
    struct addr victim;
    struct err err;
    assert_int_equal(addr_parse_ip(SLICE("192.0.2.9"), 53, &victim, &err), 0);
    for (uint32_t i = 0; i < QUERIES_PER_MS * N_MS; i++) {
        const struct desk_ask ask = {
            .packet = slice_make((const char *)packet, put_query(flood, i, packet)),
            .from = &victim,
            .now_ms = 5000 + i / QUERIES_PER_MS,
            .wall_s = 1000000};
        size_t len = desk_answer(&f->desk, &ask, out);
        sum.in += ask.packet.len;
        sum.out += len;
        sum.largest = len > sum.largest ? len : sum.largest;
    }
    return sum;
}

static void test_floods(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        const struct flood *flood = &floods[i];
        struct fixture f;
        setup(&f, flood->slip);
        struct sum sum = run(&f, flood);
        unsigned percent = (unsigned)(100 * sum.out / sum.in);
        if (percent > flood->most)
            fail_msg("row %zu: %u bytes of answers for a hundred of queries", i, percent);
        assert_in_range(sum.largest, 1, flood->udp_bytes ? DNS_UDP_EDNS : DNS_UDP_PLAIN);
        teardown(&f);
    }
}

/* Without rates the same queries get all that their answers hold. */
static void test_without_rates(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 0);
    rrl_destroy(&f.desk.rates.rrl);
    struct sum sum = run(&f, &floods[3]);
    assert_true(sum.out > 25 * sum.in);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_without_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
