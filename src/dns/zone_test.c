/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zone files as tables: what is read, what is refused and where.
 */
#include "base/mem.h"
#include "base/text.h"
#include "dns/zone.h"
#include "dns/zone_stage.h"
#include "dns/zone_tree.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD "$TTL 1h\n@ SOA ns hostmaster 7 2h 30m 2w 5m\n@ NS ns\nns A 192.0.2.1\n"

static void collect(void *ctx, enum zone_severity severity, struct zone_at at, const char *text,
                    const char *hint)
{
    (void)hint;
    text_printf(ctx, "%u:%u: %s%s\n", at.line, at.column,
                severity == ZONE_WARNING ? "warning: " : "", text);
}

static struct zone *build(const char *origin, struct slice bytes, struct text *out)
{
    uint8_t name[DNS_NAME_MAX];
    struct zone_build *build = zone_build_create(stage_name(origin, name), collect, out);
    zone_build_file(build, "z", bytes);
    return zone_build_finish(&build);
}

/* The records of the zone as text, those of HEAD left out: "name ttl TYPE data" a line. */
static void print(const struct zone *zone, struct text *out)
{
    char name[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
    for (size_t i = 0; i < zone->n_nodes; i++) {
        const struct zone_node *node = zone->nodes[i];
        dns_name_show(zone_node_name(node), name);
        for (size_t k = 0; k < node->n_rrsets; k++) {
            const struct zone_rrset *rrset = &node->rrsets[k];
            const uint8_t *cursor = rrset->data;
            if (i < 2 && rrset->type != DNS_TXT)
                continue;
            for (unsigned n = 0; n < rrset->n; n++) {
                text_printf(out, "%s %u %s ", name, rrset->ttl_s, dns_type_show(rrset->type, type));
                dns_rdata_show(rrset->type, zone_data_next(&cursor), out);
                text_append_char(out, '\n');
            }
        }
    }
}

static const struct {
    const char *text, *want;
} good_rows[] = {
    {"www A 192.0.2.2", "www.example.org. 3600 A 192.0.2.2\n"},
    {"www 60 A 192.0.2.2", "www.example.org. 60 A 192.0.2.2\n"},
    {"www IN 60 A 192.0.2.2", "www.example.org. 60 A 192.0.2.2\n"},
    {"www 1h30m IN A 192.0.2.2", "www.example.org. 5400 A 192.0.2.2\n"},
    {"www in a 192.0.2.2", "www.example.org. 3600 A 192.0.2.2\n"},
    {"www.example.org. A 192.0.2.2", "www.example.org. 3600 A 192.0.2.2\n"},
    {"WWW A 192.0.2.2\n\tAAAA 2001:db8::1",
     "www.example.org. 3600 A 192.0.2.2\nwww.example.org. 3600 AAAA 2001:db8::1\n"},
    {"\n ; nothing\n   \nwww A 192.0.2.2 ; a remark ( \"", "www.example.org. 3600 A 192.0.2.2\n"},
    {"w MX ( 10 ; first\n\tmail\n )", "w.example.org. 3600 MX 10 mail.example.org.\n"},
    {"w MX 10 @", "w.example.org. 3600 MX 10 example.org.\n"},
    {"$ORIGIN sub\nw A 192.0.2.2", "w.sub.example.org. 3600 A 192.0.2.2\n"},
    {"$ttl 9\nw A 192.0.2.2", "w.example.org. 9 A 192.0.2.2\n"},
    {"a\\.b A 192.0.2.2", "a\\.b.example.org. 3600 A 192.0.2.2\n"},
    {"w TXT \"a;b ( \\\" \\\\\" c\\032d", "w.example.org. 3600 TXT \"a;b ( \\\" \\\\\" \"c d\"\n"},
    {"w TXT \"a\"\"b\"", "w.example.org. 3600 TXT \"a\" \"b\"\n"},
    {"w TYPE65280 \\# 3 0102ff", "w.example.org. 3600 TYPE65280 \\# 3 0102FF\n"},
    {"w TYPE1 \\# 4 C0000202", "w.example.org. 3600 A 192.0.2.2\n"},
    {"w CLASS1 A 192.0.2.2", "w.example.org. 3600 A 192.0.2.2\n"},
    {"w A 192.0.2.2\nw A 192.0.2.2\n",
     "6:1: warning: w.example.org. has this A twice\nw.example.org. 3600 A 192.0.2.2\n"},
    {"w 5 A 192.0.2.2\nw 6 A 192.0.2.3\n",
     "6:1: warning: the TTL differs from that of the first A of w.example.org., which is taken\n"
     "w.example.org. 5 A 192.0.2.2\nw.example.org. 5 A 192.0.2.3\n"},
    {"d NS ns.d", "5:1: warning: nobody can reach ns.d.example.org.: it has no address here\n"
                  "d.example.org. 3600 NS ns.d.example.org.\n"},
    {"d NS ns\nx.d TXT a",
     "6:1: warning: x.d.example.org. lies below the delegation of d.example.org. and is never "
     "answered\nd.example.org. 3600 NS ns.example.org.\nx.d.example.org. 3600 TXT \"a\"\n"},
    {"d NS ns\nd DS 1 13 2 00", "d.example.org. 3600 NS ns.example.org.\nd.example.org. 3600 DS 1 "
                                "13 2 00\n"},
    {"@ DNSKEY 256 3 13 AAAA\nns NSEC \\# 1 00",
     "5:1: warning: DNSKEY is served as plain data: zones are not signed, nor answers proven, "
     "yet\n"},
};

static void test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
        struct text file = TEXT_NONE, out = TEXT_NONE;
        text_printf(&file, "%s%s", HEAD, good_rows[i].text);
        struct zone *zone = build("example.org.", text_slice(&file), &out);
        if (zone)
            print(zone, &out);
        assert_string_equal(text_cstr(&out), good_rows[i].want);
        zone_destroy(&zone);
        text_deinit(&file);
        text_deinit(&out);
    }
}

static const struct {
    const char *text, *want;
} bad_rows[] = {
    {"w", "5:1: this record has no type\n"},
    {"w 60", "5:3: this record has no type\n"},
    {" \"A\" 1", "5:2: this record has no type\n"},
    {"w B 192.0.2.2", "5:3: \"B\" is not a type\n"},
    {"w 60 70 A 192.0.2.2", "5:6: \"70\" is a second TTL\n"},
    {"w 60x A 192.0.2.2", "5:3: \"60x\" is not a TTL\n"},
    {"w 2147483648 A 192.0.2.2", "5:3: \"2147483648\" is not a TTL\n"},
    {"w IN IN A 192.0.2.2", "5:6: a second class\n"},
    {"w CH A 192.0.2.2", "5:3: zones of class CH are not served\n"},
    {"w TXT \"abc\nx A 192.0.2.2", "5:7: this quote is not closed\n"},
    {"w TXT a\"bc", "5:8: this quote is not closed\n"},
    {"w A ( 192.0.2.2", "5:5: this \"(\" is not closed before the end of the file\n"},
    {"w A ( ( 192.0.2.2 ) )\nx A 192.0.2.2", "5:7: \"(\" within \"(\"\n"},
    {"w A 192.0.2.2 )", "5:15: \")\" without a \"(\" before it\n"},
    {"$INCLUDE other",
     "5:1: $INCLUDE is not read: only files that the weir file names are opened\n"},
    {"$GENERATE 1-9 a$ A 192.0.2.$", "5:1: $GENERATE is BIND's own and is not read\n"},
    {"$FOO", "5:1: unknown directive $FOO\n"},
    {"$TTL", "5:1: $TTL takes one word\n"},
    {"$TTL 1h 2h", "5:9: $TTL takes one word\n"},
    {"$TTL often", "5:6: \"often\" is not a TTL\n"},
    {"\"w\" A 192.0.2.2", "5:1: a name is wanted here, not a string\n"},
    {"w.example.com. A 192.0.2.2", "5:1: w.example.com. is not within the zone example.org.\n"},
    {"w OPT \\# 0", "5:7: OPT is no type of a record\n"},
    {"w A 192.0.2.2\nw CNAME v\n", "5:1: w.example.org. has a CNAME, and A beside it\n"},
    {"w CNAME u\nw CNAME v\n", "6:1: w.example.org. has a second CNAME\n"},
    {"w DNAME u\nw DNAME v\n", "6:1: w.example.org. has a second DNAME\n"},
    {"w DNAME u.\nx.w A 192.0.2.2\n",
     "6:1: x.w.example.org. lies below the DNAME of w.example.org.\n"},
    {"w NS ns\nw DNAME u.\n", "6:1: w.example.org. has NS, and DNAME beside them\n"},
    {"w SOA ns h 1 1 1 1 1", "5:1: w.example.org. is not the zone's apex\n"},
    {"@ SOA ns h 1 1 1 1 1", "5:1: example.org. has a second SOA\n"},
    {"*.w NS ns", "5:1: a wildcard cannot be delegated\n"},
    {"*.w DNAME ns", "5:1: a wildcard cannot be a DNAME\n"},
    {"a B 1\nc D 2", "5:3: \"B\" is not a type\n6:3: \"D\" is not a type\n"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
        struct text file = TEXT_NONE, out = TEXT_NONE;
        text_printf(&file, "%s%s", HEAD, bad_rows[i].text);
        assert_null(build("example.org.", text_slice(&file), &out));
        assert_string_equal(text_cstr(&out), bad_rows[i].want);
        text_deinit(&file);
        text_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
