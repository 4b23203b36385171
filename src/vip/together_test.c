/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Priorities, and who follows whom.
 */

#include "vip/together.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_priority(void **state)
{
    static const struct {
        uint8_t base;
        unsigned lack;
        uint8_t priority;
    } rows[] = {
        {254, 0, 254}, {253, 0, 253}, {253, 50, 203}, {254, 250, 4}, {100, 99, 1},
        {100, 100, 1}, {1, 0, 1},     {1, 250, 1},    {255, 0, 254}, {255, 250, 254},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(together_priority(rows[i].base, rows[i].lack), rows[i].priority);
}

static void test_lack(void **state)
{
    (void)state;
    assert_int_equal(together_lack(0, false, false), 0);
    assert_int_equal(together_lack(30, false, false), 30);
    assert_int_equal(together_lack(30, true, false), 130);
    assert_int_equal(together_lack(0, false, true), 200);
    assert_int_equal(together_lack(250, true, true), 250);
}

static void test_follower(void **state)
{
    enum { S = 1000, NEVER = 0 };
    static const struct {
        enum vrrp_state leader;
        uint64_t leader_since;
        enum vrrp_state follower;
        uint64_t follower_since;
        uint64_t now;
        bool yields;
        uint64_t again; /* 0: never */
    } rows[] = {
        {VRRP_ACTIVE, 5, VRRP_ACTIVE, 6, 10, false, NEVER},
        {VRRP_ACTIVE, 5, VRRP_BACKUP, 6, 10, false, NEVER},
        {VRRP_BACKUP, 5, VRRP_BACKUP, 6, 10, false, NEVER},
        /* the leader has lost, or has lost its link */
        {VRRP_BACKUP, 7, VRRP_ACTIVE, 6, 10, true, NEVER},
        {VRRP_INITIALIZE, 7, VRRP_ACTIVE, 6, 10, true, NEVER},
        /* the follower was sooner: the leader has two intervals to become Active too */
        {VRRP_BACKUP, 5, VRRP_ACTIVE, 6, 10, false, 6 + 2 * S},
        {VRRP_BACKUP, 5, VRRP_ACTIVE, 6, 5 + 2 * S, false, 6 + 2 * S},
        {VRRP_BACKUP, 5, VRRP_ACTIVE, 6, 6 + 2 * S, true, NEVER},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct vrrp_machine leader = {.state = rows[i].leader,
                                            .since_ns = rows[i].leader_since};
        const struct vrrp_machine follower = {.state = rows[i].follower,
                                              .since_ns = rows[i].follower_since,
                                              .policy = {.interval_ns = S}};
        uint64_t again;
        assert_int_equal(together_yields(&leader, &follower, rows[i].now, &again), rows[i].yields);
        assert_int_equal(again, rows[i].again ? rows[i].again : VRRP_NEVER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_priority),
        cmocka_unit_test(test_lack),
        cmocka_unit_test(test_follower),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
