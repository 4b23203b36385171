/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces are in one of two lists, under the lock: asked for, or read. The warmer goes when the
 * last of three has let go of it: its owner, the thread, and the task that is on its way.
 */
#include "wal/wal_warm.h"
#include "base/list.h"
#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024 };

struct wal_warm {
    struct list node;
    int fd;
    uint64_t offset;
    size_t len;
    wal_warm_fn *done; /* NULL: cancelled; the loop's */
    void *owner;
};

struct wal_warmer {
    struct loop *loop;
    struct loop_task news;
    bool has_thread; /* the loop's */
    pthread_mutex_t lock;
    pthread_cond_t some;
    /* Under the lock. */
    struct list asked, read;
    unsigned n_holders;
    bool is_posted, is_stopping;
};

static void free_all(struct list *list)
{
    struct wal_warm *warm;
    while ((warm = LIST_FIRST(list, struct wal_warm, node))) {
        list_remove(&warm->node);
        if (warm->fd >= 0)
            close(warm->fd);
        mem_free(warm);
    }
}

/* With the lock, which it gives back. */
static void let_go(struct wal_warmer *warmer)
{
    bool is_last = --warmer->n_holders == 0;
    pthread_mutex_unlock(&warmer->lock);
    if (!is_last)
        return;
    free_all(&warmer->asked);
    free_all(&warmer->read);
    pthread_cond_destroy(&warmer->some);
    pthread_mutex_destroy(&warmer->lock);
    mem_free(warmer);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void on_news(struct loop *loop, struct loop_task *task);

static void read_piece(struct wal_warm *warm, char *buf)
{
    size_t at = 0;
    ssize_t n = 1;
    (void)posix_fadvise(warm->fd, (off_t)warm->offset, (off_t)warm->len, POSIX_FADV_WILLNEED);
    for (; at < warm->len && n > 0; at += (size_t)n) {
        size_t left = warm->len - at;
        n = pread(warm->fd, buf, left < READ_BYTES ? left : READ_BYTES, (off_t)(warm->offset + at));
        n = n < 0 ? 0 : n;
    }
    close(warm->fd);
    warm->fd = -1;
}

/* With the lock. */
static void hand_over(struct wal_warmer *warmer, struct wal_warm *warm)
{
    list_add_back(&warmer->read, &warm->node);
    if (warmer->is_posted || warmer->is_stopping)
        return;
    warmer->is_posted = true;
    warmer->n_holders++;
    loop_post(warmer->loop, &warmer->news, on_news);
}

static void *warmer_main(void *ctx)
{
    struct wal_warmer *warmer = ctx;
    char *buf = mem_alloc(READ_BYTES);
    prctl(PR_SET_NAME, "wal-read", 0, 0, 0);
    pthread_mutex_lock(&warmer->lock);
    while (!warmer->is_stopping) {
        struct wal_warm *warm = LIST_FIRST(&warmer->asked, struct wal_warm, node);
        if (!warm) {
            pthread_cond_wait(&warmer->some, &warmer->lock);
            continue;
        }
        list_remove(&warm->node);
        pthread_mutex_unlock(&warmer->lock);
        read_piece(warm, buf);
        pthread_mutex_lock(&warmer->lock);
        hand_over(warmer, warm);
    }
    mem_free(buf);
    let_go(warmer);
    return NULL;
}

/* 0, or -1: it cannot be had. */
static int thread_start(struct wal_warmer *warmer)
{
    sigset_t all, former;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    int result = pthread_create(&thread, NULL, warmer_main, warmer);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    if (result != 0)
        return -1;
    pthread_detach(thread);
    warmer->has_thread = true;
    return 0;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void on_news(struct loop *loop, struct loop_task *task)
{
    struct wal_warmer *warmer = CONTAINER_OF(task, struct wal_warmer, news);
    struct wal_warm *warm;
    struct list read;
    (void)loop;
    list_init(&read);
    pthread_mutex_lock(&warmer->lock);
    warmer->is_posted = false;
    list_move_all(&read, &warmer->read);
    bool is_stopping = warmer->is_stopping;
    let_go(warmer);
    while (!is_stopping && (warm = LIST_FIRST(&read, struct wal_warm, node))) {
        list_remove(&warm->node);
        wal_warm_fn *done = warm->done;
        void *owner = warm->owner;
        mem_free(warm);
        if (done)
            done(owner);
    }
    free_all(&read);
}

struct wal_warmer *wal_warmer_create(struct loop *loop)
{
    struct wal_warmer *warmer = MEM_NEW(struct wal_warmer);
    warmer->loop = loop;
    warmer->n_holders = 1;
    pthread_mutex_init(&warmer->lock, NULL);
    pthread_cond_init(&warmer->some, NULL);
    list_init(&warmer->asked);
    list_init(&warmer->read);
    return warmer;
}

struct wal_warm *wal_warmer_ask(struct wal_warmer *warmer, int take_fd, uint64_t offset, size_t len,
                                wal_warm_fn *done, void *owner)
{
    struct wal_warm *warm = MEM_NEW(struct wal_warm);
    *warm = (struct wal_warm){
        .fd = take_fd, .offset = offset, .len = len, .done = done, .owner = owner};
    list_init(&warm->node);
    pthread_mutex_lock(&warmer->lock);
    list_add_back(&warmer->asked, &warm->node);
    warmer->n_holders += !warmer->has_thread;
    pthread_cond_signal(&warmer->some);
    pthread_mutex_unlock(&warmer->lock);
    if (warmer->has_thread || thread_start(warmer) == 0)
        return warm;
    pthread_mutex_lock(&warmer->lock);
    free_all(&warmer->asked);
    let_go(warmer);
    return NULL;
}

void wal_warm_cancel(struct wal_warm **warm)
{
    if (*warm)
        (*warm)->done = NULL;
    *warm = NULL;
}

void wal_warmer_destroy(struct wal_warmer **warmer)
{
    struct wal_warmer *old = *warmer;
    *warmer = NULL;
    if (!old)
        return;
    pthread_mutex_lock(&old->lock);
    old->is_stopping = true;
    pthread_cond_signal(&old->some);
    let_go(old);
}
