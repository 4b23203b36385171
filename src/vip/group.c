/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The machine's actions, one function each, and the events that come in.
 */

#include "vip/group.h"

#include "base/mem.h"
#include "vip/count.h"
#include "wire/announce.h"
#include <assert.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

enum { TAKEN_EACH_MS = 200 }; /* the next renewal puts what went meanwhile */
enum { MS_PER_S = 1000, MS_PER_CS = 10, LIFE_LEAST_S = 3, LIFE_INTERVALS = 5, LIFE_PARTS = 3 };

uint32_t group_life_s(int64_t interval_ms)
{
    int64_t life_s = (LIFE_INTERVALS * interval_ms + MS_PER_S - 1) / MS_PER_S;
    return life_s > LIFE_LEAST_S ? (uint32_t)life_s : LIFE_LEAST_S;
}

uint64_t group_renew_ns(int64_t interval_ms)
{
    return group_life_s(interval_ms) * NS_PER_S / LIFE_PARTS;
}

/* ---- actions ---- */

static bool has_addresses(const struct group *group)
{
    return !group->plan.vip->has_no_address;
}

static void note_error(const struct group *group, enum vip_word word, const struct err *err)
{
    const struct group_note note = {.error = err->text};
    metric_add(group->row, word, 1);
    group->ops->noted(group->ctx, group, &note);
}

static enum vrrp_checksum checksum_of(const struct group_plan *plan)
{
    if (plan->is_ipv6)
        return VRRP_CHECKSUM_RFC5798;
    if (plan->vip->version == 2)
        return VRRP_CHECKSUM_RFC9568;
    return (enum vrrp_checksum)plan->vip->checksum;
}

size_t group_write_advert(const struct group_plan *plan, uint8_t priority,
                          const struct vrrp_carrier *carrier,
                          uint8_t ret_bytes[VRRP_PACKET_MAX_BYTES])
{
    const struct vrrp_advert advert = {
        .version = (uint8_t)plan->vip->version,
        .vrid = (uint8_t)plan->vip->id,
        .priority = priority,
        .is_ipv6 = plan->is_ipv6,
        .interval_cs = (uint16_t)(plan->vip->interval_ms / MS_PER_CS),
        .checksum = checksum_of(plan),
        .addresses = plan->family->bytes,
    };
    int len = vrrp_write(&advert, carrier, ret_bytes, VRRP_PACKET_MAX_BYTES);
    assert(len > 0); /* the configuration was checked */
    return (size_t)len;
}

struct vrrp_ip group_target(const struct group_plan *plan, uint32_t index)
{
    assert(index < group_n_targets(plan));
    return plan->family->n_peers ? plan->family->peers[index] : vrrp_group(plan->is_ipv6);
}

static void send_to(const struct group *group, uint8_t priority, struct vrrp_ip target)
{
    const struct vrrp_carrier carrier = {
        .source = group->link.source, .target = target, .ttl = VRRP_TTL};
    uint8_t bytes[VRRP_PACKET_MAX_BYTES];
    struct err err = ERR_NONE;
    size_t len = group_write_advert(&group->plan, priority, &carrier, bytes);
    int rc =
        group->ops->send(group->ctx, group, &carrier, slice_make((const char *)bytes, len), &err);
    if (rc < 0)
        note_error(group, VIP_WORD_SEND_FAILED, &err);
    else
        metric_add(group->row, rc ? VIP_WORD_SEND_FULL : VIP_WORD_SENT, 1);
}

static void put(struct group *group, uint64_t now_ns)
{
    const struct vip_family *family = group->plan.family;
    int64_t interval_ms = group->plan.vip->interval_ms;
    struct err err = ERR_NONE;
    group->renew_ns = VRRP_NEVER;
    if (!has_addresses(group))
        return;
    group->renew_ns = now_ns + group_renew_ns(interval_ms);
    int rc = group->ops->put(group->ctx, group, family->addresses, family->n_addresses,
                             group_life_s(interval_ms), &err);
    group->is_broken = rc < 0;
    if (rc < 0)
        note_error(group, VIP_WORD_NETLINK_FAILED, &err);
}

static void announce(const struct group *group, const struct vip_address *address)
{
    uint8_t frame[ANNOUNCE_MAX_BYTES];
    struct err err = ERR_NONE;
    int len = announce_write(&address->ip, group->link.mac, false, frame);
    int rc =
        group->ops->announce(group->ctx, group, slice_make((const char *)frame, (size_t)len), &err);
    if (rc < 0)
        note_error(group, VIP_WORD_SEND_FAILED, &err);
    else
        metric_add(group->row, rc ? VIP_WORD_SEND_FULL : VIP_WORD_ANNOUNCED, 1);
}

static void announce_all(const struct group *group)
{
    const struct vip_family *family = group->plan.family;
    for (uint32_t i = 0; i < family->n_addresses && has_addresses(group); i++)
        announce(group, &family->addresses[i]);
}

static void renew(struct group *group, uint64_t now_ns)
{
    bool was_broken = group->is_broken;
    put(group, now_ns);
    if (was_broken && !group->is_broken)
        announce_all(group);
}

static void do_advert(struct group *group, uint8_t priority, uint64_t now_ns)
{
    if (group->link.source.n_bytes == 0)
        return; /* its interface has just lost it, and a dead link is told apart */
    for (uint32_t i = 0; i < group_n_targets(&group->plan); i++)
        send_to(group, priority, group_target(&group->plan, i));
    if (priority == VRRP_PRIORITY_RESIGN)
        metric_add(group->row, VIP_WORD_RESIGNED, 1);
    if (group->machine.state == VRRP_ACTIVE && now_ns >= group->renew_ns)
        renew(group, now_ns);
}

static void do_remove(struct group *group)
{
    const struct vip_family *family = group->plan.family;
    struct err err = ERR_NONE;
    group->renew_ns = VRRP_NEVER;
    group->is_broken = false;
    if (!has_addresses(group))
        return;
    if (group->ops->remove(group->ctx, group, family->addresses, family->n_addresses, &err) < 0)
        note_error(group, VIP_WORD_NETLINK_FAILED, &err);
}

static void do_move(const struct group *group, const struct vrrp_action *action)
{
    metric_add(group->row, (uint32_t)VIP_WORD_MOVE + (uint32_t)action->reason, 1);
    group->ops->moved(group->ctx, group, action);
}

static void act(struct group *group, const struct vrrp_action *action, uint64_t now_ns)
{
    switch (action->kind) {
    case VRRP_DO_ADVERT:
        do_advert(group, action->priority, now_ns);
        break;
    case VRRP_DO_ADD:
        put(group, now_ns);
        break;
    case VRRP_DO_REMOVE:
        do_remove(group);
        break;
    case VRRP_DO_ANNOUNCE:
        announce_all(group);
        break;
    case VRRP_DO_ASK:
        group->ops->ask(group->ctx, group);
        break;
    case VRRP_DO_HOLD:
        metric_add(group->row, VIP_WORD_HELD, 1);
        group->ops->moved(group->ctx, group, action);
        break;
    case VRRP_DO_RELEASE:
        group->ops->moved(group->ctx, group, action);
        break;
    case VRRP_DO_MOVE:
        do_move(group, action);
        break;
    }
}

static void step(struct group *group, const struct vrrp_event *event, uint64_t now_ns)
{
    struct vrrp_actions actions;
    if (group->is_let_go)
        return;
    vrrp_machine_step(&group->machine, event, now_ns, &actions);
    for (size_t i = 0; i < actions.n; i++)
        act(group, &actions.items[i], now_ns);
}

/* ---- plans ---- */

static struct vrrp_policy policy_of(const struct group *group)
{
    enum { REFRESH_S = 60 };
    const struct vip_conf *vip = group->plan.vip;
    return (struct vrrp_policy){
        .version = (uint8_t)vip->version,
        .is_owner = group->plan.base == VRRP_PRIORITY_OWNER,
        .interval_ns = (uint64_t)vip->interval_ms * NS_PER_MS,
        .preempt_delay_ns = (uint64_t)vip->preempt_delay_ms * NS_PER_MS,
        .refresh_ns = REFRESH_S * NS_PER_S,
        .source = group->link.source,
    };
}

void group_init(struct group *group, const struct group_plan *plan, const struct group_ops *ops,
                void *ctx, metric_word *row)
{
    *group =
        (struct group){.plan = *plan, .ops = ops, .ctx = ctx, .row = row, .renew_ns = VRRP_NEVER};
    struct vrrp_policy policy = policy_of(group);
    vrrp_machine_init(&group->machine, &policy,
                      policy.is_owner ? VIP_PRIORITY_PREFERRED : plan->base,
                      !plan->vip->is_no_preempt);
}

/* Is the former address one that stays? */
static bool keeps(const struct group *group, const struct vip_address *address)
{
    const struct vip_family *family = group->plan.family;
    for (uint32_t i = 0; i < family->n_addresses && has_addresses(group); i++)
        if (vrrp_ip_compare(&family->addresses[i].ip, &address->ip) == 0 &&
            family->addresses[i].n_bits == address->n_bits)
            return true;
    return false;
}

/* Takes away what the new plan has not. Returns how many stay. */
static uint32_t drop_former(struct group *group, const struct vip_family *former)
{
    uint32_t n_kept = 0;
    struct err err = ERR_NONE;
    for (uint32_t i = 0; i < former->n_addresses; i++) {
        if (keeps(group, &former->addresses[i]))
            n_kept++;
        else if (group->ops->remove(group->ctx, group, &former->addresses[i], 1, &err) < 0)
            note_error(group, VIP_WORD_NETLINK_FAILED, &err);
    }
    return n_kept;
}

void group_replan(struct group *group, const struct group_plan *plan, uint64_t now_ns)
{
    const struct group_plan former = group->plan;
    assert(former.vip->id == plan->vip->id && former.is_ipv6 == plan->is_ipv6);
    group->plan = *plan;
    if (group->machine.state == VRRP_ACTIVE) {
        uint32_t n_kept = former.vip->has_no_address ? 0 : drop_former(group, former.family);
        put(group, now_ns);
        if (n_kept < plan->family->n_addresses)
            announce_all(group);
    }
    struct vrrp_policy policy = policy_of(group);
    const struct vrrp_event event = {.kind = VRRP_EVENT_POLICY, .policy = &policy};
    step(group, &event, now_ns);
}

/* ---- events ---- */

static bool same_link(const struct group_link *a, const struct group_link *b)
{
    return a->is_up == b->is_up && vrrp_ip_compare(&a->source, &b->source) == 0 &&
           a->source.n_bytes == b->source.n_bytes && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

void group_set_link(struct group *group, const struct group_link *link, uint64_t now_ns)
{
    const struct group_link former = group->link;
    if (same_link(&former, link) && group->machine.is_linked == link->is_up)
        return;
    group->link = *link;
    struct vrrp_policy policy = policy_of(group);
    const struct vrrp_event change = {.kind = VRRP_EVENT_POLICY, .policy = &policy};
    const struct vrrp_event event = {.kind =
                                         link->is_up ? VRRP_EVENT_LINK_UP : VRRP_EVENT_LINK_DOWN};
    if (link->is_up && !same_link(&former, link))
        step(group, &change, now_ns);
    if (group->machine.is_linked != link->is_up)
        step(group, &event, now_ns);
}

void group_start(struct group *group, uint64_t now_ns)
{
    const struct vrrp_event event = {.kind = VRRP_EVENT_START};
    step(group, &event, now_ns);
}

void group_adopt(struct group *group, uint64_t age_ns, uint64_t now_ns)
{
    const struct vrrp_event event = {.kind = VRRP_EVENT_ADOPT, .age_ns = age_ns};
    step(group, &event, now_ns);
}

void group_time(struct group *group, uint64_t now_ns)
{
    const struct vrrp_event event = {.kind = VRRP_EVENT_TIME};
    uint64_t deadline_ns = group_deadline(group);
    if (deadline_ns != VRRP_NEVER && now_ns > deadline_ns &&
        now_ns - deadline_ns > group->machine.policy.interval_ns)
        metric_add(group->row, VIP_WORD_LATE, 1);
    step(group, &event, now_ns);
}

void group_taken(struct group *group, uint64_t now_ns)
{
    const struct group_note note = {
        .error = "somebody else took an address from the interface; it is put there again"};
    if (group->is_let_go || group->machine.state != VRRP_ACTIVE || !group->machine.is_linked ||
        !has_addresses(group) || now_ns < group->taken_ns + TAKEN_EACH_MS * NS_PER_MS)
        return;
    group->taken_ns = now_ns;
    metric_add(group->row, VIP_WORD_TAKEN, 1);
    group->ops->noted(group->ctx, group, &note);
    put(group, now_ns);
    announce_all(group);
}

uint64_t group_deadline(const struct group *group)
{
    return group->is_let_go ? VRRP_NEVER : vrrp_machine_deadline(&group->machine);
}

void group_set_priority(struct group *group, uint8_t priority, bool is_preempting, uint64_t now_ns)
{
    const struct vrrp_event event = {
        .kind = VRRP_EVENT_PRIORITY, .priority = priority, .is_preempting = is_preempting};
    if (priority != group->machine.priority || is_preempting != group->machine.is_preempting)
        step(group, &event, now_ns);
}

void group_set_yielding(struct group *group, bool is_yielding, uint64_t now_ns)
{
    const struct vrrp_event event = {.kind = is_yielding ? VRRP_EVENT_YIELD : VRRP_EVENT_RETURN};
    if (group->machine.is_yielding != is_yielding)
        step(group, &event, now_ns);
}

void group_hear_peer(struct group *group, uint8_t peer, bool is_serving, bool is_better,
                     uint64_t fresh_ns, uint64_t now_ns)
{
    const struct vrrp_event event = {.kind = VRRP_EVENT_PEER,
                                     .peer = peer,
                                     .is_serving = is_serving,
                                     .is_better = is_better,
                                     .fresh_ns = fresh_ns};
    step(group, &event, now_ns);
}

void group_stop(struct group *group, bool is_now, uint64_t now_ns)
{
    const struct vrrp_event event = {.kind = is_now ? VRRP_EVENT_STOP_NOW : VRRP_EVENT_STOP};
    step(group, &event, now_ns);
}

void group_let_go(struct group *group)
{
    group->is_let_go = true;
}

/* ---- advertisements ---- */

static struct vrrp_expect expect_of(const struct group *group)
{
    const struct vip_conf *vip = group->plan.vip;
    const struct vip_family *family = group->plan.family;
    bool is_unicast = family->n_peers > 0;
    return (struct vrrp_expect){
        .version = (uint8_t)vip->version,
        .vrid = (uint8_t)vip->id,
        .is_unicast = is_unicast,
        .is_owner = group->plan.base == VRRP_PRIORITY_OWNER,
        .ttl_min = is_unicast ? (uint8_t)vip->unicast->ttl_min : VRRP_TTL,
        .interval_cs = (uint16_t)(vip->interval_ms / MS_PER_CS),
        .source = group->link.source,
        .peers = family->peers,
        .n_peers = family->n_peers,
        .addresses = family->bytes,
    };
}

static void note_refusal(const struct group *group, enum vrrp_refusal refusal,
                         const struct vrrp_ip *source)
{
    const struct group_note note = {.refusal = refusal, .source = *source};
    metric_add(group->row, (uint32_t)VIP_WORD_REFUSED + (uint32_t)refusal, 1);
    group->ops->noted(group->ctx, group, &note);
}

static void note_oddities(const struct group *group, unsigned oddities,
                          const struct vrrp_ip *source)
{
    const struct group_note note = {.oddities = oddities, .source = *source};
    for (uint32_t i = 0; i < VIP_ODDITIES; i++)
        metric_add(group->row, VIP_WORD_ODD + i, oddities >> i & 1);
    group->ops->noted(group->ctx, group, &note);
}

void group_receive(struct group *group, const struct vrrp_carrier *carrier, struct slice payload,
                   uint64_t now_ns)
{
    const struct vrrp_expect expect = expect_of(group);
    struct vrrp_advert advert;
    unsigned oddities = 0;
    enum vrrp_refusal refusal = vrrp_parse(payload, carrier, &advert);
    if (refusal == VRRP_FINE)
        refusal = vrrp_accept(&expect, carrier, &advert, &oddities);
    if (refusal != VRRP_FINE) {
        note_refusal(group, refusal, &carrier->source);
        return;
    }
    metric_add(group->row, VIP_WORD_RECEIVED, 1);
    if (oddities)
        note_oddities(group, oddities, &carrier->source);
    const struct vrrp_event event = {
        .kind = VRRP_EVENT_ADVERT,
        .priority = advert.priority,
        .interval_ns = (uint64_t)advert.interval_cs * MS_PER_CS * NS_PER_MS,
        .source = carrier->source,
    };
    group->heard = (struct group_heard){.source = carrier->source,
                                        .priority = advert.priority,
                                        .interval_ns = event.interval_ns,
                                        .at_ns = now_ns};
    step(group, &event, now_ns);
}
