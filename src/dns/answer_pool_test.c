/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools' records in all places of a zone: beneath wildcards, behind CNAMEs, as the addresses of
 * names in SRV and HTTPS data, written out or from pools themselves.
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

#include <cmocka.h>

static const char zone_text[] =
    "$TTL 60\n@ SOA ns h 7 2h 30m 2w 30\n@ NS ns\nns A 192.0.2.1\na A 192.0.2.2\n"
    "*.w TXT beside\nx.ent.w A 192.0.2.3\nto-w CNAME q.w\ntwo CNAME to-w\n*.by CNAME q.w\n"
    "_fixed SRV 1 1 80 p\n_fixed SRV 2 1 80 a\nfixed HTTPS 1 q.w alpn=h2\n";

enum { A_DATA, AAAA_DATA, NO_DATA, SRV_DATA, HTTPS_DATA, N_ANSWERS };

static const uint8_t addresses[] = {10, 0, 0, 1, 10, 0, 0, 2};
static const uint8_t addresses6[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
/* Each behind its length: 1 1 80 p.t. -- 1 2 81 q.w.t. -- 1 3 82 a.t. -- 1 4 83 e.u. */
static const uint8_t services[] = "\0\13\0\1\0\1\0\120\1p\1t\0\0\15\0\1\0\2\0\121\1q\1w\1t\0"
                                  "\0\13\0\1\0\3\0\122\1a\1t\0\0\13\0\1\0\4\0\123\1e\1u";
static const uint32_t service_offsets[] = {0, 13, 28, 41};
/* 1 p.t. port=80 -- 2 . alpn=h2 */
static const uint8_t bindings[] = "\0\15\0\1\1p\1t\0\0\3\0\2\0\120\0\12\0\2\0\0\1\0\3\2h2";
static const uint32_t binding_offsets[] = {0, 15};

#define VARIANT .is_everybody = true, .ttl_s = 5
static const struct record_variant variants[N_ANSWERS] = {
    {VARIANT, .n = 2, .at_most = 2, .rdata_bytes = 4, .rdata = addresses},
    {VARIANT, .n = 1, .at_most = 1, .rdata_bytes = 16, .rdata = addresses6},
    {VARIANT, .n = 0, .rdata_bytes = 4},
    {VARIANT, .n = 4, .at_most = 4, .rdata = services, .offsets = service_offsets},
    {VARIANT, .n = 2, .at_most = 2, .rdata = bindings, .offsets = binding_offsets},
};

static const struct {
    const char *owner;
    uint16_t type;
    uint32_t index;
} pools[] = {
    {"p.t.", DNS_A, A_DATA},           {"p.t.", DNS_AAAA, AAAA_DATA},
    {"*.w.t.", DNS_A, A_DATA},         {"*.w.t.", DNS_AAAA, NO_DATA},
    {"*.s.t.", DNS_SRV, SRV_DATA},     {"_tcp.s.t.", DNS_SRV, SRV_DATA},
    {"*.h.t.", DNS_HTTPS, HTTPS_DATA}, {"h.t.", DNS_HTTPS, HTTPS_DATA},
    {"*.none.t.", DNS_A, NO_DATA},     {"*.h.t.", DNS_A, A_DATA},
};

static struct zone_set *build_set(void)
{
    uint8_t name[DNS_NAME_MAX];
    const struct zone_at nowhere = {NULL, 0, 0};
    struct zone_build *build = zone_build_create(stage_name("t.", name), NULL, NULL);
    assert_int_equal(zone_build_file(build, "z", slice_from(zone_text)), 0);
    for (size_t i = 0; i < ARRAY_LEN(pools); i++)
        assert_int_equal(zone_build_pool(build, stage_name(pools[i].owner, name), pools[i].type,
                                         pools[i].index, nowhere),
                         0);
    return stage_set(&build);
}

static void show(struct slice message, struct text *out)
{
    char rcode[DNS_RCODE_TEXT_MAX];
    uint16_t flags = dns_get16(message.ptr + 2);
    text_clear(out);
    text_printf(out, "%s%s", dns_rcode_show(flags & DNS_RCODE_MASK, rcode),
                flags & DNS_TC ? " tc" : "");
    stage_records(message, out);
}

static size_t ask(const struct zone_set *set, const char *name, uint16_t type, size_t limit,
                  struct answer_facts *facts, uint8_t out[DNS_MESSAGE_MAX])
{
    static struct record_answer answers[N_ANSWERS];
    const struct record_answer *records[N_ANSWERS];
    uint8_t packet[DNS_HEADER_BYTES + DNS_QUESTION_MAX] = {0, 9, 0, 0, 0, 1}, wired[DNS_NAME_MAX];
    struct slice question = stage_name(name, wired);
    struct dns_query query;
    size_t n = DNS_HEADER_BYTES + question.len + 4;
    memcpy(packet + DNS_HEADER_BYTES, question.ptr, question.len);
    dns_put16(packet + n - 4, type);
    dns_put16(packet + n - 2, DNS_CLASS_IN);
    assert_int_equal(dns_query_parse(slice_make((const char *)packet, n), &query), DNS_OK);
    for (size_t i = 0; i < N_ANSWERS; i++) {
        answers[i] = (struct record_answer){.n_variants = 1, .variants = &variants[i]};
        records[i] = &answers[i];
    }
    const struct answer_view view = {set, records};
    const struct addr nobody = {.len = 0};
    const struct answer_ask how = {&query, &nobody, 0};
    return answer_write(&view, &how, out, limit, facts);
}

#define SOA          "\n- t. 30 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"
#define SOA_5        "\n- t. 5 IN SOA ns.t. h.t. 7 7200 1800 1209600 30"
#define A(name)      "\n+ " name " 5 IN A 10.0.0.1\n+ " name " 5 IN A 10.0.0.2"
#define MORE_A(name) "\n! " name " 5 IN A 10.0.0.1\n! " name " 5 IN A 10.0.0.2"
#define MORE_P       MORE_A("p.t.") "\n! p.t. 5 IN AAAA 2001:db8::1"
#define SRV(name)                                                          \
    "\n+ " name " 5 IN SRV 1 1 80 p.t.\n+ " name " 5 IN SRV 1 2 81 q.w.t." \
    "\n+ " name " 5 IN SRV 1 3 82 a.t.\n+ " name                           \
    " 5 IN SRV 1 4 83 e.u." MORE_P MORE_A("q.w.t.") "\n! a.t. 60 IN A 192.0.2.2"
#define HTTPS(name) "\n+ " name " 5 IN HTTPS 1 p.t. port=80\n+ " name " 5 IN HTTPS 2 . alpn=\"h2\""

static const struct {
    const char *name;
    uint16_t type;
    const char *want;
    uint32_t record_index;
    const char *wildcard; /* NULL: none */
} rows[] = {
    {"p.t.", DNS_A, "NOERROR" A("p.t."), A_DATA, NULL},
    {"p.t.", DNS_AAAA, "NOERROR\n+ p.t. 5 IN AAAA 2001:db8::1", AAAA_DATA, NULL},
    /* Beneath a wildcard: any name below it, unless one of the zone's own stands in between. */
    {"Any.W.t.", DNS_A, "NOERROR" A("Any.W.t."), A_DATA, "*.w.t."},
    {"a.b.c.w.t.", DNS_A, "NOERROR" A("a.b.c.w.t."), A_DATA, "*.w.t."},
    {"*.w.t.", DNS_A, "NOERROR" A("*.w.t."), A_DATA, NULL},
    {"any.w.t.", DNS_AAAA, "NOERROR" SOA_5, NO_DATA, "*.w.t."},
    {"any.w.t.", DNS_TXT, "NOERROR\n+ any.w.t. 60 IN TXT \"beside\"", ANSWER_NO_RECORD, "*.w.t."},
    {"any.w.t.", DNS_MX, "NOERROR" SOA, ANSWER_NO_RECORD, "*.w.t."},
    {"w.t.", DNS_A, "NOERROR" SOA, ANSWER_NO_RECORD, NULL},
    {"ent.w.t.", DNS_A, "NOERROR" SOA, ANSWER_NO_RECORD, NULL},
    {"y.ent.w.t.", DNS_A, "NXDOMAIN" SOA, ANSWER_NO_RECORD, NULL},
    {"any.none.t.", DNS_A, "NOERROR" SOA_5, NO_DATA, "*.none.t."},
    /* Behind CNAMEs, the last one or the first of them a wildcard's. */
    {"to-w.t.", DNS_A, "NOERROR\n+ to-w.t. 60 IN CNAME q.w.t." A("q.w.t."), A_DATA, NULL},
    {"to-w.t.", DNS_AAAA, "NOERROR\n+ to-w.t. 60 IN CNAME q.w.t." SOA_5, NO_DATA, NULL},
    {"two.t.", DNS_A,
     "NOERROR\n+ two.t. 60 IN CNAME to-w.t.\n+ to-w.t. 60 IN CNAME q.w.t." A("q.w.t."), A_DATA,
     NULL},
    {"any.by.t.", DNS_A, "NOERROR\n+ any.by.t. 60 IN CNAME q.w.t." A("q.w.t."), A_DATA, "*.by.t."},
    /* SRV and HTTPS from pools; their targets' addresses from pools, the zone, or nobody. */
    {"_tcp.s.t.", DNS_SRV, "NOERROR" SRV("_tcp.s.t."), SRV_DATA, NULL},
    {"_any.s.t.", DNS_SRV, "NOERROR" SRV("_any.s.t."), SRV_DATA, "*.s.t."},
    {"_fixed.t.", DNS_SRV,
     "NOERROR\n+ _fixed.t. 60 IN SRV 1 1 80 p.t.\n+ _fixed.t. 60 IN SRV 2 1 80 a.t." MORE_P
     "\n! a.t. 60 IN A 192.0.2.2",
     A_DATA, NULL},
    {"fixed.t.", DNS_HTTPS, "NOERROR\n+ fixed.t. 60 IN HTTPS 1 q.w.t. alpn=\"h2\"" MORE_A("q.w.t."),
     A_DATA, NULL},
    {"h.t.", DNS_HTTPS, "NOERROR" HTTPS("h.t.") MORE_P, HTTPS_DATA, NULL},
    {"any.h.t.", DNS_HTTPS, "NOERROR" HTTPS("any.h.t.") MORE_P, HTTPS_DATA, "*.h.t."},
};

/* Whole, and cut at every length: RRsets of the answer are there whole or not at all. */
static void test_rows(void **state)
{
    (void)state;
    static uint8_t out[DNS_MESSAGE_MAX];
    struct zone_set *set = build_set();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text text = TEXT_NONE;
        struct answer_facts facts;
        uint8_t name[DNS_NAME_MAX];
        size_t n = ask(set, rows[i].name, rows[i].type, sizeof(out), &facts, out);
        show(slice_make((const char *)out, n), &text);
        assert_string_equal(text_cstr(&text), rows[i].want);
        assert_int_equal(facts.record_index, rows[i].record_index);
        assert_int_equal(facts.wildcard.len > 0, rows[i].wildcard != NULL);
        if (rows[i].wildcard)
            assert_true(dns_name_equal(facts.wildcard, stage_name(rows[i].wildcard, name)));
        uint16_t n_whole = dns_get16(out + 6);
        size_t least = DNS_HEADER_BYTES + strlen(rows[i].name) + 5;
        for (size_t limit = n; limit-- > least;) {
            size_t shorter = ask(set, rows[i].name, rows[i].type, limit, &facts, out);
            assert_true(shorter <= limit);
            show(slice_make((const char *)out, shorter), &text);
            assert_int_equal(facts.is_truncated, (dns_get16(out + 2) & DNS_TC) != 0);
            assert_true(facts.is_truncated || dns_get16(out + 6) == n_whole);
        }
        text_deinit(&text);
    }
    zone_set_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
