"""Windows: whole sequences through a board, each from the zero state, as requests and as outputs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.driver.exchange import Request
from trine_sw.driver.requests import Requests
from trine_sw.driver.sequence_frames import Asked, ResetFrames, SegmentFrames, Sent
from trine_sw.golden.readout import Readout
from trine_sw.golden.sequences import numbered_sequences
from trine_sw.link.protocol import Feature, Form, Want
from trine_sw.link.records import most_summed
from trine_sw.model import HeadKind, Model
from trine_sw.model.inputs import input_trits
from trine_sw.support.errors import TrineError

__all__ = ["SequenceOutput", "Windows", "classes_of", "values_of"]


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


class Windows:
    """Requests for sequences, and the outputs that their replies make.

    A board that takes sequences has several in a frame, and answers them by what the readout needs alone.
    Otherwise each begins with RESET, and with the reduction ``"last"`` its last step alone is asked. Frames
    are in flight together.

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
        every = readout.every_step
        usual = Asked(self._needed(every=every, logits=logits), every)
        requests.sizes(usual.want)  # refuses what no frame can hold
        self._sent: deque[Sent] = deque()
        self._frames: ResetFrames | SegmentFrames = ResetFrames(requests, self._sent)
        in_segments = usual._replace(form=Form.SEQUENCES if every else Form.SEQUENCES | Form.LAST)
        if SegmentFrames.serves(requests, in_segments):
            self._frames, usual = SegmentFrames(requests, self._sent), in_segments
        self._usual = usual
        self._summed: Asked | None = None  # of a sequence whose logits the board can add up
        if every and model.task != "label" and self._on_board and requests.info.has(Feature.SUMS):
            form = Form.SEQUENCES | Form.LAST | Form.SUM
            summed = Asked(self._needed(every=False, logits=logits), False, form)
            self._summed = summed if SegmentFrames.serves(requests, summed) else None
        self._begin()

    @property
    def _on_board(self) -> bool:
        """Whether the head is on the board."""
        return self._readout.kind == "ternary" and self._requests.info.head_on_board

    def _needed(self, *, every: bool, logits: bool) -> Want:
        """What of each step, or of a sequence, the outputs are made of."""
        codec, task = self._requests.codec, self._model.task
        if not self._on_board:
            return Want.U
        if task == "label" or (task == "classify" and not every and not logits):
            return Want.CHOICE
        if every and codec.record_bytes(Want.U) < codec.record_bytes(Want.LOGITS):
            return Want.U
        return Want.LOGITS

    def series(self, sequences: Iterable[ArrayLike]) -> Iterator[Request]:
        """The requests."""
        most = most_summed(self._requests.info.logit_bits)
        try:
            for name, sequence in numbered_sequences(sequences):
                try:
                    trits, samples = input_trits(self._model, sequence)
                except TrineError as error:
                    raise TrineError(f"{name}: {error}") from None
                asked = self._summed if self._summed and len(trits) <= most else self._usual
                yield from self._frames.add(trits, samples, asked)
        except Exception:  # it comes after the outputs of all sequences before it
            yield from self._frames.flush()
            raise
        yield from self._frames.flush()

    def decode(self, payloads: list[bytes]) -> list[SequenceOutput]:
        """The outputs of sequences that are complete with these replies."""
        sent = [self._sent.popleft() for _ in payloads]
        outputs = []
        replies = zip(sent, payloads, strict=True)
        for asked, group in groupby(replies, key=lambda reply: reply[0].asked):
            answered = [(request, payload) for request, payload in group if request.parts]
            rows = self._rows(asked, [each for each in answered if each[0].records])
            start = 0
            for part in chain.from_iterable(request.parts for request, _ in answered):
                if part.taken:
                    start += part.skipped
                    self._take(asked, rows[start : start + part.taken])
                    start += part.taken
                if part.ends:
                    outputs.append(self._output(asked))
                    self._begin()
        return outputs

    def _rows(self, asked: Asked, answered: list[tuple[Sent, bytes]]) -> NDArray[Any]:
        """The records of replies, of which there may be none."""
        name = str(asked.want.name).lower()
        counts = deque(request.records for request, _ in answered)
        payloads = [payload for _, payload in answered]
        block = self._requests.decode_steps(payloads, counts, asked.want, frozenset((name,)), asked.form)
        return getattr(block, name) if answered else np.empty(0)

    def _begin(self) -> None:
        self._steps = 0
        self._total: NDArray[Any] | int = 0  # of u, or of logits
        self._classes: list[NDArray[np.int64]] = []

    def _take(self, asked: Asked, rows: NDArray[Any]) -> None:
        """Choices (n,), or u or logits (n, ...), of steps in a row."""
        self._steps += len(rows)
        if asked.want is Want.CHOICE:
            self._classes.append(rows)
        elif self._model.task == "label":
            self._classes.append(self._readout.classes(self._readout.logits(rows)))
        else:
            self._total = self._total + rows.sum(axis=0, dtype=np.int64)

    def _output(self, asked: Asked) -> SequenceOutput:
        task, readout = self._model.task, self._readout
        if task == "label":
            return SequenceOutput(np.concatenate(self._classes), None, None)
        if asked.want is Want.CHOICE:
            return SequenceOutput(int(self._classes[-1][-1]), None, None)
        assert isinstance(self._total, np.ndarray)
        logits = readout.logits(self._total, self._steps) if asked.want is Want.U else self._total
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
