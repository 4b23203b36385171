/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading hosts(5) and resolv.conf(5) from memory.
 */

#include "net/hosts.h"

#include <stdio.h>

enum { DNS_PORT = 53 };

struct hosts_entry {
    struct addr addr;
    struct hosts_entry *next; /* of the same name, in the order of the file */
};

/* ---- words of a line ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Cuts the next word off `*line`; an empty one at its end. */
static struct slice next_word(struct slice *line)
{
    size_t begin = 0;
    while (begin < line->len && is_blank(line->ptr[begin]))
        begin++;
    size_t end = begin;
    while (end < line->len && !is_blank(line->ptr[end]))
        end++;
    struct slice word = slice_make(line->ptr ? line->ptr + begin : NULL, end - begin);
    *line = slice_skip(*line, end);
    return word;
}

static struct slice without(struct slice line, char comment)
{
    line.len = slice_find(line, comment);
    return line;
}

static struct slice without_last_dot(struct slice name)
{
    if (name.len && name.ptr[name.len - 1] == '.')
        name.len--;
    return name;
}

/* ---- hosts ---- */

static void hosts_add(struct hosts *hosts, struct slice name, const struct addr *addr)
{
    struct hosts_entry *last = map_get(&hosts->names, name);
    unsigned n_addrs = last ? 1 : 0;
    for (; last && last->next; last = last->next)
        n_addrs++;
    if (n_addrs == HOSTS_ADDRS_MAX)
        return;
    struct hosts_entry *entry = ARENA_NEW(&hosts->arena, struct hosts_entry);
    entry->addr = *addr;
    if (last)
        last->next = entry;
    else
        map_put(&hosts->names, arena_dup(&hosts->arena, name), entry);
}

static void hosts_add_line(struct hosts *hosts, struct slice line)
{
    struct addr addr;
    if (addr_parse_ip(next_word(&line), 0, &addr, NULL) < 0)
        return;
    for (struct slice name; (name = next_word(&line)).len > 0;) {
        name = without_last_dot(name);
        if (name.len && name.len <= HOSTS_NAME_MAX)
            hosts_add(hosts, name, &addr);
    }
}

void hosts_init(struct hosts *hosts, struct slice bytes, uint64_t seed)
{
    arena_init(&hosts->arena);
    map_init(&hosts->names, seed, true);
    while (bytes.ptr)
        hosts_add_line(hosts, without(slice_cut(&bytes, '\n'), '#'));
}

void hosts_deinit(struct hosts *hosts)
{
    map_deinit(&hosts->names);
    arena_deinit(&hosts->arena);
}

static size_t add_family(const struct hosts_entry *entry, int family, struct addr *ret_addrs,
                         size_t n, size_t max)
{
    for (; entry && n < max; entry = entry->next) {
        if (addr_family(&entry->addr) == family)
            ret_addrs[n++] = entry->addr;
    }
    return n;
}

static bool is_localhost(struct slice name)
{
    static const struct slice tail = SLICE_INIT(".localhost");
    if (slice_equal_nocase(name, SLICE("localhost")))
        return true;
    return name.len > tail.len && slice_equal_nocase(slice_skip(name, name.len - tail.len), tail);
}

size_t hosts_find(const struct hosts *hosts, struct slice name, struct addr *ret_addrs, size_t max)
{
    name = without_last_dot(name);
    const struct hosts_entry *entry = map_get(&hosts->names, name);
    if (entry) {
        size_t n = add_family(entry, AF_INET, ret_addrs, 0, max);
        return add_family(entry, AF_INET6, ret_addrs, n, max);
    }
    if (!is_localhost(name))
        return 0;
    size_t n = 0;
    if (n < max && addr_parse_ip(SLICE("127.0.0.1"), 0, &ret_addrs[n], NULL) == 0)
        n++;
    if (n < max && addr_parse_ip(SLICE("::1"), 0, &ret_addrs[n], NULL) == 0)
        n++;
    return n;
}

/* ---- resolv.conf ---- */

static void add_server(struct resolv_conf *conf, struct slice word)
{
    struct addr addr;
    if (conf->n_servers == HOSTS_SERVERS_MAX)
        return;
    if (addr_parse_ip(word, DNS_PORT, &addr, NULL) < 0 &&
        (addr_parse(word, &addr, NULL) < 0 || addr_family(&addr) == AF_UNIX))
        return;
    conf->servers[conf->n_servers++] = addr;
}

static void set_search(struct resolv_conf *conf, struct slice line, size_t max)
{
    conf->n_search = 0;
    for (struct slice word; (word = next_word(&line)).len > 0 && conf->n_search < max;) {
        word = without_last_dot(word);
        if (word.len && word.len <= HOSTS_NAME_MAX)
            slice_copy(word, conf->search[conf->n_search++], sizeof(conf->search[0]));
    }
}

static void set_options(struct resolv_conf *conf, struct slice line)
{
    for (struct slice word; (word = next_word(&line)).len > 0;) {
        uint64_t value;
        if (slice_starts(word, SLICE("ndots:")) && slice_to_u64(slice_skip(word, 6), &value) == 0)
            conf->ndots = value < HOSTS_NDOTS_MAX ? (unsigned)value : HOSTS_NDOTS_MAX;
    }
}

static void resolv_conf_line(struct resolv_conf *conf, struct slice line)
{
    struct slice word = next_word(&line);
    if (slice_is(word, "nameserver"))
        add_server(conf, next_word(&line));
    else if (slice_is(word, "search"))
        set_search(conf, line, HOSTS_SEARCH_MAX);
    else if (slice_is(word, "domain"))
        set_search(conf, line, 1);
    else if (slice_is(word, "options"))
        set_options(conf, line);
}

void resolv_conf_parse(struct slice bytes, struct resolv_conf *ret_conf)
{
    *ret_conf = (struct resolv_conf){.ndots = 1};
    while (bytes.ptr)
        resolv_conf_line(ret_conf, without(without(slice_cut(&bytes, '\n'), '#'), ';'));
    if (ret_conf->n_servers == 0)
        add_server(ret_conf, SLICE("127.0.0.1"));
}

bool resolv_conf_candidate(const struct resolv_conf *conf, struct slice host, size_t i,
                           char ret_name[HOSTS_NAME_MAX + 1])
{
    ret_name[0] = '\0';
    bool is_absolute = host.len && host.ptr[host.len - 1] == '.';
    size_t n_search = is_absolute ? 0 : conf->n_search;
    if (i > n_search)
        return false;
    host = without_last_dot(host);
    unsigned n_dots = 0;
    for (size_t at = 0; at < host.len; at++)
        n_dots += host.ptr[at] == '.';
    size_t own_place = n_dots >= conf->ndots ? 0 : n_search; /* of the name as it is */
    const char *tail = "";
    if (i != own_place)
        tail = conf->search[i - (own_place == 0 ? 1 : 0)];
    if (host.len + 1 + strlen(tail) <= HOSTS_NAME_MAX)
        snprintf(ret_name, HOSTS_NAME_MAX + 1, "%.*s%s%s", SLICE_ARG(host), *tail ? "." : "", tail);
    return true;
}
