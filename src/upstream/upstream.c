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
    if (member->n_idle < member->n_spare)
        member->n_spare = member->n_idle;
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

/* ---- between loops ---- */

/*
 * The gauge of idle connections: who lays one down leaves it in its own row, who takes it takes it
 * out of its own. A row by itself may be below zero then; the sum of all is what there is.
 */
static bool common_lay(struct upstream_member *member, struct upstream *upstream, uint32_t max)
{
    conn_leave(&upstream->conn);
    tls_resume_use(&upstream->conn, NULL);
    upstream->member = NULL;
    upstream->calls = NULL;
    upstream->user = NULL;
    return common_put(member->common, &upstream->link, max);
}

static bool is_any(void *ctx, struct list *link)
{
    (void)ctx;
    (void)link;
    return true;
}

static bool is_same_place(void *ctx, struct list *link)
{
    const struct upstream_member *member = ctx;
    const struct upstream *upstream = LIST_ENTRY(link, struct upstream, link);
    return addr_equal(&upstream->addr, &member->view.addr) &&
           tls_is_of(&upstream->conn, member->pool->tls);
}

static bool is_other_place(void *ctx, struct list *link)
{
    return !is_same_place(ctx, link);
}

/* For a look from this loop, into which it has not been taken. */
static bool is_dead(struct upstream *upstream, struct loop *loop)
{
    upstream->conn.loop = loop;
    return conn_is_stale(&upstream->conn) != 0;
}

static bool is_over(void *ctx, struct list *link)
{
    struct loop *loop = ctx;
    struct upstream *upstream = LIST_ENTRY(link, struct upstream, link);
    return upstream->idle_since_ns + ms_to_ns(UPSTREAM_IDLE_MS) <= loop_now_ns(loop) ||
           is_dead(upstream, loop);
}

static void common_close(struct upstream_member *member, struct list *link)
{
    metric_sub(member->row, MEMBER_IDLE, 1);
    upstream_free(LIST_ENTRY(link, struct upstream, link));
}

static void common_close_all(struct upstream_member *member,
                             bool (*is_it)(void *ctx, struct list *link), void *ctx)
{
    struct list *link;
    while ((link = common_take(member->common, is_it, ctx)) != NULL)
        common_close(member, link);
}

/* One that still lives, armed in this loop; or NULL. */
static struct upstream *common_fetch(struct upstream_member *member, struct loop *loop,
                                     const struct upstream_user *calls)
{
    struct list *link;
    while (common_has_idle(member->common) &&
           (link = common_take(member->common, is_same_place, member)) != NULL) {
        struct upstream *upstream = LIST_ENTRY(link, struct upstream, link);
        struct err err = ERR_NONE;
        if (!is_dead(upstream, loop) &&
            conn_join(&upstream->conn, loop, calls->on_event, &err) == 0) {
            metric_sub(member->row, MEMBER_IDLE, 1);
            tls_resume_use(&upstream->conn, member->resume);
            return upstream;
        }
        common_close(member, link);
    }
    return NULL;
}

void member_forsake(struct upstream_member *member)
{
    idle_close_all(member);
    common_close_all(member, member->is_down ? is_any : is_other_place, member);
}

void member_leave_commons(struct upstream_member *member)
{
    struct list left;
    list_init(&left);
    common_member_unref(&member->common, &left);
    LIST_EACH (node, &left) {
        list_remove(node);
        common_close(member, node);
    }
}

/* ---- sweeping ---- */

/* Does every loop's idle connection to it lie in the commons? */
static bool is_limited(const struct upstream_member *member)
{
    return member->max > 0 && set_has_others(member->pool->set);
}

/* Half of what this loop had no use for since the last time, the oldest first. */
static void member_share(struct upstream_member *member)
{
    uint32_t n = set_has_others(member->pool->set) ? (member->n_spare + 1) / 2 : 0;
    for (; n > 0; n--) {
        struct upstream *upstream = LIST_ENTRY(member->idle.prev, struct upstream, link);
        if (atomic_load_explicit(&member->common->n_idle, memory_order_relaxed) >= COMMON_IDLE_MAX)
            break;
        idle_unlink(upstream);
        metric_add(member->row, MEMBER_IDLE, 1);
        if (!common_lay(member, upstream, COMMON_IDLE_MAX))
            common_close(member, &upstream->link);
    }
    member->n_spare = member->n_idle;
}

void member_sweep(struct upstream_member *member, struct loop *loop)
{
    uint64_t now_ns = loop_now_ns(loop);
    while (!list_is_empty(&member->idle)) {
        struct upstream *oldest = LIST_ENTRY(member->idle.prev, struct upstream, link);
        if (oldest->idle_since_ns + ms_to_ns(UPSTREAM_IDLE_MS) > now_ns)
            break;
        idle_close(oldest);
    }
    member_share(member);
    if (member->pool->set->loop_index == 0 && common_has_idle(member->common))
        common_close_all(member, is_over, loop);
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
    to->warm_since_ns = from->warm_since_ns;
    to->is_cold = from->is_cold;
    to->is_down = from->is_down;
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

static struct upstream *take(struct upstream *upstream, struct upstream_member *member, void *user,
                             const struct upstream_user *calls)
{
    upstream->member = member;
    upstream->n_moves = member->n_moves;
    upstream->n_requests++;
    upstream->user = user;
    upstream->calls = calls;
    upstream->conn.on_event = calls->on_event;
    list_add_front(&member->taken, &upstream->link);
    return upstream;
}

static struct upstream *take_new(struct upstream_member *member, struct loop *loop, void *user,
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
    upstream->addr = member->view.addr;
    upstream->born_ns = loop_now_ns(loop);
    return take(upstream, member, user, calls);
}

/* So that a new one does not exceed the limit, an idle one goes. */
static void make_room(struct upstream_member *member)
{
    struct list *link = common_take(member->common, is_any, NULL);
    if (link)
        common_close(member, link);
    else if (!list_is_empty(&member->idle))
        idle_close(LIST_ENTRY(member->idle.prev, struct upstream, link));
}

struct upstream *upstream_take_fresh(struct upstream_member *member, struct loop *loop, void *user,
                                     const struct upstream_user *calls, struct err *err)
{
    if (member->max > 0)
        make_room(member);
    return take_new(member, loop, user, calls, err);
}

struct upstream *upstream_take(struct upstream_member *member, struct loop *loop, void *user,
                               const struct upstream_user *calls, struct err *err)
{
    struct upstream *upstream = LIST_FIRST(&member->idle, struct upstream, link);
    if (upstream) {
        idle_unlink(upstream);
        return take(upstream, member, user, calls);
    }
    upstream = common_fetch(member, loop, calls);
    return upstream ? take(upstream, member, user, calls)
                    : take_new(member, loop, user, calls, err);
}

/* Among the idle ones of this loop, or of all; false: nobody has room for it. */
static bool keep(struct upstream *upstream, struct upstream_member *member, uint64_t now_ns)
{
    if (!is_limited(member)) {
        if (member->n_idle >= UPSTREAM_IDLE_MAX)
            return false;
        idle_link(upstream, member, now_ns);
        return true;
    }
    upstream->idle_since_ns = now_ns;
    if (!common_lay(member, upstream, member->max))
        return false;
    metric_add(member->row, MEMBER_IDLE, 1);
    return true;
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
    if (!member || member->is_down || has_moved || is_old || conn_pending(&upstream->conn) ||
        !keep(upstream, member, now_ns))
        upstream_free(upstream);
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
