/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEALTH_REASON_H
#define HEALTH_REASON_H

/*
 * Why a check ended as it did. Every result is a row of one table: its name in metrics and logs,
 * what it says of the member, and the sentence that the member's fact carries.
 *
 *     up      HTTP 200 in 3 ms
 *     down    HTTP 503, expected 200..399
 *     down    connection refused
 *     down    no answer within 1s
 *     down    its agent says "down # disk full"
 */

#include "core/board.h"
#include "health/machine.h"
#include "pool/pool.h"
#include "web/client.h"
#include "wire/agent.h"
#include <stdint.h>

enum check_reason {
    REASON_OK,
    REASON_REFUSED,
    REASON_UNREACHABLE,
    REASON_CONNECT_TIMEOUT,
    REASON_TIMEOUT,
    REASON_RESET,
    REASON_CLOSED,
    REASON_BAD_STATUS,
    REASON_BAD_RESPONSE,
    REASON_TOO_LARGE,
    REASON_BAD_BODY,    /* the answer does not hold the text that it should */
    REASON_AGENT_DOWN,  /* the member's agent says so */
    REASON_AGENT_WORD,  /* what the agent says is no word of an agent */
    REASON_EXIT,        /* the program ended with another status than 0 */
    REASON_SIGNAL,      /* it was ended by a signal */
    REASON_NOT_STARTED, /* it could not be executed; says nothing of the member, as the next two */
    REASON_BUSY,        /* too many programs run */
    REASON_NO_WORKER,   /* nobody starts programs now */
    REASON_TLS,         /* the handshake failed, or the certificate did not pass */
    REASON_UNRESOLVED,  /* the member's name has no address */
    REASON_NO_RESOURCE, /* our own fault; says nothing of the member */
    N_REASONS
};

struct check_result {
    enum check_reason reason;
    uint16_t status;        /* of the answer, where there was one */
    enum h1_error h1_error; /* REASON_BAD_RESPONSE */
    int32_t number;         /* REASON_EXIT: the status; REASON_SIGNAL; REASON_NOT_STARTED: errno */
    /*
     * REASON_UNRESOLVED: what the resolver says; REASON_AGENT_WORD: the word; of a program: the
     * first line of its output; REASON_TLS: what conn_reason() says.
     */
    const char *why;
    const struct agent_says *agent; /* of an agent that was understood; else NULL */
    uint64_t took_ns;
};

/* "refused": in metrics and in the fields of the log. */
const char *reason_name(enum check_reason reason);
enum machine_verdict reason_verdict(enum check_reason reason);
/* What the end of a call means, the status apart. */
enum check_reason reason_of(enum web_outcome outcome);
/* Writes the sentence, cut to what a fact holds, and returns it. */
const char *reason_format(const struct check_result *result, const struct check_conf *check,
                          char text[FACT_REASON_MAX]);

#endif
