/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SCALE_H
#define WORKER_SCALE_H

/*
 * How many jobs a worker does at a time, between the two ends of `concurrency`: by how many wait
 * for it, and for how long.
 *
 *     max |            .-----------.
 *         |        .---'           |          up: jobs wait while all that may be done are; more
 *         |     .--'               '----.         than those, or one for longer than `age`
 *     min |-----'                       '---  down: `idle` has gone by, and so many were never
 *                                                 needed
 *
 * It rises by a half, once a look, because what waits says that it is too low and not by how much.
 * It falls to the most that were done at a time since it changed last, or since the last fall; so a
 * load that swings faster than `idle` moves nothing.
 *
 * A machine without a clock: what was seen and `now` come in.
 */

#include <stdbool.h>
#include <stdint.h>

struct scale_rule {
    uint32_t min, max; /* 1 <= min <= max */
    uint64_t age_ms;
    uint64_t idle_ns;
};

struct scale {
    uint32_t level;    /* min..max of the rule; 0: there was none yet */
    uint32_t most;     /* done at a time since the window began */
    uint32_t most_now; /* since the last look */
    uint64_t since_ns; /* the window */
};

struct scale_seen {
    uint64_t n_ready;   /* jobs that wait */
    uint64_t oldest_ms; /* for how long the first of them does */
};

/* There is another rule: the level is brought between its ends. */
void scale_set(struct scale *scale, const struct scale_rule *rule, uint64_t now_ns);
/* So many jobs are done now. */
void scale_note(struct scale *scale, uint32_t n_busy);
/* Returns true where the level is another now. */
bool scale_look(struct scale *scale, const struct scale_rule *rule, const struct scale_seen *seen,
                uint32_t n_busy, uint64_t now_ns);

#endif
