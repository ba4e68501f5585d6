"""Bytes of the wire as words, and words as bytes."""

import random

import pytest

pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")
from liteeth.common import eth_phy_description  # noqa: E402
from liteeth.mac.preamble import LiteEthMACPreambleChecker  # noqa: E402
from liteeth.phy.gmii import LiteEthPHYGMIIRX  # noqa: E402
from litex.gen import LiteXModule  # noqa: E402
from litex.soc.interconnect import stream  # noqa: E402
from migen import Record, run_simulation  # noqa: E402

from trine_hw.link.ethernet.wire import WordReceiver, WordSender  # noqa: E402

WORD = 4
PREAMBLE = (0xD555_5555).to_bytes(WORD, "little")
GMII = [("rx_dv", 1), ("rx_data", 8), ("tx_en", 1), ("tx_data", 8)]


def frames_of(rng: random.Random, count: int) -> list[bytes]:
    """Of all short lengths, and with bytes in them that a preamble has."""
    return [
        bytes(rng.choice((0x55, 0xD5, rng.randrange(256))) for _ in range(1 + number % 23))
        for number in range(count)
    ]


def words_of(source, found: list[bytes], cycles):
    """Frames of `source`, which is always taken, after each of `cycles`."""
    now = b""
    yield source.ready.eq(1)
    for _ in cycles:
        yield
        if not (yield source.valid):
            continue
        last, last_be = (yield source.last), (yield source.last_be)
        assert last or not last_be
        now += (yield source.data).to_bytes(WORD, "little")[: last_be.bit_length() if last else WORD]
        if last:
            found.append(now)
            now = b""
    assert not now


def heard(frames: list[tuple[bytes, bytes, int]], make=WordReceiver) -> list[bytes]:
    """Frames of words for frames of bytes: what is in front of each, what it has, and the pause behind it,
    in which the PHY's byte is that of a preamble."""
    pads = Record(GMII)
    receiver = make(pads, 8 * WORD)
    found: list[bytes] = []

    def cycles():
        for preamble, data, pause in frames:
            yield from (*preamble, *data)
            yield from pause * (None,)

    def give():
        for byte in (*cycles(), *20 * (None,)):
            yield pads.rx_dv.eq(byte is not None)
            yield pads.rx_data.eq(0x55 if byte is None else byte)
            yield

    length = sum(len(preamble) + len(data) + pause for preamble, data, pause in frames) + 20
    run_simulation(receiver, [give(), words_of(receiver.source, found, range(length))])
    return found


def preamble(rng: random.Random) -> bytes:
    """As a sender has it, or shortened to any length, or with noise in front."""
    noise = bytes(rng.choice((0x00, 0xD5, 0x5D)) for _ in range(rng.randrange(3)))
    return noise * (rng.random() < 0.3) + rng.randrange(1, 8) * b"\x55" + b"\xd5"


@pytest.mark.parametrize("seed", range(3))
def test_a_frame_is_heard_with_any_preamble(seed):
    rng = random.Random(seed)
    frames = [(preamble(rng), data, rng.randrange(1, 13)) for data in frames_of(rng, 150)]
    assert heard(frames) == [PREAMBLE + data for _, data, _ in frames]


def test_what_does_not_start_gives_no_frame():
    """Bytes without 0x55 and 0xD5, and a start alone, which the MAC drops."""
    silent = [(b"\x55\x55\x55", b"\x5dabcde", 1), (b"", b"\xd5abc", 2), (b"\x55", b"", 1), (b"", b"\xd5", 3)]
    started = [(b"\x55\xd5", b"", 12), (b"\x55\xd5", b"xyz", 12)]
    assert heard([*silent, *started]) == [PREAMBLE, PREAMBLE + b"xyz"]


class Own(LiteXModule):
    """LiteEth's own way of bytes to words."""

    def __init__(self, pads, dw: int) -> None:
        self.phy = phy = LiteEthPHYGMIIRX(pads)
        self.converter = converter = stream.StrideConverter(eth_phy_description(8), eth_phy_description(dw))
        self.comb += [phy.source.connect(converter.sink), converter.sink.last_be.eq(phy.source.last)]
        self.checker = LiteEthMACPreambleChecker(dw)
        self.comb += converter.source.connect(self.checker.sink)
        self.source = self.checker.source


def test_the_fault_that_this_is_for():
    """LiteEth's own hears one length of four; where it hears all, no other is needed."""
    frames = [(n * b"\x55" + b"\xd5", b"some bytes", 12) for n in range(1, 8)]
    assert len(heard(frames, Own)) == 2 and len(heard(frames)) == 7


@pytest.mark.parametrize("seed", range(3))
def test_all_bytes_of_a_frame_go_in_a_row(seed):
    """Words come at once, or after a pause between frames; a gap is twelve bytes, and no more where the next
    frame waits."""
    rng = random.Random(seed)
    frames = frames_of(rng, 150)
    pauses = [rng.choice((0, 0, rng.randrange(40))) for _ in frames]
    pads = Record(GMII)
    sender = WordSender(pads, 8 * WORD)
    found: list[bytes] = []
    gaps: list[int] = []
    sink = sender.sink

    def give():
        for data, pause in zip(frames, pauses, strict=True):
            for _ in range(pause):
                yield
            for place in range(0, len(data), WORD):
                word = data[place : place + WORD]
                last = place + WORD >= len(data)
                yield sink.data.eq(int.from_bytes(word.ljust(WORD, b"\x5a"), "little"))
                yield sink.last.eq(last)
                yield sink.last_be.eq(1 << (len(word) - 1) if last else 0)
                yield sink.valid.eq(1)
                yield
                while not (yield sink.ready):
                    yield
            yield sink.valid.eq(0)
            if pause:
                yield

    def take():
        gap, now = 12, b""
        for _ in range(sum(map(len, frames)) + sum(pauses) + 15 * len(frames)):
            yield
            if (yield pads.tx_en):
                if not now:
                    gaps.append(gap)
                now += bytes([(yield pads.tx_data)])
                gap = 0
            else:
                if now:
                    found.append(now)
                now = b""
                gap += 1

    run_simulation(sender, [give(), take()])
    assert found == frames
    assert min(gaps) == 12
    assert all(gap == 12 for gap, pause in zip(gaps[1:], pauses[1:], strict=True) if not pause)
