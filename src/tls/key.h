/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_KEY_H
#define TLS_KEY_H

/*
 * Keys. One secret (core/secret.h) serves many purposes; each purpose has a key of its own, so that
 * what one of them shows to the world says nothing about the others:
 *
 *     secret --HKDF-SHA256 (RFC 5869)--> "sticky cookie"    -> 32 bytes
 *                                        "tls ticket 41234" -> 80 bytes ...
 *
 * Two nodes with the same secret come to the same keys; a purpose is a sentence in the code and is
 * never changed, as what was made with it would be strange from then on.
 *
 * Nothing here keeps state but struct tls_mac, which belongs to one thread.
 */

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_KEY_BYTES = 32,  /* of a derived key */
    TLS_HASH_BYTES = 32, /* of SHA-256 */
    TLS_HKDF_MAX = 255 * TLS_HASH_BYTES,
};

/*
 * The key of a purpose: HKDF-SHA256 with the secret as input keying material, the salt "weir", and
 * the purpose as info. Any secret of at least one byte.
 */
void tls_derive_key(struct slice secret, const char *purpose, uint8_t ret_key[TLS_KEY_BYTES]);
/* HKDF-SHA256 as RFC 5869 section 2 has it: extract, then expand to len bytes, 1..TLS_HKDF_MAX. An
 * empty salt is that of section 2.2, zeros. */
void tls_hkdf_sha256(struct slice secret, struct slice salt, struct slice info, uint8_t *ret_bytes,
                     size_t len);

/* HMAC-SHA256 (RFC 2104, FIPS 198-1) of data in one call; for what happens often use struct
 * tls_mac. An empty key is allowed. */
void tls_hmac_sha256(struct slice key, struct slice data, uint8_t ret_mac[TLS_HASH_BYTES]);

/* HMAC-SHA256 with a key that was set up once: four times as fast for a cookie. One thread's. */
struct tls_mac;
struct tls_mac *tls_mac_create(struct slice key);
void tls_mac_destroy(struct tls_mac **mac);
void tls_mac_sign(struct tls_mac *mac, struct slice data, uint8_t ret_mac[TLS_HASH_BYTES]);

/* Are the len bytes the same? The time that it takes says nothing about where they differ. */
bool tls_is_equal(const void *a, const void *b, size_t len);
/* Random bytes that nobody can guess. Ends the process where the kernel has none. */
void tls_random(void *ret_bytes, size_t len);
/* Overwrites what a key lay in, whatever the compiler thinks of it. */
void tls_wipe(void *bytes, size_t len);

#endif
