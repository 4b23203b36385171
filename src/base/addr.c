/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses from text and back. The parsers are strict, because an address that two programs read
 * differently (010.0.0.1 is 8.0.0.1 to some) is worse than none; what they refuse they name, with
 * the form that is right.
 */
#include "base/addr.h"
#include "base/ascii.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    IP6_TEXT_MAX = 46, /* INET6_ADDRSTRLEN, with the NUL */
    QUOTE_MAX = 80,    /* how much of a wrong word a sentence repeats */
    PORT_MAX = 65535,
    UN_PATH_OFFSET = offsetof(struct sockaddr_un, sun_path),
    /* A path needs its NUL, an abstract name the NUL in front: one byte less either way. */
    UN_NAME_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
};

/* ---- words in sentences ---- */

struct quote {
    char text[QUOTE_MAX + 4];
};

/* The word as a sentence may repeat it: printable, and not for pages. */
static const char *quote(struct slice word, struct quote *into)
{
    size_t len = word.len < QUOTE_MAX ? word.len : QUOTE_MAX;
    for (size_t i = 0; i < len; i++)
        into->text[i] = ascii_is_control(word.ptr[i]) ? '?' : word.ptr[i];
    memcpy(into->text + len, word.len > len ? "..." : "", word.len > len ? 4 : 1);
    return into->text;
}

/* ---- IP addresses ---- */

/* Four octets, decimal, without leading zeros. `where` is what the sentence repeats. */
static int parse_octets(struct slice text, struct slice where, uint8_t octets[4], struct err *err)
{
    struct quote q, part_q;
    struct slice rest = text;
    unsigned n = 0;
    while (rest.ptr) {
        struct slice part = slice_cut(&rest, '.');
        uint64_t value;
        if (n++ == 4)
            break;
        if (part.len == 0)
            return err_set(err, "\"%s\" has a number missing beside a dot: write it like 10.0.0.1",
                           quote(where, &q));
        if (slice_to_u64(part, &value) < 0 || value > 255)
            return err_set(err, "\"%s\": %s is above 255, the largest number in an IPv4 address",
                           quote(where, &q), quote(part, &part_q));
        if (part.len > 1 && part.ptr[0] == '0')
            return err_set(err,
                           "\"%s\": %s starts with a zero, which some programs read as octal: "
                           "write %u",
                           quote(where, &q), quote(part, &part_q), (unsigned)value);
        octets[n - 1] = (uint8_t)value;
    }
    if (n != 4)
        return err_set(err, "\"%s\" has %s than four numbers: write it like 10.0.0.1",
                       quote(where, &q), n < 4 ? "fewer" : "more");
    return 0;
}

static bool is_ip4_like(struct slice text)
{
    bool has_dot = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.')
            has_dot = true;
        else if (!ascii_is_digit(text.ptr[i]))
            return false;
    }
    return has_dot;
}

/* Two colons at least: an IPv6 address, or nothing that is right. */
static bool is_ip6_like(struct slice text)
{
    struct slice behind = slice_skip(text, slice_find(text, ':') + 1);
    return slice_find(behind, ':') < behind.len;
}

static bool is_ip6(struct slice text, struct in6_addr *ret_ip)
{
    char copy[IP6_TEXT_MAX];
    if (text.len >= sizeof(copy) || slice_find(text, '\0') < text.len)
        return false;
    slice_copy(text, copy, sizeof(copy));
    return inet_pton(AF_INET6, copy, ret_ip) == 1;
}

static void set_ip4(struct addr *addr, const uint8_t octets[4], uint16_t port)
{
    memset(addr, 0, sizeof(*addr));
    addr->len = sizeof(addr->in4);
    addr->in4.sin_family = AF_INET;
    addr->in4.sin_port = htons(port);
    memcpy(&addr->in4.sin_addr, octets, 4);
}

static void set_ip6(struct addr *addr, const struct in6_addr *ip, uint16_t port)
{
    memset(addr, 0, sizeof(*addr));
    addr->len = sizeof(addr->in6);
    addr->in6.sin6_family = AF_INET6;
    addr->in6.sin6_port = htons(port);
    addr->in6.sin6_addr = *ip;
}

static int parse_ip4(struct slice text, struct slice where, uint16_t port, struct addr *ret_addr,
                     struct err *err)
{
    uint8_t octets[4];
    if (parse_octets(text, where, octets, err) < 0)
        return -1;
    set_ip4(ret_addr, octets, port);
    return 0;
}

/* The text between brackets, or the text itself where it has none. */
static struct slice without_brackets(struct slice text)
{
    if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        return (struct slice){text.ptr + 1, text.len - 2};
    return text;
}

static int parse_ip6(struct slice text, struct slice where, uint16_t port, struct addr *ret_addr,
                     struct err *err)
{
    struct in6_addr ip;
    struct quote q;
    bool is_alone = without_brackets(where).len == text.len;
    if (slice_find(text, '%') < text.len)
        return err_set(err,
                       "\"%s\" names an interface after %%, which is not possible here: write an "
                       "address that needs none",
                       quote(where, &q));
    if (!is_ip6(text, &ip))
        return err_set(err, "\"%s\" holds no IPv6 address that is right: write it like %s",
                       quote(where, &q), is_alone ? "2001:db8::1" : "[2001:db8::1]:80");
    set_ip6(ret_addr, &ip, port);
    return 0;
}

/* What addr_parse_ip() says where the text would be right with its port. */
static int refuse_port(struct slice text, struct err *err)
{
    struct addr addr = {.len = 0};
    struct quote q;
    char ip[ADDR_TEXT_MAX];
    if (addr_parse(text, &addr, NULL) < 0 || addr_family(&addr) == AF_UNIX)
        return 0;
    return err_set(err, "\"%s\" has a port where an address alone belongs: write %s",
                   quote(text, &q), addr_format_ip(&addr, ip));
}

int addr_parse_ip(struct slice text, uint16_t port, struct addr *ret_addr, struct err *err)
{
    struct quote q;
    if (text.len == 0)
        return err_set(err, "the IP address is empty: write it like 10.0.0.1 or 2001:db8::1");
    struct slice inner = without_brackets(text);
    if (is_ip4_like(text))
        return parse_ip4(text, text, port, ret_addr, err);
    if (refuse_port(text, err) < 0)
        return -1;
    if (inner.len != text.len || is_ip6_like(text))
        return parse_ip6(inner, text, port, ret_addr, err);
    return err_set(err, "\"%s\" is not an IP address: write it like 10.0.0.1 or 2001:db8::1",
                   quote(text, &q));
}

/* ---- addresses with a port ---- */

static int parse_port(struct slice text, struct slice where, uint16_t *ret_port, struct err *err)
{
    struct quote q, text_q;
    uint64_t port;
    if (text.len == 0)
        return err_set(err, "\"%s\" ends where its port belongs: write %s80", quote(where, &q),
                       quote(where, &text_q));
    if (slice_to_u64(text, &port) < 0 || port < 1 || port > PORT_MAX)
        return err_set(err, "\"%s\": \"%s\" is not a port: write a number from 1 to %d",
                       quote(where, &q), quote(text, &text_q), PORT_MAX);
    if (text.ptr[0] == '0')
        return err_set(err, "\"%s\": the port %s starts with a zero: write %u", quote(where, &q),
                       quote(text, &text_q), (unsigned)port);
    *ret_port = (uint16_t)port;
    return 0;
}

static int parse_bracketed(struct slice text, struct addr *ret_addr, struct err *err)
{
    struct quote q, text_q;
    size_t end = slice_find(text, ']');
    if (end == text.len)
        return err_set(err, "\"%s\" has no ] behind its IPv6 address: write it like [::1]:80",
                       quote(text, &q));
    struct slice ip = {text.ptr + 1, end - 1};
    struct slice behind = slice_skip(text, end + 1);
    struct addr addr;
    if (parse_ip6(ip, text, 0, &addr, err) < 0)
        return -1;
    if (behind.len == 0)
        return err_set(err, "\"%s\" has no port: write %s:80", quote(text, &q),
                       quote(text, &text_q));
    if (behind.ptr[0] != ':')
        return err_set(err, "\"%s\" has no : between ] and its port: write it like [::1]:80",
                       quote(text, &q));
    uint16_t port;
    if (parse_port(slice_skip(behind, 1), text, &port, err) < 0)
        return -1;
    *ret_addr = addr;
    addr_set_port(ret_addr, port);
    return 0;
}

/* An IPv6 address without brackets, with a port behind it or not: ::1:80 may be either. */
static int refuse_bare_ip6(struct slice text, struct err *err)
{
    struct in6_addr ip;
    struct quote q, host_q, port_q;
    size_t colon = text.len - 1;
    while (text.ptr[colon] != ':')
        colon--;
    struct slice host = {text.ptr, colon};
    struct slice port_text = slice_skip(text, colon + 1);
    uint16_t port;
    if (is_ip6(host, &ip) && parse_port(port_text, text, &port, NULL) == 0)
        return err_set(err,
                       "\"%s\" needs brackets to tell its address from its port: write [%s]:%s",
                       quote(text, &q), quote(host, &host_q), quote(port_text, &port_q));
    if (is_ip6(text, &ip))
        return err_set(err, "\"%s\" has no port: write [%s]:80", quote(text, &q),
                       quote(text, &host_q));
    return err_set(err, "\"%s\" is not an address: write it like 10.0.0.1:80 or [::1]:80",
                   quote(text, &q));
}

static int refuse_no_port(struct slice text, struct err *err)
{
    struct quote q, text_q;
    uint64_t number;
    if (is_ip4_like(text)) {
        uint8_t octets[4];
        if (parse_octets(text, text, octets, err) < 0)
            return -1;
        return err_set(err, "\"%s\" has no port: write %s:80", quote(text, &q),
                       quote(text, &text_q));
    }
    if (slice_to_u64(text, &number) == 0)
        return err_set(err, "\"%s\" has no IP address: write 127.0.0.1:%s, or 0.0.0.0:%s for all",
                       quote(text, &q), quote(text, &text_q), quote(text, &text_q));
    if (text.ptr[0] == '/')
        return err_set(err, "\"%s\" is a path: write unix:%s", quote(text, &q),
                       quote(text, &text_q));
    return err_set(err,
                   "\"%s\" is not an address: write it like 10.0.0.1:80, [::1]:80 or unix:/path",
                   quote(text, &q));
}

static int parse_ip4_port(struct slice text, size_t colon, struct addr *ret_addr, struct err *err)
{
    struct quote q, host_q, port_q;
    struct slice host = {text.ptr, colon};
    struct slice port_text = slice_skip(text, colon + 1);
    uint16_t port;
    if (host.len == 0 || slice_is(host, "*"))
        return err_set(err, "\"%s\" has no IP address: write 0.0.0.0:%s for all addresses",
                       quote(text, &q), port_text.len ? quote(port_text, &port_q) : "80");
    if (!is_ip4_like(host))
        return err_set(err, "\"%s\": \"%s\" is not an IP address: write it like 10.0.0.1:80",
                       quote(text, &q), quote(host, &host_q));
    struct addr addr;
    if (parse_ip4(host, text, 0, &addr, err) < 0 || parse_port(port_text, text, &port, err) < 0)
        return -1;
    *ret_addr = addr;
    addr_set_port(ret_addr, port);
    return 0;
}

/* ---- unix sockets ---- */

static int check_unix_name(struct slice name, struct slice where, struct err *err)
{
    struct quote q, name_q;
    bool is_abstract = name.len && name.ptr[0] == '@';
    size_t len = is_abstract ? name.len - 1 : name.len;
    if (len == 0)
        return err_set(err, "\"%s\" has no %s: write it like unix:/run/app.sock or unix:@app",
                       quote(where, &q), is_abstract ? "name behind the @" : "path");
    for (size_t i = 0; i < name.len; i++)
        if (ascii_is_control(name.ptr[i]))
            return err_set(err, "\"%s\" has a control character in it: write it without",
                           quote(where, &q));
    if (len > UN_NAME_MAX)
        return err_set(err, "\"%s\" has %zu bytes behind unix:, and a socket's %s at most %d",
                       quote(where, &q), name.len, is_abstract ? "name has with its @" : "path has",
                       is_abstract ? UN_NAME_MAX + 1 : UN_NAME_MAX);
    if (!is_abstract && name.ptr[0] != '/')
        return err_set(err, "\"%s\" has no / at the start of its path: write unix:/%s",
                       quote(where, &q), quote(name, &name_q));
    if (!is_abstract && name.ptr[name.len - 1] == '/')
        return err_set(err, "\"%s\" is a folder: write the path of the socket in it",
                       quote(where, &q));
    return 0;
}

static int parse_unix(struct slice name, struct slice where, struct addr *ret_addr, struct err *err)
{
    if (check_unix_name(name, where, err) < 0)
        return -1;
    memset(ret_addr, 0, sizeof(*ret_addr));
    ret_addr->un.sun_family = AF_UNIX;
    memcpy(ret_addr->un.sun_path, name.ptr, name.len);
    bool is_abstract = name.ptr[0] == '@';
    if (is_abstract)
        ret_addr->un.sun_path[0] = '\0';
    ret_addr->len = (socklen_t)(UN_PATH_OFFSET + name.len + (is_abstract ? 0 : 1));
    return 0;
}

static int refuse_net(struct slice text, struct err *err)
{
    struct addr_net net;
    struct quote q;
    if (slice_find(text, '/') == text.len || addr_net_parse(text, &net, NULL) < 0)
        return 0;
    return err_set(err, "\"%s\" is a network where an address belongs: write it like %s",
                   quote(text, &q), net.base.sa.sa_family == AF_INET ? "10.0.0.1:80" : "[::1]:80");
}

int addr_parse(struct slice text, struct addr *ret_addr, struct err *err)
{
    if (text.len == 0)
        return err_set(err, "the address is empty: write 10.0.0.1:80, [::1]:80 or unix:/path");
    if (slice_starts(text, SLICE("unix:")))
        return parse_unix(slice_skip(text, strlen("unix:")), text, ret_addr, err);
    if (refuse_net(text, err) < 0)
        return -1;
    if (text.ptr[0] == '[')
        return parse_bracketed(text, ret_addr, err);
    size_t colon = slice_find(text, ':');
    if (colon == text.len)
        return refuse_no_port(text, err);
    if (is_ip6_like(text))
        return refuse_bare_ip6(text, err);
    return parse_ip4_port(text, colon, ret_addr, err);
}

/* ---- values ---- */

/*
 * The name of a unix socket without its NULs; of an abstract one without the NUL in front. The
 * kernel counts a path's NUL in some lengths that it returns, and has room for none in others.
 */
static struct slice unix_name(const struct addr *addr, bool *ret_is_abstract)
{
    *ret_is_abstract = false;
    if (addr->len <= UN_PATH_OFFSET)
        return (struct slice){NULL, 0};
    size_t len = addr->len - UN_PATH_OFFSET;
    if (len > sizeof(addr->un.sun_path))
        len = sizeof(addr->un.sun_path);
    const char *path = addr->un.sun_path;
    *ret_is_abstract = path[0] == '\0';
    if (*ret_is_abstract)
        return (struct slice){path + 1, len - 1};
    return (struct slice){path, strnlen(path, len)};
}

static void format_unix(const struct addr *addr, char text[ADDR_TEXT_MAX])
{
    bool is_abstract;
    struct slice name = unix_name(addr, &is_abstract);
    size_t at = slice_copy(is_abstract ? SLICE("unix:@") : SLICE("unix:"), text, ADDR_TEXT_MAX);
    slice_copy(name, text + at, ADDR_TEXT_MAX - at);
    for (size_t i = 0; i < name.len; i++)
        if (ascii_is_control(text[at + i]))
            text[at + i] = '?';
}

const char *addr_format_ip(const struct addr *addr, char text[ADDR_TEXT_MAX])
{
    text[0] = '\0';
    switch (addr->len ? addr->sa.sa_family : AF_UNSPEC) {
    case AF_INET:
        return inet_ntop(AF_INET, &addr->in4.sin_addr, text, ADDR_TEXT_MAX);
    case AF_INET6:
        return inet_ntop(AF_INET6, &addr->in6.sin6_addr, text, ADDR_TEXT_MAX);
    case AF_UNIX:
        slice_copy(SLICE("unix"), text, ADDR_TEXT_MAX);
        return text;
    default:
        slice_copy(SLICE("none"), text, ADDR_TEXT_MAX);
        return text;
    }
}

const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX])
{
    char ip[ADDR_TEXT_MAX];
    switch (addr->len ? addr->sa.sa_family : AF_UNSPEC) {
    case AF_INET:
        (void)snprintf(text, ADDR_TEXT_MAX, "%.46s:%u", addr_format_ip(addr, ip), addr_port(addr));
        return text;
    case AF_INET6:
        (void)snprintf(text, ADDR_TEXT_MAX, "[%.46s]:%u", addr_format_ip(addr, ip),
                       addr_port(addr));
        return text;
    case AF_UNIX:
        format_unix(addr, text);
        return text;
    default:
        return addr_format_ip(addr, text);
    }
}

static bool unix_equal(const struct addr *a, const struct addr *b)
{
    bool a_is_abstract, b_is_abstract;
    struct slice a_name = unix_name(a, &a_is_abstract);
    struct slice b_name = unix_name(b, &b_is_abstract);
    return a_is_abstract == b_is_abstract && slice_equal(a_name, b_name);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    if (a->len == 0 || b->len == 0)
        return a->len == b->len;
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    switch (a->sa.sa_family) {
    case AF_INET:
        return a->in4.sin_port == b->in4.sin_port &&
               a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
    case AF_INET6:
        return a->in6.sin6_port == b->in6.sin6_port &&
               a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
               memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
    case AF_UNIX:
        return unix_equal(a, b);
    default:
        return false;
    }
}

uint16_t addr_port(const struct addr *addr)
{
    switch (addr->len ? addr->sa.sa_family : AF_UNSPEC) {
    case AF_INET:
        return ntohs(addr->in4.sin_port);
    case AF_INET6:
        return ntohs(addr->in6.sin6_port);
    default:
        return 0;
    }
}

void addr_set_port(struct addr *addr, uint16_t port)
{
    switch (addr->len ? addr->sa.sa_family : AF_UNSPEC) {
    case AF_INET:
        addr->in4.sin_port = htons(port);
        break;
    case AF_INET6:
        addr->in6.sin6_port = htons(port);
        break;
    default:
        break;
    }
}

/* ---- networks ---- */

/* The bytes of an IP address in network order and their number; 0 for other families. */
static unsigned ip_bytes(const struct addr *addr, const uint8_t **ret_bytes)
{
    switch (addr->len ? addr->sa.sa_family : AF_UNSPEC) {
    case AF_INET:
        *ret_bytes = (const uint8_t *)&addr->in4.sin_addr;
        return 4;
    case AF_INET6:
        *ret_bytes = addr->in6.sin6_addr.s6_addr;
        return 16;
    default:
        return 0;
    }
}

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix, unsigned n_bits)
{
    unsigned n_whole = n_bits / 8;
    uint8_t mask = (uint8_t)(0xff00u >> n_bits % 8);
    return memcmp(bytes, prefix, n_whole) == 0 &&
           (mask == 0 || ((bytes[n_whole] ^ prefix[n_whole]) & mask) == 0);
}

/* The address with the bits behind its first n_bits zero. */
static struct addr masked(const struct addr *addr, unsigned n_bits)
{
    struct addr result = *addr;
    uint8_t *bytes = addr->sa.sa_family == AF_INET ? (uint8_t *)&result.in4.sin_addr
                                                   : result.in6.sin6_addr.s6_addr;
    unsigned n_bytes = addr->sa.sa_family == AF_INET ? 4 : 16;
    for (unsigned i = 0; i < n_bytes; i++) {
        unsigned n_kept = n_bits > 8 * i ? n_bits - 8 * i : 0;
        if (n_kept < 8)
            bytes[i] &= (uint8_t)(0xff00u >> n_kept);
    }
    return result;
}

static int parse_net_len(struct slice text, struct slice where, unsigned n_max, uint8_t *ret_len,
                         struct err *err)
{
    struct quote q, text_q;
    uint64_t len;
    if (text.len == 0)
        return err_set(err, "\"%s\" ends where its length belongs: write %s%u", quote(where, &q),
                       quote(where, &text_q), n_max);
    if (slice_to_u64(text, &len) < 0 || len > n_max || (text.len > 1 && text.ptr[0] == '0'))
        return err_set(err, "\"%s\": \"%s\" is not a length: write a number from 0 to %u behind /",
                       quote(where, &q), quote(text, &text_q), n_max);
    *ret_len = (uint8_t)len;
    return 0;
}

int addr_net_parse(struct slice text, struct addr_net *ret_net, struct err *err)
{
    struct quote q;
    struct addr_net net;
    struct slice len_text = text;
    struct slice ip = slice_cut(&len_text, '/');
    if (text.len == 0)
        return err_set(err, "the network is empty: write it like 10.0.0.0/8 or 2001:db8::/32");
    if (text.ptr[0] == '[')
        return err_set(err, "\"%s\" has brackets, which only a port needs: write it like ::1/128",
                       quote(text, &q));
    if (ip.len == 0)
        return err_set(err, "\"%s\" has no address before its /: write it like 10.0.0.0/8",
                       quote(text, &q));
    if (addr_parse_ip(ip, 0, &net.base, err) < 0)
        return -1;
    unsigned n_max = net.base.sa.sa_family == AF_INET ? 32 : 128;
    net.n_bits = (uint8_t)n_max;
    if (len_text.ptr && parse_net_len(len_text, text, n_max, &net.n_bits, err) < 0)
        return -1;
    struct addr base = masked(&net.base, net.n_bits);
    char base_text[ADDR_TEXT_MAX];
    if (!addr_equal(&base, &net.base))
        return err_set(err, "\"%s\" has bits set behind its first %u: write %s/%u", quote(text, &q),
                       (unsigned)net.n_bits, addr_format_ip(&base, base_text),
                       (unsigned)net.n_bits);
    *ret_net = net;
    return 0;
}

bool addr_net_has(const struct addr_net *net, const struct addr *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *prefix = NULL, *bytes = NULL;
    unsigned n_prefix = ip_bytes(&net->base, &prefix);
    unsigned n_bytes = ip_bytes(addr, &bytes);
    if (n_bytes == 16 && n_prefix == 4 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        bytes += sizeof(mapped);
        n_bytes = 4;
    }
    return n_prefix != 0 && n_bytes == n_prefix && has_prefix(bytes, prefix, net->n_bits);
}
