"""A simulated SPI peripheral behind the driver: its pins, a controller with faults, and a board model."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from trine_hw.link.spi import FrameStore, SPIPeripheral
from trine_sw.driver.spi import SPITransport

__all__ = ["PERIOD", "Controller", "ModelBoard", "SimulatedSPI"]

#: Of the board's clock, in seconds.
PERIOD = 1e-6


class ModelBoard(Elaboratable):
    """The gateware of SPI; a function of Python answers what comes in."""

    def __init__(self, answer: Callable[[bytes], bytes], depth: int) -> None:
        self.peripheral, self.store = SPIPeripheral(), FrameStore(depth)
        self.cs, self.clk, self.copi = self.peripheral.cs, self.peripheral.clk, self.peripheral.copi
        self.cipo, self.ready = self.peripheral.cipo, self.store.waiting
        self.answer = answer
        self.lost = self.framing_errors = 0

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.peripheral, m.submodules.store = self.peripheral, self.store
        connect(m, self.store.o, self.peripheral.i)
        return m

    async def board(self, ctx: Any) -> None:
        """The link: it takes a byte every third cycle, and answers with pauses."""
        rng, answers = random.Random(1), bytearray()
        put, taken = self.store.i, self.peripheral.o
        pause = 0
        while True:
            ctx.set(taken.ready, 1)
            offered = bool(answers) and not pause
            ctx.set(put.valid, offered)
            ctx.set(put.payload, answers[0] if offered else 0)
            pause = max(pause - 1, 0)
            _, _, ready, valid, payload, lost, error = await ctx.tick().sample(
                put.ready, taken.valid, taken.payload, self.peripheral.lost, self.peripheral.framing_error
            )
            self.lost, self.framing_errors = self.lost + lost, self.framing_errors + error
            if offered and ready:
                del answers[0]
                pause = rng.choice((0, 0, 3, 60))
            if valid:
                answers += self.answer(bytes((payload,)))


class Controller:
    """A bus (:class:`trine_sw.driver.spi.SPIBus`) whose controller moves the pins of a simulated board.

    Parameters
    ----------
    dut : with the pins ``cs``, ``clk``, ``copi``, ``cipo`` and ``ready``
    testbenches : what runs beside it
    cycles : of the board's clock in one of SPI
    faults : of 1,000 bits so many have a fault: they are inverted on the way, or their clock is missed, or
        doubled by a glitch
    """

    def __init__(
        self, dut: Any, *testbenches: Any, cycles: float = 4, faults: float = 0, seed: int = 1
    ) -> None:
        self.dut, self.half = dut, cycles * PERIOD / 2
        self.injected = 0
        self.closed = False
        self.cut = 0  # bits that are left out at the end of a transfer
        self._faults, self._random = faults / 1000, random.Random(seed)
        self._out: list[bytes] = []
        self._in: list[bytes] = []
        self._level, self._now, self._looks = False, 0.0, 0
        self._simulator = Simulator(dut)
        self._simulator.add_clock(PERIOD)
        for testbench in testbenches:
            self._simulator.add_testbench(testbench, background=True)
        self._simulator.add_testbench(self._controller)

    async def _controller(self, ctx: Any) -> None:
        dut = self.dut
        while True:
            if not self._out:
                await self._delay(ctx, 5 * PERIOD)
                self._look(ctx)
                continue
            # At any time of the board's clock.
            await self._delay(ctx, self._random.uniform(1, 3) * PERIOD)
            ctx.set(dut.cs, 1)
            await self._delay(ctx, 4.5 * PERIOD)
            received = bytearray()
            for byte in self._out[0]:
                got = 0
                cut = self.cut if len(received) == len(self._out[0]) - 1 else 0
                for k in reversed(range(cut, 8)):
                    got = got << 1 | await self._bit(ctx, byte >> k & 1)
                received.append(got)
            await self._delay(ctx, self.half)
            ctx.set(dut.cs, 0)
            await self._delay(ctx, 5 * PERIOD)
            self._in.append(bytes(received))
            del self._out[0]

    async def _bit(self, ctx: Any, bit: int) -> int:
        dut, clocked = self.dut, True
        if self._random.random() < self._faults:
            self.injected += 1
            kind = self._random.randrange(3)
            if kind == 0:
                bit ^= 1
            elif kind == 1:
                clocked = False
            else:
                ctx.set(dut.clk, 1)
                await self._delay(ctx, self.half)
                ctx.set(dut.clk, 0)
        ctx.set(dut.copi, bit)
        # It wants its data half a cycle of the board's clock before the edge.
        await self._delay(ctx, self.half - PERIOD / 2)
        got = ctx.get(dut.cipo)
        await self._delay(ctx, PERIOD / 2)
        ctx.set(dut.clk, clocked)
        await self._delay(ctx, self.half)
        ctx.set(dut.clk, 0)
        return got

    async def _delay(self, ctx: Any, seconds: float) -> None:
        await ctx.delay(seconds)
        self._now += seconds

    def _look(self, ctx: Any) -> None:
        self._level = bool(ctx.get(self.dut.ready))
        self._looks += 1

    def _until_look(self) -> None:
        looks = self._looks
        while self._looks == looks:
            self._simulator.advance()

    def transfer(self, data: bytes) -> bytes:
        self._out.append(data)
        while not self._in:
            self._simulator.advance()
        return self._in.pop()

    def ready(self) -> bool:
        self._until_look()
        return self._level

    def wait(self, timeout: float) -> None:
        until = self.clock() + timeout
        while not self._level and self.clock() < until:
            self._until_look()

    def clock(self) -> float:
        """Seconds of the driver: a cycle of the board is ten microseconds, for shorter timeouts."""
        return self._now / PERIOD * 1e-5

    def fileno(self) -> int | None:
        return None

    def close(self) -> None:
        self.closed = True


class SimulatedSPI(SPITransport):
    """The driver's transport over a :class:`Controller`, in the simulation's time."""

    def __init__(self, bus: Controller) -> None:
        super().__init__(bus)
        self._controller = bus

    def clock(self) -> float:
        return self._controller.clock()
