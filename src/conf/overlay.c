/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading an overlay and laying it over a tree.
 */

#include "conf/overlay.h"

#include "base/mem.h"
#include "conf/print.h"
#include <string.h>

#define WITHOUT "without"

struct merging {
    struct conf_stmt *root;
    const struct conf_overlay_words *words;
    struct arena *arena;
    struct conf_diag *diag;
    struct conf_overlay *overlay;
};

/* ---- the host that lets nothing else in ---- */

struct door {
    const struct conf_host *inner;
    struct slice path;
};

static int door_read(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                     struct err *err)
{
    const struct door *door = ctx;
    if (!slice_equal(path, door->path))
        return err_set(err, "this file may include no other");
    return door->inner->read(door->inner->ctx, path, arena, ret_bytes, err);
}

static int door_glob(void *ctx, struct slice pattern, struct arena *arena, struct slice **ret_paths,
                     size_t *ret_n, struct err *err)
{
    (void)ctx;
    (void)pattern;
    (void)arena;
    *ret_paths = NULL;
    *ret_n = 0;
    return err_set(err, "this file may include no other");
}

static const char *door_env(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

/* ---- reading ---- */

static bool is_word(const struct conf_stmt *stmt, size_t i, const char *word)
{
    return stmt->n_tokens > i && !stmt->tokens[i].is_quoted && slice_is(stmt->tokens[i].text, word);
}

static void add_entry(struct merging *merging, const struct conf_stmt *block,
                      const struct conf_stmt *stmt)
{
    struct conf_overlay *overlay = merging->overlay;
    size_t first = is_word(stmt, 0, WITHOUT) ? 1 : 0;
    struct text line = TEXT_NONE;
    if (!is_word(stmt, first, merging->words->statement) || stmt->n_tokens < first + 2) {
        conf_error(merging->diag, conf_stmt_at(stmt), NULL, "%s NAME ... is what may stand here",
                   merging->words->statement);
        return;
    }
    if (overlay->n_entries == CONF_OVERLAY_MAX) {
        conf_error(merging->diag, conf_stmt_at(stmt), NULL, "more than %d changes",
                   CONF_OVERLAY_MAX);
        return;
    }
    conf_print_line(stmt, first, &line);
    overlay->entries[overlay->n_entries++] = (struct conf_overlay_entry){
        .block = block->tokens[1].text,
        .name = stmt->tokens[first + 1].text,
        .line = arena_dup(merging->arena, text_slice(&line)).ptr,
        .is_removal = first == 1,
        .at = conf_stmt_at(stmt),
    };
    text_deinit(&line);
}

static bool is_version(const struct conf_stmt *stmt)
{
    return is_word(stmt, 0, "runtime") && is_word(stmt, 1, "1") && stmt->n_tokens == 2 &&
           !stmt->has_block;
}

static void read_entries(struct merging *merging, const struct conf_stmt *top)
{
    merging->overlay->entries =
        ARENA_NEW_ARRAY(merging->arena, struct conf_overlay_entry, CONF_OVERLAY_MAX);
    if (top->n_children == 0 || !is_version(top->children[0])) {
        conf_error(merging->diag,
                   top->n_children ? conf_stmt_at(top->children[0]) : (struct conf_at){.line = 0},
                   NULL, "what is changed at run time begins with \"runtime %d\"",
                   CONF_OVERLAY_VERSION);
        return;
    }
    for (size_t i = 1; i < top->n_children; i++) {
        const struct conf_stmt *block = top->children[i];
        if (!is_word(block, 0, merging->words->block) || block->n_tokens != 2) {
            conf_error(merging->diag, conf_stmt_at(block), NULL,
                       "%s NAME { ... } is what may stand here", merging->words->block);
            continue;
        }
        for (size_t j = 0; j < block->n_children; j++)
            add_entry(merging, block, block->children[j]);
    }
}

/* ---- laying it over the tree ---- */

static struct conf_stmt *find_named(const struct conf_stmt *parent, const char *word,
                                    struct slice name, size_t *ret_place)
{
    for (size_t i = 0; i < parent->n_children; i++) {
        struct conf_stmt *child = parent->children[i];
        if (!is_word(child, 0, word) || child->n_tokens < 2 ||
            !slice_equal(child->tokens[1].text, name))
            continue;
        *ret_place = i;
        return child;
    }
    return NULL;
}

static bool is_same(const struct conf_stmt *stmt, const char *line)
{
    struct text now = TEXT_NONE;
    conf_print_line(stmt, 0, &now);
    bool is_equal = strcmp(text_cstr(&now), line) == 0;
    text_deinit(&now);
    return is_equal;
}

/* The file wins: the entry is of no effect, and somebody shall know. */
static void lose(struct merging *merging, struct conf_overlay_entry *entry, bool is_adopted,
                 const char *why)
{
    entry->is_adopted = is_adopted;
    entry->why = why;
    if (is_adopted)
        conf_note(merging->diag, entry->at, NULL, "%s", why);
    else
        conf_warning(merging->diag, entry->at, NULL, "%s", why);
}

static void take_out(struct merging *merging, struct conf_stmt *block,
                     struct conf_overlay_entry *entry)
{
    const char *statement = merging->words->statement;
    size_t place;
    const struct conf_stmt *found = find_named(block, statement, entry->name, &place);
    if (!found) {
        lose(merging, entry, true,
             arena_printf(merging->arena,
                          "%s %.*s/%.*s, which was removed at run time, is gone "
                          "from the file too",
                          statement, SLICE_ARG(entry->block), SLICE_ARG(entry->name)));
        return;
    }
    if (!is_same(found, entry->line)) {
        lose(merging, entry, false,
             arena_printf(merging->arena,
                          "%s %.*s/%.*s was removed at run time, but the file has "
                          "changed it since: the file's counts, it is back",
                          statement, SLICE_ARG(entry->block), SLICE_ARG(entry->name)));
        return;
    }
    entry->is_in_force = true;
    memmove((void *)&block->children[place], (const void *)&block->children[place + 1],
            (block->n_children - place - 1) * sizeof(block->children[0]));
    block->n_children--;
}

static void append_child(struct merging *merging, struct conf_stmt *block,
                         const struct conf_stmt *stmt)
{
    struct conf_stmt **grown =
        ARENA_NEW_ARRAY(merging->arena, struct conf_stmt *, block->n_children + 1);
    struct conf_stmt *copy = ARENA_NEW(merging->arena, struct conf_stmt);
    if (block->n_children)
        memcpy((void *)grown, (const void *)block->children,
               block->n_children * sizeof(struct conf_stmt *));
    *copy = *stmt;
    copy->parent = block;
    grown[block->n_children++] = copy;
    block->children = grown;
    block->has_block = true;
}

static void put_in(struct merging *merging, struct conf_stmt *block, const struct conf_stmt *stmt,
                   struct conf_overlay_entry *entry)
{
    const char *statement = merging->words->statement;
    size_t place;
    const struct conf_stmt *found = find_named(block, statement, entry->name, &place);
    if (!found) {
        entry->is_in_force = true;
        append_child(merging, block, stmt);
        return;
    }
    bool is_adopted = is_same(found, entry->line);
    lose(merging, entry, is_adopted,
         arena_printf(merging->arena,
                      is_adopted ? "%s %.*s/%.*s, which was added at run time, stands in the file "
                                   "now"
                                 : "%s %.*s/%.*s was added at run time, but the file has one of "
                                   "that name now: the file's counts",
                      statement, SLICE_ARG(entry->block), SLICE_ARG(entry->name)));
}

static void apply(struct merging *merging, const struct conf_stmt *stmt,
                  struct conf_overlay_entry *entry)
{
    size_t place;
    struct conf_stmt *block =
        find_named(merging->root, merging->words->block, entry->block, &place);
    if (!block)
        lose(merging, entry, false,
             arena_printf(merging->arena,
                          "%s %.*s/%.*s was %s at run time, but the %s is gone "
                          "from the file",
                          merging->words->statement, SLICE_ARG(entry->block),
                          SLICE_ARG(entry->name), entry->is_removal ? "removed" : "added",
                          merging->words->block));
    else if (entry->is_removal)
        take_out(merging, block, entry);
    else
        put_in(merging, block, stmt, entry);
}

/* What is taken out first makes room for another one of its name. */
static void apply_all(struct merging *merging, const struct conf_stmt *top, bool is_removal)
{
    size_t n = 0;
    for (size_t i = 1; i < top->n_children; i++) {
        for (size_t j = 0; j < top->children[i]->n_children; j++) {
            struct conf_overlay_entry *entry = &merging->overlay->entries[n++];
            if (entry->is_removal == is_removal)
                apply(merging, top->children[i]->children[j], entry);
        }
    }
}

struct conf_overlay *conf_overlay_merge(struct conf_stmt *root, struct slice path,
                                        const struct conf_host *host,
                                        const struct conf_overlay_words *words, struct arena *arena,
                                        struct conf_files *files, struct conf_diag *diag)
{
    struct door door = {.inner = host, .path = path};
    const struct conf_host closed = {
        .ctx = &door, .read = door_read, .glob = door_glob, .env = door_env};
    struct merging merging = {.root = root,
                              .words = words,
                              .arena = arena,
                              .diag = diag,
                              .overlay = ARENA_NEW(arena, struct conf_overlay)};
    size_t n_errors = diag->n_errors;
    const struct conf_stmt *top = conf_tree_read(path, &closed, arena, files, diag);
    if (diag->n_errors == n_errors)
        read_entries(&merging, top);
    if (diag->n_errors > n_errors)
        return merging.overlay;
    apply_all(&merging, top, true);
    apply_all(&merging, top, false);
    return merging.overlay;
}

/* ---- writing ---- */

/* Was the block of entry i printed with an earlier one? */
static bool is_printed(const struct conf_overlay *overlay, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (overlay->entries[j].is_in_force &&
            slice_equal(overlay->entries[j].block, overlay->entries[i].block))
            return true;
    }
    return false;
}

void conf_overlay_print(const struct conf_overlay *overlay, const struct conf_overlay_words *words,
                        struct text *out)
{
    text_printf(out, "runtime %d\n", CONF_OVERLAY_VERSION);
    for (size_t i = 0; i < overlay->n_entries; i++) {
        const struct conf_overlay_entry *first = &overlay->entries[i];
        if (!first->is_in_force || is_printed(overlay, i))
            continue;
        text_printf(out, "%s %.*s {\n", words->block, SLICE_ARG(first->block));
        for (size_t j = i; j < overlay->n_entries; j++) {
            const struct conf_overlay_entry *entry = &overlay->entries[j];
            if (entry->is_in_force && slice_equal(entry->block, first->block))
                text_printf(out, "    %s%s\n", entry->is_removal ? WITHOUT " " : "", entry->line);
        }
        text_append(out, SLICE("}\n"));
    }
}
