"""The queue of new states: every beat leaves once, in its order, a cycle after it was put at the earliest."""

import random

import pytest

from trine_hw.core.state_queue import StateQueue
from trine_hw.simulation.watchdog import run_watched
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.model import ModelConfig

CONFIG = ModelConfig(hidden=6, embedding=4, vocab_size=5, cell_max=15)
#: One group, whose queue holds one beat; several, whose queue holds two.
ENGINES = {"one group": EngineConfig(100, 1), "groups": EngineConfig(12, 1)}


def rtl(geometry, count, offered, ready, seed):
    """What leaves, and the cycles in which each beat was put and left. Putting goes on while there is room,
    a beat that leaves in the same cycle counted."""
    dut, rng = StateQueue(geometry), random.Random(seed)
    given = [(index % 31 - 15, rng.randrange(2)) for index in range(count)]
    found, put, left = [], [], []

    async def drive(ctx):
        cycle = 0
        while len(left) < count:
            ctx.set(dut.o.ready, rng.random() < ready)
            room = dut.depth - (len(put) - len(left)) + ctx.get(dut.taken)
            puts = len(put) < count and room > 0 and rng.random() < offered
            c, last = given[len(put)] if puts else (-1, 1)
            ctx.set(dut.i.last, last)
            for unit in range(geometry.units):
                ctx.set(dut.i.cells[unit].c, c if unit == len(put) % geometry.units else -c)
            ctx.set(dut.put, -1 if puts else 0)
            if puts:
                put.append(cycle)
            *_, out, taken, beat = await ctx.tick().sample(
                dut.o.valid & dut.o.ready, dut.taken, dut.o.payload
            )
            assert out == taken
            if out:
                found.append(([cell.c for cell in beat.cells], beat.last))
                left.append(cycle)
            cycle += 1
        assert not ctx.get(dut.o.valid)

    run_watched(dut, drive, progress={"o": dut.o, "put": dut.put}, patience=round(20 / offered + 20 / ready))
    units = range(geometry.units)
    assert found == [
        ([c if unit == index % geometry.units else -c for unit in units], last)
        for index, (c, last) in enumerate(given)
    ]
    return put, left


@pytest.mark.parametrize(("offered", "ready"), [(1.0, 1.0), (1.0, 0.4), (0.4, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_beat_leaves_once_in_its_order(engine, offered, ready):
    geometry = Geometry(CONFIG, ENGINES[engine])
    assert geometry.state_buffer == (1 if engine == "one group" else 2)
    put, left = rtl(geometry, 200, offered, ready, seed=1)
    assert all(after - before >= StateQueue.latency for before, after in zip(put, left, strict=True))
    if ready == 1:
        assert left == [cycle + StateQueue.latency for cycle in put]
    if offered == ready == 1:
        assert put == list(range(200))
