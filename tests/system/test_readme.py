# SPDX-License-Identifier: Apache-2.0
"""What the README shows is done as it stands there, and gives what it says."""

import json
import pathlib
import re
import subprocess

from conftest import WEIR, until

README = (pathlib.Path(__file__).resolve().parent.parent.parent / "README.md").read_text()


def chapter(title):
    return re.search(rf"^##+ {re.escape(title)}$(.*?)(?=^##)", README, re.MULTILINE | re.DOTALL)[1]


def block_with(text, word):
    """The indented lines around the one with that word, as a person would copy them."""
    lines = text.splitlines()
    at = first = last = next(i for i, line in enumerate(lines) if word in line and line.startswith("    "))
    while lines[first - 1].startswith("    ") or (not lines[first - 1] and lines[first - 2].startswith("    ")):
        first -= 1
    while last + 1 < len(lines) and (lines[last + 1].startswith("    ") or not lines[last + 1]):
        last += 1
    assert first <= at <= last
    return "\n".join(line[4:] for line in lines[first:last + 1]) + "\n"


def commands(text):
    """The lines behind a prompt, without what is said of them, each with what stands below it."""
    found = []
    for line in text.splitlines():
        if line.startswith("    $ "):
            found.append((line[6:].split("  #")[0].strip(), []))
        elif line.startswith("    ") and found:
            found[-1][1].append(line[4:])
    return found


def first_file(apps, port):
    """The first configuration, with members and a port of this test."""
    text = block_with(chapter("A first configuration"), "pool web {")
    for i in (1, 2):
        text = text.replace(f"10.0.1.1{i}:8080", f"127.0.0.1:{apps(f'app{i}').port}")
    return text.replace("0.0.0.0:80", f"127.0.0.1:{port}")


def shell(command, port, token=""):
    command = command.replace("http://127.0.0.1/", f"http://127.0.0.1:{port}/").replace("TOKEN", token)
    done = subprocess.run(command.replace("curl ", "curl -sS ", 1), shell=True, capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def test_a_slow_route_answered_at_once(weir, apps, free_port):
    story, port = chapter("A slow route, answered at once"), free_port()
    before = first_file(apps, port)
    w = weir(before)
    plain = shell("curl -d year=2026 http://127.0.0.1/reports", port)

    route = block_with(story, "route POST").strip()
    above = "        route pool web\n".replace("        ", "    ")
    assert above in before
    w.write(before.replace(above, f"    {route}\n{above}") + block_with(story, "queue reports"))
    checked = subprocess.run([WEIR, "check", w.file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    w.reload()

    (post, says), (state, _), (response, _), (cancel, _) = commands(story)
    answer = shell(post, port).replace("\r", "")
    assert answer.startswith(says[0] + "\n")
    token = re.search(r"^Location: /jobs/(\S+)$", answer, re.MULTILINE | re.IGNORECASE)[1]
    assert until(lambda: json.loads(shell(state, port, token))["state"] == "done", every=0.1)
    assert json.loads(shell(state, port, token))["job"] == f"/jobs/{token}"
    # Which of the two it was is said in the answer.
    assert re.sub("app[12]", "app", shell(response, port, token)) == re.sub("app[12]", "app", plain)
    assert "error" in shell(cancel, port, token)  # it is done: there is nothing to cancel
