# SPDX-License-Identifier: Apache-2.0
"""The long forms use the fixtures of the short ones, and each is marked `soak`."""
import importlib.util
import pathlib
import sys

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parent.parent / "system"
sys.path.insert(0, str(SYSTEM))
_spec = importlib.util.spec_from_file_location("weir_system_conftest", SYSTEM / "conftest.py")
_system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_system)
for _name in dir(_system):
    if not _name.startswith("__"):
        globals().setdefault(_name, getattr(_system, _name))


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: takes minutes")


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.soak)
