/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store: pools, and an index by id that shifts back what a removal leaves behind, so that there
 * are no graves in it.
 */

#include "queue/job.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

enum { INDEX_MIN = 64, AHEAD = 8 };

_Static_assert(sizeof(struct job) == 96, "the header promises what a job costs");

void job_store_init(struct job_store *store)
{
    *store = (struct job_store){.index = NULL};
    job_pool_init(&store->jobs, sizeof(struct job));
    job_pool_init(&store->extras, sizeof(struct job_extra));
    for (size_t i = 0; i < JOB_N_BODY_POOLS; i++)
        job_pool_init(&store->bodies[i], (i + 1) * JOB_BODY_STEP);
}

static void free_texts(struct job_extra *extra)
{
    mem_free(extra->key);
    mem_free(extra->error_text);
    mem_free(extra->progress_text);
    mem_free(extra->result);
    for (int i = 0; i < CALLBACK_N_ENDS; i++)
        mem_free(extra->callback_paths[i]);
}

void job_store_deinit(struct job_store *store)
{
    for (uint32_t i = 0; i < store->n_index; i++) {
        if (store->index[i] == JOB_NONE)
            continue;
        struct job_extra *extra = job_extra(store, job_at(store, store->index[i]));
        if (extra)
            free_texts(extra);
    }
    mem_free(store->index);
    job_pool_deinit(&store->jobs);
    job_pool_deinit(&store->extras);
    for (size_t i = 0; i < JOB_N_BODY_POOLS; i++)
        job_pool_deinit(&store->bodies[i]);
    *store = (struct job_store){.index = NULL};
}

/* ---- the index ------------------------------------------------------------------------------- */

static uint32_t home_of(const struct job_store *store, uint64_t id)
{
    return (uint32_t)hash_mix(id) & (store->n_index - 1);
}

/* Where the id is, or where it would be. */
static uint32_t slot_of(const struct job_store *store, uint64_t id)
{
    uint32_t slot = home_of(store, id);
    while (store->index[slot] != JOB_NONE && job_at(store, store->index[slot])->id != id)
        slot = (slot + 1) & (store->n_index - 1);
    return slot;
}

/* Where an id that no job has comes to be; the jobs that are passed are not looked at. */
static uint32_t free_slot(const struct job_store *store, uint64_t id)
{
    uint32_t slot = home_of(store, id);
    while (store->index[slot] != JOB_NONE)
        slot = (slot + 1) & (store->n_index - 1);
    return slot;
}

static void grow_index(struct job_store *store)
{
    uint32_t *former = store->index;
    uint32_t n_former = store->n_index;
    assert(n_former <= UINT32_MAX / 2);
    store->n_index = n_former ? 2 * n_former : INDEX_MIN;
    store->index = MEM_NEW_ARRAY(uint32_t, store->n_index);
    for (uint32_t i = 0; i < n_former; i++) {
        if (i + AHEAD < n_former && former[i + AHEAD] != JOB_NONE)
            __builtin_prefetch(job_at(store, former[i + AHEAD]));
        if (former[i] != JOB_NONE)
            store->index[free_slot(store, job_at(store, former[i])->id)] = former[i];
    }
    mem_free(former);
}

/* Moves what was pushed past the slot by it back, as far as its own home. */
static void clear_slot(struct job_store *store, uint32_t slot)
{
    uint32_t mask = store->n_index - 1;
    uint32_t hole = slot;
    for (uint32_t i = (hole + 1) & mask; store->index[i] != JOB_NONE; i = (i + 1) & mask) {
        uint32_t home = home_of(store, job_at(store, store->index[i])->id);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* its home lies behind the hole */
        store->index[hole] = store->index[i];
        hole = i;
    }
    store->index[hole] = JOB_NONE;
}

uint32_t job_find(const struct job_store *store, uint64_t id)
{
    return id <= store->newest_id && store->n_index ? store->index[slot_of(store, id)] : JOB_NONE;
}

/*
 * What is free has the number of the next free one where a job has its id. Whatever id that makes,
 * the index has no job under it that lies here.
 */
bool job_is_at(const struct job_store *store, uint32_t number)
{
    return number != JOB_NONE && number < store->jobs.n_used &&
           job_find(store, job_at(store, number)->id) == number;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

uint32_t job_add(struct job_store *store, uint64_t id)
{
    if (store->n_jobs >= store->n_index / 4 * 3)
        grow_index(store);
    uint32_t number = job_pool_take(&store->jobs);
    job_at(store, number)->id = id;
    store->index[free_slot(store, id)] = number;
    /* Ids ascend: in a replay of millions the slots of those that come are fetched meanwhile. */
    __builtin_prefetch(&store->index[home_of(store, id + AHEAD)], 1);
    if (id > store->newest_id)
        store->newest_id = id;
    store->n_jobs++;
    return number;
}

void job_free(struct job_store *store, uint32_t number)
{
    struct job *job = job_at(store, number);
    struct job_extra *extra = job_extra(store, job);
    job_drop_body(store, job);
    if (extra) {
        free_texts(extra);
        job_pool_give(&store->extras, job->extra);
    }
    clear_slot(store, slot_of(store, job->id));
    job_pool_give(&store->jobs, number);
    store->n_jobs--;
}

/* Which of the pools holds bodies of n bytes, 1..JOB_INLINE_MAX. */
static size_t pool_of(uint32_t n)
{
    return (n - 1) / JOB_BODY_STEP;
}

void job_set_body(struct job_store *store, struct job *job, struct slice body)
{
    assert(body.len <= UINT32_MAX && job->body == JOB_POOL_NONE);
    job->body_bytes = (uint32_t)body.len;
    if (body.len == 0 || body.len > JOB_INLINE_MAX || !body.ptr)
        return;
    struct job_pool *pool = &store->bodies[pool_of(job->body_bytes)];
    job->body = job_pool_take(pool);
    memcpy(job_pool_at(pool, job->body), body.ptr, body.len);
}

void job_drop_body(struct job_store *store, struct job *job)
{
    if (job->body != JOB_POOL_NONE)
        job_pool_give(&store->bodies[pool_of(job->body_bytes)], job->body);
    job->body = JOB_POOL_NONE;
    job->body_bytes = 0;
}

struct slice job_body(const struct job_store *store, const struct job *job)
{
    if (job->body_bytes == 0)
        return SLICE("");
    if (job->body == JOB_POOL_NONE)
        return slice_make(NULL, 0);
    const struct job_pool *pool = &store->bodies[pool_of(job->body_bytes)];
    return slice_make(job_pool_at(pool, job->body), job->body_bytes);
}

struct job_extra *job_extra_of(struct job_store *store, uint32_t number)
{
    struct job *job = job_at(store, number);
    if (job->extra)
        return job_pool_at(&store->extras, job->extra);
    job->extra = job_pool_take(&store->extras);
    struct job_extra *extra = job_pool_at(&store->extras, job->extra);
    heap_node_init(&extra->expiry);
    extra->job = number;
    return extra;
}

struct slice job_key_unique(struct slice key)
{
    return slice_starts(key, SLICE(JOB_ASYNC_KEY)) ? slice_make(key.ptr, slice_find(key, '#'))
                                                   : key;
}

bool job_waits_for_schedule(const struct job_store *store, const struct job *job)
{
    const struct job_extra *extra = job_extra(store, job);
    return extra && extra->key && job->state == JOB_DELAYED && job->n_reserves == 0 &&
           strncmp(extra->key, JOB_SCHEDULE_KEY, strlen(JOB_SCHEDULE_KEY)) == 0;
}

void job_set_text(char **text, struct slice value)
{
    mem_free(*text);
    *text = value.len > 0 ? slice_dup(value) : NULL;
}

const char *job_state_name(enum job_state state)
{
    static const char *const names[JOB_N_STATES] = {"ready", "delayed", "reserved", "buried",
                                                    "done"};
    assert(state < JOB_N_STATES);
    return names[state];
}

const char *job_error_name(enum job_error error)
{
    static const char *const names[JOB_N_ERRORS] = {"",     "temporary", "permanent",
                                                    "busy", "timeout",   "lost"};
    assert(error < JOB_N_ERRORS);
    return names[error];
}
