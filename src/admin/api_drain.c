/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drain and undrain: of members, floating addresses and this node; and how far drains are.
 */
#include "admin/order.h"
#include "base/json.h"
#include "conf/unit.h"

/* ---- drain and undrain ---- */

static int read_idle(const char *text, uint64_t *ret_ms, struct err *err)
{
    int64_t ms;
    if (conf_unit_time(slice_from(text), &ms, err) < 0)
        return err_prefix(err, "timeout");
    if (ms > OPERATE_IDLE_MAX_MS)
        return err_set(err, "timeout: %s is more than the 7d that are the limit", text);
    *ret_ms = (uint64_t)ms;
    return 0;
}

/* What a drain of a member does next. */
static void say_member(struct order *order)
{
    const char *label = order->thing.label;
    struct drain_progress progress = drain_look(order->operate, &order->entry);
    text_printf(&order->text, "member:%s drains: no new requests but those of its sessions, ",
                label);
    drain_describe(order->operate, &progress, &order->text);
    text_printf(&order->text, "; `weir undrain member:%s` takes it back", label);
    order_warn_of_nobody(order);
}

/* Of a vip or this node. */
static void say_move(struct order *order)
{
    const char *label = order->thing.label;
    text_printf(&order->text, "%s drains: ", label);
    drain_move_describe(order->operate, &order->entry, &order->text);
    text_printf(&order->text, "; `weir undrain %s` takes it back", label);
    drain_move_warn(order->operate, &order->entry, &order->warning);
}

static const char *prefix_of(const struct order *order)
{
    return order->thing.kind == FORCED_MEMBER ? "member:" : "";
}

static void begin_drain(struct order *order, uint64_t idle_ms)
{
    if (order->entry.state != FACT_DRAINING) {
        order->entry.state_since_ms = operate_now_ms(order->operate);
        order->entry.drained_ms = 0;
        order->entry.n_calm = 0;
    }
    order->entry.state = FACT_DRAINING;
    order->entry.ttl_s = 0;
    order->entry.idle_ms = order->thing.kind == FORCED_MEMBER ? idle_ms : 0;
    if (order->entry.drained_ms)
        text_printf(&order->text, "%s%s is drained already; `weir undrain %s%s` takes it back",
                    prefix_of(order), order->thing.label, prefix_of(order), order->thing.label);
    else if (order->thing.kind == FORCED_MEMBER)
        say_member(order);
    else
        say_move(order);
    order_carry_out(order);
}

void handle_drain(struct web_exchange *exchange, void *ctx)
{
    struct order order = {.target = NULL};
    const char *timeout = NULL;
    const struct body_want wants[] = {
        {"target", "a member, vip or node, as \"member:web/app1\"", true, &order.target, NULL},
        {"timeout", "how long sessions must be unused, as \"5m\"", false, &timeout, NULL},
        {0}};
    struct err err = ERR_NONE;
    uint64_t idle_ms = OPERATE_IDLE_MS;
    if (!order_begin(&order, exchange, ctx, wants, true))
        return;
    if (timeout && order.thing.kind != FORCED_MEMBER)
        order_refuse(&order, 400,
                     "a timeout is for the sessions of a member; a floating address "
                     "moves when another node takes it");
    else if (timeout && read_idle(timeout, &idle_ms, &err) < 0)
        order_refuse(&order, 400, err.text);
    else
        begin_drain(&order, idle_ms);
}

void handle_undrain(struct web_exchange *exchange, void *ctx)
{
    static const char *const next[] = {
        [FORCED_NOTHING] = "",
        [FORCED_MEMBER] = "it serves again as soon as it is found well",
        [FORCED_VIP] = "it is here again as soon as this node is the best for it",
        [FORCED_NODE] = "its floating addresses are here again as soon as it is the best for them",
    };
    struct order order = {.target = NULL};
    const struct body_want wants[] = {
        {"target", "a member, vip or node, as \"member:web/app1\"", true, &order.target, NULL},
        {0}};
    if (!order_begin(&order, exchange, ctx, wants, true))
        return;
    if (order.entry.state != FACT_DRAINING) {
        text_printf(&order.text, "%s%s does not drain; nothing has changed", prefix_of(&order),
                    order.thing.label);
        order_answer(&order);
        return;
    }
    order.entry.state = FACT_NONE;
    text_printf(&order.text, "%s%s drains no more: %s", prefix_of(&order), order.thing.label,
                next[order.thing.kind]);
    order_carry_out(&order);
}

/* ---- how far drains are ---- */

static void put_member(struct json *json, const struct operate *operate,
                       const struct forced_entry *entry)
{
    struct drain_progress progress = drain_look(operate, entry);
    struct text text = TEXT_NONE;
    drain_describe(operate, &progress, &text);
    json_key(json, "text");
    json_slice(json, text_slice(&text));
    json_key(json, "in_flight");
    json_uint(json, progress.n_in_flight);
    json_key(json, "timeout_seconds");
    json_double(json, (double)progress.idle_ms / 1000);
    text_deinit(&text);
}

static void put_move(struct json *json, const struct operate *operate,
                     const struct forced_entry *entry)
{
    struct text text = TEXT_NONE;
    drain_move_describe(operate, entry, &text);
    json_key(json, "text");
    json_slice(json, text_slice(&text));
    text_deinit(&text);
}

static void put_drain(struct json *json, const struct operate *operate,
                      const struct forced_entry *entry)
{
    json_object_begin(json);
    order_put_name(json, entry->label);
    json_key(json, "state");
    json_cstr(json, entry->drained_ms ? "drained" : "draining");
    if (forced_kind_of(slice_from(entry->label), NULL) == FORCED_MEMBER)
        put_member(json, operate, entry);
    else
        put_move(json, operate, entry);
    json_object_end(json);
}

void handle_drains(struct web_exchange *exchange, void *ctx)
{
    struct admin *admin = ctx;
    struct text body = TEXT_NONE;
    struct json json;
    json_init(&json, &body);
    json_object_begin(&json);
    json_key(&json, "drains");
    json_array_begin(&json);
    uint32_t cursor = 0;
    for (const struct forced_entry *entry;
         (entry = forced_next(&admin->operate.forced, &cursor)) != NULL;) {
        if (entry->state == FACT_DRAINING)
            put_drain(&json, &admin->operate, entry);
    }
    json_array_end(&json);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&body, '\n');
    struct web_answer answer = {
        .status = 200, .type = "application/json", .body = text_slice(&body)};
    web_answer(exchange, &answer);
    text_deinit(&body);
}
