# SPDX-License-Identifier: Apache-2.0
"""What was answered 202 is delivered, whatever dies; tests/soak has the long form."""

from async_storm import storm


def test_ten_seconds_of_it(weir, free_port, tmp_path):
    storm(weir, free_port, tmp_path, 10)
