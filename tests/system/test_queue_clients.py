# SPDX-License-Identifier: Apache-2.0
"""Clients and frameworks as people have them, unmodified: the tests that fivebeans and nodestalker bring, and a job
from end to end with node-beanstalk, beaneater, Symfony Messenger and Laravel's queue. That a beanstalkd reaches the
same figures is tests/soak/test_queue_figures.py."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ROOT
from job_peers import JobClient, WeirJobs, server  # noqa: F401

PORT = 11300
OWN_NET = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
CLIENTS = ROOT / "build" / "clients" / "node_modules"
SCRIPTS = ROOT / "tests" / "clients"
PATIENCE_S = 60
HANG_S = 3  # until what will never end is ended

# What does not pass against beanstalkd either, and why.
FIVEBEANS_FAILS = {
    "FiveBeansWorker starting & stopping emits the error event on failure":
        "wants err.errno to be text, which node has made a number since its version 13; no server is asked",
}
# These reserve a job that nobody has put: only the server that they bring for themselves sends one.
NODESTALKER_HANGS = {"test_reserve_buffer", "test_reserve_jobs_multichunk", "test_reserve_jobs_multichunk_timeout",
                     "test_reserve_with_timeout", "test_utf8_reserve"}
NODESTALKER_FIRST = "test_put_in_forloop"  # wants ids to begin at 1


def run(*command, check=True, env=None, timeout=PATIENCE_S, cwd=None):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=timeout, check=False, cwd=cwd,
                          env={**os.environ, "NODE_PATH": str(CLIENTS), **(env or {})})
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


# ---- fivebeans, which knows only port 11300: in a network of its own -------------------------------------------


def fivebeans(pid):
    """Its suite, in the network of that process, which serves PORT."""
    done = run("nsenter", "--target", pid, "--net", "node", CLIENTS / "mocha" / "bin" / "_mocha", "-t", "8000",
               "-R", "json", "test/", check=False, cwd=CLIENTS / "fivebeans")
    found = json.loads(done.stdout[done.stdout.index('{\n  "stats"'):])
    assert {test["fullTitle"] for test in found["failures"]} == set(FIVEBEANS_FAILS), done.stdout
    assert len(found["passes"]) == 53 and len(found["passes"] + found["failures"]) == 54


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root")
def test_fivebeans(weir):
    fivebeans(WeirJobs(weir, PORT, prefix=OWN_NET).pid)


# ---- nodestalker: a script a test, from a queue that is empty --------------------------------------------------


def empty(port):
    with JobClient(port) as client:
        for tube in client.ask("list-tubes").names():
            client.ask("watch", tube)
            client.ask("use", tube)
            client.ask("kick", 1000)
        while job := client.reserve(timeout=0):
            client.ask("delete", job[0])


def stalk(test, port, timeout=PATIENCE_S):
    """What is wrong, or None."""
    try:
        done = run("node", test, check=False, env={"BEANSTALKD": "1", "BEANSTALK_PORT": str(port)}, timeout=timeout)
    except subprocess.TimeoutExpired:
        return "hangs"
    return None if done.returncode == 0 else done.stdout + done.stderr


def nodestalker(port):
    """Its suite, against what serves there."""
    tests = {test.stem: test for test in sorted((CLIENTS / "nodestalker" / "tests").glob("test_*.js"))}
    hangs = [tests.pop(name) for name in NODESTALKER_HANGS]
    passed = 0
    for name in (NODESTALKER_FIRST, *(tests.keys() - {NODESTALKER_FIRST})):
        complaint = stalk(tests[name], port)
        assert not complaint, (name, complaint)
        passed += 1
        empty(port)
    with ThreadPoolExecutor(len(hangs)) as pool:
        assert set(pool.map(lambda test: stalk(test, port, HANG_S), hangs)) == {"hangs"}
    assert passed == 22 and len(hangs) == 5


def test_nodestalker(weir, free_port):
    nodestalker(WeirJobs(weir, free_port()).port)


# ---- a job from end to end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["node", "node_job.js"], ["ruby", "ruby_job.rb"], ["php", "symfony_job.php"],
                                     ["php", "laravel_job.php"]], ids=lambda command: command[1])
def test_a_job_from_end_to_end(server, command):  # noqa: F811
    done = run(command[0], SCRIPTS / command[1], server.port)
    assert done.stdout.endswith("done\n"), done.stdout + done.stderr
