/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The watchdog: each loop of each process stores the time into its word on the board; one that has
 * not for longer than `watchdog` is stuck, and its process is killed and started again. A process
 * that somebody looks at with a debugger is left alone. When the supervisor itself was held up (a
 * suspended machine, Ctrl-Z), everybody gets the whole time anew.
 */

#include "super/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_EVERY_MS = 200, HELD_UP_MS = 1000 };

static bool is_traced(pid_t pid)
{
    char path[64], line[256];
    long tracer = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "TracerPid:", 10) == 0)
            tracer = strtol(line + 10, NULL, 10);
    }
    if (file)
        fclose(file);
    return tracer != 0;
}

/* The loop that is silent for longest: its number, and for how long. */
static uint64_t longest_silence(const struct child *child, uint64_t now_ns, uint32_t *ret_loop)
{
    uint64_t longest = 0;
    for (uint32_t i = 0; i < child->n_loops; i++) {
        uint64_t heard = board_last_heartbeat(child->super->board, child->segment, i);
        if (heard < child->served_ns)
            heard = child->served_ns; /* of an earlier life, or none yet */
        if (heard < child->super->watched_ns)
            heard = child->super->watched_ns;
        uint64_t silence = now_ns > heard ? now_ns - heard : 0;
        if (silence >= longest) {
            longest = silence;
            *ret_loop = i;
        }
    }
    return longest;
}

static void look_at(struct child *child, uint64_t now_ns, int64_t watchdog_ms)
{
    char why[FACT_REASON_MAX];
    uint32_t loop_index = 0;
    if (child->state != CHILD_SERVING && child->state != CHILD_DRAINING)
        return;
    uint64_t silence_ns = longest_silence(child, now_ns, &loop_index);
    if (silence_ns > (uint64_t)watchdog_ms * NS_PER_MS && !is_traced(child->pid)) {
        snprintf(why, sizeof(why), "watchdog: loop %u was silent for %.1f s", (unsigned)loop_index,
                 (double)silence_ns / 1e9);
        child_kill(child, why);
        return;
    }
    if (child->is_fact_failed && now_ns - child->served_ns > CRASH_LOOP_OVER_MS * 1000000ull) {
        child->is_fact_failed = false;
        snprintf(why, sizeof(why), "pid %d", (int)child->pid);
        child_fact(child, FACT_UP, why);
    }
}

static void on_watch(struct loop *loop, struct loop_timer *timer)
{
    struct super *super = CONTAINER_OF(timer, struct super, watch);
    uint64_t now_ns = loop_clock_ns();
    uint64_t due_ns = timer->deadline_ns;
    if (now_ns - due_ns > (uint64_t)HELD_UP_MS * NS_PER_MS)
        super->watched_ns = now_ns;
    int64_t watchdog_ms = super_settings(super)->watchdog_ms;
    for (size_t i = 0; i < super->n_children; i++)
        look_at(&super->children[i], now_ns, watchdog_ms);
    if (super->log_slab)
        metric_set(metric_row(super->log_slab, 0), LOG_DROPPED,
                   super->n_dropped_before + log_drain_dropped(super->drain));
    loop_timer_set(loop, timer, now_ns + (uint64_t)WATCH_EVERY_MS * NS_PER_MS);
}

void watch_start(struct super *super)
{
    loop_timer_init(&super->watch, on_watch);
    loop_timer_set(super->loop, &super->watch, loop_clock_ns());
}
