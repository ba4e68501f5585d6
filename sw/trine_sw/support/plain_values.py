"""Dataclasses from the values of a TOML or JSON text, and back."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["from_plain", "nearest", "plain"]

T = TypeVar("T")


def from_plain(kind: type[T], values: Any, where: str = "") -> T:
    """A dataclass of plain values: tables become the dataclasses, and lists the tuples, that its fields are.

    Parameters
    ----------
    kind : the dataclass, whose fields have types.
    values : a mapping from the fields' names; fields that have a default may be missing.
    where : name of this table, in messages: keys are called ``where.key``.

    Raises
    ------
    TrineError
        That names the key: where it is unknown, with the nearest that there is; missing; of another type; or
        refused by the dataclass.

    Examples
    --------
    >>> from trine_sw.data.source import HeldOut
    >>> from_plain(HeldOut, {"share": 0.1})
    HeldOut(path=None, share=0.1, groups=None, indices=None, whole_groups=False)
    >>> from_plain(HeldOut, {"shar": 0.1}, "valid")
    Traceback (most recent call last):
    trine_sw.support.errors.TrineError: unknown key valid.shar; did you mean valid.share?
    """
    if not isinstance(values, Mapping):
        raise TrineError(f"{where or 'this'} must be a table of keys, not {shown(values)}")
    hints = get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind) if entry.init}  # type: ignore[arg-type]
    prefix = f"{where}." if where else ""
    for key in values:
        if key not in known:
            raise TrineError(f"unknown key {prefix}{key}{nearest(str(key), known, prefix)}")
    for name, entry in known.items():
        if name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise TrineError(f"the key {prefix}{name} is missing")
    given = {key: _value(hints[key], value, f"{prefix}{key}") for key, value in values.items()}
    try:
        return kind(**given)
    except TrineError as error:
        raise TrineError(f"{where}: {error}" if where else str(error)) from None


def nearest(key: str, known: Iterable[str], prefix: str = "") -> str:
    """What a message adds on an unknown key: the nearest that there is, or all of a few."""
    there = [str(each) for each in known]
    close = difflib.get_close_matches(key, there, 1, 0.6)
    if close:
        return f"; did you mean {prefix}{close[0]}?"
    return f"; there are {', '.join(there)}"


def plain(value: Any) -> Any:
    """A dataclass as plain values that :func:`from_plain` reads; fields that have their default are left out.

    >>> from trine_sw.data.source import HeldOut
    >>> plain(HeldOut(indices=(0, 4)))
    {'indices': [0, 4]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        kept = {
            entry.name: getattr(value, entry.name) for entry in fields(value) if not _is_default(value, entry)
        }
        return {name: plain(each) for name, each in kept.items() if each is not None}
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


def _is_default(value: Any, entry: Any) -> bool:
    return entry.default is not MISSING and getattr(value, entry.name) == entry.default


def _value(kind: Any, value: Any, where: str) -> Any:
    """A plain value as what a field's type says."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(inner, value, where)
    if origin is Literal:
        if value not in inner or isinstance(value, bool):
            among = ", ".join(map(repr, inner))
            close = difflib.get_close_matches(value, map(str, inner), 1) if isinstance(value, str) else []
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TrineError(f"{where} must be one of {among}, not {shown(value)}{hint}")
        return value
    if origin is tuple:
        return _tuple(inner, value, where)
    if origin in (dict, Mapping) or kind is Any:
        return value
    if is_dataclass(kind):
        return from_plain(cast(Any, kind), value, where)
    wanted, name = {
        bool: (bool, "true or false"),
        int: (int, "an integer"),
        float: ((int, float), "a number"),
        str: (str, "a string"),
    }[kind]
    if not isinstance(value, wanted) or (kind is not bool and isinstance(value, bool)):
        raise TrineError(f"{where} must be {name}, not {shown(value)}")
    try:
        return kind(value)
    except OverflowError:
        raise TrineError(f"{where} must be {name}, not {shown(value)}") from None


def _one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """A value of the kind that it looks like: None, a table, a list, or a single value."""
    if value is None and type(None) in kinds:
        return None
    rest = [kind for kind in kinds if kind is not type(None)]
    tables = [kind for kind in rest if is_dataclass(kind)]
    if tables and (isinstance(value, Mapping) or len(tables) == len(rest)):
        return _value(tables[0], value, where)
    return _value(next(kind for kind in rest if kind not in tables), value, where)


def _tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TrineError(f"{where} must be a list, not {shown(value)}")
    if kinds[-1:] == (Ellipsis,):
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise TrineError(f"{where} must be a list of {len(kinds)}, not {shown(value)}")
    return tuple(
        _value(kind, each, f"{where}[{n}]") for n, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )
