/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir jobs show: what is known of a job, what comes next for it, and its body or its result.
 */

#include "cli/job_show.h"

#include "cli/cli.h"
#include "cli/remote.h"
#include "cli/table.h"

#include "base/mem.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is known --------------------------------------------------------------------------- */

enum kind { PLAIN, SECONDS, TIME };

/* How a value is said once more, for people. */
static enum kind kind_of(struct slice key)
{
    static const struct {
        const char *key;
        enum kind kind;
    } rows[] = {{"age", SECONDS},  {"ttr", SECONDS},     {"time-left", SECONDS}, {"keep", SECONDS},
                {"created", TIME}, {"not-before", TIME}, {"expires", TIME}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (slice_is(key, rows[i].key))
            return rows[i].kind;
    return PLAIN;
}

/* "created: 1795795200   2026-11-27T16:00:00Z" */
static void tell_fact(struct slice line, struct text *out)
{
    struct slice value = line;
    enum kind kind = kind_of(slice_cut(&value, ':'));
    uint64_t number = 0;
    char age[24];
    table_harmless(out, line);
    if (kind != PLAIN && value.len > 1 && slice_to_u64(slice_skip(value, 1), &number) == 0) {
        text_append(out, SLICE("   "));
        if (kind == TIME)
            text_rfc3339(out, number);
        else
            text_append(out, slice_from(remote_age((double)number, age)));
    }
    text_append_char(out, '\n');
}

static uint64_t number_of(const struct asking *asking, const char *key)
{
    uint64_t number = 0;
    (void)slice_to_u64(asking_value(asking, key), &number);
    return number;
}

/* What becomes of it, and what an operator may do. */
static void tell_next(const struct asking *asking, uint64_t id, struct text *out)
{
    struct slice state = asking_value(asking, "state"), queue = asking_value(asking, "tube");
    char left[24];
    (void)remote_age((double)number_of(asking, "time-left"), left);
    text_append(out, SLICE("next: "));
    if (slice_is(state, "ready"))
        text_printf(out, "`weir explain queue %.*s` says who takes it, or what holds it up\n",
                    SLICE_ARG(queue));
    else if (slice_is(state, "delayed"))
        text_printf(out, "it is ready in %s\n", left);
    else if (slice_is(state, "reserved"))
        text_printf(out,
                    "its worker has another %s; `weir delete %" PRIu64 " --now` takes it away\n",
                    left, id);
    else if (slice_is(state, "buried"))
        text_printf(out, "nothing, until `weir kick %" PRIu64 "` or `weir delete %" PRIu64 "`\n",
                    id, id);
    else
        text_printf(out, "its result is forgotten in %s\n", left);
}

static void tell_job(const struct asking *asking, uint64_t id)
{
    struct slice rest = text_slice(&asking->link.body);
    struct text out = TEXT_NONE;
    while (rest.len > 0)
        tell_fact(slice_cut(&rest, '\n'), &out);
    tell_next(asking, id, &out);
    fwrite(text_cstr(&out), 1, out.len, stderr);
    text_deinit(&out);
}

/* ---- all of it ------------------------------------------------------------------------------- */

int job_show(struct asking *asking, uint64_t id, const char *part)
{
    if (part && strcmp(part, "body") != 0 && strcmp(part, "result") != 0)
        return cli_wrong(asking->env, asking->name, "no part of a job: ", part);
    asking_expect_job(asking, id);
    int result = asking_for(asking, "OK", ASKING_NO_BODY, "show-job %" PRIu64, id);
    if (result != 0)
        return result;
    bool is_done = slice_is(asking_value(asking, "state"), "done");
    bool is_result = part ? strcmp(part, "result") == 0 : is_done;
    bool has_result = is_done || number_of(asking, "result-bytes") > 0;
    tell_job(asking, id);
    if (is_result && !has_result)
        err_set(&asking->err, "job %" PRIu64 " has no result", id);
    else if (!is_result && is_done)
        err_set(&asking->err, "job %" PRIu64 " is done, and its body is not kept", id);
    if (asking->err.text[0])
        return asking_failed(asking);
    result = asking_for(asking, "FOUND", ASKING_NO_BODY, "%s %" PRIu64,
                        is_result ? "result" : "peek", id);
    if (result == 0)
        fwrite(text_cstr(&asking->link.body), 1, asking->link.body.len, stdout);
    if (result == 0 && !is_result && has_result)
        fprintf(stderr, "the answer that it failed with: `weir jobs show %" PRIu64 " result`\n",
                id);
    return result;
}
