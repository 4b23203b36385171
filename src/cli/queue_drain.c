/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir drain and undrain of a queue: it takes no new jobs, and those that it has are done. The
 * commands of all drains (operate.c) come here for a target `queue:NAME`.
 */

#include "cli/jobs.h"

#include "cli/asking.h"
#include "cli/cli.h"
#include "conf/unit.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 250 };

#define PREFIX "queue:"

bool queue_drain_is(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], PREFIX, strlen(PREFIX)) == 0)
            return true;
    return false;
}

/* The name in the first argument, or NULL with the exit status. */
static const char *target_of(struct asking *asking, int *ret_result)
{
    const char *target = asking->options.values[0];
    bool is_queue = strncmp(target, PREFIX, strlen(PREFIX)) == 0;
    const char *name = is_queue ? target + strlen(PREFIX) : target;
    *ret_result = is_queue ? asking_check_queue(asking, name)
                           : cli_wrong(asking->env, asking->name, "no queue: ", target);
    return *ret_result == 0 ? name : NULL;
}

struct left {
    uint64_t ready, reserved, delayed;
};

static int look(struct asking *asking, const char *name, struct left *ret_left)
{
    *ret_left = (struct left){0, 0, 0};
    int result = asking_figures(asking, name);
    if (result != 0)
        return result;
    (void)slice_to_u64(asking_value(asking, "current-jobs-ready"), &ret_left->ready);
    (void)slice_to_u64(asking_value(asking, "current-jobs-reserved"), &ret_left->reserved);
    (void)slice_to_u64(asking_value(asking, "current-jobs-delayed"), &ret_left->delayed);
    return 0;
}

static void say(const char *name, const struct left *left, const char *end)
{
    printf("%s: %" PRIu64 " ready, %" PRIu64 " reserved, %" PRIu64 " delayed%s", name, left->ready,
           left->reserved, left->delayed, end);
    fflush(stdout);
}

/* Until nothing is ready or reserved; what is delayed may be so for days. 0: for ever. */
static int wait_until_empty(struct asking *asking, const char *name, int64_t timeout_ms)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    bool is_terminal = isatty(STDOUT_FILENO);
    struct left left, former = {UINT64_MAX, 0, 0};
    for (int64_t waited_ms = 0;; waited_ms += LOOK_MS) {
        int result = look(asking, name, &left);
        if (result != 0)
            return result;
        bool is_over = left.ready + left.reserved == 0;
        if (memcmp(&left, &former, sizeof(left)) != 0)
            say(name, &left, is_terminal && !is_over ? "\033[K\r" : "\n");
        former = left;
        if (is_over)
            return 0;
        if (timeout_ms > 0 && waited_ms >= timeout_ms) {
            fprintf(stderr,
                    "%sweir drain: not waited for any longer; %s takes no new jobs until "
                    "`weir undrain " PREFIX "%s`\n",
                    is_terminal ? "\n" : "", name, name);
            return EXIT_FAILURE;
        }
        nanosleep(&pause, NULL);
    }
}

static int drain(struct asking *asking)
{
    const struct remote_options *options = &asking->options;
    int64_t timeout_ms = 0;
    int result;
    const char *name = target_of(asking, &result);
    if (!name)
        return result;
    if (options->n_values == 2 ||
        (options->n_values == 3 && strcmp(options->values[1], "timeout") != 0))
        return cli_wrong(asking->env, asking->name, "behind the queue comes timeout TIME, not ",
                         options->values[1]);
    if (options->n_values == 3 &&
        (conf_unit_time(slice_from(options->values[2]), &timeout_ms, &asking->err) < 0 ||
         timeout_ms <= 0))
        return cli_wrong(asking->env, asking->name,
                         "no time, as 90s, 5m or 7d: ", options->values[2]);
    asking_expect_queue(asking, name);
    result = asking_for(asking, "CHANGED", ASKING_NO_BODY, "drain-tube %s 1", name);
    if (result == 0)
        printf("%s takes no new jobs\n", name);
    if (result == 0 && !options->is_no_wait)
        result = wait_until_empty(asking, name, timeout_ms);
    return result;
}

static int undrain(struct asking *asking)
{
    int result;
    const char *name = target_of(asking, &result);
    if (!name)
        return result;
    asking_expect_queue(asking, name);
    result = asking_for(asking, "CHANGED", ASKING_NO_BODY, "drain-tube %s 0", name);
    if (result == 0)
        printf("%s takes jobs\n", name);
    return result;
}

int queue_drain(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, REMOTE_NO_WAIT, 1, 3, drain);
}

int queue_undrain(const struct command_env *env, int argc, char **argv)
{
    return asking_run(env, argc, argv, 0, 1, 1, undrain);
}
