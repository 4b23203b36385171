/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BUILD_H
#define CORE_BUILD_H

/*
 * Which build this program is, beside its version: two builds of one version differ in it. An
 * upgrade says it, status and the metrics show it. It is the option `build-id`, otherwise the
 * commit that was built ("-dirty" behind it where the tree differed), otherwise the version.
 */

/* Not empty, no blanks. */
const char *build_id(void);

#endif
