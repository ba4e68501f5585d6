"""Each board's whole gateware at its pins, in Amaranth's simulator: clock, start, UART, link, held pins.

The PLL and the clock's gate are what their data sheets say; the host keeps to the board's baud rate in
seconds, so that a byte is not read where a clock or a divisor is not what it should be.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import Fragment, Signal
from amaranth.lib import io
from amaranth.sim import Simulator

from tests.helpers.primitives import DCCA, EHXPLLL, RPLL, SBPLL40, instance
from trine_boards import BOARDS
from trine_boards.clock import ecp5 as ecp5_clock
from trine_boards.clock import gowin as gowin_clock
from trine_boards.clock import ice40 as ice40_clock
from trine_boards.clock.pll import START_SECONDS
from trine_boards.top import BoardTop
from trine_boards.transports.uart import UARTTransport
from trine_sw.engine import EngineConfig, memory_layout
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import Command, Frame, encode
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

MODEL = random_model(ModelConfig(hidden=1, embedding=1, vocab_size=2, cell_max=1), seed=1)
#: Clock cycles in a bit: fewer than on the wire, so that a frame takes no minute to simulate.
DIVISOR = 8


class Pins:
    """A platform whose pins are signals."""

    default_clk = "clk"

    def __init__(self, board) -> None:
        real = board.platform()
        self.default_clk_frequency = real.default_clk_frequency
        self.rx, self.tx, self.led, self.osc = Signal(init=1), Signal(), Signal(), Signal()
        self.held: dict[str, io.SimulationPort] = {}
        self.constraints: list[float] = []
        self.lookup = real.lookup

    def request(self, name: str, number: int = 0, *, dir: Any = None) -> Any:
        if name == "uart":
            return SimpleNamespace(rx=SimpleNamespace(i=self.rx), tx=SimpleNamespace(o=self.tx))
        if name == self.default_clk:
            return SimpleNamespace(io=self.osc) if dir == "-" else SimpleNamespace(i=self.osc)
        if name == "led":
            return SimpleNamespace(o=self.led)
        parts = dir if isinstance(dir, dict) else {name: dir}
        ports = {part: io.SimulationPort("o", 1) for part in parts}
        self.held |= ports
        return SimpleNamespace(**ports) if isinstance(dir, dict) else ports[name]

    def add_clock_constraint(self, clock: Signal, hz: float) -> None:
        self.constraints.append(hz)


class Bench:
    """A board with its PLL, and a host at its UART."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (ecp5_clock, gowin_clock, ice40_clock):
            monkeypatch.setattr(module, "Instance", instance)
        board = BOARDS[name]
        self.board = replace(board, transports=(UARTTransport(baud=round(board.clock_mhz * 1e6 / DIVISOR)),))
        self.pins = Pins(self.board)
        self.engine = EngineConfig(8, 1)
        self.top = BoardTop(MODEL, self.engine, self.board, self.board.clock_mhz)
        instance.made.clear()
        fragment = Fragment.get(self.top, self.pins)
        self.pll = next(made for made in instance.made if isinstance(made, (EHXPLLL, RPLL, SBPLL40)))
        self.gate = next((made for made in instance.made if isinstance(made, DCCA)), None)
        self.mhz = self.pll.output_mhz(self.pins.default_clk_frequency / 1e6)
        self.simulator = Simulator(fragment)
        self.simulator.add_clock(1e-6 / self.mhz, domain="pll")
        self.answer = bytearray()
        self.lock_losses = self.framing_errors = 0

    def run(self, drive) -> None:
        """``drive`` is the host, and the PLL's lock."""
        uart = self.top.pinned

        async def receive(ctx):
            bit = 1 / self.board.baud
            while True:
                await ctx.negedge(self.pins.tx)
                await ctx.delay(1.5 * bit)
                byte = 0
                for n in range(8):
                    byte |= ctx.get(self.pins.tx) << n
                    await ctx.delay(bit)
                assert ctx.get(self.pins.tx), "a byte without its stop bit"
                self.answer.append(byte)

        async def lock_losses(ctx):
            while True:
                if self.gate is None:
                    await ctx.posedge(uart.lock_lost)
                    self.lock_losses += 1
                else:  # in each cycle of the engine's clock it counts once
                    await ctx.changed(self.gate.edges)
                    self.lock_losses += ctx.get(uart.lock_lost)

        async def framing_errors(ctx):
            while True:
                await ctx.posedge(uart.link.framing_error)
                self.framing_errors += 1

        for watcher in (receive, lock_losses, framing_errors):
            self.simulator.add_testbench(watcher, background=True)
        self.simulator.add_testbench(drive)
        self.simulator.run()

    def edges(self, ctx) -> int:
        """Of the clock of an ECP5's engine, so far."""
        assert self.gate is not None
        return ctx.get(self.gate.edges)

    async def send(self, ctx, data: bytes) -> None:
        bit = 1 / self.board.baud
        for byte in data:
            for level in (0, *(byte >> n & 1 for n in range(8)), 1):
                ctx.set(self.pins.rx, level)
                await ctx.delay(bit)


@pytest.mark.parametrize(
    ("name", "locks_at"), [("ulx3s", 7e-6), ("icebreaker", 0), ("tang-nano-20k", 3e-6), ("tang-nano-9k", 0)]
)
def test_a_board_starts_and_answers(name: str, locks_at: float, monkeypatch) -> None:
    """Nothing happens before the start, whatever is on the line; then a frame is answered."""
    bench = Bench(name, monkeypatch)
    board, pins, request = bench.board, bench.pins, encode(Frame(5, 9, Command.RESUME))
    assert bench.mhz == pytest.approx(board.clock_mhz, rel=1e-9)
    assert set(pins.constraints) == {board.clock_mhz * 1e6 * (1 + bench.top.margin)}
    model = BoardModel(MODEL, bench.engine, board.link, clock_hz=board.clock_mhz * 1e6, baud=board.baud)
    byte = 10 / board.baud
    lit = set()

    async def drive(ctx):
        await ctx.delay(locks_at)
        ctx.set(bench.pll.locked, 1)
        await ctx.delay(0.6 * START_SECONDS)
        await bench.send(ctx, b"\x41")
        await ctx.delay(0.4 * START_SECONDS - byte - 1e-7)
        assert ctx.get(pins.tx) and not ctx.get(pins.led)
        if bench.gate is not None:  # which counts to a power of two
            assert not bench.edges(ctx)
            await ctx.delay(START_SECONDS)
        await ctx.delay(10 * 1e-6)
        assert ctx.get(pins.tx) and not ctx.get(pins.led)
        await bench.send(ctx, request)
        for _ in range(40):
            lit.add(ctx.get(pins.led))
            await ctx.delay(byte / 2)
        assert {ctx.get(port.o) for name, port in pins.held.items() if name == "gpio0"} == held
        ctx.set(pins.rx, 0)  # a break
        await ctx.delay(2 * byte)

    held = {1} if name == "ulx3s" else set()
    bench.run(drive)
    assert bytes(bench.answer) == model.exchange(request)
    assert lit == {0, 1} and not bench.lock_losses and bench.framing_errors == 1


def test_a_lock_that_is_lost_stops_an_ecp5_s_clock_and_is_told(monkeypatch) -> None:
    """No edge while the lock is away, nor for a while after; one loss is told once."""
    bench = Bench("ulx3s", monkeypatch)
    edges: list[int] = []

    async def drive(ctx):
        ctx.set(bench.pll.locked, 1)
        await ctx.delay(2.2 * START_SECONDS)
        ctx.set(bench.pll.locked, 0)
        await ctx.delay(10e-6 / bench.mhz)
        edges.append(bench.edges(ctx))
        await ctx.delay(1e-6)
        edges.append(bench.edges(ctx))
        ctx.set(bench.pll.locked, 1)
        await ctx.delay(START_SECONDS)
        edges.append(bench.edges(ctx))
        await ctx.delay(2 * START_SECONDS)
        assert bench.edges(ctx) > edges[0]

    bench.run(drive)
    assert edges[0] > 0 and len(set(edges)) == 1
    assert bench.lock_losses == 1


@pytest.mark.parametrize("name", ["icebreaker", "tang-nano-20k"])
def test_a_lock_that_is_lost_resets_an_ice40_and_a_gowin(name, monkeypatch) -> None:
    """Of a frame that had begun nothing is left."""
    bench = Bench(name, monkeypatch)
    board, request = bench.board, encode(Frame(5, 9, Command.RESUME))
    model = BoardModel(MODEL, bench.engine, board.link, clock_hz=board.clock_mhz * 1e6, baud=board.baud)

    async def drive(ctx):
        ctx.set(bench.pll.locked, 1)
        await ctx.delay(START_SECONDS + 1e-6)
        await bench.send(ctx, request[:4])
        ctx.set(bench.pll.locked, 0)
        await ctx.delay(1e-6)
        ctx.set(bench.pll.locked, 1)
        await ctx.delay(START_SECONDS + 1e-6)
        await bench.send(ctx, request)
        await ctx.delay(200 / board.baud)

    bench.run(drive)
    assert bytes(bench.answer) == model.exchange(request)


def test_a_board_lays_its_model_out_once(monkeypatch) -> None:
    """Core, link and description are made of one memory layout."""
    laid, lanes = [], memory_layout._lanes
    monkeypatch.setattr(memory_layout, "_lanes", lambda *given: laid.append(1) or lanes(*given))
    board = BOARDS["ulx3s"]
    BoardTop(MODEL, EngineConfig(100, 1), board, board.clock_mhz)
    assert len(laid) == 1
