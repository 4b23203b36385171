/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A child under PTRACE_SINGLESTEP, and the pages of a memfd that hold data.
 */

#include "core/dying.h"
#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* --- the child -------------------------------------------------------------------------------- */

/* Stopped at its first instruction; -1 where tracing is not permitted. */
static pid_t start(dying_fn *fn, void *ctx)
{
    pid_t child = fork();
    assert(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(errno);
        raise(SIGSTOP);
        fn(ctx);
        _exit(0);
    }
    int status = 0;
    pid_t waited = waitpid(child, &status, 0);
    assert(waited == child);
    if (WIFEXITED(status)) {
        errno = WEXITSTATUS(status);
        return -1;
    }
    return child;
}

/* False when the child has ended by itself. Any other signal than the step's own is a fault. */
static bool step(pid_t child)
{
    int status = 0;
    long done = ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
    assert(done == 0);
    pid_t waited = waitpid(child, &status, 0);
    assert(waited == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
        fprintf(stderr, "the traced writer stopped with status %#x\n", (unsigned)status);
        kill(child, SIGKILL);
        abort();
    }
    return true;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    int status = 0;
    pid_t waited = waitpid(child, &status, 0);
    assert(waited == child && WIFSIGNALED(status));
}

static void do_nothing(void *ctx)
{
    (void)ctx;
}

int dying_is_permitted(const char **ret_reason)
{
    pid_t child = start(do_nothing, NULL);
    if (child < 0) {
        *ret_reason = "ptrace is not permitted here";
        return false;
    }
    end(child);
    return true;
}

/* --- the memory ------------------------------------------------------------------------------- */

struct pages { /* those of a memfd that hold data, and what they held when last looked at */
    int fd;
    size_t size;
    const char *map;
    blkcnt_t n_blocks; /* grows when a page is touched for the first time */
    size_t *at;
    char *held;
    size_t n;
};

static size_t size_of(int fd, blkcnt_t *ret_blocks)
{
    struct stat status;
    int done = fstat(fd, &status);
    assert(done == 0);
    if (ret_blocks)
        *ret_blocks = status.st_blocks;
    return (size_t)status.st_size;
}

static void *map_of(int fd, size_t size, int protection)
{
    void *map = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    assert(map != MAP_FAILED);
    return map;
}

static void find_pages(struct pages *pages)
{
    pages->n = 0;
    off_t from = 0, to;
    while ((from = lseek(pages->fd, from, SEEK_DATA)) >= 0) {
        to = lseek(pages->fd, from, SEEK_HOLE);
        for (; from < to; from += PAGE) {
            pages->at = mem_realloc(pages->at, (pages->n + 1) * sizeof(*pages->at));
            pages->at[pages->n++] = (size_t)from;
        }
    }
    pages->held = mem_realloc(pages->held, pages->n * PAGE);
}

static void hold(struct pages *pages)
{
    for (size_t i = 0; i < pages->n; i++)
        memcpy(pages->held + i * PAGE, pages->map + pages->at[i], PAGE);
}

/* True where something has changed since the last time. */
static bool has_changed(struct pages *pages)
{
    blkcnt_t n_blocks;
    size_of(pages->fd, &n_blocks);
    bool is_changed = n_blocks != pages->n_blocks;
    for (size_t i = 0; i < pages->n && !is_changed; i++)
        is_changed = memcmp(pages->held + i * PAGE, pages->map + pages->at[i], PAGE) != 0;
    if (n_blocks != pages->n_blocks)
        find_pages(pages);
    pages->n_blocks = n_blocks;
    if (is_changed)
        hold(pages);
    return is_changed;
}

static void pages_init(struct pages *pages, int fd)
{
    *pages = (struct pages){.fd = fd, .n_blocks = -1};
    pages->size = size_of(fd, NULL);
    pages->map = map_of(fd, pages->size, PROT_READ);
    has_changed(pages);
}

static void pages_deinit(struct pages *pages)
{
    union { /* munmap() takes away the const of what nobody wrote */
        const char *map;
        void *address;
    } both = {.map = pages->map};
    munmap(both.address, pages->size);
    mem_free(pages->at);
    mem_free(pages->held);
}

void dying_copy(int from, int to)
{
    struct pages source, target;
    pages_init(&source, from);
    pages_init(&target, to);
    assert(source.size == target.size);
    char *map = map_of(to, target.size, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < target.n; i++)
        memset(map + target.at[i], 0, PAGE);
    for (size_t i = 0; i < source.n; i++)
        memcpy(map + source.at[i], source.map + source.at[i], PAGE);
    munmap(map, target.size);
    pages_deinit(&source);
    pages_deinit(&target);
}

/* --- both ------------------------------------------------------------------------------------- */

long dying_watch(dying_fn *fn, void *ctx, int fd, dying_look_fn *look, void *look_ctx)
{
    struct pages pages;
    pages_init(&pages, fd);
    pid_t child = start(fn, ctx);
    assert(child > 0);
    long n = 0;
    look(look_ctx, n);
    while (step(child)) {
        n++;
        if (has_changed(&pages))
            look(look_ctx, n);
    }
    pages_deinit(&pages);
    return n;
}

long dying_kill(dying_fn *fn, void *ctx, long instruction)
{
    pid_t child = start(fn, ctx);
    assert(child > 0);
    long n = 0;
    while (n < instruction && step(child))
        n++;
    if (n == instruction)
        end(child);
    return n;
}
