/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `jobs`, and the token that its clients send.
 */

#include "queue/conf.h"

#include "wire/jobproto.h"

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)

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
     .doc = "bytes of a job's body, and of a result; a larger one is answered JOB_TOO_BIG, or 413"},
    {.name = "batch",
     .type = CONF_SIZE,
     .offset = offsetof(struct jobs_limits_conf, batch_bytes),
     .fallback = "1M",
     .min = 1024,
     .max = 64 << 20,
     .doc = "bytes of a request of HTTP that puts many jobs"},
    {.name = "output",
     .type = CONF_SIZE,
     .offset = offsetof(struct jobs_limits_conf, output_bytes),
     .fallback = "1M",
     .min = 1024,
     .max = 1 << 30,
     .doc = "answers that wait for a client; nothing further of its is read meanwhile, and a "
            "reserve by HTTP takes no further job"},
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
     .doc = "a client takes nothing of the answers that wait for it"},
    {.name = "idle",
     .type = CONF_TIME,
     .offset = offsetof(struct jobs_timeouts_conf, idle_ms),
     .fallback = "1m",
     .min = 10,
     .max = HOUR,
     .doc = "between two requests of a connection of HTTP"},
    {.name = "wait",
     .type = CONF_TIME,
     .offset = offsetof(struct jobs_timeouts_conf, wait_ms),
     .fallback = "1m",
     .min = SECOND,
     .max = HOUR,
     .doc = "the longest that a reserve by HTTP waits for a job; one that asks for more is "
            "answered then"},
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
     .doc = "where clients of beanstalkd's protocol and of the job API (HTTP) connect"},
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
     .doc = "a file with the token that a client sends by `auth` before anything else, or as "
            "`Authorization: Bearer TOKEN` with each request; without it none is asked for"},
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

const struct conf_block jobs_conf_block = {
    .size = sizeof(struct jobs_conf),
    .args = jobs_args,
    .words = one_jobs_words,
    .has_word = jobs_has_word,
};

int jobs_check(const struct conf_list *list, size_t index, struct conf_load *load)
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

struct slice queue_token(struct slice bytes)
{
    while (bytes.len > 0 && (bytes.ptr[bytes.len - 1] == '\n' || bytes.ptr[bytes.len - 1] == '\r'))
        bytes.len--;
    return bytes;
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

int jobs_files(const struct jobs_conf *jobs, file_want_fn *want, void *ctx)
{
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
    return tls_server_is_set(&jobs->tls) ? tls_server_files(&jobs->tls, want, ctx) : 0;
}
