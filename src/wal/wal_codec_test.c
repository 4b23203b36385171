/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of records and segments as tables: split at every byte, every bit turned; and a log of
 * format version 1 that was kept, which a start reads and today's code writes again byte for byte.
 */
#include "base/mem.h"
#include "wal/internal.h"
#include "wal/wal_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct wal_spot spot = {.salt = 42, .segment = 7, .offset = 4096, .is_seeded = true};

/* ---- records --------------------------------------------------------------------------------- */

static const struct wal_header headers[] = {
    {.synced = 0, .length = 0, .type = WAL_TYPE_MARK, .n_head = 0, .key = 0},
    {.synced = 4096, .length = 1, .type = 16, .n_head = 1, .key = 1},
    {.synced = 1024, .length = 7, .type = 127, .n_head = 3, .key = UINT64_MAX},
    {.synced = 1024, .length = 8, .type = 128, .n_head = 8, .key = 1ULL << 40},
    {.synced = 8, .length = 300, .type = 255, .n_head = 240, .key = 9},
};

static char *record_make(const struct wal_header *header, size_t *ret_len)
{
    char payload[300];
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (char)(i * 7);
    *ret_len = wal_record_bytes(header->length);
    char *at = mem_alloc(*ret_len);
    uint32_t third = header->length / 3;
    wal_record_write(&spot, header, slice_make(payload, third), slice_make(payload + third, third),
                     slice_make(payload + 2 * (size_t)third, header->length - 2 * third), at);
    return at;
}

static void test_record_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct wal_header found;
        size_t len;
        char *at = record_make(&headers[i], &len);
        for (size_t n = 0; n < len; n++) {
            char *part = mem_alloc(n + (n == 0));
            memcpy(part, at, n);
            int64_t result = wal_record_read(&spot, part, n, &found);
            assert_int_equal(result, n < WAL_RECORD_HEADER ? -1 : 0);
            mem_free(part);
        }
        assert_int_equal(wal_record_read(&spot, at, len, &found), len);
        assert_int_equal(found.synced, headers[i].synced);
        assert_int_equal(found.length, headers[i].length);
        assert_int_equal(found.type, headers[i].type);
        assert_int_equal(found.n_head, headers[i].n_head);
        assert_true(found.key == headers[i].key);
        mem_free(at);
    }
}

/* Every bit is in the sum but those behind the payload. */
static void test_record_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct wal_header found;
        size_t len;
        char *at = record_make(&headers[i], &len);
        for (size_t bit = 0; bit < len * 8; bit++) {
            bool is_summed = bit / 8 < WAL_RECORD_HEADER + headers[i].length;
            at[bit / 8] = (char)(at[bit / 8] ^ 1 << bit % 8);
            int64_t result = wal_record_read(&spot, at, len, &found);
            assert_int_equal(result > 0, !is_summed);
            struct wal_place place = {.length = headers[i].length & WAL_PAYLOAD_MAX};
            result = wal_record_verify(&spot, at, place, at + WAL_RECORD_HEADER);
            assert_int_equal(result == 0, !is_summed);
            at[bit / 8] = (char)(at[bit / 8] ^ 1 << bit % 8);
        }
        mem_free(at);
    }
}

/* A record is one where it was written and nowhere else. */
static void test_record_elsewhere(void **state)
{
    static const struct wal_spot others[] = {
        {.salt = 43, .segment = 7, .offset = 4096, .is_seeded = true},
        {.salt = 42, .segment = 8, .offset = 4096, .is_seeded = true},
        {.salt = 42, .segment = 7, .offset = 4104, .is_seeded = true},
        {.salt = 42, .segment = 7, .offset = 4096, .is_seeded = false},
    };
    struct wal_header found;
    size_t len;
    (void)state;
    char *at = record_make(&headers[2], &len);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_int_equal(wal_record_read(&others[i], at, len, &found), -1);
    struct wal_place place = {.length = 8};
    assert_int_equal(wal_record_verify(&spot, at, place, at + WAL_RECORD_HEADER), -1);
    mem_free(at);
}

/* ---- header and trailer ---------------------------------------------------------------------- */

static const struct wal_form form = {.number = 7, .size = 8192, .salt = 42, .is_seeded = true};

static void test_form_bits(void **state)
{
    char bytes[WAL_RECORDS_BEGIN];
    struct wal_form found;
    struct err err = ERR_NONE;
    (void)state;
    wal_form_write(&form, bytes);
    assert_true(wal_form_is_twice(bytes));
    for (size_t bit = 0; bit < (size_t)WAL_HEADER_BYTES * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        assert_false(wal_form_is_twice(bytes));
        assert_int_equal(wal_form_read(bytes, &found, &err), 0); /* from its copy */
        assert_true(found.number == 7 && found.size == 8192 && found.salt == 42);
        bytes[WAL_HEADER_AGAIN + bit / 8] ^= 1;
        assert_int_equal(wal_form_read(bytes, &found, &err), -1);
        assert_false(wal_form_is_whole(bytes));
        bytes[WAL_HEADER_AGAIN + bit / 8] ^= 1;
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
}

/* A version that is not known is no damage: it says so, and nothing takes it for ours. */
static void test_form_of_another_version(void **state)
{
    char bytes[WAL_RECORDS_BEGIN];
    struct wal_form found;
    struct err err = ERR_NONE;
    (void)state;
    wal_form_write(&form, bytes);
    for (size_t at = 0; at <= WAL_HEADER_AGAIN; at += WAL_HEADER_AGAIN) {
        wal_put32(bytes + at + 8, 2);
        wal_put32(bytes + at + 60, crc32c(0, bytes + at, 60));
    }
    assert_int_equal(wal_form_read(bytes, &found, &err), -1);
    assert_non_null(strstr(err.text, "version 2"));
    assert_true(wal_form_is_whole(bytes));
}

static void test_trailer_bits(void **state)
{
    static const struct wal_trailer trailer = {
        .records_end = 2048, .footer_bytes = 128, .n_records = 8, .footer_crc = 5};
    char bytes[WAL_TRAILER_BYTES];
    struct wal_trailer found;
    (void)state;
    wal_trailer_write(&form, &trailer, bytes);
    assert_int_equal(wal_trailer_read(&form, bytes, &found), 0);
    assert_true(found.records_end == 2048 && found.footer_bytes == 128 && found.n_records == 8 &&
                found.footer_crc == 5);
    assert_true(wal_trailer_salt(bytes) == 42);
    for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(wal_trailer_read(&form, bytes, &found), -1);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
}

static void test_trailer_within(void **state)
{
    static const struct wal_trailer outside[] = {
        {.records_end = WAL_RECORDS_BEGIN - 8},
        {.records_end = 8192 - WAL_TRAILER_BYTES + 8},
        {.records_end = 2048, .footer_bytes = 8192 - WAL_TRAILER_BYTES - 2048 + 8},
        {.records_end = 2048, .footer_bytes = UINT32_MAX},
    };
    char bytes[WAL_TRAILER_BYTES];
    struct wal_trailer found;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
        wal_trailer_write(&form, &outside[i], bytes);
        assert_int_equal(wal_trailer_read(&form, bytes, &found), -1);
    }
}

/* ---- footers --------------------------------------------------------------------------------- */

static void test_entries_split(void **state)
{
    static const char head[WAL_HEAD_MAX];
    struct text footer = TEXT_NONE;
    uint32_t end = WAL_RECORDS_BEGIN;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        uint32_t n = wal_entry_bytes(headers[i].n_head);
        wal_entry_write(&headers[i], head, text_reserve(&footer, n));
        footer.len += n;
        end += wal_record_bytes(headers[i].length);
    }
    for (size_t n = 0; n <= footer.len; n++) {
        char *part = mem_alloc(n + (n == 0));
        memcpy(part, footer.ptr, n);
        struct wal_entries entries = {slice_make(part, n), WAL_RECORDS_BEGIN, ARRAY_LEN(headers),
                                      end};
        struct wal_entry entry;
        int result;
        while ((result = wal_entries_next(&entries, &entry)) > 0)
            ;
        assert_int_equal(result, n == footer.len ? 0 : -1);
        mem_free(part);
    }
    text_deinit(&footer);
}

static void test_entries_agree(void **state)
{
    static const struct {
        uint32_t length, n_head, type, records_end, n_left;
        int result;
    } rows[] = {
        {16, 8, 16, WAL_RECORDS_BEGIN + 40, 1, 0},  {16, 8, 16, WAL_RECORDS_BEGIN + 48, 1, -1},
        {16, 8, 16, WAL_RECORDS_BEGIN + 32, 1, -1}, {16, 8, 16, WAL_RECORDS_BEGIN + 40, 0, -1},
        {16, 8, 16, WAL_RECORDS_BEGIN + 40, 2, -1}, {16, 8, 0, WAL_RECORDS_BEGIN + 40, 1, -1},
        {7, 8, 16, WAL_RECORDS_BEGIN + 32, 1, -1},  {1 << 24, 8, 16, 1 << 25, 1, -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char bytes[WAL_ENTRY_HEADER + 8];
        struct wal_header header = {.length = rows[i].length,
                                    .type = (uint8_t)rows[i].type,
                                    .n_head = (uint8_t)rows[i].n_head};
        wal_entry_write(&header, "12345678", bytes);
        struct wal_entries entries = {slice_make(bytes, sizeof(bytes)), WAL_RECORDS_BEGIN,
                                      rows[i].n_left, rows[i].records_end};
        struct wal_entry entry;
        int result;
        while ((result = wal_entries_next(&entries, &entry)) > 0)
            ;
        assert_int_equal(result, rows[i].result);
    }
}

/* ---- a log of version 1 ---------------------------------------------------------------------- */

/*
 * tests/formats/wal-1: two sealed segments, a tail and spare ones of 4096 bytes, of the requests
 * below. When version 2 comes, this still has to be read; then the writing again goes.
 */
static const char golden[] = "tests/formats/wal-1";
enum { FILES = 6, JOBS = 40, PUT = 16, STATE = 17, DEL = 128 };

struct reader {
    struct wal_folder folder;
    struct wal *wal;
    struct wal_place places[JOBS + 1], states[JOBS + 1];
    unsigned n_files;
};

static void forget(struct wal *wal, struct wal_place *place)
{
    if (place->segment)
        wal_dead(wal, *place);
    place->segment = 0;
}

static int reader_replay(void *ctx, struct wal *wal, const struct wal_found *found, struct err *err)
{
    struct reader *reader = ctx;
    (void)err;
    assert_in_range(found->key, 1, JOBS);
    struct wal_place *place = &reader->places[found->key], *status = &reader->states[found->key];
    if (found->type == PUT) {
        assert_true(slice_is(found->head, "head of a job"));
        *place = found->place;
    } else if (found->type == STATE) {
        forget(wal, status);
        *status = found->place;
    } else {
        assert_int_equal(wal_place_order(*place, found->kills), 0);
        forget(wal, place);
        forget(wal, status);
    }
    return 0;
}

static struct wal_options reader_options(struct reader *reader)
{
    struct wal_options options = wal_options_default();
    options.disk = reader->folder.disk;
    options.owner = (struct wal_owner){.ctx = reader, .replay = reader_replay};
    options.segment_bytes = WAL_SEGMENT_MIN;
    options.ids_ahead = 16;
    options.salt = 42;
    return options;
}

static int setup(void **state)
{
    struct reader *reader = MEM_NEW(struct reader);
    wal_folder_create(&reader->folder);
    *state = reader;
    return 0;
}

static int teardown(void **state)
{
    struct reader *reader = *state;
    wal_folder_destroy(&reader->folder);
    mem_free(reader);
    return 0;
}

static void append(struct reader *reader, uint8_t type, uint64_t key, struct slice head,
                   struct wal_place *place)
{
    char body[120];
    uint64_t lsn;
    memset(body, (int)('a' + key % 26), sizeof(body));
    struct wal_record record = {.type = type,
                                .key = key,
                                .head = head,
                                .body = slice_make(body, type == PUT ? key * 3 : 0),
                                .kills = reader->places[key]};
    int result;
    while ((result = wal_append(reader->wal, &record, place, &lsn, NULL)) == WAL_BUSY)
        wal_run(reader->wal);
    assert_int_equal(result, 0);
    wal_run(reader->wal); /* so that what a record says is synced is the same each time */
}

static void write_golden(struct reader *reader)
{
    struct wal_options options = reader_options(reader);
    struct wal_place place;
    struct err err = ERR_NONE;
    if (wal_open(&options, &reader->wal, &err) < 0)
        fail_msg("%s", err.text);
    for (uint64_t key = 1; key <= JOBS; key++) {
        uint64_t id;
        assert_int_equal(wal_id(reader->wal, &id, NULL), 0);
        assert_int_equal(id, key);
        append(reader, PUT, key, SLICE("head of a job"), &reader->places[key]);
        if (key % 4 == 0)
            append(reader, STATE, key - 1, SLICE("state"), &reader->states[key - 1]);
        if (key % 5 == 0) {
            append(reader, DEL, key - 2, SLICE("why"), &place);
            forget(reader->wal, &reader->places[key - 2]);
            forget(reader->wal, &reader->states[key - 2]);
        }
    }
    wal_close(&reader->wal);
}

static char *file_read(const char *folder, const char *name, size_t *ret_len)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("there is no %s", path);
    char *bytes = mem_alloc(WAL_SEGMENT_MIN * 2);
    *ret_len = fread(bytes, 1, WAL_SEGMENT_MIN * 2, file);
    (void)fclose(file);
    return bytes;
}

/* Two reader's folders: it is called for each file of the one. */
static void compare_each(void *arg, const char *name)
{
    struct reader *reader = arg;
    size_t len, again_len;
    if (name[0] == '.')
        return;
    char *bytes = file_read(reader->folder.path, name, &len);
    char *again = file_read(golden, name, &again_len);
    assert_int_equal(len, again_len);
    assert_memory_equal(bytes, again, len);
    mem_free(bytes);
    mem_free(again);
    reader->n_files++;
}

static void test_golden_is_written(void **state)
{
    struct reader *reader = *state;
    write_golden(reader);
    assert_int_equal(reader->folder.disk->list(reader->folder.disk->ctx, compare_each, reader), 0);
    assert_int_equal(reader->n_files, FILES);
}

static void copy_golden(const struct reader *reader)
{
    for (unsigned i = 1; i <= FILES; i++) {
        char name[WAL_NAME_MAX], path[128];
        size_t len;
        wal_name(i, name);
        char *bytes = file_read(golden, name, &len);
        (void)snprintf(path, sizeof(path), "%s/%s", reader->folder.path, name);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, len, file), len);
        assert_int_equal(fclose(file), 0);
        mem_free(bytes);
    }
}

static void test_golden_is_read(void **state)
{
    struct reader *reader = *state;
    struct wal_options options = reader_options(reader);
    struct err err = ERR_NONE;
    uint64_t id;
    copy_golden(reader);
    if (wal_open(&options, &reader->wal, &err) < 0)
        fail_msg("%s", err.text);
    for (uint64_t key = 1; key <= JOBS; key++) {
        bool is_deleted = key % 5 == 3;
        assert_int_equal(reader->places[key].segment != 0, !is_deleted);
        assert_int_equal(reader->states[key].segment != 0, !is_deleted && key % 4 == 3);
        char payload[160];
        if (is_deleted)
            continue;
        assert_int_equal(reader->places[key].length, 13 + key * 3);
        assert_int_equal(wal_read(reader->wal, reader->places[key], payload, &err), 0);
        for (size_t i = 13; i < 13 + key * 3; i++)
            assert_int_equal(payload[i], 'a' + key % 26);
    }
    assert_int_equal(wal_id(reader->wal, &id, NULL), 0);
    assert_int_equal(id, 49); /* behind the 48 that were reserved */
    wal_close(&reader->wal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_split),
        cmocka_unit_test(test_record_bits),
        cmocka_unit_test(test_record_elsewhere),
        cmocka_unit_test(test_form_bits),
        cmocka_unit_test(test_form_of_another_version),
        cmocka_unit_test(test_trailer_bits),
        cmocka_unit_test(test_trailer_within),
        cmocka_unit_test(test_entries_split),
        cmocka_unit_test(test_entries_agree),
        cmocka_unit_test_setup_teardown(test_golden_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_golden_is_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
