/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_FORWARD_H
#define HTTP_FORWARD_H

/*
 * What a member is told of the client before weir: the lines that are added to each request.
 *
 *     Via: 1.1 weir                                  RFC 9110 section 7.6.3; `via off`
 *     X-Forwarded-For: 192.0.2.7                     `forwarded x-forwarded`, the default
 *     X-Forwarded-Proto: http
 *     X-Forwarded-Port: 80                           that the client connected to
 *     X-Forwarded-Host: shop.example.org             that it asked for
 *     Forwarded: for=192.0.2.7;host="...";proto=http RFC 7239; `forwarded rfc7239`, or `both`
 *     X-Request-Id: 0f3c...                          `request-id`, where the client named none
 *
 * What a client says of this by itself never passes (wire/h1_write.c leaves it out), unless its
 * address is in one of the `trusted` networks: it is a proxy then. Its X-Forwarded-For and
 * Forwarded are gone on with, in one field; its other words stand, and only what it does not say is
 * added.
 *
 * Bytes in, bytes out: no clock, no socket; the number of a request comes as an argument.
 */

#include "base/addr.h"
#include "conf/schema.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stdint.h>

enum forward_style {
    FORWARD_OFF = 0,
    FORWARD_X = 1 << 0,
    FORWARD_RFC7239 = 1 << 1,
    FORWARD_BOTH = FORWARD_X | FORWARD_RFC7239,
};

/* The words of a listen. */
struct forward_conf {
    int style;                     /* enum forward_style */
    struct conf_list trusted_list; /* of struct addr_net */
    int is_via;                    /* 0 or 1 */
    bool is_request_id;
};

extern const struct conf_choice forward_styles[];
extern const struct conf_choice forward_vias[];

/* Who asks, and for which request. */
struct forward_asker {
    struct slice ip; /* without brackets; "unix" for a unix socket */
    uint16_t port;   /* that it connected to; 0: none */
    bool is_https;
    bool is_trusted;
    uint64_t id[2]; /* random */
};

/* Is the peer in one of the trusted networks? */
bool forward_trusts(const struct forward_conf *conf, const struct addr *peer);

enum {
    FORWARD_HOST_MAX = 300, /* a longer one is no name, and is not repeated to the member */
    FORWARD_SLACK = 1200,   /* bytes that the lines may have beside what the head said */
};

/*
 * Writes the lines for a request whose head was parsed from buf: their length. *ret_drop is the set
 * of fields that they replace. cap is at least head->head_len + FORWARD_SLACK.
 */
size_t forward_write(char *out, size_t cap, const struct forward_conf *conf,
                     const struct forward_asker *asker, const struct h1_head *head, const char *buf,
                     uint64_t *ret_drop);

#endif
