/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections to members over real sockets: what is kept idle and for how long, what a new snapshot
 * takes over, who is picked while members are down, suspects or tried already, and members that
 * move.
 */

#include "conf/memory.h"
#include "upstream/upstream.h"

#include "base/mem.h"
#include "base/text.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
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

enum { MEMBERS = 3 };

/* ---- a snapshot from a text ---- */

static const struct module *const modules[] = {&pool_module};
static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};

static struct snapshot *load(const char *text)
{
    char copy[1024];
    snprintf(copy, sizeof(copy), "%s", text);
    struct conf_host host = conf_memory_host(copy);
    struct snapshot_options options = {.path = "t.weir", .host = &host, .generation = 1};
    options.n_loops = 1;
    struct snapshot *snap;
    struct conf_diag *diag;
    if (snapshot_load(&table, &options, &snap, &diag) < 0)
        fail_msg("%s", diag->items[0].text);
    return snap;
}

/* ---- the scene: three members that listen, a board, a loop ---- */

struct scene {
    struct loop *loop;
    struct board *board;
    struct board_fds fds;
    struct commons *commons;
    int listeners[MEMBERS];
    uint16_t ports[MEMBERS];
    metric_word rows[2 * MEMBERS][MEMBER_WORDS]; /* by pool and member */
    metric_word pool_rows[2][POOL_WORDS];
    struct snapshot *snap;
    struct upstream_set *set;
    struct upstream_pool *pool;
    unsigned n_events, n_down;
    struct upstream *other;
};

static metric_word *pool_row_of(void *ctx, const struct pool *pool)
{
    struct scene *scene = ctx;
    return scene->pool_rows[pool->index];
}

static metric_word *row_of(void *ctx, const struct member *member, uint32_t loop_index)
{
    struct scene *scene = ctx;
    (void)loop_index;
    return scene->rows[member->pool->index * MEMBERS + member->index];
}

static uint16_t listen_somewhere(int *ret_fd)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr addr;
    socklen_t len = sizeof(in4);
    memcpy(&addr, &in4, sizeof(addr));
    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*ret_fd, &addr, len), 0);
    assert_int_equal(listen(*ret_fd, 1024), 0);
    assert_int_equal(getsockname(*ret_fd, &addr, &len), 0);
    memcpy(&in4, &addr, sizeof(in4));
    return ntohs(in4.sin_port);
}

/* The pool web of members a, b, c, by their ports. */
static struct snapshot *load_web(const struct scene *scene, const char *extra)
{
    char text[512];
    snprintf(text, sizeof(text),
             "pool web { member a 127.0.0.1:%u; member b 127.0.0.1:%u; member c 127.0.0.1:%u }\n%s",
             scene->ports[0], scene->ports[1], scene->ports[2], extra);
    return load(text);
}

static struct upstream_set *make_set(struct scene *scene, struct snapshot *snap)
{
    const struct upstream_set_options options = {.snap = snap,
                                                 .board = scene->board,
                                                 .commons = scene->commons,
                                                 .seed = 1,
                                                 .member_row = row_of,
                                                 .pool_row = pool_row_of,
                                                 .ctx = scene};
    return upstream_set_create(&options);
}

static void scene_open(struct scene *scene)
{
    static const char *const names[] = {"health"};
    memset(scene, 0, sizeof(*scene));
    struct err err = ERR_NONE;
    assert_int_equal(loop_create(0, &scene->loop, &err), 0);
    scene->commons = commons_create(1);
    assert_int_equal(board_make(names, 1, &scene->fds, &err), 0);
    assert_int_equal(board_open(&scene->fds, 0, &scene->board, &err), 0);
    for (int i = 0; i < MEMBERS; i++)
        scene->ports[i] = listen_somewhere(&scene->listeners[i]);
    scene->snap = load_web(scene, "");
    scene->set = make_set(scene, scene->snap);
    upstream_set_adopt(scene->set, scene->loop, NULL);
    scene->pool = upstream_pool_of(scene->set, pool_find(scene->snap, SLICE("web")));
}

static void scene_close(struct scene *scene)
{
    upstream_set_destroy(&scene->set);
    assert_null(scene->set);
    snapshot_unref(&scene->snap);
    for (int i = 0; i < MEMBERS; i++)
        close(scene->listeners[i]);
    loop_destroy(&scene->loop);
    commons_destroy(&scene->commons);
    board_close(&scene->board);
    board_fds_close(&scene->fds);
}

/* Goes over to another snapshot; the old set is returned, with its snapshot still referred to by
 * it. */
static struct upstream_set *scene_switch(struct scene *scene, struct snapshot *snap)
{
    struct upstream_set *old = scene->set;
    snapshot_unref(&scene->snap);
    scene->snap = snap;
    scene->set = make_set(scene, snap);
    upstream_set_adopt(scene->set, scene->loop, old);
    scene->pool = upstream_pool_of(scene->set, pool_find(snap, SLICE("web")));
    return old;
}

static void fact(struct scene *scene, const char *name, enum fact_state state, const char *reason)
{
    assert_int_equal(board_state(scene->board, name, state, 1, reason, 1), 0);
    upstream_set_refresh(scene->set);
}

static void on_event(struct conn *conn, uint32_t events)
{
    (void)events;
    struct upstream *upstream = CONTAINER_OF(conn, struct upstream, conn);
    struct scene *scene = upstream->user;
    scene->n_events++;
}

static const struct upstream_user calls = {.on_event = on_event};

static struct upstream_member *member_of(const struct scene *scene, uint32_t index)
{
    return &scene->pool->members[index];
}

static struct upstream *take(struct scene *scene, uint32_t index)
{
    struct upstream *upstream =
        upstream_take(member_of(scene, index), scene->loop, scene, &calls, NULL);
    assert_non_null(upstream);
    return upstream;
}

/* The member's end of the oldest connection that it has not accepted yet. */
static int accept_one(const struct scene *scene, uint32_t index)
{
    int fd = accept4(scene->listeners[index], NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void settle(struct scene *scene)
{
    for (int i = 0; i < 5; i++)
        loop_turn(scene->loop, 0);
}

static uint64_t word_of(const struct upstream_member *member, uint32_t word)
{
    return atomic_load(&member->row[word]);
}

/* ---- idle connections ---- */

static void test_newest_first(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream_member *member = member_of(&scene, 0);
    struct upstream *first = take(&scene, 0), *second = take(&scene, 0), *third = take(&scene, 0);
    assert_int_equal(first->n_requests, 1);
    assert_int_equal(word_of(member, MEMBER_CONNECTS), 3);
    upstream_keep(second);
    upstream_keep(first);
    assert_int_equal(word_of(member, MEMBER_IDLE), 2);
    assert_ptr_equal(take(&scene, 0), first);
    assert_int_equal(first->n_requests, 2);
    assert_ptr_equal(first->user, &scene);
    assert_ptr_equal(take(&scene, 0), second);
    assert_int_equal(word_of(member, MEMBER_IDLE), 0);
    assert_int_equal(word_of(member, MEMBER_CONNECTS), 3);
    upstream_keep(first);
    struct upstream *fresh =
        upstream_take_fresh(member, scene.loop, &scene, &calls, NULL); /* though one is idle */
    assert_int_equal(fresh->n_requests, 1);
    assert_int_equal(member->n_idle, 1);
    upstream_drop(fresh);
    upstream_drop(second);
    upstream_drop(third);
    scene_close(&scene); /* closes the one that is idle */
}

static void test_events_reach_the_user(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream *upstream = take(&scene, 0);
    int peer = accept_one(&scene, 0);
    settle(&scene);
    unsigned n_before = scene.n_events;
    assert_int_equal(send(peer, "x", 1, 0), 1);
    settle(&scene);
    assert_int_equal(scene.n_events, n_before + 1);
    upstream_drop(upstream);
    close(peer);
    scene_close(&scene);
}

/* The member closes an idle one, or speaks without being asked: it is gone before anybody takes
 * it. */
static void test_idle_dies(void **state)
{
    (void)state;
    for (int is_speaking = 0; is_speaking < 2; is_speaking++) {
        struct scene scene;
        scene_open(&scene);
        struct upstream *upstream = take(&scene, 0);
        int peer = accept_one(&scene, 0);
        settle(&scene);
        upstream_keep(upstream);
        settle(&scene);
        assert_int_equal(member_of(&scene, 0)->n_idle, 1); /* room to send is no news */
        if (is_speaking)
            assert_int_equal(send(peer, "HTTP/1.1 408 Late\r\n\r\n", 21, 0), 21);
        else
            shutdown(peer, SHUT_WR);
        settle(&scene);
        assert_int_equal(member_of(&scene, 0)->n_idle, 0);
        assert_int_equal(word_of(member_of(&scene, 0), MEMBER_IDLE), 0);
        close(peer);
        scene_close(&scene);
    }
}

/* Nobody keeps more than so many, nor one that has something left to send, nor an old one. */
static void test_what_is_not_kept(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream_member *member = member_of(&scene, 0);
    struct upstream *many[UPSTREAM_IDLE_MAX / 4];
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = take(&scene, 0);
    member->n_idle += UPSTREAM_IDLE_MAX - 2; /* as if so many were there */
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        upstream_keep(many[i]);
    assert_int_equal(member->n_idle, UPSTREAM_IDLE_MAX);
    member->n_idle -= UPSTREAM_IDLE_MAX - 2;

    struct upstream *upstream = take(&scene, 0);
    size_t len = 32 << 20;
    char *bytes = MEM_NEW_ARRAY(char, len);
    assert_int_equal(conn_send(&upstream->conn, bytes, len, false), 0);
    assert_true(conn_pending(&upstream->conn) > 0);
    upstream_keep(upstream);
    assert_int_equal(member->n_idle, 1);
    mem_free(bytes);

    upstream = take(&scene, 0);
    upstream->born_ns -= UPSTREAM_AGE_MS * MS;
    upstream_keep(upstream);
    assert_int_equal(member->n_idle, 0);
    scene_close(&scene);
}

/* The sweep takes those from the back that have been idle too long, and no other. */
static void test_sweep(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream_member *member = member_of(&scene, 1);
    struct upstream *ups[4];
    for (size_t i = 0; i < ARRAY_LEN(ups); i++)
        ups[i] = take(&scene, 1);
    for (size_t i = 0; i < ARRAY_LEN(ups); i++)
        upstream_keep(ups[i]);
    ups[0]->idle_since_ns -= UPSTREAM_IDLE_MS * MS;
    ups[1]->idle_since_ns -= UPSTREAM_IDLE_MS * MS;
    ups[2]->idle_since_ns -= (UPSTREAM_IDLE_MS - 10000) * MS;
    for (int i = 0; i < 100 && member->n_idle == 4; i++)
        loop_turn(scene.loop, 50);
    assert_int_equal(member->n_idle, 2);
    assert_ptr_equal(take(&scene, 1), ups[3]);
    assert_ptr_equal(take(&scene, 1), ups[2]);
    upstream_drop(ups[2]);
    upstream_drop(ups[3]);
    scene_close(&scene);
}

static void test_connect_refused(void **state)
{
    (void)state;
    struct scene scene;
    struct err err = ERR_NONE;
    scene_open(&scene);
    close(scene.listeners[2]);
    struct upstream *upstream =
        upstream_take(member_of(&scene, 2), scene.loop, &scene, &calls, &err);
    if (upstream) { /* not known within connect(2) */
        upstream_drop(upstream);
    } else {
        assert_int_equal(err.number, ECONNREFUSED);
    }
    scene.ports[2] = listen_somewhere(&scene.listeners[2]);
    scene_close(&scene);
}

/* ---- picking ---- */

static const struct upstream_outcome outcome_none;

/* Picks, and gives the reservation back at once; NULL where the answer is not MEMBER. */
static struct upstream_member *pick_one(struct upstream_pool *pool, const struct upstream_ask *ask)
{
    struct upstream_member *member = NULL;
    if (upstream_pick(pool, ask, &member) != UPSTREAM_MEMBER)
        return NULL;
    upstream_end(member, &outcome_none);
    return member;
}

static enum upstream_answer answer_of(struct upstream_pool *pool, const struct upstream_ask *ask)
{
    struct upstream_member *member = NULL;
    enum upstream_answer answer = upstream_pick(pool, ask, &member);
    if (answer == UPSTREAM_MEMBER)
        upstream_end(member, &outcome_none);
    return answer;
}

/* How often each is picked in 300 tries. */
static void count_picks(struct scene *scene, const struct upstream_tried *tried, unsigned counts[3])
{
    counts[0] = counts[1] = counts[2] = 0;
    for (int i = 0; i < 300; i++) {
        const struct upstream_ask ask = {.now_ns = loop_now_ns(scene->loop), .tried = tried};
        struct upstream_member *member = pick_one(scene->pool, &ask);
        if (member)
            counts[member->view.member->index]++;
    }
}

static void assert_counts(const unsigned counts[3], unsigned a, unsigned b, unsigned c)
{
    const unsigned want[] = {a, b, c};
    for (int i = 0; i < 3; i++) /* where the round begins is the seed's */
        assert_in_range(counts[i], want[i] ? want[i] - 2 : 0, want[i] ? want[i] + 2 : 0);
}

static void test_pick_by_facts(void **state)
{
    (void)state;
    struct scene scene;
    unsigned counts[3];
    scene_open(&scene);
    count_picks(&scene, NULL, counts); /* health has not said anything */
    assert_counts(counts, 100, 100, 100);
    fact(&scene, "member:web/a", FACT_UP, "HTTP 200");
    fact(&scene, "member:web/b", FACT_DOWN, "connection refused");
    fact(&scene, "member:web/c", FACT_UNKNOWN, "");
    count_picks(&scene, NULL, counts);
    assert_counts(counts, 150, 0, 150);
    fact(&scene, "member:web/c", FACT_DRAINING, "forced");
    count_picks(&scene, NULL, counts);
    assert_counts(counts, 300, 0, 0);
    /* Without a refresh: the balancer looks at the fact itself. */
    assert_int_equal(board_state(scene.board, "member:web/a", FACT_DOWN, 1, "late", 1), 0);
    assert_int_equal(answer_of(scene.pool, &(struct upstream_ask){.now_ns = 0}), UPSTREAM_NOBODY);
    assert_int_equal(board_state(scene.board, "member:web/b", FACT_UP, 1, "", 1), 0);
    count_picks(&scene, NULL, counts);
    assert_counts(counts, 0, 300, 0);
    scene_close(&scene);
}

static void test_pick_tried(void **state)
{
    (void)state;
    struct scene scene;
    unsigned counts[3];
    struct upstream_tried tried = {.bits = {0}};
    scene_open(&scene);
    upstream_tried_add(&tried, member_of(&scene, 0));
    count_picks(&scene, &tried, counts);
    assert_counts(counts, 0, 150, 150);
    upstream_tried_add(&tried, member_of(&scene, 2));
    count_picks(&scene, &tried, counts);
    assert_counts(counts, 0, 300, 0);
    upstream_tried_add(&tried, member_of(&scene, 1));
    assert_null(pick_one(scene.pool, &(struct upstream_ask){.tried = &tried}));
    scene_close(&scene);
}

static void test_pick_suspects(void **state)
{
    (void)state;
    struct scene scene;
    unsigned counts[3];
    scene_open(&scene);
    uint64_t now_ns = loop_now_ns(scene.loop);
    upstream_suspect(member_of(&scene, 0), now_ns, true);
    assert_int_equal(word_of(member_of(&scene, 0), MEMBER_CONNECT_FAILED), 1);
    count_picks(&scene, NULL, counts);
    assert_counts(counts, 0, 150, 150);
    /* A suspect is better than nobody, and all of them are as good as each other. */
    upstream_suspect(member_of(&scene, 1), now_ns, false);
    upstream_suspect(member_of(&scene, 2), now_ns, false);
    assert_int_equal(word_of(member_of(&scene, 1), MEMBER_BROKEN), 1);
    count_picks(&scene, NULL, counts);
    assert_counts(counts, 100, 100, 100);
    /* But not one that is down. */
    fact(&scene, "member:web/a", FACT_DOWN, "refused");
    count_picks(&scene, NULL, counts);
    assert_counts(counts, 0, 150, 150);
    /* It passes. */
    const struct upstream_tried all = {.bits = {7}};
    assert_null(pick_one(scene.pool, &(struct upstream_ask){.now_ns = now_ns, .tried = &all}));
    member_of(&scene, 1)->suspect_until_ns = now_ns;
    count_picks(&scene, NULL, counts);
    assert_counts(counts, 0, 300, 0);
    scene_close(&scene);
}

/* A reservation counts as in flight until it is over. */
static void test_in_flight(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream_member *members[5];
    const struct upstream_ask ask = {.now_ns = 0};
    scene_open(&scene);
    for (int i = 0; i < 5; i++)
        assert_int_equal(upstream_pick(scene.pool, &ask, &members[i]), UPSTREAM_MEMBER);
    uint64_t n = 0;
    for (uint32_t m = 0; m < MEMBERS; m++)
        n += word_of(member_of(&scene, m), MEMBER_IN_FLIGHT);
    assert_int_equal(n, 5);
    for (int i = 0; i < 5; i++)
        upstream_end(members[i], &outcome_none);
    for (uint32_t m = 0; m < MEMBERS; m++)
        assert_int_equal(word_of(member_of(&scene, m), MEMBER_IN_FLIGHT), 0);
    scene_close(&scene);
}

/* A session's member is taken whatever the method says, and while it drains; not when down. */
static void test_pick_preferred(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream_member *own = member_of(&scene, 1);
    struct upstream_tried tried = {.bits = {0}};
    struct upstream_ask ask = {.preferred = own, .tried = &tried};
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(pick_one(scene.pool, &ask), own);
    fact(&scene, "member:web/b", FACT_DRAINING, "forced");
    assert_ptr_equal(pick_one(scene.pool, &ask), own);
    fact(&scene, "member:web/b", FACT_DOWN, "refused");
    assert_ptr_not_equal(pick_one(scene.pool, &ask), own);
    fact(&scene, "member:web/b", FACT_UP, "");
    assert_ptr_equal(pick_one(scene.pool, &ask), own);
    upstream_tried_add(&tried, own);
    assert_ptr_not_equal(pick_one(scene.pool, &ask), own);
    scene_close(&scene);
}

/* ---- members that turn down ---- */

static void on_down_drop(struct upstream *upstream)
{
    struct scene *scene = upstream->user;
    scene->n_down++;
    upstream_drop(upstream);
}

/* Keeps its own, and drops one that is to be told as well. */
static void on_down_drop_other(struct upstream *upstream)
{
    struct scene *scene = upstream->user;
    scene->n_down++;
    if (scene->other)
        upstream_drop(scene->other);
    scene->other = NULL;
}

static const struct upstream_user drops = {.on_event = on_event, .on_down = on_down_drop};
static const struct upstream_user drops_other = {.on_event = on_event,
                                                 .on_down = on_down_drop_other};

static void test_down_is_told(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream_member *member = member_of(&scene, 0);
    fact(&scene, "member:web/a", FACT_UP, "");
    struct upstream *idle = take(&scene, 0), *deaf = take(&scene, 0), *away = take(&scene, 1);
    for (int i = 0; i < 3; i++)
        assert_non_null(upstream_take_fresh(member, scene.loop, &scene, &drops, NULL));
    upstream_keep(idle);
    fact(&scene, "member:web/a", FACT_DRAINING, "forced");
    assert_int_equal(scene.n_down, 0);
    fact(&scene, "member:web/a", FACT_DOWN, "refused");
    assert_int_equal(scene.n_down, 3);
    assert_int_equal(member->n_idle, 0);
    fact(&scene, "member:web/a", FACT_DOWN, "still refused");
    assert_int_equal(scene.n_down, 3); /* once */
    upstream_keep(deaf);               /* nothing is kept of a member that is down */
    assert_int_equal(member->n_idle, 0);
    upstream_drop(away);

    fact(&scene, "member:web/a", FACT_UP, "");
    struct upstream *stays = upstream_take_fresh(member, scene.loop, &scene, &drops_other, NULL);
    scene.other = upstream_take_fresh(member, scene.loop, &scene, &drops_other, NULL);
    struct upstream *first = LIST_FIRST(&member->taken, struct upstream, link);
    if (first == scene.other) {
        scene.other = stays;
        stays = first;
    }
    fact(&scene, "member:web/a", FACT_DOWN, "refused");
    assert_int_equal(scene.n_down, 4); /* the other was dropped before its turn came */
    fact(&scene, "member:web/a", FACT_UP, "");
    fact(&scene, "member:web/a", FACT_DOWN, "refused");
    assert_int_equal(scene.n_down, 5); /* whoever stayed is told of the next time */
    upstream_drop(stays);
    scene_close(&scene);
}

/* Requests that began under older sets are told as well. */
static void test_down_is_told_to_the_lineage(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    fact(&scene, "member:web/a", FACT_UP, "");
    assert_non_null(upstream_take_fresh(member_of(&scene, 0), scene.loop, &scene, &drops, NULL));
    struct snapshot *held = snapshot_ref(scene.snap);
    struct upstream_set *old = scene_switch(&scene, load_web(&scene, ""));
    assert_non_null(upstream_take_fresh(member_of(&scene, 0), scene.loop, &scene, &drops, NULL));
    fact(&scene, "member:web/a", FACT_DOWN, "refused");
    assert_int_equal(scene.n_down, 2);
    upstream_set_destroy(&old);
    snapshot_unref(&held);
    scene_close(&scene);
}

/* ---- from one snapshot to the next ---- */

static void test_adoption(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream *a1 = take(&scene, 0), *a2 = take(&scene, 0), *busy = take(&scene, 0);
    struct upstream *b = take(&scene, 1);
    upstream_keep(a1);
    upstream_keep(a2);
    upstream_keep(b);
    upstream_suspect(member_of(&scene, 0), loop_now_ns(scene.loop), false);
    int moved;
    struct snapshot *held = snapshot_ref(scene.snap);
    scene.ports[1] = listen_somewhere(&moved); /* b has another address now */
    struct upstream_set *old =
        scene_switch(&scene, load_web(&scene, "pool other { member a 127.0.0.1:1 }"));
    struct upstream_member *member = member_of(&scene, 0);
    assert_int_equal(member->n_idle, 2);
    assert_int_equal(member_of(&scene, 1)->n_idle, 0);
    assert_true(member->suspect_until_ns > loop_now_ns(scene.loop));
    /* The order is kept, and one that was taken under the old set comes home to the new one. */
    assert_ptr_equal(take(&scene, 0), a2);
    assert_ptr_equal(a2->member, member);
    upstream_keep(busy);
    assert_ptr_equal(busy->member, member);
    assert_int_equal(member->n_idle, 2);
    assert_ptr_equal(take(&scene, 0), busy);
    assert_ptr_equal(take(&scene, 0), a1);
    upstream_set_destroy(&old); /* with what is left in it */
    snapshot_unref(&held);
    upstream_drop(a1);
    upstream_drop(a2);
    upstream_drop(busy);
    close(moved);
    scene_close(&scene);
}

/* Given back when its member is gone, or has another address: closed. */
/* A member reserved by a pick, and a connection to it. */
static struct upstream *reserve(struct scene *scene, uint32_t index)
{
    struct upstream_member *member;
    const struct upstream_ask ask = {.now_ns = loop_now_ns(scene->loop),
                                     .preferred = member_of(scene, index)};
    assert_int_equal(upstream_pick(scene->pool, &ask, &member), UPSTREAM_MEMBER);
    assert_ptr_equal(member, member_of(scene, index));
    return take(scene, index);
}

/* What outlives its set goes over with its reservation, or on alone; the old set can go. */
static void test_following(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream *a = reserve(&scene, 0), *b = reserve(&scene, 1);
    int another = 0;
    assert_ptr_equal(upstream_follow(a), member_of(&scene, 0)); /* there already */
    upstream_hand(a, &another, &calls);
    assert_ptr_equal(a->user, &another);
    a->user = &scene;
    int moved;
    struct snapshot *held = snapshot_ref(scene.snap);
    scene.ports[1] = listen_somewhere(&moved); /* b has another address now */
    struct upstream_member *b_before = b->member;
    struct upstream_set *old = scene_switch(&scene, load_web(&scene, ""));
    assert_ptr_equal(upstream_follow(a), member_of(&scene, 0));
    assert_ptr_equal(a->member, member_of(&scene, 0));
    assert_int_equal(word_of(member_of(&scene, 0), MEMBER_IN_FLIGHT), 1);
    assert_null(upstream_follow(b));
    assert_null(upstream_follow(b)); /* once and for all */
    assert_int_equal(word_of(b_before, MEMBER_IN_FLIGHT), 0);
    upstream_set_destroy(&old);
    snapshot_unref(&held);
    upstream_drop(b);
    upstream_end(a->member, &(struct upstream_outcome){0});
    upstream_drop(a);
    assert_int_equal(word_of(member_of(&scene, 0), MEMBER_IN_FLIGHT), 0);
    close(moved);
    scene_close(&scene);
}

static void test_give_back_to_nobody(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream *gone = take(&scene, 2), *moved = take(&scene, 1), *stays = take(&scene, 0);
    struct snapshot *held = snapshot_ref(scene.snap);
    char text[256];
    snprintf(text, sizeof(text), "pool web { member a 127.0.0.1:%u; member b 127.0.0.1:%u }",
             scene.ports[0], scene.ports[2]);
    struct upstream_set *old = scene_switch(&scene, load(text));
    upstream_keep(gone);
    upstream_keep(moved);
    upstream_keep(stays);
    assert_int_equal(member_of(&scene, 0)->n_idle, 1);
    assert_int_equal(member_of(&scene, 1)->n_idle, 0);
    upstream_set_destroy(&old);
    snapshot_unref(&held);
    scene_close(&scene);
}

/* Three sets alive at once, the last user of the oldest comes back last. */
static void test_long_lineage(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct upstream *oldest = take(&scene, 0);
    struct snapshot *held[3];
    struct upstream_set *old[3];
    for (int i = 0; i < 3; i++) {
        held[i] = snapshot_ref(scene.snap);
        old[i] = scene_switch(&scene, load_web(&scene, ""));
    }
    upstream_set_destroy(&old[1]); /* in any order */
    upstream_keep(oldest);
    assert_int_equal(member_of(&scene, 0)->n_idle, 1);
    upstream_set_destroy(&old[0]);
    upstream_set_destroy(&old[2]);
    for (int i = 0; i < 3; i++)
        snapshot_unref(&held[i]);
    assert_ptr_equal(take(&scene, 0), oldest);
    upstream_drop(oldest);
    scene_close(&scene);
}

/* A set that was made for a snapshot that was then refused. */
static void test_never_adopted(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct snapshot *refused = load_web(&scene, "");
    struct upstream_set *set = make_set(&scene, refused);
    upstream_set_destroy(&set);
    snapshot_unref(&refused);
    upstream_set_destroy(&set); /* NULL is fine */
    scene_close(&scene);
}

/* ---- members that are named by a host ---- */

static void test_moving_member(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct snapshot *held = snapshot_ref(scene.snap);
    struct upstream_set *old =
        scene_switch(&scene, load("pool web { member h app.internal:8080 }"));
    const struct upstream_ask ask = {.now_ns = 0};
    assert_null(pick_one(scene.pool, &ask)); /* where is it? */
    char text[64];
    snprintf(text, sizeof(text), "127.0.0.1:%u", scene.ports[0]);
    fact(&scene, "address:web/h", FACT_RESOLVED, text);
    struct upstream_member *member = member_of(&scene, 0);
    assert_ptr_equal(pick_one(scene.pool, &ask), member);
    struct upstream *idle = take(&scene, 0), *busy = take(&scene, 0);
    upstream_keep(idle);
    fact(&scene, "member:web/h", FACT_UP, "");
    assert_int_equal(member->n_idle, 1); /* the same address */
    snprintf(text, sizeof(text), "127.0.0.1:%u", scene.ports[1]);
    fact(&scene, "address:web/h", FACT_RESOLVED, text);
    assert_int_equal(member->n_idle, 0); /* it led to where the member was */
    upstream_keep(busy);
    assert_int_equal(member->n_idle, 0); /* and so did this one */
    struct upstream *fresh = take(&scene, 0);
    int peer = accept_one(&scene, 1);
    upstream_keep(fresh);
    assert_int_equal(member->n_idle, 1);
    close(peer);
    upstream_set_destroy(&old);
    snapshot_unref(&held);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_first),
        cmocka_unit_test(test_events_reach_the_user),
        cmocka_unit_test(test_idle_dies),
        cmocka_unit_test(test_what_is_not_kept),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_connect_refused),
        cmocka_unit_test(test_pick_by_facts),
        cmocka_unit_test(test_pick_tried),
        cmocka_unit_test(test_pick_suspects),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_pick_preferred),
        cmocka_unit_test(test_down_is_told),
        cmocka_unit_test(test_down_is_told_to_the_lineage),
        cmocka_unit_test(test_adoption),
        cmocka_unit_test(test_following),
        cmocka_unit_test(test_give_back_to_nobody),
        cmocka_unit_test(test_long_lineage),
        cmocka_unit_test(test_never_adopted),
        cmocka_unit_test(test_moving_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
