/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_CANDIDATE_H
#define SUPER_CANDIDATE_H

/*
 * The two lives of the new binary's supervisor in an upgrade (upgrade.h): the candidate, a child of
 * the old supervisor, which brings everything up and hands it over; and the resumed supervisor,
 * which is the old one's process and takes it.
 *
 * Between candidate and resumed supervisor goes "go" and then the descriptors with a document that
 * describes what they are. Both are the same binary, so this has no version.
 */

#include "super/internal.h"

/* The candidate's whole life; returns its exit status. fd_text: the description. */
int candidate_main(struct super *super, const char *fd_text);
/* All its processes have prepared. */
void candidate_ready(struct super *super);
/* It gives up: says why to the old supervisor, and ends with all that it started. */
_Noreturn void candidate_refuse(struct super *super, const char *why);

/* Becomes the supervisor that the description tells of. 0, or -1 after it has told standard
 * error. */
int resume_prepare(struct super *super, const char *fd_text);

#endif
