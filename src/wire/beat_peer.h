/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_BEAT_PEER_H
#define WIRE_BEAT_PEER_H

/*
 * What is believed of another node's beats, so that a recording moves nothing.
 *
 * Within a life, numbers only grow, on each path by itself. A life that is not the known one (the
 * other node, or this one, has just started) must first prove that it is there now: its beat echoes
 * one that this node sent in the last BEAT_PROOF_MS, in this very life of ours, which no recording
 * can. Until then it is not believed, but it is echoed, so that the other node can prove us:
 *
 *       a (just started)                                  b
 *       life 7, number 1, heard nothing     ---->   unproven: echo it
 *       b is proven: it heard 7/1           <----   life 9, number 301, heard 7/1
 *       life 7, number 2, heard 9/301       ---->   a is proven
 *
 * A life that was left, because another one has proven itself, never comes back.
 */

#include "wire/beat.h"

enum {
    BEAT_PROOF_MS = 5000,
    BEAT_SENT_KEPT = 256, /* own numbers whose time is remembered; a power of two */
    BEAT_PAST_LIVES = 16,
    BEAT_CANDIDATE_ECHOES = 2, /* in a row, where there is a known life */
};

enum beat_verdict {
    BEAT_NEWS,     /* newer than all before: its facts are the sender's word */
    BEAT_AGAIN,    /* the same round over another path: that path lives */
    BEAT_UNPROVEN, /* may be a recording; echo it, believe nothing */
    BEAT_OLD,      /* a number that this path has had: late, doubled by the network, or replayed */
    BEAT_PAST,     /* of a life that is over: a replay */
    BEAT_N_VERDICTS
};

const char *beat_verdict_name(enum beat_verdict verdict);

struct beat_path {
    uint64_t number;   /* the newest over it, in the peer's life */
    uint64_t heard_ns; /* when; 0: never */
};

struct beat_peer {
    uint64_t own_life;
    uint64_t own_number; /* the newest that was sent */
    uint64_t sent_ns[BEAT_SENT_KEPT];
    uint64_t life;          /* the proven one; 0: none yet */
    uint64_t number;        /* the newest in it */
    uint64_t heard_ns;      /* when it came */
    uint64_t round_trip_ns; /* of the newest beat that told; 0: not known */
    uint64_t candidate_life, candidate_number, candidate_ns; /* unproven, to be echoed */
    uint32_t n_candidate_echoes;                             /* in a row */
    uint64_t past[BEAT_PAST_LIVES]; /* lives that are over, the newest first */
    struct beat_path paths[BEAT_PATHS_MAX];
};

/* own_life is random and not 0. */
void beat_peer_init(struct beat_peer *peer, uint64_t own_life);
/*
 * Fills life, number, heard_life, heard_number and held_us of the next round, which is sent now
 * over all paths.
 */
void beat_peer_send(struct beat_peer *peer, uint64_t now_ns, struct beat *beat);
/* Judges a beat that beat_read() found good and whose name is the peer's. */
enum beat_verdict beat_peer_take(struct beat_peer *peer, const struct beat *beat, uint64_t now_ns);
/* How long it has been silent over all paths; UINT64_MAX: it was never heard. */
uint64_t beat_peer_silence_ns(const struct beat_peer *peer, uint64_t now_ns);

#endif
