/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap that does not fail: sizes of nothing, zeroes, moved bytes, and how it ends all the same.
 */
#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_nothing_is_an_object_too(void **state)
{
    (void)state;
    char *a = mem_alloc(0);
    char *b = mem_alloc(0);
    char *none = mem_alloc_zero(0, 8);
    char *empty = mem_alloc_zero(8, 0);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(none, empty);
    a = mem_realloc(a, 0);
    assert_non_null(a);
    mem_free(a);
    mem_free(b);
    mem_free(none);
    mem_free(empty);
    mem_free(NULL);
}

struct pair {
    uint32_t key;
    uint64_t value;
};

static void test_new_is_zeroed(void **state)
{
    (void)state;
    /* A block that was dirty before comes back clean. */
    for (int i = 0; i < 3; i++) {
        struct pair *one = MEM_NEW(struct pair);
        struct pair *many = MEM_NEW_ARRAY(struct pair, 100);
        assert_true(one->key == 0 && one->value == 0);
        for (size_t k = 0; k < 100; k++)
            assert_true(many[k].key == 0 && many[k].value == 0);
        memset(one, 0xff, sizeof(*one));
        memset(many, 0xff, 100 * sizeof(*many));
        mem_free(one);
        mem_free(many);
    }
}

static void test_realloc_moves_the_bytes(void **state)
{
    (void)state;
    char *text = mem_strdup("kept");
    assert_string_equal(text, "kept");
    for (size_t size = 8; size <= 1 << 20; size *= 4) {
        text = mem_realloc(text, size);
        assert_string_equal(text, "kept");
    }
    text = mem_realloc(text, 5);
    assert_string_equal(text, "kept");
    mem_free(text);
}

static void test_container(void **state)
{
    (void)state;
    struct pair pair = {.key = 1, .value = 2};
    uint64_t *value = &pair.value;
    assert_ptr_equal(CONTAINER_OF(value, struct pair, value), &pair);
    assert_int_equal(ARRAY_LEN(((char[]){1, 2, 3})), 3);
}

static void ask_for_too_much(void)
{
    const struct rlimit no_core = {0, 0};
    volatile size_t n = SIZE_MAX / 2;
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    close(STDERR_FILENO); /* the assertion's sentence is expected */
    mem_free(mem_alloc_zero(n, 4));
    _exit(0);
}

static void test_an_overflow_ends_the_process(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        ask_for_too_much();
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_an_object_too),     cmocka_unit_test(test_new_is_zeroed),
        cmocka_unit_test(test_realloc_moves_the_bytes),      cmocka_unit_test(test_container),
        cmocka_unit_test(test_an_overflow_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
