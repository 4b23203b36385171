/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The new binary's supervisor before it is the supervisor, and while it becomes it.
 */

#include "super/candidate.h"
#include "base/mem.h"
#include "core/export.h"
#include "super/carry.h"
#include "super/former.h"
#include "super/handover.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GO_WAIT_MS = 10000, LOG_FLUSH_MS = 1000, FDS_A_PACKET = 64 };

static const struct slice go = SLICE_INIT("go");

/* --- both: from a description to a supervisor that has started nothing ------------------------ */

static void take_head(struct super *super, const json_t *root)
{
    super->last_generation = (uint64_t)handover_int(root, "generation");
    super->last_number = (uint64_t)handover_int(root, "last_number");
    mem_free(super->binary);
    super->binary = mem_strdup(handover_text(root, "binary"));
    super->state_dir = mem_strdup(handover_text(root, "state_dir"));
}

/* The state directory is locked by the one who goes on; it must be the same one. */
static int check_state_dir(const struct super *super, struct err *err)
{
    const char *wanted = super->config->snap->state_dir;
    char *path = realpath(wanted, NULL);
    int result = 0;
    if (!path || strcmp(path, super->state_dir) != 0)
        result =
            err_set(err, "the state directory is %s now and was %s: stop weir and start it again",
                    path ? path : wanted, super->state_dir);
    free(path);
    return result;
}

static int check_user(struct super *super, const json_t *root, struct err *err)
{
    if (super_find_user(super, err) < 0)
        return -1;
    if ((int64_t)super->user.uid == handover_int(root, "uid") &&
        (int64_t)super->user.gid == handover_int(root, "gid"))
        return 0;
    return err_set(err, "the user has changed: stop weir and start it again");
}

static int fail_by_diag(const struct super_config *config, struct err *err)
{
    struct text why = TEXT_NONE;
    conf_diag_print(config->diag, &why);
    err_set(err, "%s", text_cstr(&why));
    text_deinit(&why);
    return -1;
}

/* Everything up to the first process: the file is read, the board begins with the facts. */
/* The directory, opened again: those who keep files in it get it from us. */
static int open_state_dir(struct super *super, struct err *err)
{
    super->state_fd = open(super->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (super->state_fd < 0)
        return err_set_errno(err, errno, "cannot open the state directory %s", super->state_dir);
    return 0;
}

static int make_anew(struct super *super, const json_t *root, struct err *err)
{
    if (open_state_dir(super, err) < 0)
        return -1;
    if (config_load(super, &super->config) < 0)
        return fail_by_diag(super->config, err);
    if (check_user(super, root, err) < 0 || check_state_dir(super, err) < 0 ||
        super_make_loop(super, err) < 0 || super_make_log(super, err) < 0 ||
        handover_take_bounds(super, json_object_get(root, "bounds"), NULL, NULL, err) < 0 ||
        super_make_children(super, err) < 0)
        return -1;
    if (export_restore(json_object_get(root, "facts"), json_object_get(root, "starts"),
                       SUPERVISOR_SEGMENT + 1, &super->board_fds, err) < 0)
        return -1;
    if (sockets_bind(super, super->config) < 0)
        return fail_by_diag(super->config, err);
    return 0;
}

/* --- the candidate ---------------------------------------------------------------------------- */

static _Noreturn void end(struct super *super, int status)
{
    log_drain_stop(&super->drain, LOG_FLUSH_MS);
    /* Not by exit(): what is bound belongs to the one who goes on. */
    _exit(status);
}

void candidate_refuse(struct super *super, const char *why)
{
    struct text text = TEXT_NONE;
    text_printf(&text, "refused %s", why);
    struct slice said = text_slice(&text);
    if (said.len > CONTROL_TEXT_MAX)
        said.len = CONTROL_TEXT_MAX;
    control_send_bytes(super->candidate_fd, said, SEND_WAIT_MS, NULL);
    sockets_give_up(super);
    end(super, EXIT_FAILURE);
}

static void put_int(struct json *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

static void put_fd(struct json *json, const char *key, int fd, struct fd_list *fds)
{
    put_int(json, key, fd);
    fd_list_add(fds, fd);
}

static void put_segments(struct json *json, const struct super *super, struct fd_list *fds)
{
    json_key(json, "segments");
    json_array_begin(json);
    for (size_t i = 0; i < super->board_fds.n_segments; i++) {
        json_object_begin(json);
        put_fd(json, "rw", super->board_fds.rw[i], fds);
        put_fd(json, "ro", super->board_fds.ro[i], fds);
        put_fd(json, "bell", super->board_fds.bell[i], fds);
        json_object_end(json);
    }
    json_array_end(json);
}

static void put_children(struct json *json, const struct super *super, struct fd_list *fds)
{
    json_key(json, "children");
    json_array_begin(json);
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        json_object_begin(json);
        put_int(json, "pid", child->pid);
        put_fd(json, "log", child->log_fd, fds);
        if (child_runs(child))
            put_fd(json, "control", child->control.fd, fds);
        json_key(json, "sent");
        json_array_begin(json);
        for (size_t k = 0; k < child->n_sent; k++)
            json_uint(json, child->sent[k]);
        json_array_end(json);
        json_object_end(json);
    }
    json_array_end(json);
}

/* What the resumed supervisor, which is of this build, needs to go on; -1 with err. */
static int describe(struct super *super, struct fd_list *fds, int *ret_fd, struct err *err)
{
    struct text text = TEXT_NONE, recording = TEXT_NONE;
    struct json json;
    int config_fd;
    conf_bundle_encode(&super->config->recording, &recording);
    int result = handover_seal(text_slice(&recording), &config_fd, err);
    if (result == 0) {
        json_init(&json, &text);
        json_object_begin(&json);
        put_int(&json, "generation", (int64_t)super->config->generation);
        put_int(&json, "last_number", (int64_t)super->last_number);
        put_fd(&json, "config", config_fd, fds);
        put_int(&json, "config_len", (int64_t)recording.len);
        put_fd(&json, "log", super->log_fd, fds);
        put_fd(&json, "log_bell", super->log_bell, fds);
        put_segments(&json, super, fds);
        put_children(&json, super, fds);
        json_key(&json, "bounds");
        handover_put_bounds(&json, super, fds);
        json_object_end(&json);
        json_finish(&json);
        result = handover_seal(text_slice(&text), ret_fd, err);
    }
    text_deinit(&recording);
    text_deinit(&text);
    return result;
}

/* The descriptors with their numbers here, some a packet; the last packet brings the document. */
static int send_all(const struct super *super, const struct fd_list *fds, int text_fd,
                    struct err *err)
{
    struct control_message message;
    control_init(&message, CONTROL_SOCKETS);
    for (size_t i = 0; i < fds->n_items; i++) {
        control_label(&message, "fd", 0, (uint64_t)fds->items[i], fds->items[i]);
        if (message.n_labels < FDS_A_PACKET)
            continue;
        if (control_send_wait(super->candidate_fd, &message, GO_WAIT_MS, err) < 0)
            return -1;
        control_init(&message, CONTROL_SOCKETS);
    }
    message.type = CONTROL_READY;
    control_label(&message, "text", 0, 0, text_fd);
    return control_send_wait(super->candidate_fd, &message, GO_WAIT_MS, err);
}

static _Noreturn void hand_over(struct super *super)
{
    struct fd_list fds = {.items = NULL};
    struct err err = ERR_NONE;
    int fd;
    log_drain_stop(&super->drain, LOG_FLUSH_MS);
    bool is_ok = describe(super, &fds, &fd, &err) == 0 && send_all(super, &fds, fd, &err) == 0;
    if (!is_ok)
        fprintf(stderr, "weir: the candidate of an upgrade: %s\n", err.text);
    _exit(is_ok ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* The old supervisor goes on as the new one and says so; or it is dead, or has given up. */
static void on_socket(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct super *super = CONTAINER_OF(io, struct super, candidate_io);
    char said[8];
    (void)loop;
    (void)events;
    ssize_t n = recv(io->fd, said, sizeof(said), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && slice_equal(slice_make(said, (size_t)n), go))
        hand_over(super);
    sockets_give_up(super);
    end(super, EXIT_FAILURE);
}

void candidate_ready(struct super *super)
{
    if (super->is_ready)
        return;
    super->is_ready = true;
    if (control_send_bytes(super->candidate_fd, SLICE("ready"), SEND_WAIT_MS, NULL) < 0)
        candidate_refuse(super, "the running weir does not listen");
}

/* The terminal's keys and the service manager's signals are the running weir's. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
}

int candidate_main(struct super *super, const char *fd_text)
{
    struct err err = ERR_NONE;
    json_t *root;
    prctl(PR_SET_NAME, "weir", 0, 0, 0); /* executed by a descriptor, it would be a number */
    ignore_signals();
    if (handover_read(fd_text, &root, &err) < 0) {
        /* Without it nobody can be told but whoever reads standard error and the exit status. */
        fprintf(stderr, "weir: %s\n", err.text);
        return EXIT_FAILURE;
    }
    super->parent = getppid();
    super->candidate_fd = (int)handover_int(root, "socket");
    fcntl(super->candidate_fd, F_SETFD, FD_CLOEXEC);
    take_head(super, root);
    if (make_anew(super, root, &err) < 0 ||
        loop_io_add_read(super->loop, &super->candidate_io, super->candidate_fd, on_socket, &err) <
            0)
        candidate_refuse(super, err.text);
    json_decref(root);
    super_start_children(super);
    loop_run(super->loop);
    end(super, EXIT_FAILURE); /* SIGTERM and its kin are ignored: nothing stops this loop */
}

/* --- the resumed supervisor: taking from the candidate ---------------------------------------- */

/* Descriptors by their numbers in the candidate. */
struct passed {
    uint64_t *numbers;
    int *fds;
    size_t n_items, cap;
};

static void passed_add(struct passed *passed, uint64_t number, int fd)
{
    if (passed->n_items == passed->cap) {
        passed->cap = passed->cap ? passed->cap * 2 : 64;
        passed->numbers = mem_realloc(passed->numbers, passed->cap * sizeof(*passed->numbers));
        passed->fds = mem_realloc(passed->fds, passed->cap * sizeof(*passed->fds));
    }
    passed->numbers[passed->n_items] = number;
    passed->fds[passed->n_items++] = fd;
}

static int passed_find(const void *ctx, int number)
{
    const struct passed *passed = ctx;
    for (size_t i = 0; number >= 0 && i < passed->n_items; i++) {
        if (passed->numbers[i] == (uint64_t)number)
            return passed->fds[i];
    }
    return -1;
}

static void passed_deinit(struct passed *passed)
{
    mem_free(passed->numbers);
    mem_free(passed->fds);
}

/* One packet. 1: it was the last, *ret_text_fd is the document's; 0: more come; -1 with err. */
static int take_packet(int fd, char *packet, struct passed *passed, int *ret_text_fd,
                       struct err *err)
{
    struct control_message message;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, GO_WAIT_MS) <= 0)
        return err_set(err, "the candidate says nothing");
    int result = control_receive(fd, packet, &message, err);
    if (result <= 0)
        return result;
    for (size_t i = 0; i < message.n_labels; i++) {
        struct control_label *label = &message.labels[i];
        if (strcmp(label->name, "text") == 0)
            *ret_text_fd = label->fd;
        else
            passed_add(passed, label->number, label->fd);
    }
    return message.type == CONTROL_READY;
}

static int take_all(int fd, char *packet, struct passed *passed, json_t **ret_root, struct err *err)
{
    int text_fd = -1, result;
    char number[16];
    if (control_send_bytes(fd, go, SEND_WAIT_MS, err) < 0)
        return -1;
    do
        result = take_packet(fd, packet, passed, &text_fd, err);
    while (result == 0);
    if (result < 0)
        return -1;
    snprintf(number, sizeof(number), "%d", text_fd);
    return handover_load(number, ret_root, err);
}

static int take_config(struct super *super, const json_t *root, const struct passed *passed,
                       struct err *err)
{
    size_t len = (size_t)handover_int(root, "config_len");
    int fd = passed_find(passed, (int)handover_int(root, "config"));
    void *bytes = fd < 0 ? MAP_FAILED : mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (bytes == MAP_FAILED)
        return err_set(err, "the candidate's configuration is missing");
    /* The recording points into these bytes for as long as the configuration is in force: they stay
     * mapped, a few kilobytes an upgrade. */
    return config_adopt(super, slice_make(bytes, len), (uint64_t)handover_int(root, "generation"),
                        &super->config, err);
}

static void take_board(struct taken *taken, const json_t *root, const struct passed *passed)
{
    const json_t *segments = json_object_get(root, "segments");
    size_t n = json_array_size(segments);
    n = n < BOARD_SEGMENTS_MAX ? n : BOARD_SEGMENTS_MAX;
    for (size_t i = 0; i < n; i++) {
        const json_t *segment = json_array_get(segments, i);
        taken->board.rw[i] = passed_find(passed, (int)handover_int(segment, "rw"));
        taken->board.ro[i] = passed_find(passed, (int)handover_int(segment, "ro"));
        taken->board.bell[i] = passed_find(passed, (int)handover_int(segment, "bell"));
    }
    taken->board.n_segments = n;
}

static void take_logs(struct taken *taken, const json_t *root, const struct passed *passed)
{
    const json_t *children = json_object_get(root, "children");
    taken->log_bell = passed_find(passed, (int)handover_int(root, "log_bell"));
    taken->log_fds[SUPERVISOR_SEGMENT] = passed_find(passed, (int)handover_int(root, "log"));
    for (size_t i = 0; i < json_array_size(children) && i + 1 < BOARD_SEGMENTS_MAX; i++)
        taken->log_fds[i + 1] =
            passed_find(passed, (int)handover_int(json_array_get(children, i), "log"));
}

static int take_children(struct super *super, const json_t *root, const struct passed *passed,
                         struct err *err)
{
    const json_t *children = json_object_get(root, "children");
    uint64_t generation = super->config->generation;
    for (size_t i = 0; i < super->n_children; i++) {
        struct child *child = &super->children[i];
        const json_t *source = json_array_get(children, i), *sent = json_object_get(source, "sent");
        pid_t pid = (pid_t)handover_int(source, "pid");
        for (size_t k = 0; k < json_array_size(sent); k++)
            child_note_sent(child, (uint64_t)json_integer_value(json_array_get(sent, k)));
        if (pid <= 0)
            continue;
        int fd = passed_find(passed, (int)handover_int(source, "control"));
        if (child_adopt(child, pid, fd, generation, err) < 0)
            return err_prefix(err, "the new %s", child->kind);
    }
    return 0;
}

/* The same as make_anew(), of what the candidate has made. */
static int make_of_taken(struct super *super, const json_t *root, const struct passed *passed,
                         struct err *err)
{
    struct taken taken;
    take_board(&taken, root, passed);
    take_logs(&taken, root, passed);
    super->last_generation = (uint64_t)handover_int(root, "generation");
    super->last_number = (uint64_t)handover_int(root, "last_number");
    if (take_config(super, root, passed, err) < 0 || super_find_user(super, err) < 0)
        return -1;
    super->taken = &taken;
    int result = -1;
    if (open_state_dir(super, err) == 0 && super_make_loop(super, err) == 0 &&
        super_make_log(super, err) == 0 && super_make_children(super, err) == 0 &&
        handover_take_bounds(super, json_object_get(root, "bounds"), passed_find, passed, err) ==
            0 &&
        sockets_bind(super, super->config) == 0)
        result = take_children(super, root, passed, err);
    super->taken = NULL;
    return result;
}

/* The listening sockets as they were inherited: the candidate has sent them again. */
static void close_inherited(const json_t *root)
{
    const json_t *bounds = json_object_get(root, "bounds");
    for (size_t i = 0; i < json_array_size(bounds); i++) {
        const json_t *fds = json_object_get(json_array_get(bounds, i), "descriptors");
        for (size_t k = 0; k < json_array_size(fds); k++)
            close((int)json_integer_value(json_array_get(fds, k)));
    }
}

/* Returns 0; 1: the candidate is lost; or -1 with err. */
static int take_from_candidate(struct super *super, const json_t *root, struct err *err)
{
    struct passed passed = {.numbers = NULL};
    json_t *described = NULL;
    int fd = (int)handover_int(root, "socket");
    pid_t candidate = (pid_t)handover_int(root, "candidate");
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    int result = take_all(fd, super->packet, &passed, &described, err);
    if (result < 0) {
        fprintf(stderr, "weir: the candidate of the upgrade is lost: %s\n", err->text);
        kill(-candidate, SIGKILL);
        super->reap_group = candidate;
        result = 1;
    } else {
        waitpid(candidate, NULL, 0); /* it ends at once behind its last packet */
        close_inherited(root);
        result = make_of_taken(super, described, &passed, err);
        json_decref(described);
    }
    close(fd);
    passed_deinit(&passed);
    return result;
}

static void on_total(void *ctx, const struct metric_table *table, const char *object,
                     const uint64_t *words)
{
    carry_add(ctx, table, object, words, NULL);
}

/* Counts and former processes. */
static int take_past(struct super *super, const json_t *root, struct err *err)
{
    super->former_group = (uint32_t)handover_int(root, "group");
    super->is_reload_due = json_is_true(json_object_get(root, "is_reload_due"));
    if (export_read_slabs(json_object_get(root, "slabs"), super->table, on_total, super, err) < 0)
        return -1;
    super->n_dropped_before = atomic_load(&metric_row(super->log_slab, 0)[LOG_DROPPED]);
    return formers_adopt(super, json_object_get(root, "formers"), err);
}

int resume_prepare(struct super *super, const char *fd_text)
{
    struct err err = ERR_NONE;
    json_t *root = NULL;
    int result = handover_read(fd_text, &root, &err);
    prctl(PR_SET_NAME, "weir", 0, 0, 0);
    if (result == 0) {
        take_head(super, root);
        super->lock_fd = (int)handover_int(root, "lock");
        fcntl(super->lock_fd, F_SETFD, FD_CLOEXEC);
        super->is_resumed = true;
        result = take_from_candidate(super, root, &err);
        if (result > 0)
            result = make_anew(super, root, &err);
        if (result == 0)
            result = take_past(super, root, &err);
        json_decref(root);
    }
    if (result < 0)
        fprintf(stderr, "weir: the upgrade failed half way: %s\n", err.text);
    return result;
}
