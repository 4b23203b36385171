/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ZONE_STAGE_H
#define DNS_ZONE_STAGE_H

/*
 * What the tests of zones and answers share: names written as people write them, zones that are
 * built of text, and messages as text again. Included by tests alone. What cannot be done fails
 * the test.
 *
 *     stage_name("a.t.", name)    -> the name in wire form, in the caller's bytes
 *     stage_set(&build)           -> the one zone that was built, ready to answer; the caller ends
 *                                    it with zone_set_destroy()
 *     stage_records(message, out) -> a line a record behind the question, each with the mark of
 *                                    its section: + answer, - authority, ! additional
 */

#include "dns/zone.h"
#include "dns/zone_build.h"
#include "wire/dns_name.h"
#include "wire/dns_read.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline struct slice stage_name(const char *text, uint8_t name[DNS_NAME_MAX])
{
    size_t len;
    assert_int_equal(dns_name_read(slice_from(text), DNS_ROOT, name, &len, NULL), 0);
    return slice_make((const char *)name, len);
}

static inline struct zone_set *stage_set(struct zone_build **build)
{
    struct zone *zone = zone_build_finish(build);
    assert_non_null(zone);
    return zone_set_create(&zone, 1, 1);
}

static inline void stage_records(struct slice message, struct text *out)
{
    static const char marks[DNS_N_SECTIONS] = "?+-!";
    struct dns_reader reader;
    struct dns_record record;
    int res;
    assert_int_equal(dns_reader_init(&reader, message), 0);
    while ((res = dns_read_record(&reader, &record)) == 1) {
        if (record.section == DNS_QUESTION)
            continue;
        text_printf(out, "\n%c ", marks[record.section]);
        dns_record_show(message, &record, out);
    }
    assert_int_equal(res, 0);
}

#endif
