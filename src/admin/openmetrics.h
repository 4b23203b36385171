/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_OPENMETRICS_H
#define ADMIN_OPENMETRICS_H

/*
 * The OpenMetrics 1.0 text format as a writer (github.com/prometheus/OpenMetrics, section "Text
 * format").
 *
 *     # HELP weir_member_requests Requests sent to the member.      openmetrics_family()
 *     # TYPE weir_member_requests counter
 *     weir_member_requests_total{pool="web",member="app1"} 7        openmetrics_value()
 *     ...
 *     # EOF                                                         openmetrics_end()
 *
 * The samples of one family stand together, behind its lines; a name whose last word is seconds,
 * bytes or ratio gets a UNIT line. Counters end in _total, histograms come as _bucket, _sum and
 * _count. Names are literals of ours; label values and help may hold anything and are escaped, and
 * what is not UTF-8 becomes U+FFFD.
 */

#include "base/slice.h"
#include "base/text.h"
#include "core/metric.h"
#include <stddef.h>
#include <stdint.h>

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct openmetrics_label {
    const char *name;
    struct slice value;
};

enum openmetrics_kind {
    OPENMETRICS_COUNTER,
    OPENMETRICS_GAUGE,
    OPENMETRICS_HISTOGRAM,
    OPENMETRICS_INFO,
};

/* The lines in front of a family. `name` without _total. */
void openmetrics_family(struct text *out, const char *name, enum openmetrics_kind kind,
                        const char *help);

/* One sample; `suffix` is "" or "_total" or "_info". */
void openmetrics_uint(struct text *out, const char *name, const char *suffix,
                      const struct openmetrics_label *labels, size_t n_labels, uint64_t value);
void openmetrics_double(struct text *out, const char *name, const char *suffix,
                        const struct openmetrics_label *labels, size_t n_labels, double value);

/*
 * A histogram of base/hist.h: METRIC_HIST_WORDS words, the buckets and the sum. `scale` brings the
 * values to the page's unit (1e-6 for microseconds as seconds). Of the bounds every second power of
 * two is shown, from 16 to 2^26 (16 us to 67 s), which are exact: the values are whole numbers cut
 * down, so that "below 64" is "at most 64" of what was measured.
 */
void openmetrics_hist(struct text *out, const char *name, const struct openmetrics_label *labels,
                      size_t n_labels, const uint64_t *words, double scale);

void openmetrics_end(struct text *out);

#endif
