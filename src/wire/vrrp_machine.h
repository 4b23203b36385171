/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_VRRP_MACHINE_H
#define WIRE_VRRP_MACHINE_H

/*
 * Who of several nodes has a floating address: the protocol machine of VRRP (RFC 9568 section 6,
 * with its errata; RFC 3768 for version 2), and what weir adds so that clients notice less of it.
 *
 *                    START, the link is back
 *     +------------+ ------------------------> +--------+
 *     | Initialize |                           | Backup |  no address; waits for silence
 *     +------------+ <------------------------ +--------+
 *        |      ^      STOP, the link is gone    |    ^
 *        |      |                                |    |  a better Active is heard; planned and
 *   owner,      | STOP, the link is gone for     |    |  another is Active now; slept too long
 *   adopted     |                    silence, a  |    |
 *        |      |               resignation, a   v    |
 *        |    +------------------------------------------+
 *        +--> | Active: has the address, advertises it   |
 *             +------------------------------------------+
 *
 * It takes an event and the time, and answers with actions as data: send, add, remove, announce,
 * and the move with its reason. It has no socket, clock or random number; whoever runs it (the
 * vip's process, the tests, a simulation) does in their order what the actions say, and calls it
 * again with VRRP_EVENT_TIME when vrrp_machine_deadline() is reached. One machine a group of
 * addresses; it holds no memory but its struct.
 *
 * What is added to the RFC, each a rule that can be switched off (enum vrrp_rule) so that the tests
 * can show that they would notice:
 *
 * - The address is announced again 50 ms, 200 ms, 1 s and 5 s later, all over after each suspicion
 *   that somebody else had it (another's advertisement, the bounce of the link, a sleep), and from
 *   time to time, should the packet be lost that was to raise one.
 * - Who loses the address to a better Active sends one last advertisement when it is without it.
 *   The winner answers and announces itself again, and clients that believed the loser are right
 *   again at once; with the RFC alone that is so only where the loser spoke first.
 * - A planned move first lets the other become Active: the leaving node says priority 0 and serves
 *   until it hears the other, which announces itself before it says that it is Active.
 * - A node that slept longer than its peers' patience assumes that it has lost the address, and
 *   listens for an interval before it serves. A Backup that was late reads what it missed first.
 * - A process that begins anew and was Active a moment ago is Active at once.
 * - Where VRRP is silent but a peer says freshly over another path that it is Active and serves,
 *   that is an alarm and no takeover.
 * - A node whose peer says that it is better off hands over to it.
 * - A link that is gone for less than the peers' patience moves nothing.
 *
 * All times are in ns of one clock that never goes back.
 */

#include "wire/vrrp.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VRRP_PEERS_MAX = 8, VRRP_ACTIONS_MAX = 16, VRRP_BURST = 5 };
#define VRRP_NEVER UINT64_MAX

enum vrrp_state { VRRP_INITIALIZE, VRRP_BACKUP, VRRP_ACTIVE, VRRP_STATES };

/* Why a machine moved to the state in which it is. */
enum vrrp_reason {
    VRRP_WHY_STARTED,
    VRRP_WHY_OWNER,
    VRRP_WHY_ADOPTED,
    VRRP_WHY_SILENCE,
    VRRP_WHY_RESIGNED,
    VRRP_WHY_PREEMPTS,
    VRRP_WHY_HOLD_OVER,
    VRRP_WHY_OUTRANKED,
    VRRP_WHY_TIE,
    VRRP_WHY_STALLED,
    VRRP_WHY_LINK_DOWN,
    VRRP_WHY_LINK_UP,
    VRRP_WHY_YIELDED,
    VRRP_WHY_PEER_BETTER,
    VRRP_WHY_STOPPED,
    VRRP_REASONS /* how many */
};

/* For tests alone: bits of what a machine does not do. */
enum vrrp_rule {
    VRRP_RULE_SKEW = 1 << 0,        /* the better waits less */
    VRRP_RULE_LEARN = 1 << 1,       /* the Active's interval counts, not ours */
    VRRP_RULE_RESIGN = 1 << 2,      /* priority 0 is answered after the skew alone */
    VRRP_RULE_TIE = 1 << 3,         /* of two with one priority the higher address stays */
    VRRP_RULE_ANSWER = 1 << 4,      /* a worse Active is answered at once */
    VRRP_RULE_OWNER = 1 << 5,       /* the owner does not wait */
    VRRP_RULE_NO_PREEMPT = 1 << 6,  /* a worse Active is left alone if so told */
    VRRP_RULE_DELAY = 1 << 7,       /* and at first, where there is a delay */
    VRRP_RULE_BURST = 1 << 8,       /* announced five times */
    VRRP_RULE_SUSPECT = 1 << 9,     /* announced again after a suspicion */
    VRRP_RULE_PART = 1 << 10,       /* who loses says so */
    VRRP_RULE_MAKE_FIRST = 1 << 11, /* who leaves serves until another does */
    VRRP_RULE_STALL = 1 << 12,      /* who slept has lost */
    VRRP_RULE_LATE = 1 << 13,       /* who is late reads first */
    VRRP_RULE_ADOPT = 1 << 14,      /* a new process goes on as Active */
    VRRP_RULE_HOLD = 1 << 15,       /* no takeover from one that serves */
    VRRP_RULE_BETTER = 1 << 16,     /* hands over to one that is better off */
    VRRP_RULE_LINK = 1 << 17,       /* a dead link moves the address, a short bounce does not */
    VRRP_RULE_REFRESH = 1 << 18,    /* announced from time to time */
    VRRP_RULES = 19                 /* how many */
};

struct vrrp_policy {
    uint8_t version; /* 2 or 3 */
    bool is_owner;   /* priority 255, whatever is earned */
    uint64_t interval_ns;
    uint64_t preempt_delay_ns; /* how long a worse Active is left alone; 0: not at all */
    uint64_t refresh_ns;       /* announced again so long after the last time; 0: not */
    struct vrrp_ip source;     /* the primary address, which decides between equals */
    uint32_t rules_off;        /* of enum vrrp_rule; 0 but in tests */
};

enum vrrp_event_kind {
    VRRP_EVENT_START,    /* take part; with what was left behind by an earlier life removed */
    VRRP_EVENT_ADOPT,    /* take part as Active: age_ns ago a process here was; its address stays */
    VRRP_EVENT_STOP,     /* hand over, then end: when the state is Initialize it is done */
    VRRP_EVENT_STOP_NOW, /* resign and end at once */
    VRRP_EVENT_ADVERT,   /* priority, interval_ns, source: one that vrrp_accept() let through */
    VRRP_EVENT_TIME,     /* the deadline is reached; after what lies in the socket was read */
    VRRP_EVENT_PRIORITY, /* priority 1..254 is what this node has earned; is_preempting */
    VRRP_EVENT_YIELD,    /* hand over, and keep out while anybody else can serve */
    VRRP_EVENT_RETURN,   /* the end of YIELD */
    VRRP_EVENT_LINK_DOWN, /* the interface has no carrier, or is gone */
    VRRP_EVENT_LINK_UP,
    VRRP_EVENT_POLICY, /* policy: another from now on (a reload), which an Active says at once */
    VRRP_EVENT_PEER,   /* peer, is_serving, is_better, fresh_ns: its heartbeat came */
};

struct vrrp_event {
    enum vrrp_event_kind kind;
    uint8_t priority;
    bool is_preempting;
    uint64_t interval_ns;
    struct vrrp_ip source;
    uint64_t age_ns;
    uint8_t peer;      /* 0..VRRP_PEERS_MAX - 1 */
    bool is_serving;   /* it says that it is Active, does not leave, and serves */
    bool is_better;    /* it says that it lacks less than we do, and would take over */
    uint64_t fresh_ns; /* for how long its word counts */
    const struct vrrp_policy *policy; /* borrowed; copied */
};

enum vrrp_action_kind {
    VRRP_DO_ADVERT,   /* send an advertisement with `priority` */
    VRRP_DO_ADD,      /* the addresses; where they are already it is no error */
    VRRP_DO_REMOVE,   /* likewise */
    VRRP_DO_ANNOUNCE, /* one gratuitous ARP or neighbour advertisement an address */
    VRRP_DO_ASK,      /* send heartbeats that want an answer */
    VRRP_DO_HOLD,     /* an alarm begins: VRRP is silent, and a peer serves */
    VRRP_DO_RELEASE,  /* it ends */
    VRRP_DO_MOVE,     /* the state was `from`, is `to` for `reason`: log, count, publish */
};

struct vrrp_action {
    enum vrrp_action_kind kind;
    uint8_t priority;
    enum vrrp_state from, to;
    enum vrrp_reason reason;
};

struct vrrp_actions {
    size_t n;
    struct vrrp_action items[VRRP_ACTIONS_MAX];
};

/* Read by whoever runs it, written by vrrp_machine_step() alone. */
struct vrrp_machine {
    struct vrrp_policy policy;
    enum vrrp_state state;
    enum vrrp_reason reason; /* of the last move */
    uint64_t since_ns;       /* of it */
    uint8_t priority;        /* what is earned */
    bool is_preempting;
    bool is_started;
    bool is_linked;
    bool is_yielding;
    bool is_leaving;            /* Active, has said priority 0, waits for the other */
    bool is_holding;            /* Backup, would be Active but for the word of a peer */
    bool is_late;               /* Backup, was late already in this silence */
    enum vrrp_reason leave_why; /* of is_leaving; STOPPED ends in Initialize */
    enum vrrp_reason down_why;  /* what the end of the down timer will mean */
    uint64_t now_ns;            /* the last step */
    uint64_t learnt_ns;         /* Active_Adver_Interval */
    uint64_t advert_at_ns;      /* Adver_Timer */
    uint64_t sent_ns;           /* the last advertisement */
    uint64_t down_at_ns;        /* Active_Down_Timer */
    uint64_t announce_at_ns;    /* the next of the burst */
    uint64_t burst_ns;          /* when the burst began */
    unsigned n_announced;       /* of the burst */
    uint64_t suspicions_ns;     /* the first of those that are counted */
    unsigned n_suspicions;      /* since then */
    uint64_t leave_until_ns;
    uint64_t leave_again_ns; /* not before this because a peer is better off */
    uint64_t link_until_ns;  /* when a dead link costs the address */
    uint64_t worse_ns;       /* the first advertisement of those worse ones that come in a row; 0 */
    uint64_t worse_heard_ns; /* the last of them */
    uint64_t serving_until_ns[VRRP_PEERS_MAX];
};

/* `policy` is copied. interval_ns > 0, priority 1..254, or any for an owner. */
void vrrp_machine_init(struct vrrp_machine *machine, const struct vrrp_policy *policy,
                       uint8_t priority, bool is_preempting);

/* now_ns is never less than in the step before. ret_actions is overwritten. */
void vrrp_machine_step(struct vrrp_machine *machine, const struct vrrp_event *event,
                       uint64_t now_ns, struct vrrp_actions *ret_actions);

/* When VRRP_EVENT_TIME is due, or VRRP_NEVER. */
uint64_t vrrp_machine_deadline(const struct vrrp_machine *machine);

/* The priority that it advertises: earned, 255 of an owner, 1 while it yields. */
uint8_t vrrp_machine_priority(const struct vrrp_machine *machine);

/* Whether it is Active and means to stay so: what the heartbeat says to peers. */
bool vrrp_machine_is_serving(const struct vrrp_machine *machine);

/* "active" and "silence" for metrics and facts, and the sentence of a reason for the log. */
const char *vrrp_state_name(enum vrrp_state state);
const char *vrrp_reason_name(enum vrrp_reason reason);
const char *vrrp_reason_text(enum vrrp_reason reason);

#endif
