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


class _WithReset:
    """A cell whose candidate is of a_nx + a_nh or, after a reset, of a_nx alone."""

    def __init__(self, layer: Layer, config: ModelConfig) -> None:
        self.config, self._output = config, _Output(config)
        self._low, self._high = _thresholds(layer.threshold, config)
        assert layer.threshold_reset is not None
        self._low_reset, self._high_reset = _thresholds(layer.threshold_reset, config)[:, 0]

    def _target(
        self, a_nx: NDArray[np.float32], a_nh: NDArray[np.float32], r: NDArray[np.bool_]
    ) -> NDArray[np.int8]:
        """The candidate m * 2**s, where r is whether h counts."""
        gate = self.config.spec.candidate
        a_n = a_nx + a_nh * r
        above = a_n >= np.where(r, self._high[gate], self._high_reset)
        below = a_n <= np.where(r, self._low[gate], self._low_reset)
        return (above.view(np.int8) - below.view(np.int8)) << self.config.cell_shift

    def _show(self, moved: NDArray[np.integer], *out: NDArray[np.int8]) -> None:
        h_out, c_out, u_out = out
        c_out[...] = moved
        position = moved.astype(np.int16) + 128
        np.take(self._output.h, position, out=h_out)
        np.take(self._output.u, position, out=u_out)


def _midway(c: NDArray[np.int8], target: NDArray[np.int8]) -> NDArray[np.int16]:
    """Half of their sum, toward zero."""
    total = c.astype(np.int16) + target
    return (total + (total < 0)) >> 1


class _Gru(_WithReset):
    def step(
        self,
        sums: NDArray[np.float32],
        c: NDArray[np.int8],
        h_out: NDArray[np.int8],
        c_out: NDArray[np.int8],
        u_out: NDArray[np.int8],
    ) -> None:
        a_z, a_r, a_nx, a_nh = sums.swapaxes(0, 1)
        target = self._target(a_nx, a_nh, a_r >= self._high[1])
        keep, half = a_z >= self._high[0], a_z >= self._low[0]
        moved = np.where(keep, c, np.where(half, _midway(c, target), target))
        self._show(moved, h_out, c_out, u_out)


class _Mgu(_WithReset):
    def step(
        self,
        sums: NDArray[np.float32],
        c: NDArray[np.int8],
        h_out: NDArray[np.int8],
        c_out: NDArray[np.int8],
        u_out: NDArray[np.int8],
    ) -> None:
        a_f, a_nx, a_nh = sums.swapaxes(0, 1)
        take, half = a_f >= self._high[0], a_f >= self._low[0]
        target = self._target(a_nx, a_nh, take)
        moved = np.where(take, target, np.where(half, _midway(c, target), c))
        self._show(moved, h_out, c_out, u_out)


def _thresholds(threshold: NDArray[np.int32], config: ModelConfig) -> NDArray[np.float32]:
    """(rows, 2) as (2, gates, H): lo, then hi.

    One beyond the reach of the sums decides the same one step beyond it, and is exact in float32 there.
    """
    reach = config.columns + 1
    near = np.clip(threshold, -reach, reach).astype(np.float32)
    return near.reshape(-1, config.hidden, 2).transpose(2, 0, 1).copy()


_CELLS: dict[str, Callable[[Layer, ModelConfig], GoldenCell]] = {
    "lstm": _Lstm,
    "gru": _Gru,
    "mgu": _Mgu,
}
