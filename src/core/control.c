/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The codec of control messages: a cursor that knows how much is left and stays failed once it has
 * failed, so that the fields read as a list and the one check stands at the end.
 */

#include "core/control.h"
#include "base/mem.h"
#include <assert.h>
#include <stdio.h>
#include <unistd.h>

enum { CONTROL_MAGIC = 0x77656972, LABEL_HAS_FD = 1 };

struct writer {
    char *at;
    size_t left;
    bool is_failed;
};

struct reader {
    const char *at;
    size_t left;
    bool is_failed;
};

const char *control_type_name(enum control_type type)
{
    static const char *const names[CONTROL_N_TYPES] = {
        [CONTROL_INIT] = "init",       [CONTROL_SOCKETS] = "sockets",
        [CONTROL_PREPARE] = "prepare", [CONTROL_COMMIT] = "commit",
        [CONTROL_ABORT] = "abort",     [CONTROL_QUERY] = "query",
        [CONTROL_DRAIN] = "drain",     [CONTROL_STOP] = "stop",
        [CONTROL_ANSWER] = "answer",   [CONTROL_READY] = "ready",
        [CONTROL_REFUSED] = "refused", [CONTROL_DRAINED] = "drained",
        [CONTROL_REQUEST] = "request", [CONTROL_PROGRAMS] = "programs",
        [CONTROL_RETIRE] = "retire",   [CONTROL_SWITCHED] = "switched",
    };
    return type < CONTROL_N_TYPES && names[type] ? names[type] : "unknown";
}

void control_init(struct control_message *message, enum control_type type)
{
    *message = (struct control_message){.type = type, .text = SLICE_INIT("")};
}

void control_label(struct control_message *message, const char *name, uint32_t index,
                   uint64_t number, int fd)
{
    assert(message->n_labels < CONTROL_LABELS_MAX);
    assert(strlen(name) < CONTROL_NAME_MAX);
    struct control_label *label = &message->labels[message->n_labels++];
    *label = (struct control_label){.index = index, .number = number, .fd = fd};
    slice_copy(slice_from(name), label->name, sizeof(label->name));
}

int control_find(const struct control_message *message, const char *name, uint32_t index)
{
    for (size_t i = 0; i < message->n_labels; i++) {
        const struct control_label *label = &message->labels[i];
        if (label->fd >= 0 && label->index == index && strcmp(label->name, name) == 0)
            return label->fd;
    }
    return -1;
}

int control_take(struct control_message *message, const char *name, uint32_t index)
{
    int fd = control_find(message, name, index);
    for (size_t i = 0; fd >= 0 && i < message->n_labels; i++) {
        if (message->labels[i].fd == fd)
            message->labels[i].fd = -1;
    }
    return fd;
}

void control_close_fds(struct control_message *message)
{
    for (size_t i = 0; i < message->n_labels; i++) {
        if (message->labels[i].fd >= 0)
            close(message->labels[i].fd);
        message->labels[i].fd = -1;
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put(struct writer *writer, const void *bytes, size_t len)
{
    if (writer->is_failed || len > writer->left) {
        writer->is_failed = true;
        return;
    }
    if (len > 0)
        memcpy(writer->at, bytes, len);
    writer->at += len;
    writer->left -= len;
}

static void put_u8(struct writer *writer, uint8_t value)
{
    put(writer, &value, sizeof(value));
}

static void put_u32(struct writer *writer, uint32_t value)
{
    put(writer, &value, sizeof(value));
}

static void put_u64(struct writer *writer, uint64_t value)
{
    put(writer, &value, sizeof(value));
}

static void put_label(struct writer *writer, const struct control_label *label)
{
    size_t len = strlen(label->name);
    put_u8(writer, label->fd >= 0 ? LABEL_HAS_FD : 0);
    put_u32(writer, label->index);
    put_u64(writer, label->number);
    put_u8(writer, (uint8_t)len);
    put(writer, label->name, len);
}

static void put_text(struct writer *writer, struct slice text)
{
    static const struct slice cut = SLICE_INIT(" ...");
    bool is_cut = text.len > CONTROL_TEXT_MAX;
    size_t len = is_cut ? CONTROL_TEXT_MAX - cut.len : text.len;
    put_u32(writer, (uint32_t)(is_cut ? CONTROL_TEXT_MAX : len));
    put(writer, text.ptr, len);
    if (is_cut)
        put(writer, cut.ptr, cut.len);
}

int control_encode(const struct control_message *message, char *buf, size_t cap)
{
    assert(message->n_labels <= CONTROL_LABELS_MAX);
    struct writer writer = {.at = buf, .left = cap};
    put_u32(&writer, CONTROL_MAGIC);
    put_u32(&writer, (uint32_t)message->type);
    put_u64(&writer, message->generation);
    put_u64(&writer, message->id);
    put_u64(&writer, message->seed);
    put_u64(&writer, (uint64_t)message->wait_ms);
    put_u32(&writer, message->n_loops);
    put_u32(&writer, message->uid);
    put_u32(&writer, message->gid);
    put_u32(&writer, message->log_level);
    put_u8(&writer, message->is_ok);
    put_u8(&writer, (uint8_t)message->n_labels);
    for (size_t i = 0; i < message->n_labels; i++)
        put_label(&writer, &message->labels[i]);
    put_text(&writer, message->text);
    return writer.is_failed ? -1 : (int)(cap - writer.left);
}

/* --- reading ---------------------------------------------------------------------------------- */

static const char *get(struct reader *reader, size_t len)
{
    if (reader->is_failed || len > reader->left) {
        reader->is_failed = true;
        return NULL;
    }
    const char *bytes = reader->at;
    reader->at += len;
    reader->left -= len;
    return bytes;
}

static uint8_t get_u8(struct reader *reader)
{
    const char *bytes = get(reader, 1);
    return bytes ? (uint8_t)*bytes : 0;
}

static uint32_t get_u32(struct reader *reader)
{
    uint32_t value = 0;
    const char *bytes = get(reader, sizeof(value));
    if (bytes)
        memcpy(&value, bytes, sizeof(value));
    return value;
}

static uint64_t get_u64(struct reader *reader)
{
    uint64_t value = 0;
    const char *bytes = get(reader, sizeof(value));
    if (bytes)
        memcpy(&value, bytes, sizeof(value));
    return value;
}

/* Returns whether the label announces a descriptor. */
static bool get_label(struct reader *reader, struct control_label *label)
{
    uint8_t flags = get_u8(reader);
    label->fd = -1;
    label->index = get_u32(reader);
    label->number = get_u64(reader);
    size_t len = get_u8(reader);
    const char *name = get(reader, len);
    label->name[0] = 0;
    if (len >= CONTROL_NAME_MAX || (flags & ~LABEL_HAS_FD) || (name && memchr(name, 0, len)))
        reader->is_failed = true;
    else if (name)
        slice_copy(slice_make(name, len), label->name, sizeof(label->name));
    return flags & LABEL_HAS_FD;
}

static int refuse(struct err *err, const char *why)
{
    return err_set(err, "control message: %s", why);
}

static void get_numbers(struct reader *reader, struct control_message *message)
{
    message->generation = get_u64(reader);
    message->id = get_u64(reader);
    message->seed = get_u64(reader);
    message->wait_ms = (int64_t)get_u64(reader);
    message->n_loops = get_u32(reader);
    message->uid = get_u32(reader);
    message->gid = get_u32(reader);
    message->log_level = get_u32(reader);
    message->is_ok = get_u8(reader) != 0;
}

/* Reads the labels; the number of descriptors that they announce goes to *ret_announced. */
static void get_labels(struct reader *reader, struct control_message *message,
                       bool has_fd[CONTROL_LABELS_MAX], size_t *ret_announced)
{
    size_t n_labels = get_u8(reader);
    if (n_labels > CONTROL_LABELS_MAX) {
        reader->is_failed = true;
        return;
    }
    for (size_t i = 0; i < n_labels && !reader->is_failed; i++) {
        has_fd[i] = get_label(reader, &message->labels[i]);
        *ret_announced += has_fd[i];
        message->n_labels++;
    }
}

int control_decode(struct slice bytes, const int *fds, size_t n_fds,
                   struct control_message *ret_message, struct err *err)
{
    struct reader reader = {.at = bytes.ptr, .left = bytes.len};
    if (get_u32(&reader) != CONTROL_MAGIC)
        return refuse(err, "does not begin as one");
    uint32_t type = get_u32(&reader);
    if (type < CONTROL_INIT || type >= CONTROL_N_TYPES)
        return refuse(err, "is of no known type");
    control_init(ret_message, (enum control_type)type);
    get_numbers(&reader, ret_message);
    bool has_fd[CONTROL_LABELS_MAX] = {false};
    size_t n_announced = 0;
    get_labels(&reader, ret_message, has_fd, &n_announced);
    size_t text_len = get_u32(&reader);
    const char *text = get(&reader, text_len);
    if (reader.is_failed || text_len > CONTROL_TEXT_MAX || reader.left > 0)
        return refuse(err, "has a length that does not fit");
    if (n_announced != n_fds)
        return refuse(err, "has not the descriptors that it announces");
    ret_message->text = slice_make(text, text_len);
    for (size_t i = 0, next = 0; i < ret_message->n_labels; i++) {
        if (has_fd[i])
            ret_message->labels[i].fd = fds[next++];
    }
    return 0;
}
