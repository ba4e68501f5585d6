"""UART gateware: bytes survive the line, also with the other side's clock off by 2 %."""

import random

import pytest
from amaranth.hdl import Elaboratable, Module

from trine_hw.link.uart import UARTReceiver, UARTTransmitter, uart_divisor
from trine_hw.simulation.watchdog import run_watched
from trine_sw.support.errors import ClockError

BYTES = [0x00, 0xFF, 0x55, 0xA5, 0x01, 0x80]


def simulate(dut, *testbenches, received):
    """Run until all testbenches have ended; fail where no byte comes for the time of thirty."""
    run_watched(dut, *testbenches, progress={"received": received}, patience=30 * 10 * 100)


async def put(ctx, port, payload):
    ctx.set(port.payload, payload)
    ctx.set(port.valid, 1)
    await ctx.tick().until(port.ready)
    ctx.set(port.valid, 0)


async def get(ctx, port):
    ctx.set(port.ready, 1)
    (payload,) = await ctx.tick().sample(port.payload).until(port.valid)
    ctx.set(port.ready, 0)
    return payload


class Loop(Elaboratable):
    def __init__(self, divisor):
        self.transmitter, self.receiver = UARTTransmitter(divisor), UARTReceiver(divisor)

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmitter, m.submodules.receiver = self.transmitter, self.receiver
        m.d.comb += self.receiver.rx.eq(self.transmitter.tx)
        return m


@pytest.mark.parametrize("divisor", [4, 7, 80])
def test_bytes_sent_are_bytes_received(divisor):
    dut = Loop(divisor)
    received = []

    async def send(ctx):
        for byte in BYTES:
            await put(ctx, dut.transmitter.i, byte)

    async def receive(ctx):
        for _ in BYTES:
            received.append(await get(ctx, dut.receiver.o))

    simulate(dut, send, receive, received=dut.receiver.o)
    assert received == BYTES


@pytest.mark.parametrize("bit", [98, 102])
def test_receiver_bears_a_clock_two_percent_off(bit):
    dut = UARTReceiver(100)
    received = []

    async def line(ctx):
        for byte in BYTES:
            for level in [0, *(byte >> k & 1 for k in range(8)), 1]:
                ctx.set(dut.rx, level)
                await ctx.tick().repeat(bit)

    async def receive(ctx):
        for _ in BYTES:
            received.append(await get(ctx, dut.o))

    simulate(dut, line, receive, received=dut.o)
    assert received == BYTES


def test_glitch_and_broken_frame_are_dropped():
    dut = UARTReceiver(8)
    received = []

    async def line(ctx):
        frames = [(0, 2), (1, 40)]  # a glitch shorter than half a bit
        frames += [(0, 80), (1, 40)]  # a stop bit that is low
        frames += [(level, 8) for level in (0, 1, 0, 0, 0, 0, 0, 1, 0, 1)]
        for level, cycles in frames:
            ctx.set(dut.rx, level)
            await ctx.tick().repeat(cycles)

    async def receive(ctx):
        received.append(await get(ctx, dut.o))

    simulate(dut, line, receive, received=dut.o)
    assert received == [0x41]


def levels(data, bit, jitter, draw):
    """The line in each clock cycle, of bits of so many cycles whose edges are off by up to ``jitter`` of one.

    Bytes follow each other without a gap, or after an idle time in which the line is low for a moment.
    """
    edges, level, at = [], 1, 2 * bit + draw.random()
    for byte in data:
        for new in [0, *(byte >> k & 1 for k in range(8)), 1]:
            if new != level:
                edges.append((at + bit * draw.uniform(-jitter, jitter), new))
            level, at = new, at + bit
        if draw.random() < 0.3:
            middle = at + bit * draw.uniform(1, 3)
            edges += [(middle, 0), (middle + bit * draw.uniform(0.05, 0.25), 1)]
            at = middle + bit * draw.uniform(1.5, 3)
    edges.append((at + 20 * bit, 1))
    now, found = 1, []
    for time, new in edges:
        found += [now] * (int(time) - len(found))
        now = new
    return found


@pytest.mark.parametrize("error", [-0.025, 0, 0.025])
@pytest.mark.parametrize("divisor", [7, 27, *(pytest.param(n, marks=pytest.mark.nightly) for n in (25, 33))])
def test_receiver_bears_error_jitter_and_noise(divisor, error):
    """At the boards' rate, the host off by 2.5 %, edges by 8 % of a bit, and glitches between bytes."""
    draw = random.Random(f"{divisor} {error}")
    dut, data, received, errors = UARTReceiver(divisor), draw.randbytes(20), [], 0

    async def line(ctx):
        for level in levels(data, divisor * (1 + error), 0.08, draw):
            ctx.set(dut.rx, level)
            await ctx.tick()

    async def receive(ctx):
        for _ in data:
            received.append(await get(ctx, dut.o))

    async def count(ctx):
        nonlocal errors
        async for *_, error in ctx.tick().sample(dut.framing_error):
            errors += error

    run_watched(dut, line, receive, background=[count], progress={"received": dut.o}, patience=3000)
    assert bytes(received) == data and not errors


def test_divisor():
    assert uart_divisor(80e6, 1e6) == 80
    assert [uart_divisor(mhz * 1e6, 3e6) for mhz in (21, 75, 80, 100)] == [7, 25, 27, 33]
    with pytest.raises(ClockError, match="lower the baud rate"):
        uart_divisor(25e6, 7e6)
    with pytest.raises(ValueError):
        UARTReceiver(3)
    with pytest.raises(ValueError):
        UARTTransmitter(1)


def test_a_break_is_one_error():
    """However long it is; what comes after it is received."""
    dut, received, errors = UARTReceiver(8), [], 0

    async def line(ctx):
        for level, cycles in [(1, 20), (0, 300), (1, 20)]:
            ctx.set(dut.rx, level)
            await ctx.tick().repeat(cycles)
        for level in [0, *(0x41 >> k & 1 for k in range(8)), 1]:
            ctx.set(dut.rx, level)
            await ctx.tick().repeat(8)

    async def receive(ctx):
        received.append(await get(ctx, dut.o))

    async def count(ctx):
        nonlocal errors
        async for *_, error in ctx.tick().sample(dut.framing_error):
            errors += error

    run_watched(dut, line, receive, background=[count], progress={"received": dut.o}, patience=1000)
    assert received == [0x41] and errors == 1
