"""Streams whose results are arrays: the same values as step by step, in the same order, and no others."""

import asyncio

import numpy as np
import pytest

from tests.helpers.board_over_wires import EVERYTHING, LEVELS, TRITS, host_engine, model_of, opened
from tests.helpers.task_models import features, task_model
from trine_sw.driver import AsyncBoard, StepBlock
from trine_sw.driver.steps import Step
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.support.errors import TrineError

#: More than are encoded together, with an end in the middle of a frame.
COUNT = 2777
LINKS = {
    "short": LinkConfig(window=1, slot_bytes=512, receive_bytes=512),
    "long": LinkConfig(window=16, slot_bytes=2048, receive_bytes=16384),
}


def same(block: StepBlock, steps: list[Step]) -> None:
    assert len(block) == len(steps)
    for name in Step._fields:
        column = getattr(block, name)
        if column is None:
            assert all(getattr(step, name) is None for step in steps)
        else:
            np.testing.assert_array_equal(column, [getattr(step, name) for step in steps], name)


@pytest.mark.parametrize("config", [LEVELS, TRITS], ids=["levels", "trits"])
@pytest.mark.parametrize("places", [{}, {"embedding": "host", "head": "host"}], ids=["board", "host"])
@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_blocks_are_the_golden_model_s(config, places, link):
    model = model_of(config)
    tokens = np.random.default_rng(len(places)).integers(0, config.vocab_size, 300)
    trace = Golden(model).run(tokens)
    assert trace.logits is not None
    for rate, want in ((0.0, EVERYTHING), (1e-3, ("h",)), (0.0, ("cycles", "choice")), (0.0, ())):
        if config is TRITS and link.slot_bytes < 1024 and "logits" in want:
            continue  # fit no frame
        engine = host_engine(config, **places)
        board, _ = opened(model, engine=engine, link=link, rate=rate, seed=4)
        blocks = list(board.stream_blocks(tokens, want))
        assert all(len(block) for block in blocks)
        block = StepBlock.joined(blocks)
        expected = {"h": trace.h, "u": trace.u, "logits": trace.logits, "choice": trace.logits.argmax(1)}
        for name in EVERYTHING:
            column = getattr(block, name)
            assert (column is not None) == (name in want)
            if column is not None and name in expected:
                np.testing.assert_array_equal(column, expected[name], name)
        board.reset()
        same(block, list(board.stream(tokens.tolist(), want)))  # as they are taken, a frame at a time
        assert len(block) == 300


def test_types_of_arrays():
    model = model_of(LEVELS)
    board, _ = opened(model, link=LINKS["long"])
    block = StepBlock.joined(board.stream_blocks(np.arange(9) % 30, EVERYTHING))
    found = {name: (getattr(block, name).dtype, getattr(block, name).shape) for name in EVERYTHING}
    assert found == {
        "h": (np.int8, (9, 21)),
        "u": (np.int8, (9, 21)),
        "cycles": (np.int64, (9,)),
        "logits": (np.int32, (9, 30)),
        "choice": (np.int64, (9,)),
    }
    assert len(StepBlock.joined([])) == 0 and list(StepBlock.joined([])) == []
    assert list(board.stream_blocks([])) == list(board.stream_blocks(np.zeros(0, int))) == []


@pytest.mark.parametrize("wrong", [0, 1, 1023, 1024, 1500, COUNT - 1])
@pytest.mark.parametrize("form", [np.asarray, list, iter], ids=["array", "list", "iterator"])
def test_error_of_a_token_comes_after_the_blocks_before_it(wrong, form):
    model = model_of(LEVELS)
    board, _ = opened(model)
    tokens = np.random.default_rng(wrong).integers(0, 30, COUNT)
    tokens[wrong] = 30
    if wrong + 9 < COUNT:
        tokens[wrong + 9] = -7  # is not the one that is told
    blocks = []
    with pytest.raises(TrineError, match="token 30 is out of range"):
        for block in board.stream_blocks(form(tokens), ("h",)):
            blocks.append(block)
    trace = Golden(model).run(np.append(tokens[:wrong], 5))
    assert sum(map(len, blocks)) == wrong == board.counters.tokens
    if wrong:
        np.testing.assert_array_equal(StepBlock.joined(blocks).h, trace.h[:wrong])
    np.testing.assert_array_equal(board.step(5).h, trace.h[-1])


def test_vectors_that_are_wrong():
    model = model_of(LEVELS)
    board, _ = opened(model, engine=host_engine(LEVELS, embedding="host", head="host"))
    x = np.random.default_rng(0).integers(-1, 2, (COUNT, 9))
    trace = Golden(model).run_vectors(x)
    np.testing.assert_array_equal(StepBlock.joined(board.stream_blocks(x, ("u",))).u, trace.u)
    board.reset()
    x[1300, 3] = 2
    found = 0
    with pytest.raises(TrineError, match=r"-1, 0 and \+1 only"):
        for block in board.stream_blocks(x, ("h",)):
            found += len(block)
    assert found == board.counters.tokens - COUNT == 1300


@pytest.mark.parametrize("form", ["features", "samples"])
def test_features_that_are_left_go_on(form):
    """The differences of the next step are taken of the last sample sent, in the middle of an array."""
    model = task_model("label", hidden=12)
    assert model.encoder is not None and model.encoder.differences
    (x,) = features(np.random.default_rng(2), [COUNT])
    given = model.encoder.samples(x) if form == "samples" else x
    expected = Golden(model).run_vectors(model.encoder.trits(x)).h
    board, _ = opened(model)
    at = 0
    while at < COUNT - 1:
        blocks = board.stream_blocks(given[at:], ("h",))
        block = next(blocks)
        np.testing.assert_array_equal(block.h, expected[at : at + len(block)])
        blocks.close()
        at = board.counters.tokens
        if at < COUNT:
            np.testing.assert_array_equal(board.step(given[at]).h, expected[at])
            at += 1


def test_asynchronous_board_gives_the_same():
    model = model_of(LEVELS)
    tokens = np.random.default_rng(3).integers(0, 30, 700)
    expected = Golden(model).run(tokens)

    async def found():
        device = BoardModel(model, default_engine(model))
        board = AsyncBoard(lambda: ModelTransport(device), model, "the board", 5.0)
        await board._begin()
        left = [block async for block in board.stream_blocks(tokens[:300])]
        async for block in board.stream_blocks(tokens[300:]):
            left.append(block)
            break
        applied = (await board.counters()).tokens
        return StepBlock.joined(left), applied, (await board.step(tokens[applied])).h

    block, applied, h = asyncio.run(found())
    assert 300 < len(block) <= applied < 700
    np.testing.assert_array_equal(block.h, expected.h[: len(block)])
    np.testing.assert_array_equal(h, expected.h[applied])
