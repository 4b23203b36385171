/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_VRRP_WORLD_H
#define TESTS_SIM_VRRP_WORLD_H

/*
 * A world in which several nodes share a floating address: their machines (wire/vrrp_machine.h), a
 * network between them that loses, delays, doubles and parts, clocks that drift, processes that
 * pause and die, links that go, and one client that believes whoever announced the address last.
 * All of it follows from a seed. What must hold at every moment is looked at after each event; the
 * first thing that does not is kept in `failure`. The scenes (scenes.c) say what happens and
 * what must have come of it.
 *
 *     node --adverts--> node       may be blocked between two (partition), lossy, slow
 *     node --beats----> node       the second heartbeat, on a path of its own
 *     node --announce-> client     arrives unless the node's link is down or the client is deaf
 *
 * Times are in ns of the world; each node has a clock of its own beside it.
 */

#include "base/rng.h"
#include "wire/vrrp_machine.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORLD_NODES_MAX = 5, WORLD_INBOX_MAX = 512, WORLD_FAILURE_MAX = 200 };

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

struct message {
    unsigned from;
    bool is_beat;
    uint8_t priority;
    uint64_t interval_ns;
    bool is_serving; /* of a beat; and */
    bool is_standby; /* that it would take over */
};

struct node {
    struct vrrp_machine machine;
    struct vrrp_policy policy;
    uint8_t priority;
    bool is_preempting;
    bool is_powered; /* the machine; its kernel keeps the address while the process is dead */
    bool is_running; /* the process */
    bool is_paused;
    bool is_linked;
    bool has_address;
    bool is_alarmed;
    bool is_beating;
    int64_t drift_ppm;
    uint64_t offset_ns;
    uint64_t tick_id;     /* of the one timer that counts */
    uint64_t life_until;  /* of the address, where nobody renews it */
    uint64_t took_at;     /* Active and awake since */
    uint64_t moved_at;    /* the last move */
    uint64_t stepped_at;  /* the last step of the process */
    unsigned n_announced; /* since took_at */
    unsigned n_takes;
    unsigned n_moves;
    unsigned n_alarms;
    struct message *inbox; /* while it is paused */
    size_t n_inbox;
};

struct occurrence;

struct world {
    struct rng rng;
    struct node nodes[WORLD_NODES_MAX];
    unsigned n_nodes;
    uint64_t now;
    /* the network */
    unsigned loss_ppm, twice_ppm;
    uint64_t delay_min, delay_max;
    bool is_shuffled;                                       /* packets may overtake each other */
    uint64_t arrived_at[WORLD_NODES_MAX][WORLD_NODES_MAX];  /* the last one */
    uint64_t late_max;                                      /* of timers */
    bool is_blocked[WORLD_NODES_MAX][WORLD_NODES_MAX];      /* adverts */
    bool is_beat_blocked[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* beats */
    uint64_t beat_every;                                    /* 0: there are none */
    /* the client */
    int believed; /* the node behind the address, -1 */
    bool is_deaf;
    bool is_served;
    uint64_t unserved;       /* how long in all */
    uint64_t unserved_since; /* where it is not served */
    /* what must hold */
    uint64_t pair_bound; /* how long two may stay Active after a packet passed between them */
    uint64_t passed_at[WORLD_NODES_MAX][WORLD_NODES_MAX];
    bool is_verbose;
    char failure[WORLD_FAILURE_MAX]; /* "" */
    /* what is to happen */
    struct occurrence *heap;
    size_t n_heap, cap_heap;
    uint64_t n_pushed;
};

/* n nodes of version 3, priority 254 for the first and 253 down for the others, powered off. */
void world_init(struct world *world, uint64_t seed, unsigned n_nodes, uint64_t interval_ns,
                uint32_t rules_off);
void world_deinit(struct world *world);

/* Lets everything happen until `at`. */
void world_run(struct world *world, uint64_t at);
void world_run_for(struct world *world, uint64_t ns);

void world_boot(struct world *world, unsigned index); /* power on, the process starts */
void world_crash(struct world *world, unsigned index);
void world_kill(struct world *world, unsigned index); /* the process alone */
/* After world_kill(): it adopts what it left, its state being as old as its last step. */
void world_respawn(struct world *world, unsigned index);
void world_pause(struct world *world, unsigned index, uint64_t ns);
void world_link(struct world *world, unsigned index, bool is_up);
/* Adverts, beats, or both between two, both ways. */
void world_part(struct world *world, unsigned a, unsigned b, bool adverts, bool beats);
/* One of the events without arguments. */
void world_tell(struct world *world, unsigned index, enum vrrp_event_kind kind);
void world_earn(struct world *world, unsigned index, uint8_t priority);

/* The client's own path comes and goes; what it missed it does not hear again. */
void world_deafen(struct world *world, bool is_deaf);

/* The number of nodes that are Active, and one of them in *ret_node (or -1). */
unsigned world_actives(const struct world *world, int *ret_node);
uint64_t world_unserved(const struct world *world); /* so far, in all */
unsigned world_moves(const struct world *world);    /* of all nodes so far */

/* Keeps the first failure. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Fails unless `is_true`. */
#define world_want(world, is_true, ...)       \
    do {                                      \
        if (!(is_true))                       \
            world_fail((world), __VA_ARGS__); \
    } while (0)

/* lowest .. highest, both included. */
uint64_t world_draw(struct world *world, uint64_t lowest, uint64_t highest);
bool world_chance(struct world *world, unsigned ppm);

#endif
