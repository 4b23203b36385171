/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Deliverers: what may be under way, and the files that they come and go with.
 */

#include "queue/deliver.h"

#include "base/mem.h"
#include <assert.h>

static struct engine *engine_of(const struct deliverer *deliverer)
{
    return &deliverer->hall->engine;
}

/* ---- places for jobs ------------------------------------------------------------------------- */

void deliver_told(struct deliverer *deliverer, struct delivery *delivery,
                  const struct model_action *action)
{
    assert(deliverer->next == delivery);
    deliverer->is_waiting = false;
    deliverer->is_told = action->kind == MODEL_RESERVED;
    delivery->id = action->id;
}

static void stop_waiting(struct deliverer *deliverer)
{
    if (!deliverer->is_waiting)
        return;
    assert(deliverer->next);
    deliverer->is_waiting = false;
    model_stop_waiting(engine_of(deliverer)->model, deliverer->next->conn);
}

/* The place that waited has got a job. */
static struct delivery *enter_flight(struct deliverer *deliverer, uint64_t id)
{
    struct delivery *delivery = deliverer->next;
    deliverer->next = NULL;
    deliverer->is_told = false;
    list_add_back(&deliverer->flight, &delivery->node);
    deliverer->n_flight++;
    delivery_enter(delivery, id);
    return delivery;
}

void deliver_left(struct deliverer *deliverer, struct delivery *delivery)
{
    list_remove(&delivery->node);
    deliverer->n_flight--;
    if (!deliverer->next && !deliverer->is_leaving)
        deliverer->next = delivery;
    else
        delivery_destroy(&delivery);
}

/* ---- what begins ----------------------------------------------------------------------------- */

/* Could the log take the end of one more? */
static bool has_room(const struct deliverer *deliverer)
{
    struct engine *engine = engine_of(deliverer);
    const struct tube *tube = model_tube(engine->model, slice_from(deliverer->rule.queue));
    bool is_more = tube && tube_has_callbacks(tube);
    return engine_may(engine, is_more ? WAL_MORE : WAL_CHANGE, 0) == 0;
}

static bool may_begin(const struct deliverer *deliverer)
{
    const struct hall *hall = deliverer->hall;
    uint32_t most = deliverer->rule.concurrency;
    most = deliverer->window < most ? deliverer->window : most;
    return !hall->is_closing && !deliverer->is_held && !deliverer->is_leaving &&
           deliverer->n_flight < most && !deliver_full_callback(deliverer) && has_room(deliverer);
}

/* Asks the model for one more. True where there was one. */
static bool take(struct deliverer *deliverer)
{
    struct engine *engine = engine_of(deliverer);
    uint64_t id = 0;
    if (!deliverer->next)
        deliverer->next = delivery_create(deliverer);
    if (!deliverer->next)
        return false;
    struct model_now now = engine_now(engine);
    enum model_result result =
        model_reserve(engine->model, deliverer->next->conn, MODEL_FOR_EVER, now, &id);
    (void)engine_settle(engine);
    deliverer->is_waiting = result == MODEL_WAITING;
    if (result != MODEL_OK)
        return false;
    (void)delivery_go_on(enter_flight(deliverer, id));
    return true;
}

/* Those that wait for the disk, or were answered while the log had no room. */
static bool go_on_in_flight(struct deliverer *deliverer)
{
    bool has_done = false;
    LIST_EACH (node, &deliverer->flight)
        has_done |= delivery_go_on(LIST_ENTRY(node, struct delivery, node));
    return has_done;
}

static bool go_on(struct deliverer *deliverer)
{
    bool has_done = go_on_in_flight(deliverer);
    deliver_look(deliverer);
    if (deliverer->is_told) {
        (void)delivery_go_on(enter_flight(deliverer, deliverer->next->id));
        has_done = true;
    }
    if (!may_begin(deliverer)) {
        stop_waiting(deliverer);
        return has_done;
    }
    while (!deliverer->is_waiting && !deliverer->is_told && may_begin(deliverer) && take(deliverer))
        has_done = true;
    return has_done;
}

/* ---- files that come and go ------------------------------------------------------------------ */

struct deliverer *deliver_find(const struct hall *hall, struct slice queue)
{
    LIST_EACH (node, &hall->deliverers) {
        struct deliverer *deliverer = LIST_ENTRY(node, struct deliverer, node);
        if (slice_is(queue, deliverer->rule.queue))
            return deliverer;
    }
    return NULL;
}

static void take_rule(struct hall *hall, const struct queue_conf *queue)
{
    struct deliverer *deliverer = deliver_find(hall, queue->name);
    if (deliverer) {
        deliver_rule_deinit(&deliverer->rule);
    } else {
        deliverer = MEM_NEW(struct deliverer);
        deliverer->hall = hall;
        list_init(&deliverer->flight);
        deliver_hold_init(deliverer);
        list_add_back(&hall->deliverers, &deliverer->node);
    }
    deliverer->is_leaving = false;
    deliver_rule_init(hall, queue, &deliverer->rule);
}

static void destroy(struct deliverer *deliverer)
{
    assert(deliverer->n_flight == 0);
    if (deliverer->next)
        delivery_destroy(&deliverer->next);
    loop_timer_clear(deliverer->hall->loop, &deliverer->hold);
    list_remove(&deliverer->node);
    deliver_rule_deinit(&deliverer->rule);
    mem_free(deliverer);
}

void deliver_commit(struct hall *hall)
{
    const struct conf_list *list = &queue_conf_of(hall->snap)->queue_list;
    LIST_EACH (node, &hall->deliverers)
        LIST_ENTRY(node, struct deliverer, node)->is_leaving = true;
    for (size_t i = 0; i < list->n_items; i++) {
        const struct queue_conf *queue = list->items[i];
        if (queue->deliver)
            take_rule(hall, queue);
    }
    engine_later(&hall->engine);
}

bool deliver_go_on(struct hall *hall)
{
    bool has_done = false;
    if (!hall->engine.wal || !hall->engine.is_configured)
        return false;
    LIST_EACH (node, &hall->deliverers) {
        struct deliverer *deliverer = LIST_ENTRY(node, struct deliverer, node);
        has_done |= go_on(deliverer);
        if (deliverer->is_leaving && deliverer->n_flight == 0)
            destroy(deliverer);
    }
    return has_done;
}

/* ---- the end --------------------------------------------------------------------------------- */

bool deliver_is_idle(const struct hall *hall)
{
    LIST_EACH (node, &hall->deliverers)
        if (LIST_ENTRY(node, struct deliverer, node)->n_flight > 0)
            return false;
    return true;
}

void deliver_stop(struct hall *hall)
{
    LIST_EACH (node, &hall->deliverers) {
        struct deliverer *deliverer = LIST_ENTRY(node, struct deliverer, node);
        stop_waiting(deliverer);
        deliverer->is_leaving = true;
        if (deliverer->is_told)
            (void)enter_flight(deliverer, deliverer->next->id);
        LIST_EACH (place, &deliverer->flight)
            delivery_give_up(LIST_ENTRY(place, struct delivery, node));
        destroy(deliverer);
    }
}
