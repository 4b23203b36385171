/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_METHOD_H
#define POOL_METHOD_H

/*
 * How the requests of a pool are shared out among its members, and how they wait, as the
 * configuration says it:
 *
 *     balance round-robin                  one after the other, smoothly by weight
 *     balance least-load                   the less loaded of two
 *     balance latency                      the one of two that answers sooner
 *     balance random                       any, by weight
 *     balance first                        the first in the file that has room
 *     balance hash header X-User           always the same for the same user,
 *           bound 125%                     as long as it has not much more than its share
 *     queue 1000 timeout 5s                requests that wait while no member has room
 *
 * balance/balance.h says what the methods do. What is hashed is a part of the request, found by the
 * service (http, stream); where a request has no such part it is sent as random would send it.
 */

#include "base/slice.h"
#include "conf/schema.h"
#include <stdint.h>

enum pool_method {
    POOL_ROUND_ROBIN,
    POOL_LEAST_LOAD,
    POOL_LATENCY,
    POOL_RANDOM,
    POOL_FIRST,
    POOL_HASH
};

/* What of a request is hashed. */
enum pool_key {
    POOL_KEY_NONE,
    POOL_KEY_SOURCE, /* the client's address, without the port */
    POOL_KEY_HEADER, /* the value of a field */
    POOL_KEY_COOKIE, /* the value of a cookie */
    POOL_KEY_PATH,   /* without the query */
    POOL_KEY_QUERY,  /* the value of a parameter */
};

struct balance_conf {
    struct conf_object object;
    int method; /* enum pool_method */
    bool by_source, by_path;
    struct slice header, cookie, query;
    int64_t bound; /* percent, above 100; 0: none */
    /* --- filled by finish() --- */
    enum pool_key key;     /* NONE but for hash */
    struct slice key_name; /* of the field, cookie or parameter */
};

/* Requests that wait while no member has room, or while the first checks are under way. */
struct pool_queue_conf {
    struct conf_object object;
    int64_t max;        /* in all loops together; 0: nobody waits; 1000 */
    int64_t timeout_ms; /* 5 s */
};

extern const struct conf_block balance_block;
extern const struct conf_block queue_block;

#endif
