/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages. The table of names is a hash table of offsets, probed one by one; what stands there is
 * compared in the message itself. It is undone in the opposite order of its filling, which leaves
 * every chain of probes as it was.
 */

#include "wire/dns_write.h"
#include "base/ascii.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"

#include <assert.h>

enum {
    COUNTS_AT = 4,
    FIXED_BYTES = 10, /* of a record behind its name */
    POINTER = 0xc000,
    OFFSET_MAX = 0x3fff,
};

void dns_writer_init(struct dns_writer *writer, uint8_t *out, size_t cap)
{
    assert(cap >= DNS_HEADER_BYTES);
    writer->out = out;
    writer->cap = cap < DNS_MESSAGE_MAX ? cap : DNS_MESSAGE_MAX;
    writer->len = 0;
    writer->is_overflow = false;
    writer->n_names = 0;
    writer->n_relocations = 0;
    writer->relocations = NULL;
    memset(writer->slots, 0, sizeof(writer->slots));
}

static void put_bytes(struct dns_writer *writer, const void *bytes, size_t len)
{
    if (writer->cap - writer->len < len)
        writer->is_overflow = true;
    if (writer->is_overflow || len == 0)
        return;
    memcpy(writer->out + writer->len, bytes, len);
    writer->len += len;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Where a label begins, and a hash of the name from there on, which looks at little: what is alike
 * is compared anyway. */
struct suffix {
    uint32_t at;
    uint32_t hash;
};

struct suffixes {
    unsigned n;
    struct suffix of[DNS_LABELS_MAX];
};

static void find_suffixes(struct slice name, struct suffixes *suffixes)
{
    suffixes->n = 0;
    for (size_t at = 0; name.ptr[at] != 0; at += (size_t)(unsigned char)name.ptr[at] + 1)
        suffixes->of[suffixes->n++].at = (uint32_t)at;
    uint32_t hash = 0;
    for (unsigned i = suffixes->n; i-- > 0;) {
        const char *label = name.ptr + suffixes->of[i].at;
        size_t len = (unsigned char)label[0];
        hash = hash * 31 + (uint32_t)len;
        hash = hash * 31 + (unsigned char)ascii_lower(label[1]);
        hash = hash * 31 + (unsigned char)ascii_lower(label[len]);
        suffixes->of[i].hash = hash;
    }
}

/* Does the name at `at` of the message, whose pointers are our own, equal `name`? */
static bool is_name_at(const struct dns_writer *writer, size_t at, const char *name)
{
    for (;;) {
        size_t len = writer->out[at];
        if (len > DNS_LABEL_MAX) {
            at = dns_get16(writer->out + at) & OFFSET_MAX;
            continue;
        }
        const char *there = (const char *)writer->out + at;
        if (len != (unsigned char)name[0])
            return false;
        if (len == 0)
            return true;
        if (!slice_equal_nocase(slice_make(there + 1, len), slice_make(name + 1, len)))
            return false;
        at += len + 1;
        name += len + 1;
    }
}

/* The slot of the suffix, or the free one in which it would be. */
static uint8_t find_slot(const struct dns_writer *writer, const char *suffix, uint32_t hash)
{
    size_t slot = (hash ^ hash >> 7) % DNS_WRITER_SLOTS;
    while (writer->slots[slot] != 0 && !is_name_at(writer, writer->slots[slot], suffix))
        slot = (slot + 1) % DNS_WRITER_SLOTS;
    return (uint8_t)slot;
}

/* Suffixes 0..n-1 are where they were written. */
static void note_suffixes(struct dns_writer *writer, struct slice name,
                          const struct suffixes *suffixes, unsigned n, size_t start)
{
    unsigned room = DNS_WRITER_NAMES - writer->n_names;
    n = n < room ? n : room;
    for (unsigned i = 0; i < n; i++) {
        size_t at = start + suffixes->of[i].at;
        if (at > OFFSET_MAX)
            return;
        uint8_t slot = find_slot(writer, name.ptr + suffixes->of[i].at, suffixes->of[i].hash);
        writer->slots[slot] = (uint16_t)at;
        writer->order[writer->n_names++] = slot;
    }
}

static void put_pointer(struct dns_writer *writer, uint16_t to)
{
    uint8_t bytes[2];
    size_t at = writer->len;
    dns_put16(bytes, POINTER | to);
    put_bytes(writer, bytes, sizeof(bytes));
    if (writer->is_overflow || writer->relocations == NULL || to == DNS_HEADER_BYTES)
        return;
    assert(writer->n_relocations < DNS_RELOCATIONS_MAX);
    writer->relocations[writer->n_relocations++] = (uint16_t)at;
}

static void put_name(struct dns_writer *writer, struct slice name)
{
    struct suffixes suffixes;
    size_t start = writer->len;
    uint16_t to = 0;
    unsigned n = 0;
    find_suffixes(name, &suffixes);
    for (; n < suffixes.n && to == 0; n += to == 0) {
        uint8_t slot = find_slot(writer, name.ptr + suffixes.of[n].at, suffixes.of[n].hash);
        to = writer->slots[slot];
    }
    size_t len = to != 0 ? suffixes.of[n].at : name.len;
    put_bytes(writer, name.ptr, len);
    if (to != 0)
        put_pointer(writer, to);
    if (!writer->is_overflow)
        note_suffixes(writer, name, &suffixes, n, start);
}

/* ---- header and question --------------------------------------------------------------------- */

void dns_write_header(struct dns_writer *writer, uint16_t id, uint16_t flags)
{
    uint8_t header[DNS_HEADER_BYTES] = {0};
    assert(writer->len == 0);
    dns_put16(header, id);
    dns_put16(header + 2, flags);
    put_bytes(writer, header, sizeof(header));
}

static void count_one(struct dns_writer *writer, enum dns_section section)
{
    uint8_t *count = writer->out + COUNTS_AT + 2 * (size_t)section;
    dns_put16(count, (uint16_t)(dns_get16(count) + 1));
}

void dns_write_question(struct dns_writer *writer, struct slice question)
{
    struct suffixes suffixes;
    assert(writer->len == DNS_HEADER_BYTES);
    put_bytes(writer, question.ptr, question.len);
    if (writer->is_overflow)
        return;
    find_suffixes(question, &suffixes);
    note_suffixes(writer, question, &suffixes, suffixes.n, DNS_HEADER_BYTES);
    count_one(writer, DNS_QUESTION);
}

/* ---- records --------------------------------------------------------------------------------- */

static void put_rdata(struct dns_writer *writer, uint16_t type, struct slice rdata)
{
    struct dns_parts parts;
    struct dns_part part;
    dns_parts_init(&parts, type, rdata);
    while (dns_parts_next(&parts, &part)) {
        if (part.kind == DNS_PART_SHORT_NAME)
            put_name(writer, part.bytes);
        else
            put_bytes(writer, part.bytes.ptr, part.bytes.len);
    }
}

void dns_write_record(struct dns_writer *writer, enum dns_section section, struct slice owner,
                      uint16_t type, uint16_t class, uint32_t ttl_s, struct slice rdata)
{
    uint8_t fixed[FIXED_BYTES] = {0};
    if (writer->is_overflow)
        return;
    struct dns_mark mark = dns_writer_mark(writer);
    put_name(writer, owner);
    dns_put16(fixed, type);
    dns_put16(fixed + 2, class);
    dns_put32(fixed + 4, ttl_s);
    put_bytes(writer, fixed, sizeof(fixed));
    size_t data_at = writer->len;
    put_rdata(writer, type, rdata);
    if (writer->is_overflow) {
        dns_writer_rollback(writer, &mark);
        writer->is_overflow = true;
        return;
    }
    dns_put16(writer->out + data_at - 2, (uint16_t)(writer->len - data_at));
    count_one(writer, section);
}

/* ---- marks ----------------------------------------------------------------------------------- */

struct dns_mark dns_writer_mark(const struct dns_writer *writer)
{
    struct dns_mark mark = {
        .len = writer->len, .n_relocations = writer->n_relocations, .n_names = writer->n_names};
    assert(writer->len >= DNS_HEADER_BYTES);
    for (size_t i = 0; i < DNS_N_SECTIONS; i++)
        mark.counts[i] = dns_get16(writer->out + COUNTS_AT + 2 * i);
    return mark;
}

void dns_writer_rollback(struct dns_writer *writer, const struct dns_mark *mark)
{
    assert(mark->len <= writer->len && mark->n_names <= writer->n_names);
    while (writer->n_names > mark->n_names)
        writer->slots[writer->order[--writer->n_names]] = 0;
    for (size_t i = 0; i < DNS_N_SECTIONS; i++)
        dns_put16(writer->out + COUNTS_AT + 2 * i, mark->counts[i]);
    writer->len = mark->len;
    writer->n_relocations = mark->n_relocations;
    writer->is_overflow = false;
}
