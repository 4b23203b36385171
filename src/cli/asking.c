/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A command on the queue: its arguments, its connection, and what it says when that answers no.
 */

#include "cli/asking.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "wire/jobproto.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int asking_failed(struct asking *asking)
{
    fprintf(stderr, "weir %s: %s\n", asking->name, asking->err.text);
    return EXIT_FAILURE;
}

int asking_refused(struct asking *asking)
{
    const struct {
        const char *word, *sentence;
    } rows[] = {
        {"NOT_FOUND", asking->not_found},
        {"OUT_OF_MEMORY",
         "a limit, or the disk, has no room for it: `weir explain queue` says which"},
        {"INTERNAL_ERROR", "the queue's log has failed: see the log of weir"},
        {"JOB_TOO_BIG", "its body is larger than `limits job` of the first `jobs` (65535 bytes, "
                        "where the file does not say)"},
        {"DRAINING", "the queue takes no new jobs"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (queue_link_is(&asking->link, rows[i].word))
            err_set(&asking->err, "%s", rows[i].sentence);
    if (!asking->err.text[0])
        err_set(&asking->err, "the queue answers %s", text_cstr(&asking->link.line));
    return asking_failed(asking);
}

int asking_for(struct asking *asking, const char *good, struct slice body, const char *format, ...)
{
    struct text command = TEXT_NONE;
    va_list args;
    va_start(args, format);
    text_vprintf(&command, format, args);
    va_end(args);
    int result = queue_link_ask(&asking->link, text_cstr(&command), body, &asking->err);
    text_deinit(&command);
    if (result < 0)
        return asking_failed(asking);
    return queue_link_is(&asking->link, good) ? 0 : asking_refused(asking);
}

void asking_expect(struct asking *asking, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(asking->not_found, sizeof(asking->not_found), format, args);
    va_end(args);
}

void asking_expect_queue(struct asking *asking, const char *name)
{
    asking_expect(asking, "there is no queue %.100s", name);
}

void asking_expect_job(struct asking *asking, uint64_t id)
{
    asking_expect(asking, "there is no job %" PRIu64 ": it is done, deleted, or never was", id);
}

int asking_figures(struct asking *asking, const char *name)
{
    asking_expect_queue(asking, name);
    return asking_for(asking, "OK", ASKING_NO_BODY, "stats-tube %s", name);
}

int asking_job(struct asking *asking, uint64_t id)
{
    asking_expect_job(asking, id);
    return asking_for(asking, "OK", ASKING_NO_BODY, "stats-job %" PRIu64, id);
}

struct slice asking_value(const struct asking *asking, const char *name)
{
    struct slice document = text_slice(&asking->link.body);
    struct text wanted = TEXT_NONE;
    text_printf(&wanted, "\n%s: ", name);
    const char *at = memmem(document.ptr, document.len, wanted.ptr, wanted.len);
    size_t len = wanted.len;
    text_deinit(&wanted);
    if (!at)
        return SLICE("");
    struct slice rest = slice_skip(document, (size_t)(at - document.ptr) + len);
    struct slice value = slice_cut(&rest, '\n');
    if (value.len >= 2 && value.ptr[0] == '"')
        value = slice_make(value.ptr + 1, value.len - 2);
    return value;
}

int asking_run(const struct command_env *env, int argc, char **argv, unsigned known, int n_min,
               int n_max, int (*work)(struct asking *asking))
{
    struct asking asking = {.env = env, .name = argv[0], .err = ERR_NONE};
    int result = remote_arguments(env, argc, argv, known, n_min, n_max, &asking.options);
    if (result != 0)
        return result;
    if (queue_link_open(&asking.link, asking.options.state_dir, &asking.err) < 0) {
        result = asking_failed(&asking);
    } else {
        result = work(&asking);
        queue_link_close(&asking.link);
    }
    remote_options_deinit(&asking.options);
    return result;
}

int asking_check_queue(struct asking *asking, const char *name)
{
    if (jobproto_is_tube(slice_from(name)))
        return 0;
    return cli_wrong(asking->env, asking->name, "no name of a queue: ", name);
}

int asking_use(struct asking *asking, const char *name)
{
    return asking_for(asking, "USING", ASKING_NO_BODY, "use %s", name);
}
