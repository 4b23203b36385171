/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The supervisor's start, its signals, its stop.
 */

#include "super/super.h"
#include "base/mem.h"
#include "core/disk.h"
#include "super/candidate.h"
#include "super/carry.h"
#include "super/former.h"
#include "super/internal.h"
#include "super/upgrade.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOG_FLUSH_MS = 1000 };

uint64_t super_now(const struct super *super)
{
    return loop_now_ns(super->loop);
}

struct child *super_child(struct super *super, const char *kind)
{
    for (size_t i = 0; i < super->n_children; i++) {
        if (strcmp(super->children[i].kind, kind) == 0)
            return &super->children[i];
    }
    return NULL;
}

void super_answer(struct super *super, const struct requester *who, bool is_ok, struct slice text)
{
    struct control_message message;
    control_init(&message, CONTROL_ANSWER);
    message.id = who->id;
    message.is_ok = is_ok;
    message.text = text;
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        if (child->pid == who->pid && loop_io_is_armed(&child->control))
            control_send_wait(child->control.fd, &message, SEND_WAIT_MS, NULL);
    }
}

/* --- progress of a start and a stop ----------------------------------------------------------- */

static void say_what_serves(struct super *super)
{
    struct text where = TEXT_NONE;
    sockets_describe(super->config, &where);
    log_write(super->log, LOG_LEVEL_INFO, "weir serves%s%s: %s; state in %s",
              super->config->snap->node[0] ? " as node " : "", super->config->snap->node,
              where.len ? text_cstr(&where) : "no address", super->state_dir);
    text_deinit(&where);
}

/* Behind an upgrade: the new processes serve, and the former ones may go. */
static void on_resumed(struct super *super)
{
    super->is_resumed = false;
    metric_add(metric_row(super->upgrade_slab, 0), UPGRADE_DONE, 1);
    formers_retire(super);
    sockets_sweep(super);
}

/* All processes have prepared what they start with: they serve together. */
static void on_start_progress(struct super *super)
{
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        if (snapshot_needs(super->config->snap, child->kind) && child->prepared == 0)
            return;
    }
    if (super->parent) {
        candidate_ready(super);
        return;
    }
    super->state = SUPER_SERVING;
    for (size_t i = 0; i < super->n_children; i++) {
        if (super->children[i].prepared != 0)
            child_commit(&super->children[i]);
    }
    say_what_serves(super);
    if (super->is_resumed)
        on_resumed(super);
    notify_ready(super);
    reload_resume(super);
}

static void stop_all(struct super *super)
{
    super->is_first_drain = false;
    super->is_drained = true;
    loop_timer_clear(super->loop, &super->drain_limit);
    loop_timer_clear(super->loop, &super->first_limit);
    for (size_t i = 0; i < super->n_children; i++) {
        if (super->children[i].state != CHILD_STOPPING)
            child_stop(&super->children[i], STOP_WAIT_MS);
    }
    formers_stop(super, STOP_WAIT_MS);
}

static bool drains_first(const struct super *super, const struct child *child)
{
    return module_process_drains_first(super->table, child->kind);
}

/* Those that drain first, or all that do not drain yet. */
static void drain_children(struct super *super, bool is_first)
{
    for (size_t i = 0; i < super->n_children; i++) {
        struct child *child = &super->children[i];
        if (child->state != CHILD_DRAINING && (!is_first || drains_first(super, child)))
            child_drain(child, super_settings(super)->stop_timeout_ms);
    }
}

/* Is one of those that drain first at it? */
static bool is_waited_for(const struct super *super)
{
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        if (child_runs(child) && child->state == CHILD_DRAINING && !child->is_drained &&
            drains_first(super, child))
            return true;
    }
    return false;
}

static void end_first_drain(struct super *super)
{
    super->is_first_drain = false;
    loop_timer_clear(super->loop, &super->first_limit);
    drain_children(super, false);
}

static void on_first_limit(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct super *super = CONTAINER_OF(timer, struct super, first_limit);
    if (!super->is_first_drain)
        return;
    end_first_drain(super);
    super_on_progress(super);
}

/* Nobody stops before all have drained: the last requests still want to know which members are
 * up. */
static void on_stop_progress(struct super *super)
{
    if (super->is_first_drain && is_waited_for(super))
        return;
    if (super->is_first_drain)
        end_first_drain(super);
    bool is_drained = formers_are_drained(super), runs = !list_is_empty(&super->formers);
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        runs = runs || child_runs(child);
        if (child_runs(child) && child->state == CHILD_DRAINING && !child->is_drained)
            is_drained = false;
    }
    if (is_drained && !super->is_drained)
        stop_all(super);
    if (!runs)
        loop_stop(super->loop);
}

/* A reload may give up a process that is new, or drain one that is not needed any more. */
static void stop_drained(struct super *super)
{
    for (size_t i = 0; i < super->n_children; i++) {
        struct child *child = &super->children[i];
        if (child->state == CHILD_DRAINING && child->is_drained)
            child_stop(child, STOP_WAIT_MS);
    }
}

void super_on_progress(struct super *super)
{
    switch (super->state) {
    case SUPER_STARTING:
        on_start_progress(super);
        break;
    case SUPER_STOPPING:
        on_stop_progress(super);
        break;
    case SUPER_SERVING:
    case SUPER_RELOADING:
    case SUPER_UPGRADING:
        stop_drained(super);
        break;
    }
}

static void on_drain_limit(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    stop_all(CONTAINER_OF(timer, struct super, drain_limit));
}

static void drop_coming(struct super *super)
{
    struct super_config *coming = super->coming;
    super->coming = NULL;
    config_destroy(&coming);
}

void super_stop(struct super *super, bool is_now, const char *why)
{
    bool is_second = super->state == SUPER_STOPPING;
    if (is_second && super->is_drained)
        return;
    log_write(super->log, LOG_LEVEL_INFO, "%s: %s", why,
              is_second || is_now ? "stopping at once" : "draining, then stopping");
    if (!is_second)
        notify_stopping();
    super->state = SUPER_STOPPING;
    upgrade_cancel(super, "weir is stopping");
    drop_coming(super);
    reload_answer_all(super, false, SLICE("weir is stopping"));
    if (is_second || is_now) {
        stop_all(super);
        super_on_progress(super);
        return;
    }
    int64_t wait_ms = super_settings(super)->stop_timeout_ms;
    loop_timer_set(super->loop, &super->drain_limit,
                   loop_clock_ns() + (uint64_t)wait_ms * NS_PER_MS);
    super->is_first_drain = true;
    loop_timer_set(super->loop, &super->first_limit,
                   loop_clock_ns() + (uint64_t)DRAIN_FIRST_MS * NS_PER_MS);
    drain_children(super, true);
    super_on_progress(super);
}

void super_fail(struct super *super, const char *why)
{
    if (super->parent)
        candidate_refuse(super, why);
    super->exit_status = EXIT_FAILURE;
    if (super->state != SUPER_STOPPING)
        super_stop(super, true, why);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void on_child_signal(struct super *super)
{
    for (size_t i = 0; i < super->n_children; i++) {
        struct child *child = &super->children[i];
        int status;
        /* By number, so that nobody else's child is taken; again, for one that was started just
         * now. */
        while (child_runs(child) && waitpid(child->pid, &status, WNOHANG) == child->pid)
            child_on_death(child, status);
    }
    formers_on_child(super);
    upgrade_on_child(super);
}

static void on_signal(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct super *super = CONTAINER_OF(io, struct super, signals);
    struct signalfd_siginfo info;
    (void)loop;
    (void)events;
    while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            on_child_signal(super);
            break;
        case SIGHUP:
            reload_request(super, NULL);
            break;
        case SIGINT:
            super_stop(super, false, "SIGINT");
            break;
        default:
            super_stop(super, false, "SIGTERM");
            break;
        }
    }
}

/* Blocked before the first thread is started, so that it is blocked in all of them. */
static int open_signals(struct super *super, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    super->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (super->signal_fd < 0)
        return err_set_errno(err, errno, "cannot wait for signals");
    return loop_io_add_read(super->loop, &super->signals, super->signal_fd, on_signal, err);
}

/* --- the start -------------------------------------------------------------------------------- */

static uint32_t count_cores(void)
{
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof(cores), &cores) < 0)
        return 1;
    int n = CPU_COUNT(&cores);
    return n > 0 ? (uint32_t)n : 1;
}

static int make_board(struct super *super, const char *const *names, size_t n, struct err *err)
{
    if (super->taken)
        super->board_fds = super->taken->board;
    else if (board_make(names, n, &super->board_fds, err) < 0)
        return -1;
    /* The descriptors stay open: every life of every process gets them. */
    if (board_open(&super->board_fds, SUPERVISOR_SEGMENT, &super->board, err) < 0)
        return -1;
    loop_set_heartbeat(super->loop, board_heartbeat(super->board, 0));
    if (super->taken)
        board_set_starts(super->board, 1); /* the candidate was no life of its own */
    super->log_slab = metric_open(super->board, &log_metrics, "log", 1, true);
    super->upgrade_slab = metric_open(super->board, &upgrade_metrics, "upgrade", 1, true);
    return 0;
}

int super_start_drain(struct super *super, struct err *err)
{
    const struct settings *settings = super_settings(super);
    if (log_drain_start(STDERR_FILENO, super->log_bell, (enum log_format)settings->log.format,
                        &super->drain, err) < 0 ||
        log_drain_add(super->drain, "weir", super->log_fd, -1, err) < 0)
        return -1;
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        if (log_drain_add(super->drain, child->kind, child->log_fd, -1, err) < 0)
            return -1;
    }
    return formers_open_logs(super, err);
}

/* Memory for the log of a process, or that which the candidate made. */
static int make_log_memory(struct super *super, size_t segment, int *ret_fd, struct err *err)
{
    if (!super->taken)
        return log_memory_make(ret_fd, err);
    *ret_fd = super->taken->log_fds[segment];
    return 0;
}

static int make_bell(struct super *super, struct err *err)
{
    if (super->taken)
        super->log_bell = super->taken->log_bell;
    else if (super->log_bell < 0)
        super->log_bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return super->log_bell < 0 ? err_set_errno(err, errno, "cannot make the bell of the log") : 0;
}

int super_make_log(struct super *super, struct err *err)
{
    const struct settings *settings = super_settings(super);
    if (make_bell(super, err) < 0 ||
        make_log_memory(super, SUPERVISOR_SEGMENT, &super->log_fd, err) < 0 ||
        super_start_drain(super, err) < 0)
        return -1;
    return log_open(super->log_fd, super->log_bell, 0, (enum log_level)settings->log.level,
                    &super->log, err);
}

int super_make_children(struct super *super, struct err *err)
{
    const char *names[BOARD_SEGMENTS_MAX];
    size_t n_names = module_processes(super->table, names, BOARD_SEGMENTS_MAX);
    if (make_board(super, names, n_names, err) < 0)
        return -1;
    for (size_t i = SUPERVISOR_SEGMENT + 1; i < n_names; i++) {
        struct child *child = &super->children[super->n_children++];
        child_init(super, child, names[i], i);
        child->n_loops = settings_loops(super->config->snap, names[i], super->n_cores);
        if (make_log_memory(super, i, &child->log_fd, err) < 0 ||
            log_drain_add(super->drain, child->kind, child->log_fd, -1, err) < 0)
            return -1;
    }
    return 0;
}

int super_find_user(struct super *super, struct err *err)
{
    struct slice name = super_settings(super)->user;
    if (geteuid() != 0) {
        super->user = (struct sandbox_user){.uid = geteuid(), .gid = getegid()};
        return 0;
    }
    char text[64];
    slice_copy(name, text, sizeof(text));
    return sandbox_user_find(text, &super->user, err);
}

int super_make_loop(struct super *super, struct err *err)
{
    if (loop_create(0, &super->loop, err) < 0)
        return -1;
    return open_signals(super, err);
}

static int make_all(struct super *super, struct err *err)
{
    const struct snapshot *snap = super->config->snap;
    if (super_find_user(super, err) < 0)
        return -1;
    if (state_dir_open(snap->state_dir, &super->user, &super->state_dir, &super->state_fd,
                       &super->lock_fd, err) < 0)
        return -1;
    if (super_make_loop(super, err) < 0 || super_make_log(super, err) < 0)
        return -1;
    return super_make_children(super, err);
}

static void print_diag(const struct conf_diag *diag)
{
    struct text text = TEXT_NONE;
    conf_diag_print(diag, &text);
    fputs(text_cstr(&text), stderr);
    text_deinit(&text);
}

void super_start_children(struct super *super)
{
    for (size_t i = 0; i < super->n_children; i++) {
        if (snapshot_needs(super->config->snap, super->children[i].kind) &&
            !child_runs(&super->children[i]))
            child_start(&super->children[i], super->config);
    }
    super_on_progress(super);
}

/*
 * What was changed at run time is laid over the file, now that the state directory is known. It
 * stops no start: where the two do not fit, the file alone counts.
 */
static void take_overlay(struct super *super)
{
    struct super_config *with;
    if (faccessat(super->state_fd, SNAPSHOT_OVERLAY, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    super->last_generation--;
    int result = config_load(super, &with);
    config_log(super, with);
    if (result < 0) {
        overlay_set_aside(super, "it and the file do not fit together");
        config_destroy(&with);
        return;
    }
    config_destroy(&super->config);
    super->config = with;
}

/* Everything up to the first process. Returns 0, or -1 after it has told standard error. */
static int prepare(struct super *super)
{
    struct err err = ERR_NONE;
    int result = config_load(super, &super->config);
    if (result < 0 || super->config->diag->n_items > 0)
        print_diag(super->config->diag);
    if (result < 0)
        return -1;
    if (make_all(super, &err) < 0) {
        fprintf(stderr, "weir: %s\n", err.text);
        return -1;
    }
    take_overlay(super);
    if (sockets_bind(super, super->config) < 0) {
        print_diag(super->config->diag);
        return -1;
    }
    return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void deinit_loop(struct super *super)
{
    if (!super->loop)
        return;
    loop_timer_clear(super->loop, &super->watch);
    loop_timer_clear(super->loop, &super->reload_limit);
    loop_timer_clear(super->loop, &super->drain_limit);
    loop_timer_clear(super->loop, &super->first_limit);
    loop_timer_clear(super->loop, &super->notify_timer);
    if (loop_io_is_armed(&super->signals))
        loop_io_remove(super->loop, &super->signals, false);
    loop_destroy(&super->loop);
}

static void super_destroy(struct super *super)
{
    sockets_deinit(super);
    formers_deinit(super);
    groups_close(super);
    for (size_t i = 0; i < super->n_children; i++) {
        if (super->children[i].log_fd >= 0)
            close(super->children[i].log_fd);
        mem_free(super->children[i].sent);
    }
    log_close(&super->log);
    if (super->drain)
        log_drain_stop(&super->drain, LOG_FLUSH_MS);
    if (super->log_fd >= 0)
        close(super->log_fd);
    if (super->signal_fd >= 0)
        close(super->signal_fd);
    if (super->log_bell >= 0)
        close(super->log_bell);
    if (super->board) {
        if (super->log_slab)
            metric_forget(super->log_slab);
        if (super->upgrade_slab)
            metric_forget(super->upgrade_slab);
        board_close(&super->board);
        board_fds_close(&super->board_fds);
    }
    carry_deinit(super);
    deinit_loop(super);
    config_destroy(&super->config);
    if (super->lock_fd >= 0)
        close(
            super
                ->lock_fd); /* the lock goes, the file stays: removing it would race with a start */
    if (super->state_fd >= 0)
        close(super->state_fd);
    mem_free(super->state_dir);
    mem_free(super->folder);
    mem_free(super->binary);
    mem_free(super->packet);
    text_deinit(&super->reloaded);
    mem_free(super);
}

static struct super *super_create(const struct module_table *table, const struct command_conf *conf)
{
    struct super *super = MEM_NEW(struct super);
    super->table = table;
    super->conf = conf;
    super->folder = disk_folder();
    super->n_cores = count_cores();
    super->binary = upgrade_find_binary(super->folder);
    super->lock_fd = super->state_fd = super->log_fd = super->log_bell = -1;
    super->jobs_fd = -1;
    super->signal_fd = super->candidate_fd = -1;
    super->packet = mem_alloc(CONTROL_BYTES_MAX);
    super->exit_status = EXIT_SUCCESS;
    list_init(&super->bounds);
    list_init(&super->formers);
    map_init(&super->carried, 0, false);
    loop_io_init(&super->signals);
    loop_io_init(&super->candidate_io);
    loop_timer_init(&super->drain_limit, on_drain_limit);
    loop_timer_init(&super->first_limit, on_first_limit);
    /* Before they are set: clearing one that is in no heap does nothing. */
    loop_timer_init(&super->watch, NULL);
    loop_timer_init(&super->reload_limit, NULL);
    loop_timer_init(&super->notify_timer, NULL);
    return super;
}

/* The processes inherit it: a client and its member are two descriptors. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int super_main(const struct module_table *table, const struct command_conf *conf)
{
    raise_descriptor_limit();
    struct super *super = super_create(table, conf);
    if (conf->candidate)
        return candidate_main(super, conf->candidate);
    if ((conf->resume ? resume_prepare(super, conf->resume) : prepare(super)) < 0) {
        super_destroy(super);
        return EXIT_FAILURE;
    }
    notify_start(super);
    watch_start(super);
    super_start_children(super);
    loop_run(super->loop);
    int status = super->exit_status;
    log_write(super->log, LOG_LEVEL_INFO, "weir has stopped");
    super_destroy(super);
    return status;
}
