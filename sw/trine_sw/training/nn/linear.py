"""Ternary linear head: trits, integer biases and one real scale, or a scale and an offset an output."""

from __future__ import annotations

import math
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from trine_sw.model.task import Reduction
from trine_sw.support.checks import integer, shown
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.autocast import without_autocast
from trine_sw.training.nn.inputs import InputError
from trine_sw.training.nn.quantise import round_straight_through, ttq

__all__ = ["TernaryLinear"]

_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
_DEVIATION = 0.05  # of weights at first, against which a learning rate is chosen


class TernaryLinear(nn.Module):
    """Linear layer of ternary weights, which reads the output of a ternary recurrent layer.

    The result is ``scale * (trits @ input + bias)`` with integer biases and one scale for all outputs, so
    that the engine computes in integers alone and an argmax of its logits is an argmax of the result. For a
    regression each output has a scale and an offset of its own: ``offset + scale * (trits @ input)``, in
    float64 in evaluation mode.

    Parameters
    ----------
    in_features, out_features : int
        H and K.
    bias : bool
        Whether logits have an integer bias; a regression has its offsets instead.
    regression : bool
        One real scale and offset an output.

    Raises
    ------
    TrineError
        If an option is out of range; when called, if the shape is wrong or, in evaluation mode, the input is
        not what a recurrent layer gives.

    Examples
    --------
    >>> head = trine.nn.TernaryLinear(64, 5).eval()
    >>> output = torch.ones(10, 3, 64)
    >>> head(output).shape, head.reduced(output, "sum").shape
    (torch.Size([10, 3, 5]), torch.Size([3, 5]))
    >>> trits, bias, scale = head.integers()
    >>> trits.shape, bias.shape
    (torch.Size([5, 64]), torch.Size([5]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        regression: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.in_features = integer(in_features, "in_features", 1, 1 << 16)
        self.out_features = integer(out_features, "out_features", 1, 1 << 24)
        self.regression = bool(regression)
        self.weight = nn.Parameter(torch.randn(self.out_features, self.in_features) * _DEVIATION)
        first = torch.full((self.out_features,) if self.regression else (), 1 / math.sqrt(self.in_features))
        self.log_scale = nn.Parameter(first.log())
        self.bias: nn.Parameter | None = None
        if bias and not self.regression:
            self.bias = nn.Parameter(torch.zeros(self.out_features))
        # Adam moves a parameter by about the learning rate, whatever its unit: what is trained of offset and
        # scale is therefore counted in deviations of the targets.
        self.relative_offset = nn.Parameter(torch.zeros(self.out_features)) if self.regression else None
        self.register_buffer("center", torch.zeros(self.out_features) if self.regression else None)
        self.register_buffer("deviation", torch.ones(self.out_features) if self.regression else None)
        self.center: Tensor | None
        self.deviation: Tensor | None
        if device is not None:
            self.to(device)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, regression={self.regression}"

    @property
    def offset(self) -> Tensor | None:
        """Offset (K,) of each value of a regression; None otherwise."""
        if self.relative_offset is None or self.center is None or self.deviation is None:
            return None
        return self.center + self.deviation * self.relative_offset

    def fit_targets(self, targets: ArrayLike) -> TernaryLinear:
        """Set offsets and scales of a regression by mean and deviation of its targets (..., K).

        >>> trine.nn.TernaryLinear(64, 1, regression=True).fit_targets([[20.0], [22.0]]).offset.tolist()
        [21.0]
        """
        if self.relative_offset is None or self.center is None or self.deviation is None:
            raise TrineError("only a head of a regression has targets to fit: pass regression=True")
        values = _tensor(targets, "targets", torch.float64)
        if self.out_features > 1 and values.numel() and values.shape[-1:] != (self.out_features,):
            raise InputError(f"targets must be (..., {self.out_features}), not {tuple(values.shape)}")
        values = values.reshape(-1, self.out_features)
        if not len(values) or not torch.isfinite(values).all():
            raise TrineError("targets must be finite numbers, and at least one")
        with torch.no_grad():
            deviation = values.std(dim=0, unbiased=False)
            deviation[deviation == 0] = 1.0
            self.relative_offset.zero_()
            self.center.copy_(values.mean(dim=0))
            self.deviation.copy_(deviation)
            self.log_scale.fill_(-math.log(self.in_features) / 2)
        return self

    def integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Trits (K, H), integer bias (K,) and the real scale, () or (K,), with straight-through gradients."""
        scale = self.log_scale.exp()
        if self.deviation is not None:
            scale = scale * self.deviation
        if self.bias is None:
            return ttq(self.weight), torch.zeros_like(self.weight[:, 0]), scale
        return ttq(self.weight), round_straight_through(self.bias / scale), scale

    def forward(self, input: Tensor) -> Tensor:
        """Logits or values (..., K) of every step of a layer's output (..., H)."""
        with without_autocast(self.weight.device):
            trits, bias, scale = self.integers()
            return self._real(self._logits(self._checked(input), trits, bias), scale)

    def reduced(
        self,
        input: Tensor,
        reduction: Reduction = "last",
        lengths: Any = None,
        *,
        batch_first: bool = False,
    ) -> Tensor:
        """Logits or values of whole sequences, (N, K) or (K,).

        Parameters
        ----------
        input : Tensor (L, N, H), (N, L, H) with `batch_first`, or (L, H)
            A layer's output.
        reduction : ``"last"`` or ``"sum"``
            Of the integer logits: those of the last step, or summed over all steps.
        lengths : integers (N,), optional
            Steps of each sequence, where it is padded; at least 1.
        """
        if reduction not in ("last", "sum"):
            raise TrineError(f"reduction must be 'last' or 'sum', not {reduction!r}")
        x = self._checked(input)
        if x.dim() not in (2, 3):
            raise InputError(f"input must be (L, N, H) or (L, H), not {tuple(x.shape)}")
        x = x.transpose(0, 1) if x.dim() == 3 and batch_first else x
        batched = x.dim() == 3
        x = x if batched else x.unsqueeze(1)
        steps, count = x.shape[:2]
        if not steps:
            raise InputError("there is no step in the input, and a sequence has at least one")
        ends = torch.full((count,), steps) if lengths is None else _tensor(lengths, "lengths").reshape(-1)
        if len(ends) != count or ends.dtype not in _INTEGERS or ((ends < 1) | (ends > steps)).any():
            raise InputError(f"lengths must be {count} integers from 1 to {steps}")
        ends = ends.to(x.device, torch.int64)
        with without_autocast(self.weight.device):
            trits, bias, scale = self.integers()
            if reduction == "last":
                logits = self._logits(x[ends - 1, torch.arange(count, device=x.device)], trits, bias)
            else:
                there = torch.arange(steps, device=x.device).unsqueeze(1) < ends
                logits = (self._logits(x, trits, bias) * there.unsqueeze(-1)).sum(dim=0)
            values = self._real(logits, scale)
        return values if batched else values.squeeze(0)

    def _logits(self, x: Tensor, trits: Tensor, bias: Tensor) -> Tensor:
        """Integer logits; in evaluation in float64, exact where a bias or a sum over steps is large."""
        sums = x @ trits.T
        return sums + bias if self.training else sums.double() + bias.double()

    def _real(self, logits: Tensor, scale: Tensor) -> Tensor:
        """Real logits or values of integer logits."""
        offset = self.offset
        if offset is None:
            return (logits * scale.to(logits.dtype)).float()
        return offset.to(logits.dtype) + scale.to(logits.dtype) * logits

    def _checked(self, x: Tensor) -> Tensor:
        if not isinstance(x, Tensor) or not x.dim() or x.shape[-1] != self.in_features:
            found = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise InputError(f"input must be (..., {self.in_features}), not {found}")
        if x.is_complex():
            raise InputError("input must be real numbers, and it is complex")
        x = x.float()
        if not self.training and not ((x == x.round()) & (x.abs() <= 127)).all():
            raise InputError(
                "input must be the output of a ternary layer in evaluation mode, integers from -127 to 127: "
                "call eval() on the whole network"
            )
        return x


def _tensor(values: Any, name: str, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers of Python, NumPy or PyTorch as a tensor."""
    try:
        return torch.as_tensor(values, dtype=dtype)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{name} must be numbers in an array, not {shown(values)}") from None
