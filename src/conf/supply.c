/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `defaults { pool { ... } }`: words for every pool that does not set them itself. Each inner block
 * is read once into a struct that nobody sees, which finds its mistakes even where no pool stands
 * in the file; then, pool by pool, the words that are missing are read again from their places, so
 * that every pool owns its values.
 */
#include "conf/loader.h"

/* ---- reading ---- */

static const struct conf_word *find_top(const struct conf_load *load, struct slice name)
{
    for (size_t i = 0; i < load->n_sections; i++) {
        const struct conf_word *word = conf_word_find(load->sections[i].words, name);
        if (word)
            return word;
    }
    return NULL;
}

static struct conf_supply *find_supply(const struct conf_walk *walk, const struct conf_word *word)
{
    struct conf_supply *supply = walk->supplies;
    while (supply && supply->word != word)
        supply = supply->next;
    return supply;
}

static int fill(struct conf_walk *walk, struct conf_supply *supply, const struct conf_stmt *stmt)
{
    const struct conf_word *word = supply->word;
    struct conf_frame frame = {
        .walk = walk, .word = word->name, .words = word->block->words, .self = supply->self};
    struct conf_cursor cursor = {.stmt = stmt, .next = 1, .end = stmt->n_tokens};
    if (stmt->n_tokens > 1 && conf_inline_read(&frame, &cursor) < 0)
        return -1;
    return conf_children_read(&frame, stmt);
}

static int read_one(struct conf_walk *walk, const struct conf_stmt *stmt)
{
    struct conf_load *load = walk->load;
    const struct conf_token *token = &stmt->tokens[0];
    const struct conf_word *word = token->is_quoted ? NULL : find_top(load, token->text);
    if (token->is_bad)
        return -1;
    if (!word)
        return conf_unknown_in(&(struct conf_frame){.walk = walk}, token);
    if (word->flags & CONF_PLANNED)
        return conf_error(load->diag, token->at, NULL, "\"%s\" is not part of this weir yet",
                          word->name);
    if (word->type != CONF_BLOCK || !(word->flags & CONF_REPEAT))
        return conf_error(load->diag, token->at, "write it at the top of the file",
                          "%s stands once in a file and has no defaults", word->name);
    if (find_supply(walk, word))
        return conf_error(load->diag, token->at, NULL, "defaults for %s are given twice",
                          word->name);
    struct conf_supply *supply = ARENA_NEW(load->arena, struct conf_supply);
    *supply = (struct conf_supply){
        .word = word, .self = arena_alloc(load->arena, word->block->size), .next = walk->supplies};
    walk->supplies = supply;
    conf_block_init(load, word->block, supply->self, token->at);
    return fill(walk, supply, stmt);
}

int conf_supply_read(struct conf_walk *walk, const struct conf_stmt *stmt)
{
    int rc = 0;
    if (stmt->n_tokens > 1 || !stmt->has_block)
        return conf_error(walk->load->diag, conf_stmt_at(stmt), "defaults { pool { ... } }",
                          "defaults takes nothing but a block");
    for (size_t i = 0; i < stmt->n_children; i++)
        if (read_one(walk, stmt->children[i]) < 0)
            rc = -1;
    return rc;
}

/* ---- supplying ---- */

static bool sets_itself(const struct conf_object *object, const struct conf_word *word)
{
    const struct conf_place *place = object->places ? object->places->first : NULL;
    for (; place; place = place->next)
        if (place->word == word && !place->is_supplied)
            return true;
    return false;
}

static bool is_embedded(const struct conf_word *word)
{
    return word->type == CONF_BLOCK && (word->flags & CONF_EMBED);
}

static int supply_arg(const struct conf_frame *frame, const struct conf_place *place)
{
    struct conf_load *load = frame->walk->load;
    struct conf_place *copy = conf_place_add(load->arena, conf_object_of(frame->self), place->word,
                                             place->stmt, place->first);
    copy->is_arg = true;
    copy->is_supplied = true;
    return conf_value(load, place->word, &place->stmt->tokens[place->first],
                      conf_member(frame->self, place->word));
}

/* The words and values that `from` has and the frame's struct has not; not the embedded blocks. */
static int supply_words(const struct conf_frame *frame, const struct conf_object *from)
{
    struct conf_object *object = conf_object_of(frame->self);
    int rc = 0;
    for (const struct conf_place *place = from->places->first; place; place = place->next) {
        if (place->is_bad || is_embedded(place->word) || sets_itself(object, place->word))
            continue;
        struct conf_cursor cursor = {.stmt = place->stmt, .next = place->first, .end = place->end};
        if (place->is_arg ? supply_arg(frame, place) : conf_word_read(frame, place->word, &cursor))
            rc = -1;
    }
    return rc;
}

static int supply(const struct conf_frame *frame, void *from_self);

static int supply_embedded(const struct conf_frame *frame, const struct conf_word *word,
                           void *from_self)
{
    struct conf_load *load = frame->walk->load;
    struct conf_object *outer = conf_object_of(frame->self);
    void *from = conf_member(from_self, word);
    const struct conf_object *from_object = conf_object_of(from);
    struct conf_frame inner = {.walk = frame->walk,
                               .word = word->name,
                               .words = word->block->words,
                               .self = conf_member(frame->self, word),
                               .is_supplying = true};
    struct conf_object *object = conf_object_of(inner.self);
    bool has_args = word->block->args && word->block->args->name;
    if (!from_object->stmt || (has_args && sets_itself(outer, word)))
        return 0; /* a sentence is the writer's own, as a whole */
    if (!object->stmt) {
        const struct conf_place *place = conf_place_find(conf_object_of(from_self), word);
        conf_place_add(load->arena, outer, word, place->stmt, place->first)->is_supplied = true;
        object->stmt = from_object->stmt;
        object->at = from_object->at;
    }
    return supply(&inner, from);
}

/* Recursion ends with the nesting of the tables. */
static int supply(const struct conf_frame *frame, void *from_self)
{
    const struct conf_object *from = conf_object_of(from_self);
    if (!from->places)
        return 0;
    int rc = supply_words(frame, from);
    for (const struct conf_word *word = frame->words; word && word->name; word++)
        if (is_embedded(word) && supply_embedded(frame, word, from_self) < 0)
            rc = -1;
    return rc;
}

int conf_supply_apply(struct conf_walk *walk, const struct conf_word *word, void *self)
{
    const struct conf_supply *found = find_supply(walk, word);
    struct conf_frame frame = {.walk = walk,
                               .word = word->name,
                               .words = word->block->words,
                               .self = self,
                               .is_supplying = true};
    return found ? supply(&frame, found->self) : 0;
}
