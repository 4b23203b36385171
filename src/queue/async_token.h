/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_ASYNC_TOKEN_H
#define QUEUE_ASYNC_TOKEN_H

/*
 * What a client shows for the job that its request became: 24 bytes as base64url.
 *
 *     | id of the job, 8 | HMAC-SHA256 of id, created and node, its first 16 |
 *
 * The id is big-endian. The key is derived from the secret of all nodes, so that a token is good
 * after a restart; an older secret of the file is still accepted. When the job was created is in
 * the MAC alone, because a log that begins anew gives ids anew; and the node, because each gives
 * its own. So nobody can make up a token, and none is good for another job.
 */

#include "base/base64.h"
#include "base/slice.h"
#include "core/secret.h"
#include "queue/async_conf.h"
#include "queue/job.h"
#include "tls/key.h"
#include "wire/jobasync.h"
#include <stdint.h>

enum { ASYNC_MAC_BYTES = 16, ASYNC_TOKEN_BYTES = 8 + ASYNC_MAC_BYTES };

struct async_keys {
    struct tls_mac *macs[SECRETS_MAX]; /* the first makes tokens */
    size_t n_macs;
    char *node;
};

/* `secret`: the bytes of BLOB_SECRET, which the supervisor has checked. */
void async_keys_init(struct async_keys *keys, struct slice secret, const char *node);
void async_keys_deinit(struct async_keys *keys);

/* No NUL. */
void async_token_write(const struct async_keys *keys, const struct job *job,
                       char ret_token[JOBASYNC_TOKEN_CHARS]);
/* The id that it names. 0, or -1: it is no token. */
int async_token_id(struct slice token, uint64_t *ret_id);
/* Is it of this job? */
bool async_token_is_of(const struct async_keys *keys, struct slice token, const struct job *job);

/* A hash that only this edge can make, as 22 characters of base64url, no NUL. */
enum { ASYNC_HASH_CHARS = BASE64_CHARS(ASYNC_MAC_BYTES) };
void async_hash(const struct async_keys *keys, struct slice bytes, char ret_text[ASYNC_HASH_CHARS]);

#endif
