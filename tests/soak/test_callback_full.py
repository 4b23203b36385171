# SPDX-License-Identifier: Apache-2.0
"""A log that is full of jobs whose callbacks are longer than they are."""

import time

from conftest import until
from jobs_client import Jobs


def test_a_full_log_is_emptied_all_the_same(weir, free_port):
    """Small jobs bring longer callbacks. When the log has no room for more, no job ends whose callback would be lost;
    what hears of the callbacks makes room, and there is no circle in which each waits for the other."""
    port = free_port()
    w = weir(f"pool ears {{ member e 127.0.0.1:{free_port()} }}\n"
             "queue reports { callback told }\nqueue told { deliver pool ears hold 1h }\n"
             f"jobs 127.0.0.1:{port}\nqueues {{ segment 1M; limits log 6M }}\n")
    jobs, ears = Jobs(port), Jobs(port)
    assert jobs.ask("use reports") == "USING reports" and jobs.ask("watch reports") == "WATCHING 2"
    assert ears.ask("watch told") == "WATCHING 2" and ears.ask("ignore default") == "WATCHING 1"

    def batch(client, lines):
        client.send(b"".join(line + b"\r\n" for line in lines))
        return [client.line() for _ in lines]

    n_put = 0
    while n_put < 100000:
        jobs.send(jobs.put_line(b"x") * 500)
        answers = [jobs.line() for _ in range(500)]
        n_put += sum(answer.startswith("INSERTED") for answer in answers)
        if "OUT_OF_MEMORY" in answers:
            break

    def take(client, n):
        """How many of up to n jobs were done, and whether the log refused one."""
        ids = []
        while len(ids) < n and (found := client.job("reserve-with-timeout 0")) not in ("TIMED_OUT", "DEADLINE_SOON"):
            ids.append(found[0])
        answers = batch(client, [b"delete %d" % job for job in ids])
        for job, answer in zip(ids, answers):
            if answer != "DELETED":  # while a segment is cleaned there is less room still
                assert answer == "OUT_OF_MEMORY"
                assert until(lambda: client.ask(f"release {job} 0 0") == "RELEASED", every=0.05), (n_done, n_heard)
        return answers.count("DELETED"), "OUT_OF_MEMORY" in answers

    n_done = n_heard = n_refused = 0
    end = time.monotonic() + 120
    while n_heard < n_put and time.monotonic() < end:
        done, is_refused = take(jobs, 500)
        n_done, n_refused = n_done + done, n_refused + is_refused
        if is_refused or n_done == n_put:
            n_heard += take(ears, 100000)[0]
        assert n_heard <= n_done
    assert n_heard == n_done == n_put and n_refused > 0
    jobs.close()
    ears.close()
