/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The threads of a process: a loop each, loop 0 in the main thread; and how something is run once
 * in every one of them.
 */

#include "base/mem.h"
#include "core/process_life.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>

struct process *process_of(const struct loop *loop)
{
    return loop_context(loop);
}

struct log *process_log(const struct loop *loop)
{
    struct process *process = loop_context(loop);
    return process ? process->logs[loop_index(loop)] : NULL;
}

int process_loops_create(struct process_life *life, int log_fd, int log_bell_fd,
                         enum log_level level, struct err *err)
{
    struct process *process = &life->process;
    for (uint32_t i = 0; i < process->n_loops; i++) {
        if (log_open(log_fd, log_bell_fd, i, level, &process->logs[i], err) < 0)
            return -1;
        if (loop_create(i, &process->loops[i], err) < 0)
            return err_prefix(err, "loop %u", (unsigned)i);
        loop_set_context(process->loops[i], process);
    }
    return 0;
}

static void *loop_thread(void *ctx)
{
    struct loop *loop = ctx;
    char name[16];
    snprintf(name, sizeof(name), "%.10s/%u", process_of(loop)->kind, (unsigned)loop_index(loop));
    prctl(PR_SET_NAME, name, 0, 0, 0);
    loop_set_heartbeat(loop, board_heartbeat(process_of(loop)->board, loop_index(loop)));
    loop_run(loop);
    return NULL;
}

int process_loops_start(struct process_life *life, struct err *err)
{
    struct process *process = &life->process;
    loop_set_heartbeat(process->loops[0], board_heartbeat(process->board, 0));
    for (uint32_t i = 1; i < process->n_loops; i++) {
        int result = pthread_create(&life->threads[i], NULL, loop_thread, process->loops[i]);
        if (result != 0)
            return err_set_errno(err, result, "cannot start the thread of loop %u", (unsigned)i);
    }
    life->has_threads = true;
    return 0;
}

void process_loops_join(struct process_life *life)
{
    for (uint32_t i = 1; life->has_threads && i < life->process.n_loops; i++) {
        loop_stop(life->process.loops[i]);
        pthread_join(life->threads[i], NULL);
    }
    life->has_threads = false;
}

/* --- once in each loop ------------------------------------------------------------------------ */

struct each;

struct each_task {
    struct loop_task task;
    struct each *each;
};

struct each {
    struct process *process;
    process_each_fn *fn;
    void *ctx;
    void (*done)(struct process *process, void *ctx);
    _Atomic uint32_t n_left;
    struct loop_task done_task;
    struct each_task tasks[];
};

static void each_done(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    struct each *each = CONTAINER_OF(task, struct each, done_task);
    if (each->done)
        each->done(each->process, each->ctx);
    mem_free(each);
}

static void each_run(struct loop *loop, struct each *each)
{
    each->fn(loop, each->ctx);
    if (atomic_fetch_sub_explicit(&each->n_left, 1, memory_order_acq_rel) == 1)
        loop_post(each->process->loops[0], &each->done_task, each_done);
}

static void each_on_task(struct loop *loop, struct loop_task *task)
{
    each_run(loop, CONTAINER_OF(task, struct each_task, task)->each);
}

void process_each_loop(struct process *process, process_each_fn *fn, void *ctx,
                       void (*done)(struct process *process, void *ctx))
{
    struct each *each =
        mem_alloc_zero(1, sizeof(*each) + process->n_loops * sizeof(struct each_task));
    each->process = process;
    each->fn = fn;
    each->ctx = ctx;
    each->done = done;
    atomic_init(&each->n_left, process->n_loops);
    for (uint32_t i = 1; i < process->n_loops; i++) {
        each->tasks[i].each = each;
        loop_post(process->loops[i], &each->tasks[i].task, each_on_task);
    }
    each_run(process->loops[0], each);
}
