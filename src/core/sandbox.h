/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SANDBOX_H
#define CORE_SANDBOX_H

/*
 * What a process may still do once it has started: a module's profile names it, everything else is
 * refused by the kernel with EPERM. Root becomes the unprivileged user, all capabilities but those
 * named go (also from the bounding set), no_new_privs is set, and a seccomp filter (libseccomp)
 * allows the system calls of the event loop, of memory, of time, and of what the profile names.
 *
 * Not started as root: the uid stays, everything else is the same. Sanitizer builds have no seccomp
 * filter, because the sanitizers' own runtime needs calls that no profile names; the log says so.
 */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SANDBOX_ACCEPT = 1 << 0,      /* accept connections on sockets that were handed over */
    SANDBOX_CONNECT = 1 << 1,     /* new stream sockets, inet and unix, and connect */
    SANDBOX_DATAGRAM = 1 << 2,    /* new UDP sockets (the resolver) */
    SANDBOX_STATE_FILES = 1 << 3, /* open, create, rename, sync files (the state directory) */
    SANDBOX_PROC_READ = 1 << 4, /* open files for reading only (/proc of the others, for status) */
    SANDBOX_EXEC =
        1 << 5, /* fork, exec, wait, kill: no filter at all, because programs inherit it */
    SANDBOX_NETLINK = 1 << 6,
    SANDBOX_RAW = 1 << 7,     /* packet and raw sockets */
    SANDBOX_THREADS = 1 << 8, /* start threads after the sandbox is closed */
    SANDBOX_ALONE = 1 << 10,  /* it is first in a PID namespace of its own, where root may make one:
                                what it has started ends with it */
    SANDBOX_STATE_SOCKETS = 1 << 9, /* connect to the sockets in the state directory; it is not kept
                                       from writing elsewhere */
};

struct sandbox_profile {
    unsigned allow;
    uint64_t capabilities; /* bits of CAP_*; kept across the change of user */
    bool keeps_root;       /* worker alone */
};

/* The user and group that root becomes. */
struct sandbox_user {
    uid_t uid;
    gid_t gid;
};

/* Closes the sandbox around the calling process (all threads). There is no way back. */
int sandbox_enter(const struct sandbox_profile *profile, const struct sandbox_user *user,
                  struct err *err);

/*
 * The two halves of it. Capabilities belong to a thread and are inherited by those that it starts,
 * so a process drops its privileges before it starts its loops; the filter is then put on all of
 * them.
 */
int sandbox_drop_privileges(const struct sandbox_profile *profile, const struct sandbox_user *user,
                            struct err *err);
int sandbox_filter(const struct sandbox_profile *profile, struct err *err);

/*
 * From now on the calling thread, and those that it starts, write nowhere but beneath the directory
 * (-1: nowhere). In between the two halves above, for those who may write at all. 0; 1: this kernel
 * has no Landlock, so that the user's rights alone are the bound; -1 with err.
 */
int sandbox_confine(int dir_fd, struct err *err);

/* Does this build set the filter? Those with sanitizers do not. */
bool sandbox_has_filter(void);

/* What modules that share a process may do together. */
void sandbox_join(struct sandbox_profile *profile, const struct sandbox_profile *other);

/* The user and group of that name. An empty name: weir where there is such a user, nobody
 * otherwise. */
int sandbox_user_find(const char *name, struct sandbox_user *ret_user, struct err *err);

#endif
