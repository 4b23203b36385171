/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From the words of a `worker` to a program that runs.
 */

#include "worker/launch.h"

#include "base/mem.h"
#include "worker/internal.h"

#define NS_PER_MS UINT64_C(1000000)

enum { LOGIN_VARIABLES = 3, OWN_VARIABLES = 4 };

static bool has_variable(const struct conf_list *list, const char *name)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (slice_is(((const struct worker_env_conf *)list->items[i])->name, name))
            return true;
    return false;
}

/* What a login would set, but for what the file does. */
static size_t add_user(const char **env, size_t n, const struct crew *crew, struct arena *arena)
{
    const struct run_user *user = crew->user;
    if (!user || !user->name)
        return n;
    const struct launch_var vars[LOGIN_VARIABLES] = {
        {"HOME", user->home}, {"USER", user->name}, {"LOGNAME", user->name}};
    for (size_t i = 0; i < ARRAY_LEN(vars); i++)
        if (!has_variable(&crew->conf->env_list, vars[i].name))
            env[n++] = arena_printf(arena, "%s=%s", vars[i].name, vars[i].value);
    return n;
}

static const char *const *make_env(const struct crew *crew, const struct launch *what,
                                   struct arena *arena)
{
    const struct conf_list *list = &crew->conf->env_list;
    size_t most = list->n_items + what->n_vars + LOGIN_VARIABLES + OWN_VARIABLES;
    const char **env = ARENA_NEW_ARRAY(arena, const char *, most + 1);
    size_t n = add_user(env, 0, crew, arena);
    for (size_t i = 0; i < list->n_items; i++) {
        const struct worker_env_conf *var = list->items[i];
        env[n++] = arena_printf(arena, "%.*s=%.*s", SLICE_ARG(var->name), SLICE_ARG(var->value));
    }
    if (!has_variable(list, "PATH"))
        env[n++] = PROGRAM_PATH;
    for (size_t i = 0; i < what->n_vars; i++)
        env[n++] = arena_printf(arena, "%s=%s", what->vars[i].name, what->vars[i].value);
    env[n++] = arena_printf(arena, "WEIR_QUEUE=%s", what->tube);
    env[n++] = arena_printf(arena, "WEIR_WORKER=%s", crew->name);
    env[n++] = arena_printf(arena, "WEIR_NODE=%s", crew->snap->node);
    return env;
}

/* Without one the rlimits bound it still, so that the job is done all the same. */
static struct cell *make_cell(const struct crew *crew)
{
    const struct worker_limits_conf *conf = &crew->conf->limits;
    const struct cgroup_limits limits = {.memory_bytes = (uint64_t)conf->memory_bytes,
                                         .cpu_percent = (uint64_t)conf->cores_percent,
                                         .processes = (uint64_t)conf->processes};
    struct err err = ERR_NONE;
    struct cell *cell;
    if (cell_make(&crew->shop->cells, crew->name, &limits, &cell, &err) < 0) {
        crew_count(crew, WORKER_UNGROUPED);
        log_write(process_log(crew->shop->loop), LOG_LEVEL_WARN, "worker %s: %s", crew->name,
                  err.text);
    }
    return cell;
}

struct run *launch(const struct crew *crew, const struct launch *what, run_fn *fn, void *ctx)
{
    const struct worker_conf *conf = crew->conf;
    struct arena arena;
    const struct run_manner manner = {
        .input_fd = what->input_fd,
        .is_served = what->is_served,
        .folder = conf->directory.ptr,
        .umask = conf->umask,
        .grace_ns = (uint64_t)conf->grace_ms * NS_PER_MS,
        .tail = what->tail,
        .user = crew->user,
        .memory_bytes = (uint64_t)conf->limits.memory_bytes,
        .cpu_s = (uint64_t)(conf->limits.cpu_ms + 999) / 1000,
        .processes = (uint64_t)conf->limits.processes,
        .files = (uint64_t)conf->limits.files,
        .file_bytes = (uint64_t)conf->limits.file_bytes,
        .take_cell = make_cell(crew),
    };
    arena_init(&arena);
    const struct run_spec spec = {
        .path = worker_program(conf).ptr,
        .argv = program_argv(worker_program(conf), worker_arguments(conf), &arena),
        .env = make_env(crew, what, &arena),
        .timeout_ns = what->timeout_ns,
        .manner = &manner,
    };
    struct run *run = run_start(crew->shop->loop, &spec, fn, ctx);
    orphans_look(crew->shop->orphans);
    arena_deinit(&arena);
    crew_count(crew, WORKER_STARTED);
    return run;
}
