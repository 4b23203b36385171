/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Records of the model in the log: writing, replaying, moving.
 */

#include "queue/journal.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

enum { REPLAY_TELL = 4096, DEBTS_MIN = 16 };

/* The last record of a tube. */
struct journal_tube {
    struct wal_place place;
    size_t len;
    char name[TUBE_NAME_MAX];
};

struct journal_debt {
    uint64_t id;
    struct job_places places;
};

void journal_init(struct journal *journal, struct model *model, uint64_t seed)
{
    *journal = (struct journal){.model = model};
    map_init(&journal->tubes, seed, false);
}

void journal_deinit(struct journal *journal)
{
    uint32_t cursor = 0;
    struct slice name;
    struct journal_tube *tube;
    while ((tube = map_next(&journal->tubes, &cursor, &name)))
        mem_free(tube);
    map_deinit(&journal->tubes);
    text_deinit(&journal->bytes);
    mem_free(journal->debts);
}

static bool is_place(struct wal_place place)
{
    return place.segment != 0;
}

static bool is_same(struct wal_place a, struct wal_place b)
{
    return wal_place_order(a, b) == 0;
}

static void dead(struct wal *wal, struct wal_place place)
{
    if (is_place(place))
        wal_dead(wal, place);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* How a record goes into the log, and who takes it. */
struct journal_out {
    struct journal *journal;
    struct wal *wal; /* the cleaner's append; NULL: the owner's own */
    enum wal_class class;
    bool is_lazy;
};

static int append(const struct journal_out *out, const struct wal_record *record,
                  struct wal_place *ret_place, struct err *err)
{
    uint64_t lsn = 0;
    int result = out->wal
                     ? wal_append(out->wal, record, ret_place, &lsn, err)
                     : out->journal->append(out->journal->append_ctx, record, ret_place, &lsn, err);
    if (result == 0 && !record->is_lazy)
        out->journal->lsn = out->journal->last_lsn = lsn;
    return result;
}

/* Of the bytes of a record: in the head if they have room there, otherwise as the body. */
static int append_bytes(const struct journal_out *out, const struct job_record *record,
                        enum journal_type type, enum journal_type long_type,
                        struct wal_place *ret_place, struct err *err)
{
    struct journal *journal = out->journal;
    text_clear(&journal->bytes);
    job_record_write(record, &journal->bytes);
    struct slice bytes = text_slice(&journal->bytes);
    bool is_long = bytes.len > WAL_HEAD_MAX;
    const struct wal_record wal_record = {
        .type = (uint8_t)(is_long ? long_type : type),
        .class = out->class,
        .is_lazy = out->is_lazy,
        .key = record->id,
        .head = is_long ? SLICE("") : bytes,
        .body = is_long ? bytes : SLICE(""),
    };
    return append(out, &wal_record, ret_place, err);
}

/* A PUT: `record` has no body, `body` is what follows it. */
static int append_put(const struct journal_out *out, struct job_record *record, struct slice body,
                      struct wal_place *ret_place, struct err *err)
{
    struct journal *journal = out->journal;
    text_clear(&journal->bytes);
    record->body = SLICE("");
    job_record_write(record, &journal->bytes);
    bool is_long = journal->bytes.len > WAL_HEAD_MAX;
    bool is_inside =
        is_long || (body.len <= JOB_INLINE_MAX && journal->bytes.len + body.len <= WAL_HEAD_MAX);
    if (is_inside)
        text_append(&journal->bytes, body);
    struct slice bytes = text_slice(&journal->bytes);
    const struct wal_record wal_record = {
        .type = is_long ? JOURNAL_LONG_PUT : JOURNAL_PUT,
        .class = out->class,
        .key = record->id,
        .head = is_long ? SLICE("") : bytes,
        .body = is_long     ? bytes
                : is_inside ? SLICE("")
                            : body,
    };
    return append(out, &wal_record, ret_place, err);
}

static void write_put(const struct journal_out *out, const struct model_action *action)
{
    struct journal *journal = out->journal;
    struct job_record record;
    struct wal_place place;
    model_record(journal->model, action, &record);
    if (append_put(out, &record, record.body, &place, NULL) == 0)
        model_placed(journal->model, action->id, place);
    else
        journal->n_left_out++;
}

/* A LEASE knows the counters alone, so behind a STATE that counts it is a STATE, too. */
static void write_update(const struct journal_out *out, const struct model_action *action)
{
    enum { LEASE_BYTES = 22 };
    struct journal *journal = out->journal;
    const struct job *job = model_find_any(journal->model, action->id);
    if (!job || !is_place(job->places.put))
        return;
    struct job_record record;
    struct wal_place former = job->places.update, place;
    struct model_action wanted = *action;
    if (is_place(former) && former.length != LEASE_BYTES)
        wanted.kind = MODEL_LOG_STATE;
    model_record(journal->model, &wanted, &record);
    if (append_bytes(out, &record, JOURNAL_UPDATE, JOURNAL_LONG_UPDATE, &place, NULL) != 0) {
        journal->n_left_out++;
        return;
    }
    dead(journal->wal, former);
    model_updated(journal->model, action->id, place);
}

static int append_del(const struct journal_out *out, uint64_t id, struct job_places places)
{
    struct journal *journal = out->journal;
    const struct job_record record = {.kind = JOB_RECORD_DEL, .id = id};
    struct wal_place place;
    text_clear(&journal->bytes);
    job_record_write(&record, &journal->bytes);
    const struct wal_record wal_record = {
        .type = JOURNAL_DEL,
        .class = out->class,
        .key = id,
        .head = text_slice(&journal->bytes),
        .kills = places.put,
    };
    int result = append(out, &wal_record, &place, NULL);
    if (result != 0)
        return result;
    dead(journal->wal, places.put);
    dead(journal->wal, places.update);
    return 0;
}

static void write_del(const struct journal_out *out, const struct model_action *action)
{
    struct journal *journal = out->journal;
    if (!is_place(action->places.put) || append_del(out, action->id, action->places) == 0)
        return;
    if (journal->n_debts == journal->cap_debts) {
        journal->cap_debts = journal->cap_debts ? 2 * journal->cap_debts : DEBTS_MIN;
        journal->debts =
            mem_realloc(journal->debts, journal->cap_debts * sizeof(struct journal_debt));
    }
    journal->debts[journal->n_debts++] =
        (struct journal_debt){.id = action->id, .places = action->places};
}

void journal_catch_up(struct journal *journal)
{
    const struct journal_out out = {.journal = journal, .class = WAL_CHANGE};
    while (journal->n_debts > 0) {
        const struct journal_debt *debt = &journal->debts[journal->n_debts - 1];
        if (append_del(&out, debt->id, debt->places) != 0)
            return;
        journal->n_debts--;
    }
}

static struct journal_tube *tube_entry(struct journal *journal, struct slice name)
{
    struct journal_tube *entry = map_get(&journal->tubes, name);
    if (entry)
        return entry;
    entry = MEM_NEW(struct journal_tube);
    entry->len = name.len;
    memcpy(entry->name, name.ptr, name.len);
    map_put(&journal->tubes, slice_make(entry->name, entry->len), entry);
    return entry;
}

static int append_tube(const struct journal_out *out, const struct job_record *record,
                       struct err *err)
{
    struct wal_place place;
    int result = append_bytes(out, record, JOURNAL_TUBE, JOURNAL_TUBE, &place, err);
    if (result != 0)
        return result;
    struct journal_tube *entry = tube_entry(out->journal, record->tube);
    dead(out->journal->wal, entry->place);
    entry->place = place;
    return 0;
}

static int append_mark(const struct journal_out *out, uint64_t id, struct err *err)
{
    struct journal *journal = out->journal;
    const struct job_record record = {.kind = JOB_RECORD_MARK, .id = id};
    struct wal_place place;
    int result = append_bytes(out, &record, JOURNAL_MARK, JOURNAL_MARK, &place, err);
    if (result != 0)
        return result;
    dead(journal->wal, journal->mark);
    journal->mark = place;
    return 0;
}

static void write_action(struct journal *journal, const struct model_action *action)
{
    struct journal_out out = {.journal = journal, .class = WAL_CHANGE};
    struct job_record record;
    switch (action->kind) {
    case MODEL_LOG_PUT:
        out.class = WAL_NEW;
        write_put(&out, action);
        return;
    case MODEL_LOG_CALL:
        out.class = WAL_MORE;
        write_put(&out, action);
        return;
    case MODEL_LOG_LEASE:
        out.is_lazy = true;
        write_update(&out, action);
        return;
    case MODEL_LOG_STATE:
        write_update(&out, action);
        return;
    case MODEL_LOG_DEL:
        write_del(&out, action);
        return;
    case MODEL_LOG_TUBE:
        model_record(journal->model, action, &record);
        journal->n_left_out += append_tube(&out, &record, NULL) != 0;
        return;
    case MODEL_LOG_MARK:
        journal->n_left_out += append_mark(&out, action->id, NULL) != 0;
        return;
    case MODEL_RESERVED:
    case MODEL_TIMED_OUT_NOW:
    case MODEL_DEADLINE_SOON_NOW:
        return;
    }
}

uint64_t journal_write(struct journal *journal)
{
    const struct model *model = journal->model;
    journal->lsn = 0;
    for (uint32_t i = 0; i < model->n_actions; i++)
        write_action(journal, &model->actions[i]);
    return journal->lsn;
}

/* ---- replaying ------------------------------------------------------------------------------- */

static int replay_failed(const struct wal_found *found, const char *why, struct err *err)
{
    return err_set(err, "%08x.wal: the record at byte %u %s", found->place.segment,
                   found->place.offset, why);
}

/* What a start knows of a record: its head, or all of it where that is empty. */
static int load(struct journal *journal, struct wal *wal, const struct wal_found *found,
                struct job_record *ret_record, struct err *err)
{
    struct slice bytes = found->head;
    if (found->type == JOURNAL_LONG_PUT || found->type == JOURNAL_LONG_UPDATE) {
        text_clear(&journal->bytes);
        char *buf = text_reserve(&journal->bytes, found->place.length);
        if (wal_read(wal, found->place, buf, err) < 0)
            return -1;
        bytes = slice_make(buf, found->place.length);
    }
    if (job_record_read(bytes, ret_record) < 0)
        return replay_failed(found, "makes no sense; another weir's?", err);
    return 0;
}

static void replay_places(struct journal *journal, struct wal *wal, const struct wal_found *found,
                          const struct job_record *record)
{
    const struct job *job = model_find_any(journal->model, record->id);
    if (record->kind == JOB_RECORD_PUT && job) {
        dead(wal, job->places.put);
        dead(wal, job->places.update);
    } else if (record->kind == JOB_RECORD_STATE || record->kind == JOB_RECORD_LEASE) {
        dead(wal, job ? job->places.update : found->place);
    } else if (record->kind == JOB_RECORD_MARK) {
        dead(wal, journal->mark);
        journal->mark = found->place;
    } else if (record->kind == JOB_RECORD_TUBE) {
        struct journal_tube *entry = tube_entry(journal, record->tube);
        dead(wal, entry->place);
        entry->place = found->place;
    }
}

/* A deletion may be replayed behind a newer PUT of the job, which it does not mean. */
static int replay_del(struct journal *journal, struct wal *wal, const struct wal_found *found,
                      const struct job_record *record, struct err *err)
{
    const struct job *job = model_find_any(journal->model, record->id);
    if (!job || wal_place_order(job->places.put, found->kills) > 0)
        return 0;
    dead(wal, job->places.put);
    dead(wal, job->places.update);
    if (model_replay_at(journal->model, record, found->place) < 0)
        return replay_failed(found, "contradicts those before it", err);
    return 0;
}

static int replay(void *ctx, struct wal *wal, const struct wal_found *found, struct err *err)
{
    struct journal *journal = ctx;
    struct job_record record;
    if (load(journal, wal, found, &record, err) < 0)
        return -1;
    if (++journal->n_replayed % REPLAY_TELL == 0 && journal->on_replay)
        journal->on_replay(journal->on_replay_ctx);
    if (record.kind == JOB_RECORD_DEL)
        return replay_del(journal, wal, found, &record, err);
    replay_places(journal, wal, found, &record);
    if (model_replay_at(journal->model, &record, found->place) < 0)
        return replay_failed(found, "contradicts those before it", err);
    return 0;
}

/* ---- the cleaner ----------------------------------------------------------------------------- */

static bool is_live(void *ctx, const struct wal_found *found)
{
    const struct journal *journal = ctx;
    if (found->type == JOURNAL_MARK)
        return is_same(journal->mark, found->place);
    if (found->type == JOURNAL_TUBE) {
        struct job_record record;
        if (job_record_read(found->head, &record) < 0)
            return false;
        const struct journal_tube *entry = map_get(&journal->tubes, record.tube);
        return entry && is_same(entry->place, found->place);
    }
    const struct job *job = model_find_any(journal->model, found->key);
    return job &&
           (is_same(job->places.put, found->place) || is_same(job->places.update, found->place));
}

/* The PUT moves with all that is known of the job, so that its update dies. */
static int move_put(const struct journal_out *out, const struct job *job, struct slice body,
                    struct err *err)
{
    struct journal *journal = out->journal;
    const struct job_places former = job->places;
    struct job_record record;
    struct wal_place place;
    model_snapshot(journal->model, job, &record);
    struct slice own = record.body;
    if (record.body_bytes > 0 && !own.ptr) {
        if (body.len < record.body_bytes)
            return err_set(err, "the log has %zu bytes of a body of %u", body.len,
                           record.body_bytes);
        own = slice_skip(body, body.len - record.body_bytes);
    }
    int result = append_put(out, &record, own, &place, err);
    if (result != 0)
        return result;
    dead(journal->wal, former.put);
    dead(journal->wal, former.update);
    model_placed(journal->model, job->id, place);
    return 0;
}

static int move_update(const struct journal_out *out, const struct job *job, struct err *err)
{
    struct journal *journal = out->journal;
    const struct model_action action = {.kind = MODEL_LOG_STATE, .id = job->id};
    struct wal_place former = job->places.update, place;
    struct job_record record;
    model_record(journal->model, &action, &record);
    int result = append_bytes(out, &record, JOURNAL_UPDATE, JOURNAL_LONG_UPDATE, &place, err);
    if (result != 0)
        return result;
    dead(journal->wal, former);
    model_updated(journal->model, job->id, place);
    return 0;
}

/* As it is now, which may be newer than what moves. */
static int move_tube(const struct journal_out *out, const struct wal_found *found, struct err *err)
{
    struct journal *journal = out->journal;
    struct job_record record;
    if (job_record_read(found->head, &record) < 0)
        return replay_failed(found, "makes no sense", err);
    const struct tube *tube = model_tube(journal->model, record.tube);
    record.paused_until_ms = tube ? tube->paused_until_ms : 0;
    record.is_draining = tube && tube->is_draining;
    return append_tube(out, &record, err);
}

static int move(void *ctx, struct wal *wal, const struct wal_found *found, struct slice body,
                struct err *err)
{
    struct journal *journal = ctx;
    const struct journal_out out = {.journal = journal, .wal = wal, .class = WAL_MOVE};
    if (found->type == JOURNAL_MARK)
        return append_mark(&out, journal->model->id_end, err);
    if (found->type == JOURNAL_TUBE)
        return move_tube(&out, found, err);
    const struct job *job = model_find_any(journal->model, found->key);
    assert(job); /* is_live() found it */
    if (is_same(job->places.put, found->place))
        return move_put(&out, job, body, err);
    return move_update(&out, job, err);
}

struct wal_owner journal_owner(struct journal *journal)
{
    return (struct wal_owner){.ctx = journal, .replay = replay, .is_live = is_live, .move = move};
}

/* ---- reading --------------------------------------------------------------------------------- */

/* From memory. 1: it is in the log alone. */
static int body_in_memory(const struct journal *journal, const struct job *job,
                          struct slice *ret_body)
{
    const struct model *model = journal->model;
    struct slice body = job_body(&model->store, job);
    if (job->body_bytes > 0 && !body.ptr && !model_has_body(model, job->id, &body))
        return 1;
    *ret_body = body;
    return 0;
}

static bool has_place(const struct job *job)
{
    return is_place(job->places.put) && job->places.put.length >= job->body_bytes;
}

/* What a read record has behind its head. */
static struct slice body_of(const struct job *job, const char *bytes)
{
    return slice_make(bytes + job->places.put.length - job->body_bytes, job->body_bytes);
}

int journal_body(struct journal *journal, const struct job *job, struct text *buf,
                 struct slice *ret_body, struct err *err)
{
    if (body_in_memory(journal, job, ret_body) == 0)
        return 0;
    if (!has_place(job))
        return err_set(err, "the log does not have the body of job %llu",
                       (unsigned long long)job->id);
    text_clear(buf);
    char *bytes = text_reserve(buf, job->places.put.length);
    if (wal_read(journal->wal, job->places.put, bytes, err) < 0)
        return err_prefix(err, "job %llu", (unsigned long long)job->id);
    *ret_body = body_of(job, bytes);
    return 0;
}

int journal_body_now(struct journal *journal, const struct job *job, struct text *buf,
                     struct slice *ret_body)
{
    if (body_in_memory(journal, job, ret_body) == 0)
        return 0;
    text_clear(buf);
    if (!has_place(job))
        return 1;
    char *bytes = text_reserve(buf, job->places.put.length);
    if (wal_read_now(journal->wal, job->places.put, bytes) != 0)
        return 1;
    *ret_body = body_of(job, bytes);
    return 0;
}
