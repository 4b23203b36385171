/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_FORM_H
#define WIRE_DNS_FORM_H

/*
 * What the data of a type are made of: a string of letters, one a field, in the order of both the
 * wire and the text. For the codecs of records alone; others use dns_rdata.h.
 *
 *     n  a name, compressed (types of RFC 1035)     s  a character string: length, bytes
 *     d  a name, written whole, perhaps read short  S  one or more of them, to the end
 *     N  a name, always whole                       g  one of letters and digits, without quotes
 *     1 2 4  a number of as many bytes              v  a string without length, to the end
 *     t  32 bits of seconds                         x  bytes to the end, as hexadecimal digits
 *     a A  an address, IPv4 or IPv6                 b  bytes to the end, as base64
 *     T c l D h H i e E w  as in dns_field.h        p  the parameters of SVCB (dns_svcb.h)
 */

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

/* NULL where the type is not known. */
const char *dns_form_fields(uint16_t type);

/* The bytes that a field takes of `rest`, or -1 where it is not valid. */
int dns_form_measure(char field, struct slice rest);

static inline bool dns_form_is_name(char field)
{
    return field == 'n' || field == 'd' || field == 'N';
}

/* Where data are put together. */
struct dns_out {
    uint8_t *ptr;
    size_t cap;
    size_t len;
};

/* Appends; -1 with a sentence where it does not fit. */
int dns_out_put(struct dns_out *out, const void *bytes, size_t len, struct err *err);
int dns_out_number(struct dns_out *out, uint64_t value, size_t n_bytes, struct err *err);

/* Appends a string's bytes with quotes around them; what is no text as \\123. */
void dns_form_quote(struct slice bytes, struct text *out);

#endif
