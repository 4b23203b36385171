/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pages of list-jobs: a line a job, "- {key: value, ..., text: "quoted"}". Keys that are not known
 * are passed over, so that a later server may say more.
 */

#include "cli/job_list.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- a line ---------------------------------------------------------------------------------- */

static const struct number {
    const char *key;
    size_t offset;
} numbers[] = {
    {"id", offsetof(struct job_row, id)},
    {"pri", offsetof(struct job_row, priority)},
    {"attempts", offsetof(struct job_row, n_attempts)},
    {"age", offsetof(struct job_row, age_s)},
    {"ttr", offsetof(struct job_row, ttr_s)},
    {"time-left", offsetof(struct job_row, time_left_s)},
    {"bytes", offsetof(struct job_row, body_bytes)},
    {"created", offsetof(struct job_row, created_s)},
    {"not-before", offsetof(struct job_row, not_before_s)},
    {"expires", offsetof(struct job_row, expires_s)},
    {"attempts-max", offsetof(struct job_row, attempts_max)},
    {"keep", offsetof(struct job_row, result_s)},
    {"result-bytes", offsetof(struct job_row, result_bytes)},
};

/* Up to the separator; *rest is what is behind it, or empty. */
static struct slice cut(struct slice *rest, struct slice separator)
{
    const char *at = memmem(rest->ptr, rest->len, separator.ptr, separator.len);
    size_t n = at ? (size_t)(at - rest->ptr) : rest->len;
    struct slice part = slice_make(rest->ptr, n);
    *rest = slice_skip(*rest, n + separator.len);
    return part;
}

/* What stands in quotes at the beginning of *rest: 0 and a text of mem_alloc(), or -1. */
static int take_quoted(struct slice *rest, char **ret_text)
{
    struct text out = TEXT_NONE;
    size_t i = 1;
    if (rest->len == 0 || rest->ptr[0] != '"')
        return -1;
    for (; i < rest->len && rest->ptr[i] != '"'; i++) {
        i += rest->ptr[i] == '\\' && i + 1 < rest->len;
        text_append_char(&out, rest->ptr[i]);
    }
    bool is_ended = i < rest->len;
    if (is_ended) {
        mem_free(*ret_text);
        *ret_text = out.len > 0 ? slice_dup(text_slice(&out)) : NULL;
        *rest = slice_skip(*rest, i + 1);
        (void)cut(rest, SLICE(", "));
    }
    text_deinit(&out);
    return is_ended ? 0 : -1;
}

static int take_counts(struct slice value, uint64_t *counts)
{
    struct slice rest = value;
    for (int i = 0; i < JOBPROTO_N_COUNTS; i++)
        if (slice_to_u64(slice_cut(&rest, ','), &counts[i]) < 0)
            return -1;
    return rest.ptr ? -1 : 0;
}

/* The value of a key whose values are words or numbers. */
static int take_plain(struct slice key, struct slice value, struct job_row *row)
{
    if (slice_is(key, "error")) {
        mem_free(row->error);
        row->error = slice_dup(value);
    }
    if (slice_is(key, "counts"))
        return take_counts(value, row->counts);
    if (slice_is(key, "state"))
        (void)slice_copy(value, row->state, sizeof(row->state));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (slice_is(key, numbers[i].key))
            return slice_to_u64(value, (uint64_t *)(void *)((char *)row + numbers[i].offset));
    return 0;
}

int job_row_read(struct slice line, struct job_row *ret_row)
{
    int result = 0;
    *ret_row = (struct job_row){.id = 0};
    if (!slice_starts(line, SLICE("- {")) || line.ptr[line.len - 1] != '}')
        return -1;
    struct slice rest = slice_make(line.ptr + 3, line.len - 4);
    while (rest.len > 0 && result == 0) {
        struct slice key = cut(&rest, SLICE(": "));
        if (slice_is(key, "text") || slice_is(key, "key"))
            result = take_quoted(&rest, slice_is(key, "key") ? &ret_row->key : &ret_row->text);
        else
            result = take_plain(key, cut(&rest, SLICE(", ")), ret_row);
    }
    if (result == 0 && ret_row->id > 0)
        return 0;
    job_row_deinit(ret_row);
    return -1;
}

void job_row_deinit(struct job_row *row)
{
    mem_free(row->key);
    mem_free(row->error);
    mem_free(row->text);
    *row = (struct job_row){.id = 0};
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void add(struct job_list *list, const struct job_row *row)
{
    if (list->n_rows == list->cap_rows) {
        list->cap_rows = list->cap_rows ? 2 * list->cap_rows : 64;
        list->rows = mem_realloc(list->rows, list->cap_rows * sizeof(*list->rows));
    }
    list->rows[list->n_rows] = *row;
    list->rows[list->n_rows].place = list->n_rows;
    list->n_rows++;
}

/* The jobs of a page and where the next one begins. */
static int read_page(struct slice page, struct job_list *list, uint64_t *ret_next)
{
    bool has_next = false;
    while (page.ptr) {
        struct slice line = slice_cut(&page, '\n');
        struct job_row row;
        if (slice_starts(line, SLICE("next: "))) {
            has_next = slice_to_u64(slice_skip(line, strlen("next: ")), ret_next) == 0;
        } else if (slice_starts(line, SLICE("- "))) {
            if (job_row_read(line, &row) < 0)
                return -1;
            add(list, &row);
        }
    }
    return has_next ? 0 : -1;
}

static int by_id(const void *a, const void *b)
{
    const struct job_row *rows[2] = {a, b};
    if (rows[0]->id != rows[1]->id)
        return rows[0]->id > rows[1]->id ? 1 : -1;
    return (rows[0]->place > rows[1]->place) - (rows[0]->place < rows[1]->place);
}

void job_list_sort(struct job_list *list)
{
    size_t n = 0;
    if (list->n_rows > 0)
        qsort(list->rows, list->n_rows, sizeof(*list->rows), by_id);
    for (size_t i = 0; i < list->n_rows; i++) {
        if (n > 0 && list->rows[n - 1].id == list->rows[i].id)
            job_row_deinit(&list->rows[--n]);
        list->rows[n++] = list->rows[i];
    }
    list->n_rows = n;
}

int job_list_read(struct queue_link *link, const char *state, size_t n_max, struct job_list *list,
                  struct err *err)
{
    uint64_t next = 0;
    size_t n_before = list->n_rows;
    do {
        struct text line = TEXT_NONE;
        /* One more says whether there is more. */
        size_t left = n_max + 1 - (list->n_rows - n_before);
        text_printf(&line, "list-jobs %s %llu %zu", state, (unsigned long long)next,
                    left < JOBPROTO_BATCH_MAX ? left : JOBPROTO_BATCH_MAX);
        int result = queue_link_ask(link, text_cstr(&line), slice_make(NULL, 0), err);
        text_deinit(&line);
        if (result < 0 || !queue_link_is(link, "OK"))
            return result < 0 ? -1 : 1;
        if (read_page(text_slice(&link->body), list, &next) < 0)
            return err_set(err, "the queue's answer to list-jobs is none");
    } while (next != 0 && list->n_rows - n_before <= n_max);
    list->is_cut = list->n_rows - n_before > n_max;
    for (; list->n_rows - n_before > n_max; list->n_rows--)
        job_row_deinit(&list->rows[list->n_rows - 1]);
    return 0;
}

void job_list_deinit(struct job_list *list)
{
    for (size_t i = 0; i < list->n_rows; i++)
        job_row_deinit(&list->rows[i]);
    mem_free(list->rows);
    *list = (struct job_list){.rows = NULL};
}
