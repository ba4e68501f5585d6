"""The cells of an LSTM."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from trine_hw.core.cells.base import Cells, seen_of
from trine_sw.engine.memory_layout import signed_width
from trine_sw.model import ModelConfig

__all__ = ["LstmCells"]


class LstmCells(Cells):
    """Of an LSTM: c = saturate(F + i·g·2^s), seen where o = 1.

    Contract, parameters and members: :class:`trine_hw.core.cells.base.Cells`.

    Cost on ECP5 (synth_ecp5, a cell): 41 LUT4 at ``cell_max`` 7 without options, 42 at 15 with four head
    levels, 79 at 127 with eight; 7 to 15 more with four groups.
    """

    kind = "lstm"

    @staticmethod
    def model(config: ModelConfig, decisions: Mapping[str, int], c: int) -> tuple[int, int, int]:
        f2 = decisions["f_half"] + decisions["f_full"]
        g = int(decisions["g_up"]) - int(decisions["g_down"])
        half = (abs(c) >> 1) * (1 if c >= 0 else -1)
        c = (0, half, c)[f2] + decisions["i"] * g * 2**config.cell_shift
        c = max(-config.cell_max, min(config.cell_max, c))
        h, u = seen_of(config, c)
        return (h, u, c) if decisions["o"] else (0, 0, c)

    def step(
        self,
        m: Module,
        unit: int,
        given: data.View,
        old: Value,
        fresh: Value,
        below: tuple[Value, ...] | None,
    ) -> tuple[Value, Value, tuple[Value, ...] | None]:
        c_max, unit_step = self.config.cell_max, 1 << self.config.cell_shift

        # What is kept of the old state, and what is added.
        kept = Signal(old.shape(), name=f"kept_{unit}", reset_less=True)
        half = (old + old[-1]) >> 1  # toward zero
        with m.If(fresh | ~(given.f_half | given.f_full)):
            m.d.sync += kept.eq(0)
        with m.Elif(given.f_half & given.f_full):
            m.d.sync += kept.eq(old)
        with m.Else():
            m.d.sync += kept.eq(half)
        up = Signal(name=f"up_{unit}", reset_less=True)
        down = Signal(name=f"down_{unit}", reset_less=True)
        output = Signal(2, name=f"output_{unit}", reset_less=True)  # o, delayed to the state that it gates
        m.d.sync += [
            up.eq(given.i & given.g_up & ~given.g_down),
            down.eq(given.i & given.g_down & ~given.g_up),
            output.eq((output << 1 | given.o)[:2]),
        ]
        above = None
        if below is not None:
            above = (kept, output[0])
            with m.If(self.load.active):
                m.d.sync += [up.eq(0), down.eq(0), kept.eq(kept), output.eq(Cat(output[0], output[0]))]
                with m.If(self.load.shift):
                    m.d.sync += [kept.eq(below[0]), output[0].eq(below[1])]

        # The new state, saturated. Only one end of the range can be passed at a time.
        total = Signal(signed(signed_width(-c_max - unit_step, c_max + unit_step)), name=f"total_{unit}")
        m.d.comb += total.eq(kept + Mux(up, unit_step, Mux(down, -unit_step, 0)))
        saturated = Mux(total > c_max, c_max, Mux(total < -c_max, -c_max, total))
        return saturated, output[1], above
