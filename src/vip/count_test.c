/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is counted has the names that the wire has for it, and no word twice.
 */

#include "vip/count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct metric_def *find(const struct metric_table *table, uint32_t word)
{
    const struct metric_def *found = NULL;
    for (const struct metric_def *def = table->defs; def->name; def++) {
        if (def->word != word)
            continue;
        assert_null(found);
        found = def;
    }
    return found;
}

static void test_every_word_is_told_once(void **state)
{
    (void)state;
    for (const struct metric_def *def = vip_metrics.defs; def->name; def++) {
        assert_true(def->word < VIP_WORDS);
        assert_ptr_equal(find(&vip_metrics, def->word), def);
    }
    for (const struct metric_def *def = vrrp_metrics.defs; def->name; def++) {
        assert_true(def->word < VRRP_WORDS);
        assert_ptr_equal(find(&vrrp_metrics, def->word), def);
    }
}

static void test_reasons(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < VRRP_REASONS; i++) {
        const struct metric_def *def = find(&vip_metrics, VIP_WORD_MOVE + i);
        assert_string_equal(def ? def->label_value : "none", vrrp_reason_name((enum vrrp_reason)i));
    }
}

/* Each refusal is counted where it can happen: at a group, at the interface, or at both. */
static void test_refusals(void **state)
{
    (void)state;
    for (uint32_t i = VRRP_FINE + 1; i < VRRP_REFUSALS; i++) {
        const struct metric_def *of_vip = find(&vip_metrics, VIP_WORD_REFUSED + i);
        const struct metric_def *of_port = find(&vrrp_metrics, VRRP_WORD_REFUSED + i);
        const char *name = vrrp_refusal_name((enum vrrp_refusal)i);
        assert_true(of_vip || of_port);
        if (of_vip)
            assert_string_equal(of_vip->label_value, name);
        if (of_port)
            assert_string_equal(of_port->label_value, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_word_is_told_once),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
