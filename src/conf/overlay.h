/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_OVERLAY_H
#define CONF_OVERLAY_H

/*
 * What was added to a configuration, and taken out of it, while it was in force: a small file of
 * the configuration language that weir writes itself and that is laid over the tree of the
 * operator's file before the rows are filled, so that every bound and every name is checked by the
 * same code, and messages name the place in it.
 *
 *     runtime 1
 *     pool web {
 *         member app9 10.0.1.19:8080 weight 2
 *         without member app2 10.0.1.12:8080
 *     }
 *
 *     file's tree   pool web { member app1 ...; member app2 ... }
 *     with it       pool web { member app1 ...; member app9 ... }
 *
 * Which blocks and which statements in them may be so changed is said by struct
 * conf_overlay_words; everything else in the file is an error, and so are include and ${NAME}: the
 * overlay is written by a process that may not read what the supervisor may.
 *
 * The operator's file wins. An entry that it contradicts has no effect, and says so:
 *
 *     the block is not in the file any more                                nothing to change
 *     a statement of that name was put into the file                       the file's counts
 *     a statement that was taken out is another one in the file now        the file's counts
 *     a statement that was taken out is not in the file any more           done for good
 *
 * No system calls: the bytes come through the host (conf/tree.h).
 */

#include "base/arena.h"
#include "base/slice.h"
#include "base/text.h"
#include "conf/diag.h"
#include "conf/tree.h"
#include <stdbool.h>
#include <stddef.h>

enum { CONF_OVERLAY_VERSION = 1, CONF_OVERLAY_MAX = 1024 }; /* entries */

/* What may be changed: statements `member NAME ...` in blocks `pool NAME { ... }`. */
struct conf_overlay_words {
    const char *block;     /* "pool" */
    const char *statement; /* "member" */
};

struct conf_overlay_entry {
    struct slice block; /* "web" */
    struct slice name;  /* "app9" */
    const char *line;   /* the statement, "member app9 10.0.1.19:8080 weight 2" */
    bool is_removal;
    bool is_in_force;
    bool is_adopted; /* not in force because the file says the same now */
    const char *why; /* not in force: a sentence */
    struct conf_at at;
};

struct conf_overlay {
    struct conf_overlay_entry *entries; /* in the order of the file */
    size_t n_entries;
};

/*
 * Reads the overlay at `path` and lays it over `root`. Mistakes of form go to diag; what the file
 * contradicts is no mistake, and a warning in diag. Never NULL; all of it lives in the arena.
 */
struct conf_overlay *conf_overlay_merge(struct conf_stmt *root, struct slice path,
                                        const struct conf_host *host,
                                        const struct conf_overlay_words *words, struct arena *arena,
                                        struct conf_files *files, struct conf_diag *diag);

/* The file for these entries, those that are not in force left out. */
void conf_overlay_print(const struct conf_overlay *overlay, const struct conf_overlay_words *words,
                        struct text *out);

#endif
