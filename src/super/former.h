/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_FORMER_H
#define SUPER_FORMER_H

/*
 * The processes of a former build, behind an upgrade. They have been told to retire, accept nothing
 * any more, finish what they have, and are told to stop when all of their upgrade are through: the
 * last request still wants to know which members are up. Behind `upgrade-drain` they are stopped
 * whatever they have left, which is counted.
 *
 *     ADOPTED --retire--> RETIRED --all are drained, or the limit--> STOPPED --death--> gone
 *
 * They are of another build: what they are sent was written by their own supervisor before the
 * upgrade, and what they say are reports (core/process_former.c), whose counts are added to those
 * that the supervisor carries (carry.h). One that dies is not started again; its clients find the
 * new processes. The next upgrade hands them on.
 *
 * Each has a fact `former:KIND/PID`.
 */

#include "core/export.h"
#include "super/internal.h"

enum { FORMERS_MAX = 32 };

/* What a former process counted when it was last heard, of one object. */
struct former_count {
    const struct metric_table *table;
    uint64_t *words;
    char key[]; /* "table object" */
};

struct former {
    struct list node;
    struct super *super;
    char kind[32];
    char build[64];
    pid_t pid;
    uint32_t group; /* those of one upgrade stop together */
    bool is_retired, is_drained, is_stopped;
    uint64_t until_ns; /* when it is stopped at the latest; 0: not retired yet */
    uint64_t since_ns; /* CLOCK_REALTIME of its retirement */
    int log_fd;        /* -1: another layout, which nobody here can read */
    int log_bell;      /* what it rings; those of one upgrade have the same */
    struct loop_io control;
    struct loop_timer timer;
    json_t *source;    /* how it was described; the next upgrade describes it the same */
    struct map counts; /* key -> struct former_count */
};

/* Takes over those that a description tells of; `fds` are theirs from now on. 0, or -1 with err. */
int formers_adopt(struct super *super, const json_t *list, struct err *err);
/* Adds their logs to the log's thread. */
int formers_open_logs(struct super *super, struct err *err);
/* The new processes serve: those that were not retired yet are. */
void formers_retire(struct super *super);
/* Are all that run drained? */
bool formers_are_drained(const struct super *super);
/* Stops all; kills them wait_ms later. */
void formers_stop(struct super *super, int64_t wait_ms);
/* Reaps. */
void formers_on_child(struct super *super);
void formers_deinit(struct super *super);

#endif
