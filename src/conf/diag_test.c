/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of diagnostics, byte by byte: order, marks under tabs and wide characters, long lines,
 * counts.
 */
#include "base/mem.h"
#include "conf/diag.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct conf_files files;
    struct conf_diag diag;
    struct text page;
};

static int setup(void **state)
{
    struct fixture *fixture = MEM_NEW(struct fixture);
    arena_init(&fixture->arena);
    conf_diag_init(&fixture->diag, &fixture->arena, &fixture->files);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    text_deinit(&fixture->page);
    arena_deinit(&fixture->arena);
    mem_free(fixture);
    return 0;
}

static void add_file(struct fixture *fixture, const char *path, const char *bytes)
{
    fixture->files.items[fixture->files.n_items++] =
        (struct conf_file){slice_from(path), slice_from(bytes)};
}

static struct conf_at at(uint16_t file, uint32_t line, uint32_t column, uint16_t len)
{
    return (struct conf_at){.file = file, .len = len, .line = line, .column = column};
}

static void expect(struct fixture *fixture, const char *page)
{
    conf_diag_print(&fixture->diag, &fixture->page);
    assert_string_equal(text_cstr(&fixture->page), page);
}

static void test_page(void **state)
{
    struct fixture *fixture = *state;
    add_file(fixture, "shop.weir", "one\n  member app2 wieght 2\nthree\n");
    add_file(fixture, "b.weir", "x");
    conf_warning(&fixture->diag, at(1, 1, 1, 1), NULL, "a single %s", "warning");
    conf_error(&fixture->diag, at(0, 2, 15, 6), "did you mean \"weight\"?", "unknown word");
    conf_note(&fixture->diag, at(0, 1, 1, 3), NULL, "a note");
    conf_error(&fixture->diag, at(0, 0, 0, 0), NULL, "cannot read it");
    conf_error(&fixture->diag, at(0, 2, 3, 6), NULL, "before the other");
    conf_error(&fixture->diag, at(0, 2, 3, 6), NULL, "before the other");
    assert_int_equal(fixture->diag.n_errors, 3);
    expect(fixture, "error: cannot read it\n"
                    "shop.weir:1:1: note: a note\n"
                    "    1 | one\n"
                    "      | ^~~\n"
                    "shop.weir:2:3: error: before the other\n"
                    "    2 |   member app2 wieght 2\n"
                    "      |   ^~~~~~\n"
                    "shop.weir:2:15: error: unknown word\n"
                    "    2 |   member app2 wieght 2\n"
                    "      |               ^~~~~~\n"
                    "      = did you mean \"weight\"?\n"
                    "b.weir:1:1: warning: a single warning\n"
                    "    1 | x\n"
                    "      | ^\n"
                    "3 errors, 1 warning\n");
}

static void test_columns(void **state)
{
    struct fixture *fixture = *state;
    add_file(fixture, "f", "\t\tx y\r\n\xc3\xa9\xe6\xbc\xa2 z\n\xff\x01\x1b[0m z\nend");
    conf_error(&fixture->diag, at(0, 1, 5, 1), NULL, "tabs");
    conf_error(&fixture->diag, at(0, 2, 7, 1), NULL, "wide");
    conf_error(&fixture->diag, at(0, 2, 3, 3), NULL, "wide itself");
    conf_error(&fixture->diag, at(0, 3, 8, 1), NULL, "bytes");
    conf_error(&fixture->diag, at(0, 4, 4, 1), NULL, "the end");
    expect(fixture, "f:1:5: error: tabs\n"
                    "    1 | \t\tx y\n"
                    "      | \t\t  ^\n"
                    "f:2:2: error: wide itself\n"
                    "    2 | \xc3\xa9\xe6\xbc\xa2 z\n"
                    "      |  ^~\n"
                    "f:2:4: error: wide\n"
                    "    2 | \xc3\xa9\xe6\xbc\xa2 z\n"
                    "      |     ^\n"
                    "f:3:8: error: bytes\n"
                    "    3 | \?\?\?[0m z\n"
                    "      |        ^\n"
                    "f:4:4: error: the end\n"
                    "    4 | end\n"
                    "      |    ^\n"
                    "5 errors\n");
}

/* A line of 300 letters: what is shown is short, and the mark stands under its letter. */
static void test_long_lines(void **state)
{
    struct fixture *fixture = *state;
    char line[301];
    for (size_t i = 0; i < 300; i++)
        line[i] = (char)('a' + i % 26);
    line[300] = '\0';
    add_file(fixture, "f", line);
    for (uint32_t column = 1; column <= 300; column++) {
        text_clear(&fixture->page);
        fixture->diag.n_items = 0;
        conf_error(&fixture->diag, at(0, 1, column, 1), NULL, "here");
        conf_diag_print(&fixture->diag, &fixture->page);
        struct slice rest = text_slice(&fixture->page);
        slice_cut(&rest, '\n');
        struct slice shown = slice_cut(&rest, '\n');
        struct slice marks = slice_cut(&rest, '\n');
        size_t mark = slice_find(marks, '^');
        assert_true(shown.len <= 8 + 3 + 96 + 3);
        assert_true(mark < shown.len);
        assert_int_equal(shown.ptr[mark], line[column - 1]);
    }
}

static void test_counts(void **state)
{
    struct fixture *fixture = *state;
    add_file(fixture, "f", "x");
    for (uint32_t i = 0; i < 150; i++)
        conf_error(&fixture->diag, at(0, 1, 1, 1), NULL, "number %u", i);
    assert_int_equal(fixture->diag.n_errors, 150);
    conf_diag_print(&fixture->diag, &fixture->page);
    const char *last = strrchr(text_cstr(&fixture->page), '^');
    assert_non_null(last);
    assert_string_equal(last, "^\n150 errors, of which 100 are shown\n");
}

static void test_places(void **state)
{
    struct fixture *fixture = *state;
    add_file(fixture, "f", "a\n\xc3\xa9 b");
    assert_string_equal(conf_at_format(&fixture->files, at(0, 2, 4, 1), &fixture->page), "f:2:3");
    text_clear(&fixture->page);
    assert_string_equal(conf_at_format(&fixture->files, at(0, 0, 0, 0), &fixture->page),
                        "the defaults");
}

static void test_nothing(void **state)
{
    expect(*state, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
