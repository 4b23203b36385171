/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests by method and path: who may ask, what is asked, of which job, queue or lease.
 */

#include "queue/api.h"

#include <inttypes.h>
#include <string.h>

/* docs/formats/jobs-api.openapi.json describes each row; a test holds the one against the other. */
static const struct api_route routes[] = {
    {H1_METHOD_POST, "/v1/queues/{queue}/jobs", API_PUT, API_JOB_BODY, api_put},
    {H1_METHOD_GET, "/v1/queues/{queue}/jobs", API_LOOK, API_NO_BODY, api_list},
    {H1_METHOD_POST, "/v1/queues/{queue}/batch", API_PUT, API_BATCH_BODY, api_batch},
    {H1_METHOD_GET, "/v1/queues", API_LOOK, API_NO_BODY, api_queues},
    {H1_METHOD_GET, "/v1/queues/{queue}", API_LOOK, API_NO_BODY, api_queue},
    {H1_METHOD_POST, "/v1/queues/{queue}/kick", API_CHANGE, API_NO_BODY, api_kick},
    {H1_METHOD_POST, "/v1/queues/{queue}/pause", API_CHANGE, API_NO_BODY, api_pause},
    {H1_METHOD_POST, "/v1/queues/{queue}/unpause", API_CHANGE, API_NO_BODY, api_unpause},
    {H1_METHOD_POST, "/v1/reserve", API_RESERVE, API_NO_BODY, api_reserve},
    {H1_METHOD_GET, "/v1/jobs/{id}", API_LOOK, API_NO_BODY, api_job},
    {H1_METHOD_DELETE, "/v1/jobs/{id}", API_CHANGE, API_NO_BODY, api_delete},
    {H1_METHOD_GET, "/v1/jobs/{id}/body", API_LOOK, API_NO_BODY, api_job_body},
    {H1_METHOD_GET, "/v1/jobs/{id}/result", API_LOOK, API_NO_BODY, api_result},
    {H1_METHOD_POST, "/v1/jobs/{id}/kick", API_CHANGE, API_NO_BODY, api_kick_job},
    {H1_METHOD_POST, "/v1/jobs/{id}/bury", API_CHANGE, API_NO_BODY, api_bury_job},
    {H1_METHOD_POST, "/v1/leases/{lease}/touch", API_LEASE, API_NO_BODY, api_touch},
    {H1_METHOD_POST, "/v1/leases/{lease}/progress", API_LEASE, API_NO_BODY, api_progress},
    {H1_METHOD_POST, "/v1/leases/{lease}/finish", API_LEASE, API_JOB_BODY, api_finish},
    {H1_METHOD_POST, "/v1/leases/{lease}/release", API_LEASE, API_NO_BODY, api_release_lease},
    {H1_METHOD_POST, "/v1/leases/{lease}/fail", API_LEASE, API_NO_BODY, api_fail_lease},
    {H1_METHOD_POST, "/v1/leases/{lease}/bury", API_LEASE, API_NO_BODY, api_bury_lease},
    {0},
};

/* ---- which row ------------------------------------------------------------------------------- */

/* Does the path fit? *ret_part is what stands in place of the braces. */
static bool fits(const char *pattern, struct slice path, struct slice *ret_part)
{
    struct slice left = slice_from(pattern), right = path;
    while (left.ptr && right.ptr) {
        struct slice wanted = slice_cut(&left, '/'), is = slice_cut(&right, '/');
        if (wanted.len > 0 && wanted.ptr[0] == '{' && is.len > 0)
            *ret_part = is;
        else if (!slice_equal(wanted, is))
            return false;
    }
    return !left.ptr && !right.ptr;
}

static enum h1_method method_of(const struct web_exchange *exchange)
{
    return exchange->method == H1_METHOD_HEAD ? H1_METHOD_GET : exchange->method;
}

/* The row, or NULL; *ret_other is one with the path and another method, or NULL. */
static const struct api_route *find(const struct web_exchange *exchange, struct slice *ret_part,
                                    const struct api_route **ret_other)
{
    *ret_other = NULL;
    for (const struct api_route *route = routes; route->path; route++) {
        if (!fits(route->path, exchange->path, ret_part))
            continue;
        if (route->method == method_of(exchange))
            return route;
        *ret_other = route;
    }
    return NULL;
}

/* ---- who may --------------------------------------------------------------------------------- */

/* RFC 6750 section 2.1. */
static bool has_token(const struct api_ask *ask)
{
    const char *blob = ask->listener->conf->token_blob;
    const struct web_exchange *exchange = ask->exchange;
    const struct h1_field *field = h1_find(exchange->head, H1_FIELD_AUTHORIZATION);
    if (!blob)
        return true;
    struct slice given = field ? h1_field_value(exchange->head_bytes, field) : SLICE("");
    struct slice token = queue_token(process_blob(ask->hall->process, blob));
    struct slice scheme = slice_cut(&given, ' ');
    return token.len > 0 && given.ptr && slice_equal_nocase(scheme, SLICE("bearer")) &&
           slice_equal_secret(token, slice_trim(given));
}

/*
 * A page in somebody's browser may send requests to addresses that only this machine reaches. Where
 * no token is asked for, what a browser sends for a page (which names its origin) is refused.
 */
static bool is_of_page(const struct api_ask *ask)
{
    return !ask->listener->conf->token_blob &&
           h1_find_name(ask->exchange->head, ask->exchange->head_bytes, SLICE("origin"));
}

static size_t body_max(const struct jobs_conf *conf, const struct api_route *route)
{
    if (route->body == API_BATCH_BODY)
        return (size_t)conf->limits.batch_bytes;
    return route->body == API_JOB_BODY ? (size_t)conf->limits.job_bytes : 0;
}

/* False: it was refused. */
static bool check_size(struct api_ask *ask, const struct api_route *route, uint64_t n_bytes)
{
    size_t max = body_max(ask->listener->conf, route);
    if (n_bytes <= max)
        return true;
    api_refuse(ask, 413, "a body of %" PRIu64 " bytes; %zu are taken here", n_bytes, max);
    return false;
}

/* All methods that the path has (RFC 9110 section 10.2.1). */
static void refuse_method(struct api_ask *ask)
{
    struct text allow = TEXT_NONE;
    struct slice part;
    for (const struct api_route *route = routes; route->path; route++) {
        if (!fits(route->path, ask->exchange->path, &part))
            continue;
        text_printf(&allow, "%s%.*s", allow.len > 0 ? ", " : "",
                    SLICE_ARG(h1_method_text(route->method)));
        if (route->method == H1_METHOD_GET)
            text_append(&allow, SLICE(", HEAD"));
    }
    text_printf(&ask->lines, "Allow: %s\r\n", text_cstr(&allow));
    api_refuse(ask, 405, "%.*s is asked by %s", SLICE_ARG(ask->exchange->path), text_cstr(&allow));
    text_deinit(&allow);
}

static void refuse_route(struct api_ask *ask, const struct api_route *other)
{
    if (other)
        refuse_method(ask);
    else
        api_refuse(ask, 404, "there is nothing at %.*s; the job API begins at /v1/queues",
                   SLICE_ARG(ask->exchange->path));
}

bool api_may_ask(struct web_exchange *exchange, void *ctx)
{
    struct api_ask ask;
    struct slice part;
    const struct api_route *other, *route;
    bool may = false;
    api_ask_init(&ask, ctx, exchange);
    if (!has_token(&ask))
        api_refuse(&ask, 401, "%s: Authorization: Bearer TOKEN",
                   h1_find(exchange->head, H1_FIELD_AUTHORIZATION)
                       ? "that is not the token of this address"
                       : "this needs the token");
    else if (is_of_page(&ask))
        api_refuse(&ask, 403, "pages of browsers may ask only where a token is asked for");
    else if (!(route = find(exchange, &part, &other)))
        refuse_route(&ask, other);
    else
        may = exchange->head->body != H1_BODY_LENGTH ||
              check_size(&ask, route, exchange->head->length);
    api_ask_deinit(&ask);
    return may;
}

/* ---- of what --------------------------------------------------------------------------------- */

static int take_queue(struct api_ask *ask, struct slice part)
{
    if (api_decode(part, false, &ask->room) == 0 && jobproto_is_tube(text_slice(&ask->room))) {
        ask->name = text_slice(&ask->room);
        ask->tube = model_tube(ask->engine->model, ask->name);
        return 0;
    }
    api_refuse(ask, 404, "no queue can have that name");
    return -1;
}

static int take_id(struct api_ask *ask, struct slice part)
{
    if (slice_to_u64(part, &ask->id) == 0)
        return 0;
    api_refuse(ask, 404, "no job can have that id");
    return -1;
}

/* 0; -1: it was refused. */
static int take_part(struct api_ask *ask, struct slice part)
{
    if (strstr(ask->route->path, "{queue}"))
        return take_queue(ask, part);
    if (strstr(ask->route->path, "{id}"))
        return take_id(ask, part);
    ask->name = part;
    return 0;
}

void api_dispatch(struct jobs_listener *listener, struct web_exchange *exchange)
{
    struct api_ask ask;
    struct slice part = SLICE("");
    const struct api_route *other;
    api_ask_init(&ask, listener, exchange);
    ask.route = find(exchange, &part, &other);
    if (!ask.route)
        refuse_route(&ask, other);
    else if (check_size(&ask, ask.route, exchange->body.len) && take_part(&ask, part) == 0)
        ask.route->handle(&ask);
    api_ask_deinit(&ask);
}

static void handle(struct web_exchange *exchange, void *ctx)
{
    struct jobs_listener *listener = ctx;
    struct slice part;
    const struct api_route *other, *route = find(exchange, &part, &other);
    if (route)
        metric_add(listener->row, JOBS_HTTP_PUT + route->sort, 1);
    api_dispatch(listener, exchange);
}

/* api_may_ask() has judged the path already. */
const struct web_route api_web_routes[] = {
    {H1_METHOD_GET, "/*", handle},
    {H1_METHOD_POST, "/*", handle},
    {H1_METHOD_DELETE, "/*", handle},
    {0},
};
