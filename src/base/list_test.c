/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: order, removal while walking and twice, moving whole lists. */
#include "base/list.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char name;
    struct list link;
};

/* The names in order, read forwards; asserts that they are the same backwards. */
static const char *names(const struct list *head, char text[16])
{
    size_t n = 0;
    LIST_EACH (node, head) {
        assert_ptr_equal(node->next->prev, node);
        assert_ptr_equal(node->prev->next, node);
        text[n++] = LIST_ENTRY(node, struct item, link)->name;
    }
    text[n] = '\0';
    struct list *node = head->prev;
    for (; n > 0; node = node->prev)
        assert_int_equal(LIST_ENTRY(node, struct item, link)->name, text[--n]);
    assert_ptr_equal(node, head);
    return text;
}

static void items_init(struct item items[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        items[i].name = (char)('a' + i);
        list_init(&items[i].link);
    }
}

static void test_add_and_remove(void **state)
{
    (void)state;
    char text[16];
    struct list head;
    struct item items[4];
    list_init(&head);
    items_init(items, 4);
    assert_true(list_is_empty(&head));
    assert_null(LIST_FIRST(&head, struct item, link));
    list_add_back(&head, &items[0].link);
    list_add_back(&head, &items[1].link);
    list_add_front(&head, &items[2].link);
    list_add_after(&items[0].link, &items[3].link);
    assert_string_equal(names(&head, text), "cadb");
    assert_ptr_equal(LIST_FIRST(&head, struct item, link), &items[2]);
    assert_true(list_is_linked(&items[3].link));
    list_remove(&items[0].link);
    list_remove(&items[0].link);
    assert_false(list_is_linked(&items[0].link));
    assert_string_equal(names(&head, text), "cdb");
    LIST_EACH (node, &head)
        list_remove(node);
    assert_true(list_is_empty(&head));
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        assert_false(list_is_linked(&items[i].link));
}

static void test_move_all(void **state)
{
    (void)state;
    static const struct {
        size_t n_to, n_from;
        const char *expected;
    } rows[] = {{0, 0, ""},     {0, 1, "a"},    {1, 0, "a"},
                {2, 2, "abcd"}, {0, 4, "abcd"}, {3, 1, "abcd"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[16];
        struct list to, from;
        struct item items[4];
        list_init(&to);
        list_init(&from);
        items_init(items, 4);
        for (size_t j = 0; j < rows[i].n_to + rows[i].n_from; j++)
            list_add_back(j < rows[i].n_to ? &to : &from, &items[j].link);
        list_move_all(&to, &from);
        assert_true(list_is_empty(&from));
        assert_string_equal(names(&to, text), rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_remove),
        cmocka_unit_test(test_move_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
