"""The choice of a token from integer logits: Gumbel-max sampling in fixed point, the same as the gateware's.

The largest of ``scale * logit[v] + temperature * noise[v]`` is chosen, where the noise is drawn from the
standard Gumbel distribution: that is a draw from softmax(scale * logit / temperature) (Maddison, Tarlow,
Minka, "A* Sampling", 2014, section 2). Divided by ``scale``, and in integers, for each v in order:

    state <- step(state)                                  xorshift of 32 bits; one step a logit
    score  = (logit << 14) + tau * GUMBEL[state >> 22]    tau: 6 fraction bits, GUMBEL: 8
    choice = the v of the largest score >> 8, the smallest of equals

``tau`` = 0 takes the largest logit, and the state stays as it is. Nothing is lost by GUMBEL counting from
its least value: a constant added to all scores changes no choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trine_sw.support.checks import finite_real, integer, integer_array, shown
from trine_sw.support.errors import TrineError

__all__ = [
    "DRAW_BITS",
    "GUMBEL_BITS",
    "GUMBEL_FRACTION",
    "SAMPLER_LATENCY",
    "SCORE_FRACTION",
    "STATE_BITS",
    "STATE_SEED_0",
    "TAU_BITS",
    "TAU_FRACTION",
    "Sampler",
    "gumbel_table",
    "sampler_latency",
    "seed_state",
    "step",
    "tau_code",
]

#: Bits of ``tau``, the temperature in units of the logits' scale, and how many of them are a fraction.
TAU_BITS, TAU_FRACTION = 12, 6
#: Bits of an entry of the table of noise, and how many of them are a fraction.
GUMBEL_BITS, GUMBEL_FRACTION = 12, 8
#: Fraction bits of the scores that are compared, in units of a logit.
SCORE_FRACTION = 6
#: Bits of a random number: 2 ** DRAW_BITS quantiles are in the table.
DRAW_BITS = 10
#: Bits of the generator's state.
STATE_BITS = 32
#: The state of seed 0, and of the one seed that would give 0: the golden ratio's bits, half of them set.
STATE_SEED_0 = 0x9E3779B9
#: Cycles from the last logit to the choice in gateware of one logit a cycle.
SAMPLER_LATENCY = 5


def sampler_latency(ways: int) -> int:
    """Cycles from a token's last beat of ``ways`` logits to its choice; doubling the ways adds one."""
    return SAMPLER_LATENCY + (ways - 1).bit_length()


def gumbel_table() -> NDArray[np.int64]:
    """Midpoint quantiles of the standard Gumbel distribution (1024,), less the first, in units of 2**-8."""
    probability = (np.arange(1 << DRAW_BITS) + 0.5) / (1 << DRAW_BITS)
    quantile = -np.log(-np.log(probability))
    return np.rint((quantile - quantile[0]) * (1 << GUMBEL_FRACTION)).astype(np.int64)


def step(state: int) -> int:
    """The generator's next state (Marsaglia, "Xorshift RNGs", 2003: shifts 13, 17, 5; period 2**32 - 1)."""
    state ^= state << 13 & 0xFFFFFFFF
    state ^= state >> 17
    return state ^ (state << 5 & 0xFFFFFFFF)


def seed_state(seed: int) -> int:
    """The state from which a seed, 0 to 2**32 - 1, starts.

    The seed's bits are reversed, so that neighbouring seeds differ where the draws are taken, and small
    seeds give states with many ones. Raises :exc:`TrineError` where the seed is out of range.
    """
    seed = integer(seed, "the seed", 0, (1 << STATE_BITS) - 1)
    return int(f"{seed:0{STATE_BITS}b}"[::-1], 2) ^ STATE_SEED_0 or STATE_SEED_0


def tau_code(temperature: float, scale: float) -> int:
    """``tau`` for a temperature and the head's ``scale``; a temperature below half a step counts as 0.

    Raises :exc:`TrineError` where the temperature is negative or above what ``tau`` can hold.
    """
    scale = finite_real(scale, "the head's scale")
    if not scale > 0:
        raise TrineError(f"the head's scale must be positive, not {scale}")
    limit = ((1 << TAU_BITS) - 1) / (1 << TAU_FRACTION) * scale
    wanted = f"the temperature must be from 0 to {limit:.4g} for this model"
    try:
        exact = finite_real(temperature, "the temperature") / scale * (1 << TAU_FRACTION)
    except TrineError:
        raise TrineError(f"{wanted}, not {shown(temperature)}") from None
    code = round(exact) if 0 <= exact < 1 << TAU_BITS else -1  # one that is huge, or infinite, has none
    if not 0 <= code < 1 << TAU_BITS:
        raise TrineError(f"{wanted}, not {temperature:g}")
    return code


_GUMBEL: list[int] = gumbel_table().tolist()


class Sampler:
    """Chooses tokens, one after the other; ``state`` is the generator's.

    Parameters
    ----------
    scale
        The head's: float logits are ``scale`` times the integer ones.
    temperature
        0 chooses the largest logit.
    seed
        0 to 2**32 - 1.
    """

    def __init__(self, scale: float, temperature: float, seed: int) -> None:
        self.tau = tau_code(temperature, scale)
        self.state = seed_state(seed)

    def choose(self, logits: Sequence[int] | NDArray[np.integer]) -> int:
        """The choice among logits (V,)."""
        values = integer_array(logits, "logits", "(V,)", (1,)).astype(np.int64, copy=False)
        if not values.size:
            raise TrineError("there must be at least one logit to choose from")
        if not self.tau:
            return int(values.argmax())
        noise = np.empty(len(values), np.int64)
        state = self.state
        for index in range(len(values)):
            state = step(state)
            noise[index] = _GUMBEL[state >> (STATE_BITS - DRAW_BITS)]
        self.state = state
        fraction = TAU_FRACTION + GUMBEL_FRACTION
        return int(((values << fraction) + self.tau * noise >> (fraction - SCORE_FRACTION)).argmax())
