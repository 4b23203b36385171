/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as an overlay over any other bytes: what is left of it, printed and laid over the same
 * file again, is in force as a whole and makes the same tree.
 */

#include "base/mem.h"
#include "conf/overlay.h"
#include "conf/print.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf_overlay_words words = {.block = "pool", .statement = "member"};

struct pair {
    struct slice file, overlay;
};

static int pair_read(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                     struct err *err)
{
    const struct pair *pair = ctx;
    (void)err;
    *ret_bytes = arena_dup(arena, slice_is(path, "overlay") ? pair->overlay : pair->file);
    return 0;
}

static int pair_glob(void *ctx, struct slice pattern, struct arena *arena, struct slice **ret_paths,
                     size_t *ret_n, struct err *err)
{
    (void)ctx;
    (void)pattern;
    (void)arena;
    (void)err;
    *ret_paths = NULL;
    *ret_n = 0;
    return 0;
}

static const char *pair_env(void *ctx, struct slice name)
{
    (void)ctx;
    return name.len % 2 ? "va lue" : NULL;
}

/* 0 without a mistake; then `tree` has the tree and `left` the overlay. */
static int merge(struct pair *pair, struct text *tree, struct text *left, size_t *ret_n)
{
    const struct conf_host host = {
        .ctx = pair, .read = pair_read, .glob = pair_glob, .env = pair_env};
    struct arena arena;
    arena_init(&arena);
    struct conf_files *files = ARENA_NEW(&arena, struct conf_files);
    struct conf_diag *diag = ARENA_NEW(&arena, struct conf_diag);
    conf_diag_init(diag, &arena, files);
    struct conf_stmt *root = conf_tree_read(SLICE("file"), &host, &arena, files, diag);
    struct conf_overlay *overlay = NULL;
    if (diag->n_errors == 0)
        overlay = conf_overlay_merge(root, SLICE("overlay"), &host, &words, &arena, files, diag);
    int result = diag->n_errors ? -1 : 0;
    *ret_n = 0;
    for (size_t i = 0; result == 0 && i < overlay->n_entries; i++)
        *ret_n += overlay->entries[i].is_in_force;
    for (size_t i = 0; result == 0 && i < root->n_children; i++) {
        conf_print_line(root->children[i], 0, tree);
        text_append_char(tree, '\n');
    }
    if (result == 0)
        conf_overlay_print(overlay, &words, left);
    struct text said = TEXT_NONE;
    conf_diag_print(diag, &said);
    text_deinit(&said);
    arena_deinit(&arena);
    return result;
}

/* The overlay stands behind the first NUL. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make((const char *)data, size);
    struct pair pair = {.file = slice_cut(&rest, '\0'), .overlay = rest};
    struct text tree = TEXT_NONE, left = TEXT_NONE, again = TEXT_NONE, second = TEXT_NONE;
    size_t n, n_again;
    if (merge(&pair, &tree, &left, &n) == 0) {
        pair.overlay = text_slice(&left);
        int result = merge(&pair, &again, &second, &n_again);
        assert(result == 0);
        assert(n == n_again);
        assert(slice_equal(text_slice(&tree), text_slice(&again)));
        assert(slice_equal(text_slice(&left), text_slice(&second)));
    }
    text_deinit(&tree);
    text_deinit(&left);
    text_deinit(&again);
    text_deinit(&second);
    return 0;
}
