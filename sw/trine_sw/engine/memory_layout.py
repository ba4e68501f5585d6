"""Where each weight, threshold and bias of a model lies in an engine: bank contents and lane constants.

The gateware takes its memories and constants from here, and nothing else decides where a row or column goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.cell_lanes import gate_lanes
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

__all__ = ["MemoryLayout", "place", "signed_width"]

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]


def signed_width(low: int, high: int) -> int:
    """Bits of the two's complement that holds every integer in ``[low, high]``; at least 1.

    >>> signed_width(-4, 3), signed_width(0, 4), signed_width(0, 0)
    (3, 4, 1)
    """
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


@dataclass(frozen=True)
class MemoryLayout:
    """A model, laid out on an engine.

    Attributes
    ----------
    geometry
        The sizes.
    banks
        Column ROM contents, trits, shape (K, depth, word_trits).
    start
        What each lane's sum starts from in each group, shape (groups, lanes): minus the upper threshold for
        a gate, so that the sum's sign is the gate's decision; the bias for a row of the head. The sum that
        a lane hands over lies within ``width`` bits; what overflows on the way wraps and does no harm.
    lower
        Of lanes with two thresholds, the lower relative to ``start``'s, shape (groups, lanes); 0 elsewhere.
    width
        Bits of each lane's sum, shape (lanes,). All head lanes have the same.
    """

    geometry: Geometry
    banks: Int8
    start: Int64
    lower: Int64
    width: Int64

    @property
    def logit_width(self) -> int:
        """Bits of a logit (0 with the head on the host)."""
        return int(self.width[-1]) if self.geometry.head_lanes else 0


def place(model: Model, engine: EngineConfig) -> MemoryLayout:
    """Lay ``model`` out on ``engine``.

    Raises
    ------
    TrineError
        If the model has no embedding or head where the engine should keep one.
    """
    geometry = Geometry(model.config, engine)
    if engine.embedding == "board" and model.embedding_weight is None:
        raise TrineError("the model has no embedding to place on the board; place it on the host")
    if engine.head == "board" and model.head_weight is None:
        raise TrineError("the model has no ternary head to place on the board; place it on the host")
    rows, start, lower, width = _lanes(model, geometry)
    # rows: (groups, lanes, columns) -> (K, groups * bank_columns + 1, word_trits)
    contents = np.zeros((engine.banks, geometry.depth, geometry.word_trits), np.int8)
    # Of lanes that share a trit the first has all of its row in it.
    trits = [geometry.word_trit(lane) for lane in range(geometry.lanes)]
    holders = np.unique(trits, return_index=True)[1]
    for bank in range(engine.banks):
        columns = np.flatnonzero(np.array(geometry.banks_of) == bank)
        for group in range(geometry.groups):
            first = group * geometry.bank_columns
            contents[bank, first : first + len(columns)] = rows[group][holders][:, columns].T
    return MemoryLayout(geometry, contents, start, lower, width)


def _lanes(model: Model, geometry: Geometry) -> tuple[Int8, Int64, Int64, Int64]:
    """Weight rows (groups, lanes, columns), starts, lower thresholds (groups, lanes) and widths (lanes)."""
    groups, lanes, units = geometry.groups, geometry.lanes, geometry.units
    gates = geometry.gate_lanes
    rows = np.zeros((groups, lanes, geometry.columns), np.int8)
    start = np.full((groups, lanes), -1, np.int64)  # an unused gate lane never reaches its threshold
    lower = np.zeros((groups, lanes), np.int64)
    spread = np.zeros((groups, lanes), np.int64)
    weights, thresholds = _all_gates(model, geometry)
    for number, of_cell in enumerate(model.config.spec.lanes):
        kind = of_cell.kind
        if kind == "trit":
            lower[
                :, number : gates : geometry.cell_lanes
            ] = -2  # nor does an unused one fall to its lower threshold
        group, unit = np.divmod(np.arange(model.config.cells), units)
        lane = geometry.cell_lanes * unit + number
        weight, (low, high) = weights[number], thresholds[number].T
        most = np.count_nonzero(weight, axis=1)
        # Thresholds beyond the reach of the sum decide as those just out of it do.
        high = np.clip(high, -most, most + 1)
        rows[group, lane] = weight
        start[group, lane] = -high
        spread[group, lane] = most
        if kind == "blend":
            lower[group, lane] = np.clip(low, -most, most + 1) - high
        elif kind == "trit":
            lower[group, lane] = np.clip(low, -most - 1, most) - high
    if geometry.head_lanes:
        assert model.head_weight is not None and model.head_bias is not None
        group, lane = np.divmod(np.arange(model.config.vocab_size), geometry.head_lanes)
        lane += gates
        rows[group, lane, geometry.slot_a :] = model.head_weight
        start[group, lane] = model.head_bias
        spread[group, lane] = max(model.config.head_levels) * np.count_nonzero(model.head_weight, axis=1)
        unused = np.arange(groups * geometry.head_lanes).reshape(groups, -1) >= model.config.vocab_size
        start[:, gates:][unused] = 0
    low, high_ = (start - spread).min(0), (start + spread).max(0)
    width = np.array([signed_width(int(a), int(b)) for a, b in zip(low, high_, strict=True)], np.int64)
    width[gates:] = width[gates:].max(initial=0)
    return rows, start, lower, width


def _all_gates(model: Model, geometry: Geometry) -> tuple[Int8, Int64]:
    """Weights (lanes, L*H, columns) and thresholds (lanes, L*H, 2), columns as in slots A and B.

    A layer above the first has its own h in slot A, which follows what is below it in the model file.
    """
    config, hidden = model.config, model.config.hidden
    lanes = geometry.cell_lanes
    weights = np.zeros((lanes, config.cells, geometry.columns), np.int8)
    thresholds = np.zeros((lanes, config.cells, 2), np.int64)
    for number, layer in enumerate(model.layers):
        of_layer, cells = config.of_layer(number), slice(number * hidden, (number + 1) * hidden)
        weight, thresholds[:, cells] = gate_lanes(layer, of_layer)
        below, own = weight[..., : of_layer.embedding], weight[..., of_layer.embedding :]
        early, late = (own, below) if number else (below, own)
        weights[:, cells, : early.shape[-1]] = early
        weights[:, cells, geometry.slot_a :] = late
    return weights, thresholds
