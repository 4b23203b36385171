/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_H1_READER_H
#define WIRE_H1_READER_H

/*
 * What the files of the HTTP/1 codec share while a head is read. Private to wire/h1*.
 *
 * A head is read by stages; head->stage, head->start and head->pos say where it stands between two
 * calls. A stage returns
 *
 *      > 0  done, head->stage names the next one
 *      = 0  more bytes are needed; head->pos is as far as the scan got
 *      < 0  reader->error says what is wrong, head->pos where
 *
 * and decides only on bytes that no further byte can change, so that a head fed in pieces comes out
 * as the same head fed whole does.
 */

#include "wire/h1.h"

enum h1_stage {
    H1_STAGE_EMPTY_LINE, /* one may stand before a request */
    H1_STAGE_EMPTY_LINE_LF,
    H1_STAGE_METHOD,
    H1_STAGE_TARGET,
    H1_STAGE_VERSION,
    H1_STAGE_STATUS,
    H1_STAGE_REASON,
    H1_STAGE_LINE_LF,
    H1_STAGE_FIELD, /* the first byte of a line decides what it is */
    H1_STAGE_NAME,
    H1_STAGE_COLON,
    H1_STAGE_SPACE, /* between colon and value */
    H1_STAGE_VALUE,
    H1_STAGE_VALUE_LF,
    H1_STAGE_NEXT, /* behind a field of a response */
    H1_STAGE_END_LF,
    H1_STAGE_DONE,
};

struct h1_reader {
    const char *buf;
    uint32_t len; /* of what may be looked at: at most limits->head_bytes */
    const struct h1_limits *limits;
    struct h1_head *head;
    struct h1_asked asked; /* responses */
    enum h1_error error;
};

/* Ends the reading of a head at pos. */
static inline int h1_fail(struct h1_reader *reader, size_t pos, enum h1_error error)
{
    reader->head->pos = (uint32_t)pos;
    reader->error = error;
    return -1;
}

/* The next stage begins at pos. */
static inline int h1_step(struct h1_reader *reader, size_t pos, enum h1_stage stage)
{
    reader->head->pos = (uint32_t)pos;
    reader->head->start = (uint32_t)pos;
    reader->head->stage = (uint8_t)stage;
    return 1;
}

/* The scan got to the end of the bytes that are there. */
static inline int h1_wait(struct h1_reader *reader, size_t pos)
{
    reader->head->pos = (uint32_t)pos;
    return 0;
}

static inline struct h1_span h1_span_make(size_t off, size_t len)
{
    return (struct h1_span){(uint32_t)off, (uint32_t)len};
}

/* Both names are tokens and `lower` has no upper case. */
bool h1_token_is(struct slice token, const char *lower, size_t len);
#define H1_TOKEN_IS(token, literal) h1_token_is((token), (literal), sizeof(literal) - 1)

/*
 * The next member of a comma-separated list, trimmed; false at the end. Empty members come out
 * empty. Line breaks of folded values count as space. Begin with rest = the value.
 */
bool h1_list_next(struct slice *rest, struct slice *ret_member);

/* h1_line.c: the first line. */
int h1_read_first_line(struct h1_reader *reader);
/* h1_field.c: the field lines and the empty line. */
int h1_read_fields(struct h1_reader *reader);
/* h1_target.c: the form of the target, head->target and head->method being set. */
enum h1_error h1_read_target(struct h1_head *head, const char *buf);
/* h1_fact.c: what a complete field says. */
enum h1_error h1_read_fact(struct h1_reader *reader, const struct h1_field *field);
/* h1_fact.c: what the complete head says. */
enum h1_error h1_conclude_request(struct h1_reader *reader);
enum h1_error h1_conclude_response(struct h1_reader *reader);

/* h1_name.c */
enum h1_method h1_method_id(struct slice text);
/* A trailer of this name may not be handed on: RFC 9110 section 6.5.1. */
bool h1_field_is_forbidden_trailer(enum h1_field_id id);

#endif
