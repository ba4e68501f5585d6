"""Perplexity where a host mixes what it knows itself into the probabilities that a model's head gives.

    python -m sim.measure.host_mixture ptb-lstm-300 ptb-gru-300

A mixture has the model, a modified Kneser-Ney model of 5-grams of the training text, and a cache: the share
of each word in those just read. The weights, and how many words the cache has, are those of the validation
text (expectation and maximisation); the test text is measured with them once. Nothing but the model is in the
engine, and its head is in floating point: this is no ternary model's perplexity.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from trine_sw.data import load_tokens
from trine_sw.data.evaluation import golden_logits, negative_log_likelihood, perplexity_of, split_tokens
from trine_sw.golden.host_head import head_of
from trine_sw.model import Model
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.json_text import json_text
from trine_sw.training.models.kneser_ney import KneserNey

__all__ = ["cache_shares", "mixture", "ngram_shares", "weights_of"]

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "docs/results/host-mixture.json"
_CACHES = (250, 500, 1000, 2000, 4000)
_CHUNK = 256


def model_shares(model: Model, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """The model's probabilities (T-1,) of tokens[1:], by its float head."""
    scale, found = head_of(model, "float")[1], []
    position = 1
    for piece in golden_logits(model, "float")(tokens[:-1]):
        rows = piece.reshape(-1, piece.shape[-1])
        found.append(np.exp(-negative_log_likelihood(rows * scale, tokens[position : position + len(rows)])))
        position += len(rows)
    return np.concatenate(found)


def ngram_shares(ngram: KneserNey, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """The n-gram model's probabilities (T-1,) of tokens[1:], each after those before it.

    >>> ngram = KneserNey([0, 1, 0, 1, 0, 2, 0, 1], words=3, order=2)
    >>> ngram_shares(ngram, np.array([0, 1, 0])).round(3)
    array([0.521, 0.708])
    """
    history, found = ngram.no_history(1), []
    for start in range(0, len(tokens) - 1, _CHUNK):
        targets = torch.from_numpy(tokens[start + 1 : start + 1 + _CHUNK])
        read = torch.from_numpy(tokens[start : start + len(targets), None])
        shares = ngram.shares(ngram.contexts(read, history)).of()
        found.append(shares.gather(1, targets[:, None])[:, 0].double().numpy())
        history = ngram.history(read, history)
    return np.concatenate(found)


def cache_shares(tokens: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Share (T-1,) of each of tokens[1:] in the `size` tokens before it, or in all where there are fewer.

    >>> cache_shares(np.array([5, 5, 3, 5]), 2)
    array([1. , 0. , 0.5])
    """
    held: Counter[int] = Counter()
    found = np.zeros(len(tokens) - 1)
    for place, token in enumerate(tokens[:-1].tolist()):
        held[token] += 1
        if place >= size:
            held[int(tokens[place - size])] -= 1
        found[place] = held[int(tokens[place + 1])] / min(place + 1, size)
    return found


def weights_of(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (K,) of which the mixture of (T, K) probabilities has the largest likelihood.

    >>> weights_of(np.array([[0.9, 0.1], [0.8, 0.1], [0.1, 0.4]])).round(2)
    array([0.84, 0.16])
    """
    weights = np.full(shares.shape[1], 1 / shares.shape[1])
    for _ in range(200):
        parts = shares * weights
        weights = (parts / parts.sum(1, keepdims=True)).mean(0)
    return weights


def mixture(valid: NDArray[np.float64], test: NDArray[np.float64]) -> dict[str, object]:
    """Weights of the validation text's probabilities (T, K), and the perplexities of both texts with them."""
    weights = weights_of(valid)
    perplexities = [perplexity_of(-float(np.log(shares @ weights).mean())) for shares in (valid, test)]
    return {"weights": weights.round(4).tolist(), "valid": perplexities[0], "test": perplexities[1]}


def measured(model: Model, dataset: str) -> dict[str, object]:
    """The mixtures of a model: with nothing, with n-grams, and with n-grams and the best cache. Perplexities
    of the validation text are printed first, then of the test text."""
    ngram = KneserNey(load_tokens(dataset, "train"), model.config.vocab_size)
    texts = [split_tokens(model, dataset, split) for split in ("valid", "test")]
    known = [np.stack([model_shares(model, text), ngram_shares(ngram, text)], 1) for text in texts]
    found: dict[str, object] = {
        "model": mixture(known[0][:, :1], known[1][:, :1]),
        "model, n-grams": mixture(*known),
    }
    cached = {
        size: [
            np.column_stack([shares, cache_shares(text, size)])
            for shares, text in zip(known, texts, strict=True)
        ]
        for size in _CACHES
    }
    best = min(_CACHES, key=lambda size: -np.log(cached[size][0] @ weights_of(cached[size][0])).mean())
    found[f"model, n-grams, cache of {best}"] = mixture(*cached[best])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--dataset", default="ptb")
    arguments = parser.parse_args()
    record = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    for name in arguments.models:
        record[name] = measured(Model.load(ROOT / "models" / f"{name}.trine"), arguments.dataset)
        for mixed, figures in record[name].items():
            print(
                f"{name} | {mixed:30} | valid {figures['valid']:.2f} | test {figures['test']:.2f}", flush=True
            )
        with atomic_write(RESULT) as file:
            file.write((json_text(record, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
