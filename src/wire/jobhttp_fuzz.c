/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a job that is a request: what is read of it makes one that is read as the same, and
 * none of its lines is another's.
 */

#include "wire/jobhttp.h"

#include <assert.h>

enum { LONG_BYTES = 8000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Written anew, with no field that is left out, it says the same. */
static void check_again(const struct jobhttp_request *request, const struct text *lines)
{
    struct text job = TEXT_NONE, again_lines = TEXT_NONE;
    struct jobhttp_request again;
    const char *why = NULL;
    text_printf(&job, JOBHTTP_REQUEST "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\n",
                SLICE_ARG(request->method), SLICE_ARG(request->target), SLICE_ARG(request->host));
    text_append(&job, text_slice(lines));
    text_append(&job, SLICE("\r\n"));
    text_append(&job, request->body);
    int result = jobhttp_read(text_slice(&job), true, &again, &again_lines, &why);
    if (result < 0 && job.len > LONG_BYTES) { /* a space more for each field may be too much */
        text_deinit(&job);
        return;
    }
    assert(result == 1);
    assert(slice_equal(again.method, request->method));
    assert(slice_equal(again.target, request->target));
    assert(slice_equal(again.host, request->host));
    assert(slice_equal(again.body, request->body));
    assert(again.has_key == request->has_key);
    assert(slice_equal(text_slice(&again_lines), text_slice(lines)));
    text_deinit(&job);
    text_deinit(&again_lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text job = TEXT_NONE, lines = TEXT_NONE;
    struct jobhttp_request request;
    const char *why = NULL;
    text_append(&job, SLICE(JOBHTTP_REQUEST));
    text_append(&job, slice_make((const char *)data, size));
    int result = jobhttp_read(text_slice(&job), true, &request, &lines, &why);
    assert(result == 1 || result == -1);
    assert((result < 0) == (why != NULL));
    if (result == 1)
        check_again(&request, &lines);
    text_deinit(&job);
    text_deinit(&lines);
    return 0;
}
