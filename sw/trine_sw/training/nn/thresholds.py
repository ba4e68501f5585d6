"""Comparison of samples with two thresholds, with gradients to all three."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["compared"]


def compared(samples: Tensor, low: Tensor, high: Tensor, half: Tensor) -> Tensor:
    """Trits (..., G, K) of samples (..., G, 1): +1 from ``high`` (G, K) on, -1 from ``low`` down, else 0.

    Backward, each step has a slope that is 1 over its window, which ends ``half`` (G, 1) from the threshold.

    >>> edges = torch.tensor([[-2.0]]), torch.tensor([[3.0]])
    >>> compared(torch.tensor([[-2.0], [0.0], [3.0]]), *edges, torch.ones(1, 1)).flatten().tolist()
    [-1.0, 0.0, 1.0]
    """
    return _Compare.apply(samples, low, high, half)  # pyright: ignore[reportReturnType]


class _Compare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, samples: Tensor, low: Tensor, high: Tensor, half: Tensor) -> Tensor:
        ctx.save_for_backward(samples, low, high, half)
        return (samples >= high).float() - (samples <= low).float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        samples, low, high, half = ctx.saved_tensors
        slope = gradients[0] / (2 * half)
        of_low, of_high = (slope * ((samples - edge).abs() <= half) for edge in (low, high))
        to_samples = (of_low + of_high).sum(dim=-1, keepdim=True)
        return to_samples, -_over_steps(of_low), -_over_steps(of_high), None


def _over_steps(gradient: Tensor) -> Tensor:
    return gradient.flatten(0, -3).sum(dim=0)
