/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The protocol machine of VRRP. Every step first asks whether the node slept too long, then one
 * function an event decides; move() alone changes the state, and drops the address with it.
 */

#include "wire/vrrp_machine.h"

#include <assert.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

enum {
    SKEW_PARTS = 256,      /* of an interval; RFC 9568 section 6.1 */
    DOWN_INTERVALS = 3,    /* of silence */
    YIELDING_PRIORITY = 1, /* serves where nobody else does */
    LEAVES_EACH = 10,      /* hand over to a better peer at most in one of so many limits */
    SUSPICIONS_MAX = 16,   /* that announce at once, in */
    SUSPICIONS_MS = 400,   /* so long */
    LISTEN_PARTS_OF_4 = 1, /* of an interval: who was late reads what waits in its socket */
    LEAVE_PARTS_OF_4 = 9,  /* of an interval: two resignations, the longest skew, and some */
};

/* One step: what its functions share. */
struct step {
    struct vrrp_machine *m;
    uint64_t now_ns;
    struct vrrp_actions *actions;
};

static const struct reason {
    const char *name;
    const char *text;
} reasons[VRRP_REASONS] = {
    [VRRP_WHY_STARTED] = {"started", "it started, and listens first"},
    [VRRP_WHY_OWNER] = {"owner", "it owns the addresses"},
    [VRRP_WHY_ADOPTED] = {"adopted", "it was Active before its process began anew"},
    [VRRP_WHY_SILENCE] = {"silence", "the Active fell silent"},
    [VRRP_WHY_RESIGNED] = {"resigned", "the Active resigned"},
    [VRRP_WHY_PREEMPTS] = {"preempts", "the Active had a lower priority"},
    [VRRP_WHY_HOLD_OVER] = {"hold_over", "the silent peer says no longer that it serves"},
    [VRRP_WHY_OUTRANKED] = {"outranked", "a peer is Active with a higher priority"},
    [VRRP_WHY_TIE] = {"tie", "a peer is Active with the same priority and a higher address"},
    [VRRP_WHY_STALLED] = {"stalled", "it slept longer than its peers wait"},
    [VRRP_WHY_LINK_DOWN] = {"link_down", "its link is down"},
    [VRRP_WHY_LINK_UP] = {"link_up", "its link is up again"},
    [VRRP_WHY_YIELDED] = {"yielded", "it was told to hand over"},
    [VRRP_WHY_PEER_BETTER] = {"peer_better", "a peer is better off"},
    [VRRP_WHY_STOPPED] = {"stopped", "it was told to stop"},
};

const char *vrrp_state_name(enum vrrp_state state)
{
    static const char *const names[VRRP_STATES] = {"initialize", "backup", "active"};
    assert(state < VRRP_STATES);
    return names[state];
}

const char *vrrp_reason_name(enum vrrp_reason reason)
{
    assert(reason < VRRP_REASONS);
    return reasons[reason].name;
}

const char *vrrp_reason_text(enum vrrp_reason reason)
{
    assert(reason < VRRP_REASONS);
    return reasons[reason].text;
}

static bool has_rule(const struct vrrp_machine *m, enum vrrp_rule rule)
{
    return !(m->policy.rules_off & (uint32_t)rule);
}

/* ---- times ------------------------------------------------------------------------------------*/

uint8_t vrrp_machine_priority(const struct vrrp_machine *m)
{
    if (m->is_yielding)
        return YIELDING_PRIORITY;
    return m->policy.is_owner ? VRRP_PRIORITY_OWNER : m->priority;
}

bool vrrp_machine_is_serving(const struct vrrp_machine *m)
{
    return m->state == VRRP_ACTIVE && !m->is_leaving;
}

/* Skew_Time; in version 2 always parts of a second (RFC 3768 section 6.1). */
static uint64_t skew_ns(const struct vrrp_machine *m)
{
    uint64_t whole = m->policy.version == 2 ? NS_PER_S : m->learnt_ns;
    if (!has_rule(m, VRRP_RULE_SKEW))
        return 0;
    return (SKEW_PARTS - (uint64_t)vrrp_machine_priority(m)) * whole / SKEW_PARTS;
}

static uint64_t down_ns(const struct vrrp_machine *m)
{
    return DOWN_INTERVALS * m->learnt_ns + skew_ns(m);
}

/* How long peers wait at least before they take over. */
static uint64_t patience_ns(const struct vrrp_machine *m)
{
    return DOWN_INTERVALS * m->policy.interval_ns;
}

static uint64_t leave_limit_ns(const struct vrrp_machine *m)
{
    return m->policy.interval_ns * LEAVE_PARTS_OF_4 / 4;
}

static uint64_t serving_until_ns(const struct vrrp_machine *m)
{
    uint64_t latest = 0;
    for (size_t i = 0; i < VRRP_PEERS_MAX; i++) {
        if (m->serving_until_ns[i] > latest)
            latest = m->serving_until_ns[i];
    }
    return latest;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t vrrp_machine_deadline(const struct vrrp_machine *m)
{
    if (m->state == VRRP_BACKUP)
        return m->down_at_ns;
    if (m->state != VRRP_ACTIVE)
        return VRRP_NEVER;
    uint64_t at = earlier(m->advert_at_ns, earlier(m->announce_at_ns, m->link_until_ns));
    return m->is_leaving ? earlier(at, m->leave_until_ns) : at;
}

/* ---- actions ----------------------------------------------------------------------------------*/

static struct vrrp_action *act(const struct step *s, enum vrrp_action_kind kind)
{
    assert(s->actions->n < VRRP_ACTIONS_MAX);
    struct vrrp_action *action = &s->actions->items[s->actions->n++];
    *action = (struct vrrp_action){.kind = kind};
    return action;
}

static void send_advert(const struct step *s)
{
    struct vrrp_machine *m = s->m;
    act(s, VRRP_DO_ADVERT)->priority =
        m->is_leaving ? VRRP_PRIORITY_RESIGN : vrrp_machine_priority(m);
    m->sent_ns = s->now_ns;
    m->advert_at_ns = s->now_ns + m->policy.interval_ns;
}

static void announce_when_due(const struct step *s)
{
    static const unsigned burst_ms[VRRP_BURST] = {0, 50, 200, 1000, 5000};
    struct vrrp_machine *m = s->m;
    if (s->now_ns < m->announce_at_ns)
        return;
    act(s, VRRP_DO_ANNOUNCE);
    m->n_announced++;
    if (m->n_announced < VRRP_BURST && has_rule(m, VRRP_RULE_BURST))
        m->announce_at_ns = m->burst_ns + burst_ms[m->n_announced] * NS_PER_MS;
    else if (m->policy.refresh_ns > 0 && has_rule(m, VRRP_RULE_REFRESH))
        m->announce_at_ns = s->now_ns + m->policy.refresh_ns;
    else
        m->announce_at_ns = VRRP_NEVER;
}

static void begin_burst(const struct step *s, uint64_t at_ns)
{
    s->m->burst_ns = s->m->announce_at_ns = at_ns;
    s->m->n_announced = 0;
    announce_when_due(s);
}

/*
 * Somebody else may have been believed to have the address. Several may lose at the same time, and
 * each is answered at once; a node that never gives in makes no flood of it.
 */
static void suspect(const struct step *s)
{
    struct vrrp_machine *m = s->m;
    if (m->is_leaving || !has_rule(m, VRRP_RULE_SUSPECT))
        return;
    if (s->now_ns - m->suspicions_ns >= SUSPICIONS_MS * NS_PER_MS) {
        m->suspicions_ns = s->now_ns;
        m->n_suspicions = 0;
    }
    if (m->n_suspicions == SUSPICIONS_MAX) {
        begin_burst(s, m->suspicions_ns + SUSPICIONS_MS * NS_PER_MS);
        return;
    }
    m->n_suspicions++;
    begin_burst(s, s->now_ns);
}

static void release(const struct step *s)
{
    if (!s->m->is_holding)
        return;
    s->m->is_holding = false;
    act(s, VRRP_DO_RELEASE);
}

/* The one place where the state changes. */
static void move(const struct step *s, enum vrrp_state to, enum vrrp_reason reason)
{
    struct vrrp_machine *m = s->m;
    enum vrrp_state from = m->state;
    assert(from != to);
    release(s);
    m->state = to;
    m->reason = reason;
    m->since_ns = s->now_ns;
    m->is_leaving = m->is_late = false;
    m->link_until_ns = m->announce_at_ns = m->advert_at_ns = m->down_at_ns = VRRP_NEVER;
    m->worse_ns = m->worse_heard_ns = 0;
    if (from == VRRP_ACTIVE)
        act(s, VRRP_DO_REMOVE);
    struct vrrp_action *action = act(s, VRRP_DO_MOVE);
    action->from = from;
    action->to = to;
    action->reason = reason;
}

static void arm_down(const struct step *s, uint64_t wait_ns, enum vrrp_reason why)
{
    s->m->down_at_ns = s->now_ns + wait_ns;
    s->m->down_why = why;
}

/*
 * RFC 9568 section 6.4.2 has the advertisement first, so that of several that saw the silence but
 * one goes on. Where the Active still serves, clients first learn where they will be served next.
 */
static void take(const struct step *s, enum vrrp_reason why)
{
    bool is_planned = why == VRRP_WHY_RESIGNED || why == VRRP_WHY_PREEMPTS;
    move(s, VRRP_ACTIVE, why);
    if (!is_planned)
        send_advert(s);
    act(s, VRRP_DO_ADD);
    begin_burst(s, s->now_ns);
    if (is_planned)
        send_advert(s);
}

static void become_backup(const struct step *s, enum vrrp_reason why)
{
    s->m->learnt_ns = s->m->policy.interval_ns;
    move(s, VRRP_BACKUP, why);
    arm_down(s, down_ns(s->m), VRRP_WHY_SILENCE);
}

/* Has lost the address for all it knows: whoever took over is heard within an interval. */
static void listen_first(const struct step *s)
{
    become_backup(s, VRRP_WHY_STALLED);
    arm_down(s, s->m->policy.interval_ns + skew_ns(s->m), VRRP_WHY_STALLED);
    act(s, VRRP_DO_ASK);
}

/* ---- planned moves ----------------------------------------------------------------------------*/

static void left(const struct step *s)
{
    enum vrrp_reason why = s->m->leave_why;
    if (why == VRRP_WHY_STOPPED)
        move(s, VRRP_INITIALIZE, why);
    else
        become_backup(s, why);
}

static void leave(const struct step *s, enum vrrp_reason why)
{
    struct vrrp_machine *m = s->m;
    m->leave_why = why;
    m->leave_again_ns = s->now_ns + LEAVES_EACH * leave_limit_ns(m);
    if (m->is_leaving)
        return;
    m->is_leaving = true;
    m->leave_until_ns = s->now_ns + leave_limit_ns(m);
    m->announce_at_ns = VRRP_NEVER; /* or clients would take it for the other's successor */
    send_advert(s);
    if (!has_rule(m, VRRP_RULE_MAKE_FIRST))
        left(s);
}

/* Nobody took over. Who was told to stop stops, else better this node than none. */
static void leave_in_vain(const struct step *s)
{
    if (s->m->leave_why == VRRP_WHY_STOPPED) {
        left(s);
        return;
    }
    s->m->is_leaving = false;
    send_advert(s);
    suspect(s);
}

/* ---- time -------------------------------------------------------------------------------------*/

static void time_active(const struct step *s)
{
    struct vrrp_machine *m = s->m;
    if (s->now_ns >= m->link_until_ns) {
        move(s, VRRP_INITIALIZE, VRRP_WHY_LINK_DOWN);
        return;
    }
    if (m->is_leaving && s->now_ns >= m->leave_until_ns) {
        leave_in_vain(s);
        return;
    }
    if (s->now_ns >= m->advert_at_ns)
        send_advert(s);
    announce_when_due(s);
}

/* What the end of the down timer means, if it is not the Active's silence. */
static enum vrrp_reason down_reason(const struct step *s)
{
    const struct vrrp_machine *m = s->m;
    if (m->down_why == VRRP_WHY_RESIGNED)
        return VRRP_WHY_RESIGNED;
    bool is_worse_there = m->worse_heard_ns && s->now_ns - m->worse_heard_ns < down_ns(m);
    return is_worse_there ? VRRP_WHY_PREEMPTS : m->down_why;
}

static void hold(const struct step *s)
{
    s->m->down_at_ns = serving_until_ns(s->m);
    if (s->m->is_holding)
        return;
    s->m->is_holding = true;
    act(s, VRRP_DO_HOLD);
}

static void time_backup(const struct step *s)
{
    struct vrrp_machine *m = s->m;
    if (s->now_ns < m->down_at_ns)
        return;
    bool is_overdue = s->now_ns - m->down_at_ns > m->learnt_ns;
    if (is_overdue && !m->is_late && has_rule(m, VRRP_RULE_LATE)) {
        m->is_late = true;
        m->down_at_ns = s->now_ns + m->learnt_ns * LISTEN_PARTS_OF_4 / 4;
        return;
    }
    enum vrrp_reason why = down_reason(s);
    bool is_silence = why != VRRP_WHY_RESIGNED && why != VRRP_WHY_PREEMPTS;
    if (is_silence && serving_until_ns(m) > s->now_ns && has_rule(m, VRRP_RULE_HOLD)) {
        hold(s);
        return;
    }
    take(s, m->is_holding ? VRRP_WHY_HOLD_OVER : why);
}

static void on_time(const struct step *s)
{
    if (s->m->state == VRRP_ACTIVE)
        time_active(s);
    else if (s->m->state == VRRP_BACKUP)
        time_backup(s);
}

/* ---- advertisements ---------------------------------------------------------------------------*/

/* Whether a worse Active is to be ignored until the down timer ends (RFC 9568 section 6.4.2). */
static bool may_preempt(const struct step *s)
{
    const struct vrrp_machine *m = s->m;
    if (m->is_yielding)
        return false;
    if (!m->is_preempting && !m->policy.is_owner && has_rule(m, VRRP_RULE_NO_PREEMPT))
        return false;
    return !has_rule(m, VRRP_RULE_DELAY) || s->now_ns - m->worse_ns >= m->policy.preempt_delay_ns;
}

/* It is the advertisement of the one that is Active. */
static void follow(const struct step *s, const struct vrrp_event *advert)
{
    if (has_rule(s->m, VRRP_RULE_LEARN))
        s->m->learnt_ns = advert->interval_ns;
    arm_down(s, down_ns(s->m), VRRP_WHY_SILENCE);
}

static void advert_backup(const struct step *s, const struct vrrp_event *advert)
{
    struct vrrp_machine *m = s->m;
    release(s);
    m->is_late = false;
    if (advert->priority == VRRP_PRIORITY_RESIGN) {
        if (has_rule(m, VRRP_RULE_RESIGN))
            arm_down(s, skew_ns(m), VRRP_WHY_RESIGNED);
        return;
    }
    bool is_worse = advert->priority < vrrp_machine_priority(m);
    m->worse_ns = !is_worse ? 0 : m->worse_ns ? m->worse_ns : s->now_ns;
    m->worse_heard_ns = 0;
    if (is_worse && may_preempt(s)) {
        m->worse_heard_ns = s->now_ns;
        return;
    }
    follow(s, advert);
}

/* Another is Active and stays it. */
static void lose(const struct step *s, const struct vrrp_event *advert, enum vrrp_reason why)
{
    uint8_t priority = vrrp_machine_priority(s->m);
    become_backup(s, why);
    follow(s, advert);
    if (has_rule(s->m, VRRP_RULE_PART))
        act(s, VRRP_DO_ADVERT)->priority = priority;
}

/* RFC 9568 section 6.4.3. */
static void advert_active(const struct step *s, const struct vrrp_event *advert)
{
    struct vrrp_machine *m = s->m;
    uint8_t priority = vrrp_machine_priority(m);
    int order = vrrp_ip_compare(&advert->source, &m->policy.source);
    if (order == 0)
        return; /* our own, or two of us: to answer would never end */
    if (m->is_leaving) {
        if (advert->priority == VRRP_PRIORITY_RESIGN)
            return;
        left(s);
        if (m->state == VRRP_BACKUP)
            follow(s, advert);
        return;
    }
    if (advert->priority > priority) {
        lose(s, advert, VRRP_WHY_OUTRANKED);
    } else if (advert->priority == priority && order > 0 && has_rule(m, VRRP_RULE_TIE)) {
        lose(s, advert, VRRP_WHY_TIE);
    } else {
        if (has_rule(m, VRRP_RULE_ANSWER))
            send_advert(s);
        suspect(s);
    }
}

static void on_advert(const struct step *s, const struct vrrp_event *advert)
{
    if (s->m->state == VRRP_ACTIVE)
        advert_active(s, advert);
    else if (s->m->state == VRRP_BACKUP)
        advert_backup(s, advert);
}

/* ---- what this node is told -------------------------------------------------------------------*/

/* RFC 9568 section 6.4.1. */
static void begin(const struct step *s, enum vrrp_reason why)
{
    if (!s->m->is_linked)
        return;
    if (s->m->policy.is_owner && !s->m->is_yielding && has_rule(s->m, VRRP_RULE_OWNER))
        take(s, VRRP_WHY_OWNER);
    else
        become_backup(s, why);
}

static void on_start(const struct step *s)
{
    assert(!s->m->is_started);
    s->m->is_started = true;
    act(s, VRRP_DO_REMOVE);
    begin(s, VRRP_WHY_STARTED);
}

static void on_adopt(const struct step *s, uint64_t age_ns)
{
    struct vrrp_machine *m = s->m;
    if (!m->is_linked || !has_rule(m, VRRP_RULE_ADOPT)) {
        on_start(s);
        return;
    }
    assert(!m->is_started);
    m->is_started = true;
    if (age_ns > patience_ns(m) && has_rule(m, VRRP_RULE_STALL)) {
        act(s, VRRP_DO_REMOVE);
        listen_first(s);
    } else {
        take(s, VRRP_WHY_ADOPTED);
    }
}

static void on_stop(const struct step *s, bool is_now)
{
    struct vrrp_machine *m = s->m;
    m->is_started = false;
    if (m->state == VRRP_BACKUP) {
        move(s, VRRP_INITIALIZE, VRRP_WHY_STOPPED);
    } else if (m->state == VRRP_ACTIVE) {
        leave(s, VRRP_WHY_STOPPED);
        if (is_now && m->state == VRRP_ACTIVE)
            left(s);
    }
}

static void on_priority(const struct step *s, uint8_t priority, bool is_preempting)
{
    struct vrrp_machine *m = s->m;
    uint8_t before = vrrp_machine_priority(m);
    assert(priority > 0 && priority < VRRP_PRIORITY_OWNER);
    m->priority = priority;
    m->is_preempting = is_preempting;
    if (vrrp_machine_is_serving(m) && vrrp_machine_priority(m) != before)
        send_advert(s);
}

static void on_yield(const struct step *s)
{
    s->m->is_yielding = true;
    if (vrrp_machine_is_serving(s->m))
        leave(s, VRRP_WHY_YIELDED);
}

static void on_return(const struct step *s)
{
    struct vrrp_machine *m = s->m;
    if (!m->is_yielding)
        return;
    m->is_yielding = false;
    if (m->state == VRRP_BACKUP && m->policy.is_owner && has_rule(m, VRRP_RULE_OWNER))
        take(s, VRRP_WHY_OWNER);
    else if (vrrp_machine_is_serving(m))
        send_advert(s);
}

static bool is_valid(const struct vrrp_policy *policy)
{
    return policy->interval_ns > 0 && (policy->version == 2 || policy->version == 3);
}

/* Peers learn the interval from the next advertisement, so a shorter one begins with one. */
static void on_policy(const struct step *s, const struct vrrp_policy *policy)
{
    assert(is_valid(policy));
    s->m->policy = *policy;
    if (s->m->state == VRRP_ACTIVE)
        send_advert(s);
}

static void on_link_down(const struct step *s)
{
    struct vrrp_machine *m = s->m;
    if (!m->is_linked || !has_rule(m, VRRP_RULE_LINK))
        return;
    m->is_linked = false;
    if (m->state == VRRP_BACKUP)
        move(s, VRRP_INITIALIZE, VRRP_WHY_LINK_DOWN);
    else if (m->state == VRRP_ACTIVE)
        m->link_until_ns = s->now_ns + patience_ns(m);
}

static void on_link_up(const struct step *s)
{
    struct vrrp_machine *m = s->m;
    m->is_linked = true;
    m->link_until_ns = VRRP_NEVER;
    if (m->state == VRRP_ACTIVE) {
        send_advert(s);
        suspect(s);
    } else if (m->state == VRRP_INITIALIZE && m->is_started) {
        begin(s, VRRP_WHY_LINK_UP);
    }
}

static void on_peer(const struct step *s, const struct vrrp_event *event)
{
    struct vrrp_machine *m = s->m;
    assert(event->peer < VRRP_PEERS_MAX);
    uint64_t *until_ns = &m->serving_until_ns[event->peer];
    bool was_serving = *until_ns > 0;
    *until_ns = event->is_serving ? s->now_ns + event->fresh_ns : 0;
    if (vrrp_machine_is_serving(m)) {
        if (was_serving && !event->is_serving)
            suspect(s);
        if (event->is_better && s->now_ns >= m->leave_again_ns && has_rule(m, VRRP_RULE_BETTER))
            leave(s, VRRP_WHY_PEER_BETTER);
    } else if (m->is_holding && serving_until_ns(m) <= s->now_ns) {
        take(s, VRRP_WHY_HOLD_OVER);
    }
}

/* ---- the step ---------------------------------------------------------------------------------*/

void vrrp_machine_init(struct vrrp_machine *machine, const struct vrrp_policy *policy,
                       uint8_t priority, bool is_preempting)
{
    assert(is_valid(policy));
    assert(policy->is_owner || (priority > 0 && priority < VRRP_PRIORITY_OWNER));
    *machine = (struct vrrp_machine){
        .policy = *policy,
        .priority = priority,
        .is_preempting = is_preempting,
        .is_linked = true,
        .learnt_ns = policy->interval_ns,
        .advert_at_ns = VRRP_NEVER,
        .down_at_ns = VRRP_NEVER,
        .announce_at_ns = VRRP_NEVER,
        .link_until_ns = VRRP_NEVER,
    };
}

/* An Active's own sleep: longer than the peers wait, or long enough that they may doubt. */
static void notice_sleep(const struct step *s)
{
    struct vrrp_machine *m = s->m;
    uint64_t quiet_ns = s->now_ns - m->sent_ns;
    if (m->state != VRRP_ACTIVE || quiet_ns <= 2 * m->policy.interval_ns)
        return;
    if (quiet_ns <= patience_ns(m) || !has_rule(m, VRRP_RULE_STALL))
        suspect(s);
    else if (m->is_leaving)
        left(s);
    else
        listen_first(s);
}

void vrrp_machine_step(struct vrrp_machine *machine, const struct vrrp_event *event,
                       uint64_t now_ns, struct vrrp_actions *ret_actions)
{
    const struct step step = {machine, now_ns, ret_actions};
    const struct step *s = &step;
    assert(now_ns >= machine->now_ns);
    ret_actions->n = 0;
    notice_sleep(s);
    switch (event->kind) {
    case VRRP_EVENT_START:
        on_start(s);
        break;
    case VRRP_EVENT_ADOPT:
        on_adopt(s, event->age_ns);
        break;
    case VRRP_EVENT_STOP:
        on_stop(s, false);
        break;
    case VRRP_EVENT_STOP_NOW:
        on_stop(s, true);
        break;
    case VRRP_EVENT_ADVERT:
        on_advert(s, event);
        break;
    case VRRP_EVENT_TIME:
        on_time(s);
        break;
    case VRRP_EVENT_PRIORITY:
        on_priority(s, event->priority, event->is_preempting);
        break;
    case VRRP_EVENT_YIELD:
        on_yield(s);
        break;
    case VRRP_EVENT_RETURN:
        on_return(s);
        break;
    case VRRP_EVENT_POLICY:
        on_policy(s, event->policy);
        break;
    case VRRP_EVENT_LINK_DOWN:
        on_link_down(s);
        break;
    case VRRP_EVENT_LINK_UP:
        on_link_up(s);
        break;
    case VRRP_EVENT_PEER:
        on_peer(s, event);
        break;
    }
    machine->now_ns = now_ns;
}
