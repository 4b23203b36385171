/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/explain: what would become of a request, answered by the module that knows: from the
 * configuration in force and the board, or, where its process alone knows, by that.
 */
#include "admin/internal.h"
#include "admin/query.h"
#include "base/json.h"
#include "base/mem.h"
#include "core/query.h"

enum { FIELDS_MAX = 64 };

struct question {
    struct arena arena;
    struct explain_ask ask;
    struct slice fields[FIELDS_MAX];
};

static int take(struct question *question, struct slice name, struct slice value, struct err *err)
{
    struct explain_ask *ask = &question->ask;
    static const char *const kinds[] = {"dns", "vip", "queue"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (slice_is(name, kinds[i])) {
            ask->kind = kinds[i];
            ask->text = value;
            return 0;
        }
    }
    if (slice_is(name, "request")) {
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
                       "there is no parameter \"%.*s\"; there are request, dns, vip, "
                       "queue, from, header and listen",
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
    struct slice kind = slice_from(question->ask.kind);
    if (question->ask.text.len == 0 && !slice_is(kind, "vip") && !slice_is(kind, "queue"))
        return err_set(err, "which request? as ?request=GET%%20https://host/path, "
                            "?dns=www.example.org%%20A, ?vip= or ?queue=");
    return 0;
}

static void answer_json(struct web_exchange *exchange, struct text *body)
{
    text_append_char(body, '\n');
    const struct web_answer answer = {
        .status = 200, .type = "application/json", .body = text_slice(body)};
    web_answer(exchange, &answer);
}

/* ---- here ---- */

static void explain_here(struct web_exchange *exchange, const struct admin *admin,
                         const struct module *module, const struct question *question)
{
    struct text body = TEXT_NONE;
    struct json json;
    struct err err = ERR_NONE;
    json_init(&json, &body);
    json_object_begin(&json);
    if (module->explain(admin->snap, admin->process->board, &question->ask, &json, &err) == 0) {
        json_object_end(&json);
        json_finish(&json);
        answer_json(exchange, &body);
    } else {
        web_error(exchange, 422, "%s", err.text);
    }
    text_deinit(&body);
}

/* ---- in the module's process ---- */

struct passing {
    struct process *process;
    struct web_exchange *exchange;
};

static void passing_on_answer(void *ctx, enum query_result result, struct slice text)
{
    struct passing *passing = ctx;
    struct text body = TEXT_NONE;
    text_append(&body, text);
    if (result == QUERY_ANSWERED)
        answer_json(passing->exchange, &body);
    else
        web_error(passing->exchange, result == QUERY_REFUSED ? 422 : 503, "%s", text_cstr(&body));
    text_deinit(&body);
    mem_free(passing);
}

static void passing_on_gone(struct web_exchange *exchange)
{
    struct passing *passing = exchange->user;
    query_forget(passing->process, passing);
    mem_free(passing);
}

static void explain_there(struct web_exchange *exchange, struct admin *admin,
                          const struct module *module, const struct explain_ask *ask)
{
    char from[ADDR_TEXT_MAX] = "-";
    struct text verb = TEXT_NONE;
    if (ask->from.len)
        addr_format_ip(&ask->from, from);
    text_printf(&verb, "explain %s %s %.*s", ask->kind, from, SLICE_ARG(ask->text));
    if (verb.len > QUERY_VERB_MAX) {
        web_error(exchange, 400, "the question is too long");
    } else {
        struct passing *passing = MEM_NEW(struct passing);
        *passing = (struct passing){admin->process, exchange};
        exchange->user = passing;
        exchange->on_gone = passing_on_gone;
        query_send(admin->process, module->process, text_cstr(&verb), passing_on_answer, passing);
    }
    text_deinit(&verb);
}

void handle_explain(struct web_exchange *exchange, void *ctx)
{
    struct admin *admin = ctx;
    struct question question = {.ask = {.n_fields = 0}};
    struct err err = ERR_NONE;
    const struct module *module = NULL;
    arena_init(&question.arena);
    if (read_question(&question, exchange->query, &err) < 0)
        web_error(exchange, 400, "%s", err.text);
    else if (!(module = module_explains(admin->process->table, question.ask.kind, &err)))
        web_error(exchange, 422, "%s", err.text);
    else if (module->explain_inside)
        explain_there(exchange, admin, module, &question.ask);
    else
        explain_here(exchange, admin, module, &question);
    arena_deinit(&question.arena);
}
