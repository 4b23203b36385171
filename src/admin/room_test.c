/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When a disk counts as full, and when no longer.
 */

#include "admin/room.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { BLOCK = 4096, LEAST = 64 << 20, BLOCKS = LEAST / BLOCK };

static const struct row {
    uint64_t n_blocks, n_files, n_free_files;
    bool was_full;
    enum fact_state state;
    const char *reason;
} rows[] = {
    {BLOCKS, 1000, 10, false, FACT_UP, ""},
    {BLOCKS - 1, 1000, 10, false, FACT_FAILED, "less than 64M free in the state directory"},
    {0, 1000, 10, false, FACT_FAILED, "less than 64M free in the state directory"},
    /* Full until a quarter more is free. */
    {BLOCKS, 1000, 10, true, FACT_FAILED, "less than 80M free in the state directory"},
    {BLOCKS + BLOCKS / 4 - 1, 1000, 10, true, FACT_FAILED,
     "less than 80M free in the state directory"},
    {BLOCKS + BLOCKS / 4, 1000, 10, true, FACT_UP, ""},
    {BLOCKS, 1000, 0, false, FACT_FAILED, "no room for another file in the state directory"},
    /* Some file systems do not count files. */
    {BLOCKS, 0, 0, false, FACT_UP, ""},
};

static void test_judge(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        const struct statvfs found = {.f_frsize = BLOCK,
                                      .f_bsize = 1 << 20, /* means nothing here */
                                      .f_bavail = row->n_blocks,
                                      .f_bfree = UINT32_MAX, /* root's */
                                      .f_files = row->n_files,
                                      .f_favail = row->n_free_files};
        char reason[FACT_REASON_MAX];
        assert_int_equal(room_judge(&found, LEAST, row->was_full, reason), row->state);
        assert_string_equal(reason, row->reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
