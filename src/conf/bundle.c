/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealed bundle: entries, their encoding, the host that answers from them, and the recorder
 * that makes them. The decoder trusts no length: it is the first thing that a fresh process reads.
 */
#include "conf/bundle.h"
#include "base/mem.h"
#include "conf/unit.h"
#include <assert.h>
#include <stdbool.h>
#include <string.h>

static const struct slice magic = SLICE_INIT("weirbndl");

enum { HEAD_BYTES = 16, ENTRY_HEAD_BYTES = 9, ENTRY_FRAME_BYTES = ENTRY_HEAD_BYTES + 2 };

/* ---- entries ---- */

void conf_bundle_init(struct conf_bundle *bundle)
{
    *bundle = (struct conf_bundle){.encoded_bytes = HEAD_BYTES};
    arena_init(&bundle->arena);
}

void conf_bundle_deinit(struct conf_bundle *bundle)
{
    for (size_t i = 0; i < bundle->n_entries; i++)
        if (bundle->entries[i].own)
            explicit_bzero(bundle->entries[i].own, bundle->entries[i].bytes.len);
    mem_free(bundle->entries);
    arena_deinit(&bundle->arena);
    conf_bundle_init(bundle);
}

const struct conf_bundle_entry *conf_bundle_find(const struct conf_bundle *bundle,
                                                 enum conf_bundle_kind kind, struct slice name)
{
    for (size_t i = 0; i < bundle->n_entries; i++)
        if (bundle->entries[i].kind == kind && slice_equal(bundle->entries[i].name, name))
            return &bundle->entries[i];
    return NULL;
}

struct slice conf_bundle_blob(const struct conf_bundle *bundle, const char *name)
{
    const struct conf_bundle_entry *entry =
        conf_bundle_find(bundle, CONF_BUNDLE_BLOB, slice_from(name));
    return entry ? entry->bytes : (struct slice){NULL, 0};
}

static bool has_nul(struct slice text)
{
    return slice_find(text, '\0') < text.len;
}

/* Paths, each with a NUL behind it, none of them empty. */
static bool is_path_list(struct slice bytes)
{
    while (bytes.len) {
        size_t len = slice_find(bytes, '\0');
        if (len == 0 || len == bytes.len)
            return false;
        bytes = slice_skip(bytes, len + 1);
    }
    return true;
}

static bool is_kind(unsigned kind)
{
    return kind == CONF_BUNDLE_FILE || kind == CONF_BUNDLE_GLOB || kind == CONF_BUNDLE_ENV ||
           kind == CONF_BUNDLE_BLOB;
}

/* What holds for every entry of every bundle, made here or read. */
static int check_entry(const struct conf_bundle *bundle, const struct conf_bundle_entry *entry,
                       struct err *err)
{
    struct conf_quote q;
    const char *name = conf_quote(entry->name, &q);
    if (entry->name.len == 0 || entry->name.len > CONF_BUNDLE_NAME_MAX || has_nul(entry->name))
        return err_set(err, "bundle: \"%s\" cannot be a name", name);
    if (entry->bytes.len > CONF_BUNDLE_BYTES_MAX)
        return err_set(err, "bundle: %s is larger than %d MiB", name, CONF_BUNDLE_BYTES_MAX >> 20);
    if (bundle->n_entries == CONF_BUNDLE_ENTRIES_MAX)
        return err_set(err, "bundle: more than %d entries", CONF_BUNDLE_ENTRIES_MAX);
    if (ENTRY_FRAME_BYTES + entry->name.len + entry->bytes.len >
        CONF_BUNDLE_ENCODED_MAX - bundle->encoded_bytes)
        return err_set(err, "bundle: larger than %d MiB with %s", CONF_BUNDLE_ENCODED_MAX >> 20,
                       name);
    if (entry->kind == CONF_BUNDLE_ENV && has_nul(entry->bytes))
        return err_set(err, "bundle: the value of %s holds a NUL", name);
    if (entry->kind == CONF_BUNDLE_GLOB && !is_path_list(entry->bytes))
        return err_set(err, "bundle: %s has no list of paths", name);
    if (conf_bundle_find(bundle, entry->kind, entry->name))
        return err_set(err, "bundle: %s is there already", name);
    return 0;
}

/* Takes an entry that was checked. */
static void push(struct conf_bundle *bundle, const struct conf_bundle_entry *entry)
{
    if (bundle->n_entries == bundle->cap_entries) {
        bundle->cap_entries = bundle->cap_entries ? bundle->cap_entries * 2 : 16;
        bundle->entries =
            mem_realloc(bundle->entries, bundle->cap_entries * sizeof(*bundle->entries));
    }
    bundle->entries[bundle->n_entries++] = *entry;
    bundle->encoded_bytes += ENTRY_FRAME_BYTES + entry->name.len + entry->bytes.len;
}

/* A copy with a NUL behind it, which the arena owns and which may be wiped. */
static char *copy_of(struct arena *arena, struct slice bytes)
{
    char *copy = arena_alloc(arena, bytes.len + 1);
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

int conf_bundle_add(struct conf_bundle *bundle, enum conf_bundle_kind kind, struct slice name,
                    struct slice bytes, struct err *err)
{
    struct conf_bundle_entry entry = {.kind = kind, .name = name, .bytes = bytes};
    assert(is_kind(kind));
    if (check_entry(bundle, &entry, err) < 0)
        return -1;
    entry.name.ptr = copy_of(&bundle->arena, name);
    entry.own = copy_of(&bundle->arena, bytes);
    entry.bytes.ptr = entry.own;
    push(bundle, &entry);
    return 0;
}

int conf_bundle_join(struct conf_bundle *bundle, const struct conf_bundle *from, struct err *err)
{
    for (size_t i = 0; i < from->n_entries; i++) {
        struct conf_bundle_entry entry = from->entries[i];
        entry.own = NULL;
        if (check_entry(bundle, &entry, err) < 0)
            return -1;
        push(bundle, &entry);
    }
    return 0;
}

/* ---- encoding ---- */

static void put_u32(struct text *out, size_t value)
{
    assert(value <= UINT32_MAX);
    for (int shift = 24; shift >= 0; shift -= 8)
        text_append_char(out, (char)(value >> shift & 0xff));
}

void conf_bundle_encode(const struct conf_bundle *bundle, struct text *out)
{
    size_t start = out->len;
    text_reserve(out, bundle->encoded_bytes);
    text_append(out, magic);
    put_u32(out, CONF_BUNDLE_VERSION);
    put_u32(out, bundle->n_entries);
    for (size_t i = 0; i < bundle->n_entries; i++) {
        const struct conf_bundle_entry *entry = &bundle->entries[i];
        text_append_char(out, (char)entry->kind);
        put_u32(out, entry->name.len);
        put_u32(out, entry->bytes.len);
        text_append(out, entry->name);
        text_append_char(out, '\0');
        text_append(out, entry->bytes);
        text_append_char(out, '\0');
    }
    assert(out->len - start == bundle->encoded_bytes);
}

/* Cuts n bytes off the front; -1 where there are fewer. */
static int cut(struct slice *rest, size_t n, struct slice *ret_bytes)
{
    if (rest->len < n)
        return -1;
    *ret_bytes = slice_make(rest->ptr, n);
    *rest = slice_skip(*rest, n);
    return 0;
}

static int cut_u32(struct slice *rest, uint32_t *ret_value)
{
    struct slice bytes;
    if (cut(rest, 4, &bytes) < 0)
        return -1;
    *ret_value = 0;
    for (size_t i = 0; i < 4; i++)
        *ret_value = *ret_value << 8 | (unsigned char)bytes.ptr[i];
    return 0;
}

/* n bytes and the NUL behind them. */
static int cut_string(struct slice *rest, size_t n, struct slice *ret_bytes)
{
    struct slice end;
    if (cut(rest, n, ret_bytes) < 0 || cut(rest, 1, &end) < 0 || end.ptr[0] != '\0')
        return -1;
    return 0;
}

static int cut_entry(struct slice *rest, struct conf_bundle_entry *ret_entry)
{
    struct slice kind;
    uint32_t name_len, bytes_len;
    if (cut(rest, 1, &kind) < 0 || !is_kind((unsigned char)kind.ptr[0]))
        return -1;
    *ret_entry = (struct conf_bundle_entry){.kind = (enum conf_bundle_kind)kind.ptr[0]};
    if (cut_u32(rest, &name_len) < 0 || cut_u32(rest, &bytes_len) < 0)
        return -1;
    if (cut_string(rest, name_len, &ret_entry->name) < 0)
        return -1;
    return cut_string(rest, bytes_len, &ret_entry->bytes);
}

static int decode_head(struct slice *rest, uint32_t *ret_n, struct err *err)
{
    struct slice first;
    uint32_t version;
    if (cut(rest, magic.len, &first) < 0 || !slice_equal(first, magic))
        return err_set(err, "bundle: these bytes are no bundle");
    if (cut_u32(rest, &version) < 0 || cut_u32(rest, ret_n) < 0)
        return err_set(err, "bundle: it ends within its head");
    if (version != CONF_BUNDLE_VERSION)
        return err_set(err, "bundle: version %u, and this weir reads %d", version,
                       CONF_BUNDLE_VERSION);
    return 0;
}

static int decode_entries(struct conf_bundle *bundle, struct slice rest, uint32_t n,
                          struct err *err)
{
    for (uint32_t i = 0; i < n; i++) {
        struct conf_bundle_entry entry;
        if (cut_entry(&rest, &entry) < 0)
            return err_set(err, "bundle: entry %u of %u is broken", i + 1, n);
        if (check_entry(bundle, &entry, err) < 0)
            return -1;
        push(bundle, &entry);
    }
    return rest.len ? err_set(err, "bundle: %zu bytes behind its end", rest.len) : 0;
}

int conf_bundle_decode(struct conf_bundle *bundle, struct slice bytes, struct err *err)
{
    uint32_t n = 0;
    assert(bundle->n_entries == 0);
    if (decode_head(&bytes, &n, err) < 0)
        return -1;
    if (decode_entries(bundle, bytes, n, err) < 0) {
        conf_bundle_deinit(bundle);
        return -1;
    }
    return 0;
}

/* ---- answering ---- */

static int answer_read(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                       struct err *err)
{
    const struct conf_bundle_entry *entry = conf_bundle_find(ctx, CONF_BUNDLE_FILE, path);
    struct conf_quote q;
    if (!entry)
        return err_set(err, "the bundle holds no file %s", conf_quote(path, &q));
    *ret_bytes = arena_dup(arena, entry->bytes);
    return 0;
}

static size_t count_nuls(struct slice bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i++)
        n += bytes.ptr[i] == '\0';
    return n;
}

static int answer_glob(void *ctx, struct slice pattern, struct arena *arena,
                       struct slice **ret_paths, size_t *ret_n, struct err *err)
{
    const struct conf_bundle_entry *entry = conf_bundle_find(ctx, CONF_BUNDLE_GLOB, pattern);
    struct conf_quote q;
    if (!entry)
        return err_set(err, "the bundle holds no answer for %s", conf_quote(pattern, &q));
    struct slice rest = entry->bytes;
    *ret_n = count_nuls(rest);
    *ret_paths = ARENA_NEW_ARRAY(arena, struct slice, *ret_n ? *ret_n : 1);
    for (size_t i = 0; i < *ret_n; i++)
        (*ret_paths)[i] = arena_dup(arena, slice_cut(&rest, '\0'));
    return 0;
}

static const char *answer_env(void *ctx, struct slice name)
{
    const struct conf_bundle_entry *entry = conf_bundle_find(ctx, CONF_BUNDLE_ENV, name);
    return entry ? entry->bytes.ptr : NULL;
}

/* The callbacks take it as const again; struct conf_host has one type for every ctx. */
static void *ctx_of(const struct conf_bundle *bundle)
{
    union {
        const struct conf_bundle *bundle;
        void *ctx;
    } u = {.bundle = bundle};
    return u.ctx;
}

struct conf_host conf_bundle_host(const struct conf_bundle *bundle)
{
    return (struct conf_host){
        .ctx = ctx_of(bundle), .read = answer_read, .glob = answer_glob, .env = answer_env};
}

/* ---- recording ---- */

static int record_read(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                       struct err *err)
{
    struct conf_recorder *recorder = ctx;
    if (!conf_bundle_find(recorder->bundle, CONF_BUNDLE_FILE, path)) {
        struct slice bytes;
        if (recorder->inner->read(recorder->inner->ctx, path, arena, &bytes, err) < 0 ||
            conf_bundle_add(recorder->bundle, CONF_BUNDLE_FILE, path, bytes, err) < 0)
            return -1;
    }
    return answer_read(recorder->bundle, path, arena, ret_bytes, err);
}

static int record_paths(struct conf_recorder *recorder, struct slice pattern,
                        const struct slice *paths, size_t n_paths, struct err *err)
{
    struct text list = TEXT_NONE;
    for (size_t i = 0; i < n_paths; i++) {
        text_append(&list, paths[i]);
        text_append_char(&list, '\0');
    }
    int rc = conf_bundle_add(recorder->bundle, CONF_BUNDLE_GLOB, pattern, text_slice(&list), err);
    text_deinit(&list);
    return rc;
}

static int record_glob(void *ctx, struct slice pattern, struct arena *arena,
                       struct slice **ret_paths, size_t *ret_n, struct err *err)
{
    struct conf_recorder *recorder = ctx;
    if (!conf_bundle_find(recorder->bundle, CONF_BUNDLE_GLOB, pattern)) {
        struct slice *paths;
        size_t n_paths;
        if (recorder->inner->glob(recorder->inner->ctx, pattern, arena, &paths, &n_paths, err) <
                0 ||
            record_paths(recorder, pattern, paths, n_paths, err) < 0)
            return -1;
    }
    return answer_glob(recorder->bundle, pattern, arena, ret_paths, ret_n, err);
}

static const char *record_env(void *ctx, struct slice name)
{
    struct conf_recorder *recorder = ctx;
    if (!conf_bundle_find(recorder->bundle, CONF_BUNDLE_ENV, name)) {
        const char *value = recorder->inner->env(recorder->inner->ctx, name);
        if (!value ||
            conf_bundle_add(recorder->bundle, CONF_BUNDLE_ENV, name, slice_from(value), NULL) < 0)
            return NULL;
    }
    return answer_env(recorder->bundle, name);
}

struct conf_host conf_recorder_host(struct conf_recorder *recorder)
{
    return (struct conf_host){
        .ctx = recorder, .read = record_read, .glob = record_glob, .env = record_env};
}
