/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `queue`, and the policy that they make.
 */

#include "queue/conf.h"

#include "wire/jobproto.h"

#include "wire/jobproto.h"

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define YEAR   (366 * 24 * HOUR)

enum { MS_PER_S = 1000 };

static const struct conf_choice ends[] = {
    {.name = "again", .value = RETRY_CONF_AGAIN, .doc = "is ready again at once"},
    {.name = "retry", .value = RETRY_CONF_RETRY, .doc = "is tried again after the back-off"},
    {.name = "free",
     .value = RETRY_CONF_FREE,
     .doc = "is tried again after the back-off, and the attempt does not count"},
    {.name = "bury", .value = RETRY_CONF_BURY, .doc = "is dead at once"},
    {0},
};

#define RETRY(field) offsetof(struct queue_retry_conf, field)

static const struct conf_word retry_args[] = {
    {.name = "times",
     .type = CONF_COUNT,
     .flags = CONF_OPTIONAL,
     .offset = RETRY(n_retries),
     .fallback = "auto",
     .min = 1,
     .max = UINT16_MAX - 1,
     .doc = "how often a job is tried again before it is dead; auto: without an end"},
    {0},
};

/* clang-format off */
#define END(word, field, what, sentence)                                                         \
    {.name = (word), .type = CONF_CHOICE, .offset = RETRY(field), .fallback = (what),            \
     .choices = ends, .doc = (sentence)}
/* clang-format on */

static const struct conf_word retry_words[] = {
    {.name = "backoff",
     .type = CONF_TIMES,
     .offset = RETRY(backoff),
     .fallback = "1s..1h",
     .min = 0,
     .max = 24 * HOUR,
     .doc = "how long the first and the longest wait may be; each is random between nothing and "
            "twice what the one before might have been"},
    END("temporary", temporary, "retry", "a job whose worker says that it failed"),
    END("permanent", permanent, "bury", "a job whose worker says that it can never be done"),
    END("busy", busy, "free", "a job whose worker says that whom it needs is not there"),
    END("timeout", timeout, "again", "a job whose lease ran out"),
    END("lost", lost, "again", "a job whose worker's connection ended"),
    {0},
};

static int retry_finish(struct conf_load *load, void *self)
{
    const struct queue_retry_conf *retry = self;
    if (retry->backoff.low > retry->backoff.high)
        return conf_error(load->diag, conf_where(&retry->object, "backoff"), NULL,
                          "the first wait is longer than the longest");
    return 0;
}

static const struct conf_block retry_block = {
    .size = sizeof(struct queue_retry_conf),
    .args = retry_args,
    .words = retry_words,
    .finish = retry_finish,
};

static const struct conf_word rate_args[] = {
    {.name = "rate",
     .type = CONF_RATE,
     .flags = CONF_OPTIONAL,
     .offset = offsetof(struct queue_rate_conf, rate),
     .doc = "jobs that are given to workers in a time"},
    {0},
};

static const struct conf_word rate_words[] = {
    {.name = "burst",
     .type = CONF_INT,
     .offset = offsetof(struct queue_rate_conf, burst),
     .fallback = "1",
     .min = 1,
     .max = 1000000,
     .doc = "so many at once, when none were given for a while"},
    {0},
};

/* Without a rate there is no burst. */
static bool rate_has_word(const void *self, const struct conf_word *word)
{
    const struct queue_rate_conf *rate = self;
    return word == rate_args || rate->rate.count > 0;
}

static int rate_finish(struct conf_load *load, void *self)
{
    const struct queue_rate_conf *rate = self;
    if (rate->rate.count == 0 && conf_is_set(&rate->object, "burst"))
        return conf_error(load->diag, conf_where(&rate->object, "burst"), "rate 10/s burst 5",
                          "a burst needs a rate");
    return 0;
}

static const struct conf_block rate_block = {
    .size = sizeof(struct queue_rate_conf),
    .args = rate_args,
    .words = rate_words,
    .finish = rate_finish,
    .has_word = rate_has_word,
};

static const struct conf_word limit_words[] = {
    {.name = "jobs",
     .type = CONF_INT,
     .offset = offsetof(struct queue_limits_conf, jobs),
     .min = 1,
     .max = INT32_MAX - 1,
     .doc = "jobs in it; without it, as many as `queues` allows"},
    {.name = "bytes",
     .type = CONF_SIZE,
     .offset = offsetof(struct queue_limits_conf, bytes),
     .min = 1,
     .max = INT64_MAX / 2,
     .doc = "bytes of its bodies and results; without it, as many as `queues` allows"},
    {0},
};

static const struct conf_block limits_block = {
    .size = sizeof(struct queue_limits_conf),
    .words = limit_words,
};

static const struct conf_word queue_args[] = {
    {.name = "name",
     .type = CONF_NAME,
     .offset = offsetof(struct queue_conf, name),
     .doc = "what clients call it (a tube)"},
    {0},
};

static const struct conf_word one_queue_words[] = {
    {.name = "retry",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queue_conf, retry),
     .block = &retry_block,
     .doc = "what becomes of a job that was not done"},
    {.name = "ttl",
     .type = CONF_TIME,
     .offset = offsetof(struct queue_conf, ttl_ms),
     .min = SECOND,
     .max = YEAR,
     .doc = "a job that still waits so long after it was put, or could first be had, is dropped; "
            "without it, none is"},
    {.name = "keep",
     .type = CONF_TIME,
     .offset = offsetof(struct queue_conf, keep_ms),
     .min = SECOND,
     .max = YEAR,
     .doc = "how long the result of a job that is done is kept, unless the job says; without it, "
            "not at all"},
    {.name = "concurrency",
     .type = CONF_INT,
     .offset = offsetof(struct queue_conf, concurrency),
     .min = 1,
     .max = 1000000,
     .doc = "jobs that workers have at a time; without it, as many as they take"},
    {.name = "rate",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queue_conf, rate),
     .block = &rate_block,
     .doc = "how fast jobs are given to workers"},
    {.name = "limits",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queue_conf, limits),
     .block = &limits_block,
     .doc = "above which a new job is refused"},
    {.name = "deliver",
     .type = CONF_BLOCK,
     .offset = offsetof(struct queue_conf, deliver),
     .block = &deliver_block,
     .doc = "jobs are posted to a pool, `concurrency` at a time (8 where that is not said): 2xx is "
            "done; 408, 409, 425, 429, 5xx and no answer are tried again as `retry` says; anything "
            "else is dead"},
    {.name = "callback",
     .type = CONF_BLOCK,
     .offset = offsetof(struct queue_conf, callbacks[CALLBACK_DONE]),
     .block = &queue_callback_block,
     .doc = "for each job that is done, a request that says so is put into another queue, which "
            "delivers it; in one step with what the log holds of the job"},
    {.name = "failure-callback",
     .type = CONF_BLOCK,
     .offset = offsetof(struct queue_conf, callbacks[CALLBACK_DEAD]),
     .block = &queue_callback_block,
     .doc = "the same for each job that is dead, or that its `ttl` drops"},
    {.name = "async",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queue_conf, async),
     .block = &queue_async_block,
     .doc = "what clients of asynchronous routes may ask of it"},
    {.name = "schedule",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct queue_conf, schedules),
     .block = &queue_schedule_block,
     .doc = "a job that is put by the clock, by each node that has a `jobs` address. The next one "
            "waits in the queue: deleted or buried, its time is left out. A schedule that is "
            "changed or gone takes it along"},
    {0},
};

static int queue_finish(struct conf_load *load, void *self)
{
    const struct queue_conf *queue = self;
    if (!jobproto_is_tube(queue->name))
        return conf_error(load->diag, conf_where(&queue->object, "name"), NULL,
                          "clients cannot name a queue so: letters, digits and + / ; . $ _ ( ) -, "
                          "the first no hyphen");
    return 0;
}

/* Where no route names it nobody asks so. */
static bool queue_has_word(const void *self, const struct conf_word *word)
{
    const struct queue_conf *queue = self;
    return word->block != &queue_async_block || queue->is_async;
}

const struct conf_block queue_conf_block = {
    .size = sizeof(struct queue_conf),
    .args = queue_args,
    .words = one_queue_words,
    .has_word = queue_has_word,
    .finish = queue_finish,
};

struct queue_conf *queue_conf_find(const struct queue_module_conf *conf, struct slice name)
{
    for (size_t i = 0; i < conf->queue_list.n_items; i++) {
        struct queue_conf *queue = conf->queue_list.items[i];
        if (slice_equal(queue->name, name))
            return queue;
    }
    return NULL;
}

static struct retry_rule rule_of(const struct queue_retry_conf *retry, int end)
{
    uint32_t base = (uint32_t)retry->backoff.low, max = (uint32_t)retry->backoff.high;
    switch ((enum retry_conf)end) {
    case RETRY_CONF_AGAIN:
        return (struct retry_rule){RETRY_LATER, 0, 0};
    case RETRY_CONF_RETRY:
        return (struct retry_rule){RETRY_LATER, base, max};
    case RETRY_CONF_FREE:
        return (struct retry_rule){RETRY_HELD, base, max};
    case RETRY_CONF_BURY:
        break;
    }
    return (struct retry_rule){RETRY_DEAD, 0, 0};
}

void queue_policy(const struct queue_conf *conf, struct tube_policy *ret_policy)
{
    const struct queue_retry_conf *retry = &conf->retry;
    tube_policy_init(ret_policy);
    ret_policy->retry[JOB_ERROR_TEMPORARY] = rule_of(retry, retry->temporary);
    ret_policy->retry[JOB_ERROR_PERMANENT] = rule_of(retry, retry->permanent);
    ret_policy->retry[JOB_ERROR_BUSY] = rule_of(retry, retry->busy);
    ret_policy->retry[JOB_ERROR_TIMEOUT] = rule_of(retry, retry->timeout);
    ret_policy->retry[JOB_ERROR_LOST] = rule_of(retry, retry->lost);
    ret_policy->attempts_max = retry->n_retries > 0 ? (uint32_t)retry->n_retries + 1 : 0;
    ret_policy->ttl_s = (uint32_t)(conf->ttl_ms / MS_PER_S);
    ret_policy->result_s = (uint32_t)(conf->keep_ms / MS_PER_S);
    ret_policy->concurrency_max = (uint32_t)conf->concurrency;
    if (conf->rate.rate.count > 0) {
        ret_policy->rate_n = (uint64_t)conf->rate.rate.count;
        ret_policy->rate_per_ns = (uint64_t)conf->rate.rate.per_ms * 1000000;
        ret_policy->rate_burst = (uint64_t)conf->rate.burst;
    }
    ret_policy->jobs_max = (uint64_t)conf->limits.jobs;
    ret_policy->bytes_max = (uint64_t)conf->limits.bytes;
}
