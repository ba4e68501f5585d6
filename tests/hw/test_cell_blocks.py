"""All cells of a group in their blocks, against their model: steps, and states that are put in place."""

import random
from dataclasses import replace

import pytest
from amaranth.sim import Simulator

from tests.helpers.primitives import instance
from trine_hw.core.cells.base import level_bits, seen_of
from trine_hw.core.cells.blocks import LOAD_LATENCY, CellBlocks
from trine_hw.core.lanes import Decisions
from trine_hw.primitives import fanout as copies
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.model import CELLS, ModelConfig

CONFIG = ModelConfig(
    hidden=37, embedding=1, vocab_size=2, cell_max=15, cell_shift=1, output_shift=1, head_levels=(0, 1, 2)
)
RELAYS = dict(relays=1, head="host")
#: Three blocks, the last shorter; one block; folded, a block and a part.
CASES = {
    "blocks": (CONFIG, EngineConfig(1000, 1, block_ram="ecp5", **RELAYS)),
    "gru, blocks": (replace(CONFIG, cell="gru"), EngineConfig(1000, 1, **RELAYS)),
    "mgu, blocks": (replace(CONFIG, cell="mgu"), EngineConfig(1000, 1, **RELAYS)),
    "folded": (replace(CONFIG, hidden=40), EngineConfig(80, 1, **RELAYS)),
    "one block": (replace(CONFIG, hidden=5), EngineConfig(12, 1, head="host")),
}
NAMES = {cell: list(Decisions(cell).members) for cell in CELLS}


def run(dut: CellBlocks, drive) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()


def states_at(ctx, dut: CellBlocks) -> list[tuple[int, int, int]]:
    levels = level_bits(dut.geometry.model)
    return [(cell.h, cell.u if levels else abs(cell.h), cell.c) for cell in ctx.get(dut.o)]


def set_markers(ctx, dut: CellBlocks, **marker: int) -> None:
    for index in range(len(dut.geometry.blocks)):
        ctx.set(dut.markers[index], marker)


@pytest.mark.parametrize("case", CASES)
def test_steps_and_loaded_states_equal_model(case: str, monkeypatch) -> None:
    monkeypatch.setattr(copies, "Instance", instance)
    geometry, rng = Geometry(*CASES[case]), random.Random(case)
    config, units, groups = geometry.model, geometry.units, geometry.groups
    blocks = len(geometry.blocks)
    assert (blocks > 1) == (case != "one block") and (groups > 1) == (units < config.hidden)
    dut = CellBlocks(geometry, loadable=True)
    state = [[0] * units for _ in range(groups)]

    async def step(ctx, group: int, fresh: bool) -> None:
        decisions = [{name: rng.getrandbits(1) for name in NAMES[config.cell]} for _ in range(units)]
        ctx.set(dut.decisions, decisions)
        last = group == groups - 1
        set_markers(ctx, dut, gates=1, group=group, fresh=int(fresh), last=int(last))
        await ctx.tick()
        set_markers(ctx, dut)
        ctx.set(dut.decisions, [{} for _ in range(units)])
        for _ in range(dut.latency - 1):
            assert not ctx.get(dut.o_valid) and not ctx.get(dut.put)
            await ctx.tick()
        assert ctx.get(dut.o_valid) and ctx.get(dut.put) == (1 << blocks) - 1
        assert all(ctx.get(dut.valid_at(unit)) for unit in range(units))
        assert (ctx.get(dut.o_group), ctx.get(dut.o_last)) == (group, last)
        found = CellBlocks.model(config, decisions, [0] * units if fresh else state[group])
        assert states_at(ctx, dut) == found
        state[group] = [c for _, _, c in found]
        await ctx.tick()
        assert not ctx.get(dut.o_valid)

    async def load(ctx) -> None:
        """Of every group, cells with gaps between them: seen as a step's, but put into no queue."""
        ctx.set(dut.load.active, 1)
        for group in range(groups):
            ctx.set(dut.load_group, group)
            most = config.cell_max
            cells = [(rng.randint(-most, most), rng.getrandbits(1)) for _ in range(units)]
            for c, gate in reversed(cells):
                ctx.set(dut.load.c, c)
                if config.spec.output_gate:
                    ctx.set(dut.load.open, gate)
                ctx.set(dut.load.shift, 1)
                await ctx.tick()
                ctx.set(dut.load.shift, 0)
                ctx.set(dut.load.c, 0)
                for _ in range(rng.randrange(3)):
                    await ctx.tick()
            ctx.set(dut.load_commit, 1)
            await ctx.tick()
            ctx.set(dut.load_commit, 0)
            for _ in range(LOAD_LATENCY + dut.latency - 1):
                assert not ctx.get(dut.o_valid) and not ctx.get(dut.put)
                await ctx.tick()
            assert ctx.get(dut.o_valid) and not ctx.get(dut.put) and ctx.get(dut.o_group) == group
            seen = [
                seen_of(config, c) if gate or not config.spec.output_gate else (0, 0) for c, gate in cells
            ]
            assert states_at(ctx, dut) == [(*s, c) for s, (c, _) in zip(seen, cells, strict=True)]
            state[group] = [c for c, _ in cells]
        ctx.set(dut.load.active, 0)
        await ctx.tick().repeat(LOAD_LATENCY + 1)

    async def drive(ctx):
        for turn in range(3):
            for index in range(4 * groups):
                await step(ctx, index % groups, fresh=turn == index // groups == 0 or rng.random() < 0.1)
            await load(ctx)
        for group in range(groups):
            await step(ctx, group, fresh=False)

    run(dut, drive)
