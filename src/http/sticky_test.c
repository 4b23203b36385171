/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sessions of requests, from the words in a file to the lines in an answer: who is new, held,
 * moved, what is said to browsers, what is kept from applications. What needs facts (a member that
 * is down) is in tests/system.
 */

#include "http/sticky.h"

#include "base/mem.h"
#include "conf/memory.h"
#include "core/module.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a module with routes and a word sticky ---- */

struct front_conf {
    struct conf_object object;
    struct routes routes;
    struct sticky_conf *sticky;
};

static int read_route(struct conf_load *load, const struct conf_stmt *stmt, void *self)
{
    struct front_conf *conf = self;
    return routes_parse(&conf->routes, load, stmt);
}

static const struct conf_word front_words[] = {
    {.name = "route", .type = CONF_CUSTOM, .flags = CONF_REPEAT, .custom = read_route},
    {.name = "sticky",
     .type = CONF_BLOCK,
     .offset = offsetof(struct front_conf, sticky),
     .block = &sticky_block},
    {0},
};

static int check_front(struct snapshot *snap, void *self, struct conf_load *load)
{
    struct front_conf *conf = self;
    if (conf->sticky && sticky_check(conf->sticky, false, load) < 0)
        return -1;
    return routes_check(&conf->routes, snap, load);
}

static const struct module front_module = {
    .name = "front",
    .words = front_words,
    .conf_size = sizeof(struct front_conf),
    .check = check_front,
};

static const struct module *const modules[] = {&pool_module, &front_module};
static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};

static const char secret_a[] = "an old secret that nobody could guess, ever\n";
static const char secret_ab[] = "another one that nobody could guess, either\n"
                                "an old secret that nobody could guess, ever\n";
static const char secret_b[] = "another one that nobody could guess, either\n";

struct scene {
    struct text file;
    struct snapshot *snap;
    struct conf_diag *diag;
    const struct front_conf *conf;
    struct sticky_keys keys;
    int rc;
};

static void load(struct scene *scene, const char *sticky)
{
    memset(scene, 0, sizeof(*scene));
    text_printf(&scene->file,
                "pool web { member a 10.0.0.1:1; member b 10.0.0.1:2; member c 10.0.0.1:3 }\n"
                "pool next { member a 10.0.0.2:1; member d 10.0.0.2:2 }\n"
                "route path /s split web 50%% next 50%%\n"
                "route pool web\n"
                "%s\n",
                sticky);
    struct conf_host host = conf_memory_host(scene->file.ptr);
    struct snapshot_options options = {.path = "t.weir", .host = &host, .generation = 1};
    options.n_loops = 1;
    scene->rc = snapshot_load(&table, &options, &scene->snap, &scene->diag);
    scene->conf = snapshot_conf(scene->snap, &front_module);
    sticky_keys_init(&scene->keys, slice_from(secret_a));
}

static void unload(struct scene *scene)
{
    sticky_keys_deinit(&scene->keys);
    snapshot_unref(&scene->snap);
    text_deinit(&scene->file);
}

/* A request and what became of it. */
struct turn {
    char buf[2048];
    struct h1_head head;
    struct addr peer;
    struct sticky sticky;
    struct pool *pool;
};

static const struct pool *begin(struct turn *turn, const struct scene *scene, const char *path,
                                const char *fields, uint64_t now_s, uint32_t draw)
{
    enum h1_error error;
    int len = snprintf(turn->buf, sizeof(turn->buf), "GET %s HTTP/1.1\r\nHost: x.org\r\n%s\r\n",
                       path, fields);
    h1_head_reset(&turn->head);
    assert_int_equal(
        h1_parse_request(turn->buf, (size_t)len, &h1_limits_default, &turn->head, &error), len);
    assert_int_equal(addr_parse(SLICE("192.0.2.1:1000"), &turn->peer, NULL), 0);
    const struct sticky_ask ask = {.conf = scene->conf->sticky,
                                   .keys = &scene->keys,
                                   .head = &turn->head,
                                   .buf = turn->buf,
                                   .peer = &turn->peer,
                                   .now_s = now_s,
                                   .draw = draw};
    const struct route *route =
        routes_match(&scene->conf->routes, &turn->head, turn->buf, &turn->peer);
    turn->pool = sticky_begin(&ask, route, &turn->sticky);
    return turn->pool;
}

/* The field "Cookie: WEIR=..." that a browser sends after the answer of that member. */
static const char *answered(struct turn *turn, const struct scene *scene, uint32_t member,
                            uint64_t now_s)
{
    static char field[STICKY_LINES_MAX];
    char lines[STICKY_LINES_MAX];
    size_t n = sticky_lines(&turn->sticky, scene->conf->sticky, &scene->keys,
                            turn->pool->members[member], now_s, false, lines);
    if (n == 0)
        return NULL;
    struct slice rest = slice_skip(slice_make(lines, n), strlen("Set-Cookie: "));
    struct slice pair = slice_cut(&rest, ';');
    snprintf(field, sizeof(field), "Cookie: other=1; %.*s; last=\"x\"\r\n", SLICE_ARG(pair));
    return field;
}

/* ---- a client's life ---- */

static void test_client(void **state)
{
    (void)state;
    struct scene scene;
    struct turn turn;
    load(&scene, "sticky cookie WEIR");
    assert_int_equal(scene.rc, 0);
    begin(&turn, &scene, "/", "Cookie: WEIRD=1\r\n", 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_NEW);
    assert_null(turn.sticky.member);
    const char *cookie = answered(&turn, &scene, 1, 1000);
    /* Held, and not told again: by the member that is named, whatever the draw. */
    begin(&turn, &scene, "/", cookie, 2000, 0);
    assert_int_equal(turn.sticky.state, STICKY_HELD);
    assert_ptr_equal(turn.sticky.member, turn.pool->members[1]);
    assert_false(sticky_picked(&turn.sticky, turn.pool->members[1]));
    assert_null(answered(&turn, &scene, 1, 2000));
    /* Its member cannot: another takes it, the application hears of it, the cookie follows. */
    assert_true(sticky_picked(&turn.sticky, turn.pool->members[2]));
    assert_int_equal(turn.sticky.state, STICKY_MOVED);
    cookie = answered(&turn, &scene, 2, 2000);
    assert_non_null(cookie);
    begin(&turn, &scene, "/", cookie, 3000, 0);
    assert_ptr_equal(turn.sticky.member, turn.pool->members[2]);
    assert_int_equal(turn.sticky.born_s, 1000); /* the same session */
    unload(&scene);
}

/* The member is not in the file any more. */
static void test_gone(void **state)
{
    (void)state;
    struct scene scene;
    struct turn turn;
    load(&scene, "sticky cookie WEIR");
    struct member old = {.name = SLICE("old"), .pool = pool_find(scene.snap, SLICE("web"))};
    struct member *members[] = {&old};
    struct pool pool = {.name = SLICE("web"), .members = members, .n_members = 1};
    begin(&turn, &scene, "/", "", 1000, 0);
    turn.pool = &pool;
    const char *cookie = answered(&turn, &scene, 0, 1000);
    begin(&turn, &scene, "/", cookie, 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_GONE);
    assert_null(turn.sticky.member);
    assert_true(sticky_picked(&turn.sticky, turn.pool->members[0]));
    assert_non_null(answered(&turn, &scene, 0, 1000));
    unload(&scene);
}

static void test_ages(void **state)
{
    (void)state;
    struct scene scene;
    struct turn turn;
    load(&scene, "sticky cookie WEIR idle 800s life 1h");
    begin(&turn, &scene, "/", "", 10000, 0);
    char first[STICKY_LINES_MAX];
    snprintf(first, sizeof(first), "%s", answered(&turn, &scene, 0, 10000));
    begin(&turn, &scene, "/", first, 10100, 0);
    assert_null(answered(&turn, &scene, 0, 10100)); /* fresh enough */
    begin(&turn, &scene, "/", first, 10700, 0);
    assert_int_equal(turn.sticky.state, STICKY_HELD);
    const char *second = answered(&turn, &scene, 0, 10700); /* worn: a new one */
    assert_non_null(second);
    begin(&turn, &scene, "/", second, 11400, 0);
    assert_int_equal(turn.sticky.state, STICKY_HELD);
    begin(&turn, &scene, "/", first, 11400, 0);
    assert_int_equal(turn.sticky.state, STICKY_EXPIRED);
    assert_null(turn.sticky.member);
    begin(&turn, &scene, "/", second, 13600, 0); /* an hour after the first answer */
    assert_int_equal(turn.sticky.state, STICKY_EXPIRED);
    assert_false(sticky_picked(&turn.sticky, turn.pool->members[1]));
    assert_non_null(answered(&turn, &scene, 1, 13600));
    unload(&scene);
}

/* ---- what is not believed ---- */

static void test_not_believed(void **state)
{
    (void)state;
    struct scene scene, other;
    struct turn turn;
    char cookie[STICKY_LINES_MAX], forged[STICKY_LINES_MAX];
    load(&scene, "sticky cookie WEIR");
    begin(&turn, &scene, "/", "", 1000, 0);
    snprintf(cookie, sizeof(cookie), "%s", answered(&turn, &scene, 1, 1000));
    snprintf(forged, sizeof(forged), "%s", cookie);
    *(strchr(forged, ';') + 20) ^= 1;
    begin(&turn, &scene, "/", forged, 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_FORGED);
    assert_non_null(answered(&turn, &scene, 1, 1000)); /* replaced */
    begin(&turn, &scene, "/", "Cookie: WEIR=b\r\n", 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_FORGED);
    /* One that was planted beside the own one changes nothing, up to a bound. */
    char both[2 * STICKY_LINES_MAX];
    snprintf(both, sizeof(both), "Cookie: WEIR=x; WEIR=y; WEIR=z\r\n%s", cookie);
    begin(&turn, &scene, "/", both, 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_HELD);
    snprintf(both, sizeof(both), "Cookie: WEIR=x; WEIR=y; WEIR=z; WEIR=q\r\n%s", cookie);
    begin(&turn, &scene, "/", both, 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_FORGED);
    /* A change of the secret: the new one first, the old one below it, then gone. */
    load(&other, "sticky cookie WEIR");
    sticky_keys_deinit(&other.keys);
    sticky_keys_init(&other.keys, slice_from(secret_ab));
    begin(&turn, &other, "/", cookie, 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_HELD);
    sticky_keys_deinit(&other.keys);
    sticky_keys_init(&other.keys, slice_from(secret_b));
    begin(&turn, &other, "/", cookie, 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_NO_KEY);
    unload(&other);
    unload(&scene);
}

/* ---- sides of a split ---- */

static void test_split(void **state)
{
    (void)state;
    struct scene scene;
    struct turn turn;
    load(&scene, "sticky cookie WEIR");
    const struct pool *web = pool_find(scene.snap, SLICE("web"));
    const struct pool *next = pool_find(scene.snap, SLICE("next"));
    assert_ptr_equal(begin(&turn, &scene, "/s", "", 1000, 0), web);
    assert_ptr_equal(begin(&turn, &scene, "/s", "", 1000, UINT32_MAX), next);
    const char *cookie = answered(&turn, &scene, 0, 1000);
    /* Its side whatever the draw, though web has a member of that name as well. */
    for (uint32_t draw = 0; draw < 16; draw++)
        assert_ptr_equal(begin(&turn, &scene, "/s", cookie, 1000, draw << 28), next);
    assert_int_equal(turn.sticky.state, STICKY_HELD);
    begin(&turn, &scene, "/", cookie, 1000, 0); /* a pool that it says nothing about */
    assert_int_equal(turn.sticky.state, STICKY_FORGED);
    unload(&scene);
}

static void test_keys(void **state)
{
    (void)state;
    struct scene scene;
    struct turn turn;
    load(&scene, "sticky header X-User");
    const struct pool *web = pool_find(scene.snap, SLICE("web"));
    uint32_t n_web = 0;
    for (int i = 0; i < 1000; i++) {
        char field[32];
        snprintf(field, sizeof(field), "X-User: %d\r\n", i);
        const struct pool *side = begin(&turn, &scene, "/s", field, 1000, 0);
        uint64_t key = turn.sticky.key;
        assert_ptr_equal(begin(&turn, &scene, "/s", field, 2000, UINT32_MAX), side);
        assert_true(turn.sticky.has_key && turn.sticky.key == key);
        assert_int_equal(turn.sticky.state, STICKY_HELD);
        assert_null(answered(&turn, &scene, 0, 1000));
        n_web += side == web;
    }
    assert_in_range(n_web, 400, 600);
    begin(&turn, &scene, "/s", "", 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_OFF);
    unload(&scene);
    load(&scene, "sticky source");
    begin(&turn, &scene, "/", "", 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_HELD);
    unload(&scene);
    load(&scene, "");
    begin(&turn, &scene, "/", "Cookie: WEIR=1\r\n", 1000, 0);
    assert_int_equal(turn.sticky.state, STICKY_OFF);
    unload(&scene);
}

/* ---- lines ---- */

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *sticky;
        bool is_tls;
        const char *attributes;
    } rows[] = {
        {"sticky cookie WEIR", false, "; Path=/; HttpOnly; SameSite=Lax\r\n"},
        {"sticky cookie WEIR", true, "; Path=/; HttpOnly; SameSite=Lax; Secure\r\n"},
        {"sticky cookie W same-site strict domain x.org", true,
         "; Path=/; HttpOnly; SameSite=Strict; Secure; Domain=x.org\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene scene;
        struct turn turn;
        char lines[STICKY_LINES_MAX];
        load(&scene, rows[i].sticky);
        begin(&turn, &scene, "/", "", 1000, 0);
        size_t n = sticky_lines(&turn.sticky, scene.conf->sticky, &scene.keys,
                                turn.pool->members[0], 1000, rows[i].is_tls, lines);
        struct slice rest = slice_make(lines, n);
        slice_cut(&rest, ';');
        char want[160];
        snprintf(want, sizeof(want), "%sCache-Control: private\r\n", rows[i].attributes + 1);
        if (!slice_is(rest, want))
            fail_msg("%.*s", (int)n, lines);
        unload(&scene);
    }
}

static void test_strip(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        const char *rest; /* NULL: nothing is changed */
    } rows[] = {
        {"", NULL},
        {"Cookie: a=b\r\n", NULL},
        {"X: WEIR=b\r\n", NULL},
        {"Cookie: WEIR=b\r\n", ""},
        {"Cookie: a=b; WEIR=c; d=e\r\n", "Cookie: a=b; d=e\r\n"},
        {"Cookie: a=b\r\ncookie: WEIR=c\r\nCookie: d=e; WEIR=f\r\n",
         "Cookie: a=b\r\nCookie: d=e\r\n"},
    };
    struct scene scene;
    struct turn turn;
    load(&scene, "sticky cookie WEIR");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[2048];
        size_t len;
        begin(&turn, &scene, "/", rows[i].fields, 1000, 0);
        bool is_changed = sticky_strip(scene.conf->sticky, &turn.head, turn.buf, out, &len);
        assert_int_equal(is_changed, rows[i].rest != NULL);
        if (is_changed && !slice_is(slice_make(out, len), rows[i].rest))
            fail_msg("%s: %.*s", rows[i].fields, (int)len, out);
    }
    unload(&scene);
}

/* ---- mistakes ---- */

static const struct {
    const char *sticky;
    const char *text;
    uint32_t column;
} mistakes[] = {
    {"sticky", "sticky has no by", 1},
    {"sticky cookie", "the cookie needs its name", 8},
    {"sticky header", "the header needs its name", 8},
    {"sticky source x", "a client's address has no name", 15},
    {"sticky source idle 1h", "\"idle\" belongs to a cookie", 15},
    {"sticky header X-User domain x.org", "\"domain\" belongs to a cookie", 22},
    {"sticky cookie W domain \"a;b\"", "\"a;b\" is not a domain", 17},
    {"sticky cookie W domain \"a b\"", "\"a b\" is not a domain", 17},
    {"sticky cookie W idle 2h life 1h", "a session cannot be idle for longer than it lives", 17},
    {"sticky cookie W same-site none", "browsers take a cookie with same-site none over TLS alone",
     17},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        struct scene scene;
        load(&scene, mistakes[i].sticky);
        const struct conf_diag_item *item = &scene.diag->items[0];
        if (scene.rc != -1 || scene.diag->n_items != 1)
            fail_msg("%s: %zu mistakes", mistakes[i].sticky, scene.diag->n_items);
        if (strcmp(item->text, mistakes[i].text) != 0 || item->at.line != 5 ||
            item->at.column != mistakes[i].column)
            fail_msg("%s: %u:%u: %s", mistakes[i].sticky, item->at.line, item->at.column,
                     item->text);
        unload(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client),   cmocka_unit_test(test_gone),
        cmocka_unit_test(test_ages),     cmocka_unit_test(test_not_believed),
        cmocka_unit_test(test_split),    cmocka_unit_test(test_keys),
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_strip),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
