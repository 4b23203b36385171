/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Between fork and exec only what POSIX allows after a fork of a process with threads.
 */

#include "super/tool.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int execute(const struct tool *tool)
{
    return execveat(tool->binary_fd, "", tool->argv, environ, AT_EMPTY_PATH);
}

static void reset_signals(void)
{
    sigset_t none;
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Where its output goes. */
static void tell_error(int error)
{
    const char *parts[] = {"cannot be executed: ", strerrordesc_np(error), "\n"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i] && write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
            return;
}

static _Noreturn void become(const struct tool *tool, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(EXIT_FAILURE); /* it died before the line above */
    if (tool->has_group)
        setpgid(0, 0);
    reset_signals();
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
        _exit(EXIT_FAILURE);
    if (tool->out_fd >= 0 &&
        (dup2(tool->out_fd, STDOUT_FILENO) < 0 || dup2(tool->out_fd, STDERR_FILENO) < 0))
        _exit(EXIT_FAILURE);
    if (tool->fds)
        fd_list_inherit(tool->fds, true);
    execute(tool);
    tell_error(errno);
    _exit(EXIT_FAILURE);
}

int tool_start(const struct tool *tool, pid_t *ret_pid, struct err *err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return err_set_errno(err, errno, "cannot start a process");
    if (pid == 0)
        become(tool, parent);
    if (tool->has_group)
        setpgid(pid, pid); /* whoever comes first: a kill of the group finds it */
    *ret_pid = pid;
    return 0;
}

int tool_become(const struct tool *tool, struct err *err)
{
    fd_list_inherit(tool->fds, true);
    execute(tool);
    int error = errno;
    fd_list_inherit(tool->fds, false);
    return err_set_errno(err, error, "cannot execute the new binary");
}
