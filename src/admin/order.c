/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A command of the operator from its body to its answer.
 */

#include "admin/order.h"

#include "base/json.h"

static void order_end(struct order *order)
{
    json_decref(order->document);
    text_deinit(&order->text);
    text_deinit(&order->warning);
}

void order_refuse(struct order *order, uint16_t status, const char *why)
{
    order->admin->n_commands_refused++;
    web_error(order->exchange, status, "%s", why);
    order_end(order);
}

bool order_begin(struct order *order, struct web_exchange *exchange, void *ctx,
                 const struct body_want *wants, bool is_move)
{
    struct err err = ERR_NONE;
    order->exchange = exchange;
    order->admin = ctx;
    order->operate = &order->admin->operate;
    if (body_read(exchange->body, wants, &order->document, &err) < 0) {
        order_refuse(order, 400, err.text);
        return false;
    }
    switch (
        find_thing(order->admin->snap, slice_from(order->target), is_move, &order->thing, &err)) {
    case FIND_NOTHING:
        order_refuse(order, 404, err.text);
        return false;
    case FIND_OTHER:
        order_refuse(order, 422, err.text);
        return false;
    case FIND_OK:
        break;
    }
    order->entry = operate_entry(order->operate, order->thing.label);
    return true;
}

void order_put_name(struct json *json, const char *label)
{
    static const char *const keys[] = {
        [FORCED_MEMBER] = "member", [FORCED_VIP] = "vip", [FORCED_NODE] = "node"};
    struct text target = TEXT_NONE;
    struct slice name;
    enum forced_kind kind = forced_kind_of(slice_from(label), &name);
    text_printf(&target, "%s%s", kind == FORCED_MEMBER ? "member:" : "", label);
    json_key(json, keys[kind]);
    json_slice(json, name);
    json_key(json, "target");
    json_slice(json, text_slice(&target));
    text_deinit(&target);
}

void order_answer(struct order *order)
{
    struct text body = TEXT_NONE;
    struct json json;
    json_init(&json, &body);
    json_object_begin(&json);
    order_put_name(&json, order->thing.label);
    json_key(&json, "text");
    json_slice(&json, text_slice(&order->text));
    if (order->warning.len) {
        json_key(&json, "warning");
        json_slice(&json, text_slice(&order->warning));
    }
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&body, '\n');
    struct web_answer answer = {
        .status = 200, .type = "application/json", .body = text_slice(&body)};
    web_answer(order->exchange, &answer);
    text_deinit(&body);
    order_end(order);
}

void order_carry_out(struct order *order)
{
    struct err err = ERR_NONE;
    if (operate_change(order->operate, &order->entry, &err) < 0) {
        order_refuse(order, 500, err.text);
        return;
    }
    order->admin->n_commands++;
    log_write(process_log(order->admin->process->loops[0]), LOG_LEVEL_INFO, "by the operator: %s",
              text_cstr(&order->text));
    order_answer(order);
}

/* ---- what is left of the pool ---- */

static bool may_serve(const struct order *order, const struct member *member)
{
    const struct board *board = order->admin->process->board;
    struct fact_ref ref = board_find(board, member->fact);
    enum fact_state state = ref.is_set ? board_peek(board, ref) : FACT_UNKNOWN;
    return state != FACT_DOWN && state != FACT_DRAINING && state != FACT_FAILED;
}

void order_warn_of_nobody(struct order *order)
{
    const struct pool *pool = order->thing.member->pool;
    for (uint32_t i = 0; i < pool->n_members; i++) {
        if (pool->members[i] != order->thing.member && may_serve(order, pool->members[i]))
            return;
    }
    text_printf(&order->warning,
                "no other member of pool %.*s can serve: its requests are answered 503 until one "
                "is back",
                SLICE_ARG(pool->name));
}
