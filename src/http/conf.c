/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of the HTTP service inside a listen block, and the tables of what it counts.
 */

#include "http/http.h"

#include "base/mem.h"
#include "http/answer.h"
#include "http/async.h"

#define MS(field) offsetof(struct http_timeouts, field)

static const struct conf_word timeout_words[] = {
    {.name = "handshake",
     .type = CONF_TIME,
     .offset = MS(handshake_ms),
     .fallback = "10s",
     .min = 10,
     .max = 3600000,
     .doc = "from a connection accepted to the end of its TLS handshake; then it is closed"},
    {.name = "headers",
     .type = CONF_TIME,
     .offset = MS(headers_ms),
     .fallback = "10s",
     .min = 10,
     .max = 3600000,
     .doc = "from the first byte of a request to the end of its head; then 408"},
    {.name = "body",
     .type = CONF_TIME,
     .offset = MS(body_ms),
     .fallback = "30s",
     .min = 10,
     .max = 3600000,
     .doc = "without a byte of a request's body, or with fewer of them than limits body-rate says; "
            "then 408"},
    {.name = "idle",
     .type = CONF_TIME,
     .offset = MS(idle_ms),
     .fallback = "60s",
     .min = 10,
     .max = 86400000,
     .doc = "between two requests of a connection; then it is closed"},
    {.name = "connect",
     .type = CONF_TIME,
     .offset = MS(connect_ms),
     .fallback = "3s",
     .min = 10,
     .max = 600000,
     .doc = "until a member accepts; then another member, or 502"},
    {.name = "response",
     .type = CONF_TIME,
     .offset = MS(response_ms),
     .fallback = "30s",
     .min = 10,
     .max = 86400000,
     .doc = "from the request sent to the head of the response; then 504"},
    {.name = "try",
     .type = CONF_TIME,
     .offset = MS(try_ms),
     .min = 10,
     .max = 86400000,
     .doc = "one member's time for all up to the head of its response, connecting included; then "
            "another member, where repeating is safe, or 504; without it connect and response "
            "bound a try"},
    {.name = "stream",
     .type = CONF_TIME,
     .offset = MS(stream_ms),
     .fallback = "5m",
     .min = 10,
     .max = 86400000,
     .doc = "without progress of a response's body; then the connection is cut"},
    {.name = "tunnel",
     .type = CONF_TIME,
     .offset = MS(tunnel_ms),
     .fallback = "1h",
     .min = 10,
     .max = 604800000,
     .doc = "of a WebSocket, without a byte either way; then it is closed; once one side has "
            "ended, stream bounds the other as well"},
    {.name = "total",
     .type = CONF_TIME,
     .offset = MS(total_ms),
     .min = 10,
     .max = 604800000,
     .doc = "from the head of a request to the end of its answer, all tries together; then 504, or "
            "a cut; without it a body may take as long as it moves"},
    {.name = "async",
     .type = CONF_TIME,
     .offset = MS(async_ms),
     .fallback = "30s",
     .min = 100,
     .max = 3600000,
     .doc = "from a request that is for a queue, sent, to the answer that it is kept, tries at a "
            "queue that starts again included, what the client wants to wait for its job not; "
            "then 503"},
    {.name = "age",
     .type = CONF_TIME,
     .offset = MS(age_ms),
     .fallback = "1h",
     .min = 10,
     .max = 604800000,
     .doc = "of a client's connection; the next answer says Connection: close"},
    {0},
};

const struct conf_block http_timeouts_block = {
    .size = sizeof(struct http_timeouts),
    .words = timeout_words,
};

#define LIMIT(field) offsetof(struct http_limits, field)

static const struct conf_word limit_words[] = {
    {.name = "connections",
     .type = CONF_INT,
     .offset = LIMIT(connections),
     .fallback = "20000",
     .min = 1,
     .max = 10000000,
     .doc = "client connections at a time, all loops together; more get 503"},
    {.name = "requests",
     .type = CONF_INT,
     .offset = LIMIT(requests),
     .fallback = "1000",
     .min = 1,
     .max = 1000000000,
     .doc = "requests on one connection; the last answer says Connection: close"},
    {.name = "head",
     .type = CONF_SIZE,
     .offset = LIMIT(head_bytes),
     .fallback = "32k",
     .min = 1024,
     .max = 32768,
     .doc = "bytes of a request's or response's head; more get 431"},
    {.name = "field",
     .type = CONF_SIZE,
     .offset = LIMIT(field_bytes),
     .fallback = "8k",
     .min = 256,
     .max = 32768,
     .doc = "bytes of one header field; more get 431"},
    {.name = "target",
     .type = CONF_SIZE,
     .offset = LIMIT(target_bytes),
     .fallback = "8k",
     .min = 256,
     .max = 32768,
     .doc = "bytes of the request target; more get 414"},
    {.name = "fields",
     .type = CONF_INT,
     .offset = LIMIT(fields),
     .fallback = "100",
     .min = 10,
     .max = H1_FIELDS_MAX,
     .doc = "header fields of a message; more get 431"},
    {.name = "body",
     .type = CONF_SIZE,
     .offset = LIMIT(body_bytes),
     .doc = "bytes of a request's body; more get 413; without it, or 0, as many as come"},
    {.name = "async",
     .type = CONF_SIZE,
     .offset = LIMIT(async_bytes),
     .fallback = "256k",
     .max = 64 << 20,
     .doc = "bytes of a request that is for a queue, kept until that has it, so that it can be "
            "sent once more; what is longer gets 503 when the queue starts again meanwhile"},
    {.name = "body-rate",
     .type = CONF_RATE,
     .offset = LIMIT(body_rate),
     .fallback = "500/s",
     .doc = "bytes of a request's body that must come, within each timeout body; fewer get 408"},
    {0},
};

const struct conf_block http_limits_block = {
    .size = sizeof(struct http_limits),
    .words = limit_words,
};

#define RETRY(field) offsetof(struct http_retry, field)

static const struct conf_word retry_words[] = {
    {.name = "tries",
     .type = CONF_INT,
     .offset = RETRY(tries),
     .fallback = "3",
     .min = 1,
     .max = 10,
     .doc = "members that one request is offered to, where repeating it is safe"},
    {.name = "budget",
     .type = CONF_PERCENT,
     .offset = RETRY(budget_percent),
     .fallback = "20%",
     .doc = "of the requests of the last 10 s, so many may be sent once more after a member may "
            "have seen them"},
    {.name = "at-least",
     .type = CONF_RATE,
     .offset = RETRY(at_least),
     .fallback = "10/s",
     .min = 1,
     .max = 1000000,
     .doc = "whatever budget comes to, so many may be sent once more, all loops together"},
    {.name = "backoff",
     .type = CONF_TIME,
     .offset = RETRY(backoff_ms),
     .fallback = "25ms",
     .max = RETRY_PAUSE_MAX_MS,
     .doc = "at most so long before a third try; it doubles with each further one, up to 1s"},
    {0},
};

const struct conf_block http_retry_block = {
    .size = sizeof(struct http_retry),
    .words = retry_words,
};

static int check_jobs_path(const struct http_conf *conf, const struct conf_object *listen,
                           struct conf_load *load)
{
    if (!conf->has_queues || async_path_is_valid(conf->jobs_path))
        return 0;
    return conf_error(load->diag, conf_where(listen, "jobs-path"), "jobs-path /jobs",
                      "a path that begins with a slash and does not end with one, of %d bytes at "
                      "most, stands here",
                      ASYNC_PATH_MAX);
}

int http_check(struct http_conf *conf, const struct conf_object *listen, bool is_tls,
               const struct snapshot *snap, struct conf_load *load)
{
    if (conf->sticky && sticky_check(conf->sticky, is_tls, load) < 0)
        return -1;
    if (conf->routes.n_items == 0)
        return conf_error(load->diag, conf_stmt_at(listen->stmt), "route pool NAME",
                          "listen %.*s has no route: every request would get 404",
                          SLICE_ARG(listen->name));
    for (uint32_t i = 0; i < conf->routes.n_items; i++)
        conf->has_queues = conf->has_queues || conf->routes.items[i].has_queue;
    if (check_jobs_path(conf, listen, load) < 0)
        return -1;
    return routes_check(&conf->routes, snap, load);
}

/* ---- metrics ---- */

#define COUNTER(word_, name_, help_)                                              \
    {                                                                             \
        .name = (name_), .type = METRIC_COUNTER, .word = (word_), .help = (help_) \
    }
#define BY_CLASS(word_, class_)                                                         \
    {                                                                                   \
        .name = "responses", .type = METRIC_COUNTER, .word = (word_), .label = "class", \
        .label_value = (class_), .help = "Responses to clients, by class of status."    \
    }
#define ANSWER(reason_, name_)                                                                   \
    {                                                                                            \
        .name = "answers", .type = METRIC_COUNTER, .word = (uint32_t)LISTEN_ANSWERS + (reason_), \
        .label = "reason", .label_value = (name_),                                               \
        .help = "Answers that weir gave by itself, by reason."                                   \
    }
#define BAD(error_, name_)                                                                       \
    {                                                                                            \
        .name = "bad_requests", .type = METRIC_COUNTER, .word = (uint32_t)LISTEN_BAD + (error_), \
        .label = "reason", .label_value = (name_),                                               \
        .help = "Requests that are not valid or not served, by reason."                          \
    }

#define UNREPEATED(refusal_, name_)                                                                \
    {                                                                                              \
        .name = "retries_refused", .type = METRIC_COUNTER,                                         \
        .word = (uint32_t)LISTEN_UNREPEATED + (refusal_), .label = "reason",                       \
        .label_value = (name_), .help = "Requests that failed and were not sent again, by reason." \
    }

#define STICKY(state_, name_)                                                                   \
    {                                                                                           \
        .name = "sticky", .type = METRIC_COUNTER, .word = (uint32_t)LISTEN_STICKY + (state_),   \
        .label = "state", .label_value = (name_),                                               \
        .help = "Requests under stickiness, by how they stood to their session: held by its "   \
                "member, moved from one that was down or gone, new, or treated as new because " \
                "their cookie was expired, forged, or of no key that is here."                  \
    }

#define ASYNC(result_, name_)                                                                      \
    {                                                                                              \
        .name = "asynchronous", .type = METRIC_COUNTER,                                            \
        .word = (uint32_t)LISTEN_ASYNC + (result_), .label = "result", .label_value = (name_),     \
        .help = "Requests given to a queue: accepted (202), answered by a member while the client" \
                " waited, or refused by the queue."                                                \
    }

static const struct metric_def listen_defs[] = {
    COUNTER(LISTEN_CONNECTIONS, "connections", "Client connections accepted."),
    COUNTER(LISTEN_REFUSED, "connections_refused", "Connections over the limit, answered 503."),
    COUNTER(LISTEN_EXHAUSTED, "accept_exhausted",
            "Times that accepting paused for want of descriptors or memory."),
    {.name = "connections_active",
     .type = METRIC_GAUGE,
     .word = LISTEN_ACTIVE,
     .help = "Client connections now."},
    COUNTER(LISTEN_REQUESTS, "requests", "Requests begun."),
    BY_CLASS(LISTEN_2XX, "2xx"),
    BY_CLASS(LISTEN_3XX, "3xx"),
    BY_CLASS(LISTEN_4XX, "4xx"),
    BY_CLASS(LISTEN_5XX, "5xx"),
    COUNTER(LISTEN_BYTES_IN, "received_bytes", "Bytes from clients."),
    COUNTER(LISTEN_BYTES_OUT, "sent_bytes", "Bytes to clients."),
    COUNTER(LISTEN_RETRIES, "retries", "Requests that went to a further member."),
    UNREPEATED(RETRY_ANSWERED, "answered"),
    UNREPEATED(RETRY_UNSAFE, "unsafe"),
    UNREPEATED(RETRY_UNBUFFERED, "unbuffered"),
    UNREPEATED(RETRY_TRIES, "tries"),
    UNREPEATED(RETRY_BUDGET, "budget"),
    UNREPEATED(RETRY_NO_CLIENT, "no_client"),
    COUNTER(LISTEN_ABORTED, "aborted", "Clients that left before their answer was complete."),
    COUNTER(LISTEN_TUNNELS, "tunnels", "WebSocket tunnels begun."),
    {.name = "tunnels_active",
     .type = METRIC_GAUGE,
     .word = LISTEN_TUNNELS_ACTIVE,
     .help = "WebSocket tunnels now."},
    COUNTER(LISTEN_TUNNELS_LATE, "tunnels_late", "Tunnels closed because nothing moved."),
    STICKY(STICKY_NEW, "new"),
    STICKY(STICKY_HELD, "held"),
    STICKY(STICKY_MOVED, "moved"),
    STICKY(STICKY_GONE, "gone"),
    STICKY(STICKY_EXPIRED, "expired"),
    STICKY(STICKY_FORGED, "forged"),
    STICKY(STICKY_NO_KEY, "no_key"),
    ASYNC(ASYNC_ACCEPTED, "accepted"),
    ASYNC(ASYNC_ANSWERED, "answered"),
    ASYNC(ASYNC_REFUSED, "refused"),
    COUNTER(LISTEN_OVERFLOWED, "overflowed",
            "Requests given to a queue in place of an answer 503."),
    COUNTER(LISTEN_JOBS, "job_requests", "Requests for an asynchronous job or its result."),
    COUNTER(LISTEN_CUT, "cut", "Answers that broke off, visibly for the client."),
    COUNTER(LISTEN_STRANDED, "stranded", "Clients whose floating address went elsewhere."),
    ANSWER(HTTP_NO_ROUTE, "no_route"),
    ANSWER(HTTP_RESPOND, "respond"),
    ANSWER(HTTP_REDIRECT, "redirect"),
    ANSWER(HTTP_NO_MEMBER, "no_member"),
    ANSWER(HTTP_QUEUE_FULL, "queue_full"),
    ANSWER(HTTP_QUEUE_LATE, "queue_late"),
    ANSWER(HTTP_UNREACHABLE, "unreachable"),
    ANSWER(HTTP_BROKEN, "broken"),
    ANSWER(HTTP_NONSENSE, "nonsense"),
    ANSWER(HTTP_LATE, "late"),
    ANSWER(HTTP_HEAD_LATE, "head_late"),
    ANSWER(HTTP_OVERDUE, "overdue"),
    ANSWER(HTTP_BODY_LATE, "body_late"),
    ANSWER(HTTP_BODY_SLOW, "body_slow"),
    ANSWER(HTTP_BODY_LARGE, "body_large"),
    ANSWER(HTTP_CROWDED, "crowded"),
    ANSWER(HTTP_ASYNC_AWAY, "async_away"),
    ANSWER(HTTP_ASYNC_LATE, "async_late"),
    ANSWER(HTTP_ASYNC_UPGRADE, "async_upgrade"),
    BAD(H1_ERR_METHOD, "method"),
    BAD(H1_ERR_METHOD_LONG, "method_long"),
    BAD(H1_ERR_TARGET, "target"),
    BAD(H1_ERR_TARGET_FORM, "target_form"),
    BAD(H1_ERR_TARGET_LONG, "target_long"),
    BAD(H1_ERR_VERSION, "version"),
    BAD(H1_ERR_VERSION_MAJOR, "version_major"),
    BAD(H1_ERR_LINE_END, "line_end"),
    BAD(H1_ERR_FIELD_NAME, "field_name"),
    BAD(H1_ERR_FIELD_SPACE, "field_space"),
    BAD(H1_ERR_FIELD_FOLD, "field_fold"),
    BAD(H1_ERR_FIELD_VALUE, "field_value"),
    BAD(H1_ERR_FIELD_LONG, "field_long"),
    BAD(H1_ERR_FIELDS_MANY, "fields_many"),
    BAD(H1_ERR_HEAD_LONG, "head_long"),
    BAD(H1_ERR_HOST_MISSING, "host_missing"),
    BAD(H1_ERR_HOST_REPEATED, "host_repeated"),
    BAD(H1_ERR_HOST_INVALID, "host_invalid"),
    BAD(H1_ERR_HOST_DIFFERS, "host_differs"),
    BAD(H1_ERR_LENGTH_INVALID, "length_invalid"),
    BAD(H1_ERR_LENGTH_REPEATED, "length_repeated"),
    BAD(H1_ERR_CODING_INVALID, "coding_invalid"),
    BAD(H1_ERR_CODING_UNKNOWN, "coding_unknown"),
    BAD(H1_ERR_CODING_REPEATED, "coding_repeated"),
    BAD(H1_ERR_CODING_LENGTH, "coding_length"),
    BAD(H1_ERR_CODING_VERSION, "coding_version"),
    BAD(H1_ERR_CONNECTION_LONG, "connection_long"),
    BAD(H1_ERR_CHUNK_SIZE, "chunk_size"),
    BAD(H1_ERR_CHUNK_EXT, "chunk_ext"),
    BAD(H1_ERR_CHUNK_EXT_LONG, "chunk_ext_long"),
    BAD(H1_ERR_CHUNK_END, "chunk_end"),
    BAD(H1_ERR_CHUNK_OVERHEAD, "chunk_overhead"),
    BAD(H1_ERR_TRAILERS_MANY, "trailers_many"),
    BAD(H1_ERR_TRAILERS_LONG, "trailers_long"),
    BAD(H1_ERR_METHOD_REFUSED, "method_refused"),
    BAD(H1_ERR_EXPECTATION, "expectation"),
    TLS_METRIC_DEFS(LISTEN_TLS),
    {.name = "request_seconds",
     .type = METRIC_HISTOGRAM,
     .word = LISTEN_LATENCY,
     .scale = 1e-6,
     .help = "From the head of a request to the end of its answer."},
    {0},
};

const struct metric_table listen_metrics = {
    .name = "listen",
    .labels = {"listen"},
    .n_words = LISTEN_WORDS,
    .defs = listen_defs,
};
