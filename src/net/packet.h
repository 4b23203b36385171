/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_PACKET_H
#define NET_PACKET_H

/*
 * A socket that sends whole Ethernet frames on any interface, and receives nothing: for
 * wire/announce.h. One a process is enough; it outlives interfaces that come and go. Opening takes
 * CAP_NET_RAW.
 */

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

enum { PACKET_HEAD_BYTES = 14 };

/* The descriptor, which the caller closes, not blocking; or -1 with err. */
int packet_open(struct err *err);

/*
 * One frame, with its Ethernet header, out of the interface `index`. 0; 1: no room in the queue
 * now, the frame is lost; -1 with err (the interface is down, or gone).
 */
int packet_send(int fd, uint32_t index, const uint8_t *frame, size_t len, struct err *err);

#endif
