/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What loops share: references by name, slots that are passed on, connections that lie between two
 * loops.
 */

#include "upstream/commons.h"

#include "base/map.h"
#include "base/mem.h"
#include <assert.h>

/* How another thread reaches a loop. */
struct wake {
    struct loop_task task;
    struct loop *_Atomic loop; /* NULL: has not joined */
    atomic_bool is_posted;
    void (*on_wake)(void *ctx); /* the loop's own thread alone */
    void *ctx;
};

struct commons {
    pthread_mutex_t lock;
    struct map pools, members; /* by name */
    uint32_t n_loops;
    struct wake *wakes; /* [loop] */
};

/* ---- the commons ---- */

struct commons *commons_create(uint32_t n_loops)
{
    struct commons *commons = MEM_NEW(struct commons);
    assert(n_loops >= 1 && n_loops <= BOARD_LOOPS_MAX);
    pthread_mutex_init(&commons->lock, NULL);
    map_init(&commons->pools, 0, false);
    map_init(&commons->members, 0, false);
    commons->n_loops = n_loops;
    commons->wakes = MEM_NEW_ARRAY(struct wake, n_loops);
    return commons;
}

void commons_destroy(struct commons **commons_ptr)
{
    struct commons *commons = *commons_ptr;
    *commons_ptr = NULL;
    if (!commons)
        return;
    assert(commons->pools.n_live == 0 && commons->members.n_live == 0);
    map_deinit(&commons->pools);
    map_deinit(&commons->members);
    pthread_mutex_destroy(&commons->lock);
    mem_free(commons->wakes);
    mem_free(commons);
}

uint32_t commons_n_loops(const struct commons *commons)
{
    return commons->n_loops;
}

/* ---- waking ---- */

void commons_join(struct commons *commons, uint32_t loop_index, struct loop *loop,
                  void (*on_wake)(void *ctx), void *ctx)
{
    assert(loop_index < commons->n_loops);
    struct wake *wake = &commons->wakes[loop_index];
    wake->on_wake = on_wake;
    wake->ctx = ctx;
    atomic_store(&wake->loop, loop);
}

void commons_leave(struct commons *commons, uint32_t loop_index)
{
    struct wake *wake = &commons->wakes[loop_index];
    atomic_store(&wake->loop, NULL);
    wake->on_wake = NULL;
}

static void wake_on_task(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    struct wake *wake = CONTAINER_OF(task, struct wake, task);
    atomic_store(&wake->is_posted, false);
    if (wake->on_wake)
        wake->on_wake(wake->ctx);
}

static void commons_wake(struct commons *commons, uint32_t loop_index)
{
    struct wake *wake = &commons->wakes[loop_index];
    struct loop *loop = atomic_load(&wake->loop);
    if (loop && !atomic_exchange(&wake->is_posted, true))
        loop_post(loop, &wake->task, wake_on_task);
}

/* ---- references ---- */

static struct common_pool *pool_ref(struct commons *commons, const char *name)
{
    struct common_pool *pool = map_get(&commons->pools, slice_from(name));
    if (!pool) {
        pool = MEM_NEW(struct common_pool);
        pool->commons = commons;
        pool->name = slice_dup(slice_from(name));
        map_put(&commons->pools, slice_from(pool->name), pool);
    }
    pool->n_refs++;
    return pool;
}

static void pool_unref(struct common_pool *pool)
{
    assert(pool->n_refs > 0);
    if (--pool->n_refs > 0)
        return;
    map_remove(&pool->commons->pools, slice_from(pool->name));
    mem_free(pool->name);
    mem_free(pool);
}

struct common_pool *common_pool_ref(struct commons *commons, const char *name)
{
    pthread_mutex_lock(&commons->lock);
    struct common_pool *pool = pool_ref(commons, name);
    pthread_mutex_unlock(&commons->lock);
    return pool;
}

void common_pool_unref(struct common_pool **pool_ptr)
{
    struct commons *commons = (*pool_ptr)->commons;
    pthread_mutex_lock(&commons->lock);
    pool_unref(*pool_ptr);
    pthread_mutex_unlock(&commons->lock);
    *pool_ptr = NULL;
}

static struct common_member *member_create(struct commons *commons, const char *pool,
                                           const char *label)
{
    struct common_member *member = MEM_NEW(struct common_member);
    member->pool = pool_ref(commons, pool);
    member->label = slice_dup(slice_from(label));
    member->grants = MEM_NEW_ARRAY(_Atomic uint32_t, commons->n_loops);
    pthread_mutex_init(&member->lock, NULL);
    list_init(&member->idle);
    map_put(&commons->members, slice_from(member->label), member);
    return member;
}

struct common_member *common_member_ref(struct commons *commons, const char *pool,
                                        const char *label)
{
    pthread_mutex_lock(&commons->lock);
    struct common_member *member = map_get(&commons->members, slice_from(label));
    if (!member)
        member = member_create(commons, pool, label);
    member->n_refs++;
    pthread_mutex_unlock(&commons->lock);
    return member;
}

void common_member_unref(struct common_member **member_ptr, struct list *ret_idle)
{
    struct common_member *member = *member_ptr;
    struct commons *commons = member->pool->commons;
    *member_ptr = NULL;
    pthread_mutex_lock(&commons->lock);
    assert(member->n_refs > 0);
    bool is_last = --member->n_refs == 0;
    if (is_last) {
        map_remove(&commons->members, slice_from(member->label));
        pool_unref(member->pool);
    }
    pthread_mutex_unlock(&commons->lock);
    if (!is_last)
        return;
    list_move_all(ret_idle, &member->idle);
    pthread_mutex_destroy(&member->lock);
    mem_free(member->grants);
    mem_free(member->label);
    mem_free(member);
}

/* ---- slots ---- */

bool common_has_slot(struct common_member *member, uint32_t loop_index, uint32_t max)
{
    return atomic_load(&member->grants[loop_index]) > 0 || atomic_load(&member->n_used) < max;
}

static bool slot_take(struct common_member *member, uint32_t max)
{
    uint32_t n = atomic_load(&member->n_used);
    while (n < max)
        if (atomic_compare_exchange_weak(&member->n_used, &n, n + 1))
            return true;
    return false;
}

bool common_acquire(struct common_member *member, uint32_t loop_index, uint32_t max)
{
    if (atomic_load(&member->grants[loop_index]) > 0) { /* this loop alone takes them away */
        atomic_fetch_sub(&member->grants[loop_index], 1);
        return true;
    }
    return slot_take(member, max);
}

void common_occupy(struct common_member *member)
{
    atomic_fetch_add(&member->n_used, 1);
}

/* A loop that waits, the highest class first, each in its turn; or -1. */
static int pool_next_waiting(struct common_pool *pool)
{
    for (int class = 0; class < COMMON_CLASSES; class ++) {
        uint64_t mask = atomic_load(&pool->waiting[class]);
        if (mask == 0)
            continue;
        uint64_t behind = mask & (UINT64_MAX << (atomic_load(&pool->turn) % 64));
        int loop_index = __builtin_ctzll(behind ? behind : mask);
        atomic_store(&pool->turn, (uint32_t)loop_index + 1);
        return loop_index;
    }
    return -1;
}

static bool pool_has_waiting(struct common_pool *pool)
{
    uint64_t mask = 0;
    for (int class = 0; class < COMMON_CLASSES; class ++)
        mask |= atomic_load(&pool->waiting[class]);
    return mask != 0;
}

/* The slot stays used; it is the waiting loop's. */
static bool slot_pass_on(struct common_member *member)
{
    int loop_index = pool_next_waiting(member->pool);
    if (loop_index < 0)
        return false;
    atomic_fetch_add(&member->grants[loop_index], 1);
    commons_wake(member->pool->commons, (uint32_t)loop_index);
    return true;
}

void common_release(struct common_member *member, uint32_t max)
{
    assert(atomic_load(&member->n_used) > 0);
    /* More than there should be, after a reload: those that are over go back unused. */
    bool is_over = atomic_load(&member->n_used) > max;
    if (!is_over && slot_pass_on(member))
        return;
    do {
        atomic_fetch_sub(&member->n_used, 1);
        /* Somebody may have begun to wait in between, and not seen the slot. */
        if (!pool_has_waiting(member->pool) || !slot_take(member, max))
            return;
    } while (!slot_pass_on(member));
}

void common_give_back(struct common_member *member, uint32_t loop_index)
{
    uint32_t n = atomic_exchange(&member->grants[loop_index], 0);
    if (n == 0)
        return;
    atomic_fetch_sub(&member->n_used, n);
    uint64_t mask = 0;
    for (int class = 0; class < COMMON_CLASSES; class ++)
        mask |= atomic_load(&member->pool->waiting[class]);
    for (mask &= ~(UINT64_C(1) << loop_index); mask; mask &= mask - 1)
        commons_wake(member->pool->commons, (uint32_t)__builtin_ctzll(mask));
}

void common_set_waiting(struct common_pool *pool, uint32_t loop_index, int class, bool is_waiting)
{
    uint64_t bit = UINT64_C(1) << loop_index;
    if (is_waiting)
        atomic_fetch_or(&pool->waiting[class], bit);
    else
        atomic_fetch_and(&pool->waiting[class], ~bit);
}

/* ---- idle connections ---- */

bool common_put(struct common_member *member, struct list *link, uint32_t max)
{
    pthread_mutex_lock(&member->lock);
    bool has_room = atomic_load_explicit(&member->n_idle, memory_order_relaxed) < max;
    if (has_room) {
        list_add_front(&member->idle, link);
        atomic_fetch_add_explicit(&member->n_idle, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&member->lock);
    return has_room;
}

struct list *common_take(struct common_member *member, bool (*is_it)(void *ctx, struct list *link),
                         void *ctx)
{
    struct list *found = NULL;
    pthread_mutex_lock(&member->lock);
    LIST_EACH (node, &member->idle) {
        if (!is_it(ctx, node))
            continue;
        list_remove(node);
        atomic_fetch_sub_explicit(&member->n_idle, 1, memory_order_relaxed);
        found = node;
        break;
    }
    pthread_mutex_unlock(&member->lock);
    return found;
}
