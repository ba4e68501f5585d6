"""The core in Amaranth's simulator: every state, logit, choice and cycle of a few small engines."""

import random

import numpy as np
import pytest

from tests.helpers.core_run import Run
from trine_hw.core.core import Core
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import generation_cycles, token_cycles
from trine_sw.golden import Golden
from trine_sw.golden.sampler import Sampler, tau_code
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


def reference(model: Model, tokens: np.ndarray):
    trace = Golden(model).run(tokens)
    states = [
        list(zip(h, np.abs(u), c, strict=True)) for h, u, c in zip(trace.h, trace.u, trace.c, strict=True)
    ]
    return trace, [[tuple(int(v) for v in cell) for cell in cells] for cells in states]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("config", MODELS)
@pytest.mark.parametrize("threshold", ["typical", "extreme"])
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


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
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


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("engine", ENGINES)
def test_mixed_requests_with_stalls(engine: EngineConfig, cell: str) -> None:
    """Resets, passes of their own, generation in mid-stream, and every stream stalling."""
    config = ModelConfig(cell=cell, hidden=9, embedding=6, vocab_size=21, cell_max=7)
    model = random_model(config, seed=engine.lanes)
    core = Core(model, engine)
    rng = random.Random(engine.lanes)
    golden = Golden(model)
    sampler = Sampler(model.head_scale, 0.7, 9)
    requests: list[dict] = []
    states, logits, choices = [], [], []
    state = golden.initial_state()

    def step(token: int) -> None:
        nonlocal state
        trace = golden.run([token], state)
        state = trace.state
        assert trace.logits is not None
        states.append(
            [
                tuple(int(v) for v in cell)
                for cell in zip(trace.h[0], abs(trace.u[0]), trace.c[0], strict=True)
            ]
        )
        logits.append(trace.logits[0])

    def choose() -> int:
        choices.append(sampler.choose(logits[-1]))
        heads.append(logits[-1].tolist())
        return choices[-1]

    heads: list[list[int]] = []
    for index in range(40):
        request = {"token": rng.randrange(21), "head": rng.random() < 0.6, "last": rng.random() < 0.4}
        request["reset"] = index == 0 or rng.random() < 0.2
        request["reseed"] = index == 0
        if rng.random() < 0.2:
            request["count"] = rng.randint(1, 4)
        if request["reset"]:
            state = golden.initial_state()
            if requests:
                requests[-1]["last"] = 1
        requests.append(request)
        step(request["token"])
        if request.get("count"):
            for k in range(request["count"]):
                token = choose()
                if k < request["count"] - 1:
                    step(token)
        elif request["head"]:
            choose()
    requests[-1]["last"] = 1
    for steady in (1.0, 0.3, 0.05):
        run = Run(core, requests, tau=tau_code(0.7, model.head_scale), seed=9, steady=steady)
        assert run.cells == states
        assert run.logits[:-1] == heads
        assert run.choices == choices
        core = Core(model, core.engine)
