"""The solver at the ends of what a model can be: nothing is NaN, infinite or endless, and no traceback."""

import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import trine_boards.report.report
from trine_boards import BOARDS
from trine_boards.build.bitstream import Routed
from trine_boards.build.families import Resources
from trine_boards.report.report import make_report
from trine_sw.engine.timing import token_cycles, vector_cycles
from trine_sw.fit import balance_banks, configure, estimate, fit, fits, sample_text
from trine_sw.fit.sample import Sample
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model

ULX3S = BOARDS["ulx3s"]


def parts(model: Model, *, embedding: bool, head: bool) -> Model:
    """``model`` without what is on the host."""
    absent = {} if embedding else {"embedding_weight": None}
    if not head:
        absent |= {"head_weight": None, "head_bias": None, "head_scale": None}
    return replace(model, **absent)


def at_the_ends() -> Iterator[Model]:
    """One unit, one trit, one symbol; without embedding or head; with everything active, and nothing."""
    for number, (size, vocab, cell, layers) in enumerate(
        product((1, 5), (1, 2), ("lstm", "gru"), (1, 2)), start=1
    ):
        config = ModelConfig(hidden=size, embedding=size, vocab_size=vocab, cell=cell, layers=layers)
        for embedding, head in list(product((True, False), repeat=2))[number % 4 :: 4]:
            density, activity = ((0.5, 0.3), (0.0, 0.0), (1.0, 1.0))[(number + 2 * embedding + head) % 3]
            model = random_model(config, seed=number, density=density, activity=activity)
            yield parts(model, embedding=embedding, head=head)


def test_all_figures_are_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trine_boards.report.report, "_TEXT_TOKENS", 50)
    routed = Routed(Path("top.bit"), 84.0, 80.0, 0.05, 80.0, Resources(1, 1, 1, 0), 1, {1: 84.0}, [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy's division by zero and means of nothing
        for number, model in enumerate(at_the_ends()):
            found = fit(model, ULX3S)
            assert 1 <= found.cycles_per_token < 1000 and found.cost.ff > 0
            if model.embedding_weight is not None:
                balanced = balance_banks(model, replace(found.engine, banks=2))
                assert estimate(model, balanced, ULX3S).cycles_per_token >= 1
            if number % 3 == 0:
                assert fits(model, ULX3S)
                report = make_report(model, "small", found.engine, ULX3S, routed, "trine build", "0" * 64)
                figures = [value for value in asdict(report).values() if isinstance(value, float)]
                assert len(figures) >= 5 and all(map(math.isfinite, figures))
                assert report.tokens_per_s > 0


def test_a_model_without_embedding_gets_the_engine_that_is_fastest_on_vectors() -> None:
    """Cycles that were no number never won, so that it got one bank."""
    whole = random_model(ModelConfig(hidden=64, embedding=32, vocab_size=20), seed=1)
    model = parts(whole, embedding=False, head=False)
    found = fit(model, ULX3S)
    assert found.engine.banks > 1
    text = sample_text(model)
    for banks in (1, 2, 3, found.engine.banks):
        engine = configure(model, 256, banks, chip=ULX3S)
        assert estimate(model, engine, ULX3S, text).cycles_per_token >= found.cycles_per_token


def test_vectors_take_the_cycles_of_the_tokens_that_they_are_of() -> None:
    model = random_model(ModelConfig(hidden=9, embedding=7, vocab_size=5, layers=2), seed=3)
    engine = configure(model, 41, 2)
    tokens = np.array([0, 4, 1, 1, 3])
    sample = Sample.of(model, tokens)
    given = vector_cycles(model, engine, sample.x, sample.h)
    assert given.cycles.tolist() == token_cycles(model, engine, tokens).cycles.tolist()
    bare = parts(model, embedding=False, head=True)
    assert np.array_equal(Sample.of(bare, sample.x).h, sample.h)


def test_few_tokens_and_none() -> None:
    model = random_model(ModelConfig(hidden=4, embedding=3, vocab_size=5), seed=1)
    engine = configure(model, 30, 2)
    assert token_cycles(model, engine, np.zeros(0, np.int64)).cycles.shape == (0,)
    one = Sample.of(model, np.array([2]))
    assert estimate(model, engine, ULX3S, one).cycles_per_token >= 1
