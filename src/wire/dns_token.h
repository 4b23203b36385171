/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_TOKEN_H
#define WIRE_DNS_TOKEN_H

/*
 * The words of a record's text (RFC 1035 section 5.1), which a zone file's lexer hands to
 * dns_rdata_read():
 *
 *     10 mail            two words
 *     "v=spf1 -all"      one quoted word: the bytes between the quotes
 *     a\ b\"c\100        one word; escapes stand in it as they were written
 *     alpn="h2,h3"       one word that holds its quotes: what they enclose parts no words
 *
 * Whoever cuts words leaves escapes alone, and takes away only quotes that a word begins with.
 */

#include "base/err.h"
#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_TOKENS_MAX = 256, DNS_STRING_MAX = 255 /* bytes of a character string */ };

struct dns_token {
    struct slice text;
    bool is_quoted;
};

/*
 * Cuts one line of text, without comments and parentheses, into at most DNS_TOKENS_MAX words, which
 * lie in it. Returns 0 and *ret_n, or -1 with a sentence: too many, a quote that stays open, or
 * that is followed by something other than a blank.
 */
int dns_token_split(struct slice line, struct dns_token ret_tokens[DNS_TOKENS_MAX], size_t *ret_n,
                    struct err *err);

/* The bytes that a word means: escapes replaced. Returns how many, or -1 with a sentence: a bad
 * escape, or more than cap. */
int dns_token_bytes(struct slice text, uint8_t *out, size_t cap, struct err *err);

/* The character or escape at text[*at], *at < text.len, which becomes what follows. */
int dns_token_byte(struct slice text, size_t *at, uint8_t *ret_byte, struct err *err);

/* Seconds, in a zone file's way: 3600, 1h, 1w2d3h4m5s; 0, or -1 where it is no such time or does
 * not fit. */
int dns_token_seconds(struct slice text, uint32_t *ret_s);

#endif
