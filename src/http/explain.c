/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What becomes of a described request: its bytes, the routes one after the other, the members.
 */

#include "http/explain.h"

#include "base/mem.h"
#include "http/answer.h"
#include "http/async.h"
#include "pool/pool.h"
#include <inttypes.h>
#include <stdio.h>

/* ---- the request ---- */

/* "METHOD URL" or "URL". */
static struct slice cut_method(struct slice *text)
{
    *text = slice_trim(*text);
    size_t space = slice_find(*text, ' ');
    if (space == text->len)
        return SLICE("GET");
    struct slice method = slice_make(text->ptr, space);
    *text = slice_trim(slice_skip(*text, space));
    return method;
}

static int cut_scheme(struct explain_request *request, struct slice *url, struct err *err)
{
    if (slice_starts(*url, SLICE("https://"))) {
        request->is_https = true;
        *url = slice_skip(*url, 8);
        return 0;
    }
    if (slice_starts(*url, SLICE("http://"))) {
        *url = slice_skip(*url, 7);
        return 0;
    }
    return err_set(err, "\"%.*s\" is no URL: write 'GET https://www.example.org/path'",
                   SLICE_ARG(*url));
}

/* Cuts host and port off; what stays is the path and the query, or nothing. */
static struct slice cut_authority(struct slice *url)
{
    size_t end = 0;
    while (end < url->len && url->ptr[end] != '/' && url->ptr[end] != '?')
        end++;
    struct slice authority = slice_make(url->ptr, end);
    *url = slice_skip(*url, end);
    return authority;
}

static void write_request(struct text *bytes, struct slice method, struct slice authority,
                          struct slice target, const struct explain_ask *ask)
{
    text_printf(bytes, "%.*s %s%.*s HTTP/1.1\r\nHost: %.*s\r\n", SLICE_ARG(method),
                target.len > 0 && target.ptr[0] == '/' ? "" : "/", SLICE_ARG(target),
                SLICE_ARG(authority));
    for (size_t i = 0; i < ask->n_fields; i++) {
        text_append(bytes, ask->fields[i]);
        text_append(bytes, SLICE("\r\n"));
    }
    text_append(bytes, SLICE("\r\n"));
}

static int parse_request(struct explain_request *request, struct err *err)
{
    struct slice bytes = text_slice(&request->bytes);
    enum h1_error error = H1_OK;
    h1_head_reset(&request->head);
    ssize_t used =
        h1_parse_request(bytes.ptr, bytes.len, &h1_limits_default, &request->head, &error);
    if (used > 0)
        error = h1_check_request(&request->head);
    if (used == 0 || (used > 0 && (size_t)used < bytes.len))
        return err_set(err, "a header field is one line: write 'X-Canary: yes'");
    if (error == H1_OK)
        return 0;
    const struct h1_error_row *row = h1_error_row(error);
    return err_set(err, "weir answers %u: %s", row->status, row->sentence);
}

int explain_request_init(struct explain_request *request, const struct explain_ask *ask,
                         struct err *err)
{
    *request = (struct explain_request){.from = ask->from};
    struct slice url = ask->text;
    struct slice method = cut_method(&url);
    if (cut_scheme(request, &url, err) < 0)
        return -1;
    struct slice authority = cut_authority(&url);
    uint32_t host_len;
    if (h1_parse_authority(authority, &host_len, &request->port) < 0)
        return err_set(err, "\"%.*s\" is not a host", SLICE_ARG(authority));
    write_request(&request->bytes, method, authority, url, ask);
    return parse_request(request, err);
}

void explain_request_deinit(struct explain_request *request)
{
    text_deinit(&request->bytes);
}

/* ---- routes ---- */

static const struct {
    enum route_word word;
    const char *name;
} word_names[] = {{ROUTE_METHOD, "method"},
                  {ROUTE_HOST, "host"},
                  {ROUTE_PATH, "path"},
                  {ROUTE_HEADER, "header"},
                  {ROUTE_FROM, "from"}};

static const char *word_name(unsigned word)
{
    for (size_t i = 0; i < ARRAY_LEN(word_names); i++)
        if ((unsigned)word_names[i].word == word)
            return word_names[i].name;
    return "?";
}

static const char *header_value(const struct explain_request *request, struct slice name,
                                struct text *out)
{
    const struct h1_head *head = &request->head;
    for (uint32_t i = 0; i < head->n_fields; i++)
        if (slice_equal_nocase(h1_field_name(request->bytes.ptr, &head->fields[i]), name))
            text_printf(out, "%s\"%.*s\"", out->len ? ", " : "",
                        SLICE_ARG(h1_field_value(request->bytes.ptr, &head->fields[i])));
    return out->len ? text_cstr(out) : NULL;
}

static void header_why(const struct route *route, const struct explain_request *request,
                       struct text *out)
{
    struct text value = TEXT_NONE;
    if (header_value(request, route->header_name, &value))
        text_printf(out, "%.*s is %s", SLICE_ARG(route->header_name), text_cstr(&value));
    else
        text_printf(out, "there is no %.*s", SLICE_ARG(route->header_name));
    text_deinit(&value);
}

/* What the request has in the place of the word that it fails. */
static void why_not(const struct route *route, unsigned word, const struct explain_request *request,
                    struct text *out)
{
    const struct h1_head *head = &request->head;
    const char *buf = request->bytes.ptr;
    char ip[ADDR_TEXT_MAX];
    switch ((enum route_word)word) {
    case ROUTE_METHOD:
        text_printf(out, "the method is %.*s", SLICE_ARG(h1_slice(buf, head->method_text)));
        break;
    case ROUTE_HOST:
        text_printf(out, "the host is %.*s", SLICE_ARG(h1_slice(buf, head->host)));
        break;
    case ROUTE_PATH:
        text_printf(out, "the path is %.*s", SLICE_ARG(h1_slice(buf, head->path)));
        break;
    case ROUTE_HEADER:
        header_why(route, request, out);
        break;
    case ROUTE_FROM:
        if (request->from.len)
            text_printf(out, "the client is %s", addr_format_ip(&request->from, ip));
        else
            text_printf(out, "the client's address was not said: add `from ADDRESS`");
        break;
    }
}

/* The sentence as it stands in the file, without its first word. */
static void route_sentence(const struct route *route, struct text *out)
{
    for (size_t i = 1; i < route->stmt->n_tokens; i++) {
        const struct conf_token *token = &route->stmt->tokens[i];
        if (i > 1)
            text_append_char(out, ' ');
        if (token->is_quoted)
            json_escape(out, token->text);
        else
            text_append(out, token->text);
    }
}

static void json_text(struct json *json, const char *key, struct text *text)
{
    json_key(json, key);
    json_slice(json, text_slice(text));
    text_deinit(text);
}

static void explain_route(const struct route *route, unsigned failing,
                          const struct explain_request *request, struct json *json)
{
    struct text sentence = TEXT_NONE;
    route_sentence(route, &sentence);
    json_object_begin(json);
    json_key(json, "at");
    json_cstr(json, route->at);
    json_text(json, "route", &sentence);
    json_key(json, "matches");
    json_bool(json, !failing);
    if (failing) {
        struct text why = TEXT_NONE;
        json_key(json, "word");
        json_cstr(json, word_name(failing));
        why_not(route, failing, request, &why);
        json_text(json, "why", &why);
    }
    json_object_end(json);
}

/* ---- pools ---- */

/* Why a member takes requests now, or why not. */
static const char *member_why(const struct member_view *view, const struct fact *fact,
                              bool has_fact)
{
    if (view->addr.len == 0)
        return "its name has not been resolved";
    if (!has_fact)
        return "not judged yet";
    return fact->reason;
}

static void explain_member(const struct member *member, const struct board *board,
                           struct json *json)
{
    struct member_view view;
    struct fact fact = {.state = FACT_NONE};
    char addr[ADDR_TEXT_MAX];
    member_view_init(&view, member, board);
    bool has_fact = view.state_ref.is_set && board_read(board, view.state_ref, &fact);
    json_object_begin(json);
    json_key(json, "member");
    json_slice(json, member->name);
    json_key(json, "address");
    json_cstr(json, view.addr.len ? addr_format(&view.addr, addr) : NULL);
    json_key(json, "may");
    json_bool(json, member_is_usable(&view, board));
    json_key(json, "state");
    json_cstr(json, fact_state_name(has_fact ? fact.state : FACT_UNKNOWN));
    json_key(json, "weight");
    json_int(json, has_fact ? (int64_t)fact.value : member->weight);
    json_key(json, "why");
    json_cstr(json, member_why(&view, &fact, has_fact));
    json_object_end(json);
}

static const char *const methods[] = {
    [POOL_ROUND_ROBIN] = "round-robin",
    [POOL_LEAST_LOAD] = "least-load",
    [POOL_LATENCY] = "latency",
    [POOL_RANDOM] = "random",
    [POOL_FIRST] = "first",
    [POOL_HASH] = "hash",
};

/* share < 0: the pool is not one of a split. */
static void explain_pool(const struct pool *pool, int64_t share, const struct board *board,
                         struct json *json)
{
    struct fact fact;
    bool has_fact = board_read(board, board_find(board, pool->fact), &fact);
    json_object_begin(json);
    json_key(json, "pool");
    json_slice(json, pool->name);
    if (share >= 0) {
        json_key(json, "share");
        json_int(json, share);
    }
    json_key(json, "balance");
    json_cstr(json, methods[pool->balance.method]);
    json_key(json, "state");
    json_cstr(json, fact_state_name(has_fact ? fact.state : FACT_UNKNOWN));
    json_key(json, "reason");
    json_cstr(json, has_fact ? fact.reason : "not judged yet");
    json_key(json, "members");
    json_array_begin(json);
    for (uint32_t i = 0; i < pool->n_members; i++)
        explain_member(pool->members[i], board, json);
    json_array_end(json);
    json_object_end(json);
}

/* ---- what follows ---- */

/* Does the request carry what its session is known by? Only who has the secret can tell whether a
 * cookie is to be believed, and this is answered where the secret is not. */
static bool has_session(const struct sticky_conf *conf, const struct explain_request *request)
{
    struct hash_key any = {0, 0};
    enum pick_key_kind kinds[] = {[STICKY_COOKIE] = PICK_KEY_COOKIE,
                                  [STICKY_SOURCE] = PICK_KEY_SOURCE,
                                  [STICKY_HEADER] = PICK_KEY_HEADER};
    uint64_t key;
    return pick_key(kinds[conf->kind], conf->name, &any, &request->head, request->bytes.ptr,
                    &request->from, &key);
}

static void explain_sticky(const struct sticky_conf *conf, const struct explain_request *request,
                           struct json *json)
{
    static const char *const kinds[] = {
        [STICKY_COOKIE] = "cookie", [STICKY_SOURCE] = "source", [STICKY_HEADER] = "header"};
    json_key(json, "sticky");
    json_object_begin(json);
    json_key(json, "by");
    json_cstr(json, kinds[conf->kind]);
    if (conf->name.len > 0) {
        json_key(json, "name");
        json_slice(json, conf->name);
    }
    json_key(json, "carried");
    json_bool(json, has_session(conf, request));
    json_object_end(json);
}

static void explain_pools(const struct route *route, const struct board *board,
                          const struct explain_request *request, struct json *json)
{
    static const char *const priorities[] = {"high", "normal", "low"};
    json_key(json, "priority");
    json_cstr(json, priorities[route->priority]);
    json_key(json, "repeatable");
    json_bool(json, route_is_repeatable(route, &request->head));
    json_key(json, "pools");
    json_array_begin(json);
    if (route->action == ROUTE_POOL)
        explain_pool(route->pool, -1, board, json);
    for (uint32_t i = 0; i < route->n_shares; i++)
        explain_pool(route->shares[i].pool, route->shares[i].percent, board, json);
    json_array_end(json);
}

static void explain_answer(uint16_t status, struct json *json)
{
    json_key(json, "status");
    json_int(json, status);
}

static void explain_redirect(const struct route *route, const struct explain_request *request,
                             struct json *json)
{
    struct text location = TEXT_NONE;
    route_location(route, &request->head, request->bytes.ptr, &location);
    explain_answer(route_status(route, &request->head), json);
    json_text(json, "location", &location);
}

/* Which queue gets it, now or where there is no room: nothing for a route without one. */
static void explain_queues(const struct http_conf *conf, const struct route *route,
                           const struct explain_request *request, struct json *json)
{
    const struct h1_head *head = &request->head;
    enum async_mode mode = async_mode_of(route, head, request->bytes.ptr);
    if (!route->has_queue || mode == ASYNC_JOB)
        return;
    json_key(json, "async");
    json_cstr(json, async_mode_name(mode));
    if (route->async_ref.name.len > 0) {
        json_key(json, "queue");
        json_slice(json, route->async_ref.name);
    }
    if (mode == ASYNC_NONE && async_may_overflow(route, head)) {
        json_key(json, "overflow");
        json_slice(json, route->overflow_ref.name);
    }
    json_key(json, "credentials");
    json_cstr(json, route->keeps_credentials ? "keep" : "drop");
    json_key(json, "jobs_path");
    json_slice(json, conf->jobs_path);
}

/* Done later, or a WebSocket, which cannot be. */
static void explain_async(const struct route *route, const struct explain_request *request,
                          struct json *json)
{
    if (route == &async_job_route)
        return;
    bool is_stray = request->head.is_websocket;
    explain_answer(is_stray ? http_reason_row(HTTP_ASYNC_UPGRADE)->status : 202, json);
}

static void explain_action(const struct route *route, const struct board *board,
                           const struct explain_request *request, struct json *json)
{
    static const char *const actions[] = {[ROUTE_POOL] = "pool",
                                          [ROUTE_SPLIT] = "split",
                                          [ROUTE_ASYNC] = "async",
                                          [ROUTE_RESPOND] = "respond",
                                          [ROUTE_REDIRECT_HTTPS] = "redirect",
                                          [ROUTE_REDIRECT] = "redirect"};
    json_key(json, "action");
    json_cstr(json, route == &async_job_route ? "job" : route ? actions[route->action] : "none");
    if (!route)
        explain_answer(http_reason_row(HTTP_NO_ROUTE)->status, json);
    else if (route_is_to_pool(route))
        explain_pools(route, board, request, json);
    else if (route->action == ROUTE_ASYNC)
        explain_async(route, request, json);
    else if (route->action == ROUTE_RESPOND)
        explain_answer(route_status(route, &request->head), json);
    else
        explain_redirect(route, request, json);
}

void http_explain(const struct http_conf *conf, const struct board *board,
                  const struct explain_request *request, struct json *json)
{
    const struct routes *routes = &conf->routes;
    const struct route *taken = NULL;
    json_key(json, "routes");
    json_array_begin(json);
    if (conf->has_queues && async_is_job(conf->jobs_path, &request->head, request->bytes.ptr))
        taken = &async_job_route;
    for (uint32_t i = 0; i < routes->n_items && !taken; i++) {
        const struct route *route = &routes->items[i];
        unsigned failing = route_failing(route, &request->head, request->bytes.ptr, &request->from);
        explain_route(route, failing, request, json);
        if (!failing)
            taken = route;
    }
    json_array_end(json);
    explain_action(taken, board, request, json);
    if (taken)
        explain_queues(conf, taken, request, json);
    if (conf->sticky && taken && route_is_to_pool(taken))
        explain_sticky(conf->sticky, request, json);
}
