/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Questions to the table of modules, which is walked and never known by name.
 */

#include "core/module.h"
#include <assert.h>
#include <string.h>

size_t module_processes(const struct module_table *table, const char **ret_names, size_t max)
{
    size_t n = 0;
    assert(max > 0);
    ret_names[n++] = "supervisor";
    for (size_t i = 0; i < table->n_items; i++) {
        const char *process = table->items[i]->process;
        bool is_known = process == NULL;
        for (size_t k = 0; k < n && !is_known; k++)
            is_known = strcmp(ret_names[k], process) == 0;
        if (is_known)
            continue;
        assert(n < max);
        ret_names[n++] = process;
    }
    return n;
}

const char *module_process_name(const struct module_table *table, const char *kind)
{
    for (size_t i = 0; i < table->n_items; i++) {
        if (module_lives_in(table->items[i], kind))
            return table->items[i]->process;
    }
    return "?";
}

bool module_lives_in(const struct module *module, const char *kind)
{
    return module->process && strcmp(module->process, kind) == 0;
}

bool module_files_go_to(const struct module *module, const char *kind)
{
    for (const char *const *other = module->files_for; other && *other; other++) {
        if (strcmp(*other, kind) == 0)
            return true;
    }
    return module_lives_in(module, kind);
}

const struct fact_kind *module_fact_kind(const struct module_table *table, const char *fact_name)
{
    size_t len = strcspn(fact_name, ":");
    for (size_t i = 0; i < table->n_items; i++) {
        const struct fact_kind *kind = table->items[i]->fact_kinds;
        for (; kind && kind->name; kind++) {
            if (strlen(kind->name) == len && memcmp(kind->name, fact_name, len) == 0)
                return kind;
        }
    }
    return NULL;
}

const struct metric_table *module_metric_table(const struct module_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_items; i++) {
        const struct metric_table *const *metrics = table->items[i]->metrics;
        for (; metrics && *metrics; metrics++) {
            if (strcmp((*metrics)->name, name) == 0)
                return *metrics;
        }
    }
    return NULL;
}

bool module_process_drains_first(const struct module_table *table, const char *kind)
{
    for (size_t i = 0; i < table->n_items; i++) {
        if (module_lives_in(table->items[i], kind) && table->items[i]->drains_first)
            return true;
    }
    return false;
}

bool module_process_starts_programs(const struct module_table *table, const char *kind)
{
    for (size_t i = 0; i < table->n_items; i++) {
        if (module_lives_in(table->items[i], kind) && table->items[i]->starts_programs)
            return true;
    }
    return false;
}

bool module_process_allows(const struct module_table *table, const char *kind, unsigned allow)
{
    for (size_t i = 0; i < table->n_items; i++) {
        if (module_lives_in(table->items[i], kind) && (table->items[i]->sandbox.allow & allow))
            return true;
    }
    return false;
}

const struct conf_overlay_words *module_overlay_words(const struct module_table *table)
{
    for (size_t i = 0; i < table->n_items; i++) {
        if (table->items[i]->overlay)
            return table->items[i]->overlay;
    }
    return NULL;
}

const struct module *module_explains(const struct module_table *table, const char *kind,
                                     struct err *err)
{
    for (size_t i = 0; i < table->n_items; i++) {
        if (table->items[i]->explains && strcmp(table->items[i]->explains, kind) == 0)
            return table->items[i];
    }
    err_set(err, "no part of weir answers questions about %s", kind);
    return NULL;
}
