/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log in a loop with its thread, on the real disk: writers who wait for their
 * acknowledgements, a disk that fails, one that hangs. Runs under ThreadSanitizer, too.
 */
#include "base/mem.h"
#include "wal/wal_drive.h"
#include "wal/wal_folder.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PUT = WAL_TYPE_FIRST, DEL = WAL_TYPE_NOTE, WRITERS = 50, ROUNDS = 60, BODY = 300 };
#define LONG_NS UINT64_C(60000000000)

/* Puts a record of its own key and deletes it, in turn, each when the former is acknowledged. */
struct writer {
    struct wal_place place; /* of what is there; segment 0: nothing */
    uint64_t lsn;           /* 0: it waits for nothing */
    unsigned n_acked;
};

struct bench {
    struct loop *loop;
    struct wal_folder folder;
    struct wal_disk disk; /* the folder's with another fdatasync */
    struct wal *wal;
    struct wal_drive *drive;
    struct wal_options options;
    struct writer writers[WRITERS];
    unsigned rounds, n_done, n_troubles;
    uint64_t durable_lsn;
    /* Of the syncing thread: */
    pthread_mutex_t gate; /* a sync goes through it: who holds it lets the disk hang */
    atomic_bool is_failing;
    atomic_uint n_syncs;
};

/* ---- the disk -------------------------------------------------------------------------------- */

static int count_sync(void *ctx, int fd)
{
    struct bench *bench = ctx;
    atomic_fetch_add(&bench->n_syncs, 1);
    pthread_mutex_lock(&bench->gate);
    pthread_mutex_unlock(&bench->gate);
    if (atomic_load(&bench->is_failing))
        return -EIO;
    return bench->folder.disk->fdatasync(bench->folder.disk->ctx, fd);
}

/* The table hands one ctx to all; only the sync wants the test's. */
#define PASS(name, params, args)                                          \
    static int pass_##name params                                         \
    {                                                                     \
        const struct wal_disk *real = ((struct bench *)ctx)->folder.disk; \
        return real->name args;                                           \
    }
PASS(open, (void *ctx, const char *name, int is_new), (real->ctx, name, is_new))
PASS(fallocate, (void *ctx, int fd, uint64_t len), (real->ctx, fd, len))
PASS(rename, (void *ctx, const char *from, const char *to), (real->ctx, from, to))
PASS(unlink, (void *ctx, const char *name), (real->ctx, name))
PASS(list, (void *ctx, void (*each)(void *arg, const char *name), void *arg),
     (real->ctx, each, arg))
PASS(sync_dir, (void *ctx), (real->ctx))
PASS(lock, (void *ctx), (real->ctx))

static void pass_unlock(void *ctx)
{
    const struct wal_disk *real = ((struct bench *)ctx)->folder.disk;
    real->unlock(real->ctx);
}

/* ---- the owner ------------------------------------------------------------------------------- */

static void forget(struct wal *wal, struct wal_place *place)
{
    if (place->segment)
        wal_dead(wal, *place);
    place->segment = 0;
}

static int replay(void *ctx, struct wal *wal, const struct wal_found *found, struct err *err)
{
    struct bench *bench = ctx;
    struct wal_place *place = &bench->writers[found->key].place;
    (void)err;
    if (found->type == PUT) {
        forget(wal, place);
        *place = found->place;
    } else if (place->segment && wal_place_order(*place, found->kills) <= 0) {
        forget(wal, place);
    }
    return 0;
}

static bool is_live(void *ctx, const struct wal_found *found)
{
    const struct bench *bench = ctx;
    return wal_place_order(bench->writers[found->key].place, found->place) == 0;
}

static int move(void *ctx, struct wal *wal, const struct wal_found *found, struct slice body,
                struct err *err)
{
    struct bench *bench = ctx;
    struct wal_record record = {
        .type = PUT, .class = WAL_MOVE, .key = found->key, .head = found->head, .body = body};
    struct wal_place place;
    uint64_t lsn;
    int result = wal_append(wal, &record, &place, &lsn, err);
    if (result == 0) {
        forget(wal, &bench->writers[found->key].place);
        bench->writers[found->key].place = place;
    }
    return result;
}

static void request(struct bench *bench, unsigned i)
{
    char body[BODY];
    struct writer *writer = &bench->writers[i];
    struct wal_place place;
    bool is_put = writer->place.segment == 0;
    memset(body, (int)('a' + i % 26), sizeof(body));
    struct wal_record record = {.type = is_put ? PUT : DEL,
                                .class = is_put ? WAL_NEW : WAL_CHANGE,
                                .key = i,
                                .head = is_put ? SLICE("head") : slice_make("", 0),
                                .body = slice_make(body, is_put ? sizeof(body) : 0),
                                .kills = writer->place};
    uint64_t lsn;
    int result = wal_drive_append(bench->drive, &record, &place, &lsn, NULL);
    assert_true(result >= 0 || wal_failure(bench->wal));
    if (result != 0)
        return; /* WAL_BUSY: with the next news */
    writer->lsn = lsn;
    forget(bench->wal, &writer->place);
    if (is_put)
        writer->place = place;
}

static void on_durable(void *ctx, uint64_t lsn)
{
    struct bench *bench = ctx;
    assert_true(lsn >= bench->durable_lsn);
    bench->durable_lsn = lsn;
    for (unsigned i = 0; i < WRITERS; i++) {
        struct writer *writer = &bench->writers[i];
        if (writer->lsn > 0 && writer->lsn <= lsn) {
            writer->lsn = 0;
            bench->n_done += ++writer->n_acked == bench->rounds;
        }
        if (writer->lsn == 0 && writer->n_acked < bench->rounds)
            request(bench, i);
    }
}

static void on_trouble(void *ctx, const struct err *err)
{
    struct bench *bench = ctx;
    assert_true(err->text[0] != '\0');
    bench->n_troubles++;
}

/* ---- set up ---------------------------------------------------------------------------------- */

static void begin(struct bench *bench)
{
    static const struct wal_drive_hooks hooks = {.on_durable = on_durable,
                                                 .on_trouble = on_trouble};
    struct wal_drive_hooks mine = hooks;
    struct err err = ERR_NONE;
    mine.ctx = bench;
    bench->durable_lsn = 0;
    for (unsigned i = 0; i < WRITERS; i++)
        bench->writers[i] = (struct writer){.lsn = 0};
    if (wal_open(&bench->options, &bench->wal, &err) < 0 ||
        wal_drive_open(bench->loop, bench->wal, &mine, &bench->drive, &err) < 0)
        fail_msg("%s", err.text);
}

static void end(struct bench *bench)
{
    struct err err = ERR_NONE;
    if (wal_drive_close(&bench->drive, LONG_NS, &err) < 0)
        fail_msg("%s", err.text);
    wal_close(&bench->wal);
}

static int setup(void **state)
{
    struct bench *bench = MEM_NEW(struct bench);
    struct err err = ERR_NONE;
    wal_folder_create(&bench->folder);
    assert_int_equal(loop_create(0, &bench->loop, &err), 0);
    pthread_mutex_init(&bench->gate, NULL);
    bench->disk = *bench->folder.disk; /* what is not replaced below does not look at its ctx */
    bench->disk.ctx = bench;
    bench->disk.fdatasync = count_sync;
    bench->disk.open = pass_open;
    bench->disk.fallocate = pass_fallocate;
    bench->disk.rename = pass_rename;
    bench->disk.unlink = pass_unlink;
    bench->disk.list = pass_list;
    bench->disk.sync_dir = pass_sync_dir;
    bench->disk.lock = pass_lock;
    bench->disk.unlock = pass_unlock;
    bench->options = wal_options_default();
    bench->options.disk = &bench->disk;
    bench->options.segment_bytes = 65536;
    bench->options.salt = 42;
    bench->options.owner =
        (struct wal_owner){.ctx = bench, .replay = replay, .is_live = is_live, .move = move};
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    if (bench->drive)
        end(bench); /* the test has failed */
    loop_destroy(&bench->loop);
    wal_folder_destroy(&bench->folder);
    pthread_mutex_destroy(&bench->gate);
    mem_free(bench);
    return 0;
}

static void write_all(struct bench *bench, unsigned rounds)
{
    bench->rounds = rounds;
    bench->n_done = 0;
    for (unsigned i = 0; i < WRITERS; i++)
        request(bench, i);
    while (bench->n_done < WRITERS)
        loop_turn(bench->loop, -1);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Whatever a writer was told of is there after a restart, and segments came and went meanwhile. */
static void play(struct bench *bench, enum wal_sync sync, unsigned rounds)
{
    struct wal_facts facts;
    bench->options.sync = sync;
    begin(bench);
    bool is_there = bench->writers[0].place.segment != 0;
    unsigned n_before = atomic_load(&bench->n_syncs);
    write_all(bench, rounds);
    wal_facts(bench->wal, &facts);
    assert_int_equal(facts.is_durable, sync == WAL_SYNC_GROUP || sync == WAL_SYNC_ALWAYS);
    assert_true(facts.n_appends >= WRITERS * rounds);
    unsigned n_syncs = atomic_load(&bench->n_syncs) - n_before;
    assert_true(n_syncs < WRITERS * rounds); /* they share */
    end(bench);
    bench->rounds = 0;
    begin(bench);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(bench->writers[i].place.segment != 0, is_there ^ (rounds % 2));
    end(bench);
}

static void test_writers(void **state)
{
    struct bench *bench = *state;
    for (enum wal_sync sync = WAL_SYNC_GROUP; sync < WAL_SYNCS; sync++) {
        play(bench, sync, ROUNDS + 1);
        play(bench, sync, ROUNDS + 1);
        play(bench, sync, ROUNDS);
    }
}

/* A lazy record becomes durable by time alone, and an end that rests is marked. */
static void test_lazy(void **state)
{
    struct bench *bench = *state;
    struct wal_record record = {.type = PUT, .is_lazy = true, .head = SLICE("head")};
    struct wal_facts facts;
    uint64_t lsn;
    bench->options.idle_ns = 1000000;
    bench->options.lazy_ns = 1000000;
    begin(bench);
    assert_int_equal(wal_drive_append(bench->drive, &record, &bench->writers[0].place, &lsn, NULL),
                     0);
    assert_true(bench->durable_lsn < lsn);
    while (bench->durable_lsn <= lsn) /* the mark comes behind it */
        loop_turn(bench->loop, -1);
    wal_facts(bench->wal, &facts);
    assert_int_equal(facts.durable_lsn, facts.appended_lsn);
    end(bench);
}

/* What is pending is written, and said, before the thread ends. */
static void test_close_says(void **state)
{
    struct bench *bench = *state;
    begin(bench);
    for (unsigned i = 0; i < WRITERS; i++)
        request(bench, i);
    bench->rounds = 1;
    bench->n_done = 0;
    end(bench);
    assert_int_equal(bench->n_done, WRITERS);
    bench->rounds = 0;
    begin(bench);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_true(bench->writers[i].place.segment != 0);
    end(bench);
}

static void test_trouble(void **state)
{
    struct bench *bench = *state;
    begin(bench);
    write_all(bench, 3);
    uint64_t durable_lsn = bench->durable_lsn;
    atomic_store(&bench->is_failing, true);
    bench->rounds = 4;
    for (unsigned i = 0; i < WRITERS; i++)
        request(bench, i);
    while (bench->n_troubles == 0)
        loop_turn(bench->loop, -1);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(bench->writers[i].n_acked, 3);
    assert_int_equal(bench->durable_lsn, durable_lsn);
    struct wal_record record = {.type = PUT, .key = 1};
    struct wal_place place;
    uint64_t lsn;
    struct err err = ERR_NONE;
    assert_int_equal(wal_drive_append(bench->drive, &record, &place, &lsn, &err), -1);
    assert_true(err.text[0] != '\0');
    end(bench);
    assert_int_equal(bench->n_troubles, 1);
}

/* The disk does not answer: the loop goes on, and the end is not waited for longer than told. */
static void test_hang(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_NONE;
    begin(bench);
    pthread_mutex_lock(&bench->gate);
    bench->rounds = 1;
    for (unsigned i = 0; i < WRITERS; i++)
        request(bench, i);
    for (int i = 0; i < 3; i++)
        loop_turn(bench->loop, 10);
    assert_int_equal(wal_drive_close(&bench->drive, 20000000, &err), -1);
    assert_non_null(bench->drive);
    assert_int_equal(bench->n_done, 0);
    pthread_mutex_unlock(&bench->gate);
    end(bench);
    assert_int_equal(bench->n_done, WRITERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lazy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trouble, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hang, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
