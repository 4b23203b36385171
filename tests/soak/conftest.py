# SPDX-License-Identifier: Apache-2.0
"""The long forms use the fixtures of the short ones, and each is marked `soak`."""
import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent


def _take(folder):
    """All that the conftest of another folder of tests offers."""
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(f"weir_{folder.name}_conftest", folder / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in dir(module):
        if not name.startswith("__"):
            globals().setdefault(name, getattr(module, name))


_take(HERE.parent / "system")
_take(HERE.parent / "netns")


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: takes minutes")


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.soak)
