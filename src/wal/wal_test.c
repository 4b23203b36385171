/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log on the real disk, driven from one thread: what comes back after a restart, what the
 * cleaner keeps, what a full disk refuses.
 */
#include "base/mem.h"
#include "wal/internal.h"
#include "wal/wal_folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PUT = WAL_TYPE_FIRST, DEL = WAL_TYPE_NOTE, KEYS = 4096 };

/* The owner: a value a key, made of the key alone. */
struct shelf {
    struct wal_place places[KEYS];
    unsigned n_replayed, n_moved, n_held;
    struct wal_folder folder;
    struct wal *wal;
    struct wal_options options;
};

static size_t value_of(uint64_t key, char *buf)
{
    size_t len = (size_t)(key * 37 % 300);
    memset(buf, (int)('a' + key % 26), len);
    return len;
}

static void forget(struct shelf *shelf, struct wal *wal, uint64_t key)
{
    wal_dead(wal, shelf->places[key]);
    shelf->places[key].segment = 0;
    shelf->n_held--;
}

static int shelf_replay(void *ctx, struct wal *wal, const struct wal_found *found, struct err *err)
{
    struct shelf *shelf = ctx;
    (void)err;
    assert_true(found->key < KEYS);
    shelf->n_replayed++;
    struct wal_place *place = &shelf->places[found->key];
    if (found->type == DEL) {
        if (place->segment && wal_place_order(*place, found->kills) <= 0)
            forget(shelf, wal, found->key);
        return 0;
    }
    assert_true(slice_is(found->head, "head"));
    if (place->segment)
        forget(shelf, wal, found->key);
    *place = found->place;
    shelf->n_held++;
    return 0;
}

static bool shelf_is_live(void *ctx, const struct wal_found *found)
{
    const struct shelf *shelf = ctx;
    struct wal_place place = shelf->places[found->key];
    return place.segment && wal_place_order(place, found->place) == 0;
}

static int put_as(struct shelf *shelf, uint64_t key, enum wal_class class, struct slice body)
{
    struct wal_record record = {
        .type = PUT, .class = class, .key = key, .head = SLICE("head"), .body = body};
    struct wal_place place;
    uint64_t lsn;
    struct err err = ERR_NONE;
    int result = wal_append(shelf->wal, &record, &place, &lsn, &err);
    if (result == 0) {
        if (shelf->places[key].segment)
            forget(shelf, shelf->wal, key);
        shelf->places[key] = place;
        shelf->n_held++;
    }
    return result;
}

static int shelf_move(void *ctx, struct wal *wal, const struct wal_found *found, struct slice body,
                      struct err *err)
{
    struct shelf *shelf = ctx;
    (void)err;
    assert_ptr_equal(wal, shelf->wal);
    shelf->n_moved++;
    return put_as(shelf, found->key, WAL_MOVE, body);
}

static int put_value(struct shelf *shelf, uint64_t key, enum wal_class class)
{
    char value[300];
    size_t len = value_of(key, value);
    return put_as(shelf, key, class, slice_make(value, len));
}

static int put(struct shelf *shelf, uint64_t key)
{
    return put_value(shelf, key, WAL_NEW);
}

/* Puts from `n` on until the class has no room; the next key. */
static uint64_t fill(struct shelf *shelf, uint64_t n, enum wal_class class)
{
    int result;
    while ((result = put_value(shelf, n, class)) != WAL_FULL) {
        assert_true(result >= 0);
        if (result == WAL_BUSY)
            wal_run(shelf->wal);
        else
            n++;
        assert_true(n < KEYS);
    }
    return n;
}

static int del(struct shelf *shelf, uint64_t key)
{
    struct wal_record record = {
        .type = DEL, .class = WAL_CHANGE, .key = key, .kills = shelf->places[key]};
    struct wal_place place;
    uint64_t lsn;
    int result = wal_append(shelf->wal, &record, &place, &lsn, NULL);
    if (result == 0)
        forget(shelf, shelf->wal, key);
    return result;
}

static void run(struct shelf *shelf)
{
    wal_run(shelf->wal);
    assert_null(wal_failure(shelf->wal));
}

static void begin(struct shelf *shelf)
{
    struct err err = ERR_NONE;
    shelf->n_replayed = shelf->n_held = 0;
    memset(shelf->places, 0, sizeof(shelf->places));
    if (wal_open(&shelf->options, &shelf->wal, &err) < 0)
        fail_msg("%s", err.text);
}

static void restart(struct shelf *shelf)
{
    wal_close(&shelf->wal);
    begin(shelf);
}

static int setup_new(void **state)
{
    struct shelf *shelf = MEM_NEW(struct shelf);
    wal_folder_create(&shelf->folder);
    shelf->options = wal_options_default();
    shelf->options.disk = shelf->folder.disk;
    shelf->options.segment_bytes = 16384;
    shelf->options.open_max = 2;
    shelf->options.salt = 42;
    shelf->options.owner = (struct wal_owner){
        .ctx = shelf, .replay = shelf_replay, .is_live = shelf_is_live, .move = shelf_move};
    begin(shelf);
    *state = shelf;
    return 0;
}

static int setup(void **state)
{
    setup_new(state);
    run(*state); /* the spares are made */
    return 0;
}

static int teardown(void **state)
{
    struct shelf *shelf = *state;
    wal_close(&shelf->wal);
    wal_folder_destroy(&shelf->folder);
    mem_free(shelf);
    return 0;
}

static void check_value(struct shelf *shelf, uint64_t key)
{
    char wanted[300], payload[304];
    size_t len = value_of(key, wanted);
    struct err err = ERR_NONE;
    struct wal_place place = shelf->places[key];
    assert_int_equal(place.length, len + 4);
    if (wal_read(shelf->wal, place, payload, &err) < 0)
        fail_msg("%s", err.text);
    assert_memory_equal(payload, "head", 4);
    assert_memory_equal(payload + 4, wanted, len);
}

static void check_all(struct shelf *shelf, unsigned n_held)
{
    unsigned n = 0;
    for (uint64_t key = 0; key < KEYS; key++) {
        if (shelf->places[key].segment) {
            check_value(shelf, key);
            n++;
        }
    }
    assert_int_equal(n, n_held);
    assert_int_equal(shelf->n_held, n_held);
}

static void test_comes_back(void **state)
{
    struct shelf *shelf = *state;
    for (uint64_t key = 0; key < 500; key++) {
        while (put(shelf, key) == WAL_BUSY)
            run(shelf);
        if (key % 10 == 0)
            check_value(shelf, key); /* from memory as from the disk */
        if (key % 7 == 0)
            run(shelf);
    }
    run(shelf);
    check_all(shelf, 500);
    for (int i = 0; i < 3; i++) {
        restart(shelf);
        check_all(shelf, 500);
    }
}

static void test_durable_grows(void **state)
{
    struct shelf *shelf = *state;
    struct wal_record record = {.type = PUT, .key = 1, .head = SLICE("head")};
    struct wal_place place;
    uint64_t lsn, former = wal_collect(shelf->wal);
    assert_int_equal(wal_append(shelf->wal, &record, &place, &lsn, NULL), 0);
    assert_true(lsn > former);
    assert_int_equal(wal_collect(shelf->wal), former);
    wal_flush(shelf->wal, false);
    assert_int_equal(wal_collect(shelf->wal), former);
    assert_int_equal(wal_step(shelf->wal), 1);
    assert_int_equal(wal_collect(shelf->wal), lsn);
    record.is_lazy = true;
    assert_int_equal(wal_append(shelf->wal, &record, &place, &lsn, NULL), 0);
    wal_flush(shelf->wal, false);
    assert_int_equal(wal_step(shelf->wal), 0);
    uint64_t due = wal_time(shelf->wal, 1000);
    assert_int_equal(due, 1000 + shelf->options.lazy_ns);
    (void)wal_time(shelf->wal, due);
    assert_int_equal(wal_step(shelf->wal), 1);
    assert_int_equal(wal_collect(shelf->wal), lsn);
    wal_dead(shelf->wal, place);
}

static void test_ids_are_never_used_again(void **state)
{
    struct shelf *shelf = *state;
    uint64_t id, last = 0;
    shelf->options.ids_ahead = 10;
    restart(shelf);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(wal_id(shelf->wal, &id, NULL), 0);
        assert_true(id > last && id <= last + 10);
        last = id;
        if (i % 9 == 0) {
            run(shelf);
            restart(shelf);
        }
    }
}

static void live_of(struct shelf *shelf, uint64_t live[64])
{
    for (uint32_t i = 0; i < 64; i++)
        live[i] = wal_segment_live(shelf->wal, i);
}

/* Most of what was put dies; the cleaner keeps the rest and gives the segments back. */
static void test_cleaner(void **state)
{
    struct shelf *shelf = *state;
    struct wal_facts facts;
    uint64_t live[64], again[64];
    for (uint64_t key = 0; key < 1000; key++) {
        while (put(shelf, key) == WAL_BUSY)
            run(shelf);
    }
    run(shelf);
    wal_facts(shelf->wal, &facts);
    uint64_t n_before = facts.n_segments;
    for (uint64_t key = 0; key < 1000; key++) {
        if (key % 10 != 0) {
            while (del(shelf, key) == WAL_BUSY)
                run(shelf);
        }
    }
    run(shelf);
    live_of(shelf, live);
    restart(shelf);
    live_of(shelf, again);
    assert_memory_equal(live, again, sizeof(live));
    for (int i = 0; i < 1000 && wal_clean_has_work(shelf->wal); i++) {
        assert_true(wal_clean(shelf->wal, 4000, NULL) >= 0);
        run(shelf);
    }
    wal_facts(shelf->wal, &facts);
    assert_true(facts.n_segments < n_before / 2 && facts.n_removed > 0 && facts.n_moved > 0);
    check_all(shelf, 100);
    live_of(shelf, live);
    restart(shelf);
    live_of(shelf, again);
    assert_memory_equal(live, again, sizeof(live));
    check_all(shelf, 100);
    wal_facts(shelf->wal, &facts);
    assert_true(facts.live_bytes * 2 >= facts.used_bytes - 16384);
}

static void clean(struct shelf *shelf)
{
    run(shelf);
    while (wal_clean_has_work(shelf->wal)) {
        assert_int_equal(wal_clean(shelf->wal, 100000, NULL), 0);
        run(shelf);
    }
}

/* New records are refused before the room is gone, deletions are taken, and room comes back. */
static void test_full(void **state)
{
    struct shelf *shelf = *state;
    struct wal_facts facts;
    shelf->options.segments_max = 6;
    restart(shelf);
    uint64_t n = fill(shelf, 0, WAL_NEW);
    int result;
    wal_facts(shelf->wal, &facts);
    uint64_t n_full = facts.n_full;
    assert_int_equal(wal_would_append(shelf->wal, WAL_NEW, 100000), WAL_FULL);
    assert_int_equal(wal_would_append(shelf->wal, WAL_CHANGE, 100), 0);
    wal_facts(shelf->wal, &facts);
    assert_int_equal(facts.n_full, n_full);
    uint64_t n_more = fill(shelf, n, WAL_MORE); /* takes some of it, and leaves some */
    assert_true(n_more > n);
    n = n_more;
    assert_int_equal(wal_would_append(shelf->wal, WAL_CHANGE, shelf->options.segment_bytes / 4), 0);
    assert_true(facts.is_full && facts.n_segments + facts.n_spare <= 6 && facts.n_full > 0);
    restart(shelf);
    check_all(shelf, (unsigned)n);
    for (uint64_t key = 0; key < n; key++) {
        result = del(shelf, key);
        assert_int_equal(result, 0);
        if (key % 50 == 49) /* as time would do it */
            clean(shelf);
    }
    clean(shelf);
    assert_int_equal(put(shelf, 1), 0);
}

static void test_one_process(void **state)
{
    struct shelf *shelf = *state;
    struct wal_disk *second;
    struct wal *wal;
    struct err err = ERR_NONE;
    struct wal_options options = shelf->options;
    assert_int_equal(wal_disk_create(shelf->folder.path, &second, &err), 0);
    options.disk = second;
    assert_int_equal(wal_open(&options, &wal, &err), -1);
    assert_non_null(strstr(err.text, "another process has the log"));
    wal_disk_destroy(&second);
}

static int no_room(void *ctx, int fd, uint64_t len)
{
    (void)ctx;
    (void)fd;
    (void)len;
    return -ENOSPC;
}

/* Puts up to the first answer that is not 0. */
static int put_all(struct shelf *shelf, uint64_t *n)
{
    int result;
    while ((result = put(shelf, *n)) == 0)
        ++*n;
    return result;
}

/* A new log serves from its first segment while the spares are made. */
static void test_new(void **state)
{
    struct shelf *shelf = *state;
    struct wal_facts facts;
    uint64_t n = 0;
    wal_facts(shelf->wal, &facts);
    assert_int_equal(facts.n_segments + facts.n_spare, 1);
    assert_int_equal(put_all(shelf, &n), WAL_BUSY);
    assert_true(n > 10);
    run(shelf);
    wal_facts(shelf->wal, &facts);
    assert_int_equal(facts.n_spare, WAL_SPARES);
    assert_int_equal(put(shelf, n++), 0);
    restart(shelf);
    check_all(shelf, (unsigned)n);
}

/* The disk is full before they are there: what the first segments have left is for deletions. */
static void test_new_and_full(void **state)
{
    struct shelf *shelf = *state;
    uint64_t n = 0;
    int (*fallocate)(void *ctx, int fd, uint64_t len) = shelf->folder.disk->fallocate;
    shelf->folder.disk->fallocate = no_room;
    int result;
    while ((result = put_all(shelf, &n)) == WAL_BUSY)
        run(shelf);
    assert_int_equal(result, WAL_FULL);
    for (uint64_t key = 0; key < 40; key++)
        assert_int_equal(del(shelf, key), 0);
    shelf->folder.disk->fallocate = fallocate;
    assert_true(wal_time(shelf->wal, 1) > 1);
    (void)wal_time(shelf->wal, 2000000000);
    run(shelf);
    assert_int_equal(put(shelf, n), 0);
}

static void test_too_large(void **state)
{
    struct shelf *shelf = *state;
    char *large = mem_alloc_zero(1, 20000);
    assert_int_equal(put_as(shelf, 1, WAL_NEW, slice_make(large, 15300)), -1);
    assert_int_equal(put_as(shelf, 1, WAL_NEW, slice_make(large, 15100)), 0);
    run(shelf);
    mem_free(large);
    assert_int_equal(del(shelf, 1), 0);
}

static long forgotten(void *ctx, int fd, void *bytes, size_t len, uint64_t offset)
{
    (void)ctx, (void)fd, (void)bytes, (void)len, (void)offset;
    return -EAGAIN;
}

/* The byte of the record's payload, on the disk, becomes another. */
static void spoil(struct shelf *shelf, struct wal_place place)
{
    uint64_t offset;
    size_t len;
    char byte;
    int fd = wal_read_open(shelf->wal, place, &offset, &len);
    assert_true(fd >= 0 && len > place.length);
    off_t at = (off_t)(offset + len - 1);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* Of what is in memory, not yet written or already; what is not is said, and damage is not read. */
static void test_read_now(void **state)
{
    struct shelf *shelf = *state;
    char wanted[300], payload[304];
    size_t len = value_of(3, wanted);
    assert_int_equal(put(shelf, 3), 0);
    struct wal_place place = shelf->places[3];
    assert_int_equal(wal_read_now(shelf->wal, place, payload), 0);
    assert_memory_equal(payload + 4, wanted, len);
    run(shelf);
    memset(payload, 0, sizeof(payload));
    check_value(shelf, 3); /* the kernel has it now */
    assert_int_equal(wal_read_now(shelf->wal, place, payload), 0);
    assert_memory_equal(payload + 4, wanted, len);
    shelf->folder.disk->pread_now = forgotten;
    assert_int_equal(wal_read_now(shelf->wal, place, payload), 1);
    shelf->folder.disk->pread_now = shelf->folder.disk->pread;
    spoil(shelf, place);
    assert_int_equal(wal_read_now(shelf->wal, place, payload), 1);
    spoil(shelf, place);
    assert_int_equal(wal_read_now(shelf->wal, place, payload), 0);
    place.segment += 100;
    uint64_t offset;
    assert_int_equal(wal_read_now(shelf->wal, place, payload), 1);
    assert_int_equal(wal_read_open(shelf->wal, place, &offset, &len), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_durable_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_are_never_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cleaner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_process, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new, setup_new, teardown),
        cmocka_unit_test_setup_teardown(test_new_and_full, setup_new, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_now, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
