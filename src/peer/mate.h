/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_MATE_H
#define PEER_MATE_H

/*
 * A mate is another node of the edge, as its datagrams show it: what of them is believed, what that
 * makes of peer:NODE, and what the node says of itself.
 *
 *     UNKNOWN --news--> UP --silent for three beats--> DOWN --news--> UP ...
 *        |               |                               |
 *        |               +--this node slept--> UNKNOWN   |
 *        +------refused datagrams come from its address--+--> FAILED --they stop--> back
 *
 * Only what beat_peer_take() calls news keeps a mate up. Whatever is refused (another key, another
 * form, another name, a replay) never makes it better or worse than not up; where nothing else
 * comes, it gives the reason, because that is what an operator has to mend:
 *
 *     what comes                     what it means                               what is done
 *     no key of ours signs it        the secrets differ                          failed, if not up
 *     not of the form                another version, or another program         failed, if not up
 *     well signed, of another name   addresses or --node are mixed up            failed, if not up
 *     of this very life of ours      our own beat, thrown back                   counted
 *     a wrong MAC                    forged, or damaged on its way               counted
 *     old, past                      late, doubled or replayed                   counted
 *     unproven                       it has not heard us yet, or cannot          unknown, if not up
 *
 * A process that starts again finds the facts of its earlier life. They are true a moment ago, so
 * they are kept until the mate had time to prove itself anew (mate_adopt()). A process that slept
 * longer than its patience knows nothing of what was in between (mate_sleep()).
 *
 * Pure: time comes as an argument, keys as functions.
 */

#include "core/board.h"
#include "peer/inbox.h"
#include "wire/beat.h"
#include "wire/beat_peer.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    MATE_UNHEARD_MS = 1000, /* so long it may not have heard us before the reason says so */
    MATE_REFUSED_MS = 1000, /* so long what was refused is a reason, or longer for long periods */
    MATE_ADOPTED_MS = 250,  /* the least that the facts of an earlier life are kept */
};

/* What became of a datagram from the mate's address; the first are enum beat_verdict. */
enum mate_outcome {
    MATE_NEWS = BEAT_NEWS,
    MATE_AGAIN = BEAT_AGAIN,
    MATE_UNPROVEN = BEAT_UNPROVEN,
    MATE_OLD = BEAT_OLD,
    MATE_PAST = BEAT_PAST,
    MATE_MALFORMED,
    MATE_NO_KEY,
    MATE_FORGED,
    MATE_MISNAMED,
    MATE_REFLECTED,
    MATE_N_OUTCOMES
};

const char *mate_outcome_name(enum mate_outcome outcome);
/* Not news, not the same round over another path, and not the beginning of an acquaintance. */
bool mate_is_refusal(enum mate_outcome outcome);

struct mate_path {
    const char *name; /* borrowed */
    uint64_t period_ns;
    uint64_t heard_ns; /* what was believed; 0: nothing */
};

struct mate {
    char name[BEAT_NAME_MAX + 1], own_name[BEAT_NAME_MAX + 1];
    struct beat_peer beats;
    struct inbox inbox;
    struct mate_path paths[BEAT_PATHS_MAX];
    uint32_t n_paths;
    uint64_t period_ns;      /* between two of our own rounds */
    uint64_t its_period_ns;  /* of the newest beat; 0: none */
    uint64_t file_hash;      /* likewise */
    uint64_t echo_ns;        /* when our newest beat was sent that it has heard; 0: none */
    uint64_t unproven_ns;    /* since when it sends beats that are not proven; 0: it does not */
    uint64_t unproven_at_ns; /* the newest of them */
    uint64_t refused_ns;     /* the newest that was refused with a reason */
    enum mate_outcome refused;
    char refused_name[BEAT_NAME_MAX + 1]; /* that a misnamed one bore */
    uint64_t adopted_until_ns;            /* 0: not adopted */
    bool was_up;                          /* it was up before, here or in an earlier life */
    bool has_slept;                       /* this process, since the last news */
    bool wants_answer; /* the newest beat asks for one, or was the first of its life; for the owner,
                          who clears it */
    /* --- what mate_judge() makes of it --- */
    enum fact_state state; /* of peer:NODE; FACT_NONE: not judged yet */
    bool has_other_file;   /* meaningful while it is up */
    char reason[FACT_REASON_MAX];
};

/* What is told to a mate's owner. */
struct mate_config {
    struct slice name, own_name;
    uint64_t own_life; /* random, not 0 */
    uint64_t seed;
};

void mate_init(struct mate *mate, const struct mate_config *config);
void mate_deinit(struct mate *mate);
/* The paths of a new configuration; those of the same name keep what was heard over them. */
void mate_configure(struct mate *mate, const struct mate_path *paths, uint32_t n_paths,
                    uint64_t period_ns);
/* What an earlier life has left: the state of peer:NODE. Names of at:NODE/FACT go to the inbox. */
void mate_adopt(struct mate *mate, enum fact_state state, uint64_t now_ns);
/* This process was not there for longer than it is patient. */
void mate_sleep(struct mate *mate);

/* The head of the next round to this mate, but for its path and what the sender says of itself. */
void mate_send(struct mate *mate, uint64_t now_ns, struct beat *beat);
/*
 * A datagram came over the path, from the mate's address. News go to the inbox, whose calls are
 * made. ret_beat: set unless it could not be read; its slices lie in the datagram.
 */
enum mate_outcome mate_take(struct mate *mate, uint32_t path, struct slice datagram,
                            const struct beat_keys *keys, uint64_t now_ns,
                            const struct inbox_calls *calls);
/*
 * What is true of it now: fills state, reason and has_other_file. A mate that is not up says
 * nothing, so its inbox is emptied; the owner first states peer:NODE, then calls mate_mute().
 */
void mate_judge(struct mate *mate, uint64_t own_hash, uint64_t now_ns);
/* Empties the inbox of a mate that is not up. */
void mate_mute(struct mate *mate, const struct inbox_calls *calls);
/* When mate_judge() may say something else although nothing came; UINT64_MAX: never. */
uint64_t mate_deadline_ns(const struct mate *mate, uint64_t now_ns);
/* Longer without news is silence. */
uint64_t mate_patience_ns(const struct mate *mate);
/* Does something that is believed come over the path? */
bool mate_path_is_live(const struct mate *mate, uint32_t path, uint64_t now_ns);

#endif
