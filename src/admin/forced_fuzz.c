/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as the file `forced`, and any lines with a first and a last line that fit: what is
 * taken is within its bounds and comes out of a second reading as it went in.
 */

#include "admin/forced.h"

#include <assert.h>
#include <inttypes.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct forced_entry *entry)
{
    assert(!forced_is_empty(entry));
    enum forced_kind kind = forced_kind_of(slice_from(entry->label), NULL);
    assert(kind == FORCED_MEMBER ||
           (kind != FORCED_NOTHING && entry->state == FACT_DRAINING && !entry->has_weight));
    assert(entry->state == FACT_NONE || entry->state == FACT_UP || entry->state == FACT_DOWN ||
           entry->state == FACT_DRAINING);
    assert(!entry->has_weight || entry->weight <= FORCED_WEIGHT_MAX);
}

static void check_again(const struct forced *forced, struct slice text)
{
    struct forced again;
    struct text second = TEXT_NONE;
    forced_init(&again);
    int result = forced_decode(&again, text, NULL);
    assert(result == 0);
    forced_encode(&again, &second);
    assert(slice_equal(text, text_slice(&second)));
    assert(again.by_label.n_live == forced->by_label.n_live);
    text_deinit(&second);
    forced_deinit(&again);
}

static void check(struct slice bytes)
{
    struct forced forced;
    struct err err = ERR_NONE;
    forced_init(&forced);
    if (forced_decode(&forced, bytes, &err) == 0) {
        struct text out = TEXT_NONE;
        uint32_t cursor = 0;
        for (const struct forced_entry *entry; (entry = forced_next(&forced, &cursor)) != NULL;)
            check_entry(entry);
        forced_encode(&forced, &out);
        check_again(&forced, text_slice(&out));
        text_deinit(&out);
    } else {
        assert(err.text[0] && forced.by_label.n_live == 0);
    }
    forced_deinit(&forced);
}

/* The lines between a first one of that version and a last one that fits. */
static void check_whole(struct slice lines, int version)
{
    struct text whole = TEXT_NONE;
    size_t n_lines = 0;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    text_printf(&whole, "weir-forced %d\n", version);
    text_append(&whole, lines);
    for (size_t i = 0; i < lines.len; i++)
        n_lines += lines.ptr[i] == '\n';
    for (size_t i = 0; i < whole.len; i++)
        sum = (sum ^ (unsigned char)whole.ptr[i]) * UINT64_C(0x100000001b3);
    text_printf(&whole, "end %zu %016" PRIx64 "\n", n_lines, sum);
    check(text_slice(&whole));
    text_deinit(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice lines = slice_make((const char *)data, size);
    check(lines);
    for (int version = 1; version <= 3; version++)
        check_whole(lines, version);
    return 0;
}
