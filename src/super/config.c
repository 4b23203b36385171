/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A configuration as the supervisor holds it: read once through a recorder, so that each process
 * gets exactly the bytes that were checked here.
 */

#include "base/mem.h"
#include "core/disk.h"
#include "core/inspect.h"
#include "core/secret.h"
#include "super/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HOST_FILE_MAX = 1 << 20 };

/*
 * What was changed at run time becomes part of the recording before anything is read, so that every
 * process gets these bytes and nobody opens the file again. Before there is a state directory there
 * is nothing.
 */
static void take_overlay(const struct super *super, struct super_config *config)
{
    struct text bytes = TEXT_NONE;
    struct err err = ERR_NONE;
    int result = super->state_fd >= 0 ? overlay_read(super, &bytes, &err) : 1;
    const char *path = NULL;
    if (result == 0) {
        path = arena_printf(&config->recording.arena, "%s/" SNAPSHOT_OVERLAY, super->state_dir);
        result = conf_bundle_add(&config->recording, CONF_BUNDLE_FILE, slice_from(path),
                                 text_slice(&bytes), &err);
    }
    if (result == 0)
        config->overlay = path;
    else if (result < 0)
        overlay_set_aside(super, err.text);
    text_deinit(&bytes);
}

int config_load(struct super *super, struct super_config **ret_config)
{
    struct super_config *config = MEM_NEW(struct super_config);
    struct conf_host disk = disk_host();
    struct conf_recorder recorder = {.inner = &disk, .bundle = &config->recording};
    conf_bundle_init(&config->recording);
    struct conf_host host = conf_recorder_host(&recorder);
    config->generation = ++super->last_generation;
    take_overlay(super, config);
    const struct snapshot_options options = {
        .path = super->conf->path,
        .host = &host,
        .folder = super->folder,
        .node = super->conf->node,
        .state_dir = super->conf->state_dir,
        .overlay = config->overlay,
        .generation = config->generation,
        .n_loops = 1,
    };
    int result = snapshot_load(super->table, &options, &config->snap, &config->diag);
    if (result == 0)
        result = inspect_machine(config->snap, INSPECT_SILENT, config->diag);
    *ret_config = config;
    return result;
}

int config_adopt(struct super *super, struct slice recording, uint64_t generation,
                 struct super_config **ret_config, struct err *err)
{
    struct super_config *config = MEM_NEW(struct super_config);
    conf_bundle_init(&config->recording);
    config->generation = generation;
    *ret_config = config;
    if (conf_bundle_decode(&config->recording, recording, err) < 0)
        return err_prefix(err, "the recorded configuration");
    struct conf_host host = conf_bundle_host(&config->recording);
    const char *overlay =
        arena_printf(&config->recording.arena, "%s/" SNAPSHOT_OVERLAY, super->state_dir);
    if (conf_bundle_find(&config->recording, CONF_BUNDLE_FILE, slice_from(overlay)))
        config->overlay = overlay;
    const struct snapshot_options options = {
        .path = super->conf->path,
        .host = &host,
        .folder = super->folder,
        .node = super->conf->node,
        .state_dir = super->conf->state_dir,
        .overlay = config->overlay,
        .generation = generation,
        .n_loops = 1,
    };
    if (snapshot_load(super->table, &options, &config->snap, &config->diag) == 0)
        return 0;
    return err_set(err, "%s",
                   config->diag->n_items ? config->diag->items[0].text
                                         : "the recorded configuration is refused");
}

void config_destroy(struct super_config **config)
{
    struct super_config *old = *config;
    *config = NULL;
    if (!old)
        return;
    snapshot_unref(&old->snap);
    conf_bundle_deinit(&old->recording);
    mem_free(old->bindings);
    mem_free(old);
}

/* Line by line, so that a quoted line and the mark below it stay under each other. */
void config_log(const struct super *super, const struct super_config *config)
{
    struct text text = TEXT_NONE;
    if (config->diag->n_items)
        conf_diag_print(config->diag, &text);
    for (struct slice rest = text_slice(&text); rest.ptr && rest.len > 0;) {
        struct slice line = slice_cut(&rest, '\n');
        log_write(super->log, LOG_LEVEL_WARN, "%.*s", SLICE_ARG(line));
    }
    text_deinit(&text);
}

/* --- bundles ---------------------------------------------------------------------------------- */

static int add_text(struct conf_bundle *bundle, const char *name, const char *value,
                    struct err *err)
{
    return conf_bundle_add(bundle, CONF_BUNDLE_BLOB, slice_from(name), slice_from(value), err);
}

/* A file of the host that may be missing: then so is the blob. */
static int add_host_file(struct conf_bundle *bundle, const char *name, const char *path,
                         struct err *err)
{
    struct arena arena;
    struct slice bytes;
    arena_init(&arena);
    int result = 0;
    if (disk_read(slice_from(path), HOST_FILE_MAX, &arena, &bytes, NULL, NULL) == 0)
        result = conf_bundle_add(bundle, CONF_BUNDLE_BLOB, slice_from(name), bytes, err);
    arena_deinit(&arena);
    return result;
}

/* The files that this kind wants, as they are now; they could be read a moment ago. */
static int add_files(const struct super_config *config, const char *kind,
                     struct conf_bundle *bundle, struct err *err)
{
    struct arena arena;
    arena_init(&arena);
    struct conf_diag *diag = ARENA_NEW(&arena, struct conf_diag);
    conf_diag_init(diag, &arena, config->snap->files);
    int result = inspect_files(config->snap, kind, bundle, diag);
    if (result < 0)
        err_set(err, "%s", diag->n_items ? diag->items[0].text : "a file cannot be read any more");
    arena_deinit(&arena);
    return result;
}

/* Where the file names no secret, the node's own goes to those who would get it. */
static int add_secret(const struct super *super, const struct super_config *config,
                      const char *kind, struct conf_bundle *bundle, struct err *err)
{
    if (settings_of(config->snap)->secret_file.len > 0 ||
        !module_files_go_to(&settings_module, kind))
        return 0;
    struct arena arena;
    struct slice bytes;
    arena_init(&arena);
    int result = secret_keep(super->state_dir, &arena, &bytes, err);
    if (result == 0)
        result = conf_bundle_add(bundle, CONF_BUNDLE_BLOB, SLICE(BLOB_SECRET), bytes, err);
    arena_deinit(&arena);
    return result;
}

static int fill_bundle(struct super *super, const struct super_config *config, const char *kind,
                       struct conf_bundle *bundle, struct err *err)
{
    if (conf_bundle_join(bundle, &config->recording, err) < 0 ||
        add_text(bundle, "weir.file", super->conf->path, err) < 0 ||
        add_text(bundle, "weir.folder", super->folder, err) < 0 ||
        add_text(bundle, "weir.node", config->snap->node, err) < 0 ||
        add_text(bundle, "weir.state", super->state_dir, err) < 0)
        return -1;
    if (config->overlay && add_text(bundle, "weir.overlay", config->overlay, err) < 0)
        return -1;
    /* Who resolves names may make UDP sockets, and nobody for anything else. */
    if (module_process_allows(super->table, kind, SANDBOX_DATAGRAM) &&
        (add_host_file(bundle, "hosts", "/etc/hosts", err) < 0 ||
         add_host_file(bundle, "resolv.conf", "/etc/resolv.conf", err) < 0))
        return -1;
    if (add_secret(super, config, kind, bundle, err) < 0)
        return -1;
    return add_files(config, kind, bundle, err);
}

static int write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

static int seal(struct slice bytes, int *ret_fd, struct err *err)
{
    int fd = memfd_create("weir-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot make the memory of a bundle");
    if (write_all(fd, bytes) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        err_set_errno(err, errno, "cannot seal a bundle");
        close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

int config_bundle(struct super *super, const struct super_config *config, const char *kind,
                  int *ret_fd, size_t *ret_len, struct err *err)
{
    struct conf_bundle bundle;
    conf_bundle_init(&bundle);
    int result = fill_bundle(super, config, kind, &bundle, err);
    if (result == 0) {
        struct text bytes = TEXT_NONE;
        conf_bundle_encode(&bundle, &bytes);
        result = seal(text_slice(&bytes), ret_fd, err);
        *ret_len = bytes.len;
        explicit_bzero(bytes.ptr, bytes.len); /* there may be keys in it */
        text_deinit(&bytes);
    }
    conf_bundle_deinit(&bundle);
    return result;
}
