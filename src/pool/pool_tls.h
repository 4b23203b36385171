/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_POOL_TLS_H
#define POOL_POOL_TLS_H

/*
 * How the members of the pools of a snapshot are spoken to under TLS: one struct tls_client for
 * each pool with a `tls` block, made in prepare from the files in the process's bundle. Both who
 * asks members on behalf of clients and who checks them have one of these, so that a certificate
 * that would fail a request fails the check, with the same sentence.
 */

#include "base/err.h"
#include "base/slice.h"
#include "core/module.h"
#include "pool/pool.h"
#include "tls/tls.h"

struct pool_tls;

/* bytes: as in struct tls_client_options. NULL with err, which names the pool. */
struct pool_tls *pool_tls_create(const struct snapshot *snap,
                                 struct slice (*bytes)(void *bytes_ctx, const char *name),
                                 void *bytes_ctx, struct err *err);
/* No connection that began with it is touched. */
void pool_tls_destroy(struct pool_tls **tls);
/* NULL: the pool's members are spoken to in the clear. */
const struct tls_client *pool_tls_of(const struct pool_tls *tls, const struct pool *pool);
/* The same for the pool's check: NULL also for one that is plain; and a tls check of a pool in the
 * clear has one that believes every certificate. */
const struct tls_client *pool_tls_of_check(const struct pool_tls *tls, const struct pool *pool);
/* For tls_connect(): the pool's `name`, or the member's host name; empty only where nobody is
 * verified. */
struct slice pool_tls_name(const struct member *member);

/* --- for the pool module ---------------------------------------------------------------------- */

int pool_tls_check(struct pool *pool, struct conf_load *load);
int pool_tls_files(const struct snapshot *snap, file_want_fn *want, void *ctx);
int pool_tls_check_files(const struct snapshot *snap, const struct conf_bundle *files,
                         struct conf_diag *diag);
extern const char *const pool_tls_kinds[];

#endif
