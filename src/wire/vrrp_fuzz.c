/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as an advertisement: what is read lies in the payload, and written again it is the same
 * packet. The first byte says the family, and whether the checksum is put right first (few inputs
 * would come behind it otherwise); then TTL, source, target, payload.
 */

#include "wire/ip_sum.h"
#include "wire/vrrp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IS_IPV6 = 1, IS_MENDED = 2, CHECKSUM_AT = 6 };

/* The checksum of the message alone, over what the count says as far as it is there. */
static void mend(uint8_t *payload, size_t len)
{
    size_t whole = VRRP_HEAD_BYTES + payload[3] * 4U + (payload[0] >> 4 == 2 ? 8 : 0);
    payload[CHECKSUM_AT] = payload[CHECKSUM_AT + 1] = 0;
    uint16_t sum = ip_sum_end(ip_sum(0, payload, whole < len ? whole : len));
    payload[CHECKSUM_AT] = (uint8_t)(sum >> 8);
    payload[CHECKSUM_AT + 1] = (uint8_t)sum;
}

static void check_again(const struct vrrp_advert *advert, const struct vrrp_carrier *carrier,
                        const uint8_t *payload, size_t len)
{
    uint8_t again[VRRP_PACKET_MAX_BYTES];
    struct vrrp_advert second;
    int n = vrrp_write(advert, carrier, again, sizeof(again));
    assert(n > 0 && (size_t)n <= len);
    assert(memcmp(again, payload, 4) == 0);
    assert(memcmp(again + VRRP_HEAD_BYTES, payload + VRRP_HEAD_BYTES, advert->addresses.len) == 0);
    assert(vrrp_parse(slice_make((char *)again, (size_t)n), carrier, &second) == VRRP_FINE);
    assert(second.interval_cs == advert->interval_cs && second.priority == advert->priority);
    assert(vrrp_write(advert, carrier, again, (size_t)n - 1) == -1);
}

static void check_payload(const struct vrrp_carrier *carrier, const uint8_t *payload, size_t len)
{
    struct vrrp_advert advert;
    struct vrrp_expect expect = {.version = 3,
                                 .vrid = 7,
                                 .ttl_min = VRRP_TTL,
                                 .interval_cs = 100,
                                 .addresses = SLICE("abcd")};
    unsigned oddities;
    enum vrrp_refusal refusal =
        vrrp_parse(slice_make((const char *)payload, len), carrier, &advert);
    assert(strlen(vrrp_refusal_name(refusal)) > 0);
    if (refusal)
        return;
    const uint8_t *addresses = (const uint8_t *)advert.addresses.ptr;
    assert(addresses == payload + VRRP_HEAD_BYTES && advert.vrid > 0 && advert.interval_cs > 0);
    assert(advert.addresses.len > 0 && VRRP_HEAD_BYTES + advert.addresses.len <= len);
    assert(vrrp_advert_address(&advert, 0).n_bytes == carrier->source.n_bytes);
    if (vrrp_accept(&expect, carrier, &advert, &oddities) == VRRP_FINE)
        assert(advert.vrid == 7 && advert.version == 3 && oddities < 8);
    check_again(&advert, carrier, payload, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vrrp_carrier carrier;
    struct slice inner;
    if (vrrp_carrier_read(slice_make((const char *)data, size), &carrier, &inner) == VRRP_FINE)
        check_payload(&carrier, (const uint8_t *)inner.ptr, inner.len);
    size_t ip_bytes = size > 0 && data[0] & IS_IPV6 ? 16 : 4;
    if (size < 2 + 2 * ip_bytes)
        return 0;
    carrier = (struct vrrp_carrier){.ttl = data[1],
                                    .source = vrrp_ip_make(data + 2, ip_bytes),
                                    .target = vrrp_ip_make(data + 2 + ip_bytes, ip_bytes)};
    size_t len = size - 2 - 2 * ip_bytes;
    uint8_t *payload = malloc(len + (len == 0)); /* so that one byte too far is noticed */
    if (!payload)
        abort();
    memcpy(payload, data + 2 + 2 * ip_bytes, len);
    if (data[0] & IS_MENDED && len >= VRRP_HEAD_BYTES)
        mend(payload, len);
    check_payload(&carrier, payload, len);
    free(payload);
    return 0;
}
