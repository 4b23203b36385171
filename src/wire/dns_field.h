/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_FIELD_H
#define WIRE_DNS_FIELD_H

/*
 * Fields of data that have a form of their own, one word each but the last: for the codecs of
 * records alone (dns_form.h has all letters).
 *
 *     T  a type, 16 bits: NSEC                 l  an algorithm of keys, 8 bits: 13, ECDSAP256SHA256
 *     c  a kind of certificate, 16 bits: PKIX  D  a second since 1970: 20260101000000, 1767225600
 *     h  a salt: length, bytes: -, AABB        H  a hash: length, bytes: base32hex (RFC 5155 3.3)
 *     i  64 bits: 14:4fff:ff20:ee64            e E  48 or 64 bits: 00-00-5e-00-53-2a
 *     w  types to the end: A MX TYPE1234       (RFC 4034 section 4.1.2)
 *
 * On the wire `w` is a block for each 256 types that has one:
 *
 *     | window 1 | length 1 | bits, length bytes, the last one not 0 |   windows rising
 */

#include "wire/dns.h"
#include "wire/dns_form.h"
#include "wire/dns_token.h"

/* All but w: the bytes of a word; -1 with a sentence. */
int dns_field_read(char field, struct slice text, struct dns_out *out, struct err *err);
/* w: of all words, also of none. */
int dns_field_read_types(const struct dns_token *tokens, size_t n_tokens, struct dns_out *out,
                         struct err *err);
/* The bytes that the field takes of `rest`, or -1 where it is not valid. */
int dns_field_measure(char field, struct slice rest);
/* Appends the text; `bytes` are the field's, valid. */
void dns_field_show(char field, struct slice bytes, struct text *out);
/* "a type": what is wanted where the word is missing. */
const char *dns_field_name(char field);

#endif
