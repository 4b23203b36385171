/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics page: every table that a module declares, family by family, then the facts and what
 * is known of the processes.
 */
#include "admin/openmetrics.h"
#include "admin/render.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { FAMILY_NAME_MAX = 160 };

/* ---- the modules' tables ---- */

/* The labels of a tally: its object's name split at '/', the last label takes the rest. */
static size_t tally_labels(const struct tally *tally,
                           struct openmetrics_label labels[METRIC_LABELS_MAX])
{
    struct slice rest = slice_from(tally->object);
    size_t n = 0;
    while (n < METRIC_LABELS_MAX && tally->table->labels[n]) {
        bool is_last = n + 1 == METRIC_LABELS_MAX || !tally->table->labels[n + 1];
        labels[n].name = tally->table->labels[n];
        labels[n].value = is_last ? rest : slice_cut(&rest, '/');
        n++;
    }
    return n;
}

static void text_row(struct text *out, const char *family, const struct metric_def *def,
                     const struct tally *tally)
{
    struct openmetrics_label labels[METRIC_LABELS_MAX + 1];
    size_t n = tally_labels(tally, labels);
    if (def->label)
        labels[n++] = (struct openmetrics_label){def->label, slice_from(def->label_value)};
    double scale = def->scale > 0 ? def->scale : 1;
    const uint64_t *words = tally->words + def->word;
    if (def->type == METRIC_HISTOGRAM)
        openmetrics_hist(out, family, labels, n, words, scale);
    else if (def->scale > 0)
        openmetrics_double(out, family, def->type == METRIC_COUNTER ? "_total" : "", labels, n,
                           (double)*words * scale);
    else
        openmetrics_uint(out, family, def->type == METRIC_COUNTER ? "_total" : "", labels, n,
                         *words);
}

static bool is_first_of_name(const struct metric_table *table, const struct metric_def *def)
{
    for (const struct metric_def *earlier = table->defs; earlier != def; earlier++) {
        if (strcmp(earlier->name, def->name) == 0)
            return false;
    }
    return true;
}

/* One family: all rows of one name, of all objects. */
static void text_family(struct text *out, const struct metric_table *table,
                        const struct metric_def *first, const struct tallies *tallies)
{
    static const enum openmetrics_kind kinds[] = {
        [METRIC_COUNTER] = OPENMETRICS_COUNTER,
        [METRIC_GAUGE] = OPENMETRICS_GAUGE,
        [METRIC_LATEST] = OPENMETRICS_GAUGE,
        [METRIC_HISTOGRAM] = OPENMETRICS_HISTOGRAM,
    };
    char name[FAMILY_NAME_MAX];
    int len = snprintf(name, sizeof(name), "weir_%s_%s", table->name, first->name);
    assert(len < FAMILY_NAME_MAX);
    openmetrics_family(out, name, kinds[first->type], first->help);
    for (size_t i = 0; i < tallies->n_items; i++) {
        if (tallies->items[i].table != table)
            continue;
        for (const struct metric_def *def = first; def->name; def++) {
            if (strcmp(def->name, first->name) == 0)
                text_row(out, name, def, &tallies->items[i]);
        }
    }
}

static void text_table(struct text *out, const struct metric_table *table,
                       const struct tallies *tallies)
{
    for (const struct metric_def *def = table->defs; def->name; def++) {
        if (is_first_of_name(table, def))
            text_family(out, table, def, tallies);
    }
}

/* ---- facts ---- */

typedef void fact_fn(struct text *out, const struct fact *fact, struct openmetrics_label labels[3]);

/* Calls fn for each fact, with labels kind and name filled in and room for a third. */
static void text_each_fact(struct text *out, const struct board *board, fact_fn *fn)
{
    for (size_t segment = 0; segment < board_n_segments(board); segment++) {
        uint32_t cursor = 0;
        struct fact fact;
        while (board_next(board, segment, &cursor, &fact)) {
            struct slice name = slice_from(fact.name);
            struct slice kind = slice_cut(&name, ':');
            struct openmetrics_label labels[3] = {{"kind", kind}, {"name", name}};
            fn(out, &fact, labels);
        }
    }
}

/* Every state, so that a series does not end where a state does. */
static void text_fact_states(struct text *out, const struct fact *fact,
                             struct openmetrics_label labels[3])
{
    for (enum fact_state state = FACT_UNKNOWN; state < FACT_N_STATES; state++) {
        labels[2] = (struct openmetrics_label){"state", slice_from(fact_state_name(state))};
        openmetrics_uint(out, "weir_fact", "", labels, 3, fact->state == state);
    }
}

static void text_fact_value(struct text *out, const struct fact *fact,
                            struct openmetrics_label labels[3])
{
    openmetrics_double(out, "weir_fact_value", "", labels, 2, fact->value);
}

static void text_fact_since(struct text *out, const struct fact *fact,
                            struct openmetrics_label labels[3])
{
    uint64_t since_ms = fact->since_ns / 1000000;
    openmetrics_double(out, "weir_fact_since_timestamp_seconds", "", labels, 2,
                       (double)since_ms / 1000);
}

static void text_facts(struct text *out, const struct board *board)
{
    openmetrics_family(out, "weir_fact", OPENMETRICS_GAUGE,
                       "1 for the state that the fact has, 0 for the others.");
    text_each_fact(out, board, text_fact_states);
    openmetrics_family(out, "weir_fact_value", OPENMETRICS_GAUGE,
                       "The number beside the fact; its meaning is that of the kind.");
    text_each_fact(out, board, text_fact_value);
    openmetrics_family(out, "weir_fact_since_timestamp_seconds", OPENMETRICS_GAUGE,
                       "When the state last changed.");
    text_each_fact(out, board, text_fact_since);
}

/* ---- processes ---- */

struct process_family {
    const char *name;
    enum openmetrics_kind kind;
    const char *help;
    /* False: this process has no such sample. */
    bool (*value)(const struct view_process *process, double *ret_value);
};

static bool process_heartbeat(const struct view_process *process, double *ret_value)
{
    *ret_value = process->heartbeat_age_s;
    return process->has_heartbeat;
}

static bool process_restarts(const struct view_process *process, double *ret_value)
{
    *ret_value = process->n_restarts;
    return true;
}

static bool process_resident(const struct view_process *process, double *ret_value)
{
    *ret_value = (double)process->usage.resident_bytes;
    return process->has_usage;
}

static bool process_cpu(const struct view_process *process, double *ret_value)
{
    *ret_value = process->usage.cpu_s;
    return process->has_usage;
}

static const struct process_family process_families[] = {
    {"weir_process_heartbeat_age_seconds", OPENMETRICS_GAUGE,
     "Since a loop of the process was last heard.", process_heartbeat},
    {"weir_process_restarts", OPENMETRICS_COUNTER, "Starts after the first.", process_restarts},
    {"weir_process_resident_memory_bytes", OPENMETRICS_GAUGE, "Resident memory.", process_resident},
    {"weir_process_cpu_seconds", OPENMETRICS_COUNTER,
     "Processor time, user and system, of the process as it runs.", process_cpu},
    {NULL, OPENMETRICS_GAUGE, NULL, NULL},
};

static void text_processes(struct text *out, const struct view *view)
{
    for (const struct process_family *family = process_families; family->name; family++) {
        openmetrics_family(out, family->name, family->kind, family->help);
        for (size_t i = 0; i < view->n_processes; i++) {
            struct openmetrics_label label = {"process", slice_from(view->processes[i].name)};
            double value;
            if (family->value(&view->processes[i], &value))
                openmetrics_double(out, family->name,
                                   family->kind == OPENMETRICS_COUNTER ? "_total" : "", &label, 1,
                                   value);
        }
    }
}

void render_metrics(struct text *out, const struct view *view, const struct tallies *tallies)
{
    struct openmetrics_label labels[] = {{"version", slice_from(view->version)},
                                         {"build", slice_from(view->build)},
                                         {"node", slice_from(view->node)}};
    openmetrics_family(out, "weir_build", OPENMETRICS_INFO, "Which weir this is.");
    openmetrics_uint(out, "weir_build", "_info", labels, 3, 1);
    openmetrics_family(out, "weir_configuration_generation", OPENMETRICS_GAUGE,
                       "The configuration in force: 1 at the start, one more at each reload.");
    openmetrics_uint(out, "weir_configuration_generation", "", NULL, 0, view->generation);
    openmetrics_family(out, "weir_uptime_seconds", OPENMETRICS_GAUGE, "Since weir was started.");
    openmetrics_double(out, "weir_uptime_seconds", "", NULL, 0, view->uptime_s);
    text_processes(out, view);
    text_facts(out, view->board);
    for (size_t i = 0; i < tallies->n_tables; i++)
        text_table(out, tallies->tables[i], tallies);
    openmetrics_end(out);
}
