/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What loops share about members: slots that are never more than they may be, whoever waits for
 * them; idle connections that go from one loop to another. First with two loops in one thread, step
 * by step, then with threads that do as they like.
 */

#include "conf/memory.h"
#include "upstream/upstream.h"

#include "base/mem.h"
#include "base/rng.h"
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

enum { LOOPS = 3, MEMBERS = 2, MAX = 2 };

static const struct module *const modules[] = {&pool_module};
static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};

static struct snapshot *load(const char *text)
{
    char copy[1024];
    snprintf(copy, sizeof(copy), "%s", text);
    struct conf_host host = conf_memory_host(copy);
    struct snapshot_options options = {.path = "t.weir", .host = &host, .generation = 1};
    options.n_loops = LOOPS;
    struct snapshot *snap;
    struct conf_diag *diag;
    if (snapshot_load(&table, &options, &snap, &diag) < 0)
        fail_msg("%s", diag->items[0].text);
    return snap;
}

struct scene {
    struct loop *loops[LOOPS];
    struct board *board;
    struct board_fds fds;
    struct commons *commons;
    struct snapshot *snap;
    struct upstream_set *sets[LOOPS];
    struct upstream_pool *pools[LOOPS];
    metric_word member_rows[LOOPS][MEMBERS][MEMBER_WORDS];
    metric_word pool_rows[LOOPS][POOL_WORDS];
    int listener;
    uint16_t port;
};

struct row_ctx {
    struct scene *scene;
    uint32_t loop_index;
};

static metric_word *member_row(void *ctx, const struct member *member, uint32_t loop_index)
{
    struct row_ctx *row = ctx;
    return row->scene->member_rows[loop_index][member->index];
}

static metric_word *pool_row(void *ctx, const struct pool *pool)
{
    struct row_ctx *row = ctx;
    (void)pool;
    return row->scene->pool_rows[row->loop_index];
}

static void listen_somewhere(struct scene *scene)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr addr;
    socklen_t len = sizeof(in4);
    memcpy(&addr, &in4, sizeof(addr));
    scene->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(scene->listener, &addr, len), 0);
    assert_int_equal(listen(scene->listener, 4096), 0);
    assert_int_equal(getsockname(scene->listener, &addr, &len), 0);
    memcpy(&in4, &addr, sizeof(in4));
    scene->port = ntohs(in4.sin_port);
}

static void make_set(struct scene *scene, uint32_t l)
{
    struct row_ctx row = {.scene = scene, .loop_index = l};
    const struct upstream_set_options options = {.snap = scene->snap,
                                                 .board = scene->board,
                                                 .commons = scene->commons,
                                                 .loop_index = l,
                                                 .seed = 1 + l,
                                                 .member_row = member_row,
                                                 .pool_row = pool_row,
                                                 .ctx = &row};
    scene->sets[l] = upstream_set_create(&options);
    scene->pools[l] = upstream_pool_of(scene->sets[l], pool_find(scene->snap, SLICE("web")));
}

/* `words` of the pool; its members a and b are at the same place. Sets are not adopted yet. */
static void scene_open(struct scene *scene, const char *words)
{
    static const char *const names[] = {"health"};
    char text[512];
    struct err err = ERR_NONE;
    memset(scene, 0, sizeof(*scene));
    listen_somewhere(scene);
    assert_int_equal(board_make(names, 1, &scene->fds, &err), 0);
    assert_int_equal(board_open(&scene->fds, 0, &scene->board, &err), 0);
    scene->commons = commons_create(LOOPS);
    snprintf(text, sizeof(text), "pool web { %s; member a 127.0.0.1:%u }", words, scene->port);
    scene->snap = load(text);
    for (uint32_t l = 0; l < LOOPS; l++) {
        assert_int_equal(loop_create(l, &scene->loops[l], &err), 0);
        make_set(scene, l);
    }
}

static void scene_adopt(struct scene *scene)
{
    for (uint32_t l = 0; l < LOOPS; l++)
        upstream_set_adopt(scene->sets[l], scene->loops[l], NULL);
}

static void scene_close(struct scene *scene)
{
    for (uint32_t l = 0; l < LOOPS; l++)
        upstream_set_destroy(&scene->sets[l]);
    for (uint32_t l = 0; l < LOOPS; l++)
        loop_destroy(&scene->loops[l]);
    commons_destroy(&scene->commons); /* asserts that nothing is left in it */
    snapshot_unref(&scene->snap);
    close(scene->listener);
    board_close(&scene->board);
    board_fds_close(&scene->fds);
}

static void settle(struct scene *scene)
{
    for (int i = 0; i < 4; i++)
        for (uint32_t l = 0; l < LOOPS; l++)
            loop_turn(scene->loops[l], 0);
}

static const struct upstream_outcome outcome_none;
static const struct upstream_ask ask_none;

static enum upstream_answer pick(struct scene *scene, uint32_t l, struct upstream_member **member)
{
    return upstream_pick(scene->pools[l], &ask_none, member);
}

/* ---- slots, step by step ---- */

struct guest {
    struct upstream_waiter waiter;
    struct upstream_member *member; /* NULL: waits */
    unsigned n_turns;
};

static void guest_on_turn(struct upstream_waiter *waiter)
{
    struct guest *guest = CONTAINER_OF(waiter, struct guest, waiter);
    guest->n_turns++;
    if (upstream_pick(waiter->pool, &ask_none, &guest->member) == UPSTREAM_FULL)
        assert_int_equal(upstream_wait(waiter->pool, waiter, 1), 0);
}

static void guest_wait(struct scene *scene, uint32_t l, struct guest *guest,
                       enum upstream_priority priority, uint64_t now_ns)
{
    memset(guest, 0, sizeof(*guest));
    upstream_waiter_init(&guest->waiter, priority, guest_on_turn);
    assert_int_equal(upstream_wait(scene->pools[l], &guest->waiter, now_ns), 0);
}

static void test_limit_over_loops(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream_member *one, *two, *none = NULL;
    scene_open(&scene, "max-connections 2");
    scene_adopt(&scene);
    assert_int_equal(pick(&scene, 0, &one), UPSTREAM_MEMBER);
    assert_int_equal(pick(&scene, 1, &two), UPSTREAM_MEMBER);
    for (uint32_t l = 0; l < LOOPS; l++)
        assert_int_equal(pick(&scene, l, &none), UPSTREAM_FULL);
    upstream_end(two, &outcome_none);
    assert_int_equal(pick(&scene, 2, &two), UPSTREAM_MEMBER);
    assert_int_equal(pick(&scene, 0, &none), UPSTREAM_FULL);
    upstream_end(one, &outcome_none);
    upstream_end(two, &outcome_none);
    scene_close(&scene);
}

/* A slot that is freed goes to who waits, in another loop as well; nobody takes it before. */
static void test_slot_is_passed_on(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream_member *one, *two, *none = NULL;
    struct guest first, second, third;
    scene_open(&scene, "max-connections 2");
    scene_adopt(&scene);
    assert_int_equal(pick(&scene, 0, &one), UPSTREAM_MEMBER);
    assert_int_equal(pick(&scene, 0, &two), UPSTREAM_MEMBER);
    guest_wait(&scene, 1, &first, UPSTREAM_NORMAL, 10);
    guest_wait(&scene, 1, &second, UPSTREAM_NORMAL, 20);
    guest_wait(&scene, 2, &third, UPSTREAM_NORMAL, 30);
    settle(&scene);
    assert_true(first.n_turns == 0 && second.n_turns == 0 && third.n_turns == 0);
    upstream_end(one, &outcome_none);
    assert_int_equal(pick(&scene, 0, &none), UPSTREAM_FULL); /* it is the other's already */
    settle(&scene);
    assert_non_null(first.member);
    assert_null(second.member);
    upstream_end(two, &outcome_none);
    settle(&scene);
    assert_non_null(third.member); /* the other loop's turn */
    assert_null(second.member);
    upstream_end(third.member, &outcome_none);
    settle(&scene);
    assert_non_null(second.member);
    upstream_end(first.member, &outcome_none);
    upstream_end(second.member, &outcome_none);
    scene_close(&scene);
}

static void test_high_before_others(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream_member *one;
    struct guest low, normal, high;
    scene_open(&scene, "max-connections 1");
    scene_adopt(&scene);
    assert_int_equal(pick(&scene, 0, &one), UPSTREAM_MEMBER);
    guest_wait(&scene, 0, &low, UPSTREAM_LOW, 10);
    guest_wait(&scene, 1, &normal, UPSTREAM_NORMAL, 20);
    guest_wait(&scene, 2, &high, UPSTREAM_HIGH, 30);
    upstream_end(one, &outcome_none);
    settle(&scene);
    assert_non_null(high.member);
    assert_true(!normal.member && !low.member);
    upstream_end(high.member, &outcome_none);
    settle(&scene);
    assert_non_null(normal.member);
    assert_null(low.member);
    upstream_end(normal.member, &outcome_none);
    settle(&scene);
    assert_non_null(low.member);
    upstream_end(low.member, &outcome_none);
    scene_close(&scene);
}

/* Who was to have it is gone: the next one gets it, and in the end it is free again. */
static void test_slot_comes_back(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream_member *one, *two = NULL;
    struct guest gone, next;
    scene_open(&scene, "max-connections 1");
    scene_adopt(&scene);
    assert_int_equal(pick(&scene, 0, &one), UPSTREAM_MEMBER);
    guest_wait(&scene, 1, &gone, UPSTREAM_NORMAL, 10);
    guest_wait(&scene, 2, &next, UPSTREAM_NORMAL, 20);
    upstream_end(one, &outcome_none); /* passed on to loop 1 */
    upstream_unwait(&gone.waiter, false);
    settle(&scene);
    assert_int_equal(gone.n_turns, 0);
    assert_non_null(next.member);
    upstream_end(next.member, &outcome_none);
    settle(&scene);
    assert_int_equal(pick(&scene, 0, &two), UPSTREAM_MEMBER);
    upstream_end(two, &outcome_none);
    scene_close(&scene);
}

/* The bound of the queue is one for all loops. */
static void test_queue_over_loops(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream_member *one;
    struct guest guests[3];
    scene_open(&scene, "max-connections 1; queue 2");
    scene_adopt(&scene);
    assert_int_equal(pick(&scene, 0, &one), UPSTREAM_MEMBER);
    guest_wait(&scene, 0, &guests[0], UPSTREAM_NORMAL, 10);
    guest_wait(&scene, 1, &guests[1], UPSTREAM_NORMAL, 20);
    upstream_waiter_init(&guests[2].waiter, UPSTREAM_NORMAL, guest_on_turn);
    assert_int_equal(upstream_wait(scene.pools[2], &guests[2].waiter, 30), 1);
    upstream_unwait(&guests[0].waiter, false);
    assert_int_equal(upstream_wait(scene.pools[2], &guests[2].waiter, 40), 0);
    upstream_unwait(&guests[1].waiter, true);
    upstream_unwait(&guests[2].waiter, true);
    upstream_end(one, &outcome_none);
    settle(&scene);
    scene_close(&scene);
}

/* What was reserved before a reload counts after it. */
static void test_limit_over_reload(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream_member *one, *two, *none = NULL;
    scene_open(&scene, "max-connections 2");
    scene_adopt(&scene);
    assert_int_equal(pick(&scene, 0, &one), UPSTREAM_MEMBER);
    struct upstream_set *old = scene.sets[0];
    make_set(&scene, 0);
    upstream_set_adopt(scene.sets[0], scene.loops[0], old);
    assert_int_equal(pick(&scene, 0, &two), UPSTREAM_MEMBER);
    assert_int_equal(pick(&scene, 0, &none), UPSTREAM_FULL);
    upstream_end(one, &outcome_none); /* of the old set */
    upstream_set_destroy(&old);
    assert_int_equal(pick(&scene, 0, &one), UPSTREAM_MEMBER);
    upstream_end(one, &outcome_none);
    upstream_end(two, &outcome_none);
    scene_close(&scene);
}

/* ---- idle connections, step by step ---- */

static void on_event(struct conn *conn, uint32_t events)
{
    (void)conn;
    (void)events;
}

static const struct upstream_user calls = {.on_event = on_event};

static struct upstream *take(struct scene *scene, uint32_t l)
{
    struct upstream *upstream =
        upstream_take(&scene->pools[l]->members[0], scene->loops[l], scene, &calls, NULL);
    assert_non_null(upstream);
    return upstream;
}

static uint64_t sum_of(const struct scene *scene, uint32_t word)
{
    uint64_t sum = 0;
    for (uint32_t l = 0; l < LOOPS; l++)
        sum += atomic_load(&scene->member_rows[l][0][word]);
    return sum;
}

/* Sweeps come by themselves, about every second. */
static void sweep(struct scene *scene)
{
    uint64_t until_ns = loop_clock_ns() + 1200 * MS;
    while (loop_clock_ns() < until_ns)
        for (uint32_t l = 0; l < LOOPS; l++)
            loop_turn(scene->loops[l], 10);
}

static void test_surplus_goes_round(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream *ups[4];
    scene_open(&scene, "balance random");
    scene_adopt(&scene);
    for (int i = 0; i < 4; i++)
        ups[i] = take(&scene, 0);
    settle(&scene);
    for (int i = 0; i < 4; i++)
        upstream_keep(ups[i]);
    struct upstream_member *here = &scene.pools[0]->members[0];
    sweep(&scene); /* the first only begins to look */
    sweep(&scene);
    assert_true(here->n_idle < 4);
    assert_int_equal(sum_of(&scene, MEMBER_IDLE), 4);
    struct upstream *moved = take(&scene, 1);
    assert_int_equal(moved->n_requests, 2); /* none was opened */
    assert_int_equal(sum_of(&scene, MEMBER_CONNECTS), 4);
    assert_int_equal(sum_of(&scene, MEMBER_IDLE), 3);
    settle(&scene);
    upstream_keep(moved);
    assert_int_equal(scene.pools[1]->members[0].n_idle, 1);
    assert_int_equal(sum_of(&scene, MEMBER_IDLE), 4);
    scene_close(&scene);
}

/* With a limit every idle one is within reach of every loop, and the limit holds for them too. */
static void test_idle_under_a_limit(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream_member *member;
    scene_open(&scene, "max-connections 1");
    scene_adopt(&scene);
    for (uint32_t i = 0; i < 2 * LOOPS; i++) {
        uint32_t l = i % LOOPS;
        assert_int_equal(pick(&scene, l, &member), UPSTREAM_MEMBER);
        struct upstream *upstream = take(&scene, l);
        settle(&scene);
        upstream_keep(upstream);
        upstream_end(member, &outcome_none);
    }
    assert_int_equal(sum_of(&scene, MEMBER_CONNECTS), 1);
    assert_int_equal(sum_of(&scene, MEMBER_IDLE), 1);
    assert_int_equal(pick(&scene, 0, &member), UPSTREAM_MEMBER);
    struct upstream *fresh = upstream_take_fresh(member, scene.loops[0], &scene, &calls, NULL);
    assert_int_equal(sum_of(&scene, MEMBER_IDLE), 0);
    upstream_drop(fresh);
    upstream_end(member, &outcome_none);
    scene_close(&scene);
}

/* The member closed it while it lay there, or turned down: nobody gets it. */
static void test_dead_ones_are_not_used(void **state)
{
    (void)state;
    for (int is_down = 0; is_down < 2; is_down++) {
        struct scene scene;
        scene_open(&scene, "max-connections 5");
        scene_adopt(&scene);
        struct upstream *upstream = take(&scene, 0);
        int peer = accept4(scene.listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(peer >= 0);
        settle(&scene);
        upstream_keep(upstream);
        assert_int_equal(sum_of(&scene, MEMBER_IDLE), 1);
        if (is_down) {
            assert_int_equal(board_state(scene.board, "member:web/a", FACT_DOWN, 1, "", 1), 0);
            upstream_set_refresh(scene.sets[2]);
            assert_int_equal(sum_of(&scene, MEMBER_IDLE), 0);
        } else {
            shutdown(peer, SHUT_WR);
        }
        upstream = take(&scene, 1);
        assert_int_equal(upstream->n_requests, 1);
        assert_int_equal(sum_of(&scene, MEMBER_IDLE), 0);
        upstream_drop(upstream);
        close(peer);
        scene_close(&scene);
    }
}

/* ---- threads ---- */

enum { GUESTS = 12, ROUNDS = 400 };

static _Atomic int n_inside, n_inside_most, n_done;

struct resident {
    struct upstream_waiter waiter;
    struct thread *thread;
    struct upstream_member *member;
    struct upstream *upstream;
    struct loop_timer leave;
    unsigned n_rounds;
};

struct thread {
    struct scene *scene;
    uint32_t l;
    struct rng rng;
    struct resident residents[GUESTS];
    unsigned n_over;
};

static void resident_enter(struct resident *resident);

static void resident_finish(struct resident *resident)
{
    struct thread *thread = resident->thread;
    upstream_waiter_init(&resident->waiter, UPSTREAM_NORMAL, resident->waiter.on_turn);
    if (++resident->n_rounds < ROUNDS)
        resident_enter(resident);
    else if (++thread->n_over == GUESTS && atomic_fetch_add(&n_done, 1) == LOOPS - 1)
        for (uint32_t l = 0; l < LOOPS; l++)
            loop_stop(thread->scene->loops[l]);
}

static void resident_leave(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct resident *resident = CONTAINER_OF(timer, struct resident, leave);
    atomic_fetch_sub(&n_inside, 1);
    if (rng_below(&resident->thread->rng, 10) == 0 || resident->upstream->conn.is_connecting)
        upstream_drop(resident->upstream);
    else
        upstream_keep(resident->upstream);
    upstream_end(resident->member, &outcome_none);
    resident_finish(resident);
}

static void resident_enter(struct resident *resident)
{
    struct thread *thread = resident->thread;
    struct scene *scene = thread->scene;
    struct loop *loop = scene->loops[thread->l];
    uint64_t now_ns = loop_now_ns(loop);
    enum upstream_answer answer = pick(scene, thread->l, &resident->member);
    if (answer == UPSTREAM_FULL) {
        assert_int_equal(upstream_wait(scene->pools[thread->l], &resident->waiter, now_ns), 0);
        return;
    }
    assert_int_equal(answer, UPSTREAM_MEMBER);
    int now = atomic_fetch_add(&n_inside, 1) + 1, most = atomic_load(&n_inside_most);
    while (now > most && !atomic_compare_exchange_weak(&n_inside_most, &most, now))
        ;
    resident->upstream = upstream_take(resident->member, loop, scene, &calls, NULL);
    assert_non_null(resident->upstream);
    loop_timer_set(loop, &resident->leave, now_ns + rng_below(&thread->rng, 2) * MS);
}

static void resident_on_turn(struct upstream_waiter *waiter)
{
    resident_enter(CONTAINER_OF(waiter, struct resident, waiter));
}

static void *thread_run(void *ctx)
{
    struct thread *thread = ctx;
    struct scene *scene = thread->scene;
    struct loop *loop = scene->loops[thread->l];
    rng_init(&thread->rng, thread->l);
    upstream_set_adopt(scene->sets[thread->l], loop, NULL);
    for (int i = 0; i < GUESTS; i++) {
        struct resident *resident = &thread->residents[i];
        resident->thread = thread;
        loop_timer_init(&resident->leave, resident_leave);
        upstream_waiter_init(&resident->waiter, UPSTREAM_NORMAL, resident_on_turn);
        resident_enter(resident);
    }
    loop_run(loop);
    upstream_set_destroy(&scene->sets[thread->l]);
    return NULL;
}

static void *accept_all(void *ctx)
{
    struct scene *scene = ctx;
    int fds[4096], n = 0;
    while (atomic_load(&n_done) < LOOPS) {
        struct pollfd ready = {.fd = scene->listener, .events = POLLIN};
        if (poll(&ready, 1, 50) <= 0)
            continue;
        int fd = accept4(scene->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && n < 4096)
            fds[n++] = fd;
    }
    while (n > 0)
        close(fds[--n]);
    return NULL;
}

/* Far more guests than slots, in three threads: all get in, and never more than may be. */
static void test_threads(void **state)
{
    (void)state;
    static struct scene scene;
    static struct thread threads[LOOPS];
    pthread_t handles[LOOPS], acceptor;
    memset(threads, 0, sizeof(threads));
    atomic_store(&n_inside_most, 0);
    scene_open(&scene, "max-connections 2");
    assert_int_equal(pthread_create(&acceptor, NULL, accept_all, &scene), 0);
    for (uint32_t l = 0; l < LOOPS; l++) {
        threads[l].scene = &scene;
        threads[l].l = l;
        assert_int_equal(pthread_create(&handles[l], NULL, thread_run, &threads[l]), 0);
    }
    for (uint32_t l = 0; l < LOOPS; l++)
        pthread_join(handles[l], NULL);
    pthread_join(acceptor, NULL);
    assert_int_equal(atomic_load(&n_inside), 0);
    assert_int_equal(atomic_load(&n_inside_most), MAX);
    assert_int_equal(sum_of(&scene, MEMBER_IDLE), 0);
    assert_int_equal(sum_of(&scene, MEMBER_IN_FLIGHT), 0);
    assert_int_equal(sum_of(&scene, MEMBER_REQUESTS), LOOPS * GUESTS * ROUNDS);
    /* One in ten was dropped, and a few had not connected yet; the others were used again. */
    assert_true(sum_of(&scene, MEMBER_CONNECTS) < LOOPS * GUESTS * ROUNDS / 2);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_over_loops),       cmocka_unit_test(test_slot_is_passed_on),
        cmocka_unit_test(test_high_before_others),     cmocka_unit_test(test_slot_comes_back),
        cmocka_unit_test(test_queue_over_loops),       cmocka_unit_test(test_limit_over_reload),
        cmocka_unit_test(test_surplus_goes_round),     cmocka_unit_test(test_idle_under_a_limit),
        cmocka_unit_test(test_dead_ones_are_not_used), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
