/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_FORCED_H
#define ADMIN_FORCED_H

/*
 * What the operator forces upon members, as it is kept: who drains, who is forced up or down, whose
 * weight was changed; and which floating addresses and nodes drain. The store lives in admin's
 * memory and, as text, in the file `forced` of the state directory (docs/formats/forced.md), so
 * that it outlives admin, reloads and restarts:
 *
 *     weir-forced 1
 *     drain web/app1 1764195102123 300000 0
 *     down web/app2 1764195102123
 *     weight web/app3 1764195102123 5
 *     drain vip:front 1764195102123 0 0
 *     end 4 5d8f3c2a91b04e67
 *
 * A text with a TTL in it is of version 2, one with a vip or a node of version 3, so that an older
 * weir does not take half of it.
 *
 * The text is all or nothing: a line that is not exactly as specified, a count or a sum that is
 * wrong, and the whole is refused with a sentence, for its reader to set the file aside. Nothing
 * here makes a system call; admin/operate.c writes the file and states the facts.
 */

#include "base/err.h"
#include "base/map.h"
#include "base/slice.h"
#include "base/text.h"
#include "core/board.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    FORCED_MAX = 2000,          /* of all kinds; three facts each must fit a segment of the board */
    FORCED_BYTES_MAX = 1 << 20, /* of the text; FORCED_MAX members take less than half */
    FORCED_LABEL_MAX = 128,     /* "POOL/NAME", "vip:NAME", with the NUL */
    FORCED_WEIGHT_MAX = 256,    /* 0: no new requests */
    FORCED_TTL_MAX_S = 2592000, /* 30 days */
};

/* What a label names. Only members are forced up or down and given weights. */
enum forced_kind { FORCED_NOTHING, FORCED_MEMBER, FORCED_VIP, FORCED_NODE };

struct forced_entry {
    char label[FORCED_LABEL_MAX]; /* "web/app1", "vip:front", "node:a" */
    enum fact_state state;        /* FACT_NONE, FACT_UP, FACT_DOWN, FACT_DRAINING */
    uint64_t state_since_ms;      /* wall clock */
    uint32_t ttl_s;               /* up, down: of DNS answers meanwhile; 0: none was given */
    uint64_t idle_ms;             /* draining: sessions idle for so long count as ended */
    uint64_t drained_ms;          /* draining: when it was over, wall clock; 0: it is not */
    uint32_t n_calm; /* draining: looks in a row that saw nothing left; not in the text */
    bool has_weight;
    uint32_t weight;
    uint64_t weight_since_ms;
};

struct forced {
    struct map by_label; /* of struct forced_entry */
};

void forced_init(struct forced *forced);
void forced_deinit(struct forced *forced);

/* The entry, or NULL. */
struct forced_entry *forced_find(const struct forced *forced, struct slice label);
/*
 * Takes over what `entry` says; one that says nothing is forgotten. Returns 0, or -1 with err where
 * there are FORCED_MAX others.
 */
int forced_set(struct forced *forced, const struct forced_entry *entry, struct err *err);
/* Walks in order of insertion: *cursor starts at 0; NULL at the end. No forced_set() meanwhile. */
struct forced_entry *forced_next(const struct forced *forced, uint32_t *cursor);

/* Does it force nothing? */
static inline bool forced_is_empty(const struct forced_entry *entry)
{
    return entry->state == FACT_NONE && !entry->has_weight;
}

/* Appends the text. */
void forced_encode(const struct forced *forced, struct text *out);
/* Fills a store that was inited and is empty. 0, or -1 with err, and it is empty again. */
int forced_decode(struct forced *forced, struct slice bytes, struct err *err);

/* FORCED_NOTHING where it is no label. *ret_name (may be NULL) is what stands behind "vip:" and
 * "node:", and for members the whole. */
enum forced_kind forced_kind_of(struct slice label, struct slice *ret_name);

#endif
