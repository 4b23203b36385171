/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The replies of the job protocol, cut out of a stream. Each word is a row, with a letter for each
 * argument: b bytes of a body, i id, n how many, t tube.
 */

#include "wire/jobproto_client.h"

#include <assert.h>
#include <string.h>

enum { CRLF_LEN = 2 };

static const struct row {
    struct slice word;
    enum jobreply_kind kind;
    const char *args;
} rows[] = {
    {SLICE_INIT("INSERTED"), JOBREPLY_INSERTED, "i"},
    {SLICE_INIT("BURIED"), JOBREPLY_BURIED, "i"},
    {SLICE_INIT("EXISTS"), JOBREPLY_EXISTS, "i"},
    {SLICE_INIT("USING"), JOBREPLY_USING, "t"},
    {SLICE_INIT("WATCHING"), JOBREPLY_WATCHING, "n"},
    {SLICE_INIT("KICKED"), JOBREPLY_KICKED, "n"},
    {SLICE_INIT("BATCH"), JOBREPLY_BATCH, "n"},
    {SLICE_INIT("RESERVED"), JOBREPLY_RESERVED, "ib"},
    {SLICE_INIT("FOUND"), JOBREPLY_FOUND, "ib"},
    {SLICE_INIT("OK"), JOBREPLY_OK, "b"},
};

/* ---- lines ----------------------------------------------------------------------------------- */

static int take_argument(char kind, struct slice word, struct jobreply *reply)
{
    switch (kind) {
    case 'b':
        return slice_to_u64(word, &reply->body_bytes);
    case 'i':
        return slice_to_u64(word, &reply->id);
    case 'n':
        return slice_to_u64(word, &reply->count);
    default:
        assert(kind == 't');
        reply->tube = word;
        return jobproto_is_tube(word) ? 0 : -1;
    }
}

static int take_arguments(const struct row *row, struct slice rest, struct jobreply *reply)
{
    reply->kind = row->kind;
    for (const char *kind = row->args; *kind; kind++)
        if (!rest.ptr || take_argument(*kind, slice_cut(&rest, ' '), reply) < 0)
            return -1;
    return rest.ptr ? -1 : 0;
}

static int find_plain(struct slice line, enum jobproto_reply *ret_reply)
{
    for (unsigned i = 0; i < JOBPROTO_N_REPLIES; i++) {
        struct slice known = jobproto_reply_line((enum jobproto_reply)i);
        if (!slice_equal(line, slice_make(known.ptr, known.len - CRLF_LEN)))
            continue;
        *ret_reply = (enum jobproto_reply)i;
        return 0;
    }
    return -1;
}

int jobreply_parse_line(struct slice line, struct jobreply *ret_reply)
{
    struct slice rest = line;
    struct slice word = slice_cut(&rest, ' ');
    *ret_reply = (struct jobreply){.kind = JOBREPLY_PLAIN};
    if (!rest.ptr)
        return find_plain(line, &ret_reply->plain);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (slice_equal(word, rows[i].word))
            return take_arguments(&rows[i], rest, ret_reply);
    return -1;
}

bool jobreply_has_body(const struct jobreply *reply)
{
    return reply->kind == JOBREPLY_RESERVED || reply->kind == JOBREPLY_FOUND ||
           reply->kind == JOBREPLY_OK;
}

/* ---- the stream ------------------------------------------------------------------------------ */

void jobreply_reader_init(struct jobreply_reader *reader, uint64_t body_max_bytes)
{
    *reader = (struct jobreply_reader){.body_max = body_max_bytes};
}

static ssize_t read_line(struct jobreply_reader *reader, struct slice bytes,
                         struct jobreply_event *event)
{
    size_t room = bytes.len < JOBPROTO_OUT_MAX ? bytes.len : JOBPROTO_OUT_MAX;
    const char *end = room > 0 ? memmem(bytes.ptr, room, "\r\n", CRLF_LEN) : NULL;
    if (!end)
        return room < JOBPROTO_OUT_MAX ? 0 : -1;
    size_t len = (size_t)(end - bytes.ptr);
    event->is_body = false;
    if (jobreply_parse_line(slice_make(bytes.ptr, len), &event->reply) < 0)
        return -1;
    if (jobreply_has_body(&event->reply)) {
        if (event->reply.body_bytes > reader->body_max)
            return -1;
        reader->is_in_body = true;
        reader->left_bytes = event->reply.body_bytes;
    }
    return (ssize_t)(len + CRLF_LEN);
}

static ssize_t read_body(struct jobreply_reader *reader, struct slice bytes,
                         struct jobreply_event *event)
{
    size_t n = bytes.len < reader->left_bytes ? bytes.len : (size_t)reader->left_bytes;
    bool has_end = bytes.len - n >= CRLF_LEN; /* then n is all that is left */
    if (n == 0 && !has_end)
        return 0;
    *event = (struct jobreply_event){.is_body = true, .body = slice_make(bytes.ptr, n)};
    reader->left_bytes -= n;
    if (!has_end)
        return (ssize_t)n;
    if (memcmp(bytes.ptr + n, "\r\n", CRLF_LEN) != 0)
        return -1;
    reader->is_in_body = false;
    event->is_last = true;
    return (ssize_t)(n + CRLF_LEN);
}

ssize_t jobreply_read(struct jobreply_reader *reader, struct slice bytes,
                      struct jobreply_event *ret_event)
{
    *ret_event = (struct jobreply_event){.is_body = false};
    return reader->is_in_body ? read_body(reader, bytes, ret_event)
                              : read_line(reader, bytes, ret_event);
}

/* ---- documents ------------------------------------------------------------------------------- */

int jobreply_number(struct slice document, const char *name, uint64_t *ret_value)
{
    struct slice rest = document;
    while (rest.ptr) {
        struct slice value = slice_cut(&rest, '\n');
        struct slice key = slice_cut(&value, ':');
        if (value.ptr && slice_is(key, name))
            return slice_to_u64(slice_trim(value), ret_value);
    }
    return -1;
}
