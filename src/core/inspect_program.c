/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The programs that a configuration names, held against the machine: is each there, would the
 * kernel start it, and may the user come to it whom it would run as?
 */

#include "base/mem.h"
#include "core/inspect.h"
#include "core/sandbox.h"
#include "core/settings.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUNNER_GROUPS_MAX = 64, FIRST_LINE_MAX = 255 };

struct programs_walk {
    const struct snapshot *snap;
    struct conf_diag *diag;
    int result;
};

/* ---- whom it becomes ---- */

/* Only root may make it somebody else. */
static int check_identity(struct conf_diag *diag, struct slice name, struct conf_at at,
                          const char *what, bool is_there, bool is_root)
{
    if (name.len == 0)
        return 0;
    if (geteuid() != 0)
        return conf_error(diag, at, "start weir as root, or leave it out",
                          "without root no program can be given another %s", what);
    if (!is_there)
        return conf_error(diag, at, NULL, "there is no %s \"%.*s\" on this host", what,
                          SLICE_ARG(name));
    if (is_root)
        return conf_error(diag, at, NULL, "the program of a job does not become root");
    return 0;
}

static void check_identities(struct programs_walk *walk, const struct program_want *want)
{
    const struct passwd *user = want->user.len > 0 ? getpwnam(want->user.ptr) : NULL;
    const struct group *group = want->group.len > 0 ? getgrnam(want->group.ptr) : NULL;
    if (check_identity(walk->diag, want->user, want->user_at, "user", user != NULL,
                       user && user->pw_uid == 0) < 0 ||
        check_identity(walk->diag, want->group, want->group_at, "group", group != NULL,
                       group && group->gr_gid == 0) < 0)
        walk->result = -1;
}

static void check_folder(struct programs_walk *walk, const struct program_want *want)
{
    struct stat status;
    if (want->folder.len == 0)
        return;
    if (stat(want->folder.ptr, &status) < 0)
        walk->result =
            conf_error(walk->diag, want->folder_at, NULL, "no program can start in %.*s: %s",
                       SLICE_ARG(want->folder), strerror(errno));
    else if (!S_ISDIR(status.st_mode))
        walk->result = conf_error(walk->diag, want->folder_at, NULL,
                                  "no program can start in %.*s, which is no directory",
                                  SLICE_ARG(want->folder));
}

/* ---- the file ---- */

/* Why a program may be missed that its owner sees; NULL where nothing comes to mind. */
static const char *hint_missing(const struct programs_walk *walk, const struct program_want *want)
{
    static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"};
    const char *name = strrchr(want->path.ptr, '/');
    if (strstr(want->path.ptr, "/~"))
        return "no shell reads this, and ~ stands for nothing";
    if (strchr(want->path.ptr, ' '))
        return "no shell reads this: /bin/sh -c \"...\", or a program and its arguments";
    for (size_t i = 0; name && i < ARRAY_LEN(folders); i++) {
        const char *path = arena_printf(walk->diag->arena, "%s%s", folders[i], name);
        if (access(path, X_OK) == 0)
            return arena_printf(walk->diag->arena,
                                "a path starts at the folder of the file: %s is "
                                "there",
                                path);
    }
    return NULL;
}

/* Its first bytes and a NUL; how many, or -1: it cannot be read. */
static ssize_t read_beginning(const char *path, char *ret_bytes, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, ret_bytes, cap - 1);
    close(fd);
    ret_bytes[n > 0 ? n : 0] = '\0';
    return n;
}

static bool is_script(const char *beginning)
{
    return beginning[0] == '#' && beginning[1] == '!';
}

static int check_interpreter(const struct programs_walk *walk, const struct program_want *want,
                             char *line)
{
    struct stat status;
    size_t len = strcspn(line, "\n");
    if (len > 0 && line[len - 1] == '\r')
        return conf_error(
            walk->diag, want->at,
            arena_printf(walk->diag->arena, "sed -i 's/\\r$//' %.*s", SLICE_ARG(want->path)),
            "the first line of %.*s ends with a carriage return, which the kernel "
            "takes for a part of it",
            SLICE_ARG(want->path));
    line[len] = '\0';
    char *path = line + 2 + strspn(line + 2, " \t");
    path[strcspn(path, " \t")] = '\0';
    if (path[0] == '/' && stat(path, &status) < 0)
        return conf_error(walk->diag, want->at, NULL, "cannot find the interpreter %s of %.*s: %s",
                          path, SLICE_ARG(want->path), strerror(errno));
    return 0;
}

/* Would the kernel know what to do with it? */
static int check_kind(const struct programs_walk *walk, const struct program_want *want)
{
    char bytes[FIRST_LINE_MAX + 1];
    ssize_t n = read_beginning(want->path.ptr, bytes, sizeof(bytes));
    if (n < 0 || (n >= 4 && memcmp(bytes, "\177ELF", 4) == 0))
        return 0;
    if (is_script(bytes))
        return check_interpreter(walk, want, bytes);
    /* binfmt_misc may know more kinds. */
    conf_warning(walk->diag, want->at, "#!/bin/sh",
                 "%.*s is neither a program nor a script, whose first line begins with #!",
                 SLICE_ARG(want->path));
    return 0;
}

static int check_file(const struct programs_walk *walk, const struct program_want *want)
{
    struct stat status;
    if (stat(want->path.ptr, &status) < 0)
        return conf_error(walk->diag, want->at, hint_missing(walk, want),
                          "cannot find the program %.*s: %s", SLICE_ARG(want->path),
                          strerror(errno));
    if (!S_ISREG(status.st_mode))
        return conf_error(walk->diag, want->at, NULL, "%.*s is not a file", SLICE_ARG(want->path));
    if (!(status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return conf_error(walk->diag, want->at, "chmod +x", "%.*s cannot be executed",
                          SLICE_ARG(want->path));
    return check_kind(walk, want);
}

/* ---- the way to it ---- */

/* Who would start it. */
struct runner {
    uid_t uid;
    gid_t groups[RUNNER_GROUPS_MAX]; /* its own first */
    size_t n_groups;
    char name[64];
};

static int runner_find(const struct snapshot *snap, const struct program_want *want,
                       struct runner *ret_runner)
{
    const struct settings *settings = settings_of(snap);
    struct sandbox_user weir = {.uid = geteuid(), .gid = getegid()};
    const char *name = want->user.len > 0 ? want->user.ptr : "";
    if (want->user.len == 0 && settings && settings->user.len > 0)
        name = settings->user.ptr;
    if (geteuid() == 0 && sandbox_user_find(name, &weir, NULL) < 0)
        return -1;
    *ret_runner = (struct runner){.uid = weir.uid, .groups = {weir.gid}, .n_groups = 1};
    const struct passwd *entry = getpwuid(weir.uid);
    snprintf(ret_runner->name, sizeof(ret_runner->name), "%s", entry ? entry->pw_name : "?");
    int n = RUNNER_GROUPS_MAX;
    if (want->user.len > 0 && getgrouplist(ret_runner->name, weir.gid, ret_runner->groups, &n) >= 0)
        ret_runner->n_groups = (size_t)n;
    const struct group *group = want->group.len > 0 ? getgrnam(want->group.ptr) : NULL;
    if (group) {
        ret_runner->groups[0] = group->gr_gid;
        ret_runner->n_groups = 1;
    }
    return 0;
}

/* `bit`: S_IXOTH or S_IROTH. The mode alone, whatever an access list says. */
static bool runner_may(const struct runner *runner, const struct stat *status, mode_t bit)
{
    if (runner->uid == 0)
        return true;
    if (runner->uid == status->st_uid)
        return status->st_mode & bit << 6;
    for (size_t i = 0; i < runner->n_groups; i++)
        if (runner->groups[i] == status->st_gid)
            return status->st_mode & bit << 3;
    return status->st_mode & bit;
}

static void tell_closed(const struct programs_walk *walk, const struct program_want *want,
                        const struct runner *runner, const char *path, const struct stat *status,
                        const char *what, const char *right)
{
    struct arena *arena = walk->diag->arena;
    const struct passwd *owner = getpwuid(status->st_uid);
    conf_warning(walk->diag, want->at, arena_printf(arena, "chmod o+%s %s", right, path),
                 "user %s, whom it runs as, may not %s %s (mode %04o, owner %s)", runner->name,
                 what, path, (unsigned)(status->st_mode & 07777), owner ? owner->pw_name : "?");
}

/* Is a folder on the way closed? Then that is told. */
static bool is_way_closed(const struct programs_walk *walk, const struct program_want *want,
                          const struct runner *runner, char *path)
{
    struct stat status;
    bool is_closed = false;
    for (char *slash = strchr(path + 1, '/'); slash && !is_closed; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        is_closed = stat(path, &status) == 0 && !runner_may(runner, &status, S_IXOTH);
        if (is_closed)
            tell_closed(walk, want, runner, path, &status, "enter", "x");
        *slash = '/';
    }
    return is_closed;
}

/* May its user come to it, execute it, and, where it is a script, read it? An access list may say
 * otherwise than the modes: a warning. */
static void check_way(const struct programs_walk *walk, const struct program_want *want)
{
    struct runner runner;
    struct stat status;
    char beginning[3] = "";
    char *path = realpath(want->path.ptr, NULL);
    if (path && runner_find(walk->snap, want, &runner) == 0 &&
        !is_way_closed(walk, want, &runner, path) && stat(path, &status) == 0) {
        (void)read_beginning(path, beginning, sizeof(beginning));
        if (!runner_may(&runner, &status, S_IXOTH))
            tell_closed(walk, want, &runner, path, &status, "execute",
                        is_script(beginning) ? "rx" : "x");
        else if (is_script(beginning) && !runner_may(&runner, &status, S_IROTH))
            tell_closed(walk, want, &runner, path, &status, "read", "r");
    }
    free(path);
}

static int on_program(void *ctx, const struct program_want *want)
{
    struct programs_walk *walk = ctx;
    check_identities(walk, want);
    check_folder(walk, want);
    if (check_file(walk, want) < 0)
        walk->result = -1;
    else
        check_way(walk, want);
    return 0;
}

int inspect_programs(const struct snapshot *snap, struct conf_diag *diag)
{
    struct programs_walk walk = {.snap = snap, .diag = diag};
    snapshot_programs(snap, on_program, &walk);
    return walk.result;
}
