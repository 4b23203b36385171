/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Processes that outlive the program that started them: those of a program that has ended are
 * killed and reaped, those of one that runs are left alone.
 */

#include "worker/orphans.h"

#include "worker/run.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

enum { TURNS_MAX = 30000, PROGRAMS = 2 };

struct stage {
    struct loop *loop;
    struct orphans *orphans;
    struct run *runs[PROGRAMS];
    struct tail tails[PROGRAMS];
    unsigned n_killed, n_ended;
};

static bool is_program(void *ctx, pid_t pid)
{
    const struct stage *stage = ctx;
    for (int i = 0; i < PROGRAMS; i++)
        if (stage->runs[i] && run_pid(stage->runs[i]) == pid)
            return true;
    return false;
}

static void on_kill(void *ctx)
{
    ((struct stage *)ctx)->n_killed++;
}

static struct stage *one_stage; /* of which a program has ended */

static void on_end(void *ctx, const struct program_result *result)
{
    (void)result;
    *(struct run **)ctx = NULL;
    one_stage->n_ended++;
    orphans_look(one_stage->orphans);
}

static void start(struct stage *stage, int i, const char *script)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    tail_deinit(&stage->tails[i]);
    tail_init(&stage->tails[i], 1000);
    const struct run_manner manner = {
        .input_fd = STDIN_FILENO, .folder = "/", .umask = 077, .tail = &stage->tails[i]};
    const struct run_spec spec = {
        .path = "/bin/sh", .argv = argv, .env = env, .timeout_ns = 60 * S, .manner = &manner};
    stage->runs[i] = run_start(stage->loop, &spec, on_end, &stage->runs[i]);
    orphans_look(stage->orphans);
}

/* The number that a program has printed. */
static pid_t printed(struct stage *stage, int i)
{
    char line[64] = "";
    for (int turn = 0; turn < TURNS_MAX && !line[0]; turn++) {
        loop_turn(stage->loop, 1);
        tail_last_line(&stage->tails[i], line, sizeof(line));
    }
    pid_t pid = (pid_t)strtol(line, NULL, 10);
    assert_true(pid > 1);
    return pid;
}

static bool is_there(pid_t pid)
{
    return kill(pid, 0) == 0; /* one that is dead and not reaped counts */
}

static void wait_gone(struct stage *stage, pid_t pid)
{
    for (int turn = 0; turn < TURNS_MAX && is_there(pid); turn++)
        loop_turn(stage->loop, 1);
    assert_false(is_there(pid));
}

#define LEAVES "setsid sh -c 'echo $$; exec sleep 300' & sleep 0.2; "

static void test_orphans(void **state)
{
    struct stage stage = {.n_killed = 0};
    const struct orphans_calls calls = {is_program, on_kill, &stage};
    (void)state;
    one_stage = &stage;
    assert_int_equal(loop_create(0, &stage.loop, NULL), 0);
    stage.orphans = orphans_create(stage.loop, &calls);

    start(&stage, 0, LEAVES "exit 0");
    wait_gone(&stage, printed(&stage, 0));
    assert_int_equal(stage.n_killed, 1);

    /* What lost its parent under a program that runs is that one's, whoever else ends. */
    start(&stage, 0, "sleep 300 & (" LEAVES ") & wait");
    pid_t helper = printed(&stage, 0);
    start(&stage, 1, LEAVES "exit 0");
    wait_gone(&stage, printed(&stage, 1));
    for (int turn = 0; turn < 1300; turn++)
        loop_turn(stage.loop, 1);
    assert_true(is_there(helper));
    run_kill(stage.runs[0]);
    wait_gone(&stage, helper);

    /* The end of all waits for them. */
    start(&stage, 0, LEAVES "exec sleep 300");
    helper = printed(&stage, 0);
    run_cancel(&stage.runs[0]);

    orphans_destroy(&stage.orphans);
    assert_false(is_there(helper));
    for (int turn = 0; turn < 100; turn++)
        loop_turn(stage.loop, 1); /* what was cancelled is freed */
    for (int i = 0; i < PROGRAMS; i++)
        tail_deinit(&stage.tails[i]);
    loop_destroy(&stage.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orphans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
