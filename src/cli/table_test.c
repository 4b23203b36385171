/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables as they come out, with and without an edge and colours.
 */
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct table_column columns[] = {{"NAME", false}, {"N", true}, {"REASON", false}};

static void fill(struct table *table)
{
    table_init(table, columns, 3);
    table_cell(table, TABLE_PLAIN, SLICE("app1"));
    table_printf(table, TABLE_PLAIN, "%d", 7);
    table_cell(table, TABLE_GOOD, SLICE("all is well"));
    table_cell(table, TABLE_PLAIN, SLICE("longer"));
    table_printf(table, TABLE_PLAIN, "%d", 1234);
    table_cell(table, TABLE_PLAIN, SLICE(""));
}

static void check(const struct table *table, struct table_style style, const char *want)
{
    struct text out = TEXT_NONE;
    table_print(table, &style, &out);
    assert_string_equal(text_cstr(&out), want);
    text_deinit(&out);
}

static void test_columns(void **state)
{
    (void)state;
    struct table table;
    fill(&table);
    check(&table, (struct table_style){false, 0},
          "NAME       N  REASON\n"
          "app1       7  all is well\n"
          "longer  1234\n");
    check(&table, (struct table_style){true, 100},
          "\x1b[1mNAME\x1b[0m       \x1b[1mN\x1b[0m  \x1b[1mREASON\x1b[0m\n"
          "app1       7  \x1b[32mall is well\x1b[0m\n"
          "longer  1234\n");
    table_deinit(&table);
}

static void test_edge(void **state)
{
    (void)state;
    struct table table;
    fill(&table);
    check(&table, (struct table_style){false, 20},
          "NAME       N  REASON\n"
          "app1       7  all i…\n"
          "longer  1234\n");
    check(&table, (struct table_style){false, 25},
          "NAME       N  REASON\n"
          "app1       7  all is well\n"
          "longer  1234\n");
    table_deinit(&table);
}

static void test_foreign_bytes(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, columns, 3);
    table_cell(&table, TABLE_PLAIN, SLICE("\x1b[2Jgrün"));
    table_cell(&table, TABLE_PLAIN, SLICE(""));
    table_cell(&table, TABLE_PLAIN,
               SLICE("\xc2\x9b"
                     "31m\r\n\x7f"));
    check(&table, (struct table_style){false, 0},
          "NAME      REASON\n"
          "?[2Jgrün  ?31m???\n");
    table_deinit(&table);
    table_init(&table, columns, 3);
    check(&table, (struct table_style){false, 0}, "");
    table_deinit(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_edge),
        cmocka_unit_test(test_foreign_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
