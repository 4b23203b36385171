/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_PICK_KEY_H
#define HTTP_PICK_KEY_H

/*
 * The key of a request: what `balance hash ...` and `sticky source`, `sticky header` go by.
 *
 *     source          the client's address, without its port; the 64 first bits of an IPv6 address,
 *                     as hosts change the rest of it as they like
 *     header NAME     the first field of that name
 *     cookie NAME     the first cookie of that name
 *     path            as it came, without the query
 *     query           all of it; query NAME: the first parameter of that name, as it came
 *
 * It comes out hashed, under a key that all nodes of an edge share (from the secret), so that they
 * agree, and nobody outside can choose where he lands. A request that has not what is asked for, or
 * has it empty, has no key.
 */

#include "base/addr.h"
#include "base/hash.h"
#include "base/slice.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stdint.h>

enum pick_key_kind {
    PICK_KEY_SOURCE,
    PICK_KEY_HEADER,
    PICK_KEY_COOKIE,
    PICK_KEY_PATH,
    PICK_KEY_QUERY,
};

/* `name` for header and cookie, and for query where it is not empty. False: there is no key. */
bool pick_key(enum pick_key_kind kind, struct slice name, const struct hash_key *hash_key,
              const struct h1_head *head, const char *buf, const struct addr *peer,
              uint64_t *ret_key);

#endif
