/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a heartbeat, signed so that they are looked at: what is read lies within them, and
 * written again it is the same.
 */

#include "wire/beat.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mac(void *key, struct slice data, uint8_t ret_mac[BEAT_MAC_BYTES])
{
    (void)key;
    (void)data;
    memset(ret_mac, 0, BEAT_MAC_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct beat_keys keys = {.n_items = 0};
    struct beat_writer in = {.len = 0}, out = {.len = 0};
    struct beat beat;
    struct beat_fact fact;
    beat_keys_add(&keys, mac, NULL);
    size_t len = size <= BEAT_BYTES_MAX - BEAT_MAC_BYTES ? size : BEAT_BYTES_MAX - BEAT_MAC_BYTES;
    if (len < 8)
        return 0;
    memcpy(in.bytes, data, len);
    in.len = len;
    len = beat_finish(&in, &keys);
    if (beat_read(slice_make((const char *)in.bytes, len), &keys, &beat) != BEAT_OK)
        return 0;
    beat_begin(&out, &beat);
    for (struct slice rest = beat.facts; beat_next_fact(&rest, &fact);)
        assert(beat_add_fact(&out, &fact));
    assert(beat_finish(&out, &keys) == len && memcmp(in.bytes, out.bytes, len) == 0);
    return 0;
}
