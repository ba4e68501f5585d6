"""Sample of a model's inputs and states, on which an engine's cycles are counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trine_sw.golden import Golden
from trine_sw.model import Model
from trine_sw.support.checks import integer, share

__all__ = ["ACTIVITY", "Sample", "first_steps", "sample_text", "sample_tokens", "step_flags"]

_SAMPLE = 400
ACTIVITY = 0.5
"""Share of random trits that are not 0, where nothing is known of a model's inputs."""


@dataclass(frozen=True)
class Sample:
    """Steps of one or more sequences, each from the zero state on.

    Members
    -------
    x : input vectors, trits (T, E)
    h : the states after each, trits (T, L·H)
    starts : bool (T,), where a sequence begins
    heads : bool (T,), which steps' logits are wanted
    source : what the inputs are, in words
    """

    x: npt.NDArray[np.int8]
    h: npt.NDArray[np.int8]
    starts: npt.NDArray[np.bool_]
    heads: npt.NDArray[np.bool_]
    source: str = ""

    @classmethod
    def of(cls, model: Model, inputs: npt.NDArray[np.integer], source: str = "") -> Sample:
        """Of tokens (T,) or, for a model without an embedding, of vectors (T, E): one sequence."""
        if model.embedding_weight is not None:
            h = Golden(model).run(inputs, logits=False).h
            return cls(model.embedding_weight[inputs], h, *step_flags(model, [len(h)]), source)
        return cls.of_sequences(model, [inputs.astype(np.int8)], source)

    @classmethod
    def of_sequences(cls, model: Model, given: Sequence[npt.NDArray[np.int8]], source: str = "") -> Sample:
        """Of sequences of vectors (T, E)."""
        golden = Golden(model)
        h = [golden.run_vectors(each, logits=False).h for each in given]
        flags = step_flags(model, [len(each) for each in given])
        return cls(np.concatenate(given), np.concatenate(h), *flags, source)

    def first(self, count: int) -> Sample:
        """The first ``count`` steps at most."""
        part = slice(count)
        return Sample(self.x[part], self.h[part], self.starts[part], self.heads[part], self.source)


def step_flags(model: Model, lengths: Sequence[int]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Where sequences of these lengths begin, and whose logits the model's task needs; bool (T,) each."""
    ends = np.cumsum(lengths)
    starts = np.zeros(ends[-1], np.bool_)
    starts[[0, *ends[:-1]]] = True
    heads = np.ones_like(starts)
    if model.task in ("classify", "regress") and model.reduction == "last":
        heads = np.roll(starts, -1)
    return starts, heads


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


def sample_text(model: Model, count: int = _SAMPLE, seed: int = 1, activity: float = ACTIVITY) -> Sample:
    """Inputs of at most ``count`` steps that are as near to the model's own as there are, and their states.

    Of a model with an embedding they are :func:`sample_tokens`. Otherwise they are the sample in the model
    file or, where that has none, random trits of which the share ``activity`` is not 0.
    """
    if model.embedding_weight is not None:
        written = "text that the model writes" if model.head_scale is not None else "random tokens"
        return Sample.of(model, sample_tokens(model, count, seed), f"{count} tokens of {written}")
    count, activity = integer(count, "the count", 1), share(activity, "the activity")
    if model.sample is None:
        rng = np.random.default_rng(integer(seed, "the seed", 0, 2**32 - 1))
        shape = (count, model.config.embedding)
        trits = np.where(rng.random(shape) < activity, rng.integers(0, 2, shape) * 2 - 1, 0).astype(np.int8)
        return Sample.of(model, trits, f"{count} steps of random trits, {activity:.0%} of them active")
    given = first_steps(model.sample.sequences(), count)
    return Sample.of_sequences(model, given, f"{sum(map(len, given))} steps of the model file's sample")


def first_steps(sequences: Iterable[npt.NDArray[np.int8]], count: int) -> list[npt.NDArray[np.int8]]:
    """Sequences (T, E) of ``count`` steps at most in all, the last of them cut."""
    given: list[npt.NDArray[np.int8]] = []
    for sequence in sequences:
        if not count:
            break
        given.append(sequence[:count])
        count -= len(given[-1])
    return given
