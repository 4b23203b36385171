/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys of tickets: the same for whoever has the secret, turning with the half day, and what is
 * accepted from whom.
 */

#include "base/mem.h"
#include "tls/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECRET  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SECRET2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

enum { NOW_S = 1800000000, LOOPS = 2, MAC_BYTES = 32 };

struct ticket {
    unsigned char name[TICKET_NAME_BYTES], iv[EVP_MAX_IV_LENGTH];
    unsigned char bytes[64], mac[MAC_BYTES];
    int len;
};

static struct tls_tickets *make(const char *text)
{
    struct secrets secrets;
    assert_int_equal(secrets_parse(slice_from(text), &secrets, NULL), 0);
    return tls_tickets_create(&secrets, LOOPS);
}

static EVP_MAC_CTX *new_mac(void)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    return ctx;
}

static void mac_over(EVP_MAC_CTX *mac, const struct ticket *ticket, unsigned char *ret_mac)
{
    size_t len;
    assert_int_equal(EVP_MAC_init(mac, NULL, 0, NULL), 1);
    assert_int_equal(EVP_MAC_update(mac, ticket->bytes, (size_t)ticket->len), 1);
    assert_int_equal(EVP_MAC_final(mac, ret_mac, &len, MAC_BYTES), 1);
}

static struct ticket seal(struct tls_tickets *tickets, uint32_t loop, uint64_t wall_s)
{
    struct ticket ticket;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX *mac = new_mac();
    int n;
    assert_int_equal(
        tls_tickets_use(tickets, loop, wall_s, ticket.name, ticket.iv, cipher, mac, true), 1);
    assert_int_equal(
        EVP_EncryptUpdate(cipher, ticket.bytes, &ticket.len, (const unsigned char *)"session", 7),
        1);
    assert_int_equal(EVP_EncryptFinal_ex(cipher, ticket.bytes + ticket.len, &n), 1);
    ticket.len += n;
    mac_over(mac, &ticket, ticket.mac);
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    return ticket;
}

/* What tls_tickets_use() says; where it knows the key, the ticket opens. */
static int unseal(struct tls_tickets *tickets, uint32_t loop, uint64_t wall_s, struct ticket ticket)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX *mac = new_mac();
    unsigned char bytes[64], seen[MAC_BYTES];
    int n, more;
    int rc = tls_tickets_use(tickets, loop, wall_s, ticket.name, ticket.iv, cipher, mac, false);
    if (rc > 0) {
        mac_over(mac, &ticket, seen);
        assert_memory_equal(seen, ticket.mac, MAC_BYTES);
        assert_int_equal(EVP_DecryptUpdate(cipher, bytes, &n, ticket.bytes, ticket.len), 1);
        assert_int_equal(EVP_DecryptFinal_ex(cipher, bytes + n, &more), 1);
        assert_int_equal(n + more, 7);
        assert_memory_equal(bytes, "session", 7);
    }
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    return rc;
}

static void test_turns(void **state)
{
    (void)state;
    static const struct {
        int64_t later_s;
        int want;
    } rows[] = {
        {0, 1},
        {TICKET_TURN_S, 2},      /* the half day after: still read, and worth a newer one */
        {-TICKET_TURN_S, 2},     /* a clock that is behind */
        {2 * TICKET_TURN_S, 0},  /* gone */
        {-2 * TICKET_TURN_S, 0}, /* nobody's clock is so wrong */
        {100 * TICKET_TURN_S, 0},
    };
    struct tls_tickets *here = make(SECRET), *there = make(SECRET);
    struct ticket ticket = seal(here, 0, NOW_S);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t at_s = (uint64_t)(NOW_S + rows[i].later_s);
        for (uint32_t loop = 0; loop < LOOPS; loop++) {
            assert_int_equal(unseal(here, loop, at_s, ticket), rows[i].want);
            assert_int_equal(unseal(there, loop, at_s, ticket), rows[i].want);
        }
    }
    tls_tickets_destroy(&here);
    tls_tickets_destroy(&there);
    assert_null(here);
}

/* A change of the secret in two steps: the new one below, then above. */
static void test_secrets(void **state)
{
    (void)state;
    struct tls_tickets *old = make(SECRET), *below = make(SECRET "\n" SECRET2);
    struct tls_tickets *above = make(SECRET2 "\n" SECRET), *new = make(SECRET2);
    struct ticket by_old = seal(old, 0, NOW_S), by_above = seal(above, 0, NOW_S);
    assert_int_equal(unseal(below, 0, NOW_S, by_old), 1);
    assert_int_equal(unseal(above, 0, NOW_S, by_old), 2);
    assert_int_equal(unseal(new, 0, NOW_S, by_old), 0);
    assert_int_equal(unseal(below, 0, NOW_S, by_above), 2);
    assert_int_equal(unseal(old, 0, NOW_S, by_above), 0);
    assert_int_equal(unseal(new, 0, NOW_S, by_above), 1);
    tls_tickets_destroy(&old);
    tls_tickets_destroy(&below);
    tls_tickets_destroy(&above);
    tls_tickets_destroy(&new);
}

/* No two tickets begin alike behind the name of their key. */
static void test_fresh_iv(void **state)
{
    (void)state;
    struct tls_tickets *tickets = make(SECRET);
    struct ticket one = seal(tickets, 0, NOW_S), other = seal(tickets, 0, NOW_S);
    assert_memory_equal(one.name, other.name, sizeof(one.name));
    assert_memory_not_equal(one.iv, other.iv, 16);
    tls_tickets_destroy(&tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_fresh_iv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
