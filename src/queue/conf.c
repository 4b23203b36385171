/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of the queue together: what no row can say alone, and the files that they name.
 */

#include "queue/conf.h"

#include "queue/internal.h"

const struct conf_word queue_words[] = {
    {.name = "queue",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct queue_module_conf, queue_list),
     .block = &queue_conf_block,
     .doc = "how the jobs of one name are treated"},
    {.name = "jobs",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct queue_module_conf, jobs_list),
     .block = &jobs_conf_block,
     .doc = "an address where jobs are put and taken"},
    {.name = "queues",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct queue_module_conf, queues),
     .block = &queues_conf_block,
     .doc = "what all queues share"},
    {0},
};

/* What is one record has to fit in a segment, with what the log adds to it. */
static int check_fits(const struct queues_conf *queues, int64_t bytes, const char *what,
                      struct conf_at at, struct conf_load *load)
{
    if (bytes <= queues->segment_bytes / 2)
        return 0;
    return conf_error(load->diag, at, NULL,
                      "%s of %lld bytes takes segments of at least twice as much (`queues { "
                      "segment }`)",
                      what, (long long)bytes);
}

/* What the file does not say of a request's body is made to fit. */
static int check_async(struct queue_conf *queue, const struct queues_conf *queues,
                       struct conf_load *load)
{
    struct queue_async_conf *async = &queue->async;
    if (!queue->is_async && conf_is_set(&queue->object, "async"))
        conf_warning(load->diag, conf_where(&queue->object, "async"), NULL,
                     "no route gives requests to this queue");
    if (!conf_is_set(&async->object, "body") && async->body_bytes > queues->segment_bytes / 2)
        async->body_bytes = queues->segment_bytes / 2;
    return check_fits(queues, async->body_bytes, "a body", conf_where(&async->object, "body"),
                      load);
}

/* Where nothing listens, the first queue that would do something by itself tells it for all. */
static int check_alone(const struct queue_module_conf *conf, struct conf_load *load)
{
    if (conf->jobs_list.n_items > 0 || conf->is_async)
        return 0;
    for (size_t i = 0; i < conf->queue_list.n_items; i++) {
        const struct queue_conf *queue = conf->queue_list.items[i];
        if (queue->schedules.n_items > 0)
            return conf_error(load->diag, conf_where(&queue->object, "schedule"),
                              "jobs 127.0.0.1:11300",
                              "without a `jobs` address nobody can take what it puts");
        if (queue->deliver)
            return conf_error(load->diag, queue->deliver->object.at, "jobs 127.0.0.1:11300",
                              "without a `jobs` address or an asynchronous route nobody can put "
                              "what it delivers");
    }
    return 0;
}

static int check_queue(struct queue_conf *queue, const struct queue_module_conf *conf,
                       const struct snapshot *snap, struct conf_load *load)
{
    struct deliver_conf *deliver = queue->deliver;
    int result = 0;
    queue->fact = arena_printf(load->arena, "queue:%.*s", SLICE_ARG(queue->name));
    if (schedules_check(queue, load) < 0)
        result = -1;
    if (deliver && (deliver_check(deliver, snap, load) < 0 ||
                    check_fits(&conf->queues, deliver->response_bytes, "an answer",
                               conf_where(&deliver->object, "response"), load) < 0))
        result = -1;
    if (check_async(queue, &conf->queues, load) < 0)
        result = -1;
    return result;
}

static int check_jobs(const struct queue_module_conf *conf, size_t index, struct conf_load *load)
{
    const struct jobs_conf *jobs = conf->jobs_list.items[index];
    if (jobs_check(&conf->jobs_list, index, load) < 0)
        return -1;
    return check_fits(&conf->queues, jobs->limits.job_bytes, "a job",
                      conf_where(&jobs->limits.object, "job"), load);
}

int queue_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    struct queue_module_conf *conf = self;
    int result = 0;
    for (size_t i = 0; i < conf->queue_list.n_items; i++)
        if (check_queue(conf->queue_list.items[i], conf, snap, load) < 0)
            result = -1;
    if (callbacks_check(conf, load) < 0)
        result = -1;
    if (check_alone(conf, load) < 0)
        result = -1;
    for (size_t i = 0; i < conf->jobs_list.n_items; i++)
        if (check_jobs(conf, i, load) < 0)
            result = -1;
    if (conf->queue_list.n_items >= (size_t)conf->queues.limits.tubes)
        result = conf_error(load->diag, conf_where(&conf->queues.limits.object, "tubes"), NULL,
                            "the file has %zu queues, and `default` is one more",
                            conf->queue_list.n_items);
    listens_set(snap, conf, load);
    return result;
}

int queue_files(const struct snapshot *snap, file_want_fn *want, void *ctx)
{
    const struct queue_module_conf *conf = queue_conf_of(snap);
    for (size_t i = 0; i < conf->queue_list.n_items; i++)
        if (schedules_files(conf->queue_list.items[i], want, ctx) < 0)
            return -1;
    for (size_t i = 0; i < conf->jobs_list.n_items; i++)
        if (jobs_files(conf->jobs_list.items[i], want, ctx) < 0)
            return -1;
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
