"""Largest logits of a token, in the order in which the golden model chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["largest"]


def largest(logits: NDArray[Any], count: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Symbols and values (..., count) of the largest of logits (..., V), the largest first.

    Of equal logits that of the lowest symbol comes first, so that the first symbol is the choice.

    >>> symbols, values = largest(np.array([3, 7, -1, 7]), 3)
    >>> symbols.tolist(), values.tolist()
    ([1, 3, 0], [7, 7, 3])
    """
    rising = logits if np.issubdtype(logits.dtype, np.floating) else logits.astype(np.int64)
    symbols = np.argsort(-rising, axis=-1, kind="stable")[..., :count].astype(np.int64)
    return symbols, np.take_along_axis(logits, symbols, axis=-1)
