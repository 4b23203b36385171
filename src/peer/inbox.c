/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What another node has told of itself.
 */

#include "peer/inbox.h"

#include "base/mem.h"
#include "peer/outbox.h"
#include <string.h>

/* "at:", the longest name of a node, and "/" go before it on the board. */
enum { NAME_MAX_BYTES = FACT_NAME_MAX - 1 - (3 + BEAT_NAME_MAX + 1) };

void inbox_init(struct inbox *inbox, uint64_t seed)
{
    memset(inbox, 0, sizeof(*inbox));
    map_init(&inbox->index, seed, false);
}

void inbox_deinit(struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->n_items; i++)
        mem_free(inbox->items[i]);
    map_deinit(&inbox->index);
}

/* ---- names ---- */

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

static bool is_name(struct slice text)
{
    char name[FACT_NAME_MAX];
    if (text.len > NAME_MAX_BYTES || !is_plain(text))
        return false;
    slice_copy(text, name, sizeof(name));
    return outbox_wants(name) != OUTBOX_NO;
}

static struct inbox_item *add(struct inbox *inbox, struct slice name)
{
    if (inbox->n_items == INBOX_FACTS_MAX)
        return NULL;
    struct inbox_item *item = MEM_NEW(struct inbox_item);
    slice_copy(name, item->name, sizeof(item->name));
    inbox->items[inbox->n_items++] = item;
    map_put(&inbox->index, slice_from(item->name), item);
    return item;
}

static void remove_at(struct inbox *inbox, size_t place)
{
    struct inbox_item *item = inbox->items[place];
    map_remove(&inbox->index, slice_from(item->name));
    mem_free(item);
    inbox->items[place] = inbox->items[--inbox->n_items];
}

/* ---- lives ---- */

void inbox_adopt(struct inbox *inbox, const char *name)
{
    if (!map_get(&inbox->index, slice_from(name)))
        add(inbox, slice_from(name));
}

void inbox_begin_life(struct inbox *inbox, uint8_t turn)
{
    inbox->turn = turn;
    for (size_t i = 0; i < inbox->n_items; i++)
        inbox->items[i]->turn = turn;
}

void inbox_clear(struct inbox *inbox, const struct inbox_calls *calls)
{
    while (inbox->n_items > 0) {
        calls->remove(calls->ctx, inbox->items[inbox->n_items - 1]->name);
        remove_at(inbox, inbox->n_items - 1);
    }
}

/* ---- a beat ---- */

static bool is_same_value(double a, double b)
{
    uint64_t bits_a, bits_b; /* NaN is what it was */
    memcpy(&bits_a, &a, sizeof(bits_a));
    memcpy(&bits_b, &b, sizeof(bits_b));
    return bits_a == bits_b;
}

static void take_fact(struct inbox *inbox, const struct beat *beat, struct beat_fact fact,
                      const struct inbox_calls *calls)
{
    struct inbox_item *item = map_get(&inbox->index, fact.name);
    if (!item && is_name(fact.name))
        item = add(inbox, fact.name);
    if (!item) {
        inbox->n_refused++;
        return;
    }
    if (fact.state == FACT_NONE || fact.state >= FACT_N_STATES)
        fact.state = FACT_UNKNOWN;
    bool is_vip = outbox_wants(item->name) == OUTBOX_NOW;
    bool is_news = item->state != fact.state || (is_vip && !is_same_value(item->value, fact.value));
    item->turn = beat->turn;
    item->state = fact.state;
    item->value = fact.value;
    calls->state(calls->ctx, &fact, is_news);
}

static void drop_untold(struct inbox *inbox, const struct inbox_calls *calls)
{
    for (size_t i = 0; i < inbox->n_items;) {
        struct inbox_item *item = inbox->items[i];
        if ((uint8_t)(inbox->turn - item->turn) < BEAT_TURNS_KEPT) {
            i++;
            continue;
        }
        calls->remove(calls->ctx, item->name);
        remove_at(inbox, i);
    }
}

void inbox_take(struct inbox *inbox, const struct beat *beat, const struct inbox_calls *calls)
{
    struct slice rest = beat->facts;
    struct beat_fact fact;
    while (beat_next_fact(&rest, &fact))
        take_fact(inbox, beat, fact, calls);
    if (beat->turn == inbox->turn)
        return;
    inbox->turn = beat->turn;
    drop_untold(inbox, calls);
}
