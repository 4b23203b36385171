/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The client side of the job protocol for commands.
 */

#include "cli/queue_link.h"

#include "base/addr.h"
#include "queue/conf.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, PATIENCE_S = 60 };

static int explain(const char *state_dir, int error, struct err *err)
{
    if (error == ENOENT || error == ECONNREFUSED)
        return err_set(err,
                       "no queue runs here: nobody listens on %s/" JOBS_SOCKET
                       " (it takes a `jobs` in the file; another state directory: --state DIR)",
                       state_dir);
    if (error == EACCES || error == EPERM)
        return err_set(err,
                       "user %u may not use %s/" JOBS_SOCKET
                       "; ask as root or as the user that started weir",
                       (unsigned)geteuid(), state_dir);
    return err_set_errno(err, error, "cannot connect to %s/" JOBS_SOCKET, state_dir);
}

int queue_link_open(struct queue_link *link, const char *state_dir, struct err *err)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct text path = TEXT_NONE;
    struct addr addr;
    *link = (struct queue_link){.fd = -1};
    text_printf(&path, "unix:%s/" JOBS_SOCKET, state_dir);
    int result = addr_parse(text_slice(&path), &addr, err);
    text_deinit(&path);
    if (result < 0)
        return -1;
    link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        return err_set_errno(err, errno, "cannot make a socket");
    (void)setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(link->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(link->fd, &addr.sa, addr.len) == 0)
        return 0;
    int error = errno;
    queue_link_close(link);
    return explain(state_dir, error, err);
}

void queue_link_close(struct queue_link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    text_deinit(&link->in);
    text_deinit(&link->line);
    text_deinit(&link->body);
}

static int send_all(struct queue_link *link, struct slice bytes, struct err *err)
{
    while (bytes.len > 0) {
        ssize_t n = send(link->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "the queue does not take the command");
        if (n > 0)
            bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

static int read_more(struct queue_link *link, struct err *err)
{
    ssize_t n;
    do
        n = recv(link->fd, text_reserve(&link->in, READ_BYTES), READ_BYTES, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set_errno(err, errno, "the queue does not answer");
    if (n == 0)
        return err_set(err, "the queue has closed the connection");
    link->in.len += (size_t)n;
    return 0;
}

static void drop(struct queue_link *link, size_t n)
{
    memmove(link->in.ptr, link->in.ptr + n, link->in.len - n);
    link->in.len -= n;
}

static int read_line(struct queue_link *link, struct err *err)
{
    const char *end;
    while (!(end = link->in.len ? memmem(link->in.ptr, link->in.len, "\r\n", 2) : NULL))
        if (read_more(link, err) < 0)
            return -1;
    size_t n = (size_t)(end - link->in.ptr);
    text_clear(&link->line);
    text_append(&link->line, slice_make(link->in.ptr, n));
    drop(link, n + 2);
    return 0;
}

/* The last number of a line that bytes follow. */
static int body_bytes(const struct queue_link *link, uint64_t *ret_bytes)
{
    static const char *const words[] = {"OK", "FOUND", "RESERVED"};
    const char *last = strrchr(text_cstr(&link->line), ' ');
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (queue_link_is(link, words[i]) && last)
            return slice_to_u64(slice_from(last + 1), ret_bytes);
    return 1;
}

int queue_link_is(const struct queue_link *link, const char *word)
{
    size_t len = strlen(word);
    struct slice line = text_slice(&link->line);
    return slice_starts(line, slice_from(word)) && (line.len == len || line.ptr[len] == ' ');
}

int queue_link_ask(struct queue_link *link, const char *command, struct slice body, struct err *err)
{
    struct text out = TEXT_NONE;
    uint64_t n_bytes = 0;
    text_printf(&out, "%s\r\n", command);
    if (body.ptr) {
        text_append(&out, body);
        text_append(&out, SLICE("\r\n"));
    }
    int result = send_all(link, text_slice(&out), err);
    text_deinit(&out);
    if (result < 0 || read_line(link, err) < 0)
        return -1;
    text_clear(&link->body);
    if (body_bytes(link, &n_bytes) != 0)
        return 0;
    while (link->in.len < n_bytes + 2)
        if (read_more(link, err) < 0)
            return -1;
    text_append(&link->body, slice_make(link->in.ptr, n_bytes));
    drop(link, n_bytes + 2);
    return 0;
}
