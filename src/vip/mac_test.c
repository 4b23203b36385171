/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Interfaces with a virtual MAC, and what the one below them was before: on a real interface.
 */

#include "vip/mac.h"

#include "base/mem.h"
#include "net/veth_scene.h"

/* A macvlan's id, its family, and what is done to it. */
enum step_kind { STEP_END, MAKE, FIND, REMOVE, OPERATOR };

struct step {
    enum step_kind kind;
    uint8_t id; /* of OPERATOR: arp_ignore */
    bool is_ipv6;
    int arp_ignore, arp_announce; /* of the interface below, afterwards */
};

static const struct row {
    int arp_ignore, arp_announce; /* before */
    struct step steps[8];
} rows[] = {
    {0, 0, {{MAKE, 51, false, 1, 2}, {REMOVE, 51, false, 0, 0}}},
    {2, 1, {{MAKE, 51, false, 1, 2}, {REMOVE, 51, false, 2, 1}}},
    /* The last one gives it back, whichever was the first. */
    {0,
     1,
     {{MAKE, 51, false, 1, 2},
      {MAKE, 52, false, 1, 2},
      {REMOVE, 51, false, 1, 2},
      {MAKE, 53, false, 1, 2},
      {REMOVE, 52, false, 1, 2},
      {REMOVE, 53, false, 0, 1}}},
    /* A later life finds it and knows as much. */
    {0, 0, {{MAKE, 51, false, 1, 2}, {FIND, 51, false, 1, 2}, {REMOVE, 51, false, 0, 0}}},
    /* What somebody has set meanwhile stays. */
    {0, 0, {{MAKE, 51, false, 1, 2}, {OPERATOR, 8, false, 8, 2}, {REMOVE, 51, false, 8, 0}}},
    /* ARP is no concern of IPv6's. */
    {0, 0, {{MAKE, 51, true, 0, 0}, {REMOVE, 51, true, 0, 0}}},
    {0,
     0,
     {{MAKE, 51, false, 1, 2},
      {MAKE, 51, true, 1, 2},
      {REMOVE, 51, false, 0, 0},
      {REMOVE, 51, true, 0, 0}}},
};

static void set_below(struct veth_scene *scene, int arp_ignore, int arp_announce)
{
    const struct rtnl_conf conf = {arp_ignore, arp_announce, -1, -1, -1, -1, -1};
    assert_int_equal(rtnl_link_conf(&scene->rtnl[0], scene->links[0].index, &conf, NULL), 0);
}

/* As a process does that has just begun: it knows nothing. */
static void open_once(struct veth_scene *scene, const struct step *step)
{
    struct mac_link mac;
    struct err err = ERR_NONE;
    mac_link_init(&mac);
    veth_enter(scene, 0);
    if (mac_link_open(&mac, &scene->rtnl[0], &scene->links[0], step->id, step->is_ipv6, &err) < 0)
        fail_msg("%s", err.text);
    mac_link_close(&mac, &scene->rtnl[0], true);
}

static void remove_it(struct veth_scene *scene, const struct step *step)
{
    char name[RTNL_NAME_BYTES];
    struct rtnl_link link;
    struct rtnl *rtnl = &scene->rtnl[0];
    mac_link_name(name, scene->links[0].index, step->id, step->is_ipv6);
    assert_int_equal(rtnl_link_by_name(rtnl, name, &link, NULL), 0);
    assert_int_equal(mac_link_remove(rtnl, link.index, NULL), 0);
    assert_int_equal(rtnl_link_by_name(rtnl, name, &link, NULL), 1);
    assert_int_equal(mac_link_remove(rtnl, link.index, NULL), 1);
}

static void do_step(struct veth_scene *scene, const struct step *step)
{
    struct rtnl_link below;
    if (step->kind == REMOVE)
        remove_it(scene, step);
    else if (step->kind == OPERATOR)
        set_below(scene, step->id, -1);
    else
        open_once(scene, step);
    assert_int_equal(rtnl_link_by_index(&scene->rtnl[0], scene->links[0].index, &below, NULL), 0);
    assert_int_equal(below.arp_ignore, step->arp_ignore);
    assert_int_equal(below.arp_announce, step->arp_announce);
}

static void test_below_is_given_back(void **state)
{
    (void)state;
    struct veth_scene scene;
    veth_open(&scene);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        set_below(&scene, rows[i].arp_ignore, rows[i].arp_announce);
        for (const struct step *step = rows[i].steps; step->kind != STEP_END; step++)
            do_step(&scene, step);
    }
    veth_close(&scene);
}

/* What is no such alias says nothing: it is noted anew. */
static void test_odd_aliases(void **state)
{
    static const char *const odd[] = {"an operator's", "weir: below arp_ignore 3",
                                      "weir: below arp_ignore 3 arp_announce x",
                                      "weir: below arp_ignore 3 arp_announce 3 and"};
    struct veth_scene scene;
    (void)state;
    veth_open(&scene);
    const struct step make = {MAKE, 51, false, 1, 2}, remove = {REMOVE, 51, false, 0, 0};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        char name[RTNL_NAME_BYTES];
        struct rtnl_link link;
        set_below(&scene, 0, 0);
        do_step(&scene, &make);
        set_below(&scene, 0, 0);
        mac_link_name(name, scene.links[0].index, 51, false);
        assert_int_equal(rtnl_link_by_name(&scene.rtnl[0], name, &link, NULL), 0);
        assert_string_equal(link.alias, "weir: below arp_ignore 0 arp_announce 0");
        assert_int_equal(rtnl_link_alias(&scene.rtnl[0], link.index, odd[i], NULL), 0);
        do_step(&scene, &make);
        assert_int_equal(rtnl_link_by_name(&scene.rtnl[0], name, &link, NULL), 0);
        assert_string_equal(link.alias, "weir: below arp_ignore 0 arp_announce 0");
        do_step(&scene, &remove);
    }
    veth_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_below_is_given_back),
                                       cmocka_unit_test(test_odd_aliases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
