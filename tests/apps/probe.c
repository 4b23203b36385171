/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What clients of a floating address see. One side answers every datagram with its name:
 *
 *     weir-probe serve NAME ADDRESS PORT
 *
 * at an address that the host need not have yet. The other side asks every so many microseconds
 * until it is told to end (SIGTERM, or the end of its standard input), and writes as JSON what
 * came:
 *
 *     weir-probe ask ADDRESS PORT EVERY_US
 *     {"sent": 3000, "answered": 2990, "gap_ms": 31.2, "moves": [[0.0, "a"], [1500.2, "b"]],
 *      "answers": {"a": 1480, "b": 1510}}
 *
 * A gap is the time from the sending of one probe that was answered to the sending of the next one
 * that was; moves are the times, in milliseconds since the first probe, at which another name began
 * to answer. An answer later than LATE_MS is none.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    NAME_MAX_BYTES = 32,
    MOVES_MAX = 1024,
    NAMES_MAX = 8,
    LATE_MS = 1000,
    LAST_MS = 100,
    NS_PER_US = 1000
};
enum { PROBES_MAX = 1 << 20 };

struct probe {
    uint32_t number;
};

struct probes {
    uint64_t sent_ns[PROBES_MAX];
    uint8_t name[PROBES_MAX]; /* place of who answered + 1; 0: nobody */
    uint32_t n_sent;
    char names[NAMES_MAX][NAME_MAX_BYTES];
    unsigned n_names;
};

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "weir-probe: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t read_number(const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno || *end || end == text || number > max) {
        fprintf(stderr, "weir-probe: \"%s\" is no number up to %llu\n", text,
                (unsigned long long)max);
        exit(EXIT_FAILURE);
    }
    return number;
}

union address {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

static socklen_t read_address(const char *text, const char *port, union address *address)
{
    uint16_t number = htons((uint16_t)read_number(port, UINT16_MAX));
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, text, &address->in4.sin_addr) == 1) {
        address->in4.sin_family = AF_INET;
        address->in4.sin_port = number;
        return sizeof(address->in4);
    }
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_port = number;
    if (inet_pton(AF_INET6, text, &address->in6.sin6_addr) == 1)
        return sizeof(address->in6);
    fprintf(stderr, "weir-probe: \"%s\" is no address\n", text);
    exit(EXIT_FAILURE);
}

/* ---- answering ---- */

static int serve(const char *name, const char *text, const char *port)
{
    union address address, from;
    socklen_t len = read_address(text, port, &address);
    int fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    bool is_ipv6 = address.any.sa_family == AF_INET6;
    if (fd < 0 ||
        setsockopt(fd, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, is_ipv6 ? IPV6_FREEBIND : IP_FREEBIND,
                   &on, sizeof(on)) < 0 ||
        bind(fd, &address.any, len) < 0)
        fail("serve");
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        char packet[sizeof(struct probe) + NAME_MAX_BYTES] = "";
        len = sizeof(from);
        ssize_t n = recvfrom(fd, packet, sizeof(struct probe), 0, &from.any, &len);
        if (n != sizeof(struct probe))
            continue;
        snprintf(packet + sizeof(struct probe), NAME_MAX_BYTES, "%s", name);
        (void)sendto(fd, packet, sizeof(packet), 0, &from.any, len);
    }
}

/* ---- asking ---- */

static uint8_t place_of(struct probes *probes, const char *name)
{
    for (unsigned i = 0; i < probes->n_names; i++) {
        if (strncmp(probes->names[i], name, NAME_MAX_BYTES) == 0)
            return (uint8_t)(i + 1);
    }
    if (probes->n_names == NAMES_MAX)
        return 0;
    snprintf(probes->names[probes->n_names], NAME_MAX_BYTES, "%s", name);
    return (uint8_t)++probes->n_names;
}

static void read_answers(int fd, struct probes *probes)
{
    char packet[sizeof(struct probe) + NAME_MAX_BYTES];
    for (;;) {
        ssize_t n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
        if (n < 0 && errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH)
            return;
        if (n != (ssize_t)sizeof(packet))
            continue;
        struct probe probe;
        memcpy(&probe, packet, sizeof(probe));
        packet[sizeof(packet) - 1] = 0;
        if (probe.number >= probes->n_sent || probes->name[probe.number] ||
            now_ns() - probes->sent_ns[probe.number] > (uint64_t)LATE_MS * 1000000)
            continue;
        probes->name[probe.number] = place_of(probes, packet + sizeof(probe));
    }
}

static bool is_input_over(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) == 0;
}

static void report(const struct probes *probes)
{
    uint32_t n_answers[NAMES_MAX + 1] = {0}, n_answered = 0;
    uint64_t last_ns = probes->sent_ns[0], gap_ns = 0;
    uint8_t former = 0;
    const char *comma = "";
    printf("{\"moves\": [");
    for (uint32_t i = 0; i < probes->n_sent; i++) {
        uint8_t name = probes->name[i];
        uint64_t at_ns = probes->sent_ns[i];
        if (name == 0)
            continue;
        n_answered++;
        n_answers[name]++;
        gap_ns = at_ns - last_ns > gap_ns ? at_ns - last_ns : gap_ns;
        last_ns = at_ns;
        if (name != former)
            printf("%s[%.1f, \"%s\"]", comma, (double)(at_ns - probes->sent_ns[0]) / 1e6,
                   probes->names[name - 1]);
        comma = name != former ? ", " : comma;
        former = name;
    }
    printf("], \"answers\": {");
    for (unsigned i = 0; i < probes->n_names; i++)
        printf("%s\"%s\": %u", i ? ", " : "", probes->names[i], n_answers[i + 1]);
    uint64_t end_ns = probes->n_sent ? probes->sent_ns[probes->n_sent - 1] : 0;
    gap_ns = end_ns - last_ns > gap_ns ? end_ns - last_ns : gap_ns;
    printf("}, \"sent\": %u, \"answered\": %u, \"gap_ms\": %.1f}\n", probes->n_sent, n_answered,
           (double)gap_ns / 1e6);
}

static int ask(const char *text, const char *port, const char *every)
{
    static struct probes probes;
    union address address;
    socklen_t len = read_address(text, port, &address);
    uint64_t every_ns = read_number(every, 10000000) * NS_PER_US;
    int fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("ask");
    signal(SIGTERM, on_signal);
    uint64_t next_ns = now_ns();
    while (!is_over && probes.n_sent < PROBES_MAX && !is_input_over()) {
        struct probe probe = {.number = probes.n_sent};
        probes.sent_ns[probes.n_sent++] = now_ns();
        (void)sendto(fd, &probe, sizeof(probe), MSG_DONTWAIT, &address.any, len);
        next_ns += every_ns;
        for (uint64_t now; (now = now_ns()) < next_ns;) {
            struct timespec wait = {.tv_nsec = (long)((next_ns - now) % 1000000000),
                                    .tv_sec = (time_t)((next_ns - now) / 1000000000)};
            struct pollfd answer = {.fd = fd, .events = POLLIN};
            if (ppoll(&answer, 1, &wait, NULL) > 0)
                read_answers(fd, &probes);
        }
    }
    (void)poll(NULL, 0, LAST_MS);
    read_answers(fd, &probes);
    report(&probes);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3], argv[4]);
    if (argc == 5 && strcmp(argv[1], "ask") == 0)
        return ask(argv[2], argv[3], argv[4]);
    fprintf(stderr, "usage: weir-probe serve NAME ADDRESS PORT | ask ADDRESS PORT EVERY_US\n");
    return EXIT_FAILURE;
}
