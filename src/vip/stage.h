/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_STAGE_H
#define VIP_STAGE_H

/*
 * For tests: what a vip's process has around it. A file, a board with the segments of those whose
 * facts are read, a loop; and with stage_open_cable() the two hosts of net/veth_scene.h, on the
 * first of which (interface v0, 10.9.0.1) the vips are.
 */

#include "base/mem.h"
#include "conf/memory.h"
#include "core/settings.h"
#include "net/veth_scene.h"
#include "peer/peer.h"
#include "pool/pool.h"
#include "vip/internal.h"
#include "vip/vip.h"

enum stage_segment { STAGE_SUPERVISOR, STAGE_ADMIN, STAGE_PEER, STAGE_VIP, STAGE_SEGMENTS };

struct stage {
    struct board_fds fds;
    struct board *boards[STAGE_SEGMENTS];
    struct process process;
    struct loop *loop;
    struct snapshot *snap; /* the last one */
    struct vips vips;
    struct veth_scene cable;
    bool has_cable;
};

static const struct module *const stage_modules[] = {&settings_module, &pool_module, &peer_module,
                                                     &vip_module};
static const struct module_table stage_table = {.items = stage_modules,
                                                .n_items = ARRAY_LEN(stage_modules)};

/* The file as node a reads it, where it has nodes; one reference, the caller's. */
static inline struct snapshot *stage_read(const char *file)
{
    char *copy = mem_strdup(file);
    struct conf_host host = conf_memory_host(copy);
    struct snapshot_options options = {.path = "t.weir",
                                       .host = &host,
                                       .node = strstr(file, "nodes {") ? "a" : NULL,
                                       .generation = 1,
                                       .n_loops = 1};
    struct snapshot *snap = NULL;
    struct conf_diag *diag = NULL;
    struct text said = TEXT_NONE;
    if (snapshot_load(&stage_table, &options, &snap, &diag) < 0) {
        conf_diag_print(diag, &said);
        fail_msg("%s", text_cstr(&said));
    }
    mem_free(copy);
    return snap;
}

static inline void stage_again(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    vips_reconsider(CONTAINER_OF(timer, struct vips, again));
}

static inline void stage_open(struct stage *stage, const char *file)
{
    static const char *const names[] = {"supervisor", "admin", "peer", "vip"};
    struct err err = ERR_NONE;
    *stage = (struct stage){.snap = stage_read(file)};
    assert_int_equal(board_make(names, STAGE_SEGMENTS, &stage->fds, &err), 0);
    for (int i = 0; i < STAGE_SEGMENTS; i++)
        assert_int_equal(board_open(&stage->fds, i, &stage->boards[i], &err), 0);
    assert_int_equal(loop_create(0, &stage->loop, &err), 0);
    loop_turn(stage->loop, 0);
    stage->process = (struct process){.kind = "vip",
                                      .board = stage->boards[STAGE_VIP],
                                      .table = &stage_table,
                                      .loops = {stage->loop},
                                      .n_loops = 1,
                                      .is_first_life = true,
                                      .state_fd = -1};
    stage->vips.process = &stage->process;
    loop_timer_init(&stage->vips.again, stage_again);
    slabs_init(&stage->vips.slabs, stage->process.board, 1, 1);
}

static inline void stage_open_cable(struct stage *stage, const char *file)
{
    struct veth_scene cable;
    struct err err = ERR_NONE;
    veth_open(&cable);
    stage_open(stage, file);
    stage->cable = cable;
    stage->has_cable = true;
    if (ports_open(&stage->vips.ports, stage->loop, &stage->vips.slabs, &vip_port_calls,
                   &stage->vips, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void stage_say(struct stage *stage, enum stage_segment segment, const char *name,
                             enum fact_state state, double value)
{
    board_state(stage->boards[segment], name, state, value, "", 1);
}

/* The file is in force from now on. */
static inline void stage_commit(struct stage *stage, const char *file)
{
    struct err err = ERR_NONE;
    snapshot_unref(&stage->snap);
    stage->snap = stage_read(file);
    struct vip_plan *plan = vip_plan_create(&stage->vips, stage->snap, &err);
    if (!plan)
        fail_msg("%s", err.text);
    vip_plan_commit(&stage->vips, &plan);
}

static inline enum fact_state stage_state(const struct stage *stage, const char *fact)
{
    return board_peek(stage->process.board, board_find(stage->process.board, fact));
}

static inline void stage_wait(struct stage *stage, const char *fact, enum fact_state state)
{
    for (int i = 0; i < 4000 && stage_state(stage, fact) != state; i++)
        loop_turn(stage->loop, 5);
    assert_int_equal(stage_state(stage, fact), state);
}

static inline void stage_close(struct stage *stage)
{
    for (uint32_t i = 0; i < stage->vips.n_items; i++) {
        vip_end(stage->vips.items[i], true);
        vip_destroy(&stage->vips.items[i]);
    }
    mem_free(stage->vips.items);
    stage->vips.n_items = 0;
    stage->vips.snap = NULL;
    loop_timer_clear(stage->loop, &stage->vips.again);
    loop_turn(stage->loop, 0); /* what was put off */
    if (stage->has_cable) {
        ports_close(&stage->vips.ports);
        veth_close(&stage->cable);
    }
    snapshot_unref(&stage->snap);
    loop_destroy(&stage->loop);
    slabs_deinit(&stage->vips.slabs);
    for (int i = 0; i < STAGE_SEGMENTS; i++)
        board_close(&stage->boards[i]);
    board_fds_close(&stage->fds);
}

/* ---- addresses on v0 ---- */

static inline struct vrrp_ip stage_ip(uint8_t last)
{
    return (struct vrrp_ip){4, {10, 9, 0, last}};
}

/* As a vip puts it (is_ours), or as somebody else does. */
static inline void stage_put(struct stage *stage, uint8_t last, bool is_ours)
{
    const struct rtnl_address address = {
        .index = stage->cable.links[0].index, .ip = stage_ip(last), .n_bits = 24};
    const struct rtnl_life life = {.valid_s = is_ours ? 60 : RTNL_FOREVER,
                                   .preferred_s = is_ours ? 60 : RTNL_FOREVER,
                                   .is_noprefixroute = true,
                                   .protocol = is_ours ? VIP_ADDRESS_PROTOCOL : 0};
    assert_int_equal(rtnl_addr_put(&stage->cable.rtnl[0], &address, &life, NULL), 0);
}

struct stage_found {
    struct vrrp_ip ip;
    bool is_there;
    struct rtnl_address address;
};

static inline void stage_look(void *ctx, const struct rtnl_address *address)
{
    struct stage_found *found = ctx;
    if (vrrp_ip_compare(&address->ip, &found->ip) != 0)
        return;
    found->is_there = true;
    found->address = *address;
}

static inline bool stage_has(struct stage *stage, uint8_t last, struct rtnl_address *ret_address)
{
    struct stage_found found = {.ip = stage_ip(last)};
    assert_int_equal(rtnl_addr_each(&stage->cable.rtnl[0], 0, stage_look, &found, NULL), 0);
    if (ret_address)
        *ret_address = found.address;
    return found.is_there;
}

#endif
