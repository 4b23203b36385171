/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Snapshots of a small table of modules: what is filled, which node is chosen, what only a restart
 * changes, who frees it, and the questions that are put to the table. Files come from memory.
 */

#include "base/mem.h"
#include "core/inspect.h"
#include "core/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* --- a module with one word and one listener -------------------------------------------------- */

struct thing_conf {
    struct conf_object object;
    int64_t size; /* changes at a start only */
    int64_t speed;
    struct conf_addr addr;
};

static const struct conf_word thing_words[] = {
    {.name = "thing-size",
     .type = CONF_INT,
     .offset = offsetof(struct thing_conf, size),
     .fallback = "1",
     .max = 100,
     .apply = CONF_RESTART,
     .doc = "A size."},
    {.name = "thing-speed",
     .type = CONF_INT,
     .offset = offsetof(struct thing_conf, speed),
     .fallback = "1",
     .max = 100,
     .doc = "A speed."},
    {.name = "thing-listen",
     .type = CONF_ADDR,
     .offset = offsetof(struct thing_conf, addr),
     .doc = "An address."},
    {.name = NULL},
};

static const struct fact_kind thing_facts[] = {{.name = "thing", .doc = "A thing."},
                                               {.name = NULL}};

/* The same one twice: the table does not look at what is wanted. */
static int thing_sockets(const struct snapshot *snap, socket_want_fn *want, void *ctx)
{
    const struct thing_conf *conf = snap->conf[1];
    if (conf->addr.addr.len == 0)
        return 0;
    const struct socket_want one = {.name = "thing", .addr = conf->addr, .type = SOCK_STREAM};
    for (int i = 0; i < 2; i++)
        if (want(ctx, &one) < 0)
            return -1;
    return 0;
}

/* One that every host has, and one that none has. */
static void thing_interfaces(const struct snapshot *snap, interface_want_fn *want, void *ctx)
{
    const struct thing_conf *conf = snap->conf[1];
    const struct interface_want wants[] = {{"lo", conf->addr.at}, {"nowhere0", conf->addr.at}};
    for (size_t i = 0; i < ARRAY_LEN(wants); i++)
        want(ctx, &wants[i]);
}

static bool thing_is_needed(const struct snapshot *snap)
{
    return ((const struct thing_conf *)snap->conf[1])->speed > 1;
}

static int thing_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    struct thing_conf *conf = self;
    (void)snap;
    return conf->speed == 13
               ? conf_error(load->diag, conf_where(&conf->object, "thing-speed"), NULL, "unlucky")
               : 0;
}

static const struct module thing_module = {
    .name = "thing",
    .words = thing_words,
    .conf_size = sizeof(struct thing_conf),
    .check = thing_check,
    .fact_kinds = thing_facts,
    .process = "factory",
    .is_needed = thing_is_needed,
    .has_loops = true,
    .sockets = thing_sockets,
    .interfaces = thing_interfaces,
};

static const struct module single_module = {.name = "single", .process = "office"};
static const struct module lodger_module = {
    .name = "lodger", .process = "factory", .has_loops = true};
static const struct module *const modules[] = {&settings_module, &thing_module, &single_module,
                                               &lodger_module};
static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};

/* --- files from memory ------------------------------------------------------------------------ */

static int read_text(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                     struct err *err)
{
    if (!slice_is(path, "test.weir"))
        return err_set(err, "there is no %.*s", SLICE_ARG(path));
    *ret_bytes = arena_dup(arena, slice_from(ctx));
    return 0;
}

static int glob_none(void *ctx, struct slice pattern, struct arena *arena, struct slice **ret_paths,
                     size_t *ret_n, struct err *err)
{
    (void)ctx, (void)pattern, (void)arena, (void)ret_paths, (void)err;
    *ret_n = 0;
    return 0;
}

static const char *env_none(void *ctx, struct slice name)
{
    (void)ctx, (void)name;
    return NULL;
}

struct loaded {
    struct snapshot *snap;
    struct conf_diag *diag;
    int result;
};

static struct loaded load(const char *text, const char *node, bool is_every_node)
{
    union {
        const char *from;
        void *to;
    } ctx = {.from = text};
    const struct conf_host host = {
        .ctx = ctx.to, .read = read_text, .glob = glob_none, .env = env_none};
    const struct snapshot_options options = {.path = "test.weir",
                                             .host = &host,
                                             .node = node,
                                             .is_every_node = is_every_node,
                                             .generation = 1,
                                             .n_loops = 2};
    struct loaded loaded;
    loaded.result = snapshot_load(&table, &options, &loaded.snap, &loaded.diag);
    return loaded;
}

static struct loaded load_fine(const char *text)
{
    struct loaded loaded = load(text, NULL, false);
    if (loaded.result < 0)
        fail_msg("%s", loaded.diag->items[0].text);
    return loaded;
}

static void assert_told(const struct conf_diag *diag, const char *part)
{
    for (size_t i = 0; i < diag->n_items; i++) {
        if (strstr(diag->items[i].text, part))
            return;
    }
    fail_msg("nobody said \"%s\"", part);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_defaults(void **state)
{
    (void)state;
    struct loaded loaded = load_fine("");
    const struct settings *settings = settings_of(loaded.snap);
    assert_non_null(settings);
    assert_null(settings->nodes);
    assert_int_equal(settings->watchdog_ms, 5000);
    assert_int_equal(settings->stop_timeout_ms, 30000);
    assert_int_equal(settings->log.level, LOG_LEVEL_INFO);
    assert_int_equal(settings->log.format, LOG_FORMAT_TEXT);
    assert_string_equal(loaded.snap->node, "");
    assert_string_equal(loaded.snap->state_dir, SETTINGS_STATE_DEFAULT);
    const struct thing_conf *thing = snapshot_conf(loaded.snap, &thing_module);
    assert_int_equal(thing->speed, 1);
    snapshot_unref(&loaded.snap);
    assert_null(loaded.snap);
}

static void test_settings(void **state)
{
    (void)state;
    struct loaded loaded =
        load_fine("log level debug format json\nwatchdog 2s\nuser somebody\nstate /var/tmp/x\n"
                  "processes { factory 3 }\n");
    const struct settings *settings = settings_of(loaded.snap);
    assert_int_equal(settings->watchdog_ms, 2000);
    assert_int_equal(settings->log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(settings->log.format, LOG_FORMAT_JSON);
    assert_true(slice_is(settings->user, "somebody"));
    assert_string_equal(loaded.snap->state_dir, "/var/tmp/x");
    assert_int_equal(settings_loops(loaded.snap, "factory", 8), 3);
    assert_int_equal(settings_loops(loaded.snap, "office", 8), 1);
    snapshot_unref(&loaded.snap);
    loaded = load_fine("processes { factory auto }\n");
    assert_int_equal(settings_loops(loaded.snap, "factory", 8), 8);
    assert_int_equal(settings_loops(loaded.snap, "factory", 1000), BOARD_LOOPS_MAX);
    snapshot_unref(&loaded.snap);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *node, *part;
    } rows[] = {
        {"processes { factroy 2 }", NULL, "factroy"},
        {"processes { office 2 }", NULL, "runs one loop"},
        {"thing-speed 13", NULL, "unlucky"},
        {"thing-speed 1000", NULL, "1000"},
        {"queue mail { }", NULL, "queue"},
        {"nodes { a 192.0.2.99 }", NULL, "none of the nodes"},
        {"nodes { a 192.0.2.99 }", "b", "no node is called \"b\""},
        {"", "a", "has no nodes"},
        {"nodes { a 192.0.2.99; b 192.0.2.99 }", "a", "the same address"},
        {"nodes { a 127.0.0.1; b 127.0.0.2 }", NULL, "addresses of two nodes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct loaded loaded = load(rows[i].text, rows[i].node, false);
        assert_int_equal(loaded.result, -1);
        assert_told(loaded.diag, rows[i].part);
        snapshot_unref(&loaded.snap);
    }
}

static void test_nodes(void **state)
{
    (void)state;
    static const char text[] = "nodes { far 192.0.2.99; here 127.0.0.1 }";
    struct loaded loaded = load(text, NULL, false);
    assert_int_equal(loaded.result, 0);
    assert_string_equal(loaded.snap->node, "here");
    snapshot_unref(&loaded.snap);
    loaded = load(text, "far", false);
    assert_int_equal(loaded.result, 0);
    assert_string_equal(loaded.snap->node, "far");
    snapshot_unref(&loaded.snap);
    loaded = load("nodes { far 192.0.2.99; further 192.0.2.98 }", NULL, true);
    assert_int_equal(loaded.result, 0);
    assert_string_equal(loaded.snap->node, "far");
    snapshot_unref(&loaded.snap);
}

static void test_hash(void **state)
{
    (void)state;
    struct loaded a = load_fine("thing-speed 2"), b = load_fine("thing-speed 2"),
                  c = load_fine("thing-speed 3");
    assert_int_equal(a.snap->hash, b.snap->hash);
    assert_int_not_equal(a.snap->hash, c.snap->hash);
    snapshot_unref(&a.snap);
    snapshot_unref(&b.snap);
    snapshot_unref(&c.snap);
}

static void test_restart_changes(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        size_t n;
        const char *part;
    } rows[] = {
        {"", "", 0, NULL},
        {"thing-speed 2", "thing-speed 3", 0, NULL},
        {"thing-size 2", "thing-size 2", 0, NULL},
        {"", "thing-size 1", 0, NULL},
        {"thing-size 2", "thing-size 3", 1, "thing-size"},
        {"thing-size 2\nuser a", "thing-size 3\nuser b", 2, "user"},
        {"processes { factory 2 }", "processes { factory 3 }", 1, "LOOPS"},
        {"processes { factory 2 }", "", 1, "processes"},
        {"nodes { a 127.0.0.1 }", "nodes { a 127.0.0.1; b 192.0.2.9 }", 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct loaded before = load_fine(rows[i].before), after = load_fine(rows[i].after);
        assert_int_equal(snapshot_restart_changes(before.snap, after.snap, after.diag), rows[i].n);
        if (rows[i].part)
            assert_told(after.diag, rows[i].part);
        snapshot_unref(&before.snap);
        snapshot_unref(&after.snap);
    }
}

static void test_clash(void **state)
{
    (void)state;
    struct loaded loaded = load_fine("thing-listen 127.0.0.1:80");
    assert_int_equal(inspect_sockets(loaded.snap, INSPECT_NOTE, loaded.diag), -1);
    assert_told(loaded.diag, "thing listens on 127.0.0.1:80 already (test.weir:1:14)");
    snapshot_unref(&loaded.snap);
}

static void test_interfaces(void **state)
{
    (void)state;
    static const struct {
        enum inspect_missing missing;
        size_t n;
        enum conf_severity severity;
    } rows[] = {
        {INSPECT_SILENT, 0, CONF_NOTE},
        {INSPECT_NOTE, 1, CONF_NOTE},
        {INSPECT_ERROR, 1, CONF_WARNING},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct loaded loaded = load_fine("thing-listen 127.0.0.1:80");
        inspect_interfaces(loaded.snap, rows[i].missing, loaded.diag);
        assert_int_equal(loaded.diag->n_items, rows[i].n);
        if (rows[i].n > 0) {
            assert_string_equal(loaded.diag->items[0].text, "this host has no interface nowhere0");
            assert_int_equal(loaded.diag->items[0].severity, rows[i].severity);
        }
        snapshot_unref(&loaded.snap);
    }
}

static void test_needs(void **state)
{
    (void)state;
    struct loaded loaded = load_fine("");
    assert_true(snapshot_needs(loaded.snap, "office"));
    assert_true(snapshot_needs(loaded.snap, "factory")); /* the lodger */
    assert_false(snapshot_needs(loaded.snap, "nowhere"));
    snapshot_unref(&loaded.snap);
}

static void test_table(void **state)
{
    (void)state;
    const char *names[8];
    assert_int_equal(module_processes(&table, names, 8), 3);
    assert_string_equal(names[0], "supervisor");
    assert_string_equal(names[1], "factory");
    assert_string_equal(names[2], "office");
    assert_ptr_equal(module_fact_kind(&table, "thing:a/b"), thing_facts);
    assert_non_null(module_fact_kind(&table, "process:edge"));
    assert_null(module_fact_kind(&table, "thin:a"));
    assert_null(module_fact_kind(&table, "things:a"));
    assert_null(module_metric_table(&table, "thing"));
    assert_string_equal(module_process_name(&table, "office"), "office");
    assert_string_equal(module_process_name(&table, "attic"), "?");
}

/* --- references ------------------------------------------------------------------------------- */

/* Too few frees are a leak, too many a use after free: with sanitizers this test sees both. */
static void test_references(void **state)
{
    (void)state;
    struct loaded loaded = load_fine("");
    struct snapshot *process = loaded.snap;
    struct snapshot *plan = snapshot_ref(process);
    assert_ptr_equal(plan, process);
    snapshot_unref(&process);
    assert_null(process);
    assert_ptr_equal(plan->table, &table);
    assert_string_equal(plan->node, "");
    snapshot_unref(&plan);
    assert_null(plan);
    snapshot_unref(&plan); /* of nothing: nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_settings),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_hash),       cmocka_unit_test(test_restart_changes),
        cmocka_unit_test(test_clash),      cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_needs),      cmocka_unit_test(test_table),
        cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
