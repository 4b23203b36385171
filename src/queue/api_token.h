/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_API_TOKEN_H
#define QUEUE_API_TOKEN_H

/*
 * What a worker that came by HTTP shows for the job that it has: 32 bytes as base64url.
 *
 *     | id of the job, 8 | number of the lease, 8 | HMAC-SHA256 of both, its first 16 |
 *
 * Integers are big-endian. The key is random and lives as long as the process, as leases do: nobody
 * can make up a token, and one of an earlier process is none. That the lease is still there is the
 * model's to say (model_lease_number()).
 */

#include "base/base64.h"
#include "base/slice.h"
#include "tls/key.h"
#include <stdint.h>

enum { API_TOKEN_BYTES = 32, API_TOKEN_CHARS = BASE64_CHARS(API_TOKEN_BYTES) };

/* No NUL. */
void api_token_write(struct tls_mac *mac, uint64_t id, uint64_t number,
                     char ret_token[API_TOKEN_CHARS]);
/* 0; 1: it is not of this process; -1: it is no token. */
int api_token_read(struct tls_mac *mac, struct slice token, uint64_t *ret_id, uint64_t *ret_number);

#endif
