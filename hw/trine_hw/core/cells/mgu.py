"""The cells of a minimal gated unit."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Mux, Value
from amaranth.lib import data

from trine_hw.core.cells.base import seen_of
from trine_hw.core.cells.towards import TowardsCells
from trine_sw.model import ModelConfig

__all__ = ["MguCells"]


class MguCells(TowardsCells):
    """Of a minimal gated unit: c, half(c + m·2^s) or m·2^s, for f2 = 0, 1 or 2.

    m is n's of the sums with h where f2 = 2, and of those without it where f2 = 1.
    """

    kind = "mgu"

    @staticmethod
    def model(config: ModelConfig, decisions: Mapping[str, int], c: int) -> tuple[int, int, int]:
        f2 = decisions["f_half"] + decisions["f_full"]
        which = "n" if f2 == 2 else "x"
        m = int(decisions[f"{which}_up"]) - int(decisions[f"{which}_down"])
        target = m * 2**config.cell_shift
        middle = (abs(c + target) >> 1) * (1 if c + target >= 0 else -1)
        c = (c, middle, target)[f2]
        return (*seen_of(config, c), c)

    def controls(self, given: data.View, fresh: Value) -> tuple[Value, Value, Value, Value]:
        n_up = given.n_up & ~given.n_down
        n_down = given.n_down & ~given.n_up
        x_up = given.x_up & ~given.x_down
        x_down = given.x_down & ~given.x_up
        taken = given.f_half & given.f_full
        moves = given.f_half | given.f_full
        return (
            fresh | taken,
            given.f_half ^ given.f_full,
            Mux(taken, n_up, x_up) & moves,
            Mux(taken, n_down, x_down) & moves,
        )
