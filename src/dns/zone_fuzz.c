/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a zone file; where they are a zone, each of its names, a name below it and one
 * beside it are asked for by each type that the zone has. Whatever is answered is a sound message
 * within its limit, whose names, where the short way copied them, are those that writing it record
 * by record gives.
 */
#include "base/text.h"
#include "dns/answer.h"
#include "dns/answer_compose.h"
#include "wire/dns_name.h"
#include "wire/dns_read.h"
#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMES_MAX = 64, LIMIT = 1232 };

static void show(struct slice message, struct text *out)
{
    struct dns_reader reader;
    struct dns_record record;
    int res;
    text_clear(out);
    assert(dns_reader_init(&reader, message) == 0);
    while ((res = dns_read_record(&reader, &record)) == 1) {
        uint8_t rdata[DNS_RDATA_MAX];
        assert(record.section == DNS_QUESTION || dns_read_rdata(message, &record, rdata) >= 0);
        text_printf(out, "%d ", (int)record.section);
        dns_record_show(message, &record, out);
        text_append_char(out, '\n');
    }
    assert(res == 0);
}

static size_t compose(const struct zone_set *set, const struct dns_query *query, uint8_t *out)
{
    struct answer_compose compose;
    memset(&compose, 0, sizeof(compose));
    compose.zones = set;
    dns_writer_init(&compose.out, out, LIMIT);
    dns_write_header(&compose.out, query->id, 0);
    dns_write_question(&compose.out, query->question);
    answer_compose(&compose, query);
    return compose.out.len;
}

static void ask(const struct zone_set *set, struct slice name, uint16_t type)
{
    uint8_t packet[DNS_HEADER_BYTES + DNS_QUESTION_MAX] = {0, 9, 1, 0, 0, 1}, out[LIMIT];
    struct text quick = TEXT_NONE, slow = TEXT_NONE;
    struct dns_query query;
    struct answer_facts facts;
    size_t len = DNS_HEADER_BYTES + name.len + 4;
    memcpy(packet + DNS_HEADER_BYTES, name.ptr, name.len);
    dns_put16(packet + len - 4, type);
    dns_put16(packet + len - 2, DNS_CLASS_IN);
    if (dns_query_parse(slice_make((const char *)packet, len), &query) != DNS_OK)
        return;
    const struct answer_view view = {set, NULL};
    const struct addr nobody = {.len = 0};
    const struct answer_ask how = {&query, &nobody, 1};
    size_t n = answer_write(&view, &how, out, LIMIT, &facts);
    assert(n <= LIMIT);
    show(slice_make((const char *)out, n), &quick);
    n = compose(set, &query, out);
    show(slice_make((const char *)out, n), &slow);
    assert(slice_equal_nocase(text_slice(&quick), text_slice(&slow)));
    text_deinit(&quick);
    text_deinit(&slow);
}

static void ask_around(const struct zone_set *set, struct slice name, uint16_t type)
{
    static const char *const prefixes[] = {"", "\1x", "\1*", "\1x\1y"};
    uint8_t asked[DNS_NAME_MAX];
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t n = strlen(prefixes[i]);
        if (n + name.len > DNS_NAME_MAX)
            continue;
        memcpy(asked, prefixes[i], n);
        memcpy(asked + n, name.ptr, name.len);
        ask(set, slice_make((const char *)asked, n + name.len), type);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zone_build *build = zone_build_create(SLICE("\1t\0"), NULL, NULL);
    zone_build_file(build, "z", slice_make((const char *)data, size));
    struct zone *zone = zone_build_finish(&build);
    if (!zone)
        return 0;
    struct zone_set *set = zone_set_create(&zone, 1, 1);
    for (size_t i = 0; i < zone->n_nodes && i < NAMES_MAX; i++) {
        const struct zone_node *node = zone->nodes[i];
        ask_around(set, zone_node_name(node), DNS_A);
        ask_around(set, zone_node_name(node), DNS_DS);
        for (size_t k = 0; k < node->n_rrsets; k++)
            ask_around(set, zone_node_name(node), node->rrsets[k].type);
    }
    zone_set_destroy(&set);
    return 0;
}
