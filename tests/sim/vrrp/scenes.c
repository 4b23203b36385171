/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The scenes. In each node 0 is the best, and the world is lossless and quick unless said.
 */

#include "scenes.h"

#include <assert.h>

static uint64_t interval_of(const struct world *world)
{
    return world->nodes[0].policy.interval_ns;
}

static uint64_t skew_of(const struct world *world, unsigned node)
{
    return (256U - world->nodes[node].priority) * interval_of(world) / 256;
}

/* What timers, packets and drift may add. */
static uint64_t slack_of(const struct world *world)
{
    return 2 * (world->delay_max + world->late_max) + interval_of(world) / 200;
}

static uint64_t down_of(const struct world *world, unsigned node)
{
    return 3 * interval_of(world) + skew_of(world, node) + slack_of(world);
}

static void want_one(struct world *world, int wanted, const char *when)
{
    int node;
    unsigned n = world_actives(world, &node);
    world_want(world, n == 1, "%u are Active %s", n, when);
    world_want(world, node == wanted || wanted < 0, "node %d is Active %s, not %d", node, when,
               wanted);
}

/*
 * Of two the second is Active before the first is not any more. Of several with skews shorter than
 * a packet takes, more than one answers, and the client may hear the wrong one last: until the
 * right one says it again.
 */
static void want_smooth(struct world *world, uint64_t unserved, const char *what)
{
    uint64_t lost = world_unserved(world) - unserved;
    uint64_t most = world->n_nodes == 2 ? world->delay_max : 50 * MS + slack_of(world);
    world_want(world, lost <= most, "%s costs %.3f ms", what, (double)lost / (double)MS);
}

/* All are there, the best is Active, and the client knows. */
static void settle(struct world *world)
{
    for (unsigned i = 0; i < world->n_nodes; i++) {
        world_boot(world, i);
        world_run_for(world, world_draw(world, 0, interval_of(world) / 2));
    }
    world_run_for(world, down_of(world, 0) + 2 * interval_of(world));
    want_one(world, 0, "at first");
    world_want(world, world->is_served, "the client is not served at first");
    world_run_for(world, world_draw(world, 0, interval_of(world)));
}

/* The others are there and one of them is Active; node 0 is not yet. */
static void settle_without_best(struct world *world)
{
    for (unsigned i = 1; i < world->n_nodes; i++)
        world_boot(world, i);
    world_run_for(world, down_of(world, world->n_nodes - 1) + 2 * interval_of(world));
    want_one(world, -1, "at first");
}

static void no_preempting(struct world *world)
{
    for (unsigned i = 0; i < world->n_nodes; i++)
        world->nodes[i].is_preempting = false;
}

/* Node 0 is Active because it was the first. */
static void settle_in_turn(struct world *world)
{
    world_boot(world, 0);
    world_run_for(world, down_of(world, 0));
    for (unsigned i = 1; i < world->n_nodes; i++)
        world_boot(world, i);
    world_run_for(world, world_draw(world, 5, 9) * interval_of(world) / 2);
    want_one(world, 0, "at first");
}

static void part_all(struct world *world, bool adverts, bool beats)
{
    for (unsigned a = 0; a < world->n_nodes; a++) {
        for (unsigned b = 0; b < a; b++)
            world_part(world, a, b, adverts, beats);
    }
}

/* ---- calm -------------------------------------------------------------------------------------*/

static void play_steady(struct world *world)
{
    settle(world);
    unsigned n_moves = world_moves(world);
    uint64_t unserved = world_unserved(world);
    world_run_for(world, 50 * interval_of(world));
    world_want(world, world_moves(world) == n_moves, "something moved without a reason");
    world_want(world, world_unserved(world) == unserved, "the client was not served");
}

/* The Active's power goes: the best of the others serves, and none but that ever is Active. */
static void play_crash(struct world *world)
{
    for (unsigned i = 1; i < world->n_nodes; i++)
        world->nodes[i].priority = (uint8_t)(250 - 50 * i);
    settle(world);
    world_crash(world, 0);
    world_run_for(world, down_of(world, 1) + slack_of(world));
    want_one(world, 1, "after a crash");
    world_want(world, world->is_served, "the client is not served after a crash");
    for (unsigned i = 2; i < world->n_nodes; i++)
        world_want(world, world->nodes[i].n_takes == 0, "node %u was Active too", i);
}

static void play_intervals(struct world *world)
{
    world->nodes[0].policy.interval_ns *= 4;
    for (unsigned i = 0; i < world->n_nodes; i++)
        world_boot(world, i);
    world_run_for(world, 20 * interval_of(world));
    want_one(world, 0, "with the longest interval");
    unsigned n_moves = world_moves(world);
    world_run_for(world, 20 * interval_of(world));
    world_want(world, world_moves(world) == n_moves, "the longer interval was not learnt");
}

static void play_resigns(struct world *world)
{
    settle(world);
    world_tell(world, 0, VRRP_EVENT_STOP_NOW);
    world_run_for(world, skew_of(world, 1) + slack_of(world));
    int node;
    world_want(world, world_actives(world, &node) > 0, "nobody answers a resignation");
    world_run_for(world, interval_of(world));
    want_one(world, -1, "after a resignation");
}

/* Whole seconds, and skews in parts of a second. */
static void play_version_2(struct world *world)
{
    uint64_t interval = world_draw(world, 1, 3) * S;
    for (unsigned i = 0; i < world->n_nodes; i++) {
        world->nodes[i].policy.version = 2;
        world->nodes[i].policy.interval_ns = interval;
    }
    settle(world);
    uint64_t unserved = world_unserved(world);
    world_tell(world, 0, VRRP_EVENT_STOP);
    world_run_for(world, S / 16 + slack_of(world));
    world_want(world, world->nodes[0].machine.state == VRRP_INITIALIZE, "it did not hand over");
    want_smooth(world, unserved, "handing over");
    world_run_for(world, interval);
    want_one(world, 1, "after handing over");
    world_crash(world, 1);
    world_run_for(world, 3 * interval + S / 16 + slack_of(world));
    if (world->n_nodes > 2)
        want_one(world, 2, "after a crash");
}

/* ---- two at once ------------------------------------------------------------------------------*/

static void play_tie(struct world *world)
{
    for (unsigned i = 0; i < world->n_nodes; i++)
        world->nodes[i].priority = 200;
    part_all(world, true, true);
    for (unsigned i = 0; i < world->n_nodes; i++)
        world_boot(world, i);
    world_run_for(world, down_of(world, 0) + interval_of(world));
    int node;
    world_want(world, world_actives(world, &node) == world->n_nodes, "not all were Active");
    part_all(world, false, false);
    world_run_for(world, interval_of(world) + slack_of(world));
    want_one(world, (int)world->n_nodes - 1, "of equals");
}

/* Node 0 cannot be heard for a while; the client believes another. */
static void play_split(struct world *world)
{
    settle(world);
    for (unsigned i = 1; i < world->n_nodes; i++)
        world_part(world, 0, i, true, true);
    world_run_for(world, world_draw(world, 45, 60) * interval_of(world) / 10);
    for (unsigned i = 1; i < world->n_nodes; i++)
        world_earn(world, i, (uint8_t)(200 - i)); /* whoever is Active says so, at any moment */
    world_run_for(world, world_draw(world, 5, 25) * interval_of(world) / 10);
    int node;
    world_want(world, world_actives(world, &node) == 2, "not two were Active");
    for (unsigned i = 1; i < world->n_nodes; i++)
        world_part(world, 0, i, false, false);
    /* An advertisement on its way when it healed, an interval until the next, an answer. */
    world_run_for(world, interval_of(world) + slack_of(world));
    want_one(world, 0, "after the split");
    world_run_for(world, 50 * MS + 2 * slack_of(world));
    world_want(world, world->is_served && world->believed == 0, "the client still believes node %d",
               world->believed);
}

static void play_owner(struct world *world)
{
    settle_without_best(world);
    world->nodes[0].policy.is_owner = true;
    world_boot(world, 0);
    world_want(world, world->nodes[0].machine.state == VRRP_ACTIVE, "the owner waits");
    world_run_for(world, slack_of(world));
    want_one(world, 0, "beside the owner");
}

/* ---- preemption -------------------------------------------------------------------------------*/

static void play_no_preempt(struct world *world)
{
    no_preempting(world);
    settle_without_best(world);
    world_boot(world, 0);
    world_run_for(world, 10 * interval_of(world));
    world_want(world, world->nodes[0].n_takes == 0, "it preempts though told not to");
}

static void play_preempt_delay(struct world *world)
{
    uint64_t delay = world_draw(world, 5, 20) * interval_of(world);
    world->nodes[0].policy.preempt_delay_ns = delay;
    settle_without_best(world);
    world_boot(world, 0);
    world_run_for(world, delay - slack_of(world));
    world_want(world, world->nodes[0].n_takes == 0, "it preempts too early");
    uint64_t unserved = world_unserved(world);
    world_run_for(world, down_of(world, 0) + 2 * interval_of(world));
    want_one(world, 0, "after the delay");
    want_smooth(world, unserved, "preemption");
}

/* ---- what clients believe ---------------------------------------------------------------------*/

static void play_deaf(struct world *world)
{
    settle(world);
    world_deafen(world, true);
    world_crash(world, 0);
    world_run_for(world, down_of(world, 1));
    world_want(world, !world->is_served, "a deaf client was served");
    world_run_for(world, world_draw(world, 0, 4000) * MS);
    world_deafen(world, false);
    world_run(world, world->nodes[1].took_at + 5 * S + 500 * MS + slack_of(world));
    world_want(world, world->is_served, "the client is never told");
}

static void play_deaf_for_long(struct world *world)
{
    settle(world);
    world_deafen(world, true);
    world_crash(world, 0);
    world_run_for(world, down_of(world, 1) + 5500 * MS);
    world_deafen(world, false);
    world_run_for(world, 2500 * MS + slack_of(world));
    world_want(world, world->is_served, "the client is never told");
}

/* ---- planned moves ----------------------------------------------------------------------------*/

static void play_hands_over(struct world *world)
{
    settle(world);
    uint64_t unserved = world_unserved(world);
    bool is_stop = world_chance(world, 500000);
    world_tell(world, 0, is_stop ? VRRP_EVENT_STOP : VRRP_EVENT_YIELD);
    world_run_for(world, skew_of(world, 1) + slack_of(world));
    world_want(world, world->nodes[0].machine.state != VRRP_ACTIVE, "it did not hand over");
    world_run_for(world, 3 * interval_of(world));
    want_one(world, -1, "after handing over");
    want_smooth(world, unserved, "handing over");
    if (is_stop)
        return;
    world_run_for(world, 8 * interval_of(world));
    world_want(world, world->nodes[0].n_takes == 1, "it takes the address while it yields");
    unserved = world_unserved(world);
    world_tell(world, 0, VRRP_EVENT_RETURN);
    world_run_for(world, down_of(world, 0) + interval_of(world));
    want_one(world, 0, "after its return");
    want_smooth(world, unserved, "its return");
}

static void play_better(struct world *world)
{
    world->beat_every = 50 * MS;
    no_preempting(world);
    settle_in_turn(world);
    uint64_t unserved = world_unserved(world);
    world_earn(world, 0, 100);
    world_run_for(world, world->beat_every + skew_of(world, world->n_nodes - 1) + slack_of(world));
    world_want(world, world->nodes[0].machine.state != VRRP_ACTIVE,
               "it keeps what it cannot serve");
    world_run_for(world, interval_of(world));
    want_one(world, -1, "and is better off");
    want_smooth(world, unserved, "moving to one that is better off");
}

/* All lose what they need, one after the other: the address moves once, and does not come back. */
static void play_all_worse(struct world *world)
{
    world->beat_every = 50 * MS;
    settle(world);
    world->nodes[0].is_preempting = false; /* a node that lacks something does not preempt */
    world_earn(world, 0, 154);
    world_run_for(world, 6 * interval_of(world) + 2 * world->beat_every);
    int node;
    world_want(world, world_actives(world, &node) == 1 && node != 0, "it did not move");
    for (unsigned i = 1; i < world->n_nodes; i++) {
        world->nodes[i].is_preempting = false;
        world_earn(world, i, (uint8_t)(154 - i));
    }
    world_run_for(world, interval_of(world) + slack_of(world));
    want_one(world, -1, "where all lack something");
    unsigned n_moves = world_moves(world);
    world_run_for(world, 20 * interval_of(world));
    world_want(world, world_moves(world) == n_moves, "the address wanders");
}

/* ---- sleep, death -----------------------------------------------------------------------------*/

static void play_sleeps(struct world *world)
{
    no_preempting(world);
    settle_in_turn(world);
    world_pause(world, 0, world_draw(world, 45, 100) * interval_of(world) / 10);
    world_run_for(world, 15 * interval_of(world));
    want_one(world, -1, "after a sleep");
    world_want(world, world->nodes[0].machine.state == VRRP_BACKUP, "it goes on after a sleep");
    world_want(world, world->nodes[0].n_takes == 1, "it takes back what it lost asleep");
    world_want(world, world->is_served, "the client is not served after a sleep");
}

static void play_late(struct world *world)
{
    settle(world);
    unsigned n_moves = world_moves(world);
    world_pause(world, 1, world_draw(world, 45, 80) * interval_of(world) / 10);
    world_run_for(world, 12 * interval_of(world));
    world_want(world, world_moves(world) == n_moves, "a late Backup moves something");
}

static void play_respawn(struct world *world)
{
    settle(world);
    unsigned n_moves = world_moves(world) - world->nodes[0].n_moves;
    uint64_t unserved = world_unserved(world);
    world_kill(world, 0);
    world_run_for(world, world_draw(world, 1, 15) * interval_of(world) / 10);
    world_respawn(world, 0);
    world_run_for(world, 5 * interval_of(world));
    want_one(world, 0, "after a respawn");
    world_want(world, world_moves(world) - world->nodes[0].n_moves == n_moves,
               "the death of a process moves something elsewhere");
    world_want(world, world_unserved(world) == unserved, "the death of a process is noticed");
}

/* It comes back too late, or never: no address stays behind. */
static void play_dead(struct world *world)
{
    settle(world);
    world_kill(world, 0);
    world_run_for(world, 6 * interval_of(world));
    world_want(world, !world->nodes[0].has_address, "a dead process leaves its address");
    want_one(world, 1, "after the death of a process");
    if (world_chance(world, 500000))
        return;
    world_respawn(world, 0);
    world_want(world, world->nodes[0].machine.state == VRRP_BACKUP, "it adopts what is long gone");
    world_run_for(world, 6 * interval_of(world));
    want_one(world, 0, "when it is back");
}

/* ---- two paths --------------------------------------------------------------------------------*/

static void play_hold(struct world *world)
{
    world->beat_every = interval_of(world);
    settle(world);
    world_run_for(world, 2 * interval_of(world));
    part_all(world, true, false);
    world_run_for(world, 10 * interval_of(world));
    want_one(world, 0, "while its heartbeat is heard");
    for (unsigned i = 1; i < world->n_nodes; i++)
        world_want(world, world->nodes[i].is_alarmed, "node %u raises no alarm", i);
    part_all(world, true, true);
    world_run_for(world, 4 * interval_of(world) + slack_of(world));
    int node;
    world_want(world, world_actives(world, &node) > 1, "it holds for ever");
    world_want(world, !world->nodes[1].is_alarmed, "the alarm never ends");
}

static void play_link(struct world *world)
{
    settle(world);
    world_link(world, 0, false);
    world_run_for(world, 3 * interval_of(world) + slack_of(world));
    world_want(world, !world->nodes[0].has_address, "it keeps the address behind a dead link");
    world_run_for(world, interval_of(world) + slack_of(world));
    want_one(world, 1, "after the link went down");
    world_run_for(world, 50 * MS);
    world_want(world, world->is_served, "the client is not served after a link went down");
    world_link(world, 0, true);
    world_run_for(world, down_of(world, 0) + interval_of(world));
    want_one(world, 0, "after the link came back");
}

static void play_bounce(struct world *world)
{
    settle(world);
    unsigned n_moves = world_moves(world);
    world_link(world, 0, false);
    world_run_for(world, world_draw(world, 1, 18) * interval_of(world) / 10);
    world_deafen(world, false);
    world->believed = 1; /* as a switch that forgot where node 0 is, or a client elsewhere */
    world_link(world, 0, true);
    world_run_for(world, 50 * MS + slack_of(world));
    world_want(world, world->is_served, "the client is not told after a bounce");
    world_run_for(world, 3 * interval_of(world));
    world_want(world, world_moves(world) == n_moves, "a bounce of the link moves something");
}

const struct scene vrrp_scenes[] = {
    {"steady", 0, 2, 5, play_steady},
    {"crash", VRRP_RULE_SKEW, 3, 5, play_crash},
    {"intervals", VRRP_RULE_LEARN, 2, 5, play_intervals},
    {"resigns", VRRP_RULE_RESIGN, 2, 5, play_resigns},
    {"version-2", 0, 2, 5, play_version_2},
    {"tie", VRRP_RULE_TIE, 2, 5, play_tie},
    {"split", VRRP_RULE_ANSWER | VRRP_RULE_SUSPECT | VRRP_RULE_PART, 2, 5, play_split},
    {"owner", VRRP_RULE_OWNER, 2, 5, play_owner},
    {"no-preempt", VRRP_RULE_NO_PREEMPT, 2, 5, play_no_preempt},
    {"preempt-delay", VRRP_RULE_DELAY, 2, 5, play_preempt_delay},
    {"deaf", VRRP_RULE_BURST, 2, 5, play_deaf},
    {"deaf-for-long", VRRP_RULE_REFRESH, 2, 3, play_deaf_for_long},
    {"hands-over", VRRP_RULE_MAKE_FIRST, 2, 5, play_hands_over},
    {"better", VRRP_RULE_BETTER, 2, 5, play_better},
    {"all-worse", 0, 2, 2, play_all_worse},
    {"sleeps", VRRP_RULE_STALL, 2, 5, play_sleeps},
    {"late", VRRP_RULE_LATE, 2, 5, play_late},
    {"respawn", VRRP_RULE_ADOPT, 2, 5, play_respawn},
    {"dead", 0, 2, 5, play_dead},
    {"hold", VRRP_RULE_HOLD, 2, 5, play_hold},
    {"link", VRRP_RULE_LINK, 2, 5, play_link},
    {"bounce", VRRP_RULE_LINK, 2, 5, play_bounce},
    {"chaos", 0, 2, 5, vrrp_play_chaos},
};
const unsigned vrrp_n_scenes = sizeof(vrrp_scenes) / sizeof(vrrp_scenes[0]);
