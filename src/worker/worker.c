/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The module worker: who asks for which program, and what becomes of it.
 */

#include "worker/worker.h"

#include "base/mem.h"
#include "core/process.h"
#include "core/program.h"
#include "worker/run.h"
#include <string.h>

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

/* A program that runs for somebody, or waits until another of its name is reaped. */
struct job {
    struct list node;
    struct worker *worker;
    struct program_ticket ticket;
    struct run *run;   /* NULL: it waits */
    bool is_cancelled; /* killed, nobody waits for its end */
    char *sole;        /* struct program_plan; NULL: it has no name */
    char *packed;      /* while it waits: the texts of the ask; else NULL */
    size_t n_texts;
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
     .doc = "the programs that are started for checks and vips"},
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
    mem_free(job->sole);
    mem_free(job->packed);
    mem_free(job);
}

/* The newest of that name that waits for another to be reaped; or one that is not yet. */
static struct job *find_sole(const struct worker *worker, const char *sole, bool is_waiting)
{
    LIST_EACH (node, &worker->jobs) {
        struct job *job = LIST_ENTRY(node, struct job, node);
        if (job->sole && (job->packed != NULL) == is_waiting && strcmp(job->sole, sole) == 0)
            return job;
    }
    return NULL;
}

static void start_waiting(struct worker *worker, const char *sole);

static void job_on_end(void *ctx, const struct program_result *result)
{
    struct job *job = ctx;
    struct worker *worker = job->worker;
    char *sole = job->sole;
    if (result->outcome == PROGRAM_NOT_STARTED)
        count(worker, PROGRAM_FAILED);
    if (result->outcome == PROGRAM_LATE)
        count(worker, PROGRAM_KILLED);
    if (!job->is_cancelled)
        program_answer(worker->process, job->ticket, result);
    job->sole = NULL;
    job_free(job);
    if (sole)
        start_waiting(worker, sole);
    mem_free(sole);
}

/* Nobody waits for it any more. One with a name keeps its place until it is reaped. */
static void job_cancel(struct job *job)
{
    if (job->run && job->sole) {
        job->is_cancelled = true;
        run_kill(job->run);
        return;
    }
    run_cancel(&job->run);
    job_free(job);
}

static struct job *job_create(struct worker *worker, struct program_ticket ticket)
{
    struct job *job = MEM_NEW(struct job);
    *job = (struct job){.worker = worker, .ticket = ticket};
    list_init(&job->node);
    list_add_back(&worker->jobs, &job->node);
    worker->n_jobs++;
    set_running(worker);
    return job;
}

static void job_run(struct job *job, const struct program_plan *plan)
{
    const struct run_spec spec = {
        .path = plan->path,
        .argv = plan->argv,
        .env = plan->env,
        .timeout_ns = plan->timeout_ns,
    };
    count(job->worker, PROGRAM_STARTED);
    job->run = run_start(job->worker->process->loops[0], &spec, job_on_end, job);
}

static void answer(const struct worker *worker, struct program_ticket ticket,
                   enum program_outcome outcome)
{
    const struct program_result result = {.outcome = outcome};
    program_answer(worker->process, ticket, &result);
}

/* ---- one at a time ---- */

/* Texts in one piece, each with its NUL. */
static char *pack(const struct slice *texts, size_t n_texts)
{
    struct text packed = TEXT_NONE;
    for (size_t i = 0; i < n_texts; i++) {
        text_append(&packed, texts[i]);
        text_append_char(&packed, '\0');
    }
    char *bytes = slice_dup(text_slice(&packed));
    text_deinit(&packed);
    return bytes;
}

/*
 * The ask takes the place of those of its name that are there: what waits is refused, what runs is
 * killed. Returns whether the job has to wait for that.
 */
static bool take_place(struct worker *worker, const char *sole)
{
    struct job *waiting = find_sole(worker, sole, true);
    struct job *running = find_sole(worker, sole, false);
    if (waiting) {
        answer(worker, waiting->ticket, PROGRAM_REFUSED);
        job_free(waiting);
    }
    if (running)
        run_kill(running->run);
    return running != NULL;
}

/* The one of that name that ran is reaped. The file may be another by now. */
static void start_waiting(struct worker *worker, const char *sole)
{
    struct job *job = find_sole(worker, sole, true);
    if (!job)
        return;
    struct slice texts[PROGRAM_TEXTS_MAX];
    const char *next = job->packed;
    for (size_t i = 0; i < job->n_texts; i++) {
        texts[i] = slice_from(next);
        next += texts[i].len + 1;
    }
    struct arena arena;
    struct program_plan plan;
    arena_init(&arena);
    if (snapshot_program(worker->snap, texts, job->n_texts, &arena, &plan) == 0) {
        job_run(job, &plan);
        mem_free(job->packed);
        job->packed = NULL;
    } else {
        answer(worker, job->ticket, PROGRAM_UNKNOWN);
        job_free(job);
    }
    arena_deinit(&arena);
}

/* ---- asks ---- */

static bool is_too_many(const struct worker *worker)
{
    const struct worker_conf *conf = snapshot_conf(worker->snap, &worker_module);
    return worker->n_jobs >= (uint64_t)conf->programs.at_once;
}

static void start(struct worker *worker, struct program_ticket ticket, const struct slice *texts,
                  size_t n_texts, const struct program_plan *plan)
{
    bool waits = plan->sole && take_place(worker, plan->sole);
    if (is_too_many(worker)) {
        count(worker, PROGRAM_TOO_MANY);
        answer(worker, ticket, PROGRAM_REFUSED);
        return;
    }
    struct job *job = job_create(worker, ticket);
    job->sole = plan->sole ? mem_strdup(plan->sole) : NULL;
    if (waits) {
        job->packed = pack(texts, n_texts);
        job->n_texts = n_texts;
    } else {
        job_run(job, plan);
    }
}

static void on_start(void *ctx, struct program_ticket ticket, const struct slice *texts,
                     size_t n_texts)
{
    struct worker *worker = ctx;
    struct arena arena;
    struct program_plan plan;
    arena_init(&arena);
    if (worker->snap && snapshot_program(worker->snap, texts, n_texts, &arena, &plan) == 0)
        start(worker, ticket, texts, n_texts, &plan);
    else
        answer(worker, ticket, PROGRAM_UNKNOWN);
    arena_deinit(&arena);
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

/* One is enough. */
static int stop_at_first(void *ctx, const struct program_want *want)
{
    (void)ctx;
    (void)want;
    return -1;
}

static bool worker_is_needed(const struct snapshot *snap)
{
    return snapshot_programs(snap, stop_at_first, NULL) < 0;
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
    while ((job = LIST_FIRST(&worker->jobs, struct job, node)) != NULL) {
        run_cancel(&job->run);
        job_free(job);
    }
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
    .start = worker_start,
    .commit = worker_commit,
    .stop = worker_stop,
    .status = worker_status,
};
