/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hooks: their words, what worker starts for an ask, and the pace at which it is repeated.
 */

#include "conf/memory.h"
#include "vip/hook.h"

#include "base/mem.h"
#include "base/text.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a configuration ---- */

struct use_conf {
    struct conf_object object;
    struct conf_list hooks;
};

static const struct conf_word use_words[] = {
    {.name = "on",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct use_conf, hooks),
     .block = &hook_block},
    {0},
};

static int use_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    (void)snap;
    return hooks_check(&((const struct use_conf *)self)->hooks, load);
}

static const struct module use_module = {
    .name = "use",
    .words = use_words,
    .conf_size = sizeof(struct use_conf),
    .check = use_check,
};

static const struct module *const modules[] = {&use_module};
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
        .path = "t.weir", .folder = "/etc/weir", .host = &host, .generation = 1, .n_loops = 1};
    scene->rc = snapshot_load(&table, &options, &scene->snap, &scene->diag);
}

static void unload(struct scene *scene)
{
    snapshot_unref(&scene->snap);
    mem_free(scene->file);
}

static const struct conf_list *hooks_of(const struct scene *scene)
{
    return &((struct use_conf *)snapshot_conf(scene->snap, &use_module))->hooks;
}

static void test_words(void **state)
{
    (void)state;
    struct scene scene;
    load(&scene,
         "on active exec take --instance \"i 42\" every 5s timeout 2s; on backup exec /b/n");
    assert_int_equal(scene.rc, 0);
    const struct hook_conf *active = hooks_find(hooks_of(&scene), HOOK_ACTIVE);
    const struct hook_conf *backup = hooks_find(hooks_of(&scene), HOOK_BACKUP);
    assert_true(slice_is(active->program, "/etc/weir/take"));
    assert_int_equal(active->argument_list.n_items, 2);
    assert_true(slice_is(*(struct slice *)active->argument_list.items[1], "i 42"));
    assert_int_equal(active->every_ms, 5000);
    assert_int_equal(active->timeout_ms, 2000);
    assert_true(slice_is(backup->program, "/b/n"));
    assert_int_equal(backup->every_ms, 60000);
    assert_int_equal(backup->timeout_ms, 10000);
    unload(&scene);
}

static const struct mistake_row {
    const char *file;
    const char *message;
} mistake_rows[] = {
    {"on active exec /a; on active exec /b", "there is a program for the state active already"},
    {"on master exec /a", "master"},
    {"on active run /a", "run"},
    {"on active exec", "on has no program"},
    {"on active exec /a every 0s", "every"},
    {"on active exec /a timeout 1ms", "timeout"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistake_rows); i++) {
        struct scene scene;
        struct text said = TEXT_NONE;
        load(&scene, mistake_rows[i].file);
        assert_int_equal(scene.rc, -1);
        conf_diag_print(scene.diag, &said);
        if (!strstr(text_cstr(&said), mistake_rows[i].message))
            fail_msg("%s: %s", mistake_rows[i].file, text_cstr(&said));
        text_deinit(&said);
        unload(&scene);
    }
}

/* ---- asks ---- */

static void test_plan(void **state)
{
    (void)state;
    static const char *const env[] = {
        PROGRAM_PATH,          "WEIR_VIP=front", "WEIR_ADDRESSES=10.0.0.1/24 fd00::1/64",
        "WEIR_INTERFACE=eth0", "WEIR_NODE=a",    "WEIR_STATE=active",
        "WEIR_REASON=silence"};
    struct scene scene;
    struct arena arena;
    struct program_plan plan;
    struct slice vip;
    arena_init(&arena);
    load(&scene, "on active exec /b/take x timeout 2s");
    const struct hook_subject subject = {.vip = "front",
                                         .addresses = "10.0.0.1/24 fd00::1/64",
                                         .interface = "eth0",
                                         .node = "a",
                                         .hooks = hooks_of(&scene)};
    struct slice texts[] = {SLICE("vip"), SLICE("front"), SLICE("active"), SLICE("silence")};
    assert_true(hook_is_ask(texts, 4, &vip));
    assert_true(slice_is(vip, "front"));
    assert_int_equal(hook_plan(&subject, texts, &arena, &plan), 0);
    assert_string_equal(plan.path, "/b/take");
    assert_string_equal(plan.argv[0], "/b/take");
    assert_string_equal(plan.argv[1], "x");
    assert_null(plan.argv[2]);
    for (size_t i = 0; i < ARRAY_LEN(env); i++)
        assert_string_equal(plan.env[i], env[i]);
    assert_null(plan.env[ARRAY_LEN(env)]);
    assert_true(plan.timeout_ns == UINT64_C(2000000000));
    assert_string_equal(plan.sole, "vip:front");
    texts[2] = SLICE("backup");
    assert_int_equal(hook_plan(&subject, texts, &arena, &plan), 1);
    texts[2] = SLICE("other");
    assert_int_equal(hook_plan(&subject, texts, &arena, &plan), 1);
    assert_false(hook_is_ask(texts, 3, &vip));
    texts[0] = SLICE("check");
    assert_false(hook_is_ask(texts, 4, &vip));
    arena_deinit(&arena);
    unload(&scene);
}

/* ---- the pace ---- */

static void test_wait(void **state)
{
    (void)state;
    static const struct {
        unsigned n_failures;
        int64_t wait_ms;
    } rows[] = {{0, 5000},  {1, 1000},  {2, 2000},  {3, 4000},  {4, 8000},
                {5, 16000}, {6, 32000}, {7, 60000}, {8, 60000}, {4000000000, 60000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(hook_wait_ms(rows[i].n_failures, 5000), rows[i].wait_ms);
}

static void test_describe(void **state)
{
    (void)state;
    static const struct {
        struct program_result result;
        bool is_good;
        const char *text;
    } rows[] = {
        {{.outcome = PROGRAM_EXITED}, true, "exit status 0"},
        {{.outcome = PROGRAM_EXITED, .line = "is here"}, true, "exit status 0: is here"},
        {{.outcome = PROGRAM_EXITED, .number = 3}, false, "exit status 3"},
        {{.outcome = PROGRAM_SIGNALED, .number = 9}, false, "ended by signal 9"},
        {{.outcome = PROGRAM_LATE, .line = "asks"}, false, "killed after 2s: asks"},
        {{.outcome = PROGRAM_NOT_STARTED, .number = ENOENT},
         false,
         "not started: No such file or directory"},
        {{.outcome = PROGRAM_REFUSED}, false, "not started: too many programs run"},
        {{.outcome = PROGRAM_UNKNOWN}, false, "not started: worker has no such program"},
        {{.outcome = PROGRAM_LOST},
         false,
         "not started, or lost: worker is gone or does not answer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text text = TEXT_NONE;
        hook_describe(&rows[i].result, 2000, &text);
        assert_string_equal(text_cstr(&text), rows[i].text);
        assert_int_equal(hook_is_good(&rows[i].result), rows[i].is_good);
        text_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words), cmocka_unit_test(test_mistakes), cmocka_unit_test(test_plan),
        cmocka_unit_test(test_wait),  cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
