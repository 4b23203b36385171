/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load of bench/queue: one thread, some connections to 127.0.0.1. Each puts a job, reserves
 * one and deletes it, again and again, one command at a time, as fast as the replies come:
 *
 *     [PUT] -- INSERTED --> [RESERVE] -- RESERVED, body --> [DELETE] -- DELETED --> [PUT]
 *
 * All use one tube, so that a connection mostly gets the job of another. A body begins with the
 * job's number: each must come once, with every byte as it was put, under the id that its put was
 * told. What a phase has put it deletes, so that it ends with an empty queue.
 */
#include "measure.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BODY_MIN = 16, /* the digits of a number */
    BODY_MAX = 65535,
    REPLY_MAX = BODY_MAX + 128,
    PUT_MAX = BODY_MAX + 128,
    N_EVENTS = 256,
    PATIENCE_S = 10, /* a job that takes longer is a wrong one */
    JOBS_MAX = 1 << 24,
};

enum step { STEP_PUT, STEP_RESERVE, STEP_DELETE };

/* What was wrong with a reply. */
enum wrong {
    WRONG_REPLY, /* another word than was due */
    WRONG_BODY,
    WRONG_ID,     /* not the id that the put of this job was told */
    WRONG_TWICE,  /* a job that had come before */
    WRONG_EXTRA,  /* bytes behind the reply */
    WRONG_BROKEN, /* the connection ended */
    WRONG_LATE,
    WRONG_LOST, /* put, and at the end of the phase never reserved */
    N_WRONG,
};

static const char *const wrong_names[N_WRONG] = {"reply", "body",   "id",   "twice",
                                                 "extra", "broken", "late", "lost"};

struct conn {
    int fd; /* -1: it was wrong, and does nothing any more */
    enum step step;
    bool is_busy;
    int64_t began_ns; /* of the put */
    uint32_t number;  /* of the job that it put last */
    size_t reply_len;
    char *reply; /* REPLY_MAX bytes */
};

/* What is known of the job with that number. */
struct job {
    uint64_t id; /* that its put was told; 0: not yet */
    uint64_t reserved_id;
    bool is_reserved;
};

struct load {
    uint64_t port;
    uint64_t size_bytes; /* of a body */
    uint64_t n_conns;
    double warm_s;
    double measured_s;

    int epoll_fd;
    struct conn *conns;
    uint64_t n_busy;
    bool is_sending;
    char put[PUT_MAX];
    size_t put_len;
    size_t head_len; /* of the put: where the body begins */

    struct job *jobs; /* of this phase, by number */
    uint32_t n_put;
    uint64_t n_done;
    uint64_t n_wrong[N_WRONG];
    struct hist hist; /* from the put until DELETED */
};

/* ---- connections ---- */

static void conn_open(struct load *load, struct conn *conn)
{
    conn->reply = malloc(REPLY_MAX);
    if (!conn->reply) {
        perror("queue_load: memory");
        exit(1);
    }
    conn->fd = connect_to(load->port, load->epoll_fd, conn);
}

static void conn_idle(struct load *load, struct conn *conn)
{
    conn->is_busy = false;
    load->n_busy--;
}

static void conn_wrong(struct load *load, struct conn *conn, enum wrong wrong)
{
    if (load->n_wrong[wrong]++ == 0)
        fprintf(stderr, "queue_load: wrong (%s) in step %d: %.*s\n", wrong_names[wrong],
                (int)conn->step, (int)(conn->reply_len < 80 ? conn->reply_len : 80), conn->reply);
    close(conn->fd);
    conn->fd = -1;
    if (conn->is_busy)
        conn_idle(load, conn);
}

/* A few hundred bytes into an empty socket buffer; where the peer is gone, the read says so. */
static void conn_send(struct conn *conn, enum step step, const char *bytes, size_t len)
{
    conn->step = step;
    conn->reply_len = 0;
    send(conn->fd, bytes, len, MSG_NOSIGNAL);
}

static void send_put(struct load *load, struct conn *conn)
{
    if (load->n_put == JOBS_MAX) {
        fprintf(stderr, "queue_load: %d jobs are all that a phase can hold\n", JOBS_MAX);
        exit(1);
    }
    conn->number = load->n_put++;
    char digits[BODY_MIN + 1];
    snprintf(digits, sizeof(digits), "%016" PRIx32, conn->number);
    memcpy(load->put + load->head_len, digits, BODY_MIN);
    conn->is_busy = true;
    load->n_busy++;
    conn->began_ns = now_ns();
    conn_send(conn, STEP_PUT, load->put, load->put_len);
}

/* ---- replies ---- */

/* `WORD NUMBER` and perhaps more: the number, or 0; *ret_end is behind it. */
static uint64_t number_behind(const char *line, const char *word, char **ret_end)
{
    size_t len = strlen(word);
    *ret_end = NULL;
    if (strncmp(line, word, len) != 0 || line[len] != ' ')
        return 0;
    return strtoull(line + len + 1, ret_end, 10);
}

static void take_inserted(struct load *load, struct conn *conn)
{
    char *end = NULL;
    uint64_t id = number_behind(conn->reply, "INSERTED", &end);
    struct job *job = &load->jobs[conn->number];
    if (id == 0 || strcmp(end, "\r\n") != 0) {
        conn_wrong(load, conn, WRONG_REPLY);
        return;
    }
    job->id = id;
    if (job->is_reserved && job->reserved_id != id) {
        conn_wrong(load, conn, WRONG_ID);
        return;
    }
    conn_send(conn, STEP_RESERVE, "reserve\r\n", 9);
}

/* The job whose body lies at `body`, whole and reserved for the first time; NULL where not. */
static struct job *take_body(struct load *load, struct conn *conn, const char *body, uint64_t id)
{
    char digits[BODY_MIN + 1] = {0};
    char *end = NULL;
    memcpy(digits, body, BODY_MIN);
    uint64_t number = strtoull(digits, &end, 16);
    const char *rest = load->put + load->head_len + BODY_MIN;
    if (*end || number >= load->n_put ||
        memcmp(body + BODY_MIN, rest, load->size_bytes - BODY_MIN + 2) != 0) {
        conn_wrong(load, conn, WRONG_BODY);
        return NULL;
    }
    struct job *job = &load->jobs[number];
    if (job->is_reserved || (job->id && job->id != id)) {
        conn_wrong(load, conn, job->is_reserved ? WRONG_TWICE : WRONG_ID);
        return NULL;
    }
    return job;
}

/* `line_len`: of the first line, its end included. */
static void take_reserved(struct load *load, struct conn *conn, size_t line_len)
{
    char *end = NULL;
    uint64_t id = number_behind(conn->reply, "RESERVED", &end);
    if (id == 0 || *end != ' ' || strtoull(end + 1, &end, 10) != load->size_bytes ||
        end != conn->reply + line_len - 2) {
        conn_wrong(load, conn, WRONG_REPLY);
        return;
    }
    size_t whole = line_len + load->size_bytes + 2;
    if (conn->reply_len < whole)
        return;
    if (conn->reply_len > whole) {
        conn_wrong(load, conn, WRONG_EXTRA);
        return;
    }
    struct job *job = take_body(load, conn, conn->reply + line_len, id);
    if (!job)
        return;
    job->is_reserved = true;
    job->reserved_id = id;
    char line[64];
    int n = snprintf(line, sizeof(line), "delete %" PRIu64 "\r\n", id);
    conn_send(conn, STEP_DELETE, line, (size_t)n);
}

static void take_deleted(struct load *load, struct conn *conn)
{
    if (strcmp(conn->reply, "DELETED\r\n") != 0) {
        conn_wrong(load, conn, WRONG_REPLY);
        return;
    }
    int64_t took_ns = now_ns() - conn->began_ns;
    load->n_done++;
    hist_add(&load->hist, took_ns);
    if (took_ns > PATIENCE_S * NS_PER_S)
        load->n_wrong[WRONG_LATE]++;
    conn_idle(load, conn);
    if (load->is_sending)
        send_put(load, conn);
}

static void take_reply(struct load *load, struct conn *conn)
{
    const char *end = memmem(conn->reply, conn->reply_len, "\r\n", 2);
    if (!end)
        return;
    size_t line_len = (size_t)(end - conn->reply) + 2;
    if (!conn->is_busy)
        conn_wrong(load, conn, WRONG_EXTRA);
    else if (conn->step == STEP_PUT)
        take_inserted(load, conn);
    else if (conn->step == STEP_RESERVE)
        take_reserved(load, conn, line_len);
    else
        take_deleted(load, conn);
}

static void conn_read(struct load *load, struct conn *conn)
{
    if (conn->fd < 0)
        return;
    size_t room = REPLY_MAX - 1 - conn->reply_len;
    ssize_t n = recv(conn->fd, conn->reply + conn->reply_len, room, MSG_DONTWAIT);
    if (n > 0) {
        conn->reply_len += (size_t)n;
        conn->reply[conn->reply_len] = '\0';
        take_reply(load, conn);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        conn_wrong(load, conn, room == 0 ? WRONG_EXTRA : WRONG_BROKEN);
    }
}

/* ---- phases ---- */

static void wait_events(struct load *load, int64_t until_ns)
{
    struct epoll_event events[N_EVENTS];
    int64_t left_ms = (until_ns - now_ns()) / 1000000 + 1;
    int n = epoll_wait(load->epoll_fd, events, N_EVENTS, left_ms > 0 ? (int)left_ms : 0);
    for (int i = 0; i < n; i++)
        conn_read(load, events[i].data.ptr);
}

/* Puts for so many seconds, then until every job is deleted. Returns how long all of it took. */
static double run_phase(struct load *load, double seconds)
{
    int64_t begin_ns = now_ns();
    int64_t end_ns = begin_ns + (int64_t)(seconds * (double)NS_PER_S);
    load->is_sending = true;
    for (uint64_t i = 0; i < load->n_conns; i++)
        if (load->conns[i].fd >= 0)
            send_put(load, &load->conns[i]);
    while (now_ns() < end_ns && load->n_busy > 0)
        wait_events(load, end_ns);
    load->is_sending = false;
    int64_t patience_ns = end_ns + PATIENCE_S * NS_PER_S;
    while (load->n_busy > 0 && now_ns() < patience_ns)
        wait_events(load, patience_ns);
    load->n_wrong[WRONG_LATE] += load->n_busy;
    double elapsed_s = (double)(now_ns() - begin_ns) / (double)NS_PER_S;
    for (uint32_t i = 0; i < load->n_put; i++)
        load->n_wrong[WRONG_LOST] += load->jobs[i].id != 0 && !load->jobs[i].is_reserved;
    return elapsed_s;
}

/* What the warm-up found wrong is kept. */
static void forget_phase(struct load *load)
{
    memset(load->jobs, 0, load->n_put * sizeof(*load->jobs));
    load->n_put = 0;
    load->n_done = 0;
    memset(&load->hist, 0, sizeof(load->hist));
}

static void print_result(const struct load *load, double elapsed_s)
{
    printf("{\"done\": %" PRIu64 ", \"elapsed_s\": %.6f", load->n_done, elapsed_s);
    printf(", \"p50_us\": %" PRIu64 ", \"p99_us\": %" PRIu64 ", \"max_us\": %" PRIu64
           ", \"wrong\": {",
           hist_at(&load->hist, 0.5), hist_at(&load->hist, 0.99), hist_at(&load->hist, 0.999999));
    for (size_t i = 0; i < N_WRONG; i++)
        printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", wrong_names[i], load->n_wrong[i]);
    printf("}}\n");
}

/* ---- the command line ---- */

static int usage(void)
{
    fprintf(stderr,
            "usage: queue_load --port N --connections N [--size BYTES] [--warm S] [--seconds S]\n");
    return 2;
}

static bool parse_arguments(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},    {"connections", required_argument, NULL, 'n'},
        {"size", required_argument, NULL, 'b'},    {"warm", required_argument, NULL, 'w'},
        {"seconds", required_argument, NULL, 's'}, {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p':
            load->port = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            load->n_conns = strtoull(optarg, NULL, 10);
            break;
        case 'b':
            load->size_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            load->warm_s = strtod(optarg, NULL);
            break;
        case 's':
            load->measured_s = strtod(optarg, NULL);
            break;
        default:
            return false;
        }
    }
    return load->port > 0 && load->port <= UINT16_MAX && load->n_conns > 0 &&
           load->size_bytes >= BODY_MIN && load->size_bytes <= BODY_MAX;
}

static void prepare(struct load *load)
{
    load->head_len =
        (size_t)snprintf(load->put, PUT_MAX, "put 0 0 60 %" PRIu64 "\r\n", load->size_bytes);
    load->put_len = load->head_len + load->size_bytes + 2;
    memset(load->put + load->head_len, 'x', load->size_bytes);
    memcpy(load->put + load->put_len - 2, "\r\n", 2);
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->conns = calloc(load->n_conns, sizeof(*load->conns));
    load->jobs = calloc(JOBS_MAX, sizeof(*load->jobs)); /* the kernel gives what is touched */
    if (load->epoll_fd < 0 || !load->conns || !load->jobs) {
        perror("queue_load");
        exit(1);
    }
    for (uint64_t i = 0; i < load->n_conns; i++)
        conn_open(load, &load->conns[i]);
}

int main(int argc, char **argv)
{
    static struct load load = {.warm_s = 0.5, .measured_s = 3, .size_bytes = 256};
    if (!parse_arguments(&load, argc, argv))
        return usage();
    prepare(&load);
    run_phase(&load, load.warm_s);
    say_ready();
    forget_phase(&load);
    print_result(&load, run_phase(&load, load.measured_s));
    return 0;
}
