/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_TUNNEL_H
#define HTTP_TUNNEL_H

/*
 * After 101: bytes both ways between a client and a member, and no HTTP any more (RFC 9110 section
 * 7.8). WebSocket is the one protocol that is switched to.
 *
 *     client --from_client--> member        each way on its own: read while the other side takes
 *     client <--from_member-- member        it, end when it ends, and the tunnel with the second
 *
 * A tunnel begins in an exchange, which ends with it. It keeps nothing of the snapshot that it
 * began in but two time-outs: at each new one it goes over to the same member there, which counts
 * it as in flight, so that a drain waits for it. Where the member or the listen is gone it goes on
 * alone, uncounted. The client owns its tunnel, and the worker knows of all.
 */

#include "http/exchange.h"

struct tunnel_way {
    struct conn *from, *to;
    bool is_readable; /* the kernel may have bytes that were not read */
    bool is_hangup;   /* the sender has closed: read until the end comes */
    bool is_ended;    /* and it came */
    bool is_shut;     /* which the receiver was told */
};

struct http_tunnel {
    struct http_client *client;
    struct http_worker *worker;
    struct upstream *upstream;
    struct list link;  /* in worker->tunnels */
    int64_t idle_ms;   /* without a byte either way */
    int64_t closed_ms; /* the same once one way has ended */
    struct tunnel_way from_client, from_member;
};

/*
 * The response is 101: its head, reply_len bytes in the worker's scratch, goes to the client, and
 * behind it buf[0, len), which came with it. The exchange is over.
 */
void tunnel_start(struct http_exchange *exchange, const char *buf, size_t len, size_t reply_len);
/* The client closes: gives the member's side back, by a reset where is_abort. */
void tunnel_end(struct http_tunnel *tunnel, bool is_abort);
/* A new epoch is the current one: all tunnels of the worker go over to it. */
void tunnels_follow(struct http_worker *worker);

#endif
