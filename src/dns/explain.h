/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_EXPLAIN_H
#define DNS_EXPLAIN_H

/*
 * `weir explain dns NAME TYPE [from ADDR]`: what is answered, and for each member of the pools that
 * the record names why its address is in or out. From the configuration and the board alone: of a
 * zone file only its name is told, not what stands in it.
 */

#include "core/module.h"
#include "dns/conf.h"

/* The module's explain() (core/module.h), with its configuration. */
int dns_explain(const struct snapshot *snap, const struct dns_conf *conf, const struct board *board,
                const struct explain_ask *ask, struct json *json, struct err *err);

#endif
