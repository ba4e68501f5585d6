"""Columns of their own for frequent words: they add what the columns of x add, and are counted right."""

import numpy as np
import pytest

from sim.measure.frequent_words import chosen_words, columns_for, cycles
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.timing import token_cycles
from trine_sw.fit.sample import Sample
from trine_sw.model import ModelConfig
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


def test_cycles_without_own_columns_are_the_engines():
    model = random_model(ModelConfig(hidden=12, embedding=30, vocab_size=9), seed=1)
    engine = EngineConfig(lanes=48, banks=2, embedding="host", head="host")
    tokens = np.random.default_rng(2).integers(0, 9, 200)
    geometry, text = Geometry(model.config, engine), Sample.of(model, tokens)
    now = cycles(geometry, text, tokens, {})
    assert now == token_cycles(model, engine, tokens, head=False).cycles.mean()
    assert cycles(geometry, text, tokens, dict.fromkeys(range(9), 2)) < now
