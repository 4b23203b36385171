/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes another process do a system call, by ptrace: for the test that looks into each sandbox from
 * inside. The process is stopped while it waits in a call, made to execute the `syscall` that it is
 * in with the given numbers, and goes on as if nothing had been. Its code is not changed: its other
 * threads may be just there. A string argument is put below its stack.
 *
 * usage: weir-inject PID NUMBER [ARG...]        ARG: a number, or a string behind "s:"
 * prints the result, as the kernel returned it (-1 is EPERM).
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { SYSCALL_LEN = 2, ARGS_MAX = 6, SCRATCH_BELOW = 4096, TRIES = 500, PAUSE_MS = 10 };

static int die(const char *what)
{
    perror(what);
    return 1;
}

/* Puts the string into the stopped process, 8 bytes at a time. */
static int poke_string(pid_t pid, uint64_t where, const char *text)
{
    size_t len = strlen(text) + 1;
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = 0;
        memcpy(&word, text + at, len - at < 8 ? len - at : 8);
        if (ptrace(PTRACE_POKEDATA, pid, where + at, word) < 0)
            return -1;
    }
    return 0;
}

static int step(pid_t pid)
{
    int status;
    if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0 || waitpid(pid, &status, __WALL) < 0)
        return -1;
    return WIFSTOPPED(status) ? 0 : -1;
}

static int inject(pid_t pid, int argc, char **argv, int64_t *ret_result)
{
    struct user_regs_struct saved, regs;
    if (ptrace(PTRACE_GETREGS, pid, 0, &saved) < 0)
        return die("registers");
    uint64_t args[ARGS_MAX] = {0};
    uint64_t scratch = (saved.rsp - SCRATCH_BELOW) & ~15ull;
    for (int i = 1; i < argc && i <= ARGS_MAX; i++) {
        if (strncmp(argv[i], "s:", 2) == 0) {
            args[i - 1] = scratch;
            if (poke_string(pid, scratch, argv[i] + 2) < 0)
                return die("string");
            scratch -= 512;
        } else {
            args[i - 1] = strtoull(argv[i], NULL, 0);
        }
    }
    regs = saved;
    regs.rip -= SYSCALL_LEN;
    regs.rax = strtoull(argv[0], NULL, 0);
    regs.orig_rax = (uint64_t)-1; /* not inside a call that the kernel would restart */
    regs.rdi = args[0], regs.rsi = args[1], regs.rdx = args[2];
    regs.r10 = args[3], regs.r8 = args[4], regs.r9 = args[5];
    if (ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0 || step(pid) < 0 ||
        ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
        return die("call");
    *ret_result = (int64_t)regs.rax;
    if (ptrace(PTRACE_SETREGS, pid, 0, &saved) < 0)
        return die("restore");
    return 0;
}

/* Is it behind a `syscall`? */
static bool is_in_call(pid_t pid)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
        return false;
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, pid, regs.rip - SYSCALL_LEN, 0);
    return errno == 0 && (code & 0xffffL) == 0x050fL;
}

/* Stops it where it waits. */
static int stop_in_call(pid_t pid)
{
    int status;
    for (int i = 0; i < TRIES; i++) {
        if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 || waitpid(pid, &status, __WALL) < 0)
            return -1;
        if (is_in_call(pid))
            return 0;
        if (ptrace(PTRACE_CONT, pid, 0, 0) < 0)
            return -1;
        (void)poll(NULL, 0, PAUSE_MS);
    }
    errno = EBUSY;
    return -1;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: weir-inject PID NUMBER [ARG...]\n");
        return 2;
    }
    pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
        return die("attach");
    if (stop_in_call(pid) < 0)
        return die("stop");
    int64_t result = 0;
    int rc = inject(pid, argc - 2, argv + 2, &result);
    if (ptrace(PTRACE_DETACH, pid, 0, 0) < 0)
        return die("detach");
    if (rc == 0)
        printf("%lld\n", (long long)result);
    return rc;
}
