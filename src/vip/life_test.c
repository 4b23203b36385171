/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Vips at work on a real interface: what a plan begins, keeps and ends, which addresses are put,
 * left alone and removed, and what an earlier life has left.
 */

#include "vip/stage.h"
#include <assert.h>

#define VIP_EACH(interval, name, addresses, words) \
    "vip " addresses " on v0 { name " name "; interval " interval "; priority 200; " words " }\n"
#define VIP(name, addresses, words) VIP_EACH("10ms", name, addresses, words)
#define FRONT                       VIP("front", "10.9.0.100/24", "id 51")
/* A next life that a busy machine keeps waiting is in time nevertheless. */
#define SLOW  VIP_EACH("5s", "front", "10.9.0.100/24", "id 51")
#define LEAST "state-room 1M\n"

static struct vip *named(const struct stage *stage, const char *name)
{
    uint32_t i = 0;
    while (i < stage->vips.n_items && strcmp(stage->vips.items[i]->name, name) != 0)
        i++;
    assert(i < stage->vips.n_items);
    return stage->vips.items[i];
}

static void wait_gone(struct stage *stage, const char *fact)
{
    stage_wait(stage, fact, FACT_NONE);
}

static void test_life(void **state)
{
    (void)state;
    struct stage stage;
    struct rtnl_address found;
    stage_open_cable(&stage, LEAST);
    stage_commit(&stage, FRONT);
    assert_false(stage_has(&stage, 100, NULL));
    stage_wait(&stage, "vip:front", FACT_ACTIVE);
    assert_true(stage_has(&stage, 100, &found));
    assert_int_equal(found.n_bits, 24);
    assert_int_equal(found.protocol, VIP_ADDRESS_PROTOCOL);
    assert_true(found.valid_s <= group_life_s(10));
    assert_true(vip_has_addresses(&named(&stage, "front")->groups[VIP_IPV4]));
    /* Another address: the group goes on, and the former one goes. */
    const struct vip *former = named(&stage, "front");
    stage_commit(&stage, VIP("front", "10.9.0.101/24", "id 51"));
    assert_ptr_equal(named(&stage, "front"), former);
    assert_int_equal(stage_state(&stage, "vip:front"), FACT_ACTIVE);
    assert_true(stage_has(&stage, 101, NULL) && !stage_has(&stage, 100, NULL));
    /* Gone from the file, it hands over; nobody takes it, so that it ends by itself. */
    stage_commit(&stage, LEAST);
    assert_true(stage_has(&stage, 101, NULL));
    wait_gone(&stage, "vip:front");
    assert_int_equal(stage.vips.n_items, 0);
    assert_false(stage_has(&stage, 101, NULL));
    stage_close(&stage);
}

/* Another id is another group: it begins anew, with the same name and addresses. */
static void test_replaced(void **state)
{
    (void)state;
    struct stage stage;
    stage_open_cable(&stage, LEAST);
    stage_commit(&stage, FRONT);
    stage_wait(&stage, "vip:front", FACT_ACTIVE);
    stage_commit(&stage, VIP("front", "10.9.0.100/24", "id 52"));
    assert_int_equal(stage.vips.n_items, 1);
    assert_int_equal(group_state(&named(&stage, "front")->groups[VIP_IPV4].group), VRRP_BACKUP);
    assert_false(stage_has(&stage, 100, NULL));
    stage_wait(&stage, "vip:front", FACT_BACKUP);
    stage_wait(&stage, "vip:front", FACT_ACTIVE);
    assert_true(stage_has(&stage, 100, NULL));
    stage_close(&stage);
}

/* A plan that is given up has begun nothing, and ended nothing. */
static void test_abort(void **state)
{
    (void)state;
    struct stage stage;
    struct err err = ERR_NONE;
    stage_open_cable(&stage, LEAST);
    stage_commit(&stage, FRONT);
    stage_wait(&stage, "vip:front", FACT_ACTIVE);
    struct snapshot *snap = stage_read(VIP("other", "10.9.0.102/24", "id 53"));
    struct vip_plan *plan = vip_plan_create(&stage.vips, snap, &err);
    assert_non_null(plan);
    vip_plan_abort(&stage.vips, &plan);
    assert_null(plan);
    snapshot_unref(&snap);
    assert_int_equal(stage.vips.n_items, 1);
    assert_int_equal(stage_state(&stage, "vip:front"), FACT_ACTIVE);
    assert_true(stage_has(&stage, 100, NULL));
    stage_close(&stage);
}

/* What somebody else has put there is neither ours to renew nor to remove. */
static void test_foreign(void **state)
{
    (void)state;
    struct stage stage;
    struct rtnl_address found;
    stage_open_cable(&stage, LEAST);
    stage_put(&stage, 100, false);
    stage_commit(&stage, VIP("front", "10.9.0.100/24 10.9.0.101/24", "id 51"));
    stage_wait(&stage, "vip:front", FACT_ACTIVE);
    assert_true(stage_has(&stage, 100, &found));
    assert_int_equal(found.valid_s, RTNL_FOREVER);
    assert_true(stage_has(&stage, 101, NULL));
    stage_commit(&stage, LEAST);
    wait_gone(&stage, "vip:front");
    assert_true(stage_has(&stage, 100, NULL) && !stage_has(&stage, 101, NULL));
    stage_close(&stage);
}

static void test_drain(void **state)
{
    (void)state;
    struct stage stage;
    stage_open_cable(&stage, LEAST);
    stage_commit(&stage, FRONT);
    stage_wait(&stage, "vip:front", FACT_ACTIVE);
    assert_false(vip_is_drained(named(&stage, "front")));
    stage.vips.is_draining = true;
    vips_reconsider(&stage.vips);
    stage_wait(&stage, "vip:front", FACT_DRAINING);
    assert_true(stage_has(&stage, 100, NULL)); /* until another has it */
    vip_end(named(&stage, "front"), true);
    assert_false(stage_has(&stage, 100, NULL));
    assert_true(vip_is_drained(named(&stage, "front")));
    stage_close(&stage);
}

/* The next life goes on where the board says so and the address is there. */
static const struct life_row {
    enum fact_state fact;
    bool is_first_life, has_address;
    enum vrrp_state state;
} life_rows[] = {
    {FACT_ACTIVE, false, true, VRRP_ACTIVE},   {FACT_DRAINING, false, true, VRRP_ACTIVE},
    {FACT_DEGRADED, false, true, VRRP_ACTIVE}, {FACT_BACKUP, false, true, VRRP_BACKUP},
    {FACT_DRAINED, false, true, VRRP_BACKUP},  {FACT_ACTIVE, false, false, VRRP_BACKUP},
    {FACT_ACTIVE, true, true, VRRP_BACKUP},    {FACT_NONE, false, true, VRRP_BACKUP},
};

static void test_next_life(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(life_rows); i++) {
        const struct life_row *row = &life_rows[i];
        struct stage stage;
        stage_open_cable(&stage, LEAST);
        stage.vips.has_former = !row->is_first_life;
        stage.vips.died_ns = loop_clock_ns();
        if (row->fact)
            stage_say(&stage, STAGE_VIP, "vip:front", row->fact, 0);
        if (row->has_address)
            stage_put(&stage, 100, true);
        stage_commit(&stage, SLOW);
        assert_int_equal(group_state(&named(&stage, "front")->groups[VIP_IPV4].group), row->state);
        /* Who does not go on removes what was left. */
        assert_int_equal(stage_has(&stage, 100, NULL), row->state == VRRP_ACTIVE);
        stage_close(&stage);
    }
}

static void test_sweep(void **state)
{
    (void)state;
    struct stage stage;
    stage_open_cable(&stage, LEAST);
    stage_put(&stage, 100, true);
    stage_put(&stage, 110, true);
    stage_put(&stage, 111, false);
    stage.vips.has_former = true;
    stage.vips.died_ns = loop_clock_ns();
    stage_say(&stage, STAGE_VIP, "vip:front", FACT_ACTIVE, 0);
    stage_commit(&stage, SLOW);
    vip_sweep(&stage.vips);
    assert_true(stage_has(&stage, 100, NULL));
    assert_false(stage_has(&stage, 110, NULL));
    assert_true(stage_has(&stage, 111, NULL));
    stage_close(&stage);
}

/* The cable is pulled: the address goes, and the fact says why it takes no part. */
static void test_link(void **state)
{
    (void)state;
    struct stage stage;
    struct fact fact;
    stage_open_cable(&stage, LEAST);
    stage_commit(&stage, FRONT);
    stage_wait(&stage, "vip:front", FACT_ACTIVE);
    struct rtnl *far_end = &stage.cable.rtnl[1];
    assert_int_equal(rtnl_link_enable(far_end, stage.cable.links[1].index, false, NULL), 0);
    stage_wait(&stage, "vip:front", FACT_DOWN);
    assert_false(stage_has(&stage, 100, NULL));
    struct fact_ref ref = board_find(stage.process.board, "vip:front");
    assert_true(board_read(stage.process.board, ref, &fact));
    assert_string_equal(fact.reason, "v0 has no carrier");
    assert_int_equal(rtnl_link_enable(far_end, stage.cable.links[1].index, true, NULL), 0);
    stage_wait(&stage, "vip:front", FACT_ACTIVE);
    assert_true(stage_has(&stage, 100, NULL));
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),  cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_abort), cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_drain), cmocka_unit_test(test_next_life),
        cmocka_unit_test(test_sweep), cmocka_unit_test(test_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
