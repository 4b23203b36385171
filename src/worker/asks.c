/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who asks for which program, and what becomes of it.
 */

#include "worker/asks.h"

#include "base/mem.h"
#include "core/program.h"
#include "worker/conf.h"
#include "worker/count.h"
#include "worker/run.h"
#include "worker/worker.h"
#include <string.h>

struct asks {
    struct process *process;
    const struct snapshot *snap; /* the committed one; NULL: none yet */
    struct list list;
    uint32_t n_asks;
    struct metric_slab *slab; /* NULL: there is no room */
    struct orphans *orphans;
};

/* A program that runs for somebody, or waits until another of its name is reaped. */
struct ask {
    struct list node;
    struct asks *asks;
    struct program_ticket ticket;
    struct run *run;   /* NULL: it waits */
    bool is_cancelled; /* killed, nobody waits for its end */
    char *sole;        /* struct program_plan; NULL: it has no name */
    char *packed;      /* while it waits: the texts of the ask; else NULL */
    size_t n_texts;
};

void asks_count(const struct asks *asks, enum program_word word)
{
    if (asks->slab)
        metric_add(metric_row(asks->slab, 0), word, 1);
}

static void set_running(const struct asks *asks)
{
    if (asks->slab)
        metric_set(metric_row(asks->slab, 0), PROGRAM_RUNNING, asks->n_asks);
}

/* ---- asks ---- */

static void ask_free(struct ask *ask)
{
    list_remove(&ask->node);
    ask->asks->n_asks--;
    set_running(ask->asks);
    mem_free(ask->sole);
    mem_free(ask->packed);
    mem_free(ask);
}

/* The newest of that name that waits for another to be reaped; or one that is not yet. */
static struct ask *find_sole(const struct asks *asks, const char *sole, bool is_waiting)
{
    LIST_EACH (node, &asks->list) {
        struct ask *ask = LIST_ENTRY(node, struct ask, node);
        if (ask->sole && (ask->packed != NULL) == is_waiting && strcmp(ask->sole, sole) == 0)
            return ask;
    }
    return NULL;
}

static void start_waiting(struct asks *asks, const char *sole);

static void ask_on_end(void *ctx, const struct program_result *result)
{
    struct ask *ask = ctx;
    struct asks *asks = ask->asks;
    char *sole = ask->sole;
    orphans_look(asks->orphans);
    if (result->outcome == PROGRAM_NOT_STARTED)
        asks_count(asks, PROGRAM_FAILED);
    if (result->outcome == PROGRAM_LATE)
        asks_count(asks, PROGRAM_KILLED);
    if (!ask->is_cancelled)
        program_answer(asks->process, ask->ticket, result);
    ask->sole = NULL;
    ask_free(ask);
    if (sole)
        start_waiting(asks, sole);
    mem_free(sole);
}

/* Nobody waits for it any more. One with a name keeps its place until it is reaped. */
static void ask_cancel(struct ask *ask)
{
    if (ask->run && ask->sole) {
        ask->is_cancelled = true;
        run_kill(ask->run);
        return;
    }
    run_cancel(&ask->run);
    ask_free(ask);
}

static struct ask *ask_create(struct asks *asks, struct program_ticket ticket)
{
    struct ask *ask = MEM_NEW(struct ask);
    *ask = (struct ask){.asks = asks, .ticket = ticket};
    list_init(&ask->node);
    list_add_back(&asks->list, &ask->node);
    asks->n_asks++;
    set_running(asks);
    return ask;
}

static void ask_run(struct ask *ask, const struct program_plan *plan)
{
    const struct run_spec spec = {
        .path = plan->path,
        .argv = plan->argv,
        .env = plan->env,
        .timeout_ns = plan->timeout_ns,
    };
    asks_count(ask->asks, PROGRAM_STARTED);
    ask->run = run_start(ask->asks->process->loops[0], &spec, ask_on_end, ask);
    orphans_look(ask->asks->orphans);
}

static void answer(const struct asks *asks, struct program_ticket ticket,
                   enum program_outcome outcome)
{
    const struct program_result result = {.outcome = outcome};
    program_answer(asks->process, ticket, &result);
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
 * killed. Returns whether the ask has to wait for that.
 */
static bool take_place(struct asks *asks, const char *sole)
{
    struct ask *waiting = find_sole(asks, sole, true);
    struct ask *running = find_sole(asks, sole, false);
    if (waiting) {
        answer(asks, waiting->ticket, PROGRAM_REFUSED);
        ask_free(waiting);
    }
    if (running)
        run_kill(running->run);
    return running != NULL;
}

/* The one of that name that ran is reaped. The file may be another by now. */
static void start_waiting(struct asks *asks, const char *sole)
{
    struct ask *ask = find_sole(asks, sole, true);
    if (!ask)
        return;
    struct slice texts[PROGRAM_TEXTS_MAX];
    const char *next = ask->packed;
    for (size_t i = 0; i < ask->n_texts; i++) {
        texts[i] = slice_from(next);
        next += texts[i].len + 1;
    }
    struct arena arena;
    struct program_plan plan;
    arena_init(&arena);
    if (snapshot_program(asks->snap, texts, ask->n_texts, &arena, &plan) == 0) {
        ask_run(ask, &plan);
        mem_free(ask->packed);
        ask->packed = NULL;
    } else {
        answer(asks, ask->ticket, PROGRAM_UNKNOWN);
        ask_free(ask);
    }
    arena_deinit(&arena);
}

/* ---- asks ---- */

static bool is_too_many(const struct asks *asks)
{
    const struct worker_module_conf *conf = snapshot_conf(asks->snap, &worker_module);
    return asks->n_asks >= (uint64_t)conf->programs.at_once;
}

static void start(struct asks *asks, struct program_ticket ticket, const struct slice *texts,
                  size_t n_texts, const struct program_plan *plan)
{
    bool waits = plan->sole && take_place(asks, plan->sole);
    if (is_too_many(asks)) {
        asks_count(asks, PROGRAM_TOO_MANY);
        answer(asks, ticket, PROGRAM_REFUSED);
        return;
    }
    struct ask *ask = ask_create(asks, ticket);
    ask->sole = plan->sole ? mem_strdup(plan->sole) : NULL;
    if (waits) {
        ask->packed = pack(texts, n_texts);
        ask->n_texts = n_texts;
    } else {
        ask_run(ask, plan);
    }
}

static void on_start(void *ctx, struct program_ticket ticket, const struct slice *texts,
                     size_t n_texts)
{
    struct asks *asks = ctx;
    struct arena arena;
    struct program_plan plan;
    arena_init(&arena);
    if (asks->snap && snapshot_program(asks->snap, texts, n_texts, &arena, &plan) == 0)
        start(asks, ticket, texts, n_texts, &plan);
    else
        answer(asks, ticket, PROGRAM_UNKNOWN);
    arena_deinit(&arena);
}

static void on_cancel(void *ctx, struct program_ticket ticket)
{
    struct asks *asks = ctx;
    LIST_EACH (node, &asks->list) {
        struct ask *ask = LIST_ENTRY(node, struct ask, node);
        if (ask->ticket.link != ticket.link || ask->ticket.id != ticket.id)
            continue;
        ask_cancel(ask);
        return;
    }
}

static void on_gone(void *ctx, uint64_t link)
{
    struct asks *asks = ctx;
    LIST_EACH (node, &asks->list) {
        struct ask *ask = LIST_ENTRY(node, struct ask, node);
        if (ask->ticket.link == link)
            ask_cancel(ask);
    }
}

static const struct program_calls calls = {.start = on_start, .cancel = on_cancel, .gone = on_gone};

/* ---- life ---- */

struct asks *asks_create(struct process *process, struct orphans *orphans)
{
    struct asks *asks = MEM_NEW(struct asks);
    asks->process = process;
    asks->orphans = orphans;
    asks->slab = metric_open(process->board, &program_metrics, "", 1, true);
    list_init(&asks->list);
    program_serve(process, &calls, asks);
    return asks;
}

void asks_commit(struct asks *asks, const struct snapshot *snap)
{
    asks->snap = snap;
}

void asks_destroy(struct asks **asks_ptr)
{
    struct asks *asks = *asks_ptr;
    struct ask *ask;
    *asks_ptr = NULL;
    while ((ask = LIST_FIRST(&asks->list, struct ask, node)) != NULL) {
        run_cancel(&ask->run);
        ask_free(ask);
    }
    if (asks->slab)
        metric_forget(asks->slab);
    mem_free(asks);
}

uint32_t asks_running(const struct asks *asks)
{
    return asks->n_asks;
}

bool asks_has(const struct asks *asks, pid_t pid)
{
    LIST_EACH (node, &asks->list) {
        const struct ask *ask = LIST_ENTRY(node, struct ask, node);
        if (ask->run && run_pid(ask->run) == pid)
            return true;
    }
    return false;
}
