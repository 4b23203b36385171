/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The event engine. A turn is: sleep in epoll_wait, take the time, stamp the
 * heartbeat, hand out the kernel's events, then the second rounds that owners
 * asked for, then the timers that are due, then the tasks of other threads,
 * then what was deferred. Nothing here allocates in a turn: the array of slots
 * and the heap grow when a descriptor or timer is added.
 */

#include "core/loop.h"
#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    SLOTS_MIN = 64,
    SLOT_WAKE = 0, /* the loop's own eventfd: no io hangs there, so its events end
                    in find_io() */
    PAGE_BYTES = 4096,
    BUF_MAP_BYTES = PAGE_BYTES + LOOP_BUF_HEADROOM + LOOP_BUF_SIZE + PAGE_BYTES,
};

_Static_assert(LOOP_BUF_HEADROOM % PAGE_BYTES == 0 && LOOP_BUF_SIZE % PAGE_BYTES == 0,
               "the read buffer begins and ends with a page");

#define SLOT_NONE   UINT32_MAX
#define NS_PER_MS   1000000u
#define NS_PER_S    1000000000u
#define READ_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define ALL_EVENTS  (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* What stands behind the number that the kernel keeps for a descriptor. */
struct slot {
    uint32_t generation; /* one more each time the slot is given back */
    uint32_t next_free;
    struct loop_io *io; /* NULL: free */
};

struct task_queue { /* of the loop's own thread: first in, first out */
    struct loop_task *first, *last;
};

struct loop {
    int epoll_fd;
    int wake_fd;
    uint32_t index;
    uint32_t depth; /* of turns on the stack */

    struct slot *slots;
    uint32_t n_slots;
    uint32_t free_slot;
    uint32_t n_armed;

    struct list again;  /* of loop_io.again: another round in the next turn */
    struct list due;    /* the same: asked for before this turn */
    struct heap timers; /* of loop_timer.node */
    struct task_queue deferred;

    uint64_t now_ns;
    uint64_t busy_since_ns; /* what was before is in the stats already */
    uint64_t wall_ns;
    uint64_t wall_turn; /* the turn that wall_ns was read in */
    _Atomic uint64_t *heartbeat;
    void *context;
    char *map; /* guard page, headroom, buffer, guard page */
    struct loop_stats stats;

    /* What other threads write, on a cache line of its own. `posted` is a stack
   * that the loop takes whole and turns round: no order is lost, and no
   * producer can hold up another half way. */
    _Alignas(64) struct loop_task *_Atomic posted;
    _Atomic bool is_asleep; /* who posts must ring */
    _Atomic bool is_stopping;
};

/* --- time
 * --------------------------------------------------------------------------------------
 */

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t loop_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t loop_boot_ns(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

uint64_t loop_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

uint64_t loop_wall_ns(struct loop *loop)
{
    uint64_t turn = atomic_load_explicit(&loop->stats.n_turns, memory_order_relaxed);
    if (loop->wall_turn != turn) {
        loop->wall_ns = read_clock(CLOCK_REALTIME);
        loop->wall_turn = turn;
    }
    return loop->wall_ns;
}

/* --- counting
 * ----------------------------------------------------------------------------------
 */

/* Only the loop's thread writes: no locked instruction is needed. */
static inline void count(_Atomic uint64_t *word, uint64_t n)
{
    uint64_t before = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, before + n, memory_order_relaxed);
}

/* The time since busy_since_ns was spent working. */
static void count_busy(struct loop *loop, uint64_t now_ns)
{
    uint64_t took_ns = now_ns - loop->busy_since_ns;
    count(&loop->stats.busy_ns, took_ns);
    if (took_ns > atomic_load_explicit(&loop->stats.longest_ns, memory_order_relaxed))
        atomic_store_explicit(&loop->stats.longest_ns, took_ns, memory_order_relaxed);
    loop->busy_since_ns = now_ns;
}

const struct loop_stats *loop_stats(const struct loop *loop)
{
    return &loop->stats;
}

/* --- slots
 * -------------------------------------------------------------------------------------
 */

static void grow_slots(struct loop *loop)
{
    uint32_t n = loop->n_slots ? 2 * loop->n_slots : SLOTS_MIN;
    assert(n > loop->n_slots && n < SLOT_NONE);
    loop->slots = mem_realloc(loop->slots, n * sizeof(*loop->slots));
    for (uint32_t i = n; i-- > loop->n_slots;) {
        loop->slots[i] = (struct slot){.generation = 0, .next_free = loop->free_slot, .io = NULL};
        loop->free_slot = i;
    }
    loop->n_slots = n;
}

static uint32_t take_slot(struct loop *loop, struct loop_io *io)
{
    if (loop->free_slot == SLOT_NONE)
        grow_slots(loop);
    uint32_t number = loop->free_slot;
    loop->free_slot = loop->slots[number].next_free;
    loop->slots[number].io = io;
    return number;
}

static void give_slot_back(struct loop *loop, uint32_t number)
{
    struct slot *slot = &loop->slots[number];
    slot->generation++;
    slot->io = NULL;
    slot->next_free = loop->free_slot;
    loop->free_slot = number;
}

/* NULL where the event is older than the slot's present use. */
static inline struct loop_io *find_io(const struct loop *loop, uint64_t data)
{
    const struct slot *slot = &loop->slots[(uint32_t)data];
    return slot->generation == (uint32_t)(data >> 32) ? slot->io : NULL;
}

/* --- descriptors
 * -------------------------------------------------------------------------------
 */

void loop_io_init(struct loop_io *io)
{
    *io = (struct loop_io){.fd = -1, .slot = SLOT_NONE, .fn = NULL, .again_events = 0};
    list_init(&io->again);
}

/* The kernel begins to tell of a descriptor, by the number of its slot. */
static int watch(struct loop *loop, int fd, uint32_t number, uint32_t events, struct err *err)
{
    struct epoll_event event = {
        .events = events,
        .data.u64 = (uint64_t)loop->slots[number].generation << 32 | number,
    };
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return err_set_errno(err, errno, "cannot watch descriptor %d", fd);
    return 0;
}

static int arm(struct loop *loop, struct loop_io *io, int fd, loop_io_fn *fn, uint32_t events,
               struct err *err)
{
    assert(!loop_io_is_armed(io));
    uint32_t number = take_slot(loop, io);
    if (watch(loop, fd, number, events, err) < 0) {
        give_slot_back(loop, number);
        return -1;
    }
    io->fd = fd;
    io->slot = number;
    io->fn = fn;
    io->again_events = 0;
    io->is_muted = false;
    loop->n_armed++;
    return 0;
}

int loop_io_add(struct loop *loop, struct loop_io *io, int fd, loop_io_fn *fn, struct err *err)
{
    return arm(loop, io, fd, fn, ALL_EVENTS, err);
}

int loop_io_add_read(struct loop *loop, struct loop_io *io, int fd, loop_io_fn *fn, struct err *err)
{
    return arm(loop, io, fd, fn, READ_EVENTS, err);
}

void loop_io_remove(struct loop *loop, struct loop_io *io, bool is_closing)
{
    if (!loop_io_is_armed(io))
        return;
    assert(loop->slots[io->slot].io == io);
    if (!is_closing && !io->is_muted)
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    give_slot_back(loop, io->slot);
    list_remove(&io->again);
    io->fd = -1;
    io->slot = SLOT_NONE;
    io->again_events = 0;
    loop->n_armed--;
}

void loop_io_mute(struct loop *loop, struct loop_io *io)
{
    assert(loop_io_is_armed(io) && !io->is_muted);
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    io->is_muted = true;
}

int loop_io_unmute(struct loop *loop, struct loop_io *io, struct err *err)
{
    assert(loop_io_is_armed(io) && io->is_muted);
    if (watch(loop, io->fd, io->slot, READ_EVENTS, err) < 0)
        return -1;
    io->is_muted = false;
    return 0;
}

void loop_again(struct loop *loop, struct loop_io *io, uint32_t events)
{
    assert(loop_io_is_armed(io));
    io->again_events |= events | LOOP_AGAIN;
    if (!list_is_linked(&io->again))
        list_add_back(&loop->again, &io->again);
}

/* A pipe whose writer is gone says EPOLLHUP alone: that is an end of stream, to
 * be read. */
static inline uint32_t events_from_kernel(uint32_t bits)
{
    uint32_t events = 0;
    if (bits & (EPOLLIN | EPOLLHUP))
        events |= LOOP_READ;
    if (bits & EPOLLOUT)
        events |= LOOP_WRITE;
    if (bits & (EPOLLRDHUP | EPOLLHUP))
        events |= LOOP_HANGUP;
    if (bits & EPOLLERR)
        events |= LOOP_ERROR;
    return events;
}

/* Calls the owner once, with what the kernel says and what it asked for itself.
 */
static inline void call_io(struct loop *loop, struct loop_io *io, uint32_t events)
{
    if (io->again_events) {
        events |= io->again_events;
        io->again_events = 0;
        list_remove(&io->again);
    }
    io->fn(loop, io, events);
}

static size_t run_events(struct loop *loop, const struct epoll_event *events, size_t n)
{
    size_t n_called = 0;
    for (size_t i = 0; i < n; i++) {
        struct loop_io *io = find_io(loop, events[i].data.u64);
        if (!io)
            continue;
        call_io(loop, io, events_from_kernel(events[i].events));
        n_called++;
    }
    return n_called;
}

static size_t run_due(struct loop *loop)
{
    size_t n_called = 0;
    while (!list_is_empty(&loop->due)) {
        call_io(loop, LIST_ENTRY(loop->due.next, struct loop_io, again), 0);
        n_called++;
    }
    return n_called;
}

/* --- timers
 * ------------------------------------------------------------------------------------
 */

void loop_timer_init(struct loop_timer *timer, loop_timer_fn *fn)
{
    *timer = (struct loop_timer){.deadline_ns = 0, .key_ns = 0, .fn = fn};
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

/* The timer in front whose deadline has passed, or NULL. Those that only look
 * due, because their deadline was moved since, go to their place first, so that
 * timers fire in order of deadlines. */
static struct loop_timer *first_due(struct loop *loop)
{
    struct heap_node *node;
    while ((node = heap_first(&loop->timers))) {
        struct loop_timer *timer = CONTAINER_OF(node, struct loop_timer, node);
        if (timer->key_ns > loop->now_ns)
            break;
        if (timer->deadline_ns == timer->key_ns)
            return timer;
        loop_timer_insert(loop, timer, timer->deadline_ns);
        count(&loop->stats.n_timers_moved, 1);
    }
    return NULL;
}

/* At most as many as there are, so that a timer that is set to "now" by its own
 * callback does not keep the loop from its descriptors. */
static size_t run_timers(struct loop *loop)
{
    size_t n_called = 0;
    size_t n_max = loop->timers.n_slots;
    struct loop_timer *timer;
    while (n_called < n_max && (timer = first_due(loop))) {
        heap_remove(&loop->timers, &timer->node);
        timer->fn(loop, timer);
        n_called++;
    }
    return n_called;
}

/* --- tasks
 * -------------------------------------------------------------------------------------
 */

/* The count is never read back: each write is a new edge, and it does not end
 * in a lifetime. */
static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t n = write(loop->wake_fd, &one, sizeof(one));
    assert(n == sizeof(one) || errno == EAGAIN);
}

/*
 * The loop says that it sleeps, then looks at the stack; a producer pushes,
 * then looks at is_asleep. All of it in the one total order of sequentially
 * consistent operations, so that at least one of them sees the other.
 */
void loop_post(struct loop *loop, struct loop_task *task, loop_task_fn *fn)
{
    task->fn = fn;
    struct loop_task *top = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do
        atomic_store_explicit(&task->next, top, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&loop->posted, &top, task));
    if (atomic_load(&loop->is_asleep) && atomic_exchange(&loop->is_asleep, false))
        wake(loop);
}

void loop_defer(struct loop *loop, struct loop_task *task, loop_task_fn *fn)
{
    task->fn = fn;
    atomic_store_explicit(&task->next, NULL, memory_order_relaxed);
    if (loop->deferred.last)
        atomic_store_explicit(&loop->deferred.last->next, task, memory_order_relaxed);
    else
        loop->deferred.first = task;
    loop->deferred.last = task;
}

/* A task's memory is its owner's again as soon as it runs. */
static size_t run_tasks(struct loop *loop, struct loop_task *task)
{
    size_t n_called = 0;
    while (task) {
        struct loop_task *next = atomic_load_explicit(&task->next, memory_order_relaxed);
        task->fn(loop, task);
        task = next;
        n_called++;
    }
    return n_called;
}

static size_t run_deferred(struct loop *loop)
{
    struct loop_task *first = loop->deferred.first;
    loop->deferred = (struct task_queue){NULL, NULL};
    return run_tasks(loop, first);
}

static size_t run_posted(struct loop *loop)
{
    if (!atomic_load_explicit(&loop->posted, memory_order_relaxed))
        return 0;
    struct loop_task *top = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
    struct loop_task *first = NULL;
    while (top) {
        struct loop_task *below = atomic_load_explicit(&top->next, memory_order_relaxed);
        atomic_store_explicit(&top->next, first, memory_order_relaxed);
        first = top;
        top = below;
    }
    return run_tasks(loop, first);
}

/* --- turns
 * -------------------------------------------------------------------------------------
 */

/* Milliseconds from now until then, rounded up, at most max_ms. */
static int ms_until(uint64_t now_ns, uint64_t then_ns, int max_ms)
{
    if (then_ns <= now_ns)
        return 0;
    uint64_t wait_ms = (then_ns - now_ns - 1) / NS_PER_MS + 1;
    return wait_ms < (uint64_t)max_ms ? (int)wait_ms : max_ms;
}

static bool has_work(const struct loop *loop)
{
    return !list_is_empty(&loop->again) || !list_is_empty(&loop->due) || loop->deferred.first;
}

/* Waits for events. The clock is read before a sleep only: a turn that has work
 * goes on. */
static size_t wait_for_events(struct loop *loop, struct epoll_event *events, int max_ms)
{
    bool may_sleep = max_ms > 0 && !has_work(loop);
    int wait_ms = 0;
    if (may_sleep) {
        uint64_t now_ns = loop_clock_ns();
        count_busy(loop, now_ns);
        wait_ms = ms_until(now_ns, heap_first_key(&loop->timers), max_ms);
        atomic_store(&loop->is_asleep, true);
        if (atomic_load(&loop->posted) || atomic_load(&loop->is_stopping))
            wait_ms = 0;
    }
    int n = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS, wait_ms);
    assert(n >= 0 || errno == EINTR);
    loop->now_ns = loop_clock_ns();
    if (may_sleep) {
        atomic_store_explicit(&loop->is_asleep, false, memory_order_relaxed);
        loop->busy_since_ns = loop->now_ns;
    } else {
        count_busy(loop, loop->now_ns);
    }
    return n < 0 ? 0 : (size_t)n;
}

/* One turn; returns how many callbacks it made. max_ms is not above
 * LOOP_HEARTBEAT_MS. */
static size_t turn(struct loop *loop, int max_ms)
{
    /* On the stack, because a callback may take a turn of its own. */
    struct epoll_event events[LOOP_EVENTS];
    size_t n = wait_for_events(loop, events, max_ms);
    count(&loop->stats.n_turns, 1);
    if (loop->heartbeat)
        atomic_store_explicit(loop->heartbeat, loop->now_ns, memory_order_relaxed);

    list_move_all(&loop->due, &loop->again);
    size_t n_events = run_events(loop, events, n) + run_due(loop);
    size_t n_timers = run_timers(loop);
    size_t n_tasks = run_posted(loop);
    if (loop->depth == 1)
        n_tasks += run_deferred(loop);
    count(&loop->stats.n_events, n_events);
    count(&loop->stats.n_timers, n_timers);
    count(&loop->stats.n_tasks, n_tasks);
    return n_events + n_timers + n_tasks;
}

void loop_run(struct loop *loop)
{
    assert(loop->depth == 0);
    loop->depth++;
    loop->busy_since_ns = loop_clock_ns();
    while (!atomic_load_explicit(&loop->is_stopping, memory_order_acquire))
        turn(loop, LOOP_HEARTBEAT_MS);
    atomic_store(&loop->is_stopping, false);
    loop->depth--;
}

void loop_turn(struct loop *loop, int max_wait_ms)
{
    loop->now_ns = loop_clock_ns();
    uint64_t end_ns =
        max_wait_ms < 0 ? UINT64_MAX : loop->now_ns + (uint64_t)max_wait_ms * NS_PER_MS;
    if (loop->depth++ == 0)
        loop->busy_since_ns = loop->now_ns;
    while (turn(loop, ms_until(loop->now_ns, end_ns, LOOP_HEARTBEAT_MS)) == 0) {
        if (loop->now_ns >= end_ns || atomic_load(&loop->is_stopping))
            break;
    }
    if (--loop->depth == 0)
        count_busy(loop, loop_clock_ns());
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    wake(loop);
}

/* --- the loop itself
 * ---------------------------------------------------------------------------
 */

uint32_t loop_index(const struct loop *loop)
{
    return loop->index;
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
    return loop->map + PAGE_BYTES + LOOP_BUF_HEADROOM;
}

/* Pages that nobody may touch lie at both ends: an overrun stops the process at
 * once. */
static int map_buf(struct loop *loop, struct err *err)
{
    void *map = mmap(NULL, BUF_MAP_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return err_set_errno(err, errno, "cannot map the read buffer of loop %u", loop->index);
    loop->map = map;
    char *first = loop->map + PAGE_BYTES;
    if (mprotect(first, BUF_MAP_BYTES - 2 * PAGE_BYTES, PROT_READ | PROT_WRITE) < 0)
        return err_set_errno(err, errno, "cannot map the read buffer of loop %u", loop->index);
    return 0;
}

static int open_kernel_side(struct loop *loop, struct err *err)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return err_set_errno(err, errno, "cannot make the epoll of loop %u", loop->index);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return err_set_errno(err, errno, "cannot make the eventfd of loop %u", loop->index);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = SLOT_WAKE};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
        return err_set_errno(err, errno, "cannot watch the eventfd of loop %u", loop->index);
    return map_buf(loop, err);
}

static void free_loop(struct loop *loop)
{
    if (loop->map)
        munmap(loop->map, BUF_MAP_BYTES);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    heap_deinit(&loop->timers);
    mem_free(loop->slots);
    free(loop);
}

int loop_create(uint32_t index, struct loop **ret_loop, struct err *err)
{
    struct loop *loop = aligned_alloc(_Alignof(struct loop), sizeof(struct loop));
    if (!loop)
        return err_set_errno(err, ENOMEM, "cannot make loop %u", index);
    memset(loop, 0, sizeof(*loop));
    loop->epoll_fd = -1;
    loop->wake_fd = -1;
    loop->index = index;
    loop->free_slot = SLOT_NONE;
    list_init(&loop->again);
    list_init(&loop->due);
    heap_init(&loop->timers);
    uint32_t wake_slot = take_slot(loop, NULL);
    assert(wake_slot == SLOT_WAKE);
    loop->now_ns = loop->busy_since_ns = loop_clock_ns();
    loop->wall_turn = UINT64_MAX;
    if (open_kernel_side(loop, err) < 0) {
        free_loop(loop);
        return -1;
    }
    *ret_loop = loop;
    return 0;
}

void loop_destroy(struct loop **loop)
{
    if (!*loop)
        return;
    while (run_posted(*loop) + run_deferred(*loop) > 0)
        continue;
    assert((*loop)->depth == 0 && (*loop)->n_armed == 0 && (*loop)->timers.n_slots == 0);
    free_loop(*loop);
    *loop = NULL;
}
