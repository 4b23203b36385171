/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_LEDGER_H
#define DNS_LEDGER_H

/*
 * Which members' addresses others have been told, and until when they may remember them: the facts
 * answer:POOL/NAME (dns/record_set.h). Answers are added and taken away as they come and go, then
 * settled: only what is different behind all of that is stated.
 */

#include "core/board.h"
#include "dns/record.h"
#include <stdint.h>

struct record_ledger;

/* All that it held is taken away; what the board says stands until it is settled. */
void ledger_clear(struct record_ledger *ledger);
void ledger_add(struct record_ledger *ledger, const struct record_answer *answer);
void ledger_remove(struct record_ledger *ledger, const struct record_answer *answer);
void ledger_settle(struct record_ledger *ledger, uint64_t wall_ns);
/* Takes the facts of those away that are in no answer and that nobody can remember any more: at a
 * reload, so that members which come and go leave nothing behind. */
void ledger_forget(struct record_ledger *ledger, uint64_t wall_ns);

#endif
