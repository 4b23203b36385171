/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_WAL_FULL_H
#define TESTS_SIM_WAL_FULL_H

/*
 * A log that is full of jobs whose ends bring more than they take away, as a queue with callbacks
 * has them: each job that ends leaves an heir, most are longer than it was, and only the end of an
 * heir leaves nothing. Those that end jobs are always quicker than those that end heirs. The log
 * must get empty all the same: an heir is taken where no new job is, and it leaves room for the
 * ends of heirs, so that there is no circle in which each waits for the other.
 */

#include "owner.h"

/* Once, by a seed; rules_off is of enum wal_rule. False and the failure where it stays full. */
bool full_play(uint64_t seed, uint32_t rules_off, char failure[OWNER_TEXT_MAX]);

#endif
