/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer costs, in nanoseconds of one core, best of several rounds: from a parsed query to
 * the message, for each way to an answer. And what a zone of a million names takes. Not part of the
 * tests.
 *
 *      cc -O2 -std=gnu17 -D_GNU_SOURCE -Isrc bench/micro_dns.c build/libweir.a -o build/micro_dns
 */
#include "base/mem.h"
#include "base/text.h"
#include "dns/answer.h"
#include "micro.h"
#include "wire/dns_name.h"
#include <assert.h>
#include <stdio.h>

enum { N_ROUNDS = 15, N_LOOPS = 100000, N_MANY = 1000000 };

static const char zone_head[] =
    "$TTL 60\n@ SOA ns h 7 2h 30m 2w 30\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n"
    "one CNAME www\ntwo CNAME one\nthree CNAME two\nfive CNAME four\nfour CNAME three\n"
    "out CNAME a.b.\nout2 CNAME out\n*.wild A 192.0.2.3\n*.chained CNAME two\nmx MX 1 www\n"
    "cut NS ns.cut\nns.cut A 192.0.2.5\n";

static const struct {
    const char *name;
    uint16_t type;
} rows[] = {
    {"www.t.", DNS_A},    {"one.t.", DNS_A},  {"two.t.", DNS_A},   {"three.t.", DNS_A},
    {"five.t.", DNS_A},   {"two.t.", DNS_MX}, {"out2.t.", DNS_A},  {"x.chained.t.", DNS_A},
    {"x.wild.t.", DNS_A}, {"mx.t.", DNS_MX},  {"x.cut.t.", DNS_A}, {"no.t.", DNS_A},
    {"t.", DNS_SOA},
};

static struct zone_set *make_set(struct slice text)
{
    struct zone_build *build = zone_build_create(slice_make("\1t", 3), NULL, NULL);
    int result = zone_build_file(build, "z", text);
    struct zone *zone = zone_build_finish(&build);
    assert(result == 0 && zone);
    return zone_set_create(&zone, 1, 1);
}

/* The packet is the caller's: the query points into it. */
static void make_query(const char *name, uint16_t type, uint8_t *packet, struct dns_query *query)
{
    size_t len;
    memset(packet, 0, DNS_HEADER_BYTES);
    packet[5] = 1;
    int result = dns_name_read(slice_from(name), DNS_ROOT, packet + DNS_HEADER_BYTES, &len, NULL);
    dns_put16(packet + DNS_HEADER_BYTES + len, type);
    dns_put16(packet + DNS_HEADER_BYTES + len + 2, DNS_CLASS_IN);
    int verdict =
        dns_query_parse(slice_make((const char *)packet, DNS_HEADER_BYTES + len + 4), query);
    assert(result == 0 && verdict == DNS_OK);
}

static void bench(const struct zone_set *set, const char *name, uint16_t type)
{
    uint8_t packet[DNS_HEADER_BYTES + DNS_QUESTION_MAX], out[DNS_UDP_EDNS];
    const struct answer_view view = {set, NULL};
    const struct addr nobody = {.len = 0};
    struct answer_facts facts;
    struct dns_query query;
    char text[DNS_TYPE_TEXT_MAX];
    double best = 1e18;
    size_t size = 0;
    make_query(name, type, packet, &query);
    const struct answer_ask ask = {&query, &nobody, 1};
    for (int round = 0; round < N_ROUNDS; round++) {
        double begin = now_ns();
        for (int i = 0; i < N_LOOPS; i++) {
            size = answer_write(&view, &ask, out, sizeof(out), &facts);
            use(out);
        }
        best = now_ns() - begin < best ? now_ns() - begin : best;
    }
    printf("%-16s %-5s %5zu bytes  %7.1f ns\n", name, dns_type_show(type, text), size,
           best / N_LOOPS);
}

/* As many names with these data; NULL: each leads to the next. */
static void measure(const char *what, const char *data, int n)
{
    struct text text = TEXT_NONE;
    text_printf(&text, "%s", zone_head);
    for (int i = 0; i < n; i++) {
        if (data)
            text_printf(&text, "name%d %s\n", i, data);
        else
            text_printf(&text, "name%d CNAME name%d\n", i, i + 1);
    }
    double begin = now_ns();
    struct zone_set *set = make_set(text_slice(&text));
    printf("%-24s %8.1f bytes a name  %6.2f s\n", what, (double)zone_set_size_bytes(set) / n,
           (now_ns() - begin) / 1e9);
    zone_set_destroy(&set);
    text_deinit(&text);
}

int main(void)
{
    struct zone_set *set = make_set(slice_from(zone_head));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        bench(set, rows[i].name, rows[i].type);
    zone_set_destroy(&set);
    measure("a million A", "A 192.0.2.1", N_MANY);
    measure("a million CNAME to www", "CNAME www", N_MANY);
    measure("a million CNAME to two", "CNAME two", N_MANY);
    measure("a chain of a million", NULL, N_MANY);
    return 0;
}
