/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Domain names. Reading keeps the place of the open label's length byte, which is written when the
 * label is over.
 */

#include "wire/dns_name.h"
#include "base/ascii.h"
#include "wire/dns_token.h"

#include <stdio.h>

/* ---- from text ------------------------------------------------------------------------------- */

struct building {
    uint8_t *name;
    size_t len;   /* of name, the open label among it */
    size_t label; /* where the open label's length stands */
};

static int too_long(struct err *err)
{
    return err_set(err, "the name has more than %d bytes", DNS_NAME_MAX);
}

/* The open label is over, a new one begins. */
static int end_label(struct building *b, struct err *err)
{
    size_t len = b->len - b->label - 1;
    if (len == 0)
        return err_set(err, "the name has an empty label");
    if (b->len >= DNS_NAME_MAX)
        return too_long(err);
    b->name[b->label] = (uint8_t)len;
    b->label = b->len++;
    return 0;
}

static int add_byte(struct building *b, uint8_t byte, struct err *err)
{
    if (b->len - b->label > DNS_LABEL_MAX)
        return err_set(err, "the name has a label of more than %d bytes", DNS_LABEL_MAX);
    if (b->len >= DNS_NAME_MAX)
        return too_long(err);
    b->name[b->len++] = byte;
    return 0;
}

/* The origin in place of the open label, which is empty. */
static int add_origin(struct building *b, struct slice origin, struct err *err)
{
    if (origin.len == 0)
        return err_set(err,
                       "the name is relative, and nothing says to what; want a dot at its end");
    if (b->label + origin.len > DNS_NAME_MAX)
        return too_long(err);
    memcpy(b->name + b->label, origin.ptr, origin.len);
    b->len = b->label + origin.len;
    return 0;
}

static int read_labels(struct slice text, struct building *b, struct err *err)
{
    size_t at = 0;
    while (at < text.len) {
        uint8_t byte;
        if (text.ptr[at] == '.') {
            at++;
            if (end_label(b, err) < 0)
                return -1;
        } else if (dns_token_byte(text, &at, &byte, err) < 0 || add_byte(b, byte, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int dns_name_read(struct slice text, struct slice origin, uint8_t ret_name[DNS_NAME_MAX],
                  size_t *ret_len, struct err *err)
{
    struct building b = {.name = ret_name, .len = 1, .label = 0};
    bool is_root = slice_is(text, ".");
    if (text.len == 0)
        return err_set(err, "the name is empty");
    if (!is_root && !slice_is(text, "@") && read_labels(text, &b, err) < 0)
        return -1;
    bool is_absolute = is_root || (b.len == b.label + 1 && b.label > 0);
    if (is_absolute) {
        b.name[b.label] = 0;
    } else {
        if (b.len > b.label + 1 && end_label(&b, err) < 0)
            return -1;
        if (add_origin(&b, origin, err) < 0)
            return -1;
    }
    *ret_len = b.len;
    return 0;
}

/* ---- to text --------------------------------------------------------------------------------- */

static size_t show_byte(unsigned char c, char *out)
{
    if (c <= ' ' || c >= 0x7f)
        return (size_t)snprintf(out, 5, "\\%03u", c);
    size_t n = 0;
    if (strchr("\"().;\\@$", c) != NULL)
        out[n++] = '\\';
    out[n++] = (char)c;
    return n;
}

size_t dns_name_show(struct slice name, char ret_text[DNS_NAME_TEXT_MAX])
{
    size_t n = 0;
    for (size_t at = 0; name.ptr[at] != 0;) {
        size_t end = at + 1 + (unsigned char)name.ptr[at];
        for (at++; at < end; at++)
            n += show_byte((unsigned char)name.ptr[at], ret_text + n);
        ret_text[n++] = '.';
    }
    if (n == 0)
        ret_text[n++] = '.';
    ret_text[n] = '\0';
    return n;
}

/* ---- labels ---------------------------------------------------------------------------------- */

size_t dns_name_measure(struct slice bytes)
{
    size_t at = 0;
    size_t most = bytes.len < DNS_NAME_MAX ? bytes.len : DNS_NAME_MAX;
    while (at < most && bytes.ptr[at] != 0) {
        if ((unsigned char)bytes.ptr[at] > DNS_LABEL_MAX)
            return 0;
        at += (size_t)(unsigned char)bytes.ptr[at] + 1;
    }
    return at < most ? at + 1 : 0;
}

bool dns_name_is_valid(struct slice name)
{
    return name.len > 0 && dns_name_measure(name) == name.len;
}

void dns_name_fold(struct slice name, uint8_t *ret_name)
{
    for (size_t i = 0; i < name.len; i++)
        ret_name[i] = (uint8_t)ascii_lower(name.ptr[i]);
}

unsigned dns_name_labels(struct slice name)
{
    unsigned n = 0;
    for (size_t at = 0; name.ptr[at] != 0; at += (size_t)(unsigned char)name.ptr[at] + 1)
        n++;
    return n;
}

bool dns_name_ends(struct slice name, struct slice suffix)
{
    while (name.len > suffix.len)
        name = dns_name_parent(name);
    return dns_name_equal(name, suffix);
}

/* Where its labels begin; returns how many. */
static unsigned find_labels(struct slice name, uint8_t ret_at[DNS_LABELS_MAX])
{
    unsigned n = 0;
    for (size_t at = 0; name.ptr[at] != 0; at += (size_t)(unsigned char)name.ptr[at] + 1)
        ret_at[n++] = (uint8_t)at;
    return n;
}

/* Labels with their lengths, as bytes without case; a shorter one sorts before what it begins. */
static int compare_labels(const char *a, const char *b)
{
    size_t a_len = (unsigned char)a[0], b_len = (unsigned char)b[0];
    for (size_t i = 1; i <= a_len && i <= b_len; i++) {
        int diff = (unsigned char)ascii_lower(a[i]) - (unsigned char)ascii_lower(b[i]);
        if (diff != 0)
            return diff;
    }
    return (int)a_len - (int)b_len;
}

int dns_name_compare(struct slice a, struct slice b)
{
    uint8_t a_at[DNS_LABELS_MAX], b_at[DNS_LABELS_MAX];
    unsigned a_n = find_labels(a, a_at), b_n = find_labels(b, b_at);
    for (unsigned i = 1; i <= a_n && i <= b_n; i++) {
        int diff = compare_labels(a.ptr + a_at[a_n - i], b.ptr + b_at[b_n - i]);
        if (diff != 0)
            return diff;
    }
    return (int)a_n - (int)b_n;
}
