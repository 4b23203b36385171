/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading the bundle once more, with one file in the place of another.
 */

#include "core/rehearse.h"

#include "core/process_life.h"
#include <stdio.h>

struct stand_in {
    struct conf_host bundle;
    struct slice path, bytes;
};

static int stand_in_read(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                         struct err *err)
{
    struct stand_in *stand_in = ctx;
    if (!slice_equal(path, stand_in->path))
        return stand_in->bundle.read(stand_in->bundle.ctx, path, arena, ret_bytes, err);
    *ret_bytes = arena_dup(arena, stand_in->bytes);
    return 0;
}

static int stand_in_glob(void *ctx, struct slice pattern, struct arena *arena,
                         struct slice **ret_paths, size_t *ret_n, struct err *err)
{
    const struct stand_in *stand_in = ctx;
    return stand_in->bundle.glob(stand_in->bundle.ctx, pattern, arena, ret_paths, ret_n, err);
}

static const char *stand_in_env(void *ctx, struct slice name)
{
    const struct stand_in *stand_in = ctx;
    return stand_in->bundle.env(stand_in->bundle.ctx, name);
}

int process_rehearse(struct process *process, struct slice overlay, struct snapshot **ret_snap,
                     struct text *ret_why)
{
    const struct conf_bundle *bundle = &process_life(process)->bundle.bundle;
    struct text path = TEXT_NONE;
    text_printf(&path, "%s/" SNAPSHOT_OVERLAY, process->snap->state_dir);
    struct stand_in stand_in = {
        .bundle = conf_bundle_host(bundle), .path = text_slice(&path), .bytes = overlay};
    const struct conf_host host = {
        .ctx = &stand_in, .read = stand_in_read, .glob = stand_in_glob, .env = stand_in_env};
    struct snapshot_options options = process_snapshot_options(process, bundle, &host);
    struct snapshot *snap;
    struct conf_diag *diag;
    options.overlay = overlay.len ? text_cstr(&path) : NULL;
    options.generation = process->snap->generation;
    int result = snapshot_load(process->table, &options, &snap, &diag);
    if (result < 0)
        conf_diag_print(diag, ret_why);
    if (ret_snap)
        *ret_snap = snap;
    else
        snapshot_unref(&snap);
    text_deinit(&path);
    return result;
}
