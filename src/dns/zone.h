/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ZONE_H
#define DNS_ZONE_H

/*
 * Zones: how they are built, and the set of them that a snapshot answers from.
 *
 *     zone_build_create(origin) --+-- zone_build_add()    a record, from the weir file
 *                                 +-- zone_build_pool()   a place that a pool's record fills
 *                                 +-- zone_build_file()   an RFC 1035 master file
 *                                 v
 *                        zone_build_finish()  ->  struct zone   checked and immutable
 *                                 v
 *                        zone_set_create(zones)  ->  one table over the names of all zones
 *
 * Everything that is wrong is told through the build's report, each with file, line and column and
 * what would be right; a zone is only finished where nothing was. Whoever builds owns the zone
 * until a set takes it, and the set until no loop answers from it any more. A set never changes, so
 * that loops read it without a lock.
 *
 * What a zone must have (RFC 1034 section 4.2.1, RFC 2181 section 10): one SOA at its apex and NS
 * beside it; a CNAME alone at its name; a DNAME once, with nothing below it (RFC 6672 section 2.4),
 * and beside NS at the apex alone; no NS or DNAME at a wildcard (RFC 4592 section 4).
 */

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ZONE_TTL_MAX = INT32_MAX,  /* seconds, RFC 2181 section 8 */
    ZONE_REPORT_MAX = 100,     /* mistakes told of one zone, and as many warnings; others counted */
    ZONE_TOKENS_MAX = 1 << 16, /* of one record */
    ZONE_RRSET_BYTES_MAX = 60000, /* data of one type at one name: they must fit a message */
};

/* Where something was written; for messages. line 0: no place in a file. */
struct zone_at {
    const char *path; /* borrowed; lives as long as the build */
    uint32_t line, column;
};

enum zone_severity { ZONE_ERROR, ZONE_WARNING };

/* Called for each mistake; `hint` (what would be right) may be NULL, both die with the call. */
typedef void zone_report_fn(void *ctx, enum zone_severity severity, struct zone_at at,
                            const char *text, const char *hint);

struct zone;
struct zone_build;
struct zone_set;

/* `origin` is a name in wire form, copied; `report` may be NULL. */
struct zone_build *zone_build_create(struct slice origin, zone_report_fn *report, void *ctx);
void zone_build_destroy(struct zone_build **build);

/* All take names in wire form, in any case, and return 0, or -1 where they told the report. */
int zone_build_add(struct zone_build *build, struct slice owner, uint16_t type, uint32_t ttl_s,
                   struct slice rdata, struct zone_at at);
/* What is answered for owner and type stands in the view's records[record_index] (answer.h). */
int zone_build_pool(struct zone_build *build, struct slice owner, uint16_t type,
                    uint32_t record_index, struct zone_at at);

/*
 * A master file (RFC 1035 section 5, RFC 2308 section 4 for $TTL, RFC 3597 for unknown types):
 * `bytes` with or without a byte order mark, lines ended by LF or CRLF. Several files may fill one
 * zone; each begins with the zone's origin, and without a TTL. $INCLUDE and $GENERATE are refused.
 * `path` lives as long as the build. Streams over the bytes once.
 */
int zone_build_file(struct zone_build *build, const char *path, struct slice bytes);

/* The zone, or NULL where anything was wrong; the build is gone in either case. */
struct zone *zone_build_finish(struct zone_build **build);
void zone_destroy(struct zone **zone);

struct slice zone_origin(const struct zone *zone);
uint32_t zone_serial(const struct zone *zone);
size_t zone_n_names(const struct zone *zone);
size_t zone_n_records(const struct zone *zone);
/* Memory that it holds, without that of the set. */
size_t zone_size_bytes(const struct zone *zone);

/*
 * Takes the zones (none twice, asserted); `seed` keys the table. Destroying the set destroys them.
 */
struct zone_set *zone_set_create(struct zone *const *take_zones, size_t n_zones, uint64_t seed);
void zone_set_destroy(struct zone_set **set);
size_t zone_set_n_zones(const struct zone_set *set);
const struct zone *zone_set_zone(const struct zone_set *set, size_t i);
size_t zone_set_size_bytes(const struct zone_set *set);

/* The zone that answers for `name` (wire form, letters small): the longest match, or NULL. */
const struct zone *zone_set_match(const struct zone_set *set, struct slice name);

#endif
