/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bodies framed anew, as lists of parts.
 */

#include "http/relay.h"

#include <string.h>

enum {
    PART_CHUNK_HEAD = 1,
    PART_DATA = 2,
    /* Behind the data: CRLF, the last chunk, trailers, the empty line. */
    PARTS_BEHIND = 4,
};

static void relay_add(struct relay *relay, const void *bytes, size_t len)
{
    struct iovec *part = &relay->parts[relay->n_parts++];
    memcpy(&part->iov_base, &bytes, sizeof(bytes)); /* parts are only sent, never written to */
    part->iov_len = len;
}

static void trailer_keep(struct text *trailers, const struct h1_piece *piece)
{
    text_append(trailers, piece->name);
    text_append(trailers, SLICE(": "));
    text_append(trailers, piece->value);
    text_append(trailers, SLICE("\r\n"));
}

static void relay_frame(struct relay *relay, bool is_end, const struct text *trailers)
{
    if (relay->n_data) {
        size_t n = h1_write_chunk_head(relay->chunk_head, relay->n_data);
        relay->parts[PART_CHUNK_HEAD].iov_base = relay->chunk_head;
        relay->parts[PART_CHUNK_HEAD].iov_len = n;
        relay_add(relay, "\r\n", 2);
    }
    if (is_end) {
        relay_add(relay, "0\r\n", 3);
        if (trailers->len)
            relay_add(relay, trailers->ptr, trailers->len);
        relay_add(relay, "\r\n", 2);
    }
}

enum relay_result relay_next(struct relay *relay, struct h1_body *body, bool is_chunked_out,
                             struct text *trailers, const char *buf, size_t len, size_t *ret_used)
{
    enum relay_result result = RELAY_FULL;
    size_t used_all = 0;
    relay->n_parts = PART_DATA;
    relay->n_data = 0;
    relay->error = H1_OK;
    relay->parts[PART_CHUNK_HEAD].iov_len = 0;
    while (result == RELAY_FULL && relay->n_parts < RELAY_PARTS_MAX - PARTS_BEHIND) {
        struct h1_piece piece;
        size_t used;
        enum h1_event event = h1_body_next(body, buf + used_all, len - used_all, &used, &piece);
        used_all += used;
        switch (event) {
        case H1_DATA:
            relay_add(relay, piece.data.ptr, piece.data.len);
            relay->n_data += piece.data.len;
            break;
        case H1_TRAILER:
            if (is_chunked_out)
                trailer_keep(trailers, &piece);
            break;
        case H1_MORE:
            result = RELAY_MORE;
            break;
        case H1_END:
            result = RELAY_END;
            break;
        case H1_ERROR:
            relay->error = piece.error;
            result = RELAY_ERROR;
            break;
        }
    }
    if (is_chunked_out && result != RELAY_ERROR)
        relay_frame(relay, result == RELAY_END, trailers);
    *ret_used = used_all;
    return result;
}
