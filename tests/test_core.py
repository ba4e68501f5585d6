"""The core in Amaranth's simulator: every state, logit, choice and cycle of a few small engines."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from trine_hw.cells import level_bits
from trine_hw.core import Core
from trine_sw.engine import EngineConfig
from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.random_model import random_model
from trine_sw.sampler import Sampler, tau_code
from trine_sw.timing import generation_cycles, token_cycles


class Run:
    """What a core gave for a list of requests."""

    def __init__(
        self, core: Core, requests: list[dict], *, tau: int = 0, seed: int = 0, steady: float = 1.0
    ) -> None:
        self.core, self.requests, self.steady = core, requests, steady
        self.tau, self.seed = tau, seed
        geometry, config = core.geometry, core.model.config
        self.cells: list[list] = []
        self.cycles: list[int] = []
        self.logits: list[list[int]] = [[]]
        self.choices: list[int] = []
        wanted = sum(r.get("head", 0) or bool(r.get("count")) for r in requests)
        generated = sum(max(r.get("count", 0) - 1, 0) for r in requests)
        self.want_tokens = len(requests) + generated
        self.want_choices = (wanted + generated) if geometry.head_lanes else 0
        self.cells_of = config.cells
        simulator = Simulator(core)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._feed)
        simulator.add_testbench(self._states)
        if geometry.head_lanes:
            simulator.add_testbench(self._take_logits)
            simulator.add_testbench(self._take_choices)
        simulator.add_testbench(self._watchdog, background=True)
        simulator.run()
        assert simulator is not None

    async def _watchdog(self, ctx):
        for _ in range(200_000):
            await ctx.tick()
        raise AssertionError("the engine hangs")

    async def _feed(self, ctx):
        core, rng = self.core, random.Random(1)
        if self.core.geometry.head_lanes:
            ctx.set(core.tau, self.tau)
            ctx.set(core.seed, self.seed)
        for request in self.requests:
            while rng.random() > self.steady:
                await ctx.tick()
            ctx.set(core.i.payload, {"reset": 0, "head": 0, "last": 0, "count": 0, "reseed": 0, **request})
            ctx.set(core.i.valid, 1)
            await ctx.tick().until(core.i.ready)
            ctx.set(core.i.valid, 0)

    async def _stream(self, ctx, port, rng):
        while rng.random() > self.steady:
            await ctx.tick()
        ctx.set(port.ready, 1)
        (payload,) = await ctx.tick().sample(port.payload).until(port.valid)
        ctx.set(port.ready, 0)
        return payload

    async def _states(self, ctx):
        rng, bits = random.Random(2), level_bits(self.core.model.config)
        for _ in range(self.want_tokens):
            cells, last = [], 0
            while not last:
                beat = await self._stream(ctx, self.core.state, rng)
                cells += [(c.h, c.u if bits else abs(c.h), c.c) for c in beat.cells]
                last = beat.last
            self.cells.append(cells[: self.cells_of])
            self.cycles.append(beat.cycles)
            assert not any(any(cell) for cell in cells[self.cells_of :])

    async def _take_logits(self, ctx):
        rng = random.Random(3)
        while len(self.logits) <= self.want_choices:
            beat = await self._stream(ctx, self.core.logits, rng)
            self.logits[-1] += [v for i, v in enumerate(beat.logit) if beat.mask >> i & 1]
            if beat.last:
                self.logits.append([])

    async def _take_choices(self, ctx):
        rng = random.Random(4)
        while len(self.choices) < self.want_choices:
            self.choices.append(await self._stream(ctx, self.core.choice, rng))


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


@pytest.mark.parametrize("cell", ["lstm", "gru"])
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


@pytest.mark.parametrize("cell", ["lstm", "gru"])
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
