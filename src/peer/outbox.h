/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_OUTBOX_H
#define PEER_OUTBOX_H

/*
 * Which facts of this node the next round of beats tells, and in which order. A beat has room for
 * about twenty, so that what matters goes first and the rest takes turns:
 *
 *     1. vip:*, all of them in each beat as far as three quarters of the room go
 *     2. what has changed, in OUTBOX_URGENT_ROUNDS rounds, as one of them may be lost
 *     3. all others, on from where the last round ended
 *
 * When each fact was told once more, the turn of the beats goes on by one; a reader drops what was
 * not told for BEAT_TURNS_KEPT turns. So a fact that is gone here needs no message of its own.
 *
 * The owner notes facts as they come (outbox_wants() says which), and gives a function that reads
 * one when a round is made: values and reasons change without a sound. All rounds of a node are
 * the same for all its peers.
 *
 * Pure: no clock, no board.
 */

#include "base/map.h"
#include "core/board.h"
#include "wire/beat.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OUTBOX_FACTS_MAX = 512, /* more are not told, and counted */
    OUTBOX_URGENT_ROUNDS = 3,
    OUTBOX_ROUND_MAX = 72, /* facts that fit into a beat, with the shortest names there are */
};

enum outbox_want {
    OUTBOX_NO,    /* no fact for others */
    OUTBOX_LATER, /* with the next beat */
    OUTBOX_NOW,   /* worth a beat of its own: vip:* */
};

/* The fact now, as it is to be told. False: there is none any more. */
typedef bool outbox_read_fn(void *ctx, const char *name, struct fact_ref ref, struct fact *ret);

struct outbox_item {
    struct fact_ref ref;
    uint64_t round;  /* that told it last */
    uint8_t urgency; /* rounds in which it is to come early */
    char name[FACT_NAME_MAX];
};

struct outbox_list {
    struct outbox_item *items[OUTBOX_FACTS_MAX];
    size_t n_items;
    size_t cursor;
    bool is_through; /* each was told in this turn */
};

struct outbox {
    struct map index; /* name -> struct outbox_item */
    struct outbox_list first, others;
    uint64_t round;
    uint64_t n_refused; /* for want of room */
    uint8_t turn;
};

/* What a round tells; the slices lie in it. */
struct outbox_round {
    uint8_t turn;
    size_t n_facts;
    struct beat_fact facts[OUTBOX_ROUND_MAX];
    struct fact storage[OUTBOX_ROUND_MAX];
};

void outbox_init(struct outbox *outbox, uint64_t seed);
void outbox_deinit(struct outbox *outbox);
/* Forgets all facts; the turn goes on. */
void outbox_clear(struct outbox *outbox);

enum outbox_want outbox_wants(const char *name);
/* There is such a fact, or it has changed. The name is one that outbox_wants(). */
void outbox_note(struct outbox *outbox, const char *name, struct fact_ref ref);
void outbox_forget(struct outbox *outbox, const char *name);
size_t outbox_n_facts(const struct outbox *outbox);

/* The bytes of a beat that are left for facts, for a sender of that name. */
size_t outbox_room(struct slice sender);
/* Makes a round, in which facts take at most `room` bytes; ages are counted to wall_ns. */
void outbox_next(struct outbox *outbox, size_t room, uint64_t wall_ns, outbox_read_fn *read,
                 void *ctx, struct outbox_round *round);

#endif
