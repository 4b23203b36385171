/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes weir-next of weir: the same program under another build's id, for the tests of upgrades.
 */

#include "core/build.h"

const char *build_id(void)
{
    return "next";
}
