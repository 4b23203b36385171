/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever addr_parse() takes is formatted and parsed again to the same address; the same for
 * addresses without port and for networks. Whatever is refused is refused with a sentence.
 */
#include "base/addr.h"
#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const struct err *err)
{
    size_t len = strlen(err->text);
    assert(len > 0 && len < ERR_TEXT_MAX);
    for (size_t i = 0; i < len; i++)
        assert((unsigned char)err->text[i] >= 0x20 && err->text[i] != 0x7f);
}

static void check_addr(struct slice input)
{
    struct addr addr, again;
    struct err err = ERR_NONE;
    char text[ADDR_TEXT_MAX], text_again[ADDR_TEXT_MAX];
    if (addr_parse(input, &addr, &err) < 0) {
        check_refusal(&err);
        return;
    }
    assert(addr_parse(slice_from(addr_format(&addr, text)), &again, NULL) == 0);
    assert(addr_equal(&addr, &again) && addr.len == again.len);
    assert(strcmp(addr_format(&again, text_again), text) == 0);
    assert(addr_family(&addr) == AF_UNIX ? addr_port(&addr) == 0 : addr_port(&addr) > 0);
}

static void check_ip(struct slice input)
{
    struct addr addr, again;
    struct err err = ERR_NONE;
    char text[ADDR_TEXT_MAX];
    if (addr_parse_ip(input, 7, &addr, &err) < 0) {
        check_refusal(&err);
        return;
    }
    assert(addr_parse_ip(slice_from(addr_format_ip(&addr, text)), 7, &again, NULL) == 0);
    assert(addr_equal(&addr, &again));
}

static void check_net(struct slice input)
{
    struct addr_net net;
    struct err err = ERR_NONE;
    if (addr_net_parse(input, &net, &err) < 0) {
        check_refusal(&err);
        return;
    }
    assert(net.n_bits <= (addr_family(&net.base) == AF_INET ? 32 : 128));
    assert(addr_net_has(&net, &net.base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    check_addr(input);
    check_ip(input);
    check_net(input);
    return 0;
}
