/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of the tree beside the rows. A statement is one word of the block that it stands in;
 * reading the word takes its values and, where it is a block, the words behind them on the line and
 * in the braces. What goes wrong is told and stepped over; the sign that comes back says that
 * something was.
 */
#include "base/mem.h"
#include "conf/loader.h"
#include <assert.h>
#include <string.h>

static struct conf_load *load_of(const struct conf_frame *frame)
{
    return frame->walk->load;
}

static const struct conf_token *peek(const struct conf_cursor *cursor)
{
    return cursor->next < cursor->end ? &cursor->stmt->tokens[cursor->next] : NULL;
}

/* The same where the caller knows that there is one. */
static const struct conf_token *current(const struct conf_cursor *cursor)
{
    const struct conf_token *token = peek(cursor);
    assert(token);
    return token;
}

static const struct conf_word *word_of(const struct conf_frame *frame,
                                       const struct conf_token *token)
{
    return token->is_quoted || token->is_bad ? NULL : conf_word_find(frame->words, token->text);
}

/* The row that takes whatever stands there, or NULL. */
static const struct conf_word *any_word_of(const struct conf_frame *frame)
{
    const struct conf_word *word = frame->words;
    while (word && word->name && !(word->flags & CONF_ANY_NAME))
        word++;
    return word && word->name ? word : NULL;
}

/* Does the frame know the token, or one around it on this line? */
static bool is_known(const struct conf_frame *frame, const struct conf_token *token)
{
    for (; frame; frame = frame->outer)
        if (word_of(frame, token))
            return true;
    return false;
}

/* "pool web", "check", "the file": what a message calls the struct of a frame. */
static const char *title_of(const struct conf_frame *frame)
{
    const struct conf_object *object = conf_object_of(frame->self);
    if (!frame->word)
        return "the file";
    if (object->name.len == 0 || slice_is(object->name, frame->word))
        return frame->word;
    return arena_printf(load_of(frame)->arena, "%s %.*s", frame->word, SLICE_ARG(object->name));
}

/* ---- defaults of rows ---- */

static void init_value(struct conf_load *load, const struct conf_word *word, void *self)
{
    struct conf_token token = {.text = slice_from(word->fallback)};
    if (word->type == CONF_BLOCK || word->type == CONF_CUSTOM || word->type == CONF_FLAG ||
        (word->flags & CONF_REPEAT))
        return;
    int rc = conf_value(load, word, &token, conf_member(self, word));
    assert(rc == 0); /* a row's default that its own type refuses is a mistake of ours */
}

static void init_words(struct conf_load *load, const struct conf_word *words, void *self,
                       struct conf_at at)
{
    for (; words && words->name; words++) {
        if (words->fallback)
            init_value(load, words, self);
        if (words->type == CONF_BLOCK && (words->flags & CONF_EMBED))
            conf_block_init(load, words->block, conf_member(self, words), at);
    }
}

void conf_block_init(struct conf_load *load, const struct conf_block *block, void *self,
                     struct conf_at at)
{
    conf_object_of(self)->at = at;
    init_words(load, block->args, self, at);
    init_words(load, block->words, self, at);
}

/* ---- what a whole struct must be ---- */

static const struct conf_word *name_row(const struct conf_word *rows)
{
    const struct conf_word *row = rows;
    while (row && row->name && !slice_equal_nocase(slice_from(row->name), SLICE("name")))
        row++;
    row = row && row->name ? row : NULL;
    bool is_text =
        row && (row->type == CONF_NAME || row->type == CONF_STRING || row->type == CONF_REF);
    return is_text && !(row->flags & CONF_REPEAT) ? row : NULL;
}

/* Sets object->name from a row called "name"; a struct conf_ref begins with its name. */
static void take_name(void *self, const struct conf_word *rows)
{
    const struct conf_word *row = name_row(rows);
    struct conf_object *object = conf_object_of(self);
    if (row && object->name.len == 0)
        object->name = *(const struct slice *)conf_member(self, row);
}

static int check_required(const struct conf_frame *frame)
{
    struct conf_object *object = conf_object_of(frame->self);
    int rc = 0;
    if (object->places && object->places->has_unknown)
        return -1;
    for (const struct conf_word *word = frame->words; word && word->name; word++)
        if ((word->flags & CONF_REQUIRED) && !conf_place_find(object, word))
            rc = conf_error(load_of(frame)->diag, object->at,
                            conf_usage(load_of(frame)->arena, word), "%s has no %s",
                            title_of(frame), word->name);
    return rc;
}

static int complete(const struct conf_frame *frame, const struct conf_block *block);

static int complete_embedded(const struct conf_frame *frame)
{
    int rc = 0;
    for (const struct conf_word *word = frame->words; word && word->name; word++) {
        if (word->type != CONF_BLOCK || !(word->flags & CONF_EMBED))
            continue;
        struct conf_frame inner = {.walk = frame->walk,
                                   .word = word->name,
                                   .words = word->block->words,
                                   .self = conf_member(frame->self, word)};
        if (complete(&inner, word->block) < 0)
            rc = -1;
    }
    return rc;
}

/* Every word was read and supplied: what is missing, and what the module says. */
static int complete(const struct conf_frame *frame, const struct conf_block *block)
{
    struct conf_object *object = conf_object_of(frame->self);
    int rc = object->places && object->places->is_bad ? -1 : 0;
    take_name(frame->self, block ? block->words : NULL);
    if (complete_embedded(frame) < 0)
        rc = -1;
    if (object->stmt && check_required(frame) < 0)
        rc = -1;
    if (rc == 0 && block && block->finish)
        rc = block->finish(load_of(frame), frame->self);
    return rc < 0 ? -1 : 0;
}

/* ---- lists ---- */

static void *list_add(struct conf_load *load, struct conf_list *list, void *item)
{
    size_t n = list->n_items;
    if ((n & (n - 1)) == 0) { /* full at every power of two */
        void **items = ARENA_NEW_ARRAY(load->arena, void *, n ? n * 2 : 1);
        if (n)
            memcpy(items, list->items, n * sizeof(*items));
        list->items = items;
    }
    list->items[list->n_items++] = item;
    return item;
}

static const char *first_at(struct conf_load *load, struct conf_at at)
{
    struct text out = TEXT_NONE;
    text_append(&out, SLICE("the first is at "));
    conf_at_format(load->files, at, &out);
    const char *hint = arena_dup(load->arena, text_slice(&out)).ptr;
    text_deinit(&out);
    return hint;
}

/* A second item of the same name within one list. */
static int check_name(const struct conf_frame *frame, const struct conf_word *word,
                      const struct conf_list *list, void *item)
{
    const struct conf_object *object = conf_object_of(item);
    for (size_t i = 0; i < list->n_items && object->name.len; i++) {
        const struct conf_object *other = conf_object_of(list->items[i]);
        if (!slice_equal(other->name, object->name))
            continue;
        bool is_any = word->flags & CONF_ANY_NAME;
        return conf_error(load_of(frame)->diag, conf_where(object, "name"),
                          first_at(load_of(frame), conf_where(other, "name")),
                          "%s%s%.*s stands twice in %s", is_any ? "" : word->name,
                          is_any ? "" : " ", SLICE_ARG(object->name), title_of(frame));
    }
    return 0;
}

/* ---- values of one token ---- */

/* May a value of this type look like a word of the language? */
static bool is_free(enum conf_type type)
{
    return type == CONF_NAME || type == CONF_STRING || type == CONF_PATH || type == CONF_CHOICE ||
           type == CONF_REF;
}

static int read_value(const struct conf_frame *frame, const struct conf_word *word,
                      struct conf_cursor *cursor)
{
    struct conf_load *load = load_of(frame);
    const struct conf_token *self = current(cursor);
    cursor->next++;
    const struct conf_token *token = peek(cursor);
    if (!token || (!is_free(word->type) && is_known(frame, token)))
        return conf_error(load->diag, self->at, conf_usage(load->arena, word), "%s has no value",
                          word->name);
    cursor->next++;
    void *value = conf_member(frame->self, word);
    if (word->flags & CONF_REPEAT)
        value = list_add(load, value, arena_alloc(load->arena, conf_value_size(word)));
    return conf_value(load, word, token, value);
}

/* A sentence of its own takes the rest of the line; on a line of its own, the statement itself. */
static int read_custom(const struct conf_frame *frame, const struct conf_word *word,
                       struct conf_cursor *cursor)
{
    const struct conf_stmt *stmt = cursor->stmt;
    if (cursor->next > 0) {
        struct conf_stmt *rest = ARENA_NEW(load_of(frame)->arena, struct conf_stmt);
        *rest = (struct conf_stmt){.tokens = stmt->tokens + cursor->next,
                                   .n_tokens = cursor->end - cursor->next,
                                   .parent = stmt->parent,
                                   .end = stmt->end};
        stmt = rest;
    } else {
        cursor->is_block_taken = true;
    }
    cursor->next = cursor->end;
    return word->custom(load_of(frame), stmt, frame->self);
}

/* ---- blocks ---- */

/* Does the struct, as far as it is filled, have such a value? */
static bool has_arg(const struct conf_frame *inner, const struct conf_block *block,
                    const struct conf_word *arg)
{
    return !(arg->flags & CONF_OPTIONAL) || !block->has_word || block->has_word(inner->self, arg);
}

static bool may_miss(const struct conf_word *arg)
{
    return (arg->flags & CONF_OPTIONAL) || arg->fallback;
}

/* The positional values of a block; `inner` is its frame. */
static int read_args(const struct conf_frame *inner, const struct conf_word *word,
                     struct conf_cursor *cursor)
{
    struct conf_load *load = load_of(inner);
    struct conf_object *object = conf_object_of(inner->self);
    int rc = 0;
    const struct conf_word *arg = word->block->args;
    while (arg && arg->name) {
        const struct conf_token *token = has_arg(inner, word->block, arg) ? peek(cursor) : NULL;
        bool is_absent =
            !token || ((may_miss(arg) || !is_free(arg->type)) && is_known(inner, token));
        if (is_absent && may_miss(arg)) {
            arg++;
            continue;
        }
        if (is_absent) {
            take_name(inner->self, word->block->args);
            return conf_error(load->diag, object->at, conf_usage(load->arena, word), "%s has no %s",
                              title_of(inner), conf_usage_arg(load->arena, arg));
        }
        struct conf_place *place =
            conf_place_add(load->arena, object, arg, cursor->stmt, cursor->next++);
        place->is_arg = true;
        place->is_supplied = inner->is_supplying;
        bool is_list = arg->flags & CONF_REPEAT;
        void *member = conf_member(inner->self, arg);
        if (is_list)
            member = list_add(load, member, arena_alloc(load->arena, conf_value_size(arg)));
        if (conf_value(load, arg, token, member) < 0) {
            place->is_bad = true;
            rc = -1;
        }
        if (!is_list)
            arg++; /* a list takes all that follow */
    }
    take_name(inner->self, word->block->args);
    return rc;
}

/* Nobody on this line knows the token: told, and stepped over with all that belongs to it. */
static int skip_unknown(const struct conf_frame *inner, struct conf_cursor *cursor)
{
    conf_unknown_in(inner, current(cursor));
    do
        cursor->next++;
    while (peek(cursor) && !is_known(inner, peek(cursor)));
    return -1;
}

int conf_inline_read(const struct conf_frame *inner, struct conf_cursor *cursor)
{
    int rc = 0;
    while (peek(cursor)) {
        const struct conf_token *token = peek(cursor);
        const struct conf_word *word = word_of(inner, token);
        if (!word && inner->outer && is_known(inner->outer, token))
            break;
        if (!word && !token->is_bad)
            word = any_word_of(inner);
        if (word ? conf_word_read(inner, word, cursor) : skip_unknown(inner, cursor))
            rc = -1;
    }
    return rc;
}

static int read_braces(const struct conf_frame *inner, struct conf_cursor *cursor)
{
    if (!cursor->stmt->has_block || cursor->is_block_taken)
        return 0;
    cursor->is_block_taken = true;
    return conf_children_read(inner, cursor->stmt);
}

/* Braces of a row that has no words; values that stand in there are not missed beside. */
static int refuse_braces(const struct conf_frame *inner, const struct conf_word *word,
                         struct conf_cursor *cursor)
{
    struct conf_load *load = load_of(inner);
    if (!cursor->stmt->has_block || conf_words_exist(inner->words))
        return 0;
    cursor->is_block_taken = true;
    return conf_error(load->diag, conf_stmt_at(cursor->stmt), conf_usage(load->arena, word),
                      "%s takes no { }", title_of(inner));
}

/* `schedule 30 2 * * *`: quotes are missing. */
static int refuse_unquoted(const struct conf_frame *inner, const struct conf_word *word,
                           struct conf_cursor *cursor)
{
    struct conf_load *load = load_of(inner);
    const struct conf_word *arg = word->block->args;
    size_t first = cursor->next - 1;
    const struct conf_token *tokens = cursor->stmt->tokens, *next = peek(cursor);
    if (!arg || !(arg->flags & CONF_SENTENCE) || !next || next->is_bad || next->is_quoted ||
        tokens[first].is_quoted || is_known(inner, next))
        return 0;
    struct text hint = TEXT_NONE;
    text_printf(&hint, "%s \"%.*s", word->name, SLICE_ARG(tokens[first].text));
    for (; peek(cursor) && !is_known(inner, peek(cursor)); cursor->next++)
        text_printf(&hint, " %.*s", SLICE_ARG(current(cursor)->text));
    text_append_char(&hint, '"');
    int rc = conf_error(load->diag, tokens[first].at, arena_dup(load->arena, text_slice(&hint)).ptr,
                        "a value of several words stands in quotes");
    text_deinit(&hint);
    return rc;
}

/* Puts a finished struct where its row says. */
static int attach(const struct conf_frame *frame, const struct conf_word *word, void *self)
{
    void *member = conf_member(frame->self, word);
    int rc = 0;
    if (word->flags & CONF_REPEAT) {
        rc = check_name(frame, word, member, self);
        list_add(load_of(frame), member, self);
    } else if (!(word->flags & CONF_EMBED)) {
        *(void **)member = self;
    }
    return rc;
}

static int read_block(const struct conf_frame *frame, const struct conf_word *word,
                      struct conf_cursor *cursor)
{
    struct conf_load *load = load_of(frame);
    bool is_embedded = word->flags & CONF_EMBED, is_first = cursor->next == 0;
    struct conf_at at = current(cursor)->at;
    void *self =
        is_embedded ? conf_member(frame->self, word) : arena_alloc(load->arena, word->block->size);
    if (!is_embedded)
        conf_block_init(load, word->block, self, at);
    struct conf_object *object = conf_object_of(self);
    if (!object->stmt) {
        object->stmt = cursor->stmt;
        object->at = at;
    }
    struct conf_frame inner = {.walk = frame->walk,
                               .word = word->name,
                               .words = word->block->words,
                               .self = self,
                               .outer = is_first ? NULL : frame,
                               .is_supplying = frame->is_supplying};
    if (word->flags & CONF_ANY_NAME) {
        object->name = current(cursor)->text;
        inner.word = object->name.ptr;
    } else {
        cursor->next++;
    }
    int rc = is_first ? refuse_braces(&inner, word, cursor) : 0;
    bool is_told = rc < 0 && !peek(cursor);
    if (!is_told && read_args(&inner, word, cursor) < 0)
        rc = -1;
    if (rc == 0 && refuse_unquoted(&inner, word, cursor) < 0)
        rc = -1;
    if (conf_inline_read(&inner, cursor) < 0)
        rc = -1;
    if (is_first && read_braces(&inner, cursor) < 0)
        rc = -1;
    if (!frame->word && (word->flags & CONF_REPEAT) &&
        conf_supply_apply(frame->walk, word, self) < 0)
        rc = -1;
    if (rc < 0)
        conf_object_spoil(load->arena, object);
    if (!is_embedded && complete(&inner, word->block) < 0)
        rc = -1;
    return attach(frame, word, self) < 0 ? -1 : rc;
}

/* ---- words ---- */

static int refuse_planned(const struct conf_frame *frame, const struct conf_word *word,
                          struct conf_cursor *cursor)
{
    struct conf_at at = current(cursor)->at;
    cursor->next = cursor->end; /* what its values are, nobody knows yet */
    cursor->is_block_taken = true;
    return conf_error(load_of(frame)->diag, at, NULL, "\"%s\" is not part of this weir yet",
                      word->name);
}

/* Notes where the word stands; a second time is told where the row does not allow it. */
static int note(const struct conf_frame *frame, const struct conf_word *word,
                const struct conf_cursor *cursor, struct conf_place **ret_place)
{
    struct conf_load *load = load_of(frame);
    struct conf_object *object = conf_object_of(frame->self);
    bool may_join = word->type == CONF_BLOCK && (word->flags & CONF_EMBED) &&
                    !(word->block->args && word->block->args->name);
    bool may_repeat = may_join || (word->flags & CONF_REPEAT);
    const struct conf_place *former = may_repeat ? NULL : conf_place_find(object, word);
    *ret_place = conf_place_add(load->arena, object, word, cursor->stmt, cursor->next);
    (*ret_place)->is_supplied = frame->is_supplying;
    if (!former)
        return 0;
    return conf_error(load->diag, (*ret_place)->at, first_at(load, former->at),
                      "%s stands twice in %s", word->name, title_of(frame));
}

int conf_word_read(const struct conf_frame *frame, const struct conf_word *word,
                   struct conf_cursor *cursor)
{
    struct conf_place *place;
    if (word->flags & CONF_PLANNED)
        return refuse_planned(frame, word, cursor);
    int rc = note(frame, word, cursor, &place);
    if (word->type == CONF_BLOCK) {
        if (read_block(frame, word, cursor) < 0)
            rc = -1;
    } else if (word->type == CONF_CUSTOM) {
        if (read_custom(frame, word, cursor) < 0)
            rc = -1;
    } else if (word->type == CONF_FLAG) {
        *(bool *)conf_member(frame->self, word) = true;
        cursor->next++;
    } else if (read_value(frame, word, cursor) < 0) {
        rc = -1;
    }
    place->end = cursor->next;
    place->is_bad = rc < 0;
    if (rc < 0)
        conf_object_spoil(load_of(frame)->arena, conf_object_of(frame->self));
    return rc;
}

static int refuse_rest(const struct conf_frame *frame, const struct conf_word *word,
                       const struct conf_token *token)
{
    struct conf_load *load = load_of(frame);
    if (token->is_bad)
        return -1;
    bool is_setting = word_of(frame, token);
    return conf_error(load->diag, token->at,
                      is_setting ? "a newline or ; stands between two settings"
                                 : conf_usage(load->arena, word),
                      "%.*s is one word too many for %s", SLICE_ARG(token->text), word->name);
}

static int read_statement(const struct conf_frame *frame, const struct conf_word *word,
                          const struct conf_stmt *stmt)
{
    struct conf_cursor cursor = {.stmt = stmt, .end = stmt->n_tokens};
    int rc = conf_word_read(frame, word, &cursor);
    if (rc == 0 && peek(&cursor))
        rc = refuse_rest(frame, word, peek(&cursor));
    if (stmt->has_block && !cursor.is_block_taken)
        rc = conf_error(load_of(frame)->diag, conf_stmt_at(stmt),
                        conf_usage(load_of(frame)->arena, word), "%s takes no { }", word->name);
    return rc;
}

int conf_children_read(const struct conf_frame *frame, const struct conf_stmt *stmt)
{
    int rc = 0;
    for (size_t i = 0; i < stmt->n_children; i++) {
        const struct conf_stmt *child = stmt->children[i];
        const struct conf_token *token = &child->tokens[0];
        const struct conf_word *word = word_of(frame, token);
        if (!word && !token->is_bad)
            word = any_word_of(frame);
        if (word ? read_statement(frame, word, child) : conf_unknown_in(frame, token))
            rc = -1;
    }
    return rc;
}

/* ---- the top of the file ---- */

static int read_top(struct conf_walk *walk, const struct conf_stmt *stmt)
{
    struct conf_load *load = walk->load;
    const struct conf_token *token = &stmt->tokens[0];
    struct conf_frame frame = {.walk = walk};
    for (size_t i = 0; i < load->n_sections; i++) {
        frame.words = load->sections[i].words;
        frame.self = load->sections[i].self;
        const struct conf_word *word = word_of(&frame, token);
        if (word)
            return read_statement(&frame, word, stmt);
    }
    frame.words = NULL;
    return conf_unknown_in(&frame, token);
}

static bool is_defaults(const struct conf_stmt *stmt)
{
    return slice_is(stmt->tokens[0].text, "defaults") && !stmt->tokens[0].is_quoted;
}

static void init_section(struct conf_load *load, const struct conf_section *section,
                         const struct conf_stmt *root)
{
    struct conf_object *object = conf_object_of(section->self);
    object->stmt = root;
    object->at = conf_stmt_at(root);
    init_words(load, section->words, section->self, object->at);
}

int conf_load(struct conf_load *load, const struct conf_stmt *root,
              const struct conf_section *sections, size_t n_sections)
{
    struct conf_walk walk = {.load = load};
    int rc = 0;
    load->sections = sections;
    load->n_sections = n_sections;
    for (size_t i = 0; i < n_sections; i++)
        init_section(load, &sections[i], root);
    for (size_t i = 0; i < root->n_children; i++)
        if (is_defaults(root->children[i]) && conf_supply_read(&walk, root->children[i]) < 0)
            rc = -1;
    for (size_t i = 0; i < root->n_children; i++)
        if (!is_defaults(root->children[i]) && read_top(&walk, root->children[i]) < 0)
            rc = -1;
    for (size_t i = 0; i < n_sections; i++) {
        struct conf_frame frame = {
            .walk = &walk, .words = sections[i].words, .self = sections[i].self};
        if (complete(&frame, NULL) < 0)
            rc = -1;
    }
    return rc;
}
