/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BOARD_H
#define CORE_BOARD_H

/*
 * The board: what is true, in memory that every process sees.
 *
 * A fact is a named state with a reason: `member:web/app1 up "HTTP 200 in 3 ms"`. Each has one
 * writer, and "one writer" is kept by the hardware: the board is made of segments, one for each
 * kind of process, each a memfd that its process maps writable and everybody else read-only, from a
 * descriptor that was opened read-only and cannot be mapped otherwise.
 *
 *     segment of `health` (rw there, ro elsewhere)          segment of `edge` ...
 *     +--------+----------------+------------------+--------------------------+
 *     | header | facts          | ring of changes  | slabs (core/metric.h)    |
 *     +--------+----------------+------------------+--------------------------+
 *
 * The supervisor makes all segments before it starts the first process and holds them for good: a
 * writer that died is started again over the same segment, finds its facts as they were, and goes
 * on.
 *
 * A fact lies in two copies behind a generation:
 *
 *     | generation | copy[0]: state, incarnation, since, value, name, reason | copy[1] ... |
 *
 * The writer fills the copy that the generation does not name (copy[(generation + 1) & 1]), then
 * stores generation + 1. A reader takes the generation, reads copy[generation & 1], and takes the
 * generation again: equal means whole. A writer that is killed at any instruction leaves the last
 * good copy. Generation 0 means that the slot was never used. A removed fact has state 0
 * (FACT_NONE) in its copy; the next fact in its slot has another incarnation, so that whoever still
 * holds a reference sees nothing. The balancer's question "is it up" is two loads: the generation,
 * and the copy's first word.
 *
 * Each transition of a state is also appended to the segment's ring, and every reader's bell (an
 * eventfd a process) is rung, so that nobody polls and no flap is missed: a reader keeps its own
 * cursor for each segment and is told, by board_changes(), every transition in order, or that it
 * has fallen so far behind that it must look at all facts again.
 *
 *     what                 written by         when the writer is dead or silent
 *     header.heartbeat[i]  loop i             the supervisor kills and restarts after its patience;
 *                                             readers see board_silence()
 *     facts                loop 0             per kind of fact: struct fact_kind.rule
 *     ring, ring_head      loop 0             nothing is read beyond ring_head
 *     slabs                loop of the row    counters stay as they are
 *     slab directory       loop 0             as it is
 *
 * Heartbeats are reclaimed by the next start (which keeps the newest, for board_silence()), facts
 * by the writer's restart and board_sweep(), slabs by metric_close() in loop 0; the ring is
 * overwritten.
 *
 * Facts are written by loop 0 of a process alone. Reads may come from any thread.
 */

#include "base/err.h"
#include "base/slice.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BOARD_SEGMENTS_MAX = 16,
    BOARD_LOOPS_MAX = 64,
    BOARD_FACTS_MAX = 8192, /* a segment; more are refused, and the refusal is counted */
    BOARD_RING = 4096,      /* transitions a segment remembers; a power of two */
    FACT_NAME_MAX = 144,    /* "drain:member/" and two names of 63 with '/', with the NUL */
    FACT_REASON_MAX = 88,
    BOARD_SLAB_BYTES = 24 << 20, /* address space; pages come when they are touched */
};

/*
 * States of facts: one enum for all kinds, so that a reader needs no table to ask "may I use it".
 * A kind of fact uses those that make sense for it.
 */
enum fact_state {
    FACT_NONE = 0,    /* no such fact */
    FACT_UNKNOWN = 1, /* not judged yet */
    FACT_UP = 2,
    FACT_DOWN = 3,
    FACT_DEGRADED = 4, /* works in part: a pool with some members down */
    FACT_DRAINING = 5,
    FACT_SERVING = 6,  /* a listener */
    FACT_RESOLVED = 7, /* a name; the reason holds the address */
    FACT_FAILED = 8,   /* cannot do its work: a listener that could not bind, a process that dies */
    FACT_DRAINED = 9,  /* a drain that is over: nothing is left of what it waited for */
    FACT_ACTIVE = 10,  /* a floating address: it is here */
    FACT_BACKUP = 11,  /* likewise: another has it, or nobody yet, and this node would take it */
    FACT_N_STATES
};

const char *fact_state_name(enum fact_state state);

/* One fact as a value. */
struct fact {
    char name[FACT_NAME_MAX]; /* "kind:rest" */
    enum fact_state state;
    uint64_t since_ns; /* CLOCK_REALTIME of the last change of state */
    double value;      /* one number: a lag, a weight; its meaning is the kind's */
    char reason[FACT_REASON_MAX];
};

/* What readers do when the one who writes a kind of fact has been silent for patience_ms. */
enum fact_rule {
    FACT_KEEP,     /* act on the last word: members stay as they were */
    FACT_DISTRUST, /* treat as unknown */
};

/* Declared by modules; the table of kinds is for status, docs and the reader's rule. */
struct fact_kind {
    const char *name; /* before the ':' */
    enum fact_rule rule;
    uint32_t patience_ms;
    const char *doc;
};

struct board;

/* A reader's or writer's handle on one fact: cheap, and valid as long as the board. */
struct fact_ref {
    uint16_t segment;
    uint16_t slot;
    uint32_t incarnation;
    bool is_set;
};

/* --- made by the supervisor ------------------------------------------------------------------- */

/* The descriptors of one segment: `rw` goes to its writer, `ro` to all the others. */
struct board_fds {
    int rw[BOARD_SEGMENTS_MAX];
    int ro[BOARD_SEGMENTS_MAX];
    int bell[BOARD_SEGMENTS_MAX]; /* eventfd of the process that owns the segment */
    size_t n_segments;
};

/* Makes n segments named in `names` (kinds of processes). 0, or -1 with err. */
int board_make(const char *const *names, size_t n, struct board_fds *ret_fds, struct err *err);
void board_fds_close(struct board_fds *fds);

/* --- used by every process -------------------------------------------------------------------- */

enum { BOARD_NO_SEGMENT = -1 };

/*
 * Maps the board. `own` is the index of the segment to be written (fds->rw[own] is used), the
 * others are mapped from fds->ro; BOARD_NO_SEGMENT maps all read-only. The descriptors may be
 * closed afterwards, but for the bells, which the board keeps using. Adopts what an earlier life of
 * this process left in its segment: a change that was not finished is completed or forgotten.
 */
int board_open(const struct board_fds *fds, int own, struct board **ret_board, struct err *err);
void board_close(struct board **board);

size_t board_n_segments(const struct board *board);
const char *board_segment_name(const struct board *board, size_t segment);
/* The index of the process kind's segment, or -1. */
int board_segment(const struct board *board, const char *name);

/* How often this segment's process has been started; counted by board_open() with `own`. */
uint32_t board_starts(const struct board *board, size_t segment);
/* Sets that count, in a segment that has no process yet. */
void board_set_starts(struct board *board, uint32_t n_starts);
/* The heartbeat word of a loop of the own segment. */
_Atomic uint64_t *board_heartbeat(struct board *board, uint32_t loop_index);
/* The last heartbeat of loop i of a segment (CLOCK_MONOTONIC ns), 0: none yet. */
uint64_t board_last_heartbeat(const struct board *board, size_t segment, uint32_t loop_index);
/* Nanoseconds since any loop of the segment was last heard; UINT64_MAX: never. */
uint64_t board_silence(const struct board *board, size_t segment, uint64_t now_ns);

/* --- writing, loop 0 of the owner ------------------------------------------------------------- */

/*
 * States a fact; makes it where there is none. A changed state sets since, appends to the ring and
 * rings the bells; a changed reason or value alone does neither (see board_tell()). Returns 0, or
 * -1 where the segment is full (counted in board_refused()).
 */
int board_state(struct board *board, const char *name, enum fact_state state, double value,
                const char *reason, uint64_t wall_ns);
/*
 * The fact's value is news although its state is the same (a weight that others act on): appends a
 * transition from the state to itself and rings the bells. Where there is no such fact, nothing. A
 * writer that died between board_state() and this tells it again in its next life.
 */
void board_tell(struct board *board, const char *name, uint64_t wall_ns);
/*
 * Puts back a fact of another build as it was, its since and all, in a segment that has no process
 * yet. Returns 0; 1 where there is a fact of that name already, which stays; -1 as board_state().
 */
int board_restore(struct board *board, const struct fact *fact);
/* Takes a fact away: readers see FACT_NONE, and a transition to it. */
void board_remove(struct board *board, const char *name, uint64_t wall_ns);
/*
 * After a reload or restart: removes own facts that begin with `prefix` and that keep() does not
 * want. keep may be NULL (all go).
 */
void board_sweep(struct board *board, const char *prefix, bool (*keep)(void *ctx, const char *name),
                 void *ctx, uint64_t wall_ns);
uint64_t board_refused(const struct board *board);

/* --- reading, any thread ---------------------------------------------------------------------- */

/* Finds a fact in any segment. is_set is false where there is none. A linear search over
 * hashes of names: for configuration time, not for requests. */
struct fact_ref board_find(const struct board *board, const char *name);
/* Two loads: the state now, FACT_NONE where the slot was given to another fact or removed. */
enum fact_state board_peek(const struct board *board, struct fact_ref ref);
/* The whole fact. Returns false where there is none. */
bool board_read(const struct board *board, struct fact_ref ref, struct fact *ret_fact);
/* Walks the facts of a segment: *cursor starts at 0. Returns false at the end. */
bool board_next(const struct board *board, size_t segment, uint32_t *cursor, struct fact *ret_fact);

/* --- changes ---------------------------------------------------------------------------------- */

struct board_change {
    struct fact_ref ref;
    char name[FACT_NAME_MAX];
    enum fact_state from, to;
    uint64_t wall_ns;
};

/* A reader's place in every ring; start with board_cursor_init(), which begins at "now". */
struct board_cursor {
    uint64_t next[BOARD_SEGMENTS_MAX];
};

void board_cursor_init(const struct board *board, struct board_cursor *cursor);

/* The eventfd that rings for this process, to be read by its loop 0; -1 without an own segment. */
int board_bell(const struct board *board);

/*
 * Calls fn for each transition since the cursor (from == to: only its value is another), segment by
 * segment, in order. Where a ring has overtaken the cursor, is_lost is called for that segment
 * instead, and the reader must look at its facts anew. Returns the number of transitions seen.
 */
size_t board_changes(const struct board *board, struct board_cursor *cursor,
                     void (*fn)(void *ctx, const struct board_change *change),
                     void (*lost)(void *ctx, size_t segment), void *ctx);

#endif
