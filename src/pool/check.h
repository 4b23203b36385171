/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_CHECK_H
#define POOL_CHECK_H

/*
 * How health finds out that a member can serve, as the configuration says it: the `check` of a
 * pool, the same for all of its members.
 *
 *     check tcp                                   a connection can be opened
 *     check http path /healthz expect 200         a request gets a status that is expected,
 *           header X-Token abc body "ready"       and an answer that holds a text
 *     check tls                                   a TLS handshake is done
 *     check agent port 7777                       a program beside the member says how it is
 *     check exec /usr/local/bin/probe --deep      a program here says how it is
 *
 * In a pool with `tls` its checks speak TLS as its requests do, but for agents, programs, and those
 * with the word `plain`. A tls check of a pool without believes whatever certificate there is.
 *
 * All of them share how often, how long, and how many results in a row it takes.
 */

#include "base/slice.h"
#include "conf/schema.h"
#include <stdbool.h>
#include <stdint.h>

enum check_kind { CHECK_NONE, CHECK_TCP, CHECK_HTTP, CHECK_AGENT, CHECK_EXEC, CHECK_TLS };

enum { CHECK_BODY_TEXT_MAX = 1024 };

/* A field of the request of an http check. */
struct check_header {
    struct conf_object object;
    struct slice name;
    struct slice value;
};

struct check_conf {
    struct conf_object object;
    int kind;                       /* enum check_kind */
    struct slice program;           /* exec; absolute */
    struct conf_list argument_list; /* exec; of struct slice */
    int64_t port;                   /* where it connects; 0: the member's own */
    struct slice path;              /* http; "/" by default */
    struct slice host;              /* http; the address that it connects to by default */
    struct slice method;            /* http; GET by default */
    struct conf_list header_list;   /* http; of struct check_header */
    struct conf_range expect;       /* http; statuses, 200..399 by default */
    struct slice body;              /* http; what the body holds; empty: anything */
    bool is_plain;                  /* tcp, http: in the clear though the pool has tls */
    int64_t every_ms;               /* 2 s */
    int64_t timeout_ms;             /* 1 s, at most every */
    int64_t fall;                   /* 3 */
    int64_t rise;                   /* 2 */
    /* --- filled by finish() --- */
    struct slice
        lines; /* http: complete fields with CRLF, those that a check sends by itself too */
};

extern const struct conf_block check_block;

#endif
