/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_VIEW_H
#define ADMIN_VIEW_H

/*
 * weir as it is now, put together for one answer: what the snapshot configures, what the board says
 * of it, what the counters count. The JSON of /v1/status and the page at / are made from it.
 *
 *     snapshot: pools, sockets  --+
 *     board: facts, heartbeats  --+--> struct view --> status_json(), page_html()
 *     tallies, rates              --+
 *     /proc: memory, time       --+
 *     answers of the processes  --+
 *
 * A view lives in an arena and is thrown away behind the answer. Making it asks nobody and waits
 * for nothing; the answers of the processes, which may take their time, are put in by the caller.
 */

#include "admin/rates.h"
#include "admin/tallies.h"
#include "admin/usage.h"
#include "base/arena.h"
#include "core/board.h"
#include "core/module.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a process answered when it was asked for its status. */
enum view_answer {
    VIEW_NOT_ASKED,
    VIEW_ANSWERED,
    VIEW_SILENT, /* asked, and no answer in time */
};

struct view_process {
    const char *name;
    const char *state;   /* of its fact, or "up" where heartbeats come */
    const char *reason;  /* "" where there is nothing to say */
    uint64_t since_ns;   /* CLOCK_REALTIME; 0: not known */
    uint32_t n_restarts; /* starts after the first */
    pid_t pid;           /* 0: not known */
    bool has_heartbeat;
    double heartbeat_age_s;
    bool has_usage;
    struct usage usage;
    enum view_answer answer;
    struct slice answer_text; /* JSON when it answered, else why not */
};

/* What listens, and what serves: the same columns. */
struct view_object {
    const char *name; /* "shop", "app1" */
    const char *address;
    const char *state;
    const char *reason;
    uint64_t since_ns;
    bool has_counters;
    uint64_t n_requests;
    uint64_t n_failed;    /* members: connects that failed, answers that broke off; listens: 5xx */
    uint64_t n_in_flight; /* members: requests; listens: connections of clients */
    double rate;          /* requests a second */
    /* members */
    const char *forced; /* by the operator: "draining", "drained", "up", "down"; NULL: nothing */
    const char *drain;  /* how far it is: a sentence; NULL: it does not drain */
    bool has_weight;
    double weight;        /* in force */
    bool is_weight_given; /* by the operator */
    bool is_runtime;      /* was added at run time */
};

struct view_pool {
    const char *name;
    const char *state;
    const char *reason;
    uint64_t since_ns;
    struct view_object *members;
    size_t n_members;
    bool has_queue;
    uint64_t n_waiting; /* requests in its queue */
};

struct view {
    const char *version;
    const char *build; /* build_id() */
    const char *node;  /* "" where the file has no nodes */
    const char *state_dir;
    const char *file; /* the configuration */
    uint64_t generation;
    uint64_t wall_ns;
    double uptime_s; /* of the supervisor; 0 where the kernel does not tell */
    struct view_process *processes;
    size_t n_processes;
    struct view_object *listens;
    size_t n_listens;
    struct view_pool *pools;
    size_t n_pools;
    const struct board *board;          /* for the raw facts */
    const struct conf_overlay *overlay; /* what was changed at run time; NULL: nothing */
    struct slice dropped;               /* what the file won over it last, a line each */
};

struct view_source {
    const struct board *board;
    const struct snapshot *snap;
    const struct tallies *tallies;
    const struct rates *rates;
    uint64_t now_ns;  /* CLOCK_MONOTONIC */
    uint64_t wall_ns; /* CLOCK_REALTIME */
    pid_t supervisor; /* parent of all processes */
    struct slice dropped;
};

/* Never NULL; everything in it lives as long as the arena, the board and the snapshot. */
struct view *view_make(const struct view_source *source, struct arena *arena);

/* Is there a process of that segment? The supervisor states those that the configuration needs, and
 * takes a fact back when one has ended that it does not need any more. */
bool view_has_process(const struct board *board, size_t segment);

/* The process of that name, or NULL. */
struct view_process *view_process_find(struct view *view, const char *name);

/* Looks at the counters that rates_get() is asked for. */
void view_sample(struct rates *rates, const struct board *board, const struct module_table *table,
                 uint64_t now_ns);

/* "3 s", "12 m", "4 h", "6 d": since `since_ns`; "" where that is 0 or not over yet. */
void text_age(struct text *out, uint64_t wall_ns, uint64_t since_ns);

#endif
