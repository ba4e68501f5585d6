"""The ternary LSTM layer in PyTorch: hard ternary gates and the saturating integer cell, trained through.

The forward pass computes what the hardware computes. The backward pass puts the derivatives of the sloped
sigmoid and tanh in the place of the steps' (straight-through estimators): training sees a smooth cell.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trine_sw.lstm_steps import LSTMSteps, level_of
from trine_sw.model import ModelConfig
from trine_sw.quantise import Scale, row_scale, ttq
from trine_sw.recurrence import Numerics, recur

__all__ = ["CellOptions", "TernaryLSTM"]


@dataclass(frozen=True, kw_only=True)
class CellOptions:
    """How a ternary layer is trained.

    Parameters
    ----------
    scale : real number of a row of trits: TTQ's ``"alpha"``, or ``"norm"``, weight normalisation with a gain.
    slope : lambda; the gates are sigmoid(lambda z) and tanh(lambda z).
    three_state_forget : forget gate of {0, 1/2, 1}; otherwise of {0, 1}.
    bernoulli : training draws each gate at random, with the activation as its mean.
    window : width, in steps 2**r of the output, of the stretch of c about 0 through which h passes gradients.
    """

    scale: Scale = "alpha"
    slope: float = 1.0
    three_state_forget: bool = True
    bernoulli: bool = False
    window: float = 2.0


class TernaryLSTM(nn.Module):
    """One ternary LSTM layer. Rows of ``weight`` are gate-major: i, f, g, o; columns x first, then h.

    Gates compare ``preactivation`` of a sum of trits, in training as in evaluation; in evaluation the sum is
    exact in float32 on every machine, and that is what export folds. ``numerics`` is how training computes.
    """

    def __init__(self, config: ModelConfig, options: CellOptions) -> None:
        super().__init__()
        self.config, self.options = config, options
        self.numerics = Numerics()
        self.weight = nn.Parameter(torch.empty(config.rows, config.columns))
        self.bias = nn.Parameter(torch.zeros(config.rows))
        self.gain = nn.Parameter(torch.ones(config.rows)) if options.scale == "norm" else None
        bound = 1.5 / math.sqrt(config.hidden)
        nn.init.uniform_(self.weight, -bound, bound)
        size = config.hidden
        with torch.no_grad():
            self.bias[size : 2 * size] = 1.0  # remember at first
        low, high = gate_thresholds(config, options)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)
        self.low: Tensor
        self.high: Tensor

    def quantised(self) -> tuple[Tensor, Tensor]:
        """Trits (4H, E+H), with straight-through gradients, and the real scale (4H, 1) of each row."""
        trits = ttq(self.weight)
        scale = row_scale(self.weight, trits, self.options.scale)
        if self.gain is not None:
            scale = scale * self.gain.abs().clamp_min(1e-3).unsqueeze(1)
        return trits, scale

    @staticmethod
    def preactivation(sums: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        """z of exact sums (..., 4H): one rounded product, one rounded sum; it never falls as a sum grows."""
        return torch.add(torch.mul(sums, scale), bias)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Run x (T, B, E) from state (h, c), each (B, H).

        Returns h (T, B, H), what the head sees, u (T, B, H), and the state after the last step.
        """
        trits, scale = self.quantised()
        if not self.training:
            h, c = self.evaluate(x, state, trits, scale.squeeze(1))
            u = output(c, h.ne(0), self.config)[1]
            return h, u, (h[-1], c[-1])
        high, low = self.high, self.low
        if self.options.bernoulli:
            high, low = random_thresholds(x.new_empty(*x.shape[:2], self.config.rows), self.options)
        steps = LSTMSteps(self.config, self.options.slope, self.options.window, self.numerics.product)
        return recur(x, state, trits, scale, self.bias, high, low, steps, self.numerics)

    @torch.no_grad()
    def evaluate(
        self, x: Tensor, state: tuple[Tensor, Tensor], trits: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """h and c (T, B, H) of the exact arithmetic: integers in float32 up to ``preactivation``."""
        size, split = self.config.hidden, self.config.embedding
        sums_x = x @ trits[:, :split].T
        weight_h = trits[:, split:].T
        h, c = state
        all_h, all_c = [], []
        for step in range(len(x)):
            z = self.preactivation(sums_x[step] + h @ weight_h, scale, self.bias)
            i, f_high, g_high, o = (z >= self.high).to(z.dtype).split(size, dim=-1)
            f_low = (z[:, size : 2 * size] >= self.low[:size]).to(z.dtype)
            g_low = (z[:, 2 * size : 3 * size] <= self.low[size:]).to(z.dtype)
            c = integer_cell(c, i, (f_low + f_high) / 2, g_high - g_low, self.config)
            h = output(c, o, self.config)[0]
            all_h.append(h)
            all_c.append(c)
        return torch.stack(all_h), torch.stack(all_c)


def gate_thresholds(config: ModelConfig, options: CellOptions) -> tuple[Tensor, Tensor]:
    """Thresholds of z: low (2H,) of f and g, and high (4H,) of i, f, g, o.

    They are where sigmoid(slope z) is 1/2 (i, o, binary f), 1/4 and 3/4 (f), and where tanh(slope z) is -1/2
    and 1/2 (g).
    """
    forget = math.log(3) / options.slope if options.three_state_forget else 0.0
    cell = math.atanh(0.5) / options.slope
    size = config.hidden
    low = torch.tensor([-forget, -cell]).repeat_interleave(size)
    high = torch.tensor([0.0, forget, cell, 0.0]).repeat_interleave(size)
    return low, high


def random_thresholds(z: Tensor, options: CellOptions) -> tuple[Tensor, Tensor]:
    """Thresholds (high as z, low for f and g) that make every gate random with the activation as its mean."""
    size = z.shape[-1] // 4
    chance = torch.rand_like(z).clamp(1e-6, 1 - 1e-6)
    f, g = chance[..., size : 2 * size], chance[..., 2 * size : 3 * size]
    high = torch.logit(chance)
    high[..., 2 * size : 3 * size] = torch.atanh(g)
    low_f = high[..., size : 2 * size].clone()
    if options.three_state_forget:
        low_f = torch.logit((1 - f) / 2)
        high[..., size : 2 * size] = torch.logit(1 - f / 2)
    low = torch.cat([low_f, -torch.atanh(g)], dim=-1)
    return high / options.slope, low / options.slope


def integer_cell(c: Tensor, i: Tensor, f: Tensor, g: Tensor, config: ModelConfig) -> Tensor:
    """The next cell state: trunc(c f) is 0, half of c toward zero, or c."""
    moved = torch.addcmul(torch.trunc(c * f), i, g, value=float(1 << config.cell_shift))
    return moved.clamp_(-config.cell_max, config.cell_max)


def output(c: Tensor, o: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """h and u of cells c behind output gates o."""
    n = torch.trunc(c * 0.5**config.output_shift)
    return n.clamp(-1, 1) * o, level_of(n, config.head_levels) * o
