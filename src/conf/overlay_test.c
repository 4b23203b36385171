/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An overlay over a tree as a table: a file and an overlay in; the tree that comes of both, what is
 * left of the overlay, and what is said out.
 */
#include "conf/overlay.h"

#include "base/mem.h"
#include "conf/print.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *file, *overlay; /* the overlay without its first line */
    const char *tree;           /* a statement a line */
    const char *left;           /* of the overlay, without its first line */
    const char *said; /* sentences, a line each; NULL: a mistake, and this in its stead: */
    const char *mistake;
};

static const struct row rows[] = {
    {"pool web { member a 1:1 }", "pool web {\n member b 2:2 weight 3\n}",
     "pool web { member a 1:1; member b 2:2 weight 3 }\n",
     "pool web {\n    member b 2:2 weight 3\n}\n", "", NULL},
    {"pool web { member a 1:1; member b { weight 2; backup }; check tcp }",
     "pool web { without member b { weight 2; backup } }", "pool web { member a 1:1; check tcp }\n",
     "pool web {\n    without member b { weight 2; backup }\n}\n", "", NULL},
    {"pool web { member a 1:1 }", "pool web { member a 9:9; without member a 1:1 }",
     "pool web { member a 9:9 }\n", "pool web {\n    member a 9:9\n    without member a 1:1\n}\n",
     "", NULL},
    {"pool web { member a 1:1 }; pool api { member a 1:1 }",
     "pool api { member b 2:2 }; pool web { member c \"3 3\" }; pool api { member d 4:4 }",
     "pool web { member a 1:1; member c \"3 3\" }\n"
     "pool api { member a 1:1; member b 2:2; member d 4:4 }\n",
     "pool api {\n    member b 2:2\n    member d 4:4\n}\npool web {\n    member c \"3 3\"\n}\n", "",
     NULL},
    {"pool web", "pool web { member a 1:1 }", "pool web { member a 1:1 }\n",
     "pool web {\n    member a 1:1\n}\n", "", NULL},
    /* the file wins */
    {"pool web { member a 1:1; member b 2:2 }", "pool web { member b 3:3 }",
     "pool web { member a 1:1; member b 2:2 }\n", "",
     "member web/b was added at run time, but the file has one of that name now: the file's "
     "counts\n",
     NULL},
    {"pool web { member a 1:1; member b 2:2 weight 4 }", "pool web { without member b 2:2 }",
     "pool web { member a 1:1; member b 2:2 weight 4 }\n", "",
     "member web/b was removed at run time, but the file has changed it since: the file's counts, "
     "it is back\n",
     NULL},
    {"pool api { member a 1:1 }", "pool web { member b 2:2; without member c 3:3 }",
     "pool api { member a 1:1 }\n", "",
     "member web/c was removed at run time, but the pool is gone from the file\n"
     "member web/b was added at run time, but the pool is gone from the file\n",
     NULL},
    {"pool web { member a 1:1; member b 2:2 }", "pool web { member b 2:2; without member c 3:3 }",
     "pool web { member a 1:1; member b 2:2 }\n", "",
     "member web/c, which was removed at run time, is gone from the file too\n"
     "member web/b, which was added at run time, stands in the file now\n",
     NULL},
    /* what it may not hold */
    {"pool web", "listen shop http 1:1", NULL, NULL, NULL, "pool NAME { ... }"},
    {"pool web", "pool web { check tcp }", NULL, NULL, NULL, "member NAME ..."},
    {"pool web", "pool web { member }", NULL, NULL, NULL, "member NAME ..."},
    {"pool web", "pool web { without }", NULL, NULL, NULL, "member NAME ..."},
    {"pool web", "pool web { without without member a }", NULL, NULL, NULL, "member NAME ..."},
    {"pool web", "pool web { \"member\" a }", NULL, NULL, NULL, "member NAME ..."},
    {"pool web", "pool \"web\" extra { member a }", NULL, NULL, NULL, "pool NAME { ... }"},
    {"pool web", "include /etc/passwd", NULL, NULL, NULL, "may include no other"},
    {"pool web", "include /etc/*", NULL, NULL, NULL, "may include no other"},
    {"pool web", "include overlay", NULL, NULL, NULL, "include itself"},
    {"pool web", "pool web { member ${HOME} }", NULL, NULL, NULL, "HOME"},
    {"pool web", "pool web { member a", NULL, NULL, NULL, "closed"},
};

static int read_pair(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                     struct err *err)
{
    const struct row *row = ctx;
    (void)err;
    if (slice_is(path, "file"))
        *ret_bytes = arena_dup(arena, slice_from(row->file));
    else
        *ret_bytes = slice_from(arena_printf(arena, "runtime 1\n%s\n", row->overlay));
    return 0;
}

static int glob_all(void *ctx, struct slice pattern, struct arena *arena, struct slice **ret_paths,
                    size_t *ret_n, struct err *err)
{
    (void)ctx;
    (void)err;
    *ret_paths = ARENA_NEW_ARRAY(arena, struct slice, 1);
    (*ret_paths)[0] = pattern;
    *ret_n = 1;
    return 0;
}

static const char *env_all(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
    return "secret";
}

static const struct conf_overlay_words words = {.block = "pool", .statement = "member"};

struct reading {
    struct arena arena;
    struct conf_files files;
    struct conf_diag *diag;
    struct conf_stmt *root;
    struct conf_overlay *overlay;
};

static void reading_init(struct reading *reading, const struct row *row)
{
    struct row copy = *row;
    const struct conf_host host = {
        .ctx = &copy, .read = read_pair, .glob = glob_all, .env = env_all};
    arena_init(&reading->arena);
    reading->files.n_items = 0;
    reading->files.folder = SLICE("");
    reading->diag = ARENA_NEW(&reading->arena, struct conf_diag);
    conf_diag_init(reading->diag, &reading->arena, &reading->files);
    reading->root =
        conf_tree_read(SLICE("file"), &host, &reading->arena, &reading->files, reading->diag);
    assert_int_equal(reading->diag->n_errors, 0);
    reading->overlay = conf_overlay_merge(reading->root, SLICE("overlay"), &host, &words,
                                          &reading->arena, &reading->files, reading->diag);
}

static void check_mistake(const struct reading *reading, const struct row *row)
{
    bool is_said = false;
    for (size_t i = 0; i < reading->diag->n_items; i++)
        is_said = is_said || strstr(reading->diag->items[i].text, row->mistake);
    if (!is_said || reading->diag->n_errors == 0)
        fail_msg("\"%s\": nobody said \"%s\"", row->overlay, row->mistake);
}

static void check_row(const struct row *row)
{
    struct reading *reading = MEM_NEW(struct reading);
    struct text tree = TEXT_NONE, said = TEXT_NONE, left = TEXT_NONE, want = TEXT_NONE;
    reading_init(reading, row);
    if (row->mistake) {
        check_mistake(reading, row);
    } else {
        for (size_t i = 0; i < reading->root->n_children; i++) {
            conf_print_line(reading->root->children[i], 0, &tree);
            text_append_char(&tree, '\n');
        }
        for (size_t i = 0; i < reading->diag->n_items; i++)
            text_printf(&said, "%s\n", reading->diag->items[i].text);
        conf_overlay_print(reading->overlay, &words, &left);
        text_printf(&want, "runtime 1\n%s", row->left);
        assert_string_equal(text_cstr(&tree), row->tree);
        assert_string_equal(text_cstr(&said), row->said);
        assert_string_equal(text_cstr(&left), text_cstr(&want));
        assert_int_equal(reading->diag->n_errors, 0);
    }
    text_deinit(&tree);
    text_deinit(&said);
    text_deinit(&left);
    text_deinit(&want);
    arena_deinit(&reading->arena);
    mem_free(reading);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&rows[i]);
}

/* Places of what was added name the overlay. */
static void test_places(void **state)
{
    (void)state;
    struct reading *reading = MEM_NEW(struct reading);
    reading_init(reading, &rows[0]);
    const struct conf_stmt *pool = reading->root->children[0];
    struct text place = TEXT_NONE;
    assert_int_equal(pool->n_children, 2);
    conf_at_format(&reading->files, conf_stmt_at(pool->children[1]), &place);
    assert_string_equal(text_cstr(&place), "overlay:3:2");
    assert_ptr_equal(pool->children[1]->parent, pool);
    text_deinit(&place);
    arena_deinit(&reading->arena);
    mem_free(reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
