/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Routes, from their sentences in a file: what they match, which of them can never be reached, and
 * what is said about each mistake, with its place.
 */

#include "conf/memory.h"
#include "http/route.h"

#include "base/mem.h"
#include "core/module.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a module whose only word is route ---- */

struct routes_conf {
    struct conf_object object;
    struct routes routes;
};

static int read_route(struct conf_load *load, const struct conf_stmt *stmt, void *self)
{
    struct routes_conf *conf = self;
    return routes_parse(&conf->routes, load, stmt);
}

static const struct conf_word route_words[] = {
    {.name = "route",
     .type = CONF_CUSTOM,
     .flags = CONF_REPEAT,
     .custom = read_route,
     .usage = route_usage},
    {0},
};

static int check_routes(struct snapshot *snap, void *self, struct conf_load *load)
{
    struct routes_conf *conf = self;
    return routes_check(&conf->routes, snap, load);
}

static const struct module routes_module = {
    .name = "routes",
    .words = route_words,
    .conf_size = sizeof(struct routes_conf),
    .check = check_routes,
};

static const struct module *const modules[] = {&pool_module, &routes_module};
static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};

struct scene {
    struct text file;
    struct snapshot *snap;
    struct conf_diag *diag;
    int rc;
};

/* The pools web and static, and from line 3 on the routes. */
static const struct routes *load(struct scene *scene, const char *routes)
{
    memset(scene, 0, sizeof(*scene));
    text_printf(&scene->file,
                "pool web { member a 127.0.0.1:1 }\npool static { member a 127.0.0.1:2 }\n%s\n",
                routes);
    struct conf_host host = conf_memory_host(scene->file.ptr);
    struct snapshot_options options = {.path = "t.weir", .host = &host, .generation = 1};
    options.n_loops = 1;
    scene->rc = snapshot_load(&table, &options, &scene->snap, &scene->diag);
    const struct routes_conf *conf = snapshot_conf(scene->snap, &routes_module);
    return &conf->routes;
}

static void unload(struct scene *scene)
{
    snapshot_unref(&scene->snap);
    text_deinit(&scene->file);
}

static void must_load(const struct scene *scene)
{
    if (scene->rc == 0)
        return;
    struct text text = TEXT_NONE;
    conf_diag_print(scene->diag, &text);
    print_error("%s", text_cstr(&text));
    text_deinit(&text);
    fail();
}

/* ---- matching ---- */

struct request {
    const char *line; /* "GET /path" */
    const char *host;
    const char *fields; /* complete lines */
    const char *from;   /* NULL: 192.0.2.7 */
};

/* The place of the route that the request gets, -1: none. */
static int match(const struct routes *routes, const struct request *request)
{
    char buf[1024];
    int len = snprintf(buf, sizeof(buf), "%s HTTP/1.1\r\nHost: %s\r\n%s\r\n", request->line,
                       request->host ? request->host : "example.org",
                       request->fields ? request->fields : "");
    struct h1_head head;
    enum h1_error error = H1_OK;
    struct addr peer;
    h1_head_reset(&head);
    assert_int_equal(h1_parse_request(buf, (size_t)len, &h1_limits_default, &head, &error), len);
    assert_int_equal(
        addr_parse_ip(slice_from(request->from ? request->from : "192.0.2.7"), 1, &peer, NULL), 0);
    const struct route *route = routes_match(routes, &head, buf, &peer);
    for (uint32_t i = 0; i < routes->n_items; i++) /* the first, and none before it */
        if (&routes->items[i] != route)
            assert_false((!route || i < route - routes->items) &&
                         route_failing(&routes->items[i], &head, buf, &peer) == 0);
    return route ? (int)(route - routes->items) : -1;
}

struct match_row {
    const char *route; /* without its action; a second one takes the rest */
    struct request request;
    bool is_match;
};

static const struct match_row match_rows[] = {
    {"", {"GET /", NULL, NULL, NULL}, true},
    {"", {"OPTIONS *", NULL, NULL, NULL}, true},

    {"GET", {"GET /", NULL, NULL, NULL}, true},
    {"GET", {"HEAD /", NULL, NULL, NULL}, false},
    {"GET", {"get /", NULL, NULL, NULL}, false}, /* methods know case */
    {"GET", {"GETS /", NULL, NULL, NULL}, false},
    {"BREW", {"BREW /", NULL, NULL, NULL}, true},
    {"M-SEARCH", {"M-SEARCH /", NULL, NULL, NULL}, true},
    {"not GET", {"GET /", NULL, NULL, NULL}, false},
    {"not GET", {"POST /", NULL, NULL, NULL}, true},

    {"host a.org", {"GET /", "a.org", NULL, NULL}, true},
    {"host a.org", {"GET /", "A.oRg", NULL, NULL}, true},
    {"host A.ORG", {"GET /", "a.org", NULL, NULL}, true},
    {"host a.org", {"GET /", "a.org:8080", NULL, NULL}, true},
    {"host a.org", {"GET /", "www.a.org", NULL, NULL}, false},
    {"host a.org", {"GET /", "aa.org", NULL, NULL}, false},
    {"host a.org", {"GET http://a.org/", "a.org", NULL, NULL}, true},
    {"host *.a.org", {"GET /", "www.a.org", NULL, NULL}, true},
    {"host *.a.org", {"GET /", "x.www.A.org", NULL, NULL}, true},
    {"host *.a.org", {"GET /", "a.org", NULL, NULL}, false},
    {"host *.a.org", {"GET /", "ba.org", NULL, NULL}, false},
    {"host *.a.org", {"GET /", ".a.org", NULL, NULL}, false},
    {"host [::1]", {"GET /", "[::1]:80", NULL, NULL}, true},
    {"host 127.0.0.1", {"GET /", "127.0.0.1:80", NULL, NULL}, true},
    {"not host a.org", {"GET /", "a.org", NULL, NULL}, false},
    {"not host a.org", {"GET /", "b.org", NULL, NULL}, true},
    {"not host *.a.org", {"GET /", "a.org", NULL, NULL}, true},
    {"not host *.a.org", {"GET /", "b.a.org", NULL, NULL}, false},

    {"path /a", {"GET /a", NULL, NULL, NULL}, true},
    {"path /a", {"GET /a/", NULL, NULL, NULL}, true},
    {"path /a", {"GET /a/b/c?d", NULL, NULL, NULL}, true},
    {"path /a", {"GET /a?x=/b", NULL, NULL, NULL}, true},
    {"path /a", {"GET /ab", NULL, NULL, NULL}, false},
    {"path /a", {"GET /A", NULL, NULL, NULL}, false}, /* paths know case */
    {"path /a", {"GET /b/a", NULL, NULL, NULL}, false},
    {"path /a", {"GET /", NULL, NULL, NULL}, false},
    {"path /a", {"OPTIONS *", NULL, NULL, NULL}, false},
    {"path /a/", {"GET /a", NULL, NULL, NULL}, true}, /* the slash at the end says nothing */
    {"path /a//", {"GET /a/b", NULL, NULL, NULL}, true},
    {"path /", {"GET /anything", NULL, NULL, NULL}, true},
    {"path /", {"GET http://example.org", NULL, NULL, NULL}, true},
    {"path = /a", {"GET /a", NULL, NULL, NULL}, true},
    {"path = /a", {"GET /a?b", NULL, NULL, NULL}, true},
    {"path = /a", {"GET /a/", NULL, NULL, NULL}, false},
    {"path = /a/", {"GET /a/", NULL, NULL, NULL}, true},
    {"path = /a/", {"GET /a", NULL, NULL, NULL}, false},
    {"path = /", {"GET /", NULL, NULL, NULL}, true},
    {"path = /", {"GET http://example.org?q", NULL, NULL, NULL}, true},
    {"path = /", {"GET /a", NULL, NULL, NULL}, false},
    {"path \"/a b\"", {"GET /a%20b", NULL, NULL, NULL}, false}, /* bytes are compared as they are */
    {"not path /a", {"GET /a/b", NULL, NULL, NULL}, false},
    {"not path /a", {"GET /ab", NULL, NULL, NULL}, true},
    {"not path = /a", {"GET /a/b", NULL, NULL, NULL}, true},

    {"header X-Canary yes", {"GET /", NULL, "X-Canary: yes\r\n", NULL}, true},
    {"header x-canary yes", {"GET /", NULL, "X-CANARY:yes \r\n", NULL}, true},
    {"header X-Canary yes", {"GET /", NULL, "X-Canary: Yes\r\n", NULL}, false},
    {"header X-Canary yes", {"GET /", NULL, "X-Canary: yes, no\r\n", NULL}, false},
    {"header X-Canary yes", {"GET /", NULL, "X-Canary: no\r\nX-Canary: yes\r\n", NULL}, true},
    {"header X-Canary yes", {"GET /", NULL, "X-Canaryy: yes\r\n", NULL}, false},
    {"header X-Canary yes", {"GET /", NULL, NULL, NULL}, false},
    {"header X-Empty \"\"", {"GET /", NULL, "X-Empty:\r\n", NULL}, true},
    {"header X-A \"b c\"", {"GET /", NULL, "X-A:  b c\r\n", NULL}, true},
    {"header Host example.org", {"GET /", "example.org", NULL, NULL}, true},
    {"not header X-A b", {"GET /", NULL, "X-A: b\r\n", NULL}, false},
    {"not header X-A b", {"GET /", NULL, "X-A: c\r\n", NULL}, true},
    {"not header X-A b", {"GET /", NULL, NULL, NULL}, true},

    {"from 10.0.0.0/8", {"GET /", NULL, NULL, "10.255.0.1"}, true},
    {"from 10.0.0.0/8", {"GET /", NULL, NULL, "11.0.0.1"}, false},
    {"from 10.0.0.0/8", {"GET /", NULL, NULL, "::ffff:10.0.0.1"}, true},
    {"from 10.0.0.0/8", {"GET /", NULL, NULL, "::1"}, false},
    {"from 2001:db8::/32", {"GET /", NULL, NULL, "2001:db8::9"}, true},
    {"from 192.0.2.7", {"GET /", NULL, NULL, "192.0.2.7"}, true},
    {"not from 10.0.0.0/8", {"GET /", NULL, NULL, "10.1.1.1"}, false},
    {"not from 10.0.0.0/8", {"GET /", NULL, NULL, "::1"}, true},

    /* all of it, or nothing */
    {"POST host a.org path /x header A b from 10.0.0.0/8",
     {"POST /x/y", "a.org", "A: b\r\n", "10.0.0.1"},
     true},
    {"POST host a.org path /x header A b from 10.0.0.0/8",
     {"GET /x/y", "a.org", "A: b\r\n", "10.0.0.1"},
     false},
    {"POST host a.org path /x header A b from 10.0.0.0/8",
     {"POST /y", "a.org", "A: b\r\n", "10.0.0.1"},
     false},
    {"POST host a.org path /x header A b from 10.0.0.0/8",
     {"POST /x", "b.org", "A: b\r\n", "10.0.0.1"},
     false},
    {"POST host a.org path /x header A b from 10.0.0.0/8",
     {"POST /x", "a.org", "A: c\r\n", "10.0.0.1"},
     false},
    {"POST host a.org path /x header A b from 10.0.0.0/8",
     {"POST /x", "a.org", "A: b\r\n", "11.0.0.1"},
     false},
    {"not GET not host a.org not path /x", {"POST /y", "b.org", NULL, NULL}, true},
    {"not GET not host a.org not path /x", {"POST /x", "b.org", NULL, NULL}, false},
    /* the words stand in any order */
    {"from 10.0.0.0/8 path /x host a.org", {"GET /x", "a.org", NULL, "10.0.0.1"}, true},
};

static void test_matching(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(match_rows); i++) {
        const struct match_row *row = &match_rows[i];
        struct scene scene;
        char text[512];
        snprintf(text, sizeof(text), "route %s respond 200", row->route);
        const struct routes *routes = load(&scene, text);
        must_load(&scene);
        if ((match(routes, &row->request) == 0) != row->is_match)
            fail_msg("route %s and %s", row->route, row->request.line);
        unload(&scene);
    }
}

static void test_first_wins(void **state)
{
    (void)state;
    struct scene scene;
    const struct routes *routes = load(&scene, "route path = /ping respond 200 \"pong\"\n"
                                               "route host static.example.org pool static\n"
                                               "route POST path /up redirect https\n"
                                               "route path /old redirect 308 https://new.org/x?y\n"
                                               "route path /s pool static\n"
                                               "route pool web");
    must_load(&scene);
    static const struct {
        struct request request;
        int place;
    } rows[] = {
        {{"GET /ping", "static.example.org", NULL, NULL}, 0},
        {{"GET /pong", "static.example.org", NULL, NULL}, 1},
        {{"POST /up", NULL, NULL, NULL}, 2},
        {{"GET /up", NULL, NULL, NULL}, 5},
        {{"GET /old/x", NULL, NULL, NULL}, 3},
        {{"GET /s", NULL, NULL, NULL}, 4},
        {{"OPTIONS *", NULL, NULL, NULL}, 5},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(match(routes, &rows[i].request), rows[i].place);
    const struct route *items = routes->items;
    assert_int_equal(items[0].action, ROUTE_RESPOND);
    assert_int_equal(items[0].status, 200);
    assert_true(slice_is(items[0].text, "pong"));
    assert_int_equal(items[1].action, ROUTE_POOL);
    assert_ptr_equal(items[1].pool, pool_find(scene.snap, SLICE("static")));
    assert_int_equal(items[2].action, ROUTE_REDIRECT_HTTPS);
    assert_int_equal(items[3].action, ROUTE_REDIRECT);
    assert_int_equal(items[3].status, 308);
    assert_true(slice_is(items[3].text, "https://new.org/x?y"));
    assert_ptr_equal(items[5].pool, pool_find(scene.snap, SLICE("web")));
    unload(&scene);
}

/* ---- what follows ---- */

static void test_split(void **state)
{
    (void)state;
    struct scene scene;
    const struct routes *routes = load(&scene, "pool retry { member a 127.0.0.1:3 }\n"
                                               "route path /a split web 90% static 10%\n"
                                               "route path /b split web 0% static 100%\n"
                                               "route path /c split web 33% retry 33% static 34% "
                                               "priority high\n"
                                               "route pool retry retry idempotency-key");
    must_load(&scene);
    struct pool *web = pool_find(scene.snap, SLICE("web"));
    struct pool *third = pool_find(scene.snap, SLICE("retry"));
    struct pool *rest = pool_find(scene.snap, SLICE("static"));
    const struct route *items = routes->items;
    assert_int_equal(items[0].action, ROUTE_SPLIT);
    assert_true(route_is_to_pool(&items[0]) && route_is_to_pool(&items[3]));
    /* Each share is a run of draws, in the order of the sentence. */
    assert_ptr_equal(route_choose(&items[0], 0), web);
    assert_ptr_equal(route_choose(&items[0], (uint32_t)(0.89999 * UINT32_MAX)), web);
    assert_ptr_equal(route_choose(&items[0], (uint32_t)(0.90001 * UINT32_MAX)), rest);
    assert_ptr_equal(route_choose(&items[0], UINT32_MAX), rest);
    assert_ptr_equal(route_choose(&items[1], 0), rest);
    assert_ptr_equal(route_choose(&items[1], UINT32_MAX), rest);
    assert_ptr_equal(route_choose(&items[3], UINT32_MAX / 2), third);
    uint32_t n_each[3] = {0};
    for (uint32_t i = 0; i < 100000; i++) {
        struct pool *pool = route_choose(&items[2], i * (UINT32_MAX / 100000));
        n_each[pool == web ? 0 : pool == third ? 1 : 2]++;
    }
    assert_in_range(n_each[0], 32990, 33010);
    assert_in_range(n_each[1], 32990, 33010);
    assert_in_range(n_each[2], 33990, 34010);
    unload(&scene);
}

static void test_manner(void **state)
{
    (void)state;
    struct scene scene;
    const struct routes *routes =
        load(&scene, "route path /a pool web\n"
                     "route path /b pool web retry idempotency-key\n"
                     "route path /c pool web priority low\n"
                     "route path /d split web 50% static 50% retry idempotency-key priority high\n"
                     "route path /e pool web priority normal retry idempotency-key");
    must_load(&scene);
    static const struct {
        bool is_by_key;
        enum route_priority priority;
    } rows[] = {{false, ROUTE_PRIORITY_NORMAL},
                {true, ROUTE_PRIORITY_NORMAL},
                {false, ROUTE_PRIORITY_LOW},
                {true, ROUTE_PRIORITY_HIGH},
                {true, ROUTE_PRIORITY_NORMAL}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(routes->items[i].is_idempotent_by_key, rows[i].is_by_key);
        assert_int_equal(routes->items[i].priority, rows[i].priority);
    }
    unload(&scene);
}

static void test_repeatable(void **state)
{
    (void)state;
    static const struct {
        const char *line, *fields;
        bool is_plain, is_by_key;
    } rows[] = {
        {"GET /", "", true, true},
        {"PUT /", "", true, true},
        {"DELETE /", "", true, true},
        {"POST /", "", false, false},
        {"POST /", "Idempotency-Key: \"8e03978e\"\r\n", false, true},
        {"POST /", "idempotency-key:1\r\n", false, true},
        {"POST /", "Idempotency-Key:\r\n", false, false},
        {"POST /", "Idempotency-Keys: 1\r\n", false, false},
        {"PATCH /", "A: b\r\nIdempotency-Key: x\r\n", false, true},
        {"BREW /", "Idempotency-Key: x\r\n", false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char buf[256];
        int len = snprintf(buf, sizeof(buf), "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", rows[i].line,
                           rows[i].fields);
        struct h1_head head;
        enum h1_error error;
        h1_head_reset(&head);
        assert_int_equal(h1_parse_request(buf, (size_t)len, &h1_limits_default, &head, &error),
                         len);
        struct route plain = {.action = ROUTE_POOL};
        struct route by_key = {.action = ROUTE_POOL, .is_idempotent_by_key = true};
        assert_int_equal(route_is_repeatable(&plain, &head), rows[i].is_plain);
        assert_int_equal(route_is_repeatable(&by_key, &head), rows[i].is_by_key);
    }
}

static void test_no_route(void **state)
{
    (void)state;
    struct scene scene;
    const struct routes *routes = load(&scene, "route path /a pool web\nroute path /b pool web");
    must_load(&scene);
    assert_int_equal(match(routes, &(struct request){"GET /c", NULL, NULL, NULL}), -1);
    unload(&scene);
}

/* ---- routes that nothing reaches ---- */

static const struct {
    const char *earlier, *later;
    bool is_reached;
} reach_rows[] = {
    {"", "", false},
    {"", "path /a", false},
    {"path /a", "", true},
    {"GET", "GET path /a", false},
    {"GET", "POST", true},
    {"GET", "path /a", true},
    {"GET", "not POST", true},
    {"not GET", "not GET", false},
    {"not GET", "not GET path /a", false},
    {"not GET", "not POST", true},
    {"path /a", "path /a/b", false},
    {"path /a/b", "path /a", true},
    {"path /a", "path /ab", true},
    {"path /a", "path = /a", false},
    {"path /a", "path = /a/b", false},
    {"path = /a", "path /a", true},
    {"path = /a", "path = /a", false},
    {"path = /a", "path = /a/", true},
    {"path /", "path /a", false},
    {"path /", "path = /", false},
    {"not path /a", "not path /a/b", true}, /* /a/c is still to be had */
    {"not path /a/b", "not path /a", false},
    {"not path /a", "path /b", true}, /* it is taken, but that is not looked for */
    {"host a.org", "host A.ORG", false},
    {"host a.org", "host b.org", true},
    {"host *.a.org", "host x.a.org", false},
    {"host *.a.org", "host a.org", true},
    {"host x.a.org", "host *.a.org", true},
    {"host *.a.org", "host *.a.org", false},
    {"host *.a.org", "host *.b.a.org", false},
    {"host *.b.a.org", "host *.a.org", true},
    {"not host *.b.a.org", "not host *.a.org", false},
    {"not host *.a.org", "not host *.b.a.org", true},
    {"not host x.a.org", "not host *.a.org", false},
    {"header A b", "header a b", false},
    {"header A b", "header A B", true},
    {"header A b", "header A b path /x", false},
    {"from 10.0.0.0/8", "from 10.1.0.0/16", false},
    {"from 10.1.0.0/16", "from 10.0.0.0/8", true},
    {"from 10.0.0.0/8", "from 11.0.0.0/16", true},
    {"from 0.0.0.0/0", "from 10.0.0.0/8", false},
    {"not from 10.1.0.0/16", "not from 10.0.0.0/8", false},
    {"not from 10.0.0.0/8", "not from 10.1.0.0/16", true},
    {"GET path /a", "GET host x.org path /a/b from 10.0.0.0/8", false},
    {"GET path /a", "POST host x.org path /a/b", true},
};

static void test_reach(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(reach_rows); i++) {
        struct scene scene;
        char text[512];
        snprintf(text, sizeof(text),
                 "route %s respond 200\nroute path /zzz respond 204\nroute %s pool web",
                 reach_rows[i].earlier, reach_rows[i].later);
        if (reach_rows[i].earlier[0] == '\0') /* it takes the one between as well */
            snprintf(text, sizeof(text), "route %s respond 200\n\nroute %s pool web",
                     reach_rows[i].earlier, reach_rows[i].later);
        load(&scene, text);
        size_t n_wrong = 0;
        for (size_t d = 0; d < scene.diag->n_items; d++) {
            if (scene.diag->items[d].at.line != 5)
                continue;
            n_wrong++;
            assert_string_equal(scene.diag->items[d].text,
                                "no request reaches this route: line 3 takes all that it matches");
        }
        if (n_wrong != !reach_rows[i].is_reached)
            fail_msg("\"%s\" before \"%s\"", reach_rows[i].earlier, reach_rows[i].later);
        unload(&scene);
    }
}

/* What is found unreachable really is: random routes, and requests that try to reach the later
 * one. */
static void test_reach_holds(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "POST"};
    static const char *const paths[] = {"/a", "/a/b", "/ab", "/", "/a/b/c"};
    static const char *const hosts[] = {"a.org", "x.a.org", "y.x.a.org", "b.org"};
    for (size_t i = 0; i < ARRAY_LEN(reach_rows); i++) {
        struct scene scene;
        char text[512];
        snprintf(text, sizeof(text), "route %s respond 200\nroute %s pool web",
                 reach_rows[i].earlier, reach_rows[i].later);
        const struct routes *routes = load(&scene, text);
        if (scene.rc == 0) {
            unload(&scene);
            continue;
        }
        for (size_t n = 0; n < 2 * 5 * 4 * 2 * 3; n++) {
            static const char *const peers[] = {"10.1.0.1", "10.2.0.1", "11.0.0.1"};
            char line[64];
            snprintf(line, sizeof(line), "%s %s", methods[n % 2], paths[n / 2 % 5]);
            struct request request = {line, hosts[n / 10 % 4], n / 40 % 2 ? "A: b\r\n" : NULL,
                                      peers[n / 80]};
            assert_int_not_equal(match(routes, &request), 1);
        }
        unload(&scene);
    }
}

/* ---- mistakes ---- */

#define NO_MANNER \
    "nothing but retry, priority, async, overflow and credentials may follow what the route does"

static const struct {
    const char *route;
    const char *text; /* of the one sentence */
    uint32_t column;
} mistakes[] = {
    {"route", "this route does not say what to do", 1},
    {"route path /a", "this route does not say what to do", 12},
    {"route GET", "this route does not say what to do", 7},
    {"route pool", "\"pool\" needs a value", 7},
    {"route pool webb", "there is no pool \"webb\"", 12},
    {"route pool web path /a", NO_MANNER, 16},
    {"route pool web respond 200", NO_MANNER, 16},
    {"route { pool web }", "a route has no block", 1},
    {"route host", "\"host\" needs a value", 7},
    {"route host a..b:80 pool web", "\"a..b:80\" is not a host name", 12},
    {"route host a.org:80 pool web", "\"a.org:80\" is not a host name", 12},
    {"route host *. pool web", "\"*.\" is not a host name", 12},
    {"route host \"a b\" pool web", "\"a b\" is not a host name", 12},
    {"route host a host b pool web", "a route names one host", 14},
    {"route path pool web", "a path begins with a slash, \"pool\" does not", 12},
    {"route path \"\" pool web", "a path begins with a slash, \"\" does not", 12},
    {"route path =", "\"path =\" needs a value", 12},
    {"route path /a?b pool web", "a path ends before ? and #: routes do not look at the query", 12},
    {"route path \"/a#b\" pool web", "a path ends before ? and #: routes do not look at the query",
     12},
    {"route path /a path /b pool web", "a route names one path", 15},
    {"route header A", "\"header\" needs a value", 14},
    {"route header \"A B\" c pool web", "\"A B\" is not the name of a header field", 14},
    {"route header \"\" c pool web", "\"\" is not the name of a header field", 14},
    {"route from", "\"from\" needs a value", 7},
    {"route not", "\"not\" needs a value", 7},
    {"route not pool web", "\"not\" turns a matcher round, \"pool\" is what to do", 11},
    {"route path /a not respond 200", "\"not\" turns a matcher round, \"respond\" is what to do",
     19},
    {"route respond", "\"respond\" needs a value", 7},
    {"route respond 100", "a status from 200 to 599 stands here", 15},
    {"route respond 200 a b", NO_MANNER, 21},
    {"route respond 204 \"x\"", "an answer with status 204 has no text", 19},
    {"route respond 304 \"x\"", "an answer with status 304 has no text", 19},
    {"route redirect", "\"redirect\" needs a value", 7},
    {"route redirect http", "redirect takes https, or a status and a URL", 16},
    {"route redirect 301", "\"redirect\" needs a value", 16},
    {"route redirect 300 /x", "a redirect is 301, 302, 303, 307 or 308", 16},
    {"route redirect 304 /x", "a redirect is 301, 302, 303, 307 or 308", 16},
    {"route redirect 305 /x", "a redirect is 301, 302, 303, 307 or 308", 16},
    {"route redirect 309 /x", "a redirect is 301, 302, 303, 307 or 308", 16},
    {"route redirect 301 \"/a b\"", "a URL holds no space and no control or 8-bit bytes", 20},
    {"route redirect 301 \"/a\\n\"", "a URL holds no space and no control or 8-bit bytes", 20},
    {"route redirect 301 \"\"", "a URL is not empty", 20},
    {"route split", "\"split\" needs a value", 7},
    {"route split web", "\"split\" needs a value", 13},
    {"route split web static", "\"static\" is not a percentage: write 50%", 17},
    {"route split web 90", "\"90\" has no percent sign: write 90%", 17},
    {"route split web 101% static 0%", "\"101%\" is more than all: at most 100%", 17},
    {"route split web 100%", "a split names two pools or more", 7},
    {"route split web 90% static", "\"split\" needs a value", 21},
    {"route split web 90% static 9%", "the shares of a split make 100%, these make 99%", 7},
    {"route split web 90% static 20%", "the shares of a split make 100%, these make 110%", 7},
    {"route split web 90% web 10%", "a split names a pool once", 21},
    {"route split web 90% webb 10%", "there is no pool \"webb\"", 21},
    {"route not split web 90% static 10%", "\"not\" turns a matcher round, \"split\" is what to do",
     11},
    {"route split web 90% static 10% path /a", NO_MANNER, 32},
    {"route pool web retry", "\"retry\" needs a value", 16},
    {"route pool web retry always", "\"always\" is not known here: write idempotency-key", 22},
    {"route pool web priority", "\"priority\" needs a value", 16},
    {"route pool web priority urgent",
     "\"urgent\" is not known here: write one of high, normal, low", 25},
    {"route pool web priority low priority low", "\"priority\" stands here twice", 29},
    {"route pool web \"priority\" low", NO_MANNER, 16},
    {"route priority low pool web", "\"priority\" stands behind what the route does", 7},
    {"route path /x retry idempotency-key pool web", "\"retry\" stands behind what the route does",
     15},
    {"route respond 200 \"x\" priority low",
     "\"priority\" says how a pool is asked, this route asks none", 23},
    {"route redirect https retry idempotency-key",
     "\"retry\" says how a pool is asked, this route asks none", 22},
    {"route async", "\"async\" needs a value", 7},
    {"route async q pool web", NO_MANNER, 15},
    {"route async q priority low", "\"priority\" says how a pool is asked, this route asks none",
     15},
    {"route async q overflow r", "\"overflow\" says how a pool is asked, this route asks none", 15},
    {"route overflow q pool web", "\"overflow\" stands behind what the route does", 7},
    {"route pool web async", "\"async\" needs a value", 16},
    {"route pool web async q async q", "\"async\" stands here twice", 24},
    {"route pool web overflow q overflow q", "\"overflow\" stands here twice", 27},
    {"route pool web credentials keep",
     "\"credentials\" stands behind async or overflow: nothing is stored without them", 16},
    {"route pool web async q credentials", "\"credentials\" needs a value", 24},
    {"route async q credentials drop", "\"drop\" is not known here: write keep", 27},
    {"route redirect https credentials keep",
     "\"credentials\" says how a pool is asked, this route asks none", 22},
    {"route get pool web", "unknown word \"get\" in route", 7},
    {"route \"GET\" pool web", "unknown word \"GET\" in route", 7},
    {"route paht /a pool web", "unknown word \"paht\" in route", 7},
    {"route path /a GET pool web", "unknown word \"GET\" in route", 15},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        struct scene scene;
        load(&scene, mistakes[i].route);
        const struct conf_diag_item *item = &scene.diag->items[0];
        if (scene.rc != -1 || scene.diag->n_items != 1)
            fail_msg("%s: %zu mistakes", mistakes[i].route, scene.diag->n_items);
        if (strcmp(item->text, mistakes[i].text) != 0 || item->at.line != 3 ||
            item->at.column != mistakes[i].column)
            fail_msg("%s: %u:%u: %s", mistakes[i].route, item->at.line, item->at.column,
                     item->text);
        unload(&scene);
    }
}

/* ---- queues ---- */

static void test_queues(void **state)
{
    (void)state;
    static const struct {
        const char *route, *async, *overflow;
        int action;
        bool keeps;
    } rows[] = {
        {"route POST path /reports async reports", "reports", "", ROUTE_ASYNC, false},
        {"route async reports credentials keep", "reports", "", ROUTE_ASYNC, true},
        {"route pool web async reports", "reports", "", ROUTE_POOL, false},
        {"route pool web overflow late priority low", "", "late", ROUTE_POOL, false},
        {"route pool web overflow late credentials keep", "", "late", ROUTE_POOL, true},
        {"route split web 90% static 10% async a overflow b", "a", "b", ROUTE_SPLIT, false},
        {"route pool web", "", "", ROUTE_POOL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene scene;
        const struct routes *routes = load(&scene, rows[i].route);
        assert_int_equal(scene.rc, 0);
        const struct route *route = &routes->items[0];
        assert_true(slice_is(route->async_ref.name, rows[i].async));
        assert_true(slice_is(route->overflow_ref.name, rows[i].overflow));
        assert_int_equal(route->action, rows[i].action);
        assert_int_equal(route->keeps_credentials, rows[i].keeps);
        assert_int_equal(route->has_queue, rows[i].async[0] || rows[i].overflow[0]);
        assert_int_equal(route_is_to_pool(route), rows[i].action != ROUTE_ASYNC);
        assert_true(route_is_relayed(route));
        unload(&scene);
    }
}

static void test_too_many(void **state)
{
    (void)state;
    struct scene scene;
    struct text text = TEXT_NONE;
    for (int i = 0; i <= ROUTES_MAX; i++)
        text_printf(&text, "route path = /%d pool web\n", i);
    const struct routes *routes = load(&scene, text_cstr(&text));
    assert_int_equal(scene.diag->n_items, 1);
    assert_string_equal(scene.diag->items[0].text, "more than 1000 routes");
    assert_int_equal(scene.diag->items[0].at.line, 3 + ROUTES_MAX);
    assert_int_equal(routes->n_items, ROUTES_MAX);
    assert_true(slice_is(routes->items[ROUTES_MAX - 1].path, "/999"));
    unload(&scene);
    text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),    cmocka_unit_test(test_first_wins),
        cmocka_unit_test(test_no_route),    cmocka_unit_test(test_reach),
        cmocka_unit_test(test_reach_holds), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_too_many),    cmocka_unit_test(test_queues),
        cmocka_unit_test(test_split),       cmocka_unit_test(test_manner),
        cmocka_unit_test(test_repeatable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
