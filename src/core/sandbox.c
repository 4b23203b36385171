/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sandbox: capabilities and user first, then a seccomp filter made of rows. A row is a system
 * call and, where the number alone says too little, one argument that decides. The kernel caches
 * the verdict for calls whose number alone decides (since 5.11), so the calls of the event loop pay
 * next to nothing; calls with an argument run the filter each time.
 */

#include "core/sandbox.h"
#include "base/mem.h"
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef WEIR_IS_SANITIZED
static const bool is_sanitized = true;
#else
static const bool is_sanitized = false;
#endif

enum { PRIORITY_HOT = 200, PRIORITY_WARM = 100, OPTIMIZE_BINARY_TREE = 2, CAPABILITY_MAX = 63 };

/* Allowed with a bit of `allow`; 0: always. has_mask: only when (argument & mask) == value. */
struct call {
    int number;
    unsigned allow;
    uint8_t priority;
    bool has_mask;
    unsigned argument;
    uint64_t mask, value;
};

#define ALWAYS(name, priority)                        \
    {                                                 \
        SCMP_SYS(name), 0, (priority), false, 0, 0, 0 \
    }
#define WITH(bits, name)                          \
    {                                             \
        SCMP_SYS(name), (bits), 0, false, 0, 0, 0 \
    }
#define MASKED(bits, name, argument, mask, value)                    \
    {                                                                \
        SCMP_SYS(name), (bits), 0, true, (argument), (mask), (value) \
    }

enum {
    FILES = SANDBOX_STATE_FILES,
    FILES_READ = SANDBOX_STATE_FILES | SANDBOX_PROC_READ,
    OPEN_TO_WRITE = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY),
};

static const struct call calls[] = {
    /* the event loop */
    ALWAYS(epoll_wait, PRIORITY_HOT),
    ALWAYS(recvfrom, PRIORITY_HOT),
    ALWAYS(recvmmsg, PRIORITY_HOT),
    ALWAYS(sendto, PRIORITY_HOT),
    ALWAYS(sendmmsg, PRIORITY_HOT),
    ALWAYS(epoll_pwait, PRIORITY_WARM),
    ALWAYS(epoll_pwait2, PRIORITY_WARM),
    ALWAYS(epoll_ctl, PRIORITY_WARM),
    ALWAYS(read, PRIORITY_WARM),
    ALWAYS(write, PRIORITY_WARM),
    ALWAYS(readv, PRIORITY_WARM),
    ALWAYS(writev, PRIORITY_WARM),
    ALWAYS(recvmsg, PRIORITY_WARM),
    ALWAYS(sendmsg, PRIORITY_WARM),
    ALWAYS(splice, PRIORITY_WARM),
    ALWAYS(close, PRIORITY_WARM),
    ALWAYS(shutdown, PRIORITY_WARM),
    ALWAYS(setsockopt, PRIORITY_WARM),
    ALWAYS(getsockopt, PRIORITY_WARM),
    ALWAYS(getsockname, 0),
    ALWAYS(getpeername, 0),
    ALWAYS(pipe2, 0),
    ALWAYS(fcntl, 0),
    ALWAYS(poll, 0),
    ALWAYS(ppoll, 0),
    /* memory: never executable */
    MASKED(0, mmap, 2, PROT_EXEC, 0),
    MASKED(0, mprotect, 2, PROT_EXEC, 0),
    ALWAYS(munmap, 0),
    ALWAYS(mremap, 0),
    ALWAYS(madvise, 0),
    ALWAYS(brk, 0),
    /* time, for machines where the vDSO cannot tell it */
    ALWAYS(clock_gettime, PRIORITY_WARM),
    ALWAYS(clock_getres, 0),
    ALWAYS(gettimeofday, 0),
    ALWAYS(time, 0),
    ALWAYS(nanosleep, 0),
    ALWAYS(clock_nanosleep, 0),
    ALWAYS(restart_syscall, 0),
    /* threads, signals, the end */
    ALWAYS(futex, PRIORITY_WARM),
    ALWAYS(sched_yield, 0),
    ALWAYS(sched_getaffinity, 0),
    ALWAYS(membarrier, 0),
    ALWAYS(set_robust_list, 0),
    ALWAYS(rseq, 0),
    ALWAYS(getrandom, 0),
    ALWAYS(getpid, 0),
    ALWAYS(gettid, 0),
    ALWAYS(getuid, 0),
    ALWAYS(geteuid, 0),
    ALWAYS(getgid, 0),
    ALWAYS(getegid, 0),
    ALWAYS(getrusage, 0),
    ALWAYS(rt_sigaction, 0),
    ALWAYS(rt_sigprocmask, 0),
    ALWAYS(rt_sigreturn, 0),
    ALWAYS(sigaltstack, 0),
    ALWAYS(exit, 0),
    ALWAYS(exit_group, 0),
    /* what a profile names */
    WITH(SANDBOX_ACCEPT, accept4),
    WITH(SANDBOX_ACCEPT, accept),
    WITH(SANDBOX_CONNECT | SANDBOX_DATAGRAM | SANDBOX_NETLINK | SANDBOX_RAW, connect),
    WITH(SANDBOX_NETLINK | SANDBOX_RAW, bind),
    WITH(SANDBOX_DATAGRAM, sendmmsg),
    WITH(SANDBOX_DATAGRAM, recvmmsg),
    MASKED(SANDBOX_THREADS, clone, 0, CLONE_THREAD, CLONE_THREAD),
    /* files: for reading both profiles, for the rest the state directory's alone */
    WITH(FILES, open),
    WITH(FILES, openat),
    MASKED(SANDBOX_PROC_READ, open, 1, OPEN_TO_WRITE, 0),
    MASKED(SANDBOX_PROC_READ, openat, 2, OPEN_TO_WRITE, 0),
    WITH(FILES_READ, fstat),
    WITH(FILES_READ, stat),
    WITH(FILES_READ, lstat),
    WITH(FILES_READ, newfstatat),
    WITH(FILES_READ, statx),
    WITH(FILES_READ, fstatfs),
    WITH(FILES_READ, lseek),
    WITH(FILES_READ, pread64),
    WITH(FILES_READ, getdents64),
    WITH(FILES_READ, readlink),
    WITH(FILES_READ, readlinkat),
    WITH(FILES_READ, access),
    WITH(FILES_READ, faccessat),
    WITH(FILES_READ, faccessat2),
    WITH(FILES, pwrite64),
    WITH(FILES, preadv),
    WITH(FILES, preadv2),
    WITH(FILES, fadvise64),
    WITH(FILES, pwritev),
    WITH(FILES, mkdir),
    WITH(FILES, mkdirat),
    WITH(FILES, rename),
    WITH(FILES, renameat),
    WITH(FILES, renameat2),
    WITH(FILES, unlink),
    WITH(FILES, unlinkat),
    WITH(FILES, ftruncate),
    WITH(FILES, fallocate),
    WITH(FILES, fsync),
    WITH(FILES, fdatasync),
    WITH(FILES, sync_file_range),
    WITH(FILES, flock),
    WITH(FILES, fchmod),
};

/* A kind of socket that may be made: family, and type without its flags; 0 for any type. */
struct socket_kind {
    unsigned allow;
    int family;
    int type;
};

static const struct socket_kind socket_kinds[] = {
    {SANDBOX_CONNECT, AF_INET, SOCK_STREAM},
    {SANDBOX_CONNECT, AF_INET6, SOCK_STREAM},
    {SANDBOX_CONNECT, AF_UNIX, SOCK_STREAM},
    {SANDBOX_DATAGRAM, AF_INET, SOCK_DGRAM},
    {SANDBOX_DATAGRAM, AF_INET6, SOCK_DGRAM},
    {SANDBOX_NETLINK, AF_NETLINK, 0},
    {SANDBOX_RAW, AF_PACKET, 0},
    {SANDBOX_RAW, AF_INET, SOCK_RAW},
    {SANDBOX_RAW, AF_INET6, SOCK_RAW},
};

bool sandbox_has_filter(void)
{
    return !is_sanitized;
}

void sandbox_join(struct sandbox_profile *profile, const struct sandbox_profile *other)
{
    profile->allow |= other->allow;
    profile->capabilities |= other->capabilities;
    profile->keeps_root = profile->keeps_root || other->keeps_root;
}

int sandbox_user_find(const char *name, struct sandbox_user *ret_user, struct err *err)
{
    static const char *const usual[] = {"weir", "nobody"};
    const struct passwd *entry = NULL;
    if (name[0]) {
        entry = getpwnam(name);
    } else {
        for (size_t i = 0; i < ARRAY_LEN(usual) && !entry; i++)
            entry = getpwnam(usual[i]);
    }
    if (!entry)
        return err_set(err, "there is no user \"%s\" on this host", name[0] ? name : "nobody");
    *ret_user = (struct sandbox_user){.uid = entry->pw_uid, .gid = entry->pw_gid};
    return 0;
}

/* --- capabilities and the user ---------------------------------------------------------------- */

static void capability_words(uint64_t bits, struct __user_cap_data_struct ret_words[2])
{
    for (int i = 0; i < 2; i++) {
        uint32_t word = (uint32_t)(bits >> (32 * i));
        ret_words[i] = (struct __user_cap_data_struct){.effective = word, .permitted = word};
    }
}

static int set_capabilities(uint64_t bits, struct err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct have[2], want[2];
    if (syscall(SYS_capget, &head, have) < 0)
        return err_set_errno(err, errno, "cannot read the capabilities");
    uint64_t permitted = have[0].permitted | (uint64_t)have[1].permitted << 32;
    capability_words(bits & permitted, want);
    if (syscall(SYS_capset, &head, want) < 0)
        return err_set_errno(err, errno, "cannot drop capabilities");
    return 0;
}

/* Nothing that is executed later can get back what is not kept. */
static int drop_bounding(uint64_t keep, struct err *err)
{
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned capability = 0; capability <= CAPABILITY_MAX; capability++) {
        if (keep >> capability & 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, (unsigned long)capability, 0, 0, 0) == 0)
            continue;
        if (errno == EINVAL || errno == EPERM)
            return 0; /* beyond the last one that the kernel knows, or never had the power to */
        return err_set_errno(err, errno, "cannot drop capability %u from the bounding set",
                             capability);
    }
    return 0;
}

static int change_user(const struct sandbox_profile *profile, const struct sandbox_user *user,
                       struct err *err)
{
    if (profile->capabilities && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_set_errno(err, errno, "cannot keep capabilities across the change of user");
    if (setgroups(0, NULL) < 0)
        return err_set_errno(err, errno, "cannot leave the groups of root");
    if (setresgid(user->gid, user->gid, user->gid) < 0)
        return err_set_errno(err, errno, "cannot become group %u", (unsigned)user->gid);
    if (setresuid(user->uid, user->uid, user->uid) < 0)
        return err_set_errno(err, errno, "cannot become user %u", (unsigned)user->uid);
    if (user->uid != 0 && setuid(0) == 0)
        return err_set(err, "root could be taken back after the change of user");
    return 0;
}

int sandbox_drop_privileges(const struct sandbox_profile *profile, const struct sandbox_user *user,
                            struct err *err)
{
    if (drop_bounding(profile->capabilities, err) < 0)
        return -1;
    if (geteuid() == 0 && !profile->keeps_root && change_user(profile, user, err) < 0)
        return -1;
    if (set_capabilities(profile->capabilities, err) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_set_errno(err, errno, "cannot set no_new_privs");
    /* The sanitizers look at their own process in /proc, which the change of user has closed. */
    if (is_sanitized)
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return 0;
}

/* --- the filter ------------------------------------------------------------------------------- */

static int add_call(scmp_filter_ctx filter, const struct call *call)
{
    struct scmp_arg_cmp compare = {.arg = call->argument,
                                   .op = SCMP_CMP_MASKED_EQ,
                                   .datum_a = call->mask,
                                   .datum_b = call->value};
    unsigned n_compare = call->has_mask ? 1 : 0;
    int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number, n_compare, &compare);
    if (result == 0 && call->priority)
        result = seccomp_syscall_priority(filter, call->number, call->priority);
    return result;
}

static int add_socket_kind(scmp_filter_ctx filter, const struct socket_kind *kind)
{
    const struct scmp_arg_cmp compare[] = {
        {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)kind->family, .datum_b = 0},
        {.arg = 1,
         .op = SCMP_CMP_MASKED_EQ,
         .datum_a = (scmp_datum_t) ~(SOCK_CLOEXEC | SOCK_NONBLOCK) & UINT32_MAX,
         .datum_b = (scmp_datum_t)kind->type},
    };
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), kind->type ? 2 : 1,
                                  compare);
}

/* abort() sends its signal so; to nobody else. */
static int add_own_signals(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp compare = {
        .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid(), .datum_b = 0};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &compare);
}

/*
 * The C library tries clone3 first, whose flags lie in memory where a filter cannot see them, and
 * falls back to clone when the kernel does not know it.
 */
static int add_clone3(scmp_filter_ctx filter)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
}

static int set_attributes(scmp_filter_ctx filter)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_BINARY_TREE);
    /* No code of others runs in here, so the mitigation that older kernels couple to a filter would
     * cost and protect nobody. */
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    return result;
}

static int add_all(scmp_filter_ctx filter, unsigned allow)
{
    int result = set_attributes(filter);
    for (size_t i = 0; i < ARRAY_LEN(calls) && result == 0; i++) {
        if (calls[i].allow == 0 || (calls[i].allow & allow))
            result = add_call(filter, &calls[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(socket_kinds) && result == 0; i++) {
        if (socket_kinds[i].allow & allow)
            result = add_socket_kind(filter, &socket_kinds[i]);
    }
    if (result == 0)
        result = add_own_signals(filter);
    if (result == 0)
        result = add_clone3(filter);
    return result;
}

int sandbox_filter(const struct sandbox_profile *profile, struct err *err)
{
    if (is_sanitized || (profile->allow & SANDBOX_EXEC))
        return 0;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return err_set(err, "cannot make a seccomp filter");
    int result = add_all(filter, profile->allow);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    if (result < 0)
        return err_set_errno(err, -result, "cannot set the seccomp filter");
    return 0;
}

int sandbox_enter(const struct sandbox_profile *profile, const struct sandbox_user *user,
                  struct err *err)
{
    if (sandbox_drop_privileges(profile, user, err) < 0)
        return -1;
    return sandbox_filter(profile, err);
}
