/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writing facts, in loop 0 of the process that owns the segment. The order of the stores:
 *
 *     1. the copy that the generation does not name      a death here leaves the old fact
 *     2. generation + 1 (release)                        from here on the new fact is true
 *     3. the ring's entry, then ring_head + 1 (release)  a death before: adoption appends it
 *     4. rung_state                                      a death before: adoption sees that the
 *     5. the bells                                       newest entry tells of it, and rings
 */

#include "base/mem.h"
#include "core/board_segment.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static void board_ring_bells(const struct board *board)
{
    uint64_t one = 1;
    for (size_t i = 0; i < board->n_segments; i++)
        if ((int)i != board->own)
            (void)!write(board->bells[i], &one, sizeof(one)); /* full: it has been rung enough */
}

/* ---- one fact ---- */

static void fact_publish(struct segment_fact *fact, const struct stored_fact *stored)
{
    uint32_t generation = atomic_load_explicit(&fact->generation, memory_order_relaxed);
    /* No store into the other copy may be seen before the generation that made it the other one: a
     * reader that finds such a store must also find the generation changed. */
    atomic_thread_fence(memory_order_release);
    words_store(fact->copies[(generation + 1) & 1], stored, sizeof(*stored));
    /* 0 means "never used", so the count steps over it, and over 1 to keep the copies in turn. */
    uint32_t next = generation == UINT32_MAX ? 2 : generation + 1;
    atomic_store_explicit(&fact->generation, next, memory_order_release);
}

static void ring_append(struct segment *segment, uint32_t slot, enum fact_state from,
                        const struct stored_fact *stored, uint64_t wall_ns)
{
    uint64_t head = atomic_load_explicit(&segment->ring_head, memory_order_relaxed);
    struct stored_change change = {.wall_ns = wall_ns,
                                   .slot = slot,
                                   .incarnation = stored->incarnation,
                                   .from = (uint8_t)from,
                                   .to = (uint8_t)stored->state};
    memcpy(change.name, stored->name, sizeof(change.name));
    atomic_thread_fence(memory_order_release);
    words_store(segment->ring[head & (BOARD_RING - 1)].words, &change, sizeof(change));
    atomic_store_explicit(&segment->ring_head, head + 1, memory_order_release);
}

static void fact_change(struct board *board, uint32_t slot, enum fact_state from,
                        const struct stored_fact *stored, uint64_t wall_ns)
{
    struct segment *segment = board_own(board);
    struct segment_fact *fact = &segment->facts[slot];
    fact_publish(fact, stored);
    if (from == (enum fact_state)stored->state)
        return;
    ring_append(segment, slot, from, stored, wall_ns);
    atomic_store_explicit(&fact->rung_state, stored->state, memory_order_relaxed);
    board_ring_bells(board);
}

/* ---- slots ---- */

static void slot_free(struct board *board, uint32_t slot)
{
    board->own_facts[slot].is_used = false;
    board->free_slots[board->n_free_slots++] = slot;
}

/* A slot for a new fact of this name, or NULL where the segment is full. */
static struct own_fact *slot_take(struct board *board, const char *name)
{
    struct segment *segment = board_own(board);
    uint32_t slot;
    if (board->n_free_slots > 0) {
        slot = board->free_slots[--board->n_free_slots];
    } else {
        slot = atomic_load_explicit(&segment->n_facts, memory_order_relaxed);
        if (slot == BOARD_FACTS_MAX)
            return NULL;
        atomic_store_explicit(&segment->n_facts, slot + 1, memory_order_release);
    }
    struct own_fact *own = &board->own_facts[slot];
    uint32_t incarnation = own->now.incarnation + 1;
    own->now = (struct stored_fact){.incarnation = incarnation};
    own->is_used = true;
    slice_copy(slice_from(name), own->now.name, sizeof(own->now.name));
    atomic_store_explicit(&segment->facts[slot].name_hash,
                          board_name_hash(slice_from(own->now.name)), memory_order_relaxed);
    map_put(&board->index, slice_from(own->now.name), own);
    return own;
}

static uint32_t slot_of(const struct board *board, const struct own_fact *own)
{
    return (uint32_t)(own - board->own_facts);
}

/* Of two states of one fact. Values are compared as bytes: NaN is what it was. */
static bool fact_says_the_same(const struct stored_fact *a, const struct stored_fact *b)
{
    uint64_t value_a, value_b;
    memcpy(&value_a, &a->value, sizeof(value_a));
    memcpy(&value_b, &b->value, sizeof(value_b));
    return a->state == b->state && value_a == value_b && strcmp(a->reason, b->reason) == 0;
}

int board_state(struct board *board, const char *name, enum fact_state state, double value,
                const char *reason, uint64_t wall_ns)
{
    assert(state > FACT_NONE && state < FACT_N_STATES);
    struct own_fact *own = map_get(&board->index, slice_from(name));
    /* A name that does not fit is refused: cut, it could be that of another fact. */
    if (!own && strlen(name) < FACT_NAME_MAX)
        own = slot_take(board, name);
    if (!own) {
        atomic_fetch_add(&board_own(board)->n_refused, 1);
        return -1;
    }
    struct stored_fact next = own->now;
    enum fact_state from = (enum fact_state)own->now.state;
    next.state = (uint32_t)state;
    next.value = value;
    if (from != state)
        next.since_ns = wall_ns;
    memset(next.reason, 0, sizeof(next.reason));
    slice_copy(slice_from(reason), next.reason, sizeof(next.reason));
    if (fact_says_the_same(&next, &own->now))
        return 0;
    own->now = next;
    fact_change(board, slot_of(board, own), from, &next, wall_ns);
    return 0;
}

void board_tell(struct board *board, const char *name, uint64_t wall_ns)
{
    const struct own_fact *own = map_get(&board->index, slice_from(name));
    if (!own)
        return;
    ring_append(board_own(board), slot_of(board, own), (enum fact_state)own->now.state, &own->now,
                wall_ns);
    board_ring_bells(board);
}

int board_restore(struct board *board, const struct fact *fact)
{
    assert(fact->state > FACT_NONE && fact->state < FACT_N_STATES);
    if (map_get(&board->index, slice_from(fact->name)))
        return 1;
    struct own_fact *own = slot_take(board, fact->name);
    if (!own) {
        atomic_fetch_add(&board_own(board)->n_refused, 1);
        return -1;
    }
    own->now.state = (uint32_t)fact->state;
    own->now.since_ns = fact->since_ns;
    own->now.value = fact->value;
    slice_copy(slice_from(fact->reason), own->now.reason, sizeof(own->now.reason));
    fact_change(board, slot_of(board, own), FACT_NONE, &own->now, fact->since_ns);
    return 0;
}

static void own_remove(struct board *board, struct own_fact *own, uint64_t wall_ns)
{
    enum fact_state from = (enum fact_state)own->now.state;
    map_remove(&board->index, slice_from(own->now.name));
    own->now.state = FACT_NONE;
    own->now.since_ns = wall_ns;
    fact_change(board, slot_of(board, own), from, &own->now, wall_ns);
    slot_free(board, slot_of(board, own));
}

void board_remove(struct board *board, const char *name, uint64_t wall_ns)
{
    struct own_fact *own = map_get(&board->index, slice_from(name));
    if (own)
        own_remove(board, own, wall_ns);
}

void board_sweep(struct board *board, const char *prefix, bool (*keep)(void *ctx, const char *name),
                 void *ctx, uint64_t wall_ns)
{
    uint32_t n = atomic_load_explicit(&board_own(board)->n_facts, memory_order_relaxed);
    for (uint32_t slot = 0; slot < n; slot++) {
        struct own_fact *own = &board->own_facts[slot];
        if (!own->is_used || !slice_starts(slice_from(own->now.name), slice_from(prefix)))
            continue;
        if (!keep || !keep(ctx, own->now.name))
            own_remove(board, own, wall_ns);
    }
}

/* ---- adoption ---- */

/* Does the newest entry of the ring tell of this state of the slot? */
static bool ring_tells(const struct segment *segment, uint32_t slot, const struct stored_fact *fact)
{
    uint64_t head = atomic_load(&segment->ring_head);
    if (head == 0)
        return false;
    struct stored_change change;
    words_load(segment->ring[(head - 1) & (BOARD_RING - 1)].words, &change, sizeof(change));
    return change.slot == slot && change.incarnation == fact->incarnation &&
           change.to == fact->state;
}

static void adopt_fact(struct board *board, uint32_t slot)
{
    struct segment *segment = board_own(board);
    struct segment_fact *fact = &segment->facts[slot];
    struct own_fact *own = &board->own_facts[slot];
    if (!segment_read_fact(segment, slot, &own->now)) {
        slot_free(board, slot); /* taken, and never published */
        return;
    }
    uint32_t rung = atomic_load(&fact->rung_state);
    if (rung != own->now.state) {
        if (!ring_tells(segment, slot, &own->now))
            ring_append(segment, slot, rung < FACT_N_STATES ? (enum fact_state)rung : FACT_UNKNOWN,
                        &own->now, own->now.since_ns);
        atomic_store(&fact->rung_state, own->now.state);
    }
    if (own->now.state == FACT_NONE) {
        slot_free(board, slot);
        return;
    }
    own->is_used = true;
    atomic_store(&fact->name_hash, board_name_hash(slice_from(own->now.name)));
    map_put(&board->index, slice_from(own->now.name), own);
}

static void adopt_slabs(struct board *board)
{
    const struct segment *segment = board_own(board);
    uint32_t n = atomic_load(&segment->n_slabs);
    for (uint32_t i = 0; i < n; i++) {
        const struct segment_slab *slab = &segment->slabs[i];
        uint64_t end = atomic_load(&slab->offset) +
                       (uint64_t)atomic_load(&slab->row_bytes) * atomic_load(&slab->n_loops);
        board->slab_end = end > board->slab_end ? end : board->slab_end;
    }
}

/* The newest is kept first: readers go on measuring the silence from there, while the watchdog sees
 * a process whose loops have not begun. */
static void forget_heartbeats(struct segment *segment)
{
    uint64_t last_ns = atomic_load(&segment->heard_before_ns);
    for (uint32_t i = 0; i < BOARD_LOOPS_MAX; i++) {
        uint64_t at_ns = atomic_load(&segment->heartbeats[i].at_ns);
        last_ns = at_ns > last_ns ? at_ns : last_ns;
    }
    atomic_store(&segment->heard_before_ns, last_ns);
    for (uint32_t i = 0; i < BOARD_LOOPS_MAX; i++)
        atomic_store(&segment->heartbeats[i].at_ns, 0);
}

void board_adopt(struct board *board)
{
    struct segment *segment = board_own(board);
    board->own_facts = MEM_NEW_ARRAY(struct own_fact, BOARD_FACTS_MAX);
    board->free_slots = MEM_NEW_ARRAY(uint32_t, BOARD_FACTS_MAX);
    uint32_t n = atomic_load(&segment->n_facts);
    for (uint32_t slot = 0; slot < n; slot++)
        adopt_fact(board, slot);
    adopt_slabs(board);
    forget_heartbeats(segment);
    atomic_fetch_add(&segment->n_starts, 1);
    board_ring_bells(board); /* of what was appended now, or by a life that died before it rang */
}
