"""LSTM cells against their model, over all decisions and many states."""

import random

import pytest
from amaranth.sim import Simulator

from trine_hw.cells import LstmCells, level_bits
from trine_sw.model import ModelConfig

CONFIGS = [
    dict(cell_max=1),
    dict(cell_max=7),
    dict(cell_max=127, cell_shift=3, output_shift=2, head_levels=(0, 1, 2, 3)),
    dict(cell_max=20, cell_shift=2, output_shift=1, head_levels=(0, 2, 3, 3, 5, 9)),
    dict(cell_max=8, cell_shift=5, output_shift=3),
]


def run_cells(
    dut: LstmCells, steps: list[tuple[int, bool, list[dict[str, int]]]], every: int = 1
) -> list[tuple[int, list[tuple[int, int, int]]]]:
    results = []

    async def drive(ctx):
        for cycle in range(every * len(steps) + dut.latency + 1):
            index, wait = divmod(cycle, every)
            if index < len(steps):
                group, fresh, decisions = steps[index]
                ctx.set(dut.group, group)
                ctx.set(dut.fresh, fresh)
                ctx.set(dut.decisions, decisions)
            ctx.set(dut.valid, index < len(steps) and not wait)
            if ctx.get(dut.o_valid):
                assert every * len(results) == cycle - dut.latency
                cells = ctx.get(dut.o)
                u = [cell.u if level_bits(dut.config) else abs(cell.h) for cell in cells]
                results.append(
                    (ctx.get(dut.o_group), [(cell.h, u[i], cell.c) for i, cell in enumerate(cells)])
                )
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return results


@pytest.mark.parametrize("groups", [3, 4])
@pytest.mark.parametrize("options", CONFIGS)
def test_cells_equal_model(options: dict, groups: int) -> None:
    config = ModelConfig(hidden=6, embedding=1, vocab_size=2, **options)
    units = 2
    rng = random.Random(groups)
    names = ("i", "f_half", "f_full", "g_up", "g_down", "o")
    steps, expected = [], []
    state = [[0] * units for _ in range(groups)]
    seen = set()
    for index in range(1800):
        group = index % groups
        fresh = rng.random() < 0.02
        decisions = []
        for _ in range(units):
            drift = (index // 300) % 3  # long runs upward and downward reach both ends of the range
            odds = {
                "f_half": 0.99,
                "f_full": (0.6, 0.98, 0.98)[drift],
                "g_up": (0.6, 0.95, 0.1)[drift],
                "g_down": (0.6, 0.1, 0.95)[drift],
            }
            bits = {name: rng.random() < odds.get(name, 0.6) for name in names}
            decisions.append({name: int(bit) for name, bit in bits.items()})
        results = [
            LstmCells.model(config, d, 0 if fresh else c)
            for d, c in zip(decisions, state[group], strict=True)
        ]
        state[group] = [c for _, _, c in results]
        seen |= set(state[group])
        steps.append((group, fresh, decisions))
        expected.append((group, results))
    assert {-config.cell_max, config.cell_max} <= seen
    assert run_cells(LstmCells(config, units=units, groups=groups), steps) == expected
    if groups == 3:
        in_memory = LstmCells(config, units=units, groups=groups, memory=True)
        assert run_cells(in_memory, steps[:600], every=3) == expected[:600]


def test_no_units_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LstmCells(ModelConfig(hidden=1, embedding=1, vocab_size=2), units=0, groups=1)
