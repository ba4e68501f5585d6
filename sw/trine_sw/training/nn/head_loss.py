"""The loss of a full softmax over a large vocabulary: head and cross-entropy in one, with their gradients.

With 10,000 words the head is most of the work. On a CPU logits live only for some hundred tokens at a time,
while they are in the cache, and leave their gradients there; products are as fast as ``Numerics`` says, and
the exponentials are one compiled loop.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trine_sw.support.arithmetic import ceil_div
from trine_sw.training.nn.recurrence import Numerics

__all__ = ["Mixture", "Taught", "head_loss"]

_LOGITS = 1 << 23  # that are made at once
_LOGITS_GPU = 1 << 27
_LARGE = 1024  # symbols, from which on short products and compiling pay


class Taught(NamedTuple):
    """What a teacher says of the same tokens: its logits are weight · u + bias."""

    u: Tensor
    """(N, F), what its head sees."""
    weight: Tensor
    """(V, F)"""
    bias: Tensor
    """(V,)"""


class Mixture(NamedTuple):
    """What several teachers say of the same tokens: the mean of their probabilities, and others mixed in."""

    outputs: tuple[Taught, ...]
    """Of the teachers, at least one."""
    others: Tensor | None = None
    """(N, V), probabilities."""
    others_share: float = 0.0
    """Share of the others in the mixture."""

    def probabilities(self, part: slice, numerics: Numerics) -> Tensor:
        """Of these tokens, (n, V) float32."""
        softmax = _compiled(_probabilities) if numerics.compiled else _probabilities
        total = None
        for u, weight, bias in self.outputs:
            chances = softmax(u[part].to(numerics.product) @ weight.to(numerics.product).T, bias)
            total = chances if total is None else total + chances
        assert total is not None
        mean = total / len(self.outputs)
        return mean if self.others is None else torch.lerp(mean, self.others[part], self.others_share)


def head_loss(
    u: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    numerics: Numerics,
    taught: Taught | Mixture | None = None,
    share: float | Tensor = 0.0,
) -> tuple[Tensor, Tensor]:
    """Mean loss in nats of the logits u · weight + bias, as predictions of the targets.

    Parameters
    ----------
    u, weight, bias, targets : (N, H), (V, H), (V,) and int64 (N,). Gradients flow to the first three.
    numerics : how it computes; a small vocabulary is always computed in float32.
    taught, share : a teacher of as many words, or a mixture of them, and the share of the loss that compares
        with its probabilities, not with the targets (Hinton et al., 2015): one for all tokens, or one each,
        (N,).

    Returns
    -------
    The loss to be minimised, and, without a gradient, the share of it that the targets alone would make.
    """
    numerics = numerics if len(weight) >= _LARGE else Numerics()
    if isinstance(taught, Taught) and isinstance(share, Tensor):
        taught = Mixture((taught,))
    if isinstance(taught, Mixture) and not isinstance(share, Tensor):
        share = u.new_full((len(u),), share)
    return _HeadLoss.apply(u, weight, bias, targets, numerics, taught, share)  # pyright: ignore[reportReturnType]


def _softmax(logits: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of logits (n, V) without their bias: less the largest of each row, their probabilities, and the
    logarithm (n, 1) of the sum of their powers."""
    values = logits.float() + bias
    values = values - values.amax(dim=-1, keepdim=True)
    powers = values.exp()
    total = powers.sum(dim=-1, keepdim=True)
    return values, powers / total, total.log()


def _probabilities(logits: Tensor, bias: Tensor) -> Tensor:
    return _softmax(logits, bias)[1]


def _loss(logits: Tensor, bias: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Losses (n,) of logits (n, V) and their gradient by the logits, in the logits' type."""
    values, chances, total = _softmax(logits, bias)
    of_target = values.gather(1, targets.unsqueeze(1))
    one_hot = torch.arange(len(bias), device=targets.device) == targets.unsqueeze(1)
    gradient = chances - one_hot.float()
    return (total - of_target).squeeze(1), gradient.to(logits.dtype)


def _taught_loss(
    logits: Tensor, bias: Tensor, targets: Tensor, wanted: Tensor, wanted_bias: Tensor, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`_loss`, with a teacher's logits ``wanted``; between the two what is to be minimised, (n,)."""
    values, chances, total = _softmax(logits, bias)
    _, right, _ = _softmax(wanted, wanted_bias)
    losses = (total - values.gather(1, targets.unsqueeze(1))).squeeze(1)
    compared = total.squeeze(1) - (right * values).sum(dim=-1)
    one_hot = torch.arange(len(bias), device=targets.device) == targets.unsqueeze(1)
    gradient = chances - (1 - share) * one_hot.float() - share * right
    return losses, losses + share * (compared - losses), gradient.to(logits.dtype)


def _mixed_loss(
    logits: Tensor, bias: Tensor, targets: Tensor, right: Tensor, share: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`_taught_loss`, with the probabilities ``right`` (n, V) and a share for each token (n,)."""
    values, chances, total = _softmax(logits, bias)
    losses = (total - values.gather(1, targets.unsqueeze(1))).squeeze(1)
    compared = total.squeeze(1) - (right * values).sum(dim=-1)
    one_hot = torch.arange(len(bias), device=targets.device) == targets.unsqueeze(1)
    parts = share.unsqueeze(1)
    gradient = chances - (1 - parts) * one_hot.float() - parts * right
    return losses, losses + share * (compared - losses), gradient.to(logits.dtype)


@functools.cache
def _compiled(loss: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(loss, dynamic=False)


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
        taught: Taught | Mixture | None,
        share: float | Tensor,
    ) -> tuple[Tensor, Tensor]:
        def of(loss: Callable[..., Any]) -> Callable[..., Any]:
            return _compiled(loss) if numerics.compiled else loss

        short_u, short_weight = u.to(numerics.product), weight.to(numerics.product)
        if isinstance(taught, Taught):
            taught_u, taught_weight = taught.u.to(numerics.product), taught.weight.to(numerics.product)
        loss = objective = u.new_zeros(())
        to_u, to_weight, to_bias = torch.empty_like(u), torch.zeros_like(weight), torch.zeros_like(bias)
        at_once = _LOGITS if u.device.type == "cpu" else _LOGITS_GPU
        parts = ceil_div(len(u) * len(weight), at_once)
        rows = ceil_div(len(u), parts)  # parts of one length, for which one loop is compiled
        ones = short_u.new_ones(1, rows)
        for start in range(0, len(u), rows):
            part = slice(start, start + rows)
            logits = short_u[part] @ short_weight.T
            if taught is None:
                losses, gradient = of(_loss)(logits, bias, targets[part])
                aims = losses
            elif isinstance(taught, Mixture):
                assert isinstance(share, Tensor)
                right = taught.probabilities(part, numerics)
                losses, aims, gradient = of(_mixed_loss)(logits, bias, targets[part], right, share[part])
            else:
                wanted = taught_u[part] @ taught_weight.T
                losses, aims, gradient = of(_taught_loss)(
                    logits, bias, targets[part], wanted, taught.bias, share
                )
            loss = loss + losses.sum()
            objective = objective + aims.sum()
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
