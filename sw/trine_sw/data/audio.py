"""Sequences in folders of audio files, WAV or FLAC, of which folder or name says the class."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.data.front_end import FrontEnd
from trine_sw.data.sequence_table import RawTargets, SequenceTable, typed_targets
from trine_sw.model.task import Task
from trine_sw.support.errors import TrineError
from trine_sw.support.installing import needed
from trine_sw.support.reading import read_whole

__all__ = ["audio_files", "load_audio", "read_audio"]

_SUFFIXES = (".wav", ".flac")
_UNKNOWN_SIZE = 0x7FFF0000  # from there on, what a program that writes into a pipe puts as the size


def load_audio(
    folder: str | os.PathLike[str],
    front_end: FrontEnd | None = None,
    names: str | None = None,
    task: Task | None = None,
) -> SequenceTable:
    """Read recordings below a folder as features.

    Parameters
    ----------
    folder : of ``.wav`` and ``.flac`` files; other files are left out.
    front_end : how audio becomes features. Several channels become their mean.
    names : pattern of the files' names without ending, such as ``"{label}_{speaker}_{index}"``; what stands
        in braces is a field, and one is the ``label``. Without it, the folder that a file lies in is its
        label.

    Raises
    ------
    TrineError
        That names the file: where there is none, one is no audio, has another sample rate than the others or
        does not match the pattern.
    """
    if task == "label":
        raise TrineError(f"{folder}: a recording has one class or number, not one for each step")
    front_end = front_end or FrontEnd()
    files = audio_files(folder)
    fields = _name_fields(files, names) if names is not None else _folder_fields(files, Path(folder))
    x: list[NDArray[np.float32]] = []
    first_rate = 0
    for path in files:
        samples, rate = read_audio(path)
        first_rate = first_rate or rate
        if front_end.sample_rate is None and rate != first_rate:
            raise TrineError(
                f"{path} has {rate} samples a second and {files[0]} {first_rate}: resample all to one rate "
                f"with sample_rate = {min(rate, first_rate)} in [data.front_end] of a recipe "
                "(trine init audio -o my.toml)"
            )
        try:
            x.append(front_end.features(samples, rate))
        except TrineError as error:
            raise TrineError(f"{path}: {error}") from None
    rate = front_end.sample_rate or first_rate
    targets: RawTargets = typed_targets(fields.pop("label"), task or "classify", f"{folder}: labels")
    described = front_end.as_json() | {"sample_rate": rate}  # what the model was trained on
    return SequenceTable(
        x,
        targets,
        [str(path.relative_to(folder)) for path in files],
        front_end.inputs(),
        rate / front_end.hop(rate),
        fields,
        front_end=described,
    )


def audio_files(folder: str | os.PathLike[str]) -> list[Path]:
    """The WAV and FLAC files below a folder, by name; :class:`TrineError` where there is none."""
    root = Path(folder)
    if not root.is_dir():
        raise TrineError(f"{folder} is no folder of audio files")
    try:
        found = sorted(
            path
            for path in root.rglob("*")
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
    except OSError as error:
        raise TrineError(f"cannot read {folder}: {error.strerror or error}") from None
    if not found:
        raise TrineError(f"there is no .wav or .flac file in {folder}")
    return found


def read_audio(path: str | os.PathLike[str]) -> tuple[NDArray[np.float64], int]:
    """Samples (n,) and sample rate of a WAV or FLAC file; the mean of its channels."""
    data = read_whole(path)
    with needed("soundfile", "data", "reading audio"):
        import soundfile
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            samples, rate = file.read(dtype="float64", always_2d=True), file.samplerate
            log = file.extra_info
    except Exception as error:  # soundfile's own, and of what it makes of a torn header
        reason = re.sub(r"^Error opening .*?>: ", "", " ".join(str(error).split())) or type(error).__name__
        raise TrineError(f"{path} is no audio file that can be read: {reason}") from None
    if not samples.size:
        raise TrineError(f"{path} has no sample; leave it out")
    torn = re.search(r"^data : (\d+) \(should be (\d+)\)", log, re.MULTILINE)
    if torn and int(torn[2]) < int(torn[1]) < _UNKNOWN_SIZE:
        raise TrineError(
            f"{path} is cut short: {torn[2]} bytes of {torn[1]} are there; copy it again, or leave it out"
        )
    return samples.mean(axis=1), int(rate)


def _folder_fields(files: list[Path], folder: Path) -> dict[str, list[str]]:
    labels = [path.parent.name if path.parent != folder else "" for path in files]
    if "" in labels:
        lone = files[labels.index("")]
        raise TrineError(
            f"{lone} lies in no folder of its class: make one folder a class, or say what the names mean, as "
            'with names = "{label}_{speaker}_{index}"'
        )
    return {"label": labels}


def _name_fields(files: list[Path], names: str) -> dict[str, list[str]]:
    pattern, found = _pattern(names), []
    for path in files:
        match = pattern.fullmatch(path.stem)
        if match is None:
            raise TrineError(f"the name of {path} is not of the form {names}")
        found.append(match.groupdict())
    return {field: [each[field] for each in found] for field in pattern.groupindex}


def _pattern(names: str) -> re.Pattern[str]:
    """A pattern such as ``"{label}_{index}"`` as a regular expression; a field is as short as can be."""
    parts: list[Any] = re.split(r"\{(\w+)\}", names)
    fields = parts[1::2]
    if "label" not in fields or len(set(fields)) != len(fields) or not all(map(str.isidentifier, fields)):
        raise TrineError(f'names must be as "{{label}}_{{speaker}}_{{index}}", not {names!r}')
    made = (f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
    return re.compile("".join(made))
