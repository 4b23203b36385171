/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tokens of leases.
 */

#include "queue/api_token.h"

#include <endian.h>
#include <string.h>

enum { WORD_BYTES = 8, NAMED_BYTES = 2 * WORD_BYTES };

static void sign(struct tls_mac *mac, uint8_t token[API_TOKEN_BYTES])
{
    uint8_t hash[TLS_HASH_BYTES];
    tls_mac_sign(mac, slice_make((const char *)token, NAMED_BYTES), hash);
    memcpy(token + NAMED_BYTES, hash, API_TOKEN_BYTES - NAMED_BYTES);
}

void api_token_write(struct tls_mac *mac, uint64_t id, uint64_t number,
                     char ret_token[API_TOKEN_CHARS])
{
    uint8_t token[API_TOKEN_BYTES];
    uint64_t words[] = {htobe64(id), htobe64(number)};
    memcpy(token, words, NAMED_BYTES);
    sign(mac, token);
    (void)base64_write(token, sizeof(token), ret_token);
}

int api_token_read(struct tls_mac *mac, struct slice token, uint64_t *ret_id, uint64_t *ret_number)
{
    uint8_t bytes[API_TOKEN_BYTES], right[API_TOKEN_BYTES];
    uint64_t words[2];
    if (token.len != API_TOKEN_CHARS || base64_read(token, bytes, sizeof(bytes)) < 0)
        return -1;
    memcpy(right, bytes, NAMED_BYTES);
    sign(mac, right);
    if (!tls_is_equal(bytes, right, sizeof(bytes)))
        return 1;
    memcpy(words, bytes, NAMED_BYTES);
    *ret_id = be64toh(words[0]);
    *ret_number = be64toh(words[1]);
    return 0;
}
