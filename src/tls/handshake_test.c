/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Handshakes over socket pairs: names, resumption, verification, and all the ways in which they
 * fail.
 */

#include "tls/transport_stage.h"
#include <fcntl.h>

/* ---- handshakes ---- */

static void test_both_ways(void **state)
{
    (void)state;
    static const enum tls_versions rows[] = {TLS_VERSIONS_12, TLS_VERSIONS_13};
    static const char *const names[] = {"TLSv1.2", "TLSv1.3"};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        scene_init(&scene);
        scene.server = make_server("shop", SECRET, rows[i]);
        scene.client = make_client(true);
        connect_both(&scene, "shop.test", NULL, 0);
        assert_true(scene.at_client.conn.is_connecting);
        assert_null(tls_version(&scene.at_client.conn));
        send_text(&scene.at_client, "hello"); /* waits until the handshake is done */
        assert_int_equal(conn_pending(&scene.at_client.conn), 5);
        settle(&scene);
        assert_done(&scene, TLS_FULL);
        assert_got(&scene.at_server, "hello");
        send_text(&scene.at_server, "good day");
        settle(&scene);
        assert_got(&scene.at_client, "good day");
        assert_string_equal(tls_version(&scene.at_server.conn), names[i]);
        scene_free(&scene);
    }
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    static const enum tls_versions rows[] = {TLS_VERSIONS_12, TLS_VERSIONS_13};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        scene_init(&scene);
        scene.server = make_server("shop", SECRET, rows[i]);
        scene.client = make_client(true);
        scene.chunk = 1;
        connect_both(&scene, "a.shop.test", NULL, 0);
        send_text(&scene.at_client, "hello");
        settle(&scene);
        send_text(&scene.at_server, "good day");
        settle(&scene);
        assert_done(&scene, TLS_FULL);
        assert_got(&scene.at_server, "hello");
        assert_got(&scene.at_client, "good day");
        conn_close(&scene.at_client.conn);
        settle(&scene);
        assert_true(scene.at_server.is_ended);
        scene_free(&scene);
    }
}

static void test_resumed(void **state)
{
    (void)state;
    static const enum tls_versions rows[] = {TLS_VERSIONS_12, TLS_VERSIONS_13};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        struct tls_resume *resume = tls_resume_create();
        scene_init(&scene);
        scene.server = make_server("shop", SECRET, rows[i]);
        scene.client = make_client(true);
        for (int round = 0; round < 4; round++) {
            if (round == 2) { /* another life, whose new things are made with another secret */
                tls_server_destroy(&scene.server);
                scene.server = make_server("shop", SECRET2 "\n" SECRET, rows[i]);
            }
            connect_both(&scene, "shop.test", resume, 0);
            settle(&scene);
            assert_done(&scene, round == 0 ? TLS_FULL : TLS_RESUMED);
            assert_int_equal(tls_is_resumed(&scene.at_server.conn), round > 0);
            close_both(&scene);
        }
        tls_server_destroy(&scene.server);
        scene.server = make_server("shop", SECRET, rows[i]); /* knows nothing of the new one */
        connect_both(&scene, "shop.test", resume, 0);
        settle(&scene);
        assert_done(&scene, TLS_FULL);
        tls_resume_unref(&resume);
        scene_free(&scene);
    }
}

/* A listen is gone, or has other certificates: who is there stays. */
static void test_server_gone(void **state)
{
    (void)state;
    struct scene scene;
    scene_make(&scene);
    connect_both(&scene, "shop.test", NULL, 0);
    tls_server_destroy(&scene.server);
    tls_client_destroy(&scene.client);
    settle(&scene);
    assert_done(&scene, TLS_FULL);
    send_text(&scene.at_client, "hello");
    settle(&scene);
    assert_got(&scene.at_server, "hello");
    scene_free(&scene);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *asked;
        struct sample *sample;
    } rows[] = {
        {"shop.test", &shop},     {"SHOP.test", &shop},   {"b.shop.test", &shop},
        {"a.shop.test", &other},  {"other.test", &other}, {"A.Shop.Test", &other},
        {"a.b.shop.test", &shop}, {"nobody.test", &shop}, {"127.0.0.1", &shop},
        {"test", &shop},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        scene_init(&scene);
        scene.server = make_server("shop other", SECRET, TLS_VERSIONS_BOTH);
        scene.client = make_client(false);
        connect_both(&scene, rows[i].asked, NULL, 0);
        settle(&scene);
        assert_done(&scene, TLS_FULL);
        X509 *seen = SSL_get1_peer_certificate(tls_state_of(&scene.at_client.conn)->ssl);
        assert_int_equal(X509_cmp(seen, rows[i].sample->cert), 0);
        X509_free(seen);
        scene_free(&scene);
    }
}

static void test_verified(void **state)
{
    (void)state;
    static const struct {
        const char *certs, *asked, *says; /* NULL: passes */
    } rows[] = {
        {"shop", "shop.test", NULL},
        {"shop", "127.0.0.1", NULL},
        {"shop", "other.test", "hostname mismatch"},
        {"shop", "127.0.0.2", "IP address mismatch"},
        {"shop", "a.b.shop.test", "hostname mismatch"},
        {"expired", "shop.test", "certificate has expired"},
        {"stranger", "shop.test", "self-signed certificate"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        scene_init(&scene);
        scene.server = make_server(rows[i].certs, SECRET, TLS_VERSIONS_BOTH);
        scene.client = make_client(true);
        connect_both(&scene, rows[i].asked, NULL, 0);
        settle(&scene);
        if (!rows[i].says) {
            assert_done(&scene, TLS_FULL);
        } else {
            assert_int_equal(scene.at_client.error, EKEYREJECTED);
            assert_int_equal(tls_failure(&scene.at_client.conn), TLS_UNTRUSTED);
            assert_non_null(strstr(conn_reason(&scene.at_client.conn), rows[i].says));
            assert_int_equal(word(&scene.at_client, TLS_FAILED_BY(TLS_UNTRUSTED)), 1);
            assert_int_equal(word(&scene.at_client, TLS_ACTIVE), 0);
            /* In TLS 1.3 the server was done before; then its connection ends with an alert. */
            assert_true(scene.at_server.error != 0);
        }
        scene_free(&scene);
    }
}

static void test_no_name(void **state)
{
    (void)state;
    struct scene scene;
    struct err err = ERR_NONE;
    int fds[2];
    scene_make(&scene);
    pair(fds, 0);
    struct side *side = &scene.at_client;
    assert_int_equal(conn_open(&side->conn, scene.loop, fds[0], side_on_event, NULL), 0);
    assert_int_equal(tls_connect(&side->conn, scene.client, SLICE(""), NULL, &err), -1);
    assert_non_null(strstr(err.text, "no name"));
    close(fds[1]);
    scene_free(&scene);
}

/* ---- handshakes that fail ---- */

static void scene_raw(struct scene *scene, const char *bytes, size_t len)
{
    int fds[2];
    scene_make(scene);
    pair(fds, 0);
    scene->relay[1] = fds[1];
    open_server(scene, fds[0]);
    assert_int_equal(send(fds[1], bytes, len, 0), (ssize_t)len);
    for (int i = 0; i < 5; i++)
        loop_turn(scene->loop, 0);
}

static void test_garbage(void **state)
{
    (void)state;
    static const char *const rows[] = {"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b",
                                       "SSH-2.0-OpenSSH_9.2p1\r\n",
                                       "\x16\x03\x01\x01\x01\x02\x02\x02\x02\x02\x02\x02"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        scene_raw(&scene, rows[i], strlen(rows[i]));
        if (i == 2) /* what may still become a record: until the peer goes */
            shutdown(scene.relay[1], SHUT_WR);
        for (int k = 0; k < 5; k++)
            loop_turn(scene.loop, 0);
        assert_int_not_equal(scene.at_server.error, 0);
        assert_int_equal(tls_failure(&scene.at_server.conn), i == 2 ? TLS_CLOSED : TLS_MALFORMED);
        assert_non_null(conn_reason(&scene.at_server.conn));
        assert_int_equal(word(&scene.at_server, TLS_ACTIVE), 0);
        scene_free(&scene);
    }
}

static void test_plain_request(void **state)
{
    (void)state;
    struct scene scene;
    char answer[512];
    static const char ask[] = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
    scene_raw(&scene, ask, sizeof(ask) - 1);
    assert_int_equal(tls_failure(&scene.at_server.conn), TLS_PLAIN);
    assert_int_equal(word(&scene.at_server, TLS_FAILED_BY(TLS_PLAIN)), 1);
    conn_close(&scene.at_server.conn);
    ssize_t n = recv(scene.relay[1], answer, sizeof(answer) - 1, 0);
    assert_true(n > 0);
    answer[n] = '\0';
    assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
    const char *body = strstr(answer, "\r\n\r\n") + 4, *len = strstr(answer, "Content-Length: ");
    assert_int_equal(strlen(body), strtoul(len + 16, NULL, 10));
    assert_int_equal(recv(scene.relay[1], answer, 1, 0), 0);
    scene_free(&scene);
}

static void test_given_up(void **state)
{
    (void)state;
    struct scene scene;
    scene_raw(&scene, "\x16", 1);
    assert_int_equal(word(&scene.at_server, TLS_ACTIVE), 1);
    conn_close(&scene.at_server.conn);
    assert_int_equal(word(&scene.at_server, TLS_ACTIVE), 0);
    assert_int_equal(word(&scene.at_server, TLS_FAILED_BY(TLS_LATE)), 1);
    scene_free(&scene);
}

/* What the client of this test changes before it connects. */
static void fail_with(void (*change)(SSL *ssl), enum tls_versions versions, enum tls_failure want)
{
    struct scene scene;
    scene_init(&scene);
    scene.server = make_server("shop", SECRET, versions);
    scene.client = make_client(true);
    connect_both(&scene, "shop.test", NULL, 0);
    change(tls_state_of(&scene.at_client.conn)->ssl);
    settle(&scene);
    assert_int_equal(tls_failure(&scene.at_server.conn), want);
    assert_int_equal(word(&scene.at_server, TLS_FAILED_BY(want)), 1);
    assert_int_not_equal(scene.at_client.error, 0);
    assert_non_null(conn_reason(&scene.at_client.conn));
    scene_free(&scene);
}

static void only_h2(SSL *ssl)
{
    assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2", 3), 0);
}

static void only_12(SSL *ssl)
{
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
}

static void only_cbc(SSL *ssl)
{
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
    assert_int_equal(SSL_set_cipher_list(ssl, "ECDHE-ECDSA-AES128-SHA256"), 1);
}

static void test_nothing_in_common(void **state)
{
    (void)state;
    fail_with(only_h2, TLS_VERSIONS_BOTH, TLS_PROTOCOL);
    fail_with(only_12, TLS_VERSIONS_13, TLS_VERSION);
    fail_with(only_cbc, TLS_VERSIONS_BOTH, TLS_CIPHER);
}

static void http11_too(SSL *ssl)
{
    static const unsigned char names[] = "\x02h2\x08http/1.1";
    assert_int_equal(SSL_set_alpn_protos(ssl, names, sizeof(names) - 1), 0);
}

static void test_protocol_chosen(void **state)
{
    (void)state;
    struct scene scene;
    const unsigned char *name;
    unsigned len;
    scene_make(&scene);
    connect_both(&scene, "shop.test", NULL, 0);
    http11_too(tls_state_of(&scene.at_client.conn)->ssl);
    settle(&scene);
    assert_done(&scene, TLS_FULL);
    SSL_get0_alpn_selected(tls_state_of(&scene.at_client.conn)->ssl, &name, &len);
    assert_true(slice_is(slice_make((const char *)name, len), "http/1.1"));
    scene_free(&scene);
}

/* RFC 5246 section 7.2.2: a warning, and the connection goes on. */
static void test_renegotiation_refused(void **state)
{
    (void)state;
    struct scene scene;
    scene_init(&scene);
    scene.server = make_server("shop", SECRET, TLS_VERSIONS_12);
    scene.client = make_client(true);
    connect_both(&scene, "shop.test", NULL, 0);
    settle(&scene);
    SSL *ssl = tls_state_of(&scene.at_client.conn)->ssl;
    SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_renegotiate(ssl), 1);
    (void)SSL_do_handshake(ssl);
    ERR_clear_error();
    settle(&scene);
    assert_int_equal(word(&scene.at_server, TLS_FULL), 1);
    assert_int_not_equal(scene.at_client.error, 0);
    scene_free(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_server_gone),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_verified),
        cmocka_unit_test(test_no_name),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_plain_request),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_nothing_in_common),
        cmocka_unit_test(test_protocol_chosen),
        cmocka_unit_test(test_renegotiation_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
