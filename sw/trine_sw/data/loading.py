"""Loading of sequences: from a source to the splits that a model is trained, chosen and tested on."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from trine_sw.data.arrays import load_arrays
from trine_sw.data.audio import audio_files, load_audio
from trine_sw.data.paths import data_path
from trine_sw.data.sequence_table import SequenceTable, labels_in
from trine_sw.data.sequences import SequenceSet
from trine_sw.data.source import FrontEnd, SequenceSource, SourceFormat
from trine_sw.data.splits import held_out
from trine_sw.data.table_file import load_table
from trine_sw.data.timeseries import load_timeseries
from trine_sw.model.task import Task
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import read_whole

__all__ = ["load_sequences", "load_splits", "source_digest", "source_format"]

_GROUP = ("group", "groups", "speaker", "subject")


def load_splits(source: SequenceSource, task: Task | None = None) -> dict[str, SequenceSet]:
    """The splits of a source: ``"train"``, and ``"valid"`` and ``"test"`` where they are held out.

    Parameters
    ----------
    source : where the sequences are.
    task : what the targets are; None: as they look, real numbers or classes.

    Raises
    ------
    TrineError
        That names the file, sequence or group: where something cannot be read, a split would be empty, there
        is one class to train on, or a file of a split has other features or classes.

    Notes
    -----
    Equal sequences lie in one split, where splits are drawn. Classes are numbered as the file's labels say,
    or by name, numbers within names by size; all splits have the same.
    """
    table = load_sequences(source, task)
    group = _group(source, table)
    labels = table.labels or labels_in(table.targets)
    left = np.arange(len(table.x))
    splits: dict[str, SequenceSet] = {}
    for name, part in (("test", source.test), ("valid", source.valid)):
        if part is None:
            continue
        if part.path is not None:
            splits[name] = _own_file(source, part.path, task, table, labels)
            continue
        try:
            chosen = held_out(table, part, left, source.seed, group, name)
        except TrineError as error:
            raise TrineError(f"{source.path}: {error}") from None
        if not chosen.size:
            raise TrineError(f"{source.path}: no sequence is held out for {name}")
        left = np.setdiff1d(left, chosen)
        splits[name] = table.as_set(labels, group).of(chosen)
    if not left.size:
        raise TrineError(f"{source.path}: all sequences are held out, and none is left to train on")
    train = table.as_set(labels, group).of(left)
    _check_classes(source, train)
    return {"train": train, **dict(reversed(splits.items()))}


def load_sequences(source: SequenceSource, task: Task | None = None) -> SequenceTable:
    """All sequences of a source's path, as the file has them."""
    path = data_path(source.path)
    kind = source_format(source)
    if kind == "audio":
        table = load_audio(path, source.front_end, source.names, task)
    elif kind == "arrays":
        table = load_arrays(path, task)
    elif kind == "table":
        table = load_table(path, source.columns, task, source.group)
    else:
        table = load_timeseries(path, task)
    if source.sample_rate is not None:
        if kind == "audio":
            raise TrineError("of audio, sample_rate is set in [data.front_end]")
        table = replace(table, sample_rate=float(source.sample_rate))
    return table


def source_format(source: SequenceSource) -> SourceFormat:
    """The format of a source's files; :class:`TrineError` where the name does not say."""
    if source.format is not None:
        return source.format
    formats: dict[str, SourceFormat] = {".npz": "arrays", ".csv": "table", ".ts": "timeseries"}
    if data_path(source.path).is_dir():
        return "audio"
    suffix = Path(source.path).suffix.lower()
    if suffix not in formats:
        known = ", ".join(formats)
        raise TrineError(f"{source.path} is neither one of {known} nor a folder of audio files")
    return formats[suffix]


def source_digest(source: SequenceSource) -> str:
    """SHA-256 of the names and the contents of all files of a source, in hexadecimal."""
    parts = (part for part in (source.valid, source.test) if part is not None and part.path is not None)
    whole = hashlib.sha256()
    for path in (source.path, *(part.path or "" for part in parts)):
        place = data_path(path)
        for file in audio_files(place) if place.is_dir() else [place]:
            name = str(file.relative_to(place)) if place.is_dir() else file.name
            whole.update(name.encode("utf-8", "surrogateescape") + b"\0")
            whole.update(hashlib.sha256(read_whole(file)).digest())
    return whole.hexdigest()


def _own_file(
    source: SequenceSource, path: str, task: Task | None, table: SequenceTable, labels: list[str] | None
) -> SequenceSet:
    """A split in a file or folder of its own, with the training set's features and classes."""
    # Audio of another rate is resampled to that of the training set.
    front_end = None if table.front_end is None else FrontEnd.from_json(table.front_end)
    if isinstance(table.targets, np.ndarray):
        task = "regress"
    other = load_sequences(replace(source, path=path, front_end=front_end), task)
    if other.x[0].shape[1] != table.x[0].shape[1]:
        raise TrineError(f"{path} has {other.x[0].shape[1]} features and {source.path} {table.x[0].shape[1]}")
    if isinstance(other.targets, np.ndarray) and isinstance(table.targets, np.ndarray):
        if other.targets.shape[1] != table.targets.shape[1]:
            raise TrineError(f"{path} has {other.targets.shape[1]} targets, not {table.targets.shape[1]}")
    elif isinstance(other.targets, np.ndarray) != isinstance(table.targets, np.ndarray):
        raise TrineError(f"{path} has other targets than {source.path}: classes in one, numbers in the other")
    try:
        return other.as_set(labels, _group(source, other))
    except TrineError as error:
        raise TrineError(f"{path}: {error} of {source.path}") from None


def _group(source: SequenceSource, table: SequenceTable) -> str | None:
    if source.group is not None:
        table.field(source.group)  # refuses one that is not there
        return source.group
    return next((name for name in _GROUP if name in table.fields), None)


def _check_classes(source: SequenceSource, train: SequenceSet) -> None:
    if train.task == "regress":
        if not np.ptp(np.asarray(train.y), axis=0).any():
            raise TrineError(
                f"{source.path}: the targets of all sequences are the same: nothing is to be learned"
            )
        return
    y = train.y if isinstance(train.y, list) else [train.y]
    seen = np.unique(np.concatenate(y))
    assert train.labels is not None
    if len(seen) < 2:
        raise TrineError(
            f"{source.path} has one class to train on, {train.labels[seen[0]]!r}: a model that tells classes "
            "apart needs two at least"
        )
