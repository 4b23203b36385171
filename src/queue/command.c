/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Commands: each asks the model and writes its answer, as beanstalkd 1.12 words it.
 */

#include "queue/client.h"

#include <assert.h>
#include <string.h>

enum { MS_PER_S = 1000 };

/* ---- answers --------------------------------------------------------------------------------- */

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

int command_may(struct client *client, enum wal_class class, size_t n_bytes)
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

/* ---- bodies ---------------------------------------------------------------------------------- */

static int finish(struct client *client, struct slice result)
{
    struct model_now now = engine_now(engine_of(client));
    const struct engine_room room =
        engine_end_room(engine_of(client), client->command.id, result.len);
    int has_room = command_may(client, room.class, room.n_bytes);
    if (has_room != 0)
        return has_room > 0;
    enum model_result done =
        model_finish(model_of(client), client->model, client->command.id, result, now);
    answer_change(client, done, JOBPROTO_FINISHED);
    return 0;
}

int command_body(struct client *client, struct slice body)
{
    if (client->command.verb == JOBPROTO_PUT)
        return command_put_body(client, body);
    if (client->command.verb == JOBPROTO_FINISH)
        return finish(client, body);
    command_put_result(client, body);
    return 0;
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

static enum model_result fail(struct model *model, struct model_conn *conn,
                              const struct jobproto_command *command, struct model_now now)
{
    if (command->fail == JOBPROTO_FAIL_BACK)
        return model_give_back(model, conn, command->id, now);
    return model_fail(model, conn, command->id, error_of(command->fail), command->text, now);
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

static void drain_tube(struct client *client, const struct jobproto_command *command)
{
    struct tube *tube = model_tube(model_of(client), command->tube);
    if (!tube || command->delay_s > 1) {
        jobs_client_reply(client, tube ? JOBPROTO_BAD_FORMAT : JOBPROTO_NOT_FOUND, 0);
        return;
    }
    model_drain_tube(model_of(client), tube, command->delay_s == 1);
    jobs_client_reply(client, JOBPROTO_CHANGED, engine_settle(engine_of(client)));
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
    } else if (command->verb == JOBPROTO_CANCEL) {
        result = model_delete(model, NULL, id, now);
    } else if (command->verb == JOBPROTO_RELEASE) {
        result = model_release(model, conn, id, command->priority, command->delay_s, now);
        done = JOBPROTO_RELEASED;
    } else if (command->verb == JOBPROTO_BURY) {
        result = model_bury(model, conn, id, command->priority, now);
        done = JOBPROTO_BURIED;
    } else if (command->verb == JOBPROTO_FAIL) {
        result = fail(model, conn, command, now);
        done = JOBPROTO_RELEASED;
    } else if (command->verb == JOBPROTO_BURY_JOB) {
        result = model_bury_job(model, id, now);
        done = JOBPROTO_BURIED;
    } else {
        assert(command->verb == JOBPROTO_KICK_JOB);
        result = model_kick_job(model, id, now);
        done = JOBPROTO_KICKED;
    }
    answer_change(client, result, done);
}

/* All that the client has and did not begin, or will not end. */
static int give_back(struct client *client)
{
    enum jobproto_reply done = JOBPROTO_NOT_FOUND;
    uint64_t lsn = 0, id;
    while ((id = model_first_leased(model_of(client), client->model)) != 0) {
        const struct engine_room room = engine_end_room(engine_of(client), id, 0);
        int has_room = command_may(client, room.class, room.n_bytes);
        if (has_room != 0)
            return has_room > 0;
        model_give_back(model_of(client), client->model, id, engine_now(engine_of(client)));
        lsn = engine_settle(engine_of(client));
        done = JOBPROTO_RELEASED;
    }
    jobs_client_reply(client, done, lsn);
    return 0;
}

/* What the log is to have room for: only the end of a job that the client has brings a callback,
 * and one that is released may have no time left. */
static struct engine_room room_of(const struct client *client,
                                  const struct jobproto_command *command)
{
    struct engine_room room = {.class = WAL_CHANGE, .n_bytes = ENGINE_CHANGE_BYTES};
    bool is_end = command->verb == JOBPROTO_DELETE || command->verb == JOBPROTO_BURY ||
                  command->verb == JOBPROTO_FAIL || command->verb == JOBPROTO_RELEASE;
    uint32_t most = command->count < MODEL_KICK_MAX ? command->count : MODEL_KICK_MAX;
    if (is_end && model_has(model_of(client), client->model, command->id))
        room = engine_end_room(engine_of(client), command->id, 0);
    else if (command->verb == JOBPROTO_KICK)
        room.n_bytes = (size_t)ENGINE_KICK_BYTES * most;
    return room;
}

static int command_change(struct client *client, const struct jobproto_command *command)
{
    struct model_now now = engine_now(engine_of(client));
    const struct engine_room room = room_of(client, command);
    int has_room = command_may(client, room.class, room.n_bytes);
    if (has_room != 0)
        return has_room > 0;
    if (command->verb == JOBPROTO_KICK)
        kick(client, command, now);
    else if (command->verb == JOBPROTO_PAUSE_TUBE)
        pause_tube(client, command, now);
    else if (command->verb == JOBPROTO_DRAIN_TUBE)
        drain_tube(client, command);
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

static void show_result(struct client *client, uint64_t id)
{
    char out[JOBPROTO_OUT_MAX];
    const struct model *model = model_of(client);
    (void)engine_now(engine_of(client));
    const struct job *job = model_find_any(model, id);
    const struct job_extra *extra = job ? job_extra(&model->store, job) : NULL;
    if (!job || !job_has_result(job, extra)) {
        jobs_client_reply(client, JOBPROTO_NOT_FOUND, 0);
        return;
    }
    size_t n = jobproto_write_job(out, JOBPROTO_FOUND_JOB, id, extra->result_bytes);
    jobs_client_answer(client, slice_make(out, n), 0);
    jobs_client_answer(client, slice_make(extra->result, extra->result_bytes), 0);
    jobs_client_answer(client, SLICE("\r\n"), 0);
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
    } else if (command->verb == JOBPROTO_SHOW_JOB) {
        const struct job *job = model_find_any(model_of(client), command->id);
        if (job)
            report_shown_job(hall, job, &out);
    } else if (command->verb == JOBPROTO_STATS_TUBE) {
        const struct tube *tube = model_tube(model_of(client), command->tube);
        if (tube)
            report_tube(hall, tube, &out);
    } else if (command->verb == JOBPROTO_LIST_JOBS) {
        report_jobs(hall, client->model->used, command, &out);
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

static void deny(struct client *client, const struct jobproto_command *command)
{
    if (jobproto_has_body(command->verb))
        jobproto_refuse(&client->reader, JOBPROTO_DENIED);
    else
        jobs_client_reply(client, JOBPROTO_DENIED, 0);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int dispatch(struct client *client, const struct jobproto_command *command)
{
    switch (command->verb) {
    case JOBPROTO_PUT:
        command_put_begin(client, command);
        return 0;
    case JOBPROTO_FINISH:
    case JOBPROTO_PUT_RESULT:
        client->command = *command;
        return 0;
    case JOBPROTO_USE:
    case JOBPROTO_WATCH:
    case JOBPROTO_IGNORE:
        tubes(client, command);
        return 0;
    case JOBPROTO_RESERVE:
        command_reserve(client, MODEL_FOR_EVER, 0);
        return 0;
    case JOBPROTO_RESERVE_TIMEOUT:
        command_reserve(client, (uint64_t)command->timeout_s * MS_PER_S, 0);
        return 0;
    case JOBPROTO_BATCH_RESERVE:
        command_reserve(client, (uint64_t)command->timeout_s * MS_PER_S, command->count);
        return 0;
    case JOBPROTO_RESERVE_JOB:
        command_reserve_job(client, command->id);
        return 0;
    case JOBPROTO_DELETE:
    case JOBPROTO_CANCEL:
    case JOBPROTO_RELEASE:
    case JOBPROTO_BURY:
    case JOBPROTO_BURY_JOB:
    case JOBPROTO_FAIL:
    case JOBPROTO_KICK:
    case JOBPROTO_KICK_JOB:
    case JOBPROTO_PAUSE_TUBE:
    case JOBPROTO_DRAIN_TUBE:
        return command_change(client, command);
    case JOBPROTO_GIVE_BACK:
        return give_back(client);
    case JOBPROTO_TOUCH:
    case JOBPROTO_PROGRESS:
        touch(client, command);
        return 0;
    case JOBPROTO_PEEK:
    case JOBPROTO_PEEK_READY:
    case JOBPROTO_PEEK_DELAYED:
    case JOBPROTO_PEEK_BURIED:
        return command_peek(client, command);
    case JOBPROTO_STATS_JOB:
    case JOBPROTO_SHOW_JOB:
    case JOBPROTO_STATS_TUBE:
    case JOBPROTO_STATS:
    case JOBPROTO_LIST_TUBES:
    case JOBPROTO_LIST_JOBS:
        document(client, command);
        return 0;
    case JOBPROTO_RESULT:
        show_result(client, command->id);
        return 0;
    case JOBPROTO_LIST_TUBE_USED:
        answer_using(client);
        return 0;
    case JOBPROTO_LIST_TUBES_WATCHED:
        list_watched(client);
        return 0;
    case JOBPROTO_PUT_OPTS:
        command_put_options(client, command);
        return 0;
    case JOBPROTO_PUT_ERROR:
        command_put_error(client, command);
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
