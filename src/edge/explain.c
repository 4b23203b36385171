/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `weir explain`: which listens a described request may come in by, and what each
 * of them does with it.
 */

#include "edge/internal.h"

#include "http/explain.h"

/* Without a port in its URL a request may come in by any listen that speaks its scheme: what a
 * listen's port is to clients, with a router in front of it, weir cannot know. */
static bool may_come_in(const struct listen_conf *listen, const struct explain_request *request,
                        const struct explain_ask *ask)
{
    if (ask->listen.len > 0 && !slice_equal(ask->listen, listen->name))
        return false;
    if (request->port && request->port != addr_port(&listen->addr.addr))
        return false;
    return listen->kind == (request->is_https ? LISTEN_HTTPS : LISTEN_HTTP);
}

static void explain_listen(const struct listen_conf *listen, const struct board *board,
                           const struct explain_request *request, struct json *json)
{
    json_object_begin(json);
    json_key(json, "listen");
    json_slice(json, listen->name);
    json_key(json, "address");
    json_slice(json, listen->addr.text);
    http_explain(&listen->http, board, request, json);
    json_object_end(json);
}

static int nobody_listens(const struct explain_request *request, const struct explain_ask *ask,
                          struct err *err)
{
    const char *kind = request->is_https ? "https" : "http";
    if (ask->listen.len > 0)
        return err_set(err, "there is no %s listen \"%.*s\" for such a request", kind,
                       SLICE_ARG(ask->listen));
    if (request->port)
        return err_set(err, "no listen takes %s at port %u", kind, request->port);
    return err_set(err, "no listen takes %s", kind);
}

int edge_explain(const struct snapshot *snap, const struct board *board,
                 const struct explain_ask *ask, struct json *json, struct err *err)
{
    const struct edge_conf *conf = edge_conf_of(snap);
    struct explain_request request;
    int result = explain_request_init(&request, ask, err);
    size_t n_taken = 0;
    for (size_t i = 0; result == 0 && i < conf->listen_list.n_items; i++) {
        const struct listen_conf *listen = conf->listen_list.items[i];
        if (!may_come_in(listen, &request, ask))
            continue;
        if (n_taken++ == 0) {
            json_key(json, "listens");
            json_array_begin(json);
        }
        explain_listen(listen, board, &request, json);
    }
    if (n_taken > 0)
        json_array_end(json);
    else if (result == 0)
        result = nobody_listens(&request, ask, err);
    explain_request_deinit(&request);
    return result;
}
