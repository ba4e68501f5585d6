"""The driver over the golden board: every answer is the golden model's."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.board_over_wires import (
    EVERYTHING,
    LEVELS,
    TRITS,
    check_steps,
    host_engine,
    model_of,
    opened,
)
from trine_sw.driver import AsyncBoard, Board, BoardState
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.engine.timing import TimingModel
from trine_sw.golden import Golden
from trine_sw.golden.sampler import STATE_SEED_0
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig, Want
from trine_sw.support.errors import TrineError

GRU = replace(LEVELS, cell="gru")
MGU = replace(LEVELS, cell="mgu")


@pytest.mark.parametrize("config", [LEVELS, TRITS, GRU, MGU], ids=["levels", "trits", "gru", "mgu"])
@pytest.mark.parametrize(
    "places", [{}, {"head": "host"}, {"embedding": "host"}, dict(embedding="host", head="host")]
)
def test_same_call_serves_every_placement(config, places):
    model = model_of(config)
    tokens = np.random.default_rng(3).integers(0, config.vocab_size, 60)
    engine = host_engine(config, **places) if places else None
    link = LinkConfig(slot_bytes=1024, receive_bytes=2048)
    board, _ = opened(model, engine=engine, link=link)
    trace = Golden(model).run(tokens)
    check_steps(list(board.stream(tokens, EVERYTHING)), trace)
    board.reset()
    check_steps(
        [board.step(int(t), ("choice", "h")) for t in tokens[:5]],
        Golden(model).run(tokens[:5]),
        names=("choice", "h"),
    )
    board.reset()
    expected = Golden(model).generate(tokens[:4], 150, 0.7, 9)
    assert np.array_equal(board.generate(tokens[:4], 150, 0.7, 9), expected)


def test_vectors_in_place_of_tokens():
    model = replace(model_of(TRITS), embedding_weight=None)
    board, _ = opened(model, engine=host_engine(TRITS, embedding="host"))
    x = np.random.default_rng(1).integers(-1, 2, (50, 7))
    trace = Golden(model).run_vectors(x)
    steps = list(board.stream(x))
    assert np.array_equal([step.h for step in steps], trace.h)
    for wrong, message in (
        (np.zeros(6, int), "7 trits, not"),
        (np.full(7, 2), "-1, 0 and \\+1 only"),
        (3, "takes vectors"),
        (np.zeros(7), "whole numbers"),
    ):
        with pytest.raises(TrineError, match=message):
            board.step(wrong)
    assert np.array_equal(board.step(x[0]).h, Golden(model).run_vectors(x[:1], trace.state).h[0])


def test_nothing_need_be_asked_for():
    board, transport = opened(model_of(TRITS))
    assert len(list(board.stream(range(290), ()))) == 290
    assert board.counters.tokens == 290


def test_cycles_are_the_timing_model_s():
    model = model_of(LEVELS)
    assert model.embedding_weight is not None
    board, _ = opened(model)
    tokens = np.arange(30)
    h = Golden(model).run(tokens).h
    timing = TimingModel(BoardModel(model, default_engine(model))._timing.geometry)
    x = timing.x_counts(model.embedding_weight[tokens]).tolist()
    counts = [[0] * 3, *timing.h_counts(h).tolist()]
    expected = [
        timing.step(x[t], counts[t], counts[t + 1], head=True, last=True, offered=1000 * t) for t in range(30)
    ]
    assert [step.cycles for step in board.stream(tokens, ("cycles", "choice"))] == expected
    assert board.counters.cycles == sum(expected)


@pytest.mark.parametrize("config", [LEVELS, GRU], ids=["lstm", "gru"])
def test_state_goes_on_elsewhere(config):
    model = model_of(config)
    first, _ = opened(model)
    second, _ = opened(model, engine=EngineConfig(25, 2))
    tokens = np.random.default_rng(3).integers(0, 30, 80)
    trace = Golden(model).run(tokens)
    list(first.stream(tokens[:40]))
    first.generate([1], 5, 0.9, 3)
    saved = first.state
    second.state = saved
    assert np.array_equal(second.state.h, saved.h) and np.array_equal(second.state.c, saved.c)
    assert np.array_equal(first.generate([2], 30, 0.9, None), second.generate([2], 30, 0.9, None))
    first.reset()
    list(first.stream(tokens[:40]))
    second.state = BoardState(trace.h[39], trace.c[39])
    for board in (first, second):
        assert np.array_equal([step.h for step in board.stream(tokens[40:])], trace.h[40:])


def test_without_the_model():
    model = model_of(LEVELS)
    device = BoardModel(model, default_engine(model))
    board = Board(lambda: ModelTransport(device), None, "the board", 1.0)
    board._begin()
    assert np.array_equal(board.step(1).h, Golden(model).run([1]).h[0])
    with pytest.raises(TrineError, match="need the model's levels"):
        board.step(1, "u")


def test_asyncio_gives_the_same(tmp_path):
    model = model_of(LEVELS)
    path = tmp_path / "levels.trine"
    model.save(path)
    tokens = np.arange(30)
    trace = Golden(model).run(tokens)

    async def main():
        async with await AsyncBoard.open(f"golden:{path}") as board:
            steps = [step async for step in board.stream(tokens, EVERYTHING)]
            state = await board.read_state()
            text = await board.generate([1, 2], 20, 0.5, 3)
            await board.write_state(state)
            after = (await board.step(3)).h
            with pytest.raises(TrineError, match="out of range"):
                await board.step(30)
            await board.reset()
            counters = await board.counters()
            return steps, state, text, after, counters

    steps, state, text, after, counters = asyncio.run(main())
    check_steps(steps, trace)
    assert np.array_equal(state.c, trace.c[-1])
    assert np.array_equal(after, Golden(model).run([3], trace.state).h[0])
    assert counters.tokens == 30 + 21 + 1


def test_wants_are_all_the_protocol_s():
    assert {str(want.name).lower() for want in Want} == set(EVERYTHING)


@pytest.mark.parametrize("places", [{}, dict(embedding="host", head="host")], ids=["board", "host"])
def test_host_after_another_finds_nothing_of_it(places):
    """Neither state nor random numbers: a generation without a seed begins with those of seed 0."""
    model = model_of(LEVELS)
    engine = host_engine(LEVELS, **places) if places else None
    board, transport = opened(model, engine=engine, link=LinkConfig(slot_bytes=512))
    board.generate([1, 2], 30, 0.7, 9)
    board.state = replace(board.state, generator=77)
    board.close()
    after = Board(lambda: transport, model, "the board", 5.0)
    after._begin()
    assert not after.state.h.any() and after.state.generator == STATE_SEED_0
    first, second = after.generate([1], 9, 0.7, None), after.generate([1], 9, 0.7, None)
    expected = Golden(model).generate([1], 9, 0.7, 0)
    assert np.array_equal(first, expected) and not np.array_equal(second, expected)
