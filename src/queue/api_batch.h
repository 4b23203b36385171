/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_API_BATCH_H
#define QUEUE_API_BATCH_H

/*
 * Jobs in JSON, many in one request: an array, or an object a line.
 *
 *     [{"body": "hello", "delay": 10}, {"body_base64": "AP8=", "key": "k"}]
 *
 *     {"body": "hello", "delay": 10}
 *     {"body_base64": "AP8=", "key": "k"}
 *
 * Members are the words of a put (api_word.h), and one of `body` (a string, its UTF-8 is the body),
 * `body_base64`, and `json` (any value; its text is the body). All of it is read before anything is
 * put: one mistake refuses the whole, and says where it is. No system call, no clock.
 */

#include "base/err.h"
#include "base/slice.h"
#include "queue/api_word.h"
#include <jansson.h>
#include <stdint.h>

struct api_item {
    struct api_put put;
    struct slice body;
    char *bytes; /* mem_alloc(), or NULL */
    char *text;  /* jansson's, or NULL */
};

struct api_batch {
    struct api_item *items;
    uint32_t n_items, cap_items;
    json_t *root; /* the array, or an array of the lines' objects */
};

/* n_max: items; job_max: bytes of a body. 0, or -1 with err. */
int api_batch_read(struct slice bytes, uint32_t n_max, size_t job_max, struct api_batch *ret_batch,
                   struct err *err);
void api_batch_deinit(struct api_batch *batch);

#endif
