/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A job as a request: its head, its signature, and the call.
 */

#include "queue/deliver.h"

#include "base/base64.h"
#include "base/mem.h"
#include "wire/jobhttp.h"
#include <inttypes.h>
#include <string.h>

/* Standard Webhooks: over id.timestamp.body. */
static void add_signature(const struct deliver_rule *rule, const char *key, struct slice body,
                          uint64_t wall_s, struct text *lines)
{
    struct text signed_bytes = TEXT_NONE;
    uint8_t mac[TLS_HASH_BYTES];
    char text[BASE64_PADDED_CHARS(TLS_HASH_BYTES)];
    text_printf(&signed_bytes, "%s.%" PRIu64 ".", key, wall_s);
    text_append(&signed_bytes, body);
    tls_hmac_sha256(slice_make((const char *)rule->key, sizeof(rule->key)),
                    text_slice(&signed_bytes), mac);
    text_deinit(&signed_bytes);
    size_t n = base64_write_padded(mac, sizeof(mac), text);
    text_printf(lines, "webhook-id: %s\r\nwebhook-timestamp: %" PRIu64 "\r\n", key, wall_s);
    text_printf(lines, "webhook-signature: v1,%.*s\r\n", (int)n, text);
}

/* The same for each attempt, and of no other job, also where a log begins anew at its first id. */
static void write_key(const struct deliver_rule *rule, const struct job *job, struct text *out)
{
    text_printf(out, "%s%s%s.%" PRIu64 ".%" PRIu32, rule->node, rule->node[0] ? "." : "",
                rule->queue, job->id, job->created_s);
}

static void add_own_lines(const struct deliver_rule *rule, const struct job *job,
                          const struct jobhttp_request *request, uint64_t wall_s,
                          struct text *lines)
{
    struct text key = TEXT_NONE;
    write_key(rule, job, &key);
    text_printf(lines, "Weir-Pool: %s\r\nWeir-Job-Id: %" PRIu64 "\r\nWeir-Queue: %s\r\n",
                rule->pool, job->id, rule->queue);
    text_printf(lines, "Weir-Timeout: %" PRIu32 "\r\nWeir-Attempt: %u\r\n", rule->timeout_ms,
                (unsigned)job->n_attempts);
    text_append(lines, SLICE("Weir-First-Seen: "));
    text_rfc3339(lines, job->created_s);
    text_append(lines, SLICE("\r\n"));
    if (!request->has_key)
        text_printf(lines, "Idempotency-Key: %s\r\n", text_cstr(&key));
    if (rule->is_signed)
        add_signature(rule, text_cstr(&key), request->body, wall_s, lines);
    text_deinit(&key);
}

/* RFC 9110 section 8.6: a method that expects content says that there is none. */
static bool is_empty_told(const struct jobhttp_request *request)
{
    return request->body.len == 0 &&
           (slice_is(request->method, "POST") || slice_is(request->method, "PUT") ||
            slice_is(request->method, "PATCH"));
}

static void start(struct delivery *delivery, const struct job *job,
                  const struct jobhttp_request *request, struct text *lines)
{
    const struct deliver_rule *rule = &delivery->deliverer->rule;
    struct loop *loop = delivery->deliverer->hall->loop;
    add_own_lines(rule, job, request, loop_wall_ns(loop) / 1000000000u, lines);
    if (is_empty_told(request))
        text_append(lines, SLICE("Content-Length: 0\r\n"));
    const struct web_ask ask = {
        .addr = &rule->addr,
        .method = request->method,
        .target = request->target,
        .host = request->host,
        .lines = text_slice(lines),
        .body = request->body,
        .timeout_ms = rule->timeout_ms + DELIVER_GRACE_MS,
        .body_max = rule->response_bytes,
        .is_part_enough = true,
    };
    delivery->call = web_call_start(loop, &ask, delivery_on_reply, delivery);
}

/* The job's own words for its callbacks, where its queue has any. 0, or 1 and *ret_why. */
static int choose_callbacks(struct delivery *delivery, const struct job *job,
                            const struct jobhttp_request *request, const char **ret_why)
{
    struct model *model = delivery->deliverer->hall->engine.model;
    const struct tube_policy *policy = &model->tubes[job->tube]->policy;
    struct slice paths[CALLBACK_N_ENDS] = {request->callback, request->failure_callback};
    for (int end = 0; end < CALLBACK_N_ENDS; end++) {
        const struct callback_rule *rule = policy->callbacks[end];
        if (!rule)
            paths[end] = SLICE("");
        if (paths[end].len > 0)
            *ret_why = callback_refusal(paths[end], slice_from(rule->path));
        if (paths[end].len > 0 && *ret_why)
            return 1;
    }
    (void)model_choose_callbacks(model, delivery->conn, delivery->id, paths);
    return 0;
}

/*
 * A body that the kernel has no longer is waited for: the model asks for few of them a tick
 * (MODEL_EXPIRE_WORK), and could not say what becomes of the job before it knows.
 */
bool deliver_failure_path(void *ctx, const struct job *job, struct slice below,
                          struct slice *ret_path)
{
    struct hall *hall = ctx;
    const struct tube *tube = hall->engine.model->tubes[job->tube];
    struct jobhttp_request request;
    struct text lines = TEXT_NONE;
    struct slice body;
    const char *why;
    if (!deliver_find(hall, tube_name(tube)) || engine_ended_body(&hall->engine, job, &body) < 0)
        return false;
    bool is_chosen = jobhttp_read(body, false, &request, &lines, &why) > 0 &&
                     !callback_refusal(request.failure_callback, below);
    text_deinit(&lines);
    if (is_chosen)
        *ret_path = request.failure_callback;
    return is_chosen;
}

int delivery_call(struct delivery *delivery, const struct job *job, struct slice body,
                  const char **ret_why)
{
    const struct deliver_rule *rule = &delivery->deliverer->rule;
    struct jobhttp_request request;
    struct text lines = TEXT_NONE;
    int result = jobhttp_read(body, rule->is_signed, &request, &lines, ret_why);
    if (result == 0) {
        request = (struct jobhttp_request){.method = SLICE("POST"),
                                           .target = slice_from(rule->path),
                                           .host = slice_from(rule->host),
                                           .body = body};
        text_printf(&lines, "Content-Type: %s\r\n", rule->type);
    } else if (result > 0 && choose_callbacks(delivery, job, &request, ret_why) > 0) {
        result = -1;
    }
    delivery->is_request = result > 0;
    if (result >= 0)
        start(delivery, job, &request, &lines);
    text_deinit(&lines);
    return result < 0;
}
