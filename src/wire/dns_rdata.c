/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of forms, and the walk over data in wire form.
 */

#include "wire/dns_rdata.h"
#include "wire/dns_field.h"
#include "wire/dns_form.h"
#include "wire/dns_name.h"
#include "wire/dns_svcb.h"

/* By type; those that are not listed are opaque. */
static const char *const forms[] = {
    [1] = "a",          /* A */
    [2] = "n",          /* NS */
    [3] = "n",          /* MD */
    [4] = "n",          /* MF */
    [5] = "n",          /* CNAME */
    [6] = "nn4tttt",    /* SOA: primary, mailbox, serial, refresh, retry, expire, minimum */
    [7] = "n",          /* MB */
    [8] = "n",          /* MG */
    [9] = "n",          /* MR */
    [12] = "n",         /* PTR */
    [13] = "ss",        /* HINFO: processor, system */
    [14] = "nn",        /* MINFO */
    [15] = "2n",        /* MX: preference, exchange */
    [16] = "S",         /* TXT */
    [17] = "dd",        /* RP */
    [18] = "2d",        /* AFSDB */
    [19] = "s",         /* X25 */
    [21] = "2d",        /* RT */
    [24] = "Tl1tDD2db", /* SIG */
    [25] = "21lb",      /* KEY */
    [26] = "2dd",       /* PX */
    [28] = "A",         /* AAAA */
    [33] = "222d",      /* SRV: priority, weight, port, target */
    [35] = "22sssd",    /* NAPTR: order, preference, flags, service, expression, replacement */
    [36] = "2d",        /* KX */
    [37] = "c2lb",      /* CERT: kind, key tag, algorithm, certificate */
    [39] = "N",         /* DNAME */
    [43] = "2l1x",      /* DS: key tag, algorithm, digest type, digest */
    [44] = "11x",       /* SSHFP */
    [46] = "Tl1tDD2Nb", /* RRSIG: type, algorithm, labels, TTL, expires, begins, tag, by whom */
    [47] = "Nw",        /* NSEC: next name, types */
    [48] = "21lb",      /* DNSKEY: flags, protocol, algorithm, key */
    [49] = "b",         /* DHCID */
    [50] = "112hHw",    /* NSEC3: algorithm, flags, iterations, salt, next hash, types */
    [51] = "112h",      /* NSEC3PARAM */
    [52] = "111x",      /* TLSA: usage, selector, matching type, data */
    [53] = "111x",      /* SMIMEA */
    [59] = "2l1x",      /* CDS */
    [60] = "21lb",      /* CDNSKEY */
    [61] = "b",         /* OPENPGPKEY */
    [62] = "42w",       /* CSYNC: serial, flags, types */
    [63] = "411x",      /* ZONEMD */
    [64] = "2Np",       /* SVCB: priority, target, parameters */
    [65] = "2Np",       /* HTTPS */
    [99] = "S",         /* SPF */
    [104] = "2i",       /* NID: preference, node */
    [105] = "2a",       /* L32 */
    [106] = "2i",       /* L64 */
    [107] = "2N",       /* LP */
    [108] = "e",        /* EUI48 */
    [109] = "E",        /* EUI64 */
    [256] = "22v",      /* URI: priority, weight, target */
    [257] = "1gv",      /* CAA: flags, tag, value */
};

const char *dns_form_fields(uint16_t type)
{
    return type < sizeof(forms) / sizeof(forms[0]) ? forms[type] : NULL;
}

/* ---- helpers of both directions -------------------------------------------------------------- */

int dns_out_put(struct dns_out *out, const void *bytes, size_t len, struct err *err)
{
    if (out->cap - out->len < len)
        return err_set(err, "more than %zu bytes of data", out->cap);
    if (len > 0)
        memcpy(out->ptr + out->len, bytes, len);
    out->len += len;
    return 0;
}

int dns_out_number(struct dns_out *out, uint64_t value, size_t n_bytes, struct err *err)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * (n_bytes - 1 - i)));
    return dns_out_put(out, bytes, n_bytes, err);
}

void dns_form_quote(struct slice bytes, struct text *out)
{
    text_append_char(out, '"');
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c < ' ' || c >= 0x7f) {
            text_printf(out, "\\%03u", c);
            continue;
        }
        if (c == '"' || c == '\\')
            text_append_char(out, '\\');
        text_append_char(out, (char)c);
    }
    text_append_char(out, '"');
}

/* ---- how long a field is --------------------------------------------------------------------- */

static int measure_string(struct slice rest)
{
    if (rest.len == 0 || rest.len - 1 < (unsigned char)rest.ptr[0])
        return -1;
    return (unsigned char)rest.ptr[0] + 1;
}

static int measure_strings(struct slice rest)
{
    size_t at = 0;
    do {
        int len = measure_string(slice_skip(rest, at));
        if (len < 0)
            return -1;
        at += (size_t)len;
    } while (at < rest.len);
    return (int)at;
}

/* CAA, RFC 8659 section 4.1. */
static int measure_tag(struct slice rest)
{
    int len = measure_string(rest);
    if (len < 2)
        return -1;
    for (int i = 1; i < len; i++) {
        char c = rest.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return -1;
    }
    return len;
}

static int measure_fixed(struct slice rest, int len)
{
    return rest.len >= (size_t)len ? len : -1;
}

static int measure_name(struct slice rest)
{
    size_t len = dns_name_measure(rest);
    return len > 0 ? (int)len : -1;
}

int dns_form_measure(char field, struct slice rest)
{
    switch (field) {
    case 'n':
    case 'd':
    case 'N':
        return measure_name(rest);
    case '1':
        return measure_fixed(rest, 1);
    case '2':
        return measure_fixed(rest, 2);
    case '4':
    case 't':
    case 'a':
        return measure_fixed(rest, 4);
    case 'A':
        return measure_fixed(rest, 16);
    case 's':
        return measure_string(rest);
    case 'S':
        return measure_strings(rest);
    case 'g':
        return measure_tag(rest);
    case 'p':
        return dns_svcb_is_valid(rest) ? (int)rest.len : -1;
    case 'v':
        return (int)rest.len;
    case 'x':
    case 'b':
        return rest.len > 0 ? (int)rest.len : -1;
    default:
        return dns_field_measure(field, rest);
    }
}

bool dns_rdata_is_valid(uint16_t type, struct slice rdata)
{
    const char *fields = dns_form_fields(type);
    if (rdata.len > DNS_RDATA_MAX)
        return false;
    if (fields == NULL)
        return true;
    for (; *fields != '\0'; fields++) {
        int len = dns_form_measure(*fields, rdata);
        if (len < 0)
            return false;
        rdata = slice_skip(rdata, (size_t)len);
    }
    return rdata.len == 0;
}

/* ---- the walk -------------------------------------------------------------------------------- */

void dns_parts_init(struct dns_parts *parts, uint16_t type, struct slice rdata)
{
    const char *fields = dns_form_fields(type);
    parts->fields = fields != NULL ? fields : "";
    parts->rest = rdata;
}

static enum dns_part_kind kind_of(char field)
{
    switch (field) {
    case 'n':
        return DNS_PART_SHORT_NAME;
    case 'd':
        return DNS_PART_OLD_NAME;
    case 'N':
        return DNS_PART_NAME;
    default:
        return DNS_PART_BYTES;
    }
}

/* The bytes before the next name, all of them where there is none any more. */
static size_t measure_bytes(struct dns_parts *parts)
{
    size_t at = 0;
    while (!dns_form_is_name(*parts->fields)) {
        int len = strpbrk(parts->fields, "ndN") != NULL
                      ? dns_form_measure(*parts->fields, slice_skip(parts->rest, at))
                      : -1;
        if (len < 0)
            return parts->rest.len;
        at += (size_t)len;
        parts->fields++;
    }
    return at;
}

bool dns_parts_next(struct dns_parts *parts, struct dns_part *ret_part)
{
    size_t len;
    if (parts->rest.len == 0)
        return false;
    ret_part->kind = kind_of(*parts->fields);
    if (ret_part->kind == DNS_PART_BYTES) {
        len = measure_bytes(parts);
    } else {
        len = dns_name_measure(parts->rest);
        parts->fields++;
    }
    if (len == 0) { /* no name where one is wanted */
        ret_part->kind = DNS_PART_BYTES;
        len = parts->rest.len;
    }
    ret_part->bytes = slice_make(parts->rest.ptr, len);
    parts->rest = slice_skip(parts->rest, len);
    return true;
}

struct slice dns_rdata_target(uint16_t type, struct slice rdata)
{
    struct slice target = SLICE("");
    struct dns_parts parts;
    struct dns_part part;
    dns_parts_init(&parts, type, rdata);
    while (dns_parts_next(&parts, &part)) {
        if (part.kind != DNS_PART_BYTES)
            target = part.bytes;
    }
    return target;
}
