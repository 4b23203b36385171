/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ZONE_BODY_H
#define DNS_ZONE_BODY_H

/*
 * Ready bodies (zone_tree.h) of a zone: made once, when its set is complete, by the same code that
 * writes answers record by record. Which RRsets get one: those whose data hold names that compress
 * or lead to addresses, as long as no pool's record is in what they answer. A cut's NS have the
 * referral; the zone has one for all names and types that it does not have. CNAMEs one behind the
 * other have one together, as long as such bodies are a small part of the zone.
 */

#include "dns/zone_tree.h"

void zone_bodies_make(const struct zone_set *set, struct zone *zone);

#endif
