"""Set of labelled sequences: what a classifier, a labeller or a regression is trained and measured on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.model.task import InputSpec, Task
from trine_sw.support.errors import TrineError

__all__ = ["SequenceSet", "Targets"]

Targets = NDArray[np.int64] | list[NDArray[np.int64]] | NDArray[np.float64]
"""Classes (N,) of sequences, classes (T,) of the steps of each, or real numbers (N, K)."""


@dataclass(frozen=True, eq=False)
class SequenceSet:
    """Sequences of real features, each of its own length, with what a model is to say of them.

    Parameters
    ----------
    x : list of float32 arrays (T, F)
        The sequences. All have F features, at least one step and finite numbers.
    y : int64 array (N,), list of int64 arrays (T,), or float64 array (N, K)
        A class of each sequence, a class of each of its steps, or K real numbers of each sequence.
    names : list of str
        What messages call each sequence, such as its file.
    labels : list of str, optional
        Names of the classes, or of the K numbers.
    inputs : list of InputSpec, optional
        Name and unit of each feature.
    sample_rate : float, optional
        Steps a second.
    groups : list of str, optional
        The speaker or subject of each sequence.
    fields : mapping of str to list of str
        What else is known of each sequence, by name, such as parts of its file's name.
    front_end : dict, optional
        How audio became these features, as :class:`FrontEnd` describes it.

    Raises
    ------
    TrineError
        If there is no sequence, or one is empty, of another number of features, or holds a number that is
        not finite; and if there are not as many targets.
    """

    x: list[NDArray[np.float32]]
    y: Targets
    names: list[str]
    labels: list[str] | None = None
    inputs: list[InputSpec] | None = None
    sample_rate: float | None = None
    groups: list[str] | None = None
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    front_end: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        check_sequences(self.x, self.names)
        others = {"targets": self.y, "groups": self.groups, **self.fields}
        for name, values in others.items():
            if values is not None and len(values) != len(self.x):
                raise TrineError(f"there are {len(self.x)} sequences and {len(values)} {name}")
        if isinstance(self.y, list):
            for name, sequence, classes in zip(self.names, self.x, self.y, strict=True):
                if classes.shape != (len(sequence),):
                    raise TrineError(
                        f"{name} has {len(sequence)} steps and {classes.size} labels: one a step is needed"
                    )

    def __len__(self) -> int:
        return len(self.x)

    @property
    def task(self) -> Task:
        """What the targets are: ``"classify"``, ``"label"`` or ``"regress"``."""
        if isinstance(self.y, list):
            return "label"
        return "regress" if self.y.dtype.kind == "f" else "classify"

    @property
    def features(self) -> int:
        """F."""
        return self.x[0].shape[1]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps (N,) of each sequence."""
        return np.array([len(sequence) for sequence in self.x], np.int64)

    @property
    def outputs(self) -> int:
        """Number of classes, or of real numbers of a sequence."""
        if self.labels is not None:
            return len(self.labels)
        if isinstance(self.y, list):
            return 1 + max(int(classes.max()) for classes in self.y)
        return self.y.shape[1] if self.y.dtype.kind == "f" else 1 + int(self.y.max())

    def of(self, indices: Iterable[int]) -> SequenceSet:
        """The sequences at these places, in this order."""
        chosen = list(indices)

        def at(values: Sequence[Any]) -> list[Any]:
            return [values[index] for index in chosen]

        return SequenceSet(
            at(self.x),
            at(self.y) if isinstance(self.y, list) else self.y[chosen],
            at(self.names),
            self.labels,
            self.inputs,
            self.sample_rate,
            None if self.groups is None else at(self.groups),
            {name: at(values) for name, values in self.fields.items()},
            self.front_end,
        )


def check_sequences(x: Sequence[NDArray[Any]], names: Sequence[str]) -> None:
    """Raise :class:`TrineError` unless these are finite sequences (T, F), T >= 1, of as many features."""
    if not len(x):
        raise TrineError("there is no sequence")
    if len(names) != len(x):
        raise TrineError(f"there are {len(x)} sequences and {len(names)} names")
    for name, sequence in zip(names, x, strict=True):
        if sequence.ndim != 2:
            raise TrineError(f"{name} must be of shape (T, F), not {sequence.shape}")
        if not len(sequence):
            raise TrineError(f"{name} has no step; leave it out")
        if not sequence.shape[1]:
            raise TrineError(f"{name} has no feature")
        if sequence.shape[1] != x[0].shape[1]:
            raise TrineError(
                f"{name} has {sequence.shape[1]} features and {names[0]} has {x[0].shape[1]}: all sequences "
                "need the same ones"
            )
        if not np.isfinite(sequence).all():
            step, feature = np.argwhere(~np.isfinite(sequence))[0]
            found = sequence[step, feature]
            advice = "fill what is missing" if np.isnan(found) else "numbers may reach to 3.4e38: mend it"
            raise TrineError(
                f"{name} holds {found} in step {step}, feature {feature}; {advice}, or leave the sequence out"
            )
