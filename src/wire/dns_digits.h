/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_DIGITS_H
#define WIRE_DNS_DIGITS_H

/*
 * Bytes as hexadecimal digits and as base64 (RFC 4648 section 4, with its padding), which records
 * may spread over several words, and as base32hex (section 7, without padding), which is one word.
 * For the codecs of records alone.
 */

#include "base/err.h"
#include "base/text.h"
#include "wire/dns_token.h"

/* Reads all words as one run of digits. Returns the bytes, or -1 with a sentence: another
 * character, half a byte, wrong padding, more than cap. */
int dns_hex_read(const struct dns_token *tokens, size_t n_tokens, uint8_t *out, size_t cap,
                 struct err *err);
int dns_base64_read(const struct dns_token *tokens, size_t n_tokens, uint8_t *out, size_t cap,
                    struct err *err);
int dns_base32_read(struct slice text, uint8_t *out, size_t cap, struct err *err);

/* Capital digits without blanks. */
void dns_hex_show(struct slice bytes, struct text *out);
void dns_base64_show(struct slice bytes, struct text *out);
void dns_base32_show(struct slice bytes, struct text *out);

#endif
