# SPDX-License-Identifier: Apache-2.0
"""A node that drains leaves DNS with its own addresses; what floats stays, for another node serves it."""
from vips import VIP, secret_file, until

TEXT = """
nodes {{ a 10.77.0.1; b 10.77.0.2 }}
secret-file {secret}
peer 10.77.0.0/24 port 7900
listen shop http 0.0.0.0:8080 {{ route respond 200 "here" }}
vip {vip}/24 on e0 {{ name front; id 51; prefer a; interval 100ms }}
pool edges {{
    check http path / expect 200 every 100ms fall 2 rise 1
    member a 10.77.0.1:8080
    member b 10.77.0.2:8080
    member front {vip}:8080
}}
dns 0.0.0.0:53 name all
zone example.org {{
    soa ns1 hostmaster
    ns  ns1 10.77.0.1
    ns  ns2 10.77.0.2
    record www A pool edges healthy ttl 1s
}}
"""


def answered(network, server):
    return set(network.cl.run("dig", "+short", "+time=2", "@" + server.ip, "www.example.org", "A").split())


def test_a_node_that_drains_leaves_dns(net, weir_on, tmp_path):
    network = net()
    text = TEXT.format(secret=secret_file(tmp_path), vip=VIP)
    one, other = (weir_on(host, text, node=name) for host, name in ((network.n1, "a"), (network.n2, "b")))
    everybody = {"10.77.0.1", "10.77.0.2", VIP}
    assert until(lambda: answered(network, network.n1) == answered(network, network.n2) == everybody), one.log()
    done = one.command("drain", "node:a")
    assert "is drained" in done.stdout
    # Who drains has waited until nobody remembers it; the other node's server says the same.
    for server in (network.n1, network.n2):
        assert answered(network, server) == {"10.77.0.2", VIP}
    assert network.n2.has(VIP)
    assert one.fact("answer:edges/a")["state"] == "draining"
    explained = other.command("explain", "dns", "www.example.org", "A").stdout
    assert "its node drains" in explained, explained
    one.command("undrain", "node:a")
    assert until(lambda: answered(network, network.n1) == answered(network, network.n2) == everybody)
