/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The two netlink sockets: requests with their answers, and notices.
 */

#include "net/rtnl.h"

#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- sockets ---------------------------------------------------------------------------------- */

static int open_socket(uint32_t groups, struct err *err)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open a netlink socket");
    if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0) {
        int number = errno;
        close(fd);
        return err_set_errno(err, number, "cannot bind a netlink socket");
    }
    return fd;
}

/* What an old kernel does not know is not missed: sentences, and lists of one interface alone. */
static void set_request_options(int fd)
{
    static const int names[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
    int one = 1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)setsockopt(fd, SOL_NETLINK, names[i], &one, sizeof(one));
}

static void set_notice_options(int fd)
{
    int size = RTNL_NOTICE_QUEUE_BYTES;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/*
 * A datagram of the kernel, whole: its bytes. 0: none is there. -1 with errno; EMSGSIZE: it was
 * longer than the buffer and is lost.
 */
static ssize_t receive(int fd, uint8_t *buf)
{
    for (;;) {
        struct sockaddr_nl from = {.nl_pid = 1};
        socklen_t from_len = sizeof(from);
        ssize_t n =
            recvfrom(fd, buf, RTNL_BUF_BYTES, MSG_TRUNC, (struct sockaddr *)&from, &from_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        if (n == 0 || from.nl_pid != 0)
            continue; /* another process may write to us too */
        if (n > RTNL_BUF_BYTES) {
            errno = EMSGSIZE;
            return -1;
        }
        return n;
    }
}

/* --- notices ---------------------------------------------------------------------------------- */

static void tell_overrun(struct rtnl *rtnl)
{
    struct rtnl_notice notice = {.kind = RTNL_OVERRUN};
    rtnl->fn(rtnl->ctx, &notice);
}

static bool is_change(enum rtnl_kind kind)
{
    return kind == RTNL_LINK || kind == RTNL_LINK_GONE || kind == RTNL_ADDRESS ||
           kind == RTNL_ADDRESS_GONE;
}

static void tell_all(struct rtnl *rtnl, struct slice rest)
{
    struct rtnl_notice notice;
    int result = 0;
    while ((result = rtnl_notice_read(&rest, &notice)) > 0) {
        if (is_change(notice.kind))
            rtnl->fn(rtnl->ctx, &notice);
    }
    if (result < 0)
        tell_overrun(rtnl); /* whatever it was meant to say is lost */
}

static void on_notices(struct loop *loop, struct loop_io *io, uint32_t events)
{
    (void)events;
    struct rtnl *rtnl = CONTAINER_OF(io, struct rtnl, notices);
    uint8_t *buf = rtnl->buf + RTNL_BUF_BYTES;
    for (int i = 0; i < LOOP_BUDGET; i++) {
        ssize_t n = receive(io->fd, buf);
        if (n == 0)
            return;
        if (n < 0)
            tell_overrun(rtnl);
        else
            tell_all(rtnl, slice_make((const char *)buf, (size_t)n));
    }
    loop_again(loop, io, LOOP_READ);
}

static int open_notices(struct rtnl *rtnl, struct err *err)
{
    int fd = open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, err);
    if (fd < 0)
        return -1;
    set_notice_options(fd);
    if (loop_io_add_read(rtnl->loop, &rtnl->notices, fd, on_notices, err) < 0) {
        close(fd);
        return -1;
    }
    return 0;
}

int rtnl_open(struct loop *loop, struct rtnl *rtnl, rtnl_notice_fn *fn, void *ctx, struct err *err)
{
    *rtnl = (struct rtnl){.loop = loop, .fn = fn, .ctx = ctx};
    loop_io_init(&rtnl->notices);
    rtnl->buf = mem_alloc(2 * RTNL_BUF_BYTES);
    rtnl->fd = open_socket(0, err);
    if (rtnl->fd < 0)
        return -1;
    set_request_options(rtnl->fd);
    return loop ? open_notices(rtnl, err) : 0;
}

void rtnl_close(struct rtnl *rtnl)
{
    if (loop_io_is_armed(&rtnl->notices)) {
        int fd = rtnl->notices.fd;
        loop_io_remove(rtnl->loop, &rtnl->notices, true);
        close(fd);
    }
    if (rtnl->fd >= 0)
        close(rtnl->fd);
    rtnl->fd = -1;
    mem_free(rtnl->buf);
    rtnl->buf = NULL;
}

/* --- requests --------------------------------------------------------------------------------- */

/* What an answer brought before its end. */
struct answer {
    struct rtnl_notice *items;
    size_t n;
    bool is_torn;
    bool is_too_long;
};

static void answer_add(struct answer *answer, const struct rtnl_notice *notice)
{
    if (answer->n == RTNL_LIST_MAX) {
        answer->is_too_long = true; /* read to its end all the same, or the next finds the rest */
        return;
    }
    if ((answer->n & (answer->n - 1)) == 0) { /* a power of two is full */
        size_t cap = answer->n ? answer->n * 2 : 1;
        answer->items = mem_realloc(answer->items, cap * sizeof(answer->items[0]));
    }
    answer->items[answer->n++] = *notice;
}

static int end_of_answer(const struct answer *answer, const struct rtnl_notice *notice,
                         struct err *err)
{
    if (answer->is_too_long)
        return err_set(err, "there are more than %d of them", RTNL_LIST_MAX);
    if (notice->error == 0)
        return 1;
    if (notice->kind == RTNL_ANSWER && notice->text[0])
        return err_set_errno(err, notice->error, "the kernel says \"%s\"", notice->text);
    return err_set_errno(err, notice->error, "the kernel refuses");
}

/* One datagram of the answer. 0: more will come; 1: this was the end; -1. */
static int read_answer(uint32_t sequence, struct slice rest, struct answer *answer, struct err *err)
{
    struct rtnl_notice notice;
    int result = 0;
    while ((result = rtnl_notice_read(&rest, &notice)) > 0) {
        if (notice.sequence != sequence)
            continue; /* of a request that was given up */
        answer->is_torn = answer->is_torn || notice.is_torn;
        if (notice.kind == RTNL_ANSWER || notice.kind == RTNL_DONE)
            return end_of_answer(answer, &notice, err);
        if (is_change(notice.kind))
            answer_add(answer, &notice);
    }
    return result < 0 ? err_set(err, "the kernel's answer cannot be read") : 0;
}

static int send_request(const struct rtnl *rtnl, const struct rtnl_request *request,
                        struct err *err)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    for (;;) {
        if (sendto(rtnl->fd, request->bytes, request->len, 0, (struct sockaddr *)&kernel,
                   sizeof(kernel)) >= 0)
            return 0;
        if (errno != EINTR)
            return err_set_errno(err, errno, "the kernel does not take the request");
    }
}

/* 0 with the answer, or -1. What is in `answer` is the caller's to free in both cases. */
static int exchange(struct rtnl *rtnl, const struct rtnl_request *request, struct answer *answer,
                    struct err *err)
{
    *answer = (struct answer){.items = NULL};
    if (send_request(rtnl, request, err) < 0)
        return -1;
    for (;;) {
        ssize_t n = receive(rtnl->fd, rtnl->buf);
        if (n < 0)
            return err_set_errno(err, errno, "the kernel's answer is lost");
        if (n == 0)
            return err_set(err, "the kernel gives no answer");
        struct slice bytes = slice_make((const char *)rtnl->buf, (size_t)n);
        int result = read_answer(rtnl->sequence, bytes, answer, err);
        if (result != 0)
            return result < 0 ? -1 : 0;
    }
}

/* For what is answered by yes or no. 0; 1: no, with `absent` or ENODEV; -1 with err. */
static int change(struct rtnl *rtnl, const struct rtnl_request *request, int absent,
                  struct err *err)
{
    struct answer answer;
    struct err reason = ERR_NONE;
    int result = exchange(rtnl, request, &answer, &reason);
    mem_free(answer.items);
    if (result < 0 && (reason.number == absent || reason.number == ENODEV))
        return 1;
    if (result < 0 && err)
        *err = reason;
    return result;
}

static uint32_t next_sequence(struct rtnl *rtnl)
{
    return ++rtnl->sequence;
}

/* --- interfaces ------------------------------------------------------------------------------- */

static int ask_link(struct rtnl *rtnl, const struct rtnl_request *request,
                    struct rtnl_link *ret_link, struct err *err)
{
    struct answer answer;
    struct err reason = ERR_NONE;
    int result = exchange(rtnl, request, &answer, &reason);
    if (result < 0 && reason.number == ENODEV)
        result = 1;
    else if (result < 0 && err)
        *err = reason;
    else if (result == 0 && answer.n == 1 && answer.items[0].kind == RTNL_LINK)
        *ret_link = answer.items[0].link;
    else if (result == 0)
        result = err_set(err, "the kernel's answer names no interface");
    mem_free(answer.items);
    return result;
}

int rtnl_link_by_name(struct rtnl *rtnl, const char *name, struct rtnl_link *ret_link,
                      struct err *err)
{
    struct rtnl_request request;
    if (strlen(name) >= RTNL_NAME_BYTES)
        return 1;
    rtnl_request_link(&request, next_sequence(rtnl), name, 0);
    int result = ask_link(rtnl, &request, ret_link, err);
    return result < 0 ? err_prefix(err, "cannot look at interface %s", name) : result;
}

int rtnl_link_by_index(struct rtnl *rtnl, uint32_t index, struct rtnl_link *ret_link,
                       struct err *err)
{
    struct rtnl_request request;
    rtnl_request_link(&request, next_sequence(rtnl), NULL, index);
    int result = ask_link(rtnl, &request, ret_link, err);
    return result < 0 ? err_prefix(err, "cannot look at interface %u", index) : result;
}

/* Asks again where the list changed while it was read. */
static int ask_list(struct rtnl *rtnl, struct rtnl_request *request, struct answer *answer,
                    struct err *err)
{
    for (int i = 0; i < RTNL_LIST_TRIES; i++) {
        int result = exchange(rtnl, request, answer, err);
        if (result == 0 && !answer->is_torn)
            return 0;
        mem_free(answer->items);
        if (result < 0)
            return -1;
    }
    return err_set_errno(err, EAGAIN, "the list does not stop changing");
}

int rtnl_link_each(struct rtnl *rtnl, rtnl_link_fn *fn, void *ctx, struct err *err)
{
    struct rtnl_request request;
    struct answer answer;
    rtnl_request_links(&request, next_sequence(rtnl));
    if (ask_list(rtnl, &request, &answer, err) < 0)
        return err_prefix(err, "cannot look at the interfaces");
    for (size_t i = 0; i < answer.n; i++) {
        if (answer.items[i].kind == RTNL_LINK)
            fn(ctx, &answer.items[i].link);
    }
    mem_free(answer.items);
    return 0;
}

static int change_link(int result, const char *what, uint32_t index, struct err *err)
{
    return result < 0 ? err_prefix(err, "cannot %s interface %u", what, index) : result;
}

int rtnl_macvlan_add(struct rtnl *rtnl, uint32_t parent, const char *name,
                     const uint8_t mac[VRRP_MAC_BYTES], uint32_t *ret_index, struct err *err)
{
    struct rtnl_request request;
    struct rtnl_link link;
    rtnl_request_macvlan(&request, next_sequence(rtnl), parent, name, mac);
    struct answer answer;
    struct err reason = ERR_NONE;
    int result = exchange(rtnl, &request, &answer, &reason);
    mem_free(answer.items);
    if (result < 0 && reason.number == EEXIST)
        return 1;
    if (result < 0) {
        if (err)
            *err = reason;
        return err_prefix(err, "cannot add interface %s above interface %u", name, parent);
    }
    result = rtnl_link_by_name(rtnl, name, &link, err);
    if (result > 0)
        return err_set(err, "interface %s was removed as soon as it was added", name);
    if (result == 0)
        *ret_index = link.index;
    return result;
}

int rtnl_link_remove(struct rtnl *rtnl, uint32_t index, struct err *err)
{
    struct rtnl_request request;
    rtnl_request_link_remove(&request, next_sequence(rtnl), index);
    return change_link(change(rtnl, &request, ENODEV, err), "remove", index, err);
}

int rtnl_link_enable(struct rtnl *rtnl, uint32_t index, bool is_enabled, struct err *err)
{
    struct rtnl_request request;
    rtnl_request_link_enable(&request, next_sequence(rtnl), index, is_enabled);
    return change_link(change(rtnl, &request, ENODEV, err), is_enabled ? "switch on" : "switch off",
                       index, err);
}

int rtnl_link_alias(struct rtnl *rtnl, uint32_t index, const char *alias, struct err *err)
{
    struct rtnl_request request;
    rtnl_request_link_alias(&request, next_sequence(rtnl), index, alias);
    return change_link(change(rtnl, &request, ENODEV, err), "name the use of", index, err);
}

int rtnl_link_conf(struct rtnl *rtnl, uint32_t index, const struct rtnl_conf *conf, struct err *err)
{
    struct rtnl_request request;
    rtnl_request_link_conf(&request, next_sequence(rtnl), index, conf);
    return change_link(change(rtnl, &request, ENODEV, err), "configure", index, err);
}

/* --- addresses -------------------------------------------------------------------------------- */

int rtnl_addr_each(struct rtnl *rtnl, uint32_t index, rtnl_address_fn *fn, void *ctx,
                   struct err *err)
{
    struct rtnl_request request;
    struct answer answer;
    struct err reason = ERR_NONE;
    rtnl_request_addresses(&request, next_sequence(rtnl), index);
    if (ask_list(rtnl, &request, &answer, &reason) < 0) {
        if (index && reason.number == ENODEV)
            return 1;
        if (err)
            *err = reason;
        return err_prefix(err, "cannot look at the addresses");
    }
    for (size_t i = 0; i < answer.n; i++) {
        const struct rtnl_notice *item = &answer.items[i];
        if (item->kind == RTNL_ADDRESS && (index == 0 || item->address.index == index))
            fn(ctx, &item->address);
    }
    mem_free(answer.items);
    return 0;
}

static int change_address(int result, const char *what, const struct rtnl_address *address,
                          struct err *err)
{
    char text[ADDR_TEXT_MAX];
    if (result >= 0)
        return result;
    return err_prefix(err, "cannot %s address %s/%u on interface %u", what,
                      vrrp_ip_format(&address->ip, text), address->n_bits, address->index);
}

int rtnl_addr_put(struct rtnl *rtnl, const struct rtnl_address *address,
                  const struct rtnl_life *life, struct err *err)
{
    struct rtnl_request request;
    rtnl_request_address_put(&request, next_sequence(rtnl), address, life);
    return change_address(change(rtnl, &request, ENODEV, err), "put", address, err);
}

int rtnl_addr_remove(struct rtnl *rtnl, const struct rtnl_address *address, struct err *err)
{
    struct rtnl_request request;
    rtnl_request_address_remove(&request, next_sequence(rtnl), address);
    return change_address(change(rtnl, &request, EADDRNOTAVAIL, err), "remove", address, err);
}

static int set_promoting(struct rtnl *rtnl, uint32_t index, int value, struct err *err)
{
    const struct rtnl_conf conf = {.arp_ignore = -1,
                                   .arp_announce = -1,
                                   .arp_filter = -1,
                                   .rp_filter = -1,
                                   .accept_local = -1,
                                   .promote_secondaries = value,
                                   .addr_gen_mode = -1};
    return rtnl_link_conf(rtnl, index, &conf, err);
}

int rtnl_addr_remove_alone(struct rtnl *rtnl, const struct rtnl_address *address, struct err *err)
{
    struct rtnl_link link;
    bool may_lead = address->ip.n_bytes == 4 && address->n_bits < 32 && !address->is_secondary;
    if (!may_lead || rtnl_link_by_index(rtnl, address->index, &link, NULL) != 0 ||
        link.promote_secondaries != 0)
        return rtnl_addr_remove(rtnl, address, err);
    int rc = set_promoting(rtnl, address->index, 1, err);
    if (rc == 0)
        rc = rtnl_addr_remove(rtnl, address, err);
    int restored = set_promoting(rtnl, address->index, 0, rc < 0 ? NULL : err);
    return restored < 0 && rc >= 0 ? restored : rc;
}
