/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The jobs of a simulated owner, and what it expects of the log.
 */

#include "owner.h"
#include "base/hash.h"
#include "wal/wal_record.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void owner_fail(struct owner *owner, const char *format, ...)
{
    va_list args;
    if (owner->failure[0])
        return; /* the first is what counts */
    va_start(args, format);
    (void)vsnprintf(owner->failure, sizeof(owner->failure), format, args);
    va_end(args);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static struct owner_job *find(struct owner_jobs *jobs, uint64_t key)
{
    for (unsigned i = 0; i < jobs->n; i++) {
        if (jobs->jobs[i].key == key)
            return &jobs->jobs[i];
    }
    return NULL;
}

static struct owner_job *add(struct owner_jobs *jobs, uint64_t key, uint32_t version)
{
    if (jobs->n == OWNER_JOBS_MAX)
        return NULL;
    struct owner_job *job = &jobs->jobs[jobs->n++];
    *job = (struct owner_job){.key = key, .version = version};
    return job;
}

static void drop(struct owner_jobs *jobs, struct owner_job *job)
{
    *job = jobs->jobs[--jobs->n];
}

static void apply(struct owner_jobs *jobs, const struct owner_request *request)
{
    struct owner_job *job = find(jobs, request->key);
    if (request->version == 0 && job)
        drop(jobs, job);
    else if (job)
        job->version = request->version;
    else if (request->version == 1)
        (void)add(jobs, request->key, 1);
}

bool owner_is_same(const struct owner_jobs *a, const struct owner_jobs *b)
{
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++) {
        const struct owner_job *x = &a->jobs[i], *y = NULL;
        for (unsigned k = 0; k < b->n && !y; k++)
            y = b->jobs[k].key == x->key ? &b->jobs[k] : NULL;
        if (!y || y->version != x->version)
            return false;
    }
    return true;
}

/* What a key's body is: it differs from every other's. */
static size_t body_of(uint64_t key, char *body)
{
    uint64_t mixed = hash_mix(key);
    size_t len = mixed % 5 == 0 ? mixed % OWNER_BODY_MAX : mixed % 120;
    for (size_t i = 0; i < len; i++)
        body[i] = (char)hash_mix(mixed + i / 8);
    return len;
}

/* ---- what the log asks ----------------------------------------------------------------------- */

static void dead(struct owner *owner, struct wal *wal, struct wal_place *place)
{
    (void)owner;
    if (place->segment)
        wal_dead(wal, *place);
    place->segment = 0;
}

static uint32_t version_of(struct slice head)
{
    return head.len == 4 ? wal_get32(head.ptr) : 0;
}

static void replay_put(struct owner *owner, struct wal *wal, const struct wal_found *found)
{
    struct owner_job *job = find(&owner->now, found->key);
    if (job) {
        dead(owner, wal, &job->put);
        dead(owner, wal, &job->state);
    } else {
        job = add(&owner->now, found->key, 0);
    }
    if (!job) {
        owner_fail(owner, "more jobs than there ever were");
        return;
    }
    job->put = found->place;
    job->version = version_of(found->head);
}

static void replay_state(struct owner *owner, struct wal *wal, const struct wal_found *found)
{
    struct owner_job *job = find(&owner->now, found->key);
    struct wal_place place = found->place;
    if (!job) {
        dead(owner, wal, &place);
        return;
    }
    dead(owner, wal, &job->state);
    job->state = place;
    job->version = version_of(found->head);
}

static int replay(void *ctx, struct wal *wal, const struct wal_found *found, struct err *err)
{
    struct owner *owner = ctx;
    struct owner_job *job = find(&owner->now, found->key);
    if (found->type == OWNER_PUT)
        replay_put(owner, wal, found);
    else if (found->type == OWNER_STATE)
        replay_state(owner, wal, found);
    else if (found->type != OWNER_DELETE)
        return err_set(err, "a record of type %u, which nobody wrote", found->type);
    else if (job && wal_place_order(job->put, found->kills) <= 0) {
        dead(owner, wal, &job->put);
        dead(owner, wal, &job->state);
        drop(&owner->now, job);
    }
    return 0;
}

static bool is_live(void *ctx, const struct wal_found *found)
{
    struct owner *owner = ctx;
    const struct owner_job *job = find(&owner->now, found->key);
    if (!job)
        return false;
    return wal_place_order(found->type == OWNER_PUT ? job->put : job->state, found->place) == 0;
}

/* A PUT takes the present version with it, and the state is not needed any more. */
static int move(void *ctx, struct wal *wal, const struct wal_found *found, struct slice body,
                struct err *err)
{
    struct owner *owner = ctx;
    struct owner_job *job = find(&owner->now, found->key);
    char head[4], wanted[OWNER_BODY_MAX];
    assert(job); /* is_live() found it */
    wal_put32(head, job->version);
    struct wal_record record = {.type = found->type,
                                .class = WAL_MOVE,
                                .key = found->key,
                                .head = slice_make(head, 4),
                                .body = body};
    struct wal_place place;
    uint64_t lsn;
    if (found->type == OWNER_PUT &&
        !slice_equal(body, slice_make(wanted, body_of(found->key, wanted))))
        owner_fail(owner, "the cleaner brings another body for key %llu",
                   (unsigned long long)found->key);
    int result = wal_append(wal, &record, &place, &lsn, err);
    if (result != 0)
        return result;
    if (found->type == OWNER_PUT) {
        dead(owner, wal, &job->put);
        job->put = place;
    }
    dead(owner, wal, &job->state);
    if (found->type == OWNER_STATE)
        job->state = place;
    return 0;
}

struct wal_owner owner_table(struct owner *owner)
{
    return (struct wal_owner){.ctx = owner, .replay = replay, .is_live = is_live, .move = move};
}

/* ---- requests -------------------------------------------------------------------------------- */

static int request(struct owner *owner, const struct wal_record *record, uint32_t version,
                   struct wal_place *ret_place)
{
    uint64_t lsn;
    if (owner->n_requests == OWNER_REQUESTS_MAX)
        return WAL_BUSY;
    int result = wal_append(owner->wal, record, ret_place, &lsn, NULL);
    if (result == 0)
        owner->requests[owner->n_requests++] =
            (struct owner_request){.key = record->key, .lsn = lsn, .version = version};
    return result;
}

/* A job of a new key, which may be an heir. */
static int add_new(struct owner *owner, enum wal_class class)
{
    char head[4], body[OWNER_BODY_MAX];
    uint64_t key;
    struct wal_place place;
    if (owner->now.n == OWNER_JOBS_MAX)
        return WAL_FULL;
    int result = wal_id(owner->wal, &key, NULL);
    if (result != 0)
        return result;
    if (key <= owner->highest_key)
        owner_fail(owner, "id %llu is given out again", (unsigned long long)key);
    wal_put32(head, 1);
    struct wal_record record = {.type = OWNER_PUT,
                                .class = class,
                                .key = key,
                                .head = slice_make(head, 4),
                                .body = slice_make(body, body_of(key, body))};
    result = request(owner, &record, 1, &place);
    if (result == 0) {
        struct owner_job *job = add(&owner->now, key, 1);
        assert(job);
        job->put = place;
        job->is_heir = class == WAL_MORE;
        owner->highest_key = key;
    }
    return result;
}

int owner_put(struct owner *owner, struct rng *rng)
{
    (void)rng;
    return add_new(owner, WAL_NEW);
}

int owner_change(struct owner *owner, struct owner_job *job, bool is_lazy)
{
    char head[4];
    struct wal_place place;
    wal_put32(head, job->version + 1);
    struct wal_record record = {.type = OWNER_STATE,
                                .class = WAL_CHANGE,
                                .is_lazy = is_lazy,
                                .key = job->key,
                                .head = slice_make(head, 4)};
    int result = request(owner, &record, job->version + 1, &place);
    if (result == 0) {
        dead(owner, owner->wal, &job->state);
        job->state = place;
        job->version++;
    }
    return result;
}

int owner_delete(struct owner *owner, struct owner_job *job)
{
    struct wal_place place;
    struct wal_record record = {
        .type = OWNER_DELETE, .class = WAL_CHANGE, .key = job->key, .kills = job->put};
    int result = request(owner, &record, 0, &place);
    if (result == 0) {
        dead(owner, owner->wal, &job->put);
        dead(owner, owner->wal, &job->state);
        drop(&owner->now, job);
    }
    return result;
}

int owner_end(struct owner *owner, struct owner_job *job)
{
    enum { BOTH_BYTES = OWNER_BODY_MAX + 256 };
    uint64_t key = job->key;
    int result = wal_may_append(owner->wal, WAL_MORE, BOTH_BYTES);
    if (result == 0)
        result = add_new(owner, WAL_MORE);
    if (result != 0)
        return result;
    job = find(&owner->now, key);
    assert(job);
    result = owner_delete(owner, job);
    if (result != 0)
        owner_fail(owner, "there was room for two records, and only one is taken");
    return result;
}

void owner_collect(struct owner *owner)
{
    uint64_t durable = wal_collect(owner->wal);
    if (!owner->is_deaf && durable > owner->acked_lsn)
        owner->acked_lsn = durable;
}

/* ---- after a restart ------------------------------------------------------------------------- */

void owner_forget(struct owner *owner)
{
    owner->now.n = 0;
}

static unsigned n_acked(const struct owner *owner)
{
    unsigned n = 0;
    while (n < owner->n_requests && owner->requests[n].lsn <= owner->acked_lsn)
        n++;
    return n;
}

static void describe(struct owner *owner, const struct owner_jobs *wanted, unsigned n)
{
    for (unsigned i = 0; i < wanted->n; i++) {
        const struct owner_job *job = find(&owner->now, wanted->jobs[i].key);
        if (!job || job->version != wanted->jobs[i].version)
            owner_fail(owner, "of %u requests %u were durable, and key %llu has version %u, not %u",
                       owner->n_requests, n, (unsigned long long)wanted->jobs[i].key,
                       job ? job->version : 0, wanted->jobs[i].version);
    }
    owner_fail(owner, "of %u requests %u were durable, and there are %u jobs, not %u",
               owner->n_requests, n, owner->now.n, wanted->n);
}

void owner_check(struct owner *owner)
{
    struct owner_jobs wanted = owner->base, acked;
    unsigned n = n_acked(owner), i = 0;
    for (; i < n; i++)
        apply(&wanted, &owner->requests[i]);
    acked = wanted;
    while (!owner_is_same(&wanted, &owner->now) && i < owner->n_requests)
        apply(&wanted, &owner->requests[i++]);
    owner->highest_key = owner->base_key; /* what nobody was told of may be given out again */
    for (unsigned k = 0; k < i; k++) {
        if (owner->requests[k].key > owner->highest_key)
            owner->highest_key = owner->requests[k].key;
    }
    owner->base_key = owner->highest_key;
    if (!owner_is_same(&wanted, &owner->now))
        describe(owner, &acked, n);
    struct err err = ERR_NONE;
    if (owner_read_all(owner, &err) != 0)
        owner_fail(owner, "a body cannot be read: %s", err.text);
    owner->base = owner->now;
    owner->n_requests = 0;
    owner->acked_lsn = 0;
}

int owner_read_all(struct owner *owner, struct err *err)
{
    int result = 0;
    for (unsigned i = 0; i < owner->now.n; i++) {
        const struct owner_job *job = &owner->now.jobs[i];
        char payload[OWNER_BODY_MAX + 4], wanted[OWNER_BODY_MAX];
        size_t len = body_of(job->key, wanted);
        if (job->put.length != len + 4)
            owner_fail(owner, "key %llu has a body of %u bytes, not %zu",
                       (unsigned long long)job->key, job->put.length - 4U, len);
        else if (wal_read(owner->wal, job->put, payload, err) < 0)
            result = 1;
        else if (memcmp(payload + 4, wanted, len) != 0)
            owner_fail(owner, "key %llu has another body", (unsigned long long)job->key);
    }
    return result;
}
