/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_MODULE_H
#define CORE_MODULE_H

/*
 * A module is one part of weir as the rest sees it: its words in the file, its facts and metrics,
 * the process that it runs in and what that process may do, and the moments of its life. main.c
 * holds the table of modules; the supervisor, admin, the command line and the metrics page walk
 * that table and know no module by name.
 *
 * Configuration. Each module has a struct of its own in every snapshot, filled by its rows
 * (conf/schema.h) and looked over by check(), in the order of the table, lower floors first, so
 * that a service finds the pools ready when it looks for the one that its route names.
 *
 * A snapshot is immutable and counted: one reference is the process's, while it is the current one,
 * and one is that of each thing that a module's prepare() made of it and that requests still use
 * (in the edge: a plan). What a request needs is counted there, loop by loop, and loop 0 hears of
 * the last one; so a request touches no word that loops share.
 *
 * The life of a module inside its process (loop 0's thread, unless said otherwise):
 *
 *     start -> prepare -> commit  -> (serving) -> prepare -> commit ... -> drain -> stop
 *                     \-> abort (nothing has changed)
 *
 *     start    once, before the sandbox closes: open what later cannot be opened
 *     prepare  a new snapshot: make all that can fail (tables, contexts, slabs), change nothing
 *     commit   cannot fail: from now on new work uses the new snapshot
 *     abort    forget what prepare made
 *     drain    no new work; finish what there is until the deadline
 *     stop     let go of everything; the process ends when it returns. The other loops have
 *              ended by then, so that what they had may be freed from here
 *     orphaned the supervisor is dead: the process ends when it returns, and nothing else is done
 *
 * What a module puts outside of its process (an address on an interface) outlives the process. Its
 * next life finds it there; where there is none soon, relinquish() takes it back, in the
 * supervisor.
 *
 * Several modules may live in one process (http and stream in the edge). A module without a process
 * (pool) has only configuration.
 */

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "conf/overlay.h"
#include "conf/schema.h"
#include "core/board.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/sandbox.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODULES_MAX = 24 };

/* In the state directory: what was changed at run time (conf/overlay.h). */
#define SNAPSHOT_OVERLAY "runtime.weir"

struct conf_bundle; /* conf/bundle.h */
struct process;     /* core/process.h */
struct snapshot;
struct module;

/* A socket that the supervisor opens for a module, because only it is root and because it outlives
 * the process: what the kernel accepted is not lost. */
struct socket_want {
    const char *name; /* "listen:shop": the fact's name as well; lives in the snapshot's arena */
    struct conf_addr addr; /* addr.at is what a failing bind quotes */
    int type;              /* SOCK_STREAM or SOCK_DGRAM */
    int backlog;           /* streams */
    bool is_per_loop;      /* one socket a loop by SO_REUSEPORT; else one, for loop 0 */
    unsigned unix_mode;    /* permissions of a unix socket's file */
    bool is_floating;      /* the address need not be here yet; set by who binds, not by modules */
};

typedef int socket_want_fn(void *ctx, const struct socket_want *want);

/*
 * The bytes of a configured file that a process needs and may open no more than any other: the
 * supervisor reads it (`weir check` as well, so that a missing one is told there) and puts it into
 * the process's bundle as the blob `name`, for process_blob().
 */
struct file_want {
    const char *name;  /* "admin.token"; unique among all wants; lives in the snapshot's arena */
    struct slice path; /* absolute, as CONF_PATH gives it */
    struct conf_at at; /* what a file that cannot be read quotes */
    size_t max_bytes;  /* a larger file is an error */
    const char *hint;  /* where it cannot be opened: what would be right. May be NULL */
    bool is_secret;    /* a file that others than its owner may read is worth a warning */
    /* What is wrong with the bytes, as a sentence in err, and -1; told at `at`. May be NULL. */
    int (*check)(struct slice bytes, struct err *err);
};

typedef int file_want_fn(void *ctx, const struct file_want *want);

/*
 * A program that the file names and that worker may be asked to start (core/program.h): `weir
 * check` and every start look whether it is there.
 */
struct program_want {
    struct slice path; /* absolute */
    struct conf_at at;
    struct slice folder; /* absolute, where it starts; empty: / */
    struct conf_at folder_at;
    struct slice user, group; /* whom it becomes, not root; empty: whom worker is */
    struct conf_at user_at, group_at;
};

typedef int program_want_fn(void *ctx, const struct program_want *want);

/* An interface of the host that the file names. */
struct interface_want {
    const char *name;
    struct conf_at at;
};

typedef void interface_want_fn(void *ctx, const struct interface_want *want);

typedef void float_fn(void *ctx, struct slice name);

/* What worker starts for an ask (core/program.h). */
struct program_plan {
    const char *path;        /* absolute */
    const char *const *argv; /* argv[0] too; ends with NULL */
    const char *const *env;  /* all of it; ends with NULL */
    uint64_t timeout_ns;
    /* Never two of this name at once: a later ask ends the earlier one, and starts when that is
     * reaped. NULL: they have nothing to do with each other. */
    const char *sole;
};

/*
 * A question of `weir explain`: what would become of this, and why. Which module answers is told by
 * the kind of question; the words behind it are the module's own.
 */
struct explain_ask {
    const char *kind;           /* "http", "dns", "vip", "queue" */
    struct slice text;          /* "GET https://www.example.org/path"; "NAME TYPE"; NAME or empty */
    struct slice listen;        /* only there; empty: wherever it may come in */
    struct addr from;           /* who asks; len 0: not said */
    const struct slice *fields; /* header fields, "X-Canary: yes" */
    size_t n_fields;
    /* Of a module with explain_inside(), outside of its process: the blobs of its files. NULL: they
     * are not at hand. */
    const struct conf_bundle *files;
};

struct module {
    const char *name;
    const char *doc; /* one line, for `weir status` and the manual */

    /* --- configuration (any process, and `weir check`) --- */
    const struct conf_word *words; /* ends with a NULL name; NULL: none */
    size_t conf_size;              /* of the struct that the words fill; begins with conf_object */
    /* Tells modules on lower floors what of theirs it uses, before any check(): names may be of
     * nothing that there is. May be NULL. */
    void (*claim)(const struct snapshot *snap, void *conf);
    /* Cross-checks and references. Tells load->diag; returns 0 or -1. May be NULL. */
    int (*check)(struct snapshot *snap, void *conf, struct conf_load *load);
    /* Its statements that may be added and removed while the configuration is in force; of one
     * module in the table. NULL: none. */
    const struct conf_overlay_words *overlay;

    /* --- what it publishes --- */
    const struct fact_kind *fact_kinds;        /* ends with a NULL name; NULL: none */
    const struct metric_table *const *metrics; /* ends with NULL; NULL: none */

    /* Its things that move from node to node (floating addresses, facts `vip:NAME`): calls fn with
     * the name of each. Of one module in the table. NULL: none. */
    void (*floats)(const struct snapshot *snap, float_fn *fn, void *ctx);
    /* Is it one of their addresses (the port does not matter)? With floats(). */
    bool (*is_floating)(const struct snapshot *snap, const struct addr *addr);
    /* The fact that says whether the host has it now, while it runs with this snapshot; NULL: it is
     * none of theirs, or it is not the host that is given it. With floats(). */
    const char *(*floating_fact)(const struct snapshot *snap, const struct addr *addr);

    /* --- where it runs --- */
    const char *process;                            /* "edge"; NULL: nowhere */
    bool (*is_needed)(const struct snapshot *snap); /* NULL: always */
    struct sandbox_profile sandbox; /* profiles of modules that share a process are joined */
    bool has_loops;                 /* `processes { NAME n }` may set more than one loop */
    /* Calls want() for each socket; -1 as soon as want() does. Supervisor. May be NULL. */
    int (*sockets)(const struct snapshot *snap, socket_want_fn *want, void *ctx);
    /* Calls want() for each file whose bytes go into this process's bundle; as sockets(). May be
     * NULL. */
    int (*files)(const struct snapshot *snap, file_want_fn *want, void *ctx);
    /* What only the bytes of several files together say: looks at the blobs of all wants, tells
     * diag, returns 0 or -1. `weir check`, start and reload. May be NULL. */
    int (*check_files)(const struct snapshot *snap, const struct conf_bundle *files,
                       struct conf_diag *diag);
    /* Further kinds of process whose bundles get these files; ends with NULL. NULL: none. */
    const char *const *files_for;

    /* Calls want() for each interface that it does without while the host lacks it. May be NULL. */
    void (*interfaces)(const struct snapshot *snap, interface_want_fn *want, void *ctx);

    /* Calls want() for each program; as sockets(). May be NULL. */
    int (*programs)(const struct snapshot *snap, program_want_fn *want, void *ctx);
    /*
     * In worker: what an ask for one of these programs starts, in the arena and in the snapshot,
     * which is worker's own. 0; 1: it is no ask of this module, or there is no such program. The
     * texts end with a NUL. May be NULL.
     */
    int (*program)(const struct snapshot *snap, const struct slice *texts, size_t n_texts,
                   struct arena *arena, struct program_plan *ret_plan);
    bool starts_programs; /* it asks worker for them: its process gets a socket to it */

    /* --- its life; each may be NULL. `state` is what start() returned --- */
    int (*start)(struct process *process, void **ret_state, struct err *err);
    int (*prepare)(void *state, struct snapshot *snap, struct err *err);
    void (*commit)(void *state, struct snapshot *snap);
    void (*abort)(void *state, struct snapshot *snap);
    void (*drain)(void *state, uint64_t deadline_ns);
    bool (*is_drained)(void *state);
    void (*stop)(void *state);
    /* Its process is not killed with the supervisor, but told here. Quick, for nobody waits. */
    void (*orphaned)(void *state);

    /* --- beside its life, in the supervisor --- */
    /* At a stop its process drains before all others do, and they wait for it (for a few seconds):
     * what is let go of there is what brings clients to the others. */
    bool drains_first;
    /*
     * The process has died and does not come back at once: undoes, as root and within 200 ms, what
     * `board` says that it left outside. It may be called more than once. The configuration is the
     * one in force.
     */
    void (*relinquish)(const struct snapshot *snap, const struct board *board, struct log *log);

    /*
     * Before a reload from `before` to `after`: tells diag, as warnings, of what the board says to
     * be there and nobody will look after any more. May be NULL.
     */
    void (*leaves)(const struct snapshot *before, const struct snapshot *after,
                   const struct board *board, struct conf_diag *diag);

    /* --- answers to admin, within a second or never --- */
    /* Members of an object that is already open: what the facts and metrics do not say. */
    void (*status)(void *state, struct json *json);

    /* --- why something is as it is --- */
    const char *explains; /* the kind of question (struct explain_ask); NULL: none */
    /*
     * Members of an object that is already open: what the configuration and the facts on the board
     * make of the question. Asks nobody and changes nothing, so it may be called in any process
     * that has a snapshot. 0, or -1 and err: what is wrong with the question; nothing is written
     * then.
     */
    int (*explain)(const struct snapshot *snap, const struct board *board,
                   const struct explain_ask *ask, struct json *json, struct err *err);
    /* The same within its process, from what that has made of the configuration; admin asks there
     * then. NULL: explain() knows as much. */
    int (*explain_inside)(void *state, const struct explain_ask *ask, struct json *json,
                          struct err *err);
};

/* --- the table -------------------------------------------------------------------------------- */

struct module_table {
    const struct module *const *items; /* in order of layers */
    size_t n_items;
};

/* The kinds of process that the table names, each once, "supervisor" first: the board's
 * segments. */
size_t module_processes(const struct module_table *table, const char **ret_names, size_t max);
/* May a process of this kind do what the bit of its sandbox says (SANDBOX_STATE_FILES)? */
bool module_process_allows(const struct module_table *table, const char *kind, unsigned allow);
/* The table's own string for a kind of process, which lives for ever; "?" for one that it has
 * not. */
const char *module_process_name(const struct module_table *table, const char *kind);
const struct fact_kind *module_fact_kind(const struct module_table *table, const char *fact_name);
const struct metric_table *module_metric_table(const struct module_table *table, const char *name);

/* The module that answers such questions, or NULL with err. */
const struct module *module_explains(const struct module_table *table, const char *kind,
                                     struct err *err);

/* --- snapshots -------------------------------------------------------------------------------- */

struct snapshot {
    uint64_t generation;   /* 1 at start, one more at each reload */
    uint64_t hash;         /* of the bytes of all files, without the overlay */
    const char *node;      /* this node's name, "" where the file has no nodes */
    const char *state_dir; /* absolute */
    struct arena arena;    /* owns all below */
    struct conf_files *files;
    struct conf_stmt *root;
    const struct conf_overlay *overlay; /* what was laid over the file; NULL: nothing */
    const struct module_table *table;
    void *conf[MODULES_MAX]; /* by place in the table */
    uint32_t n_refs;         /* loop 0's alone */
    uint32_t n_loops;        /* of this process */
};

struct snapshot_options {
    const char *path;             /* the file */
    const struct conf_host *host; /* how it is read */
    const char *folder;    /* where relative paths start: the caller's working folder, absolute */
    const char *node;      /* --node, or NULL: found by `nodes` and the host's addresses */
    bool is_every_node;    /* node is NULL and stays open: `weir check`; the first one is taken */
    const char *state_dir; /* --state or WEIR_STATE, or NULL: the file's, or the default */
    const char *overlay;   /* the path of what was changed at run time, or NULL: nothing was */
    uint64_t generation;
    uint32_t n_loops; /* of this process */
};

/* The statements that the table lets be changed at run time; NULL: none. */
const struct conf_overlay_words *module_overlay_words(const struct module_table *table);

/*
 * Reads, fills and checks a configuration. Mistakes are in diag (made in the snapshot's arena,
 * which *ret_snap owns even on failure, so that they can be printed). Returns 0, or -1; *ret_snap
 * is set in both cases, with one reference.
 */
int snapshot_load(const struct module_table *table, const struct snapshot_options *options,
                  struct snapshot **ret_snap, struct conf_diag **ret_diag);
/* Loop 0 alone counts. The last snapshot_unref() frees; each sets *snap to NULL. */
struct snapshot *snapshot_ref(struct snapshot *snap);
void snapshot_unref(struct snapshot **snap);

/*
 * The file sets a value that only a restart changes otherwise than `before` does: told to diag (of
 * `after`), each with its place. Returns how many there are.
 */
size_t snapshot_restart_changes(const struct snapshot *before, const struct snapshot *after,
                                struct conf_diag *diag);

/* What the modules of a kind of process want (NULL: of all kinds): calls want() for each; -1 as
 * soon as want() does. */
int snapshot_sockets(const struct snapshot *snap, const char *kind, socket_want_fn *want,
                     void *ctx);
/* Is it an address that moves from node to node? */
bool snapshot_is_floating(const struct snapshot *snap, const struct addr *addr);
/* struct module's floating_fact() of whoever has one. Lives as long as the snapshot. */
const char *snapshot_floating_fact(const struct snapshot *snap, const struct addr *addr);
int snapshot_files(const struct snapshot *snap, const char *kind, file_want_fn *want, void *ctx);
int snapshot_programs(const struct snapshot *snap, program_want_fn *want, void *ctx);
/* Asks each module whose program it is. 0, or 1: nobody's. */
int snapshot_program(const struct snapshot *snap, const struct slice *texts, size_t n_texts,
                     struct arena *arena, struct program_plan *ret_plan);
/* Does a module of the process ask worker to start programs? */
bool module_process_starts_programs(const struct module_table *table, const char *kind);
/* Does a module of the process drain before others do? */
bool module_process_drains_first(const struct module_table *table, const char *kind);
/* Is a process of this kind needed? */
bool snapshot_needs(const struct snapshot *snap, const char *kind);
/* Does the process `kind` host the module? */
bool module_lives_in(const struct module *module, const char *kind);
/* Do the module's files go to `kind`: does it live there, or name it in files_for? */
bool module_files_go_to(const struct module *module, const char *kind);

/* The module's struct in this snapshot. Asserts that the module is in the table. */
void *snapshot_conf(const struct snapshot *snap, const struct module *module);
/* The module's place in the table. */
size_t snapshot_place(const struct snapshot *snap, const struct module *module);

#endif
