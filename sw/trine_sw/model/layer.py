"""One layer of a model, and what is right for its tensors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.model.config import GATES, ModelConfig
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["Layer", "check_layer", "check_shape", "check_trits"]


@dataclass
class Layer:
    """One layer; rows i, f, g, o of an LSTM and z, r, nx, nh of a GRU, H each.

    Members
    -------
    weight : int8 trits (4H, E+H), x's columns first. A GRU's nx rows are 0 in h's columns, its nh rows
        in x's.
    threshold : int32 (4H, 2) = [lo, hi]. A GRU's nx rows have the thresholds of n where r = 1; its nh rows
        are 0.
    threshold_reset : int32 (H, 2), of a GRU alone: the thresholds of n where r = 0.
    """

    weight: NDArray[np.int8]
    threshold: NDArray[np.int32]
    threshold_reset: NDArray[np.int32] | None = None


def check_layer(number: int, layer: Layer, config: ModelConfig) -> None:
    """Raise :class:`TrineError` that names the layer's first tensor whose shape or contents are wrong.

    ``config`` is the layer's own, :meth:`ModelConfig.of_layer`.
    """
    name = f"layer{number}"
    if not isinstance(layer, Layer):
        raise TrineError(f"{name} must be a Layer, not {shown(layer)}")
    check_trits(f"{name}.weight", layer.weight, (config.rows, config.columns))
    check_shape(f"{name}.threshold", layer.threshold, np.int32, (config.rows, 2))
    by_gate = layer.threshold.reshape(4, config.hidden, 2)
    if config.cell == "lstm":
        if layer.threshold_reset is not None:
            raise TrineError(f"{name}.threshold_reset is of a GRU, and the cell is an LSTM")
        _check_order(f"{name}.threshold", by_gate, "lstm", single=(0, 3), rising=(1,))
        return
    if layer.threshold_reset is None:
        raise TrineError(f"{name}.threshold_reset is missing: a GRU needs it")
    check_shape(f"{name}.threshold_reset", layer.threshold_reset, np.int32, (config.hidden, 2))
    _check_order(f"{name}.threshold", by_gate, "gru", single=(1,), rising=(0,))
    if by_gate[3].any():
        unit = int(np.argmax(by_gate[3].any(axis=1)))
        raise TrineError(f"{name}.threshold: out of range, row nh{unit} has none, so lo and hi must be 0")
    rows, split = layer.weight.reshape(4, config.hidden, config.columns), config.embedding
    for gate, part, owner in ((2, rows[2, :, split:], "h"), (3, rows[3, :, :split], "x")):
        if part.any():
            row = f"{GATES['gru'][gate]}{int(np.argmax(part.any(axis=1)))}"
            raise TrineError(f"{name}.weight: row {row} must be 0 in the columns of {owner}")


def check_shape(name: str, tensor: NDArray[Any], dtype: type, shape: tuple[int, ...]) -> None:
    """Raise :class:`TrineError` that names the tensor unless its type and shape are these."""
    if not isinstance(tensor, np.ndarray):
        raise TrineError(f"{name} must be an array of NumPy, not {shown(tensor)}")
    if tensor.dtype != dtype or tensor.shape != shape:
        order = "" if tensor.dtype.isnative else " of another byte order"
        found = f"{tensor.dtype.name}{order} {tensor.shape}"
        raise TrineError(f"{name} must be {np.dtype(dtype).name} {shape}, not {found}")


def check_trits(name: str, tensor: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise :class:`TrineError` that names the tensor unless it is int8 trits of that shape."""
    check_shape(name, tensor, np.int8, shape)
    if tensor.min() < -1 or tensor.max() > 1:
        raise TrineError(f"{name} must hold -1, 0 and +1 only")


def _check_order(
    name: str, threshold: NDArray[np.int32], cell: str, *, single: tuple[int, ...], rising: tuple[int, ...]
) -> None:
    low, high = threshold.transpose(2, 0, 1)
    for gate in single:
        if (low[gate] != high[gate]).any():
            row = f"{GATES[cell][gate]}{int(np.argmax(low[gate] != high[gate]))}"
            raise TrineError(f"{name}: out of range, row {row} has one threshold, so lo must equal hi")
    for gate in rising:
        if (low[gate] > high[gate]).any():
            row = f"{GATES[cell][gate]}{int(np.argmax(low[gate] > high[gate]))}"
            raise TrineError(f"{name}: out of range, row {row} has lo above hi")
