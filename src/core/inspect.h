/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INSPECT_H
#define CORE_INSPECT_H

/*
 * What only the machine can say about a configuration that is fine by itself: files that modules
 * want read, two listeners on one address, addresses that this host has not got. `weir check` and
 * every start and reload call the same functions, so that they say the same; of an interface that
 * is missing a start speaks when it has looked for it, for it may come later.
 */

#include "conf/bundle.h"
#include "core/module.h"

enum inspect_missing {
    INSPECT_SILENT, /* a start: bind(2) itself will tell */
    INSPECT_NOTE,   /* `weir check` of a file for whatever machine */
    INSPECT_ERROR,  /* `weir check --node`: this machine is meant */
};

/*
 * All of it: programs that are not there or that nobody may execute, files of all kinds of process,
 * sockets and interfaces; what is wrong with one does not hide the others. 0, or -1 after it has
 * told diag.
 */
int inspect_machine(const struct snapshot *snap, enum inspect_missing missing,
                    struct conf_diag *diag);
/* inspect_program.c: programs that are not there, that the kernel would not start, or that are
 * closed to the user whom they run as, which is a warning. 0, or -1 after it has told diag. */
int inspect_programs(const struct snapshot *snap, struct conf_diag *diag);
/* Sockets that clash, addresses that are missing. 0, or -1 after it has told diag. */
int inspect_sockets(const struct snapshot *snap, enum inspect_missing missing,
                    struct conf_diag *diag);

/* Interfaces that this host lacks: at most a warning, since one file is for several nodes, and the
 * interface may come. */
void inspect_interfaces(const struct snapshot *snap, enum inspect_missing missing,
                        struct conf_diag *diag);

/*
 * Reads the files that the modules of a kind of process want and puts them into the bundle as
 * blobs. Without a bundle those of all kinds are read, and looked at together. 0, or -1 after it
 * has told diag.
 */
int inspect_files(const struct snapshot *snap, const char *kind, struct conf_bundle *bundle,
                  struct conf_diag *diag);

#endif
