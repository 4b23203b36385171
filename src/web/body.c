/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bodies that grow, in memory or in a file; and the file as memory, once all of it is there.
 */

#include "web/body.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static int write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

/* From memory into a file. */
static int spool(struct web_body *body, web_spool_fn *open_spool, void *ctx)
{
    body->fd = open_spool(ctx);
    if (body->fd < 0 || write_all(body->fd, text_slice(&body->bytes)) < 0)
        return -1;
    text_deinit(&body->bytes);
    return 0;
}

int web_body_append(struct web_body *body, struct slice piece, web_spool_fn *open_spool, void *ctx)
{
    body->len += piece.len;
    if (body->fd < 0 && open_spool && body->len > WEB_SPOOL_BYTES &&
        spool(body, open_spool, ctx) < 0)
        return -1;
    if (body->fd >= 0)
        return write_all(body->fd, piece);
    text_append(&body->bytes, piece);
    return 0;
}

int web_body_slice(struct web_body *body, struct slice *ret_bytes)
{
    *ret_bytes = text_slice(&body->bytes);
    if (body->fd < 0)
        return 0;
    if (!body->map) {
        void *map = mmap(NULL, body->len, PROT_READ, MAP_SHARED, body->fd, 0);
        if (map == MAP_FAILED)
            return -1;
        body->map = map;
    }
    *ret_bytes = slice_make(body->map, body->len);
    return 0;
}

void web_body_deinit(struct web_body *body)
{
    text_deinit(&body->bytes);
    if (body->map)
        munmap(body->map, body->len);
    if (body->fd >= 0)
        close(body->fd);
    *body = WEB_BODY_NONE;
}
