/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

/*
 * One question to a running weir: an HTTP request over the unix socket in its state directory, with
 * blocking calls and a limit on the whole.
 */

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include <jansson.h>
#include <stdbool.h>

enum {
    ASK_STATUS_MS = 3000,      /* for what admin knows or finds out within a second */
    ASK_COMMAND_MS = 300000,   /* for what the supervisor does */
    ASK_ANSWER_MAX = 64 << 20, /* bytes */
};

struct ask_answer {
    unsigned status;
    struct text body;
};

/*
 * Asks, with a body of JSON where there is one. Returns 0 with the answer, whatever its status
 * (text_deinit(&ret_answer->body) is the caller's), or -1 with err: which socket was tried, why
 * that failed, what would be right.
 */
int ask(const char *state_dir, const char *method, const char *target, struct slice body,
        int limit_ms, struct ask_answer *ret_answer, struct err *err);

/*
 * The same for answers in JSON. 0: an answer of class 2xx, whose document is the caller's
 * (json_decref); 1: weir refused; err has its sentence, and *ret_document the whole, with
 * "diagnostics" for instance; -1: there is no answer.
 */
int ask_json(const char *state_dir, const char *method, const char *target, int limit_ms,
             json_t **ret_document, struct err *err);

/* The same with a body, which is JSON; `request` is borrowed. */
int ask_json_with(const char *state_dir, const char *method, const char *target,
                  const json_t *request, int limit_ms, json_t **ret_document, struct err *err);

/*
 * Does anybody listen on the socket still? The supervisor holds it, so false means that it is gone.
 */
bool ask_is_alive(const char *state_dir);

#endif
