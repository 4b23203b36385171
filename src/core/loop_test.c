/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The event engine: events that outlived their descriptor, fairness, lazy timers and their order,
 * tasks from other threads, and how long a turn waits.
 */

#include "base/mem.h"
#include "base/rng.h"
#include "core/loop.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000000u

static void sleep_us(long us)
{
    struct timespec wait = {.tv_sec = 0, .tv_nsec = us * 1000};
    nanosleep(&wait, NULL);
}

static struct loop *make_loop(void)
{
    struct loop *loop = NULL;
    struct err err = ERR_NONE;
    assert_int_equal(loop_create(3, &loop, &err), 0);
    return loop;
}

static uint64_t stat_of(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* --- descriptors ------------------------------------------------------------------------------ */

struct end { /* one end of a socket pair, and what its callback saw */
    struct loop_io io;
    int fd;
    uint32_t events;
    unsigned n_calls;
    struct end *victim; /* closed, and its slot given to `heir`, by the first callback */
    struct end *heir;   /* not yet armed */
    unsigned n_more;    /* rounds that it asks for */
    unsigned *clock;    /* counts all callbacks of a test */
    unsigned called_at; /* the clock at the last call */
};

static void end_on_io(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct end *end = CONTAINER_OF(io, struct end, io);
    end->events |= events;
    end->n_calls++;
    if (end->clock)
        end->called_at = ++*end->clock;
    if (end->victim) {
        struct err err = ERR_NONE;
        struct end *victim = end->victim, *heir = end->heir;
        end->victim = NULL;
        victim->victim = NULL;
        loop_io_remove(loop, &victim->io, true);
        close(victim->fd);
        heir->fd = dup(heir->fd); /* takes the number that was just closed */
        assert_int_equal(heir->fd, victim->fd);
        assert_int_equal(loop_io_add_read(loop, &heir->io, heir->fd, end_on_io, &err), 0);
    }
    if (end->n_more > 0) {
        end->n_more--;
        loop_again(loop, io, LOOP_READ);
    }
}

static void end_init(struct end *end, int fd)
{
    *end = (struct end){.fd = fd};
    loop_io_init(&end->io);
}

static void add(struct loop *loop, struct end *end)
{
    struct err err = ERR_NONE;
    assert_int_equal(loop_io_add(loop, &end->io, end->fd, end_on_io, &err), 0);
    assert_true(loop_io_is_armed(&end->io));
}

static void make_pair(struct end *a, struct end *b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    end_init(a, fds[0]);
    end_init(b, fds[1]);
}

static void test_events(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    struct end a, b;
    make_pair(&a, &b);
    add(loop, &a);
    loop_turn(loop, -1);
    assert_int_equal(a.events, LOOP_WRITE);
    loop_turn(loop, 0); /* edge-triggered: said once */
    assert_int_equal(a.n_calls, 1);

    assert_int_equal(write(b.fd, "x", 1), 1);
    loop_turn(loop, -1);
    assert_true(a.events & LOOP_READ);
    a.events = 0;
    shutdown(b.fd, SHUT_WR);
    loop_turn(loop, -1);
    assert_true(a.events & LOOP_READ && a.events & LOOP_HANGUP);
    assert_int_equal(stat_of(&loop_stats(loop)->n_events), 3);

    loop_io_remove(loop, &a.io, false);
    assert_false(loop_io_is_armed(&a.io));
    loop_io_remove(loop, &a.io, false); /* twice is fine */
    close(b.fd);
    loop_turn(loop, 0);
    assert_int_equal(a.n_calls, 3);
    close(a.fd);
    loop_destroy(&loop);
    assert_null(loop);
}

/* The writer of a pipe goes: the kernel says EPOLLHUP alone, the owner is told to read. */
static void test_pipe_end(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    struct err err = ERR_NONE;
    struct end end;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    end_init(&end, fds[0]);
    assert_int_equal(loop_io_add_read(loop, &end.io, fds[0], end_on_io, &err), 0);
    loop_turn(loop, 0);
    assert_int_equal(end.n_calls, 0);
    close(fds[1]);
    loop_turn(loop, -1);
    assert_int_equal(end.events, LOOP_READ | LOOP_HANGUP);
    loop_io_remove(loop, &end.io, true);
    close(fds[0]);
    loop_destroy(&loop);
}

static void test_refused_by_kernel(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    struct err err = ERR_NONE;
    struct loop_io io;
    loop_io_init(&io);
    int fd = memfd_create("regular", MFD_CLOEXEC);
    assert_int_equal(loop_io_add(loop, &io, fd, end_on_io, &err), -1);
    assert_int_equal(err.number, EPERM);
    assert_false(loop_io_is_armed(&io));
    close(fd);
    assert_int_equal(loop_io_add(loop, &io, fd, end_on_io, &err), -1);
    assert_int_equal(err.number, EBADF);
    loop_destroy(&loop);
}

/*
 * Two descriptors are ready in one batch; the callback of whichever comes first closes the other,
 * and arms a third that takes the other's number and slot. The event that is still in the batch was
 * the other's and must not reach the third.
 */
static void test_stale_events(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    for (int round = 0; round < 100; round++) {
        struct end a, b, c, d, heir, quiet;
        make_pair(&a, &b);
        make_pair(&c, &d);
        make_pair(&heir, &quiet);
        int heir_source = heir.fd;
        add(loop, &a);
        add(loop, &c);
        uint32_t slot_a = a.io.slot, slot_c = c.io.slot;
        loop_turn(loop, -1);
        assert_int_equal(a.n_calls + c.n_calls, 2);
        a.n_calls = c.n_calls = 0;
        a.victim = &c;
        c.victim = &a;
        a.heir = c.heir = &heir;
        assert_int_equal(write(b.fd, "x", 1), 1);
        assert_int_equal(write(d.fd, "x", 1), 1);
        loop_turn(loop, -1);
        assert_int_equal(a.n_calls + c.n_calls, 1);
        assert_int_equal(heir.n_calls, 0);
        assert_int_equal(heir.io.slot, a.n_calls ? slot_c : slot_a);
        loop_turn(loop, 0);
        assert_int_equal(heir.n_calls, 0);
        assert_int_equal(write(quiet.fd, "x", 1), 1);
        loop_turn(loop, -1);
        assert_int_equal(heir.n_calls, 1);
        struct end *left = a.n_calls ? &a : &c;
        loop_io_remove(loop, &left->io, true);
        loop_io_remove(loop, &heir.io, false);
        close(left->fd);
        close(heir.fd);
        close(heir_source);
        close(b.fd);
        close(d.fd);
        close(quiet.fd);
    }
    loop_destroy(&loop);
}

/* One owner asks for more for ever; the others are called as often, and it comes after them. */
static void test_again_is_fair(void **state)
{
    (void)state;
    enum { N = 5, ROUNDS = 20 };
    struct loop *loop = make_loop();
    struct end greedy, peer, others[N], peers[N];
    unsigned clock = 0;
    make_pair(&greedy, &peer);
    add(loop, &greedy);
    for (size_t i = 0; i < N; i++) {
        make_pair(&others[i], &peers[i]);
        add(loop, &others[i]);
        others[i].clock = &clock;
    }
    greedy.clock = &clock;
    greedy.n_more = ROUNDS;
    loop_turn(loop, -1);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        for (size_t i = 0; i < N; i++)
            assert_int_equal(write(peers[i].fd, "x", 1), 1);
        greedy.events = 0;
        loop_turn(loop, -1);
        assert_int_equal(greedy.n_calls, round + 1);
        assert_int_equal(greedy.events, LOOP_READ | LOOP_AGAIN);
        assert_int_equal(greedy.called_at, clock);
        for (size_t i = 0; i < N; i++)
            assert_int_equal(others[i].n_calls, round + 1);
    }
    loop_turn(loop, 0);
    assert_int_equal(greedy.n_calls, ROUNDS + 1);

    /* What the kernel says and what was asked for come in one call. */
    greedy.events = 0;
    loop_again(loop, &greedy.io, LOOP_WRITE);
    assert_int_equal(write(peer.fd, "x", 1), 1);
    loop_turn(loop, -1);
    assert_int_equal(greedy.n_calls, ROUNDS + 2);
    assert_int_equal(greedy.events, LOOP_READ | LOOP_WRITE | LOOP_AGAIN);

    /* Removed while it waits for its round: it is not called. */
    loop_again(loop, &greedy.io, LOOP_READ);
    loop_io_remove(loop, &greedy.io, true);
    loop_turn(loop, 0);
    assert_int_equal(greedy.n_calls, ROUNDS + 2);
    for (size_t i = 0; i < N; i++) {
        loop_io_remove(loop, &others[i].io, true);
        close(others[i].fd);
        close(peers[i].fd);
    }
    close(greedy.fd);
    close(peer.fd);
    loop_destroy(&loop);
}

/* Nothing is told of a muted descriptor; what came meanwhile is told afterwards, once. */
static void test_mute(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    struct err err = ERR_NONE;
    struct end a, b;
    make_pair(&a, &b);
    assert_int_equal(loop_io_add_read(loop, &a.io, a.fd, end_on_io, &err), 0);
    for (unsigned round = 0; round < 3; round++) {
        loop_io_mute(loop, &a.io);
        assert_int_equal(write(b.fd, "x", 1), 1);
        loop_turn(loop, 0);
        assert_int_equal(a.n_calls, 2 * round);

        a.events = 0;
        loop_again(loop, &a.io, LOOP_READ);
        loop_turn(loop, 0);
        assert_int_equal(a.n_calls, 2 * round + 1);
        assert_int_equal(a.events, LOOP_READ | LOOP_AGAIN);

        a.events = 0;
        assert_int_equal(loop_io_unmute(loop, &a.io, &err), 0);
        loop_turn(loop, 0);
        assert_int_equal(a.n_calls, 2 * round + 2);
        assert_int_equal(a.events, LOOP_READ);
        loop_turn(loop, 0);
        assert_int_equal(a.n_calls, 2 * round + 2);
    }
    /* Removed while it is mute, and armed again: it is not mute then. */
    loop_io_mute(loop, &a.io);
    loop_io_remove(loop, &a.io, false);
    assert_int_equal(loop_io_add_read(loop, &a.io, a.fd, end_on_io, &err), 0);
    loop_turn(loop, 0);
    assert_int_equal(a.n_calls, 7);

    /* Where the kernel does not take it, it stays mute. */
    loop_io_mute(loop, &a.io);
    close(a.fd);
    assert_int_equal(loop_io_unmute(loop, &a.io, &err), -1);
    assert_true(a.io.is_muted);
    loop_io_remove(loop, &a.io, true);
    close(b.fd);
    loop_destroy(&loop);
}

/* --- timers ----------------------------------------------------------------------------------- */

struct alarm {
    struct loop_timer timer;
    uint64_t fired_ns;
    unsigned n_fired;
    unsigned n_repeat;
    uint64_t *last_deadline; /* of a test: deadlines never go back */
    unsigned *n_all;
};

static void alarm_on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    alarm->fired_ns = loop_now_ns(loop);
    alarm->n_fired++;
    assert_false(loop_timer_is_set(timer));
    assert_true(loop_now_ns(loop) >= timer->deadline_ns);
    if (alarm->last_deadline) {
        assert_true(timer->deadline_ns >= *alarm->last_deadline);
        *alarm->last_deadline = timer->deadline_ns;
    }
    if (alarm->n_all)
        ++*alarm->n_all;
    if (alarm->n_repeat > 0) {
        alarm->n_repeat--;
        loop_timer_set(loop, timer, loop_now_ns(loop));
    }
}

static void test_timer_is_late_not_early(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    struct alarm alarm = {.n_fired = 0};
    loop_timer_init(&alarm.timer, alarm_on_timer);
    static const uint64_t waits_ns[] = {0, 1, 999999, 1000000, 1000001, 3500000};
    for (size_t i = 0; i < ARRAY_LEN(waits_ns); i++) {
        uint64_t deadline_ns = loop_clock_ns() + waits_ns[i];
        loop_timer_set(loop, &alarm.timer, deadline_ns);
        loop_turn(loop, -1);
        assert_int_equal(alarm.n_fired, i + 1);
        assert_true(alarm.fired_ns >= deadline_ns);
        assert_true(alarm.fired_ns < deadline_ns + 500 * MS); /* a slow machine is no fault */
    }
    loop_timer_set(loop, &alarm.timer, loop_clock_ns());
    loop_timer_clear(loop, &alarm.timer);
    loop_timer_clear(loop, &alarm.timer);
    loop_turn(loop, 5);
    assert_int_equal(alarm.n_fired, ARRAY_LEN(waits_ns));
    loop_destroy(&loop);
}

/* A deadline that is put off a hundred thousand times costs one move in the heap. */
static void test_lazy_timers(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    struct alarm alarm = {.n_fired = 0};
    loop_timer_init(&alarm.timer, alarm_on_timer);
    uint64_t start_ns = loop_clock_ns();
    uint64_t deadline_ns = start_ns + MS;
    loop_timer_set(loop, &alarm.timer, deadline_ns);
    for (unsigned i = 0; i < 100000; i++)
        loop_timer_set(loop, &alarm.timer, deadline_ns = start_ns + 20 * MS + i);
    loop_turn(loop, -1);
    assert_int_equal(alarm.n_fired, 1);
    assert_true(alarm.fired_ns >= deadline_ns);
    assert_int_equal(stat_of(&loop_stats(loop)->n_timers_moved), 1);

    /* Earlier than the heap knows: moved at once, and not twice. Later again, but still before the
     * old place in the heap: nothing moves until that place is reached. */
    start_ns = loop_clock_ns();
    loop_timer_set(loop, &alarm.timer, start_ns + 3600ull * 1000 * MS);
    loop_timer_set(loop, &alarm.timer, start_ns + 2 * MS);
    loop_turn(loop, -1);
    assert_int_equal(alarm.n_fired, 2);
    assert_true(alarm.fired_ns < start_ns + 1000ull * MS);
    loop_timer_set(loop, &alarm.timer, start_ns + 100 * MS);
    loop_timer_set(loop, &alarm.timer, start_ns + 300 * MS);
    loop_timer_set(loop, &alarm.timer, start_ns + 200 * MS);
    loop_turn(loop, -1);
    assert_int_equal(alarm.n_fired, 3);
    assert_true(alarm.fired_ns >= start_ns + 200 * MS);
    assert_int_equal(stat_of(&loop_stats(loop)->n_timers_moved), 2);
    loop_destroy(&loop);
}

/* Set to "now" by its own callback: once a turn, not for ever in one. */
static void test_timer_that_repeats(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    struct alarm alarm = {.n_repeat = 10};
    loop_timer_init(&alarm.timer, alarm_on_timer);
    loop_timer_set(loop, &alarm.timer, loop_clock_ns());
    for (unsigned i = 1; i <= 11; i++) {
        loop_turn(loop, 0);
        assert_int_equal(alarm.n_fired, i);
    }
    loop_destroy(&loop);
}

static void test_many_timers(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct loop *loop = make_loop();
    struct alarm *alarms = MEM_NEW_ARRAY(struct alarm, N);
    struct rng rng;
    rng_init(&rng, 7);
    uint64_t last_deadline = 0, start_ns = loop_clock_ns();
    unsigned n_all = 0, n_cleared = 0;
    for (size_t i = 0; i < N; i++) {
        struct alarm *alarm = &alarms[i];
        loop_timer_init(&alarm->timer, alarm_on_timer);
        alarm->last_deadline = &last_deadline;
        alarm->n_all = &n_all;
        loop_timer_set(loop, &alarm->timer, start_ns + rng_below(&rng, 50 * MS));
    }
    for (size_t i = 0; i < N; i++) { /* a third is put off, a third comes earlier, a few go */
        uint64_t choice = rng_below(&rng, 30);
        if (choice < 20)
            loop_timer_set(loop, &alarms[i].timer, start_ns + rng_below(&rng, 60 * MS));
        else if (choice == 20) {
            loop_timer_clear(loop, &alarms[i].timer);
            n_cleared++;
        }
    }
    while (n_all < N - n_cleared)
        loop_turn(loop, -1);
    for (size_t i = 0; i < N; i++)
        assert_false(loop_timer_is_set(&alarms[i].timer));
    assert_int_equal(stat_of(&loop_stats(loop)->n_timers), n_all);
    assert_true(stat_of(&loop_stats(loop)->n_timers_moved) <= N);
    mem_free(alarms);
    loop_destroy(&loop);
}

/* --- tasks ------------------------------------------------------------------------------------ */

enum { N_THREADS = 4, N_POSTS = 20000 };

struct post {
    struct loop_task task;
    unsigned thread, number;
};

struct poster {
    struct loop *loop;
    struct post *posts;
    unsigned n_seen; /* written by the loop */
    unsigned *n_all;
    pthread_t thread;
};

static void post_on_task(struct loop *loop, struct loop_task *task)
{
    struct post *post = CONTAINER_OF(task, struct post, task);
    struct poster *poster = (struct poster *)loop_context(loop) + post->thread;
    assert_int_equal(post->number, poster->n_seen);
    poster->n_seen++;
    if (++*poster->n_all == N_THREADS * N_POSTS)
        loop_stop(loop);
}

static void *poster_main(void *arg)
{
    struct poster *poster = arg;
    for (unsigned i = 0; i < N_POSTS; i++) {
        loop_post(poster->loop, &poster->posts[i].task, post_on_task);
        if (i % 512 == 0)
            sleep_us(50); /* now and then the loop gets to sleep */
    }
    return NULL;
}

static void test_posts_in_order(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    struct poster posters[N_THREADS];
    unsigned n_all = 0;
    loop_set_context(loop, posters);
    for (unsigned i = 0; i < N_THREADS; i++) {
        posters[i] = (struct poster){.loop = loop, .n_all = &n_all};
        posters[i].posts = MEM_NEW_ARRAY(struct post, N_POSTS);
        for (unsigned k = 0; k < N_POSTS; k++) {
            posters[i].posts[k].thread = i;
            posters[i].posts[k].number = k;
        }
    }
    for (unsigned i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&posters[i].thread, NULL, poster_main, &posters[i]), 0);
    loop_run(loop);
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_int_equal(posters[i].n_seen, N_POSTS);
        mem_free(posters[i].posts);
    }
    assert_int_equal(stat_of(&loop_stats(loop)->n_tasks), N_THREADS * N_POSTS);
    loop_destroy(&loop);
}

struct step {
    struct loop_task task;
    unsigned *n_done;
    unsigned done_at;
    struct step *then; /* deferred by this one's run */
    unsigned *n_alarms;
    unsigned alarms_seen;
};

static void step_on_task(struct loop *loop, struct loop_task *task)
{
    struct step *step = CONTAINER_OF(task, struct step, task);
    step->done_at = ++*step->n_done;
    if (step->n_alarms)
        step->alarms_seen = *step->n_alarms;
    if (step->then)
        loop_defer(loop, &step->then->task, step_on_task);
}

static void test_defer(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    unsigned n_done = 0, n_alarms = 0;
    struct step first = {.n_done = &n_done, .n_alarms = &n_alarms}, second = first, third = first;
    struct alarm alarm = {.n_all = &n_alarms};
    first.then = &third;
    loop_timer_init(&alarm.timer, alarm_on_timer);
    loop_timer_set(loop, &alarm.timer, loop_clock_ns());
    loop_defer(loop, &first.task, step_on_task);
    loop_defer(loop, &second.task, step_on_task);
    loop_turn(loop, -1); /* does not sleep, and the timer comes before what was deferred */
    assert_int_equal(first.done_at, 1);
    assert_int_equal(second.done_at, 2);
    assert_int_equal(first.alarms_seen, 1);
    assert_int_equal(third.done_at, 0);
    loop_turn(loop, -1);
    assert_int_equal(third.done_at, 3);

    /* What is left is run by the end of the loop. */
    loop_defer(loop, &first.task, step_on_task);
    loop_post(loop, &second.task, step_on_task);
    loop_destroy(&loop);
    assert_int_equal(n_done, 6);
}

struct nester {
    struct loop_timer timer;
    struct step inner;
    unsigned n_done_within;
};

static void nester_on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct nester *nester = CONTAINER_OF(timer, struct nester, timer);
    loop_defer(loop, &nester->inner.task, step_on_task);
    loop_turn(loop, 0);
    nester->n_done_within = *nester->inner.n_done;
}

/* A turn inside a callback frees nobody who is on the stack. */
static void test_nested_turn(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    unsigned n_done = 0;
    struct nester nester = {.inner = {.n_done = &n_done}, .n_done_within = 99};
    loop_timer_init(&nester.timer, nester_on_timer);
    loop_timer_set(loop, &nester.timer, loop_clock_ns());
    loop_turn(loop, -1);
    assert_int_equal(nester.n_done_within, 0);
    assert_int_equal(n_done, 1);
    loop_destroy(&loop);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void *stop_later(void *arg)
{
    sleep_us(250000);
    loop_stop(arg);
    return NULL;
}

/* A heartbeat is no reason to return, but it is stamped while the loop waits. */
static void test_wait(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    _Atomic uint64_t heartbeat = 0;
    loop_set_heartbeat(loop, &heartbeat);

    uint64_t start_ns = loop_clock_ns();
    loop_turn(loop, 0);
    assert_true(atomic_load(&heartbeat) >= start_ns);
    uint64_t n_turns = stat_of(&loop_stats(loop)->n_turns);
    assert_int_equal(n_turns, 1);

    start_ns = loop_clock_ns();
    loop_turn(loop, 230);
    assert_true(loop_clock_ns() - start_ns >= 230 * MS);
    assert_true(stat_of(&loop_stats(loop)->n_turns) - n_turns >= 2); /* it looks up in between */
    assert_true(loop_clock_ns() - atomic_load(&heartbeat) < 1000ull * MS);
    /* It slept; a turn that sleeps is not a long turn. */
    assert_true(stat_of(&loop_stats(loop)->longest_ns) < 200 * MS);

    struct alarm alarm = {.n_fired = 0};
    loop_timer_init(&alarm.timer, alarm_on_timer);
    loop_timer_set(loop, &alarm.timer, loop_clock_ns() + 220 * MS);
    loop_turn(loop, -1);
    assert_int_equal(alarm.n_fired, 1);

    pthread_t thread;
    start_ns = loop_clock_ns();
    assert_int_equal(pthread_create(&thread, NULL, stop_later, loop), 0);
    loop_turn(loop, -1);
    assert_true(loop_clock_ns() - start_ns >= 240 * MS);
    pthread_join(thread, NULL);
    loop_run(loop); /* was stopped already */
    loop_destroy(&loop);
}

static void busy_on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    (void)timer;
    sleep_us(30000);
}

static void test_stats_and_clocks(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    struct loop_timer timer;
    loop_timer_init(&timer, busy_on_timer);
    loop_timer_set(loop, &timer, loop_clock_ns() + MS);
    loop_turn(loop, -1);
    assert_true(stat_of(&loop_stats(loop)->longest_ns) >= 30 * MS);
    assert_true(stat_of(&loop_stats(loop)->busy_ns) >= 30 * MS);
    assert_int_equal(stat_of(&loop_stats(loop)->n_timers), 1);

    uint64_t wall_ns = loop_wall_ns(loop);
    assert_true(wall_ns / 1000000000u > 1700000000u);
    sleep_us(2000);
    assert_true(loop_wall_ns(loop) == wall_ns);
    loop_turn(loop, 0);
    assert_true(loop_wall_ns(loop) > wall_ns);
    assert_int_equal(loop_index(loop), 3);
    loop_destroy(&loop);
}

static void test_buffer(void **state)
{
    (void)state;
    struct loop *loop = make_loop();
    char *buf = loop_buf(loop);
    assert_int_equal((uintptr_t)buf % 4096, 0);
    memset(buf - LOOP_BUF_HEADROOM, 'h', LOOP_BUF_HEADROOM);
    memset(buf, 'b', LOOP_BUF_SIZE);
    assert_int_equal(buf[-1], 'h');
    loop_destroy(&loop);
    loop_destroy(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_pipe_end),
        cmocka_unit_test(test_refused_by_kernel),
        cmocka_unit_test(test_stale_events),
        cmocka_unit_test(test_again_is_fair),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_timer_is_late_not_early),
        cmocka_unit_test(test_lazy_timers),
        cmocka_unit_test(test_timer_that_repeats),
        cmocka_unit_test(test_many_timers),
        cmocka_unit_test(test_posts_in_order),
        cmocka_unit_test(test_defer),
        cmocka_unit_test(test_nested_turn),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_stats_and_clocks),
        cmocka_unit_test(test_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
