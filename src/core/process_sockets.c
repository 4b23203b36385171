/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The listening sockets of a process: descriptors by the supervisor's numbers, and which names of
 * which snapshot mean which number. A socket that a new snapshot wants under another name is the
 * same descriptor still.
 */

#include "base/mem.h"
#include "core/process_life.h"
#include <assert.h>
#include <string.h>
#include <unistd.h>

static void bindings_clear(struct socket_bindings *bindings)
{
    bindings->n_items = 0;
}

static bool bindings_have(const struct socket_bindings *bindings, uint64_t number)
{
    for (size_t i = 0; i < bindings->n_items; i++) {
        if (bindings->items[i].number == number)
            return true;
    }
    return false;
}

static void bindings_add(struct socket_bindings *bindings, const struct control_label *label)
{
    if (bindings->n_items == bindings->cap) {
        bindings->cap = bindings->cap ? bindings->cap * 2 : 16;
        bindings->items = mem_realloc(bindings->items, bindings->cap * sizeof(*bindings->items));
    }
    struct socket_binding *binding = &bindings->items[bindings->n_items++];
    *binding = (struct socket_binding){.loop_index = label->index, .number = label->number};
    slice_copy(slice_from(label->name), binding->name, sizeof(binding->name));
}

static int held_find(const struct process_sockets *sockets, uint64_t number)
{
    for (size_t i = 0; i < sockets->n_held; i++) {
        if (sockets->held[i].number == number)
            return sockets->held[i].fd;
    }
    return -1;
}

static void held_add(struct process_sockets *sockets, uint64_t number, int fd)
{
    if (sockets->n_held == sockets->cap_held) {
        sockets->cap_held = sockets->cap_held ? sockets->cap_held * 2 : 16;
        sockets->held = mem_realloc(sockets->held, sockets->cap_held * sizeof(*sockets->held));
    }
    sockets->held[sockets->n_held++] = (struct socket_held){.number = number, .fd = fd};
}

void process_sockets_deinit(struct process_sockets *sockets)
{
    for (size_t i = 0; i < sockets->n_held; i++)
        close(sockets->held[i].fd);
    mem_free(sockets->held);
    mem_free(sockets->current.items);
    mem_free(sockets->coming.items);
    *sockets = (struct process_sockets){.held = NULL};
}

int process_sockets_add(struct process_sockets *sockets, struct control_message *message,
                        struct err *err)
{
    for (size_t i = 0; i < message->n_labels; i++) {
        struct control_label *label = &message->labels[i];
        if (sockets->coming.n_items == SOCKET_BINDINGS_MAX)
            return err_set(err, "more than %d listening sockets", SOCKET_BINDINGS_MAX);
        bool is_held = held_find(sockets, label->number) >= 0;
        if (label->fd >= 0 && !is_held) {
            held_add(sockets, label->number, label->fd);
            label->fd = -1; /* taken */
        } else if (!is_held) {
            return err_set(err, "socket %s came without its descriptor", label->name);
        }
        bindings_add(&sockets->coming, label);
    }
    return 0;
}

void process_sockets_commit(struct process_sockets *sockets)
{
    struct socket_bindings former = sockets->current;
    sockets->current = sockets->coming;
    sockets->coming = former;
    bindings_clear(&sockets->coming);
}

void process_sockets_abort(struct process_sockets *sockets)
{
    bindings_clear(&sockets->coming);
}

void process_sockets_sweep(struct process_sockets *sockets)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < sockets->n_held; i++) {
        struct socket_held held = sockets->held[i];
        if (bindings_have(&sockets->current, held.number) ||
            bindings_have(&sockets->coming, held.number))
            sockets->held[n_kept++] = held;
        else
            close(held.fd);
    }
    sockets->n_held = n_kept;
}

int process_sockets_find(const struct process_sockets *sockets, bool is_coming, const char *name,
                         uint32_t loop_index)
{
    const struct socket_bindings *bindings = is_coming ? &sockets->coming : &sockets->current;
    for (size_t i = 0; i < bindings->n_items; i++) {
        const struct socket_binding *binding = &bindings->items[i];
        if (binding->loop_index == loop_index && strcmp(binding->name, name) == 0)
            return held_find(sockets, binding->number);
    }
    return -1;
}

int process_socket(struct process *process, const char *name, uint32_t loop_index)
{
    const struct process_life *life = process_life(process);
    return process_sockets_find(&life->sockets, life->coming != NULL, name, loop_index);
}
