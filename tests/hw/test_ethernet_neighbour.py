"""A board answers ARP, and gives the MAC address that the latest datagram came from."""

import random

import pytest

pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")
from liteeth.core import arp  # noqa: E402
from migen import run_simulation  # noqa: E402

from trine_hw.link.ethernet.neighbour import Neighbour, own_neighbour  # noqa: E402


def test_requests_are_answered_one_after_the_other():
    """A reply is none; a request that comes before the answer to the last one has left is dropped."""
    table = Neighbour(50e6)
    rng = random.Random(1)
    asked, answered = [], []

    def give():
        for _ in range(400):
            kind, ip, mac = rng.choice(("request", "reply", None)), rng.getrandbits(32), rng.getrandbits(48)
            yield table.sink.valid.eq(kind is not None)
            yield table.sink.request.eq(kind == "request")
            yield table.sink.reply.eq(kind == "reply")
            yield table.sink.ip_address.eq(ip)
            yield table.sink.mac_address.eq(mac)
            yield table.source.ready.eq(rng.random() < 0.3)
            yield
            assert (yield table.sink.ready)
            answers = yield table.source.valid
            if answers and (yield table.source.ready):
                assert (yield table.source.reply) and not (yield table.source.request)
                answered.append(((yield table.source.ip_address), (yield table.source.mac_address)))
            if kind == "request" and not answers:
                asked.append((ip, mac))

    run_simulation(table, [give()])
    assert len(answered) > 50 and answered == asked[: len(answered)] and len(asked) - len(answered) < 2


def test_the_latest_sender_is_the_one_to_answer():
    table = Neighbour(50e6)
    rng = random.Random(2)

    def give():
        latest = 0
        for _ in range(200):
            heard, mac = rng.random() < 0.3, rng.getrandbits(48)
            yield table.heard.eq(heard)
            yield table.mac_address.eq(mac)
            yield
            yield table.heard.eq(0)
            yield
            latest = mac if heard else latest
            assert (yield table.request.ready) and (yield table.response.valid)
            assert not (yield table.response.failed) and (yield table.response.mac_address) == latest

    run_simulation(table, [give()])


def test_a_core_has_it():
    own = arp.LiteEthARPTable
    with own_neighbour():
        assert arp.LiteEthARPTable is Neighbour
    assert arp.LiteEthARPTable is own
