/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

/*
 * The edge: the listen block, and the process that serves it, n loops side by side.
 *
 *     listen shop http 0.0.0.0:80 {
 *         route   path /static pool static
 *         route   pool web
 *         timeout response 30s
 *     }
 *
 * A snapshot becomes a plan: for each loop an epoch (http/http.h), and for each listen a socket a
 * loop. Loop 0 makes the whole plan in prepare, where things may fail; commit hands each loop its
 * share, and each takes it between two turns:
 *
 *     loop 0: prepare(snapshot) -> plan { epochs[loop], sockets[listen][loop], slabs }
 *             commit            -> each loop: begin its epoch, open new listens, close those that
 *                                  are gone
 *             ... when the last request of the old plan is over in every loop: free the old plan
 *
 * Sockets. The supervisor opened them and keeps them; the plan holds duplicates of its own, so that
 * nobody closes a number that a loop still has armed.
 *
 * Facts: `listen:NAME serving`, written by loop 0 when every loop has begun; draining while a drain
 * lasts.
 */

#include "base/slice.h"
#include "conf/schema.h"
#include "core/module.h"
#include "http/http.h"
#include "tls/conf.h"
#include <stdint.h>

enum { LISTENS_MAX = 256, LISTEN_BACKLOG = 4096 };

enum listen_kind { LISTEN_HTTP, LISTEN_HTTPS, LISTEN_TCP, LISTEN_UDP };

struct listen_conf {
    struct conf_object object;
    struct slice name;
    int kind; /* enum listen_kind */
    struct conf_addr addr;
    struct http_conf http;
    struct tls_server_conf tls; /* https */
    /* --- filled by the module's check() --- */
    const char *fact; /* "listen:shop", the socket's name too */
};

struct edge_conf {
    struct conf_object object;
    struct conf_list listen_list; /* of struct listen_conf */
    /* --- filled by the module's check() --- */
    bool has_queues;          /* some route gives requests to a queue (edge/async.h) */
    struct conf_list listens; /* the same, and the one that queues deliver by (edge/deliver.h) */
};

extern const struct module edge_module;

#endif
