/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control messages over a SOCK_SEQPACKET socketpair: a packet each, its descriptors in SCM_RIGHTS.
 */

#include "core/control.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control_cmsg {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int) * CONTROL_LABELS_MAX)];
};

int control_pair(int ret_fds[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
        return err_set_errno(err, errno, "cannot make a control socket");
    /* Room for several whole packets; the limit of the kernel (wmem_max) may allow less, and does
     * with its default allow three. */
    int size = 4 * CONTROL_BYTES_MAX;
    for (int i = 0; i < 2; i++)
        setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return 0;
}

/* Puts the message's descriptors into the ancillary part; none: leaves it out. */
static void attach_fds(const struct control_message *message, struct msghdr *header,
                       union control_cmsg *cmsg)
{
    int fds[CONTROL_LABELS_MAX];
    size_t n_fds = 0;
    for (size_t i = 0; i < message->n_labels; i++) {
        if (message->labels[i].fd >= 0)
            fds[n_fds++] = message->labels[i].fd;
    }
    if (n_fds == 0)
        return;
    header->msg_control = cmsg->space;
    header->msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
    struct cmsghdr *head = CMSG_FIRSTHDR(header);
    assert(head);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
    memcpy(CMSG_DATA(head), fds, sizeof(int) * n_fds);
}

int control_send(int fd, const struct control_message *message, struct err *err)
{
    return control_send_wait(fd, message, 0, err);
}

static int send_packet(int fd, const struct msghdr *header, int wait_ms)
{
    ssize_t sent = sendmsg(fd, header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && (errno == EINTR || (errno == EAGAIN && wait_ms > 0))) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (errno == EAGAIN && poll(&room, 1, wait_ms) == 0)
            wait_ms = 0;
        sent = sendmsg(fd, header, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return sent < 0 ? -1 : 0;
}

int control_send_bytes(int fd, struct slice bytes, int wait_ms, struct err *err)
{
    char buf[CONTROL_BYTES_MAX];
    assert(bytes.len <= sizeof(buf));
    memcpy(buf, bytes.ptr, bytes.len);
    struct iovec part = {.iov_base = buf, .iov_len = bytes.len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (send_packet(fd, &header, wait_ms) < 0)
        return err_set_errno(err, errno, "cannot send a packet");
    return 0;
}

int control_send_wait(int fd, const struct control_message *message, int wait_ms, struct err *err)
{
    char buf[CONTROL_BYTES_MAX];
    int len = control_encode(message, buf, sizeof(buf));
    assert(len > 0);
    struct iovec part = {.iov_base = buf, .iov_len = (size_t)len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    union control_cmsg cmsg;
    memset(&cmsg, 0, sizeof(cmsg));
    attach_fds(message, &header, &cmsg);
    if (send_packet(fd, &header, wait_ms) < 0)
        return err_set_errno(err, errno, "cannot send %s", control_type_name(message->type));
    return 0;
}

/* The descriptors that came with a packet. */
static size_t detach_fds(struct msghdr *header, int fds[CONTROL_LABELS_MAX])
{
    size_t n_fds = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(header); head; head = CMSG_NXTHDR(header, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n_here = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        assert(n_fds + n_here <= CONTROL_LABELS_MAX);
        memcpy(fds + n_fds, CMSG_DATA(head), n_here * sizeof(int));
        n_fds += n_here;
    }
    return n_fds;
}

int control_receive(int fd, char *buf, struct control_message *ret_message, struct err *err)
{
    struct iovec part = {.iov_base = buf, .iov_len = CONTROL_BYTES_MAX};
    union control_cmsg cmsg;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = cmsg.space,
                            .msg_controllen = sizeof(cmsg.space)};
    ssize_t len;
    do
        len = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    if (len < 0 && errno == EAGAIN)
        return 0;
    if (len < 0 && errno != ECONNRESET)
        return err_set_errno(err, errno, "cannot receive a control message");
    if (len <= 0) {
        err_set(err, "the other side of the control socket is closed");
        return -1;
    }
    int fds[CONTROL_LABELS_MAX];
    size_t n_fds = detach_fds(&header, fds);
    bool is_cut = header.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
    if (!is_cut && control_decode(slice_make(buf, (size_t)len), fds, n_fds, ret_message, err) == 0)
        return 1;
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
    return is_cut ? err_set(err, "control message: cut by the kernel") : -1;
}
