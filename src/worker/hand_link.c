/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A hand's connection to the queue: commands leave, what comes is cut into answers, and each answer
 * goes to the question that it belongs to.
 */

#include "worker/internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

void hand_close_link(struct hand *hand)
{
    conn_close(&hand->conn);
    text_clear(&hand->in);
    hand->n_asked = 0;
    loop_timer_clear(hand->crew->shop->loop, &hand->patience);
    loop_timer_clear(hand->crew->shop->loop, &hand->touch);
}

void hand_lose_link(struct hand *hand, const char *why)
{
    if (!conn_is_open(&hand->conn))
        return;
    hand_close_link(hand);
    crew_count(hand->crew, WORKER_DISCONNECTED);
    hand_on_lost(hand, why);
}

/* ---- what comes ------------------------------------------------------------------------------ */

/* Nothing may take its time but that a job comes. */
static void watch_patience(struct hand *hand)
{
    struct loop *loop = hand->crew->shop->loop;
    uint64_t wait_ns = (uint64_t)hand->crew->conf->answer_ms * NS_PER_MS;
    bool is_waiting =
        hand->n_asked > 0 && (hand->asked[0] != HAND_JOB || hand->state != HAND_ASKING);
    if (!is_waiting)
        loop_timer_clear(loop, &hand->patience);
    else if (!loop_timer_is_set(&hand->patience))
        loop_timer_set(loop, &hand->patience, loop_now_ns(loop) + wait_ns);
}

static void answered(struct hand *hand)
{
    hand->n_asked--;
    memmove(hand->asked, hand->asked + 1, hand->n_asked * sizeof(hand->asked[0]));
    loop_timer_clear(hand->crew->shop->loop, &hand->patience);
    watch_patience(hand);
}

static void on_reply(struct hand *hand, const struct jobreply *reply)
{
    enum hand_question question = hand->asked[0];
    if (!jobreply_has_body(reply))
        answered(hand);
    hand_on_reply(hand, question, reply);
    if (conn_is_open(&hand->conn))
        watch_patience(hand);
}

static void on_body(struct hand *hand, const struct jobreply_event *event)
{
    enum hand_question question = hand->asked[0];
    if (event->is_last)
        answered(hand);
    hand_on_body(hand, question, event->body, event->is_last);
}

/* One event of what has come; false where there is none, or no connection any more. */
static bool take_event(struct hand *hand, struct slice *rest)
{
    struct jobreply_event event;
    ssize_t n = jobreply_read(&hand->reader, *rest, &event);
    if (n < 0 || (n > 0 && hand->n_asked == 0)) {
        hand_lose_link(hand, "the queue answers what nobody understands");
        return false;
    }
    *rest = slice_skip(*rest, (size_t)n);
    if (n > 0 && event.is_body)
        on_body(hand, &event);
    else if (n > 0)
        on_reply(hand, &event.reply);
    return n > 0 && conn_is_open(&hand->conn);
}

/* What is said from within may not touch `in`: it is only read here. */
static void take_all(struct hand *hand)
{
    struct slice rest = text_slice(&hand->in);
    while (take_event(hand, &rest))
        continue;
    if (!conn_is_open(&hand->conn))
        return;
    memmove(hand->in.ptr, rest.ptr, rest.len);
    hand->in.len = rest.len;
}

static void on_event(struct conn *conn, uint32_t events)
{
    struct hand *hand = CONTAINER_OF(conn, struct hand, conn);
    if (events & LOOP_ERROR) {
        hand_lose_link(hand, conn_reason(conn));
        return;
    }
    for (int round = 0; round < LOOP_BUDGET && conn_is_open(conn); round++) {
        ssize_t n = conn_recv(conn, loop_buf(conn->loop), LOOP_BUF_SIZE);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            hand_lose_link(hand, n < 0 ? strerror((int)-n) : "the queue closed the connection");
            return;
        }
        text_append(&hand->in, slice_make(loop_buf(conn->loop), (size_t)n));
        take_all(hand);
    }
    if (conn_is_open(conn))
        conn_again(conn, events);
}

/* ---- what leaves ----------------------------------------------------------------------------- */

int hand_connect(struct hand *hand, struct err *err)
{
    const struct workshop *shop = hand->crew->shop;
    assert(!conn_is_open(&hand->conn));
    text_clear(&hand->in);
    hand->n_asked = 0;
    jobreply_reader_init(&hand->reader, JOBPROTO_BODY_LIMIT);
    return conn_connect(&hand->conn, shop->loop, &shop->queue, on_event, err);
}

void hand_say(struct hand *hand, enum hand_question question,
              const struct jobproto_command *command, struct slice body)
{
    struct text out = TEXT_NONE;
    if (!conn_is_open(&hand->conn))
        return;
    assert(hand->n_asked < HAND_QUESTIONS);
    jobproto_write_command(&out, command);
    if (command->verb == JOBPROTO_FINISH) {
        text_append(&out, body);
        text_append(&out, SLICE("\r\n"));
    }
    hand->asked[hand->n_asked++] = question;
    watch_patience(hand);
    int result = conn_send(&hand->conn, out.ptr, out.len, false);
    text_deinit(&out);
    if (result < 0)
        hand_lose_link(hand, strerror(-result));
}
