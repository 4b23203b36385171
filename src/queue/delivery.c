/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A delivery from the lease of its job to the record of what became of it.
 */

#include "queue/delivery.h"

#include "base/mem.h"
#include "queue/deliver.h"
#include "wire/jobhttp.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

static struct engine *engine_of(const struct delivery *delivery)
{
    return &delivery->deliverer->hall->engine;
}

static void on_lease(struct loop *loop, struct loop_timer *timer);

/* ---- places for jobs ------------------------------------------------------------------------- */

static void on_told(struct waiter *waiter, const struct model_action *action)
{
    struct delivery *delivery = CONTAINER_OF(waiter, struct delivery, waiter);
    deliver_told(delivery->deliverer, delivery, action);
}

static struct model_conn *open_conn(struct deliverer *deliverer, struct waiter *owner)
{
    struct engine *engine = &deliverer->hall->engine;
    struct model_conn *conn = model_conn_open(engine->model, owner);
    (void)engine_settle(engine);
    enum model_result result = model_watch(engine->model, conn, slice_from(deliverer->rule.queue));
    (void)engine_settle(engine);
    if (result == MODEL_OK && strcmp(deliverer->rule.queue, "default") != 0)
        (void)model_ignore(engine->model, conn, SLICE("default"));
    else if (result != MODEL_OK)
        model_conn_close(engine->model, &conn, engine_clock(engine));
    (void)engine_settle(engine);
    return conn;
}

struct delivery *delivery_create(struct deliverer *deliverer)
{
    struct delivery *delivery = MEM_NEW(struct delivery);
    delivery->deliverer = deliverer;
    list_init(&delivery->node);
    loop_timer_init(&delivery->timer, on_lease);
    delivery->waiter.told = on_told;
    delivery->conn = open_conn(deliverer, &delivery->waiter);
    if (delivery->conn)
        return delivery;
    mem_free(delivery);
    return NULL;
}

void delivery_destroy(struct delivery **delivery_ptr)
{
    struct delivery *delivery = *delivery_ptr;
    struct engine *engine = engine_of(delivery);
    assert(delivery->state == DELIVERY_EMPTY);
    model_conn_close(engine->model, &delivery->conn, engine_clock(engine));
    (void)engine_settle(engine);
    mem_free(delivery);
    *delivery_ptr = NULL;
}

/* ---- leases ---------------------------------------------------------------------------------- */

static void arm_lease(struct delivery *delivery)
{
    struct loop *loop = delivery->deliverer->hall->loop;
    const struct job *job = model_find(engine_of(delivery)->model, delivery->id);
    uint64_t part_ns = job ? (uint64_t)job->ttr_s * NS_PER_S / DELIVERY_LEASE_PARTS : 0;
    loop_timer_set(loop, &delivery->timer, loop_now_ns(loop) + part_ns);
}

/* Its place is free for the next job. */
static void leave_flight(struct delivery *delivery)
{
    loop_timer_clear(delivery->deliverer->hall->loop, &delivery->timer);
    wal_warm_cancel(&delivery->warm);
    web_call_cancel(&delivery->call);
    text_deinit(&delivery->result);
    delivery->result = (struct text)TEXT_NONE;
    delivery->state = DELIVERY_EMPTY;
    delivery->is_warm = false;
    deliver_left(delivery->deliverer, delivery);
}

/* It was deleted, or this process slept for longer than the lease: somebody else may have it. */
static void lose(struct delivery *delivery)
{
    deliver_note(delivery->deliverer, DELIVER_LOST, "");
    engine_later(engine_of(delivery));
    leave_flight(delivery);
}

static void on_lease(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct delivery *delivery = CONTAINER_OF(timer, struct delivery, timer);
    struct engine *engine = engine_of(delivery);
    struct model_now now = engine_now(engine);
    enum model_result result = model_touch(engine->model, delivery->conn, delivery->id, now);
    (void)engine_settle(engine);
    if (result == MODEL_OK)
        arm_lease(delivery);
    else
        lose(delivery);
}

void delivery_enter(struct delivery *delivery, uint64_t id)
{
    assert(delivery->state == DELIVERY_EMPTY);
    delivery->id = id;
    delivery->state = DELIVERY_BEGINS;
    arm_lease(delivery);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void end_in_model(struct delivery *delivery, struct model_now now)
{
    struct model *model = engine_of(delivery)->model;
    struct deliver_verdict *verdict = &delivery->verdict;
    const struct model_failure failure = {
        .error = verdict->end == DELIVER_DEAD ? JOB_ERROR_PERMANENT : JOB_ERROR_TEMPORARY,
        .text = slice_from(verdict->text),
        .least_ms = verdict->least_ms,
        .result = text_slice(&delivery->result)};
    enum model_result result = MODEL_NOT_FOUND;
    if (verdict->end == DELIVER_DONE)
        result =
            model_finish(model, delivery->conn, delivery->id, text_slice(&delivery->result), now);
    else if (verdict->end == DELIVER_AGAIN || verdict->end == DELIVER_DEAD)
        result = model_fail_with(model, delivery->conn, delivery->id, &failure, now);
    else if (verdict->end != DELIVER_LOST)
        result = model_give_back_with(model, delivery->conn, delivery->id, failure.text, now);
    if (result == MODEL_NOT_FOUND)
        verdict->end = DELIVER_LOST;
}

/* Says in the model, and so in the log, how it ended. False: the log has no room yet. */
static bool record(struct delivery *delivery)
{
    struct engine *engine = engine_of(delivery);
    assert(delivery->state == DELIVERY_JUDGED);
    struct model_now now = engine_now(engine);
    const struct engine_room room = engine_end_room(engine, delivery->id, delivery->result.len);
    if (engine_may(engine, room.class, room.n_bytes) != 0)
        return false;
    end_in_model(delivery, now);
    (void)engine_settle(engine);
    deliver_note(delivery->deliverer, delivery->verdict.end, delivery->verdict.text);
    leave_flight(delivery);
    return true;
}

static struct slice field_of(const struct web_reply *reply, enum h1_field_id id)
{
    const struct h1_field *field = h1_find(reply->head, id);
    return field ? h1_field_value(reply->head_bytes, field) : SLICE("");
}

static void read_reply(const struct web_reply *reply, struct deliver_reply *ret)
{
    *ret = (struct deliver_reply){.failure = web_outcome_text(reply->outcome)};
    if (reply->outcome != WEB_CALL_OK) {
        bool is_unsent = reply->outcome == WEB_CALL_REFUSED ||
                         reply->outcome == WEB_CALL_UNREACHABLE ||
                         reply->outcome == WEB_CALL_NO_RESOURCE;
        ret->answer = is_unsent ? SLICE("unreachable") : SLICE("");
        return;
    }
    ret->status = reply->head->status;
    ret->reason = h1_slice(reply->head_bytes, reply->head->reason);
    ret->answer = field_of(reply, H1_FIELD_WEIR_ANSWER);
    ret->retry_after = field_of(reply, H1_FIELD_RETRY_AFTER);
    ret->body = reply->body;
}

/* What is kept of a member's answer, where the queue or the job keeps anything: of one that failed
 * its status counts, too, and perhaps it was the last. */
static void keep(struct delivery *delivery, const struct web_reply *reply)
{
    if (!reply->is_whole)
        return;
    if (delivery->is_request || delivery->verdict.end != DELIVER_DONE)
        jobhttp_write_response(reply->head, reply->head_bytes, reply->body, &delivery->result);
    else
        text_append(&delivery->result, reply->body);
}

/* Weir stops, and the edge was the quicker one to end: no member has failed. */
static bool is_cut_by_stop(const struct hall *hall, const struct web_reply *reply)
{
    return hall->is_closing &&
           (reply->outcome == WEB_CALL_CLOSED || reply->outcome == WEB_CALL_RESET);
}

void delivery_on_reply(void *ctx, const struct web_reply *web)
{
    struct delivery *delivery = ctx;
    const struct deliverer *deliverer = delivery->deliverer;
    uint64_t wall_s = loop_wall_ns(deliverer->hall->loop) / NS_PER_S;
    struct deliver_reply reply;
    delivery->call = NULL;
    if (is_cut_by_stop(deliverer->hall, web)) {
        delivery_give_up(delivery);
        return;
    }
    read_reply(web, &reply);
    deliver_judge(&reply, wall_s, deliverer->rule.retry_after_ms, &delivery->verdict);
    delivery->state = DELIVERY_JUDGED;
    if (reply.status > 0 && reply.answer.len == 0)
        keep(delivery, web);
    (void)record(delivery);
}

/* What the log has no room for now is as lost to it as if the process had died. */
void delivery_give_up(struct delivery *delivery)
{
    if (delivery->state != DELIVERY_JUDGED)
        delivery->verdict = (struct deliver_verdict){.end = DELIVER_CANCELLED};
    delivery->state = DELIVERY_JUDGED;
    if (!record(delivery))
        lose(delivery);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void on_warm(void *owner)
{
    struct delivery *delivery = owner;
    delivery->warm = NULL;
    delivery->is_warm = true;
    engine_later(engine_of(delivery));
}

/* 0: the body; 1: the disk brings it, and delivery->warm is set; -1: it is damaged, which was
 * logged. */
static int body_of(struct delivery *delivery, const struct job *job, struct slice *ret_body)
{
    struct engine *engine = engine_of(delivery);
    if (!delivery->is_warm && engine_body_now(engine, job, ret_body) == 0)
        return 0;
    if (!delivery->is_warm)
        delivery->warm = engine_warm(engine, job, on_warm, delivery);
    return delivery->warm ? 1 : engine_body(engine, job, ret_body);
}

/* It can never be sent. */
static bool refuse(struct delivery *delivery, const char *why)
{
    delivery->verdict = (struct deliver_verdict){.end = DELIVER_DEAD};
    snprintf(delivery->verdict.text, sizeof(delivery->verdict.text), "not delivered: it %s", why);
    delivery->state = DELIVERY_JUDGED;
    return record(delivery);
}

static bool begin(struct delivery *delivery)
{
    struct engine *engine = engine_of(delivery);
    const struct job *job = model_find(engine->model, delivery->id);
    const char *why = "has a body that is damaged in the log";
    struct slice body;
    if (!model_has(engine->model, delivery->conn, delivery->id)) {
        lose(delivery);
        return true;
    }
    if (!engine_is_durable(engine, job)) /* on_durable() brings another turn */
        return false;
    int result = body_of(delivery, job, &body);
    if (result > 0)
        return false;
    if (result < 0 || delivery_call(delivery, job, body, &why) > 0)
        return refuse(delivery, why);
    delivery->state = DELIVERY_ASKED;
    return false;
}

bool delivery_go_on(struct delivery *delivery)
{
    if (delivery->state == DELIVERY_JUDGED)
        return record(delivery);
    return delivery->state == DELIVERY_BEGINS && !delivery->warm && begin(delivery);
}
