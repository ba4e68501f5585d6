"""Ternary recurrent layers in PyTorch: hard ternary gates and the integer cell, trained through.

The forward pass computes what the hardware computes. The backward pass uses the derivatives of the sloped
sigmoid and tanh instead of the steps' (straight-through estimators): training sees a smooth cell.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from trine_sw.model.config import ModelConfig
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.autocast import without_autocast
from trine_sw.training.nn.cell_options import CellOptions
from trine_sw.training.nn.cell_output import cell_output
from trine_sw.training.nn.gates import gate_thresholds, random_thresholds
from trine_sw.training.nn.gru_steps import GRUSteps
from trine_sw.training.nn.lstm_steps import LSTMSteps
from trine_sw.training.nn.mgu_steps import MGUSteps
from trine_sw.training.nn.quantise import row_scale
from trine_sw.training.nn.recurrence import Numerics, recur
from trine_sw.training.nn.states import TRITS, States, weight_values

__all__ = ["CellOptions", "GRULayer", "LSTMLayer", "MGULayer", "TernaryLayer", "ternary_layer"]


class TernaryLayer(nn.Module, ABC):
    """One ternary recurrent layer; columns of ``weight`` are x's first, then h's, its rows gate-major.

    Gates compare ``preactivation`` of a sum of trits, in training as in evaluation; in evaluation the sum is
    exact in float32 on every machine, and that is what export folds. ``numerics`` is how training computes.
    With other ``states`` than three a layer is for comparisons alone, and what is called trits is integers.
    """

    steps: type  #: of training

    def __init__(self, config: ModelConfig, options: CellOptions, states: States = TRITS) -> None:
        super().__init__()
        if states != TRITS and config.cell != "lstm":
            raise TrineError(f"only an LSTM has other states than three, and the cell is {config.cell!r}")
        self.config, self.options, self.states = config, options, states
        self.numerics = Numerics()
        size = config.hidden
        spec = config.spec
        rows = len(spec.weight_gates) * size  # n is one gate here, which the file has two rows of
        self.weight = nn.Parameter(torch.empty(rows, config.columns))
        self.bias = nn.Parameter(torch.zeros(config.rows))
        # With a quarter of the columns active, a row of trits of norm 1 has a sum of about 1/3. A gain that
        # is trained falls towards 0, where no gate moves (docs/training.md), so it stays what it is.
        gain = nn.Parameter(torch.full((rows,), 3.0), requires_grad=False)
        self.gain = gain if options.scale == "norm" else None
        bound = 1.5 / math.sqrt(size)
        nn.init.uniform_(self.weight, -bound, bound)
        with torch.no_grad():
            self.bias[spec.blend * size : (spec.blend + 1) * size] = spec.remember
        low, high = gate_thresholds(config, options.slope, options.three_state_forget)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)
        self.low: Tensor
        self.high: Tensor
        # An annealed slope is a factor of z: lambda over its last value. It goes with the weights, which
        # belong to the slope that they were trained at.
        self.register_buffer("ratio", None if options.slope_first is None else torch.ones(()))
        self.ratio: Tensor | None
        # The share of hard values in training.
        self.register_buffer("hard", torch.ones(()), persistent=False)
        self.hard: Tensor
        self.anneal(0.0)

    def anneal(self, share: float) -> None:
        """Set lambda to what it is when this share, 0 to 1, of the epochs is done."""
        if self.ratio is not None and self.options.slope_first is not None:
            self.ratio.fill_((self.options.slope_first / self.options.slope) ** (1 - share))

    def harden(self, share: float) -> None:
        """Set how hard training computes when this share, 0 to 1, of the updates is done."""
        if self.options.harden is not None:
            begin, end = self.options.harden
            self.hard.fill_(min(1.0, max(0.0, (share - begin) / (end - begin))))

    @property
    def blended(self) -> Tensor | None:
        """The share () of hard values in training; None where all are hard."""
        return self.hard if self.training and self.options.harden is not None else None

    @property
    def offset(self) -> Tensor:
        """What is added to a row's scaled sum (rows,): the bias, at the present slope."""
        return self.bias if self.ratio is None else self.bias * self.ratio

    def quantised(self) -> tuple[Tensor, Tensor]:
        """Trits (rows, E+H), with straight-through gradients, and the real scale (rows, 1) of each row.

        In training as hard as ``harden`` has set it: before that what is called trits is real.
        """
        trits = weight_values(self.weight, self.states.weights)
        scale = row_scale(self.weight, trits, self.options.scale)
        if self.training and self.options.harden:
            # Real rows as long as the rows of trits.
            length = trits.detach().norm(dim=-1, keepdim=True) / self.weight.detach().norm(
                dim=-1, keepdim=True
            )
            trits = torch.lerp(self.weight * length, trits, self.hard)
        if self.gain is not None:
            scale = scale * self.gain.abs().clamp_min(1e-3).unsqueeze(1)
        return trits, scale if self.ratio is None else scale * self.ratio

    @staticmethod
    def preactivation(sums: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        """z of exact sums (..., rows): a rounded product, a rounded sum; it never falls as a sum grows."""
        return torch.add(torch.mul(sums, scale), bias)

    def forward(
        self,
        x: Tensor,
        state: tuple[Tensor, Tensor],
        quantised: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Run x (T, B, E) from state (h, c), each (B, H).

        ``quantised`` is what :meth:`quantised` has given, where one result of it serves several calls.
        Returns h (T, B, H), what the head sees, u (T, B, H), and the state after the last step.
        """
        with without_autocast(x.device):
            return self._run(x, state, *(quantised or self.quantised()))

    def _run(
        self, x: Tensor, state: tuple[Tensor, Tensor], trits: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        if not self.training:
            h, c = self.evaluate(x, state, trits, scale.squeeze(1))
            u = cell_output(c, self.config, self.states)[1] * h.ne(0)
            return h, u, (h[-1], c[-1])
        low, high = self.low, self.high
        options = self.options
        if options.bernoulli:
            shape = x.new_empty(*x.shape[:2], self.config.rows)
            low, high = random_thresholds(shape, self.config.cell, options.slope, options.three_state_forget)
        steps = self._steps()
        return recur(x, state, trits, scale, self.offset, high, low, self.hard, steps, self.numerics)

    def _steps(self) -> Any:
        options, product = self.options, self.numerics.product
        return self.steps(self.config, options.slope, options.window, product, options.harden is not None)

    @torch.no_grad()
    def evaluate(
        self, x: Tensor, state: tuple[Tensor, Tensor], trits: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """h and c (T, B, H) of the exact arithmetic: integers in float32 up to ``preactivation``."""
        split = self.config.embedding
        sums_x = x @ trits[:, :split].T
        weight_h = trits[:, split:].T
        h, c = state
        all_h, all_c = [], []
        for step in range(len(x)):
            h, c = self.evaluate_step(sums_x[step] + h @ weight_h, scale, c)
            all_h.append(h)
            all_c.append(c)
        return torch.stack(all_h), torch.stack(all_c)

    @abstractmethod
    def evaluate_step(self, sums: Tensor, scale: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """The new h and c (B, H) of the exact sums (B, rows) of all rows of the model file."""

    @abstractmethod
    def folding_bias(self, reset: bool) -> Tensor:
        """Bias (rows,) with which a row's sum makes its preactivation; with ``reset``, of n without h."""

    def _switch(self, z: Tensor, gate: int) -> Tensor:
        """0 or 1 of preactivations (B, H) of that gate."""
        return (z >= self.high.unflatten(0, (self.config.spec.rows, -1))[gate]).to(z.dtype)

    def _blend(self, z: Tensor, gate: int) -> Tensor:
        """0, 1/2 or 1."""
        return (self._switch(z, gate) + (z >= self.low.chunk(2)[0]).to(z.dtype)) / 2

    def _trit(self, z: Tensor, gate: int) -> Tensor:
        """-1, 0 or 1."""
        return self._switch(z, gate) - (z <= self.low.chunk(2)[1]).to(z.dtype)


class LSTMLayer(TernaryLayer):
    """A ternary LSTM. Rows are i, f, g, o."""

    steps = LSTMSteps

    def _steps(self) -> LSTMSteps:
        return replace(super()._steps(), states=self.states)

    def evaluate_step(self, sums: Tensor, scale: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = self.gate_values(self.preactivation(sums, scale, self.offset))
        c = torch.trunc(c * f) + i * g * float(1 << self.config.cell_shift)
        c = c.clamp(-self.config.cell_max, self.config.cell_max)
        return cell_output(c, self.config, self.states)[0] * o, c

    def gate_values(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """i, f, g and o (B, H) of preactivations z (B, 4H)."""
        z_i, z_f, z_g, z_o = z.chunk(4, dim=-1)
        return self._switch(z_i, 0), self._blend(z_f, 1), self._trit(z_g, 2), self._switch(z_o, 3)

    def folding_bias(self, reset: bool) -> Tensor:
        return self.offset


class _SplitLayer(TernaryLayer):
    """A layer whose ``weight`` ends with the rows of n; nx and nh are the two parts of n, with n's scale.

    ``bias`` is of nx and of nh: n's is nx's without h, and the sum of both with it.
    """

    def quantised(self) -> tuple[Tensor, Tensor]:
        trits, scale = super().quantised()
        size, split = self.config.hidden, self.config.embedding
        n = trits[-size:]
        n_x = nn.functional.pad(n[:, :split], (0, size))
        n_h = nn.functional.pad(n[:, split:], (split, 0))
        return torch.cat([trits[:-size], n_x, n_h]), torch.cat([scale, scale[-size:]])

    def folding_bias(self, reset: bool) -> Tensor:
        *gates, n_x, n_h = self.offset.chunk(self.config.spec.rows)
        return torch.cat([*gates, n_x if reset else n_x + n_h, n_h])

    def _candidate(self, sums: Tensor, scale: Tensor, r: Tensor) -> Tensor:
        """-1, 0 or 1 of the exact sums of all rows, where h counts if r is 1 and not if it is 0."""
        rows = self.config.spec.rows
        sums_x, sums_h = sums.chunk(rows, dim=-1)[-2:]
        bias_x, bias_h = self.offset.chunk(rows)[-2:]
        bias = torch.where(r.bool(), bias_x + bias_h, bias_x)
        z = self.preactivation(sums_x + sums_h * r, scale.chunk(rows)[-1], bias)
        return self._trit(z, self.config.spec.candidate)


class GRULayer(_SplitLayer):
    """A ternary GRU. ``weight`` has the rows z, r, n."""

    steps = GRUSteps

    def evaluate_step(self, sums: Tensor, scale: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        gates = slice(0, 2 * self.config.hidden)
        z_z, z_r = self.preactivation(sums[:, gates], scale[gates], self.offset[gates]).chunk(2, dim=-1)
        m = self._candidate(sums, scale, self._switch(z_r, 1))
        keep = self._blend(z_z, 0)
        c = torch.trunc(c * keep + m * (1 - keep) * float(1 << self.config.cell_shift))
        return cell_output(c, self.config)[0], c


class MGULayer(_SplitLayer):
    """A ternary minimal gated unit. ``weight`` has the rows f, n."""

    steps = MGUSteps

    def evaluate_step(self, sums: Tensor, scale: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        gate = slice(0, self.config.hidden)
        z = self.preactivation(sums[:, gate], scale[gate], self.offset[gate])
        m = self._candidate(sums, scale, self._switch(z, 0))
        take = self._blend(z, 0)
        c = torch.trunc(c * (1 - take) + m * take * float(1 << self.config.cell_shift))
        return cell_output(c, self.config)[0], c


_LAYERS: dict[str, type[TernaryLayer]] = {"lstm": LSTMLayer, "gru": GRULayer, "mgu": MGULayer}


def ternary_layer(config: ModelConfig, options: CellOptions, states: States = TRITS) -> TernaryLayer:
    """The layer of the kind that ``config.cell`` names."""
    return _LAYERS[config.cell](config, options, states)
