"""Sequences in ``.csv`` tables: a row is a step of a sequence, or a whole one."""

from __future__ import annotations

import csv
import io
import os

import numpy as np
from numpy.typing import NDArray

from trine_sw.data.sequence_table import (
    RawTargets,
    SequenceTable,
    class_names,
    single_precision,
    typed_targets,
)
from trine_sw.data.source import Columns
from trine_sw.model.task import InputSpec, Task
from trine_sw.support.checks import is_number, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import read_text

__all__ = ["load_table"]

_SEQUENCE = ("sequence", "sequence_id")
_TIME = ("time", "timestamp")
_TARGET = ("label", "class", "target", "y")
_GROUP = ("group", "groups", "speaker", "subject", "index")


def load_table(
    path: str | os.PathLike[str],
    columns: Columns = Columns(),  # noqa: B008 (frozen)
    task: Task | None = None,
    group: str | None = None,
    *,
    targets: bool = True,
) -> SequenceTable:
    """Read sequences from a table with commas, semicolons or tabs between cells, and names in its first line.

    Where a column says of which sequence a row is, a row is a step, and the rows of a sequence follow one
    another in time. Otherwise a row is a sequence of one feature; empty cells at its end are no steps.
    Without ``targets``, a column of targets is left out, and all targets are 0. Without a task, targets that
    are numbers and not all whole are those of a regression.

    Raises :class:`TrineError` that names the file and the line.
    """
    try:
        header, rows = _cells(read_text(path))
        return _Reader(header, rows, columns, task, group, targets).table()
    except TrineError as error:
        raise TrineError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def _cells(text: str) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the rows below; empty lines are left out."""
    if "\0" in text:
        raise TrineError("it holds NUL characters: it is no text, or text in UTF-16")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise TrineError(f"it is no table: {error}") from None
    if len(lines) < 2:
        raise TrineError("it has no row below a line of names")
    header = [name.strip() for name in lines[0]]
    if all(map(is_number, header)):
        raise TrineError("its first line must name the columns, and is all numbers")
    seen: set[str] = set()
    for number, name in enumerate(header, 1):
        if not name:
            raise TrineError(f"column {number} has no name in the first line; give it one")
        if name in seen:
            raise TrineError(f"its columns must have different names, and {shown(name)} is there twice")
        seen.add(name)
    for number, row in enumerate(lines[1:], 2):
        if len(row) != len(header):
            raise TrineError(f"row {number} has {len(row)} cells, and there are {len(header)} columns")
    return header, lines[1:]


class _Reader:
    """Rows as sequences: which column is what, and the numbers in them."""

    def __init__(
        self,
        header: list[str],
        rows: list[list[str]],
        columns: Columns,
        task: Task | None,
        group: str | None,
        wanted: bool,
    ) -> None:
        self.header, self.rows, self.task, self.wanted = header, rows, task, wanted
        self.places = {name: place for place, name in enumerate(header)}
        self.sequence = self._one(columns.sequence, _SEQUENCE)
        there = columns.target if wanted else [name for name in columns.target if name in header]
        self.targets = [self._known(name) for name in there]
        if not self.targets:
            found = self._one(None, _TARGET)
            if found is None and wanted:
                raise TrineError(
                    "no column is the target: name it label in the file, or say which it is in "
                    "[data.columns] of a recipe (trine init sequences -o my.toml); the columns are "
                    f"{self._some()}"
                )
            self.targets = [] if found is None else [found]
        if task is None and wanted and all(map(self._holds_real_numbers, self.targets)):
            self.task = "regress"
        if len(self.targets) > 1 and self.task != "regress":
            raise TrineError(f"several targets are for the task regress, and this is {task}")
        self.fields = [name for name in header if name in _GROUP and name not in columns.features]
        if group is not None and self._known(group) not in self.fields:
            self.fields.append(group)
        left_out = {self.sequence, *self.targets, *self.fields, *_TIME, *map(self._known, columns.ignore)}
        self.features = [self._known(name) for name in columns.features]
        self.features = self.features or [name for name in header if name not in left_out]
        if not self.features:
            raise TrineError("no column is left for the features")

    def _some(self) -> str:
        return ", ".join(self.header[:10]) + (", ..." if len(self.header) > 10 else "")

    def _known(self, name: str) -> str:
        if name not in self.places:
            raise TrineError(f"it has no column {name!r}, but {self._some()}")
        return name

    def _one(self, name: str | None, usual: tuple[str, ...]) -> str | None:
        if name is not None:
            return self._known(name)
        return next((each for each in usual if each in self.header), None)

    def table(self) -> SequenceTable:
        if self.sequence is None:
            return self._rows_as_sequences()
        return self._rows_as_steps()

    def _texts(self, name: str) -> list[str]:
        place = self.places[name]
        return [row[place].strip() for row in self.rows]

    def _numbers(self, *, gaps: bool) -> NDArray[np.float64]:
        """The features (rows, columns); where gaps are allowed, empty cells are NaN."""
        places = [self.places[name] for name in self.features]
        cells = [[row[place].strip() for place in places] for row in self.rows]
        try:
            return np.array([[float(cell or "nan") for cell in row] for row in cells], np.float64)
        except ValueError:
            pass
        for number, row in enumerate(cells, 2):
            for name, cell in zip(self.features, row, strict=True):
                if cell and not is_number(cell):
                    raise TrineError(
                        f"row {number}, column {name!r}: {shown(cell)} is no number; leave the column out "
                        "with ignore in [data.columns]"
                    )
        raise AssertionError("every cell is a number")

    def _rows_as_sequences(self) -> SequenceTable:
        if self.task == "label" and self.wanted:
            raise TrineError("labels of steps need a row a step: name the column that says the sequence")
        x = []
        for row in self._numbers(gaps=True):
            there = np.flatnonzero(~np.isnan(row))
            x.append(single_precision(row[: there[-1] + 1 if there.size else 0, None]))
        names = [f"row {number}" for number in range(2, len(x) + 2)]
        fields = {name: self._texts(name) for name in self.fields}
        return SequenceTable(x, self._of_sequences(range(len(x))), names, None, None, fields, self._outputs())

    def _rows_as_steps(self) -> SequenceTable:
        assert self.sequence is not None
        places: dict[str, list[int]] = {}
        for number, name in enumerate(self._texts(self.sequence)):
            places.setdefault(name, []).append(number)
        numbers = single_precision(self._numbers(gaps=False))
        firsts = [rows[0] for rows in places.values()]
        targets: RawTargets
        if not self.wanted:
            targets = np.zeros((len(places), 1))
        elif self.task == "label":
            classes = class_names(self._texts(self.targets[0]), "labels")
            targets = [[classes[row] for row in rows] for rows in places.values()]
        else:
            for name in self.targets:
                self._check_constant(name, places, "; classes of steps are the task label")
            targets = self._of_sequences(firsts)
        fields = {}
        for name in self.fields:
            self._check_constant(name, places, "")
            texts = self._texts(name)
            fields[name] = [texts[row] for row in firsts]
        return SequenceTable(
            [numbers[rows] for rows in places.values()],
            targets,
            [f"sequence {name}" for name in places],
            [InputSpec(name) for name in self.features],
            None,
            fields,
            self._outputs(),
        )

    def _of_sequences(self, rows: range | list[int]) -> RawTargets:
        if not self.wanted:
            return np.zeros((len(rows), 1))
        texts = [self._texts(name) for name in self.targets]
        if "" in (texts[0][row] for row in rows):
            raise TrineError(f"column {self.targets[0]!r} is empty in a row")
        if self.task == "regress":
            return typed_targets(
                np.array([[column[row] for column in texts] for row in rows]), "regress", "targets"
            )
        return class_names([texts[0][row] for row in rows], "labels")

    def _holds_real_numbers(self, name: str) -> bool:
        """Whether a column is all finite numbers, some of which are not whole."""
        texts = self._texts(name)
        numbers = np.array([float(text) for text in texts]) if all(map(is_number, texts)) else np.zeros(0)
        return bool(numbers.size and np.isfinite(numbers).all() and (numbers != np.rint(numbers)).any())

    def _check_constant(self, name: str, places: dict[str, list[int]], advice: str) -> None:
        texts = self._texts(name)
        for sequence, rows in places.items():
            if len({texts[row] for row in rows}) > 1:
                raise TrineError(
                    f"column {name!r} must be the same in all rows of sequence {sequence}{advice}"
                )

    def _outputs(self) -> list[str] | None:
        return self.targets if self.task == "regress" else None
