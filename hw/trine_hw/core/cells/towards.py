"""The datapath of cells whose state goes to a candidate: all of the way, half of it, or not at all."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from trine_hw.core.cells.base import Cells
from trine_sw.engine.memory_layout import signed_width

__all__ = ["TowardsCells"]


class TowardsCells(Cells):
    """Cells of a GRU and of a minimal gated unit: c = m·2^s, half(c + m·2^s) or c, always seen.

    Contract, parameters and members: :class:`trine_hw.core.cells.base.Cells`. The state cannot leave its
    range, since 2^s <= ``cell_max``, so that nothing is saturated.
    """

    def controls(self, given: data.View, fresh: Value) -> tuple[Value, Value, Value, Value]:
        """From the decisions: the old state counts as zero, the sum is halved, m is +1, m is -1."""
        raise NotImplementedError

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

        # What is kept of the old state, and what it moves to or is replaced by.
        kept = Signal(old.shape(), name=f"kept_{unit}", reset_less=True)
        halve = Signal(name=f"halve_{unit}", reset_less=True)
        up = Signal(name=f"up_{unit}", reset_less=True)
        down = Signal(name=f"down_{unit}", reset_less=True)
        dropped, halved, plus, minus = self.controls(given, fresh)
        m.d.sync += [
            kept.eq(Mux(dropped, 0, old)),
            halve.eq(halved),
            up.eq(plus),
            down.eq(minus),
        ]
        above = None
        if below is not None:
            above = (kept,)
            with m.If(self.load.active):
                m.d.sync += [up.eq(0), down.eq(0), halve.eq(0), kept.eq(kept)]
                with m.If(self.load.shift):
                    m.d.sync += kept.eq(below[0])

        # The new state.
        total = Signal(signed(signed_width(-c_max - unit_step, c_max + unit_step)), name=f"total_{unit}")
        m.d.comb += total.eq(kept + Mux(up, unit_step, Mux(down, -unit_step, 0)))
        half = (total + total[-1]) >> 1  # toward zero
        return Mux(halve, half, total), Const(1), above
