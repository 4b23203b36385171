# SPDX-License-Identifier: Apache-2.0
"""tools/layers and tools/tidy are proven able to fail: each planted fault must be named."""

import os
import shutil
import subprocess

import pytest

TOOLS = os.path.join(os.path.dirname(__file__), "..", "..", "tools")
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
OPENING = "/*\n * What this is.\n */\n"
HEADER = SPDX + ("#ifndef WIRE_A_H\n#define WIRE_A_H\n\n"
                 "/*\n * What this is,\n * and who calls it.\n */\n\n#endif\n")
MESON = "# SPDX-License-Identifier: Apache-2.0\n"
LONG_BODY = "    use(1);\n" * 121

# A small tree in which nothing is wrong.
CLEAN = {
    "src/main.c": SPDX + OPENING + '#include "cli/cli.h"\n#include "wire/a.h"\n',
    "src/cli/cli.h": HEADER.replace("WIRE_A_H", "CLI_CLI_H"),
    "src/http/http.c": SPDX + OPENING + '#include "config.h"\n#include "wire/a.h"\n',
    "src/http/meson.build": MESON + "sources += files('http.c')\n",
    "src/core/clock.c": SPDX + OPENING + "int now(void)\n{\n    return clock_gettime(1, 0);\n}\n",
    "src/core/meson.build": MESON + "sources += files('clock.c')\n",
    "src/wire/a.h": HEADER,
    "src/wire/a_more.c": SPDX + OPENING + '#include "base/b.h"\n#include "wire/a.h"\n'
                         'static const char *const names[] = {"a // b"};\n',
    "src/wire/a_test.c": SPDX + OPENING,
    "src/wire/meson.build": MESON + "files('a_more.c', 'a_test.c')\n",
    "src/base/b.h": HEADER.replace("WIRE_A_H", "BASE_B_H"),
}

LAYERS = [
    ("src/base/b.h", '#include "core/loop.h"\n', "includes core/loop.h: core is above"),
    ("src/wire/a.h", '#include "conf/tree.h"\n', "conf is a neighbour on floor 1"),
    ("src/http/http.c", '#  include "dns/dns.h"\n', "dns is a neighbour on floor 7"),
    ("src/cli/cli.h", '#include "super/super.h"\n', "super is a neighbour on floor 8"),
    ("src/wire/a.h", '#include "a.h"\n', 'has no folder; write "wire/a.h"'),
    ("src/wire/a.h", '#include "../core/loop.h"\n', "is not folder/file.h"),
    ("src/wire/a.h", '#include "other/x.h"\n', "is in no folder of tools/layers.txt"),
    ("src/wire/a.h", "#include <cli/cli.h>\n", "is ours; write"),
    ("src/other/x.c", SPDX, "src/other has no row"),
    ("src/loose.c", SPDX, "only main.c lies in src itself"),
    ("tools/layers.txt", "wire 2 again\n", "wire has a row already"),
]

TIDY = [
    ("src/http/http.c", "typedef struct a a;\n", "typedef struct"),
    ("src/http/http.c", "void f(void)\n{\n#ifdef A\n#endif\n}\n", "#if inside f()"),
    ("src/http/http.c", "/* TODO */\n", "TODO; do it"),
    ("src/http/http.c", f"void f(void)\n{{\n{LONG_BODY}}}\n", "f() has 121 lines"),
    ("src/http/http.c", "int a;\n" * 900, "lines; split it"),
    ("src/http/http.c", "static int counter = 0;\n", "counter is a mutable global"),
    ("src/http/http.c", "static struct state state;\n", "state is a mutable global"),
    ("src/http/http.c", "void f(void)\n{\n    strcpy(a, b);\n}\n", "strcpy() is forbidden"),
    ("src/http/http.c", "void f(void)\n{\n    x = (rand() + 1);\n}\n", "rand() is forbidden"),
    ("src/http/http.c", "void f(void)\n{\n    now = time(NULL);\n}\n", "time() reads a clock"),
    ("src/http/http.c", "int\ta;\n", "tab; want spaces"),
    ("src/http/http.c", "int a; \n", "blanks at the end"),
    ("src/http/http.c", f"/* {'x' * 100} */\n", "106 columns"),
    ("src/http/http.c", "int f(void); // plain\n", "// comment"),
    ("src/http/http.c", "/* deb.debian.org */\n", "deb.debian.org is named"),
    ("src/wire/a_more.c", "#include <sys/socket.h>\n", "<sys/socket.h> makes system calls"),
    ("src/wire/b.c", SPDX + OPENING, "no test beside it"),
    ("src/http/more.c", SPDX + OPENING, "not listed in src/http/meson.build"),
    ("src/http/none.c", OPENING, "does not open with SPDX"),
    ("src/http/bare.c", SPDX + "int a;\n", "no opening paragraph"),
    ("src/http/b.h", SPDX, "no guard in lines 2 and 3"),
    ("src/http/c.h", SPDX + "#ifndef HTTP_C_H\n#define HTTP_C_H\n\nint a;\n", "no essay"),
    ("src/http/d.h", SPDX + "#ifndef HTTP_D_H\n#define HTTP_D_H\n\n/* Small. */\n", "is a remark"),
    ("tests/a.py", "import os\n", "does not open with SPDX"),
]


@pytest.fixture
def tree(tmp_path):
    for path, text in CLEAN.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "tools").mkdir()
    shutil.copy(os.path.join(TOOLS, "layers.txt"), tmp_path / "tools")
    return tmp_path


def run(tool, tree):
    command = [os.path.join(TOOLS, tool), tree]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def plant(tree, path, text):
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    with open(tree / path, "a", encoding="utf-8") as file:
        file.write(text)


@pytest.mark.parametrize("tool", ["layers", "tidy"])
def test_clean_tree_passes(tree, tool):
    status, output = run(tool, tree)
    assert status == 0, output


@pytest.mark.parametrize("path, text, message", LAYERS)
def test_layers_names_a_planted_include(tree, path, text, message):
    plant(tree, path, text)
    status, output = run("layers", tree)
    assert status == 1
    assert any(path in line and message in line for line in output.splitlines()), output


@pytest.mark.parametrize("path, text, message", TIDY)
def test_tidy_names_a_planted_fault(tree, path, text, message):
    plant(tree, path, text)
    status, output = run("tidy", tree)
    assert status == 1
    assert any(line.startswith(path) and message in line for line in output.splitlines()), output
