"""The loss of a full softmax over a large vocabulary: head and cross-entropy in one, with their gradients.

With 10,000 words the head is most of the work. Logits live only for some hundred tokens at a time, while they
are in the cache, and leave their gradients there; products are as fast as ``Numerics`` says, and the
exponentials are one compiled loop.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from trine_sw.training.recurrence import Numerics

__all__ = ["head_loss"]

_LOGITS = 1 << 23  # that are made at once
_LARGE = 1024  # symbols, from which on short products and compiling pay


def head_loss(
    u: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    numerics: Numerics,
    wanted: Tensor | None = None,
    share: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Mean loss in nats of the logits u · weight + bias, as predictions of the targets.

    Parameters
    ----------
    u, weight, bias, targets : (N, H), (V, H), (V,) and int64 (N,). Gradients flow to the first three.
    numerics : how it computes; a small vocabulary is always computed in float32.
    wanted, share : logits (N, V) of a teacher, and the share of the loss that compares with its
        probabilities, not with the targets.

    Returns
    -------
    The loss to be minimised, and, without a gradient, the share of it that the targets alone would make.
    """
    numerics = numerics if len(weight) >= _LARGE else Numerics()
    return _HeadLoss.apply(u, weight, bias, targets, numerics, wanted, share)  # pyright: ignore[reportReturnType]


def _softmax(logits: Tensor, bias: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Losses (n,) of logits (n, V) and their gradient by the logits, in the logits' type."""
    values = logits.float() + bias
    values = values - values.amax(dim=-1, keepdim=True)
    powers = values.exp()
    total = powers.sum(dim=-1, keepdim=True)
    of_target = values.gather(1, targets.unsqueeze(1))
    one_hot = torch.arange(len(bias), device=targets.device) == targets.unsqueeze(1)
    gradient = powers / total - one_hot.float()
    return (total.log() - of_target).squeeze(1), gradient.to(logits.dtype)


@functools.cache
def _compiled() -> Callable[..., Any]:
    return torch.compile(_softmax, dynamic=False)


class _HeadLoss(torch.autograd.Function):
    """Makes the gradients on the way forward, when the logits are at hand; backward hands them on."""

    @staticmethod
    def forward(
        ctx: Any,
        u: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        numerics: Numerics,
        wanted: Tensor | None,
        share: float,
    ) -> tuple[Tensor, Tensor]:
        softmax = _compiled() if numerics.compiled else _softmax
        short_u, short_weight = u.to(numerics.product), weight.to(numerics.product)
        loss = objective = u.new_zeros(())
        to_u, to_weight, to_bias = torch.empty_like(u), torch.zeros_like(weight), torch.zeros_like(bias)
        parts = -(-len(u) * len(weight) // _LOGITS)
        rows = -(-len(u) // parts)  # parts of one length, for which one loop is compiled
        ones = short_u.new_ones(1, rows)
        for start in range(0, len(u), rows):
            part = slice(start, start + rows)
            logits = short_u[part] @ short_weight.T
            losses, gradient = softmax(logits, bias, targets[part])
            compared = losses
            if wanted is not None:
                # The teacher's probabilities in place of the target's one: softmax - p, where it was - 1.
                taught = torch.log_softmax(logits.float() + bias, dim=-1)
                p = wanted[part].softmax(dim=-1)
                compared = -(p * taught).sum(dim=-1)
                gradient = gradient + (share * (taught.exp() - p - gradient.float())).to(gradient.dtype)
            loss = loss + losses.sum()
            objective = objective + (losses + share * (compared - losses)).sum()
            to_u[part] = gradient @ short_weight
            to_weight += gradient.T @ short_u[part]
            to_bias += (ones[:, : len(gradient)] @ gradient)[0]
        ctx.save_for_backward(to_u, to_weight, to_bias)
        ctx.mark_non_differentiable(loss)
        return objective / len(u), loss / len(u)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        to_u, to_weight, to_bias = ctx.saved_tensors
        factor = gradients[0] / len(to_u)
        return to_u * factor, to_weight * factor, to_bias * factor, None, None, None, None
