/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The client of the tests that break things: keep-alive connections that ask for one path at a
 * steady rate, and count what a person would call a failure. It prints one JSON object when it is
 * done:
 *
 *     requests, ok            every request is ok or in one of the failures
 *     refused                 could not connect
 *     broken                  the connection ended before the answer did
 *     status, body, late      another status than 200; another body than the first one; after 10 s
 *     closed                  connections that the server closed between requests without saying so
 *     announced               those that it closed after Connection: close
 *     gap_ms                  the longest time between two good answers
 *
 * SIGTERM ends it before its time, in the same way.
 *
 * usage: weir-client PORT PATH CONNECTIONS SECONDS RATE
 */

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUF = 64 * 1024, LATE_S = 10 };

enum failure { REFUSED, BROKEN, STATUS, BODY, LATE, N_FAILURES };

static const char *const failure_names[N_FAILURES] = {"refused", "broken", "status", "body",
                                                      "late"};

struct conn {
    int fd; /* -1: none */
    bool is_busy;
    int64_t sent_ns;
    int64_t retry_ns; /* not before, after a refused connect */
    size_t len;
    char buf[BUF];
};

static struct {
    int port;
    char request[512];
    size_t request_len;
    int epoll_fd;
    struct conn *conns;
    int n_conns;
    uint64_t n_requests, n_ok, n_failed[N_FAILURES], n_closed, n_announced;
    int64_t last_ok_ns, gap_ns;
    char body[BUF];
    size_t body_len;
    bool has_body;
} self;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void drop(struct conn *conn)
{
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    conn->is_busy = false;
    conn->len = 0;
}

static void fail(struct conn *conn, enum failure failure)
{
    self.n_failed[failure]++;
    drop(conn);
}

static bool dial(struct conn *conn)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)self.port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Blocking on purpose: on loopback it stands or is refused at once. */
    if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return false;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = conn};
    return epoll_ctl(self.epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0;
}

static void ask(struct conn *conn)
{
    self.n_requests++;
    if (conn->fd < 0 && !dial(conn)) {
        conn->retry_ns = now_ns() + 5000000;
        fail(conn, REFUSED);
        return;
    }
    conn->is_busy = true;
    conn->sent_ns = now_ns();
    if (send(conn->fd, self.request, self.request_len, MSG_NOSIGNAL) != (ssize_t)self.request_len)
        fail(conn, BROKEN);
}

/* A whole answer: is it the right one? */
static void judge(struct conn *conn, const char *body, size_t body_len)
{
    if (strncmp(conn->buf, "HTTP/1.1 200 ", 13) != 0) {
        fail(conn, STATUS);
        return;
    }
    if (!self.has_body) {
        memcpy(self.body, body, body_len);
        self.body_len = body_len;
        self.has_body = true;
    }
    if (body_len != self.body_len || memcmp(body, self.body, body_len) != 0) {
        fail(conn, BODY);
        return;
    }
    int64_t now = now_ns();
    if (now - conn->sent_ns > (int64_t)LATE_S * 1000000000) {
        fail(conn, LATE);
        return;
    }
    self.n_ok++;
    if (self.last_ok_ns && now - self.last_ok_ns > self.gap_ns)
        self.gap_ns = now - self.last_ok_ns;
    self.last_ok_ns = now;
    conn->is_busy = false;
    if (strcasestr(conn->buf, "\r\nconnection: close\r\n")) {
        self.n_announced++;
        drop(conn);
    }
    conn->len = 0;
}

static void parse(struct conn *conn)
{
    conn->buf[conn->len] = 0;
    char *end = strstr(conn->buf, "\r\n\r\n");
    if (!end)
        return;
    char *length = strcasestr(conn->buf, "\r\ncontent-length:");
    size_t body_len = length && length < end ? strtoull(length + 17, NULL, 10) : 0;
    size_t head_len = (size_t)(end + 4 - conn->buf);
    if (conn->len < head_len + body_len)
        return;
    if (conn->len > head_len + body_len) {
        fail(conn, BODY);
        return;
    }
    char keep = end[2];
    end[2] = 0; /* the head alone, for the look at Connection */
    end[0] = '\r';
    judge(conn, end + 4, body_len);
    end[2] = keep;
}

static void on_event(struct conn *conn)
{
    ssize_t n = recv(conn->fd, conn->buf + conn->len, BUF - 1 - conn->len, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0 && conn->is_busy) {
        conn->len += (size_t)n;
        parse(conn);
        return;
    }
    if (conn->is_busy) {
        fail(conn, BROKEN);
        return;
    }
    self.n_closed++;
    drop(conn);
}

static void check_late(int64_t now)
{
    for (int i = 0; i < self.n_conns; i++)
        if (self.conns[i].is_busy && now - self.conns[i].sent_ns > (int64_t)LATE_S * 1000000000)
            fail(&self.conns[i], LATE);
}

static void poll_once(int wait_ms)
{
    struct epoll_event events[128];
    int n = epoll_wait(self.epoll_fd, events, 128, wait_ms);
    for (int i = 0; i < n; i++) {
        struct conn *conn = events[i].data.ptr;
        if (conn->fd >= 0)
            on_event(conn);
    }
}

/* The next connection in turn that may ask now, or NULL. */
static struct conn *next_conn(int *turn, int64_t now)
{
    for (int i = 0; i < self.n_conns; i++) {
        struct conn *conn = &self.conns[(*turn + i) % self.n_conns];
        if (!conn->is_busy && conn->retry_ns <= now) {
            *turn = (*turn + i + 1) % self.n_conns;
            return conn;
        }
    }
    return NULL;
}

static volatile sig_atomic_t is_enough;

static void on_term(int number)
{
    (void)number;
    is_enough = 1;
}

static void run(double seconds, double rate)
{
    int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9);
    int turn = 0;
    uint64_t n_due = 0;
    for (int64_t now = start; now < end && !is_enough; now = now_ns()) {
        n_due = (uint64_t)((double)(now - start) / 1e9 * rate);
        struct conn *conn;
        while (self.n_requests < n_due && (conn = next_conn(&turn, now)))
            ask(conn);
        check_late(now);
        poll_once(1);
    }
    /* What is in flight may end. */
    bool is_busy = true;
    while (is_busy) {
        is_busy = false;
        for (int i = 0; i < self.n_conns; i++)
            is_busy |= self.conns[i].is_busy;
        poll_once(10);
        check_late(now_ns());
    }
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: weir-client PORT PATH CONNECTIONS SECONDS RATE\n");
        return 2;
    }
    self.port = (int)strtol(argv[1], NULL, 10);
    self.request_len = (size_t)snprintf(self.request, sizeof(self.request),
                                        "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[2]);
    self.n_conns = (int)strtol(argv[3], NULL, 10);
    self.conns = calloc((size_t)self.n_conns, sizeof(*self.conns));
    self.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!self.conns || self.epoll_fd < 0)
        return 1;
    for (int i = 0; i < self.n_conns; i++)
        self.conns[i].fd = -1;
    signal(SIGTERM, on_term);
    run(strtod(argv[4], NULL), strtod(argv[5], NULL));
    printf("{\"requests\": %llu, \"ok\": %llu", (unsigned long long)self.n_requests,
           (unsigned long long)self.n_ok);
    for (int i = 0; i < N_FAILURES; i++)
        printf(", \"%s\": %llu", failure_names[i], (unsigned long long)self.n_failed[i]);
    printf(", \"closed\": %llu, \"announced\": %llu, \"gap_ms\": %.1f}\n",
           (unsigned long long)self.n_closed, (unsigned long long)self.n_announced,
           (double)self.gap_ns / 1e6);
    return 0;
}
