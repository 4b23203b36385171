/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hooks: what worker starts for an ask, and the pace at which it is repeated.
 */

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

/* ---- asks ---- */

static void test_plan(void **state)
{
    (void)state;
    static const char *const env[] = {
        PROGRAM_PATH,          "WEIR_VIP=front", "WEIR_ADDRESSES=10.0.0.1/24 fd00::1/64",
        "WEIR_INTERFACE=eth0", "WEIR_NODE=a",    "WEIR_STATE=active",
        "WEIR_REASON=silence"};
    struct slice argument = SLICE("x");
    void *arguments[] = {&argument};
    struct hook_conf hook = {.state = HOOK_ACTIVE,
                             .program = SLICE("/b/take"),
                             .argument_list = {.items = arguments, .n_items = 1},
                             .timeout_ms = 2000};
    void *items[] = {&hook};
    const struct conf_list hooks = {.items = items, .n_items = 1};
    struct arena arena;
    struct program_plan plan;
    struct slice vip;
    arena_init(&arena);
    const struct hook_subject subject = {.vip = "front",
                                         .addresses = "10.0.0.1/24 fd00::1/64",
                                         .interface = "eth0",
                                         .node = "a",
                                         .hooks = &hooks};
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
    assert_ptr_equal(hooks_find(&hooks, HOOK_ACTIVE), &hook);
    assert_null(hooks_find(&hooks, HOOK_BACKUP));
    arena_deinit(&arena);
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
        {{.outcome = PROGRAM_SIGNALED, .number = 9}, false, "ended by SIGKILL"},
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
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
