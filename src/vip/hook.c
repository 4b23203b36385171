/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The hooks of a vip, what worker starts for an ask, and when one is repeated.
 */

#include "vip/hook.h"

#include "base/mem.h"
#include "base/text.h"
#include <inttypes.h>
#include <string.h>

enum { NS_PER_MS = 1000000 };

/* ---- a list of them ---- */

static const char *const states[HOOK_STATES] = {[HOOK_ACTIVE] = "active", [HOOK_BACKUP] = "backup"};

const char *hook_state_name(enum hook_state state)
{
    return states[state];
}

const struct hook_conf *hooks_find(const struct conf_list *hooks, enum hook_state state)
{
    for (size_t i = 0; i < hooks->n_items; i++) {
        const struct hook_conf *hook = hooks->items[i];
        if (hook->state == (int)state)
            return hook;
    }
    return NULL;
}

int hooks_check(const struct conf_list *hooks, struct conf_load *load)
{
    int result = 0;
    for (size_t i = 0; i < hooks->n_items; i++) {
        const struct hook_conf *hook = hooks->items[i];
        if (hooks_find(hooks, (enum hook_state)hook->state) != hook)
            result = conf_error(load->diag, conf_where(&hook->object, "STATE"),
                                "let one program start the other",
                                "there is a program for the state %s already",
                                hook_state_name((enum hook_state)hook->state));
    }
    return result;
}

int hooks_programs(const struct conf_list *hooks, program_want_fn *want, void *ctx)
{
    for (size_t i = 0; i < hooks->n_items; i++) {
        const struct hook_conf *hook = hooks->items[i];
        const struct program_want program = {.path = hook->program,
                                             .at = conf_where(&hook->object, "PROGRAM")};
        if (want(ctx, &program) < 0)
            return -1;
    }
    return 0;
}

/* ---- what an ask becomes ---- */

bool hook_is_ask(const struct slice *texts, size_t n_texts, struct slice *ret_vip)
{
    if (n_texts != HOOK_TEXTS || !slice_is(texts[0], HOOK_KIND))
        return false;
    *ret_vip = texts[1];
    return true;
}

static const struct hook_conf *find_named(const struct conf_list *hooks, struct slice state)
{
    for (int i = 0; i < HOOK_STATES; i++) {
        if (slice_is(state, states[i]))
            return hooks_find(hooks, (enum hook_state)i);
    }
    return NULL;
}

int hook_plan(const struct hook_subject *subject, const struct slice *texts, struct arena *arena,
              struct program_plan *ret_plan)
{
    const struct hook_conf *hook = find_named(subject->hooks, texts[2]);
    if (!hook)
        return 1;
    const struct {
        const char *name;
        struct slice value;
    } vars[] = {
        {"WEIR_VIP", slice_from(subject->vip)},
        {"WEIR_ADDRESSES", slice_from(subject->addresses)},
        {"WEIR_INTERFACE", slice_from(subject->interface)},
        {"WEIR_NODE", slice_from(subject->node)},
        {"WEIR_STATE", texts[2]},
        {"WEIR_REASON", texts[3]},
    };
    const char **env = arena_alloc(arena, (ARRAY_LEN(vars) + 2) * sizeof(*env));
    env[0] = PROGRAM_PATH;
    for (size_t i = 0; i < ARRAY_LEN(vars); i++)
        env[i + 1] = arena_printf(arena, "%s=%.*s", vars[i].name, SLICE_ARG(vars[i].value));
    env[ARRAY_LEN(vars) + 1] = NULL;
    *ret_plan = (struct program_plan){
        .path = hook->program.ptr,
        .argv = program_argv(hook->program, &hook->argument_list, arena),
        .env = env,
        .timeout_ns = (uint64_t)hook->timeout_ms * NS_PER_MS,
        .sole = arena_printf(arena, HOOK_KIND ":%s", subject->vip),
    };
    return 0;
}

/* ---- the pace ---- */

int64_t hook_wait_ms(unsigned n_failures, int64_t every_ms)
{
    int64_t wait_ms = HOOK_BACKOFF_MS;
    if (n_failures == 0)
        return every_ms;
    while (--n_failures > 0 && wait_ms < HOOK_BACKOFF_MAX_MS)
        wait_ms *= 2;
    return wait_ms < HOOK_BACKOFF_MAX_MS ? wait_ms : HOOK_BACKOFF_MAX_MS;
}

void hook_describe(const struct program_result *result, int64_t timeout_ms, struct text *out)
{
    program_describe(result, timeout_ms, out);
    if (result->line[0])
        text_printf(out, ": %s", result->line);
}
