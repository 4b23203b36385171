/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

/*
 * The process `health`: it alone decides which member is up, and it alone resolves names.
 *
 *      configuration --> struct target (a member)
 *                          | name    net/resolver.h   -> address:web/app2
 *                          | machine health/machine.h -> when to check, what the results make of it
 *                          | run     health/checker.h -> one check under way
 *      force:web/app1, weight:web/app1   of admin          |
 *                          | verdict health/verdict.h -> whose word counts
 *                          +--> member:web/app1, pool:web      on the board, for everybody
 *                          +--> table "check"                  counters
 *                          +--> the log: each transition once
 *      metrics "member" of the edges --> suspects: probe at once
 *
 * Facts. member:POOL/NAME is up, down, draining (it keeps the sessions that are bound to it and
 * takes nothing else), or unknown as long as nobody could judge it; its reason is that of who
 * decided, its value the weight in force, and a weight that changes is told (board_tell). pool:POOL
 * is up (no member is down), degraded (some are), draining (nobody is up, some drain), down (all
 * are), unknown (no member is judged); its reason counts them, its value is the number that are up.
 * address:POOL/NAME is there for members that are named by a host. Readers keep the last word of a
 * silent health: members stay as they were.
 *
 * Forced. What the operator forces are facts of admin: force:POOL/NAME (up, down, draining) and
 * weight:POOL/NAME (up; the value is the weight). Health acts on them as long as they stand, also
 * while admin is dead. Checks of a forced member go on and are remembered, so that it is as it is
 * in the moment when it is forced no more.
 *
 * Lives. After a restart health adopts what the board says: a member that was up stays up until
 * `fall` checks in a row say otherwise, and an address that was in force is the one to begin with.
 * At a reload members that remain keep their state; one whose address changed is checked at once,
 * and the first result decides alone; facts and counters of those that are gone go with them.
 *
 * Bounds. HEALTH_RUNNING_MAX checks are under way at a time; those that are due meanwhile wait in
 * the order of their time and are counted (delayed). First checks begin HEALTH_FIRST_SPREAD_NS
 * apart, all within HEALTH_FIRST_WITHIN_NS.
 *
 * Suspects. Edges tell health nothing; they count, in the metric slabs of their own segments,
 * connects that failed and answers that broke off. Every HEALTH_WATCH_MS health looks at the sums,
 * and a member whose sum has grown is nudged (health/machine.h says what that does). Who starts to
 * count a member after health has begun to look needs no more than that. Where another node says
 * that it has found a pool down (at:NODE/pool:NAME), the members of that pool are nudged as well: a
 * node without traffic would learn what they have in common as late as its checks come.
 *
 * Ejections. The same sums take a member out of its pool whose checks are good and whose requests
 * fail (health/eject.h): down, "ejected for 10s: 5 failures in a row". Never more than the pool's
 * `at-most`, those that are down for another reason counted; what is refused for that is a metric.
 * A member whose checks turn it down is ejected no more: they say when it is well again. Another
 * life of health ejects anew, for the shortest time, what it finds ejected.
 *
 * Doors that stay open: further kinds of check are rows of health/checker.c.
 */

#include "core/metric.h"
#include "core/module.h"
#include "health/reason.h"

enum {
    HEALTH_RUNNING_MAX = 128,
    HEALTH_WATCH_MS = 100,
    HEALTH_FIRST_SPREAD_NS = 1000000,
    HEALTH_FIRST_WITHIN_NS = 1000000000,
};

extern const struct module health_module;

/* Words of the table "check", for each member that is checked. */
enum check_word {
    CHECK_RUNS, /* results, good and bad */
    CHECK_DELAYED,
    CHECK_NUDGES,
    CHECK_TRANSITIONS,
    CHECK_FAILURES,                                 /* by reason: + enum check_reason - 1 */
    CHECK_LATENCY = CHECK_FAILURES + N_REASONS - 1, /* histogram: microseconds of good checks */
    CHECK_WORDS = CHECK_LATENCY + METRIC_HIST_WORDS
};

extern const struct metric_table check_metrics;

/* Words of the table "eject", for each pool. */
enum eject_word {
    EJECT_MEMBERS, /* gauge */
    EJECT_BY_ROW,
    EJECT_BY_RATE,
    EJECT_REFUSED,
    EJECT_WORDS
};

extern const struct metric_table eject_metrics;

#endif
