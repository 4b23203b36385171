/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Eight bytes of a time, a schedule up to a NUL, and the file of a zone: what is due next lies in
 * the future, and asking from the second before finds it again.
 */

#include "queue/cron.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice bytes, int64_t after_s)
{
    struct cron cron;
    struct tzif zone;
    struct err err = ERR_NONE;
    struct slice file = bytes;
    struct slice schedule = slice_cut(&file, '\0');
    bool has_zone = file.ptr && tzif_read(file, &zone) == 0;
    if (cron_parse(schedule, &cron, &err) < 0) {
        assert(err.text[0] != '\0');
        return;
    }
    int64_t due_s = cron_next_after(&cron, has_zone ? &zone : NULL, after_s);
    assert(due_s == -1 || due_s > after_s);
    if (due_s != -1 && due_s - 1 > after_s) {
        int64_t again_s = cron_next_after(&cron, has_zone ? &zone : NULL, due_s - 1);
        assert(again_s == due_s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t after_s;
    if (size < sizeof(after_s))
        return 0;
    memcpy(&after_s, data, sizeof(after_s));
    size -= sizeof(after_s);
    char *copy = malloc(size > 0 ? size : 1);
    assert(copy);
    memcpy(copy, data + sizeof(after_s), size);
    check(slice_make(copy, size), (int64_t)(after_s % (UINT64_C(1) << 33)));
    free(copy);
    return 0;
}
