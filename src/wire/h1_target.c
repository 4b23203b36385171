/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request target (RFC 9112 section 3.2): which of the four forms it has, and where path, query
 * and authority lie in it.
 */
#include "wire/h1_reader.h"
#include "wire/h1_scan.h"
#include <arpa/inet.h>

/* A text for inet_pton(): the longest IPv6 address and a NUL. */
enum { IPV6_TEXT_MAX = INET6_ADDRSTRLEN };

/* path?query at the end of the target. */
static void read_path(struct h1_head *head, const char *buf, struct h1_span rest)
{
    const char *begin = buf + rest.off;
    const char *mark = rest.len ? memchr(begin, '?', rest.len) : NULL;
    size_t path_len = mark ? (size_t)(mark - begin) : rest.len;

    head->path = h1_span_make(rest.off, path_len);
    head->is_query = mark;
    if (mark)
        head->query = h1_span_make(rest.off + path_len + 1, rest.len - path_len - 1);
}

/* [address]: the length with the brackets, or 0. */
static size_t scan_ipv6(struct slice text)
{
    char copy[IPV6_TEXT_MAX];
    struct in6_addr address;
    size_t end = slice_find(text, ']');

    if (end == text.len || end - 1 >= sizeof(copy))
        return 0;
    memcpy(copy, text.ptr + 1, end - 1);
    copy[end - 1] = '\0';
    if (memchr(copy, '\0', end - 1) || inet_pton(AF_INET6, copy, &address) != 1)
        return 0;
    return end + 1;
}

/* A registered name or an IPv4 address, up to the first byte that is not of it. */
static size_t scan_name(struct slice text)
{
    size_t i = 0;

    while (i < text.len) {
        if (h1_is_class(text.ptr[i], H1_CLASS_HOST))
            i++;
        else if (text.ptr[i] == '%' && text.len - i > 2 &&
                 h1_is_class(text.ptr[i + 1], H1_CLASS_HEX) &&
                 h1_is_class(text.ptr[i + 2], H1_CLASS_HEX))
            i += 3;
        else
            break;
    }
    return i;
}

/* The digits behind the colon, which may be missing: 0 with 0 for none, or -1. */
static int read_port(struct slice digits, uint16_t *ret_port)
{
    uint64_t port;

    *ret_port = 0;
    if (digits.len == 0)
        return 0;
    if (digits.len > 5 || slice_to_u64(digits, &port) || port == 0 || port > UINT16_MAX)
        return -1;
    *ret_port = (uint16_t)port;
    return 0;
}

int h1_parse_authority(struct slice text, uint32_t *ret_host_len, uint16_t *ret_port)
{
    size_t len = text.len > 0 && text.ptr[0] == '[' ? scan_ipv6(text) : scan_name(text);
    uint16_t port = 0;

    if (len == 0)
        return -1;
    if (len < text.len && (text.ptr[len] != ':' || read_port(slice_skip(text, len + 1), &port)))
        return -1;
    *ret_host_len = (uint32_t)len;
    *ret_port = port;
    return 0;
}

static enum h1_error read_authority(struct h1_head *head, const char *buf, struct h1_span span)
{
    uint32_t host_len;

    if (h1_parse_authority(h1_slice(buf, span), &host_len, &head->port))
        return H1_ERR_TARGET_FORM;
    head->authority = span;
    head->host = h1_span_make(span.off, host_len);
    return H1_OK;
}

/* The length of http:// or https:// at the beginning of the target, or 0. */
static uint32_t scheme_len(struct slice target)
{
    static const struct slice schemes[] = {SLICE_INIT("http://"), SLICE_INIT("https://")};

    for (unsigned i = 0; i < 2; i++)
        if (target.len >= schemes[i].len &&
            slice_equal_nocase(slice_make(target.ptr, schemes[i].len), schemes[i]))
            return (uint32_t)schemes[i].len;
    return 0;
}

static enum h1_error read_absolute(struct h1_head *head, const char *buf)
{
    uint32_t skip = scheme_len(h1_slice(buf, head->target));
    uint32_t off = head->target.off + skip;
    uint32_t end = head->target.off + head->target.len;
    uint32_t at = off;

    if (skip == 0)
        return H1_ERR_TARGET_FORM;
    while (at < end && buf[at] != '/' && buf[at] != '?')
        at++;
    head->form = H1_FORM_ABSOLUTE;
    head->is_https_target = skip == sizeof("https://") - 1;
    head->is_line_changed = true;
    read_path(head, buf, h1_span_make(at, end - at));
    return read_authority(head, buf, h1_span_make(off, at - off));
}

enum h1_error h1_read_target(struct h1_head *head, const char *buf)
{
    enum h1_error error;

    if (head->method == H1_METHOD_CONNECT) {
        head->form = H1_FORM_AUTHORITY;
        error = read_authority(head, buf, head->target);
        return error == H1_OK && head->port == 0 ? H1_ERR_TARGET_FORM : error;
    }
    if (buf[head->target.off] == '/') {
        head->form = H1_FORM_ORIGIN;
        read_path(head, buf, head->target);
        return H1_OK;
    }
    if (buf[head->target.off] == '*') {
        head->form = H1_FORM_ASTERISK;
        return head->target.len == 1 ? H1_OK : H1_ERR_TARGET_FORM;
    }
    return read_absolute(head, buf);
}
