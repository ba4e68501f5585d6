"""Encoder of real features as trits, with thresholds that are learned or set by quantiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from trine_sw.model import Encoder
from trine_sw.support.checks import finite_real, integer, shown
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.inputs import InputError
from trine_sw.training.nn.quantise import round_straight_through
from trine_sw.training.nn.thresholds import compared

__all__ = ["TernaryEncoder"]

_SAMPLES = (-32768, 32767)
_DEVIATION = 4096.0  # samples to a standard deviation, where nothing is known of the features
_FARTHEST = 1 << 17  # of a threshold: no sample and no difference reaches it


class TernaryEncoder(nn.Module):
    """Real features to trits: K trits a feature, each with two thresholds.

    A feature is scaled to an integer sample of 16 bits, and a trit of it is +1 from the upper threshold on,
    -1 from the lower one down, and 0 between. The trits are those of :class:`trine.Encoder`, in every bit,
    in training as in evaluation; in training, gradients flow to the thresholds and to the features near them
    (straight-through, within a window). At first thresholds are those of features of mean 0 and deviation 1.

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
        Distance from a threshold within which gradients pass, in units of half the distance between the
        outermost thresholds of the feature.

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
    >>> series = torch.randn(50, 8, 3) * 20 + 7
    >>> encoder.fit_quantiles(series, [0.2, 0.4, 0.6, 0.8]).out_features
    12
    >>> encoder(series).shape
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
        self.register_buffer("scale", torch.full((self.features,), _DEVIATION, dtype=torch.float64))
        self.register_buffer("unit", torch.full((rows,), _DEVIATION))
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
        x : array or Tensor (T, F), (L, N, F) or (N, L, F) as for :meth:`forward`, or a list of (T, F)
            The features of the training set.
        quantiles : sequence of float, optional
            2K shares, rising: trit k has the k-th as its lower threshold and the k-th from the end as its
            upper one. By default ``k / (2K + 1)`` for k = 1 to 2K.

        Returns
        -------
        TernaryEncoder
            The encoder itself.
        """
        shares = [k / (2 * self.trits + 1) for k in range(1, 2 * self.trits + 1)]
        if quantiles is not None:
            shares = list(quantiles) if isinstance(quantiles, Iterable) else [quantiles]
        if len(shares) != 2 * self.trits:
            raise TrineError(
                f"quantiles must be {2 * self.trits}, two for each of the {self.trits} trits of a feature, "
                f"not {len(shares)}"
            )
        fitted = Encoder.from_quantiles(_sequences(x, self.batch_first), shares, self.differences)
        if fitted.features != self.features:
            raise InputError(f"x must have {self.features} features, not {fitted.features}")
        self._take(fitted)
        return self

    @classmethod
    def from_model(cls, encoder: Encoder, **options: Any) -> TernaryEncoder:
        """The encoder of a model, for training it further or for use in PyTorch.

        >>> fitted = trine.Encoder.from_quantiles([[0.0], [1.0], [2.0], [3.0]], [0.25, 0.75])
        >>> trine.nn.TernaryEncoder.from_model(fitted, learned=False)(torch.tensor([[-9.0], [2.9]]))
        tensor([[-1.],
                [ 1.]])
        """
        if not isinstance(encoder, Encoder):
            raise TrineError(f"encoder must be an Encoder of a model, not {shown(encoder)}")
        made = cls(encoder.features, encoder.thresholds.shape[1], encoder.differences, **options)
        made._take(encoder)
        return made

    @torch.no_grad()
    def _take(self, encoder: Encoder) -> None:
        low, high = torch.from_numpy(encoder.thresholds).double().unbind(-1)
        unit = ((high - low) / 2).amax(dim=1, keepdim=True)  # at least 1/2, as the thresholds differ
        self.offset.copy_(torch.from_numpy(encoder.offset))
        self.scale.copy_(torch.from_numpy(encoder.scale))
        self.unit.copy_(unit.squeeze(1))
        self.center.copy_((low + high) / 2 / unit)
        self.log_width.copy_(((high - low) / 2 / unit).log())

    @torch.no_grad()
    def to_model(self) -> Encoder:
        """The encoder as a model file has it: integer thresholds on samples of 16 bits."""
        if not all(bool(torch.isfinite(part).all()) for part in (self.center, self.log_width)):
            raise TrineError("the encoder's thresholds are no numbers: its training has diverged")
        edges = torch.stack(self.thresholds(), dim=-1).to("cpu", torch.int32).numpy()
        offset, scale = (part.double().cpu().numpy() for part in (self.offset, self.scale))
        return Encoder(offset.copy(), scale.copy(), edges)

    def forward(self, input: Any, previous: Tensor | None = None) -> Any:
        """Trits of the features of every step.

        Parameters
        ----------
        input : Tensor (L, F), (L, N, F) or (N, L, F), or PackedSequence
            Real features, in the units that :meth:`fit_quantiles` was given; a tensor of int16 holds samples.
        previous : Tensor (F,) or (N, F), optional
            The features, or samples of int16, of the step before the first, of a stream that goes on.

        Returns
        -------
        Tensor or PackedSequence
            Float trits in the form of the input, with E instead of F.
        """
        if isinstance(input, PackedSequence):
            if input.data.dim() != 2 or input.data.shape[-1] != self.features:
                raise InputError(
                    f"packed input must have F = {self.features} features, not be {tuple(input.data.shape)}"
                )
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
                wanted = tuple(first.squeeze(axis).shape)
                found = tuple(previous.shape) if isinstance(previous, Tensor) else type(previous).__name__
                if found != wanted:
                    raise InputError(f"previous must be a Tensor {wanted}, not {found}")
                first = self._samples(previous).unsqueeze(axis)
            before = torch.cat([first, samples.narrow(axis, 0, samples.shape[axis] - 1)], dim=axis)
            samples = torch.cat([samples, samples - before], dim=-1)
        return self._trits(samples)

    def _checked(self, x: Any) -> Tensor:
        right = isinstance(x, Tensor) and x.dim() in (2, 3) and x.shape[-1] == self.features
        if not right or not x.shape[1 if x.dim() == 3 and self.batch_first else 0]:
            form = "(N, L, F)" if self.batch_first else "(L, N, F)"
            found = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise InputError(f"input must be {form} or (L, F) of F = {self.features} features, not {found}")
        return x

    def _samples(self, x: Tensor) -> Tensor:
        """Integer samples (..., F) as float32, with straight-through gradients."""
        if x.dtype == torch.int16:
            return x.float()
        if x.is_complex():
            raise InputError("input must be real numbers, and it is complex")
        if not torch.isfinite(x).all():
            raise InputError("input holds NaN or infinity: fill such steps, or leave them out")
        real = (x.double() - self.offset.double()) * self.scale.double()
        return round_straight_through(real.clamp(*_SAMPLES)).float()

    def _trits(self, samples: Tensor) -> Tensor:
        low, high = self.thresholds()
        half = self.window * self.unit.unsqueeze(1).float()
        return compared(samples.unsqueeze(-1), low, high, half).flatten(-2)


def _sequences(x: Any, batch_first: bool) -> Any:
    """Arrays as :meth:`Encoder.from_quantiles` takes them, of arrays or tensors."""
    if isinstance(x, list | tuple):
        return [_sequences(each, batch_first) for each in x]
    if isinstance(x, Tensor):  # NumPy has no bfloat16
        x = x.detach().cpu().float() if x.dtype == torch.bfloat16 else x.detach().cpu()
    array = x.numpy() if isinstance(x, Tensor) else x
    if isinstance(array, np.ndarray) and array.ndim == 3:
        return list(array if batch_first else array.swapaxes(0, 1))
    return array


def _step_before(sizes: list[int], device: torch.device) -> Tensor:
    """Of each row of packed data, the row of the step before; the first step's are their own."""
    rows, start = [torch.arange(sizes[0])], 0
    for before, size in zip(sizes, sizes[1:], strict=False):
        rows.append(torch.arange(start, start + size))
        start += before
    return torch.cat(rows).to(device)
