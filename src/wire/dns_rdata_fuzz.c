/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two bytes of a type, and any bytes as the text and as the wire form of its data: what can be read
 * is valid, its text reads as the same bytes, and its parts are all of it. The text is taken as a
 * name too.
 */

#include "wire/dns_name.h"
#include "wire/dns_rdata.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ORIGIN SLICE("\7example\3org\0")

static void check_parts(uint16_t type, struct slice rdata)
{
    struct dns_parts parts;
    struct dns_part part;
    size_t len = 0;
    dns_parts_init(&parts, type, rdata);
    while (dns_parts_next(&parts, &part)) {
        assert(part.bytes.len > 0 && part.bytes.ptr == rdata.ptr + len);
        assert(part.kind == DNS_PART_BYTES || dns_name_is_valid(part.bytes));
        len += part.bytes.len;
    }
    assert(len == rdata.len);
}

/* Is shown, and what is shown reads as the same bytes, where they are data of the type. */
static void check_wire(uint16_t type, struct slice rdata)
{
    static uint8_t again[DNS_RDATA_MAX];
    struct text shown = TEXT_NONE;
    size_t len;
    check_parts(type, rdata);
    dns_rdata_show(type, rdata, &shown);
    int result =
        dns_rdata_read_line(type, text_slice(&shown), SLICE(""), again, sizeof(again), &len, NULL);
    /* More strings than a line may have words are shown and not read. */
    bool is_long = shown.len > DNS_TOKENS_MAX;
    assert((result == 0) == (dns_rdata_is_valid(type, rdata) && !dns_type_is_meta(type)) ||
           (is_long && result < 0));
    if (result == 0)
        assert(slice_equal(slice_make((char *)again, len), rdata));
    text_deinit(&shown);
}

static void check_text(uint16_t type, struct slice text)
{
    static uint8_t out[DNS_RDATA_MAX];
    size_t len, ignored;
    struct err err = ERR_NONE;
    if (dns_rdata_read_line(type, text, ORIGIN, out, sizeof(out), &len, &err) < 0) {
        assert(err.text[0] != '\0');
        return;
    }
    struct slice rdata = slice_make((char *)out, len);
    assert(dns_rdata_is_valid(type, rdata));
    check_wire(type, rdata);
    assert(len == 0 || dns_rdata_read_line(type, text, ORIGIN, out, len - 1, &ignored, NULL) == -1);
}

static void check_name(struct slice text)
{
    uint8_t name[DNS_NAME_MAX], again[DNS_NAME_MAX];
    char shown[DNS_NAME_TEXT_MAX];
    size_t len, again_len;
    if (dns_name_read(text, ORIGIN, name, &len, NULL) < 0)
        return;
    struct slice wire = slice_make((char *)name, len);
    assert(dns_name_is_valid(wire));
    size_t n = dns_name_show(wire, shown);
    assert(n < sizeof(shown));
    assert(dns_name_read(slice_make(shown, n), SLICE(""), again, &again_len, NULL) == 0);
    assert(slice_equal(wire, slice_make((char *)again, again_len)));
    assert(dns_name_compare(wire, slice_make((char *)again, again_len)) == 0);
    assert(dns_name_compare(wire, dns_name_parent(wire)) > 0 || len == 1);
    assert(dns_name_ends(wire, dns_name_parent(wire)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096)
        return 0;
    uint16_t type = dns_get16(data);
    struct slice bytes = slice_make((const char *)data + 2, size - 2);
    check_text(type, bytes);
    check_wire(type, bytes);
    check_name(bytes);
    return 0;
}
