/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Records of a binlog: each member in its place, each cut and each wrong byte. That a real
 * beanstalkd writes such files is in tests/system/test_queue_import.py.
 */

#include "wire/binlog.h"

#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { STATE_BYTES = 80, AT_STATE = 76, AT_BODY_BYTES = 32 };

static void put(struct text *out, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        text_append_char(out, (char)(unsigned char)(value >> (8 * i)));
}

/* A record with a number of its own in each place, and gaps of 0xaa. */
static void write_record(struct text *out, const char *tube, const char *body, unsigned state)
{
    put(out, strlen(tube), 4);
    text_append(out, slice_from(tube));
    put(out, 0x0102030405060708, 8);
    put(out, 0x11121314, 4);
    put(out, 0xaaaaaaaa, 4);
    put(out, 0x2122232425262728, 8);
    put(out, 0x3132333435363738, 8);
    put(out, strlen(body) + 2, 4);
    put(out, 0xaaaaaaaa, 4);
    put(out, 0x4142434445464748, 8);
    put(out, 0x5152535455565758, 8);
    for (uint64_t i = 1; i <= 5; i++)
        put(out, 0x61626360 + i, 4);
    put(out, state, 1);
    put(out, 0xaaaaaa, 3);
    if (tube[0])
        text_append(out, slice_from(body));
    if (tube[0])
        text_append(out, SLICE("\r\n"));
}

static void check_members(const struct binlog_record *record)
{
    assert_true(record->id == 0x0102030405060708);
    assert_int_equal(record->priority, 0x11121314);
    assert_true(record->delay_ns == 0x2122232425262728);
    assert_true(record->ttr_ns == 0x3132333435363738);
    assert_true(record->created_ns == 0x4142434445464748);
    assert_true(record->deadline_ns == 0x5152535455565758);
    assert_int_equal(record->n_reserves, 0x61626361);
    assert_int_equal(record->n_timeouts, 0x61626362);
    assert_int_equal(record->n_releases, 0x61626363);
    assert_int_equal(record->n_buries, 0x61626364);
    assert_int_equal(record->n_kicks, 0x61626365);
    assert_int_equal(record->body_bytes, 5);
}

/* In memory of its own length, so that a read behind it is seen. */
static ssize_t read_copy(struct slice bytes, struct binlog_record *ret_record)
{
    char *copy = mem_alloc(bytes.len > 0 ? bytes.len : 1);
    memcpy(copy, bytes.ptr, bytes.len);
    ssize_t n = binlog_read(slice_make(copy, bytes.len), ret_record);
    mem_free(copy);
    return n;
}

static void test_members_and_cuts(void **state)
{
    (void)state;
    static const char *const tubes[] = {"", "mail"};
    for (size_t i = 0; i < ARRAY_LEN(tubes); i++) {
        for (unsigned s = 0; s < BINLOG_N_STATES; s++) {
            struct text out = TEXT_NONE;
            struct binlog_record record;
            write_record(&out, tubes[i], "hello", s);
            for (size_t n = 0; n < out.len; n++)
                assert_int_equal(read_copy(slice_make(out.ptr, n), &record), 0);
            size_t len = out.len;
            text_append(&out, SLICE("next"));
            assert_int_equal(binlog_read(text_slice(&out), &record), len);
            check_members(&record);
            assert_int_equal(record.state, s);
            assert_true(slice_is(record.tube, tubes[i]));
            assert_true(slice_is(record.body, tubes[i][0] ? "hello" : ""));
            text_deinit(&out);
        }
    }
}

/* A full record of which one byte is another. */
static ssize_t with_byte(size_t at, unsigned char byte)
{
    struct text out = TEXT_NONE;
    struct binlog_record record;
    write_record(&out, "mail", "hello", BINLOG_READY);
    assert_true(at < out.len);
    out.ptr[at] = (char)byte;
    ssize_t n = read_copy(text_slice(&out), &record);
    text_deinit(&out);
    return n;
}

static void test_what_is_none(void **state)
{
    (void)state;
    enum { AT = 4 + 4, LEN = AT + STATE_BYTES + 7 };
    assert_int_equal(with_byte(AT + AT_STATE, BINLOG_DELAYED), LEN);
    assert_int_equal(with_byte(AT + AT_STATE, BINLOG_N_STATES), -1);
    assert_int_equal(with_byte(AT + AT_STATE, 255), -1);
    assert_int_equal(with_byte(0, BINLOG_TUBE_MAX + 1), -1);
    assert_int_equal(with_byte(3, 0x80), -1);
    assert_int_equal(with_byte(4, ' '), -1);
    assert_int_equal(with_byte(4, '-'), -1);
    assert_int_equal(with_byte(LEN - 1, 'x'), -1);
    assert_int_equal(with_byte(LEN - 2, 'x'), -1);
    assert_int_equal(with_byte(AT + AT_BODY_BYTES, 0), -1);
    assert_int_equal(with_byte(AT + AT_BODY_BYTES, 1), -1);
    assert_int_equal(with_byte(AT + AT_BODY_BYTES, 2), -1);
    assert_int_equal(with_byte(AT + AT_BODY_BYTES, 8), 0);
    assert_int_equal(with_byte(AT + AT_BODY_BYTES + 3, 0x40), -1);
    assert_int_equal(with_byte(AT + AT_BODY_BYTES + 3, 0x80), -1);
}

static void test_the_end(void **state)
{
    (void)state;
    static const char zeros[4 + STATE_BYTES + 1];
    struct binlog_record record;
    for (size_t n = 0; n < 4 + STATE_BYTES; n++)
        assert_int_equal(binlog_read(slice_make(zeros, n), &record), 0);
    assert_int_equal(binlog_read(slice_make(zeros, sizeof(zeros)), &record), 4 + STATE_BYTES);
    assert_int_equal(record.id, 0);
    assert_int_equal(binlog_version(SLICE("\7\0\0\0")), BINLOG_VERSION);
    assert_int_equal(binlog_version(SLICE("\0\0\0\7")), 7 << 24);
    assert_int_equal(binlog_version(SLICE("\7\0\0")), -1);
    assert_int_equal(binlog_version(SLICE("")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_members_and_cuts),
                                       cmocka_unit_test(test_what_is_none),
                                       cmocka_unit_test(test_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
