/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of floating addresses and of other nodes.
 */
#include "cli/status_nodes.h"

#include "base/mem.h"
#include "cli/remote.h"
#include <inttypes.h>
#include <string.h>

struct telling {
    const json_t *status;
    const struct table_style *style;
    struct text *out;
};

/* ---- finding ---- */

static const json_t *find_fact(const json_t *status, const char *kind, const char *name)
{
    const json_t *fact;
    size_t i;
    json_array_foreach(json_object_get(status, "facts"), i, fact)
    {
        struct slice rest = slice_from(remote_text(fact, "name"));
        if (slice_is(slice_cut(&rest, ':'), kind) && slice_is(rest, name))
            return fact;
    }
    return NULL;
}

/* ---- floating addresses ---- */

static void cell_addresses(struct table *table, const json_t *vip, const char *family)
{
    bool is_ipv6 = strcmp(family, "IPv6") == 0;
    struct slice rest = slice_from(remote_text(vip, "addresses"));
    struct text mine = TEXT_NONE;
    while (rest.ptr && rest.len) {
        struct slice one = slice_cut(&rest, ' ');
        if ((slice_find(one, ':') < one.len) == is_ipv6)
            text_printf(&mine, "%s%.*s", mine.len ? " " : "", SLICE_ARG(one));
    }
    table_cell(table, TABLE_PLAIN, text_slice(&mine));
    text_deinit(&mine);
}

static void cell_group_state(struct table *table, const json_t *vip, const json_t *group)
{
    const char *state = remote_text(group, "state");
    bool is_active = strcmp(state, "active") == 0, is_down = strcmp(state, "initialize") == 0;
    bool is_leaving = is_active && strcmp(remote_text(vip, "state"), "draining") == 0;
    char age[24];
    table_printf(table,
                 is_down      ? TABLE_BAD
                 : is_leaving ? TABLE_PART
                              : TABLE_GOOD,
                 "%s %s",
                 is_down      ? "down"
                 : is_leaving ? "draining"
                              : state,
                 remote_age(remote_number(group, "since"), age));
}

/* Why it has moved, and what is lacking. */
static void cell_group_why(struct table *table, const json_t *vip, const json_t *group)
{
    const char *lacks = remote_text(vip, "lacks");
    bool holds = json_is_true(json_object_get(group, "holds"));
    struct text why = TEXT_NONE;
    text_append(&why, slice_from(remote_text(group, "reason")));
    if (holds)
        text_append(&why, SLICE("; VRRP is silent, but a peer says that it serves"));
    if (lacks[0])
        text_printf(&why, "; lacks %s", lacks);
    table_cell(table, TABLE_PLAIN, text_slice(&why));
    text_deinit(&why);
}

static void add_group(struct table *table, const json_t *vip, const json_t *group)
{
    table_cell(table, TABLE_PLAIN, slice_from(remote_text(vip, "name")));
    cell_addresses(table, vip, remote_text(group, "family"));
    table_cell(table, TABLE_PLAIN, slice_from(remote_text(vip, "interface")));
    cell_group_state(table, vip, group);
    table_printf(table, TABLE_PLAIN, "%" PRIu64, remote_count(group, "priority"));
    if (remote_count(vip, "lack"))
        table_printf(table, TABLE_BAD, "%" PRIu64, remote_count(vip, "lack"));
    else
        table_cell(table, TABLE_PLAIN, SLICE(""));
    table_cell(table, TABLE_PLAIN, slice_from(remote_text(group, "active")));
    cell_group_why(table, vip, group);
}

static void tell_vips(const struct telling *telling, const json_t *vips)
{
    static const struct table_column columns[] = {
        {"VIP", false},     {"ADDRESS", false}, {"ON", false},     {"STATE", false},
        {"PRIORITY", true}, {"LACKS", true},    {"ACTIVE", false}, {"REASON", false}};
    struct table table;
    const json_t *vip, *group;
    size_t i, k;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(vips, i, vip)
    {
        json_array_foreach(json_object_get(vip, "groups"), k, group) add_group(&table, vip, group);
    }
    text_append(telling->out, SLICE("\n"));
    table_print(&table, telling->style, telling->out);
    table_deinit(&table);
}

/* ---- other nodes ---- */

static void cell_node_state(const struct telling *telling, struct table *table, const json_t *node)
{
    const char *state = remote_text(node, "state");
    const json_t *fact = find_fact(telling->status, "peer", remote_text(node, "node"));
    bool is_bad = strcmp(state, "down") == 0 || strcmp(state, "failed") == 0;
    char age[24];
    remote_since(remote_text(fact, "since"), remote_text(telling->status, "time"), age);
    table_printf(table,
                 strcmp(state, "up") == 0 ? TABLE_GOOD
                 : is_bad                 ? TABLE_BAD
                                          : TABLE_PART,
                 "%s%s%s", state, age[0] ? " " : "", age);
}

/* "front backup, back active lacks 30" */
static void cell_says(const struct telling *telling, struct table *table, const char *node)
{
    const json_t *fact;
    struct text says = TEXT_NONE;
    size_t i;
    json_array_foreach(json_object_get(telling->status, "facts"), i, fact)
    {
        struct slice rest = slice_from(remote_text(fact, "name"));
        if (!slice_is(slice_cut(&rest, ':'), "at") || !slice_is(slice_cut(&rest, '/'), node) ||
            !slice_is(slice_cut(&rest, ':'), "vip"))
            continue;
        text_printf(&says, "%s%.*s %s", says.len ? ", " : "", SLICE_ARG(rest),
                    remote_text(fact, "state"));
        if (remote_number(fact, "value") > 0)
            text_printf(&says, " lacks %.0f", remote_number(fact, "value"));
    }
    table_cell(table, TABLE_PLAIN, text_slice(&says));
    text_deinit(&says);
}

static void add_node(const struct telling *telling, struct table *table, const json_t *node)
{
    const json_t *other = json_object_get(node, "has_other_file");
    table_cell(table, TABLE_PLAIN, slice_from(remote_text(node, "node")));
    cell_node_state(telling, table, node);
    if (json_object_get(node, "round_trip_us"))
        table_printf(table, TABLE_PLAIN, "%.2f ms", remote_number(node, "round_trip_us") / 1e3);
    else
        table_cell(table, TABLE_PLAIN, SLICE(""));
    table_cell(table, json_is_true(other) ? TABLE_PART : TABLE_PLAIN,
               json_is_true(other) ? SLICE("another")
               : other             ? SLICE("the same")
                                   : SLICE(""));
    cell_says(telling, table, remote_text(node, "node"));
    table_cell(table, TABLE_PLAIN, slice_from(remote_text(node, "reason")));
}

static void tell_nodes(const struct telling *telling, const json_t *nodes)
{
    static const struct table_column columns[] = {{"NODE", false}, {"STATE", false},
                                                  {"RTT", true},   {"FILE", false},
                                                  {"SAYS", false}, {"REASON", false}};
    struct table table;
    const json_t *node;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(nodes, i, node) add_node(telling, &table, node);
    text_append(telling->out, SLICE("\n"));
    table_print(&table, telling->style, telling->out);
    table_deinit(&table);
}

void status_nodes_tell(const json_t *status, const struct table_style *style, struct text *out)
{
    const struct telling telling = {.status = status, .style = style, .out = out};
    const json_t *vips = json_object_get(remote_module(status, "vip"), "vips");
    const json_t *nodes = json_object_get(remote_module(status, "peer"), "peers");
    if (json_array_size(vips) > 0)
        tell_vips(&telling, vips);
    if (json_array_size(nodes) > 0)
        tell_nodes(&telling, nodes);
}
