"""Conversion between the payloads of a core's streams and arrays of integers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Shape
from amaranth.lib import data

__all__ = ["array_field", "field", "pack"]

Beats = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]


def pack(layout: data.StructLayout, values: Mapping[str, int | npt.NDArray[np.int8]]) -> int:
    """The bits of a structure with these fields, and 0 in all others; an array's trits take two bits each."""
    bits = 0
    for name, value in values.items():
        at = layout[name]
        if isinstance(value, np.ndarray):
            value = sum((int(trit) & 3) << 2 * index for index, trit in enumerate(value))
        if not 0 <= value < 1 << Shape.cast(at.shape).width:
            raise ValueError(f"{value} does not fit into {name}")
        bits |= value << at.offset
    return bits


def field(beats: Beats, layout: data.StructLayout, name: str) -> Int64:
    """A field of beats (N, bytes): (N,)."""
    at = layout[name]
    return _integers(_bits(beats)[:, at.offset :], Shape.cast(at.shape))


def array_field(beats: Beats, layout: data.StructLayout, name: str, member: str | None = None) -> Int64:
    """The elements of an array in beats (N, bytes), or one member of each: (N, elements)."""
    at = layout[name]
    array = at.shape
    assert isinstance(array, data.ArrayLayout)
    width = Shape.cast(array.elem_shape).width
    bits = _bits(beats)[:, at.offset : at.offset + array.length * width]
    bits = bits.reshape(len(beats), array.length, width)
    if member is None:
        return _integers(bits, Shape.cast(array.elem_shape))
    inner = array.elem_shape[member]  # pyright: ignore[reportIndexIssue]
    return _integers(bits[..., inner.offset :], Shape.cast(inner.shape))


def _bits(beats: Beats) -> Beats:
    return np.unpackbits(beats, axis=1, bitorder="little")


def _integers(bits: Beats, shape: Shape) -> Int64:
    """Integers of ``shape`` from their bits, lowest first, in the last axis."""
    values = bits[..., : shape.width].astype(np.int64) @ (1 << np.arange(shape.width, dtype=np.int64))
    if shape.signed:
        values -= (values >> (shape.width - 1) & 1) << shape.width
    return values
