"""Fan-out registers: each is the value of the cycle before, and has the same value at the start."""

import random

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.sim import Simulator

from tests.helpers.primitives import instance
from trine_hw.primitives import fanout as copies_module
from trine_hw.primitives.fanout import fanout

WIDTH, COUNT = 5, 3


class Copied(Elaboratable):
    """``value`` and its fan-out registers."""

    def __init__(self, block_ram: str, init: int) -> None:
        self.block_ram, self.init = block_ram, init
        self.value = Signal(WIDTH)
        self.each: list[Signal] = []

    def elaborate(self, platform: object) -> Module:
        m = Module()
        options = dict(name="copy", block_ram=self.block_ram, init=self.init)
        self.each = fanout(m, self.value, COUNT, **options)
        return m


@pytest.mark.parametrize("init", [0, 0b10110, 0b01001])
@pytest.mark.parametrize("block_ram", ["inferred", "ice40", "ecp5"])
def test_copies_are_the_value_a_cycle_later(block_ram: str, init: int, monkeypatch) -> None:
    monkeypatch.setattr(copies_module, "Instance", instance)
    dut, rng = Copied(block_ram, init), random.Random(init)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    registers = len({id(each) for each in dut.each})
    assert len(dut.each) == COUNT and registers == (COUNT if block_ram == "ecp5" else 1)

    async def drive(ctx):
        before = init
        for _ in range(50):
            value = rng.randrange(1 << WIDTH)
            ctx.set(dut.value, value)
            assert [ctx.get(each) for each in dut.each] == [before] * COUNT
            await ctx.tick()
            before = value

    simulator.add_testbench(drive)
    simulator.run()
