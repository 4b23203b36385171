/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A query up to a NUL, and a batch behind it: what is taken is within its bounds, what is refused
 * has a sentence and leaves nothing behind.
 */

#include "queue/api_batch.h"
#include "queue/api_word.h"
#include "wire/jobproto.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 16, JOB_BYTES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_put(const struct api_put *put)
{
    assert(put->ttr_s > 0 && put->attempts <= UINT16_MAX && put->key.len <= JOBPROTO_KEY_MAX);
    assert(put->not_before_ms % 1000 == 0);
    for (size_t i = 0; i < put->key.len; i++)
        assert(put->key.ptr[i] > ' ' && put->key.ptr[i] <= '~');
}

static void check_query(struct slice query)
{
    struct api_put put = API_PUT_NONE;
    struct text room = TEXT_NONE;
    struct err err = ERR_NONE;
    if (api_query_read(query, api_put_words, &put, &room, &err) == 0)
        check_put(&put);
    else
        assert(err.text[0] != '\0');
    text_deinit(&room);
}

static void check_batch(struct slice bytes)
{
    struct api_batch batch;
    struct err err = ERR_NONE;
    if (api_batch_read(bytes, JOBS_MAX, JOB_BYTES, &batch, &err) < 0) {
        assert(err.text[0] != '\0' && batch.n_items == 0 && !batch.root);
        return;
    }
    assert(batch.n_items > 0 && batch.n_items <= JOBS_MAX);
    uint8_t sum = 0;
    for (uint32_t i = 0; i < batch.n_items; i++) {
        const struct api_item *item = &batch.items[i];
        assert(item->body.ptr && item->body.len <= JOB_BYTES);
        check_put(&item->put);
        for (size_t k = 0; k < item->body.len; k++)
            sum ^= (uint8_t)item->body.ptr[k]; /* all of it is there */
    }
    volatile uint8_t read = sum;
    (void)read;
    api_batch_deinit(&batch);
}

/* Where the analyser sees what is read beyond the end. */
static void check_copy(struct slice bytes, void (*check)(struct slice bytes))
{
    char *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    assert(copy);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    check(slice_make(copy, bytes.len));
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice batch = slice_make((const char *)data, size);
    struct slice query = slice_cut(&batch, '\0');
    check_copy(query, check_query);
    check_copy(batch.ptr ? batch : query, check_batch);
    return 0;
}
