/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of a DNS listener, and what several listeners say together.
 */

#include "dns/listen_conf.h"

#define LIMIT(field) offsetof(struct dns_limits_conf, field)

static const struct conf_word limit_words[] = {
    {.name = "connections",
     .type = CONF_INT,
     .offset = LIMIT(connections),
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .doc = "TCP connections at a time, all loops together; more are closed at once"},
    {.name = "queries",
     .type = CONF_INT,
     .offset = LIMIT(queries),
     .fallback = "100000",
     .min = 1,
     .max = 1000000000,
     .doc = "queries on one TCP connection; then it is closed"},
    {.name = "pipelined",
     .type = CONF_INT,
     .offset = LIMIT(pipelined),
     .fallback = "64",
     .min = 1,
     .max = 10000,
     .doc = "queries of one TCP connection that are answered before others have their turn"},
    {.name = "output",
     .type = CONF_SIZE,
     .offset = LIMIT(output_bytes),
     .fallback = "128k",
     .min = 1024,
     .max = 1 << 30,
     .doc = "answers that wait for one TCP peer; no further query of its is read meanwhile"},
    {.name = "buffer",
     .type = CONF_SIZE,
     .offset = LIMIT(buffer_bytes),
     .fallback = "4M",
     .min = 65536,
     .max = 1 << 30,
     .doc = "of a UDP socket in the kernel, as far as net.core.rmem_max and wmem_max allow"},
    {0},
};

static const struct conf_block limits_block = {
    .size = sizeof(struct dns_limits_conf),
    .words = limit_words,
};

#define MS(field) offsetof(struct dns_timeouts_conf, field)

static const struct conf_word timeout_words[] = {
    {.name = "idle",
     .type = CONF_TIME,
     .offset = MS(idle_ms),
     .fallback = "10s",
     .min = 100,
     .max = 3600000,
     .doc = "of a TCP connection between two queries; told to clients that ask (RFC 7828)"},
    {.name = "query",
     .type = CONF_TIME,
     .offset = MS(query_ms),
     .fallback = "5s",
     .min = 10,
     .max = 600000,
     .doc = "from the first byte of a query over TCP to its last"},
    {.name = "send",
     .type = CONF_TIME,
     .offset = MS(send_ms),
     .fallback = "5s",
     .min = 10,
     .max = 600000,
     .doc = "until a TCP peer takes all answers that wait for it"},
    {0},
};

static const struct conf_block timeouts_block = {
    .size = sizeof(struct dns_timeouts_conf),
    .words = timeout_words,
};

static const struct conf_choice switches[] = {
    {.name = "on", .value = 1, .doc = "yes"},
    {.name = "off", .value = 0, .doc = "no"},
    {0},
};

#define RATE(field) offsetof(struct dns_rate_conf, field)

static const struct conf_word rate_args[] = {
    {.name = "switch",
     .type = CONF_CHOICE,
     .flags = CONF_OPTIONAL,
     .offset = RATE(is_on),
     .fallback = "on",
     .choices = switches,
     .doc = "whether responses are limited at all"},
    {0},
};

static const struct conf_word rate_words[] = {
    {.name = "answers",
     .type = CONF_RATE,
     .offset = RATE(answers),
     .fallback = "200/s",
     .doc = "about one name, or about all names that one wildcard stands for"},
    {.name = "negatives",
     .type = CONF_RATE,
     .offset = RATE(negatives),
     .fallback = "200/s",
     .doc = "that a name or its data are not there, or are elsewhere, from one zone"},
    {.name = "errors",
     .type = CONF_RATE,
     .offset = RATE(errors),
     .fallback = "50/s",
     .doc = "refusals and errors"},
    {.name = "total",
     .type = CONF_RATE,
     .offset = RATE(total),
     .fallback = "5000/s",
     .doc = "all of them together"},
    {.name = "slip",
     .type = CONF_INT,
     .offset = RATE(slip),
     .fallback = "2",
     .min = 0,
     .max = 100,
     .doc =
         "each so manieth response over a rate is sent cut to nothing, so that a real client asks "
         "again over TCP or with a cookie; errors are not sent at all; 0: none"},
    {.name = "ipv4-prefix",
     .type = CONF_INT,
     .offset = RATE(ipv4_bits),
     .fallback = "24",
     .min = 1,
     .max = 32,
     .doc = "bits of an IPv4 address that make a network"},
    {.name = "ipv6-prefix",
     .type = CONF_INT,
     .offset = RATE(ipv6_bits),
     .fallback = "56",
     .min = 1,
     .max = 128,
     .doc = "bits of an IPv6 address that make a network"},
    {.name = "table",
     .type = CONF_INT,
     .offset = RATE(n_networks),
     .fallback = "65536",
     .min = 1024,
     .max = 16777216,
     .doc = "rates remembered in each loop, 16 bytes each; the idlest gives way"},
    {.name = "exempt",
     .type = CONF_NET,
     .flags = CONF_REPEAT,
     .offset = RATE(exempt_list),
     .doc = "a network that is not limited; without any: 127.0.0.0/8 and ::1, which nobody forges "
            "from outside"},
    {0},
};

static const struct conf_block rate_block = {
    .size = sizeof(struct dns_rate_conf),
    .args = rate_args,
    .words = rate_words,
};

static const struct conf_word listen_args[] = {
    {.name = "address",
     .type = CONF_ADDR,
     .offset = offsetof(struct dns_listen_conf, addr),
     .doc = "where it is asked, over UDP and TCP"},
    {0},
};

static const struct conf_word listen_words[] = {
    {.name = "name",
     .type = CONF_NAME,
     .offset = offsetof(struct dns_listen_conf, name),
     .doc = "what it is called in facts and metrics; without it, by its address"},
    {.name = "id",
     .type = CONF_STRING,
     .offset = offsetof(struct dns_listen_conf, id),
     .doc = "the answer to CHAOS id.server and hostname.bind; the node's name unless told, and "
            "without nodes none; at most 128 bytes"},
    {.name = "nsid",
     .type = CONF_STRING,
     .offset = offsetof(struct dns_listen_conf, nsid),
     .doc = "told to who asks for the name server's identifier (RFC 5001), at most 128 "
            "bytes; as id unless told"},
    {.name = "version",
     .type = CONF_STRING,
     .offset = offsetof(struct dns_listen_conf, version),
     .doc = "the answer to CHAOS version.server and version.bind, at most 255 bytes; without it "
            "they are refused"},
    {.name = "cookies",
     .type = CONF_CHOICE,
     .offset = offsetof(struct dns_listen_conf, has_cookies),
     .fallback = "on",
     .choices = switches,
     .doc = "DNS cookies (RFC 7873, 9018); who brings a good one is not limited"},
    {.name = "edns-size",
     .type = CONF_INT,
     .offset = offsetof(struct dns_listen_conf, edns_bytes),
     .fallback = "1232",
     .min = 512,
     .max = 4096,
     .doc = "the largest answer over UDP, in bytes; a longer one is cut, and asked for over TCP"},
    {.name = "limits",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct dns_listen_conf, limits),
     .block = &limits_block,
     .doc = "how much of everything is accepted"},
    {.name = "timeout",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct dns_listen_conf, timeouts),
     .block = &timeouts_block,
     .doc = "how long each part of a TCP connection may take"},
    {.name = "rate-limit",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct dns_listen_conf, rate),
     .block = &rate_block,
     .doc = "how many UDP responses the network of a client gets that shows no good cookie"},
    {0},
};

static int too_long(struct conf_load *load, const struct dns_listen_conf *listen, const char *word,
                    int most)
{
    return conf_error(load->diag, conf_where(&listen->object, word), NULL,
                      "at most %d bytes fit where this is told", most);
}

static int listen_finish(struct conf_load *load, void *self)
{
    const struct dns_listen_conf *listen = self;
    int family = addr_family(&listen->addr.addr);
    if (family != AF_INET && family != AF_INET6)
        return conf_error(load->diag, listen->addr.at, "dns 0.0.0.0:53",
                          "DNS is asked at an IP address");
    if (listen->id.len > DNS_IDENTITY_MAX)
        return too_long(load, listen, "id", DNS_IDENTITY_MAX);
    if (listen->nsid.len > DNS_IDENTITY_MAX)
        return too_long(load, listen, "nsid", DNS_IDENTITY_MAX);
    /* It is one character string of a TXT record. */
    if (listen->version.len > 255)
        return too_long(load, listen, "version", 255);
    return 0;
}

const struct conf_block dns_listen_block = {
    .size = sizeof(struct dns_listen_conf),
    .args = listen_args,
    .words = listen_words,
    .finish = listen_finish,
};

int dns_listen_check(const struct conf_list *list, size_t index, struct conf_load *load)
{
    struct dns_listen_conf *listen = list->items[index];
    if (listen->name.len == 0)
        listen->name = listen->addr.text;
    listen->fact = arena_printf(load->arena, "dns:%.*s", SLICE_ARG(listen->name));
    listen->tcp = arena_printf(load->arena, "dns-tcp:%.*s", SLICE_ARG(listen->name));
    if (index == DNS_LISTENS_MAX)
        return conf_error(load->diag, listen->object.at, NULL, "more than %d dns listeners",
                          DNS_LISTENS_MAX);
    for (size_t i = 0; i < index; i++) {
        const struct dns_listen_conf *earlier = list->items[i];
        if (addr_equal(&earlier->addr.addr, &listen->addr.addr))
            return conf_error(load->diag, listen->addr.at, NULL,
                              "dns %.*s (line %u) has this address already",
                              SLICE_ARG(earlier->name), earlier->addr.at.line);
        if (slice_equal(earlier->name, listen->name))
            return conf_error(load->diag, conf_where(&listen->object, "name"), NULL,
                              "dns on line %u has this name already", earlier->addr.at.line);
    }
    return 0;
}
