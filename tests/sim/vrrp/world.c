/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The simulated world of a floating address.
 */

#include "world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PPM = 1000000, BEATS_FRESH = 3, BETTER_BY = 10, LIFE_INTERVALS = 5 };

enum occurrence_kind { TICK, ARRIVE, HEAR, BEAT, WAKE, EXPIRE };

struct occurrence {
    uint64_t at;
    uint64_t id; /* the order of what happens at the same time */
    enum occurrence_kind kind;
    unsigned node;
    uint64_t tick_id;
    struct message message;
};

static void beat(struct world *world, unsigned from);

/* ---- chance, failures -------------------------------------------------------------------------*/

uint64_t world_draw(struct world *world, uint64_t lowest, uint64_t highest)
{
    return lowest + rng_below(&world->rng, highest - lowest + 1);
}

bool world_chance(struct world *world, unsigned ppm)
{
    return rng_below(&world->rng, PPM) < ppm;
}

void world_fail(struct world *world, const char *format, ...)
{
    if (world->failure[0])
        return;
    va_list args;
    va_start(args, format);
    int n = snprintf(world->failure, sizeof(world->failure),
                     "at %.3f ms: ", (double)world->now / (double)MS);
    (void)vsnprintf(world->failure + n, sizeof(world->failure) - (size_t)n, format, args);
    va_end(args);
}

static void tell_story(const struct world *world, unsigned node, const char *what, unsigned number)
{
    if (world->is_verbose)
        printf("%12.3f ms  node %u  %s %u\n", (double)world->now / (double)MS, node, what, number);
}

/* ---- what is to happen ------------------------------------------------------------------------*/

static bool is_before(const struct occurrence *a, const struct occurrence *b)
{
    return a->at < b->at || (a->at == b->at && a->id < b->id);
}

static void push(struct world *world, struct occurrence occurrence)
{
    if (world->n_heap == world->cap_heap) {
        world->cap_heap = world->cap_heap ? world->cap_heap * 2 : 256;
        world->heap = realloc(world->heap, world->cap_heap * sizeof(*world->heap));
        if (!world->heap)
            abort();
    }
    assert(occurrence.at >= world->now);
    occurrence.id = ++world->n_pushed;
    size_t i = world->n_heap++;
    for (size_t up; i > 0; i = up) {
        up = (i - 1) / 2;
        if (!is_before(&occurrence, &world->heap[up]))
            break;
        world->heap[i] = world->heap[up];
    }
    world->heap[i] = occurrence;
}

static struct occurrence pop(struct world *world)
{
    struct occurrence first = world->heap[0];
    struct occurrence last = world->heap[--world->n_heap];
    size_t i = 0;
    for (size_t down; (down = 2 * i + 1) < world->n_heap; i = down) {
        if (down + 1 < world->n_heap && is_before(&world->heap[down + 1], &world->heap[down]))
            down++;
        if (!is_before(&world->heap[down], &last))
            break;
        world->heap[i] = world->heap[down];
    }
    world->heap[i] = last;
    return first;
}

/* ---- clocks -----------------------------------------------------------------------------------*/

static uint64_t clock_of(const struct node *node, uint64_t at)
{
    return (uint64_t)((int64_t)(node->offset_ns + at) + (int64_t)at / PPM * node->drift_ppm +
                      (int64_t)at % PPM * node->drift_ppm / PPM);
}

/* The first moment of the world at which the node's clock shows `local` or more. */
static uint64_t moment_of(const struct node *node, uint64_t local)
{
    double since = (double)(local - node->offset_ns);
    uint64_t at = (uint64_t)(since * PPM / (double)(PPM + node->drift_ppm));
    at -= at > 10 * US ? 10 * US : at; /* a double is not exact */
    while (clock_of(node, at) < local)
        at += 1 + (local - clock_of(node, at)) / 2;
    return at;
}

static void schedule_tick(struct world *world, unsigned index)
{
    struct node *node = &world->nodes[index];
    uint64_t local = vrrp_machine_deadline(&node->machine);
    node->tick_id++;
    if (local == VRRP_NEVER)
        return;
    uint64_t at = moment_of(node, local);
    at = (at > world->now ? at : world->now) + world_draw(world, 0, world->late_max);
    push(world,
         (struct occurrence){.at = at, .kind = TICK, .node = index, .tick_id = node->tick_id});
}

/* ---- the network ------------------------------------------------------------------------------*/

static void forget_pair(struct world *world, unsigned a, unsigned b)
{
    world->passed_at[a][b] = world->passed_at[b][a] = 0;
}

static bool is_through(struct world *world, unsigned from, unsigned to, bool is_beat)
{
    if (is_beat)
        return !world->is_beat_blocked[from][to] && !world_chance(world, world->loss_ppm);
    if (world->is_blocked[from][to] || !world->nodes[from].is_linked ||
        !world->nodes[to].is_linked || world_chance(world, world->loss_ppm)) {
        forget_pair(world, from, to);
        return false;
    }
    return true;
}

static uint64_t arrival_of(struct world *world, unsigned from, unsigned to)
{
    uint64_t at = world->now + world_draw(world, world->delay_min, world->delay_max);
    uint64_t *last = &world->arrived_at[from][to];
    if (!world->is_shuffled && at <= *last)
        at = *last + 1;
    *last = at;
    return at;
}

static void post(struct world *world, unsigned from, struct message message)
{
    for (unsigned to = 0; to < world->n_nodes; to++) {
        unsigned n = 1 + world_chance(world, world->twice_ppm);
        for (unsigned i = 0; i < n && to != from; i++) {
            if (is_through(world, from, to, message.is_beat))
                push(world, (struct occurrence){.at = arrival_of(world, from, to),
                                                .kind = ARRIVE,
                                                .node = to,
                                                .message = message});
        }
    }
}

/* ---- a step of a machine ----------------------------------------------------------------------*/

static bool is_active(const struct node *node)
{
    return node->is_running && node->machine.state == VRRP_ACTIVE;
}

static void moved(struct world *world, unsigned index, const struct vrrp_action *action)
{
    struct node *node = &world->nodes[index];
    node->n_moves++;
    node->moved_at = world->now;
    if (action->to == VRRP_ACTIVE) {
        node->n_takes++;
        node->took_at = world->now;
        node->n_announced = 0;
    }
    if (world->is_verbose)
        printf("%12.3f ms  node %u  %s: %s\n", (double)world->now / (double)MS, index,
               vrrp_state_name(action->to), vrrp_reason_text(action->reason));
}

static void perform(struct world *world, unsigned index, const struct vrrp_action *action)
{
    struct node *node = &world->nodes[index];
    switch (action->kind) {
    case VRRP_DO_ADVERT:
        if (action->priority == VRRP_PRIORITY_RESIGN)
            tell_story(world, index, "says priority", 0);
        node->life_until = world->now + LIFE_INTERVALS * node->policy.interval_ns;
        post(world, index,
             (struct message){.from = index,
                              .priority = action->priority,
                              .interval_ns = node->policy.interval_ns});
        break;
    case VRRP_DO_ADD:
    case VRRP_DO_REMOVE:
        node->has_address = action->kind == VRRP_DO_ADD;
        break;
    case VRRP_DO_ANNOUNCE:
        node->n_announced++;
        if (node->is_linked && !world->is_deaf)
            push(world, (struct occurrence){
                            .at = arrival_of(world, index, index), .kind = HEAR, .node = index});
        break;
    case VRRP_DO_HOLD:
    case VRRP_DO_RELEASE:
        node->is_alarmed = action->kind == VRRP_DO_HOLD;
        node->n_alarms += node->is_alarmed;
        break;
    case VRRP_DO_MOVE:
        moved(world, index, action);
        break;
    case VRRP_DO_ASK:
        break;
    }
}

static void step(struct world *world, unsigned index, const struct vrrp_event *event)
{
    struct node *node = &world->nodes[index];
    struct vrrp_actions actions = {.n = 0};
    bool was_serving = vrrp_machine_is_serving(&node->machine);
    vrrp_machine_step(&node->machine, event, clock_of(node, world->now), &actions);
    node->stepped_at = world->now;
    if (node->machine.is_leaving)
        node->took_at = world->now; /* quiet for now; if it stays, it begins anew */
    for (size_t i = 0; i < actions.n; i++)
        perform(world, index, &actions.items[i]);
    world_want(world, node->has_address == is_active(node), "node %u is %s and %s the address",
               index, vrrp_state_name(node->machine.state), node->has_address ? "has" : "has not");
    if (was_serving != vrrp_machine_is_serving(&node->machine) && world->beat_every)
        beat(world, index);
    for (unsigned other = 0; other < world->n_nodes && !is_active(node); other++)
        forget_pair(world, index, other);
    schedule_tick(world, index);
}

/* ---- what happens -----------------------------------------------------------------------------*/

static void beat(struct world *world, unsigned from)
{
    const struct node *node = &world->nodes[from];
    const struct vrrp_machine *machine = &node->machine;
    post(world, from,
         (struct message){.from = from,
                          .is_beat = true,
                          .priority = vrrp_machine_priority(machine),
                          .is_serving = vrrp_machine_is_serving(machine) && node->is_linked,
                          .is_standby = machine->state == VRRP_BACKUP && !machine->is_yielding});
}

static void take_message(struct world *world, unsigned to, const struct message *message)
{
    struct node *node = &world->nodes[to];
    struct node *from = &world->nodes[message->from];
    uint8_t own = vrrp_machine_priority(&node->machine);
    struct vrrp_event event = {.kind = message->is_beat ? VRRP_EVENT_PEER : VRRP_EVENT_ADVERT,
                               .priority = message->priority,
                               .interval_ns = message->interval_ns,
                               .source = from->policy.source,
                               .peer = (uint8_t)message->from,
                               .is_serving = message->is_serving,
                               .fresh_ns = BEATS_FRESH * world->beat_every};
    event.is_better = message->is_standby && message->priority > own + BETTER_BY;
    step(world, to, &event);
    bool is_pair = !message->is_beat && message->priority > 0 && is_active(node) &&
                   is_active(from) && !from->is_paused;
    if (is_pair && !world->passed_at[to][message->from])
        world->passed_at[to][message->from] = world->passed_at[message->from][to] = world->now;
}

static void arrive(struct world *world, unsigned to, const struct message *message)
{
    struct node *node = &world->nodes[to];
    if (!node->is_running)
        return;
    if (!node->is_paused) {
        take_message(world, to, message);
    } else if (node->n_inbox < WORLD_INBOX_MAX) {
        node->inbox[node->n_inbox++] = *message;
    }
}

static void tick(struct world *world, unsigned index)
{
    static const struct vrrp_event event = {.kind = VRRP_EVENT_TIME};
    step(world, index, &event);
}

/* Of what it missed, time or its socket may come first. */
static void wake(struct world *world, unsigned index)
{
    struct node *node = &world->nodes[index];
    node->is_paused = false;
    node->took_at = world->now;
    tell_story(world, index, "wakes, messages:", (unsigned)node->n_inbox);
    if (node->machine.is_linked != node->is_linked)
        world_tell(world, index, node->is_linked ? VRRP_EVENT_LINK_UP : VRRP_EVENT_LINK_DOWN);
    if (world_chance(world, PPM / 2))
        tick(world, index);
    for (size_t i = 0; i < node->n_inbox; i++)
        take_message(world, index, &node->inbox[i]);
    node->n_inbox = 0;
    tick(world, index);
}

static void happen(struct world *world, const struct occurrence *what)
{
    struct node *node = &world->nodes[what->node];
    switch (what->kind) {
    case TICK:
        if (node->is_running && !node->is_paused && what->tick_id == node->tick_id)
            tick(world, what->node);
        break;
    case ARRIVE:
        arrive(world, what->node, &what->message);
        break;
    case HEAR:
        world->believed = (int)what->node;
        break;
    case BEAT:
        if (node->is_running && !node->is_paused)
            beat(world, what->node);
        push(world, (struct occurrence){
                        .at = world->now + world->beat_every, .kind = BEAT, .node = what->node});
        break;
    case WAKE:
        if (node->is_running && node->is_paused && what->tick_id == node->tick_id)
            wake(world, what->node);
        break;
    case EXPIRE:
        if (!node->is_running && world->now >= node->life_until)
            node->has_address = false;
        break;
    }
}

/* ---- what must hold ---------------------------------------------------------------------------*/

static void look_at_client(struct world *world)
{
    const struct node *node = world->believed < 0 ? NULL : &world->nodes[world->believed];
    bool is_served = node && node->is_powered && node->is_linked && node->has_address;
    if (world->is_served && !is_served)
        world->unserved_since = world->now;
    if (!world->is_served && is_served)
        world->unserved += world->now - world->unserved_since;
    world->is_served = is_served;
}

static void look_at_pairs(struct world *world)
{
    for (unsigned a = 0; a < world->n_nodes; a++) {
        for (unsigned b = 0; b < a; b++) {
            uint64_t at = world->passed_at[a][b];
            world_want(world, !at || world->now - at <= world->pair_bound,
                       "nodes %u and %u are both Active %.3f ms after a packet passed", b, a,
                       (double)(world->now - at) / (double)MS);
        }
    }
}

/* Five announcements in the first five seconds, whatever comes between. */
static void look_at_bursts(struct world *world)
{
    for (unsigned i = 0; i < world->n_nodes; i++) {
        const struct node *node = &world->nodes[i];
        if (!is_active(node) || node->is_paused)
            continue;
        uint64_t since = world->now - node->took_at;
        unsigned wanted = since > 5300 * MS ? VRRP_BURST : since > 100 * MS;
        world_want(world, node->n_announced >= wanted, "node %u announced itself %u times", i,
                   node->n_announced);
    }
}

void world_run(struct world *world, uint64_t at)
{
    assert(at >= world->now);
    while (world->n_heap > 0 && world->heap[0].at <= at && !world->failure[0]) {
        struct occurrence what = pop(world);
        world->now = what.at;
        happen(world, &what);
        look_at_client(world);
        look_at_pairs(world);
        look_at_bursts(world);
    }
    world->now = at;
}

void world_run_for(struct world *world, uint64_t ns)
{
    world_run(world, world->now + ns);
}

unsigned world_actives(const struct world *world, int *ret_node)
{
    unsigned n = 0;
    *ret_node = -1;
    for (unsigned i = 0; i < world->n_nodes; i++) {
        if (!is_active(&world->nodes[i]))
            continue;
        *ret_node = (int)i;
        n++;
    }
    return n;
}

uint64_t world_unserved(const struct world *world)
{
    return world->unserved + (world->is_served ? 0 : world->now - world->unserved_since);
}

unsigned world_moves(const struct world *world)
{
    unsigned n = 0;
    for (unsigned i = 0; i < world->n_nodes; i++)
        n += world->nodes[i].n_moves;
    return n;
}

/* ---- what is done to it -----------------------------------------------------------------------*/

void world_init(struct world *world, uint64_t seed, unsigned n_nodes, uint64_t interval_ns,
                uint32_t rules_off)
{
    assert(n_nodes >= 2 && n_nodes <= WORLD_NODES_MAX);
    memset(world, 0, sizeof(*world));
    rng_init(&world->rng, seed);
    world->n_nodes = n_nodes;
    world->now = 1 * S;
    world->believed = -1;
    world->unserved_since = world->now;
    world->delay_min = 20 * US;
    world->delay_max = 200 * US;
    world->late_max = 100 * US;
    world->pair_bound = 4 * world->delay_max + 2 * world->late_max;
    for (unsigned i = 0; i < n_nodes; i++) {
        struct node *node = &world->nodes[i];
        node->policy = (struct vrrp_policy){.version = 3,
                                            .interval_ns = interval_ns,
                                            .refresh_ns = 2 * S,
                                            .source = {4, {10, 0, 0, (uint8_t)(i + 1)}},
                                            .rules_off = rules_off};
        node->priority = (uint8_t)(254 - i);
        node->is_preempting = true;
        node->is_linked = true;
        node->drift_ppm = (int64_t)world_draw(world, 0, 400) - 200;
        node->offset_ns = world_draw(world, 1, 1000) * S;
        node->inbox = malloc(WORLD_INBOX_MAX * sizeof(*node->inbox));
        if (!node->inbox)
            abort();
    }
}

void world_deinit(struct world *world)
{
    for (unsigned i = 0; i < world->n_nodes; i++)
        free(world->nodes[i].inbox);
    free(world->heap);
}

static void begin(struct world *world, unsigned index, const struct vrrp_event *event)
{
    struct node *node = &world->nodes[index];
    assert(!node->is_running);
    vrrp_machine_init(&node->machine, &node->policy, node->priority, node->is_preempting);
    node->is_running = true;
    node->is_paused = node->is_alarmed = false;
    node->n_inbox = 0;
    if (!node->is_linked) {
        static const struct vrrp_event down = {.kind = VRRP_EVENT_LINK_DOWN};
        node->has_address = false;
        step(world, index, &down);
    }
    step(world, index, event);
    look_at_client(world);
    if (world->beat_every && !node->is_beating)
        push(world, (struct occurrence){.at = world->now + world_draw(world, 0, world->beat_every),
                                        .kind = BEAT,
                                        .node = index});
    node->is_beating = true;
}

void world_boot(struct world *world, unsigned index)
{
    static const struct vrrp_event start = {.kind = VRRP_EVENT_START};
    tell_story(world, index, "boots, priority", world->nodes[index].priority);
    world->nodes[index].is_powered = true;
    begin(world, index, &start);
}

static void end(struct world *world, unsigned index)
{
    struct node *node = &world->nodes[index];
    node->is_running = false;
    node->tick_id++;
    for (unsigned other = 0; other < world->n_nodes; other++)
        forget_pair(world, index, other);
}

void world_crash(struct world *world, unsigned index)
{
    struct node *node = &world->nodes[index];
    tell_story(world, index, "crashes, priority", node->priority);
    end(world, index);
    node->is_powered = node->has_address = false;
    look_at_client(world);
}

void world_kill(struct world *world, unsigned index)
{
    struct node *node = &world->nodes[index];
    tell_story(world, index, "is killed, priority", node->priority);
    end(world, index);
    uint64_t at = node->life_until > world->now ? node->life_until : world->now;
    push(world, (struct occurrence){.at = at, .kind = EXPIRE, .node = index});
}

void world_respawn(struct world *world, unsigned index)
{
    struct node *node = &world->nodes[index];
    bool was_active = node->machine.state == VRRP_ACTIVE;
    const struct vrrp_event event = {.kind = was_active ? VRRP_EVENT_ADOPT : VRRP_EVENT_START,
                                     .age_ns = world->now - node->stepped_at};
    tell_story(world, index, "is back, was Active:", was_active);
    begin(world, index, &event);
}

void world_pause(struct world *world, unsigned index, uint64_t ns)
{
    struct node *node = &world->nodes[index];
    tell_story(world, index, "pauses, ms:", (unsigned)(ns / MS));
    node->is_paused = true;
    node->tick_id++;
    for (unsigned other = 0; other < world->n_nodes; other++)
        forget_pair(world, index, other);
    push(world, (struct occurrence){
                    .at = world->now + ns, .kind = WAKE, .node = index, .tick_id = node->tick_id});
}

void world_tell(struct world *world, unsigned index, enum vrrp_event_kind kind)
{
    const struct vrrp_event event = {.kind = kind};
    tell_story(world, index, "is told", kind);
    step(world, index, &event);
    look_at_client(world);
}

void world_earn(struct world *world, unsigned index, uint8_t priority)
{
    struct node *node = &world->nodes[index];
    node->priority = priority;
    const struct vrrp_event event = {
        .kind = VRRP_EVENT_PRIORITY, .priority = priority, .is_preempting = node->is_preempting};
    tell_story(world, index, "has earned", priority);
    if (node->is_running && !node->is_paused)
        step(world, index, &event);
}

void world_link(struct world *world, unsigned index, bool is_up)
{
    struct node *node = &world->nodes[index];
    node->is_linked = is_up;
    if (node->is_running && !node->is_paused)
        world_tell(world, index, is_up ? VRRP_EVENT_LINK_UP : VRRP_EVENT_LINK_DOWN);
    for (unsigned other = 0; other < world->n_nodes; other++)
        forget_pair(world, index, other);
    look_at_client(world);
}

void world_part(struct world *world, unsigned a, unsigned b, bool adverts, bool beats)
{
    world->is_blocked[a][b] = world->is_blocked[b][a] = adverts;
    world->is_beat_blocked[a][b] = world->is_beat_blocked[b][a] = beats;
    forget_pair(world, a, b);
}

void world_deafen(struct world *world, bool is_deaf)
{
    world->is_deaf = is_deaf;
}
