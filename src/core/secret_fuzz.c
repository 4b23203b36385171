/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a secret file: what is accepted lies within them, is long enough, and is the same
 * when it is written out again by itself.
 */

#include "base/mem.h"
#include "core/secret.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_so)
{
    if (!is_so)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Bytes of their own, so that a read behind them is seen. */
    char *copy = slice_dup(slice_make((const char *)data, size));
    struct secrets secrets, alone;
    struct err err = ERR_NONE;
    if (secrets_parse(slice_make(copy, size), &secrets, &err) < 0) {
        require(err.text[0] != '\0');
        mem_free(copy);
        return 0;
    }
    require(secrets.n_items >= 1 && secrets.n_items <= SECRETS_MAX);
    for (size_t i = 0; i < secrets.n_items; i++) {
        struct slice item = secrets.items[i];
        require(item.ptr >= copy && item.ptr + item.len <= copy + size);
        require(item.len >= SECRET_TEXT_MIN && item.len <= SECRET_LINE_MAX);
        require(secrets_parse(item, &alone, &err) == 0);
        require(alone.n_items == 1 && slice_equal(alone.items[0], item));
    }
    mem_free(copy);
    return 0;
}
