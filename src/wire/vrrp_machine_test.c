/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The machine by scripts: what is told to one node, and what it does. A line is
 *
 *     AT EVENT...      {milliseconds} {event} {its words}
 *
 * and what it is to answer: all since the line before, each time in ms behind an @ and its actions
 * behind it; a move is "state:reason". Time passes as its deadlines say up to the line; after the
 * word "late" the node slept until then.
 */

#include "wire/vrrp_machine.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NS_PER_MS UINT64_C(1000000)

enum { OWN_ADDRESS = 100, LINES_MAX = 24, T0_MS = 1000000 };

static const struct script {
    const char *name;
    uint8_t priority;
    bool is_preempting;
    bool is_owner;
    uint8_t version; /* 0: 3 */
    unsigned interval_ms;
    unsigned delay_ms;
    unsigned refresh_ms;
    struct {
        const char *told;
        const char *does;
    } lines[LINES_MAX];
} scripts[] = {
#include "wire/vrrp_machine_scripts.h"
};

static struct vrrp_ip address(unsigned last)
{
    return (struct vrrp_ip){4, {10, 0, 0, (uint8_t)last}};
}

/* The first words of an event are its name, the numbers and words behind it what it carries. */
static struct vrrp_event read_event(const char *words, unsigned interval_ms)
{
    static const struct {
        const char *name;
        enum vrrp_event_kind kind;
    } kinds[] = {
        {"start", VRRP_EVENT_START},     {"adopt", VRRP_EVENT_ADOPT},
        {"stop", VRRP_EVENT_STOP},       {"stop-now", VRRP_EVENT_STOP_NOW},
        {"advert", VRRP_EVENT_ADVERT},   {"time", VRRP_EVENT_TIME},
        {"earned", VRRP_EVENT_PRIORITY}, {"yield", VRRP_EVENT_YIELD},
        {"return", VRRP_EVENT_RETURN},   {"link-down", VRRP_EVENT_LINK_DOWN},
        {"link-up", VRRP_EVENT_LINK_UP}, {"peer", VRRP_EVENT_PEER},
    };
    struct vrrp_event event = {
        .interval_ns = interval_ms * NS_PER_MS, .source = address(200), .is_preempting = true};
    unsigned long numbers[3] = {0, 0, 0};
    words += strspn(words, " ");
    size_t n_name = strcspn(words, " ");
    const char *rest = words + n_name;
    int n = 1;
    for (char *end; n < 4; n++, rest = end) {
        numbers[n - 1] = strtoul(rest, &end, 10);
        if (end == rest)
            break;
    }
    size_t i = 0;
    while (!slice_is(slice_make(words, n_name), kinds[i].name))
        assert_true(++i < sizeof(kinds) / sizeof(kinds[0]));
    event.kind = kinds[i].kind;
    event.priority = (uint8_t)numbers[0]; /* advert PRIORITY [SENDER [INTERVAL]], earned PRIORITY */
    if (event.kind == VRRP_EVENT_ADVERT && n > 2)
        event.source = address((unsigned)numbers[1]);
    if (event.kind == VRRP_EVENT_ADVERT && n > 3)
        event.interval_ns = numbers[2] * NS_PER_MS;
    event.age_ns = numbers[0] * NS_PER_MS; /* adopt AGE */
    event.peer = (uint8_t)numbers[0];      /* peer INDEX FRESH */
    event.fresh_ns = numbers[1] * NS_PER_MS;
    event.is_serving = strstr(words, "serving") != NULL;
    event.is_better = strstr(words, "better") != NULL;
    if (strstr(words, "humble"))
        event.is_preempting = false;
    return event;
}

static void describe(struct text *text, const struct vrrp_actions *actions, uint64_t now_ns)
{
    static const char *const names[] = {"advert:", "add",   "remove",  "announce",
                                        "ask",     "alarm", "release", ""};
    if (actions->n > 0)
        text_printf(text, "%s@%g", text->len ? " " : "",
                    (double)(now_ns - T0_MS * NS_PER_MS) / 1e6);
    for (size_t i = 0; i < actions->n; i++) {
        const struct vrrp_action *action = &actions->items[i];
        text_printf(text, " %s", names[action->kind]);
        if (action->kind == VRRP_DO_ADVERT)
            text_printf(text, "%u", action->priority);
        if (action->kind == VRRP_DO_MOVE)
            text_printf(text, "%s:%s", vrrp_state_name(action->to),
                        vrrp_reason_name(action->reason));
    }
}

static void run_line(struct vrrp_machine *machine, const char *told, unsigned interval_ms,
                     struct text *does)
{
    struct vrrp_actions actions = {.n = 0};
    char *end;
    uint64_t at_ns = (strtoul(told, &end, 10) + T0_MS) * NS_PER_MS;
    bool is_late = strncmp(end, " late", 5) == 0;
    struct vrrp_event event = read_event(is_late ? end + 5 : end, interval_ms);
    static const struct vrrp_event tick = {.kind = VRRP_EVENT_TIME};
    while (!is_late && vrrp_machine_deadline(machine) < at_ns + (event.kind == VRRP_EVENT_TIME)) {
        uint64_t now_ns = vrrp_machine_deadline(machine);
        assert_true(now_ns >= machine->now_ns);
        vrrp_machine_step(machine, &tick, now_ns, &actions);
        describe(does, &actions, now_ns);
    }
    vrrp_machine_step(machine, &event, at_ns, &actions);
    describe(does, &actions, at_ns);
}

/* An address without being Active, or the reverse, is never what a step leaves behind. */
static void run_script(const struct script *script, struct text *differences)
{
    struct vrrp_policy policy = {.version = script->version ? script->version : 3,
                                 .is_owner = script->is_owner,
                                 .interval_ns = script->interval_ms * NS_PER_MS,
                                 .preempt_delay_ns = script->delay_ms * NS_PER_MS,
                                 .refresh_ns = script->refresh_ms * NS_PER_MS,
                                 .source = address(OWN_ADDRESS)};
    struct vrrp_machine machine;
    vrrp_machine_init(&machine, &policy, script->priority, script->is_preempting);
    for (size_t i = 0; i < LINES_MAX && script->lines[i].told; i++) {
        struct text does = TEXT_NONE;
        run_line(&machine, script->lines[i].told, script->interval_ms, &does);
        if (strcmp(text_cstr(&does), script->lines[i].does) != 0)
            text_printf(differences, "%s, at %s:\n  does  %s\n  want  %s\n", script->name,
                        script->lines[i].told, text_cstr(&does), script->lines[i].does);
        text_deinit(&does);
    }
}

static void test_scripts(void **state)
{
    (void)state;
    struct text differences = TEXT_NONE;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        run_script(&scripts[i], &differences);
    if (differences.len > 0)
        (void)fputs(text_cstr(&differences), stderr);
    assert_int_equal(differences.len, 0);
    text_deinit(&differences);
}

/* A reload: a shorter interval is said at once, and is no sleep of the one before. */
static void test_policy(void **state)
{
    (void)state;
    struct vrrp_policy policy = {
        .version = 3, .interval_ns = 1000 * NS_PER_MS, .source = address(OWN_ADDRESS)};
    struct vrrp_machine machine;
    struct vrrp_actions actions = {.n = 0};
    struct text does = TEXT_NONE;
    vrrp_machine_init(&machine, &policy, 192, true);
    run_line(&machine, "0 adopt 10", 1000, &does);
    run_line(&machine, "900 time", 1000, &does);
    policy.interval_ns = 100 * NS_PER_MS;
    policy.is_owner = true;
    const struct vrrp_event event = {.kind = VRRP_EVENT_POLICY, .policy = &policy};
    text_clear(&does);
    vrrp_machine_step(&machine, &event, (T0_MS + 950) * NS_PER_MS, &actions);
    describe(&does, &actions, (T0_MS + 950) * NS_PER_MS);
    run_line(&machine, "1200 time", 1000, &does);
    assert_string_equal(text_cstr(&does),
                        "@950 advert:255 @1000 announce @1050 advert:255 @1150 advert:255");
    text_deinit(&does);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < VRRP_REASONS; i++) {
        assert_true(strlen(vrrp_reason_text((enum vrrp_reason)i)) > 0);
        for (int other = 0; other < i; other++)
            assert_string_not_equal(vrrp_reason_name((enum vrrp_reason)i),
                                    vrrp_reason_name((enum vrrp_reason)other));
    }
    assert_string_equal(vrrp_state_name(VRRP_INITIALIZE), "initialize");
    assert_string_equal(vrrp_state_name(VRRP_ACTIVE), "active");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
