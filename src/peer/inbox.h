/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_INBOX_H
#define PEER_INBOX_H

/*
 * What another node has told of itself, and when it is no more. The facts themselves lie on the
 * board, as at:NODE/FACT; an inbox keeps their names, the turn in which each was told last
 * (peer/outbox.h), and as much of its value as tells whether there is news.
 *
 * Names come from outside, though signed: kinds that no peer tells, characters that no name has and
 * lengths that the board cannot take are refused and counted; states of a newer build are unknown.
 *
 * Pure: what is to be done to the board are calls.
 */

#include "base/map.h"
#include "core/board.h"
#include "wire/beat.h"
#include <stdint.h>

enum { INBOX_FACTS_MAX = 512 }; /* as many as one node tells; more are refused and counted */

struct inbox_calls {
    void *ctx;
    /* The node says so of itself. is_news: the state, or the value of a vip, is another than
     * before. The slices live during the call. */
    void (*state)(void *ctx, const struct beat_fact *fact, bool is_news);
    void (*remove)(void *ctx, const char *name);
};

struct inbox_item {
    double value;
    uint8_t state; /* FACT_NONE: not told yet, adopted from an earlier life of this process */
    uint8_t turn;
    char name[FACT_NAME_MAX];
};

struct inbox {
    struct map index;                          /* name -> struct inbox_item */
    struct inbox_item *items[INBOX_FACTS_MAX]; /* in no order */
    size_t n_items;
    uint64_t n_refused;
    uint8_t turn; /* of the newest beat */
};

void inbox_init(struct inbox *inbox, uint64_t seed);
void inbox_deinit(struct inbox *inbox);
/* The board has such a fact of this node already. */
void inbox_adopt(struct inbox *inbox, const char *name);
/* A new life of the node: its turns begin anew, all that is there counts as told with `turn`. */
void inbox_begin_life(struct inbox *inbox, uint8_t turn);
/* The facts of a beat that is news. */
void inbox_take(struct inbox *inbox, const struct beat *beat, const struct inbox_calls *calls);
/* Removes all. */
void inbox_clear(struct inbox *inbox, const struct inbox_calls *calls);

#endif
