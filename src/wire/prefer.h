/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_PREFER_H
#define WIRE_PREFER_H

/*
 * The Prefer field (RFC 7240), as far as it says when a client wants its answer:
 *
 *     Prefer: respond-async, wait=10, return=minimal
 *
 * Preferences of other names are somebody else's. Of a preference that comes twice the first counts
 * (section 2), also where the field itself comes twice. What is no list of preferences says
 * nothing: a preference is a wish, and nobody is refused for one. No sockets, no clock.
 */

#include "base/slice.h"
#include "base/text.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stdint.h>

enum { PREFER_WAIT_MAX_S = 1000000 /* a longer wait is this one */ };

struct prefer {
    bool is_async; /* respond-async */
    bool has_wait;
    uint32_t wait_s; /* wait=10; 0 where the number is none */
};

/* Reads all Prefer fields of a head, which was parsed from buf. */
void prefer_read(const struct h1_head *head, const char *buf, struct prefer *ret_prefer);

/*
 * Appends the preferences of a list (the value of a field) that are neither respond-async nor wait,
 * as they stand, joined by a comma and a space. Nothing is appended where there are none.
 */
void prefer_write_others(struct slice list, struct text *out);

#endif
