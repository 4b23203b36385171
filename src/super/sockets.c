/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listening sockets. The supervisor binds them, keeps them for good and lends them to the
 * processes; so one that dies loses no connection that the kernel has accepted. A socket is known
 * by its address, not by its name: what a new configuration wants at an address that is bound
 * already is served by the same socket.
 */

#include "base/mem.h"
#include "super/internal.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG_DEFAULT = 4096, DEFAULT_UNIX_MODE = 0600 };

/* --- what failed, and what would be right ----------------------------------------------------- */

struct failure {
    const char *what; /* "bind to", "listen on" */
    int error;
};

static int tell(const struct socket_want *want, const struct failure *failure,
                struct conf_diag *diag)
{
    char holder[128];
    const char *hint = NULL;
    switch (failure->error) {
    case EADDRINUSE:
        holder_find(&want->addr.addr, want->type, holder, sizeof(holder));
        hint = holder[0] ? arena_printf(diag->arena, "it is held by %s", holder)
                         : "another process holds it";
        break;
    case EACCES:
        hint = addr_family(&want->addr.addr) == AF_UNIX
                   ? "the folder of the socket must be writable"
                   : "ports below 1024 are root's: start weir as root, give it "
                     "CAP_NET_BIND_SERVICE, or take a higher port";
        break;
    case EADDRNOTAVAIL:
        hint = "no interface of this host has the address; 0.0.0.0 and [::] are all of them";
        break;
    case EAFNOSUPPORT:
        hint = "this host has no IPv6";
        break;
    case ENOENT:
        hint = "the folder of the socket must be there";
        break;
    default:
        break;
    }
    return conf_error(diag, want->addr.at, hint, "%s: cannot %s %.*s: %s", want->name,
                      failure->what, SLICE_ARG(want->addr.text), strerror(failure->error));
}

/* --- one socket ------------------------------------------------------------------------------- */

/*
 * Who is asked at an address that floats may lose it while the answer is under way. A transparent
 * socket, and with it the connections that it accepts, still sends from there: the client, whose
 * question was acknowledged and who would wait for ever, gets its answer. It is root's to ask for.
 */
static void outlive_address(int fd, int family)
{
    static const int on = 1;
    if (family == AF_INET)
        (void)setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
    else if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
}

/* An address that floats may come later, so that nobody can say yet that it is wrong. */
static void await_address(int fd, int family)
{
    static const int on = 1;
    if (family == AF_INET)
        (void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
    else if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
}

static int open_socket(const struct socket_want *want, bool may_share, struct failure *failure)
{
    static const int on = 1;
    int family = addr_family(&want->addr.addr);
    int fd = socket(family, want->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *failure = (struct failure){.what = "make a socket for", .error = errno};
    if (fd < 0)
        return -1;
    /* For UDP, SO_REUSEADDR would let anybody share the port. */
    if (family != AF_UNIX && want->type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (family != AF_UNIX && may_share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (want->is_floating)
        await_address(fd, family);
    if (bind(fd, &want->addr.addr.sa, want->addr.addr.len) == 0) {
        if (want->type == SOCK_STREAM)
            outlive_address(fd, family); /* not before: it would bind to any address */
        return fd;
    }
    *failure = (struct failure){.what = "listen on", .error = errno};
    close(fd);
    return -1;
}

static int start_listening(int fd, const struct socket_want *want, struct failure *failure)
{
    if (want->type != SOCK_STREAM ||
        listen(fd, want->backlog ? want->backlog : BACKLOG_DEFAULT) == 0)
        return 0;
    *failure = (struct failure){.what = "listen on", .error = errno};
    return -1;
}

/* --- unix sockets ----------------------------------------------------------------------------- */

static bool is_file(const struct addr *addr)
{
    return addr_family(addr) == AF_UNIX && addr->un.sun_path[0] != 0;
}

/* A file that a weir which is dead has left: nobody answers there. */
static void remove_stale(const struct socket_want *want)
{
    const struct addr *addr = &want->addr.addr;
    struct stat now;
    if (lstat(addr->un.sun_path, &now) < 0 || !S_ISSOCK(now.st_mode))
        return;
    int fd = socket(AF_UNIX, want->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, &addr->sa, addr->len) < 0 && errno == ECONNREFUSED)
        unlink(addr->un.sun_path);
    close(fd);
}

static int open_unix(struct super *super, const struct socket_want *want, struct bound *bound,
                     struct failure *failure)
{
    const char *path = want->addr.addr.un.sun_path;
    bool has_file = is_file(&want->addr.addr);
    mode_t mode = want->unix_mode ? want->unix_mode : DEFAULT_UNIX_MODE;
    struct stat now;
    if (has_file)
        remove_stale(want);
    /* The mode counts from the first moment; nobody else makes files in this process. */
    mode_t former = umask(~mode & 0777);
    int fd = open_socket(want, false, failure);
    umask(former);
    if (fd < 0)
        return -1;
    if (has_file && stat(path, &now) == 0) {
        bound->device = now.st_dev;
        bound->inode = now.st_ino;
        if (geteuid() == 0 && chown(path, super->user.uid, super->user.gid) < 0)
            log_write(super->log, LOG_LEVEL_WARN, "%s: cannot give the socket to the user: %s",
                      path, strerror(errno));
    }
    return fd;
}

static void remove_file(const struct bound *bound)
{
    struct stat now;
    if (!is_file(&bound->addr) || bound->inode == 0)
        return;
    if (lstat(bound->addr.un.sun_path, &now) == 0 && now.st_dev == bound->device &&
        now.st_ino == bound->inode)
        unlink(bound->addr.un.sun_path);
}

/* --- bound addresses -------------------------------------------------------------------------- */

static void bound_destroy(struct bound *bound)
{
    remove_file(bound);
    for (uint32_t i = 0; i < bound->n_fds; i++)
        close(bound->fds[i]);
    list_remove(&bound->node);
    mem_free(bound->fds);
    mem_free(bound);
}

/* One of our own sockets that has the same port, so that whether the port is free cannot be
 * asked. */
static bool shares_port(const struct super *super, const struct socket_want *want)
{
    LIST_EACH (node, &super->bounds) {
        const struct bound *bound = LIST_ENTRY(node, struct bound, node);
        if (bound->type == want->type && addr_port(&bound->addr) == addr_port(&want->addr.addr))
            return true;
    }
    return false;
}

/*
 * SO_REUSEPORT lets any process of the same user join in, another weir as well, and the kernel
 * would spread the clients over both. So the address is first bound without it.
 */
static int probe(const struct super *super, const struct socket_want *want, struct failure *failure)
{
    if (shares_port(super, want))
        return 0;
    int fd = open_socket(want, false, failure);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int open_all(struct super *super, const struct socket_want *want, struct bound *bound,
                    uint32_t n_fds, struct failure *failure)
{
    bool is_unix = addr_family(&want->addr.addr) == AF_UNIX;
    if (!is_unix && probe(super, want, failure) < 0)
        return -1;
    for (uint32_t i = 0; i < n_fds; i++) {
        int fd =
            is_unix ? open_unix(super, want, bound, failure) : open_socket(want, true, failure);
        if (fd < 0)
            return -1;
        bound->fds[bound->n_fds++] = fd;
        if (start_listening(fd, want, failure) < 0)
            return -1;
    }
    return 0;
}

static struct bound *bound_find(const struct super *super, const struct socket_want *want)
{
    LIST_EACH (node, &super->bounds) {
        struct bound *bound = LIST_ENTRY(node, struct bound, node);
        if (bound->type == want->type && addr_equal(&bound->addr, &want->addr.addr))
            return bound;
    }
    return NULL;
}

static struct bound *bound_create(struct super *super, const struct socket_want *want,
                                  uint32_t n_fds, struct conf_diag *diag)
{
    struct bound *bound = MEM_NEW(struct bound);
    struct failure failure = {.what = "", .error = 0};
    bound->addr = want->addr.addr;
    bound->type = want->type;
    bound->fds = MEM_NEW_ARRAY(int, n_fds);
    bound->number = super->last_number + 1;
    super->last_number += n_fds;
    int result = open_all(super, want, bound, n_fds, &failure);
    list_add_back(&super->bounds, &bound->node);
    if (result == 0)
        return bound;
    bound_destroy(bound);
    tell(want, &failure, diag);
    return NULL;
}

/* --- configurations --------------------------------------------------------------------------- */

struct walk {
    struct super *super;
    struct super_config *config;
    const struct child *child;
    size_t cap;
    int result;
};

static void add_binding(struct walk *walk, const struct socket_want *want, struct bound *bound)
{
    struct super_config *config = walk->config;
    if (config->n_bindings == walk->cap) {
        walk->cap = walk->cap ? walk->cap * 2 : 16;
        config->bindings = mem_realloc(config->bindings, walk->cap * sizeof(*config->bindings));
    }
    struct binding *binding = &config->bindings[config->n_bindings++];
    *binding = (struct binding){
        .kind = walk->child->kind, .bound = bound, .is_per_loop = want->is_per_loop};
    slice_copy(slice_from(want->name), binding->name, sizeof(binding->name));
}

static int on_want(void *ctx, const struct socket_want *wanted)
{
    struct walk *walk = ctx;
    struct socket_want here = *wanted;
    const struct socket_want *want = &here;
    here.is_floating = snapshot_is_floating(walk->config->snap, &wanted->addr.addr);
    assert(strlen(want->name) < CONTROL_NAME_MAX);
    bool has_many = want->is_per_loop && addr_family(&want->addr.addr) != AF_UNIX;
    uint32_t n_fds = has_many ? walk->child->n_loops : 1;
    struct bound *bound = bound_find(walk->super, want);
    if (bound && bound->n_fds != n_fds) {
        conf_error(walk->config->diag, want->addr.at, "stop weir and start it again",
                   "%s: the address is bound for another part already", want->name);
        walk->result = -1;
        return 0;
    }
    if (!bound)
        bound = bound_create(walk->super, want, n_fds, walk->config->diag);
    if (bound)
        add_binding(walk, want, bound);
    else
        walk->result = -1;
    return 0;
}

int sockets_bind(struct super *super, struct super_config *config)
{
    int result = 0;
    struct walk walk = {.super = super, .config = config};
    for (size_t i = 0; i < super->n_children; i++) {
        walk.child = &super->children[i];
        if (!snapshot_needs(config->snap, walk.child->kind))
            continue;
        snapshot_sockets(config->snap, walk.child->kind, on_want, &walk);
        if (walk.result < 0)
            result = -1;
    }
    return result;
}

static bool is_named(const struct super_config *config, const struct bound *bound)
{
    for (size_t i = 0; config && i < config->n_bindings; i++) {
        if (config->bindings[i].bound == bound)
            return true;
    }
    return false;
}

void sockets_sweep(struct super *super)
{
    LIST_EACH (node, &super->bounds) {
        struct bound *bound = LIST_ENTRY(node, struct bound, node);
        if (!is_named(super->config, bound) && !is_named(super->coming, bound))
            bound_destroy(bound);
    }
}

void sockets_give_up(struct super *super)
{
    LIST_EACH (node, &super->bounds) {
        struct bound *bound = LIST_ENTRY(node, struct bound, node);
        if (!bound->is_inherited)
            bound_destroy(bound);
    }
}

void sockets_deinit(struct super *super)
{
    LIST_EACH (node, &super->bounds)
        bound_destroy(LIST_ENTRY(node, struct bound, node));
}

void sockets_describe(const struct super_config *config, struct text *out)
{
    for (size_t i = 0; i < config->n_bindings; i++) {
        char text[ADDR_TEXT_MAX];
        const struct binding *binding = &config->bindings[i];
        text_printf(out, "%s%s %s", i ? ", " : "", binding->name,
                    addr_format(&binding->bound->addr, text));
    }
}
