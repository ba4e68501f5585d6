"""Sequences as a file has them: features, and targets that are still names or numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.data.sequences import SequenceSet, check_sequences
from trine_sw.model.task import InputSpec, Task, check_names
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = [
    "RawTargets",
    "SequenceTable",
    "class_names",
    "labels_in",
    "single_precision",
    "texts_of",
    "typed_targets",
]

_LARGEST_TARGET, _SMALLEST_SPREAD = 1e30, 1e-30  # of a regression, whose squares float32 still holds
_TARGETS = "fiubUS"  # kinds of types that targets and names may have
_EXACT = 1 << 53  # from where on float64 has not every whole number

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
        if self.inputs is not None:
            check_names("the names of inputs", [each.name for each in self.inputs], self.x[0].shape[1])
        if isinstance(self.targets, np.ndarray):
            _check_numbers(self.targets)
            if self.outputs is not None:
                check_names("outputs", self.outputs, self.targets.shape[1])
        else:
            labels = self.labels or labels_in(self.targets) or []
            check_names("classes", labels, len(labels))

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
    if array.dtype.kind not in _TARGETS:
        raise TrineError(f"{what} must be strings or numbers, not {array.dtype}")
    if not array.size and array.ndim == 2:
        raise TrineError(f"{what} must be one number a sequence at least, not of shape {array.shape}")
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
    if array.dtype.kind == "f":
        numbers = _numbers(array)
        if numbers is None:
            raise TrineError(f"{what} hold a number that is not finite")
        if (numbers != np.rint(numbers)).any():
            raise TrineError(f"{what} are real numbers, not classes: the task would be regress")
        if (np.abs(numbers) > _EXACT).any():
            raise TrineError(
                f"{what} hold {np.abs(numbers).max():g}, which is no number of a class: a regression is the "
                "task regress"
            )
        array = numbers.astype(np.int64)
    return texts_of(array, what)


def texts_of(array: NDArray[Any], what: str) -> list[str]:
    """Strings, UTF-8 as bytes, or numbers (N,) as strings; :class:`TrineError` for anything else."""
    if array.dtype.kind not in _TARGETS:
        raise TrineError(f"{what} must be strings or numbers, not {array.dtype}")
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise TrineError(f"{what} hold bytes that are no UTF-8: {shown(error.object)}") from None
    return [str(each) for each in array]


def single_precision(values: ArrayLike) -> NDArray[np.float32]:
    """Numbers as float32; what is beyond it becomes infinite, which a table of sequences refuses by name."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32)


def _check_numbers(targets: NDArray[np.float64]) -> None:
    """Raise :class:`TrineError` for targets of a regression whose squares float32 does not hold."""
    most = np.abs(targets).max(axis=0)
    with np.errstate(over="ignore"):
        spread = np.ptp(targets, axis=0)
    if (most > _LARGEST_TARGET).any() or ((spread > 0) & (spread < _SMALLEST_SPREAD)).any():
        raise TrineError(
            f"targets reach to {most.max():g} and differ by {spread.min():g}: give them in another unit, in "
            f"which they are at most {_LARGEST_TARGET:g} and differ by {_SMALLEST_SPREAD:g} at least"
        )


def _numbers(array: NDArray[Any]) -> NDArray[np.float64] | None:
    """The array as finite numbers, or None."""
    try:
        numbers = array.astype(np.float64)
    except (ValueError, TypeError):
        return None
    return numbers if np.isfinite(numbers).all() else None
