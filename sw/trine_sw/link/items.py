"""The items of a request, tokens or vectors, as a board reads and checks them; the segments they come in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trine_sw.link.protocol import BEGINS, ENDS, MOST_SEGMENT, PLAIN, SEGMENT_BYTES, Form, Reason
from trine_sw.link.records import Codec
from trine_sw.model.trits import TRITS_PER_BYTE

__all__ = ["Items", "Refusal", "Segment", "pack_segment", "read_items"]

_LARGEST = 3**TRITS_PER_BYTE - 1


class Refusal(Exception):
    """A request is refused."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


class Segment(NamedTuple):
    """Tokens of one sequence that follow each other in a frame.

    Members
    -------
    steps : how many
    begins : the first one starts from the zero state
    ends : the last one ends the sequence
    """

    steps: int
    begins: bool
    ends: bool


class Items(NamedTuple):
    """What a STEP gives a board to apply.

    Members
    -------
    tokens, x : (n,) or (n, E), the other is None
    segments : those that the items come in; without :attr:`Form.SEQUENCES` one, which neither begins nor ends
    """

    tokens: NDArray[np.int64] | None
    x: NDArray[np.int8] | None
    segments: list[Segment]


def pack_segment(segment: Segment) -> bytes:
    """What stands before the items of a segment."""
    number = segment.steps | BEGINS * segment.begins | ENDS * segment.ends
    return number.to_bytes(SEGMENT_BYTES, "little")


def read_items(items: bytes, codec: Codec, record: int, form: Form = PLAIN) -> Items:
    """The items of a request whose records take ``record`` bytes each.

    Raises :exc:`Refusal` at the first thing that is wrong, as the gateware does.
    """
    on_board, width = codec.info.embedding_on_board, codec.info.embedding
    sequences, last, room = Form.SEQUENCES in form, Form.LAST in form, codec.info.link.max_payload
    segments: list[Segment] = []
    tokens, vectors = [], []
    at = used = left = 0
    while at < len(items):
        if sequences and not left:
            number = int.from_bytes(items[at : at + SEGMENT_BYTES], "little")
            at += SEGMENT_BYTES
            if at > len(items):
                break
            left = number & MOST_SEGMENT
            segments.append(Segment(left, bool(number & BEGINS), bool(number & ENDS)))
            if not left:
                raise Refusal(Reason.VALUE)
            continue
        item = items[at : at + codec.item_bytes]
        at += codec.item_bytes
        if on_board:
            if at > len(items):
                break
            tokens.append(int.from_bytes(item, "little"))
            if tokens[-1] >= codec.info.vocab_size:
                raise Refusal(Reason.TOKEN)
        else:
            trits = [byte // 3**k % 3 - 1 for byte in item for k in range(TRITS_PER_BYTE)]
            if max(item) > _LARGEST or any(trits[width:]):
                raise Refusal(Reason.VALUE)
            if at > len(items):
                break
            vectors.append(trits[:width])
        left -= 1
        if not last or (left == 0 and segments[-1].ends):
            used += record
        if used > room:
            raise Refusal(Reason.ROOM)
    if at > len(items) or not items or (sequences and left):
        raise Refusal(Reason.LENGTH)
    segments = segments or [Segment(len(tokens) + len(vectors), False, False)]
    if on_board:
        return Items(np.array(tokens), None, segments)
    return Items(None, np.array(vectors, np.int8), segments)
