/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Facts and counts by name: written by base/json, read by jansson.
 */

#include "core/export.h"

#include "base/mem.h"
#include "core/board_segment.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 160 };

/* --- facts, written --------------------------------------------------------------------------- */

static void export_fact(struct json *json, const char *segment, const struct fact *fact)
{
    json_object_begin(json);
    json_key(json, "segment");
    json_cstr(json, segment);
    json_key(json, "name");
    json_cstr(json, fact->name);
    json_key(json, "state");
    json_cstr(json, fact_state_name(fact->state));
    json_key(json, "since");
    json_uint(json, fact->since_ns);
    json_key(json, "value");
    json_double(json, fact->value);
    json_key(json, "reason");
    json_cstr(json, fact->reason);
    json_object_end(json);
}

void export_facts(struct json *json, const struct board *board)
{
    json_array_begin(json);
    for (size_t i = 0; i < board_n_segments(board); i++) {
        const char *segment = board_segment_name(board, i);
        uint32_t cursor = 0;
        struct fact fact;
        while (strcmp(segment, "supervisor") != 0 && board_next(board, i, &cursor, &fact))
            export_fact(json, segment, &fact);
    }
    json_array_end(json);
}

void export_starts(struct json *json, const struct board *board)
{
    json_object_begin(json);
    for (size_t i = 0; i < board_n_segments(board); i++) {
        json_key(json, board_segment_name(board, i));
        json_uint(json, board_starts(board, i));
    }
    json_object_end(json);
}

/* --- counts, written -------------------------------------------------------------------------- */

bool export_next(const struct board *board, size_t segment, const struct module_table *table,
                 uint64_t *cursor, struct export_slab *slab)
{
    while (metric_next(board, segment, cursor, &slab->view, slab->words, EXPORT_WORDS_MAX)) {
        slab->table = module_metric_table(table, slab->view.table);
        if (slab->table && slab->table->n_words <= slab->view.n_words)
            return true;
    }
    return false;
}

/* "responses 2xx": the name, and its own label where the row has one. */
static void word_key(const struct metric_def *def, char key[KEY_MAX])
{
    snprintf(key, KEY_MAX, "%s%s%s", def->name, def->label_value ? " " : "",
             def->label_value ? def->label_value : "");
}

static void export_hist(struct json *json, const uint64_t *words)
{
    json_object_begin(json);
    json_key(json, "sum");
    json_int(json, (int64_t)words[HIST_BUCKETS]);
    json_key(json, "counts");
    json_array_begin(json);
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        if (words[i] == 0)
            continue;
        json_array_begin(json);
        json_uint(json, hist_lower(i));
        json_int(json, (int64_t)words[i]);
        json_array_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

static bool is_worth_it(const struct metric_def *def, const uint64_t *words, bool has_gauges)
{
    uint32_t n = def->type == METRIC_HISTOGRAM ? METRIC_HIST_WORDS : 1;
    if (def->type == METRIC_GAUGE && !has_gauges)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (words[def->word + i] != 0)
            return true;
    }
    return false;
}

void export_slab(struct json *json, const struct export_slab *slab, bool has_gauges)
{
    json_object_begin(json);
    json_key(json, "table");
    json_cstr(json, slab->table->name);
    json_key(json, "object");
    json_cstr(json, slab->view.object);
    json_key(json, "words");
    json_object_begin(json);
    for (const struct metric_def *def = slab->table->defs; def->name; def++) {
        char key[KEY_MAX];
        if (!is_worth_it(def, slab->words, has_gauges))
            continue;
        word_key(def, key);
        json_key(json, key);
        if (def->type == METRIC_HISTOGRAM)
            export_hist(json, &slab->words[def->word]);
        else
            json_int(json, (int64_t)slab->words[def->word]);
    }
    json_object_end(json);
    json_object_end(json);
}

/* --- facts, read ------------------------------------------------------------------------------ */

static enum fact_state state_of(const char *name)
{
    for (int state = FACT_UNKNOWN; name && state < FACT_N_STATES; state++) {
        if (strcmp(fact_state_name((enum fact_state)state), name) == 0)
            return (enum fact_state)state;
    }
    return FACT_NONE;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* False: no fact that this build could state. */
static bool fact_read(const json_t *object, struct fact *ret_fact)
{
    const char *name = text_of(object, "name");
    const json_t *value = json_object_get(object, "value");
    ret_fact->state = state_of(text_of(object, "state"));
    ret_fact->since_ns = (uint64_t)json_integer_value(json_object_get(object, "since"));
    ret_fact->value = json_is_number(value) ? json_number_value(value) : (double)NAN;
    slice_copy(slice_from(text_of(object, "reason")), ret_fact->reason, sizeof(ret_fact->reason));
    if (ret_fact->state == FACT_NONE || !name[0] || strlen(name) >= sizeof(ret_fact->name))
        return false;
    slice_copy(slice_from(name), ret_fact->name, sizeof(ret_fact->name));
    return true;
}

static int restore_segment(struct board *board, const json_t *facts, const json_t *starts)
{
    const char *segment = board_own(board)->name;
    int n = 0;
    for (size_t i = 0; i < json_array_size(facts); i++) {
        const json_t *object = json_array_get(facts, i);
        struct fact fact;
        if (strcmp(text_of(object, "segment"), segment) == 0 && fact_read(object, &fact) &&
            board_restore(board, &fact) == 0)
            n++;
    }
    json_int_t n_starts = json_integer_value(json_object_get(starts, segment));
    /* The coming start is the one that was counted last: an upgrade is no restart. */
    board_set_starts(board, n_starts > 0 ? (uint32_t)n_starts - 1 : 0);
    return n;
}

int export_restore(const json_t *facts, const json_t *starts, size_t first,
                   const struct board_fds *fds, struct err *err)
{
    int n = 0;
    if (!json_is_array(facts) || !json_is_object(starts))
        return err_set(err, "the facts are no array, or the starts no object");
    for (size_t i = first; i < fds->n_segments; i++) {
        struct board *board;
        if (board_open(fds, (int)i, &board, err) < 0)
            return -1;
        n += restore_segment(board, facts, starts);
        board_close(&board);
    }
    return n;
}

/* --- counts, read ----------------------------------------------------------------------------- */

static int read_hist(const json_t *value, uint64_t *words, struct err *err)
{
    const json_t *sum = json_object_get(value, "sum"), *counts = json_object_get(value, "counts");
    if (!json_is_integer(sum) || !json_is_array(counts))
        return err_set(err, "a histogram without its sum or its counts");
    words[HIST_BUCKETS] += (uint64_t)json_integer_value(sum);
    for (size_t i = 0; i < json_array_size(counts); i++) {
        const json_t *pair = json_array_get(counts, i);
        const json_t *lower = json_array_get(pair, 0), *count = json_array_get(pair, 1);
        if (!json_is_integer(lower) || !json_is_integer(count))
            return err_set(err, "a histogram's count that is no pair of numbers");
        words[hist_bucket((uint64_t)json_integer_value(lower))] +=
            (uint64_t)json_integer_value(count);
    }
    return 0;
}

static int read_words(const json_t *values, const struct metric_table *table, uint64_t *words,
                      struct err *err)
{
    for (const struct metric_def *def = table->defs; def->name; def++) {
        char key[KEY_MAX];
        word_key(def, key);
        const json_t *value = json_object_get(values, key);
        if (!value)
            continue;
        if (def->type == METRIC_HISTOGRAM) {
            if (read_hist(value, &words[def->word], err) < 0)
                return -1;
        } else if (json_is_integer(value)) {
            words[def->word] = (uint64_t)json_integer_value(value);
        } else {
            return err_set(err, "%s %s: not a number", table->name, key);
        }
    }
    return 0;
}

int export_read_slabs(const json_t *slabs, const struct module_table *table, export_slab_fn *fn,
                      void *ctx, struct err *err)
{
    if (!json_is_array(slabs))
        return err_set(err, "the slabs are no array");
    for (size_t i = 0; i < json_array_size(slabs); i++) {
        const json_t *slab = json_array_get(slabs, i), *values = json_object_get(slab, "words");
        const struct metric_table *known = module_metric_table(table, text_of(slab, "table"));
        if (!json_is_object(values))
            return err_set(err, "slab %zu has no words", i);
        if (!known || strlen(text_of(slab, "object")) >= FACT_NAME_MAX)
            continue;
        uint64_t *words = MEM_NEW_ARRAY(uint64_t, known->n_words);
        int result = read_words(values, known, words, err);
        if (result == 0)
            fn(ctx, known, text_of(slab, "object"), words);
        mem_free(words);
        if (result < 0)
            return -1;
    }
    return 0;
}
