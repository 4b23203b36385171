/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is known of floating addresses, and what would become of them.
 */

#include "vip/explain.h"

#include "base/text.h"
#include "conf/unit.h"
#include "core/loop.h"
#include "core/settings.h"
#include "vip/conf.h"
#include "vip/lack_watch.h"
#include "vip/vip.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

/* What is asked of one vip, and what was found. */
struct asking {
    const struct snapshot *snap;
    const struct board *board;
    struct json *json;
    const struct vip_conf *vip;
    struct fact fact; /* of it; FACT_NONE: there is none */
    unsigned lack;
    struct slice next; /* another node that would take it, or has it; empty: none */
    bool has_others, is_drained;
};

static void put(struct json *json, const char *key, const char *value)
{
    json_key(json, key);
    json_cstr(json, value);
}

static bool is_here(const struct asking *asking)
{
    enum fact_state state = asking->fact.state;
    return state == FACT_ACTIVE || state == FACT_DEGRADED || state == FACT_DRAINING;
}

/* ---- what it needs ---- */

/* Does it count already? `fact` is what was looked at. */
static bool has_lasted(const struct asking *asking, const struct lack *lack,
                       enum lack_verdict verdict, const struct fact *fact)
{
    uint64_t patience_ms = lack_patience_ms(lack, verdict, is_here(asking));
    if (fact->state == FACT_NONE)
        return patience_ms == 0 || verdict != LACK_UNJUDGED;
    return loop_clock_wall_ns() >= fact->since_ns + patience_ms * (NS_PER_S / 1000);
}

static void put_lack(struct asking *asking, const struct lack *lack)
{
    char why[LACK_WHY_MAX];
    struct fact fact = {.state = FACT_NONE};
    const struct lack_look look =
        lack_see(asking->board, asking->snap->table, lack, board_find(asking->board, lack->fact), 0,
                 loop_clock_ns(), &fact);
    enum lack_verdict verdict = lack_judge(lack, &look, why);
    bool is_lacking = verdict != LACK_WELL && has_lasted(asking, lack, verdict, &fact);
    asking->lack += is_lacking ? lack->points : 0;
    json_object_begin(asking->json);
    put(asking->json, "needs", lack->name);
    json_key(asking->json, "lowers");
    json_uint(asking->json, lack->points);
    json_key(asking->json, "lacks");
    json_bool(asking->json, is_lacking);
    put(asking->json, "why", verdict == LACK_WELL ? "fine" : why);
    json_object_end(asking->json);
}

static void put_needs(struct asking *asking)
{
    struct lack_list list;
    lack_list_init(&list, asking->snap, &asking->vip->need_list);
    json_key(asking->json, "needs");
    json_array_begin(asking->json);
    for (size_t i = 0; i < list.n_items; i++)
        put_lack(asking, &list.items[i]);
    json_array_end(asking->json);
    asking->lack = asking->lack < LACK_MAX ? asking->lack : LACK_MAX;
    lack_list_deinit(&list);
}

/* ---- the other nodes ---- */

static void put_fact(struct asking *asking, const char *state_key, const char *reason_key,
                     const char *name, struct fact *fact)
{
    struct fact_ref ref = board_find(asking->board, name);
    *fact = (struct fact){.state = FACT_NONE};
    bool is_there = ref.is_set && board_read(asking->board, ref, fact);
    put(asking->json, state_key, is_there ? fact_state_name(fact->state) : "");
    put(asking->json, reason_key, is_there ? fact->reason : "");
}

static void put_node(struct asking *asking, struct slice node)
{
    char name[FACT_NAME_MAX];
    struct fact at, peer;
    json_object_begin(asking->json);
    json_key(asking->json, "node");
    json_slice(asking->json, node);
    snprintf(name, sizeof(name), "at:%.*s/%s", SLICE_ARG(node), asking->vip->fact);
    put_fact(asking, "state", "reason", name, &at);
    json_key(asking->json, "lack");
    json_double(asking->json, at.value);
    snprintf(name, sizeof(name), "peer:%.*s", SLICE_ARG(node));
    put_fact(asking, "peer", "peer_reason", name, &peer);
    json_object_end(asking->json);
    bool takes = at.state == FACT_BACKUP || at.state == FACT_ACTIVE || at.state == FACT_DEGRADED;
    if (takes && peer.state == FACT_UP)
        asking->next = node;
}

static void put_nodes(struct asking *asking)
{
    const struct settings *settings = settings_of(asking->snap);
    json_key(asking->json, "nodes");
    json_array_begin(asking->json);
    for (size_t i = 0; settings->nodes && i < settings->nodes->list.n_items; i++) {
        const struct node_conf *node = settings->nodes->list.items[i];
        if (slice_is(node->name, asking->snap->node))
            continue;
        asking->has_others = true;
        put_node(asking, node->name);
    }
    json_array_end(asking->json);
}

/* ---- what would be ---- */

/* Active_Down_Interval, RFC 9568 section 6.1. */
static int64_t down_ms(const struct vip_conf *vip, unsigned priority)
{
    return 3 * vip->interval_ms + (256 - (int64_t)priority) * vip->interval_ms / 256;
}

static void put_silence(const struct asking *asking, unsigned priority)
{
    struct text text = TEXT_NONE;
    if (is_here(asking)) {
        text_append(&text, SLICE("it stays here"));
    } else if (asking->fact.state == FACT_BACKUP || asking->fact.state == FACT_DRAINED) {
        text_append(&text, SLICE("it comes here, "));
        conf_unit_show_time(&text, down_ms(asking->vip, priority));
        text_append(&text, SLICE(" behind the last advertisement"));
    } else {
        text_append(&text, SLICE("nobody has it: this node takes no part"));
    }
    put(asking->json, "if_others_silent", text_cstr(&text));
    text_deinit(&text);
}

static void put_drain(const struct asking *asking)
{
    struct text text = TEXT_NONE;
    if (!is_here(asking))
        text_append(&text, SLICE("nothing moves: it is not here"));
    else if (asking->next.len)
        text_printf(&text, "it goes to %.*s", SLICE_ARG(asking->next));
    else
        text_append(&text, asking->has_others
                               ? SLICE("it stays here until a node says that it would take it")
                               : SLICE("it goes to who answers VRRP, or stays here"));
    put(asking->json, "if_drained", text_cstr(&text));
    text_deinit(&text);
}

/* ---- one, and all ---- */

static void put_drained(struct asking *asking)
{
    static const char *const kinds[] = {"vip", "node"};
    const char *const names[] = {asking->vip->fact + strlen("vip:"), asking->snap->node};
    const char *drained = "";
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char name[FACT_NAME_MAX];
        lack_drain_fact(name, kinds[i], names[i]);
        if (board_find(asking->board, name).is_set)
            drained = i == 0 ? "it is drained by the operator" : "this node is drained";
    }
    asking->is_drained = drained[0];
    put(asking->json, "drained", drained);
}

static void put_since(const struct asking *asking)
{
    struct text text = TEXT_NONE;
    if (asking->fact.state != FACT_NONE)
        text_rfc3339(&text, asking->fact.since_ns / NS_PER_S);
    put(asking->json, "since", text_cstr(&text));
    text_deinit(&text);
}

static void put_target(struct json *json, const struct vrrp_ip *ip)
{
    char text[INET6_ADDRSTRLEN];
    json_cstr(json,
              inet_ntop(ip->n_bytes == 16 ? AF_INET6 : AF_INET, ip->bytes, text, sizeof(text)));
}

/* What another implementation would have to be told. */
static void put_vrrp(const struct asking *asking)
{
    struct json *json = asking->json;
    const struct vip_conf *vip = asking->vip;
    json_key(json, "id");
    json_int(json, vip->id);
    json_key(json, "version");
    json_int(json, vip->version);
    json_key(json, "interval_ms");
    json_int(json, vip->interval_ms);
    json_key(json, "preempts");
    json_bool(json, !vip->is_no_preempt);
    json_key(json, "targets");
    json_array_begin(json);
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        const struct vip_family *family = &vip->families[f];
        const struct vrrp_ip all = vrrp_group(f == VIP_IPV6);
        for (uint32_t i = 0; i < family->n_peers; i++)
            put_target(json, &family->peers[i]);
        if (family->n_addresses > 0 && family->n_peers == 0)
            put_target(json, &all);
    }
    json_array_end(json);
}

/* A drained one advertises the least (VRRP_EVENT_YIELD). */
static unsigned priority_of(const struct asking *asking, unsigned base)
{
    if (asking->is_drained)
        return 1;
    if (base == VRRP_PRIORITY_OWNER)
        return base;
    return base > asking->lack ? base - asking->lack : 1;
}

static void put_vip(struct asking *asking)
{
    struct json *json = asking->json;
    const struct vip_conf *vip = asking->vip;
    unsigned base = vip_base_priority(vip, asking->snap->node);
    json_object_begin(json);
    put(json, "vip", vip->fact + strlen("vip:"));
    put(json, "addresses", vip->addresses);
    put(json, "interface", vip->interface);
    put_fact(asking, "state", "reason", vip->fact, &asking->fact);
    put_since(asking);
    put_vrrp(asking);
    put_drained(asking);
    put_needs(asking);
    unsigned priority = priority_of(asking, base);
    json_key(json, "base");
    json_uint(json, base);
    json_key(json, "lack");
    json_uint(json, asking->lack);
    json_key(json, "priority");
    json_uint(json, priority);
    put_nodes(asking);
    put_silence(asking, priority);
    put_drain(asking);
    json_object_end(json);
}

static bool has_vip(const struct vips_conf *conf, struct slice name)
{
    for (size_t i = 0; i < conf->vip_list.n_items; i++) {
        if (slice_equal(((const struct vip_conf *)conf->vip_list.items[i])->object.name, name))
            return true;
    }
    return false;
}

int vip_explain(const struct snapshot *snap, const struct board *board,
                const struct explain_ask *ask, struct json *json, struct err *err)
{
    const struct vips_conf *conf = vips_conf_of(snap);
    struct conf_quote quote;
    if (conf->vip_list.n_items == 0)
        return err_set(err, "the file has no vip");
    if (ask->text.len && !has_vip(conf, ask->text))
        return err_set(err, "there is no vip \"%s\"", conf_quote(ask->text, &quote));
    put(json, "node", snap->node);
    json_key(json, "vips");
    json_array_begin(json);
    for (size_t i = 0; i < conf->vip_list.n_items; i++) {
        const struct vip_conf *vip = conf->vip_list.items[i];
        struct asking asking = {.snap = snap, .board = board, .json = json, .vip = vip};
        if (ask->text.len == 0 || slice_equal(vip->object.name, ask->text))
            put_vip(&asking);
    }
    json_array_end(json);
    return 0;
}
