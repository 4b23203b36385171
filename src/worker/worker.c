/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The module worker: who asks for which program, and what becomes of it.
 */

#include "worker/worker.h"

#include "base/mem.h"
#include "core/process.h"
#include "core/program.h"
#include "pool/pool.h"
#include "worker/run.h"
#include <stdio.h>

enum { NS_PER_MS = 1000000, ENV_TEXT_MAX = 160, ENV_MAX = 6 };

struct worker_conf {
    struct conf_object object;
    struct {
        struct conf_object object;
        int64_t at_once; /* 32 */
    } programs;
};

struct worker {
    struct process *process;
    const struct snapshot *snap; /* the committed one; NULL: none yet */
    struct list jobs;
    uint32_t n_jobs;
    struct metric_slab *slab; /* NULL: there is no room */
};

/* A program that runs for somebody. */
struct job {
    struct list node;
    struct worker *worker;
    struct program_ticket ticket;
    struct run *run;
};

/* ---- words ---- */

static const struct conf_word programs_words[] = {
    {.name = "at-once",
     .type = CONF_INT,
     .offset =
         offsetof(struct worker_conf, programs.at_once) - offsetof(struct worker_conf, programs),
     .fallback = "32",
     .min = 1,
     .max = 1024,
     .doc = "programs that run at a time; a check beyond that says nothing of its member"},
    {0},
};

static const struct conf_block programs_block = {
    .size = sizeof(((struct worker_conf *)NULL)->programs),
    .words = programs_words,
};

static const struct conf_word worker_words[] = {
    {.name = "programs",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct worker_conf, programs),
     .block = &programs_block,
     .doc = "the programs that are started for checks"},
    {0},
};

/* ---- metrics ---- */

#define COUNTER(word_, name_, help_)                                              \
    {                                                                             \
        .name = (name_), .type = METRIC_COUNTER, .word = (word_), .help = (help_) \
    }

static const struct metric_def program_defs[] = {
    {.name = "running",
     .type = METRIC_GAUGE,
     .word = PROGRAM_RUNNING,
     .help = "Programs that run now."},
    COUNTER(PROGRAM_STARTED, "started", "Programs that were started."),
    COUNTER(PROGRAM_FAILED, "failed", "Programs that could not be executed."),
    COUNTER(PROGRAM_KILLED, "killed", "Programs that were killed when their time was over."),
    COUNTER(PROGRAM_TOO_MANY, "refused", "Programs that were not started: too many ran."),
    {0},
};

static const struct metric_table program_metrics = {
    .name = "program",
    .n_words = PROGRAM_WORDS,
    .defs = program_defs,
};

static const struct metric_table *const metrics[] = {&program_metrics, NULL};

static void count(const struct worker *worker, enum program_word word)
{
    if (worker->slab)
        metric_add(metric_row(worker->slab, 0), word, 1);
}

static void set_running(const struct worker *worker)
{
    if (worker->slab)
        metric_set(metric_row(worker->slab, 0), PROGRAM_RUNNING, worker->n_jobs);
}

/* ---- jobs ---- */

static void job_free(struct job *job)
{
    list_remove(&job->node);
    job->worker->n_jobs--;
    set_running(job->worker);
    mem_free(job);
}

static void job_on_end(void *ctx, const struct program_result *result)
{
    struct job *job = ctx;
    struct worker *worker = job->worker;
    if (result->outcome == PROGRAM_NOT_STARTED)
        count(worker, PROGRAM_FAILED);
    if (result->outcome == PROGRAM_LATE)
        count(worker, PROGRAM_KILLED);
    program_answer(worker->process, job->ticket, result);
    job_free(job);
}

static void job_cancel(struct job *job)
{
    run_cancel(&job->run);
    job_free(job);
}

/* The program of a check, started with what its member is. */
static void start_check(struct worker *worker, struct program_ticket ticket,
                        const struct member *member, struct slice address, struct slice port)
{
    const struct check_conf *check = member->pool->check;
    size_t n_args = check->argument_list.n_items;
    const char **argv = MEM_NEW_ARRAY(const char *, n_args + 2);
    char env_texts[4][ENV_TEXT_MAX];
    const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               env_texts[0],
                               env_texts[1],
                               env_texts[2],
                               env_texts[3],
                               NULL};
    snprintf(env_texts[0], ENV_TEXT_MAX, "WEIR_POOL=%s", member->pool->name.ptr);
    snprintf(env_texts[1], ENV_TEXT_MAX, "WEIR_MEMBER=%s", member->name.ptr);
    snprintf(env_texts[2], ENV_TEXT_MAX, "WEIR_ADDRESS=%.*s", SLICE_ARG(address));
    snprintf(env_texts[3], ENV_TEXT_MAX, "WEIR_PORT=%.*s", SLICE_ARG(port));
    argv[0] = check->program.ptr;
    for (size_t i = 0; i < n_args; i++)
        argv[i + 1] = ((const struct slice *)check->argument_list.items[i])->ptr;
    const struct run_spec spec = {
        .path = check->program.ptr,
        .argv = argv,
        .env = env,
        .timeout_ns = (uint64_t)check->timeout_ms * NS_PER_MS,
    };
    struct job *job = MEM_NEW(struct job);
    *job = (struct job){.worker = worker, .ticket = ticket};
    list_init(&job->node);
    list_add_back(&worker->jobs, &job->node);
    worker->n_jobs++;
    count(worker, PROGRAM_STARTED);
    set_running(worker);
    job->run = run_start(worker->process->loops[0], &spec, job_on_end, job);
    mem_free((void *)argv);
}

/* The member "web/app1" of a pool whose check is a program, or NULL. */
static const struct member *find_member(const struct worker *worker, struct slice label)
{
    const struct pool *pool = worker->snap ? pool_find(worker->snap, slice_cut(&label, '/')) : NULL;
    if (!pool || !pool->check || pool->check->kind != CHECK_EXEC)
        return NULL;
    for (uint32_t i = 0; i < pool->n_members; i++) {
        if (slice_equal(pool->members[i]->name, label))
            return pool->members[i];
    }
    return NULL;
}

static bool is_too_many(const struct worker *worker)
{
    const struct worker_conf *conf = snapshot_conf(worker->snap, &worker_module);
    return worker->n_jobs >= (uint64_t)conf->programs.at_once;
}

static void on_start(void *ctx, struct program_ticket ticket, const struct slice *texts,
                     size_t n_texts)
{
    struct worker *worker = ctx;
    bool is_check = n_texts == 4 && slice_is(texts[0], "check");
    const struct member *member = is_check ? find_member(worker, texts[1]) : NULL;
    struct program_result refusal = {.outcome = PROGRAM_UNKNOWN};
    if (!member) {
        program_answer(worker->process, ticket, &refusal);
        return;
    }
    if (is_too_many(worker)) {
        count(worker, PROGRAM_TOO_MANY);
        refusal.outcome = PROGRAM_REFUSED;
        program_answer(worker->process, ticket, &refusal);
        return;
    }
    start_check(worker, ticket, member, texts[2], texts[3]);
}

static void on_cancel(void *ctx, struct program_ticket ticket)
{
    struct worker *worker = ctx;
    LIST_EACH (node, &worker->jobs) {
        struct job *job = LIST_ENTRY(node, struct job, node);
        if (job->ticket.link != ticket.link || job->ticket.id != ticket.id)
            continue;
        job_cancel(job);
        return;
    }
}

static void on_gone(void *ctx, uint64_t link)
{
    struct worker *worker = ctx;
    LIST_EACH (node, &worker->jobs) {
        struct job *job = LIST_ENTRY(node, struct job, node);
        if (job->ticket.link == link)
            job_cancel(job);
    }
}

static const struct program_calls calls = {.start = on_start, .cancel = on_cancel, .gone = on_gone};

/* ---- life ---- */

static bool worker_is_needed(const struct snapshot *snap)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    for (uint32_t i = 0; i < conf->n_pools; i++) {
        if (conf->pools[i]->check && conf->pools[i]->check->kind == CHECK_EXEC)
            return true;
    }
    return false;
}

static int worker_programs(const struct snapshot *snap, program_want_fn *want, void *ctx)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    for (uint32_t i = 0; i < conf->n_pools; i++) {
        const struct check_conf *check = conf->pools[i]->check;
        if (!check || check->kind != CHECK_EXEC)
            continue;
        const struct program_want program = {
            .path = check->program,
            .at = conf_where(&check->object, "PROGRAM"),
        };
        if (want(ctx, &program) < 0)
            return -1;
    }
    return 0;
}

static int worker_start(struct process *process, void **ret_state, struct err *err)
{
    (void)err;
    struct worker *worker = MEM_NEW(struct worker);
    worker->process = process;
    worker->slab = metric_open(process->board, &program_metrics, "", 1, true);
    list_init(&worker->jobs);
    program_serve(process, &calls, worker);
    *ret_state = worker;
    return 0;
}

static void worker_commit(void *state, struct snapshot *snap)
{
    ((struct worker *)state)->snap = snap;
}

static void worker_stop(void *state)
{
    struct worker *worker = state;
    struct job *job;
    while ((job = LIST_FIRST(&worker->jobs, struct job, node)) != NULL)
        job_cancel(job);
    if (worker->slab)
        metric_forget(worker->slab);
    mem_free(worker);
}

static void worker_status(void *state, struct json *json)
{
    json_key(json, "running");
    json_uint(json, ((const struct worker *)state)->n_jobs);
}

const struct module worker_module = {
    .name = "worker",
    .doc = "starts the programs that the file names",
    .words = worker_words,
    .conf_size = sizeof(struct worker_conf),
    .metrics = metrics,
    .process = "worker",
    .is_needed = worker_is_needed,
    .sandbox = {.allow = SANDBOX_EXEC},
    .programs = worker_programs,
    .start = worker_start,
    .commit = worker_commit,
    .stop = worker_stop,
    .status = worker_status,
};
