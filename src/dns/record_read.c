/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading records: their sentences, word by word. The words of a record's block are read as if they
 * stood on its line.
 */

#include "dns/conf.h"

#include "base/mem.h"
#include "wire/dns.h"
#include <assert.h>
#include <string.h>

enum { MS_PER_S = 1000 };

const char record_usage[] =
    "record NAME TYPE VALUE... [ttl T] | record NAME A|AAAA|SRV|HTTPS|SVCB CHOICE [then CHOICE] "
    "[ttl T|MIN..MAX] [target NAME] [port N] [alpn A,B] [{ from NET CHOICE [then CHOICE] }], where "
    "CHOICE is pool P all|healthy [weighted] [first] [at-most N] [fail-open below X%|fail-closed]";

static const char choice_example[] = "pool web healthy";

/* A statement as a row of tokens with a place in it. */
struct reader {
    struct conf_load *load;
    const struct conf_stmt *stmt;
    size_t next;
    struct record_conf *record;
    struct record_branch *branch; /* whose choices are read */
};

static const struct conf_token *peek(const struct reader *reader)
{
    return reader->next < reader->stmt->n_tokens ? &reader->stmt->tokens[reader->next] : NULL;
}

static bool is_word(const struct conf_token *token, const char *word)
{
    return token && !token->is_quoted && slice_is(token->text, word);
}

static struct conf_at last_at(const struct reader *reader)
{
    assert(reader->stmt->tokens && reader->stmt->n_tokens > 0);
    return reader->stmt->tokens[reader->stmt->n_tokens - 1].at;
}

/* The value that must follow `word`, or NULL after an error. */
static const struct conf_token *value_of(struct reader *reader, const char *word,
                                         const char *example)
{
    if (reader->next == reader->stmt->n_tokens) {
        conf_error(reader->load->diag, last_at(reader), example, "\"%s\" needs a value", word);
        return NULL;
    }
    return &reader->stmt->tokens[reader->next++];
}

static int twice(struct reader *reader, const struct conf_token *token)
{
    return conf_error(reader->load->diag, token->at, NULL, "\"%.*s\" stands here twice",
                      SLICE_ARG(token->text));
}

/* ---- a choice: pool P all|healthy, and how ---- */

static int read_mode(struct reader *reader, struct record_choice *choice)
{
    static const struct conf_choice modes[] = {
        {.name = "all", .value = RECORD_ALL}, {.name = "healthy", .value = RECORD_HEALTHY}, {0}};
    static const struct conf_word word = {.name = "pool", .type = CONF_CHOICE, .choices = modes};
    const struct conf_token *token = value_of(reader, "pool", "pool web healthy, pool web all");
    return token ? conf_value(reader->load, &word, token, &choice->mode) : -1;
}

static int read_at_most(struct reader *reader, struct record_choice *choice)
{
    static const struct conf_word word = {
        .name = "at-most", .type = CONF_INT, .min = 1, .max = POOL_MEMBERS_MAX};
    const struct conf_token *token = value_of(reader, "at-most", "at-most 2");
    return token ? conf_value(reader->load, &word, token, &choice->at_most) : -1;
}

static int read_open(struct reader *reader, struct record_choice *choice)
{
    static const struct conf_word word = {
        .name = "fail-open below", .type = CONF_PERCENT, .min = 1, .max = 100};
    const struct conf_token *token = value_of(reader, "fail-open", "fail-open below 50%");
    if (!token)
        return -1;
    if (!is_word(token, "below"))
        return conf_error(reader->load->diag, token->at, "fail-open below 50%",
                          "behind fail-open stands \"below\"");
    token = value_of(reader, "below", "fail-open below 50%");
    return token ? conf_value(reader->load, &word, token, &choice->open_below_percent) : -1;
}

/* 1: a word of a choice, read; 0: another word; -1. */
static int read_manner(struct reader *reader, struct record_choice *choice)
{
    const struct conf_token *token = peek(reader);
    bool is_known = is_word(token, "weighted") || is_word(token, "first") ||
                    is_word(token, "at-most") || is_word(token, "fail-open") ||
                    is_word(token, "fail-closed");
    if (!is_known)
        return 0;
    reader->next++;
    if (is_word(token, "weighted")) {
        if (choice->is_weighted)
            return twice(reader, token);
        choice->is_weighted = true;
    } else if (is_word(token, "first")) {
        if (choice->is_first)
            return twice(reader, token);
        choice->is_first = true;
    } else if (is_word(token, "at-most")) {
        if (choice->at_most)
            return twice(reader, token);
        return read_at_most(reader, choice) < 0 ? -1 : 1;
    } else if (is_word(token, "fail-open")) {
        if (choice->open_below_percent)
            return twice(reader, token);
        return read_open(reader, choice) < 0 ? -1 : 1;
    } else {
        if (choice->is_closed)
            return twice(reader, token);
        choice->is_closed = true;
    }
    return 1;
}

static int refuse_pair(struct reader *reader, const struct record_choice *choice)
{
    struct conf_diag *diag = reader->load->diag;
    if (choice->is_closed && choice->open_below_percent)
        return conf_error(diag, choice->at, NULL, "fail-open and fail-closed exclude each other");
    if ((choice->is_closed || choice->open_below_percent) && choice->mode == RECORD_ALL)
        return conf_error(diag, choice->at, choice_example,
                          "\"all\" looks at no health: it can neither fail open nor closed");
    if (choice->is_first && (choice->is_weighted || choice->at_most))
        return conf_error(diag, choice->at, NULL,
                          "\"first\" answers one member by its place: no weight and no number "
                          "counts there");
    return 0;
}

/* Behind `pool`. */
static int read_choice(struct reader *reader)
{
    static const struct conf_word word = {.name = "pool", .type = CONF_REF};
    struct record_branch *branch = reader->branch;
    struct record_choice choice = {.at = reader->stmt->tokens[reader->next - 1].at};
    const struct conf_token *token = value_of(reader, "pool", choice_example);
    if (!token || conf_value(reader->load, &word, token, &choice.pool_ref) < 0 ||
        read_mode(reader, &choice) < 0)
        return -1;
    int result;
    while ((result = read_manner(reader, &choice)) > 0)
        ;
    if (result < 0 || refuse_pair(reader, &choice) < 0)
        return -1;
    if (branch->n_choices == RECORD_CHOICES_MAX)
        return conf_error(reader->load->diag, choice.at, NULL, "more than %d pools in a row",
                          RECORD_CHOICES_MAX);
    if (!branch->choices)
        branch->choices =
            ARENA_NEW_ARRAY(reader->load->arena, struct record_choice, RECORD_CHOICES_MAX);
    branch->choices[branch->n_choices++] = choice;
    return 0;
}

static int read_then(struct reader *reader)
{
    const struct conf_token *token = value_of(reader, "then", "then pool web healthy");
    if (!token)
        return -1;
    if (!is_word(token, "pool"))
        return conf_error(reader->load->diag, token->at, "then pool web healthy",
                          "behind \"then\" stands a pool");
    return read_choice(reader);
}

/* ---- words of the record ---- */

/* 5s or 5s..30s. */
static int read_ttl(struct reader *reader)
{
    static const struct conf_word one = {
        .name = "ttl", .type = CONF_TIME, .min = 0, .max = (int64_t)RECORD_TTL_MAX_S * MS_PER_S};
    static const struct conf_word two = {
        .name = "ttl", .type = CONF_TIMES, .min = 0, .max = (int64_t)RECORD_TTL_MAX_S * MS_PER_S};
    struct record_conf *record = reader->record;
    const struct conf_token *token = value_of(reader, "ttl", "ttl 60s, ttl 5s..30s");
    if (!token)
        return -1;
    struct conf_range range = {0, 0};
    bool is_range = memmem(token->text.ptr, token->text.len, "..", 2) != NULL;
    if (conf_value(reader->load, is_range ? &two : &one, token,
                   is_range ? (void *)&range : (void *)&range.low) < 0)
        return -1;
    if (!is_range)
        range.high = range.low;
    if (range.low % MS_PER_S || range.high % MS_PER_S)
        return conf_error(reader->load->diag, token->at, NULL, "DNS counts whole seconds");
    if (is_range && reader->branch == NULL)
        return conf_error(reader->load->diag, token->at, "ttl 60s",
                          "what stands in the file never changes: its ttl is one time");
    record->ttl_at = token->at;
    record->ttl_min_s = (uint32_t)(range.low / MS_PER_S);
    record->ttl_max_s = (uint32_t)(range.high / MS_PER_S);
    return 0;
}

static int read_target(struct reader *reader)
{
    const struct conf_token *token = value_of(reader, "target", "target shop");
    if (!token)
        return -1;
    reader->record->target = token->text;
    reader->record->target_at = token->at;
    return 0;
}

static int read_port(struct reader *reader)
{
    static const struct conf_word word = {.name = "port", .type = CONF_INT, .min = 1, .max = 65535};
    const struct conf_token *token = value_of(reader, "port", "port 443");
    if (!token)
        return -1;
    reader->record->port_at = token->at;
    return conf_value(reader->load, &word, token, &reader->record->port);
}

static int read_alpn(struct reader *reader)
{
    const struct conf_token *token = value_of(reader, "alpn", "alpn h2,http/1.1");
    if (!token)
        return -1;
    reader->record->alpn = token->text;
    reader->record->alpn_at = token->at;
    return 0;
}

static const struct word_row {
    const char *name;
    size_t at_offset; /* of the place, set where the word was read; SIZE_MAX: may stand again */
    int (*read)(struct reader *reader);
} word_rows[] = {
    {"then", SIZE_MAX, read_then},
    {"ttl", offsetof(struct record_conf, ttl_at), read_ttl},
    {"target", offsetof(struct record_conf, target_at), read_target},
    {"port", offsetof(struct record_conf, port_at), read_port},
    {"alpn", offsetof(struct record_conf, alpn_at), read_alpn},
};

static const char *const pool_words[] = {"weighted",    "first", "at-most", "fail-open",
                                         "fail-closed", "then",  "ttl",     "target",
                                         "port",        "alpn",  NULL};
static const char *const block_words[] = {"from", "then", "ttl", "target", "port", "alpn", NULL};

/* The words behind the first choice, to the end of the statement. */
static int read_words(struct reader *reader)
{
    for (const struct conf_token *token; (token = peek(reader)) != NULL;) {
        const struct word_row *row = NULL;
        for (size_t i = 0; i < ARRAY_LEN(word_rows); i++) {
            if (is_word(token, word_rows[i].name))
                row = &word_rows[i];
        }
        if (!row)
            return conf_unknown(reader->load, token, pool_words, "record");
        if (row->at_offset != SIZE_MAX) {
            const struct conf_at *at =
                (const void *)((const char *)reader->record + row->at_offset);
            if (at->line)
                return twice(reader, token);
        }
        reader->next++;
        if (row->read(reader) < 0)
            return -1;
    }
    return 0;
}

/* ---- branches ---- */

static struct record_branch *new_branch(struct reader *reader, struct conf_at at)
{
    struct record_conf *record = reader->record;
    if (!record->branches)
        record->branches =
            ARENA_NEW_ARRAY(reader->load->arena, struct record_branch, RECORD_BRANCHES_MAX + 1);
    struct record_branch *branch = &record->branches[record->n_branches++];
    branch->at = at;
    return branch;
}

/* from NET CHOICE [then CHOICE]... */
static int read_from(struct reader *reader)
{
    static const struct conf_word word = {.name = "from", .type = CONF_NET};
    struct record_conf *record = reader->record;
    const struct conf_token *from = peek(reader);
    reader->next++;
    if (record->n_branches > RECORD_BRANCHES_MAX)
        return conf_error(reader->load->diag, from->at, NULL, "more than %d networks",
                          RECORD_BRANCHES_MAX);
    struct record_branch *branch = new_branch(reader, from->at);
    const struct conf_token *token = value_of(reader, "from", "from 10.0.0.0/8 pool web healthy");
    if (!token || conf_value(reader->load, &word, token, &branch->net) < 0)
        return -1;
    token = value_of(reader, "from", "from 10.0.0.0/8 pool web healthy");
    if (!token)
        return -1;
    if (!is_word(token, "pool"))
        return conf_error(reader->load->diag, token->at, "from 10.0.0.0/8 pool web healthy",
                          "behind the network stands a pool");
    reader->branch = branch;
    if (read_choice(reader) < 0)
        return -1;
    while (is_word(peek(reader), "then")) {
        reader->next++;
        if (read_then(reader) < 0)
            return -1;
    }
    if (peek(reader))
        return conf_error(reader->load->diag, peek(reader)->at, NULL,
                          "\"%.*s\" cannot stand behind the pools of one network",
                          SLICE_ARG(peek(reader)->text));
    return 0;
}

static int read_block(const struct reader *line, const struct conf_stmt *stmt)
{
    /* new_branch() never moves what it has handed out: everybody's is the first made */
    struct record_branch *everybody = line->branch;
    int result = 0;
    for (size_t i = 0; i < stmt->n_children; i++) {
        struct reader reader = {.load = line->load,
                                .stmt = stmt->children[i],
                                .record = line->record,
                                .branch = everybody};
        const struct conf_token *token = peek(&reader);
        if (stmt->children[i]->has_block)
            result = conf_error(line->load->diag, token->at, NULL, "no block stands here");
        else if (is_word(token, "from"))
            result = read_from(&reader) < 0 ? -1 : result;
        else if (is_word(token, "then") || is_word(token, "ttl") || is_word(token, "target") ||
                 is_word(token, "port") || is_word(token, "alpn"))
            result = read_words(&reader) < 0 ? -1 : result;
        else
            result = conf_unknown(line->load, token, block_words, "record");
    }
    return result;
}

/* What is everybody's is read first and looked at last. */
static void move_everybody_last(struct record_conf *record)
{
    struct record_branch everybody = record->branches[0];
    memmove(&record->branches[0], &record->branches[1],
            (record->n_branches - 1) * sizeof(record->branches[0]));
    record->branches[record->n_branches - 1] = everybody;
}

static int read_from_pools(struct reader *reader)
{
    reader->branch = new_branch(reader, peek(reader)->at);
    reader->branch->is_everybody = true;
    reader->next++;
    if (read_choice(reader) < 0 || read_words(reader) < 0)
        return -1;
    if (reader->stmt->has_block && read_block(reader, reader->stmt) < 0)
        return -1;
    move_everybody_last(reader->record);
    return 0;
}

/* ---- values as they stand ---- */

/* Up to `ttl TIME` at the end. */
static int read_values(struct reader *reader)
{
    struct record_conf *record = reader->record;
    const struct conf_stmt *stmt = reader->stmt;
    if (stmt->has_block)
        return conf_error(reader->load->diag, record->at, record_usage,
                          "a record of values has no block");
    size_t end = stmt->n_tokens;
    if (end >= 2 && end - 2 >= reader->next && is_word(&stmt->tokens[end - 2], "ttl"))
        end -= 2;
    if (end == reader->next || is_word(&stmt->tokens[end - 1], "ttl"))
        return conf_error(reader->load->diag, last_at(reader), record_usage,
                          "the record has no value");
    record->values = &stmt->tokens[reader->next];
    record->n_values = (uint32_t)(end - reader->next);
    reader->next = end;
    if (!peek(reader))
        return 0;
    reader->next++;
    return read_ttl(reader);
}

/* ---- the sentence ---- */

static int read_type(struct reader *reader, const struct conf_token *token)
{
    uint16_t type;
    if (token->is_quoted || dns_type_read(token->text, &type) < 0)
        return conf_error(reader->load->diag, token->at, "record www A 192.0.2.1",
                          "\"%.*s\" is not the type of a record", SLICE_ARG(token->text));
    if (dns_type_is_meta(type))
        return conf_error(reader->load->diag, token->at, NULL,
                          "%.*s can be asked for, but no zone holds it", SLICE_ARG(token->text));
    reader->record->type = type;
    return 0;
}

static void append(struct zone_conf *zone, struct record_conf *record, struct arena *arena)
{
    if (zone->n_records == zone->cap_records) {
        uint32_t cap = zone->cap_records ? zone->cap_records * 2 : 8;
        struct record_conf **records = ARENA_NEW_ARRAY(arena, struct record_conf *, cap);
        if (zone->n_records)
            memcpy((void *)records, (const void *)zone->records,
                   zone->n_records * sizeof(*records));
        zone->records = records;
        zone->cap_records = cap;
    }
    zone->records[zone->n_records++] = record;
}

int record_read(struct conf_load *load, const struct conf_stmt *stmt, struct zone_conf *zone)
{
    if (stmt->n_tokens < 3)
        return conf_error(load->diag, conf_stmt_at(stmt), record_usage,
                          "a record has a name, a type and a value");
    if (zone->n_records == RECORDS_MAX)
        return conf_error(load->diag, conf_stmt_at(stmt), NULL, "more than %d records",
                          RECORDS_MAX);
    struct record_conf *record = ARENA_NEW(load->arena, struct record_conf);
    struct reader reader = {.load = load, .stmt = stmt, .next = 3, .record = record};
    record->stmt = stmt;
    record->at = stmt->tokens[1].at;
    if (read_type(&reader, &stmt->tokens[2]) < 0)
        return -1;
    const struct conf_token *value = peek(&reader);
    int result;
    if (!value)
        result =
            conf_error(load->diag, stmt->tokens[2].at, record_usage, "the record has no value");
    else if (is_word(value, "pool"))
        result = read_from_pools(&reader);
    else
        result = read_values(&reader);
    if (result == 0)
        append(zone, record, load->arena);
    return result;
}
