/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the decoder of the bundle: what it takes encodes to the same bytes again, every entry can
 * be found and read to its NUL, and the host answers each question that the bundle holds.
 */
#include "base/mem.h"
#include "conf/bundle.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void ask(const struct conf_host *host, const struct conf_bundle_entry *entry,
                struct arena *arena)
{
    struct slice bytes, *paths;
    size_t n_paths;
    switch (entry->kind) {
    case CONF_BUNDLE_FILE:
        require(host->read(host->ctx, entry->name, arena, &bytes, NULL) == 0);
        require(slice_equal(bytes, entry->bytes));
        break;
    case CONF_BUNDLE_GLOB:
        require(host->glob(host->ctx, entry->name, arena, &paths, &n_paths, NULL) == 0);
        for (size_t i = 0; i < n_paths; i++)
            require(paths[i].len > 0 && paths[i].ptr[paths[i].len] == '\0');
        break;
    case CONF_BUNDLE_ENV:
        require(strlen(host->env(host->ctx, entry->name)) == entry->bytes.len);
        break;
    case CONF_BUNDLE_BLOB:
        require(conf_bundle_blob(host->ctx, entry->name.ptr).ptr == entry->bytes.ptr);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_bundle bundle;
    struct text again = TEXT_NONE;
    struct arena arena;
    struct err err = ERR_NONE;
    /* Bytes of their own, so that a read behind them is seen. */
    char *copy = slice_dup(slice_make((const char *)data, size));
    conf_bundle_init(&bundle);
    arena_init(&arena);
    if (conf_bundle_decode(&bundle, slice_make(copy, size), &err) == 0) {
        struct conf_host host = conf_bundle_host(&bundle);
        conf_bundle_encode(&bundle, &again);
        require(slice_equal(text_slice(&again), slice_make(copy, size)));
        for (size_t i = 0; i < bundle.n_entries; i++)
            ask(&host, &bundle.entries[i], &arena);
    } else {
        require(err.text[0] != '\0' && bundle.n_entries == 0);
    }
    text_deinit(&again);
    arena_deinit(&arena);
    conf_bundle_deinit(&bundle);
    mem_free(copy);
    return 0;
}
