/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asking for the program of a vip's state, again and again while the state lasts.
 */

#include "vip/hook_runner.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

enum {
    NS_PER_MS = 1000000,
    ANSWER_MS = 10000, /* for worker beyond the time of the program: the last one is to be reaped */
};

/* What is known of the program of one state. */
struct hook {
    bool is_set;
    int64_t every_ms, timeout_ms;
    struct text command; /* its words, to tell another from the same */
};

struct hook_runner {
    struct process *process;
    char *vip;
    struct hook hooks[HOOK_STATES];
    bool has_state;
    enum hook_state state;
    char reason[HOOK_REASON_MAX];
    struct program_run *run; /* NULL: none runs */
    uint64_t started_ns;
    unsigned n_failures;
    bool was_good; /* in this state */
    struct loop_timer timer;
    struct metric_slab *slab; /* NULL: there is no room, or no hook */
};

/* ---- metrics ---- */

#define COUNTER(word_, name_, help_)                                              \
    {                                                                             \
        .name = (name_), .type = METRIC_COUNTER, .word = (word_), .help = (help_) \
    }

static const struct metric_def hook_defs[] = {
    COUNTER(HOOK_RUNS, "runs", "Programs that were asked for."),
    COUNTER(HOOK_FAILED, "failed", "Programs that did not end with status 0, or did not start."),
    COUNTER(HOOK_LATE, "late", "Programs that were killed when their time was over."),
    COUNTER(HOOK_CANCELLED, "cancelled", "Programs that ran when the state changed."),
    {0},
};

const struct metric_table hook_metrics = {
    .name = "hook",
    .labels = {"vip"},
    .n_words = HOOK_WORDS,
    .defs = hook_defs,
};

static void count(const struct hook_runner *runner, enum hook_word word)
{
    if (runner->slab)
        metric_add(metric_row(runner->slab, 0), word, 1);
}

/* ---- facts ---- */

static void fact_name(const struct hook_runner *runner, char *ret_name)
{
    snprintf(ret_name, FACT_NAME_MAX, HOOK_FACT ":%s", runner->vip);
}

static void state_fact(const struct hook_runner *runner, enum fact_state state, const char *what)
{
    char name[FACT_NAME_MAX], reason[FACT_REASON_MAX];
    fact_name(runner, name);
    snprintf(reason, sizeof(reason), "%s: %s", hook_state_name(runner->state), what);
    (void)board_state(runner->process->board, name, state, runner->n_failures, reason,
                      loop_wall_ns(runner->process->loops[0]));
}

static void remove_fact(const struct hook_runner *runner)
{
    char name[FACT_NAME_MAX];
    fact_name(runner, name);
    board_remove(runner->process->board, name, loop_wall_ns(runner->process->loops[0]));
}

/* ---- one run ---- */

static const struct hook *current(const struct hook_runner *runner)
{
    const struct hook *hook = &runner->hooks[runner->state];
    return runner->has_state && hook->is_set ? hook : NULL;
}

static void again_in(struct hook_runner *runner, int64_t wait_ms)
{
    struct loop *loop = runner->process->loops[0];
    loop_timer_set(loop, &runner->timer, loop_now_ns(loop) + (uint64_t)wait_ms * NS_PER_MS);
}

static void tell_good(struct hook_runner *runner, const char *text, bool is_first)
{
    struct loop *loop = runner->process->loops[0];
    if (is_first)
        log_write(process_log(loop), LOG_LEVEL_INFO, "vip %s: the program for %s: %s, in %.3f s",
                  runner->vip, hook_state_name(runner->state), text,
                  (double)(loop_now_ns(loop) - runner->started_ns) / 1e9);
    state_fact(runner, FACT_UP, text);
}

static void tell_bad(const struct hook_runner *runner, const char *text)
{
    log_write(process_log(runner->process->loops[0]), LOG_LEVEL_WARN,
              "vip %s: the program for %s failed: %s; again in %.0f s", runner->vip,
              hook_state_name(runner->state), text,
              (double)hook_wait_ms(runner->n_failures, 0) / 1e3);
    state_fact(runner, FACT_FAILED, text);
}

static void on_end(void *ctx, const struct program_result *result)
{
    struct hook_runner *runner = ctx;
    const struct hook *hook = current(runner); /* which started it */
    struct text text = TEXT_NONE;
    bool is_good = hook_is_good(result);
    bool is_first = is_good && (!runner->was_good || runner->n_failures > 0);
    runner->run = NULL;
    runner->n_failures = is_good ? 0 : runner->n_failures + 1;
    hook_describe(result, hook->timeout_ms, &text);
    if (result->outcome == PROGRAM_LATE)
        count(runner, HOOK_LATE);
    if (is_good) {
        tell_good(runner, text_cstr(&text), is_first);
        runner->was_good = true;
    } else {
        count(runner, HOOK_FAILED);
        tell_bad(runner, text_cstr(&text));
    }
    text_deinit(&text);
    again_in(runner, hook_wait_ms(runner->n_failures, hook->every_ms));
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct hook_runner *runner = CONTAINER_OF(timer, struct hook_runner, timer);
    const struct hook *hook = current(runner);
    if (!hook || runner->run)
        return;
    const char *const texts[HOOK_TEXTS] = {HOOK_KIND, runner->vip, hook_state_name(runner->state),
                                           runner->reason};
    count(runner, HOOK_RUNS);
    runner->started_ns = loop_now_ns(loop);
    runner->run = program_start(runner->process, texts, HOOK_TEXTS, hook->timeout_ms + ANSWER_MS,
                                on_end, runner);
}

static void cancel(struct hook_runner *runner)
{
    if (runner->run)
        count(runner, HOOK_CANCELLED);
    program_cancel(&runner->run);
    loop_timer_clear(runner->process->loops[0], &runner->timer);
}

/* The state's program, if it has one, from its beginning. */
static void begin(struct hook_runner *runner, int64_t wait_ms)
{
    cancel(runner);
    runner->n_failures = 0;
    runner->was_good = false;
    if (current(runner)) {
        state_fact(runner, FACT_UNKNOWN, "runs");
        again_in(runner, wait_ms);
    } else {
        remove_fact(runner);
    }
}

void hook_runner_become(struct hook_runner *runner, enum hook_state state, const char *reason)
{
    if (runner->has_state && runner->state == state)
        return;
    runner->has_state = true;
    runner->state = state;
    snprintf(runner->reason, sizeof(runner->reason), "%s", reason);
    begin(runner, 0);
}

/* ---- configuration ---- */

/* Its words, each with its length before it, so that no two commands make one text. */
static void write_command(const struct hook_conf *conf, struct text *out)
{
    text_append(out, conf->program);
    for (size_t i = 0; i < conf->argument_list.n_items; i++) {
        const struct slice *argument = conf->argument_list.items[i];
        text_printf(out, " %zu:%.*s", argument->len, SLICE_ARG(*argument));
    }
}

/* Returns whether its program is another now. */
static bool configure_one(struct hook *hook, const struct hook_conf *conf)
{
    struct text command = TEXT_NONE;
    if (conf)
        write_command(conf, &command);
    bool is_other = hook->is_set != (conf != NULL) ||
                    !slice_equal(text_slice(&hook->command), text_slice(&command));
    text_deinit(&hook->command);
    *hook = (struct hook){.is_set = conf != NULL,
                          .every_ms = conf ? conf->every_ms : 0,
                          .timeout_ms = conf ? conf->timeout_ms : 0,
                          .command = command};
    return is_other;
}

static void configure_slab(struct hook_runner *runner, bool is_used)
{
    struct board *board = runner->process->board;
    if (is_used && !runner->slab)
        runner->slab = metric_open(board, &hook_metrics, runner->vip, 1, true);
    else if (!is_used && runner->slab) {
        metric_close(board, runner->slab);
        runner->slab = NULL;
    }
}

void hook_runner_configure(struct hook_runner *runner, const struct conf_list *hooks)
{
    bool is_other = false;
    for (int i = 0; i < HOOK_STATES; i++) {
        bool is_changed = configure_one(&runner->hooks[i], hooks_find(hooks, (enum hook_state)i));
        is_other |= is_changed && runner->has_state && runner->state == (enum hook_state)i;
    }
    configure_slab(runner, hooks->n_items > 0);
    if (is_other)
        begin(runner, HOOK_BACKOFF_MS);
    else if (hooks->n_items == 0)
        remove_fact(runner); /* of an earlier life */
}

/* ---- life ---- */

struct hook_runner *hook_runner_create(struct process *process, const char *vip)
{
    struct hook_runner *runner = MEM_NEW(struct hook_runner);
    *runner = (struct hook_runner){.process = process, .vip = mem_strdup(vip)};
    loop_timer_init(&runner->timer, on_timer);
    return runner;
}

void hook_runner_destroy(struct hook_runner **runner_ptr, bool is_for_good)
{
    struct hook_runner *runner = *runner_ptr;
    *runner_ptr = NULL;
    if (!runner)
        return;
    cancel(runner);
    if (is_for_good) {
        remove_fact(runner);
        configure_slab(runner, false);
    } else if (runner->slab) {
        metric_forget(runner->slab);
    }
    for (int i = 0; i < HOOK_STATES; i++)
        text_deinit(&runner->hooks[i].command);
    mem_free(runner->vip);
    mem_free(runner);
}
