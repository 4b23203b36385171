/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir explain vip: a few lines and two tables for each floating address.
 */
#include "cli/explain_vip.h"

#include "base/mem.h"
#include "cli/remote.h"
#include "conf/unit.h"
#include <inttypes.h>
#include <string.h>

static void tell_needs(const json_t *needs, const struct table_style *style, struct text *out)
{
    static const struct table_column columns[] = {
        {"NEEDS", false}, {"LOWERS", true}, {"", false}, {"WHY", false}};
    struct table table;
    const json_t *need;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(needs, i, need)
    {
        bool lacks = json_is_true(json_object_get(need, "lacks"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(need, "needs")));
        table_printf(&table, TABLE_PLAIN, "%" PRIu64, remote_count(need, "lowers"));
        table_cell(&table, lacks ? TABLE_BAD : TABLE_GOOD, lacks ? SLICE("lacks") : SLICE("has"));
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(need, "why")));
    }
    table_print(&table, style, out);
    table_deinit(&table);
}

static void tell_nodes(const json_t *nodes, const struct table_style *style, struct text *out)
{
    static const struct table_column columns[] = {
        {"NODE", false}, {"HEARD", false}, {"SAYS", false}, {"LACKS", true}, {"WHY", false}};
    struct table table;
    const json_t *node;
    size_t i;
    table_init(&table, columns, ARRAY_LEN(columns));
    json_array_foreach(nodes, i, node)
    {
        const char *peer = remote_text(node, "peer"), *state = remote_text(node, "state");
        table_cell(&table, TABLE_PLAIN, slice_from(remote_text(node, "node")));
        table_cell(&table, strcmp(peer, "up") == 0 ? TABLE_GOOD : TABLE_BAD,
                   slice_from(peer[0] ? peer : "never"));
        table_cell(&table, TABLE_PLAIN, slice_from(state[0] ? state : "nothing"));
        if (state[0])
            table_printf(&table, TABLE_PLAIN, "%.0f", remote_number(node, "lack"));
        else
            table_cell(&table, TABLE_PLAIN, SLICE(""));
        table_cell(&table, TABLE_PLAIN,
                   slice_from(remote_text(node, state[0] ? "reason" : "peer_reason")));
    }
    table_print(&table, style, out);
    table_deinit(&table);
}

static void tell_vrrp(const json_t *vip, struct text *out)
{
    const json_t *target;
    size_t i;
    text_printf(out, "  id %" PRIu64 ", version %" PRIu64 ", ", remote_count(vip, "id"),
                remote_count(vip, "version"));
    if (json_is_false(json_object_get(vip, "preempts")))
        text_append(out, SLICE("no-preempt, "));
    text_append(out, SLICE("advertised each "));
    conf_unit_show_time(out, (int64_t)remote_count(vip, "interval_ms"));
    json_array_foreach(json_object_get(vip, "targets"), i, target)
        text_printf(out, "%s%s", i ? ", " : " to ", json_string_value(target));
    text_append_char(out, '\n');
}

static void tell_priority(const json_t *vip, struct text *out)
{
    text_printf(out, "  priority %" PRIu64, remote_count(vip, "priority"));
    if (remote_text(vip, "drained")[0])
        text_append(out, SLICE(" while it is drained"));
    if (remote_count(vip, "lack"))
        text_printf(out, ": %" PRIu64 ", and it lacks %" PRIu64, remote_count(vip, "base"),
                    remote_count(vip, "lack"));
    text_append_char(out, '\n');
}

static void tell_state(const json_t *vip, struct text *out)
{
    const char *state = remote_text(vip, "state"), *reason = remote_text(vip, "reason");
    text_printf(out, " %s on %s: ", remote_text(vip, "addresses"), remote_text(vip, "interface"));
    if (state[0])
        text_printf(out, "%s since %s%s%s\n", state, remote_text(vip, "since"),
                    reason[0] ? ", " : "", reason);
    else
        text_append(out, SLICE("nothing is known of it\n"));
}

void explain_vip_tell(const json_t *answer, const struct table_style *style, struct text *out)
{
    const json_t *vip;
    size_t i;
    json_array_foreach(json_object_get(answer, "vips"), i, vip)
    {
        text_printf(out, "%svip ", i ? "\n" : "");
        table_paint(style, TABLE_HEAD, slice_from(remote_text(vip, "vip")), out);
        tell_state(vip, out);
        tell_vrrp(vip, out);
        tell_priority(vip, out);
        tell_needs(json_object_get(vip, "needs"), style, out);
        if (json_array_size(json_object_get(vip, "nodes")) > 0)
            tell_nodes(json_object_get(vip, "nodes"), style, out);
        text_printf(out, "  if the other nodes fell silent: %s\n  if this node were drained: %s\n",
                    remote_text(vip, "if_others_silent"), remote_text(vip, "if_drained"));
    }
}
