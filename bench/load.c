/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load of bench/http: one thread, many connections to 127.0.0.1, one request at a time on each,
 * as fast as the answers come or paced. Every answer is compared to the last byte (status, length,
 * body), so that no proxy wins by answering wrongly.
 */
#include "measure.h"
#include <errno.h>
#include <getopt.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_MAX_BYTES = 8192,
    READ_BYTES = 128 * 1024,
    N_EVENTS = 512,
    PATIENCE_S = 10, /* an answer later than this is a wrong one */
};

/* What was wrong with an answer. */
enum wrong {
    WRONG_STATUS,
    WRONG_LENGTH,
    WRONG_BODY,
    WRONG_EXTRA,  /* bytes behind the answer */
    WRONG_BROKEN, /* the connection ended before the answer did */
    WRONG_LATE,
    N_WRONG,
};

static const char *const wrong_names[N_WRONG] = {"status", "length", "body",
                                                 "extra",  "broken", "late"};

struct conn {
    struct conn *next_idle;
    int64_t due_ns; /* when its request was to be sent */
    uint64_t body_left, body_done;
    size_t head_len;
    int fd;     /* -1 while not connected */
    SSL *ssl;   /* --tls */
    bool is_up; /* the handshake is done */
    bool is_busy;
    bool has_head;
    bool has_all; /* --close: the answer is complete, its end of stream is not here yet */
    char head[HEAD_MAX_BYTES];
};

struct load {
    const char *path;
    const char *cookie; /* one more of them, "NAME=VALUE"; not with is_close */
    uint64_t port;
    uint64_t size_bytes; /* of the expected body, every byte of it an x; not with expected_text */
    uint64_t post_bytes; /* POST with a body of so many y; 0: GET */
    const char *expected_text; /* how the body begins, whatever its length */
    const char *status;        /* "200" */
    const char *location;      /* how the answer's Location begins; NULL: none is asked for */
    uint64_t n_conns;
    double rate; /* requests a second; 0: as fast as the answers come */
    double warm_s;
    double measured_s;
    bool is_close;  /* a connection for each request */
    bool is_hold;   /* send one request on each connection and expect no answer */
    bool is_resume; /* go on with the last session */
    SSL_CTX *tls;   /* NULL: in the clear */
    SSL_SESSION *session;
    uint64_t n_handshakes, n_resumed;

    char *request;
    size_t request_len;
    int epoll_fd;
    struct conn *conns;
    struct conn *idle_first; /* first in, first out: a paced load takes every connection in turn */
    struct conn *idle_last;
    uint64_t n_busy;
    int64_t next_due_ns;
    bool is_sending;

    uint64_t n_sent;
    uint64_t n_done;
    uint64_t n_wrong[N_WRONG];
    uint64_t n_reconnects;
    struct hist hist;
    char read_buffer[READ_BYTES];
    char expected[READ_BYTES];
};

/* ---- connections ---- */

static void idle_put(struct load *load, struct conn *conn)
{
    conn->next_idle = NULL;
    if (load->idle_last)
        load->idle_last->next_idle = conn;
    else
        load->idle_first = conn;
    load->idle_last = conn;
}

static struct conn *idle_take(struct load *load)
{
    struct conn *conn = load->idle_first;
    load->idle_first = conn->next_idle;
    if (!load->idle_first)
        load->idle_last = NULL;
    return conn;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct load *load = SSL_get_app_data(ssl);
    SSL_SESSION_free(load->session);
    load->session = session;
    return 1;
}

static void tls_begin(struct load *load, struct conn *conn)
{
    int on = 1;
    ioctl(conn->fd, FIONBIO, &on);
    conn->is_up = false;
    conn->ssl = SSL_new(load->tls);
    SSL_set_app_data(conn->ssl, load);
    SSL_set_fd(conn->ssl, conn->fd);
    SSL_set_connect_state(conn->ssl);
    if (load->is_resume && load->session) {
        /* A copy: OpenSSL takes a session that was used for one that is used up. */
        SSL_SESSION *copy = SSL_SESSION_dup(load->session);
        SSL_set_session(conn->ssl, copy);
        SSL_SESSION_free(copy);
    }
}

/* A step of the handshake, and the request behind it. */
static void tls_step(struct load *load, struct conn *conn)
{
    if (SSL_do_handshake(conn->ssl) != 1)
        return; /* where it failed the next read says so */
    conn->is_up = true;
    load->n_handshakes++;
    load->n_resumed += (uint64_t)SSL_session_reused(conn->ssl);
    if (conn->is_busy)
        SSL_write(conn->ssl, load->request, (int)load->request_len);
}

static void conn_connect(struct load *load, struct conn *conn)
{
    conn->fd = connect_to(load->port, load->epoll_fd, conn);
    if (load->tls)
        tls_begin(load, conn);
}

static void conn_drop(struct conn *conn)
{
    if (conn->ssl) {
        SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(conn->ssl);
        conn->ssl = NULL;
    }
    close(conn->fd);
    conn->fd = -1;
}

/* Sends the next request on an idle connection, opening it first where it is not. */
static void conn_send(struct load *load, struct conn *conn, int64_t due_ns)
{
    if (conn->fd < 0)
        conn_connect(load, conn);
    conn->due_ns = due_ns;
    conn->head_len = 0;
    conn->body_left = 0;
    conn->body_done = 0;
    conn->has_head = false;
    conn->has_all = false;
    conn->is_busy = true;
    load->n_busy++;
    load->n_sent++;
    if (conn->ssl && !conn->is_up) {
        tls_step(load, conn);
        return;
    }
    if (conn->ssl) {
        SSL_write(conn->ssl, load->request, (int)load->request_len);
        return;
    }
    /* Few bytes into an empty socket buffer; where the peer is gone, the read says so. */
    send(conn->fd, load->request, load->request_len, MSG_NOSIGNAL);
}

/* The connection is free for its next request, which an unpaced load sends at once. */
static void conn_next(struct load *load, struct conn *conn)
{
    conn->is_busy = false;
    load->n_busy--;
    if (load->is_sending && load->rate <= 0)
        conn_send(load, conn, now_ns());
    else
        idle_put(load, conn);
}

static void conn_done(struct load *load, struct conn *conn)
{
    int64_t took_ns = now_ns() - conn->due_ns;
    load->n_done++;
    hist_add(&load->hist, took_ns);
    if (took_ns > PATIENCE_S * NS_PER_S)
        load->n_wrong[WRONG_LATE]++;
    conn_next(load, conn);
}

static void conn_wrong(struct load *load, struct conn *conn, enum wrong wrong)
{
    load->n_wrong[wrong]++;
    conn_drop(conn);
    if (conn->is_busy)
        conn_next(load, conn);
}

/* ---- answers ---- */

/* The value of a field, "location: ", or NULL. `head` ends in a NUL. */
static const char *field_of(const char *head, const char *name)
{
    for (const char *line = head; (line = strstr(line, "\r\n")) != NULL;) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0)
            return line + strlen(name);
    }
    return NULL;
}

/* What is wrong with a complete head, or N_WRONG. */
static enum wrong judge_head(const struct load *load, struct conn *conn)
{
    const char *length = field_of(conn->head, "content-length: ");
    const char *location = field_of(conn->head, "location: ");
    if (strncmp(conn->head, "HTTP/1.1 ", 9) != 0 || strncmp(conn->head + 9, load->status, 3) != 0)
        return WRONG_STATUS;
    if (load->location &&
        (!location || strncmp(location, load->location, strlen(load->location)) != 0))
        return WRONG_STATUS;
    conn->body_left = length ? strtoull(length, NULL, 10) : 0;
    if (!length || (!load->expected_text && conn->body_left != load->size_bytes))
        return WRONG_LENGTH;
    return N_WRONG;
}

/* Collects the head; the bytes of `bytes` that belong to it, or 0 where the answer was given up. */
static size_t take_head(struct load *load, struct conn *conn, const char *bytes, size_t len)
{
    size_t before = conn->head_len;
    size_t n = sizeof(conn->head) - 1 - before;
    n = n < len ? n : len;
    memcpy(conn->head + before, bytes, n);
    conn->head_len += n;
    conn->head[conn->head_len] = '\0';
    const char *end = strstr(conn->head, "\r\n\r\n");
    if (!end) {
        if (conn->head_len < sizeof(conn->head) - 1)
            return n;
        conn_wrong(load, conn, WRONG_LENGTH);
        return 0;
    }
    size_t head_len = (size_t)(end - conn->head) + 4;
    conn->head[head_len - 2] = '\0';
    conn->has_head = true;
    enum wrong wrong = judge_head(load, conn);
    if (wrong != N_WRONG) {
        conn_wrong(load, conn, wrong);
        return 0;
    }
    return head_len - before;
}

/* Do these bytes of the body stand where they should? */
static bool is_expected(const struct load *load, const struct conn *conn, const char *bytes,
                        size_t len)
{
    if (!load->expected_text)
        return memcmp(bytes, load->expected, len) == 0;
    size_t known = strlen(load->expected_text), from = conn->body_done;
    size_t n = from >= known ? 0 : known - from < len ? known - from : len;
    return memcmp(bytes, load->expected_text + (n > 0 ? from : 0), n) == 0;
}

static void take_bytes(struct load *load, struct conn *conn, const char *bytes, size_t len)
{
    if (!conn->is_busy || conn->has_all) {
        conn_wrong(load, conn, WRONG_EXTRA);
        return;
    }
    if (!conn->has_head) {
        size_t n = take_head(load, conn, bytes, len);
        if (!conn->has_head || conn->fd < 0)
            return;
        bytes += n;
        len -= n;
    }
    if (len > conn->body_left) {
        conn_wrong(load, conn, WRONG_EXTRA);
        return;
    }
    if (!is_expected(load, conn, bytes, len)) {
        conn_wrong(load, conn, WRONG_BODY);
        return;
    }
    conn->body_left -= len;
    conn->body_done += len;
    if (conn->body_left == 0 && load->is_close)
        conn->has_all = true;
    else if (conn->body_left == 0)
        conn_done(load, conn);
}

static void take_end(struct load *load, struct conn *conn)
{
    if (conn->has_all) {
        conn_drop(conn);
        conn_done(load, conn);
    } else if (conn->is_busy) {
        conn_wrong(load, conn, WRONG_BROKEN);
    } else {
        load->n_reconnects++; /* closed between two requests, as a server may */
        conn_drop(conn);
    }
}

static void tls_read(struct load *load, struct conn *conn)
{
    if (!conn->is_up)
        tls_step(load, conn);
    while (conn->ssl && conn->is_up) {
        int n = SSL_read(conn->ssl, load->read_buffer, sizeof(load->read_buffer));
        if (n <= 0)
            break;
        take_bytes(load, conn, load->read_buffer, (size_t)n);
    }
    char byte;
    if (!conn->ssl || recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
        return;
    take_end(load, conn);
}

static void conn_read(struct load *load, struct conn *conn)
{
    if (conn->fd < 0)
        return;
    if (conn->ssl) {
        tls_read(load, conn);
        return;
    }
    ssize_t n = recv(conn->fd, load->read_buffer, sizeof(load->read_buffer), MSG_DONTWAIT);
    if (n > 0)
        take_bytes(load, conn, load->read_buffer, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        take_end(load, conn);
}

/* ---- phases ---- */

static void send_due(struct load *load, int64_t now)
{
    if (load->rate <= 0) {
        while (load->idle_first)
            conn_send(load, idle_take(load), now);
        return;
    }
    while (load->idle_first && load->next_due_ns <= now) {
        conn_send(load, idle_take(load), load->next_due_ns);
        load->next_due_ns += (int64_t)((double)NS_PER_S / load->rate);
    }
}

static void wait_events(struct load *load, int64_t until_ns)
{
    struct epoll_event events[N_EVENTS];
    int64_t left_ns = until_ns - now_ns();
    if (left_ns < 0)
        left_ns = 0;
    struct timespec timeout = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
    int n = epoll_pwait2(load->epoll_fd, events, N_EVENTS, &timeout, NULL);
    for (int i = 0; i < n; i++)
        conn_read(load, events[i].data.ptr);
}

/* Sends for so many seconds, then waits for the answers that are still out. */
static double run_phase(struct load *load, double seconds)
{
    int64_t begin_ns = now_ns();
    int64_t end_ns = begin_ns + (int64_t)(seconds * (double)NS_PER_S);
    load->next_due_ns = begin_ns;
    load->is_sending = true;
    for (int64_t now = begin_ns; now < end_ns; now = now_ns()) {
        send_due(load, now);
        bool is_paced = load->rate > 0 && load->idle_first;
        wait_events(load, is_paced && load->next_due_ns < end_ns ? load->next_due_ns : end_ns);
    }
    load->is_sending = false;
    int64_t patience_ns = end_ns + PATIENCE_S * NS_PER_S;
    while (load->n_busy > 0 && now_ns() < patience_ns)
        wait_events(load, patience_ns);
    load->n_wrong[WRONG_LATE] += load->n_busy;
    return (double)(now_ns() - begin_ns) / (double)NS_PER_S;
}

static void forget_counts(struct load *load)
{
    load->n_sent = 0;
    load->n_done = 0;
    load->n_reconnects = 0;
    load->n_handshakes = load->n_resumed = 0;
    memset(&load->hist, 0, sizeof(load->hist));
    memset(load->n_wrong, 0, sizeof(load->n_wrong));
}

static void print_result(const struct load *load, double elapsed_s)
{
    printf("{\"sent\": %llu, \"done\": %llu, \"elapsed_s\": %.6f, \"reconnects\": %llu",
           (unsigned long long)load->n_sent, (unsigned long long)load->n_done, elapsed_s,
           (unsigned long long)load->n_reconnects);
    printf(", \"handshakes\": %llu, \"resumed\": %llu", (unsigned long long)load->n_handshakes,
           (unsigned long long)load->n_resumed);
    printf(", \"p50_us\": %llu, \"p99_us\": %llu, \"max_us\": %llu, \"wrong\": {",
           (unsigned long long)hist_at(&load->hist, 0.5),
           (unsigned long long)hist_at(&load->hist, 0.99),
           (unsigned long long)hist_at(&load->hist, 0.999999));
    for (size_t i = 0; i < N_WRONG; i++)
        printf("%s\"%s\": %llu", i > 0 ? ", " : "", wrong_names[i],
               (unsigned long long)load->n_wrong[i]);
    printf("}}\n");
}

/* ---- the command line ---- */

/* Five fields and about 330 bytes, as a browser sends them; a POST has a body behind them. */
static void make_request(struct load *load)
{
    const char *end = load->is_close ? "Connection: close"
                                     : "Cookie: session=0123456789abcdef0123456789abcdef; "
                                       "theme=dark; visited=1732406400";
    char length[64] = "";
    if (load->post_bytes > 0)
        snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
                 (unsigned long long)load->post_bytes);
    int n = asprintf(&load->request,
                     "%s %s HTTP/1.1\r\n"
                     "Host: shop.example.org\r\n"
                     "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
                     "Firefox/128.0\r\n"
                     "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
                     "Accept-Language: en-US,en;q=0.5\r\n"
                     "%s%s%s%s\r\n\r\n",
                     load->post_bytes > 0 ? "POST" : "GET", load->path, length, end,
                     load->cookie ? "; " : "", load->cookie ? load->cookie : "");
    if (n < 0 || !(load->request = realloc(load->request, (size_t)n + load->post_bytes))) {
        perror("load");
        exit(1);
    }
    memset(load->request + n, 'y', load->post_bytes);
    load->request_len = (size_t)n + load->post_bytes;
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: load --port N --path PATH --size BYTES --connections N [--warm S] [--seconds S]\n"
        "            [--rate PER_SECOND] [--close | --hold] [--tls [--resume]] [--cookie PAIR]\n"
        "            [--post BYTES] [--status CODE] [--location BEGIN] [--expect BEGIN]\n");
    return 2;
}

static bool parse_arguments(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"path", required_argument, NULL, 'u'},
        {"size", required_argument, NULL, 'b'},
        {"connections", required_argument, NULL, 'n'},
        {"warm", required_argument, NULL, 'w'},
        {"seconds", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"close", no_argument, NULL, 'c'},
        {"hold", no_argument, NULL, 'h'},
        {"tls", no_argument, NULL, 't'},
        {"resume", no_argument, NULL, 'e'},
        {"cookie", required_argument, NULL, 'k'},
        {"post", required_argument, NULL, 'o'},
        {"status", required_argument, NULL, 'a'},
        {"location", required_argument, NULL, 'l'},
        {"expect", required_argument, NULL, 'x'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p':
            load->port = strtoull(optarg, NULL, 10);
            break;
        case 'u':
            load->path = optarg;
            break;
        case 'b':
            load->size_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            load->n_conns = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            load->warm_s = strtod(optarg, NULL);
            break;
        case 's':
            load->measured_s = strtod(optarg, NULL);
            break;
        case 'r':
            load->rate = strtod(optarg, NULL);
            break;
        case 'c':
            load->is_close = true;
            break;
        case 'h':
            load->is_hold = true;
            break;
        case 't':
            load->tls = SSL_CTX_new(TLS_client_method());
            break;
        case 'e':
            load->is_resume = true;
            break;
        case 'k':
            load->cookie = optarg;
            break;
        case 'o':
            load->post_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'a':
            load->status = optarg;
            break;
        case 'l':
            load->location = optarg;
            break;
        case 'x':
            load->expected_text = optarg;
            break;
        default:
            return false;
        }
    }
    return load->path && load->port > 0 && load->port <= UINT16_MAX;
}

static void prepare(struct load *load)
{
    make_request(load);
    memset(load->expected, 'x', sizeof(load->expected));
    if (load->tls) {
        SSL_CTX_set_session_cache_mode(load->tls,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(load->tls, keep_session);
        SSL_CTX_set_options(load->tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    }
    prctl(PR_SET_TIMERSLACK, 1UL); /* a paced load sends when it is due */
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (load->n_conns < 1)
        load->n_conns = 1;
    load->conns = calloc(load->n_conns, sizeof(*load->conns));
    if (load->epoll_fd < 0 || !load->conns) {
        perror("load");
        exit(1);
    }
    for (uint64_t i = 0; i < load->n_conns; i++) {
        load->conns[i].fd = -1;
        idle_put(load, &load->conns[i]);
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.warm_s = 0.5, .measured_s = 3, .status = "200"};
    if (!parse_arguments(&load, argc, argv))
        return usage();
    prepare(&load);
    if (load.is_hold) {
        while (load.idle_first)
            conn_send(&load, idle_take(&load), now_ns());
        say_ready();
        return 0;
    }
    run_phase(&load, load.warm_s);
    say_ready();
    forget_counts(&load);
    print_result(&load, run_phase(&load, load.measured_s));
    return 0;
}
