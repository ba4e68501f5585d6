"""The comparison of what an engine gave with what the golden model, or the timing model, says."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["difference"]


def difference(name: str, found: ArrayLike | None, expected: ArrayLike | None, first: int = 0) -> str | None:
    """The first value of ``found`` that is not that of ``expected``, in words; None if all are equal.

    ``first`` is the number of the first token, whose values are the first of both.

    >>> difference("h", [[0, 1], [1, -1]], [[0, 1], [1, 0]])
    "h of token 1, entry 1 is -1, and the model's is 0 (1 of 4 differ)"
    """
    if found is None or expected is None:
        return None if found is expected else f"{name} is missing"
    mine, golden = np.asarray(found), np.asarray(expected)
    if mine.shape != golden.shape:
        return f"{name} is of shape {mine.shape}, and the model's of {golden.shape}"
    wrong = np.argwhere(mine != golden)
    if not len(wrong):
        return None
    at = tuple(int(index) for index in wrong[0])
    where = f" of token {first + at[0]}" if at else ""
    where += f", entry {at[1]}" if len(at) > 1 else ""
    return (
        f"{name}{where} is {mine[at]}, and the model's is {golden[at]} ({len(wrong)} of {mine.size} differ)"
    )
