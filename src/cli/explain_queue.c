/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir explain queue: sentences and tables.
 */
#include "cli/explain_queue.h"

#include "base/mem.h"
#include "cli/remote.h"
#include <inttypes.h>

static void cell(struct table *table, enum table_look look, const char *value)
{
    table_cell(table, look, slice_from(value));
}

static const char *or_else(const char *value, const char *otherwise)
{
    return value[0] ? value : otherwise;
}

static void tell_words(const json_t *words, const struct table_style *style, struct text *out)
{
    static const struct table_column columns[] = {
        {"WORD", false}, {"VALUE", false}, {"FROM", false}};
    struct table table;
    const json_t *word;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(words, i, word)
    {
        cell(&table, TABLE_PLAIN, remote_text(word, "word"));
        cell(&table, TABLE_PLAIN, or_else(remote_text(word, "value"), "none"));
        cell(&table, TABLE_PLAIN, or_else(remote_text(word, "at"), "the default"));
    }
    table_print(&table, style, out);
    table_deinit(&table);
}

static void tell_title(const char *kind, const char *name, const struct table_style *style,
                       struct text *out)
{
    text_printf(out, "%s ", kind);
    table_paint(style, TABLE_HEAD, slice_from(name), out);
}

/* "  a put now: yes, a body of up to 65535 bytes" */
static void tell_reason(const json_t *queue, const char *what, const char *does, const char *why,
                        const struct table_style *style, struct text *out)
{
    bool is_yes = json_is_true(json_object_get(queue, does));
    text_printf(out, "  %s: ", what);
    table_paint(style, is_yes ? TABLE_GOOD : TABLE_PART, is_yes ? SLICE("yes") : SLICE("no"), out);
    text_printf(out, ", %s\n", remote_text(queue, why));
}

/* "  buried first: job 7, permanent: no such user; `weir jobs mail buried` shows them" */
static void tell_first(const json_t *queue, const char *key, const char *state, const char *hint,
                       struct text *out)
{
    const json_t *job = json_object_get(queue, key);
    const char *name = remote_text(queue, "queue");
    const char *error = job ? remote_text(job, "error") : "";
    if (!job || (!error[0] && !hint))
        return; /* what is delayed and never failed only waits for its time */
    text_printf(out, "  %s first: job %" PRIu64, state, remote_count(job, "id"));
    if (error[0])
        text_printf(out, ", %s", error);
    if (remote_text(job, "text")[0])
        text_append(out, SLICE(": "));
    table_harmless(out, slice_from(remote_text(job, "text")));
    text_printf(out, "; `weir jobs %s %s` shows all", name, state);
    if (hint)
        text_printf(out, ", `%s %s` has them done", hint, name);
    text_append_char(out, '\n');
}

static void tell_async(const json_t *async, const struct table_style *style, struct text *out)
{
    if (!async)
        return;
    tell_reason(async, "a request of an asynchronous route now is taken", "accepts", "answer",
                style, out);
    text_printf(out, "  %s\n", remote_text(async, "held"));
}

static void tell_state(const json_t *queue, const struct table_style *style, struct text *out)
{
    if (!json_object_get(queue, "takes"))
        return;
    if (json_is_true(json_object_get(queue, "is_there")))
        text_printf(out,
                    "  %" PRIu64 " ready, %" PRIu64 " delayed, %" PRIu64 " reserved, %" PRIu64
                    " buried\n",
                    remote_count(queue, "ready"), remote_count(queue, "delayed"),
                    remote_count(queue, "reserved"), remote_count(queue, "buried"));
    else
        text_append(out, SLICE("  it is not there: the first client that names it makes it\n"));
    tell_reason(queue, "a put now is taken", "takes", "put", style, out);
    tell_reason(queue, "a worker that asks now gets a job", "gives", "reserve", style, out);
    if (json_object_get(queue, "deliver"))
        tell_reason(json_object_get(queue, "deliver"), "the next delivery goes out now", "goes",
                    "why", style, out);
    tell_async(json_object_get(queue, "async"), style, out);
    tell_first(queue, "first_delayed", "delayed", NULL, out);
    tell_first(queue, "first_buried", "buried", "weir kick", out);
}

static void tell_queue(const json_t *queue, const struct table_style *style, struct text *out)
{
    const char *at = remote_text(queue, "at");
    tell_title("queue", remote_text(queue, "queue"), style, out);
    if (at[0])
        text_printf(out, " at %s", at);
    text_append_char(out, '\n');
    tell_state(queue, style, out);
    if (at[0])
        tell_words(json_object_get(queue, "words"), style, out);
    else
        text_append(out, SLICE("  no `queue` of the file names it: what is lost is ready again at "
                               "once, and for ever\n"));
}

/* "yes", "no", or nothing where nobody knows. */
static void cell_answer(struct table *table, const json_t *queue, const char *does)
{
    const json_t *answer = json_object_get(queue, does);
    if (!answer)
        cell(table, TABLE_PLAIN, "");
    else if (json_is_true(answer))
        cell(table, TABLE_GOOD, "yes");
    else
        cell(table, TABLE_PART, "no");
}

static void tell_rows(const json_t *queues, const struct table_style *style, struct text *out)
{
    static const struct table_column columns[] = {{"QUEUE", false}, {"FROM", false},
                                                  {"TAKES", false}, {"", false},
                                                  {"GIVES", false}, {"", false}};
    struct table table;
    const json_t *queue;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(queues, i, queue)
    {
        cell(&table, TABLE_PLAIN, remote_text(queue, "queue"));
        cell(&table, TABLE_PLAIN, or_else(remote_text(queue, "at"), "its clients"));
        cell_answer(&table, queue, "takes");
        cell(&table, TABLE_PLAIN, remote_text(queue, "put"));
        cell_answer(&table, queue, "gives");
        cell(&table, TABLE_PLAIN, remote_text(queue, "reserve"));
    }
    table_print(&table, style, out);
    table_deinit(&table);
}

static void tell_listener(const json_t *listener, const struct table_style *style, struct text *out)
{
    const char *state = remote_text(listener, "state");
    text_append_char(out, '\n');
    tell_title("jobs", remote_text(listener, "jobs"), style, out);
    text_printf(out, " at %s", remote_text(listener, "at"));
    if (state[0])
        text_printf(out, ": %s, %s", state, remote_text(listener, "reason"));
    if (json_object_get(listener, "connections"))
        text_printf(out, ", connections: %" PRIu64, remote_count(listener, "connections"));
    text_append_char(out, '\n');
    tell_words(json_object_get(listener, "words"), style, out);
}

void explain_queue_tell(const json_t *answer, const struct table_style *style, struct text *out)
{
    const json_t *queues = json_object_get(answer, "queues"), *listener;
    const json_t *listeners = json_object_get(answer, "listeners");
    uint64_t n = json_array_size(queues), n_all = remote_count(answer, "queues_total");
    size_t i;
    if (listeners)
        tell_rows(queues, style, out);
    else
        tell_queue(json_array_get(queues, 0), style, out);
    if (n < n_all)
        text_printf(out, "  and %" PRIu64 " more: `weir explain queue NAME`\n", n_all - n);
    json_array_foreach(listeners, i, listener) tell_listener(listener, style, out);
    text_append(out, SLICE("\nwhat all queues share\n"));
    tell_words(json_object_get(answer, "words"), style, out);
}
