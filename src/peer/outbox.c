/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a round of beats tells.
 */

#include "peer/outbox.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

enum { NS_PER_S = 1000000000 };

/* ---- which facts there are ---- */

enum outbox_want outbox_wants(const char *name)
{
    struct slice slice = slice_from(name);
    if (slice_starts(slice, SLICE("vip:")))
        return OUTBOX_NOW;
    if (slice_starts(slice, SLICE("listen:")) || slice_starts(slice, SLICE("pool:")) ||
        slice_starts(slice, SLICE("drain:node/")))
        return OUTBOX_LATER;
    return OUTBOX_NO;
}

void outbox_init(struct outbox *outbox, uint64_t seed)
{
    memset(outbox, 0, sizeof(*outbox));
    map_init(&outbox->index, seed, false);
}

static void list_clear(struct outbox_list *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        mem_free(list->items[i]);
    *list = (struct outbox_list){.n_items = 0};
}

void outbox_clear(struct outbox *outbox)
{
    for (size_t i = 0; i < outbox->first.n_items; i++)
        map_remove(&outbox->index, slice_from(outbox->first.items[i]->name));
    for (size_t i = 0; i < outbox->others.n_items; i++)
        map_remove(&outbox->index, slice_from(outbox->others.items[i]->name));
    list_clear(&outbox->first);
    list_clear(&outbox->others);
}

void outbox_deinit(struct outbox *outbox)
{
    outbox_clear(outbox);
    map_deinit(&outbox->index);
}

size_t outbox_n_facts(const struct outbox *outbox)
{
    return outbox->first.n_items + outbox->others.n_items;
}

static struct outbox_list *list_of(struct outbox *outbox, const char *name)
{
    return outbox_wants(name) == OUTBOX_NOW ? &outbox->first : &outbox->others;
}

void outbox_note(struct outbox *outbox, const char *name, struct fact_ref ref)
{
    struct outbox_item *item = map_get(&outbox->index, slice_from(name));
    assert(outbox_wants(name) != OUTBOX_NO);
    if (!item) {
        if (outbox_n_facts(outbox) == OUTBOX_FACTS_MAX) {
            outbox->n_refused++;
            return;
        }
        struct outbox_list *list = list_of(outbox, name);
        item = MEM_NEW(struct outbox_item);
        slice_copy(slice_from(name), item->name, sizeof(item->name));
        list->items[list->n_items++] = item;
        map_put(&outbox->index, slice_from(item->name), item);
    }
    item->ref = ref;
    item->urgency = OUTBOX_URGENT_ROUNDS;
}

/* The last takes its place: whoever is skipped by that is told in the next turn. */
static void remove_at(struct outbox *outbox, struct outbox_list *list, size_t place)
{
    struct outbox_item *item = list->items[place];
    map_remove(&outbox->index, slice_from(item->name));
    mem_free(item);
    list->items[place] = list->items[--list->n_items];
    if (list->cursor >= list->n_items)
        list->cursor = 0;
}

void outbox_forget(struct outbox *outbox, const char *name)
{
    struct outbox_list *list = list_of(outbox, name);
    for (size_t i = 0; i < list->n_items; i++) {
        if (strcmp(list->items[i]->name, name) != 0)
            continue;
        remove_at(outbox, list, i);
        return;
    }
}

/* ---- a round ---- */

size_t outbox_room(struct slice sender)
{
    return BEAT_BYTES_MAX - BEAT_MAC_BYTES - BEAT_HEAD_BYTES - 1 - sender.len;
}

/* A round in the making. */
struct making {
    struct outbox *outbox;
    struct outbox_round *round;
    size_t room;
    uint64_t wall_ns;
    outbox_read_fn *read;
    void *ctx;
};

enum told { TOLD, TOLD_ALREADY, TOLD_GONE, TOLD_NO_ROOM };

static uint32_t age_s(uint64_t since_ns, uint64_t wall_ns)
{
    uint64_t age = wall_ns > since_ns ? (wall_ns - since_ns) / NS_PER_S : 0;
    return age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
}

/* Tells one fact, unless this round has done so; `spare` bytes of the room stay free. */
static enum told tell(struct making *making, struct outbox_item *item, size_t spare)
{
    struct outbox_round *round = making->round;
    if (item->round == making->outbox->round)
        return TOLD_ALREADY;
    if (round->n_facts == OUTBOX_ROUND_MAX)
        return TOLD_NO_ROOM;
    struct fact *fact = &round->storage[round->n_facts];
    if (!making->read(making->ctx, item->name, item->ref, fact))
        return TOLD_GONE;
    size_t need = BEAT_FACT_BYTES + strlen(item->name) + strlen(fact->reason);
    if (need + spare > making->room)
        return TOLD_NO_ROOM;
    making->room -= need;
    round->facts[round->n_facts++] = (struct beat_fact){
        .state = (uint8_t)fact->state,
        .age_s = age_s(fact->since_ns, making->wall_ns),
        .value = fact->value,
        .name = slice_from(item->name),
        .reason = slice_from(fact->reason),
    };
    item->round = making->outbox->round;
    if (item->urgency > 0)
        item->urgency--;
    return TOLD;
}

/* On from the cursor, each at most once. Items live as long as their names are in use: those that
 * are told point to the item's. */
static void tell_in_turn(struct making *making, struct outbox_list *list, size_t spare)
{
    for (size_t n = list->n_items; n > 0; n--) {
        enum told told = tell(making, list->items[list->cursor], spare);
        if (told == TOLD_NO_ROOM)
            return;
        if (told == TOLD_GONE)
            remove_at(making->outbox, list, list->cursor);
        else
            list->cursor++;
        if (list->cursor >= list->n_items) {
            list->cursor = 0;
            list->is_through = true;
        }
    }
    list->is_through = true;
}

static void tell_urgent(struct making *making, struct outbox_list *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (list->items[i]->urgency > 0 && tell(making, list->items[i], 0) == TOLD_NO_ROOM)
            return;
}

void outbox_next(struct outbox *outbox, size_t room, uint64_t wall_ns, outbox_read_fn *read,
                 void *ctx, struct outbox_round *round)
{
    struct making making = {.outbox = outbox,
                            .round = round,
                            .room = room,
                            .wall_ns = wall_ns,
                            .read = read,
                            .ctx = ctx};
    outbox->round++;
    round->n_facts = 0;
    round->turn = outbox->turn;
    tell_in_turn(&making, &outbox->first, room / 4);
    tell_urgent(&making, &outbox->others);
    tell_in_turn(&making, &outbox->others, 0);
    if (!outbox->first.is_through || !outbox->others.is_through)
        return;
    outbox->turn++;
    outbox->first.is_through = outbox->others.is_through = false;
}
