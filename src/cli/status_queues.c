/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of queues.
 */
#include "cli/status_queues.h"

#include "base/mem.h"
#include "cli/remote.h"
#include <inttypes.h>
#include <string.h>

enum { MS_PER_S = 1000 };

static void tell_title(const json_t *queue, const struct table_style *style, struct text *out)
{
    uint64_t n_jobs = remote_count(queue, "jobs");
    struct text warning = TEXT_NONE;
    text_append(out, SLICE("\n"));
    table_paint(style, TABLE_HEAD, SLICE("queues"), out);
    text_printf(out, "  %" PRIu64 " job%s", n_jobs, n_jobs == 1 ? "" : "s");
    if (json_is_false(json_object_get(queue, "is_durable"))) {
        text_printf(&warning, "not durable: sync %s", remote_text(queue, "sync"));
        text_append(out, SLICE(", "));
        table_paint(style, TABLE_BAD, text_slice(&warning), out);
    }
    text_append(out, SLICE("\n"));
    text_deinit(&warning);
}

static void add_queue(struct table *table, const json_t *row)
{
    const char *state = remote_text(row, "state");
    char age[24] = "";
    if (json_object_get(row, "oldest_ms"))
        remote_age(remote_number(row, "oldest_ms") / MS_PER_S, age);
    table_cell(table, TABLE_PLAIN, slice_from(remote_text(row, "name")));
    remote_cell_count(table, row, "ready", TABLE_PLAIN);
    remote_cell_count(table, row, "reserved", TABLE_PLAIN);
    remote_cell_count(table, row, "delayed", TABLE_PLAIN);
    remote_cell_count(table, row, "buried", TABLE_BAD);
    table_cell(table, TABLE_PLAIN, slice_from(age));
    remote_cell_count(table, row, "waiting", TABLE_PLAIN);
    table_cell(table, TABLE_PART, slice_from(strcmp(state, "serving") == 0 ? "" : state));
}

void status_queues_tell(const json_t *status, const struct table_style *style, struct text *out)
{
    static const struct table_column columns[] = {
        {"QUEUE", false}, {"READY", true},  {"RESERVED", true},        {"DELAYED", true},
        {"BURIED", true}, {"OLDEST", true}, {"WORKERS WAITING", true}, {"STATE", false}};
    const json_t *queue = remote_module(status, "queue"), *row;
    const json_t *rows = json_object_get(queue, "queues");
    uint64_t n_rows = json_array_size(rows), n_all = remote_count(queue, "queues_total");
    struct table table;
    size_t i;
    if (!json_object_get(queue, "jobs"))
        return;
    tell_title(queue, style, out);
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(rows, i, row) add_queue(&table, row);
    table_print(&table, style, out);
    table_deinit(&table);
    if (n_all > n_rows)
        text_printf(out, "and %" PRIu64 " more: weir jobs\n", n_all - n_rows);
}
