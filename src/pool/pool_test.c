/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pools from their sentences in a file: defaults, what is refused and where, finding one by name;
 * and a member as a reader of the board sees it.
 */

#include "conf/memory.h"
#include "pool/pool.h"

#include "base/mem.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a module that refers to pools ---- */

struct use_conf {
    struct conf_object object;
    struct conf_ref use;
    struct pool *pool; /* filled by check() */
};

static const struct conf_word use_words[] = {
    {.name = "use", .type = CONF_REF, .offset = offsetof(struct use_conf, use)},
    {0},
};

static int use_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    struct use_conf *conf = self;
    if (!conf->use.name.len)
        return 0;
    conf->pool = pool_resolve(snap, &conf->use, load);
    return conf->pool ? 0 : -1;
}

static const struct module use_module = {
    .name = "use",
    .words = use_words,
    .conf_size = sizeof(struct use_conf),
    .check = use_check,
};

static const struct module *const modules[] = {&pool_module, &use_module};
static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};

struct scene {
    char *file;
    struct snapshot *snap;
    struct conf_diag *diag;
    int rc;
};

static void load(struct scene *scene, const char *file)
{
    *scene = (struct scene){.file = mem_strdup(file)};
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

/* Loads what must be fine. */
static void load_well(struct scene *scene, const char *file)
{
    load(scene, file);
    if (scene->rc == 0)
        return;
    struct text said = TEXT_NONE;
    conf_diag_print(scene->diag, &said);
    print_error("%s", said.ptr);
    fail();
}

/* ---- values ---- */

static void test_defaults(void **state)
{
    (void)state;
    struct scene scene;
    load_well(&scene, "pool web { check http; member a 10.0.0.1:80 }");
    const struct pool *pool = pool_find(scene.snap, SLICE("web"));
    assert_non_null(pool);
    const struct check_conf *check = pool->check;
    assert_int_equal(check->kind, CHECK_HTTP);
    assert_true(slice_is(check->path, "/"));
    assert_true(slice_is(check->method, "GET"));
    assert_int_equal(check->host.len, 0);
    assert_int_equal(check->expect.low, 200);
    assert_int_equal(check->expect.high, 399);
    assert_int_equal(check->every_ms, 2000);
    assert_int_equal(check->timeout_ms, 1000);
    assert_int_equal(check->fall, 3);
    assert_int_equal(check->rise, 2);
    assert_int_equal(pool->balance.method, POOL_ROUND_ROBIN);
    assert_int_equal(pool->max_connections, 0);
    assert_int_equal(pool->queue.max, 1000);
    assert_int_equal(pool->queue.timeout_ms, 5000);
    assert_int_equal(pool->n_members, 1);
    const struct member *member = pool->members[0];
    assert_int_equal(member->weight, 1);
    assert_ptr_equal(member->pool, pool);
    assert_string_equal(member->fact, "member:web/a");
    assert_string_equal(member->label, "web/a");
    assert_null(member->address_fact);
    assert_string_equal(pool->fact, "pool:web");
    unload(&scene);
}

struct balance_row {
    const char *text;
    int method;
    enum pool_key key;
    const char *key_name;
    int64_t bound;
};

static const struct balance_row balance_rows[] = {
    {"", POOL_ROUND_ROBIN, POOL_KEY_NONE, "", 0},
    {"balance round-robin", POOL_ROUND_ROBIN, POOL_KEY_NONE, "", 0},
    {"balance least-load", POOL_LEAST_LOAD, POOL_KEY_NONE, "", 0},
    {"balance latency", POOL_LATENCY, POOL_KEY_NONE, "", 0},
    {"balance random", POOL_RANDOM, POOL_KEY_NONE, "", 0},
    {"balance first", POOL_FIRST, POOL_KEY_NONE, "", 0},
    {"balance hash source", POOL_HASH, POOL_KEY_SOURCE, "", 0},
    {"balance hash header X-User bound 125%", POOL_HASH, POOL_KEY_HEADER, "X-User", 125},
    {"balance hash { cookie sid; bound 200% }", POOL_HASH, POOL_KEY_COOKIE, "sid", 200},
    {"balance hash path", POOL_HASH, POOL_KEY_PATH, "", 0},
    {"balance hash query user[id]", POOL_HASH, POOL_KEY_QUERY, "user[id]", 0},
};

static void test_balance(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(balance_rows); i++) {
        const struct balance_row *row = &balance_rows[i];
        struct scene scene;
        char text[256];
        snprintf(text, sizeof(text), "pool web { member a 10.0.0.1:80\n%s }", row->text);
        load_well(&scene, text);
        const struct balance_conf *balance = &pool_find(scene.snap, SLICE("web"))->balance;
        assert_int_equal(balance->method, row->method);
        assert_int_equal(balance->key, row->key);
        assert_true(slice_is(balance->key_name, row->key_name));
        assert_int_equal(balance->bound, row->bound);
        unload(&scene);
    }
}

/* A sentence is supplied whole or not at all: nobody's `random` is by a source. */
static void test_balance_of_defaults(void **state)
{
    (void)state;
    struct scene scene;
    load_well(&scene, "defaults { pool { balance hash source bound 150%; queue 9 timeout 1s } }\n"
                      "pool a { member a 10.0.0.1:80; balance random; queue 10 }\n"
                      "pool b { member a 10.0.0.2:80 }\n");
    const struct pool *pool = pool_find(scene.snap, SLICE("a"));
    assert_int_equal(pool->balance.method, POOL_RANDOM);
    assert_int_equal(pool->balance.bound, 0);
    assert_int_equal(pool->queue.max, 10);
    assert_int_equal(pool->queue.timeout_ms, 5000);
    pool = pool_find(scene.snap, SLICE("b"));
    assert_int_equal(pool->balance.method, POOL_HASH);
    assert_int_equal(pool->balance.bound, 150);
    assert_int_equal(pool->queue.timeout_ms, 1000);
    unload(&scene);
}

/* What a member does not say the pool says for it. */
static void test_limits_of_members(void **state)
{
    (void)state;
    struct scene scene;
    load_well(&scene, "pool web { max-connections 20; slow-start 30s; queue 7 timeout 2s\n"
                      "    member a 10.0.0.1:80 backup\n"
                      "    member b 10.0.0.2:80 max-connections 5 slow-start 0s }\n");
    const struct pool *pool = pool_find(scene.snap, SLICE("web"));
    assert_int_equal(pool->queue.max, 7);
    assert_int_equal(pool->queue.timeout_ms, 2000);
    assert_true(pool->members[0]->is_backup);
    assert_int_equal(pool->members[0]->max_connections, 20);
    assert_int_equal(pool->members[0]->slow_start_ms, 30000);
    assert_false(pool->members[1]->is_backup);
    assert_int_equal(pool->members[1]->max_connections, 5);
    assert_int_equal(pool->members[1]->slow_start_ms, 0);
    unload(&scene);
}

static void test_values(void **state)
{
    (void)state;
    struct scene scene;
    load_well(&scene, "pool web {\n"
                      "    check http path /up?deep method HEAD host shop.example expect 204 "
                      "every 500ms timeout 200ms fall 1 rise 5\n"
                      "    member a 10.0.0.1:80 weight 7\n"
                      "    member b app2.internal:81\n"
                      "    member c unix:/run/app.sock\n"
                      "}\n"
                      "pool bare { member a [::1]:80 }\n");
    const struct pool_conf *conf = pool_conf_of(scene.snap);
    assert_int_equal(conf->n_pools, 2);
    const struct pool *web = conf->pools[0];
    assert_int_equal(web->index, 0);
    assert_int_equal(web->check->every_ms, 500);
    assert_int_equal(web->check->timeout_ms, 200);
    assert_int_equal(web->check->expect.low, 204);
    assert_int_equal(web->check->expect.high, 204);
    assert_int_equal(web->n_members, 3);
    assert_int_equal(web->members[0]->weight, 7);
    assert_string_equal(web->members[1]->address_fact, "address:web/b");
    assert_true(slice_is(web->members[1]->endpoint.host, "app2.internal"));
    assert_int_equal(web->members[1]->endpoint.port, 81);
    assert_int_equal(web->members[2]->index, 2);
    assert_null(conf->pools[1]->check);
    unload(&scene);
}

/* Nobody asked for a time-out that is longer than the interval. */
static void test_timeout_follows_every(void **state)
{
    (void)state;
    struct scene scene;
    load_well(&scene, "pool web { check tcp every 300ms; member a 10.0.0.1:80 }");
    assert_int_equal(pool_find(scene.snap, SLICE("web"))->check->timeout_ms, 300);
    unload(&scene);
}

/* ---- what is said ---- */

static const struct {
    const char *file;
    const char *says[3]; /* pieces of the text */
} mistakes[] = {
    {"pool web { }", {"member"}},
    {"pool web { member a }", {"1:12", "has no address"}},
    {"pool web { member a 10.0.0.1:80; member a 10.0.0.2:80 }", {"a"}},
    {"pool web { member a 10.0.0.1:80 }\npool web { member a 10.0.0.1:80 }", {"web"}},
    {"pool web { member a 10.0.0.1:80 wieght 2 }", {"wieght", "did you mean", "weight"}},
    {"pool web { member a 10.0.0.1:80 weight 0 }", {"1:40", "weight"}},
    {"pool web { member a 10.0.0.1:80 weight 257 }", {"256"}},
    {"pool web { member a 10.0.0.1:80\ncheck tcp path /x }", {"2:11", "a tcp check", "path"}},
    {"pool web { member a 10.0.0.1:80\ncheck tcp expect 200 }", {"a tcp check", "expect"}},
    {"pool web { member a 10.0.0.1:80\ncheck http path x }", {"2:12", "begins with /"}},
    {"pool web { member a 10.0.0.1:80\ncheck http path \"/a b\" }", {"begins with /"}},
    {"pool web { member a 10.0.0.1:80\ncheck http method \"GE T\" }", {"is no method", "GET"}},
    {"pool web { member a 10.0.0.1:80\ncheck http method CONNECT }", {"cannot CONNECT"}},
    {"pool web { member a 10.0.0.1:80\ncheck http host \"a\\nb\" }", {"a Host field has"}},
    {"pool web { member a 10.0.0.1:80\ncheck http every 1s timeout 2s }",
     {"2:", "timeout is longer than every"}},
    {"pool web { member a 10.0.0.1:80\ncheck tcp every 10ms }", {"50ms"}},
    {"pool web { member a 10.0.0.1:80\ncheck exec }", {"exec"}},
    {"pool web { member a 10.0.0.1:80\nbalance least-load source }", {"only hash", "source"}},
    {"pool web { member a 10.0.0.1:80\nbalance hash }", {"no part of the request"}},
    {"pool web { member a 10.0.0.1:80\nbalance hash path source }", {"one part"}},
    {"pool web { member a 10.0.0.1:80\nbalance hash header \"a b\" }", {"no name of a header"}},
    {"pool web { member a 10.0.0.1:80\nbalance hash path bound 100% }", {"small"}},
    {"pool web { member a 10.0.0.1:80\nbalance bound 150% }", {"only hash"}},
    {"pool web { member a 10.0.0.1:80 max-connections 0 }", {"small"}},
    {"pool web { member a 10.0.0.1:80\nbalance round }", {"round"}},
    {"pool web { member a 10.0.0.1:80\nfail-open }", {"fail-open"}},
    {"pool web { member a 10.0.0.1:80 }\nuse wab", {"2:5", "no pool \"wab\"", "\"web\""}},
    {"use web", {"no pool \"web\"", "pool web { member"}},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        struct scene scene;
        struct text said = TEXT_NONE;
        load(&scene, mistakes[i].file);
        conf_diag_print(scene.diag, &said);
        bool is_as_said = scene.rc < 0;
        for (size_t k = 0; k < ARRAY_LEN(mistakes[i].says) && mistakes[i].says[k]; k++)
            is_as_said = is_as_said && strstr(text_cstr(&said), mistakes[i].says[k]);
        if (!is_as_said) {
            print_error("%s\n%s", mistakes[i].file, text_cstr(&said));
            fail();
        }
        text_deinit(&said);
        unload(&scene);
    }
}

static void test_twins(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        size_t n_warnings;
    } rows[] = {
        {"pool web { member a 10.0.0.1:80; member b 10.0.0.1:80 }", 1},
        {"pool web { member a 10.0.0.1:80; member b 10.0.0.1:81 }", 0},
        {"pool web { member a App.x:80; member b app.X:80; member c app.x:81 }", 1},
        {"pool web { member a 10.0.0.1:80 }\npool other { member b 10.0.0.1:80 }", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene scene;
        load_well(&scene, rows[i].file);
        assert_int_equal(scene.diag->n_warnings, rows[i].n_warnings);
        unload(&scene);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct text file = TEXT_NONE;
    struct scene scene;
    text_printf(&file, "pool web {\n");
    for (int i = 0; i <= POOL_MEMBERS_MAX; i++)
        text_printf(&file, "member m%d 10.0.%d.%d:80\n", i, i / 250, i % 250);
    text_printf(&file, "}\n");
    load(&scene, file.ptr);
    assert_true(scene.rc < 0);
    unload(&scene);

    text_clear(&file);
    for (int i = 0; i <= POOLS_MAX; i++)
        text_printf(&file, "pool p%d { member a 10.0.0.1:80 }\n", i);
    load(&scene, file.ptr);
    assert_true(scene.rc < 0);
    unload(&scene);
    text_deinit(&file);
}

/* ---- finding ---- */

static void test_find(void **state)
{
    (void)state;
    struct scene scene;
    load_well(&scene, "pool web { member a 10.0.0.1:80 }\npool api { member a 10.0.0.2:80 }\n"
                      "pool static { member a 10.0.0.3:80 }\nuse api\n");
    static const char *const names[] = {"web", "api", "static"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct pool *pool = pool_find(scene.snap, slice_from(names[i]));
        assert_non_null(pool);
        assert_true(slice_is(pool->name, names[i]));
        assert_int_equal(pool->index, i);
    }
    assert_null(pool_find(scene.snap, SLICE("we")));
    assert_null(pool_find(scene.snap, SLICE("")));
    const struct use_conf *use = snapshot_conf(scene.snap, &use_module);
    assert_true(slice_is(use->pool->name, "api"));
    unload(&scene);

    load_well(&scene, "");
    assert_null(pool_find(scene.snap, SLICE("web")));
    unload(&scene);
}

/* ---- a member on the board ---- */

struct sight {
    struct scene scene;
    struct board *board;
    struct member_view named, plain;
};

static void sight_init(struct sight *sight)
{
    static const char *const names[] = {"health"};
    struct board_fds fds;
    load_well(&sight->scene, "pool web { member a 10.0.0.1:80; member b app2.internal:81 }");
    assert_int_equal(board_make(names, 1, &fds, NULL), 0);
    assert_int_equal(board_open(&fds, 0, &sight->board, NULL), 0);
    board_fds_close(&fds);
    const struct pool *pool = pool_find(sight->scene.snap, SLICE("web"));
    member_view_init(&sight->plain, pool->members[0], sight->board);
    member_view_init(&sight->named, pool->members[1], sight->board);
}

static void sight_deinit(struct sight *sight)
{
    board_close(&sight->board);
    unload(&sight->scene);
}

static void tell(struct sight *sight, const char *name, enum fact_state state, const char *reason)
{
    assert_int_equal(board_state(sight->board, name, state, 1, reason, 1), 0);
    member_view_update(&sight->named, sight->board);
    member_view_update(&sight->plain, sight->board);
}

static void test_view_of_state(void **state)
{
    (void)state;
    struct sight sight;
    sight_init(&sight);
    assert_true(member_is_usable(&sight.plain, sight.board)); /* health has said nothing yet */
    static const struct {
        enum fact_state state;
        bool is_usable;
    } rows[] = {
        {FACT_UNKNOWN, true},   {FACT_UP, true}, {FACT_DOWN, false},
        {FACT_DRAINING, false}, {FACT_UP, true}, {FACT_FAILED, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tell(&sight, "member:web/a", rows[i].state, "so it is");
        assert_int_equal(member_is_usable(&sight.plain, sight.board), rows[i].is_usable);
    }
    board_remove(sight.board, "member:web/a", 1);
    assert_true(member_is_usable(&sight.plain, sight.board));
    sight_deinit(&sight);
}

static void test_view_of_address(void **state)
{
    (void)state;
    struct sight sight;
    char text[ADDR_TEXT_MAX];
    sight_init(&sight);
    assert_int_equal(sight.named.addr.len, 0);
    assert_false(member_is_usable(&sight.named, sight.board));
    static const struct {
        enum fact_state state;
        const char *reason, *addr;
    } rows[] = {
        {FACT_UNKNOWN, "not resolved yet", "none"},
        {FACT_DOWN, "no such name", "none"},
        {FACT_RESOLVED, "10.0.0.2:81", "10.0.0.2:81"},
        {FACT_UNKNOWN, "10.0.0.3:81", "10.0.0.2:81"}, /* on its way to the next one */
        {FACT_RESOLVED, "10.0.0.3:81", "10.0.0.3:81"},
        {FACT_RESOLVED, "10.0.0.3:81 (no answer from DNS)", "10.0.0.3:81"},
        {FACT_RESOLVED, "[fd00::1]:81", "[fd00::1]:81"},
        {FACT_RESOLVED, "nonsense", "[fd00::1]:81"},
        {FACT_DOWN, "no such name", "[fd00::1]:81"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tell(&sight, "address:web/b", rows[i].state, rows[i].reason);
        assert_string_equal(addr_format(&sight.named.addr, text), rows[i].addr);
    }
    assert_true(member_is_usable(&sight.named, sight.board));
    tell(&sight, "member:web/b", FACT_DOWN, "connection refused");
    assert_false(member_is_usable(&sight.named, sight.board));
    sight_deinit(&sight);
}

/* ---- metrics ---- */

/* Every word of the row is described once, and nothing beyond it. */
static void test_metrics_cover_all_words(void **state)
{
    (void)state;
    bool is_seen[MEMBER_WORDS] = {false};
    for (const struct metric_def *def = member_metrics.defs; def->name; def++) {
        uint32_t n = def->type == METRIC_HISTOGRAM ? METRIC_HIST_WORDS : 1;
        assert_true(def->word + n <= MEMBER_WORDS);
        for (uint32_t i = 0; i < n; i++) {
            assert_false(is_seen[def->word + i]);
            is_seen[def->word + i] = true;
        }
    }
    for (size_t i = 0; i < MEMBER_WORDS; i++)
        assert_true(is_seen[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_balance_of_defaults),
        cmocka_unit_test(test_limits_of_members),
        cmocka_unit_test(test_timeout_follows_every),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_view_of_state),
        cmocka_unit_test(test_view_of_address),
        cmocka_unit_test(test_metrics_cover_all_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
