# SPDX-License-Identifier: Apache-2.0
"""A log that is full of jobs which end in another order than they came."""
import random

from conftest import until
from jobs_client import Jobs

BATCH = 1000


def send(client, lines):
    """The answers to as many commands."""
    client.send(b"".join(lines))
    return [client.line() for _ in lines]


def test_a_full_log_is_emptied_in_any_order(weir, free_port):
    """Each segment loses a little, and none much: what is kept for deletions must not run out before the cleaner
    has found something to do."""
    port = free_port()
    weir(f"queue reports {{ }}\njobs 127.0.0.1:{port}\nqueues {{ segment 1M; limits log 40M }}\n")
    client, chance, left = Jobs(port), random.Random(1), []
    assert client.ask("use reports") == "USING reports"
    is_full = False
    while not is_full:
        answers = send(client, [b"put %d 0 100 1\r\nx\r\n" % chance.randrange(1000) for _ in range(BATCH)])
        left += [int(answer.split()[1]) for answer in answers if answer.startswith("INSERTED")]
        is_full = "OUT_OF_MEMORY" in answers
    n_put = len(left)
    chance.shuffle(left)

    def some_end():
        nonlocal left
        now, left = left[:BATCH], left[BATCH:]
        answers = send(client, [b"delete %d\r\n" % job for job in now])
        assert set(answers) <= {"DELETED", "OUT_OF_MEMORY"}
        refused = [job for job, answer in zip(now, answers) if answer != "DELETED"]
        left = refused + left
        return len(refused) < len(now)

    n_refused = 0
    while left:
        if not some_end():
            n_refused += 1
            assert until(some_end, every=0.05), (len(left), n_put)
    assert n_refused > 0  # it was as full as that
    client.close()
