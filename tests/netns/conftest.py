# SPDX-License-Identifier: Apache-2.0
"""Tests with several hosts use the fixtures of the system tests, and network namespaces of their own."""
import importlib.util
import os
import pathlib
import sys

import net as netns
import pytest

SYSTEM = pathlib.Path(__file__).resolve().parent.parent / "system"
sys.path.insert(0, str(SYSTEM))
_spec = importlib.util.spec_from_file_location("weir_system_conftest", SYSTEM / "conftest.py")
_system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_system)
for _name in dir(_system):
    if not _name.startswith("__"):
        globals().setdefault(_name, getattr(_system, _name))

netns.APP_FOLDER = pathlib.Path(_system.APP).parent


def why_not():
    """Why there are no namespaces here, or None."""
    if os.geteuid() != 0:
        return "network namespaces are made by root"
    try:
        netns.Net("/nonexistent", names=()).close()
    except (AssertionError, OSError) as complaint:
        return f"no network namespaces here: {complaint}"
    return None


@pytest.fixture(scope="session")
def has_netns():
    reason = why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def net(has_netns, tmp_path):
    """net(names=("n1", "n2"), switches=1) makes hosts, and a client `cl`."""
    made = []

    def make(**options):
        made.append(netns.Net(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def weir_on(weir):
    """weir_on(host, text, ...): a weir that runs in that host, with a node's name."""
    def start(host, text, node=None, **options):
        args = ["--node", node] if node else []
        return weir(text, prefix=host.prefix, args=args, **options)

    return start
