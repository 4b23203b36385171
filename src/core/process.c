/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of a process, from the supervisor's first message to its last.
 */

#include "core/process.h"
#include "base/mem.h"
#include "core/process_life.h"
#include "core/settings.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000, DRAIN_LOOK_MS = 10 };

const struct module *process_next_module(const struct process_life *life, size_t *place)
{
    const struct module_table *table = life->process.table;
    for (; *place < table->n_items; (*place)++) {
        if (module_lives_in(table->items[*place], life->process.kind))
            return table->items[*place];
    }
    return NULL;
}

/* --- talking to the supervisor ---------------------------------------------------------------- */

static void tell(struct process_life *life, enum control_type type, uint64_t generation,
                 const char *text)
{
    struct control_message message;
    struct err err = ERR_NONE;
    control_init(&message, type);
    message.generation = generation;
    message.text = slice_from(text);
    if (control_send(CONTROL_FD, &message, &err) < 0)
        log_write(life->process.logs[0], LOG_LEVEL_ERROR, "%s", err.text);
}

/*
 * The supervisor is dead: whatever this process does now, it does without anybody who watches it.
 * What it has put outside of itself it still takes back.
 */
static _Noreturn void end_at_once(struct process_life *life)
{
    size_t place = 0;
    for (const struct module *module = process_next_module(life, &place); module;
         module = process_next_module(life, &place)) {
        if (module->orphaned && life->states[place])
            module->orphaned(life->states[place]);
        place++;
    }
    _exit(EXIT_FAILURE);
}

/* Does a module take something back then? So it may not be killed with the supervisor. */
static bool outlives_supervisor(const struct process_life *life)
{
    size_t place = 0;
    for (const struct module *module = process_next_module(life, &place); module;
         module = process_next_module(life, &place)) {
        if (module->orphaned)
            return true;
        place++;
    }
    return false;
}

/* --- prepare, commit, abort ------------------------------------------------------------------- */

static void abort_modules(struct process_life *life, size_t end)
{
    size_t place = 0;
    for (const struct module *module = process_next_module(life, &place); module && place < end;
         module = process_next_module(life, &place)) {
        if (module->abort)
            module->abort(life->states[place], life->coming);
        place++;
    }
}

static int prepare_modules(struct process_life *life, struct err *err)
{
    size_t place = 0;
    for (const struct module *module = process_next_module(life, &place); module;
         module = process_next_module(life, &place)) {
        if (module->prepare && module->prepare(life->states[place], life->coming, err) < 0) {
            abort_modules(life, place);
            return -1;
        }
        place++;
    }
    return 0;
}

struct snapshot_options process_snapshot_options(const struct process *process,
                                                 const struct conf_bundle *bundle,
                                                 const struct conf_host *host)
{
    return (struct snapshot_options){
        .path = conf_bundle_blob(bundle, "weir.file").ptr,
        .host = host,
        .folder = conf_bundle_blob(bundle, "weir.folder").ptr,
        .node = conf_bundle_blob(bundle, "weir.node").ptr,
        .state_dir = conf_bundle_blob(bundle, "weir.state").ptr,
        .overlay = conf_bundle_blob(bundle, "weir.overlay").ptr,
        .n_loops = process->n_loops,
    };
}

/* Parses the coming bundle into the coming snapshot; the mistakes become the sentence. */
static int load_coming(struct process_life *life, uint64_t generation, struct text *ret_why)
{
    struct process *process = &life->process;
    const struct conf_bundle *bundle = &life->coming_bundle.bundle;
    struct conf_host host = conf_bundle_host(bundle);
    struct snapshot_options options = process_snapshot_options(process, bundle, &host);
    options.generation = generation;
    if (!options.path) {
        text_printf(ret_why, "the bundle does not name the file");
        return -1;
    }
    struct conf_diag *diag;
    if (snapshot_load(process->table, &options, &life->coming, &diag) == 0)
        return 0;
    conf_diag_print(diag, ret_why);
    return -1;
}

static void forget_coming(struct process_life *life)
{
    process_bundle_close(&life->coming_bundle);
    snapshot_unref(&life->coming);
    process_sockets_abort(&life->sockets);
    process_sockets_sweep(&life->sockets);
}

static int prepare(struct process_life *life, struct control_message *message, struct text *ret_why)
{
    struct err err = ERR_NONE;
    if (process_bundle_open(message, &life->coming_bundle, &err) == 0) {
        if (load_coming(life, message->generation, ret_why) < 0)
            return -1;
        if (prepare_modules(life, &err) == 0)
            return 0;
    }
    text_printf(ret_why, "%s", err.text);
    return -1;
}

static void on_prepare(struct process_life *life, struct control_message *message)
{
    struct text why = TEXT_NONE;
    assert(!life->coming);
    if (prepare(life, message, &why) == 0) {
        tell(life, CONTROL_READY, message->generation, "");
    } else {
        forget_coming(life);
        tell(life, CONTROL_REFUSED, message->generation, text_cstr(&why));
    }
    text_deinit(&why);
}

static void on_abort(struct process_life *life)
{
    if (!life->coming)
        return;
    abort_modules(life, life->process.table->n_items);
    forget_coming(life);
}

/* In each loop, behind what its modules gave it in commit(): it has gone over when it is here. */
static void pass_by(struct loop *loop, void *ctx)
{
    (void)loop;
    (void)ctx;
}

/* A snapshot on its way through the loops. */
struct passage {
    struct snapshot *former; /* a reference; NULL: it is the first */
    uint64_t generation;
};

/* All loops have gone over: the former snapshot is held no longer than by those who still use it,
 * and the sockets that are wanted no more are in no loop. */
static void on_gone_over(struct process *process, void *ctx)
{
    struct process_life *life = process_life(process);
    struct passage *passage = ctx;
    if (passage->former)
        snapshot_unref(&passage->former);
    process_sockets_sweep(&life->sockets);
    tell(life, CONTROL_SWITCHED, passage->generation, "");
    mem_free(passage);
}

static void apply_settings(struct process *process)
{
    const struct settings *settings = settings_of(process->snap);
    for (uint32_t i = 0; settings && i < process->n_loops; i++)
        log_set_level(process->logs[i], (enum log_level)settings->log.level);
}

static void on_commit(struct process_life *life)
{
    struct process *process = &life->process;
    if (!life->coming)
        return;
    struct passage *passage = MEM_NEW(struct passage);
    *passage = (struct passage){process->snap, life->coming->generation};
    process->snap = life->coming;
    size_t place = 0;
    for (const struct module *module = process_next_module(life, &place); module;
         module = process_next_module(life, &place)) {
        if (module->commit)
            module->commit(life->states[place], process->snap);
        place++;
    }
    process_sockets_commit(&life->sockets);
    life->coming = NULL;
    process_bundle_close(&life->bundle);
    life->bundle = life->coming_bundle;
    life->coming_bundle = (struct process_bundle){.bytes = NULL};
    conf_bundle_init(&life->coming_bundle.bundle);
    apply_settings(process);
    process_each_loop(process, pass_by, passage, on_gone_over);
    if (life->state == PROCESS_INITIAL)
        life->state = PROCESS_SERVING;
}

/* --- drain, stop ------------------------------------------------------------------------------ */

static bool is_drained(const struct process_life *life)
{
    size_t place = 0;
    for (const struct module *module = process_next_module(life, &place); module;
         module = process_next_module(life, &place)) {
        if (module->is_drained && !module->is_drained(life->states[place]))
            return false;
        place++;
    }
    return true;
}

static void on_drain_timer(struct loop *loop, struct loop_timer *timer)
{
    struct process_life *life = CONTAINER_OF(timer, struct process_life, drain_timer);
    if (is_drained(life) || loop_now_ns(loop) >= life->drain_deadline_ns) {
        life->state = PROCESS_DRAINED;
        if (life->process.is_former)
            process_former_tell(life);
        else
            tell(life, CONTROL_DRAINED, 0, "");
        return;
    }
    loop_timer_set(loop, timer, loop_now_ns(loop) + DRAIN_LOOK_MS * NS_PER_MS);
}

static void on_drain(struct process_life *life, int64_t wait_ms)
{
    struct loop *loop = life->process.loops[0];
    if (life->state == PROCESS_DRAINING || life->state == PROCESS_DRAINED)
        return;
    on_abort(life);
    life->state = PROCESS_DRAINING;
    life->process.is_draining = true;
    life->drain_deadline_ns = loop_now_ns(loop) + (uint64_t)wait_ms * NS_PER_MS;
    size_t place = 0;
    for (const struct module *module = process_next_module(life, &place); module;
         module = process_next_module(life, &place)) {
        if (module->drain)
            module->drain(life->states[place], life->drain_deadline_ns);
        place++;
    }
    loop_timer_set(loop, &life->drain_timer, loop_now_ns(loop));
}

/* A drain that had begun already goes on as it was told. */
static void on_retire(struct process_life *life, int64_t wait_ms)
{
    life->process.is_former = true;
    process_former_begin(life);
    on_drain(life, wait_ms);
}

static void stop_modules(struct process_life *life)
{
    for (size_t place = life->process.table->n_items; place-- > 0;) {
        const struct module *module = life->process.table->items[place];
        if (module_lives_in(module, life->process.kind) && module->stop)
            module->stop(life->states[place]);
    }
}

/* --- messages --------------------------------------------------------------------------------- */

/* One end of a socket to another process, for admin's questions or for requests of programs. */
static void on_link(struct process_life *life, struct control_message *message,
                    int (*link)(struct process_life *life, const char *kind, int fd,
                                struct err *err))
{
    struct err err = ERR_NONE;
    for (size_t i = 0; i < message->n_labels; i++) {
        struct control_label *label = &message->labels[i];
        int fd = label->fd;
        label->fd = -1;
        if (fd >= 0 && link(life, label->name, fd, &err) < 0)
            log_write(life->process.logs[0], LOG_LEVEL_ERROR, "%s: %s",
                      control_type_name(message->type), err.text);
    }
}

static void on_message(struct process_life *life, struct control_message *message)
{
    struct err err = ERR_NONE;
    switch (message->type) {
    case CONTROL_SOCKETS:
        if (process_sockets_add(&life->sockets, message, &err) < 0)
            log_write(life->process.logs[0], LOG_LEVEL_ERROR, "%s", err.text);
        break;
    case CONTROL_PREPARE:
        on_prepare(life, message);
        break;
    case CONTROL_COMMIT:
        on_commit(life);
        break;
    case CONTROL_ABORT:
        on_abort(life);
        break;
    case CONTROL_QUERY:
        on_link(life, message, queries_link);
        break;
    case CONTROL_PROGRAMS:
        on_link(life, message, programs_link);
        break;
    case CONTROL_DRAIN:
        on_drain(life, message->wait_ms);
        break;
    case CONTROL_RETIRE:
        on_retire(life, message->wait_ms);
        break;
    case CONTROL_STOP:
        loop_stop(life->process.loops[0]);
        break;
    case CONTROL_ANSWER:
        requests_answer(life, message);
        break;
    case CONTROL_INIT:
    case CONTROL_READY:
    case CONTROL_REFUSED:
    case CONTROL_DRAINED:
    case CONTROL_REQUEST:
    case CONTROL_SWITCHED:
    case CONTROL_N_TYPES:
        log_write(life->process.logs[0], LOG_LEVEL_ERROR, "the supervisor sent %s, out of place",
                  control_type_name(message->type));
        break;
    }
    control_close_fds(message);
}

static void on_control(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct process_life *life = CONTAINER_OF(io, struct process_life, control);
    struct err err = ERR_NONE;
    struct control_message message;
    (void)loop;
    (void)events;
    for (;;) {
        int result = control_receive(io->fd, life->packet, &message, &err);
        if (result < 0)
            end_at_once(life);
        if (result == 0)
            return;
        on_message(life, &message);
    }
}

/* --- facts ------------------------------------------------------------------------------------ */

void process_watch(struct process *process,
                   void (*fn)(void *ctx, const struct board_change *change),
                   void (*lost)(void *ctx, size_t segment), void *ctx)
{
    struct process_life *life = process_life(process);
    assert(life->n_watchers < WATCHERS_MAX);
    life->watchers[life->n_watchers++] =
        (struct process_watcher){.fn = fn, .lost = lost, .ctx = ctx};
}

static void on_change(void *ctx, const struct board_change *change)
{
    const struct process_life *life = ctx;
    for (size_t i = 0; i < life->n_watchers; i++) {
        if (life->watchers[i].fn)
            life->watchers[i].fn(life->watchers[i].ctx, change);
    }
}

static void on_lost(void *ctx, size_t segment)
{
    const struct process_life *life = ctx;
    for (size_t i = 0; i < life->n_watchers; i++) {
        if (life->watchers[i].lost)
            life->watchers[i].lost(life->watchers[i].ctx, segment);
    }
}

static void on_bell(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct process_life *life = CONTAINER_OF(io, struct process_life, bell);
    uint64_t count;
    (void)loop;
    (void)events;
    (void)!read(io->fd, &count,
                sizeof(count)); /* before looking: what rings meanwhile rings again */
    board_changes(life->process.board, &life->cursor, on_change, on_lost, life);
}

/* --- the start -------------------------------------------------------------------------------- */

static int open_board(struct process_life *life, struct control_message *message, struct err *err)
{
    struct process *process = &life->process;
    const char *names[BOARD_SEGMENTS_MAX];
    struct board_fds fds = {.n_segments =
                                module_processes(process->table, names, BOARD_SEGMENTS_MAX)};
    int own = BOARD_NO_SEGMENT;
    for (size_t i = 0; i < fds.n_segments; i++) {
        if (strcmp(names[i], process->kind) == 0)
            own = (int)i;
        fds.rw[i] = control_take(message, "board-rw", (uint32_t)i);
        fds.ro[i] = control_take(message, "board-ro", (uint32_t)i);
        fds.bell[i] = control_take(message, "bell", (uint32_t)i);
    }
    for (size_t i = fds.n_segments; i < BOARD_SEGMENTS_MAX; i++)
        fds.rw[i] = fds.ro[i] = fds.bell[i] = -1;
    if (own < 0)
        return err_set(err, "no module lives in a process of kind %s", process->kind);
    if (board_open(&fds, own, &process->board, err) < 0)
        return -1;
    process->is_first_life = board_starts(process->board, (size_t)own) <= 1;
    for (size_t i = 0; i < fds.n_segments; i++) {
        if (fds.rw[i] >= 0)
            close(fds.rw[i]);
        if (fds.ro[i] >= 0)
            close(fds.ro[i]);
    }
    return 0;
}

static int start_modules(struct process_life *life, struct sandbox_profile *profile,
                         struct err *err)
{
    size_t place = 0;
    for (const struct module *module = process_next_module(life, &place); module;
         module = process_next_module(life, &place)) {
        sandbox_join(profile, &module->sandbox);
        if (module->start && module->start(&life->process, &life->states[place], err) < 0)
            return err_prefix(err, "%s", module->name);
        place++;
    }
    return 0;
}

/*
 * Closes the sandbox. The change of user makes the kernel forget that this process is to die with
 * the supervisor, so it is told again, unless there is something to be done then; should the
 * supervisor have died in between, the end of the control socket says so as soon as the loop looks.
 */
static int close_sandbox(struct process_life *life, const struct sandbox_profile *profile,
                         const struct sandbox_user *user, struct err *err)
{
    if (sandbox_drop_privileges(profile, user, err) < 0)
        return -1;
    prctl(PR_SET_PDEATHSIG, outlives_supervisor(life) ? 0 : SIGKILL, 0, 0, 0);
    if (profile->allow & SANDBOX_STATE_FILES) {
        int result = sandbox_confine(life->process.state_fd, err);
        if (result < 0)
            return -1;
        if (result > 0)
            log_write(life->process.logs[0], LOG_LEVEL_INFO,
                      "this kernel has no Landlock: the file rights of the user alone keep this "
                      "process from writing elsewhere");
    }
    if (process_loops_start(life, err) < 0)
        return -1;
    if (!sandbox_has_filter())
        log_write(life->process.logs[0], LOG_LEVEL_WARN,
                  "built with a sanitizer: no system call filter is set");
    return sandbox_filter(profile, err);
}

static int start(struct process_life *life, struct control_message *message, struct err *err)
{
    struct process *process = &life->process;
    struct sandbox_profile profile = {.allow = 0};
    const struct sandbox_user user = {.uid = message->uid, .gid = message->gid};
    if (message->n_loops == 0 || message->n_loops > BOARD_LOOPS_MAX)
        return err_set(err, "%u loops", (unsigned)message->n_loops);
    process->n_loops = message->n_loops;
    process->seed = message->seed;
    process->state_fd = control_take(message, "state", 0);
    process->groups_fd = control_take(message, "groups", 0);
    if (open_board(life, message, err) < 0)
        return -1;
    int log_fd = control_take(message, "log", 0);
    if (process_loops_create(life, log_fd, control_take(message, "log-bell", 0),
                             (enum log_level)message->log_level, err) < 0)
        return -1;
    close(log_fd);
    if (start_modules(life, &profile, err) < 0 || close_sandbox(life, &profile, &user, err) < 0)
        return -1;
    board_cursor_init(process->board, &life->cursor);
    if (loop_io_add_read(process->loops[0], &life->bell, board_bell(process->board), on_bell, err) <
        0)
        return -1;
    return loop_io_add_read(process->loops[0], &life->control, CONTROL_FD, on_control, err);
}

/* Waits for the message that begins it all; the sockets come before it. */
static int wait_for_init(struct process_life *life, struct control_message *message,
                         struct err *err)
{
    for (;;) {
        struct pollfd ready = {.fd = CONTROL_FD, .events = POLLIN};
        poll(&ready, 1, -1);
        int result = control_receive(CONTROL_FD, life->packet, message, err);
        if (result < 0)
            end_at_once(life);
        if (result == 0)
            continue;
        if (message->type == CONTROL_INIT)
            return 0;
        if (message->type != CONTROL_SOCKETS)
            return err_set(err, "the supervisor sent %s before init",
                           control_type_name(message->type));
        if (process_sockets_add(&life->sockets, message, err) < 0)
            return -1;
    }
}

/*
 * What ps shows: `weir: edge` and nothing of how it was called. The arguments lie one behind the
 * other; all but the first are wiped.
 */
static void set_title(struct process_life *life, int argc, char **argv)
{
    const char *kind = life->process.kind;
    char name[16];
    life->title = argv[0];
    life->title_bytes = (size_t)(argv[argc - 1] - argv[0]) + strlen(argv[argc - 1]) + 1;
    snprintf(name, sizeof(name), "weir:%.10s", kind);
    prctl(PR_SET_NAME, name, 0, 0, 0);
    for (int i = 1; i < argc; i++)
        memset(argv[i], 0, strlen(argv[i]));
}

static struct process_life *life_create(const struct module_table *table, const char *kind)
{
    struct process_life *life = MEM_NEW(struct process_life);
    life->process.table = table;
    life->process.kind = kind;
    life->packet = mem_alloc(CONTROL_BYTES_MAX);
    loop_io_init(&life->control);
    loop_io_init(&life->bell);
    loop_timer_init(&life->drain_timer, on_drain_timer);
    conf_bundle_init(&life->bundle.bundle);
    conf_bundle_init(&life->coming_bundle.bundle);
    queries_init(life);
    requests_init(life);
    programs_init(life);
    return life;
}

/* The other loops have ended; what is left is this thread's alone. */
static void life_end(struct process_life *life)
{
    struct process *process = &life->process;
    process_loops_join(life);
    on_abort(life);
    stop_modules(life);
    if (process->is_former)
        process_former_end(life);
    queries_deinit(life);
    requests_deinit(life);
    programs_deinit(life);
    loop_timer_clear(process->loops[0], &life->drain_timer);
    loop_io_remove(process->loops[0], &life->control, false);
    loop_io_remove(process->loops[0], &life->bell, false);
    process_sockets_deinit(&life->sockets);
    snapshot_unref(&process->snap);
    process_bundle_close(&life->bundle);
    process_bundle_close(&life->coming_bundle);
    /* The loops, the logs and the board stay: a module may have left something armed, and the
     * kernel takes it all in a moment. */
}

int process_main(const struct module_table *table, int argc, char **argv)
{
    assert(argc >= 3);
    const char *kind = module_process_name(table, argv[2]);
    if (strcmp(kind, argv[2]) != 0) {
        fprintf(stderr, "weir: there is no process of kind %s\n", argv[2]);
        return EXIT_FAILURE;
    }
    struct process_life *life = life_create(table, kind);
    set_title(life, argc, argv);
    struct control_message message;
    struct err err = ERR_NONE;
    control_init(&message, CONTROL_INIT);
    if (wait_for_init(life, &message, &err) < 0 || start(life, &message, &err) < 0) {
        tell(life, CONTROL_REFUSED, message.generation, err.text);
        _exit(EXIT_FAILURE);
    }
    on_prepare(life, &message);
    control_close_fds(&message);
    loop_run(life->process.loops[0]);
    life_end(life);
    /* While `life` is on the stack, a leak detector finds what modules without a stop() have
     * left. */
    exit(EXIT_SUCCESS);
}
