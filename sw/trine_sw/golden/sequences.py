"""Sequences of different lengths through the golden model, many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.golden.golden import Golden, State
from trine_sw.golden.readout import Outputs, Readout
from trine_sw.model import HeadKind, Model
from trine_sw.model.inputs import input_trits
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["numbered_sequences", "run_sequences", "sequence_trits"]

#: Bytes of the largest array that is made at once, about.
_ROOM = 1 << 26
_MOST_STREAMS = 1024


def run_sequences(
    model: Model, sequences: Iterable[ArrayLike], *, head_kind: HeadKind | None = None
) -> Outputs:
    """What a model makes of each sequence, from the zero state on.

    Sequences are sorted by length and computed in batches; the outputs are in the given order, and are those
    of each sequence alone.

    Parameters
    ----------
    model : Model
        Its task is not language.
    sequences : iterable of array (T, F) or (T, E)
        Real features, or int16 samples, for the model's encoder; or trits, of any other integer type.
        ``T >= 1``, and may differ.
    head_kind : {"float", "ternary"}, optional
        Of a model with two heads, the float one by default.

    Raises
    ------
    TrineError
        If the model has no such head, or a sequence is none of its inputs; names the first such one.
    """
    golden, readout = Golden(model), Readout(model, head_kind)
    given = list(sequence_trits(model, sequences))
    lengths = np.array([len(sequence) for sequence in given], np.int64)
    found: list[NDArray[Any]] = [np.empty(0, np.int64)] * len(given)
    for batch in _batches(model, lengths):
        for number, result in zip(batch, _run(golden, readout, [given[n] for n in batch]), strict=True):
            found[number] = result
    return readout.outputs(found)


def sequence_trits(model: Model, sequences: Iterable[ArrayLike]) -> Iterator[NDArray[np.int8]]:
    """The trits (T, E) of each sequence; raises :class:`TrineError` that says which one is wrong."""
    for name, sequence in numbered_sequences(sequences):
        try:
            trits, _ = input_trits(model, sequence)
        except TrineError as error:
            raise TrineError(f"{name}: {error}") from None
        yield trits


def numbered_sequences(sequences: Iterable[ArrayLike]) -> Iterator[tuple[str, ArrayLike]]:
    """Each of several sequences, and its name in messages."""
    if isinstance(sequences, str | bytes) or not isinstance(sequences, Iterable):
        raise TrineError(f"sequences must be arrays (T, F), not {shown(sequences)}")
    if isinstance(sequences, np.ndarray) and sequences.ndim in (0, 2):
        raise TrineError(f"sequences must be several arrays (T, F), not one of shape {sequences.shape}")
    for number, sequence in enumerate(sequences):
        yield f"sequence {number}", sequence


def _batches(model: Model, lengths: NDArray[np.int64]) -> Iterator[list[int]]:
    """Numbers of sequences, the longest first, as many at a time as there is room for."""
    order = np.argsort(-lengths, kind="stable").tolist()
    start = 0
    while start < len(order):
        steps = min(int(lengths[order[start]]), _steps(model, 1))
        count = min(_MOST_STREAMS, max(1, _steps(model, 1) // steps))
        yield order[start : start + count]
        start += count


def _steps(model: Model, streams: int) -> int:
    """Steps of so many streams that are computed at once."""
    config = model.config
    return max(1, _ROOM // (4 * max(config.rows, config.cells, config.embedding) * streams))


def _run(golden: Golden, readout: Readout, trits: list[NDArray[np.int8]]) -> list[NDArray[Any]]:
    """What is found of each sequence, as :meth:`Readout.outputs` takes it; the longest stands first."""
    model = golden.model
    lengths = np.array([len(each) for each in trits])
    total = np.zeros((len(trits), model.config.hidden), np.int64)
    labels: list[list[NDArray[np.int64]]] = [[] for _ in trits]
    state: State | None = None
    chunk = _steps(model, len(trits))
    for start in range(0, int(lengths[0]), chunk):
        x = np.zeros((min(chunk, int(lengths[0]) - start), len(trits), model.config.embedding), np.int8)
        here = np.clip(lengths - start, 0, len(x))  # steps of each sequence that are in this chunk
        for number, each in enumerate(trits):
            x[: here[number], number] = each[start : start + here[number]]
        trace = golden.run_vectors(x, state, logits=False)
        state = trace.state
        if model.task == "label":
            for number, steps in enumerate(here.tolist()):
                labels[number].append(readout.classes(readout.logits(trace.u[:steps, number])))
        elif model.reduction == "sum":
            inside = np.arange(len(x))[:, None, None] < here[None, :, None]
            total += np.sum(trace.u, axis=0, dtype=np.int64, where=inside)
        else:
            ends = np.flatnonzero((lengths > start) & (lengths <= start + len(x)))
            total[ends] = trace.u[lengths[ends] - 1 - start, ends]
    if model.task == "label":
        return [np.concatenate(parts) for parts in labels]
    return list(readout.logits(total, lengths if model.reduction == "sum" else np.ones_like(lengths)))
