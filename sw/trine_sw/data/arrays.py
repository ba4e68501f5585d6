"""Sequences in NumPy archives."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.data.sequence_table import (
    RawTargets,
    SequenceTable,
    class_names,
    single_precision,
    texts_of,
    typed_targets,
)
from trine_sw.model.task import InputSpec, Task
from trine_sw.support.checks import finite_real, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import read_whole

__all__ = ["archive_table", "load_arrays", "read_archive"]

_KNOWN = ("x", "y", "lengths", "labels", "names", "inputs", "units", "outputs", "groups", "sample_rate")


def load_arrays(path: str | os.PathLike[str], task: Task | None = None) -> SequenceTable:
    """Read sequences from an archive ``*.npz`` of these arrays.

    ============= ======================================================================================
    x             (N, T, F) numbers, (N, T) of one feature, or (sum of T, F) with ``lengths``
    lengths       (N,) steps of each sequence; with (N, T, F), what is behind them is padding
    y             (N,) classes, (N, T) or (sum of T,) classes of steps, or (N,), (N, K) real numbers
    labels        optional, (C,): names of the classes, where y holds their numbers 0 to C - 1
    groups        optional, (N,): the speaker or subject of each sequence
    names         optional, (N,): what messages call each sequence
    inputs, units optional, (F,): name and unit of each feature
    outputs       optional, (K,): names of the real numbers
    sample_rate   optional: steps a second
    ============= ======================================================================================

    Further arrays (N,) are fields, by which splits can be made. Arrays of Python objects are refused.
    Raises :class:`TrineError` that names the file and the array.
    """
    try:
        return archive_table(read_archive(path), task)
    except TrineError as error:
        raise TrineError(f"{path}: {error}") from None


def read_archive(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of a ``.npz`` file, none of which holds Python objects."""
    data = read_whole(path)
    if not data.startswith((b"PK\3\4", b"PK\5\6")):  # the latter of an empty one
        raise TrineError("it is no .npz archive")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            _check_size(archive.zip)
            arrays = {name: archive[name] for name in archive.files}
    except TrineError:
        raise
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise TrineError(
                "it holds arrays of Python objects, which are not read: save sequences of different lengths "
                "as one array x (sum of T, F) and their lengths (N,)"
            ) from None
        raise TrineError(f"it is damaged: {error}") from None
    except Exception as error:  # what is torn may end in any of zipfile's, zlib's and NumPy's errors
        raise TrineError(f"it is damaged: {error}") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # what is no array, NumPy gives as bytes
            raise TrineError(f"{shown(name)} in it is no array of NumPy")
    return arrays


def _check_size(archive: Any) -> None:
    """Raise :class:`TrineError` where what is compressed is more than this machine's memory."""
    size = sum(each.file_size for each in archive.infolist())
    if size > (memory := os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")):
        raise TrineError(
            f"its arrays are of {size / 2**30:.0f} GiB, and this machine has {memory / 2**30:.0f} GiB of "
            "memory"
        )


def archive_table(arrays: dict[str, NDArray[Any]], task: Task | None) -> SequenceTable:
    """The sequences of an archive's arrays, as :func:`load_arrays` describes them."""
    for name in ("x", "y"):
        if name not in arrays:
            raise TrineError(f"it has no array {name}, but {', '.join(arrays) or 'none at all'}")
    whole = arrays["x"]
    if whole.dtype.kind not in "fiub":
        raise TrineError(f"x must be numbers, not {whole.dtype}")
    x, flat = _sequences(whole, arrays.get("lengths"))
    count = len(x)
    names = _texts(arrays, "names", count) or [f"sequence {number}" for number in range(count)]
    fields = {name: _texts(arrays, name, count) for name in arrays if name not in _KNOWN}
    if "groups" in arrays:
        fields["groups"] = _texts(arrays, "groups", count)
    rate = arrays.get("sample_rate")
    targets = _targets(arrays["y"], x, flat, task)
    labels = _texts(arrays, "labels", None)
    return SequenceTable(
        x,
        targets if labels is None else _named(targets, labels),
        names,
        _inputs(arrays, x[0].shape[1]) if count else None,
        None if rate is None else _rate(rate),
        {name: values for name, values in fields.items() if values is not None},
        _texts(arrays, "outputs", None),
        labels=labels,
    )


def _sequences(x: NDArray[Any], lengths: NDArray[Any] | None) -> tuple[list[NDArray[np.float32]], bool]:
    """Sequences (T, F), and whether their steps stood in one long array."""
    x = single_precision(x)
    if lengths is None:
        if x.ndim not in (2, 3):
            raise TrineError(f"x must be of shape (N, T, F) or (N, T), or have lengths, not {x.shape}")
        return list(x if x.ndim == 3 else x[:, :, None]), False
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths.size and lengths.min() < 0):
        raise TrineError(f"lengths must be whole numbers (N,), not {lengths.dtype} {lengths.shape}")
    if x.ndim == 3:
        if len(lengths) != len(x) or (lengths.size and lengths.max() > x.shape[1]):
            raise TrineError(f"lengths must be {len(x)} numbers up to {x.shape[1]}, as x is {x.shape}")
        return [sequence[:length] for sequence, length in zip(x, lengths, strict=True)], False
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or int(lengths.sum()) != len(x):
        raise TrineError(f"lengths add up to {int(lengths.sum())}, and x is of shape {x.shape}")
    return np.split(x, np.cumsum(lengths)[:-1]) if len(lengths) else [], True


def _targets(y: NDArray[Any], x: list[NDArray[np.float32]], flat: bool, task: Task | None) -> RawTargets:
    steps = sum(len(sequence) for sequence in x)
    of_classes = y.dtype.kind in "iubUS"
    if task == "label" or (task is None and of_classes):
        if flat and y.ndim == 1 and len(y) == steps and (task == "label" or steps != len(x)):
            names = class_names(y, "y")
            bounds = np.cumsum([0, *map(len, x)])
            return [names[a:b] for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
        if y.ndim == 2 and len(y) == len(x) and not flat:
            rows = zip(y, x, strict=True)
            if all(len(row) >= len(sequence) for row, sequence in rows):
                return [class_names(row[: len(sequence)], "y") for row, sequence in zip(y, x, strict=True)]
        if task == "label":
            raise TrineError(f"y must be one class a step for the task label, not of shape {y.shape}")
    if y.ndim not in (1, 2) or len(y) != len(x):
        raise TrineError(f"y must have one entry for each of {len(x)} sequences, not the shape {y.shape}")
    return typed_targets(y, task, "y")


def _named(targets: RawTargets, labels: list[str]) -> RawTargets:
    """Classes that are given as numbers of labels, by the labels."""
    if isinstance(targets, np.ndarray):
        raise TrineError("labels are names of classes, and y holds the real numbers of a regression")
    if not labels or len(set(labels)) < len(labels) or "" in labels:
        raise TrineError(f"labels must be different names, one a class, not {shown(labels)}")
    names = {str(number): label for number, label in enumerate(labels)}
    try:
        return [
            names[entry] if isinstance(entry, str) else [names[each] for each in entry] for entry in targets
        ]  # type: ignore[return-value]
    except KeyError as error:
        raise TrineError(
            f"y holds the class {shown(error.args[0])}, and with {len(labels)} labels it must hold numbers "
            f"from 0 to {len(labels) - 1}"
        ) from None


def _texts(arrays: dict[str, NDArray[Any]], name: str, count: int | None) -> list[str] | None:
    if name not in arrays:
        return None
    array = arrays[name]
    if array.ndim != 1 or (count is not None and len(array) != count):
        many = "a list" if count is None else f"{count} values, one a sequence"
        hint = "; names of classes are in the array labels" if name == "names" else ""
        raise TrineError(f"{name} must be {many}, not of shape {array.shape}{hint}")
    return texts_of(array, name)


def _inputs(arrays: dict[str, NDArray[Any]], features: int) -> list[InputSpec] | None:
    names, units = _texts(arrays, "inputs", None), _texts(arrays, "units", None)
    if names is None:
        return None
    units = units or [""] * len(names)
    if len(names) != features or len(units) != features:
        raise TrineError(f"inputs and units must be {features} names, as x has {features} features")
    return [InputSpec(name, unit) for name, unit in zip(names, units, strict=True)]


def _rate(value: NDArray[Any]) -> float:
    if value.size != 1 or value.dtype.kind not in "iuf":
        raise TrineError(f"sample_rate must be one number, not {shown(value.tolist())}")
    rate = finite_real(value.item(), "sample_rate")
    if rate <= 0:
        raise TrineError(f"sample_rate must be above 0, not {rate}")
    return rate
