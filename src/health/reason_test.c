/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sentences of reasons, and that metrics name every one of them.
 */

#include "health/reason.h"

#include "base/mem.h"
#include "health/health.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static const struct check_conf http = {
    .kind = CHECK_HTTP, .expect = {.low = 200, .high = 399}, .timeout_ms = 1000};
static const struct check_conf http_200 = {
    .kind = CHECK_HTTP, .expect = {.low = 200, .high = 200}, .timeout_ms = 250};
static const struct check_conf http_body = {.kind = CHECK_HTTP, .body = {"ready", 5}};
static const struct check_conf agent = {.kind = CHECK_AGENT, .timeout_ms = 1000};
static const struct agent_says agent_up = {.state = AGENT_UP, .share = 50, .text = "up 50%"};
static const struct agent_says agent_down = {.state = AGENT_DOWN, .text = "down # disk full"};
static const struct check_conf exec = {.kind = CHECK_EXEC, .timeout_ms = 1000};
static const struct check_conf tls = {.kind = CHECK_TLS, .timeout_ms = 1000};
static const struct check_conf tcp = {.kind = CHECK_TCP, .timeout_ms = 1500};

static void test_sentences(void **state)
{
    (void)state;
    static const struct {
        struct check_result result;
        const struct check_conf *check;
        const char *sentence;
    } rows[] = {
        {{.reason = REASON_OK, .status = 204, .took_ns = 3 * MS}, &http, "HTTP 204 in 3 ms"},
        {{.reason = REASON_OK, .took_ns = 120000}, &tcp, "connected in 120 us"},
        {{.reason = REASON_OK, .took_ns = 4 * MS}, &tls, "TLS handshake in 4 ms"},
        {{.reason = REASON_BAD_STATUS, .status = 503}, &http, "HTTP 503, expected 200..399"},
        {{.reason = REASON_BAD_STATUS, .status = 204}, &http_200, "HTTP 204, expected 200"},
        {{.reason = REASON_TIMEOUT}, &http, "no answer within 1s"},
        {{.reason = REASON_TIMEOUT}, &http_200, "no answer within 250ms"},
        {{.reason = REASON_CONNECT_TIMEOUT}, &tcp, "no connection within 1500ms"},
        {{.reason = REASON_REFUSED}, &tcp, "connection refused"},
        {{.reason = REASON_RESET}, &http, "connection reset"},
        {{.reason = REASON_UNREACHABLE}, &http, "no route to it"},
        {{.reason = REASON_CLOSED}, &http, "closed before the answer was whole"},
        {{.reason = REASON_TOO_LARGE}, &http, "the head of the answer is too large"},
        {{.reason = REASON_BAD_RESPONSE, .h1_error = H1_ERR_STATUS},
         &http,
         "the answer is not HTTP/1 (status)"},
        {{.reason = REASON_BAD_BODY, .status = 200},
         &http_body,
         "HTTP 200, and its body does not hold \"ready\""},
        {{.reason = REASON_OK, .agent = &agent_up, .took_ns = MS},
         &agent,
         "its agent says \"up 50%\""},
        {{.reason = REASON_AGENT_DOWN, .agent = &agent_down},
         &agent,
         "its agent says \"down # disk full\""},
        {{.reason = REASON_AGENT_WORD, .why = "hello"},
         &agent,
         "its agent says what no agent says: \"hello\""},
        {{.reason = REASON_OK, .took_ns = 3 * MS}, &exec, "exit status 0 in 3 ms"},
        {{.reason = REASON_OK, .why = "lag 3 ms"}, &exec, "lag 3 ms"},
        {{.reason = REASON_EXIT, .number = 2, .why = "no such table"},
         &exec,
         "exit status 2: no such table"},
        {{.reason = REASON_EXIT, .number = 1, .why = ""}, &exec, "exit status 1"},
        {{.reason = REASON_SIGNAL, .number = 11}, &exec, "the program was ended by SIGSEGV"},
        {{.reason = REASON_NOT_STARTED, .number = 2},
         &exec,
         "not checked: the program cannot be executed: No such file or directory"},
        {{.reason = REASON_BUSY}, &exec, "not checked: too many programs run"},
        {{.reason = REASON_NO_WORKER}, &exec, "not checked: worker does not answer"},
        {{.reason = REASON_TLS, .why = "certificate has expired"},
         &http,
         "no TLS: certificate has expired"},
        {{.reason = REASON_UNRESOLVED, .why = "no such name"},
         &tcp,
         "name not resolved: no such name"},
        {{.reason = REASON_NO_RESOURCE}, &tcp, "not checked: no descriptor, port or memory left"},
    };
    bool is_seen[N_REASONS] = {false};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[FACT_REASON_MAX];
        assert_string_equal(reason_format(&rows[i].result, rows[i].check, text), rows[i].sentence);
        is_seen[rows[i].result.reason] = true;
    }
    for (size_t i = 0; i < N_REASONS; i++)
        assert_true(is_seen[i]);
}

/* A check that could not be made says nothing of the member; all other failures are its own. */
static void test_verdicts(void **state)
{
    (void)state;
    for (enum check_reason reason = REASON_OK; reason < N_REASONS; reason++) {
        enum machine_verdict verdict = MACHINE_BAD;
        if (reason == REASON_OK)
            verdict = MACHINE_GOOD;
        else if (reason == REASON_NO_RESOURCE || reason == REASON_NOT_STARTED ||
                 reason == REASON_BUSY || reason == REASON_NO_WORKER)
            verdict = MACHINE_NOTHING;
        assert_int_equal(reason_verdict(reason), verdict);
    }
    for (enum web_outcome outcome = WEB_CALL_OK; outcome < WEB_N_OUTCOMES; outcome++)
        assert_int_equal(reason_of(outcome) == REASON_OK, outcome == WEB_CALL_OK);
}

/* Every word of the row is described once; failures carry the names of the table of reasons. */
static void test_metrics(void **state)
{
    (void)state;
    bool is_seen[CHECK_WORDS] = {false};
    for (const struct metric_def *def = check_metrics.defs; def->name; def++) {
        uint32_t n = def->type == METRIC_HISTOGRAM ? METRIC_HIST_WORDS : 1;
        for (uint32_t i = 0; i < n; i++) {
            assert_false(is_seen[def->word + i]);
            is_seen[def->word + i] = true;
        }
        if (def->label)
            assert_string_equal(def->label_value, reason_name((enum check_reason)(
                                                      def->word - (uint32_t)CHECK_FAILURES + 1)));
    }
    for (size_t i = 0; i < CHECK_WORDS; i++)
        assert_true(is_seen[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
