/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Children of worker that nobody started here.
 */

#include "worker/orphans.h"

#include "base/mem.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

enum {
    EVERY_MS = 1000,
    SOON_MS = 20,
    LIST_BYTES = 64 * 1024,
    LAST_ROUNDS = 50,
    LAST_WAIT_MS = 100
};

struct orphans {
    struct loop *loop;
    struct orphans_calls calls;
    struct loop_timer timer;
};

/* ---- /proc ----------------------------------------------------------------------------------- */

static size_t read_file(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    if (fd < 0)
        return 0;
    for (ssize_t n; len + 1 < cap && (n = read(fd, out + len, cap - 1 - len)) > 0;)
        len += (size_t)n;
    close(fd);
    out[len] = '\0';
    return len;
}

/* Does /proc show the numbers that we have ourselves? */
static bool is_own_proc(void)
{
    char text[32];
    ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    return strtol(text, NULL, 10) == getpid();
}

/* ---- the children ---------------------------------------------------------------------------- */

struct look {
    struct orphans *orphans;
    bool has_children, has_orphans;
    bool is_last; /* nobody looks again: what is killed is waited for */
};

static bool is_program(const struct look *look, pid_t pid)
{
    return look->orphans->calls.is_program(look->orphans->calls.ctx, pid);
}

/* Its end, but not for long. */
static void await(pid_t pid)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    if (end.fd < 0)
        return;
    (void)poll(&end, 1, LAST_WAIT_MS);
    close(end.fd);
}

static void end_orphan(struct look *look, pid_t pid)
{
    siginfo_t info = {.si_pid = 0};
    look->has_children = true;
    if (is_program(look, pid))
        return;
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) < 0)
        return;
    if (info.si_pid != 0) {
        if (info.si_code == CLD_KILLED && info.si_status == SIGKILL)
            look->orphans->calls.on_kill(look->orphans->calls.ctx);
        return;
    }
    look->has_orphans = true;
    kill(pid, SIGKILL);
    if (look->is_last)
        await(pid);
}

static void each_child(struct look *look, char *list)
{
    char *rest = list;
    for (;;) {
        char *end;
        long pid = strtol(rest, &end, 10);
        if (end == rest)
            return;
        rest = end;
        if (pid > 0)
            end_orphan(look, (pid_t)pid);
    }
}

static void look_at_all(struct look *look)
{
    char path[64];
    char *list = mem_alloc(LIST_BYTES);
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    if (is_own_proc() && read_file(path, list, LIST_BYTES) > 0)
        each_child(look, list);
    mem_free(list);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct orphans *orphans = CONTAINER_OF(timer, struct orphans, timer);
    struct look look = {.orphans = orphans};
    look_at_all(&look);
    /* What was killed may leave orphans of its own. */
    uint64_t wait_ms = look.has_orphans ? SOON_MS : EVERY_MS;
    if (look.has_children)
        loop_timer_set(loop, timer, loop_now_ns(loop) + wait_ms * NS_PER_MS);
}

/* ---- their life ------------------------------------------------------------------------------ */

struct orphans *orphans_create(struct loop *loop, const struct orphans_calls *calls)
{
    struct orphans *orphans = MEM_NEW(struct orphans);
    orphans->loop = loop;
    orphans->calls = *calls;
    loop_timer_init(&orphans->timer, on_timer);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    return orphans;
}

void orphans_destroy(struct orphans **orphans)
{
    struct look look = {.orphans = *orphans, .has_children = true, .is_last = true};
    loop_timer_clear((*orphans)->loop, &(*orphans)->timer);
    /* What a program leaves comes to us when that one is reaped, so that it takes some rounds. */
    for (int round = 0; round < LAST_ROUNDS && look.has_children; round++) {
        look.has_children = look.has_orphans = false;
        look_at_all(&look);
    }
    mem_free(*orphans);
    *orphans = NULL;
}

void orphans_look(struct orphans *orphans)
{
    loop_timer_clear(orphans->loop, &orphans->timer);
    loop_timer_set(orphans->loop, &orphans->timer, loop_now_ns(orphans->loop));
}
