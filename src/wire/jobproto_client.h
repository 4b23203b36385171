/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JOBPROTO_CLIENT_H
#define WIRE_JOBPROTO_CLIENT_H

/*
 * The job protocol as a client speaks it: jobproto.h the other way round. Commands are written;
 * replies come back, one a command, in their order:
 *
 *     TOUCHED                  a line of at most JOBPROTO_OUT_MAX bytes, its CR LF included
 *     RESERVED 7 5 CR LF       a line, and behind RESERVED, FOUND and OK a body:
 *     hello CR LF              as long as the line says, any bytes, and two more
 *
 *              RESERVED, FOUND, OK             all of the body, CR LF
 *     [LINE] --------------------> [BODY] -----------------------------> [LINE]
 *
 * The reader is fed with what has come and hands out one event at a time, as the server's reader
 * does; slices live as long as the bytes. Unlike a client's, a server's mistake ends the
 * connection: nobody could say any more which reply belongs to which command.
 */

#include "base/text.h"
#include "wire/jobproto.h"
#include "wire/jobproto_write.h"
#include <sys/types.h>

enum jobreply_kind {
    JOBREPLY_PLAIN,    /* `plain` */
    JOBREPLY_INSERTED, /* id */
    JOBREPLY_BURIED,   /* id: put, but there was no room for it in memory */
    JOBREPLY_EXISTS,   /* id */
    JOBREPLY_USING,    /* tube */
    JOBREPLY_WATCHING, /* count */
    JOBREPLY_KICKED,   /* count */
    JOBREPLY_BATCH,    /* count */
    JOBREPLY_RESERVED, /* id, body_bytes */
    JOBREPLY_FOUND,    /* id, body_bytes */
    JOBREPLY_OK,       /* body_bytes */
    JOBREPLY_N_KINDS,
};

struct jobreply {
    enum jobreply_kind kind;
    enum jobproto_reply plain;
    uint64_t id, count;
    uint64_t body_bytes; /* at most the reader's body_max */
    struct slice tube;
};

struct jobreply_event {
    bool is_body; /* a part of the body of the reply before it; else `reply` is whole */
    bool is_last; /* the body is whole */
    struct slice body;
    struct jobreply reply;
};

struct jobreply_reader {
    uint64_t body_max;
    uint64_t left_bytes; /* of the body */
    bool is_in_body;
};

/* body_max_bytes: a longer body is a mistake. */
void jobreply_reader_init(struct jobreply_reader *reader, uint64_t body_max_bytes);

/*
 * Reads one event. Returns > 0: the bytes that it consumed, *ret_event is set; 0: need more; -1:
 * this is no reply. A part of a body is handed out as soon as it is there, so that fewer than
 * JOBPROTO_OUT_MAX bytes are ever left unconsumed.
 */
ssize_t jobreply_read(struct jobreply_reader *reader, struct slice bytes,
                      struct jobreply_event *ret_event);

/* A line without its CR LF: 0 and *ret_reply, or -1. */
int jobreply_parse_line(struct slice line, struct jobreply *ret_reply);

/* Does a body follow? */
bool jobreply_has_body(const struct jobreply *reply);

/* The number that a document of stats has under a name: 0, or -1 where there is none. */
int jobreply_number(struct slice document, const char *name, uint64_t *ret_value);

/*
 * Appends a command as jobproto_parse_line() reads it, with its CR LF; behind put and finish the
 * caller appends the body and CR LF. Its values are in range. Text is cut so that the line has at
 * most JOBPROTO_LINE_MAX bytes, and what a line cannot carry becomes `?`.
 */
void jobproto_write_command(struct text *out, const struct jobproto_command *command);

#endif
