/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usages as a table: words as they are, values in <>, options with what they take.
 */
#include "cli/usage.h"

#include "base/mem.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *usage, *want;
} rows[] = {
    {"help", "help "},
    {"drain TARGET [timeout TIME] [--no-wait] [--state DIR]",
     "drain <TARGET> timeout <TIME> --no-wait --state=DIR "},
    {"force MEMBER up|down|auto [--state DIR]", "force <MEMBER> up down auto --state=DIR "},
    {"explain 'METHOD URL' [header 'NAME: VALUE' ...] [--file FILE]",
     "explain <METHOD> <URL> header <NAME> <VALUE> --file=FILE "},
    {"stop [--now] [--no-wait]", "stop --now --no-wait "},
    {"weight MEMBER NUMBER|default", "weight <MEMBER> <NUMBER> default "},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice rest = slice_from(rows[i].usage);
        struct text got = TEXT_NONE;
        struct usage_item item;
        while (usage_next(&rest, &item)) {
            if (item.kind == USAGE_VALUE)
                text_printf(&got, "<%.*s> ", SLICE_ARG(item.text));
            else
                text_printf(&got, "%.*s%s%.*s ", SLICE_ARG(item.text), item.value.len ? "=" : "",
                            SLICE_ARG(item.value));
        }
        assert_string_equal(text_cstr(&got), rows[i].want);
        text_deinit(&got);
    }
    assert_true(usage_has_option(rows[1].usage, "--state"));
    assert_false(usage_has_option(rows[1].usage, "--stat"));
    assert_false(usage_has_option(rows[1].usage, "MEMBER"));
}

static void test_arguments(void **state)
{
    static const struct {
        const char *usage;
        int n;
        const char *want;
    } wants[] = {
        {"kick QUEUE [N] [--state DIR]", 0, "QUEUE"},
        {"kick QUEUE [N] [--state DIR]", 1, ""},
        {"force MEMBER up|down|auto [--state DIR]", 1, "up|down|auto"},
        {"explain 'METHOD URL'|dns NAME", 0, ""},
        {"status [--json]", 0, ""},
        {"help", 0, ""},
        {"help", 3, ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wants); i++)
        assert_true(slice_is(usage_argument(wants[i].usage, wants[i].n), wants[i].want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_arguments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
