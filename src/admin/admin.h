/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

/*
 * The process that answers the operator: status, metrics, reload, stop.
 *
 *     admin 127.0.0.1:9900 { token-file /etc/weir/token }
 *
 * It always runs, and always listens on the unix socket admin.sock in the state directory; the TCP
 * address is optional. access.h says who may ask what.
 *
 *     GET  /            a page for a browser                    (from the board)
 *     GET  /metrics     OpenMetrics text                        (from the board)
 *     GET  /v1/status   everything, as JSON                     (the board and every process)
 *     GET  /v1/facts    the facts                               (from the board)
 *     GET  /v1/explain  ?request=GET%20https://host/path, &from=, &header=, &listen=; of DNS
 *                       ?dns=www.example.org%20A, &from= (dns/explain.h), of queues ?queue=NAME
 *                       (queue/explain.h), which their processes answer; ?vip=NAME
 *     GET  /v1/drain    the drains, and how far they are      (from the board)
 *     POST /v1/drain    {"target": "member:web/app1", "timeout": "5m"}: sessions unused for so long
 *                       count as ended
 *     POST /v1/undrain  {"target": ...}
 *     POST /v1/force    {"target": ..., "state": "up" | "down" | "auto"}
 *     POST /v1/weight   {"target": ..., "weight": 5 | "default"}
 *     GET  /v1/runtime  members added and removed at run time
 *     POST /v1/member/add     {"pool": "web", "name": "app9", "words": ["10.0.1.19:8080"]}
 *     POST /v1/member/remove  {"target": ...}
 *     POST /v1/reload   {"text": "generation 7"}; 422 {"error": ..., "diagnostics": ...}
 *     POST /v1/stop     drains and stops; with ?now without draining
 *
 * Commands upon members are answered {"member": ..., "text": what happens next}, with "warning"
 * beside it where nobody is left to serve; what they say is kept (admin/operate.h).
 *
 * Errors are {"error": sentence}. What the board says needs nobody's answer; a process that hangs
 * is shown as one that does not answer, after a second.
 */

#include "base/slice.h"
#include "conf/schema.h"
#include "core/metric.h"
#include "core/module.h"

#define ADMIN_SOCKET "admin.sock" /* in the state directory */

struct admin_listen_conf {
    struct conf_object object;
    struct conf_addr addr;
    struct slice token_file; /* empty: none */
};

struct admin_conf {
    struct conf_object object;
    struct admin_listen_conf *listen; /* NULL: the unix socket alone */
};

enum admin_word {
    ADMIN_REQUESTS,
    ADMIN_MALFORMED,
    ADMIN_DENIED,
    ADMIN_COMMANDS,
    ADMIN_COMMANDS_REFUSED,
    ADMIN_TIMED_OUT,
    ADMIN_CONNECTIONS,
    ADMIN_CONNECTIONS_REFUSED,
    ADMIN_CONNECTIONS_ACTIVE, /* gauge */
    ADMIN_WORDS
};

extern const struct module admin_module;

#endif
