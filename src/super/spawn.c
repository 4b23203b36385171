/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a process comes to be: fork, and the same binary executed anew with its end of the control
 * socket as descriptor 3 and nothing else of ours. Between fork and exec only what POSIX allows
 * after a fork of a process with threads (the log's drainer is one).
 */

#include "super/spawn.h"
#include "core/control.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENV_MAX = 16 };

/* A process gets the variables that its configuration names in its bundle; these are for the
 * runtime libraries of the sanitizers and of the C library. */
static size_t choose_env(const char *ret_env[ENV_MAX + 1])
{
    static const char *const prefixes[] = {"ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=",
                                           "LSAN_OPTIONS=", "MALLOC_",        "GLIBC_TUNABLES="};
    size_t n = 0;
    for (char **entry = environ; *entry && n < ENV_MAX; entry++) {
        for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
            if (strncmp(*entry, prefixes[i], strlen(prefixes[i])) == 0) {
                ret_env[n++] = *entry;
                break;
            }
        }
    }
    ret_env[n] = NULL;
    return n;
}

/* The terminal's keys reach the whole process group: the supervisor alone acts on them. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In here /proc of the outside would show other numbers than those that programs see. Where it
 * cannot be had, they see those. */
static void take_own_proc(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
        (void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/*
 * Has the supervisor died before it was said that this is to be told? Who is first in a namespace
 * has nobody above it there; the end of the control socket tells it.
 */
static bool is_orphan(pid_t supervisor)
{
    bool is_first = getpid() == 1;
    if (is_first)
        take_own_proc();
    return !is_first && getppid() != supervisor;
}

static _Noreturn void become(int control_fd, pid_t supervisor, char *const *argv, char *const *env)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (is_orphan(supervisor))
        _exit(EXIT_FAILURE);
    ignore_signals();
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
        _exit(EXIT_FAILURE);
    /* dup2() onto itself would leave close-on-exec set. */
    if (control_fd == CONTROL_FD)
        fcntl(control_fd, F_SETFD, 0);
    else if (dup2(control_fd, CONTROL_FD) < 0)
        _exit(EXIT_FAILURE);
    close_range(CONTROL_FD + 1, ~0u, 0);
    execve("/proc/self/exe", argv, env);
    _exit(EXIT_FAILURE);
}

/* What the child does until exec needs nothing that the library's fork() prepares. */
static pid_t clone_with(int flags)
{
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* With CLONE_PARENT the child is our parent's. */
static pid_t fork_for(pid_t supervisor, bool is_alone)
{
    int parent = supervisor ? CLONE_PARENT : 0;
    pid_t pid = is_alone ? clone_with(parent | CLONE_NEWPID | CLONE_NEWNS) : -1;
    if (pid >= 0)
        return pid;
    return parent ? clone_with(parent) : fork();
}

int spawn_process(const char *kind, int control_fd, pid_t supervisor, bool is_alone, pid_t *ret_pid,
                  struct err *err)
{
    char title[64], word[] = "--process", kind_copy[32];
    char *const argv[] = {title, word, kind_copy, NULL};
    const char *env[ENV_MAX + 1];
    union {
        const char **from;
        char *const *to;
    } env_cast = {.from = env}; /* execve() takes what it does not change without const */
    snprintf(title, sizeof(title), "weir: %s", kind);
    snprintf(kind_copy, sizeof(kind_copy), "%s", kind);
    choose_env(env);
    pid_t parent = supervisor ? supervisor : getpid();
    pid_t pid = fork_for(supervisor, is_alone);
    if (pid < 0)
        return err_set_errno(err, errno, "cannot start a process");
    if (pid == 0)
        become(control_fd, parent, argv, env_cast.to);
    *ret_pid = pid;
    return 0;
}
