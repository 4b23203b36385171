/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From words to statements: recursive descent over the lexer, with one lexeme held back. Where
 * something is missing or too much, it is told and the most likely reading is taken, so that one
 * forgotten brace hides no other mistake. Recursion ends at CONF_DEPTH_MAX blocks and as many
 * includes.
 */
#include "conf/tree.h"
#include "base/mem.h"
#include "conf/lex.h"
#include <string.h>

/*
 * What some editors leave at the start of a file. It is no part of the first line: kept, it would
 * put every mark on that line off.
 */
static const struct slice byte_order_mark = SLICE_INIT("\xef\xbb\xbf");

/* A whole reading. */
struct parser {
    const struct conf_host *host;
    struct arena *arena;
    struct conf_files *files;
    struct conf_diag *diag;
    size_t n_statements;
    size_t n_bytes;
    bool is_full; /* a limit of the whole was passed: everything ends here */
};

/* A file that is being read, and the one that includes it. */
struct source {
    struct parser *parser;
    const struct source *includer; /* NULL for the first */
    struct slice path;
    struct conf_lexer lexer;
    unsigned n_includes; /* files above this one */
    bool is_held;        /* `held` comes again */
    enum conf_lexeme held;
};

/* The children of a block, growing. */
struct children {
    struct conf_stmt **items;
    size_t n_items, cap;
};

/* Where statements go: the list, the block that they stand in, and how deep that is. */
struct place {
    struct children *children;
    const struct conf_stmt *parent;
    unsigned depth;
};

static void read_file(struct parser *parser, const struct source *includer, struct slice path,
                      struct conf_at at, const struct place *where);
static void parse_block(struct source *source, struct conf_stmt *stmt, unsigned depth);

static enum conf_lexeme next(struct source *source)
{
    if (source->parser->is_full)
        return CONF_LEX_EOF;
    if (source->is_held) {
        source->is_held = false;
        return source->held;
    }
    return conf_lexer_next(&source->lexer);
}

/* The lexeme that was just read comes again; lexer.token is still its token. */
static void hold(struct source *source, enum conf_lexeme lexeme)
{
    source->is_held = true;
    source->held = lexeme;
}

static void add_child(struct parser *parser, struct children *children, struct conf_stmt *stmt)
{
    if (children->n_items == children->cap) {
        size_t cap = children->cap ? children->cap * 2 : 4;
        struct conf_stmt **items = ARENA_NEW_ARRAY(parser->arena, struct conf_stmt *, cap);
        if (children->n_items)
            memcpy(items, children->items, children->n_items * sizeof(*items));
        children->items = items;
        children->cap = cap;
    }
    children->items[children->n_items++] = stmt;
}

/* ---- include ---- */

static bool has_wildcard(struct slice pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (strchr("*?[", pattern.ptr[i]))
            return true;
    return false;
}

/* A relative path starts at the folder of the file that names it. */
static struct slice beside(struct arena *arena, struct slice file, struct slice path)
{
    size_t folder = file.len;
    while (folder > 0 && file.ptr[folder - 1] != '/')
        folder--;
    if (folder == 0 || path.ptr[0] == '/')
        return path;
    return slice_from(arena_printf(arena, "%.*s%.*s", (int)folder, file.ptr, SLICE_ARG(path)));
}

static bool is_open(const struct source *source, struct slice path)
{
    for (; source; source = source->includer)
        if (slice_equal(source->path, path))
            return true;
    return false;
}

static void include_one(struct source *source, struct slice path, struct conf_at at,
                        const struct place *where)
{
    struct parser *parser = source->parser;
    if (is_open(source, path))
        conf_error(parser->diag, at, NULL, "%.*s would include itself", SLICE_ARG(path));
    else if (source->n_includes + 1 >= CONF_DEPTH_MAX)
        conf_error(parser->diag, at, NULL, "files include one another more than %d deep",
                   CONF_DEPTH_MAX);
    else
        read_file(parser, source, path, at, where);
}

static void include_all(struct source *source, struct slice pattern, struct conf_at at,
                        const struct place *where)
{
    struct parser *parser = source->parser;
    struct err err = ERR_NONE;
    struct slice *paths = NULL;
    size_t n_paths = 0;
    if (parser->host->glob(parser->host->ctx, pattern, parser->arena, &paths, &n_paths, &err) < 0) {
        conf_error(parser->diag, at, NULL, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < n_paths && !parser->is_full; i++)
        include_one(source, paths[i], at, where);
}

static bool is_include(const struct conf_stmt *stmt)
{
    return slice_is(stmt->tokens[0].text, "include") && !stmt->tokens[0].is_quoted;
}

static void include(struct source *source, const struct conf_stmt *stmt, const struct place *where)
{
    struct parser *parser = source->parser;
    const struct conf_token *token = &stmt->tokens[1];
    if (stmt->n_tokens != 2 || stmt->has_block) {
        conf_error(parser->diag, conf_stmt_at(stmt), "include conf.d/*.weir",
                   "include takes one path or pattern");
        return;
    }
    if (token->is_bad)
        return;
    if (token->text.len == 0) {
        conf_error(parser->diag, token->at, "include conf.d/*.weir", "this path is empty");
        return;
    }
    struct slice path = beside(parser->arena, source->path, token->text);
    if (has_wildcard(path))
        include_all(source, path, token->at, where);
    else
        include_one(source, path, token->at, where);
}

/* ---- statements ---- */

/* The words of a statement, the first of which the lexer has just read; returns what ended them. */
static enum conf_lexeme parse_words(struct source *source, struct conf_stmt *stmt)
{
    struct parser *parser = source->parser;
    struct conf_token *tokens = NULL;
    size_t n = 0, cap = 0;
    enum conf_lexeme lexeme = CONF_LEX_WORD;
    for (; lexeme == CONF_LEX_WORD; lexeme = next(source)) {
        if (n == CONF_TOKENS_MAX) {
            conf_error(parser->diag, source->lexer.token.at, NULL,
                       "a setting of more than %d words", CONF_TOKENS_MAX);
            while ((lexeme = next(source)) == CONF_LEX_WORD)
                ;
            break;
        }
        if (n == cap) {
            cap = cap ? cap * 2 : 4;
            struct conf_token *more = ARENA_NEW_ARRAY(parser->arena, struct conf_token, cap);
            if (n)
                memcpy(more, tokens, n * sizeof(*more));
            tokens = more;
        }
        tokens[n++] = source->lexer.token;
    }
    stmt->tokens = tokens;
    stmt->n_tokens = n;
    return lexeme;
}

/* Behind a block: its statement ends here, whatever stands there. */
static void end_block(struct source *source)
{
    enum conf_lexeme lexeme = next(source);
    if (lexeme == CONF_LEX_WORD || lexeme == CONF_LEX_OPEN)
        conf_error(source->parser->diag, source->lexer.token.at, NULL,
                   "a newline or ; is missing behind the } before this");
    hold(source, lexeme);
}

static void parse_statement(struct source *source, const struct place *where)
{
    struct parser *parser = source->parser;
    struct conf_stmt *stmt = ARENA_NEW(parser->arena, struct conf_stmt);
    stmt->parent = where->parent;
    struct conf_at at = source->lexer.token.at;
    enum conf_lexeme lexeme = parse_words(source, stmt);
    stmt->end = stmt->tokens[stmt->n_tokens - 1].at;
    if (parser->n_statements++ == CONF_STATEMENTS_MAX) {
        conf_error(parser->diag, at, NULL, "more than %d settings in all", CONF_STATEMENTS_MAX);
        parser->is_full = true;
        return;
    }
    if (lexeme == CONF_LEX_OPEN) {
        parse_block(source, stmt, where->depth);
        end_block(source);
    } else {
        hold(source, lexeme);
    }
    if (is_include(stmt))
        include(source, stmt, where);
    else
        add_child(parser, where->children, stmt);
}

/* A brace that no word of its line opens: most likely it belongs to the line above. */
static void parse_lost_block(struct source *source, const struct place *where)
{
    struct parser *parser = source->parser;
    struct children *children = where->children;
    struct conf_stmt *above = children->n_items ? children->items[children->n_items - 1] : NULL;
    conf_error(parser->diag, source->lexer.token.at, "pool web {",
               "a { stands at the end of the line of its word");
    if (!above || above->has_block)
        above = ARENA_NEW(parser->arena, struct conf_stmt);
    parse_block(source, above, where->depth);
    end_block(source);
}

/* Statements up to the end of the file, or of the block where `open` says where that began. */
static void parse_statements(struct source *source, const struct place *where,
                             const struct conf_at *open, struct conf_at *ret_end)
{
    struct parser *parser = source->parser;
    for (;;) {
        enum conf_lexeme lexeme = next(source);
        *ret_end = source->lexer.token.at;
        if (lexeme == CONF_LEX_EOF) {
            if (open && !parser->is_full)
                conf_error(parser->diag, *open, NULL, "this { is never closed");
            return;
        }
        if (lexeme == CONF_LEX_CLOSE && open)
            return;
        if (lexeme == CONF_LEX_CLOSE)
            conf_error(parser->diag, *ret_end, NULL, "this } closes nothing");
        else if (lexeme == CONF_LEX_OPEN)
            parse_lost_block(source, where);
        else if (lexeme == CONF_LEX_WORD)
            parse_statement(source, where);
    }
}

/* Steps over a block that is too deep. */
static void skip_block(struct source *source)
{
    for (size_t n_open = 1; n_open > 0;) {
        enum conf_lexeme lexeme = next(source);
        if (lexeme == CONF_LEX_EOF)
            return;
        n_open += lexeme == CONF_LEX_OPEN;
        n_open -= lexeme == CONF_LEX_CLOSE;
    }
}

/* The block of `stmt`, whose brace the lexer has just read. */
static void parse_block(struct source *source, struct conf_stmt *stmt, unsigned depth)
{
    struct parser *parser = source->parser;
    struct conf_at open = source->lexer.token.at;
    if (depth == CONF_DEPTH_MAX) {
        conf_error(parser->diag, open, NULL, "blocks more than %d deep", CONF_DEPTH_MAX);
        skip_block(source);
        return;
    }
    struct children children = {.n_items = 0};
    struct place inside = {.children = &children, .parent = stmt, .depth = depth + 1};
    stmt->has_block = true;
    parse_statements(source, &inside, &open, &stmt->end);
    stmt->children = children.items;
    stmt->n_children = children.n_items;
}

/* ---- files ---- */

/* The file's place in parser->files, read now or before; -1 after an error. */
static int open_file(struct parser *parser, struct slice path, struct conf_at at)
{
    struct conf_files *files = parser->files;
    for (size_t i = 0; i < files->n_items; i++)
        if (slice_equal(files->items[i].path, path))
            return (int)i;
    if (files->n_items == CONF_FILES_MAX)
        return conf_error(parser->diag, at, NULL, "more than %d files", CONF_FILES_MAX);
    struct err err = ERR_NONE;
    struct slice bytes;
    if (parser->host->read(parser->host->ctx, path, parser->arena, &bytes, &err) < 0)
        return conf_error(parser->diag, at, NULL, "%s", err.text);
    if (bytes.len > CONF_FILE_MAX)
        return conf_error(parser->diag, at, NULL, "%.*s is larger than %d MiB", SLICE_ARG(path),
                          CONF_FILE_MAX >> 20);
    if (slice_starts(bytes, byte_order_mark))
        bytes = slice_skip(bytes, byte_order_mark.len);
    files->items[files->n_items] =
        (struct conf_file){.path = arena_dup(parser->arena, path), .bytes = bytes};
    return (int)files->n_items++;
}

static void read_file(struct parser *parser, const struct source *includer, struct slice path,
                      struct conf_at at, const struct place *where)
{
    int index = open_file(parser, path, at);
    if (index < 0)
        return;
    const struct conf_file *file = &parser->files->items[index];
    parser->n_bytes += file->bytes.len;
    if (parser->n_bytes > CONF_BYTES_MAX) {
        conf_error(parser->diag, at, NULL, "more than %d MiB in all", CONF_BYTES_MAX >> 20);
        parser->is_full = true;
        return;
    }
    struct source source = {.parser = parser,
                            .includer = includer,
                            .path = file->path,
                            .n_includes = includer ? includer->n_includes + 1 : 0};
    struct conf_at end;
    conf_lexer_init(&source.lexer, (uint16_t)index, file->bytes, parser->host, parser->arena,
                    parser->diag);
    parse_statements(&source, where, NULL, &end);
    conf_lexer_deinit(&source.lexer);
}

struct conf_stmt *conf_tree_read(struct slice path, const struct conf_host *host,
                                 struct arena *arena, struct conf_files *files,
                                 struct conf_diag *diag)
{
    struct parser parser = {.host = host, .arena = arena, .files = files, .diag = diag};
    struct conf_stmt *root = ARENA_NEW(arena, struct conf_stmt);
    struct children children = {.n_items = 0};
    struct place top = {.children = &children, .parent = root};
    read_file(&parser, NULL, path, (struct conf_at){.line = 0}, &top);
    root->has_block = true;
    root->children = children.items;
    root->n_children = children.n_items;
    return root;
}

struct conf_at conf_stmt_at(const struct conf_stmt *stmt)
{
    if (stmt->n_tokens)
        return stmt->tokens[0].at;
    return (struct conf_at){.file = 0, .len = 1, .line = 1, .column = 1};
}
