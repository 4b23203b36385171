# SPDX-License-Identifier: Apache-2.0
"""The queue's process, and all of weir, killed two hundred times under load: what was acknowledged is there once."""

import test_queue
from test_queue import hall  # noqa: F401


def test_killed_two_hundred_times_under_load(hall):  # noqa: F811
    test_queue.kill_under_load(hall(), 200)
