/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_USER_H
#define WORKER_USER_H

/*
 * Whom the program of a job becomes: what `user` and `group` mean on this host. Found when a file
 * is prepared, so that a name that is not there refuses it; a program becomes what was found then.
 * It takes the capabilities that worker keeps where weir was started as root.
 *
 * With `user` alone the groups are all of that user's; with `group` it is that one and no other.
 */

#include "base/err.h"
#include "base/slice.h"
#include <sys/types.h>

struct run_user {
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    size_t n_groups;
    char *name, *home; /* "" where there is no `user` */
};

/* Either may be empty; where both are, *ret_user is NULL. 0, or -1 with err: there is none. */
int run_user_find(struct slice name, struct slice group, struct run_user **ret_user,
                  struct err *err);
void run_user_destroy(struct run_user **user);
/* In the child: 0, or -1 and errno. */
int run_user_become(const struct run_user *user);

#endif
