/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

/*
 * Names of members turned into addresses, and kept so. An owner watches a name; the resolver looks
 * it up, again whenever its time is over, and tells the owner after each look-up. Nothing here
 * blocks, and no file is opened after resolver_create(): the bytes of hosts and resolv.conf come
 * from outside.
 *
 *     watch -> hosts? --yes--> answered for good
 *                \-no--> [ queue ] -> A and AAAA of each candidate -> answered -> wait -> again
 *                      RESOLVER_LOOKUPS_MAX under way at a time         |          ^
 *                                                                       +--failed--+
 *
 * When it is asked again: behind the shortest TTL of the answer, within 1 s and 5 min; behind a
 * failure after 1 s, 2 s, 4 s ... 1 min. Both are stretched by up to 10 %, so that many names
 * spread out.
 *
 * Which address is in force: the one that was, as long as it is in the answer; else the lowest IPv4
 * address, else the lowest IPv6 address, so that several nodes make the same choice whatever order
 * their servers answer in. A failure of any kind, also "no such name", takes nothing away: the last
 * good address stays, and status says what was wrong with the last look-up.
 *
 * c-ares does the asking: several servers, repeats, a random id and port, TCP where the answer is
 * long. One resolver belongs to one loop, and all calls come from its thread.
 */

#include "base/addr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"
#include "core/loop.h"
#include "net/hosts.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    RESOLVER_LOOKUPS_MAX = 64, /* under way at a time; the others wait their turn */
    RESOLVER_ADDRS_MAX = 64,   /* of one name that are looked at */
    RESOLVER_TTL_MIN_MS = 1000,
    RESOLVER_TTL_MAX_MS = 300000,
    RESOLVER_RETRY_MIN_MS = 1000,
    RESOLVER_RETRY_MAX_MS = 60000,
    RESOLVER_TRY_MS = 1000, /* for a server's first answer; c-ares doubles it with each round */
    RESOLVER_TRIES = 2,     /* rounds over all servers */
};

enum resolver_status {
    RESOLVER_OK,
    RESOLVER_NO_NAME,    /* NXDOMAIN */
    RESOLVER_NO_ADDRESS, /* the name is there, without A and AAAA */
    RESOLVER_TIMEOUT,
    RESOLVER_NO_SERVER, /* none is reachable, or all refuse or fail; c-ares does not tell which */
    RESOLVER_GARBAGE,   /* an answer that cannot be read */
    RESOLVER_BAD_NAME,  /* cannot be asked for */
    RESOLVER_FAILED,    /* anything else */
    RESOLVER_N_STATUSES
};

/* "no such name", for the reason of a fact. */
const char *resolver_status_text(enum resolver_status status);

struct resolver;
struct resolver_lookup;

/* One watched name; the owner embeds it. Only what stands above the line is for others to read. */
struct resolver_name {
    struct addr addr;            /* in force, port 0; len 0: none yet */
    enum resolver_status status; /* of the last look-up */
    bool is_answered;            /* there was one */
    bool is_static;              /* from hosts: it is not asked again */
    /* ---- */
    struct resolver *resolver;
    struct slice host;
    void (*on_answer)(struct resolver_name *name);
    struct list link;               /* in resolver->names */
    struct list turn;               /* in resolver->waiting */
    struct resolver_lookup *lookup; /* NULL: none under way */
    struct loop_timer timer;
    uint32_t n_failed; /* in a row */
};

/* Opens what must be opened before the sandbox closes. No name can be resolved by DNS yet. */
int resolver_create(struct loop *loop, uint64_t seed, struct resolver **ret_resolver,
                    struct err *err);
/* No name is watched any more. NULL is fine. */
void resolver_destroy(struct resolver **resolver);

/*
 * The bytes of the two files, copied. Where they are other than before, all names are looked up
 * anew; they keep their addresses meanwhile.
 */
void resolver_configure(struct resolver *resolver, struct slice hosts, struct slice resolv_conf);

/*
 * Begins to watch `host`, which outlives the watching. on_answer comes from the loop after each
 * look-up, never from within this call; it may unwatch. name->addr may be preset with what was
 * known before (another life of the process): it then counts as the address in force.
 */
void resolver_watch(struct resolver *resolver, struct resolver_name *name, struct slice host,
                    void (*on_answer)(struct resolver_name *name));
/* Ends it; no callback comes after it. May be called twice. */
void resolver_unwatch(struct resolver_name *name);
void resolver_name_init(struct resolver_name *name);

#endif
