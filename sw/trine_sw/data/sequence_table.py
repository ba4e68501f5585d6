"""Sequences as a file has them: features, and targets that are still names or numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.data.sequences import SequenceSet, check_sequences
from trine_sw.model.task import InputSpec, Task
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["RawTargets", "SequenceTable", "class_names", "labels_in", "typed_targets"]

RawTargets = list[str] | list[list[str]] | NDArray[np.float64]
"""A class of each sequence, classes of its steps, or real numbers (N, K), as a file has them."""


@dataclass(frozen=True, eq=False)
class SequenceTable:
    """What a loader reads. Fields are those of :class:`SequenceSet`, but that classes are names.

    ``labels`` are all classes in the order of their numbers, where the file says them.
    """

    x: list[NDArray[np.float32]]
    targets: RawTargets
    names: list[str]
    inputs: list[InputSpec] | None = None
    sample_rate: float | None = None
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    outputs: list[str] | None = None  # names of the K real numbers
    front_end: dict[str, Any] | None = None
    labels: list[str] | None = None

    def __post_init__(self) -> None:
        check_sequences(self.x, self.names)
        if len(self.targets) != len(self.x):
            raise TrineError(f"there are {len(self.x)} sequences and {len(self.targets)} targets")

    def as_set(self, labels: list[str] | None, group: str | None = None) -> SequenceSet:
        """The same with classes as numbers of ``labels``.

        Raises :class:`TrineError` for a class that is not among them, and for a group that is no field.
        """
        groups = None if group is None else self.field(group)
        if isinstance(self.targets, np.ndarray):
            y: Any = self.targets
            labels = self.outputs
        else:
            assert labels is not None
            index = {label: number for number, label in enumerate(labels)}
            try:
                y = [
                    index[entry] if isinstance(entry, str) else np.array([index[each] for each in entry])
                    for entry in self.targets
                ]
            except KeyError as error:
                some = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
                raise TrineError(f"the class {shown(error.args[0])} is not among {some}") from None
            y = np.array(y, np.int64) if isinstance(self.targets[0], str) else y
        return SequenceSet(
            self.x, y, self.names, labels, self.inputs, self.sample_rate, groups, self.fields, self.front_end
        )

    def field(self, name: str) -> list[str]:
        """What a field says of each sequence; :class:`TrineError` lists the fields where it is none."""
        if name not in self.fields:
            there = ", ".join(self.fields) or "none"
            raise TrineError(f"{name!r} is no field of the sequences; there are: {there}")
        return self.fields[name]


def labels_in(targets: RawTargets) -> list[str] | None:
    """The classes that occur, numbers within them by size; None of real numbers."""
    if isinstance(targets, np.ndarray):
        return None
    found = {each for entry in targets for each in ([entry] if isinstance(entry, str) else entry)}
    return sorted(found, key=_natural)


def _natural(text: str) -> list[tuple[int, Any]]:
    """A key that puts "2" before "10", and "x2" before "x10"."""
    parts = re.split(r"(\d+)", text)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def typed_targets(values: Sequence[str] | NDArray[Any], task: Task | None, what: str) -> RawTargets:
    """Targets (N,) or (N, K) of sequences: class names, or real numbers where the task is a regression.

    Without a task, real numbers that are not all whole are those of a regression.
    """
    array = np.asarray(values)
    numbers = _numbers(array)
    whole = numbers is not None and bool((numbers == np.rint(numbers)).all())
    if task != "regress" and (task is not None or array.dtype.kind != "f" or numbers is None or whole):
        return class_names(array, what)
    if numbers is None:
        wrong = next(each for each in array.ravel() if _numbers(np.array([each])) is None)
        raise TrineError(f"{what} must be finite numbers for a regression, not {shown(str(wrong))}")
    return numbers.reshape(len(numbers), -1 if numbers.size else 1)


def class_names(values: Sequence[str] | NDArray[Any], what: str) -> list[str]:
    """Classes (N,), which are strings or whole numbers, as names."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise TrineError(f"{what} must be one class a sequence, not of shape {array.shape}")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind == "f":
        numbers = _numbers(array)
        if numbers is None:
            raise TrineError(f"{what} hold a number that is not finite")
        if (numbers != np.rint(numbers)).any():
            raise TrineError(f"{what} are real numbers, not classes: the task would be regress")
        array = numbers.astype(np.int64)
    return [str(each) for each in array]


def _numbers(array: NDArray[Any]) -> NDArray[np.float64] | None:
    """The array as finite numbers, or None."""
    try:
        numbers = array.astype(np.float64)
    except (ValueError, TypeError):
        return None
    return numbers if np.isfinite(numbers).all() else None
