/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control messages: what goes in comes out, a packet that is cut or altered anywhere is refused or
 * decodes within its bounds, and descriptors arrive under their labels.
 */

#include "base/rng.h"
#include "core/control.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void sample(struct control_message *message)
{
    control_init(message, CONTROL_INIT);
    message->generation = 7;
    message->id = 0x1122334455667788;
    message->seed = 42;
    message->wait_ms = -1;
    message->n_loops = 4;
    message->uid = 65534;
    message->gid = 65533;
    message->log_level = 2;
    message->is_ok = true;
    message->text = SLICE("node a\0/var/lib/weir");
    control_label(message, "bundle", 0, 0, 10);
    control_label(message, "listen:shop", 3, 99, -1);
    control_label(message, "board-ro", 2, 0, 11);
}

static void assert_same(const struct control_message *a, const struct control_message *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->seed, b->seed);
    assert_int_equal(a->wait_ms, b->wait_ms);
    assert_int_equal(a->n_loops, b->n_loops);
    assert_int_equal(a->uid, b->uid);
    assert_int_equal(a->gid, b->gid);
    assert_int_equal(a->log_level, b->log_level);
    assert_int_equal(a->is_ok, b->is_ok);
    assert_true(slice_equal(a->text, b->text));
    assert_int_equal(a->n_labels, b->n_labels);
    for (size_t i = 0; i < a->n_labels; i++) {
        assert_string_equal(a->labels[i].name, b->labels[i].name);
        assert_int_equal(a->labels[i].index, b->labels[i].index);
        assert_int_equal(a->labels[i].number, b->labels[i].number);
        assert_int_equal(a->labels[i].fd, b->labels[i].fd);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct control_message in, out;
    sample(&in);
    char buf[CONTROL_BYTES_MAX];
    int len = control_encode(&in, buf, sizeof(buf));
    assert_true(len > 0);
    const int fds[] = {10, 11};
    assert_int_equal(control_decode(slice_make(buf, (size_t)len), fds, 2, &out, NULL), 0);
    assert_same(&in, &out);
    assert_int_equal(control_find(&out, "board-ro", 2), 11);
    assert_int_equal(control_find(&out, "board-ro", 1), -1);
    assert_int_equal(control_take(&out, "bundle", 0), 10);
    assert_int_equal(control_take(&out, "bundle", 0), -1);
}

static void test_every_type_has_a_name(void **state)
{
    (void)state;
    for (int type = CONTROL_INIT; type < CONTROL_N_TYPES; type++)
        assert_string_not_equal(control_type_name((enum control_type)type), "unknown");
    assert_string_equal(control_type_name((enum control_type)0), "unknown");
    assert_string_equal(control_type_name(CONTROL_N_TYPES), "unknown");
}

/* A copy of exactly n bytes, so that a sanitizer sees every read behind them. */
static int decode_copy(const char *bytes, size_t n, const int *fds, size_t n_fds)
{
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    struct control_message message;
    struct err err = ERR_NONE;
    int result = control_decode(slice_make(copy, n), fds, n_fds, &message, &err);
    if (result < 0)
        assert_true(err.text[0] != 0);
    free(copy);
    return result;
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    struct control_message in;
    sample(&in);
    char buf[CONTROL_BYTES_MAX];
    int len = control_encode(&in, buf, sizeof(buf));
    const int fds[] = {10, 11};
    for (int n = 0; n < len; n++)
        assert_int_equal(decode_copy(buf, (size_t)n, fds, 2), -1);
    buf[len] = 0;
    assert_int_equal(decode_copy(buf, (size_t)len + 1, fds, 2), -1);
    assert_int_equal(decode_copy(buf, (size_t)len, fds, 1), -1);
    assert_int_equal(decode_copy(buf, (size_t)len, fds, 0), -1);
    assert_int_equal(decode_copy(buf, (size_t)len, fds, 2), 0);
}

static void test_no_room(void **state)
{
    (void)state;
    struct control_message in;
    sample(&in);
    char buf[CONTROL_BYTES_MAX];
    int len = control_encode(&in, buf, sizeof(buf));
    for (int n = 0; n < len; n++) {
        char *small = malloc((size_t)n + 1);
        assert_non_null(small);
        assert_int_equal(control_encode(&in, small, (size_t)n), -1);
        free(small);
    }
}

static void test_altered(void **state)
{
    (void)state;
    struct control_message in;
    sample(&in);
    char buf[CONTROL_BYTES_MAX], bad[CONTROL_BYTES_MAX];
    int len = control_encode(&in, buf, sizeof(buf));
    const int fds[] = {10, 11};
    struct rng rng;
    rng_init(&rng, 1);
    for (int round = 0; round < 20000; round++) {
        memcpy(bad, buf, (size_t)len);
        for (unsigned n = 0; n <= rng_below(&rng, 4); n++)
            bad[rng_below(&rng, (uint64_t)len)] = (char)rng_next(&rng);
        decode_copy(bad, (size_t)len, fds, 2);
    }
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    struct control_message in, out;
    control_init(&in, CONTROL_ANSWER);
    size_t n = CONTROL_TEXT_MAX + 1;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, 'x', n);
    in.text = slice_make(text, n);
    char buf[CONTROL_BYTES_MAX];
    int len = control_encode(&in, buf, sizeof(buf));
    assert_true(len > 0);
    assert_int_equal(control_decode(slice_make(buf, (size_t)len), NULL, 0, &out, NULL), 0);
    assert_int_equal(out.text.len, CONTROL_TEXT_MAX);
    assert_memory_equal(out.text.ptr + out.text.len - 4, " ...", 4);
    free(text);
}

/* The largest message of all fits into a packet. */
static void test_largest_fits(void **state)
{
    (void)state;
    struct control_message in;
    control_init(&in, CONTROL_SOCKETS);
    char name[CONTROL_NAME_MAX];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    for (int i = 0; i < CONTROL_LABELS_MAX; i++)
        control_label(&in, name, (uint32_t)i, 0, -1);
    char *text = calloc(1, CONTROL_TEXT_MAX);
    assert_non_null(text);
    in.text = slice_make(text, CONTROL_TEXT_MAX);
    char buf[CONTROL_BYTES_MAX];
    assert_true(control_encode(&in, buf, sizeof(buf)) > 0);
    free(text);
}

static void test_socket(void **state)
{
    (void)state;
    int pair[2], pipes[2];
    assert_int_equal(control_pair(pair, NULL), 0);
    assert_int_equal(pipe(pipes), 0);
    struct control_message in, out;
    char buf[CONTROL_BYTES_MAX];
    assert_int_equal(control_receive(pair[1], buf, &out, NULL), 0);
    control_init(&in, CONTROL_PREPARE);
    in.text = SLICE("why");
    control_label(&in, "reading", 0, 0, pipes[0]);
    control_label(&in, "bound before", 1, 5, -1);
    control_label(&in, "writing", 0, 0, pipes[1]);
    assert_int_equal(control_send(pair[0], &in, NULL), 0);
    assert_int_equal(control_receive(pair[1], buf, &out, NULL), 1);
    assert_true(slice_is(out.text, "why"));
    int reading = control_take(&out, "reading", 0), writing = control_take(&out, "writing", 0);
    assert_true(fcntl(reading, F_GETFD) & FD_CLOEXEC);
    char c = 'a';
    assert_int_equal(write(writing, &c, 1), 1);
    assert_int_equal(read(pipes[0], &c, 1), 1);
    close(reading);
    close(writing);
    control_close_fds(&out);
    /* What is no message is told, and its descriptors are closed. */
    assert_int_equal(send(pair[0], "junk", 4, 0), 4);
    struct err err = ERR_NONE;
    assert_int_equal(control_receive(pair[1], buf, &out, &err), -1);
    close(pair[0]);
    assert_int_equal(control_receive(pair[1], buf, &out, &err), -1);
    assert_int_equal(err.number, 0);
    assert_int_equal(control_send(pair[1], &in, &err), -1);
    close(pair[1]);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_every_type_has_a_name),
        cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_altered),      cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_largest_fits), cmocka_unit_test(test_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
