/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_INTERNAL_H
#define SUPER_INTERNAL_H

/*
 * The supervisor's own context, shared by the files of this folder:
 *
 *     super.c      start, signals, stop
 *     config.c     a configuration: snapshot, recording, sealed bundles
 *     sockets.c    listening sockets, kept from one configuration to the next
 *     holder.c     who else holds an address
 *     state_dir.c  the state directory and its lock
 *     secret.c     the secret of a node that shares none
 *     child.c      a process: start, messages, death, restart
 *     watch.c      the watchdog
 *     reload.c     a new configuration, in two phases
 *     overlay.c    what was changed at run time
 *     notify.c     the service manager
 *     groups.c     control groups for the programs of jobs
 *     upgrade.c    another binary takes over (upgrade.h); tool.c executes it
 *     handover.c   what it is told
 *     candidate.c  its side
 *     former.c     processes of the former binary until their end
 *     carry.c      what these and their forebears counted
 */

#include "base/list.h"
#include "base/map.h"
#include "conf/bundle.h"
#include "core/board.h"
#include "core/command.h"
#include "core/control.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/module.h"
#include "core/sandbox.h"
#include "core/settings.h"
#include <sys/types.h>

enum {
    NS_PER_MS = 1000000,
    SUPERVISOR_SEGMENT = 0,     /* the first name that module_processes() gives */
    SEND_WAIT_MS = 1000,        /* a process that reads nothing for so long is beyond help */
    BACKOFF_FIRST_MS = 100,     /* the first restart is at once, the second after so long, ... */
    BACKOFF_MAX_MS = 10000,     /* ... doubling up to this */
    HEALTHY_MS = 60000,         /* who lived so long begins anew */
    STEADY_MS = 1000,           /* who served so long may go on with what it left outside */
    CRASH_LOOP = 5,             /* deaths in a row that make the fact `failed` */
    CRASH_LOOP_OVER_MS = 10000, /* served so long: `up` again */
    STOP_WAIT_MS = 2000,        /* from `stop` to SIGKILL */
    DRAIN_FIRST_MS = 5000,      /* how long the others wait for those that drain first */
    REQUESTERS_MAX = 64,
};

/* --- listening sockets ------------------------------------------------------------------------ */

/* One address that is bound: a descriptor, or one a loop. */
struct bound {
    struct list node;
    struct addr addr;
    int type;
    uint64_t number; /* of the first descriptor; the others follow */
    uint32_t n_fds;
    int *fds;
    dev_t device; /* of a unix socket's file, so that only our own is removed */
    ino_t inode;
    bool
        is_inherited; /* of the supervisor before an upgrade: a candidate that gives up leaves it */
};

/* What a configuration calls it. */
struct binding {
    char name[CONTROL_NAME_MAX];
    const char *kind; /* of the process that serves it */
    struct bound *bound;
    bool is_per_loop;
};

/* --- configurations --------------------------------------------------------------------------- */

struct super_config {
    struct snapshot *snap;
    struct conf_diag *diag;
    struct conf_bundle recording;
    const char *overlay; /* the path of what was changed at run time; NULL: nothing was */
    struct binding *bindings;
    size_t n_bindings;
    uint64_t generation;
};

/* --- processes -------------------------------------------------------------------------------- */

enum child_state {
    CHILD_OFF,      /* not needed, or ended for good */
    CHILD_WAITING,  /* dead; its timer starts it again */
    CHILD_STARTING, /* runs, has committed nothing yet */
    CHILD_SERVING,
    CHILD_DRAINING, /* told to drain; goes on until told to stop */
    CHILD_STOPPING, /* told to stop */
};

struct super;

struct child {
    struct super *super;
    const char *kind;
    size_t segment; /* on the board */
    enum child_state state;
    pid_t pid; /* 0: does not run */
    uint32_t n_loops;
    int log_fd; /* memory of its log rings, kept for all its lives */
    struct loop_io control;

    /* generations: 0 none */
    uint64_t asked;     /* was told to prepare it, has not answered */
    uint64_t prepared;  /* ready for it */
    uint64_t committed; /* in force */
    uint64_t switched;  /* all of its loops have gone over to it */

    uint64_t *sent; /* numbers of the sockets that this life has got */
    size_t n_sent, cap_sent;

    uint64_t started_ns, served_ns; /* of this life; served_ns 0: not yet */
    uint32_t n_restarts;            /* since the supervisor's start */
    uint32_t n_quick;               /* deaths in a row without HEALTHY_MS between them */
    bool is_drained;
    bool is_fact_failed; /* shown as failed, though it may serve for the moment */
    char why_killed[FACT_REASON_MAX];
    struct loop_timer timer; /* WAITING: the restart; STARTING: the limit; STOPPING: the kill */
};

/* --- the whole -------------------------------------------------------------------------------- */

enum super_state {
    SUPER_STARTING,
    SUPER_SERVING,
    SUPER_RELOADING,
    SUPER_UPGRADING,
    SUPER_STOPPING,
};

struct upgrade;

/* What a resumed supervisor was handed over, so that it makes none of it. */
struct taken {
    struct board_fds board;
    int log_bell;
    int log_fds[BOARD_SEGMENTS_MAX]; /* by segment; -1: none */
};

/* Who waits for the end of a reload: admin, by the number of its request. */
struct requester {
    pid_t pid; /* of the admin who asked; another life does not know the number */
    uint64_t id;
};

struct super {
    const struct module_table *table;
    const struct command_conf *conf;
    char *folder;    /* where relative paths start: the working folder at the start */
    char *state_dir; /* absolute */
    int lock_fd;
    int state_fd; /* the directory itself, for those who keep files in it */
    struct sandbox_user user;
    int jobs_fd; /* the directory of groups that lives of worker get; -1: there is none */
    bool has_looked_for_groups;
    uint32_t n_cores;
    struct loop *loop;
    enum super_state state;
    int exit_status;

    struct board_fds board_fds;
    struct board *board;
    struct metric_slab *log_slab;     /* log_metrics */
    struct metric_slab *upgrade_slab; /* upgrade_metrics */
    uint64_t n_dropped_before;        /* log records, before the last upgrade */
    struct log_drain *drain;
    int log_bell;
    struct log *log;
    int log_fd;

    struct super_config *config; /* in force */
    struct super_config *coming; /* being prepared by the processes */
    uint64_t last_generation;
    struct list bounds;
    uint64_t last_number;

    struct child children[BOARD_SEGMENTS_MAX];
    size_t n_children;
    char *packet; /* CONTROL_BYTES_MAX */

    int signal_fd;
    struct loop_io signals;
    struct loop_timer watch;
    uint64_t watched_ns;
    struct loop_timer reload_limit, drain_limit, first_limit, notify_timer;
    struct requester requesters[REQUESTERS_MAX]; /* of the reload under way */
    size_t n_requesters;
    struct requester later[REQUESTERS_MAX]; /* of the one after it */
    size_t n_later;
    struct text
        reloaded;       /* what is answered when all processes have gone over; empty: nothing yet */
    bool is_reload_due; /* another one was asked for meanwhile */
    bool is_first_drain; /* stop: those that drain first do, the others do not yet */
    bool is_drained;     /* stop: the drain is over */

    /* upgrades */
    char *binary;            /* the path that this one was started from; NULL: not known */
    struct upgrade *upgrade; /* under way */
    pid_t reap_group;        /* of a candidate that failed, while there may be some of it */
    pid_t parent;     /* this is a candidate: the supervisor, whose children it makes; or 0 */
    int candidate_fd; /* likewise: the socket to it */
    struct loop_io candidate_io;
    bool is_ready; /* a candidate that has said so */
    const struct taken *taken;
    bool is_resumed;       /* until the first commit */
    struct list formers;   /* struct former */
    uint32_t former_group; /* of the newest */
    struct map carried;    /* carry.c */
};

static inline const struct settings *super_settings(const struct super *super)
{
    return settings_of(super->config->snap);
}

/* --- config.c --------------------------------------------------------------------------------- */

/* Reads, fills, checks: what `weir check` does. 0, or -1 with the mistakes in (*ret_config)->diag;
 * *ret_config is set in both cases. */
int config_load(struct super *super, struct super_config **ret_config);
void config_destroy(struct super_config **config);
/* Brings the warnings and notes into the log. */
void config_log(const struct super *super, const struct super_config *config);
/* The sealed bundle of a kind of process: a descriptor and its length. 0, or -1 with err. */
int config_bundle(struct super *super, const struct super_config *config, const char *kind,
                  int *ret_fd, size_t *ret_len, struct err *err);

/* The same from what a candidate has recorded. */
int config_adopt(struct super *super, struct slice recording, uint64_t generation,
                 struct super_config **ret_config, struct err *err);

/* --- sockets.c -------------------------------------------------------------------------------- */

/* Binds what the configuration wants and nobody has bound yet. 0, or -1 after it has told
 * config->diag; what was new is closed again. */
int sockets_bind(struct super *super, struct super_config *config);
/* Closes what no configuration names any more; unix sockets' files are removed. */
void sockets_sweep(struct super *super);
void sockets_deinit(struct super *super);
/* A candidate gives up: closes and removes what it has bound itself. */
void sockets_give_up(struct super *super);
/* "listen:shop 0.0.0.0:443, ..." */
void sockets_describe(const struct super_config *config, struct text *out);

/* --- holder.c --------------------------------------------------------------------------------- */

/* Who listens on the address, as "nginx (pid 123)"; "" where that cannot be found. Returns text. */
const char *holder_find(const struct addr *addr, int type, char *text, size_t cap);

/* --- state_dir.c ------------------------------------------------------------------------------ */

/* Makes the directory, gives it to the user, locks it. *ret_path is absolute, for mem_free();
 * *ret_fd is the directory itself. 0 or -1. */
int state_dir_open(const char *path, const struct sandbox_user *user, char **ret_path, int *ret_fd,
                   int *ret_lock_fd, struct err *err);

/* --- secret.c --------------------------------------------------------------------------------- */

/*
 * The bytes of the file `secret` in the state directory, which is made, with a random secret, where
 * it is missing. *ret_bytes lies in the arena. 0, or -1 with err.
 */
int secret_keep(const char *state_dir, struct arena *arena, struct slice *ret_bytes,
                struct err *err);

/* --- overlay.c -------------------------------------------------------------------------------- */

/* Appends what was changed at run time. 0; 1: nothing was; -1 with err. */
int overlay_read(const struct super *super, struct text *out, struct err *err);
/* It cannot be used: says why, and renames it. */
void overlay_set_aside(const struct super *super, const char *why);

/* --- child.c ---------------------------------------------------------------------------------- */

void child_init(struct super *super, struct child *child, const char *kind, size_t segment);
/* A process that a candidate has started, and that has prepared this generation; fd is taken. */
int child_adopt(struct child *child, pid_t pid, int fd, uint64_t generation, struct err *err);
/* The number of a socket that it has got. */
void child_note_sent(struct child *child, uint64_t number);
/* Starts the process with this configuration. Failing is a death like any other. */
void child_start(struct child *child, struct super_config *config);
void child_prepare(struct child *child, struct super_config *config);
void child_commit(struct child *child);
/* Tells it to forget what it prepares; one that is new for that configuration ends. */
void child_abort(struct child *child);
void child_drain(struct child *child, int64_t wait_ms);
void child_stop(struct child *child, int64_t wait_ms);
/* SIGKILL; the reason is what log and fact say. */
void child_kill(struct child *child, const char *why);
void child_on_death(struct child *child, int status);
void child_fact(struct child *child, enum fact_state state, const char *reason);
static inline bool child_runs(const struct child *child)
{
    return child->pid > 0;
}

/* --- watch.c ---------------------------------------------------------------------------------- */

void watch_start(struct super *super);

/* --- reload.c --------------------------------------------------------------------------------- */

/* who NULL: a signal. */
void reload_request(struct super *super, const struct requester *who);
void reload_on_ready(struct super *super, struct child *child);
void reload_on_refused(struct super *super, struct child *child, struct slice why);
/* A child has gone over to what is in force, or died. */
void reload_on_progress(struct super *super);
/* Tells all who wait for the reload under way. */
void reload_answer_all(struct super *super, bool is_ok, struct slice text);
/* What was asked for during something else begins now. */
void reload_resume(struct super *super);
/* The child died while it was preparing. */
void reload_on_death(struct super *super, struct child *child, const char *how);

/* --- super.c ---------------------------------------------------------------------------------- */

struct child *super_child(struct super *super, const char *kind);
void super_answer(struct super *super, const struct requester *who, bool is_ok, struct slice text);
/* The parts of a start, for the one of a candidate and of a resumed supervisor. Each 0, or -1. */
int super_find_user(struct super *super, struct err *err);
int super_make_loop(struct super *super, struct err *err);
int super_make_log(struct super *super, struct err *err);
int super_make_children(struct super *super, struct err *err);
/* Starts the log's thread, for the memory that there is. */
int super_start_drain(struct super *super, struct err *err);
/* Starts the processes that the configuration needs and that do not run. */
void super_start_children(struct super *super);
/* A process has become ready, refused, drained or ended: looks what is next at a start or a
 * stop. */
void super_on_progress(struct super *super);
/* The start has failed; everything ends with EXIT_FAILURE. */
void super_fail(struct super *super, const char *why);
void super_stop(struct super *super, bool is_now, const char *why);
uint64_t super_now(const struct super *super);

/* --- groups.c --------------------------------------------------------------------------------- */

/* For the process that has just been started: moves it into its group. Returns the directory in
 * which it makes those of its programs, for close(); -1: there is none. */
int groups_make(struct super *super, const struct child *child);
/* A candidate has made those of this process. */
void groups_adopt(struct super *super, const struct child *child);
/* A process has ended: its groups are removed. */
void groups_sweep(struct super *super);
void groups_close(struct super *super);

/* --- notify.c --------------------------------------------------------------------------------- */

void notify_start(struct super *super);
void notify_ready(struct super *super);
void notify_reloading(void);
void notify_stopping(void);

#endif
