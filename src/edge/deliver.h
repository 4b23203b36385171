/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_DELIVER_H
#define EDGE_DELIVER_H

/*
 * The listen that the queue delivers by: a unix socket in the state directory, there where a queue
 * of the file has the word `deliver`, and said in the file's own language, as if it stood there:
 *
 *     listen deliver-socket http unix:STATE/deliver.sock {
 *         route header Weir-Pool web pool web retry idempotency-key
 *         ...                                                     a route for each such pool
 *         timeout { response 24h; stream 24h; ... }               deliveries bring their own
 *     }
 *
 * What it tells more than other listens, and who may connect: queue/deliver_conf.h. A pool that is
 * unknown, that no queue delivers to, or that is not named, is no route: 404.
 *
 * A route that is not of the file makes a floating address depend on no pool (pool.is_routed).
 */

#include "edge/edge.h"

/*
 * Sets conf->listens: the file's listens and, where it is needed, this one. 0, or -1 after telling
 * load->diag. The pools are there; the file's own listens are checked by the caller.
 */
int deliver_listen(struct edge_conf *conf, const struct snapshot *snap, struct conf_load *load);

#endif
