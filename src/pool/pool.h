/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

/*
 * Pools and their members: who serves, where they are, and where their facts stand on the board.
 *
 *     pool web {
 *         check  http path /healthz expect 200 every 2s fall 3 rise 2
 *         member app1 10.0.1.11:8080
 *         member app2 app2.internal:8080 weight 2
 *         balance round-robin
 *     }
 *
 * The structs below are configuration: part of a snapshot, immutable, shared by all loops. What
 * moves is on the board, written by health alone:
 *
 *     member:web/app1    up | down | draining | unknown
 *                                               reason of who decided; value: weight in force
 *     pool:web           up | degraded | draining | down
 *                                               "2/3 up, 1 draining"; value: members up
 *     failopen:web       up | down              up: members that are down are used too, for too few
 *                                               are up; all but those that the operator forces
 *                                               down, which weigh 0
 *     address:web/app2   resolved | down        for members named by a host; reason: the address as
 *                                               text, then what is wrong with the last look-up
 *
 * An address that changes passes through `unknown`, so that every reader's bell rings; a reader
 * goes on with the address that it has until the fact is `resolved` again. Without a check a member
 * is up ("not checked"), or down while its name has never been resolved. Members that health has
 * not judged yet count neither for nor against their pool, which is `unknown` while there are no
 * others.
 *
 * A struct member_view is a loop's (or health's) own look at one member: its references to those
 * facts, and the address in force. It is made anew for each snapshot by those who need it.
 */

#include "base/addr.h"
#include "base/slice.h"
#include "conf/schema.h"
#include "core/board.h"
#include "core/module.h"
#include "pool/check.h"
#include "pool/eject_conf.h"
#include "pool/method.h"
#include "tls/tls.h"
#include <stdbool.h>
#include <stdint.h>

enum { POOL_MEMBERS_MAX = 256, POOLS_MAX = 256, MEMBER_WEIGHT_MAX = 256 };

/* When members that are down are used too. */
struct fail_open_conf {
    struct conf_object object;
    int64_t below_percent; /* of the members that do not drain are up */
};

struct member {
    struct conf_object object; /* object.name: "app1" */
    struct slice name;
    struct conf_addr endpoint; /* an address, or a host name that health resolves */
    int64_t weight;            /* 1..256; 1 */
    struct conf_ref listen;    /* of this node, whose fact takes the place of a check; or empty */
    bool is_backup;            /* takes requests only while no other member may be used */
    int64_t max_connections;   /* 0: no limit. What the pool says where it is not set */
    int64_t slow_start_ms;     /* likewise; 0: none */
    /* --- filled by pool's check() --- */
    struct pool *pool;
    uint32_t index;           /* in its pool */
    const char *fact;         /* "member:web/app1" */
    const char *address_fact; /* "address:web/app2"; NULL where endpoint is an address */
    const char *listen_fact;  /* "listen:shop"; NULL: the check decides */
    const char *label;        /* "web/app1", the metric slab's object */
};

struct pool {
    struct conf_object object;
    struct slice name;
    struct conf_list member_list; /* of struct member */
    struct tls_client_conf *tls;  /* NULL: members are spoken to in the clear */
    struct check_conf *check;     /* NULL: no check, members are up unless forced */
    struct balance_conf balance;
    struct pool_queue_conf queue;
    struct eject_conf eject;
    struct fail_open_conf *fail_open; /* NULL: a member that is down is never used */
    int64_t max_connections;          /* to each member; 0: no limit */
    int64_t slow_start_ms;            /* 0: none */
    /* --- filled by pool's check() --- */
    struct member **members; /* = member_list.items */
    uint32_t n_members;
    uint32_t index;        /* among the pools of the snapshot */
    const char *fact;      /* "pool:web" */
    const char *open_fact; /* "failopen:web"; NULL: the pool has no such word */
    /* Set by the check() of a module that wants to know how soon members may turn: health says so
     * in turn:POOL/NAME. Such a check() calls pool_check_facts() behind it. */
    bool is_timed;
    bool is_routed; /* a listen's route sends requests there; set by the edge's check() */
};

/* What the pool module's words fill: all pools of a snapshot. */
struct pool_conf {
    struct conf_object object;
    struct conf_list pool_list; /* of struct pool */
    /* --- filled by check() --- */
    struct pool **pools;
    uint32_t n_pools;
    struct pool **by_name; /* the same, sorted */
};

extern const struct module pool_module;

/* All pools of a snapshot. */
const struct pool_conf *pool_conf_of(const struct snapshot *snap);
/* The pool of that name, or NULL. */
struct pool *pool_find(const struct snapshot *snap, struct slice name);
/*
 * For other modules' check(): the pool that `ref` names, or NULL after it has told load->diag that
 * there is none, with the nearest name as a hint.
 */
struct pool *pool_resolve(const struct snapshot *snap, const struct conf_ref *ref,
                          struct conf_load *load);

/* Do the facts of all pools fit the board? 0, or -1 after telling load->diag. */
int pool_check_facts(const struct pool_conf *conf, struct conf_load *load);

/* --- looking at a member ---------------------------------------------------------------------- */

struct member_view {
    const struct member *member;
    struct fact_ref state_ref;
    struct fact_ref address_ref; /* where the endpoint is a name */
    struct addr addr;            /* in force; len 0: not resolved yet */
};

/* Finds the facts; those that health has not written yet are found by member_view_update(). */
void member_view_init(struct member_view *view, const struct member *member,
                      const struct board *board);
/* Looks for missing facts again and takes the address in force; call it at a change of facts. */
void member_view_update(struct member_view *view, const struct board *board);

/*
 * May requests go there now? One load. Members without a check, and members that health has not
 * judged yet (FACT_UNKNOWN, FACT_NONE), are taken; DOWN and DRAINING are not.
 */
static inline bool member_is_usable(const struct member_view *view, const struct board *board)
{
    if (view->addr.len == 0)
        return false;
    enum fact_state state = board_peek(board, view->state_ref);
    return state != FACT_DOWN && state != FACT_DRAINING && state != FACT_FAILED;
}

/* --- metrics of a member, counted by the edge ------------------------------------------------- */

enum member_word {
    MEMBER_REQUESTS,  /* sent to it, retries too */
    MEMBER_RESPONSES, /* whole heads that came back */
    MEMBER_2XX,       /* by class of status, 1xx apart */
    MEMBER_3XX,
    MEMBER_4XX,
    MEMBER_5XX,
    MEMBER_CONNECTS, /* connections opened */
    MEMBER_CONNECT_FAILED,
    MEMBER_BROKEN,     /* died or timed out in the middle */
    MEMBER_BAD_STATUS, /* answers that count as failures, by `eject status` */
    MEMBER_BYTES_TO,
    MEMBER_BYTES_FROM,
    MEMBER_IN_FLIGHT,   /* gauge */
    MEMBER_IDLE,        /* gauge: idle connections kept */
    MEMBER_STICKY_LAST, /* wall-clock seconds of a session's last answer; the newest row counts */
    MEMBER_TLS,         /* handshakes, enum tls_word */
    MEMBER_LATENCY =
        MEMBER_TLS +
        TLS_WORDS, /* histogram: microseconds from the request sent to the response head */
    MEMBER_WORDS = MEMBER_LATENCY + METRIC_HIST_WORDS
};

extern const struct metric_table member_metrics; /* table "member", labels pool and member */

/* --- metrics of a pool, counted by the edge --------------------------------------------------- */

enum pool_word {
    POOL_WAITING,       /* gauge: requests in the queue now */
    POOL_QUEUED,        /* requests that had to wait */
    POOL_QUEUE_REFUSED, /* that found the queue full */
    POOL_QUEUE_LATE,    /* that waited longer than they may */
    POOL_WORDS
};

extern const struct metric_table pool_metrics; /* table "pool", label pool */

#endif
