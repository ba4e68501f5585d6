"""Samples of a model's inputs, on which cycles are counted: from a data set, a file, or the model file."""

from __future__ import annotations

import os

from trine_sw.data.evaluation import split_tokens, text_of
from trine_sw.data.source import SequenceSource
from trine_sw.data.windows import load_split, load_windows, source_of
from trine_sw.fit.sample import Sample, first_steps, sample_text
from trine_sw.golden.sequences import sequence_trits
from trine_sw.model import Model
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError

__all__ = ["sample_of"]


def sample_of(
    model: Model,
    count: int,
    *,
    dataset: str | None = None,
    data: str | os.PathLike[str] | None = None,
    split: str | None = None,
) -> Sample:
    """The first ``count`` steps at most of a model's inputs, and its states.

    Parameters
    ----------
    dataset : name of a data set, for a language model
    data : a text file or, of other tasks, a file or folder of sequences
    split : of the data; by default ``"valid"`` of a text, and all of a file of sequences

    Without any of them, the inputs are text that a language model writes or, of other models, the sample in
    the model file, the test split of the data that the file names where it has no sample, and random trits
    where it says nothing. With ``split`` alone they are of the data that the model file names.

    Raises
    ------
    TrineError
        For data that cannot be read, or is not of the model's task.
    """
    count = integer(count, "the count", 1)
    if dataset is not None and data is not None:
        raise TrineError("give --dataset or --data, not both")
    if model.task != "language":
        if dataset is not None:
            raise TrineError(f"the model's task is {model.task!r}: its sequences are given by --data")
        return _of_sequences(model, count, data, split)
    if dataset is None and data is None and split is None:
        return sample_text(model, count)
    if model.embedding_weight is None:
        raise TrineError(
            "the model has no embedding, and reads no text: leave --dataset, --data and --split out"
        )
    split = split or "valid"
    source = dataset or text_of(model, data)
    return Sample.of(model, split_tokens(model, source, split)[:count], f"{source}, {split}")


def _of_sequences(model: Model, count: int, data: str | os.PathLike[str] | None, split: str | None) -> Sample:
    if data is None and split is None:
        if model.sample is not None or "source" not in model.data:
            return sample_text(model, count)
        source: SequenceSource = source_of(model)
        split = "test" if source.test is not None else "train"
    if split is None:
        assert data is not None
        windows, where = load_windows(data, model), os.fspath(data)
    else:
        windows = load_split(model, split, data)
        where = f"{source_of(model).path if data is None else os.fspath(data)}, {split}"
    given = first_steps(list(sequence_trits(model, windows.x)), count)
    return Sample.of_sequences(model, given, f"{sum(map(len, given))} steps of {where}")
