/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as what a netlink socket brings: reading comes to an end, within the bytes, and what it
 * finds is what it says it is.
 */

#include "net/rtnl_message.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct rtnl_notice *notice)
{
    switch (notice->kind) {
    case RTNL_LINK:
    case RTNL_LINK_GONE:
        assert(memchr(notice->link.name, 0, sizeof(notice->link.name)));
        assert(memchr(notice->link.kind, 0, sizeof(notice->link.kind)));
        assert(memchr(notice->link.alias, 0, sizeof(notice->link.alias)));
        assert(notice->link.arp_ignore >= -1 && notice->link.arp_announce >= -1);
        assert(notice->link.is_enabled || !notice->link.is_up);
        return;
    case RTNL_ADDRESS:
    case RTNL_ADDRESS_GONE:
        assert(notice->address.ip.n_bytes == 4 || notice->address.ip.n_bytes == 16);
        return;
    case RTNL_ANSWER:
    case RTNL_DONE:
        assert(memchr(notice->text, 0, sizeof(notice->text)));
        assert(notice->error >= 0);
        return;
    case RTNL_OTHER:
        return;
    case RTNL_OVERRUN:
    default:
        assert(false);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mem_alloc(size);
    if (size)
        memcpy(copy, data, size);
    struct slice rest = slice_make(copy, size);
    struct rtnl_notice notice;
    size_t before = rest.len;
    int result = 0;
    while ((result = rtnl_notice_read(&rest, &notice)) > 0) {
        assert(rest.len < before);
        before = rest.len;
        check(&notice);
    }
    assert(result < 0 || rest.len == 0);
    mem_free(copy);
    return 0;
}
