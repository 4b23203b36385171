/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bytes and ends of connections under TLS: large ones, back-pressure, sizes of records, ends that
 * are told and cuts that are seen.
 */

#include "tls/transport_stage.h"

enum { LONG = 3000000, PATTERN = 251, TURNS = 20000 };

/* ---- bytes ---- */

static char *pattern(size_t len)
{
    char *bytes = mem_alloc(len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i % PATTERN);
    return bytes;
}

static void pump(struct scene *scene, struct side *from, const struct side *to, size_t len,
                 size_t step)
{
    char *bytes = pattern(len);
    size_t given = 0;
    for (int i = 0; i < TURNS && to->got.len < len; i++) {
        while (given < len && conn_pending(&from->conn) == 0) {
            size_t n = len - given < step ? len - given : step;
            assert_int_equal(conn_send(&from->conn, bytes + given, n, false), 0);
            given += n;
        }
        turn(scene);
    }
    assert_int_equal(to->got.len, len);
    assert_memory_equal(to->got.ptr, bytes, len);
    mem_free(bytes);
}

static void test_large(void **state)
{
    (void)state;
    static const size_t steps[] = {LONG, 100000, 16384, 5000};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct scene scene;
        scene_make(&scene);
        connect_both(&scene, "shop.test", NULL, 4608);
        settle(&scene);
        pump(&scene, &scene.at_server, &scene.at_client, LONG, steps[i]);
        pump(&scene, &scene.at_client, &scene.at_server, LONG, steps[i]);
        assert_int_equal(conn_pending(&scene.at_server.conn), 0);
        scene_free(&scene);
    }
}

/* The peer reads nothing: what is held stays within a batch, and all comes at last. */
static void test_back_pressure(void **state)
{
    (void)state;
    struct scene scene;
    scene_make(&scene);
    connect_both(&scene, "shop.test", NULL, 4608);
    settle(&scene);
    char *bytes = pattern(LONG);
    scene.at_client.is_deaf = true;
    assert_int_equal(conn_send(&scene.at_server.conn, bytes, LONG, false), 0);
    settle(&scene);
    assert_true(conn_pending(&scene.at_server.conn) > LONG / 2);
    assert_true(scene.at_server.conn.n_held > 0);
    assert_true(scene.at_server.conn.n_held < 2 * TLS_BATCH);
    scene.at_client.is_deaf = false;
    conn_again(&scene.at_client.conn, LOOP_READ);
    for (int i = 0; i < TURNS && scene.at_client.got.len < LONG; i++)
        turn(&scene);
    assert_int_equal(scene.at_client.got.len, LONG);
    assert_memory_equal(scene.at_client.got.ptr, bytes, LONG);
    mem_free(bytes);
    scene_free(&scene);
}

static size_t records_of(struct scene *scene, const size_t *lens, int n)
{
    struct iovec parts[4];
    char *bytes = pattern(200000);
    size_t before = scene->n_records, total = 0, got = scene->at_client.got.len;
    for (int i = 0; i < n; i++) {
        parts[i] = (struct iovec){.iov_base = bytes + total, .iov_len = lens[i]};
        total += lens[i];
    }
    assert_int_equal(conn_sendv(&scene->at_server.conn, parts, n, false), 0);
    settle(scene);
    assert_int_equal(scene->at_client.got.len - got, total);
    assert_memory_equal(scene->at_client.got.ptr + got, bytes, total);
    mem_free(bytes);
    return scene->n_records - before;
}

static void test_records(void **state)
{
    (void)state;
    struct scene scene;
    scene_make(&scene);
    connect_both(&scene, "shop.test", NULL, 0);
    settle(&scene);
    scene.n_records = 0;
    /* A head and a small body, in parts, are one record. */
    assert_int_equal(records_of(&scene, (const size_t[]){200, 10, 1024, 2}, 4), 1);
    assert_int_equal(records_of(&scene, (const size_t[]){0, 10, 0, 100}, 4), 1);
    /* 64 KB from a connection that has just begun: small ones for 16 KB, then whole ones. */
    assert_int_equal(records_of(&scene, (const size_t[]){200, 65536}, 2), 4 + 4);
    /* The same again: well under way. */
    scene.longest = 0;
    assert_int_equal(records_of(&scene, (const size_t[]){65536}, 1), 4);
    assert_true(scene.longest > TLS_RECORD_MAX);
    scene_free(&scene);
}

/* ---- ends ---- */

static void test_end_is_told(void **state)
{
    (void)state;
    struct scene scene;
    scene_make(&scene);
    connect_both(&scene, "shop.test", NULL, 0);
    settle(&scene);
    send_text(&scene.at_server, "the last words"); /* and the end in one flight */
    assert_int_equal(conn_shutdown(&scene.at_server.conn), 0);
    settle(&scene);
    assert_got(&scene.at_client, "the last words");
    assert_true(scene.at_client.is_ended);
    assert_int_equal(scene.at_client.error, 0);
    send_text(&scene.at_client, "heard"); /* the other direction is still open */
    settle(&scene);
    assert_got(&scene.at_server, "heard");
    assert_int_equal(conn_send(&scene.at_server.conn, "x", 1, false), -EPIPE);
    scene_free(&scene);
}

static void test_cut_is_seen(void **state)
{
    (void)state;
    for (int is_abort = 0; is_abort < 2; is_abort++) {
        struct scene scene;
        scene_make(&scene);
        connect_both(&scene, "shop.test", NULL, 0);
        settle(&scene);
        send_text(&scene.at_server, "half a");
        settle(&scene);
        if (is_abort) {
            conn_abort(&scene.at_server.conn);
        } else {
            shutdown(scene.relay[1], SHUT_WR); /* the wire */
        }
        settle(&scene);
        assert_got(&scene.at_client, "half a");
        assert_false(scene.at_client.is_ended);
        assert_int_equal(scene.at_client.error, ECONNRESET);
        scene_free(&scene);
    }
}

/* Bytes still wait: to say that this was all would be a lie. */
static void test_close_while_bytes_wait(void **state)
{
    (void)state;
    struct scene scene;
    scene_make(&scene);
    connect_both(&scene, "shop.test", NULL, 4608);
    settle(&scene);
    char *bytes = pattern(LONG);
    scene.at_client.is_deaf = true;
    assert_int_equal(conn_send(&scene.at_server.conn, bytes, LONG, false), 0);
    conn_close(&scene.at_server.conn);
    scene.at_client.is_deaf = false;
    settle(&scene);
    conn_again(&scene.at_client.conn, LOOP_READ);
    settle(&scene);
    assert_false(scene.at_client.is_ended);
    assert_int_not_equal(scene.at_client.error, 0);
    mem_free(bytes);
    scene_free(&scene);
}

static void test_idle_client(void **state)
{
    (void)state;
    struct scene scene;
    struct tls_resume *resume = tls_resume_create();
    scene_make(&scene);
    connect_both(&scene, "shop.test", resume, 0);
    for (int i = 0; i < TURNS && scene.at_client.conn.is_connecting; i++)
        turn(&scene);
    scene.at_client.is_deaf = true; /* idle: the server's ticket is on its way, or there */
    settle(&scene);
    assert_int_equal(conn_is_stale(&scene.at_client.conn), 0);
    send_text(&scene.at_server, "nobody asked");
    settle(&scene);
    assert_int_equal(conn_is_stale(&scene.at_client.conn), 1);
    scene.at_client.is_deaf = false;
    conn_again(&scene.at_client.conn, LOOP_READ);
    settle(&scene);
    assert_got(&scene.at_client, "nobody asked");
    scene.at_client.is_deaf = true;
    assert_int_equal(conn_is_stale(&scene.at_client.conn), 0);
    conn_close(&scene.at_server.conn);
    settle(&scene);
    assert_int_equal(conn_is_stale(&scene.at_client.conn), 1);
    tls_resume_unref(&resume);
    scene_free(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),       cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_records),     cmocka_unit_test(test_end_is_told),
        cmocka_unit_test(test_cut_is_seen), cmocka_unit_test(test_close_while_bytes_wait),
        cmocka_unit_test(test_idle_client),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
