"""The core in Verilator and Icarus: every state, logit and cycle, over geometries and trained models."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim.equality import check, idle_at_boundaries, stream_job
from tests.helpers.mixed_requests import mixed_requests
from trine_hw.core.core import Core
from trine_hw.simulation import run as run_module
from trine_hw.simulation.job import Job, Stalls, TokenRequest
from trine_hw.simulation.run import simulate
from trine_sw.engine import (
    ACCUMULATE_LATENCY,
    CELL_LATENCY,
    ROM_LATENCY,
    SCAN_LATENCY,
    EngineConfig,
    Geometry,
)
from trine_sw.engine.timing import head_room
from trine_sw.fit import sample_tokens
from trine_sw.golden.sampler import tau_code
from trine_sw.model import Layer, Model, ModelConfig
from trine_sw.model.cells import CELLS
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

PIPELINE = ROM_LATENCY + ACCUMULATE_LATENCY + CELL_LATENCY + SCAN_LATENCY
MODELS = Path(__file__).resolve().parent.parent / "models"
SIMULATORS = [
    "verilator",
    pytest.param(
        "icarus", marks=pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus is not installed")
    ),
]
WIDE = ModelConfig(
    hidden=11, embedding=1, vocab_size=9, cell_max=127, cell_shift=3, output_shift=2, head_levels=(0, 1, 2, 3)
)
WIDE_GRU = ModelConfig(
    cell="gru",
    hidden=11,
    embedding=3,
    vocab_size=9,
    cell_max=127,
    cell_shift=6,
    output_shift=3,
    head_levels=(0, 1, 2, 5),
)
#: (model, threshold, three-state forget gate or z, engine): odd sizes, E or H of 1, one to four banks, even
#: and uneven folds, all that a model can ask of the cell.
SWEEP = [
    (ModelConfig(hidden=7, embedding=5, vocab_size=11, cell_max=7), "typical", True, EngineConfig(1000, 3)),
    (ModelConfig(hidden=1, embedding=1, vocab_size=3, cell_max=1), "typical", False, EngineConfig(8, 1)),
    (ModelConfig(hidden=1, embedding=6, vocab_size=5, cell_max=3), "extreme", True, EngineConfig(20, 4)),
    (WIDE, "typical", True, EngineConfig(1000, 2, sampler_ways=4)),
    (WIDE, "extreme", True, EngineConfig(25, 4, sampler_ways=2)),
    (
        ModelConfig(hidden=12, embedding=8, vocab_size=10, cell_max=15, head_levels=(0, 1, 3, 3, 7)),
        "extreme",
        False,
        EngineConfig(21, 3),
    ),
    (
        ModelConfig(hidden=13, embedding=9, vocab_size=30, cell_max=7, cell_shift=2),
        "typical",
        True,
        EngineConfig(5, 2),
    ),
    (
        ModelConfig(hidden=10, embedding=7, vocab_size=12, cell_max=7),
        "typical",
        True,
        EngineConfig(17, 3, embedding="host", head="host"),
    ),
    (
        ModelConfig(hidden=6, embedding=5, vocab_size=9, cell_max=7),
        "typical",
        True,
        EngineConfig(1000, 2, embedding="host"),
    ),
    (
        ModelConfig(hidden=9, embedding=4, vocab_size=8, cell_max=3),
        "typical",
        False,
        EngineConfig(16, 1, head="host"),
    ),
    (  # three blocks of cells, two of head lanes
        ModelConfig(hidden=21, embedding=14, vocab_size=40, cell_max=7, head_levels=(0, 1, 2)),
        "typical",
        True,
        EngineConfig(1000, 3, sampler_ways=2, relays=1, assignment=tuple(np.arange(35) * 7 % 11 % 3)),
    ),
    (
        ModelConfig(hidden=23, embedding=4, vocab_size=30, cell_max=7),
        "extreme",
        True,
        EngineConfig(65, 2, embedding="host", relays=1, assignment=(0, 1) * 5 + (1,) * 17),
    ),
    (
        ModelConfig(cell="gru", hidden=11, embedding=1, vocab_size=11, cell_max=7),
        "typical",
        False,
        EngineConfig(1000, 3, relays=1),
    ),
    (
        ModelConfig(cell="gru", hidden=1, embedding=1, vocab_size=3, cell_max=1),
        "extreme",
        True,
        EngineConfig(8, 1),
    ),
    (WIDE_GRU, "extreme", True, EngineConfig(25, 4, sampler_ways=2)),
    (replace(WIDE_GRU, cell="mgu"), "extreme", True, EngineConfig(25, 4, sampler_ways=2)),
    (replace(WIDE_GRU, cell="mgu"), "typical", True, EngineConfig(1000, 3, relays=1)),
    (
        ModelConfig(cell="mgu", hidden=13, embedding=9, vocab_size=12, cell_max=7, cell_shift=2),
        "typical",
        True,
        EngineConfig(17, 3, embedding="host", head="host"),
    ),
    (
        ModelConfig(cell="mgu", layers=2, hidden=6, embedding=9, vocab_size=12, cell_max=7, cell_shift=1),
        "typical",
        False,
        EngineConfig(14, 2),
    ),
    (
        ModelConfig(cell="gru", hidden=13, embedding=9, vocab_size=12, cell_max=7, cell_shift=2),
        "typical",
        True,
        EngineConfig(17, 3, embedding="host", head="host"),
    ),
    (  # stacks of layers: in one group each, and folded
        ModelConfig(layers=2, hidden=10, embedding=7, vocab_size=9, cell_max=7, head_levels=(0, 1, 3)),
        "typical",
        True,
        EngineConfig(1000, 3, relays=1),
    ),
    (
        ModelConfig(cell="gru", layers=3, hidden=6, embedding=9, vocab_size=12, cell_max=7),
        "extreme",
        True,
        EngineConfig(17, 2),
    ),
    (  # the state in memories
        ModelConfig(hidden=9, embedding=6, vocab_size=21, cell_max=7),
        "typical",
        True,
        EngineConfig(21, 1, block_ram="ice40"),
    ),
    (
        ModelConfig(cell="gru", hidden=9, embedding=6, vocab_size=21, cell_max=7, head_levels=(0, 1, 2)),
        "extreme",
        True,
        EngineConfig(10, 1, sampler_ways=2, block_ram="ice40"),
    ),
]


#: Of the sweep, what runs with every change: each cell, each place of embedding and head, one group and
#: several, one layer and several, relays, block RAMs, ways and levels.
DAILY = (0, 3, 5, 7, 8, 10, 14, 16, 21, 23)
#: Of these, what is compiled by Verilator with every change.
VERILATED = (0, 5, 8, 14, 16, 21)
each_part = pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(VERILATED, id="daily"),
        pytest.param(range(len(SWEEP)), id="whole", marks=pytest.mark.nightly),
    ],
)


def test_every_cell_is_in_the_daily_part() -> None:
    for part in (DAILY, VERILATED):
        assert {SWEEP[number][0].cell for number in part} == set(CELLS)


def cases(numbers: Sequence[int], count: int, seed: int) -> list[tuple[Model, EngineConfig, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [
        (
            random_model(config, seed=n, threshold=threshold, three_state_forget=three),
            engine,
            rng.integers(0, config.vocab_size, count),
        )
        for n, (config, threshold, three, engine) in ((n, SWEEP[n]) for n in numbers)
    ]


@each_part
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_sweep_of_geometries(simulator: str, numbers: Sequence[int]) -> None:
    if simulator == "icarus" and numbers is VERILATED:
        numbers = DAILY
    given = cases(numbers, 40, 1)
    runs = simulate([stream_job(*case) for case in given], simulator)
    assert len(runs) == len(numbers)
    for case, run in zip(given, runs, strict=True):
        check(*case, run)


@each_part
def test_every_stream_stalls(numbers: Sequence[int]) -> None:
    given = cases(numbers, 25, 2)
    stalls = [Stalls(i=0.3, state=0.4, logits=0.5, choice=0.3, seed=n) for n in range(len(given))]
    jobs = [stream_job(*case, each) for case, each in zip(given, stalls, strict=True)]
    for case, run in zip(given, simulate(jobs, "verilator"), strict=True):
        check(*case, run, cycles=False)


@each_part
def test_cycles_where_tokens_come_late(numbers: Sequence[int]) -> None:
    """A token is predicted from the cycle it is offered in."""
    given = cases(numbers, 40, 4)
    jobs = [stream_job(*case, Stalls(i=0.05, seed=n)) for n, case in enumerate(given)]
    for case, run in zip(given, simulate(jobs, "verilator"), strict=True):
        assert run.offered.any()
        check(*case, run)


@each_part
@pytest.mark.parametrize("steady", [1.0, 0.3, 0.05])
def test_mixed_requests_with_stalls(steady: float, numbers: Sequence[int]) -> None:
    """Resets, passes of their own, generation in mid-stream, and every stream stalling."""
    jobs, expected = [], []
    given = cases(numbers, 40, 5)
    for n, (model, engine, tokens) in enumerate(given):
        if "host" in (engine.embedding, engine.head):  # no token can be fed back
            job = stream_job(model, engine, tokens)
            mixed = None
        else:
            mixed = mixed_requests(model, seed=n, temperature=0.7, generator_seed=9)
            requests = [TokenRequest(**request) for request in mixed.requests]
            job = Job(Core(model, engine), requests, tau=tau_code(0.7, model.head_scale), seed=9)
        stalls = Stalls(i=steady, state=steady, logits=steady, choice=steady, seed=n)
        jobs.append(replace(job, stalls=stalls))
        expected.append(mixed)
    assert 2 * sum(mixed is not None for mixed in expected) > len(given)
    runs = simulate(jobs, "verilator")
    for (model, engine, tokens), mixed, run in zip(given, expected, runs, strict=True):
        if mixed is None:
            check(model, engine, tokens, run, cycles=False)
            continue
        assert run.h.tolist() == mixed.h
        assert run.u.tolist() == mixed.u
        assert run.c.tolist() == mixed.c
        assert run.logits.tolist() == mixed.logits
        assert run.choices.tolist() == mixed.choices
        assert run.token_count == len(mixed.h)


@pytest.mark.nightly
def test_demo_model_on_verilator() -> None:
    from trine_boards import BOARDS
    from trine_sw.fit import fit

    model = Model.load(MODELS / "shakespeare.trine")
    engine = replace(fit(model, BOARDS["ulx3s"]).engine, block_ram="inferred")
    tokens = sample_tokens(model, 2048)
    (run,) = simulate([replace(stream_job(model, engine, tokens), watch=True)], "verilator")
    check(model, engine, tokens, run)
    # A new h comes PIPELINE cycles behind its marker: columns of x fill them as far as there are any. A token
    # shorter than the logits of the one before, beat by beat, waits for those.
    assert model.embedding_weight is not None
    active = model.embedding_weight[tokens[1:]] != 0
    of_fullest_bank = np.max([active[:, bank :: engine.banks].sum(1) for bank in range(engine.banks)], axis=0)
    geometry = Geometry(model.config, engine)
    behind_logits = run.cycles[1:] == head_room(geometry) + geometry.head_beats(0)
    idle = idle_at_boundaries(run)
    assert (idle <= np.maximum(2, PIPELINE - of_fullest_bank))[~behind_logits].all()
    assert np.mean(idle) < 2.5 and np.mean(idle <= 2) > 0.7 and np.mean(behind_logits) < 0.2


@pytest.mark.nightly
@pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus is not installed")
def test_small_model_on_icarus() -> None:
    from trine_boards import BOARDS
    from trine_sw.fit import fit

    model = Model.load(MODELS / "shakespeare-small.trine")
    # As on the smallest board: in many groups, the state in memories.
    engine = fit(model, BOARDS["icebreaker"]).engine
    assert Geometry(model.config, engine).state_in_memory
    tokens = sample_tokens(model, 104)
    (run,) = simulate([stream_job(model, engine, tokens)], "icarus")
    check(model, engine, tokens, run)


@pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus is not installed")
def test_simulation_that_hangs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more beat is awaited than the engine gives: what is missing is said after the patience."""
    model = random_model(ModelConfig(hidden=3, embedding=2, vocab_size=5), seed=1)
    describe = run_module.describe

    def more(job: Job) -> dict:
        described = describe(job)
        return described | {"beats": described["beats"] | {"state": 4}}

    monkeypatch.setattr(run_module, "describe", more)
    with pytest.raises(TrineError, match="hangs: 3 of 3 requests, 3 of 4 state, 15 of 15 logits"):
        simulate([stream_job(model, EngineConfig(100, 1), np.array([1, 2, 3]))], "icarus")


@pytest.mark.parametrize("simulator", [pytest.param(SIMULATORS[0], marks=pytest.mark.nightly), SIMULATORS[1]])
def test_broken_weight_threshold_or_cycle_is_found(simulator: str) -> None:
    """The comparison fails where the engine was built from a model that differs in one place."""
    model, engine, tokens = cases(DAILY[:1], 60, 3)[0]
    layer = model.layers[0]
    weight, threshold = layer.weight.copy(), layer.threshold.copy()
    row = 3 * model.config.hidden  # an output gate's
    used = np.flatnonzero(weight[row])
    weight[row, used] = -weight[row, used]
    threshold[row] = threshold[row] + 2
    broken = [
        replace(model, layers=[Layer(weight, layer.threshold)]),
        replace(model, layers=[Layer(layer.weight, threshold)]),
    ]
    runs = simulate([stream_job(m, engine, tokens) for m in (model, *broken)], simulator)
    check(model, engine, tokens, runs[0])
    for run in runs[1:]:
        with pytest.raises(AssertionError):
            check(model, engine, tokens, run)
    late = runs[0].cycles.copy()
    late[7] += 1
    with pytest.raises(AssertionError):
        check(model, engine, tokens, replace(runs[0], cycles=late))
