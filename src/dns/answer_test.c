/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to a small zone, and what is answered, as text; pools' records, and what does not fit.
 */
#include "base/mem.h"
#include "base/text.h"
#include "dns/answer.h"
#include "dns/record.h"
#include "dns/zone_stage.h"
#include "wire/dns_name.h"
#include "wire/dns_read.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const char outer_zone[] =
    "$TTL 60\n@ 90 SOA ns h 7 2h 30m 2w 30\n@ NS ns\nns A 192.0.2.1\n@ MX 5 mail\nmail A "
    "192.0.2.2\n"
    "alias CNAME mail\nchain CNAME alias\nloop1 CNAME loop2\nloop2 CNAME loop1\nout CNAME a.b.\n"
    "gone CNAME nothing\n*.wild A 192.0.2.3\n*.wild MX 1 x.wild\nx.ent.wild A 192.0.2.4\n"
    "*.self MX 1 *.self\ncut NS ns.cut\ncut NS ns\nns.cut A 192.0.2.5\ncut DS 1 13 2 00\n"
    "d DNAME e\na.e A 192.0.2.6\ninner NS ns.inner\nns.inner A 192.0.2.7\nto-pool CNAME pool\n"
    "*.pools CNAME pool\n*.far CNAME a.b.\n*.loop CNAME x.loop\n*.near CNAME mail\n"
    "chain3 CNAME chain\nchain-out CNAME out\nchain-loop CNAME loop1\nchain-pool CNAME to-pool\n"
    "chain-wild CNAME to-wild\nchain-cut CNAME to-cut\nchain-gone CNAME gone\n"
    "*.chained CNAME chain\n*.again CNAME hop\nhop CNAME x.again\n*.tie CNAME knot\n"
    "knot CNAME a.*.tie\n"
    "*.tied CNAME a.*.tied\nto-cut CNAME x.cut\nto-wild CNAME x.Wild\nto-d CNAME a.d\n@ SRV 1 1 80 "
    "pool\n";
static const char inner_zone[] = "$TTL 60\n@ SOA ns h 8 2h 30m 2w 30\n@ NS ns\nns A 192.0.2.8\n";

static struct zone *build(const char *origin, const char *text, const char *pool)
{
    uint8_t name[DNS_NAME_MAX];
    struct zone_build *build = zone_build_create(stage_name(origin, name), NULL, NULL);
    const struct zone_at nowhere = {NULL, 0, 0};
    assert_int_equal(zone_build_file(build, "z", slice_from(text)), 0);
    if (pool)
        assert_int_equal(zone_build_pool(build, stage_name(pool, name), DNS_A, 0, nowhere), 0);
    struct zone *zone = zone_build_finish(&build);
    assert_non_null(zone);
    return zone;
}

static struct zone_set *build_set(void)
{
    struct zone *zones[] = {build("t.", outer_zone, "pool.t."),
                            build("inner.t.", inner_zone, NULL)};
    return zone_set_create(zones, 2, 1);
}

static const uint8_t pool_data[] = {10, 0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 3};

static void show(struct slice message, struct text *out)
{
    char rcode[DNS_RCODE_TEXT_MAX];
    uint16_t flags = dns_get16(message.ptr + 2);
    text_printf(out, "%s%s%s", dns_rcode_show(flags & DNS_RCODE_MASK, rcode),
                flags & DNS_AA ? " aa" : "", flags & DNS_TC ? " tc" : "");
    stage_records(message, out);
}

static size_t ask(const struct zone_set *set, const struct record_answer *pool, const char *name,
                  uint16_t type, uint32_t random, size_t limit, struct answer_facts *facts,
                  uint8_t out[DNS_MESSAGE_MAX])
{
    uint8_t packet[DNS_HEADER_BYTES + DNS_QUESTION_MAX] = {0, 9, 1, 0, 0, 1}, wired[DNS_NAME_MAX];
    struct slice question = stage_name(name, wired);
    struct dns_query query;
    memcpy(packet + DNS_HEADER_BYTES, question.ptr, question.len);
    dns_put16(packet + DNS_HEADER_BYTES + question.len, type);
    dns_put16(packet + DNS_HEADER_BYTES + question.len + 2, DNS_CLASS_IN);
    size_t n = DNS_HEADER_BYTES + question.len + 4;
    assert_int_equal(dns_query_parse(slice_make((const char *)packet, n), &query), DNS_OK);
    const struct answer_view view = {set, &pool};
    const struct addr nobody = {.len = 0};
    const struct answer_ask how = {&query, &nobody, random};
    return answer_write(&view, &how, out, limit, facts);
}

static const struct {
    const char *name;
    uint16_t type;
    const char *want;
} rows[] = {
    {"ns.t.", DNS_A, "NOERROR aa\n+ ns.t. 60 IN A 192.0.2.1"},
    {"nS.T.", DNS_A, "NOERROR aa\n+ nS.T. 60 IN A 192.0.2.1"},
    {"ns.t.", DNS_AAAA, "NOERROR aa\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"no.t.", DNS_A, "NXDOMAIN aa\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"no.u.", DNS_A, "REFUSED"},
    {".", DNS_NS, "REFUSED"},
    {"t.", DNS_MX, "NOERROR aa\n+ t. 60 IN MX 5 mail.t.\n! mail.t. 60 IN A 192.0.2.2"},
    {"t.", DNS_NS, "NOERROR aa\n+ t. 60 IN NS ns.t.\n! ns.t. 60 IN A 192.0.2.1"},
    {"t.", DNS_SOA, "NOERROR aa\n+ t. 90 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"alias.t.", DNS_A, "NOERROR aa\n+ alias.t. 60 IN CNAME mail.t.\n+ mail.t. 60 IN A 192.0.2.2"},
    {"alias.t.", DNS_CNAME, "NOERROR aa\n+ alias.t. 60 IN CNAME mail.t."},
    {"alias.t.", DNS_AAAA,
     "NOERROR aa\n+ alias.t. 60 IN CNAME mail.t.\n"
     "- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"chain.t.", DNS_A,
     "NOERROR aa\n+ chain.t. 60 IN CNAME alias.t.\n+ alias.t. 60 IN CNAME mail.t.\n"
     "+ mail.t. 60 IN A 192.0.2.2"},
    {"loop1.t.", DNS_A,
     "NOERROR aa\n+ loop1.t. 60 IN CNAME loop2.t.\n+ loop2.t. 60 IN CNAME loop1.t."},
    {"out.t.", DNS_A, "NOERROR aa\n+ out.t. 60 IN CNAME a.b."},
    {"gone.t.", DNS_A,
     "NXDOMAIN aa\n+ gone.t. 60 IN CNAME nothing.t.\n"
     "- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"a.b.wild.t.", DNS_A, "NOERROR aa\n+ a.b.wild.t. 60 IN A 192.0.2.3"},
    {"longer.wild.t.", DNS_MX,
     "NOERROR aa\n+ longer.wild.t. 60 IN MX 1 x.wild.t.\n! x.wild.t. 60 IN A 192.0.2.3"},
    {"*.wild.t.", DNS_A, "NOERROR aa\n+ *.wild.t. 60 IN A 192.0.2.3"},
    {"wild.t.", DNS_A, "NOERROR aa\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"ent.wild.t.", DNS_A, "NOERROR aa\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"y.ent.wild.t.", DNS_A, "NXDOMAIN aa\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"q.self.t.", DNS_MX, "NOERROR aa\n+ q.self.t. 60 IN MX 1 *.self.t."},
    {"cut.t.", DNS_NS,
     "NOERROR\n- cut.t. 60 IN NS ns.cut.t.\n- cut.t. 60 IN NS ns.t.\n"
     "! ns.cut.t. 60 IN A 192.0.2.5\n! ns.t. 60 IN A 192.0.2.1"},
    {"x.cut.t.", DNS_A,
     "NOERROR\n- cut.t. 60 IN NS ns.cut.t.\n- cut.t. 60 IN NS ns.t.\n"
     "! ns.cut.t. 60 IN A 192.0.2.5\n! ns.t. 60 IN A 192.0.2.1"},
    {"ns.cut.t.", DNS_A,
     "NOERROR\n- cut.t. 60 IN NS ns.cut.t.\n- cut.t. 60 IN NS ns.t.\n"
     "! ns.cut.t. 60 IN A 192.0.2.5\n! ns.t. 60 IN A 192.0.2.1"},
    {"cut.t.", DNS_DS, "NOERROR aa\n+ cut.t. 60 IN DS 1 13 2 00"},
    {"a.d.t.", DNS_A,
     "NOERROR aa\n+ d.t. 60 IN DNAME e.t.\n+ a.d.t. 60 IN CNAME a.e.t.\n"
     "+ a.e.t. 60 IN A 192.0.2.6"},
    {"d.t.", DNS_A, "NOERROR aa\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"no.inner.t.", DNS_A,
     "NXDOMAIN aa\n- inner.t. 30 IN SOA ns.inner.t. h.inner.t. 8 7200 1800 1209600 30"},
    {"ns.inner.t.", DNS_A, "NOERROR aa\n+ ns.inner.t. 60 IN A 192.0.2.8"},
    {"inner.t.", DNS_DS, "NOERROR aa\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"pool.t.", DNS_A,
     "NOERROR aa\n+ pool.t. 5 IN A 10.0.0.1\n+ pool.t. 5 IN A 10.0.0.2\n"
     "+ pool.t. 5 IN A 10.0.0.3"},
    {"to-pool.t.", DNS_A,
     "NOERROR aa\n+ to-pool.t. 60 IN CNAME pool.t.\n+ pool.t. 5 IN A 10.0.0.1\n"
     "+ pool.t. 5 IN A 10.0.0.2\n+ pool.t. 5 IN A 10.0.0.3"},
    {"any.pools.t.", DNS_A,
     "NOERROR aa\n+ any.pools.t. 60 IN CNAME pool.t.\n+ pool.t. 5 IN A 10.0.0.1\n"
     "+ pool.t. 5 IN A 10.0.0.2\n+ pool.t. 5 IN A 10.0.0.3"},
    {"q.far.t.", DNS_A, "NOERROR aa\n+ q.far.t. 60 IN CNAME a.b."},
    {"x.loop.t.", DNS_A, "NOERROR aa\n+ x.loop.t. 60 IN CNAME x.loop.t."},
    {"longer.loop.t.", DNS_A,
     "NOERROR aa\n+ longer.loop.t. 60 IN CNAME x.loop.t.\n+ x.loop.t. 60 IN CNAME x.loop.t."},
    {"longer.than.it.near.t.", DNS_A,
     "NOERROR aa\n+ longer.than.it.near.t. 60 IN CNAME mail.t.\n+ mail.t. 60 IN A 192.0.2.2"},
    {"longer.than.it.near.t.", DNS_AAAA,
     "NOERROR aa\n+ longer.than.it.near.t. 60 IN CNAME mail.t.\n"
     "- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"q.tied.t.", DNS_A,
     "NXDOMAIN aa\n+ q.tied.t. 60 IN CNAME a.*.tied.t.\n"
     "- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"chain3.t.", DNS_A,
     "NOERROR aa\n+ chain3.t. 60 IN CNAME chain.t.\n+ chain.t. 60 IN CNAME alias.t.\n"
     "+ alias.t. 60 IN CNAME mail.t.\n+ mail.t. 60 IN A 192.0.2.2"},
    {"chain3.t.", DNS_CNAME, "NOERROR aa\n+ chain3.t. 60 IN CNAME chain.t."},
    {"Chain3.T.", DNS_AAAA,
     "NOERROR aa\n+ Chain3.T. 60 IN CNAME chain.T.\n+ chain.T. 60 IN CNAME alias.T.\n"
     "+ alias.T. 60 IN CNAME mail.T.\n- T. 30 IN SOA ns.T. h.T. 7 7200 1800 1209600 30"},
    {"chain-out.t.", DNS_A,
     "NOERROR aa\n+ chain-out.t. 60 IN CNAME out.t.\n+ out.t. 60 IN CNAME a.b."},
    {"chain-loop.t.", DNS_A,
     "NOERROR aa\n+ chain-loop.t. 60 IN CNAME loop1.t.\n+ loop1.t. 60 IN CNAME loop2.t.\n"
     "+ loop2.t. 60 IN CNAME loop1.t."},
    {"chain-pool.t.", DNS_A,
     "NOERROR aa\n+ chain-pool.t. 60 IN CNAME to-pool.t.\n+ to-pool.t. 60 IN CNAME pool.t.\n"
     "+ pool.t. 5 IN A 10.0.0.1\n+ pool.t. 5 IN A 10.0.0.2\n+ pool.t. 5 IN A 10.0.0.3"},
    {"chain-pool.t.", DNS_AAAA,
     "NOERROR aa\n+ chain-pool.t. 60 IN CNAME to-pool.t.\n+ to-pool.t. 60 IN CNAME pool.t.\n"
     "- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"chain-wild.t.", DNS_A,
     "NOERROR aa\n+ chain-wild.t. 60 IN CNAME to-wild.t.\n+ to-wild.t. 60 IN CNAME x.Wild.t.\n"
     "+ x.Wild.t. 60 IN A 192.0.2.3"},
    {"chain-cut.t.", DNS_A,
     "NOERROR aa\n+ chain-cut.t. 60 IN CNAME to-cut.t.\n+ to-cut.t. 60 IN CNAME x.cut.t.\n"
     "- cut.t. 60 IN NS ns.cut.t.\n- cut.t. 60 IN NS ns.t.\n! ns.cut.t. 60 IN A 192.0.2.5\n"
     "! ns.t. 60 IN A 192.0.2.1"},
    {"chain-gone.t.", DNS_A,
     "NXDOMAIN aa\n+ chain-gone.t. 60 IN CNAME gone.t.\n+ gone.t. 60 IN CNAME nothing.t.\n"
     "- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    /* A wildcard's chain follows any name; what comes by the wildcard again may be that name. */
    {"longer.than.it.chained.t.", DNS_A,
     "NOERROR aa\n+ longer.than.it.chained.t. 60 IN CNAME chain.t.\n"
     "+ chain.t. 60 IN CNAME alias.t.\n+ alias.t. 60 IN CNAME mail.t.\n"
     "+ mail.t. 60 IN A 192.0.2.2"},
    {"q.again.t.", DNS_A,
     "NOERROR aa\n+ q.again.t. 60 IN CNAME hop.t.\n+ hop.t. 60 IN CNAME x.again.t.\n"
     "+ x.again.t. 60 IN CNAME hop.t."},
    {"x.again.t.", DNS_A,
     "NOERROR aa\n+ x.again.t. 60 IN CNAME hop.t.\n+ hop.t. 60 IN CNAME x.again.t."},
    {"q.tie.t.", DNS_A,
     "NXDOMAIN aa\n+ q.tie.t. 60 IN CNAME knot.t.\n+ knot.t. 60 IN CNAME a.*.tie.t.\n"
     "- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
    {"to-cut.t.", DNS_A,
     "NOERROR aa\n+ to-cut.t. 60 IN CNAME x.cut.t.\n- cut.t. 60 IN NS ns.cut.t.\n"
     "- cut.t. 60 IN NS ns.t.\n! ns.cut.t. 60 IN A 192.0.2.5\n! ns.t. 60 IN A 192.0.2.1"},
    {"to-wild.t.", DNS_A,
     "NOERROR aa\n+ to-wild.t. 60 IN CNAME x.Wild.t.\n+ x.Wild.t. 60 IN A 192.0.2.3"},
    {"to-wild.t.", DNS_MX,
     "NOERROR aa\n+ to-wild.t. 60 IN CNAME x.Wild.t.\n+ x.Wild.t. 60 IN MX 1 x.Wild.t.\n"
     "! x.Wild.t. 60 IN A 192.0.2.3"},
    {"to-d.t.", DNS_A,
     "NOERROR aa\n+ to-d.t. 60 IN CNAME a.d.t.\n+ d.t. 60 IN DNAME e.t.\n"
     "+ a.d.t. 60 IN CNAME a.e.t.\n+ a.e.t. 60 IN A 192.0.2.6"},
    {"t.", DNS_SRV,
     "NOERROR aa\n+ t. 60 IN SRV 1 1 80 pool.t.\n! pool.t. 5 IN A 10.0.0.1\n"
     "! pool.t. 5 IN A 10.0.0.2\n! pool.t. 5 IN A 10.0.0.3"},
    {"pool.t.", DNS_AAAA, "NOERROR aa\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"},
};

/* Whole, and cut at every length: never longer than that, and always a sound message. */
static void test_answers(void **state)
{
    (void)state;
    static uint8_t out[DNS_MESSAGE_MAX];
    struct record_variant variant = {.is_everybody = true,
                                     .ttl_s = 5,
                                     .n = 3,
                                     .at_most = 3,
                                     .rdata_bytes = 4,
                                     .rdata = pool_data};
    const struct record_answer pool = {.type = DNS_A, .n_variants = 1, .variants = &variant};
    struct zone_set *set = build_set();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text text = TEXT_NONE;
        struct answer_facts facts;
        size_t n = ask(set, &pool, rows[i].name, rows[i].type, 0, sizeof(out), &facts, out);
        show(slice_make((const char *)out, n), &text);
        assert_string_equal(text_cstr(&text), rows[i].want);
        assert_false(facts.is_truncated);
        size_t least = DNS_HEADER_BYTES + strlen(rows[i].name) + 5;
        for (size_t limit = n; limit-- > least;) {
            size_t shorter = ask(set, &pool, rows[i].name, rows[i].type, 0, limit, &facts, out);
            assert_true(shorter <= limit);
            text_clear(&text);
            show(slice_make((const char *)out, shorter), &text);
            assert_int_equal(facts.is_truncated, (dns_get16(out + 2) & DNS_TC) != 0);
        }
        text_deinit(&text);
    }
    zone_set_destroy(&set);
}

/* Each name leads to the next: as many are followed as there may be, and the first asked by itself
 * says the same as a longer way to it. */
static void test_long_chains(void **state)
{
    (void)state;
    enum { N_NAMES = ANSWER_CHAIN_MAX + 4 };
    static uint8_t out[DNS_MESSAGE_MAX];
    struct text text = TEXT_NONE;
    text_printf(&text, "$TTL 60\n@ SOA ns h 7 2h 30m 2w 30\n@ NS ns\nns A 192.0.2.1\n");
    for (int i = 0; i < N_NAMES; i++)
        text_printf(&text, "c%d CNAME c%d\n", i, i + 1);
    text_printf(&text, "c%d A 192.0.2.2\n", N_NAMES);
    struct zone *zone = build("t.", text_cstr(&text), NULL);
    struct zone_set *set = zone_set_create(&zone, 1, 1);
    for (int i = 0; i < N_NAMES; i++) {
        char name[16];
        struct answer_facts facts;
        int n_aliases = N_NAMES - i, most = ANSWER_CHAIN_MAX + 1;
        snprintf(name, sizeof(name), "c%d.t.", i);
        size_t n = ask(set, NULL, name, DNS_A, 0, sizeof(out), &facts, out);
        assert_int_equal(dns_get16(out + 6), n_aliases < most ? n_aliases + 1 : most);
        text_clear(&text);
        show(slice_make((const char *)out, n), &text);
        assert_int_equal(strstr(text_cstr(&text), "IN A 192.0.2.2") != NULL, n_aliases < most);
    }
    text_deinit(&text);
    zone_set_destroy(&set);
}

/* An RRset is there whole or not at all; glue that a referral needs is missed by TC. */
static void test_truncated(void **state)
{
    (void)state;
    static uint8_t out[DNS_MESSAGE_MAX];
    struct zone_set *set = build_set();
    struct answer_facts facts;
    struct text text = TEXT_NONE;
    size_t n = ask(set, NULL, "x.cut.t.", DNS_A, 0, 70, &facts, out);
    show(slice_make((const char *)out, n), &text);
    assert_string_equal(text_cstr(&text), "NOERROR tc\n- cut.t. 60 IN NS ns.cut.t.\n"
                                          "- cut.t. 60 IN NS ns.t.");
    text_clear(&text);
    n = ask(set, NULL, "x.cut.t.", DNS_A, 0, 86, &facts, out);
    show(slice_make((const char *)out, n), &text);
    assert_string_equal(text_cstr(&text), "NOERROR\n- cut.t. 60 IN NS ns.cut.t.\n"
                                          "- cut.t. 60 IN NS ns.t.\n"
                                          "! ns.cut.t. 60 IN A 192.0.2.5");
    text_deinit(&text);
    zone_set_destroy(&set);
}

/* Over many answers each datum comes first as often as its weight says. */
static void test_draw(void **state)
{
    (void)state;
    static uint8_t out[DNS_MESSAGE_MAX];
    static const uint16_t weights[] = {1, 2, 5};
    static const unsigned want[2][3] = {{1000, 1000, 1000}, {375, 750, 1875}};
    struct zone_set *set = build_set();
    for (int is_weighted = 0; is_weighted < 2; is_weighted++) {
        struct record_variant variant = {.is_everybody = true,
                                         .ttl_s = 5,
                                         .n = 3,
                                         .at_most = 2,
                                         .is_shuffled = true,
                                         .weights = is_weighted ? weights : NULL,
                                         .rdata_bytes = 4,
                                         .rdata = pool_data};
        const struct record_answer pool = {.type = DNS_A, .n_variants = 1, .variants = &variant};
        unsigned first[3] = {0, 0, 0};
        struct answer_facts facts;
        for (uint32_t i = 0; i < 3000; i++) {
            size_t n = ask(set, &pool, "pool.t.", DNS_A, i, 512, &facts, out);
            assert_int_equal(n, DNS_HEADER_BYTES + 12 + 2 * 16);
            assert_int_not_equal(out[n - 1], out[n - 17]);
            first[out[n - 17] - 1]++;
        }
        assert_int_equal(facts.record_index, 0);
        for (size_t i = 0; i < 3; i++)
            assert_in_range(first[i], want[is_weighted][i] - 120, want[is_weighted][i] + 120);
    }
    zone_set_destroy(&set);
}

static void test_empty_pool(void **state)
{
    (void)state;
    static uint8_t out[DNS_MESSAGE_MAX];
    struct record_variant variant = {.is_everybody = true, .ttl_s = 3};
    const struct record_answer pool = {.type = DNS_A, .n_variants = 1, .variants = &variant};
    struct zone_set *set = build_set();
    struct answer_facts facts;
    struct text text = TEXT_NONE;
    size_t n = ask(set, &pool, "pool.t.", DNS_A, 0, 512, &facts, out);
    show(slice_make((const char *)out, n), &text);
    assert_string_equal(text_cstr(&text),
                        "NOERROR aa\n- t. 3 IN SOA ns.t. h.t. 7 7200 1800 1209600 30");
    assert_true(facts.is_negative);
    text_deinit(&text);
    zone_set_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),    cmocka_unit_test(test_long_chains),
        cmocka_unit_test(test_truncated),  cmocka_unit_test(test_draw),
        cmocka_unit_test(test_empty_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
