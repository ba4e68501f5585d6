"""What a step of a board gives, and the state of its stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trine_sw.golden.sampler import STATE_SEED_0

__all__ = ["WANTS", "BoardState", "Step", "seed_of_state"]

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
    """

    h: NDArray[np.int8] | None = None
    u: NDArray[np.int8] | None = None
    cycles: int | None = None
    logits: NDArray[np.int32] | None = None
    choice: int | None = None


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
