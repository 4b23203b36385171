/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_INTERNAL_H
#define VIP_INTERNAL_H

/*
 * What the files of the process share:
 *
 *     vip.c      the module's life
 *     plan.c     which vips a snapshot has: prepare, commit, abort
 *     run.c      one vip at work: timers, packets, what is reconsidered
 *     world.c    struct group_ops: what a group does to the world
 *     publish.c  facts, gauges, log lines
 *     peers.c    what the other nodes say of themselves
 *     status.c   for `weir status`
 *
 * Groups live by loop_boot_ns(), a clock that goes on while the machine sleeps: who slept has lost.
 *
 * A vip outlives reloads as long as name, interface, id and kind of MAC are the same (plan.c): its
 * groups go over to the new snapshot, whose reference it holds.
 */

#include "core/process.h"
#include "core/slabs.h"
#include "limit/hush.h"
#include "vip/conf.h"
#include "vip/group.h"
#include "vip/hook_runner.h"
#include "vip/lack_watch.h"
#include "vip/mac.h"
#include "vip/port.h"
#include "vip/why.h"
#include <stdbool.h>
#include <stdint.h>

struct vips;
struct vip;

enum { VIP_HUSHES = VRRP_REFUSALS + 2 }; /* lines about refusals, oddities, errors */

/* A group and what it hangs from. */
struct vip_group {
    struct vip *vip;
    bool is_there;   /* the configuration has the family */
    bool is_started; /* until it has stopped */
    struct group group;
    struct loop_timer timer;
    struct mac_link mac; /* of `virtual-mac` */
    struct hush hushes[VIP_HUSHES];
    char trouble[PORT_TROUBLE_MAX]; /* why it takes no part; "": it does */
    char why[WHY_MAX];              /* the sentence of its last move; "": there was none */
    bool is_following;              /* Backup, and says whom it hears since then */
};

/* What was last told of a peer. */
struct vip_peer {
    struct fact_ref peer, at; /* peer:NODE, at:NODE/vip:NAME */
    bool is_serving, is_better;
};

struct vip {
    struct vips *vips;
    struct snapshot *snap; /* a reference */
    const struct vip_conf *conf;
    char *name, *fact;
    struct port *port;
    struct shared_slab *slab;
    struct vip_group groups[VIP_FAMILIES];
    struct lack_watch *watch; /* NULL before it has started */
    struct hook_runner *hooks;
    struct vip_peer peers[VIP_NODES_MAX];
    unsigned lack;    /* of its set, as it was last told */
    bool is_ending;   /* gone from the file; goes when its groups have stopped */
    bool is_yielding; /* of its set */
    bool is_holding;
    bool is_told;  /* its fact is on the board */
    bool has_news; /* its groups have moved since the fact was told */
};

/* A snapshot on its way in. */
struct vip_plan {
    struct snapshot *snap;
    struct vip **items; /* by place in the configuration: a living one, or a new one */
    bool *is_new;
    uint32_t n_items;
};

struct vips {
    struct process *process;
    struct slabs slabs;
    struct ports ports;
    struct vip **items; /* those of the configuration, then those that are ending */
    uint32_t n_items, cap_items;
    struct vip_plan *coming;
    const struct snapshot *snap; /* in force; NULL before the first commit */
    struct loop_task task;
    bool is_task_due;
    struct loop_timer again; /* when together_yields() is to be asked again */
    struct loop_timer retry; /* of ports that are of no use */
    bool has_former;         /* an earlier life, here or before an upgrade */
    uint64_t died_ns;        /* CLOCK_MONOTONIC: when it was last heard; 0: it lives beside us */
    bool is_draining;        /* the process ends */
    bool is_let_go;
};

/* ---- plan.c ---- */

/* Makes what commit needs; living vips are not touched. NULL with err. */
struct vip_plan *vip_plan_create(struct vips *vips, struct snapshot *snap, struct err *err);
void vip_plan_abort(struct vips *vips, struct vip_plan **plan);
/* The plan is in force from now on. */
void vip_plan_commit(struct vips *vips, struct vip_plan **plan);
/* Addresses and interfaces that an earlier life has left and nobody has adopted. */
void vip_sweep(struct vips *vips);

/* ---- run.c ---- */

struct vip *vip_create(struct vips *vips, struct snapshot *snap, const struct vip_conf *conf,
                       struct err *err);
void vip_destroy(struct vip **vip);
/* Starts, or goes over to, what vip->conf says now. */
void vip_begin(struct vip *vip);
void vip_replan(struct vip *vip, struct snapshot *snap, const struct vip_conf *conf);
/* Its groups hand over (is_now: at once); the vip goes when they have. */
void vip_end(struct vip *vip, bool is_now);
/* No group of it is Active, or none that could go elsewhere. */
bool vip_is_drained(const struct vip *vip);
/* Priorities, yields, facts: at the end of this turn. */
void vips_reconsider(struct vips *vips);
void vip_on_port(struct vip *vip);
void vip_arm(struct vip_group *at);

/* ---- world.c ---- */

extern const struct group_ops vip_group_ops; /* ctx: struct vip_group */
/* Are all of its addresses on the interface? */
bool vip_has_addresses(const struct vip_group *at);
extern const struct port_calls vip_port_calls; /* ctx: struct vips */

/* ---- publish.c ---- */

void vip_publish(struct vip *vip);
void vip_say_moved(struct vip_group *at, const struct vrrp_action *action);
void vip_say_note(struct vip_group *at, const struct group_note *note);
/* An advertisement came: whom a Backup that has just begun follows is told once. */
void vip_say_heard(struct vip_group *at);
/* Why it is as it is. */
const char *vip_group_reason(const struct vip_group *at);
/* "up", "active"... of its groups together. */
enum fact_state vip_fact_state(const struct vip *vip);

/* ---- peers.c ---- */

/* Gives the groups of the vip what the other nodes say now. */
void vip_hear_peers(struct vip *vip);
/* Is it a fact that vip_hear_peers() reads? */
bool vip_is_peers_fact(const char *name);

/* ---- status.c ---- */

void vip_status(struct vips *vips, struct json *json);

static inline const char *vip_family_name(size_t family)
{
    return family == VIP_IPV6 ? "IPv6" : "IPv4";
}

static inline size_t vip_family_of(const struct vip_group *at)
{
    return at->group.plan.is_ipv6 ? VIP_IPV6 : VIP_IPV4;
}

#endif
