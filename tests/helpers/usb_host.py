"""The UTMI interface of a simulated USB device, as a wire to :class:`trine_boards.pins.usb_host.USBHost`."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.sim import Simulator

from trine_boards.pins.usb_host import USBHost
from trine_hw.link.usb import USBStreams

__all__ = ["ModelDevice", "UTMIWire", "utmi_host"]

_J, _SE0 = 0b01, 0b00
USB_PERIOD, SYNC_PERIOD = 1 / 12e6, 1 / 17e6


class ModelDevice(Elaboratable):
    """The gateware of USB; a function of Python answers the bytes that come in."""

    def __init__(self, answer: Callable[[bytes], bytes], *, high_speed: bool = False) -> None:
        self.streams = USBStreams(0x1209, 0x0001, "Trine test", "0123", high_speed=high_speed)
        self.bus, self.answer = self.streams.bus, answer
        self.deaf = False
        #: Whether the link takes and gives bytes more slowly than USB of full speed brings them.
        self._slow = not high_speed

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.streams = self.streams
        return m

    async def board(self, ctx: Any) -> None:
        """The link, which takes and gives a byte every third cycle at most, or pauses at times."""
        answers, rng = bytearray(), random.Random(1)
        put, taken = self.streams.i, self.streams.o
        while True:
            hears = not self.deaf  # which a test may change before the cycle's end
            ctx.set(taken.ready, hears)
            ctx.set(put.valid, bool(answers))
            ctx.set(put.payload, answers[0] if answers else 0)
            _, _, ready, valid, payload = await ctx.tick().sample(put.ready, taken.valid, taken.payload)
            if answers and ready:
                del answers[0]
            if valid and hears:
                answers += self.answer(bytes((payload,)))
            ctx.set(taken.ready, 0)
            ctx.set(put.valid, 0)
            for _ in range(2 * ((valid and self._slow) or rng.random() < 0.1)):
                await ctx.tick()


class UTMIWire:
    """A :class:`trine_boards.pins.usb_host.USBWire` to ``dut.bus``; `testbenches` run beside it."""

    def __init__(self, dut: Any, *testbenches: Any) -> None:
        self.bus = dut.bus
        self._now, self._task, self._result = 0.0, None, None
        self._sent, self._packets = bytearray(), []  # by the device, and not yet received
        self._simulator = Simulator(dut)
        self._simulator.add_clock(USB_PERIOD, domain="usb")
        self._simulator.add_clock(SYNC_PERIOD, domain="sync")
        for testbench in testbenches:
            self._simulator.add_testbench(testbench, background=True)
        self._simulator.add_testbench(self._run)

    async def _run(self, ctx: Any) -> None:
        ctx.set(self.bus.line_state, _J)
        ctx.set(self.bus.tx_ready, 1)
        while True:
            if self._task is None:
                await self._ticks(ctx, 1)
            else:
                self._result = (await self._task(ctx),)
                self._task = None

    def _do(self, task: Any) -> Any:
        self._task, self._result = task, None
        while self._result is None:
            self._simulator.advance()
        return self._result[0]

    async def _ticks(self, ctx: Any, count: int) -> None:
        for _ in range(count):
            _, _, valid, data = await ctx.tick("usb").sample(self.bus.tx_valid, self.bus.tx_data)
            if valid:
                self._sent.append(data)
            elif self._sent:
                self._packets.append(bytes(self._sent))
                self._sent.clear()
        self._now += count * USB_PERIOD

    def clock(self) -> float:
        return self._now

    def pause(self) -> None:
        self._do(lambda ctx: self._ticks(ctx, 3))

    def send(self, packet: bytes) -> None:
        bus = self.bus

        async def send(ctx: Any) -> None:
            ctx.set(bus.rx_active, 1)
            await self._ticks(ctx, 2)
            for byte in packet:
                ctx.set(bus.rx_data, byte)
                ctx.set(bus.rx_valid, 1)
                await self._ticks(ctx, 1)
                ctx.set(bus.rx_valid, 0)
                await self._ticks(ctx, 1)
            ctx.set(bus.rx_active, 0)

        self._do(send)
        self.pause()

    def receive(self) -> bytes | None:
        async def receive(ctx: Any) -> bytes | None:
            for _ in range(40):
                if self._sent or self._packets:
                    break
                await self._ticks(ctx, 1)
            while self._sent:
                await self._ticks(ctx, 1)
            await self._ticks(ctx, 4)
            return self._packets.pop(0) if self._packets else None

        return self._do(receive)

    def reset(self) -> None:
        async def reset(ctx: Any) -> None:
            ctx.set(self.bus.line_state, _SE0)
            await self._ticks(ctx, 2000)
            ctx.set(self.bus.line_state, _J)
            await self._ticks(ctx, 50)

        self._do(reset)


def utmi_host(dut: Any, *testbenches: Any, faults: float = 0, seed: int = 1) -> USBHost:
    """A host at the UTMI interface of `dut`."""
    return USBHost(UTMIWire(dut, *testbenches), faults=faults, seed=seed)
