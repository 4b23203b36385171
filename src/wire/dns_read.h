/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_READ_H
#define WIRE_DNS_READ_H

/*
 * A message is walked, record by record: for whoever asks (a client, a test, `weir explain`), not
 * for the hot path of a server, which is dns_query.h.
 *
 *     struct dns_reader reader;
 *     if (dns_reader_init(&reader, message) < 0) ...
 *     while ((result = dns_read_record(&reader, &record)) > 0) ...
 *     if (result < 0) ...                          malformed; 0: that was the last
 *
 * Names come out whole. A pointer goes to a lower offset than every byte of its name that was read
 * before, so that none is read twice and no loop is possible.
 */

#include "base/slice.h"
#include "base/text.h"
#include "wire/dns.h"
#include "wire/dns_rdata.h"
#include <stddef.h>
#include <stdint.h>

struct dns_reader {
    struct slice message;
    size_t at;
    uint16_t id, flags;
    uint16_t n_left[DNS_N_SECTIONS];
};

struct dns_record {
    enum dns_section section;
    uint16_t type, class;
    uint32_t ttl_s;     /* 0 for a question */
    struct slice rdata; /* as it stands in the message: empty for a question */
    uint8_t name_len;
    uint8_t name[DNS_NAME_MAX]; /* the case kept */
};

static inline struct slice dns_record_name(const struct dns_record *record)
{
    return slice_make((const char *)record->name, record->name_len);
}

/* 0, or -1: shorter than a header. */
int dns_reader_init(struct dns_reader *reader, struct slice message);

/* The next question or record: 1; 0 behind the last one; -1 where the message is malformed, which
 * bytes behind the last record are too. */
int dns_read_record(struct dns_reader *reader, struct dns_record *ret_record);

/* The name at `at`. Returns the bytes that it takes there, or -1. */
int dns_read_name(struct slice message, size_t at, uint8_t ret_name[DNS_NAME_MAX], size_t *ret_len);

/*
 * The data of a record of this message with its names whole, as dns_rdata.h wants them. Returns how
 * many bytes, or -1: they are no data of their type, or have names compressed that may not be
 * (RFC 3597 section 4).
 */
int dns_read_rdata(struct slice message, const struct dns_record *record,
                   uint8_t ret_rdata[DNS_RDATA_MAX]);

/* Appends one line without its end, as dig does: name, TTL, class, type, data; a question has no
 * TTL and no data. Data that cannot be read are shown as bytes. */
void dns_record_show(struct slice message, const struct dns_record *record, struct text *out);

#endif
