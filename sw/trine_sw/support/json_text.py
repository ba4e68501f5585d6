"""JSON as this project writes it: every value that Python computes has one valid form."""

import json
import math
from typing import Any

import numpy as np

from trine_sw.support.errors import TrineError

__all__ = ["json_text", "json_value"]


def json_text(
    value: Any, *, indent: int | None = None, sort_keys: bool = False, compact: bool = False
) -> str:
    """`value` as JSON; `compact` leaves out the blanks.

    JSON has no infinity and no NaN, so these floats are written as the strings ``"inf"``, ``"-inf"`` and
    ``"nan"``, which ``float`` reads back in most languages. Scalars and arrays of NumPy become numbers and
    lists. Raises :class:`TrineError` for what JSON cannot hold.

    >>> json_text({"perplexity": float("inf"), "tokens": 3})
    '{"perplexity": "inf", "tokens": 3}'
    """
    try:
        separators = (",", ":") if compact else None
        plain = _plain(value)
        return json.dumps(plain, indent=indent, sort_keys=sort_keys, separators=separators, allow_nan=False)
    except RecursionError:
        raise TrineError("this cannot be written as JSON: it is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise TrineError(f"this cannot be written as JSON: {error}") from None


def json_value(text: str | bytes) -> Any:
    """The value of a JSON text, read strictly: ``ValueError`` for NaN, Infinity and a repeated name as well.

    >>> json_value('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    """
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_different_names)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _plain(value: Any) -> Any:
    """The same value without floats that are not finite, and without NumPy."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, dict):
        return {_plain(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _different_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands in it twice")
    return values
