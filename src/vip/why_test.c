/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sentences about moves.
 */

#include "vip/why.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define A "a (10.77.0.1)"
static const struct row {
    struct why why;
    const char *text;
} rows[] = {
    {{VRRP_WHY_SILENCE, A, 254, 253, 3014000000, NULL}, A " was silent for 3.01 s"},
    {{VRRP_WHY_SILENCE, NULL, 0, 253, 0, NULL}, "nobody else was heard"},
    {{VRRP_WHY_RESIGNED, A, 0, 253, 0, NULL}, A " resigned"},
    {{VRRP_WHY_RESIGNED, NULL, 0, 253, 0, NULL}, "the Active resigned"},
    {{VRRP_WHY_PREEMPTS, A, 200, 254, 0, NULL},
     A " was Active with priority 200, which is below 254"},
    {{VRRP_WHY_OUTRANKED, A, 254, 223, 0, NULL},
     A " is Active with priority 254, which is above 223"},
    {{VRRP_WHY_TIE, A, 253, 253, 0, NULL},
     A " is Active with the same priority and a higher address"},
    {{VRRP_WHY_PEER_BETTER, A, 253, 223, 0, NULL}, A " took over: it is better off"},
    {{VRRP_WHY_YIELDED, A, 253, 1, 0, "drained by the operator"},
     A " took over: drained by the operator"},
    {{VRRP_WHY_YIELDED, NULL, 0, 1, 0, "weir stops"}, "weir stops"},
    {{VRRP_WHY_YIELDED, NULL, 0, 1, 0, NULL}, "it was told to hand over"},
    {{VRRP_WHY_STALLED, A, 254, 253, 0, NULL}, "it slept longer than its peers wait"},
    {{VRRP_WHY_STARTED, NULL, 0, 253, 0, NULL}, "it started, and listens first"},
};

static void test_sentences(void **state)
{
    char text[WHY_MAX];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        why_text(&rows[i].why, text);
        assert_string_equal(text, rows[i].text);
    }
    const struct why why = {.who = A, .who_priority = 254};
    why_following(&why, text);
    assert_string_equal(text, A " is Active with priority 254");
}

/* Whatever names are like: who and how much is not cut off. */
static void test_long_names(void **state)
{
    static const char ip[] = "2001:db8:1111:2222:3333:4444:5555:6666";
    char who[WHY_WHO_MAX], text[WHY_MAX];
    (void)state;
    why_who(SLICE("a"), "10.77.0.1", who);
    assert_string_equal(who, A);
    why_who(SLICE(""), "fe80::1", who);
    assert_string_equal(who, "fe80::1");
    why_who(SLICE("edge-1"), ip, who);
    assert_string_equal(who, "edge-1");
    why_who(SLICE(""), ip, who);
    assert_int_equal(strlen(who), WHY_WHO_MAX - 1);
    for (int reason = 0; reason < VRRP_REASONS; reason++) {
        const struct why why = {(enum vrrp_reason)reason, who, 254, 253, UINT64_MAX, ip};
        why_text(&why, text);
        assert_true(strlen(text) > 0 && strlen(text) < WHY_MAX - 1);
    }
    const struct why why = {VRRP_WHY_OUTRANKED, who, 254, 253, 0, NULL};
    why_text(&why, text);
    assert_non_null(strstr(text, "which is above 253"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sentences),
                                       cmocka_unit_test(test_long_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
