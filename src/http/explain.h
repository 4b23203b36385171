/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_EXPLAIN_H
#define HTTP_EXPLAIN_H

/*
 * What becomes of a request, and why: for `weir explain`. The request is described by a person,
 *
 *     GET https://shop.example.org/cart?id=1        from 10.0.0.9        "X-Canary: yes"
 *
 * made into the bytes that a client would send, and read by the same code as a real one; so what
 * weir would refuse is refused here, with the same sentence. Then the routes of one listen are
 * walked: those before the one that matches with the first word that the request fails, and for a
 * pool each member with what its facts say about it.
 *
 * Everything here reads the configuration and the board and asks nobody. JSON comes out, as members
 * of an object that the caller has opened:
 *
 *     "routes": [{"at": "shop.weir:7", "route": "POST path /up pool web", "matches": false,
 *                 "word": "method", "why": "the method is GET"}, ... the one that matches is last],
 *     "action": "pool" | "split" | "async" | "job" | "respond" | "redirect" | "none",
 *     "status": 301, "location": "https://...",                   weir's own answers
 *     "priority": "normal", "repeatable": true,                   pools
 *     "async": "always" | "prefer" | "none", "queue": "reports", "overflow": "late",
 *     "credentials": "drop", "jobs_path": "/jobs"                 where the route has a queue
 *     "sticky": {"by": "cookie", "name": "WEIR", "carried": true}    where a listen has it
 *     "pools": [{"pool": "web", "share": 90, "balance": "random", "state": "up",
 *          "reason": "2/2 up", "members": [
 *         {"member": "app1", "address": "10.0.1.11:8080", "may": true, "state": "up",
 *          "weight": 1, "why": "HTTP 200 in 3 ms"}, ...]}]
 */

#include "base/addr.h"
#include "base/json.h"
#include "base/text.h"
#include "core/module.h"
#include "http/http.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stdint.h>

struct explain_request {
    struct text bytes; /* as a client would send them; owned */
    struct h1_head head;
    struct addr from; /* len 0: not said */
    bool is_https;
    uint16_t port; /* 0: the URL names none */
};

/*
 * From ask->text ("METHOD URL", or a URL alone for GET), ask->fields and ask->from. 0, or -1 and
 * err with what is wrong, or what weir would answer to such a request. Deinit it in both cases.
 */
int explain_request_init(struct explain_request *request, const struct explain_ask *ask,
                         struct err *err);
void explain_request_deinit(struct explain_request *request);

/* What the listen of this configuration does with it. */
void http_explain(const struct http_conf *conf, const struct board *board,
                  const struct explain_request *request, struct json *json);

#endif
