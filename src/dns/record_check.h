/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_RECORD_CHECK_H
#define DNS_RECORD_CHECK_H

/*
 * What the two files that look over records share: record_check.c, owners and pools, and
 * record_values.c, values.
 */

#include "dns/conf.h"
#include "wire/dns.h"

struct record_checker {
    struct dns_conf *conf;
    struct zone_conf *zone;
    const struct snapshot *snap;
    struct conf_load *load;
};

static inline bool record_is_address(uint16_t type)
{
    return type == DNS_A || type == DNS_AAAA;
}

/* Makes record->rdatas of record->values. 0, or -1 after it has told load->diag. */
int record_values_check(const struct record_checker *checker, struct record_conf *record);

#endif
