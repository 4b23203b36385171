/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_EXPLAIN_H
#define DNS_EXPLAIN_H

/*
 * `weir explain dns NAME TYPE [from ADDR]`: what is answered, and why.
 *
 * The answer is that of desk_answer() over TCP, so it is never another one than a client gets; the
 * reasons are the steps that answer_compose() went (enum answer_step_kind), from the same zones and
 * the same view of the records from pools. Within the DNS process those are the ones in force; a
 * file that nobody serves has them made of it.
 *
 *     {"name": "www.example.org.", "type": "A", "rcode": "NOERROR", "is_authoritative": true,
 *      "bytes": 96, "zone": "example.org.",
 *      "answer": [{"name": ..., "ttl": 5, "type": "A", "data": "192.0.2.1"}, ...],
 *      "authority": [], "additional": [],
 *      "steps": [{"name": "www.example.org.", "result": "found", "why": sentence,
 *                 "closest": name, "wildcard": name,            where the name is not there itself
 *                 "type": "A", "at": "shop.weir:12", "ttl": 5, "ttl_why": sentence,
 *                 "pools": [...]}]}                             of a record from pools: below
 *
 * result: found, alias, dname, no-data, no-name, referral; a step more for each alias. Of a record
 * from pools a step also says at_most, scope_bits (of the client's network), fails_open, and of
 * each pool: pool, mode, answers (it is the one), members: member, address, state, reason, weight,
 * in, why, turn_seconds.
 */

#include "core/module.h"
#include "dns/conf.h"
#include "dns/record_set.h"
#include "dns/zone_tree.h"

/* What there is to answer from. */
struct explain_source {
    const struct dns_conf *conf;
    const struct board *board;
    const struct zone_set *zones;
    struct record_set *records;
    const struct record_view *view;
};

/* Members of an open object. 0, or -1 and err: no name and type. */
int dns_explain(const struct explain_source *source, const struct explain_ask *ask,
                struct json *json, struct err *err);

/* The module's explain(): of a configuration that no process serves. Wants ask->files. */
int dns_explain_conf(const struct snapshot *snap, const struct dns_conf *conf,
                     const struct board *board, const struct explain_ask *ask, struct json *json,
                     struct err *err);

/* What a step's record from pools answers, to whom, for how long and why (explain_pool.c). Members
 * of an open object. */
void explain_pool(const struct explain_source *source, const struct zone_rrset *rrset,
                  const struct addr *from, struct json *json);

static inline void explain_put(struct json *json, const char *key, const char *value)
{
    json_key(json, key);
    json_cstr(json, value);
}

static inline void explain_put_number(struct json *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_uint(json, value);
}

#endif
