/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys of session tickets: derived from the secrets and the half day, so that every loop and node
 * has the same without a word between them.
 */

#include "base/mem.h"
#include "tls/internal.h"
#include "tls/key.h"
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

struct ticket_key {
    uint8_t name[TICKET_NAME_BYTES]; /* goes in the clear at the head of the ticket */
    uint8_t cipher[TICKET_CIPHER_BYTES];
    uint8_t mac[TLS_KEY_BYTES];
};

enum {
    TURNS = 3, /* this half day, the one before, the one after */
    KEYS_MAX = SECRETS_MAX * TURNS,
};

struct ticket_ring {
    uint64_t turn; /* for which it was made */
    bool is_made;
    struct ticket_key keys[KEYS_MAX]; /* by secret, then this, before, after; [0] makes new ones */
};

struct tls_tickets {
    char *secrets[SECRETS_MAX];
    size_t secret_lens[SECRETS_MAX];
    size_t n_secrets;
    EVP_CIPHER *cipher;
    uint32_t n_loops;
    struct ticket_ring rings[]; /* [loop] */
};

struct tls_tickets *tls_tickets_create(const struct secrets *secrets, uint32_t n_loops)
{
    struct tls_tickets *tickets = mem_alloc(sizeof(*tickets) + n_loops * sizeof(tickets->rings[0]));
    memset(tickets, 0, sizeof(*tickets) + n_loops * sizeof(tickets->rings[0]));
    tickets->n_loops = n_loops;
    tickets->n_secrets = secrets->n_items;
    for (size_t i = 0; i < secrets->n_items; i++) {
        tickets->secrets[i] = slice_dup(secrets->items[i]);
        tickets->secret_lens[i] = secrets->items[i].len;
    }
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    assert(tickets->cipher);
    return tickets;
}

void tls_tickets_destroy(struct tls_tickets **tickets_ptr)
{
    struct tls_tickets *tickets = *tickets_ptr;
    *tickets_ptr = NULL;
    if (!tickets)
        return;
    for (size_t i = 0; i < tickets->n_secrets; i++) {
        tls_wipe(tickets->secrets[i], tickets->secret_lens[i]);
        mem_free(tickets->secrets[i]);
    }
    EVP_CIPHER_free(tickets->cipher);
    tls_wipe(tickets->rings, tickets->n_loops * sizeof(tickets->rings[0]));
    mem_free(tickets);
}

static void key_make(struct ticket_key *key, struct slice secret, uint64_t turn)
{
    char purpose[64];
    int n = snprintf(purpose, sizeof(purpose), "tls ticket %llu", (unsigned long long)turn);
    assert(n > 0 && (size_t)n < sizeof(purpose));
    tls_hkdf_sha256(secret, SLICE("weir"), slice_from(purpose), (uint8_t *)key, sizeof(*key));
}

static const struct ticket_ring *ring_of(struct tls_tickets *tickets, uint32_t loop_index,
                                         uint64_t wall_s)
{
    assert(loop_index < tickets->n_loops);
    struct ticket_ring *ring = &tickets->rings[loop_index];
    uint64_t turn = wall_s / TICKET_TURN_S;
    if (ring->is_made && ring->turn == turn)
        return ring;
    for (size_t i = 0; i < tickets->n_secrets; i++) {
        struct slice secret = slice_make(tickets->secrets[i], tickets->secret_lens[i]);
        struct ticket_key *keys = &ring->keys[i * TURNS];
        key_make(&keys[0], secret, turn);
        key_make(&keys[1], secret, turn - 1);
        key_make(&keys[2], secret, turn + 1);
    }
    ring->turn = turn;
    ring->is_made = true;
    return ring;
}

static int mac_set(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
    char digest[] = "SHA256";
    uint8_t bytes[sizeof(key->mac)];
    memcpy(bytes, key->mac, sizeof(bytes));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, bytes, sizeof(bytes)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    int is_fine = EVP_MAC_CTX_set_params(mac, params);
    tls_wipe(bytes, sizeof(bytes));
    return is_fine;
}

static int ticket_make(const struct tls_tickets *tickets, const struct ticket_key *key,
                       unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac)
{
    memcpy(name, key->name, sizeof(key->name));
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->cipher)) != 1 ||
        EVP_EncryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) != 1 ||
        !mac_set(mac, key))
        return -1;
    return 1;
}

static int ticket_read(const struct tls_tickets *tickets, const struct ticket_ring *ring,
                       const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac)
{
    for (size_t i = 0; i < tickets->n_secrets * TURNS; i++) {
        const struct ticket_key *key = &ring->keys[i];
        if (memcmp(name, key->name, sizeof(key->name)) != 0)
            continue;
        if (EVP_DecryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) != 1 ||
            !mac_set(mac, key))
            return -1;
        return i == 0 ? 1 : 2;
    }
    return 0;
}

int tls_tickets_use(struct tls_tickets *tickets, uint32_t loop_index, uint64_t wall_s,
                    unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, bool is_new)
{
    const struct ticket_ring *ring = ring_of(tickets, loop_index, wall_s);
    if (is_new)
        return ticket_make(tickets, &ring->keys[0], name, iv, cipher, mac);
    return ticket_read(tickets, ring, name, iv, cipher, mac);
}
