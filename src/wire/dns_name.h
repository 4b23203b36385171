/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_NAME_H
#define WIRE_DNS_NAME_H

/*
 * Domain names: text and wire form, order, comparison.
 *
 *     www.Example.org.   <->   03 w w w 07 E x a m p l e 03 o r g 00
 *
 * Names are slices in wire form (dns.h). All but dns_name_read() and dns_name_is_valid() want a
 * valid one. Letters compare without their case (RFC 4343); that a length is at most 63, below 'A',
 * lets whole names be folded and compared as plain bytes. In text a backslash takes the next
 * character's meaning away, or is followed by a byte's three decimal digits (RFC 1035 section 5.1).
 * A name without a dot at its end is relative to an origin, @ is the origin itself.
 */

#include "base/err.h"
#include "base/slice.h"
#include "wire/dns.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_NAME_TEXT_MAX = 1024 }; /* a name in text, every byte escaped, with its NUL */

/* The root. */
#define DNS_ROOT ((struct slice){"", 1})

/*
 * Text into wire form, letters as they are. An empty `origin` refuses relative names and @. Returns
 * 0 and *ret_len (1..DNS_NAME_MAX), or -1 with a sentence: an empty label, a label above 63 bytes,
 * a name above 255, a bad escape.
 */
int dns_name_read(struct slice text, struct slice origin, uint8_t ret_name[DNS_NAME_MAX],
                  size_t *ret_len, struct err *err);

/* The absolute text, with a NUL; returns its length. What dig escapes is escaped. */
size_t dns_name_show(struct slice name, char ret_text[DNS_NAME_TEXT_MAX]);

/* The bytes of the name that `bytes` begin with; 0: they begin with none that is whole, of labels
 * alone and short enough. */
size_t dns_name_measure(struct slice bytes);

/* Exactly one name, of labels alone, which ends with the slice. */
bool dns_name_is_valid(struct slice name);

/* Letters made small: name.len bytes, which may be the same place. */
void dns_name_fold(struct slice name, uint8_t *ret_name);

static inline bool dns_name_equal(struct slice a, struct slice b)
{
    return a.len == b.len && slice_equal_nocase(a, b);
}

/* Labels without the root: 0..127. */
unsigned dns_name_labels(struct slice name);

/* The name without its first label; the root's is the root. */
static inline struct slice dns_name_parent(struct slice name)
{
    return name.len > 1 ? slice_skip(name, (size_t)(unsigned char)name.ptr[0] + 1) : name;
}

/* Is it `suffix`, or below it? */
bool dns_name_ends(struct slice name, struct slice suffix);

/* The canonical order (RFC 4034 section 6.1): from the last label on, letters folded, and what is
 * below a name behind it. <0, 0, >0. */
int dns_name_compare(struct slice a, struct slice b);

#endif
