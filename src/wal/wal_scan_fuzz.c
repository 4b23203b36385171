/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as the entries of a footer; or as a plan by which a segment is written, torn and
 * damaged, and of which the scan must then say what the plan says.
 */

#include "wal/wal_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 8192, LIMIT = SIZE - WAL_TRAILER_BYTES, RECORDS_MAX = SIZE / WAL_RECORD_HEADER };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at, *end;
};

static uint32_t take(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

/* ---- entries --------------------------------------------------------------------------------- */

static void try_entries(struct input input)
{
    uint32_t n = take(&input), records_end = WAL_RECORDS_BEGIN;
    records_end += (take(&input) << 8 | take(&input)) * 8;
    size_t len = (size_t)(input.end - input.at);
    char *copy = malloc(len > 0 ? len : 1);
    assert(copy);
    memcpy(copy, input.at, len);
    struct wal_entries entries = {.rest = slice_make(copy, len),
                                  .offset = WAL_RECORDS_BEGIN,
                                  .n_left = n,
                                  .records_end = records_end};
    struct wal_entry entry;
    uint32_t n_seen = 0, end = WAL_RECORDS_BEGIN;
    int result;
    while ((result = wal_entries_next(&entries, &entry)) > 0) {
        assert(entry.offset == end && entry.header.n_head <= entry.header.length);
        assert(entry.head.ptr >= copy && entry.head.ptr + entry.head.len <= copy + len);
        char again[WAL_ENTRY_HEADER + WAL_HEAD_MAX + 16];
        wal_entry_write(&entry.header, entry.head.ptr, again); /* reads all of the head */
        end += wal_record_bytes(entry.header.length);
        assert(end <= records_end);
        n_seen++;
    }
    assert(result < 0 || (n_seen == n && end == records_end));
    free(copy);
}

/* ---- a segment ------------------------------------------------------------------------------- */

struct plan {
    struct wal_form form;
    char pristine[SIZE], image[SIZE];
    struct wal_entry records[RECORDS_MAX];
    uint32_t n, at;
};

static void plan_record(struct plan *plan, struct input *input)
{
    static const char payload[255];
    uint32_t length = take(input), n_head = take(input), synced = take(input) * 32;
    if (plan->n == RECORDS_MAX || plan->at + wal_record_bytes(length) > LIMIT)
        return;
    struct wal_entry *entry = &plan->records[plan->n++];
    n_head = n_head < length ? n_head : length;
    entry->offset = plan->at;
    entry->header = (struct wal_header){.synced = synced < plan->at ? synced : plan->at,
                                        .length = length,
                                        .type = (uint8_t)(1 + take(input) % 255),
                                        .n_head = (uint8_t)n_head,
                                        .key = plan->n};
    struct wal_spot spot = wal_form_spot(&plan->form, plan->at);
    wal_record_write(&spot, &entry->header, slice_make(payload, n_head),
                     slice_make(payload, length - n_head), slice_make("", 0),
                     plan->pristine + plan->at);
    plan->at += wal_record_bytes(length);
}

static void plan_gap(struct plan *plan, struct input *input)
{
    uint32_t len = wal_pad(take(input)), byte = take(input);
    if (plan->at + len > LIMIT)
        return;
    memset(plan->pristine + plan->at, (int)byte, len);
    plan->at += len;
}

static void plan_make(struct plan *plan, struct input *input)
{
    plan->form = (struct wal_form){.number = 7, .size = SIZE, .salt = 42, .is_seeded = true};
    plan->at = WAL_RECORDS_BEGIN;
    for (uint32_t n = take(input) % 64; n > 0; n--) {
        if (take(input) % 4 > 0)
            plan_record(plan, input);
        else
            plan_gap(plan, input);
    }
    memcpy(plan->image, plan->pristine, SIZE);
    while (input->at < input->end) {
        uint32_t at = take(input) << 8;
        at |= take(input);
        plan->image[at % SIZE] = (char)(plan->image[at % SIZE] ^ (int)take(input));
    }
}

/* What is behind the payload, up to 8 bytes, is in no sum. */
static bool is_whole(const struct plan *plan, const struct wal_entry *record)
{
    return memcmp(plan->pristine + record->offset, plan->image + record->offset,
                  WAL_RECORD_HEADER + record->header.length) == 0;
}

static struct wal_scan_end expect(const struct plan *plan)
{
    struct wal_scan_end wanted = {.end = WAL_RECORDS_BEGIN};
    for (uint32_t i = 0; i < plan->n; i++) {
        const struct wal_entry *record = &plan->records[i];
        uint32_t end = record->offset + wal_record_bytes(record->header.length);
        if (!is_whole(plan, record))
            continue;
        if (record->header.synced > wanted.claimed)
            wanted.claimed = record->header.synced;
        if (record->offset == wanted.end) {
            wanted.end = end;
            wanted.n_records++;
        } else {
            wanted.strays_end = end;
        }
    }
    return wanted;
}

static void try_scan(struct input input)
{
    static struct plan plan;
    memset(&plan, 0, sizeof(plan));
    plan_make(&plan, &input);
    char *image = malloc(SIZE);
    assert(image);
    memcpy(image, plan.image, SIZE);
    struct wal_scan scan = {.image = image, .form = plan.form};
    struct wal_scan_end wanted = expect(&plan), all = wal_scan_all(&scan);
    assert(all.end == wanted.end && all.n_records == wanted.n_records);
    assert(all.claimed == wanted.claimed && all.strays_end == wanted.strays_end);
    for (uint32_t i = 0; i < plan.n; i++) {
        const struct wal_entry *record = &plan.records[i];
        struct wal_spot spot = wal_form_spot(&plan.form, record->offset);
        struct wal_place place = {.length = record->header.length & WAL_PAYLOAD_MAX};
        const char *at = image + record->offset;
        int result = wal_record_verify(&spot, at, place, at + WAL_RECORD_HEADER);
        assert((result == 0) == is_whole(&plan, record));
    }
    free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.at = data, .end = data + size};
    if (take(&input) % 2)
        try_entries(input);
    else
        try_scan(input);
    return 0;
}
