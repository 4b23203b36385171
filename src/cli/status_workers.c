/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of workers.
 */

#include "cli/status_workers.h"

#include "base/mem.h"
#include "cli/remote.h"
#include <inttypes.h>
#include <string.h>

/* "3 of 4"; where the 4 moves by itself, between what: "3 of 4 (2..20)". */
static void add_running(struct table *table, const json_t *row)
{
    uint64_t running = remote_count(row, "running"), level = remote_count(row, "concurrency");
    uint64_t least = remote_count(row, "least"), most = remote_count(row, "most");
    if (least == most)
        table_printf(table, TABLE_PLAIN, "%" PRIu64 " of %" PRIu64, running, level);
    else
        table_printf(table, TABLE_PLAIN, "%" PRIu64 " of %" PRIu64 " (%" PRIu64 "..%" PRIu64 ")",
                     running, level, least, most);
}

static void add_worker(struct table *table, const json_t *row)
{
    const char *state = remote_text(row, "state");
    bool is_well = strcmp(state, "serving") == 0;
    bool is_leaving = strcmp(state, "draining") == 0;
    table_cell(table, TABLE_PLAIN, slice_from(remote_text(row, "name")));
    table_cell(table, TABLE_PLAIN, slice_from(remote_text(row, "queue")));
    add_running(table, row);
    remote_cell_count(table, row, "done", TABLE_PLAIN);
    remote_cell_count(table, row, "again", TABLE_PLAIN);
    remote_cell_count(table, row, "buried", TABLE_BAD);
    table_cell(table, is_leaving ? TABLE_PART : TABLE_BAD, slice_from(is_well ? "" : state));
    table_cell(table, TABLE_PLAIN, slice_from(remote_text(row, "why")));
}

void status_workers_tell(const json_t *status, const struct table_style *style, struct text *out)
{
    static const struct table_column columns[] = {
        {"WORKER", false}, {"QUEUE", false}, {"RUNNING", true}, {"DONE", true},
        {"AGAIN", true},   {"BURIED", true}, {"STATE", false},  {"WHY", false}};
    const json_t *rows = json_object_get(remote_module(status, "worker"), "workers"), *row;
    struct table table;
    size_t i;
    if (json_array_size(rows) == 0)
        return;
    text_append(out, SLICE("\n"));
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(rows, i, row) add_worker(&table, row);
    table_print(&table, style, out);
    table_deinit(&table);
}
