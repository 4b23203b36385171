/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `deliver`, and what they say together.
 */

#include "queue/deliver_conf.h"

#include "core/settings.h"
#include "pool/pool.h"
#include "queue/conf.h"
#include "queue/queue.h"
#include <string.h>

#define SECOND INT64_C(1000)
#define DAY    (24 * 3600 * SECOND)

static const struct conf_choice signs[] = {
    {.name = "auto",
     .value = DELIVER_SIGN_AUTO,
     .doc = "where the file names a `secret-file`, from which receivers can derive the key"},
    {.name = "on", .value = DELIVER_SIGN_ON, .doc = "always"},
    {.name = "off", .value = DELIVER_SIGN_OFF, .doc = "never"},
    {0},
};

static const struct conf_word deliver_words[] = {
    {.name = "pool",
     .type = CONF_REF,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct deliver_conf, pool_ref),
     .doc = "whose members do the jobs"},
    {.name = "path",
     .type = CONF_STRING,
     .offset = offsetof(struct deliver_conf, path),
     .fallback = "/",
     .doc = "where jobs are posted, unless a job says"},
    {.name = "host",
     .type = CONF_STRING,
     .offset = offsetof(struct deliver_conf, host),
     .doc = "the Host field, unless a job says; without it the pool's name"},
    {.name = "content-type",
     .type = CONF_STRING,
     .offset = offsetof(struct deliver_conf, type),
     .fallback = "application/octet-stream",
     .doc = "the Content-Type field, unless a job says"},
    {.name = "timeout",
     .type = CONF_TIME,
     .offset = offsetof(struct deliver_conf, timeout_ms),
     .fallback = "30s",
     .min = 100,
     .max = DAY,
     .doc = "for a delivery, from its beginning to the head of the answer, whose end has a second "
            "more; then the attempt failed"},
    {.name = "response",
     .type = CONF_SIZE,
     .offset = offsetof(struct deliver_conf, response_bytes),
     .fallback = "64k",
     .min = 1024,
     .max = 8 << 20,
     .doc = "bytes of an answer's body; of a larger one only the status counts"},
    {.name = "retry-after",
     .type = CONF_TIME,
     .offset = offsetof(struct deliver_conf, retry_after_ms),
     .fallback = "1h",
     .min = 0,
     .max = 30 * DAY,
     .doc = "the longest wait that a member may ask for by Retry-After"},
    {.name = "hold",
     .type = CONF_TIME,
     .offset = offsetof(struct deliver_conf, hold_ms),
     .fallback = "1s",
     .min = 10,
     .max = 3600 * SECOND,
     .doc = "how long nothing is delivered after the pool had nobody to take it"},
    {.name = "sign",
     .type = CONF_CHOICE,
     .offset = offsetof(struct deliver_conf, sign),
     .fallback = "auto",
     .choices = signs,
     .doc = "whether deliveries are signed (Standard Webhooks)"},
    {0},
};

static bool is_visible(struct slice text, const char *but)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr(but, text.ptr[i]))
            return false;
    return true;
}

/* A media type may have a space before its parameters. */
static bool is_type(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    return text.len > 0 && text.ptr[0] != ' ' && text.ptr[text.len - 1] != ' ';
}

static int deliver_finish(struct conf_load *load, void *self)
{
    const struct deliver_conf *deliver = self;
    if (deliver->path.len == 0 || deliver->path.ptr[0] != '/' || !is_visible(deliver->path, "#"))
        return conf_error(load->diag, conf_where(&deliver->object, "path"), "path /reports",
                          "a path begins with a slash and has neither spaces nor #");
    if (!is_visible(deliver->host, "/@?#"))
        return conf_error(load->diag, conf_where(&deliver->object, "host"), "host app.example.org",
                          "no name of a host");
    if (!is_type(deliver->type))
        return conf_error(load->diag, conf_where(&deliver->object, "content-type"),
                          "content-type application/json", "no media type");
    return 0;
}

const struct conf_block deliver_block = {
    .size = sizeof(struct deliver_conf),
    .words = deliver_words,
    .finish = deliver_finish,
};

int deliver_check(struct deliver_conf *deliver, const struct snapshot *snap, struct conf_load *load)
{
    const struct pool *pool = pool_resolve(snap, &deliver->pool_ref, load);
    if (!pool)
        return -1;
    deliver->pool_fact = pool->fact;
    deliver->open_fact = pool->open_fact;
    if (deliver->host.len == 0)
        deliver->host = pool->name;
    deliver->is_signed = deliver->sign == DELIVER_SIGN_ON;
    if (deliver->sign == DELIVER_SIGN_AUTO)
        deliver->is_signed = settings_of(snap)->secret_file.len > 0;
    return 0;
}

const struct deliver_conf *deliver_conf_at(const struct snapshot *snap, size_t n)
{
    const struct queue_module_conf *conf = snapshot_conf(snap, &queue_module);
    const struct conf_list *list = &conf->queue_list;
    for (size_t i = 0; i < list->n_items; i++) {
        const struct queue_conf *queue = list->items[i];
        if (queue->deliver && n-- == 0)
            return queue->deliver;
    }
    return NULL;
}
