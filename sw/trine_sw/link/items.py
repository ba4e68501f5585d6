"""The items of a request, tokens or vectors, as a board reads and checks them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trine_sw.link.protocol import Reason
from trine_sw.link.records import Codec
from trine_sw.model.trits import TRITS_PER_BYTE

__all__ = ["Refusal", "read_items"]

_LARGEST = 3**TRITS_PER_BYTE - 1


class Refusal(Exception):
    """A request is refused."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


def read_items(
    items: bytes, codec: Codec, record: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.int8] | None]:
    """Tokens (n,) or trits (n, E) of a request whose answers take ``record`` bytes each.

    Raises :exc:`Refusal` at the first thing that is wrong, as the gateware does.
    """
    size, room = codec.item_bytes, codec.info.link.max_payload
    whole, rest = divmod(len(items), size)
    on_board, width = codec.info.embedding_on_board, codec.info.embedding
    used = 0
    tokens, vectors = [], []
    for index in range(whole + bool(rest)):
        item = items[index * size : (index + 1) * size]
        if on_board:
            if len(item) < size:
                break
            tokens.append(int.from_bytes(item, "little"))
            if tokens[-1] >= codec.info.vocab_size:
                raise Refusal(Reason.TOKEN)
        else:
            trits = [byte // 3**k % 3 - 1 for byte in item for k in range(TRITS_PER_BYTE)]
            if max(item) > _LARGEST or any(trits[width:]):
                raise Refusal(Reason.VALUE)
            if len(item) < size:
                break
            vectors.append(trits[:width])
        used += record
        if used > room:
            raise Refusal(Reason.ROOM)
    if rest or not whole:
        raise Refusal(Reason.LENGTH)
    return (np.array(tokens), None) if on_board else (None, np.array(vectors, np.int8))
