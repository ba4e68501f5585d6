"""Encoder of real features as trits, with thresholds that are learned or set by quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import PackedSequence

from trine_sw.support.checks import finite_real, integer
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.inputs import InputError
from trine_sw.training.nn.quantise import round_straight_through

__all__ = ["TernaryEncoder"]

_SAMPLES = (-32768, 32767)
_UNIT = 4096.0  # samples to a standard deviation, where nothing is known of the features
_FARTHEST = 1 << 17  # of a threshold: no sample and no difference reaches it


class TernaryEncoder(nn.Module):
    """Real features to trits: K trits a feature, each with two thresholds.

    A feature is scaled to an integer sample of 16 bits, and a trit of it is +1 from the upper threshold on,
    -1 from the lower one down, and 0 between. Evaluation computes what :class:`trine.Encoder` computes, in
    every bit. Training computes the same trits, and gives gradients to the thresholds and to the features
    near them (straight-through, within a window).

    Parameters
    ----------
    features : int
        F, the features of a step.
    trits : int
        K, the trits of a feature.
    differences : bool
        Encode also the difference of each feature to the step before, by thresholds of its own: twice as
        many trits. The difference of the first step is 0.
    batch_first : bool
        Where the steps are in a batch: (N, L, F), not (L, N, F). It matters for differences alone.
    learned : bool
        Whether the thresholds are parameters that are trained.
    window : float
        Distance from a threshold, in standard deviations of the feature, within which gradients pass.

    Attributes
    ----------
    out_features : int
        Trits of a step: the ``input_size`` of the layer that reads them.

    Raises
    ------
    TrineError
        If an option is out of range; when called, if a shape is wrong or a feature is not finite.

    Examples
    --------
    >>> encoder = trine.nn.TernaryEncoder(3, trits=2, differences=True)
    >>> encoder.out_features
    12
    >>> encoder(torch.randn(50, 8, 3)).shape
    torch.Size([50, 8, 12])
    """

    def __init__(
        self,
        features: int,
        trits: int = 2,
        differences: bool = False,
        *,
        batch_first: bool = False,
        learned: bool = True,
        window: float = 0.5,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.features = integer(features, "features", 1, 1 << 16)
        self.trits = integer(trits, "trits", 1, 127)
        self.window = finite_real(window, "window")
        if not self.window > 0:
            raise TrineError(f"window must be more than 0, not {window}")
        self.differences, self.batch_first, self.learned = bool(differences), bool(batch_first), bool(learned)
        rows = self.features * (2 if self.differences else 1)
        self.register_buffer("offset", torch.zeros(self.features, dtype=torch.float64))
        self.register_buffer("scale", torch.full((self.features,), _UNIT, dtype=torch.float64))
        self.register_buffer("unit", torch.full((rows,), _UNIT))
        self.offset: Tensor
        self.scale: Tensor
        self.unit: Tensor
        # Of normal features each of the 2K + 1 sets of trits is as likely as the others.
        shares = torch.arange(self.trits + 1, 2 * self.trits + 1) / (2 * self.trits + 1)
        widths = torch.distributions.Normal(0.0, 1.0).icdf(shares).flip(0).log().repeat(rows, 1)
        self.center = nn.Parameter(torch.zeros(rows, self.trits), requires_grad=self.learned)
        self.log_width = nn.Parameter(widths, requires_grad=self.learned)
        if device is not None:
            self.to(device)

    @property
    def out_features(self) -> int:
        """E, the trits of a step."""
        return self.center.numel()

    def extra_repr(self) -> str:
        return f"{self.features}, trits={self.trits}, differences={self.differences}, learned={self.learned}"

    def thresholds(self) -> tuple[Tensor, Tensor]:
        """Lower and upper thresholds (rows, K): integers, lower < upper, with straight-through gradients."""
        unit, width = self.unit.unsqueeze(1), self.log_width.clamp(-20, 20).exp()
        low, high = (
            round_straight_through((edge * unit).float().clamp(-_FARTHEST, _FARTHEST))
            for edge in (self.center - width, self.center + width)
        )
        return low, torch.maximum(high, low.detach() + 1)

    def fit_quantiles(self, x: Any, quantiles: Sequence[float] | None = None) -> TernaryEncoder:
        """Set scales and thresholds by the quantiles of a training set.

        Parameters
        ----------
        x : array (..., F), or a list of arrays (T, F)
            The features of the training set.
        quantiles : sequence of float, optional
            2K shares, rising: trit k has the k-th from the left as its lower threshold and the k-th from the
            right as its upper one. By default ``k / (2K + 1)`` for k = 1 to 2K.
        """
        raise TrineError("TernaryEncoder.fit_quantiles is not there yet")

    def to_model(self) -> Any:
        """The encoder as a model file has it: integer thresholds on samples of 16 bits."""
        raise TrineError("TernaryEncoder.to_model is not there yet")

    def forward(self, input: Any, previous: Tensor | None = None) -> Any:
        """Trits of the features of every step.

        Parameters
        ----------
        input : Tensor (L, F), (L, N, F) or (N, L, F), or PackedSequence
            Real features, in the units that :meth:`fit_quantiles` was given; a tensor of int16 holds samples.
        previous : Tensor (F,) or (N, F), optional
            The features of the step before the first one, of a stream that goes on.

        Returns
        -------
        Tensor or PackedSequence
            Float trits in the form of the input, with E in the place of F.
        """
        if isinstance(input, PackedSequence):
            data, sizes = input.data, input.batch_sizes.tolist()
            samples = self._samples(data)
            if self.differences:
                samples = torch.cat([samples, samples - samples[_step_before(sizes, data.device)]], dim=-1)
            return input._replace(data=self._trits(samples))
        x = self._checked(input)
        samples = self._samples(x)
        if self.differences:
            axis = 1 if x.dim() == 3 and self.batch_first else 0
            first = samples.narrow(axis, 0, 1)
            if previous is not None:
                first = self._samples(previous).unsqueeze(axis)
                if first.shape != samples.narrow(axis, 0, 1).shape:
                    raise InputError(f"previous must be {tuple(first.squeeze(axis).shape)} of one step")
            before = torch.cat([first, samples.narrow(axis, 0, samples.shape[axis] - 1)], dim=axis)
            samples = torch.cat([samples, samples - before], dim=-1)
        return self._trits(samples)

    def _checked(self, x: Any) -> Tensor:
        right = isinstance(x, Tensor) and x.dim() in (2, 3) and x.shape[-1] == self.features
        if not right or 0 in x.shape:
            form = "(N, L, F)" if self.batch_first else "(L, N, F)"
            found = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise InputError(f"input must be {form} or (L, F) of F = {self.features} features, not {found}")
        return x

    def _samples(self, x: Tensor) -> Tensor:
        """Integer samples (..., F) as float32, with straight-through gradients."""
        if x.dtype == torch.int16:
            return x.float()
        if not torch.isfinite(x).all():
            raise InputError("input holds NaN or infinity: fill such steps, or leave them out")
        real = (x.double() - self.offset.double()) * self.scale.double()
        return round_straight_through(real.clamp(*_SAMPLES)).float()

    def _trits(self, samples: Tensor) -> Tensor:
        low, high = self.thresholds()
        half = self.window * self.unit.unsqueeze(1).float()
        trits = _Compare.apply(samples.unsqueeze(-1), low, high, half)
        return trits.flatten(-2)  # pyright: ignore[reportAttributeAccessIssue]


def _step_before(sizes: list[int], device: torch.device) -> Tensor:
    """Of each row of packed data, the row of the step before; the first step's are their own."""
    rows, start = [torch.arange(sizes[0])], 0
    for before, size in zip(sizes, sizes[1:], strict=False):
        rows.append(torch.arange(start, start + size))
        start += before
    return torch.cat(rows).to(device)


class _Compare(torch.autograd.Function):
    """+1 from the upper threshold on, -1 from the lower one down; a slope of 1 over the window backward."""

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
