/* SPDX-License-Identifier: Apache-2.0 */

/*
 * hosts(5) and resolv.conf(5) as tables.
 */

#include "net/hosts.h"

#include "base/mem.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char hosts_bytes[] = "# a comment\n"
                                  "127.0.0.1 localhost\n"
                                  "::1\tlocalhost ip6-localhost\r\n"
                                  "  10.0.1.12   App2.Internal app2  # behind\n"
                                  "10.0.1.13 app2\n"
                                  "fd00::2 app2\n"
                                  "not-an-address app3\n"
                                  "10.0.1.14\n"
                                  "10.0.1.15 last.";

static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *addrs;
    } rows[] = {
        {"localhost", "127.0.0.1 ::1 "},
        {"LOCALHOST.", "127.0.0.1 ::1 "},
        {"ip6-localhost", "::1 "},
        {"app2.internal", "10.0.1.12 "},
        {"app2", "10.0.1.12 10.0.1.13 fd00::2 "},
        {"APP2.", "10.0.1.12 10.0.1.13 fd00::2 "},
        {"app3", ""},
        {"behind", ""},
        {"last", "10.0.1.15 "},
        {"x.localhost", "127.0.0.1 ::1 "},
        {"notlocalhost", ""},
        {"", ""},
    };
    struct hosts hosts;
    hosts_init(&hosts, slice_make(hosts_bytes, sizeof(hosts_bytes) - 1), 7);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr addrs[8];
        struct text text = TEXT_NONE;
        char one[ADDR_TEXT_MAX];
        size_t n = hosts_find(&hosts, slice_from(rows[i].name), addrs, ARRAY_LEN(addrs));
        for (size_t k = 0; k < n; k++)
            text_printf(&text, "%s ", addr_format_ip(&addrs[k], one));
        assert_string_equal(text_cstr(&text), rows[i].addrs);
        text_deinit(&text);
    }
    struct addr addrs[2];
    assert_int_equal(hosts_find(&hosts, SLICE("app2"), addrs, 2), 2);
    hosts_deinit(&hosts);

    hosts_init(&hosts, SLICE("10.1.1.1 localhost"), 7); /* the file wins */
    assert_int_equal(hosts_find(&hosts, SLICE("localhost"), addrs, 2), 1);
    hosts_deinit(&hosts);
    hosts_init(&hosts, (struct slice){NULL, 0}, 7);
    assert_int_equal(hosts_find(&hosts, SLICE("localhost"), addrs, 2), 2);
    hosts_deinit(&hosts);
}

static void servers_text(const struct resolv_conf *conf, struct text *out)
{
    char one[ADDR_TEXT_MAX];
    for (size_t i = 0; i < conf->n_servers; i++)
        text_printf(out, "%s ", addr_format(&conf->servers[i], one));
}

static void test_resolv_conf(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *servers, *search;
        unsigned ndots;
    } rows[] = {
        {"", "127.0.0.1:53 ", "", 1},
        {"nameserver 10.0.0.2\n", "10.0.0.2:53 ", "", 1},
        {"nameserver 10.0.0.2:5353\nnameserver [::1]:54\nnameserver ::1",
         "10.0.0.2:5353 [::1]:54 [::1]:53 ", "", 1},
        {"nameserver nonsense\nnameserver unix:/x\nnameserver", "127.0.0.1:53 ", "", 1},
        {"search a.example b.example. # c\ndomain d\nsearch x y\n", "127.0.0.1:53 ", "x y ", 1},
        {"search a b\ndomain c d\n", "127.0.0.1:53 ", "c ", 1},
        {"options timeout:1 ndots:5 rotate\n", "127.0.0.1:53 ", "", 5},
        {"options ndots:99\n", "127.0.0.1:53 ", "", 15},
        {"options ndots:x\n; nameserver 1.1.1.1\n", "127.0.0.1:53 ", "", 1},
        {"search 1 2 3 4 5 6 7\n", "127.0.0.1:53 ", "1 2 3 4 5 6 ", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct resolv_conf conf;
        struct text servers = TEXT_NONE, search = TEXT_NONE;
        resolv_conf_parse(slice_from(rows[i].bytes), &conf);
        servers_text(&conf, &servers);
        for (size_t k = 0; k < conf.n_search; k++)
            text_printf(&search, "%s ", conf.search[k]);
        assert_string_equal(text_cstr(&servers), rows[i].servers);
        assert_string_equal(text_cstr(&search), rows[i].search);
        assert_int_equal(conf.ndots, rows[i].ndots);
        text_deinit(&servers);
        text_deinit(&search);
    }
}

static void test_candidates(void **state)
{
    (void)state;
    static const struct {
        const char *conf, *host, *candidates;
    } rows[] = {
        {"", "app", "app "},
        {"search a b", "app", "app.a app.b app "},
        {"search a b", "app.x", "app.x app.x.a app.x.b "},
        {"search a b", "app.", "app "},
        {"search a\noptions ndots:2", "app.x", "app.x.a app.x "},
        {"search a\noptions ndots:0", "app", "app app.a "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct resolv_conf conf;
        struct text text = TEXT_NONE;
        char name[HOSTS_NAME_MAX + 1];
        resolv_conf_parse(slice_from(rows[i].conf), &conf);
        for (size_t k = 0; resolv_conf_candidate(&conf, slice_from(rows[i].host), k, name); k++)
            text_printf(&text, "%s ", name);
        assert_string_equal(text_cstr(&text), rows[i].candidates);
        text_deinit(&text);
    }
}

/* What becomes too long is left out, and what is left goes on. */
static void test_long_candidate(void **state)
{
    (void)state;
    char host[250];
    char name[HOSTS_NAME_MAX + 1];
    struct resolv_conf conf;
    memset(host, 'a', sizeof(host));
    resolv_conf_parse(SLICE("search example.org"), &conf);
    assert_true(resolv_conf_candidate(&conf, slice_make(host, sizeof(host)), 0, name));
    assert_string_equal(name, "");
    assert_true(resolv_conf_candidate(&conf, slice_make(host, sizeof(host)), 1, name));
    assert_int_equal(strlen(name), sizeof(host));
    assert_false(resolv_conf_candidate(&conf, slice_make(host, sizeof(host)), 2, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_resolv_conf),
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_long_candidate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
