/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_LACK_H
#define VIP_LACK_H

/*
 * What this node lacks to serve those who come to its floating address, in points from 0 (nothing)
 * to LACK_MAX, and why. Its priority is lowered by so much, and the other nodes hear of it, so that
 * the address goes where more can be served.
 *
 * `needs` (vip/need.h) names facts of the board. A fact is fine while it is up, degraded, serving,
 * resolved or active; otherwise what it is worth is lacking. Without any `needs` all counts that
 * this node serves:
 *
 *     listen:NAME, dns:NAME         50 each     what clients come to
 *     pool:NAME                     30 each     those that a route sends requests to
 *     process:edge, process:dns    100 each     down, failed, or silent for 2 s
 *     lag:edge                      40          a loop that was not heard for 500 ms
 *     disk:state                    20          no room in the state directory
 *
 * When it counts. What is lacking counts at once: what FAILED has been tried more than once. A pool
 * or member that is down, behind all the patience of its checks, counts LACK_SETTLE_MS later: the
 * other node often looks at the same members and sees the same a moment later, and who moved in
 * between would have moved for nothing. What is well again counts when it has been for
 * LACK_CALM_MS, so that an address does not follow a fact that flaps; the first time it counts at
 * once. What nobody has judged yet (pools, members, the disk) lacks nothing for LACK_PATIENCE_MS,
 * as requests are sent there as well.
 *
 * A death counts when it has lasted. A process that dies is started again within 0.1 s, and what
 * the kernel accepts or queues meanwhile is served by its next life: an address that moved for that
 * would break every connection for nothing, twice. So a process that is DOWN, and a listener that
 * its process has not stated (or stated as UNKNOWN or DOWN), lack nothing for LACK_GRACE_MS, if
 * they were well before; so does a listener that a reload has brought. A process that dies again
 * and again is FAILED after a few times. Loops are late only where their process is UP, for a dead
 * one has none.
 *
 * A silent writer. Facts of a kind that is to be distrusted (struct fact_kind) lack when their
 * writer has been silent for longer than they are good; the others keep their last word. Silence is
 * measured from the last time that the one who looks was late itself, see lack_silence().
 *
 * Nothing here looks at the board or a clock: facts come in, points and reasons go out. The
 * watching is vip/lack_watch.h.
 */

#include "base/text.h"
#include "core/board.h"
#include "core/module.h"
#include "vip/need.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LACK_LISTEN = 50,
    LACK_POOL = 30,
    LACK_PROCESS = 100,
    LACK_LAG = 40,
    LACK_DISK = 20,
    LACK_CALM_MS = 1000,     /* well for so long, and it counts */
    LACK_SETTLE_MS = 400,    /* what others may be about to see lacks nothing for so long */
    LACK_GRACE_MS = 1000,    /* what its next life brings back lacks nothing for so long */
    LACK_PATIENCE_MS = 5000, /* what is not judged yet lacks nothing for so long */
    LACK_SILENT_MS = 2000,   /* a process that nothing was heard of */
    LACK_LATE_MS = 500,      /* a loop */
    LACK_LOOK_MS = 100,      /* from one look at silences to the next */
    LACK_HELD_UP_MS = 250,   /* a look that was later than this says nothing of others' silence */
    LACK_WHY_MAX = 160,      /* "pool:web down: 0/3 up", with the NUL */
};

#define LACK_PROCESS_PREFIX "process:"

/* --- one thing -------------------------------------------------------------------------------- */

enum lack_kind {
    LACK_OF_FACT,    /* its state is what counts */
    LACK_OF_PROCESS, /* process:KIND: its state, and whether it is heard of */
    LACK_OF_LOOPS,   /* lag:KIND: how long the slowest loop of process:KIND was not heard */
};

enum lack_verdict {
    LACK_WELL,
    LACK_UNJUDGED, /* by those who look */
    LACK_PASSING,  /* a next life may mend it */
    LACK_COMMON,   /* the other nodes may lack it as well */
    LACK_LACKING,
};

/* What was not well for so long counts. */
unsigned lack_patience_ms(enum lack_verdict verdict);

struct lack {
    char name[FACT_NAME_MAX];
    char fact[FACT_NAME_MAX]; /* that is looked at: the name, or of LACK_OF_LOOPS its process */
    enum lack_kind kind;
    unsigned points;
    bool is_lacking; /* and it counts */
    char why[LACK_WHY_MAX];
    /* --- lack_take()'s own --- */
    enum lack_verdict verdict; /* the last one */
    bool was_well;
    bool is_waiting;   /* for the verdict to have lasted long enough to count */
    uint64_t since_ns; /* of is_waiting */
};

/* What was seen of it. */
struct lack_look {
    enum fact_state state;
    const char *reason;           /* of the fact; "" */
    const struct fact_kind *fact; /* its rule; NULL: as FACT_KEEP */
    uint64_t
        silence_ns; /* of the fact's writer, of the process, or of its slowest loop; see kind */
    unsigned loop;  /* which one; LACK_OF_LOOPS */
};

/* Writes why ("pool:web down: 0/3 up") where it is not well, at most LACK_WHY_MAX bytes. */
enum lack_verdict lack_judge(const struct lack *lack, const struct lack_look *look, char *ret_why);
/* Judges, and lets time pass as said above. Returns whether is_lacking or why is another now. */
bool lack_take(struct lack *lack, const struct lack_look *look, uint64_t now_ns);

/*
 * A silence as it counts for who was held up itself until `awake_ns`: what it did not hear then
 * says nothing.
 */
static inline uint64_t lack_silence(uint64_t silence_ns, uint64_t awake_ns, uint64_t now_ns)
{
    uint64_t awake_for_ns = now_ns - awake_ns;
    return silence_ns < awake_for_ns ? silence_ns : awake_for_ns;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct lack_list {
    struct lack *items;
    size_t n_items;
    size_t cap;
};

/*
 * What `needs` names, or where it is empty what this node serves. The list is the caller's, to be
 * freed by lack_list_deinit(). The snapshot has been checked.
 */
void lack_list_init(struct lack_list *list, const struct snapshot *snap,
                    const struct conf_list *needs);
void lack_list_deinit(struct lack_list *list);
/* What `former` knows of things that are in both lists; what is new is taken to have been well. */
void lack_list_adopt(struct lack_list *list, const struct lack_list *former);
struct lack *lack_list_find(const struct lack_list *list, const char *name);

/* The points of all that is lacking, at most LACK_MAX. */
unsigned lack_list_score(const struct lack_list *list);
/* "listen:shop silent for 2.4 s (50), pool:web down: 0/3 up (30)"; nothing where nothing is
 * lacking. */
void lack_list_show(const struct lack_list *list, struct text *out);

#endif
