/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What `weir explain` says of described requests: how they are read, which route takes them and why
 * the earlier ones did not, what the facts say about the members.
 */

#include "http/explain.h"

#include "base/mem.h"
#include "conf/memory.h"
#include "pool/pool.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a module whose words are routes ---- */

struct routes_conf {
    struct conf_object object;
    struct http_conf http;
};

static int read_route(struct conf_load *load, const struct conf_stmt *stmt, void *self)
{
    struct routes_conf *conf = self;
    return routes_parse(&conf->http.routes, load, stmt);
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
    return routes_check(&conf->http.routes, snap, load);
}

static const struct module routes_module = {
    .name = "routes",
    .words = route_words,
    .conf_size = sizeof(struct routes_conf),
    .check = check_routes,
};

static const struct module *const modules[] = {&pool_module, &routes_module};
static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};

static char file[] = "pool web {\n"
                     "    member a 127.0.0.1:1\n"
                     "    member b 127.0.0.1:2 weight 3\n"
                     "    member c app.internal:80\n"
                     "}\n"
                     "pool next { member a 127.0.0.1:3 }\n"
                     "route POST path /up pool next priority low\n"
                     "route host *.static.org respond 204\n"
                     "route not header X-Canary \"y s\" path /canary redirect 302 /no\n"
                     "route from 10.0.0.0/8 path /in respond 200 \"hi\"\n"
                     "route path /split split web 90% next 10%\n"
                     "route path /s redirect https\n"
                     "route path /web pool web\n";

struct scene {
    struct snapshot *snap;
    struct board *board;
    struct board_fds fds;
};

static int setup(void **state)
{
    struct scene *scene = MEM_NEW(struct scene);
    const char *const segments[] = {"health"};
    struct conf_host host = conf_memory_host(file);
    struct snapshot_options options = {.path = "t.weir", .host = &host, .generation = 1};
    struct conf_diag *diag;
    options.n_loops = 1;
    assert_int_equal(snapshot_load(&table, &options, &scene->snap, &diag), 0);
    assert_int_equal(board_make(segments, 1, &scene->fds, NULL), 0);
    assert_int_equal(board_open(&scene->fds, 0, &scene->board, NULL), 0);
    board_state(scene->board, "pool:web", FACT_DEGRADED, 0, "1/3 up", 1);
    board_state(scene->board, "member:web/a", FACT_UP, 1, "HTTP 200 in 3 ms", 1);
    board_state(scene->board, "member:web/b", FACT_DOWN, 3, "connection refused", 1);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    board_close(&scene->board);
    board_fds_close(&scene->fds);
    snapshot_unref(&scene->snap);
    mem_free(scene);
    return 0;
}

/* ---- reading what a person describes ---- */

static const struct {
    const char *text;
    const char *field;
    const char *bytes; /* NULL: refused */
    const char *refusal;
} request_rows[] = {
    {"GET http://a.org/x?y=1", NULL, "GET /x?y=1 HTTP/1.1\r\nHost: a.org\r\n\r\n", NULL},
    {"http://a.org", NULL, "GET / HTTP/1.1\r\nHost: a.org\r\n\r\n", NULL},
    {"  POST   https://a.org:8443/ ", "A: b", "POST / HTTP/1.1\r\nHost: a.org:8443\r\nA: b\r\n\r\n",
     NULL},
    {"DELETE http://[::1]?q", NULL, "DELETE /?q HTTP/1.1\r\nHost: [::1]\r\n\r\n", NULL},
    {"", NULL, NULL, "\"\" is no URL: write 'GET https://www.example.org/path'"},
    {"GET /path", NULL, NULL, "\"/path\" is no URL: write 'GET https://www.example.org/path'"},
    {"GET http:///path", NULL, NULL, "\"\" is not a host"},
    {"GET http://a:b/", NULL, NULL, "\"a:b\" is not a host"},
    {"GET http://a.org/ b", NULL, NULL, NULL},
    {"GET http://a.org/#b", NULL, NULL, NULL},
    {"TRACE http://a.org/", NULL, NULL, NULL},
    {"GET http://a.org/", "A: b\r\n\r\nGET / HTTP/1.1", NULL,
     "a header field is one line: write 'X-Canary: yes'"},
    {"GET http://a.org/", "A: b\r\nC: d\r\n", NULL,
     "a header field is one line: write 'X-Canary: yes'"},
    {"GET http://a.org/", "A", NULL, NULL},
    {"GET http://a.org/", "Host: b.org", NULL, NULL},
};

static void test_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(request_rows); i++) {
        struct explain_request request;
        struct err err;
        struct slice field = slice_from(request_rows[i].field);
        struct explain_ask ask = {.kind = "http",
                                  .text = slice_from(request_rows[i].text),
                                  .fields = &field,
                                  .n_fields = request_rows[i].field ? 1 : 0};
        int result = explain_request_init(&request, &ask, &err);
        if ((result == 0) != (request_rows[i].bytes != NULL))
            fail_msg("%s: %d", request_rows[i].text, result);
        if (result == 0)
            assert_string_equal(text_cstr(&request.bytes), request_rows[i].bytes);
        else if (request_rows[i].refusal)
            assert_string_equal(err.text, request_rows[i].refusal);
        else
            assert_true(slice_starts(slice_from(err.text), SLICE("weir answers 4")));
        assert_int_equal(request.is_https,
                         strstr(request_rows[i].text, "https") != NULL && result == 0);
        explain_request_deinit(&request);
    }
}

/* ---- what is said ---- */

static char *explain(struct scene *scene, const char *text, const char *field, const char *from)
{
    static char said[8192];
    struct slice slice = slice_from(field);
    struct explain_ask ask = {
        .kind = "http", .text = slice_from(text), .fields = &slice, .n_fields = field ? 1 : 0};
    struct explain_request request;
    struct text out = TEXT_NONE;
    struct json json;
    if (from)
        assert_int_equal(addr_parse_ip(slice_from(from), 0, &ask.from, NULL), 0);
    assert_int_equal(explain_request_init(&request, &ask, NULL), 0);
    const struct routes_conf *conf = snapshot_conf(scene->snap, &routes_module);
    json_init(&json, &out);
    json_object_begin(&json);
    http_explain(&conf->http, scene->board, &request, &json);
    json_object_end(&json);
    json_finish(&json);
    slice_copy(text_slice(&out), said, sizeof(said));
    explain_request_deinit(&request);
    text_deinit(&out);
    return said;
}

static void must_say(const char *said, const char *part)
{
    if (!strstr(said, part))
        fail_msg("%s\nis not in\n%s", part, said);
}

static void test_first_route(void **state)
{
    const char *said = explain(*state, "POST http://x.org/up/load", NULL, NULL);
    assert_string_equal(
        said, "{\"routes\":[{\"at\":\"t.weir:7:1\",\"route\":\"POST path /up pool next priority "
              "low\",\"matches\":true}],\"action\":\"pool\",\"priority\":\"low\",\"repeatable\":"
              "false,\"pools\":[{\"pool\":\"next\",\"balance\":\"round-robin\",\"state\":"
              "\"unknown\",\"reason\":\"not judged "
              "yet\",\"members\":[{\"member\":\"a\",\"address\":\"127.0.0.1:3\",\"may\":true,"
              "\"state\":\"unknown\",\"weight\":1,\"why\":\"not judged yet\"}]}]}");
}

static void test_why_not(void **state)
{
    const char *said = explain(*state, "GET http://x.org/web", "X-Canary: no", "192.0.2.1");
    must_say(said, "\"matches\":false,\"word\":\"method\",\"why\":\"the method is GET\"");
    must_say(said, "\"matches\":false,\"word\":\"host\",\"why\":\"the host is x.org\"");
    must_say(said, "\"route\":\"not header X-Canary \\\"y s\\\" path /canary redirect 302 /no\","
                   "\"matches\":false,\"word\":\"path\",\"why\":\"the path is /web\"");
    said = explain(*state, "GET http://x.org/canary", "X-Canary: y s", NULL);
    must_say(said, "\"word\":\"header\",\"why\":\"X-Canary is \\\"y s\\\"\"");
    said = explain(*state, "GET http://x.org/in", NULL, "192.0.2.1");
    must_say(said, "\"word\":\"from\",\"why\":\"the client is 192.0.2.1\"");
    said = explain(*state, "GET http://x.org/in", NULL, NULL);
    must_say(said, "\"why\":\"the client's address was not said: add `from ADDRESS`\"");
    must_say(said, "\"action\":\"none\",\"status\":404");
    said = explain(*state, "GET http://x.org/in", NULL, "10.0.0.7");
    must_say(said, "\"matches\":true}],\"action\":\"respond\",\"status\":200}");
}

static void test_members(void **state)
{
    const char *said = explain(*state, "GET http://x.org/web", NULL, NULL);
    must_say(said, "{\"pool\":\"web\",\"balance\":\"round-robin\",\"state\":\"degraded\","
                   "\"reason\":\"1/3 up\",");
    must_say(said, "{\"member\":\"a\",\"address\":\"127.0.0.1:1\",\"may\":true,\"state\":\"up\","
                   "\"weight\":1,\"why\":\"HTTP 200 in 3 ms\"}");
    must_say(said, "{\"member\":\"b\",\"address\":\"127.0.0.1:2\",\"may\":false,\"state\":\"down\","
                   "\"weight\":3,\"why\":\"connection refused\"}");
    must_say(said, "{\"member\":\"c\",\"address\":null,\"may\":false,\"state\":\"unknown\","
                   "\"weight\":1,\"why\":\"its name has not been resolved\"}");
}

static void test_sticky(void **state)
{
    struct scene *scene = *state;
    struct routes_conf *conf = snapshot_conf(scene->snap, &routes_module);
    struct sticky_conf cookie = {.kind = STICKY_COOKIE, .name = SLICE("WEIR")};
    struct sticky_conf source = {.kind = STICKY_SOURCE};
    conf->http.sticky = &cookie;
    must_say(explain(scene, "GET http://x.org/web", "Cookie: a=b; WEIR=v1", NULL),
             "\"sticky\":{\"by\":\"cookie\",\"name\":\"WEIR\",\"carried\":true}}");
    must_say(explain(scene, "GET http://x.org/web", NULL, NULL), "\"carried\":false}}");
    assert_null(strstr(explain(scene, "GET http://a.static.org/", NULL, NULL), "sticky"));
    conf->http.sticky = &source;
    must_say(explain(scene, "GET http://x.org/web", NULL, NULL),
             "\"sticky\":{\"by\":\"source\",\"carried\":false}}");
    must_say(explain(scene, "GET http://x.org/web", NULL, "10.0.0.1"), "\"carried\":true}}");
    conf->http.sticky = NULL;
}

static void test_answers(void **state)
{
    const char *said = explain(*state, "GET http://a.static.org/", NULL, NULL);
    must_say(said, "\"action\":\"respond\",\"status\":204");
    said = explain(*state, "POST http://x.org:81/s?a=b", NULL, NULL);
    must_say(said, "\"action\":\"redirect\",\"status\":308,\"location\":\"https://x.org/s?a=b\"");
    said = explain(*state, "GET http://x.org/canary/x", NULL, NULL);
    must_say(said, "\"action\":\"redirect\",\"status\":302,\"location\":\"/no\"");
    said = explain(*state, "PUT http://x.org/split", NULL, NULL);
    must_say(said, "\"action\":\"split\",\"priority\":\"normal\",\"repeatable\":true,\"pools\":[{"
                   "\"pool\":\"web\",\"share\":90,");
    must_say(said, "{\"pool\":\"next\",\"share\":10,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request), cmocka_unit_test(test_first_route),
        cmocka_unit_test(test_why_not), cmocka_unit_test(test_members),
        cmocka_unit_test(test_answers), cmocka_unit_test(test_sticky),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
