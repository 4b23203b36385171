# SPDX-License-Identifier: Apache-2.0
"""Golden files of the configuration language.

Every tests/conf/bad/NAME.weir is refused by `weir check` with exactly the text of NAME.expect, and by
`weir run` with the same text. Every tests/conf/good/NAME.weir passes, and what `weir check --full` prints of
it passes again and prints the same.

WEIR_BLESS=1 writes the .expect files from what `weir check` says; read each one before committing it.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

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


@pytest.fixture(name="open_folder")
def make_open_folder():
    """A folder that anybody may enter, unlike those of pytest."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-conf."))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def program_is(folder, name, text, mode=0o755):
    path = folder / name
    path.write_bytes(text)
    path.chmod(mode)
    return path


def workers(folder, *lines):
    body = "".join(f"worker w{i} {{ queue mail; {line} }}\n" for i, line in enumerate(lines))
    (folder / "w.weir").write_text("jobs 127.0.0.1:11300\n" + body, encoding="utf-8")
    return weir(folder, "check", "w.weir")


def test_scripts_that_no_kernel_starts(open_folder):
    program_is(open_folder, "lost", b"#!/nonexistent/python3 -u\nprint()\n")
    program_is(open_folder, "dos", b"#!/bin/sh\r\necho\r\n")
    program_is(open_folder, "bare", b"echo hello\n")
    program_is(open_folder, "fine", b"#! /bin/sh -e\necho\n")
    done = workers(open_folder, "exec lost", "exec dos", "exec bare", "exec fine", "exec ls", "exec ~/send",
                   'exec "cd /srv && ./send"')
    said = said_by(done, open_folder)
    assert done.returncode == 1
    assert ("w.weir:2:30: error: cannot find the interpreter /nonexistent/python3 of FOLDER/lost: "
            "No such file or directory\n") in said
    assert "the first line of FOLDER/dos ends with a carriage return" in said
    assert "= sed -i 's/\\r$//' FOLDER/dos" in said
    assert "warning: FOLDER/bare is neither a program nor a script, whose first line begins with #!" in said
    assert "FOLDER/fine" not in said
    assert "= a path starts at the folder of the file: /usr/bin/ls is there" in said
    assert "= no shell reads this, and ~ stands for nothing" in said
    assert "= no shell reads this: /bin/sh -c" in said
    assert "5 errors, 1 warning\n" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as somebody else")
def test_programs_that_their_user_cannot_come_to(open_folder):
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    program_is(closed, "send", b"#!/bin/sh\n")
    program_is(open_folder, "own", b"#!/bin/sh\n", 0o700)
    program_is(open_folder, "unread", b"#!/bin/sh\n", 0o711)
    shutil.copy("/bin/true", open_folder / "binary")
    (open_folder / "binary").chmod(0o711)
    done = workers(open_folder, "exec closed/send; user daemon", "exec own; user daemon",
                   "exec unread; user daemon", "exec binary; user daemon")
    said = said_by(done, open_folder)
    assert done.returncode == 0, said
    assert "warning: user daemon, whom it runs as, may not enter FOLDER/closed (mode 0700, owner root)" in said
    assert "= chmod o+x FOLDER/closed" in said
    assert "may not execute FOLDER/own (mode 0700, owner root)" in said and "= chmod o+rx FOLDER/own" in said
    assert "may not read FOLDER/unread (mode 0711, owner root)" in said and "= chmod o+r FOLDER/unread" in said
    assert "binary" not in said.replace("exec binary", "") and "3 warnings\n" in said
    shutil.chown(closed, "daemon")
    assert "FOLDER/closed" not in said_by(workers(open_folder, "exec closed/send; user daemon"), open_folder)
