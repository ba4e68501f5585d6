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
from trine_sw.golden.largest import largest
from trine_sw.golden.readout import Readout
from trine_sw.golden.sequences import numbered_sequences
from trine_sw.link.protocol import Feature, Form, Want
from trine_sw.link.records import most_summed
from trine_sw.model import HeadKind, Model
from trine_sw.model.inputs import input_trits
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError

__all__ = ["SequenceOutput", "Windows", "classes_of", "values_of"]


class SequenceOutput(NamedTuple):
    """What a sequence gave.

    Members
    -------
    classes : int of the task ``"classify"``, int64 (T,) of ``"label"``, None of a regression
    logits : (K,) after the reduction, where they were asked for or are at hand; None of ``"label"``
    values : float64 (K,) of a regression, otherwise None
    top_symbols, top_logits : (k,), or (T, k) of ``"label"``: where the largest logits were asked for, these
        classes and their logits, the largest first; ``logits`` is then None
    counts : int64 (C,), where they were asked for: how many steps chose each class; ``classes`` is then the
        most frequent one, the first of equals
    """

    classes: Any
    logits: NDArray[Any] | None
    values: NDArray[np.float64] | None
    top_symbols: NDArray[np.int64] | None = None
    top_logits: NDArray[Any] | None = None
    counts: NDArray[np.int64] | None = None


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
    logits : whether logits, or counts, are wanted where a class is enough
    top : how many of the largest logits are wanted in place of all; 0: none
    counts : whether the classes of the steps are counted

    Raises
    ------
    TrineError
        For largest logits or counts of a model that has none, and where no frame holds what is needed.
    """

    def __init__(
        self,
        requests: Requests,
        model: Model,
        head_kind: HeadKind | None,
        *,
        logits: bool,
        top: int = 0,
        counts: bool = False,
    ) -> None:
        self._requests = requests
        self._readout = readout = Readout(model, head_kind)
        self._model, self._counts = model, counts
        self._top = integer(top, "top", 0, model.config.vocab_size)
        self._check()
        every = readout.every_step or counts
        usual = Asked(self._needed(every=every, logits=logits), every)
        requests.sizes(usual.asking)  # refuses what no frame can hold
        self._sent: deque[Sent] = deque()
        self._frames: ResetFrames | SegmentFrames = ResetFrames(requests, self._sent)
        in_segments = usual._replace(form=Form.SEQUENCES if every else Form.SEQUENCES | Form.LAST)
        if SegmentFrames.serves(requests, in_segments):
            self._frames, usual = SegmentFrames(requests, self._sent), in_segments
        self._usual = usual
        self._reduced: Asked | None = None  # of a sequence that the board can reduce by itself
        reduced = self._by_board(every=every, logits=logits)
        if reduced is not None and self._on_board and SegmentFrames.serves(requests, reduced):
            self._frames, self._reduced = SegmentFrames(requests, self._sent), reduced
        #: Steps of a sequence for which that is right.
        self._most = most_summed(requests.info.logit_bits) if reduced and not reduced.top else None
        self._begin()

    def _check(self) -> None:
        """Raises :exc:`TrineError` for what the model cannot be asked for."""
        if self._top and self._counts:
            raise TrineError("ask for the largest logits (top) or for counts, one at a time")
        if (self._top or self._counts) and self._model.task == "regress":
            raise TrineError("the model is of a regression, which has values and no classes")

    def _by_board(self, *, every: bool, logits: bool) -> Asked | None:
        """What the board is asked for where its features make the output of it."""
        info, label = self._requests.info, self._model.task == "label"
        ends = Form.SEQUENCES | Form.LAST
        if self._counts:
            want = Want.LOGITS if logits else Want.CHOICE
            return Asked(want, False, ends | Form.SUM | Form.COUNT) if info.has(Feature.COUNTS) else None
        if self._top and (label or not every):
            form = Form.SEQUENCES if label else ends
            gives = self._requests.gives_top(self._top)
            return Asked(Want(0), every, form, self._top) if gives else None
        if every and not label and info.has(Feature.SUMS):
            return Asked(self._needed(every=False, logits=logits), False, ends | Form.SUM)
        return None

    @property
    def _on_board(self) -> bool:
        """Whether the head is on the board."""
        return self._readout.kind == "ternary" and self._requests.info.head_on_board

    def _needed(self, *, every: bool, logits: bool) -> Want:
        """What of each step, or of a sequence, the outputs are made of."""
        task = self._model.task
        if not self._on_board:
            return Want.U
        if self._top and not every:
            return Want.LOGITS
        if self._counts:
            return Want.CHOICE
        if self._top and task == "label":
            return self._smaller(Want.U, Want.LOGITS)
        if task == "label" or (task == "classify" and not every and not logits):
            return Want.CHOICE
        return self._smaller(Want.U, Want.LOGITS) if every else Want.LOGITS

    def _smaller(self, one: Want, other: Want) -> Want:
        """What makes the shorter record."""
        sizes = self._requests.codec.sizes
        return one if sizes[one] < sizes[other] else other

    def series(self, sequences: Iterable[ArrayLike]) -> Iterator[Request]:
        """The requests."""
        try:
            for name, sequence in numbered_sequences(sequences):
                try:
                    trits, samples = input_trits(self._model, sequence)
                except TrineError as error:
                    raise TrineError(f"{name}: {error}") from None
                fits = self._most is None or len(trits) <= self._most
                asked = self._reduced if self._reduced and fits else self._usual
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
        counts = deque(request.records for request, _ in answered)
        payloads = [payload for _, payload in answered]
        name = str(asked.want.name).lower() if asked.want else ""
        names = frozenset((name,)) if name else frozenset[str]()
        block = self._requests.decode_steps(payloads, counts, asked.asking, names, asked.top)
        if not answered:
            return np.empty(0)
        if not asked.top:
            return getattr(block, name)
        assert block.top_symbols is not None and block.top_logits is not None
        return np.stack([block.top_symbols, block.top_logits], 1)

    def _begin(self) -> None:
        self._steps = 0
        self._total: NDArray[Any] | int = 0  # of u, or of logits
        self._rows_of: list[NDArray[Any]] = []  # of each step: choices, logits, or largest ones

    def _take(self, asked: Asked, rows: NDArray[Any]) -> None:
        """Choices (n,), or u or logits (n, ...), of steps in a row."""
        self._steps += len(rows)
        each_step = self._model.task == "label" or self._counts
        if asked.want is Want.CHOICE or asked.top or Form.COUNT in asked.form:
            self._rows_of.append(rows)
        elif each_step:
            logits = self._readout.logits(rows) if asked.want is Want.U else rows
            self._rows_of.append(logits if self._top else self._readout.classes(logits))
        else:
            self._total = self._total + rows.sum(axis=0, dtype=np.int64)

    def _output(self, asked: Asked) -> SequenceOutput:
        task, readout = self._model.task, self._readout
        if self._counts:
            return self._counted(asked)
        if asked.top:
            rows = np.concatenate(self._rows_of)
            return self._largest(*(rows if task == "label" else rows[-1]).swapaxes(0, -2))
        if task == "label":
            rows = np.concatenate(self._rows_of)
            return self._largest(*largest(rows, self._top)) if self._top else SequenceOutput(rows, None, None)
        if asked.want is Want.CHOICE:
            return SequenceOutput(int(self._rows_of[-1][-1]), None, None)
        assert isinstance(self._total, np.ndarray)
        logits = readout.logits(self._total, self._steps) if asked.want is Want.U else self._total
        if task == "regress":
            return SequenceOutput(None, logits, readout.values(logits))
        if self._top:
            return self._largest(*largest(logits, self._top))
        return SequenceOutput(int(readout.classes(logits)), logits, None)

    def _largest(self, symbols: NDArray[Any], logits: NDArray[Any]) -> SequenceOutput:
        """The largest logits (k,), or (T, k) of each step, and their classes."""
        first = symbols[..., 0]
        classes = first.copy() if self._model.task == "label" else int(first)
        return SequenceOutput(classes, None, None, symbols, logits.astype(self._readout.logit_type))

    def _counted(self, asked: Asked) -> SequenceOutput:
        rows = np.concatenate(self._rows_of)
        if Form.COUNT not in asked.form:
            counts = np.bincount(rows, minlength=self._model.config.vocab_size)
        elif asked.want is Want.CHOICE:
            return SequenceOutput(int(rows[-1]), None, None)
        else:
            counts = rows[-1].astype(np.int64)
        return SequenceOutput(int(counts.argmax()), None, None, counts=counts)


def classes_of(
    model: Model | None, found: list[SequenceOutput], *, vote: bool = False
) -> NDArray[np.int64] | list[NDArray[np.int64]]:
    """The classes of sequences together, as :meth:`trine_sw.driver.board.Board.classify` gives them."""
    if model is not None and model.task == "regress":
        raise TrineError("the model is of a regression, which has values and no classes: take regress()")
    classes = [each.classes for each in found]
    whole = model is None or model.task != "label" or vote
    return np.array(classes, np.int64) if whole else classes


def values_of(model: Model | None, found: list[SequenceOutput]) -> NDArray[np.float64]:
    """The values of sequences together, (N, K)."""
    assert model is not None
    if model.task != "regress":
        raise TrineError(
            f"the model's task is {model.task!r}, and it has classes, not values: take classify()"
        )
    return np.array([each.values for each in found], np.float64).reshape(len(found), model.config.vocab_size)
