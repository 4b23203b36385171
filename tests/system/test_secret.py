# SPDX-License-Identifier: Apache-2.0
"""The secret that keys are derived from: given by secret-file, or kept in the state directory."""

import base64
import os
import re
import stat
import subprocess

from conftest import WEIR

CONF = "listen shop http 127.0.0.1:{port} {{ route respond 200 pong }}\n"


def check(folder, text):
    (folder / "a.weir").write_text(text)
    return subprocess.run([WEIR, "check", "a.weir"], cwd=folder, text=True, capture_output=True, timeout=20,
                          check=False)


def secret_file(folder, text, mode=0o600):
    path = folder / "secret"
    path.write_text(text)
    path.chmod(mode)
    return path


def fresh():
    return base64.b64encode(os.urandom(32)).decode() + "\n"


def test_one_is_made_and_kept(weir, free_port):
    w = weir(CONF.format(port=free_port()))
    path = w.state / "secret"
    made = path.read_text()
    assert re.fullmatch(r"[0-9a-f]{64}\n", made)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (w.state / "secret.new").exists()
    w.stop()
    w.start()
    assert path.read_text() == made


def test_a_broken_one_is_not_replaced(weir, free_port):
    w = weir(CONF.format(port=free_port()))
    w.stop()
    (w.state / "secret").write_text("short\n")
    w.spawn()
    w.wait_log("without the file a new secret is made")
    w.stop()
    assert (w.state / "secret").read_text() == "short\n"


def test_with_a_secret_file_none_is_made(weir, free_port, tmp_path):
    path = secret_file(tmp_path, fresh() + fresh())
    w = weir(f"secret-file {path}\n" + CONF.format(port=free_port()))
    assert not (w.state / "secret").exists()


def test_a_weak_one_is_refused(tmp_path):
    path = secret_file(tmp_path, "0123456789abcdef0123456789abcdef\n")
    result = check(tmp_path, "# a\nsecret-file secret\n")
    assert result.returncode == 1
    assert f"a.weir:2:1: error: {path}: the secret in line 1 has 32 hexadecimal digits" in result.stderr
    assert "0123456789abcdef" not in result.stderr


def test_one_that_others_may_read_is_worth_a_warning(tmp_path):
    secret_file(tmp_path, fresh(), 0o644)
    result = check(tmp_path, "secret-file secret\n")
    assert result.returncode == 0
    assert "others than its owner may read" in result.stderr and "chmod 600" in result.stderr
