# SPDX-License-Identifier: Apache-2.0
"""What a real beanstalkd reaches with the suites of fivebeans and nodestalker: the figures, and the names of what
cannot pass, that test_queue_clients asserts of weir."""

import os

import pytest
from conftest import until
from job_peers import Beanstalkd
from test_queue_clients import OWN_NET, PORT, fivebeans, nodestalker, run


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root")
def test_fivebeans():
    one = Beanstalkd(PORT, prefix=OWN_NET)
    try:
        words = ["nsenter", "--target", one.pid, "--net", "bash", "-c", f": </dev/tcp/127.0.0.1/{PORT}"]
        assert until(lambda: run(*words, check=False).returncode == 0)
        fivebeans(one.pid)
    finally:
        one.stop()


def test_nodestalker(free_port):
    with Beanstalkd(free_port()) as one:
        nodestalker(one.port)
