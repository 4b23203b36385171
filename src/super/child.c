/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A process as the supervisor sees it: its start, what it is told and what it says, its death, and
 * when it is started again.
 *
 *          start          ready, commit            drain           stop
 *     OFF -------> STARTING ------> SERVING ------> DRAINING -----> STOPPING --> OFF
 *                    ^   |             |                |              |
 *                    |   v death       v death          v death        v death
 *                    +-- WAITING <-----+                OFF            OFF
 */

#include "base/mem.h"
#include "super/candidate.h"
#include "super/internal.h"
#include "super/spawn.h"
#include "super/upgrade.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOCKET_LABELS = 64 };

static void on_control(struct loop *loop, struct loop_io *io, uint32_t events);
static void on_timer(struct loop *loop, struct loop_timer *timer);

void child_init(struct super *super, struct child *child, const char *kind, size_t segment)
{
    *child = (struct child){.super = super, .kind = kind, .segment = segment, .log_fd = -1};
    loop_io_init(&child->control);
    loop_timer_init(&child->timer, on_timer);
}

void child_fact(struct child *child, enum fact_state state, const char *reason)
{
    char name[FACT_NAME_MAX];
    snprintf(name, sizeof(name), "process:%s", child->kind);
    board_state(child->super->board, name, state, child->n_restarts, reason,
                loop_wall_ns(child->super->loop));
}

static void remove_fact(struct child *child)
{
    char name[FACT_NAME_MAX];
    snprintf(name, sizeof(name), "process:%s", child->kind);
    board_remove(child->super->board, name, loop_wall_ns(child->super->loop));
}

static void set_timer(struct child *child, int64_t wait_ms)
{
    loop_timer_set(child->super->loop, &child->timer,
                   super_now(child->super) + (uint64_t)wait_ms * NS_PER_MS);
}

void child_kill(struct child *child, const char *why)
{
    if (!child_runs(child))
        return;
    if (!child->why_killed[0])
        slice_copy(slice_from(why), child->why_killed, sizeof(child->why_killed));
    kill(child->pid, SIGKILL);
}

/* --- telling ---------------------------------------------------------------------------------- */

static void tell(struct child *child, const struct control_message *message)
{
    struct err err = ERR_NONE;
    if (!loop_io_is_armed(&child->control))
        return;
    if (control_send_wait(child->control.fd, message, SEND_WAIT_MS, &err) == 0)
        return;
    log_write(child->super->log, LOG_LEVEL_ERROR, "%s: %s", child->kind, err.text);
    child_kill(child, "it read none of its control messages");
}

static void tell_type(struct child *child, enum control_type type)
{
    struct control_message message;
    control_init(&message, type);
    tell(child, &message);
}

static bool was_sent(const struct child *child, uint64_t number)
{
    for (size_t i = 0; i < child->n_sent; i++) {
        if (child->sent[i] == number)
            return true;
    }
    return false;
}

void child_note_sent(struct child *child, uint64_t number)
{
    if (child->n_sent == child->cap_sent) {
        child->cap_sent = child->cap_sent ? child->cap_sent * 2 : 16;
        child->sent = mem_realloc(child->sent, child->cap_sent * sizeof(*child->sent));
    }
    child->sent[child->n_sent++] = number;
}

static void add_socket(struct child *child, struct control_message *message,
                       const struct binding *binding, uint32_t loop_index)
{
    const struct bound *bound = binding->bound;
    uint32_t place = bound->n_fds > 1 ? loop_index : 0;
    uint64_t number = bound->number + place;
    bool is_new = !was_sent(child, number);
    if (message->n_labels == SOCKET_LABELS) {
        tell(child, message);
        control_init(message, CONTROL_SOCKETS);
    }
    control_label(message, binding->name, loop_index, number, is_new ? bound->fds[place] : -1);
    if (is_new)
        child_note_sent(child, number);
}

static void tell_sockets(struct child *child, const struct super_config *config)
{
    struct control_message message;
    control_init(&message, CONTROL_SOCKETS);
    for (size_t i = 0; i < config->n_bindings; i++) {
        const struct binding *binding = &config->bindings[i];
        if (strcmp(binding->kind, child->kind) != 0)
            continue;
        uint32_t n_loops = binding->is_per_loop ? child->n_loops : 1;
        for (uint32_t loop_index = 0; loop_index < n_loops; loop_index++)
            add_socket(child, &message, binding, loop_index);
    }
    if (message.n_labels > 0)
        tell(child, &message);
}

/* Adds the bundle of this kind; the descriptor is the caller's to close. -1: none could be made. */
static int add_bundle(struct child *child, const struct super_config *config,
                      struct control_message *message)
{
    struct err err = ERR_NONE;
    int fd;
    size_t len;
    if (config_bundle(child->super, config, child->kind, &fd, &len, &err) < 0) {
        log_write(child->super->log, LOG_LEVEL_ERROR, "%s: %s", child->kind, err.text);
        return -1;
    }
    control_label(message, "bundle", 0, len, fd);
    message->generation = config->generation;
    return fd;
}

void child_prepare(struct child *child, struct super_config *config)
{
    struct control_message message;
    assert(child->asked == 0 && child->prepared == 0);
    tell_sockets(child, config);
    control_init(&message, CONTROL_PREPARE);
    int fd = add_bundle(child, config, &message);
    child->asked = config->generation;
    tell(child, &message); /* without a bundle it refuses, and says so */
    if (fd >= 0)
        close(fd);
}

static void served(struct child *child)
{
    char reason[FACT_REASON_MAX];
    child->state = CHILD_SERVING;
    child->served_ns = super_now(child->super);
    loop_timer_clear(child->super->loop, &child->timer);
    snprintf(reason, sizeof(reason), "pid %d", (int)child->pid);
    if (!child->is_fact_failed)
        child_fact(child, FACT_UP, reason);
    if (child->n_restarts > 0)
        log_write(child->super->log, LOG_LEVEL_INFO,
                  "%s serves again, pid %d, %.1f ms after it was started", child->kind,
                  (int)child->pid, (double)(loop_clock_ns() - child->started_ns) / NS_PER_MS);
}

void child_commit(struct child *child)
{
    assert(child->prepared != 0);
    child->committed = child->prepared;
    child->prepared = 0;
    tell_type(child, CONTROL_COMMIT);
    if (child->state == CHILD_STARTING)
        served(child);
}

void child_abort(struct child *child)
{
    if (child->asked == 0 && child->prepared == 0)
        return;
    child->asked = 0;
    child->prepared = 0;
    if (child->committed == 0)
        child_stop(child, 0);
    else
        tell_type(child, CONTROL_ABORT);
}

void child_drain(struct child *child, int64_t wait_ms)
{
    struct control_message message;
    if (child->state != CHILD_SERVING) {
        child_stop(child, 0);
        return;
    }
    control_init(&message, CONTROL_DRAIN);
    message.wait_ms = wait_ms;
    child->state = CHILD_DRAINING;
    child->is_drained = false;
    child->asked = child->prepared = 0;
    child_fact(child, FACT_DRAINING, "");
    set_timer(child, wait_ms + STOP_WAIT_MS);
    tell(child, &message);
}

void child_stop(struct child *child, int64_t wait_ms)
{
    loop_timer_clear(child->super->loop, &child->timer);
    if (!child_runs(child)) {
        child->state = CHILD_OFF;
        remove_fact(child);
        return;
    }
    bool was_serving = child->state == CHILD_SERVING || child->state == CHILD_DRAINING;
    child->state = CHILD_STOPPING;
    child->asked = child->prepared = 0;
    tell_type(child, CONTROL_STOP);
    if (was_serving && wait_ms > 0)
        set_timer(child, wait_ms);
    else
        child_kill(child, "it is not needed");
}

/* The candidate of an upgrade goes on with all of its processes or not at all. */
__attribute__((format(printf, 2, 3))) static _Noreturn void give_up(struct child *child,
                                                                    const char *format, ...)
{
    struct text why = TEXT_NONE;
    va_list args;
    va_start(args, format);
    text_vprintf(&why, format, args);
    va_end(args);
    candidate_refuse(child->super, text_cstr(&why));
}

/* --- the start -------------------------------------------------------------------------------- */

static void add_board(const struct child *child, struct control_message *message)
{
    const struct board_fds *fds = &child->super->board_fds;
    for (size_t i = 0; i < fds->n_segments; i++) {
        control_label(message, "board-ro", (uint32_t)i, 0, fds->ro[i]);
        control_label(message, "bell", (uint32_t)i, 0, fds->bell[i]);
    }
    control_label(message, "board-rw", (uint32_t)child->segment, 0, fds->rw[child->segment]);
}

static void tell_init(struct child *child, const struct super_config *config)
{
    const struct super *super = child->super;
    struct control_message message;
    control_init(&message, CONTROL_INIT);
    message.n_loops = child->n_loops;
    message.uid = (uint32_t)super->user.uid;
    message.gid = (uint32_t)super->user.gid;
    message.log_level = (uint32_t)super_settings(super)->log.level;
    if (getrandom(&message.seed, sizeof(message.seed), 0) < 0)
        message.seed = loop_clock_ns();
    add_board(child, &message);
    control_label(&message, "log", 0, 0, child->log_fd);
    control_label(&message, "log-bell", 0, 0, super->log_bell);
    if (module_process_allows(super->table, child->kind,
                              SANDBOX_STATE_FILES | SANDBOX_STATE_SOCKETS))
        control_label(&message, "state", 0, 0, super->state_fd);
    int groups_fd = groups_make(child->super, child);
    if (groups_fd >= 0)
        control_label(&message, "groups", 0, 0, groups_fd);
    int fd = add_bundle(child, config, &message);
    tell(child, &message);
    if (fd >= 0)
        close(fd);
    if (groups_fd >= 0)
        close(groups_fd);
}

static void tell_link_end(struct child *child, enum control_type type, const char *peer, int fd)
{
    struct control_message message;
    control_init(&message, type);
    control_label(&message, peer, 0, 0, fd);
    tell(child, &message);
}

/* A new socket between two processes, for both of them. */
static void link_pair(struct child *one, struct child *other, enum control_type type)
{
    int pair[2];
    if (one == other || !child_runs(one) || !child_runs(other))
        return;
    if (control_pair(pair, NULL) < 0)
        return;
    tell_link_end(one, type, other->kind, pair[0]);
    tell_link_end(other, type, one->kind, pair[1]);
    close(pair[0]);
    close(pair[1]);
}

/* A process that has just been started: admin asks it, and it or others ask worker. */
static void link_all(struct child *child)
{
    struct super *super = child->super;
    struct child *admin = super_child(super, "admin");
    struct child *worker = super_child(super, "worker");
    for (size_t i = 0; i < super->n_children; i++) {
        struct child *other = &super->children[i];
        if (admin && (child == admin || child == other))
            link_pair(admin, other, CONTROL_QUERY);
        if (worker && (child == worker || child == other) &&
            module_process_starts_programs(super->table, other->kind))
            link_pair(worker, other, CONTROL_PROGRAMS);
    }
}

static int spawn(struct child *child, struct err *err)
{
    int pair[2];
    if (control_pair(pair, err) < 0)
        return -1;
    const struct super *super = child->super;
    bool is_alone = module_process_allows(super->table, child->kind, SANDBOX_ALONE);
    int result = spawn_process(child->kind, pair[1], super->parent, is_alone, &child->pid, err);
    close(pair[1]);
    if (result == 0)
        result = loop_io_add_read(child->super->loop, &child->control, pair[0], on_control, err);
    if (result < 0)
        close(pair[0]);
    return result;
}

int child_adopt(struct child *child, pid_t pid, int fd, uint64_t generation, struct err *err)
{
    child->pid = pid;
    child->prepared = generation;
    child->started_ns = loop_clock_ns();
    child->state = CHILD_STARTING;
    groups_adopt(child->super, child);
    set_timer(child, super_settings(child->super)->start_timeout_ms);
    return loop_io_add_read(child->super->loop, &child->control, fd, on_control, err);
}

void child_start(struct child *child, struct super_config *config)
{
    struct super *super = child->super;
    struct err err = ERR_NONE;
    assert(!child_runs(child));
    child->asked = config->generation;
    child->prepared = child->committed = 0;
    child->n_sent = 0;
    child->served_ns = 0;
    child->is_drained = false;
    child->why_killed[0] = 0;
    child->started_ns = loop_clock_ns();
    child->state = CHILD_STARTING;
    if (spawn(child, &err) < 0) {
        if (super->parent)
            give_up(child, "%s: %s", child->kind, err.text);
        log_write(super->log, LOG_LEVEL_ERROR, "%s: %s", child->kind, err.text);
        child_kill(child, "it could not be reached");
        if (!child_runs(child)) {
            slice_copy(SLICE("it could not be made"), child->why_killed, FACT_REASON_MAX);
            child_on_death(child, 0);
        }
        return;
    }
    set_timer(child, super_settings(super)->start_timeout_ms);
    tell_sockets(child, config);
    tell_init(child, config);
    link_all(child);
}

/* --- what it says ----------------------------------------------------------------------------- */

static void on_ready(struct child *child, uint64_t generation)
{
    struct super *super = child->super;
    if (child->asked != generation)
        return; /* of a reload that is over */
    child->asked = 0;
    child->prepared = generation;
    if (super->coming && generation == super->coming->generation) {
        reload_on_ready(super, child);
        return;
    }
    /* A start waits for all; then, and after each restart, what is in force needs nobody else. */
    if (super->state != SUPER_STARTING)
        child_commit(child);
    if (child->committed != 0 && child->committed < super->config->generation)
        child_prepare(child, super->config);
    else if (super->coming && snapshot_needs(super->coming->snap, child->kind))
        child_prepare(child, super->coming);
    super_on_progress(super);
}

static void on_refused(struct child *child, const struct control_message *message)
{
    struct super *super = child->super;
    /* Who fails before it knows which one it is to prepare says 0. */
    if (message->generation != child->asked && message->generation != 0)
        return;
    if (super->coming && message->generation == super->coming->generation) {
        reload_on_refused(super, child, message->text);
        return;
    }
    log_write(super->log, LOG_LEVEL_ERROR, "%s cannot start: %.*s", child->kind,
              SLICE_ARG(message->text));
    if (super->parent)
        give_up(child, "%s refused its configuration: %.*s", child->kind, SLICE_ARG(message->text));
    child_kill(child, "it refused its configuration");
    if (super->state == SUPER_STARTING)
        super_fail(super, "a process refused its configuration");
}

static void on_request(struct child *child, const struct control_message *message)
{
    struct super *super = child->super;
    const struct requester who = {.pid = child->pid, .id = message->id};
    if (strcmp(child->kind, "admin") != 0) {
        super_answer(super, &who, false, SLICE("only admin may ask the supervisor"));
    } else if (slice_is(message->text, "reload")) {
        reload_request(super, &who);
    } else if (slice_is(message->text, "upgrade") ||
               slice_starts(message->text, SLICE("upgrade "))) {
        struct slice words = message->text;
        slice_cut(&words, ' ');
        upgrade_request(super, &who, words.ptr ? words : SLICE(""));
    } else if (slice_is(message->text, "stop") || slice_is(message->text, "stop now")) {
        super_answer(super, &who, true, SLICE("stopping"));
        super_stop(super, slice_is(message->text, "stop now"), "admin asked for it");
    } else {
        super_answer(super, &who, false, SLICE("the supervisor does not know this request"));
    }
}

static void on_message(struct child *child, struct control_message *message)
{
    switch (message->type) {
    case CONTROL_READY:
        on_ready(child, message->generation);
        break;
    case CONTROL_REFUSED:
        on_refused(child, message);
        break;
    case CONTROL_DRAINED:
        child->is_drained = true;
        super_on_progress(child->super);
        break;
    case CONTROL_REQUEST:
        on_request(child, message);
        break;
    case CONTROL_SWITCHED:
        child->switched = message->generation;
        reload_on_progress(child->super);
        break;
    case CONTROL_INIT:
    case CONTROL_SOCKETS:
    case CONTROL_PREPARE:
    case CONTROL_COMMIT:
    case CONTROL_ABORT:
    case CONTROL_QUERY:
    case CONTROL_PROGRAMS:
    case CONTROL_DRAIN:
    case CONTROL_RETIRE:
    case CONTROL_STOP:
    case CONTROL_ANSWER:
    case CONTROL_N_TYPES:
        child_kill(child, "it sent what only the supervisor may");
        break;
    }
    control_close_fds(message);
}

static void on_control(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct child *child = CONTAINER_OF(io, struct child, control);
    struct err err = ERR_NONE;
    struct control_message message;
    for (int round = 0; round < LOOP_BUDGET && loop_io_is_armed(io); round++) {
        int result = control_receive(io->fd, child->super->packet, &message, &err);
        if (result == 0)
            return;
        if (result < 0 && child->super->parent)
            give_up(child, "%s %s", child->kind,
                    child->why_killed[0] ? child->why_killed : "ended before it was ready");
        if (result < 0) {
            /* Dead, as a rule: the signal that says how is on its way. If it is not, it is now. */
            if (child_runs(child))
                kill(child->pid, SIGKILL);
            int fd = io->fd;
            loop_io_remove(loop, io, false);
            close(fd);
            return;
        }
        on_message(child, &message);
    }
    if (loop_io_is_armed(io))
        loop_again(loop, io, events);
}

/* --- death and restart ------------------------------------------------------------------------ */

static void describe_death(const struct child *child, int status, char how[FACT_REASON_MAX])
{
    if (child->why_killed[0])
        snprintf(how, FACT_REASON_MAX, "killed: %.*s", FACT_REASON_MAX - 9, child->why_killed);
    else if (WIFSIGNALED(status))
        snprintf(how, FACT_REASON_MAX, "ended by SIG%s%s",
                 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?",
                 WCOREDUMP(status) ? ", core dumped" : "");
    else
        snprintf(how, FACT_REASON_MAX, "ended with status %d", WEXITSTATUS(status));
}

/* Does its next life find what this one left outside, if it comes at once? */
static bool leaves_something(const struct child *child)
{
    const struct module_table *table = child->super->table;
    for (size_t i = 0; i < table->n_items; i++) {
        if (table->items[i]->relinquish && module_lives_in(table->items[i], child->kind))
            return true;
    }
    return false;
}

/*
 * How long until the next life: none for the first death in a while, nor for one that served before
 * it died, where to wait would mean to give up what it left outside.
 */
static int64_t next_backoff(struct child *child)
{
    uint64_t lived_ms =
        child->served_ns ? (super_now(child->super) - child->served_ns) / NS_PER_MS : 0;
    if (lived_ms >= HEALTHY_MS)
        child->n_quick = 0;
    child->n_quick++;
    if (child->n_quick == 1 || (lived_ms >= STEADY_MS && leaves_something(child)))
        return 0;
    int64_t wait_ms = BACKOFF_FIRST_MS;
    for (uint32_t i = 2; i < child->n_quick && wait_ms < BACKOFF_MAX_MS; i++)
        wait_ms *= 2;
    return wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS;
}

/* It is not back at once: what it left outside of itself is taken back. */
static void relinquish(const struct child *child)
{
    const struct super *super = child->super;
    for (size_t i = 0; i < super->table->n_items; i++) {
        const struct module *module = super->table->items[i];
        if (module->relinquish && module_lives_in(module, child->kind) && !super->parent)
            module->relinquish(super->config->snap, super->board, super->log);
    }
}

static void restart_later(struct child *child, const char *how)
{
    char reason[FACT_REASON_MAX];
    int64_t wait_ms = next_backoff(child);
    if (wait_ms > 0)
        relinquish(child);
    child->n_restarts++;
    child->is_fact_failed = child->n_quick >= CRASH_LOOP;
    if (child->is_fact_failed)
        snprintf(reason, sizeof(reason), "%.50s, %u times in a row", how, (unsigned)child->n_quick);
    else
        slice_copy(slice_from(how), reason, sizeof(reason));
    child_fact(child, child->is_fact_failed ? FACT_FAILED : FACT_DOWN, reason);
    if (wait_ms == 0)
        log_write(child->super->log, LOG_LEVEL_ERROR, "%s %s; starting it again", child->kind, how);
    else
        log_write(child->super->log, LOG_LEVEL_ERROR, "%s %s; starting it again in %.1f s%s",
                  child->kind, reason, (double)wait_ms / 1000,
                  child->is_fact_failed ? "; it does not stay up" : "");
    if (child->is_fact_failed && child->super->state == SUPER_STARTING) {
        super_fail(child->super, "a process does not come up");
        return;
    }
    if (wait_ms == 0) {
        child_start(child, child->super->config);
        return;
    }
    child->state = CHILD_WAITING;
    set_timer(child, wait_ms);
}

void child_on_death(struct child *child, int status)
{
    struct super *super = child->super;
    char how[FACT_REASON_MAX];
    enum child_state former = child->state;
    bool was_preparing = super->coming && (child->asked == super->coming->generation ||
                                           child->prepared == super->coming->generation);
    describe_death(child, status, how);
    loop_timer_clear(super->loop, &child->timer);
    if (loop_io_is_armed(&child->control)) {
        int fd = child->control.fd;
        loop_io_remove(super->loop, &child->control, false);
        close(fd);
    }
    groups_sweep(super);
    child->pid = 0;
    child->asked = child->prepared = child->committed = child->switched = 0;
    child->state = CHILD_OFF;
    if (former == CHILD_STOPPING || former == CHILD_DRAINING || super->state == SUPER_STOPPING) {
        if (former != CHILD_STOPPING || (child->why_killed[0] && super->state != SUPER_STOPPING))
            log_write(super->log, LOG_LEVEL_WARN, "%s %s", child->kind, how);
        remove_fact(child);
        relinquish(child);
        /* A reload took it away, and a later one wants it again. */
        if (super->state != SUPER_STOPPING && snapshot_needs(super->config->snap, child->kind))
            child_start(child, super->config);
    } else {
        if (was_preparing)
            reload_on_death(super, child, how);
        if (snapshot_needs(super->config->snap, child->kind))
            restart_later(child, how);
        else
            remove_fact(child);
    }
    reload_on_progress(super);
    super_on_progress(super);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct child *child = CONTAINER_OF(timer, struct child, timer);
    (void)loop;
    switch (child->state) {
    case CHILD_WAITING:
        child_start(child, child->super->config);
        break;
    case CHILD_STARTING:
        child_kill(child, "it was not ready within start-timeout");
        break;
    case CHILD_DRAINING:
    case CHILD_STOPPING:
        child_kill(child, "it did not stop in time");
        break;
    case CHILD_OFF:
    case CHILD_SERVING:
        break;
    }
}
