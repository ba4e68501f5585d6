"""Five trits a byte: the storage code of trit matrices."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.errors import TrineError

__all__ = ["TRITS_PER_BYTE", "pack", "packed_size", "unpack"]

TRITS_PER_BYTE = 5
_POWERS = 3 ** np.arange(TRITS_PER_BYTE)
_LARGEST = 3**TRITS_PER_BYTE - 1  # 242: a byte above it codes no five trits
_DECODED = ((np.arange(_LARGEST + 1)[:, None] // _POWERS) % 3 - 1).astype(np.int8)


def packed_size(trits: int) -> int:
    """Bytes that a row of ``trits`` trits takes."""
    return ceil_div(trits, TRITS_PER_BYTE)


def pack(trits: NDArray[np.integer] | Sequence[Sequence[int]]) -> NDArray[np.uint8]:
    """Pack rows of trits (..., n) into bytes (..., ceil(n / 5)); byte = sum of (t_k + 1) 3^k.

    >>> pack(np.array([[1, 0, -1, 0, 0, 1]]))
    array([[113, 122]], dtype=uint8)
    """
    values = np.asarray(trits)
    if values.size and (values.min() < -1 or values.max() > 1):
        raise ValueError("trits must be -1, 0 or +1")
    digits = values.astype(np.int8)
    if rest := -values.shape[-1] % TRITS_PER_BYTE:
        digits = np.concatenate([digits, np.zeros((*values.shape[:-1], rest), np.int8)], axis=-1)
    digits = digits.reshape(*values.shape[:-1], -1, TRITS_PER_BYTE)
    # Horner's scheme in int8: no partial sum of t_k 3^k leaves [-121, 121].
    packed = digits[..., -1].copy()
    for k in range(TRITS_PER_BYTE - 2, -1, -1):
        packed *= np.int8(3)
        packed += digits[..., k]
    return packed.view(np.uint8) + np.uint8(_LARGEST // 2)


def unpack(packed: NDArray[np.uint8], trits: int, *, name: str = "trits") -> NDArray[np.int8]:
    """Unpack bytes (..., ceil(trits / 5)) into rows of ``trits`` trits.

    Raises :class:`TrineError` that names ``name`` for a byte above 242 and for a padding trit that is not 0.

    >>> unpack(np.array([[113, 122]], dtype=np.uint8), 6)
    array([[ 1,  0, -1,  0,  0,  1]], dtype=int8)
    """
    if packed.size and packed.max() > _LARGEST:
        raise TrineError(f"{name}: byte {packed.max()} is no five trits (the largest is {_LARGEST})")
    rows = _DECODED.take(packed, axis=0).reshape(*packed.shape[:-1], packed.shape[-1] * TRITS_PER_BYTE)
    if rows.shape[-1] == trits:
        return rows
    if rows[..., trits:].any():
        raise TrineError(f"{name}: the padding after trit {trits} of a row is not 0")
    return np.ascontiguousarray(rows[..., :trits])
