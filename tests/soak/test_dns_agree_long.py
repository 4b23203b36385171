# SPDX-License-Identifier: Apache-2.0
"""Forty thousand queries beside Knot, BIND and NSD, over several seeds."""
import random

import pytest
import test_dns_agree
from test_dns_agree import own_port, peers, zones  # noqa: F401


@pytest.mark.parametrize("seed", range(2, 10))
def test_answers_are_those_of_the_others(zones, peers, own_port, seed, monkeypatch):  # noqa: F811
    monkeypatch.setattr(test_dns_agree, "N_QUERIES", 5000)
    n, n_agreed, different = test_dns_agree.compare(
        own_port, peers, test_dns_agree.queries(zones, random.Random(seed)))
    print(f"seed {seed}: {n} parts compared, the three agree on {n_agreed}, {len(different)} differ")
    assert not different, f"{len(different)} differ:\n" + "\n".join(different[:20])
