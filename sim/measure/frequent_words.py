"""Cycles of a token if frequent words had columns of their own, which add up to those of their x.

    python -m sim.measure.frequent_words ptb-lstm-300-tuned 3

A word's columns of x add W·x to the sums. Other columns of trits may add the same: as many as the largest of
these sums, in words of the ROM that are not used. Such columns lie side by side and are spread evenly over
the banks, so that no scanner is needed for them. Chosen are the words that are the most frequent in the
training text for the columns they take; cycles are the timing model's on the first words of the test text.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt

from trine_sw.data import load_tokens
from trine_sw.engine import EngineConfig
from trine_sw.engine.bank_balance import active_columns, balanced
from trine_sw.engine.timing import vector_cycles
from trine_sw.fit.sample import Sample, sample_text
from trine_sw.model import Model

__all__ = ["chosen_words", "columns_for", "cycles"]

ROOT = Path(__file__).resolve().parents[2]
_WORDS = 5000
_CANDIDATES = 300
_DEPTH = 512  # words of a bank in block RAMs of the widest form


def columns_for(sums: npt.NDArray[np.integer]) -> npt.NDArray[np.int8]:
    """Fewest columns of trits, (rows, columns), that add up to these sums (rows,).

    >>> columns_for(np.array([2, -1, 0]))
    array([[ 1,  1],
           [-1,  0],
           [ 0,  0]], dtype=int8)
    """
    sizes = np.abs(sums)
    return (np.sign(sums)[:, None] * (np.arange(sizes.max(initial=0)) < sizes[:, None])).astype(np.int8)


def chosen_words(counts: Sequence[int], columns: Sequence[int], room: int) -> list[int]:
    """Words of most uses for each column that they take, while there is room for their columns.

    >>> chosen_words([9, 5, 4], [6, 2, 2], 5)
    [1, 2]
    """
    chosen = []
    for word in sorted(range(len(counts)), key=lambda word: -counts[word] / max(columns[word], 1)):
        if columns[word] <= room:
            chosen.append(word)
            room -= columns[word]
    return chosen


def cycles(
    model: Model, engine: EngineConfig, text: Sample, tokens: npt.NDArray[np.integer], own: Mapping[int, int]
) -> float:
    """Mean cycles of a token of the text where these words have so many columns instead of those of x.

    They are counted as trits of a longer x, each of which is active with its word alone. ``engine`` has an
    assignment of the model's own columns; a word's are spread over the banks in turn.
    """
    assert engine.assignment is not None
    size, total = model.config.embedding, sum(own.values())
    x = np.pad(text.x, ((0, 0), (0, total)))
    banks: list[int] = []
    for word, columns in own.items():
        at = tokens == word
        x[at, :size] = 0
        x[at, size + len(banks) : size + len(banks) + columns] = 1
        banks += [column % engine.banks for column in range(columns)]
    assignment = (*engine.assignment[:size], *banks, *engine.assignment[size:])
    longer = SimpleNamespace(config=replace(model.config, embedding=size + total))
    timing = vector_cycles(longer, replace(engine, assignment=assignment), x, text.h, head=False)
    return float(timing.cycles.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="of one layer, by its name in models")
    parser.add_argument("banks", type=int)
    parser.add_argument("--dataset", default="ptb")
    arguments = parser.parse_args()
    model = Model.load(ROOT / "models" / f"{arguments.model}.trine")
    assert model.embedding_weight is not None and model.config.layers == 1
    own = sample_text(model, 8000)
    assignment = balanced(active_columns(model, own.x, own.h, own.starts), arguments.banks)
    lanes = len(model.config.spec.lanes) * model.config.hidden
    engine = EngineConfig(
        lanes=lanes, banks=arguments.banks, embedding="host", head="host", assignment=assignment
    )
    counts = np.bincount(load_tokens(arguments.dataset, "train"), minlength=model.config.vocab_size)
    frequent = np.argsort(-counts)[:_CANDIDATES]
    of_x = model.layers[0].weight[:, : model.config.embedding].astype(np.int64)
    needed = [columns_for(of_x @ model.embedding_weight[word]).shape[1] for word in frequent]
    room = engine.banks * (_DEPTH - 1) - model.config.columns
    chosen = chosen_words(counts[frequent].tolist(), needed, room)
    taken = {int(frequent[place]): needed[place] for place in chosen}
    tokens = np.asarray(load_tokens(arguments.dataset, "test")[:_WORDS])
    text = Sample.of(model, tokens)
    share = counts[list(taken)].sum() / counts.sum()
    print(
        f"{len(taken)} words, {share:.1%} of the training text, take {sum(taken.values())} columns of {room}"
    )
    print(f"cycles a token now {cycles(model, engine, text, tokens, {}):7.2f}")
    print(f"with their columns {cycles(model, engine, text, tokens, taken):7.2f}")


if __name__ == "__main__":
    main()
