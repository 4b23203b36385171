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

enum { NO_FD = -1, FAILURE_FD = 3, READ_BYTES = 4096 };

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
    bool has_line; /* the first line has ended */
    bool is_late;
};

/* ---- in the child, between fork and exec: async-signal-safe calls alone ---- */

static void become_plain(void)
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
    umask(077);
    setsid();
    if (chdir("/") < 0)
        _exit(EXIT_FAILURE);
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
    become_plain();
    /* Above all that follows, so that none of the copies below covers another. */
    int high_output = fcntl(output_fd, F_DUPFD, FAILURE_FD + 1);
    int high_failure = fcntl(failure_fd, F_DUPFD, FAILURE_FD + 1);
    int null_fd = open("/dev/null", O_RDONLY);
    if (high_output < 0 || high_failure < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(high_output, STDOUT_FILENO) < 0 || dup2(high_output, STDERR_FILENO) < 0 ||
        dup3(high_failure, FAILURE_FD, O_CLOEXEC) < 0)
        _exit(EXIT_FAILURE);
    close_range(FAILURE_FD + 1, ~0u, 0);
    execve(spec->path, argv.to, env.to);
    int error = errno;
    (void)!write(FAILURE_FD, &error, sizeof(error));
    _exit(EXIT_FAILURE);
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
    mem_free(run);
}

static void run_end(struct run *run)
{
    if (run->fn)
        run->fn(run->ctx, &run->result);
    run_free(run);
}

/* All of its group; and itself, as long as it has made none. */
static void kill_all(const struct run *run)
{
    if (run->pid <= 0)
        return;
    kill(-run->pid, SIGKILL);
    kill(run->pid, SIGKILL);
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

/* Reads until the pipe is empty or closed; a program that prints too much loses its reader. */
static void read_output(struct run *run)
{
    char bytes[READ_BYTES];
    while (loop_io_is_armed(&run->output)) {
        ssize_t n = read(run->output.fd, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0)
            take_line(run, bytes, (size_t)n);
        run->n_output += n > 0 ? (size_t)n : 0;
        if (n <= 0 || run->n_output >= RUN_OUTPUT_MAX)
            close_io(run, &run->output);
    }
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
    if (waitid(P_PIDFD, (id_t)io->fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return;
    read_output(run);
    take_status(run, &info);
    run_end(run);
}

static void on_output(struct loop *loop, struct loop_io *io, uint32_t events)
{
    (void)loop;
    (void)events;
    read_output(CONTAINER_OF(io, struct run, output));
}

static void on_limit(struct loop *loop, struct loop_timer *timer)
{
    struct run *run = CONTAINER_OF(timer, struct run, limit);
    (void)loop;
    if (run->pid == 0) {
        run_end(run); /* it could not be made, and the result says why */
        return;
    }
    run->is_late = true;
    kill_all(run);
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
    loop_io_init(&run->ended);
    loop_io_init(&run->output);
    loop_timer_init(&run->limit, on_limit);
    int result = open_pipes(&pipes) < 0 ? -errno : spawn(run, spec, &pipes);
    run->failure_fd = pipes.failure[0];
    close_fd(pipes.output[1]);
    close_fd(pipes.failure[1]);
    if (result < 0) {
        close_fd(pipes.output[0]);
        run->result = (struct program_result){.outcome = PROGRAM_NOT_STARTED, .number = -result};
    }
    loop_timer_set(loop, &run->limit, loop_now_ns(loop) + (result < 0 ? 0 : spec->timeout_ns));
    return run;
}

void run_kill(struct run *run)
{
    kill_all(run);
}

void run_cancel(struct run **run_ptr)
{
    struct run *run = *run_ptr;
    *run_ptr = NULL;
    if (!run)
        return;
    run->fn = NULL;
    kill_all(run);
}
