"""Ternary quantisers with straight-through gradients.

TTQ (threshold) is for weights, whose values lie anywhere; BTQ (Bernoulli) is for activations, which an
activation function has brought into [-1, 1]. Both as in HitNet (Wang et al., NeurIPS 2018).
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

__all__ = [
    "HEAD_FACTOR",
    "TTQ_FACTOR",
    "Scale",
    "btq",
    "levels_above",
    "mean_size",
    "round_straight_through",
    "row_scale",
    "ttq",
    "uniform",
]

TTQ_FACTOR = 0.7
"""Threshold over the mean magnitude of a row: 2/3 is best for uniform weights, 0.7 good for normal ones."""

HEAD_FACTOR = 1.0
"""Threshold over the mean magnitude of a whole head, whose rows are of very different lengths."""

Scale = Literal["alpha", "norm"]


class _StraightThrough(torch.autograd.Function):
    """Forward: the second argument. Backward: the gradient goes to the first, unchanged."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, quantised: Tensor) -> Tensor:
        return quantised.clone()

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[0], None


def ttq(weight: Tensor, factor: float = TTQ_FACTOR, threshold: Tensor | None = None) -> Tensor:
    """Trits of a weight matrix: sign(w) where abs(w) > factor * mean(abs(row)), else 0.

    Or where it is above ``threshold``, the same for all rows. The gradient goes straight through to
    ``weight``. The mean is summed in float64, so that its float32 is the same on any device, but for a
    chance in millions.

    >>> ttq(torch.tensor([[0.9, -0.2, 0.1, -1.0], [0.01, 0.01, 0.0, -0.02]]))
    tensor([[ 1., -0.,  0., -1.],
            [ 1.,  1.,  0., -1.]])
    >>> ttq(torch.tensor([[0.9, -0.2], [0.1, -0.1]]), threshold=torch.tensor(0.35))
    tensor([[1., -0.],
            [0., -0.]])
    """
    with torch.no_grad():
        if threshold is None:
            mean = weight.abs().mean(dim=-1, keepdim=True, dtype=torch.float64)
            threshold = factor * mean.to(weight.dtype)
        trits = weight.sign() * (weight.abs() > threshold)
    return _StraightThrough.apply(weight, trits)  # pyright: ignore[reportReturnType]


def levels_above(weight: Tensor, edges: Sequence[float], *, signed: bool = True, zero: float = 0.0) -> Tensor:
    """Integers of a weight matrix: how many of the edges, times mean(abs(row)), a number is beyond.

    With the sign of the number, or, where it is not ``signed``, of positive numbers alone. A number of 0 has
    the sign ``zero``. The gradient goes straight through to ``weight``.

    >>> levels_above(torch.tensor([[0.9, -0.2, 0.1, -1.0]]), (0.53, 1.58))
    tensor([[ 2., -0.,  0., -2.]])
    """
    with torch.no_grad():
        mean = weight.abs().mean(dim=-1, keepdim=True, dtype=torch.float64).to(weight.dtype)
        size = weight.abs() if signed else weight
        count = torch.zeros_like(weight)
        for edge in edges:
            count = count + (size > edge * mean if edge else torch.ones_like(count))
        sign = torch.where(weight == 0, zero, weight.sign()) if signed else 1.0
    return _StraightThrough.apply(weight, count * sign)  # pyright: ignore[reportReturnType]


def mean_size(weight: Tensor, trits: Tensor) -> Tensor:
    """Mean magnitude () of the weights that are not quantised to 0: the scale nearest to all rows at once.

    >>> mean_size(torch.tensor([[0.9, -0.2], [0.1, -1.0]]), torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
    tensor(0.9500)
    """
    size = trits.abs()
    return (weight.abs() * size).sum() / size.sum().clamp_min(1)


def row_scale(weight: Tensor, trits: Tensor, scale: Scale) -> Tensor:
    """The real number (rows, 1) that a row of trits, or of other integers, stands multiplied by. No gradient.

    ``"alpha"``: of trits the mean magnitude of the weights that are not quantised to 0, which makes
    alpha * trits the nearest to the row. ``"norm"``: 1 / norm(trits), so that every row has length 1 (weight
    normalisation).
    Computed in float64, as ``ttq``'s mean is: float32's own reciprocal root differs between devices.

    >>> w = torch.tensor([[0.9, -0.2, 0.1, -1.0]])
    >>> row_scale(w, ttq(w), "alpha"), row_scale(w, ttq(w), "norm")
    (tensor([[0.9500]]), tensor([[0.7071]]))
    """
    with torch.no_grad():
        count = trits.square().sum(dim=-1, keepdim=True, dtype=torch.float64).clamp_min(1)
        if scale == "alpha":
            total = (weight.abs() * trits.abs()).sum(dim=-1, keepdim=True, dtype=torch.float64)
            return (total / count).to(weight.dtype)
        return count.rsqrt().to(weight.dtype)


def btq(value: Tensor, bernoulli: bool = False, generator: torch.Generator | None = None) -> Tensor:
    """Trits of values in [-1, 1]: +1 from 0.5 on, -1 down from -0.5, else 0. Straight-through gradient.

    With ``bernoulli``: sign(value) with probability abs(value), else 0, so that the mean is the value; drawn
    by the generator, or by that of the value's device.

    >>> btq(torch.tensor([-0.9, -0.5, -0.4, 0.0, 0.5]))
    tensor([-1., -1., -0.,  0.,  1.])
    >>> generator = torch.Generator().manual_seed(0)
    >>> btq(torch.full((10_000,), -0.3), True, generator).mean().round(decimals=1)
    tensor(-0.3000)
    """
    with torch.no_grad():
        size = value.abs()
        if bernoulli:
            chance = torch.rand(value.shape, generator=generator, dtype=value.dtype, device=value.device)
            trits = value.sign() * (size >= chance.clamp_min(1e-7))
        else:
            trits = value.sign() * (size >= 0.5)
    return _StraightThrough.apply(value, trits)  # pyright: ignore[reportReturnType]


def uniform(value: Tensor, bits: int) -> Tensor:
    """Uniform quantisation of values in [-1, 1] to ``bits`` bits, for comparison. Straight-through gradient.

    ``2**bits - 1`` levels, symmetric, one of them 0; two bits give the levels of a trit.

    >>> uniform(torch.tensor([-1.0, -0.4, 0.3, 0.6]), 2)
    tensor([-1., -0.,  0.,  1.])
    >>> uniform(torch.tensor([-1.0, -0.4, 0.3, 0.6]), 3)
    tensor([-1.0000, -0.3333,  0.3333,  0.6667])
    """
    steps = 2 ** (bits - 1) - 1
    with torch.no_grad():
        quantised = (value.clamp(-1, 1) * steps).round() / steps
    return _StraightThrough.apply(value, quantised)  # pyright: ignore[reportReturnType]


def round_straight_through(value: Tensor) -> Tensor:
    """Nearest integers; the gradient goes straight through.

    >>> round_straight_through(torch.tensor([0.4, -1.6]))
    tensor([ 0., -2.])
    """
    return _StraightThrough.apply(value, value.detach().round())  # pyright: ignore[reportReturnType]
