/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CONF_H
#define WORKER_CONF_H

/*
 * The words of the process `worker`:
 *
 *     worker mailer {                        # does the jobs of a queue
 *         queue       mail
 *         exec        /srv/app/send-mail --fast
 *         concurrency 2..8                   # jobs at a time, more while they wait
 *         timeout     60s                    # then SIGTERM, and `grace` later SIGKILL
 *         env         LANG C.UTF-8
 *     }
 *     worker thumbs {                        # a program that does one job after the other
 *         queue   images
 *         serve   lines /srv/app/thumbs.py   # docs/formats/serve-lines.md
 *         recycle { jobs 1000; memory 300M }
 *     }
 *     programs { at-once 32 }                # those of checks and vips, see worker/asks.h
 */

#include "core/module.h"
#include "core/program.h"
#include <stdint.h>
#include <sys/types.h>

struct worker_exec_conf {
    struct conf_object object;
    struct slice program;           /* absolute */
    struct conf_list argument_list; /* of struct slice */
};

enum worker_serve { WORKER_SERVE_LINES };

struct worker_serve_conf {
    struct conf_object object;
    int kind;                       /* enum worker_serve */
    struct slice program;           /* absolute */
    struct conf_list argument_list; /* of struct slice */
};

struct worker_recycle_conf {
    struct conf_object object;
    int64_t jobs, memory_bytes; /* 0: however many */
};

struct worker_env_conf {
    struct conf_object object;
    struct slice name, value;
};

struct worker_crashes_conf {
    struct conf_object object;
    int64_t in_a_row;
    int64_t within_ms;
    struct conf_range backoff;
};

struct worker_scale_conf {
    struct conf_object object;
    int64_t age_ms, every_ms, idle_ms;
};

struct worker_limits_conf {
    struct conf_object object;
    int64_t memory_bytes, cpu_ms, cores_percent;
    int64_t processes, files, file_bytes; /* 0: as weir has it */
};

struct worker_conf {
    struct conf_object object;
    struct slice name;
    struct slice queue;
    struct worker_exec_conf *exec;   /* a program a job, or NULL */
    struct worker_serve_conf *serve; /* one for many, or NULL */
    int64_t ready_ms;
    struct worker_recycle_conf recycle;
    struct conf_range concurrency;
    struct worker_scale_conf scale;
    int64_t timeout_ms, grace_ms, answer_ms;
    int64_t output_bytes;
    struct conf_list env_list; /* of struct worker_env_conf */
    struct slice directory;
    struct slice umask_text;
    struct slice user, group; /* empty: worker's own */
    struct worker_limits_conf limits;
    struct worker_crashes_conf crashes;
    /* --- filled by finish and check --- */
    mode_t umask;
    const char *fact; /* "worker:NAME" */
};

struct programs_conf {
    struct conf_object object;
    int64_t at_once;
};

struct worker_module_conf {
    struct conf_object object;
    struct conf_list worker_list; /* of struct worker_conf */
    struct programs_conf programs;
};

extern const struct conf_word worker_words[];

/* The program that it starts, for a job or for many, and its arguments. */
static inline struct slice worker_program(const struct worker_conf *worker)
{
    return worker->exec ? worker->exec->program : worker->serve->program;
}

static inline const struct conf_list *worker_arguments(const struct worker_conf *worker)
{
    return worker->exec ? &worker->exec->argument_list : &worker->serve->argument_list;
}

/* Do programs that these two start differ in nothing? */
bool worker_is_same_program(const struct worker_conf *a, const struct worker_conf *b);

/* The module's check() and programs(). */
int worker_check(struct snapshot *snap, void *self, struct conf_load *load);
int worker_programs(const struct snapshot *snap, program_want_fn *want, void *ctx);

#endif
