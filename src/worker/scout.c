/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Depth and age of a queue, asked for again and again.
 */

#include "worker/scout.h"

#include "base/mem.h"
#include "net/conn.h"
#include "wire/jobproto_client.h"

enum { DOCUMENT_MAX = 64 * 1024 };

struct scout {
    struct loop *loop;
    const struct addr *queue;
    scout_fn *fn;
    void *ctx;
    char tube[JOBPROTO_TUBE_MAX + 1];
    uint64_t every_ns;
    struct loop_timer timer;
    struct conn conn;
    struct jobreply_reader reader;
    struct text in, document;
    bool is_asked;
};

static void let_go(struct scout *scout)
{
    conn_close(&scout->conn);
    text_clear(&scout->in);
    text_clear(&scout->document);
    scout->is_asked = false;
}

/* A tube that is not there has no job. */
static void tell(struct scout *scout)
{
    struct scale_seen seen = {.n_ready = 0};
    struct slice document = text_slice(&scout->document);
    bool is_known = jobreply_number(document, "current-jobs-ready", &seen.n_ready) == 0 &&
                    jobreply_number(document, "oldest-ready-ms", &seen.oldest_ms) == 0;
    scout->is_asked = false;
    if (!is_known)
        seen = (struct scale_seen){.n_ready = 0};
    text_clear(&scout->document);
    scout->fn(scout->ctx, &seen);
}

/* False where there is nothing more to read, or no connection any more. */
static bool take_event(struct scout *scout, struct slice *rest)
{
    struct jobreply_event event;
    ssize_t n = jobreply_read(&scout->reader, *rest, &event);
    if (n < 0 || (n > 0 && !scout->is_asked)) {
        let_go(scout);
        return false;
    }
    *rest = slice_skip(*rest, (size_t)n);
    if (n > 0 && event.is_body)
        text_append(&scout->document, event.body);
    if (n > 0 && (event.is_body ? event.is_last : !jobreply_has_body(&event.reply)))
        tell(scout);
    return n > 0;
}

static void on_event(struct conn *conn, uint32_t events)
{
    struct scout *scout = CONTAINER_OF(conn, struct scout, conn);
    bool is_over = events & LOOP_ERROR;
    for (int round = 0; round < LOOP_BUDGET && !is_over; round++) {
        ssize_t n = conn_recv(conn, loop_buf(conn->loop), LOOP_BUF_SIZE);
        if (n == -EAGAIN)
            return;
        is_over = n <= 0;
        if (is_over)
            break;
        text_append(&scout->in, slice_make(loop_buf(conn->loop), (size_t)n));
        struct slice rest = text_slice(&scout->in);
        while (take_event(scout, &rest))
            continue;
        if (!conn_is_open(conn))
            return;
        memmove(scout->in.ptr, rest.ptr, rest.len);
        scout->in.len = rest.len;
    }
    if (is_over)
        let_go(scout);
    else
        conn_again(conn, events);
}

static void ask(struct scout *scout)
{
    const struct jobproto_command command = {.verb = JOBPROTO_STATS_TUBE,
                                             .tube = slice_from(scout->tube)};
    struct text out = TEXT_NONE;
    if (!conn_is_open(&scout->conn)) {
        jobreply_reader_init(&scout->reader, DOCUMENT_MAX);
        if (conn_connect(&scout->conn, scout->loop, scout->queue, on_event, NULL) < 0)
            return;
    }
    jobproto_write_command(&out, &command);
    scout->is_asked = true;
    if (conn_send(&scout->conn, out.ptr, out.len, false) < 0)
        let_go(scout);
    text_deinit(&out);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct scout *scout = CONTAINER_OF(timer, struct scout, timer);
    loop_timer_set(loop, timer, loop_now_ns(loop) + scout->every_ns);
    /* One that has not answered by now is asked on another connection. */
    if (scout->is_asked)
        let_go(scout);
    ask(scout);
}

struct scout *scout_create(struct loop *loop, const struct addr *queue, scout_fn *fn, void *ctx)
{
    struct scout *scout = MEM_NEW(struct scout);
    scout->loop = loop;
    scout->queue = queue;
    scout->fn = fn;
    scout->ctx = ctx;
    conn_init(&scout->conn);
    loop_timer_init(&scout->timer, on_timer);
    return scout;
}

void scout_set(struct scout *scout, struct slice tube, uint64_t every_ns)
{
    slice_copy(tube, scout->tube, sizeof(scout->tube));
    scout->every_ns = every_ns;
    loop_timer_set(scout->loop, &scout->timer, loop_now_ns(scout->loop) + every_ns);
}

void scout_destroy(struct scout **scout_ptr)
{
    struct scout *scout = *scout_ptr;
    *scout_ptr = NULL;
    if (!scout)
        return;
    let_go(scout);
    loop_timer_clear(scout->loop, &scout->timer);
    text_deinit(&scout->in);
    text_deinit(&scout->document);
    mem_free(scout);
}
