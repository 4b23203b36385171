/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Workers beside the rest of the file: the queue of each, what its line looks like to a shell, the
 * programs that are looked for, and whether two differ in what they start.
 */

#include "worker/conf.h"

#include "worker/worker.h"

/* ---- a queue for each ------------------------------------------------------------------------ */

/* The queue's own socket is there with the first of its listeners. */
static int stop_at_jobs(void *ctx, const struct socket_want *want)
{
    (void)ctx;
    return slice_starts(slice_from(want->name), SLICE("jobs:")) ? -1 : 0;
}

/* The statement `queue NAME` of the file, and the name nearest to it: all that a neighbour
 * may know of a queue is what the file says. NULL: it has none. */
static const struct conf_stmt *find_queue(const struct snapshot *snap, struct slice name,
                                          struct slice_near *ret_near)
{
    const struct conf_stmt *root = snap->root, *found = NULL;
    *ret_near = slice_near_begin(name);
    for (size_t i = 0; root && i < root->n_children; i++) {
        const struct conf_stmt *stmt = root->children[i];
        if (stmt->n_tokens < 2 || !slice_is(stmt->tokens[0].text, "queue"))
            continue;
        slice_near_offer(ret_near, stmt->tokens[1].text);
        if (slice_equal(stmt->tokens[1].text, name))
            found = stmt;
    }
    return found;
}

static bool delivers(const struct conf_stmt *queue)
{
    bool does = false;
    for (size_t i = 2; i < queue->n_tokens; i++)
        does = does || slice_is(queue->tokens[i].text, "deliver");
    for (size_t i = 0; i < queue->n_children; i++)
        does = does || slice_is(queue->children[i]->tokens[0].text, "deliver");
    return does;
}

/* A queue needs no word to be there, so that a slip of the finger is a queue too. */
static void check_queue(const struct snapshot *snap, const struct worker_conf *worker,
                        struct conf_load *load)
{
    struct slice_near near;
    struct conf_at at = conf_where(&worker->object, "queue");
    const struct conf_stmt *queue = find_queue(snap, worker->queue, &near);
    if (!queue && near.best.len > 0)
        conf_warning(load->diag, at,
                     arena_printf(load->arena, "did you mean \"%.*s\"?", SLICE_ARG(near.best)),
                     "no `queue %.*s` is in the file: what fails there is tried again without an "
                     "end",
                     SLICE_ARG(worker->queue));
    if (queue && delivers(queue))
        conf_warning(
            load->diag, at, "a queue for each",
            "queue %.*s has a `deliver`: the worker and the pool take jobs from each other",
            SLICE_ARG(worker->queue));
}

/* What a shell would read, and nothing here does. */
static bool is_for_shell(struct slice word)
{
    static const char *const signs[] = {"|", "||", "&", "&&", ">", ">>", "<", "2>&1"};
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (slice_is(word, signs[i]))
            return true;
    return word.len > 0 && word.ptr[0] == '\'';
}

static void check_arguments(const struct worker_conf *worker, struct conf_load *load)
{
    const struct conf_list *list = worker_arguments(worker);
    const struct conf_object *object =
        worker->exec ? &worker->exec->object : &worker->serve->object;
    for (size_t i = 0; i < list->n_items; i++) {
        const struct slice *word = list->items[i];
        if (!is_for_shell(*word))
            continue;
        conf_warning(load->diag, conf_where(object, "PROGRAM"), "/bin/sh -c \"...\"",
                     "no shell reads this line: the program gets %.*s as an argument",
                     SLICE_ARG(*word));
        return;
    }
}

int worker_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    struct worker_module_conf *conf = self;
    bool has_jobs = snapshot_sockets(snap, "queue", stop_at_jobs, NULL) < 0;
    int result = 0;
    for (size_t i = 0; i < conf->worker_list.n_items; i++) {
        struct worker_conf *worker = conf->worker_list.items[i];
        worker->fact = arena_printf(load->arena, "worker:%.*s", SLICE_ARG(worker->name));
        check_queue(snap, worker, load);
        check_arguments(worker, load);
        if (!has_jobs && i == 0) /* for all */
            result =
                conf_error(load->diag, conf_where(&worker->object, "queue"), "jobs 127.0.0.1:11300",
                           "there is no queue here to take jobs from: no `jobs` is in the file");
    }
    return result;
}

int worker_programs(const struct snapshot *snap, program_want_fn *want, void *ctx)
{
    const struct worker_module_conf *conf = snapshot_conf(snap, &worker_module);
    for (size_t i = 0; i < conf->worker_list.n_items; i++) {
        const struct worker_conf *worker = conf->worker_list.items[i];
        const struct conf_object *object =
            worker->exec ? &worker->exec->object : &worker->serve->object;
        const struct program_want program = {.path = worker_program(worker),
                                             .at = conf_where(object, "PROGRAM"),
                                             .folder = worker->directory,
                                             .folder_at = conf_where(&worker->object, "directory"),
                                             .user = worker->user,
                                             .user_at = conf_where(&worker->object, "user"),
                                             .group = worker->group,
                                             .group_at = conf_where(&worker->object, "group")};
        if (want(ctx, &program) < 0)
            return -1;
    }
    return 0;
}

/* ---- the same? ------------------------------------------------------------------------------- */

static bool is_same_list(const struct conf_list *a, const struct conf_list *b,
                         bool (*is_same)(const void *a, const void *b))
{
    bool result = a->n_items == b->n_items;
    for (size_t i = 0; i < a->n_items && result; i++)
        result = is_same(a->items[i], b->items[i]);
    return result;
}

static bool is_same_slice(const void *a, const void *b)
{
    return slice_equal(*(const struct slice *)a, *(const struct slice *)b);
}

static bool is_same_env(const void *a, const void *b)
{
    const struct worker_env_conf *x = a, *y = b;
    return slice_equal(x->name, y->name) && slice_equal(x->value, y->value);
}

static bool is_same_limits(const struct worker_limits_conf *a, const struct worker_limits_conf *b)
{
    return a->memory_bytes == b->memory_bytes && a->cpu_ms == b->cpu_ms &&
           a->cores_percent == b->cores_percent && a->processes == b->processes &&
           a->files == b->files && a->file_bytes == b->file_bytes;
}

bool worker_is_same_program(const struct worker_conf *a, const struct worker_conf *b)
{
    return (a->exec != NULL) == (b->exec != NULL) &&
           slice_equal(worker_program(a), worker_program(b)) &&
           is_same_list(worker_arguments(a), worker_arguments(b), is_same_slice) &&
           is_same_list(&a->env_list, &b->env_list, is_same_env) &&
           slice_equal(a->directory, b->directory) && a->umask == b->umask &&
           slice_equal(a->user, b->user) && slice_equal(a->group, b->group) &&
           slice_equal(a->queue, b->queue) && is_same_limits(&a->limits, &b->limits);
}
