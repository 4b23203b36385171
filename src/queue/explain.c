/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The file's values with their places, beside what the process knows.
 */

#include "queue/explain.h"

#include "conf/print.h"
#include "conf/unit.h"
#include "queue/api.h"
#include "queue/explain_why.h"
#include "queue/queue.h"

/* What is asked, and who answers. */
struct asking {
    const struct snapshot *snap;
    const struct board *board;
    const struct hall *hall; /* NULL: outside of its process */
    struct json *json;
    struct slice name; /* empty: all */
};

static void put_text(struct json *json, const char *key, struct text *text)
{
    json_key(json, key);
    json_slice(json, text_slice(text));
    text_clear(text);
}

static void put_count(struct json *json, const char *key, uint64_t n)
{
    json_key(json, key);
    json_uint(json, n);
}

static void put_bool(struct json *json, const char *key, bool value)
{
    json_key(json, key);
    json_bool(json, value);
}

/* ---- words ----------------------------------------------------------------------------------- */

static void put_at(const struct asking *asking, struct conf_at at)
{
    struct text text = TEXT_NONE;
    if (at.line > 0)
        conf_at_format(asking->snap->files, at, &text);
    put_text(asking->json, "at", &text);
    text_deinit(&text);
}

static void put_word(void *ctx, const struct conf_shown *shown)
{
    const struct asking *asking = ctx;
    json_object_begin(asking->json);
    json_key(asking->json, "word");
    json_slice(asking->json, shown->path);
    json_key(asking->json, "value");
    json_slice(asking->json, shown->value);
    put_at(asking, shown->is_set ? shown->at : (struct conf_at){.line = 0});
    json_object_end(asking->json);
}

/* self NULL: the file has none. */
static void put_words(struct asking *asking, const struct conf_block *block, void *self)
{
    json_key(asking->json, "words");
    json_array_begin(asking->json);
    if (self)
        conf_print_values(block, self, put_word, asking);
    json_array_end(asking->json);
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void put_deliver(struct asking *asking, const struct tube *tube)
{
    const struct deliverer *deliverer = deliver_find(asking->hall, tube_name(tube));
    struct text why = TEXT_NONE;
    if (!deliverer)
        return;
    json_key(asking->json, "deliver");
    json_object_begin(asking->json);
    put_bool(asking->json, "goes", explain_deliver(asking->hall, deliverer, tube, &why));
    put_text(asking->json, "why", &why);
    json_object_end(asking->json);
    text_deinit(&why);
}

/* The job that is the next of a state, and how it failed last. */
static void put_first(struct asking *asking, const struct tube *tube, enum job_state state,
                      const char *key)
{
    const struct model *model = asking->hall->engine.model;
    const struct job *job = model_peek(model, tube, state);
    const struct job_extra *extra = job ? job_extra(&model->store, job) : NULL;
    if (!job)
        return;
    json_key(asking->json, key);
    json_object_begin(asking->json);
    put_count(asking->json, "id", job->id);
    if (extra && extra->error != JOB_ERROR_NONE) {
        json_key(asking->json, "error");
        json_cstr(asking->json, job_error_name((enum job_error)extra->error));
        json_key(asking->json, "text");
        json_slice(asking->json, slice_from(extra->error_text));
    }
    json_object_end(asking->json);
}

/* A queue that asynchronous routes give requests to. */
static void put_async(struct asking *asking, const struct tube *tube, const struct queue_conf *conf)
{
    const struct queue_module_conf *all = queue_conf_of(asking->hall->snap);
    struct json *json = asking->json;
    struct text why = TEXT_NONE;
    json_key(json, "async");
    json_object_begin(json);
    put_bool(json, "accepts", explain_async(asking->hall, tube, conf, &why));
    put_text(json, "answer", &why);
    put_count(json, "unfinished", tube ? tube_n_unfinished(tube) : 0);
    put_count(json, "unfinished_max", (uint64_t)conf->async.unfinished);
    put_count(json, "connections", explain_async_conns(asking->hall, &why));
    put_count(json, "connections_max", (uint64_t)all->queues.async.connections);
    put_text(json, "held", &why);
    json_object_end(json);
    text_deinit(&why);
}

static void put_state(struct asking *asking, const struct tube *tube, const struct queue_conf *conf)
{
    struct json *json = asking->json;
    struct text why = TEXT_NONE;
    put_bool(json, "is_there", tube != NULL);
    put_count(json, "ready", tube ? tube->ready.n : 0);
    put_count(json, "delayed", tube ? tube->delayed.n : 0);
    put_count(json, "reserved", tube ? tube->n_reserved : 0);
    put_count(json, "buried", tube ? tube->n_buried : 0);
    put_bool(json, "takes", explain_put(asking->hall, tube, conf, &why));
    put_text(json, "put", &why);
    put_bool(json, "gives", explain_reserve(asking->hall, tube, conf, &why));
    put_text(json, "reserve", &why);
    text_deinit(&why);
    if (tube) {
        put_deliver(asking, tube);
        put_first(asking, tube, JOB_BURIED, "first_buried");
        put_first(asking, tube, JOB_DELAYED, "first_delayed");
    }
    if (conf && conf->is_async)
        put_async(asking, tube, conf);
}

/* conf NULL: the file does not name it. */
static void put_queue(struct asking *asking, struct slice name, struct queue_conf *conf)
{
    const struct hall *hall = asking->hall;
    json_object_begin(asking->json);
    json_key(asking->json, "queue");
    json_slice(asking->json, name);
    put_at(asking, conf ? conf->object.at : (struct conf_at){.line = 0});
    if (hall)
        put_state(asking, hall->engine.wal ? model_tube(hall->engine.model, name) : NULL, conf);
    put_words(asking, &queue_conf_block, conf);
    json_object_end(asking->json);
}

/* Those that clients made. Returns how many there are. */
static size_t put_others(struct asking *asking, const struct queue_module_conf *conf, size_t n_told)
{
    const struct model *model = asking->hall->engine.model;
    size_t n = 0;
    for (uint32_t i = 0; i < model->n_tube_slots; i++) {
        const struct tube *tube = model->tubes[i];
        if (!tube || queue_conf_find(conf, tube_name(tube)))
            continue;
        if (n_told + n < EXPLAIN_QUEUES_MAX)
            put_queue(asking, tube_name(tube), NULL);
        n++;
    }
    return n;
}

static void put_queues(struct asking *asking, const struct queue_module_conf *conf)
{
    const struct hall *hall = asking->hall;
    size_t n = conf->queue_list.n_items;
    json_key(asking->json, "queues");
    json_array_begin(asking->json);
    if (asking->name.len > 0) {
        put_queue(asking, asking->name, queue_conf_find(conf, asking->name));
        n = 1;
    } else {
        for (size_t i = 0; i < n && i < EXPLAIN_QUEUES_MAX; i++) {
            struct queue_conf *queue = conf->queue_list.items[i];
            put_queue(asking, queue->name, queue);
        }
        n += hall && hall->engine.wal ? put_others(asking, conf, n) : 0;
    }
    json_array_end(asking->json);
    put_count(asking->json, "queues_total", n);
}

/* ---- listeners ------------------------------------------------------------------------------- */

static const struct jobs_listener *find_listener(const struct hall *hall,
                                                 const struct jobs_conf *conf)
{
    for (size_t i = 0; hall && i < hall->n_listeners; i++)
        if (hall->listeners[i]->conf == conf)
            return hall->listeners[i];
    return NULL;
}

static void put_listener(struct asking *asking, struct jobs_conf *conf)
{
    struct json *json = asking->json;
    struct fact fact = {.state = FACT_NONE};
    struct fact_ref ref = board_find(asking->board, conf->fact);
    const struct jobs_listener *listener = find_listener(asking->hall, conf);
    bool is_told = ref.is_set && board_read(asking->board, ref, &fact);
    json_object_begin(json);
    json_key(json, "jobs");
    json_slice(json, conf->name);
    put_at(asking, conf->object.at);
    json_key(json, "state");
    json_cstr(json, is_told ? fact_state_name(fact.state) : "");
    json_key(json, "reason");
    json_cstr(json, is_told ? fact.reason : "");
    if (listener)
        put_count(json, "connections", listener->n_clients + api_n_conns(listener));
    put_words(asking, &jobs_conf_block, conf);
    json_object_end(json);
}

static void put_listeners(struct asking *asking, const struct queue_module_conf *conf)
{
    json_key(asking->json, "listeners");
    json_array_begin(asking->json);
    for (size_t i = 0; i < conf->jobs_list.n_items; i++)
        put_listener(asking, conf->jobs_list.items[i]);
    json_array_end(asking->json);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int explain(struct asking *asking, struct err *err)
{
    struct json *json = asking->json;
    struct queue_module_conf *conf = snapshot_conf(asking->snap, &queue_module);
    const struct hall *hall = asking->hall;
    struct conf_quote quote;
    enum wal_sync sync = (enum wal_sync)conf->queues.sync.mode;
    if (asking->name.len > 0 && !jobproto_is_tube(asking->name))
        return err_set(err, "\"%s\" is no name of a queue", conf_quote(asking->name, &quote));
    json_key(json, "node");
    json_cstr(json, asking->snap->node);
    if (hall && hall->engine.wal) {
        put_count(json, "jobs", hall->engine.model->store.n_jobs);
        put_count(json, "bytes", hall->engine.model->n_bytes);
    }
    json_key(json, "sync");
    json_cstr(json, wal_sync_name(sync));
    put_bool(json, "is_durable", wal_sync_is_durable(sync));
    put_queues(asking, conf);
    if (asking->name.len == 0)
        put_listeners(asking, conf);
    put_words(asking, &queues_conf_block, &conf->queues);
    return 0;
}

int queue_explain(const struct snapshot *snap, const struct board *board,
                  const struct explain_ask *ask, struct json *json, struct err *err)
{
    struct asking asking = {.snap = snap, .board = board, .json = json, .name = ask->text};
    return explain(&asking, err);
}

int queue_explain_inside(void *state, const struct explain_ask *ask, struct json *json,
                         struct err *err)
{
    const struct hall *hall = state;
    struct asking asking = {.snap = hall->snap,
                            .board = hall->process->board,
                            .hall = hall,
                            .json = json,
                            .name = ask->text};
    return hall->snap ? explain(&asking, err) : err_set(err, "the queue only starts");
}
