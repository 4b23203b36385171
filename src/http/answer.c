/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers of weir's own: reasons, malformed requests, respond and redirect.
 */

#include "http/answer.h"

#include "base/mem.h"
#include "http/internal.h"
#include <assert.h>
#include <stdio.h>
#include <time.h>

static const struct http_reason_row rows[HTTP_N_REASONS] = {
    [HTTP_NO_ROUTE] = {"no_route", 404, false, 0, "no route matches this request\n"},
    [HTTP_RESPOND] = {"respond", 0, false, 0, NULL},
    [HTTP_REDIRECT] = {"redirect", 0, false, 0, NULL},
    [HTTP_NO_MEMBER] = {"no_member", 503, false, HTTP_RETRY_AFTER_S,
                        "no server is up for this request, try again soon\n"},
    [HTTP_QUEUE_FULL] = {"queue_full", 503, false, HTTP_RETRY_AFTER_S,
                         "too many requests wait already, try again soon\n"},
    [HTTP_QUEUE_LATE] = {"queue_late", 503, false, HTTP_RETRY_AFTER_S,
                         "no server had room in time, try again soon\n"},
    [HTTP_UNREACHABLE] = {"unreachable", 502, false, 0, "no server could be reached\n"},
    [HTTP_BROKEN] = {"broken", 502, false, 0, "the server closed before it answered\n"},
    [HTTP_NONSENSE] = {"nonsense", 502, false, 0, "the server's answer is not valid HTTP\n"},
    [HTTP_LATE] = {"late", 504, false, 0, "the server did not answer in time\n"},
    [HTTP_OVERDUE] = {"overdue", 504, false, 0, "the request took longer than it may\n"},
    [HTTP_HEAD_LATE] = {"head_late", 408, true, 0, "the request did not come in time\n"},
    [HTTP_BODY_LATE] = {"body_late", 408, true, 0, "the request's body did not come in time\n"},
    [HTTP_BODY_SLOW] = {"body_slow", 408, true, 0, "the request's body came too slowly\n"},
    [HTTP_BODY_LARGE] = {"body_large", 413, true, 0, "the request's body is too large\n"},
    [HTTP_ASYNC_AWAY] = {"async_away", 503, false, HTTP_RETRY_AFTER_S,
                         "requests cannot be kept for later now, try again soon\n"},
    [HTTP_ASYNC_LATE] = {"async_late", 503, false, HTTP_RETRY_AFTER_S,
                         "it is not known whether the request was kept, try again soon\n"},
    [HTTP_ASYNC_UPGRADE] = {"async_upgrade", 400, false, 0,
                            "requests to this address are done later, a WebSocket cannot be\n"},
    [HTTP_CROWDED] = {"crowded", 503, true, HTTP_RETRY_AFTER_S, "too many connections\n"},
};

_Static_assert(HTTP_N_REASONS <= LISTEN_BAD - LISTEN_ANSWERS, "a word for each reason");

const struct http_reason_row *http_reason_row(enum http_reason reason)
{
    assert(reason < HTTP_N_REASONS);
    return &rows[reason];
}

void count_status(metric_word *row, uint32_t first_word, unsigned status)
{
    if (status >= 200 && status < 600)
        metric_add(row, first_word + status / 100 - 2, 1);
}

struct slice worker_date(struct http_worker *worker)
{
    uint64_t now_s = loop_wall_ns(worker->loop) / 1000000000u;
    if (now_s != worker->date_s) {
        time_t seconds = (time_t)now_s;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(worker->date_line, sizeof(worker->date_line),
                 "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        worker->date_s = now_s;
    }
    return slice_from(worker->date_line);
}

/* The date and, to a part of this weir, what is wrong, in the worker's own memory. */
static struct slice own_lines(const struct http_client *client, const char *reason)
{
    struct http_worker *worker = client->listen->worker;
    struct slice date = worker_date(worker);
    if (!client->listen->is_internal)
        return date;
    int n = snprintf(worker->own_lines, sizeof(worker->own_lines), "%.*sWeir-Answer: %s\r\n",
                     SLICE_ARG(date), reason);
    assert(n > 0 && (size_t)n < sizeof(worker->own_lines));
    return slice_make(worker->own_lines, (size_t)n);
}

/* Writes the answer, sends it, and brings the client to what follows. */
static void answer_send(struct http_client *client, const struct h1_answer *answer,
                        bool must_linger)
{
    struct http_worker *worker = client->listen->worker;
    ssize_t n = h1_write_answer(worker->scratch, sizeof(worker->scratch), answer);
    assert(n > 0);
    count_status(client->listen->row, LISTEN_2XX, answer->status);
    client_status(client, answer->status);
    struct iovec part = {.iov_base = worker->scratch, .iov_len = (size_t)n};
    if (client_send(client, &part, 1) < 0) {
        client_close(client, false);
        return;
    }
    client->must_close = answer->is_close;
    if (answer->is_close && must_linger)
        client_linger(client);
    else
        client_done(client);
}

void answer_reason(struct http_client *client, enum http_reason reason, bool is_head)
{
    answer_reason_with(client, reason, "", is_head);
}

void answer_reason_with(struct http_client *client, enum http_reason reason, const char *text,
                        bool is_head)
{
    const struct http_reason_row *row = http_reason_row(reason);
    metric_add(client->listen->row, LISTEN_ANSWERS + reason, 1);
    client_reason(client, row->name);
    struct h1_answer answer = {.status = row->status,
                               .is_close = row->is_close || client->must_close,
                               .is_head = is_head,
                               .client_minor = client->minor,
                               .retry_after_s = row->retry_after_s,
                               .lines = own_lines(client, row->name),
                               .text = slice_from(text[0] ? text : row->sentence)};
    answer_send(client, &answer, true);
}

void answer_error(struct http_client *client, enum h1_error error, bool is_head)
{
    const struct h1_error_row *row = h1_error_row(error);
    char text[256];
    int n = snprintf(text, sizeof(text), "%s\n", row->sentence);
    metric_add(client->listen->row, LISTEN_BAD + error, 1);
    client_reason(client, row->name);
    struct h1_answer answer = {.status = row->status,
                               .is_close = client->must_close || error != H1_ERR_EXPECTATION,
                               .is_head = is_head,
                               .client_minor = 1,
                               .lines = own_lines(client, row->name),
                               .text = slice_make(text, (size_t)n)};
    answer_send(client, &answer, true);
}

void answer_route(struct http_client *client, const struct route *route, const char *buf)
{
    struct http_worker *worker = client->listen->worker;
    const struct h1_head *head = &worker->request;
    struct text lines = TEXT_NONE;
    if (route->action == ROUTE_REDIRECT_HTTPS && head->host.len == 0) {
        answer_error(client, H1_ERR_HOST_MISSING, head->method == H1_METHOD_HEAD);
        return;
    }
    text_append(&lines, worker_date(worker));
    bool is_redirect = route->action != ROUTE_RESPOND;
    if (is_redirect) {
        text_append(&lines, SLICE("Location: "));
        route_location(route, head, buf, &lines);
        text_append(&lines, SLICE("\r\n"));
    }
    enum http_reason reason = is_redirect ? HTTP_REDIRECT : HTTP_RESPOND;
    metric_add(client->listen->row, LISTEN_ANSWERS + reason, 1);
    client_reason(client, http_reason_row(reason)->name);
    if (client->access)
        client->access->is_reason_fine = true;
    struct h1_answer answer = {.status = route_status(route, head),
                               .is_close = client->must_close,
                               .is_head = head->method == H1_METHOD_HEAD,
                               .client_minor = head->minor,
                               .lines = text_slice(&lines),
                               .text = is_redirect ? SLICE("") : route->text};
    answer_send(client, &answer, false);
    text_deinit(&lines);
}
