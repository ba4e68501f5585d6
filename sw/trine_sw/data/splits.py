"""Cutting of sequences into splits: for training, for validation and for the test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trine_sw.data.sequence_table import SequenceTable
from trine_sw.data.source import HeldOut
from trine_sw.support.checks import is_number
from trine_sw.support.errors import TrineError

__all__ = ["held_out"]


def held_out(
    table: SequenceTable, part: HeldOut, among: NDArray[np.int64], seed: int, group: str | None, what: str
) -> NDArray[np.int64]:
    """Which of some sequences of a table are held out, rising.

    Equal sequences are held out together, so that none is trained on and measured with; and at least one
    sequence of each class, and one group, is left.

    Parameters
    ----------
    part : says which, and not by a file of their own.
    among : places of the sequences in the table.
    seed, group : of what is drawn; the field that is the group.
    what : the split, as messages call it.
    """
    if part.groups is not None:
        groups = _groups(table, group)
        if missing := sorted(set(part.groups) - set(groups)):
            there = ", ".join(sorted(set(groups)))
            raise TrineError(f"there is no group {missing[0]!r} to hold out; there are {there}")
        return among[[groups[place] in part.groups for place in among]]
    if part.indices is not None:
        first, last = part.indices
        numbers = _whole_numbers(table.field("index"), table.names)
        return among[[first <= numbers[place] <= last for place in among]]
    assert part.share is not None
    return _drawn(table, part, among, seed, group, what)


def _drawn(
    table: SequenceTable, part: HeldOut, among: NDArray[np.int64], seed: int, group: str | None, what: str
) -> NDArray[np.int64]:
    """A share of the sequences or groups, spread over the classes as all are."""
    assert part.share is not None
    rng = np.random.default_rng([seed, *what.encode()])
    units = _groups(table, group) if part.whole_groups else _contents(table)
    members: dict[str, list[int]] = {}
    for place in among:
        members.setdefault(units[place], []).append(int(place))
    ordered = sorted(members)
    names = [ordered[number] for number in rng.permutation(len(members))]
    if not part.whole_groups and isinstance(table.targets, list) and isinstance(table.targets[0], str):
        targets = table.targets
        names.sort(key=lambda name: str(targets[members[name][0]]))  # stable: at random within a class
        classes = [str(targets[members[name][0]]) for name in names]
    else:
        classes = [""] * len(names)
    # The first of each class stays.
    free = [name for number, name in enumerate(names) if number and classes[number - 1] == classes[number]]
    count = max(1, round(part.share * len(names)))
    if count > len(free):
        of = "groups" if part.whole_groups else "different sequences"
        stay = "some must stay to train on"
        if len(set(classes)) > 1:
            stay = f"one of each of the {len(set(classes))} classes must stay to train on"
            if all(map(is_number, set(classes))):
                stay += "; if they are numbers to be learned, the task is regress"
        raise TrineError(
            f"{len(names)} {of} are too few to hold out {part.share:g} of them for {what}: {stay}"
        )
    taken = [free[int((number + 0.5) * len(free) / count)] for number in range(count)]
    return np.array(sorted(place for name in taken for place in members[name]), np.int64)


def _groups(table: SequenceTable, group: str | None) -> list[str]:
    if group is None:
        there = ", ".join(table.fields) or "none"
        raise TrineError(f"no field says the group of a sequence; set group in [data], of: {there}")
    return table.field(group)


def _contents(table: SequenceTable) -> list[str]:
    """A name for the content of each sequence, the same for equal ones."""
    # 0 is added, of which -0 becomes 0.
    return [hashlib.sha256(np.ascontiguousarray(each + 0.0).tobytes()).hexdigest() for each in table.x]


def _whole_numbers(texts: Sequence[str], names: Sequence[str]) -> list[int]:
    for text, name in zip(texts, names, strict=True):
        if not text.isdecimal():
            raise TrineError(f"the index of {name} is {text!r}, which is no whole number")
    return [int(text) for text in texts]
