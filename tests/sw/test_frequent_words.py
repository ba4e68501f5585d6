"""Columns of their own for frequent words: they add what the columns of x add, and are counted right."""

from dataclasses import replace

import numpy as np
import pytest

from sim.measure.frequent_words import chosen_words, columns_for, cycles
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import token_cycles
from trine_sw.fit.sample import Sample
from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model


@pytest.mark.parametrize("seed", range(10))
def test_columns_add_up(seed):
    rng = np.random.default_rng(seed)
    weight, x = rng.integers(-1, 2, (40, 30)), rng.integers(-1, 2, 30)
    sums = weight @ x
    made = columns_for(sums)
    np.testing.assert_array_equal(made.sum(axis=1), sums)
    assert set(np.unique(made)) <= {-1, 0, 1} and made.shape[1] == np.abs(sums).max()


def test_chosen_words_have_room():
    rng = np.random.default_rng(0)
    counts, columns = rng.integers(1, 100, 50).tolist(), rng.integers(1, 20, 50).tolist()
    chosen = chosen_words(counts, columns, 100)
    left = set(range(50)) - set(chosen)
    room = 100 - sum(columns[word] for word in chosen)
    assert 0 <= room < min(columns[word] for word in left)


def test_cycles_are_those_of_a_model_that_has_the_columns():
    """Its states are the same. x takes longer than what h waits for, so that each column counts."""
    model = random_model(ModelConfig(hidden=12, embedding=300, vocab_size=9), seed=1)
    assert model.embedding_weight is not None
    size, (layer,) = model.config.embedding, model.layers
    engine = EngineConfig(
        lanes=48, banks=2, embedding="host", head="host", assignment=tuple(n % 5 % 2 for n in range(312))
    )
    tokens = np.random.default_rng(2).integers(0, 9, 200)
    text = Sample.of(model, tokens)
    assert (
        cycles(model, engine, text, tokens, {})
        == token_cycles(model, engine, tokens, head=False).cycles.mean()
    )

    of_x, of_h = layer.weight[:, :size], layer.weight[:, size:]
    made = {word: columns_for(of_x.astype(int) @ model.embedding_weight[word]) for word in (2, 5, 7)}
    total = sum(columns.shape[1] for columns in made.values())
    embedding = np.pad(model.embedding_weight, ((0, 0), (0, total)))
    banks, at = [], size
    for word, columns in made.items():
        embedding[word] = 0
        embedding[word, at : at + columns.shape[1]] = 1
        at += columns.shape[1]
        banks += [n % 2 for n in range(columns.shape[1])]
    longer = Model(
        replace(model.config, embedding=size + total),
        [replace(layer, weight=np.concatenate([of_x, *made.values(), of_h], axis=1))],
        embedding_weight=embedding,
    )
    assert engine.assignment is not None
    assignment = (*engine.assignment[:size], *banks, *engine.assignment[size:])
    np.testing.assert_array_equal(Golden(longer).run(tokens, logits=False).h, text.h)
    wanted = token_cycles(longer, replace(engine, assignment=assignment), tokens, head=False).cycles.mean()
    own = {word: columns.shape[1] for word, columns in made.items()}
    assert cycles(model, engine, text, tokens, own) == wanted
