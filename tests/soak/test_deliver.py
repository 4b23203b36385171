# SPDX-License-Identifier: Apache-2.0
"""Deliveries and their callbacks for a minute, while members, the edge and the queue are killed and the file is read
anew: what was acknowledged is delivered, and each end is heard of."""

import json
import time

from conftest import until
from deliver_peers import receivers, shop  # noqa: F401
from test_queue_deliver import kill_under_load

SECONDS = 60


def victims():
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for victim in ("member", "queue", "reload", "edge"):
            time.sleep(1)
            yield victim


class Counted:
    """An iterator that can be gone over again."""

    def __init__(self, items):
        self.items, self.past = items, []

    def __iter__(self):
        yield from self.past
        for item in self.items:
            self.past.append(item)
            yield item


def heard(ears):
    return {json.loads(line.split(" ", 1)[1])["id"] for line in ears.keys() if " " in line}


def test_a_minute_of_kills(shop, receivers):  # noqa: F811
    ears = receivers()
    head = (f"pool ears {{ member e 127.0.0.1:{ears.port} }}\n"
            "queue told { deliver pool ears path /told hold 50ms; retry 1000 backoff 10ms..100ms }")
    w, n_acked = kill_under_load(shop, receivers, Counted(victims()), head, "callback told")
    assert until(lambda: len(heard(ears)) >= n_acked), (len(heard(ears)), n_acked, w.log())
