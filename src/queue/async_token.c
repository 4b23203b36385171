/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tokens of jobs that asynchronous routes have put.
 */

#include "queue/async_token.h"

#include "base/mem.h"
#include "base/text.h"
#include <assert.h>
#include <endian.h>
#include <string.h>

enum { ID_BYTES = 8 };

_Static_assert(BASE64_CHARS(ASYNC_TOKEN_BYTES) == JOBASYNC_TOKEN_CHARS,
               "the edge looks for so many");

void async_keys_init(struct async_keys *keys, struct slice secret, const char *node)
{
    struct secrets secrets;
    struct err err = ERR_NONE;
    int result = secrets_parse(secret, &secrets, &err);
    assert(result == 0);
    *keys = (struct async_keys){.node = mem_strdup(node)};
    for (size_t i = 0; i < secrets.n_items; i++) {
        uint8_t key[TLS_KEY_BYTES];
        tls_derive_key(secrets.items[i], "token of a job", key);
        keys->macs[keys->n_macs++] = tls_mac_create(slice_make((const char *)key, sizeof(key)));
        tls_wipe(key, sizeof(key));
    }
}

void async_keys_deinit(struct async_keys *keys)
{
    for (size_t i = 0; i < keys->n_macs; i++)
        tls_mac_destroy(&keys->macs[i]);
    mem_free(keys->node);
    *keys = (struct async_keys){.n_macs = 0};
}

static void sign(struct tls_mac *mac, struct slice bytes, uint8_t ret_mac[ASYNC_MAC_BYTES])
{
    uint8_t hash[TLS_HASH_BYTES];
    tls_mac_sign(mac, bytes, hash);
    memcpy(ret_mac, hash, ASYNC_MAC_BYTES);
}

static void sign_job(struct tls_mac *mac, const char *node, const struct job *job,
                     uint8_t ret_mac[ASYNC_MAC_BYTES])
{
    struct text text = TEXT_NONE;
    uint64_t words[] = {htobe64(job->id), htobe64(job->created_s)};
    text_append(&text, slice_make((const char *)words, sizeof(words)));
    text_append(&text, slice_from(node));
    sign(mac, text_slice(&text), ret_mac);
    text_deinit(&text);
}

void async_token_write(const struct async_keys *keys, const struct job *job,
                       char ret_token[JOBASYNC_TOKEN_CHARS])
{
    uint8_t token[ASYNC_TOKEN_BYTES];
    uint64_t id = htobe64(job->id);
    memcpy(token, &id, ID_BYTES);
    sign_job(keys->macs[0], keys->node, job, token + ID_BYTES);
    (void)base64_write(token, sizeof(token), ret_token);
}

static int decode(struct slice token, uint8_t ret_bytes[ASYNC_TOKEN_BYTES])
{
    return base64_read(token, ret_bytes, ASYNC_TOKEN_BYTES) == ASYNC_TOKEN_BYTES ? 0 : -1;
}

int async_token_id(struct slice token, uint64_t *ret_id)
{
    uint8_t bytes[ASYNC_TOKEN_BYTES];
    uint64_t id;
    if (decode(token, bytes) < 0)
        return -1;
    memcpy(&id, bytes, ID_BYTES);
    *ret_id = be64toh(id);
    return 0;
}

bool async_token_is_of(const struct async_keys *keys, struct slice token, const struct job *job)
{
    uint8_t bytes[ASYNC_TOKEN_BYTES], right[ASYNC_MAC_BYTES];
    uint64_t id;
    bool is_right = false;
    if (async_token_id(token, &id) < 0 || id != job->id || decode(token, bytes) < 0)
        return false;
    for (size_t i = 0; i < keys->n_macs; i++) {
        sign_job(keys->macs[i], keys->node, job, right);
        is_right |= tls_is_equal(bytes + ID_BYTES, right, sizeof(right));
    }
    return is_right;
}

void async_hash(const struct async_keys *keys, struct slice bytes, char ret_text[ASYNC_HASH_CHARS])
{
    uint8_t mac[ASYNC_MAC_BYTES];
    sign(keys->macs[0], bytes, mac);
    (void)base64_write(mac, sizeof(mac), ret_text);
}
