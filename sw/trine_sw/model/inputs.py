"""Inputs of a model that reads no tokens: the trits of real features, of samples, or given as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.model.model import Model
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["input_trits", "is_of_features"]


def is_of_features(array: NDArray[Any]) -> bool:
    """Whether an array is for the encoder: real numbers are features, int16 are samples; other integers are
    trits."""
    return array.dtype.kind == "f" or array.dtype == np.int16


def input_trits(
    model: Model, x: ArrayLike, previous: ArrayLike | None = None
) -> tuple[NDArray[np.int8], NDArray[np.int16] | None]:
    """The trits (T, E) of a sequence: of features or samples (T, F), or trits (T, E) themselves.

    ``previous`` are the samples of the step before, where the sequence goes on from an earlier one. The
    samples (T, F) come with the trits, or None for trits that were given.

    Raises :class:`TrineError` for a sequence without a step, another shape or type, a feature that is not
    finite, and features of a model without an encoder.
    """
    size = model.config.embedding
    array: NDArray[Any]
    try:
        array = np.asarray(x)
    except (ValueError, TypeError, OverflowError):  # lists of different lengths
        array = np.empty((), object)
    if array.ndim == 2 and not array.shape[0]:
        raise TrineError("there is no step in it, and a sequence has at least one")
    if is_of_features(array):
        if model.encoder is None:
            raise TrineError(f"the model has no encoder: it takes trits, integers of shape (T, {size})")
        samples = array if array.dtype == np.int16 else model.encoder.samples(array)
        return model.encoder.trits(samples, previous), samples
    if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] != size:
        features = (
            "" if model.encoder is None else f", or real features of shape (T, {model.encoder.features})"
        )
        found = shown(x) if array.dtype == object else f"{array.dtype.name} of shape {array.shape}"
        raise TrineError(f"a sequence must be trits, integers of shape (T, {size}){features}, not {found}")
    if array.min() < -1 or array.max() > 1:
        hint = "" if model.encoder is None else "; features are real numbers, such as float64"
        raise TrineError(f"trits must be -1, 0 or +1{hint}")
    return array.astype(np.int8), None
