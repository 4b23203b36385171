/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies in pieces of many sizes around the bound, in memory and in a file, whole again each time;
 * and files that cannot be had or written.
 */
#include "web/body.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { BODY_MAX = 3 * WEB_SPOOL_BYTES };

static int open_file(void *ctx)
{
    int *n_opened = ctx;
    (*n_opened)++;
    return memfd_create("body", MFD_CLOEXEC);
}

static int open_none(void *ctx)
{
    (void)ctx;
    errno = ENOSPC;
    return -1;
}

static int open_unwritable(void *ctx)
{
    (void)ctx;
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void check(const char *bytes, size_t len, size_t step, web_spool_fn *open_spool)
{
    int n_opened = 0;
    struct web_body body = WEB_BODY_NONE;
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        assert_int_equal(web_body_append(&body, slice_make(bytes + at, n), open_spool, &n_opened),
                         0);
        assert_int_equal(body.len, at + n);
    }
    assert_int_equal(n_opened, open_spool && len > WEB_SPOOL_BYTES);
    struct slice all;
    for (int i = 0; i < 2; i++) { /* asking twice is one mapping */
        assert_int_equal(web_body_slice(&body, &all), 0);
        assert_int_equal(all.len, len);
        assert_true(len == 0 || memcmp(all.ptr, bytes, len) == 0);
    }
    web_body_deinit(&body);
    assert_int_equal(body.fd, -1);
}

static void test_pieces(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, WEB_SPOOL_BYTES, WEB_SPOOL_BYTES + 1, BODY_MAX};
    static const size_t steps[] = {7001, WEB_SPOOL_BYTES - 1, WEB_SPOOL_BYTES, WEB_SPOOL_BYTES + 1,
                                   BODY_MAX};
    char *bytes = mem_alloc(BODY_MAX);
    for (size_t i = 0; i < BODY_MAX; i++)
        bytes[i] = (char)('a' + i % 23);
    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        for (size_t j = 0; j < sizeof(steps) / sizeof(*steps); j++) {
            check(bytes, lens[i], steps[j], open_file);
            check(bytes, lens[i], steps[j], NULL);
        }
    }
    mem_free(bytes);
}

static void refuse(web_spool_fn *open_spool, int error)
{
    struct web_body body = WEB_BODY_NONE;
    char *bytes = mem_alloc(WEB_SPOOL_BYTES);
    memset(bytes, 'x', WEB_SPOOL_BYTES);
    struct slice piece = slice_make(bytes, WEB_SPOOL_BYTES);
    assert_int_equal(web_body_append(&body, piece, open_spool, NULL), 0);
    assert_int_equal(web_body_append(&body, piece, open_spool, NULL), -1);
    assert_int_equal(errno, error);
    web_body_deinit(&body);
    mem_free(bytes);
}

static void test_no_place(void **state)
{
    (void)state;
    refuse(open_none, ENOSPC);
    refuse(open_unwritable, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces),
                                       cmocka_unit_test(test_no_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
