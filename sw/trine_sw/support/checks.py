"""Checks of the numbers that a caller gives: integers of Python or NumPy, tokens, trits, finite reals."""

import math
import operator
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.support.errors import TrineError

__all__ = [
    "finite_real",
    "integer",
    "integer_array",
    "is_number",
    "is_writable_text",
    "share",
    "shown",
    "token_array",
]

_SHOWN = 40  # characters of a wrong value in a message


def shown(value: object) -> str:
    """A wrong value as a message quotes it: its ``repr``, on one line and cut where it is long.

    >>> shown(1.5)
    '1.5'
    """
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more digits than Python converts
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def is_number(text: str) -> bool:
    """Whether a text is a real number as ``float`` reads it.

    >>> is_number("-1e3"), is_number("1,5")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_writable_text(text: str) -> bool:
    """Whether a file can hold a string: it has no halves of UTF-16 pairs, as names of files that are no UTF-8
    have them in Python.

    >>> is_writable_text("\u00e4"), is_writable_text("\udcff")
    (True, False)
    """
    return not any("\ud800" <= character <= "\udfff" for character in text)


def integer(value: Any, name: str, low: int, high: int | None = None) -> int:
    """`value` as a Python ``int``, from `low` to `high`, or to any size.

    Integers of NumPy are integers; booleans and floats, even whole ones, are none. Raises
    :class:`TrineError` that calls the value `name`.

    >>> integer(np.int64(8), "hidden", 1, 65536)
    8
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        kind = "" if number is not None else "an integer, "
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise TrineError(f"{name} must be {kind}{limits}, not {shown(value)}")
    return number


def finite_real(value: Any, name: str) -> float:
    """`value` as a Python ``float``: a finite real number of Python or NumPy, no boolean.

    Raises :class:`TrineError` that calls the value `name`.
    """
    number = math.nan
    if isinstance(value, (Real, np.floating, np.integer)) and not isinstance(value, (bool, np.bool_)):
        try:
            number = float(value)
        except OverflowError:  # an integer of more than 308 digits
            pass
    if not math.isfinite(number):
        raise TrineError(f"{name} must be a finite number, not {shown(value)}")
    return number


def share(value: Any, name: str) -> float:
    """`value` as a Python ``float`` from 0 to 1, as :func:`finite_real` takes it."""
    number = finite_real(value, name)
    if not 0 <= number <= 1:
        raise TrineError(f"{name} must be from 0 to 1, not {shown(value)}")
    return number


def integer_array(values: ArrayLike, what: str, shapes: str, dimensions: tuple[int, ...]) -> NDArray[Any]:
    """`values` as an array of integers with one of these numbers of dimensions; its type stays as it is.

    An empty list is an array of integers. Raises :class:`TrineError`: "`what` must be integers of shape
    `shapes`".
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError):  # lists of different lengths
        array = np.empty((), object)
    if array.ndim not in dimensions or (array.size and array.dtype.kind not in "iu"):
        found = f"{array.dtype.name} of shape {array.shape}" if array.dtype != object else shown(values)
        raise TrineError(f"{what} must be integers of shape {shapes}, not {found}")
    return array if array.size else array.astype(np.int64)


def token_array(tokens: ArrayLike, vocab_size: int, dimensions: tuple[int, ...] = (1,)) -> NDArray[np.int64]:
    """Tokens as int64 (T,) or, where two dimensions are allowed, (T, N).

    Raises :class:`TrineError` for what is no integer, and for a token outside the vocabulary.
    """
    shapes = " or ".join({1: "(T,)", 2: "(T, N)"}[count] for count in dimensions)
    numbers = integer_array(tokens, "tokens", shapes, dimensions)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < vocab_size:
        wrong = numbers[(numbers < 0) | (numbers >= vocab_size)][0]
        raise TrineError(f"token {wrong} is out of range: the model has {vocab_size} symbols")
    return numbers.astype(np.int64)
