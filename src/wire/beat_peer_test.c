/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two nodes that prove themselves to each other, over several paths, while somebody replays what he
 * has recorded.
 */

#include "wire/beat_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define MS 1000000ull

static struct beat send_from(struct beat_peer *from, uint64_t now_ns, uint8_t path)
{
    struct beat beat = {.path = path};
    beat_peer_send(from, now_ns, &beat);
    return beat;
}

/* a and b know each other; `now` is the time of the last beat. */
static uint64_t meet(struct beat_peer *a, struct beat_peer *b, uint64_t now_ns)
{
    struct beat beat = send_from(a, now_ns, 0);
    assert_int_equal(beat_peer_take(b, &beat, now_ns + MS), BEAT_UNPROVEN);
    beat = send_from(b, now_ns + 2 * MS, 0);
    assert_int_equal(beat_peer_take(a, &beat, now_ns + 3 * MS), BEAT_NEWS);
    beat = send_from(a, now_ns + 4 * MS, 0);
    assert_int_equal(beat_peer_take(b, &beat, now_ns + 5 * MS), BEAT_NEWS);
    return now_ns + 5 * MS;
}

static void test_two_meet(void **state)
{
    (void)state;
    struct beat_peer a, b;
    beat_peer_init(&a, 7);
    beat_peer_init(&b, 9);
    assert_true(beat_peer_silence_ns(&b, 1000 * MS) == UINT64_MAX);
    uint64_t now = meet(&a, &b, 1000 * MS);
    assert_true(b.life == 7 && a.life == 9);
    assert_true(beat_peer_silence_ns(&b, now + 20 * MS) == 20 * MS);
    assert_true(b.round_trip_ns == 2 * MS); /* 3 ms since it was sent, held for 1 */
    for (int i = 0; i < 1000; i++, now += 100 * MS) {
        struct beat beat = send_from(&a, now, 0);
        assert_int_equal(beat_peer_take(&b, &beat, now + MS), BEAT_NEWS);
    }
}

static void test_paths(void **state)
{
    (void)state;
    struct beat_peer a, b;
    beat_peer_init(&a, 7);
    beat_peer_init(&b, 9);
    uint64_t now = meet(&a, &b, 1000 * MS);
    struct beat beat = send_from(&a, now, 0);
    assert_int_equal(beat_peer_take(&b, &beat, now + MS), BEAT_NEWS);
    beat.path = 1;
    assert_int_equal(beat_peer_take(&b, &beat, now + 2 * MS), BEAT_AGAIN);
    assert_true(b.paths[1].heard_ns == now + 2 * MS);
    assert_int_equal(beat_peer_take(&b, &beat, now + 3 * MS), BEAT_OLD);
    assert_true(b.paths[1].heard_ns == now + 2 * MS);
    assert_true(b.heard_ns == now + MS);
}

static void test_replay(void **state)
{
    (void)state;
    struct beat_peer a, b;
    struct beat recorded[3];
    beat_peer_init(&a, 7);
    beat_peer_init(&b, 9);
    uint64_t now = meet(&a, &b, 1000 * MS);
    for (int i = 0; i < 3; i++, now += 100 * MS) {
        recorded[i] = send_from(&a, now, 0);
        assert_int_equal(beat_peer_take(&b, &recorded[i], now), BEAT_NEWS);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(beat_peer_take(&b, &recorded[i], now), BEAT_OLD);

    /* a starts again, and its former life is played back. */
    struct beat_peer a2;
    beat_peer_init(&a2, 8);
    struct beat beat = send_from(&a2, now, 0);
    assert_int_equal(beat_peer_take(&b, &beat, now), BEAT_UNPROVEN);
    assert_true(b.life == 7);
    beat = send_from(&b, now, 0);
    assert_int_equal(beat_peer_take(&a2, &beat, now), BEAT_NEWS);
    beat = send_from(&a2, now, 0);
    assert_int_equal(beat_peer_take(&b, &beat, now), BEAT_NEWS);
    assert_true(b.life == 8);
    assert_int_equal(beat_peer_take(&b, &recorded[2], now), BEAT_PAST);
    assert_true(b.life == 8 && b.candidate_life == 0);

    /* b starts again: nothing that was recorded can have heard its new life. */
    struct beat_peer b2;
    beat_peer_init(&b2, 10);
    (void)send_from(&b2, now, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(beat_peer_take(&b2, &recorded[i], now), BEAT_UNPROVEN);
    assert_true(b2.life == 0 && beat_peer_silence_ns(&b2, now) == UINT64_MAX);
}

/* What was heard long ago proves nothing, even of this life. */
static void test_old_proof(void **state)
{
    (void)state;
    struct beat_peer a, b;
    beat_peer_init(&a, 7);
    beat_peer_init(&b, 9);
    struct beat beat = send_from(&b, 1000 * MS, 0);
    assert_int_equal(beat_peer_take(&a, &beat, 1000 * MS), BEAT_UNPROVEN);
    beat = send_from(&a, 1000 * MS, 0);
    assert_true(beat.heard_life == 9 && beat.heard_number == 1);
    uint64_t late = 1000 * MS + (BEAT_PROOF_MS + 1) * MS;
    assert_int_equal(beat_peer_take(&b, &beat, late), BEAT_UNPROVEN);
    beat.heard_number = 2; /* which b has not sent */
    assert_int_equal(beat_peer_take(&b, &beat, 1000 * MS), BEAT_UNPROVEN);
    beat.heard_number = 1;
    beat.heard_life = 6;
    assert_int_equal(beat_peer_take(&b, &beat, 1000 * MS), BEAT_UNPROVEN);
    beat.heard_life = 9;
    assert_int_equal(beat_peer_take(&b, &beat, 1000 * MS), BEAT_NEWS);
}

/* While a recording of an earlier life is played to it all the time, a node that has started again
 * still proves itself. */
static void test_recording_does_not_drown_the_echo(void **state)
{
    (void)state;
    struct beat_peer a, b;
    beat_peer_init(&a, 7);
    beat_peer_init(&b, 9);
    struct beat recorded = {.life = 5, .number = 1000}; /* of a, before it was 7 */
    struct beat beat = send_from(&b, 1000 * MS, 0);
    assert_int_equal(beat_peer_take(&a, &beat, 1000 * MS), BEAT_UNPROVEN);
    beat = send_from(&a, 1001 * MS, 0);
    assert_int_equal(beat_peer_take(&b, &beat, 1001 * MS), BEAT_NEWS);
    int n_beats = 0;
    do {
        assert_int_equal(beat_peer_take(&b, &recorded, 1002 * MS), BEAT_UNPROVEN);
        beat = send_from(&b, 1002 * MS, 0);
        assert_true(++n_beats <= BEAT_CANDIDATE_ECHOES + 1);
    } while (beat_peer_take(&a, &beat, 1003 * MS) != BEAT_NEWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_meet),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_old_proof),
        cmocka_unit_test(test_recording_does_not_drown_the_echo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
