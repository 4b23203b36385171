/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

/*
 * The DNS module: the process "dns", n loops that answer for the zones of the configuration, over
 * UDP and TCP at each address that `dns` names.
 *
 * Sockets: the supervisor opens one of each kind a loop and listener (SO_REUSEPORT), "dns:NAME" and
 * "dns-tcp:NAME", and keeps them: what the kernel has queued when the process dies is answered by
 * its next life.
 *
 * Facts: `dns:NAME` and `dns-tcp:NAME serving|draining` of each listener, `zone:NAME serving` with
 * the zone's serial as its value, and `answer:POOL/NAME` (dns/record_set.h) of each member that a
 * record answers.
 *
 * A reload is atomic over all zones: they are built beside those that serve, by a helper thread so
 * that loop 0 goes on answering, and where one is broken nothing has changed. Supervisor and
 * `weir check` build them too, so that the mistakes are told before any process is asked.
 */

#include "core/module.h"

extern const struct module dns_module;

#endif
