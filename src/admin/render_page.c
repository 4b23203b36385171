/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page at /: tables, no script, loaded anew by the browser. Whatever comes from outside (names,
 * reasons, addresses) is escaped.
 */
#include "admin/render.h"

#include <inttypes.h>
#include <string.h>

static const char page_head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta http-equiv=\"refresh\" content=\"2\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>weir</title><style>\n"
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;"
    "max-width:60rem;padding:0 1rem}table{border-collapse:collapse;width:100%;margin:0 0 1.6rem}"
    "th{text-align:left;font-weight:600;border-bottom:1px solid #8886}"
    "th,td{padding:.25rem .8rem .25rem 0;vertical-align:top}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "h2{font-size:1rem;margin:0 0 .3rem}.good{color:#188038}.bad{color:#d93025;font-weight:600}"
    ".part{color:#b06000}small{opacity:.7}\n</style></head><body>\n";

static void text_html(struct text *out, const char *value)
{
    for (const char *c = value; *c; c++) {
        switch (*c) {
        case '&':
            text_append(out, SLICE("&amp;"));
            break;
        case '<':
            text_append(out, SLICE("&lt;"));
            break;
        case '>':
            text_append(out, SLICE("&gt;"));
            break;
        case '"':
            text_append(out, SLICE("&quot;"));
            break;
        default:
            text_append_char(out, *c);
        }
    }
}

static void text_cell(struct text *out, const char *value)
{
    text_append(out, SLICE("<td>"));
    text_html(out, value);
    text_append(out, SLICE("</td>"));
}

static const char *state_class(const char *state)
{
    if (strcmp(state, "up") == 0 || strcmp(state, "serving") == 0)
        return "good";
    if (strcmp(state, "down") == 0 || strcmp(state, "failed") == 0)
        return "bad";
    return "part";
}

static void text_state(struct text *out, const struct view *view, const char *state,
                       uint64_t since_ns)
{
    text_printf(out, "<td class=\"%s\">", state_class(state));
    text_html(out, state);
    struct text age = TEXT_NONE;
    text_age(&age, view->wall_ns, since_ns);
    if (age.len)
        text_printf(out, " <small>%s</small>", text_cstr(&age));
    text_deinit(&age);
    text_append(out, SLICE("</td>"));
}

/* What the operator did to it. */
static void text_marks(struct text *out, const struct view_object *object)
{
    if (object->is_runtime)
        text_append(out, SLICE(" <small>added at run time</small>"));
    if (object->forced)
        text_printf(out, " <small>%s%s</small>", object->drain ? "" : "forced ", object->forced);
    if (object->is_weight_given)
        text_printf(out, " <small>weight %g</small>", object->weight);
}

static void text_object(struct text *out, const struct view *view, const struct view_object *object)
{
    text_append(out, SLICE("<tr>"));
    text_append(out, SLICE("<td>"));
    text_html(out, object->name);
    text_marks(out, object);
    text_append(out, SLICE("</td>"));
    text_cell(out, object->address);
    text_state(out, view, object->state, object->since_ns);
    if (object->has_counters)
        text_printf(out,
                    "<td class=\"n\">%" PRIu64 "</td><td class=\"n\">%.1f</td>"
                    "<td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64 "</td>",
                    object->n_requests, object->rate, object->n_in_flight, object->n_failed);
    else
        text_append(out, SLICE("<td></td><td></td><td></td><td></td>"));
    text_cell(out, strcmp(object->reason, object->address) == 0 ? "" : object->reason);
    text_append(out, SLICE("</tr>\n"));
}

static void text_objects(struct text *out, const struct view *view, const char *first,
                         const char *flight, const struct view_object *objects, size_t n)
{
    text_printf(out,
                "<table><tr><th>%s</th><th>address</th><th>state</th><th class=\"n\">requests</th>"
                "<th class=\"n\">a second</th><th class=\"n\">%s</th><th class=\"n\">failed</th>"
                "<th>reason</th></tr>\n",
                first, flight);
    for (size_t i = 0; i < n; i++)
        text_object(out, view, &objects[i]);
    text_append(out, SLICE("</table>\n"));
}

static void text_processes(struct text *out, const struct view *view)
{
    text_append(out, SLICE("<table><tr><th>process</th><th>state</th><th class=\"n\">restarts</th>"
                           "<th class=\"n\">memory</th><th>reason</th></tr>\n"));
    for (size_t i = 0; i < view->n_processes; i++) {
        const struct view_process *process = &view->processes[i];
        text_append(out, SLICE("<tr>"));
        text_cell(out, process->name);
        text_state(out, view, process->state, process->since_ns);
        text_printf(out, "<td class=\"n\">%u</td><td class=\"n\">", process->n_restarts);
        if (process->has_usage)
            text_printf(out, "%.1f MB", (double)process->usage.resident_bytes / 1e6);
        text_append(out, SLICE("</td>"));
        text_cell(out, process->reason);
        text_append(out, SLICE("</tr>\n"));
    }
    text_append(out, SLICE("</table>\n"));
}

void render_page(struct text *out, const struct view *view)
{
    text_append(out, slice_make(page_head, sizeof(page_head) - 1));
    text_append(out, SLICE("<h1>weir "));
    text_html(out, view->node);
    text_printf(out, "</h1><p><small>version %s build %s, configuration %" PRIu64 " of ",
                view->version, view->build, view->generation);
    text_html(out, view->file);
    text_append(out, SLICE(", "));
    text_time(out, view->wall_ns);
    text_append(out, SLICE("; <a href=\"/metrics\">metrics</a>, <a href=\"/v1/status\">JSON</a>"
                           "</small></p>\n"));
    text_objects(out, view, "listen", "connections", view->listens, view->n_listens);
    for (size_t i = 0; i < view->n_pools; i++) {
        const struct view_pool *pool = &view->pools[i];
        text_append(out, SLICE("<h2>pool "));
        text_html(out, pool->name);
        text_printf(out, " <span class=\"%s\">", state_class(pool->state));
        text_html(out, pool->state);
        text_append(out, SLICE("</span> <small>"));
        text_html(out, pool->reason);
        if (pool->n_waiting)
            text_printf(out, ", %" PRIu64 " waiting", pool->n_waiting);
        text_append(out, SLICE("</small></h2>\n"));
        text_objects(out, view, "member", "in flight", pool->members, pool->n_members);
    }
    text_processes(out, view);
    text_append(out, SLICE("</body></html>\n"));
}
