/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEALTH_EJECT_H
#define HEALTH_EJECT_H

/*
 * Members that are taken out of their pool because requests to them fail, whatever their checks
 * say: one machine a member, fed with what the edges counted, with neither clock nor counter in it.
 *
 *                 failures in a row, or their rate over the last 10 s
 *     +------+ ----------------------------------------------------------> +---------+
 *     |  in  |          unless `at-most` of the pool is out already        | ejected |
 *     +------+ <---------------------------------------------------------- +---------+
 *                             its time is over; all counts begin anew
 *
 * Time. The first ejection lasts the shortest time, each further one twice as long as the one
 * before, up to the longest. Good time makes it shorter again: each stretch as long as the last
 * ejection in which the member was in takes one doubling back, once a success has shown that it was
 * good. A look with more failures than successes begins the stretch anew, so that a member that
 * gets few requests, because the edges avoid it, and fails them does not look well for that.
 *
 * In a row. What comes in is what all loops of all edges counted since the last look. A look with a
 * success in it ends the row: the member has served somebody a moment ago. A look without one adds
 * its failures. So no order of events between loops is needed, and a loop that met five failures
 * long ago says nothing while the others are served.
 *
 * A failure is a connection that could not be made or that broke before the answer, and, where the
 * pool says so (`eject status`), an answer of that status. What is a success is for the caller to
 * count: an answer that is no failure.
 */

#include <stdbool.h>
#include <stdint.h>

enum { EJECT_WINDOW_S = 10, EJECT_LEVEL_MAX = 32 };

struct eject_rules {
    uint32_t failures;      /* in a row; 0: this does not eject */
    uint32_t rate_percent;  /* of the requests of the last EJECT_WINDOW_S; 0: this does not eject */
    uint32_t rate_requests; /* that it takes to judge the rate */
    uint64_t min_ns, max_ns;
};

enum eject_why { EJECT_NOT, EJECT_ROW, EJECT_RATE };

struct eject_second {
    uint64_t second; /* since the clock's beginning */
    uint32_t n_good, n_bad;
};

struct eject {
    struct eject_second seconds[EJECT_WINDOW_S];
    uint64_t n_row;    /* failures without a success between them */
    uint32_t level;    /* doublings of the next ejection's time */
    uint64_t last_ns;  /* how long the last ejection was */
    uint64_t until_ns; /* 0: it is in */
    uint64_t good_ns;  /* since when it is in and well, as far as that has shortened nothing yet */
};

/* How many failed of how many, for the reason. */
struct eject_sums {
    uint64_t n_bad, n_all;
};

void eject_init(struct eject *eject);

/*
 * What was counted since the last look; returns whether that is too much, and of what. The member
 * is in. ret_sums: failures in a row (n_all 0), or those of the window.
 */
enum eject_why eject_count(struct eject *eject, const struct eject_rules *rules, uint64_t n_good,
                           uint64_t n_bad, uint64_t now_ns, struct eject_sums *ret_sums);

/* May one more go, where n_out of n are out already, and at most so many percent may be? */
bool eject_may(uint32_t n, uint32_t n_out, uint32_t at_most_percent);

/* It is ejected. Returns for how long. */
uint64_t eject_begin(struct eject *eject, const struct eject_rules *rules, uint64_t now_ns);
/* It should be, and may not: the counts begin anew, so that the next time is another one. */
void eject_refuse(struct eject *eject);
/* Is its time over? Then it is in again, and the answer is true once. */
bool eject_end(struct eject *eject, uint64_t now_ns);
/* Whatever the rules were, they are no more: it is in, and all is forgotten. */
void eject_forget(struct eject *eject);

static inline bool eject_is_out(const struct eject *eject)
{
    return eject->until_ns != 0;
}

#endif
