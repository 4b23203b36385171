/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From an ask of health to the program of a check.
 */

#include "pool/check_program.h"

#include "core/program.h"
#include "pool/pool.h"

enum { NS_PER_MS = 1000000, TEXTS = 4, VARS = 5 };

int check_programs(const struct snapshot *snap, program_want_fn *want, void *ctx)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    for (uint32_t i = 0; i < conf->n_pools; i++) {
        const struct check_conf *check = conf->pools[i]->check;
        if (!check || check->kind != CHECK_EXEC)
            continue;
        const struct program_want program = {
            .path = check->program,
            .at = conf_where(&check->object, "PROGRAM"),
        };
        if (want(ctx, &program) < 0)
            return -1;
    }
    return 0;
}

/* The member "web/app1" of a pool whose check is a program, or NULL. */
static const struct member *find_member(const struct snapshot *snap, struct slice label)
{
    const struct pool *pool = pool_find(snap, slice_cut(&label, '/'));
    if (!pool || !pool->check || pool->check->kind != CHECK_EXEC)
        return NULL;
    for (uint32_t i = 0; i < pool->n_members; i++) {
        if (slice_equal(pool->members[i]->name, label))
            return pool->members[i];
    }
    return NULL;
}

int check_program(const struct snapshot *snap, const struct slice *texts, size_t n_texts,
                  struct arena *arena, struct program_plan *ret_plan)
{
    bool is_check = n_texts == TEXTS && slice_is(texts[0], "check");
    const struct member *member = is_check ? find_member(snap, texts[1]) : NULL;
    if (!member)
        return 1;
    const struct check_conf *check = member->pool->check;
    const char **env = ARENA_NEW_ARRAY(arena, const char *, VARS + 1);
    env[0] = PROGRAM_PATH;
    env[1] = arena_printf(arena, "WEIR_POOL=%.*s", SLICE_ARG(member->pool->name));
    env[2] = arena_printf(arena, "WEIR_MEMBER=%.*s", SLICE_ARG(member->name));
    env[3] = arena_printf(arena, "WEIR_ADDRESS=%.*s", SLICE_ARG(texts[2]));
    env[4] = arena_printf(arena, "WEIR_PORT=%.*s", SLICE_ARG(texts[3]));
    env[VARS] = NULL;
    *ret_plan = (struct program_plan){
        .path = check->program.ptr,
        .argv = program_argv(check->program, &check->argument_list, arena),
        .env = env,
        .timeout_ns = (uint64_t)check->timeout_ms * NS_PER_MS,
    };
    return 0;
}
