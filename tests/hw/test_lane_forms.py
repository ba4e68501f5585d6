"""Forms of a lane that are only measured, not built: all sum as the built one does."""

import itertools

import numpy as np
import pytest
from amaranth.sim import Simulator

from sim.measure.lane_forms import BANKS, FORMS, code_3_in_5

LANES = 6


@pytest.mark.parametrize("name", FORMS)
def test_every_form_sums(name: str) -> None:
    dut = FORMS[name](lanes=LANES)
    rng = np.random.default_rng(1)
    weights = rng.integers(-1, 2, (30, BANKS, LANES))
    signs = np.where(rng.random((30, BANKS)) < 0.5, -1, 1)
    if dut.whole_sign:
        signs[:] = signs[:, :1]

    def word(trits: list[int]) -> int:
        if not dut.packed:
            return sum(bits << 2 * n for n, bits in enumerate({0: 0, 1: 1, -1: 3}[t] for t in trits))
        codes = [code_3_in_5((a, b, c)) for a, b, c in zip(*[iter(trits)] * 3, strict=True)]
        return sum(code << 5 * n for n, code in enumerate(codes))

    found: list[list[int]] = []

    async def drive(ctx):
        ctx.set(dut.again, 1)
        await ctx.tick().repeat(3)
        ctx.set(dut.again, 0)
        for columns, negative in zip(weights, signs, strict=True):
            ctx.set(dut.words, [word(bank) for bank in columns.tolist()])
            ctx.set(dut.signs, int(sum(1 << n for n, sign in enumerate(negative) if sign < 0)))
            await ctx.tick()
        ctx.set(dut.words, [word([0] * LANES)] * BANKS)
        await ctx.tick()
        found.append(list(ctx.get(dut.o)))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    expected = -37 + (weights * signs[:, :, None]).sum((0, 1))
    np.testing.assert_array_equal(found, [expected])


def test_the_code_is_one_to_one() -> None:
    assert len({code_3_in_5(trits) for trits in itertools.product((-1, 0, 1), repeat=3)}) == 27
