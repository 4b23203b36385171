# SPDX-License-Identifier: Apache-2.0
"""`weir explain dns` says what dig gets, and why: each question of a table is put to both."""
import json
import re
import subprocess

import dns.message
import dns.query
import dns.rcode
import pytest

from conftest import until

ZONE = """\
$TTL 300
@        SOA ns1 hostmaster 7 2h 30m 2w 60
@        NS  ns1
@        MX  10 mail
ns1      A   192.0.2.53
mail     A   192.0.2.25
mail     AAAA 2001:db8::25
plain    60 A 192.0.2.1
plain    60 A 192.0.2.2
alias    CNAME plain
chain    CNAME alias
away     CNAME elsewhere.example.
gone     CNAME not.there
ring     CNAME round
round    CNAME ring
*.wild   A   192.0.2.9
*.wild   TXT "by a wildcard"
deep.ent.wild A 192.0.2.10
*.walias CNAME plain
below    NS  ns.below
below    NS  ns.other.example.
ns.below A   192.0.2.54
old      DNAME new
host.new A   192.0.2.77
ask      CNAME host.old
tlsa     TLSA 3 1 1 0011223344556677889900112233445566778899001122334455667788990011
odd      TYPE65280 \\# 3 abcdef
inner.sub TXT "in the outer zone"
"""

CONF = """
pool near {{ member a 127.0.0.11:{web}; member b 127.0.0.12:{web} weight 3 }}
pool far  {{ member c 127.0.0.13:{web} }}
pool dead {{ check tcp every 200ms fall 1; member d 127.0.0.14:{web} }}
dns 127.0.0.1:{port} {{ rate-limit off }}
zone file.example {{ file file.example.zone }}
zone sub.file.example {{
    soa ns1 hostmaster serial 5
    ns ns1 192.0.2.60
    record here A 192.0.2.61
}}
zone live.example {{
    soa ns1 hostmaster
    ns ns1 192.0.2.53
    ttl 50s
    record plain    A 192.0.2.1
    record every    A pool near all ttl 20s
    record www      A pool near healthy ttl 5s..30s
    record then     A pool near healthy then pool far healthy
    record one      A pool near all at-most 1
    record here     A pool near all {{ from 127.0.0.0/8 pool far all }}
    record "*.any"  A pool near all
    record _s._tcp  SRV pool near all weighted
    record shop     HTTPS pool near all alpn h2
    record alias    CNAME every
    record closed   A pool dead healthy fail-closed ttl 3s
}}
"""

FILE, LIVE = "file.example", "live.example"
# name, type, the result of each step, and what else the last one says
TABLE = [
    (f"plain.{FILE}", "A", ["found"], {"ttl": 60, "at": "file.example.zone:8"}),
    (f"PLAIN.{FILE}", "A", ["found"], {"name": f"PLAIN.{FILE}."}),
    (f"{FILE}", "SOA", ["found"], {"at": "file.example.zone:2"}),
    (f"{FILE}", "NS", ["found"], {}),
    (f"{FILE}", "MX", ["found"], {}),
    (f"{FILE}", "ANY", ["no-data"], {}),
    (f"alias.{FILE}", "A", ["alias", "found"], {"name": f"plain.{FILE}."}),
    (f"alias.{FILE}", "CNAME", ["found"], {"at": "file.example.zone:10"}),
    (f"chain.{FILE}", "A", ["alias", "alias", "found"], {}),
    (f"chain.{FILE}", "TXT", ["alias", "alias", "no-data"], {"why": "no records of this type: it has A"}),
    (f"away.{FILE}", "A", ["alias"], {"why": re.compile("not in this zone")}),
    (f"gone.{FILE}", "A", ["alias", "no-name"], {"closest": f"{FILE}."}),
    (f"ring.{FILE}", "A", ["alias", "alias"], {"why": re.compile("leads back")}),
    (f"a.b.wild.{FILE}", "A", ["found"], {"closest": f"wild.{FILE}.", "wildcard": f"*.wild.{FILE}."}),
    (f"a.wild.{FILE}", "AAAA", ["no-data"], {"wildcard": f"*.wild.{FILE}.", "ttl": 60}),
    (f"*.wild.{FILE}", "A", ["found"], {"wildcard": None, "closest": None}),
    (f"wild.{FILE}", "A", ["no-data"], {"why": re.compile("names below it")}),
    # Beneath the wildcard, and so nothing of it: an empty non-terminal, and what lies beside what it holds.
    (f"ent.wild.{FILE}", "A", ["no-data"], {"why": re.compile("names below it"), "wildcard": None}),
    (f"x.ent.wild.{FILE}", "A", ["no-name"], {"closest": f"ent.wild.{FILE}.", "wildcard": None}),
    (f"x.deep.ent.wild.{FILE}", "A", ["no-name"], {"closest": f"deep.ent.wild.{FILE}."}),
    (f"x.walias.{FILE}", "A", ["alias", "found"], {}),
    (f"below.{FILE}", "A", ["referral"], {"cut": f"below.{FILE}.", "at": "file.example.zone:20"}),
    (f"x.ns.below.{FILE}", "A", ["referral"], {"cut": f"below.{FILE}."}),
    (f"below.{FILE}", "DS", ["no-data"], {}),
    (f"old.{FILE}", "DNAME", ["found"], {}),
    (f"host.old.{FILE}", "A", ["dname", "found"], {"name": f"host.new.{FILE}."}),
    (f"ask.{FILE}", "A", ["alias", "dname", "found"], {}),
    (f"tlsa.{FILE}", "TLSA", ["found"], {}),
    (f"odd.{FILE}", "TYPE65280", ["found"], {}),
    (f"nope.{FILE}", "A", ["no-name"], {"closest": f"{FILE}.", "ttl": 60, "wildcard": None}),
    (f"plain.{FILE}", "AAAA", ["no-data"], {}),
    # The zone within counts, not what the outer one holds below its name.
    (f"here.sub.{FILE}", "A", ["found"], {"at": re.compile("test.weir:")}),
    (f"inner.sub.{FILE}", "TXT", ["no-name"], {"closest": f"sub.{FILE}."}),
    (f"sub.{FILE}", "DS", ["no-data"], {}),
    (f"plain.{LIVE}", "A", ["found"], {"ttl": 50}),
    (f"{LIVE}", "SOA", ["found"], {}),
    (f"every.{LIVE}", "A", ["found"], {"ttl": 20, "ttl_why": re.compile("no check")}),
    (f"www.{LIVE}", "A", ["found"], {"ttl": 30}),
    (f"then.{LIVE}", "A", ["found"], {}),
    (f"here.{LIVE}", "A", ["found"], {"scope_bits": 8}),
    (f"x.any.{LIVE}", "A", ["found"], {"wildcard": f"*.any.{LIVE}."}),
    (f"any.{LIVE}", "A", ["no-data"], {}),
    (f"alias.{LIVE}", "A", ["alias", "found"], {}),
    (f"_s._tcp.{LIVE}", "SRV", ["found"], {}),
    (f"shop.{LIVE}", "HTTPS", ["found"], {}),
    (f"a.near.{LIVE}", "A", ["found"], {"at": re.compile("test.weir:")}),
    (f"near.{LIVE}", "A", ["no-data"], {"why": re.compile("names below it")}),
    (f"c.far.{LIVE}", "A", ["no-name"], {}),
    ("www.example.com", "A", [], {}),
    (f"{FILE}", "AXFR", [], {}),
    (f"{FILE}", "MAILB", [], {}),
]

SECTIONS = ("answer", "authority", "additional")


def dig(port, name, rdtype):
    """The rcode, and the records of each section as (name, TTL, type, data)."""
    command = ["dig", "@127.0.0.1", "-p", str(port), "+tcp", "+norec", "+noedns", "+noall", "+comments", "+answer",
               "+authority", "+additional", "+onesoa", "+nosplit", "-q", name, "-t", rdtype]
    if rdtype in ("AXFR", "MAILB"):  # which dig would not ask, or not show
        answer = dns.query.tcp(dns.message.make_query(name, rdtype), "127.0.0.1", port=port, timeout=20)
        return dns.rcode.to_text(answer.rcode()), {section: [] for section in SECTIONS}
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = {section: [] for section in SECTIONS}
    section = None
    for line in out.splitlines():
        mark = re.match(r";; (ANSWER|AUTHORITY|ADDITIONAL) SECTION", line)
        if mark:
            section = mark[1].lower()
        elif line and not line.startswith(";"):
            owner, ttl, _, kind, data = line.split(None, 4)
            found[section].append((owner.lower(), int(ttl), kind, data.lower()))
    return re.search(r"status: (\w+)", out)[1], {key: sorted(rows) for key, rows in found.items()}


def records(told):
    return {section: sorted((one["name"].lower(), one["ttl"], one["type"], one["data"].lower())
                            for one in told[section]) for section in SECTIONS}


@pytest.fixture
def served(weir, free_port):
    port = free_port()
    w = weir(CONF.format(port=port, web=free_port()), start=False)
    (w.folder / "file.example.zone").write_text(ZONE)
    w.port = port
    return w.start()


def explain(w, *words):
    return json.loads(w.command("explain", "dns", *words, "--json").stdout)


def without_serials(rows):
    """A serial may be the time at which the server read the zone, which a file alone does not know."""
    return [row if row[2] != "SOA" else row[:3] + (re.sub(r" (\d{10}|1) ", " - ", row[3]),) for row in rows]


def differs(step, key, value):
    said = step.get(key)
    if isinstance(value, re.Pattern):
        return not (said and value.search(said))
    if key == "at":
        return not said.endswith(value)
    return said != value


def test_it_says_what_dig_gets(served):
    wrong = []
    for name, rdtype, results, last in TABLE:
        rcode, want = dig(served.port, name, rdtype)
        for extra in ([], ["--file", "test.weir"]):
            told = explain(served, name, rdtype, "from", "127.0.0.1", *extra)
            got = records(told)
            for section in SECTIONS:
                if without_serials(got[section]) != without_serials(want[section]):
                    wrong.append((name, rdtype, extra, section, got[section], want[section]))
            if told["rcode"] != rcode or [step["result"] for step in told["steps"]] != results:
                wrong.append((name, rdtype, extra, told["rcode"], rcode, told["steps"]))
            wrong += [(name, rdtype, extra, key, told["steps"][-1]) for key, value in last.items()
                      if differs(told["steps"][-1], key, value)]
    assert not wrong, "\n".join(map(str, wrong))


def test_one_of_many_and_a_pool_that_changes(served):
    told = explain(served, f"one.{LIVE}", "A")
    (step,) = told["steps"]
    assert len(told["answer"]) == 1 and (step["at_most"], step["data"]) == (1, 2)
    members = {one["member"]: one["in"] for one in step["pools"][0]["members"]}
    assert members == {"near/a": True, "near/b": True}
    served.wait_fact("member:dead/d", "down")
    told = until(lambda: not (told := explain(served, f"closed.{LIVE}", "A"))["answer"] and told)
    assert told and records(told)["authority"] == dig(served.port, f"closed.{LIVE}", "A")[1]["authority"]
    assert (told["rcode"], told["authority"][0]["ttl"], told["steps"][0]["ttl"]) == ("NOERROR", 3, 3)
    assert told["steps"][0]["pools"][0]["members"][0]["why"] == "out: down"
    served.command("force", "member:near/a", "down")
    try:
        def changed():
            told = explain(served, f"every.{LIVE}", "A")
            return [row["data"] for row in told["answer"]] == ["127.0.0.12"] and told
        told = until(changed)
        assert told
        assert records(told) == dig(served.port, f"every.{LIVE}", "A")[1]
        row = told["steps"][0]["pools"][0]["members"][0]
        assert not row["in"] and "operator" in row["why"]
    finally:
        served.command("force", "member:near/a", "auto")


def test_for_a_person(served):
    text = served.command("explain", "dns", f"a.b.wild.{FILE}", "A").stdout
    for part in ("NOERROR from zone file.example.", f"closest name wild.{FILE}.", f"wildcard *.wild.{FILE}.",
                 "file.example.zone:16", "192.0.2.9"):
        assert part in text, text
    text = served.command("explain", "dns", f"every.{LIVE}", "A").stdout
    for part in ("pool near, all: it answers", "near/b", "for 20 s", "127.0.0.12"):
        assert part in text, text
    for words, sentence in [((f"x..{FILE}", "A"), "label"), ((FILE, "NOTYPE"), "a name and a type"),
                            ((FILE, "A", "from", "1.2"), "from:"), (("x" * 3000, "A"), "too long")]:
        done = served.command("explain", "dns", *words, check=False)
        assert done.returncode == 1 and sentence in done.stderr, done
