/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `queue`, `jobs` and `queues`, and what they say together.
 */

#include "queue/conf.h"

#include "queue/internal.h"
#include "wire/jobproto.h"

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define YEAR   (366 * 24 * HOUR)

enum { MS_PER_S = 1000 };

/* ---- queue ----------------------------------------------------------------------------------- */

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

/* clang-format off */
#define PLANNED(word, sentence) \
    {.name = (word), .type = CONF_BLOCK, .flags = CONF_PLANNED, .doc = (sentence)}
/* clang-format on */

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
    PLANNED("deliver", "a pool whose members do the jobs"),
    PLANNED("schedule", "jobs that are put by the clock"),
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

static const struct conf_block queue_block = {
    .size = sizeof(struct queue_conf),
    .args = queue_args,
    .words = one_queue_words,
    .finish = queue_finish,
};

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

/* ---- jobs ------------------------------------------------------------------------------------ */

static const struct conf_word jobs_limit_words[] = {
    {.name = "connections",
     .type = CONF_INT,
     .offset = offsetof(struct jobs_limits_conf, connections),
     .fallback = "10000",
     .min = 1,
     .max = 1000000,
     .doc = "connections at a time; more are closed at once"},
    {.name = "job",
     .type = CONF_SIZE,
     .offset = offsetof(struct jobs_limits_conf, job_bytes),
     .fallback = "65535",
     .min = 1,
     .max = 8 << 20,
     .doc = "bytes of a job's body, and of a result; a larger one is answered JOB_TOO_BIG"},
    {.name = "output",
     .type = CONF_SIZE,
     .offset = offsetof(struct jobs_limits_conf, output_bytes),
     .fallback = "1M",
     .min = 1024,
     .max = 1 << 30,
     .doc = "answers that wait for a client; nothing further of its is read meanwhile"},
    {0},
};

static const struct conf_block jobs_limits_block = {
    .size = sizeof(struct jobs_limits_conf),
    .words = jobs_limit_words,
};

static const struct conf_word jobs_timeout_words[] = {
    {.name = "request",
     .type = CONF_TIME,
     .offset = offsetof(struct jobs_timeouts_conf, request_ms),
     .fallback = "1m",
     .min = 10,
     .max = HOUR,
     .doc = "from the first byte of a request to its last; a client without one may be silent for "
            "ever"},
    {.name = "send",
     .type = CONF_TIME,
     .offset = offsetof(struct jobs_timeouts_conf, send_ms),
     .fallback = "1m",
     .min = 10,
     .max = HOUR,
     .doc = "until a client takes the answers that wait for it"},
    {0},
};

static const struct conf_block jobs_timeouts_block = {
    .size = sizeof(struct jobs_timeouts_conf),
    .words = jobs_timeout_words,
};

static const struct conf_word jobs_args[] = {
    {.name = "address",
     .type = CONF_ADDR,
     .offset = offsetof(struct jobs_conf, addr),
     .doc = "where clients of beanstalkd's protocol connect"},
    {0},
};

static const struct conf_word one_jobs_words[] = {
    {.name = "name",
     .type = CONF_NAME,
     .offset = offsetof(struct jobs_conf, name),
     .doc = "what it is called in facts and metrics; without it, by its address"},
    {.name = "token-file",
     .type = CONF_PATH,
     .offset = offsetof(struct jobs_conf, token_file),
     .doc = "a file with the token that a client sends by `auth` before anything else; without it "
            "none is asked for"},
    {.name = "limits",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct jobs_conf, limits),
     .block = &jobs_limits_block,
     .doc = "how much of everything is accepted"},
    {.name = "timeout",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct jobs_conf, timeouts),
     .block = &jobs_timeouts_block,
     .doc = "how long each part may take"},
    {.name = "tls",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct jobs_conf, tls),
     .block = &tls_server_block,
     .doc = "clients connect by TLS, and see this certificate"},
    {0},
};

/* Without a certificate there is no TLS. */
static bool jobs_has_word(const void *self, const struct conf_word *word)
{
    const struct jobs_conf *jobs = self;
    return word->block != &tls_server_block || tls_server_is_set(&jobs->tls);
}

static const struct conf_block jobs_block = {
    .size = sizeof(struct jobs_conf),
    .args = jobs_args,
    .words = one_jobs_words,
    .has_word = jobs_has_word,
};

/* ---- queues ---------------------------------------------------------------------------------- */

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
    {.name = "limits",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queues_conf, limits),
     .block = &queues_limits_block,
     .doc = "above which new jobs are refused"},
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

static const struct conf_block queues_block = {
    .size = sizeof(struct queues_conf),
    .words = queues_words,
    .finish = queues_finish,
};

const struct conf_word queue_words[] = {
    {.name = "queue",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct queue_module_conf, queue_list),
     .block = &queue_block,
     .doc = "how the jobs of one name are treated"},
    {.name = "jobs",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct queue_module_conf, jobs_list),
     .block = &jobs_block,
     .doc = "an address where jobs are put and taken"},
    {.name = "queues",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queue_module_conf, queues),
     .block = &queues_block,
     .doc = "what all queues share"},
    {0},
};

/* ---- together -------------------------------------------------------------------------------- */

/* The largest job has to fit in a segment, with what the log adds to it. */
static int check_job_bytes(const struct jobs_conf *jobs, const struct queues_conf *queues,
                           struct conf_load *load)
{
    if (jobs->limits.job_bytes <= queues->segment_bytes / 2)
        return 0;
    return conf_error(load->diag, conf_where(&jobs->limits.object, "job"), NULL,
                      "a job of %lld bytes takes segments of at least twice as much (`queues { "
                      "segment }`)",
                      (long long)jobs->limits.job_bytes);
}

static int check_jobs(const struct conf_list *list, size_t index, struct conf_load *load)
{
    struct jobs_conf *jobs = list->items[index];
    if (jobs->name.len == 0)
        jobs->name = jobs->addr.text;
    jobs->fact = arena_printf(load->arena, "jobs:%.*s", SLICE_ARG(jobs->name));
    if (jobs->token_file.len > 0)
        jobs->token_blob = arena_printf(load->arena, "%s.token", jobs->fact);
    if (index == JOBS_LISTENS_MAX)
        return conf_error(load->diag, jobs->object.at, NULL, "more than %d jobs listeners",
                          JOBS_LISTENS_MAX);
    for (size_t i = 0; i < index; i++) {
        const struct jobs_conf *earlier = list->items[i];
        if (addr_equal(&earlier->addr.addr, &jobs->addr.addr))
            return conf_error(load->diag, jobs->addr.at, NULL,
                              "jobs %.*s (line %u) has this address already",
                              SLICE_ARG(earlier->name), earlier->addr.at.line);
        if (slice_equal(earlier->name, jobs->name))
            return conf_error(load->diag, conf_where(&jobs->object, "name"), NULL,
                              "jobs on line %u has this name already", earlier->addr.at.line);
    }
    return tls_server_is_set(&jobs->tls) ? tls_server_check(&jobs->tls, jobs->fact, load) : 0;
}

/* A path that is too long was told by admin, whose socket's is longer still. */
static struct jobs_conf *local_jobs(const struct snapshot *snap,
                                    const struct queue_module_conf *conf, struct arena *arena)
{
    struct jobs_conf *local = ARENA_NEW(arena, struct jobs_conf);
    *local = *(const struct jobs_conf *)conf->jobs_list.items[0];
    local->name = SLICE("local-socket");
    local->addr = (struct conf_addr){.text = SLICE(JOBS_SOCKET)};
    local->fact = "jobs:local-socket";
    local->token_blob = NULL;
    local->tls = (struct tls_server_conf){.versions = TLS_VERSIONS_BOTH};
    const char *path = arena_printf(arena, "unix:%s/" JOBS_SOCKET, snap->state_dir);
    if (!snap->state_dir || addr_parse(slice_from(path), &local->addr.addr, NULL) < 0)
        return NULL;
    return local;
}

/* What the file says, and a socket for the commands of whoever started weir. */
static void set_listens(const struct snapshot *snap, struct queue_module_conf *conf,
                        struct arena *arena)
{
    size_t n = conf->jobs_list.n_items;
    if (n == 0)
        return;
    struct jobs_conf *local = local_jobs(snap, conf, arena);
    conf->listens.items = ARENA_NEW_ARRAY(arena, void *, n + 1);
    for (size_t i = 0; i < n; i++)
        conf->listens.items[i] = conf->jobs_list.items[i];
    conf->listens.items[n] = local;
    conf->listens.n_items = n + (local != NULL);
}

int queue_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    struct queue_module_conf *conf = self;
    int result = 0;
    for (size_t i = 0; i < conf->queue_list.n_items; i++) {
        struct queue_conf *queue = conf->queue_list.items[i];
        queue->fact = arena_printf(load->arena, "queue:%.*s", SLICE_ARG(queue->name));
    }
    for (size_t i = 0; i < conf->jobs_list.n_items; i++)
        if (check_jobs(&conf->jobs_list, i, load) < 0 ||
            check_job_bytes(conf->jobs_list.items[i], &conf->queues, load) < 0)
            result = -1;
    if (conf->queue_list.n_items >= (size_t)conf->queues.limits.tubes)
        result = conf_error(load->diag, conf_where(&conf->queues.limits.object, "tubes"), NULL,
                            "the file has %zu queues, and `default` is one more",
                            conf->queue_list.n_items);
    set_listens(snap, conf, load->arena);
    return result;
}

/* A token is one line of visible ASCII. */
static int check_token(struct slice bytes, struct err *err)
{
    struct slice token = queue_token(bytes);
    if (token.len == 0)
        return err_set(err, "it has no token");
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            return err_set(err, "the token is not one word of visible ASCII");
    if (token.len > JOBPROTO_LINE_MAX - sizeof("auth \r\n") + 1)
        return err_set(err, "a token of %zu bytes does not fit in a line of %d", token.len,
                       JOBPROTO_LINE_MAX);
    return 0;
}

struct slice queue_token(struct slice bytes)
{
    while (bytes.len > 0 && (bytes.ptr[bytes.len - 1] == '\n' || bytes.ptr[bytes.len - 1] == '\r'))
        bytes.len--;
    return bytes;
}

int queue_files(const struct snapshot *snap, file_want_fn *want, void *ctx)
{
    const struct queue_module_conf *conf = queue_conf_of(snap);
    for (size_t i = 0; i < conf->jobs_list.n_items; i++) {
        const struct jobs_conf *jobs = conf->jobs_list.items[i];
        const struct file_want file = {
            .name = jobs->token_blob,
            .path = jobs->token_file,
            .at = conf_where(&jobs->object, "token-file"),
            .max_bytes = JOBS_TOKEN_BYTES,
            .is_secret = true,
            .check = check_token,
        };
        if (jobs->token_blob && want(ctx, &file) < 0)
            return -1;
        if (tls_server_is_set(&jobs->tls) && tls_server_files(&jobs->tls, want, ctx) < 0)
            return -1;
    }
    return 0;
}

int queue_check_files(const struct snapshot *snap, const struct conf_bundle *files,
                      struct conf_diag *diag)
{
    const struct queue_module_conf *conf = queue_conf_of(snap);
    int result = 0;
    for (size_t i = 0; i < conf->jobs_list.n_items; i++) {
        const struct jobs_conf *jobs = conf->jobs_list.items[i];
        if (tls_server_is_set(&jobs->tls) && tls_server_inspect(&jobs->tls, files, diag) < 0)
            result = -1;
    }
    return result;
}
