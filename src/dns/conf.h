/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_CONF_H
#define DNS_CONF_H

/*
 * The words of DNS: who is asked (dns/listen_conf.h), and the zones that all of them answer.
 *
 *     dns 0.0.0.0:53
 *     zone example.org {
 *         soa    ns1 hostmaster
 *         ns     ns1 203.0.113.10
 *         ttl    1h
 *         record www    A  192.0.2.1 192.0.2.2          # as they stand here: two records
 *         record @      MX "10 mail" "20 backup"        # each in quotes as in a zone file
 *         record shop   A  pool edges healthy ttl 5s..30s
 *         record near   A  pool here healthy then pool there healthy {
 *             from 10.0.0.0/8 pool inside all
 *         }
 *     }
 *     zone example.net { file example.net.zone }         # RFC 1035; records may stand beside it
 *
 * A record is a sentence:
 *
 *     record NAME TYPE VALUE... [ttl T]
 *     record NAME A|AAAA|SRV|HTTPS|SVCB CHOICE [then CHOICE]... [ttl T | MIN..MAX]
 *                 [target NAME] [port N] [alpn A,B] [{ from NET CHOICE [then CHOICE]... }]
 *     CHOICE = pool P all|healthy [weighted] [first] [at-most N] [fail-open below X% | fail-closed]
 *
 * NAME is relative to the zone unless it ends with a dot; @ is the zone itself. What stands behind
 * `record` may stand in its block as well, a word a line. Which members a choice answers is said in
 * dns/record.h.
 *
 * VALUES. A, AAAA: every value is a record. TXT: every value is a string of one record. Other
 * types: where all values are quoted each is one record's data as a zone file has them, else all
 * together are one record's.
 *
 * All of it is part of a snapshot, immutable, and in its arena. Names are in wire form where a
 * field says so, made by check() (dns_check()).
 */

#include "base/addr.h"
#include "base/slice.h"
#include "conf/schema.h"
#include "core/module.h"
#include "dns/listen_conf.h"
#include "pool/pool.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    ZONES_MAX = 10000,
    ZONE_FILES_MAX = 16,
    RECORDS_MAX = 10000, /* of a zone, in the configuration; files hold as many as they like */
    POOL_RECORDS_MAX = 4096,
    RECORD_CHOICES_MAX = 8,
    RECORD_BRANCHES_MAX = 256,
    RECORD_TTL_MAX_S = 2592000,    /* 30 days */
    RECORD_HEALTHY_TTL_MIN_S = 5,  /* of `healthy` where the record names none */
    RECORD_HEALTHY_TTL_MAX_S = 30, /* likewise, or the zone's where that is less */
};

struct soa_conf {
    struct conf_object object;
    struct slice mname, rname; /* text, relative to the zone */
    int64_t serial;            /* conf_is_set(&object, "serial"), or see zone_conf.serial */
    int64_t refresh_ms, retry_ms, expire_ms, minimum_ms;
};

struct ns_conf {
    struct conf_object object;
    struct slice name;          /* text, relative to the zone */
    struct conf_list addr_list; /* of struct conf_addr: glue, or the addresses of a name in it */
};

enum record_mode { RECORD_ALL, RECORD_HEALTHY };

/* A pool, and which of its members are answered. */
struct record_choice {
    struct conf_ref pool_ref;
    struct pool *pool;          /* found by check() */
    int mode;                   /* enum record_mode */
    bool is_weighted;           /* by the members' weights in force; else evenly */
    bool is_first;              /* the first that may be answered, in the order of the pool */
    bool is_closed;             /* none is up: none is answered */
    int64_t at_most;            /* 0: all of them */
    int64_t open_below_percent; /* fewer are up: all but those forced down; 0: at none */
    struct conf_at at;          /* of `pool` */
};

/* Whom the choices of a record are for; the first that has an answer counts. */
struct record_branch {
    bool is_everybody;
    struct addr_net net;
    struct record_choice *choices;
    uint32_t n_choices; /* 1..RECORD_CHOICES_MAX */
    struct conf_at at;
};

struct record_conf {
    const struct conf_stmt *stmt;
    struct conf_at at;     /* of the owner's name */
    struct conf_at ttl_at; /* line 0: there is no such word */
    struct slice owner;    /* wire form */
    uint16_t type;
    uint32_t ttl_min_s, ttl_max_s; /* the same for a fixed one */
    /* static: */
    const struct conf_token *values;
    uint32_t n_values;
    struct slice *rdatas; /* made by check() */
    uint32_t n_rdatas;
    /* from pools: */
    struct record_branch *branches; /* n_branches > 0; the last is everybody's */
    uint32_t n_branches;
    uint32_t index;      /* among all records from pools of the snapshot, from 0 */
    struct slice target; /* text: of every SRV, HTTPS, SVCB; empty: a name a member */
    struct conf_at target_at, alpn_at, port_at;
    struct slice target_name; /* wire form */
    int64_t port;             /* 0: the members' own */
    struct slice alpn;        /* "h2,http/1.1", or empty */
};

static inline bool record_is_from_pools(const struct record_conf *record)
{
    return record->n_branches > 0;
}

struct zone_conf {
    struct conf_object object;
    struct slice name;          /* text */
    struct conf_list file_list; /* of struct slice, absolute paths, read one behind the other */
    struct soa_conf *soa;       /* NULL where there are files */
    struct conf_list ns_list;   /* of struct ns_conf, likewise */
    int64_t ttl_ms;
    struct record_conf **records;
    uint32_t n_records, cap_records;
    /* --- filled by check() --- */
    struct slice origin; /* wire form, letters small */
    uint32_t ttl_s;
    const char **blobs; /* of each file, its name in the bundle */
};

struct dns_conf {
    struct conf_object object;
    struct conf_list dns_list;  /* of struct dns_listen_conf */
    struct conf_list zone_list; /* of struct zone_conf */
    /* --- filled by check() --- */
    struct record_conf **pool_records; /* by record_conf.index */
    struct zone_conf **pool_zones;     /* of each */
    uint32_t n_pool_records;
};

/* `dns` and `zone`, for the module's words; they fill a struct dns_conf. */
extern const struct conf_word dns_words[];
/* The module's check(): 0, or -1 after it has told load->diag. */
int dns_check(struct snapshot *snap, void *self, struct conf_load *load);

/* The sentence of `record`, for messages and the manual; and its reader (dns/record_read.c). */
extern const char record_usage[];
int record_read(struct conf_load *load, const struct conf_stmt *stmt, struct zone_conf *zone);
/* Owners, types, values and pools of a zone's records (dns/record_check.c). 0 or -1. */
int records_check(struct dns_conf *conf, struct zone_conf *zone, const struct snapshot *snap,
                  struct conf_load *load);

#endif
