/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages, record by record.
 */

#include "wire/dns_read.h"
#include "base/mem.h"
#include "wire/dns_form.h"
#include "wire/dns_name.h"

enum {
    COUNTS_AT = 4,
    QUESTION_BYTES = 4, /* behind its name */
    FIXED_BYTES = 10,   /* of a record behind its name */
    POINTER_BITS = 0xc0,
    OFFSET_MAX = 0x3fff,
};

/* ---- names ----------------------------------------------------------------------------------- */

/* Where the labels at *at go on: 0: they did not, and *at is the root's byte; 1: at *at; -1. */
static int follow_pointer(struct slice message, size_t *at, size_t lowest)
{
    unsigned char head = (unsigned char)message.ptr[*at];
    if (head <= DNS_LABEL_MAX)
        return 0;
    if (head < POINTER_BITS || message.len - *at < 2)
        return -1;
    size_t to = dns_get16(message.ptr + *at) & OFFSET_MAX;
    if (to >= lowest)
        return -1;
    *at = to;
    return 1;
}

int dns_read_name(struct slice message, size_t at, uint8_t ret_name[DNS_NAME_MAX], size_t *ret_len)
{
    size_t start = at, lowest = at, taken = 0, len = 0;
    while (at < message.len) {
        size_t here = at;
        int is_pointer = follow_pointer(message, &at, lowest);
        if (is_pointer < 0)
            return -1;
        if (is_pointer > 0) {
            taken = taken > 0 ? taken : here + 2 - start;
            lowest = at;
            continue;
        }
        size_t label = (size_t)(unsigned char)message.ptr[at] + 1;
        if (message.len - at < label || DNS_NAME_MAX - len < label)
            return -1;
        memcpy(ret_name + len, message.ptr + at, label);
        len += label;
        at += label;
        if (label == 1) {
            *ret_len = len;
            return (int)(taken > 0 ? taken : at - start);
        }
    }
    return -1;
}

/* ---- records --------------------------------------------------------------------------------- */

int dns_reader_init(struct dns_reader *reader, struct slice message)
{
    if (message.len < DNS_HEADER_BYTES)
        return -1;
    reader->message = message;
    reader->at = DNS_HEADER_BYTES;
    reader->id = dns_get16(message.ptr);
    reader->flags = dns_get16(message.ptr + 2);
    for (size_t i = 0; i < DNS_N_SECTIONS; i++)
        reader->n_left[i] = dns_get16(message.ptr + COUNTS_AT + 2 * i);
    return 0;
}

/* What is behind the name, at `rest`; returns its bytes, or -1. */
static int take_fixed(struct slice rest, struct dns_record *record)
{
    size_t head = record->section == DNS_QUESTION ? QUESTION_BYTES : FIXED_BYTES;
    if (rest.len < head)
        return -1;
    record->type = dns_get16(rest.ptr);
    record->class = dns_get16(rest.ptr + 2);
    record->ttl_s = 0;
    record->rdata = slice_make(rest.ptr + head, 0);
    if (record->section == DNS_QUESTION)
        return QUESTION_BYTES;
    record->ttl_s = dns_get32(rest.ptr + 4);
    record->rdata.len = dns_get16(rest.ptr + 8);
    return rest.len - head >= record->rdata.len ? (int)(head + record->rdata.len) : -1;
}

int dns_read_record(struct dns_reader *reader, struct dns_record *ret_record)
{
    unsigned section = DNS_QUESTION;
    size_t len;
    while (section < DNS_N_SECTIONS && reader->n_left[section] == 0)
        section++;
    if (section == DNS_N_SECTIONS)
        return reader->at == reader->message.len ? 0 : -1;
    ret_record->section = (enum dns_section)section;
    int taken = dns_read_name(reader->message, reader->at, ret_record->name, &len);
    if (taken < 0)
        return -1;
    size_t at = reader->at + (size_t)taken;
    ret_record->name_len = (uint8_t)len;
    int fixed = take_fixed(slice_skip(reader->message, at), ret_record);
    if (fixed < 0)
        return -1;
    reader->n_left[section]--;
    reader->at = at + (size_t)fixed;
    return 1;
}

/* ---- data ------------------------------------------------------------------------------------ */

/* One field of `rest`, which ends where the data end; names of fields n and d may point. Returns
 * the bytes that it takes, or -1. */
static int take_field(struct slice message, char field, struct slice rest, struct dns_out *out)
{
    uint8_t name[DNS_NAME_MAX];
    struct slice bytes = rest;
    int taken;
    if (field == 'n' || field == 'd') {
        size_t at = (size_t)(rest.ptr - message.ptr), len = 0;
        taken = dns_read_name(slice_make(message.ptr, at + rest.len), at, name, &len);
        bytes = slice_make((const char *)name, len);
    } else {
        taken = dns_form_measure(field, rest);
        bytes.len = taken < 0 ? 0 : (size_t)taken;
    }
    if (taken < 0 || dns_out_put(out, bytes.ptr, bytes.len, NULL) < 0)
        return -1;
    return taken;
}

int dns_read_rdata(struct slice message, const struct dns_record *record,
                   uint8_t ret_rdata[DNS_RDATA_MAX])
{
    struct dns_out out = {ret_rdata, DNS_RDATA_MAX, 0};
    struct slice rest = record->rdata;
    const char *fields = dns_form_fields(record->type);
    if (fields == NULL) {
        memcpy(ret_rdata, rest.ptr, rest.len);
        return (int)rest.len;
    }
    for (; *fields != '\0'; fields++) {
        int taken = take_field(message, *fields, rest, &out);
        if (taken < 0)
            return -1;
        rest = slice_skip(rest, (size_t)taken);
    }
    return rest.len == 0 ? (int)out.len : -1;
}

/* ---- for people ------------------------------------------------------------------------------ */

enum { OPAQUE = 0 }; /* a type without a form: its data are shown as bytes */

static void show_rdata(struct slice message, const struct dns_record *record, struct text *out)
{
    uint8_t *rdata = mem_alloc(DNS_RDATA_MAX);
    int len = dns_read_rdata(message, record, rdata);
    text_append_char(out, ' ');
    if (len >= 0)
        dns_rdata_show(record->type, slice_make((const char *)rdata, (size_t)len), out);
    else
        dns_rdata_show(OPAQUE, record->rdata, out);
    mem_free(rdata);
}

void dns_record_show(struct slice message, const struct dns_record *record, struct text *out)
{
    char name[DNS_NAME_TEXT_MAX], class[DNS_TYPE_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
    size_t len = dns_name_show(dns_record_name(record), name);
    text_append(out, slice_make(name, len));
    if (record->section != DNS_QUESTION)
        text_printf(out, " %u", record->ttl_s);
    text_printf(out, " %s %s", dns_class_show(record->class, class),
                dns_type_show(record->type, type));
    if (record->section != DNS_QUESTION)
        show_rdata(message, record, out);
}
