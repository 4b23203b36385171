/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEALTH_MACHINE_H
#define HEALTH_MACHINE_H

/*
 * When a member is checked, and what the results make of it: one machine a member, with neither
 * clock nor socket in it. The checker calls machine_begin() when machine.due_ns has come, and
 * machine_result() when it knows how the check ended; what happened comes back as a struct
 * machine_step.
 *
 *                    good                         fall bad ones in a row
 *     +---------+ ----------> +------+ ---------------------------------> +------+
 *     | UNKNOWN |             |  UP  |                                    | DOWN |
 *     +---------+ ----------> +------+ <--------------------------------- +------+
 *          |          bad        ^        rise good ones in a row            ^
 *          +-----------------------------------------------------------------+
 *
 * UNKNOWN is checked at once, and its first result decides alone. The same holds for a member whose
 * address has changed (machine_renew): it keeps its state until that result.
 *
 * Time. The next check begins `every` after the last one began, give or take 10 %, or right after
 * it where it took longer. Members that begin together drift apart at once: the wait behind a
 * machine's first check is a random part of `every`. So many members do not burst, neither at the
 * start nor later.
 *
 * Suspicion. An edge that fails to connect to a member, or loses an answer half way, nudges the
 * machine: the next check is due at once, and until a good result the following ones come every
 * machine_suspect_ns() = every / 10, within 100 ms and every. A suspect's results count as any
 * other: it takes `fall` of them to turn it down. So a member that was killed is down within 100 ms
 * + (fall - 1) * every / 10 of the first request that met it, instead of fall * every; a member
 * whose checks stay good stays up, whatever the edges report, and costs at most one check in
 * machine_suspect_ns(). A member that is not UP is no suspect: its checks say all there is to say.
 *
 * A result that says nothing of the member (MACHINE_NOTHING: we had no descriptor left) changes
 * nothing but the time of the next check, which comes as soon as a suspect's where nobody has
 * judged the member yet.
 */

#include "base/rng.h"
#include <stdbool.h>
#include <stdint.h>

enum { MACHINE_SUSPECT_MIN_MS = 100, MACHINE_SUSPECT_SHARE = 10 };

enum machine_state { MACHINE_UNKNOWN, MACHINE_UP, MACHINE_DOWN };
enum machine_verdict { MACHINE_GOOD, MACHINE_BAD, MACHINE_NOTHING };

struct machine_rules {
    uint64_t every_ns; /* > 0 */
    uint32_t fall;     /* 1.. */
    uint32_t rise;     /* 1.. */
};

struct machine {
    struct machine_rules rules;
    enum machine_state state;
    uint32_t n_row;     /* results in a row that speak against the state */
    uint64_t due_ns;    /* of the next check, while none runs */
    uint64_t begun_ns;  /* the last check; 0: none yet */
    bool is_running;    /* a check is under way */
    bool is_fresh;      /* the next result decides alone */
    bool is_suspect;    /* nudged, and no good result since */
    bool is_nudged;     /* during the check that runs, so that its result clears nothing */
    bool has_own_phase; /* the random wait behind the first check has been drawn */
};

/* What a result did. */
struct machine_step {
    bool has_changed;
    enum machine_state from, to;
    uint32_t n_results; /* that decided it: 1 for a fresh member, else fall or rise */
};

/* Not judged; the first check is due at due_ns. */
void machine_init(struct machine *machine, const struct machine_rules *rules, uint64_t due_ns);
/*
 * Judged in an earlier life of the process: it stays as it was until results in a row say
 * otherwise. The first check is due at some time within `every`.
 */
void machine_adopt(struct machine *machine, const struct machine_rules *rules,
                   enum machine_state state, uint64_t now_ns, struct rng *rng);
/* New rules at a reload. State and results in a row stay; a check that is further away than the new
 * `every` comes earlier. */
void machine_set_rules(struct machine *machine, const struct machine_rules *rules, uint64_t now_ns);
/* It is another server now: checked at once, and the next result decides alone. A check that still
 * runs is the caller's to cancel (machine_cancel). */
void machine_renew(struct machine *machine, uint64_t now_ns);

/* A check begins; none is running. */
void machine_begin(struct machine *machine, uint64_t now_ns);
/* The check that runs ends without a result; the next one is due now. */
void machine_cancel(struct machine *machine, uint64_t now_ns);
/* The check that runs has ended. */
struct machine_step machine_result(struct machine *machine, enum machine_verdict verdict,
                                   uint64_t now_ns, struct rng *rng);
/* An edge saw it fail. Returns true when the next check has become earlier by it. */
bool machine_nudge(struct machine *machine, uint64_t now_ns);

/* From one check of a suspect to the next. */
uint64_t machine_suspect_ns(const struct machine *machine);

/*
 * How soon checks could turn the member: the results that it still takes, times what lies between
 * two checks. 0 where the next result decides alone.
 */
uint64_t machine_turn_ns(const struct machine *machine);

#endif
