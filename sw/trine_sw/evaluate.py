"""How well a model predicts a text: exact, because it works on the integer logits."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from trine_sw.data import load_text
from trine_sw.errors import TrineError
from trine_sw.golden import Golden
from trine_sw.model import Model

__all__ = ["Backend", "Quality", "evaluate", "golden_logits", "negative_log_likelihood"]

Backend = Callable[[NDArray[np.int64]], Iterable[NDArray[np.integer]]]
"""Tokens (T,) -> their integer logits, as one array (T, V) or as pieces (n, V) or (V,) in order."""

_CHUNK = 4096


class Quality(TypedDict):
    """What :func:`evaluate` measures; ``tokens`` is the number of predictions."""

    nats_per_char: float
    bits_per_char: float
    perplexity: float
    tokens: int


def evaluate(
    model: Model,
    dataset: str,
    split: str = "valid",
    limit: int | None = None,
    *,
    backend: Backend | None = None,
) -> Quality:
    """Measure how a model predicts a split, each character from all before it: one stream, state carried on.

    Parameters
    ----------
    model : has the vocabulary and the scale of the logits, and is run by the golden model where
    backend : is not given; otherwise that gives the integer logits.
    limit : predict only this many characters.

    The result depends on the logits alone: it is summed in float64, in one order.
    """
    if model.head_scale is None:
        raise TrineError("the model has no head: there is nothing to measure")
    if limit is not None and limit < 1:
        raise TrineError(f"the limit must be at least 1, not {limit}")
    text = load_text(dataset, split)
    tokens = model.encode(text if limit is None else text[: limit + 1])
    return score(tokens, (backend or golden_logits(model))(tokens[:-1]), model.head_scale)


def score(tokens: NDArray[np.int64], logits: Iterable[NDArray[np.integer]], scale: float) -> Quality:
    """Quality of logits of tokens[:-1], in pieces, as predictions of tokens[1:]."""
    total, position = 0.0, 0
    for piece in [logits] if isinstance(logits, np.ndarray) else logits:
        rows = piece.reshape(-1, piece.shape[-1])
        targets = tokens[position + 1 : position + 1 + len(rows)]
        total += float(negative_log_likelihood(rows[: len(targets)] * float(scale), targets).sum())
        position += len(targets)
    if position != len(tokens) - 1:
        raise TrineError(
            f"the backend gave logits for {position} tokens, and {len(tokens) - 1} were asked for"
        )
    nats = total / position
    return {
        "nats_per_char": nats,
        "bits_per_char": nats / math.log(2),
        "perplexity": math.exp(nats),
        "tokens": position,
    }


def negative_log_likelihood(logits: NDArray[np.floating], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log softmax(logits)[target] in nats, float64; logits (..., V), targets (...)."""
    logits = logits.astype(np.float64)
    highest = logits.max(axis=-1, keepdims=True)
    normaliser = np.log(np.exp(logits - highest).sum(axis=-1)) + highest[..., 0]
    return normaliser - np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]


def golden_logits(model: Model) -> Backend:
    """The golden model as a backend."""
    golden = Golden(model)

    def logits(tokens: NDArray[np.int64]) -> Iterator[NDArray[np.integer]]:
        state = golden.initial_state()
        for start in range(0, len(tokens), _CHUNK):
            trace = golden.run(tokens[start : start + _CHUNK, None], state)
            state = trace.state
            assert trace.logits is not None
            yield trace.logits[:, 0]

    return logits
