/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The old supervisor's side of an upgrade, up to the moment in which it becomes the new one.
 */

#include "super/upgrade.h"
#include "base/mem.h"
#include "core/build.h"
#include "super/former.h"
#include "super/handover.h"
#include "super/tool.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OUTPUT_MAX = 16 * 1024, /* of what the binary prints, is kept */
    SAYS_MAX = 160,
    ARGS_MAX = 12,
    LOG_FLUSH_MS = 1000,
};

enum upgrade_step { STEP_VERSION, STEP_CHECK, STEP_CANDIDATE };

struct upgrade {
    struct super *super;
    enum upgrade_step step;
    bool has_who;
    struct requester who;
    char *path;
    int binary_fd;
    char says[SAYS_MAX]; /* "weir 0.2.0 build 1a2b3c" */
    pid_t pid;           /* of what runs in this step; 0: nothing */
    struct loop_io out;  /* what it prints, or, of the candidate, what it says */
    struct text output;
    bool is_ready; /* the candidate is */
    struct loop_timer limit;
};

/* --- the end of one --------------------------------------------------------------------------- */

static void close_io(struct super *super, struct loop_io *io)
{
    if (!loop_io_is_armed(io))
        return;
    int fd = io->fd;
    loop_io_remove(super->loop, io, false);
    close(fd);
}

static void upgrade_destroy(struct upgrade *upgrade)
{
    struct super *super = upgrade->super;
    super->upgrade = NULL;
    loop_timer_clear(super->loop, &upgrade->limit);
    close_io(super, &upgrade->out);
    if (upgrade->binary_fd >= 0)
        close(upgrade->binary_fd);
    text_deinit(&upgrade->output);
    mem_free(upgrade->path);
    mem_free(upgrade);
}

/* Those of the candidate's group are our children: they are killed at once and reaped as they
 * end. */
static void kill_all(struct upgrade *upgrade)
{
    if (upgrade->pid <= 0)
        return;
    if (upgrade->step == STEP_CANDIDATE) {
        kill(-upgrade->pid, SIGKILL);
        upgrade->super->reap_group = upgrade->pid;
    } else {
        kill(upgrade->pid, SIGKILL);
        waitpid(upgrade->pid, NULL, 0);
    }
    upgrade->pid = 0;
}

static void answer(struct upgrade *upgrade, bool is_ok, struct slice text)
{
    if (upgrade->has_who)
        super_answer(upgrade->super, &upgrade->who, is_ok, text);
}

static void refuse(struct upgrade *upgrade, const char *why)
{
    struct super *super = upgrade->super;
    log_write(super->log, LOG_LEVEL_ERROR, "upgrade refused, nothing has changed:");
    for (struct slice rest = slice_from(why); rest.ptr && rest.len > 0;) {
        struct slice line = slice_cut(&rest, '\n');
        log_write(super->log, LOG_LEVEL_ERROR, "  %.*s", SLICE_ARG(line));
    }
    metric_add(metric_row(super->upgrade_slab, 0), UPGRADE_REFUSED, 1);
    answer(upgrade, false, slice_from(why));
    kill_all(upgrade);
    upgrade_destroy(upgrade);
    if (super->state != SUPER_UPGRADING)
        return;
    notify_ready(super);
    super->state = SUPER_SERVING;
    reload_resume(super);
}

static void refuse_with_output(struct upgrade *upgrade, const char *what)
{
    struct text why = TEXT_NONE;
    text_printf(&why, "%s %s", upgrade->path, what);
    if (upgrade->output.len > 0)
        text_printf(&why, ":\n%s", text_cstr(&upgrade->output));
    refuse(upgrade, text_cstr(&why));
    text_deinit(&why);
}

static void on_limit(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    refuse_with_output(CONTAINER_OF(timer, struct upgrade, limit),
                       "was not ready within upgrade-timeout");
}

void upgrade_cancel(struct super *super, const char *why)
{
    if (super->upgrade)
        refuse(super->upgrade, why);
}

/* --- the arguments ---------------------------------------------------------------------------- */

/* argv of a command with the file and options that this weir was started with; strings live as long
 * as the supervisor, and may not be changed. */
struct args {
    const char *items[ARGS_MAX];
    size_t n_items;
};

static void add(struct args *args, const char *argument)
{
    assert(args->n_items + 1 < ARGS_MAX);
    args->items[args->n_items++] = argument;
}

static void add_option(struct args *args, const char *name, const char *value)
{
    if (!value)
        return;
    add(args, name);
    add(args, value);
}

static struct args args_of(const struct super *super, const char *command, const char *option,
                           const char *value)
{
    struct args args = {.n_items = 0};
    add(&args, program_invocation_name);
    add(&args, command);
    add(&args, super->conf->path);
    add_option(&args, "--node", super->conf->node);
    if (strcmp(command, "run") == 0)
        add_option(&args, "--state", super->conf->state_dir);
    add_option(&args, option, value);
    return args;
}

/* execve() takes what it does not change without const. */
static char *const *argv_of(const struct args *args)
{
    union {
        const char *const *from;
        char *const *to;
    } cast = {.from = args->items};
    return cast.to;
}

/* --- running it ------------------------------------------------------------------------------- */

static void on_output(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct upgrade *upgrade = CONTAINER_OF(io, struct upgrade, out);
    char buf[4096];
    ssize_t n;
    (void)loop;
    (void)events;
    while ((n = read(io->fd, buf, sizeof(buf))) > 0) {
        size_t room = OUTPUT_MAX - upgrade->output.len;
        text_append(&upgrade->output, slice_make(buf, (size_t)n < room ? (size_t)n : room));
    }
}

/* Runs the binary and keeps what it prints; its end is the next step. */
static void run(struct upgrade *upgrade, enum upgrade_step step, const struct args *args)
{
    struct err err = ERR_NONE;
    int pipe_fds[2];
    upgrade->step = step;
    text_clear(&upgrade->output);
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        refuse(upgrade, "cannot make a pipe");
        return;
    }
    fcntl(pipe_fds[1], F_SETFL, 0); /* the end of the one who prints blocks, as programs expect */
    const struct tool tool = {
        .binary_fd = upgrade->binary_fd, .argv = argv_of(args), .out_fd = pipe_fds[1]};
    int result = tool_start(&tool, &upgrade->pid, &err);
    close(pipe_fds[1]);
    if (result == 0)
        result =
            loop_io_add_read(upgrade->super->loop, &upgrade->out, pipe_fds[0], on_output, &err);
    if (result == 0)
        return;
    close(pipe_fds[0]);
    refuse(upgrade, err.text);
}

/* --- becoming it ------------------------------------------------------------------------------ */

/* What whoever asked is told when all is well. */
static struct slice success(const struct upgrade *upgrade, char *text, size_t size)
{
    snprintf(text, size, "weir is now %s, from build %s", upgrade->says, build_id());
    return slice_from(text);
}

/* Returns only when it failed, with err; nothing has changed then. */
static void become(struct upgrade *upgrade, struct err *err)
{
    struct super *super = upgrade->super;
    char text[SAYS_MAX + 64], number[16];
    struct fd_list fds = {.items = NULL};
    int fd;
    const struct handover_ask ask = {.candidate = upgrade->pid,
                                     .socket = upgrade->out.fd,
                                     .binary = upgrade->path,
                                     .success = success(upgrade, text, sizeof(text)),
                                     .who = upgrade->has_who ? &upgrade->who : NULL};
    /* The log's thread ends with this program: what is in the rings is written before. */
    log_drain_stop(&super->drain, LOG_FLUSH_MS);
    if (handover_write(super, &ask, &fds, &fd, err) == 0) {
        snprintf(number, sizeof(number), "%d", fd);
        struct args args = args_of(super, "run", "--resume", number);
        const struct tool tool = {
            .binary_fd = upgrade->binary_fd, .argv = argv_of(&args), .out_fd = -1, .fds = &fds};
        tool_become(&tool, err);
        close(fd);
    }
    fd_list_deinit(&fds);
    super_start_drain(super, NULL);
}

static void on_ready(struct upgrade *upgrade)
{
    struct err err = ERR_NONE;
    upgrade->is_ready = true;
    log_write(upgrade->super->log, LOG_LEVEL_INFO, "upgrade: the processes of %s are ready",
              upgrade->says);
    become(upgrade, &err);
    refuse(upgrade, err.text);
}

/* --- the candidate ---------------------------------------------------------------------------- */

static void on_candidate(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct upgrade *upgrade = CONTAINER_OF(io, struct upgrade, out);
    static const struct slice refused = SLICE_INIT("refused ");
    char *packet = upgrade->super->packet;
    (void)loop;
    (void)events;
    ssize_t n = recv(io->fd, packet, CONTROL_BYTES_MAX, MSG_DONTWAIT);
    if (n <= 0)
        return; /* nothing yet, or its end, whose signal is on its way */
    struct slice said = slice_make(packet, (size_t)n);
    if (slice_is(said, "ready") && upgrade->pid > 0) {
        on_ready(upgrade);
        return;
    }
    if (slice_starts(said, refused)) {
        text_clear(&upgrade->output);
        text_append(&upgrade->output, slice_skip(said, refused.len));
    }
    refuse_with_output(upgrade, "cannot take over");
}

static int start_candidate(struct upgrade *upgrade, struct err *err)
{
    struct super *super = upgrade->super;
    int pair[2], fd;
    char number[16];
    struct fd_list fds = {.items = NULL};
    if (control_pair(pair, err) < 0)
        return -1;
    const struct handover_ask ask = {.socket = pair[1], .binary = upgrade->path};
    int result = handover_write(super, &ask, &fds, &fd, err);
    if (result == 0) {
        snprintf(number, sizeof(number), "%d", fd);
        struct args args = args_of(super, "run", "--candidate", number);
        const struct tool tool = {.binary_fd = upgrade->binary_fd,
                                  .argv = argv_of(&args),
                                  .out_fd = -1,
                                  .fds = &fds,
                                  .has_group = true};
        result = tool_start(&tool, &upgrade->pid, err);
        close(fd);
    }
    fd_list_deinit(&fds);
    close(pair[1]);
    if (result == 0)
        result = loop_io_add_read(super->loop, &upgrade->out, pair[0], on_candidate, err);
    if (result < 0)
        close(pair[0]);
    return result;
}

static void run_candidate(struct upgrade *upgrade)
{
    struct err err = ERR_NONE;
    upgrade->step = STEP_CANDIDATE;
    text_clear(&upgrade->output);
    if (start_candidate(upgrade, &err) < 0)
        refuse(upgrade, err.text);
}

/* --- the steps -------------------------------------------------------------------------------- */

static void on_version(struct upgrade *upgrade, int status)
{
    struct slice line = text_slice(&upgrade->output);
    line = slice_cut(&line, '\n');
    if (status != 0 || !slice_starts(line, SLICE("weir "))) {
        refuse_with_output(
            upgrade, line.len > 0 ? "is no weir: it was asked for its version, and this came"
                                  : "is no weir: it was asked for its version, and said nothing");
        return;
    }
    slice_copy(line, upgrade->says, sizeof(upgrade->says));
    struct args args = args_of(upgrade->super, "check", NULL, NULL);
    run(upgrade, STEP_CHECK, &args);
}

static void on_end(struct upgrade *upgrade, int status)
{
    struct super *super = upgrade->super;
    if (upgrade->step != STEP_CANDIDATE)
        on_output(super->loop, &upgrade->out, LOOP_READ);
    else if (loop_io_is_armed(&upgrade->out)) {
        on_candidate(super->loop, &upgrade->out, LOOP_READ);
        if (!super->upgrade)
            return; /* it had said why */
    }
    close_io(super, &upgrade->out);
    switch (upgrade->step) {
    case STEP_VERSION:
        on_version(upgrade, status);
        break;
    case STEP_CHECK:
        if (status == 0)
            run_candidate(upgrade);
        else
            refuse_with_output(upgrade, "does not accept the configuration");
        break;
    case STEP_CANDIDATE:
        refuse_with_output(upgrade, "ended before it was ready");
        break;
    }
}

void upgrade_on_child(struct super *super)
{
    struct upgrade *upgrade = super->upgrade;
    int status;
    while (super->reap_group > 0) {
        pid_t pid = waitpid(-super->reap_group, &status, WNOHANG);
        if (pid < 0)
            super->reap_group = 0; /* none is left */
        if (pid <= 0)
            break;
    }
    if (!upgrade || upgrade->pid <= 0)
        return;
    pid_t pid = upgrade->pid;
    if (waitpid(pid, &status, WNOHANG) != pid)
        return;
    if (upgrade->step == STEP_CANDIDATE) {
        /* What it started ends as well, and is ours to reap. */
        kill(-pid, SIGKILL);
        upgrade->pid = 0;
        on_end(upgrade, status);
        super->reap_group = pid;
        upgrade_on_child(super);
        return;
    }
    upgrade->pid = 0;
    on_end(upgrade, status);
}

/* --- the beginning ---------------------------------------------------------------------------- */

/* Who may command admin must not be able to have the supervisor execute what he wrote himself. */
static int look_at(int fd, const char *path, struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return err_set_errno(err, errno, "cannot look at %s", path);
    if (!S_ISREG(status.st_mode) || !(status.st_mode & 0111))
        return err_set(err, "%s is no program", path);
    bool is_root = geteuid() == 0;
    if (is_root && (status.st_uid != 0 || (status.st_mode & 022)))
        return err_set(err,
                       "%s could be changed by others than root (owner %u, mode %o): chown it to "
                       "root and take the others' right to write away",
                       path, (unsigned)status.st_uid, (unsigned)status.st_mode & 07777);
    return 0;
}

static int open_binary(struct upgrade *upgrade, struct err *err)
{
    upgrade->binary_fd = open(upgrade->path, O_PATH | O_CLOEXEC);
    if (upgrade->binary_fd < 0)
        return err_set_errno(err, errno, "cannot open %s", upgrade->path);
    return look_at(upgrade->binary_fd, upgrade->path, err);
}

static void begin(struct upgrade *upgrade)
{
    struct super *super = upgrade->super;
    struct err err = ERR_NONE;
    struct args args = {.n_items = 0};
    super->state = SUPER_UPGRADING;
    notify_reloading();
    loop_timer_set(super->loop, &upgrade->limit,
                   loop_clock_ns() +
                       (uint64_t)super_settings(super)->upgrade_timeout_ms * NS_PER_MS);
    if (open_binary(upgrade, &err) < 0) {
        refuse(upgrade, err.text);
        return;
    }
    add(&args, program_invocation_name);
    add(&args, "--version");
    run(upgrade, STEP_VERSION, &args);
}

static size_t count_formers(const struct super *super)
{
    size_t n = super->n_children;
    LIST_EACH (node, &super->formers)
        n++;
    return n;
}

/* Why no upgrade can begin now; NULL: it can. */
static const char *why_not(const struct super *super)
{
    switch (super->state) {
    case SUPER_SERVING:
        return count_formers(super) > FORMERS_MAX
                   ? "too many processes of former builds have not finished yet"
                   : NULL;
    case SUPER_STARTING:
        return "weir is starting; try again when it serves";
    case SUPER_RELOADING:
        return "weir is reloading; try again when that is over";
    case SUPER_UPGRADING:
        return "another upgrade is under way";
    case SUPER_STOPPING:
        return "weir is stopping";
    }
    return NULL;
}

void upgrade_request(struct super *super, const struct requester *who, struct slice binary)
{
    const char *why = why_not(super);
    if (!why && binary.len == 0 && !super->binary)
        why = "weir does not know where it was started from; name the binary";
    if (!why && binary.len > 0 && binary.ptr[0] != '/')
        why = "the path of the binary must begin with /";
    if (why) {
        if (who)
            super_answer(super, who, false, slice_from(why));
        return;
    }
    struct upgrade *upgrade = MEM_NEW(struct upgrade);
    super->upgrade = upgrade;
    upgrade->super = super;
    upgrade->has_who = who != NULL;
    if (who)
        upgrade->who = *who;
    upgrade->path = binary.len > 0 ? slice_dup(binary) : mem_strdup(super->binary);
    upgrade->binary_fd = -1;
    loop_io_init(&upgrade->out);
    loop_timer_init(&upgrade->limit, on_limit);
    log_write(super->log, LOG_LEVEL_INFO, "upgrade to %s", upgrade->path);
    begin(upgrade);
}

/* --- where this one came from ----------------------------------------------------------------- */

static bool is_this_program(const char *path)
{
    struct stat self, other;
    return stat("/proc/self/exe", &self) == 0 && stat(path, &other) == 0 &&
           self.st_dev == other.st_dev && self.st_ino == other.st_ino;
}

/* As the shell found it: a link on the way stays a link, so that it may point elsewhere later. */
static char *find_in_path(const char *name)
{
    char path[4096];
    const char *list = getenv("PATH");
    struct slice rest = slice_from(list ? list : "");
    while (rest.ptr && rest.len > 0) {
        struct slice folder = slice_cut(&rest, ':');
        snprintf(path, sizeof(path), "%.*s/%s", SLICE_ARG(folder), name);
        if (path[0] == '/' && is_this_program(path))
            return mem_strdup(path);
    }
    return NULL;
}

char *upgrade_find_binary(const char *folder)
{
    char path[4096];
    const char *name = program_invocation_name;
    if (!strchr(name, '/')) {
        char *found = find_in_path(name);
        if (found)
            return found;
    } else {
        snprintf(path, sizeof(path), "%s%s%s", name[0] == '/' ? "" : folder,
                 name[0] == '/' ? "" : "/", name);
        if (is_this_program(path))
            return mem_strdup(path);
    }
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (len <= 0)
        return NULL;
    path[len] = 0;
    return mem_strdup(path);
}
