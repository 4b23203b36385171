/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_ACCESS_H
#define ADMIN_ACCESS_H

/*
 * Who may ask admin what.
 *
 *                  read                                  write (anything but GET and HEAD)
 *     unix socket  its owners' uids                      its owners' uids
 *     TCP          Host is an IP literal or localhost    the same, and Authorization: Bearer TOKEN
 *
 * The owners are root, the user that started weir, and the owner of the state directory; the kernel
 * says who the peer is (SO_PEERCRED). The Host rule keeps a web page in the operator's browser from
 * reaching admin by a name of its own that resolves to 127.0.0.1: what the page can make the
 * browser send then names the page's host. The token is asked for on loopback too, because every
 * user of the machine reaches it.
 *
 * Nothing here makes a system call.
 */

#include "base/err.h"
#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ACCESS_OWNERS_MAX = 3,
    ACCESS_TOKEN_MIN = 16, /* characters; a shorter one can be guessed */
    ACCESS_TOKEN_MAX = 512,
};

struct access_policy {
    uint32_t owners[ACCESS_OWNERS_MAX]; /* uids */
    size_t n_owners;
    struct slice token; /* empty: writes over TCP are refused */
};

struct access_ask {
    bool is_unix;
    bool has_uid; /* the kernel knew the peer */
    uint32_t uid;
    bool is_write;
    struct slice host;          /* of the Host field, without the port; of IPv6 with the brackets */
    struct slice authorization; /* the field's value, or empty */
};

/* Adds a uid where it is not there yet. */
void access_add_owner(struct access_policy *policy, uint32_t uid);

/*
 * 0: go on. Otherwise the status to answer (401: say WWW-Authenticate: Bearer; 403), and err has
 * the sentence for the client.
 */
int access_check(const struct access_policy *policy, const struct access_ask *ask, struct err *err);

/*
 * The token in a token file: its bytes without the white space around them. Returns 0, or -1 with
 * err: too short, too long, or other characters than a bearer token may have (RFC 6750
 * section 2.1).
 */
int access_token(struct slice bytes, struct slice *ret_token, struct err *err);

#endif
