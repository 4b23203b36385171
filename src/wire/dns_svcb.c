/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parameters of SVCB and HTTPS: a row a key, with what its value is made of. Reading puts each
 * parameter behind those that are there and turns it to its place, so that no second buffer is
 * needed; what only shows when all are there is asked of the wire form at the end.
 */

#include "wire/dns_svcb.h"
#include "wire/dns.h"
#include "wire/dns_digits.h"
#include "wire/dns_form.h"

#include <arpa/inet.h>
#include <assert.h>

enum { HEAD_BYTES = 4, N_KEYS = 9, KEY_NONE = 65535, VALUE_MAX = 65535 };

enum value {
    VALUE_BYTES,
    VALUE_KEYS,
    VALUE_IDS,
    VALUE_NOTHING,
    VALUE_PORT,
    VALUE_IPV4,
    VALUE_BASE64,
    VALUE_IPV6,
    VALUE_PATH,
};

enum key { KEY_MANDATORY = 0, KEY_ALPN = 1, KEY_NO_DEFAULT_ALPN = 2 };

static const struct key_row {
    const char *name;
    enum value value;
} keys[N_KEYS] = {
    {"mandatory", VALUE_KEYS},          /* 0 */
    {"alpn", VALUE_IDS},                /* 1 */
    {"no-default-alpn", VALUE_NOTHING}, /* 2 */
    {"port", VALUE_PORT},               /* 3 */
    {"ipv4hint", VALUE_IPV4},           /* 4 */
    {"ech", VALUE_BASE64},              /* 5 */
    {"ipv6hint", VALUE_IPV6},           /* 6 */
    {"dohpath", VALUE_PATH},            /* 7 */
    {"ohttp", VALUE_NOTHING},           /* 8 */
};

static enum value value_of(uint16_t key)
{
    return key < N_KEYS ? keys[key].value : VALUE_BYTES;
}

/* ---- what is valid --------------------------------------------------------------------------- */

struct param {
    uint16_t key;
    struct slice value;
};

/* Cuts the next one off; false where there is none that is whole. */
static bool take_param(struct slice *params, struct param *ret_param)
{
    if (params->len < HEAD_BYTES)
        return false;
    size_t len = dns_get16(params->ptr + 2);
    if (params->len - HEAD_BYTES < len)
        return false;
    ret_param->key = dns_get16(params->ptr);
    ret_param->value = slice_make(params->ptr + HEAD_BYTES, len);
    *params = slice_skip(*params, HEAD_BYTES + len);
    return true;
}

static bool has_key(struct slice params, uint16_t key)
{
    struct param param;
    while (take_param(&params, &param)) {
        if (param.key == key)
            return true;
    }
    return false;
}

/* Rising, not `mandatory` itself, each there (RFC 9460 section 8). */
static bool are_keys(struct slice value, struct slice params)
{
    uint16_t last = KEY_MANDATORY;
    for (size_t at = 0; at + 2 <= value.len; at += 2) {
        uint16_t key = dns_get16(value.ptr + at);
        if (key <= last || !has_key(params, key))
            return false;
        last = key;
    }
    return value.len > 0 && value.len % 2 == 0;
}

static bool are_ids(struct slice value)
{
    size_t at = 0;
    while (at < value.len) {
        size_t len = (unsigned char)value.ptr[at];
        if (len == 0 || value.len - at - 1 < len)
            return false;
        at += len + 1;
    }
    return value.len > 0;
}

/* With a variable `dns` in a query part: {?dns} or {?dns,more}. */
static bool is_path(struct slice value)
{
    static const struct slice variable = SLICE_INIT("{?dns");
    if (value.len == 0 || value.ptr[0] != '/')
        return false;
    for (size_t at = 1; at + variable.len < value.len; at++) {
        char behind = value.ptr[at + variable.len];
        if (slice_starts(slice_skip(value, at), variable) && (behind == '}' || behind == ','))
            return true;
    }
    return false;
}

static bool is_value(const struct param *param, struct slice params)
{
    struct slice value = param->value;
    switch (value_of(param->key)) {
    case VALUE_KEYS:
        return are_keys(value, params);
    case VALUE_IDS:
        return are_ids(value);
    case VALUE_NOTHING:
        return value.len == 0;
    case VALUE_PORT:
        return value.len == 2;
    case VALUE_IPV4:
        return value.len > 0 && value.len % 4 == 0;
    case VALUE_IPV6:
        return value.len > 0 && value.len % 16 == 0;
    case VALUE_BASE64:
        return value.len > 0;
    case VALUE_PATH:
        return is_path(value);
    case VALUE_BYTES:
    default:
        return param->key != KEY_NONE;
    }
}

bool dns_svcb_is_valid(struct slice params)
{
    struct slice rest = params;
    struct param param;
    int32_t last = -1;
    while (rest.len > 0) {
        if (!take_param(&rest, &param) || param.key <= last || !is_value(&param, params))
            return false;
        last = param.key;
    }
    return !has_key(params, KEY_NO_DEFAULT_ALPN) || has_key(params, KEY_ALPN);
}

/* ---- from text ------------------------------------------------------------------------------- */

/* "port" or "key3"; -1 where it is neither. */
static int key_read(struct slice name, uint16_t *ret_key)
{
    uint64_t value;
    for (unsigned i = 0; i < N_KEYS; i++) {
        if (slice_equal_nocase(name, slice_from(keys[i].name))) {
            *ret_key = (uint16_t)i;
            return 0;
        }
    }
    struct slice digits = slice_skip(name, 3);
    if (!slice_equal_nocase(slice_make(name.ptr, name.len < 3 ? name.len : 3), SLICE("key")) ||
        slice_to_u64(digits, &value) < 0 || value >= KEY_NONE ||
        (digits.len > 1 && digits.ptr[0] == '0'))
        return -1;
    *ret_key = (uint16_t)value;
    return 0;
}

/* The next item of a list without its escapes; *rest as slice_cut() leaves it. */
static int take_id(struct slice *rest, struct dns_out *out, struct err *err)
{
    uint8_t id[DNS_STRING_MAX + 1];
    size_t len = 0, at = 0;
    for (; at < rest->len && rest->ptr[at] != ','; at++) {
        if (rest->ptr[at] == '\\' && ++at == rest->len)
            return err_set(err, "a backslash ends the list of protocols");
        if (len == DNS_STRING_MAX)
            return err_set(err, "a protocol of more than %d bytes", DNS_STRING_MAX);
        id[1 + len++] = (uint8_t)rest->ptr[at];
    }
    if (len == 0)
        return err_set(err, "an empty protocol in the list");
    id[0] = (uint8_t)len;
    *rest = at < rest->len ? slice_skip(*rest, at + 1) : slice_make(NULL, 0);
    return dns_out_put(out, id, len + 1, err);
}

static int put_ids(struct slice text, struct dns_out *out, struct err *err)
{
    do {
        if (take_id(&text, out, err) < 0)
            return -1;
    } while (text.ptr != NULL);
    return 0;
}

/* The list in rising order; what is wrong with the keys shows at the end. */
static int put_keys(struct slice text, struct dns_out *out, struct err *err)
{
    uint8_t *start = out->ptr + out->len;
    while (text.ptr != NULL) {
        struct slice name = slice_cut(&text, ',');
        uint16_t key;
        if (key_read(name, &key) < 0)
            return err_set(err, "\"%.*s\" is no key of a parameter", SLICE_ARG(name));
        if (dns_out_number(out, key, 2, err) < 0)
            return -1;
        for (uint8_t *at = out->ptr + out->len - 2; at > start && dns_get16(at - 2) > key;
             at -= 2) {
            memmove(at, at - 2, 2);
            dns_put16(at - 2, key);
        }
    }
    return 0;
}

static int put_addresses(struct slice text, int family, struct dns_out *out, struct err *err)
{
    while (text.ptr != NULL) {
        struct slice one = slice_cut(&text, ',');
        char copy[INET6_ADDRSTRLEN];
        uint8_t bytes[16];
        if (one.len >= sizeof(copy) || slice_copy(one, copy, sizeof(copy)) == 0 ||
            inet_pton(family, copy, bytes) != 1)
            return err_set(err, "\"%.*s\" is no IPv%c address", SLICE_ARG(one),
                           family == AF_INET ? '4' : '6');
        if (dns_out_put(out, bytes, family == AF_INET ? 4 : 16, err) < 0)
            return -1;
    }
    return 0;
}

static int put_port(struct slice text, struct dns_out *out, struct err *err)
{
    uint64_t port;
    if (slice_to_u64(text, &port) < 0 || port > UINT16_MAX)
        return err_set(err, "\"%.*s\" is no port; want 0 to 65535", SLICE_ARG(text));
    return dns_out_number(out, port, 2, err);
}

static int put_base64(struct slice text, struct dns_out *out, struct err *err)
{
    struct dns_token token = {text, false};
    int n = dns_base64_read(&token, 1, out->ptr + out->len, out->cap - out->len, err);
    out->len += n > 0 ? (size_t)n : 0;
    return n < 0 ? -1 : 0;
}

/* `text` is the value without quotes and escapes. */
static int put_value(uint16_t key, struct slice text, struct dns_out *out, struct err *err)
{
    switch (value_of(key)) {
    case VALUE_KEYS:
        return put_keys(text, out, err);
    case VALUE_IDS:
        return put_ids(text, out, err);
    case VALUE_PORT:
        return put_port(text, out, err);
    case VALUE_IPV4:
        return put_addresses(text, AF_INET, out, err);
    case VALUE_IPV6:
        return put_addresses(text, AF_INET6, out, err);
    case VALUE_BASE64:
        return put_base64(text, out, err);
    case VALUE_NOTHING:
    case VALUE_PATH:
    case VALUE_BYTES:
    default:
        return dns_out_put(out, text.ptr, text.len, err);
    }
}

static void reverse(uint8_t *from, uint8_t *to)
{
    while (from < to) {
        uint8_t byte = *from;
        *from++ = *--to;
        *to = byte;
    }
}

/* The last parameter, at `from`, to where keys rise: three reversals turn a run around. */
static int sort_last(struct dns_out *out, size_t from, struct err *err)
{
    struct slice rest = slice_make((const char *)out->ptr, from);
    uint16_t key = dns_get16(out->ptr + from);
    size_t to = 0;
    struct param param;
    while (take_param(&rest, &param)) {
        if (param.key == key)
            return err_set(err, "the parameter stands twice");
        if (param.key > key)
            break;
        to = from - rest.len;
    }
    reverse(out->ptr + to, out->ptr + from);
    reverse(out->ptr + from, out->ptr + out->len);
    reverse(out->ptr + to, out->ptr + out->len);
    return 0;
}

/* The word behind the key's "=", without the quotes around it. */
static struct slice unquote(struct slice text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return slice_make(text.ptr + 1, text.len - 2);
    return text;
}

/* `key` means bytes where it is written as a number: what is known of it is held against the wire
 * form. */
static int read_param(struct slice word, struct dns_out *out, struct err *err)
{
    struct slice text = word;
    struct slice name = slice_cut(&text, '=');
    uint8_t bytes[VALUE_MAX];
    uint16_t key;
    size_t from = out->len;
    if (key_read(name, &key) < 0)
        return err_set(err, "\"%.*s\" is no key of a parameter", SLICE_ARG(name));
    int n = dns_token_bytes(unquote(text), bytes, sizeof(bytes), err);
    if (n < 0 || dns_out_number(out, key, 2, err) < 0 || dns_out_number(out, 0, 2, err) < 0)
        return -1;
    bool is_raw = key >= N_KEYS || !slice_equal_nocase(name, slice_from(keys[key].name));
    struct slice value = slice_make((const char *)bytes, (size_t)n);
    int result = is_raw ? dns_out_put(out, bytes, value.len, err) : put_value(key, value, out, err);
    if (result < 0)
        return -1;
    size_t len = out->len - from - HEAD_BYTES;
    if (len > VALUE_MAX)
        return err_set(err, "a value of more than %d bytes", VALUE_MAX);
    dns_put16(out->ptr + from + 2, (uint16_t)len);
    return sort_last(out, from, err);
}

/* The first parameter that does not hold beside the others. */
static int check_params(struct slice params, struct err *err)
{
    struct slice rest = params;
    struct param param;
    while (take_param(&rest, &param)) {
        if (is_value(&param, params))
            continue;
        if (param.key == KEY_MANDATORY)
            return err_set(err, "mandatory wants keys that the record has, each once");
        if (param.key < N_KEYS)
            return err_set(err, "%s has a value that it cannot have", keys[param.key].name);
        return err_set(err, "key%u has a value that it cannot have", param.key);
    }
    if (!dns_svcb_is_valid(params))
        return err_set(err, "no-default-alpn wants alpn beside it");
    return 0;
}

int dns_svcb_read(const struct dns_token *tokens, size_t n_tokens, uint8_t *out, size_t cap,
                  struct err *err)
{
    struct dns_out to = {out, cap, 0};
    for (size_t i = 0; i < n_tokens; i++) {
        struct slice word = tokens[i].text;
        if (tokens[i].is_quoted)
            return err_set(err, "want a parameter, key=value, its key without quotes");
        if (read_param(word, &to, err) < 0)
            return err_prefix(err, "%.*s", (int)slice_find(word, '='), word.ptr);
    }
    if (check_params(slice_make((const char *)out, to.len), err) < 0)
        return -1;
    return (int)to.len;
}

/* ---- to text --------------------------------------------------------------------------------- */

static void show_key(uint16_t key, struct text *out)
{
    if (key < N_KEYS)
        text_append(out, slice_from(keys[key].name));
    else
        text_printf(out, "key%u", key);
}

static void show_keys(struct slice value, struct text *out)
{
    for (size_t at = 0; at < value.len; at += 2) {
        if (at > 0)
            text_append_char(out, ',');
        show_key(dns_get16(value.ptr + at), out);
    }
}

static void show_addresses(struct slice value, int family, struct text *out)
{
    size_t step = family == AF_INET ? 4 : 16;
    for (size_t at = 0; at < value.len; at += step) {
        char text[INET6_ADDRSTRLEN];
        if (at > 0)
            text_append_char(out, ',');
        const char *shown = inet_ntop(family, value.ptr + at, text, sizeof(text));
        assert(shown != NULL);
        text_append(out, slice_from(shown));
    }
}

/* The list's own escapes, then those of a string. */
static void show_ids(struct slice value, struct text *out)
{
    struct text list = TEXT_NONE;
    for (size_t at = 0; at < value.len;) {
        size_t end = at + 1 + (unsigned char)value.ptr[at];
        if (at > 0)
            text_append_char(&list, ',');
        for (at++; at < end; at++) {
            if (value.ptr[at] == ',' || value.ptr[at] == '\\')
                text_append_char(&list, '\\');
            text_append_char(&list, value.ptr[at]);
        }
    }
    dns_form_quote(text_slice(&list), out);
    text_deinit(&list);
}

static void show_value(const struct param *param, struct text *out)
{
    struct slice value = param->value;
    switch (value_of(param->key)) {
    case VALUE_KEYS:
        show_keys(value, out);
        break;
    case VALUE_IDS:
        show_ids(value, out);
        break;
    case VALUE_PORT:
        text_printf(out, "%u", dns_get16(value.ptr));
        break;
    case VALUE_IPV4:
        show_addresses(value, AF_INET, out);
        break;
    case VALUE_IPV6:
        show_addresses(value, AF_INET6, out);
        break;
    case VALUE_BASE64:
        dns_base64_show(value, out);
        break;
    case VALUE_NOTHING:
    case VALUE_PATH:
    case VALUE_BYTES:
    default:
        dns_form_quote(value, out);
        break;
    }
}

void dns_svcb_show(struct slice params, struct text *out)
{
    struct param param;
    while (take_param(&params, &param)) {
        text_append_char(out, ' ');
        show_key(param.key, out);
        if (param.value.len == 0)
            continue;
        text_append_char(out, '=');
        show_value(&param, out);
    }
}
