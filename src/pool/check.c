/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of a check, and what they must be to make one.
 */

#include "pool/check.h"

#include "base/mem.h"
#include "base/text.h"
#include "pool/token.h"
#include <string.h>

enum { MS_SECOND = 1000, MS_MINUTE = 60 * MS_SECOND, MS_HOUR = 60 * MS_MINUTE, PORT_MAX = 65535 };

static const struct conf_choice check_kinds[] = {
    {.name = "tcp", .value = CHECK_TCP, .doc = "a connection can be opened"},
    {.name = "http", .value = CHECK_HTTP, .doc = "a request gets a status that is expected"},
    {.name = "tls", .value = CHECK_TLS, .doc = "a TLS handshake is done"},
    {.name = "agent", .value = CHECK_AGENT, .doc = "a program beside the member says how it is"},
    {.name = "exec", .value = CHECK_EXEC, .doc = "a program here says how the member is"},
    {0},
};

static const struct conf_word check_args[] = {
    {.name = "KIND",
     .type = CONF_CHOICE,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct check_conf, kind),
     .choices = check_kinds,
     .doc = "how a member is looked at"},
    {.name = "PROGRAM",
     .type = CONF_PATH,
     .flags = CONF_OPTIONAL,
     .offset = offsetof(struct check_conf, program),
     .doc = "exec: the file that is executed; it ends with status 0 where the member is well, and "
            "the first line that it prints is the reason"},
    {.name = "ARGUMENT",
     .type = CONF_STRING,
     .flags = CONF_OPTIONAL | CONF_REPEAT,
     .offset = offsetof(struct check_conf, argument_list),
     .doc = "exec: its arguments, up to a word of the check; quote one that is such a word"},
    {0},
};

static const struct conf_word header_args[] = {
    {.name = "FIELD",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct check_header, name),
     .doc = "the field's name"},
    {.name = "VALUE",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct check_header, value),
     .doc = "its value"},
    {0},
};

static const struct conf_block header_block = {
    .size = sizeof(struct check_header),
    .args = header_args,
};

static const struct conf_word check_words[] = {
    {.name = "port",
     .type = CONF_INT,
     .offset = offsetof(struct check_conf, port),
     .min = 1,
     .max = PORT_MAX,
     .doc = "where the check connects; the member's own port where it is not set"},
    {.name = "plain",
     .type = CONF_FLAG,
     .offset = offsetof(struct check_conf, is_plain),
     .doc = "tcp and http: in the clear although the pool has tls, as a port for checks may be"},
    {.name = "path",
     .type = CONF_STRING,
     .offset = offsetof(struct check_conf, path),
     .fallback = "/",
     .doc = "http: what is asked for, with the query"},
    {.name = "method",
     .type = CONF_STRING,
     .offset = offsetof(struct check_conf, method),
     .fallback = "GET",
     .doc = "http: the method of the request"},
    {.name = "host",
     .type = CONF_STRING,
     .offset = offsetof(struct check_conf, host),
     .doc = "http: the Host field; the address that is asked where it is not set"},
    {.name = "header",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct check_conf, header_list),
     .block = &header_block,
     .doc = "http: a field of the request"},
    {.name = "expect",
     .type = CONF_STATUSES,
     .offset = offsetof(struct check_conf, expect),
     .fallback = "200..399",
     .doc = "http: the statuses that mean the member is well"},
    {.name = "body",
     .type = CONF_STRING,
     .offset = offsetof(struct check_conf, body),
     .doc = "http: what the first 64k of the answer's body hold, as they stand there"},
    {.name = "every",
     .type = CONF_TIME,
     .offset = offsetof(struct check_conf, every_ms),
     .fallback = "2s",
     .min = 50,
     .max = MS_HOUR,
     .doc = "from one check of a member to the next, give or take 10 %"},
    {.name = "timeout",
     .type = CONF_TIME,
     .offset = offsetof(struct check_conf, timeout_ms),
     .fallback = "1s",
     .min = 10,
     .max = MS_MINUTE,
     .doc = "for one check as a whole; at most every, which also bounds the default"},
    {.name = "fall",
     .type = CONF_INT,
     .offset = offsetof(struct check_conf, fall),
     .fallback = "3",
     .min = 1,
     .max = 100,
     .doc = "bad results in a row that turn a member down"},
    {.name = "rise",
     .type = CONF_INT,
     .offset = offsetof(struct check_conf, rise),
     .fallback = "2",
     .min = 1,
     .max = 100,
     .doc = "good results in a row that turn it up again"},
    {0},
};

/*
 * Visible ASCII alone: what may stand in a request target or in Host without changing the request.
 */
static bool is_visible(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    }
    return text.len > 0;
}

static const struct kind_words {
    const char *kind;
    const char *has_none;  /* why it has no word but those */
    const char *words[10]; /* that it has beside those of all */
} kinds[] = {
    [CHECK_TCP] = {"tcp", "a tcp check opens a connection and asks nothing", {"port", "plain"}},
    [CHECK_HTTP] = {"http",
                    NULL,
                    {"port", "path", "method", "host", "header", "expect", "body", "plain"}},
    [CHECK_EXEC] = {"exec",
                    "a program gets its arguments and asks by itself",
                    {"PROGRAM", "ARGUMENT"}},
    [CHECK_TLS] = {"tls", "a tls check shakes hands and asks nothing", {"port"}},
    [CHECK_AGENT] = {"agent", "an agent is asked nothing and speaks by itself", {"port"}},
};

static bool has_name(const char *const *names, const char *name)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

/* What only some kinds have. */
static bool is_of_a_kind(const char *name)
{
    for (size_t i = CHECK_TCP; i < ARRAY_LEN(kinds); i++) {
        if (has_name(kinds[i].words, name))
            return true;
    }
    return false;
}

/* What a tcp check asks nothing with, it has not. */
static bool check_has_word(const void *self, const struct conf_word *word)
{
    const struct check_conf *check = self;
    return !is_of_a_kind(word->name) || has_name(kinds[check->kind].words, word->name);
}

/* A kind that has the word, for the hint. */
static const char *kind_with(const char *name)
{
    for (size_t i = CHECK_TCP; i < ARRAY_LEN(kinds); i++) {
        if (has_name(kinds[i].words, name))
            return kinds[i].kind;
    }
    return "";
}

static int refuse_words_of_others(struct conf_load *load, const struct check_conf *check)
{
    int result = 0;
    for (const struct conf_word *word = check_words; word->name; word++) {
        if (check_has_word(check, word) || !conf_is_set(&check->object, word->name))
            continue;
        const char *hint = arena_printf(load->arena, "check %s", kind_with(word->name));
        result = conf_error(load->diag, conf_where(&check->object, word->name), hint,
                            "%s, so it has no %s", kinds[check->kind].has_none, word->name);
    }
    return result;
}

/* ---- http ---- */

/* Fields that the check writes by itself, and the word that sets them, or why nothing does. */
static const struct own_field {
    const char *name, *why;
} own_fields[] = {
    {"Host", "the word host sets it"},
    {"Connection", "a check is one request on a connection of its own"},
    {"Content-Length", "a check has no body"},
    {"Transfer-Encoding", "a check has no body"},
    {"Upgrade", "a check speaks HTTP/1"},
};

/* RFC 9110 section 5.5, without obs-text: nothing that could end the field. */
static bool is_field_value(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool is_blank = text.ptr[i] == ' ' || text.ptr[i] == '\t';
        if (!is_blank && (text.ptr[i] < ' ' || text.ptr[i] > '~'))
            return false;
    }
    return slice_trim(text).len == text.len;
}

static int check_header_field(struct conf_load *load, const struct check_header *header)
{
    struct conf_at at = conf_where(&header->object, "FIELD");
    if (!is_token(header->name))
        return conf_error(load->diag, at, "header X-Token abc",
                          "\"%.*s\" is no name of a header field", SLICE_ARG(header->name));
    if (!is_field_value(header->value))
        return conf_error(load->diag, conf_where(&header->object, "VALUE"), NULL,
                          "the value of a header field is visible ASCII, and begins and ends with "
                          "no blank");
    for (size_t i = 0; i < ARRAY_LEN(own_fields); i++) {
        if (slice_equal_nocase(header->name, slice_from(own_fields[i].name)))
            return conf_error(load->diag, at, NULL, "a check cannot set %s: %s", own_fields[i].name,
                              own_fields[i].why);
    }
    return 0;
}

static const struct check_header *header_of(const struct check_conf *check, const char *name)
{
    for (size_t i = 0; i < check->header_list.n_items; i++) {
        const struct check_header *header = check->header_list.items[i];
        if (slice_equal_nocase(header->name, slice_from(name)))
            return header;
    }
    return NULL;
}

static int make_lines(struct conf_load *load, struct check_conf *check)
{
    static const char *const usual[][2] = {{"User-Agent", "weir-health"}, {"Accept", "*/*"}};
    struct text lines = TEXT_NONE;
    int result = 0;
    for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
        if (!header_of(check, usual[i][0]))
            text_printf(&lines, "%s: %s\r\n", usual[i][0], usual[i][1]);
    }
    for (size_t i = 0; i < check->header_list.n_items; i++) {
        const struct check_header *header = check->header_list.items[i];
        if (check_header_field(load, header) < 0)
            result = -1;
        text_printf(&lines, "%.*s: %.*s\r\n", SLICE_ARG(header->name), SLICE_ARG(header->value));
    }
    check->lines = arena_dup(load->arena, text_slice(&lines));
    text_deinit(&lines);
    return result;
}

static int check_http_words(struct conf_load *load, struct check_conf *check)
{
    int result = 0;
    if (!is_token(check->method) || check->method.len > 32)
        result = conf_error(load->diag, conf_where(&check->object, "method"), "GET",
                            "\"%.*s\" is no method", SLICE_ARG(check->method));
    if (slice_is(check->method, "CONNECT"))
        result = conf_error(load->diag, conf_where(&check->object, "method"), "GET",
                            "a check cannot CONNECT");
    if (!is_visible(check->path) || check->path.ptr[0] != '/' ||
        slice_find(check->path, '#') < check->path.len)
        result = conf_error(load->diag, conf_where(&check->object, "path"), "/healthz",
                            "a path begins with / and has neither space nor #");
    if (check->host.len && !is_visible(check->host))
        result = conf_error(load->diag, conf_where(&check->object, "host"), "shop.example.org",
                            "a Host field has neither space nor control bytes");
    if (check->body.len > CHECK_BODY_TEXT_MAX)
        result = conf_error(load->diag, conf_where(&check->object, "body"), NULL,
                            "the text is longer than %d bytes", CHECK_BODY_TEXT_MAX);
    if (check->body.len && slice_is(check->method, "HEAD"))
        result = conf_error(load->diag, conf_where(&check->object, "body"), "method GET",
                            "the answer to HEAD has no body");
    return make_lines(load, check) < 0 ? -1 : result;
}

static int check_agent_words(struct conf_load *load, const struct check_conf *check)
{
    if (check->port)
        return 0;
    return conf_error(load->diag, check->object.at, "check agent port 7777",
                      "an agent has a port of its own");
}

static int check_exec_words(struct conf_load *load, const struct check_conf *check)
{
    if (check->program.len)
        return 0;
    return conf_error(load->diag, check->object.at, "check exec /usr/local/bin/probe",
                      "an exec check has no program");
}

static int check_finish(struct conf_load *load, void *self)
{
    struct check_conf *check = self;
    int result = refuse_words_of_others(load, check);
    if (check->kind == CHECK_HTTP && check_http_words(load, check) < 0)
        result = -1;
    if (check->kind == CHECK_EXEC && check_exec_words(load, check) < 0)
        result = -1;
    if (check->kind == CHECK_AGENT && check_agent_words(load, check) < 0)
        result = -1;
    if (check->timeout_ms <= check->every_ms)
        return result;
    if (!conf_is_set(&check->object, "timeout")) {
        check->timeout_ms = check->every_ms; /* nobody asked for the longer one */
        return result;
    }
    return conf_error(load->diag, conf_where(&check->object, "timeout"), NULL,
                      "timeout is longer than every: a check would begin before the last one has "
                      "ended");
}

const struct conf_block check_block = {
    .size = sizeof(struct check_conf),
    .args = check_args,
    .words = check_words,
    .finish = check_finish,
    .has_word = check_has_word,
};
