/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The event engine over epoll, edge-triggered: slots with generations, lazy timers, tasks.
 */

#include "core/loop.h"

#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define NO_SLOT UINT32_MAX

enum { NS_PER_MS = 1000000, SLOTS_FIRST = 64 };

/* What stands behind the number that the kernel keeps for a descriptor. */
struct slot {
    struct loop_io *io; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct loop {
    int epoll_fd;
    uint32_t index;
    uint64_t now_ns;
    uint64_t wall_ns; /* 0: not read in this turn */
    struct slot *slots;
    uint32_t n_slots;
    uint32_t first_free;
    struct heap timers;
    struct list again;
    struct loop_task *deferred; /* last in, first out */
    _Atomic uint64_t *heartbeat;
    void *context;
    char *buf; /* LOOP_BUF_HEADROOM behind the start of its memory */
    struct loop_stats stats;
    struct loop_io wake_io;
    /* Written by other threads, on a line of their own. */
    _Alignas(64) struct loop_task *_Atomic posted; /* newest first */
    _Atomic bool is_wake_due;
    _Atomic bool must_stop;
    struct epoll_event events[LOOP_EVENTS];
};

uint64_t loop_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t loop_wall_ns(struct loop *loop)
{
    if (loop->wall_ns == 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        loop->wall_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    }
    return loop->wall_ns;
}

/* ---- making ---- */

static void loop_on_wake(struct loop *loop, struct loop_io *io, uint32_t events)
{
    (void)loop;
    (void)events;
    uint64_t count;
    (void)!read(io->fd, &count, sizeof(count)); /* the tasks are taken at the end of the turn */
}

static void slots_grow(struct loop *loop)
{
    uint32_t n_old = loop->n_slots;
    uint32_t n_new = n_old ? n_old * 2 : SLOTS_FIRST;
    loop->slots = mem_realloc(loop->slots, n_new * sizeof(*loop->slots));
    for (uint32_t i = n_new; i-- > n_old;) {
        loop->slots[i] = (struct slot){.next_free = loop->first_free};
        loop->first_free = i;
    }
    loop->n_slots = n_new;
}

int loop_create(uint32_t index, struct loop **ret_loop, struct err *err)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, sizeof(struct loop)) != 0)
        abort();
    struct loop *loop = memory;
    *loop = (struct loop){.epoll_fd = -1, .index = index, .first_free = NO_SLOT};
    loop_io_init(&loop->wake_io);
    list_init(&loop->again);
    heap_init(&loop->timers);
    void *buf = NULL;
    if (posix_memalign(&buf, 4096, LOOP_BUF_HEADROOM + LOOP_BUF_SIZE) != 0)
        abort();
    loop->buf = (char *)buf + LOOP_BUF_HEADROOM;
    loop->now_ns = loop_clock_ns();
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->epoll_fd < 0 || wake_fd < 0 ||
        loop_io_add_read(loop, &loop->wake_io, wake_fd, loop_on_wake, err) < 0) {
        err_set_errno(err, errno, "cannot make an event loop");
        if (wake_fd >= 0)
            close(wake_fd);
        loop_destroy(&loop);
        return -1;
    }
    *ret_loop = loop;
    return 0;
}

void loop_destroy(struct loop **loop_ptr)
{
    struct loop *loop = *loop_ptr;
    *loop_ptr = NULL;
    if (!loop)
        return;
    if (loop_io_is_armed(&loop->wake_io)) {
        int fd = loop->wake_io.fd;
        loop_io_remove(loop, &loop->wake_io, true);
        close(fd);
    }
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    heap_deinit(&loop->timers);
    mem_free(loop->slots);
    free(loop->buf - LOOP_BUF_HEADROOM);
    free(loop);
}

/* ---- descriptors ---- */

void loop_io_init(struct loop_io *io)
{
    *io = (struct loop_io){.fd = -1};
    list_init(&io->again);
}

static int io_arm(struct loop *loop, struct loop_io *io, int fd, loop_io_fn *fn,
                  uint32_t epoll_events, struct err *err)
{
    loop_io_init(io);
    if (loop->first_free == NO_SLOT)
        slots_grow(loop);
    uint32_t number = loop->first_free;
    struct slot *slot = &loop->slots[number];
    struct epoll_event event = {.events = epoll_events | EPOLLET,
                                .data.u64 = (uint64_t)slot->generation << 32 | number};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return err_set_errno(err, errno, "cannot watch descriptor %d", fd);
    loop->first_free = slot->next_free;
    slot->io = io;
    io->fd = fd;
    io->slot = number;
    io->fn = fn;
    return 0;
}

int loop_io_add(struct loop *loop, struct loop_io *io, int fd, loop_io_fn *fn, struct err *err)
{
    return io_arm(loop, io, fd, fn, EPOLLIN | EPOLLOUT | EPOLLRDHUP, err);
}

int loop_io_add_read(struct loop *loop, struct loop_io *io, int fd, loop_io_fn *fn, struct err *err)
{
    return io_arm(loop, io, fd, fn, EPOLLIN, err);
}

void loop_io_remove(struct loop *loop, struct loop_io *io, bool is_closing)
{
    if (!loop_io_is_armed(io))
        return;
    struct slot *slot = &loop->slots[io->slot];
    assert(slot->io == io);
    if (!is_closing)
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    slot->io = NULL;
    slot->generation++;
    slot->next_free = loop->first_free;
    loop->first_free = io->slot;
    list_remove(&io->again);
    io->fd = -1;
}

void loop_again(struct loop *loop, struct loop_io *io, uint32_t events)
{
    assert(loop_io_is_armed(io));
    if (!list_is_linked(&io->again)) {
        io->again_events = 0;
        list_add_back(&loop->again, &io->again);
    }
    io->again_events |= events;
}

static uint32_t events_from(uint32_t bits)
{
    return (bits & EPOLLIN ? LOOP_READ : 0u) | (bits & EPOLLOUT ? LOOP_WRITE : 0u) |
           (bits & (EPOLLRDHUP | EPOLLHUP) ? LOOP_HANGUP : 0u) |
           (bits & EPOLLERR ? LOOP_ERROR : 0u);
}

static void loop_dispatch(struct loop *loop, const struct epoll_event *event)
{
    uint32_t number = (uint32_t)event->data.u64;
    uint32_t generation = (uint32_t)(event->data.u64 >> 32);
    struct slot *slot = &loop->slots[number];
    if (slot->io && slot->generation == generation)
        slot->io->fn(loop, slot->io, events_from(event->events));
}

/* Those that asked for another round get it; those that ask again meanwhile get theirs next turn. */
static void loop_run_again(struct loop *loop)
{
    struct list now;
    list_init(&now);
    list_move_all(&now, &loop->again);
    while (!list_is_empty(&now)) {
        struct loop_io *io = LIST_FIRST(&now, struct loop_io, again);
        list_remove(&io->again);
        io->fn(loop, io, io->again_events | LOOP_AGAIN);
    }
}

/* ---- timers ---- */

void loop_timer_init(struct loop_timer *timer, loop_timer_fn *fn)
{
    *timer = (struct loop_timer){.fn = fn};
    heap_node_init(&timer->node);
}

void loop_timer_insert(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns)
{
    timer->deadline_ns = deadline_ns;
    timer->key_ns = deadline_ns;
    if (heap_has(&timer->node))
        heap_move(&loop->timers, &timer->node, deadline_ns);
    else
        heap_insert(&loop->timers, &timer->node, deadline_ns);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    if (heap_has(&timer->node))
        heap_remove(&loop->timers, &timer->node);
}

/* The timer whose key comes first, where that is due; NULL otherwise. */
static struct loop_timer *loop_due_timer(const struct loop *loop)
{
    struct heap_node *first = heap_first(&loop->timers);
    if (!first || heap_first_key(&loop->timers) > loop->now_ns)
        return NULL;
    return CONTAINER_OF(first, struct loop_timer, node);
}

static void loop_run_timers(struct loop *loop)
{
    /* A callback that sets a timer to "now" gets it in the next turn, not for ever in this one. */
    for (uint32_t n_left = loop->timers.n_slots; n_left > 0; n_left--) {
        struct loop_timer *timer = loop_due_timer(loop);
        if (!timer)
            return;
        if (timer->deadline_ns > loop->now_ns) {
            loop_timer_insert(loop, timer, timer->deadline_ns); /* it was moved later meanwhile */
            continue;
        }
        heap_remove(&loop->timers, &timer->node);
        atomic_fetch_add_explicit(&loop->stats.n_timers, 1, memory_order_relaxed);
        timer->fn(loop, timer);
    }
}

/* ---- tasks ---- */

static void loop_wake(struct loop *loop)
{
    if (atomic_exchange(&loop->is_wake_due, true))
        return; /* somebody has rung, and the loop has not looked yet */
    uint64_t one = 1;
    (void)!write(loop->wake_io.fd, &one, sizeof(one));
}

void loop_post(struct loop *loop, struct loop_task *task, loop_task_fn *fn)
{
    task->fn = fn;
    struct loop_task *first = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do
        atomic_store_explicit(&task->next, first, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&loop->posted, &first, task, memory_order_release,
                                                  memory_order_relaxed));
    loop_wake(loop);
}

void loop_defer(struct loop *loop, struct loop_task *task, loop_task_fn *fn)
{
    task->fn = fn;
    atomic_store_explicit(&task->next, loop->deferred, memory_order_relaxed);
    loop->deferred = task;
}

static struct loop_task *tasks_reverse(struct loop_task *task)
{
    struct loop_task *reversed = NULL;
    while (task) {
        struct loop_task *next = atomic_load_explicit(&task->next, memory_order_relaxed);
        atomic_store_explicit(&task->next, reversed, memory_order_relaxed);
        reversed = task;
        task = next;
    }
    return reversed;
}

static void tasks_run(struct loop *loop, struct loop_task *task)
{
    while (task) {
        /* The task is its owner's again as soon as it runs. */
        struct loop_task *next = atomic_load_explicit(&task->next, memory_order_relaxed);
        task->fn(loop, task);
        atomic_fetch_add_explicit(&loop->stats.n_tasks, 1, memory_order_relaxed);
        task = next;
    }
}

static void loop_run_tasks(struct loop *loop)
{
    if (atomic_load_explicit(&loop->posted, memory_order_relaxed)) {
        /* The flag first: who posts after this rings again. */
        atomic_store(&loop->is_wake_due, false);
        tasks_run(loop, tasks_reverse(atomic_exchange(&loop->posted, NULL)));
    }
    while (loop->deferred) {
        struct loop_task *deferred = tasks_reverse(loop->deferred);
        loop->deferred = NULL;
        tasks_run(loop, deferred);
    }
}

/* ---- turns ---- */

static int loop_wait_ms(const struct loop *loop, int max_wait_ms)
{
    if (!list_is_empty(&loop->again) || atomic_load(&loop->posted))
        return 0;
    uint64_t wait_ms = max_wait_ms < 0 ? (uint64_t)INT32_MAX : (uint64_t)max_wait_ms;
    if (loop->heartbeat && wait_ms > LOOP_HEARTBEAT_MS)
        wait_ms = LOOP_HEARTBEAT_MS;
    uint64_t first_ns = heap_first_key(&loop->timers);
    if (first_ns != UINT64_MAX) {
        uint64_t left_ms =
            first_ns > loop->now_ns ? (first_ns - loop->now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
        if (left_ms < wait_ms)
            wait_ms = left_ms;
    }
    return max_wait_ms < 0 && wait_ms == (uint64_t)INT32_MAX ? -1 : (int)wait_ms;
}

static void stat_add(_Atomic uint64_t *word, uint64_t n)
{
    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* A turn has ended: how long it was, from `woken_ns` on. */
static void loop_measure(struct loop *loop, uint64_t woken_ns, int n_events)
{
    uint64_t now_ns = loop_clock_ns();
    uint64_t took_ns = now_ns - woken_ns;
    loop->now_ns = now_ns; /* fresh, for the wait that follows */
    stat_add(&loop->stats.n_turns, 1);
    stat_add(&loop->stats.n_events, (uint64_t)n_events);
    stat_add(&loop->stats.busy_ns, took_ns);
    if (took_ns > atomic_load_explicit(&loop->stats.longest_ns, memory_order_relaxed))
        atomic_store_explicit(&loop->stats.longest_ns, took_ns, memory_order_relaxed);
}

void loop_turn(struct loop *loop, int max_wait_ms)
{
    int wait_ms = loop_wait_ms(loop, max_wait_ms);
    int n = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS, wait_ms);
    assert(n >= 0 || errno == EINTR);
    loop->now_ns = loop_clock_ns();
    loop->wall_ns = 0;
    uint64_t woken_ns = loop->now_ns;
    if (loop->heartbeat)
        atomic_store_explicit(loop->heartbeat, loop->now_ns, memory_order_relaxed);
    for (int i = 0; i < n; i++)
        loop_dispatch(loop, &loop->events[i]);
    loop_run_again(loop);
    loop_run_timers(loop);
    loop_run_tasks(loop);
    loop_measure(loop, woken_ns, n > 0 ? n : 0);
}

void loop_run(struct loop *loop)
{
    while (!atomic_load_explicit(&loop->must_stop, memory_order_relaxed))
        loop_turn(loop, -1);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->must_stop, true);
    loop_wake(loop);
}

/* ---- what others ask ---- */

uint32_t loop_index(const struct loop *loop)
{
    return loop->index;
}

uint64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

const struct loop_stats *loop_stats(const struct loop *loop)
{
    return &loop->stats;
}

void loop_set_heartbeat(struct loop *loop, _Atomic uint64_t *word)
{
    loop->heartbeat = word;
    if (word)
        atomic_store_explicit(word, loop->now_ns, memory_order_relaxed);
}

void loop_set_context(struct loop *loop, void *context)
{
    loop->context = context;
}

void *loop_context(const struct loop *loop)
{
    return loop->context;
}

char *loop_buf(struct loop *loop)
{
    return loop->buf;
}
