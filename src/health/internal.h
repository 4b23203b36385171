/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEALTH_INTERNAL_H
#define HEALTH_INTERNAL_H

/*
 * What the files of health share: the process's one context, and a member under watch. health.c
 * owns both, target.c moves a target's state, facts.c tells the board and the log, schedule.c knows
 * when it is whose turn, suspects.c reads what the edges count, ejections.c ejects by it, force.c
 * reads what the operator forces. Everything runs in loop 0.
 *
 * A target is in exactly one place:
 *
 *     not scheduled   its pool has no check, or its name was never answered
 *     health->due     in the heap, until machine.due_ns
 *     health->waiting due, but HEALTH_RUNNING_MAX checks are under way
 *     running         run is set
 */

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "core/process.h"
#include "health/checker.h"
#include "health/eject.h"
#include "health/health.h"
#include "health/machine.h"
#include "health/verdict.h"
#include "net/resolver.h"
#include "pool/pool.h"

struct target;

struct health_pool {
    const struct pool *conf;
    struct target **targets; /* conf->n_members of them */
    enum fact_state state;   /* as published */
    enum fact_state logged;
    struct metric_slab *slab; /* eject_metrics; NULL: there is no room */
    char reason[FACT_REASON_MAX];
};

struct health {
    struct process *process;
    struct loop *loop;
    struct board *board;
    struct resolver *resolver;
    struct rng rng;
    struct health_pool *pools; /* of the committed snapshot */
    struct pool_tls *tls;      /* likewise */
    struct pool_tls *next_tls; /* prepared, not committed */
    uint32_t n_pools;
    struct map targets;  /* label -> target */
    struct heap due;     /* of targets, by machine.due_ns */
    struct list waiting; /* of targets */
    uint32_t n_running;
    struct loop_timer due_timer;
    struct loop_timer watch_timer;
    metric_word *sink;        /* a row that nobody reads, where there is no room for slabs */
    bool is_counting;         /* the edges' counts have been seen once: growth is news */
    bool is_starting;         /* until the first commit of this life is done */
    bool is_committing;       /* pools are looked at when all members are */
    uint64_t n_first;         /* first checks that this commit has spread */
    uint64_t first_spread_ns; /* between them */
};

/* What the edges count of a member, in all their slabs. */
struct edge_sums {
    uint64_t n_failures;     /* connects that failed, answers that broke off */
    uint64_t n_bad_statuses; /* answers that are failures by the pool's word */
    uint64_t n_answers;      /* these too */
};

struct target {
    struct health *health;
    struct health_pool *pool;
    const struct member *member; /* of the committed snapshot */
    char *label;                 /* "web/app1" */
    char *fact;
    char *address_fact;
    char *turn_fact;
    char *host;    /* what is resolved; NULL: the member has an address */
    uint16_t port; /* of the host */
    struct addr addr;
    struct resolver_name name;
    struct machine machine;
    struct check_run *run;
    struct heap_node due;
    struct list turn;
    struct metric_slab *slab;
    metric_word *row;
    enum fact_state checked; /* what the checks say, or what is said without one */
    char checked_reason[FACT_REASON_MAX];
    struct fact_ref force_ref, weight_ref, listen_ref;
    enum fact_state forced;           /* by the operator; FACT_NONE: nothing is */
    int64_t forced_weight;            /* or VERDICT_NO_WEIGHT */
    bool is_drained;                  /* by its agent */
    uint32_t share;                   /* of the weight that its agent lets count, in % */
    struct verdict published;         /* FACT_NONE: nothing yet */
    double told_turn_s;               /* as published; negative: nothing is */
    enum resolver_status name_status; /* as logged */
    struct edge_sums edges;           /* that the edges had counted when last looked at */
    struct edge_sums coming;          /* the sums that are being made */
    struct eject eject;
    char ejected[FACT_REASON_MAX]; /* the sentence, while it is out */
    bool is_checked;
    enum check_reason unchecked_by; /* why the last check said nothing, as logged; OK: it did */
};

/* --- target.c --- */

struct target *target_create(struct health *health, const struct member *member);
/* Ends what runs. The board keeps the facts and the counters. */
void target_destroy(struct target **target);
/*
 * The same for a member that is configured no more: its counters go. Facts are swept by health.c.
 */
void target_remove(struct target **target);
/* The member as the snapshot that is being committed has it. */
void target_configure(struct target *target, struct health_pool *pool, const struct member *member);
/* A check is due: runs it, or says by itself what cannot be checked. */
void target_check(struct target *target);
static inline void target_count(struct target *target, uint32_t word)
{
    metric_add(target->row, word, 1);
}

/* --- facts.c: the board and the log --- */

/* What the checks, or what stands for them, say of the member; published as verdict.h has it. */
void fact_member(struct target *target, enum fact_state state, const char *reason);
/* Somebody else's word has changed: what is true now is published, and logged where it is news. */
void fact_combine(struct target *target);
/* How soon its checks could turn it, where somebody wants to know and it is another time now. */
void fact_turn(struct target *target);
/*
 * The reason that a result gives: its sentence, and how far the row of results against the state
 * is.
 */
void fact_checked(struct target *target, const struct check_result *result,
                  const struct machine_step *step);
/* A result that says nothing of the member: why it is not judged, where it is not. */
void fact_not_checked(struct target *target, const struct check_result *result);
void fact_unchecked(struct target *target);
/* The address in force, or why there is none. */
void fact_address(struct target *target);
/* Logs what became of the name, where it is news. */
void fact_name(struct target *target, bool has_moved);
void fact_pool(struct health *health, struct health_pool *pool);
/*
 * Takes over what an earlier life said of the member. Returns false where it said nothing that
 * would tell what the checks had found.
 */
bool fact_adopt(struct target *target);

/* --- schedule.c --- */

void schedule_init(struct health *health);
void schedule_deinit(struct health *health);
/* Puts the target where its machine's due_ns says; not one that runs. */
void schedule_put(struct target *target);
void schedule_remove(struct target *target);
/* A check has ended: somebody who waits may run. */
void schedule_next(struct health *health);

/* --- force.c --- */

/* Finds what is forced for the member; publishes nothing. */
void force_find(struct target *target);
/* Looks at the weights that are forced. */
void force_look(struct health *health);
/* For process_watch(). */
void force_on_change(void *ctx, const struct board_change *change);
void force_on_lost(void *ctx, size_t segment);

/* --- listens.c: members that are listens of this node --- */

void listens_look(struct health *health);
/* For process_watch(). */
void listens_on_change(void *ctx, const struct board_change *change);
/* What the listen's fact says of the member; it has one. */
void listen_look(struct target *target);
/* The same for a member as a commit has it: another listen, or another weight. */
void listen_configure(struct target *target);

/* --- suspects.c --- */

/* Looks at what the edges count: nudges those whose failures have grown, and ejects. */
void suspects_look(struct health *health);
/* For process_watch(): nudges the members of a pool that another node has found down. */
void suspects_on_change(void *ctx, const struct board_change *change);

/* --- ejections.c --- */

/* What the edges have counted of the member since the last look. */
void ejection_look(struct target *target, const struct edge_sums *news);
/* Its checks have found it down, or it is another server now: they say all there is to say. */
void ejection_lift(struct target *target);
/* In an earlier life it was ejected, with this reason: it is again, for the shortest time. */
void ejection_adopt(struct target *target, const char *reason);

#endif
