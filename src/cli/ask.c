/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client side of the admin socket for commands.
 */
#include "cli/ask.h"

#include "base/addr.h"
#include "core/loop.h"
#include "wire/h1.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_NAME "admin.sock"

enum { READ_BYTES = 64 * 1024 };

static int64_t now_ms(void)
{
    return (int64_t)(loop_clock_ns() / 1000000);
}

/* ---- connecting ---- */

static int socket_addr(const char *state_dir, struct addr *ret_addr, struct err *err)
{
    struct text path = TEXT_NONE;
    text_printf(&path, "unix:%s/" SOCKET_NAME, state_dir);
    int result = addr_parse(text_slice(&path), ret_addr, err);
    text_deinit(&path);
    return result;
}

/* What went wrong, and what would be right. */
static void explain(const char *state_dir, int error, struct err *err)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        err_set(err,
                "weir does not run here: there is no %s/" SOCKET_NAME
                "; if it runs with another state directory, say --state DIR",
                state_dir);
        break;
    case ECONNREFUSED:
        err_set(err,
                "weir does not run: nobody listens on %s/" SOCKET_NAME
                ", which an earlier run left",
                state_dir);
        break;
    case EACCES:
    case EPERM:
        err_set(err,
                "user %u may not use %s/" SOCKET_NAME
                "; ask as root or as the user that started weir",
                (unsigned)geteuid(), state_dir);
        break;
    case EAGAIN:
        err_set(err, "weir does not take connections on %s/" SOCKET_NAME ": its queue is full",
                state_dir);
        break;
    default:
        err_set_errno(err, error, "cannot connect to %s/" SOCKET_NAME, state_dir);
    }
}

/* The connected socket, or -1 with err. */
static int ask_connect(const char *state_dir, struct err *err)
{
    struct addr addr;
    if (socket_addr(state_dir, &addr, err) < 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot make a socket");
    if (connect(fd, &addr.sa, addr.len) == 0)
        return fd;
    int error = errno;
    close(fd);
    explain(state_dir, error, err);
    err->number = error;
    return -1;
}

bool ask_is_alive(const char *state_dir)
{
    struct err err = ERR_NONE;
    int fd = ask_connect(state_dir, &err);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || err.number == EAGAIN; /* full: nobody accepts any more, but it listens */
}

/* ---- one request ---- */

struct asking {
    int fd;
    const char *state_dir;
    int limit_ms;
    int64_t until_ms;
};

static int wait_for(const struct asking *asking, short events, struct err *err)
{
    for (;;) {
        int64_t rest_ms = asking->until_ms - now_ms();
        struct pollfd ready = {.fd = asking->fd, .events = events};
        int n = rest_ms > 0 ? poll(&ready, 1, (int)rest_ms) : 0;
        if (n > 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno, "cannot wait for %s/" SOCKET_NAME, asking->state_dir);
        return err_set(err, "weir did not answer on %s/" SOCKET_NAME " within %d s",
                       asking->state_dir, asking->limit_ms / 1000);
    }
}

static int send_all(const struct asking *asking, struct slice bytes, struct err *err)
{
    while (bytes.len) {
        ssize_t n = send(asking->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n >= 0)
            bytes = slice_skip(bytes, (size_t)n);
        else if (errno != EAGAIN && errno != EINTR)
            return err_set_errno(err, errno, "cannot write to %s/" SOCKET_NAME, asking->state_dir);
        else if (wait_for(asking, POLLOUT, err) < 0)
            return -1;
    }
    return 0;
}

/* Appends until the server closes, which it was asked to do behind its answer. */
static int receive_all(const struct asking *asking, struct text *bytes, struct err *err)
{
    for (;;) {
        ssize_t n = recv(asking->fd, text_reserve(bytes, READ_BYTES), READ_BYTES, 0);
        if (n == 0)
            return 0;
        if (n > 0)
            bytes->len += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return err_set_errno(err, errno, "cannot read from %s/" SOCKET_NAME, asking->state_dir);
        else if (wait_for(asking, POLLIN, err) < 0)
            return -1;
        if (bytes->len > ASK_ANSWER_MAX)
            return err_set(err, "the answer on %s/" SOCKET_NAME " is too large", asking->state_dir);
    }
}

static int read_answer(const struct asking *asking, struct slice bytes,
                       struct ask_answer *ret_answer, struct err *err)
{
    struct h1_head head;
    struct h1_body body;
    enum h1_error error = H1_OK;
    h1_head_reset(&head);
    ssize_t used = h1_parse_response(bytes.ptr, bytes.len, &h1_limits_default,
                                     (struct h1_asked){H1_METHOD_GET, false}, &head, &error);
    if (used <= 0)
        return err_set(err, "%s/" SOCKET_NAME " does not answer as weir does: %s",
                       asking->state_dir,
                       used < 0 ? h1_error_row(error)->sentence : "the answer is cut off");
    ret_answer->status = head.status;
    ret_answer->body = (struct text)TEXT_NONE;
    h1_body_init(&body, &head, &h1_limits_default);
    for (bytes = slice_skip(bytes, (size_t)used);;) {
        struct h1_piece piece;
        size_t n = 0;
        enum h1_event event = h1_body_next(&body, bytes.ptr, bytes.len, &n, &piece);
        bytes = slice_skip(bytes, n);
        if (event == H1_DATA)
            text_append(&ret_answer->body, piece.data);
        if (event == H1_END)
            return 0;
        if (event == H1_ERROR || event == H1_MORE)
            break;
    }
    text_deinit(&ret_answer->body);
    return err_set(err, "the answer on %s/" SOCKET_NAME " is cut off", asking->state_dir);
}

int ask(const char *state_dir, const char *method, const char *target, struct slice body,
        int limit_ms, struct ask_answer *ret_answer, struct err *err)
{
    struct asking asking = {.fd = ask_connect(state_dir, err),
                            .state_dir = state_dir,
                            .limit_ms = limit_ms,
                            .until_ms = now_ms() + limit_ms};
    if (asking.fd < 0)
        return -1;
    struct text request = TEXT_NONE, bytes = TEXT_NONE;
    text_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method,
                target);
    if (strcmp(method, "GET") != 0)
        text_printf(&request, "Content-Length: %zu\r\n", body.len);
    if (body.len)
        text_append(&request, SLICE("Content-Type: application/json\r\n"));
    text_append(&request, SLICE("\r\n"));
    text_append(&request, body);
    int result = send_all(&asking, text_slice(&request), err);
    if (result == 0)
        result = receive_all(&asking, &bytes, err);
    if (result == 0)
        result = read_answer(&asking, text_slice(&bytes), ret_answer, err);
    close(asking.fd);
    text_deinit(&request);
    text_deinit(&bytes);
    return result;
}

static int ask_document(const char *state_dir, const char *method, const char *target,
                        struct slice body, int limit_ms, json_t **ret_document, struct err *err)
{
    struct ask_answer answer = {.status = 0};
    if (ask(state_dir, method, target, body, limit_ms, &answer, err) < 0)
        return -1;
    json_error_t error;
    json_t *document = json_loadb(text_cstr(&answer.body), answer.body.len, 0, &error);
    text_deinit(&answer.body);
    if (!json_is_object(document)) {
        json_decref(document);
        return err_set(err,
                       "%s/" SOCKET_NAME " does not answer as weir does: status %u without JSON",
                       state_dir, answer.status);
    }
    *ret_document = document;
    if (answer.status >= 200 && answer.status <= 299)
        return 0;
    const char *sentence = json_string_value(json_object_get(document, "error"));
    err_set(err, "%s", sentence ? sentence : "weir refused and does not say why");
    return 1;
}

int ask_json(const char *state_dir, const char *method, const char *target, int limit_ms,
             json_t **ret_document, struct err *err)
{
    return ask_document(state_dir, method, target, SLICE(""), limit_ms, ret_document, err);
}

int ask_json_with(const char *state_dir, const char *method, const char *target,
                  const json_t *request, int limit_ms, json_t **ret_document, struct err *err)
{
    char *body = json_dumps(request, JSON_COMPACT);
    int result =
        ask_document(state_dir, method, target, slice_from(body), limit_ms, ret_document, err);
    free(body);
    return result;
}
