/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Master files (RFC 1035 section 5.1): bytes into entries, entries into records.
 *
 *     file   = BOM? entry*           an entry ends with its line, but within parentheses
 *     entry  = "$ORIGIN" name | "$TTL" ttl | [owner] [ttl] [class] type data | nothing
 *     token  = quoted | bare         escapes stay as they are; who reads the token knows them
 *
 * The owner begins in the first column; a blank there means the owner of the record before. After
 * a mistake the rest of its entry is passed over, so that the next one is looked at too.
 */
#include "base/ascii.h"
#include "base/err.h"
#include "base/mem.h"
#include "dns/zone_build.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"
#include <assert.h>
#include <string.h>

struct zone_file {
    struct zone_build *build;
    const char *path;
    const char *begin, *at, *end;
    uint32_t line;

    /* The entry's tokens. */
    struct dns_token *tokens;
    uint32_t *lines;
    size_t n_tokens, cap_tokens;
    bool has_owner; /* the first token begins in the first column */

    uint8_t origin[DNS_NAME_MAX], owner[DNS_NAME_MAX];
    size_t origin_len, owner_len; /* owner_len 0: none yet */
    uint32_t default_ttl_s, last_ttl_s;
    bool has_default_ttl, has_last_ttl;
    uint8_t rdata[UINT16_MAX];
};

/* ---- bytes into tokens ---- */

/* What a byte does between tokens, and whether it ends a bare one. */
enum byte_kind {
    BYTE_PLAIN,
    BYTE_BLANK,
    BYTE_LINE,
    BYTE_COMMENT,
    BYTE_OPEN,
    BYTE_CLOSE,
    BYTE_QUOTE
};

static const uint8_t byte_kinds[256] = {
    [' '] = BYTE_BLANK,   ['\t'] = BYTE_BLANK, ['\r'] = BYTE_BLANK, ['\n'] = BYTE_LINE,
    [';'] = BYTE_COMMENT, ['('] = BYTE_OPEN,   [')'] = BYTE_CLOSE,  ['"'] = BYTE_QUOTE,
};

/* The place of a byte. The column is counted back to its line's start: only mistakes want it. */
static struct zone_at place(const struct zone_file *file, const char *at, uint32_t line)
{
    const char *start = at;
    while (start > file->begin && start[-1] != '\n')
        start--;
    return (struct zone_at){file->path, line, (uint32_t)(at - start) + 1};
}

static struct zone_at token_at(const struct zone_file *file, size_t i)
{
    const char *at = file->tokens[i].text.ptr;
    return place(file, file->tokens[i].is_quoted ? at - 1 : at, file->lines[i]);
}

static int push(struct zone_file *file, const char *begin, const char *end, bool is_quoted)
{
    if (file->n_tokens == ZONE_TOKENS_MAX)
        return zone_error(file->build, place(file, begin, file->line), "is a \")\" missing?",
                          "this record has more than %d words", ZONE_TOKENS_MAX);
    if (file->n_tokens == file->cap_tokens) {
        file->cap_tokens = file->cap_tokens ? 2 * file->cap_tokens : 16;
        file->tokens = mem_realloc(file->tokens, file->cap_tokens * sizeof(struct dns_token));
        file->lines = mem_realloc(file->lines, file->cap_tokens * sizeof(uint32_t));
    }
    file->tokens[file->n_tokens] =
        (struct dns_token){slice_make(begin, (size_t)(end - begin)), is_quoted};
    file->lines[file->n_tokens] = file->line;
    file->n_tokens++;
    return 0;
}

/* Behind the opening quote. A line that ends in quotes is a mistake: the peers differ in it. */
static int read_quoted(struct zone_file *file)
{
    const char *begin = file->at;
    for (; file->at < file->end && *file->at != '\n'; file->at++) {
        if (*file->at == '"') {
            int res = push(file, begin, file->at, true);
            file->at++;
            return res;
        }
        if (*file->at == '\\' && file->at + 1 < file->end && file->at[1] != '\n')
            file->at++;
    }
    return zone_error(file->build, place(file, begin - 1, file->line),
                      "a quoted string ends in its line; write several, or \\010 for a new line",
                      "this quote is not closed");
}

/* Quotes within a bare word belong to it, and what they enclose parts no words: alpn="h2,h3". */
static int read_bare(struct zone_file *file)
{
    const char *begin = file->at, *quote = NULL;
    for (; file->at < file->end && *file->at != '\n'; file->at++) {
        enum byte_kind kind = byte_kinds[(unsigned char)*file->at];
        if (kind == BYTE_QUOTE)
            quote = quote ? NULL : file->at;
        else if (kind != BYTE_PLAIN && !quote)
            break;
        else if (*file->at == '\\' && file->at + 1 < file->end && file->at[1] != '\n')
            file->at++;
    }
    if (quote)
        return zone_error(file->build, place(file, quote, file->line), NULL,
                          "this quote is not closed");
    return push(file, begin, file->at, false);
}

static void skip_line(struct zone_file *file)
{
    const char *end = memchr(file->at, '\n', (size_t)(file->end - file->at));
    file->at = end ? end : file->end;
}

/*
 * Reads one entry: 1 there is one, 0 the file is over, -1 a mistake was told, and the file stands
 * at the start of the next line.
 */
static int read_entry(struct zone_file *file)
{
    const char *opened = NULL;
    uint32_t opened_line = 0;
    int res = 0;
    if (file->at == file->end)
        return 0;
    file->n_tokens = 0;
    enum byte_kind first = byte_kinds[(unsigned char)*file->at];
    file->has_owner = first == BYTE_PLAIN || first == BYTE_QUOTE;
    while (res == 0 && file->at < file->end) {
        char c = *file->at;
        switch ((enum byte_kind)byte_kinds[(unsigned char)c]) {
        case BYTE_PLAIN:
            res = read_bare(file);
            break;
        case BYTE_BLANK:
            file->at++;
            break;
        case BYTE_COMMENT:
            skip_line(file);
            break;
        case BYTE_QUOTE:
            file->at++;
            res = read_quoted(file);
            break;
        case BYTE_OPEN:
            if (opened)
                res = zone_error(file->build, place(file, file->at, file->line),
                                 "close the first one before", "\"(\" within \"(\"");
            opened = file->at++;
            opened_line = file->line;
            break;
        case BYTE_CLOSE:
            if (!opened)
                res = zone_error(file->build, place(file, file->at, file->line), NULL,
                                 "\")\" without a \"(\" before it");
            opened = NULL;
            file->at++;
            break;
        case BYTE_LINE:
            file->at++;
            file->line++;
            if (!opened)
                return 1;
            break;
        }
    }
    if (res == 0 && opened)
        res = zone_error(file->build, place(file, opened, opened_line), NULL,
                         "this \"(\" is not closed before the end of the file");
    if (res < 0) {
        skip_line(file);
        if (file->at < file->end) {
            file->at++;
            file->line++;
        }
        return -1;
    }
    return 1;
}

/* ---- words of an entry ---- */

/* 0; 1: it does not begin like a TTL; -1: like one, but it is none, or too long. */
static int read_ttl(struct slice text, uint32_t *ret_ttl_s)
{
    if (text.len == 0 || !ascii_is_digit(text.ptr[0]))
        return 1;
    return dns_token_seconds(text, ret_ttl_s) == 0 && *ret_ttl_s <= ZONE_TTL_MAX ? 0 : -1;
}

static const char ttl_hint[] = "seconds up to 2147483647, or units such as 1h30m, 2d";

/* Sets *ret_name on success only: the records that follow may still have the name before. */
static int read_name(struct zone_file *file, size_t i, uint8_t ret_name[DNS_NAME_MAX],
                     size_t *ret_len)
{
    struct err err = ERR_NONE;
    struct slice origin = slice_make((const char *)file->origin, file->origin_len);
    uint8_t name[DNS_NAME_MAX];
    size_t len;
    if (file->tokens[i].is_quoted)
        return zone_error(file->build, token_at(file, i), "write it without quotes",
                          "a name is wanted here, not a string");
    if (dns_name_read(file->tokens[i].text, origin, name, &len, &err) < 0)
        return zone_error(file->build, token_at(file, i), NULL, "%s", err.text);
    memcpy(ret_name, name, len);
    *ret_len = len;
    return 0;
}

/* ---- directives ---- */

static int check_words(struct zone_file *file, size_t n, const char *usage)
{
    if (file->n_tokens == n)
        return 0;
    size_t i = file->n_tokens > n ? n : 0;
    return zone_error(file->build, token_at(file, i), usage, "%.*s takes one word",
                      SLICE_ARG(file->tokens[0].text));
}

static int read_origin(struct zone_file *file)
{
    if (check_words(file, 2, "$ORIGIN NAME") < 0)
        return -1;
    return read_name(file, 1, file->origin, &file->origin_len);
}

static int read_default_ttl(struct zone_file *file)
{
    if (check_words(file, 2, "$TTL SECONDS, such as $TTL 1h") < 0)
        return -1;
    if (read_ttl(file->tokens[1].text, &file->default_ttl_s) != 0)
        return zone_error(file->build, token_at(file, 1), ttl_hint, "\"%.*s\" is not a TTL",
                          SLICE_ARG(file->tokens[1].text));
    file->has_default_ttl = true;
    return 0;
}

static int read_directive(struct zone_file *file)
{
    struct slice word = file->tokens[0].text;
    if (slice_equal_nocase(word, SLICE("$ORIGIN")))
        return read_origin(file);
    if (slice_equal_nocase(word, SLICE("$TTL")))
        return read_default_ttl(file);
    if (slice_equal_nocase(word, SLICE("$INCLUDE")))
        return zone_error(file->build, token_at(file, 0),
                          "name each file in the zone's block: file A, file B",
                          "$INCLUDE is not read: only files that the weir file names are opened");
    if (slice_equal_nocase(word, SLICE("$GENERATE")))
        return zone_error(file->build, token_at(file, 0), "write the records out",
                          "$GENERATE is BIND's own and is not read");
    return zone_error(file->build, token_at(file, 0), "$ORIGIN or $TTL", "unknown directive %.*s",
                      word.len < 64 ? (int)word.len : 64, word.ptr);
}

/* ---- records ---- */

struct head {
    bool has_ttl, has_class;
    uint32_t ttl_s;
    uint16_t type;
    size_t i; /* of the next token */
};

static int read_class(struct zone_file *file, struct head *head, uint16_t class)
{
    if (head->has_class)
        return zone_error(file->build, token_at(file, head->i), NULL, "a second class");
    if (class != DNS_CLASS_IN)
        return zone_error(file->build, token_at(file, head->i), "leave the class out, or say IN",
                          "zones of class %.*s are not served",
                          SLICE_ARG(file->tokens[head->i].text));
    head->has_class = true;
    return 0;
}

/* [ttl] [class] type, the first two in any order. */
static int read_head(struct zone_file *file, struct head *head)
{
    for (; head->i < file->n_tokens; head->i++) {
        struct slice word = file->tokens[head->i].text;
        uint16_t class;
        if (file->tokens[head->i].is_quoted)
            break;
        int res = read_ttl(word, &head->ttl_s);
        if (res < 0 || (res == 0 && head->has_ttl))
            return zone_error(file->build, token_at(file, head->i), res < 0 ? ttl_hint : NULL,
                              res < 0 ? "\"%.*s\" is not a TTL" : "\"%.*s\" is a second TTL",
                              SLICE_ARG(word));
        if (res == 0) {
            head->has_ttl = true;
            continue;
        }
        if (dns_type_read(word, &head->type) == 0) {
            head->i++;
            return 0;
        }
        if (dns_class_read(word, &class) < 0)
            return zone_error(file->build, token_at(file, head->i),
                              "a type such as A or MX, or TYPE and its number",
                              "\"%.*s\" is not a type", word.len < 64 ? (int)word.len : 64,
                              word.ptr);
        if (read_class(file, head, class) < 0)
            return -1;
    }
    size_t last = head->i < file->n_tokens ? head->i : file->n_tokens - 1;
    return zone_error(file->build, token_at(file, last), "[OWNER] [TTL] [CLASS] TYPE DATA",
                      "this record has no type");
}

/* RFC 2308 section 4; without any, BIND's rule for the first record of a zone. */
static int find_ttl(struct zone_file *file, struct head *head, struct slice rdata)
{
    if (!head->has_ttl) {
        if (file->has_default_ttl)
            head->ttl_s = file->default_ttl_s;
        else if (file->has_last_ttl)
            head->ttl_s = file->last_ttl_s;
        else if (head->type == DNS_SOA && rdata.len >= 4)
            head->ttl_s = dns_get32(rdata.ptr + rdata.len - 4);
        else
            return zone_error(file->build, token_at(file, 0), "begin the file with $TTL 1h",
                              "this record has no TTL, and there is none before it");
    }
    file->last_ttl_s = head->ttl_s;
    file->has_last_ttl = true;
    return 0;
}

static int read_owner(struct zone_file *file)
{
    if (file->has_owner)
        return read_name(file, 0, file->owner, &file->owner_len);
    if (file->owner_len == 0)
        return zone_error(file->build, token_at(file, 0),
                          "a record begins with its name in the first column",
                          "no name stands before this record");
    return 0;
}

static int read_record(struct zone_file *file)
{
    struct head head = {.i = file->has_owner ? 1 : 0};
    struct err err = ERR_NONE;
    size_t len;
    if (read_owner(file) < 0 || read_head(file, &head) < 0)
        return -1;
    size_t type_at = head.i - 1, data_at = head.i < file->n_tokens ? head.i : type_at;
    if (dns_rdata_read(head.type, file->tokens + head.i, file->n_tokens - head.i,
                       slice_make((const char *)file->origin, file->origin_len), file->rdata,
                       sizeof(file->rdata), &len, &err) < 0)
        return zone_error(file->build, token_at(file, data_at), NULL, "%s", err.text);
    struct slice rdata = slice_make((const char *)file->rdata, len);
    if (find_ttl(file, &head, rdata) < 0)
        return -1;
    return zone_build_add(file->build, slice_make((const char *)file->owner, file->owner_len),
                          head.type, head.ttl_s, rdata, token_at(file, 0));
}

int zone_build_file(struct zone_build *build, const char *path, struct slice bytes)
{
    struct zone_file *file = MEM_NEW(struct zone_file);
    size_t n_errors = build->n_errors;
    struct slice origin = zone_build_origin(build);
    if (slice_starts(bytes, SLICE("\xef\xbb\xbf")))
        bytes = slice_skip(bytes, 3);
    file->build = build;
    file->path = path;
    file->begin = file->at = bytes.ptr;
    file->end = bytes.len ? bytes.ptr + bytes.len : bytes.ptr;
    file->line = 1;
    memcpy(file->origin, origin.ptr, origin.len);
    file->origin_len = origin.len;
    for (int res; (res = read_entry(file)) != 0;) {
        if (res < 0 || file->n_tokens == 0)
            continue;
        if (file->has_owner && slice_starts(file->tokens[0].text, SLICE("$")))
            read_directive(file);
        else
            read_record(file);
    }
    mem_free(file->tokens);
    mem_free(file->lines);
    mem_free(file);
    return build->n_errors == n_errors ? 0 : -1;
}
