/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_ACCESS_LOG_H
#define HTTP_ACCESS_LOG_H

/*
 * The access log: a line a request, where `access-log on` or `errors` asks for it.
 *
 *     listen=shop client=192.0.2.7 method=GET host=shop.example.org path=/cart?id=1 status=200
 *     in=312 out=1290 pool=web member=app1 tries=1 head_ms=0.000 queue_ms=0.012 connect_ms=0.000
 *     response_ms=3.204 total_ms=3.391 reason=cut route=shop.weir:12:5 sticky=held queue=reports
 *
 * What a request has not (a member, a reason) is left out. The times follow each other:
 *
 *     first byte --head--> head complete --queue--> last try --connect--> stands --response--> the
 *     response's head --> its end; total is from the first byte to the end
 *
 * The reason says why weir answered by itself (enum http_reason, and for bad requests the codec's
 * name), or `cut` where an answer broke off, `aborted` where the client left.
 *
 * The facts are collected while the request lives, in memory that exists only where there is a log;
 * strings are copied, as the head's bytes and the configuration may go before the line is written.
 * The line goes through core/log.h and blocks nobody.
 */

#include "conf/schema.h"
#include "core/log.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stdint.h>

enum access_mode { ACCESS_OFF, ACCESS_ON, ACCESS_ERRORS };

extern const struct conf_choice access_modes[];

enum {
    ACCESS_HOST_MAX = 256, /* bytes of each, with the NUL; longer ones are cut */
    ACCESS_PATH_MAX = 1024,
    ACCESS_NAME_MAX = 64,
    ACCESS_ROUTE_MAX = 128,
    ACCESS_FIELDS_MAX = 20,
};

_Static_assert((int)ACCESS_FIELDS_MAX <= (int)LOG_FIELDS_MAX, "one record holds a line");

struct access {
    uint8_t mode; /* enum access_mode when it began */
    uint8_t n_tries;
    uint16_t status;    /* that the client was told; 0: none */
    uint64_t first_ns;  /* of its bytes; each of these is 0 where it never came to it */
    uint64_t head_ns;   /* complete */
    uint64_t sent_ns;   /* the last try began */
    uint64_t stood_ns;  /* its connection stood */
    uint64_t answer_ns; /* the response's head was complete */
    uint64_t end_ns;
    uint64_t n_in, n_out; /* bytes */
    const char *reason;   /* a literal, or NULL */
    bool is_reason_fine;  /* respond, redirect: not an error */
    const char *sticky;   /* a literal, or NULL */
    char listen[ACCESS_NAME_MAX];
    char client[ACCESS_NAME_MAX];
    char method[H1_METHOD_MAX + 1];
    char host[ACCESS_HOST_MAX];
    char path[ACCESS_PATH_MAX]; /* with the query */
    char pool[ACCESS_NAME_MAX];
    char member[ACCESS_NAME_MAX];
    char queue[ACCESS_NAME_MAX]; /* that it was given to, to be done later */
    char route[ACCESS_ROUTE_MAX];
};

/* mode is not ACCESS_OFF. */
struct access *access_create(enum access_mode mode, struct slice listen, struct slice client,
                             uint64_t now_ns);
void access_destroy(struct access **access);
/* Takes what the head says; it may be incomplete. */
void access_head(struct access *access, const struct h1_head *head, const char *buf,
                 uint64_t now_ns);
/* Is the line written in its mode? 5xx, cut or left, and what weir refused are errors. */
bool access_is_wanted(const struct access *access);

/* What the numbers of a line are written into. */
struct access_text {
    char numbers[11][24];
};
/* The line as fields, which point into access and text: how many. */
size_t access_fields(const struct access *access, struct access_text *text,
                     struct log_field fields[ACCESS_FIELDS_MAX]);

#endif
