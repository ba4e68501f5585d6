"""What a STEP asks for, and the records of its tokens, as the board model and the gateware have them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trine_sw.golden.largest import largest
from trine_sw.link.board_info import Info
from trine_sw.link.items import Refusal, Segment
from trine_sw.link.protocol import COUNTED, MORE, PLAIN, Feature, Form, Reason, Want
from trine_sw.link.records import Codec
from trine_sw.model.trits import pack

__all__ = ["HEAD", "Asking", "Steps", "asked", "pack_asking", "pack_records"]

#: What a board needs its head for.
HEAD = Want.LOGITS | Want.CHOICE


class Asking(NamedTuple):
    """What a STEP asks for, in its first byte, or in its first two.

    Members
    -------
    want, form : what each record has, and which tokens have one
    top : how many of the largest logits it ends with
    """

    want: Want
    form: Form = PLAIN
    top: int = 0

    @property
    def more(self) -> bool:
        """Whether the first byte does not say it all."""
        return bool(self.top) or Form.COUNT in self.form


def pack_asking(asking: Asking) -> bytes:
    """What stands before the items of a STEP.

    >>> pack_asking(Asking(Want.CHOICE)).hex(), pack_asking(Asking(Want.CHOICE, top=5)).hex()
    ('10', '1305')
    """
    want, form, top = asking
    if not asking.more:
        return bytes([want | form])
    return bytes([want | MORE | (form & ~Form.COUNT), top or COUNTED])


def asked(payload: bytes, info: Info) -> Asking:
    """What a STEP asks for; raises :exc:`Refusal` where there is no such thing, or not on this board."""
    if not payload:
        raise Refusal(Reason.LENGTH)
    want, form, more = Want(payload[0] & int(~Want(0))), Form(payload[0] & 0xE0), False
    possible = info.head_on_board or not want & HEAD
    if MORE in want:
        want, more = want & ~MORE, True
        possible &= bool(info.top) or info.has(Feature.COUNTS)
    if Form.SEQUENCES in form:
        possible &= info.has(Feature.SEQUENCES)
    if Form.LAST in form:
        possible &= Form.SEQUENCES in form
    if Form.SUM in form:
        possible &= Form.LAST in form and bool(want & HEAD) and info.has(Feature.SUMS)
    if not possible:
        raise Refusal(Reason.VALUE)
    if len(payload) < 2 + more:
        raise Refusal(Reason.LENGTH)
    if not more:
        return Asking(want, form)
    top = payload[1]
    if Form.SUM in form and top == COUNTED and info.has(Feature.COUNTS):
        return Asking(want, form | Form.COUNT)
    if Form.SUM in form or not 1 <= top <= info.top:
        raise Refusal(Reason.VALUE)
    return Asking(want, form, top)


class Steps(NamedTuple):
    """Tokens of a frame that were applied, and where they stand in its sequences.

    Members
    -------
    before, h : int8 (n, L·H), the states before and after each
    u : int8 (n, H), what the head sees
    begins : bool (n,), those that started from the zero state
    closes, ends : bool (n,), the last ones of segments; those of segments that end a sequence
    """

    before: NDArray[np.int8]
    h: NDArray[np.int8]
    u: NDArray[np.int8]
    begins: NDArray[np.bool_]
    closes: NDArray[np.bool_]
    ends: NDArray[np.bool_]

    @classmethod
    def of(
        cls, first: NDArray[np.int8], h: NDArray[np.int8], u: NDArray[np.int8], segments: list[Segment]
    ) -> Steps:
        """The segments are of so many tokens together; before the first token the state was ``first``."""
        after = np.cumsum([segment.steps for segment in segments])
        begins, closes, ends = (np.zeros(len(h), bool) for _ in range(3))
        for segment, end in zip(segments, after.tolist(), strict=True):
            begins[end - segment.steps] |= segment.begins
            closes[end - 1], ends[end - 1] = True, segment.ends
        before = np.concatenate([first[None], h[:-1]])
        before[begins] = 0
        return cls(before, h, u, begins, closes, ends)


def pack_records(
    codec: Codec,
    levels: tuple[int, ...],
    asking: Asking,
    steps: Steps,
    cycles: list[int],
    logits: NDArray[np.integer] | None,
) -> bytes:
    """The reply to a STEP: of all tokens, or of those that end a sequence.

    ``cycles`` are of all tokens, ``logits`` (r, V) of those that have a record.
    """
    want, form, top = asking
    rows = steps.ends if Form.LAST in form else slice(None)
    h, u = steps.h[rows, -codec.info.hidden :], steps.u[rows]
    if not len(h):
        return b""
    planes: list[NDArray[np.uint8]] = [np.zeros((len(h), 0), np.uint8)]
    if Want.H in want:
        planes.append(pack(h))
    if Want.U in want:
        planes.append(codec.pack_u(u, levels))
    if Want.CYCLES in want:
        planes.append(np.array(cycles, "<u4")[rows].view(np.uint8).reshape(-1, 4))
    if logits is not None and Want.LOGITS in want:
        planes.append(codec.pack_logits(logits, form))
    if logits is not None and Want.CHOICE in want:
        packed = codec.pack_tokens(logits.argmax(1))
        planes.append(np.frombuffer(packed, np.uint8).reshape(len(h), -1))
    if logits is not None and top:
        planes.append(codec.pack_top(*largest(logits, top)))
    return np.concatenate(planes, axis=1).tobytes()
