/* SPDX-License-Identifier: Apache-2.0 */

/*
 * As what the log is asked for each record: the end of a job with a callback is let in where no new
 * job is, and leaves room for the ends of those that have none (wal/wal.h, enum wal_class; what
 * becomes of a log without that is played by tests/sim/wal). And whoever ends a job asks for it,
 * for at least as much as is written then.
 */

#include "queue/engine.h"
#include "wal/wal_folder.h"
#include "wal/wal_record.h"

enum {
    N_RECORDS = 8,
    KILLS_BYTES = 8, /* what the log writes in front of the head of a note */
};

static char queue_name[] = "hooks", path[] = "/hooks", host[] = "app";
static const struct callback_rule hooks = {
    .queue = queue_name, .path = path, .host = host, .body_max = 100};

struct desk {
    struct engine engine; /* its model, journal and log alone */
    struct wal_folder folder;
    struct model_conn *worker;
    struct model_now now;
    struct wal_record records[N_RECORDS]; /* of the last call; no bytes */
    size_t n_records, n_bytes;
};

static int append(void *ctx, const struct wal_record *record, struct wal_place *ret_place,
                  uint64_t *ret_lsn, struct err *err)
{
    struct desk *desk = ctx;
    size_t n_head = record->head.len + (record->type >= WAL_TYPE_NOTE ? KILLS_BYTES : 0);
    assert_true(desk->n_records < N_RECORDS);
    desk->records[desk->n_records++] = *record;
    desk->n_bytes += wal_record_cost((uint32_t)(n_head + record->body.len), (uint32_t)n_head);
    return wal_append(desk->engine.wal, record, ret_place, ret_lsn, err);
}

static void settle(struct desk *desk)
{
    desk->n_records = desk->n_bytes = 0;
    (void)journal_write(&desk->engine.journal);
    model_forget_body(desk->engine.model);
}

static void open_log(struct desk *desk)
{
    struct wal_options options = wal_options_default();
    wal_folder_create(&desk->folder);
    options.disk = desk->folder.disk;
    options.owner = journal_owner(&desk->engine.journal);
    options.segment_bytes = 65536;
    assert_int_equal(wal_open(&options, &desk->engine.wal, NULL), 0);
    desk->engine.journal.wal = desk->engine.wal;
}

static void desk_init(struct desk *desk, const struct callback_rule *done,
                      const struct callback_rule *dead)
{
    const struct model_limits limits = {
        .jobs_max = 100, .bytes_max = 100000, .tubes_max = 4, .watches_max = 4};
    struct tube_policy policy;
    *desk = (struct desk){.now = {.wall_ms = 1700000000000, .mono_ms = 1000}};
    struct model *model = desk->engine.model = model_create(&limits, 1);
    journal_init(&desk->engine.journal, model, 1);
    desk->engine.journal.append = append;
    desk->engine.journal.append_ctx = desk;
    open_log(desk);
    tube_policy_init(&policy);
    policy.callbacks[CALLBACK_DONE] = done;
    policy.callbacks[CALLBACK_DEAD] = dead;
    assert_int_equal(model_configure(model, SLICE("reports"), &policy, desk->now), MODEL_OK);
    desk->worker = model_conn_open(model, NULL);
    assert_int_equal(model_use(model, desk->worker, SLICE("reports")), MODEL_OK);
    assert_int_equal(model_watch(model, desk->worker, SLICE("reports")), MODEL_OK);
    settle(desk);
}

static void desk_deinit(struct desk *desk)
{
    model_conn_close(desk->engine.model, &desk->worker, desk->now);
    wal_close(&desk->engine.wal);
    wal_folder_destroy(&desk->folder);
    journal_deinit(&desk->engine.journal);
    model_destroy(&desk->engine.model);
}

/* A job that the worker has. */
static uint64_t take(struct desk *desk)
{
    const struct model_put put = {.ttr_s = 10, .body = SLICE("x")};
    uint64_t id = 0;
    assert_int_equal(model_put(desk->engine.model, desk->worker, &put, desk->now, &id), MODEL_OK);
    settle(desk);
    const struct wal_record *last = &desk->records[desk->n_records - 1]; /* perhaps behind a mark */
    assert_int_equal(last->type, JOURNAL_PUT);
    assert_int_equal(last->class, WAL_NEW);
    assert_int_equal(model_reserve(desk->engine.model, desk->worker, 0, desk->now, &id), MODEL_OK);
    settle(desk);
    return id;
}

static void assert_classes(const struct desk *desk, enum wal_class first, enum wal_class second)
{
    assert_int_equal(desk->n_records, 2);
    assert_int_equal(desk->records[0].type, JOURNAL_PUT);
    assert_int_equal(desk->records[0].class, first);
    assert_int_equal(desk->records[1].class, second);
}

static void test_the_end_of_a_job_with_callbacks(void **state)
{
    (void)state;
    struct desk desk;
    desk_init(&desk, &hooks, &hooks);
    for (int is_dead = 0; is_dead < 2; is_dead++) {
        uint64_t id = take(&desk);
        const struct engine_room room = engine_end_room(&desk.engine, id, 6);
        assert_int_equal(room.class, WAL_MORE);
        enum model_result result =
            is_dead ? model_bury(desk.engine.model, desk.worker, id, 0, desk.now)
                    : model_finish(desk.engine.model, desk.worker, id, SLICE("result"), desk.now);
        assert_int_equal(result, MODEL_OK);
        settle(&desk);
        assert_classes(&desk, WAL_MORE, WAL_CHANGE);
        assert_true(desk.n_bytes <= room.n_bytes);
    }
    desk_deinit(&desk);
}

static void test_the_end_of_a_job_without(void **state)
{
    (void)state;
    struct desk desk;
    desk_init(&desk, NULL, NULL);
    uint64_t id = take(&desk);
    const struct engine_room room = engine_end_room(&desk.engine, id, 6);
    assert_int_equal(room.class, WAL_CHANGE);
    assert_int_equal(model_finish(desk.engine.model, desk.worker, id, SLICE("result"), desk.now),
                     MODEL_OK);
    settle(&desk);
    assert_int_equal(desk.n_records, 1);
    assert_int_equal(desk.records[0].type, JOURNAL_DEL);
    assert_int_equal(desk.records[0].class, WAL_CHANGE);
    assert_true(desk.n_bytes <= room.n_bytes);
    desk_deinit(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_end_of_a_job_with_callbacks),
        cmocka_unit_test(test_the_end_of_a_job_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
