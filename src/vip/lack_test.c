/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is lacking: how one fact is judged, how time passes over it, which things count by default,
 * which may be needed; and the watch beside a board.
 */

#include "conf/memory.h"
#include "pool/pool.h"
#include "vip/lack_watch.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static const struct fact_kind kept = {.name = "pool", .rule = FACT_KEEP, .patience_ms = 10000};
static const struct fact_kind distrusted = {
    .name = "listen", .rule = FACT_DISTRUST, .patience_ms = 2000};

/* ---- one look ---- */

static const struct judge_row {
    const char *name;
    enum lack_kind kind;
    const struct fact_kind *fact;
    enum fact_state state;
    const char *reason;
    uint64_t silence_ms;
    enum lack_verdict verdict;
    const char *why;
} judge_rows[] = {
    {"listen:shop", LACK_OF_FACT, &distrusted, FACT_SERVING, "", 0, LACK_WELL, ""},
    {"listen:shop", LACK_OF_FACT, &distrusted, FACT_SERVING, "", 2000, LACK_WELL, ""},
    {"listen:shop", LACK_OF_FACT, &distrusted, FACT_SERVING, "", 2001, LACK_LACKING,
     "listen:shop is silent"},
    {"listen:shop", LACK_OF_FACT, &distrusted, FACT_DRAINING, "x", 0, LACK_LACKING,
     "listen:shop draining: x"},
    {"listen:shop", LACK_OF_FACT, &distrusted, FACT_FAILED, "", 0, LACK_LACKING,
     "listen:shop failed"},
    {"listen:shop", LACK_OF_FACT, &distrusted, FACT_NONE, "", 0, LACK_PASSING,
     "listen:shop is not there"},
    {"listen:shop", LACK_OF_FACT, &distrusted, FACT_NONE, "", 9000, LACK_PASSING,
     "listen:shop is not there"},
    {"listen:shop", LACK_OF_FACT, &distrusted, FACT_UNKNOWN, "", 0, LACK_PASSING,
     "listen:shop unknown"},
    {"dns:main", LACK_OF_FACT, &distrusted, FACT_DOWN, "x", 0, LACK_PASSING, "dns:main down: x"},
    {"dns-tcp:main", LACK_OF_FACT, &distrusted, FACT_DOWN, "", 2001, LACK_LACKING,
     "dns-tcp:main is silent"},
    {"pool:web", LACK_OF_FACT, &kept, FACT_UP, "3/3 up", 0, LACK_WELL, ""},
    {"pool:web", LACK_OF_FACT, &kept, FACT_DEGRADED, "1/3 up", 0, LACK_WELL, ""},
    {"pool:web", LACK_OF_FACT, &kept, FACT_DOWN, "0/3 up", 0, LACK_COMMON, "pool:web down: 0/3 up"},
    {"member:web/a", LACK_OF_FACT, &kept, FACT_DOWN, "", 0, LACK_COMMON, "member:web/a down"},
    {"pool:web", LACK_OF_FACT, &kept, FACT_DRAINING, "", 0, LACK_LACKING, "pool:web draining"},
    {"pool:web", LACK_OF_FACT, &kept, FACT_UNKNOWN, "", 0, LACK_UNJUDGED, "pool:web unknown"},
    {"pool:web", LACK_OF_FACT, &kept, FACT_NONE, "", 0, LACK_UNJUDGED, "pool:web is not there"},
    {"member:web/a", LACK_OF_FACT, &kept, FACT_NONE, "", 0, LACK_UNJUDGED,
     "member:web/a is not there"},
    /* A dead health keeps its last word. */
    {"pool:web", LACK_OF_FACT, &kept, FACT_UP, "3/3 up", 99000, LACK_WELL, ""},
    {"pool:web", LACK_OF_FACT, &kept, FACT_DOWN, "0/3 up", 99000, LACK_COMMON,
     "pool:web down: 0/3 up"},
    {"disk:state", LACK_OF_FACT, &kept, FACT_NONE, "", 0, LACK_UNJUDGED, "disk:state is not there"},
    {"disk:state", LACK_OF_FACT, &kept, FACT_FAILED, "less than 64M", 0, LACK_LACKING,
     "disk:state failed: less than 64M"},
    {"address:web/a", LACK_OF_FACT, &kept, FACT_RESOLVED, "10.0.0.1:80", 0, LACK_WELL, ""},
    {"vip:b", LACK_OF_FACT, &kept, FACT_ACTIVE, "", 0, LACK_WELL, ""},
    {"vip:b", LACK_OF_FACT, &kept, FACT_BACKUP, "", 0, LACK_LACKING, "vip:b backup"},
    {"x:y", LACK_OF_FACT, NULL, FACT_UP, "", 99000, LACK_WELL, ""},
    /* Processes: their facts are the supervisor's, their silence is their own. */
    {"process:edge", LACK_OF_PROCESS, &kept, FACT_UP, "pid 3", 2000, LACK_WELL, ""},
    {"process:edge", LACK_OF_PROCESS, &kept, FACT_UP, "pid 3", 2001, LACK_LACKING,
     "process:edge is silent"},
    {"process:edge", LACK_OF_PROCESS, &kept, FACT_DOWN, "ended by SIGKILL", 0, LACK_PASSING,
     "process:edge down: ended by SIGKILL"},
    {"process:edge", LACK_OF_PROCESS, &kept, FACT_DOWN, "killed: silent", 2001, LACK_LACKING,
     "process:edge is silent"},
    {"process:edge", LACK_OF_PROCESS, &kept, FACT_FAILED, "5 times in a row", 0, LACK_LACKING,
     "process:edge failed: 5 times in a row"},
    {"process:edge", LACK_OF_PROCESS, &kept, FACT_NONE, "", 9000, LACK_PASSING,
     "process:edge is not there"},
    /* Loops: the state is that of their process, without which there is none that could be late. */
    {"lag:edge", LACK_OF_LOOPS, NULL, FACT_UP, "", 500, LACK_WELL, ""},
    {"lag:edge", LACK_OF_LOOPS, NULL, FACT_UP, "", 501, LACK_LACKING, "loop 1 of edge is late"},
    {"lag:edge", LACK_OF_LOOPS, NULL, FACT_DOWN, "", 501, LACK_WELL, ""},
    {"lag:edge", LACK_OF_LOOPS, NULL, FACT_NONE, "", 501, LACK_WELL, ""},
};

static struct lack lack_of(const char *name, enum lack_kind kind, unsigned points)
{
    struct lack lack = {.kind = kind, .points = points, .settle_ms = LACK_SETTLE_MS};
    snprintf(lack.name, sizeof(lack.name), "%s", name);
    return lack;
}

static void test_judge(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(judge_rows); i++) {
        const struct judge_row *row = &judge_rows[i];
        const struct lack lack = lack_of(row->name, row->kind, 50);
        const struct lack_look look = {.state = row->state,
                                       .reason = row->reason,
                                       .fact = row->fact,
                                       .silence_ns = row->silence_ms * MS,
                                       .loop = 1};
        char why[LACK_WHY_MAX];
        assert_int_equal(lack_judge(&lack, &look, why), row->verdict);
        assert_string_equal(why, row->why);
    }
}

/* The longest name and reason that there can be fit, cut. */
static void test_long_reason(void **state)
{
    (void)state;
    char name[FACT_NAME_MAX], reason[FACT_REASON_MAX], why[LACK_WHY_MAX];
    memset(name, 'n', sizeof(name) - 1);
    memset(reason, 'r', sizeof(reason) - 1);
    name[sizeof(name) - 1] = reason[sizeof(reason) - 1] = '\0';
    const struct lack lack = lack_of(name, LACK_OF_FACT, 50);
    const struct lack_look look = {.state = FACT_DOWN, .reason = reason};
    assert_int_equal(lack_judge(&lack, &look, why), LACK_LACKING);
    assert_int_equal(strlen(why), LACK_WHY_MAX - 1);
}

static void test_silence(void **state)
{
    (void)state;
    assert_true(lack_silence(5, 0, 100) == 5);
    assert_true(lack_silence(UINT64_MAX, 90, 100) == 10);
    assert_true(lack_silence(50, 100, 100) == 0);
}

/* ---- time ---- */

/* For whom it counts. */
enum { NOBODY, BACKUP, BOTH };

static const struct time_row {
    uint64_t at_ms;
    enum fact_state state;
    int counts;
    bool is_news;
} listen_rows[] =
    {
        /* The first time that it serves counts at once. */
        {0, FACT_NONE, BOTH, true},
        {100, FACT_NONE, BOTH, false},
        {200, FACT_SERVING, NOBODY, true},
        {300, FACT_SERVING, NOBODY, false},
        /* Then a failure counts at once, the end of it later. */
        {400, FACT_FAILED, BOTH, true},
        {500, FACT_SERVING, BOTH, false},
        {899, FACT_SERVING, BOTH, false},
        {900, FACT_SERVING, BACKUP, true},
        {1499, FACT_SERVING, BACKUP, false},
        {1500, FACT_SERVING, NOBODY, true},
        /* A flap begins the time anew. */
        {2000, FACT_FAILED, BOTH, true},
        {2100, FACT_SERVING, BOTH, false},
        {2400, FACT_FAILED, BOTH, false},
        {2700, FACT_SERVING, BOTH, false},
        {3100, FACT_SERVING, BACKUP, true},
        {3200, FACT_FAILED, BOTH, true},
        {3300, FACT_SERVING, BOTH, false},
        {4300, FACT_SERVING, NOBODY, true},
        /* What its next life states again soon lacked nothing, */
        {5000, FACT_NONE, NOBODY, false},
        {5999, FACT_UNKNOWN, NOBODY, false},
        {5999, FACT_SERVING, NOBODY, false},
        /* what it does not lacks, for all the time that it takes. */
        {6000, FACT_NONE, NOBODY, false},
        {6999, FACT_NONE, NOBODY, false},
        {7000, FACT_NONE, BOTH, true},
        {8500, FACT_DOWN, BOTH, true},
        {8600, FACT_SERVING, BOTH, false},
        {8900, FACT_NONE, BOTH, true},
        {9100, FACT_SERVING, BOTH, false},
        {10100, FACT_SERVING, NOBODY, true},
},
  process_rows[] =
      {
          {0, FACT_UP, NOBODY, false},
          /* A death, and the next life. */
          {100, FACT_DOWN, NOBODY, false},
          {200, FACT_UP, NOBODY, false},
          /* One that does not come back. */
          {300, FACT_DOWN, NOBODY, false},
          {1299, FACT_DOWN, NOBODY, false},
          {1300, FACT_DOWN, BOTH, true},
          {1400, FACT_UP, BOTH, false},
          {1800, FACT_UP, BACKUP, true},
          {2400, FACT_UP, NOBODY, true},
          /* One that dies again and again: each is short, the verdict on them counts. */
          {2500, FACT_DOWN, NOBODY, false},
          {2600, FACT_UP, NOBODY, false},
          {2700, FACT_DOWN, NOBODY, false},
          {2800, FACT_FAILED, BOTH, true},
},
  pool_rows[] =
      {
          /* Not judged for five seconds is fine for the Active, longer is not. */
          {0, FACT_NONE, BACKUP, true},
          {1000, FACT_UNKNOWN, BACKUP, true},
          {4999, FACT_UNKNOWN, BACKUP, false},
          {5000, FACT_UNKNOWN, BOTH, true},
          {5100, FACT_UP, NOBODY, true},
          /* Down counts at once for a Backup, else when the others had time to see it. */
          {6000, FACT_DOWN, BACKUP, true},
          {6399, FACT_DOWN, BACKUP, false},
          {6400, FACT_DOWN, BOTH, true},
          {7000, FACT_UP, BOTH, false},
          {7400, FACT_UP, BACKUP, true},
          {8000, FACT_UP, NOBODY, true},
          /* A short one never counts where the address is. */
          {8100, FACT_DOWN, BACKUP, true},
          {8400, FACT_UP, BACKUP, false},
          {8700, FACT_DOWN, BACKUP, false},
          {8900, FACT_UP, BACKUP, false},
          {9900, FACT_UP, NOBODY, true},
          /* What was judged keeps its word while it is not, as long. */
          {10000, FACT_UNKNOWN, BACKUP, true},
          {14999, FACT_NONE, BACKUP, true},
          {15000, FACT_UNKNOWN, BOTH, true},
},
  down_pool_rows[] =
      {
          {0, FACT_DOWN, BOTH, true},
          {1000, FACT_UNKNOWN, BOTH, true},
          {2000, FACT_UP, NOBODY, true},
},
  unjudged_pool_rows[] = {
      {0, FACT_UNKNOWN, BACKUP, true},
      {1000, FACT_DOWN, BOTH, true},
};

static void run_rows(const char *name, enum lack_kind kind, const struct time_row *rows, size_t n)
{
    struct lack lack = lack_of(name, kind, 50);
    for (size_t i = 0; i < n; i++) {
        const struct lack_look look = {.state = rows[i].state, .reason = ""};
        /* Some time of a machine that has run for a while. */
        uint64_t now_ns = (1000000 + rows[i].at_ms) * MS;
        assert_int_equal(lack_take(&lack, &look, now_ns), rows[i].is_news);
        assert_int_equal(lack.is_lacking, rows[i].counts != NOBODY);
        assert_int_equal(lack.is_settled, rows[i].counts == BOTH);
        assert_int_equal(lack.is_lacking, lack.why[0] != '\0');
    }
}

static void test_time(void **state)
{
    (void)state;
    run_rows("listen:shop", LACK_OF_FACT, listen_rows, ARRAY_LEN(listen_rows));
    run_rows("process:edge", LACK_OF_PROCESS, process_rows, ARRAY_LEN(process_rows));
    run_rows("pool:web", LACK_OF_FACT, pool_rows, ARRAY_LEN(pool_rows));
    run_rows("pool:web", LACK_OF_FACT, down_pool_rows, ARRAY_LEN(down_pool_rows));
    run_rows("pool:web", LACK_OF_FACT, unjudged_pool_rows, ARRAY_LEN(unjudged_pool_rows));
}

/* ---- two nodes that look at the same members ---- */

/* When each sees the pool go down and come up again: the Active, and a Backup. */
static const struct both_row {
    uint64_t down_ms[2], up_ms[2];
} both_rows[] = {
    /* As it was on a busy machine, where the address went away and came back. */
    {{214, 398}, {2600, 2500}},
    /* As far apart as two looks of each 200 ms can be, either way round. */
    {{200, 420}, {2000, 2220}},
    {{200, 420}, {2220, 2000}},
    {{420, 200}, {2220, 2000}},
    /* Up again before it has settled. */
    {{200, 420}, {580, 640}},
    {{200, 420}, {640, 580}},
};

enum { BOTH_MS = 5000, ACTIVE_PHASE_MS = 61, BACKUP_PHASE_MS = 7 };

static bool is_up_at(const struct both_row *row, int node, uint64_t at_ms)
{
    return at_ms < row->down_ms[node] || at_ms >= row->up_ms[node];
}

/* A node looks each LACK_LOOK_MS, and where it is told that something is another. */
static void look_at_both(struct lack *lack, const struct both_row *row, int node, uint64_t at_ms)
{
    uint64_t phase_ms = node ? BACKUP_PHASE_MS : ACTIVE_PHASE_MS;
    bool is_told = at_ms == row->down_ms[node] || at_ms == row->up_ms[node];
    const struct lack_look look = {.state = is_up_at(row, node, at_ms) ? FACT_UP : FACT_DOWN,
                                   .reason = ""};
    if (is_told || at_ms % LACK_LOOK_MS == phase_ms)
        lack_take(lack, &look, (1000000 + at_ms) * MS);
}

/* At no time does the Active count what the Backup does not. */
static void test_both(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(both_rows); i++) {
        struct lack active = lack_of("pool:web", LACK_OF_FACT, 30), backup = active;
        unsigned n_lacking_ms = 0;
        for (uint64_t at_ms = 0; at_ms < BOTH_MS; at_ms++) {
            look_at_both(&active, &both_rows[i], 0, at_ms);
            look_at_both(&backup, &both_rows[i], 1, at_ms);
            assert_true(backup.is_lacking || !active.is_settled);
            n_lacking_ms += active.is_settled;
        }
        assert_int_equal(n_lacking_ms > 0, both_rows[i].up_ms[0] > 1000);
        assert_false(active.is_lacking || backup.is_lacking);
    }
}

/* ---- a configuration ---- */

struct use_conf {
    struct conf_object object;
    struct conf_list listens; /* of struct use_listen */
    struct conf_list needs;
};

struct use_listen {
    struct conf_object object;
    struct slice name, pool;
};

static const struct conf_word listen_args[] = {
    {.name = "name", .type = CONF_NAME, .offset = offsetof(struct use_listen, name)},
    {.name = "pool", .type = CONF_NAME, .offset = offsetof(struct use_listen, pool)},
    {0},
};

static const struct conf_block listen_block = {.size = sizeof(struct use_listen),
                                               .args = listen_args};

static const struct conf_word use_words[] = {
    {.name = "listen",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct use_conf, listens),
     .block = &listen_block},
    {.name = "needs",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct use_conf, needs),
     .block = &need_block},
    {0},
};

static int use_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    const struct use_conf *conf = self;
    for (size_t i = 0; i < conf->listens.n_items; i++) {
        struct pool *pool = pool_find(snap, ((struct use_listen *)conf->listens.items[i])->pool);
        assert_non_null(pool);
        pool->is_routed = true;
    }
    return needs_check(snap, &conf->needs, SLICE("front"), load);
}

static const struct module use_module;

static bool use_is_needed(const struct snapshot *snap)
{
    return ((struct use_conf *)snapshot_conf(snap, &use_module))->listens.n_items > 0;
}

static int use_sockets(const struct snapshot *snap, socket_want_fn *want, void *ctx)
{
    const struct use_conf *conf = snapshot_conf(snap, &use_module);
    for (size_t i = 0; i < conf->listens.n_items; i++) {
        char name[64];
        const struct use_listen *listen = conf->listens.items[i];
        snprintf(name, sizeof(name), "listen:%.*s", SLICE_ARG(listen->name));
        const struct socket_want socket = {.name = name};
        if (want(ctx, &socket) < 0)
            return -1;
    }
    return 0;
}

static const struct fact_kind use_facts[] = {
    {.name = "listen", .rule = FACT_DISTRUST, .patience_ms = 2000},
    {.name = "pool", .rule = FACT_KEEP, .patience_ms = 10000},
    {.name = "member", .rule = FACT_KEEP, .patience_ms = 10000},
    {.name = "process", .rule = FACT_KEEP, .patience_ms = 2000},
    {.name = "disk", .rule = FACT_KEEP},
    {.name = "vip", .rule = FACT_DISTRUST, .patience_ms = 2000},
    {0},
};

static const struct module use_module = {
    .name = "use",
    .words = use_words,
    .conf_size = sizeof(struct use_conf),
    .check = use_check,
    .fact_kinds = use_facts,
    .process = "edge",
    .is_needed = use_is_needed,
    .sockets = use_sockets,
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

static const struct conf_list *needs_of(const struct scene *scene)
{
    return &((struct use_conf *)snapshot_conf(scene->snap, &use_module))->needs;
}

#define POOLS "pool web { member a 10.0.0.1:80 }; pool api { member a 10.0.0.1:80 }\n"

static const struct need_row {
    const char *file;
    const char *message; /* NULL: fine */
} need_rows[] = {
    {POOLS "listen shop web; needs listen:shop", NULL},
    {POOLS "listen shop web; needs listen:shop lowers 250", NULL},
    {POOLS "needs pool:web; needs member:web/a; needs vip:other", NULL},
    {POOLS "listen shop web; needs process:edge", NULL},
    {POOLS "needs process:edge", "with this file no process \"edge\" runs"},
    {POOLS "needs process:edgy", "with this file no process \"edgy\" runs"},
    {POOLS "needs listen:shop", "there is no listen \"shop\""},
    {POOLS "needs pool:wep", "there is no pool \"wep\""},
    {POOLS "needs member:web/b", "there is no member \"web/b\""},
    {POOLS "needs member:web", "there is no member \"web\""},
    {POOLS "needs vip:front", "a vip cannot need itself"},
    {POOLS "needs pool:web; needs pool:web lowers 3", "it is needed already"},
    {POOLS "needs shop", "there can be no fact \"shop\""},
    {POOLS "needs listen:", "there can be no fact \"listen:\""},
    {POOLS "needs lisen:shop", "there can be no fact \"lisen:shop\""},
    {POOLS "needs pool:web lowers 251", "lowers"},
    {POOLS "needs pool:web lowers 0", "lowers"},
};

static void test_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(need_rows); i++) {
        struct scene scene;
        struct text said = TEXT_NONE;
        load(&scene, need_rows[i].file);
        conf_diag_print(scene.diag, &said);
        assert_int_equal(scene.rc, need_rows[i].message ? -1 : 0);
        if (need_rows[i].message)
            assert_non_null(strstr(text_cstr(&said), need_rows[i].message));
        text_deinit(&said);
        unload(&scene);
    }
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *name, *fact;
        enum lack_kind kind;
        unsigned points;
    } want[] = {
        {"process:edge", "process:edge", LACK_OF_PROCESS, 100},
        {"listen:shop", "listen:shop", LACK_OF_FACT, 50},
        {"listen:admin", "listen:admin", LACK_OF_FACT, 50},
        {"lag:edge", "process:edge", LACK_OF_LOOPS, 40},
        {"disk:state", "disk:state", LACK_OF_FACT, 20},
        {"pool:web", "pool:web", LACK_OF_FACT, 30},
    };
    struct scene scene;
    struct lack_list list;
    load(&scene, POOLS "listen shop web; listen admin web");
    assert_int_equal(scene.rc, 0);
    lack_list_init(&list, scene.snap, needs_of(&scene));
    assert_int_equal(list.n_items, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_string_equal(list.items[i].name, want[i].name);
        assert_string_equal(list.items[i].fact, want[i].fact);
        assert_int_equal(list.items[i].kind, want[i].kind);
        assert_int_equal(list.items[i].points, want[i].points);
    }
    lack_list_deinit(&list);
    unload(&scene);
    load(&scene, POOLS "listen shop web; needs pool:api lowers 7; needs process:edge");
    lack_list_init(&list, scene.snap, needs_of(&scene));
    assert_int_equal(list.n_items, 2);
    assert_string_equal(list.items[0].name, "pool:api");
    assert_int_equal(list.items[0].points, 7);
    assert_int_equal(list.items[1].kind, LACK_OF_PROCESS);
    assert_int_equal(list.items[1].points, LACK_NEED);
    lack_list_deinit(&list);
    unload(&scene);
}

/* As long as the other nodes need to see the same. */
static void test_settle(void **state)
{
    static const struct {
        const char *check;
        unsigned settle_ms;
    } rows[] = {
        {"", 400},
        {"check tcp every 200ms fall 2;", 400},
        {"check tcp every 50ms fall 1;", 400},
        {"check tcp;", 800}, /* every 2s fall 3 */
        {"check tcp every 10s fall 3;", 3200},
        {"check tcp every 1m fall 3;", LACK_SETTLE_MAX_MS},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char file[256];
        struct scene scene;
        struct lack_list list;
        snprintf(file, sizeof(file),
                 "pool web { %s member a 10.0.0.1:80 }\n"
                 "listen shop web; needs pool:web; needs member:web/a; needs listen:shop",
                 rows[i].check);
        load(&scene, file);
        assert_int_equal(scene.rc, 0);
        lack_list_init(&list, scene.snap, needs_of(&scene));
        assert_int_equal(list.items[0].settle_ms, rows[i].settle_ms);
        assert_int_equal(list.items[1].settle_ms, rows[i].settle_ms);
        assert_int_equal(list.items[2].settle_ms, LACK_SETTLE_MS);
        lack_list_deinit(&list);
        unload(&scene);
    }
}

static void test_score(void **state)
{
    (void)state;
    struct lack items[] = {lack_of("a:a", LACK_OF_FACT, 200), lack_of("b:b", LACK_OF_FACT, 30),
                           lack_of("c:c", LACK_OF_FACT, 50)};
    const struct lack_list list = {.items = items, .n_items = ARRAY_LEN(items)};
    const struct lack_look bad = {.state = FACT_DOWN, .reason = "x"};
    struct text text = TEXT_NONE;
    lack_list_show(&list, &text);
    assert_string_equal(text_cstr(&text), "");
    assert_int_equal(lack_list_score(&list).as_backup, 0);
    lack_take(&items[0], &bad, MS);
    lack_take(&items[1], &bad, MS);
    assert_int_equal(lack_list_score(&list).as_backup, 230);
    lack_list_show(&list, &text);
    assert_string_equal(text_cstr(&text), "a:a down: x (200), b:b down: x (30)");
    lack_take(&items[2], &bad, MS);
    assert_int_equal(lack_list_score(&list).as_backup, LACK_MAX);
    text_deinit(&text);
}

/* ---- the watch ---- */

enum { SUPERVISOR, EDGE, ADMIN, VIP, N_SEGMENTS };

struct stage {
    struct scene scene;
    struct board_fds fds;
    struct board *boards[N_SEGMENTS];
    struct process process;
    struct loop *loop;
    struct board_cursor cursor;
    struct lack_watch *watch;
    unsigned n_told;
};

static void on_told(void *ctx)
{
    ((struct stage *)ctx)->n_told++;
}

static void on_change(void *ctx, const struct board_change *change)
{
    lack_watch_on_change(((struct stage *)ctx)->watch, change);
}

static void on_lost(void *ctx, size_t segment)
{
    (void)segment;
    lack_watch_on_lost(((struct stage *)ctx)->watch);
}

static void stage_open(struct stage *stage, const char *file)
{
    static const char *const names[] = {"supervisor", "edge", "admin", "vip"};
    struct err err = ERR_NONE;
    *stage = (struct stage){.n_told = 0};
    load(&stage->scene, file);
    assert_int_equal(stage->scene.rc, 0);
    stage->scene.snap->node = "a";
    assert_int_equal(board_make(names, N_SEGMENTS, &stage->fds, &err), 0);
    for (int i = 0; i < N_SEGMENTS; i++)
        assert_int_equal(board_open(&stage->fds, i, &stage->boards[i], &err), 0);
    assert_int_equal(loop_create(0, &stage->loop, &err), 0);
    loop_turn(stage->loop, 0);
    stage->process = (struct process){
        .board = stage->boards[VIP], .table = &table, .loops = {stage->loop}, .n_loops = 1};
    board_cursor_init(stage->boards[VIP], &stage->cursor);
    board_state(stage->boards[ADMIN], "disk:state", FACT_UP, 0, "", 1);
    board_state(stage->boards[ADMIN], "pool:web", FACT_UP, 0, "", 1);
}

static void stage_watch(struct stage *stage)
{
    stage->watch = lack_watch_create(&stage->process, stage->scene.snap, "front",
                                     needs_of(&stage->scene), on_told, stage);
}

/* The process of that segment states the fact, and the watch hears of it. */
static void stage_say(struct stage *stage, int segment, const char *name, enum fact_state state)
{
    if (state == FACT_NONE)
        board_remove(stage->boards[segment], name, 1);
    else
        board_state(stage->boards[segment], name, state, 0, "", 1);
    if (stage->watch)
        board_changes(stage->boards[VIP], &stage->cursor, on_change, on_lost, stage);
}

/* Lets time pass until it lacks so much. */
static void stage_wait(struct stage *stage, unsigned score)
{
    for (int i = 0; i < 1000 && lack_watch_score(stage->watch).as_active != score; i++)
        loop_turn(stage->loop, 100);
    assert_int_equal(lack_watch_score(stage->watch).as_active, score);
}

static void stage_close(struct stage *stage)
{
    lack_watch_destroy(&stage->watch);
    loop_destroy(&stage->loop);
    for (int i = 0; i < N_SEGMENTS; i++)
        board_close(&stage->boards[i]);
    board_fds_close(&stage->fds);
    unload(&stage->scene);
}

static void test_watch(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, POOLS "listen shop web");
    stage_watch(&stage);
    assert_int_equal(lack_watch_score(stage.watch).as_active, LACK_PROCESS + LACK_LISTEN);
    assert_string_equal(lack_watch_text(stage.watch),
                        "process:edge is not there (100), listen:shop is not there (50)");
    assert_null(lack_watch_drained(stage.watch));
    stage_say(&stage, EDGE, "listen:shop", FACT_SERVING);
    stage_say(&stage, SUPERVISOR, "process:edge", FACT_UP);
    assert_int_equal(lack_watch_score(stage.watch).as_active, 0);
    assert_int_equal(stage.n_told, 2);
    /* What is not needed is no news. */
    stage_say(&stage, EDGE, "listen:other", FACT_SERVING);
    assert_int_equal(stage.n_told, 2);
    stage_say(&stage, SUPERVISOR, "process:edge", FACT_FAILED);
    assert_int_equal(lack_watch_score(stage.watch).as_active, LACK_PROCESS);
    /* Another snapshot keeps what is known: it is well again, and has not been for long. */
    stage_say(&stage, SUPERVISOR, "process:edge", FACT_UP);
    lack_watch_configure(stage.watch, stage.scene.snap, needs_of(&stage.scene));
    assert_int_equal(lack_watch_score(stage.watch).as_active, LACK_PROCESS);
    stage_wait(&stage, 0);
    stage_close(&stage);
}

/* A death is no news while the next life may be on its way, and is when it is not. */
static void test_watch_death(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, POOLS "listen shop web");
    stage_say(&stage, EDGE, "listen:shop", FACT_SERVING);
    stage_say(&stage, SUPERVISOR, "process:edge", FACT_UP);
    stage_watch(&stage);
    stage_say(&stage, SUPERVISOR, "process:edge", FACT_DOWN);
    stage_say(&stage, EDGE, "listen:shop", FACT_NONE);
    stage_say(&stage, EDGE, "listen:shop", FACT_SERVING);
    stage_say(&stage, SUPERVISOR, "process:edge", FACT_UP);
    assert_int_equal(lack_watch_score(stage.watch).as_active, 0);
    assert_int_equal(stage.n_told, 0);
    stage_say(&stage, SUPERVISOR, "process:edge", FACT_DOWN);
    assert_int_equal(lack_watch_score(stage.watch).as_active, 0);
    stage_wait(&stage, LACK_PROCESS);
    assert_string_equal(lack_watch_text(stage.watch), "process:edge down (100)");
    assert_int_equal(stage.n_told, 1);
    stage_close(&stage);
}

/* A listener that a reload brings is stated a moment later. */
static void test_watch_reload(void **state)
{
    (void)state;
    struct stage stage;
    struct scene next;
    stage_open(&stage, POOLS "listen shop web");
    stage_say(&stage, EDGE, "listen:shop", FACT_SERVING);
    stage_say(&stage, SUPERVISOR, "process:edge", FACT_UP);
    stage_watch(&stage);
    load(&next, POOLS "listen shop web; listen more web");
    assert_int_equal(next.rc, 0);
    next.snap->node = "a";
    lack_watch_configure(stage.watch, next.snap, needs_of(&next));
    assert_int_equal(lack_watch_score(stage.watch).as_active, 0);
    stage_wait(&stage, LACK_LISTEN);
    assert_string_equal(lack_watch_text(stage.watch), "listen:more is not there (50)");
    lack_watch_destroy(&stage.watch);
    unload(&next);
    stage_close(&stage);
}

static void test_watch_drains(void **state)
{
    (void)state;
    static const char of_vip[] = "drained by the operator",
                      of_node[] = "its node is drained by the operator";
    struct stage stage;
    stage_open(&stage, POOLS "needs pool:web");
    stage_say(&stage, ADMIN, "drain:node/b", FACT_DRAINING);
    stage_say(&stage, ADMIN, "drain:vip/other", FACT_DRAINING);
    stage_watch(&stage);
    assert_null(lack_watch_drained(stage.watch));
    stage_say(&stage, ADMIN, "drain:node/a", FACT_DRAINING);
    assert_string_equal(lack_watch_drained(stage.watch), of_node);
    stage_say(&stage, ADMIN, "drain:vip/front", FACT_DRAINING);
    stage_say(&stage, ADMIN, "drain:node/a", FACT_DRAINED);
    assert_string_equal(lack_watch_drained(stage.watch), of_vip);
    stage_say(&stage, ADMIN, "drain:vip/front", FACT_NONE);
    assert_string_equal(lack_watch_drained(stage.watch), of_node);
    stage_say(&stage, ADMIN, "drain:node/a", FACT_NONE);
    assert_null(lack_watch_drained(stage.watch));
    assert_int_equal(stage.n_told, 4);
    stage_close(&stage);
}

/* A writer and a loop that are not heard; nobody tells, the watch looks by itself. */
static void test_watch_silence(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, POOLS "listen shop web");
    stage_say(&stage, EDGE, "listen:shop", FACT_SERVING);
    stage_say(&stage, SUPERVISOR, "process:edge", FACT_UP);
    *board_heartbeat(stage.boards[EDGE], 0) = loop_clock_ns();
    *board_heartbeat(stage.boards[EDGE], 1) = loop_clock_ns();
    stage_watch(&stage);
    assert_int_equal(lack_watch_score(stage.watch).as_active, 0);
    stage_wait(&stage, LACK_LAG);
    assert_non_null(strstr(lack_watch_text(stage.watch), "of edge is late (40)"));
    stage_wait(&stage, LACK_LAG + LACK_LISTEN + LACK_PROCESS);
    assert_non_null(strstr(lack_watch_text(stage.watch), "listen:shop is silent (50)"));
    assert_non_null(strstr(lack_watch_text(stage.watch), "process:edge is silent (100)"));
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),        cmocka_unit_test(test_long_reason),
        cmocka_unit_test(test_silence),      cmocka_unit_test(test_time),
        cmocka_unit_test(test_needs),        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_score),        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_watch_drains), cmocka_unit_test(test_watch_silence),
        cmocka_unit_test(test_watch_death),  cmocka_unit_test(test_watch_reload),
        cmocka_unit_test(test_both),         cmocka_unit_test(test_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
