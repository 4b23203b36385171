/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_RETRY_H
#define HTTP_RETRY_H

/*
 * May a request that failed at a member be sent once more? A pure decision: what happened and what
 * is known of the request go in, what to do comes out. try.c asks it and does what it says.
 *
 *     what happened            who may be asked again           where
 *     -----------------------  -------------------------------  ---------------------------------
 *     NOT_REACHED              every request: no byte of it     another member
 *                              has left
 *     IDLE_DIED                repeatable, whole at hand        any member, the same too, by a new
 *                                                               connection: that a kept one died
 *                                                               says nothing about the member
 *     BROKEN, LATE, DOWN       repeatable, whole at hand        another member
 *     NONSENSE                 nobody: it was answered          -
 *
 * Repeatable is a request whose method is idempotent (RFC 9110 section 9.2.2: a proxy MUST NOT
 * repeat others by itself), or whose route takes the word of its Idempotency-Key. Nobody is asked
 * again once the client has a byte of an answer, 1xx included, nor when the client has left, nor
 * behind the last of the tries; but a member that turns down takes its try with it, since several
 * may fall one after the other while a request waits for each.
 *
 * What a member may have seen is charged to the budget, for it may cost that member its work twice.
 * A request that reached nobody costs no member anything and is free. The first repetition comes at
 * once; those behind a further member that was reached and failed come after a pause, which grows,
 * and of which only a part between a half and the whole is waited.
 */

#include <stdbool.h>
#include <stdint.h>

enum retry_event {
    RETRY_NOT_REACHED, /* refused, unreachable, connecting took too long, no TLS */
    RETRY_IDLE_DIED,   /* a kept connection ended before a byte of the response */
    RETRY_BROKEN,      /* a new connection did */
    RETRY_LATE,        /* no head of a response in time */
    RETRY_DOWN,        /* the member has turned down while the request was with it */
    RETRY_NONSENSE,    /* what it answered is not HTTP */
};

enum retry_verb {
    RETRY_FAIL,      /* the answer is weir's own */
    RETRY_ELSEWHERE, /* another member, or nobody */
    RETRY_FRESH,     /* any member, the same too, by a new connection */
};

/* Why it is not sent again; the words of the counter. */
enum retry_refusal {
    RETRY_ANSWERED,   /* the member said something, or the client has a part of it */
    RETRY_UNSAFE,     /* not idempotent */
    RETRY_UNBUFFERED, /* a part of the body has gone by */
    RETRY_TRIES,      /* these were all */
    RETRY_BUDGET,     /* too much is repeated already */
    RETRY_NO_CLIENT,  /* nobody waits for it any more */
    RETRY_N_REFUSALS,
};

struct retry_case {
    enum retry_event event;
    bool is_repeatable; /* by its method, or by its key where the route allows it */
    bool is_kept;       /* what was sent of it is still at hand */
    bool is_whole;      /* and that is all of it */
    bool is_answered;   /* the client has a byte of an answer */
    bool has_client;
    uint32_t n_tries;   /* so far, this one included */
    uint32_t max_tries; /* at least 1 */
    uint32_t n_reached; /* members among them that were reached and failed, this one included */
};

struct retry_step {
    enum retry_verb verb;
    enum retry_refusal refusal; /* FAIL */
    bool is_charged;            /* take it from the budget, or fail by RETRY_BUDGET */
    uint32_t n_pauses;          /* 0: at once; else the pause has doubled so often, less one */
};

struct retry_step retry_decide(const struct retry_case *what);

/* The pause before a repetition, milliseconds: between a half and all of base_ms << (n_pauses - 1),
 * at most RETRY_PAUSE_MAX_MS; 0 for n_pauses 0. `draw` is any random number. */
enum { RETRY_PAUSE_MAX_MS = 1000 };
uint32_t retry_pause_ms(uint32_t n_pauses, uint32_t base_ms, uint32_t draw);

#endif
