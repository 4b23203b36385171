/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the service manager is told (sd_notify(3)); without one every call does nothing.
 */

#include "super/internal.h"
#include <inttypes.h>
#include <systemd/sd-daemon.h>

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    uint64_t limit_us = 0;
    sd_notify(0, "WATCHDOG=1");
    if (sd_watchdog_enabled(0, &limit_us) > 0)
        loop_timer_set(loop, timer, loop_now_ns(loop) + limit_us * 1000 / 2);
}

void notify_start(struct super *super)
{
    loop_timer_init(&super->notify_timer, on_timer);
    if (sd_watchdog_enabled(0, NULL) > 0)
        on_timer(super->loop, &super->notify_timer);
}

void notify_ready(struct super *super)
{
    sd_notifyf(0, "READY=1\nSTATUS=Serving, generation %" PRIu64, super->config->generation);
}

void notify_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading",
               loop_clock_ns() / 1000);
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=Draining");
}
