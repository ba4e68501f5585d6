"""The skid buffer: everything in its order, a cycle later, one in every cycle if it is taken."""

import random

import pytest

from trine_hw.primitives.skid_buffer import SkidBuffer
from trine_hw.simulation.watchdog import run_watched


def rtl(count: int, offered: float, ready: float, seed: int) -> tuple[list[int], list[int], list[int]]:
    """What leaves, and the cycles in which each entered and left."""
    dut, rng = SkidBuffer(8), random.Random(seed)
    given = [rng.randrange(256) for _ in range(count)]
    found: list[int] = []
    entered: list[int] = []
    left: list[int] = []

    async def drive(ctx):
        cycle, at, waits = 0, 0, False
        while len(found) < count:
            waits = at < count and (waits or rng.random() < offered)
            ctx.set(dut.i.valid, waits)
            ctx.set(dut.i.payload, given[at] if waits else 0xAA)
            ready_before = ctx.get(dut.i.ready)
            ctx.set(dut.o.ready, rng.random() < ready)
            assert ctx.get(dut.i.ready) == ready_before, "ready passes through"
            *_, into, out, byte = await ctx.tick().sample(
                dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready, dut.o.payload
            )
            if into:
                entered.append(cycle)
                at, waits = at + 1, False
            if out:
                left.append(cycle)
                found.append(byte)
            cycle += 1

    run_watched(dut, drive, progress={"i": dut.i, "o": dut.o}, patience=round(20 / offered + 20 / ready))
    assert found == given
    return found, entered, left


@pytest.mark.parametrize(("offered", "ready"), [(1.0, 1.0), (1.0, 0.4), (0.4, 1.0), (0.5, 0.5), (0.9, 0.9)])
def test_order_and_latency(offered: float, ready: float) -> None:
    _, entered, left = rtl(200, offered, ready, seed=1)
    assert all(after - before >= SkidBuffer.latency for before, after in zip(entered, left, strict=True))
    if ready == 1:
        assert left == [cycle + SkidBuffer.latency for cycle in entered]
    if offered == ready == 1:
        assert entered == list(range(200))
