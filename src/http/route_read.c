/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading routes: their sentences, word by word.
 */

#include "http/route.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

const char route_usage[] =
    "route [METHOD] [not] [host H] [path [=] P] [header N V] [from NET] "
    "pool NAME | split NAME 90% NAME 10% | async QUEUE | respond CODE [\"text\"] | redirect https "
    "| "
    "redirect CODE URL [retry idempotency-key] [priority high|normal|low] [async QUEUE] "
    "[overflow QUEUE] [credentials keep]";

static const char *const route_words[] = {"host",  "path",  "header",  "from",     "not", "pool",
                                          "split", "async", "respond", "redirect", NULL};
static const char *const manner_words[] = {"retry",    "priority",    "async",
                                           "overflow", "credentials", NULL};

static const char split_example[] = "split web 90% next 10%";

/* The statement as a row of tokens with a place in it. */
struct reader {
    struct conf_load *load;
    const struct conf_stmt *stmt;
    size_t next;
};

static const struct conf_token *reader_peek(const struct reader *reader)
{
    return reader->next < reader->stmt->n_tokens ? &reader->stmt->tokens[reader->next] : NULL;
}

static struct conf_at reader_last_at(const struct reader *reader)
{
    const struct conf_stmt *stmt = reader->stmt;
    assert(stmt->tokens && stmt->n_tokens > 0); /* its first word, which led here */
    return stmt->tokens[stmt->n_tokens - 1].at;
}

/* The value that must follow `word`, or NULL after an error. */
static const struct conf_token *reader_value(struct reader *reader, const char *word,
                                             const char *example)
{
    if (reader->next == reader->stmt->n_tokens) {
        conf_error(reader->load->diag, reader_last_at(reader), example, "\"%s\" needs a value",
                   word);
        return NULL;
    }
    return &reader->stmt->tokens[reader->next++];
}

static int read_host(struct reader *reader, struct route *route)
{
    const struct conf_token *token = reader_value(reader, "host", "host www.example.org");
    if (!token)
        return -1;
    struct slice host = token->text;
    if (slice_starts(host, SLICE("*."))) {
        route->is_host_below = true;
        host = slice_skip(host, 2);
    }
    uint32_t host_len;
    uint16_t port;
    if (h1_parse_authority(host, &host_len, &port) < 0 || port || host_len != host.len)
        return conf_error(reader->load->diag, token->at, "host www.example.org, host *.example.org",
                          "\"%.*s\" is not a host name", SLICE_ARG(token->text));
    route->host = host;
    return 0;
}

static int read_path(struct reader *reader, struct route *route)
{
    const struct conf_token *token = reader_value(reader, "path", "path /images");
    if (token && !token->is_quoted && slice_is(token->text, "=")) {
        route->is_path_exact = true;
        token = reader_value(reader, "path =", "path = /ping");
    }
    if (!token)
        return -1;
    struct slice path = token->text;
    if (path.len == 0 || path.ptr[0] != '/')
        return conf_error(reader->load->diag, token->at, "path /images",
                          "a path begins with a slash, \"%.*s\" does not", SLICE_ARG(path));
    if (slice_find(path, '?') < path.len || slice_find(path, '#') < path.len)
        return conf_error(reader->load->diag, token->at, NULL,
                          "a path ends before ? and #: routes do not look at the query");
    while (!route->is_path_exact && path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    route->path = path;
    return 0;
}

static int read_header(struct reader *reader, struct route *route)
{
    const struct conf_token *name = reader_value(reader, "header", "header X-Canary yes");
    const struct conf_token *value =
        name ? reader_value(reader, "header", "header X-Canary yes") : NULL;
    if (!value)
        return -1;
    if (!h1_is_token(name->text))
        return conf_error(reader->load->diag, name->at, "header X-Canary yes",
                          "\"%.*s\" is not the name of a header field", SLICE_ARG(name->text));
    route->header_name = name->text;
    route->header_value = value->text;
    return 0;
}

static int read_from(struct reader *reader, struct route *route)
{
    static const struct conf_word word = {.name = "from", .type = CONF_NET};
    const struct conf_token *token = reader_value(reader, "from", "from 10.0.0.0/8");
    return token ? conf_value(reader->load, &word, token, &route->from) : -1;
}

static int read_pool(struct reader *reader, struct route *route)
{
    static const struct conf_word word = {.name = "pool", .type = CONF_REF};
    const struct conf_token *token = reader_value(reader, "pool", "route pool web");
    route->action = ROUTE_POOL;
    return token ? conf_value(reader->load, &word, token, &route->pool_ref) : -1;
}

/* The action and the manner. */
static int read_async(struct reader *reader, struct route *route)
{
    static const struct conf_word word = {.name = "async", .type = CONF_REF};
    const struct conf_token *token = reader_value(reader, "async", "async reports");
    route->has_queue = true;
    return token ? conf_value(reader->load, &word, token, &route->async_ref) : -1;
}

static int read_async_action(struct reader *reader, struct route *route)
{
    route->action = ROUTE_ASYNC;
    return read_async(reader, route);
}

/* ---- split ---- */

static bool is_one_of(const struct conf_token *token, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        if (!token->is_quoted && slice_is(token->text, names[i]))
            return true;
    return false;
}

/* A pool may have the name of a word of routes: what stands behind it tells. */
static bool is_share_next(const struct reader *reader)
{
    const struct conf_token *token = reader_peek(reader);
    if (!token)
        return false;
    if (!is_one_of(token, manner_words) && !is_one_of(token, route_words))
        return true;
    size_t behind = reader->next + 1;
    struct slice value = behind < reader->stmt->n_tokens ? token[1].text : SLICE("");
    return value.len > 0 && value.ptr[value.len - 1] == '%';
}

static int read_share(struct reader *reader, struct route_share *share)
{
    static const struct conf_word name_word = {.name = "split", .type = CONF_REF};
    static const struct conf_word percent_word = {.name = "split", .type = CONF_PERCENT};
    const struct conf_token *name = reader_value(reader, "split", split_example);
    const struct conf_token *percent = name ? reader_value(reader, "split", split_example) : NULL;
    if (!percent)
        return -1;
    if (conf_value(reader->load, &name_word, name, &share->pool_ref) < 0)
        return -1;
    return conf_value(reader->load, &percent_word, percent, &share->percent);
}

static int split_check(struct reader *reader, const struct route *route, struct conf_at at)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < route->n_shares; i++) {
        sum += route->shares[i].percent;
        for (uint32_t k = 0; k < i; k++)
            if (slice_equal(route->shares[k].pool_ref.name, route->shares[i].pool_ref.name))
                return conf_error(reader->load->diag, route->shares[i].pool_ref.at, NULL,
                                  "a split names a pool once");
    }
    if (route->n_shares < 2)
        return conf_error(reader->load->diag, at, split_example, "a split names two pools or more");
    if (sum != 100)
        return conf_error(reader->load->diag, at, split_example,
                          "the shares of a split make 100%%, these make %d%%", (int)sum);
    return 0;
}

static int read_split(struct reader *reader, struct route *route)
{
    struct conf_at at = reader->stmt->tokens[reader->next - 1].at;
    struct route_share shares[ROUTE_SHARES_MAX];
    route->action = ROUTE_SPLIT;
    do {
        if (route->n_shares == ROUTE_SHARES_MAX)
            return conf_error(reader->load->diag, at, NULL, "more than %d pools in a split",
                              ROUTE_SHARES_MAX);
        shares[route->n_shares] = (struct route_share){.pool = NULL};
        if (read_share(reader, &shares[route->n_shares]) < 0)
            return -1;
        route->n_shares++;
    } while (is_share_next(reader));
    route->shares = ARENA_NEW_ARRAY(reader->load->arena, struct route_share, route->n_shares);
    memcpy(route->shares, shares, route->n_shares * sizeof(*shares));
    return split_check(reader, route, at);
}

/* ---- respond, redirect ---- */

static int read_status(struct reader *reader, const struct conf_token *token, int64_t *ret_status)
{
    static const struct conf_word word = {.name = "status", .type = CONF_STATUS};
    return conf_value(reader->load, &word, token, ret_status);
}

/* RFC 9110 section 6.4.1. */
static bool has_no_body(int64_t status)
{
    return status == 204 || status == 304;
}

static int read_respond(struct reader *reader, struct route *route)
{
    const struct conf_token *token = reader_value(reader, "respond", "respond 200 \"pong\"");
    route->action = ROUTE_RESPOND;
    if (!token || read_status(reader, token, &route->status) < 0)
        return -1;
    if (route->status < 200)
        return conf_error(reader->load->diag, token->at, NULL,
                          "a status from 200 to 599 stands here");
    token = reader_peek(reader);
    if (token) {
        if (has_no_body(route->status))
            return conf_error(reader->load->diag, token->at, NULL,
                              "an answer with status %d has no text", (int)route->status);
        route->text = token->text;
        reader->next++;
    }
    return 0;
}

/* Those of RFC 9110 section 15.4 that say where to go. */
static bool is_redirect(int64_t status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

static int read_url(struct reader *reader, struct route *route, const char *example)
{
    const struct conf_token *url = reader_value(reader, "redirect", example);
    if (!url)
        return -1;
    if (url->text.len == 0)
        return conf_error(reader->load->diag, url->at, example, "a URL is not empty");
    for (size_t i = 0; i < url->text.len; i++)
        if (url->text.ptr[i] <= ' ' || url->text.ptr[i] > '~')
            return conf_error(reader->load->diag, url->at, example,
                              "a URL holds no space and no control or 8-bit bytes");
    route->text = url->text;
    return 0;
}

static int read_redirect(struct reader *reader, struct route *route)
{
    const char *example = "redirect https, redirect 301 https://www.example.org/";
    const struct conf_token *token = reader_value(reader, "redirect", example);
    if (!token)
        return -1;
    if (slice_is(token->text, "https")) {
        route->action = ROUTE_REDIRECT_HTTPS;
        return 0;
    }
    route->action = ROUTE_REDIRECT;
    if (token->text.len == 0 || token->text.ptr[0] < '0' || token->text.ptr[0] > '9')
        return conf_error(reader->load->diag, token->at, example,
                          "redirect takes https, or a status and a URL");
    if (read_status(reader, token, &route->status) < 0)
        return -1;
    if (!is_redirect(route->status))
        return conf_error(reader->load->diag, token->at, example,
                          "a redirect is 301, 302, 303, 307 or 308");
    return read_url(reader, route, example);
}

/* ---- in which manner ---- */

static int read_retry(struct reader *reader, struct route *route)
{
    static const struct conf_choice choices[] = {{.name = "idempotency-key", .value = 1}, {0}};
    static const struct conf_word word = {.name = "retry", .type = CONF_CHOICE, .choices = choices};
    const struct conf_token *token = reader_value(reader, "retry", "retry idempotency-key");
    int value = 0;
    if (!token || conf_value(reader->load, &word, token, &value) < 0)
        return -1;
    route->is_idempotent_by_key = value == 1;
    return 0;
}

static int read_priority(struct reader *reader, struct route *route)
{
    static const struct conf_choice choices[] = {{.name = "high", .value = ROUTE_PRIORITY_HIGH},
                                                 {.name = "normal", .value = ROUTE_PRIORITY_NORMAL},
                                                 {.name = "low", .value = ROUTE_PRIORITY_LOW},
                                                 {0}};
    static const struct conf_word word = {
        .name = "priority", .type = CONF_CHOICE, .choices = choices};
    const struct conf_token *token = reader_value(reader, "priority", "priority low");
    int value = 0;
    if (!token || conf_value(reader->load, &word, token, &value) < 0)
        return -1;
    route->priority = (uint8_t)value;
    return 0;
}

static int read_overflow(struct reader *reader, struct route *route)
{
    static const struct conf_word word = {.name = "overflow", .type = CONF_REF};
    const struct conf_token *token = reader_value(reader, "overflow", "overflow reports");
    route->has_queue = true;
    return token ? conf_value(reader->load, &word, token, &route->overflow_ref) : -1;
}

static int read_credentials(struct reader *reader, struct route *route)
{
    static const struct conf_choice choices[] = {{.name = "keep", .value = 1}, {0}};
    static const struct conf_word word = {
        .name = "credentials", .type = CONF_CHOICE, .choices = choices};
    struct conf_at at = reader->stmt->tokens[reader->next - 1].at;
    const struct conf_token *token = reader_value(reader, "credentials", "credentials keep");
    int value = 0;
    if (!token || conf_value(reader->load, &word, token, &value) < 0)
        return -1;
    if (!route->has_queue)
        return conf_error(reader->load->diag, at, "overflow reports credentials keep",
                          "\"credentials\" stands behind async or overflow: nothing is stored "
                          "without them");
    route->keeps_credentials = value == 1;
    return 0;
}

struct manner_row {
    const char *name;
    bool is_of_async; /* may follow the action async too */
    int (*read)(struct reader *reader, struct route *route);
};

/* In the order of manner_words. */
static const struct manner_row manner_rows[] = {
    {"retry", false, read_retry},
    {"priority", false, read_priority},
    {"async", false, read_async},
    {"overflow", false, read_overflow},
    {"credentials", true, read_credentials},
};

_Static_assert(ARRAY_LEN(manner_rows) + 1 == ARRAY_LEN(manner_words), "a row for each word");

static bool may_follow(const struct manner_row *row, const struct route *route)
{
    return route_is_to_pool(route) || (row->is_of_async && route->action == ROUTE_ASYNC);
}

/* What may stand behind a pool or a split, each once. */
static int read_manner(struct reader *reader, struct route *route, unsigned *seen)
{
    const struct conf_token *token = reader_peek(reader);
    for (size_t i = 0; i < ARRAY_LEN(manner_rows); i++) {
        const struct manner_row *row = &manner_rows[i];
        if (token->is_quoted || !slice_is(token->text, row->name))
            continue;
        if (!may_follow(row, route))
            return conf_error(reader->load->diag, token->at, NULL,
                              "\"%s\" says how a pool is asked, this route asks none", row->name);
        if (*seen & 1u << i)
            return conf_error(reader->load->diag, token->at, NULL, "\"%s\" stands here twice",
                              row->name);
        *seen |= 1u << i;
        reader->next++;
        return row->read(reader, route);
    }
    return conf_error(reader->load->diag, token->at, route_usage,
                      "nothing but retry, priority, async, overflow and credentials may follow "
                      "what the route does");
}

/* ---- the sentence ---- */

struct word_row {
    const char *name;
    unsigned bit; /* 0: an action */
    int (*read)(struct reader *reader, struct route *route);
};

static const struct word_row word_rows[] = {
    {"host", ROUTE_HOST, read_host},
    {"path", ROUTE_PATH, read_path},
    {"header", ROUTE_HEADER, read_header},
    {"from", ROUTE_FROM, read_from},
    {"pool", 0, read_pool},
    {"split", 0, read_split},
    {"async", 0, read_async_action},
    {"respond", 0, read_respond},
    {"redirect", 0, read_redirect},
};

static const struct word_row *word_row(struct slice text)
{
    for (size_t i = 0; i < ARRAY_LEN(word_rows); i++)
        if (slice_is(text, word_rows[i].name))
            return &word_rows[i];
    return NULL;
}

/* METHOD is the one word that has no name before it: capitals, and the first. */
static bool is_method(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') || text.ptr[i] == '-'))
            return false;
    return text.len > 0;
}

static int read_unknown(struct reader *reader, const struct conf_token *token)
{
    if (is_one_of(token, manner_words))
        return conf_error(reader->load->diag, token->at, "route pool web priority low",
                          "\"%.*s\" stands behind what the route does", SLICE_ARG(token->text));
    return conf_unknown(reader->load, token, route_words, "route");
}

/* One matcher or the action, `not` before it included. 1: it was the action. */
static int read_word(struct reader *reader, struct route *route)
{
    const struct conf_token *token = reader_peek(reader);
    bool is_not = !token->is_quoted && slice_is(token->text, "not");
    if (is_not) {
        reader->next++;
        token = reader_value(reader, "not", "not host www.example.org");
        if (!token)
            return -1;
        reader->next--;
    }
    const struct word_row *row = token->is_quoted ? NULL : word_row(token->text);
    if (!row)
        return read_unknown(reader, token);
    if (is_not && !row->bit)
        return conf_error(reader->load->diag, token->at, NULL,
                          "\"not\" turns a matcher round, \"%s\" is what to do", row->name);
    if (route->words & row->bit)
        return conf_error(reader->load->diag, token->at, "write a second route",
                          "a route names one %s", row->name);
    reader->next++;
    route->words |= row->bit;
    route->nots |= is_not ? row->bit : 0;
    if (row->read(reader, route) < 0)
        return -1;
    return row->bit ? 0 : 1;
}

static int read_route(struct reader *reader, struct route *route)
{
    const struct conf_token *first = reader_peek(reader);
    bool is_not = first && slice_is(first->text, "not") && reader->stmt->n_tokens > 2;
    const struct conf_token *method = is_not ? first + 1 : first;
    if (method && !method->is_quoted && is_method(method->text)) {
        route->words |= ROUTE_METHOD;
        route->nots |= is_not ? ROUTE_METHOD : 0;
        route->method = method->text;
        reader->next += is_not ? 2 : 1;
    }
    int rc = 0;
    while (rc == 0 && reader_peek(reader))
        rc = read_word(reader, route);
    if (rc < 0)
        return -1;
    if (rc == 0)
        return conf_error(reader->load->diag, reader_last_at(reader), route_usage,
                          "this route does not say what to do");
    unsigned seen = 0;
    while (reader_peek(reader))
        if (read_manner(reader, route, &seen) < 0)
            return -1;
    return 0;
}

int routes_parse(struct routes *routes, struct conf_load *load, const struct conf_stmt *stmt)
{
    if (stmt->has_block)
        return conf_error(load->diag, conf_stmt_at(stmt), route_usage, "a route has no block");
    if (routes->n_items == ROUTES_MAX)
        return conf_error(load->diag, conf_stmt_at(stmt), NULL, "more than %d routes", ROUTES_MAX);
    struct reader reader = {.load = load, .stmt = stmt, .next = 1};
    struct route route = {.stmt = stmt, .priority = ROUTE_PRIORITY_NORMAL};
    if (read_route(&reader, &route) < 0)
        return -1;
    struct text at = TEXT_NONE;
    route.at =
        arena_printf(load->arena, "%s", conf_at_format(load->files, conf_stmt_at(stmt), &at));
    text_deinit(&at);
    if (routes->n_items == routes->cap) {
        uint32_t cap = routes->cap ? routes->cap * 2 : 8;
        struct route *items = ARENA_NEW_ARRAY(load->arena, struct route, cap);
        if (routes->n_items)
            memcpy(items, routes->items, routes->n_items * sizeof(*items));
        routes->items = items;
        routes->cap = cap;
    }
    routes->items[routes->n_items++] = route;
    return 0;
}
