/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which of another node's beats are believed.
 */

#include "wire/beat_peer.h"

#include <assert.h>
#include <string.h>

enum { NS_PER_US = 1000, NS_PER_MS = 1000000 };

const char *beat_verdict_name(enum beat_verdict verdict)
{
    static const char *const names[BEAT_N_VERDICTS] = {
        [BEAT_NEWS] = "news", [BEAT_AGAIN] = "again", [BEAT_UNPROVEN] = "unproven",
        [BEAT_OLD] = "old",   [BEAT_PAST] = "past",
    };
    assert(verdict < BEAT_N_VERDICTS);
    return names[verdict];
}

void beat_peer_init(struct beat_peer *peer, uint64_t own_life)
{
    assert(own_life != 0);
    memset(peer, 0, sizeof(*peer));
    peer->own_life = own_life;
}

/* ---- sending ---- */

static uint32_t held_us(uint64_t since_ns, uint64_t now_ns)
{
    uint64_t held = (now_ns - since_ns) / NS_PER_US;
    return held < UINT32_MAX ? (uint32_t)held : UINT32_MAX;
}

/*
 * A candidate is echoed before the one that is known, who seldom needs a proof of us; but not all
 * the time, as a recording of an earlier life makes a candidate as often as it is played.
 */
static bool is_candidates_turn(const struct beat_peer *peer, uint64_t now_ns)
{
    return peer->candidate_life != 0 &&
           now_ns - peer->candidate_ns <= (uint64_t)BEAT_PROOF_MS * NS_PER_MS &&
           (peer->life == 0 || peer->n_candidate_echoes < BEAT_CANDIDATE_ECHOES);
}

void beat_peer_send(struct beat_peer *peer, uint64_t now_ns, struct beat *beat)
{
    peer->own_number++;
    peer->sent_ns[peer->own_number & (BEAT_SENT_KEPT - 1)] = now_ns;
    beat->life = peer->own_life;
    beat->number = peer->own_number;
    beat->heard_life = 0;
    beat->heard_number = 0;
    beat->held_us = 0;
    if (is_candidates_turn(peer, now_ns)) {
        peer->n_candidate_echoes++;
        beat->heard_life = peer->candidate_life;
        beat->heard_number = peer->candidate_number;
        beat->held_us = held_us(peer->candidate_ns, now_ns);
    } else if (peer->life) {
        peer->n_candidate_echoes = 0;
        beat->heard_life = peer->life;
        beat->heard_number = peer->number;
        beat->held_us = held_us(peer->heard_ns, now_ns);
    }
}

/* ---- taking ---- */

/* Has the beat heard one of ours that is at most BEAT_PROOF_MS old? */
static bool is_proof(const struct beat_peer *peer, const struct beat *beat, uint64_t now_ns)
{
    if (beat->heard_life != peer->own_life || beat->heard_number == 0 ||
        beat->heard_number > peer->own_number ||
        peer->own_number - beat->heard_number >= BEAT_SENT_KEPT)
        return false;
    uint64_t sent_ns = peer->sent_ns[beat->heard_number & (BEAT_SENT_KEPT - 1)];
    return now_ns - sent_ns <= (uint64_t)BEAT_PROOF_MS * NS_PER_MS;
}

static bool is_past(const struct beat_peer *peer, uint64_t life)
{
    for (int i = 0; i < BEAT_PAST_LIVES; i++)
        if (peer->past[i] == life)
            return true;
    return false;
}

static void begin_life(struct beat_peer *peer, uint64_t life)
{
    if (peer->life) {
        memmove(peer->past + 1, peer->past, sizeof(peer->past) - sizeof(peer->past[0]));
        peer->past[0] = peer->life;
    }
    peer->life = life;
    peer->number = 0;
    peer->round_trip_ns = 0;
    peer->candidate_life = 0;
    peer->n_candidate_echoes = 0;
    memset(peer->paths, 0, sizeof(peer->paths));
}

static void note_round_trip(struct beat_peer *peer, const struct beat *beat, uint64_t now_ns)
{
    if (!is_proof(peer, beat, now_ns))
        return;
    uint64_t sent_ns = peer->sent_ns[beat->heard_number & (BEAT_SENT_KEPT - 1)];
    uint64_t held_ns = (uint64_t)beat->held_us * NS_PER_US;
    if (held_ns <= now_ns - sent_ns)
        peer->round_trip_ns = now_ns - sent_ns - held_ns;
}

enum beat_verdict beat_peer_take(struct beat_peer *peer, const struct beat *beat, uint64_t now_ns)
{
    assert(beat->path < BEAT_PATHS_MAX && beat->life != 0 && beat->number != 0);
    if (beat->life != peer->life) {
        if (is_past(peer, beat->life))
            return BEAT_PAST;
        if (!is_proof(peer, beat, now_ns)) {
            peer->candidate_life = beat->life;
            peer->candidate_number = beat->number;
            peer->candidate_ns = now_ns;
            return BEAT_UNPROVEN;
        }
        begin_life(peer, beat->life);
    }
    struct beat_path *path = &peer->paths[beat->path];
    if (beat->number <= path->number)
        return BEAT_OLD;
    path->number = beat->number;
    path->heard_ns = now_ns;
    if (beat->number <= peer->number)
        return BEAT_AGAIN;
    peer->number = beat->number;
    peer->heard_ns = now_ns;
    note_round_trip(peer, beat, now_ns);
    return BEAT_NEWS;
}

uint64_t beat_peer_silence_ns(const struct beat_peer *peer, uint64_t now_ns)
{
    return peer->life ? now_ns - peer->heard_ns : UINT64_MAX;
}
