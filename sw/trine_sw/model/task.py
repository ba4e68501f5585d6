"""Task of a model: what its outputs mean, and what its inputs are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from trine_sw.support.checks import is_writable_text, shown
from trine_sw.support.errors import TrineError

__all__ = ["InputSpec", "Reduction", "Task", "check_names", "check_task"]

Task = Literal["language", "classify", "label", "regress"]
"""What a model gives: the next token, a class of each sequence, a class of each step, or real numbers of each
sequence."""

Reduction = Literal["last", "sum"]
"""What a sequence's outputs are made of: the logits of its last step, or the sum of those of all steps."""


@dataclass(frozen=True)
class InputSpec:
    """A feature of a model's input: its name and, where it has one, its unit.

    Raises
    ------
    TrineError
        If either is no string, or the name is empty.

    Examples
    --------
    >>> trine.InputSpec("acceleration x", "m/s^2").unit
    'm/s^2'
    """

    name: str
    unit: str = ""

    def __post_init__(self) -> None:
        for what, text in (("name", self.name), ("unit", self.unit)):
            if not isinstance(text, str) or not is_writable_text(text):
                raise TrineError(f"the {what} of an input must be a string, not {shown(text)}")
        if not self.name:
            raise TrineError("the name of an input must not be empty")


def check_task(task: Any, reduction: Any) -> None:
    """Raise :class:`TrineError` unless there is such a task, and it has such a reduction."""
    for name, value, kinds in (("task", task, get_args(Task)), ("reduction", reduction, get_args(Reduction))):
        if not isinstance(value, str) or value not in kinds:
            raise TrineError(f"{name} must be one of {', '.join(map(repr, kinds))}, not {shown(value)}")
    if reduction != "last" and task not in ("classify", "regress"):
        raise TrineError(f"a {task} model has outputs for each step, so its reduction must be 'last'")


def check_names(name: str, names: Any, count: int) -> None:
    """Raise :class:`TrineError` that calls them `name` unless these are that many different strings."""
    if not isinstance(names, Sequence) or isinstance(names, str) or len(names) != count:
        found = f"{len(names)} of them" if isinstance(names, list | tuple) else shown(names)
        raise TrineError(f"{name} must be {count} different strings, not {found}")
    for each in names:
        if not isinstance(each, str) or not each or not is_writable_text(each):
            raise TrineError(f"{name} must be strings that are not empty, not {shown(each)}")
    if len(set(names)) != count:
        again = next(each for number, each in enumerate(names) if each in names[:number])
        raise TrineError(f"{name} must be different strings, and {shown(again)} is there twice")
