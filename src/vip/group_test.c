/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A group beside a world that writes down what is done to it: the order of actions, what is done
 * again, what is left alone, and what is counted.
 */

#include "vip/group.h"

#include "base/mem.h"
#include "base/text.h"
#include "vip/count.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

enum { ID = 51, ADDRESSES = 2 };

/* ---- the world ---- */

struct world {
    struct text said; /* a word an operation */
    bool is_put_refused, is_send_refused;
    uint8_t addresses[8]; /* last bytes of those that are there */
    uint32_t n_addresses;
    uint32_t life_s;
    struct slice payload; /* the last one, in bytes */
    uint8_t bytes[VRRP_PACKET_MAX_BYTES];
};

static int fake_send(void *ctx, const struct group *group, const struct vrrp_carrier *carrier,
                     struct slice payload, struct err *err)
{
    struct world *world = ctx;
    (void)group;
    memcpy(world->bytes, payload.ptr, payload.len);
    world->payload = slice_make((const char *)world->bytes, payload.len);
    text_printf(&world->said, "send:%u>%u ", world->bytes[2], carrier->target.bytes[3]);
    return world->is_send_refused ? err_set(err, "the network is down") : 0;
}

static uint32_t place_of(const struct world *world, uint8_t last)
{
    uint32_t i = 0;
    while (i < world->n_addresses && world->addresses[i] != last)
        i++;
    return i;
}

static int fake_put(void *ctx, const struct group *group, const struct vip_address *addresses,
                    uint32_t n, uint32_t life_s, struct err *err)
{
    struct world *world = ctx;
    (void)group;
    text_printf(&world->said, "put:%u ", n);
    if (world->is_put_refused)
        return err_set(err, "no permission");
    world->life_s = life_s;
    for (uint32_t i = 0; i < n; i++)
        if (place_of(world, addresses[i].ip.bytes[3]) == world->n_addresses)
            world->addresses[world->n_addresses++] = addresses[i].ip.bytes[3];
    return 0;
}

static int fake_remove(void *ctx, const struct group *group, const struct vip_address *addresses,
                       uint32_t n, struct err *err)
{
    struct world *world = ctx;
    (void)group;
    (void)err;
    text_printf(&world->said, "remove:%u ", n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t place = place_of(world, addresses[i].ip.bytes[3]);
        if (place < world->n_addresses)
            world->addresses[place] = world->addresses[--world->n_addresses];
    }
    return 0;
}

static int fake_announce(void *ctx, const struct group *group, struct slice frame, struct err *err)
{
    struct world *world = ctx;
    (void)group;
    (void)err;
    text_printf(&world->said, "arp:%u ", (uint8_t)frame.ptr[31]);
    return 0;
}

static void fake_moved(void *ctx, const struct group *group, const struct vrrp_action *action)
{
    struct world *world = ctx;
    (void)group;
    if (action->kind == VRRP_DO_MOVE)
        text_printf(&world->said, "%s:%s ", vrrp_state_name(action->to),
                    vrrp_reason_name(action->reason));
    else
        text_append(&world->said,
                    action->kind == VRRP_DO_HOLD ? SLICE("hold ") : SLICE("release "));
}

static void fake_noted(void *ctx, const struct group *group, const struct group_note *note)
{
    struct world *world = ctx;
    (void)group;
    if (note->error)
        text_printf(&world->said, "error(%s) ", note->error);
    else if (note->oddities)
        text_printf(&world->said, "odd:%u ", note->oddities);
    else
        text_printf(&world->said, "refused:%s ", vrrp_refusal_name(note->refusal));
}

static void fake_ask(void *ctx, const struct group *group)
{
    (void)group;
    text_append(&((struct world *)ctx)->said, SLICE("ask "));
}

static const struct group_ops fake_ops = {
    .send = fake_send,
    .put = fake_put,
    .remove = fake_remove,
    .announce = fake_announce,
    .moved = fake_moved,
    .noted = fake_noted,
    .ask = fake_ask,
};

/* ---- a group ---- */

struct scene {
    struct world world;
    struct vip_conf vip;
    struct vip_unicast_conf unicast;
    struct vip_address addresses[ADDRESSES];
    uint8_t bytes[4 * ADDRESSES];
    struct vrrp_ip peers[2];
    struct vip_family family;
    struct group group;
    metric_word row[VIP_WORDS];
    uint64_t now;
};

static struct vrrp_ip ip(uint8_t last)
{
    const uint8_t bytes[4] = {10, 0, 0, last};
    return vrrp_ip_make(bytes, sizeof(bytes));
}

static struct group_plan plan_of(const struct scene *scene)
{
    return (struct group_plan){.vip = &scene->vip, .family = &scene->family, .base = 253};
}

static struct scene *scene_make(void)
{
    struct scene *scene = MEM_NEW(struct scene);
    scene->vip = (struct vip_conf){.id = ID, .interval_ms = 1000, .version = 3};
    for (uint8_t i = 0; i < (uint8_t)ADDRESSES; i++) {
        scene->addresses[i] = (struct vip_address){.ip = ip((uint8_t)(100 + i)), .n_bits = 24};
        memcpy(&scene->bytes[i * 4], scene->addresses[i].ip.bytes, 4);
    }
    scene->family = (struct vip_family){.addresses = scene->addresses,
                                        .n_addresses = ADDRESSES,
                                        .bytes = {(const char *)scene->bytes, 4 * ADDRESSES}};
    scene->now = 100 * S;
    struct group_plan plan = plan_of(scene);
    group_init(&scene->group, &plan, &fake_ops, &scene->world, scene->row);
    return scene;
}

static void scene_drop(struct scene *scene)
{
    text_deinit(&scene->world.said);
    mem_free(scene);
}

static void link_is(struct scene *scene, bool is_up)
{
    const struct group_link link = {.is_up = is_up, .source = ip(1), .mac = {2, 0, 0, 0, 0, 1}};
    group_set_link(&scene->group, &link, scene->now);
}

/* What was done since the last time. */
static void assert_said(struct scene *scene, const char *expect)
{
    assert_string_equal(text_cstr(&scene->world.said), expect);
    text_clear(&scene->world.said);
    text_append(&scene->world.said, SLICE(""));
}

/* To the group's next deadline. */
static void tick(struct scene *scene)
{
    assert_true(group_deadline(&scene->group) != VRRP_NEVER);
    scene->now = group_deadline(&scene->group);
    group_time(&scene->group, scene->now);
}

static struct scene *scene_backup(void)
{
    struct scene *scene = scene_make();
    link_is(scene, true);
    group_start(&scene->group, scene->now);
    assert_said(scene, "remove:2 backup:started ");
    return scene;
}

static struct scene *scene_active(void)
{
    struct scene *scene = scene_backup();
    tick(scene);
    assert_said(scene, "active:silence send:253>18 put:2 arp:100 arp:101 ");
    return scene;
}

/* An advertisement of another node comes. */
static void hear(struct scene *scene, uint8_t from, uint8_t priority, uint8_t ttl)
{
    const struct vrrp_advert advert = {
        .version = 3,
        .vrid = ID,
        .priority = priority,
        .interval_cs = 100,
        .addresses = scene->family.bytes,
    };
    const struct vrrp_carrier carrier = {
        .source = ip(from), .target = vrrp_group(false), .ttl = ttl};
    uint8_t bytes[VRRP_PACKET_MAX_BYTES];
    int len = vrrp_write(&advert, &carrier, bytes, sizeof(bytes));
    assert_true(len > 0);
    group_receive(&scene->group, &carrier, slice_make((const char *)bytes, (size_t)len),
                  scene->now);
}

/* ---- what is done ---- */

static void test_takes_over(void **state)
{
    struct scene *scene = scene_active();
    (void)state;
    assert_int_equal(scene->world.n_addresses, 2);
    assert_int_equal(scene->row[VIP_WORD_MOVE + VRRP_WHY_SILENCE], 1);
    assert_int_equal(scene->row[VIP_WORD_SENT], 1);
    assert_int_equal(scene->row[VIP_WORD_ANNOUNCED], 2);
    scene_drop(scene);
}

/* A dead process's addresses would stay without a life that ends. */
static void test_addresses_are_renewed(void **state)
{
    struct scene *scene = scene_active();
    uint64_t until = scene->now + 20 * S;
    unsigned n_put = 0;
    uint64_t put_ns = scene->now;
    (void)state;
    assert_int_equal(scene->world.life_s, 5);
    while (scene->now < until) {
        text_clear(&scene->world.said);
        tick(scene);
        if (!scene->world.said.len || !strstr(scene->world.said.ptr, "put:2"))
            continue;
        n_put++;
        assert_true(scene->now - put_ns < 4 * S);
        put_ns = scene->now;
    }
    assert_in_range(n_put, 9, 12);
    scene_drop(scene);
}

static void test_life(void **state)
{
    static const struct {
        int64_t interval_ms;
        uint32_t life_s;
    } rows[] = {{10, 3}, {100, 3}, {600, 3}, {610, 4}, {1000, 5}, {40000, 200}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(group_life_s(rows[i].interval_ms), rows[i].life_s);
        assert_true(group_renew_ns(rows[i].interval_ms) == rows[i].life_s * S / 3);
    }
}

/* The address is gone before the last word, which the winner answers. */
static void test_loses(void **state)
{
    struct scene *scene = scene_active();
    (void)state;
    hear(scene, 2, 254, 255);
    assert_said(scene, "remove:2 backup:outranked send:253>18 ");
    assert_int_equal(scene->world.n_addresses, 0);
    assert_int_equal(scene->group.heard.priority, 254);
    assert_int_equal(scene->row[VIP_WORD_RECEIVED], 1);
    scene_drop(scene);
}

static void test_stops(void **state)
{
    struct scene *scene = scene_active();
    (void)state;
    group_stop(&scene->group, false, scene->now);
    assert_said(scene, "send:0>18 ");
    assert_int_equal(scene->world.n_addresses, 2); /* until another has them */
    hear(scene, 2, 253, 255);
    assert_said(scene, "remove:2 initialize:stopped ");
    assert_true(group_deadline(&scene->group) == VRRP_NEVER);
    scene_drop(scene);
}

static void test_stops_at_once(void **state)
{
    struct scene *scene = scene_active();
    (void)state;
    group_stop(&scene->group, true, scene->now);
    assert_said(scene, "send:0>18 remove:2 initialize:stopped ");
    assert_int_equal(scene->row[VIP_WORD_RESIGNED], 1);
    scene_drop(scene);
}

/* An upgrade: the addresses stay, nothing is said. */
static void test_lets_go(void **state)
{
    struct scene *scene = scene_active();
    (void)state;
    group_let_go(&scene->group);
    group_stop(&scene->group, true, scene->now);
    hear(scene, 2, 254, 255);
    assert_said(scene, "");
    assert_true(group_deadline(&scene->group) == VRRP_NEVER);
    assert_int_equal(scene->world.n_addresses, 2);
    scene_drop(scene);
}

static void test_adopts(void **state)
{
    struct scene *scene = scene_make();
    (void)state;
    link_is(scene, true);
    group_adopt(&scene->group, 500 * MS, scene->now);
    assert_said(scene, "active:adopted send:253>18 put:2 arp:100 arp:101 ");
    scene_drop(scene);
    scene = scene_make();
    link_is(scene, true);
    group_adopt(&scene->group, 4 * S, scene->now); /* the others have had enough by now */
    assert_said(scene, "remove:2 backup:stalled ask ");
    scene_drop(scene);
}

/* ---- links ---- */

static void test_starts_without_a_link(void **state)
{
    struct scene *scene = scene_make();
    (void)state;
    link_is(scene, false);
    group_start(&scene->group, scene->now);
    assert_said(scene, "remove:2 ");
    assert_int_equal(group_state(&scene->group), VRRP_INITIALIZE);
    link_is(scene, true);
    assert_said(scene, "backup:link_up ");
    scene_drop(scene);
}

static void test_link_goes(void **state)
{
    struct scene *scene = scene_active();
    (void)state;
    link_is(scene, false);
    assert_said(scene, "");
    while (group_state(&scene->group) == VRRP_ACTIVE)
        tick(scene);
    assert_int_equal(group_state(&scene->group), VRRP_INITIALIZE);
    assert_int_equal(scene->world.n_addresses, 0);
    assert_true(scene->now == 100 * S + 6 * S + 3 * S / 256);
    scene_drop(scene);
}

/* Without an address of its own it cannot speak. */
static void test_source_goes(void **state)
{
    struct scene *scene = scene_active();
    const struct group_link none = {.is_up = false};
    (void)state;
    group_set_link(&scene->group, &none, scene->now);
    text_clear(&scene->world.said);
    tick(scene);
    assert_null(strstr(text_cstr(&scene->world.said), "send"));
    scene_drop(scene);
}

/* ---- what goes wrong ---- */

static void test_put_is_refused(void **state)
{
    struct scene *scene = scene_backup();
    (void)state;
    scene->world.is_put_refused = true;
    tick(scene);
    assert_said(scene, "active:silence send:253>18 put:2 error(no permission) arp:100 arp:101 ");
    assert_true(scene->group.is_broken);
    assert_int_equal(scene->row[VIP_WORD_NETLINK_FAILED], 1);
    scene->world.is_put_refused = false;
    for (int i = 0; i < 20 && scene->group.is_broken; i++) {
        text_clear(&scene->world.said);
        tick(scene);
    }
    assert_false(scene->group.is_broken);
    assert_non_null(strstr(text_cstr(&scene->world.said), "put:2 arp:100 arp:101 "));
    scene_drop(scene);
}

/* Somebody else takes an address away: it is back at once, but not in a fight without an end. */
static void test_taken(void **state)
{
    struct scene *scene = scene_backup();
    (void)state;
    group_taken(&scene->group, scene->now);
    assert_said(scene, ""); /* a Backup has none */
    tick(scene);
    text_clear(&scene->world.said);
    scene->world.n_addresses = 1;
    group_taken(&scene->group, scene->now);
    assert_said(scene, "error(somebody else took an address from the interface; it is put there "
                       "again) put:2 arp:100 arp:101 ");
    assert_int_equal(scene->world.n_addresses, 2);
    group_taken(&scene->group, scene->now + 199 * MS);
    assert_said(scene, "");
    group_taken(&scene->group, scene->now + 200 * MS);
    assert_int_equal(scene->row[VIP_WORD_TAKEN], 2);
    scene_drop(scene);
}

static void test_send_is_refused(void **state)
{
    struct scene *scene = scene_backup();
    (void)state;
    scene->world.is_send_refused = true;
    tick(scene);
    assert_said(scene,
                "active:silence send:253>18 error(the network is down) put:2 arp:100 arp:101 ");
    assert_int_equal(scene->row[VIP_WORD_SEND_FAILED], 1);
    assert_int_equal(scene->row[VIP_WORD_SENT], 0);
    scene_drop(scene);
}

static void test_refusals_change_nothing(void **state)
{
    struct scene *scene = scene_active();
    const struct vrrp_carrier carrier = {
        .source = ip(2), .target = vrrp_group(false), .ttl = VRRP_TTL};
    uint64_t deadline = group_deadline(&scene->group);
    (void)state;
    hear(scene, 2, 254, 254);
    hear(scene, 1, 254, 255);
    group_receive(&scene->group, &carrier, SLICE("\x31\x33"), scene->now);
    assert_said(scene, "refused:ttl refused:echo refused:short ");
    assert_int_equal(scene->row[VIP_WORD_REFUSED + VRRP_REFUSED_TTL], 1);
    assert_int_equal(scene->row[VIP_WORD_REFUSED + VRRP_REFUSED_ECHO], 1);
    assert_int_equal(scene->row[VIP_WORD_REFUSED + VRRP_REFUSED_SHORT], 1);
    assert_int_equal(scene->row[VIP_WORD_RECEIVED], 0);
    assert_int_equal(scene->group.heard.source.n_bytes, 0);
    assert_true(group_deadline(&scene->group) == deadline);
    scene_drop(scene);
}

static void test_oddities_count_and_are_told(void **state)
{
    struct scene *scene = scene_backup();
    (void)state;
    scene->family.bytes.len = 4; /* the other still has both */
    struct slice both = slice_make((const char *)scene->bytes, 8);
    const struct vrrp_advert advert = {
        .version = 3, .vrid = ID, .priority = 254, .interval_cs = 50, .addresses = both};
    const struct vrrp_carrier carrier = {
        .source = ip(2), .target = vrrp_group(false), .ttl = VRRP_TTL};
    uint8_t bytes[VRRP_PACKET_MAX_BYTES];
    int len = vrrp_write(&advert, &carrier, bytes, sizeof(bytes));
    group_receive(&scene->group, &carrier, slice_make((const char *)bytes, (size_t)len),
                  scene->now);
    assert_said(scene, "odd:3 ");
    assert_int_equal(scene->row[VIP_WORD_ODD], 1);
    assert_int_equal(scene->row[VIP_WORD_ODD + 1], 1);
    assert_int_equal(scene->row[VIP_WORD_ODD + 2], 0);
    assert_int_equal(scene->row[VIP_WORD_RECEIVED], 1);
    scene_drop(scene);
}

/* ---- ways to be configured ---- */

static void test_unicast(void **state)
{
    struct scene *scene = scene_make();
    (void)state;
    scene->peers[0] = ip(2);
    scene->peers[1] = ip(3);
    scene->family.peers = scene->peers;
    scene->family.n_peers = 2;
    scene->unicast.ttl_min = 255;
    scene->vip.unicast = &scene->unicast;
    link_is(scene, true);
    group_start(&scene->group, scene->now);
    tick(scene);
    assert_said(scene, "remove:2 backup:started active:silence send:253>2 send:253>3 put:2 "
                       "arp:100 arp:101 ");
    hear(scene, 2, 254, 255); /* to the group: not as configured */
    assert_said(scene, "refused:cast ");
    scene_drop(scene);
}

static void test_no_address(void **state)
{
    struct scene *scene = scene_make();
    (void)state;
    scene->vip.has_no_address = true;
    link_is(scene, true);
    group_start(&scene->group, scene->now);
    tick(scene);
    assert_said(scene, "backup:started active:silence send:253>18 ");
    group_stop(&scene->group, true, scene->now);
    assert_said(scene, "send:0>18 initialize:stopped ");
    scene_drop(scene);
}

/* What is new is put and announced, what is gone is removed, what stays is not touched. */
static void test_replan(void **state)
{
    struct scene *scene = scene_active();
    struct vip_conf vip = scene->vip;
    struct vip_address addresses[2] = {scene->addresses[1], {.ip = ip(102), .n_bits = 24}};
    uint8_t bytes[8];
    (void)state;
    memcpy(bytes, addresses[0].ip.bytes, 4);
    memcpy(bytes + 4, addresses[1].ip.bytes, 4);
    vip.interval_ms = 100;
    const struct vip_family family = {
        .addresses = addresses, .n_addresses = 2, .bytes = {(const char *)bytes, 8}};
    const struct group_plan plan = {.vip = &vip, .family = &family, .base = 254};
    group_replan(&scene->group, &plan, scene->now);
    assert_said(scene, "remove:1 put:2 arp:101 arp:102 send:253>18 ");
    assert_int_equal(scene->world.n_addresses, 2);
    assert_int_equal(place_of(&scene->world, 100), 2);
    assert_int_equal(scene->world.life_s, 3);
    assert_int_equal(scene->world.bytes[5], 10); /* the new interval is said at once */
    group_set_priority(&scene->group, 254, true, scene->now);
    assert_said(scene, "send:254>18 ");
    group_set_priority(&scene->group, 254, true, scene->now);
    assert_said(scene, "");
    group_replan(&scene->group, &plan, scene->now);
    assert_said(scene, "put:2 send:254>18 ");
    scene_drop(scene);
}

static void test_backup_replans_quietly(void **state)
{
    struct scene *scene = scene_backup();
    struct group_plan plan = plan_of(scene);
    (void)state;
    group_replan(&scene->group, &plan, scene->now);
    assert_said(scene, "");
    scene_drop(scene);
}

/* ---- peers, yielding ---- */

static void test_holds_while_a_peer_serves(void **state)
{
    struct scene *scene = scene_backup();
    (void)state;
    group_hear_peer(&scene->group, 0, true, false, 60 * S, scene->now);
    tick(scene);
    assert_said(scene, "hold ");
    assert_int_equal(scene->row[VIP_WORD_HELD], 1);
    group_hear_peer(&scene->group, 0, false, false, 60 * S, scene->now);
    assert_said(scene, "release active:hold_over send:253>18 put:2 arp:100 arp:101 ");
    scene_drop(scene);
}

static void test_yields(void **state)
{
    struct scene *scene = scene_active();
    (void)state;
    group_set_yielding(&scene->group, true, scene->now);
    assert_said(scene, "send:0>18 ");
    group_set_yielding(&scene->group, true, scene->now);
    assert_said(scene, "");
    hear(scene, 2, 253, 255);
    assert_said(scene, "remove:2 backup:yielded ");
    scene_drop(scene);
}

static void test_late_is_counted(void **state)
{
    struct scene *scene = scene_active();
    (void)state;
    scene->now = group_deadline(&scene->group) + 1200 * MS;
    group_time(&scene->group, scene->now);
    assert_int_equal(scene->row[VIP_WORD_LATE], 1);
    scene_drop(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_over),
        cmocka_unit_test(test_addresses_are_renewed),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_loses),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_stops_at_once),
        cmocka_unit_test(test_lets_go),
        cmocka_unit_test(test_adopts),
        cmocka_unit_test(test_starts_without_a_link),
        cmocka_unit_test(test_link_goes),
        cmocka_unit_test(test_source_goes),
        cmocka_unit_test(test_put_is_refused),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_send_is_refused),
        cmocka_unit_test(test_refusals_change_nothing),
        cmocka_unit_test(test_oddities_count_and_are_told),
        cmocka_unit_test(test_unicast),
        cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_replan),
        cmocka_unit_test(test_backup_replans_quietly),
        cmocka_unit_test(test_holds_while_a_peer_serves),
        cmocka_unit_test(test_yields),
        cmocka_unit_test(test_late_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
