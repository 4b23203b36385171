/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_TRANSPORT_STAGE_H
#define TLS_TRANSPORT_STAGE_H

/*
 * What the tests of connections under TLS share: certificates, and a server and a client in one
 * loop over socket pairs, with a relay between them that the test moves, and that counts records.
 * Included by tests alone. What cannot be done fails the test.
 *
 *     group_setup(), group_teardown()      the certificates, once for all tests of a file
 *     scene_make(), connect_both()         the two ends; scene_free() ends both
 *     turn(), settle()                     one step of the loop and the relay, or all of them
 *     scene.at_server, scene.at_client     what each end has got, and how it ended
 */

#include "base/mem.h"
#include "tls/internal.h"
#include "tls/sample.h"
#include <errno.h>
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

static struct sample authority, shop, other, expired, stranger;

static inline int group_setup(void **state)
{
    (void)state;
    sample_make(&authority, NULL, NULL, -1, 10);
    sample_make(&shop, &authority, "DNS:shop.test,DNS:*.shop.test,IP:127.0.0.1", -1, 10);
    sample_make(&other, &authority, "DNS:other.test,DNS:a.shop.test", -1, 10);
    sample_make(&expired, &authority, "DNS:shop.test", -10, -1);
    sample_make(&stranger, NULL, "DNS:shop.test", -1, 10);
    return 0;
}

static inline int group_teardown(void **state)
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
static inline struct slice bytes_of(void *ctx, const char *name)
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
static inline struct tls_server *make_server(const char *certs, const char *secret,
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

static inline struct tls_client *make_client(bool verify)
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

static inline void side_on_event(struct conn *conn, uint32_t events)
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

static inline void pair(int fds[2], int n_bytes)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    for (int i = 0; n_bytes && i < 2; i++)
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &n_bytes, sizeof(n_bytes));
}

static inline void scene_init(struct scene *scene)
{
    *scene = (struct scene){.chunk = 65536};
    assert_int_equal(loop_create(0, &scene->loop, NULL), 0);
    conn_init(&scene->at_server.conn);
    conn_init(&scene->at_client.conn);
    scene->relay[0] = scene->relay[1] = -1;
}

static inline void scene_make(struct scene *scene)
{
    scene_init(scene);
    scene->server = make_server("shop", SECRET, TLS_VERSIONS_BOTH);
    scene->client = make_client(true);
}

static inline void open_server(struct scene *scene, int fd)
{
    struct side *side = &scene->at_server;
    conn_open_lazily(&side->conn, scene->loop, fd, side_on_event);
    assert_int_equal(tls_accept(&side->conn, scene->server, NULL), 0);
    tls_watch(&side->conn, side->words);
    side_on_event(&side->conn, 0); /* as clients are read when they are accepted */
}

static inline void open_client(struct scene *scene, int fd, const char *name,
                               struct tls_resume *resume)
{
    struct side *side = &scene->at_client;
    assert_int_equal(conn_open(&side->conn, scene->loop, fd, side_on_event, NULL), 0);
    assert_int_equal(tls_connect(&side->conn, scene->client, slice_from(name), resume, NULL), 0);
    tls_watch(&side->conn, side->words);
}

static inline void connect_both(struct scene *scene, const char *name, struct tls_resume *resume,
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

static inline void close_both(struct scene *scene)
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

static inline void scene_free(struct scene *scene)
{
    close_both(scene);
    tls_server_destroy(&scene->server);
    tls_client_destroy(&scene->client);
    loop_destroy(&scene->loop);
}

/* Records of application data among the bytes of the server, RFC 8446 section 5.1. */
static inline void count_records(struct scene *scene, const uint8_t *bytes, size_t len)
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
static inline bool pass(struct scene *scene, int from, int to)
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

static inline void turn(struct scene *scene)
{
    loop_turn(scene->loop, 0);
    pass(scene, scene->relay[0], scene->relay[1]);
    pass(scene, scene->relay[1], scene->relay[0]);
}

static inline void settle(struct scene *scene)
{
    for (int quiet = 0; quiet < 5; quiet++) {
        loop_turn(scene->loop, 0);
        bool has_passed = pass(scene, scene->relay[0], scene->relay[1]);
        has_passed |= pass(scene, scene->relay[1], scene->relay[0]);
        if (has_passed)
            quiet = 0;
    }
}

static inline void send_text(struct side *side, const char *text)
{
    assert_int_equal(conn_send(&side->conn, text, strlen(text), false), 0);
}

static inline uint64_t word(const struct side *side, uint32_t index)
{
    return side->words[index];
}

static inline void assert_got(const struct side *side, const char *text)
{
    assert_string_equal(text_cstr(&side->got), text);
}

static inline void assert_done(const struct scene *scene, enum tls_word how)
{
    const struct side *sides[] = {&scene->at_server, &scene->at_client};
    for (size_t i = 0; i < 2; i++) {
        assert_false(sides[i]->conn.is_connecting);
        assert_int_equal(sides[i]->error, 0);
        assert_int_equal(word(sides[i], TLS_ACTIVE), 0);
        assert_int_equal(word(sides[i], how), 1);
    }
}

#endif
