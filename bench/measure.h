/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

/*
 * What every load needs: the clock, connections, and how late answers were. A histogram has
 * HIST_STEPS steps in each power of two of microseconds, so that a percentile is right to 1.6 %
 * whatever its size; below 128 us every microsecond has a step of its own.
 *
 * A load talks to its benchmark over standard input and output (bench/measure.py, struct Load):
 * it warms up, prints "ready" with nothing in flight, waits for a line, measures, waits for the
 * last answer, and prints one line of JSON. So the CPU time that the benchmark reads at both ends
 * belongs to what was counted and to nothing else.
 */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { HIST_STEPS = 64, HIST_SIZE = HIST_STEPS * 26 };

static const int64_t NS_PER_S = 1000000000;

struct hist {
    uint64_t counts[HIST_SIZE];
};

static inline int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static inline void hist_add(struct hist *hist, int64_t ns)
{
    uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    uint64_t power = 0;
    while ((us >> power) >= HIST_STEPS * 2)
        power++;
    size_t index = (size_t)(power * HIST_STEPS + (us >> power));
    hist->counts[index < HIST_SIZE ? index : HIST_SIZE - 1]++;
}

/* The latency below which the share `part` of all answers lies, in microseconds. */
static inline uint64_t hist_at(const struct hist *hist, double part)
{
    uint64_t total = 0;
    for (size_t i = 0; i < HIST_SIZE; i++)
        total += hist->counts[i];
    uint64_t wanted = (uint64_t)((double)total * part);
    uint64_t seen = 0;
    for (size_t i = 0; i < HIST_SIZE; i++) {
        seen += hist->counts[i];
        if (seen > wanted) {
            size_t power = i < (size_t)2 * HIST_STEPS ? 0 : i / HIST_STEPS - 1;
            return (uint64_t)(i - power * HIST_STEPS) << power;
        }
    }
    return 0;
}

/* A connection to that port of this machine, whose events carry `owner`; ends the load where there
 * is none. */
static inline int connect_to(uint64_t port, int epoll_fd, void *owner)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = owner};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        perror("load: connect");
        exit(1);
    }
    return fd;
}

/* Says that nothing is in flight, and waits for the word to go on; ends with the benchmark. */
static inline void say_ready(void)
{
    char line[64];
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        exit(0);
}

#endif
