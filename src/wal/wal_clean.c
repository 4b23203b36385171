/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cleaner: one segment at a time, from its footer.
 *
 *     IDLE -- least that lives, and enough is dead --> VERIFY   every living record is read once
 *     VERIFY -- all are whole: "clean N" is appended -> MOVE    the living are appended again
 *     MOVE -- the last is appended -----------------> GATE      until all of that is synced
 *     GATE -- the segment becomes a spare, or is removed -----> IDLE
 *
 * Never two at once, and the one that a crash interrupted comes first after the restart (the
 * record "clean N" says so): so a copy that is not the newest is only ever in the segment that is
 * being cleaned, and a note has to outlive the segment of the newest copy alone. A damaged record
 * that lives stops the cleaning of its segment before anything of it was moved.
 */
#include "wal/internal.h"

#include <assert.h>

enum {
    SKIP_COST = 64, /* bytes of budget that a record costs which is only looked at */
    USED_UP = 3,    /* the budget is; beside WAL_BUSY and WAL_FULL */
};

/* ---- which ----------------------------------------------------------------------------------- */

static struct wal_segment *least_living(const struct wal *wal)
{
    struct wal_segment *least = NULL;
    for (uint32_t i = 0; i + 1 < wal->n_segments; i++) {
        struct wal_segment *segment = wal->segments[i];
        if (segment->is_sealed && !segment->is_damaged && (!least || segment->live < least->live))
            least = segment;
    }
    return least;
}

static uint64_t used_bytes(const struct wal_segment *segment)
{
    return segment->end - WAL_RECORDS_BEGIN + segment->footer_bytes;
}

/* More than half of what the sealed segments hold is dead. */
static bool is_half_dead(const struct wal *wal)
{
    uint64_t used = 0, live = 0;
    for (uint32_t i = 0; i + 1 < wal->n_segments; i++) {
        used += used_bytes(wal->segments[i]);
        live += wal->segments[i]->live;
    }
    return live * 2 < used;
}

/* Where room is short a gain of an eighth is enough. */
static bool is_worth_it(const struct wal *wal, const struct wal_segment *least)
{
    bool is_gain = least->live <= used_bytes(least) / 8 * 7;
    return least->live == 0 || (is_gain && (wal->is_full || is_half_dead(wal)));
}

/* The segment of whose records most are dead, or NULL: all of them live. */
static struct wal_segment *most_dead(const struct wal *wal)
{
    struct wal_segment *most = NULL;
    uint64_t most_bytes = 0;
    for (uint32_t i = 0; i + 1 < wal->n_segments; i++) {
        struct wal_segment *segment = wal->segments[i];
        uint64_t n_bytes = used_bytes(segment) - segment->own - segment->live;
        if (segment->is_sealed && !segment->is_damaged && n_bytes > most_bytes) {
            most = segment;
            most_bytes = n_bytes;
        }
    }
    return most;
}

/*
 * The next segment to clean, or NULL. Deletions that are spread evenly over many segments may use
 * up what is kept for them before an eighth of any is dead. When one was refused, the least gain
 * will do, or there would never be room again. What the log itself writes is no gain: it does so
 * in each segment anew.
 */
static struct wal_segment *pick(const struct wal *wal)
{
    if (wal->cleaner.is_stuck || wal->n_segments < 2)
        return NULL;
    if (wal->cleaner.victim)
        return wal->cleaner.victim;
    struct wal_segment *least = least_living(wal);
    if (least && is_worth_it(wal, least))
        return least;
    return wal->is_pressed && wal_has_rule(wal, WAL_RULE_PRESS) ? most_dead(wal) : NULL;
}

bool wal_clean_has_work(const struct wal *wal)
{
    return wal->cleaner.phase != WAL_CLEAN_IDLE || pick(wal) != NULL;
}

/* ---- one record ------------------------------------------------------------------------------ */

/* A note is needed while the segment that it speaks of is there, and is not this one. */
static bool is_needed(struct wal *wal, const struct wal_found *found)
{
    if (found->type < WAL_TYPE_FIRST)
        return false;
    if (found->type < WAL_TYPE_NOTE)
        return wal->options.owner.is_live(wal->options.owner.ctx, found);
    return wal_has_rule(wal, WAL_RULE_NOTES) && found->kills.segment != found->place.segment &&
           wal_find(wal, found->kills.segment);
}

static int move_note(struct wal *wal, const struct wal_found *found, struct slice body)
{
    uint32_t cost = wal_record_cost(found->place.length, found->place.n_head);
    int result = wal_room(wal, WAL_MOVE, cost);
    if (result != 0)
        return result;
    struct wal_record note = {.type = found->type,
                              .key = found->key,
                              .head = found->head,
                              .body = body,
                              .kills = found->kills};
    (void)wal_put(wal, &note);
    return 0;
}

/* One that is needed: read, and in the phase of moving appended again. */
static int handle(struct wal *wal, const struct wal_found *found, struct err *err)
{
    struct wal_cleaner *cleaner = &wal->cleaner;
    uint32_t length = found->place.length;
    char *payload = mem_alloc(length + (length == 0));
    struct slice body = {payload + found->place.n_head, length - found->place.n_head};
    int result = wal_read(wal, found->place, payload, err);
    if (result < 0 && cleaner->phase == WAL_CLEAN_VERIFY)
        cleaner->victim->is_damaged = true;
    else if (result < 0)
        cleaner->is_stuck = true;
    else if (cleaner->phase == WAL_CLEAN_MOVE && found->type >= WAL_TYPE_NOTE)
        result = move_note(wal, found, body);
    else if (cleaner->phase == WAL_CLEAN_MOVE)
        result = wal->options.owner.move(wal->options.owner.ctx, wal, found, body, err);
    mem_free(payload);
    if (result == 0 && cleaner->phase == WAL_CLEAN_MOVE) {
        wal->counts.n_moved++;
        wal->counts.moved_bytes += wal_record_cost(length, found->place.n_head);
    }
    return result;
}

/* The present entry; *cost is what it took of the budget. */
static int visit(struct wal *wal, size_t *cost, struct err *err)
{
    struct wal_found found;
    wal_found_make(&wal->cleaner.victim->form, &wal->cleaner.entry, &found);
    *cost = SKIP_COST;
    if (!is_needed(wal, &found))
        return 0;
    *cost += wal_record_bytes(found.place.length);
    return handle(wal, &found, err);
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void end_cleaning(struct wal *wal)
{
    wal->cleaner.phase = WAL_CLEAN_IDLE;
    wal->cleaner.victim = NULL;
    text_deinit(&wal->cleaner.footer);
}

static void begin_gate(struct wal *wal)
{
    wal->cleaner.phase = WAL_CLEAN_GATE;
    wal->cleaner.gate_lsn = wal->appended_lsn;
    text_deinit(&wal->cleaner.footer);
    if (wal_has_rule(wal, WAL_RULE_GATE))
        wal_want_sync(wal);
    wal_clean_advance(wal);
}

void wal_clean_advance(struct wal *wal)
{
    struct wal_cleaner *cleaner = &wal->cleaner;
    if (cleaner->phase != WAL_CLEAN_GATE || cleaner->is_leaving || wal->has_failed)
        return;
    if (wal->synced_lsn < cleaner->gate_lsn && wal_has_rule(wal, WAL_RULE_GATE))
        return;
    cleaner->is_leaving = true;
    wal_want_gone(wal, cleaner->victim);
}

static int read_footer(struct wal *wal, enum wal_clean_phase phase, struct err *err)
{
    struct wal_cleaner *cleaner = &wal->cleaner;
    cleaner->has_entry = false;
    if (wal_footer_read(wal, cleaner->victim, &cleaner->footer, &cleaner->entries, err) < 0) {
        cleaner->victim->is_damaged = true;
        cleaner->is_stuck = phase == WAL_CLEAN_MOVE;
        wal->counts.n_damaged++;
        end_cleaning(wal);
        return -1;
    }
    cleaner->phase = phase;
    return 0;
}

/* A segment of which nothing lives has nothing to verify or move. */
static int begin(struct wal *wal, struct wal_segment *victim, struct err *err)
{
    bool is_resumed = wal->cleaner.victim == victim;
    wal->cleaner.victim = victim;
    if (victim->live == 0 && !is_resumed) {
        begin_gate(wal);
        return 0;
    }
    return read_footer(wal, is_resumed ? WAL_CLEAN_MOVE : WAL_CLEAN_VERIFY, err);
}

/* All entries were seen. */
static int end_phase(struct wal *wal, struct err *err)
{
    if (wal->cleaner.phase == WAL_CLEAN_MOVE) {
        begin_gate(wal);
        return 0;
    }
    int result = wal_room(wal, WAL_MOVE, wal_record_cost(0, 0));
    if (result != 0)
        return result;
    wal_put_own(wal, WAL_TYPE_CLEAN, wal->cleaner.victim->form.number);
    return read_footer(wal, WAL_CLEAN_MOVE, err);
}

/* Some records of the phase: 0 at its end, otherwise USED_UP or what stopped it. */
static int work(struct wal *wal, size_t *budget, struct err *err)
{
    struct wal_cleaner *cleaner = &wal->cleaner;
    while (*budget > 0) {
        int result = cleaner->has_entry ? 1 : wal_entries_next(&cleaner->entries, &cleaner->entry);
        if (result < 0)
            return err_set(err, "%08x.wal: its footer makes no sense",
                           cleaner->victim->form.number);
        if (result == 0)
            return end_phase(wal, err);
        cleaner->has_entry = true;
        size_t cost = 0;
        result = visit(wal, &cost, err);
        if (result != 0)
            return result;
        cleaner->has_entry = false;
        *budget = *budget > cost ? *budget - cost : 0;
    }
    return USED_UP;
}

int wal_clean(struct wal *wal, size_t budget_bytes, struct err *err)
{
    struct wal_cleaner *cleaner = &wal->cleaner;
    while (!wal->has_failed && cleaner->phase != WAL_CLEAN_GATE) {
        struct wal_segment *victim = cleaner->phase == WAL_CLEAN_IDLE ? pick(wal) : NULL;
        int result = 0;
        if (victim)
            result = begin(wal, victim, err);
        else if (cleaner->phase == WAL_CLEAN_IDLE)
            return 0;
        else
            result = work(wal, &budget_bytes, err);
        if (result < 0 && cleaner->phase == WAL_CLEAN_VERIFY)
            end_cleaning(wal);
        if (result != 0)
            return result == USED_UP ? 0 : result;
    }
    return wal->has_failed ? -1 : 0;
}
