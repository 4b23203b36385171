/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage of every kind to a log on the real disk: the start refuses it or reads around it, a repair
 * says what would go and changes nothing, a second one mends, and then all is there but that.
 */
#include "base/mem.h"
#include "wal/internal.h"
#include "wal/wal_folder.h"
#include "wal/wal_repair.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PUT = WAL_TYPE_FIRST, OTHER, KEYS = 120, SIZE = 8192, BODY = 200, DAMAGES_MAX = 8 };
/* 120 keys of 232 bytes and an entry of 24: 27 a segment, four sealed ones and a tail. */
enum { A_SEGMENT = 27, TAIL = 5 };

struct shelf {
    struct wal_folder folder;
    struct wal *wal;
    struct wal_place places[KEYS];
    struct wal_options options;
    struct wal_damage damages[DAMAGES_MAX];
    unsigned n_damages;
    uint64_t lost_keys; /* those of PUT in damages, added up */
    unsigned n_lost;
};

static int shelf_replay(void *ctx, struct wal *wal, const struct wal_found *found, struct err *err)
{
    struct shelf *shelf = ctx;
    (void)wal;
    (void)err;
    if (found->type == OTHER)
        return 0;
    assert_true(found->key < KEYS && shelf->places[found->key].segment == 0);
    shelf->places[found->key] = found->place;
    return 0;
}

static int try_open(struct shelf *shelf, struct err *err)
{
    memset(shelf->places, 0, sizeof(shelf->places));
    return wal_open(&shelf->options, &shelf->wal, err);
}

static void open_log(struct shelf *shelf)
{
    struct err err = ERR_NONE;
    if (try_open(shelf, &err) < 0)
        fail_msg("%s", err.text);
}

static void put(struct shelf *shelf, uint64_t key)
{
    char body[BODY];
    uint64_t lsn;
    memset(body, (int)('a' + key % 26), sizeof(body));
    struct wal_record record = {
        .type = PUT, .key = key, .head = SLICE("head"), .body = slice_make(body, sizeof(body))};
    int result = WAL_BUSY;
    for (int turns = 0; turns < 100 && result == WAL_BUSY; turns++) {
        wal_run(shelf->wal);
        result = wal_append(shelf->wal, &record, &shelf->places[key], &lsn, NULL);
    }
    assert_int_equal(result, 0);
    wal_run(shelf->wal);
}

static struct shelf *shelf_create(uint64_t n_keys)
{
    struct shelf *shelf = MEM_NEW(struct shelf);
    wal_folder_create(&shelf->folder);
    shelf->options = wal_options_default();
    shelf->options.disk = shelf->folder.disk;
    shelf->options.segment_bytes = SIZE;
    shelf->options.salt = 42;
    shelf->options.owner = (struct wal_owner){.ctx = shelf, .replay = shelf_replay};
    open_log(shelf);
    uint64_t id;
    assert_int_equal(wal_id(shelf->wal, &id, NULL), 0);
    for (uint64_t key = 0; key < n_keys; key++)
        put(shelf, key);
    wal_close(&shelf->wal);
    return shelf;
}

static int setup(void **state)
{
    *state = shelf_create(KEYS);
    return 0;
}

static int setup_small(void **state)
{
    *state = shelf_create(3);
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

static void tell(void *ctx, const struct wal_damage *damage)
{
    struct shelf *shelf = ctx;
    assert_true(shelf->n_damages < DAMAGES_MAX);
    shelf->damages[shelf->n_damages++] = *damage;
}

static void lose(void *ctx, uint8_t type, uint64_t key)
{
    struct shelf *shelf = ctx;
    shelf->n_lost++;
    shelf->lost_keys += type == PUT ? key : 0;
}

static struct wal_repair_sum repair(struct shelf *shelf, bool is_mending)
{
    struct wal_repair how = {.disk = shelf->folder.disk,
                             .is_mending = is_mending,
                             .salt = 43,
                             .ctx = shelf,
                             .lose = lose,
                             .tell = tell};
    struct wal_repair_sum sum;
    struct err err = ERR_NONE;
    shelf->n_damages = 0;
    shelf->n_lost = 0;
    shelf->lost_keys = 0;
    if (wal_repair(&how, &sum, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(sum.n_damages, shelf->n_damages);
    return sum;
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void spoil(const struct shelf *shelf, uint32_t segment, uint32_t from, uint32_t len)
{
    char name[WAL_NAME_MAX], bytes[SIZE];
    wal_name(segment, name);
    int fd = shelf->folder.disk->open(shelf->folder.disk->ctx, name, false);
    assert_true(fd >= 0);
    assert_int_equal(wal_disk_read(shelf->folder.disk, fd, bytes, len, from), 0);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (char)~bytes[i];
    assert_int_equal(wal_disk_write(shelf->folder.disk, fd, bytes, len, from), 0);
    shelf->folder.disk->close(shelf->folder.disk->ctx, fd);
}

/* Begin of the record of the nth key of a segment: the first is a mark of ids. */
static uint32_t record_at(uint32_t nth)
{
    return WAL_RECORDS_BEGIN + WAL_RECORD_HEADER + nth * wal_record_bytes(BODY + 4);
}

struct row {
    const char *name;
    struct {
        uint32_t segment, from, len; /* turned round; len 0: nothing */
    } spoilt[2];
    enum wal_damage_kind kinds[DAMAGES_MAX];
    unsigned n_kinds;
    uint32_t lost_from, lost_end; /* keys */
    bool is_open;                 /* a start takes it even so */
};

enum { TRAILER = SIZE - WAL_TRAILER_BYTES, FOOTER = WAL_RECORDS_BEGIN + 24 + A_SEGMENT * 232 };

static const struct row rows[] = {
    {.name = "nothing", .is_open = true},
    {.name = "a payload of a sealed segment",
     .spoilt = {{2, WAL_RECORDS_BEGIN + 24 + 232 + 50, 1}},
     .kinds = {WAL_DAMAGE_RECORDS},
     .n_kinds = 1,
     .lost_from = A_SEGMENT + 1,
     .lost_end = A_SEGMENT + 2,
     .is_open = true},
    {.name = "several records",
     .spoilt = {{2, WAL_RECORDS_BEGIN + 24 + 232 + 50, 600}},
     .kinds = {WAL_DAMAGE_RECORDS},
     .n_kinds = 1,
     .lost_from = A_SEGMENT + 1,
     .lost_end = A_SEGMENT + 4,
     .is_open = true},
    {.name = "the first records of a segment",
     .spoilt = {{3, WAL_RECORDS_BEGIN, 100}},
     .kinds = {WAL_DAMAGE_RECORDS},
     .n_kinds = 1,
     .lost_from = 2 * A_SEGMENT,
     .lost_end = 2 * A_SEGMENT + 1,
     .is_open = true},
    {.name = "the mark of ids alone",
     .spoilt = {{3, WAL_RECORDS_BEGIN + 3, 1}},
     .kinds = {WAL_DAMAGE_RECORDS},
     .n_kinds = 1,
     .is_open = true},
    {.name = "the last records of a segment",
     .spoilt = {{3, FOOTER - 10, 1}},
     .kinds = {WAL_DAMAGE_RECORDS},
     .n_kinds = 1,
     .lost_from = 3 * A_SEGMENT - 1,
     .lost_end = 3 * A_SEGMENT,
     .is_open = true},
    {.name = "a footer",
     .spoilt = {{2, FOOTER + 30, 1}},
     .kinds = {WAL_DAMAGE_FOOTER},
     .n_kinds = 1},
    {.name = "a trailer",
     .spoilt = {{2, TRAILER + 30, 1}},
     .kinds = {WAL_DAMAGE_FOOTER},
     .n_kinds = 1},
    {.name = "a trailer and a record",
     .spoilt = {{2, TRAILER + 30, 1}, {2, WAL_RECORDS_BEGIN + 24 + 50, 1}},
     .kinds = {WAL_DAMAGE_RECORDS, WAL_DAMAGE_END, WAL_DAMAGE_FOOTER},
     .n_kinds = 3,
     .lost_from = A_SEGMENT,
     .lost_end = A_SEGMENT + 1},
    {.name = "footer, trailer and the last record",
     .spoilt = {{2, FOOTER - 10, 100}, {2, TRAILER, 10}},
     .kinds = {WAL_DAMAGE_END, WAL_DAMAGE_FOOTER},
     .n_kinds = 2,
     .lost_from = 2 * A_SEGMENT - 1,
     .lost_end = 2 * A_SEGMENT},
    {.name = "one header",
     .spoilt = {{2, 10, 1}},
     .kinds = {WAL_DAMAGE_HEADER},
     .n_kinds = 1,
     .is_open = true},
    {.name = "both headers of a sealed segment",
     .spoilt = {{2, 10, 1}, {2, 520, 1}},
     .kinds = {WAL_DAMAGE_HEADER},
     .n_kinds = 1},
    {.name = "both headers and the trailer",
     .spoilt = {{2, 0, 600}, {2, TRAILER, 64}},
     .kinds = {WAL_DAMAGE_FILE},
     .n_kinds = 1,
     .lost_from = A_SEGMENT,
     .lost_end = 2 * A_SEGMENT},
    {.name = "both headers of the tail",
     .spoilt = {{TAIL, 0, 600}},
     .kinds = {WAL_DAMAGE_FILE},
     .n_kinds = 1,
     .lost_from = 4 * A_SEGMENT,
     .lost_end = KEYS},
    {.name = "both headers of a spare",
     .spoilt = {{TAIL + 1, 0, 600}},
     .kinds = {WAL_DAMAGE_FILE},
     .n_kinds = 1},
    {.name = "a record of the tail",
     .spoilt = {{TAIL, WAL_RECORDS_BEGIN + 24 + 232 + 50, 1}},
     .kinds = {WAL_DAMAGE_RECORDS},
     .n_kinds = 1,
     .lost_from = 4 * A_SEGMENT + 1,
     .lost_end = 4 * A_SEGMENT + 2},
    {.name = "the first of the tail",
     .spoilt = {{TAIL, WAL_RECORDS_BEGIN, 1}},
     .kinds = {WAL_DAMAGE_RECORDS},
     .n_kinds = 1},
    {.name = "two places",
     .spoilt = {{1, WAL_RECORDS_BEGIN + 48, 1}, /* behind two marks of ids */
                {TAIL, WAL_RECORDS_BEGIN + 24, 20}},
     .kinds = {WAL_DAMAGE_RECORDS, WAL_DAMAGE_RECORDS},
     .n_kinds = 2,
     .lost_from = 0, /* and the tail's first, which the test below looks at */
     .lost_end = 1},
};

static void check_damages(const struct shelf *shelf, const struct row *row)
{
    bool is_same = shelf->n_damages == row->n_kinds;
    for (unsigned i = 0; i < row->n_kinds && is_same; i++)
        is_same = shelf->damages[i].kind == row->kinds[i];
    if (!is_same)
        fail_msg("%s: %u damages, the first of kind %d", row->name, shelf->n_damages,
                 (int)shelf->damages[0].kind);
}

/* All bodies are there but those that are lost. */
static void check_keys(struct shelf *shelf, const struct row *row)
{
    for (uint32_t key = 0; key < KEYS; key++) {
        bool is_lost = (key >= row->lost_from && key < row->lost_end) ||
                       (strcmp(row->name, "two places") == 0 && key == 4 * A_SEGMENT);
        char payload[BODY + 4];
        struct err err = ERR_NONE;
        if ((shelf->places[key].segment == 0) != is_lost)
            fail_msg("%s: key %u is %sthere", row->name, key, is_lost ? "" : "not ");
        if (!is_lost && wal_read(shelf->wal, shelf->places[key], payload, &err) < 0)
            fail_msg("%s: %s", row->name, err.text);
        if (!is_lost)
            assert_int_equal(payload[4], 'a' + key % 26);
    }
}

/* It goes on: what is appended is there after a restart, and ids do not come again. */
static void check_life(struct shelf *shelf, const struct row *row)
{
    uint64_t id;
    assert_int_equal(wal_id(shelf->wal, &id, NULL), 0);
    assert_true(id > WAL_IDS_AHEAD);
    uint64_t key = row->lost_from;
    if (row->lost_from < row->lost_end)
        put(shelf, key);
    wal_close(&shelf->wal);
    open_log(shelf);
    assert_true(shelf->places[key].segment != 0);
    wal_close(&shelf->wal);
}

static void play(struct shelf *shelf, const struct row *row)
{
    struct err err = ERR_NONE;
    for (unsigned i = 0; i < ARRAY_LEN(row->spoilt); i++)
        spoil(shelf, row->spoilt[i].segment ? row->spoilt[i].segment : 1, row->spoilt[i].from,
              row->spoilt[i].len);
    (void)repair(shelf, false);
    check_damages(shelf, row);
    int result = try_open(shelf, &err); /* as it was: nothing is mended yet */
    if ((result == 0) != row->is_open)
        fail_msg("%s: a start says: %s", row->name, err.text);
    assert_true(result == 0 || wal_is_damage(&err));
    wal_close(&shelf->wal);
    struct wal_repair_sum sum = repair(shelf, true);
    check_damages(shelf, row);
    assert_int_equal(sum.lost_bytes > 0, row->n_kinds > 0 && row->kinds[0] <= WAL_DAMAGE_FILE);
    assert_int_equal(repair(shelf, false).n_damages, 0);
    open_log(shelf);
    check_keys(shelf, row);
    check_life(shelf, row);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *shelf;
        setup(&shelf);
        play(shelf, &rows[i]);
        teardown(&shelf);
    }
}

static void test_counts(void **state)
{
    struct shelf *shelf = *state;
    spoil(shelf, 2, record_at(1) + 50, 600);
    struct wal_repair_sum sum = repair(shelf, false);
    struct wal_damage damage = shelf->damages[0];
    assert_int_equal(damage.segment, 2);
    assert_int_equal(damage.offset, record_at(1));
    assert_int_equal(damage.n_records, 3);
    assert_int_equal(shelf->n_lost, 3);
    assert_int_equal(shelf->lost_keys, 3 * (A_SEGMENT + 2));
    assert_int_equal(damage.n_bytes, record_at(4) - record_at(1));
    assert_int_equal(sum.lost_bytes, damage.n_bytes);
    assert_int_equal(sum.n_segments, TAIL + WAL_SPARES);
}

/* A file that was cut short is as long as it was, and what was behind is lost. */
static void test_cut_short(void **state)
{
    struct shelf *shelf = *state;
    struct err err = ERR_NONE;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/00000002.wal", shelf->folder.path);
    assert_int_equal(truncate(path, record_at(10) + 5), 0);
    assert_int_equal(try_open(shelf, &err), -1);
    assert_true(wal_is_damage(&err));
    (void)repair(shelf, true);
    assert_int_equal(shelf->n_damages, 2);
    assert_int_equal(shelf->damages[0].kind, WAL_DAMAGE_END);
    assert_int_equal(shelf->damages[0].offset, record_at(10));
    open_log(shelf);
    for (uint32_t key = 0; key < KEYS; key++)
        assert_int_equal(shelf->places[key].segment == 0,
                         key >= A_SEGMENT + 10 && key < 2 * A_SEGMENT);
}

static void remove_segments(const struct shelf *shelf, uint32_t first, uint32_t end)
{
    char name[WAL_NAME_MAX];
    for (uint32_t number = first; number < end; number++) {
        wal_name(number, name);
        assert_int_equal(shelf->folder.disk->unlink(shelf->folder.disk->ctx, name), 0);
    }
}

/* Nothing is known of the one file with records: the log goes on in segments of the same size. */
static void test_lost(struct shelf *shelf)
{
    uint64_t id;
    struct wal_facts facts;
    spoil(shelf, 1, 0, 600);
    (void)repair(shelf, true);
    assert_int_equal(shelf->n_damages, 1);
    assert_int_equal(shelf->damages[0].kind, WAL_DAMAGE_FILE);
    assert_int_equal(repair(shelf, false).n_damages, 0);
    open_log(shelf);
    wal_facts(shelf->wal, &facts);
    assert_int_equal(facts.segment_bytes, SIZE);
    wal_run(shelf->wal); /* the spares */
    assert_true(wal_ids_begin(shelf->wal) > WAL_IDS_AHEAD);
    assert_int_equal(wal_id(shelf->wal, &id, NULL), 0);
    assert_true(id > WAL_IDS_AHEAD);
    for (uint64_t key = 0; key < KEYS; key++)
        put(shelf, key);
    wal_close(&shelf->wal);
    open_log(shelf);
    for (uint64_t key = 0; key < KEYS; key++)
        assert_true(shelf->places[key].segment > 1);
}

static void test_lost_with_spares(void **state)
{
    test_lost(*state);
}

static void test_lost_alone(void **state)
{
    remove_segments(*state, 2, 2 + WAL_SPARES);
    test_lost(*state);
}

/* An owner may count without the log's own ids: the keys that are left tell how far it was. */
static void test_lost_keys(void **state)
{
    struct shelf *shelf = *state;
    struct wal_record record = {.type = OTHER, .key = UINT64_C(1) << 40};
    struct wal_place place;
    uint64_t lsn;
    open_log(shelf);
    assert_int_equal(wal_append(shelf->wal, &record, &place, &lsn, NULL), 0);
    for (uint64_t key = 3; key < KEYS; key++)
        put(shelf, key);
    wal_close(&shelf->wal);
    spoil(shelf, TAIL, 0, 600);
    (void)repair(shelf, true);
    open_log(shelf);
    assert_true(wal_ids_begin(shelf->wal) > record.key + WAL_IDS_AHEAD);
}

/* An empty segment before the lost one says that this was a spare, and nothing takes its place. */
static void test_lost_spare(void **state)
{
    struct shelf *shelf = *state;
    char zeros[SIZE] = "", name[WAL_NAME_MAX];
    const struct wal_disk *disk = shelf->folder.disk;
    wal_name(TAIL, name);
    int fd = disk->open(disk->ctx, name, false);
    assert_int_equal(wal_disk_write(disk, fd, zeros, SIZE - WAL_RECORDS_BEGIN, WAL_RECORDS_BEGIN),
                     0);
    disk->close(disk->ctx, fd);
    spoil(shelf, TAIL + 1, 0, 600);
    (void)repair(shelf, true);
    assert_int_equal(shelf->n_damages, 1);
    open_log(shelf);
    assert_int_equal(shelf->places[4 * A_SEGMENT - 1].segment, TAIL - 1);
    put(shelf, KEYS - 1);
}

/* No log has segments of two sizes: whoever put one among them is told. */
static void test_other_size(void **state)
{
    struct shelf *shelf = *state;
    char bytes[WAL_RECORDS_BEGIN], path[128];
    struct wal_form form = {.number = TAIL + 1 + WAL_SPARES, .size = 2 * SIZE, .salt = 5};
    struct err err = ERR_NONE;
    wal_form_write(&form, bytes);
    (void)snprintf(path, sizeof(path), "%s/%08x.wal", shelf->folder.path, form.number);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(ftruncate(fd, 2 * SIZE), 0);
    close(fd);
    assert_int_equal(try_open(shelf, &err), -1);
    assert_non_null(strstr(err.text, "00000009.wal: it is empty and has 16384 bytes"));
    assert_false(wal_is_damage(&err));
    remove_segments(shelf, form.number, form.number + 1);
    open_log(shelf);
}

static void test_refuses(void **state)
{
    struct shelf *shelf = *state;
    struct wal_repair how = {.disk = shelf->folder.disk};
    struct wal_repair_sum sum;
    struct wal_disk *second;
    struct err err = ERR_NONE;
    char path[128];
    assert_int_equal(wal_disk_create(shelf->folder.path, &second, &err), 0);
    assert_int_equal(second->lock(second->ctx), 0);
    assert_int_equal(wal_repair(&how, &sum, &err), -1);
    assert_non_null(strstr(err.text, "another process"));
    assert_int_equal(err.number, EAGAIN);
    assert_int_equal(try_open(shelf, &err), -1);
    assert_false(wal_is_damage(&err));
    wal_disk_destroy(&second);
    (void)snprintf(path, sizeof(path), "%s/00000002.wal", shelf->folder.path);
    assert_int_equal(truncate(path, SIZE + 8), 0);
    assert_int_equal(wal_repair(&how, &sum, &err), -1);
    assert_non_null(strstr(err.text, "00000002.wal: it has 8200 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_with_spares, setup_small, teardown),
        cmocka_unit_test_setup_teardown(test_lost_alone, setup_small, teardown),
        cmocka_unit_test_setup_teardown(test_lost_keys, setup_small, teardown),
        cmocka_unit_test_setup_teardown(test_lost_spare, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
