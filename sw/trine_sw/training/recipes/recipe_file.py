"""Recipes as TOML files: which keys there are, what they mean, and how they are written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from trine_sw.data import OwnText, symbols
from trine_sw.data.source import HeldOut, SequenceSource
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError
from trine_sw.support.plain_values import from_plain, nearest, plain

__all__ = ["beside", "file_text", "file_values", "language_keys", "language_values"]

_TASKS = ("language", "classify", "label", "regress")
#: Keys of a file whose field of a recipe of a language model has another name.
_FIELDS = {"network": "config", "data": "dataset"}
_KEYS = {field: key for key, field in _FIELDS.items()}


def file_values(text: str, name: str) -> dict[str, Any]:
    """The keys of a TOML text, with ``name`` where it does not say its own and with a task.

    Raises :class:`TrineError` where it is no TOML, and for a wrong name or task.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TrineError(f"this is no TOML: {error}") from None
    except RecursionError:
        raise TrineError("this is no recipe: it is nested too deeply") from None
    values = {"name": name, "task": "language"} | values
    if not isinstance(values["name"], str) or not re.fullmatch(r"\w[\w.+-]*", values["name"]):
        raise TrineError(
            "name must be of letters, digits and '-', '_', '.', '+', as files are named after it, not "
            f"{shown(values['name'])}"
        )
    if values["task"] not in _TASKS:
        among = ", ".join(map(repr, _TASKS))
        raise TrineError(f"task must be one of {among}, not {shown(values['task'])}")
    return values


def language_values(values: Mapping[str, Any], known: Sequence[str], folder: Path) -> dict[str, Any]:
    """The fields of a recipe of a language model, of the keys of a file in that folder.

    The vocabulary's size is the text's where the file does not say it, and the baseline is trained as the
    ternary model where it does not say how.

    Parameters
    ----------
    known : names of the fields.
    """
    values = {key: value for key, value in values.items() if key != "task"}
    keys = [_KEYS.get(field, field) for field in known]
    for key in values:
        if key not in keys:
            raise TrineError(f"unknown key {key}{nearest(key, keys)}")
    for key in ("data", "network", "schedule"):
        if not isinstance(values.get(key), Mapping):
            found = f"must be a table, not {shown(values[key])}" if key in values else "is missing"
            raise TrineError(f"the table [{key}] {found}")
    data, network = values["data"], dict(values["network"])
    if "set" in data:
        if len(data) > 1:
            raise TrineError("data.set is a text that Trine knows, and has no other keys beside it")
        dataset: Any = data["set"]
    else:
        text = beside(from_plain(OwnText, data, "data"), folder).pinned()
        network.setdefault("vocab_size", len(symbols(text)))
        dataset = plain(text)
    values |= {"data": dataset, "network": network, "baseline": values.get("baseline", values["schedule"])}
    return {_FIELDS.get(key, key): value for key, value in values.items()}


@contextmanager
def language_keys() -> Iterator[None]:
    """Errors in the block call fields by the keys of a file."""
    try:
        yield
    except TrineError as error:
        raise TrineError(re.sub(r"\bconfig\b", "network", str(error))) from None


def beside(data: Any, folder: Path) -> Any:
    """The same data, with paths that are relative to the recipe's folder where something is there."""

    def found(path: str) -> str:
        there = folder / path
        return str(there) if not Path(path).is_absolute() and there.exists() else path

    assert isinstance(data, OwnText | SequenceSource)
    held: dict[str, Any] = {}
    for name in ("valid", "test"):
        part: HeldOut | None = getattr(data, name)
        if part is not None and part.path is not None:
            held[name] = replace(part, path=found(part.path))
    return replace(data, path=found(data.path), **held)


def file_text(recipe: Any, *left_out: str) -> str:
    """A recipe as the text of a TOML file, but for these fields."""
    values: dict[str, Any] = {name: each for name, each in plain(recipe).items() if name not in left_out}
    dataset = values.get("dataset")
    if isinstance(dataset, str):
        values["dataset"] = {"set": dataset}
    return "\n".join(_lines({_KEYS.get(name, name): value for name, value in values.items()}, "")) + "\n"


def _lines(values: Mapping[str, Any], table: str) -> list[str]:
    """Lines of a table: its values, then the tables in it."""
    lines = [f"{name} = {_literal(each)}" for name, each in values.items() if not isinstance(each, Mapping)]
    for name, value in values.items():
        if isinstance(value, Mapping):
            whole = f"{table}.{name}" if table else name
            lines += ["", f"[{whole}]", *_lines(value, whole)]
    return lines


def _literal(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'
