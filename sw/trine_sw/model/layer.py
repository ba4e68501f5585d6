"""One layer of a model, and what is right for its tensors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.model.cells import CELLS, CellSpec
from trine_sw.model.config import ModelConfig
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["Layer", "check_layer", "check_shape", "check_trits"]


@dataclass
class Layer:
    """One layer; H rows for each gate of the cell (:mod:`trine_sw.model.cells`), gate-major.

    Members
    -------
    weight : int8 trits (rows, E+H), x's columns first. Rows nx are 0 in h's columns, rows nh in x's.
    threshold : int32 (rows, 2) = [lo, hi]. Rows nx have the thresholds of n with h; rows nh are 0.
    threshold_reset : int32 (H, 2), of cells with nx and nh: the thresholds of n without h.
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
    spec = config.spec
    by_gate = layer.threshold.reshape(spec.rows, config.hidden, 2)
    _check_order(f"{name}.threshold", by_gate, spec)
    if not spec.has_reset:
        if layer.threshold_reset is not None:
            others = " or ".join(each.title for each in CELLS.values() if each.has_reset)
            cell = f"{spec.article} {spec.title}"
            raise TrineError(f"{name}.threshold_reset is of a {others}, and the cell is {cell}")
        return
    if layer.threshold_reset is None:
        raise TrineError(f"{name}.threshold_reset is missing: {spec.article} {spec.title} needs it")
    check_shape(f"{name}.threshold_reset", layer.threshold_reset, np.int32, (config.hidden, 2))
    rows = layer.weight.reshape(spec.rows, config.hidden, config.columns)
    of_columns = {"x": slice(None, config.embedding), "h": slice(config.embedding, None)}
    for number, gate in enumerate(spec.gates):
        if gate.kind is None and by_gate[number].any():
            unit = int(np.argmax(by_gate[number].any(axis=1)))
            raise TrineError(
                f"{name}.threshold: out of range, row {gate.name}{unit} has none, so lo and hi must be 0"
            )
        for owner, columns in of_columns.items():
            if owner not in gate.columns and rows[number, :, columns].any():
                row = f"{gate.name}{int(np.argmax(rows[number, :, columns].any(axis=1)))}"
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


def _check_order(name: str, threshold: NDArray[np.int32], spec: CellSpec) -> None:
    low, high = threshold.transpose(2, 0, 1)
    for gate in spec.of_kind("switch"):
        if (low[gate] != high[gate]).any():
            row = f"{spec.gates[gate].name}{int(np.argmax(low[gate] != high[gate]))}"
            raise TrineError(f"{name}: out of range, row {row} has one threshold, so lo must equal hi")
    if (low[spec.blend] > high[spec.blend]).any():
        row = f"{spec.gates[spec.blend].name}{int(np.argmax(low[spec.blend] > high[spec.blend]))}"
        raise TrineError(f"{name}: out of range, row {row} has lo above hi")
