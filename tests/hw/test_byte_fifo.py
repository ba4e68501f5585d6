"""The link's queue: every byte in its order, as many as it promises to hold."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from trine_hw.primitives.byte_fifo import ByteFIFO
from trine_hw.primitives.streaming_fifo import StreamingFIFO

QUEUES = [(ByteFIFO, 2), (ByteFIFO, 8), (ByteFIFO, 64), (StreamingFIFO, 4), (StreamingFIFO, 64)]


def _run(dut, drive, cycles):
    """What is read while ``drive(cycle)`` says which byte is offered, if any, and whether one is taken."""
    taken, offered = [], None

    async def bench(ctx):
        nonlocal offered
        for cycle in range(cycles):
            byte, ready = drive(cycle, offered)
            offered = byte
            ctx.set(dut.i.valid, byte is not None)
            ctx.set(dut.i.payload, byte or 0)
            ctx.set(dut.o.ready, ready)
            into = byte is not None and ctx.get(dut.i.ready)
            if ready and ctx.get(dut.o.valid):
                taken.append(ctx.get(dut.o.payload))
            await ctx.tick()
            if into:
                offered = None

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return taken, offered


@pytest.mark.parametrize(("kind", "depth"), QUEUES)
@pytest.mark.parametrize(("often", "wanted"), [(0.9, 0.9), (0.9, 0.05), (0.1, 0.9), (0.3, 0.3)])
def test_bytes_leave_in_their_order(kind, depth, often, wanted):
    rng = np.random.default_rng(depth)
    given = []

    def drive(cycle, offered):
        if offered is None and cycle < 2500 and rng.random() < often:
            given.append(int(rng.integers(256)))
            offered = given[-1]
        return offered, cycle >= 3000 or rng.random() < wanted

    taken, left = _run(kind(depth), drive, 3500)
    assert left is None and taken == given and len(given) > 40


@pytest.mark.parametrize(
    ("kind", "depth"), [(ByteFIFO, 2), (ByteFIFO, 16), (StreamingFIFO, 4), (StreamingFIFO, 16)]
)
def test_it_holds_what_it_promises(kind, depth):
    """All that fit, and the one at the output, without any being read; the slower queue not one more."""
    given = iter(range(100))

    def drive(cycle, offered):
        return (next(given) if offered is None else offered), cycle >= 200

    taken, _ = _run(kind(depth), lambda cycle, offered: (drive(cycle, offered)[0], False), 200)
    assert taken == []
    held = next(given) - 1  # without the one that waits at the input
    assert held == depth + 1 if kind is ByteFIFO else held >= depth
    given = iter(range(100))
    taken, _ = _run(kind(depth), drive, 200 + 3 * depth)
    assert taken[: depth + 1] == list(range(depth + 1))


@pytest.mark.parametrize("kind", [ByteFIFO, StreamingFIFO])
def test_latency(kind):
    dut, seen = kind(4), []

    async def bench(ctx):
        for cycle in range(20):
            ctx.set(dut.i.valid, cycle == 5)
            assert cycle != 5 or ctx.get(dut.i.ready)
            seen.append(ctx.get(dut.o.valid))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen.index(1) == 5 + kind.latency


@pytest.mark.parametrize(("kind", "least"), [(ByteFIFO, 27), (StreamingFIFO, 85)])
def test_throughput(kind, least):
    """A byte in every third cycle, or in each."""
    given = iter(range(256))
    taken, _ = _run(kind(16), lambda cycle, offered: (next(given) if offered is None else offered, True), 90)
    assert len(taken) >= least and taken == list(range(len(taken)))


@pytest.mark.parametrize("depth", [0, 1, 3, 100])
def test_depth_is_a_power_of_two(depth):
    with pytest.raises(ValueError, match=f"depth must be a power of two, at least 2, not {depth}"):
        ByteFIFO(depth)
