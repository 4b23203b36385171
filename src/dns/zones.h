/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ZONES_H
#define DNS_ZONES_H

/*
 * The zones of a configuration: from its words and the bytes of its zone files to a struct
 * zone_set. `weir check`, the supervisor and the DNS process all come here, so that what one
 * accepts the other serves.
 *
 *     zone_conf: files, soa, ns, records ---> zone_build ---> zone \
 *     zone_conf ...                                                 zone_set
 *
 * Serial numbers. A zone file has its own. A zone that stands in the configuration may name one
 * (`soa ... serial N`); else it is the time, in seconds since 1970, at which this node first read
 * what the zone says now. What a pool's record answers changes with health and not with what is
 * written: no serial counts it, as no secondary server could follow it. Which text a serial belongs
 * to is kept in the zone's fact, so that a restart or an upgrade changes none.
 */

#include "conf/bundle.h"
#include "conf/diag.h"
#include "core/board.h"
#include "core/module.h"
#include "dns/conf.h"
#include "dns/zone.h"
#include <stdint.h>

enum { ZONE_FILE_BYTES = 64 << 20 };

struct zones_options {
    const struct snapshot *snap;
    const struct dns_conf *conf;
    struct slice (*bytes)(void *ctx, const char *blob);
    void *bytes_ctx;
    const struct board *board; /* where the facts of zones are; NULL: none */
    uint64_t wall_s;           /* since 1970 */
    uint64_t seed;
};

struct zones {
    struct zone_set *set;
    uint64_t *versions; /* of each zone of the configuration: a hash of its text, 0: not made */
};

/* The zones, or NULL after diag was told each mistake and err the first; either may be NULL. */
struct zones *zones_make(const struct zones_options *options, struct conf_diag *diag,
                         struct err *err);
void zones_destroy(struct zones **zones);

/* States zone:NAME for each, with its serial, and takes away those of zones that are gone. */
void zones_publish(const struct zones *zones, const struct dns_conf *conf, struct board *board,
                   uint64_t wall_ns);

/* For the module: the files of all zones. */
int zones_files(const struct dns_conf *conf, file_want_fn *want, void *ctx);

#endif
