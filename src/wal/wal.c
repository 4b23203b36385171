/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner's side of the log: appending, handing over, collecting, and what time brings.
 */
#include "wal/internal.h"

#include <assert.h>

const char *wal_sync_name(enum wal_sync sync)
{
    static const char *const names[WAL_SYNCS] = {"group", "always", "interval", "off"};
    return names[sync];
}

struct wal_options wal_options_default(void)
{
    return (struct wal_options){.sync = WAL_SYNC_GROUP,
                                .segment_bytes = WAL_SEGMENT_DEFAULT,
                                .open_max = 256,
                                .pending_max_bytes = 32 << 20,
                                .interval_ns = 1000000000,
                                .lazy_ns = 100000000,
                                .idle_ns = 1000000000,
                                .clean_bytes_per_s = 64 << 20,
                                .ids_ahead = WAL_IDS_AHEAD};
}

/* ---- room ------------------------------------------------------------------------------------ */

static bool fits(const struct wal *wal, uint32_t cost)
{
    const struct wal_segment *active = wal_active(wal);
    uint64_t used = (uint64_t)active->end + active->footer_bytes + cost + WAL_TRAILER_BYTES;
    return used <= active->form.size;
}

/*
 * Bytes that a class leaves alone: what two spares have, or one and a half, or one. A new log has
 * no spares yet, and shares out its first segment in their stead.
 */
static uint64_t kept(const struct wal *wal, enum wal_class wanted)
{
    enum wal_class class = wanted;
    if (wanted == WAL_MORE && !wal_has_rule(wal, WAL_RULE_ENTER))
        class = WAL_NEW;
    else if (wanted == WAL_MORE && !wal_has_rule(wal, WAL_RULE_LEAVE))
        class = WAL_CHANGE;
    static const uint32_t halves[] = {
        [WAL_NEW] = 2 * WAL_KEPT, [WAL_MORE] = 3, [WAL_CHANGE] = 2, [WAL_MOVE] = 0};
    uint64_t bytes = (uint64_t)halves[class] * wal_usable(&wal_active(wal)->form) / 2;
    return wal->is_young ? bytes / 4 : bytes;
}

/* Is there so much beside what the class leaves alone? */
static bool has_room(const struct wal *wal, enum wal_class class, uint32_t cost)
{
    const struct wal_segment *active = wal_active(wal);
    uint64_t room = 0;
    for (uint32_t i = 0; i < wal->n_spares; i++)
        room += wal_usable(&wal->spares[i]->form);
    if (fits(wal, cost))
        room += active->form.size - WAL_TRAILER_BYTES - active->end - active->footer_bytes;
    return room >= kept(wal, class) + cost;
}

/* As things stand, whatever is under way. */
static int look(const struct wal *wal, enum wal_class class, uint32_t cost)
{
    if (wal->pending_bytes > wal->options.pending_max_bytes)
        return WAL_BUSY;
    if (has_room(wal, class, cost))
        return 0;
    return wal->is_full ? WAL_FULL : WAL_BUSY;
}

int wal_room(struct wal *wal, enum wal_class class, uint32_t cost)
{
    bool is_behind = wal->pending_bytes > wal->options.pending_max_bytes;
    if (!is_behind && !has_room(wal, class, cost))
        wal_want_spares(wal);
    int result = look(wal, class, cost);
    wal->counts.n_busy += result == WAL_BUSY;
    wal->counts.n_full += result == WAL_FULL;
    wal->is_pressed |= result == WAL_FULL && class != WAL_NEW;
    return result;
}

/* ---- appending ------------------------------------------------------------------------------- */

/* As far as the active segment is synced, its offset; what earlier ones hold is synced anyway. */
static uint32_t synced_offset(const struct wal *wal)
{
    bool is_here = wal->synced_lsn >> 32 == wal_active(wal)->form.number;
    return is_here ? (uint32_t)wal->synced_lsn : 0;
}

/* A record into the active segment, in which it fits. */
static struct wal_place put(struct wal *wal, const struct wal_record *record, struct slice kills)
{
    struct wal_segment *active = wal_active(wal);
    size_t n_head = kills.len + record->head.len;
    struct wal_header header = {.synced = synced_offset(wal),
                                .length = (uint32_t)(n_head + record->body.len),
                                .type = record->type,
                                .n_head = (uint8_t)n_head,
                                .key = record->key};
    uint32_t n_bytes = wal_record_bytes(header.length), n_entry = wal_entry_bytes(header.n_head);
    struct wal_spot spot = wal_form_spot(&active->form, active->end);
    if (!wal->filling)
        wal->filling = wal_batch_take(wal);
    char *at = wal_batch_reserve(wal->filling, active, n_bytes);
    wal_record_write(&spot, &header, kills, record->head, record->body, at);
    wal_entry_write(&header, at + WAL_RECORD_HEADER, text_reserve(&wal->footer, n_entry));
    wal->footer.len += n_entry;
    struct wal_place place = {.segment = active->form.number,
                              .offset = active->end,
                              .length = header.length & WAL_PAYLOAD_MAX,
                              .n_head = header.n_head};
    active->end += n_bytes;
    active->footer_bytes += n_entry;
    active->n_records++;
    wal->appended_lsn = wal_lsn(active->form.number, active->end);
    wal->pending_bytes += n_bytes;
    wal->filling->lsn = wal->appended_lsn;
    wal->filling->n_records++;
    if (!record->is_lazy)
        wal->filling->is_urgent = true;
    wal->is_marked = record->type == WAL_TYPE_MARK;
    wal->idle_since_ns = 0;
    return place;
}

void wal_switch(struct wal *wal)
{
    assert(wal->n_spares > 0);
    struct wal_segment *full = wal_active(wal), *next = wal->spares[0];
    if (!wal->filling)
        wal->filling = wal_batch_take(wal);
    wal_batch_seal(wal->filling, full, &wal->footer);
    wal->filling->is_urgent = true;
    wal->n_spares--;
    memmove(&wal->spares[0], &wal->spares[1], wal->n_spares * sizeof(struct wal_segment *));
    wal_table_add(wal, next);
    wal_put_own(wal, WAL_TYPE_IDS, wal->ids_end);
    wal_want_spares(wal);
}

struct wal_place wal_put(struct wal *wal, const struct wal_record *record)
{
    char kills[WAL_KILLS_BYTES];
    bool is_note = record->type >= WAL_TYPE_NOTE;
    size_t n_head = record->head.len + (is_note ? WAL_KILLS_BYTES : 0);
    uint32_t cost = wal_record_cost((uint32_t)(n_head + record->body.len), (uint32_t)n_head);
    if (!fits(wal, cost))
        wal_switch(wal);
    wal_put32(kills, record->kills.segment);
    wal_put32(kills + 4, record->kills.offset);
    struct wal_place place = put(wal, record, slice_make(kills, is_note ? WAL_KILLS_BYTES : 0));
    if (is_note)
        wal_tie(wal, wal_active(wal), record->kills.segment, cost);
    else if (record->type >= WAL_TYPE_FIRST)
        wal_live_add(wal, wal_active(wal), cost);
    else
        wal_active(wal)->own += cost;
    return place;
}

void wal_put_own(struct wal *wal, uint8_t type, uint64_t key)
{
    struct wal_record record = {.type = type, .is_lazy = true, .key = key};
    (void)wal_put(wal, &record);
}

int wal_append(struct wal *wal, const struct wal_record *record, struct wal_place *ret_place,
               uint64_t *ret_lsn, struct err *err)
{
    assert(record->type >= WAL_TYPE_FIRST && record->head.len <= WAL_HEAD_MAX && !wal->is_opening);
    size_t n_head = record->head.len + (record->type >= WAL_TYPE_NOTE ? WAL_KILLS_BYTES : 0);
    if (wal->has_failed)
        return err_set(err, "the log takes nothing any more: %s", wal->failure.text);
    uint64_t largest = wal_usable(&wal_active(wal)->form) - wal_record_cost(0, 0); /* IDS */
    if (record->body.len > WAL_PAYLOAD_MAX - n_head ||
        wal_record_cost((uint32_t)(n_head + record->body.len), (uint32_t)n_head) > largest)
        return err_set(err, "a record of %zu bytes is larger than the log's segments take",
                       n_head + record->body.len);
    uint32_t cost = wal_record_cost((uint32_t)(n_head + record->body.len), (uint32_t)n_head);
    int result = wal_room(wal, record->class, cost);
    if (result != 0)
        return result;
    *ret_place = wal_put(wal, record);
    *ret_lsn = wal->appended_lsn;
    wal->counts.n_appends++;
    wal->counts.append_bytes += cost;
    if (wal->options.sync == WAL_SYNC_ALWAYS)
        wal_flush(wal, false);
    return 0;
}

static uint32_t cost_of(size_t n_bytes)
{
    return n_bytes < UINT32_MAX ? (uint32_t)n_bytes : UINT32_MAX;
}

int wal_may_append(struct wal *wal, enum wal_class class, size_t n_bytes)
{
    return wal->has_failed ? -1 : wal_room(wal, class, cost_of(n_bytes));
}

int wal_would_append(const struct wal *wal, enum wal_class class, size_t n_bytes)
{
    return wal->has_failed ? -1 : look(wal, class, cost_of(n_bytes));
}

int wal_id(struct wal *wal, uint64_t *ret_id, struct err *err)
{
    if (wal->has_failed)
        return err_set(err, "the log takes nothing any more: %s", wal->failure.text);
    if (wal->next_id == wal->ids_end) {
        int result = wal_room(wal, WAL_NEW, wal_record_cost(0, 0));
        if (result != 0)
            return result;
        wal->ids_end += wal->options.ids_ahead;
        wal_put_own(wal, WAL_TYPE_IDS, wal->ids_end);
    }
    *ret_id = wal->next_id++;
    return 0;
}

uint64_t wal_ids_begin(const struct wal *wal)
{
    return wal->next_id;
}

/* ---- handing over and collecting ------------------------------------------------------------- */

void wal_flush(struct wal *wal, bool is_forced)
{
    struct wal_batch *batch = wal->filling;
    if (!batch || wal->has_failed || (!is_forced && !batch->is_urgent))
        return;
    wal->filling = NULL;
    wal->lazy_since_ns = 0;
    list_add_back(&wal->flight, &batch->flight);
    pthread_mutex_lock(&wal->shared.lock);
    list_add_back(&wal->shared.ready, &batch->queue);
    pthread_mutex_unlock(&wal->shared.lock);
    pthread_cond_signal(&wal->shared.work); /* behind the lock, or who wakes waits for it at once */
}

void wal_want_sync(struct wal *wal)
{
    wal_flush(wal, true);
    pthread_mutex_lock(&wal->shared.lock);
    wal->shared.is_sync_wanted = true;
    pthread_mutex_unlock(&wal->shared.lock);
    pthread_cond_signal(&wal->shared.work); /* behind the lock, or who wakes waits for it at once */
}

static void collect_batch(struct wal *wal, struct wal_batch *batch)
{
    for (uint32_t i = 0; i < batch->n_runs; i++) {
        struct wal_segment *segment = batch->runs[i].segment;
        wal->pending_bytes -= batch->runs[i].len;
        if (batch->runs[i].is_sealing) {
            segment->is_sealed = true;
            segment->used = ++wal->n_reads;
            wal->n_open++;
        }
    }
    wal_batch_give(wal, batch);
}

uint64_t wal_collect(struct wal *wal)
{
    struct list done, results;
    list_init(&done);
    list_init(&results);
    struct wal_shared *shared = &wal->shared;
    pthread_mutex_lock(&shared->lock);
    list_move_all(&done, &shared->done);
    list_move_all(&results, &shared->results);
    bool is_synced = wal_sync_is_durable(wal->options.sync);
    wal->synced_lsn = shared->synced_lsn;
    wal->durable_lsn = is_synced ? shared->synced_lsn : shared->written_lsn;
    if (shared->has_failed && !wal->has_failed) {
        wal->has_failed = true;
        wal->failure = shared->failure;
    }
    pthread_mutex_unlock(&shared->lock);
    LIST_EACH (node, &done) {
        collect_batch(wal, LIST_ENTRY(node, struct wal_batch, queue));
    }
    LIST_EACH (node, &results) {
        list_remove(node);
        wal_task_ended(wal, LIST_ENTRY(node, struct wal_task, queue));
    }
    wal_table_trim(wal, NULL);
    wal_clean_advance(wal);
    return wal->durable_lsn;
}

const struct err *wal_failure(const struct wal *wal)
{
    return wal->has_failed ? &wal->failure : NULL;
}

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* *since is when something was first seen (0: not yet): true when that is long enough ago. */
static bool is_due(uint64_t *since, uint64_t now_ns, uint64_t after_ns, uint64_t *next)
{
    if (*since == 0)
        *since = now_ns;
    if (now_ns >= *since + after_ns) {
        *since = 0;
        return true;
    }
    *next = least(*next, *since + after_ns);
    return false;
}

static void time_sync(struct wal *wal, uint64_t now_ns, uint64_t *next)
{
    if (wal->options.sync == WAL_SYNC_INTERVAL && wal->synced_lsn != wal->appended_lsn &&
        is_due(&wal->synced_at_ns, now_ns, wal->options.interval_ns, next))
        wal_want_sync(wal);
}

/* The end of a log that rests is marked as durable, so that damage to it is not taken for torn. */
static void time_mark(struct wal *wal, uint64_t now_ns, uint64_t *next)
{
    if (wal->is_marked || wal->synced_lsn != wal->appended_lsn ||
        !is_due(&wal->idle_since_ns, now_ns, wal->options.idle_ns, next))
        return;
    if (wal_room(wal, WAL_CHANGE, wal_record_cost(0, 0)) == 0) {
        wal_put_own(wal, WAL_TYPE_MARK, 0);
        wal_flush(wal, true);
    }
}

static void time_clean(struct wal *wal, uint64_t now_ns, uint64_t *next)
{
    enum { TICK_NS = 10000000, TICKS_MAX = 5 };
    struct wal_cleaner *cleaner = &wal->cleaner;
    if (!wal_clean_has_work(wal)) {
        cleaner->last_ns = 0;
        return;
    }
    if (cleaner->last_ns == 0)
        cleaner->last_ns = now_ns;
    uint64_t n_ticks = (now_ns - cleaner->last_ns) / TICK_NS;
    if (n_ticks > 0) {
        cleaner->last_ns = now_ns;
        n_ticks = least(n_ticks, TICKS_MAX);
        (void)wal_clean(wal, wal->options.clean_bytes_per_s / 100 * n_ticks + 1, NULL);
        wal_flush(wal, false);
    }
    *next = least(*next, now_ns + TICK_NS);
}

uint64_t wal_time(struct wal *wal, uint64_t now_ns)
{
    enum { RETRY_NS = 1000000000 };
    uint64_t next = WAL_NEVER;
    if (wal->has_failed)
        return next;
    if (wal->filling && !wal->filling->is_urgent &&
        is_due(&wal->lazy_since_ns, now_ns, wal->options.lazy_ns, &next))
        wal_flush(wal, true);
    time_sync(wal, now_ns, &next);
    time_mark(wal, now_ns, &next);
    time_clean(wal, now_ns, &next);
    if (wal->is_full && is_due(&wal->retry_ns, now_ns, RETRY_NS, &next)) {
        wal->is_full = false;
        wal_want_spares(wal);
        next = least(next, now_ns + RETRY_NS);
    }
    return next;
}

/* ---- facts ----------------------------------------------------------------------------------- */

void wal_facts(struct wal *wal, struct wal_facts *ret_facts)
{
    struct wal_facts facts = wal->counts;
    facts.n_segments = wal->n_segments;
    facts.n_spare = wal->n_spares;
    facts.first_segment = wal->n_segments > 0 ? wal->segments[0]->form.number : 0;
    facts.segment_bytes = wal->size;
    for (uint32_t i = 0; i < wal->n_segments; i++) {
        const struct wal_segment *segment = wal->segments[i];
        facts.file_bytes += segment->form.size;
        facts.used_bytes += segment->end - WAL_RECORDS_BEGIN + segment->footer_bytes;
    }
    for (uint32_t i = 0; i < wal->n_spares; i++)
        facts.file_bytes += wal->spares[i]->form.size;
    facts.live_bytes = wal->live_bytes;
    facts.pending_bytes = wal->pending_bytes;
    facts.appended_lsn = wal->appended_lsn;
    facts.durable_lsn = wal->durable_lsn;
    facts.synced_lsn = wal->synced_lsn;
    facts.is_full = wal->is_full;
    facts.is_durable = wal_sync_is_durable(wal->options.sync);
    struct wal_shared *shared = &wal->shared;
    pthread_mutex_lock(&shared->lock);
    facts.n_syncs = shared->n_syncs;
    memcpy(facts.sync_us, shared->sync_us, sizeof(facts.sync_us));
    pthread_mutex_unlock(&shared->lock);
    *ret_facts = facts;
}
