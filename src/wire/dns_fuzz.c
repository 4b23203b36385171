/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a query and as a message: what the one and the other make of it agrees, and what is
 * read can be written and reads the same, in any room and with records taken back in between.
 */

#include "wire/dns_name.h"
#include "wire/dns_query.h"
#include "wire/dns_read.h"
#include "wire/dns_write.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- as a query ------------------------------------------------------------------------------ */

static void check_question(struct slice packet, const struct dns_query *query)
{
    struct dns_reader reader;
    struct dns_record record;
    uint8_t folded[DNS_NAME_MAX];
    assert(dns_reader_init(&reader, packet) == 0 && dns_read_record(&reader, &record) == 1);
    assert(record.section == DNS_QUESTION);
    assert(record.type == query->type && record.class == query->class);
    struct slice name = dns_record_name(&record);
    assert(dns_name_is_valid(name) && dns_name_labels(name) == query->n_labels);
    dns_name_fold(name, folded);
    assert(slice_equal(slice_make((const char *)folded, name.len), dns_query_name(query)));
    assert(query->question.len == name.len + 4);
}

/* What a server says to it is read as it was meant. */
static void check_opt(const struct dns_query *query)
{
    struct dns_query again;
    uint8_t out[512] = {0};
    struct dns_opt opt = {
        .udp_bytes = query->udp_bytes,
        .is_dnssec_ok = query->is_dnssec_ok,
        .has_keepalive = query->has_keepalive,
        .client_cookie = slice_make(query->cookie.ptr, query->cookie.len ? 8 : 0),
        .server_cookie = slice_skip(query->cookie, 8),
        .subnet = query->has_subnet ? &query->subnet : NULL,
    };
    out[5] = 1;  /* one question, the root's */
    out[11] = 1; /* one additional record */
    size_t at = DNS_HEADER_BYTES + 5;
    size_t len = dns_opt_write(&opt, out + at, dns_opt_bytes(&opt));
    assert(len == dns_opt_bytes(&opt));
    assert(dns_query_parse(slice_make((char *)out, at + len), &again) == DNS_OK);
    assert(again.udp_bytes == query->udp_bytes && again.is_dnssec_ok == query->is_dnssec_ok);
    assert(slice_equal(again.cookie, query->cookie) && again.has_subnet == query->has_subnet);
    if (query->has_subnet)
        assert(again.subnet.source_bits == query->subnet.source_bits &&
               again.subnet.addr.len == query->subnet.addr.len &&
               (again.subnet.addr.len == 0 || addr_equal(&again.subnet.addr, &query->subnet.addr)));
}

static void check_query(struct slice packet)
{
    struct dns_query query;
    uint8_t tsig[DNS_MESSAGE_MAX];
    int verdict = dns_query_parse(packet, &query);
    if (verdict == DNS_SILENCE)
        return;
    assert(verdict == DNS_OK || verdict == DNS_FORMERR || verdict == DNS_NOTIMP ||
           verdict == DNS_NOTAUTH || verdict == DNS_BADVERS);
    assert(query.udp_bytes >= DNS_UDP_PLAIN && query.cookie.len <= DNS_COOKIE_MAX);
    if (query.has_question)
        check_question(packet, &query);
    check_opt(&query);
    if (verdict == DNS_NOTAUTH) {
        size_t len = dns_tsig_write(query.tsig, tsig, sizeof(tsig));
        assert(len > 0 && len <= query.tsig.len);
        assert(dns_tsig_write(query.tsig, tsig, len - 1) == 0);
    }
}

/* ---- as a message ---------------------------------------------------------------------------- */

struct copy {
    struct dns_writer writer;
    uint8_t out[DNS_MESSAGE_MAX];
    uint16_t relocations[DNS_RELOCATIONS_MAX];
    uint8_t rdata[DNS_RDATA_MAX], again[DNS_RDATA_MAX];
    uint32_t n; /* records that were read whole, and written or found too large */
};

/* Writes it, takes it back, writes it again: the same bytes. */
static void write_twice(struct copy *copy, const struct dns_record *record, struct slice rdata)
{
    struct dns_writer *writer = &copy->writer;
    struct dns_mark mark = dns_writer_mark(writer);
    struct slice owner = dns_record_name(record);
    dns_write_record(writer, record->section, owner, record->type, record->class, record->ttl_s,
                     rdata);
    size_t len = writer->len;
    bool is_overflow = writer->is_overflow;
    dns_writer_rollback(writer, &mark);
    assert(writer->len == mark.len && !writer->is_overflow);
    dns_write_record(writer, record->section, owner, record->type, record->class, record->ttl_s,
                     rdata);
    assert(writer->len == len && writer->is_overflow == is_overflow);
}

/* The record that was written last, beside what it was made from. */
static void check_written(struct copy *copy, size_t at, const struct dns_record *record,
                          struct slice rdata)
{
    struct slice message = slice_make((char *)copy->out, copy->writer.len);
    struct dns_reader reader = {.message = message, .at = at};
    struct dns_record written;
    reader.n_left[record->section] = 1;
    assert(dns_read_record(&reader, &written) == 1 && reader.at == message.len);
    assert(dns_name_equal(dns_record_name(&written), dns_record_name(record)));
    assert(written.type == record->type && written.ttl_s == record->ttl_s);
    int len = dns_read_rdata(message, &written, copy->again);
    assert(len >= 0);
    assert(slice_equal_nocase(slice_make((char *)copy->again, (size_t)len), rdata));
}

static void copy_record(struct copy *copy, struct slice message, const struct dns_record *record)
{
    int len = dns_read_rdata(message, record, copy->rdata);
    if (len < 0)
        return;
    struct slice rdata = slice_make((char *)copy->rdata, (size_t)len);
    assert(dns_rdata_is_valid(record->type, rdata));
    size_t at = copy->writer.len;
    write_twice(copy, record, rdata);
    if (!copy->writer.is_overflow)
        check_written(copy, at, record, rdata);
}

static void check_message(struct copy *copy, struct slice message, size_t limit)
{
    struct dns_reader reader;
    struct dns_record record;
    if (dns_reader_init(&reader, message) < 0)
        return;
    dns_writer_init(&copy->writer, copy->out, limit);
    copy->writer.relocations = copy->relocations;
    dns_write_header(&copy->writer, reader.id, reader.flags);
    while (dns_read_record(&reader, &record) > 0 && !copy->writer.is_overflow) {
        if (record.section != DNS_QUESTION) {
            copy_record(copy, message, &record);
        } else if (copy->writer.len == DNS_HEADER_BYTES) {
            memcpy(copy->rdata, record.name, record.name_len);
            dns_put16(copy->rdata + record.name_len, record.type);
            dns_put16(copy->rdata + record.name_len + 2, record.class);
            dns_write_question(&copy->writer,
                               slice_make((char *)copy->rdata, record.name_len + 4u));
        }
        assert(copy->writer.len <= limit);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct copy copy;
    struct slice packet = slice_make((const char *)data, size);
    if (size > DNS_MESSAGE_MAX)
        return 0;
    check_query(packet);
    check_message(&copy, packet, sizeof(copy.out));
    check_message(&copy, packet, DNS_HEADER_BYTES + size / 2);
    return 0;
}
