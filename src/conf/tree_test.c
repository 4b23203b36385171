/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree as a table: files in, statements and mistakes out. A statement is shown as its words
 * joined by `.`, its block in braces.
 */
#include "base/mem.h"
#include "conf/sample.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void show(struct text *out, const struct conf_stmt *stmt)
{
    for (size_t i = 0; i < stmt->n_children; i++) {
        const struct conf_stmt *child = stmt->children[i];
        text_append(out, i ? SLICE(" ") : SLICE(""));
        assert_ptr_equal(child->parent, stmt);
        for (size_t k = 0; k < child->n_tokens; k++)
            text_printf(out, "%s%.*s", k ? "." : "", SLICE_ARG(child->tokens[k].text));
        if (!child->has_block)
            continue;
        text_append_char(out, '{');
        show(out, child);
        text_append_char(out, '}');
    }
}

struct row {
    const char *text, *tree, *mistakes;
};

static void check_row(const struct row *row)
{
    struct sample *sample = MEM_NEW(struct sample);
    struct text tree = TEXT_NONE, mistakes = TEXT_NONE;
    sample_fill(sample, slice_from(row->text));
    arena_init(&sample->arena);
    conf_diag_init(&sample->diag, &sample->arena, &sample->files);
    struct conf_host host = sample_host(sample);
    sample->root =
        conf_tree_read(SLICE("main.weir"), &host, &sample->arena, &sample->files, &sample->diag);
    show(&tree, sample->root);
    for (size_t i = 0; i < sample->diag.n_items; i++) {
        conf_at_format(&sample->files, sample->diag.items[i].at, &mistakes);
        text_printf(&mistakes, " %s\n", sample->diag.items[i].text);
    }
    assert_string_equal(text_cstr(&tree), row->tree);
    assert_string_equal(text_cstr(&mistakes), row->mistakes);
    text_deinit(&tree);
    text_deinit(&mistakes);
    sample_deinit(sample);
    mem_free(sample);
}

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_row(&rows[i]);
}

static void test_statements(void **state)
{
    static const struct row rows[] = {
        {"", "", ""},
        {"\n;;\n# nothing\n", "", ""},
        {"a b\nc", "a.b c", ""},
        {"a; b ;c", "a b c", ""},
        {"a { }", "a{}", ""},
        {"a b { c d; e }\nf", "a.b{c.d e} f", ""},
        {"a {\n b {\n c\n }\n}", "a{b{c}}", ""},
        {"a { b }; c", "a{b} c", ""},
        {"a{b{c}}", "a{b{c}}", ""},
        {"a \"{\" b", "a.{.b", ""},
        {"a { b } c", "a{b} c",
         "main.weir:1:9 a newline or ; is missing behind the } before this\n"},
        {"a { b", "a{b}", "main.weir:1:3 this { is never closed\n"},
        {"a }\nb", "a b", "main.weir:1:3 this } closes nothing\n"},
        {"a\n{ b }\nc", "a{b} c", "main.weir:2:1 a { stands at the end of the line of its word\n"},
        {"{ b }\nc", "c", "main.weir:1:1 a { stands at the end of the line of its word\n"},
        {"a { x } { y }\nb", "a{x} b",
         "main.weir:1:9 a newline or ; is missing behind the } before this\n"
         "main.weir:1:9 a { stands at the end of the line of its word\n"},
    };
    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void test_include(void **state)
{
    static const struct row rows[] = {
        {"a\ninclude b\nc\n=== b\nx { y }\n", "a x{y} c", ""},
        {"p { include b }\n=== b\nx; y\n", "p{x y}", ""},
        {"include d/*\n=== d/1\nx\n=== d/2\ny\n", "x y", ""},
        {"include none/*", "", ""},
        {"include d/b\n=== d/b\ninclude c\n=== d/c\nx\n", "x", ""},
        {"include b; include b\n=== b\nx\n", "x x", ""},
        {"\"include\" b", "include.b", ""},
        {"include b", "", "main.weir:1:9 cannot read b: there is no such file\n"},
        {"include", "", "main.weir:1:1 include takes one path or pattern\n"},
        {"include a b", "", "main.weir:1:1 include takes one path or pattern\n"},
        {"include a { }", "", "main.weir:1:1 include takes one path or pattern\n"},
        {"include \"\"", "", "main.weir:1:9 this path is empty\n"},
        {"include [a]", "", "main.weir:1:9 [a] is no pattern\n"},
        {"include main.weir", "", "main.weir:1:9 main.weir would include itself\n"},
        {"include b\n=== b\ninclude main.weir\n", "", "b:1:9 main.weir would include itself\n"},
        {"include b\n=== b\nx {\n", "x{}", "b:1:3 this { is never closed\n"},
        {"a {\ninclude b\n}\n=== b\n}\n", "a{}", "b:1:1 this } closes nothing\n"},
        {"include ${NOT}", "", "main.weir:1:9 the environment variable NOT is not set\n"},
    };
    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void test_no_file(void **state)
{
    struct sample *sample = MEM_NEW(struct sample);
    struct conf_host host = sample_host(sample);
    (void)state;
    arena_init(&sample->arena);
    conf_diag_init(&sample->diag, &sample->arena, &sample->files);
    sample->root =
        conf_tree_read(SLICE("absent"), &host, &sample->arena, &sample->files, &sample->diag);
    assert_int_equal(sample->root->n_children, 0);
    assert_int_equal(sample->diag.n_errors, 1);
    assert_string_equal(sample->diag.items[0].text, "cannot read absent: there is no such file");
    assert_int_equal(sample->diag.items[0].at.line, 0);
    sample_deinit(sample);
    mem_free(sample);
}

/* Text that repeats `part`, with the single mistake `mistake`, or none. */
static void check_limit(const char *part, size_t n, const char *end, const char *mistake)
{
    struct sample *sample = MEM_NEW(struct sample);
    struct text text = TEXT_NONE;
    for (size_t i = 0; i < n; i++)
        text_append(&text, slice_from(part));
    text_append(&text, slice_from(end));
    sample_fill(sample, text_slice(&text));
    arena_init(&sample->arena);
    conf_diag_init(&sample->diag, &sample->arena, &sample->files);
    struct conf_host host = sample_host(sample);
    conf_tree_read(SLICE("main.weir"), &host, &sample->arena, &sample->files, &sample->diag);
    assert_int_equal(sample->diag.n_errors, mistake ? 1 : 0);
    if (mistake)
        assert_string_equal(sample->diag.items[0].text, mistake);
    sample_deinit(sample);
    mem_free(sample);
    text_deinit(&text);
}

static void test_limits(void **state)
{
    (void)state;
    check_limit("a ", CONF_TOKENS_MAX, "", NULL);
    check_limit("a ", CONF_TOKENS_MAX + 10, "\nb", "a setting of more than 200 words");
    check_limit("a{", CONF_DEPTH_MAX, "}}}}}}}}}}}}}}}}", NULL);
    check_limit("a{", CONF_DEPTH_MAX + 1, "}}}}}}}}}}}}}}}}}", "blocks more than 16 deep");
    check_limit("a\n", CONF_STATEMENTS_MAX, "", NULL);
    check_limit("a\n", CONF_STATEMENTS_MAX + 1, "", "more than 20000 settings in all");
    check_limit("a{b\n", 1, "}", NULL);
    check_limit("#23456789abcdef\n", CONF_FILE_MAX / 16, "", NULL);
    check_limit("#23456789abcdef\n", CONF_FILE_MAX / 16, "\n", "main.weir is larger than 4 MiB");
}

/* A host whose every file includes a deeper one. */
static int chain_read(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                      struct err *err)
{
    (void)ctx;
    (void)err;
    *ret_bytes = slice_from(arena_printf(arena, "include %.*sx", SLICE_ARG(path)));
    return 0;
}

static void test_include_depth(void **state)
{
    struct sample *sample = MEM_NEW(struct sample);
    struct conf_host host = {.read = chain_read};
    (void)state;
    arena_init(&sample->arena);
    conf_diag_init(&sample->diag, &sample->arena, &sample->files);
    conf_tree_read(SLICE("f"), &host, &sample->arena, &sample->files, &sample->diag);
    assert_int_equal(sample->diag.n_errors, 1);
    assert_string_equal(sample->diag.items[0].text, "files include one another more than 16 deep");
    assert_int_equal(sample->files.n_items, CONF_DEPTH_MAX);
    sample_deinit(sample);
    mem_free(sample);
}

/* A byte order mark is no part of the first line: places and marks count from behind it. */
static void test_byte_order_mark(void **state)
{
    struct sample *sample = MEM_NEW(struct sample);
    struct text page = TEXT_NONE;
    (void)state;
    sample_load(sample, SLICE("\xef\xbb\xbflevl 3\n"));
    conf_diag_print(&sample->diag, &page);
    assert_string_equal(text_cstr(&page), "main.weir:1:1: error: unknown word \"levl\"\n"
                                          "    1 | levl 3\n"
                                          "      | ^~~~\n"
                                          "      = did you mean \"level\"?\n"
                                          "1 error\n");
    text_deinit(&page);
    sample_deinit(sample);
    mem_free(sample);
}

/* Every word keeps its place: file, line, column in bytes, length. */
static void test_places(void **state)
{
    struct sample *sample = MEM_NEW(struct sample);
    (void)state;
    sample_load(sample, SLICE("include b\n=== b\n\n\t\xc3\xa9 word \"q q\" {\n}\n"));
    assert_int_equal(sample->root->n_children, 1);
    const struct conf_stmt *stmt = sample->root->children[0];
    const struct conf_at *at = &stmt->tokens[2].at;
    assert_int_equal(stmt->n_tokens, 3);
    assert_int_equal(at->file, 1);
    assert_int_equal(at->line, 2);
    assert_int_equal(at->column, 10);
    assert_int_equal(at->len, 5);
    assert_int_equal(stmt->end.line, 3);
    assert_true(slice_is(sample->files.items[1].path, "b"));
    struct conf_at root = conf_stmt_at(sample->root);
    assert_int_equal(root.line, 1);
    sample_deinit(sample);
    mem_free(sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),    cmocka_unit_test(test_include),
        cmocka_unit_test(test_no_file),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_include_depth), cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
