/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROCESS_LIFE_H
#define CORE_PROCESS_LIFE_H

/*
 * What stands behind struct process: for process*.c, query.c and request.c alone.
 *
 *     process.c          the life: init, prepare, commit, drain, stop
 *     process_bundle.c   the sealed bytes of the files that it may see
 *     process_former.c   what it reports behind an upgrade, until its end
 *     process_loops.c    threads, and running something in each of them
 *     process_sockets.c  the listening sockets that the supervisor hands over
 *     process_status.c   what `status` and `explain` answer
 *     query.c            questions of admin to the others
 *     request.c          requests of admin to the supervisor
 *     program.c          requests to start programs
 *
 *     INITIAL --init--> PREPARED --commit--> SERVING --drain--> DRAINING --stop--> the end
 *                                             |   ^
 *                                      prepare|   |commit, abort
 *                                             v   |
 *                                            PREPARED (serving on)
 */

#include "base/list.h"
#include "conf/bundle.h"
#include "core/control.h"
#include "core/process.h"
#include "core/program.h"
#include "core/query.h"
#include "core/request.h"
#include <pthread.h>

enum { WATCHERS_MAX = 16, SOCKET_BINDINGS_MAX = 8192 };

/* --- the bundle ------------------------------------------------------------------------------- */

/* The sealed bytes, mapped, and what they decode to. */
struct process_bundle {
    void *bytes;
    size_t len;
    struct conf_bundle bundle;
};

/*
 * Maps and decodes the bundle that came with a message; the length is its label's number. 0, or -1
 * with err and nothing open.
 */
int process_bundle_open(struct control_message *message, struct process_bundle *ret_bundle,
                        struct err *err);
/* Of one that was opened, or that is all zero. */
void process_bundle_close(struct process_bundle *bundle);

/* --- sockets ---------------------------------------------------------------------------------- */

/* A listening socket that this life was given. */
struct socket_held {
    uint64_t number; /* the supervisor's */
    int fd;
};

/* A name and loop of a snapshot, and the socket that serves it. */
struct socket_binding {
    char name[CONTROL_NAME_MAX];
    uint32_t loop_index;
    uint64_t number;
};

struct socket_bindings {
    struct socket_binding *items;
    size_t n_items, cap;
};

struct process_sockets {
    struct socket_held *held;
    size_t n_held, cap_held;
    struct socket_bindings current, coming;
};

void process_sockets_deinit(struct process_sockets *sockets);
/* Takes the descriptors of a `sockets` message. 0, or -1 with err. */
int process_sockets_add(struct process_sockets *sockets, struct control_message *message,
                        struct err *err);
/* The coming bindings are the current ones from now on. */
void process_sockets_commit(struct process_sockets *sockets);
/* Forgets the coming bindings. */
void process_sockets_abort(struct process_sockets *sockets);
/* Closes what neither the current nor the coming bindings name. */
void process_sockets_sweep(struct process_sockets *sockets);
int process_sockets_find(const struct process_sockets *sockets, bool is_coming, const char *name,
                         uint32_t loop_index);

/* --- questions and requests ------------------------------------------------------------------- */

struct query_link; /* the socket to one other process */

struct process_queries {
    struct list links; /* of struct query_link */
    struct list all;   /* questions under way; struct query */
    uint64_t last_id;
};

struct process_requests {
    struct list pending; /* of struct request */
    uint64_t last_id;
    size_t n_pending;
};

struct process_programs {
    struct list links; /* of struct program_link, newest first */
    struct list runs;  /* asked for and not over; struct program_run */
    uint64_t last_id, last_link;
    const struct program_calls *calls; /* of who serves; NULL: nobody does here */
    void *ctx;
};

/* --- behind an upgrade ------------------------------------------------------------------------ */

struct process_former {
    struct loop_timer timer;
    uint64_t *told; /* by place in the segment: the hash of the counts that were told last; NULL */
};

/* --- the whole -------------------------------------------------------------------------------- */

enum process_state { PROCESS_INITIAL, PROCESS_SERVING, PROCESS_DRAINING, PROCESS_DRAINED };

struct process_watcher {
    void (*fn)(void *ctx, const struct board_change *change);
    void (*lost)(void *ctx, size_t segment);
    void *ctx;
};

struct process_life {
    struct process process;
    enum process_state state;
    void *states[MODULES_MAX]; /* of modules that live here, by place in the table */

    struct loop_io control;
    char *packet; /* CONTROL_BYTES_MAX */
    struct process_sockets sockets;

    struct process_bundle bundle, coming_bundle;
    struct snapshot *coming; /* prepared, neither committed nor aborted */

    struct process_watcher watchers[WATCHERS_MAX];
    size_t n_watchers;
    struct loop_io bell;
    struct board_cursor cursor;

    struct loop_timer drain_timer;
    uint64_t drain_deadline_ns;

    struct process_former former;
    char *title; /* what ps shows, title_bytes with the NUL */
    size_t title_bytes;

    pthread_t threads[BOARD_LOOPS_MAX]; /* from 1 on */
    bool has_threads;
    struct process_queries queries;
    struct process_requests requests;
    struct process_programs programs;
};

static inline struct process_life *process_life(struct process *process)
{
    return CONTAINER_OF(process, struct process_life, process);
}

/* The modules of this process's kind; *place starts at 0. NULL at the end. */
const struct module *process_next_module(const struct process_life *life, size_t *place);

/* Makes the loops and their logs; starts the threads of all but the first; ends them. */
int process_loops_create(struct process_life *life, int log_fd, int log_bell_fd,
                         enum log_level level, struct err *err);
int process_loops_start(struct process_life *life, struct err *err);
void process_loops_join(struct process_life *life);

/* How this process reads a bundle: but for the generation, which is the caller's. */
struct snapshot_options process_snapshot_options(const struct process *process,
                                                 const struct conf_bundle *bundle,
                                                 const struct conf_host *host);
/* Reports from now on, and once more by the call of process_former_end(), when all counts are
 * final. */
void process_former_begin(struct process_life *life);
/* The state has changed: a report is due now. */
void process_former_tell(struct process_life *life);
void process_former_end(struct process_life *life);

/* A link to the process `kind`, in place of a former one; fd is taken. */
void queries_init(struct process_life *life);
void queries_deinit(struct process_life *life);
int queries_link(struct process_life *life, const char *kind, int fd, struct err *err);
/* What `status` answers. */
void process_status(struct process_life *life, struct text *out);
/* What `explain` answers to the words behind it. 0, or -1 with err and nothing appended. */
int process_explain(struct process_life *life, struct slice words, struct text *out,
                    struct err *err);

/* A link to the process `kind`; fd is taken. */
void programs_init(struct process_life *life);
void programs_deinit(struct process_life *life);
int programs_link(struct process_life *life, const char *kind, int fd, struct err *err);

void requests_init(struct process_life *life);
void requests_deinit(struct process_life *life);
void requests_answer(struct process_life *life, const struct control_message *message);

#endif
