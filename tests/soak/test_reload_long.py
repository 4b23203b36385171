# SPDX-License-Identifier: Apache-2.0
"""Reload every 200 ms for 30 s under load: 0 failed, no connection closed by it, memory flat."""
import statistics

import test_reload


def test_reload_30_s(weir, apps, tools, free_port):
    counts, sizes, n_reloads = test_reload.reload_under_load(weir, apps, tools, free_port, 30)
    assert n_reloads >= 100
    assert counts["ok"] == counts["requests"] and counts["ok"] > 50000, counts
    assert counts["closed"] == 0 and counts["announced"] == 0, counts
    quarter = len(sizes) // 4
    first = statistics.median(sizes[:quarter][quarter // 4 :])
    last = statistics.median(sizes[-quarter:])
    assert last <= first * 1.02, (first, last)
