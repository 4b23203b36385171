/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Everything at once: nodes of any priority and mood in a bad network, where power, processes,
 * links, paths and operators do what they like. Then all heals, and within what the timers allow
 * one node must be Active and stay so, with the client behind it.
 */

#include "scenes.h"

enum { PPM = 1000000 };

static uint64_t longest_interval(const struct world *world)
{
    uint64_t longest = 0;
    for (unsigned i = 0; i < world->n_nodes; i++) {
        if (world->nodes[i].policy.interval_ns > longest)
            longest = world->nodes[i].policy.interval_ns;
    }
    return longest;
}

static void draw_node(struct world *world, struct node *node, bool is_mixed, uint8_t version)
{
    node->policy.version = version;
    node->priority = (uint8_t)world_draw(world, 1, 254);
    if (world_chance(world, PPM / 2))
        node->priority = (uint8_t)world_draw(world, 253, 254);
    node->is_preempting = world_chance(world, PPM * 2 / 3);
    node->drift_ppm = (int64_t)world_draw(world, 0, 10000) - 5000;
    if (is_mixed)
        node->policy.interval_ns *= world_draw(world, 1, 4);
    if (world_chance(world, PPM / 3))
        node->policy.preempt_delay_ns = world_draw(world, 1, 5) * node->policy.interval_ns;
}

static void draw_network(struct world *world)
{
    uint64_t interval = world->nodes[0].policy.interval_ns;
    world->loss_ppm = (unsigned)world_draw(world, 0, 3) * 100000;
    world->twice_ppm = (unsigned)world_draw(world, 0, 2) * 50000;
    world->delay_max = world->delay_min + world_draw(world, 0, interval / 4);
}

static void draw_world(struct world *world)
{
    uint64_t interval = world->nodes[0].policy.interval_ns;
    bool is_mixed = world_chance(world, PPM / 4);
    uint8_t version = interval == 1 * S && !is_mixed && world_chance(world, PPM / 3) ? 2 : 3;
    for (unsigned i = 0; i < world->n_nodes; i++)
        draw_node(world, &world->nodes[i], is_mixed, version);
    if (world_chance(world, PPM / 2))
        world->beat_every = interval > 50 * MS ? interval : 50 * MS;
    world->is_shuffled = world_chance(world, PPM / 2);
    world->late_max = world_draw(world, 0, interval / 10);
    /* One advertisement, its answers, and what timers and drift add. */
    world->pair_bound =
        longest_interval(world) * 102 / 100 + 6 * (interval / 4 + 20 * US) + 4 * world->late_max;
    draw_network(world);
}

/* Dead nodes and processes come back, with the power or without. */
static void revive(struct world *world, unsigned index)
{
    struct node *node = &world->nodes[index];
    if (node->is_running && !node->machine.is_started)
        world_crash(world, index); /* it was told to stop */
    if (node->is_running)
        return;
    if (node->is_powered)
        world_respawn(world, index);
    else
        world_boot(world, index);
}

static void kill_or_crash(struct world *world, unsigned index)
{
    if (world_chance(world, PPM / 2))
        world_kill(world, index);
    else
        world_crash(world, index);
}

static void part_some(struct world *world, unsigned index)
{
    for (unsigned other = 0; other < world->n_nodes; other++) {
        if (other != index && world_chance(world, PPM / 2))
            world_part(world, index, other, world_chance(world, PPM / 2),
                       world_chance(world, PPM / 3));
    }
}

static void tell(struct world *world, unsigned index)
{
    static const enum vrrp_event_kind kinds[] = {VRRP_EVENT_YIELD, VRRP_EVENT_RETURN,
                                                 VRRP_EVENT_STOP, VRRP_EVENT_STOP_NOW};
    world_tell(world, index, kinds[world_draw(world, 0, 3)]);
}

/* One thing goes wrong, or right; often with a node that is Active. */
static void disturb(struct world *world)
{
    int active;
    unsigned index = (unsigned)world_draw(world, 0, world->n_nodes - 1);
    if (world_actives(world, &active) > 0 && world_chance(world, PPM / 3))
        index = (unsigned)active;
    struct node *node = &world->nodes[index];
    if (!node->is_running || !node->machine.is_started) {
        if (!node->is_paused)
            revive(world, index);
        return;
    }
    switch (world_draw(world, 0, 6)) {
    case 0:
        kill_or_crash(world, index);
        break;
    case 1:
        if (!node->is_paused)
            world_pause(world, index, world_draw(world, 1, 80) * node->policy.interval_ns / 10);
        break;
    case 2:
        world_link(world, index, !node->is_linked);
        break;
    case 3:
        part_some(world, index);
        break;
    case 4:
        draw_network(world);
        break;
    case 5:
        world_earn(world, index, (uint8_t)world_draw(world, 1, 254));
        break;
    default:
        if (!node->is_paused)
            tell(world, index);
    }
}

static bool is_anyone_asleep(const struct world *world)
{
    for (unsigned i = 0; i < world->n_nodes; i++) {
        if (world->nodes[i].is_running && world->nodes[i].is_paused)
            return true;
    }
    return false;
}

static void heal(struct world *world)
{
    world->loss_ppm = world->twice_ppm = 0;
    world->delay_max = world->delay_min + 200 * US;
    while (is_anyone_asleep(world) && !world->failure[0])
        world_run_for(world, longest_interval(world));
    for (unsigned i = 0; i < world->n_nodes; i++) {
        for (unsigned other = 0; other < i; other++)
            world_part(world, i, other, false, false);
        if (!world->nodes[i].is_linked)
            world_link(world, i, true);
        revive(world, i);
        world_tell(world, i, VRRP_EVENT_RETURN);
        /* What it earned while it slept. */
        world_earn(world, i, world->nodes[i].priority);
    }
}

/* Where all preempt, nobody is better than the one that is Active. */
static void want_best(struct world *world, int active)
{
    for (unsigned i = 0; i < world->n_nodes; i++) {
        if (!world->nodes[i].is_preempting)
            return;
    }
    for (unsigned i = 0; i < world->n_nodes && active >= 0; i++)
        world_want(world, world->nodes[i].priority <= world->nodes[active].priority,
                   "node %d is Active, but %u is better", active, i);
}

/*
 * Somebody is Active after the longest down timer, a hold that has to run out and a sleeper's
 * second wait. At rest are all when preemption had its delay, a hand-over in vain could be tried
 * again (LEAVES_EACH of the machine), and the client heard the next refresh.
 */
static void want_rest(struct world *world)
{
    uint64_t interval = longest_interval(world);
    int node;
    world_run_for(world, 5 * interval + 3 * world->beat_every + 2 * world->late_max + 20 * MS);
    world_want(world, world_actives(world, &node) > 0, "nobody is Active after all healed");
    world_run_for(world, 10 * interval + (world->beat_every ? 25 : 0) * interval + 8 * S);
    unsigned n_moves = world_moves(world);
    uint64_t unserved = world_unserved(world);
    world_want(world, world->is_served, "the client believes node %d for ever", world->believed);
    world_run_for(world, 6 * interval);
    unsigned n = world_actives(world, &node);
    world_want(world, n == 1, "%u are Active for ever", n);
    world_want(world, world_moves(world) == n_moves, "the address does not come to rest");
    world_want(world, world_unserved(world) == unserved, "the client is not served at rest");
    want_best(world, node);
}

void vrrp_play_chaos(struct world *world)
{
    draw_world(world);
    uint64_t interval = world->nodes[0].policy.interval_ns;
    for (unsigned i = 0; i < world->n_nodes; i++) {
        world_boot(world, i);
        world_run_for(world, world_draw(world, 0, interval));
    }
    unsigned n = (unsigned)world_draw(world, 3, 30);
    for (unsigned i = 0; i < n && !world->failure[0]; i++) {
        world_run_for(world, world_draw(world, 0, 60) * interval / 10);
        disturb(world);
    }
    world_run_for(world, interval);
    heal(world);
    want_rest(world);
}
