/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading, checking and matching of routes.
 */

#include "http/route.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

const char route_usage[] =
    "route [METHOD] [not] [host H] [path [=] P] [header N V] [from NET] "
    "pool NAME | respond CODE [\"text\"] | redirect https | redirect CODE URL";

static const char *const route_words[] = {"host", "path",    "header",   "from", "not",
                                          "pool", "respond", "redirect", NULL};

/* ---- reading ---- */

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
    {"respond", 0, read_respond},
    {"redirect", 0, read_redirect},
};

static const char *const planned_words[] = {"split", "async", "overflow", NULL};

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
    for (size_t i = 0; planned_words[i]; i++)
        if (slice_is(token->text, planned_words[i]))
            return conf_error(reader->load->diag, token->at, NULL,
                              "\"%s\" is not part of this weir yet", planned_words[i]);
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
    const struct conf_token *rest = reader_peek(reader);
    if (rest)
        return conf_error(reader->load->diag, rest->at, route_usage,
                          "nothing may follow what the route does");
    return 0;
}

int routes_parse(struct routes *routes, struct conf_load *load, const struct conf_stmt *stmt)
{
    if (stmt->has_block)
        return conf_error(load->diag, conf_stmt_at(stmt), route_usage, "a route has no block");
    if (routes->n_items == ROUTES_MAX)
        return conf_error(load->diag, conf_stmt_at(stmt), NULL, "more than %d routes", ROUTES_MAX);
    struct reader reader = {.load = load, .stmt = stmt, .next = 1};
    struct route route = {.stmt = stmt};
    if (read_route(&reader, &route) < 0)
        return -1;
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

/* ---- matching ---- */

static bool host_matches(const struct route *route, struct slice host)
{
    if (!route->is_host_below)
        return slice_equal_nocase(host, route->host);
    if (host.len <= route->host.len + 1)
        return false;
    size_t cut = host.len - route->host.len;
    return host.ptr[cut - 1] == '.' && slice_equal_nocase(slice_skip(host, cut), route->host);
}

static bool path_is_below(struct slice path, struct slice above)
{
    if (above.len == 1)
        return true;
    return slice_starts(path, above) && (path.len == above.len || path.ptr[above.len] == '/');
}

static bool path_matches(const struct route *route, struct slice path)
{
    if (path.len == 0)
        path = SLICE("/");
    return route->is_path_exact ? slice_equal(path, route->path) : path_is_below(path, route->path);
}

static bool header_matches(const struct route *route, const struct h1_head *head, const char *buf)
{
    for (uint32_t i = 0; i < head->n_fields; i++)
        if (slice_equal_nocase(h1_field_name(buf, &head->fields[i]), route->header_name) &&
            slice_equal(h1_field_value(buf, &head->fields[i]), route->header_value))
            return true;
    return false;
}

/* Is `word` named by the route, and does its test fail? */
static bool fails(const struct route *route, unsigned word, bool is_match)
{
    return is_match == ((route->nots & word) != 0);
}

bool route_matches(const struct route *route, const struct h1_head *head, const char *buf,
                   const struct addr *peer)
{
    unsigned words = route->words;
    if ((words & ROUTE_METHOD) &&
        fails(route, ROUTE_METHOD, slice_equal(h1_slice(buf, head->method_text), route->method)))
        return false;
    if ((words & ROUTE_HOST) &&
        fails(route, ROUTE_HOST, host_matches(route, h1_slice(buf, head->host))))
        return false;
    if ((words & ROUTE_PATH) &&
        fails(route, ROUTE_PATH, path_matches(route, h1_slice(buf, head->path))))
        return false;
    if ((words & ROUTE_HEADER) && fails(route, ROUTE_HEADER, header_matches(route, head, buf)))
        return false;
    if ((words & ROUTE_FROM) && fails(route, ROUTE_FROM, addr_net_has(&route->from, peer)))
        return false;
    return true;
}

const struct route *routes_match(const struct routes *routes, const struct h1_head *head,
                                 const char *buf, const struct addr *peer)
{
    for (uint32_t i = 0; i < routes->n_items; i++)
        if (route_matches(&routes->items[i], head, buf, peer))
            return &routes->items[i];
    return NULL;
}

/* ---- checking ---- */

/* Does every request that matches `later` in this word match `earlier` in it? Neither is turned
 * round. */
static bool word_covers(unsigned word, const struct route *earlier, const struct route *later)
{
    switch (word) {
    case ROUTE_METHOD:
        return slice_equal(earlier->method, later->method);
    case ROUTE_HOST:
        if (earlier->is_host_below == later->is_host_below &&
            slice_equal_nocase(earlier->host, later->host))
            return true;
        return earlier->is_host_below && host_matches(earlier, later->host);
    case ROUTE_PATH:
        if (earlier->is_path_exact)
            return later->is_path_exact && slice_equal(earlier->path, later->path);
        return path_is_below(later->path, earlier->path);
    case ROUTE_HEADER:
        return slice_equal_nocase(earlier->header_name, later->header_name) &&
               slice_equal(earlier->header_value, later->header_value);
    default:
        return earlier->from.n_bits <= later->from.n_bits &&
               addr_net_has(&earlier->from, &later->from.base);
    }
}

static bool route_covers(const struct route *earlier, const struct route *later)
{
    for (unsigned word = ROUTE_METHOD; word <= ROUTE_FROM; word <<= 1) {
        if (!(earlier->words & word))
            continue;
        if (!(later->words & word) || (earlier->nots & word) != (later->nots & word))
            return false;
        /* Turned round, the wider one matches less: not (all below /a) lies within not /a/b. */
        bool is_covered = (earlier->nots & word) ? word_covers(word, later, earlier)
                                                 : word_covers(word, earlier, later);
        if (!is_covered)
            return false;
    }
    return true;
}

static int check_reachable(const struct routes *routes, uint32_t index, struct conf_load *load)
{
    const struct route *later = &routes->items[index];
    for (uint32_t i = 0; i < index; i++) {
        if (!route_covers(&routes->items[i], later))
            continue;
        struct conf_at at = conf_stmt_at(routes->items[i].stmt);
        return conf_error(
            load->diag, conf_stmt_at(later->stmt), "put the special route before the general one",
            "no request reaches this route: line %u takes all that it matches", at.line);
    }
    return 0;
}

int routes_check(struct routes *routes, const struct snapshot *snap, struct conf_load *load)
{
    int rc = 0;
    for (uint32_t i = 0; i < routes->n_items; i++) {
        struct route *route = &routes->items[i];
        if (route->action == ROUTE_POOL) {
            route->pool = pool_resolve(snap, &route->pool_ref, load);
            if (!route->pool)
                rc = -1;
        }
        if (check_reachable(routes, i, load) < 0)
            rc = -1;
    }
    return rc;
}
