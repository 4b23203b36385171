/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/explain: what would become of a request, answered by the module that knows, from the
 * configuration in force and the board.
 */
#include "admin/internal.h"
#include "admin/query.h"
#include "base/json.h"

enum { FIELDS_MAX = 64 };

struct question {
    struct arena arena;
    struct explain_ask ask;
    struct slice fields[FIELDS_MAX];
};

static int take(struct question *question, struct slice name, struct slice value, struct err *err)
{
    struct explain_ask *ask = &question->ask;
    if (slice_is(name, "request")) {
        ask->text = value;
    } else if (slice_is(name, "dns")) {
        ask->kind = "dns";
        ask->text = value;
    } else if (slice_is(name, "listen")) {
        ask->listen = value;
    } else if (slice_is(name, "from")) {
        if (addr_parse_ip(value, 0, &ask->from, err) < 0)
            return err_prefix(err, "from");
    } else if (slice_is(name, "header")) {
        if (ask->n_fields == FIELDS_MAX)
            return err_set(err, "more than %d header fields", FIELDS_MAX);
        question->fields[ask->n_fields++] = value;
    } else {
        return err_set(err,
                       "there is no parameter \"%.*s\"; there are request, dns, from, header "
                       "and listen",
                       (int)(name.len < 40 ? name.len : 40), name.ptr);
    }
    return 0;
}

static int read_question(struct question *question, struct slice query, struct err *err)
{
    struct slice name, value;
    int result;
    question->ask.kind = "http";
    question->ask.fields = question->fields;
    while ((result = query_next(&query, &question->arena, &name, &value)) > 0) {
        if (take(question, name, value, err) < 0)
            return -1;
    }
    if (result < 0)
        return err_set(err, "the query is malformed");
    if (question->ask.text.len == 0)
        return err_set(err, "which request? as ?request=GET%%20https://host/path, or "
                            "?dns=www.example.org%%20A");
    return 0;
}

static void explain(struct web_exchange *exchange, const struct admin *admin,
                    const struct question *question)
{
    struct text body = TEXT_NONE;
    struct json json;
    struct err err = ERR_NONE;
    json_init(&json, &body);
    json_object_begin(&json);
    int result = module_explain(admin->snap, admin->process->board, &question->ask, &json, &err);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&body, '\n');
    struct web_answer answer = {
        .status = 200, .type = "application/json", .body = text_slice(&body)};
    if (result == 0)
        web_answer(exchange, &answer);
    else
        web_error(exchange, 422, "%s", err.text);
    text_deinit(&body);
}

void handle_explain(struct web_exchange *exchange, void *ctx)
{
    struct question question = {.ask = {.n_fields = 0}};
    struct err err = ERR_NONE;
    arena_init(&question.arena);
    if (read_question(&question, exchange->query, &err) < 0)
        web_error(exchange, 400, "%s", err.text);
    else
        explain(exchange, ctx, &question);
    arena_deinit(&question.arena);
}
