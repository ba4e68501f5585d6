"""Sample of a model's inputs and states, on which an engine's cycles are counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trine_sw.golden import Golden
from trine_sw.model import Model
from trine_sw.support.checks import integer

__all__ = ["Sample", "sample_text", "sample_tokens"]

_SAMPLE = 400


@dataclass(frozen=True)
class Sample:
    """Input vectors x, trits (T, E), and the states after each, h (T, L·H), from the zero state on."""

    x: npt.NDArray[np.int8]
    h: npt.NDArray[np.int8]

    @classmethod
    def of(cls, model: Model, inputs: npt.NDArray[np.integer]) -> Sample:
        """Of tokens (T,) or, for a model without an embedding, of vectors (T, E)."""
        if model.embedding_weight is not None:
            return cls(model.embedding_weight[inputs], Golden(model).run(inputs, logits=False).h)
        x = inputs.astype(np.int8)
        return cls(x, Golden(model).run_vectors(x).h)


def sample_tokens(model: Model, count: int = _SAMPLE, seed: int = 1) -> npt.NDArray[np.integer]:
    """Text of the model's own, int64 (count,); evenly random tokens if it has no head to write with.

    A model without an embedding takes vectors: evenly random trits, int8 (count, E).
    """
    count, seed = integer(count, "the count", 1), integer(seed, "the seed", 0, 2**32 - 1)
    rng = np.random.default_rng(seed)
    if model.embedding_weight is None:
        return rng.integers(-1, 2, (count, model.config.embedding), np.int8)
    if model.head_scale is None:
        return rng.integers(0, model.config.vocab_size, count)
    return Golden(model).generate([0], count, 1.0, seed)


def sample_text(model: Model, count: int = _SAMPLE, seed: int = 1) -> Sample:
    """:func:`sample_tokens`, and the states that they lead to."""
    return Sample.of(model, sample_tokens(model, count, seed))
