# SPDX-License-Identifier: Apache-2.0
"""Golden files of the configuration language.

Every tests/conf/bad/NAME.weir is refused by `weir check` with exactly the text of NAME.expect, and by
`weir run` with the same text. Every tests/conf/good/NAME.weir passes, and what `weir check --full` prints of
it passes again and prints the same.

WEIR_BLESS=1 writes the .expect files from what `weir check` says; read each one before committing it.
"""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
BAD = ROOT / "tests" / "conf" / "bad"
GOOD = ROOT / "tests" / "conf" / "good"
BLESS = os.environ.get("WEIR_BLESS") == "1"


def names(folder):
    return sorted(path.name for path in folder.glob("*.weir"))


def weir(folder, *args):
    """Runs weir in a folder, so that messages name files as the user typed them."""
    env = {"PATH": os.environ["PATH"], "HOME": "/root", "LC_ALL": "C.UTF-8"}
    return subprocess.run([WEIR, *args], cwd=folder, env=env, timeout=20, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def said_by(result, folder):
    """What was said, with absolute paths below the folder as FOLDER, so that the files suit any checkout."""
    return (result.stdout + result.stderr).replace(str(folder), "FOLDER")


@pytest.mark.parametrize("name", names(BAD))
def test_bad_is_refused_by_check(name):
    result = weir(BAD, "check", name)
    said = said_by(result, BAD)
    expect = (BAD / name).with_suffix(".expect")
    assert result.returncode == 1, said
    if BLESS:
        expect.write_text(said, encoding="utf-8")
    assert said == expect.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", names(BAD))
def test_bad_is_refused_by_a_start(name, tmp_path):
    result = weir(BAD, "run", name, "--state", str(tmp_path))
    assert result.returncode != 0
    assert said_by(result, BAD) == (BAD / name).with_suffix(".expect").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", names(GOOD))
def test_good_passes_and_prints_itself(name, tmp_path):
    result = weir(GOOD, "check", name)
    assert result.returncode == 0, result.stdout + result.stderr
    full = weir(GOOD, "check", "--full", name)
    assert full.returncode == 0, full.stdout + full.stderr
    (tmp_path / "full.weir").write_text(full.stdout, encoding="utf-8")
    again = weir(tmp_path, "check", "--full", "full.weir")
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout == full.stdout


def test_every_expect_has_its_file():
    assert sorted(path.stem for path in BAD.glob("*.expect")) == sorted(path.stem for path in BAD.glob("*.weir"))
