"""What cocotb runs around the UART's pins: the other side of the line, with its faults."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly, RisingEdge, Timer

from sim.uart.pins import DIVISOR

__all__ = ["Line"]

_PERIOD_NS = 10
_BIT_NS = DIVISOR * _PERIOD_NS
BYTES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, *random.Random(1).randbytes(26)]


class Line:
    """A host at the pins: ``received`` and the events that the receiver told, as they come."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.received: list[int] = []
        self.lost = self.framing_errors = 0

    async def start(self, *, taken: bool = True) -> None:
        dut = self.dut
        dut.rx.value, dut.i__valid.value, dut.o__ready.value = 1, 0, int(taken)
        cocotb.start_soon(Clock(dut.clk, _PERIOD_NS, unit="ns").start())
        dut.rst.value = 1
        await ClockCycles(dut.clk, 4)
        dut.rst.value = 0
        cocotb.start_soon(self._watch())
        await Timer(7, "ns")  # the line's edges are not the clock's

    async def _watch(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if int(dut.o__valid.value) and int(dut.o__ready.value):
                self.received.append(int(dut.o__payload.value))
            self.lost += int(dut.lost.value)
            self.framing_errors += int(dut.framing_error.value)

    async def level(self, value: int, bits: float) -> None:
        self.dut.rx.value = value
        await Timer(round(bits * _BIT_NS), "ns")

    async def send(self, byte: int, *, speed: float = 1.0, stop: int = 1) -> None:
        for value in (0, *(byte >> k & 1 for k in range(8)), stop):
            await self.level(value, 1 / speed)

    async def rest(self, bits: float = 3) -> None:
        await self.level(1, bits)


@cocotb.test()
@cocotb.parametrize(speed=[0.98, 1.0, 1.02])
async def back_to_back_at_a_clock_that_is_off(dut: Any, speed: float) -> None:
    """Bytes without a pause, from a host whose clock is up to 2 % fast or slow."""
    line = Line(dut)
    await line.start()
    for byte in BYTES:
        await line.send(byte, speed=speed)
    await line.rest()
    assert line.received == BYTES and not line.framing_errors and not line.lost


@cocotb.test()
async def clock_that_is_far_off_is_noticed(dut: Any) -> None:
    """The test of the test: at 10 % the bytes are not those that were sent."""
    line = Line(dut)
    await line.start()
    for byte in BYTES:
        await line.send(byte, speed=0.9)
    await line.rest()
    assert line.received != BYTES


@cocotb.test()
async def glitches_are_no_start_bits(dut: Any) -> None:
    """Pulses shorter than half a bit, between bytes, leave nothing behind."""
    line = Line(dut)
    await line.start()
    for byte in BYTES[:8]:
        for width in (0.05, 0.2, 0.4):
            await line.level(0, width)
            await line.rest(1.5)
        await line.send(byte)
    await line.rest()
    assert line.received == BYTES[:8] and not line.framing_errors


@cocotb.test()
async def byte_without_its_stop_bit_is_dropped(dut: Any) -> None:
    """It is counted once, and the next one is received."""
    line = Line(dut)
    await line.start()
    await line.send(0x41)
    await line.send(0x42, stop=0)
    await line.rest(1)
    await line.send(0x43)
    await line.rest()
    assert line.received == [0x41, 0x43] and line.framing_errors == 1


@cocotb.test()
async def break_is_one_error(dut: Any) -> None:
    """A line that is low for fifty bits gives no bytes, and one framing error."""
    line = Line(dut)
    await line.start()
    await line.level(0, 50)
    await line.rest(2)
    await line.send(0x7E)
    await line.rest()
    assert line.received == [0x7E] and line.framing_errors == 1


@cocotb.test()
async def byte_that_nobody_takes_is_told(dut: Any) -> None:
    """The one that waits stays; each that comes meanwhile is lost and counted."""
    line = Line(dut)
    await line.start(taken=False)
    for byte in (1, 2, 3):
        await line.send(byte)
    await line.rest()
    assert line.lost == 2 and int(dut.o__payload.value) == 1
    dut.o__ready.value = 1
    await line.rest()
    assert line.received == [1]


@cocotb.test(timeout_time=20 * len(BYTES) * _BIT_NS, timeout_unit="ns")
async def transmitter_keeps_its_bits_and_stop_bits(dut: Any) -> None:
    """Sampled in the middle of each bit, from bytes offered without a pause."""
    line = Line(dut)
    await line.start()

    async def offer() -> None:
        for byte in BYTES:
            dut.i__payload.value, dut.i__valid.value = byte, 1
            while True:
                await ReadOnly()
                ready = int(dut.i__ready.value)
                await RisingEdge(dut.clk)
                if ready:
                    break
        dut.i__valid.value = 0

    cocotb.start_soon(offer())
    for byte in BYTES:
        if int(dut.tx.value):
            await FallingEdge(dut.tx)
        await Timer(_BIT_NS // 2, "ns")
        bits = []
        for _ in range(10):
            bits.append(int(dut.tx.value))
            await Timer(_BIT_NS if len(bits) < 10 else _BIT_NS // 2 - 2 * _PERIOD_NS, "ns")
        assert bits == [0, *(byte >> k & 1 for k in range(8)), 1], f"{byte:#04x}: {bits}"
