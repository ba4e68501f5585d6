"""Constants and tables as C99 writes them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["c_array", "c_bytes", "c_integer", "c_real", "c_text", "crc_table"]

_WIDTH = 104
_LEAST_INT32 = -(1 << 31)


def c_integer(value: int) -> str:
    """A constant that fits an int32; -2^31 itself is no constant of C, but an expression.

    >>> c_integer(-5), c_integer(-(1 << 31))
    ('-5', '(-2147483647 - 1)')
    """
    return f"({_LEAST_INT32 + 1} - 1)" if value == _LEAST_INT32 else str(int(value))


def c_real(value: float) -> str:
    """A double constant, equal to the number in every bit.

    >>> c_real(0.1), c_real(2)
    ('0.1', '2.0')
    """
    return repr(float(value))


def c_text(text: str) -> str:
    """A text in printable ASCII that ends no comment or string of C: whatever else is in it becomes "?".

    >>> c_text('a "b" µ')
    'a ?b? ?'
    """
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\*/?%' else "?" for c in text)


def c_array(values: NDArray[Any] | Sequence[Any]) -> str:
    """The initialiser of an array of integers or reals, of any number of dimensions, in lines of code."""
    array = np.asarray(values)
    if array.ndim > 2:
        array = array.reshape(array.shape[0], -1)
    write: Callable[[Any], str] = c_real if array.dtype.kind == "f" else c_integer
    rows: list[Any] = array.tolist()
    if array.ndim == 1:
        return _lines(map(write, rows), "    ")
    return "".join("    {\n" + _lines(map(write, row), "        ") + "    },\n" for row in rows)


def c_bytes(values: bytes | Sequence[int]) -> str:
    """The initialiser of an array of unsigned numbers, in hexadecimal.

    >>> c_bytes(b"\\x00\\x80")
    '    0x00, 0x80\\n'
    """
    suffix = "" if isinstance(values, bytes) else "u"
    return _lines((f"0x{value:02x}{suffix}" for value in values), "    ")


def _lines(words: Iterable[str], indent: str) -> str:
    text = ", ".join(words).replace(" - ", "\0-\0")  # a constant's expression stays in one piece
    lines = textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    return "".join(line.replace("\0", " ") + "\n" for line in lines)


def crc_table(crc32: Any) -> list[int]:
    """What four bits do to a CRC of 32 bits, of a function such as :func:`zlib.crc32`.

    The function of one byte b gives T[b ^ 0xff] ^ 0xff000000, T being the table of whole bytes; four shifts
    of four bits n are those of eight of n << 4.
    """
    return [crc32(bytes([(n << 4) ^ 0xFF])) ^ 0xFF000000 for n in range(16)]
