"""Evaluation of a model on a text: u is exact, and so are the logits of a ternary head."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from trine_sw.data import DATA_SETS, END, OwnText, Text, load_text, symbol_name
from trine_sw.golden import Golden
from trine_sw.golden.host_head import head_of
from trine_sw.model import HeadKind, Model
from trine_sw.model.vocabulary import byte_of, byte_symbol
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError
from trine_sw.support.plain_values import from_plain

__all__ = [
    "Backend",
    "Quality",
    "evaluate",
    "evaluate_tokens",
    "golden_logits",
    "logits_of",
    "negative_log_likelihood",
    "perplexity_of",
    "quality_of",
    "score",
    "split_tokens",
    "text_of",
    "text_tokens",
]

Backend = Callable[[NDArray[np.int64]], Iterable[NDArray[Any]]]
"""Tokens (T,) -> their logits, in units of the head that is measured, as one array (T, V) or as pieces (n, V)
or (V,) in order."""

_CHUNK = 4096
_LOGITS = 1 << 24  # that are made at once


class Quality(TypedDict):
    """What :func:`evaluate` measures; ``tokens`` is the number of predictions."""

    nats_per_token: float
    bits_per_token: float
    perplexity: float
    tokens: int


def text_of(model: Model, path: str | os.PathLike[str] | None = None) -> Text:
    """The text that a model was trained on, as its file says.

    Parameters
    ----------
    path : another text file, of which symbols, encoding and splits are as in training.

    Raises
    ------
    TrineError
        Where the model file does not say it, and there is no path.
    """
    described = model.data.get("text")
    if described is not None:
        text = from_plain(OwnText, described, "data.text")
        return text if path is None else replace(text, path=os.fspath(path), digests=())
    if path is not None:
        raw = model.vocabulary is not None and byte_of(model.vocabulary[0]) >= 0
        words = model.vocabulary is not None and END in model.vocabulary
        return OwnText(path=os.fspath(path), symbols="bytes" if raw else "words" if words else "characters")
    name = model.training.get("data_set")
    if not isinstance(name, str) or name not in DATA_SETS:
        raise TrineError("the model file does not say what it was trained on: give --dataset or --data")
    return name


def evaluate(
    model: Model,
    dataset: Text,
    split: str = "valid",
    limit: int | None = None,
    *,
    head_kind: HeadKind | None = None,
    backend: Backend | None = None,
) -> Quality:
    """Measure how a model predicts a split, each symbol from all before it: one stream, state carried on.

    Words are predicted from the first on, which follows a line's end, as is usual: all 82,430 of the Penn
    Treebank's test. Of characters, the first is not predicted.

    Parameters
    ----------
    model : has the vocabulary and a head, and is run by the golden model where
    backend : is not given; otherwise that gives the logits.
    limit : predict only this many symbols.
    head_kind : which one is measured; where there are two, the float one unless it is said.

    The result depends on the logits alone: it is summed in float64, in one order. Logits of a ternary head
    are integers, equal everywhere; those of a float head are rounded as this machine's NumPy does.
    """
    head_of(model, head_kind)  # refuses a head that is not there, before a text is fetched
    tokens = split_tokens(model, dataset, split)
    return evaluate_tokens(model, tokens, limit, head_kind=head_kind, backend=backend)


def evaluate_tokens(
    model: Model,
    tokens: NDArray[np.int64],
    limit: int | None = None,
    *,
    head_kind: HeadKind | None = None,
    backend: Backend | None = None,
) -> Quality:
    """As :func:`evaluate`, of tokens (T,), T >= 2, of which the first is given and not predicted."""
    scale = head_of(model, head_kind)[1]
    if limit is not None:
        tokens = tokens[: integer(limit, "the limit", 1) + 1]
    if len(tokens) < 2:
        raise TrineError("there is nothing to predict: give at least two symbols")
    return score(tokens, (backend or golden_logits(model, head_kind))(tokens[:-1]), scale)


def split_tokens(model: Model, data: Text, split: str) -> NDArray[np.int64]:
    """Tokens of a split to be measured, as :func:`text_tokens` gives those of a text."""
    text = load_text(data, split, model.vocabulary)
    if symbol_name(data) != "byte":
        return text_tokens(model, text)
    index = {symbol: token for token, symbol in enumerate(model.vocabulary or ())}
    try:
        return np.array([index[byte_symbol(ord(byte))] for byte in text], np.int64)
    except KeyError as error:
        raise TrineError(f"{data}: the byte {error.args[0]} is not in the model's vocabulary") from None


def text_tokens(model: Model, text: str) -> NDArray[np.int64]:
    """Tokens of a text to be measured: the first is given; for words it is a line's end before the text."""
    tokens = model.encode(text)
    if model.vocabulary is not None and END in model.vocabulary:
        return np.concatenate([model.encode(END), tokens])
    return tokens


def score(tokens: NDArray[np.int64], logits: Iterable[NDArray[Any]], scale: float) -> Quality:
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
    return quality_of(total / position, position)


def quality_of(nats: float, tokens: int) -> Quality:
    """The measures of a mean loss in nats over that many predictions."""
    return {
        "nats_per_token": nats,
        "bits_per_token": nats / math.log(2),
        "perplexity": perplexity_of(nats),
        "tokens": tokens,
    }


def perplexity_of(nats: float) -> float:
    """exp(nats); infinite where that is beyond float64, from some 709.78 nats on."""
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf


def negative_log_likelihood(logits: NDArray[np.floating], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log softmax(logits)[target] in nats, float64; logits (..., V), targets (...)."""
    logits = logits.astype(np.float64)  # a copy, which the next lines use up
    with np.errstate(over="ignore"):  # logits further apart than float64 can say give an infinite loss
        logits -= logits.max(axis=-1, keepdims=True)
    of_target = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0].copy()
    return np.log(np.exp(logits, out=logits).sum(axis=-1)) - of_target


def golden_logits(model: Model, head_kind: HeadKind | None = None) -> Backend:
    """The golden model as a backend, with the head of that kind."""
    golden = Golden(model)

    def u(tokens: NDArray[np.int64]) -> Iterator[NDArray[np.int8]]:
        state = golden.initial_state()
        for start in range(0, len(tokens), _CHUNK):
            trace = golden.run(tokens[start : start + _CHUNK, None], state, logits=False)
            state = trace.state
            yield trace.u[:, 0]

    return lambda tokens: _pieces(model, head_kind, golden, u(tokens))


def logits_of(
    model: Model, u: NDArray[np.integer], head_kind: HeadKind | None = None
) -> Iterator[NDArray[Any]]:
    """Logits of head inputs u (T, H), wherever they come from, in pieces.

    The same as those that :func:`golden_logits` makes of the same u, to the last bit of a float head on one
    machine, since the pieces are the same.
    """
    chunks = (u[start : start + _CHUNK] for start in range(0, len(u), _CHUNK))
    return _pieces(model, head_kind, Golden(model), chunks)


def _pieces(
    model: Model, head_kind: HeadKind | None, golden: Golden, chunks: Iterable[NDArray[np.integer]]
) -> Iterator[NDArray[Any]]:
    of_u, _ = head_of(model, head_kind, golden)
    rows = max(1, _LOGITS // model.config.vocab_size)
    for chunk in chunks:
        for first in range(0, len(chunk), rows):
            yield of_u(chunk[first : first + rows])
