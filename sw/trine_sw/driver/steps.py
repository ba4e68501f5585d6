"""What steps of a board give, one by one or as arrays, and the state of its stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trine_sw.golden.sampler import STATE_SEED_0

__all__ = ["WANTS", "BoardState", "Step", "StepBlock", "seed_of_state"]

#: What a step may be asked for.
WANTS = ("h", "u", "cycles", "logits", "choice")


class Step(NamedTuple):
    """What a token gave; None for what was not asked for.

    Members
    -------
    h : int8 (H,), the new state's trits
    u : int8 (H,), what the head sees of it
    cycles : the engine's cycles
    logits : int32 (V,)
    choice : the likeliest next token
    top_symbols, top_logits : int64 and int32 (k,), the largest logits, the largest first, of equal ones that
        of the lowest symbol
    """

    h: NDArray[np.int8] | None = None
    u: NDArray[np.int8] | None = None
    cycles: int | None = None
    logits: NDArray[np.int32] | None = None
    choice: int | None = None
    top_symbols: NDArray[np.int64] | None = None
    top_logits: NDArray[np.int32] | None = None


@dataclass(frozen=True, eq=False)
class StepBlock:
    """What n tokens in a row gave, as arrays; None for what was not asked for.

    ``len(block)`` is n, and iteration gives each token's :class:`Step`.

    Members
    -------
    count : n
    h : int8 (n, H), the new states' trits
    u : int8 (n, H), what the head sees of them
    cycles : int64 (n,), the engine's cycles
    logits : int32 (n, V)
    choice : int64 (n,), the likeliest next tokens
    top_symbols, top_logits : int64 and int32 (n, k), the largest logits
    """

    count: int
    h: NDArray[np.int8] | None = None
    u: NDArray[np.int8] | None = None
    cycles: NDArray[np.int64] | None = None
    logits: NDArray[np.int32] | None = None
    choice: NDArray[np.int64] | None = None
    top_symbols: NDArray[np.int64] | None = None
    top_logits: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Step]:
        none = [None] * self.count
        columns = (getattr(self, name) for name in Step._fields)
        # Python's own integers, not NumPy's, where a step has one number.
        rows = (none if each is None else each if each.ndim > 1 else each.tolist() for each in columns)
        return map(Step._make, zip(*rows, strict=True))

    @classmethod
    def joined(cls, blocks: Iterable[StepBlock]) -> StepBlock:
        """One block of all steps of several of the same stream; of none, a block of no steps."""
        parts = list(blocks)
        if len(parts) < 2:
            return parts[0] if parts else cls(0)
        arrays = {}
        for name in (each.name for each in fields(cls) if each.name != "count"):
            columns = [getattr(part, name) for part in parts]
            arrays[name] = None if columns[0] is None else np.concatenate(columns)
        return cls(sum(part.count for part in parts), **arrays)


@dataclass(frozen=True)
class BoardState:
    """A stream's state, to go on from later or elsewhere.

    Members
    -------
    h, c : int8 (L·H,)
    generator : the sampler's
    sample : int16 (F,), the encoder's of the last step, of which the next one's differences are taken; None
        where there is none
    """

    h: NDArray[np.int8]
    c: NDArray[np.int8]
    generator: int = STATE_SEED_0
    sample: NDArray[np.int16] | None = None


def seed_of_state(generator: int) -> int:
    """The seed from which the sampler starts in a generator's state."""
    return int(f"{generator ^ STATE_SEED_0:032b}"[::-1], 2)
