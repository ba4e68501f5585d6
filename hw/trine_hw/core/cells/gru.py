"""The cells of a GRU."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Mux, Value
from amaranth.lib import data

from trine_hw.core.cells.base import seen_of
from trine_hw.core.cells.towards import TowardsCells
from trine_sw.model import ModelConfig

__all__ = ["GruCells"]


class GruCells(TowardsCells):
    """Of a GRU: c = m·2^s, half(c + m·2^s) or c, for z2 = 0, 1 or 2; m is n's, with h where r = 1.

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

    def controls(self, given: data.View, fresh: Value) -> tuple[Value, Value, Value, Value]:
        n_up = given.n_up & ~given.n_down
        n_down = given.n_down & ~given.n_up
        x_up = given.x_up & ~given.x_down
        x_down = given.x_down & ~given.x_up
        all_kept = given.z_half & given.z_full
        return (
            fresh | ~(given.z_half | given.z_full),
            given.z_half ^ given.z_full,
            Mux(given.r, n_up, x_up) & ~all_kept,
            Mux(given.r, n_down, x_down) & ~all_kept,
        )
