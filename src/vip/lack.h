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
 * When it counts. What is lacking counts at once: what FAILED has been tried more than once.
 *
 * For whom it counts. The nodes of an edge mostly look at the same members, and see the same death
 * or return one after the other. Who moved in between would have moved for nothing. So the Active
 * believes a change late, while a Backup believes a bad one at once and a good one last:
 *
 *     a pool or member        counts for the Active       for a Backup, and to all who hear of it
 *     goes down               lack.settle_ms later        at once
 *     is well again           LACK_SETTLE_MS later        LACK_CALM_MS later
 *     (or the disk) is not
 *     judged by anybody yet   LACK_PATIENCE_MS later      at once
 *
 *     Active   0 ---- sees it down ----- 0, for settle_ms ------- 30, and asks who is better off
 *     Backup   0 ------------ sees it down, 30 and says so ------ 30, so that it is not
 *
 * With one delay for both, they would be as far apart behind it as they were before. That an
 * address comes back only to who has been well for LACK_CALM_MS is also why it does not follow a
 * fact that flaps. The first time, well counts at once. Where nobody has judged requests are sent
 * as well, so that the Active lacks nothing; but who has just started is not better off for that.
 *
 * The settle_ms of a pool or member are what the others need at least: until they hear that this
 * node has found it down, which makes suspects of its members there (health/health.h), and until
 * their checks of a suspect have failed often enough. 400 for checks each 200 ms of which two must
 * fail, 800 for the three each 2 s that are usual. It does not count what a check waits that is not
 * even refused: who is cut off alone is not to serve nobody for so long.
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
    LACK_CALM_MS = 1000,       /* well for so long, and a Backup believes it */
    LACK_SETTLE_MS = 400,      /* what others may be about to see, and the Active believes it */
    LACK_SETTLE_MAX_MS = 5000, /* at most, however slowly is checked */
    LACK_HEARD_MS = 200,       /* until the others have heard of it, and begun to look */
    LACK_GRACE_MS = 1000,      /* what its next life brings back lacks nothing for so long */
    LACK_PATIENCE_MS = 5000,   /* what is not judged yet lacks nothing for so long */
    LACK_SILENT_MS = 2000,     /* a process that nothing was heard of */
    LACK_LATE_MS = 500,        /* a loop */
    LACK_LOOK_MS = 100,        /* from one look at silences to the next */
    LACK_HELD_UP_MS = 250,     /* a look that was later than this says nothing of others' silence */
    LACK_WHY_MAX = 160,        /* "pool:web down: 0/3 up", with the NUL */
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
    LACK_COMMON,   /* the other nodes may be about to lack it as well */
    LACK_LACKING,
};

struct lack {
    char name[FACT_NAME_MAX];
    char fact[FACT_NAME_MAX]; /* that is looked at: the name, or of LACK_OF_LOOPS its process */
    enum lack_kind kind;
    unsigned points;
    unsigned settle_ms; /* LACK_COMMON counts so much later for the Active */
    bool is_lacking;    /* and it counts for a Backup */
    bool is_settled;    /* and for the Active as well */
    char why[LACK_WHY_MAX];
    /* --- lack_take()'s own --- */
    enum lack_verdict verdict; /* the last one */
    bool is_judged;            /* there is a last one */
    bool was_well;
    uint64_t since_ns; /* of the verdict */
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

/* What was not well for so long counts, for the Active or a Backup. */
unsigned lack_patience_ms(const struct lack *lack, enum lack_verdict verdict, bool is_active);

/* Writes why ("pool:web down: 0/3 up") where it is not well, at most LACK_WHY_MAX bytes. */
enum lack_verdict lack_judge(const struct lack *lack, const struct lack_look *look, char *ret_why);
/* Judges, and lets time pass as said above. Returns whether what counts or why is another now. */
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
struct lack_score {
    unsigned as_active; /* never more than as_backup */
    unsigned as_backup;
};
struct lack_score lack_list_score(const struct lack_list *list);
/* "listen:shop silent for 2.4 s (50), pool:web down: 0/3 up (30)"; nothing where nothing is
 * lacking. */
void lack_list_show(const struct lack_list *list, struct text *out);

#endif
