# SPDX-License-Identifier: Apache-2.0
"""Members that do background work and vanish: their cable is dead, and nothing says so."""
from deliver_peers import deliveries
from vanish import Site


def test_a_member_that_vanishes(net, weir_on, tmp_path):
    """A delivery ends by its time, the attempt counts, and the next one goes to another member."""
    site = Site(net(names=("n1", "n2", "n3")), weir_on, tmp_path)
    site.vanish(20)
    assert deliveries(site.weir, "dead") == deliveries(site.weir, "lost") == 0
    site.close()
