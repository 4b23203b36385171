/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests to the supervisor and their answers, paired by number.
 */

#include "core/request.h"
#include "base/mem.h"
#include "core/process_life.h"

struct request {
    struct list node;
    struct process_life *life;
    uint64_t id;
    request_fn *fn;
    void *ctx;
    struct loop_task refusal; /* when it could not even be sent */
    bool is_refused;          /* the refusal is on its way and frees it */
};

void requests_init(struct process_life *life)
{
    list_init(&life->requests.pending);
}

static void request_destroy(struct request *request)
{
    request->life->requests.n_pending--;
    list_remove(&request->node);
    mem_free(request);
}

void requests_deinit(struct process_life *life)
{
    struct request *request;
    while ((request = LIST_FIRST(&life->requests.pending, struct request, node)) != NULL)
        request_destroy(request);
}

static void request_end(struct request *request, bool is_ok, struct slice text)
{
    if (request->fn)
        request->fn(request->ctx, is_ok, text);
    request_destroy(request);
}

void requests_answer(struct process_life *life, const struct control_message *message)
{
    LIST_EACH (node, &life->requests.pending) {
        struct request *request = LIST_ENTRY(node, struct request, node);
        if (request->id == message->id && !request->is_refused) {
            request_end(request, message->is_ok, message->text);
            return;
        }
    }
}

static void request_on_refusal(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    struct request *request = CONTAINER_OF(task, struct request, refusal);
    request_end(request, false, SLICE("too many requests wait for the supervisor"));
}

void supervisor_request(struct process *process, const char *verb, request_fn *fn, void *ctx)
{
    struct process_life *life = process_life(process);
    struct request *request = MEM_NEW(struct request);
    *request = (struct request){.life = life, .fn = fn, .ctx = ctx, .id = ++life->requests.last_id};
    list_init(&request->node);
    list_add_back(&life->requests.pending, &request->node);
    life->requests.n_pending++;
    struct control_message message;
    control_init(&message, CONTROL_REQUEST);
    message.id = request->id;
    message.text = slice_from(verb);
    if (life->requests.n_pending <= REQUEST_PENDING_MAX &&
        control_send(CONTROL_FD, &message, NULL) == 0)
        return;
    request->is_refused = true;
    loop_post(process->loops[0], &request->refusal, request_on_refusal);
}

void supervisor_request_forget(struct process *process, const void *ctx)
{
    LIST_EACH (node, &process_life(process)->requests.pending) {
        struct request *request = LIST_ENTRY(node, struct request, node);
        if (request->ctx != ctx)
            continue;
        /* One whose refusal is on its way stays until then, with nobody to tell. */
        request->fn = NULL;
        if (!request->is_refused)
            request_destroy(request);
    }
}
