/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

/*
 * What the supervisor and a process say to each other: one message a packet on a SOCK_SEQPACKET
 * socketpair, descriptors beside it (SCM_RIGHTS), each with a label, so that none is known by its
 * place alone.
 *
 *     supervisor                                    process
 *       | -- sockets* -> init(bundle, board, log) ->  |   start, sandbox, prepare
 *       | <- ready(generation) | refused(text) -----  |
 *       | -- commit --------------------------------> |   serves
 *       | <- switched(generation) ------------------  |   all of its loops do
 *       |                                             |
 *       | -- sockets* -> prepare(bundle) -----------> |   a reload: the same two phases
 *       | <- ready | refused -----------------------  |
 *       | -- commit | abort ------------------------> |
 *       | <- switched ------------------------------  |   behind a commit
 *       |                                             |
 *       | -- query(fd) -----------------------------> |   one end of a socket to admin (query.h)
 *       | -- programs(fd) --------------------------> |   one to worker, or its end (program.h)
 *       | -- drain(deadline) -> <- drained -- stop -> |   exits 0
 *       | -- retire(deadline) -> <- reports -- stop > |   another build serves (process_former.c)
 *       |                                             |
 *       | <- request(id, verb, argument) -- admin     |   reload, stop (request.h)
 *       | -- answer(id, is_ok, text) ---------------> |
 *
 * Listening sockets have a number that is theirs for life. A `sockets` message binds names of the
 * coming snapshot to numbers, and brings the descriptor of each number that this life of the
 * process has not got yet; the message after the last one is the init or prepare that they belong
 * to.
 *
 * A packet is
 *
 *     | magic 4 | type 4 | fixed numbers ... | n_labels 2 | labels ... | text_len 4 | text |
 *     label: | flags 1 | index 4 | number 8 | name_len 1 | name |
 *
 * in the machine's byte order: both ends are the same binary. (Behind an upgrade they are not: then
 * the supervisor sends packets that the former one has made, and reads reports, which are text.)
 * The codec checks every length all the
 * same, because a process that was taken over must not take the supervisor with it.
 *
 * The end of the stream means that the other side is dead. A process ends at once when that
 * happens.
 */

#include "base/err.h"
#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CONTROL_FD = 3,                /* where a process finds its end */
    CONTROL_BYTES_MAX = 64 * 1024, /* a packet */
    CONTROL_TEXT_MAX = 48 * 1024,  /* longer texts are cut, and show it by "..." */
    CONTROL_LABELS_MAX = 96,       /* a packet; descriptors are at most as many */
    CONTROL_NAME_MAX = 140,        /* with the NUL */
};

enum control_type {
    CONTROL_INIT = 1,
    CONTROL_SOCKETS,
    CONTROL_PREPARE,
    CONTROL_COMMIT,
    CONTROL_ABORT,
    CONTROL_QUERY,
    CONTROL_PROGRAMS,
    CONTROL_DRAIN,
    CONTROL_RETIRE,
    CONTROL_STOP,
    CONTROL_ANSWER,
    /* from the process */
    CONTROL_READY,
    CONTROL_REFUSED,
    CONTROL_DRAINED,
    CONTROL_REQUEST,
    CONTROL_SWITCHED,
    CONTROL_N_TYPES
};

const char *control_type_name(enum control_type type);

/* What a descriptor is, or, without one, what a name is bound to. */
struct control_label {
    char name[CONTROL_NAME_MAX]; /* "bundle", "board-ro", "bell", "log", "listen:shop" ... */
    uint32_t index;              /* of the board's segment, of the loop */
    uint64_t number;             /* of the listening socket; the bytes of the bundle */
    int fd;                      /* -1: none comes with it */
};

struct control_message {
    enum control_type type;
    uint64_t generation; /* of the snapshot that the message is about */
    uint64_t id;         /* of a request, repeated in its answer */
    uint64_t seed;       /* init */
    int64_t wait_ms;     /* drain, retire: how long at most */
    uint32_t n_loops;    /* init */
    uint32_t uid, gid;   /* init: what root becomes */
    uint32_t log_level;  /* init */
    bool is_ok;          /* answer */
    struct slice text;   /* a reason, an argument; borrowed, as long as the packet's buffer lives */
    struct control_label labels[CONTROL_LABELS_MAX];
    size_t n_labels;
};

/* Makes the message empty but for its type. */
void control_init(struct control_message *message, enum control_type type);
/* Adds a label. The name is cut to CONTROL_NAME_MAX - 1 (asserted to fit), fd may be -1. */
void control_label(struct control_message *message, const char *name, uint32_t index,
                   uint64_t number, int fd);
/* The descriptor of the label, or -1. It stays the message's until control_take(). */
int control_find(const struct control_message *message, const char *name, uint32_t index);
/* The same, and the message forgets it: it is the caller's now. */
int control_take(struct control_message *message, const char *name, uint32_t index);

/* --- the codec: no system calls --------------------------------------------------------------- */

/* Writes the packet into buf[cap]; returns its length, or -1 where it does not fit. */
int control_encode(const struct control_message *message, char *buf, size_t cap);
/*
 * Reads a packet with n_fds descriptors beside it, which are given to the labels that announce one,
 * in order. Returns 0, or -1 with err: a length, type or count that does not fit; the descriptors
 * are then still the caller's. message->text points into bytes.
 */
int control_decode(struct slice bytes, const int *fds, size_t n_fds,
                   struct control_message *ret_message, struct err *err);

/* --- the socket ------------------------------------------------------------------------------- */

/* A pair, close-on-exec, nonblocking. 0, or -1 with err. */
int control_pair(int ret_fds[2], struct err *err);
/*
 * Sends one message; its descriptors stay the caller's. Returns 0, or -1 with err: the other side
 * is dead, or reads nothing any more (the packet does not fit into the socket's buffer).
 */
int control_send(int fd, const struct control_message *message, struct err *err);
/* The same, but waits up to wait_ms for the other side to read what fills the socket's buffer. */
int control_send_wait(int fd, const struct control_message *message, int wait_ms, struct err *err);
/* Sends bytes as one packet, whatever they are; as control_send_wait(). */
int control_send_bytes(int fd, struct slice bytes, int wait_ms, struct err *err);
/*
 * Receives one message into buf[CONTROL_BYTES_MAX]. Returns 1: a message; 0: nothing there now;
 * -1: the other side is dead (err->number 0) or talks nonsense. Descriptors are close-on-exec and
 * the caller's: control_close_fds() closes what control_take() has not taken.
 */
int control_receive(int fd, char *buf, struct control_message *ret_message, struct err *err);
void control_close_fds(struct control_message *message);

#endif
