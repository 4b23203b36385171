/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Frames out of a packet socket. Its protocol is 0, so that the kernel delivers nothing to it.
 */

#include "net/packet.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAC_BYTES = 6, PRIORITY = 7 }; /* TC_PRIO_CONTROL: before everything else in the queue */

int packet_open(struct err *err)
{
    int priority = PRIORITY;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open a packet socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
    return fd;
}

int packet_send(int fd, uint32_t index, const uint8_t *frame, size_t len, struct err *err)
{
    assert(len >= PACKET_HEAD_BYTES);
    struct sockaddr_ll target = {
        .sll_family = AF_PACKET,
        .sll_ifindex = (int)index,
        .sll_halen = MAC_BYTES,
    };
    memcpy(target.sll_addr, frame, MAC_BYTES);
    memcpy(&target.sll_protocol, frame + 2 * MAC_BYTES, sizeof(target.sll_protocol));
    for (;;) {
        if (sendto(fd, frame, len, 0, (struct sockaddr *)&target, sizeof(target)) >= 0)
            return 0;
        if (errno == EAGAIN || errno == ENOBUFS)
            return 1;
        if (errno != EINTR)
            return err_set_errno(err, errno, "cannot send a frame on interface %u", index);
    }
}
