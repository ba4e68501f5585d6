"""Stacks of layers on the engine: every state, logit, choice and cycle, and the way of their state."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.board_over_wires import model_of, opened
from tests.helpers.core_run import Run
from trine_hw.core.core import Core
from trine_sw.driver import BoardState
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.bank_balance import active_columns, balanced
from trine_sw.engine.timing import TimingModel, generation_cycles, token_cycles
from trine_sw.golden import Golden, State
from trine_sw.golden.sampler import tau_code
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError


def config_of(cell: str, layers: int, embedding: int, hidden: int) -> ModelConfig:
    return ModelConfig(
        cell=cell,
        layers=layers,
        embedding=embedding,
        hidden=hidden,
        vocab_size=9,
        cell_max=7,
        head_levels=(0, 1, 3),
    )


#: Cell, layers, E, H and the engine: E below, at and above H; one group a layer, several, as many as units.
CASES = [
    ("lstm", 2, 3, 6, EngineConfig(1000, 3)),
    ("gru", 3, 6, 6, EngineConfig(1000, 2, sampler_ways=2)),
    ("lstm", 3, 9, 4, EngineConfig(14, 2)),
    (
        "lstm",
        3,
        1,
        12,
        EngineConfig(1000, 1),
    ),  # the next token's second layer could be loaded before its turn
    ("gru", 2, 5, 6, EngineConfig(14, 1)),
    ("lstm", 2, 1, 5, EngineConfig(7, 4)),
    ("lstm", 2, 7, 6, EngineConfig(1000, 2, relays=1)),
    ("gru", 3, 2, 6, EngineConfig(17, 3, relays=1, assignment=(0, 1, 2, 2, 2, 1, 0, 0, 1, 2, 0, 1))),
    ("lstm", 4, 1, 1, EngineConfig(1000, 1, head="host")),
    ("gru", 2, 9, 4, EngineConfig(8, 2, head="host")),
    ("lstm", 2, 4, 8, EngineConfig(13, 2, embedding="host")),
    ("mgu", 3, 6, 6, EngineConfig(1000, 2, sampler_ways=2)),
    ("mgu", 2, 5, 6, EngineConfig(11, 1)),
    ("mgu", 3, 2, 6, EngineConfig(17, 3, relays=1)),
    ("lstm", 2, 4, 6, EngineConfig(30, 1, block_ram="ice40")),
]


def requests_of(model: Model, engine: EngineConfig, tokens: np.ndarray, seed: int) -> list[dict]:
    """Some tokens reset the state, some want logits, with or without ``last``, which a stack does not ask."""
    rng = random.Random(seed)
    found = []
    for index, token in enumerate(tokens):
        given = {"token": int(token)}
        if engine.embedding == "host":
            assert model.embedding_weight is not None
            x = model.embedding_weight[token]
            given = {"x": [{"active": int(t != 0), "negative": int(t < 0)} for t in x]}
        wants = {"head": int(engine.head == "board" and rng.random() < 0.6), "last": int(rng.random() < 0.3)}
        found.append({**given, **wants, "reset": int(index == 0 or rng.random() < 0.2)})
    return found


def golden_run(model: Model, tokens: np.ndarray, resets: list[int]):
    """h, c (T, L*H), u (T, H) and logits (T, V) with the state reset before some of the tokens."""
    golden = Golden(model)
    state = golden.initial_state()
    rows = []
    for token, reset in zip(tokens, resets, strict=True):
        trace = golden.run([token], golden.initial_state() if reset else state)
        state = trace.state
        assert trace.logits is not None
        rows.append((trace.h[0], trace.c[0], trace.u[0], trace.logits[0]))
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(("cell", "layers", "embedding", "hidden", "engine"), CASES)
def test_tokens_equal_golden(cell, layers, embedding, hidden, engine):
    model = random_model(config_of(cell, layers, embedding, hidden), seed=layers)
    core = Core(model, engine)
    tokens = np.random.default_rng(embedding).integers(0, 9, 24)
    requests = requests_of(model, engine, tokens, seed=hidden)
    resets = [request["reset"] for request in requests]
    assert sum(resets) > 1
    h, c, u, logits = golden_run(model, tokens, resets)
    run = Run(core, requests)

    found = np.array(run.cells)
    np.testing.assert_array_equal(found[..., 0], h)
    np.testing.assert_array_equal(found[..., 2], c)
    np.testing.assert_array_equal(found[:, -hidden:, 1], np.abs(u))
    wanted = logits[[bool(request["head"]) for request in requests]]
    assert run.logits[:-1] == wanted.tolist()
    assert run.choices == wanted.argmax(1).tolist()

    timing = TimingModel(core.geometry)
    assert model.embedding_weight is not None
    x = timing.x_counts(model.embedding_weight[tokens]).tolist()
    after = timing.h_counts(h).tolist()
    before = [[0] * len(after[0]), *after[:-1]]
    predicted = [
        timing.step(
            x[t], before[t], after[t], **{name: requests[t][name] for name in ("head", "last", "reset")}
        )
        for t in range(len(tokens))
    ]
    assert run.cycles == predicted


@pytest.mark.parametrize(("cell", "layers", "lanes"), [("lstm", 2, 1000), ("gru", 3, 14)])
def test_generation_equals_golden(cell, layers, lanes):
    model, engine = random_model(config_of(cell, layers, 5, 6), seed=4), EngineConfig(lanes, 2)
    prompt, count = [3, 1, 4], 8
    chosen = Golden(model).generate(prompt, count, 1.0, 5)
    requests = [{"token": token, "reset": i == 0} for i, token in enumerate(prompt)]
    requests[-1] |= {"count": count, "reseed": 1}
    run = Run(Core(model, engine), requests, tau=tau_code(1.0, model.head_scale), seed=5)
    assert run.choices == chosen.tolist()
    assert run.cycles == generation_cycles(model, engine, prompt, chosen).cycles.tolist()
    # However slowly tokens come and answers are taken.
    run = Run(Core(model, engine), requests, tau=tau_code(1.0, model.head_scale), seed=5, steady=0.2)
    assert run.choices == chosen.tolist()
    trace = Golden(model).run(np.concatenate([prompt, chosen[:-1]]))
    np.testing.assert_array_equal(np.array(run.cells)[..., 2], trace.c)


def test_two_layers_are_not_one_twice():
    """The comparison would see layers that are exchanged, and a layer that reads the old h below it."""
    model = random_model(config_of("lstm", 2, 6, 6), seed=1)
    swapped = replace(model, layers=model.layers[::-1])
    tokens = np.random.default_rng(2).integers(0, 9, 12)
    run = Run(
        Core(swapped, EngineConfig(1000, 2)),
        [{"token": int(t), "reset": i == 0} for i, t in enumerate(tokens)],
    )
    found = np.array(run.cells)[..., 0]
    assert np.array_equal(found, Golden(swapped).run(tokens).h)
    assert not np.array_equal(found, Golden(model).run(tokens).h)


def test_a_layer_costs_its_columns_and_its_boundary() -> None:
    """With its own h long enough, a layer waits for that below: 11 slots, the first of h's, the marker."""
    model = random_model(ModelConfig(hidden=60, embedding=60, vocab_size=9, layers=2), seed=1, activity=0.9)
    tokens = np.arange(40) % 9
    trace = Golden(model).run(tokens)
    own, below = (np.count_nonzero(trace.h[:, part], axis=1) for part in (slice(60, 120), slice(0, 60)))
    assert model.embedding_weight is not None
    x = np.count_nonzero(model.embedding_weight[tokens], axis=1)
    assert min(x.min(), own[2:].min()) >= 11, "the case is to cover the cells' latency"
    expected = x[1:] + below[:-1] + 1 + own[:-1] + below[1:] + 1
    cycles = token_cycles(model, EngineConfig(1000, 1), tokens, head=False).cycles
    assert cycles[3:].tolist() == expected[2:].tolist()


def test_a_layer_waits_for_its_own_h() -> None:
    """A second layer that is always 1 over one that is always 0: its columns begin in the 12th slot after its
    marker, 8 for the cells and 4 for the scanner, and are followed by an entry of zeros and the marker."""
    model = random_model(replace(config_of("lstm", 2, 1, 20), head_levels=(0, 1)), seed=1)
    thresholds = [np.zeros_like(layer.threshold) for layer in model.layers]
    thresholds[0][:] = 50  # no gate opens
    thresholds[1][:] = -50
    thresholds[1][40:60] = -50, -49  # g is 1
    layers = [replace(layer, threshold=each) for layer, each in zip(model.layers, thresholds, strict=True)]
    model, engine = replace(model, layers=layers), EngineConfig(1000, 1, head="host")
    tokens = np.arange(8)
    h = Golden(model).run(tokens).h
    assert not h[:, :20].any() and h[:, 20:].all()
    cycles = token_cycles(model, engine, tokens).cycles.tolist()
    run = Run(Core(model, engine), [{"token": int(token), "reset": int(token == 0)} for token in tokens])
    assert run.cycles == cycles
    assert cycles[2:] == [11 + 20 + 1 + 1] * 6


def test_board_keeps_the_state_of_every_layer() -> None:
    config = replace(config_of("lstm", 3, 5, 7), vocab_size=30)
    model = model_of(config)
    board, _ = opened(model)
    assert (board.info.layers, board.info.cells) == (3, 21)
    tokens = np.random.default_rng(1).integers(0, 30, 40)
    trace = Golden(model).run(tokens)
    steps = list(board.stream(tokens, ("h", "u", "logits")))
    for name, part in (("h", trace.h[:, -7:]), ("u", trace.u), ("logits", trace.logits)):
        np.testing.assert_array_equal([getattr(step, name) for step in steps], part)
    state = board.state
    assert np.array_equal(state.h, trace.h[-1]) and np.array_equal(state.c, trace.c[-1])
    board.reset()
    board.state = state
    after = Golden(model).run(tokens[:9], State(state.h[None], state.c[None]))
    np.testing.assert_array_equal([step.u for step in board.stream(tokens[:9], ("u",))], after.u)
    with pytest.raises(TrineError, match="has 21 cells"):
        board.state = BoardState(state.h[:7], state.c[:7], state.generator)


def test_layers_are_cut_into_whole_groups() -> None:
    config = config_of("lstm", 2, 5, 12)
    found = {lanes: Geometry(config, EngineConfig(lanes, 1)) for lanes in (57, 33, 20, 7)}
    assert [(g.layer_groups, g.groups, g.units) for g in found.values()] == [
        (1, 2, 12),
        (2, 4, 6),
        (3, 6, 4),
        (12, 24, 1),
    ]
    with pytest.raises(
        TrineError, match="lanes must be at least 6 for a stack of layers of 2 units with 3 rows"
    ):
        _ = Geometry(replace(config, hidden=2, vocab_size=3), EngineConfig(5, 1)).groups


def test_balance_keeps_columns_of_every_layer_apart() -> None:
    model = random_model(config_of("lstm", 2, 20, 30), seed=2)
    tokens = np.random.default_rng(3).integers(0, 9, 300)
    engine = EngineConfig(1000, 3)
    assert model.embedding_weight is not None
    active = active_columns(model, model.embedding_weight[tokens], Golden(model).run(tokens).h)
    assert active.shape == (600, 60)
    better = replace(engine, assignment=balanced(active, 3))
    cycles = [token_cycles(model, each, tokens).cycles.mean() for each in (engine, better)]
    assert cycles[1] < cycles[0]
