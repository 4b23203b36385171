/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lexer of the configuration language: one small function a kind of token. It reads each byte
 * once, and whatever it refuses it steps over, so that every mistake of a file is found in one run.
 */
#include "conf/lex.h"
#include "base/ascii.h"
#include "base/mem.h"
#include "conf/utf8.h"
#include <assert.h>
#include <stdio.h>

enum { VARIABLE_MAX = 255 };

void conf_lexer_init(struct conf_lexer *lexer, uint16_t file, struct slice bytes,
                     const struct conf_host *host, struct arena *arena, struct conf_diag *diag)
{
    *lexer = (struct conf_lexer){
        .bytes = bytes, .line = 1, .file = file, .host = host, .arena = arena, .diag = diag};
}

void conf_lexer_deinit(struct conf_lexer *lexer)
{
    text_deinit(&lexer->word);
}

static struct slice rest_of(const struct conf_lexer *lexer)
{
    return slice_skip(lexer->bytes, lexer->next);
}

/* The byte n places ahead, or '\n' behind the end: every token ends there. */
static char peek(const struct conf_lexer *lexer, size_t n)
{
    size_t at = lexer->next + n;
    return at < lexer->bytes.len ? lexer->bytes.ptr[at] : '\n';
}

static struct conf_at place(const struct conf_lexer *lexer, size_t from, size_t to)
{
    assert(from >= lexer->line_start && to >= from);
    size_t len = to > from ? to - from : 1;
    return (struct conf_at){.file = lexer->file,
                            .len = (uint16_t)(len < UINT16_MAX ? len : UINT16_MAX),
                            .line = lexer->line,
                            .column = (uint32_t)(from - lexer->line_start) + 1};
}

static void step_line(struct conf_lexer *lexer)
{
    lexer->next++;
    lexer->line++;
    lexer->line_start = lexer->next;
    lexer->is_line_told = false;
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || ascii_is_digit(c);
}

/* What ends a bare word wherever it stands. */
static bool is_word_end(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '{' || c == '}' || c == ';';
}

static void push(struct conf_lexer *lexer, struct slice bytes)
{
    /* One byte above the limit is kept, for finish_word() to see. */
    size_t room = CONF_TOKEN_MAX + 1 - lexer->word.len;
    text_append(&lexer->word, slice_make(bytes.ptr, bytes.len < room ? bytes.len : room));
}

/* What people paste from pages and word processors without seeing it. */
static const char *look_alike(uint32_t character)
{
    switch (character) {
    case 0x201c:
    case 0x201d:
    case 0x201e:
    case 0x2018:
    case 0x2019:
        return "the quote of this language is \"";
    case 0xa0:
    case 0x2007:
    case 0x202f:
        return "this space is a no-break space: write a plain one";
    case 0x2013:
    case 0x2014:
        return "the dash of this language is -";
    case 0x200b:
    case 0xfeff:
        return "an invisible character stands here: delete it";
    default:
        return NULL;
    }
}

/* The character at `next`, which is 8-bit: pushed, or refused. */
static void take_wide(struct conf_lexer *lexer, bool is_quoted)
{
    uint32_t character;
    size_t n = conf_utf8_next(rest_of(lexer), &character);
    struct conf_at at = place(lexer, lexer->next, lexer->next + (n ? n : 1));
    const char *hint = n && !is_quoted ? look_alike(character) : NULL;
    if (n == 0 && !lexer->is_line_told) {
        conf_error(lexer->diag, at, "save the file as UTF-8", "byte 0x%02x is not UTF-8",
                   (unsigned)(unsigned char)peek(lexer, 0));
        lexer->is_line_told = true;
    }
    if (hint)
        conf_error(lexer->diag, at, hint, "this is not the character that it looks like");
    if (n == 0 || hint)
        lexer->token.is_bad = true;
    else
        push(lexer, slice_make(lexer->bytes.ptr + lexer->next, n));
    lexer->next += n ? n : 1;
}

/* A control character stands at `next`: refused once a line, and stepped over. */
static void refuse_control(struct conf_lexer *lexer)
{
    if (!lexer->is_line_told)
        conf_error(lexer->diag, place(lexer, lexer->next, lexer->next + 1), NULL,
                   "control character 0x%02x has no place in a configuration",
                   (unsigned)(unsigned char)peek(lexer, 0));
    lexer->is_line_told = true;
    lexer->token.is_bad = true;
    lexer->next++;
}

static void push_variable(struct conf_lexer *lexer, struct slice name, struct conf_at at)
{
    const char *value = lexer->host->env(lexer->host->ctx, name);
    if (value) {
        push(lexer, slice_from(value));
        return;
    }
    conf_error(lexer->diag, at, NULL, "the environment variable %.*s is not set", SLICE_ARG(name));
    lexer->token.is_bad = true;
}

/* Steps behind the brace that ends a broken variable, so that it closes no block. */
static void skip_braced(struct conf_lexer *lexer)
{
    size_t n = 0;
    while (peek(lexer, n) != '}') {
        char c = peek(lexer, n++);
        if (c == '\n' || c == '{' || c == '"')
            return;
    }
    lexer->next += n + 1;
}

/* `$` stands at `next`: a variable, a mistake, or a plain dollar. */
static void take_dollar(struct conf_lexer *lexer)
{
    size_t from = lexer->next++;
    if (peek(lexer, 0) != '{' && !is_name_start(peek(lexer, 0))) {
        push(lexer, SLICE("$"));
        return;
    }
    bool is_braced = peek(lexer, 0) == '{';
    lexer->next += is_braced;
    struct slice name = slice_make(lexer->bytes.ptr + lexer->next, 0);
    while (is_name(peek(lexer, 0))) {
        lexer->next++;
        name.len++;
    }
    bool is_name_right = name.len > 0 && name.len <= VARIABLE_MAX && is_name_start(name.ptr[0]);
    if (is_braced && is_name_right && peek(lexer, 0) == '}') {
        lexer->next++;
        push_variable(lexer, arena_dup(lexer->arena, name), place(lexer, from, lexer->next));
        return;
    }
    lexer->token.is_bad = true;
    struct conf_at at = place(lexer, from, lexer->next);
    if (is_braced) {
        conf_error(lexer->diag, at, "${NAME}, of letters, digits and _", "this variable has %s",
                   is_name_right ? "no } behind its name" : "no name that is right");
        skip_braced(lexer);
    } else {
        conf_error(lexer->diag, at, "${NAME} for a variable, \"\\$\" for the character",
                   "a variable is written with braces");
    }
}

/* A backslash within quotes stands at `next`. */
static void take_escape(struct conf_lexer *lexer)
{
    static const char from[] = "\"\\nt$", to[] = "\"\\\n\t$";
    char c = peek(lexer, 1);
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        push(lexer, slice_make(to + (found - from), 1));
        lexer->next += 2;
        return;
    }
    conf_error(lexer->diag, place(lexer, lexer->next, lexer->next + (c == '\n' ? 1 : 2)),
               "\\\" \\\\ \\n \\t \\$; write a backslash itself as \\\\",
               "a backslash within quotes means nothing here");
    lexer->token.is_bad = true;
    lexer->next++;
}

/* Steps to the end of what clings to a word that is wrong already. */
static void skip_word(struct conf_lexer *lexer)
{
    while (!is_word_end(peek(lexer, 0)) && peek(lexer, 0) != '"')
        lexer->next++;
}

static void take_quoted(struct conf_lexer *lexer)
{
    size_t from = lexer->next++;
    lexer->token.is_quoted = true;
    for (;;) {
        char c = peek(lexer, 0);
        if (c == '"')
            break;
        if (c == '\n' || (c == '\r' && peek(lexer, 1) == '\n')) {
            conf_error(lexer->diag, place(lexer, from, lexer->next),
                       "a line break is \\n within quotes", "this quote is not closed on its line");
            lexer->token.is_bad = true;
            return;
        }
        if (c == '$')
            take_dollar(lexer);
        else if (c == '\\')
            take_escape(lexer);
        else if ((unsigned char)c >= 0x80)
            take_wide(lexer, true);
        else if (c != '\t' && ascii_is_control(c))
            refuse_control(lexer);
        else
            push(lexer, slice_make(lexer->bytes.ptr + lexer->next++, 1));
    }
    lexer->next++;
    if (is_word_end(peek(lexer, 0)))
        return;
    conf_error(lexer->diag, place(lexer, lexer->next, lexer->next + 1), NULL,
               "a space is missing behind the closing quote");
    lexer->token.is_bad = true;
    skip_word(lexer);
}

/* A backslash outside of quotes stands at `next`. */
static void refuse_backslash(struct conf_lexer *lexer)
{
    bool is_last = peek(lexer, 1) == '\n' || (peek(lexer, 1) == '\r' && peek(lexer, 2) == '\n');
    conf_error(lexer->diag, place(lexer, lexer->next, lexer->next + 1),
               is_last ? "put what follows into { }"
                       : "quote the word, and write \\\\ within the quotes",
               is_last ? "a backslash does not continue a line" : "a backslash outside of quotes");
    lexer->token.is_bad = true;
    lexer->next++;
}

static void refuse_within(struct conf_lexer *lexer)
{
    if (peek(lexer, 0) == '#')
        conf_error(lexer->diag, place(lexer, lexer->next, lexer->next + 1),
                   "a space before it for a comment, quotes around the word for the character",
                   "a # in the middle of a word");
    else
        conf_error(lexer->diag, place(lexer, lexer->next, lexer->next + 1),
                   "quote the whole word, and write \\\" within the quotes",
                   "a quote in the middle of a word");
    lexer->token.is_bad = true;
    lexer->next++;
}

static void take_bare(struct conf_lexer *lexer)
{
    size_t from = lexer->next;
    while (!is_word_end(peek(lexer, 0))) {
        char c = peek(lexer, 0);
        if (c == '$')
            take_dollar(lexer);
        else if (c == '\\')
            refuse_backslash(lexer);
        else if ((c == '"' || c == '#') && lexer->next > from)
            refuse_within(lexer);
        else if ((unsigned char)c >= 0x80)
            take_wide(lexer, false);
        else if (ascii_is_control(c))
            refuse_control(lexer);
        else
            push(lexer, slice_make(lexer->bytes.ptr + lexer->next++, 1));
    }
}

static enum conf_lexeme take_word(struct conf_lexer *lexer)
{
    size_t from = lexer->next;
    text_clear(&lexer->word);
    if (peek(lexer, 0) == '"')
        take_quoted(lexer);
    else
        take_bare(lexer);
    lexer->token.at = place(lexer, from, lexer->next);
    if (lexer->word.len > CONF_TOKEN_MAX) {
        conf_error(lexer->diag, lexer->token.at, NULL, "this word is longer than %d bytes",
                   CONF_TOKEN_MAX);
        lexer->token.is_bad = true;
    }
    lexer->token.text = arena_dup(lexer->arena, text_slice(&lexer->word));
    return CONF_LEX_WORD;
}

/* Spaces, comments and the \r of \r\n. */
static void skip_blank(struct conf_lexer *lexer)
{
    for (;;) {
        char c = peek(lexer, 0);
        if (c == '#')
            lexer->next += slice_find(rest_of(lexer), '\n');
        else if (c == ' ' || c == '\t' || (c == '\r' && peek(lexer, 1) == '\n'))
            lexer->next++;
        else if (c == '\r')
            refuse_control(lexer);
        else
            return;
    }
}

static enum conf_lexeme take_mark(struct conf_lexer *lexer, enum conf_lexeme lexeme)
{
    lexer->token.at = place(lexer, lexer->next, lexer->next + 1);
    lexer->next++;
    return lexeme;
}

enum conf_lexeme conf_lexer_next(struct conf_lexer *lexer)
{
    lexer->token = (struct conf_token){.is_bad = false};
    skip_blank(lexer);
    lexer->token.is_bad = false;
    if (lexer->next >= lexer->bytes.len) {
        lexer->next = lexer->bytes.len;
        lexer->token.at = place(lexer, lexer->next, lexer->next);
        return CONF_LEX_EOF;
    }
    switch (peek(lexer, 0)) {
    case '{':
        return take_mark(lexer, CONF_LEX_OPEN);
    case '}':
        return take_mark(lexer, CONF_LEX_CLOSE);
    case ';':
        return take_mark(lexer, CONF_LEX_SEMICOLON);
    case '\n':
        lexer->token.at = place(lexer, lexer->next, lexer->next + 1);
        step_line(lexer);
        return CONF_LEX_NEWLINE;
    default:
        return take_word(lexer);
    }
}
