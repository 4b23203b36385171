/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A loop's connections to the members: taken, given back, kept idle for a while, handed to the next
 * set.
 */

#include "base/mem.h"
#include "upstream/internal.h"
#include <assert.h>

/* ---- idle connections ---- */

static void idle_unlink(struct upstream *upstream)
{
    struct upstream_member *member = upstream->member;
    assert(list_is_linked(&upstream->link) && member->n_idle > 0);
    list_remove(&upstream->link);
    member->n_idle--;
    metric_sub(member->row, MEMBER_IDLE, 1);
}

static void upstream_free(struct upstream *upstream)
{
    conn_close(&upstream->conn);
    mem_free(upstream);
}

static void idle_close(struct upstream *upstream)
{
    idle_unlink(upstream);
    upstream_free(upstream);
}

void idle_close_all(struct upstream_member *member)
{
    struct upstream *upstream;
    while ((upstream = LIST_FIRST(&member->idle, struct upstream, link)) != NULL)
        idle_close(upstream);
}

/* An idle member connection has nothing to say: it was closed, or it is out of step. */
static void idle_on_event(struct conn *conn, uint32_t events)
{
    if (events == LOOP_WRITE)
        return; /* room to send is no news */
    struct upstream *upstream = CONTAINER_OF(conn, struct upstream, conn);
    if ((events & (LOOP_HANGUP | LOOP_ERROR)) || conn_is_stale(conn))
        idle_close(upstream);
}

static void idle_link(struct upstream *upstream, struct upstream_member *member, uint64_t now_ns)
{
    upstream->member = member;
    upstream->n_moves = member->n_moves;
    upstream->user = NULL;
    upstream->idle_since_ns = now_ns;
    upstream->conn.on_event = idle_on_event;
    list_add_front(&member->idle, &upstream->link);
    member->n_idle++;
    metric_add(member->row, MEMBER_IDLE, 1);
}

void member_sweep(struct upstream_member *member, uint64_t now_ns)
{
    while (!list_is_empty(&member->idle)) {
        struct upstream *oldest = LIST_ENTRY(member->idle.prev, struct upstream, link);
        if (oldest->idle_since_ns + ms_to_ns(UPSTREAM_IDLE_MS) > now_ns)
            return;
        idle_close(oldest);
    }
}

void member_hand_over(struct upstream_member *from, struct upstream_member *to)
{
    while (!list_is_empty(&from->idle)) {
        /* From the back, so that the order is kept. */
        struct upstream *upstream = LIST_ENTRY(from->idle.prev, struct upstream, link);
        uint64_t since_ns = upstream->idle_since_ns;
        idle_unlink(upstream);
        idle_link(upstream, to, since_ns);
    }
    to->suspect_until_ns = from->suspect_until_ns;
    if (from->resume) {
        tls_resume_unref(&to->resume);
        to->resume = tls_resume_ref(from->resume);
    }
}

/* ---- taking and giving back ---- */

static int secure(struct upstream_member *member, struct conn *conn, struct err *err)
{
    const struct tls_client *tls = member->pool->tls;
    if (!tls)
        return 0;
    if (tls_connect(conn, tls, pool_tls_name(member->view.member), member->resume, err) < 0) {
        conn_close(conn);
        return -1;
    }
    tls_watch(conn, member->row + MEMBER_TLS);
    return 0;
}

struct upstream *upstream_take_fresh(struct upstream_member *member, struct loop *loop, void *user,
                                     const struct upstream_user *calls, struct err *err)
{
    struct upstream *upstream = MEM_NEW(struct upstream);
    metric_add(member->row, MEMBER_CONNECTS, 1);
    if (conn_connect(&upstream->conn, loop, &member->view.addr, calls->on_event, err) < 0 ||
        secure(member, &upstream->conn, err) < 0) {
        mem_free(upstream);
        return NULL;
    }
    list_init(&upstream->link);
    list_add_front(&member->taken, &upstream->link);
    upstream->member = member;
    upstream->n_moves = member->n_moves;
    upstream->born_ns = loop_now_ns(loop);
    upstream->n_requests = 1;
    upstream->user = user;
    upstream->calls = calls;
    return upstream;
}

struct upstream *upstream_take(struct upstream_member *member, struct loop *loop, void *user,
                               const struct upstream_user *calls, struct err *err)
{
    struct upstream *upstream = LIST_FIRST(&member->idle, struct upstream, link);
    if (!upstream)
        return upstream_take_fresh(member, loop, user, calls, err);
    idle_unlink(upstream);
    upstream->n_requests++;
    upstream->user = user;
    upstream->calls = calls;
    upstream->conn.on_event = calls->on_event;
    list_add_front(&member->taken, &upstream->link);
    return upstream;
}

void upstream_keep(struct upstream *upstream)
{
    assert(upstream->user && list_is_linked(&upstream->link));
    list_remove(&upstream->link);
    struct upstream_member *member = upstream->member;
    struct upstream_set *set = member->pool->set;
    uint64_t now_ns = loop_now_ns(set->loop);
    bool has_moved = upstream->n_moves != member->n_moves;
    if (set->lineage->current != set)
        member = set->lineage->current ? set_same(set->lineage->current, member) : NULL;
    bool is_old = upstream->born_ns + ms_to_ns(UPSTREAM_AGE_MS) <= now_ns;
    if (!member || member->is_down || has_moved || is_old || member->n_idle >= UPSTREAM_IDLE_MAX ||
        conn_pending(&upstream->conn)) {
        upstream_free(upstream);
        return;
    }
    idle_link(upstream, member, now_ns);
}

void upstream_drop(struct upstream *upstream)
{
    assert(upstream->user && list_is_linked(&upstream->link) == (upstream->member != NULL));
    if (upstream->member)
        list_remove(&upstream->link);
    upstream_free(upstream);
}

void upstream_hand(struct upstream *upstream, void *user, const struct upstream_user *calls)
{
    assert(upstream->user && user);
    upstream->user = user;
    upstream->calls = calls;
    upstream->conn.on_event = calls->on_event;
}

struct upstream_member *upstream_follow(struct upstream *upstream)
{
    struct upstream_member *from = upstream->member;
    const struct lineage *lineage = from ? from->pool->set->lineage : NULL;
    if (!lineage || lineage->current == from->pool->set)
        return from;
    bool has_moved = upstream->n_moves != from->n_moves;
    struct upstream_member *to =
        lineage->current && !has_moved ? set_same(lineage->current, from) : NULL;
    list_remove(&upstream->link);
    upstream->member = to;
    if (to) {
        list_add_front(&to->taken, &upstream->link);
        upstream->n_moves = to->n_moves;
    }
    reservation_move(from, to);
    return to;
}
