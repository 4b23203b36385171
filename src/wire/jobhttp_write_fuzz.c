/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any request as a job: what is stored is read as the same request, no line of it is another's, and
 * what was not to be stored is not there.
 */

#include "wire/jobhttp.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Is there a line that begins so? */
static bool has_line(struct slice lines, struct slice name)
{
    while (lines.len > name.len) {
        if (slice_equal_nocase(slice_make(lines.ptr, name.len), name))
            return true;
        lines = slice_skip(lines, slice_find(lines, '\n') + 1);
    }
    return false;
}

static void check_stored(struct slice job, const struct h1_head *head, struct slice message,
                         bool has_credentials)
{
    struct text lines = TEXT_NONE;
    struct jobhttp_request request;
    const char *why = NULL;
    int result = jobhttp_read(job, true, &request, &lines, &why);
    assert(result == 1);
    assert(slice_equal(request.method, h1_slice(message.ptr, head->method_text)));
    assert(slice_equal(request.host, h1_slice(message.ptr, head->authority)));
    assert(slice_equal(request.body, slice_skip(message, head->head_len)));
    if (head->form == H1_FORM_ORIGIN)
        assert(slice_equal(request.target, h1_slice(message.ptr, head->target)));
    if (!has_credentials) {
        assert(!has_line(text_slice(&lines), SLICE("authorization:")));
        assert(!has_line(text_slice(&lines), SLICE("cookie:")));
    }
    assert(!has_line(text_slice(&lines), SLICE("proxy-authorization:")));
    assert(!has_line(text_slice(&lines), SLICE("weir-")));
    text_deinit(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *copy = mem_alloc(size);
    struct slice message = slice_make(copy, size - 1);
    struct h1_head *head = MEM_NEW(struct h1_head);
    enum h1_error error;
    memcpy(copy, data + 1, size - 1);
    ssize_t used = h1_parse_request(message.ptr, message.len, &h1_limits_default, head, &error);
    if (used > 0) {
        struct text job = TEXT_NONE;
        const struct jobhttp_store store = {.has_credentials = data[0] & 1,
                                            .lines = SLICE("Weir-Own: 1\r\n")};
        const char *why = NULL;
        int result = jobhttp_write_request(head, message.ptr, slice_skip(message, (size_t)used),
                                           &store, &job, &why);
        assert((result < 0) == (why != NULL) && (result < 0) == (job.len == 0));
        if (result == 0)
            check_stored(text_slice(&job), head, message, store.has_credentials);
        text_deinit(&job);
    }
    mem_free(head);
    mem_free(copy);
    return 0;
}
