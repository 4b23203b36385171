/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes of admin. What the board holds is answered at once; /v1/status asks every process
 * first and takes what has come when the last has answered or its second is over; reload and stop
 * wait for the supervisor.
 */
#include "admin/body.h"
#include "admin/internal.h"
#include "admin/openmetrics.h"
#include "admin/render.h"
#include "base/json.h"
#include "base/mem.h"
#include "core/query.h"
#include "core/request.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define TYPE_JSON "application/json"

/* ---- who may ask ---- */

static struct slice field_value(const struct web_exchange *exchange, enum h1_field_id id)
{
    const struct h1_field *field = h1_find(exchange->head, id);
    return field ? h1_field_value(exchange->head_bytes, field) : SLICE("");
}

bool api_admit(struct web_exchange *exchange, void *ctx)
{
    struct admin *admin = ctx;
    struct ucred peer;
    socklen_t len = sizeof(peer);
    struct access_ask ask = {
        .is_unix = addr_family(exchange->peer) == AF_UNIX,
        .is_write = exchange->method != H1_METHOD_GET && exchange->method != H1_METHOD_HEAD,
        .host = h1_slice(exchange->head_bytes, exchange->head->host),
        .authorization = field_value(exchange, H1_FIELD_AUTHORIZATION),
    };
    if (ask.is_unix && getsockopt(exchange->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        ask.has_uid = true;
        ask.uid = peer.uid;
    }
    struct err err = ERR_NONE;
    int status = access_check(&admin->policy, &ask, &err);
    if (status == 0)
        return true;
    admin->n_denied++;
    if (status == 401)
        web_error_lines(exchange, 401, SLICE("WWW-Authenticate: Bearer realm=\"weir\"\r\n"), "%s",
                        err.text);
    else
        web_error(exchange, (uint16_t)status, "%s", err.text);
    return false;
}

/* ---- views ---- */

struct seeing {
    struct arena arena;
    struct tallies tallies;
    struct view *view;
    struct text out;
};

static void seeing_init(struct seeing *seeing, struct admin *admin)
{
    struct loop *loop = admin->process->loops[0];
    *seeing = (struct seeing){.out = TEXT_NONE};
    arena_init(&seeing->arena);
    admin_count(admin);
    tallies_init(&seeing->tallies, admin->process->board, admin->process->table, &seeing->arena);
    struct view_source source = {
        .board = admin->process->board,
        .snap = admin->snap,
        .tallies = &seeing->tallies,
        .rates = admin->rates,
        .now_ns = loop_now_ns(loop),
        .wall_ns = loop_wall_ns(loop),
        .supervisor = admin->supervisor,
        .dropped = text_slice(&admin->runtime.notes),
    };
    seeing->view = view_make(&source, &seeing->arena);
}

static void seeing_deinit(struct seeing *seeing)
{
    tallies_deinit(&seeing->tallies);
    arena_deinit(&seeing->arena);
    text_deinit(&seeing->out);
}

static void answer_text(struct web_exchange *exchange, const struct text *body, const char *type,
                        const char *lines)
{
    struct web_answer answer = {
        .status = 200, .type = type, .body = text_slice(body), .lines = slice_from(lines)};
    web_answer(exchange, &answer);
}

static void handle_page(struct web_exchange *exchange, void *ctx)
{
    struct seeing seeing;
    seeing_init(&seeing, ctx);
    render_page(&seeing.out, seeing.view);
    answer_text(exchange, &seeing.out, "text/html; charset=utf-8",
                "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                "frame-ancestors 'none'\r\n");
    seeing_deinit(&seeing);
}

static void handle_metrics(struct web_exchange *exchange, void *ctx)
{
    struct seeing seeing;
    seeing_init(&seeing, ctx);
    render_metrics(&seeing.out, seeing.view, &seeing.tallies);
    answer_text(exchange, &seeing.out, OPENMETRICS_TYPE, "");
    seeing_deinit(&seeing);
}

static void handle_facts(struct web_exchange *exchange, void *ctx)
{
    struct seeing seeing;
    seeing_init(&seeing, ctx);
    render_facts(&seeing.out, seeing.view);
    answer_text(exchange, &seeing.out, TYPE_JSON, "");
    seeing_deinit(&seeing);
}

/* ---- status: every process is asked ---- */

struct asking;

struct asked {
    struct asking *asking;
    char kind[32];
    enum view_answer answer;
    struct text text;
};

struct asking {
    struct admin *admin;
    struct web_exchange *exchange;
    struct asked processes[BOARD_SEGMENTS_MAX];
    size_t n_processes;
    size_t n_waiting;
};

static void asking_destroy(struct asking *asking)
{
    for (size_t i = 0; i < asking->n_processes; i++)
        text_deinit(&asking->processes[i].text);
    mem_free(asking);
}

static void asking_answer(struct asking *asking)
{
    struct seeing seeing;
    seeing_init(&seeing, asking->admin);
    for (size_t i = 0; i < asking->n_processes; i++) {
        const struct asked *asked = &asking->processes[i];
        struct view_process *process = view_process_find(seeing.view, asked->kind);
        if (!process)
            continue;
        process->answer = asked->answer;
        process->answer_text = text_slice(&asked->text);
    }
    render_status(&seeing.out, seeing.view);
    answer_text(asking->exchange, &seeing.out, TYPE_JSON, "");
    seeing_deinit(&seeing);
    asking_destroy(asking);
}

static void asking_on_answer(void *ctx, enum query_result result, struct slice answer)
{
    struct asked *asked = ctx;
    asked->answer = result == QUERY_ANSWERED ? VIEW_ANSWERED : VIEW_SILENT;
    text_append(&asked->text, answer);
    if (--asked->asking->n_waiting == 0)
        asking_answer(asked->asking);
}

static void asking_on_gone(struct web_exchange *exchange)
{
    struct asking *asking = exchange->user;
    for (size_t i = 0; i < asking->n_processes; i++)
        query_forget(asking->admin->process, &asking->processes[i]);
    asking_destroy(asking);
}

/* The supervisor is not asked: it has no query socket, and its fact says what there is to say. */
static void handle_status(struct web_exchange *exchange, void *ctx)
{
    struct admin *admin = ctx;
    struct asking *asking = MEM_NEW(struct asking);
    asking->admin = admin;
    asking->exchange = exchange;
    exchange->user = asking;
    exchange->on_gone = asking_on_gone;
    const struct board *board = admin->process->board;
    for (size_t segment = 0; segment < board_n_segments(board); segment++) {
        const char *kind = board_segment_name(board, segment);
        if (!view_has_process(board, segment) || strcmp(kind, "supervisor") == 0)
            continue;
        struct asked *asked = &asking->processes[asking->n_processes++];
        asked->asking = asking;
        slice_copy(slice_from(kind), asked->kind, sizeof(asked->kind));
        asking->n_waiting++;
        query_send(admin->process, kind, "status", asking_on_answer, asked);
    }
    if (asking->n_waiting == 0) /* not before this process has been counted itself */
        asking_answer(asking);
}

/* ---- reload and stop: the supervisor is asked ---- */

struct commanding {
    struct admin *admin;
    struct web_exchange *exchange;
    const char *refusal; /* what a refusal is called */
    uint16_t status;     /* of success */
};

void api_answer_pair(struct web_exchange *exchange, uint16_t status, const char *key,
                     struct slice value, struct slice diagnostics)
{
    struct text body = TEXT_NONE;
    struct json json;
    json_init(&json, &body);
    json_object_begin(&json);
    json_key(&json, key);
    json_slice(&json, value);
    if (diagnostics.len) {
        json_key(&json, "diagnostics");
        json_slice(&json, diagnostics);
    }
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&body, '\n');
    struct web_answer answer = {.status = status, .type = TYPE_JSON, .body = text_slice(&body)};
    web_answer(exchange, &answer);
    text_deinit(&body);
}

static void commanding_on_answer(void *ctx, bool is_ok, struct slice text)
{
    struct commanding *commanding = ctx;
    if (is_ok)
        api_answer_pair(commanding->exchange, commanding->status, "text", text, SLICE(""));
    else
        api_answer_pair(commanding->exchange, 422, "error", slice_from(commanding->refusal), text);
    mem_free(commanding);
}

static void commanding_on_gone(struct web_exchange *exchange)
{
    struct commanding *commanding = exchange->user;
    supervisor_request_forget(commanding->admin->process, commanding);
    mem_free(commanding);
}

static void command(struct web_exchange *exchange, struct admin *admin, const char *verb,
                    uint16_t status, const char *refusal)
{
    struct commanding *commanding = MEM_NEW(struct commanding);
    *commanding = (struct commanding){admin, exchange, refusal, status};
    exchange->user = commanding;
    exchange->on_gone = commanding_on_gone;
    supervisor_request(admin->process, verb, commanding_on_answer, commanding);
}

static void handle_reload(struct web_exchange *exchange, void *ctx)
{
    command(exchange, ctx, "reload", 200, "the new configuration is refused; nothing has changed");
}

static void handle_upgrade(struct web_exchange *exchange, void *ctx)
{
    const char *binary = "";
    const struct body_want wants[] = {
        {.key = "binary", .what = "the path of a program, from / on", .text = &binary},
        {.key = NULL},
    };
    json_t *document = NULL;
    struct err err = ERR_NONE;
    if (exchange->body.len > 0 && body_read(exchange->body, wants, &document, &err) < 0) {
        web_error(exchange, 400, "%s", err.text);
        return;
    }
    struct text verb = TEXT_NONE;
    text_printf(&verb, "upgrade%s%s", binary[0] ? " " : "", binary);
    command(exchange, ctx, text_cstr(&verb), 200, "the upgrade is refused; nothing has changed");
    text_deinit(&verb);
    json_decref(document);
}

static void handle_stop(struct web_exchange *exchange, void *ctx)
{
    bool is_now = web_query_value(exchange->query, "now").ptr;
    command(exchange, ctx, is_now ? "stop now" : "stop", 202, "weir does not stop");
}

const struct web_route api_routes[] = {
    {H1_METHOD_GET, "/", handle_page},
    {H1_METHOD_GET, "/metrics", handle_metrics},
    {H1_METHOD_GET, "/v1/status", handle_status},
    {H1_METHOD_GET, "/v1/facts", handle_facts},
    {H1_METHOD_GET, "/v1/explain", handle_explain},
    {H1_METHOD_GET, "/v1/runtime", handle_runtime},
    {H1_METHOD_POST, "/v1/member/add", handle_member_add},
    {H1_METHOD_POST, "/v1/member/remove", handle_member_remove},
    {H1_METHOD_GET, "/v1/drain", handle_drains},
    {H1_METHOD_POST, "/v1/drain", handle_drain},
    {H1_METHOD_POST, "/v1/undrain", handle_undrain},
    {H1_METHOD_POST, "/v1/force", handle_force},
    {H1_METHOD_POST, "/v1/weight", handle_weight},
    {H1_METHOD_POST, "/v1/reload", handle_reload},
    {H1_METHOD_POST, "/v1/upgrade", handle_upgrade},
    {H1_METHOD_POST, "/v1/stop", handle_stop},
    {H1_METHOD_OTHER, NULL, NULL},
};
