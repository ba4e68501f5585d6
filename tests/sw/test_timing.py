"""The timing model's promises (that the gateware keeps to it is asserted in simulation)."""

import random

import numpy as np
import pytest

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.timing import TimingModel, token_cycles, vector_cycles
from trine_sw.golden import Golden
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model


@pytest.mark.parametrize("banks", [1, 2, 3, 4])
def test_a_boundary_costs_the_marker_alone(banks: int) -> None:
    """With x long enough to cover the cells, a token takes its fullest bank's columns and one cycle."""
    model = random_model(
        ModelConfig(hidden=60, embedding=100, vocab_size=30, cell_max=7), seed=banks, activity=0.8
    )
    engine = EngineConfig(1000, banks)
    tokens = np.random.default_rng(banks).integers(0, 30, 300)
    h = Golden(model).run(tokens).h
    timing = TimingModel(Geometry(model.config, engine))
    assert model.embedding_weight is not None
    x = timing.x_counts(model.embedding_weight[tokens])
    before = timing.h_counts(np.concatenate([np.zeros_like(h[:1]), h[:-1]]))
    assert x[1:].min() >= 11, "the case is to cover the cells' latency"
    fullest = (np.maximum(x, 1) + np.maximum(before, 1)).max(1)
    found = token_cycles(model, engine, tokens, head=False)
    assert (found.cycles[1:] == fullest[1:] + 1).all()
    assert found.columns == x.sum() + before.sum()


def test_columns_are_counted_by_bank() -> None:
    geometry = Geometry(ModelConfig(hidden=5, embedding=4, vocab_size=3, cell_max=7), EngineConfig(100, 3))
    timing = TimingModel(geometry)
    x, h = np.ones((1, 4), np.int8), np.array([[1, 0, -1, 0, 1]], np.int8)
    # [x ; h] = columns 0..3 and 4..8; h's active ones are columns 4, 6 and 8: banks 1, 0, 2
    assert timing.x_counts(x).tolist() == [[2, 1, 1]]
    assert timing.h_counts(h).tolist() == [[1, 1, 1]]
    for bank in range(3):
        assert timing.x_counts(x)[0, bank] == len(geometry.bank_x(bank))
        assert [(4 + i) % 3 for i in geometry.bank_h(bank)] == [bank] * len(geometry.bank_h(bank))


def test_folding_replays_the_columns() -> None:
    model = random_model(ModelConfig(hidden=24, embedding=24, vocab_size=9, cell_max=7), seed=3)
    tokens = np.arange(50) % 9
    whole = token_cycles(model, EngineConfig(200, 2), tokens, head=False)
    folded = token_cycles(model, EngineConfig(40, 2), tokens, head=False)
    groups = Geometry(model.config, EngineConfig(40, 2)).groups
    assert groups > 1 and folded.columns == groups * whole.columns
    assert (folded.cycles > whole.cycles).all()


@pytest.mark.parametrize("seed", range(12))
def test_replays_that_are_counted_at_once_take_what_they_take_one_by_one(seed: int, monkeypatch) -> None:
    draw = random.Random(seed)
    config = ModelConfig(
        cell=draw.choice(("lstm", "gru", "mgu")),
        hidden=draw.randint(20, 48),
        embedding=draw.randint(1, 40),
        vocab_size=draw.choice((2, 9, 40, 150)),
        layers=1 + seed % 3 // 2,
    )
    model = random_model(config, seed=seed, activity=draw.choice((0.02, 0.2, 0.9)))
    stacked = config.layers > 1  # of which each group is of one layer: a unit at a time, no rows of the head
    head = "host" if stacked else draw.choice(("board", "host"))
    lanes = len(config.spec.lanes) + (0 if stacked else 8)
    parts = {"head": head, "relays": seed % 2, "sampler_ways": draw.choice((1, 4))}
    engine = EngineConfig(lanes, draw.randint(1, 8), **parts)
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, config.vocab_size, 30)
    assert model.embedding_weight is not None
    x, h = model.embedding_weight[tokens], Golden(model).run(tokens, logits=False).h
    options = {"head": rng.random(30) < 0.7, "starts": rng.random(30) < 0.2}
    assert Geometry(config, engine).layer_groups > 4
    at_once = vector_cycles(model, engine, x, h, **options)
    monkeypatch.setattr(TimingModel, "_groups_alike", lambda self, group: 0)
    one_by_one = vector_cycles(model, engine, x, h, **options)
    assert at_once.columns == one_by_one.columns
    np.testing.assert_array_equal(at_once.cycles, one_by_one.cycles)
