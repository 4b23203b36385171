/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Data as text, field by field.
 */

#include "wire/dns_digits.h"
#include "wire/dns_field.h"
#include "wire/dns_form.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"
#include "wire/dns_svcb.h"

#include <arpa/inet.h>
#include <assert.h>

static void show_name(struct slice name, struct text *out)
{
    char text[DNS_NAME_TEXT_MAX];
    size_t len = dns_name_show(name, text);
    text_append(out, slice_make(text, len));
}

static void show_address(struct slice bytes, struct text *out)
{
    char text[INET6_ADDRSTRLEN];
    const char *shown =
        inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.ptr, text, sizeof(text));
    assert(shown != NULL);
    text_append(out, slice_from(shown));
}

static void show_strings(struct slice bytes, struct text *out)
{
    for (size_t at = 0; at < bytes.len;) {
        size_t len = (unsigned char)bytes.ptr[at];
        if (at > 0)
            text_append_char(out, ' ');
        dns_form_quote(slice_make(bytes.ptr + at + 1, len), out);
        at += len + 1;
    }
}

static void show_field(char field, struct slice bytes, struct text *out)
{
    switch (field) {
    case 'n':
    case 'd':
    case 'N':
        show_name(bytes, out);
        break;
    case '1':
        text_printf(out, "%u", (unsigned char)bytes.ptr[0]);
        break;
    case '2':
        text_printf(out, "%u", dns_get16(bytes.ptr));
        break;
    case '4':
    case 't':
        text_printf(out, "%u", dns_get32(bytes.ptr));
        break;
    case 'a':
    case 'A':
        show_address(bytes, out);
        break;
    case 's':
    case 'S':
        show_strings(bytes, out);
        break;
    case 'g':
        text_append(out, slice_skip(bytes, 1));
        break;
    case 'v':
        dns_form_quote(bytes, out);
        break;
    case 'x':
        dns_hex_show(bytes, out);
        break;
    case 'b':
        dns_base64_show(bytes, out);
        break;
    default:
        dns_field_show(field, bytes, out);
        break;
    }
}

/* RFC 3597 section 5. */
static void show_opaque(struct slice rdata, struct text *out)
{
    text_printf(out, "\\# %zu", rdata.len);
    if (rdata.len > 0)
        text_append_char(out, ' ');
    dns_hex_show(rdata, out);
}

void dns_rdata_show(uint16_t type, struct slice rdata, struct text *out)
{
    const char *fields = dns_form_fields(type);
    if (fields == NULL || !dns_rdata_is_valid(type, rdata)) {
        show_opaque(rdata, out);
        return;
    }
    for (const char *field = fields; *field != '\0'; field++) {
        if (*field == 'p') { /* brings its own blanks */
            dns_svcb_show(rdata, out);
            return;
        }
        size_t len = (size_t)dns_form_measure(*field, rdata);
        if (field > fields && (len > 0 || *field != 'w')) /* no types: no blank either */
            text_append_char(out, ' ');
        show_field(*field, slice_make(rdata.ptr, len), out);
        rdata = slice_skip(rdata, len);
    }
}
