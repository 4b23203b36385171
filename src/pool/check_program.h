/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_CHECK_PROGRAM_H
#define POOL_CHECK_PROGRAM_H

/*
 * The program of a pool's `check exec`, as worker starts it for an ask of health:
 *
 *     "check" POOL/MEMBER ADDRESS PORT
 *
 * where ADDRESS and PORT are those that are in force, which health alone knows. They reach the
 * program as WEIR_ADDRESS and WEIR_PORT, beside WEIR_POOL, WEIR_MEMBER and PATH; that is its whole
 * environment. Its time-out is the check's. Both functions are struct module's, for pool_module.
 */

#include "core/module.h"

int check_programs(const struct snapshot *snap, program_want_fn *want, void *ctx);
int check_program(const struct snapshot *snap, const struct slice *texts, size_t n_texts,
                  struct arena *arena, struct program_plan *ret_plan);

#endif
