# SPDX-License-Identifier: Apache-2.0
"""A million packets that nobody meant well: queries with bytes changed, cut, grown, and pure noise. The server lives,
leaks nothing, says nothing longer than an answer may be, and answers what is meant well in between.

WEIR_NOISE_SEED repeats a run; WEIR another binary, for a run under AddressSanitizer."""
import os
import random
import socket

from test_dns_reload import kib_of
from test_dns_server import addresses, ask, conf, opt, query_bytes
from test_members import is_sanitized

N_PACKETS = 1_000_000
N_ROUNDS = 20
ANSWER_MAX = 1232
SEED = int(os.environ.get("WEIR_NOISE_SEED", "0")) or random.randrange(1, 1 << 30)


def wholes():
    """Good queries of several kinds, which the noise is made from."""
    cookie = b"\0\x0a\0\x08ABCDEFGH"
    subnet = b"\0\x08\0\x07\0\1\x18\0\xc0\0\2"
    return [query_bytes(), query_bytes(extra=opt(), n_extra=1),
            query_bytes(extra=opt(options=cookie), n_extra=1),
            query_bytes(extra=opt(options=subnet + cookie + b"\0\3\0\0"), n_extra=1)]


def spoil(rng, good):
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 600))
    packet = bytearray(rng.choice(good))
    if kind == 1:
        return bytes(packet[:rng.randrange(len(packet))])
    if kind == 2:
        return bytes(packet[:12]) + rng.randbytes(rng.randrange(1, 300))
    if kind == 3:
        return bytes(packet) + rng.randbytes(rng.randrange(1, 300))
    for _ in range(rng.randrange(1, 9)):
        packet[rng.randrange(len(packet))] = rng.randrange(256)
    return bytes(packet)


def send_noise(sock, rng, good, n):
    """(the longest answer, how many came)."""
    longest, n_answers = 0, 0
    for i in range(n):
        try:
            sock.send(spoil(rng, good))
        except (ConnectionRefusedError, BlockingIOError):
            pass
        while i % 16 == 0:
            try:
                longest = max(longest, len(sock.recv(65535)))
                n_answers += 1
            except (BlockingIOError, ConnectionRefusedError):
                break
    return longest, n_answers


def test_a_million_packets(weir, free_port):
    port = free_port()
    w = weir(conf(port, words="rate-limit off"))
    pid, rng, good, sizes, total = w.pid("dns"), random.Random(SEED), wholes(), [], 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        for _ in range(N_ROUNDS):
            longest, n_answers = send_noise(sock, rng, good, N_PACKETS // N_ROUNDS)
            total += n_answers
            assert longest <= ANSWER_MAX, SEED
            assert addresses(ask(port, "www.example.org")) == ["192.0.2.1", "192.0.2.2"], SEED
            assert w.pid("dns") == pid, (SEED, w.log())
            sizes.append(kib_of(pid))
    print(f"seed {SEED}: {N_PACKETS} packets, {total} answers, KiB: {sizes}")
    assert total > N_PACKETS // 100, SEED
    assert is_sanitized() or max(sizes[-5:]) <= sizes[2] * 1.02, (SEED, sizes)  # a sanitizer keeps what is freed
