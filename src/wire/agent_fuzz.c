/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as what an agent says: whole or in parts, it is the same, and within its bounds.
 */

#include "wire/agent.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct agent_says *says)
{
    assert(says->share >= AGENT_NO_SHARE && says->share <= 100);
    assert(strlen(says->text) < AGENT_TEXT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    struct agent_says whole, part;
    int result = agent_parse(bytes, true, &whole);
    check(&whole);
    assert(result <= (int)size);
    for (size_t n = 0; n <= size && n <= AGENT_LINE_MAX + 2; n++) {
        int early = agent_parse(slice_make(bytes.ptr, n), false, &part);
        check(&part);
        if (early == 0)
            continue;
        assert(early == result);
        assert(strcmp(part.text, whole.text) == 0);
        break;
    }
    return 0;
}
