/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread and its binding to the loop. News are one posted task, however many there are: the
 * thread posts it where it is not on its way already, and the loop takes that mark away before it
 * collects, so that nothing is left uncollected.
 */
#include "wal/wal_drive.h"
#include "base/mem.h"
#include "wal/internal.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

/* An append is looked at by wal_time() at most so much later: for lazy records and the cleaner. */
enum { TIME_LATE_NS = 10000000 };

struct wal_drive {
    struct loop *loop;
    struct wal *wal;
    struct wal_drive_hooks hooks;
    pthread_t thread;
    pthread_mutex_t end_lock;
    pthread_cond_t end;
    bool has_ended; /* the thread: under end_lock */
    struct loop_task news, flush;
    struct loop_timer timer;
    bool is_flushing, is_closed, has_told_trouble;
    atomic_bool is_posted;   /* the thread sets it, the loop takes it away */
    atomic_bool is_stopping; /* the loop's */
};

/* ---- the thread ------------------------------------------------------------------------------ */

static void *drive_main(void *ctx)
{
    struct wal_drive *drive = ctx;
    prctl(PR_SET_NAME, "wal", 0, 0, 0);
    while (!atomic_load(&drive->is_stopping) || wal_has_batches(drive->wal)) {
        if (wal_step(drive->wal) == 0 && !atomic_load(&drive->is_stopping))
            wal_wait(drive->wal);
    }
    pthread_mutex_lock(&drive->end_lock);
    drive->has_ended = true;
    pthread_cond_signal(&drive->end);
    pthread_mutex_unlock(&drive->end_lock);
    return NULL;
}

static void drive_on_news(struct loop *loop, struct loop_task *task);

/* From the thread. */
static void drive_notify(void *ctx)
{
    struct wal_drive *drive = ctx;
    if (!atomic_exchange(&drive->is_posted, true))
        loop_post(drive->loop, &drive->news, drive_on_news);
}

static int thread_start(struct wal_drive *drive, struct err *err)
{
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    int result = pthread_create(&drive->thread, NULL, drive_main, drive);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    return result != 0 ? err_set_errno(err, result, "cannot start the thread that syncs") : 0;
}

/* Joins within the time; 0 or an errno. */
static int thread_join(struct wal_drive *drive, uint64_t timeout_ns)
{
    uint64_t until_ns = loop_clock_ns() + timeout_ns;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                             .tv_nsec = (long)(until_ns % 1000000000)};
    int result = 0;
    pthread_mutex_lock(&drive->end_lock);
    while (!drive->has_ended && result == 0)
        result = pthread_cond_timedwait(&drive->end, &drive->end_lock, &until);
    if (drive->has_ended)
        result = 0;
    pthread_mutex_unlock(&drive->end_lock);
    return result == 0 ? pthread_join(drive->thread, NULL) : result;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void drive_free(struct wal_drive *drive)
{
    if (drive->is_flushing || atomic_load(&drive->is_posted))
        return; /* a task that is on its way does it */
    pthread_cond_destroy(&drive->end);
    pthread_mutex_destroy(&drive->end_lock);
    mem_free(drive);
}

static void collect(struct wal_drive *drive)
{
    uint64_t lsn = wal_collect(drive->wal);
    const struct err *failure = wal_failure(drive->wal);
    drive->hooks.on_durable(drive->hooks.ctx, lsn);
    if (failure && !drive->has_told_trouble) {
        drive->has_told_trouble = true;
        drive->hooks.on_trouble(drive->hooks.ctx, failure);
    }
}

/* wal_time() within TIME_LATE_NS, unless it comes earlier anyway. */
static void time_soon(struct wal_drive *drive)
{
    uint64_t soon_ns = loop_now_ns(drive->loop) + TIME_LATE_NS;
    if (!loop_timer_is_set(&drive->timer) || drive->timer.deadline_ns > soon_ns)
        loop_timer_set(drive->loop, &drive->timer, soon_ns);
}

static void drive_on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct wal_drive *drive = CONTAINER_OF(timer, struct wal_drive, timer);
    uint64_t next_ns = wal_time(drive->wal, loop_now_ns(loop));
    if (next_ns != UINT64_MAX)
        loop_timer_set(loop, timer, next_ns);
}

static void drive_on_news(struct loop *loop, struct loop_task *task)
{
    struct wal_drive *drive = CONTAINER_OF(task, struct wal_drive, news);
    (void)loop;
    atomic_store(&drive->is_posted, false);
    if (drive->is_closed) {
        drive_free(drive);
        return;
    }
    collect(drive);
    time_soon(drive);
}

static void drive_on_flush(struct loop *loop, struct loop_task *task)
{
    struct wal_drive *drive = CONTAINER_OF(task, struct wal_drive, flush);
    (void)loop;
    drive->is_flushing = false;
    if (drive->is_closed) {
        drive_free(drive);
        return;
    }
    wal_flush(drive->wal, false);
    time_soon(drive);
}

static struct wal_drive *drive_create(struct loop *loop, struct wal *wal,
                                      const struct wal_drive_hooks *hooks)
{
    struct wal_drive *drive = MEM_NEW(struct wal_drive);
    pthread_condattr_t attr;
    drive->loop = loop;
    drive->wal = wal;
    drive->hooks = *hooks;
    loop_timer_init(&drive->timer, drive_on_timer);
    pthread_mutex_init(&drive->end_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&drive->end, &attr);
    pthread_condattr_destroy(&attr);
    return drive;
}

int wal_drive_open(struct loop *loop, struct wal *wal, const struct wal_drive_hooks *hooks,
                   struct wal_drive **ret_drive, struct err *err)
{
    struct wal_drive *drive = drive_create(loop, wal, hooks);
    wal_set_notify(wal, drive_notify, drive);
    if (thread_start(drive, err) < 0) {
        wal_set_notify(wal, NULL, NULL);
        drive_free(drive);
        return -1;
    }
    time_soon(drive);
    *ret_drive = drive;
    return 0;
}

int wal_drive_append(struct wal_drive *drive, const struct wal_record *record,
                     struct wal_place *ret_place, uint64_t *ret_lsn, struct err *err)
{
    int result = wal_append(drive->wal, record, ret_place, ret_lsn, err);
    if (result == 0 && !drive->is_flushing) {
        drive->is_flushing = true;
        loop_defer(drive->loop, &drive->flush, drive_on_flush);
    }
    return result;
}

int wal_drive_close(struct wal_drive **drive, uint64_t timeout_ns, struct err *err)
{
    struct wal_drive *old = *drive;
    if (!old)
        return 0;
    wal_flush(old->wal, true);
    atomic_store(&old->is_stopping, true);
    wal_wake_all(old->wal);
    int result = thread_join(old, timeout_ns);
    if (result != 0)
        return err_set_errno(err, result, "the disk of the log does not answer");
    collect(old);
    wal_set_notify(old->wal, NULL, NULL);
    loop_timer_clear(old->loop, &old->timer);
    old->is_closed = true;
    *drive = NULL;
    drive_free(old);
    return 0;
}
