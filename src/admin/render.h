/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_RENDER_H
#define ADMIN_RENDER_H

/*
 * A view in the three forms in which it leaves: JSON for programs, HTML for a browser, OpenMetrics
 * text for a scraper. Nothing here makes a system call or knows where the view comes from.
 */

#include "admin/tallies.h"
#include "admin/view.h"
#include "base/json.h"
#include "base/text.h"

/* GET /v1/status. Times are RFC 3339 in UTC, durations seconds. */
void render_status(struct text *out, const struct view *view);
/* Members of an open object: what was changed at run time, and what the file won over it last. */
void render_changes(struct json *json, const struct conf_overlay *overlay, struct slice dropped);
/* GET /v1/facts: the raw facts alone. */
void render_facts(struct text *out, const struct view *view);
/* GET /: a page that loads itself anew every other second. */
void render_page(struct text *out, const struct view *view);
/* GET /metrics. */
void render_metrics(struct text *out, const struct view *view, const struct tallies *tallies);

/* "2026-11-24T03:02:11.123Z" (RFC 3339). */
void text_time(struct text *out, uint64_t wall_ns);

#endif
