/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the operator upon members: force, weight. Each answers with a sentence that says
 * what will happen next, and warns where nobody would be left.
 */
#include "admin/order.h"
#include "base/json.h"
#include "base/mem.h"
#include "conf/unit.h"
#include <inttypes.h>
#include <string.h>

enum { MS_PER_S = 1000 };

/* ---- force ---- */

static void say_forced(struct order *order, enum fact_state state)
{
    const char *label = order->thing.member->label;
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
    if (!order_begin(&order, exchange, ctx, wants, false))
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
        order_warn_of_nobody(&order);
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
    const char *label = order->thing.member->label;
    if (!order->entry.has_weight)
        text_printf(&order->text, "member:%s has the weight of the file again, %" PRId64, label,
                    order->thing.member->weight);
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
    if (!order_begin(&order, exchange, ctx, wants, false))
        return;
    if (read_weight(weight, &order.entry, &err) < 0) {
        order_refuse(&order, 400, err.text);
        return;
    }
    order.entry.weight_since_ms = operate_now_ms(order.operate);
    say_weight(&order);
    order_carry_out(&order);
}
