"""The core in Amaranth's simulator: every state, logit, choice and cycle of a few small engines.

``sim/test_core.py`` does the same in Verilator, with more geometries; those here need no compiler. Every
model, engine, threshold and cell is in a case that always runs; the other combinations are nightly.
"""

import numpy as np
import pytest

from tests.helpers.core_run import Run
from tests.helpers.mixed_requests import mixed_requests
from tests.helpers.selection import named, numbered, product
from trine_hw.core.core import Core
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import generation_cycles, token_cycles
from trine_sw.golden import Golden
from trine_sw.golden.sampler import tau_code
from trine_sw.model import CELLS, Model, ModelConfig
from trine_sw.model.random_model import random_model

MODELS = [
    dict(hidden=7, embedding=5, vocab_size=11, cell_max=7),
    dict(hidden=1, embedding=1, vocab_size=3, cell_max=1),
    dict(
        hidden=12,
        embedding=1,
        vocab_size=5,
        cell_max=127,
        cell_shift=3,
        output_shift=2,
        head_levels=(0, 1, 2, 3),
    ),
    dict(hidden=9, embedding=20, vocab_size=40, cell_max=15, cell_shift=1, head_levels=(0, 1, 3, 3, 7)),
    dict(cell="gru", hidden=7, embedding=5, vocab_size=11, cell_max=7),
    dict(cell="gru", hidden=1, embedding=1, vocab_size=3, cell_max=1),
    dict(
        cell="gru",
        hidden=12,
        embedding=9,
        vocab_size=5,
        cell_max=127,
        cell_shift=6,
        output_shift=3,
        head_levels=(0, 1, 2, 5),
    ),
    dict(cell="mgu", hidden=7, embedding=5, vocab_size=11, cell_max=7, cell_shift=2),
    dict(
        cell="mgu",
        hidden=10,
        embedding=4,
        vocab_size=5,
        cell_max=127,
        cell_shift=6,
        output_shift=3,
        head_levels=(0, 1, 2, 5),
    ),
]
#: Lanes at most, banks, ways; the last two keep their state in memories.
ENGINES = [
    EngineConfig(1000, 3),
    EngineConfig(1000, 1, sampler_ways=4),
    EngineConfig(21, 2),
    EngineConfig(10, 4, sampler_ways=2),
    EngineConfig(5, 2),
    EngineConfig(21, 1, block_ram="ice40"),
    EngineConfig(10, 1, sampler_ways=2, block_ram="ice40"),
]
#: By engine number: all cells in one group, folded, and folded with the state in memories.
TOKENS = """
    typical-config0-engine0 typical-config0-engine3 typical-config0-engine6 typical-config1-engine4
    typical-config2-engine5 typical-config3-engine1 typical-config4-engine2 typical-config5-engine1
    typical-config5-engine5 typical-config6-engine4 typical-config6-engine6
    extreme-config0-engine1 extreme-config0-engine4 extreme-config1-engine0 extreme-config2-engine2
    extreme-config3-engine1 extreme-config4-engine5 extreme-config5-engine6 extreme-config6-engine0
    extreme-config5-engine3
    typical-config7-engine0 extreme-config7-engine2 typical-config8-engine6 extreme-config8-engine1
"""
GENERATION = """
    1.0-engine1-lstm 1.0-engine2-lstm 0.0-engine5-lstm 1.0-engine3-lstm
    0.0-engine1-gru 0.0-engine2-gru 1.0-engine0-gru 1.0-engine6-gru 1.0-engine4-gru
    1.0-engine1-mgu 0.0-engine6-mgu 1.0-engine2-mgu
"""
#: Streams that hardly move take most of the time; ``sim/test_core.py`` has them in every geometry.
MIXED = """
    1.0-engine1-mgu 0.05-engine1-lstm 1.0-engine2-gru 0.3-engine6-lstm 1.0-engine5-mgu 0.3-engine0-gru
    1.0-engine3-lstm 1.0-engine4-mgu
"""


def reference(model: Model, tokens: np.ndarray):
    trace = Golden(model).run(tokens)
    states = [
        list(zip(h, np.abs(u), c, strict=True)) for h, u, c in zip(trace.h, trace.u, trace.c, strict=True)
    ]
    return trace, [[tuple(int(v) for v in cell) for cell in cells] for cells in states]


THRESHOLDS = named("typical", "extreme")
ENGINES_BY_NAME, MODELS_BY_NAME = numbered("engine", ENGINES), numbered("config", MODELS)


@pytest.mark.parametrize(
    ("threshold", "config", "engine"),
    product(THRESHOLDS, MODELS_BY_NAME, ENGINES_BY_NAME, always=TOKENS.split()),
)
def test_tokens_equal_golden(config: dict, engine: EngineConfig, threshold: str) -> None:
    model = random_model(ModelConfig(**config), seed=engine.lanes, threshold=threshold)
    tokens = np.random.default_rng(engine.banks).integers(0, config["vocab_size"], 24)
    core = Core(model, engine)
    requests = [{"token": int(t), "head": 1, "reset": i == 0, "last": i == 23} for i, t in enumerate(tokens)]
    trace, states = reference(model, tokens)
    run = Run(core, requests)
    assert run.cells == states
    assert trace.logits is not None
    assert run.logits[:-1] == trace.logits.tolist()
    assert run.choices == trace.logits.argmax(1).tolist()
    assert run.cycles == token_cycles(model, core.engine, tokens).cycles.tolist()


@pytest.mark.parametrize(
    ("temperature", "engine", "cell"),
    product(named(0.0, 1.0), ENGINES_BY_NAME, named(*CELLS), always=GENERATION.split()),
)
def test_generation_equals_golden(engine: EngineConfig, temperature: float, cell: str) -> None:
    config = ModelConfig(cell=cell, hidden=9, embedding=6, vocab_size=21, cell_max=7)
    model = random_model(config, seed=engine.lanes)
    core = Core(model, engine)
    prompt, count = [3, 1, 4], 12
    chosen = Golden(model).generate(prompt, count, temperature, 5)
    requests = [{"token": t, "reset": i == 0} for i, t in enumerate(prompt)]
    requests[-1] |= {"count": count, "reseed": 1}
    run = Run(core, requests, tau=tau_code(temperature, model.head_scale), seed=5)
    assert run.choices == chosen.tolist()
    assert run.cells == reference(model, np.concatenate([prompt, chosen[:-1]]))[1]
    assert run.cycles == generation_cycles(model, core.engine, prompt, chosen).cycles.tolist()


@pytest.mark.parametrize(
    ("steady", "engine", "cell"),
    product(named(1.0, 0.3, 0.05), ENGINES_BY_NAME, named(*CELLS), always=MIXED.split()),
)
def test_mixed_requests_with_stalls(steady: float, engine: EngineConfig, cell: str) -> None:
    """Resets, passes of their own, generation in mid-stream, and every stream stalling."""
    config = ModelConfig(cell=cell, hidden=9, embedding=6, vocab_size=21, cell_max=7)
    model = random_model(config, seed=engine.lanes)
    mixed = mixed_requests(model, seed=engine.lanes, temperature=0.7, generator_seed=9)
    tau = tau_code(0.7, model.head_scale)
    run = Run(Core(model, engine), mixed.requests, tau=tau, seed=9, steady=steady)
    assert run.cells == mixed.cells
    assert run.logits[:-1] == mixed.logits
    assert run.choices == mixed.choices
