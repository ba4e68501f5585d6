"""What the four lanes of a cell sum and compare: the rows of a layer as an engine holds them.

An LSTM's lanes are its rows i, f, g, o. Of a GRU, z and r are rows too; nx and nh are not. n compares
a_nx + a_nh where r = 1 and a_nx where r = 0, and no column has a weight in both: so one lane sums both rows
and one sums nx alone, each with thresholds of its own, and r chooses between what they have decided. Nothing
is added up behind the lanes. As nx stands in the columns of what the layer is fed with and nh in those of its
own h, both have one trit in a column's word: a GRU's cell is read as three trits, an LSTM's as four.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from trine_sw.model.config import ModelConfig
from trine_sw.model.layer import Layer

__all__ = ["FED_ALONE", "LANE_KINDS", "LANE_TRITS", "cell_trits", "gate_lanes"]

LaneKind = Literal["switch", "keep", "trit"]
#: How a lane's sum is compared: with hi alone, from lo and from hi on, down from lo and from hi on.
LANE_KINDS: dict[str, tuple[LaneKind, ...]] = {
    "lstm": ("switch", "keep", "trit", "switch"),
    "gru": ("keep", "switch", "trit", "trit"),
}
#: The trit, of a cell's in a word, that each of its lanes adds.
LANE_TRITS: dict[str, tuple[int, ...]] = {"lstm": (0, 1, 2, 3), "gru": (0, 1, 2, 2)}
#: The lanes of a cell that add it only where the column is of what the layer is fed with.
FED_ALONE: dict[str, frozenset[int]] = {"lstm": frozenset(), "gru": frozenset({3})}


def cell_trits(cell: str) -> int:
    """Trits of a cell in a column's word: as many as its weights in a column that can differ from 0."""
    return len(set(LANE_TRITS[cell]))


def gate_lanes(layer: Layer, config: ModelConfig) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """Weights, trits (4, H, E+H), and thresholds [lo, hi], (4, H, 2), of each lane of each cell."""
    weight = layer.weight.reshape(4, config.hidden, -1)
    threshold = layer.threshold.astype(np.int64).reshape(4, config.hidden, 2)
    if config.cell == "gru":
        assert layer.threshold_reset is not None
        z, r, nx, nh = weight
        weight = np.stack([z, r, nx + nh, nx])
        threshold = np.stack([*threshold[:3], layer.threshold_reset.astype(np.int64)])
    return weight, threshold
