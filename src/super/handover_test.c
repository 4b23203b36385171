/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The description of an upgrade: the one of the first version is read, and what is none is not.
 */

#include "base/mem.h"
#include "super/handover.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* 0 and the document, or -1 and the sentence. */
static int read_text(const char *text, json_t **ret_root, struct err *err)
{
    char number[16];
    int fd = -1;
    assert_int_equal(handover_seal(slice_from(text), &fd, err), 0);
    snprintf(number, sizeof(number), "%d", fd);
    int result = handover_read(number, ret_root, err);
    close(fd); /* where it was not read */
    return result;
}

static int by_number(const void *ctx, int fd)
{
    (void)ctx;
    return fd + 100;
}

static void test_version_1(void **state)
{
    (void)state;
    json_t *stored = json_load_file("tests/formats/upgrade-1.json", 0, NULL), *root = NULL;
    assert_non_null(stored);
    char *text = json_dumps(stored, 0);
    struct err err = ERR_NONE;
    assert_int_equal(read_text(text, &root, &err), 0);
    assert_int_equal(handover_int(root, "generation"), 3);
    assert_string_equal(handover_text(root, "binary"), "/usr/bin/weir");
    struct super super = {.last_number = 0};
    list_init(&super.bounds);
    assert_int_equal(
        handover_take_bounds(&super, json_object_get(root, "bounds"), by_number, NULL, &err), 0);
    static const char *const addresses[] = {"127.0.0.1:8080", "unix:/var/lib/weir/admin.sock"};
    size_t n = 0;
    LIST_EACH (node, &super.bounds) {
        struct bound *bound = LIST_ENTRY(node, struct bound, node);
        char address[ADDR_TEXT_MAX];
        const char *want = n < ARRAY_LEN(addresses) ? addresses[n] : "no further one";
        assert_string_equal(addr_format(&bound->addr, address), want);
        assert_int_equal(bound->type, SOCK_STREAM);
        assert_true(bound->is_inherited && bound->fds[0] == (n ? 113 : 111));
        assert_int_equal(bound->n_fds, n ? 1 : 2);
        assert_true(bound->number == (n ? 3 : 1) && bound->inode == (n ? 7 : 0));
        list_remove(&bound->node);
        mem_free(bound->fds);
        mem_free(bound);
        n++;
    }
    assert_int_equal(n, 2);
    free(text);
    json_decref(root);
    json_decref(stored);
}

static void test_others_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"weir-upgrade\":2}", "{\"weir-upgrade\":\"1\"}", "{}", "[]", "nonsense", "{\"weir-up",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *root = NULL;
        struct err err = ERR_NONE;
        if (read_text(cases[i], &root, &err) != -1)
            fail_msg("taken: %s", cases[i]);
        assert_true(err.text[0] != 0);
    }
    struct err err = ERR_NONE;
    json_t *root = NULL;
    read_text("{\"weir-upgrade\":2}", &root, &err);
    assert_non_null(strstr(err.text, "format 2"));
}

/* What anybody could still change is not read. */
static void test_only_what_is_sealed(void **state)
{
    (void)state;
    static const char text[] = "{\"weir-upgrade\":1}";
    char number[16];
    json_t *root = NULL;
    struct err err = ERR_NONE;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    snprintf(number, sizeof(number), "%d", fd);
    assert_int_equal(handover_read(number, &root, &err), -1);
    assert_int_equal(handover_read("-1", &root, &err), -1);
    assert_int_equal(handover_read("9999", &root, &err), -1);
    assert_int_equal(handover_read("", &root, &err), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_others_are_refused),
        cmocka_unit_test(test_only_what_is_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
