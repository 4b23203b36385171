/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The two frames, byte by byte.
 */

#include "wire/announce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t mac[VRRP_MAC_BYTES] = {2, 0, 0, 0, 0, 1};

static void test_arp(void **state)
{
    (void)state;
    static const uint8_t want[] = "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06"
                                  "\x00\x01\x08\x00\x06\x04\x00\x01"
                                  "\x02\x00\x00\x00\x00\x01\xcb\x00\x71\x0a"
                                  "\xff\xff\xff\xff\xff\xff\xcb\x00\x71\x0a";
    const struct vrrp_ip address = {4, {203, 0, 113, 10}};
    uint8_t frame[ANNOUNCE_MAX_BYTES];
    assert_int_equal(announce_write(&address, mac, true, frame), ANNOUNCE_ARP_BYTES);
    assert_int_equal(sizeof(want) - 1, ANNOUNCE_ARP_BYTES);
    assert_memory_equal(frame, want, ANNOUNCE_ARP_BYTES);
}

static void test_na(void **state)
{
    (void)state;
    uint8_t want[] = "\x33\x33\x00\x00\x00\x01\x02\x00\x00\x00\x00\x01\x86\xdd"
                     "\x60\x00\x00\x00\x00\x20\x3a\xff"
                     "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"
                     "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
                     "\x88\x00\x79\x0c\xa0\x00\x00\x00"
                     "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"
                     "\x02\x01\x02\x00\x00\x00\x00\x01";
    const struct vrrp_ip address = {16, {0x20, 0x01, 0x0d, 0xb8, [15] = 0x10}};
    uint8_t frame[ANNOUNCE_MAX_BYTES];
    assert_int_equal(announce_write(&address, mac, true, frame), ANNOUNCE_NA_BYTES);
    assert_int_equal(sizeof(want) - 1, ANNOUNCE_NA_BYTES);
    assert_memory_equal(frame, want, ANNOUNCE_NA_BYTES);

    /* Without R the flags are 0x8000 less, so the checksum is as much more: 0x790c + 0x8000. */
    want[56] = 0xf9;
    want[58] = 0x20;
    assert_int_equal(announce_write(&address, mac, false, frame), ANNOUNCE_NA_BYTES);
    assert_memory_equal(frame, want, ANNOUNCE_NA_BYTES);
}

static void test_virtual_mac(void **state)
{
    (void)state;
    uint8_t got[VRRP_MAC_BYTES];
    announce_virtual_mac(7, false, got);
    assert_memory_equal(got, "\x00\x00\x5e\x00\x01\x07", 6);
    announce_virtual_mac(255, true, got);
    assert_memory_equal(got, "\x00\x00\x5e\x00\x02\xff", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arp),
        cmocka_unit_test(test_na),
        cmocka_unit_test(test_virtual_mac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
