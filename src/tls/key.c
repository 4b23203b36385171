/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Derived keys and MACs on OpenSSL's HMAC. None of these calls can fail for a reason that an input
 * gives, so a failure is a broken library and ends the process.
 */

#include "tls/key.h"

#include "base/mem.h"
#include "tls/internal.h"
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

struct tls_mac {
    EVP_MAC_CTX *ctx; /* keyed */
};

/* OpenSSL's parameters predate const: it does not write to what these point at. */
static EVP_MAC_CTX *hmac_new(void)
{
    tls_begin();
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    int is_fine = ctx && EVP_MAC_CTX_set_params(ctx, params);
    assert(is_fine);
    return ctx;
}

static void hmac_key(EVP_MAC_CTX *ctx, struct slice key)
{
    static const unsigned char none[1] = {0};
    const unsigned char *bytes = key.len ? (const unsigned char *)key.ptr : none;
    int is_fine = EVP_MAC_init(ctx, bytes, key.len, NULL);
    assert(is_fine);
}

static void hmac_update(EVP_MAC_CTX *ctx, struct slice data)
{
    int is_fine = data.len == 0 || EVP_MAC_update(ctx, (const unsigned char *)data.ptr, data.len);
    assert(is_fine);
}

static void hmac_final(EVP_MAC_CTX *ctx, uint8_t ret_mac[TLS_HASH_BYTES])
{
    size_t len = 0;
    int is_fine = EVP_MAC_final(ctx, ret_mac, &len, TLS_HASH_BYTES);
    assert(is_fine && len == TLS_HASH_BYTES);
}

static struct slice slice_of(const uint8_t *bytes, size_t len)
{
    return slice_make((const char *)bytes, len);
}

void tls_hmac_sha256(struct slice key, struct slice data, uint8_t ret_mac[TLS_HASH_BYTES])
{
    EVP_MAC_CTX *ctx = hmac_new();
    hmac_key(ctx, key);
    hmac_update(ctx, data);
    hmac_final(ctx, ret_mac);
    EVP_MAC_CTX_free(ctx);
}

/* RFC 5869 section 2.3: T(i) = HMAC(PRK, T(i-1) | info | i). */
static void hkdf_expand(struct slice prk, struct slice info, uint8_t *ret_bytes, size_t len)
{
    EVP_MAC_CTX *ctx = hmac_new();
    uint8_t block[TLS_HASH_BYTES];
    struct slice previous = SLICE("");
    size_t done = 0;
    for (uint8_t i = 1; done < len; i++) {
        hmac_key(ctx, prk);
        hmac_update(ctx, previous);
        hmac_update(ctx, info);
        hmac_update(ctx, slice_of(&i, 1));
        hmac_final(ctx, block);
        size_t n = len - done < sizeof(block) ? len - done : sizeof(block);
        memcpy(ret_bytes + done, block, n);
        done += n;
        previous = slice_of(block, sizeof(block));
    }
    EVP_MAC_CTX_free(ctx);
    tls_wipe(block, sizeof(block));
}

void tls_hkdf_sha256(struct slice secret, struct slice salt, struct slice info, uint8_t *ret_bytes,
                     size_t len)
{
    assert(len >= 1 && len <= TLS_HKDF_MAX);
    uint8_t prk[TLS_HASH_BYTES];
    /* An empty HMAC key is padded to zeros, which is what section 2.2 wants of an absent salt. */
    tls_hmac_sha256(salt, secret, prk);
    hkdf_expand(slice_of(prk, sizeof(prk)), info, ret_bytes, len);
    tls_wipe(prk, sizeof(prk));
}

void tls_derive_key(struct slice secret, const char *purpose, uint8_t ret_key[TLS_KEY_BYTES])
{
    assert(secret.len);
    tls_hkdf_sha256(secret, SLICE("weir"), slice_from(purpose), ret_key, TLS_KEY_BYTES);
}

struct tls_mac *tls_mac_create(struct slice key)
{
    struct tls_mac *mac = MEM_NEW(struct tls_mac);
    mac->ctx = hmac_new();
    hmac_key(mac->ctx, key);
    return mac;
}

void tls_mac_destroy(struct tls_mac **mac)
{
    struct tls_mac *old = *mac;
    *mac = NULL;
    if (!old)
        return;
    EVP_MAC_CTX_free(old->ctx);
    mem_free(old);
}

void tls_mac_sign(struct tls_mac *mac, struct slice data, uint8_t ret_mac[TLS_HASH_BYTES])
{
    /* Without a key: the one before, from its first byte on. */
    int is_fine = EVP_MAC_init(mac->ctx, NULL, 0, NULL);
    assert(is_fine);
    hmac_update(mac->ctx, data);
    hmac_final(mac->ctx, ret_mac);
}

bool tls_is_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void tls_random(void *ret_bytes, size_t len)
{
    tls_begin();
    assert(len <= INT32_MAX);
    int is_fine = RAND_bytes(ret_bytes, (int)len);
    assert(is_fine == 1);
}

void tls_wipe(void *bytes, size_t len)
{
    OPENSSL_cleanse(bytes, len);
}
