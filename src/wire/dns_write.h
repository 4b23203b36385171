/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_WRITE_H
#define WIRE_DNS_WRITE_H

/*
 * A message is built: header, question, records in the order of the sections. The caller owns the
 * writer and the bytes, nothing is allocated.
 *
 *     dns_writer_init(&writer, out, limit_bytes);
 *     dns_write_header(&writer, id, flags);
 *     dns_write_question(&writer, question);
 *     mark = dns_writer_mark(&writer);              before each RRset
 *     dns_write_record(&writer, DNS_ANSWER, owner, type, class, ttl_s, rdata); ...
 *     if (writer.is_overflow)                       it did not fit: none of the set goes out
 *         dns_writer_rollback(&writer, &mark);
 *
 * Overflow is sticky: what does not fit is not written, nor is anything behind it, until the
 * caller rolls back to a mark. A record is written whole or not at all.
 *
 * Names are compressed (RFC 1035 section 4.1.4): owners, and in data the names of RFC 1035's types
 * alone (RFC 3597 section 4). At most DNS_WRITER_NAMES suffixes are remembered; those that come
 * later are written whole, which is longer and no less right. Letters compare without case, so a
 * name that has been written gives its case to those that point to it.
 *
 * A body that was built for one question may be put behind another one: pointers to the question's
 * name (offset 12) stay, and all others shift by the difference of the questions' lengths, also
 * those into the middle of the question's name where the new name ends alike. Whoever wants to do
 * so sets `relocations` behind dns_writer_init() to an array of DNS_RELOCATIONS_MAX places, in
 * which the writer notes where such pointers stand. A pointer reaches 0x3fff: a body that is to be
 * put behind a longer question has to leave the difference.
 */

#include "base/slice.h"
#include "wire/dns.h"
#include "wire/dns_opt.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_WRITER_NAMES = 96,
    DNS_WRITER_SLOTS = 128, /* a power of two, above DNS_WRITER_NAMES */
    /* Of a message of the largest size: a record with two pointers has at least 14 bytes. */
    DNS_RELOCATIONS_MAX = DNS_MESSAGE_MAX / 7 + 1,
};

struct dns_writer {
    uint8_t *out;
    size_t cap;
    size_t len; /* bytes that are written */
    bool is_overflow;
    uint16_t n_names;
    uint32_t n_relocations;
    uint16_t *relocations;            /* NULL: not wanted; offsets into the message, rising */
    uint8_t order[DNS_WRITER_NAMES];  /* slots in the order in which they were filled */
    uint16_t slots[DNS_WRITER_SLOTS]; /* a hash table of where suffixes begin; 0: free */
};

/* A state to go back to. */
struct dns_mark {
    size_t len;
    uint32_t n_relocations;
    uint16_t n_names;
    uint16_t counts[DNS_N_SECTIONS];
};

/* At most `cap` bytes are written, at least DNS_HEADER_BYTES and at most DNS_MESSAGE_MAX. */
void dns_writer_init(struct dns_writer *writer, uint8_t *out, size_t cap);

/* First of all: id, flags with opcode and rcode, counts of 0. */
void dns_write_header(struct dns_writer *writer, uint16_t id, uint16_t flags);

/* Name, type and class as they were asked, right behind the header; at most one. */
void dns_write_question(struct dns_writer *writer, struct slice question);

/* A record; its section is that of the last one or a later one. `owner` is a valid name. */
void dns_write_record(struct dns_writer *writer, enum dns_section section, struct slice owner,
                      uint16_t type, uint16_t class, uint32_t ttl_s, struct slice rdata);

struct dns_mark dns_writer_mark(const struct dns_writer *writer);
/* Forgets what was written since, overflow with it. Marks that were made since are void. */
void dns_writer_rollback(struct dns_writer *writer, const struct dns_mark *mark);

/* The records of a section so far. */
static inline uint16_t dns_writer_count(const struct dns_writer *writer, enum dns_section section)
{
    return dns_get16(writer->out + 4 + 2 * (size_t)section);
}

#endif
