/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Commands: each asks the model and writes its answer, as beanstalkd 1.12 words it.
 */

#include "queue/client.h"

#include <assert.h>
#include <string.h>

enum { MS_PER_S = 1000 };

static struct engine *engine_of(const struct client *client)
{
    return &client->hall->engine;
}

static struct model *model_of(const struct client *client)
{
    return client->hall->engine.model;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer_id(struct client *client, enum jobproto_id_reply reply, uint64_t id,
                      uint64_t lsn)
{
    char out[JOBPROTO_OUT_MAX];
    jobs_client_answer(client, slice_make(out, jobproto_write_id(out, reply, id)), lsn);
}

static void answer_count(struct client *client, enum jobproto_count_reply reply, uint64_t n,
                         uint64_t lsn)
{
    char out[JOBPROTO_OUT_MAX];
    jobs_client_answer(client, slice_make(out, jobproto_write_count(out, reply, n)), lsn);
}

static void answer_using(struct client *client)
{
    char out[JOBPROTO_OUT_MAX];
    size_t n = jobproto_write_using(out, tube_name(client->model->used));
    jobs_client_answer(client, slice_make(out, n), 0);
}

/* The job with its body. 1: the body is damaged, nothing was written. */
static int answer_job(struct client *client, enum jobproto_job_reply reply, const struct job *job)
{
    char out[JOBPROTO_OUT_MAX];
    struct slice body;
    if (engine_body(engine_of(client), job, &body) < 0)
        return 1;
    size_t n = jobproto_write_job(out, reply, job->id, body.len);
    jobs_client_answer(client, slice_make(out, n), 0);
    jobs_client_answer(client, body, 0);
    jobs_client_answer(client, SLICE("\r\n"), 0);
    return 0;
}

/*
 * May the log take so much? 0; 1: the command is to come again; -1: it was refused.
 */
static int may(struct client *client, enum wal_class class, size_t n_bytes)
{
    int result = engine_may(engine_of(client), class, n_bytes);
    if (result == WAL_BUSY)
        return 1;
    if (result == 0)
        return 0;
    jobs_client_reply(client, result < 0 ? JOBPROTO_INTERNAL_ERROR : JOBPROTO_OUT_OF_MEMORY, 0);
    return -1;
}

/* The answer to a change that either was done or found nothing to do. */
static void answer_change(struct client *client, enum model_result result, enum jobproto_reply done)
{
    uint64_t lsn = engine_settle(engine_of(client));
    if (result == MODEL_BURIED)
        done = JOBPROTO_BURIED;
    jobs_client_reply(client, result == MODEL_NOT_FOUND ? JOBPROTO_NOT_FOUND : done, lsn);
}

/* ---- put ------------------------------------------------------------------------------------- */

static void begin_put(struct client *client, const struct jobproto_command *command)
{
    const struct model *model = model_of(client);
    client->command = *command;
    if (model->is_draining || client->model->used->is_draining)
        jobproto_refuse(&client->reader, JOBPROTO_DRAINING);
}

static void take_options(struct client *client, struct model_put *put)
{
    const struct jobproto_options *options = &client->options;
    if (options->has & JOBPROTO_HAS_KEY)
        put->key = slice_make(client->key, options->key.len);
    if (options->has & JOBPROTO_HAS_TTL)
        put->ttl_s = options->ttl_s;
    if (options->has & JOBPROTO_HAS_ATTEMPTS)
        put->attempts_max = options->attempts;
    if (options->has & JOBPROTO_HAS_RESULT)
        put->result_s = options->result_s;
    if (options->has & JOBPROTO_HAS_NOT_BEFORE)
        put->not_before_ms = options->not_before_s * MS_PER_S;
}

static int put(struct client *client, struct slice body)
{
    const struct jobproto_command *command = &client->command;
    struct model_now now = engine_now(engine_of(client));
    uint64_t id = 0;
    int room = may(client, WAL_NEW, body.len + ENGINE_CHANGE_BYTES);
    if (room > 0)
        return 1;
    struct model_put put = {.priority = command->priority,
                            .delay_s = command->delay_s,
                            .ttr_s = command->ttr_s,
                            .body = body};
    take_options(client, &put);
    client->options.has = 0;
    if (room < 0)
        return 0;
    if (!client->is_producer)
        client->hall->n_producers++;
    client->is_producer = true;
    enum model_result result = model_put(model_of(client), client->model, &put, now, &id);
    uint64_t lsn = engine_settle(engine_of(client));
    if (result == MODEL_OK)
        answer_id(client, JOBPROTO_INSERTED_ID, id, lsn);
    else if (result == MODEL_EXISTS)
        answer_id(client, JOBPROTO_EXISTS_ID, id, engine_of(client)->journal.last_lsn);
    else
        jobs_client_reply(client,
                          result == MODEL_DRAINING ? JOBPROTO_DRAINING : JOBPROTO_OUT_OF_MEMORY, 0);
    return 0;
}

static void put_opts(struct client *client, const struct jobproto_command *command)
{
    client->options = command->options;
    if (command->options.has & JOBPROTO_HAS_KEY)
        memcpy(client->key, command->options.key.ptr, command->options.key.len);
    jobs_client_reply(client, JOBPROTO_OPTIONS, 0);
}

static int finish(struct client *client, struct slice result)
{
    struct model_now now = engine_now(engine_of(client));
    int room = may(client, WAL_CHANGE, result.len + ENGINE_CHANGE_BYTES);
    if (room != 0)
        return room > 0;
    enum model_result done =
        model_finish(model_of(client), client->model, client->command.id, result, now);
    answer_change(client, done, JOBPROTO_FINISHED);
    return 0;
}

int command_body(struct client *client, struct slice body)
{
    return client->command.verb == JOBPROTO_PUT ? put(client, body) : finish(client, body);
}

/* ---- reserve --------------------------------------------------------------------------------- */

/* A job whose bytes are lost cannot be done: it is put aside for a person to look at. */
static void bury_damaged(struct client *client, uint64_t id)
{
    struct model *model = model_of(client);
    struct model_now now = engine_clock(engine_of(client));
    const struct job *job = model_find(model, id);
    (void)model_bury(model, client->model, id, job ? job->priority : 0, now);
    (void)engine_settle(engine_of(client));
}

/* What it waits no more for. */
static void answer_reserved(struct client *client, enum model_result result)
{
    enum jobproto_reply reply =
        result == MODEL_DEADLINE_SOON ? JOBPROTO_DEADLINE_SOON : JOBPROTO_TIMED_OUT;
    jobs_client_reply(client, reply, 0);
}

/* The first job of a batch is there: as many more as are ready. */
static void answer_batch(struct client *client, uint64_t first)
{
    struct model *model = model_of(client);
    struct engine *engine = engine_of(client);
    uint64_t ids[JOBPROTO_BATCH_MAX];
    uint32_t n = 1;
    ids[0] = first;
    while (n < client->n_batch &&
           model_reserve(model, client->model, 0, engine_clock(engine), &ids[n]) == MODEL_OK) {
        (void)engine_settle(engine);
        n++;
    }
    size_t n_good = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct slice body;
        if (engine_body(engine, model_find(model, ids[i]), &body) == 0)
            ids[n_good++] = ids[i];
        else
            bury_damaged(client, ids[i]);
    }
    answer_count(client, JOBPROTO_BATCH_N, n_good, 0);
    for (size_t i = 0; i < n_good; i++)
        (void)answer_job(client, JOBPROTO_RESERVED_JOB, model_find(model, ids[i]));
}

int command_told(struct client *client)
{
    if (client->told != MODEL_OK) {
        answer_reserved(client, client->told);
        return 0;
    }
    if (client->n_batch > 0)
        return 1;
    return answer_job(client, JOBPROTO_RESERVED_JOB, model_find(model_of(client), client->told_id));
}

void command_reserved(struct client *client)
{
    client->is_told = false;
    if (client->n_batch > 0) {
        answer_batch(client, client->told_id);
        return;
    }
    bury_damaged(client, client->told_id);
    jobs_client_reply(client, JOBPROTO_INTERNAL_ERROR, 0);
}

static void note_worker(struct client *client)
{
    client->hall->n_workers += !client->is_worker;
    client->is_worker = true;
}

/* timeout_ms: MODEL_FOR_EVER, or how long; n_batch 0: one job. */
static void reserve(struct client *client, uint64_t timeout_ms, uint32_t n_batch)
{
    struct engine *engine = engine_of(client);
    struct model_now now = engine_now(engine);
    note_worker(client);
    client->n_batch = n_batch;
    if (engine_may(engine, WAL_CHANGE, 0) < 0) {
        jobs_client_reply(client, JOBPROTO_INTERNAL_ERROR, 0);
        return;
    }
    if (client->hall->is_closing) {
        jobs_client_reply(client, JOBPROTO_TIMED_OUT, 0);
        return;
    }
    if (client->conn.has_hangup)
        timeout_ms = 0; /* nobody will be there to wait */
    client->told =
        model_reserve(model_of(client), client->model, timeout_ms, now, &client->told_id);
    (void)engine_settle(engine);
    if (client->told == MODEL_WAITING) {
        client->is_waiting = true;
        client->hall->n_waiting++;
    } else if (command_told(client) > 0) {
        command_reserved(client);
    }
}

static void reserve_job(struct client *client, uint64_t id)
{
    struct engine *engine = engine_of(client);
    struct model_now now = engine_now(engine);
    note_worker(client);
    client->n_batch = 0;
    client->told_id = id;
    enum model_result result = model_reserve_job(model_of(client), client->model, id, now);
    (void)engine_settle(engine);
    client->told = MODEL_OK;
    if (result != MODEL_OK)
        jobs_client_reply(client, JOBPROTO_NOT_FOUND, 0);
    else if (command_told(client) > 0)
        command_reserved(client);
}

/* ---- changes --------------------------------------------------------------------------------- */

static enum job_error error_of(enum jobproto_fail fail)
{
    static const enum job_error errors[] = {
        [JOBPROTO_FAIL_TEMPORARY] = JOB_ERROR_TEMPORARY,
        [JOBPROTO_FAIL_PERMANENT] = JOB_ERROR_PERMANENT,
        [JOBPROTO_FAIL_BUSY] = JOB_ERROR_BUSY,
    };
    return errors[fail];
}

static void kick(struct client *client, const struct jobproto_command *command,
                 struct model_now now)
{
    struct tube *tube = client->model->used;
    enum job_state state = tube->n_buried > 0 ? JOB_BURIED : JOB_DELAYED;
    uint32_t n = model_kick(model_of(client), tube, state, command->count, now);
    answer_count(client, JOBPROTO_KICKED_N, n, engine_settle(engine_of(client)));
}

static void pause_tube(struct client *client, const struct jobproto_command *command,
                       struct model_now now)
{
    struct tube *tube = model_tube(model_of(client), command->tube);
    if (!tube) {
        jobs_client_reply(client, JOBPROTO_NOT_FOUND, 0);
        return;
    }
    model_pause(model_of(client), tube, (uint64_t)command->delay_s * MS_PER_S, now);
    jobs_client_reply(client, JOBPROTO_PAUSED, engine_settle(engine_of(client)));
}

/* A change of one job or tube, for which the log has room. */
static void change(struct client *client, const struct jobproto_command *command,
                   struct model_now now)
{
    struct model *model = model_of(client);
    struct model_conn *conn = client->model;
    uint64_t id = command->id;
    enum model_result result = MODEL_OK;
    enum jobproto_reply done = JOBPROTO_DELETED;
    if (command->verb == JOBPROTO_DELETE) {
        result = model_delete(model, conn, id, now);
    } else if (command->verb == JOBPROTO_RELEASE) {
        result = model_release(model, conn, id, command->priority, command->delay_s, now);
        done = JOBPROTO_RELEASED;
    } else if (command->verb == JOBPROTO_BURY) {
        result = model_bury(model, conn, id, command->priority, now);
        done = JOBPROTO_BURIED;
    } else if (command->verb == JOBPROTO_FAIL) {
        result = model_fail(model, conn, id, error_of(command->fail), command->text, now);
        done = JOBPROTO_RELEASED;
    } else {
        assert(command->verb == JOBPROTO_KICK_JOB);
        result = model_kick_job(model, id, now);
        done = JOBPROTO_KICKED;
    }
    answer_change(client, result, done);
}

static int command_change(struct client *client, const struct jobproto_command *command)
{
    struct model_now now = engine_now(engine_of(client));
    size_t n_bytes = ENGINE_CHANGE_BYTES;
    if (command->verb == JOBPROTO_KICK)
        n_bytes = (size_t)ENGINE_KICK_BYTES *
                  (command->count < MODEL_KICK_MAX ? command->count : MODEL_KICK_MAX);
    int room = may(client, WAL_CHANGE, n_bytes);
    if (room != 0)
        return room > 0;
    if (command->verb == JOBPROTO_KICK)
        kick(client, command, now);
    else if (command->verb == JOBPROTO_PAUSE_TUBE)
        pause_tube(client, command, now);
    else
        change(client, command, now);
    return 0;
}

static void touch(struct client *client, const struct jobproto_command *command)
{
    struct model_now now = engine_now(engine_of(client));
    enum model_result result = command->verb == JOBPROTO_TOUCH
                                   ? model_touch(model_of(client), client->model, command->id, now)
                                   : model_progress(model_of(client), client->model, command->id,
                                                    command->percent, command->text, now);
    answer_change(client, result, JOBPROTO_TOUCHED);
}

/* ---- tubes ----------------------------------------------------------------------------------- */

static void tubes(struct client *client, const struct jobproto_command *command)
{
    struct model *model = model_of(client);
    enum model_result result = MODEL_OK;
    (void)engine_now(engine_of(client));
    if (command->verb == JOBPROTO_USE)
        result = model_use(model, client->model, command->tube);
    else if (command->verb == JOBPROTO_WATCH)
        result = model_watch(model, client->model, command->tube);
    else
        result = model_ignore(model, client->model, command->tube);
    (void)engine_settle(engine_of(client));
    if (result == MODEL_FULL)
        jobs_client_reply(client, JOBPROTO_OUT_OF_MEMORY, 0);
    else if (result == MODEL_NOT_IGNORED)
        jobs_client_reply(client, JOBPROTO_NOT_IGNORED, 0);
    else if (command->verb == JOBPROTO_USE)
        answer_using(client);
    else
        answer_count(client, JOBPROTO_WATCHING_N, client->model->n_watches, 0);
}

static void list_watched(struct client *client)
{
    struct text document = TEXT_NONE;
    size_t start = jobproto_list_begin(&document);
    for (uint32_t i = 0; i < client->model->n_watches; i++)
        jobproto_list_tube(&document, tube_name(client->model->watches[i]->tube));
    jobproto_list_end(&document, start);
    jobs_client_answer(client, text_slice(&document), 0);
    text_deinit(&document);
}

/* ---- looking --------------------------------------------------------------------------------- */

static const struct job *look_for(struct client *client, const struct jobproto_command *command)
{
    const struct model *model = model_of(client);
    static const enum job_state states[JOBPROTO_N_VERBS] = {
        [JOBPROTO_PEEK_READY] = JOB_READY,
        [JOBPROTO_PEEK_DELAYED] = JOB_DELAYED,
        [JOBPROTO_PEEK_BURIED] = JOB_BURIED,
    };
    if (command->verb == JOBPROTO_PEEK)
        return model_find(model, command->id);
    return model_peek(model, client->model->used, states[command->verb]);
}

static void peek(struct client *client, const struct jobproto_command *command)
{
    (void)engine_now(engine_of(client));
    const struct job *job = look_for(client, command);
    if (!job)
        jobs_client_reply(client, JOBPROTO_NOT_FOUND, 0);
    else if (answer_job(client, JOBPROTO_FOUND_JOB, job) > 0)
        jobs_client_reply(client, JOBPROTO_INTERNAL_ERROR, 0);
}

static void document(struct client *client, const struct jobproto_command *command)
{
    struct hall *hall = client->hall;
    struct text out = TEXT_NONE;
    (void)engine_now(engine_of(client));
    if (command->verb == JOBPROTO_STATS_JOB) {
        const struct job *job = model_find(model_of(client), command->id);
        if (job)
            report_job(hall, job, &out);
    } else if (command->verb == JOBPROTO_STATS_TUBE) {
        const struct tube *tube = model_tube(model_of(client), command->tube);
        if (tube)
            report_tube(hall, tube, &out);
    } else if (command->verb == JOBPROTO_STATS) {
        report_all(hall, &out);
    } else {
        report_tubes(hall, &out);
    }
    if (out.len == 0)
        jobs_client_reply(client, JOBPROTO_NOT_FOUND, 0);
    else
        jobs_client_answer(client, text_slice(&out), 0);
    text_deinit(&out);
}

/* ---- who may --------------------------------------------------------------------------------- */

static void auth(struct client *client, struct slice given)
{
    const char *blob = client->listener->conf->token_blob;
    if (blob) {
        struct slice token = queue_token(process_blob(client->hall->process, blob));
        client->is_allowed = token.len > 0 && slice_equal_secret(token, given);
    }
    jobs_client_reply(client, client->is_allowed ? JOBPROTO_AUTHORIZED : JOBPROTO_DENIED, 0);
}

static bool has_body(enum jobproto_verb verb)
{
    return verb == JOBPROTO_PUT || verb == JOBPROTO_FINISH;
}

static void deny(struct client *client, const struct jobproto_command *command)
{
    if (has_body(command->verb))
        jobproto_refuse(&client->reader, JOBPROTO_DENIED);
    else
        jobs_client_reply(client, JOBPROTO_DENIED, 0);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int dispatch(struct client *client, const struct jobproto_command *command)
{
    switch (command->verb) {
    case JOBPROTO_PUT:
        begin_put(client, command);
        return 0;
    case JOBPROTO_FINISH:
        client->command = *command;
        return 0;
    case JOBPROTO_USE:
    case JOBPROTO_WATCH:
    case JOBPROTO_IGNORE:
        tubes(client, command);
        return 0;
    case JOBPROTO_RESERVE:
        reserve(client, MODEL_FOR_EVER, 0);
        return 0;
    case JOBPROTO_RESERVE_TIMEOUT:
        reserve(client, (uint64_t)command->timeout_s * MS_PER_S, 0);
        return 0;
    case JOBPROTO_BATCH_RESERVE:
        reserve(client, (uint64_t)command->timeout_s * MS_PER_S, command->count);
        return 0;
    case JOBPROTO_RESERVE_JOB:
        reserve_job(client, command->id);
        return 0;
    case JOBPROTO_DELETE:
    case JOBPROTO_RELEASE:
    case JOBPROTO_BURY:
    case JOBPROTO_FAIL:
    case JOBPROTO_KICK:
    case JOBPROTO_KICK_JOB:
    case JOBPROTO_PAUSE_TUBE:
        return command_change(client, command);
    case JOBPROTO_TOUCH:
    case JOBPROTO_PROGRESS:
        touch(client, command);
        return 0;
    case JOBPROTO_PEEK:
    case JOBPROTO_PEEK_READY:
    case JOBPROTO_PEEK_DELAYED:
    case JOBPROTO_PEEK_BURIED:
        peek(client, command);
        return 0;
    case JOBPROTO_STATS_JOB:
    case JOBPROTO_STATS_TUBE:
    case JOBPROTO_STATS:
    case JOBPROTO_LIST_TUBES:
        document(client, command);
        return 0;
    case JOBPROTO_LIST_TUBE_USED:
        answer_using(client);
        return 0;
    case JOBPROTO_LIST_TUBES_WATCHED:
        list_watched(client);
        return 0;
    case JOBPROTO_PUT_OPTS:
        put_opts(client, command);
        return 0;
    case JOBPROTO_AUTH:
        auth(client, command->text);
        return 0;
    case JOBPROTO_QUIT:
        client->is_quitting = true;
        return 0;
    case JOBPROTO_N_VERBS:
        break;
    }
    assert(false && "a verb");
    return 0;
}

int command_line(struct client *client, const struct jobproto_command *command)
{
    bool is_open = command->verb == JOBPROTO_AUTH || command->verb == JOBPROTO_QUIT;
    if (!client->is_allowed && !is_open) {
        deny(client, command);
        return 0;
    }
    if (dispatch(client, command) > 0)
        return 1;
    client->hall->n_commands[command->verb]++;
    metric_add(client->listener->row, JOBS_COMMANDS, 1);
    return 0;
}
