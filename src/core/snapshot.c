/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Snapshots: read, filled, checked, counted, freed. Everything of a snapshot but itself lies in its
 * arena, so that freeing it is one step.
 */

#include "base/hash.h"
#include "base/mem.h"
#include "core/node.h"
#include "core/settings.h"
#include <assert.h>

static struct snapshot *snapshot_create(const struct module_table *table,
                                        const struct snapshot_options *options)
{
    assert(table->n_items <= MODULES_MAX);
    assert(options->n_loops <= BOARD_LOOPS_MAX);
    struct snapshot *snap = MEM_NEW(struct snapshot);
    arena_init(&snap->arena);
    snap->table = table;
    snap->generation = options->generation;
    snap->n_loops = options->n_loops;
    snap->node = "";
    snap->state_dir = SETTINGS_STATE_DEFAULT;
    snap->files = ARENA_NEW(&snap->arena, struct conf_files);
    snap->n_refs = 1;
    return snap;
}

/* A struct for each module, and a section for each that has words. Returns the sections. */
static size_t make_sections(struct snapshot *snap, struct conf_section sections[MODULES_MAX])
{
    size_t n_sections = 0;
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        size_t size = module->conf_size;
        if (size < sizeof(struct conf_object))
            size = sizeof(struct conf_object);
        snap->conf[i] = arena_alloc(&snap->arena, size);
        if (!module->words)
            continue;
        assert(module->conf_size >= sizeof(struct conf_object));
        sections[n_sections++] = (struct conf_section){
            .module = module->name, .words = module->words, .self = snap->conf[i]};
    }
    return n_sections;
}

static uint64_t hash_files(const struct conf_files *files)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < files->n_items; i++) {
        const struct hash_key key = {hash, i};
        hash = hash_bytes(&key, files->items[i].bytes);
    }
    return hash;
}

static const char *state_dir_of(struct snapshot *snap, const char *from_command)
{
    if (from_command && from_command[0])
        return arena_printf(&snap->arena, "%s", from_command);
    const struct settings *settings = settings_of(snap);
    if (settings && settings->state.len > 0)
        return arena_dup(&snap->arena, settings->state).ptr;
    return SETTINGS_STATE_DEFAULT;
}

/*
 * Modules look at each other only when every struct is whole: a sentence about a pool that could
 * not be read would only repeat the first mistake in other words.
 */
static void check_all(struct snapshot *snap, const struct snapshot_options *options,
                      struct conf_load *load)
{
    if (load->diag->n_errors > 0 || node_choose(snap, options, load, &snap->node) < 0)
        return;
    snap->state_dir = state_dir_of(snap, options->state_dir);
    for (size_t i = 0; i < snap->table->n_items; i++)
        if (snap->table->items[i]->claim)
            snap->table->items[i]->claim(snap, snap->conf[i]);
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        if (module->check && module->check(snap, snap->conf[i], load) < 0)
            assert(load->diag->n_errors > 0);
    }
}

int snapshot_load(const struct module_table *table, const struct snapshot_options *options,
                  struct snapshot **ret_snap, struct conf_diag **ret_diag)
{
    struct snapshot *snap = snapshot_create(table, options);
    struct conf_diag *diag = ARENA_NEW(&snap->arena, struct conf_diag);
    conf_diag_init(diag, &snap->arena, snap->files);
    struct conf_load load = {.arena = &snap->arena, .diag = diag, .files = snap->files};
    struct conf_section sections[MODULES_MAX];
    size_t n_sections = make_sections(snap, sections);
    snap->files->folder = arena_dup(&snap->arena, slice_from(options->folder));
    snap->root =
        conf_tree_read(slice_from(options->path), options->host, &snap->arena, snap->files, diag);
    snap->hash = hash_files(snap->files);
    const struct conf_overlay_words *words = module_overlay_words(table);
    if (options->overlay && words && diag->n_errors == 0)
        snap->overlay = conf_overlay_merge(snap->root, slice_from(options->overlay), options->host,
                                           words, &snap->arena, snap->files, diag);
    if (conf_load(&load, snap->root, sections, n_sections) < 0)
        assert(diag->n_errors > 0);
    check_all(snap, options, &load);
    *ret_snap = snap;
    *ret_diag = diag;
    return diag->n_errors > 0 ? -1 : 0;
}

/* --- references ------------------------------------------------------------------------------- */

struct snapshot *snapshot_ref(struct snapshot *snap)
{
    assert(snap->n_refs > 0);
    snap->n_refs++;
    return snap;
}

void snapshot_unref(struct snapshot **snap)
{
    struct snapshot *old = *snap;
    *snap = NULL;
    if (!old)
        return;
    assert(old->n_refs > 0);
    if (--old->n_refs > 0)
        return;
    arena_deinit(&old->arena);
    mem_free(old);
}

/* --- questions -------------------------------------------------------------------------------- */

size_t snapshot_place(const struct snapshot *snap, const struct module *module)
{
    size_t place = 0;
    while (place < snap->table->n_items && snap->table->items[place] != module)
        place++;
    assert(place < snap->table->n_items);
    return place;
}

void *snapshot_conf(const struct snapshot *snap, const struct module *module)
{
    return snap->conf[snapshot_place(snap, module)];
}

bool snapshot_needs(const struct snapshot *snap, const char *kind)
{
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        if (module_lives_in(module, kind) && (!module->is_needed || module->is_needed(snap)))
            return true;
    }
    return false;
}

int snapshot_sockets(const struct snapshot *snap, const char *kind, socket_want_fn *want, void *ctx)
{
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        if (kind && !module_lives_in(module, kind))
            continue;
        if (module->sockets && module->sockets(snap, want, ctx) < 0)
            return -1;
    }
    return 0;
}

bool snapshot_is_floating(const struct snapshot *snap, const struct addr *addr)
{
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        if (module->is_floating && module->is_floating(snap, addr))
            return true;
    }
    return false;
}

const char *snapshot_floating_fact(const struct snapshot *snap, const struct addr *addr)
{
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        const char *fact = module->floating_fact ? module->floating_fact(snap, addr) : NULL;
        if (fact)
            return fact;
    }
    return NULL;
}

int snapshot_program(const struct snapshot *snap, const struct slice *texts, size_t n_texts,
                     struct arena *arena, struct program_plan *ret_plan)
{
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        if (module->program && module->program(snap, texts, n_texts, arena, ret_plan) == 0)
            return 0;
    }
    return 1;
}

int snapshot_programs(const struct snapshot *snap, program_want_fn *want, void *ctx)
{
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        if (module->programs && module->programs(snap, want, ctx) < 0)
            return -1;
    }
    return 0;
}

int snapshot_files(const struct snapshot *snap, const char *kind, file_want_fn *want, void *ctx)
{
    for (size_t i = 0; i < snap->table->n_items; i++) {
        const struct module *module = snap->table->items[i];
        if (kind && !module_files_go_to(module, kind))
            continue;
        if (module->files && module->files(snap, want, ctx) < 0)
            return -1;
    }
    return 0;
}
