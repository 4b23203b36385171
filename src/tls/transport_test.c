/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections under TLS over socket pairs, server and client in one loop, with a relay between them
 * that passes bytes one by one, counts records, and cuts.
 */

#include "base/mem.h"
#include "tls/internal.h"
#include "tls/sample.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SECRET2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

enum { LONG = 3000000, PATTERN = 251, TURNS = 20000 };

static struct sample authority, shop, other, expired, stranger;

static int group_setup(void **state)
{
    (void)state;
    sample_make(&authority, NULL, NULL, -1, 10);
    sample_make(&shop, &authority, "DNS:shop.test,DNS:*.shop.test,IP:127.0.0.1", -1, 10);
    sample_make(&other, &authority, "DNS:other.test,DNS:a.shop.test", -1, 10);
    sample_make(&expired, &authority, "DNS:shop.test", -10, -1);
    sample_make(&stranger, NULL, "DNS:shop.test", -1, 10);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    sample_deinit(&authority);
    sample_deinit(&shop);
    sample_deinit(&other);
    sample_deinit(&expired);
    sample_deinit(&stranger);
    return 0;
}

/* Files by name: a sample's address stands in the blob's name's place. */
static struct slice bytes_of(void *ctx, const char *name)
{
    (void)ctx;
    if (strcmp(name, "ca") == 0)
        return text_slice(&authority.cert_pem);
    const struct {
        const char *name;
        struct sample *sample;
    } rows[] = {{"shop", &shop}, {"other", &other}, {"expired", &expired}, {"stranger", &stranger}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(name, rows[i].name) == 0)
            return text_slice(&rows[i].sample->both_pem);
    }
    return SLICE("");
}

/* "shop other": the certificates in their order. */
static struct tls_server *make_server(const char *certs, const char *secret,
                                      enum tls_versions versions)
{
    struct tls_cert_conf confs[4] = {0};
    void *items[4];
    char names[4][16];
    struct tls_server_conf conf = {.certs = {.items = items}, .versions = (int)versions};
    for (struct slice rest = slice_from(certs); rest.len; conf.certs.n_items++) {
        size_t i = conf.certs.n_items;
        slice_copy(slice_cut(&rest, ' '), names[i], sizeof(names[i]));
        confs[i].cert_blob = confs[i].key_blob = names[i];
        items[i] = &confs[i];
    }
    const struct tls_server_options options = {.conf = &conf,
                                               .name = "listen:shop",
                                               .secret = slice_from(secret),
                                               .bytes = bytes_of,
                                               .n_loops = 1};
    struct err err = ERR_NONE;
    struct tls_server *server = tls_server_create(&options, &err);
    assert_string_equal(err.text, "");
    assert_non_null(server);
    return server;
}

static struct tls_client *make_client(bool verify)
{
    struct tls_client_conf conf = {.verify = verify, .ca_blob = "ca"};
    const struct tls_client_options options = {.conf = &conf, .bytes = bytes_of};
    struct tls_client *client = tls_client_create(&options, NULL);
    assert_non_null(client);
    return client;
}

/* ---- a scene ---- */

struct side {
    struct conn conn;
    struct text got;
    bool is_ended; /* recv said 0 */
    int error;     /* recv said -errno, or LOOP_ERROR came */
    bool is_deaf;  /* reads nothing for now */
    metric_word words[TLS_WORDS];
};

struct scene {
    struct loop *loop;
    struct tls_server *server;
    struct tls_client *client;
    struct side at_server, at_client;
    int relay[2];    /* to the server, to the client */
    size_t chunk;    /* bytes that the relay moves at a time */
    size_t n_served; /* from the server to the client */
    size_t n_records;
    size_t skip;    /* bytes to the next record's header, from the server */
    size_t longest; /* record of data */
    uint8_t header[5];
    size_t n_header;
};

static void side_on_event(struct conn *conn, uint32_t events)
{
    struct side *side = CONTAINER_OF(conn, struct side, conn);
    char buf[20000];
    if (events & LOOP_ERROR)
        side->error = conn_error(conn);
    while (!side->error && !side->is_ended && !side->is_deaf) {
        ssize_t n = conn_recv(conn, buf, sizeof(buf));
        if (n == -EAGAIN)
            break;
        side->is_ended = n == 0;
        if (n < 0)
            side->error = (int)-n;
        if (n > 0)
            text_append(&side->got, slice_make(buf, (size_t)n));
        /* A short read is the last until the next event, as everybody in weir takes it. */
        if (n > 0 && (size_t)n < sizeof(buf) && !conn->has_hangup)
            break;
    }
}

static void pair(int fds[2], int n_bytes)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    for (int i = 0; n_bytes && i < 2; i++)
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &n_bytes, sizeof(n_bytes));
}

static void scene_init(struct scene *scene)
{
    *scene = (struct scene){.chunk = 65536};
    assert_int_equal(loop_create(0, &scene->loop, NULL), 0);
    conn_init(&scene->at_server.conn);
    conn_init(&scene->at_client.conn);
    scene->relay[0] = scene->relay[1] = -1;
}

static void scene_make(struct scene *scene)
{
    scene_init(scene);
    scene->server = make_server("shop", SECRET, TLS_VERSIONS_BOTH);
    scene->client = make_client(true);
}

static void open_server(struct scene *scene, int fd)
{
    struct side *side = &scene->at_server;
    conn_open_lazily(&side->conn, scene->loop, fd, side_on_event);
    assert_int_equal(tls_accept(&side->conn, scene->server, NULL), 0);
    tls_watch(&side->conn, side->words);
    side_on_event(&side->conn, 0); /* as clients are read when they are accepted */
}

static void open_client(struct scene *scene, int fd, const char *name, struct tls_resume *resume)
{
    struct side *side = &scene->at_client;
    assert_int_equal(conn_open(&side->conn, scene->loop, fd, side_on_event, NULL), 0);
    assert_int_equal(tls_connect(&side->conn, scene->client, slice_from(name), resume, NULL), 0);
    tls_watch(&side->conn, side->words);
}

static void connect_both(struct scene *scene, const char *name, struct tls_resume *resume,
                         int n_bytes)
{
    int left[2], right[2];
    pair(left, n_bytes);
    pair(right, n_bytes);
    scene->relay[0] = left[1];
    scene->relay[1] = right[1];
    open_server(scene, left[0]);
    open_client(scene, right[0], name, resume);
}

static void close_both(struct scene *scene)
{
    struct side *sides[] = {&scene->at_server, &scene->at_client};
    for (size_t i = 0; i < 2; i++) {
        conn_close(&sides[i]->conn);
        text_deinit(&sides[i]->got);
        *sides[i] = (struct side){.is_ended = false};
        conn_init(&sides[i]->conn);
        if (scene->relay[i] >= 0)
            close(scene->relay[i]);
        scene->relay[i] = -1;
    }
    scene->n_served = scene->n_records = scene->skip = scene->longest = scene->n_header = 0;
}

static void scene_free(struct scene *scene)
{
    close_both(scene);
    tls_server_destroy(&scene->server);
    tls_client_destroy(&scene->client);
    loop_destroy(&scene->loop);
}

/* Records of application data among the bytes of the server, RFC 8446 section 5.1. */
static void count_records(struct scene *scene, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (scene->skip) {
            scene->skip--;
            continue;
        }
        scene->header[scene->n_header++] = bytes[i];
        if (scene->n_header < sizeof(scene->header))
            continue;
        scene->n_header = 0;
        scene->skip = (size_t)scene->header[3] << 8 | scene->header[4];
        if (scene->header[0] != 23)
            continue;
        scene->n_records++;
        if (scene->skip > scene->longest)
            scene->longest = scene->skip;
    }
}

/* Moves a chunk from one socket to the other; says whether there was one. */
static bool pass(struct scene *scene, int from, int to)
{
    uint8_t bytes[65536];
    if (from < 0 || to < 0)
        return false;
    ssize_t n = recv(from, bytes, scene->chunk, MSG_PEEK);
    if (n == 0)
        shutdown(to, SHUT_WR);
    if (n <= 0)
        return false;
    ssize_t sent = send(to, bytes, (size_t)n, MSG_NOSIGNAL);
    if (sent <= 0)
        return false;
    assert_int_equal(recv(from, bytes, (size_t)sent, 0), sent);
    if (from == scene->relay[0]) {
        scene->n_served += (size_t)sent;
        count_records(scene, bytes, (size_t)sent);
    }
    return true;
}

static void turn(struct scene *scene)
{
    loop_turn(scene->loop, 0);
    pass(scene, scene->relay[0], scene->relay[1]);
    pass(scene, scene->relay[1], scene->relay[0]);
}

static void settle(struct scene *scene)
{
    for (int quiet = 0; quiet < 5; quiet++) {
        loop_turn(scene->loop, 0);
        bool has_passed = pass(scene, scene->relay[0], scene->relay[1]);
        has_passed |= pass(scene, scene->relay[1], scene->relay[0]);
        if (has_passed)
            quiet = 0;
    }
}

static void send_text(struct side *side, const char *text)
{
    assert_int_equal(conn_send(&side->conn, text, strlen(text), false), 0);
}

static uint64_t word(const struct side *side, uint32_t index)
{
    return side->words[index];
}

static void assert_got(const struct side *side, const char *text)
{
    assert_string_equal(text_cstr(&side->got), text);
}

static void assert_done(const struct scene *scene, enum tls_word how)
{
    const struct side *sides[] = {&scene->at_server, &scene->at_client};
    for (size_t i = 0; i < 2; i++) {
        assert_false(sides[i]->conn.is_connecting);
        assert_int_equal(sides[i]->error, 0);
        assert_int_equal(word(sides[i], TLS_ACTIVE), 0);
        assert_int_equal(word(sides[i], how), 1);
    }
}

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
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_end_is_told),
        cmocka_unit_test(test_cut_is_seen),
        cmocka_unit_test(test_close_while_bytes_wait),
        cmocka_unit_test(test_idle_client),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
