"""Shape and arithmetic options of a model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from trine_sw.model.cells import CELLS, CellSpec
from trine_sw.support.checks import integer, shown
from trine_sw.support.errors import TrineError

__all__ = ["ModelConfig"]

_LIMIT_CELL = 127  # a cell is an int8
_LIMIT_SHIFT = 6
_LIMIT_LAYERS = 16


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape and arithmetic options of a model. Integers may be NumPy's; they are kept as Python's.

    Parameters
    ----------
    hidden : units H of a layer, at least 1.
    embedding : trits E of an input vector, at least 1.
    vocab_size : symbols V, at least 1.
    cell : kind of cell, of :data:`trine_sw.model.cells.CELLS`.
    layers : number of layers, 1 to 16, all of the same size; each above the first sees the h below it.
    cell_max : C; a cell saturates at -C and +C. 1 to 127.
    cell_shift : s; a step of the cell is 2**s. 0 to 6, and 2**s <= C for a cell that does not saturate.
    output_shift : r; h is 0 while abs(c) < 2**r. 0 to 6, and 2**r <= C.
    head_levels : ``level``; the head sees level[min(abs(c) >> r, P)], P = len(level) - 1.
        level[0] is 0, the others are 1 to 127 and do not fall. ``(0, 1)`` makes the head see h.

    Raises
    ------
    TrineError
        If a value is out of range; says what would be right.

    Examples
    --------
    >>> config = trine.ModelConfig(hidden=64, embedding=32, vocab_size=65, cell_shift=2, output_shift=1)
    >>> config.rows, config.columns
    (256, 96)
    """

    hidden: int
    embedding: int
    vocab_size: int
    cell: str = "lstm"
    layers: int = 1
    cell_max: int = 15
    cell_shift: int = 0
    output_shift: int = 0
    head_levels: tuple[int, ...] = (0, 1)

    def __post_init__(self) -> None:
        if not isinstance(self.cell, str) or self.cell not in CELLS:
            raise TrineError(f"cell must be one of {', '.join(map(repr, CELLS))}, not {shown(self.cell)}")
        object.__setattr__(self, "cell", str(self.cell))
        for name, low, high in (
            ("hidden", 1, 1 << 16),
            ("embedding", 1, 1 << 16),
            ("vocab_size", 1, 1 << 24),
            ("layers", 1, _LIMIT_LAYERS),
            ("cell_max", 1, _LIMIT_CELL),
            ("cell_shift", 0, _LIMIT_SHIFT),
            ("output_shift", 0, _LIMIT_SHIFT),
        ):
            object.__setattr__(self, name, integer(getattr(self, name), name, low, high))
        object.__setattr__(self, "head_levels", _checked_levels(self.head_levels))
        if self.cell_max >> self.output_shift == 0:
            raise TrineError(
                f"output_shift {self.output_shift} leaves no output: 2**output_shift must not "
                f"exceed cell_max {self.cell_max}"
            )
        if not self.spec.saturates and self.cell_max >> self.cell_shift == 0:
            raise TrineError(
                f"cell_shift {self.cell_shift} leads out of the cell's range: 2**cell_shift of "
                f"{self.spec.article} {self.spec.title} must "
                f"not exceed cell_max {self.cell_max}"
            )

    @property
    def spec(self) -> CellSpec:
        """What its kind of cell is made of."""
        return CELLS[self.cell]

    @property
    def rows(self) -> int:
        """Rows of a layer's weight matrix: H for each gate."""
        return self.spec.rows * self.hidden

    @property
    def columns(self) -> int:
        """Columns of the first layer's weight matrix, E + H: x first, then h."""
        return self.embedding + self.hidden

    @property
    def cells(self) -> int:
        """Cells of all layers."""
        return self.layers * self.hidden

    @property
    def cell_bits(self) -> int:
        """Bits of a cell state, two's complement."""
        return self.cell_max.bit_length() + 1

    @property
    def level_bits(self) -> int:
        """Bits of a head level's value; 0 where the head sees h itself.

        >>> ModelConfig(hidden=1, embedding=1, vocab_size=2, head_levels=(0, 1, 3)).level_bits
        2
        """
        return 0 if self.head_levels == (0, 1) else self.head_levels[-1].bit_length()

    def of_layer(self, number: int) -> "ModelConfig":
        """A layer as a model of its own, whose x is, above the first, the new h of the layer below.

        >>> ModelConfig(hidden=3, embedding=2, vocab_size=5, layers=2).of_layer(1).columns
        6
        """
        number = integer(number, "the number of a layer", 0, self.layers - 1)
        return replace(self, layers=1, embedding=self.embedding if number == 0 else self.hidden)


def _checked_levels(levels: Any) -> tuple[int, ...]:
    """The levels as integers of Python, or :class:`TrineError` that says what they must be."""
    try:
        right = isinstance(levels, Sequence | np.ndarray) and 2 <= len(levels) <= _LIMIT_CELL + 1
        made = tuple(integer(level, "a level", 0, 127) for level in levels) if right else ()
    except (TrineError, TypeError):  # the latter of an array without dimensions
        made = ()
    if not made or made[0] != 0 or made[1] < 1 or any(a > b for a, b in pairwise(made)):
        raise TrineError(
            "head_levels must be 0 and then integers from 1 to 127 that do not fall, "
            f"such as (0, 1), {_LIMIT_CELL + 1} at most, not {shown(levels)}"
        )
    return made
