/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: request heads, and what the writer makes of them for a member. What is written must
 * be accepted again with the same method and framing, without what is between client and proxy.
 */
#include "wire/h1_fuzz.h"

enum { OUT_MAX = 80 * 1024 };

/* Fields that a member must not get from an untrusted client. */
static const enum h1_field_id untrusted[] = {
    H1_FIELD_X_FORWARDED_FOR,   H1_FIELD_X_FORWARDED_HOST,  H1_FIELD_X_FORWARDED_PORT,
    H1_FIELD_X_FORWARDED_PROTO, H1_FIELD_X_FORWARDED_OTHER, H1_FIELD_X_REAL_IP,
    H1_FIELD_FORWARDED,         H1_FIELD_CLIENT_CERT,       H1_FIELD_CLIENT_CERT_CHAIN,
};

/* Fields that no request can make disappear. */
static const enum h1_field_id kept[] = {
    H1_FIELD_HOST,           H1_FIELD_COOKIE, H1_FIELD_AUTHORIZATION,
    H1_FIELD_CONTENT_LENGTH, H1_FIELD_RANGE,  H1_FIELD_CONTENT_TYPE,
};

static void check_fields(const struct h1_head *before, const struct h1_head *after,
                         const struct h1_forward *forward)
{
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        FUZZ_CHECK(!h1_has(before, kept[i]) || h1_has(after, kept[i]));
    for (size_t i = 0; i < sizeof(untrusted) / sizeof(untrusted[0]); i++)
        FUZZ_CHECK(forward->is_peer_trusted || !h1_has(after, untrusted[i]));
    FUZZ_CHECK(!h1_has(after, H1_FIELD_PROXY) && !h1_has(after, H1_FIELD_KEEP_ALIVE) &&
               !h1_has(after, H1_FIELD_PROXY_CONNECTION) &&
               !h1_has(after, H1_FIELD_HTTP2_SETTINGS));
    FUZZ_CHECK(!after->is_h2c && !after->is_connection_foreign && after->n_options <= 3);
}

static void check_written(const struct h1_head *before, const struct h1_head *after,
                          const struct h1_forward *forward)
{
    FUZZ_CHECK(after->minor == 1 && after->method == before->method);
    FUZZ_CHECK(after->is_keep_alive == !forward->is_close);
    FUZZ_CHECK(after->is_websocket == (forward->is_upgrade && before->is_websocket));
    FUZZ_CHECK(after->is_te_trailers == before->is_te_trailers);
    FUZZ_CHECK(after->form != H1_FORM_ABSOLUTE);
    if (forward->is_length_known && before->body == H1_BODY_CHUNKED) {
        FUZZ_CHECK(after->body == H1_BODY_LENGTH && after->length == forward->length);
    } else {
        FUZZ_CHECK(after->body == before->body && after->length == before->length);
    }
    check_fields(before, after, forward);
}

static void write_and_read(const struct fuzz_case *fuzz, const struct h1_head *head)
{
    static const struct slice lines[] = {SLICE_INIT("Via: 1.1 weir\r\n")};
    static char out[OUT_MAX];
    struct h1_forward forward = {
        .lines = lines,
        .n_lines = 1,
        .fallback_host = SLICE("member"),
        .is_peer_trusted = fuzz->options & 2,
        .is_upgrade = fuzz->options & 4,
        .is_close = fuzz->options & 8,
        .is_length_known = fuzz->options & 16,
        .length = 7,
    };
    size_t room = head->head_len + H1_WRITE_SLACK + lines[0].len + forward.fallback_host.len;
    struct h1_head again;
    ssize_t len = h1_write_request_head(out, room, head, fuzz->buf, &forward);

    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(h1_write_request_head(out, (size_t)len - 1, head, fuzz->buf, &forward) == -1);
    FUZZ_CHECK(h1_write_request_head(out, (size_t)len, head, fuzz->buf, &forward) == len);
    fuzz_read_again(fuzz, out, (size_t)len, &again);
    check_written(head, &again, &forward);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_case fuzz;
    struct h1_head head;

    if (fuzz_case_init(&fuzz, data, len) && fuzz_read(&fuzz, &head))
        write_and_read(&fuzz, &head);
    return 0;
}
