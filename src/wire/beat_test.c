/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Heartbeats as bytes, and that no byte of them can be changed.
 */

#include "wire/beat.h"

#include "base/hash.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A MAC that depends on each byte and on the key; the real one is tls's. */
static void mac(void *key, struct slice data, uint8_t ret_mac[BEAT_MAC_BYTES])
{
    for (uint64_t i = 0; i < BEAT_MAC_BYTES / 8; i++) {
        struct hash_key seed = {.k0 = strlen(key), .k1 = (uint64_t)((char *)key)[0] << 8 | i};
        uint64_t hash = hash_bytes(&seed, data);
        memcpy(ret_mac + i * 8, &hash, 8);
    }
}

static char first[] = "the first secret", second[] = "a second one", third[] = "third";

static struct beat_keys keys_of(char *a, char *b)
{
    struct beat_keys keys = {.n_items = 0};
    beat_keys_add(&keys, mac, a);
    if (b)
        beat_keys_add(&keys, mac, b);
    return keys;
}

static const struct beat sample = {
    .path = 3,
    .life = 0x0102030405060708,
    .number = 42,
    .heard_life = 0xf1f2f3f4f5f6f7f8,
    .heard_number = 300,
    .held_us = 1500,
    .file_hash = 0xabcdef,
    .period_ms = 100,
    .turn = 9,
    .flags = BEAT_ASKS,
    .name = SLICE_INIT("edge-a"),
};

static struct slice write_sample(struct beat_writer *writer, const struct beat_keys *keys)
{
    struct beat_fact up = {.state = 2,
                           .age_s = 7,
                           .value = 0.25,
                           .name = SLICE("pool:web"),
                           .reason = SLICE("2/2 up")};
    struct beat_fact serving = {.state = 6, .name = SLICE("listen:shop"), .reason = SLICE("")};
    beat_begin(writer, &sample);
    assert_true(beat_add_fact(writer, &up));
    assert_true(beat_add_fact(writer, &serving));
    size_t len = beat_finish(writer, keys);
    return slice_make((const char *)writer->bytes, len);
}

/* ---- bytes ---- */

/* The head is a promise to other builds: docs/formats/heartbeat.md. */
static void test_form(void **state)
{
    (void)state;
    static const uint8_t head[] = {
        'W', 'B',  1,    3,    0,    0,    0, 0,  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
        0,   0,    0,    0,    0,    0,    0, 42, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
        0,   0,    0,    0,    0,    0,    1, 44, 0,    0,    5,    220,  0,    0,    0,    0,
        0,   0xab, 0xcd, 0xef, 0,    100,  9, 1,  6,    'e',  'd',  'g',  'e',  '-',  'a',  2,
        0,   0,    0,    7,    0x3f, 0xd0, 0, 0,  0,    0,    0,    0,    8,    'p'};
    struct beat_writer writer = {.len = 0};
    struct beat_keys keys = keys_of(first, NULL);
    struct slice bytes = write_sample(&writer, &keys);
    memset(writer.bytes + 4, 0, BEAT_ID_BYTES);
    assert_memory_equal(bytes.ptr, head, sizeof(head));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct beat_writer writer = {.len = 0};
    struct beat_keys keys = keys_of(first, NULL);
    struct beat beat;
    struct beat_fact fact;
    assert_int_equal(beat_read(write_sample(&writer, &keys), &keys, &beat), BEAT_OK);
    assert_int_equal(beat.path, 3);
    assert_true(beat.life == sample.life && beat.number == 42);
    assert_true(beat.heard_life == sample.heard_life && beat.heard_number == 300);
    assert_int_equal(beat.held_us, 1500);
    assert_int_equal(beat.file_hash, 0xabcdef);
    assert_true(beat.period_ms == 100 && beat.turn == 9 && beat.flags == BEAT_ASKS);
    assert_true(slice_is(beat.name, "edge-a"));
    assert_true(beat_next_fact(&beat.facts, &fact));
    assert_true(slice_is(fact.name, "pool:web") && slice_is(fact.reason, "2/2 up"));
    assert_true(fact.state == 2 && fact.age_s == 7 && fact.value == 0.25);
    assert_true(beat_next_fact(&beat.facts, &fact));
    assert_true(slice_is(fact.name, "listen:shop") && fact.reason.len == 0 && fact.state == 6);
    assert_false(beat_next_fact(&beat.facts, &fact));
}

static void test_every_byte_counts(void **state)
{
    (void)state;
    struct beat_writer writer = {.len = 0};
    struct beat_keys keys = keys_of(first, NULL);
    struct beat beat;
    struct slice bytes = write_sample(&writer, &keys);
    for (size_t i = 0; i < bytes.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            writer.bytes[i] ^= (uint8_t)(1 << bit);
            assert_int_not_equal(beat_read(bytes, &keys, &beat), BEAT_OK);
            writer.bytes[i] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t n = 0; n < bytes.len; n++)
        assert_int_not_equal(beat_read(slice_make(bytes.ptr, n), &keys, &beat), BEAT_OK);
}

static void test_keys(void **state)
{
    (void)state;
    struct beat_writer writer = {.len = 0};
    struct beat beat;
    struct beat_keys old = keys_of(first, NULL), turning = keys_of(second, first);
    struct beat_keys new = keys_of(second, NULL), other = keys_of(third, NULL);
    struct slice bytes = write_sample(&writer, &old);
    assert_int_equal(beat_read(bytes, &turning, &beat), BEAT_OK);
    assert_int_equal(beat_read(bytes, &other, &beat), BEAT_NO_KEY);
    bytes = write_sample(&writer, &turning);
    assert_int_equal(beat_read(bytes, &new, &beat), BEAT_OK);
    assert_int_equal(beat_read(bytes, &old, &beat), BEAT_NO_KEY);
    memcpy(other.items[0].id, writer.bytes + 4, BEAT_ID_BYTES);
    assert_int_equal(beat_read(bytes, &other, &beat), BEAT_FORGED);
}

/* Well signed, and still not of the form: a bug of another build must not be believed either. */
static void test_signed_nonsense(void **state)
{
    (void)state;
    struct beat_keys keys = keys_of(first, NULL);
    static const struct {
        size_t at;
        uint8_t value;
    } rows[] = {
        {0, 'X'},                    /* no beat */
        {2, 2},                      /* another version */
        {3, BEAT_PATHS_MAX},         /* a path that cannot be */
        {53, 0},                     /* no time between two rounds */
        {BEAT_HEAD_BYTES, 0},        /* no name */
        {BEAT_HEAD_BYTES, 64},       /* one that is too long */
        {BEAT_HEAD_BYTES, 255},      /* one that goes on behind the end */
        {BEAT_HEAD_BYTES, 5},        /* facts that begin at a wrong byte */
        {BEAT_HEAD_BYTES + 20, 250}, /* a fact's name that is cut off */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct beat_writer writer = {.len = 0};
        struct beat beat;
        write_sample(&writer, &keys);
        writer.bytes[rows[i].at] = rows[i].value;
        writer.len -= BEAT_MAC_BYTES;
        size_t len = beat_finish(&writer, &keys);
        struct slice bytes = slice_make((const char *)writer.bytes, len);
        if (beat_read(bytes, &keys, &beat) != BEAT_MALFORMED)
            fail_msg("row %zu was taken", i);
    }
}

static void test_room(void **state)
{
    (void)state;
    struct beat_writer writer = {.len = 0};
    struct beat_keys keys = keys_of(first, NULL);
    struct beat beat;
    struct beat_fact fact = {.state = 2, .name = SLICE("pool:p"), .reason = SLICE("good")};
    size_t n = 0, n_read = 0;
    beat_begin(&writer, &sample);
    while (beat_add_fact(&writer, &fact))
        n++;
    size_t len = beat_finish(&writer, &keys);
    assert_true(len <= BEAT_BYTES_MAX && len + BEAT_FACT_BYTES + 10 > BEAT_BYTES_MAX);
    struct slice bytes = slice_make((const char *)writer.bytes, len);
    assert_int_equal(beat_read(bytes, &keys, &beat), BEAT_OK);
    while (beat_next_fact(&beat.facts, &fact))
        n_read++;
    assert_int_equal(n_read, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_signed_nonsense),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
