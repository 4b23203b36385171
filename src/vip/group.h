/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_GROUP_H
#define VIP_GROUP_H

/*
 * One group of VRRP on this node: the addresses of one vip and one family, the machine that says
 * who has them (wire/vrrp_machine.h), and what its actions do to the world.
 *
 *     advertisement, time, link, priority, peers --> group --> vrrp_machine --> actions
 *                                                     |
 *                   struct group_ops:  send   put   remove   announce   moved   noted   ask
 *
 * The group has no socket, no clock and no log: the world is behind struct group_ops, which the
 * process fills in (vip/world.h) and tests replace. Each operation has been done when it returns,
 * so that actions happen in their order: the address is gone before the last advertisement says so.
 *
 * Addresses are put with a short life, group_life_s(), and renewed with the advertisements of an
 * Active, so that the death of everything takes them away. What cannot be put is tried again
 * with each renewal, and the group is_broken meanwhile: its node's priority falls.
 *
 * Whose word counts about an advertisement that is refused or odd: nobody's here; it is counted in
 * the row (vip/count.h) and told by noted().
 *
 * All times are in ns of one clock that never goes back, also not while the machine sleeps.
 */

#include "base/err.h"
#include "core/metric.h"
#include "vip/conf.h"
#include "wire/vrrp.h"
#include "wire/vrrp_machine.h"
#include <stdbool.h>
#include <stdint.h>

struct group;

/* What is worth a line in a log. */
struct group_note {
    enum vrrp_refusal refusal; /* VRRP_FINE: none */
    unsigned oddities;         /* of enum vrrp_oddity */
    struct vrrp_ip source;     /* who sent what is refused or odd */
    const char *error;         /* what could not be done, or NULL */
};

struct group_ops {
    /* One payload. 0; 1: lost, the queue is full; -1 with err. */
    int (*send)(void *ctx, const struct group *group, const struct vrrp_carrier *carrier,
                struct slice payload, struct err *err);
    /* Puts addresses, or renews them; those that somebody else has put there are left alone. 0; or
     * -1 with err where one of them is not there now. */
    int (*put)(void *ctx, const struct group *group, const struct vip_address *addresses,
               uint32_t n, uint32_t life_s, struct err *err);
    /* Takes them away, but for those that somebody else has put there. Not there is fine. */
    int (*remove)(void *ctx, const struct group *group, const struct vip_address *addresses,
                  uint32_t n, struct err *err);
    /* One frame. As send(). */
    int (*announce)(void *ctx, const struct group *group, struct slice frame, struct err *err);
    void (*moved)(void *ctx, const struct group *group, const struct vrrp_action *action);
    void (*noted)(void *ctx, const struct group *group, const struct group_note *note);
    /* Peers are to say at once how they are. */
    void (*ask)(void *ctx, const struct group *group);
};

/* What a snapshot makes of the group; the addresses are the snapshot's. */
struct group_plan {
    const struct vip_conf *vip;
    const struct vip_family *family;
    bool is_ipv6;
    uint8_t base; /* the priority while this node lacks nothing */
};

/* What the interface is like. */
struct group_link {
    bool is_up;                  /* has a carrier, and the source */
    struct vrrp_ip source;       /* n_bytes 0: none */
    uint8_t mac[VRRP_MAC_BYTES]; /* behind which addresses are announced */
};

/* The one that is Active, as its advertisements say. */
struct group_heard {
    struct vrrp_ip source; /* n_bytes 0: nobody was heard yet */
    uint8_t priority;
    uint64_t interval_ns;
    uint64_t at_ns;
};

struct group {
    struct group_plan plan;
    const struct group_ops *ops;
    void *ctx;
    metric_word *row;
    struct vrrp_machine machine;
    struct group_link link;
    struct group_heard heard;
    uint64_t renew_ns; /* when addresses are put again; VRRP_NEVER: there are none */
    uint64_t taken_ns; /* when group_taken() last put them again */
    bool is_broken;    /* Active, and an address could not be put */
    bool is_let_go;    /* another process has it */
};

/* How long an address stays in the kernel when nobody renews it, in seconds. */
uint32_t group_life_s(int64_t interval_ms);
/* A third of it. */
uint64_t group_renew_ns(int64_t interval_ms);

/* To whom an advertisement goes: everybody at once, or the peers one by one. */
static inline uint32_t group_n_targets(const struct group_plan *plan)
{
    return plan->family->n_peers ? plan->family->n_peers : 1;
}
struct vrrp_ip group_target(const struct group_plan *plan, uint32_t index);
/* The payload that says `priority`. Returns its bytes. */
size_t group_write_advert(const struct group_plan *plan, uint8_t priority,
                          const struct vrrp_carrier *carrier,
                          uint8_t ret_bytes[VRRP_PACKET_MAX_BYTES]);

/* The plan is copied; ops, ctx and row are borrowed. The priority is the base's. */
void group_init(struct group *group, const struct group_plan *plan, const struct group_ops *ops,
                void *ctx, metric_word *row);

/* Before and after it starts: what the interface is like now. */
void group_set_link(struct group *group, const struct group_link *link, uint64_t now_ns);
/* Takes part; what an earlier life has left is removed. */
void group_start(struct group *group, uint64_t now_ns);
/* Takes part as Active: a process here was so age_ns ago, and its addresses are there. */
void group_adopt(struct group *group, uint64_t age_ns, uint64_t now_ns);
/*
 * The same group in another configuration: name, interface, id and version are as they were. The
 * addresses of the former plan are still there during the call.
 */
void group_replan(struct group *group, const struct group_plan *plan, uint64_t now_ns);

/* A packet whose second byte is the group's id. */
void group_receive(struct group *group, const struct vrrp_carrier *carrier, struct slice payload,
                   uint64_t now_ns);
/* Everything that waits in the socket was received. */
void group_time(struct group *group, uint64_t now_ns);
/* An address of an Active has gone, and nobody here took it away: all are put again and announced
 * at once, but in a fight with another program a few times a second. */
void group_taken(struct group *group, uint64_t now_ns);
/* When group_time() is due, or VRRP_NEVER. */
uint64_t group_deadline(const struct group *group);

void group_set_priority(struct group *group, uint8_t priority, bool is_preempting, uint64_t now_ns);
void group_set_yielding(struct group *group, bool is_yielding, uint64_t now_ns);
void group_hear_peer(struct group *group, uint8_t peer, bool is_serving, bool is_better,
                     uint64_t fresh_ns, uint64_t now_ns);

/* Hands over, then ends: it is over when the state is VRRP_INITIALIZE. is_now: at once. */
void group_stop(struct group *group, bool is_now, uint64_t now_ns);
/* Another process has it from now on: nothing is sent or removed any more. */
void group_let_go(struct group *group);

static inline enum vrrp_state group_state(const struct group *group)
{
    return group->machine.state;
}

#endif
