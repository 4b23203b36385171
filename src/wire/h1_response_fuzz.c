/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: response heads, and what the writer makes of them for a client. What is written must
 * be accepted again, with the framing that h1_reply_body() told the caller and no folded line.
 */
#include "wire/h1_fuzz.h"

enum { OUT_MAX = 80 * 1024 };

static const enum h1_method methods[] = {H1_METHOD_GET, H1_METHOD_HEAD, H1_METHOD_POST,
                                         H1_METHOD_CONNECT};

static const enum h1_field_id kept[] = {H1_FIELD_SET_COOKIE, H1_FIELD_CONTENT_TYPE,
                                        H1_FIELD_LOCATION, H1_FIELD_CONTENT_ENCODING};

static void check_connection(const struct h1_head *before, const struct h1_head *after,
                             const struct h1_reply *reply)
{
    bool is_close = reply->is_close || after->body == H1_BODY_UNTIL_CLOSE;

    if (before->status < 200 || after->body == H1_BODY_TUNNEL)
        return;
    FUZZ_CHECK(after->is_keep_alive == !is_close);
    FUZZ_CHECK(!after->is_upgrade_option && !h1_has(after, H1_FIELD_UPGRADE));
}

static void check_written(const struct h1_head *before, const struct h1_head *after,
                          const struct h1_reply *reply)
{
    FUZZ_CHECK(after->minor == 1 && after->status == before->status);
    FUZZ_CHECK(after->flags == 0 && !after->is_connection_foreign);
    FUZZ_CHECK(after->body == h1_reply_body(before, reply));
    FUZZ_CHECK(reply->client_minor > 0 || after->body != H1_BODY_CHUNKED);
    if (after->body == H1_BODY_LENGTH)
        FUZZ_CHECK(after->length ==
                   (before->body == H1_BODY_LENGTH ? before->length : reply->length));
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        FUZZ_CHECK(h1_has(before, kept[i]) == h1_has(after, kept[i]));
    FUZZ_CHECK(!h1_has(after, H1_FIELD_KEEP_ALIVE));
    check_connection(before, after, reply);
}

static void write_and_read(const struct fuzz_case *fuzz, const struct h1_head *head)
{
    static const struct slice lines[] = {SLICE_INIT("Via: 1.1 weir\r\n")};
    static char out[OUT_MAX];
    struct h1_reply reply = {
        .lines = lines,
        .n_lines = 1,
        .client_minor = fuzz->options & 2 ? 0 : 1,
        .is_close = fuzz->options & 4,
        .is_length_known = fuzz->options & 8,
        .length = 7,
    };
    size_t room = head->head_len + H1_WRITE_SLACK + lines[0].len;
    struct h1_head again;
    ssize_t len = h1_write_response_head(out, room, head, fuzz->buf, &reply);

    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(h1_write_response_head(out, (size_t)len - 1, head, fuzz->buf, &reply) == -1);
    FUZZ_CHECK(h1_write_response_head(out, (size_t)len, head, fuzz->buf, &reply) == len);
    fuzz_read_again(fuzz, out, (size_t)len, &again);
    check_written(head, &again, &reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_case fuzz;
    struct h1_head head;

    if (!fuzz_case_init(&fuzz, data, len))
        return 0;
    fuzz.is_response = true;
    fuzz.asked.method = methods[fuzz.options >> 4 & 3];
    fuzz.asked.is_websocket = fuzz.options & 64;
    if (fuzz_read(&fuzz, &head))
        write_and_read(&fuzz, &head);
    return 0;
}
