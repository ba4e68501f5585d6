"""Windows: sequences of a file for a model that is there, and what it should say of them, where known."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.data.arrays import archive_table, read_archive
from trine_sw.data.audio import audio_files, load_audio, read_audio
from trine_sw.data.loading import data_path, load_sequences, load_splits, source_digest
from trine_sw.data.sequence_table import SequenceTable
from trine_sw.data.sequences import SequenceSet, Targets
from trine_sw.data.source import FrontEnd, SequenceSource
from trine_sw.data.table_file import load_table
from trine_sw.model import Model
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError
from trine_sw.support.plain_values import from_plain

__all__ = ["Windows", "load_split", "load_windows", "source_of", "windows_of"]

_AUDIO = (".wav", ".flac")


@dataclass(frozen=True)
class Windows:
    """Sequences and their targets.

    Members
    -------
    x : list of arrays (T, F), or of trits, int8 (T, E), for a model without an encoder
    y : classes (N,), classes (T,) of each, or numbers (N, K), as the model numbers them; None: not known
    names : of each sequence, for messages
    """

    x: list[NDArray[Any]]
    y: Targets | None
    names: list[str]


def load_windows(path: str | os.PathLike[str], model: Model, *, targets: bool = False) -> Windows:
    """Read all sequences of a file or folder as a model takes them, wherever a recipe's data may be.

    Audio, in a folder or one file, goes through the front end in the model file. What a table's columns and
    the names of audio files mean is as it was in training, where the model file says it.

    Parameters
    ----------
    targets : whether there must be targets; otherwise they may be missing.

    Raises
    ------
    TrineError
        For what cannot be read, other features than the model's, and classes that are not its.
    """
    place = data_path(path)
    source = replace(_hints(model), path=str(place))
    try:
        table, known = _read(place, source, model, targets)
        return Windows(_inputs(model, table.x), _targets(model, table) if known else None, table.names)
    except TrineError as error:
        raise TrineError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def load_split(model: Model, split: str, path: str | os.PathLike[str] | None = None) -> Windows:
    """Read a split of the data that a model was trained on, from where its file says that this is.

    Parameters
    ----------
    path : another file or folder, of which splits are as in training.

    Raises
    ------
    TrineError
        Where the model file does not say it, the data is no longer the same, or there is no such split.
    """
    source = source_of(model)
    if path is not None:
        source = replace(source, path=os.fspath(path))
    elif model.data.get("digest") != source_digest(source):
        raise TrineError(
            f"{source.path} is not what the model was trained on (its digest is another): --data "
            f"{source.path} measures what is in it now"
        )
    splits = load_splits(source, model.task)
    if split not in splits:
        raise TrineError(f"there is no split {shown(split)}; there are: {', '.join(splits)}")
    return windows_of(splits[split], model)


def windows_of(sequences: SequenceSet, model: Model) -> Windows:
    """The same sequences, with their classes as a model numbers them."""
    return Windows(_inputs(model, sequences.x), _numbered(model, sequences), sequences.names)


def source_of(model: Model) -> SequenceSource:
    """Where a model's data is, as its file says; :class:`TrineError` where it does not."""
    described = model.data.get("source")
    if described is None:
        raise TrineError("the model file does not say where its data is: give a file, by --data")
    return from_plain(SequenceSource, described, "data.source")


def _hints(model: Model) -> SequenceSource:
    """What the model file says of its data's form, without what lies where."""
    source = source_of(model) if "source" in model.data else SequenceSource(path="data")
    front_end = FrontEnd.from_json(model.front_end) if model.front_end is not None else None
    return replace(source, format=None, valid=None, test=None, front_end=front_end)


def _read(place: Path, source: SequenceSource, model: Model, wanted: bool) -> tuple[SequenceTable, bool]:
    """The sequences, and whether their targets are known."""
    suffix = place.suffix.lower()
    if suffix == ".npz":
        arrays = read_archive(place)
        known = "y" in arrays
        if wanted and not known:
            raise TrineError("it has no array y: what the model should say is not known")
        if not known and "x" in arrays:
            for name in ("labels", "outputs"):  # of targets that are not there
                arrays.pop(name, None)
            arrays["y"] = np.zeros(np.atleast_1d(arrays.get("lengths", arrays["x"])).shape[0])
        return archive_table(arrays, model.task if known else "regress"), known
    if suffix == ".csv":
        try:
            return load_table(place, source.columns, model.task, source.group), True
        except TrineError:
            if wanted:
                raise
        return load_table(place, source.columns, model.task, None, targets=False), False
    if suffix in _AUDIO or place.is_dir():
        if source.front_end is None:
            raise TrineError("the model file has no front end: it takes features, and no audio")
        try:
            return load_audio(place, source.front_end, source.names, model.task), True
        except TrineError:
            if wanted:
                raise
        return _bare_audio(place, source.front_end), False
    return load_sequences(replace(source, sample_rate=None), model.task), True


def _bare_audio(place: Path, front_end: FrontEnd) -> SequenceTable:
    """Recordings of which nothing is known but their sound."""
    files = audio_files(place) if place.is_dir() else [place]
    x = []
    for file in files:
        try:
            x.append(front_end.features(*read_audio(file)))
        except TrineError as error:
            raise TrineError(str(error) if str(file) in str(error) else f"{file}: {error}") from None
    return SequenceTable(x, np.zeros((len(x), 1)), [file.name for file in files])


def _inputs(model: Model, x: list[NDArray[np.float32]]) -> list[NDArray[Any]]:
    """Features, or the trits that these are for a model without an encoder."""
    if model.encoder is not None:
        if x[0].shape[1] != model.encoder.features:
            raise TrineError(
                f"its sequences have {x[0].shape[1]} features, and the model takes {model.encoder.features}"
            )
        return list(x)
    for number, each in enumerate(x):
        if not np.isin(each, (-1, 0, 1)).all():
            raise TrineError(
                f"sequence {number} has numbers that are no trits, and the model has no encoder for features"
            )
    return [each.astype(np.int8) for each in x]


def _targets(model: Model, table: SequenceTable) -> Targets:
    labels = model.labels or [str(number) for number in range(model.config.vocab_size)]
    return _numbered(model, table.as_set(None if isinstance(table.targets, np.ndarray) else labels))


def _numbered(model: Model, found: SequenceSet) -> Targets:
    """Targets as the model numbers them."""
    if found.task != model.task:
        raise TrineError(f"the model's task is {model.task!r}, and the targets are those of {found.task!r}")
    if found.task == "regress":
        if np.shape(found.y)[1] != model.config.vocab_size:
            raise TrineError(
                f"there are {np.shape(found.y)[1]} targets, and the model has {model.config.vocab_size}"
            )
        return found.y
    if model.labels is None or found.labels is None or found.labels == model.labels:
        return found.y
    places = np.array([model.labels.index(label) if label in model.labels else -1 for label in found.labels])
    if (places < 0).any():
        raise TrineError(f"the class {shown(found.labels[int(np.argmin(places))])} is not one of the model's")
    return (
        [places[each] for each in found.y] if isinstance(found.y, list) else places[found.y.astype(np.int64)]
    )
