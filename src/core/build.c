/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The build's id, in a file of its own: it alone is compiled anew for another commit, and a program
 * of the tests takes its place with another one.
 */

#include "core/build.h"
#include "core/build_id.h"

const char *build_id(void)
{
    return WEIR_BUILD_ID;
}
