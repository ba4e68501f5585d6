"""Datagrams of UDP come with the verdict on all of their frame."""

import random
from typing import NamedTuple

import pytest

pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")
from liteeth.core import udp  # noqa: E402
from migen import run_simulation  # noqa: E402

from trine_hw.link.ethernet.udp_receiver import UDPReceiver, own_receiver  # noqa: E402

WORD, HEADER = 4, 8
UDP, ICMP = 17, 1


class Packet(NamedTuple):
    """What an IPv4 packet has in it: a datagram of `payload`, filled up with
    `fill`, of which the words `wrong` have an error, and the last `cut` bytes do not come."""

    payload: bytes
    fill: int
    wrong: frozenset[int] = frozenset()
    protocol: int = UDP
    cut: int = 0

    @property
    def bytes(self) -> bytes:
        header = (
            (0x3039).to_bytes(2) + (7700).to_bytes(2) + (HEADER + len(self.payload)).to_bytes(2) + b"\0\0"
        )
        whole = header + self.payload + bytes(self.fill * (0xA5,))
        return whole[: len(whole) - self.cut]

    @property
    def words(self) -> int:
        return -(-len(self.bytes) // WORD)

    @property
    def damaged(self) -> bool:
        """Errors of the header's words, which come long before an FCS, do not count."""
        return any(word >= HEADER // WORD for word in self.wrong) or self.cut > self.fill


def received(receiver, packets: list[Packet], seed: int) -> list[tuple[bytes, bool]]:
    """The datagrams and whether each has an error, with pauses on both sides."""
    found: list[tuple[bytes, bool]] = []
    rng = random.Random(seed)
    sink, source = receiver.sink, receiver.source

    def give():
        for packet in packets:
            data = packet.bytes
            for number in range(packet.words):
                word = data[number * WORD :][:WORD]
                last = number == packet.words - 1
                while rng.random() < 0.2:
                    yield
                yield sink.protocol.eq(packet.protocol)
                yield sink.ip_address.eq(0x0A4D_0001)
                yield sink.data.eq(int.from_bytes(word.ljust(WORD, b"\x5a"), "little"))
                yield sink.last.eq(last)
                yield sink.last_be.eq(1 << (len(word) - 1) if last else 0)
                yield sink.error.eq(15 if number in packet.wrong else 0)
                yield sink.valid.eq(1)
                yield
                while not (yield sink.ready):
                    yield
                yield sink.valid.eq(0)
        for _ in range(20):
            yield
        receiver.over = True

    def take():
        now = b""
        while not getattr(receiver, "over", False):
            yield source.ready.eq(rng.random() < 0.7)
            yield
            if (yield source.valid) and (yield source.ready):
                assert (yield source.src_port) == 0x3039 and (yield source.dst_port) == 7700
                assert (yield source.ip_address) == 0x0A4D_0001
                last = yield source.last
                count = (yield source.last_be).bit_length() if last else WORD
                now += (yield source.data).to_bytes(WORD, "little")[:count]
                if last:
                    found.append((now, bool((yield source.error))))
                    now = b""
        assert not now

    run_simulation(receiver, [give(), take()])
    return found


def packets_of(rng: random.Random, count: int) -> list[Packet]:
    """Of all short lengths, in short frames and others; some damaged, cut off, empty, or no datagrams."""
    packets = []
    for number in range(count):
        payload = rng.randbytes(number % 24 if number < 48 else rng.randrange(40))
        packet = Packet(payload, max(0, 18 - len(payload)))
        match rng.randrange(6):
            case 0:
                packet = packet._replace(wrong=frozenset({packet.words - 1}))
            case 1 if packet.words > 3:
                packet = packet._replace(wrong=frozenset({packet.words - 2}))
            case 2:
                packet = packet._replace(cut=rng.randrange(len(payload) + packet.fill - WORD))
            case 3:
                packet = packet._replace(
                    protocol=ICMP, wrong=frozenset(rng.sample(range(2, packet.words), 1))
                )
        packets.append(packet)
    return packets


@pytest.mark.parametrize("seed", range(3))
def test_each_datagram_has_its_bytes_and_its_verdict(seed):
    packets = packets_of(random.Random(seed), 120)
    found = received(UDPReceiver(0, 8 * WORD), packets, seed)
    wanted = [packet for packet in packets if packet.protocol == UDP and packet.payload]
    assert [wrong for _, wrong in found] == [packet.damaged for packet in wanted]
    assert sum(packet.damaged for packet in wanted) > 20
    for (data, wrong), packet in zip(found, wanted, strict=True):
        assert wrong or data == packet.payload


def test_the_faults_that_this_is_for():
    """LiteEth's own lets a short datagram pass whose frame is damaged, and gives an empty one as four bytes;
    where it no longer does, no other is needed."""
    packets = [Packet(b"x", 17, frozenset({6})), Packet(b"", 18), Packet(b"abcd", 14)]
    found = received(udp.LiteEthUDPRX(0, 8 * WORD), packets, 1)
    assert [wrong for _, wrong in found] == [False, False, False] and len(found[1][0]) == 4
    assert received(UDPReceiver(0, 8 * WORD), packets, 1) == [(found[0][0][:1], True), (b"abcd", False)]


def test_a_core_has_it():
    own = udp.LiteEthUDPRX
    with own_receiver():
        assert udp.LiteEthUDPRX is UDPReceiver
    assert udp.LiteEthUDPRX is own
