"""The synthesised netlist of each transport alone, at its pins: bytes both ways, behind it a register."""

import random
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from sim.netlist.loopback import synthesised_loopback
from trine_boards import BOARDS
from trine_boards.pins.host import START_SECONDS
from trine_boards.pins.simulation import started
from trine_boards.pins.usb_lines import USBLines, line_bytes, line_symbols
from trine_boards.verify.netlist_pins import synthesised
from trine_sw.support.errors import TrineError

#: One of each kind of transport and family; of the UARTs one that drives its line low only.
BUILT = [("ulx3s", "spi"), ("icebreaker", "spi"), ("cynthion", "uart"), ("ulx3s", "usb")]


def echoed(board, frame: bytes) -> bytes:
    """What has come back once the board is silent."""
    board.write(frame)
    received = b""
    while data := board.read(100 * board.bit_seconds):
        received += data
    return received


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "link"), BUILT)
def test_bytes_come_back(name, link, tmp_path):
    """Random frames, with bytes of the most and of the fewest edges; and nothing over crossed wires."""
    spec, rng = BOARDS[name].over(link), random.Random(7)
    synthesised_loopback(spec, tmp_path)
    netlist = synthesised(spec, tmp_path / "top.json", tmp_path / "models")
    host: Any = spec.transport.pin_host(spec.clock_mhz)
    with closing(host.attach(started(netlist, host, optimise=False))) as board:
        board.begin(START_SECONDS)
        for _ in range(12):
            size = rng.randrange(1, 60)
            frame = bytes(rng.choice((1, 0x55, 255, rng.randrange(1, 256))) for _ in range(size)) + b"\0"
            assert echoed(board, frame) == frame
        assert board.line_errors == 0
    wrong = replace(host, inverted=True)
    with closing(wrong.attach(started(netlist, wrong, optimise=False))) as board:
        if link == "usb":
            with pytest.raises(TrineError, match="the USB device does not answer"):
                board.begin(START_SECONDS)
        else:
            board.begin(START_SECONDS)
            assert echoed(board, b"\x35\0") != b"\x35\0"


@pytest.mark.parametrize("seed", range(20))
def test_packets_as_levels_of_the_lines(seed):
    """NRZI with stuffed bits, there and back; and a level that is wrong anywhere is no packet, or another."""
    rng = random.Random(seed)
    packet = bytes(rng.choice((0, 255, rng.randrange(256))) for _ in range(rng.randrange(1, 70)))
    levels = line_symbols(packet)
    assert len(levels) >= 8 * (len(packet) + 1) + 3 and levels[-3:] == b"\0\0\1"
    assert line_bytes(levels[:-1]) == packet
    run = longest = 1
    for before, level in zip(levels[:-3], levels[1:-3], strict=False):
        run = run + 1 if before == level else 1
        longest = max(longest, run)
    assert longest <= 7
    for _ in range(20):
        at = rng.randrange(len(levels) - 3)
        wrong = bytes((*levels[:at], levels[at] ^ 3, *levels[at + 1 : -1]))
        assert line_bytes(wrong) != packet


class Samples:
    """In a simulation's place: gives what was sampled of one packet, then nothing."""

    def __init__(self, runs: list[tuple[int, int]]) -> None:
        self.runs = runs

    def ask(self, command: bytes) -> bytes:
        assert command[0] == 2
        runs, self.runs = self.runs, []
        total = sum(length for _, length in runs) or 128
        return b" ".join([*(b"%d:%d" % run for run in runs), b"%d" % total])


def sampled(levels: bytes, rng: random.Random, crossing: int | None) -> list[tuple[int, int]]:
    """Runs of levels in eighths of a bit time, an edge a sample early or late; at some edges between J and K
    a sample shows both lines at the level ``crossing``."""
    edges = [0, *(at for at in range(1, len(levels)) if levels[at] != levels[at - 1])]
    times = [8 * at + rng.choice((-1, 0, 0, 1)) for at in edges]
    runs: list[tuple[int, int]] = []
    for at, start, end in zip(edges, times, times[1:], strict=False):
        length = end - start
        if runs and crossing is not None and 0 not in (levels[at], levels[at - 1]) and rng.random() < 0.2:
            runs.append((crossing, 1))
            length -= 1
        runs.append((levels[at], length))
    return runs


@pytest.mark.parametrize("seed", range(10))
def test_lines_that_cross_between_two_samples(seed):
    """One sample of both lines alike is the change from one level to the other; two are not."""
    rng = random.Random(seed)
    packet = bytes(rng.choice((0, 255, rng.randrange(256))) for _ in range(rng.randrange(2, 70)))
    levels = line_symbols(packet)
    for crossing in (None, 0, 3):
        lines = USBLines(Samples(runs := sampled(levels, rng, crossing)), 1 / 12e6)  # pyright: ignore[reportArgumentType]
        assert lines.receive() == packet and lines.errors == 0 and lines.receive() is None
        assert (crossing is None) == all(length > 1 for _, length in runs)
    at = rng.randrange(2, len(runs) - 2)
    wrong = [*runs[:at], (3, 3), *runs[at:]]
    lines = USBLines(Samples(wrong), 1 / 12e6)  # pyright: ignore[reportArgumentType]
    assert lines.receive() is None and lines.errors == 1
