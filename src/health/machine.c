/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The state machine of a member's checks.
 */

#include "health/machine.h"

#include <assert.h>

enum { NS_PER_MS = 1000000, JITTER_SHARE = 10 };

void machine_init(struct machine *machine, const struct machine_rules *rules, uint64_t due_ns)
{
    assert(rules->every_ns > 0 && rules->fall > 0 && rules->rise > 0);
    *machine = (struct machine){
        .rules = *rules,
        .state = MACHINE_UNKNOWN,
        .due_ns = due_ns,
        .is_fresh = true,
    };
}

void machine_adopt(struct machine *machine, const struct machine_rules *rules,
                   enum machine_state state, uint64_t now_ns, struct rng *rng)
{
    assert(state != MACHINE_UNKNOWN);
    machine_init(machine, rules, now_ns + rng_below(rng, rules->every_ns));
    machine->state = state;
    machine->is_fresh = false;
    machine->has_own_phase = true;
}

void machine_set_rules(struct machine *machine, const struct machine_rules *rules, uint64_t now_ns)
{
    assert(rules->every_ns > 0 && rules->fall > 0 && rules->rise > 0);
    machine->rules = *rules;
    if (machine->due_ns > now_ns + rules->every_ns)
        machine->due_ns = now_ns + rules->every_ns;
}

void machine_renew(struct machine *machine, uint64_t now_ns)
{
    assert(!machine->is_running);
    machine->n_row = 0;
    machine->is_fresh = true;
    machine->is_suspect = false;
    machine->due_ns = now_ns;
}

void machine_begin(struct machine *machine, uint64_t now_ns)
{
    assert(!machine->is_running);
    machine->is_running = true;
    machine->is_nudged = false;
    machine->begun_ns = now_ns;
}

void machine_cancel(struct machine *machine, uint64_t now_ns)
{
    assert(machine->is_running);
    machine->is_running = false;
    machine->due_ns = now_ns;
}

uint64_t machine_suspect_ns(const struct machine *machine)
{
    uint64_t every_ns = machine->rules.every_ns;
    uint64_t least_ns = (uint64_t)MACHINE_SUSPECT_MIN_MS * NS_PER_MS;
    uint64_t suspect_ns = every_ns / MACHINE_SUSPECT_SHARE;
    if (suspect_ns < least_ns)
        suspect_ns = least_ns;
    return suspect_ns < every_ns ? suspect_ns : every_ns;
}

/* 0.9 to 1.1 of it. */
static uint64_t jittered(uint64_t wait_ns, struct rng *rng)
{
    uint64_t part_ns = wait_ns / JITTER_SHARE;
    return wait_ns - part_ns + rng_below(rng, 2 * part_ns + 1);
}

/* How long after its beginning the last check is followed by the next. */
static uint64_t interval_ns(struct machine *machine, struct rng *rng)
{
    /* One that is not judged yet, because its first check said nothing, waits no whole interval. */
    if (machine->is_suspect || machine->is_fresh)
        return machine_suspect_ns(machine);
    if (!machine->has_own_phase) {
        machine->has_own_phase = true;
        return rng_below(rng, machine->rules.every_ns) + 1;
    }
    return jittered(machine->rules.every_ns, rng);
}

static void schedule(struct machine *machine, uint64_t now_ns, struct rng *rng)
{
    uint64_t due_ns = machine->begun_ns + interval_ns(machine, rng);
    machine->due_ns = due_ns > now_ns ? due_ns : now_ns;
}

/* How many results against the state it takes to change it. */
static uint32_t needed(const struct machine *machine)
{
    if (machine->is_fresh)
        return 1;
    return machine->state == MACHINE_UP ? machine->rules.fall : machine->rules.rise;
}

uint64_t machine_turn_ns(const struct machine *machine)
{
    if (machine->is_fresh)
        return 0;
    uint64_t wait_ns = machine->is_suspect ? machine_suspect_ns(machine) : machine->rules.every_ns;
    return (needed(machine) - machine->n_row) * wait_ns;
}

/* The only place where the state changes. */
static void judge(struct machine *machine, enum machine_state to, struct machine_step *step)
{
    uint32_t n_needed = needed(machine);
    machine->is_fresh = false;
    if (to == machine->state) {
        machine->n_row = 0;
        return;
    }
    if (++machine->n_row < n_needed)
        return;
    *step = (struct machine_step){
        .has_changed = true, .from = machine->state, .to = to, .n_results = n_needed};
    machine->state = to;
    machine->n_row = 0;
}

struct machine_step machine_result(struct machine *machine, enum machine_verdict verdict,
                                   uint64_t now_ns, struct rng *rng)
{
    assert(machine->is_running);
    struct machine_step step = {.from = machine->state, .to = machine->state};
    machine->is_running = false;
    if (verdict != MACHINE_NOTHING)
        judge(machine, verdict == MACHINE_GOOD ? MACHINE_UP : MACHINE_DOWN, &step);
    if (machine->state != MACHINE_UP || (verdict == MACHINE_GOOD && !machine->is_nudged))
        machine->is_suspect = false;
    schedule(machine, now_ns, rng);
    return step;
}

bool machine_nudge(struct machine *machine, uint64_t now_ns)
{
    if (machine->state != MACHINE_UP)
        return false;
    machine->is_suspect = true;
    if (machine->is_running) {
        machine->is_nudged = true;
        return false;
    }
    /* Checks that stay good while the edges complain do not become more than a suspect's. */
    uint64_t due_ns = now_ns;
    if (machine->begun_ns && machine->begun_ns + machine_suspect_ns(machine) > now_ns)
        due_ns = machine->begun_ns + machine_suspect_ns(machine);
    if (due_ns >= machine->due_ns)
        return false;
    machine->due_ns = due_ns;
    return true;
}
