/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whose word counts: what the other node says of itself, with all that may be wrong about it.
 */

#include "vip/stage.h"

#define NODES "nodes { a 10.9.0.1; b 10.9.0.2 }\n"
#define FILE_                                            \
    NODES "secret-file /s\npeer 10.9.0.0/24 port 7900\n" \
          "vip 10.9.0.100/24 on v0 { name front; id 51; prefer a }\n"

enum { NOT_HEARD = 10 }; /* times the time that the process may be silent */

static const struct row {
    enum fact_state peer, at;
    double lack, own_lack;
    bool is_silent; /* the process that brings it */
    bool is_serving, is_better;
} rows[] = {
    {FACT_UP, FACT_ACTIVE, 0, 30, false, true, false},
    {FACT_UP, FACT_ACTIVE, 200, 0, false, true, false},
    {FACT_UP, FACT_BACKUP, 0, 30, false, false, true},
    {FACT_UP, FACT_BACKUP, 29, 30, false, false, true},
    {FACT_UP, FACT_BACKUP, 30, 30, false, false, false},
    {FACT_UP, FACT_BACKUP, 0, 0, false, false, false},
    /* It lacks nothing, and would not take it. */
    {FACT_UP, FACT_DRAINED, 0, 30, false, false, false},
    {FACT_UP, FACT_DOWN, 0, 30, false, false, false},
    {FACT_UP, FACT_UNKNOWN, 0, 30, false, false, false},
    {FACT_UP, FACT_NONE, 0, 30, false, false, false},
    /* It has it, but not as one who serves and means to stay so. */
    {FACT_UP, FACT_DRAINING, 0, 30, false, false, false},
    {FACT_UP, FACT_DEGRADED, 0, 30, false, false, false},
    /* Nobody stands for what it says. */
    {FACT_DOWN, FACT_ACTIVE, 0, 30, false, false, false},
    {FACT_UNKNOWN, FACT_BACKUP, 0, 30, false, false, false},
    {FACT_FAILED, FACT_BACKUP, 0, 30, false, false, false},
    {FACT_NONE, FACT_ACTIVE, 0, 30, false, false, false},
    {FACT_UP, FACT_ACTIVE, 0, 30, true, false, false},
    {FACT_UP, FACT_BACKUP, 0, 30, true, false, false},
};

static void say(struct stage *stage, const char *name, enum fact_state state, double value)
{
    if (state == FACT_NONE)
        board_remove(stage->boards[STAGE_PEER], name, 1);
    else
        stage_say(stage, STAGE_PEER, name, state, value);
}

/* One vip beside that stage, none of whose groups has started. */
static struct vip *make(struct stage *stage, struct vip *vip)
{
    const struct vips_conf *conf = vips_conf_of(stage->snap);
    *vip = (struct vip){.vips = &stage->vips, .snap = stage->snap, .conf = conf->vip_list.items[0]};
    vip->fact = mem_strdup(vip->conf->fact);
    return vip;
}

static void test_words(void **state)
{
    (void)state;
    struct stage stage;
    struct vip vip;
    stage_open(&stage, FILE_);
    make(&stage, &vip);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        uint64_t now_ns = loop_clock_ns();
        *board_heartbeat(stage.boards[STAGE_PEER], 0) =
            row->is_silent ? now_ns - NOT_HEARD * UINT64_C(250000000) : now_ns;
        say(&stage, "peer:b", row->peer, 0);
        say(&stage, "at:b/vip:front", row->at, row->lack);
        /* Another vip, and this node itself, say nothing here. */
        say(&stage, "at:b/vip:other", FACT_ACTIVE, 0);
        say(&stage, "at:a/vip:front", FACT_ACTIVE, 0);
        say(&stage, "peer:a", FACT_UP, 0);
        vip.lack = (unsigned)row->own_lack;
        vip_hear_peers(&vip);
        assert_int_equal(vip.peers[0].is_serving, row->is_serving);
        assert_int_equal(vip.peers[0].is_better, row->is_better);
        assert_false(vip.peers[1].is_serving || vip.peers[1].is_better);
    }
    mem_free(vip.fact);
    stage_close(&stage);
}

static void test_facts(void **state)
{
    (void)state;
    assert_true(vip_is_peers_fact("peer:b"));
    assert_true(vip_is_peers_fact("at:b/vip:front"));
    assert_false(vip_is_peers_fact("vip:front"));
    assert_false(vip_is_peers_fact("attic:b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_facts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
