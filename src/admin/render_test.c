/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three forms of a view against golden files in tests/admin: a real board with facts and
 * tallies from two processes, and names and reasons that try to break out of each form.
 */
#include "admin/render.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SUPERVISOR, EDGE, HEALTH, N_SEGMENTS };
enum { T_REQUESTS, T_OK, T_BAD, T_ACTIVE, T_LATENCY, T_WORDS = T_LATENCY + METRIC_HIST_WORDS };

static const uint64_t wall_ns = 1764000000123000000;

static const struct metric_def listen_defs[] = {
    {.name = "requests", .word = T_REQUESTS, .help = "Requests \"begun\"."},
    {.name = "responses",
     .word = T_OK,
     .label = "class",
     .label_value = "2xx",
     .help = "By class."},
    {.name = "active", .type = METRIC_GAUGE, .word = T_ACTIVE, .help = "Now."},
    {.name = "responses",
     .word = T_BAD,
     .label = "class",
     .label_value = "5xx",
     .help = "By class."},
    {.name = "request_seconds",
     .type = METRIC_HISTOGRAM,
     .word = T_LATENCY,
     .scale = 1e-6,
     .help = "From head to end."},
    {0},
};
static const struct metric_table listen_table = {
    .name = "listen", .labels = {"listen"}, .n_words = T_WORDS, .defs = listen_defs};

static const struct metric_def pair_defs[] = {
    {.name = "sent_bytes", .word = 0, .help = "Bytes."},
    {.name = "busy_seconds", .word = 1, .scale = 1e-9, .help = "Busy."},
    {0},
};
static const struct metric_table pair_table = {
    .name = "pair", .labels = {"pool", "member"}, .n_words = 2, .defs = pair_defs};

static const struct metric_table *const tables[] = {&listen_table, &pair_table, NULL};
static const struct module module = {.name = "test", .metrics = tables};
static const struct module *const modules[] = {&module};
static const struct module_table module_table = {modules, 1};

struct world {
    struct board_fds fds;
    struct board *edge, *health;
    struct arena arena;
    struct tallies tallies;
    struct view view;
};

static void world_count(struct world *world)
{
    struct metric_slab *listen = metric_open(world->edge, &listen_table, "shop", 2, true);
    for (uint32_t loop = 0; loop < 2; loop++) {
        metric_word *row = metric_row(listen, loop);
        metric_add(row, T_REQUESTS, 10 + loop);
        metric_add(row, T_OK, 10);
        metric_add(row, T_BAD, loop);
        metric_add(row, T_ACTIVE, 3);
        metric_observe(row, T_LATENCY, 100);
        metric_observe(row, T_LATENCY, 2000000);
    }
    struct metric_slab *edge = metric_open(world->edge, &pair_table, "web/a", 1, true);
    struct metric_slab *health = metric_open(world->health, &pair_table, "web/a", 1, true);
    metric_add(metric_row(edge, 0), 0, 1000);
    metric_add(metric_row(edge, 0), 1, 1500000000);
    metric_add(metric_row(health, 0), 0, 1);
    metric_forget(listen);
    metric_forget(edge);
    metric_forget(health);
    tallies_init(&world->tallies, world->edge, &module_table, &world->arena);
}

static void world_view(struct world *world)
{
    static struct view_object listens[] = {
        {.name = "shop",
         .address = "0.0.0.0:80",
         .state = "serving",
         .reason = "",
         .since_ns = 1763999940123000000,
         .has_counters = true,
         .n_requests = 21,
         .n_failed = 1,
         .n_in_flight = 6,
         .rate = 12.3456},
        {.name = "admin:unix", .address = "unix:/s/admin.sock", .state = "unknown", .reason = ""},
    };
    static struct view_object members[] = {
        {.name = "a",
         .address = "10.0.0.1:80",
         .state = "up",
         .reason = "HTTP 200 in 1 ms",
         .since_ns = 1763900000000000000,
         .has_counters = true,
         .n_requests = 5,
         .n_in_flight = 1,
         .has_weight = true,
         .weight = 1},
        {.name = "b",
         .address = "<b>:80",
         .state = "down",
         .reason = "said \"</td><script>\" & left\n\xff",
         .since_ns = 1763999999000000000,
         .has_weight = true,
         .weight = 0,
         .is_weight_given = true,
         .forced = "draining",
         .drain = "3 in flight",
         .is_runtime = true},
    };
    static struct view_pool pools[] = {
        {"web", "degraded", "1/2 up", 1763999999000000000, members, 2, true, 12}};
    static struct conf_overlay_entry entries[] = {
        {.block = SLICE_INIT("web"),
         .name = SLICE_INIT("b"),
         .line = "member b \"<b>\":80",
         .is_in_force = true},
        {.block = SLICE_INIT("web"), .name = SLICE_INIT("x"), .line = "member x", .why = "lost"},
        {.block = SLICE_INIT("web"),
         .name = SLICE_INIT("c"),
         .line = "member c 10.0.0.3:80",
         .is_removal = true,
         .is_in_force = true},
    };
    static const struct conf_overlay overlay = {entries, ARRAY_LEN(entries)};
    static struct view_process processes[] = {
        {.name = "supervisor",
         .state = "up",
         .reason = "",
         .since_ns = 1763900000000000000,
         .has_usage = true,
         .usage = {"weir", 4096000, 0.25, 2, 1},
         .pid = 4242},
        {.name = "edge",
         .state = "up",
         .reason = "",
         .n_restarts = 1,
         .has_heartbeat = true,
         .heartbeat_age_s = 0.05,
         .answer = VIEW_ANSWERED,
         .answer_text =
             SLICE_INIT("{\"pid\":7,\"loops\":[{\"busy\":0.5,\"none\":null}],\"is\":true}")},
        {.name = "health",
         .state = "up",
         .reason = "",
         .has_heartbeat = true,
         .heartbeat_age_s = 4.5,
         .answer = VIEW_SILENT,
         .answer_text = SLICE_INIT("health did not answer within 1 s")},
        {.name = "dns",
         .state = "failed",
         .reason = "exit status 1",
         .answer = VIEW_ANSWERED,
         .answer_text = SLICE_INIT("nonsense")},
    };
    world->view = (struct view){
        .version = "0.1.0",
        .build = "1a2b3c",
        .node = "a",
        .state_dir = "/s",
        .file = "/etc/<shop>.weir",
        .generation = 3,
        .wall_ns = wall_ns,
        .uptime_s = 100000.5,
        .processes = processes,
        .n_processes = ARRAY_LEN(processes),
        .listens = listens,
        .n_listens = ARRAY_LEN(listens),
        .pools = pools,
        .n_pools = ARRAY_LEN(pools),
        .board = world->edge,
        .overlay = &overlay,
        .dropped = SLICE("one was lost\nand \"another\"\n"),
    };
}

static void world_init(struct world *world)
{
    static const char *const names[N_SEGMENTS] = {"supervisor", "edge", "health"};
    struct err err;
    *world = (struct world){.edge = NULL};
    assert_int_equal(board_make(names, N_SEGMENTS, &world->fds, &err), 0);
    assert_int_equal(board_open(&world->fds, EDGE, &world->edge, &err), 0);
    assert_int_equal(board_open(&world->fds, HEALTH, &world->health, &err), 0);
    board_state(world->edge, "listen:shop", FACT_SERVING, 0, "0.0.0.0:80", 1763999940123000000);
    board_state(world->health, "member:web/a", FACT_UP, 1, "HTTP 200 in 1 ms", 1763900000000000000);
    board_state(world->health, "member:web/\"b\\\n", FACT_DOWN, 0.5, "said \"no\"\n\xff",
                1763999999000000000);
    arena_init(&world->arena);
    world_count(world);
    world_view(world);
}

static void world_deinit(struct world *world)
{
    tallies_deinit(&world->tallies);
    arena_deinit(&world->arena);
    board_close(&world->edge);
    board_close(&world->health);
    board_fds_close(&world->fds);
}

/*
 * WEIR_GOLDEN=write puts what came out in the place of what was wanted, to be read and committed.
 */
static void check_golden(const char *path, const struct text *got)
{
    const char *mode = getenv("WEIR_GOLDEN");
    if (mode && strcmp(mode, "write") == 0) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fwrite(got->ptr, 1, got->len, file);
        fclose(file);
        return;
    }
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("no %s: the tests start in the root of the source tree", path);
    struct text want = TEXT_NONE;
    size_t n;
    while ((n = fread(text_reserve(&want, 4096), 1, 4096, file)) > 0)
        want.len += n;
    fclose(file);
    text_append(&want, SLICE("")); /* the NUL */
    assert_string_equal(text_cstr(got), text_cstr(&want));
    text_deinit(&want);
}

static void test_golden(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct text out = TEXT_NONE;
    render_metrics(&out, &world.view, &world.tallies);
    check_golden("tests/admin/metrics.txt", &out);
    text_clear(&out);
    render_status(&out, &world.view);
    check_golden("tests/admin/status.json", &out);
    text_clear(&out);
    render_facts(&out, &world.view);
    check_golden("tests/admin/facts.json", &out);
    text_clear(&out);
    render_page(&out, &world.view);
    check_golden("tests/admin/page.html", &out);
    text_deinit(&out);
    world_deinit(&world);
}

static void test_ages(void **state)
{
    (void)state;
    static const struct {
        uint64_t age_s;
        const char *want;
    } rows[] = {{0, "0 s"},    {119, "119 s"},   {120, "2 m"},    {7199, "119 m"},
                {7200, "2 h"}, {172799, "47 h"}, {172800, "2 d"}, {86400000, "1000 d"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text out = TEXT_NONE;
        text_age(&out, wall_ns, wall_ns - rows[i].age_s * 1000000000);
        assert_string_equal(text_cstr(&out), rows[i].want);
        text_deinit(&out);
    }
    struct text out = TEXT_NONE;
    text_age(&out, wall_ns, 0);
    text_age(&out, wall_ns, wall_ns + 1);
    assert_string_equal(text_cstr(&out), "");
    text_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_ages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
