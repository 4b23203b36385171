/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_CALLBACK_H
#define QUEUE_CALLBACK_H

/*
 * Callbacks: what a queue puts into another one when a job of its ends.
 *
 *     queue reports { callback told; failure-callback told }
 *     queue told    { deliver pool app path /hooks }
 *
 *     a job of `reports` is done --\
 *     ... or dead -----------------+--> one call of the model, one settle: the callback's PUT, then
 *     ... or its time is over -----/    the STATE or DEL of the job
 *
 * So neither is lost alone: the log is a sequence, and a crash keeps a beginning of it. Where that
 * ends between the two the job is done again, and its callback is put again, under the same unique
 * key as long as the first one is there.
 *
 * A callback is a job as any other: a request (docs/formats/job-http.md) that its queue delivers
 * to its own pool, with its own retries and limits. Where it goes is what the file says; a job may
 * choose the path alone, and only below the path that the file has for that queue, so that whoever
 * puts jobs can have no other request sent than one to those who are there for it.
 *
 * Whoever ends a job asks first whether the log has room for both. Where a lease ends by itself and
 * there is none, the job is not dead yet and is tried once more; where its time to live does, it
 * stays until there is room.
 *
 * It is there in place of a job that ended, and never refused: limits of its queue hold up the
 * deliveries whose callbacks it gets (deliver.c) instead. Its own end makes no callback but where
 * its queue says so; a circle of queues is refused by `weir check`.
 */

#include "base/slice.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

enum callback_end { CALLBACK_DONE, CALLBACK_DEAD, CALLBACK_N_ENDS };

enum {
    CALLBACK_PATH_MAX = 1024,    /* bytes of a path that a job chooses */
    CALLBACK_HEAD_BYTES = 8192,  /* all but the answer's body, at most */
    CALLBACK_BODY_MAX = 1 << 16, /* of `body` in the file */
    CALLBACK_PRIORITY = 1024,
    CALLBACK_TTR_S = 60,
};

/* Where the callbacks of a queue go, as the file says it. */
struct callback_rule {
    char *queue, *path, *host; /* of mem_strdup() */
    size_t body_max;           /* bytes of an answer's body that are told along */
};

/* What ended. */
struct callback {
    enum callback_end end;
    bool is_expired; /* DEAD: not for its attempts, but because its time to live was over */
    struct slice queue;
    uint64_t id;
    uint32_t n_attempts;
    uint64_t created_s, ended_s; /* since 1970 UTC */
    const char *error;           /* the name of the last, NULL: none */
    struct slice error_text;
    struct slice result; /* empty, a weir-response/1, or anything else that a worker left */
    struct slice path;   /* that the job chose, or empty */
};

/* Appends the job. */
void callback_write(const struct callback_rule *rule, const struct callback *what,
                    struct text *out);

/* Of the job that callback_write() makes: bytes at most, with a result of so many. */
size_t callback_bytes(const struct callback_rule *rule, size_t result_bytes);

/*
 * NULL: a job may choose that path where the file says `below`; else the end of a sentence, a
 * literal. It may not leave what is below, in whatever way receivers read it.
 */
const char *callback_refusal(struct slice path, struct slice below);

#endif
