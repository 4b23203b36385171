/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a record of the queue's log: what is read writes the same bytes again, and a model
 * takes it, twice, or says why not.
 */

#include "queue/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice bytes)
{
    struct job_record record;
    struct text out = TEXT_NONE;
    if (job_record_read(bytes, &record) < 0)
        return;
    job_record_write(&record, &out);
    assert(slice_equal(text_slice(&out), bytes));
    text_deinit(&out);
    const struct model_limits limits = {1000, 1 << 20, 10, 10};
    struct model *model = model_create(&limits, 1);
    for (uint64_t place = 1; place <= 2; place++) {
        int result = model_replay(model, &record, place);
        assert(result == 0);
        model_tick(model, (struct model_now){.wall_ms = 1700000000000});
    }
    model_destroy(&model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    assert(copy);
    memcpy(copy, data, size);
    check(slice_make(copy, size));
    free(copy);
    return 0;
}
