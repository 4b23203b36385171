/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as what a program says: what is read is what it can mean, and any bytes as a job make
 * one line.
 */

#include "wire/jobline.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_read(struct slice bytes)
{
    struct jobline line;
    struct err err = ERR_NONE;
    if (jobline_read(bytes, &line, &err) < 0) {
        assert(err.text[0] != '\0');
        return;
    }
    assert((line.kind == JOBLINE_READY) == (line.id == 0));
    assert(line.percent <= 100);
    assert(line.outcome >= 0 && line.outcome < JOBLINE_N_OUTCOMES);
    assert(line.bytes.len <= bytes.len);
    assert(line.kind != JOBLINE_READY || line.bytes.len == 0);
    jobline_deinit(&line);
}

static void check_written(struct slice bytes)
{
    const struct jobline_job job = {.id = 1, .attempt = 1, .queue = SLICE("q"), .body = bytes};
    struct text out = TEXT_NONE;
    jobline_write(&job, &out);
    assert(slice_find(text_slice(&out), '\n') == out.len - 1);
    text_clear(&out);
    jobline_write(&(struct jobline_job){.id = 1, .queue = bytes, .body = bytes, .is_text = true},
                  &out);
    assert(slice_find(text_slice(&out), '\n') == out.len - 1);
    text_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    check_read(bytes);
    check_written(bytes);
    return 0;
}
