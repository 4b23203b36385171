/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Records from their sentences in a file: what they answer for each state of their members, for how
 * long and to whom; and what is refused.
 */

#include "dns/record.h"

#include "base/mem.h"
#include "base/text.h"
#include "conf/memory.h"
#include "wire/dns.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct module zones_module = {
    .name = "dns",
    .words = dns_words,
    .conf_size = sizeof(struct dns_conf),
    .check = dns_check,
};

static const struct module *const modules[] = {&pool_module, &zones_module};
static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};

/* Two sites, a backup in the first, one member of another family, one named by a host. */
static const char pools[] =
    "pool here { check tcp every 2s; member a 10.0.0.1:80; member b 10.0.0.2:81 weight 3;\n"
    "            member c 10.0.0.3:443 backup; member six [2001:db8::6]:80 }\n"
    "pool there { check tcp every 2s; member d 10.1.0.1:80; member e e.example.net:80 }\n"
    "dns 127.0.0.1:5300\n"
    "zone example.org { soa ns1 hostmaster; ns ns1 192.0.2.1; ttl 60s\n";

struct scene {
    char *file;
    struct snapshot *snap;
    struct conf_diag *diag;
    int rc;
    struct record_member members[2][POOL_MEMBERS_MAX]; /* by pool */
};

static void load(struct scene *scene, const char *records)
{
    struct text file = TEXT_NONE;
    text_printf(&file, "%s%s\n}\n", pools, records);
    memset(scene, 0, sizeof(*scene));
    scene->file = mem_strdup(text_cstr(&file));
    text_deinit(&file);
    struct conf_host host = conf_memory_host(scene->file);
    struct snapshot_options options = {
        .path = "t.weir", .host = &host, .generation = 1, .n_loops = 1};
    scene->rc = snapshot_load(&table, &options, &scene->snap, &scene->diag);
}

static void unload(struct scene *scene)
{
    snapshot_unref(&scene->snap);
    mem_free(scene->file);
}

static struct text said(const struct scene *scene)
{
    struct text text = TEXT_NONE;
    conf_diag_print(scene->diag, &text);
    return text;
}

static const struct dns_conf *conf_of(const struct scene *scene)
{
    return snapshot_conf(scene->snap, &zones_module);
}

/* ---- facts ---- */

static struct record_member *member_of(struct scene *scene, struct slice name)
{
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; scene->members[p][i].member; i++) {
            if (slice_equal(scene->members[p][i].member->name, name))
                return &scene->members[p][i];
        }
    }
    fail_msg("no member %.*s", SLICE_ARG(name));
    return NULL;
}

static void set_word(struct record_member *member, struct slice word)
{
    struct slice value = word;
    struct slice kind = slice_cut(&value, '/');
    uint64_t number = 0;
    (void)slice_to_u64(value, &number);
    if (slice_is(kind, "up"))
        member->state = FACT_UP;
    else if (slice_is(kind, "down"))
        member->state = FACT_DOWN;
    else if (slice_is(kind, "draining"))
        member->state = FACT_DRAINING;
    else if (slice_is(kind, "leaving"))
        member->is_node_drained = true;
    else if (slice_is(kind, "unknown"))
        member->state = FACT_UNKNOWN;
    else if (slice_is(kind, "lost"))
        member->addr.len = 0;
    else if (slice_is(kind, "forced"))
        member->forced = FACT_DOWN;
    else if (slice_is(kind, "weight"))
        member->weight = (uint32_t)number;
    else if (slice_is(kind, "turn"))
        member->turn_s = (uint32_t)number;
    else if (slice_is(kind, "for"))
        member->force_ttl_s = (uint32_t)number;
    else
        fail_msg("no such word: %.*s", SLICE_ARG(word));
}

/* All are up, with a turn of 6 s, but for what `facts` says: "a=down b=up,turn/2". */
static void set_facts(struct scene *scene, const char *facts)
{
    const struct pool_conf *conf = pool_conf_of(scene->snap);
    for (uint32_t p = 0; p < conf->n_pools; p++) {
        for (uint32_t i = 0; i < conf->pools[p]->n_members; i++) {
            const struct member *member = conf->pools[p]->members[i];
            struct record_member *row = &scene->members[p][i];
            *row = (struct record_member){.member = member,
                                          .addr = member->endpoint.addr,
                                          .state = FACT_UP,
                                          .weight = (uint32_t)member->weight,
                                          .force_ttl_s = RECORD_NO_TURN,
                                          .turn_s = 6};
            if (member->endpoint.host.len)
                assert_int_equal(addr_parse(SLICE("10.1.0.2:80"), &row->addr, NULL), 0);
        }
    }
    struct slice rest = slice_from(facts);
    while (rest.len) {
        struct slice words = slice_cut(&rest, ' ');
        struct record_member *member = member_of(scene, slice_cut(&words, '='));
        while (words.len)
            set_word(member, slice_cut(&words, ','));
    }
}

static const struct record_member *facts_of(void *ctx, const struct pool *pool)
{
    struct scene *scene = ctx;
    return scene->members[pool->index];
}

/* ---- what is answered ---- */

/* "10.0.0.1 10.0.0.2 for 6", with at-most and weights where there are any. */
static void show(const struct record_answer *answer, const struct record_variant *variant,
                 struct text *out)
{
    for (uint16_t i = 0; i < variant->n; i++) {
        if (answer->type != DNS_A && answer->type != DNS_AAAA)
            text_append(out, SLICE("["));
        dns_rdata_show(answer->type, record_variant_rdata(variant, i), out);
        if (answer->type != DNS_A && answer->type != DNS_AAAA)
            text_append(out, SLICE("]"));
        if (variant->weights)
            text_printf(out, "*%u", variant->weights[i]);
        text_append_char(out, ' ');
    }
    if (variant->at_most < variant->n)
        text_printf(out, "of them %u ", variant->at_most);
    text_printf(out, "for %u", variant->ttl_s);
}

struct row {
    const char *record;
    const char *facts;
    const char *want;
};

static const struct row rows[] = {
    /* all */
    {"A pool here all ttl 30s", "", "10.0.0.1 10.0.0.2 for 30"},
    {"A pool here all ttl 30s", "a=down b=down", "10.0.0.1 10.0.0.2 for 30"},
    {"A pool here all", "a=draining", "10.0.0.2 for 60"},
    {"A pool here all", "a=down,forced", "10.0.0.2 for 60"},
    {"A pool here all", "a=weight/0", "10.0.0.2 for 60"},
    {"A pool here all", "a=draining b=draining", "10.0.0.3 for 60"},
    {"A pool here all", "a=leaving", "10.0.0.2 for 60"},
    {"A pool here healthy", "a=down b=leaving", "10.0.0.3 for 6"},
    {"A pool here all", "a=draining b=draining c=draining", "for 60"},
    {"AAAA pool here all", "", "2001:db8::6 for 60"},
    {"A pool there all", "", "10.1.0.1 10.1.0.2 for 60"},
    {"A pool there all", "e=lost", "10.1.0.1 for 60"},
    /* healthy */
    {"A pool here healthy", "", "10.0.0.1 10.0.0.2 for 6"},
    {"A pool here healthy", "a=down", "10.0.0.2 for 6"},
    {"A pool here healthy", "a=down b=down", "10.0.0.3 for 6"},
    {"A pool here healthy", "a=down b=draining", "10.0.0.3 for 6"},
    {"A pool here healthy", "a=down b=down c=down", "10.0.0.1 10.0.0.2 10.0.0.3 for 6"},
    {"A pool here healthy", "a=down,forced b=down c=draining", "10.0.0.2 for 6"},
    {"A pool here healthy fail-closed", "a=down b=down c=down", "for 6"},
    {"A pool here healthy", "a=unknown b=unknown c=unknown", "10.0.0.1 10.0.0.2 for 6"},
    {"A pool here healthy", "a=unknown,turn/0 b=up c=unknown,turn/0", "10.0.0.2 for 5"},
    {"A pool here healthy", "a=unknown b=down c=down", "10.0.0.1 for 6"},
    {"A pool here healthy fail-open below 50%", "a=down b=down",
     "10.0.0.1 10.0.0.2 10.0.0.3 for 6"},
    {"A pool here healthy fail-open below 50%", "a=down", "10.0.0.2 for 6"},
    {"A pool here healthy fail-open below 50%", "a=down,forced b=down", "10.0.0.3 for 6"},
    {"A pool here healthy fail-open below 60%", "a=down,forced b=down", "10.0.0.2 10.0.0.3 for 6"},
    /* how */
    {"A pool here healthy first", "", "10.0.0.1 for 6"},
    {"A pool here healthy first", "a=down", "10.0.0.2 for 6"},
    {"A pool here healthy first", "a=down b=down", "10.0.0.3 for 6"},
    {"A pool here all at-most 1", "", "10.0.0.1 10.0.0.2 of them 1 for 60"},
    {"A pool here all at-most 5", "", "10.0.0.1 10.0.0.2 for 60"},
    {"A pool here healthy weighted", "", "10.0.0.1*1 10.0.0.2*3 for 6"},
    {"A pool here healthy weighted", "a=weight/7", "10.0.0.1*7 10.0.0.2*3 for 6"},
    /* from pool to pool */
    {"A pool here healthy then pool there healthy", "", "10.0.0.1 10.0.0.2 for 6"},
    {"A pool here healthy then pool there healthy", "a=down b=down c=down",
     "10.1.0.1 10.1.0.2 for 6"},
    {"A pool here healthy then pool there healthy", "a=down b=down c=down d=down e=down",
     "10.0.0.1 10.0.0.2 10.0.0.3 for 6"},
    {"A pool here healthy fail-closed then pool there healthy",
     "a=down b=down c=down d=down e=down", "10.1.0.1 10.1.0.2 for 6"},
    {"A pool here healthy then pool there all", "a=down b=down c=down d=down",
     "10.1.0.1 10.1.0.2 for 6"},
    /* for how long: the next to turn decides, down ones too, of the pools looked at */
    {"A pool here healthy ttl 1s..30s", "a=turn/20 b=turn/4", "10.0.0.1 10.0.0.2 for 4"},
    {"A pool here healthy ttl 1s..30s", "a=turn/20 b=down,turn/2", "10.0.0.1 for 2"},
    {"A pool here healthy ttl 3s..30s", "a=turn/0", "10.0.0.1 10.0.0.2 for 3"},
    {"A pool here healthy ttl 1s..4s", "", "10.0.0.1 10.0.0.2 for 4"},
    {"A pool here healthy ttl 20s", "", "10.0.0.1 10.0.0.2 for 20"},
    {"A pool here healthy then pool there healthy ttl 1s..30s", "d=turn/2",
     "10.0.0.1 10.0.0.2 for 6"},
    {"A pool here healthy then pool there healthy ttl 1s..30s", "a=down b=down c=down d=turn/2",
     "10.1.0.1 10.1.0.2 for 2"},
    {"A pool here healthy ttl 20s", "a=for/3", "10.0.0.1 10.0.0.2 for 3"},
    {"A pool here healthy ttl 20s", "a=down,forced,for/90", "10.0.0.2 for 20"},
    {"A pool here all", "a=for/3", "10.0.0.1 10.0.0.2 for 3"},
    /* services */
    {"SRV pool here healthy", "",
     "[1 1 80 a.here.example.org.] [1 1 81 b.here.example.org.] [2 1 443 c.here.example.org.] "
     "[1 1 80 six.here.example.org.] for 6"},
    {"SRV pool there all weighted target www port 8080", "",
     "[1 1 8080 www.example.org.]*1 for 60"},
    {"SRV pool there all", "d=draining", "[1 1 80 e.example.net.] for 60"},
    {"HTTPS pool here healthy first alpn h2,http/1.1", "a=down b=down six=down",
     "[2 c.here.example.org. alpn=\"h2,http/1.1\" ipv4hint=10.0.0.3] for 6"},
    {"SVCB pool here healthy first", "", "[1 a.here.example.org. port=80 ipv4hint=10.0.0.1] for 6"},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene scene;
        char record[256];
        snprintf(record, sizeof(record), "record www %s", rows[i].record);
        load(&scene, record);
        struct text got = said(&scene);
        if (scene.rc != 0)
            fail_msg("%s: %s", rows[i].record, text_cstr(&got));
        text_clear(&got);
        set_facts(&scene, rows[i].facts);
        const struct dns_conf *conf = conf_of(&scene);
        struct record_answer *answer =
            record_answer_make(conf->pool_records[0], conf->pool_zones[0], facts_of, &scene);
        show(answer, &answer->variants[0], &got);
        if (strcmp(text_cstr(&got), rows[i].want) != 0)
            fail_msg("%s, %s: \"%s\", want \"%s\"", rows[i].record, rows[i].facts, text_cstr(&got),
                     rows[i].want);
        assert_true(answer->variants[0].is_shuffled == (answer->variants[0].n > 1));
        record_answer_unref(&answer);
        text_deinit(&got);
        unload(&scene);
    }
}

/* ---- networks ---- */

static void test_networks(void **state)
{
    static const struct {
        const char *from;
        const char *want;
        uint8_t scope;
    } clients[] = {
        {"10.9.0.1", "10.1.0.1 for 60", 22},   {"10.9.7.1", "10.0.0.1 10.0.0.2 for 60", 24},
        {"192.0.2.7", "10.0.0.3 for 60", 1},   {"::ffff:10.9.7.1", "10.0.0.1 10.0.0.2 for 60", 24},
        {"10.10.0.1", "10.0.0.3 for 60", 15},  {"10.9.6.1", "10.1.0.1 for 60", 24},
        {"2001:db8::1", "10.0.0.3 for 60", 0},
    };
    (void)state;
    struct scene scene;
    load(&scene, "record www A pool here all first {\n"
                 "    from 10.9.0.0/16 pool there all first\n"
                 "    from 10.9.7.0/24 pool here healthy\n"
                 "    ttl 60s\n"
                 "}");
    assert_int_equal(scene.rc, 0);
    set_facts(&scene, "");
    const struct dns_conf *conf = conf_of(&scene);
    const struct record_conf *record = conf->pool_records[0];
    assert_int_equal(record->n_branches, 3);
    set_facts(&scene, "");
    struct record_answer *answer =
        record_answer_make(record, conf->pool_zones[0], facts_of, &scene);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct addr from;
        uint8_t scope;
        struct text got = TEXT_NONE;
        assert_int_equal(addr_parse_ip(slice_from(clients[i].from), 0, &from, NULL), 0);
        const struct record_variant *variant = record_answer_match(answer, &from, &scope);
        show(answer, variant, &got);
        const char *want = variant->is_everybody ? "10.0.0.1 for 60" : clients[i].want;
        assert_string_equal(text_cstr(&got), want);
        if (scope != clients[i].scope)
            fail_msg("%s: %u bits, want %u", clients[i].from, scope, clients[i].scope);
        text_deinit(&got);
    }
    record_answer_unref(&answer);
    unload(&scene);
}

static void test_equal(void **state)
{
    (void)state;
    struct scene scene;
    load(&scene, "record www A pool here healthy weighted ttl 1s..30s");
    assert_int_equal(scene.rc, 0);
    const struct dns_conf *conf = conf_of(&scene);
    static const char *const others[] = {"a=down", "a=weight/9", "b=turn/3"};
    set_facts(&scene, "");
    struct record_answer *first =
        record_answer_make(conf->pool_records[0], conf->pool_zones[0], facts_of, &scene);
    set_facts(&scene, "a=turn/7 six=down");
    struct record_answer *same =
        record_answer_make(conf->pool_records[0], conf->pool_zones[0], facts_of, &scene);
    assert_true(record_answer_equal(first, same));
    record_answer_unref(&same);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        set_facts(&scene, others[i]);
        struct record_answer *other =
            record_answer_make(conf->pool_records[0], conf->pool_zones[0], facts_of, &scene);
        assert_false(record_answer_equal(first, other));
        record_answer_unref(&other);
    }
    record_answer_unref(&first);
    unload(&scene);
}

/* ---- values ---- */

static void test_values(void **state)
{
    static const struct {
        const char *record;
        const char *want; /* all data, one behind the other */
    } values[] = {
        {"A 192.0.2.1 192.0.2.2 ttl 60s", "192.0.2.1|192.0.2.2|"},
        {"AAAA 2001:db8::1", "2001:db8::1|"},
        {"MX \"10 mail\"", "10 mail.example.org.|"},
        {"MX 10 mail", "10 mail.example.org.|"},
        {"MX \"10 mail\" \"20 mail.example.net.\"", "10 mail.example.org.|20 mail.example.net.|"},
        {"TXT \"v=spf1 -all\"", "\"v=spf1 -all\"|"},
        {"TXT \"a\" \"b\\\\c\"", "\"a\" \"b\\\\c\"|"},
        {"CNAME www.example.net.", "www.example.net.|"},
        {"CAA 0 issue \"ca.example.net\"", "0 issue \"ca.example.net\"|"},
        {"TYPE65280 \"\\\\# 2 0102\"", "\\# 2 0102|"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct scene scene;
        char record[256];
        snprintf(record, sizeof(record), "record www %s", values[i].record);
        load(&scene, record);
        struct text got = said(&scene);
        if (scene.rc != 0)
            fail_msg("%s: %s", values[i].record, text_cstr(&got));
        text_clear(&got);
        const struct zone_conf *zone = conf_of(&scene)->zone_list.items[0];
        for (uint32_t k = 0; k < zone->records[0]->n_rdatas; k++) {
            dns_rdata_show(zone->records[0]->type, zone->records[0]->rdatas[k], &got);
            text_append_char(&got, '|');
        }
        assert_string_equal(text_cstr(&got), values[i].want);
        text_deinit(&got);
        unload(&scene);
    }
}

static int note_target(void *ctx, struct slice owner, uint16_t type, uint32_t ttl_s,
                       struct slice rdata, struct conf_at at)
{
    char name[DNS_NAME_TEXT_MAX], text[DNS_TYPE_TEXT_MAX];
    (void)at;
    dns_name_show(owner, name);
    text_printf(ctx, "%s %s %u ", name, dns_type_show(type, text), ttl_s);
    dns_rdata_show(type, rdata, ctx);
    text_append_char(ctx, '\n');
    return 0;
}

static void test_targets(void **state)
{
    (void)state;
    struct scene scene;
    struct text got = TEXT_NONE;
    load(&scene, "record _http._tcp SRV pool here healthy then pool there all\n"
                 "record www A pool here healthy\n"
                 "record www HTTPS pool here healthy");
    assert_int_equal(scene.rc, 0);
    assert_int_equal(record_targets(conf_of(&scene)->zone_list.items[0], note_target, &got), 0);
    assert_string_equal(text_cstr(&got), "a.here.example.org. A 30 10.0.0.1\n"
                                         "b.here.example.org. A 30 10.0.0.2\n"
                                         "c.here.example.org. A 30 10.0.0.3\n"
                                         "six.here.example.org. AAAA 30 2001:db8::6\n"
                                         "d.there.example.org. A 30 10.1.0.1\n");
    text_deinit(&got);
    unload(&scene);
}

/* ---- what is refused ---- */

static void test_refused(void **state)
{
    static const struct {
        const char *record;
        const char *why; /* part of what is said */
    } refused[] = {
        {"record www", "a record has a name, a type and a value"},
        {"record www A", "the record has no value"},
        {"record www B 192.0.2.1", "is not the type of a record"},
        {"record www ANY 192.0.2.1", "no zone holds it"},
        {"record www.example.net. A 192.0.2.1", "not in zone example.org"},
        {"record www A 192.0.2.1 192.0.2.1", "twice"},
        {"record www A pool nowhere all", "there is no pool \"nowhere\""},
        {"record www A pool here most", "most"},
        {"record www A pool here", "needs a value"},
        {"record www TXT pool here all", "make no record of type TXT"},
        {"record www A pool here all fail-closed", "neither fail open nor closed"},
        {"record www A pool here healthy fail-closed fail-open below 5%", "exclude each other"},
        {"record www A pool here healthy first at-most 2", "by its place"},
        {"record www A pool here healthy ttl 30s..5s", "30s"},
        {"record www A pool here healthy ttl 1500ms", "whole seconds"},
        {"record www A 192.0.2.1 ttl 5s..30s", "one time"},
        {"record www A pool here healthy ttl 5s ttl 6s", "twice"},
        {"record www A pool here healthy target x", "word of SRV, HTTPS and SVCB"},
        {"record www SRV pool here healthy alpn h2", "word of HTTPS and SVCB"},
        {"record www A pool here healthy { from 10.0.0.0/8 pool here all; "
         "from 10.0.0.0/8 pool here all }",
         "already"},
        {"record www A pool here healthy wieghted", "weighted"},
        {"record www A 192.0.2.1\nrecord www A pool here all", "this name and type already"},
        {"record www SOA x y", "a zone has one SOA"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct scene scene;
        load(&scene, refused[i].record);
        struct text got = said(&scene);
        if (scene.rc == 0 || !strstr(text_cstr(&got), refused[i].why))
            fail_msg("%s: %s, want \"%s\"", refused[i].record, text_cstr(&got), refused[i].why);
        text_deinit(&got);
        unload(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers), cmocka_unit_test(test_networks),
        cmocka_unit_test(test_equal),   cmocka_unit_test(test_values),
        cmocka_unit_test(test_targets), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
