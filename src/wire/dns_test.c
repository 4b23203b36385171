/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The names of the numbers, in both directions.
 */

#include "wire/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_numbers(void **state)
{
    (void)state;
    char text[DNS_TYPE_TEXT_MAX];
    for (unsigned value = 0; value <= UINT16_MAX; value++) {
        uint16_t again;
        assert_int_equal(dns_type_read(slice_from(dns_type_show((uint16_t)value, text)), &again),
                         0);
        assert_int_equal(again, value);
        assert_int_equal(dns_class_read(slice_from(dns_class_show((uint16_t)value, text)), &again),
                         0);
        assert_int_equal(again, value);
    }
    uint16_t type;
    assert_int_equal(dns_type_read(SLICE("aaaa"), &type), 0);
    assert_int_equal(type, DNS_AAAA);
    assert_int_equal(dns_type_read(SLICE("type1"), &type), 0);
    assert_int_equal(type, DNS_A);
    assert_int_equal(dns_type_read(SLICE("TYPE65536"), &type), -1);
    assert_int_equal(dns_type_read(SLICE("TYPE"), &type), -1);
    assert_int_equal(dns_type_read(SLICE("AAAAA"), &type), -1);
    assert_int_equal(dns_type_read(SLICE(""), &type), -1);
    assert_string_equal(dns_type_show(DNS_HTTPS, text), "HTTPS");
    assert_string_equal(dns_type_show(65280, text), "TYPE65280");
    assert_string_equal(dns_class_show(DNS_CLASS_CH, text), "CH");
    assert_string_equal(dns_rcode_show(DNS_BADVERS, text), "BADVERS");
    assert_string_equal(dns_rcode_show(4095, text), "RCODE4095");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
