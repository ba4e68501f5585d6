"""Windows: whole sequences through a board, each from the zero state, as requests and as outputs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.driver.exchange import Request
from trine_sw.driver.requests import Requests
from trine_sw.golden.readout import Readout
from trine_sw.golden.sequences import numbered_sequences
from trine_sw.link.protocol import Command, Want
from trine_sw.model import HeadKind, Model
from trine_sw.model.inputs import input_trits
from trine_sw.support.errors import TrineError

__all__ = ["SequenceOutput", "Windows", "classes_of", "values_of"]

#: Bytes of answers to steps that nobody asked about, for which a frame of their own would cost as much.
_UNASKED = 32


class SequenceOutput(NamedTuple):
    """What a sequence gave.

    Members
    -------
    classes : int of the task ``"classify"``, int64 (T,) of ``"label"``, None of a regression
    logits : (K,) after the reduction, where they were asked for or are at hand; None of ``"label"``
    values : float64 (K,) of a regression, otherwise None
    """

    classes: Any
    logits: NDArray[Any] | None
    values: NDArray[np.float64] | None


@dataclass
class _Frame:
    """A request whose reply is awaited: its steps, what they are asked for, and whether a window ends."""

    steps: int
    asked: Want
    ends: bool


class Windows:
    """Requests for sequences, and the outputs that their replies make.

    Each sequence begins with RESET, and its steps are asked for what the readout needs of them alone: with
    the reduction ``"last"``, of the last step. Frames are in flight together, of several sequences too.

    Parameters
    ----------
    requests : of the board
    model : its model, with whatever the board does not hold
    head_kind : which of the model's heads
    logits : whether logits are wanted where a class is enough
    """

    def __init__(self, requests: Requests, model: Model, head_kind: HeadKind | None, *, logits: bool) -> None:
        self._requests = requests
        self._readout = readout = Readout(model, head_kind)
        self._model = model
        codec, on_board = requests.codec, readout.kind == "ternary" and requests.info.head_on_board
        every, task = readout.every_step, model.task
        if not on_board:
            self._asked = Want.U
        elif task == "label" or (task == "classify" and not every and not logits):
            self._asked = Want.CHOICE
        elif every and codec.record_bytes(Want.U) < codec.record_bytes(Want.LOGITS):
            self._asked = Want.U
        else:
            self._asked = Want.LOGITS
        assert self._asked.name
        self._name = self._asked.name.lower()
        self._names = frozenset((self._name,))
        self._most = requests.sizes(self._asked)  # refuses what no frame can hold
        self._most_unasked = requests.sizes(Want(0))
        self._record = codec.record_bytes(self._asked)
        self._sent: deque[_Frame] = deque()
        self._begin()

    def series(self, sequences: Iterable[ArrayLike]) -> Iterator[Request]:
        """The requests."""
        requests = self._requests
        for name, sequence in numbered_sequences(sequences):
            try:
                trits, samples = input_trits(self._model, sequence)
            except TrineError as error:
                raise TrineError(f"{name}: {error}") from None
            self._sent.append(_Frame(0, Want(0), False))
            yield Command.RESET, b""
            requests.previous, start = None, 0
            items, size = requests.items(trits), requests.codec.item_bytes
            while start < len(trits):
                count, asked = self._next(len(trits) - start)
                part = items[start * size : (start + count) * size]
                start += count
                self._sent.append(_Frame(count, asked, start == len(trits)))
                yield Command.STEP, bytes([int(asked)]) + part
                requests.previous = None if samples is None else samples[start - 1]

    def _next(self, left: int) -> tuple[int, Want]:
        """How many of the steps that are left go into the next frame, and what they are asked for."""
        most = self._most()
        if self._readout.every_step:
            return min(left, most), self._asked
        unasked = (left - 1) * self._record
        if left == 1 or (left <= most and unasked <= _UNASKED):
            return left, self._asked
        return min(left - 1, self._most_unasked()), Want(0)

    def decode(self, payloads: list[bytes]) -> list[SequenceOutput]:
        """The outputs of sequences that are complete with these replies."""
        frames = [self._sent.popleft() for _ in payloads]
        asked = [index for index, frame in enumerate(frames) if frame.asked]
        counts = deque(frames[index].steps for index in asked)
        block = self._requests.decode_steps(
            [payloads[index] for index in asked], counts, self._asked, self._names
        )
        rows, start, outputs = getattr(block, self._name), 0, []
        for frame in frames:
            if frame.asked:
                end = start + frame.steps
                self._take(rows[start if self._readout.every_step else end - 1 : end])
                start = end
            if frame.ends:
                outputs.append(self._output())
                self._begin()
        return outputs

    def _begin(self) -> None:
        self._steps = 0
        self._total: NDArray[Any] | int = 0  # of u, or of logits
        self._classes: list[NDArray[np.int64]] = []

    def _take(self, rows: NDArray[Any]) -> None:
        """Choices (n,), or u or logits (n, ...), of steps in a row."""
        self._steps += len(rows)
        if self._asked is Want.CHOICE:
            self._classes.append(rows)
        elif self._model.task == "label":
            self._classes.append(self._readout.classes(self._readout.logits(rows)))
        else:
            self._total = self._total + rows.sum(axis=0, dtype=np.int64)

    def _output(self) -> SequenceOutput:
        task, readout = self._model.task, self._readout
        if task == "label":
            return SequenceOutput(np.concatenate(self._classes), None, None)
        if self._asked is Want.CHOICE:
            return SequenceOutput(int(self._classes[-1][-1]), None, None)
        assert isinstance(self._total, np.ndarray)
        logits = readout.logits(self._total, self._steps) if self._asked is Want.U else self._total
        if task == "regress":
            return SequenceOutput(None, logits, readout.values(logits))
        return SequenceOutput(int(readout.classes(logits)), logits, None)


def classes_of(
    model: Model | None, found: list[SequenceOutput]
) -> NDArray[np.int64] | list[NDArray[np.int64]]:
    """The classes of sequences together, as :meth:`trine_sw.driver.board.Board.classify` gives them."""
    if model is not None and model.task == "regress":
        raise TrineError("the model is of a regression, which has values and no classes: take regress()")
    classes = [each.classes for each in found]
    return classes if model is not None and model.task == "label" else np.array(classes, np.int64)


def values_of(model: Model | None, found: list[SequenceOutput]) -> NDArray[np.float64]:
    """The values of sequences together, (N, K)."""
    assert model is not None
    if model.task != "regress":
        raise TrineError(
            f"the model's task is {model.task!r}, and it has classes, not values: take classify()"
        )
    return np.array([each.values for each in found], np.float64).reshape(len(found), model.config.vocab_size)
