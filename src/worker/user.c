/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Users and groups of the host.
 */

#include "worker/user.h"

#include "base/mem.h"
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

enum { GROUPS_MAX = 64 };

static void set_groups(struct run_user *user, const gid_t *groups, size_t n)
{
    user->groups = MEM_NEW_ARRAY(gid_t, n);
    user->n_groups = n;
    for (size_t i = 0; i < n; i++)
        user->groups[i] = groups[i];
}

static int find_user(struct run_user *user, struct slice name, struct err *err)
{
    gid_t groups[GROUPS_MAX];
    int n = GROUPS_MAX;
    const struct passwd *entry = getpwnam(name.ptr);
    if (!entry)
        return err_set(err, "there is no user \"%.*s\" on this host", SLICE_ARG(name));
    if (entry->pw_uid == 0)
        return err_set(err, "the program of a job does not become root");
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    user->name = mem_strdup(entry->pw_name);
    user->home = mem_strdup(entry->pw_dir);
    if (getgrouplist(user->name, user->gid, groups, &n) < 0)
        return err_set(err, "user %.*s is in more than %d groups", SLICE_ARG(name), GROUPS_MAX);
    set_groups(user, groups, (size_t)n);
    return 0;
}

static int find_group(struct run_user *user, struct slice name, struct err *err)
{
    const struct group *entry = getgrnam(name.ptr);
    if (!entry)
        return err_set(err, "there is no group \"%.*s\" on this host", SLICE_ARG(name));
    if (entry->gr_gid == 0)
        return err_set(err, "the program of a job does not get the group of root");
    mem_free(user->groups);
    user->gid = entry->gr_gid;
    set_groups(user, &user->gid, 1);
    return 0;
}

int run_user_find(struct slice name, struct slice group, struct run_user **ret_user,
                  struct err *err)
{
    struct run_user *user = NULL;
    int result = 0;
    if (name.len > 0 || group.len > 0) {
        user = MEM_NEW(struct run_user);
        user->uid = geteuid();
        result = name.len > 0 ? find_user(user, name, err) : 0;
        if (result == 0 && group.len > 0)
            result = find_group(user, group, err);
    }
    if (result < 0)
        run_user_destroy(&user);
    *ret_user = user;
    return result;
}

void run_user_destroy(struct run_user **user_ptr)
{
    struct run_user *user = *user_ptr;
    *user_ptr = NULL;
    if (!user)
        return;
    mem_free(user->groups);
    mem_free(user->name);
    mem_free(user->home);
    mem_free(user);
}

int run_user_become(const struct run_user *user)
{
    if (setgroups(user->n_groups, user->groups) < 0 ||
        setresgid(user->gid, user->gid, user->gid) < 0)
        return -1;
    return setresuid(user->uid, user->uid, user->uid);
}
