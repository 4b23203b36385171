/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Advertisements as keepalived and the RFCs write them, each cut and changed at every byte.
 */

#include "wire/vrrp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define IP4(a, b, c, d)        \
    {                          \
        4,                     \
        {                      \
            (a), (b), (c), (d) \
        }                      \
    }
#define LINK_LOCAL(last)              \
    {                                 \
        16,                           \
        {                             \
            0xfe, 0x80, [15] = (last) \
        }                             \
    }
#define GROUP4 IP4(224, 0, 0, 18)
#define GROUP6                      \
    {                               \
        16,                         \
        {                           \
            0xff, 0x02, [15] = 0x12 \
        }                           \
    }

static const struct sample {
    const char *name;
    struct vrrp_ip source, target;
    struct slice bytes;
    size_t n_pads; /* at the end, which may be anything */
    uint8_t version, vrid, priority;
    uint16_t interval_cs;
    enum vrrp_checksum checksum;
    const char *addresses;
} samples[] = {
    {"with the pseudo header", IP4(10, 0, 0, 1), GROUP4,
     SLICE_INIT("\x31\x07\x96\x01\x00\x64\x11\xf8\xcb\x00\x71\x0a"), 0, 3, 7, 150, 100,
     VRRP_CHECKSUM_RFC5798, "\xcb\x00\x71\x0a"},
    {"the message alone", IP4(10, 0, 0, 1), GROUP4,
     SLICE_INIT("\x31\x07\x96\x01\x00\x64\xfc\x87\xcb\x00\x71\x0a"), 0, 3, 7, 150, 100,
     VRRP_CHECKSUM_RFC9568, "\xcb\x00\x71\x0a"},
    {"unicast with the group in its sum", IP4(10, 0, 0, 1), IP4(10, 0, 0, 2),
     SLICE_INIT("\x31\x07\x96\x02\x00\x64\xd5\xe6\xcb\x00\x71\x0a\xcb\x00\x71\x0b"), 0, 3, 7, 150,
     100, VRRP_CHECKSUM_GROUP, "\xcb\x00\x71\x0a\xcb\x00\x71\x0b"},
    {"IPv6", LINK_LOCAL(1), GROUP6,
     SLICE_INIT("\x31\x09\xfe\x02\x0f\xff\x96\x76"
                "\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"
                "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"),
     0, 3, 9, 254, 4095, VRRP_CHECKSUM_RFC5798,
     "\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"
     "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"},
    {"version 2", IP4(10, 0, 0, 1), GROUP4,
     SLICE_INIT("\x21\x07\x64\x01\x00\x01\x3e\xeb\xcb\x00\x71\x0a\0\0\0\0\0\0\0\0"), 0, 2, 7, 100,
     100, VRRP_CHECKSUM_RFC9568, "\xcb\x00\x71\x0a"},
    {"padded", IP4(10, 0, 0, 1), GROUP4,
     SLICE_INIT("\x31\x07\x96\x01\x00\x64\x11\xf8\xcb\x00\x71\x0apad"), 3, 3, 7, 150, 100,
     VRRP_CHECKSUM_RFC5798, "\xcb\x00\x71\x0a"},
};
enum { N_SAMPLES = sizeof(samples) / sizeof(samples[0]), SAMPLE_MAX = 64 };

static struct vrrp_carrier carrier_of(const struct sample *sample)
{
    return (struct vrrp_carrier){sample->source, sample->target, VRRP_TTL};
}

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct vrrp_carrier carrier = carrier_of(s);
        struct vrrp_advert advert;
        uint8_t again[SAMPLE_MAX];
        size_t len = s->bytes.len - s->n_pads;
        assert_int_equal(vrrp_parse(s->bytes, &carrier, &advert), VRRP_FINE);
        assert_int_equal(advert.version, s->version);
        assert_int_equal(advert.vrid, s->vrid);
        assert_int_equal(advert.priority, s->priority);
        assert_int_equal(advert.interval_cs, s->interval_cs);
        assert_int_equal(advert.checksum, s->checksum);
        assert_memory_equal(advert.addresses.ptr, s->addresses, advert.addresses.len);
        assert_int_equal(vrrp_write(&advert, &carrier, again, len - 1), -1);
        assert_int_equal(vrrp_write(&advert, &carrier, again, sizeof(again)), len);
        if (s->checksum != VRRP_CHECKSUM_GROUP)
            assert_memory_equal(again, s->bytes.ptr, len);
    }
}

/* Cut anywhere it is short; with any bit turned the checksum tells, or the head. */
static void test_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct vrrp_carrier carrier = carrier_of(s);
        struct vrrp_advert advert;
        size_t len = s->bytes.len - s->n_pads;
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(vrrp_parse(slice_make(s->bytes.ptr, cut), &carrier, &advert),
                             VRRP_REFUSED_SHORT);
        for (size_t bit = 0; bit < len * 8; bit++) {
            uint8_t bytes[SAMPLE_MAX];
            memcpy(bytes, s->bytes.ptr, s->bytes.len);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(
                vrrp_parse(slice_make((char *)bytes, s->bytes.len), &carrier, &advert), VRRP_FINE);
        }
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at; /* of the sample 0, or 1000 more: of the version 2 sample */
        uint8_t byte;
        enum vrrp_refusal refusal;
    } rows[] = {
        {0, 0x41, VRRP_REFUSED_VERSION},  {0, 0x11, VRRP_REFUSED_VERSION},
        {0, 0x32, VRRP_REFUSED_TYPE},     {1, 0, VRRP_REFUSED_VRID_ZERO},
        {3, 0, VRRP_REFUSED_COUNT},       {3, 2, VRRP_REFUSED_SHORT},
        {5, 0, VRRP_REFUSED_INTERVAL},    {6, 0, VRRP_REFUSED_CHECKSUM},
        {1004, 1, VRRP_REFUSED_AUTH},     {1005, 0, VRRP_REFUSED_INTERVAL},
        {1007, 0, VRRP_REFUSED_CHECKSUM}, {1012, 1, VRRP_REFUSED_CHECKSUM},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sample *s = rows[i].at >= 1000 ? &samples[4] : &samples[0];
        struct vrrp_carrier carrier = carrier_of(s);
        struct vrrp_advert advert;
        uint8_t bytes[SAMPLE_MAX];
        memcpy(bytes, s->bytes.ptr, s->bytes.len);
        bytes[rows[i].at % 1000] = rows[i].byte;
        assert_int_equal(vrrp_parse(slice_make((char *)bytes, s->bytes.len), &carrier, &advert),
                         rows[i].refusal);
    }
}

/* Version 2 is of IPv4 alone, and the first address over IPv6 is link-local. */
static void test_ipv6(void **state)
{
    (void)state;
    struct vrrp_carrier carrier = carrier_of(&samples[3]);
    struct vrrp_advert advert = {
        .version = 3, .vrid = 9, .priority = 1, .is_ipv6 = true, .interval_cs = 1};
    uint8_t addresses[32] = {0x20, 0x01, [16] = 0xfe, 0xbf};
    uint8_t bytes[SAMPLE_MAX];
    advert.addresses = slice_make((char *)addresses, 32);
    assert_int_equal(vrrp_write(&advert, &carrier, bytes, sizeof(bytes)), -1);
    advert.addresses = slice_make((char *)addresses + 16, 16);
    assert_int_equal(vrrp_write(&advert, &carrier, bytes, sizeof(bytes)), 24);
    assert_int_equal(vrrp_parse(slice_make((char *)bytes, 24), &carrier, &advert), VRRP_FINE);
    /* The kernel's sum takes a trailer along: 0xfe80 and fill are made up for by the checksum. */
    uint8_t trailed[32];
    memcpy(trailed, bytes, 24);
    memset(trailed + 24, 0, 8);
    unsigned sum =
        (unsigned)(trailed[6] << 8 | trailed[7]) - 8; /* eight more bytes in the pseudo header */
    trailed[6] = (uint8_t)(sum >> 8);
    trailed[7] = (uint8_t)sum;
    assert_int_equal(vrrp_parse(slice_make((char *)trailed, 32), &carrier, &advert), VRRP_FINE);
    assert_int_equal(vrrp_parse(slice_make((char *)trailed, 24), &carrier, &advert),
                     VRRP_REFUSED_CHECKSUM);

    bytes[0] = 0x21;
    assert_int_equal(vrrp_parse(slice_make((char *)bytes, 24), &carrier, &advert),
                     VRRP_REFUSED_VERSION);
    static const uint8_t global[24] = {0x31, 9, 1, 1, 0, 1, 0, 0, 0x20, 0x01};
    memcpy(bytes, global, sizeof(global));
    uint32_t wanted; /* the checksum, found by trying all */
    for (wanted = 0; wanted < 0x10000; wanted++) {
        bytes[6] = (uint8_t)(wanted >> 8);
        bytes[7] = (uint8_t)wanted;
        enum vrrp_refusal refusal = vrrp_parse(slice_make((char *)bytes, 24), &carrier, &advert);
        if (refusal != VRRP_REFUSED_CHECKSUM) {
            assert_int_equal(refusal, VRRP_REFUSED_LINK_LOCAL);
            break;
        }
    }
    assert_true(wanted < 0x10000);
}

static void test_unwritable(void **state)
{
    (void)state;
    struct vrrp_carrier carrier = carrier_of(&samples[0]);
    uint8_t bytes[VRRP_PACKET_MAX_BYTES];
    static const char many[256 * 4];
    const struct vrrp_advert good = {
        .version = 3, .vrid = 1, .interval_cs = 100, .addresses = SLICE("abcd")};
    struct vrrp_advert bad[] = {good, good, good, good, good, good, good, good, good};
    bad[0].version = 4;
    bad[1].vrid = 0;
    bad[2].interval_cs = 0;
    bad[3].interval_cs = VRRP_INTERVAL_MAX_CS + 1;
    bad[4].addresses.len = 3;
    bad[5].addresses.len = 0;
    bad[6].addresses = slice_make(many, sizeof(many));
    bad[7].version = 2;
    bad[7].interval_cs = 150;
    bad[8].version = 2;
    bad[8].interval_cs = 25600;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(vrrp_write(&bad[i], &carrier, bytes, sizeof(bytes)), -1);
    assert_int_equal(vrrp_write(&good, &carrier, bytes, sizeof(bytes)), 12);
    bad[6].addresses.len = 255 * 4;
    assert_int_equal(vrrp_write(&bad[6], &carrier, bytes, sizeof(bytes)), 8 + 255 * 4);
}

static const struct vrrp_ip neighbour = IP4(10, 0, 0, 1);

/* One thing changed each, in the packet, its carrier or what is expected. */
static const struct change {
    enum vrrp_refusal refusal;
    unsigned oddities;
    struct vrrp_ip source, target;
    uint8_t ttl, ttl_min, vrid, version, priority;
    bool is_unicast, is_owner, has_peers;
    uint16_t interval_cs;
    const char *addresses;
} changes[] = {
    {.refusal = VRRP_FINE},
    {.source = IP4(10, 0, 0, 9), .refusal = VRRP_REFUSED_ECHO},
    {.ttl = 254, .refusal = VRRP_REFUSED_TTL},
    {.ttl = 254, .ttl_min = 254, .refusal = VRRP_FINE},
    {.version = 2, .refusal = VRRP_REFUSED_OTHER_VERSION},
    {.vrid = 8, .refusal = VRRP_REFUSED_VRID},
    {.target = IP4(224, 0, 0, 1), .refusal = VRRP_REFUSED_CAST},
    {.target = IP4(10, 0, 0, 9), .refusal = VRRP_REFUSED_CAST},
    {.target = IP4(10, 0, 0, 9), .is_unicast = true, .refusal = VRRP_FINE},
    {.is_unicast = true, .refusal = VRRP_REFUSED_CAST},
    {.has_peers = true, .refusal = VRRP_FINE},
    {.has_peers = true, .source = IP4(10, 0, 0, 3), .refusal = VRRP_REFUSED_PEER},
    {.interval_cs = 200, .oddities = VRRP_ODD_INTERVAL},
    {.addresses = "ABCD", .oddities = VRRP_ODD_ADDRESSES},
    {.addresses = "abcdefgh", .oddities = 0},
    {.addresses = "efghabcd", .oddities = 0},
    {.addresses = "abcdabcd", .oddities = VRRP_ODD_ADDRESSES},
    {.addresses = "abcdefghijkl", .oddities = VRRP_ODD_ADDRESSES},
    {.is_owner = true, .oddities = 0},
    {.priority = 255, .oddities = 0},
    {.priority = 255, .is_owner = true, .oddities = VRRP_ODD_OWNER},
};

static void test_accept(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        const struct change *c = &changes[i];
        struct vrrp_expect expect = {.version = 3,
                                     .vrid = 7,
                                     .ttl_min = c->ttl_min ? c->ttl_min : VRRP_TTL,
                                     .interval_cs = 100,
                                     .is_unicast = c->is_unicast,
                                     .is_owner = c->is_owner,
                                     .source = IP4(10, 0, 0, 9),
                                     .peers = &neighbour,
                                     .n_peers = c->has_peers,
                                     .addresses = SLICE("abcdefgh")};
        struct vrrp_carrier carrier = {.source = c->source.n_bytes ? c->source : neighbour,
                                       .target = c->target.n_bytes ? c->target : vrrp_group(false),
                                       .ttl = c->ttl ? c->ttl : VRRP_TTL};
        struct vrrp_advert advert = {.version = c->version ? c->version : 3,
                                     .vrid = c->vrid ? c->vrid : 7,
                                     .priority = c->priority ? c->priority : 100,
                                     .interval_cs = c->interval_cs ? c->interval_cs : 100,
                                     .addresses =
                                         slice_from(c->addresses ? c->addresses : "abcdefgh")};
        unsigned oddities = 0;
        assert_int_equal(vrrp_accept(&expect, &carrier, &advert, &oddities), c->refusal);
        assert_int_equal(oddities, c->oddities);
    }
}

/* In version 2 all say the same interval, or are not heard. */
static void test_accept_v2(void **state)
{
    (void)state;
    struct vrrp_expect expect = {.version = 2,
                                 .vrid = 7,
                                 .ttl_min = VRRP_TTL,
                                 .interval_cs = 200,
                                 .source = IP4(10, 0, 0, 9),
                                 .addresses = SLICE("abcd")};
    struct vrrp_carrier carrier = {.source = neighbour, .target = GROUP4, .ttl = VRRP_TTL};
    struct vrrp_advert advert = {
        .version = 2, .vrid = 7, .interval_cs = 200, .addresses = SLICE("abcd")};
    unsigned oddities;
    assert_int_equal(vrrp_accept(&expect, &carrier, &advert, &oddities), VRRP_FINE);
    advert.interval_cs = 100;
    assert_int_equal(vrrp_accept(&expect, &carrier, &advert, &oddities),
                     VRRP_REFUSED_OTHER_INTERVAL);
}

static void test_carrier(void **state)
{
    (void)state;
    static const char whole[] = "\x46\xc0\x00\x1a\x12\x34\x00\x00\xff\x70\xab\xcd"
                                "\x0a\x00\x00\x01\xe0\x00\x00\x12optsPQ...padding";
    struct slice packet = slice_make(whole, sizeof(whole) - 1);
    struct vrrp_carrier carrier;
    struct slice payload;
    struct vrrp_ip group = vrrp_group(false);
    assert_int_equal(vrrp_carrier_read(packet, &carrier, &payload), VRRP_FINE);
    assert_int_equal(vrrp_ip_compare(&carrier.source, &neighbour), 0);
    assert_int_equal(vrrp_ip_compare(&carrier.target, &group), 0);
    assert_int_equal(carrier.ttl, 255);
    assert_true(slice_is(payload, "PQ"));
    for (size_t cut = 0; cut < 26; cut++)
        assert_int_equal(vrrp_carrier_read(slice_make(whole, cut), &carrier, &payload),
                         VRRP_REFUSED_IP);
    static const struct {
        size_t at;
        char byte;
        enum vrrp_refusal refusal;
    } rows[] = {
        {0, 0x64, VRRP_REFUSED_IP}, {0, 0x44, VRRP_REFUSED_IP},       {0, 0x4f, VRRP_REFUSED_IP},
        {3, 0x17, VRRP_REFUSED_IP}, {3, 0x7f, VRRP_REFUSED_IP},       {9, 0x11, VRRP_REFUSED_IP},
        {6, 0x40, VRRP_FINE},       {6, 0x20, VRRP_REFUSED_FRAGMENT}, {7, 1, VRRP_REFUSED_FRAGMENT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char bytes[sizeof(whole)];
        memcpy(bytes, whole, sizeof(whole));
        bytes[rows[i].at] = rows[i].byte;
        assert_int_equal(vrrp_carrier_read(slice_make(bytes, packet.len), &carrier, &payload),
                         rows[i].refusal);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < VRRP_REFUSALS; i++) {
        assert_non_null(vrrp_refusal_name((enum vrrp_refusal)i));
        assert_non_null(vrrp_refusal_text((enum vrrp_refusal)i));
        for (int other = 0; other < i; other++)
            assert_string_not_equal(vrrp_refusal_name((enum vrrp_refusal)i),
                                    vrrp_refusal_name((enum vrrp_refusal)other));
    }
}

static void test_addresses(void **state)
{
    (void)state;
    struct vrrp_ip low = IP4(10, 0, 0, 1), high = IP4(200, 0, 0, 1), six = LINK_LOCAL(1);
    assert_true(vrrp_ip_compare(&low, &high) < 0);
    assert_true(vrrp_ip_compare(&high, &low) > 0);
    assert_true(vrrp_ip_compare(&high, &six) < 0);
    assert_int_equal(vrrp_ip_compare(&six, &six), 0);
    assert_false(vrrp_ip_is_multicast(&low));
    assert_false(vrrp_ip_is_multicast(&six));
    struct vrrp_ip group4 = vrrp_group(false), group6 = vrrp_group(true), none = {0};
    assert_true(vrrp_ip_is_multicast(&group4));
    assert_true(vrrp_ip_is_multicast(&group6));
    assert_false(vrrp_ip_is_multicast(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),    cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_unwritable), cmocka_unit_test(test_accept),
        cmocka_unit_test(test_accept_v2),  cmocka_unit_test(test_carrier),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
