"""Frames of whole sequences: several in a frame where the board takes them so, else each behind RESET."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from numpy.typing import NDArray

from trine_sw.driver.exchange import Request
from trine_sw.driver.requests import Requests
from trine_sw.link.items import Segment, pack_segment
from trine_sw.link.protocol import MOST_SEGMENT, PLAIN, SEGMENT_BYTES, Command, Feature, Form, Want
from trine_sw.link.step_records import Asking, pack_asking
from trine_sw.model.trits import pack

__all__ = ["Asked", "Part", "ResetFrames", "SegmentFrames", "Sent"]

#: Bytes of answers to steps that nobody asked about, for which a frame of their own would cost as much.
_UNASKED = 32


class Asked(NamedTuple):
    """What is asked of a sequence.

    Members
    -------
    want : of each step that has a record
    every : of every step, or of the last one alone
    form : of the STEPs, where the board takes sequences
    top : largest logits that each record ends with
    """

    want: Want
    every: bool
    form: Form = PLAIN
    top: int = 0

    @property
    def asking(self) -> Asking:
        """Of the STEPs."""
        return Asking(self.want, self.form, self.top)


class Part(NamedTuple):
    """Steps of a sequence in a reply.

    Members
    -------
    skipped, taken : records of them that are not looked at, and those behind them that are
    ends : the sequence ends with them
    """

    skipped: int
    taken: int
    ends: bool


class Sent(NamedTuple):
    """A request whose reply is awaited: what its steps were asked for, and its parts; none of a RESET."""

    asked: Asked
    parts: list[Part]

    @property
    def records(self) -> int:
        """In the reply."""
        return sum(part.skipped + part.taken for part in self.parts)


class ResetFrames:
    """Each sequence begins with RESET, and its steps are asked for what is needed of them alone.

    Parameters
    ----------
    requests : of the board
    sent : told of each request, as it is made
    """

    def __init__(self, requests: Requests, sent: deque[Sent]) -> None:
        self._requests, self._sent = requests, sent

    def add(self, trits: NDArray[Any], samples: NDArray[Any] | None, asked: Asked) -> Iterator[Request]:
        """The requests of a sequence of trits (T, E), made of samples (T, F) if not None."""
        requests = self._requests
        sizes = requests.sizes(asked.asking), requests.sizes(Asking(Want(0)))
        self._sent.append(Sent(asked, []))
        yield Command.RESET, b""
        requests.previous, start = None, 0
        items, size = requests.items(trits), requests.codec.item_bytes
        while start < len(trits):
            left = len(trits) - start
            count, want = _next(left, asked, requests.codec.record_bytes(asked.want), sizes[0](), sizes[1]())
            records = items[start * size : (start + count) * size]
            start += count
            taken = 0 if not want else count if asked.every else 1
            part = Part(count - taken if want else 0, taken, start == len(trits))
            self._sent.append(Sent(asked, [part]))
            yield Command.STEP, bytes([want]) + records
            requests.previous = None if samples is None else samples[start - 1]

    def flush(self) -> Iterator[Request]:
        """Nothing waits."""
        yield from ()


def _next(left: int, asked: Asked, record: int, most: int, most_unasked: int) -> tuple[int, Want]:
    """How many of the steps that are left go into the next frame, and what they are asked for."""
    if asked.every:
        return min(left, most), asked.want
    if left == 1 or (left <= most and (left - 1) * record <= _UNASKED):
        return left, asked.want
    return min(left - 1, most_unasked), Want(0)


class SegmentFrames:
    """Frames are filled with the segments of sequences, and the board begins each from the zero state.

    Parameters
    ----------
    requests : of the board, which :meth:`serves` says can do so
    sent : told of each request, as it is made
    """

    def __init__(self, requests: Requests, sent: deque[Sent]) -> None:
        self._requests, self._sent = requests, sent
        self._begin(None)

    @staticmethod
    def serves(requests: Requests, asked: Asked) -> bool:
        """Whether the board takes sequences, and its frames hold a step and its record."""
        codec, most = requests.codec, requests.info.link.max_payload
        fits = len(pack_asking(asked.asking)) + SEGMENT_BYTES + codec.item_bytes <= most
        return requests.info.has(Feature.SEQUENCES) and fits and codec.record_bytes(*asked.asking) <= most

    def _begin(self, asked: Asked | None) -> None:
        """Nothing is in the frame."""
        self._asked, self._payload, self._answer = asked, bytearray(), 0
        self._parts: list[Part] = []
        self._sample: NDArray[Any] | None = None  # of the last step in it

    def add(self, trits: NDArray[Any], samples: NDArray[Any] | None, asked: Asked) -> Iterator[Request]:
        """The requests that are full with a sequence of trits (T, E), made of samples (T, F) if not None."""
        requests, start = self._requests, 0
        packed, size = pack(trits).tobytes(), requests.codec.item_bytes
        record = requests.codec.record_bytes(*asked.asking)
        while start < len(trits):
            if self._asked != asked:
                yield from self.flush()
                self._begin(asked)
                self._payload += pack_asking(asked.asking)
            room, left = requests.limit(), len(trits) - start
            count = min(left, (room - len(self._payload) - SEGMENT_BYTES) // size, MOST_SEGMENT)
            if asked.every and record:
                count = min(count, (room - self._answer) // record)
            elif count == left and self._answer + record > room:
                count = 0
            if count < 1 and self._parts:
                yield from self.flush()
                continue
            count = max(count, 1)  # the board takes a step and its record, whatever suits the wire
            ends = start + count == len(trits)
            self._payload += pack_segment(Segment(count, start == 0, ends))
            self._payload += packed[start * size : (start + count) * size]
            start += count
            taken = count if asked.every else int(ends)
            self._answer += taken * record
            self._parts.append(Part(0, taken, ends))
            self._sample = None if samples is None else samples[start - 1]

    def flush(self) -> Iterator[Request]:
        """The request that is not full."""
        asked, payload, parts, sample = self._asked, bytes(self._payload), self._parts, self._sample
        self._begin(None)
        if asked is not None and parts:
            self._sent.append(Sent(asked, parts))
            yield Command.STEP, payload
            self._requests.previous = sample
