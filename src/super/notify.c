/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the service manager is told: datagrams to the socket that it names in the environment
 * (sd_notify(3), whose protocol is stable and meant to be spoken without its library); without a
 * manager every call does nothing. libsystemd has it too, and brings six libraries into every
 * process of ours: a third of what a start maps and relocates.
 */

#include "base/addr.h"
#include "base/slice.h"
#include "super/internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Its socket: a path, or an abstract name behind an @. False: there is none that we could reach. */
static bool manager_address(struct addr *ret_address)
{
    char text[ADDR_TEXT_MAX];
    const char *name = getenv("NOTIFY_SOCKET");
    return name && (size_t)snprintf(text, sizeof(text), "unix:%s", name) < sizeof(text) &&
           addr_parse(slice_from(text), ret_address, NULL) == 0;
}

/* Waits where the manager's queue is full: it would end a service whose READY=1 got lost. */
static void tell(const char *state)
{
    struct addr address;
    int fd = manager_address(&address) ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, &address.sa, address.len);
    close(fd);
}

static bool number_of(const char *name, uint64_t *ret_value)
{
    const char *text = getenv(name);
    return text && slice_to_u64(slice_from(text), ret_value) == 0;
}

/* Within which the manager wants to hear of us again and again; 0: it does not. */
static uint64_t watchdog_us(void)
{
    uint64_t limit_us = 0, pid = 0;
    if (getenv("WATCHDOG_PID") && (!number_of("WATCHDOG_PID", &pid) || pid != (uint64_t)getpid()))
        return 0;
    return number_of("WATCHDOG_USEC", &limit_us) ? limit_us : 0;
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    uint64_t limit_us = watchdog_us();
    if (limit_us == 0)
        return;
    tell("WATCHDOG=1");
    loop_timer_set(loop, timer, loop_now_ns(loop) + limit_us * 1000 / 2);
}

void notify_start(struct super *super)
{
    loop_timer_init(&super->notify_timer, on_timer);
    on_timer(super->loop, &super->notify_timer);
}

void notify_ready(struct super *super)
{
    char state[80];
    snprintf(state, sizeof(state), "READY=1\nSTATUS=Serving, generation %" PRIu64,
             super->config->generation);
    tell(state);
}

void notify_reloading(void)
{
    char state[80];
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading",
             loop_clock_ns() / 1000);
    tell(state);
}

void notify_stopping(void)
{
    tell("STOPPING=1\nSTATUS=Draining");
}
