/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is told of a vip: its fact, its gauges, its programs' state, and the log.
 */

#include "core/node.h"
#include "core/settings.h"
#include "vip/count.h"
#include "vip/internal.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

/* ---- why ---- */

const char *vip_group_reason(const struct vip_group *at)
{
    if (at->trouble[0] && group_state(&at->group) == VRRP_INITIALIZE)
        return at->trouble;
    return at->why[0] ? at->why : vrrp_reason_text(at->group.machine.reason);
}

static const char *show_ip(const struct vrrp_ip *ip, char text[INET6_ADDRSTRLEN])
{
    if (ip->n_bytes == 0)
        return "nobody";
    return inet_ntop(ip->n_bytes == 16 ? AF_INET6 : AF_INET, ip->bytes, text, INET6_ADDRSTRLEN);
}

/* The name of the node of the file that has the address; empty: none has. */
static struct slice node_with(const struct snapshot *snap, const struct vrrp_ip *ip)
{
    const struct settings *settings = settings_of(snap);
    for (size_t i = 0; settings->nodes && i < settings->nodes->list.n_items; i++) {
        const struct node_conf *node = settings->nodes->list.items[i];
        for (size_t k = 0; k < node_n_addrs(node); k++) {
            const struct addr *addr = &node_addr(node, k)->addr;
            if (addr_family(addr) != (ip->n_bytes == 16 ? AF_INET6 : AF_INET))
                continue;
            const struct vrrp_ip one = vip_ip_of(addr);
            if (vrrp_ip_compare(&one, ip) == 0)
                return node->name;
        }
    }
    return SLICE("");
}

/* Who else was heard, as far as it may have to do with what happens now; false: nobody. */
static bool find_who(const struct vip_group *at, uint64_t now_ns, char ret_who[WHY_WHO_MAX])
{
    enum { LATELY_INTERVALS = 8 };
    const struct group_heard *heard = &at->group.heard;
    char ip[INET6_ADDRSTRLEN];
    if (heard->source.n_bytes == 0 || now_ns - heard->at_ns > LATELY_INTERVALS * heard->interval_ns)
        return false;
    why_who(node_with(at->vip->snap, &heard->source), show_ip(&heard->source, ip), ret_who);
    return true;
}

static const char *order_of(const struct vip *vip)
{
    const char *drained = vip->watch ? lack_watch_drained(vip->watch) : NULL;
    return drained || !vip->vips->is_draining ? drained : "weir stops";
}

static struct why why_of(const struct vip_group *at, char who[WHY_WHO_MAX])
{
    uint64_t now_ns = loop_boot_ns();
    const struct group_heard *heard = &at->group.heard;
    return (struct why){
        .reason = at->group.machine.reason,
        .who = find_who(at, now_ns, who) ? who : NULL,
        .who_priority = heard->priority,
        .own_priority = vrrp_machine_priority(&at->group.machine),
        .silent_ns = now_ns - heard->at_ns,
        .order = order_of(at->vip),
    };
}

/* ---- facts ---- */

static uint32_t n_groups_in(const struct vip *vip, enum vrrp_state state, uint32_t *ret_n)
{
    uint32_t n = 0;
    *ret_n = 0;
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        if (!vip->groups[f].is_started)
            continue;
        (*ret_n)++;
        n += group_state(&vip->groups[f].group) == state;
    }
    return n;
}

static bool is_leaving(const struct vip *vip)
{
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        if (vip->groups[f].is_started && vip->groups[f].group.machine.is_leaving)
            return true;
    return false;
}

enum fact_state vip_fact_state(const struct vip *vip)
{
    uint32_t n, n_active = n_groups_in(vip, VRRP_ACTIVE, &n);
    if (n_active > 0 && (vip->is_yielding || vip->is_ending || is_leaving(vip)))
        return FACT_DRAINING;
    if (n_active > 0)
        return n_active == n ? FACT_ACTIVE : FACT_DEGRADED;
    if (n_groups_in(vip, VRRP_BACKUP, &n) == 0)
        return FACT_DOWN;
    return vip->is_yielding || vip->is_ending ? FACT_DRAINED : FACT_BACKUP;
}

/* The group whose last move is the vip's. */
static const struct vip_group *newest(const struct vip *vip)
{
    const struct vip_group *found = NULL;
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        const struct vip_group *at = &vip->groups[f];
        if (at->is_started &&
            (!found || at->group.machine.since_ns > found->group.machine.since_ns))
            found = at;
    }
    return found;
}

static const char *trouble_of(const struct vip *vip)
{
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        if (vip->groups[f].is_started && vip->groups[f].trouble[0])
            return vip->groups[f].trouble;
    return "";
}

static const char *reason_of(const struct vip *vip, enum fact_state state)
{
    const char *drained = vip->watch ? lack_watch_drained(vip->watch) : NULL;
    const struct vip_group *at = newest(vip);
    if (vip->is_holding)
        return "VRRP is silent, but a peer says that it is Active and serves";
    if (state == FACT_DOWN && trouble_of(vip)[0])
        return trouble_of(vip);
    bool is_leaving_for_good = state == FACT_DRAINING || state == FACT_DRAINED;
    if (is_leaving_for_good && drained)
        return drained;
    if (is_leaving_for_good && vip->vips->is_draining)
        return "weir stops";
    return at ? vip_group_reason(at) : "";
}

static void publish_gauges(const struct vip *vip)
{
    metric_word *row = metric_row(vip->slab->slab, 0);
    const struct vip_group *at = newest(vip);
    if (!at)
        return;
    metric_set(row, VIP_WORD_STATE, (uint64_t)group_state(&at->group));
    metric_set(row, VIP_WORD_PRIORITY, vrrp_machine_priority(&at->group.machine));
    metric_set(row, VIP_WORD_LACK, vip->lack);
    metric_set(row, VIP_WORD_HOLDING, vip->is_holding);
}

void vip_publish(struct vip *vip)
{
    struct process *process = vip->vips->process;
    struct board *board = process->board;
    uint64_t wall_ns = loop_wall_ns(process->loops[0]);
    enum fact_state state = vip_fact_state(vip);
    const char *reason = reason_of(vip, state);
    struct fact former = {.state = FACT_NONE};
    bool is_there = board_read(board, board_find(board, vip->fact), &former);
    publish_gauges(vip);
    if (!is_there || former.state != state || former.value != (double)vip->lack ||
        strcmp(former.reason, reason) != 0)
        board_state(board, vip->fact, state, vip->lack, reason, wall_ns);
    if (is_there && former.state == state && former.value != (double)vip->lack)
        board_tell(board, vip->fact, wall_ns);
    vip->is_told = true;
    vip->has_news = false;
    bool is_here = state == FACT_ACTIVE || state == FACT_DRAINING || state == FACT_DEGRADED;
    if (!vip->is_ending)
        hook_runner_become(vip->hooks, is_here ? HOOK_ACTIVE : HOOK_BACKUP, reason);
}

/* ---- log ---- */

/* Of each kind, one line now and then. */
static const struct hush_rule note_rule = {.burst = 1, .every_ns = 10 * NS_PER_S};

static struct log *log_of(const struct vip_group *at)
{
    return at->vip->vips->process->logs[0];
}

/* Initialize is "down", as the fact says. */
static void say_move(struct vip_group *at, const struct vrrp_action *action)
{
    const struct vip *vip = at->vip;
    const struct log_field fields[] = {{"vip", vip->name}};
    char who[WHY_WHO_MAX];
    const struct why why = why_of(at, who);
    why_text(&why, at->why);
    at->is_following = false;
    log_fields(log_of(at), LOG_LEVEL_INFO, fields, 1, "%s (%s) is %s on %s: %s", vip->fact,
               vip_family_name(vip_family_of(at)),
               action->to == VRRP_INITIALIZE ? "down" : vrrp_state_name(action->to),
               vip->port->name, vip_group_reason(at));
}

void vip_say_heard(struct vip_group *at)
{
    struct vip *vip = at->vip;
    const struct log_field fields[] = {{"vip", vip->name}};
    const struct vrrp_machine *machine = &at->group.machine;
    bool has_begun = machine->reason == VRRP_WHY_STARTED || machine->reason == VRRP_WHY_LINK_UP;
    char who[WHY_WHO_MAX];
    if (at->is_following || machine->state != VRRP_BACKUP || !has_begun ||
        at->group.heard.at_ns <= machine->since_ns || at->group.heard.priority == 0)
        return;
    const struct why why = why_of(at, who);
    if (!why.who)
        return;
    why_following(&why, at->why);
    at->is_following = vip->has_news = true;
    log_fields(log_of(at), LOG_LEVEL_INFO, fields, 1, "%s (%s): %s", vip->fact,
               vip_family_name(vip_family_of(at)), at->why);
    vips_reconsider(vip->vips);
}

void vip_say_moved(struct vip_group *at, const struct vrrp_action *action)
{
    struct vip *vip = at->vip;
    const struct log_field fields[] = {{"vip", vip->name}};
    const char *family = vip_family_name(vip_family_of(at));
    switch (action->kind) {
    case VRRP_DO_HOLD:
        vip->is_holding = true;
        log_fields(log_of(at), LOG_LEVEL_WARN, fields, 1,
                   "%s (%s): VRRP is silent on %s, but a peer says that it is Active and serves: "
                   "look at the link between them",
                   vip->fact, family, vip->port->name);
        break;
    case VRRP_DO_RELEASE:
        vip->is_holding = false;
        log_fields(log_of(at), LOG_LEVEL_INFO, fields, 1,
                   "%s (%s): VRRP is silent no longer, or "
                   "nobody else serves",
                   vip->fact, family);
        break;
    case VRRP_DO_MOVE:
        say_move(at, action);
        break;
    case VRRP_DO_ADVERT:
    case VRRP_DO_ADD:
    case VRRP_DO_REMOVE:
    case VRRP_DO_ANNOUNCE:
    case VRRP_DO_ASK:
        break;
    }
}

static void say_oddities(const struct vip_group *at, const struct group_note *note,
                         uint64_t n_muted)
{
    char ip[INET6_ADDRSTRLEN];
    log_write(log_of(at), LOG_LEVEL_WARN,
              "%s: the advertisement of %s is not as this file has it:%s%s%s (%" PRIu64
              " more like it)",
              at->vip->fact, show_ip(&note->source, ip),
              note->oddities & VRRP_ODD_INTERVAL ? " another interval" : "",
              note->oddities & VRRP_ODD_ADDRESSES ? " other addresses" : "",
              note->oddities & VRRP_ODD_OWNER ? " a second owner" : "", n_muted);
}

void vip_say_note(struct vip_group *at, const struct group_note *note)
{
    enum { ODD = VRRP_REFUSALS, ERROR };
    char ip[INET6_ADDRSTRLEN];
    uint32_t kind = note->error      ? (uint32_t)ERROR
                    : note->oddities ? (uint32_t)ODD
                                     : (uint32_t)note->refusal;
    uint64_t n_muted;
    if (!hush_may(&at->hushes[kind], &note_rule, loop_boot_ns(), &n_muted))
        return;
    if (note->error)
        log_write(log_of(at), LOG_LEVEL_WARN, "%s: %s (%" PRIu64 " more like it)", at->vip->fact,
                  note->error, n_muted);
    else if (note->oddities)
        say_oddities(at, note, n_muted);
    else
        log_write(log_of(at), LOG_LEVEL_WARN,
                  "%s: an advertisement of %s is refused: %s (%" PRIu64 " more like it)",
                  at->vip->fact, show_ip(&note->source, ip), vrrp_refusal_text(note->refusal),
                  n_muted);
}
