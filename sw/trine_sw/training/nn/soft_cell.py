"""HitNet's cell with quantisers of choice: real numbers, soft gates, to see what each quantiser costs.

This is the paper's own form (Wang et al., NeurIPS 2018), for comparisons. What the hardware runs is trained
by ``cell``, and only that can be exported.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from trine_sw.model.config import ModelConfig
from trine_sw.support.checks import finite_real
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.quantise import btq, row_scale, ttq, uniform

__all__ = ["Quantiser", "Quantisers", "SoftLSTM", "quantise_activation", "quantise_weight"]

Quantiser = Literal["none", "uniform", "threshold", "bernoulli"]


@dataclass(frozen=True, kw_only=True)
class Quantisers:
    """What is done to the numbers of a soft cell, each to three values.

    Parameters
    ----------
    weights, activations : of W and the embedding; of x, the gates and h. ``"uniform"`` rounds what is scaled
        into [-1, 1], ``"threshold"`` is TTQ, ``"bernoulli"`` draws at random in training, and rounds in
        evaluation.
    soft_gates : leave the gates as they are, and quantise only x and h.
    slope : lambda; the gates are sigmoid(lambda z) and tanh(lambda z).
    slope_first : lambda of the first epoch, from which it goes to ``slope`` in equal ratios; None for no such
        annealing.
    """

    weights: Quantiser = "none"
    activations: Quantiser = "none"
    slope: float = 1.0
    slope_first: float | None = None
    soft_gates: bool = field(default=False, metadata={"later": True})

    def __post_init__(self) -> None:
        for name in ("slope", "slope_first"):
            value = getattr(self, name)
            if value is not None and not finite_real(value, name) > 0:
                raise TrineError(f"{name} must be above 0, not {value}")

    def slope_of(self, share: float) -> float:
        """lambda when this share, 0 to 1, of the epochs is done."""
        first = self.slope if self.slope_first is None else self.slope_first
        return first * (self.slope / first) ** share


def quantise_weight(weight: Tensor, kind: Quantiser, training: bool) -> Tensor:
    """A matrix of three values a row, in the size of the row's own; straight-through gradient.

    >>> quantise_weight(torch.tensor([[0.9, -0.3, 0.2, -1.0]]), "uniform", False)
    tensor([[ 1., -0.,  0., -1.]])
    >>> quantise_weight(torch.tensor([[0.9, -0.6, 0.2, -0.9]]), "threshold", False)
    tensor([[ 0.8000, -0.8000,  0.0000, -0.8000]])
    """
    if kind == "none":
        return weight
    if kind == "threshold":
        trits = ttq(weight)
        return trits * row_scale(weight, trits, "alpha")
    largest = weight.detach().abs().amax(dim=-1, keepdim=True).clamp_min(1e-12)
    return _into_three(weight / largest, kind, training) * largest


def quantise_activation(value: Tensor, kind: Quantiser, training: bool) -> Tensor:
    """Values in [-1, 1] as -1, 0 and 1, by ``"threshold"`` as three values of each vector's own size.

    >>> quantise_activation(torch.tensor([[-0.9, 0.1, 0.6]]), "bernoulli", False)
    tensor([[-1.,  0.,  1.]])
    """
    if kind in ("none", "threshold"):
        return quantise_weight(value, kind, training)
    return _into_three(value, kind, training)


def _into_three(value: Tensor, kind: Quantiser, training: bool) -> Tensor:
    if kind == "uniform":
        return uniform(value, 2)
    return btq(value, bernoulli=training)


class SoftLSTM(nn.Module):
    """An LSTM with quantisers, used as ``nn.LSTM`` is. Rows of ``weight`` are i, f, g, o.

    A sigmoid gate is quantised as what it is above 1/2, so its three values are 0, 1/2 and 1.
    """

    def __init__(self, config: ModelConfig, quantisers: Quantisers) -> None:
        super().__init__()
        if config.cell != "lstm":
            raise TrineError(f"quantisers can be chosen for an LSTM alone, and the cell is {config.cell!r}")
        self.config, self.quantisers = config, quantisers
        self.compiled = False  # whether training compiles the steps
        bound = 1 / math.sqrt(config.hidden)
        self.weight = nn.Parameter(torch.empty(4 * config.hidden, config.columns).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(4 * config.hidden))
        with torch.no_grad():
            self.bias[config.hidden : 2 * config.hidden] = 1.0  # remember at first
        self.register_buffer("slope", torch.tensor(quantisers.slope_of(0.0)))
        self.slope: Tensor

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run x (T, B, E) from state (h, c), each (1, B, H). Returns h (T, B, H) and the state after."""
        weight = quantise_weight(self.weight, self.quantisers.weights, self.training)
        split = self.config.embedding
        of_x = _quantised(x, self.quantisers, self.training) @ weight[:, :split].T + self.bias
        of_h = weight[:, split:].T
        step = _compiled() if self.compiled and self.training else _step
        h, c = (part[0] for part in state)
        outputs = []
        for sums in of_x:
            h, c = step(sums, h @ of_h, c, self.slope, self.quantisers, self.training)
            outputs.append(h)
        return torch.stack(outputs), (h[None], c[None])


def _step(
    sums_x: Tensor, sums_h: Tensor, c: Tensor, slope: Tensor, quantisers: Quantisers, training: bool
) -> tuple[Tensor, Tensor]:
    """The new h and c (B, H) of the sums (B, 4H) of x's columns and of h's."""

    def gate(value: Tensor) -> Tensor:
        return value if quantisers.soft_gates else _quantised(value, quantisers, training)

    i, f, g, o = ((sums_x + sums_h) * slope).chunk(4, dim=-1)
    i, f, o = (gate(2 * torch.sigmoid(z) - 1) / 2 + 0.5 for z in (i, f, o))
    c = f * c + i * gate(torch.tanh(g))
    return _quantised(o * torch.tanh(c), quantisers, training), c


@functools.cache
def _compiled() -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(_step, dynamic=False)


def _quantised(value: Tensor, quantisers: Quantisers, training: bool) -> Tensor:
    return quantise_activation(value, quantisers.activations, training)
