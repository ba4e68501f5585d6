"""Sample of the inputs that a model is made for, kept in its file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.model.layer import check_trits
from trine_sw.model.trits import packed_size
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["MOST_SAMPLE_BYTES", "ModelSample"]

MOST_SAMPLE_BYTES = 1 << 16
"""What a sample takes of a file at most."""

_LENGTH_BYTES = 4


@dataclass(frozen=True, eq=False)
class ModelSample:
    """Sequences of input trits of a model's own data, on which ``trine fit`` counts cycles.

    Parameters
    ----------
    trits : int8 array (T, E)
        The sequences one after the other.
    lengths : int32 array (N,)
        Steps of each; all of them together are T.

    Raises
    ------
    TrineError
        If the arrays do not fit each other, or they take more than 64 kB of a file.

    Examples
    --------
    >>> sample = trine.ModelSample.of([np.ones((3, 8), np.int8), np.zeros((2, 8), np.int8)])
    >>> sample.lengths
    array([3, 2], dtype=int32)
    """

    trits: NDArray[np.int8]
    lengths: NDArray[np.int32]

    def __post_init__(self) -> None:
        trits, lengths = self.trits, self.lengths
        if not isinstance(trits, np.ndarray) or trits.ndim != 2 or not trits.size:
            raise TrineError(f"sample.trits must be int8 of shape (T, E), not {_found(trits)}")
        check_trits("sample.trits", trits, trits.shape)
        right = isinstance(lengths, np.ndarray) and lengths.dtype == np.int32 and lengths.ndim == 1
        if not right or not lengths.size:
            raise TrineError(f"sample.lengths must be int32 of shape (N,), not {_found(lengths)}")
        if lengths.min() < 1 or int(lengths.sum(dtype=np.int64)) != len(trits):
            raise TrineError(
                f"sample.lengths must be above 0 and {len(trits)}, the steps of sample.trits, in all"
            )
        size = len(trits) * packed_size(trits.shape[1]) + _LENGTH_BYTES * len(lengths)
        if size > MOST_SAMPLE_BYTES:
            raise TrineError(f"sample takes {size} bytes, and {MOST_SAMPLE_BYTES} is the most")

    @classmethod
    def of(cls, sequences: Iterable[NDArray[np.int8]]) -> ModelSample | None:
        """As many of these sequences of trits (T, E) as 64 kB hold, the last one cut; None where they have no
        step."""
        taken: list[NDArray[np.int8]] = []
        room = MOST_SAMPLE_BYTES
        for sequence in sequences:
            steps = max(room - _LENGTH_BYTES, 0) // packed_size(sequence.shape[1])
            if not steps:
                break
            if len(sequence):
                taken.append(sequence[:steps])
                room -= _LENGTH_BYTES + len(taken[-1]) * packed_size(sequence.shape[1])
        if not taken:
            return None
        return cls(np.concatenate(taken).astype(np.int8), np.array([len(each) for each in taken], np.int32))

    def sequences(self) -> list[NDArray[np.int8]]:
        """The sequences (T, E), one by one."""
        return np.split(self.trits, np.cumsum(self.lengths)[:-1])


def _found(value: Any) -> str:
    return f"{value.dtype.name} {value.shape}" if isinstance(value, np.ndarray) else shown(value)
