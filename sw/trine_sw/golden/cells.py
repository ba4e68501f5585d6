"""One step of the cells in integers: from the sums of a token to the new h, c and u."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trine_sw.model.config import ModelConfig
from trine_sw.model.layer import Layer

__all__ = ["GoldenCell", "golden_cell"]

_STATES = np.arange(-128, 128)  # every int8, in the order of its table


class GoldenCell(Protocol):
    """A cell of a layer, for any number N of streams at once."""

    def step(
        self,
        sums: NDArray[np.float32],
        c: NDArray[np.int8],
        h_out: NDArray[np.int8],
        c_out: NDArray[np.int8],
        u_out: NDArray[np.int8],
    ) -> None:
        """One step: exact sums of all rows (N, gates, H) and c (N, H) make the new h, c and u (N, H)."""
        ...


def golden_cell(layer: Layer, config: ModelConfig) -> GoldenCell:
    """The cell of a layer, of the kind that ``config.cell`` names."""
    return _CELLS[config.cell](layer, config)


class _Output:
    """h and u of every cell state, without an output gate, as tables."""

    def __init__(self, config: ModelConfig) -> None:
        magnitude = np.minimum(np.abs(_STATES) >> config.output_shift, len(config.head_levels) - 1)
        self.h = (np.sign(_STATES) * (magnitude >= 1)).astype(np.int8)
        self.u = (np.sign(_STATES) * np.array(config.head_levels)[magnitude]).astype(np.int8)


class _Lstm:
    def __init__(self, layer: Layer, config: ModelConfig) -> None:
        self.config, self._output = config, _Output(config)
        self._low, self._high = _thresholds(layer.threshold, config)
        self._three_state_forget = bool((self._low[1] != self._high[1]).any())

    def step(
        self,
        sums: NDArray[np.float32],
        c: NDArray[np.int8],
        h_out: NDArray[np.int8],
        c_out: NDArray[np.int8],
        u_out: NDArray[np.int8],
    ) -> None:
        config = self.config
        a_i, a_f, a_g, a_o = sums.swapaxes(0, 1)
        i = (a_i >= self._high[0]).view(np.int8)
        o = (a_o >= self._high[3]).view(np.int8)
        g = (a_g >= self._high[2]).view(np.int8) - (a_g <= self._low[2]).view(np.int8)
        keep = (a_f >= self._high[1]).view(np.int8)
        kept = c * keep
        if self._three_state_forget:
            half = (a_f >= self._low[1]).view(np.int8) - keep  # 1 where f2 = 1, as lo <= hi
            kept += ((c + (c < 0)) >> 1) * half
        moved = kept.astype(np.int16) + ((i * g).astype(np.int16) << config.cell_shift)
        np.clip(moved, -config.cell_max, config.cell_max, out=moved)
        c_out[...] = moved
        position = moved + 128
        np.multiply(self._output.h[position], o, out=h_out)
        np.multiply(self._output.u[position], o, out=u_out)


class _Gru:
    def __init__(self, layer: Layer, config: ModelConfig) -> None:
        self.config, self._output = config, _Output(config)
        self._low, self._high = _thresholds(layer.threshold, config)
        assert layer.threshold_reset is not None
        self._low_reset, self._high_reset = _thresholds(layer.threshold_reset, config)[:, 0]

    def step(
        self,
        sums: NDArray[np.float32],
        c: NDArray[np.int8],
        h_out: NDArray[np.int8],
        c_out: NDArray[np.int8],
        u_out: NDArray[np.int8],
    ) -> None:
        a_z, a_r, a_nx, a_nh = sums.swapaxes(0, 1)
        r = a_r >= self._high[1]
        a_n = a_nx + a_nh * r
        above = a_n >= np.where(r, self._high[2], self._high_reset)
        below = a_n <= np.where(r, self._low[2], self._low_reset)
        target = (above.view(np.int8) - below.view(np.int8)) << self.config.cell_shift
        keep = a_z >= self._high[0]
        middle = c.astype(np.int16) + target
        middle = (middle + (middle < 0)) >> 1  # half, toward zero
        moved = np.where(keep, c, np.where(a_z >= self._low[0], middle, target))
        c_out[...] = moved
        position = moved.astype(np.int16) + 128
        np.take(self._output.h, position, out=h_out)
        np.take(self._output.u, position, out=u_out)


def _thresholds(threshold: NDArray[np.int32], config: ModelConfig) -> NDArray[np.float32]:
    """(rows, 2) as (2, gates, H): lo, then hi.

    One beyond the reach of the sums decides the same one step beyond it, and is exact in float32 there.
    """
    reach = config.columns + 1
    near = np.clip(threshold, -reach, reach).astype(np.float32)
    return near.reshape(-1, config.hidden, 2).transpose(2, 0, 1).copy()


_CELLS: dict[str, Callable[[Layer, ModelConfig], GoldenCell]] = {"lstm": _Lstm, "gru": _Gru}
