/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_H1_FUZZ_H
#define WIRE_H1_FUZZ_H

/*
 * What the fuzz targets for request and response heads share: reading a head in several ways with
 * one outcome, and a second, slow and simple opinion on what may be accepted.
 *
 * The first byte of an input chooses options, the second where the input is cut; the rest is fed to
 * the parser. Every FUZZ_CHECK that fails is a bug in the codec.
 */

#include "wire/h1.h"
#include <stdlib.h>

#define FUZZ_CHECK(what) \
    do {                 \
        if (!(what))     \
            abort();     \
    } while (0)

enum { FUZZ_OPTION_BYTES = 2 };

struct fuzz_case {
    const char *buf;
    size_t len;
    size_t cut;
    uint8_t options;
    bool is_response;
    bool is_written; /* by the codec itself: no leniency */
    struct h1_asked asked;
    struct h1_limits limits;
};

/* Options and bytes; false where there are too few. Bit 0 chooses small limits. */
bool fuzz_case_init(struct fuzz_case *fuzz, const uint8_t *data, size_t len);

/*
 * Reads the head whole and cut in pieces, and checks that the outcomes are the same and that what
 * is accepted may be. True: accepted, and `head` is the whole one.
 */
bool fuzz_read(const struct fuzz_case *fuzz, struct h1_head *head);

/* Reads what a writer wrote; it must be one complete head. */
void fuzz_read_again(const struct fuzz_case *fuzz, const char *buf, size_t len,
                     struct h1_head *head);

#endif
