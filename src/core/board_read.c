/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading facts and following changes, in any process and thread.
 */

#include "core/board_segment.h"
#include <assert.h>
#include <string.h>

bool segment_read_fact(const struct segment *segment, uint32_t slot, struct stored_fact *ret_fact)
{
    const struct segment_fact *fact = &segment->facts[slot];
    for (;;) {
        uint32_t generation = atomic_load_explicit(&fact->generation, memory_order_acquire);
        if (generation == 0)
            return false;
        words_load(fact->copies[generation & 1], ret_fact, sizeof(*ret_fact));
        atomic_thread_fence(memory_order_acquire);
        /* Another generation: the writer may have been in this copy meanwhile. */
        if (atomic_load_explicit(&fact->generation, memory_order_relaxed) == generation)
            break;
    }
    /* A writer that has gone mad cannot make a reader run over the end. */
    ret_fact->name[FACT_NAME_MAX - 1] = 0;
    ret_fact->reason[FACT_REASON_MAX - 1] = 0;
    if (ret_fact->state >= FACT_N_STATES)
        ret_fact->state = FACT_UNKNOWN;
    return true;
}

static uint32_t segment_n_facts(const struct segment *segment)
{
    uint32_t n = atomic_load_explicit(&segment->n_facts, memory_order_acquire);
    return n < BOARD_FACTS_MAX ? n : BOARD_FACTS_MAX;
}

static void fact_from(const struct stored_fact *stored, struct fact *ret_fact)
{
    memcpy(ret_fact->name, stored->name, sizeof(ret_fact->name));
    memcpy(ret_fact->reason, stored->reason, sizeof(ret_fact->reason));
    ret_fact->state = (enum fact_state)stored->state;
    ret_fact->since_ns = stored->since_ns;
    ret_fact->value = stored->value;
}

struct fact_ref board_find(const struct board *board, const char *name)
{
    uint64_t hash = board_name_hash(slice_from(name));
    for (size_t s = 0; s < board->n_segments; s++) {
        const struct segment *segment = board->segments[s];
        uint32_t n = segment_n_facts(segment);
        for (uint32_t slot = 0; slot < n; slot++) {
            struct stored_fact fact;
            if (atomic_load_explicit(&segment->facts[slot].name_hash, memory_order_relaxed) != hash)
                continue;
            if (segment_read_fact(segment, slot, &fact) && fact.state != FACT_NONE &&
                strcmp(fact.name, name) == 0)
                return (struct fact_ref){.segment = (uint16_t)s,
                                         .slot = (uint16_t)slot,
                                         .incarnation = fact.incarnation,
                                         .is_set = true};
        }
    }
    return (struct fact_ref){.is_set = false};
}

enum fact_state board_peek(const struct board *board, struct fact_ref ref)
{
    if (!ref.is_set)
        return FACT_NONE;
    const struct segment_fact *fact = &board->segments[ref.segment]->facts[ref.slot];
    uint32_t generation = atomic_load_explicit(&fact->generation, memory_order_acquire);
    /* The first word holds both state and incarnation, so it cannot be torn; where the writer is
     * two generations on by now, it is the state that is about to be published. */
    uint64_t word = atomic_load_explicit(&fact->copies[generation & 1][0], memory_order_relaxed);
    if ((uint32_t)(word >> 32) != ref.incarnation || (uint32_t)word >= FACT_N_STATES)
        return FACT_NONE;
    return (enum fact_state)(uint32_t)word;
}

bool board_read(const struct board *board, struct fact_ref ref, struct fact *ret_fact)
{
    struct stored_fact stored;
    if (!ref.is_set || !segment_read_fact(board->segments[ref.segment], ref.slot, &stored))
        return false;
    if (stored.incarnation != ref.incarnation || stored.state == FACT_NONE)
        return false;
    fact_from(&stored, ret_fact);
    return true;
}

bool board_next(const struct board *board, size_t segment, uint32_t *cursor, struct fact *ret_fact)
{
    assert(segment < board->n_segments);
    uint32_t n = segment_n_facts(board->segments[segment]);
    while (*cursor < n) {
        struct stored_fact stored;
        uint32_t slot = (*cursor)++;
        if (!segment_read_fact(board->segments[segment], slot, &stored) ||
            stored.state == FACT_NONE)
            continue;
        fact_from(&stored, ret_fact);
        return true;
    }
    return false;
}

/* ---- changes ---- */

void board_cursor_init(const struct board *board, struct board_cursor *cursor)
{
    memset(cursor, 0, sizeof(*cursor));
    for (size_t s = 0; s < board->n_segments; s++)
        cursor->next[s] =
            atomic_load_explicit(&board->segments[s]->ring_head, memory_order_acquire);
}

/* Transition `at` of a ring, or false where the writer has overtaken it. */
static bool ring_read(const struct segment *segment, uint64_t at, struct stored_change *ret_change)
{
    const struct segment_change *change = &segment->ring[at & (BOARD_RING - 1)];
    words_load(change->words, ret_change, sizeof(*ret_change));
    atomic_thread_fence(memory_order_acquire);
    uint64_t head = atomic_load_explicit(&segment->ring_head, memory_order_relaxed);
    ret_change->name[FACT_NAME_MAX - 1] = 0;
    /* At head == at + BOARD_RING the writer may be writing over this very place. */
    return head < at + BOARD_RING && ret_change->from < FACT_N_STATES &&
           ret_change->to < FACT_N_STATES && ret_change->slot < BOARD_FACTS_MAX;
}

static struct board_change change_from(const struct stored_change *stored, size_t segment)
{
    struct board_change change = {.ref = {.segment = (uint16_t)segment,
                                          .slot = (uint16_t)stored->slot,
                                          .incarnation = stored->incarnation,
                                          .is_set = true},
                                  .from = (enum fact_state)stored->from,
                                  .to = (enum fact_state)stored->to,
                                  .wall_ns = stored->wall_ns};
    memcpy(change.name, stored->name, sizeof(change.name));
    return change;
}

static size_t segment_changes(const struct board *board, size_t s, uint64_t *next,
                              void (*fn)(void *ctx, const struct board_change *change),
                              void (*lost)(void *ctx, size_t segment), void *ctx)
{
    const struct segment *segment = board->segments[s];
    /* Those that are there now: what comes meanwhile has rung the bell again. */
    uint64_t head = atomic_load_explicit(&segment->ring_head, memory_order_acquire);
    size_t n = 0;
    while (*next != head) {
        struct stored_change stored;
        /* The distance is unsigned: a head that a mad writer put back counts as far ahead. */
        if (head - *next >= BOARD_RING || !ring_read(segment, *next, &stored)) {
            *next = atomic_load_explicit(&segment->ring_head, memory_order_acquire);
            if (lost)
                lost(ctx, s);
            break;
        }
        (*next)++;
        n++;
        struct board_change change = change_from(&stored, s);
        fn(ctx, &change);
    }
    return n;
}

size_t board_changes(const struct board *board, struct board_cursor *cursor,
                     void (*fn)(void *ctx, const struct board_change *change),
                     void (*lost)(void *ctx, size_t segment), void *ctx)
{
    size_t n = 0;
    for (size_t s = 0; s < board->n_segments; s++)
        n += segment_changes(board, s, &cursor->next[s], fn, lost, ctx);
    return n;
}
