/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the operator upon members: drain, undrain, force, weight. Each answers with a
 * sentence that says what will happen next, and warns where nobody would be left.
 */
#include "admin/body.h"
#include "admin/find.h"
#include "admin/internal.h"
#include "base/json.h"
#include "base/mem.h"
#include "conf/unit.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MS_PER_S = 1000 };

/* A command under way: what was asked, and what will be answered. */
struct order {
    struct web_exchange *exchange;
    struct admin *admin;
    struct operate *operate;
    json_t *document;
    const char *target;
    const struct member *member;
    struct forced_entry entry; /* of the member, as it is to become */
    struct text text, warning;
};

static void order_end(struct order *order)
{
    json_decref(order->document);
    text_deinit(&order->text);
    text_deinit(&order->warning);
}

/* Answers and ends. */
static void order_refuse(struct order *order, uint16_t status, const char *why)
{
    order->admin->n_commands_refused++;
    web_error(order->exchange, status, "%s", why);
    order_end(order);
}

/* Reads the body and finds the member; false: it has been answered. */
static bool order_begin(struct order *order, struct web_exchange *exchange, void *ctx,
                        const struct body_want *wants)
{
    struct err err = ERR_NONE;
    order->exchange = exchange;
    order->admin = ctx;
    order->operate = &order->admin->operate;
    if (body_read(exchange->body, wants, &order->document, &err) < 0) {
        order_refuse(order, 400, err.text);
        return false;
    }
    switch (find_member(order->admin->snap, slice_from(order->target), &order->member, &err)) {
    case FIND_NOTHING:
        order_refuse(order, 404, err.text);
        return false;
    case FIND_OTHER:
        order_refuse(order, 422, err.text);
        return false;
    case FIND_OK:
        break;
    }
    order->entry = operate_entry(order->operate, order->member);
    return true;
}

static void order_answer(struct order *order)
{
    struct text body = TEXT_NONE;
    struct json json;
    json_init(&json, &body);
    json_object_begin(&json);
    json_key(&json, "member");
    json_cstr(&json, order->member->label);
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

/* Keeps the entry and answers. */
static void order_carry_out(struct order *order)
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

static void warn_of_nobody(struct order *order)
{
    const struct pool *pool = order->member->pool;
    for (uint32_t i = 0; i < pool->n_members; i++) {
        if (pool->members[i] != order->member && may_serve(order, pool->members[i]))
            return;
    }
    text_printf(&order->warning,
                "no other member of pool %.*s can serve: its requests are answered 503 until one "
                "is back",
                SLICE_ARG(pool->name));
}

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

void handle_drain(struct web_exchange *exchange, void *ctx)
{
    struct order order = {.target = NULL};
    const char *timeout = NULL;
    const struct body_want wants[] = {
        {"target", "a member, as \"member:web/app1\"", true, &order.target, NULL},
        {"timeout", "how long sessions must be unused, as \"5m\"", false, &timeout, NULL},
        {0}};
    struct err err = ERR_NONE;
    uint64_t idle_ms = OPERATE_IDLE_MS;
    if (!order_begin(&order, exchange, ctx, wants))
        return;
    if (timeout && read_idle(timeout, &idle_ms, &err) < 0) {
        order_refuse(&order, 400, err.text);
        return;
    }
    if (order.entry.state != FACT_DRAINING) {
        order.entry.state_since_ms = operate_now_ms(order.operate);
        order.entry.drained_ms = 0;
        order.entry.n_calm = 0;
    }
    order.entry.state = FACT_DRAINING;
    order.entry.ttl_s = 0;
    order.entry.idle_ms = idle_ms;
    const char *label = order.member->label;
    if (order.entry.drained_ms) {
        text_printf(&order.text,
                    "member:%s is drained already; `weir undrain member:%s` takes it "
                    "back",
                    label, label);
    } else {
        struct drain_progress progress = drain_look(order.operate, &order.entry);
        text_printf(&order.text, "member:%s drains: no new requests but those of its sessions, ",
                    label);
        drain_describe(order.operate, &progress, &order.text);
        text_printf(&order.text, "; `weir undrain member:%s` takes it back", label);
        warn_of_nobody(&order);
    }
    order_carry_out(&order);
}

void handle_undrain(struct web_exchange *exchange, void *ctx)
{
    struct order order = {.target = NULL};
    const struct body_want wants[] = {
        {"target", "a member, as \"member:web/app1\"", true, &order.target, NULL}, {0}};
    if (!order_begin(&order, exchange, ctx, wants))
        return;
    const char *label = order.member->label;
    if (order.entry.state != FACT_DRAINING) {
        text_printf(&order.text, "member:%s does not drain; nothing has changed", label);
        order_answer(&order);
        return;
    }
    order.entry.state = FACT_NONE;
    text_printf(&order.text,
                "member:%s drains no more: it serves again as soon as it is found well", label);
    order_carry_out(&order);
}

/* ---- force ---- */

static void say_forced(struct order *order, enum fact_state state)
{
    const char *label = order->member->label;
    if (state == FACT_NONE)
        text_printf(&order->text, "member:%s is forced no more: what its checks find counts again",
                    label);
    else if (state == FACT_UP)
        text_printf(&order->text,
                    "member:%s is up whatever its checks find, until `weir force member:%s auto`",
                    label, label);
    else
        text_printf(&order->text,
                    "member:%s is down: what it had in flight is tried on others where that is "
                    "safe; until `weir force member:%s auto`",
                    label, label);
    if (order->entry.ttl_s)
        text_printf(&order->text, "; DNS answers with a TTL of at most %" PRIu32 " s",
                    order->entry.ttl_s);
}

/* Whole seconds, of who is forced up or down. 0, or -1 with err. */
static int read_ttl(const char *text, struct forced_entry *entry, struct err *err)
{
    int64_t ms;
    if (conf_unit_time(slice_from(text), &ms, err) < 0)
        return err_prefix(err, "ttl");
    if (entry->state == FACT_NONE)
        return err_set(err, "a ttl belongs to a member that is forced up or down");
    if (ms < MS_PER_S || ms % MS_PER_S || ms > (int64_t)FORCED_TTL_MAX_S * MS_PER_S)
        return err_set(err, "ttl: DNS counts whole seconds, from 1s to 30d");
    entry->ttl_s = (uint32_t)(ms / MS_PER_S);
    return 0;
}

void handle_force(struct web_exchange *exchange, void *ctx)
{
    static const struct {
        const char *word;
        enum fact_state state;
    } states[] = {{"up", FACT_UP}, {"down", FACT_DOWN}, {"auto", FACT_NONE}};
    struct order order = {.target = NULL};
    const char *word = NULL, *ttl = NULL;
    struct err err = ERR_NONE;
    const struct body_want wants[] = {
        {"target", "a member, as \"member:web/app1\"", true, &order.target, NULL},
        {"state", "\"up\", \"down\" or \"auto\"", true, &word, NULL},
        {"ttl", "of DNS answers meanwhile, as \"30s\"", false, &ttl, NULL},
        {0}};
    if (!order_begin(&order, exchange, ctx, wants))
        return;
    size_t i = 0;
    while (i < ARRAY_LEN(states) && strcmp(states[i].word, word) != 0)
        i++;
    if (i == ARRAY_LEN(states)) {
        order_refuse(&order, 400, "a member is forced up or down, or auto: as its checks find it");
        return;
    }
    order.entry.state = states[i].state;
    order.entry.state_since_ms = operate_now_ms(order.operate);
    order.entry.drained_ms = 0;
    order.entry.ttl_s = 0;
    if (ttl && read_ttl(ttl, &order.entry, &err) < 0) {
        order_refuse(&order, 400, err.text);
        return;
    }
    say_forced(&order, states[i].state);
    if (states[i].state == FACT_DOWN)
        warn_of_nobody(&order);
    order_carry_out(&order);
}

/* ---- weight ---- */

/* A number from 0 to 256, or "default". 0, or -1 with err. */
static int read_weight(const json_t *value, struct forced_entry *entry, struct err *err)
{
    int64_t weight = -1;
    const char *text = json_string_value(value);
    if (text && strcmp(text, "default") == 0) {
        entry->has_weight = false;
        return 0;
    }
    if (json_is_integer(value))
        weight = json_integer_value(value);
    else if (text && conf_unit_int(slice_from(text), &weight, err) < 0)
        return err_prefix(err, "weight");
    if (weight < 0 || weight > FORCED_WEIGHT_MAX)
        return err_set(err, "a weight is a number from 0 to %d, or default: the file's",
                       FORCED_WEIGHT_MAX);
    entry->has_weight = true;
    entry->weight = (uint32_t)weight;
    return 0;
}

static void say_weight(struct order *order)
{
    const char *label = order->member->label;
    if (!order->entry.has_weight)
        text_printf(&order->text, "member:%s has the weight of the file again, %" PRId64, label,
                    order->member->weight);
    else
        text_printf(&order->text,
                    "member:%s has weight %" PRIu32 "%s, until `weir weight member:%s default`",
                    label, order->entry.weight,
                    order->entry.weight ? ""
                                        : " and gets no new requests but those of its sessions",
                    label);
}

void handle_weight(struct web_exchange *exchange, void *ctx)
{
    struct order order = {.target = NULL};
    const json_t *weight = NULL;
    const struct body_want wants[] = {
        {"target", "a member, as \"member:web/app1\"", true, &order.target, NULL},
        {"weight", "a number from 0 to 256, or \"default\"", true, NULL, &weight},
        {0}};
    struct err err = ERR_NONE;
    if (!order_begin(&order, exchange, ctx, wants))
        return;
    if (read_weight(weight, &order.entry, &err) < 0) {
        order_refuse(&order, 400, err.text);
        return;
    }
    order.entry.weight_since_ms = operate_now_ms(order.operate);
    say_weight(&order);
    order_carry_out(&order);
}

/* ---- how far drains are ---- */

static void put_drain(struct json *json, const struct operate *operate,
                      const struct forced_entry *entry)
{
    struct drain_progress progress = drain_look(operate, entry);
    struct text text = TEXT_NONE;
    drain_describe(operate, &progress, &text);
    json_object_begin(json);
    json_key(json, "member");
    json_cstr(json, entry->label);
    json_key(json, "state");
    json_cstr(json, progress.is_drained ? "drained" : "draining");
    json_key(json, "text");
    json_slice(json, text_slice(&text));
    json_key(json, "in_flight");
    json_uint(json, progress.n_in_flight);
    json_key(json, "timeout_seconds");
    json_double(json, (double)progress.idle_ms / 1000);
    json_object_end(json);
    text_deinit(&text);
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
