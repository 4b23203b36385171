/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `queues`: the log, and what all queues share.
 */

#include "queue/conf.h"

#define HOUR INT64_C(3600000)

static const struct conf_choice syncs[] = {
    {.name = "group",
     .value = WAL_SYNC_GROUP,
     .doc = "what is acknowledged is on the disk; one sync serves all who wait"},
    {.name = "always",
     .value = WAL_SYNC_ALWAYS,
     .doc = "the same, and each record goes to the disk as soon as it is there"},
    {.name = "interval",
     .value = WAL_SYNC_INTERVAL,
     .doc = "not durable: a loss of power takes what was acknowledged since the last sync"},
    {.name = "off",
     .value = WAL_SYNC_OFF,
     .doc = "not durable: a loss of power takes what the kernel had not written yet"},
    {0},
};

static const struct conf_word sync_args[] = {
    {.name = "mode",
     .type = CONF_CHOICE,
     .flags = CONF_OPTIONAL,
     .offset = offsetof(struct queues_sync_conf, mode),
     .fallback = "group",
     .choices = syncs,
     .apply = CONF_RESTART,
     .doc = "when a job is acknowledged"},
    {0},
};

static const struct conf_word sync_words[] = {
    {.name = "every",
     .type = CONF_TIME,
     .offset = offsetof(struct queues_sync_conf, every_ms),
     .fallback = "1s",
     .min = 10,
     .max = HOUR,
     .apply = CONF_RESTART,
     .doc = "between two syncs of `interval`"},
    {0},
};

static const struct conf_block sync_block = {
    .size = sizeof(struct queues_sync_conf),
    .args = sync_args,
    .words = sync_words,
};

static const struct conf_word queues_limit_words[] = {
    {.name = "jobs",
     .type = CONF_INT,
     .offset = offsetof(struct queues_limits_conf, jobs),
     .fallback = "20000000",
     .min = 1,
     .max = INT32_MAX - 1,
     .doc = "jobs in all queues; each costs about 110 bytes of memory"},
    {.name = "bytes",
     .type = CONF_SIZE,
     .offset = offsetof(struct queues_limits_conf, bytes),
     .fallback = "64G",
     .min = 1,
     .max = INT64_MAX / 2,
     .doc = "bytes of bodies and results in all queues"},
    {.name = "results",
     .type = CONF_SIZE,
     .offset = offsetof(struct queues_limits_conf, result_bytes),
     .fallback = "256M",
     .min = 0,
     .max = INT64_MAX / 2,
     .doc = "bytes of the results that are kept, which lie in memory; above it a job that is done "
            "is forgotten at once"},
    {.name = "tubes",
     .type = CONF_INT,
     .offset = offsetof(struct queues_limits_conf, tubes),
     .fallback = "10000",
     .min = 1,
     .max = 1 << 20,
     .doc = "queues that are there at a time, those that clients have made too"},
    {.name = "watches",
     .type = CONF_INT,
     .offset = offsetof(struct queues_limits_conf, watches),
     .fallback = "1000",
     .min = 1,
     .max = 1 << 20,
     .doc = "queues that one connection takes jobs from"},
    {.name = "log",
     .type = CONF_SIZE,
     .offset = offsetof(struct queues_limits_conf, log_bytes),
     .min = 0,
     .max = INT64_MAX / 2,
     .apply = CONF_RESTART,
     .doc = "bytes of the log on the disk, at least six segments; without it, as many as fit"},
    {0},
};

static const struct conf_block queues_limits_block = {
    .size = sizeof(struct queues_limits_conf),
    .words = queues_limit_words,
};

static const struct conf_word queues_words[] = {
    {.name = "sync",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queues_conf, sync),
     .block = &sync_block,
     .apply = CONF_RESTART,
     .doc = "what an acknowledgement means"},
    {.name = "segment",
     .type = CONF_SIZE,
     .offset = offsetof(struct queues_conf, segment_bytes),
     .fallback = "64M",
     .min = 1 << 20,
     .max = WAL_SEGMENT_MAX,
     .apply = CONF_RESTART,
     .doc = "bytes of a new log's files; a log that is there keeps the size it has"},
    {.name = "clean",
     .type = CONF_SIZE,
     .offset = offsetof(struct queues_conf, clean_bytes_per_s),
     .fallback = "64M",
     .min = 1 << 20,
     .max = INT64_C(1) << 40,
     .apply = CONF_RESTART,
     .doc = "bytes a second that are read and written to make room for what comes"},
    {.name = "handover",
     .type = CONF_TIME,
     .offset = offsetof(struct queues_conf, handover_ms),
     .fallback = "5s",
     .min = 0,
     .max = HOUR,
     .doc = "how long an upgrade waits for deliveries that are under way, before they are given "
            "back and begun anew; no job is put or taken meanwhile"},
    {.name = "limits",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queues_conf, limits),
     .block = &queues_limits_block,
     .doc = "above which new jobs are refused"},
    {.name = "async",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queues_conf, async),
     .block = &queues_async_block,
     .doc = "the requests of asynchronous routes"},
    {0},
};

static int queues_finish(struct conf_load *load, void *self)
{
    const struct queues_conf *queues = self;
    if (queues->segment_bytes % 4096 != 0)
        return conf_error(load->diag, conf_where(&queues->object, "segment"), NULL,
                          "not a multiple of 4096 bytes");
    int64_t least = 6 * queues->segment_bytes, most = queues->limits.log_bytes;
    if (most > 0 && most < least)
        return conf_error(load->diag, conf_where(&queues->limits.object, "log"), NULL,
                          "a log takes at least six segments of %lld bytes",
                          (long long)queues->segment_bytes);
    return 0;
}

const struct conf_block queues_conf_block = {
    .size = sizeof(struct queues_conf),
    .words = queues_words,
    .finish = queues_finish,
};
