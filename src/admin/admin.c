/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module admin: its words, the sockets and the file that it wants, its life inside its process.
 */
#include "admin/admin.h"

#include "admin/internal.h"
#include "admin/room.h"
#include "admin/view.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET_UNIX "admin:unix"
#define SOCKET_TCP  "admin:tcp"
#define BLOB_TOKEN  "admin.token"

enum { BACKLOG = 128, ANSWER_MS = 300000, TOKEN_FILE_BYTES = 4096 };

/* ---- configuration ---- */

static const struct conf_word listen_args[] = {
    {.name = "ADDR",
     .type = CONF_ADDR,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct admin_listen_conf, addr),
     .apply = CONF_LIVE,
     .doc = "The address to listen on, beside the unix socket admin.sock in the state directory."},
    {0},
};

static const struct conf_word listen_words[] = {
    {.name = "token-file",
     .type = CONF_PATH,
     .offset = offsetof(struct admin_listen_conf, token_file),
     .apply = CONF_LIVE,
     .doc = "A file that holds the token which every write over TCP must bring, as "
            "Authorization: Bearer TOKEN. Without it writes over TCP are refused."},
    {0},
};

static int listen_finish(struct conf_load *load, void *self)
{
    const struct admin_listen_conf *conf = self;
    if (conf->addr.addr.len && addr_family(&conf->addr.addr) == AF_UNIX)
        return conf_error(load->diag, conf->addr.at,
                          "an IP address with its port; a unix socket is always there, "
                          "as admin.sock in the state directory",
                          "admin cannot listen on %.*s", SLICE_ARG(conf->addr.text));
    return 0;
}

static const struct conf_block listen_block = {
    .size = sizeof(struct admin_listen_conf),
    .args = listen_args,
    .words = listen_words,
    .finish = listen_finish,
};

static const struct conf_word admin_words[] = {
    {.name = "admin",
     .type = CONF_BLOCK,
     .offset = offsetof(struct admin_conf, listen),
     .block = &listen_block,
     .apply = CONF_LIVE,
     .doc = "Serves status, metrics and commands over HTTP on a TCP address too."},
    {0},
};

static int admin_sockets(const struct snapshot *snap, socket_want_fn *want, void *ctx)
{
    struct socket_want local = {
        .name = SOCKET_UNIX, .type = SOCK_STREAM, .backlog = BACKLOG, .unix_mode = 0600};
    struct text path = TEXT_NONE;
    text_printf(&path, "unix:%s/%s", snap->state_dir, ADMIN_SOCKET);
    struct err err;
    int error = addr_parse(text_slice(&path), &local.addr.addr, &err);
    local.addr.text = SLICE(ADMIN_SOCKET);
    text_deinit(&path);
    /* A path that is too long was told by check(). */
    if (error == 0 && want(ctx, &local) < 0)
        return -1;

    const struct admin_conf *conf = snapshot_conf(snap, &admin_module);
    if (!conf->listen)
        return 0;
    struct socket_want tcp = {
        .name = SOCKET_TCP, .addr = conf->listen->addr, .type = SOCK_STREAM, .backlog = BACKLOG};
    return want(ctx, &tcp);
}

static int token_check(struct slice bytes, struct err *err)
{
    struct slice token;
    return access_token(bytes, &token, err);
}

static int admin_files(const struct snapshot *snap, file_want_fn *want, void *ctx)
{
    const struct admin_conf *conf = snapshot_conf(snap, &admin_module);
    if (!conf->listen || conf->listen->token_file.len == 0)
        return 0;
    struct file_want token = {.name = BLOB_TOKEN,
                              .path = conf->listen->token_file,
                              .at = conf_where(&conf->listen->object, "token-file"),
                              .max_bytes = TOKEN_FILE_BYTES,
                              .is_secret = true,
                              .check = token_check};
    return want(ctx, &token);
}

static int admin_check(struct snapshot *snap, void *conf, struct conf_load *load)
{
    (void)conf;
    struct sockaddr_un longest;
    size_t len = snap->state_dir ? strlen(snap->state_dir) + strlen("/" ADMIN_SOCKET) : 0;
    if (len < sizeof(longest.sun_path))
        return 0;
    return conf_error(
        load->diag, (struct conf_at){.len = 1}, "a shorter path, by --state or `state`",
        "the state directory %s is too long for a unix socket in it", snap->state_dir);
}

/* ---- metrics, facts ---- */

static const struct metric_def admin_defs[] = {
    {.name = "requests", .word = ADMIN_REQUESTS, .help = "Requests to admin."},
    {.name = "malformed", .word = ADMIN_MALFORMED, .help = "Requests that were no valid HTTP."},
    {.name = "denied", .word = ADMIN_DENIED, .help = "Requests of those who may not ask."},
    {.name = "commands", .word = ADMIN_COMMANDS, .help = "Commands that changed what members do."},
    {.name = "commands_refused",
     .word = ADMIN_COMMANDS_REFUSED,
     .help = "Such commands that were refused."},
    {.name = "timed_out",
     .word = ADMIN_TIMED_OUT,
     .help = "Requests or answers that took too long."},
    {.name = "connections", .word = ADMIN_CONNECTIONS, .help = "Connections accepted."},
    {.name = "connections_refused",
     .word = ADMIN_CONNECTIONS_REFUSED,
     .help = "Connections that were one too many, and failures to accept."},
    {.name = "connections_active",
     .type = METRIC_GAUGE,
     .word = ADMIN_CONNECTIONS_ACTIVE,
     .help = "Connections now."},
    {0},
};

static const struct metric_table admin_metrics = {
    .name = "admin", .n_words = ADMIN_WORDS, .defs = admin_defs};
static const struct metric_table *const admin_tables[] = {&admin_metrics, NULL};

static const struct fact_kind admin_facts[] = {
    {"admin", FACT_KEEP, 0, "where admin listens"},
    {"force", FACT_KEEP, 0, "what the operator forces upon a member: draining, up, down"},
    {"weight", FACT_KEEP, 0, "the weight that the operator gave a member, as the value"},
    {"drain", FACT_KEEP, 0,
     "a drain of a member, vip or node: draining, drained; the value is what is in flight, or "
     "how many addresses are here"},
    {"disk", FACT_KEEP, 0,
     "the disk of the state directory: up, or failed where it is full; the "
     "value is what is free, in bytes"},
    {0},
};

void admin_count(struct admin *admin)
{
    if (!admin->slab)
        return;
    const struct web_counters *from = web_server_counters(admin->server);
    metric_word *row = metric_row(admin->slab, 0);
    metric_set(row, ADMIN_REQUESTS, from->n_requests);
    metric_set(row, ADMIN_MALFORMED, from->n_malformed);
    metric_set(row, ADMIN_DENIED, admin->n_denied);
    metric_set(row, ADMIN_COMMANDS, admin->n_commands);
    metric_set(row, ADMIN_COMMANDS_REFUSED, admin->n_commands_refused);
    metric_set(row, ADMIN_TIMED_OUT, from->n_timed_out);
    metric_set(row, ADMIN_CONNECTIONS, from->n_accepted);
    metric_set(row, ADMIN_CONNECTIONS_REFUSED, from->n_refused);
    metric_set(row, ADMIN_CONNECTIONS_ACTIVE, from->n_conns);
}

/* ---- its life ---- */

static void admin_on_sample(struct loop *loop, struct loop_timer *timer)
{
    struct admin *admin = CONTAINER_OF(timer, struct admin, sample);
    admin_count(admin);
    if (admin->snap)
        room_look(admin->process, admin->snap);
    view_sample(admin->rates, admin->process->board, admin->process->table, loop_now_ns(loop));
    loop_timer_set(loop, timer, loop_now_ns(loop) + (uint64_t)RATES_PERIOD_MS * 1000000);
}

static int admin_start(struct process *process, void **ret_state, struct err *err)
{
    (void)err;
    struct loop *loop = process->loops[0];
    struct admin *admin = MEM_NEW(struct admin);
    admin->process = process;
    admin->supervisor = getppid();
    /* The sandbox is still open: this is the user that started weir. */
    access_add_owner(&admin->policy, 0);
    access_add_owner(&admin->policy, getuid());
    for (size_t i = 0; i < ADMIN_SOCKETS_MAX; i++)
        admin->fds[i] = -1;
    struct web_config config = {.routes = api_routes,
                                .ctx = admin,
                                .admit = api_admit,
                                .limits = {.answer_ms = ANSWER_MS},
                                .name = "weir"};
    admin->server = web_server_create(loop, &config);
    admin->rates = rates_create(process->seed);
    admin->slab = metric_open(process->board, &admin_metrics, "admin", 1, process->is_first_life);
    operate_start(&admin->operate, process);
    loop_timer_init(&admin->sample, admin_on_sample);
    loop_timer_set(loop, &admin->sample, loop_now_ns(loop));
    *ret_state = admin;
    return 0;
}

static int admin_prepare(void *state, struct snapshot *snap, struct err *err)
{
    (void)snap;
    struct admin *admin = state;
    struct slice bytes = process_blob(admin->process, BLOB_TOKEN), token = SLICE("");
    if (bytes.len && access_token(bytes, &token, err) < 0)
        return err_prefix(err, "token-file");
    slice_copy(token, admin->token_next, sizeof(admin->token_next));
    operate_load(&admin->operate);
    return 0;
}

/* Arms what the snapshot wants, and disarms what it does not want any more. */
static void admin_listen(struct admin *admin, size_t i, const char *name, const char *fact)
{
    struct process *process = admin->process;
    uint64_t wall_ns = loop_wall_ns(process->loops[0]);
    int fd = process_socket(process, name, 0);
    if (fd == admin->fds[i])
        return;
    if (admin->fds[i] >= 0)
        web_server_unlisten(admin->server, admin->fds[i]);
    admin->fds[i] = -1;
    struct err err = ERR_NONE;
    if (fd < 0) {
        board_remove(process->board, fact, wall_ns);
    } else if (web_server_listen(admin->server, fd, NULL, &err) < 0) {
        log_write(process_log(process->loops[0]), LOG_LEVEL_ERROR, "%s: %s", name, err.text);
        board_state(process->board, fact, FACT_FAILED, 0, err.text, wall_ns);
    } else {
        admin->fds[i] = fd;
        board_state(process->board, fact, FACT_SERVING, 0, "", wall_ns);
    }
}

static void admin_commit(void *state, struct snapshot *snap)
{
    struct admin *admin = state;
    struct stat state_dir;
    admin->snap = snap;
    /*
     * Not the user that the processes became: a part that was taken over must not command the
     * others.
     */
    if (stat(snap->state_dir, &state_dir) == 0 && state_dir.st_uid != geteuid())
        access_add_owner(&admin->policy, state_dir.st_uid);
    memcpy(admin->token, admin->token_next, sizeof(admin->token));
    admin->policy.token = slice_from(admin->token);
    operate_configure(&admin->operate, snap);
    room_look(admin->process, snap);
    runtime_commit(admin);
    admin_listen(admin, 0, SOCKET_UNIX, SOCKET_UNIX);
    admin_listen(admin, 1, SOCKET_TCP, SOCKET_TCP);
}

static void admin_abort(void *state, struct snapshot *snap)
{
    (void)snap;
    struct admin *admin = state;
    explicit_bzero(admin->token_next, sizeof(admin->token_next));
}

/* Before a stop it answers to the last; behind an upgrade there is another one who does. */
static void admin_drain(void *state, uint64_t deadline_ns)
{
    struct admin *admin = state;
    (void)deadline_ns;
    if (admin->process->is_former)
        web_server_drain(admin->server);
}

static bool admin_is_drained(void *state)
{
    const struct admin *admin = state;
    return !admin->process->is_former || web_server_counters(admin->server)->n_conns == 0;
}

static void admin_stop(void *state)
{
    struct admin *admin = state;
    loop_timer_clear(admin->process->loops[0], &admin->sample);
    web_server_destroy(&admin->server);
    operate_stop(&admin->operate);
    runtime_stop(admin);
    rates_destroy(&admin->rates);
    if (admin->slab)
        metric_forget(admin->slab);
    mem_free(admin);
}

static void admin_status(void *state, struct json *json)
{
    const struct admin *admin = state;
    const struct web_counters *counters = web_server_counters(admin->server);
    json_key(json, "connections");
    json_uint(json, counters->n_conns);
    json_key(json, "requests");
    json_uint(json, counters->n_requests);
}

const struct module admin_module = {
    .name = "admin",
    .doc = "status, metrics and commands over HTTP",
    .words = admin_words,
    .conf_size = sizeof(struct admin_conf),
    .check = admin_check,
    .fact_kinds = admin_facts,
    .metrics = admin_tables,
    .process = "admin",
    .sandbox = {.allow = SANDBOX_ACCEPT | SANDBOX_PROC_READ | SANDBOX_STATE_FILES},
    .sockets = admin_sockets,
    .files = admin_files,
    .start = admin_start,
    .prepare = admin_prepare,
    .commit = admin_commit,
    .abort = admin_abort,
    .drain = admin_drain,
    .is_drained = admin_is_drained,
    .stop = admin_stop,
    .status = admin_status,
};
