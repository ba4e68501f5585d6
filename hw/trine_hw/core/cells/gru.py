"""The cells of a GRU."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from trine_hw.core.cells.base import Cells, seen_of
from trine_sw.engine.memory_layout import signed_width
from trine_sw.model import ModelConfig

__all__ = ["GruCells"]


class GruCells(Cells):
    """Of a GRU: c = m·2^s, half(c + m·2^s) or c, for z2 = 0, 1 or 2, always seen.

    Contract, parameters and members: :class:`trine_hw.core.cells.base.Cells`. The state cannot leave its
    range, since 2^s <= ``cell_max``, so that nothing is saturated.

    Cost on ECP5 (synth_ecp5, a cell): 27 LUT4 at ``cell_max`` 7 without options, 33 at 15 with four head
    levels; 12 to 15 more with four groups (``python -m sim.measure.area``).
    """

    kind = "gru"

    @staticmethod
    def model(config: ModelConfig, decisions: Mapping[str, int], c: int) -> tuple[int, int, int]:
        z2 = decisions["z_half"] + decisions["z_full"]
        which = "n" if decisions["r"] else "x"
        m = int(decisions[f"{which}_up"]) - int(decisions[f"{which}_down"])
        target = m * 2**config.cell_shift
        middle = (abs(c + target) >> 1) * (1 if c + target >= 0 else -1)
        c = (target, middle, c)[z2]
        return (*seen_of(config, c), c)

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
        n_up = given.n_up & ~given.n_down
        n_down = given.n_down & ~given.n_up
        x_up = given.x_up & ~given.x_down
        x_down = given.x_down & ~given.x_up
        all_kept = given.z_half & given.z_full
        m.d.sync += [
            kept.eq(Mux(fresh | ~(given.z_half | given.z_full), 0, old)),
            halve.eq(given.z_half ^ given.z_full),
            up.eq(Mux(given.r, n_up, x_up) & ~all_kept),
            down.eq(Mux(given.r, n_down, x_down) & ~all_kept),
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
