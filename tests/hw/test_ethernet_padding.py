"""Short frames of Ethernet are sent with the least length, whatever frame was before them, and not taken."""

import random

import pytest

pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")
from liteeth.mac.padding import LiteEthMACPaddingInserter  # noqa: E402
from migen import run_simulation  # noqa: E402

from trine_hw.link.ethernet.padding import PaddingChecker, PaddingInserter, PreambleChecker, own_padding  # noqa: E402

LEAST = 60


def sent(inserter, frames: list[bytes], size: int, seed: int, damaged: list | None = None) -> list[bytes]:
    """What comes out of an inserter with words of `size` bytes, with pauses on both sides; into `damaged`,
    whether each frame's last word has an error."""
    found: list[bytes] = []
    rng = random.Random(seed)

    def give():
        for frame in frames:
            for at in range(0, len(frame), size):
                word = frame[at : at + size]
                while rng.random() < 0.3:
                    yield
                yield inserter.sink.valid.eq(1)
                yield inserter.sink.data.eq(int.from_bytes(word.ljust(size, b"\xaa"), "little"))
                last = at + size >= len(frame)
                yield inserter.sink.last.eq(last)
                yield inserter.sink.last_be.eq(1 << (len(word) - 1) if last else 0)
                yield
                while not (yield inserter.sink.ready):
                    yield
                yield inserter.sink.valid.eq(0)

    def take():
        now = b""
        for _ in range(400 * len(frames)):
            yield inserter.source.ready.eq(rng.random() < 0.7)
            yield
            if (yield inserter.source.valid) and (yield inserter.source.ready):
                count = size
                if (yield inserter.source.last):
                    count = (yield inserter.source.last_be).bit_length()
                now += (yield inserter.source.data).to_bytes(size, "little")[:count]
                if (yield inserter.source.last):
                    if damaged is not None:
                        damaged.append(bool((yield inserter.source.error)))
                    found.append(now)
                    now = b""
            if len(found) == len(frames):
                return
        assert not now

    run_simulation(inserter, [give(), take()])
    return found


def frames_of(rng: random.Random, count: int) -> list[bytes]:
    lengths = [57, 42, 58, 59, 51, 60, 61, 1, 56, 57, 57, *(rng.randrange(1, 75) for _ in range(count))]
    return [rng.randbytes(length) for length in lengths]


@pytest.mark.parametrize("size", [1, 4])
def test_frames_have_the_least_length(size):
    frames = frames_of(random.Random(size), 60)
    found = sent(PaddingInserter(8 * size, LEAST), frames, size, seed=2)
    assert [len(frame) for frame in found] == [max(len(frame), LEAST) for frame in frames]
    assert all(a.startswith(b) for a, b in zip(found, frames, strict=True))


@pytest.mark.parametrize("size", [1, 4])
def test_short_frames_are_received_as_damaged(size):
    frames = frames_of(random.Random(size), 60)
    damaged: list[bool] = []
    found = sent(PaddingChecker(8 * size, LEAST), frames, size, 2, damaged)
    assert [len(frame) for frame in found] == [max(len(frame), LEAST) for frame in frames]
    assert damaged == [len(frame) < LEAST for frame in frames]


def test_the_fault_that_this_is_for():
    """LiteEth's own sends the frame behind one of 57 bytes as short as it is; where it no longer does, no
    other is needed."""
    frames = [bytes(57), bytes(42), bytes(42)]
    assert [len(frame) for frame in sent(LiteEthMACPaddingInserter(32, LEAST), frames, 4, seed=3)] == [
        60,
        42,
        60,
    ]


def test_a_mac_has_it():
    from liteeth.mac import padding, preamble

    with own_padding():
        assert padding.LiteEthMACPaddingInserter is PaddingInserter
        assert preamble.LiteEthMACPreambleChecker is PreambleChecker
    assert padding.LiteEthMACPaddingInserter is LiteEthMACPaddingInserter
