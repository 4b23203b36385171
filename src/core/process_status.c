/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a process says when admin asks: how it is, and why something is as it is.
 */

#include "core/process_life.h"

#include <unistd.h>

static void add_number(struct json *json, const char *key, const _Atomic uint64_t *value,
                       uint64_t unit)
{
    json_key(json, key);
    json_uint(json, atomic_load_explicit(value, memory_order_relaxed) / unit);
}

static void add_loops(struct json *json, const struct process *process)
{
    json_key(json, "loops");
    json_array_begin(json);
    for (uint32_t i = 0; i < process->n_loops; i++) {
        const struct loop_stats *stats = loop_stats(process->loops[i]);
        json_object_begin(json);
        add_number(json, "turns", &stats->n_turns, 1);
        add_number(json, "events", &stats->n_events, 1);
        add_number(json, "timers", &stats->n_timers, 1);
        add_number(json, "tasks", &stats->n_tasks, 1);
        add_number(json, "busy_us", &stats->busy_ns, 1000);
        add_number(json, "longest_us", &stats->longest_ns, 1000);
        json_object_end(json);
    }
    json_array_end(json);
}

static void add_modules(struct json *json, const struct process_life *life)
{
    size_t place = 0;
    json_key(json, "modules");
    json_object_begin(json);
    for (const struct module *module = process_next_module(life, &place); module;
         module = process_next_module(life, &place)) {
        if (module->status) {
            json_key(json, module->name);
            json_object_begin(json);
            module->status(life->states[place], json);
            json_object_end(json);
        }
        place++;
    }
    json_object_end(json);
}

void process_status(struct process_life *life, struct text *out)
{
    const struct process *process = &life->process;
    struct json json;
    json_init(&json, out);
    json_object_begin(&json);
    json_key(&json, "kind");
    json_cstr(&json, process->kind);
    json_key(&json, "pid");
    json_int(&json, getpid());
    json_key(&json, "generation");
    json_uint(&json, process->snap ? process->snap->generation : 0);
    json_key(&json, "is_draining");
    json_bool(&json, process->is_draining);
    add_loops(&json, process);
    add_modules(&json, life);
    json_object_end(&json);
    json_finish(&json);
}

/* ---- why ---- */

static int explain(struct process_life *life, const struct module *module,
                   const struct explain_ask *ask, struct text *out, struct err *err)
{
    struct json json;
    size_t before = out->len;
    json_init(&json, out);
    json_object_begin(&json);
    void *state = life->states[snapshot_place(life->process.snap, module)];
    if (module->explain_inside(state, ask, &json, err) < 0) {
        out->len = before;
        return -1;
    }
    json_object_end(&json);
    json_finish(&json);
    return 0;
}

int process_explain(struct process_life *life, struct slice words, struct text *out,
                    struct err *err)
{
    struct explain_ask ask = {.n_fields = 0};
    char kind[32];
    const struct process *process = &life->process;
    slice_copy(slice_cut(&words, ' '), kind, sizeof(kind));
    struct slice from = slice_cut(&words, ' ');
    ask.kind = kind;
    ask.text = words;
    if (!slice_is(from, "-") && addr_parse_ip(from, 0, &ask.from, err) < 0)
        return err_prefix(err, "from");
    const struct module *module = module_explains(process->table, kind, err);
    if (!module)
        return -1;
    if (!process->snap || !module->explain_inside || !module_lives_in(module, process->kind))
        return err_set(err, "%s knows nothing of %s", process->kind, kind);
    return explain(life, module, &ask, out, err);
}
