/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was appended and is not on the disk yet: bytes in runs, each for one segment. Batches are
 * used again and again, with the memory that they have grown to, as far as that of all that are
 * free is bounded: a busy log has hundreds of them on their way at once.
 */
#include "wal/internal.h"

#include <assert.h>

enum { BATCH_KEEP_BYTES = 8 << 20 }; /* memory that all free batches may hold on to */

struct wal_batch *wal_batch_take(struct wal *wal)
{
    struct wal_batch *batch = LIST_FIRST(&wal->free, struct wal_batch, queue);
    if (batch) {
        list_remove(&batch->queue);
        wal->kept_bytes -= batch->bytes.cap;
        return batch;
    }
    batch = MEM_NEW(struct wal_batch);
    list_init(&batch->flight);
    list_init(&batch->queue);
    return batch;
}

static void clear(struct wal_batch *batch)
{
    for (uint32_t i = 0; i < batch->n_runs; i++)
        text_deinit(&batch->runs[i].footer);
    batch->n_runs = 0;
    batch->n_records = 0;
    batch->is_urgent = false;
    text_clear(&batch->bytes);
}

void wal_batch_give(struct wal *wal, struct wal_batch *batch)
{
    clear(batch);
    list_remove(&batch->flight);
    list_remove(&batch->queue);
    if (wal->kept_bytes + batch->bytes.cap > BATCH_KEEP_BYTES)
        text_deinit(&batch->bytes);
    wal->kept_bytes += batch->bytes.cap;
    list_add_front(&wal->free, &batch->queue);
}

void wal_batch_destroy(struct wal_batch **batch)
{
    if (!*batch)
        return;
    clear(*batch);
    list_remove(&(*batch)->flight);
    list_remove(&(*batch)->queue);
    text_deinit(&(*batch)->bytes);
    mem_free((*batch)->runs);
    mem_free(*batch);
    *batch = NULL;
}

static struct wal_run *run_add(struct wal_batch *batch, struct wal_segment *segment)
{
    if (batch->n_runs == batch->cap_runs) {
        batch->cap_runs = batch->cap_runs ? batch->cap_runs * 2 : 2;
        batch->runs = mem_realloc(batch->runs, batch->cap_runs * sizeof(*batch->runs));
    }
    assert(batch->runs);
    struct wal_run *run = &batch->runs[batch->n_runs++];
    *run = (struct wal_run){.segment = segment, .offset = segment->end, .from = batch->bytes.len};
    return run;
}

static struct wal_run *run_of(struct wal_batch *batch, struct wal_segment *segment)
{
    struct wal_run *last = batch->n_runs ? &batch->runs[batch->n_runs - 1] : NULL;
    return last && last->segment == segment ? last : run_add(batch, segment);
}

char *wal_batch_reserve(struct wal_batch *batch, struct wal_segment *segment, size_t len)
{
    struct wal_run *run = run_of(batch, segment);
    char *at = text_reserve(&batch->bytes, len);
    batch->bytes.len += len;
    run->len += len;
    return at;
}

void wal_batch_seal(struct wal_batch *batch, struct wal_segment *segment, struct text *take_footer)
{
    struct wal_run *run = run_of(batch, segment);
    run->is_sealing = true;
    run->footer = *take_footer;
    run->n_records = segment->n_records;
    *take_footer = (struct text)TEXT_NONE;
}

static const char *find_in(const struct wal_batch *batch, struct wal_place place)
{
    for (uint32_t i = 0; i < batch->n_runs; i++) {
        const struct wal_run *run = &batch->runs[i];
        if (run->segment->form.number == place.segment && place.offset >= run->offset &&
            place.offset - run->offset < run->len)
            return batch->bytes.ptr + run->from + (place.offset - run->offset);
    }
    return NULL;
}

const char *wal_pending_find(const struct wal *wal, struct wal_place place)
{
    const char *at = wal->filling ? find_in(wal->filling, place) : NULL;
    LIST_EACH (node, &wal->flight) {
        if (at)
            break;
        at = find_in(LIST_ENTRY(node, struct wal_batch, flight), place);
    }
    return at;
}
