/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Commands that give a job: reserve and peek, and the body that they wait for.
 */

#include "queue/client.h"

#include "base/mem.h"

/* ---- bodies ---------------------------------------------------------------------------------- */

static void on_warm(void *owner)
{
    struct client *client = owner;
    client->warm = NULL;
    client->is_warm = true;
    jobs_client_wake(client);
}

/*
 * 0: the body; 1: the disk brings it, and client->warm is set; -1: it is damaged, which was logged.
 */
static int body_of(struct client *client, const struct job *job, struct slice *ret_body)
{
    struct engine *engine = engine_of(client);
    bool is_warm = client->is_warm;
    client->is_warm = false;
    if (!is_warm && engine_body_now(engine, job, ret_body) == 0)
        return 0;
    if (!is_warm)
        client->warm = engine_warm(engine, job, on_warm, client);
    return client->warm ? 1 : engine_body(engine, job, ret_body);
}

static void write_job(struct client *client, enum jobproto_job_reply reply, const struct job *job,
                      struct slice body)
{
    char out[JOBPROTO_OUT_MAX];
    size_t n = jobproto_write_job(out, reply, job->id, body.len);
    jobs_client_answer(client, slice_make(out, n), 0);
    jobs_client_answer(client, body, 0);
    jobs_client_answer(client, SLICE("\r\n"), 0);
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
static void fill_batch(struct client *client, uint64_t first)
{
    struct model *model = model_of(client);
    struct engine *engine = engine_of(client);
    uint64_t *ids = MEM_NEW_ARRAY(uint64_t, client->n_batch);
    uint32_t n = 1;
    ids[0] = first;
    while (n < client->n_batch &&
           model_reserve(model, client->model, 0, engine_clock(engine), &ids[n]) == MODEL_OK) {
        (void)engine_settle(engine);
        n++;
    }
    client->batch = ids;
    client->n_got = n;
    client->n_good = client->batch_at = 0;
}

/*
 * Looks at the body of each; those that are still there and whole become the first n_good. 0; 1:
 * the disk brings the next.
 */
static int check_batch(struct client *client)
{
    struct slice body;
    for (; client->batch_at < client->n_got; client->batch_at++) {
        uint64_t id = client->batch[client->batch_at];
        bool has_job = model_has(model_of(client), client->model, id);
        client->is_warm &= has_job;
        int result = has_job ? body_of(client, model_find(model_of(client), id), &body) : -1;
        if (result > 0)
            return 1;
        if (result == 0)
            client->batch[client->n_good++] = id;
        else if (has_job)
            bury_damaged(client, id);
    }
    return 0;
}

static void answer_batch(struct client *client)
{
    const struct model *model = model_of(client);
    uint64_t *ids = client->batch;
    char out[JOBPROTO_OUT_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < client->n_good; i++)
        if (model_has(model, client->model, ids[i])) /* it may have been lost meanwhile */
            ids[n++] = ids[i];
    size_t len = jobproto_write_count(out, JOBPROTO_BATCH_N, n);
    jobs_client_answer(client, slice_make(out, len), 0);
    for (uint32_t i = 0; i < n; i++) {
        const struct job *job = model_find(model, ids[i]);
        struct slice body;
        if (engine_body(engine_of(client), job, &body) == 0)
            write_job(client, JOBPROTO_RESERVED_JOB, job, body);
    }
    mem_free(client->batch);
    client->batch = NULL;
}

/* 0; 1: the disk brings what is missing. */
static int reserved_batch(struct client *client)
{
    if (!client->batch)
        fill_batch(client, client->told_id);
    if (check_batch(client) > 0)
        return 1;
    answer_batch(client);
    return 0;
}

static int reserved_one(struct client *client)
{
    uint64_t id = client->told_id;
    const struct job *job = model_find(model_of(client), id);
    struct slice body;
    if (!model_has(model_of(client), client->model, id)) { /* the disk took longer than the lease */
        client->is_warm = false;
        jobs_client_reply(client, JOBPROTO_DEADLINE_SOON, 0);
        return 0;
    }
    int result = body_of(client, job, &body);
    if (result > 0)
        return 1;
    if (result == 0) {
        write_job(client, JOBPROTO_RESERVED_JOB, job, body);
    } else {
        bury_damaged(client, id);
        jobs_client_reply(client, JOBPROTO_INTERNAL_ERROR, 0);
    }
    return 0;
}

int command_told(struct client *client)
{
    struct slice body;
    if (client->told != MODEL_OK) {
        answer_reserved(client, client->told);
        return 0;
    }
    const struct job *job = model_find(model_of(client), client->told_id);
    if (client->n_batch > 0 || engine_body_now(engine_of(client), job, &body) != 0)
        return 1;
    write_job(client, JOBPROTO_RESERVED_JOB, job, body);
    return 0;
}

void command_reserved(struct client *client)
{
    int result = client->n_batch > 0 ? reserved_batch(client) : reserved_one(client);
    client->is_told = result > 0;
}

static void note_worker(struct client *client)
{
    client->hall->n_workers += !client->is_worker;
    client->is_worker = true;
}

void command_reserve(struct client *client, uint64_t timeout_ms, uint32_t n_batch)
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

void command_reserve_job(struct client *client, uint64_t id)
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

/* ---- peek ------------------------------------------------------------------------------------ */

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

int command_peek(struct client *client, const struct jobproto_command *command)
{
    (void)engine_now(engine_of(client));
    const struct job *job = look_for(client, command);
    struct slice body;
    client->is_warm &= job != NULL;
    int result = job ? body_of(client, job, &body) : 0;
    if (result > 0)
        return 1;
    if (!job)
        jobs_client_reply(client, JOBPROTO_NOT_FOUND, 0);
    else if (result == 0)
        write_job(client, JOBPROTO_FOUND_JOB, job, body);
    else
        jobs_client_reply(client, JOBPROTO_INTERNAL_ERROR, 0);
    return 0;
}
