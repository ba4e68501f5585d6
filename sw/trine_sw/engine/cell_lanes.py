"""What the lanes of a cell sum and compare: the rows of a layer as an engine holds them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trine_sw.model.config import ModelConfig
from trine_sw.model.layer import Layer

__all__ = ["gate_lanes"]


def gate_lanes(layer: Layer, config: ModelConfig) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """Weights, trits (lanes, H, E+H), and thresholds [lo, hi], (lanes, H, 2), of each lane of each cell."""
    spec = config.spec
    weight = layer.weight.reshape(spec.rows, config.hidden, -1)
    threshold = layer.threshold.astype(np.int64).reshape(spec.rows, config.hidden, 2)
    weights, thresholds = [], []
    for lane in spec.lanes:
        weights.append(weight[list(lane.gates)].sum(axis=0, dtype=np.int8))  # no two have a column in common
        if lane.reset:
            assert layer.threshold_reset is not None
            thresholds.append(layer.threshold_reset.astype(np.int64))
        else:
            thresholds.append(threshold[lane.gates[0]])
    return np.stack(weights), np.stack(thresholds)
