/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starting a program, reading what it prints, and ending it.
 */

#include "worker/run.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a pipe can hold is read at the end, and no more: another may have it and print for ever. */
enum { NO_FD = -1, READ_BYTES = 64 * 1024, LAST_ROUNDS = 32, CPU_GRACE_S = 1 };

struct run {
    struct loop *loop;
    run_fn *fn; /* NULL: cancelled */
    void *ctx;
    pid_t pid;             /* 0: none could be made */
    struct loop_io ended;  /* the pidfd */
    struct loop_io output; /* the pipe */
    int failure_fd;        /* a pipe that says why it could not be executed */
    struct loop_timer limit;
    struct program_result result;
    size_t n_output;
    size_t n_line;
    uint64_t grace_ns;
    struct cell *cell; /* NULL: it has no control group */
    struct tail *tail; /* NULL: the first line is all that is wanted */
    bool has_line;     /* the first line has ended */
    bool is_late;
    bool is_asked; /* to end */
    bool is_killed;
};

/* ---- in the child, between fork and exec: async-signal-safe calls alone ---- */

static void set_limit(__rlimit_resource_t what, uint64_t soft, uint64_t hard)
{
    const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    if (soft > 0)
        setrlimit(what, &limit);
}

static void take_limits(const struct run_manner *manner)
{
    set_limit(RLIMIT_AS, manner->memory_bytes, manner->memory_bytes);
    set_limit(RLIMIT_CPU, manner->cpu_s, manner->cpu_s + CPU_GRACE_S);
    set_limit(RLIMIT_NPROC, manner->processes, manner->processes);
    set_limit(RLIMIT_NOFILE, manner->files, manner->files);
    set_limit(RLIMIT_FSIZE, manner->file_bytes, manner->file_bytes);
}

static void become_plain(const struct run_manner *manner)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct rlimit no_core = {.rlim_cur = 0, .rlim_max = 0}, files;
    sigset_t none;
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_CORE, &no_core);
    /* weir's own limit is high, and there are programs that go through all that it allows. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > RUN_FDS_MAX) {
        files.rlim_cur = RUN_FDS_MAX;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    umask(manner ? manner->umask : 077);
    setsid();
}

static _Noreturn void give_up(int failure_fd)
{
    int error = errno;
    (void)!write(failure_fd, &error, sizeof(error));
    _exit(EXIT_FAILURE);
}

/*
 * Standard input, output and error, RUN_ANSWER_FD where it is served, and behind them the one that
 * tells of a failure, which is returned; no other.
 */
static int take_descriptors(const struct run_spec *spec, int output_fd, int failure_fd)
{
    bool is_served = spec->manner && spec->manner->is_served;
    int input_fd = spec->manner ? spec->manner->input_fd : open("/dev/null", O_RDONLY);
    int last = is_served ? RUN_ANSWER_FD + 1 : RUN_ANSWER_FD;
    /* Above all that follows, so that none of the copies below covers another. */
    int high_input = fcntl(input_fd, F_DUPFD, last + 1);
    int high_output = fcntl(output_fd, F_DUPFD, last + 1);
    int high_failure = fcntl(failure_fd, F_DUPFD, last + 1);
    if (high_input < 0 || high_output < 0 || high_failure < 0 ||
        dup2(high_input, STDIN_FILENO) < 0 || dup2(high_output, STDOUT_FILENO) < 0 ||
        dup2(high_output, STDERR_FILENO) < 0 || dup3(high_failure, last, O_CLOEXEC) < 0 ||
        (is_served && dup2(high_input, RUN_ANSWER_FD) < 0))
        give_up(failure_fd);
    close_range((unsigned)last + 1, ~0u, 0);
    return last;
}

static _Noreturn void become(const struct run_spec *spec, int output_fd, int failure_fd,
                             pid_t parent)
{
    union {
        const char *const *from;
        char *const *to;
    } argv = {.from = spec->argv}, env = {.from = spec->env}; /* execve() changes neither */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(EXIT_FAILURE); /* it died before the line above */
    if (spec->manner && spec->manner->take_cell && cell_join(spec->manner->take_cell) < 0)
        give_up(failure_fd);
    /* What loses its parent beneath it is its own until it ends, then ours: worker/orphans.h */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    become_plain(spec->manner);
    failure_fd = take_descriptors(spec, output_fd, failure_fd);
    if (spec->manner)
        take_limits(spec->manner);
    if (spec->manner && spec->manner->user) {
        if (run_user_become(spec->manner->user) < 0)
            give_up(failure_fd);
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* the change of user has ended it */
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
    }
    if (chdir(spec->manner ? spec->manner->folder : "/") < 0)
        give_up(failure_fd);
    execve(spec->path, argv.to, env.to);
    give_up(failure_fd);
}

/* ---- its end ---- */

static void close_io(struct run *run, struct loop_io *io)
{
    int fd = io->fd;
    if (!loop_io_is_armed(io))
        return;
    loop_io_remove(run->loop, io, false);
    close(fd);
}

static void run_free(struct run *run)
{
    loop_timer_clear(run->loop, &run->limit);
    close_io(run, &run->ended);
    close_io(run, &run->output);
    if (run->failure_fd >= 0)
        close(run->failure_fd);
    cell_leave(&run->cell);
    mem_free(run);
}

static void run_end(struct run *run)
{
    if (run->fn)
        run->fn(run->ctx, &run->result);
    run_free(run);
}

/* All of its groups; and itself, as long as it has made none. */
static void kill_all(const struct run *run)
{
    if (run->pid <= 0)
        return;
    kill(-run->pid, SIGKILL);
    kill(run->pid, SIGKILL);
    if (run->cell)
        cell_kill(run->cell);
}

static void kill_running(struct run *run)
{
    run->is_killed = run->pid > 0;
    kill_all(run);
}

/* Asks it to end; now, or when it was asked before, kills it. */
static void end_softly(struct run *run, uint64_t grace_ns)
{
    bool is_first = !run->is_asked;
    run->is_asked = true;
    if (grace_ns == 0 || run->pid <= 0) {
        kill_running(run);
        return;
    }
    if (is_first)
        kill(run->pid, SIGTERM);
    uint64_t until_ns = loop_now_ns(run->loop) + grace_ns;
    if (is_first || until_ns < run->limit.deadline_ns) {
        loop_timer_clear(run->loop, &run->limit);
        loop_timer_set(run->loop, &run->limit, until_ns);
    }
}

static void take_line(struct run *run, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && !run->has_line; i++) {
        if (bytes[i] == '\n')
            run->has_line = run->n_line > 0;
        else if (bytes[i] != '\r' && run->n_line < sizeof(run->result.line) - 1)
            run->result.line[run->n_line++] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?';
    }
}

static void take_output(struct run *run, const char *bytes, size_t n)
{
    run->n_output += n;
    if (run->tail)
        tail_add(run->tail, slice_make(bytes, n));
    else
        take_line(run, bytes, n);
}

/*
 * Reads until the pipe is empty or closed, rounds times at most; the program of a check that prints
 * too much loses its reader. Returns true where there may be more.
 */
static bool read_output(struct run *run, int rounds)
{
    char *bytes = loop_buf(run->loop);
    while (loop_io_is_armed(&run->output) && rounds-- > 0) {
        ssize_t n = read(run->output.fd, bytes, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n > 0)
            take_output(run, bytes, (size_t)n);
        if (n <= 0 || (!run->tail && run->n_output >= RUN_OUTPUT_MAX))
            close_io(run, &run->output);
    }
    return loop_io_is_armed(&run->output);
}

static void take_status(struct run *run, const siginfo_t *info)
{
    int error = 0;
    bool is_failed = read(run->failure_fd, &error, sizeof(error)) == sizeof(error);
    struct program_result *result = &run->result;
    if (is_failed) {
        result->outcome = PROGRAM_NOT_STARTED;
        result->number = error;
    } else if (run->is_late) {
        result->outcome = PROGRAM_LATE;
    } else {
        result->outcome = info->si_code == CLD_EXITED ? PROGRAM_EXITED : PROGRAM_SIGNALED;
        result->number = info->si_status;
        if (run->cell && result->outcome == PROGRAM_SIGNALED)
            result->overrun_bytes = (int64_t)cell_overrun(run->cell);
    }
}

static void on_ended(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct run *run = CONTAINER_OF(io, struct run, ended);
    siginfo_t info = {.si_pid = 0};
    (void)loop;
    (void)events;
    /* Before it is reaped, so that the number is nobody else's yet. */
    kill_all(run);
    int result = waitid(P_PIDFD, (id_t)io->fd, &info, WEXITED | WNOHANG);
    /* Of one that is cancelled nobody knows any more that it is a program (orphans.h). */
    bool is_reaped = result < 0 && errno == ECHILD;
    if (!is_reaped && (result < 0 || info.si_pid == 0))
        return;
    (void)read_output(run, LAST_ROUNDS);
    take_status(run, &info);
    run_end(run);
}

static void on_output(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct run *run = CONTAINER_OF(io, struct run, output);
    if (read_output(run, LOOP_BUDGET))
        loop_again(loop, io, events);
}

static void on_limit(struct loop *loop, struct loop_timer *timer)
{
    struct run *run = CONTAINER_OF(timer, struct run, limit);
    (void)loop;
    if (run->pid == 0) {
        run_end(run); /* it could not be made, and the result says why */
        return;
    }
    /* Where it is stopping its time was not over: its grace is. */
    run->is_late = run->is_late || !run->is_asked;
    end_softly(run, run->is_asked ? 0 : run->grace_ns);
}

/* ---- its start ---- */

struct pipes {
    int output[2], failure[2];
};

static int open_pipes(struct pipes *pipes)
{
    *pipes = (struct pipes){.output = {NO_FD, NO_FD}, .failure = {NO_FD, NO_FD}};
    if (pipe2(pipes->output, O_CLOEXEC) < 0 || pipe2(pipes->failure, O_CLOEXEC) < 0)
        return -1;
    fcntl(pipes->output[0], F_SETFL, O_NONBLOCK);
    fcntl(pipes->failure[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Watches the child of that number. Returns 0, or -errno: nobody would see its end. */
static int watch(struct run *run, pid_t pid, int output_fd)
{
    int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pid_fd < 0)
        return -errno;
    if (loop_io_add_read(run->loop, &run->output, output_fd, on_output, NULL) < 0) {
        close(pid_fd);
        return -ENOMEM;
    }
    if (loop_io_add_read(run->loop, &run->ended, pid_fd, on_ended, NULL) < 0) {
        loop_io_remove(run->loop, &run->output, false);
        close(pid_fd);
        return -ENOMEM;
    }
    return 0;
}

/* Returns 0, or -errno with nothing left of it. */
static int spawn(struct run *run, const struct run_spec *spec, const struct pipes *pipes)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        become(spec, pipes->output[1], pipes->failure[1], parent);
    int result = watch(run, pid, pipes->output[0]);
    if (result < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return result;
    }
    run->pid = pid;
    return 0;
}

struct run *run_start(struct loop *loop, const struct run_spec *spec, run_fn *fn, void *ctx)
{
    struct run *run = MEM_NEW(struct run);
    struct pipes pipes;
    run->loop = loop;
    run->fn = fn;
    run->ctx = ctx;
    run->grace_ns = spec->manner ? spec->manner->grace_ns : 0;
    run->tail = spec->manner ? spec->manner->tail : NULL;
    run->cell = spec->manner ? spec->manner->take_cell : NULL;
    loop_io_init(&run->ended);
    loop_io_init(&run->output);
    loop_timer_init(&run->limit, on_limit);
    int result = open_pipes(&pipes);
    /* Another user is to open it as /dev/stderr. */
    if (result == 0 && spec->manner && spec->manner->user)
        (void)fchmod(pipes.output[1], 0622);
    result = result < 0 ? -errno : spawn(run, spec, &pipes);
    run->failure_fd = pipes.failure[0];
    close_fd(pipes.output[1]);
    close_fd(pipes.failure[1]);
    if (result < 0) {
        close_fd(pipes.output[0]);
        run->result = (struct program_result){.outcome = PROGRAM_NOT_STARTED, .number = -result};
    }
    if (result < 0 || spec->timeout_ns > 0)
        loop_timer_set(loop, &run->limit, loop_now_ns(loop) + (result < 0 ? 0 : spec->timeout_ns));
    return run;
}

void run_kill(struct run *run)
{
    kill_running(run);
}

void run_stop(struct run *run, uint64_t grace_ns)
{
    end_softly(run, grace_ns < run->grace_ns ? grace_ns : run->grace_ns);
}

void run_limit(struct run *run, uint64_t timeout_ns)
{
    if (run->is_asked || run->pid == 0)
        return;
    loop_timer_clear(run->loop, &run->limit);
    if (timeout_ns > 0)
        loop_timer_set(run->loop, &run->limit, loop_now_ns(run->loop) + timeout_ns);
}

bool run_is_late(const struct run *run)
{
    return run->is_late;
}

pid_t run_pid(const struct run *run)
{
    return run->pid;
}

bool run_was_killed(const struct run *run)
{
    return run->is_killed;
}

void run_cancel(struct run **run_ptr)
{
    struct run *run = *run_ptr;
    *run_ptr = NULL;
    if (!run)
        return;
    run->fn = NULL;
    run->tail = NULL;
    kill_all(run);
}
