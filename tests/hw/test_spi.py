"""SPI at its pins: bytes both ways, the exactly-once session of the driver over it, and faults."""

import random

import numpy as np
import pytest
from amaranth.hdl import Elaboratable, Module

from tests.helpers.spi_pins import Controller, ModelBoard, SimulatedSPI
from trine_hw.link.link import Link
from trine_hw.link.spi import FrameStore, SPILink, SPIPeripheral
from trine_hw.simulation.watchdog import run_watched
from trine_sw.driver import Board
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

MODEL = random_model(ModelConfig(hidden=5, embedding=4, vocab_size=9), seed=4)
WANT = ("h", "choice")


class Collecting:
    """Frames that came, and a frame of other bytes back for each."""

    def __init__(self, seed: int = 1):
        self.came, self.replied, self._random = bytearray(), [], random.Random(seed)

    def __call__(self, byte: bytes) -> bytes:
        self.came += byte
        if byte != b"\0":
            return b""
        reply = bytes(self._random.randrange(1, 256) for _ in range(self._random.randrange(1, 30))) + b"\0"
        self.replied.append(reply)
        return reply


@pytest.mark.parametrize("cycles", [4, 5.3, pytest.param(11, marks=pytest.mark.nightly)])
def test_bytes_go_both_ways_without_loss(cycles):
    """A quarter of the board's clock and slower; whatever the controller sends while it fetches."""
    device, rng = Collecting(), random.Random(cycles)
    board = ModelBoard(device, 64)
    bus = Controller(board, board.board, cycles=cycles)
    transport = SimulatedSPI(bus)
    sent, got = b"", b""
    for _ in range(4):
        frame = bytes(rng.randrange(1, 256) for _ in range(rng.randrange(1, 20))) + b"\0"
        sent += frame
        transport.write(frame)
        if rng.random() < 0.7:
            got += transport.read(0.2)
    while data := transport.read(0.02):
        got += data
    assert bytes(device.came) == sent and got == b"".join(device.replied)
    assert not board.lost and not board.framing_errors


def test_too_fast_a_clock_is_noticed():
    """The test of the test: above a third of the board's clock the bytes are not those that were sent."""
    device = Collecting()
    board = ModelBoard(device, 64)
    SimulatedSPI(Controller(board, board.board, cycles=1.9)).write(bytes(range(1, 60)) + b"\0")
    assert bytes(device.came) != bytes(range(1, 60)) + b"\0"


def test_a_byte_that_is_cut_short_is_dropped_and_counted():
    device = Collecting()
    board = ModelBoard(device, 64)
    bus = Controller(board, board.board)
    bus.cut = 5
    bus.transfer(b"\x41\x42")
    bus.cut = 0
    bus.transfer(b"\x43\0")
    bus.ready()
    assert bytes(device.came) == b"\x41\x43\0" and board.framing_errors == 1


def test_bytes_that_are_offered_at_any_time_are_sent_once():
    """Before, at and after the edge with which a byte begins."""
    dut, rng, got = SPIPeripheral(), random.Random(3), bytearray()
    offered = bytes(rng.randrange(1, 256) for _ in range(60))

    async def put(ctx):
        for byte in offered:
            await ctx.tick().repeat(rng.randrange(1, 80))
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def fetch(ctx):
        ctx.set(dut.cs, 1)
        await ctx.tick().repeat(5)
        while len(got.replace(b"\0", b"")) < len(offered):
            byte = 0
            for _ in range(8):
                byte = byte << 1 | ctx.get(dut.cipo)
                ctx.set(dut.clk, 1)
                await ctx.tick().repeat(2)
                ctx.set(dut.clk, 0)
                await ctx.tick().repeat(2)
            got.append(byte)

    run_watched(dut, put, fetch, progress={"i": dut.i}, patience=300)
    assert got.replace(b"\0", b"") == offered


def test_a_frame_leaves_only_once_it_is_whole():
    """And then without a pause of more than five cycles."""
    dut, rng = FrameStore(32), random.Random(2)
    frames = [bytes(rng.randrange(1, 256) for _ in range(size)) + b"\0" for size in (0, 1, 31, 5, 17, 30)]
    complete, got, gaps = [0], bytearray(), []

    async def put(ctx):
        for frame in frames:
            for byte in frame:
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                complete[0] += byte == 0
                await ctx.tick().until(dut.i.ready)
                ctx.set(dut.i.valid, 0)
                await ctx.tick().repeat(rng.choice((1, 1, 40)))

    async def get(ctx):
        gap = 0
        ctx.set(dut.o.ready, 1)
        while got.count(0) < len(frames):
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            gap = 0 if valid else gap + 1
            if valid:
                assert complete[0] > got.count(0)
                if got and got[-1]:
                    gaps.append(gap)
                got.append(payload)

    run_watched(dut, put, get, progress={"i": dut.i, "o": dut.o}, patience=200)
    assert bytes(got) == b"".join(frames) and max(gaps) <= 5


@pytest.mark.parametrize(
    ("faults", "seed"),
    [(0, 1), (0.9, 2), *(pytest.param(0.6, n, marks=pytest.mark.nightly) for n in range(3, 9))],
)
def test_the_driver_s_session_over_the_pins(faults, seed):
    """Each token is applied once, in order, whatever bits are inverted and clocks are missed or doubled."""
    engine = default_engine(MODEL)
    device = BoardModel(MODEL, engine, LinkConfig(window=2))
    board = ModelBoard(device.exchange, 256)
    bus = Controller(board, board.board, faults=faults, seed=seed)
    tokens = np.random.default_rng(seed).integers(0, 9, 12)
    trace = Golden(MODEL).run(tokens)
    with Board.connected(lambda: SimulatedSPI(bus), MODEL, "the board") as driver:
        steps = list(driver.stream(tokens[:9], WANT)) + [driver.step(token, WANT) for token in tokens[9:]]
        counters, host = driver.counters, driver.host_counters
    assert trace.logits is not None
    for t, step in enumerate(steps):
        assert np.array_equal(step.h, trace.h[t]) and step.choice == trace.logits[t].argmax()
    assert bus.closed and not board.lost
    if faults:
        # A fault may hit what only fills.
        noticed = counters.damaged + host.damaged + host.timeouts
        assert bus.injected and (noticed or bus.injected < 4)
    else:
        assert not (board.framing_errors or counters.damaged or host.resent or host.timeouts)


class Pins(Elaboratable):
    """A link whose pins are named as the controller has them."""

    def __init__(self, link: SPILink):
        self.link = link
        self.cs, self.clk, self.copi, self.cipo, self.ready = (
            link.cs,
            link.clk,
            link.copi,
            link.cipo,
            link.ready,
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = self.link
        return m


def test_a_whole_link_answers_over_its_pins():
    """An engine of a few cells, and the counters of what its receiver dropped."""
    model = random_model(ModelConfig(hidden=1, embedding=1, vocab_size=2, cell_max=1), seed=1)
    pins = Pins(SPILink(Link(model, EngineConfig(8, 1), LinkConfig(window=1))))
    bus = Controller(pins, seed=5)
    bus.cut = 3
    bus.transfer(b"\x41\x42")
    bus.cut = 0
    trace = Golden(model).run(np.array([1, 0]))
    with Board.connected(lambda: SimulatedSPI(bus), model, "the board") as driver:
        steps = [driver.step(token, ("h",)) for token in (1, 0)]
        assert driver.counters.framing_errors == 1
        assert not driver.counters.overflows and not driver.host_counters.timeouts
    assert all(np.array_equal(step.h, h) for step, h in zip(steps, trace.h, strict=True))
