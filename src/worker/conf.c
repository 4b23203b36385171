/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `worker` and `programs`, and what one worker must say.
 */

#include "worker/conf.h"

#include "wire/jobproto.h"
#include "worker/worker.h"

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)

enum { READY_MS = 60 * 1000, CONCURRENCY_MAX = 1000, OUTPUT_MAX = 8 << 20, UMASK_MAX = 0777 };

/* ---- exec, env ------------------------------------------------------------------------------- */

static const struct conf_word exec_args[] = {
    {.name = "PROGRAM",
     .type = CONF_PATH,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct worker_exec_conf, program),
     .doc = "the file that is executed for each job, which it reads from standard input; it finds "
            "WEIR_JOB_ID, WEIR_JOB_ATTEMPT, WEIR_QUEUE, WEIR_WORKER and WEIR_NODE in its "
            "environment"},
    {.name = "ARGUMENT",
     .type = CONF_STRING,
     .flags = CONF_OPTIONAL | CONF_REPEAT,
     .offset = offsetof(struct worker_exec_conf, argument_list),
     .doc = "its arguments"},
    {0},
};

static const struct conf_block exec_block = {
    .size = sizeof(struct worker_exec_conf),
    .args = exec_args,
};

static const struct conf_choice serve_kinds[] = {
    {.name = "lines", .value = WORKER_SERVE_LINES, .doc = "a line of JSON a job"},
    {.name = NULL},
};

static const struct conf_word serve_args[] = {
    {.name = "FORM",
     .type = CONF_CHOICE,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct worker_serve_conf, kind),
     .choices = serve_kinds,
     .doc = "how it is told of a job, and answers"},
    {.name = "PROGRAM",
     .type = CONF_PATH,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct worker_serve_conf, program),
     .doc = "the file that is executed; it reads jobs from standard input, answers on descriptor "
            "3, and finds WEIR_QUEUE, WEIR_WORKER and WEIR_NODE in its environment"},
    {.name = "ARGUMENT",
     .type = CONF_STRING,
     .flags = CONF_OPTIONAL | CONF_REPEAT,
     .offset = offsetof(struct worker_serve_conf, argument_list),
     .doc = "its arguments"},
    {0},
};

static const struct conf_block serve_block = {
    .size = sizeof(struct worker_serve_conf),
    .args = serve_args,
};

#define RECYCLE(field) offsetof(struct worker_recycle_conf, field)

static const struct conf_word recycle_words[] = {
    {.name = "jobs",
     .type = CONF_INT,
     .offset = RECYCLE(jobs),
     .min = 1,
     .max = INT32_MAX,
     .doc = "after so many jobs"},
    {.name = "memory",
     .type = CONF_SIZE,
     .offset = RECYCLE(memory_bytes),
     .min = 1 << 20,
     .max = INT64_MAX / 2,
     .doc = "when it has this much memory (resident) behind a job"},
    {0},
};

static const struct conf_block recycle_block = {
    .size = sizeof(struct worker_recycle_conf),
    .words = recycle_words,
};

static const struct conf_word env_args[] = {
    {.name = "NAME",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct worker_env_conf, name),
     .doc = "the name of the variable"},
    {.name = "VALUE",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct worker_env_conf, value),
     .doc = "its value"},
    {0},
};

static int env_finish(struct conf_load *load, void *self)
{
    const struct worker_env_conf *env = self;
    struct conf_at at = conf_where(&env->object, "NAME");
    if (env->name.len == 0 || slice_find(env->name, '=') < env->name.len)
        return conf_error(load->diag, at, "env LANG C.UTF-8", "a variable cannot be called so");
    if (slice_starts(env->name, SLICE("WEIR_")))
        return conf_error(load->diag, at, NULL, "what begins with WEIR_ is set by weir itself");
    return 0;
}

static const struct conf_block env_block = {
    .size = sizeof(struct worker_env_conf),
    .args = env_args,
    .finish = env_finish,
};

/* ---- crashes --------------------------------------------------------------------------------- */

#define CRASHES(field) offsetof(struct worker_crashes_conf, field)

static const struct conf_word crashes_words[] = {
    {.name = "in-a-row",
     .type = CONF_INT,
     .offset = CRASHES(in_a_row),
     .fallback = "5",
     .min = 1,
     .max = 1000,
     .doc = "programs that fail at once, after which no job is taken for a while; one that cannot "
            "be executed is enough"},
    {.name = "within",
     .type = CONF_TIME,
     .offset = CRASHES(within_ms),
     .fallback = "1s",
     .min = 1,
     .max = HOUR,
     .doc = "what at once is: so long after its start"},
    {.name = "backoff",
     .type = CONF_TIMES,
     .offset = CRASHES(backoff),
     .fallback = "1s..1m",
     .min = 10,
     .max = 24 * HOUR,
     .doc = "how long the first and the longest wait is; each is twice the one before, and behind "
            "it one job is tried"},
    {0},
};

static const struct conf_block crashes_block = {
    .size = sizeof(struct worker_crashes_conf),
    .words = crashes_words,
};

/* ---- scale ----------------------------------------------------------------------------------- */

#define SCALE(field) offsetof(struct worker_scale_conf, field)

static const struct conf_word scale_words[] = {
    {.name = "age",
     .type = CONF_TIME,
     .offset = SCALE(age_ms),
     .fallback = "1s",
     .min = 1,
     .max = 24 * HOUR,
     .doc = "how long the oldest job may wait before more are done at a time; more do so at once "
            "where more wait than are done"},
    {.name = "every",
     .type = CONF_TIME,
     .offset = SCALE(every_ms),
     .fallback = "1s",
     .min = 10,
     .max = HOUR,
     .doc = "how often the queue is looked at; each time the number rises by a half, at most"},
    {.name = "idle",
     .type = CONF_TIME,
     .offset = SCALE(idle_ms),
     .fallback = "30s",
     .min = 10,
     .max = 24 * HOUR,
     .doc = "how long so many have not been needed before it falls to as many as were"},
    {0},
};

static const struct conf_block scale_block = {
    .size = sizeof(struct worker_scale_conf),
    .words = scale_words,
};

/* ---- limits ---------------------------------------------------------------------------------- */

#define LIMITS(field) offsetof(struct worker_limits_conf, field)

static const struct conf_word limits_words[] = {
    {.name = "memory",
     .type = CONF_SIZE,
     .offset = LIMITS(memory_bytes),
     .min = 1 << 20,
     .max = INT64_MAX / 2,
     .doc =
         "address space of each of its processes (RLIMIT_AS); to ask for more fails. With control "
         "groups (`cgroup`) also what all of them use together, with the pages of files and "
         "without swap (memory.max); then all of them are killed, and the job's error says so"},
    {.name = "cpu",
     .type = CONF_TIME,
     .offset = LIMITS(cpu_ms),
     .min = SECOND,
     .max = 7 * 24 * HOUR,
     .doc = "processor time of each of its processes (RLIMIT_CPU); then it gets SIGXCPU, and a "
            "second later SIGKILL"},
    {.name = "cores",
     .type = CONF_PERCENT,
     .offset = LIMITS(cores_percent),
     .min = 1,
     .max = 100 * 1024,
     .doc = "how much of the processors all of its processes get together, 150% being one and a "
            "half (cpu.max); beyond it they wait. Control groups alone can do this (`cgroup`): "
            "without them the log has a warning"},
    {.name = "processes",
     .type = CONF_INT,
     .offset = LIMITS(processes),
     .min = 1,
     .max = 1000000,
     .doc =
         "processes and threads of its `user`, those of all its jobs together (RLIMIT_NPROC); with "
         "control groups also those of one program (pids.max)"},
    {.name = "files",
     .type = CONF_INT,
     .offset = LIMITS(files),
     .fallback = "1024",
     .min = 16,
     .max = 1000000,
     .doc = "open files of each of its processes (RLIMIT_NOFILE)"},
    {.name = "file",
     .type = CONF_SIZE,
     .offset = LIMITS(file_bytes),
     .min = 1,
     .max = INT64_MAX / 2,
     .doc = "how large a file may become that it writes (RLIMIT_FSIZE); then it gets SIGXFSZ"},
    {0},
};

static const struct conf_block limits_block = {
    .size = sizeof(struct worker_limits_conf),
    .words = limits_words,
};

/* ---- worker ---------------------------------------------------------------------------------- */

#define WORKER(field) offsetof(struct worker_conf, field)

static const struct conf_word one_worker_args[] = {
    {.name = "name",
     .type = CONF_NAME,
     .offset = WORKER(name),
     .flags = CONF_REQUIRED,
     .doc = "what it is called in facts and metrics"},
    {0},
};

static const struct conf_word one_worker_words[] = {
    {.name = "queue",
     .type = CONF_NAME,
     .flags = CONF_REQUIRED,
     .offset = WORKER(queue),
     .doc = "whose jobs it does"},
    {.name = "exec",
     .type = CONF_BLOCK,
     .offset = WORKER(exec),
     .block = &exec_block,
     .doc = "the program of a job. Exit status 0: done, and the end of what it printed is the "
            "result; 75: tried again; 100: buried; any other and a signal: tried again, with the "
            "reason. When, and how often, is the queue's `retry`"},
    {.name = "serve",
     .type = CONF_BLOCK,
     .offset = WORKER(serve),
     .block = &serve_block,
     .doc = "in place of `exec`: a program that does one job after the other, of which as many run "
            "as `concurrency` says. It says when it is ready, and of each job whether it is done, "
            "to be tried again or to be buried; docs/formats/serve-lines.md"},
    {.name = "ready",
     .type = CONF_TIME,
     .offset = WORKER(ready_ms),
     .fallback = "1m",
     .min = 10,
     .max = HOUR,
     .doc = "how long a served program may take until it says that it is ready; then it is killed"},
    {.name = "recycle",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = WORKER(recycle),
     .block = &recycle_block,
     .doc = "when a served program is ended, between two jobs, and another takes its place"},
    {.name = "concurrency",
     .type = CONF_INTS,
     .offset = WORKER(concurrency),
     .fallback = "1",
     .min = 1,
     .max = CONCURRENCY_MAX,
     .doc = "jobs that are done at a time, at most; 2..20: two, and up to twenty while jobs wait, "
            "by the words of `scale`"},
    {.name = "scale",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = WORKER(scale),
     .block = &scale_block,
     .doc = "when it does more jobs at a time, and when fewer"},
    {.name = "timeout",
     .type = CONF_TIME,
     .offset = WORKER(timeout_ms),
     .fallback = "1h",
     .min = 10,
     .max = 7 * 24 * HOUR,
     .doc = "how long a job may take; then its program gets SIGTERM, and it is tried again"},
    {.name = "grace",
     .type = CONF_TIME,
     .offset = WORKER(grace_ms),
     .fallback = "10s",
     .min = 0,
     .max = HOUR,
     .doc = "between SIGTERM and SIGKILL, which goes to all of its process group; a stop waits no "
            "longer than `stop-timeout`"},
    {.name = "output",
     .type = CONF_SIZE,
     .offset = WORKER(output_bytes),
     .fallback = "65535",
     .min = 0,
     .max = OUTPUT_MAX,
     .doc = "how much of the end of what it prints is the result; the queue takes no more than its "
            "`limits job`"},
    {.name = "env",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = WORKER(env_list),
     .block = &env_block,
     .doc = "a variable of its environment, beside PATH and those of weir"},
    {.name = "directory",
     .type = CONF_PATH,
     .offset = WORKER(directory),
     .fallback = "/",
     .doc = "where it starts"},
    {.name = "umask",
     .type = CONF_STRING,
     .offset = WORKER(umask_text),
     .fallback = "077",
     .doc = "the permissions, in octal, that files which it makes do not get"},
    {.name = "user",
     .type = CONF_NAME,
     .offset = WORKER(user),
     .doc = "whom it becomes, with HOME, USER and LOGNAME; weir has to be started as root. Without "
            "it, whom weir's processes become"},
    {.name = "group",
     .type = CONF_NAME,
     .offset = WORKER(group),
     .doc = "its group, and no other; without it, all groups of `user`"},
    {.name = "limits",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = WORKER(limits),
     .block = &limits_block,
     .doc = "what the kernel lets it have"},
    {.name = "crashes",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = WORKER(crashes),
     .block = &crashes_block,
     .doc = "when a program that fails whatever the job is not started for a while"},
    {.name = "answer",
     .type = CONF_TIME,
     .offset = WORKER(answer_ms),
     .fallback = "1m",
     .min = 100,
     .max = HOUR,
     .doc = "how long the queue may take to answer, and to be back when it is gone; then a job "
            "whose program runs is given up"},
    {0},
};

static int read_umask(struct conf_load *load, struct worker_conf *worker)
{
    mode_t mask = 0;
    bool is_wrong = worker->umask_text.len == 0;
    for (size_t i = 0; i < worker->umask_text.len; i++) {
        char digit = worker->umask_text.ptr[i];
        is_wrong |= digit < '0' || digit > '7' || mask > UMASK_MAX;
        mask = mask * 8 + (mode_t)(digit - '0');
    }
    if (is_wrong || mask > UMASK_MAX)
        return conf_error(load->diag, conf_where(&worker->object, "umask"), "umask 027",
                          "permissions are three octal digits");
    worker->umask = mask;
    return 0;
}

/* One of two ways to do a job, and no word that belongs to the other. */
static int check_program(struct conf_load *load, const struct worker_conf *worker)
{
    if (worker->exec && worker->serve)
        return conf_error(load->diag, worker->serve->object.at, NULL,
                          "a worker has `exec`, a program a job, or `serve`, one for many");
    if (!worker->exec && !worker->serve)
        return conf_error(load->diag, worker->object.at, "exec /srv/app/send-mail",
                          "a worker needs a program: `exec` or `serve`");
    if (worker->exec && (worker->recycle.jobs > 0 || worker->recycle.memory_bytes > 0))
        return conf_error(load->diag, worker->recycle.object.at, NULL,
                          "`recycle` is for `serve`: what `exec` starts ends with its job");
    if (worker->exec && worker->ready_ms != READY_MS) /* `check --full` writes what is default */
        return conf_error(load->diag, conf_where(&worker->object, "ready"), NULL,
                          "`ready` is for `serve`: what `exec` starts has its job at once");
    return 0;
}

static int worker_finish(struct conf_load *load, void *self)
{
    struct worker_conf *worker = self;
    int result = read_umask(load, worker);
    if (check_program(load, worker) < 0)
        result = -1;
    if (worker->queue.len > 0 && !jobproto_is_tube(worker->queue))
        result = conf_error(load->diag, conf_where(&worker->object, "queue"), NULL,
                            "no queue can be called so");
    if (worker->limits.processes > 0 && worker->user.len == 0)
        result =
            conf_error(load->diag, conf_where(&worker->limits.object, "processes"), "user NAME",
                       "the kernel counts all processes of a user: give the worker a `user` "
                       "of its own");
    return result;
}

static const struct conf_block worker_block = {
    .size = sizeof(struct worker_conf),
    .args = one_worker_args,
    .words = one_worker_words,
    .finish = worker_finish,
};

/* ---- programs -------------------------------------------------------------------------------- */

static const struct conf_word programs_words[] = {
    {.name = "at-once",
     .type = CONF_INT,
     .offset = offsetof(struct programs_conf, at_once),
     .fallback = "32",
     .min = 1,
     .max = 1024,
     .doc = "programs that run at a time; a check beyond that says nothing of its member"},
    {0},
};

static const struct conf_block programs_block = {
    .size = sizeof(struct programs_conf),
    .words = programs_words,
};

/* ---- the module ------------------------------------------------------------------------------ */

const struct conf_word worker_words[] = {
    {.name = "worker",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct worker_module_conf, worker_list),
     .block = &worker_block,
     .doc = "programs that do the jobs of a queue"},
    {.name = "programs",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct worker_module_conf, programs),
     .block = &programs_block,
     .doc = "the programs that are started for checks and vips"},
    {0},
};
