/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A configuration held against the machine.
 */

#include "core/inspect.h"
#include "base/mem.h"
#include "core/disk.h"
#include "core/node.h"
#include <net/if.h>
#include <sys/stat.h>

enum { INSPECT_SOCKETS_MAX = 4096 };

struct sockets_walk {
    const struct snapshot *snap;
    enum inspect_missing missing;
    struct conf_diag *diag;
    struct socket_want *seen;
    size_t n_seen, cap_seen;
    int result;
};

static void check_clash(struct sockets_walk *walk, const struct socket_want *want)
{
    for (size_t i = 0; i < walk->n_seen; i++) {
        const struct socket_want *other = &walk->seen[i];
        if (other->type != want->type || !addr_equal(&other->addr.addr, &want->addr.addr))
            continue;
        struct text where = TEXT_NONE;
        conf_at_format(walk->snap->files, other->addr.at, &where);
        walk->result = conf_error(walk->diag, want->addr.at, "give one of them another port",
                                  "%s listens on %.*s already (%s)", other->name,
                                  SLICE_ARG(other->addr.text), text_cstr(&where));
        text_deinit(&where);
        return;
    }
}

static void check_missing(struct sockets_walk *walk, const struct socket_want *want)
{
    static const char hint[] = "`ip addr` shows what it has; 0.0.0.0 and [::] are all of them";
    if (walk->missing == INSPECT_SILENT || node_host_has(&want->addr.addr) ||
        snapshot_is_floating(walk->snap, &want->addr.addr))
        return;
    if (walk->missing == INSPECT_ERROR)
        walk->result = conf_error(walk->diag, want->addr.at, hint,
                                  "no interface of this host has the address");
    else
        conf_note(walk->diag, want->addr.at, NULL, "no interface of this host has the address");
}

static int on_socket(void *ctx, const struct socket_want *want)
{
    struct sockets_walk *walk = ctx;
    check_clash(walk, want);
    check_missing(walk, want);
    if (walk->n_seen == INSPECT_SOCKETS_MAX) {
        walk->result = conf_error(walk->diag, want->addr.at, NULL, "more than %d listeners",
                                  INSPECT_SOCKETS_MAX);
        return -1;
    }
    if (walk->n_seen == walk->cap_seen) {
        walk->cap_seen = walk->cap_seen ? walk->cap_seen * 2 : 16;
        walk->seen = mem_realloc(walk->seen, walk->cap_seen * sizeof(*walk->seen));
    }
    walk->seen[walk->n_seen++] = *want;
    return 0;
}

int inspect_sockets(const struct snapshot *snap, enum inspect_missing missing,
                    struct conf_diag *diag)
{
    struct sockets_walk walk = {
        .snap = snap,
        .missing = missing,
        .diag = diag,
    };
    snapshot_sockets(snap, NULL, on_socket, &walk);
    mem_free(walk.seen);
    return walk.result;
}

struct interfaces_walk {
    enum inspect_missing missing;
    struct conf_diag *diag;
};

static void on_interface(void *ctx, const struct interface_want *want)
{
    static const char hint[] = "`ip link` shows what it has; nothing floats here until it comes";
    const struct interfaces_walk *walk = ctx;
    if (if_nametoindex(want->name) != 0)
        return;
    if (walk->missing == INSPECT_ERROR)
        conf_warning(walk->diag, want->at, hint, "this host has no interface %s", want->name);
    else
        conf_note(walk->diag, want->at, hint, "this host has no interface %s", want->name);
}

void inspect_interfaces(const struct snapshot *snap, enum inspect_missing missing,
                        struct conf_diag *diag)
{
    struct interfaces_walk walk = {.missing = missing, .diag = diag};
    for (size_t i = 0; i < snap->table->n_items && missing != INSPECT_SILENT; i++)
        if (snap->table->items[i]->interfaces)
            snap->table->items[i]->interfaces(snap, on_interface, &walk);
}

struct files_walk {
    struct conf_bundle *bundle;
    struct conf_diag *diag;
    int result;
};

static int on_file(void *ctx, const struct file_want *want)
{
    struct files_walk *walk = ctx;
    struct err err = ERR_NONE;
    struct slice bytes;
    unsigned mode;
    if (disk_read(want->path, want->max_bytes, walk->diag->arena, &bytes, &mode, &err) < 0) {
        walk->result = conf_error(walk->diag, want->at, want->hint, "%s", err.text);
        return 0;
    }
    if (want->is_secret && (mode & (S_IRWXG | S_IRWXO)))
        conf_warning(walk->diag, want->at, "chmod 600", "others than its owner may read %.*s",
                     SLICE_ARG(want->path));
    if (want->check && want->check(bytes, &err) < 0) {
        walk->result =
            conf_error(walk->diag, want->at, NULL, "%.*s: %s", SLICE_ARG(want->path), err.text);
        return 0;
    }
    if (walk->bundle &&
        conf_bundle_add(walk->bundle, CONF_BUNDLE_BLOB, slice_from(want->name), bytes, &err) < 0)
        walk->result = conf_error(walk->diag, want->at, NULL, "%s", err.text);
    return 0;
}

/* The modules look at their files together, once all of them are there. */
static int check_together(const struct snapshot *snap, const struct conf_bundle *files,
                          struct conf_diag *diag)
{
    int result = 0;
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        if (module->check_files && module->check_files(snap, files, diag) < 0)
            result = -1;
    }
    return result;
}

static int inspect_all(const struct snapshot *snap, struct conf_diag *diag)
{
    struct conf_bundle files;
    conf_bundle_init(&files);
    struct files_walk walk = {.bundle = &files, .diag = diag};
    snapshot_files(snap, NULL, on_file, &walk);
    int result = walk.result < 0 ? -1 : check_together(snap, &files, diag);
    conf_bundle_deinit(&files);
    return result;
}

int inspect_files(const struct snapshot *snap, const char *kind, struct conf_bundle *bundle,
                  struct conf_diag *diag)
{
    if (!bundle)
        return inspect_all(snap, diag);
    struct files_walk walk = {.bundle = bundle, .diag = diag};
    snapshot_files(snap, kind, on_file, &walk);
    return walk.result;
}

/* ---- all of it ---- */

int inspect_machine(const struct snapshot *snap, enum inspect_missing missing,
                    struct conf_diag *diag)
{
    int result = inspect_programs(snap, diag);
    if (inspect_files(snap, NULL, NULL, diag) < 0)
        result = -1;
    if (inspect_sockets(snap, missing, diag) < 0)
        result = -1;
    inspect_interfaces(snap, missing, diag);
    return result;
}
