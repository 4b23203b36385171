/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asynchronous routes: a request becomes a job, once.
 */

#include "queue/async.h"

#include <assert.h>

enum { MS_PER_S = 1000 };

/* ---- what the client wishes ------------------------------------------------------------------ */

struct wishes {
    uint32_t delay_s, attempts, keep_s;
    uint64_t not_before_ms;
};

/* By the names of fields. */
static const struct api_word wish_words[] = {
    {"Weir-Delay", API_SECONDS, offsetof(struct wishes, delay_s), 0, UINT32_MAX},
    {"Weir-Not-Before", API_MOMENT, offsetof(struct wishes, not_before_ms), 0, UINT32_MAX},
    {"Weir-Attempts", API_NUMBER, offsetof(struct wishes, attempts), 1, UINT16_MAX},
    {"Weir-Keep", API_SECONDS, offsetof(struct wishes, keep_s), 1, UINT32_MAX},
    {0},
};

/* 0, or -1 with err. */
static int read_wishes(const struct async_ask *ask, struct wishes *ret, struct err *err)
{
    const struct web_exchange *exchange = ask->api->exchange;
    for (const struct api_word *word = wish_words; word->name; word++) {
        const struct h1_field *field =
            h1_find_name(exchange->head, exchange->head_bytes, slice_from(word->name));
        if (field &&
            api_value_read(word, h1_field_value(exchange->head_bytes, field), ret, err) < 0)
            return -1;
    }
    uint64_t now_ms = ask->api->now.wall_ms, most_ms = (uint64_t)ask->queue->async.delay_ms;
    bool is_far = (uint64_t)ret->delay_s * MS_PER_S > most_ms ||
                  (ret->not_before_ms > now_ms && ret->not_before_ms - now_ms > most_ms);
    if (is_far)
        return err_set(err, "Weir-Delay, Weir-Not-Before: at most %llu s from now",
                       (unsigned long long)most_ms / MS_PER_S);
    return 0;
}

/* The paths that callbacks are to go to, as lines that are stored with the request: 0, or -1 with
 * err. */
static int read_callbacks(const struct async_ask *ask, struct text *lines, struct err *err)
{
    static const char *const names[CALLBACK_N_ENDS] = {
        [CALLBACK_DONE] = "Weir-Callback",
        [CALLBACK_DEAD] = "Weir-Failure-Callback",
    };
    const struct web_exchange *exchange = ask->api->exchange;
    for (int end = 0; end < CALLBACK_N_ENDS; end++) {
        const struct queue_callback_conf *conf = ask->queue->callbacks[end];
        const struct h1_field *field =
            h1_find_name(exchange->head, exchange->head_bytes, slice_from(names[end]));
        if (!field)
            continue;
        struct slice path = h1_field_value(exchange->head_bytes, field);
        const char *why = conf ? callback_refusal(path, conf->queue->deliver->path)
                               : "is for queues that have callbacks, and this one has not";
        if (why)
            return err_set(err, "%s: it %s", names[end], why);
        text_printf(lines, "%s: %.*s\r\n", names[end], SLICE_ARG(path));
    }
    return 0;
}

/* A wish of the client, within what the queue says; 0: no wish, or the queue says nothing. */
static uint32_t within(uint32_t wish, uint32_t most)
{
    return wish > 0 && (most == 0 || wish < most) ? wish : most;
}

/* ---- which request it is --------------------------------------------------------------------- */

static struct slice field_of(const struct async_ask *ask, enum h1_field_id id)
{
    const struct web_exchange *exchange = ask->api->exchange;
    const struct h1_field *field = h1_find(exchange->head, id);
    return field ? h1_field_value(exchange->head_bytes, field) : SLICE("");
}

static void append_hash(const struct async_ask *ask, const struct text *bytes, struct text *out)
{
    char hash[ASYNC_HASH_CHARS];
    async_hash(&ask->api->hall->async->keys, text_slice(bytes), hash);
    text_append(out, slice_make(hash, sizeof(hash)));
}

/* The key of one client is no other client's, and what one has asked is not told to another. */
static void append_scope(const struct async_ask *ask, struct text *out)
{
    struct text bytes = TEXT_NONE;
    struct slice key = field_of(ask, H1_FIELD_IDEMPOTENCY_KEY);
    struct slice authorization = field_of(ask, H1_FIELD_AUTHORIZATION);
    text_printf(&bytes, "key %zu %.*s %.*s", key.len, SLICE_ARG(key), SLICE_ARG(authorization));
    append_hash(ask, &bytes, out);
    text_deinit(&bytes);
}

static void append_fingerprint(const struct async_ask *ask, struct text *out)
{
    const struct web_exchange *exchange = ask->api->exchange;
    const struct h1_head *head = exchange->head;
    struct text bytes = TEXT_NONE;
    text_printf(&bytes, "request %.*s %.*s\n",
                SLICE_ARG(h1_slice(exchange->head_bytes, head->method_text)),
                SLICE_ARG(h1_slice(exchange->head_bytes, head->target)));
    text_append(&bytes, exchange->body);
    append_hash(ask, &bytes, out);
    text_deinit(&bytes);
}

/* The job's unique key (async.h). */
static void write_key(const struct async_ask *ask, struct text *out)
{
    text_append(out, SLICE(JOB_ASYNC_KEY));
    if (!h1_has(ask->api->exchange->head, H1_FIELD_IDEMPOTENCY_KEY)) {
        text_append(out, ask->field.id);
        return;
    }
    append_scope(ask, out);
    text_append_char(out, '#');
    append_fingerprint(ask, out);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer_accepted(struct async_ask *ask, const struct job *job, uint64_t lsn)
{
    struct api_answer answer = {.status = 202};
    struct text path = TEXT_NONE;
    async_state_write(ask, job, &answer);
    async_path(ask, job, &path);
    text_printf(&answer.lines, "Location: %s\r\n", text_cstr(&path));
    text_append(&answer.lines, text_slice(&ask->api->lines));
    if (ask->prefer.is_async)
        text_append(&answer.lines, SLICE("Preference-Applied: respond-async\r\n"));
    text_deinit(&path);
    (void)api_send(ask->api, &answer, lsn);
}

/* Whoever prefers to wait gets what the member has answered, where it has, and else the 202. */
void async_answer_put(struct async_ask *ask, const struct job *job, uint64_t lsn)
{
    if (!job) {
        api_refuse_as(ask->api, 410, JOBS_WORDS, "the job was cancelled, or nothing of it is kept");
        return;
    }
    bool is_asked = async_wait_ms(ask) > 0;
    if (is_asked && job->state == JOB_DONE && async_answer_response(ask, job) == 0)
        return;
    answer_accepted(ask, job, lsn);
}

static void answer_or_wait(struct async_ask *ask, const struct job *job, uint64_t lsn)
{
    if (async_wait_ms(ask) > 0 && !async_is_over(job))
        async_wait(ask, job->id, lsn);
    else
        async_answer_put(ask, job, lsn);
}

/* ---- one that is there already --------------------------------------------------------------- */

/* The same request, which the edge sends again as it got no answer. */
static bool is_same(const struct async_ask *ask, const struct web_exchange *exchange)
{
    struct jobasync field;
    return async_field_read(exchange, &field) == 0 && slice_equal(field.id, ask->field.id);
}

/* Is another request just now putting it, and not answered yet? */
static bool is_being_put(const struct async_ask *ask, const struct job *job)
{
    LIST_EACH (node, &ask->api->hall->api->calls[API_HELD]) {
        const struct api_call *call = LIST_ENTRY(node, struct api_call, node);
        if (call->put_id == job->id)
            return !is_same(ask, call->exchange);
    }
    return false;
}

static void answer_again(struct async_ask *ask, const struct job *job, struct slice key)
{
    const struct engine *engine = ask->api->engine;
    const struct job_extra *extra = job_extra(&engine->model->store, job);
    bool has_key = h1_has(ask->api->exchange->head, H1_FIELD_IDEMPOTENCY_KEY);
    assert(extra && extra->key); /* it was found by its key */
    bool is_other = !slice_is(key, extra->key);
    if (is_other && engine_is_durable(engine, job)) {
        api_refuse_as(ask->api, 422, JOBS_CONFLICT,
                      "another request had this Idempotency-Key: its method, its target or its "
                      "body was not the same");
    } else if (is_other || (has_key && is_being_put(ask, job))) {
        /* Of what a crash may still take back nothing is said for good. */
        text_append(&ask->api->lines, SLICE("Retry-After: 1\r\n"));
        api_refuse_as(ask->api, 409, JOBS_CONFLICT,
                      "a request with this Idempotency-Key is just being taken");
    } else {
        if (has_key)
            text_append(&ask->api->lines, SLICE("Idempotency-Replayed: true\r\n"));
        /* That it is on the disk is not known. */
        answer_or_wait(ask, job, engine->journal.last_lsn);
    }
}

/* ---- a new one ------------------------------------------------------------------------------- */

/* False: it was refused. */
static bool may_put(struct async_ask *ask, const struct tube *tube, size_t n_bytes)
{
    if (ask->api->engine->model->is_draining || tube->is_draining) {
        api_refuse_draining(ask->api);
        return false;
    }
    if (tube_n_unfinished(tube) >= (uint64_t)ask->queue->async.unfinished) {
        api_refuse_as(ask->api, 503, JOBS_CROWDED, "too many requests wait to be done");
        return false;
    }
    return api_may(ask->api, WAL_NEW, n_bytes + ENGINE_CHANGE_BYTES);
}

static void put(struct async_ask *ask, const struct wishes *wishes, struct slice key,
                struct slice body)
{
    struct engine *engine = ask->api->engine;
    const struct queue_conf *queue = ask->queue;
    uint32_t keep_s = queue->keep_ms > 0 ? (uint32_t)(queue->keep_ms / MS_PER_S) : ASYNC_KEEP_S;
    uint32_t attempts = queue->retry.n_retries > 0 ? (uint32_t)queue->retry.n_retries + 1 : 0;
    const struct model_put job = {
        .priority = API_PRIORITY,
        .delay_s = wishes->delay_s,
        .ttr_s = API_TTR_S,
        .body = body,
        .key = key,
        .attempts_max = wishes->attempts > 0 ? within(wishes->attempts, attempts) : 0,
        .result_s = within(wishes->keep_s, keep_s),
        .not_before_ms = wishes->not_before_ms,
    };
    uint64_t id = 0;
    enum model_result result =
        model_put_named(engine->model, queue->name, &job, ask->api->now, &id);
    uint64_t lsn = engine_settle(engine);
    ask->api->put_id = id;
    if (result == MODEL_OK)
        answer_or_wait(ask, model_find_any(engine->model, id), lsn);
    else
        api_refuse_full(ask->api);
}

/* Its head is to be kept: 0, or -1 and it was refused. */
static int store(struct async_ask *ask, const struct text *lines, struct text *out)
{
    const struct web_exchange *exchange = ask->api->exchange;
    const struct jobhttp_store how = {.has_credentials = ask->field.has_credentials,
                                      .lines = text_slice(lines)};
    const char *why = NULL;
    if (jobhttp_write_request(exchange->head, exchange->head_bytes, exchange->body, &how, out,
                              &why) == 0)
        return 0;
    api_refuse(ask->api, 400, "it cannot be done later: it %s", why);
    return -1;
}

static void put_new(struct async_ask *ask, const struct tube *tube, struct slice key)
{
    struct wishes wishes = {.delay_s = 0};
    struct err err = ERR_NONE;
    struct text lines = TEXT_NONE, body = TEXT_NONE;
    if (read_wishes(ask, &wishes, &err) < 0 || read_callbacks(ask, &lines, &err) < 0)
        api_refuse_err(ask->api, &err);
    else if (store(ask, &lines, &body) == 0 && may_put(ask, tube, body.len))
        put(ask, &wishes, key, text_slice(&body));
    text_deinit(&lines);
    text_deinit(&body);
}

void async_put(struct async_ask *ask)
{
    const struct model *model = ask->api->engine->model;
    const struct tube *tube = model_tube(model, ask->queue->name);
    struct text key = TEXT_NONE;
    if (!tube) { /* there were too many when the file came, which was logged */
        api_refuse_full(ask->api);
        return;
    }
    write_key(ask, &key);
    const struct job *job = model_find_key(model, tube, text_slice(&key));
    if (job)
        answer_again(ask, job, text_slice(&key));
    else
        put_new(ask, tube, text_slice(&key));
    text_deinit(&key);
}
