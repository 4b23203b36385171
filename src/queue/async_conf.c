/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which queues the routes of the file name, and the rows of `async`.
 */

#include "queue/async_conf.h"

#include "queue/conf.h"
#include "queue/queue.h"

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)

#define OF_QUEUE(field)  offsetof(struct queue_async_conf, field)
#define OF_QUEUES(field) offsetof(struct queues_async_conf, field)

static const struct conf_word queue_async_words[] = {
    {.name = "unfinished",
     .type = CONF_INT,
     .offset = OF_QUEUE(unfinished),
     .fallback = "10000",
     .min = 1,
     .max = INT32_MAX - 1,
     .doc = "jobs of it that are not over, above which a request is answered 503"},
    {.name = "body",
     .type = CONF_SIZE,
     .offset = OF_QUEUE(body_bytes),
     .fallback = "1M",
     .min = 1,
     .max = 8 << 20,
     .doc = "bytes of a request's body, at most half a segment of the log; a larger one is "
            "answered 413"},
    {.name = "delay",
     .type = CONF_TIME,
     .offset = OF_QUEUE(delay_ms),
     .fallback = "30d",
     .min = 0,
     .max = 366 * 24 * HOUR,
     .doc = "how far ahead a client may put a job off by Weir-Delay or Weir-Not-Before; more is "
            "answered 400"},
    {.name = "poll",
     .type = CONF_TIME,
     .offset = OF_QUEUE(poll_ms),
     .fallback = "2s",
     .min = SECOND,
     .max = HOUR,
     .doc = "what Retry-After tells a client that asks for its job"},
    {0},
};

const struct conf_block queue_async_block = {
    .size = sizeof(struct queue_async_conf),
    .words = queue_async_words,
};

static const struct conf_word queues_async_words[] = {
    {.name = "connections",
     .type = CONF_INT,
     .offset = OF_QUEUES(connections),
     .fallback = "10000",
     .min = 1,
     .max = 1000000,
     .doc = "requests of asynchronous routes and for their jobs at a time; more are not accepted"},
    {.name = "wait",
     .type = CONF_TIME,
     .offset = OF_QUEUES(wait_ms),
     .fallback = "30s",
     .min = 0,
     .max = HOUR,
     .doc = "the longest that `Prefer: wait=N` keeps an answer back"},
    {.name = "request",
     .type = CONF_TIME,
     .offset = OF_QUEUES(request_ms),
     .fallback = "1m",
     .min = 10,
     .max = HOUR,
     .doc = "from the first byte of a request to the end of its head, and from there to its last"},
    {.name = "send",
     .type = CONF_TIME,
     .offset = OF_QUEUES(send_ms),
     .fallback = "1m",
     .min = 10,
     .max = HOUR,
     .doc = "nothing of an answer is taken"},
    {.name = "idle",
     .type = CONF_TIME,
     .offset = OF_QUEUES(idle_ms),
     .fallback = "1m",
     .min = 10,
     .max = HOUR,
     .doc = "between two requests of a connection"},
    {0},
};

const struct conf_block queues_async_block = {
    .size = sizeof(struct queues_async_conf),
    .words = queues_async_words,
};

bool async_conf_claim(const struct snapshot *snap, struct slice queue)
{
    struct queue_module_conf *conf = snapshot_conf(snap, &queue_module);
    struct queue_conf *one = queue_conf_find(conf, queue);
    if (!one)
        return false;
    one->is_async = true;
    conf->is_async = true;
    return true;
}
