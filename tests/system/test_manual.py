# SPDX-License-Identifier: Apache-2.0
"""The manual pages say what the program does: every command of `weir help` with its options stands in
weir(1), every word that `weir check --full` prints of the examples in weir.conf(5), and mandoc finds
nothing to say about either page. Every example passes `weir check`."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
EXAMPLES = sorted((ROOT / "examples").glob("*.weir"))
# What the two pages say of each other: mandoc looks for it among the pages that are installed.
EACH_OTHER = re.compile(r"referenced manual not found: Xr weir(\.conf 5| 1)\b")


def said_by(*command, **options):
    """The standard output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False,
                          stdin=None if "input" in options else subprocess.DEVNULL, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", name="pages")
def pages_(tmp_path_factory):
    """Name -> path of both pages."""
    conf = tmp_path_factory.mktemp("man") / "weir.conf.5"
    conf.write_text(said_by(WEIR, "manual"), encoding="utf-8")
    return {"weir.1": ROOT / "docs" / "man" / "weir.1", "weir.conf.5": conf}


def as_read(page):
    """The page as a terminal shows it, on lines so long that nothing is broken."""
    shown = said_by("mandoc", "-Tutf8", "-Owidth=500", str(page))
    return re.sub(".\b", "", shown)  # bold and underlined letters


def words_of(text):
    """The word of each line, whichever block it stands in."""
    first = (line.split()[0] for line in text.splitlines() if line.strip())
    return {word for word in first if word not in "{}"}


@pytest.mark.parametrize("name", ["weir.1", "weir.conf.5"])
def test_mandoc_finds_nothing(pages, name):
    done = subprocess.run(["mandoc", "-Tlint", str(pages[name])], capture_output=True, text=True, timeout=20,
                          check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert [line for line in lines if not EACH_OTHER.search(line)] == []


def test_every_command_is_in_the_manual(pages):
    page = as_read(pages["weir.1"])
    usages = re.findall(r"^  (weir \S.*?)(?:  +\S.*)?$", said_by(WEIR, "help"), re.MULTILINE)
    assert len(usages) >= 9
    synopsis = [re.sub(r" ?\| ?", "|", line.strip()) for line in page.splitlines()]
    assert [usage for usage in usages if re.sub(r" ?\| ?", "|", usage) not in synopsis] == []
    described = re.findall(r"^\.It Cm (\w+)", pages["weir.1"].read_text(), re.MULTILINE)
    assert list(dict.fromkeys(described)) == [usage.split()[1] for usage in usages]
    for option in set(re.findall(r"--[a-z-]+", " ".join(usages))):
        assert re.search(rf"^ +{option}( [A-Z]+)?(  |$)", page, re.MULTILINE), f"{option} is not described"


def make_what_it_names(text, folder):
    """Runs the commands that the example's own comments give for the files that it names."""
    for command in re.findall(r"^# +(openssl (?:.*\\\n#)*.*)", text, re.MULTILINE):
        said_by("sh", "-c", command.replace("\n#", "\n"), cwd=folder)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_passes_and_its_words_are_in_the_manual(pages, path, tmp_path):
    text = path.read_text(encoding="utf-8")
    (tmp_path / path.name).write_text(text, encoding="utf-8")
    make_what_it_names(text, tmp_path)
    assert said_by(WEIR, "check", path.name, cwd=tmp_path) == f"{path.name} is fine\n"
    full = said_by(WEIR, "check", "--full", path.name, cwd=tmp_path)
    words = words_of(re.sub(r"^(processes|nodes) \{[^}]*\}", r"\1", full, flags=re.MULTILINE))  # names of the user's
    described = set(re.findall(r'^\.It Li "([a-z0-9-]+)', pages["weir.conf.5"].read_text(), re.MULTILINE))
    assert len(words) >= 20
    assert words - described == set()


def test_example_of_the_manual_passes(pages, tmp_path):
    examples = pages["weir.conf.5"].read_text().partition(".Sh EXAMPLES\n")[2]
    found = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", examples, re.MULTILINE | re.DOTALL)
    assert found
    for number, text in enumerate(found):
        (tmp_path / f"{number}.weir").write_text(text, encoding="utf-8")
        assert said_by(WEIR, "check", f"{number}.weir", cwd=tmp_path) == f"{number}.weir is fine\n"
