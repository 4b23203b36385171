/* SPDX-License-Identifier: Apache-2.0 */

/*
 * New jobs, and what is said of one before its put: its options, and what became of it elsewhere.
 */

#include "queue/client.h"

#include <string.h>

enum { MS_PER_S = 1000 };

static void answer_id(struct client *client, enum jobproto_id_reply reply, uint64_t id,
                      uint64_t lsn)
{
    char out[JOBPROTO_OUT_MAX];
    jobs_client_answer(client, slice_make(out, jobproto_write_id(out, reply, id)), lsn);
}

/* A job that is done has a time until which its result is kept, one that waits has no result. */
static bool are_options_whole(const struct client *client)
{
    const struct jobproto_options *options = &client->options;
    if (!(options->has & JOBPROTO_HAS_STATE))
        return client->put_result.len == 0;
    return options->state != JOBPROTO_STATE_DONE ||
           ((options->has & JOBPROTO_HAS_EXPIRES) && options->expires_s > 0);
}

void command_put_begin(struct client *client, const struct jobproto_command *command)
{
    const struct model *model = model_of(client);
    client->command = *command;
    if (!are_options_whole(client)) {
        command_forget_options(client);
        jobproto_refuse(&client->reader, JOBPROTO_BAD_FORMAT);
    } else if (model->is_draining || client->model->used->is_draining) {
        jobproto_refuse(&client->reader, JOBPROTO_DRAINING);
    }
}

void command_forget_options(struct client *client)
{
    client->options.has = 0;
    client->put_error = JOB_ERROR_NONE;
    text_deinit(&client->put_error_text);
    text_deinit(&client->put_result);
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
    if (options->has & JOBPROTO_HAS_TRIED)
        put->n_attempts = (uint16_t)options->tried;
    if (options->has & JOBPROTO_HAS_NOT_BEFORE)
        put->not_before_ms = options->not_before_s * MS_PER_S;
}

static struct model_past past_of(const struct client *client)
{
    const struct jobproto_options *options = &client->options;
    struct model_past past = {.state = JOB_READY,
                              .error = client->put_error,
                              .error_text = text_slice(&client->put_error_text),
                              .result = text_slice(&client->put_result)};
    if (options->has & JOBPROTO_HAS_STATE)
        past.state = options->state == JOBPROTO_STATE_DONE ? JOB_DONE : JOB_BURIED;
    if (options->has & JOBPROTO_HAS_EXPIRES) {
        past.has_expiry = true;
        past.expire_ms = options->expires_s * MS_PER_S;
    }
    if (options->has & JOBPROTO_HAS_CREATED)
        past.created_s = options->created_s;
    if (options->has & JOBPROTO_HAS_COUNTS) {
        past.n_reserves = options->counts[JOBPROTO_RESERVES];
        past.n_timeouts = options->counts[JOBPROTO_TIMEOUTS];
        past.n_releases = options->counts[JOBPROTO_RELEASES];
        past.n_buries = options->counts[JOBPROTO_BURIES];
        past.n_kicks = options->counts[JOBPROTO_KICKS];
    }
    return past;
}

int command_put_body(struct client *client, struct slice body)
{
    const struct jobproto_command *command = &client->command;
    struct model_now now = engine_now(engine_of(client));
    uint64_t id = 0;
    int room =
        command_may(client, WAL_NEW, body.len + client->put_result.len + ENGINE_CHANGE_BYTES);
    if (room != 0) {
        if (room < 0)
            command_forget_options(client);
        return room > 0;
    }
    struct model_past past = past_of(client);
    struct model_put put = {.priority = command->priority,
                            .delay_s = command->delay_s,
                            .ttr_s = command->ttr_s,
                            .body = past.state == JOB_DONE ? SLICE("") : body,
                            .past = &past};
    take_options(client, &put);
    if (!client->is_producer)
        client->hall->n_producers++;
    client->is_producer = true;
    enum model_result result = model_put(model_of(client), client->model, &put, now, &id);
    uint64_t lsn = engine_settle(engine_of(client));
    command_forget_options(client);
    if (result == MODEL_OK)
        answer_id(client, JOBPROTO_INSERTED_ID, id, lsn);
    else if (result == MODEL_EXISTS)
        answer_id(client, JOBPROTO_EXISTS_ID, id, engine_of(client)->journal.last_lsn);
    else
        jobs_client_reply(client,
                          result == MODEL_DRAINING ? JOBPROTO_DRAINING : JOBPROTO_OUT_OF_MEMORY, 0);
    return 0;
}

/* Several add up: a line has not room for all that there is. */
void command_put_options(struct client *client, const struct jobproto_command *command)
{
    jobproto_add_options(&client->options, &command->options);
    if (command->options.has & JOBPROTO_HAS_KEY)
        memcpy(client->key, command->options.key.ptr, command->options.key.len);
    jobs_client_reply(client, JOBPROTO_OPTIONS, 0);
}

void command_put_error(struct client *client, const struct jobproto_command *command)
{
    static const enum job_error errors[JOBPROTO_N_ERRORS] = {
        [JOBPROTO_ERROR_TEMPORARY] = JOB_ERROR_TEMPORARY,
        [JOBPROTO_ERROR_PERMANENT] = JOB_ERROR_PERMANENT,
        [JOBPROTO_ERROR_BUSY] = JOB_ERROR_BUSY,
        [JOBPROTO_ERROR_TIMEOUT] = JOB_ERROR_TIMEOUT,
        [JOBPROTO_ERROR_LOST] = JOB_ERROR_LOST,
    };
    client->put_error = errors[command->error];
    text_clear(&client->put_error_text);
    text_append(&client->put_error_text, command->text);
    jobs_client_reply(client, JOBPROTO_OPTIONS, 0);
}

void command_put_result(struct client *client, struct slice result)
{
    text_clear(&client->put_result);
    text_append(&client->put_result, result);
    jobs_client_reply(client, JOBPROTO_OPTIONS, 0);
}
