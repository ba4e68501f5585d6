"""Cells against their model, and that against the contract, over all decisions and many states."""

import random

import pytest
from amaranth.sim import Simulator

from tests.helpers.selection import named, numbered, product
from trine_hw.core.cells.base import Cells, level_bits
from trine_hw.core.cells.blocks import KINDS
from trine_hw.core.cells.gru import GruCells
from trine_hw.core.cells.lstm import LstmCells
from trine_hw.core.cells.mgu import MguCells
from trine_sw.model import ModelConfig

CONFIGS = [
    dict(cell_max=1),
    dict(cell_max=7),
    dict(cell_max=127, cell_shift=3, output_shift=2, head_levels=(0, 1, 2, 3)),
    dict(cell_max=20, cell_shift=2, output_shift=1, head_levels=(0, 2, 3, 3, 5, 9)),
    dict(cell_max=8, cell_shift=5, output_shift=3),
    dict(cell="gru", cell_max=1),
    dict(cell="gru", cell_max=7),
    dict(cell="gru", cell_max=127, cell_shift=6, output_shift=2, head_levels=(0, 1, 2, 3)),
    dict(cell="gru", cell_max=20, cell_shift=2, output_shift=1, head_levels=(0, 2, 3, 3, 5, 9)),
    dict(cell="gru", cell_max=8, cell_shift=3, output_shift=3),
    dict(cell="mgu", cell_max=1),
    dict(cell="mgu", cell_max=127, cell_shift=6, output_shift=2, head_levels=(0, 1, 2, 3)),
    dict(cell="mgu", cell_max=20, cell_shift=2, output_shift=1, head_levels=(0, 2, 3, 3, 5, 9)),
]
#: Three groups also with their states in memory; four, a power of two, of each cell once with levels.
ALWAYS = " ".join(f"options{index}-3" for index in range(len(CONFIGS))) + " options2-4 options7-4"
#: Odds of each decision, in runs that go either way, then upward, then downward.
ODDS = {
    "lstm": {
        **{name: (0.6,) * 3 for name in ("i", "o")},
        "f_half": (0.99,) * 3,
        "f_full": (0.6, 0.98, 0.98),
        "g_up": (0.6, 0.95, 0.1),
        "g_down": (0.6, 0.1, 0.95),
    },
    "gru": {
        "z_half": (0.7, 0.5, 0.5),
        "z_full": (0.4, 0.2, 0.2),
        "r": (0.5,) * 3,
        **{f"{which}_up": (0.6, 0.95, 0.1) for which in "nx"},
        **{f"{which}_down": (0.6, 0.1, 0.95) for which in "nx"},
    },
    "mgu": {
        "f_half": (0.7, 0.8, 0.8),
        "f_full": (0.4, 0.8, 0.8),
        **{f"{which}_up": (0.6, 0.95, 0.1) for which in "nx"},
        **{f"{which}_down": (0.6, 0.1, 0.95) for which in "nx"},
    },
}


def run_cells(
    dut: Cells, steps: list[tuple[int, bool, list[dict[str, int]]]], every: int = 1
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


@pytest.mark.parametrize(
    ("options", "groups"), product(numbered("options", CONFIGS), named(3, 4), always=ALWAYS.split())
)
def test_cells_equal_model(options: dict, groups: int) -> None:
    config = ModelConfig(hidden=6, embedding=1, vocab_size=2, **options)
    units = 2
    rng = random.Random(groups)
    kind, odds = KINDS[config.cell], ODDS[config.cell]
    steps, expected = [], []
    state = [[0] * units for _ in range(groups)]
    seen = set()
    for index in range(1800):
        group = index % groups
        fresh = rng.random() < 0.02
        drift = (index // 300) % 3  # long runs upward and downward reach both ends of the range
        decisions = [{name: int(rng.random() < odds[name][drift]) for name in odds} for _ in range(units)]
        results = [
            kind.model(config, d, 0 if fresh else c) for d, c in zip(decisions, state[group], strict=True)
        ]
        state[group] = [c for _, _, c in results]
        seen |= set(state[group])
        steps.append((group, fresh, decisions))
        expected.append((group, results))
    # A cell that does not saturate comes as near to its target as halving toward zero leads.
    most = config.cell_max if config.spec.saturates else 1 << config.cell_shift
    assert {-most, most} <= seen
    assert run_cells(kind(config, units=units, groups=groups), steps) == expected
    if groups == 3:
        in_memory = kind(config, units=units, groups=groups, memory="ice40")
        assert run_cells(in_memory, steps[:600], every=3) == expected[:600]


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("full", [0, 1])
@pytest.mark.parametrize("r", [0, 1])
@pytest.mark.parametrize("c", [-8, -3, -1, 0, 1, 2, 8])
def test_gru_model_is_the_contract(half: int, full: int, r: int, c: int) -> None:
    config = ModelConfig(cell="gru", hidden=1, embedding=1, vocab_size=2, cell_max=8, cell_shift=1)
    for m in (-1, 0, 1):
        here, other = ("n", "x") if r else ("x", "n")
        decisions = {"z_half": half, "z_full": full, "r": r, f"{other}_up": 1, f"{other}_down": 0}
        decisions |= {f"{here}_up": int(m > 0), f"{here}_down": int(m < 0)}
        new = (2 * m, int((c + 2 * m) / 2), c)[half + full]
        sign = (new > 0) - (new < 0)
        assert GruCells.model(config, decisions, c) == (sign, abs(sign), new)


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("full", [0, 1])
@pytest.mark.parametrize("c", [-8, -3, -1, 0, 1, 2, 8])
def test_mgu_model_is_the_contract(half: int, full: int, c: int) -> None:
    config = ModelConfig(cell="mgu", hidden=1, embedding=1, vocab_size=2, cell_max=8, cell_shift=1)
    for m in (-1, 0, 1):
        here, other = ("n", "x") if half and full else ("x", "n")
        decisions = {"f_half": half, "f_full": full, f"{other}_up": 1, f"{other}_down": 0}
        decisions |= {f"{here}_up": int(m > 0), f"{here}_down": int(m < 0)}
        new = (c, int((c + 2 * m) / 2), 2 * m)[half + full]
        sign = (new > 0) - (new < 0)
        assert MguCells.model(config, decisions, c) == (sign, abs(sign), new)


def test_wrong_parameters_are_refused() -> None:
    config = ModelConfig(hidden=1, embedding=1, vocab_size=2)
    with pytest.raises(ValueError, match="at least 1"):
        LstmCells(config, units=0, groups=1)
    with pytest.raises(ValueError, match="'gru'.*'lstm'"):
        GruCells(config, units=1, groups=1)
