/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short HTTP/1 answers of weir's own: a status, a line of text, and what the connection does next.
 */
#include "wire/h1_out.h"

/* RFC 9110 section 15, and RFC 6585, RFC 8297, RFC 8470. */
static const struct reason_row {
    uint16_t status;
    struct slice text;
} reasons[] = {
    {100, SLICE_INIT("Continue")},
    {101, SLICE_INIT("Switching Protocols")},
    {103, SLICE_INIT("Early Hints")},
    {200, SLICE_INIT("OK")},
    {201, SLICE_INIT("Created")},
    {202, SLICE_INIT("Accepted")},
    {204, SLICE_INIT("No Content")},
    {206, SLICE_INIT("Partial Content")},
    {301, SLICE_INIT("Moved Permanently")},
    {302, SLICE_INIT("Found")},
    {303, SLICE_INIT("See Other")},
    {304, SLICE_INIT("Not Modified")},
    {307, SLICE_INIT("Temporary Redirect")},
    {308, SLICE_INIT("Permanent Redirect")},
    {400, SLICE_INIT("Bad Request")},
    {401, SLICE_INIT("Unauthorized")},
    {403, SLICE_INIT("Forbidden")},
    {404, SLICE_INIT("Not Found")},
    {405, SLICE_INIT("Method Not Allowed")},
    {406, SLICE_INIT("Not Acceptable")},
    {408, SLICE_INIT("Request Timeout")},
    {409, SLICE_INIT("Conflict")},
    {410, SLICE_INIT("Gone")},
    {411, SLICE_INIT("Length Required")},
    {412, SLICE_INIT("Precondition Failed")},
    {413, SLICE_INIT("Content Too Large")},
    {414, SLICE_INIT("URI Too Long")},
    {415, SLICE_INIT("Unsupported Media Type")},
    {416, SLICE_INIT("Range Not Satisfiable")},
    {417, SLICE_INIT("Expectation Failed")},
    {418, SLICE_INIT("I'm a teapot")},
    {421, SLICE_INIT("Misdirected Request")},
    {422, SLICE_INIT("Unprocessable Content")},
    {425, SLICE_INIT("Too Early")},
    {426, SLICE_INIT("Upgrade Required")},
    {428, SLICE_INIT("Precondition Required")},
    {429, SLICE_INIT("Too Many Requests")},
    {431, SLICE_INIT("Request Header Fields Too Large")},
    {451, SLICE_INIT("Unavailable For Legal Reasons")},
    {500, SLICE_INIT("Internal Server Error")},
    {501, SLICE_INIT("Not Implemented")},
    {502, SLICE_INIT("Bad Gateway")},
    {503, SLICE_INIT("Service Unavailable")},
    {504, SLICE_INIT("Gateway Timeout")},
    {505, SLICE_INIT("HTTP Version Not Supported")},
    {507, SLICE_INIT("Insufficient Storage")},
};

struct slice h1_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return SLICE("");
}

/* "503 Service Unavailable" */
static void put_status(struct h1_out *out, unsigned status)
{
    h1_put_number(out, status);
    h1_put(out, SLICE(" "));
    h1_put(out, h1_reason(status));
}

static bool has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

/* The bytes that put_text() writes. */
static size_t text_len(const struct h1_answer *answer)
{
    /* three digits, a space, the reason, LF */
    return answer->text.len ? answer->text.len : 5 + h1_reason(answer->status).len;
}

static void put_text(struct h1_out *out, const struct h1_answer *answer)
{
    if (answer->text.len > 0) {
        h1_put(out, answer->text);
        return;
    }
    put_status(out, answer->status);
    h1_put(out, SLICE("\n"));
}

static void put_answer_fields(struct h1_out *out, const struct h1_answer *answer)
{
    if (!has_no_body(answer->status)) {
        h1_put(out, SLICE("Content-Type: text/plain; charset=utf-8\r\n"));
        h1_put_length(out, text_len(answer));
    }
    /* Several of them may be cached by default (RFC 9110 section 15.1), and ours pass quickly. */
    if (answer->status >= 400)
        h1_put(out, SLICE("Cache-Control: no-store\r\n"));
    if (answer->retry_after_s > 0) {
        h1_put(out, SLICE("Retry-After: "));
        h1_put_number(out, answer->retry_after_s);
        h1_put(out, SLICE("\r\n"));
    }
    /* RFC 9110 section 15.5.6 demands it. */
    if (answer->status == 405)
        h1_put(out, SLICE("Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"));
}

ssize_t h1_write_answer(char *out_ptr, size_t cap, const struct h1_answer *answer)
{
    struct h1_out out = {.ptr = out_ptr, .cap = cap};

    assert(answer->status >= 100 && answer->status <= 999);
    h1_put(&out, SLICE("HTTP/1.1 "));
    put_status(&out, answer->status);
    h1_put(&out, SLICE("\r\n"));
    put_answer_fields(&out, answer);
    if (answer->is_close)
        h1_put(&out, SLICE("Connection: close\r\n"));
    else if (answer->client_minor == 0 && answer->status >= 200)
        h1_put(&out, SLICE("Connection: keep-alive\r\n"));
    h1_put(&out, answer->lines);
    h1_put(&out, SLICE("\r\n"));
    if (!answer->is_head && !has_no_body(answer->status))
        put_text(&out, answer);
    return h1_out_end(&out);
}
