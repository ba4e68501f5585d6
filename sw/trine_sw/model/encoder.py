"""Encoder of real features: what a model's input trits are of a sample, in integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.model.layer import check_shape
from trine_sw.support.checks import finite_real, integer_array, shown
from trine_sw.support.errors import TrineError

__all__ = ["Encoder"]

_LOW, _HIGH = -(1 << 15), (1 << 15) - 1
#: What the training range's half width becomes: half of an int16's range, so that larger values still differ.
_HALF_RANGE = 1 << 14
_MOST_FEATURES = 1 << 16


@dataclass(frozen=True, eq=False)
class Encoder:
    """Encoder of F real features into E trits a step, K trits for each row of thresholds.

    A feature becomes an int16 sample, ``clip(rint((x - offset) * scale))``, computed in float64, and each of
    its K pairs of thresholds makes one trit of the sample s: +1 where ``s >= hi``, -1 where ``s <= lo``, and
    0 between them. With differences, each feature has K trits more, of the difference between its sample
    and that of the step before, which is 0 at the first step.

    Parameters
    ----------
    offset, scale : float64 array (F,)
        What maps a feature onto its sample; scales are above 0.
    thresholds : int32 array (G, K, 2)
        ``[lo, hi]`` with ``lo < hi``; G is F, or 2F with differences: the rows of the features first, then
        those of their differences.

    Raises
    ------
    TrineError
        If the shape or the contents of an array are wrong.

    Examples
    --------
    >>> encoder = trine.Encoder.from_quantiles([[0.0], [1.0], [2.0], [3.0]], [0.25, 0.75])
    >>> encoder.trits([[-9.0], [1.5], [2.9]])
    array([[-1],
           [ 0],
           [ 1]], dtype=int8)
    """

    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    thresholds: NDArray[np.int32]

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise :class:`TrineError` that names the first array whose shape or contents are wrong."""
        features = len(self.offset) if isinstance(self.offset, np.ndarray) and self.offset.ndim == 1 else 0
        if features > _MOST_FEATURES:
            raise TrineError(f"encoder.offset has {features} features, and {_MOST_FEATURES} is the most")
        for name, array in (("encoder.offset", self.offset), ("encoder.scale", self.scale)):
            check_shape(name, array, np.float64, (max(features, 1),))
            if not np.isfinite(array).all():
                raise TrineError(f"{name} must hold finite numbers only")
        if not (self.scale > 0).all():
            raise TrineError("encoder.scale must be above 0")
        thresholds = self.thresholds
        right = isinstance(thresholds, np.ndarray) and thresholds.ndim == 3 and thresholds.size
        rows = thresholds.shape[0] if right and thresholds.shape[0] == 2 * features else features
        check_shape(
            "encoder.thresholds", thresholds, np.int32, (rows, thresholds.shape[1] if right else 1, 2)
        )
        wrong = thresholds[..., 0] >= thresholds[..., 1]
        if wrong.any():
            row, trit = np.argwhere(wrong)[0]
            low, high = thresholds[row, trit]
            raise TrineError(
                f"encoder.thresholds: lo must be below hi, not {low} and {high} as trit {trit} of row {row}"
            )

    @property
    def features(self) -> int:
        """F, the features of a step."""
        return len(self.offset)

    @property
    def differences(self) -> bool:
        """Whether there are trits of the differences between steps."""
        return len(self.thresholds) == 2 * self.features

    @property
    def size(self) -> int:
        """E, the trits of a step."""
        return self.thresholds.shape[0] * self.thresholds.shape[1]

    def samples(self, x: ArrayLike) -> NDArray[np.int16]:
        """The int16 samples (T, F) of real features (T, F).

        Raises :class:`TrineError` for another shape, and for a feature that is no finite number.
        """
        features = _features(x, self.features)
        with np.errstate(over="ignore"):  # infinity is cut off as well
            scaled = np.rint((features - self.offset) * self.scale)
        return np.clip(scaled, _LOW, _HIGH).astype(np.int16)

    def trits(self, x: ArrayLike, previous: ArrayLike | None = None) -> NDArray[np.int8]:
        """The trits (T, E) of a sequence, one row a step.

        Parameters
        ----------
        x : array (T, F)
            Real features, or their samples: an array of int16 is taken as :meth:`samples` gives it.
        previous : int16 array (F,), optional
            Samples of the step before the first, where the sequence goes on from an earlier one.

        Raises
        ------
        TrineError
            If an array has another shape, or a feature is no finite number.
        """
        given = isinstance(x, np.ndarray) and x.dtype == np.int16
        samples = integer_array(x, "samples", f"(T, {self.features})", (2,)) if given else self.samples(x)
        if samples.shape[1] != self.features:
            raise TrineError(f"samples must be of shape (T, {self.features}), not {samples.shape}")
        rows = samples.astype(np.int32)
        if self.differences:
            before = rows[:1] if previous is None else self._previous(previous)
            rows = np.concatenate([rows, np.diff(rows, axis=0, prepend=before)], axis=1)
        low, high = np.moveaxis(self.thresholds, -1, 0)
        made = (rows[:, :, None] >= high).astype(np.int8) - (rows[:, :, None] <= low)
        return made.reshape(len(rows), self.size)

    def _previous(self, previous: ArrayLike) -> NDArray[np.int32]:
        array = integer_array(previous, "the samples before", f"({self.features},)", (1,))
        if array.shape != (self.features,) or array.min() < _LOW or array.max() > _HIGH:
            raise TrineError(
                f"the samples before must be int16 of shape ({self.features},), not {shown(previous)}"
            )
        return array.astype(np.int32)[None]

    @classmethod
    def from_quantiles(
        cls, x: ArrayLike | Sequence[ArrayLike], quantiles: Sequence[float], differences: bool = False
    ) -> Encoder:
        """An encoder whose thresholds lie at quantiles of each feature, and of its differences.

        Trit k has the k-th quantile as lo and the k-th from the end as hi. A feature that is the same
        everywhere gets trits of 0.

        Parameters
        ----------
        x : array (T, F), or a list of such arrays
            Features of the training set: one sequence, or several.
        quantiles : sequence of float
            An even number of shares between 0 and 1, in rising order.
        differences : bool
            Whether differences between steps have trits as well.

        Raises
        ------
        TrineError
            If there is no step at all, an array has another shape, or a feature is no finite number.
        """
        levels = _quantiles(quantiles)
        sequences = _sequences(x)
        every = np.concatenate(sequences)
        if not len(every):
            raise TrineError("thresholds are set from at least one step, and there is none")
        low, high = every.min(axis=0), every.max(axis=0)
        offset = low / 2 + high / 2
        half = np.maximum(high - offset, offset - low)
        with np.errstate(divide="ignore", over="ignore"):
            scale = _HALF_RANGE / half
        scale = np.where(np.isfinite(scale), scale, 1.0)  # of a feature that is the same everywhere
        bare = cls(offset, scale, np.tile(np.array([-1, 1], np.int32), (every.shape[1], 1, 1)))
        samples = [bare.samples(each).astype(np.int32) for each in sequences]
        rows = np.concatenate(samples)
        thresholds = _at_quantiles(rows, levels)
        if differences:
            steps = np.concatenate([np.diff(each, axis=0) for each in samples])
            thresholds = np.concatenate(
                [thresholds, _at_quantiles(steps if len(steps) else rows[:1] * 0, levels)]
            )
        return cls(offset, scale, thresholds)


def _at_quantiles(rows: NDArray[np.int32], levels: list[float]) -> NDArray[np.int32]:
    """Thresholds (F, K, 2) at these quantiles of samples (n, F)."""
    count = len(levels) // 2
    at = np.quantile(rows, levels, axis=0)
    low = np.floor(at[:count]).astype(np.int32)
    high = np.ceil(at[: -count - 1 : -1]).astype(np.int32)
    tied = low >= high  # more than that share of the samples are one value, which becomes 0
    low, high = np.where(tied, low - 1, low), np.where(tied, low + 1, high)
    return np.ascontiguousarray(np.stack([low, high], axis=-1).transpose(1, 0, 2))


def _quantiles(quantiles: Any) -> list[float]:
    try:
        levels = [finite_real(level, "a quantile") for level in quantiles]
    except TypeError:
        levels = []
    rising = all(a < b for a, b in pairwise(levels))
    if not levels or len(levels) % 2 or not rising or levels[0] < 0 or levels[-1] > 1:
        raise TrineError(
            "quantiles must be an even number of shares from 0 to 1 in rising order, such as "
            f"(0.2, 0.4, 0.6, 0.8), not {shown(quantiles)}"
        )
    return levels


def _sequences(x: Any) -> list[NDArray[np.float64]]:
    """Sequences (T, F) of one number of features: one array, or a list of them."""
    several = isinstance(x, list | tuple) and not (x and _is_step(x[0]))
    found = [_features(each) for each in (x if several else [x])]
    if not found:
        raise TrineError("thresholds are set from at least one step, and there is none")
    for each in found[1:]:
        if each.shape[1] != found[0].shape[1]:
            raise TrineError(f"sequences differ in their features: {found[0].shape[1]} and {each.shape[1]}")
    return found


def _is_step(x: Any) -> bool:
    """Whether this is a row of numbers, and what holds it therefore one sequence."""
    if isinstance(x, np.ndarray):
        return x.ndim == 1
    return not isinstance(x, list | tuple) or not any(
        isinstance(each, list | tuple | np.ndarray) for each in x
    )


def _features(x: ArrayLike, features: int | None = None) -> NDArray[np.float64]:
    """Features (T, F) as float64; of that number of features where it is given."""
    wanted = f"(T, {'F' if features is None else features})"
    array: NDArray[Any]
    try:
        array = np.asarray(x)
    except (ValueError, TypeError, OverflowError):  # lists of different lengths
        array = np.empty((), object)
    if array.dtype.kind not in "fiub":
        raise TrineError(f"features must be real numbers of shape {wanted}, not {shown(x)}")
    if array.ndim != 2 or not array.shape[1] or features not in (None, array.shape[1]):
        raise TrineError(f"features must be of shape {wanted}, not {array.shape}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        step, feature = np.argwhere(~np.isfinite(array))[0]
        of_step = f" of step {step}" if len(array) > 1 else ""
        raise TrineError(
            f"features must be finite numbers, and feature {feature}{of_step} is {array[step, feature]}"
        )
    return array
