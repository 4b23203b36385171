/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of reasons, and their sentences.
 */

#include "health/reason.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct reason_row {
    const char *name;
    enum machine_verdict verdict;
    const char *sentence; /* NULL: made of the result's numbers */
};

static const struct reason_row rows[N_REASONS] = {
    [REASON_OK] = {"ok", MACHINE_GOOD, NULL},
    [REASON_REFUSED] = {"refused", MACHINE_BAD, "connection refused"},
    [REASON_UNREACHABLE] = {"unreachable", MACHINE_BAD, "no route to it"},
    [REASON_CONNECT_TIMEOUT] = {"connect_timeout", MACHINE_BAD, NULL},
    [REASON_TIMEOUT] = {"timeout", MACHINE_BAD, NULL},
    [REASON_RESET] = {"reset", MACHINE_BAD, "connection reset"},
    [REASON_CLOSED] = {"closed", MACHINE_BAD, "closed before the answer was whole"},
    [REASON_BAD_STATUS] = {"bad_status", MACHINE_BAD, NULL},
    [REASON_BAD_RESPONSE] = {"bad_response", MACHINE_BAD, NULL},
    [REASON_TOO_LARGE] = {"too_large", MACHINE_BAD, "the head of the answer is too large"},
    [REASON_BAD_BODY] = {"bad_body", MACHINE_BAD, NULL},
    [REASON_AGENT_DOWN] = {"agent_down", MACHINE_BAD, NULL},
    [REASON_AGENT_WORD] = {"agent_word", MACHINE_BAD, NULL},
    [REASON_EXIT] = {"exit", MACHINE_BAD, NULL},
    [REASON_SIGNAL] = {"signal", MACHINE_BAD, NULL},
    [REASON_NOT_STARTED] = {"not_started", MACHINE_NOTHING, NULL},
    [REASON_BUSY] = {"busy", MACHINE_NOTHING, "not checked: too many programs run"},
    [REASON_NO_WORKER] = {"no_worker", MACHINE_NOTHING, "not checked: worker does not answer"},
    [REASON_TLS] = {"tls", MACHINE_BAD, NULL},
    [REASON_UNRESOLVED] = {"unresolved", MACHINE_BAD, NULL},
    [REASON_NO_RESOURCE] = {"no_resource", MACHINE_NOTHING,
                            "not checked: no descriptor, port or memory left"},
};

const char *reason_name(enum check_reason reason)
{
    assert(reason < N_REASONS);
    return rows[reason].name;
}

enum machine_verdict reason_verdict(enum check_reason reason)
{
    assert(reason < N_REASONS);
    return rows[reason].verdict;
}

enum check_reason reason_of(enum web_outcome outcome)
{
    static const enum check_reason reasons[WEB_N_OUTCOMES] = {
        [WEB_CALL_OK] = REASON_OK,
        [WEB_CALL_REFUSED] = REASON_REFUSED,
        [WEB_CALL_UNREACHABLE] = REASON_UNREACHABLE,
        [WEB_CALL_CONNECT_TIMEOUT] = REASON_CONNECT_TIMEOUT,
        [WEB_CALL_TIMEOUT] = REASON_TIMEOUT,
        [WEB_CALL_RESET] = REASON_RESET,
        [WEB_CALL_CLOSED] = REASON_CLOSED,
        [WEB_CALL_BAD_RESPONSE] = REASON_BAD_RESPONSE,
        [WEB_CALL_TOO_LARGE] = REASON_TOO_LARGE,
        [WEB_CALL_TLS] = REASON_TLS,
        [WEB_CALL_NO_RESOURCE] = REASON_NO_RESOURCE,
    };
    assert(outcome < WEB_N_OUTCOMES);
    return reasons[outcome];
}

/* A time as the configuration writes it. */
static void format_time(char *text, size_t cap, int64_t ms)
{
    if (ms % 1000 == 0)
        snprintf(text, cap, "%" PRId64 "s", ms / 1000);
    else
        snprintf(text, cap, "%" PRId64 "ms", ms);
}

static void format_ok(const struct check_result *result, const struct check_conf *check,
                      char text[FACT_REASON_MAX])
{
    uint64_t us = result->took_ns / 1000;
    const char *unit = us < 1000 ? "us" : "ms";
    uint64_t number = us < 1000 ? us : us / 1000;
    if (result->agent)
        snprintf(text, FACT_REASON_MAX, "its agent says \"%s\"", result->agent->text);
    else if (check->kind == CHECK_EXEC && result->why && result->why[0])
        snprintf(text, FACT_REASON_MAX, "%.*s", FACT_REASON_MAX - 1, result->why);
    else if (check->kind == CHECK_EXEC)
        snprintf(text, FACT_REASON_MAX, "exit status 0 in %" PRIu64 " %s", number, unit);
    else if (check->kind == CHECK_TLS)
        snprintf(text, FACT_REASON_MAX, "TLS handshake in %" PRIu64 " %s", number, unit);
    else if (check->kind == CHECK_HTTP)
        snprintf(text, FACT_REASON_MAX, "HTTP %u in %" PRIu64 " %s", result->status, number, unit);
    else
        snprintf(text, FACT_REASON_MAX, "connected in %" PRIu64 " %s", number, unit);
}

static void format_status(const struct check_result *result, const struct check_conf *check,
                          char text[FACT_REASON_MAX])
{
    if (check->expect.low == check->expect.high)
        snprintf(text, FACT_REASON_MAX, "HTTP %u, expected %" PRId64, result->status,
                 check->expect.low);
    else
        snprintf(text, FACT_REASON_MAX, "HTTP %u, expected %" PRId64 "..%" PRId64, result->status,
                 check->expect.low, check->expect.high);
}

static void format_late(const struct check_result *result, const struct check_conf *check,
                        char text[FACT_REASON_MAX])
{
    char limit[24];
    format_time(limit, sizeof(limit), check->timeout_ms);
    snprintf(text, FACT_REASON_MAX, "%s within %s",
             result->reason == REASON_TIMEOUT ? "no answer" : "no connection", limit);
}

static void format_program(const struct check_result *result, char text[FACT_REASON_MAX])
{
    const char *signal_name = sigabbrev_np(result->number);
    const char *separator = result->why && result->why[0] ? ": " : "";
    if (result->reason == REASON_NOT_STARTED)
        snprintf(text, FACT_REASON_MAX, "not checked: the program cannot be executed: %s",
                 strerrordesc_np(result->number) ? strerrordesc_np(result->number) : "?");
    else if (result->reason == REASON_SIGNAL)
        snprintf(text, FACT_REASON_MAX, "the program was ended by SIG%s",
                 signal_name ? signal_name : "?");
    else
        snprintf(text, FACT_REASON_MAX, "exit status %d%s%.60s", (int)result->number, separator,
                 separator[0] ? result->why : "");
}

/* The sentences that are made of what was said. */
static void format_said(const struct check_result *result, const struct check_conf *check,
                        char text[FACT_REASON_MAX])
{
    if (result->reason == REASON_BAD_RESPONSE)
        snprintf(text, FACT_REASON_MAX, "the answer is not HTTP/1 (%s)",
                 h1_error_row(result->h1_error)->name);
    else if (result->reason == REASON_BAD_BODY)
        snprintf(text, FACT_REASON_MAX, "HTTP %u, and its body does not hold \"%.*s\"",
                 result->status, (int)(check->body.len < 32 ? check->body.len : 32),
                 check->body.ptr);
    else if (result->reason == REASON_AGENT_DOWN)
        snprintf(text, FACT_REASON_MAX, "its agent says \"%s\"", result->agent->text);
    else if (result->reason == REASON_AGENT_WORD)
        snprintf(text, FACT_REASON_MAX, "its agent says what no agent says: \"%s\"", result->why);
    else if (result->reason == REASON_TLS)
        snprintf(text, FACT_REASON_MAX, "no TLS: %s", result->why);
    else
        snprintf(text, FACT_REASON_MAX, "name not resolved: %s", result->why);
}

const char *reason_format(const struct check_result *result, const struct check_conf *check,
                          char text[FACT_REASON_MAX])
{
    assert(result->reason < N_REASONS);
    if (rows[result->reason].sentence)
        snprintf(text, FACT_REASON_MAX, "%s", rows[result->reason].sentence);
    else if (result->reason == REASON_OK)
        format_ok(result, check, text);
    else if (result->reason == REASON_BAD_STATUS)
        format_status(result, check, text);
    else if (result->reason == REASON_TIMEOUT || result->reason == REASON_CONNECT_TIMEOUT)
        format_late(result, check, text);
    else if (result->reason == REASON_EXIT || result->reason == REASON_SIGNAL ||
             result->reason == REASON_NOT_STARTED)
        format_program(result, text);
    else
        format_said(result, check, text);
    return text;
}
