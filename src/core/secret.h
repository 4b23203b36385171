/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H

/*
 * The secret that the nodes of one edge share, as a file of lines:
 *
 *     # head -c 32 /dev/urandom | base64
 *     q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=      the first: new things are made with it
 *     0123456789abcdef...                               further ones: still accepted
 *
 * Everything that has to be recognised later or elsewhere is made with keys that are derived from
 * it, one a purpose (tls/key.h): sticky cookies, TLS tickets. A change is two steps that no client
 * notices: the new secret goes below the old one on all nodes, then above it.
 *
 * A line is used byte by byte as it stands, whatever its writing; so there is nothing to decode and
 * no two tools can disagree about it. What its writing does decide is how many characters it must
 * have to hold 32 random bytes. Empty lines and lines that begin with # mean nothing; white space
 * around a line does not count.
 *
 * The supervisor reads the file and hands its bytes, as the blob BLOB_SECRET, to the kinds of
 * process that need it (struct module files_for); each reads them here. Without a secret-file the
 * supervisor makes one in the state directory, so that a restart changes nothing for clients.
 */

#include "base/err.h"
#include "base/slice.h"
#include <stddef.h>

#define BLOB_SECRET "secret"

enum {
    SECRETS_MAX = 4,           /* lines with a secret */
    SECRET_FILE_BYTES = 65536, /* a larger file is another file */
    SECRET_LINE_MAX = 1024,    /* characters */
    SECRET_HEX_MIN = 64,       /* characters that are hexadecimal digits and nothing else */
    SECRET_BASE64_MIN = 43,    /* characters of base64, in either alphabet */
    SECRET_TEXT_MIN = 32,      /* any others */
    SECRET_VARIETY_MIN = 8,    /* different characters; fewer were not drawn at random */
};

struct secrets {
    struct slice items[SECRETS_MAX]; /* the first is used for what is new */
    size_t n_items;                  /* at least 1 */
};

/* Reads a secret file; the items lie in `bytes`. 0, or -1 with err, which quotes no secret. */
int secrets_parse(struct slice bytes, struct secrets *ret_secrets, struct err *err);
/* The same, for struct file_want. */
int secrets_check(struct slice bytes, struct err *err);

#endif
