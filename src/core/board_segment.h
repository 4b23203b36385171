/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BOARD_SEGMENT_H
#define CORE_BOARD_SEGMENT_H

/*
 * How a segment of the board lies in memory, for the files board*.c and metric.c.
 *
 *     | header | heartbeats | facts | ring | slab directory | slabs |
 *
 * All of it is written by the one process that owns the segment and read by everybody while it is
 * being written, so every word that changes is atomic, also the insides of facts: they are stored
 * and loaded as 64-bit words with relaxed order, between a release and an acquire of the generation
 * that covers them.
 *
 * The order of stores in a writer is what makes a death at any instruction harmless; each place
 * says so.
 */

#include "base/map.h"
#include "core/board.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SEGMENT_VERSION = 1,
    SEGMENT_NAME_MAX = 32,
    FACT_WORDS = 32,
    CHANGE_WORDS = 21,
    SLABS_MAX = 4096,
    SLAB_TABLE_MAX = 32,
    SLAB_NAME_WORDS = (SLAB_TABLE_MAX + FACT_NAME_MAX + 4) / 8,
};

#define SEGMENT_MAGIC UINT64_C(0x77656972626f6172) /* "weirboar" */

/* A fact as it is copied in and out of the board's words. */
struct stored_fact {
    uint32_t state;
    uint32_t incarnation;
    uint64_t since_ns;
    double value;
    char name[FACT_NAME_MAX];
    char reason[FACT_REASON_MAX];
};

struct segment_fact {
    _Alignas(64) _Atomic uint32_t generation;
    _Atomic uint32_t rung_state; /* the state that the ring has told of, for adoption */
    _Atomic uint64_t name_hash;  /* of the newest name; a hint for the search */
    _Atomic uint64_t copies[2][FACT_WORDS];
};

/* A transition as it is copied in and out of the ring's words. */
struct stored_change {
    uint64_t wall_ns;
    uint32_t slot;
    uint32_t incarnation;
    uint8_t from, to;
    char name[FACT_NAME_MAX];
};

struct segment_change {
    _Atomic uint64_t words[CHANGE_WORDS];
};

struct segment_slab {
    _Atomic uint32_t generation; /* odd: in use */
    _Atomic uint32_t n_words;
    _Atomic uint32_t n_loops;
    _Atomic uint32_t row_bytes; /* from one loop's row to the next: whole cache lines */
    _Atomic uint64_t offset; /* of row 0 in the slabs; kept when free, for the next of this size */
    _Atomic uint64_t name[SLAB_NAME_WORDS]; /* the table's name, then the object's */
};

struct segment_heartbeat {
    _Alignas(64) _Atomic uint64_t at_ns;
};

struct segment {
    uint64_t magic;   /* written once by the supervisor */
    uint32_t version; /* likewise */
    char name[SEGMENT_NAME_MAX];
    _Alignas(64) _Atomic uint32_t n_starts;
    _Atomic uint32_t n_facts;                /* slots that were ever used */
    _Atomic uint32_t n_slabs;                /* entries that were ever used */
    _Atomic uint64_t n_refused;              /* facts and slabs for which there was no room */
    _Atomic uint64_t heard_before_ns;        /* the last heartbeat of the lives before this one */
    _Alignas(64) _Atomic uint64_t ring_head; /* transitions ever appended */
    struct segment_heartbeat heartbeats[BOARD_LOOPS_MAX];
    struct segment_fact facts[BOARD_FACTS_MAX];
    struct segment_change ring[BOARD_RING];
    struct segment_slab slabs[SLABS_MAX];
    _Alignas(4096) char slab_bytes[BOARD_SLAB_BYTES];
};

_Static_assert(sizeof(struct stored_fact) <= FACT_WORDS * 8, "a fact fits its words");
_Static_assert(sizeof(struct stored_change) <= CHANGE_WORDS * 8, "a change fits its words");
_Static_assert((BOARD_RING & (BOARD_RING - 1)) == 0, "a power of two");

struct board {
    struct segment *segments[BOARD_SEGMENTS_MAX]; /* read-only but for the own one */
    int bells[BOARD_SEGMENTS_MAX];
    size_t n_segments;
    int own; /* or BOARD_NO_SEGMENT */
    /* The writer's private memory, rebuilt at board_open(). */
    struct map index; /* name -> struct own_fact */
    uint32_t *free_slots;
    uint32_t n_free_slots;
    struct own_fact *own_facts; /* by slot */
    uint64_t slab_end;          /* bytes of slab_bytes that entries have taken */
};

/* What the writer knows of a slot without reading the board. */
struct own_fact {
    struct stored_fact now;
    bool is_used;
};

/* Copies between structs and the board's words. */
void words_store(_Atomic uint64_t *words, const void *from, size_t size);
void words_load(const _Atomic uint64_t *words, void *to, size_t size);

/* The hash of a name, the same in every process. */
uint64_t board_name_hash(struct slice name);

/* The own segment, asserted to be there. */
struct segment *board_own(const struct board *board);

/* One whole copy of a fact, or false where the slot was never used. */
bool segment_read_fact(const struct segment *segment, uint32_t slot, struct stored_fact *ret_fact);

/* Writer: brings the private memory and the ring up to what the segment says. */
void board_adopt(struct board *board);

#endif
