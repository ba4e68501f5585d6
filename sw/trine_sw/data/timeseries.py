"""Sequences in ``.ts`` files, the format of the UEA and UCR archives of time series."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any

import numpy as np

from trine_sw.data.sequence_table import SequenceTable, single_precision, typed_targets
from trine_sw.model.task import Task
from trine_sw.support.errors import TrineError
from trine_sw.support.installing import needed
from trine_sw.support.reading import read_text

__all__ = ["load_timeseries"]


def load_timeseries(path: str | os.PathLike[str], task: Task | None = None) -> SequenceTable:
    """Read sequences from a ``.ts`` file, with aeon; each dimension is a feature.

    Raises :class:`TrineError` that names the file: for one that is no such file or torn, has no classes or
    numbers to learn, or misses values.
    """
    text = read_text(path)  # one error for a missing, binary or endless file
    if "@data" not in text.lower():
        raise TrineError(f"{path} is no .ts file: it has no line @data")
    if task == "label":
        raise TrineError(f"{path}: a .ts file has a class for each sequence, not for each step")
    with needed("aeon", "data", "reading .ts files"):
        from aeon.datasets import load_from_ts_file
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read: Any = load_from_ts_file(os.fspath(path), return_meta_data=True)
            x, y, about = read
    except Exception as error:  # of a torn file, aeon raises whatever comes
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = re.sub(r"^Error loading <.*?>\.* ", "", reason)
        raise TrineError(f"{path} is no whole .ts file: {reason[:200]}") from None
    return _table(path, x, y, about, task)


def _table(path: Any, x: Any, y: Any, about: dict[str, Any], task: Task | None) -> SequenceTable:
    if not about.get("classlabel") and not about.get("targetlabel"):
        raise TrineError(f"{path} has neither classes nor target values to learn")
    of_numbers = bool(about.get("targetlabel"))
    if of_numbers and task == "classify":
        raise TrineError(f"{path} has target values and no classes: its task is regress")
    try:
        sequences = [np.ascontiguousarray(single_precision(each).T) for each in x]
        targets = typed_targets(y, "regress" if of_numbers else task or "classify", "targets")
        names = [f"sequence {number}" for number in range(len(sequences))]
        return SequenceTable(sequences, targets, names)
    except TrineError as error:
        raise TrineError(f"{path}: {error}") from None
