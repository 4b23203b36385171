/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_QUEUE_LINK_H
#define CLI_QUEUE_LINK_H

/*
 * A connection of the job protocol to the weir that runs here, over the unix socket in its state
 * directory, with blocking calls: a command is sent, and its answer read.
 */

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"

struct queue_link {
    int fd;
    struct text in;   /* what was read and not taken */
    struct text line; /* the last answer's, without its end */
    struct text body; /* of the last answer that had one */
};

/* 0, or -1 with err: what was tried, and what would be right. */
int queue_link_open(struct queue_link *link, const char *state_dir, struct err *err);
void queue_link_close(struct queue_link *link);

/*
 * Sends a command without its end of line, and behind it the body where there is one (ptr not
 * NULL); reads the answer into link->line, and into link->body where bytes follow it. 0, or -1.
 */
int queue_link_ask(struct queue_link *link, const char *command, struct slice body,
                   struct err *err);

/* Does the last answer begin with this word? */
int queue_link_is(const struct queue_link *link, const char *word);

#endif
