"""Lanes of other numbers of states, which are only measured: all give the sums of integers."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from sim.measure.lane_states import BANKS, PAIRS, StateLanes, word_bits

LANES = 5
VALUES = {2: (0, 1), 3: (-1, 0, 1), 5: tuple(range(-2, 3)), 7: tuple(range(-3, 4))}
WEIGHTS = {2: (-1, 1), 3: (-1, 0, 1), 5: tuple(range(-2, 3))}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("weights", "activations"), PAIRS)
def test_products_are_summed(weights: int, activations: int, seed: int) -> None:
    dut = StateLanes(weights, activations, chained=seed % 2 == 1, lanes=LANES)
    rng = np.random.default_rng(seed)
    words = rng.choice(WEIGHTS[weights], (80, BANKS, LANES))
    values = rng.choice(VALUES[activations], (80, BANKS))
    if weights > 2:
        words[values == 0] = 0  # a bank without a column
    if seed < 2:  # as far as a sum goes
        words[:], values[:] = max(WEIGHTS[weights]), max(VALUES[activations])
    bits = word_bits(weights)
    codes = words < 0 if weights == 2 else words % (1 << bits)
    found: list[list[int]] = []

    async def drive(ctx):
        ctx.set(dut.again, 1)
        await ctx.tick().repeat(3)
        ctx.set(dut.again, 0)
        for columns, active in zip(codes.astype(int), values.tolist(), strict=True):
            ctx.set(
                dut.words, [sum(code << bits * n for n, code in enumerate(bank)) for bank in columns.tolist()]
            )
            ctx.set(dut.values, active)
            ctx.set(dut.negated, [-value for value in active])
            await ctx.tick()
        ctx.set(dut.words, [0] * BANKS)
        for values_now in (dut.values, dut.negated):
            ctx.set(values_now, [0] * BANKS)
        await ctx.tick()
        found.append(list(ctx.get(dut.o)))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    np.testing.assert_array_equal(found, [-37 + (words * values[:, :, None]).sum((0, 1))])
