"""Lanes against their model: decisions and logits of random columns, group by group."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from tests.helpers.selection import named, numbered, product
from trine_hw.core.cells.base import level_bits
from trine_hw.core.lanes import Lanes
from trine_sw.engine import EngineConfig
from trine_sw.engine.memory_layout import place
from trine_sw.model import CELLS, ModelConfig
from trine_sw.model.random_model import random_model

#: Lanes at most, and banks.
SHAPES = {f"{lanes}-{banks}": (lanes, banks) for lanes, banks in ((1000, 3), (17, 1), (10, 4), (5, 2))}
LEVELS = numbered("levels", [(0, 1), (0, 1, 3, 6)])
#: Every shape with either cell, threshold and kind of h.
ALWAYS = """
    typical-17-1-levels1-lstm typical-17-1-levels0-gru extreme-17-1-levels0-lstm extreme-17-1-levels1-gru
    typical-10-4-levels1-gru typical-10-4-levels0-lstm extreme-10-4-levels0-gru extreme-10-4-levels1-lstm
    typical-1000-3-levels0-gru extreme-1000-3-levels1-lstm
    typical-5-2-levels1-lstm extreme-5-2-levels0-gru
    typical-17-1-levels1-mgu extreme-10-4-levels0-mgu typical-5-2-levels0-mgu extreme-1000-3-levels1-mgu
"""


@pytest.mark.parametrize(
    ("threshold", "shape", "levels", "cell"),
    product(named("typical", "extreme"), SHAPES, LEVELS, named(*CELLS), always=ALWAYS.split()),
)
def test_sums_equal_model(threshold: str, shape: tuple[int, int], levels: tuple[int, ...], cell: str) -> None:
    lanes, banks = shape
    config = ModelConfig(cell=cell, hidden=5, embedding=9, vocab_size=7, cell_max=7, head_levels=levels)
    layout = place(random_model(config, seed=lanes, threshold=threshold), EngineConfig(lanes, banks))
    geometry, bits = layout.geometry, level_bits(config)
    dut = Lanes(layout, bits)
    rng = np.random.default_rng(lanes)
    groups = geometry.groups
    checked = 0

    async def drive(ctx):
        nonlocal checked
        for turn in range(12 * groups):
            group = turn % groups
            columns = rng.permutation(geometry.columns)[: rng.integers(0, geometry.columns + 1)]
            sums_words, sums_trits, sums_fed = [], [], []
            for start in range(0, len(columns), banks):
                words = np.zeros((banks, geometry.word_trits), int)
                trits = np.zeros(banks, int)
                fed = np.zeros(banks, bool)
                for j in columns[start : start + banks]:
                    bank = j % banks
                    if trits[bank]:
                        continue
                    fed[bank] = j < config.embedding
                    words[bank] = layout.banks[bank, group * geometry.bank_columns + j // banks]
                    trits[bank] = rng.choice([-1, 1]) * (
                        1 if j < config.embedding else rng.choice(levels[1:])
                    )
                ctx.set(dut.words, words.tolist())
                if config.spec.shares_trits:
                    ctx.set(dut.fed, int(np.packbits(fed, bitorder="little")[0]))
                ctx.set(
                    dut.trits,
                    [
                        {"active": t != 0, "negative": t < 0, "magnitude": abs(t) if bits else 0}
                        for t in trits.tolist()
                    ],
                )
                sums_words += list(words)
                sums_trits += list(trits)
                sums_fed += list(fed)
                await ctx.tick()
            ctx.set(dut.words, np.zeros((banks, geometry.word_trits), int).tolist())
            ctx.set(dut.marker, {"gates": 1, "group": group, "next_group": (group + 1) % groups})
            await ctx.tick()
            ctx.set(dut.marker, {})
            assert ctx.get(dut.marker_o).gates
            given = np.array(sums_words, int).reshape(-1, geometry.word_trits), np.array(sums_trits, int)
            decisions, logits = Lanes.model(layout, group, *given, np.array(sums_fed, bool))
            found = [{name: d[name] for name in decisions[0]} for d in ctx.get(dut.decisions)]
            assert found == [{name: int(v) for name, v in d.items()} for d in decisions]
            assert list(ctx.get(dut.logits)) == logits
            checked += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert checked == 12 * groups
