# SPDX-License-Identifier: Apache-2.0
"""A minute of members and processes that die under two hundred clients of an asynchronous route."""

from async_storm import storm


def test_a_minute_of_it(weir, free_port, tmp_path):
    storm(weir, free_port, tmp_path, 60)
