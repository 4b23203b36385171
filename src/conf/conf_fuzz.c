/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the whole language: bytes to tree to structs, against rows that use every type. Whatever
 * comes in, the diagnostics can be printed; what loads without a mistake, printed in full, loads
 * again to the same values, and its full print is then the same text. The tree is read a second
 * time from the bundle that a recorder made of the first, and must come out alike; every word
 * stands where it says.
 */
#include "base/mem.h"
#include "conf/bundle.h"
#include "conf/sample.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void check_places(const struct sample *sample)
{
    for (size_t i = 0; i < sample->diag.n_items; i++) {
        struct conf_at at = sample->diag.items[i].at;
        require(at.line == 0 || (at.file < sample->files.n_items && at.column > 0 && at.len > 0));
    }
}

static struct slice line_at(const struct conf_files *files, struct conf_at at)
{
    struct slice rest = files->items[at.file].bytes;
    for (uint32_t line = 1; line < at.line; line++)
        slice_cut(&rest, '\n');
    require(rest.ptr);
    return slice_cut(&rest, '\n');
}

/* What stands at a word's place is the word, unless quotes or a variable changed it. */
static void check_words(const struct conf_files *files, const struct conf_stmt *stmt)
{
    for (size_t i = 0; i < stmt->n_tokens; i++) {
        const struct conf_token *token = &stmt->tokens[i];
        struct slice source = slice_skip(line_at(files, token->at), token->at.column - 1);
        require(source.len >= token->at.len);
        source.len = token->at.len;
        if (!token->is_bad && !token->is_quoted && slice_find(source, '$') == source.len)
            require(slice_equal(source, token->text));
    }
    for (size_t i = 0; i < stmt->n_children; i++)
        check_words(files, stmt->children[i]);
}

static void check_print(struct sample *sample)
{
    struct text first = TEXT_NONE, second = TEXT_NONE;
    struct sample *again = MEM_NEW(struct sample);
    conf_print_full(sample->sections, SAMPLE_N_SECTIONS, sample->root, &first);
    sample_load(again, text_slice(&first));
    require(again->rc == 0 && again->diag.n_errors == 0);
    require(sample_equal(sample, again));
    conf_print_full(again->sections, SAMPLE_N_SECTIONS, again->root, &second);
    require(slice_equal(text_slice(&first), text_slice(&second)));
    sample_deinit(again);
    mem_free(again);
    text_deinit(&first);
    text_deinit(&second);
}

static bool equal_trees(const struct conf_stmt *a, const struct conf_stmt *b)
{
    if (a->n_tokens != b->n_tokens || a->n_children != b->n_children)
        return false;
    for (size_t i = 0; i < a->n_tokens; i++)
        if (!slice_equal(a->tokens[i].text, b->tokens[i].text) ||
            a->tokens[i].is_quoted != b->tokens[i].is_quoted)
            return false;
    for (size_t i = 0; i < a->n_children; i++)
        if (!equal_trees(a->children[i], b->children[i]))
            return false;
    return true;
}

/* One reading through `host`. */
struct reading {
    struct arena arena;
    struct conf_files files;
    struct conf_diag diag;
    struct conf_stmt *root;
};

static void reading_init(struct reading *reading, const struct conf_host *host)
{
    arena_init(&reading->arena);
    conf_diag_init(&reading->diag, &reading->arena, &reading->files);
    reading->root =
        conf_tree_read(SLICE("main.weir"), host, &reading->arena, &reading->files, &reading->diag);
}

/* What the recorder kept, sent and read again, gives the same tree. */
static void check_bundle(struct sample *sample)
{
    struct conf_bundle made, sent;
    struct text bytes = TEXT_NONE;
    struct reading *first = MEM_NEW(struct reading), *second = MEM_NEW(struct reading);
    conf_bundle_init(&made);
    conf_bundle_init(&sent);
    struct conf_host inner = sample_host(sample);
    struct conf_recorder recorder = {.inner = &inner, .bundle = &made};
    struct conf_host host = conf_recorder_host(&recorder);
    reading_init(first, &host);
    conf_bundle_encode(&made, &bytes);
    require(conf_bundle_decode(&sent, text_slice(&bytes), NULL) == 0);
    host = conf_bundle_host(&sent);
    reading_init(second, &host);
    require(first->diag.n_errors == second->diag.n_errors);
    require(equal_trees(first->root, second->root));
    arena_deinit(&first->arena);
    arena_deinit(&second->arena);
    mem_free(first);
    mem_free(second);
    conf_bundle_deinit(&sent);
    conf_bundle_deinit(&made);
    text_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample *sample = MEM_NEW(struct sample);
    struct text page = TEXT_NONE;
    sample_load(sample, slice_make((const char *)data, size));
    conf_diag_print(&sample->diag, &page);
    check_places(sample);
    check_words(&sample->files, sample->root);
    require((sample->rc < 0) <= (sample->diag.n_errors > 0));
    require((sample->diag.n_errors > 0) == (page.len > 0));
    if (sample->diag.n_errors == 0)
        check_print(sample);
    check_bundle(sample);
    text_deinit(&page);
    sample_deinit(sample);
    mem_free(sample);
    return 0;
}
