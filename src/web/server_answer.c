/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: their heads, the JSON of what weir refuses, and the table of routes.
 */
#include "base/json.h"
#include "web/server_part.h"
#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { HEAD_ROOM = 512 }; /* for the fields that every answer has */

/* ---- answering ---- */

/* RFC 9110 section 5.6.7, whatever the locale. */
static void text_date(struct text *out, uint64_t wall_ns)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    text_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday,
                months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* RFC 9110 section 8.6: these have no Content-Length. */
static bool has_no_content(uint16_t status)
{
    return status < 200 || status == 204 || status == 304;
}

static void text_own_lines(struct text *out, const struct web_server *server,
                           const struct web_answer *answer)
{
    if (server->config.name)
        text_printf(out, "Server: %s\r\n", server->config.name);
    text_date(out, loop_wall_ns(server->loop));
    if (answer->type)
        text_printf(out, "Content-Type: %s\r\n", answer->type);
    text_append(out, SLICE("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"));
}

static void text_answer_head(struct text *out, const struct web_conn *web,
                             const struct web_answer *answer)
{
    text_printf(out, "HTTP/1.1 %u %.*s\r\n", answer->status, SLICE_ARG(h1_reason(answer->status)));
    if (!answer->is_bare)
        text_own_lines(out, web->server, answer);
    if (!has_no_content(answer->status))
        text_printf(out, "Content-Length: %zu\r\n", answer->body.len);
    if (web->is_close)
        text_append(out, SLICE("Connection: close\r\n"));
    else if (web->request->head.minor == 0)
        text_append(out, SLICE("Connection: keep-alive\r\n"));
    text_append(out, answer->lines);
    text_append(out, SLICE("\r\n"));
}

int web_answer(struct web_exchange *exchange, const struct web_answer *answer)
{
    struct web_conn *web = CONTAINER_OF(exchange, struct web_conn, exchange);
    assert(!web->is_answered && web->state >= WEB_HEAD && web->state <= WEB_HANDLE);
    web->is_answered = true;
    web->exchange.on_gone = NULL;
    web->exchange.on_hangup = NULL;
    /* What was not read of the request cannot be told from the next one. */
    bool is_whole = web->state == WEB_HANDLE;
    web->is_close |= !is_whole || answer->is_close || web->server->is_draining ||
                     !web->request->head.is_keep_alive;

    struct text head = TEXT_NONE;
    text_reserve(&head, HEAD_ROOM);
    text_answer_head(&head, web, answer);
    bool has_body = exchange->method != H1_METHOD_HEAD && !has_no_content(answer->status);
    struct iovec parts[2] = {{.iov_base = head.ptr, .iov_len = head.len},
                             {.iov_len = has_body ? answer->body.len : 0}};
    memcpy(&parts[1].iov_base, &answer->body.ptr, sizeof(parts[1].iov_base)); /* only read */
    int error = conn_sendv(&web->conn, parts, parts[1].iov_len ? 2 : 1, false);
    web->server->counters.n_bytes_out += error < 0 ? 0 : head.len + parts[1].iov_len;
    text_deinit(&head);

    web_conn_move(web, WEB_FLUSH);
    web->n_pending = conn_pending(&web->conn);
    if (error < 0) {
        web_conn_close(web);
        return -1;
    }
    if (!web->is_running)
        loop_again(web->server->loop, &web->conn.io, LOOP_AGAIN);
    return 0;
}

__attribute__((format(printf, 4, 0))) static void web_verror(struct web_exchange *exchange,
                                                             uint16_t status, struct slice lines,
                                                             const char *format, va_list args)
{
    struct text sentence = TEXT_NONE, body = TEXT_NONE;
    text_vprintf(&sentence, format, args);
    struct json json;
    json_init(&json, &body);
    json_object_begin(&json);
    json_key(&json, "error");
    json_slice(&json, text_slice(&sentence));
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&body, '\n');
    struct web_answer answer = {
        .status = status, .type = "application/json", .body = text_slice(&body), .lines = lines};
    web_answer(exchange, &answer);
    text_deinit(&sentence);
    text_deinit(&body);
}

void web_error(struct web_exchange *exchange, uint16_t status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    web_verror(exchange, status, SLICE(""), format, args);
    va_end(args);
}

void web_error_lines(struct web_exchange *exchange, uint16_t status, struct slice lines,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    web_verror(exchange, status, lines, format, args);
    va_end(args);
}

/* ---- routes ---- */

static bool path_matches(const char *pattern, struct slice path)
{
    size_t len = strlen(pattern);
    if (len && pattern[len - 1] == '*')
        return slice_starts(path, slice_make(pattern, len - 1));
    return slice_is(path, pattern);
}

const struct web_route *web_route_find(struct web_exchange *exchange,
                                       const struct web_route *routes)
{
    enum h1_method method = exchange->method == H1_METHOD_HEAD ? H1_METHOD_GET : exchange->method;
    struct text allow = TEXT_NONE;
    for (const struct web_route *route = routes; route->path; route++) {
        if (!path_matches(route->path, exchange->path))
            continue;
        if (route->method == method) {
            text_deinit(&allow);
            return route;
        }
        text_printf(&allow, "%s%.*s", allow.len ? ", " : "",
                    SLICE_ARG(h1_method_text(route->method)));
        if (route->method == H1_METHOD_GET)
            text_append(&allow, SLICE(", HEAD"));
    }
    if (allow.len) {
        struct text line = TEXT_NONE;
        text_printf(&line, "Allow: %s\r\n", text_cstr(&allow));
        web_error_lines(exchange, 405, text_slice(&line), "%.*s takes %s",
                        SLICE_ARG(exchange->path), text_cstr(&allow));
        text_deinit(&line);
    } else {
        web_error(exchange, 404, "there is nothing at %.*s", SLICE_ARG(exchange->path));
    }
    text_deinit(&allow);
    return NULL;
}
