/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writing and reading the description.
 */

#include "super/handover.h"
#include "base/mem.h"
#include "config.h"
#include "core/build.h"
#include "core/export.h"
#include "super/former.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
    DESCRIPTION_MAX = 256 << 20,
};

/* --- descriptors ------------------------------------------------------------------------------ */

void fd_list_add(struct fd_list *list, int fd)
{
    if (list->n_items == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        list->items = mem_realloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->n_items++] = fd;
}

void fd_list_deinit(struct fd_list *list)
{
    mem_free(list->items);
    *list = (struct fd_list){.items = NULL};
}

void fd_list_inherit(const struct fd_list *list, bool is_inherited)
{
    for (size_t i = 0; i < list->n_items; i++)
        fcntl(list->items[i], F_SETFD, is_inherited ? 0 : FD_CLOEXEC);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_fd(struct json *json, const char *key, int fd, struct fd_list *fds)
{
    json_key(json, key);
    json_int(json, fd);
    if (fd >= 0)
        fd_list_add(fds, fd);
}

static void put_text(struct json *json, const char *key, const char *value)
{
    json_key(json, key);
    json_cstr(json, value);
}

static void put_int(struct json *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

static void put_bound(struct json *json, const struct bound *bound, struct fd_list *fds)
{
    char text[ADDR_TEXT_MAX];
    json_object_begin(json);
    put_text(json, "address", addr_format(&bound->addr, text));
    put_text(json, "type", bound->type == SOCK_STREAM ? "stream" : "datagram");
    put_int(json, "number", (int64_t)bound->number);
    put_int(json, "device", (int64_t)bound->device);
    put_int(json, "inode", (int64_t)bound->inode);
    json_key(json, "descriptors");
    json_array_begin(json);
    for (uint32_t i = 0; i < bound->n_fds; i++) {
        json_int(json, bound->fds[i]);
        fd_list_add(fds, bound->fds[i]);
    }
    json_array_end(json);
    json_object_end(json);
}

void handover_put_bounds(struct json *json, const struct super *super, struct fd_list *fds)
{
    json_array_begin(json);
    LIST_EACH (node, &super->bounds)
        put_bound(json, LIST_ENTRY(node, struct bound, node), fds);
    json_array_end(json);
}

static void put_packet(struct json *json, const struct control_message *message)
{
    static const char digits[] = "0123456789abcdef";
    char *buf = mem_alloc(CONTROL_BYTES_MAX);
    int len = control_encode(message, buf, CONTROL_BYTES_MAX);
    struct text hex = TEXT_NONE;
    for (int i = 0; i < len; i++) {
        text_append_char(&hex, digits[(unsigned char)buf[i] >> 4]);
        text_append_char(&hex, digits[buf[i] & 15]);
    }
    json_slice(json, text_slice(&hex));
    text_deinit(&hex);
    mem_free(buf);
}

static void put_slabs(struct json *json, const struct super *super, size_t segment, bool has_gauges)
{
    uint64_t *words = MEM_NEW_ARRAY(uint64_t, EXPORT_WORDS_MAX);
    struct export_slab slab = {.words = words};
    uint64_t cursor = 0;
    while (export_next(super->board, segment, super->table, &cursor, &slab))
        export_slab(json, &slab, has_gauges);
    mem_free(words);
}

static bool becomes_former(const struct child *child)
{
    return child_runs(child) && loop_io_is_armed(&child->control);
}

/* The counts that nobody adds to any more: what is carried already, and what those counted who do
 * not run. The counts of the others stand with them, read once: they count on meanwhile. */
static void put_all_slabs(struct json *json, const struct super *super)
{
    json_key(json, "slabs");
    json_array_begin(json);
    put_slabs(json, super, SUPERVISOR_SEGMENT, true);
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        if (!becomes_former(child))
            put_slabs(json, super, child->segment, false);
    }
    json_array_end(json);
}

/* What a child of ours is told once it is a former one; we make the packets, for it is of our
 * build. */
static void put_packets(struct json *json, const struct super *super, const struct child *child,
                        const struct handover_ask *ask)
{
    struct control_message message;
    control_init(&message, CONTROL_RETIRE);
    message.wait_ms = super_settings(super)->upgrade_drain_ms;
    json_key(json, "retire");
    put_packet(json, &message);
    control_init(&message, CONTROL_STOP);
    json_key(json, "stop");
    put_packet(json, &message);
    json_key(json, "answers");
    json_array_begin(json);
    if (ask->who && ask->who->pid == child->pid) {
        control_init(&message, CONTROL_ANSWER);
        message.id = ask->who->id;
        message.is_ok = true;
        message.text = ask->success;
        put_packet(json, &message);
    }
    json_array_end(json);
}

static void put_child(struct json *json, const struct super *super, const struct child *child,
                      const struct handover_ask *ask, struct fd_list *fds)
{
    json_object_begin(json);
    put_text(json, "kind", child->kind);
    put_text(json, "build", build_id());
    put_int(json, "pid", child->pid);
    put_int(json, "group", (int64_t)super->former_group + 1);
    put_int(json, "until", 0);
    put_int(json, "since", 0);
    put_int(json, "drain_ms", super_settings(super)->upgrade_drain_ms);
    put_fd(json, "control", child->control.fd, fds);
    put_fd(json, "log", child->log_fd, fds);
    put_fd(json, "log_bell", super->log_bell, fds);
    put_text(json, "log_layout", LOG_LAYOUT);
    put_packets(json, super, child, ask);
    json_key(json, "is_carried");
    json_bool(json, false);
    json_key(json, "slabs");
    json_array_begin(json);
    put_slabs(json, super, child->segment, true);
    json_array_end(json);
    json_object_end(json);
}

static void put_counts(struct json *json, const struct former *former)
{
    uint32_t cursor = 0;
    struct slice key;
    json_key(json, "is_carried");
    json_bool(json, true);
    json_key(json, "slabs");
    json_array_begin(json);
    for (struct former_count *count; (count = map_next(&former->counts, &cursor, &key)) != NULL;) {
        struct export_slab slab = {.table = count->table, .words = count->words};
        slice_copy(slice_from(count->key + strlen(count->table->name) + 1), slab.view.object,
                   sizeof(slab.view.object));
        export_slab(json, &slab, true);
    }
    json_array_end(json);
}

/* One that was a former process already: its packets are passed on as they were made. */
static void put_former(struct json *json, const struct former *former, struct fd_list *fds)
{
    json_object_begin(json);
    put_text(json, "kind", former->kind);
    put_text(json, "build", former->build);
    put_int(json, "pid", former->pid);
    put_int(json, "group", former->group);
    put_int(json, "until", (int64_t)former->until_ns);
    put_int(json, "since", (int64_t)former->since_ns);
    put_int(json, "drain_ms", handover_int(former->source, "drain_ms"));
    put_fd(json, "control", former->control.fd, fds);
    put_fd(json, "log", former->log_fd, fds);
    put_fd(json, "log_bell", former->log_bell, fds);
    put_text(json, "log_layout", handover_text(former->source, "log_layout"));
    put_text(json, "retire", handover_text(former->source, "retire"));
    put_text(json, "stop", handover_text(former->source, "stop"));
    json_key(json, "answers");
    json_array_begin(json);
    json_array_end(json);
    put_counts(json, former);
    json_object_end(json);
}

static void put_formers(struct json *json, const struct super *super,
                        const struct handover_ask *ask, struct fd_list *fds)
{
    json_key(json, "formers");
    json_array_begin(json);
    LIST_EACH (node, &super->formers)
        put_former(json, LIST_ENTRY(node, struct former, node), fds);
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        if (becomes_former(child))
            put_child(json, super, child, ask, fds);
    }
    json_array_end(json);
}

static void put_head(struct json *json, const struct super *super, const struct handover_ask *ask,
                     struct fd_list *fds)
{
    put_int(json, "weir-upgrade", HANDOVER_VERSION);
    put_text(json, "version", WEIR_VERSION);
    put_text(json, "build", build_id());
    put_text(json, "binary", ask->binary);
    put_text(json, "state_dir", super->state_dir);
    put_int(json, "uid", super->user.uid);
    put_int(json, "gid", super->user.gid);
    put_int(json, "generation", (int64_t)super->last_generation);
    put_int(json, "last_number", (int64_t)super->last_number);
    put_int(json, "candidate", ask->candidate);
    put_fd(json, "socket", ask->socket, fds);
    json_key(json, "bounds");
    handover_put_bounds(json, super, fds);
    json_key(json, "facts");
    export_facts(json, super->board);
    json_key(json, "starts");
    export_starts(json, super->board);
}

static void put_rest(struct json *json, const struct super *super, const struct handover_ask *ask,
                     struct fd_list *fds)
{
    put_fd(json, "lock", super->lock_fd, fds);
    json_key(json, "is_reload_due");
    json_bool(json, super->is_reload_due);
    put_int(json, "group", (int64_t)super->former_group + 1);
    put_all_slabs(json, super);
    put_formers(json, super, ask, fds);
}

int handover_seal(struct slice text, int *ret_fd, struct err *err)
{
    int fd = memfd_create("weir-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot make the memory of a description");
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno != EINTR)
            break;
        text = slice_skip(text, n > 0 ? (size_t)n : 0);
    }
    if (text.len > 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
        err_set_errno(err, errno, "cannot write a description");
        close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

int handover_write(struct super *super, const struct handover_ask *ask, struct fd_list *ret_fds,
                   int *ret_fd, struct err *err)
{
    struct text text = TEXT_NONE;
    struct json json;
    json_init(&json, &text);
    json_object_begin(&json);
    put_head(&json, super, ask, ret_fds);
    if (ask->candidate)
        put_rest(&json, super, ask, ret_fds);
    json_object_end(&json);
    json_finish(&json);
    int result = handover_seal(text_slice(&text), ret_fd, err);
    text_deinit(&text);
    if (result == 0)
        fd_list_add(ret_fds, *ret_fd);
    return result;
}

/* --- reading ---------------------------------------------------------------------------------- */

int64_t handover_int(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

const char *handover_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static int load(int fd, json_t **ret_root, struct err *err)
{
    struct stat status;
    json_error_t error;
    if ((fcntl(fd, F_GET_SEALS) & SEALS) != SEALS || fstat(fd, &status) < 0 ||
        status.st_size <= 0 || status.st_size > DESCRIPTION_MAX)
        return err_set(err, "descriptor %d is no description of an upgrade", fd);
    size_t len = (size_t)status.st_size;
    void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return err_set_errno(err, errno, "cannot map the description");
    *ret_root = json_loadb(bytes, len, 0, &error);
    munmap(bytes, len);
    if (!*ret_root)
        return err_set(err, "the description is no JSON: %s", error.text);
    return 0;
}

int handover_load(const char *fd_text, json_t **ret_root, struct err *err)
{
    uint64_t fd;
    if (slice_to_u64(slice_from(fd_text), &fd) < 0 || fd > INT32_MAX)
        return err_set(err, "\"%s\" is no descriptor", fd_text);
    if (load((int)fd, ret_root, err) < 0)
        return -1;
    close((int)fd);
    return 0;
}

int handover_read(const char *fd_text, json_t **ret_root, struct err *err)
{
    if (handover_load(fd_text, ret_root, err) < 0)
        return -1;
    int64_t version = handover_int(*ret_root, "weir-upgrade");
    if (version == HANDOVER_VERSION)
        return 0;
    json_decref(*ret_root);
    return err_set(err,
                   "the running weir describes itself in format %" PRId64
                   " and this one reads format %d: stop weir and start it again",
                   version, HANDOVER_VERSION);
}

static int take_bound(struct super *super, const json_t *object, handover_translate_fn *translate,
                      const void *ctx, struct err *err)
{
    const json_t *fds = json_object_get(object, "descriptors");
    struct addr addr;
    if (addr_parse(slice_from(handover_text(object, "address")), &addr, err) < 0)
        return err_prefix(err, "the address of a listening socket");
    struct bound *bound = MEM_NEW(struct bound);
    bound->addr = addr;
    bound->type = strcmp(handover_text(object, "type"), "stream") == 0 ? SOCK_STREAM : SOCK_DGRAM;
    bound->number = (uint64_t)handover_int(object, "number");
    bound->device = (dev_t)handover_int(object, "device");
    bound->inode = (ino_t)handover_int(object, "inode");
    bound->is_inherited = true;
    bound->n_fds = (uint32_t)json_array_size(fds);
    bound->fds = MEM_NEW_ARRAY(int, bound->n_fds);
    for (uint32_t i = 0; i < bound->n_fds; i++) {
        int fd = (int)json_integer_value(json_array_get(fds, i));
        bound->fds[i] = translate ? translate(ctx, fd) : fd;
        fcntl(bound->fds[i], F_SETFD, FD_CLOEXEC);
    }
    list_add_back(&super->bounds, &bound->node);
    return 0;
}

int handover_take_bounds(struct super *super, const json_t *list, handover_translate_fn *translate,
                         const void *ctx, struct err *err)
{
    if (!json_is_array(list))
        return err_set(err, "the description names no listening sockets");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (take_bound(super, json_array_get(list, i), translate, ctx, err) < 0)
            return -1;
    }
    return 0;
}
