/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_BUNDLE_H
#define CONF_BUNDLE_H

/*
 * The sealed bundle: what one process of weir may see of the outside, in one run of bytes.
 *
 * The supervisor alone opens configured files. It parses the configuration through a recorder,
 * which passes every question on to the disk and keeps each answer that it gave; so the bundle
 * holds exactly the bytes that the parse saw, and every other process, which parses them again
 * through conf_bundle_host() with the same code, comes to the same configuration. Further bytes
 * that a process needs travel beside them as named blobs: hosts, resolv.conf, tokens, keys, the
 * node's name.
 *
 *     supervisor                                            edge, health, admin ...
 *
 *     disk <- conf_host <- conf_recorder <- conf_tree_read  conf_bundle_decode(bytes)
 *                              |                                 |
 *                         conf_bundle --- conf_bundle_encode --> conf_bundle
 *                              ^           (a sealed memfd)      |          |
 *                       conf_bundle_add(BLOB)         conf_bundle_host   conf_bundle_blob
 *                                                        (tree_read)
 *
 * One recording serves all processes: record once, then for each process init a bundle, join the
 * recording, add the blobs that this process may see, encode.
 *
 * The bytes, all numbers big-endian:
 *
 *      0              8           12          16
 *     +--------------+-----------+-----------+-------+-------+-----
 *     | "weirbndl"   | version 1 | n_entries | entry | entry | ...      nothing behind the last
 *     +--------------+-----------+-----------+-------+-------+-----
 *     entry:
 *      0      1          5           9
 *     +------+----------+-----------+---------------+----+----------------+----+
 *     | kind | name_len | bytes_len | name          | 00 | bytes          | 00 |
 *     +------+----------+-----------+---------------+----+----------------+----+
 *
 *     kind  'F'  name is a path as it was asked for, bytes is the file
 *           'G'  name is a pattern, bytes is each path that matched with a NUL behind it, sorted
 *           'E'  name is an environment variable that is set, bytes its value
 *           'B'  a blob: name and bytes mean what the two sides agreed on
 *
 * A question that was answered with a failure is not kept: such a configuration is not started. A
 * name stands once within its kind. The version goes up with every change; both sides are the same
 * binary but for the moment of an upgrade, where a process refuses a version that is not its own.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include "conf/tree.h"
#include <stddef.h>
#include <stdint.h>

enum {
    CONF_BUNDLE_VERSION = 1,
    CONF_BUNDLE_ENTRIES_MAX = 4096,
    CONF_BUNDLE_NAME_MAX = 4096,        /* bytes of one name, at least 1, no NUL inside */
    CONF_BUNDLE_BYTES_MAX = 64 << 20,   /* bytes of one entry */
    CONF_BUNDLE_ENCODED_MAX = 256 << 20 /* bytes of the whole */
};

enum conf_bundle_kind {
    CONF_BUNDLE_FILE = 'F',
    CONF_BUNDLE_GLOB = 'G',
    CONF_BUNDLE_ENV = 'E',
    CONF_BUNDLE_BLOB = 'B',
};

struct conf_bundle_entry {
    enum conf_bundle_kind kind;
    struct slice name;  /* a NUL behind it */
    struct slice bytes; /* a NUL behind it, not counted */
    char *own;          /* the copy of bytes that this bundle made; NULL where they are borrowed */
};

struct conf_bundle {
    struct arena arena; /* owns what conf_bundle_add() copied */
    struct conf_bundle_entry *entries;
    size_t n_entries, cap_entries;
    size_t encoded_bytes; /* what conf_bundle_encode() would write */
};

void conf_bundle_init(struct conf_bundle *bundle);
/* Wipes what was copied, as there may be keys in it, and frees it. */
void conf_bundle_deinit(struct conf_bundle *bundle);

/*
 * Adds a copy of both. Returns 0, or -1 with err when the name stands already within its kind, or a
 * limit above is passed, or a name or value holds a NUL where it cannot.
 */
int conf_bundle_add(struct conf_bundle *bundle, enum conf_bundle_kind kind, struct slice name,
                    struct slice bytes, struct err *err);
/* Adds every entry of `from`, borrowed: `from` outlives `bundle`. Returns as conf_bundle_add(). */
int conf_bundle_join(struct conf_bundle *bundle, const struct conf_bundle *from, struct err *err);

/* The entry, or NULL. */
const struct conf_bundle_entry *conf_bundle_find(const struct conf_bundle *bundle,
                                                 enum conf_bundle_kind kind, struct slice name);
/* The blob of that name; where there is none, the empty slice with a NULL ptr. */
struct slice conf_bundle_blob(const struct conf_bundle *bundle, const char *name);

/* Appends the encoding to out. */
void conf_bundle_encode(const struct conf_bundle *bundle, struct text *out);
/*
 * Reads an encoding into `bundle`, which was inited and is empty. The entries point into `bytes`,
 * which outlive them. Every length is checked; what is not exactly an encoding of this version is
 * refused: -1 with err, and the bundle is empty again.
 */
int conf_bundle_decode(struct conf_bundle *bundle, struct slice bytes, struct err *err);

/*
 * A host (conf/tree.h) that answers from the bundle alone. What the bundle does not hold is an
 * error for files and patterns, and not set for variables. Answers are copied into the caller's
 * arena. The bundle outlives the host.
 */
struct conf_host conf_bundle_host(const struct conf_bundle *bundle);

/*
 * Stands between the parser and `inner` and puts every answer into `bundle`. Asked again, it gives
 * the answer that it kept, so that one parse never sees two versions of a file. inner and bundle
 * outlive it.
 */
struct conf_recorder {
    const struct conf_host *inner;
    struct conf_bundle *bundle;
};

/* A host that asks the recorder, which outlives it. An answer that the bundle has no room for is an
 * error; a variable for which it has none counts as not set. */
struct conf_host conf_recorder_host(struct conf_recorder *recorder);

#endif
