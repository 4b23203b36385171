/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

/*
 * The event engine: one loop a thread, edge-triggered epoll, timers, and tasks from other threads.
 *
 * Descriptors. Each is armed once, for everything that its owner will ever want, and never changed:
 * no epoll_ctl on the path of a request. The owner tries the read or write first and comes back to
 * the loop only when the kernel said EAGAIN (or a short read said that the socket is drained).
 * An owner embeds a struct loop_io. What the kernel keeps for the descriptor is not its address but
 * the number of a slot and the slot's generation:
 *
 *      epoll_event.data:  | generation 32 | slot 32 |      slots[slot] = { generation, io }
 *
 * so an event that was on its way when its descriptor was closed and its memory reused finds
 * another generation and is dropped.
 *
 * Fairness. An owner may work LOOP_BUDGET rounds a turn on one descriptor; then it calls
 * loop_again(), and gets its event once more after everybody else had theirs.
 *
 * Timers are lazy: moving a deadline later stores a number and touches no tree; the heap is moved
 * only when the old deadline passes. So a time-out that is renewed with every read costs a store.
 * Resolution is one millisecond, late rather than early.
 *
 * Time is read once a turn (loop_now_ns, CLOCK_MONOTONIC); everything below core gets it as an
 * argument. Work of other threads comes by loop_post(); the loop owns nothing that they may touch.
 *
 * The shared read buffer: one of LOOP_BUF_SIZE bytes a loop, with LOOP_BUF_HEADROOM bytes in front
 * of it, into which a rewritten head may be put before a body that was just read. A slice into it
 * lives until the callback returns to the loop; what is needed later is copied.
 *
 * Everything here may be called by the loop's own thread only, but for loop_post() and loop_stop().
 */

#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOOP_BUF_SIZE = 128 * 1024,
    LOOP_BUF_HEADROOM = 40 * 1024, /* room for a whole head of the largest size allowed */
    LOOP_EVENTS = 256,             /* taken from the kernel a turn */
    LOOP_BUDGET = 8,               /* rounds of work a descriptor a turn */
    LOOP_HEARTBEAT_MS = 100,       /* an idle loop wakes this often to say that it lives */
};

/* What a callback is told; the kernel's bits under our names. */
enum {
    LOOP_READ = 1 << 0,   /* readable, or end of stream */
    LOOP_WRITE = 1 << 1,  /* writable */
    LOOP_HANGUP = 1 << 2, /* the peer closed its sending side, or both */
    LOOP_ERROR = 1 << 3,  /* look at SO_ERROR */
    LOOP_AGAIN = 1 << 4,  /* asked for by loop_again() */
};

struct loop;
struct loop_io;
struct loop_timer;
struct loop_task;

typedef void loop_io_fn(struct loop *loop, struct loop_io *io, uint32_t events);
typedef void loop_timer_fn(struct loop *loop, struct loop_timer *timer);
typedef void loop_task_fn(struct loop *loop, struct loop_task *task);

struct loop_io {
    int fd;        /* -1: not armed. Owned by whoever embeds this, never closed here */
    uint32_t slot; /* while armed */
    loop_io_fn *fn;
    struct list again; /* in the loop's list of those that want another round */
    uint32_t again_events;
    bool is_muted;
};

struct loop_timer {
    struct heap_node node;
    uint64_t deadline_ns; /* when it is to fire */
    uint64_t key_ns;      /* where it stands in the heap, at most deadline_ns */
    loop_timer_fn *fn;
};

struct loop_task {
    struct loop_task *_Atomic next;
    loop_task_fn *fn;
};

struct loop_stats { /* written by the loop's thread, plain reads elsewhere are for display only */
    _Atomic uint64_t n_turns, n_events, n_timers, n_tasks;
    _Atomic uint64_t n_timers_moved; /* lazily, because their deadline had been put off */
    _Atomic uint64_t busy_ns;        /* time not spent in epoll_wait */
    _Atomic uint64_t longest_ns;     /* the longest turn */
};

/* `index` is the loop's number within its process, from 0. */
int loop_create(uint32_t index, struct loop **ret_loop, struct err *err);
/* No descriptor or timer may be left armed but the loop's own. Runs what is still posted or
 * deferred, for it may hold memory. A NULL loop is fine. */
void loop_destroy(struct loop **loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
/*
 * One turn that does something: waits at most max_wait_ms (-1: until a callback was made or
 * loop_stop() was called; the heartbeat goes on meanwhile). For tests and nested waits: a turn
 * inside a callback runs all but the deferred tasks.
 */
void loop_turn(struct loop *loop, int max_wait_ms);
/* From any thread. A loop that does not run yet returns from loop_run() at once. */
void loop_stop(struct loop *loop);

uint32_t loop_index(const struct loop *loop);
/* Monotonic time of the current turn, nanoseconds. */
uint64_t loop_now_ns(const struct loop *loop);
/* The same, read anew: for measuring inside a turn. */
uint64_t loop_clock_ns(void);
/* Of a clock that goes on while the machine sleeps (CLOCK_BOOTTIME), read anew: for whoever must
 * know that it slept. */
uint64_t loop_boot_ns(void);
/* Nanoseconds since 1970 now, for those who have no loop at hand. */
uint64_t loop_clock_wall_ns(void);
/* Nanoseconds since 1970 in the current turn, for Date and logs; read at most once a turn. */
uint64_t loop_wall_ns(struct loop *loop);
const struct loop_stats *loop_stats(const struct loop *loop);

/* Where the loop stores loop_now_ns() each turn (a word on the board); NULL: nowhere. */
void loop_set_heartbeat(struct loop *loop, _Atomic uint64_t *word);

/* Something that callbacks need and the loop does not know (the thread's own state). */
void loop_set_context(struct loop *loop, void *context);
void *loop_context(const struct loop *loop);

/*
 * Arms `fd` once, edge-triggered, for LOOP_READ and LOOP_WRITE and hang-up. The first event comes
 * by itself when the state is already so. Returns 0, or -1 with err (ENOSPC, ENOMEM).
 */
int loop_io_add(struct loop *loop, struct loop_io *io, int fd, loop_io_fn *fn, struct err *err);
/* The same for a descriptor that is only read: a listening socket, an eventfd, a signalfd. */
int loop_io_add_read(struct loop *loop, struct loop_io *io, int fd, loop_io_fn *fn,
                     struct err *err);
/*
 * Disarms; no callback comes after this. is_closing: the caller closes the descriptor next, and no
 * other process holds it, so that the kernel forgets it by itself and a system call is saved.
 */
void loop_io_remove(struct loop *loop, struct loop_io *io, bool is_closing);
/*
 * For who waits for a descriptor of loop_io_add_read() in a system call of its own for a while: the
 * kernel says nothing of it to the loop, and so spends nothing on each datagram to say it.
 * loop_again() works as ever.
 */
void loop_io_mute(struct loop *loop, struct loop_io *io);
/* What came meanwhile is said. 0, or -1 with err (ENOMEM, ENOSPC): it is muted still. */
int loop_io_unmute(struct loop *loop, struct loop_io *io, struct err *err);
/* The callback comes again next turn with these events and LOOP_AGAIN. */
void loop_again(struct loop *loop, struct loop_io *io, uint32_t events);
static inline bool loop_io_is_armed(const struct loop_io *io)
{
    return io->fd >= 0;
}
void loop_io_init(struct loop_io *io);

void loop_timer_init(struct loop_timer *timer, loop_timer_fn *fn);
void loop_timer_insert(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns);
/* Fires once at deadline_ns or up to a millisecond later; replaces the former deadline. */
static inline void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns)
{
    if (heap_has(&timer->node) && deadline_ns >= timer->key_ns) {
        timer->deadline_ns = deadline_ns; /* the heap learns of it when the old place is reached */
        return;
    }
    loop_timer_insert(loop, timer, deadline_ns);
}
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);
static inline bool loop_timer_is_set(const struct loop_timer *timer)
{
    return heap_has(&timer->node);
}

/*
 * From any thread: runs fn in the loop's thread, in order of posting. The task is the caller's
 * until then.
 */
void loop_post(struct loop *loop, struct loop_task *task, loop_task_fn *fn);
/* From the loop's own thread: runs fn at the end of this turn, when nobody is on the stack. */
void loop_defer(struct loop *loop, struct loop_task *task, loop_task_fn *fn);

/* The shared read buffer; LOOP_BUF_HEADROOM bytes before it are the caller's too. */
char *loop_buf(struct loop *loop);

#endif
