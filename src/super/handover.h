/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_HANDOVER_H
#define SUPER_HANDOVER_H

/*
 * The description that one build leaves to the next, in a sealed memfd: docs/formats/upgrade.md.
 * The candidate gets one, with listening sockets and facts; the resumed supervisor another one,
 * with former processes and counts as well. Descriptors are inherited and stand in it by number.
 */

#include "super/internal.h"
#include <jansson.h>

enum { HANDOVER_VERSION = 1 };

/* Descriptors that the next program inherits. */
struct fd_list {
    int *items;
    size_t n_items, cap;
};

void fd_list_add(struct fd_list *list, int fd);
void fd_list_deinit(struct fd_list *list);
/* Lets them pass through execve(), or not. */
void fd_list_inherit(const struct fd_list *list, bool is_inherited);

struct handover_ask {
    pid_t candidate; /* 0: this is for the candidate itself */
    int socket;      /* to or of the candidate */
    const char *binary;
    struct slice success; /* the answer to whoever asked for the upgrade */
    const struct requester *who;
};

/* Writes one and lists what it names, the descriptor of the description among it. 0, or -1. */
int handover_write(struct super *super, const struct handover_ask *ask, struct fd_list *ret_fds,
                   int *ret_fd, struct err *err);
/*
 * Reads one and closes it. Returns 0 with the document, which is the caller's, or -1 with err: no
 * description, or one of another version.
 */
int handover_read(const char *fd_text, json_t **ret_root, struct err *err);
/* The same of any sealed document, whatever its version. */
int handover_load(const char *fd_text, json_t **ret_root, struct err *err);
/* Seals a text into a memfd. 0, or -1. */
int handover_seal(struct slice text, int *ret_fd, struct err *err);

/* The listening sockets as an array, and from one: fds are looked up by number through `translate`
 * where it is not NULL. */
void handover_put_bounds(struct json *json, const struct super *super, struct fd_list *fds);
typedef int handover_translate_fn(const void *ctx, int fd);
int handover_take_bounds(struct super *super, const json_t *list, handover_translate_fn *translate,
                         const void *ctx, struct err *err);

/* An integer member, or -1. */
int64_t handover_int(const json_t *object, const char *key);
/* A text member, or "". */
const char *handover_text(const json_t *object, const char *key);

#endif
