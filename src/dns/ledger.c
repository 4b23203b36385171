/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The ledger of addresses that were told.
 */

#include "dns/ledger.h"

#include "base/map.h"
#include "base/mem.h"
#include "dns/record_set.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    NS_PER_S = 1000000000,
    /* A loop answers by its former view until its turn ends; a clock of seconds rounds down. */
    SLACK_S = 1,
};

struct entry {
    char *label; /* "web/app1" */
    uint32_t n_in;
    uint32_t ttl_s;   /* the largest that was served since it came in */
    uint64_t until_s; /* wall clock: remembered so long of earlier times; 0: not */
    bool is_stated_in;
    uint32_t stated_ttl_s;
};

struct record_ledger {
    struct board *board;
    struct map entries; /* by label */
};

#define KIND "answer:"

static struct entry *entry_of(struct record_ledger *ledger, const char *label)
{
    struct entry *entry = map_get(&ledger->entries, slice_from(label));
    if (entry)
        return entry;
    entry = MEM_NEW(struct entry);
    entry->label = mem_strdup(label);
    map_put(&ledger->entries, slice_from(entry->label), entry);
    return entry;
}

static void entry_destroy(struct entry *entry)
{
    mem_free(entry->label);
    mem_free(entry);
}

/* ---- answers come and go ---- */

void ledger_clear(struct record_ledger *ledger)
{
    uint32_t cursor = 0;
    struct slice label;
    for (struct entry *entry; (entry = map_next(&ledger->entries, &cursor, &label)) != NULL;)
        entry->n_in = 0;
}

void ledger_add(struct record_ledger *ledger, const struct record_answer *answer)
{
    for (uint32_t i = 0; i < answer->n_served; i++) {
        struct entry *entry = entry_of(ledger, answer->served[i].member->label);
        entry->n_in++;
        if (answer->served[i].ttl_s > entry->ttl_s)
            entry->ttl_s = answer->served[i].ttl_s;
    }
}

void ledger_remove(struct record_ledger *ledger, const struct record_answer *answer)
{
    for (uint32_t i = 0; i < answer->n_served; i++) {
        struct entry *entry = entry_of(ledger, answer->served[i].member->label);
        assert(entry->n_in > 0);
        entry->n_in--;
    }
}

/* ---- what is stated ---- */

static void state(const struct record_ledger *ledger, const struct entry *entry, uint64_t wall_ns)
{
    char name[FACT_NAME_MAX], reason[FACT_REASON_MAX];
    snprintf(name, sizeof(name), KIND "%s", entry->label);
    if (entry->is_stated_in)
        snprintf(reason, sizeof(reason), "its address is answered, for %" PRIu32 " s",
                 entry->ttl_s);
    else
        snprintf(reason, sizeof(reason), "out of all answers; the last were good for %" PRIu32 " s",
                 entry->ttl_s);
    (void)board_state(ledger->board, name, entry->is_stated_in ? FACT_SERVING : FACT_DRAINING,
                      entry->is_stated_in ? (double)entry->ttl_s : (double)entry->until_s, reason,
                      wall_ns);
}

static void come_in(const struct record_ledger *ledger, struct entry *entry, uint64_t wall_ns)
{
    if (entry->is_stated_in && entry->stated_ttl_s == entry->ttl_s)
        return;
    entry->is_stated_in = true;
    entry->stated_ttl_s = entry->ttl_s;
    state(ledger, entry, wall_ns);
}

static void go_out(const struct record_ledger *ledger, struct entry *entry, uint64_t wall_ns)
{
    if (!entry->is_stated_in)
        return;
    uint64_t until_s = wall_ns / NS_PER_S + SLACK_S + entry->ttl_s;
    if (until_s > entry->until_s)
        entry->until_s = until_s;
    entry->is_stated_in = false;
    state(ledger, entry, wall_ns);
    entry->ttl_s = 0;
}

void ledger_settle(struct record_ledger *ledger, uint64_t wall_ns)
{
    uint32_t cursor = 0;
    struct slice label;
    for (struct entry *entry; (entry = map_next(&ledger->entries, &cursor, &label)) != NULL;) {
        if (entry->n_in)
            come_in(ledger, entry, wall_ns);
        else
            go_out(ledger, entry, wall_ns);
    }
}

/* ---- what nobody remembers ---- */

static struct entry *find_forgotten(const struct record_ledger *ledger, uint64_t now_s)
{
    uint32_t cursor = 0;
    struct slice label;
    struct entry *entry;
    while ((entry = map_next(&ledger->entries, &cursor, &label)) != NULL) {
        if (entry->n_in == 0 && !entry->is_stated_in && entry->until_s < now_s)
            break;
    }
    return entry;
}

void ledger_forget(struct record_ledger *ledger, uint64_t wall_ns)
{
    for (struct entry *entry; (entry = find_forgotten(ledger, wall_ns / NS_PER_S)) != NULL;) {
        char name[FACT_NAME_MAX];
        snprintf(name, sizeof(name), KIND "%s", entry->label);
        board_remove(ledger->board, name, wall_ns);
        map_remove(&ledger->entries, slice_from(entry->label));
        entry_destroy(entry);
    }
}

/* ---- life ---- */

/* Another life of this process told it. */
static void adopt(struct record_ledger *ledger, const struct fact *fact)
{
    struct entry *entry = entry_of(ledger, fact->name + strlen(KIND));
    entry->is_stated_in = fact->state == FACT_SERVING;
    if (entry->is_stated_in)
        entry->ttl_s = entry->stated_ttl_s = (uint32_t)fact->value;
    else
        entry->until_s = (uint64_t)fact->value;
}

struct record_ledger *record_ledger_create(struct board *board, uint64_t seed)
{
    struct record_ledger *ledger = MEM_NEW(struct record_ledger);
    int segment = board_segment(board, "dns");
    uint32_t cursor = 0;
    struct fact fact;
    ledger->board = board;
    map_init(&ledger->entries, seed, false);
    while (segment >= 0 && board_next(board, (size_t)segment, &cursor, &fact)) {
        if (slice_starts(slice_from(fact.name), SLICE(KIND)) && fact.value >= 0)
            adopt(ledger, &fact);
    }
    return ledger;
}
