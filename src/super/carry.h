/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_CARRY_H
#define SUPER_CARRY_H

/*
 * Counts of former builds: slabs in the supervisor's own segment of the board, named as those of
 * the processes that count the same objects now. Whoever adds up the slabs of an object (admin,
 * health) finds them there, so that no counter falls by an upgrade.
 */

#include "core/metric.h"
#include "super/internal.h"

/* Adds words - former (NULL: zeros), of the table's words, to what is carried for the object. */
void carry_add(struct super *super, const struct metric_table *table, const char *object,
               const uint64_t *words, const uint64_t *former);
/* The one who counted is dead: its gauges, as last heard, are taken back. */
void carry_drop_gauges(struct super *super, const struct metric_table *table, const char *object,
                       const uint64_t *words);
void carry_deinit(struct super *super);

#endif
