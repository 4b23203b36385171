# SPDX-License-Identifier: Apache-2.0
"""Members that vanish again and again, with deliveries under way: nothing of them stays."""
import os
import pathlib

from vanish import Site


def held(w):
    """Descriptors and resident kilobytes of edge and queue."""
    sizes = []
    for kind in ("edge", "queue"):
        proc = pathlib.Path(f"/proc/{w.pid(kind)}")
        lines = (proc / "status").read_text().splitlines()
        rss = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        sizes.append((len(os.listdir(proc / "fd")), rss))
    return sizes


def test_members_that_vanish(net, weir_on, tmp_path):
    site = Site(net(names=("n1", "n2", "n3")), weir_on, tmp_path)
    after = []
    for _ in range(6):
        site.vanish(70)
        site.wait_back()
        after.append(held(site.weir))
    print(after)
    for (fds, rss), (first_fds, first_rss) in zip(after[-1], after[1]):
        assert fds <= first_fds + 20 and rss <= first_rss * 1.05, after
    site.close()
