/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Routes that have been read: which one a request gets, what follows from it, and whether every
 * one of them can be reached.
 */

#include "http/route.h"

#include <assert.h>

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

unsigned route_failing(const struct route *route, const struct h1_head *head, const char *buf,
                       const struct addr *peer)
{
    unsigned words = route->words;
    if ((words & ROUTE_METHOD) &&
        fails(route, ROUTE_METHOD, slice_equal(h1_slice(buf, head->method_text), route->method)))
        return ROUTE_METHOD;
    if ((words & ROUTE_HOST) &&
        fails(route, ROUTE_HOST, host_matches(route, h1_slice(buf, head->host))))
        return ROUTE_HOST;
    if ((words & ROUTE_PATH) &&
        fails(route, ROUTE_PATH, path_matches(route, h1_slice(buf, head->path))))
        return ROUTE_PATH;
    if ((words & ROUTE_HEADER) && fails(route, ROUTE_HEADER, header_matches(route, head, buf)))
        return ROUTE_HEADER;
    if ((words & ROUTE_FROM) &&
        (peer->len == 0 || fails(route, ROUTE_FROM, addr_net_has(&route->from, peer))))
        return ROUTE_FROM;
    return 0;
}

const struct route *routes_match(const struct routes *routes, const struct h1_head *head,
                                 const char *buf, const struct addr *peer)
{
    for (uint32_t i = 0; i < routes->n_items; i++)
        if (!route_failing(&routes->items[i], head, buf, peer))
            return &routes->items[i];
    return NULL;
}

/* ---- what follows ---- */

bool route_is_to_pool(const struct route *route)
{
    return route->action == ROUTE_POOL || route->action == ROUTE_SPLIT;
}

uint32_t route_n_pools(const struct route *route)
{
    return route->action == ROUTE_SPLIT ? route->n_shares : 1;
}

struct pool *route_pool(const struct route *route, uint32_t i)
{
    return route->action == ROUTE_SPLIT ? route->shares[i].pool : route->pool;
}

struct pool *route_choose(const struct route *route, uint32_t draw)
{
    assert(route_is_to_pool(route));
    if (route->action == ROUTE_POOL)
        return route->pool;
    int64_t place = (int64_t)((uint64_t)draw * 100 >> 32);
    uint32_t i = 0;
    while (place >= route->shares[i].percent)
        place -= route->shares[i++].percent;
    return route->shares[i].pool;
}

bool route_is_repeatable(const struct route *route, const struct h1_head *head)
{
    if (h1_method_is_idempotent((enum h1_method)head->method))
        return true;
    for (uint32_t i = 0; route->is_idempotent_by_key && i < head->n_fields; i++)
        if (head->fields[i].id == H1_FIELD_IDEMPOTENCY_KEY && head->fields[i].value_len > 0)
            return true;
    return false;
}

uint16_t route_status(const struct route *route, const struct h1_head *head)
{
    if (route->action != ROUTE_REDIRECT_HTTPS)
        return (uint16_t)route->status;
    bool is_get = head->method == H1_METHOD_GET || head->method == H1_METHOD_HEAD;
    return is_get ? 301 : 308;
}

void route_location(const struct route *route, const struct h1_head *head, const char *buf,
                    struct text *out)
{
    if (route->action == ROUTE_REDIRECT) {
        text_append(out, route->text);
        return;
    }
    struct slice path = h1_slice(buf, head->path);
    text_printf(out, "https://%.*s", SLICE_ARG(h1_slice(buf, head->host)));
    text_append(out, path.len ? path : SLICE("/"));
    if (head->is_query) {
        text_append_char(out, '?');
        text_append(out, h1_slice(buf, head->query));
    }
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

static struct pool *resolve(const struct snapshot *snap, const struct conf_ref *ref,
                            struct conf_load *load)
{
    struct pool *pool = pool_resolve(snap, ref, load);
    if (pool)
        pool->is_routed = true;
    return pool;
}

static int check_pools(struct route *route, const struct snapshot *snap, struct conf_load *load)
{
    int rc = 0;
    if (route->action == ROUTE_POOL) {
        route->pool = resolve(snap, &route->pool_ref, load);
        rc = route->pool ? 0 : -1;
    }
    for (uint32_t i = 0; i < route->n_shares; i++) {
        route->shares[i].pool = resolve(snap, &route->shares[i].pool_ref, load);
        if (!route->shares[i].pool)
            rc = -1;
    }
    return rc;
}

int routes_check(struct routes *routes, const struct snapshot *snap, struct conf_load *load)
{
    int rc = 0;
    for (uint32_t i = 0; i < routes->n_items; i++) {
        if (check_pools(&routes->items[i], snap, load) < 0)
            rc = -1;
        if (check_reachable(routes, i, load) < 0)
            rc = -1;
    }
    return rc;
}
