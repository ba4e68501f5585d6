"""Hostile numbers, arrays and names given to what a program calls: a right result or one
:class:`TrineError`, and no other error. ``test_hostile_values.py`` is of models and their files."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from tests.helpers.altered_file import CONFIG
from tests.sw.trine.test_hostile_values import HOSTILE, MANY, tried
from trine.backends import BACKENDS, open_backend, open_tracing_backend
from trine.reports.simulated_text_report import measure_gateware
from trine.simulated_steps import simulate_text
from trine_boards import BOARDS
from trine_boards.clock.choice import board_clock
from trine_sw.cluster.job import Cluster
from trine_sw.data import load_text, load_tokens, symbols
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import generation_cycles, token_cycles
from trine_sw.fit import configure
from trine_sw.fit.sample import sample_tokens
from trine_sw.golden.host_head import head_of
from trine_sw.golden.sampler import seed_state
from trine_sw.link.protocol import LinkConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

ENGINE = EngineConfig(40, 2)


@pytest.fixture(scope="module")
def model():
    return replace(random_model(CONFIG, seed=0), vocabulary=["a", "b", "c", " "])


@pytest.mark.parametrize("config", [ENGINE, LinkConfig()], ids=["engine", "link"])
def test_configurations(config):
    """What is taken is kept as Python's integers, so that equal ones are written alike."""
    for name in [entry.name for entry in fields(config)]:
        for value in [*HOSTILE, np.int64(64), np.uint8(128), [0, 1], (np.int8(1),), [0.0], [2**70], (-1,)]:
            made = tried(lambda name=name, value=value: replace(config, **{name: value}))
            kept = None if made is None else getattr(made, name)
            for entry in kept if isinstance(kept, tuple) else (kept,):
                assert type(entry) in (int, str, type(None)), name
    assert replace(LinkConfig(), window=np.int64(4)) == LinkConfig(window=4)
    assert repr(replace(ENGINE, lanes=np.int64(40), assignment=np.array([0, 1]))) == repr(
        replace(ENGINE, assignment=(0, 1))
    )


@pytest.mark.parametrize("name", ["seed", "density", "activity", "threshold", "config"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_random_model(cell, name):
    config = replace(CONFIG, cell=cell)
    for value in [*HOSTILE, 1.5, 2.0, -0.1, 1.0000001, 2**64, -(2**63)]:
        given = {"config": config, "seed": 1, name: value}
        made = tried(lambda given=given: random_model(given.pop("config"), **given))
        assert made is None or (made.digest() and name != "config")
    for wrong in ({"seed": -1}, {"seed": 1.5}, {"activity": math.nan}, {"activity": math.inf}):
        with pytest.raises(TrineError, match=f"the {next(iter(wrong))} must be"):
            random_model(config, **({"seed": 1} | wrong))


def test_functions(model):
    board, huge = next(iter(BOARDS.values())), (MANY, 2**63, 2**64, 10**400, 10**5000)
    for value in HOSTILE:
        many = isinstance(value, int) and value in huge
        calls = [
            lambda v: sample_tokens(model, 3, v),
            lambda v: token_cycles(model, ENGINE, v),
            lambda v: generation_cycles(model, ENGINE, v, [0, 1]),
            lambda v: generation_cycles(model, ENGINE, [0], v),
            lambda v: configure(model, v, 2),
            lambda v: configure(model, 40, v),
            lambda v: head_of(model, v) if v is not None else None,
            lambda v: seed_state(v),
            lambda v: board_clock(board, v),
            lambda v: load_text(v, "train"),
            lambda v: load_text("shakespeare", v),
            lambda v: load_tokens(v, "train"),
            lambda v: symbols(v),
            lambda v: measure_gateware(model, "m", "shakespeare", v, None, "verilator"),
            lambda v: open_backend(v, model),
            lambda v: open_backend("golden", model).run(v),
            lambda v: open_backend("golden", model).generate(v, 2),
        ]
        if not many:  # so many could be meant
            calls.append(lambda v: sample_tokens(model, v))
        for call in calls:
            tried(lambda call=call, value=value: call(value))


def test_what_is_refused_before_a_simulator_is_compiled(model, tmp_path, monkeypatch):
    def compiled(*_, **__):
        raise TrineError("compiled")

    monkeypatch.setattr("trine_hw.simulation.build.build", compiled)
    monkeypatch.setattr("trine_hw.simulation.run.simulate", compiled)
    backends = [open_tracing_backend(name, model, ENGINE) for name in BACKENDS if name != "golden"]
    for value in [*HOSTILE, 65535, 65536]:
        calls = [
            lambda v: simulate_text(model, v, ENGINE, "verilator", runs=tmp_path),
            lambda v: simulate_text(model, [0, 1], ENGINE, "verilator", cluster=Cluster(v), runs=tmp_path),
            lambda v: simulate_text(model, [0, 1], ENGINE, "verilator", segment=v, runs=tmp_path),
        ]
        for backend in backends:
            calls += [
                lambda v, b=backend: b.run(v),
                lambda v, b=backend: b.generate(v, 2),
                lambda v, b=backend: b.generate([0], v),
                lambda v, b=backend: b.generate([0], 2, v),
                lambda v, b=backend: b.generate([0], 2, 0.5, v),
            ]
        for call in calls:
            assert tried(lambda call=call, value=value: call(value)) is None
    with pytest.raises(TrineError, match="the count in a simulator must be from 1 to 65535, not 65536"):
        backends[0].generate([0], 65536)
    with pytest.raises(TrineError, match="^compiled$"):
        backends[0].generate([0], 65535)
