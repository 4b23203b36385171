/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEALTH_CHECKER_H
#define HEALTH_CHECKER_H

/*
 * One check of one member, from its start to its result.
 *
 *     tcp     a connection stands                                       -> ok
 *     tls     the same, and a TLS handshake on it                       -> ok
 *     http    one request on a connection of its own, by web/client.h   -> ok, or a bad status
 *             or a body without the text that it should hold
 *     agent   a connection, and the line that comes (wire/agent.h)      -> ok, or what it says
 *
 *     exec    worker starts a program for it (core/program.h)           -> ok, or its status
 *
 * What a check needs it copies, so that the configuration and the member may go while it runs. The
 * connection is closed before the result is told. Time is measured from the start to the connection
 * (tcp) or to the head of the answer (http).
 *
 * A further kind of check is a further row of kinds[] in checker.c.
 */

#include "base/addr.h"
#include "core/loop.h"
#include "health/reason.h"
#include "pool/pool_tls.h"

struct check_run;
typedef void check_done_fn(void *ctx, const struct check_result *result);

/* tls NULL: in the clear; agents are always asked so. fn comes once, from the loop, never from
 * within this call; the run is over when it comes. */
struct check_run *check_start(struct loop *loop, const struct member *member,
                              const struct addr *addr, const struct tls_client *tls,
                              check_done_fn *fn, void *ctx);
/* Ends it without a result. NULL is fine. */
void check_cancel(struct check_run **run);

#endif
